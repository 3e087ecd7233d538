/*
 * cmd_apply.c - das apply: kills what saved plans say, after verifying everything again.
 *
 * A person asks for exactly these plans, so a policy that has not been promoted may be applied here
 * (struct das_guard, by_person); every other guard holds as in a run.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/cli/interrupt.h"
#include "core/plan/plan.h"
#include "core/store/journal.h"

static const char help[] =
    "das apply [--dry-run] [-i INSTANCE] [-o table|json] [--config FILE] PLANS\n"
    "\n"
    "Applies the plans that das run --plan-out PLANS saved: looks at every victim once more and\n"
    "kills those that are unchanged, and no others. A plan of which a byte was changed, that has\n"
    "expired, or that was made on another server is refused. All plans of the file are read before\n"
    "the first one is applied; - is standard input.\n"
    "\n"
    "      --dry-run             verify, and say what would be killed\n"
    "  -i, --instance INSTANCE   where, instead of the instance that the plan names: another name\n"
    "                            of the same server\n"
    "  -o, --output FORMAT       table, json (one object for each plan)\n"
    "      --config FILE         instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                            /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das run -i orders --plan-out plan.jsonl policy.lua\n"
    "  das plan show plan.jsonl\n"
    "  das apply plan.jsonl\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration, 4 some kills failed or were refused,\n"
    "5 a guard said no, 8 a kill was sent and its outcome is not known.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"dry-run", no_argument, NULL, 1001},
    {NULL, 0, NULL, 0},
};

struct job {
    struct das_common common;
    bool armed;
    struct das_plan **plans;
    size_t count;
    size_t chosen; /* instances, of those that the plans name */
    struct das_store *store;
    struct das_vault vault; /* every secret that can be read: none of them goes into the journal */
    char who[64];
    size_t totals[DAS_O_COUNT];
    size_t undone; /* plans of which nothing could be verified */
    const atomic_int *interrupt;
};

/* --- reading ---------------------------------------------------------------------------------- */

static int add_plan(struct job *j, struct das_text line, const char *path, size_t number,
                    struct das_err *err)
{
    struct das_plan **bigger = das_grow(j->plans, j->count + 1, sizeof(struct das_plan *));

    if (!bigger)
        return das_fail_nomem(err);
    j->plans = bigger;
    j->plans[j->count] = das_plan_read(line, err);
    if (!j->plans[j->count]) {
        das_err_prefix(err, "%s:%zu", path, number);
        return -1;
    }
    j->count++;
    return 0;
}

static int read_plans(struct job *j, const char *path, struct das_err *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "re");
    size_t cap = 0, number = 0;
    char *text = NULL;
    ssize_t len;
    int rc = 0;

    if (!in)
        return das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    errno = 0;
    while (rc == 0 && (len = getline(&text, &cap, in)) > 0) {
        number++;
        if (das_text_trim(das_text(text, (size_t)len)).len)
            rc = add_plan(j, das_text(text, (size_t)len), path, number, err);
        errno = 0;
    }
    if (rc == 0 && (errno || ferror(in)))
        rc = das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    if (rc == 0 && !j->count)
        rc = das_fail(err, DAS_E_DATA, "%s: there is no plan in it", path);
    free(text);
    if (!standard)
        fclose(in);
    return rc;
}

/* Where in the inventory the plan's instance is. */
static int instance_of(struct job *j, const struct das_plan *p, size_t *at, struct das_err *err)
{
    const char *name = das_plan_instance(p);

    *at = 0;
    if (j->common.instance_count) /* the one of -i */
        return 0;
    for (; *at < j->chosen; ++*at) {
        if (strcmp(das_inventory_name(j->common.inventory, *at), name) == 0)
            return 0;
    }
    if (das_inventory_choose(j->common.inventory, name, err) < 0)
        return -1;
    j->chosen++;
    return 0;
}

/* --- applying --------------------------------------------------------------------------------- */

static int show(const struct job *j, const struct das_report *r, struct das_err *err)
{
    struct das_buf b = {0};
    int rc;

    if (j->common.output == DAS_OUT_JSON) {
        das_report_json(r, &b);
        das_buf_char(&b, '\n');
    } else {
        das_report_print(r, das_terminal_width(), &b);
    }
    rc = das_buf_ok(&b, err);
    if (rc == 0) {
        fwrite(b.ptr, 1, b.len, stdout);
        fflush(stdout);
    }
    das_buf_clear(&b);
    return rc;
}

