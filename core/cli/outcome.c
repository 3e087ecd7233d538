/* outcome.c - what a run did, in words and as an exit code: for das run, das repl and das apply. */
#include <stdio.h>

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
    return das_totals_exit(r->totals, r->apply_failed, failed);
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
        das_buf_printf(&line, "  %-8s %-10s  %lld ", das_outcome_name(a->kind), a->action,
                       (long long)a->id);
        das_render_cell(das_text_of(a->user), 80, &line);
        das_buf_str(&line, " on ");
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

/* One line for the person at the terminal: was this real? */
void das_say_summary(const char *command, const struct das_engine_result *r, bool armed)
{
    size_t killed = 0, ending = 0, failed = 0, unknown = 0;
    char still[40] = "";

    if (!armed && r->totals[DAS_O_DRY_RUN])
        fprintf(stderr, "das %s: dry run: %zu would be killed%s\n", command,
                r->totals[DAS_O_DRY_RUN], r->would_refuse[0] ? "" : "; --apply does it");
    if (!armed && r->would_refuse[0])
        say_why(command, "--apply would be refused", r->would_refuse);
    if (r->apply_failed)
        fprintf(stderr, "das %s: %zu plan%s could not be verified: nothing was done for %s\n", command,
                r->apply_failed, r->apply_failed == 1 ? "" : "s",
                r->apply_failed == 1 ? "it" : "them");
    if (!armed || (!r->applied && !r->act_count))
        return;
    for (size_t i = 0; i < r->act_count; i++) {
        killed += r->acts[i].kind == DAS_O_KILLED;
        ending += r->acts[i].kind == DAS_O_KILLING;
        failed += r->acts[i].kind == DAS_O_FAILED;
        unknown += r->acts[i].kind == DAS_O_UNKNOWN;
    }
    if (ending)
        snprintf(still, sizeof still, "%zu still ending, ", ending);
    fprintf(stderr, "das %s: %zu killed, %s%zu spared, %zu failed, %zu unknown\n", command, killed, still,
            r->totals[DAS_O_GONE] + r->totals[DAS_O_CHANGED] + r->totals[DAS_O_PROTECTED] +
                r->totals[DAS_O_REFUSED],
            failed, unknown);
    if (r->refused[0])
        say_why(command, "refused", r->refused);
}
