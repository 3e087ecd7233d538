/* test_story.c - what was told of a run, put together: one fate for each session. */
#include "core/cli/story.h"

#include "tests/unit/kit.h"

static struct das_err err;

static const struct das_fate *fate_of(const struct das_fates *f, int64_t id)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->list[i].session.id == id)
            return &f->list[i];
    }
    return NULL;
}

static struct das_selection *select_by(const struct das_session *list, size_t n,
                                       struct das_filter *f)
{
    struct das_snapshot *snap = kit_snapshot(list, n);
    struct das_selection *sel = das_select(snap, f, &err);

    must(sel, "a selection");
    das_snapshot_release(snap);
    das_filter_release(f);
    return sel;
}

static struct das_plan *plan_of(const struct das_selection *sel, const char *instance)
{
    const struct das_plan_opts opts = {.mode = DAS_MODE_QUERY};
    struct das_plan *p = das_plan_new(sel, instance, &opts, &err);

    must(p, "a plan: %s", err.msg);
    return p;
}

/* As if each victim had the given outcome. */
static void apply(struct das_story *s, const struct das_plan *p, enum das_outcome_kind kind)
{
    struct das_engine_watch w = das_story_watch(s);
    struct das_outcome items[8] = {{0}};
    struct das_report r = {.items = items, .count = das_plan_victims(p)};
    char note[] = "note";

    must(r.count <= 8, "room for its victims");
    for (size_t i = 0; i < r.count; i++)
        items[i] = (struct das_outcome){.kind = kind, .action = "query", .note = note};
    w.applied(w.arg, p, &r, NULL);
}

static void is_fate(const struct das_story *s, const struct das_fates *f, int64_t id,
                    const char *want, const char *name)
{
    const struct das_fate *x = fate_of(f, id);

    is_str(x ? das_fate_word(s, x) : "not told", want, "%s", name);
}

static void several(void)
{
    struct das_session list[4];
    struct das_story s = {.policy = "p.lua"};
    struct das_engine_watch w = das_story_watch(&s);
    struct das_selection *young, *old, *user, *elsewhere;
    struct das_plan *first, *second, *third;
    struct das_fates f;

    for (int i = 0; i < 4; i++)
        list[i] = kit_session(i + 1);
    list[0].state_duration = 10; /* 1 is older in the second look, 4 is gone there */
    young = select_by(list, 4, kit_filter("time", "50"));
    list[0].state_duration = 40;
    old = select_by(list, 3, kit_filter("time", "50"));
    user = select_by(list, 3, kit_filter("user", "nobody"));
    elsewhere = select_by(list, 1, kit_all());
    w.previewed(w.arg, "a", young);
    w.previewed(w.arg, "a", old);
    w.previewed(w.arg, "a", user);
    w.previewed(w.arg, "b", elsewhere);
    first = plan_of(young, "a"); /* 2, 3, 4 */
    second = plan_of(old, "a");  /* 2, 3 */
    third = plan_of(elsewhere, "b");
    w.planned(w.arg, first);
    w.planned(w.arg, second);
    w.planned(w.arg, third);
    apply(&s, first, DAS_O_CHANGED);
    apply(&s, first, DAS_O_DRY_RUN);
    must(das_story_judge(&s, "a", &f, &err) == 0, "a judgement");
    is_int((int64_t)f.count, 4, "each session once, those of another instance not");
    is_int((int64_t)f.out, 1, "one is out");
    is_fate(&s, &f, 1, "out", "selected by none");
    is_int(f.list[0].session.state_duration, 40, "told as last seen");
    is_int((int64_t)f.list[0].look, 1, "by the preview that it came nearest to");
    ok(f.list[0].distance.numbers == 1 && f.list[0].distance.gap == 0.2, "and how near");
    is_fate(&s, &f, 2, "dry_run", "applied twice: the last time counts, and more than a plan that was not applied");
    is_int((int64_t)s.plan_count, 4, "the second time is one more");
    is_fate(&s, &f, 4, "dry_run", "one that was gone at the end");
    das_fates_clear(&f);
    must(das_story_judge(&s, "b", &f, &err) == 0 && f.count == 1, "the other instance");
    is_fate(&s, &f, 1, "planned", "a plan that was not applied");
    das_fates_clear(&f);
    must(das_story_judge(&s, "c", &f, &err) == 0, "an instance that nobody looked at");
    is_int((int64_t)f.count, 0, "has no sessions");
    das_fates_clear(&f);
    das_fail(&err, DAS_E_CONNECT, "no answer");
    w.applied(w.arg, third, NULL, &err);
    must(das_story_judge(&s, "b", &f, &err) == 0, "again");
    is_fate(&s, &f, 1, "not_verified", "nothing could be verified");
    das_fates_clear(&f);
    das_story_clear(&s);
    das_plan_release(first);
    das_plan_release(second);
    das_plan_release(third);
    das_selection_free(young);
    das_selection_free(old);
    das_selection_free(user);
    das_selection_free(elsewhere);
}

