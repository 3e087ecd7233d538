/*
 * recording_writer.h - writes recordings in das's binary form (docs/recording.md).
 *
 * Owns the descriptor of the file and, for each instance, the block that is being gathered. A file
 * is only ever appended to, a whole block at a time, so that a reader and a crash find all but the
 * last. One stream belongs to one instance; streams may be used by different threads, each by one
 * at a time except where said. Never reads a source.
 */
#ifndef DAS_SOURCE_RECORDING_WRITER_H
#define DAS_SOURCE_RECORDING_WRITER_H

#include "core/session/snapshot.h"

struct das_recording_writer;
struct das_recording_stream;

struct das_recording_opts {
    bool redact;      /* of statements only the shape: das_statement_shape() */
    int64_t flush_ms; /* a block is written when its first snapshot is so old; 0: 10 s */
    int level;        /* of zstd, 1 to 19; 0: the default */
    /* Rotation: with any of these FILE gets the time in its name ("a.das" becomes
     * "a-20261124T031705.123Z.das"), and another one begins when it is as large or as old as that.
     */
    uint64_t rotate_size;  /* bytes; 0: never */
    int64_t rotate_age_ms; /* 0: never */
    uint32_t keep;         /* the newest so many of FILE's are left, the one being written
                              included; 0: all */
};

/* Opens path for appending, or makes it (readable by its owner alone: statements hold data). A
 * half-written last block is cut off, which das_recording_writer_note() tells. DAS_E_DATA when it
 * holds something else than a recording of this form, or a damaged one; DAS_E_BUSY when another
 * program is writing to it; DAS_E_IO. opts may be NULL and is copied. */
int das_recording_writer_open(const char *path, const struct das_recording_opts *opts,
                              struct das_recording_writer **out, struct das_err *err);
/* What was found at the end of the file when it was opened, or NULL. */
const char *das_recording_writer_note(const struct das_recording_writer *w);
/* Bytes written to files since it was opened. Any thread. */
uint64_t das_recording_writer_bytes(struct das_recording_writer *w);

/* The stream of one instance; w owns it. */
struct das_recording_stream *das_recording_writer_stream(struct das_recording_writer *w,
                                                         const char *instance, struct das_err *err);
/* Adds a snapshot taken at that Unix time, and writes the block when it is old or large enough.
 * DAS_E_IO when the disk does not take it, DAS_E_NOMEM, DAS_E_UNSUPPORTED for a list that is too
 * large. After a failure the block is lost, and the next snapshot begins another. */
int das_recording_stream_add(struct das_recording_stream *s, struct das_snapshot *snap,
                             int64_t time_ms, struct das_err *err);
/* Writes the blocks that are due at that time (INT64_MAX: all), of all streams. Any thread. The
 * first failure is told; the others are tried all the same. */
int das_recording_writer_flush(struct das_recording_writer *w, int64_t now_ms, struct das_err *err);
/* Writes what is left, to the disk, and closes. w is gone, also on failure. NULL is fine. */
int das_recording_writer_close(struct das_recording_writer *w, struct das_err *err);

#endif
