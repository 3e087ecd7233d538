/* test_seen.c - see test_seen.h. */
#include "bindings/test_seen.h"

#include <string.h>

#include "bindings/bind.h"
#include "core/base/mem.h"
#include "core/session/explain.h"

void das_seen_clear(struct das_seen *s)
{
    for (size_t i = 0; i < s->preview_count; i++) {
        das_free(s->previews[i].instance);
        das_snapshot_release(s->previews[i].snap);
        das_filter_release(s->previews[i].filter);
        das_free(s->previews[i].ids);
    }
    for (size_t i = 0; i < s->plan_count; i++)
        das_plan_release(s->plans[i]);
    for (size_t i = 0; i < s->apply_count; i++) {
        struct das_seen_apply *a = &s->applies[i];
        for (size_t k = 0; k < a->count; k++)
            das_free(a->items[k].note);
        das_free(a->items);
        das_free(a->error);
        das_plan_release(a->plan);
    }
    das_free(s->previews);
    das_free(s->plans);
    das_free(s->applies);
    memset(s, 0, sizeof *s);
}

/* One more, zeroed, at the end of a list; NULL: no memory. */
static void *one_more(struct das_seen *s, void *list, size_t *count, size_t size)
{
    char **p = list, *bigger = das_grow(*p, *count + 1, size);

    if (!bigger) {
        s->failed = true;
        return NULL;
    }
    *p = bigger;
    memset(bigger + *count * size, 0, size);
    return bigger + (*count)++ * size;
}

void das_seen_preview(struct das_seen *s, const char *instance, const struct das_selection *sel)
{
    struct das_seen_preview *p = one_more(s, &s->previews, &s->preview_count, sizeof *p);

    if (!p)
        return;
    p->snap = das_snapshot_retain(sel->snap);
    p->filter = das_filter_retain(sel->filter);
    p->instance = das_strdup(instance);
    p->ids = das_grow(NULL, sel->count, sizeof *p->ids);
    if (!p->instance || (sel->count && !p->ids)) {
        s->failed = true;
        return;
    }
    p->count = sel->count;
    for (size_t i = 0; i < sel->count; i++)
        p->ids[i] = das_snapshot_ids(sel->snap)[sel->rows[i]];
}

/* Plans are counted by reference whoever holds them. */
static struct das_plan *kept(const struct das_plan *plan)
{
    return das_plan_retain((struct das_plan *)(uintptr_t)plan);
}

void das_seen_plan(struct das_seen *s, const struct das_plan *plan)
{
    struct das_plan **p = one_more(s, &s->plans, &s->plan_count, sizeof *p);

    if (p)
        *p = kept(plan);
}

void das_seen_apply(struct das_seen *s, const struct das_plan *plan,
                    const struct das_report *report, const struct das_err *err)
{
    struct das_seen_apply *a = one_more(s, &s->applies, &s->apply_count, sizeof *a);
    struct das_session victim;

    if (!a)
        return;
    a->plan = kept(plan);
    if (!report) {
        a->error = das_strdup(err->msg);
        s->failed |= !a->error;
        return;
    }
    a->items = das_calloc(report->count, sizeof *a->items);
    s->failed |= report->count && !a->items;
    for (size_t i = 0; a->items && i < report->count; i++) {
        struct das_seen_outcome *o = &a->items[a->count++];
        das_plan_victim(plan, i, &victim);
        o->id = victim.id;
        o->kind = report->items[i].kind;
        o->action = report->items[i].action; /* a constant */
        o->note = report->items[i].note ? das_strdup(report->items[i].note) : NULL;
        s->failed |= report->items[i].note && !o->note;
    }
}

/* --- why ----------------------------------------------------------------------------------------- */

static void explain_preview(const struct das_seen_preview *p, size_t number, int64_t id,
                            struct das_buf *b)
{
    int64_t row = das_snapshot_find(p->snap, id);
    struct das_explanation *e = NULL;
    struct das_session s;
    struct das_buf text = {0};
    struct das_err err;
    const char *line, *end;

    das_buf_printf(b, "  preview %zu of %s: ", number, p->instance);
    if (row < 0) {
        das_buf_str(b, "it was not there\n");
        return;
    }
    das_snapshot_get(p->snap, (uint32_t)row, &s);
    e = das_explain(p->filter, &s, &err);
    if (e)
        das_explanation_print(e, &text);
    das_buf_printf(b, "%s: ", e && e->truth == DAS_YES ? "in" : "out");
    das_session_line(&s, b);
    das_buf_char(b, '\n');
    line = text.ptr ? strchr(text.ptr, '\n') : NULL; /* its first line is said already */
    for (line = line ? line + 1 : ""; *line; line = end + 1) {
        end = strchr(line, '\n');
        das_buf_str(b, "  ");
        das_buf_add(b, line, (size_t)(end - line) + 1);
    }
    das_explanation_free(e);
    das_buf_clear(&text);
}

static bool has_victim(const struct das_plan *p, int64_t id)
{
    struct das_session s;

    for (size_t i = 0; i < das_plan_victims(p); i++) {
        das_plan_victim(p, i, &s);
        if (s.id == id)
            return true;
    }
    return false;
}

static void explain_apply(const struct das_seen_apply *a, int64_t id, struct das_buf *b)
{
    if (a->error && has_victim(a->plan, id))
        das_buf_printf(b, "  not verified: %s\n", a->error);
    for (size_t i = 0; i < a->count; i++) {
        const struct das_seen_outcome *o = &a->items[i];
        if (o->id != id)
            continue;
        das_buf_printf(b, "  outcome on %s: %s%s%s\n", das_plan_instance(a->plan),
                       das_outcome_name(o->kind), o->note && *o->note ? ": " : "",
                       o->note ? o->note : "");
    }
}

void das_seen_explain(const struct das_seen *s, int64_t id, struct das_buf *b)
{
    size_t plans = 0;

    das_buf_printf(b, "session %lld:\n", (long long)id);
    for (size_t i = 0; i < s->preview_count; i++)
        explain_preview(&s->previews[i], i + 1, id, b);
    if (!s->preview_count)
        das_buf_str(b, "  the policy made no preview\n");
    for (size_t i = 0; i < s->plan_count; i++)
        plans += has_victim(s->plans[i], id);
    if (!plans)
        das_buf_str(b, "  in no plan\n");
    for (size_t i = 0; i < s->apply_count; i++)
        explain_apply(&s->applies[i], id, b);
}
