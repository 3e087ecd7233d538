/*
 * act.h - what the cloud is asked to do to sessions by itself, without a plan: kill tasks, their
 * switch, killing all.
 *
 * Nobody has previewed whom these hit, so they pass the same guards as a plan (armed, off switch,
 * mode, windows, freezes, breaker, limits of numbers where there is one) and stand in the journal:
 * an intent before, an outcome after. The only caller of core/cloud/kill.h besides the source.
 */
#ifndef DAS_PLAN_ACT_H
#define DAS_PLAN_ACT_H

#include "core/cloud/api.h"
#include "core/plan/guard.h"

enum das_cloud_act {
    DAS_ACT_CREATE_TASK,
    DAS_ACT_STOP_TASK,  /* ends killing: allowed while das is stopped, and whatever the mode is */
    DAS_ACT_SWITCH_ON,
    DAS_ACT_SWITCH_OFF, /* as STOP_TASK */
    DAS_ACT_KILL_ALL,
};
const char *das_cloud_act_name(enum das_cloud_act a); /* "create_kill_task" */

struct das_act_order {
    enum das_cloud_act act;
    const char *instance; /* its name, for the journal */
    struct das_cloud *cloud;
    struct das_cloud_place place;
    const struct das_cloud_criteria *criteria; /* CREATE_TASK; time and a criterion besides, or all */
    bool all;             /* CREATE_TASK: time alone is meant */
    int64_t task_id;      /* STOP_TASK */
    const char *confirm;  /* KILL_ALL: the instance's id */
    int64_t wait_ms;      /* SWITCH: how long it may be switching */
    const char *reason;   /* may be NULL */
    bool armed;           /* false: nothing is sent */
};

struct das_act_result {
    bool done;                     /* false: a dry run */
    struct das_cloud_answer task;  /* CREATE_TASK: as in kill.h */
    enum das_cloud_switch now;     /* SWITCH */
    int64_t sessions;              /* KILL_ALL: how many there were just before */
    char would_block[400];         /* dry run: why an armed one would be refused; "": it would not */
};
void das_act_result_clear(struct das_act_result *r);

/* 0, or -1: DAS_E_BLOCKED a guard said no, DAS_E_STORE the journal cannot be written and nothing was
 * sent, DAS_E_USAGE the order makes no sense; else what the call said, and call->unknown tells that
 * it may have had its effect. out is to be cleared in any case. */
int das_act(const struct das_act_order *order, const struct das_guard *guard,
            struct das_cloud_call *call, struct das_act_result *out, struct das_err *err);

#endif
