/* cmd_replay.c - das replay: what one or two policies would have done while a recording was made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/calendar.h"
#include "core/base/mem.h"
#include "core/base/write_file.h"
#include "core/cli/cli.h"
#include "core/cli/interrupt.h"
#include "core/cli/replay_run.h"
#include "core/replay/page.h"
#include "core/replay/replay.h"

static const char help[] =
    "das replay --policy SCRIPT [--arg VALUE]... [--policy SCRIPT [--arg VALUE]...]\n"
    "           [--every 10s] [--from TIME] [--to TIME] [--wasted 5s] [-i INSTANCE]...\n"
    "           [-o table|json|csv|html] [--out FILE] [--verbose] [--config FILE] FILE...\n"
    "das replay --run FILE [--policy SCRIPT] [-o table|json]\n"
    "\n"
    "Runs a policy over a recording (das record, or printed lists with their times), at its own\n"
    "interval on a clock of its own, and armed: what it kills is gone from the rest of the "
    "replay,\n"
    "everything else stays as it was recorded. Limits, windows, freezes and protection are those "
    "that\n"
    "das.lua has for the policy; its mode and the off switch are not asked. No instance, no state "
    "and\n"
    "no network is touched: HTTP requests are answered 200 and counted. With two policies the "
    "report\n"
    "also says where they differ.\n"
    "\n"
    "      --policy SCRIPT       a Lua policy; twice: two of them\n"
    "      --arg VALUE           an argument of the policy named before it\n"
    "      --every DURATION      how often they run; else `every` of the policy in das.lua, else "
    "10s\n"
    "      --from, --to TIME     only this part: 2026-11-24T03:17:05Z\n"
    "      --wasted DURATION     a kill was for nothing when its victim would have ended by "
    "itself\n"
    "                            within this time; 5s, or two snapshots\n"
    "  -i, --instance INSTANCE   only this one, as it is named in the recording; % stands for "
    "anything\n"
    "  -o, --output FORMAT       table, json (docs/replay.md), csv (a row for each victim), html "
    "(a page\n"
    "                            for a browser, in one file)\n"
    "      --out FILE            into a file instead of standard output\n"
    "      --verbose             what the policies print and log, on standard error\n"
    "      --run FILE            instead: does a run of das run --record decide the same once "
    "more?\n"
    "      --config FILE         instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                            /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das replay --policy policies/long_select.lua --every 10s monday.das\n"
    "  das replay --policy old.lua --policy new.lua -o html --out monday.html monday.das\n"
    "  das replay --policy kill.lua --arg 30 --policy kill.lua --arg 60 monday.das\n"
    "\n"
    "Exit: 0 done, 1 failed, or every run of a policy failed, 2 usage or configuration.\n";

enum {
    OPT_POLICY = 1001,
    OPT_ARG,
    OPT_EVERY,
    OPT_FROM,
    OPT_TO,
    OPT_WASTED,
    OPT_OUT,
    OPT_VERBOSE,
    OPT_RUN,
};

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"policy", required_argument, NULL, OPT_POLICY},
    {"arg", required_argument, NULL, OPT_ARG},
    {"every", required_argument, NULL, OPT_EVERY},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"wasted", required_argument, NULL, OPT_WASTED},
    {"out", required_argument, NULL, OPT_OUT},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {"run", required_argument, NULL, OPT_RUN},
    {NULL, 0, NULL, 0},
};

#define ARGS_MAX 64

struct replay_opts {
    struct das_common common;
    struct das_replay_request request;
    struct das_replay_policy policies[2];
    struct das_script_rules rules[2];
    const char *args[2][ARGS_MAX];
    int64_t every_ms;
    const char *instances[ARGS_MAX];
    const char *out, *tape;
    bool html, verbose, shown; /* shown: progress is on the terminal */
};

/* --- options ---------------------------------------------------------------------------------- */

static int add_policy(struct replay_opts *o, const char *path, struct das_err *err)
{
    size_t n = o->request.policy_count;

    if (n == 2)
        return das_fail(err, DAS_E_USAGE, "--policy: expected one or two of them");
    o->policies[n] = (struct das_replay_policy){.path = path, .args = o->args[n]};
    o->request.policy_count++;
    return 0;
}

