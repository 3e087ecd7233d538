/*
 * call.h - one request on its way through the server: who asks, about which instance, what for, and
 * the answer. What the files of this room that answer requests share; nobody outside includes it.
 *
 *   serve.c      starts and ends everything
 *   dispatch.c   one request: gate, route, key, project, instance, handler, log
 *   route.c      which method and path means which handler and needs which action
 *   input.c      fields of bodies and queries, with the API's error codes
 *   answer_*.c   the handlers
 */
#ifndef DAS_SERVE_CALL_H
#define DAS_SERVE_CALL_H

#include <jansson.h>
#include <pthread.h>

#include "core/cloud/sign.h"
#include "core/serve/action.h"
#include "core/serve/approver.h"
#include "core/serve/auth.h"
#include "core/serve/fleet.h"
#include "core/serve/hook_desk.h"
#include "core/serve/httpd.h"
#include "core/serve/keeper.h"
#include "core/serve/killer.h"
#include "core/serve/metrics.h"
#include "core/serve/news.h"
#include "core/serve/refusal.h"
#include "core/serve/runbooks.h"
#include "core/serve/schedule.h"
#include "core/serve/serve.h"
#include "core/store/store.h"

#define DAS_PROJECT_DEFAULT "00000000000000000000000000000000"
#define DAS_REGION_DEFAULT "local"

/* What all requests have in common. */
struct das_server {
    const struct das_serve_opts *opts;
    const char *project; /* the one that paths name */
    struct das_fleet *fleet;
    struct das_auth *auth;
    struct das_keeper *keeper;
    struct das_runbooks *runbooks; /* or NULL */
    struct das_metrics *metrics;
    struct das_httpd *httpd;
    struct das_killer killer;
    atomic_int cancel; /* of kills */
    atomic_int draining;
    bool keyless; /* hooks or policies keep it busy, also without any key */
    pthread_mutex_t desk_lock;
    struct das_store *desk; /* for lists of tasks, the switch, the history: one thread at a time */
    struct das_news *news;
    struct das_schedule *schedule; /* NULL: no policy runs by itself */
    struct das_approver *approver;
    struct das_hook_desk *hooks; /* NULL: there are none */
    int64_t started_ms; /* Unix */
};

struct das_route;

struct das_call {
    struct das_server *server;
    const struct das_httpd_request *http;
    struct das_sign_target target; /* decoded */
    char request_id[72];
    const struct das_route *route;     /* NULL: none was found */
    struct das_hook_taken taken;       /* hook not NULL: the path is one of a hook */
    struct das_text project, instance; /* of the path; NULL: it names none */
    struct das_caller caller;
    struct das_member *member; /* or NULL */
    json_t *body;              /* an object, or NULL: there was none */
    int64_t until_ms;          /* monotonic: how long it may take */
    const char *type;          /* of the answer; NULL: JSON */
    int status;                /* of a good answer; 0: 200 */
    struct das_buf answer;
    struct das_refusal refusal;
};

/* Answers: 0, or -1 with call->refusal. */
typedef int das_handler_fn(struct das_call *call);

/* --- serve.c ---------------------------------------------------------------------------------- */

/* All but the door, so that requests can be handed to das_dispatch() without a network. To be
 * closed also after an error. */
int das_server_open(struct das_server *s, const struct das_serve_opts *opts, struct das_err *err);
/* False: a policy is left behind and uses what belongs to s, which was not freed. */
bool das_server_close(struct das_server *s);
/* What became of a plan's victims, into the metrics. policy: "task" or "kill"; r NULL: nobody was
 * there. */
void das_count_outcomes(struct das_server *s, const char *policy, const struct das_report *r);

/* --- route.c ---------------------------------------------------------------------------------- */

struct das_route {
    const char *method;
    const char *path;       /* "/v3/{project_id}/instances/{instance_id}/processes" */
    const char *allow;      /* for 405 and OPTIONS */
    const char *name;       /* for log and metrics: "preview" */
    enum das_action action; /* that the key needs; one that writes wants a fresh signature */
    das_handler_fn *handler;
    bool body; /* a JSON object is expected; else a body is not looked at */
};

