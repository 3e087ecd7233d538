/* cmd_runbook.c - das runbook: its verbs and options, and what people decide about runs. */
#include <stdio.h>
#include <string.h>

#include "core/approval/question.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/deliver_cli.h"
#include "core/cli/runbook_cli.h"
#include "core/store/store.h"

#define DELIVER_MS 10000

static const char help[] =
    "das runbook run FILE [-i INSTANCE]... [--apply] [--param NAME=VALUE]... [--wait]\n"
    "das runbook list [--open] [-o table|json]\n"
    "das runbook show ID [-o table|json|markdown]\n"
    "das runbook resume ID [--accept-change] [--wait]\n"
    "das runbook answer ID STEP CHOICE [--reason TEXT]\n"
    "das runbook resolve ID STEP done|again|failed --reason TEXT [--result JSON]\n"
    "das runbook cancel ID [--reason TEXT]\n"
    "\n"
    "A runbook is a Lua script with named steps. What a finished step returned is kept, so that after a\n"
    "crash or a restart the run goes on with the next one. It can wait for a person for days.\n"
    "\n"
    "  run        begins one; without --apply it is a dry run: nothing is killed\n"
    "  list       the runs, newest first\n"
    "  show       one run: steps, results, kills, answers; markdown is fit for a ticket\n"
    "  resume     goes on with one that was interrupted, or whose moment has come; das serve does so\n"
    "             by itself\n"
    "  answer     the one answer to a question; STEP is its name or its number\n"
    "  resolve    what became of a step that may have acted when das ended in the middle of it: it is\n"
    "             done (--result: what it returns), it failed, or it is to be done again\n"
    "  cancel     the end of a run; one that is running ends before its next step\n"
    "\n"
    "  -i, --instance INSTANCE   as das run has it\n"
    "      --apply               let plan:apply() kill, as far as das.lua has promoted the script\n"
    "      --param NAME=VALUE    of the runbook's own parameters\n"
    "      --wait                stay until the run has ended, also through questions and long waits;\n"
    "                            without it, waits of up to 5 minutes are waited for\n"
    "      --accept-change       the script is another than when the run began, and that is meant\n"
    "      --reason TEXT         for the journal\n"
    "      --result JSON         what the step returns\n"
    "      --open                only runs that have not ended\n"
    "  -o, --output FORMAT       of list and show; of run and resume: how print() shows previews\n"
    "      --config FILE         instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                            /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das runbook run -i orders --param user=app% scripts/runbooks/connection_exhaustion.lua\n"
    "  das runbook answer 12 'kill them?' kill --reason 'INC-4711'\n"
    "  das runbook show 12 -o markdown\n"
    "\n"
    "docs/runbooks.md tells how to write one.\n"
    "\n"
    "Exit: 0 done, or waiting (standard error says for what), 1 failed or cancelled, 2 usage or\n"
    "configuration, 4 some kills failed, 5 refused, 8 nobody knows what became of a step or a kill.\n";

enum { O_APPLY = 1001, O_PARAM, O_WAIT, O_ACCEPT, O_REASON, O_RESULT, O_OPEN };

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"apply", no_argument, NULL, O_APPLY},
    {"param", required_argument, NULL, O_PARAM},
    {"wait", no_argument, NULL, O_WAIT},
    {"accept-change", no_argument, NULL, O_ACCEPT},
    {"reason", required_argument, NULL, O_REASON},
    {"result", required_argument, NULL, O_RESULT},
    {"open", no_argument, NULL, O_OPEN},
    {NULL, 0, NULL, 0},
};

