/*
 * apply.c - the only caller of das_source_kill(): the order in which a plan is carried out.
 *
 * Is the plan still good; is this the same server; what does the server look like now; victim by
 * victim: is it the same, may it be touched, is there something to kill. Then, when armed, the
 * guards (guard.h) for all that are left, and step by step: off switch, intent into the journal,
 * kill, a look until it is seen to be over, outcome into the journal. Any doubt means no kill.
 *
 * DAS_WITHOUT_IDENTITY leaves the check of the server out. It exists for the build with which the
 * stress test shows that it would notice (tests/e2e/torture_controls.t).
 */
#include "core/plan/plan.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/mem.h"
#include "core/plan/apply_impl.h"
#include "core/source/source_kill.h"

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

/* --- one kill -------------------------------------------------------------------------------------- */

static enum das_kill_what kill_what(const char *action, const struct das_session *now)
{
    if (das_is_connection(action))
        return das_has_statement(now) ? DAS_KILL_SESSION : DAS_KILL_IDLE_SESSION;
    return strcmp(action, "soft") == 0 ? DAS_KILL_STATEMENT_SOFT : DAS_KILL_STATEMENT;
}

/* With many victims, or a slow server, a look grows old while they are killed. */
#define LOOK_AGAIN_MS 200

static bool look_is_old(const struct das_scene *sc)
{
    return das_clock_monotonic_ms() - sc->look.at_ms > LOOK_AGAIN_MS;
}

/* A kill by query id cannot hit another statement, however late it comes. */
static bool is_exact(const struct das_aim *aim, int64_t query_id)
{
    return !das_is_connection(aim->action) && das_known(query_id);
}

static bool other_server(const struct das_scene *sc, char *why, size_t size)
{
#ifdef DAS_WITHOUT_IDENTITY
    (void)sc, (void)why, (void)size;
    return false;
#else
    struct das_buf note = {0};
    bool other = das_other_server(sc->plan, sc->look.snap, &note);

    if (other)
        snprintf(why, size, "%s", note.ptr ? note.ptr : "out of memory");
    das_buf_clear(&note);
    return other;
#endif
}

bool das_scene_renew(struct das_scene *sc, enum das_look_at at)
{
    char why[DAS_WHY];

    DAS_FAULT("before-look-again");
    if (das_look_take(&sc->look, sc->source, sc->plan, at, sc->err) < 0)
        das_scene_stop(sc, "not tried: ", sc->err->msg);
    else if (other_server(sc, why, sizeof why))
        das_scene_stop(sc, "not tried: ", why);
    else
        return true;
    return false;
}

/* Verified in the look that there is, which is young enough for this kill, or the session will be
 * looked at alone (last_look()). False: it is settled, or all stops. */
static bool still_ready(struct das_scene *sc, size_t i)
{
    struct das_session then;

    das_plan_victim(sc->plan, i, &then);
    if (das_known(then.query_id) && !is_exact(&sc->aims[i], then.query_id) && look_is_old(sc) &&
        !das_scene_renew(sc, DAS_LOOK_VICTIMS))
        return false;
    if (sc->aims[i].judged_in != sc->look.number)
        das_judge(sc, i);
    return sc->aims[i].stage == DAS_STAGE_READY;
}

/* Everything that may say no before a single kill, the off switch first. */
static bool may_fire(struct das_scene *sc, size_t i)
{
    const struct das_apply_watch *watch = sc->opts->watch;
    char why[DAS_WHY];

    if (das_stopped(sc->opts->guard->stop_files, why, sizeof why)) {
        das_scene_stop(sc, "", why);
        return false;
    }
    if (!das_guard_allows(sc->opts->guard, das_clock_unix_ms() / 1000, why, sizeof why)) {
        das_scene_stop(sc, "", why); /* its window has ended, or a freeze has begun */
        return false;
    }
    if (das_clock_unix_ms() > sc->plan->birth.expires_ms) {
        das_scene_stop(sc, "", "the plan expired while it was applied");
        return false;
    }
    if (watch && !watch->before(watch->arg, sc->plan, i, sc->aims[i].action, why, sizeof why)) {
        das_scene_stop(sc, "", why);
        return false;
    }
    return true;
}

