/*
 * act_guard.c - whom an act without a plan would hit, and what may say no to it (see act_impl.h).
 *
 * A task goes on hitting sessions that nobody sees now; what a preview shows now is the least that
 * can be said about it.
 */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/plan/act_impl.h"
#include "core/store/habits.h"

/* --- looking ----------------------------------------------------------------------------------- */

struct das_cloud_call das_act_side_call(const struct das_act_scene *sc)
{
    return (struct das_cloud_call){.patience = sc->call->patience};
}

int das_act_side_failed(struct das_act_scene *sc, const struct das_cloud_call *side,
                        const char *doing)
{
    *sc->call = *side;
    sc->call->unknown = false; /* it reads */
    das_err_prefix(sc->err, "%s", doing);
    return -1;
}

/* All of them: the larger of what is told and what is there to see. */
static int64_t count_of(const struct das_cloud_preview *p)
{
    int64_t seen = (int64_t)p->processes.list.count, told = p->processes.total;

    if (told == DAS_CLOUD_NOT_TOLD && seen >= DAS_CLOUD_PREVIEW_MAX)
        return DAS_CLOUD_NOT_TOLD;
    return told > seen ? told : seen;
}

int das_act_look(struct das_act_scene *sc)
{
    const struct das_act_order *o = sc->order;
    const struct das_cloud_criteria everybody = {0};
    struct das_cloud_call side = das_act_side_call(sc);
    bool task = o->act == DAS_ACT_CREATE_TASK;

    if (sc->looked || (!task && o->act != DAS_ACT_KILL_ALL))
        return 0;
    if (das_cloud_preview(o->cloud, &o->place, task ? &sc->criteria : &everybody, &side, &sc->hits,
                          sc->err) < 0)
        return das_act_side_failed(sc, &side, "whom it would hit is not known");
    sc->looked = true;
    sc->out->sessions = count_of(&sc->hits);
    return 0;
}

/* --- protected sessions ------------------------------------------------------------------------ */

static void session_of(const struct das_cloud_process *p, struct das_session *out)
{
    *out = (struct das_session){
        .id = p->id, .user = p->user, .host = p->host, .db = p->db, .command = p->command,
        .state = p->state, .sql_info = p->sql_info, .state_duration = p->state_duration,
        .time_ms = DAS_UNKNOWN, .query_id = DAS_UNKNOWN, .trx_time = p->trx_time,
        .rows_modified = DAS_UNKNOWN, .rows_examined = DAS_UNKNOWN, .progress = DAS_UNKNOWN,
        .trx_id = DAS_UNKNOWN, .blocked_by = DAS_UNKNOWN};
}

static struct das_snapshot *snapshot_of(const struct das_cloud_list *list, struct das_err *err)
{
    struct das_snapshot *snap = das_snapshot_new(err);
    struct das_session s;

    for (size_t i = 0; snap && i < list->count; i++) {
        session_of(das_cloud_item(list, i), &s);
        if (das_snapshot_add(snap, &s, err) < 0) {
            das_snapshot_release(snap);
            return NULL;
        }
    }
    return snap;
}

static void say_protected(const struct das_session *s, const struct das_buf *reason, char *why,
                          size_t size)
{
    struct das_buf b = {0};

    das_buf_printf(&b, "it would end session %lld of user ", (long long)s->id);
    das_json_text(&b, s->user.ptr ? s->user : das_text_of(""));
    das_buf_printf(&b, ": %s", reason->ptr ? reason->ptr : "protected");
    snprintf(why, size, "%s", b.ptr && !b.failed ? b.ptr : "it would end a protected session");
    das_buf_clear(&b);
}

/* Is s among those that this act must not hit? Killing all is meant for everybody whom the
 * configuration does not name; a task is meant for those whom its criteria describe, and replication
 * or a system account among them is a mistake. One that dies already is nobody's loss. */
static bool must_not_hit(const struct das_act_scene *sc, const struct das_roles *roles,
                         const struct das_snapshot *snap, const struct das_session *s,
                         struct das_buf *reason)
{
    const struct das_protect *p = sc->order->protect;

    if (das_text_iis(s->command, "Killed"))
        return false;
    if (sc->order->act == DAS_ACT_CREATE_TASK)
        return das_protected(p, roles, snap, s, reason);
    return das_protected_by(p, s, reason);
}

/* 1: none that is seen; 0 and why; -1. */
static int spares_protected(struct das_act_scene *sc, char *why, size_t size)
{
    struct das_snapshot *snap = snapshot_of(&sc->hits.processes.list, sc->err);
    struct das_buf reason = {0};
    struct das_roles roles;
    struct das_session s;
    int rc = snap ? 1 : -1;

    das_roles_init(&roles);
    if (rc > 0 && das_roles_collect(snap, &roles, sc->err) < 0)
        rc = -1;
    for (uint32_t i = 0; rc > 0 && i < das_snapshot_rows(snap); i++) {
        das_snapshot_get(snap, i, &s);
        if (!must_not_hit(sc, &roles, snap, &s, &reason))
            continue;
        say_protected(&s, &reason, why, size);
        rc = 0;
    }
    das_buf_clear(&reason);
    das_roles_clear(&roles);
    das_snapshot_release(snap);
    return rc;
}

