/* test_blocks.c - binary recordings: what is written is what is read, whatever it is. */
#include "core/source/recording_json.h"
#include "tests/unit/blocks_kit.h"
#include "tests/unit/temp_file.h"

static void round_trip(void)
{
    const struct das_recording_opts opts = {.flush_ms = 5000};
    struct blocks_list *want = calloc(1, sizeof *want), *got;
    const char *path = temp_write("", 0);
    size_t wrong = 0;

    blocks_write_random(path, &opts, 600, 1700000000000, want);
    blocks_write_random(path, &opts, 200, 1700003000000, want); /* appended */
    got = blocks_read(path, NULL);
    is_int(got->rc, 0, "all of it is read: %s", got->err.msg);
    is_int(got->count, want->count, "as many snapshots as were written");
    for (size_t i = 0; i < BLOCKS_NAMES; i++)
        wrong += blocks_differences(want, got, blocks_names[i], false);
    is_int(wrong, 0, "each of them in all that it tells");
    is_str(got->note, "", "nothing was left out");
    blocks_free(got);

    got = blocks_read(path, blocks_names[1]);
    is_int(got->rc, 0, "one instance alone is read: %s", got->err.msg);
    is_int(blocks_differences(want, got, blocks_names[1], false), 0, "its snapshots");
    for (size_t i = 0; i < got->count; i++)
        wrong += strcmp(got->at[i].instance, blocks_names[1]) != 0;
    is_int(wrong, 0, "and no other's");
    blocks_free(got);

    got = blocks_read(path, "nobody");
    ok(got->rc == 0 && got->count == 0, "an instance that is not there has none");
    blocks_free(got);
    blocks_free(want);
}

/* --- the form for people ---------------------------------------------------------------------- */

static int text_fd(const struct das_buf *b)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);

    if (fd < 0 || write(fd, b->ptr, b->len) != (ssize_t)b->len || lseek(fd, 0, SEEK_SET) != 0)
        exit(1);
    return fd;
}

/* Snapshots as JSON lines and read again: all that the lines can carry. */
static void json_round_trip(void)
{
    struct blocks_list *want = calloc(1, sizeof *want), *got = calloc(1, sizeof *got);
    struct das_snapshot *last = NULL, *s;
    struct das_recording *r;
    struct das_buf lines = {0};
    struct das_err err = {0};
    size_t wrong = 0;
    int rc;

    blocks_json = true;
    for (int64_t i = 0; i < 300; i++) {
        int64_t ms = 1700000000123 + i * 977;
        const char *name = kit_below(5) ? blocks_names[i % 3] : NULL;

        s = blocks_snapshot(last, ms / 1000);
        das_recording_json(s, name, ms, NULL, &lines);
        blocks_add(want, name, ms, s);
        das_snapshot_release(last);
        last = s;
    }
    das_snapshot_release(last);
    must(das_recording_open_fd(text_fd(&lines), "lines", &r, &err) == 0, "JSON lines");
    while ((rc = das_recording_next(r, &s, &err)) == 1) {
        blocks_add(got, das_recording_instance(r), das_recording_time_ms(r), s);
        das_snapshot_release(s);
    }
    is_int(rc, 0, "are read again: %s", err.msg);
    is_int(got->count, want->count, "as many");
    for (size_t i = 0; i < got->count && i < want->count; i++) {
        const struct blocks_taken *w = &want->at[i], *g = &got->at[i];
        bool same =
            strcmp(w->text, g->text) == 0 && w->ms == g->ms &&
            (w->instance ? g->instance && strcmp(w->instance, g->instance) == 0 : !g->instance);

        if (!same && !wrong++)
            tap_diag("%s\n%s", w->text, g->text);
    }
    is_int(wrong, 0, "each the same in all that a line carries");
    das_recording_close(r);
    das_buf_clear(&lines);
    blocks_free(want);
    blocks_free(got);
    blocks_json = false;
}

/* --- a part of it ----------------------------------------------------------------------------- */

