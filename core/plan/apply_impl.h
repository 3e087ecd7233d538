/*
 * apply_impl.h - the parts of applying a plan, seen by each other and by nobody else.
 *
 *   apply.c      the order of everything
 *   fire.c       one kill; the only place that sends one
 *   look.c       the fresh list, and finding a victim in it
 *   verify.c     is this still the session, and the statement, that was previewed
 *   judge.c      what is to be done with a victim
 *   allowance.c  limits: how many may be killed
 *   caution.c    mode, breaker, surge, respawns, symptom: may it kill now, may it go on
 *   await.c      what became of a kill that was sent
 *   record.c     what the journal is told
 */
#ifndef DAS_PLAN_APPLY_IMPL_H
#define DAS_PLAN_APPLY_IMPL_H

#include "core/plan/plan.h"
#include "core/plan/plan_impl.h"
#include "core/store/budget.h"
#include "core/store/habits.h"
#include "core/store/journal.h"

#define DAS_WHY 400 /* bytes of a reason */

/* --- look.c -------------------------------------------------------------------------------------- */

struct das_indexed {
    int64_t id;
    uint32_t row;
};

/* What the server showed last. */
struct das_look {
    struct das_snapshot *snap;
    struct das_indexed *index; /* by id */
    int64_t at_ms;             /* monotonic; when it was read */
    int64_t began_unix_ms;     /* when it was asked for */
    unsigned number;           /* another one for each look */
};

enum das_found { DAS_FOUND_NO, DAS_FOUND, DAS_FOUND_TWICE };

enum das_look_at {
    DAS_LOOK_ALL,     /* everybody */
    DAS_LOOK_VICTIMS, /* the plan's victims, whatever they do now */
    DAS_LOOK_CHOSEN,  /* what the source selects for the plan's filter: for victims that are there only
                         because it does */
};

void das_look_clear(struct das_look *l);
/* A new look. The old one is gone in any case. */
int das_look_take(struct das_look *l, struct das_source *source, const struct das_plan *p,
                  enum das_look_at at, struct das_err *err);
/* At victim i alone. */
int das_look_take_one(struct das_look *l, struct das_source *source, const struct das_plan *p,
                      size_t i, struct das_err *err);
enum das_found das_look_find(const struct das_look *l, int64_t id, struct das_session *out);

/* --- verify.c ------------------------------------------------------------------------------------ */

/* Ids mean something on one server only, and only until it restarts; and what a list shows, only while
 * it is fresh: true, and note says why. */
bool das_other_server(const struct das_plan *p, const struct das_snapshot *fresh,
                      struct das_buf *note);
/* Is now something else than victim i was? Writes what to note. */
bool das_victim_changed(const struct das_plan *p, size_t i, const struct das_session *then,
                        const struct das_snapshot *fresh, const struct das_session *now,
                        struct das_buf *note);
/* The same, for a session whose statement was killed a moment ago: Killed is no change. */
bool das_victim_moved_on(const struct das_plan *p, size_t i, const struct das_session *then,
                         const struct das_snapshot *fresh, const struct das_session *now);
/* Is this its being killed, as servers show it? */
bool das_is_dying(const struct das_session *s);

/* --- the scene ----------------------------------------------------------------------------------- */

enum das_stage {
    DAS_STAGE_SETTLED, /* has its outcome */
    DAS_STAGE_READY,   /* verified; would be killed */
    DAS_STAGE_SENT,    /* the kill was accepted; its outcome is looked for */
};

/* One victim on its way. */
struct das_aim {
    enum das_stage stage;
    const char *action;      /* "query", "connection", "soft" */
    int64_t intent;          /* seq in the journal */
    unsigned judged_in;      /* the look in which it was verified */
    int64_t looked_ms;       /* monotonic: the last look at it before its kill */
    int64_t look_lag_ms;     /* how old that list was already when it came */
    int64_t sent_ms;         /* monotonic; 0: not sent */
    bool escalated;
    bool recorded;           /* its outcome is in the journal */
    struct das_claim claim;  /* its place in the budget */
};

struct das_scene {
    struct das_plan *plan;
    struct das_source *source;
    const struct das_apply_opts *opts;
    struct das_kill_limits limits; /* the plan's and the configuration's, the smaller of each */
    struct das_look look;
    struct das_roles roles; /* from the first look, which shows everybody */
    struct das_report *report;
    struct das_aim *aims; /* one for each victim */
    struct das_claim *claims;
    size_t claim_count;
    int64_t apply_seq;      /* of the journal's record "apply"; 0: not written yet */
    bool canary;            /* the breaker is half-open: this apply tries one victim */
    int64_t canary_since;   /* since_ms of the breaker that it has to answer for */
    size_t failures;        /* kills that failed or whose outcome is not known */
    size_t again;           /* victims that an earlier kill had ended once */
    int64_t symptom_before; /* sessions that matched the plan's symptom at first */
    int64_t total;          /* sessions of the instance; DAS_UNKNOWN: the list was not complete */
    char stopped[DAS_WHY];  /* why the rest is left alone; "": go on */
    struct das_err *err;
};

size_t das_scene_ready(const struct das_scene *sc);
/* "path of the script" or "apply": what counts and breaker are kept by. */
const char *das_scene_policy(const struct das_scene *sc);

