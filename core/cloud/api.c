/* api.c - preview, kill tasks, their history and switch: the auto-flow family (see api.h), and what
 * all typed calls share. */
#include "core/cloud/api_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"

/* --- shared ----------------------------------------------------------------------------------------- */

void das_params_text(struct das_params *p, const char *name, const char *value)
{
    if (value)
        p->pairs[p->count++] = (struct das_sign_pair){das_text_of(name), das_text_of(value)};
}

void das_params_int(struct das_params *p, const char *name, int64_t value)
{
    char *number = p->numbers[p->count];

    snprintf(number, sizeof p->numbers[0], "%" PRId64, value);
    das_params_text(p, name, number);
}

int das_api_get(struct das_cloud *c, const struct das_cloud_place *place, struct das_cloud_ask *ask,
                const struct das_params *params, struct das_cloud_call *call, json_t **json,
                struct das_err *err)
{
    ask->method = "GET";
    ask->effect = DAS_CLOUD_READS;
    if (params) {
        ask->query = params->pairs;
        ask->query_count = params->count;
    }
    return das_cloud_perform(c, place, ask, call, json, err);
}

int das_api_int(const json_t *json, const char *name, int64_t *out, struct das_err *err)
{
    const struct das_shape_field field = {name, name, DAS_SHAPE_INT, false, 0, NULL};
    const struct das_shape shape = {"answer", sizeof *out, &field, 1};

    return das_shape_read(&shape, json, out, NULL, err);
}

int das_api_list(struct das_cloud_answer *out, const struct das_shape *shape, json_t *json,
                 const char *name, const char *total, struct das_err *err)
{
    const json_t *list = json_object_get(json, name);

    out->json = json;
    out->list.shape = shape;
    out->total = DAS_CLOUD_NOT_TOLD;
    if (!json_is_object(json))
        return das_fail(err, DAS_E_DATA, "the answer is %s, expected an object with \"%s\"",
                        json ? "no object" : "empty", name);
    if (total && das_api_int(json, total, &out->total, err) < 0)
        return -1;
    if (!list && out->total != 0)
        return das_fail(err, DAS_E_DATA, "the answer has no \"%s\"", name);
    return das_shape_read_list(shape, list, &out->list, &out->arena, err);
}

int das_api_success(const json_t *json, struct das_err *err)
{
    const json_t *v = json_object_get(json, "success");

    if (v && json_is_false(v))
        return das_fail(err, DAS_E_USAGE, "the API answered \"success\": false and no reason");
    return 0;
}

void das_cloud_answer_clear(struct das_cloud_answer *a)
{
    json_decref(a->json);
    das_arena_clear(&a->arena);
    memset(a, 0, sizeof *a);
}

/* --- preview ---------------------------------------------------------------------------------------- */

static const struct das_shape_field process_fields[] = {
    DAS_FIELD(das_cloud_process, id, "id", DAS_SHAPE_INT, true),
    DAS_FIELD(das_cloud_process, user, "user", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_process, host, "host", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_process, db, "db|database", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_process, command, "command", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_process, state, "state", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_process, sql_info, "sql_info|sql|info", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_process, state_duration, "state_duration|time", DAS_SHAPE_SECONDS, false),
    DAS_FIELD(das_cloud_process, trx_time, "trx_executed_time|trx_duration", DAS_SHAPE_SECONDS, false),
};
const struct das_shape das_cloud_process_shape = DAS_SHAPE("process", das_cloud_process, process_fields);

static void put_text(struct das_buf *b, const char *key, struct das_text t)
{
    if (t.len)
        das_json_key_text(b, key, t);
}

#define DURATION_LEAST 10

