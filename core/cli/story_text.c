/* story_text.c - a story (story.h) as a table, as JSON, and all about one session. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cli/story.h"
#include "core/session/explain.h"

/* --- words --------------------------------------------------------------------------------- */

static const struct das_verdict *verdict_of(const struct das_story *s, const struct das_fate *f)
{
    const struct das_verdict *all = f->kind == DAS_FATE_APPLIED ? s->plans[f->plan].verdicts : NULL;

    return all ? &all[f->victim] : NULL;
}

static void put_left_out(const struct das_story *s, const struct das_fate *f, struct das_buf *b)
{
    if (!s->policy)
        das_buf_printf(b, "matches, but --%s %lld keeps others", s->cut_name,
                       (long long)s->cut_count);
    else if (f->session.disputed)
        das_buf_str(b, "left out by the plan: the source selected it, das's own reading of the "
                       "filter does not; trust_source = true takes it");
    else
        das_buf_str(b, "left out by the policy's own code after the preview");
}

static void put_planned(const struct das_story *s, const struct das_fate *f, struct das_buf *b)
{
    const struct das_story_plan *p = &s->plans[f->plan];
    const struct das_verdict *v = verdict_of(s, f);

    if (f->kind == DAS_FATE_PLANNED)
        das_buf_str(b, "in a plan that was not applied");
    else if (!v)
        das_buf_printf(b, "not verified: %s", p->problem ? p->problem : "");
    else if (v->kind == DAS_O_DRY_RUN)
        das_buf_printf(b, "would be killed (%s)", v->action);
    else
        das_buf_str(b, das_outcome_name(v->kind));
    if (v && v->note[0])
        das_buf_printf(b, ": %s", v->note);
}

/* The whole sentence, whatever the table has room for. */
static void put_why(const struct das_story *s, const struct das_fate *f,
                    const struct das_protect *protect, struct das_buf *b)
{
    struct das_buf reason = {0};

    if (f->kind == DAS_FATE_PLANNED || f->kind == DAS_FATE_APPLIED) {
        put_planned(s, f, b);
        return;
    }
    if (s->look_count > 1 && f->look != SIZE_MAX)
        das_buf_printf(b, "preview %zu: ", f->look + 1);
    if (f->kind == DAS_FATE_LEFT_OUT)
        put_left_out(s, f, b);
    else if (f->kind == DAS_FATE_OUT)
        das_explain_distance(&f->distance, &f->session, b);
    else if (das_protected(protect, NULL, s->looks[f->look].sel->snap, &f->session, &reason))
        das_buf_printf(b, "matches; protected from every kill: %s", reason.ptr ? reason.ptr : "");
    else
        das_buf_str(b, "matches");
    b->failed = b->failed || reason.failed;
    das_buf_clear(&reason);
}

/* --- table --------------------------------------------------------------------------------- */

enum { C_ID, C_USER, C_DB, C_COMMAND, C_TIME, C_WHY, COLUMNS };

static const char *const titles[COLUMNS] = {"id", "user", "db", "command", "time", "why"};

#define CELLS_MAX 20
#define WHY_MIN 60

static size_t put_cell(const struct das_story *s, const struct das_fate *f,
                       const struct das_protect *protect, int column, size_t cells,
                       struct das_buf *b)
{
    struct das_buf text = {0};
    size_t used;

    if (column == C_ID)
        das_buf_int(&text, f->session.id);
    else if (column == C_TIME && das_known(f->session.state_duration))
        das_buf_int(&text, f->session.state_duration);
    else if (column == C_TIME)
        das_buf_char(&text, '?');
    else if (column == C_WHY)
        put_why(s, f, protect, &text);
    used = das_render_cell(column == C_USER      ? f->session.user
                           : column == C_DB      ? f->session.db
                           : column == C_COMMAND ? f->session.command
                                                 : das_buf_view(&text), cells, b);
    b->failed = b->failed || text.failed;
    das_buf_clear(&text);
    return used;
}

static void put_line_end(struct das_buf *b)
{
    while (b->len && b->ptr[b->len - 1] == ' ')
        b->len--;
    das_buf_char(b, '\n');
}

