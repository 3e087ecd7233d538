/*
 * apply.c - the order in which a plan is carried out.
 *
 * Is the plan still good; is this the same server; what does the server look like now; victim by
 * victim: is it the same, may it be touched, is there something to kill. Then, when armed, the
 * guards (guard.h) for all that are left, and step by step: off switch, intent into the journal,
 * kill, a look until it is seen to be over, outcome into the journal. Any doubt means no kill.
 */
#include "core/plan/plan.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/mem.h"
#include "core/plan/apply_impl.h"

size_t das_scene_ready(const struct das_scene *sc)
{
    size_t n = 0;

    for (size_t i = 0; i < sc->report->count; i++)
        n += sc->aims[i].stage == DAS_STAGE_READY;
    return n;
}

const char *das_scene_policy(const struct das_scene *sc)
{
    const struct das_guard *g = sc->opts->guard;

    return g && g->policy && *g->policy ? g->policy : "apply";
}

/* --- the next rung of the ladder ------------------------------------------------------------------- */

static void escalate_one(struct das_scene *sc, size_t i)
{
    struct das_aim *aim = &sc->aims[i];
    const char *first = aim->action;
    struct das_session now;
    struct das_buf note = {0};
    char why[DAS_WHY] = "";
    int claimed;

    aim->escalated = true;
    if (!das_still_the_same(sc, i, &now, &note)) {
        snprintf(why, sizeof why, "its connection is left alone: %.300s",
                 note.ptr ? note.ptr : "out of memory");
    } else {
        claimed = das_allowance_claim(sc, i, why, sizeof why);
        if (claimed < 0)
            snprintf(why, sizeof why, "%.350s", sc->err->msg);
        if (claimed <= 0)
            aim->claim.id = 0;
        else if (das_record_rung(sc, i) < 0)
            snprintf(why, sizeof why, "the journal cannot be written: %.300s", sc->err->msg);
    }
    das_buf_clear(&note);
    if (!why[0]) {
        /* of the first rung; the second one has an outcome of its own */
        sc->report->items[i] = (struct das_outcome){.kind = DAS_O_FAILED, .action = aim->action};
        das_scene_tell(sc, i);
        aim->action = "connection";
        if (das_may_fire(sc, i)) {
            das_fire(sc, i, &now);
            return;
        }
        snprintf(why, sizeof why, "its connection is left alone: %.300s", sc->stopped);
        aim->recorded = true; /* the first rung's outcome is in the journal */
    }
    sc->failures++;
    das_settle(sc, i, DAS_O_FAILED, first, why);
    das_scene_tell(sc, i);
}

/* No second rung for anybody: what became of the first one is still looked for. */
static void give_up_ladder(struct das_scene *sc)
{
    for (size_t i = 0; i < sc->report->count; i++)
        sc->aims[i].escalated = sc->aims[i].escalated || sc->aims[i].stage == DAS_STAGE_SENT;
}

static void escalate(struct das_scene *sc)
{
    for (size_t i = 0; i < sc->report->count; i++) {
        if (sc->aims[i].stage != DAS_STAGE_SENT || !das_can_escalate(sc, i))
            continue;
        if (das_look_is_old(sc)) { /* the others took long */
            if (!das_scene_renew(sc, DAS_LOOK_VICTIMS)) {
                give_up_ladder(sc);
                return;
            }
            if (das_await_over(sc, i))
                continue;
        }
        escalate_one(sc, i);
    }
}

/* --- all of them ------------------------------------------------------------------------------------ */

static void refuse_ready(struct das_scene *sc, const char *why)
{
    for (size_t i = 0; i < sc->report->count; i++) {
        if (sc->aims[i].stage == DAS_STAGE_READY)
            das_settle(sc, i, DAS_O_REFUSED, sc->aims[i].action, why);
    }
}

/* The first n that are ready, from *at on. */
static void fire_step(struct das_scene *sc, size_t *at, size_t n)
{
    for (; *at < sc->report->count && n > 0 && !sc->stopped[0]; (*at)++) {
        if (sc->aims[*at].stage == DAS_STAGE_READY && das_try_one(sc, *at))
            n--;
    }
}

