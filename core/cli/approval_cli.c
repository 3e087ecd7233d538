/* approval_cli.c - see approval_cli.h. */
#include "core/cli/approval_cli.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/cli/deliver_cli.h"
#include "core/cli/interrupt.h"

#define DELIVER_MS 10000

/* --- what a plan needs ------------------------------------------------------------------------ */

static int place_of(struct das_approval_cli *c, const char *name, size_t *at, struct das_err *err)
{
    struct das_inventory *inv = c->common.inventory;
    size_t n = das_inventory_count(inv);

    for (*at = 0; *at < n; ++*at) {
        if (strcmp(das_inventory_name(inv, *at), name) == 0)
            return 0;
    }
    return das_inventory_choose(inv, name, err);
}

static bool knows(void *arg, const char *instance)
{
    struct das_err ignored;
    size_t at;

    return place_of(arg, instance, &at, &ignored) == 0;
}

static int enter(void *arg, const char *instance, struct das_source **out, struct das_err *err)
{
    struct das_approval_cli *c = arg;
    size_t at;

    *out = NULL;
    if (place_of(c, instance, &at, err) < 0)
        return -1;
    *out = das_inventory_open(c->common.inventory, at, err);
    return *out ? 0 : -1;
}

static void leave(void *arg, const char *instance, struct das_source *source)
{
    (void)arg;
    (void)instance;
    (void)source; /* the inventory's */
}

static const struct das_policy_rules *rules_of(void *arg, const char *policy)
{
    struct das_approval_cli *c = arg;
    struct das_script_rules rules;

    das_rules_for(&c->common.rules, policy[0] == '/' ? policy : NULL, &rules);
    return rules.policy;
}

/* --- open and close --------------------------------------------------------------------------- */

int das_approval_cli_open(struct das_approval_cli *c, struct das_err *err)
{
    das_who(c->who, sizeof c->who);
    c->person = das_people_by(&c->common.rules.people, "os", c->who);
    das_common_read_secrets(&c->common, &c->vault);
    c->interrupt = das_interrupt_catch();
    c->means = (struct das_approval_means){
        .arg = c,
        .knows = knows,
        .enter = enter,
        .leave = leave,
        .rules = rules_of,
        .protect = &c->common.protect,
        .stop_files = (const char *const *)c->common.stop_files,
        .vault = &c->vault,
        .watch = &das_interrupt_watch,
    };
    if (das_common_need_state(&c->common, err) < 0)
        return -1;
    return das_store_open(c->common.state_dir.ptr, &c->store, err);
}

void das_approval_cli_close(struct das_approval_cli *c)
{
    das_store_close(c->store);
    das_vault_clear(&c->vault);
    das_common_clear(&c->common);
}

int das_approval_cli_get(struct das_approval_cli *c, const char *id, struct das_approval **out,
                         struct das_err *err)
{
    if (das_approval_get(c->store, id, out, err) < 0)
        return -1;
    if (!*out)
        return das_fail(err, DAS_E_USAGE,
                        "there is no request \"%.40s\"; das approvals list shows them", id);
    return 0;
}

/* --- carrying out ----------------------------------------------------------------------------- */

static int show_report(struct das_approval_cli *c, const struct das_report *r, struct das_err *err)
{
    struct das_buf b = {0};
    int rc;

    if (c->common.output == DAS_OUT_JSON) {
        das_report_json(r, &b);
        das_buf_char(&b, '\n');
    } else {
        das_report_print(r, das_terminal_width(), &b);
    }
    rc = das_write_out(&b, err);
    das_buf_clear(&b);
    return rc;
}

