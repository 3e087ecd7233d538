/*
 * footage.h - several files of recordings as one: which instances are in them, from when to when,
 * and the snapshots of one instance in the order of time.
 *
 * das_footage_open() goes over the files once (of the binary form it reads only the heads of
 * blocks) and closes them; each reel opens them again, so that several threads may read at once. It
 * never decides what is done with a snapshot.
 */
#ifndef DAS_SOURCE_FOOTAGE_H
#define DAS_SOURCE_FOOTAGE_H

#include "core/session/snapshot.h"

struct das_footage;

#define DAS_FOOTAGE_UNNAMED "recording" /* the instance of files that do not tell whose they are \
                                         */

/* The files in any order. name is asked which instances are wanted; NULL: all. DAS_E_DATA where the
 * files cannot be put into an order: two that overlap for one instance, lists that go back in time,
 * or of which all have the same time. DAS_E_USAGE: standard input, or no instance is wanted. */
struct das_footage_wish {
    bool (*wants)(void *arg, const char *instance);
    void *arg;
};
int das_footage_open(const char *const *paths, size_t count, const struct das_footage_wish *wish,
                     struct das_footage **out, struct das_err *err);
void das_footage_close(struct das_footage *f); /* after all its reels. NULL is fine */

struct das_footage_span {
    const char *name;       /* of the instance; lives as long as the footage */
    int64_t from_ms, to_ms; /* of the first and last snapshot */
    uint64_t snapshots, rows;
    int64_t step_ms; /* usually from one snapshot to the next; 0: there is one only */
};
size_t
das_footage_count(const struct das_footage *f); /* of instances, in the order of their names */
void das_footage_span(const struct das_footage *f, size_t i, struct das_footage_span *out);
/* Of all of them; name is NULL. */
void das_footage_whole(const struct das_footage *f, struct das_footage_span *out);
/* What was left out when the files were gone over; NULL: that was all. */
const char *das_footage_note(const struct das_footage *f, size_t i);

/* The snapshots of one instance. */
struct das_reel;
int das_reel_open(const struct das_footage *f, size_t instance, struct das_reel **out,
                  struct das_err *err);
void das_reel_close(struct das_reel *r); /* NULL is fine */
/* As das_recording_next(). Where the file does not tell which server it was, the snapshot says that
 * it is the instance's: the same one in all files. */
int das_reel_next(struct das_reel *r, struct das_snapshot **out, int64_t *time_ms,
                  struct das_err *err);

#endif
