/*
 * killer.h - a kill that a client or a task asks for: preview, plan, apply, like everybody's. The
 * one place of core/serve that applies plans.
 */
#ifndef DAS_SERVE_KILLER_H
#define DAS_SERVE_KILLER_H

#include <stdatomic.h>

#include "bindings/serve_conf.h"
#include "core/plan/plan.h"
#include "core/serve/fleet.h"

/* What all kills of a server have in common; borrowed. */
struct das_killer {
    const char *state_dir;
    const struct das_protect *protect;
    const struct das_policy_rules *rules;
    const char *const *stop_files;
    const struct das_vault *vault;
    const atomic_int *cancel; /* not 0: no further kill. May be NULL */
};

struct das_kill_ask {
    struct das_filter *filter; /* whom */
    const char *policy;        /* "serve:task", "serve:kill": what counts and breaker are kept by */
    const char *who;           /* for the journal: "ci (DASABC...)" */
    const char *task;          /* id of the task, or NULL */
    const char *reason;
    int64_t until_ms; /* monotonic: when waiting for its turn and for the preview ends */
    /* Where more match than may be killed now: false, all are refused, as in every plan; true,
     * those that have been at it longest are taken, as many as the limits leave, and the others
     * stay for the next time. Who is protected takes nobody's place. */
    bool piecemeal;
    /* Asked before each kill's intent is written and again right before it is sent: false, and why,
     * ends it there. May be NULL. */
    bool (*go_on)(void *arg, char *why, size_t size);
    void *arg;
};

/* The connections of all that the filter selects now. *out NULL and 0: nobody was there. *matched:
 * how many the filter selects. DAS_E_UNSUPPORTED: no session of this instance can be killed;
 * DAS_E_BLOCKED, piecemeal only: a guard leaves nothing to be done, and the journal says nothing of
 * it, as a task would repeat it every few seconds; DAS_E_CANCELLED. */
int das_killer_kill(const struct das_killer *k, struct das_member *m,
                    const struct das_kill_ask *ask, size_t *matched, struct das_report **out,
                    struct das_err *err);

#endif
