/*
 * allowance.c - how many may be killed (see apply_impl.h): the limits, and the victims' places in
 * the budget.
 *
 * core/store counts over all processes and decides nothing; what is too much is decided here. A
 * limit that is exceeded means that no victim at all is killed.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/plan/apply_impl.h"

/* --- how many there may be ------------------------------------------------------------------------ */

/* So many sessions may be killed at once; the list is known to be complete. */
static int64_t allowed_share(const struct das_scene *sc)
{
    double share = sc->limits.percent * (double)sc->total / 100;
    int64_t allowed = (int64_t)share;

    /* rounded up: a small instance may lose one; but what a double adds to a whole number is none */
    return allowed + ((double)allowed < share - 1e-9);
}

static bool too_large_a_share(const struct das_scene *sc, int64_t n, char *why, size_t size)
{
    if (sc->limits.percent >= 100)
        return false;
    if (!das_known(sc->total)) {
        snprintf(why, size, "limits.kill.percent: the list of sessions is not complete, so %g %% of "
                 "them is not known", sc->limits.percent);
        return true;
    }
    if (n <= allowed_share(sc))
        return false;
    snprintf(why, size, "limits.kill.percent: %lld of %lld sessions are %.1f %%, expected at most "
             "%g %%", (long long)n, (long long)sc->total,
             sc->total ? 100.0 * (double)n / (double)sc->total : 100.0, sc->limits.percent);
    return true;
}

/* At once, or where the statement goes on. */
static bool may_end_session(const struct das_scene *sc, size_t i)
{
    return sc->aims[i].stage == DAS_STAGE_READY &&
           (das_is_connection(sc->aims[i].action) || das_plan_escalate_ms(sc->plan) > 0);
}

/* Is i the first victim of its user that may lose its session? */
static bool first_of_user(const struct das_scene *sc, size_t i)
{
    if (!may_end_session(sc, i))
        return false;
    for (size_t k = 0; k < i; k++) {
        if (may_end_session(sc, k) &&
            das_text_eq(sc->aims[k].claim.user, sc->aims[i].claim.user))
            return false;
    }
    return true;
}

/* Connections that end are fewer for their user; the look before them says how many there are. */
static bool too_few_left(const struct das_scene *sc, char *why, size_t size)
{
    if (sc->limits.min_left <= 0)
        return false;
    for (size_t i = 0; i < sc->report->count; i++) {
        struct das_text user = sc->aims[i].claim.user;
        int64_t left;
        if (!first_of_user(sc, i))
            continue;
        left = das_snapshot_sessions_of(sc->look.snap, user);
        for (size_t k = 0; k < sc->report->count; k++)
            left -= may_end_session(sc, k) && das_text_eq(sc->aims[k].claim.user, user);
        if (left >= sc->limits.min_left)
            continue;
        snprintf(why, size, "limits.kill.min_left: %.*s would keep %lld sessions, expected at least "
                 "%lld", (int)(user.len < 80 ? user.len : 80), user.ptr ? user.ptr : "",
                 (long long)(left > 0 ? left : 0), (long long)sc->limits.min_left);
        return true;
    }
    return false;
}

/* The claims of those that are ready, side by side as the budget wants them. */
static int collect_claims(struct das_scene *sc)
{
    das_free(sc->claims);
    sc->claim_count = 0;
    sc->claims = das_calloc(sc->report->count, sizeof *sc->claims);
    if (!sc->claims)
        return das_fail_nomem(sc->err);
    for (size_t i = 0; i < sc->report->count; i++) {
        if (sc->aims[i].stage == DAS_STAGE_READY)
            sc->claims[sc->claim_count++] = sc->aims[i].claim;
    }
    return 0;
}

/*
 * All bounds, the caller's to free. Share and rest are measured by a list that does not show what
 * other runs are about to kill, or have killed since it was asked for: their reservations and kills
 * count as well.
 */
static struct das_bound *all_bounds(const struct das_scene *sc, size_t *count)
{
    struct das_bound *b = das_calloc(DAS_COUNTED + 1 + sc->report->count, sizeof *b);
    int64_t since = sc->look.began_unix_ms;