static void filtered(void)
{
    struct blocks_list *want = calloc(1, sizeof *want);
    struct das_filter *f =
        kit_or(kit_filter2("command", "Query", "time", "5"), kit_filter("id", "7"));
    const char *path = temp_write("", 0);
    struct das_recording *all, *some;
    struct das_snapshot *a = NULL, *b = NULL;
    struct das_err err = {0};
    size_t wrong = 0, kept = 0, left_out = 0;

    blocks_write_random(path, NULL, 300, 1700000000000, want);
    must(das_recording_open(path, &all, &err) == 0 && das_recording_open(path, &some, &err) == 0,
         "opened twice");
    das_recording_only(some, f);
    while (das_recording_next(all, &a, &err) == 1 && das_recording_next(some, &b, &err) == 1) {
        uint32_t at = 0;
        struct das_session x, y;

        wrong += !das_snapshot_partial(b);
        for (uint32_t i = 0; i < das_snapshot_rows(a); i++) {
            das_snapshot_get(a, i, &x);
            if (das_filter_test(f, &x) != DAS_YES) {
                left_out++;
                continue;
            }
            kept++;
            if (at == das_snapshot_rows(b)) {
                wrong++;
                break;
            }
            das_snapshot_get(b, at++, &y);
            wrong += x.id != y.id || !das_text_eq(x.sql_info, y.sql_info) ||
                     !das_text_eq(x.user, y.user) || x.trx_time != y.trx_time;
        }
        wrong += at != das_snapshot_rows(b);
        das_snapshot_release(a);
        das_snapshot_release(b);
    }
    ok(kept > 100 && left_out > 100, "some sessions match, some do not");
    is_int(wrong, 0, "only what surely matches is given, and said to be partial");
    das_recording_close(all);
    das_recording_close(some);
    das_filter_release(f);
    blocks_free(want);
}

/* --- what follows from sharing text ----------------------------------------------------------- */

/* A snapshot outlives reader and neighbours, and kills in memory work on it. */
static void outlives(void)
{
    struct blocks_list *want = calloc(1, sizeof *want);
    const char *path = temp_write("", 0);
    struct das_snapshot *kept = NULL, *s, *idle;
    struct das_recording *r;
    struct das_session row;
    struct das_err err = {0};
    uint32_t all[1] = {0};
    char *text;

    blocks_write_random(path, NULL, 40, 1700000000000, want);
    must(das_recording_open(path, &r, &err) == 0, "opened");
    while (das_recording_next(r, &s, &err) == 1) {
        if (!kept && das_snapshot_rows(s))
            kept = das_snapshot_retain(s);
        das_snapshot_release(s);
    }
    das_recording_close(r);
    text = blocks_print(kept);
    for (size_t i = 0; i < want->count; i++) {
        if (strcmp(want->at[i].text, text) == 0)
            break;
        if (i + 1 == want->count)
            ok(false, "a snapshot outlives its reader");
    }
    ok(text[0], "a snapshot can be kept");
    is_int(das_snapshot_prepare_idle(kept, &err), 0, "its statements can end");
    idle = das_snapshot_derive(kept, all, 1, &err);
    das_snapshot_set_idle(idle, 0, 3);
    das_snapshot_get(idle, 0, &row);
    ok(das_text_is(row.command, "Sleep") && das_text_is(row.state, "") && !row.sql_info.ptr,
       "and are idle then");
    das_snapshot_release(idle);
    das_snapshot_release(kept);
    das_free(text);
    blocks_free(want);
}

/* --- without literals ------------------------------------------------------------------------- */

