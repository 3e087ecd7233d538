/* action.c - see action.h. */
#include "core/serve/action.h"

#include <string.h>

const struct das_action_info das_actions[DAS_A_COUNT] = {
    [DAS_A_LIST_PROCESS] = {"das:clouddba:listProcess", false},
    [DAS_A_SHOW_INFO] = {"das::showCloudDBAInfo", false},
    [DAS_A_LIST_TASKS] = {"das:clouddba:listKillTaskRecord", false},
    [DAS_A_SHOW_SWITCH] = {"das:clouddba:showKillTaskSwitch", false},
    [DAS_A_LIST_INSTANCE] = {"das:clouddba:listInstances", false},
    [DAS_A_LIST_DB_USER] = {"das:clouddba:listDbUser", false},
    [DAS_A_CREATE_TASK] = {"das:clouddba:createKillTask", true},
    [DAS_A_STOP_TASK] = {"das:clouddba:stopKillTask", true},
    [DAS_A_DELETE_PROCESS] = {"das:clouddba:deleteProcess", true},
    [DAS_A_CHANGE_SWITCH] = {"das:clouddba:changeKillTaskSwitch", true},
    [DAS_A_LIST_APPROVAL] = {"das:clouddba:listApproval", false},
    [DAS_A_DECIDE_APPROVAL] = {"das:clouddba:decideApproval", true},
};

int das_action_find(struct das_text name)
{
    for (int i = 0; i < DAS_A_COUNT; i++) {
        if (das_text_is(name, das_actions[i].name) ||
            das_text_is(name, strrchr(das_actions[i].name, ':') + 1))
            return i;
    }
    return -1;
}

/* "*" stands for whole parts at the end only: "*", "das:*", "das:clouddba:*". */
static bool matches(struct das_text pattern, const char *action)
{
    size_t n = pattern.len;

    if (n == 0 || pattern.ptr[n - 1] != '*')
        return das_text_is(pattern, action);
    return n == 1 || (pattern.ptr[n - 2] == ':' && strncmp(action, pattern.ptr, n - 1) == 0);
}

bool das_action_allowed(const char *list, const char *action)
{
    while (*list) {
        size_t n = strcspn(list, " ");
        if (n && matches(das_text(list, n), action))
            return true;
        list += n + (list[n] == ' ');
    }
    return false;
}
