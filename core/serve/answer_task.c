/* answer_task.c - kill tasks, their switch and what was killed (see call.h). The tasks lie in the
 * store, the keeper carries them out. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/serve/call.h"
#include "core/serve/criteria.h"

#define TASKS_MAX 200
#define WHO 100

static int success(struct das_call *call)
{
    das_buf_str(&call->answer, "{\"success\":true}");
    return 0;
}

/* What a task is allowed by the rules of this server: one that could never kill is not taken in. */
static int may_kill(struct das_call *call)
{
    const struct das_killer *k = &call->server->killer;
    char why[400];

    if (k->rules->mode != DAS_POLICY_AUTO)
        return das_refuse(
            &call->refusal, 400, "DAS.200100",
            "Refused. serve.mode of das.lua is %s, so nothing is killed here; expected auto",
            das_policy_mode_name(k->rules->mode));
    if (das_stopped(k->stop_files, why, sizeof why))
        return das_refuse(&call->refusal, 400, "DAS.200100", "Refused. %s", why);
    if (das_source_cannot_kill(das_member_source(call->member)))
        return das_refuse(&call->refusal, 400, "DAS.200100", "Refused. %s",
                          das_source_cannot_kill(das_member_source(call->member)));
    return 0;
}

/* --- create and stop -------------------------------------------------------------------------- */

static int read_task(struct das_call *call, struct das_task *t)
{
    struct das_filter *f = das_body_criteria(call, true, t);

    if (!f)
        return -1;
    das_filter_release(f); /* there is one: the keeper makes its own in each round */
    if (das_criteria_any(t) || t->time)
        return 0;
    return das_refuse_parameter(call,
                                "time: expected 1 or more, or one of user, host, db, command, "
                                "info: a task without any would end every session");
}

int das_answer_task_create(struct das_call *call)
{
    struct das_task t = {.instance = das_member_name(call->member), .running = true};
    struct das_server *s = call->server;
    char who[WHO];
    struct das_err err;
    bool off = false;
    int rc;

    if (read_task(call, &t) < 0 || may_kill(call) < 0)
        return -1;
    das_call_who(call, who, sizeof who);
    t.by = who;
    t.start_ms = das_clock_unix_ms();
    t.end_ms = t.manual ? 0 : t.start_ms + t.duration * 1000;
    rc = das_task_add(das_desk_take(s), &t, &off, &err);
    das_desk_return(s);
    if (rc < 0)
        return das_refuse_err(call, &err);
    if (rc == 0 && off)
        return das_refuse(&call->refusal, 400, "DAS.200100",
                          "Refused. The kill task switch of this instance is off");
    if (rc == 0)
        return das_refuse(
            &call->refusal, 400, "DAS.200100",
            "Refused. %d kill tasks run on this instance already, more are not allowed",
            DAS_TASKS_RUNNING_MAX);
    das_keeper_wake(s->keeper, call->member);
    return success(call);
}

int das_answer_task_stop(struct das_call *call)
{
    struct das_server *s = call->server;
    char who[WHO];
    struct das_err err;
    int64_t id;
    int rc;

    if (das_body_id(call, "task_id", &id) < 0)
        return -1;
    das_call_who(call, who, sizeof who);
    rc = das_task_stop(das_desk_take(s), das_member_name(call->member), id, das_clock_unix_ms(),
                       who, &err);
    das_desk_return(s);
    if (rc < 0)
        return das_refuse_err(call, &err);
    if (rc == 0)
        return das_refuse_parameter(call, "task_id: this instance has no kill task %lld that runs",
                                    (long long)id);
    return success(call);
}

/* --- list ------------------------------------------------------------------------------------- */

static struct das_text set_text(struct das_text t)
{
    return t.ptr ? t : das_text("", 0);
}

/* The API does not say what its numbers of task_state mean. */
enum { STATE_RUNNING = 1, STATE_ENDED = 2 };

static int put_task(void *arg, const struct das_task *t)
{
    struct das_buf *b = arg;

    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "user", set_text(t->user));
    das_json_key_text(b, "host", set_text(t->host));
    das_json_key_text(b, "db", set_text(t->db));
    das_json_key_text(b, "info", set_text(t->info));
    das_json_key_text(b, "command", set_text(t->command));
    das_json_key_int(b, "time", t->time);
    das_json_key_int(b, "task_id", t->id);
    das_json_key_text(b, "task_type", das_text_of(t->manual ? "manual" : "auto"));
    das_json_key_int(b, "task_duration", t->duration);
    das_json_key_int(b, "task_state", t->running ? STATE_RUNNING : STATE_ENDED);
    das_json_key_int(b, "start_time", t->start_ms);
    das_json_key_int(b, "end_time", t->end_ms);
    das_buf_char(b, '}');
    return 0;
}

int das_answer_tasks(struct das_call *call)
{
    struct das_server *s = call->server;
    struct das_store *desk = das_desk_take(s);
    struct das_err err;
    int rc;

    das_buf_str(&call->answer, "{\"sql_killing_task_resp_list\":[");
    /* what nobody has closed yet is over all the same */
    rc = das_task_close_due(desk, das_clock_unix_ms(), &err) < 0 ? -1 : 0;
    if (rc == 0)
        rc = das_task_each(desk, das_member_name(call->member), false, TASKS_MAX, put_task,
                           &call->answer, &err);
    das_desk_return(s);
    das_buf_str(&call->answer, "]}");
    return rc < 0 ? das_refuse_err(call, &err) : 0;
}

