/*
 * cloud_act.c - what das cloud tells the cloud to do (see cloud_cli.h). A person asks for it, so a
 * policy need not have been promoted; every other guard holds (core/plan/act.h).
 */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/cloud_cli.h"
#include "core/cli/shape_text.h"
#include "core/plan/act.h"
#include "core/source/das_cloud.h"

#define POLICY "cloud" /* what counts and breaker are kept by, as for a script its path */
#define WAIT_DEFAULT_MS 30000

static const char *const task_columns[] = {"task_id", "task_type", "time", "-task_duration",
                                           "-start_time", "user", "host", "db", "command", "info",
                                           NULL};

/* --- doing it ------------------------------------------------------------------------------------ */

struct doing {
    struct das_cloud_job *job;
    struct das_act_order order;
    struct das_act_result result;
    struct das_cloud_call call;
    struct das_store *store;
    struct das_vault vault;
    char who[64];
};

static int open_store(struct doing *d, struct das_err *err)
{
    struct das_common *c = &d->job->common;

    if (das_common_need_state(c, err) < 0 || das_store_open(c->state_dir.ptr, &d->store, err) < 0)
        return -1;
    return das_say_unknown("cloud", d->store, err);
}

static int act(struct doing *d, struct das_err *err)
{
    struct das_common *c = &d->job->common;
    struct das_script_rules rules;
    struct das_guard guard = {
        .who = d->who,
        .policy = POLICY,
        .by_person = true,
        .stop_files = (const char *const *)c->stop_files,
        .vault = &d->vault,
    };

    if (d->order.armed && open_store(d, err) < 0)
        return -1;
    das_who(d->who, sizeof d->who);
    das_common_read_secrets(c, &d->vault);
    das_rules_for(&c->rules, NULL, &rules);
    guard.rules = rules.policy;
    guard.store = d->store;
    d->order.instance = d->job->name;
    d->order.cloud = d->job->cloud;
    d->order.place = d->job->place;
    d->order.protect = &c->protect;
    d->order.reason = d->job->value[DAS_CO_REASON];
    d->call = das_cloud_job_call(d->job);
    return das_act(&d->order, &guard, &d->call, &d->result, err);
}

static void doing_clear(struct doing *d)
{
    das_act_result_clear(&d->result);
    das_store_close(d->store);
    das_vault_clear(&d->vault);
}

/* --- telling it ---------------------------------------------------------------------------------- */

static bool is_switch(const struct doing *d)
{
    return d->order.act == DAS_ACT_SWITCH_ON || d->order.act == DAS_ACT_SWITCH_OFF;
}

static bool makes_task(const struct doing *d)
{
    return d->order.act == DAS_ACT_CREATE_TASK;
}

static struct das_shape_rows new_task(const struct doing *d)
{
    return (struct das_shape_rows){&das_cloud_task_shape, &d->result.task.list,
                                   d->result.task.list.count ? 1 : 0};
}

static void put_json(const struct doing *d, struct das_buf *b)
{
    const struct das_act_result *r = &d->result;
    struct das_shape_rows rows = new_task(d);

    das_buf_char(b, '{');
    das_json_key_text(b, "act", das_text_of(das_cloud_act_name(d->order.act)));
    das_json_key_text(b, "instance", das_text_of(d->job->name));
    das_json_key_bool(b, "done", r->done);
    if (r->sessions != DAS_CLOUD_NOT_TOLD)
        das_json_key_int(b, "sessions", r->sessions);
    if (is_switch(d))
        das_json_key_text(b, "switch", das_text_of(das_cloud_switch_name(r->now)));
    if (makes_task(d)) {
        das_json_key(b, "tasks");
        das_shape_json(&rows, b);
    }
    if (!r->done)
        das_json_key_text(b, "would_block",
                          r->would_block[0] ? das_text_of(r->would_block) : DAS_TEXT_NULL);
    das_buf_str(b, "}\n");
}

static void put_table(const struct doing *d, struct das_buf *b)
{
    struct das_shape_rows rows = new_task(d);

    if (is_switch(d))
        das_buf_printf(b, "%s\n", das_cloud_switch_name(d->result.now));
    else if (makes_task(d) && rows.count)
        das_shape_table(&rows, task_columns, das_terminal_width(), b);
}

