/* portion.c - see portion.h. */
#include "core/serve/portion.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/store/budget.h"

#define MOST 1000 /* in one portion: the limits are asked for each */

struct candidate {
    int32_t duration; /* -1: unknown */
    int64_t id;
    uint32_t place; /* in found */
    struct das_text user;
};

struct choice {
    const struct das_portion_of *of;
    const struct das_selection *found;
    struct das_snapshot *all; /* whom there is; owned */
    struct das_roles roles;
    struct candidate *candidates;
    size_t count;
    struct das_claim *claims; /* of those that were taken */
    uint32_t *places;
    size_t taken;
    char why[400]; /* the first one that was not taken */
};

static int by_age(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->duration != y->duration)
        return x->duration > y->duration ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* What a limit is measured by, and who replicates, only a list of all sessions tells. */
static int survey(struct choice *c, struct das_err *err)
{
    const struct das_query everybody = {.exhaustive = true, .own_reading = true};
    struct das_snapshot *seen = c->found->snap;

    if (!das_snapshot_partial(seen) && das_snapshot_complete(seen))
        c->all = das_snapshot_retain(seen);
    else if (das_source_list(c->of->source, &everybody, &c->all, err) < 0)
        return -1;
    return das_roles_collect(c->all, &c->roles, err);
}

/* Would its kill be refused, whatever the limits leave? */
static bool is_hopeless(const struct choice *c, uint32_t row, const struct das_session *s)
{
    const struct das_snapshot *snap = c->found->snap;
    struct das_buf reason = {0};
    bool hopeless =
        das_snapshot_disputed(snap, row) ||
        (das_known(s->rows_modified) && s->rows_modified > c->of->limits->rows_modified) ||
        das_protected(c->of->protect, &c->roles, snap, s, &reason) ||
        das_snapshot_is_own(c->all, s->id);

    das_buf_clear(&reason);
    return hopeless;
}

static int collect(struct choice *c, bool hopeless_too, struct das_err *err)
{
    struct das_session s;

    if (!c->candidates)
        c->candidates = das_calloc(c->found->count, sizeof *c->candidates);
    if (!c->candidates)
        return das_fail_nomem(err);
    for (size_t i = 0; i < c->found->count; i++) {
        uint32_t row = c->found->rows[i];
        das_snapshot_get(c->found->snap, row, &s);
        if (!hopeless_too && is_hopeless(c, row, &s))
            continue;
        c->candidates[c->count++] = (struct candidate){das_snapshot_durations(c->found->snap)[row],
                                                       s.id, (uint32_t)i, s.user};
    }
    qsort(c->candidates, c->count, sizeof *c->candidates, by_age);
    return 0;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* So many sessions may end at once; rounded up, as core/plan does. 0: nobody knows how many there
 * are. */
static size_t share(const struct choice *c)
{
    const struct das_kill_limits *l = c->of->limits;
    int64_t total = das_snapshot_complete(c->all) && !das_snapshot_partial(c->all)
                        ? (int64_t)das_snapshot_rows(c->all)
                        : das_snapshot_total(c->all);
    double exact;

    if (l->percent >= 100)
        return MOST;
    if (!das_known(total))
        return 0;
    exact = l->percent * (double)total / 100;
    return (size_t)exact + ((double)(size_t)exact < exact - 1e-9);
}

/* Would its user keep enough? */
static bool leaves_enough(const struct choice *c, struct das_text user)
{
    int64_t left;

    if (c->of->limits->min_left <= 0)
        return true;
    left = das_snapshot_sessions_of(c->all, user) - 1;
    for (size_t i = 0; i < c->taken; i++)
        left -= das_text_eq(c->claims[i].user, user);
    return left >= c->of->limits->min_left;
}

/* 1: it is taken besides the others; 0: it is not, and why; -1. */
static int try_candidate(struct choice *c, const struct candidate *one, struct das_err *err)
{
    const struct das_kill_limits *l = c->of->limits;
    struct das_bound bounds[DAS_COUNTED];
    char why[sizeof c->why];
    int over;

    c->claims[c->taken] = (struct das_claim){.user = one->user};
    if (c->taken >= share(c)) {
        snprintf(why, sizeof why, "limits.kill.percent: expected at most %g %% of the sessions",
                 l->percent);
        over = 1;
    } else if (!leaves_enough(c, one->user)) {
        snprintf(why, sizeof why, "limits.kill.min_left: each user keeps at least %lld sessions",
                 (long long)l->min_left);
        over = 1;
    } else {
        das_counted_bounds(l, bounds);
        over = das_budget_would(c->of->store, c->of->instance, c->claims, c->taken + 1, bounds,
                                DAS_COUNTED, why, sizeof why, err);
    }
    if (over > 0 && !c->why[0])
        snprintf(c->why, sizeof c->why, "%s", why);
    if (over == 0)
        c->places[c->taken++] = one->place;
    return over < 0 ? -1 : over == 0;
}

static int take(struct choice *c, struct das_err *err)
{
    size_t most = c->count < MOST ? c->count : MOST;
    int64_t run = c->of->limits->run;

    c->claims = das_calloc(most + 1, sizeof *c->claims);
    c->places = das_calloc(most + 1, sizeof *c->places);
    if (!c->claims || !c->places)
        return das_fail_nomem(err);
    for (size_t i = 0, asked = 0; i < c->count && c->taken < most && asked < MOST; i++, asked++) {
        if (c->taken > 0 && (int64_t)c->taken >= run)
            break;
        if (try_candidate(c, &c->candidates[i], err) < 0)
            return -1;
    }
    return 0;
}

static int choose(struct choice *c, struct das_err *err)
{
    if (survey(c, err) < 0 || collect(c, false, err) < 0)
        return -1;
    if (c->count == 0) {
        if (collect(c, true, err) < 0)
            return -1;
        c->places = das_calloc(c->count, sizeof *c->places);
        if (!c->places)
            return das_fail_nomem(err);
        for (; c->taken < c->count && (int64_t)c->taken < c->of->limits->run; c->taken++)
            c->places[c->taken] = c->candidates[c->taken].place;
        return 0;
    }
    if (take(c, err) < 0)
        return -1;
    return c->taken ? 0 : das_fail(err, DAS_E_BLOCKED, "%s", c->why);
}

int das_portion(const struct das_portion_of *of, const struct das_selection *found,
                struct das_selection **out, struct das_err *err)
{
    struct choice c = {.of = of, .found = found};
    int rc;

    *out = NULL;
    das_roles_init(&c.roles);
    rc = choose(&c, err);
    if (rc == 0)
        *out = das_selection_pick(found, c.places, c.taken, err);
    das_snapshot_release(c.all);
    das_roles_clear(&c.roles);
    das_free(c.candidates);
    das_free(c.claims);
    das_free(c.places);
    return *out ? 0 : -1;
}
