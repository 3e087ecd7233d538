/*
 * caution.c - may this policy kill now, and may it go on (see apply_impl.h): mode, breaker, surge,
 * symptom, and statements that come back.
 *
 * What is remembered between runs is in core/store, which decides nothing; the decisions are here.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/plan/apply_impl.h"
#include "core/session/fingerprint.h"

#define SURGE_HISTORY 5 /* plans that make a habit */
#define SYMPTOM_POLL_MS 50

/* --- what is measured ----------------------------------------------------------------------------- */

static int fingerprint_of(struct das_text sql, uint64_t *out, struct das_err *err)
{
    struct das_buf shape = {0};
    int rc = 0;

    *out = 0;
    if (sql.ptr && sql.len) {
        das_fingerprint(sql, &shape);
        rc = das_buf_ok(&shape, err) < 0 ? -1 : das_digest64(das_buf_view(&shape), out, err);
    }
    das_buf_clear(&shape);
    return rc;
}

static int64_t count_matches(const struct das_filter *f, const struct das_snapshot *snap)
{
    struct das_session s;
    int64_t n = 0;

    for (uint32_t i = 0; i < das_snapshot_rows(snap); i++) {
        das_snapshot_get(snap, i, &s);
        n += das_filter_test(f, &s) == DAS_YES;
    }
    return n;
}

void das_caution_survey(struct das_scene *sc)
{
    const struct das_snapshot *snap = sc->look.snap;

    sc->total = das_snapshot_complete(snap) && !das_snapshot_partial(snap)
                    ? (int64_t)das_snapshot_rows(snap)
                    : das_snapshot_total(snap); /* where it was cut, the source may have counted */
    if (das_plan_symptom(sc->plan))
        sc->symptom_before = count_matches(das_plan_symptom(sc->plan), snap);
}

int das_caution_measure(struct das_scene *sc)
{
    struct das_session s;

    for (size_t i = 0; i < sc->report->count; i++) {
        struct das_aim *aim = &sc->aims[i];
        if (aim->stage != DAS_STAGE_READY)
            continue;
        das_plan_victim(sc->plan, i, &s);
        aim->claim.user = s.user;
        if (fingerprint_of(s.sql_info, &aim->claim.fingerprint, sc->err) < 0)
            return -1;
    }
    return 0;
}

/* --- breaker ------------------------------------------------------------------------------------- */

static int breaker_open(struct das_scene *sc, const char *reason)
{
    struct das_breaker b = {.state = DAS_BREAKER_OPEN};

    snprintf(b.reason, sizeof b.reason, "%s", reason);
    return das_breaker_put(sc->opts->guard->store, das_scene_policy(sc),
                           das_plan_instance(sc->plan), &b, sc->err);
}

static void say_open(const struct das_guard *g, const struct das_breaker *b, char *why, size_t size)
{
    int64_t left = b->since_ms + g->rules->breaker.cooldown_ms - das_clock_unix_ms();

    if (left > 0)
        snprintf(why, size, "the breaker is open: %s; one victim may be tried in %lld s", b->reason,
                 (long long)(left + 999) / 1000);
    else
        snprintf(why, size, "the breaker is half-open: another run tries one victim (%s)", b->reason);
}

int das_guard_breaker(const struct das_guard *g, const char *policy, const char *instance,
                      char *why, size_t size, struct das_err *err)
{
    struct das_breaker b;

    if (!g->store)
        return 1;
    if (das_breaker_get(g->store, policy, instance, &b, err) < 0)
        return -1;
    if (b.state == DAS_BREAKER_CLOSED ||
        das_clock_unix_ms() - b.since_ms >= g->rules->breaker.cooldown_ms)
        return 1;
    say_open(g, &b, why, size);
    return 0;
}

int das_caution_allows(struct das_scene *sc, char *why, size_t size)
{
    int rc = das_allowance_left(sc, why, size);

    if (rc <= 0)
        return rc;
    if (!das_guard_allows(sc->opts->guard, das_clock_unix_ms() / 1000, why, size))
        return 0;
    return das_guard_breaker(sc->opts->guard, das_scene_policy(sc), das_plan_instance(sc->plan), why,
                             size, sc->err);
}

/* Does the plan have far more victims than this policy usually has? Each plan that comes so far is
 * noted, so that a new normal becomes one. */
static int surge(struct das_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    int64_t n = (int64_t)das_plan_victims(sc->plan), usual, earlier;

    if (das_matches_note(g->store, das_scene_policy(sc), das_plan_instance(sc->plan), n, &usual,
                         &earlier, sc->err) < 0)
        return -1;
    if (g->rules->breaker.surge <= 0 || earlier < SURGE_HISTORY ||
        (double)n <= g->rules->breaker.surge * (double)(usual > 1 ? usual : 1))
        return 1;
    snprintf(why, size, "surge: %lld victims, where this policy usually has %lld (breaker.surge %g)",
             (long long)n, (long long)usual, g->rules->breaker.surge);
    return breaker_open(sc, why) < 0 ? -1 : 0;
}

