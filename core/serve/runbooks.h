/*
 * runbooks.h - carries runbooks on in das serve: those that were interrupted, those whose question
 * was answered or has expired, those whose moment has come. Which those are, the store says, once a
 * second; how one is carried on, the program above says.
 */
#ifndef DAS_SERVE_RUNBOOKS_H
#define DAS_SERVE_RUNBOOKS_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/base/err.h"

#define DAS_RUNBOOKS_AT_ONCE 8

struct das_runbooks;

struct das_runbooks_conf {
    const char *state_dir;
    /* Claims the run and carries it on until it ends or waits; on a thread of its own. cancel: not
     * 0: let it go where it is. -1: it could not be carried on, and why. */
    int (*carry_on)(void *arg, int64_t id, const atomic_int *cancel, struct das_err *err);
    void *arg;
    /* One line about a run, "runbook 12: done". May be called by several threads. */
    void (*told)(void *arg, int64_t id, const char *line, int level);
    void *told_arg;
};

/* conf is copied. Nothing is carried on before das_runbooks_start(). */
int das_runbooks_new(const struct das_runbooks_conf *conf, struct das_runbooks **out,
                     struct das_err *err);
int das_runbooks_start(struct das_runbooks *r, struct das_err *err);
/* Looks at once. Any thread's, until das_runbooks_free(). */
void das_runbooks_wake(struct das_runbooks *r);
/* Lets all runs go where they are and waits for their threads. NULL is fine. */
void das_runbooks_stop(struct das_runbooks *r);
void das_runbooks_free(struct das_runbooks *r); /* stops it before */

#endif