void das_cloud_criteria_json(const struct das_cloud_criteria *c, struct das_buf *b)
{
    das_buf_char(b, '{');
    put_text(b, "user", c->user);
    put_text(b, "host", c->host);
    put_text(b, "db", c->db);
    put_text(b, "command", c->command);
    put_text(b, "info", c->info);
    das_json_key_int(b, "time", c->time);
    das_json_key_int(b, "task_duration", c->task_duration ? c->task_duration : DURATION_LEAST);
    das_json_key_text(b, "task_type", das_text_of(c->task_type ? c->task_type : "auto"));
    das_buf_char(b, '}');
}

void das_cloud_preview_clear(struct das_cloud_preview *p)
{
    das_cloud_answer_clear(&p->processes);
    p->data_sync_time = DAS_CLOUD_NOT_TOLD;
}

int das_api_preview(struct das_cloud_preview *out, json_t *json, struct das_err *err)
{
    static const struct das_shape_field field = {"data_sync_time", "data_sync_time", DAS_SHAPE_MOMENT,
                                                 false, 0, NULL};
    static const struct das_shape shape = {"preview", sizeof(int64_t), &field, 1};

    /* "success": false stands in good answers, too */
    if (das_api_list(&out->processes, &das_cloud_process_shape, json, "processes", "total_count",
                     err) < 0 ||
        das_shape_read(&shape, json, &out->data_sync_time, NULL, err) < 0)
        return -1;
    if (out->processes.total == DAS_CLOUD_NOT_TOLD)
        return das_fail(err, DAS_E_DATA, "total_count: expected a whole number, got nothing");
    if (out->processes.total < 0 || (uint64_t)out->processes.total < out->processes.list.count)
        return das_fail(err, DAS_E_DATA, "total_count: expected at least the %zu processes that the "
                                         "answer has, got %" PRId64,
                        out->processes.list.count, out->processes.total);
    return 0;
}

int das_cloud_preview(struct das_cloud *c, const struct das_cloud_place *place,
                      const struct das_cloud_criteria *criteria, struct das_cloud_call *call,
                      struct das_cloud_preview *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "preview",
                                .action = "das:clouddba:listProcess",
                                .method = "POST",
                                .path = DAS_AUTO_FLOW "preview-session-for-kill-process-task",
                                .effect = DAS_CLOUD_READS};
    struct das_buf body = {0};
    json_t *json = NULL;
    int rc = -1;

    memset(out, 0, sizeof *out);
    out->data_sync_time = DAS_CLOUD_NOT_TOLD;
    das_cloud_criteria_json(criteria, &body);
    if (das_buf_ok(&body, err) == 0) {
        ask.body = das_buf_view(&body);
        rc = das_cloud_perform(c, place, &ask, call, &json, err);
    }
    if (rc == 0 && (rc = das_api_preview(out, json, err)) < 0)
        das_err_prefix(err, "preview");
    das_buf_clear(&body);
    return rc;
}

/* --- kill tasks ------------------------------------------------------------------------------------- */

static const struct das_shape_field task_fields[] = {
    DAS_FIELD(das_cloud_task, task_id, "task_id", DAS_SHAPE_INT, true),
    DAS_FIELD(das_cloud_task, user, "user", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_task, host, "host", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_task, db, "db", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_task, command, "command", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_task, info, "info", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_task, time, "time", DAS_SHAPE_SECONDS, false),
    DAS_FIELD(das_cloud_task, task_type, "task_type", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_task, task_duration, "task_duration", DAS_SHAPE_SECONDS, false),
    DAS_FIELD(das_cloud_task, task_state, "task_state", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_task, start_time, "start_time", DAS_SHAPE_MS, false),
    DAS_FIELD(das_cloud_task, end_time, "end_time", DAS_SHAPE_MS, false),
};
const struct das_shape das_cloud_task_shape = DAS_SHAPE("kill task", das_cloud_task, task_fields);