static int add_arg(struct replay_opts *o, const char *value, struct das_err *err)
{
    size_t n = o->request.policy_count;
    struct das_replay_policy *p = n ? &o->policies[n - 1] : NULL;

    if (!p)
        return das_fail(err, DAS_E_USAGE, "--arg: expected it behind the --policy that gets it");
    if (p->arg_count == ARGS_MAX)
        return das_fail(err, DAS_E_USAGE, "--arg: expected at most %d", ARGS_MAX);
    o->args[n - 1][p->arg_count++] = value;
    return 0;
}

static int add_instance(struct replay_opts *o, const char *value, struct das_err *err)
{
    if (o->request.instance_count == ARGS_MAX)
        return das_fail(err, DAS_E_USAGE, "-i: expected at most %d; %% stands for anything",
                        ARGS_MAX);
    o->instances[o->request.instance_count++] = value;
    return 0;
}

static int take_duration(const char *option, const char *value, int64_t *to, struct das_err *err)
{
    if (das_parse_duration_ms(das_text_of(value), to) && *to > 0)
        return 0;
    return das_fail(err, DAS_E_USAGE, "%s: expected a duration over 0 such as \"10s\", got \"%s\"",
                    option, value);
}

static int take_time(const char *option, const char *value, int64_t *to, struct das_err *err)
{
    int64_t unix_s;

    if (das_time_parse(das_text_of(value), &unix_s, err) < 0)
        return das_fail(err, DAS_E_USAGE,
                        "%s: expected a time such as 2026-11-24T03:17:05Z, got \"%s\"", option,
                        value);
    *to = unix_s * 1000;
    return 0;
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct replay_opts *o = arg;

    switch (option) {
    case 'i':
        return add_instance(o, value, err);
    case 'o':
        o->html = strcmp(value, "html") == 0;
        if (o->html)
            return 0;
        if (das_output_find(value) < 0)
            return das_fail(err, DAS_E_USAGE, "-o: expected table, json, csv or html, got \"%s\"",
                            value);
        return das_common_option(&o->common, option, value, err);
    case OPT_POLICY:
        return add_policy(o, value, err);
    case OPT_ARG:
        return add_arg(o, value, err);
    case OPT_EVERY:
        return take_duration("--every", value, &o->every_ms, err);
    case OPT_WASTED:
        return take_duration("--wasted", value, &o->request.wasted_ms, err);
    case OPT_FROM:
        return take_time("--from", value, &o->request.from_ms, err);
    case OPT_TO:
        return take_time("--to", value, &o->request.to_ms, err);
    case OPT_OUT:
        o->out = value;
        return 0;
    case OPT_VERBOSE:
        o->verbose = true;
        return 0;
    case OPT_RUN:
        o->tape = value;
        return 0;
    default:
        return das_common_option(&o->common, option, value, err);
    }
}

/* --- what was recorded of one run ------------------------------------------------------------- */

static int replay_tape(struct replay_opts *o, int words, struct das_err *err)
{
    const char *policy = o->request.policy_count ? o->policies[0].path : NULL;

    if (words || o->html || o->request.policy_count > 1 || o->every_ms || o->out ||
        o->request.instance_count)
        return das_fail(err, DAS_E_USAGE,
                        "--run: expected no more than --policy SCRIPT and -o table "
                        "or json with it");
    if (das_common_finish(&o->common, err) < 0)
        return -1;
    return das_replay_run(&o->common, o->tape, policy);
}

/* --- a recording ------------------------------------------------------------------------------ */

static void show_progress(void *arg, double done)
{
    struct replay_opts *o = arg;

    o->shown = true;
    fprintf(stderr, "\rdas replay: %3d %%", (int)(done * 100));
    fflush(stderr);
}

static void hide_progress(struct replay_opts *o)
{
    if (o->shown)
        fputs("\r\033[K", stderr);
    o->shown = false;
}

static void choose_interval(const struct replay_opts *o, struct das_replay_policy *p)
{
    p->every_ms = o->every_ms ? o->every_ms : p->rules->every_ms;
    p->every_from = o->every_ms ? "--every" : p->every_ms ? "das.lua" : "default";
    if (!p->every_ms)
        p->every_ms = DAS_REPLAY_EVERY_MS;
}