static int take(void *arg, int option, const char *value, struct das_err *err)
{
    struct das_runbook_job *j = arg;
    const char **bigger;

    switch (option) {
    case O_PARAM:
        bigger = das_grow(j->params, j->param_count + 1, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        j->params = bigger;
        j->params[j->param_count++] = value;
        return 0;
    case O_APPLY:
        j->armed = true;
        return 0;
    case O_WAIT:
        j->wait = true;
        return 0;
    case O_ACCEPT:
        j->accept_change = true;
        return 0;
    case O_OPEN:
        j->open = true;
        return 0;
    case O_REASON:
        j->reason = value;
        return 0;
    case O_RESULT:
        j->result = value;
        return 0;
    case 'o':
        j->output = value;
        return 0;
    default:
        return das_common_option(&j->common, option, value, err) < 0 ? -1 : 0;
    }
}

/* --- deciding ---------------------------------------------------------------------------------- */

int das_runbook_id(const struct das_runbook_job *j, int64_t *id, struct das_err *err)
{
    if (das_parse_int(das_text_of(j->args[0]), id) && *id > 0)
        return 0;
    return das_fail(err, DAS_E_USAGE, "expected the number of a run, as das runbook list shows it, got \"%s\"",
                    j->args[0]);
}

static struct das_decider person(struct das_runbook_job *j)
{
    const struct das_people *people = &j->common.rules.people;
    const struct das_person *x;

    das_who(j->common.user, sizeof j->common.user);
    x = das_people_by(people, "os", j->common.user);
    /* a user who is called like a person and is not that person */
    if (!x && das_people_find(people, j->common.user))
        snprintf(j->stranger, sizeof j->stranger, "user %s", j->common.user);
    if (!x)
        return (struct das_decider){.name = *j->stranger ? j->stranger : j->common.user,
                                    .via = "cli"};
    return das_decider_of(x, "cli");
}

void das_runbook_tell(struct das_runbook_job *j)
{
    struct das_deliver_cli d = {
        .command = "runbook", .channels = &j->common.rules.channels, .budget_ms = DELIVER_MS};
    struct das_err err;

    if (d.channels->count && (das_questions_say(j->store, d.channels, &err) < 0 ||
                              das_deliver_cli(&d, j->store, &err) < 0))
        fprintf(stderr, "das runbook: messages are not sent: %s\n", err.msg);
}

static int answer(struct das_runbook_job *j, struct das_err *err)
{
    const struct das_decider by = person(j);
    int64_t id;

    if (das_runbook_id(j, &id, err) < 0 ||
        das_runbook_answer(j->store, id, j->args[1], j->args[2], &by, j->reason,
                           das_clock_unix_ms(), err) < 0)
        return -1;
    fprintf(stderr, "das runbook: answered; das serve goes on with it, or das runbook resume %lld\n",
            (long long)id);
    das_runbook_tell(j);
    return DAS_EXIT_DONE;
}

static int resolve(struct das_runbook_job *j, struct das_err *err)
{
    static const char *const words[] = {"done", "again", "failed"};
    const struct das_decider by = person(j);
    const char *near;
    int64_t id;

    if (das_runbook_id(j, &id, err) < 0)
        return -1;
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(j->args[2], words[i]) != 0)
            continue;
        if (das_runbook_resolve(j->store, id, j->args[1], (enum das_resolve)i, j->result, &by,
                                j->reason, das_clock_unix_ms(), err) < 0)
            return -1;
        fprintf(stderr,
                "das runbook: resolved; das serve goes on with it, or das runbook resume %lld\n",
                (long long)id);
        return DAS_EXIT_DONE;
    }
    near = das_nearest(j->args[2], words, 3);
    return das_fail(err, DAS_E_USAGE, "expected done, again or failed, got \"%s\"%s%s", j->args[2],
                    near ? "; did you mean " : "", near ? near : "");
}

static int cancel(struct das_runbook_job *j, struct das_err *err)
{
    const struct das_decider by = person(j);
    int64_t id;
    int rc;

    if (das_runbook_id(j, &id, err) < 0)
        return -1;
    rc = das_runbook_cancel(j->store, id, &by, j->reason, das_clock_unix_ms(), err);
    if (rc == 0)
        fprintf(stderr, "das runbook: it is running and ends before its next step\n");
    if (rc >= 0)
        das_runbook_tell(j);
    return rc < 0 ? -1 : DAS_EXIT_DONE;
}

/* --- which of them ----------------------------------------------------------------------------- */

/* May an option go with a verb? */
enum { MAY_INSTANCE = 1, MAY_APPLY = 2, MAY_PARAM = 4, MAY_WAIT = 8, MAY_ACCEPT = 16,
       MAY_REASON = 32, MAY_RESULT = 64, MAY_OPEN = 128 };

static const struct verb {
    const char *name;
    das_runbook_verb *run;
    const char *args; /* for the message */
    int arg_count;
    const char *formats[3]; /* in the order of enum das_runbook_format */
    bool reads;             /* and writes nothing */
    unsigned may;
} verbs[] = {
    {"run", das_runbook_cmd_run, "FILE", 1, {"table", "json"}, false,
     MAY_INSTANCE | MAY_APPLY | MAY_PARAM | MAY_WAIT},
    {"list", das_runbook_cmd_list, "no argument", 0, {"table", "json"}, true, MAY_OPEN},
    {"show", das_runbook_cmd_show, "ID", 1, {"table", "json", "markdown"}, true, 0},
    {"resume", das_runbook_cmd_resume, "ID", 1, {"table", "json"}, false, MAY_ACCEPT | MAY_WAIT},
    {"answer", answer, "ID STEP CHOICE", 3, {NULL}, false, MAY_REASON},
    {"resolve", resolve, "ID STEP done|again|failed", 3, {NULL}, false, MAY_REASON | MAY_RESULT},
    {"cancel", cancel, "ID", 1, {NULL}, false, MAY_REASON},
};

