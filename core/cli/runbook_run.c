/*
 * runbook_run.c - das runbook run and resume: one run, from where it is until it ends or waits
 * longer than anybody wants to stay.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/runbook.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cli/interrupt.h"
#include "core/cli/runbook_cli.h"
#include "core/store/store.h"

#define STAYS_MS 300000 /* for a wait of so long a person stays at the terminal */
#define LOOK_MS 200     /* how soon an answer is seen */

/* --- one stretch ------------------------------------------------------------------------------- */

/* path: of the script. The run's own end is in the store; this is the exit code that fits. */
static int stretch(struct das_runbook_job *j, const char *path, bool armed,
                   struct das_runbook_go *go, const atomic_int *cancel, struct das_err *err)
{
    struct das_common *c = &j->common;
    struct das_engine_result result;
    struct das_script_rules rules;
    struct das_engine_opts opts = {
        .path = path,
        .inventory = c->inventory,
        .protect = &c->protect,
        .secrets = &c->secrets,
        .armed = armed,
        .output = c->output,
        .width = das_terminal_width(),
        .cancel = cancel,
        .out = stdout,
        .log = stderr,
    };
    int rc, code;

    das_rules_for(&c->rules, path, &rules);
    das_common_guards(c, &rules, &opts);
    opts.grants = rules.grants;
    rc = das_runbook_run(&opts, go, &result, err);
    code = das_outcome_exit(&result, rc < 0);
    if (rc < 0)
        das_say_acts("runbook", &result);
    das_say_summary("runbook", &result, armed);
    if (result.end == DAS_END_STUCK) { /* its thread uses all that would be freed now */
        fprintf(stderr, "das runbook: %s\n", err->msg);
        fflush(stdout);
        _exit(code);
    }
    das_engine_result_clear(&result);
    if (rc < 0 && code == DAS_EXIT_FAILED)
        code = das_complain("runbook", err);
    else if (rc < 0)
        fprintf(stderr, "das runbook: %s\n", err->msg);
    return code;
}

/* --- what it waits for ------------------------------------------------------------------------- */

struct waits {
    const struct das_runbook *r;
    bool asks;
};

static const char *question(const json_t *asks, struct das_buf *choices)
{
    const json_t *choice;
    size_t i;

    json_array_foreach(json_object_get(asks, "choices"), i, choice)
        das_buf_printf(choices, "%s%s", i ? "|" : "", json_string_value(choice));
    return json_string_value(json_object_get(asks, "question"));
}

static void say_question(const struct das_runbook *r, const struct das_runbook_step *step)
{
    struct das_buf choices = {0}, line = {0};
    struct das_err ignored;
    json_t *asks = das_json_parse(step->asks, strlen(step->asks), NULL, &ignored);
    const char *text = question(asks, &choices);
    char until[40];

    das_clock_iso(step->wake_ms / 1000, until, sizeof until);
    das_render_cell(das_text_of(text ? text : step->name), 500, &line);
    fprintf(stderr,
            "das runbook: run %lld asks: %s\n  das runbook answer %lld %lld %s    (until %s)\n",
            (long long)r->id, line.ptr ? line.ptr : "", (long long)r->id, (long long)step->n,
            choices.ptr ? choices.ptr : "CHOICE", until);
    das_buf_clear(&line);
    das_buf_clear(&choices);
    json_decref(asks);
}

static int see_step(void *arg, const struct das_runbook_step *step)
{
    struct waits *w = arg;

    if (step->status == DAS_STEP_UNKNOWN)
        fprintf(stderr,
                "das runbook: run %lld: nobody knows what became of step %lld \"%s\"; look at the "
                "server and das audit list, then\n  das runbook resolve %lld %lld done|again|failed "
                "--reason ...\n",
                (long long)w->r->id, (long long)step->n, step->name, (long long)w->r->id,
                (long long)step->n);
    if (step->status != DAS_STEP_WAITING || step->kind != DAS_STEP_ASK)
        return 0;
    w->asks = true;
    say_question(w->r, step);
    return 0;
}

/* Says what it waits for, and whether that is a person. */
static int say_waits(struct das_store *s, const struct das_runbook *r, bool *asks,
                     struct das_err *err)
{
    struct waits w = {r, false};
    char until[40];

    if (das_step_each(s, r->id, see_step, &w, err) < 0)
        return -1;
    *asks = w.asks;
    if (r->status != DAS_RUNBOOK_WAITING || w.asks)
        return 0;
    das_clock_iso(r->wake_ms / 1000, until, sizeof until);
    fprintf(stderr, "das runbook: run %lld waits until %s\n", (long long)r->id, until);
    return 0;
}

/* --- from stretch to stretch ------------------------------------------------------------------- */

/* Until its moment has come. 1: it has; 0: it is not waited for, or somebody asked for the end; or
 * another process went on with it. */
static int stay(struct das_runbook_job *j, int64_t id, const atomic_int *cancel,
                struct das_err *err)
{
    struct das_runbook r;
    bool asks, said = false;
    int rc = 1;

    for (;;) {
        int64_t now = das_clock_unix_ms();
        if (das_runbook_get(j->store, id, &r, err) < 0)
            return -1;
        if (!said && say_waits(j->store, &r, &asks, err) < 0)
            rc = -1;
        if (rc > 0 && r.status == DAS_RUNBOOK_WAITING && r.wake_ms > now && !j->wait &&
            (asks || r.wake_ms - now > STAYS_MS)) {
            if (!asks)
                fprintf(stderr, "das runbook: das serve goes on with it then, or das runbook resume "
                                "%lld\n",
                        (long long)id);
            rc = 0;
        }
        if (rc > 0 && r.status != DAS_RUNBOOK_WAITING && !(j->wait && r.status == DAS_RUNBOOK_UNKNOWN))
            rc = r.status == DAS_RUNBOOK_RUNNING && das_runbook_interrupted(j->store, &r, err) > 0;
        else if (rc > 0 && r.status == DAS_RUNBOOK_WAITING && r.wake_ms <= now)
            now = -1;
        das_runbook_clear(&r);
        if (rc <= 0 || now < 0)
            return rc;
        said = true;
        fflush(stdout);
        if (atomic_load(cancel))
            return 0;
        das_clock_sleep_ms(LOOK_MS);
    }
}

