/*
 * test_blocks_memory.c - lets each allocation fail in turn while a binary recording is written and
 * read: a clean error, and nothing that leaks (the sanitizers look).
 */
#include "core/source/recording_json.h"
#include "tests/unit/blocks_kit.h"
#include "tests/unit/temp_file.h"

#define LIMIT 20000

static struct das_snapshot *first, *second;

static int write_one(const char *path, struct das_err *err)
{
    const struct das_recording_opts opts = {.redact = true, .flush_ms = 1};
    struct das_recording_writer *w;
    struct das_recording_stream *stream;
    int rc;

    if (das_recording_writer_open(path, &opts, &w, err) < 0)
        return -1;
    stream = das_recording_writer_stream(w, "db", err);
    rc = stream ? das_recording_stream_add(stream, first, 1000, err) : -1;
    if (rc == 0)
        rc = das_recording_stream_add(stream, second, 2000, err);
    if (das_recording_writer_close(w, rc < 0 ? NULL : err) < 0)
        rc = -1;
    return rc;
}

static int read_one(const char *path, struct das_err *err)
{
    const struct das_value yes = {.kind = DAS_V_BOOL, .boolean = true};
    struct das_filter *f = NULL;
    struct das_recording *r = NULL;
    struct das_snapshot *s;
    int rc = das_recording_open(path, &r, err);

    if (rc == 0 && (!(f = das_filter_new(err)) || das_filter_set(f, "all", &yes, err) < 0))
        rc = -1;
    if (rc == 0)
        das_recording_only(r, f);
    while (rc == 0 && (rc = das_recording_next(r, &s, err)) == 1) {
        das_snapshot_release(s);
        rc = 0;
        if (das_recording_time_ms(r) == 2000)
            break;
    }
    das_recording_close(r);
    das_filter_release(f);
    return rc;
}

static void sweep(const char *what, int (*run)(const char *, struct das_err *), const char *path)
{
    size_t silent = 0, wrong = 0, unnoticed = 0;
    struct das_err err;
    long n = 1;

    for (; n < LIMIT; n++) {
        int rc, hit;

        memset(&err, 0, sizeof err);
        das_alloc_fail_at(n);
        rc = run(path, &err);
        hit = das_alloc_failed();
        das_alloc_fail_at(0);
        if (!hit) {
            is_int(rc, 0, "%s: succeeds once nothing fails: %s", what, err.msg);
            break;
        }
        silent += rc < 0 && !err.msg[0];
        wrong += rc < 0 && err.code != DAS_E_NOMEM;
        unnoticed += rc == 0;
    }
    ok(n > 20 && n < LIMIT, "%s: %ld allocations", what, n - 1);
    is_int(unnoticed, 0, "%s: each is noticed", what);
    is_int(silent, 0, "%s: each failure has a message", what);
    is_int(wrong, 0, "%s: and the right code", what);
}

int main(void)
{
    const char *path = temp_write("", 0), *good = temp_write("", 0);
    struct das_err err = {0};
    struct blocks_list *got;

    kit_seed(5);
    first = blocks_snapshot(NULL, 1);
    for (int i = 0; i < 5; i++) {
        second = blocks_snapshot(first, 2);
        das_snapshot_release(first);
        first = second;
    }
    second = blocks_snapshot(first, 2);
    must(write_one(good, &err) == 0, "written: %s", err.msg);
    sweep("writing", write_one, path);
    got = blocks_read(path, NULL);
    ok(got->rc == 0 && !got->note[0], "what was written meanwhile is whole: %s", got->err.msg);
    blocks_free(got);
    sweep("reading", read_one, good);
    das_snapshot_release(first);
    das_snapshot_release(second);
    temp_clear();
    return tap_done();
}
