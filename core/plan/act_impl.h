/*
 * act_impl.h - the parts of an act without a plan, seen by each other and by nobody else.
 *
 *   act.c         the order of everything; the only place that calls kill.h
 *   act_check.c   does the order make sense
 *   act_guard.c   whom it would hit, and what may say no
 *   act_record.c  what the journal is told
 */
#ifndef DAS_PLAN_ACT_IMPL_H
#define DAS_PLAN_ACT_IMPL_H

#include "core/plan/act.h"
#include "core/store/budget.h"

struct das_act_scene {
    const struct das_act_order *order;
    const struct das_guard *guard;      /* NULL: a dry run without one */
    struct das_cloud_call *call;
    struct das_act_result *out;
    struct das_err *err;
    struct das_cloud_criteria criteria; /* as it is sent */
    bool looked;
    struct das_cloud_preview hits;      /* whom it would hit now */
    struct das_claim *claims;           /* KILL_ALL: the sessions' places in the budget */
    size_t claim_count;
    int64_t intent;                     /* seq in the journal */
    char too_late[400];                 /* what said no while it waited to be sent; "": nothing */
};

/* It ends killing by others: nothing may keep it from that. */
static inline bool das_act_calms(const struct das_act_scene *sc)
{
    return sc->order->act == DAS_ACT_STOP_TASK || sc->order->act == DAS_ACT_SWITCH_OFF;
}

/* Fills sc->criteria. DAS_E_USAGE naming the field. */
int das_act_check(struct das_act_scene *sc);

/* A call besides the act's own: with the same patience. What came of it is told as the act's, when
 * it failed. */
struct das_cloud_call das_act_side_call(const struct das_act_scene *sc);
int das_act_side_failed(struct das_act_scene *sc, const struct das_cloud_call *side,
                        const char *doing);
/* Looks once whom it would hit, where that can be told. */
int das_act_look(struct das_act_scene *sc);
/* May it be? 1, 0 and why, or -1. take: for good, with its places in the budget. */
int das_act_allowed(struct das_act_scene *sc, bool take, char *why, size_t size);
/* Off switch, mode and windows once more, just before it is sent. */
bool das_act_still_allowed(const struct das_act_scene *sc, char *why, size_t size);
/* Gives back what was not used. */
void das_act_release(struct das_act_scene *sc);

/* On the disk when it returns 0. */
int das_act_record_intent(struct das_act_scene *sc);
/* outcome: "done", "failed", "unknown", "refused". */
int das_act_record_outcome(struct das_act_scene *sc, const char *outcome, const char *note,
                           struct das_err *err);
/* Best effort: there is nothing to protect any more. */
void das_act_record_refused(struct das_act_scene *sc, const char *why);

#endif
