/*
 * serve.h - das serve as a whole: the DAS kill-session API in front of instances. The only header
 * of this room that core/cli includes, besides those for managing keys.
 */
#ifndef DAS_SERVE_SERVE_H
#define DAS_SERVE_SERVE_H

#include <stdatomic.h>
#include <stdio.h>

#include "bindings/serve_conf.h"
#include "core/base/secret.h"
#include "core/plan/protect.h"
#include "core/source/inventory.h"

struct das_serve_opts {
    const struct das_serve_conf *conf;
    struct das_inventory *inventory;
    const struct das_protect *protect;
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

/* Serves until stop. -1: it could not start, and why. *left: requests that were still in flight at
 * the end. */
int das_serve(const struct das_serve_opts *opts, size_t *left, struct das_err *err);

#endif
