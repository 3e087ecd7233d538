/* outcome.c - what a run did, in words and as an exit code: for das run, das repl and das apply. */
#include <stdio.h>
#include <string.h>

#include "core/cli/cli.h"
#include "core/store/journal.h"

int das_say_unknown(const char *command, struct das_store *s, struct das_err *err)
{
    int64_t unknown = s ? das_journal_unknown(s, NULL, 0, err) : 0;

    if (unknown > 0)
        fprintf(stderr, "das %s: of %lld earlier kill%s the outcome is not known; das audit "
                        "list --unknown shows them\n",
                command, (long long)unknown, unknown == 1 ? "" : "s");
    return unknown < 0 ? -1 : 0;
}

/* What became of the victims decides, the worst first. An error in the script does not hide an
 * unknown outcome. */
int das_totals_exit(const size_t totals[DAS_O_COUNT], size_t undone, bool failed)
{
    bool some = totals[DAS_O_KILLED] || totals[DAS_O_KILLING];

    if (totals[DAS_O_UNKNOWN])
        return DAS_EXIT_UNKNOWN;
    if (failed)
        return DAS_EXIT_FAILED;
    if (totals[DAS_O_FAILED] || undone)
        return some ? DAS_EXIT_PARTIAL : DAS_EXIT_FAILED;
    if (totals[DAS_O_REFUSED])
        return some ? DAS_EXIT_PARTIAL : DAS_EXIT_BLOCKED;
    return DAS_EXIT_DONE;
}

int das_outcome_exit(const struct das_engine_result *r, bool failed)
{
    size_t totals[DAS_O_COUNT];

    memcpy(totals, r->totals, sizeof totals);
    totals[DAS_O_REFUSED] += r->refused_orders;
    return das_totals_exit(totals, r->apply_failed, failed);
}

static const char *act_word(const struct das_act *a)
{
    return a->order && a->kind == DAS_O_KILLED ? "done" : das_outcome_name(a->kind);
}

/* A run that did not end well leaves the list of what it did: its own report may never have been
 * printed. */
void das_say_acts(const char *command, const struct das_engine_result *r)
{
    if (r->act_count)
        fprintf(stderr, "das %s: until then:\n", command);
    for (size_t i = 0; i < r->act_count; i++) {
        const struct das_act *a = &r->acts[i];
        struct das_buf line = {0};
        das_buf_printf(&line, "  %-8s %-10s  ", act_word(a), a->action);
        if (a->id || !a->order)
            das_buf_printf(&line, "%lld ", (long long)a->id);
        das_render_cell(das_text_of(a->user), 80, &line);
        das_buf_printf(&line, "%son ", a->order ? "" : " ");
        das_render_cell(das_text_of(a->instance), 128, &line);
        if (a->note[0]) {
            das_buf_str(&line, "  ");
            das_render_cell(das_text_of(a->note), 200, &line);
        }
        fprintf(stderr, "%s\n", line.ptr ? line.ptr : "");
        das_buf_clear(&line);
    }
}

static void say_why(const char *command, const char *what, const char *why)
{
    struct das_buf line = {0};

    das_render_cell(das_text_of(why), 400, &line); /* may hold text of a session */
    fprintf(stderr, "das %s: %s: %s\n", command, what, line.ptr ? line.ptr : "");
    das_buf_clear(&line);
}

static void say_dry_run(const char *command, const struct das_engine_result *r)
{
    const char *apply = r->would_refuse[0] ? "" : "; --apply does it";

    if (r->totals[DAS_O_DRY_RUN])
        fprintf(stderr, "das %s: dry run: %zu would be killed%s\n", command,
                r->totals[DAS_O_DRY_RUN], apply);
    if (r->dry_orders)
        fprintf(stderr, "das %s: dry run: %zu order%s to the cloud would be given%s\n", command,
                r->dry_orders, r->dry_orders == 1 ? "" : "s", apply);
    if (r->would_refuse[0])
        say_why(command, "--apply would be refused", r->would_refuse);
}

static size_t count_acts(const struct das_engine_result *r, bool orders, enum das_outcome_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < r->act_count; i++)
        n += r->acts[i].order == orders && r->acts[i].kind == kind;
    return n;
}

static void say_kills(const char *command, const struct das_engine_result *r)
{
    size_t ending = count_acts(r, false, DAS_O_KILLING);
    char still[40] = "";

    if (ending)
        snprintf(still, sizeof still, "%zu still ending, ", ending);
    fprintf(stderr, "das %s: %zu killed, %s%zu spared, %zu failed, %zu unknown\n", command,
            count_acts(r, false, DAS_O_KILLED), still,
            r->totals[DAS_O_GONE] + r->totals[DAS_O_CHANGED] + r->totals[DAS_O_PROTECTED] +
                r->totals[DAS_O_REFUSED],
            count_acts(r, false, DAS_O_FAILED), count_acts(r, false, DAS_O_UNKNOWN));
}

/* One line for the person at the terminal: was this real? */
void das_say_summary(const char *command, const struct das_engine_result *r, bool armed)
{
    size_t orders = 0;

    for (size_t i = 0; i < r->act_count; i++)
        orders += r->acts[i].order;
    if (!armed)
        say_dry_run(command, r);
    if (r->apply_failed)
        fprintf(stderr, "das %s: %zu plan%s could not be verified: nothing was done for %s\n", command,
                r->apply_failed, r->apply_failed == 1 ? "" : "s",
                r->apply_failed == 1 ? "it" : "them");
    if (!armed)
        return;
    if (r->applied || r->act_count > orders)
        say_kills(command, r);
    if (orders)
        fprintf(stderr, "das %s: orders to the cloud: %zu done, %zu failed, %zu unknown\n", command,
                count_acts(r, true, DAS_O_KILLED), count_acts(r, true, DAS_O_FAILED),
                count_acts(r, true, DAS_O_UNKNOWN));
    if (r->refused[0])
        say_why(command, "refused", r->refused);
}
