/* test_render.c - tables, JSON and CSV: valid for any bytes, as wide as asked, safe to show. */
#include "core/session/render.h"

#include "core/base/json.h"
#include "tests/unit/kit.h"

static struct das_err err;

/* --- cells ------------------------------------------------------------------------------------------ */

static void cell(const char *text, size_t len, size_t cells, const char *want, size_t used)
{
    struct das_buf b = {0};
    size_t got = das_render_cell(das_text(text, len), cells, &b);

    is_str(das_buf_view(&b).ptr ? (das_buf_char(&b, '\0'), b.ptr) : "", want, "\"%s\" in %zu", want,
           cells);
    is_int(got, used, "takes %zu", used);
    das_buf_clear(&b);
}

static void cells(void)
{
    cell("abc", 3, 10, "abc", 3);
    cell("abc", 3, 3, "abc", 3);
    cell("abcd", 4, 3, "a..", 3);
    cell("abcd", 4, 2, "..", 2);
    cell("abcd", 4, 1, "", 0);
    cell("abcd", 4, 0, "", 0);
    cell("", 0, 5, "", 0);
    cell(NULL, 0, 5, "-", 1);
    cell("  a \t\n b  ", 10, 10, "a b", 3);
    cell("a\x1b[31mb", 7, 20, "a [31mb", 7);
    cell("a\0b", 3, 20, "a b", 3);
    cell("a\xc2\x9b" "2Jb", 6, 20, "a 2Jb", 5);
    cell("a\x7f" "b", 3, 20, "a b", 3);
    cell("a\xff" "b", 3, 20, "a\xef\xbf\xbd" "b", 3);
    cell("\xe4\xb8\xad\xe6\x96\x87", 6, 4, "\xe4\xb8\xad\xe6\x96\x87", 4);
    cell("\xe4\xb8\xad\xe6\x96\x87", 6, 3, "..", 2);
    cell("e\xcc\x81x", 4, 2, "e\xcc\x81x", 2);
    /* U+202E would turn what follows around; U+2066 opens an embedding */
    cell("a\xe2\x80\xae" "b", 5, 20, "a b", 3);
    cell("a\xe2\x81\xa6" "b\xe2\x80\x8f", 8, 20, "a b", 3);
    cell("a\xe2\x80\xa8" "b", 5, 20, "a b", 3); /* a line separator is no line */
}

/* --- random sessions ------------------------------------------------------------------------------ */

static char pool[200][24];

static struct das_text any_text(void)
{
    char *p = pool[kit_below(200)];
    size_t len = kit_below(24);

    if (kit_below(8) == 0)
        return DAS_TEXT_NULL;
    return das_text(p, len);
}

static int64_t any_number(void)
{
    static const int64_t list[] = {DAS_UNKNOWN, DAS_ABSENT, 0, 1, 99, 1000, 123456, INT32_MAX - 1};

    return list[kit_below(8)];
}

static struct das_session any_session(int64_t id)
{
    struct das_session s = {.id = id};

    s.user = any_text();
    s.host = any_text();
    s.db = any_text();
    s.command = any_text();
    s.state = any_text();
    s.sql_info = any_text();
    s.state_duration = kit_below(4) ? (int64_t)kit_below(100000) : DAS_UNKNOWN;
    s.time_ms = any_number();
    s.query_id = any_number();
    s.trx_time = any_number();
    s.rows_modified = any_number();
    s.rows_examined = any_number();
    s.progress = any_number();
    s.trx_id = any_number();
    s.blocked_by = any_number();
    return s;
}

static bool string_is(const json_t *o, const char *key, struct das_text want)
{
    const json_t *v = json_object_get(o, key);

    if (!want.ptr)
        return json_is_null(v);
    if (!json_is_string(v))
        return false;
    return !das_utf8_valid(want) ||
           das_text_eq(want, das_text(json_string_value(v), json_string_length(v)));
}