#define VERBS (sizeof verbs / sizeof verbs[0])

static const struct verb *find_verb(const char *word, struct das_err *err)
{
    const char *names[VERBS], *near;

    for (size_t i = 0; i < VERBS; i++) {
        names[i] = verbs[i].name;
        if (word && strcmp(word, names[i]) == 0)
            return &verbs[i];
    }
    near = word ? das_nearest(word, names, VERBS) : NULL;
    if (near)
        das_fail(err, DAS_E_USAGE, "unknown \"%s\"; did you mean das runbook %s?", word, near);
    else
        das_fail(err, DAS_E_USAGE,
                 "expected das runbook run, list, show, resume, answer, resolve or cancel");
    return NULL;
}

static int choose_format(struct das_runbook_job *j, const struct verb *v, struct das_err *err)
{
    if (!j->output)
        return 0;
    for (int i = 0; i < 3; i++) {
        if (!v->formats[i] || strcmp(j->output, v->formats[i]) != 0)
            continue;
        j->format = (enum das_runbook_format)i;
        j->common.output = i == DAS_RF_JSON ? DAS_OUT_JSON : DAS_OUT_TABLE;
        return 0;
    }
    return das_fail(err, DAS_E_USAGE, "-o: das runbook %s knows %s, got \"%s\"", v->name,
                    v->formats[2] ? "table, json and markdown"
                    : v->formats[0] ? "table and json" : "no formats",
                    j->output);
}

/* An option that would be passed over in silence is a mistake. */
static int check(struct das_runbook_job *j, const struct verb *v, struct das_err *err)
{
    const struct {
        bool given;
        unsigned may;
        const char *name;
    } given[] = {
        {j->common.instance_count > 0, MAY_INSTANCE, "-i"}, {j->armed, MAY_APPLY, "--apply"},
        {j->param_count > 0, MAY_PARAM, "--param"},         {j->wait, MAY_WAIT, "--wait"},
        {j->accept_change, MAY_ACCEPT, "--accept-change"},  {j->reason != NULL, MAY_REASON, "--reason"},
        {j->result != NULL, MAY_RESULT, "--result"},        {j->open, MAY_OPEN, "--open"},
    };

    if (j->arg_count != v->arg_count)
        return das_fail(err, DAS_E_USAGE, "%s: expected %s, got %d argument%s", v->name, v->args,
                        j->arg_count, j->arg_count == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        if (given[i].given && !(v->may & given[i].may))
            return das_fail(err, DAS_E_USAGE, "%s does not go with das runbook %s", given[i].name,
                            v->name);
    }
    return choose_format(j, v, err);
}

static int run(struct das_runbook_job *j, struct das_err *err)
{
    const struct verb *v = find_verb(j->args[0], err);
    int rc;

    if (!v)
        return -1;
    j->args++;
    j->arg_count--;
    if (check(j, v, err) < 0 || das_common_finish(&j->common, err) < 0 ||
        das_common_need_state(&j->common, err) < 0)
        return -1;
    rc = v->reads ? das_store_open_to_read(j->common.state_dir.ptr, &j->store, err)
                  : das_store_open(j->common.state_dir.ptr, &j->store, err);
    return rc < 0 ? -1 : v->run(j, err);
}

int das_cmd_runbook(int argc, char **argv)
{
    struct das_runbook_job j = {.armed = false};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, take, &j};
    struct das_err err;
    int rc = -1;

    if (das_common_init(&j.common, &err) == 0)
        rc = das_options_read(&o, argc, argv, &err);
    j.args = argv + optind;
    j.arg_count = argc - optind;
    if (rc > 0)
        rc = DAS_EXIT_DONE;
    else if (rc == 0)
        rc = run(&j, &err);
    if (rc < 0)
        rc = das_complain("runbook", &err);
    das_store_close(j.store);
    das_free(j.params);
    das_common_clear(&j.common);
    return rc;
}
