/*
 * test_recording_file.c - the samples, as a real client printed them, and the file source on top.
 */
#include <fcntl.h>

#include "core/session/selection.h"
#include "core/source/source_impl.h"
#include "tests/unit/recordings.h"

#define SAMPLES "tests/samples/"

static char *sample_rows(const char *name, bool crlf)
{
    char path[200], *rows = NULL;
    size_t len, crlf_len;
    char *bytes, *other;
    struct loaded l;

    snprintf(path, sizeof path, SAMPLES "%s", name);
    bytes = read_whole(path, &len);
    other = to_crlf(bytes, len, &crlf_len);
    l = load_bytes(crlf ? das_text(other, crlf_len) : das_text(bytes, len));
    ok(l.rc == 0 && l.count == 1 && das_snapshot_complete(l.at[0]), "%s%s: one whole snapshot (%s)",
       name, crlf ? " with Windows line ends" : "", l.err.msg);
    if (l.count)
        rows = print_rows(l.at[0], "printer"); /* the printing client had a new id each time */
    unload(&l);
    free(bytes);
    free(other);
    return rows;
}

static struct das_session find(struct das_snapshot *s, const char *user, const char *part)
{
    struct das_session row;

    for (uint32_t i = 0; i < das_snapshot_rows(s); i++) {
        das_snapshot_get(s, i, &row);
        if (das_text_is(row.user, user) &&
            (!part ||
             (row.sql_info.ptr && memmem(row.sql_info.ptr, row.sql_info.len, part, strlen(part)))))
            return row;
    }
    memset(&row, 0, sizeof row);
    return row;
}

static struct das_snapshot *list(const char *rest, struct das_err *err)
{
    struct das_source *s;
    struct das_snapshot *out = NULL;
    struct das_source_conf conf = {0};

    if (das_source_open_file(rest, &conf, &s, err) < 0)
        return NULL;
    das_source_list(s, NULL, &out, err);
    s->ops->close(s);
    das_free(s);
    return out;
}

/* The same sessions printed in three ways by the client must be the same sessions. */
static void test_matrix(void)
{
    char *want = sample_rows("show_vertical.txt", false);
    static const char *const others[] = {"show_table.txt", "show_tsv.txt", "show_vertical.txt"};
    struct das_err err;
    struct das_snapshot *s = list(SAMPLES "show_vertical.txt", &err);
    struct das_session row;

    for (size_t i = 0; i < 6; i++) {
        char *got = sample_rows(others[i / 2], i % 2 == 1);
        ok(got && want && strcmp(got, want) == 0, "%s%s: the same sessions", others[i / 2],
           i % 2 ? " with Windows line ends" : "");
        das_free(got);
    }
    das_free(want);
    must(s != NULL && das_snapshot_rows(s) == 8, "all eight sessions");
    row = find(s, "o|brien", NULL);
    ok(das_text_is(row.db, "a|b\tc"), "a bar and a tab in a database name");
    ok(das_text_is(row.sql_info,
                   "select sleep(600), 'pipe | and || and \" |\\n| 9 | x\"' as `a|b`,\n"
                   "\"\n| 7 | root | localhost |\n\" as y /* end | */ -- |"),
       "bars, quotes, backslashes and newlines in SQL");
    row = find(s, "na\\me", NULL);
    ok(das_text_is(
           row.sql_info,
           "select sleep(600), 'back\\\\slash \\\\n \\\\t tab\there',\n\t'trailing\\\\' as x"),
       "tabs and backslashes");
    ok(row.db.ptr == NULL, "no database is NULL");
    row = find(s, "\xe9\xa1\xa7\xe5\xae\xa2", NULL);
    ok(das_text_is(row.db, "\xe5\xba\x97\xe8\x88\x97"), "wide characters");
    row = find(s, "app_rw", "row *****");
    ok(das_text_is(row.sql_info,
                   "select sleep(600), 1 as `\n*************************** 3. row "
                   "***************************\n"
                   "     Id: 99\n   User: root\n  State: x\nProgress: 7\n"
                   "*************************** 1. row ***************************\n`"),
       "SQL that looks like the list itself");
    is_int(find(s, "app_rw", "| long |").sql_info.len, 1833, "SQL longer than the table is padded");
    row = find(s, "app_rw", NULL);
    das_snapshot_get(s, 6, &row);
    ok(row.state.ptr && row.state.len == 0 && !row.sql_info.ptr,
       "an empty state and no SQL are told apart");
    das_snapshot_release(s);
}

