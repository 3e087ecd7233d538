/* test_snapshot.c - sessions in columns: nothing changes on the way in, out, and when derived. */
#include "core/session/snapshot.h"

#include "tests/unit/kit.h"

static struct das_err err;

static bool same(const struct das_session *a, const struct das_session *b)
{
    bool equal = true;

    for (int f = 0; f < DAS_F_COUNT; f++) {
        enum das_field field = (enum das_field)f;
        if (das_field_is_text(field)
                ? !das_text_eq(das_session_text(a, field), das_session_text(b, field))
                : das_session_int(a, field) != das_session_int(b, field)) {
            tap_diag("field %s differs", das_field_name(field));
            equal = false;
        }
    }
    return equal;
}

static void fields(void)
{
    struct das_session s = kit_session(1);

    for (int f = 0; f < DAS_F_COUNT; f++)
        ok(das_field_find(das_text_of(das_field_name((enum das_field)f))) == f,
           "%s is found by name", das_field_name((enum das_field)f));
    is_int(das_field_find(das_text_of("ID")), -1, "names are exact");
    is_int(das_field_find(das_text_of("")), -1, "and not empty");
    ok(!das_session_text(&s, DAS_F_ID).ptr, "a number is no text");
    is_int(das_session_int(&s, DAS_F_USER), DAS_UNKNOWN, "nor a text a number");
    is_int(das_session_clean_time(-1), DAS_UNKNOWN, "a negative TIME is unknown");
    is_int(das_session_clean_time(0), 0, "0 is known");
    is_int(das_session_clean_time(INT32_MAX - 1), INT32_MAX - 1, "2^31-2 too");
    is_int(das_session_clean_time(INT32_MAX), DAS_UNKNOWN, "2^31-1 is unknown");
    is_int(das_session_clean_time(INT64_MAX), DAS_UNKNOWN, "and anything larger");
}

static void host_is(const char *host, const char *want)
{
    struct das_text part = das_host_part(das_text_of(host));

    ok(das_text_is(part, want), "host part of \"%s\" is \"%s\"", host, want);
}

static void hosts(void)
{
    host_is("10.0.0.7:51000", "10.0.0.7");
    host_is("localhost", "localhost");
    host_is("", "");
    host_is(":", "");
    host_is("[fe80::1]:3306", "[fe80::1]");
    host_is("[fe80::1]", "[fe80::1]");
    host_is("fe80::1:3306", "fe80::1");
    host_is("a:b:c", "a:b");
    ok(!das_host_part(DAS_TEXT_NULL).ptr, "NULL has none");
}

static void in_and_out(void)
{
    struct das_session in[4], out;
    struct das_snapshot *s;

    for (int i = 0; i < 4; i++)
        in[i] = kit_session(i);
    in[0].id = INT64_MAX;
    in[1] = (struct das_session){.state_duration = DAS_UNKNOWN, .time_ms = 7, .query_id = 0,
                                 .trx_time = DAS_ABSENT, .rows_modified = DAS_ABSENT,
                                 .rows_examined = 3, .progress = 12345,
                                 .trx_id = INT64_MAX, .blocked_by = DAS_ABSENT};
    in[2].user = in[2].host = in[2].db = in[2].command = in[2].state = in[2].sql_info =
        das_text("", 0);
    in[3].user = das_text("a\0b", 3);
    in[3].sql_info = das_text("\xff\0'", 3);
    in[3].trx_time = 5;
    in[3].blocked_by = 1;
    s = kit_snapshot(in, 4);
    is_int(das_snapshot_rows(s), 4, "four rows");
    for (uint32_t i = 0; i < 4; i++) {
        das_snapshot_get(s, i, &out);
        ok(same(&in[i], &out), "row %u comes out as it went in", i);
    }
    das_snapshot_get(s, 1, &out);
    ok(!out.user.ptr && !out.host.ptr && !out.db.ptr && !out.sql_info.ptr, "NULL stays NULL");
    das_snapshot_get(s, 2, &out);
    ok(out.user.ptr && out.host.ptr && out.db.ptr && out.sql_info.ptr, "\"\" does not become it");
    is_int(das_snapshot_find(s, INT64_MAX), 0, "an id is found");
    is_int(das_snapshot_find(s, 99), -1, "or not");
    ok(das_snapshot_numbers(s, DAS_F_TRX_TIME)[0] == DAS_UNKNOWN,
       "a column that begins late is unknown above");
    ok(!das_snapshot_numbers(s, DAS_F_USER) && !das_snapshot_numbers(s, DAS_F_ID),
       "texts and the id are no numeric columns");
    ok(das_snapshot_complete(s) && !das_snapshot_partial(s), "complete unless said otherwise");
    is_int(das_snapshot_total(s), DAS_UNKNOWN, "no total unless told");
    das_snapshot_release(s);
    das_snapshot_release(NULL);
}

