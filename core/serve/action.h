/*
 * action.h - what a key can be allowed to do: the names of IAM's actions, as das-api.md has them,
 * and whether they change anything. The one list of them, for keys, routes and metrics.
 *
 * listInstances is this server's own name: which one the cloud asks for is not documented.
 */
#ifndef DAS_SERVE_ACTION_H
#define DAS_SERVE_ACTION_H

#include "core/base/text.h"

enum das_action {
    DAS_A_NONE = -1, /* what needs no key */
    DAS_A_LIST_PROCESS,   /* preview, history */
    DAS_A_SHOW_INFO,      /* GET processes */
    DAS_A_LIST_TASKS,     /* query-kill-process-task */
    DAS_A_SHOW_SWITCH,    /* get-kill-process-task-switch */
    DAS_A_LIST_INSTANCE,  /* instances, nodes */
    DAS_A_LIST_DB_USER,   /* db-users */
    DAS_A_CREATE_TASK,    /* add-kill-process-task */
    DAS_A_STOP_TASK,      /* terminate-kill-process-task */
    DAS_A_DELETE_PROCESS, /* kill-all-session, kill-process, DELETE process */
    DAS_A_CHANGE_SWITCH,  /* set-kill-process-task-switch */
    DAS_A_LIST_APPROVAL,  /* approvals; this server's own, as is the next */
    DAS_A_DECIDE_APPROVAL, /* approvals/decide, and the page of a link */
    DAS_A_COUNT
};

struct das_action_info {
    const char *name; /* "das:clouddba:listProcess" */
    bool writes;
};
extern const struct das_action_info das_actions[DAS_A_COUNT];

/* By its name or the last part of it ("listProcess"); -1: there is none. */
int das_action_find(struct das_text name);

/* Does a list, with blanks between ("das:clouddba:listProcess", "das:clouddba:*", "*"), allow it?
 */
bool das_action_allowed(const char *list, const char *action);

#endif
