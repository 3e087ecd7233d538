/* schedule_impl.h - the inside of a schedule, for core/serve/schedule*.c only. */
#ifndef DAS_SERVE_SCHEDULE_IMPL_H
#define DAS_SERVE_SCHEDULE_IMPL_H

#include <pthread.h>

#include "core/base/log.h"
#include "core/serve/schedule.h"

/* A policy on an instance: slot i of the timetable. */
struct das_turn {
    struct das_schedule *schedule;
    size_t slot;
    const struct das_schedule_entry *entry;
    const char *instance;            /* the inventory's */
    struct das_inventory *inventory; /* of this instance alone */

    /* under the lock */
    bool given_up,
        back; /* its run was, and is still out there; it came back before that was known */
    const char *result; /* das_end_name(); NULL: none yet */
    char was[16];       /* that of an earlier process, while there is none */
    char error[240];    /* "": the last run went well */
    int64_t took_ms;
    int64_t killed, refused, would; /* over all runs: sessions; would: of dry runs */

    /* of the thread that runs it: what the log said last */
    char told[240]; /* that is wrong; "": nothing */
    size_t told_would;
};

struct das_worker {
    pthread_t thread;
    struct das_schedule *schedule;
    bool started, over; /* over: it has left, and can be joined at once */
};

struct das_schedule {
    struct das_schedule_opts opts;
    struct das_engine *engine;
    struct das_turn *turns;
    struct das_tempo *tempos;
    size_t count;
    atomic_int cancel; /* of the runs */
    int lock_fd;       /* of the state directory; -1: none */

    pthread_mutex_t lock; /* of what follows */
    struct das_timetable *table;
    pthread_cond_t watch; /* for the thread that knows what time it is; on the monotonic clock */
    pthread_cond_t work;  /* for the workers */
    pthread_cond_t back;  /* a run has come back; on the monotonic clock */
    pthread_t watcher;
    bool watching; /* started, and not joined yet */
    struct das_worker *workers;
    size_t worker_room, idle;
    int64_t wake_ms; /* Unix: when the watcher looks again */
    bool ends;
    int64_t away_ms; /* how long it is waited for at the end */
    size_t away;
    uint64_t changes, saved; /* of what the file says */
    int64_t saved_ms;        /* monotonic; of the thread that saves */
    bool save_failed;
};

/* --- schedule_run.c: without the lock --------------------------------------------------------- */

/* Runs it, which was taken from the timetable, and writes down there what came of it. */
void das_turn_go(struct das_turn *turn);
/* One line in the log, with policy and instance. */
void das_turn_say(const struct das_turn *turn, enum das_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- schedule_file.c -------------------------------------------------------------------------- */

int das_schedule_hold(struct das_schedule *s, struct das_err *err);
void das_schedule_let_go(struct das_schedule *s);
/* What the file of an earlier process says; one that cannot be read says nothing. */
void das_schedule_recall(struct das_schedule *s);

#endif
