/*
 * await.c - what becomes of a kill that was sent (see apply_impl.h).
 *
 * The server's "accepted" is no proof: das looks again until the session is gone, its statement has
 * ended, or the wait is over, and only then there is an outcome.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/mem.h"
#include "core/plan/apply_impl.h"

/* --- outcomes ------------------------------------------------------------------------------------- */

void das_settle_buf(struct das_scene *sc, size_t i, enum das_outcome_kind kind, const char *action,
                    struct das_buf *note)
{
    struct das_outcome *o = &sc->report->items[i];

    sc->aims[i].stage = DAS_STAGE_SETTLED;
    o->kind = kind;
    o->action = action;
    o->after_ms = o->rows_left = o->look_age_ms = DAS_UNKNOWN;
    if (sc->aims[i].sent_ms && das_source_kill_window(sc->source)) {
        o->look_age_ms = sc->aims[i].sent_ms - sc->aims[i].looked_ms + sc->aims[i].look_lag_ms;
        sc->report->kill_window = das_source_kill_window(sc->source);
    }
    sc->report->totals[kind]++;
    /* NULL when memory ran out: a kill that happened is reported even without a remark. */
    o->note = das_buf_take(note);
}

void das_settle(struct das_scene *sc, size_t i, enum das_outcome_kind kind, const char *action,
                const char *text)
{
    struct das_buf note = {0};

    das_buf_str(&note, text);
    das_settle_buf(sc, i, kind, action, &note);
}

/* --- looking for them ------------------------------------------------------------------------- */

void das_scene_stop(struct das_scene *sc, const char *what, const char *why)
{
    if (!sc->stopped[0])
        snprintf(sc->stopped, sizeof sc->stopped, "%s%.350s", what, why);
}

void das_scene_tell(struct das_scene *sc, size_t i)
{
    if (sc->opts->watch && sc->opts->watch->after)
        sc->opts->watch->after(sc->opts->watch->arg, sc->plan, i, &sc->report->items[i]);
}

#define POLL_FIRST_MS 1
#define POLL_LONGEST_MS 250

bool das_can_escalate(const struct das_scene *sc, size_t i)
{
    return das_plan_escalate_ms(sc->plan) > 0 && !sc->aims[i].escalated &&
           !das_is_connection(sc->aims[i].action);
}

static void settle_killed(struct das_scene *sc, size_t i)
{
    int64_t after = das_clock_monotonic_ms() - sc->aims[i].sent_ms;

    das_settle(sc, i, DAS_O_KILLED, sc->aims[i].action,
               sc->aims[i].escalated ? "after its statement had not ended" : "");
    sc->report->items[i].after_ms = after;
    das_scene_tell(sc, i);
}

/* Accepted, and not over when the wait was. now: as last seen, or NULL. */
static void settle_late(struct das_scene *sc, size_t i, const struct das_session *now,
                        const char *why)
{
    struct das_buf note = {0};
    enum das_outcome_kind kind = DAS_O_KILLING;

    das_buf_str(&note, why);
    if (!why[0] && !now) { /* missing in a list that was cut */
        kind = DAS_O_UNKNOWN;
        sc->failures++;
        das_buf_str(&note, "the kill was accepted, but the sessions could not all be listed");
    } else if (!why[0] && !das_is_dying(now)) {
        kind = DAS_O_FAILED;
        sc->failures++;
        das_buf_printf(&note, "the server accepted the kill, but it goes on after %lld ms",
                       (long long)(das_clock_monotonic_ms() - sc->aims[i].sent_ms));
    }
    das_settle_buf(sc, i, kind, sc->aims[i].action, &note);
    if (now && kind == DAS_O_KILLING && das_known(now->rows_modified))
        sc->report->items[i].rows_left = now->rows_modified;
    das_scene_tell(sc, i);
}

/* Listed twice: which of the two was meant, nobody can say. */
static void settle_ambiguous(struct das_scene *sc, size_t i)
{
    sc->failures++;
    das_settle(sc, i, DAS_O_UNKNOWN, sc->aims[i].action, "the server lists this id twice");
    das_scene_tell(sc, i);
}

/* Is it over? By the look that there is; *now is filled when it was found, which is said in
 * *found. */
static bool is_over(const struct das_scene *sc, size_t i, struct das_session *now,
                    enum das_found *found)
{
    struct das_session then;

