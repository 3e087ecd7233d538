/* cmd_approvals.c - das approvals: what waits for a yes, what became of it, and what is left to be
 * done. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/approval_cli.h"

#define LIST_MAX 200
#define RUN_MAX 100

static const char help[] =
    "das approvals [list] [--open] [-o table|json] [--config FILE]\n"
    "das approvals show ID [-o table|json]\n"
    "das approvals run\n"
    "\n"
    "Kills that scripts asked for (plan:request_approval), newest first: who may decide, who did,\n"
    "and what became of it. das approve and das reject decide.\n"
    "\n"
    "run does what is due: expires what nobody decided in time, and carries out what is approved "
    "and\n"
    "was not carried out, because a process died. das serve does it by itself. What had been "
    "begun\n"
    "already is never begun again: the journal says what became of it.\n"
    "\n"
    "      --open           only those that still wait\n"
    "  -o, --output FORMAT  table, json\n"
    "      --config FILE    instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                       /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das approvals --open\n"
    "  das approvals show 3f62c09a17be\n"
    "  das approvals show -o json 3f62c09a17be | jq .votes\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 usage or configuration; run: as das apply.\n";

static const struct option options[] = {
    DAS_COMMON_LONG,
    {"open", no_argument, NULL, 1001},
    {NULL, 0, NULL, 0},
};

struct job {
    struct das_approval_cli cli;
    bool open;
    struct das_buf out;
};

/* --- list ------------------------------------------------------------------------------------- */

static void list_row(struct job *j, const struct das_approval *a)
{
    struct das_buf words = {0};
    char at[32];

    if (j->cli.common.output == DAS_OUT_JSON) {
        das_json_comma(&j->out);
        das_approval_cli_show(a, true, &j->out);
        return;
    }
    das_clock_iso(a->created_ms / 1000, at, sizeof at);
    das_approval_words(a, &words);
    das_buf_printf(&j->out, "%s  %-8s  %s  %3lld on ", a->id, das_approval_state_name(a->state), at,
                   (long long)a->victims);
    das_render_cell(das_text_of(a->instance), 30, &j->out);
    das_buf_str(&j->out, "  ");
    das_render_cell(das_buf_view(&words), 120, &j->out);
    das_buf_char(&j->out, '\n');
    das_buf_clear(&words);
}

/* One that was tampered with is listed as what it is, and does not hide the others. */
static int list_one(struct job *j, struct das_store *s, const char *id, struct das_err *err)
{
    struct das_approval *a;

    if (das_approval_get(s, id, &a, err) < 0) {
        if (err->code != DAS_E_DATA)
            return -1;
        fprintf(stderr, "das approvals: %s\n", err->msg);
        return 0;
    }
    if (a)
        list_row(j, a);
    das_approval_free(a);
    return 0;
}

static int list(struct job *j, struct das_store *s, struct das_err *err)
{
    struct das_approval_key *keys = das_calloc(LIST_MAX, sizeof *keys);
    bool json = j->cli.common.output == DAS_OUT_JSON;
    int n = keys ? 0 : das_fail_nomem(err), rc;

    if (keys && s)
        n = das_approval_list(s, j->open, keys, LIST_MAX, err);
    rc = n < 0 ? -1 : 0;
    if (json)
        das_buf_char(&j->out, '[');
    else if (n == 0)
        das_buf_str(&j->out, j->open ? "nothing waits for a yes\n" : "nobody was asked yet\n");
    for (int i = 0; rc == 0 && i < n; i++)
        rc = list_one(j, s, keys[i].id, err);
    if (json)
        das_buf_str(&j->out, "]\n");
    das_free(keys);
    return rc < 0 ? -1 : das_write_out(&j->out, err);
}

/* --- show ------------------------------------------------------------------------------------- */

