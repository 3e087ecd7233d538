/*
 * caution.c - may these victims be killed, and may it go on (see apply_impl.h).
 *
 * Limits count and breakers remember through core/store, which decides nothing; the decisions are
 * here. A limit that is exceeded means that no victim at all is killed.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/plan/apply_impl.h"
#include "core/session/fingerprint.h"

#define MINUTE_MS 60000
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

int das_caution_measure(struct das_scene *sc)
{
    const struct das_snapshot *snap = sc->look.snap;
    struct das_session s;

    sc->total = das_snapshot_complete(snap) && !das_snapshot_partial(snap)
                    ? (int64_t)das_snapshot_rows(snap)
                    : DAS_UNKNOWN;
    if (das_plan_symptom(sc->plan))
        sc->symptom_before = count_matches(das_plan_symptom(sc->plan), snap);
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

/* --- limits -------------------------------------------------------------------------------------- */

#define COUNTED 4 /* bounds that do not depend on what is there now */

static void counted_bounds(const struct das_scene *sc, struct das_bound out[COUNTED])
{
    const struct das_kill_limits *l = &sc->limits;

    out[0] = (struct das_bound){.name = "limits.kill.run", .scope = DAS_SCOPE_RUN, .max = l->run};
    out[1] = (struct das_bound){.name = "limits.kill.minute", .scope = DAS_SCOPE_ALL,
                                .max = l->minute, .window_ms = MINUTE_MS};
    out[2] = (struct das_bound){.name = "limits.kill.instance", .scope = DAS_SCOPE_INSTANCE,
                                .max = l->instance, .window_ms = l->window_ms};
    out[3] = (struct das_bound){.name = "limits.kill.user", .scope = DAS_SCOPE_USER,
                                .max = l->user, .window_ms = l->window_ms};
}

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

