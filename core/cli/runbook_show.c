/* runbook_show.c - das runbook list and show. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/cli/runbook_cli.h"
#include "core/store/runbook_text.h"

#define LISTED 1000

/* --- list -------------------------------------------------------------------------------------- */

struct listing {
    struct das_runbook_job *j;
    struct das_buf *b;
    struct das_err *err;
    size_t count;
};

/* A cell of so many columns, and two blanks. */
static void put_cell(struct das_buf *b, const char *text, size_t cells)
{
    size_t used = das_render_cell(das_text_of(text), cells, b);

    das_buf_fill(b, ' ', used < cells ? cells - used + 2 : 2);
}

static void put_moment(struct das_buf *b, int64_t ms)
{
    char text[40] = "-";

    if (ms)
        das_clock_iso(ms / 1000, text, sizeof text);
    put_cell(b, text, 20);
}

static int put_row(void *arg, const struct das_runbook *r)
{
    struct listing *l = arg;
    const char *state;
    char id[24];

    l->count++;
    if (l->j->format == DAS_RF_JSON)
        return das_runbook_json_line(l->j->store, r, l->b, l->err);
    state = das_runbook_state(l->j->store, r, l->err);
    if (!state)
        return -1;
    snprintf(id, sizeof id, "%lld", (long long)r->id);
    put_cell(l->b, id, 6);
    put_cell(l->b, state, 11);
    put_moment(l->b, r->started_ms);
    put_cell(l->b, r->armed ? "armed" : "dry run", 7);
    put_cell(l->b, *r->who ? r->who : "-", 12);
    das_render_cell(das_text_of(*r->error ? r->error : r->key), 100, l->b);
    das_buf_char(l->b, '\n');
    return 0;
}

int das_runbook_cmd_list(struct das_runbook_job *j, struct das_err *err)
{
    struct das_buf b = {0};
    struct listing l = {j, &b, err, 0};
    int rc = 0;

    if (j->format == DAS_RF_TABLE)
        das_buf_str(&b, "ID      STATUS       STARTED               MODE     BY            WHAT\n");
    if (j->store)
        rc = das_runbook_each(j->store, j->open, LISTED, put_row, &l, err);
    if (rc == 0 && !l.count && j->format == DAS_RF_TABLE) {
        das_buf_reset(&b);
        das_buf_printf(&b, "no %sruns\n", j->open ? "open " : "");
    }
    if (rc == 0)
        rc = das_write_out(&b, err);
    das_buf_clear(&b);
    return rc < 0 ? -1 : DAS_EXIT_DONE;
}

/* --- show -------------------------------------------------------------------------------------- */

static const char *what_of(const struct das_runbook_step *step)
{
    if (*step->error)
        return step->error;
    if (step->status == DAS_STEP_WAITING)
        return step->kind == DAS_STEP_ASK ? "waits for an answer" : "waits for its moment";
    if (step->kind == DAS_STEP_CALL && step->acts && step->status == DAS_STEP_BEGUN)
        return "it acts, and its result is not there yet";
    return step->result;
}

static int put_step(void *arg, const struct das_runbook_step *step)
{
    struct listing *l = arg;
    char n[24], took[24] = "-";

    snprintf(n, sizeof n, "%lld", (long long)step->n);
    if (step->ended_ms)
        snprintf(took, sizeof took, "%.1f s", (double)(step->ended_ms - step->begun_ms) / 1000);
    put_cell(l->b, n, 3);
    put_cell(l->b, das_step_status_name(step->status), 7);
    put_moment(l->b, step->begun_ms);
    put_cell(l->b, took, 9);
    put_cell(l->b, step->name, 32);
    das_render_cell(das_text_of(what_of(step)), 100, l->b);
    if (*step->who) {
        das_buf_str(l->b, "  by ");
        das_render_cell(das_text_of(step->who), 40, l->b);
    }
    das_buf_char(l->b, '\n');
    return 0;
}

static int put_table(struct das_runbook_job *j, const struct das_runbook *r, struct das_buf *b,
                     struct das_err *err)
{
    struct listing l = {j, b, err, 0};
    const char *state = das_runbook_state(j->store, r, err);
    char started[40];

    if (!state)
        return -1;
    das_clock_iso(r->started_ms / 1000, started, sizeof started);
    das_buf_printf(b, "runbook %lld: ", (long long)r->id);
    das_render_cell(das_text_of(r->key), 300, b);
    das_buf_printf(b, "\n%s, %s, started %s by ", state, r->armed ? "armed" : "dry run", started);
    das_render_cell(das_text_of(*r->who ? r->who : "nobody known"), 60, b);
    das_buf_str(b, "\nparameters: ");
    das_render_cell(das_text_of(r->params), 300, b);
    if (*r->error) {
        das_buf_str(b, "\nerror: ");
        das_render_cell(das_text_of(r->error), 500, b);
    }
    das_buf_str(b, "\n\n#    STATUS   BEGAN                 TOOK       STEP                              RESULT\n");
    return das_step_each(j->store, r->id, put_step, &l, err);
}

int das_runbook_cmd_show(struct das_runbook_job *j, struct das_err *err)
{
    struct das_buf b = {0};
    struct das_runbook r;
    int64_t id;
    int rc;

    if (das_runbook_id(j, &id, err) < 0)
        return -1;
    rc = j->store ? das_runbook_get(j->store, id, &r, err) : 0;
    if (rc == 0)
        return das_fail(err, DAS_E_USAGE, "there is no runbook %lld; das runbook list shows them",
                        (long long)id);
    if (rc < 0)
        return -1;
    rc = j->format == DAS_RF_JSON       ? das_runbook_json(j->store, &r, &b, err)
         : j->format == DAS_RF_MARKDOWN ? das_runbook_markdown(j->store, &r, &b, err)
                                        : put_table(j, &r, &b, err);
    if (rc == 0)
        rc = das_write_out(&b, err);
    das_buf_clear(&b);
    das_runbook_clear(&r);
    return rc < 0 ? -1 : DAS_EXIT_DONE;
}