/* Where the way to the server is long, a kill waits on it: for its turn, for a connection. */
#define SEND_WITHIN_MS 5000

struct das_departure {
    const struct das_scene *sc;
    struct das_aim *aim;
    char stopped[DAS_WHY]; /* the off switch; "": it is not on */
};

/* Asked while a kill waits, and last right before it is sent. */
static int64_t may_still_go(void *arg)
{
    struct das_departure *d = arg;
    int64_t now = das_clock_monotonic_ms(), left = d->aim->looked_ms + SEND_WITHIN_MS - now;

    if (das_stopped(d->sc->opts->guard->stop_files, d->stopped, sizeof d->stopped))
        return 0;
    d->aim->sent_ms = now;
    return left > 0 ? left : 0;
}

/* What is sent. The user is the plan's, which outlives every look, and has just been compared. */
static struct das_kill_order order_of(const struct das_scene *sc, size_t i,
                                      const struct das_session *now)
{
    struct das_session then;

    das_plan_victim(sc->plan, i, &then);
    return (struct das_kill_order){.what = kill_what(sc->aims[i].action, now),
                                   .id = now->id,
                                   .query_id = now->query_id,
                                   .user = then.user};
}

static void note_look(const struct das_scene *sc, struct das_aim *aim)
{
    aim->looked_ms = sc->look.at_ms;
    aim->look_lag_ms = das_snapshot_lag(sc->look.snap) * 1000;
}

/* The session is looked at alone: false when it is not what was verified, and then it is settled. */
static bool verify_alone(struct das_scene *sc, size_t i, struct das_kill_order *o)
{
    struct das_aim *aim = &sc->aims[i];
    struct das_buf note = {0};
    struct das_session now;
    char why[DAS_WHY] = "";

    if (das_look_take_one(&sc->look, sc->source, sc->plan, i, sc->err) < 0)
        snprintf(why, sizeof why, "%.350s", sc->err->msg);
    if (why[0] || other_server(sc, why, sizeof why)) {
        das_scene_stop(sc, "not tried: ", why);
        das_settle(sc, i, DAS_O_REFUSED, aim->action, sc->stopped);
        return false;
    }
    if (!aim->escalated) {
        das_judge(sc, i);
        if (aim->stage != DAS_STAGE_READY || das_look_find(&sc->look, o->id, &now) != DAS_FOUND)
            return false;
    } else if (!das_still_the_same(sc, i, &now, &note)) {
        das_settle_buf(sc, i, DAS_O_CHANGED, aim->action, &note);
        return false;
    }
    das_buf_clear(&note);
    *o = order_of(sc, i, &now);
    note_look(sc, aim);
    return true;
}

/*
 * Writing the intent takes time, more when another process holds the journal. So the off switch is
 * looked at again; and where the kill goes by the session's number alone, so is the session: nothing
 * lies between that look and the kill. False: it is settled.
 */
static bool last_look(struct das_scene *sc, size_t i, struct das_kill_order *o)
{
    struct das_look before;
    char why[DAS_WHY];
    bool same;

    if (das_stopped(sc->opts->guard->stop_files, why, sizeof why)) {
        das_scene_stop(sc, "", why);
        das_settle(sc, i, DAS_O_REFUSED, sc->aims[i].action, why);
        return false;
    }
    note_look(sc, &sc->aims[i]);
    if (is_exact(&sc->aims[i], o->query_id) || (das_known(o->query_id) && !look_is_old(sc)))
        return true;
    before = sc->look; /* of all victims: the others are judged by it */
    sc->look = (struct das_look){.number = before.number};
    same = verify_alone(sc, i, o);
    das_look_clear(&sc->look);
    sc->look = before;
    return same;
}

/* Nobody said what became of the kill: is the session there? Does not make a known outcome of it,
 * because it may have ended by itself. */