int das_cloud_tasks(struct das_cloud *c, const struct das_cloud_place *place,
                    struct das_cloud_call *call, struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "list kill tasks",
                                .action = "das:clouddba:listKillTaskRecord",
                                .path = DAS_AUTO_FLOW "query-kill-process-task"};
    json_t *json;

    memset(out, 0, sizeof *out);
    if (das_api_get(c, place, &ask, NULL, call, &json, err) < 0)
        return -1;
    if (das_api_list(out, &das_cloud_task_shape, json, "sql_killing_task_resp_list", NULL, err) == 0)
        return 0;
    das_err_prefix(err, "list kill tasks");
    return -1;
}

static const struct das_shape_field killed_fields[] = {
    DAS_FIELD(das_cloud_killed, instance_id, "instance_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, node_id, "node_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, task_id, "task_id", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_killed, session_id, "session_id", DAS_SHAPE_INT, true),
    DAS_FIELD(das_cloud_killed, user, "user", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, host, "host", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, db, "db", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, command, "command", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, time, "time", DAS_SHAPE_SECONDS, false),
    DAS_FIELD(das_cloud_killed, state, "state", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, info, "info", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_killed, kill_time, "kill_time", DAS_SHAPE_MS, false),
    DAS_FIELD(das_cloud_killed, killed_source, "killed_source", DAS_SHAPE_TEXT, false),
};
const struct das_shape das_cloud_killed_shape = DAS_SHAPE("killed session", das_cloud_killed,
                                                      killed_fields);

int das_cloud_history(struct das_cloud *c, const struct das_cloud_place *place,
                      const struct das_cloud_span *span, int page, struct das_cloud_call *call,
                      struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "kill history",
                                .action = "das:clouddba:listProcess",
                                .path = DAS_AUTO_FLOW "query-kill-process-history"};
    struct das_params params = {.count = 0};
    json_t *json;

    memset(out, 0, sizeof *out);
    if (span->from_ms < 0 || span->to_ms < span->from_ms)
        return das_fail(err, DAS_E_USAGE, "kill history: from and to: expected Unix milliseconds, "
                                          "from not after to");
    if (page < 1)
        return das_fail(err, DAS_E_USAGE, "kill history: page: expected 1 or more, got %d", page);
    das_params_text(&params, "node_id", span->node_id);
    das_params_int(&params, "start_time", span->from_ms);
    das_params_int(&params, "end_time", span->to_ms);
    das_params_int(&params, "page_num", page);
    das_params_int(&params, "page_size", DAS_CLOUD_HISTORY_PAGE);
    if (das_api_get(c, place, &ask, &params, call, &json, err) < 0)
        return -1;
    if (das_api_list(out, &das_cloud_killed_shape, json, "killed_sessions", "total_count", err) == 0)
        return 0;
    das_err_prefix(err, "kill history");
    return -1;
}

const char *das_cloud_switch_name(enum das_cloud_switch s)
{
    static const char *const names[] = {"off", "on", "switching"};

    return names[s];
}

int das_cloud_switch_get(struct das_cloud *c, const struct das_cloud_place *place,
                         struct das_cloud_call *call, enum das_cloud_switch *out,
                         struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "kill task switch",
                                .action = "das:clouddba:showKillTaskSwitch",
                                .path = DAS_AUTO_FLOW "get-kill-process-task-switch"};
    const char *status;
    json_t *json;
    int rc = 0;

    *out = DAS_CLOUD_OFF;
    if (das_api_get(c, place, &ask, NULL, call, &json, err) < 0)
        return -1;
    status = json_string_value(json_object_get(json, "status"));
    for (int i = DAS_CLOUD_OFF; status && i <= DAS_CLOUD_SWITCHING; i++) {
        *out = (enum das_cloud_switch)i;
        if (das_text_iis(das_text_of(status), das_cloud_switch_name(*out)))
            goto done;
    }
    rc = das_fail(err, DAS_E_DATA, "kill task switch: status: expected ON, OFF or switching, got %s",
                  status ? "another word" : "no word");
done:
    json_decref(json);
    return rc;
}
