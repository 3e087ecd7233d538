/* cmd_run.c - das run: one script, on the chosen instances. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/engine.h"
#include "core/base/write_file.h"
#include "core/cli/cli.h"
#include "core/cli/deliver_cli.h"
#include "core/cli/interrupt.h"
#include "core/replay/rerun.h"
#include "core/store/store.h"

#define DELIVER_MS 10000 /* for messages, at the end of a run */

static const char help[] =
    "das run [-i INSTANCE]... [--apply | --plan-out FILE] [-o table|json|csv] [--config FILE]\n"
    "        SCRIPT [ARGS]\n"
    "\n"
    "Runs a Lua policy. Without --apply it is a dry run: plan:apply() verifies every victim and\n"
    "reports what would happen, and nothing is killed, whatever the script does.\n"
    "\n"
    "  -i, --instance INSTANCE   a name from das.lua, file:PATH, mem:PATH, mysql://user@host:port/\n"
    "                            (repeat for several: das.instances() lists them)\n"
    "      --apply               let plan:apply() kill, as far as das.lua has promoted the policy\n"
    "      --plan-out FILE       a dry run that saves each plan it applies, for das apply FILE\n"
    "      --record FILE         keep what the run is shown and what it decides, for das replay --run\n"
    "      --usage               say at the end what the run used of its limits\n"
    "  -o, --output FORMAT       how print() shows previews, plans and reports: table, json, csv\n"
    "      --config FILE         instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                            /etc/das/das.lua\n"
    "\n"
    "A first policy (policy.lua):\n"
    "  local found = das.preview{ command = \"Query\", time = 60, info = \"select~from\" }\n"
    "  print(found)\n"
    "  print(found:oldest(3):plan{ kill = \"query\", reason = \"select over 60 s\" }:apply())\n"
    "\n"
    "  das run -i mem:processlist.txt policy.lua           try it on a recorded list\n"
    "  das run -i mysql://das@db1/ policy.lua              see what it would do\n"
    "  das run -i mysql://das@db1/ --plan-out FILE policy.lua, then das apply FILE    do it once\n"
    "  das run -i mysql://das@db1/ --apply policy.lua      let it, once das.lua says mode = \"auto\"\n"
    "\n"
    "SCRIPT - is standard input; ARGS arrive as ... and das.args.\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration, 4 some kills failed, 5 a plan was refused,\n"
    "8 a kill was sent and its outcome is not known.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"apply", no_argument, NULL, 1001},
    {"usage", no_argument, NULL, 1002},
    {"plan-out", required_argument, NULL, 1003},
    {"record", required_argument, NULL, 1004},
    {NULL, 0, NULL, 0},
};

static void say_usage(const struct das_engine_result *r)
{
    fprintf(stderr,
            "das run: %s; %lld ms, %lld ms of processor time, %llu instructions, %llu KB of memory, "
            "%llu bytes printed, %llu HTTP requests, %llu bytes by HTTP\n",
            das_end_name(r->end), (long long)r->used.wall_ms, (long long)r->used.cpu_ms,
            (unsigned long long)r->used.instructions, (unsigned long long)r->used.memory >> 10,
            (unsigned long long)r->used.output, (unsigned long long)r->used.http_requests,
            (unsigned long long)r->used.http_bytes);
}

/* A stuck script may hold the lock of a stream, or nobody reads what is written: the report gets a
 * second, then the program ends with the exit code that it would have had. */
static volatile sig_atomic_t last_code;

static void on_alarm(int number)
{
    (void)number;
    _exit(last_code);
}

static void end_soon(int code)
{
    struct sigaction sa = {.sa_handler = on_alarm};

    last_code = code;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGALRM, &sa, NULL);
    alarm(1);
}

/* --- saving plans ----------------------------------------------------------------------------- */

/* What would be lost is found before the script runs. */
static int check_plan_out(const char *path, bool armed, struct das_err *err)
{
    struct stat st;

    if (armed)
        return das_fail(err, DAS_E_USAGE, "--plan-out or --apply, not both: a plan is saved for later");
    if (strcmp(path, "-") == 0)
        return das_fail(err, DAS_E_USAGE, "--plan-out: expected a file; standard output is the "
                                          "script's");
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return das_fail(err, DAS_E_USAGE, "--plan-out: %s is there and is no plain file", path);
    return 0;
}

/* The plans of a script that failed half way are not what it meant. */
static int save_plans(const char *path, const struct das_buf *plans, bool failed,
                      struct das_err *err)
{
    size_t n = 0;

    if (das_buf_ok(plans, err) < 0)
        return -1;
    for (size_t i = 0; i < plans->len; i++)
        n += plans->ptr[i] == '\n';
    if (failed || !n) {
        fprintf(stderr, "das run: %s: %s was not written\n",
                failed ? "the script failed" : "no plan was applied", path);
        return 0;
    }
    if (das_write_file(path, 0600, das_buf_view(plans), err) < 0)
        return -1;
    fprintf(stderr, "das run: %zu plan%s in %s; das apply %s kills what %s, before it expires\n", n,
            n == 1 ? "" : "s", path, path, n == 1 ? "it says" : "they say");
    return 0;
}