/* --- history ---------------------------------------------------------------------------------- */

struct history {
    struct das_call *call;
    struct das_buf *b;
};

static int put_killed(void *arg, const struct das_killed *k)
{
    const struct history *h = arg;
    struct das_buf *b = h->b;

    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "instance_id", das_text_of(das_member_id(h->call->member)));
    das_json_key_text(b, "node_id", das_text_of(das_member_node(h->call->member)));
    if (k->task_id)
        das_json_key_int(b, "task_id", k->task_id);
    das_json_key_int(b, "session_id", k->session_id);
    das_json_key_text(b, "user", k->user);
    das_json_key_text(b, "host", k->host);
    das_json_key_text(b, "db", k->db);
    das_json_key_text(b, "command", k->command);
    if (k->time != INT64_MIN)
        das_json_key_int(b, "time", k->time);
    das_json_key_text(b, "state", k->state);
    das_json_key_text(b, "info", k->info);
    das_json_key_int(b, "kill_time", k->kill_ms);
    das_json_key(b, "killed_source");
    das_buf_printf(b, "\"%s%s\"", k->source, k->unknown ? ", outcome unknown" : "");
    das_buf_char(b, '}');
    return 0;
}

/* The API says milliseconds and, elsewhere, seconds. */
static int64_t moment(int64_t t)
{
    return t < 100000000000 ? t * 1000 : t;
}

static int read_page(struct das_call *call, int64_t *from, int64_t *to, int64_t *page,
                     int64_t *size)
{
    const struct das_bounds when = {0, INT64_MAX / 1000, true}, pages = {1, INT32_MAX, true},
                            sizes = {5, 50, true};

    if (das_query_int(call, "start_time", "DAS.200100", when, from) < 0 ||
        das_query_int(call, "end_time", "DAS.200100", when, to) < 0 ||
        das_query_int(call, "page_num", "DAS.200100", pages, page) < 0 ||
        das_query_int(call, "page_size", "DAS.200100", sizes, size) < 0)
        return -1;
    if (*size != 5 && *size != 10 && *size != 20 && *size != 50)
        return das_refuse_parameter(call, "page_size: expected 5, 10, 20 or 50");
    *from = moment(*from);
    *to = moment(*to);
    if (*to < *from)
        return das_refuse_parameter(call, "end_time: expected it not to be before start_time");
    return 0;
}

int das_answer_history(struct das_call *call)
{
    struct das_server *s = call->server;
    struct history h = {call, &call->answer};
    int64_t from, to, page, size, total = 0;
    struct das_store *desk;
    struct das_text node;
    struct das_err err;
    int rc;

    if (das_query_text(call, "node_id", "DAS.200100", false, &node) < 0 ||
        read_page(call, &from, &to, &page, &size) < 0)
        return -1;
    das_buf_str(h.b, "{\"killed_sessions\":[");
    if (node.ptr && !das_text_is(node, das_member_node(call->member))) {
        das_buf_str(h.b, "],\"total_count\":0}");
        return 0;
    }
    desk = das_desk_take(s);
    rc = das_history_catch_up(desk, &err);
    if (rc == 0)
        rc = das_history_page(desk, das_member_name(call->member), from, to, page, size, put_killed,
                              &h, &total, &err);
    das_desk_return(s);
    das_buf_char(h.b, ']');
    das_json_key_int(h.b, "total_count", total);
    das_buf_char(h.b, '}');
    return rc < 0 ? das_refuse_err(call, &err) : 0;
}

/* --- switch ----------------------------------------------------------------------------------- */

int das_call_switch(struct das_call *call, bool *on)
{
    struct das_server *s = call->server;
    struct das_err err;
    int rc = das_task_switch_get(das_desk_take(s), das_member_name(call->member), on, &err);

    das_desk_return(s);
    return rc < 0 ? das_refuse_err(call, &err) : 0;
}

int das_answer_switch_get(struct das_call *call)
{
    bool on;

    if (das_call_switch(call, &on) < 0)
        return -1;
    das_buf_printf(&call->answer, "{\"status\":\"%s\"}", on ? "ON" : "OFF");
    return 0;
}

int das_answer_switch_set(struct das_call *call)
{
    struct das_server *s = call->server;
    struct das_text status;
    char who[WHO];
    struct das_err err;
    bool on;
    int rc;

    if (das_body_text(call, "status", true, &status) < 0)
        return -1;
    on = das_text_iis(status, "on");
    if (!on && !das_text_iis(status, "off"))
        return das_refuse_parameter(call, "status: expected on or off, got \"%.*s\"",
                                    (int)(status.len < 40 ? status.len : 40), status.ptr);
    das_call_who(call, who, sizeof who);
    rc = das_task_switch_set(das_desk_take(s), das_member_name(call->member), on,
                             das_clock_unix_ms(), who, &err);
    das_desk_return(s);
    return rc < 0 ? das_refuse_err(call, &err) : success(call);
}
