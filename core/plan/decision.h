/*
 * decision.h - what a policy decided, one line of JSON for each preview and each apply.
 *
 * A line holds the hash of the policy, the hash of everything that it had been shown until then, and
 * what came of it. It holds no clock reading, no random number and no id of a run: the same policy
 * over the same input gives the same bytes, live or replayed. It observes and decides nothing.
 */
#ifndef DAS_PLAN_DECISION_H
#define DAS_PLAN_DECISION_H

#include "core/plan/plan.h"

struct das_decisions {
    /* Gets each line, without a newline, valid during the call. */
    void (*line)(void *arg, struct das_text line);
    void *arg;

    char policy_sha256[DAS_SHA256_HEX];
    char input_sha256[DAS_SHA256_HEX]; /* over all lists so far, of all instances, in their order */
    int64_t count;
    struct das_buf scratch;
    struct das_source_listener listener; /* for das_inventory_listen(): hears of the lists */
    struct das_err failed;               /* code DAS_OK, or why a line is missing */
};

/* script: the policy's text. */
int das_decisions_init(struct das_decisions *d, struct das_text script,
                       void (*line)(void *arg, struct das_text line), void *arg,
                       struct das_err *err);
void das_decisions_clear(struct das_decisions *d);

/* As the members of struct das_engine_watch, with a struct das_decisions as arg. */
void das_decisions_previewed(void *d, const char *instance, const struct das_selection *sel);
void das_decisions_applied(void *d, const struct das_plan *p, const struct das_report *r,
                           const struct das_err *err);

#endif
