/*
 * replayed.h - an instance as a recording shows it at the time of the thread's clock, where kills
 * work: a session that was killed is not there any more, everything else stays as it was recorded.
 *
 * A list gives the newest snapshot that is not later than now; until the next one its sessions grow
 * older with the clock. What was killed lies over what was recorded:
 *   a connection is gone until its id is used again: until a complete list has it no more, until
 *   another server answers, or until the id is somebody else's;
 *   a statement has ended: its session sleeps until the recording shows another statement of it.
 * The source never goes back in time. Used by one thread at a time, on a clock of its own.
 */
#ifndef DAS_SOURCE_REPLAYED_H
#define DAS_SOURCE_REPLAYED_H

#include "core/source/source.h"

/* Where the snapshots come from, in the order of time. as das_reel_next(); closed with the source.
 */
struct das_replayed_feed {
    int (*next)(void *arg, struct das_snapshot **out, int64_t *time_ms, struct das_err *err);
    void (*close)(void *arg); /* may be NULL */
    void *arg;
};

/* Told on the thread that asked for a list or a kill, or that called das_replayed_advance(). Each
 * may be NULL. */
struct das_replayed_watch {
    void *arg;
    /* Each snapshot, as recorded, when the clock has come to it. -1 with err ends the reading. */
    int (*passed)(void *arg, struct das_snapshot *snap, int64_t at_ms, struct das_err *err);
    /* A kill took effect; else it is the statement that ended. */
    void (*killed)(void *arg, int64_t id, bool connection);
};

/* Reads the first snapshot. Takes feed over, also on failure. DAS_E_DATA when there is none. */
int das_replayed_open(const char *name, const struct das_replayed_feed *feed,
                      const struct das_replayed_watch *watch, struct das_source **out,
                      struct das_err *err);

/* Reads on to that time, as a list does. 0 or -1; what went wrong once goes wrong from then on. */
int das_replayed_advance(struct das_source *s, int64_t now_ms, struct das_err *err);
/* When what is shown was recorded; INT64_MIN: nothing is shown. */
int64_t das_replayed_at_ms(struct das_source *s);

#endif