static bool json_good(const struct das_session *s, const json_t *o)
{
    const json_t *t = json_object_get(o, "state_duration"), *q = json_object_get(o, "query_id");
    const json_t *trx = json_object_get(o, "trx_time"), *p = json_object_get(o, "progress");
    const json_t *id = json_object_get(o, "trx_id"), *by = json_object_get(o, "blocked_by");

    return json_integer_value(json_object_get(o, "id")) == s->id &&
           string_is(o, "user", s->user) && string_is(o, "host", s->host) &&
           string_is(o, "db", s->db) && string_is(o, "command", s->command) &&
           string_is(o, "state", s->state) && string_is(o, "sql_info", s->sql_info) &&
           (s->state_duration == DAS_UNKNOWN ? json_is_null(t)
                                             : json_integer_value(t) == s->state_duration) &&
           (s->query_id == DAS_UNKNOWN ? !q : das_known(s->query_id) == json_is_integer(q)) &&
           (s->trx_time == DAS_UNKNOWN  ? !trx
            : s->trx_time == DAS_ABSENT ? json_is_null(trx)
                                        : json_integer_value(trx) == s->trx_time) &&
           (s->trx_id == DAS_UNKNOWN  ? !id
            : s->trx_id == DAS_ABSENT ? json_is_null(id)
                                      : json_integer_value(id) == s->trx_id) &&
           (s->blocked_by == DAS_UNKNOWN  ? !by
            : s->blocked_by == DAS_ABSENT ? json_is_null(by)
                                          : json_integer_value(by) == s->blocked_by) &&
           (!das_known(s->progress) || json_is_number(p));
}

/* Reads one CSV row back as RFC 4180 says; fields[i] is malloc'ed, NULL for an empty bare one. */
static const char *csv_row(const char *p, char *fields[DAS_F_COUNT], size_t lens[DAS_F_COUNT])
{
    for (int f = 0; f < DAS_F_COUNT; f++) {
        struct das_buf b = {0};
        bool quoted = *p == '"';
        if (quoted) {
            for (p++; *p != '"' || p[1] == '"'; p++) {
                if (*p == '"')
                    p++;
                das_buf_char(&b, *p);
            }
            p++;
        } else {
            while (*p != ',' && *p != '\r') {
                if (*p == '"' || *p == '\n')
                    return NULL;
                das_buf_char(&b, *p++);
            }
        }
        lens[f] = b.len;
        fields[f] = b.len || quoted ? das_buf_take(&b) : NULL;
        if (f < DAS_F_COUNT - 1 && *p++ != ',')
            return NULL;
    }
    return p[0] == '\r' && p[1] == '\n' ? p + 2 : NULL;
}

static bool csv_good(const struct das_session *s, const char *row)
{
    char *fields[DAS_F_COUNT] = {0};
    size_t lens[DAS_F_COUNT];
    const char *end = csv_row(row, fields, lens);
    bool good = end && !*end;

    for (int f = 0; f < DAS_F_COUNT; f++) {
        enum das_field field = (enum das_field)f;
        struct das_text got = fields[f] ? das_text(fields[f], lens[f]) : DAS_TEXT_NULL;
        if (good && das_field_is_text(field))
            good = das_text_eq(got, das_session_text(s, field));
        else if (good)
            good = das_known(das_session_int(s, field)) == (fields[f] != NULL);
        das_free(fields[f]);
    }
    return good;
}

