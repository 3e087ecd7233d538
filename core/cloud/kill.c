/* kill.c - the calls that end sessions, or let the cloud do so (see kill.h). */
#include "core/cloud/kill.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cloud/api_impl.h"

/* A write whose answer is {"success":true} or nothing at all. */
static int order(struct das_cloud *c, const struct das_cloud_place *place,
                 const struct das_cloud_ask *ask, struct das_cloud_call *call, struct das_err *err)
{
    json_t *json;
    int rc = das_cloud_perform(c, place, ask, call, &json, err);

    if (rc == 0 && (rc = das_api_success(json, err)) < 0)
        das_err_prefix(err, "%s", ask->doing);
    json_decref(json);
    return rc;
}

/* --- sessions --------------------------------------------------------------------------------------- */

int das_cloud_kill(struct das_cloud *c, const struct das_cloud_place *place, const char *engine,
                   int64_t id, struct das_text user, struct das_cloud_call *call, int64_t *count,
                   struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "kill process",
                                .action = "das:clouddba:deleteProcess",
                                .method = "POST",
                                .path = "/v3/{project_id}/instances/{instance_id}/kill-process",
                                .effect = DAS_CLOUD_WRITES};
    struct das_buf body = {0};
    struct das_err ignored;
    json_t *json = NULL;
    int rc = -1;

    *count = DAS_CLOUD_NOT_TOLD;
    das_buf_char(&body, '{');
    das_json_key_text(&body, "engine_type", das_text_of(engine));
    das_json_key(&body, "processes");
    das_buf_str(&body, "[{");
    das_json_key_int(&body, "id", id);
    das_json_key_text(&body, "user", user.ptr ? user : das_text("", 0));
    das_buf_str(&body, "}]}");
    if (das_buf_ok(&body, err) == 0) {
        ask.body = das_buf_view(&body);
        rc = das_cloud_perform(c, place, &ask, call, &json, err);
    }
    if (rc == 0 && (rc = das_api_success(json, err)) < 0)
        das_err_prefix(err, "%s", ask.doing);
    /* some answer with an empty text instead of a count */
    if (rc == 0 && json_is_object(json) && das_api_int(json, "count", count, &ignored) < 0)
        *count = DAS_CLOUD_NOT_TOLD;
    json_decref(json);
    das_buf_clear(&body);
    return rc;
}

int das_cloud_kill_ids(struct das_cloud *c, const struct das_cloud_place *place,
                       const char *db_user_id, const int64_t *ids, size_t n,
                       struct das_cloud_call *call, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "kill processes",
                                .action = "das:clouddba:deleteProcess",
                                .method = "DELETE",
                                .path = "/v3/{project_id}/instances/{instance_id}/process",
                                .effect = DAS_CLOUD_WRITES,
                                .language = true};
    struct das_buf body = {0};
    char text[24];
    int rc = -1;

    /* an empty list might be read as "all of them" */
    if (n == 0)
        return das_fail(err, DAS_E_USAGE, "kill processes: expected at least one id");
    das_buf_char(&body, '{');
    das_json_key_text(&body, "db_user_id", das_text_of(db_user_id));
    das_json_key(&body, "process_ids");
    das_buf_char(&body, '[');
    for (size_t i = 0; i < n; i++) {
        das_json_comma(&body);
        snprintf(text, sizeof text, "%" PRId64, ids[i]);
        das_json_str(&body, text);
    }
    das_buf_str(&body, "]}");
    if (das_buf_ok(&body, err) == 0) {
        ask.body = das_buf_view(&body);
        rc = order(c, place, &ask, call, err);
    }
    das_buf_clear(&body);
    return rc;
}

int das_cloud_kill_all(struct das_cloud *c, const struct das_cloud_place *place,
                       const char *confirm, struct das_cloud_call *call, struct das_err *err)
{
    const struct das_cloud_ask ask = {.doing = "kill all sessions",
                                      .action = "das:clouddba:deleteProcess",
                                      .method = "POST",
                                      .path = DAS_AUTO_FLOW "kill-all-session",
                                      .effect = DAS_CLOUD_WRITES};

    if (!confirm || !place->instance || strcmp(confirm, place->instance) != 0)
        return das_fail(err, DAS_E_USAGE, "kill all sessions: confirm: expected the instance's id "
                                          "%.40s",
                        place->instance ? place->instance : "");
    return order(c, place, &ask, call, err);
}

/* --- tasks ------------------------------------------------------------------------------------------ */

static bool same_text(struct das_text asked, struct das_text has)
{
    return asked.len == has.len && (!asked.len || memcmp(asked.ptr, has.ptr, asked.len) == 0);
}

/* A manual one has none that counts, and older lists do not tell it. */
static bool same_duration(const struct das_cloud_task *t, const struct das_cloud_criteria *c)
{
    return t->task_duration == c->task_duration || t->task_duration == DAS_CLOUD_NOT_TOLD ||
           strcmp(c->task_type, "manual") == 0;
}

static bool is_as_asked(const struct das_cloud_task *t, const struct das_cloud_criteria *c)
{
    return same_text(c->user, t->user) && same_text(c->host, t->host) && same_text(c->db, t->db) &&
           das_text_ieq(c->command.len ? c->command : das_text("", 0),
                        t->command.len ? t->command : das_text("", 0)) &&
           same_text(c->info, t->info) && c->time == t->time &&
           das_text_is(t->task_type, c->task_type) && same_duration(t, c);
}

static bool is_among(const struct das_cloud_answer *tasks, int64_t id)
{
    for (size_t i = 0; i < tasks->list.count; i++) {
        const struct das_cloud_task *t = das_cloud_item(&tasks->list, i);
        if (t->task_id == id)
            return true;
    }
    return false;
}

