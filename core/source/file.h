/*
 * file.h - the file source: a recorded process list as an instance that can be looked at.
 *
 * The entry, das_source_open_file(), stands in source_impl.h with those of the other kinds; its
 * rest is PATH, "-" for standard input, or PATH?snapshot=N for the N-th snapshot of the file.
 */
#ifndef DAS_SOURCE_FILE_H
#define DAS_SOURCE_FILE_H

#include "core/source/source_impl.h"

/* Splits "PATH?snapshot=N": *path is an owned copy (das_free), *number is N, or 0 when none was
 * asked for. DAS_E_USAGE for an empty path or an N that is no number from 1 on. */
int das_file_spec(const char *rest, char **path, int64_t *number, struct das_err *err);

/* The last snapshot of a recording, or the number-th. What was left out, and that there were
 * several, is in its warnings. The caller owns one reference to *out. */
int das_file_load(const char *path, int64_t number, struct das_snapshot **out, struct das_err *err);

#endif
