/* test_explain.c - what people read when they ask why a session is in or out. */
#include "core/session/explain.h"

#include "tests/unit/kit.h"

static struct das_err err;

/* The explanation as text; f is released. */
static const char *text(struct das_filter *f, const struct das_session *s)
{
    static char out[8000];
    struct das_explanation *e = das_explain(f, s, &err);
    struct das_buf b = {0};

    must(e, "an explanation");
    das_explanation_print(e, &b);
    snprintf(out, sizeof out, "%s", b.ptr);
    das_buf_clear(&b);
    das_explanation_free(e);
    das_filter_release(f);
    return out;
}

static void one(const char *key, const char *value, const struct das_session *s, const char *want)
{
    is_str(text(kit_filter(key, value), s), want, "%s = %s", key, value);
}

static void criteria(void)
{
    struct das_session s = kit_session(7);

    s.state_duration = 57;
    one("time", "60", &s, "session 7: out\n  time >= 60 s  57 s  out  (3 s too young)\n");
    one("time", "57", &s, "session 7: in\n  time >= 57 s  57 s  in\n");
    s.state_duration = DAS_UNKNOWN;
    one("time", "60", &s,
        "session 7: out\n  time >= 60 s  unknown  unknown  (the source does not tell)\n");
    s.trx_time = DAS_ABSENT;
    one("trx_time", "1m", &s,
        "session 7: out\n  trx_time >= 60 s  none  out  (no open transaction)\n");
    s.trx_time = 59;
    one("trx_time", "1m", &s, "session 7: out\n  trx_time >= 60 s  59 s  out  (1 s too young)\n");
    s.rows_modified = 3;
    one("rows_modified", "10", &s,
        "session 7: out\n  rows_modified >= 10 rows  3 rows  out  (7 rows too few)\n");
    one("user", "app", &s, "session 7: in\n  user = \"app\"  \"app\"  in\n");
    one("user", "a%", &s, "session 7: in\n  user like \"a%\"  \"app\"  in\n");
    s.db = DAS_TEXT_NULL;
    one("db", "shop", &s, "session 7: out\n  db = \"shop\"  NULL  out\n");
    s.db = das_text("", 0);
    one("db", "shop", &s, "session 7: out\n  db = \"shop\"  \"\"  out\n");
    one("command", "sleep", &s, "session 7: out\n  command = \"sleep\"  \"Query\"  out\n");
    one("id", "8", &s, "session 7: out\n  id = 8  7  out\n");
    one("info", "select~from", &s,
        "session 7: in\n  info has \"select~from\"  \"select * from orders\"  in\n");
    one("info", "select~where~x", &s,
        "session 7: out\n  info has \"select~where~x\"  \"select * from orders\"  out  (keyword 2 of "
        "3, \"where\", not found after the one before it)\n");
    one("info", "Update", &s,
        "session 7: out\n  info has \"Update\"  \"select * from orders\"  out  (keyword 1 of 1, "
        "\"update\", not found)\n");
    s.sql_info = DAS_TEXT_NULL;
    one("info", "x", &s, "session 7: out\n  info has \"x\"  NULL  out  (no statement)\n");
}

static void structure(void)
{
    struct das_session s = kit_session(7);

    is_str(text(kit_filter(NULL, NULL), &s),
           "session 7: out\n  no criterion: selects nothing    unknown\n", "an empty table");
    is_str(text(kit_all(), &s), "session 7: in\n  all sessions    in\n", "all = true");
    is_str(text(kit_filter("task_type", "auto"), &s),
           "session 7: out\n  no criterion: selects nothing    unknown\n",
           "what filters nothing is no criterion");
    is_str(text(kit_filter2("user", "app", "time", "200"), &s),
           "session 7: out\n"
           "  all of                  out\n"
           "    user = \"app\"   \"app\"  in\n"
           "    time >= 200 s  100 s  out  (100 s too young)\n",
           "a table of two");
    is_str(text(kit_or(kit_and(kit_filter("user", "app"),
                               kit_and(kit_filter("db", "x"), kit_filter("id", "7"))),
                       kit_not(kit_or(kit_filter("user", "b"), kit_filter("user", "c")))),
                &s),
           "session 7: in\n"
           "  any of                    in\n"
           "    all of                  out\n"
           "      user = \"app\"  \"app\"   in\n"
           "      db = \"x\"      \"shop\"  out\n"
           "      id = 7        7       in\n"
           "    not                     in\n"
           "      any of                out\n"
           "        user = \"b\"  \"app\"   out\n"
           "        user = \"c\"  \"app\"   out\n",
           "a tree: chains of one operator are one list");
    is_str(das_truth_word(DAS_UNSURE), "unknown", "unsure is said as unknown");
}

static void safe_to_print(void)
{
    struct das_session s = kit_session(7);
    const char *t;

    s.user = das_text("\x1b[2J\r\n\0x\xff\xc2\x9b" "31m", 14);
    t = text(kit_filter("user", "a%"), &s);
    ok(!strchr(t, 0x1b) && !strchr(t, '\r') && !strstr(t, "\xc2\x9b"),
       "no control character of a name reaches the terminal");
    has_str(t, "\\u001b[2J\\r\\n\\u0000x", "they are shown instead");
    s.user = das_text_of("0123456789012345678901234567890123456789012345678901234567890123456789");
    has_str(text(kit_filter("user", "a%"), &s),
            "\"01234567890123456789012345678901234567890\"...", "long text is cut");
}

static void many_ids(void)
{
    struct das_session s = kit_session(7);
    struct das_filter *f = kit_filter(NULL, NULL);
    const int64_t ids[] = {5, 6, 9};
    struct das_value v = {.kind = DAS_V_INTS, .ints = ids, .count = 3};

    must(das_filter_set(f, "id", &v, &err) == 0, "three ids");
    is_str(text(f, &s), "session 7: out\n  id among 3  7  out\n", "are not listed");
}

static void no_memory(void)
{
    struct das_session s = kit_session(7);
    struct das_filter *f = kit_not(kit_filter2("info", "a~b", "time", "200"));
    int bad = 0;
    long n;

    for (n = 1; n < 200; n++) {
        struct das_explanation *e;
        bool failed;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        e = das_explain(f, &s, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (e == NULL) || (failed && err.code != DAS_E_NOMEM);
        das_explanation_free(e);
        if (!failed)
            break;
    }
    ok(!bad && n > 10, "%ld failing allocations are each told", n - 1);
    das_explanation_free(NULL);
    das_filter_release(f);
}

int main(void)
{
    criteria();
    structure();
    safe_to_print();
    many_ids();
    no_memory();
    return tap_done();
}