static void out_of_range(void)
{
    struct das_session in = kit_session(1), out;
    struct das_snapshot *s;

    in.state_duration = -5;
    in.time_ms = INT64_MAX;
    in.trx_time = -1;
    in.rows_modified = -1;
    s = kit_snapshot(&in, 1);
    das_snapshot_get(s, 0, &out);
    is_int(out.state_duration, DAS_UNKNOWN, "a negative duration is unknown");
    is_int(out.time_ms, DAS_UNKNOWN, "as are more milliseconds than a server can mean");
    is_int(out.trx_time, DAS_UNKNOWN, "and a negative transaction age");
    is_int(out.rows_modified, DAS_UNKNOWN, "and a negative count");
    das_snapshot_release(s);

    in.state_duration = INT32_MAX;
    in.time_ms = -1;
    in.trx_time = INT32_MAX;
    in.rows_modified = INT64_MAX;
    s = kit_snapshot(&in, 1);
    das_snapshot_get(s, 0, &out);
    is_int(out.state_duration, DAS_UNKNOWN, "2^31-1 seconds are unknown");
    is_int(out.time_ms, DAS_UNKNOWN, "as is a negative TIME_MS");
    is_int(out.trx_time, DAS_UNKNOWN, "and a transaction of 2^31-1 seconds");
    is_int(out.rows_modified, INT64_MAX, "a large count is a count");
    das_snapshot_release(s);
}

/* 100,000 distinct values in each dictionary, NULL and "" among them. */
static void dictionaries(void)
{
    enum { N = 100000 };
    struct das_snapshot *s = das_snapshot_new(&err);
    struct das_session row = kit_session(0), out;
    char name[32];
    int wrong = 0;
    size_t bytes;

    must(s, "a snapshot");
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "n%d", i);
        row.id = i;
        row.user = row.db = row.command = row.state = row.host = das_text_of(name);
        if (i == 500)
            row.user = DAS_TEXT_NULL;
        if (i == 501)
            row.user = das_text("", 0);
        if (das_snapshot_add(s, &row, &err) < 0)
            exit(1);
    }
    is_int(das_snapshot_dict_size(s, DAS_D_USER), N, "100000 distinct users");
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "n%u", i);
        das_snapshot_get(s, i, &out);
        wrong += !das_text_is(out.db, name) || !das_text_is(out.host, name) || out.id != i;
    }
    ok(!wrong, "each row has its own");
    das_snapshot_get(s, 500, &out);
    ok(!out.user.ptr, "NULL among them");
    das_snapshot_get(s, 501, &out);
    ok(out.user.ptr && !out.user.len, "\"\" as another");
    bytes = das_snapshot_bytes(s);
    ok(bytes > (size_t)N * 100 && bytes < (size_t)N * 400, "%zu bytes are sane", bytes);
    das_snapshot_release(s);

    s = das_snapshot_new(&err);
    row = kit_session(0);
    for (int i = 0; i < N; i++) {
        row.id = i;
        if (das_snapshot_add(s, &row, &err) < 0)
            exit(1);
    }
    is_int(das_snapshot_dict_size(s, DAS_D_COMMAND), 1, "one value is kept once");
    bytes = das_snapshot_bytes(s);
    ok(bytes > (size_t)N * 60 && bytes < (size_t)N * 200, "%zu bytes are sane too", bytes);
    das_snapshot_release(s);
}

/* The promise "one arena plus columns": counted as allocations. */
static void few_allocations(void)
{
    enum { N = 100000 };
    struct das_snapshot *s = das_snapshot_new(&err);
    struct das_session row = kit_session(0);
    bool more;

    das_alloc_fail_at(500);
    for (int i = 0; i < N; i++) {
        row.id = i;
        if (das_snapshot_add(s, &row, &err) < 0)
            break;
    }
    more = das_alloc_failed();
    das_alloc_fail_at(0);
    ok(!more && das_snapshot_rows(s) == N, "100000 sessions take fewer than 500 allocations");
    das_snapshot_release(s);
}

