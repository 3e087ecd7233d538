/*
 * test_footage.c - files of recordings gone over without reading them, and put into an order: what
 * is told of them is what reading them gives.
 */
#include "core/source/footage.h"

#include "core/source/recording.h"
#include "core/source/recording_writer.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"

#define START INT64_C(1766655000000) /* ms */

static struct das_err err;
static char path[3][64];

static void new_file(int i)
{
    snprintf(path[i], sizeof path[i], "%s", temp_text(""));
    unlink(path[i]);
}

/* So many snapshots of an instance, each with so many sessions, from START + from on. */
static void add(int file, const char *instance, int64_t from, int64_t step, int count, int64_t rows)
{
    const struct das_recording_opts opts = {.flush_ms = 5 * step}; /* several blocks */
    struct das_recording_writer *w;
    struct das_recording_stream *s;

    if (das_recording_writer_open(path[file], &opts, &w, &err) < 0 ||
        !(s = das_recording_writer_stream(w, instance, &err))) {
        tap_diag("%s", err.msg);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        struct das_snapshot *snap = das_snapshot_new(&err);
        for (int64_t id = 0; id < rows; id++) {
            struct das_session one = kit_session(id);
            if (das_snapshot_add(snap, &one, &err) < 0)
                exit(1);
        }
        das_snapshot_set_complete(snap, true);
        if (das_recording_stream_add(s, snap, START + from + i * step, &err) < 0)
            exit(1);
        das_snapshot_release(snap);
    }
    if (das_recording_writer_close(w, &err) < 0)
        exit(1);
}

static const char *print(const struct das_footage_span *s)
{
    static char out[2][200];
    static unsigned next;
    char *to = out[next++ % 2];

    snprintf(to, 200, "%s %lld-%lld %llu %llu %lld", s->name ? s->name : "all",
             (long long)(s->from_ms - START), (long long)(s->to_ms - START),
             (unsigned long long)s->snapshots, (unsigned long long)s->rows, (long long)s->step_ms);
    return to;
}

/* The same by reading everything. */
static const char *read_all(const struct das_footage *f, size_t i)
{
    struct das_footage_span told, found = {0};
    struct das_snapshot *snap;
    struct das_reel *r;
    int64_t at_ms, last = INT64_MIN;
    int rc;

    das_footage_span(f, i, &told);
    found.name = told.name;
    found.step_ms = told.step_ms;
    if (das_reel_open(f, i, &r, &err) < 0)
        exit(1);
    while ((rc = das_reel_next(r, &snap, &at_ms, &err)) == 1) {
        if (at_ms < last)
            tap_diag("goes back at %lld", (long long)at_ms);
        if (!das_identity_same(das_snapshot_identity(snap), das_snapshot_identity(snap)))
            return "a list without a server";
        last = at_ms;
        found.from_ms = found.snapshots++ ? found.from_ms : at_ms;
        found.to_ms = at_ms;
        found.rows += das_snapshot_rows(snap);
        das_snapshot_release(snap);
    }
    das_reel_close(r);
    return rc < 0 ? err.msg : print(&found);
}

static struct das_footage *open_files(const char *const *files, size_t n,
                                      const struct das_footage_wish *wish)
{
    struct das_footage *f;

    if (das_footage_open(files, n, wish, &f, &err) < 0) {
        tap_diag("%s", err.msg);
        exit(1);
    }
    return f;
}

static bool only_b(void *arg, const char *instance)
{
    (void)arg;
    return strcmp(instance, "b") == 0;
}

static void several(void)
{
    const char *const files[] = {path[1], path[0]};
    const struct das_footage_wish wish = {only_b, NULL};
    struct das_footage_span s;
    struct das_footage *f;

    new_file(0);
    new_file(1);
    add(0, "a", 0, 1000, 30, 3);
    add(0, "b", 500, 2000, 12, 5);
    add(1, "a", 100000, 1000, 20, 4);
    f = open_files(files, 2, NULL);
    is_int(das_footage_count(f), 2, "two instances");
    das_footage_span(f, 0, &s);
    is_str(print(&s), "a 0-119000 50 170 1000", "one in two files: a gap is not its usual step");
    is_str(read_all(f, 0), print(&s), "... as reading tells");
    das_footage_span(f, 1, &s);
    is_str(print(&s), "b 500-22500 12 60 2000", "one in one of them");
    is_str(read_all(f, 1), print(&s), "... as reading tells");
    das_footage_whole(f, &s);
    is_str(print(&s), "all 0-119000 62 230 2000", "all of it");
    ok(!das_footage_note(f, 0), "nothing was left out");
    das_footage_close(f);
    f = open_files(files, 2, &wish);
    das_footage_whole(f, &s);
    is_str(print(&s), "all 500-22500 12 60 2000", "only what is wanted");
    das_footage_close(f);
}