/* --- numbers: of killing all ------------------------------------------------------------------- */

/* What forbids it whoever is there. */
static bool never_all(const struct das_kill_limits *l, char *why, size_t size)
{
    if (l->percent < 100)
        snprintf(why, size, "limits.kill.percent: all sessions are 100 %%, expected at most %g %%",
                 l->percent);
    else if (l->min_left > 0)
        snprintf(why, size, "limits.kill.min_left: no user would keep a session, expected at least "
                 "%lld", (long long)l->min_left);
    else
        return false;
    return true;
}

/* The API shows 200 of them: what is asked of each one has no answer for the others. */
static bool unseen_matter(const struct das_act_scene *sc, char *why, size_t size)
{
    int64_t n = sc->out->sessions, seen = (int64_t)sc->hits.processes.list.count;
    const struct das_protect *p = sc->order->protect;
    const char *what = NULL;

    if (n == DAS_CLOUD_NOT_TOLD) {
        snprintf(why, size, "limits.kill: how many sessions there are was not told");
        return true;
    }
    if (n > seen && p && p->count)
        what = "which of them are protected";
    else if (n > seen && sc->guard->rules->limits.user < n)
        what = "limits.kill.user: whose the others are";
    if (what)
        snprintf(why, size, "%lld sessions are there, and the API shows %lld: %s is not known",
                 (long long)n, (long long)seen, what);
    return what != NULL;
}

static int claims_for_all(struct das_act_scene *sc)
{
    const struct das_cloud_list *list = &sc->hits.processes.list;
    size_t n = (size_t)sc->out->sessions;

    das_free(sc->claims);
    sc->claim_count = 0;
    sc->claims = das_calloc(n + 1, sizeof *sc->claims);
    if (!sc->claims)
        return das_fail_nomem(sc->err);
    for (size_t i = 0; i < n && i < list->count; i++)
        sc->claims[i].user = ((const struct das_cloud_process *)das_cloud_item(list, i))->user;
    sc->claim_count = n;
    return 0;
}

static int numbers_allow(struct das_act_scene *sc, bool take, char *why, size_t size)
{
    const struct das_guard *g = sc->guard;
    struct das_bound bounds[DAS_COUNTED];
    int over;

    das_counted_bounds(&g->rules->limits, bounds);
    if (unseen_matter(sc, why, size))
        return 0;
    if (sc->out->sessions > g->rules->limits.run) { /* no room is made for more than that */
        snprintf(why, size, "limits.kill.run: %lld sessions, expected at most %lld",
                 (long long)sc->out->sessions, (long long)g->rules->limits.run);
        return 0;
    }
    if (claims_for_all(sc) < 0)
        return -1;
    if (take)
        over = das_budget_reserve(g->store, sc->order->instance, g->policy, sc->claims,
                                  sc->claim_count, bounds, DAS_COUNTED, why, size, sc->err);
    else
        over = das_budget_would(g->store, sc->order->instance, sc->claims, sc->claim_count, bounds,
                                DAS_COUNTED, why, size, sc->err);
    if (!take || over != 0)
        sc->claim_count = 0;
    return over < 0 ? -1 : !over;
}

void das_act_release(struct das_act_scene *sc)
{
    struct das_err ignored; /* what could not be given back only counts for too long */

    if (sc->claim_count)
        das_budget_give_back(sc->guard->store, sc->claims, sc->claim_count, &ignored);
    sc->claim_count = 0;
}

/* --- all that may say no ------------------------------------------------------------------------ */

/* A breaker is tried with one victim; this is no way to do that. */
static int breaker_passes(const struct das_act_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->guard;
    struct das_breaker b;

    if (!g->store)
        return 1;
    if (das_breaker_get(g->store, g->policy, sc->order->instance, &b, sc->err) < 0)
        return -1;
    if (b.state == DAS_BREAKER_CLOSED)
        return 1;
    snprintf(why, size, "the breaker is %s: %s; what goes by no plan waits until it is closed",
             das_breaker_name(b.state), b.reason);
    return 0;
}

bool das_act_still_allowed(const struct das_act_scene *sc, char *why, size_t size)
{
    const struct das_guard *g = sc->guard;

    return das_act_calms(sc) || (!das_stopped(g->stop_files, why, size) &&
                                 das_guard_allows_act(g, das_clock_unix_ms() / 1000, why, size));
}

int das_act_allowed(struct das_act_scene *sc, bool take, char *why, size_t size)
{
    enum das_cloud_act act = sc->order->act;
    int rc;

    if (das_act_calms(sc))
        return 1;
    if (!das_act_still_allowed(sc, why, size))
        return 0;
    rc = breaker_passes(sc, why, size);
    if (rc <= 0)
        return rc;
    if (act == DAS_ACT_KILL_ALL && never_all(&sc->guard->rules->limits, why, size))
        return 0;
    if (das_act_look(sc) < 0)
        return -1;
    if (act == DAS_ACT_CREATE_TASK)
        return spares_protected(sc, why, size);
    if (act != DAS_ACT_KILL_ALL)
        return 1;
    rc = spares_protected(sc, why, size);
    return rc <= 0 ? rc : numbers_allow(sc, take, why, size);
}
