/* route.c - see call.h: the table of all that can be asked. Source: the API reference of Huawei
 * Cloud DAS. */
#include "core/serve/call.h"

#define INSTANCE "/v3/{project_id}/instances/{instance_id}/"
#define AUTO_FLOW INSTANCE "auto-flow/"
#define GETS "GET, HEAD, OPTIONS"
#define POSTS "POST, OPTIONS"

static const struct das_route routes[] = {
    {"POST", AUTO_FLOW "preview-session-for-kill-process-task", POSTS, "preview",
     DAS_A_LIST_PROCESS, das_answer_preview, true},
    {"PUT", AUTO_FLOW "add-kill-process-task", "PUT, OPTIONS", "create_kill_task",
     DAS_A_CREATE_TASK, das_answer_task_create, true},
    {"POST", AUTO_FLOW "terminate-kill-process-task", POSTS, "stop_kill_task", DAS_A_STOP_TASK,
     das_answer_task_stop, true},
    {"GET", AUTO_FLOW "query-kill-process-task", GETS, "list_kill_tasks", DAS_A_LIST_TASKS,
     das_answer_tasks, false},
    {"GET", AUTO_FLOW "query-kill-process-history", GETS, "kill_history", DAS_A_LIST_PROCESS,
     das_answer_history, false},
    {"POST", AUTO_FLOW "kill-all-session", POSTS, "kill_all_sessions", DAS_A_DELETE_PROCESS,
     das_answer_kill_all, false},
    {"GET", AUTO_FLOW "get-kill-process-task-switch", GETS, "get_switch", DAS_A_SHOW_SWITCH,
     das_answer_switch_get, false},
    {"POST", AUTO_FLOW "set-kill-process-task-switch", POSTS, "set_switch", DAS_A_CHANGE_SWITCH,
     das_answer_switch_set, true},
    {"POST", INSTANCE "kill-process", POSTS, "kill_process", DAS_A_DELETE_PROCESS,
     das_answer_kill_process, true},
    {"DELETE", INSTANCE "process", "DELETE, OPTIONS", "delete_process", DAS_A_DELETE_PROCESS,
     das_answer_delete_process, true},
    {"GET", INSTANCE "processes", GETS, "list_processes", DAS_A_SHOW_INFO, das_answer_processes,
     false},
    {"GET", INSTANCE "query-process-list", GETS, "query_process_list", DAS_A_LIST_PROCESS,
     das_answer_process_list, false},
    {"GET", INSTANCE "db-users", GETS, "list_db_users", DAS_A_LIST_DB_USER, das_answer_db_users,
     false},
    {"GET", "/v3/{project_id}/instances", GETS, "list_instances", DAS_A_LIST_INSTANCE,
     das_answer_instances, false},
    {"GET", "/v3/{project_id}/instance/nodes-info", GETS, "list_nodes", DAS_A_LIST_INSTANCE,
     das_answer_nodes, false},
    {"GET", "/v3/{project_id}/approvals", GETS, "list_approvals", DAS_A_LIST_APPROVAL,
     das_answer_approvals, false},
    {"POST", "/v3/{project_id}/approvals/decide", POSTS, "decide_approval", DAS_A_DECIDE_APPROVAL,
     das_answer_approval_decide, true},
    {"GET", "/approvals/{token}", "GET, HEAD, POST, OPTIONS", "approval_page", DAS_A_NONE,
     das_answer_approval_page, false},
    {"POST", "/approvals/{token}", "GET, HEAD, POST, OPTIONS", "approval_form", DAS_A_NONE,
     das_answer_approval_form, false},
    {"GET", "/messages/{token}", GETS, "message_page", DAS_A_NONE, das_answer_message_page, false},
    {"GET", "/das", GETS, "versions", DAS_A_NONE, das_answer_versions, false},
    {"GET", "/das/{version}", GETS, "version", DAS_A_NONE, das_answer_version, false},
    {"GET", "/livez", GETS, "livez", DAS_A_NONE, das_answer_livez, false},
    {"GET", "/readyz", GETS, "readyz", DAS_A_NONE, das_answer_readyz, false},
    {"GET", "/healthz", GETS, "readyz", DAS_A_NONE, das_answer_readyz, false},
    {"GET", "/metrics", GETS, "metrics", DAS_A_NONE, das_answer_metrics, false},
};
#define ROUTES (sizeof routes / sizeof *routes)

const struct das_route *das_route_at(size_t i)
{
    return i < ROUTES ? &routes[i] : NULL;
}

/* The segment at *p, which is moved behind it and its slash. False: there is none. */
static bool segment(struct das_text *p, struct das_text *out)
{
    const char *slash;

    if (!p->len || *p->ptr != '/')
        return false;
    p->ptr++;
    p->len--;
    slash = memchr(p->ptr, '/', p->len);
    *out = das_text(p->ptr, slash ? (size_t)(slash - p->ptr) : p->len);
    p->ptr += out->len;
    p->len -= out->len;
    return true;
}

static bool fits(const char *pattern, struct das_text path, struct das_text *project,
                 struct das_text *instance)
{
    struct das_text p = das_text_of(pattern), want, got;

    *project = *instance = DAS_TEXT_NULL;
    while (segment(&p, &want)) {
        if (!segment(&path, &got))
            return false;
        if (want.len && *want.ptr == '{') {
            if (das_text_is(want, "{project_id}"))
                *project = got;
            else
                *instance = got; /* or the version of the API, or a token */
        } else if (!das_text_eq(want, got)) {
            return false;
        }
    }
    return path.len == 0;
}

const struct das_route *das_route_find(struct das_text method, struct das_text path,
                                       struct das_text *project, struct das_text *instance,
                                       const char **allow)
{
    struct das_text as = das_text_is(method, "HEAD") ? das_text_of("GET") : method;
    struct das_text p, i;

    *allow = NULL;
    *project = *instance = DAS_TEXT_NULL;
    for (size_t k = 0; k < ROUTES; k++) {
        if (!fits(routes[k].path, path, &p, &i))
            continue;
        *project = p;
        *instance = i;
        if (das_text_is(as, routes[k].method))
            return &routes[k];
        *allow = routes[k].allow;
    }
    return NULL;
}