static void redacted(void)
{
    static const struct {
        const char *sql, *kept;
    } cases[] = {
        {"SELECT * FROM t WHERE a = 'secret' AND b IN (4711, 4712)",
         "select * from t where a = ? and b in (?)"},
        {"update t set a = \"secret\" where 1", "update t set a = ? where ?"},
        {"select 'a\\' , 'secret'", "select ?"}, /* sql_mode decides where the string ends */
        {"select 'secret", "select ?"},
        {"select /* secret */ 1", "select ?"},
        {"select 0x736563726574, x'736563726574'", "select ?"},
        {"", ""},
    };
    const struct das_recording_opts opts = {.redact = true};
    struct das_recording_writer *w;
    struct das_recording_stream *stream;
    struct das_session rows[sizeof cases / sizeof *cases + 1], row;
    struct das_snapshot *s;
    struct das_recording *r;
    struct das_err err = {0};
    const char *path = temp_write("", 0);
    size_t n = sizeof cases / sizeof *cases;

    for (size_t i = 0; i < n; i++) {
        rows[i] = kit_session((int64_t)i);
        rows[i].sql_info = das_text_of(cases[i].sql);
    }
    rows[n] = kit_session(99);
    rows[n].sql_info = DAS_TEXT_NULL;
    s = kit_snapshot(rows, n + 1);
    must(das_recording_writer_open(path, &opts, &w, &err) == 0, "opened");
    stream = das_recording_writer_stream(w, "db", &err);
    for (int64_t i = 0; i < 3; i++)
        is_int(das_recording_stream_add(stream, s, 1000 * i, &err), 0, "added");
    das_snapshot_release(s);
    is_int(das_recording_writer_close(w, &err), 0, "closed");
    must(das_recording_open(path, &r, &err) == 0, "read");
    for (int i = 0; i < 3; i++) {
        must(das_recording_next(r, &s, &err) == 1, "list %d", i);
        for (size_t k = 0; k < n; k++) {
            char *got;

            das_snapshot_get(s, (uint32_t)k, &row);
            got = das_strndup(row.sql_info.ptr, row.sql_info.len);
            is_str(got, cases[k].kept, "\"%s\" without its values", cases[k].sql);
            das_free(got);
        }
        das_snapshot_get(s, (uint32_t)n, &row);
        ok(!row.sql_info.ptr, "no statement stays none");
        das_snapshot_release(s);
    }
    das_recording_close(r);
}

/* --- statements ------------------------------------------------------------------------------- */

/* Taken apart and put together again: the same bytes, for statements that are hard to cut. */
static void statements(void)
{
    static const char *const pieces[] = {
        "select ",
        "0",
        "00",
        "007",
        "12345678901234567890123456789",
        "1.50",
        "a1",
        "'",
        "\"",
        "'a b'",
        "''",
        "'2025-01-02 03:04:05'",
        "\\'",
        "`t1`",
        "999999999999999999",
        "1000000000000000000",
        "-5",
        "x'ab'",
        "\xc3\xa9\x31",
        "_9",
        "\"q\"",
    };
    struct das_recording_writer *w;
    struct das_recording_stream *stream;
    struct das_recording *r;
    struct das_snapshot *s;
    struct das_err err = {0};
    struct das_session rows[50], row;
    char texts[50][300];
    const char *path = temp_write("", 0);
    size_t wrong = 0, count = 0;

    must(das_recording_writer_open(path, NULL, &w, &err) == 0, "opened");
    stream = das_recording_writer_stream(w, "db", &err);
    struct das_snapshot *given[40];
    for (size_t k = 0; k < 40; k++) {
        for (size_t i = 0; i < 50; i++) {
            size_t len = 0;

            for (size_t n = kit_below(9); n > 0; n--)
                len +=
                    (size_t)snprintf(texts[i] + len, sizeof texts[i] - len, "%s", KIT_PICK(pieces));
            if (len && !kit_below(8))
                texts[i][kit_below(len)] = (char)kit_below(3); /* what marks a hole */
            rows[i] = kit_session((int64_t)i);
            rows[i].sql_info = das_text(texts[i], len);
        }
        given[k] = kit_snapshot(rows, 50);
        is_int(das_recording_stream_add(stream, given[k], (int64_t)k, &err), 0, "taken");
    }
    das_recording_writer_close(w, &err);
    must(das_recording_open(path, &r, &err) == 0, "read");
    for (size_t k = 0; k < 40 && das_recording_next(r, &s, &err) == 1; k++) {
        for (uint32_t i = 0; i < 50; i++) {
            struct das_session want;

            das_snapshot_get(given[k], i, &want);
            das_snapshot_get(s, i, &row);
            count++;
            if (!das_text_eq(row.sql_info, want.sql_info) && !wrong++)
                tap_diag("got \"%.*s\", expected \"%.*s\"", (int)row.sql_info.len, row.sql_info.ptr,
                         (int)want.sql_info.len, want.sql_info.ptr);
        }
        das_snapshot_release(s);
    }
    is_int(count, 2000, "all statements are there: %s", err.msg);
    is_int(wrong, 0, "each as it was");
    for (size_t k = 0; k < 40; k++)
        das_snapshot_release(given[k]);
    das_recording_close(r);
}

int main(void)
{
    uint64_t seed = kit_seed(7);

    tap_diag("SEED=%llu", (unsigned long long)seed);
    round_trip();
    json_round_trip();
    filtered();
    outlives();
    redacted();
    statements();
    temp_clear();
    return tap_done();
}