/* What a server wrote may be in it. */
static void say(const char *words, const char *text)
{
    struct das_buf line = {0};

    das_render_cell(das_text_of(text), 600, &line);
    fprintf(stderr, "das cloud: %s%s\n", words, line.ptr ? line.ptr : "");
    das_buf_clear(&line);
}

/* A task waits for ever while the switch is off. */
static void say_switch(const struct doing *d)
{
    struct das_cloud_call call = das_cloud_job_call(d->job);
    enum das_cloud_switch now;
    struct das_err ignored;

    if (das_cloud_switch_get(d->job->cloud, &d->job->place, &call, &now, &ignored) == 0 &&
        now != DAS_CLOUD_ON)
        fprintf(stderr, "das cloud: the switch is %s: kill tasks do not run; das cloud switch on -i "
                "%s --apply\n", das_cloud_switch_name(now), d->job->name);
}

static void say_dry_run(const struct doing *d)
{
    const struct das_act_result *r = &d->result;
    const char *apply = r->would_block[0] ? "" : "; --apply does it";

    if (makes_task(d))
        fprintf(stderr, "das cloud: dry run: would create a kill task; it would end %lld session%s "
                "now, and those that match later%s\n", (long long)r->sessions,
                r->sessions == 1 ? "" : "s", apply);
    else
        fprintf(stderr, "das cloud: dry run: would turn the switch on, which is %s now%s\n",
                das_cloud_switch_name(r->now), apply);
    if (r->would_block[0])
        say("--apply would be refused: ", r->would_block);
}

static int tell(const struct doing *d, struct das_err *err)
{
    const struct das_act_result *r = &d->result;
    struct das_buf b = {0};
    int rc;

    if (d->job->format == DAS_CF_JSON)
        put_json(d, &b);
    else
        put_table(d, &b);
    rc = das_cloud_write(&b, err);
    das_buf_clear(&b);
    if (!r->done)
        say_dry_run(d);
    if (r->done && makes_task(d) && !r->task.list.count)
        fprintf(stderr, "das cloud: created; which of the tasks it is cannot be told: das cloud tasks "
                "shows them\n");
    if (d->order.act == DAS_ACT_STOP_TASK)
        fprintf(stderr, "das cloud: task %lld is stopped\n", (long long)d->order.task_id);
    if (makes_task(d))
        say_switch(d);
    if (r->note[0])
        say("", r->note);
    return rc;
}

static int exit_of_failure(const struct doing *d, const struct das_err *err)
{
    int code = das_complain("cloud", err);

    if (d->call.unknown)
        return DAS_EXIT_UNKNOWN;
    /* what the cloud refuses is no guard and no mistake in the options */
    return d->call.status ? DAS_EXIT_FAILED : code;
}

static int do_and_tell(struct doing *d)
{
    enum das_cloud_switch wanted =
        d->order.act == DAS_ACT_SWITCH_ON ? DAS_CLOUD_ON : DAS_CLOUD_OFF;
    struct das_err err;
    int rc;

    das_vault_init(&d->vault);
    if (act(d, &err) < 0) {
        rc = exit_of_failure(d, &err);
    } else if (tell(d, &err) < 0) {
        rc = das_complain("cloud", &err);
    } else if (is_switch(d) && d->result.done && d->result.now != wanted) {
        fprintf(stderr, "das cloud: accepted, and not done yet\n");
        rc = DAS_EXIT_PARTIAL;
    } else {
        rc = DAS_EXIT_DONE;
    }
    doing_clear(d);
    return rc;
}

/* --- verbs --------------------------------------------------------------------------------------- */

/* The criteria are read as everywhere in das, with the same complaints. */
static struct das_filter *read_criteria(const struct das_cloud_job *j, struct das_err *err)
{
    static const struct {
        enum das_cloud_option option;
        enum das_key key;
    } keys[] = {
        {DAS_CO_USER, DAS_K_USER}, {DAS_CO_HOST, DAS_K_HOST}, {DAS_CO_DB, DAS_K_DB},
        {DAS_CO_COMMAND, DAS_K_COMMAND}, {DAS_CO_INFO, DAS_K_INFO}, {DAS_CO_TIME, DAS_K_TIME},
        {DAS_CO_DURATION, DAS_K_TASK_DURATION},
    };
    struct das_filter *f = das_filter_new(err);