static void look_after(struct das_scene *sc, size_t i, struct das_err *why)
{
    struct das_look look = {.number = sc->look.number};
    struct das_err ignored;
    struct das_session then, now;
    struct das_buf note = {0};
    size_t len = strlen(why->msg);

    /* whether it is there, not whether the source would still choose it */
    if (das_look_take(&look, sc->source, sc->plan, DAS_LOOK_VICTIMS, &ignored) == 0 &&
        !das_other_server(sc->plan, look.snap, &note) && !das_snapshot_cut(look.snap)) {
        das_plan_victim(sc->plan, i, &then);
        snprintf(why->msg + len, sizeof why->msg - len, "; a look afterwards: it is %s",
                 das_look_find(&look, then.id, &now) == DAS_FOUND_NO ? "gone" : "still there");
    }
    das_buf_clear(&note);
    das_look_clear(&look);
}

/* Intent, kill, and what the server says to it at once. now is the session as it was verified. */
static void fire(struct das_scene *sc, size_t i, const struct das_session *now)
{
    struct das_aim *aim = &sc->aims[i];
    struct das_kill_order o = order_of(sc, i, now);
    struct das_departure departure = {.sc = sc, .aim = aim};
    struct das_err why = {0};

    DAS_FAULT("before-intent");
    if (das_record_intent(sc, i, now, aim->claim.id) < 0) {
        das_scene_stop(sc, "the journal cannot be written: ", sc->err->msg);
        das_settle(sc, i, DAS_O_REFUSED, aim->action, sc->stopped);
        aim->recorded = true; /* nothing was opened */
        das_scene_tell(sc, i);
        return;
    }
    DAS_FAULT("after-intent");
    aim->recorded = false;
    if (!last_look(sc, i, &o)) {
        das_scene_tell(sc, i);
        return;
    }
    o.sending = (struct das_patience){may_still_go, &departure};
    aim->sent_ms = das_clock_monotonic_ms();
    DAS_FAULT("before-kill");
    switch (das_source_kill(sc->source, &o, &why)) {
    case DAS_KILLED:
        aim->stage = DAS_STAGE_SENT;
        break;
    case DAS_KILL_GONE:
        das_settle(sc, i, DAS_O_GONE, aim->action, "ended before the kill arrived");
        break;
    case DAS_KILL_FAILED:
        sc->failures++;
        das_settle(sc, i, DAS_O_FAILED, aim->action, why.msg);
        break;
    case DAS_KILL_LATE:
        aim->sent_ms = 0;
        if (departure.stopped[0])
            das_scene_stop(sc, "", departure.stopped);
        das_settle(sc, i, DAS_O_REFUSED, aim->action,
                   departure.stopped[0] ? departure.stopped : why.msg);
        break;
    case DAS_KILL_UNKNOWN:
        look_after(sc, i, &why);
        sc->failures++;
        das_settle(sc, i, DAS_O_UNKNOWN, aim->action, why.msg);
        das_scene_stop(sc, "", "not tried: what became of the kill before is not known");
        break;
    }
    DAS_FAULT("after-kill");
    if (aim->stage == DAS_STAGE_SETTLED)
        das_scene_tell(sc, i);
}

/* One victim; false when it was not tried. */
static bool try_one(struct das_scene *sc, size_t i)
{
    struct das_session then, now;

    if (!still_ready(sc, i) || !may_fire(sc, i))
        return false;
    das_plan_victim(sc->plan, i, &then);
    if (das_look_find(&sc->look, then.id, &now) != DAS_FOUND) /* judged in this look: it is there */
        return false;
    fire(sc, i, &now);
    return true;
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
        if (may_fire(sc, i)) {
            fire(sc, i, &now);
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
        if (look_is_old(sc)) { /* the others took long */
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
        if (sc->aims[*at].stage == DAS_STAGE_READY && try_one(sc, *at))
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
        no = other_server(sc, why, sizeof why) || cannot_do_that(sc, why, sizeof why);
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
