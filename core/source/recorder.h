/*
 * recorder.h - looks at instances again and again and writes what it sees: das record.
 *
 * Each instance has a thread of its own, so that one that hangs delays nobody. Only
 * das_source_list() is ever asked of a source. Called by core/cli; owns the threads, neither
 * sources nor writer.
 */
#ifndef DAS_SOURCE_RECORDER_H
#define DAS_SOURCE_RECORDER_H

#include <stdatomic.h>

#include "core/source/recording_writer.h"
#include "core/source/source.h"

struct das_recorder_totals {
    int64_t elapsed_ms;
    uint64_t snapshots, rows;
    uint64_t missed;          /* looks that were due while the one before was not back */
    uint64_t failed;          /* looks that gave no list */
    size_t instances, silent; /* silent: failing right now */
    size_t never;             /* gave no list at all */
};

struct das_recorder_opts {
    struct das_source *const *sources;
    size_t count;
    int64_t every_ms;
    int64_t for_ms;           /* 0: until cancel */
    const atomic_int *cancel; /* not 0: end */
    void *arg;
    /* What people should know of one instance: it fails, it is back, it is too slow. From any
     * thread, one at a time. */
    void (*say)(void *arg, const char *instance, const char *text);
    /* Several times a second, on the caller's thread; may be NULL. */
    void (*progress)(void *arg, const struct das_recorder_totals *t);
};

/* Records until it is told to end; what was gathered is written then, before threads that are still
 * waiting for an answer are waited for. -1: the file does not take it (DAS_E_IO), or there is no
 * memory for a thread. totals is filled in any case. */
int das_record(struct das_recording_writer *w, const struct das_recorder_opts *opts,
               struct das_recorder_totals *totals, struct das_err *err);

#endif