int das_approval_cli_carry(struct das_approval_cli *c, const char *id, enum das_approval_fate *fate,
                           int *code, struct das_err *err)
{
    struct das_report *report = NULL;
    struct das_approval *a = NULL;
    int rc = das_approval_carry_out(c->store, id, &c->means, fate, &report, err);

    *code = DAS_EXIT_DONE;
    if (rc == 0 && *fate != DAS_FATE_NOTHING)
        rc = das_approval_tell(c->store, id, &c->common.rules.channels, err);
    if (rc == 0 && report) {
        rc = show_report(c, report, err);
        *code = das_totals_exit(report->totals, 0, atomic_load(c->interrupt) != 0);
    }
    if (rc == 0 && *fate == DAS_FATE_SETTLED && !report) {
        rc = das_approval_get(c->store, id, &a, err);
        if (rc == 0 && a && a->state != DAS_APPROVAL_APPLIED) {
            fprintf(stderr, "das %s: %s: %s: %s\n", c->command, id,
                    das_approval_state_name(a->state), a->note);
            *code = a->state == DAS_APPROVAL_UNKNOWN ? DAS_EXIT_UNKNOWN : DAS_EXIT_FAILED;
        }
    }
    das_approval_free(a);
    das_report_free(report);
    return rc;
}

void das_approval_cli_deliver(struct das_approval_cli *c)
{
    struct das_deliver_cli d = {
        .command = c->command, .channels = &c->common.rules.channels, .budget_ms = DELIVER_MS};
    struct das_err err;

    if (d.channels->count && das_deliver_cli(&d, c->store, &err) < 0)
        fprintf(stderr, "das %s: messages are not sent: %s\n", c->command, err.msg);
}

/* --- showing ---------------------------------------------------------------------------------- */

static void put_time(struct das_buf *b, const char *name, int64_t ms)
{
    char at[32];

    if (!ms)
        return;
    das_clock_iso(ms / 1000, at, sizeof at);
    das_buf_printf(b, "%-12s %s\n", name, at);
}

static void put_line(struct das_buf *b, const char *name, const char *value)
{
    if (!*value)
        return;
    das_buf_printf(b, "%-12s ", name);
    das_render_cell(das_text_of(value), 400, b);
    das_buf_char(b, '\n');
}

static void put_names(struct das_buf *b, const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        das_buf_printf(b, "%s%s", i ? ", " : name, list[i]);
    if (n)
        das_buf_char(b, '\n');
}

static void show_people(const struct das_approval *a, struct das_buf *b)
{
    struct das_buf words = {0};

    das_approval_words(a, &words);
    das_buf_printf(b, "%-12s %s\n", a->id, das_approval_state_name(a->state));
    put_line(b, "", words.ptr ? words.ptr : "");
    das_buf_clear(&words);
    put_line(b, "instance", a->instance);
    put_line(b, "policy", a->policy);
    put_line(b, "reason", a->reason);
    put_line(b, "asked by", *a->person ? a->person : a->by);
    put_names(b, "roles        ", a->roles, a->role_count);
    put_names(b, "users        ", a->users, a->user_count);
    das_buf_printf(b, "%-12s %lld\n", "needed", (long long)a->need);
    put_time(b, "asked", a->created_ms);
    put_time(b, "until", a->expires_ms);
    put_time(b, "decided", a->decided_ms);
    put_time(b, "ended", a->ended_ms);
    for (size_t i = 0; i < a->vote_count; i++) {
        char at[32];
        das_clock_iso(a->votes[i].at_ms / 1000, at, sizeof at);
        das_buf_printf(b, "%-12s %s %s by %s%s", i ? "" : "votes", at,
                       a->votes[i].yes ? "yes" : "no ", a->votes[i].person,
                       *a->votes[i].reason ? ": " : "");
        das_render_cell(das_text_of(a->votes[i].reason), 400, b);
        das_buf_printf(b, " (%s)\n", a->votes[i].via);
    }
    das_buf_printf(b, "%-12s %s\n", "plan", a->hash);
}

void das_approval_cli_show(const struct das_approval *a, bool json, struct das_buf *b)
{
    if (json)
        das_approval_json(a, b);
    else
        show_people(a, b);
}
