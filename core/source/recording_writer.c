/*
 * recording_writer.c - see recording_writer.h.
 *
 * A stream gathers under its own lock, so that packing one does not hold up the others; the file
 * has another, taken for a single write.
 */
#include "core/source/recording_writer.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/write_file.h"
#include "core/source/block_write.h"
#include "core/source/recording_file.h"

#define FLUSH_MS 10000
#define LEVEL 6

struct das_recording_stream {
    struct das_recording_writer *writer;
    struct das_recording_stream *next;
    pthread_mutex_t lock; /* of what follows */
    struct das_block *block;
    int64_t began_ms; /* time of the block's first snapshot */
    struct das_buf packed;
};

struct das_recording_writer {
    struct das_recording_opts opts;
    struct das_crc32 crc;
    char *path; /* as it was given */
    char *note;
    pthread_mutex_t streams_lock; /* of the list */
    struct das_recording_stream *streams;

    pthread_mutex_t lock; /* of what follows */
    struct das_recording_file file;
    uint64_t bytes;
    int64_t stamp_ms; /* in the name of file, when it rotates */
};

static bool rotates(const struct das_recording_opts *o)
{
    return o->rotate_size || o->rotate_age_ms || o->keep;
}

/* Files go on in the order of their names, also within a millisecond, or when the clock was set back. */
static char *next_name(struct das_recording_writer *w, struct das_err *err)
{
    int64_t now_ms = das_clock_unix_ms();
    char *name;

    if (rotates(&w->opts)) {
        w->stamp_ms = now_ms > w->stamp_ms ? now_ms : w->stamp_ms + 1;
        return das_recording_file_stamp(w->path, w->stamp_ms, err);
    }
    name = das_strdup(w->path);
    if (!name)
        das_fail_nomem(err);
    return name;
}

/* The first file, or with rotation another one. */
static int begin_file(struct das_recording_writer *w, struct das_err *err)
{
    struct das_recording_file next;
    char *path = next_name(w, err);

    if (!path)
        return -1;
    if (das_recording_file_open(&next, path, &w->crc, &w->note, err) < 0) {
        das_free(path);
        return -1;
    }
    das_free(path);
    w->bytes += next.size - next.found;
    if (w->file.path)
        das_recording_file_close(&w->file, NULL);
    w->file = next;
    return w->opts.keep ? das_recording_file_prune(w->path, w->file.path, w->opts.keep, err) : 0;
}

int das_recording_writer_open(const char *path, const struct das_recording_opts *opts,
                              struct das_recording_writer **out, struct das_err *err)
{
    struct das_recording_writer *w = das_calloc(1, sizeof *w);

    *out = NULL;
    if (!w || !(w->path = das_strdup(path))) {
        das_free(w);
        return das_fail_nomem(err);
    }
    if (opts)
        w->opts = *opts;
    if (!w->opts.flush_ms)
        w->opts.flush_ms = FLUSH_MS;
    if (!w->opts.level)
        w->opts.level = LEVEL;
    das_crc32_init(&w->crc);
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->streams_lock, NULL);
    if (begin_file(w, err) < 0) {
        das_recording_writer_close(w, NULL);
        return -1;
    }
    *out = w;
    return 0;
}

const char *das_recording_writer_note(const struct das_recording_writer *w)
{
    return w->note;
}

uint64_t das_recording_writer_bytes(struct das_recording_writer *w)
{
    uint64_t n;

    pthread_mutex_lock(&w->lock);
    n = w->bytes;
    pthread_mutex_unlock(&w->lock);
    return n;
}

