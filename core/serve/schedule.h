/*
 * schedule.h - runs the policies of das.lua by itself: each on each of its instances, when it is
 * due, on a few threads, as `das run --apply` would (bindings/engine.h). When and in which order
 * timetable.h says; here are the threads, the runs and what is told of them.
 *
 * Each policy has a handle of its own on each of its instances. A run ends at its timeout; where it
 * cannot be interrupted, because a server does not answer, its thread is left behind, and that
 * policy waits on that instance alone until it has come back.
 *
 * While a schedule lives it holds a lock in the state directory, so that no policy runs twice, and
 * keeps a small file there for `das status`, which says after a restart how it went before. Nothing
 * else has to be remembered: ticks follow from the time alone, and one that passed while nobody was
 * there is not made up for.
 */
#ifndef DAS_SERVE_SCHEDULE_H
#define DAS_SERVE_SCHEDULE_H

#include <jansson.h>
#include <stdio.h>

#include "bindings/engine.h"
#include "bindings/schedule_conf.h"
#include "core/serve/timetable.h"

/* What came of a run. Borrowed for the call. */
struct das_schedule_told {
    const char *policy, *instance;
    const char *result; /* das_end_name() */
    bool good;
    int64_t late_ms, took_ms;
    const struct das_engine_result *run;
};

/* All borrowed, and to outlive the schedule. */
struct das_schedule_opts {
    const struct das_schedule_conf *conf;
    int64_t workers;
    struct das_inventory *inventory; /* its instances are open */
    const struct das_protect *protect;
    const struct das_secrets *secrets;
    const struct das_rules *rules; /* whom policies may ask and tell; NULL: nobody */
    const char *const *stop_files;
    const char *state_dir;
    FILE *log;                                                  /* or NULL */
    void (*told)(void *arg, const struct das_schedule_told *t); /* on any thread; may be NULL */
    void *arg;
};

struct das_schedule;

/* Nothing runs yet. DAS_E_BUSY: another process runs the policies of this state directory. */
int das_schedule_new(const struct das_schedule_opts *opts, struct das_schedule **out,
                     struct das_err *err);
/* From here on policies run on threads. */
int das_schedule_start(struct das_schedule *s, struct das_err *err);
/* None begins any more, and those that run are cancelled: they send no further kill. Waits for
 * nothing. */
void das_schedule_stop(struct das_schedule *s);
/* Stops, and waits for all that runs. False: something was left behind and still uses what opts
 * point to; nothing was freed, and the process should end soon, or this be tried again. NULL is
 * fine. */
bool das_schedule_free(struct das_schedule *s);
/* How long that waits for what was given up; 15 s. */
void das_schedule_wait_at_end(struct das_schedule *s, int64_t ms);

/* Without threads: runs what is due at this moment, one after the other, on the caller's. When
 * there is something to do again, Unix ms; DAS_NEVER. */
int64_t das_schedule_step(struct das_schedule *s);

/* The file for das status, at most every few seconds and only when something happened; now: in any
 * case. One that cannot be written is told in the log once. */
void das_schedule_save(struct das_schedule *s, bool now);

/* On how many instances an entry of conf runs. */
size_t das_schedule_instances(const struct das_schedule *s, const struct das_schedule_entry *e);

struct das_schedule_now {
    size_t slots, running, failing, away;
    int64_t skipped;
};
void das_schedule_now(struct das_schedule *s, struct das_schedule_now *out);

#define DAS_SCHEDULE_FILE "schedule.json"
#define DAS_SCHEDULE_LOCK "schedule.lock"
/* Does a process hold the schedule of this state directory? */
bool das_schedule_is_held(const char *state_dir);
/* Nothing is scheduled any more: the file of an earlier process goes, unless one that lives holds
 * it. */
void das_schedule_forget(const char *state_dir);
/* What the file says, {"written_ms":..,"turns":[..]}; the caller's. *out NULL and 0: there is none.
 */
int das_schedule_read(const char *state_dir, json_t **out, struct das_err *err);

#endif
