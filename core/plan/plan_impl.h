/* plan_impl.h - the inside of a plan, for core/plan only. */
#ifndef DAS_PLAN_PLAN_IMPL_H
#define DAS_PLAN_PLAN_IMPL_H

#include <stdatomic.h>

#include "core/plan/plan.h"

struct das_plan {
    atomic_uint refs;
    struct das_selection *victims;
    uint64_t *digests; /* of each victim's SQL; 0: none */
    char *instance;
    struct das_identity server;
    enum das_kill_mode mode;
    char *reason;
    int64_t created_ms, expires_ms;
    char hash[DAS_SHA256_HEX];
};

/* When the victim's current statement (or sleep) began, Unix ms, as exactly as the source tells:
 * *slack_ms is how far two tellings of the same moment may lie apart. DAS_UNKNOWN if not told. */
int64_t das_plan_started_ms(const struct das_snapshot *snap, const struct das_session *s,
                            int64_t *slack_ms);

#endif
