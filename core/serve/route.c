/* route.c - see call.h: the table of all that can be asked. Source: the API reference of Huawei
 * Cloud DAS. */
#include "core/serve/call.h"

#define INSTANCE "/v3/{project_id}/instances/{instance_id}/"
#define AUTO_FLOW INSTANCE "auto-flow/"
#define GETS "GET, HEAD, OPTIONS"
#define POSTS "POST, OPTIONS"

static const struct das_route routes[] = {
    {"POST", AUTO_FLOW "preview-session-for-kill-process-task", POSTS, "preview",
     "das:clouddba:listProcess", das_answer_preview, DAS_ROUTE_BODY},
    {"PUT", AUTO_FLOW "add-kill-process-task", "PUT, OPTIONS", "create_kill_task",
     "das:clouddba:createKillTask", das_answer_task_create, DAS_ROUTE_BODY | DAS_ROUTE_WRITES},
    {"POST", AUTO_FLOW "terminate-kill-process-task", POSTS, "stop_kill_task",
     "das:clouddba:stopKillTask", das_answer_task_stop, DAS_ROUTE_BODY | DAS_ROUTE_WRITES},
    {"GET", AUTO_FLOW "query-kill-process-task", GETS, "list_kill_tasks",
     "das:clouddba:listKillTaskRecord", das_answer_tasks, 0},
    {"GET", AUTO_FLOW "query-kill-process-history", GETS, "kill_history",
     "das:clouddba:listProcess", das_answer_history, 0},
    {"POST", AUTO_FLOW "kill-all-session", POSTS, "kill_all_sessions", "das:clouddba:deleteProcess",
     das_answer_kill_all, DAS_ROUTE_WRITES},
    {"GET", AUTO_FLOW "get-kill-process-task-switch", GETS, "get_switch",
     "das:clouddba:showKillTaskSwitch", das_answer_switch_get, 0},
    {"POST", AUTO_FLOW "set-kill-process-task-switch", POSTS, "set_switch",
     "das:clouddba:changeKillTaskSwitch", das_answer_switch_set, DAS_ROUTE_BODY | DAS_ROUTE_WRITES},
    {"POST", INSTANCE "kill-process", POSTS, "kill_process", "das:clouddba:deleteProcess",
     das_answer_kill_process, DAS_ROUTE_BODY | DAS_ROUTE_WRITES},
    {"DELETE", INSTANCE "process", "DELETE, OPTIONS", "delete_process",
     "das:clouddba:deleteProcess", das_answer_delete_process, DAS_ROUTE_BODY | DAS_ROUTE_WRITES},
    {"GET", INSTANCE "processes", GETS, "list_processes", "das::showCloudDBAInfo",
     das_answer_processes, 0},
    {"GET", INSTANCE "query-process-list", GETS, "query_process_list", "das:clouddba:listProcess",
     das_answer_process_list, 0},
    {"GET", INSTANCE "db-users", GETS, "list_db_users", "das:clouddba:listDbUser",
     das_answer_db_users, 0},
    {"GET", "/v3/{project_id}/instances", GETS, "list_instances", "das:clouddba:listInstances",
     das_answer_instances, 0},
    {"GET", "/v3/{project_id}/instance/nodes-info", GETS, "list_nodes",
     "das:clouddba:listInstances", das_answer_nodes, 0},
    {"GET", "/das", GETS, "versions", NULL, das_answer_versions, DAS_ROUTE_OPEN},
    {"GET", "/das/{version}", GETS, "version", NULL, das_answer_version, DAS_ROUTE_OPEN},
    {"GET", "/livez", GETS, "livez", NULL, das_answer_livez, DAS_ROUTE_OPEN},
    {"GET", "/readyz", GETS, "readyz", NULL, das_answer_readyz, DAS_ROUTE_OPEN},
    {"GET", "/healthz", GETS, "readyz", NULL, das_answer_readyz, DAS_ROUTE_OPEN},
    {"GET", "/metrics", GETS, "metrics", NULL, das_answer_metrics, DAS_ROUTE_OPEN},
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
                *instance = got; /* or the version of the API */
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
