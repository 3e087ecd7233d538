/*
 * cmd_approve.c - das approve and das reject: a person's vote on a kill that was asked for.
 *
 * Who takes the last vote that is needed carries the plan out.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/cli/approval_cli.h"

#define WAIT_MS 30000 /* for another process that carries it out */
#define STEP_MS 200

static const char help_approve[] =
    "das approve ID [--reason TEXT] [-o table|json] [--config FILE]\n"
    "\n"
    "Says yes to a kill that a script asked for (plan:request_approval). Who you are is told by "
    "your\n"
    "user of this machine, which people of das.lua maps to a person (os = \"alice\"). With the "
    "last\n"
    "yes that is needed das looks at every victim once more and kills those that are unchanged.\n"
    "\n"
    "      --reason TEXT    why; the journal keeps it\n"
    "  -o, --output FORMAT  table, json: of the report\n"
    "      --config FILE    instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                       /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das approvals show 3f62c09a17be\n"
    "  das approve 3f62c09a17be --reason 'the report can be run again'\n"
    "\n"
    "Exit: 0 counted, or done, 1 failed, 2 usage or configuration, 4 some kills failed or were\n"
    "refused, 5 the vote does not count, or a guard said no, 8 a kill was sent and its outcome is "
    "not\n"
    "known.\n";

static const char help_reject[] =
    "das reject ID --reason TEXT [--config FILE]\n"
    "\n"
    "Says no to a kill that a script asked for. One no of somebody who may decide ends it.\n"
    "\n"
    "      --reason TEXT    why; who asked will want to know\n"
    "      --config FILE    instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                       /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das reject 3f62c09a17be --reason 'month end: the report has to finish'\n"
    "\n"
    "Exit: 0 rejected, 1 failed, 2 usage or configuration, 5 the vote does not count.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"reason", required_argument, NULL, 1001},
    {NULL, 0, NULL, 0},
};

struct job {
    struct das_approval_cli cli;
    bool yes;
    const char *reason;
};

static int show_plan(const struct das_approval *a, struct das_err *err)
{
    struct das_plan *p = das_plan_read(a->plan, err);
    struct das_buf b = {0};
    int rc = p ? 0 : -1;

    if (p) {
        das_plan_print(p, das_terminal_width(), &b);
        rc = das_buf_ok(&b, err);
    }
    if (rc == 0)
        fputs(b.ptr, stderr);
    das_buf_clear(&b);
    das_plan_release(p);
    return rc;
}

/* das serve may have been faster than this process. */
static int await(struct job *j, const char *id, int *code, struct das_err *err)
{
    int64_t until = das_clock_monotonic_ms() + WAIT_MS;
    struct das_approval *a = NULL;
    struct das_buf b = {0};
    int rc;

    for (;;) {
        das_approval_free(a);
        rc = das_approval_cli_get(&j->cli, id, &a, err);
        if (rc < 0 || das_approval_over(a->state) || das_clock_monotonic_ms() >= until ||
            atomic_load(j->cli.interrupt))
            break;
        das_clock_sleep_ms(STEP_MS);
    }
    if (rc == 0) {
        das_approval_words(a, &b);
        fprintf(stderr, "das approve: %s: %s\n", id, b.ptr ? b.ptr : "");
        *code = a->state == DAS_APPROVAL_APPLIED   ? DAS_EXIT_DONE
                : a->state == DAS_APPROVAL_UNKNOWN ? DAS_EXIT_UNKNOWN
                                                   : DAS_EXIT_FAILED;
    }
    das_buf_clear(&b);
    das_approval_free(a);
    return rc;
}

static int carry_out(struct job *j, const char *id, int *code, struct das_err *err)
{
    enum das_approval_fate fate;

    if (das_approval_cli_carry(&j->cli, id, &fate, code, err) < 0)
        return -1;
    return fate == DAS_FATE_NOTHING ? await(j, id, code, err) : 0;
}

static int vote(struct job *j, const struct das_approval *a, int *code, struct das_err *err)
{
    const struct das_ballot ballot = {.id = a->id,
                                      .hash_prefix = a->hash,
                                      .person = j->cli.person ? j->cli.person->name : NULL,
                                      .yes = j->yes,
                                      .reason = j->reason,
                                      .via = "cli"};
    struct das_ballot_result r;

    if (das_approval_vote(j->cli.store, &j->cli.common.rules.people, &j->cli.vault, &ballot, &r,
                          err) < 0)
        return -1;
    fprintf(stderr, "das %s: %s: %s\n", j->cli.command, a->id, r.words);
    *code = r.kind == DAS_BALLOT_REFUSED ? DAS_EXIT_BLOCKED : DAS_EXIT_DONE;
    if (r.changed && das_approval_tell(j->cli.store, a->id, &j->cli.common.rules.channels, err) < 0)
        return -1;
    return r.kind == DAS_BALLOT_APPROVED ? carry_out(j, a->id, code, err) : 0;
}

static int run(struct job *j, int n, char **words, int *code, struct das_err *err)
{
    struct das_approval *a;
    int rc;

    if (n != 1)
        return das_fail(err, DAS_E_USAGE, "%s das approvals list shows them",
                        n ? "one request at a time;" : "which request?");
    if (!j->yes && (!j->reason || !das_text_trim(das_text_of(j->reason)).len))
        return das_fail(err, DAS_E_USAGE, "--reason: expected why not");
    if (j->cli.common.output == DAS_OUT_CSV)
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"csv\"");
    if (das_common_finish(&j->cli.common, err) < 0 || das_approval_cli_open(&j->cli, err) < 0 ||
        das_approval_cli_get(&j->cli, words[0], &a, err) < 0)
        return -1;
    if (!j->cli.person)
        rc =
            das_fail(err, DAS_E_BLOCKED,
                     "the user %s is nobody in people of das.lua: os = \"%s\" makes a person of it",
                     j->cli.who, j->cli.who);
    else if (j->yes && a->state == DAS_APPROVAL_WAITING && show_plan(a, err) < 0)
        rc = -1;
    else
        rc = vote(j, a, code, err);
    das_approval_free(a);
    if (rc == 0)
        das_approval_cli_deliver(&j->cli);
    return rc;
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct job *j = arg;

    if (option != 1001)
        return das_common_option(&j->cli.common, option, value, err) < 0 ? -1 : 0;
    j->reason = value;
    return 0;
}

static int command(int argc, char **argv, bool yes)
{
    struct job j = {.cli = {.command = yes ? "approve" : "reject"}, .yes = yes};
    const struct das_options o = {yes ? help_approve : help_reject, ":" DAS_COMMON_SHORT, options,
                                  take_option, &j};
    struct das_err err;
    int code = DAS_EXIT_DONE, rc;

    das_vault_init(&j.cli.vault);
    rc = das_common_init(&j.cli.common, &err);
    if (rc == 0)
        rc = das_options_read(&o, argc, argv, &err);
    if (rc == 0)
        rc = run(&j, argc - optind, argv + optind, &code, &err);
    if (rc < 0)
        code = das_complain(j.cli.command, &err);
    das_approval_cli_close(&j.cli);
    return code;
}

int das_cmd_approve(int argc, char **argv)
{
    return command(argc, argv, true);
}

int das_cmd_reject(int argc, char **argv)
{
    return command(argc, argv, false);
}