    *count = DAS_COUNTED;
    if (!b)
        return NULL;
    das_counted_bounds(&sc->limits, b);
    if (sc->limits.percent < 100 && das_known(sc->total))
        b[(*count)++] = (struct das_bound){.name = "limits.kill.percent",
                                           .scope = DAS_SCOPE_INSTANCE,
                                           .max = allowed_share(sc), .after_ms = since};
    for (size_t i = 0; sc->limits.min_left > 0 && i < sc->report->count; i++) {
        int64_t spare;
        if (!first_of_user(sc, i))
            continue;
        spare = das_snapshot_sessions_of(sc->look.snap, sc->aims[i].claim.user) - sc->limits.min_left;
        b[(*count)++] = (struct das_bound){.name = "limits.kill.min_left",
                                           .scope = DAS_SCOPE_USER, .max = spare > 0 ? spare : 0,
                                           .after_ms = since, .user = sc->aims[i].claim.user};
    }
    return b;
}

static int would_exceed(struct das_scene *sc, char *why, size_t size)
{
    struct das_bound *bounds;
    size_t count;
    int over = -1;

    if (collect_claims(sc) < 0)
        return -1;
    bounds = all_bounds(sc, &count);
    if (!bounds)
        return das_fail_nomem(sc->err);
    over = das_budget_would(sc->opts->guard->store, das_plan_instance(sc->plan), sc->claims,
                            sc->claim_count, bounds, count, why, size, sc->err);
    das_free(bounds);
    return over;
}

int das_allowance_left(struct das_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    int64_t n = (int64_t)das_scene_ready(sc);
    struct das_bound bounds[DAS_COUNTED];
    int over;

    if (too_large_a_share(sc, n, why, size) || too_few_left(sc, why, size))
        return 0;
    if (g->store) {
        over = would_exceed(sc, why, size);
        return over < 0 ? -1 : !over;
    }
    das_counted_bounds(&sc->limits, bounds);
    for (size_t i = 0; i < 2; i++) { /* what holds whatever was killed before */
        if (n <= bounds[i].max)
            continue;
        snprintf(why, size, "%s: %lld kills, expected at most %lld", bounds[i].name, (long long)n,
                 (long long)bounds[i].max);
        return 0;
    }
    return 1;
}

/* --- taking and giving back ------------------------------------------------------------------------ */

int das_allowance_take(struct das_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    struct das_bound *bounds;
    size_t count, k = 0;
    int rc;

    bounds = all_bounds(sc, &count);
    if (!bounds)
        return das_fail_nomem(sc->err);
    rc = das_budget_reserve(g->store, das_plan_instance(sc->plan), das_scene_policy(sc),
                            sc->claims, sc->claim_count, bounds, count, why, size, sc->err);
    das_free(bounds);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    for (size_t i = 0; i < sc->report->count; i++) {
        if (sc->aims[i].stage == DAS_STAGE_READY)
            sc->aims[i].claim.id = sc->claims[k++].id;
    }
    return 1;
}

void das_allowance_release(struct das_scene *sc)
{
    struct das_err ignored; /* what could not be given back only counts for too long */

    if (sc->claim_count)
        das_budget_give_back(sc->opts->guard->store, sc->claims, sc->claim_count, &ignored);
    sc->claim_count = 0;
    for (size_t i = 0; i < sc->report->count; i++) { /* a second one, for the next rung */
        if (sc->aims[i].escalated && sc->aims[i].claim.id)
            das_budget_give_back(sc->opts->guard->store, &sc->aims[i].claim, 1, &ignored);
    }
}

int das_allowance_claim(struct das_scene *sc, size_t victim, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    struct das_claim *claim = &sc->aims[victim].claim;
    struct das_bound bounds[DAS_COUNTED]; /* the same session is in the others already */
    int rc;

    das_counted_bounds(&sc->limits, bounds);
    claim->id = 0;
    rc = das_budget_reserve(g->store, das_plan_instance(sc->plan), das_scene_policy(sc), claim, 1,
                            bounds, DAS_COUNTED, why, size, sc->err);
    return rc < 0 ? -1 : !rc;
}
