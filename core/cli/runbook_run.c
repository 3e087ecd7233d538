/*
 * runbook_run.c - das runbook run and resume: one run, from where it is until it ends or waits
 * longer than anybody wants to stay.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/runbook.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/interrupt.h"
#include "core/cli/runbook_cli.h"
#include "core/store/store.h"

#define STAYS_MS 300000 /* for a wait of so long a person stays at the terminal */
#define LOOK_MS 200     /* how soon an answer is seen */

/* --- one stretch ------------------------------------------------------------------------------- */

/* A person who presses Ctrl-C means the end of it; a machine that goes down does not. */
static void interrupted(struct das_runbook_job *j, const struct das_runbook_go *go,
                        const atomic_int *cancel)
{
    const struct das_decider by = {.name = j->common.user, .via = "cli"};
    struct das_err ignored;

    if (j->quiet || !go->id || atomic_load(cancel) != SIGINT)
        return;
    das_runbook_cancel(j->store, go->id, &by, "Ctrl-C", das_clock_unix_ms(), &ignored);
}

static int report(struct das_runbook_job *j, const struct das_engine_result *result, int rc,
                  bool armed, struct das_err *err)
{
    int code = das_outcome_exit(result, rc < 0);

    if (j->quiet)
        return code;
    if (rc < 0)
        das_say_acts("runbook", result);
    das_say_summary("runbook", result, armed);
    if (rc < 0 && code == DAS_EXIT_FAILED)
        return das_complain("runbook", err);
    if (rc < 0)
        fprintf(stderr, "das runbook: %s\n", err->msg);
    return code;
}

/* What a run points to while it goes on: in das serve it stays for good when the script is stuck. */
struct room {
    struct das_script_rules rules;
    struct das_runbook_go go;
    struct das_runbook book;
    char hash[DAS_SHA256_HEX];
};

/* path: of the script. The run's own end is in the store; this is the exit code that fits. */
static int stretch(struct das_runbook_job *j, const char *path, bool armed, struct room *room,
                   const atomic_int *cancel, struct das_err *err)
{
    struct das_common *c = &j->common;
    struct das_runbook_go *go = &room->go;
    struct das_engine_result result;
    struct das_engine_opts opts = {
        .path = path,
        .inventory = c->inventory,
        .protect = &c->protect,
        .secrets = &c->secrets,
        .armed = armed,
        .output = c->output,
        .width = das_terminal_width(),
        .cancel = cancel,
        .out = j->quiet ? fopen("/dev/null", "w") : stdout,
        .log = j->quiet ? NULL : stderr,
    };
    const struct das_person *x;
    int rc, code;

    if (!opts.out)
        return das_fail(err, DAS_E_IO, "/dev/null: %s", strerror(errno));

    das_rules_for(&c->rules, path, &room->rules);
    das_common_guards(c, &room->rules, &opts);
    opts.grants = room->rules.grants;
    /* whoever goes on with it: it is asked for by the person who began it */
    x = room->book.who ? das_people_who(&c->rules.people, room->book.who) : NULL;
    opts.person = x ? x->name : NULL;
    rc = das_runbook_run(&opts, go, &result, err);
    code = report(j, &result, rc, armed, err);
    if (result.end == DAS_END_STUCK && !j->quiet) { /* its thread uses all that would be freed now */
        fflush(stdout);
        _exit(code);
    }
    if (result.end == DAS_END_STUCK)
        return das_fail(err, DAS_E_STUCK, "%s", "its script is stuck");
    if (result.end == DAS_END_CANCELLED)
        interrupted(j, go, cancel);
    else if (!j->quiet)
        das_runbook_tell(j);
    if (j->quiet)
        fclose(opts.out);
    das_engine_result_clear(&result);
    return code;
}

/* --- what it waits for ------------------------------------------------------------------------- */

struct waits {
    const struct das_runbook *r;
    bool asks;
};

static const char *question(const json_t *asks, struct das_buf *choices)
{
    const json_t *list = json_object_get(asks, "choices");

    for (size_t i = 0; i < json_array_size(list); i++)
        das_buf_printf(choices, "%s%s", i ? "|" : "", json_string_value(json_array_get(list, i)));
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

static int claim(struct das_runbook_job *j, int64_t id, struct room *room, struct das_err *err)
{
    int rc = das_runbook_get(j->store, id, &room->book, err);

    if (rc == 0)
        return das_fail(err, DAS_E_USAGE, "there is no runbook %lld; das runbook list shows them",
                        (long long)id);
    if (rc > 0)
        rc = das_runbook_hash(room->book.path, room->hash, err);
    das_runbook_clear(&room->book);
    das_who(j->common.user, sizeof j->common.user);
    if (rc < 0)
        return -1;
    return das_runbook_claim(j->store, id, room->hash, j->accept_change,
                             j->quiet ? "das serve" : j->common.user, das_clock_unix_ms(),
                             &room->book, err);
}

/* The run that j->store can carry on: claims it and does the next stretch. */
static int go_on(struct das_runbook_job *j, int64_t id, const atomic_int *cancel,
                 struct das_err *err)
{
    struct room *room = das_calloc(1, sizeof *room);
    int rc;

    if (!room)
        return das_fail_nomem(err);
    room->go = (struct das_runbook_go){.store = j->store, .accept_change = j->accept_change};
    rc = claim(j, id, room, err);
    if (rc == 0) {
        das_runbook_resumed(&room->go, &room->book);
        room->go.sha256 = room->hash;
        rc = stretch(j, room->book.path, room->book.armed, room, cancel, err);
    }
    if (rc < 0 && err->code == DAS_E_STUCK)
        return -1;
    das_runbook_clear(&room->book);
    das_free(room);
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
    struct room room = {
        .go = {.store = j->store, .params = j->params, .param_count = j->param_count}};
    struct das_buf instances = {0};
    char *path = realpath(j->args[0], NULL); /* the C library's memory: free() */
    int code;

    if (!path)
        return das_fail(err, DAS_E_USAGE, "%s: there is no such script", j->args[0]);
    code = put_instances(&j->common, &instances, err);
    if (code == 0 && j->armed)
        code = say_unknown(j, err);
    room.go.instances = instances.ptr;
    if (code == 0)
        code = stretch(j, path, j->armed, &room, cancel, err);
    das_buf_clear(&instances);
    free(path);
    return code < 0 || !room.go.id ? code : follow(j, room.go.id, code, cancel, err);
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

int das_runbook_carry_on(void *arg, int64_t id, const atomic_int *cancel, struct das_err *err)
{
    const struct das_common *served = arg;
    struct das_runbook_job *j = das_calloc(1, sizeof *j);
    int rc;

    if (!j)
        return das_fail_nomem(err);
    j->quiet = true;
    rc = das_common_init(&j->common, err);
    j->common.config = served->config;
    if (rc == 0)
        rc = das_common_finish(&j->common, err);
    if (rc == 0)
        rc = das_store_open(served->state_dir.ptr, &j->store, err);
    if (rc == 0)
        rc = choose_again(j, id, err);
    if (rc == 0)
        rc = go_on(j, id, cancel, err);
    if (rc < 0 && err->code == DAS_E_STUCK)
        return -1; /* its thread has all of it, for the rest of the process */
    das_store_close(j->store);
    das_common_clear(&j->common);
    das_free(j);
    return rc < 0 ? -1 : 0;
}
