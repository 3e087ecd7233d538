/*
 * runbook_note.c - what an apply did, for a runbook's transcript. It is meant to be pasted into a
 * ticket, so statements are there by their shape, without the values in them.
 */
#include "bindings/bind.h"

#include "core/base/json.h"
#include "core/session/fingerprint.h"

#define OUTCOMES_MAX 1000
#define SHAPE_MAX 500 /* bytes */

static void put_set(struct das_buf *b, const char *key, struct das_text t)
{
    if (t.len)
        das_json_key_text(b, key, t);
}

static void put_shape(struct das_buf *b, struct das_text sql)
{
    struct das_buf shape = {0};

    if (!sql.len)
        return;
    das_statement_shape(sql, &shape);
    if (shape.len > SHAPE_MAX)
        shape.len = SHAPE_MAX; /* half a character becomes U+FFFD */
    if (!shape.failed)
        das_json_key_text(b, "fingerprint", das_buf_view(&shape));
    das_buf_clear(&shape);
}

static void put_outcome(struct das_buf *b, const struct das_report *r, size_t i)
{
    const struct das_outcome *o = &r->items[i];
    struct das_session s;

    das_plan_victim(r->plan, i, &s);
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "id", s.id);
    put_set(b, "user", s.user);
    put_set(b, "host", s.host);
    put_set(b, "db", s.db);
    put_set(b, "command", s.command);
    put_shape(b, s.sql_info);
    put_set(b, "action", das_text_of(o->action));
    put_set(b, "outcome", das_text_of(das_outcome_name(o->kind)));
    put_set(b, "note", das_text_of(o->note));
    das_buf_char(b, '}');
}

static void put_report(struct das_buf *b, const struct das_report *r)
{
    das_buf_char(b, '{');
    das_json_key_text(b, "plan", das_text_of(das_plan_hash(r->plan)));
    das_json_key_text(b, "instance", das_text_of(das_plan_instance(r->plan)));
    das_json_key_text(b, "reason", das_text_of(das_plan_reason(r->plan)));
    das_json_key_bool(b, "dry_run", !r->armed);
    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (r->totals[k])
            das_json_key_int(b, k == DAS_O_DRY_RUN ? "would_kill"
                                                   : das_outcome_name((enum das_outcome_kind)k),
                             (int64_t)r->totals[k]);
    }
    if (r->would_block)
        das_json_key_text(b, "would_block", das_text_of(r->would_block));
    das_json_key(b, "outcomes");
    das_buf_char(b, '[');
    for (size_t i = 0; i < r->count && i < OUTCOMES_MAX; i++)
        put_outcome(b, r, i);
    das_buf_char(b, ']');
    if (r->count > OUTCOMES_MAX)
        das_json_key_int(b, "more", (int64_t)(r->count - OUTCOMES_MAX));
    das_buf_char(b, '}');
}

void das_run_note_report(struct das_run *run, const struct das_report *r)
{
    struct das_buf b = {0};

    if (!run->book.in_step)
        return;
    put_report(&b, r);
    if (!b.failed)
        das_run_noted(run, "apply", das_buf_view(&b));
    das_buf_clear(&b);
}