    for (size_t i = 0; f && i < sizeof keys / sizeof *keys; i++) {
        const char *text = j->value[keys[i].option];
        if (!text || das_filter_set_text(f, das_key_name(keys[i].key), text, err) == 0)
            continue;
        das_filter_release(f);
        return NULL;
    }
    return f;
}

int das_cloud_verb_create(struct das_cloud_job *j)
{
    bool manual = j->value[DAS_CO_MANUAL] != NULL;
    struct das_err err;
    struct das_filter *f = read_criteria(j, &err);
    struct das_cloud_criteria criteria;
    struct doing d = {.job = j};
    int rc;

    if (!f)
        return das_complain("cloud", &err);
    if (manual == (j->value[DAS_CO_DURATION] != NULL)) {
        das_filter_release(f);
        das_fail(&err, DAS_E_USAGE, manual ? "--manual: it runs until it is stopped; leave --duration "
                 "out" : "how long shall it run? --duration 10m, or --manual: until it is stopped");
        return das_complain("cloud", &err);
    }
    if (das_act_criteria(f, &criteria, &err) < 0) {
        das_filter_release(f);
        return das_complain("cloud", &err);
    }
    criteria.task_type = manual ? "manual" : "auto";
    d.order = (struct das_act_order){.act = DAS_ACT_CREATE_TASK, .criteria = &criteria,
                                     .all = j->value[DAS_CO_ALL] != NULL,
                                     .armed = j->value[DAS_CO_APPLY] != NULL};
    rc = do_and_tell(&d);
    das_filter_release(f);
    return rc;
}

int das_cloud_verb_stop(struct das_cloud_job *j)
{
    struct doing d = {.job = j, .order = {.act = DAS_ACT_STOP_TASK, .armed = true}};
    struct das_err err;

    if (das_parse_int(das_text_of(j->words[0]), &d.order.task_id) && d.order.task_id > 0)
        return do_and_tell(&d);
    das_fail(&err, DAS_E_USAGE, "tasks stop: expected the number of a task, got \"%s\"", j->words[0]);
    return das_complain("cloud", &err);
}

static int turn(struct das_cloud_job *j, enum das_cloud_act to, bool armed)
{
    struct doing d = {.job = j, .order = {.act = to, .armed = armed, .wait_ms = WAIT_DEFAULT_MS}};
    const char *wait = j->value[DAS_CO_WAIT];
    struct das_err err;

    if (!wait || (das_parse_duration_ms(das_text_of(wait), &d.order.wait_ms) &&
                  d.order.wait_ms >= 0))
        return do_and_tell(&d);
    das_fail(&err, DAS_E_USAGE, "--wait: expected a time such as 30s, got \"%s\"", wait);
    return das_complain("cloud", &err);
}

int das_cloud_verb_switch_on(struct das_cloud_job *j)
{
    return turn(j, DAS_ACT_SWITCH_ON, j->value[DAS_CO_APPLY] != NULL);
}

int das_cloud_verb_switch_off(struct das_cloud_job *j)
{
    return turn(j, DAS_ACT_SWITCH_OFF, true);
}

int das_cloud_verb_switch(struct das_cloud_job *j)
{
    struct das_cloud_call call = das_cloud_job_call(j);
    enum das_cloud_switch now;
    struct das_buf b = {0};
    struct das_err err;
    int rc = das_cloud_switch_get(j->cloud, &j->place, &call, &now, &err);

    if (rc == 0 && j->format == DAS_CF_JSON) {
        das_buf_char(&b, '{');
        das_json_key_text(&b, "instance", das_text_of(j->name));
        das_json_key_text(&b, "switch", das_text_of(das_cloud_switch_name(now)));
        das_buf_str(&b, "}\n");
    } else if (rc == 0) {
        das_buf_printf(&b, "%s\n", das_cloud_switch_name(now));
    }
    if (rc == 0)
        rc = das_cloud_write(&b, &err);
    das_buf_clear(&b);
    return rc < 0 ? das_complain("cloud", &err) : DAS_EXIT_DONE;
}
