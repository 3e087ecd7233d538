/*
 * act.h - what the cloud is asked to do to sessions by itself, without a plan: kill tasks, their
 * switch, killing all.
 *
 * Nobody has previewed whom these hit, so they pass the same guards as a plan (armed, off switch,
 * mode, windows, freezes, breaker, protected sessions, limits of numbers where there is one) and
 * stand in the journal: an intent before, an outcome after. The only caller of core/cloud/kill.h
 * besides the source. Nothing is sent twice: where an answer was lost, it looks.
 */
#ifndef DAS_PLAN_ACT_H
#define DAS_PLAN_ACT_H

#include "core/cloud/api.h"
#include "core/plan/guard.h"
#include "core/session/filter.h"
#include "core/plan/protect.h"

enum das_cloud_act {
    DAS_ACT_CREATE_TASK,
    DAS_ACT_STOP_TASK,  /* ends killing: allowed while das is stopped, and whatever the mode is */
    DAS_ACT_SWITCH_ON,
    DAS_ACT_SWITCH_OFF, /* as STOP_TASK */
    DAS_ACT_KILL_ALL,
};
const char *das_cloud_act_name(enum das_cloud_act a); /* "create_kill_task" */

/* What a filter asks the cloud for; borrows its texts. DAS_E_USAGE for one that is put together and for
 * a criterion that the cloud cannot look for. */
int das_act_criteria(const struct das_filter *f, struct das_cloud_criteria *out,
                     struct das_err *err);

struct das_act_order {
    enum das_cloud_act act;
    const char *instance; /* its name: for the journal, and what counts and breaker are kept by */
    struct das_cloud *cloud;
    struct das_cloud_place place;
    const struct das_cloud_criteria *criteria; /* CREATE_TASK; time, and either a criterion besides
                             or all. task_type NULL: "auto"; a manual task needs no task_duration */
    bool all;             /* CREATE_TASK: time alone is meant */
    int64_t task_id;      /* STOP_TASK */
    const char *confirm;  /* KILL_ALL: the instance's id */
    int64_t wait_ms;      /* SWITCH: how long it may be switching */
    const char *reason;   /* may be NULL */
    const struct das_protect *protect; /* of the configuration; may be NULL. CREATE_TASK is refused
                             when a preview shows a session that this or das's own list protects,
                             KILL_ALL when it shows one that this protects or cannot show all */
    bool armed;           /* false: nothing is sent */
};

struct das_act_result {
    bool done;                     /* false: a dry run */
    struct das_cloud_answer task;  /* CREATE_TASK: as in kill.h */
    enum das_cloud_switch now;     /* SWITCH; in a dry run, as it is */
    int64_t sessions;              /* CREATE_TASK: how many it would hit, KILL_ALL: how many there
                                      were, just before; else DAS_CLOUD_NOT_TOLD */
    char would_block[400];         /* dry run: why an armed one would be refused; "": it would not */
    char note[400];                /* what else there is to know: the answer was lost but a look
                                      showed that it was done; the outcome could not be written */
};
void das_act_result_clear(struct das_act_result *r);

/* 0, or -1. Without call->status nothing was answered by the cloud: DAS_E_BLOCKED a guard said no,
 * DAS_E_STORE the journal cannot be written, DAS_E_USAGE the order makes no sense; nothing was sent.
 * Else what the call said (DAS_E_BUSY: too many requests); call->unknown tells that
 * it may have had its effect, and the message what was seen afterwards. call is that of the act, or
 * of the look before it that failed. guard may be NULL in a dry run, else it has a policy. out is to
 * be cleared in any case. */
int das_act(const struct das_act_order *order, const struct das_guard *guard,
            struct das_cloud_call *call, struct das_act_result *out, struct das_err *err);

#endif