/* --- taking -------------------------------------------------------------------------------------- */

static int try_breaker(struct das_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    struct das_breaker b;

    if (das_breaker_try(g->store, das_scene_policy(sc), das_plan_instance(sc->plan),
                        g->rules->breaker.cooldown_ms, &sc->canary, &b, sc->err) < 0)
        return -1;
    sc->canary_since = b.since_ms;
    if (sc->canary || b.state == DAS_BREAKER_CLOSED)
        return 1;
    say_open(g, &b, why, size);
    return 0;
}

int das_caution_reserve(struct das_scene *sc, char *why, size_t size)
{
    int rc = surge(sc, why, size);

    if (rc > 0)
        rc = das_allowance_take(sc, why, size);
    if (rc <= 0)
        return rc;
    rc = try_breaker(sc, why, size);
    if (rc <= 0)
        das_allowance_release(sc);
    return rc;
}

/* --- while it goes on ----------------------------------------------------------------------------- */

/* 1 when the symptom got better, or none was named. Looks until the wait is over: locks that a victim
 * held need a moment to pass on. -1: sc->stopped says why. */
static int symptom_better(struct das_scene *sc, int64_t *now_count)
{
    const struct das_filter *symptom = das_plan_symptom(sc->plan);
    int64_t until = das_clock_monotonic_ms() + sc->opts->guard->rules->outcome_wait_ms;
    int64_t pace = das_source_pace_ms(sc->source);

    *now_count = 0;
    if (!symptom || sc->symptom_before == 0)
        return 1;
    for (;;) {
        if (!das_scene_renew(sc, DAS_LOOK_ALL))
            return -1;
        *now_count = count_matches(symptom, sc->look.snap);
        if (*now_count < sc->symptom_before)
            return 1;
        if (das_clock_monotonic_ms() >= until)
            return 0;
        das_clock_sleep_ms(pace > SYMPTOM_POLL_MS ? pace : SYMPTOM_POLL_MS);
    }
}

static int stop_and_open(struct das_scene *sc)
{
    char reason[DAS_WHY];

    snprintf(reason, sizeof reason, "%s", sc->stopped);
    snprintf(sc->stopped, sizeof sc->stopped, "the breaker opened: %.350s", reason);
    return breaker_open(sc, reason);
}

/* Killed so far, of those that were sent. */
static bool any_killed(const struct das_scene *sc)
{
    return sc->report->totals[DAS_O_KILLED] || sc->report->totals[DAS_O_KILLING];
}

/* Unless it took so long that another canary was sent after it: then that one's answer counts. */
static int close_breaker(struct das_scene *sc)
{
    bool closed;

    if (das_breaker_close(sc->opts->guard->store, das_scene_policy(sc),
                          das_plan_instance(sc->plan), sc->canary_since, &closed, sc->err) < 0)
        return -1;
    if (!closed)
        das_scene_stop(sc, "", "another run has changed the breaker meanwhile");
    return 0;
}

/* The breaker belongs to all runs of a policy: what another one has seen stops this one, too. */
static int others_opened(struct das_scene *sc)
{
    struct das_breaker b;

    if (das_breaker_get(sc->opts->guard->store, das_scene_policy(sc), das_plan_instance(sc->plan),
                        &b, sc->err) < 0)
        return -1;
    if (sc->canary ? b.state == DAS_BREAKER_HALF_OPEN && b.since_ms == sc->canary_since
                   : b.state == DAS_BREAKER_CLOSED)
        return 0;
    das_scene_stop(sc, "another run opened the breaker: ", b.reason);
    return 1;
}

static bool is_cancelled(const struct das_scene *sc)
{
    const struct das_apply_watch *watch = sc->opts->watch;

    return watch && watch->cancelled && watch->cancelled(watch->arg);
}

/* A canary has one kill, and no failure is too few. */
static bool failed_too_often(const struct das_scene *sc)
{
    int64_t most = sc->canary ? 1 : sc->opts->guard->rules->breaker.failures;

    return most > 0 && (int64_t)sc->failures >= most;
}

/* The half-open breaker's one kill was done, and the symptom did not get worse. */
static int end_canary(struct das_scene *sc, bool last)
{
    if (!sc->report->totals[DAS_O_KILLED]) {
        das_scene_stop(sc, "", "the breaker is half-open: one victim was tried, and is still ending");
        return 0;
    }
    if (close_breaker(sc) < 0)
        return -1;
    if (!last)
        das_scene_stop(sc, "", "the breaker was half-open: one victim was tried, and it went well");
    return 0;
}