static int64_t sessions_of(const struct das_scene *sc, struct das_text user)
{
    const struct das_snapshot *snap = sc->look.snap;
    const uint32_t *column = das_snapshot_dict_column(snap, DAS_D_USER);
    int64_t n = 0;

    for (uint32_t u = 0; u < das_snapshot_dict_size(snap, DAS_D_USER); u++) {
        if (!das_text_eq(das_snapshot_dict_text(snap, DAS_D_USER, u), user))
            continue;
        for (uint32_t r = 0; r < das_snapshot_rows(snap); r++)
            n += column[r] == u;
    }
    return n;
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
        left = sessions_of(sc, user);
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
    struct das_bound *b = das_calloc(COUNTED + 1 + sc->report->count, sizeof *b);
    int64_t since = sc->look.began_unix_ms;

    *count = COUNTED;
    if (!b)
        return NULL;
    counted_bounds(sc, b);
    if (sc->limits.percent < 100 && das_known(sc->total))
        b[(*count)++] = (struct das_bound){.name = "limits.kill.percent",
                                           .scope = DAS_SCOPE_INSTANCE,
                                           .max = allowed_share(sc), .after_ms = since};
    for (size_t i = 0; sc->limits.min_left > 0 && i < sc->report->count; i++) {
        int64_t spare;
        if (!first_of_user(sc, i))
            continue;
        spare = sessions_of(sc, sc->aims[i].claim.user) - sc->limits.min_left;
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

static int within_limits(struct das_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    int64_t n = (int64_t)das_scene_ready(sc);
    struct das_bound bounds[COUNTED];
    int over;

    if (too_large_a_share(sc, n, why, size) || too_few_left(sc, why, size))
        return 0;
    if (g->store) {
        over = would_exceed(sc, why, size);
        return over < 0 ? -1 : !over;
    }
    counted_bounds(sc, bounds);
    for (size_t i = 0; i < 2; i++) { /* what holds whatever was killed before */
        if (n <= bounds[i].max)
            continue;
        snprintf(why, size, "%s: %lld kills, expected at most %lld", bounds[i].name, (long long)n,
                 (long long)bounds[i].max);
        return 0;
    }
    return 1;
}

/* --- breaker ------------------------------------------------------------------------------------- */

static int breaker_open(struct das_scene *sc, const char *reason)
{
    struct das_breaker b = {.state = DAS_BREAKER_OPEN};

    snprintf(b.reason, sizeof b.reason, "%s", reason);
    return das_breaker_put(sc->opts->guard->store, das_scene_policy(sc),
                           das_plan_instance(sc->plan), &b, sc->err);
}

static void say_open(const struct das_scene *sc, const struct das_breaker *b, char *why,
                     size_t size)
{
    int64_t left = b->since_ms + sc->opts->guard->rules->breaker.cooldown_ms - das_clock_unix_ms();

    if (left > 0)
        snprintf(why, size, "the breaker is open: %s; one victim may be tried in %lld s", b->reason,
                 (long long)(left + 999) / 1000);
    else
        snprintf(why, size, "the breaker is half-open: another run tries one victim (%s)", b->reason);
}

/* 1: closed, or due for a canary; 0: open. Takes nothing. */
static int breaker_passes(struct das_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    struct das_breaker b;

    if (!g->store)
        return 1;
    if (das_breaker_get(g->store, das_scene_policy(sc), das_plan_instance(sc->plan), &b,
                        sc->err) < 0)
        return -1;
    if (b.state == DAS_BREAKER_CLOSED ||
        das_clock_unix_ms() - b.since_ms >= g->rules->breaker.cooldown_ms)
        return 1;
    say_open(sc, &b, why, size);
    return 0;
}

int das_caution_allows(struct das_scene *sc, char *why, size_t size)
{
    int rc = within_limits(sc, why, size);

    if (rc <= 0)
        return rc;
    if (!das_guard_allows(sc->opts->guard, das_clock_unix_ms() / 1000, why, size))
        return 0;
    return breaker_passes(sc, why, size);
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
    say_open(sc, &b, why, size);
    return 0;
}

int das_caution_reserve(struct das_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    struct das_bound *bounds;
    size_t count, k = 0;
    int rc = surge(sc, why, size);

    if (rc <= 0)
        return rc;
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
    rc = try_breaker(sc, why, size);
    if (rc <= 0)
        das_caution_release(sc);
    return rc;
}

void das_caution_release(struct das_scene *sc)
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

int das_caution_claim(struct das_scene *sc, size_t victim, char *why, size_t size)
{
    const struct das_guard *g = sc->opts->guard;
    struct das_claim *claim = &sc->aims[victim].claim;
    struct das_bound bounds[COUNTED]; /* the same session is in the others already */
    int rc;

    counted_bounds(sc, bounds);
    claim->id = 0;
    rc = das_budget_reserve(g->store, das_plan_instance(sc->plan), das_scene_policy(sc), claim, 1,
                            bounds, COUNTED, why, size, sc->err);
    return rc < 0 ? -1 : !rc;
}

/* --- while it goes on ----------------------------------------------------------------------------- */

/* True when the symptom got better, or none was named. Looks until the wait is over: locks that a
 * victim held need a moment to pass on. */
/* -1: sc->stopped says why. */
static int symptom_better(struct das_scene *sc, int64_t *now_count)
{
    const struct das_filter *symptom = das_plan_symptom(sc->plan);
    int64_t until = das_clock_monotonic_ms() + sc->opts->guard->rules->outcome_wait_ms;

    *now_count = 0;
    if (!symptom || sc->symptom_before == 0)
        return 1;
    for (;;) {
        if (!das_scene_renew(sc, false))
            return -1;
        *now_count = count_matches(symptom, sc->look.snap);
        if (*now_count < sc->symptom_before)
            return 1;
        if (das_clock_monotonic_ms() >= until)
            return 0;
        das_clock_sleep_ms(SYMPTOM_POLL_MS);
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
    if (!das_scene_renew(sc, false))
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
