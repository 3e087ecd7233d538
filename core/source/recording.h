/*
 * recording.h - reads recorded process lists, one snapshot after the other.
 *
 * Owns the descriptor and a window of the file; memory stays about the size of one snapshot,
 * however long the file is. Any part of core/source and core/cli may call it. It never writes,
 * never seeks and never decides which snapshot is wanted.
 *
 * What it reads: the binary form that das record writes (docs/recording.md), in which the snapshots
 * have an identity, own sessions and so on of their own, and, recognised by itself for each snapshot: das recordings (one JSON object each),
 * answers of the DAS session APIs, and SHOW PROCESSLIST (or a select from information_schema or
 * performance_schema) as the mysql and mariadb clients print it: as a table, tab-separated (-B)
 * and vertical (\G). Between snapshots it tolerates what a client says besides: prompts, echoed
 * statements, "N rows in set", and lines that tell the time: "TS 1766655104" (Unix seconds) or
 * "# 2026-01-02T03:04:05" (UTC). A list without such a line was taken when the file was last
 * written (mtime), or now when it comes from a pipe.
 */
#ifndef DAS_SOURCE_RECORDING_H
#define DAS_SOURCE_RECORDING_H

#include "core/session/filter.h"
#include "core/session/snapshot.h"

struct das_recording;

/* path "-" is standard input. DAS_E_IO when it cannot be opened. */
int das_recording_open(const char *path, struct das_recording **out, struct das_err *err);
/* Takes over fd, which das_recording_close() closes (on failure too); name is for messages. */
int das_recording_open_fd(int fd, const char *name, struct das_recording **out,
                          struct das_err *err);
void das_recording_close(struct das_recording *r); /* NULL is fine */

/* From the next snapshot on, keeps only sessions that the filter surely matches, and marks the
 * snapshots as partial. r borrows the filter; NULL keeps all. */
void das_recording_only(struct das_recording *r, const struct das_filter *filter);

/* From the next snapshot on, gives only those of that instance, as das_recording_instance() tells
 * them; the others are passed over. Borrowed; NULL: all. */
void das_recording_only_of(struct das_recording *r, const char *instance);

/* 1: *out is the next snapshot, the caller owns one reference. 0: there is none left.
 * -1: DAS_E_DATA "PATH:LINE: ... expected ..." for a damaged file, DAS_E_IO, DAS_E_NOMEM; nothing
 * can be read after that. A file without any snapshot is damaged.
 *
 * A half-written last snapshot is left out and told by das_recording_note(), unless it is the only
 * one: then its whole rows are given, marked incomplete, with a warning. */
int das_recording_next(struct das_recording *r, struct das_snapshot **out, struct das_err *err);

/* What lies in a stretch of a recording. */
struct das_recording_span {
    const char *instance;  /* as das_recording_instance() */
    int64_t from_ms, to_ms; /* of its first and last snapshot */
    uint64_t snapshots, rows;
};
/* In place of das_recording_next(): passes over what comes next and tells what it is. Of the binary
 * form that is a whole block, of which only the head is read. 1, 0 or -1 as there. */
int das_recording_skim(struct das_recording *r, struct das_recording_span *out,
                       struct das_err *err);

/* After das_recording_next() gave 0: what was left out, or NULL. Lives as long as r. */
const char *das_recording_note(const struct das_recording *r);

/* Which instance the snapshot that was given last is of; NULL: the file does not tell. Lives until
 * the next one. */
const char *das_recording_instance(const struct das_recording *r);
/* When it was taken, Unix milliseconds, as exactly as the file tells. */
int64_t das_recording_time_ms(const struct das_recording *r);

/* What the file is, for people, once something was read of it: "blocks" (das record), "JSON", "table",
 * "tab-separated", "vertical", "" before. */
const char *das_recording_format(const struct das_recording *r);

/* Can the bytes be read a second time from the same path? */
bool das_recording_repeatable(const struct das_recording *r);

#endif
