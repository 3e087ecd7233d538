/*
 * keeper.h - carries out the kill tasks: a thread for each instance that has running ones, which
 * previews every few seconds and kills through plan and apply.
 *
 * The tasks themselves are in the store (core/store/task.h); a keeper has none in mind only, so
 * that one that is stopped, by whomever, has its end before the next round. What hangs holds up its
 * own instance alone.
 */
#ifndef DAS_SERVE_KEEPER_H
#define DAS_SERVE_KEEPER_H

#include "core/serve/killer.h"
#include "core/store/task.h"

struct das_keeper;

struct das_keeper_conf {
    struct das_fleet *fleet;
    const struct das_killer *killer;
    const char *state_dir;
    int64_t every_ms; /* between two rounds */
    /* Told of each round, on the keeper's thread: for metrics and log. task NULL: the store could
     * not be read. report NULL with err: it could not be done; both NULL: nobody matched. May be
     * NULL. */
    void (*told)(void *arg, const struct das_member *m, const struct das_task *task, size_t matched,
                 const struct das_report *report, const struct das_err *err);
    void *arg;
};

/* Closes the tasks whose time passed while nobody looked, and goes on with those that run. */
int das_keeper_new(const struct das_keeper_conf *conf, struct das_keeper **out,
                   struct das_err *err);
/* A task of that instance was added: its thread begins a round at once. */
void das_keeper_wake(struct das_keeper *k, struct das_member *m);
/* No round begins any more; waits for those that are under way. */
void das_keeper_free(struct das_keeper *k); /* NULL is fine */

/* One round of an instance at this moment: closes what is due, previews and kills for each task
 * that runs. How many run on, or -1. What a keeper's thread does; with a clock of its own a test
 * can do a day of it. */
int64_t das_keeper_round(const struct das_keeper_conf *conf, struct das_store *store,
                         struct das_member *m, struct das_err *err);

#endif