static int apply_one(struct job *j, struct das_plan *p, struct das_err *err)
{
    const struct das_asked *asked = das_plan_asked(p);
    const char *policy = asked && asked->script ? asked->script : "apply";
    struct das_script_rules rules;
    struct das_guard guard = {
        .who = j->who,
        .policy = policy,
        .by_person = true,
        .stop_files = (const char *const *)j->common.stop_files,
        .store = j->store,
        .vault = &j->vault,
    };
    const struct das_apply_opts opts = {
        .armed = j->armed, .protect = &j->common.protect, .guard = &guard, .watch = &das_interrupt_watch};
    struct das_report *report = NULL;
    struct das_source *source;
    size_t at;
    int rc;

    das_rules_for(&j->common.rules, policy[0] == '/' ? policy : NULL, &rules);
    guard.rules = rules.policy;
    if (instance_of(j, p, &at, err) < 0 ||
        !(source = das_inventory_open(j->common.inventory, at, err)) ||
        das_plan_apply(p, source, &opts, &report, err) < 0)
        return -1;
    for (int k = 0; k < DAS_O_COUNT; k++)
        j->totals[k] += report->totals[k];
    rc = show(j, report, err);
    das_report_free(report);
    return rc;
}

/* Every plan is tried; one whose server cannot be reached does not hold up the others. */
static int apply_all(struct job *j)
{
    size_t done = 0;
    struct das_err err;

    for (; done < j->count && !atomic_load(j->interrupt); done++) {
        if (apply_one(j, j->plans[done], &err) == 0)
            continue;
        das_complain("apply", &err);
        if (err.code == DAS_E_BLOCKED)
            j->totals[DAS_O_REFUSED]++;
        else
            j->undone++;
    }
    if (atomic_load(j->interrupt))
        fprintf(stderr, "das apply: interrupted; %zu of %zu plans were not tried\n",
                j->count - done, j->count);
    return das_totals_exit(j->totals, j->undone, atomic_load(j->interrupt) != 0);
}

static int open_store(struct job *j, struct das_err *err)
{
    if (das_common_need_state(&j->common, err) < 0 ||
        das_store_open(j->common.state_dir.ptr, &j->store, err) < 0)
        return -1;
    return das_say_unknown("apply", j->store, err);
}

static int prepare(struct job *j, int argc, char **argv, struct das_err *err)
{
    size_t at;

    if (argc != 1)
        return das_fail(err, DAS_E_USAGE, "%s; das apply --help shows examples",
                        argc ? "one file of plans at a time" : "which file of plans?");
    if (j->common.instance_count > 1)
        return das_fail(err, DAS_E_USAGE, "-i: one instance at the most");
    if (j->common.output == DAS_OUT_CSV)
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"csv\"");
    if (das_common_finish(&j->common, err) < 0 || read_plans(j, argv[0], err) < 0)
        return -1;
    for (size_t i = 0; i < j->count; i++) {
        if (instance_of(j, j->plans[i], &at, err) < 0)
            return -1;
    }
    das_who(j->who, sizeof j->who);
    das_common_read_secrets(&j->common, &j->vault); /* what the script had read is not known */
    return j->armed ? open_store(j, err) : 0;
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct job *j = arg;

    if (option != 1001)
        return das_common_option(&j->common, option, value, err);
    j->armed = false;
    return 0;
}

int das_cmd_apply(int argc, char **argv)
{
    struct job j = {.armed = true};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, take_option, &j};
    struct das_err err;
    int rc, parsed = -1;

    das_vault_init(&j.vault);
    if (das_common_init(&j.common, &err) == 0)
        parsed = das_options_read(&o, argc, argv, &err);
    if (parsed > 0) {
        rc = DAS_EXIT_DONE;
    } else if (parsed < 0 || prepare(&j, argc - optind, argv + optind, &err) < 0) {
        rc = das_complain("apply", &err);
    } else {
        j.interrupt = das_interrupt_catch();
        rc = apply_all(&j);
    }
    for (size_t i = 0; i < j.count; i++)
        das_plan_release(j.plans[i]);
    das_free(j.plans);
    das_store_close(j.store);
    das_vault_clear(&j.vault);
    das_common_clear(&j.common);
    return rc;
}