/* The one task that is new and as it was asked for; else none. */
static void keep_the_new_one(struct das_cloud_answer *after, const struct das_cloud_answer *before,
                             const struct das_cloud_criteria *criteria)
{
    struct das_cloud_task *items = after->list.items;
    size_t found = 0;

    for (size_t i = 0; i < after->list.count; i++) {
        if (is_as_asked(&items[i], criteria) && !is_among(before, items[i].task_id))
            items[found++] = items[i];
    }
    after->list.count = found == 1 ? 1 : 0;
}

static int check_criteria(const struct das_cloud_criteria *c, struct das_err *err)
{
    if (c->time < 1 || c->time > INT32_MAX)
        return das_fail(err, DAS_E_USAGE, "create kill task: time: expected 1 to %d seconds",
                        INT32_MAX);
    if (c->task_duration < 10 || c->task_duration > 31535999)
        return das_fail(err, DAS_E_USAGE, "create kill task: task_duration: expected 10 to 31535999 "
                                          "seconds");
    if (!c->task_type ||
        (strcmp(c->task_type, "auto") != 0 && strcmp(c->task_type, "manual") != 0))
        return das_fail(err, DAS_E_USAGE, "create kill task: task_type: expected \"auto\" or "
                                          "\"manual\"");
    return 0;
}

int das_cloud_task_create(struct das_cloud *c, const struct das_cloud_place *place,
                          const struct das_cloud_criteria *criteria, struct das_cloud_call *call,
                          struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "create kill task",
                                .action = "das:clouddba:createKillTask",
                                .method = "PUT",
                                .path = DAS_AUTO_FLOW "add-kill-process-task",
                                .effect = DAS_CLOUD_WRITES};
    struct das_cloud_answer before = {0};
    struct das_cloud_call look = {.patience = call->patience};
    struct das_buf body = {0};
    struct das_err ignored;
    int rc = -1;

    memset(out, 0, sizeof *out);
    if (check_criteria(criteria, err) < 0)
        return -1;
    das_cloud_criteria_json(criteria, &body);
    if (das_buf_ok(&body, err) < 0)
        goto done;
    /* without this look the new one could not be told from an older one like it */
    if (das_cloud_tasks(c, place, call, &before, err) < 0) {
        das_err_prefix(err, "create kill task: not sent");
        goto done;
    }
    ask.body = das_buf_view(&body);
    rc = order(c, place, &ask, call, err);
    if (rc < 0 && !call->unknown)
        goto done;
    if (das_cloud_tasks(c, place, &look, out, &ignored) == 0)
        keep_the_new_one(out, &before, criteria);
    else
        das_cloud_answer_clear(out);
done:
    das_cloud_answer_clear(&before);
    das_buf_clear(&body);
    return rc;
}

int das_cloud_task_stop(struct das_cloud *c, const struct das_cloud_place *place, int64_t task_id,
                        struct das_cloud_call *call, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "stop kill task",
                                .action = "das:clouddba:stopKillTask",
                                .method = "POST",
                                .path = DAS_AUTO_FLOW "terminate-kill-process-task",
                                .effect = DAS_CLOUD_WRITES};
    char body[60];

    /* the table of the API says text, its example has a number; texts are what is declared */
    snprintf(body, sizeof body, "{\"task_id\":\"%" PRId64 "\"}", task_id);
    ask.body = das_text_of(body);
    return order(c, place, &ask, call, err);
}

/* --- the switch ------------------------------------------------------------------------------------- */

#define LOOK_FIRST_MS 250
#define LOOK_LONGEST_MS 2000

int das_cloud_switch_set(struct das_cloud *c, const struct das_cloud_place *place, bool on,
                         int64_t wait_ms, struct das_cloud_call *call, enum das_cloud_switch *now,
                         struct das_err *err)
{
    const struct das_cloud_ask ask = {.doing = "set kill task switch",
                                      .action = "das:clouddba:changeKillTaskSwitch",
                                      .method = "POST",
                                      .path = DAS_AUTO_FLOW "set-kill-process-task-switch",
                                      .effect = DAS_CLOUD_WRITES,
                                      .body = das_text_of(on ? "{\"status\":\"on\"}"
                                                             : "{\"status\":\"off\"}")};
    struct das_cloud_call look = {.patience = call->patience};
    enum das_cloud_switch wanted = on ? DAS_CLOUD_ON : DAS_CLOUD_OFF;
    int64_t until, pause = LOOK_FIRST_MS;

    *now = DAS_CLOUD_SWITCHING;
    if (order(c, place, &ask, call, err) < 0)
        return -1;
    until = das_clock_monotonic_ms() + wait_ms;
    for (;;) {
        if (das_cloud_switch_get(c, place, &look, now, err) < 0) {
            call->unknown = true;
            das_err_prefix(err, "set kill task switch: accepted, but");
            return -1;
        }
        if (*now == wanted)
            return 0;
        if (das_clock_monotonic_ms() + pause > until || das_patience_left(&call->patience) <= pause)
            break;
        das_clock_sleep_ms(pause);
        pause = pause * 2 < LOOK_LONGEST_MS ? pause * 2 : LOOK_LONGEST_MS;
    }
    if (*now == DAS_CLOUD_SWITCHING)
        return 0; /* accepted, and still on its way: *now says so */
    call->unknown = true;
    return das_fail(err, DAS_E_TIMEOUT, "set kill task switch: accepted, but it is still %s",
                    das_cloud_switch_name(*now));
}
