/* story.c - see story.h: what is told is kept, then each session is judged by all of it. */
#include "core/cli/story.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

/* --- collecting ---------------------------------------------------------------------------- */

static void clear_look(struct das_look *l)
{
    das_free(l->instance);
    das_selection_free(l->sel);
    das_free(l->selected);
    das_free(l->kept);
}

static void clear_plan(struct das_story_plan *p)
{
    for (size_t i = 0; p->verdicts && i < das_plan_victims(p->plan); i++)
        das_free(p->verdicts[i].note);
    das_free(p->verdicts);
    das_free(p->problem);
    das_free(p->would_block);
    das_plan_release(p->plan);
}

void das_story_clear(struct das_story *s)
{
    for (size_t i = 0; i < s->look_count; i++)
        clear_look(&s->looks[i]);
    for (size_t i = 0; i < s->plan_count; i++)
        clear_plan(&s->plans[i]);
    das_free(s->looks);
    das_free(s->plans);
    memset(s, 0, sizeof *s);
}

/* Which rows of its snapshot are in sel; NULL: no memory. */
static bool *row_marks(const struct das_selection *sel)
{
    bool *marks = das_calloc((size_t)das_snapshot_rows(sel->snap) + 1, sizeof *marks);

    for (size_t i = 0; marks && i < sel->count; i++)
        marks[sel->rows[i]] = true;
    return marks;
}

int das_story_add_look(struct das_story *s, const char *instance, const struct das_selection *sel,
                       const struct das_selection *kept, struct das_err *err)
{
    struct das_look *bigger = das_grow(s->looks, s->look_count + 1, sizeof *bigger);
    struct das_look look = {0};

    if (!bigger)
        return das_fail_nomem(err);
    s->looks = bigger;
    look.instance = das_strdup(instance);
    look.sel = das_selection_limit(sel, sel->count, err);
    look.selected = row_marks(sel);
    look.kept = kept ? row_marks(kept) : NULL;
    if (!look.instance || !look.sel || !look.selected || (kept && !look.kept)) {
        clear_look(&look);
        return das_fail_nomem(err);
    }
    s->looks[s->look_count++] = look;
    return 0;
}

static void on_previewed(void *arg, const char *instance, const struct das_selection *sel)
{
    struct das_story *s = arg;
    struct das_err err;

    if (s->look_count == DAS_STORY_LOOKS)
        s->untold++;
    else if (das_story_add_look(s, instance, sel, NULL, &err) < 0)
        s->failed = true;
}

static void on_planned(void *arg, const struct das_plan *plan)
{
    struct das_story *s = arg;
    struct das_story_plan *bigger = das_grow(s->plans, s->plan_count + 1, sizeof *bigger);

    if (!bigger) {
        s->failed = true;
        return;
    }
    s->plans = bigger;
    s->plans[s->plan_count++] = (struct das_story_plan){
        .plan = das_plan_retain((struct das_plan *)(uintptr_t)plan)};
}

static int keep_verdicts(struct das_story_plan *p, const struct das_report *report)
{
    p->verdicts = das_calloc(report->count + 1, sizeof *p->verdicts);
    if (!p->verdicts)
        return -1;
    for (size_t i = 0; i < report->count; i++) {
        const struct das_outcome *o = &report->items[i];
        p->verdicts[i] = (struct das_verdict){o->kind, o->action, das_strdup(o->note ? o->note : "")};
        if (!p->verdicts[i].note)
            return -1;
    }
    p->would_block = report->would_block ? das_strdup(report->would_block) : NULL;
    return report->would_block && !p->would_block ? -1 : 0;
}

static void on_applied(void *arg, const struct das_plan *plan, const struct das_report *report,
                       const struct das_err *err)
{
    struct das_story *s = arg;
    size_t i = s->plan_count;

    while (i > 0 && s->plans[i - 1].plan != plan)
        i--;
    if (i == 0 || s->plans[i - 1].verdicts || s->plans[i - 1].problem) {
        on_planned(arg, plan); /* made by other means than a preview's, or applied once more */
        i = s->plan_count;
        if (i == 0 || s->plans[i - 1].plan != plan)
            return;
    }
    if (report ? keep_verdicts(&s->plans[i - 1], report) < 0
               : !(s->plans[i - 1].problem = das_strdup(err->msg)))
        s->failed = true;
}

struct das_engine_watch das_story_watch(struct das_story *s)
{
    return (struct das_engine_watch){
        .arg = s, .whole = true, .previewed = on_previewed, .planned = on_planned,
        .applied = on_applied};
}

/* --- judging ------------------------------------------------------------------------------- */

/* A session as one preview or plan saw it. */
struct sight {
    int64_t id;
    size_t order;  /* of looks, then of plans */
    bool planned;
    size_t at;     /* which look or plan */
    uint32_t row;  /* of the list, or which victim */
};

struct sights {
    struct sight *list;
    size_t count;
};

