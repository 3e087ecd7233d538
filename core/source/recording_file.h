/*
 * recording_file.h - one file of a recording in the binary form, open for appending; its names when
 * it rotates.
 *
 * Owns the descriptor and the lock on the file. Called by recording_writer.c only. It knows where
 * blocks begin and end, not what is in them.
 */
#ifndef DAS_SOURCE_RECORDING_FILE_H
#define DAS_SOURCE_RECORDING_FILE_H

#include "core/base/err.h"
#include "core/source/block.h"

struct das_recording_file {
    char *path;
    int fd;
    uint64_t size, found; /* bytes now, and when it was opened */
    int64_t opened_ms;
};

/* As das_recording_writer_open() says. *note, if it is NULL, becomes what was cut off (das_free).
 */
int das_recording_file_open(struct das_recording_file *f, const char *path,
                            const struct das_crc32 *crc, char **note, struct das_err *err);
/* All of it or nothing. */
int das_recording_file_append(struct das_recording_file *f, struct das_text block,
                              struct das_err *err);
/* To the disk; err may be NULL. */
int das_recording_file_close(struct das_recording_file *f, struct das_err *err);

/* "a/b.das" with the time in its name, for das_free(): "a/b-20261124T031705.123Z.das". NULL and
 * err. */
char *das_recording_file_stamp(const char *path, int64_t unix_ms, struct das_err *err);
/* Of the files that das_recording_file_stamp() names for path, leaves current, which is one of them, and
 * the newest others: keep in all, at least 1. */
int das_recording_file_prune(const char *path, const char *current, uint32_t keep,
                             struct das_err *err);

#endif