static void put_rows(const struct das_story *s, const struct das_fate *list, size_t n,
                     const struct das_story_view *v, struct das_buf *b)
{
    size_t cells[COLUMNS], left = 0;

    for (int c = 0; c < C_WHY; c++) {
        cells[c] = strlen(titles[c]);
        for (size_t i = 0; i < n; i++) {
            size_t from = b->len, used = put_cell(s, &list[i], v->protect, c, CELLS_MAX, b);
            b->len = from;
            if (used > cells[c])
                cells[c] = used;
        }
        left += cells[c] + 2;
    }
    cells[C_WHY] = !v->width                   ? SIZE_MAX / 2
                   : v->width > left + WHY_MIN ? v->width - left
                                               : WHY_MIN;
    for (int c = 0; c < COLUMNS; c++) {
        das_buf_str(b, titles[c]);
        if (c < C_WHY)
            das_buf_fill(b, ' ', cells[c] + 2 - strlen(titles[c]));
    }
    das_buf_char(b, '\n');
    for (size_t i = 0; i < n; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            size_t used = put_cell(s, &list[i], v->protect, c, cells[c], b);
            if (c < C_WHY)
                das_buf_fill(b, ' ', cells[c] + 2 - used);
        }
        put_line_end(b);
    }
}

static void put_group(const struct das_story *s, const char *title, const struct das_fate *list,
                      size_t n, const struct das_story_view *v, struct das_buf *b)
{
    size_t shown = n < v->nearest ? n : v->nearest;

    if (!n)
        return;
    das_buf_printf(b, "\n%s\n", title);
    if (shown)
        put_rows(s, list, shown, v, b);
    if (shown < n)
        das_buf_printf(b, "... and %zu more (--nearest 0 shows all)\n", n - shown);
}

static void put_looks(const struct das_story *s, const char *instance, struct das_buf *b)
{
    for (size_t i = 0; i < s->look_count; i++) {
        const struct das_look *l = &s->looks[i];
        if (strcmp(l->instance, instance) != 0)
            continue;
        if (s->policy)
            das_buf_printf(b, "preview %zu: ", i + 1);
        das_filter_print(l->sel->filter, b);
        das_buf_printf(b, " selects %zu of %u\n", l->sel->count, das_snapshot_rows(l->sel->snap));
    }
}

static void put_plan_line(const struct das_story_plan *p, size_t number, struct das_buf *b)
{
    das_buf_printf(b, "plan %zu: kill = \"%s\", %zu victim%s", number,
                   das_mode_name(das_plan_mode(p->plan)), das_plan_victims(p->plan),
                   das_plan_victims(p->plan) == 1 ? "" : "s");
    if (das_plan_reason(p->plan)[0]) {
        das_buf_str(b, ", reason ");
        das_json_str(b, das_plan_reason(p->plan));
    }
    if (!p->verdicts && !p->problem)
        das_buf_str(b, ", not applied");
    das_buf_char(b, '\n');
    if (p->would_block) {
        das_buf_str(b, "  armed, it would be refused: ");
        das_render_cell(das_text_of(p->would_block), 1000, b);
        das_buf_char(b, '\n');
    }
}

static void put_plans(const struct das_story *s, const char *instance, struct das_buf *b)
{
    for (size_t i = 0; i < s->plan_count; i++) {
        if (strcmp(das_plan_instance(s->plans[i].plan), instance) == 0)
            put_plan_line(&s->plans[i], i + 1, b);
    }
}

static size_t would_die(const struct das_story *s, const struct das_fates *f)
{
    size_t n = 0;

    for (size_t i = f->out; i < f->count; i++) {
        const struct das_verdict *v = verdict_of(s, &f->list[i]);
        n += v && v->kind == DAS_O_DRY_RUN;
    }
    return n;
}

static bool looked_at(const struct das_story *s, const char *instance)
{
    for (size_t i = 0; i < s->look_count; i++) {
        if (strcmp(s->looks[i].instance, instance) == 0)
            return true;
    }
    return false;
}

void das_story_table(const struct das_story *s, const struct das_fates *f,
                     const struct das_story_view *v, struct das_buf *b)
{
    das_buf_printf(b, "%s: ", v->instance);
    if (s->policy && !looked_at(s, v->instance) && !f->count) {
        das_buf_printf(b, "%s did not look at it\n", s->policy);
        return;
    }
    das_buf_printf(b, "%zu session%s, %zu out", f->count, f->count == 1 ? "" : "s", f->out);
    if (s->policy)
        das_buf_printf(b, ", %zu in a plan, %zu would be killed by %s\n", f->count - f->out,
                       would_die(s, f), s->policy);
    else
        das_buf_printf(b, ", %zu in\n", f->count - f->out);
    put_looks(s, v->instance, b);
    put_plans(s, v->instance, b);
    put_group(s, "out, the nearest first", f->list, f->out, v, b);
    put_group(s, s->policy ? "in a plan" : "in", f->list + f->out, f->count - f->out, v, b);
}

