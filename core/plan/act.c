/*
 * act.c - see act.h: the order of everything, and the only caller of core/cloud/kill.h in this room.
 *
 * Does the order make sense; may it be; intent into the journal; off switch and mode once more; the
 * call; outcome into the journal. Where the answer was lost it looks, and what it sees is a proof
 * or it is not: a call is not made again.
 */
#include "core/plan/act.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fault.h"
#include "core/base/mem.h"
#include "core/cloud/kill.h"
#include "core/plan/act_impl.h"

void das_act_result_clear(struct das_act_result *r)
{
    das_cloud_answer_clear(&r->task);
}

static struct das_text text_of(const struct das_filter *f, enum das_key k)
{
    struct das_criterion c;

    return das_filter_get(f, k, &c) ? c.text : DAS_TEXT_NULL;
}

static int64_t number_of(const struct das_filter *f, enum das_key k)
{
    struct das_criterion c;

    return das_filter_get(f, k, &c) ? c.number : 0;
}

int das_act_criteria(const struct das_filter *f, struct das_cloud_criteria *out,
                     struct das_err *err)
{
    static const enum das_key ours[] = {DAS_K_STATE, DAS_K_ID, DAS_K_TRX_TIME, DAS_K_ROWS_MODIFIED};
    struct das_criterion unused;

    if (das_filter_op(f) != DAS_FILTER_TABLE)
        return das_fail(err, DAS_E_USAGE, "expected one table of criteria, got a filter that is put "
                                          "together with &, | or ~: the cloud evaluates tables only");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (das_filter_get(f, ours[i], &unused))
            return das_fail(err, DAS_E_USAGE, "%s: the cloud cannot look for that",
                            das_key_name(ours[i]));
    }
    *out = (struct das_cloud_criteria){
        .user = text_of(f, DAS_K_USER),
        .host = text_of(f, DAS_K_HOST),
        .db = text_of(f, DAS_K_DB),
        .command = text_of(f, DAS_K_COMMAND),
        .info = text_of(f, DAS_K_INFO),
        .time = number_of(f, DAS_K_TIME),
        .task_duration = number_of(f, DAS_K_TASK_DURATION),
        .task_type = das_text_is(text_of(f, DAS_K_TASK_TYPE), "manual") ? "manual" : "auto",
    };
    return 0;
}

/* --- the call ------------------------------------------------------------------------------------ */

static int perform(struct das_act_scene *sc)
{
    const struct das_act_order *o = sc->order;
    enum das_cloud_act act = o->act;

    switch (act) {
    case DAS_ACT_CREATE_TASK:
        return das_cloud_task_create(o->cloud, &o->place, &sc->criteria, sc->call, &sc->out->task,
                                     sc->err);
    case DAS_ACT_STOP_TASK:
        return das_cloud_task_stop(o->cloud, &o->place, o->task_id, sc->call, sc->err);
    case DAS_ACT_SWITCH_ON:
    case DAS_ACT_SWITCH_OFF:
        return das_cloud_switch_set(o->cloud, &o->place, act == DAS_ACT_SWITCH_ON, o->wait_ms,
                                    sc->call, &sc->out->now, sc->err);
    case DAS_ACT_KILL_ALL:
        return das_cloud_kill_all(o->cloud, &o->place, o->confirm, sc->call, sc->err);
    }
    return das_fail(sc->err, DAS_E_INTERNAL, "no such act");
}

/* --- its answer was lost -------------------------------------------------------------------------- */

/* The call looks for it by itself, and hands it over. */
static bool task_appeared(const struct das_act_scene *sc, char *seen, size_t size)
{
    const struct das_cloud_list *made = &sc->out->task.list;

    if (made->count == 1)
        snprintf(seen, size, "task %lld is there and is new",
                 (long long)((const struct das_cloud_task *)made->items)->task_id);
    else
        snprintf(seen, size, "no new task was seen that is as it was asked for");
    return made->count == 1;
}

