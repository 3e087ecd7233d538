/* report.c - what became of a plan, for people and for programs (see plan.h). */
#include "core/plan/plan.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/session/render.h"

static const char *const outcome_names[DAS_O_COUNT] = {
    "killed", "killing", "dry_run", "gone", "changed", "protected", "refused", "failed", "unknown",
};

const char *das_outcome_name(enum das_outcome_kind k)
{
    return outcome_names[k];
}

void das_report_free(struct das_report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        das_free(r->items[i].note);
    das_free(r->items);
    das_free(r->would_block);
    das_plan_release(r->plan);
    das_free(r);
}

/* "2 killed, 1 changed" */
static void put_totals(const struct das_report *r, struct das_buf *b)
{
    const char *comma = "";

    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (!r->totals[k])
            continue;
        if (k == DAS_O_DRY_RUN)
            das_buf_printf(b, "%s%zu would be killed", comma, r->totals[k]);
        else
            das_buf_printf(b, "%s%zu %s", comma, r->totals[k], outcome_names[k]);
        comma = ", ";
    }
    if (r->count == 0)
        das_buf_str(b, "no victims");
}

/* "after 12 ms  ", "1200 rows left  " */
static void put_times(const struct das_outcome *o, struct das_buf *b)
{
    if (das_known(o->after_ms))
        das_buf_printf(b, "after %lld ms  ", (long long)o->after_ms);
    if (das_known(o->rows_left))
        das_buf_printf(b, "%lld rows left  ", (long long)o->rows_left);
    if (das_known(o->look_age_ms))
        das_buf_printf(b, "looked at %lld ms before  ", (long long)o->look_age_ms);
}

void das_report_print(const struct das_report *r, size_t width, struct das_buf *b)
{
    size_t limit = width > 60 ? width : 60;

    das_buf_str(b, r->armed ? "applied: " : "dry run: ");
    put_totals(r, b);
    if (r->respawned)
        das_buf_printf(b, ", %zu came back", r->respawned);
    das_buf_char(b, '\n');
    if (r->would_block) {
        das_buf_str(b, "armed, it would be refused: ");
        das_render_cell(das_text_of(r->would_block), 1000, b);
        das_buf_char(b, '\n');
    }
    if (r->kill_window) {
        das_buf_str(b, "not noticed: ");
        das_buf_str(b, r->kill_window);
        das_buf_char(b, '\n');
    }
    for (size_t i = 0; i < r->count; i++) {
        const struct das_outcome *o = &r->items[i];
        struct das_session s;
        size_t line = b->len;
        das_plan_victim(r->plan, i, &s);
        das_buf_printf(b, "  %-9s %-10s  %lld ", outcome_names[o->kind], o->action,
                       (long long)s.id);
        das_render_cell(s.user, 24, b);
        das_buf_char(b, '@');
        das_render_cell(s.host, 40, b);
        das_buf_str(b, "  ");
        put_times(o, b);
        if (o->note && o->note[0])
            das_render_cell(das_text_of(o->note), limit > b->len - line ? limit - (b->len - line)
                                                                       : 20, b);
        else
            das_render_cell(s.sql_info, limit > b->len - line ? limit - (b->len - line) : 20, b);
        das_buf_char(b, '\n');
    }
}

void das_report_json(const struct das_report *r, struct das_buf *b)
{
    das_buf_char(b, '{');
    das_json_key(b, "plan");
    das_json_str(b, das_plan_hash(r->plan));
    das_json_key(b, "instance");
    das_json_str(b, das_plan_instance(r->plan));
    das_json_key(b, "reason");
    das_json_str(b, das_plan_reason(r->plan));
    das_json_key_bool(b, "dry_run", !r->armed);
    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (k != DAS_O_DRY_RUN)
            das_json_key_int(b, outcome_names[k], (int64_t)r->totals[k]);
        else
            das_json_key_int(b, "would_kill", (int64_t)r->totals[k]);
    }
    das_json_key_int(b, "respawned", (int64_t)r->respawned);
    if (r->would_block) {
        das_json_key(b, "would_block");
        das_json_str(b, r->would_block);
    }
    if (r->kill_window) {
        das_json_key(b, "kill_window");
        das_json_str(b, r->kill_window);
    }
    das_json_key(b, "outcomes");
    das_buf_char(b, '[');
    for (size_t i = 0; i < r->count; i++) {
        const struct das_outcome *o = &r->items[i];
        struct das_session s;
        das_plan_victim(r->plan, i, &s);
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_int(b, "id", s.id);
        das_json_key(b, "outcome");
        das_json_str(b, outcome_names[o->kind]);
        if (o->action[0]) {
            das_json_key(b, "action");
            das_json_str(b, o->action);
        }
        if (das_known(o->after_ms))
            das_json_key_int(b, "after_ms", o->after_ms);
        if (das_known(o->rows_left))
            das_json_key_int(b, "rows_left", o->rows_left);
        if (das_known(o->look_age_ms))
            das_json_key_int(b, "look_age_ms", o->look_age_ms);
        if (o->note && o->note[0]) {
            das_json_key(b, "note");
            das_json_str(b, o->note);
        }
        das_json_key(b, "session");
        das_render_session_json(&s, b);
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}");
}
