/* test_filter_json.c - a filter written as JSON and read back is the same filter; what no filter
 * writes is refused, however deep or large it is. */
#include "core/session/filter_json.h"
#include "tests/unit/any_filter.h"

static struct das_err err;

static struct das_filter *read_back(const char *text, size_t len)
{
    json_t *j = das_json_parse(text, len, NULL, &err);
    struct das_filter *f = j ? das_filter_from_json(j, &err) : NULL;

    json_decref(j);
    return f;
}

static bool same_text(const struct das_filter *a, const struct das_filter *b,
                      void (*write)(const struct das_filter *, struct das_buf *))
{
    struct das_buf x = {0}, y = {0};
    bool same;

    write(a, &x);
    write(b, &y);
    same = !x.failed && !y.failed && das_text_eq(das_buf_view(&x), das_buf_view(&y));
    das_buf_clear(&x);
    das_buf_clear(&y);
    return same;
}

/* --- the form -------------------------------------------------------------------------------- */

/* f is released. */
static void writes(struct das_filter *f, const char *want)
{
    struct das_buf b = {0};
    struct das_filter *g;

    das_filter_json(f, &b);
    is_str(b.ptr, want, "%s", kit_text(f));
    g = read_back(b.ptr, b.len);
    if (ok(g, "is read back"))
        ok(same_text(f, g, das_filter_print) && same_text(f, g, das_filter_json), "as the same");
    else
        tap_diag("%s", err.msg);
    das_filter_release(g);
    das_filter_release(f);
    das_buf_clear(&b);
}

static struct das_filter *with_text(const char *key, const char *bytes, size_t len)
{
    struct das_value v = {.kind = DAS_V_TEXT, .text = das_text(bytes, len)};
    struct das_filter *f = kit_filter(NULL, NULL);

    must(das_filter_set(f, key, &v, &err) == 0, "a filter");
    return f;
}

static void form(void)
{
    static const int64_t ids[] = {9, INT64_MIN, 7, 9, INT64_MAX};
    const struct das_value list = {.kind = DAS_V_INTS, .ints = ids, .count = 5};
    struct das_filter *f = kit_filter(NULL, NULL);

    writes(kit_filter(NULL, NULL), "{}");
    writes(kit_all(), "{\"all\":true}");
    writes(kit_filter2("user", "app%", "time", "5m"), "{\"user\":\"app%\",\"time\":300}");
    writes(kit_filter("rows_modified", "9223372036854775807"),
           "{\"rows_modified\":9223372036854775807}");
    writes(kit_filter2("task_duration", "10m", "task_type", "manual"),
           "{\"task_duration\":600,\"task_type\":\"manual\"}");
    writes(kit_filter("id", "12"), "{\"id\":[12]}");
    must(das_filter_set(f, "id", &list, &err) == 0, "ids");
    writes(f, "{\"id\":[-9223372036854775808,7,9,9223372036854775807]}");
    writes(kit_and(kit_filter("user", "a"), kit_or(kit_filter("db", "b"), kit_all())),
           "[\"and\",{\"user\":\"a\"},[\"or\",{\"db\":\"b\"},{\"all\":true}]]");
    writes(kit_and(kit_and(kit_filter("user", "a"), kit_all()), kit_not(kit_all())),
           "[\"and\",[\"and\",{\"user\":\"a\"},{\"all\":true}],[\"not\",{\"all\":true}]]");
    writes(kit_filter("user", "and"), "{\"user\":\"and\"}");
    writes(with_text("user", "a\0b", 3), "{\"user\":\"a\\u0000b\"}");
    writes(with_text("db", "\xc3\xa9\"\\\n", 5), "{\"db\":\"\xc3\xa9\\\"\\\\\\n\"}");
    writes(with_text("user", "\xff", 1), "{\"user_hex\":\"ff\"}");
    writes(with_text("info", "a\xc3", 2), "{\"info_hex\":\"61c3\"}");
    writes(with_text("user", "\xef\xbf\xbd", 3), "{\"user\":\"\xef\xbf\xbd\"}");
}

/* --- what is refused ------------------------------------------------------------------------- */

static void refuses(const char *text, const char *message)
{
    json_t *j = das_json_parse(text, strlen(text), NULL, &err);
    struct das_filter *f;

    must(j, "JSON");
    memset(&err, 0, sizeof err);
    f = das_filter_from_json(j, &err);
    ok(!f && err.code == DAS_E_DATA, "refused: %s", text);
    has_str(err.msg, message, "and why");
    das_filter_release(f);
    json_decref(j);
}