/* Cells of a line; SIZE_MAX when it holds what must not reach a terminal. */
static size_t line_cells(const char *p, size_t len)
{
    size_t cells_used = 0;

    for (size_t i = 0, n; i < len; i += n) {
        uint32_t code;
        n = das_utf8_next(p + i, len - i, &code);
        if (!n || code < 0x20 || (code >= 0x7f && code < 0xa0) ||
            (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
            return SIZE_MAX;
        cells_used += (size_t)das_utf8_cells(code);
    }
    return cells_used;
}

static bool table_good(const struct das_selection *sel, size_t width)
{
    struct das_buf b = {0};
    bool good = true;
    size_t lines = 0;

    das_render_table(sel, sel->count, width, &b);
    for (const char *p = b.ptr, *end; good && p < b.ptr + b.len; p = end + 1, lines++) {
        size_t used;
        end = memchr(p, '\n', (size_t)(b.ptr + b.len - p));
        used = end ? line_cells(p, (size_t)(end - p)) : SIZE_MAX;
        good = used != SIZE_MAX && (!width || used <= width) && (end == p || end[-1] != ' ');
    }
    good = good && lines == sel->count + 1;
    if (!good)
        tap_diag("width %zu:\n%s", width, b.ptr);
    das_buf_clear(&b);
    return good;
}

static void random_sessions(uint64_t seed)
{
    static const char nasty[] = " ,\"\n\r\x1b";
    int bad_json = 0, bad_csv = 0, bad_table = 0;

    for (int round = 0; round < 400; round++) {
        struct das_session list[8];
        struct das_selection *sel;
        for (size_t i = 0; i < sizeof pool; i++)
            pool[i / 24][i % 24] = kit_below(4) ? (char)kit_below(256) : nasty[kit_below(6)];
        for (int i = 0; i < 8; i++) {
            struct das_buf b = {0};
            json_t *o;
            list[i] = any_session(i);
            das_render_session_json(&list[i], &b);
            o = das_json_parse(b.ptr, b.len, NULL, &err);
            if ((!o || !json_good(&list[i], o)) && !bad_json++)
                tap_diag("SEED=%" PRIu64 ": %s", seed, b.ptr);
            json_decref(o);
            das_buf_reset(&b);
            das_render_session_csv(&list[i], &b);
            if (!csv_good(&list[i], b.ptr) && !bad_csv++)
                tap_diag("SEED=%" PRIu64 ": %s", seed, b.ptr);
            das_buf_clear(&b);
        }
        sel = kit_select(list, 8);
        if ((!table_good(sel, 0) || !table_good(sel, 200)) && !bad_table++)
            tap_diag("SEED=%" PRIu64, seed);
        das_selection_free(sel);
        if (bad_json || bad_csv || bad_table)
            break;
    }
    ok(!bad_json, "JSON of random sessions is valid and exact");
    ok(!bad_csv, "CSV of random sessions reads back the same");
    ok(!bad_table, "tables of them are safe and no wider than the terminal");
}

/* --- golden ------------------------------------------------------------------------------------------- */

static void csv(void)
{
    struct das_session s = kit_session(1);
    struct das_buf b = {0};

    das_render_csv_header(&b);
    is_str(b.ptr,
           "id,user,host,db,command,state,sql_info,state_duration,time_ms,query_id,trx_time,"
           "rows_modified,rows_examined,progress,trx_id,blocked_by\r\n",
           "the header");
    das_buf_reset(&b);
    s.user = DAS_TEXT_NULL;
    s.db = das_text("", 0);
    s.state = das_text_of("a\"b,c");
    s.sql_info = das_text_of("x\ny");
    s.trx_time = DAS_ABSENT;
    s.progress = 12050;
    s.trx_id = ((int64_t)1 << 48) + 1;
    s.blocked_by = 7;
    das_render_session_csv(&s, &b);
    is_str(b.ptr,
           "1,,10.0.0.7:51000,\"\",Query,\"a\"\"b,c\",\"x\ny\",100,,,,,,12.050,281474976710657,7\r\n",
           "NULL is empty, \"\" is quoted, quotes are doubled");
    das_buf_clear(&b);
}

static void table(void)
{
    struct das_session list[] = {kit_session(7), kit_session(12345)};
    struct das_selection *sel;
    struct das_buf b = {0};

    list[1].state_duration = DAS_UNKNOWN;
    list[1].db = DAS_TEXT_NULL;
    list[1].trx_time = 5;
    list[0].trx_time = DAS_ABSENT;
    list[1].sql_info = das_text_of("select something that is much longer than a line can be");
    sel = kit_select(list, 2);
    das_render_table(sel, 2, 100, &b);
    is_str(b.ptr,
           "id     user  host            db    command  time  trx  state         sql_info\n"
           "7      app   10.0.0.7:51000  shop  Query    100   -    Sending data  "
           "select * from orders\n"
           "12345  app   10.0.0.7:51000  -     Query    ?     5    Sending data  "
           "select something that is much..\n",
           "a table");
    das_buf_reset(&b);
    das_render_table(sel, 1, 100, &b);
    has_str(b.ptr, "... and 1 more\n", "what was left out is said");
    das_selection_free(sel);

    das_buf_reset(&b);
    list[0].blocked_by = DAS_ABSENT;
    sel = kit_select(list, 1);
    das_render_table(sel, 1, 100, &b);
    ok(!strstr(b.ptr, "blocked_by"), "nobody waits: no column for it");
    das_selection_free(sel);
    das_buf_reset(&b);
    list[0].blocked_by = 12345;
    sel = kit_select(list, 2);
    das_render_table(sel, 2, 120, &b);
    is_str(b.ptr,
           "id     user  host            db    command  time  trx  blocked_by  state         sql_info\n"
           "7      app   10.0.0.7:51000  shop  Query    100   -    12345       Sending data  "
           "select * from orders\n"
           "12345  app   10.0.0.7:51000  -     Query    ?     5    ?           Sending data  "
           "select something that is much longer..\n",
           "somebody waits");
    das_buf_clear(&b);
    das_selection_free(sel);
}

static void count_flush(struct das_buf *b, void *arg)
{
    struct das_buf *to = arg;

    das_buf_add(to, b->ptr, b->len);
    das_buf_reset(b);
}

static void preview(void)
{
    static struct das_session list[3000];
    struct das_buf b = {0}, whole = {0}, pieces = {0};
    const struct das_flush flush = {count_flush, &pieces};
    struct das_selection *sel;
    json_t *v;

    for (int i = 0; i < 3000; i++)
        list[i] = kit_session(i);
    sel = kit_select(list, 3000);
    das_snapshot_set_complete(sel->snap, false);
    must(das_snapshot_warn(sel->snap, &err, "a \"warning\"") == 0, "a warning");
    sel->total = 5000;
    das_render_preview(sel, "n\"ame", DAS_OUT_JSON, 0, NULL, &whole);
    das_render_preview(sel, "n\"ame", DAS_OUT_JSON, 0, &flush, &b);
    das_buf_text(&pieces, das_buf_view(&b));
    ok(das_text_eq(das_buf_view(&whole), das_buf_view(&pieces)),
       "written in pieces it is the same");
    v = das_json_parse(whole.ptr, whole.len, NULL, &err);
    ok(v && json_integer_value(json_object_get(v, "total_count")) == 5000 &&
           json_is_false(json_object_get(v, "complete")) &&
           json_integer_value(json_object_get(v, "data_sync_time")) == 1000000 &&
           strcmp(json_string_value(json_object_get(v, "instance")), "n\"ame") == 0 &&
           json_array_size(json_object_get(v, "warnings")) == 1 &&
           json_array_size(json_object_get(v, "processes")) == 3000,
       "a preview has all its fields");
    json_decref(v);
    das_buf_reset(&whole);
    das_render_preview(sel, "x", DAS_OUT_TABLE, 0, NULL, &whole);
    has_str(whole.ptr, "x: 5000 sessions match {all=true} (incomplete: 3000 shown)\n", "head line");
    is_int(das_output_find("json"), DAS_OUT_JSON, "formats by name");
    is_int(das_output_find("xml"), -1, "or not");
    das_buf_clear(&b);
    das_buf_clear(&whole);
    das_buf_clear(&pieces);
    das_selection_free(sel);
}

int main(void)
{
    uint64_t seed = kit_seed(20260105);

    cells();
    csv();
    table();
    random_sessions(seed);
    preview();
    return tap_done();
}
