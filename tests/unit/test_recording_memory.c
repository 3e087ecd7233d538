/*
 * test_recording_memory.c - lets each allocation fail in turn, for every format: a clean error,
 * and nothing that leaks (the sanitizers look).
 */
#include "core/source/source_impl.h"
#include "tests/unit/recordings.h"

#define LIMIT 5000

/* Reads the file through the source; the n-th allocation fails. */
static int run(const char *rest, long n, struct das_err *err)
{
    struct das_source_conf conf = {0};
    struct das_snapshot *a = NULL;
    struct das_source *s = NULL;
    int rc;

    memset(err, 0, sizeof *err);
    das_alloc_fail_at(n);
    rc = das_source_open_file(rest, &conf, &s, err);
    if (rc == 0)
        rc = das_source_list(s, NULL, &a, err);
    das_alloc_fail_at(0);
    das_snapshot_release(a);
    if (s) {
        s->ops->close(s);
        das_free(s);
    }
    return rc;
}

static void sweep(const char *rest)
{
    struct das_err err;
    size_t silent = 0, wrong = 0;
    long n = 1;

    for (; n < LIMIT; n++) {
        int rc = run(rest, n, &err);
        if (rc == 0 && n > 1 && run(rest, n + 1, &err) == 0)
            break;
        silent += rc < 0 && !err.msg[0];
        wrong += rc < 0 && err.code != DAS_E_NOMEM;
    }
    ok(n > 5 && n < LIMIT, "%s: succeeds once nothing fails (%ld allocations)", rest, n - 1);
    is_int(silent, 0, "%s: each failure has a message", rest);
    is_int(wrong, 0, "%s: and the right code (%s)", rest, err.msg);
}

/* jansson keeps its own allocator: version 2.14 does not survive its own text buffer failing to
 * grow (it goes on popping from it), so its allocations are left out of the sweep. */
int main(void)
{
    sweep("tests/samples/show_table.txt");
    sweep("tests/samples/show_tsv.txt");
    sweep("tests/samples/show_vertical.txt");
    sweep("tests/samples/information_schema_vertical.txt");
    sweep("tests/samples/preview_answer.json");
    sweep("tests/fuzz/seeds/recording/json");
    sweep("tests/fuzz/seeds/recording/table");
    sweep("tests/fuzz/seeds/recording/table?snapshot=2");
    return tap_done();
}