static void refusals(void)
{
    refuses("null", "expected a table of criteria or a composition");
    refuses("\"user\"", "expected a table");
    refuses("{\"usr\":\"a\"}", "unknown filter key \"usr\"");
    refuses("{\"user_\":\"a\"}", "unknown filter key");
    refuses("{\"time_hex\":\"61\"}", "unknown filter key");
    refuses("{\"and\":[{},{}]}", "unknown filter key \"and\"");
    refuses("{\"user\":\"\"}", "user: expected text that is not empty");
    refuses("{\"user_hex\":\"\"}", "user_hex: expected text that is not empty");
    refuses("{\"user_hex\":\"6\"}", "user_hex: not hex");
    refuses("{\"user_hex\":\"6g\"}", "user_hex: not hex");
    refuses("{\"user\":\"a\",\"user_hex\":\"61\"}", "user: given as text and in hex");
    refuses("{\"user\":null}", "user: expected text");
    refuses("{\"user\":7}", "user: expected text");
    refuses("{\"time\":\"5m\"}", "time: expected a whole number");
    refuses("{\"time\":5.0}", "time: expected a whole number");
    refuses("{\"time\":-1}", "time: expected 0 to 2147483646, got -1");
    refuses("{\"command\":\"Qury\"}", "did you mean \"Query\"");
    refuses("{\"all\":false}", "all: expected true");
    refuses("{\"all\":1}", "all: expected true");
    refuses("{\"id\":7}", "id: expected a list of 1 to 100000 ids");
    refuses("{\"id\":[]}", "id: expected a list");
    refuses("{\"id\":[1,2.0]}", "id: expected whole numbers, item 2 is none");
    refuses("[]", "expected [\"and\",A,B]");
    refuses("[\"and\",{}]", "expected [\"and\"");
    refuses("[\"and\",{},{},{}]", "expected [\"and\"");
    refuses("[\"not\",{},{}]", "expected [\"and\"");
    refuses("[\"and\\u0000\",{},{}]", "expected [\"and\"");
    refuses("[\"xor\",{},{}]", "expected [\"and\"");
    refuses("[1,{},{}]", "expected [\"and\"");
    refuses("[\"or\",{},{\"usr\":1}]", "unknown filter key \"usr\"");
    refuses("[\"or\",{},7]", "expected a table");
}

/* {} inside so many "not"; jansson itself stops at 2048 levels, so it is built by hand. */
static json_t *nested(int depth)
{
    json_t *j = json_object();

    for (int i = 0; i < depth; i++)
        j = json_pack("[s,o]", "not", j);
    return j;
}

/* A balanced tree of 2 ^ levels tables. */
static json_t *wide(int levels)
{
    return levels == 0 ? json_object() : json_pack("[s,o,o]", "or", wide(levels - 1), wide(levels - 1));
}

static void bounds(void)
{
    json_t *j = nested(DAS_FILTER_DEPTH_MAX);
    struct das_filter *f = das_filter_from_json(j, &err);
    struct das_buf b = {0};

    must(f, "as deep as a filter may be");
    das_filter_json(f, &b);
    das_filter_release(f);
    f = read_back(b.ptr, b.len);
    ok(f, "and so is its text");
    das_filter_release(f);
    das_buf_clear(&b);
    json_decref(j);
    for (int depth = DAS_FILTER_DEPTH_MAX + 1; depth < 30000; depth += 29000) {
        j = nested(depth);
        ok(!das_filter_from_json(j, &err), "%d deep is refused", depth);
        is_str(err.msg, "a filter nests more than 500 deep", "and why");
        json_decref(j);
    }
    j = wide(12);
    f = das_filter_from_json(j, &err);
    ok(f, "8191 parts");
    das_filter_release(f);
    json_decref(j);
    j = wide(15);
    ok(!das_filter_from_json(j, &err), "65535 are too many");
    is_str(err.msg, "a filter has more than 10000 parts", "and why");
    json_decref(j);
}

/* --- any filter ------------------------------------------------------------------------------ */

enum { ROWS = 60, ROUNDS = 3000 };

static void any(void)
{
    static struct das_session sessions[ROWS];
    static struct any_room rooms[ROWS];
    size_t unread = 0, other = 0, matches = 0, yes = 0;
    uint64_t seed = kit_seed(20261124);

    for (size_t i = 0; i < ROWS; i++)
        sessions[i] = any_session(&rooms[i]);
    for (size_t n = 0; n < ROUNDS; n++) {
        struct das_filter *f = any_filter(4), *g;
        struct das_buf b = {0};
        das_filter_json(f, &b);
        g = read_back(b.ptr, b.len);
        unread += !g;
        if (!g && unread < 4)
            tap_diag("%s: %s", b.ptr, err.msg);
        other += g && !(same_text(f, g, das_filter_print) && same_text(f, g, das_filter_json));
        for (size_t i = 0; g && i < ROWS; i++) {
            enum das_truth t = das_filter_test(f, &sessions[i]);
            matches += t != das_filter_test(g, &sessions[i]);
            yes += t == DAS_YES;
        }
        das_filter_release(g);
        das_filter_release(f);
        das_buf_clear(&b);
    }
    is_int(unread, 0, "each of %d filters is read back (SEED=%" PRIu64 ")", ROUNDS, seed);
    is_int(other, 0, "prints as before");
    is_int(matches, 0, "and says the same of each session");
    ok(yes > 1000 && yes < (size_t)ROUNDS * ROWS / 2, "which is not always no (%zu times yes)", yes);
}

/* --- out of memory --------------------------------------------------------------------------- */

static void memory(void)
{
    static const char text[] = "[\"and\",{\"user_hex\":\"ff25\",\"host\":\"[::1]:3%\",\"info\":\"a~b\"},"
                               "[\"or\",{\"id\":[1,2,3]},[\"not\",{\"db\":\"x%\"}]]]";
    json_t *j = das_json_parse(text, sizeof text - 1, NULL, &err);
    struct das_filter *f = NULL;
    size_t wrong = 0;
    long n = 1;

    for (; n < 1000 && !f; n++) {
        memset(&err, 0, sizeof err);
        das_alloc_fail_at(n);
        f = das_filter_from_json(j, &err);
        wrong += !f && (err.code != DAS_E_NOMEM || !err.msg[0]);
        if (f && das_alloc_failed())
            wrong++;
        das_alloc_fail_at(0);
    }
    ok(f && n > 10, "reading ends well once nothing fails (%ld allocations)", n - 1);
    is_int(wrong, 0, "each failure is clean and says so");
    das_filter_release(f);
    json_decref(j);
}

int main(void)
{
    form();
    refusals();
    bounds();
    any();
    memory();
    return tap_done();
}