static void derived(void)
{
    struct das_session in[3], out;
    struct das_snapshot *s, *d, *dd;
    const uint32_t rows[] = {2, 0}, first[] = {0};

    for (int i = 0; i < 3; i++) {
        in[i] = kit_session(i + 1);
        in[i].time_ms = 100500;
        in[i].trx_time = i == 1 ? DAS_ABSENT : 50;
        in[i].rows_examined = 9;
    }
    in[1].state_duration = DAS_UNKNOWN;
    in[2].state_duration = INT32_MAX - 3;
    in[2].command = das_text_of("Sleep");
    s = kit_snapshot(in, 3);
    das_snapshot_set_total(s, 77);
    das_snapshot_set_complete(s, false);
    das_snapshot_set_partial(s, true);
    must(das_snapshot_warn(s, &err, "half of %d", 6) == 0, "a warning");
    must(das_snapshot_add_own(s, 3, &err) == 0, "an own session");
    must(das_snapshot_prepare_idle(s, &err) == 0, "prepared for idling");

    d = das_snapshot_derive(s, rows, 2, &err);
    must(d, "derived");
    das_snapshot_release(s); /* d lives on */
    is_int(das_snapshot_rows(d), 2, "two rows");
    das_snapshot_get(d, 0, &out);
    ok(same(&in[2], &out), "in the order asked for");
    das_snapshot_get(d, 1, &out);
    ok(same(&in[0], &out), "unchanged");
    ok(das_snapshot_total(d) == 77 && !das_snapshot_complete(d) && das_snapshot_partial(d) &&
           das_snapshot_time(d) == 1000000,
       "what was said about the list stays");
    is_str(das_snapshot_warning(d, 0), "half of 6", "warnings too");
    ok(das_snapshot_is_own(d, 3) && !das_snapshot_is_own(d, 1), "and which session is our own");

    das_snapshot_age(d, 0, &err);
    das_snapshot_age(d, -5, &err);
    das_snapshot_get(d, 1, &out);
    is_int(out.state_duration, 100, "no time, no change");
    das_snapshot_age(d, 2, &err);
    das_snapshot_get(d, 0, &out);
    is_int(out.state_duration, INT32_MAX - 1, "the largest age");
    das_snapshot_age(d, 1, &err);
    das_snapshot_get(d, 0, &out);
    is_int(out.state_duration, DAS_UNKNOWN, "beyond it nobody knows");
    das_snapshot_get(d, 1, &out);
    is_int(out.state_duration, 103, "others age");
    is_int(out.time_ms, 103500, "in ms too");
    is_int(out.trx_time, 53, "and their transactions");
    is_int(das_snapshot_time(d), 1000003, "the list is of later");

    dd = das_snapshot_derive(d, first, 1, &err);
    must(dd, "derived from a derived one");
    das_snapshot_set_idle(dd, 0, 4);
    das_snapshot_get(dd, 0, &out);
    ok(das_text_is(out.command, "Sleep") && das_text_is(out.state, "") && !out.sql_info.ptr,
       "an ended statement leaves Sleep");
    ok(out.state_duration == 4 && out.time_ms == 4000 && out.rows_examined == 0,
       "with its own time");
    is_int(out.trx_time, 53, "in the same transaction");
    das_snapshot_release(d);
    das_snapshot_get(dd, 0, &out);
    ok(das_text_is(out.user, "app"), "the texts live as long as the last one");
    das_snapshot_release(dd);

    s = kit_snapshot(in, 3);
    d = das_snapshot_derive(s, NULL, 3, &err);
    das_snapshot_age(d, 100, &err);
    das_snapshot_get(d, 1, &out);
    ok(out.state_duration == DAS_UNKNOWN && out.trx_time == DAS_ABSENT,
       "unknown and absent do not age");
    das_snapshot_get(s, 0, &out);
    is_int(out.state_duration, 100, "nor does the one it came from");
    das_snapshot_release(d);
    d = das_snapshot_derive(s, NULL, 0, &err);
    ok(d && das_snapshot_rows(d) == 0, "of no rows");
    das_snapshot_release(d);
    das_snapshot_release(das_snapshot_retain(s));
    is_int(das_snapshot_rows(s), 3, "counted by reference");
    das_snapshot_release(s);
}

/* Every allocation of a build and a derive fails once; leaks are the sanitizer's to see. */
static void no_memory(void)
{
    struct das_session row = kit_session(1);
    int bad = 0;
    long n;

    row.trx_time = 4;
    for (n = 1; n < 500; n++) {
        struct das_snapshot *s, *d = NULL;
        bool failed;
        int rc = 0;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        s = das_snapshot_new(&err);
        for (int i = 0; s && i < 70 && rc == 0; i++) {
            row.id = i;
            rc = das_snapshot_add(s, &row, &err);
        }
        if (s && rc == 0)
            rc = das_snapshot_prepare_idle(s, &err);
        if (s && rc == 0)
            rc = das_snapshot_warn(s, &err, "x");
        if (s && rc == 0)
            rc = das_snapshot_add_own(s, 1, &err);
        if (s && rc == 0)
            d = das_snapshot_derive(s, NULL, 70, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed && (d || err.code != DAS_E_NOMEM);
        bad += !failed && !d;
        das_snapshot_release(d);
        das_snapshot_release(s);
        if (!failed)
            break;
    }
    ok(!bad && n < 500, "%ld failing allocations are each told", n - 1);
}

int main(void)
{
    fields();
    hosts();
    in_and_out();
    out_of_range();
    dictionaries();
    few_allocations();
    derived();
    no_memory();
    return tap_done();
}