static bool is_listed(const struct das_cloud_answer *tasks, int64_t id)
{
    for (size_t i = 0; i < tasks->list.count; i++) {
        if (((const struct das_cloud_task *)das_cloud_item(&tasks->list, i))->task_id == id)
            return true;
    }
    return false;
}

static bool task_vanished(const struct das_act_scene *sc, char *seen, size_t size)
{
    const struct das_act_order *o = sc->order;
    struct das_cloud_call side = das_act_side_call(sc);
    struct das_cloud_answer now = {0};
    struct das_err err = {0};
    bool gone = false;

    if (das_cloud_tasks(o->cloud, &o->place, &side, &now, &err) < 0) {
        snprintf(seen, size, "the tasks cannot be listed now: %.250s", err.msg);
    } else {
        gone = !is_listed(&now, o->task_id);
        snprintf(seen, size, "task %lld is %s", (long long)o->task_id,
                 gone ? "not listed any more" : "still listed");
    }
    das_cloud_answer_clear(&now);
    return gone;
}

static bool is_switched(struct das_act_scene *sc, char *seen, size_t size)
{
    const struct das_act_order *o = sc->order;
    struct das_cloud_call side = das_act_side_call(sc);
    struct das_err err = {0};

    if (das_cloud_switch_get(o->cloud, &o->place, &side, &sc->out->now, &err) < 0) {
        snprintf(seen, size, "the switch cannot be read now: %.250s", err.msg);
        return false;
    }
    snprintf(seen, size, "the switch is %s", das_cloud_switch_name(sc->out->now));
    return sc->out->now == (o->act == DAS_ACT_SWITCH_ON ? DAS_CLOUD_ON : DAS_CLOUD_OFF);
}

/* Sessions end and others begin: what is there now proves nothing. */
static bool count_again(const struct das_act_scene *sc, char *seen, size_t size)
{
    const struct das_act_order *o = sc->order;
    const struct das_cloud_criteria everybody = {0};
    struct das_cloud_call side = das_act_side_call(sc);
    struct das_cloud_preview now = {0};
    struct das_err err = {0};

    if (das_cloud_preview(o->cloud, &o->place, &everybody, &side, &now, &err) < 0)
        snprintf(seen, size, "the sessions cannot be counted now: %.250s", err.msg);
    else
        snprintf(seen, size, "%lld sessions before, %lld now", (long long)sc->out->sessions,
                 (long long)(now.processes.total == DAS_CLOUD_NOT_TOLD
                                 ? (int64_t)now.processes.list.count
                                 : now.processes.total));
    das_cloud_preview_clear(&now);
    return false;
}

/* Is it sure to have been done, by what is there now? */
static bool proved(struct das_act_scene *sc, char *seen, size_t size)
{
    switch (sc->order->act) {
    case DAS_ACT_CREATE_TASK:
        return task_appeared(sc, seen, size);
    case DAS_ACT_STOP_TASK:
        return task_vanished(sc, seen, size);
    case DAS_ACT_SWITCH_ON:
    case DAS_ACT_SWITCH_OFF:
        return is_switched(sc, seen, size);
    case DAS_ACT_KILL_ALL:
        break;
    }
    return count_again(sc, seen, size);
}

static void add_words(char *text, size_t size, const char *words, const char *more)
{
    size_t len = strlen(text);

    snprintf(text + len, size - len, "%s%s%s", len ? "; " : "", words, more);
}

/* --- from intent to outcome ------------------------------------------------------------------------ */

/* The act is over, and has its word. */
static void close_intent(struct das_act_scene *sc, const char *outcome, const char *note)
{
    struct das_err err;

    DAS_FAULT("before-outcome");
    if (das_act_record_outcome(sc, outcome, note, &err) < 0) {
        add_words(sc->out->note, sizeof sc->out->note,
                  "its outcome could not be written into the journal: ", err.msg);
        add_words(sc->err->msg, sizeof sc->err->msg,
                  "its outcome could not be written into the journal: ", err.msg);
    }
    DAS_FAULT("after-outcome");
}