static int prepare(struct replay_opts *o, int files, char **paths, struct das_err *err)
{
    struct das_replay_request *q = &o->request;
    struct das_common *c = &o->common;

    if (!q->policy_count)
        return das_fail(err, DAS_E_USAGE,
                        "expected --policy SCRIPT; das replay --help shows examples");
    if (files < 1)
        return das_fail(err, DAS_E_USAGE, "which recording? das replay --help shows examples");
    if (das_common_finish(c, err) < 0)
        return -1;
    q->files = (const char *const *)paths;
    q->file_count = (size_t)files;
    q->instances = o->instances;
    q->policies = o->policies;
    q->protect = &c->protect;
    q->secrets = &c->secrets;
    q->known = c->inventory;
    q->cancel = das_interrupt_catch();
    q->verbose = o->verbose ? stderr : NULL;
    q->arg = o;
    if (isatty(STDERR_FILENO) && !o->verbose)
        q->progress = show_progress;
    for (size_t i = 0; i < q->policy_count; i++) {
        if (access(o->policies[i].path, R_OK) != 0)
            return das_fail(err, DAS_E_USAGE, "--policy: %s cannot be read", o->policies[i].path);
        das_rules_for(&c->rules, o->policies[i].path, &o->rules[i]);
        o->policies[i].rules = &o->rules[i];
        choose_interval(o, &o->policies[i]);
    }
    return 0;
}

static int render(const struct replay_opts *o, const struct das_replay_report *r, struct das_buf *b,
                  struct das_err *err)
{
    struct das_buf json = {0};
    int rc = 0;

    if (o->html) {
        das_replay_json(r, &json);
        rc = das_buf_ok(&json, err);
        if (rc == 0)
            rc = das_replay_page(das_buf_view(&json), b, err);
        das_buf_clear(&json);
    } else if (o->common.output == DAS_OUT_JSON) {
        das_replay_json(r, b);
        das_buf_char(b, '\n');
    } else if (o->common.output == DAS_OUT_CSV) {
        das_replay_csv(r, b);
    } else {
        das_replay_text(r, o->out ? 0 : das_terminal_width(), b);
    }
    return rc < 0 ? -1 : das_buf_ok(b, err);
}

static bool all_failed(const struct das_replay_report *r)
{
    for (size_t i = 0; i < r->result_count; i++) {
        if (r->results[i]->runs && r->results[i]->failed_runs == r->results[i]->runs)
            return true;
    }
    return false;
}

static int write_report(const struct replay_opts *o, const struct das_replay_report *r,
                        struct das_err *err)
{
    struct das_buf b = {0};
    int rc = render(o, r, &b, err);

    if (rc == 0 && o->out)
        rc = das_write_file(o->out, 0600, das_buf_view(&b), err);
    else if (rc == 0)
        rc = das_write_out(&b, err);
    das_buf_clear(&b);
    return rc;
}

static int replay(struct replay_opts *o, struct das_err *err)
{
    struct das_replay_report report;
    int rc = das_replay(&o->request, &report, err);

    hide_progress(o);
    if (rc < 0 && err->code == DAS_E_STUCK) { /* its thread uses all that would be freed now */
        das_complain("replay", err);
        fflush(stdout);
        _exit(DAS_EXIT_FAILED);
    }
    if (rc == 0)
        rc = write_report(o, &report, err);
    if (rc == 0 && all_failed(&report)) {
        fprintf(stderr, "das replay: every run of a policy failed; the report says why\n");
        rc = DAS_EXIT_FAILED;
    }
    das_replay_report_clear(&report);
    return rc;
}

int das_cmd_replay(int argc, char **argv)
{
    struct replay_opts *o = das_calloc(1, sizeof *o);
    const struct das_options read = {help, ":" DAS_COMMON_SHORT, options, take_option, o};
    struct das_err err;
    int rc;

    if (!o) {
        das_fail_nomem(&err);
        return das_complain("replay", &err);
    }
    o->request.from_ms = INT64_MIN;
    o->request.to_ms = INT64_MAX;
    rc = das_common_init(&o->common, &err);
    if (rc == 0)
        rc = das_options_read(&read, argc, argv, &err);
    if (rc == 0 && o->tape)
        rc = replay_tape(o, argc - optind, &err);
    else if (rc == 0) {
        rc = prepare(o, argc - optind, argv + optind, &err);
        rc = rc < 0 ? -1 : replay(o, &err);
    } else if (rc > 0) {
        rc = DAS_EXIT_DONE;
    }
    if (rc < 0)
        rc = das_complain("replay", &err);
    das_common_clear(&o->common);
    das_free(o);
    return rc;
}