/* One file may begin in the moment in which another ends, and not before. */
static void touching(void)
{
    const char *const files[] = {path[1], path[0]};
    struct das_footage_span s;
    struct das_footage *f;

    new_file(0);
    new_file(1);
    add(0, "a", 0, 1000, 5, 1);
    add(1, "a", 4000, 1000, 5, 1);
    f = open_files(files, 2, NULL);
    das_footage_span(f, 0, &s);
    is_str(print(&s), "a 0-8000 10 10 1000", "files that touch follow each other");
    is_str(read_all(f, 0), print(&s), "... as reading tells");
    das_footage_close(f);
    new_file(1);
    add(1, "a", 3999, 1000, 5, 1);
    ok(das_footage_open(files, 2, NULL, &f, &err) < 0 && strstr(err.msg, "overlap"),
       "files that overlap are refused: %s", err.msg);
}

/* Whoever answers, a snapshot without a server has that of its instance, in all files the same. */
static void identity(void)
{
    static const char list[] = "TS 1766655000\nID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\n"
                               "1\ta\th:1\td\tQuery\t1\t\tselect 1\n";
    static const char later[] = "TS 1766655010\nID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\n"
                                "1\ta\th:1\td\tQuery\t11\t\tselect 1\n";
    const char *const files[] = {temp_text(later), temp_text(list)};
    struct das_footage *f = open_files(files, 2, NULL);
    struct das_snapshot *a, *b;
    struct das_footage_span s;
    struct das_reel *r;
    int64_t at_a, at_b;

    das_footage_span(f, 0, &s);
    is_str(print(&s), "recording 0-10000 2 2 10000",
           "printed lists are of an instance without a name");
    must(das_reel_open(f, 0, &r, &err) == 0 && das_reel_next(r, &a, &at_a, &err) == 1 &&
             das_reel_next(r, &b, &at_b, &err) == 1,
         "two lists in two files");
    ok(at_a == START && at_b == START + 10000, "in the order of time");
    ok(das_identity_same(das_snapshot_identity(a), das_snapshot_identity(b)), "of one server");
    das_snapshot_release(a);
    das_snapshot_release(b);
    das_reel_close(r);
    das_footage_close(f);
}

/* The last block is cut off: what was skimmed over is told, and reading gives no more. */
static void torn(void)
{
    const char *const files[] = {path[2]};
    struct das_footage_span s;
    struct das_footage *f;
    FILE *in;
    long size;

    new_file(2);
    add(2, "a", 0, 1000, 30, 3);
    in = fopen(path[2], "r+");
    if (!in || fseek(in, 0, SEEK_END) < 0)
        exit(1);
    size = ftell(in);
    if (ftruncate(fileno(in), size - 10) < 0)
        exit(1);
    fclose(in);
    f = open_files(files, 1, NULL);
    das_footage_span(f, 0, &s);
    ok(s.snapshots > 0 && s.snapshots < 30, "%llu of 30 snapshots are whole",
       (unsigned long long)s.snapshots);
    is_str(read_all(f, 0), print(&s), "... as reading tells");
    ok(das_footage_note(f, 0) && strstr(das_footage_note(f, 0), "half-written"),
       "... which is told: %s", das_footage_note(f, 0));
    das_footage_close(f);
}

static void out_of_memory(void)
{
    const char *const files[] = {path[0], path[1]};
    struct das_footage *f;
    long n = 0;
    int rc;

    do {
        das_alloc_fail_at(++n);
        rc = das_footage_open(files, 2, NULL, &f, &err);
    } while (rc < 0 && n < 1000);
    das_alloc_fail_at(0);
    ok(rc == 0 && n > 5, "out of memory at each allocation is told (%ld)", n);
    das_footage_close(f);
}

int main(void)
{
    touching();
    several();
    identity();
    torn();
    out_of_memory();
    temp_clear();
    return tap_done();
}
