/*
 * portion.h - of many sessions that match, those that may be killed now.
 *
 * A plan that is more than the limits allow is refused as a whole (core/plan). Whoever asks again
 * and again, as a task does, would never get anywhere so, and takes a part that fits instead. This
 * chooses and counts nothing as killed: the plan of the portion passes the same limits once more.
 */
#ifndef DAS_SERVE_PORTION_H
#define DAS_SERVE_PORTION_H

#include "core/plan/guard.h"
#include "core/plan/protect.h"
#include "core/session/selection.h"
#include "core/source/source.h"

struct das_portion_of {
    const char *instance;
    struct das_source *source;         /* asked for all sessions where found does not show them */
    const struct das_protect *protect; /* may be NULL */
    const struct das_kill_limits *limits;
    struct das_store *store; /* of the run that will kill them */
};

/* Those of found that nothing but their number speaks against, longest in their state first
 * (unknown times last), as many as the limits leave. Where something else speaks against each of
 * them, the first ones all the same: their plan says what. DAS_E_BLOCKED: the limits leave none. */
int das_portion(const struct das_portion_of *of, const struct das_selection *found,
                struct das_selection **out, struct das_err *err);

#endif