/* Why the rest is left alone; the first reason stays. */
void das_scene_stop(struct das_scene *sc, const char *what, const char *why);
/* A new look, of the same server; false: all stops. */
bool das_scene_renew(struct das_scene *sc, enum das_look_at at);
/* How the victims are looked at before they are killed. */
static inline enum das_look_at das_scene_recheck(const struct das_scene *sc)
{
    return sc->plan->trusts ? DAS_LOOK_CHOSEN : DAS_LOOK_VICTIMS;
}

static inline bool das_is_connection(const char *action)
{
    return action[0] == 'c';
}

/* --- fire.c -------------------------------------------------------------------------------------- */

/* The look that there is shows another server than the plan's, or is no fresh one: true, and why. */
bool das_scene_other_server(const struct das_scene *sc, char *why, size_t size);
/* With many victims, or a slow server, a look grows old while they are killed. */
bool das_look_is_old(const struct das_scene *sc);
/* Everything that may say no before a single kill, the off switch first; false: all stops. */
bool das_may_fire(struct das_scene *sc, size_t i);
/* Intent, kill, and what the server says to it at once. now is the session as it was verified. */
void das_fire(struct das_scene *sc, size_t i, const struct das_session *now);
/* One victim that is ready, verified once more; false when it was not tried. */
bool das_try_one(struct das_scene *sc, size_t i);

/* --- judge.c ------------------------------------------------------------------------------------- */

/* Ready, or settled: by the look that there is. */
void das_judge(struct das_scene *sc, size_t i);
bool das_has_statement(const struct das_session *s); /* it does not sleep */
/* For the next rung: the session as it is now, if it is still the one whose statement was killed and
 * may be touched. That it is dying does not protect it: that is our doing. */
bool das_still_the_same(const struct das_scene *sc, size_t i, struct das_session *now,
                        struct das_buf *note);
/* then: as previewed, s: as it is now. Writes what to note. */
bool das_too_much_to_roll_back(const struct das_scene *sc, const struct das_session *then,
                               const struct das_session *s, struct das_buf *note);

/* --- await.c ------------------------------------------------------------------------------------- */

/* The one way an outcome is written. note is taken, text copied. */
void das_settle_buf(struct das_scene *sc, size_t i, enum das_outcome_kind kind, const char *action,
                    struct das_buf *note);
void das_settle(struct das_scene *sc, size_t i, enum das_outcome_kind kind, const char *action,
                const char *text);
/* The watch hears of it. */
void das_scene_tell(struct das_scene *sc, size_t i);
/* May the connection follow where the statement goes on? */
bool das_can_escalate(const struct das_scene *sc, size_t i);
/* Looks until each kill that was sent is over, due for the next rung, or past its bound. */
void das_await(struct das_scene *sc);
/* Is it over, by the look that there is? Then it is settled. */
bool das_await_over(struct das_scene *sc, size_t i);
/* Outcomes that the journal does not have yet. */
void das_await_record(struct das_scene *sc);

/* --- allowance.c --------------------------------------------------------------------------------- */

/* Is there room for all that are ready? Takes nothing. 1, 0 and why, or -1. Without a store only the
 * limits that need no count. */
int das_allowance_left(struct das_scene *sc, char *why, size_t size);
/* Takes their places in the budget, all or none: 1, 0 and why, or -1. */
int das_allowance_take(struct das_scene *sc, char *why, size_t size);
/* A place more, for a second kill of the same victim. 1, 0 and why, or -1. */
int das_allowance_claim(struct das_scene *sc, size_t victim, char *why, size_t size);
/* Gives back what was not used. */
void das_allowance_release(struct das_scene *sc);

/* --- caution.c ----------------------------------------------------------------------------------- */

/* After the first look, which showed all sessions: what the limits are measured by. */
int das_caution_measure(struct das_scene *sc);
/* By the first look, which shows everybody: how many there are, how bad the symptom is. */
void das_caution_survey(struct das_scene *sc);
/* Limits, mode and windows, breaker, in this order, without taking anything: 1, 0 and why, or -1.
 * Without a store only what needs none is asked. */
int das_caution_allows(struct das_scene *sc, char *why, size_t size);
/* For good: is it a surge, takes the victims' places, tries a half-open breaker. 1, 0 and why, or
 * -1. */
int das_caution_reserve(struct das_scene *sc, char *why, size_t size);
/* After each step: opens the breaker, or closes it after a canary that did well, and says in
 * sc->stopped why the apply must not go on. last: there is no further step. */
int das_caution_step(struct das_scene *sc, bool last);
/* Before the first kill: victims whose statement was killed shortly before, by whatever run. Into
 * journal and report; too many of them open the breaker, and sc->stopped says so. */
int das_caution_again(struct das_scene *sc);
/* After the last one: statements of those that were killed that run again. */
int das_caution_respawned(struct das_scene *sc);

/* --- record.c ------------------------------------------------------------------------------------ */

int das_record_apply(struct das_scene *sc);
/* A plan that a guard refused. Best effort: there is nothing to protect any more. */
void das_record_refused(struct das_scene *sc, const char *why);
/* Fills the aim's intent; on the disk when it returns 0. spends: the reservation, or 0. */
int das_record_intent(struct das_scene *sc, size_t victim, const struct das_session *now,
                      int64_t spends);
/* The outcomes of these victims, in one transaction. */
int das_record_outcomes(struct das_scene *sc, const size_t *victims, size_t n);
/* The first rung of the ladder had no effect: closes its intent before the next one is written. */
int das_record_rung(struct das_scene *sc, size_t victim);
/* A statement that came back: the session that runs it now. seen: "after" its kill, or "again" as
 * a victim. */
int das_record_respawned(struct das_scene *sc, const struct das_session *s, const char *seen);

#endif
