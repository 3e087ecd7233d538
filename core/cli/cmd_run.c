/* cmd_run.c - das run: one script, on the chosen instances. */
#include <stdio.h>
#include <stdlib.h>

#include "bindings/engine.h"
#include "core/cli/cli.h"

static const char help[] =
    "das run [-i INSTANCE]... [--apply] [-o table|json|csv] [--config FILE] SCRIPT [ARGS]\n"
    "\n"
    "Runs a Lua policy. Without --apply it is a dry run: plan:apply() verifies every victim and\n"
    "reports what would happen, and nothing is killed, whatever the script does.\n"
    "\n"
    "  -i, --instance INSTANCE   a name from das.lua, file:PATH, mem:PATH, mysql://user@host:port/\n"
    "                            (repeat for several: das.instances() lists them)\n"
    "      --apply               let plan:apply() kill\n"
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
    "  das run -i mysql://das@db1/ --apply policy.lua      do it\n"
    "\n"
    "SCRIPT - is standard input; ARGS arrive as ... and das.args.\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration, 4 some kills failed, 5 a plan was refused,\n"
    "8 a kill was sent and its outcome is not known.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"apply", no_argument, NULL, 1001},
    {NULL, 0, NULL, 0},
};

/* What became of the victims decides, the worst first. An error in the script does not hide an
 * unknown outcome. */
static int exit_code(const struct das_engine_result *r, int failed)
{
    if (r->totals[DAS_O_UNKNOWN])
        return DAS_EXIT_UNKNOWN;
    if (failed)
        return DAS_EXIT_FAILED;
    if (r->totals[DAS_O_FAILED])
        return r->totals[DAS_O_KILLED] ? DAS_EXIT_PARTIAL : DAS_EXIT_FAILED;
    if (r->totals[DAS_O_REFUSED])
        return r->totals[DAS_O_KILLED] ? DAS_EXIT_PARTIAL : DAS_EXIT_BLOCKED;
    return DAS_EXIT_DONE;
}

/* One line for the person at the terminal: was this real? */
static void say_summary(const struct das_engine_result *r, bool armed)
{
    if (!r->applied)
        return;
    fflush(stdout);
    if (!armed && r->totals[DAS_O_DRY_RUN])
        fprintf(stderr, "das run: dry run: %zu would be killed; --apply does it\n",
                r->totals[DAS_O_DRY_RUN]);
    else if (armed)
        fprintf(stderr, "das run: %zu killed, %zu spared, %zu failed, %zu unknown\n",
                r->totals[DAS_O_KILLED],
                r->totals[DAS_O_GONE] + r->totals[DAS_O_CHANGED] + r->totals[DAS_O_PROTECTED] +
                    r->totals[DAS_O_REFUSED],
                r->totals[DAS_O_FAILED], r->totals[DAS_O_UNKNOWN]);
}

static int run(struct das_common *c, bool armed, int argc, char **argv)
{
    struct das_engine_result result;
    struct das_engine_opts opts = {
        .path = argv[0],
        .args = (const char *const *)(argv + 1),
        .arg_count = (size_t)argc - 1,
        .inventory = c->inventory,
        .protect = &c->protect,
        .armed = armed,
        .output = c->output,
        .width = das_terminal_width(),
        .out = stdout,
        .log = stderr,
    };
    struct das_err err;
    int rc = das_engine_run(&opts, &result, &err);

    if (rc < 0)
        das_complain("run", &err);
    say_summary(&result, armed);
    return exit_code(&result, rc < 0);
}

int das_cmd_run(int argc, char **argv)
{
    struct das_common common;
    struct das_err err;
    bool armed = false;
    int option, rc = DAS_EXIT_USAGE, known = 0;

    if (das_common_init(&common, &err) < 0)
        goto complain;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:" DAS_COMMON_SHORT, options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            rc = DAS_EXIT_DONE;
            goto done;
        }
        if (option == 1001)
            armed = true;
        else if (option == '?' || option == ':')
            known = das_bad_option(option, argv, options, &err);
        else
            known = das_common_option(&common, option, optarg, &err);
        if (known < 0)
            goto complain;
    }
    if (optind >= argc) {
        das_fail(&err, DAS_E_USAGE, "which script? das run --help shows examples");
        goto complain;
    }
    if (das_common_finish(&common, &err) < 0)
        goto complain;
    rc = run(&common, armed, argc - optind, argv + optind);
    goto done;
complain:
    rc = das_complain("run", &err);
done:
    das_common_clear(&common);
    return rc;
}