/* --- JSON ---------------------------------------------------------------------------------- */

static void json_misses(const struct das_fate *f, struct das_buf *b)
{
    das_json_key(b, "misses");
    das_buf_char(b, '[');
    for (uint32_t i = 0; i < f->distance.told; i++) {
        struct das_buf text[3] = {{0}};
        static const char *const keys[] = {"criterion", "value", "note"};

        das_explain_miss(&f->distance.misses[i], &f->session, &text[0], &text[1], &text[2]);
        das_json_comma(b);
        das_buf_char(b, '{');
        for (int k = 0; k < 3; k++) {
            das_json_key(b, keys[k]);
            das_json_text(b, das_text(text[k].ptr ? text[k].ptr : "", text[k].len));
            b->failed = b->failed || text[k].failed;
            das_buf_clear(&text[k]);
        }
        das_json_key(b, "gap");
        das_json_real(b, f->distance.misses[i].gap);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
    das_json_key_int(b, "miss_count", das_distance_misses(&f->distance));
}

static void json_fate(const struct das_story *s, const struct das_fate *f,
                      const struct das_story_view *v, struct das_buf *b)
{
    struct das_buf why = {0};

    put_why(s, f, v->protect, &why);
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key(b, "session");
    das_render_session_json(&f->session, b);
    das_json_key_bool(b, "out", f->kind <= DAS_FATE_OUT);
    das_json_key(b, "fate");
    das_json_str(b, das_fate_word(s, f));
    das_json_key(b, "why");
    das_json_text(b, das_text(why.ptr ? why.ptr : "", why.len));
    if (f->look != SIZE_MAX)
        das_json_key_int(b, "preview", (int64_t)f->look + 1);
    if (f->kind == DAS_FATE_PLANNED || f->kind == DAS_FATE_APPLIED)
        das_json_key_int(b, "plan", (int64_t)f->plan + 1);
    if (f->kind == DAS_FATE_OUT)
        json_misses(f, b);
    b->failed = b->failed || why.failed;
    das_buf_clear(&why);
}

static void json_looks(const struct das_story *s, const char *instance, struct das_buf *b)
{
    das_json_key(b, "previews");
    das_buf_char(b, '[');
    for (size_t i = 0; i < s->look_count; i++) {
        const struct das_look *l = &s->looks[i];
        struct das_buf filter = {0};
        if (strcmp(l->instance, instance) != 0)
            continue;
        das_filter_print(l->sel->filter, &filter);
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_int(b, "preview", (int64_t)i + 1);
        das_json_key_text(b, "filter", das_buf_view(&filter));
        das_json_key_int(b, "selected", (int64_t)l->sel->count);
        das_json_key_int(b, "sessions", das_snapshot_rows(l->sel->snap));
        das_json_key_bool(b, "complete", das_snapshot_complete(l->sel->snap));
        das_json_key_int(b, "data_sync_time", das_snapshot_time(l->sel->snap));
        das_buf_char(b, '}');
        b->failed = b->failed || filter.failed;
        das_buf_clear(&filter);
    }
    das_buf_char(b, ']');
}

static void json_plans(const struct das_story *s, const char *instance, struct das_buf *b)
{
    das_json_key(b, "plans");
    das_buf_char(b, '[');
    for (size_t i = 0; i < s->plan_count; i++) {
        const struct das_story_plan *p = &s->plans[i];
        if (strcmp(das_plan_instance(p->plan), instance) != 0)
            continue;
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_int(b, "plan", (int64_t)i + 1);
        das_json_key(b, "kill");
        das_json_str(b, das_mode_name(das_plan_mode(p->plan)));
        das_json_key(b, "reason");
        das_json_str(b, das_plan_reason(p->plan));
        das_json_key_int(b, "victims", (int64_t)das_plan_victims(p->plan));
        das_json_key_bool(b, "applied", p->verdicts || p->problem);
        das_json_key_text(b, "problem", das_text_of(p->problem));
        das_json_key_text(b, "would_block", das_text_of(p->would_block));
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
}

static void json_head(const struct das_story *s, const struct das_fates *f,
                      const struct das_story_view *v, struct das_buf *b)
{
    das_buf_char(b, '{');
    das_json_key(b, "instance");
    das_json_str(b, v->instance);
    das_json_key_text(b, "policy", das_text_of(s->policy));
    das_json_key_int(b, "session_count", (int64_t)f->count);
    das_json_key_int(b, "out_count", (int64_t)f->out);
    json_looks(s, v->instance, b);
    json_plans(s, v->instance, b);
    das_json_key(b, "sessions");
    das_buf_char(b, '[');
}

void das_story_json(const struct das_story *s, const struct das_fates *f,
                    const struct das_story_view *v, struct das_buf *b)
{
    json_head(s, f, v, b);
    for (size_t i = 0; i < f->count; i++) {
        if ((i < f->out ? i : i - f->out) >= v->nearest)
            continue;
        json_fate(s, &f->list[i], v, b);
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}\n");
}

/* --- one session --------------------------------------------------------------------------- */

static struct das_explanation *explain_row(const struct das_selection *sel, uint32_t row,
                                           struct das_err *err)
{
    struct das_session s;

    das_snapshot_get(sel->snap, row, &s);
    return das_explain(sel->filter, &s, err);
}

int das_explain_one(const struct das_selection *sel, int64_t id, struct das_buf *b,
                    struct das_err *err)
{
    int64_t row = das_snapshot_find(sel->snap, id);
    struct das_explanation *e;

    if (row < 0)
        return das_fail(err, DAS_E_DATA, "no session %lld", (long long)id);
    e = explain_row(sel, (uint32_t)row, err);
    if (!e)
        return -1;
    das_explanation_print(e, b);
    das_explanation_free(e);
    return das_buf_ok(b, err);
}

static void json_explanation(const struct das_explanation *e, size_t look, struct das_buf *b)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "preview", (int64_t)look + 1);
    das_json_key(b, "truth");
    das_json_str(b, das_truth_word(e->truth));
    das_json_key(b, "lines");
    das_buf_char(b, '[');
    for (size_t i = 0; i < e->count; i++) {
        const struct das_reason *r = &e->reasons[i];
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_int(b, "depth", r->depth);
        das_json_key(b, "criterion");
        das_json_str(b, r->criterion);
        das_json_key(b, "value");
        das_json_str(b, r->value);
        das_json_key(b, "truth");
        das_json_str(b, das_truth_word(r->truth));
        das_json_key(b, "note");
        das_json_str(b, r->note);
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}");
}