static void test_information_schema(void)
{
    struct das_err err;
    struct das_snapshot *s = list(SAMPLES "information_schema_vertical.txt", &err);
    struct das_session row;

    must(s != NULL && das_snapshot_rows(s) == 8, "information_schema: all sessions");
    row = find(s, "na\\me", NULL);
    ok(das_text_is(
           row.sql_info,
           "select sleep(600), 'back\\\\slash \\\\n \\\\t tab\there',\n\t'trailing\\\\' as x"),
       "information_schema: SQL, which INFO_BINARY repeats");
    is_int(row.time_ms / 1000, row.state_duration, "information_schema: TIME_MS");
    ok(das_known(row.query_id), "information_schema: QUERY_ID");
    das_snapshot_release(s);
}

static void test_recording(void)
{
    struct das_err err;
    struct das_snapshot *s = list(SAMPLES "recording.jsonl", &err);

    must(s != NULL, "recording: read (%s)", err.msg);
    has_str(das_snapshot_warning(s, 0),
            "file holds 3 snapshots; this is the last one, taken at 2025-12-25T09:32:24Z",
            "recording: the last one, and said so");
    is_int(das_snapshot_time(s), 1766655144, "recording: its time");
    das_snapshot_release(s);
    s = list(SAMPLES "recording.jsonl?snapshot=1", &err);
    must(s != NULL, "recording: the first (%s)", err.msg);
    is_int(das_snapshot_time(s), 1766655104, "recording: its time");
    is_int(das_snapshot_warnings(s), 0, "recording: asked for, so nothing to say");
    das_snapshot_release(s);
    ok(!list(SAMPLES "recording.jsonl?snapshot=4", &err), "recording: there is no fourth");
    has_str(err.msg, "snapshot 4: the file holds 3, expected 1 to 3",
            "recording: and how many there are");
    ok(!list(SAMPLES "recording.jsonl?snapshot=0", &err) && err.code == DAS_E_USAGE, "snapshot=0");
    ok(!list(SAMPLES "recording.jsonl?snapshot=x", &err) && strstr(err.msg, "snapshot"),
       "snapshot=x");
    ok(!list("", &err) && err.code == DAS_E_USAGE, "no path");
    ok(!list("/nowhere/at/all", &err) && err.code == DAS_E_IO, "no such file");
    has_str(err.msg, "/nowhere/at/all", "and its name");
    ok(!list("/tmp", &err) && strstr(err.msg, "directory"), "a directory");
}

static int write_temp(char *path, size_t size, const char *suffix, const char *text)
{
    int fd;

    snprintf(path, size, "/tmp/das_test_%ld%s", (long)getpid(), suffix);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        exit(1);
    return close(fd);
}

static void test_odd_names(void)
{
    static const char text[] =
        "{\"processes\":[{\"id\":1}]}\n{\"processes\":[{\"id\":2}]}\n{\"proc";
    char path[200], rest[260];
    struct das_err err;
    struct das_snapshot *s;

    write_temp(path, sizeof path, "?snapshot=2?a=b %", text);
    s = list(path, &err);
    ok(!s && strstr(err.msg, "snapshot"), "an option that is none is said");
    unlink(path);
    write_temp(path, sizeof path, "?a=b&c %.txt", text);
    s = list(path, &err);
    ok(s && das_snapshot_find(s, 2) == 0, "a name with ? in it (%s)", err.msg);
    ok(s && strstr(das_snapshot_warning(s, 1), "half-written"),
       "what was left out is in the warnings");
    das_snapshot_release(s);
    snprintf(rest, sizeof rest, "%s?snapshot=1", path);
    s = list(rest, &err);
    ok(s && das_snapshot_find(s, 1) == 0, "and an option behind it");
    das_snapshot_release(s);
    unlink(path);
}