    das_plan_victim(sc->plan, i, &then);
    *found = das_look_find(&sc->look, then.id, now);
    if (*found != DAS_FOUND)
        return *found == DAS_FOUND_NO && !das_snapshot_cut(sc->look.snap);
    if (!das_is_connection(sc->aims[i].action))
        return das_victim_moved_on(sc->plan, i, &then, sc->look.snap, now);
    return !das_text_eq(then.user, now->user) || !das_text_eq(then.host, now->host);
}

bool das_await_over(struct das_scene *sc, size_t i)
{
    struct das_session now;
    enum das_found found;

    if (!is_over(sc, i, &now, &found))
        return false;
    settle_killed(sc, i);
    return true;
}

/* Settles those that are over or overdue; how many are still looked for, and not due to be
 * escalated. */
static size_t take_stock(struct das_scene *sc, const char *no_more)
{
    size_t waiting = 0;

    for (size_t i = 0; i < sc->report->count; i++) {
        bool escalates = das_can_escalate(sc, i);
        int64_t wait = escalates ? das_plan_escalate_ms(sc->plan)
                                 : sc->opts->guard->rules->outcome_wait_ms;
        struct das_session now;
        enum das_found found;
        if (sc->aims[i].stage != DAS_STAGE_SENT)
            continue;
        if (is_over(sc, i, &now, &found))
            settle_killed(sc, i);
        else if (found == DAS_FOUND_TWICE)
            settle_ambiguous(sc, i);
        else if (no_more)
            settle_late(sc, i, found == DAS_FOUND ? &now : NULL, no_more);
        else if (das_clock_monotonic_ms() - sc->aims[i].sent_ms < wait)
            waiting++;
        else if (!escalates)
            settle_late(sc, i, found == DAS_FOUND ? &now : NULL, "");
    }
    return waiting;
}

static void all_unknown(struct das_scene *sc, const char *why)
{
    for (size_t i = 0; i < sc->report->count; i++) {
        if (sc->aims[i].stage != DAS_STAGE_SENT)
            continue;
        sc->failures++;
        das_settle(sc, i, DAS_O_UNKNOWN, sc->aims[i].action, why);
        das_scene_tell(sc, i);
    }
}

static bool any_sent(const struct das_scene *sc)
{
    for (size_t i = 0; i < sc->report->count; i++) {
        if (sc->aims[i].stage == DAS_STAGE_SENT)
            return true;
    }
    return false;
}

void das_await(struct das_scene *sc)
{
    const struct das_apply_watch *watch = sc->opts->watch;
    int64_t pause = das_source_pace_ms(sc->source), longest = POLL_LONGEST_MS;

    if (pause > longest)
        longest = pause;
    if (pause < POLL_FIRST_MS)
        pause = POLL_FIRST_MS;
    while (any_sent(sc)) {
        bool ends = watch && watch->cancelled && watch->cancelled(watch->arg);
        if (!das_scene_renew(sc, DAS_LOOK_VICTIMS)) {
            all_unknown(sc, "the kill was accepted, then the connection was lost or led to "
                            "another server");
            return;
        }
        if (take_stock(sc, ends ? "not waited for: the run ends" : NULL) == 0)
            return;
        das_clock_sleep_ms(pause);
        pause = pause * 2 < longest ? pause * 2 : longest;
    }
}

/* It was done all the same, and nobody reads of it later: in the journal it will be unknown. */
static void say_unwritten(struct das_scene *sc, size_t i)
{
    struct das_outcome *o = &sc->report->items[i];
    struct das_buf note = {0};

    das_buf_printf(&note, "%s%sits outcome could not be written into the journal: %s",
                   o->note ? o->note : "", o->note && *o->note ? "; " : "", sc->err->msg);
    das_free(o->note);
    o->note = das_buf_take(&note);
}

void das_await_record(struct das_scene *sc)
{
    size_t n = 0, *list = das_grow(NULL, sc->report->count, sizeof *list);

    if (!list) {
        das_scene_stop(sc, "", "out of memory");
        return;
    }
    for (size_t i = 0; i < sc->report->count; i++) {
        struct das_aim *aim = &sc->aims[i];
        if (aim->stage != DAS_STAGE_SETTLED || !aim->intent || aim->recorded)
            continue;
        list[n++] = i;
        aim->recorded = true;
    }
    DAS_FAULT("before-outcome");
    if (n && das_record_outcomes(sc, list, n) < 0) {
        for (size_t k = 0; k < n; k++)
            say_unwritten(sc, list[k]);
        das_scene_stop(sc, "outcomes could not be written into the journal: ", sc->err->msg);
    }
    DAS_FAULT("after-outcome");
    das_free(list);
}