static int blocked(struct das_act_scene *sc, const char *why)
{
    return das_fail(sc->err, DAS_E_BLOCKED, "%s: %s", das_cloud_act_name(sc->order->act), why);
}

/* While it waits for its turn, das may be stopped, or its window may end. */
static int64_t may_still_go(void *arg)
{
    struct das_act_scene *sc = arg;

    return das_act_still_allowed(sc, sc->too_late, sizeof sc->too_late) ? INT64_MAX : 0;
}

static int send(struct das_act_scene *sc)
{
    struct das_act_result *out = sc->out;
    char seen[300] = "";
    int rc;

    sc->err->msg[0] = '\0';
    sc->call->sending = (struct das_patience){may_still_go, sc};
    DAS_FAULT("before-kill");
    rc = perform(sc);
    DAS_FAULT("after-kill");
    sc->call->sending = (struct das_patience){NULL, NULL};
    if (rc < 0 && sc->call->late && sc->too_late[0]) {
        blocked(sc, sc->too_late);
        close_intent(sc, "refused", sc->too_late);
        return -1;
    }
    if (rc < 0 && sc->call->unknown) {
        if (!proved(sc, seen, sizeof seen)) {
            add_words(sc->err->msg, sizeof sc->err->msg, "looked: ", seen);
            close_intent(sc, "unknown", sc->err->msg);
            return -1;
        }
        snprintf(out->note, sizeof out->note, "its answer was lost, but %s", seen);
        sc->call->unknown = false;
        sc->err->msg[0] = '\0';
        rc = 0;
    }
    out->done = rc == 0;
    close_intent(sc, rc == 0 ? "done" : "failed", rc == 0 ? out->note : sc->err->msg);
    return rc;
}

static int carry_out(struct das_act_scene *sc)
{
    char why[400] = "";
    int rc = das_act_allowed(sc, true, why, sizeof why);

    if (rc == 0) {
        das_act_record_refused(sc, why);
        return blocked(sc, why);
    }
    if (rc < 0)
        return -1;
    DAS_FAULT("before-intent");
    if (das_act_record_intent(sc) < 0) {
        das_err_prefix(sc->err, "nothing is sent without a journal");
        return -1;
    }
    sc->claim_count = 0; /* they are spent */
    DAS_FAULT("after-intent");
    if (das_act_still_allowed(sc, why, sizeof why))
        return send(sc);
    blocked(sc, why);
    close_intent(sc, "refused", why);
    return -1;
}

static int rehearse(struct das_act_scene *sc)
{
    const struct das_act_order *o = sc->order;
    struct das_act_result *out = sc->out;
    struct das_cloud_call side = das_act_side_call(sc);
    int rc = das_act_look(sc);

    if (rc == 0 && (o->act == DAS_ACT_SWITCH_ON || o->act == DAS_ACT_SWITCH_OFF) &&
        das_cloud_switch_get(o->cloud, &o->place, &side, &out->now, sc->err) < 0)
        rc = das_act_side_failed(sc, &side, "what the switch is now is not known");
    if (rc == 0 && sc->guard)
        rc = das_act_allowed(sc, false, out->would_block, sizeof out->would_block);
    return rc < 0 ? -1 : 0;
}

int das_act(const struct das_act_order *order, const struct das_guard *guard,
            struct das_cloud_call *call, struct das_act_result *out, struct das_err *err)
{
    struct das_act_scene sc = {
        .order = order, .guard = guard, .call = call, .out = out, .err = err};
    int rc;

    *out = (struct das_act_result){.sessions = DAS_CLOUD_NOT_TOLD};
    if (order->armed && (!guard || !guard->store))
        return das_fail(err, DAS_E_BLOCKED, "%s: nothing is done without a journal",
                        das_cloud_act_name(order->act));
    rc = das_act_check(&sc);
    if (rc == 0)
        rc = order->armed ? carry_out(&sc) : rehearse(&sc);
    das_act_release(&sc);
    das_free(sc.claims);
    das_cloud_preview_clear(&sc.hits);
    return rc;
}