static int by_id(const void *a, const void *b)
{
    const struct sight *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void see_look(const struct das_story *s, size_t at, struct sights *to)
{
    const struct das_snapshot *snap = s->looks[at].sel->snap;
    const int64_t *ids = das_snapshot_ids(snap);

    for (uint32_t row = 0; row < das_snapshot_rows(snap); row++)
        to->list[to->count++] = (struct sight){ids[row], at, false, at, row};
}

static void see_plan(const struct das_story *s, size_t at, struct sights *to)
{
    struct das_session victim;

    for (size_t i = 0; i < das_plan_victims(s->plans[at].plan); i++) {
        das_plan_victim(s->plans[at].plan, i, &victim);
        to->list[to->count++] =
            (struct sight){victim.id, s->look_count + at, true, at, (uint32_t)i};
    }
}

static int see_all(const struct das_story *s, const char *instance, struct sights *to,
                   struct das_err *err)
{
    size_t room = 1;

    for (size_t i = 0; i < s->look_count; i++)
        room += das_snapshot_rows(s->looks[i].sel->snap);
    for (size_t i = 0; i < s->plan_count; i++)
        room += das_plan_victims(s->plans[i].plan);
    to->count = 0;
    to->list = das_grow(NULL, room, sizeof *to->list);
    if (!to->list)
        return das_fail_nomem(err);
    for (size_t i = 0; i < s->look_count; i++) {
        if (strcmp(s->looks[i].instance, instance) == 0)
            see_look(s, i, to);
    }
    for (size_t i = 0; i < s->plan_count; i++) {
        if (strcmp(das_plan_instance(s->plans[i].plan), instance) == 0)
            see_plan(s, i, to);
    }
    qsort(to->list, to->count, sizeof *to->list, by_id);
    return 0;
}

/* Of several plans the last one that was applied says most. */
static void judge_plan(const struct das_story *s, const struct sight *x, struct das_fate *f)
{
    bool applied = s->plans[x->at].verdicts || s->plans[x->at].problem;

    if (f->look == SIZE_MAX)
        das_plan_victim(s->plans[x->at].plan, x->row, &f->session);
    if (!applied && f->kind == DAS_FATE_APPLIED)
        return;
    f->kind = applied ? DAS_FATE_APPLIED : DAS_FATE_PLANNED;
    f->plan = x->at;
    f->victim = x->row;
}

static void judge_look(const struct das_story *s, const struct sight *x, struct das_fate *f)
{
    const struct das_look *l = &s->looks[x->at];
    struct das_distance d = {0};
    bool first = f->look == SIZE_MAX;

    das_snapshot_get(l->sel->snap, x->row, &f->session);
    if (!l->selected[x->row])
        das_filter_distance(l->sel->filter, &f->session, &d);
    else if (first || f->kind == DAS_FATE_OUT)
        f->kind = s->policy || (l->kept && !l->kept[x->row]) ? DAS_FATE_LEFT_OUT : DAS_FATE_IN;
    if (first || das_distance_cmp(&d, &f->distance) < 0) {
        f->look = x->at;
        f->distance = d;
    }
}

static void judge_one(const struct das_story *s, const struct sight *list, size_t n,
                      struct das_fate *f)
{
    memset(f, 0, sizeof *f);
    f->kind = DAS_FATE_OUT;
    f->look = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        (list[i].planned ? judge_plan : judge_look)(s, &list[i], f);
}

static int by_fate(const void *a, const void *b)
{
    const struct das_fate *x = a, *y = b;
    bool in = x->kind > DAS_FATE_OUT;
    int c;

    if (in != (y->kind > DAS_FATE_OUT))
        return in ? 1 : -1;
    if (in && x->plan != y->plan)
        return x->plan < y->plan ? -1 : 1;
    if (in && x->victim != y->victim)
        return x->victim < y->victim ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    c = das_distance_cmp(&x->distance, &y->distance);
    return c ? c : x->session.id < y->session.id ? -1 : x->session.id > y->session.id;
}

int das_story_judge(const struct das_story *s, const char *instance, struct das_fates *out,
                    struct das_err *err)
{
    struct sights all = {0};

    memset(out, 0, sizeof *out);
    if (s->failed)
        return das_fail_nomem(err);
    if (see_all(s, instance, &all, err) < 0)
        return -1;
    out->list = das_grow(NULL, all.count + 1, sizeof *out->list);
    if (!out->list) {
        das_free(all.list);
        return das_fail_nomem(err);
    }
    for (size_t i = 0, n; i < all.count; i += n) {
        for (n = 1; i + n < all.count && all.list[i + n].id == all.list[i].id; n++)
            ;
        judge_one(s, &all.list[i], n, &out->list[out->count]);
        out->out += out->list[out->count].kind <= DAS_FATE_OUT;
        out->count++;
    }
    das_free(all.list);
    qsort(out->list, out->count, sizeof *out->list, by_fate);
    return 0;
}

void das_fates_clear(struct das_fates *f)
{
    das_free(f->list);
    memset(f, 0, sizeof *f);
}

const char *das_fate_word(const struct das_story *s, const struct das_fate *f)
{
    const struct das_story_plan *p = f->kind == DAS_FATE_APPLIED ? &s->plans[f->plan] : NULL;

    if (p)
        return p->verdicts ? das_outcome_name(p->verdicts[f->victim].kind) : "not_verified";
    return f->kind == DAS_FATE_OUT        ? "out"
           : f->kind == DAS_FATE_LEFT_OUT ? "left_out"
           : f->kind == DAS_FATE_IN       ? "in"
                                          : "planned";
}
