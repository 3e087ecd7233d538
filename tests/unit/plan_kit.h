/* plan_kit.h - plans against a scripted source: made THEN, applied NOW. */
#ifndef DAS_TESTS_PLAN_KIT_H
#define DAS_TESTS_PLAN_KIT_H

#include "core/plan/plan.h"
#include "tests/unit/fake_source.h"
#include "tests/unit/temp_state.h"

#define THEN 1000000
#define NOW (THEN + 5)

static struct das_err err;
static struct fake fake; /* the source of all plans: fake_init() first */

static inline struct das_plan *plan_of(const struct das_session *list, size_t n, struct das_filter *f,
                                const struct das_plan_opts *opts)
{
    struct das_plan_opts o = *opts;
    struct das_selection *sel;
    struct das_plan *p;

    if (!o.limits)
        o.limits = &no_limits;
    fake_show(&fake, list, n, THEN);
    sel = das_select(fake.list, f, &err);
    p = sel ? das_plan_new(sel, fake.name, &o, &err) : NULL;
    das_selection_free(sel);
    if (!p) {
        tap_diag("plan: %s", err.msg);
        exit(1);
    }
    return p;
}

/* Everything is allowed: for tests that are about something else. */
static inline const struct das_guard *permissive_guard(void)
{
    static struct das_guard guard;

    guard.rules = &allow_all;
    guard.policy = "test";
    guard.store = temp_store();
    return &guard;
}

static inline struct das_report *apply(struct das_plan *p, bool armed, const struct das_protect *protect)
{
    const struct das_apply_opts opts = {
        .armed = armed, .protect = protect, .guard = permissive_guard()};
    struct das_report *r = NULL;

    if (das_plan_apply(p, &fake.base, &opts, &r, &err) < 0)
        return NULL;
    return r;
}

/* Five seconds later, doing the same. */
static inline struct das_session later(const struct das_session *s)
{
    struct das_session now = *s;

    now.state_duration += das_known(now.state_duration) ? NOW - THEN : 0;
    now.time_ms += das_known(now.time_ms) ? 1000 * (NOW - THEN) : 0;
    now.trx_time += das_known(now.trx_time) ? NOW - THEN : 0;
    return now;
}

#endif