/* A victim that no preview of the story listed. */
static void by_other_means(void)
{
    struct das_session list[] = {kit_session(7)};
    struct das_selection *sel = select_by(list, 1, kit_all());
    struct das_plan *p = plan_of(sel, "a");
    struct das_story s = {.policy = "p.lua"};
    const struct das_story_view v = {.instance = "a", .nearest = 5, .width = 100};
    struct das_buf b = {0};
    struct das_fates f;

    apply(&s, p, DAS_O_PROTECTED);
    must(das_story_judge(&s, "a", &f, &err) == 0, "a judgement");
    is_fate(&s, &f, 7, "protected", "a plan without a preview");
    das_story_table(&s, &f, &v, &b);
    has_str(b.ptr, "7   app   shop  Query    100   protected: note\n", "is told");
    das_buf_reset(&b);
    is_int(das_story_one(&s, &f, &v, 7, false, &b, &err), 1, "alone, too");
    is_int(das_story_one(&s, &f, &v, 8, false, &b, &err), 0, "another is not there");
    das_buf_clear(&b);
    das_fates_clear(&f);
    das_story_clear(&s);
    das_plan_release(p);
    das_selection_free(sel);
}

static void too_many(void)
{
    struct das_session list[] = {kit_session(7)};
    struct das_selection *sel = select_by(list, 1, kit_all());
    struct das_story s = {.policy = "p.lua"};
    struct das_engine_watch w = das_story_watch(&s);

    for (int i = 0; i < DAS_STORY_LOOKS + 3; i++)
        w.previewed(w.arg, "a", sel);
    is_int((int64_t)s.look_count, DAS_STORY_LOOKS, "a policy that looks without end");
    is_int((int64_t)s.untold, 3, "is told up to a bound");
    das_story_clear(&s);
    das_selection_free(sel);
}

/* All of it with the n-th allocation failing: an error, or the whole text; never a part of it. */
static void no_memory(void)
{
    struct das_session list[] = {kit_session(1), kit_session(2)};
    struct das_selection *sel;
    struct das_plan *p;
    struct das_buf whole = {0}, b = {0};
    const struct das_story_view v = {.instance = "a", .nearest = SIZE_MAX};
    size_t wrong = 0;
    long n = 0;

    list[0].state_duration = 1;
    sel = select_by(list, 2, kit_filter("time", "50"));
    p = plan_of(sel, "a");
    for (bool failed = true; failed && n < 10000; n++) {
        struct das_story s = {.policy = "p.lua"};
        struct das_engine_watch w = das_story_watch(&s);
        struct das_fates f = {0};
        int rc;

        das_buf_clear(&b);
        das_alloc_fail_at(n); /* 0: none */
        w.previewed(w.arg, "a", sel);
        w.planned(w.arg, p);
        apply(&s, p, DAS_O_DRY_RUN);
        rc = das_story_judge(&s, "a", &f, &err);
        if (rc == 0) {
            das_story_table(&s, &f, &v, &b);
            das_story_json(&s, &f, &v, &b);
            rc = das_story_one(&s, &f, &v, 1, true, &b, &err) > 0 ? 0 : -1;
        }
        failed = das_alloc_failed() || n == 0;
        das_alloc_fail_at(0);
        if (n == 0)
            das_buf_text(&whole, das_buf_view(&b));
        wrong += n == 0 ? rc != 0 : rc == 0 && !das_text_eq(das_buf_view(&b), das_buf_view(&whole));
        das_fates_clear(&f);
        das_story_clear(&s);
    }
    is_int((int64_t)wrong, 0, "an allocation that fails is an error, never half a text");
    ok(n > 20, "%ld allocations failed", n);
    das_buf_clear(&b);
    das_buf_clear(&whole);
    das_plan_release(p);
    das_selection_free(sel);
}

int main(void)
{
    several();
    by_other_means();
    too_many();
    no_memory();
    return tap_done();
}