/* An armed run begins with what earlier ones left open. Its own handle comes with its first kill. */
static int say_unknown(struct das_common *c, struct das_err *err)
{
    struct das_store *s;
    int rc;

    if (das_common_need_state(c, err) < 0 ||
        das_store_open_to_read(c->state_dir.ptr, &s, err) < 0)
        return -1;
    rc = das_say_unknown("run", s, err);
    das_store_close(s);
    return rc;
}

/* --- running ---------------------------------------------------------------------------------- */

struct run_opts {
    struct das_common common;
    bool armed, usage;
    const char *plan_out;
    const char *record;
};

/* What the script had to say, and what earlier ones left: as far as it gets through now. */
static void send_messages(struct run_opts *o, const struct das_engine_result *r)
{
    struct das_common *c = &o->common;
    struct das_deliver_cli d = {
        .command = "run", .channels = &c->rules.channels, .budget_ms = DELIVER_MS};
    struct das_store *s = NULL;
    struct das_err err;
    int64_t waiting = 0;
    int rc;

    if (!r->notified || !c->state_dir.len)
        return;
    rc = das_store_open(c->state_dir.ptr, &s, &err);
    if (rc == 0 && r->end != DAS_END_CANCELLED)
        rc = das_deliver_cli(&d, s, &err);
    if (rc == 0)
        rc = das_outbox_count(s, DAS_OUTBOX_WAITING, &waiting, &err);
    if (rc < 0)
        fprintf(stderr, "das run: messages are not sent: %s\n", err.msg);
    else if (waiting)
        fprintf(stderr, "das run: %lld message%s still to be sent (das notify --queue)\n",
                (long long)waiting, waiting == 1 ? " is" : "s are");
    das_store_close(s);
}

static int run(struct run_opts *o, int argc, char **argv)
{
    struct das_common *c = &o->common;
    struct das_script_rules rules;
    struct das_engine_result result;
    struct das_engine_opts opts = {
        .path = argv[0],
        .args = (const char *const *)(argv + 1),
        .arg_count = (size_t)argc - 1,
        .inventory = c->inventory,
        .protect = &c->protect,
        .secrets = &c->secrets,
        .armed = o->armed,
        .output = c->output,
        .width = das_terminal_width(),
        .cancel = das_interrupt_catch(),
        .out = stdout,
        .log = stderr,
    };
    struct das_rerun_recorder recorder;
    struct das_buf plans = {0};
    struct das_err err, lost;
    int rc, code;

    das_rules_for(&c->rules, strcmp(argv[0], "-") ? argv[0] : NULL, &rules);
    das_common_guards(c, &rules, &opts);
    if (o->plan_out)
        opts.plans = &plans;
    opts.grants = rules.grants;
    if (o->record && das_rerun_record(&recorder, o->record, &opts, &err) < 0)
        return das_complain("run", &err);
    rc = das_engine_run(&opts, &result, &err);
    code = das_outcome_exit(&result, rc < 0);
    if (result.end == DAS_END_STUCK)
        end_soon(code);
    if (rc < 0) {
        fprintf(stderr, "das run: %s\n", err.msg);
        das_say_acts("run", &result);
    }
    das_say_summary("run", &result, o->armed);
    if (o->usage)
        say_usage(&result);
    if (result.end == DAS_END_STUCK) { /* its thread uses all that would be freed now */
        fflush(stdout);
        _exit(code);
    }
    if (o->record &&
        das_rerun_recorded(&recorder, &result, rc < 0 ? &err : NULL, &lost) < 0) {
        int failed = das_complain("run", &lost);
        code = code ? code : failed; /* what became of the kills matters more */
    }
    send_messages(o, &result);
    if (o->plan_out && save_plans(o->plan_out, &plans, rc < 0, &err) < 0)
        code = das_complain("run", &err);
    das_buf_clear(&plans);
    das_engine_result_clear(&result);
    return code;
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct run_opts *o = arg;

    switch (option) {
    case 1001:
        o->armed = true;
        return 0;
    case 1002:
        o->usage = true;
        return 0;
    case 1003:
        o->plan_out = value;
        return 0;
    case 1004:
        o->record = value;
        return 0;
    default:
        return das_common_option(&o->common, option, value, err);
    }
}

/* 0: it may run; -1 with err. */
static int prepare(struct run_opts *o, int scripts, struct das_err *err)
{
    if (scripts < 1)
        return das_fail(err, DAS_E_USAGE, "which script? das run --help shows examples");
    if ((o->plan_out && check_plan_out(o->plan_out, o->armed, err) < 0) ||
        das_common_finish(&o->common, err) < 0 || (o->armed && say_unknown(&o->common, err) < 0))
        return -1;
    return 0;
}

int das_cmd_run(int argc, char **argv)
{
    struct run_opts o = {0};
    const struct das_options read = {help, "+:" DAS_COMMON_SHORT, options, take_option, &o};
    struct das_err err;
    int rc = -1;

    if (das_common_init(&o.common, &err) == 0)
        rc = das_options_read(&read, argc, argv, &err);
    if (rc > 0)
        rc = DAS_EXIT_DONE;
    else if (rc < 0 || prepare(&o, argc - optind, &err) < 0)
        rc = das_complain("run", &err);
    else
        rc = run(&o, argc - optind, argv + optind);
    das_common_clear(&o.common);
    return rc;
}
