/*
 * serve.h - das serve as a whole: the DAS kill-session API in front of instances. The only header
 * of this room that core/cli includes, besides those for managing keys.
 */
#ifndef DAS_SERVE_SERVE_H
#define DAS_SERVE_SERVE_H

#include <stdatomic.h>
#include <stdio.h>

#include "bindings/schedule_conf.h"
#include "bindings/limits.h"
#include "bindings/serve_conf.h"
#include "core/base/secret.h"
#include "core/plan/protect.h"
#include "core/source/inventory.h"

struct das_serve_opts {
    const struct das_serve_conf *conf;
    struct das_inventory *inventory;
    const struct das_protect *protect;
    const struct das_schedule_conf *schedule; /* policies that run by themselves; NULL: none */
    const struct das_secrets *secrets;        /* of those; may be NULL */
    const struct das_rules *rules; /* of scripts, whose plans people approve; channels and people */
    const char *const *stop_files;
    const char *state_dir;
    const struct das_vault *vault;
    FILE *log;              /* access log and events, a JSON object a line */
    const atomic_int *stop; /* not 0: end; counts up: at 2 without waiting */
    atomic_int *reload;     /* not 0: read certificate and keys anew; set back */
    /* It serves: "http://127.0.0.1:7070 ...", and the instances, "NAME  ID" a line. May be NULL. */
    void (*ready)(void *arg, const char *addresses, const char *instances);
    void *arg;
    /* Carries a runbook on (runbooks.h), with runbook_arg. NULL: none are. */
    int (*runbook)(void *arg, int64_t id, const atomic_int *cancel, struct das_err *err);
    void *runbook_arg;
};

struct das_serve_end {
    size_t left; /* requests that were still in flight */
    bool stuck;  /* a policy is left behind and still uses what opts point to: end the process */
};

/* Serves until stop. -1: it could not start, and why. */
int das_serve(const struct das_serve_opts *opts, struct das_serve_end *end, struct das_err *err);

#endif
