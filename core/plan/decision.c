/* decision.c - see decision.h. */
#include "core/plan/decision.h"

#include <string.h>

#include "core/base/json.h"

/* --- the input ---------------------------------------------------------------------------------- */

/* With its length before it, so that no two lists have one text; NULL is "-". */
static void put_text(struct das_buf *b, struct das_text t)
{
    if (!t.ptr) {
        das_buf_str(b, "-\n");
        return;
    }
    das_buf_int(b, (int64_t)t.len);
    das_buf_char(b, ':');
    das_buf_text(b, t);
    das_buf_char(b, '\n');
}

static void put_int(struct das_buf *b, int64_t v)
{
    das_buf_int(b, v);
    das_buf_char(b, '\n');
}

static void put_session(struct das_buf *b, const struct das_snapshot *s, uint32_t row)
{
    struct das_session session;

    das_snapshot_get(s, row, &session);
    for (int f = 0; f < DAS_F_COUNT; f++) {
        if (das_field_is_text((enum das_field)f))
            put_text(b, das_session_text(&session, (enum das_field)f));
        else
            put_int(b, das_session_int(&session, (enum das_field)f));
    }
    put_int(b, session.disputed);
    put_int(b, das_snapshot_is_own(s, session.id));
}

static void put_snapshot(struct das_buf *b, const struct das_snapshot *s)
{
    const struct das_identity *id = das_snapshot_identity(s);

    put_text(b, das_text_of(id->server));
    put_int(b, id->start_unix_s);
    put_int(b, das_snapshot_time(s));
    put_int(b, das_snapshot_complete(s));
    put_int(b, das_snapshot_partial(s));
    put_int(b, das_snapshot_cut(s));
    put_int(b, das_snapshot_lag(s));
    put_int(b, das_snapshot_spread(s));
    put_int(b, das_snapshot_total(s));
    put_text(b, das_snapshot_own_user(s));
    for (uint32_t row = 0; row < das_snapshot_rows(s); row++)
        put_session(b, s, row);
}

static void note(struct das_decisions *d, int rc, const struct das_err *err)
{
    if (rc < 0 && d->failed.code == DAS_OK)
        d->failed = *err;
}

static void heard_list(void *arg, struct das_source *source, struct das_snapshot *snap,
                       const struct das_err *failed)
{
    struct das_decisions *d = arg;
    struct das_buf *b = &d->scratch;
    struct das_err err;
    int rc;

    das_buf_reset(b);
    das_buf_str(b, d->input_sha256);
    das_buf_char(b, '\n');
    put_text(b, das_text_of(das_source_name(source)));
    if (snap)
        put_snapshot(b, snap);
    else
        put_text(b, das_text_of(failed->msg));
    rc = das_buf_ok(b, &err);
    if (rc == 0)
        rc = das_sha256_hex(das_buf_view(b), d->input_sha256, &err);
    note(d, rc, &err);
}

static void heard_kill(void *arg, struct das_source *source, const struct das_kill_order *order,
                       int result, const struct das_err *err)
{
    (void)arg;
    (void)source;
    (void)order;
    (void)result;
    (void)err;
}

/* --- the lines ---------------------------------------------------------------------------------- */

int das_decisions_init(struct das_decisions *d, struct das_text script,
                       void (*line)(void *arg, struct das_text line), void *arg,
                       struct das_err *err)
{
    memset(d, 0, sizeof *d);
    d->line = line;
    d->arg = arg;
    d->listener = (struct das_source_listener){.arg = d, .listed = heard_list,
                                               .killed = heard_kill};
    if (das_sha256_hex(script, d->policy_sha256, err) < 0)
        return -1;
    return das_sha256_hex(das_text("", 0), d->input_sha256, err);
}

void das_decisions_clear(struct das_decisions *d)
{
    das_buf_clear(&d->scratch);
}

static struct das_buf *begin(struct das_decisions *d, const char *kind, const char *instance)
{
    struct das_buf *b = &d->scratch;

    das_buf_reset(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "decision", ++d->count);
    das_json_key(b, "kind");
    das_json_str(b, kind);
    das_json_key(b, "policy_sha256");
    das_json_str(b, d->policy_sha256);
    das_json_key(b, "input_sha256");
    das_json_str(b, d->input_sha256);
    das_json_key(b, "instance");
    das_json_str(b, instance);
    return b;
}

static void end(struct das_decisions *d)
{
    struct das_err err;

    das_buf_char(&d->scratch, '}');
    if (das_buf_ok(&d->scratch, &err) == 0)
        d->line(d->arg, das_buf_view(&d->scratch));
    else
        note(d, -1, &err);
}

static void put_filter(struct das_buf *b, const struct das_filter *f)
{
    struct das_buf text = {0};

    das_filter_print(f, &text);
    if (text.failed)
        b->failed = true;
    das_json_key_text(b, "filter", das_buf_view(&text));
    das_buf_clear(&text);
}

void das_decisions_previewed(void *arg, const char *instance, const struct das_selection *sel)
{
    struct das_decisions *d = arg;
    struct das_buf *b = begin(d, "preview", instance);
    struct das_session s;

    put_filter(b, sel->filter);
    das_json_key_int(b, "total", sel->total);
    das_json_key_bool(b, "complete", das_snapshot_complete(sel->snap));
    das_json_key(b, "ids");
    das_buf_char(b, '[');
    for (size_t i = 0; i < sel->count; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        das_json_comma(b);
        das_buf_int(b, s.id);
    }
    das_buf_char(b, ']');
    end(d);
}

static void put_outcome(struct das_buf *b, const struct das_plan *p,
                        const struct das_outcome *o, size_t i)
{
    struct das_session s;

    das_plan_victim(p, i, &s);
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "id", s.id);
    if (o) {
        das_json_key(b, "outcome");
        das_json_str(b, das_outcome_name(o->kind));
        das_json_key(b, "action");
        das_json_str(b, o->action);
        das_json_key(b, "note");
        das_json_str(b, o->note ? o->note : "");
    }
    das_buf_char(b, '}');
}

void das_decisions_applied(void *arg, const struct das_plan *p, const struct das_report *r,
                           const struct das_err *err)
{
    struct das_decisions *d = arg;
    struct das_buf *b = begin(d, "apply", das_plan_instance(p));

    das_json_key(b, "kill");
    das_json_str(b, das_mode_name(das_plan_mode(p)));
    das_json_key(b, "reason");
    das_json_str(b, das_plan_reason(p));
    put_filter(b, das_plan_filter(p));
    das_json_key_bool(b, "armed", r && r->armed);
    das_json_key(b, "would_block");
    das_json_str(b, r ? r->would_block : NULL);
    das_json_key(b, "error");
    das_json_str(b, r ? NULL : err->msg);
    das_json_key(b, "victims");
    das_buf_char(b, '[');
    for (size_t i = 0; i < das_plan_victims(p); i++)
        put_outcome(b, p, r ? &r->items[i] : NULL, i);
    das_buf_char(b, ']');
    end(d);
}