int das_caution_step(struct das_scene *sc, bool last)
{
    int64_t count;
    int better;

    if (failed_too_often(sc)) {
        snprintf(sc->stopped, sizeof sc->stopped, "%zu kill%s failed or stayed unknown",
                 sc->failures, sc->failures == 1 ? "" : "s");
        return stop_and_open(sc);
    }
    if (sc->stopped[0])
        return 0;
    better = others_opened(sc);
    if (better)
        return better < 0 ? -1 : 0;
    if (!any_killed(sc) || is_cancelled(sc)) /* who is in a hurry does not judge a symptom */
        return 0;
    better = symptom_better(sc, &count);
    if (better < 0)
        return -1;
    if (!better) {
        snprintf(sc->stopped, sizeof sc->stopped,
                 "the symptom did not improve: %lld sessions before, %lld after %zu kills",
                 (long long)sc->symptom_before, (long long)count,
                 sc->report->totals[DAS_O_KILLED] + sc->report->totals[DAS_O_KILLING]);
        return stop_and_open(sc);
    }
    return sc->canary ? end_canary(sc, last) : 0;
}

/* --- what comes back ------------------------------------------------------------------------------ */

/* Victims whose statement had been killed before, shortly ago. */
static int count_again(struct das_scene *sc)
{
    const struct das_guard *g = sc->opts->guard;
    int64_t since = das_clock_unix_ms() - g->rules->breaker.respawn_ms;
    struct das_session s;

    for (size_t i = 0; i < sc->report->count; i++) {
        const struct das_claim *c = &sc->aims[i].claim;
        int64_t before;
        if (sc->aims[i].stage != DAS_STAGE_READY || !c->fingerprint)
            continue;
        before = das_budget_recent(g->store, das_plan_instance(sc->plan), c->user, c->fingerprint,
                                   since, sc->err);
        if (before < 0)
            return -1;
        if (before == 0)
            continue;
        das_plan_victim(sc->plan, i, &s);
        if (das_record_respawned(sc, &s, "again") < 0)
            return -1;
        sc->again++;
        sc->report->respawned++;
    }
    return 0;
}

int das_caution_again(struct das_scene *sc)
{
    const struct das_guard *g = sc->opts->guard;
    struct das_breaker b;

    if (g->rules->breaker.respawns <= 0)
        return 0;
    if (count_again(sc) < 0 ||
        das_breaker_respawned(g->store, das_scene_policy(sc), das_plan_instance(sc->plan),
                              (int64_t)sc->again, &b, sc->err) < 0)
        return -1;
    if (sc->again == 0 || b.respawns < g->rules->breaker.respawns)
        return 0;
    snprintf(sc->stopped, sizeof sc->stopped,
             "statements come back after their kill: %lld times within %lld s each",
             (long long)b.respawns, (long long)(g->rules->breaker.respawn_ms / 1000));
    return stop_and_open(sc);
}

/* Which of those that were killed does s look like? */
static bool is_reborn(const struct das_scene *sc, const struct das_session *s, uint64_t shape)
{
    struct das_session then;

    for (size_t i = 0; i < sc->report->count; i++) {
        enum das_outcome_kind k = sc->report->items[i].kind;
        if ((k != DAS_O_KILLED && k != DAS_O_KILLING) || sc->aims[i].claim.fingerprint != shape)
            continue;
        das_plan_victim(sc->plan, i, &then);
        if (das_text_eq(then.user, s->user))
            return true;
    }
    return false;
}

/* A victim that is still dying is no new statement, and a session that ran all the while neither:
 * it must have begun after the first kill. */
static bool is_new(const struct das_scene *sc, const struct das_session *s, int64_t begun_ms)
{
    struct das_session then;

    if (das_is_dying(s) || das_text_iis(s->command, "Sleep") || !das_known(s->time_ms))
        return false;
    if (das_clock_monotonic_ms() - s->time_ms < begun_ms)
        return false;
    for (size_t i = 0; i < sc->report->count; i++) {
        das_plan_victim(sc->plan, i, &then);
        if (then.id == s->id && das_known(s->query_id) && then.query_id == s->query_id)
            return false;
    }
    return true;
}

static int64_t first_kill_ms(const struct das_scene *sc)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < sc->report->count; i++) {
        enum das_outcome_kind k = sc->report->items[i].kind;
        if ((k == DAS_O_KILLED || k == DAS_O_KILLING) && sc->aims[i].claim.fingerprint &&
            sc->aims[i].sent_ms < first)
            first = sc->aims[i].sent_ms;
    }
    return first;
}

int das_caution_respawned(struct das_scene *sc)
{
    int64_t first = first_kill_ms(sc);
    struct das_session s;

    if (sc->opts->guard->rules->breaker.respawns <= 0 || first == INT64_MAX)
        return 0;
    if (!das_scene_renew(sc, DAS_LOOK_ALL))
        return -1;
    for (uint32_t i = 0; i < das_snapshot_rows(sc->look.snap); i++) {
        uint64_t shape;
        das_snapshot_get(sc->look.snap, i, &s);
        if (!is_new(sc, &s, first))
            continue;
        if (fingerprint_of(s.sql_info, &shape, sc->err) < 0)
            return -1;
        if (!shape || !is_reborn(sc, &s, shape))
            continue;
        if (das_record_respawned(sc, &s, "after") < 0)
            return -1;
        sc->report->respawned++;
    }
    return 0;
}