static int show(struct job *j, struct das_store *s, const char *id, struct das_err *err)
{
    bool json = j->cli.common.output == DAS_OUT_JSON;
    struct das_approval *a = NULL;
    struct das_plan *p;
    int rc = s ? das_approval_get(s, id, &a, err) : 0;

    if (rc == 0 && !a)
        rc = das_fail(err, DAS_E_USAGE,
                      "there is no request \"%.40s\"; das approvals list shows them", id);
    if (rc == 0) {
        das_approval_cli_show(a, json, &j->out);
        if (json)
            das_buf_char(&j->out, '\n');
        rc = das_write_out(&j->out, err);
    }
    if (rc == 0 && !json) {
        p = das_plan_read(a->plan, err);
        rc = p ? 0 : -1;
        if (p) {
            das_buf_char(&j->out, '\n');
            das_plan_print(p, das_terminal_width(), &j->out);
            rc = das_write_out(&j->out, err);
        }
        das_plan_release(p);
    }
    das_approval_free(a);
    return rc;
}

/* --- run -------------------------------------------------------------------------------------- */

static int run_due(struct job *j, int *code, struct das_err *err)
{
    das_approval_id ids[RUN_MAX];
    int n, one;

    if (das_approval_cli_open(&j->cli, err) < 0)
        return -1;
    n = das_approval_due(j->cli.store, &j->cli.means, ids, RUN_MAX, err);
    if (n < 0)
        return -1;
    for (int i = 0; i < n && !atomic_load(j->cli.interrupt); i++) {
        enum das_approval_fate fate;
        if (das_approval_cli_carry(&j->cli, ids[i], &fate, &one, err) < 0)
            return -1;
        fprintf(stderr, "das approvals: %s: %s\n", ids[i],
                fate == DAS_FATE_EXPIRED   ? "expired"
                : fate == DAS_FATE_SETTLED ? "carried out"
                                           : "another das carries it out");
        *code = one > *code ? one : *code;
    }
    das_approval_cli_deliver(&j->cli);
    return 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static int look(struct job *j, int n, char **words, struct das_err *err)
{
    struct das_store *s = NULL;
    int rc = das_common_need_state(&j->cli.common, err);

    if (rc == 0)
        rc = das_store_open_to_read(j->cli.common.state_dir.ptr, &s, err);
    if (rc == 0)
        rc = n == 2 ? show(j, s, words[1], err) : list(j, s, err);
    das_store_close(s);
    return rc;
}

static int run(struct job *j, int n, char **words, int *code, struct das_err *err)
{
    const char *what = n ? words[0] : "list";
    bool is_show = strcmp(what, "show") == 0, is_run = strcmp(what, "run") == 0;

    if (!is_show && !is_run && strcmp(what, "list") != 0)
        return das_fail(err, DAS_E_USAGE, "expected list, show or run, got \"%.40s\"", what);
    if (is_show ? n != 2 : n > 1)
        return das_fail(err, DAS_E_USAGE,
                        is_show ? "show: which request? das approvals list shows them"
                                : "%s takes nothing behind it",
                        what);
    if (j->cli.common.output == DAS_OUT_CSV)
        return das_fail(err, DAS_E_USAGE, "-o: expected table or json, got \"csv\"");
    if (das_common_finish(&j->cli.common, err) < 0)
        return -1;
    return is_run ? run_due(j, code, err) : look(j, n, words, err);
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct job *j = arg;

    if (option != 1001)
        return das_common_option(&j->cli.common, option, value, err) < 0 ? -1 : 0;
    j->open = true;
    return 0;
}

int das_cmd_approvals(int argc, char **argv)
{
    struct job j = {.cli = {.command = "approvals"}};
    const struct das_options o = {help, ":" DAS_COMMON_SHORT, options, take_option, &j};
    struct das_err err;
    int code = DAS_EXIT_DONE, rc;

    das_vault_init(&j.cli.vault);
    rc = das_common_init(&j.cli.common, &err);
    if (rc == 0)
        rc = das_options_read(&o, argc, argv, &err);
    if (rc == 0)
        rc = run(&j, argc - optind, argv + optind, &code, &err);
    if (rc < 0)
        code = das_complain("approvals", &err);
    das_buf_clear(&j.out);
    das_approval_cli_close(&j.cli);
    return code;
}