/* The run that j->store can carry on: claims it and does the next stretch. */
static int go_on(struct das_runbook_job *j, int64_t id, const atomic_int *cancel,
                 struct das_err *err)
{
    struct das_runbook_go go = {.store = j->store, .accept_change = j->accept_change};
    char hash[DAS_SHA256_HEX];
    struct das_runbook r;
    int rc;

    rc = das_runbook_get(j->store, id, &r, err);
    if (rc == 0)
        return das_fail(err, DAS_E_USAGE, "there is no runbook %lld; das runbook list shows them",
                        (long long)id);
    if (rc > 0)
        rc = das_runbook_hash(r.path, hash, err);
    das_runbook_clear(&r);
    das_who(j->common.user, sizeof j->common.user);
    if (rc < 0 || das_runbook_claim(j->store, id, hash, j->accept_change, j->common.user,
                                    das_clock_unix_ms(), &r, err) < 0)
        return -1;
    das_runbook_resumed(&go, &r);
    go.sha256 = hash;
    rc = stretch(j, r.path, r.armed, &go, cancel, err);
    das_runbook_clear(&r);
    return rc;
}

/* The exit code for a run that nobody carries on now. */
static int left(struct das_runbook_job *j, int64_t id, int code, struct das_err *err)
{
    struct das_runbook r;
    int rc = das_runbook_get(j->store, id, &r, err);

    if (rc <= 0)
        return rc < 0 ? -1 : code;
    if (r.status == DAS_RUNBOOK_UNKNOWN)
        code = DAS_EXIT_UNKNOWN;
    das_runbook_clear(&r);
    return code;
}

/* code: of the first stretch. */
static int follow(struct das_runbook_job *j, int64_t id, int code, const atomic_int *cancel,
                  struct das_err *err)
{
    struct das_runbook r;
    int rc, worst = code;

    for (;;) {
        rc = das_runbook_get(j->store, id, &r, err);
        if (rc <= 0)
            return rc < 0 ? -1 : worst;
        rc = r.status == DAS_RUNBOOK_WAITING || r.status == DAS_RUNBOOK_UNKNOWN;
        das_runbook_clear(&r);
        if (rc)
            rc = stay(j, id, cancel, err);
        if (rc <= 0)
            return rc < 0 ? -1 : left(j, id, worst, err);
        code = go_on(j, id, cancel, err);
        if (code < 0)
            return -1;
        worst = code > worst ? code : worst;
    }
}

/* --- the verbs --------------------------------------------------------------------------------- */

/* What -i said, to choose the same again: a list as JSON. */
static int put_instances(const struct das_common *c, struct das_buf *b, struct das_err *err)
{
    das_buf_char(b, '[');
    for (size_t i = 0; i < c->instance_count; i++) {
        das_json_comma(b);
        das_json_str(b, c->instances[i]);
    }
    das_buf_char(b, ']');
    return das_buf_ok(b, err);
}

static int say_unknown(struct das_runbook_job *j, struct das_err *err)
{
    return das_say_unknown("runbook", j->store, err);
}

int das_runbook_cmd_run(struct das_runbook_job *j, struct das_err *err)
{
    const atomic_int *cancel = das_interrupt_catch();
    struct das_runbook_go go = {
        .store = j->store, .params = j->params, .param_count = j->param_count};
    struct das_buf instances = {0};
    char *path = realpath(j->args[0], NULL); /* the C library's memory: free() */
    int code;

    if (!path)
        return das_fail(err, DAS_E_USAGE, "%s: there is no such script", j->args[0]);
    code = put_instances(&j->common, &instances, err);
    if (code == 0 && j->armed)
        code = say_unknown(j, err);
    go.instances = instances.ptr;
    if (code == 0)
        code = stretch(j, path, j->armed, &go, cancel, err);
    das_buf_clear(&instances);
    free(path);
    return code < 0 || !go.id ? code : follow(j, go.id, code, cancel, err);
}

/* The instances that the run was begun with. */
static int choose_again(struct das_runbook_job *j, int64_t id, struct das_err *err)
{
    struct das_runbook r;
    json_t *list = NULL, *item;
    size_t i;
    int rc = das_runbook_get(j->store, id, &r, err);

    if (rc == 0)
        return das_fail(err, DAS_E_USAGE, "there is no runbook %lld; das runbook list shows them",
                        (long long)id);
    if (rc < 0)
        return -1;
    list = das_json_parse(r.instances, strlen(r.instances), NULL, err);
    rc = list ? 0 : -1;
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        if (rc == 0 && text)
            rc = das_inventory_choose(j->common.inventory, text, err);
    }
    json_decref(list);
    das_runbook_clear(&r);
    return rc;
}

int das_runbook_cmd_resume(struct das_runbook_job *j, struct das_err *err)
{
    const atomic_int *cancel = das_interrupt_catch();
    int64_t id;
    int code;

    if (das_runbook_id(j, &id, err) < 0 || choose_again(j, id, err) < 0)
        return -1;
    code = go_on(j, id, cancel, err);
    return code < 0 ? -1 : follow(j, id, code, cancel, err);
}
