/*
 * fire.c - one kill, and the only caller of das_source_kill(): the guards once more, the intent into
 * the journal, a last look at the session where its number alone decides, the kill, and what the
 * server says to it at once. Any doubt means no kill.
 *
 * DAS_WITHOUT_IDENTITY leaves the check of the server out. It exists for the build with which the
 * stress test shows that it would notice (tests/e2e/torture_controls.t).
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/plan/apply_impl.h"
#include "core/source/source_kill.h"

static enum das_kill_what kill_what(const char *action, const struct das_session *now)
{
    if (das_is_connection(action))
        return das_has_statement(now) ? DAS_KILL_SESSION : DAS_KILL_IDLE_SESSION;
    return strcmp(action, "soft") == 0 ? DAS_KILL_STATEMENT_SOFT : DAS_KILL_STATEMENT;
}

/* With many victims, or a slow server, a look grows old while they are killed. */
#define LOOK_AGAIN_MS 200

bool das_look_is_old(const struct das_scene *sc)
{
    return das_clock_monotonic_ms() - sc->look.at_ms > LOOK_AGAIN_MS;
}

/* A kill by query id cannot hit another statement, however late it comes. */
static bool is_exact(const struct das_aim *aim, int64_t query_id)
{
    return !das_is_connection(aim->action) && das_known(query_id);
}

bool das_scene_other_server(const struct das_scene *sc, char *why, size_t size)
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
    else if (das_scene_other_server(sc, why, sizeof why))
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
    if (das_known(then.query_id) && !is_exact(&sc->aims[i], then.query_id) && das_look_is_old(sc) &&
        !das_scene_renew(sc, DAS_LOOK_VICTIMS))
        return false;
    if (sc->aims[i].judged_in != sc->look.number)
        das_judge(sc, i);
    return sc->aims[i].stage == DAS_STAGE_READY;
}

bool das_may_fire(struct das_scene *sc, size_t i)
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
    char stopped[DAS_WHY]; /* why it was called off; "": it was not */
};

/* The off switch, and who asked for the kill. */
static bool is_called_off(const struct das_scene *sc, char *why, size_t size)
{
    const struct das_apply_watch *watch = sc->opts->watch;

    return das_stopped(sc->opts->guard->stop_files, why, size) ||
           (watch && watch->still && !watch->still(watch->arg, why, size));
}

/* Asked while a kill waits, and last right before it is sent. */
static int64_t may_still_go(void *arg)
{
    struct das_departure *d = arg;
    int64_t now = das_clock_monotonic_ms(), left = d->aim->looked_ms + SEND_WITHIN_MS - now;

    if (is_called_off(d->sc, d->stopped, sizeof d->stopped))
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
    if (why[0] || das_scene_other_server(sc, why, sizeof why)) {
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

static bool call_off(struct das_scene *sc, size_t i)
{
    char why[DAS_WHY];

    if (!is_called_off(sc, why, sizeof why))
        return false;
    das_scene_stop(sc, "", why);
    das_settle(sc, i, DAS_O_REFUSED, sc->aims[i].action, why);
    return true;
}

/*
 * Writing the intent takes time, more when another process holds the journal. So it is asked again
 * whether the kill is still wanted; and where it goes by the session's number alone, the session is
 * looked at again: nothing else lies between that look and the kill. False: it is settled.
 */
static bool last_look(struct das_scene *sc, size_t i, struct das_kill_order *o)
{
    struct das_look before;
    bool same;

    if (call_off(sc, i))
        return false;
    note_look(sc, &sc->aims[i]);
    if (is_exact(&sc->aims[i], o->query_id) || (das_known(o->query_id) && !das_look_is_old(sc)))
        return true;
    before = sc->look; /* of all victims: the others are judged by it */
    sc->look = (struct das_look){.number = before.number};
    same = verify_alone(sc, i, o);
    das_look_clear(&sc->look);
    sc->look = before;
    return same && !call_off(sc, i);
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

void das_fire(struct das_scene *sc, size_t i, const struct das_session *now)
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

bool das_try_one(struct das_scene *sc, size_t i)
{
    struct das_session then, now;

    if (!still_ready(sc, i) || !das_may_fire(sc, i))
        return false;
    das_plan_victim(sc->plan, i, &then);
    if (das_look_find(&sc->look, then.id, &now) != DAS_FOUND) /* judged in this look: it is there */
        return false;
    das_fire(sc, i, &now);
    return true;
}