/* 1, 2, 4, ...: after each step it is known what became of it before the next begins. */
static void climb(struct das_scene *sc)
{
    bool ramp = sc->opts->guard->rules->ramp || sc->canary;
    size_t step = ramp ? 1 : sc->report->count, at = 0;

    while (das_scene_ready(sc) > 0 && !sc->stopped[0]) {
        fire_step(sc, &at, step);
        das_await(sc);
        escalate(sc);
        das_await(sc);
        das_await_record(sc);
        if (das_caution_step(sc, das_scene_ready(sc) == 0) < 0)
            das_scene_stop(sc, "not tried: ", sc->err->msg);
        DAS_FAULT("after-ramp-step");
        if (!sc->canary) /* one that had ended by itself tells nothing: the next is the only one */
            step *= 2;
    }
    if (das_caution_respawned(sc) < 0)
        das_scene_stop(sc, "", sc->err->msg);
}

static int kill_all(struct das_scene *sc)
{
    char why[DAS_WHY] = "";
    int rc = 1;

    if (das_scene_ready(sc) == 0)
        return 0;
    if (das_caution_measure(sc) < 0)
        return -1;
    rc = das_caution_allows(sc, why, sizeof why);
    if (rc > 0)
        rc = das_caution_reserve(sc, why, sizeof why);
    if (rc < 0)
        return -1;
    if (rc == 0) {
        refuse_ready(sc, why);
        das_record_refused(sc, why);
        return 0;
    }
    DAS_FAULT("after-reserve");
    DAS_FAULT("before-apply-record");
    rc = das_record_apply(sc);
    if (rc < 0 && sc->err->code == DAS_E_BLOCKED) { /* another process was faster */
        das_allowance_release(sc);
        refuse_ready(sc, sc->err->msg);
        das_record_refused(sc, sc->err->msg);
        return 0;
    }
    if (rc < 0 || das_caution_again(sc) < 0) {
        das_allowance_release(sc);
        return -1;
    }
    climb(sc);
    refuse_ready(sc, sc->stopped[0] ? sc->stopped : "not tried");
    das_allowance_release(sc);
    return 0;
}

/* What an armed run would do, and what would keep it from that. */
static int rehearse(struct das_scene *sc)
{
    char why[DAS_WHY] = "";
    int allowed = 1;

    if (das_scene_ready(sc) > 0 && sc->opts->guard) {
        if (das_caution_measure(sc) < 0)
            return -1;
        if (das_stopped(sc->opts->guard->stop_files, why, sizeof why))
            allowed = 0;
        else
            allowed = das_caution_allows(sc, why, sizeof why);
        if (allowed < 0)
            return -1;
    }
    if (!allowed) {
        sc->report->would_block = das_strdup(why);
        if (!sc->report->would_block)
            return das_fail_nomem(sc->err);
    }
    for (size_t i = 0; i < sc->report->count; i++) {
        if (sc->aims[i].stage == DAS_STAGE_READY)
            das_settle(sc, i, DAS_O_DRY_RUN, sc->aims[i].action, "");
    }
    return 0;
}

/* --- the plan as a whole ---------------------------------------------------------------------------- */

/* Why the plan is no good before anybody is asked: 1 and why, 0, or -1. */
static int stale(struct das_scene *sc, char *why, size_t size)
{
    const struct das_plan *p = sc->plan;
    int64_t now = das_clock_unix_ms();
    int before;

    if (now > p->birth.expires_ms) {
        snprintf(why, size, "the plan expired %lld s ago", (long long)((now - p->birth.expires_ms) / 1000));
        return 1;
    }
    if (now < p->birth.created_ms) {
        snprintf(why, size, "the clock stands before the plan was made");
        return 1;
    }
    if (!sc->opts->armed)
        return 0;
    if (das_source_cannot_kill(sc->source)) {
        snprintf(why, size, "%s", das_source_cannot_kill(sc->source));
        return 1;
    }
    if (das_stopped(sc->opts->guard->stop_files, why, size))
        return 1;
    before = das_journal_applied(sc->opts->guard->store, das_plan_hash(p), sc->err);
    if (before > 0)
        snprintf(why, size, "this plan was applied before: a plan is applied once");
    return before;
}

