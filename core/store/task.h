/*
 * task.h - kill tasks, their switch, and what was killed: what `das serve` has to remember.
 *
 * The journal is the truth about kills. The history is made from its records, in order and once
 * each, so that no crash can part the two; it has the kills of every run on this state directory,
 * not only those of tasks.
 */
#ifndef DAS_STORE_TASK_H
#define DAS_STORE_TASK_H

#include "core/base/text.h"
#include "core/store/store.h"

#define DAS_TASKS_RUNNING_MAX 5 /* of an instance; so does the API */

/* Moments are Unix ms. Texts are borrowed; NULL and "" are the same: not set. */
struct das_task {
    int64_t id;           /* 1, 2, ... over all instances; never used again */
    const char *instance; /* name */
    struct das_text user, host, db, command, info;
    int64_t time;     /* s */
    bool manual;      /* else it ends by itself */
    int64_t duration; /* s, as it was asked for; of a manual one it means nothing */
    int64_t start_ms;
    int64_t end_ms; /* auto: when it ends or has ended; manual: 0 until it was stopped */
    bool running;
    const char *by; /* whose key: "ci (DASABC...)" */
};

/* Fills id, running and, of a manual one, end_ms. 1: done; 0: that many run already, or the switch
 * is off (*off); -1. The switch, the count and the new row are one transaction, with a record
 * "task" in the journal. What is due by then is closed in it, as in the next ones: it takes no
 * place, and it has ended rather than being stopped. */
int das_task_add(struct das_store *s, struct das_task *t, bool *off, struct das_err *err);
/* 1: it runs no longer; 0: the instance has no such task that runs; -1. */
int das_task_stop(struct das_store *s, const char *instance, int64_t id, int64_t now_ms,
                  const char *by, struct das_err *err);
/* Those whose end has come, at their own end. How many, or -1. */
int64_t das_task_close_due(struct das_store *s, int64_t now_ms, struct das_err *err);
/* Of an instance (NULL: of all), first those that run, newest first, so many at the most; running:
 * only those. Anything but 0 of fn ends the walk and is returned. */
typedef int das_task_fn(void *arg, const struct das_task *t);
int das_task_each(struct das_store *s, const char *instance, bool running, int64_t max,
                  das_task_fn *fn, void *arg, struct das_err *err);

/* Off until somebody turned it on. Each change is a record "switch" in the journal. Turning it off
 * stops the running tasks of the instance in the same transaction. */
int das_task_switch_get(struct das_store *s, const char *instance, bool *on, struct das_err *err);
int das_task_switch_set(struct das_store *s, const char *instance, bool on, int64_t now_ms,
                        const char *by, struct das_err *err);

struct das_killed {
    const char *instance;
    int64_t task_id; /* 0: by no task */
    int64_t session_id;
    struct das_text user, host, db, command, state,
        info;           /* NULL: not known. info: as the journal has it */
    int64_t time;       /* s in its state when it was killed; INT64_MIN: not known */
    int64_t kill_ms;    /* Unix ms, of the intent */
    const char *source; /* "task", "api", "policy", "person" */
    bool unknown;       /* it was sent, and nobody knows what became of it */
};

/* Takes over what the journal has and the history has not yet. Of a session that an apply killed in
 * two steps there is one row, for the last. What runs that died left open comes when somebody opens
 * the store to write (store.h). */
int das_history_catch_up(struct das_store *s, struct das_err *err);
/* Kills of an instance within from <= kill_ms <= to, newest first; page 1, 2, ... of size. *total:
 * how many there are. */
typedef int das_killed_fn(void *arg, const struct das_killed *k);
int das_history_page(struct das_store *s, const char *instance, int64_t from_ms, int64_t to_ms,
                     int64_t page, int64_t size, das_killed_fn *fn, void *arg, int64_t *total,
                     struct das_err *err);

#endif