static void test_identity(void)
{
    static const char text[] = "{\"processes\":[{\"id\":1}]}\n";
    struct das_snapshot *a = NULL, *b = NULL, *c = NULL;
    struct das_source_conf conf = {0};
    struct das_source *s;
    struct das_err err;
    char path[200];

    write_temp(path, sizeof path, "_id", text);
    must(das_source_open_file(path, &conf, &s, &err) == 0, "identity: open");
    must(das_source_list(s, NULL, &a, &err) == 0 && das_source_list(s, NULL, &b, &err) == 0,
         "identity: two lists");
    ok(das_identity_same(das_snapshot_identity(a), das_snapshot_identity(b)),
       "identity: the same file");
    is_int(strncmp(das_snapshot_identity(a)->server, "file:", 5), 0, "identity: of a file");
    is_int(das_snapshot_identity(a)->start_unix_s, DAS_UNKNOWN, "identity: no start");
    ok(s->ops->kill == NULL, "a file cannot kill");
    write_temp(path, sizeof path, "_id", "{\"processes\":[{\"id\":1},{\"id\":2}]}\n");
    must(das_source_list(s, NULL, &c, &err) == 0, "identity: after a change");
    ok(!das_identity_same(das_snapshot_identity(a), das_snapshot_identity(c)),
       "identity: changes with the file");
    das_snapshot_release(a);
    das_snapshot_release(b);
    das_snapshot_release(c);
    s->ops->close(s);
    das_free(s);
    unlink(path);
}

/* A list that leaves out what cannot match gives the same selection as the whole one. */
static void test_filtered(void)
{
    static const char *const keys[][2] = {
        {"user", "shop%"}, {"command", "Sleep"}, {"time", "60"}, {"info", "select~from"},
        {"trx_time", "1"}, {"db", "nowhere"},
    };
    const struct das_source_conf conf = {.spec = "file:" SAMPLES "recording.jsonl"};
    struct das_snapshot *whole = NULL;
    struct das_source *s;
    struct das_err err;

    must(das_source_open(&conf, &s, &err) == 0 && das_source_list(s, NULL, &whole, &err) == 0,
         "filtered: the whole list");
    for (size_t i = 0; i < 2 * sizeof keys / sizeof *keys; i++) { /* each, and each negated */
        struct das_filter *f = das_filter_new(&err), *not_f = NULL;
        struct das_snapshot *less = NULL;
        struct das_selection *a, *b;
        int wrong = 0;
        must(f && das_filter_set_text(f, keys[i / 2][0], keys[i / 2][1], &err) == 0, "a filter");
        if (i % 2) {
            not_f = das_filter_not(f, &err);
            das_filter_release(f);
            f = not_f;
        }
        must(das_source_list(s, &(struct das_query){.filter = f}, &less, &err) == 0, "filtered: the short list");
        a = das_select(whole, f, &err);
        b = das_select(less, f, &err);
        must(a && b, "two selections");
        for (size_t k = 0; k < a->count && k < b->count; k++)
            wrong += das_snapshot_ids(whole)[a->rows[k]] != das_snapshot_ids(less)[b->rows[k]];
        ok(a->count == b->count && !wrong, "%s%s=%s: the same %zu sessions", i % 2 ? "not " : "",
           keys[i / 2][0], keys[i / 2][1], a->count);
        ok(das_snapshot_rows(less) == b->count && das_snapshot_partial(less),
           "and no others were kept");
        das_selection_free(a);
        das_selection_free(b);
        das_snapshot_release(less);
        das_filter_release(f);
    }
    das_snapshot_release(whole);
    das_source_close(s);
}