/* What the server can do is known once it has been looked at. */
static bool cannot_do_that(const struct das_scene *sc, char *why, size_t size)
{
    enum das_kill_mode mode = das_plan_mode(sc->plan);
    const char *reason = mode == DAS_MODE_SOFT    ? das_source_cannot_soft(sc->source)
                         : mode == DAS_MODE_QUERY ? das_source_cannot_statement(sc->source)
                                                  : NULL;

    if (reason)
        snprintf(why, size, "%s", reason);
    return reason != NULL;
}

/* Everybody may be more than a source tells, or take it long; and of whom it chooses only it can
 * tell. */
static bool needs_another_look(const struct das_scene *sc)
{
    return das_snapshot_cut(sc->look.snap) || das_snapshot_spread(sc->look.snap) > 0 ||
           sc->plan->trusts;
}

static int carry_out(struct das_scene *sc)
{
    char why[DAS_WHY] = "";
    int no = stale(sc, why, sizeof why);

    if (no < 0)
        return -1;
    if (no == 0 && sc->report->count > 0) {
        if (das_look_take(&sc->look, sc->source, sc->plan, DAS_LOOK_ALL, sc->err) < 0 ||
            das_roles_collect(sc->look.snap, &sc->roles, sc->err) < 0)
            return -1;
        das_caution_survey(sc);
        if (needs_another_look(sc) &&
            das_look_take(&sc->look, sc->source, sc->plan, das_scene_recheck(sc), sc->err) < 0)
            return -1;
        no = das_scene_other_server(sc, why, sizeof why) || cannot_do_that(sc, why, sizeof why);
    }
    for (size_t i = 0; i < sc->report->count; i++) {
        if (no)
            das_settle(sc, i, DAS_O_REFUSED, "", why);
        else
            das_judge(sc, i);
    }
    if (no) {
        if (sc->opts->armed && sc->report->count > 0)
            das_record_refused(sc, why);
        return 0;
    }
    return sc->opts->armed ? kill_all(sc) : rehearse(sc);
}

static int scene_init(struct das_scene *sc, struct das_err *err)
{
    size_t n = das_plan_victims(sc->plan);

    sc->total = DAS_UNKNOWN;
    sc->limits = *das_plan_limits(sc->plan);
    if (sc->opts->guard)
        das_kill_limits_tighten(&sc->limits, &sc->opts->guard->rules->limits);
    sc->report = das_calloc(1, sizeof *sc->report);
    if (!sc->report)
        return das_fail_nomem(err);
    sc->report->plan = das_plan_retain(sc->plan);
    sc->report->armed = sc->opts->armed;
    sc->report->items = das_calloc(n, sizeof *sc->report->items);
    sc->aims = das_calloc(n, sizeof *sc->aims);
    if (!sc->report->items || !sc->aims)
        return das_fail_nomem(err);
    sc->report->count = n;
    return 0;
}

int das_plan_apply(struct das_plan *p, struct das_source *source,
                   const struct das_apply_opts *opts, struct das_report **out,
                   struct das_err *err)
{
    struct das_scene sc = {.plan = p, .source = source, .opts = opts, .err = err};
    int rc;

    *out = NULL;
    if (opts->armed && (!opts->guard || !opts->guard->store))
        return das_fail(err, DAS_E_BLOCKED, "nothing is killed without a journal");
    rc = scene_init(&sc, err);
    if (rc == 0)
        rc = carry_out(&sc);
    if (rc == 0) {
        *out = sc.report;
        sc.report = NULL;
    }
    das_look_clear(&sc.look);
    das_roles_clear(&sc.roles);
    das_free(sc.claims);
    das_free(sc.aims);
    das_report_free(sc.report);
    return rc;
}