struct das_recording_stream *das_recording_writer_stream(struct das_recording_writer *w,
                                                         const char *instance, struct das_err *err)
{
    struct das_recording_stream *s;

    if (strlen(instance) > DAS_BLOCK_INSTANCE_MAX) {
        das_fail(err, DAS_E_UNSUPPORTED, "the name of an instance is longer than %zu bytes",
                 DAS_BLOCK_INSTANCE_MAX);
        return NULL;
    }
    s = das_calloc(1, sizeof *s);
    if (!s) {
        das_fail_nomem(err);
        return NULL;
    }
    s->block = das_block_new(instance, w->opts.redact, w->opts.level, err);
    if (!s->block) {
        das_free(s);
        return NULL;
    }
    s->writer = w;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_lock(&w->streams_lock);
    s->next = w->streams;
    w->streams = s;
    pthread_mutex_unlock(&w->streams_lock);
    return s;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool is_over(const struct das_recording_writer *w, size_t more)
{
    const struct das_recording_file *f = &w->file;

    if (f->size <= DAS_REC_FILE_HEAD) /* a block is never split */
        return false;
    return (w->opts.rotate_size && f->size + more > w->opts.rotate_size) ||
           (w->opts.rotate_age_ms && das_clock_unix_ms() - f->opened_ms >= w->opts.rotate_age_ms);
}

static int write_block(struct das_recording_writer *w, struct das_text block, struct das_err *err)
{
    int rc = 0;

    pthread_mutex_lock(&w->lock);
    if (is_over(w, block.len))
        rc = begin_file(w, err);
    if (rc == 0)
        rc = das_recording_file_append(&w->file, block, err);
    if (rc == 0)
        w->bytes += block.len;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

/* With the stream's lock. */
static int finish(struct das_recording_stream *s, struct das_err *err)
{
    int rc;

    if (!das_block_snapshots(s->block))
        return 0;
    das_buf_reset(&s->packed);
    rc = das_block_finish(s->block, &s->writer->crc, &s->packed, err);
    if (rc == 0)
        rc = write_block(s->writer, das_buf_view(&s->packed), err);
    if (rc < 0)
        das_buf_clear(&s->packed); /* a buffer that failed once stays so */
    return rc;
}

static bool is_due(const struct das_recording_stream *s, int64_t now_ms)
{
    int64_t age = s->writer->opts.flush_ms;

    return das_block_snapshots(s->block) &&
           (das_block_full(s->block) || now_ms == INT64_MAX || now_ms - s->began_ms >= age ||
            now_ms < s->began_ms); /* the clock was set back */
}

int das_recording_stream_add(struct das_recording_stream *s, struct das_snapshot *snap,
                             int64_t time_ms, struct das_err *err)
{
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    if (is_due(s, time_ms))
        rc = finish(s, err);
    if (rc == 0) {
        if (!das_block_snapshots(s->block))
            s->began_ms = time_ms;
        rc = das_block_add(s->block, snap, time_ms, err);
        if (rc < 0)
            das_block_reset(s->block);
    }
    if (rc == 0 && das_block_full(s->block))
        rc = finish(s, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int das_recording_writer_flush(struct das_recording_writer *w, int64_t now_ms, struct das_err *err)
{
    struct das_recording_stream *s;
    struct das_err other;
    int rc = 0;

    pthread_mutex_lock(&w->streams_lock);
    s = w->streams;
    pthread_mutex_unlock(&w->streams_lock);
    for (; s; s = s->next) {
        pthread_mutex_lock(&s->lock);
        if (is_due(s, now_ms) && finish(s, rc < 0 ? &other : err) < 0)
            rc = -1;
        pthread_mutex_unlock(&s->lock);
    }
    return rc;
}

int das_recording_writer_close(struct das_recording_writer *w, struct das_err *err)
{
    struct das_err ignored;
    int rc = 0;

    if (!w)
        return 0;
    if (!err)
        err = &ignored;
    if (w->file.path) {
        rc = das_recording_writer_flush(w, INT64_MAX, err);
        if (das_recording_file_close(&w->file, rc < 0 ? &ignored : err) < 0)
            rc = -1;
    }
    while (w->streams) {
        struct das_recording_stream *s = w->streams;

        w->streams = s->next;
        das_block_free(s->block);
        das_buf_clear(&s->packed);
        pthread_mutex_destroy(&s->lock);
        das_free(s);
    }
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->streams_lock);
    das_free(w->path);
    das_free(w->note);
    das_free(w);
    return rc;
}