/* Standard input is read once: a second list comes from memory. */
static void test_stdin(void)
{
    static const char text[] = "{\"processes\":[{\"id\":1}]}\n{\"processes\":[{\"id\":2}]}\n";
    struct das_snapshot *a = NULL, *b = NULL;
    struct das_source *s;
    struct das_source_conf conf = {0};
    struct das_err err;
    int ends[2];

    if (pipe(ends) < 0 || write(ends[1], text, strlen(text)) < 0)
        exit(1);
    close(ends[1]);
    dup2(ends[0], 0);
    close(ends[0]);
    must(das_source_open_file("-?snapshot=1", &conf, &s, &err) == 0, "stdin: open");
    is_int(das_source_list(s, NULL, &a, &err), 0, "stdin: first list");
    is_int(das_source_list(s, NULL, &b, &err), 0, "stdin: second list");
    ok(a && b && das_snapshot_find(a, 1) == 0 && das_snapshot_find(b, 1) == 0,
       "stdin: the same data");
    ok(das_identity_same(das_snapshot_identity(a), das_snapshot_identity(b)),
       "stdin: the same identity");
    das_snapshot_release(a);
    das_snapshot_release(b);
    s->ops->close(s);
    das_free(s);
}

/* The window ends anywhere: a pipe that gives a few bytes at a time gives the same sessions. */
static void test_pieces(void)
{
    static const char *const samples[] = {"show_table.txt", "show_tsv.txt", "show_vertical.txt",
                                          "information_schema_vertical.txt", "preview_answer.json"};

    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct das_err err;
        struct das_recording *r;
        struct das_snapshot *s = NULL, *again = NULL;
        char path[200], *want, *got;
        size_t len;
        int ends[2];

        snprintf(path, sizeof path, SAMPLES "%s", samples[i]);
        s = list(path, &err);
        must(s && pipe(ends) == 0, "pieces: %s", samples[i]);
        want = print_rows(s, NULL);
        fflush(stdout); /* what waits there must not be written twice */
        if (fork() == 0) {
            char *bytes = read_whole(path, &len);
            close(ends[0]);
            for (size_t at = 0, n; at < len; at += n) {
                n = len - at < 7 ? len - at : 7;
                if (write(ends[1], bytes + at, n) != (ssize_t)n)
                    break;
                if (at % 70 == 0)
                    usleep(50);
            }
            _exit(0);
        }
        close(ends[1]);
        must(das_recording_open_fd(ends[0], "pipe", &r, &err) == 0, "pieces: open");
        is_int(das_recording_next(r, &again, &err), 1, "pieces: %s read", samples[i]);
        got = again ? print_rows(again, NULL) : NULL;
        ok(got && strcmp(got, want) == 0, "pieces: %s gives the same", samples[i]);
        das_snapshot_release(again);
        is_int(das_recording_next(r, &again, &err), 0, "pieces: and nothing else");
        das_recording_close(r);
        das_snapshot_release(s);
        das_free(got);
        das_free(want);
    }
}

/* Many rows: the window slides, lines are still counted, ids all arrive. */
static void test_many(void)
{
    enum { ROWS = 20000 };
    struct das_buf b;
    struct loaded l;
    int64_t sum = 0;

    das_buf_init(&b);
    for (int i = 1; i <= ROWS; i++)
        das_buf_printf(
            &b,
            "*************************** %d. row ***************************\n"
            "     Id: %d\n   User: u%d\nCommand: Query\n   Time: %d\n   Info: a\n b %d\n",
            i, i, i % 50, i % 100, i);
    l = load_bytes(das_buf_view(&b));
    must(l.rc == 0 && l.count == 1, "many: one snapshot (%s)", l.err.msg);
    is_int(das_snapshot_rows(l.at[0]), ROWS, "many: all rows");
    for (uint32_t i = 0; i < ROWS; i++)
        sum += das_snapshot_ids(l.at[0])[i];
    is_int(sum, (int64_t)ROWS * (ROWS + 1) / 2, "many: all ids");
    unload(&l);
    das_buf_str(&b, "*************************** 20001. row ***************************\n     Id: "
                    "x\n   User: u\n"
                    "Command: Query\n   Time: 1\n   Info: a\n");
    l = load_bytes(das_buf_view(&b));
    has_str(l.err.msg, "list:140002: column \"Id\"", "many: the line of an error");
    unload(&l);
    das_buf_clear(&b);
}

int main(void)
{
    test_matrix();
    test_pieces();
    test_many();
    test_information_schema();
    test_recording();
    test_odd_names();
    test_identity();
    test_filtered();
    test_stdin();
    return tap_done();
}