/* The route of method and path; a HEAD is a GET. NULL: none; *allow is then NULL when there is no
 * such path, else what it allows. Fills project and instance from the path. */
const struct das_route *das_route_find(struct das_text method, struct das_text path,
                                       struct das_text *project, struct das_text *instance,
                                       const char **allow);
const struct das_route *das_route_at(size_t i); /* all of them, then NULL: for metrics and tests */

/* --- dispatch.c ------------------------------------------------------------------------------- */

/* A das_httpd_fn; arg is the struct das_server. */
void das_dispatch(void *arg, const struct das_httpd_request *r, struct das_httpd_answer *out);

/* An error from below in the API's words. Returns -1. */
int das_refuse_err(struct das_call *call, const struct das_err *err);
/* 400 DAS.200100 "The parameter is invalid. ..." Returns -1. */
int das_refuse_parameter(struct das_call *call, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "NAME (ID)" of the caller, for the journal. */
void das_call_who(const struct das_call *call, char *out, size_t size);

/* The store for lists, one caller at a time; never NULL. */
struct das_store *das_desk_take(struct das_server *s);
void das_desk_return(struct das_server *s);

/* One event that is no request, into the log: "info", what happened. */
void das_serve_say(const struct das_server *s, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- answer_approval.c -------------------------------------------------------------------------- */

/* The vote of the person that the caller's key is, into result; what follows from it is done by the
 * approver. ballot has all but the person. Refused (403): the key is nobody's, or may not. */
int das_call_vote(struct das_call *call, const struct das_approval *a, struct das_ballot *ballot,
                  struct das_ballot_result *result);

/* --- input.c: 0, or -1 with call->refusal naming the field ------------------------------------ */

struct das_bounds {
    int64_t least, most;
    bool required;
};

/* Of the body: a string; null, "" and absent are NULL. */
int das_body_text(struct das_call *call, const char *key, bool required, struct das_text *out);
/* A whole number; *out is left as it is where it is absent or null and not required. */
int das_body_int(struct das_call *call, const char *key, struct das_bounds bounds, int64_t *out);
/* A whole number, as a number or as text. */
int das_body_id(struct das_call *call, const char *key, int64_t *out);
/* What a preview looks for, or a task (then time, duration and type are required), into t, and as a
 * filter that the caller releases. NULL: refused. */
struct das_filter *das_body_criteria(struct das_call *call, bool task, struct das_task *t);

/* Of the query; code: of the error. A name that is there twice is refused. */
int das_query_text(struct das_call *call, const char *name, const char *code, bool required,
                   struct das_text *out);
int das_query_int(struct das_call *call, const char *name, const char *code,
                  struct das_bounds bounds, int64_t *out);

/* The instance with that id becomes the call's; refused when there is none or the caller may not.
 * The dispatcher has done it for the one of the path. */
int das_call_member(struct das_call *call, struct das_text id);
/* May the caller do what it asks for on m (NULL: what is about no instance)? */
bool das_call_may(const struct das_call *call, const struct das_member *m);

/* Is that the one database user of the call's instance? Of the query or the body. */
int das_call_db_user(struct das_call *call, struct das_text id);
/* Is the kill task switch of the call's instance on? */
int das_call_switch(struct das_call *call, bool *on);

/* --- answer_*.c ------------------------------------------------------------------------------- */

das_handler_fn das_answer_preview, das_answer_processes, das_answer_process_list;
das_handler_fn das_answer_task_create, das_answer_task_stop, das_answer_tasks, das_answer_history,
    das_answer_switch_get, das_answer_switch_set;
das_handler_fn das_answer_kill_process, das_answer_delete_process, das_answer_kill_all;
das_handler_fn das_answer_instances, das_answer_nodes, das_answer_db_users, das_answer_versions,
    das_answer_version;
das_handler_fn das_answer_approvals, das_answer_approval_decide, das_answer_approval_page,
    das_answer_approval_form, das_answer_message_page;
das_handler_fn das_answer_livez, das_answer_readyz, das_answer_metrics;

#endif