/* Each preview's explanation of the session. */
static int put_explanations(const struct das_story *s, const char *instance, int64_t id, bool json,
                            struct das_buf *b, struct das_err *err)
{
    for (size_t i = 0; i < s->look_count; i++) {
        const struct das_look *l = &s->looks[i];
        int64_t row = strcmp(l->instance, instance) ? -1 : das_snapshot_find(l->sel->snap, id);
        struct das_explanation *e;

        if (row < 0)
            continue;
        e = explain_row(l->sel, (uint32_t)row, err);
        if (!e)
            return -1;
        if (json) {
            json_explanation(e, i, b);
        } else {
            if (s->policy)
                das_buf_printf(b, "preview %zu, ", i + 1);
            das_explanation_print(e, b);
        }
        das_explanation_free(e);
    }
    return 0;
}

int das_story_one(const struct das_story *s, const struct das_fates *f,
                  const struct das_story_view *v, int64_t id, bool json, struct das_buf *b,
                  struct das_err *err)
{
    const struct das_fate *fate = NULL;

    for (size_t i = 0; i < f->count && !fate; i++)
        fate = f->list[i].session.id == id ? &f->list[i] : NULL;
    if (!fate)
        return 0;
    if (json) {
        json_head(s, f, v, b);
        json_fate(s, fate, v, b);
        das_json_key(b, "explanations");
        das_buf_char(b, '[');
    } else {
        das_buf_printf(b, "%s, session %lld: %s: ", v->instance, (long long)id,
                       fate->kind <= DAS_FATE_OUT ? "out" : s->policy ? "in a plan" : "in");
        put_why(s, fate, v->protect, b);
        das_buf_char(b, '\n');
        if (fate->kind == DAS_FATE_PLANNED || fate->kind == DAS_FATE_APPLIED)
            put_plan_line(&s->plans[fate->plan], fate->plan + 1, b);
    }
    if (put_explanations(s, v->instance, id, json, b, err) < 0)
        return -1;
    if (json)
        das_buf_str(b, "]}]}\n");
    return das_buf_ok(b, err) < 0 ? -1 : 1;
}
