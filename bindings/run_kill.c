/*
 * run_kill.c - what one run kills: who asks, under which guard, and the list of what was done.
 *
 * The guard is the configuration's; nothing here takes it from Lua. The journal is opened by the
 * first armed apply, so that a run that only looks touches no state.
 */
#include "bindings/bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/plan/act.h"

/* Counts and breaker are kept by this name, wherever the run was started. */
static char *policy_name(const struct das_run *run)
{
    const char *path = run->opts->path;
    char *full, *name;

    if (!run->script.ptr) /* what a person types has no file */
        return das_strdup("repl");
    if (strcmp(path, "-") == 0)
        return das_strdup("stdin");
    full = realpath(path, NULL); /* the C library's memory: free() */
    name = das_strdup(full ? full : path);
    free(full);
    return name;
}

/* Asked for by the first plan: most runs only look. */
static const char *policy_of(struct das_run *run)
{
    if (!run->policy)
        run->policy = policy_name(run);
    run->guard.policy = run->policy;
    return run->policy;
}

void das_run_kill_init(struct das_run *run)
{
    const struct das_engine_opts *opts = run->opts;

    run->guard = (struct das_guard){
        .who = opts->user,
        .by_person = opts->by_person,
        .rules = opts->policy ? opts->policy : &das_policy_rules_default,
        .stop_files = opts->stop_files,
        .vault = &run->vault,
    };
}

void das_run_kill_clear(struct das_run *run)
{
    if (!run->opts->store)
        das_store_close(run->guard.store);
    run->guard.store = NULL;
    das_store_close(run->outbox);
    run->outbox = NULL;
    das_free(run->policy);
    run->policy = NULL;
}

const struct das_asked *das_run_asked(struct das_run *run)
{
    struct das_err ignored; /* a plan without the hash says that it is not known */

    if (run->asked.script)
        return &run->asked;
    run->asked.user = run->opts->user;
    run->asked.hook = run->opts->hook ? run->opts->hook->name : NULL;
    run->asked.script = policy_of(run);
    if (run->script.ptr && das_sha256_hex(run->script, run->script_sha256, &ignored) == 0)
        run->asked.script_sha256 = run->script_sha256;
    return &run->asked;
}

const struct das_kill_limits *das_run_kill_limits(const struct das_run *run)
{
    return &run->guard.rules->limits;
}

/* --- the list of what was done --------------------------------------------------------------------- */

/* One more in it, under the lock; NULL: no memory. */
static struct das_act *remember(struct das_run *run)
{
    struct das_act *act, *bigger;

    if (run->result.act_count == run->act_room) {
        size_t room = run->act_room ? run->act_room * 2 : 8;
        bigger = das_grow(run->result.acts, room, sizeof *bigger);
        if (!bigger)
            return NULL;
        run->result.acts = bigger;
        run->act_room = room;
    }
    act = &run->result.acts[run->result.act_count++];
    memset(act, 0, sizeof *act);
    act->kind = DAS_O_UNKNOWN; /* until an answer comes */
    snprintf(act->note, sizeof act->note, "no answer yet");
    return act;
}

/* Why this run may send nothing more. */
static bool has_to_end(struct das_run *run, char *why, size_t size)
{
    enum das_stop stop = das_run_over(run, das_own_cpu_ms());

    if (stop != DAS_STOP_NOT)
        das_run_stop_text(run, stop, why, size);
    else if (das_run_step_left_ms(run) <= 0)
        snprintf(why, size, "its step had taken longer than its timeout");
    else if (run->memory_refused) /* what it decided, it may have decided on half of the data */
        snprintf(why, size, "the run had hit its limit of memory before");
    else
        return false;
    return true;
}

/* Room is made before the kill: one that cannot be remembered is not sent. */
static bool before_kill(void *arg, const struct das_plan *p, size_t victim, const char *action,
                        char *why, size_t size)
{
    struct das_run *run = arg;
    struct das_session s;
    struct das_act *act;

    if (has_to_end(run, why, size))
        return false;
    das_plan_victim(p, victim, &s);
    pthread_mutex_lock(&run->lock);
    act = remember(run);
    if (act) {
        act->id = s.id;
        snprintf(act->instance, sizeof act->instance, "%s", das_plan_instance(p));
        snprintf(act->user, sizeof act->user, "%.*s", (int)(s.user.len < 79 ? s.user.len : 79),
                 s.user.ptr ? s.user.ptr : "");
        snprintf(act->action, sizeof act->action, "%s", action);
    }
    pthread_mutex_unlock(&run->lock);
    if (!act)
        snprintf(why, size, "not enough memory to remember another kill");
    return act != NULL;
}

static void after_kill(void *arg, const struct das_plan *p, size_t victim,
                       const struct das_outcome *outcome)
{
    struct das_run *run = arg;
    struct das_session s;

    das_plan_victim(p, victim, &s);
    pthread_mutex_lock(&run->lock);
    /* none is found when the run was given up as stuck: the list was handed over */
    for (size_t i = run->result.act_count; i-- > 0;) {
        struct das_act *act = &run->result.acts[i];
        if (act->id != s.id || act->answered || strcmp(act->instance, das_plan_instance(p)) != 0)
            continue;
        act->answered = true;
        act->kind = outcome->kind;
        snprintf(act->action, sizeof act->action, "%s", outcome->action);
        snprintf(act->note, sizeof act->note, "%s", outcome->note ? outcome->note : "");
        break;
    }
    pthread_mutex_unlock(&run->lock);
}

static bool is_cancelled(void *arg)
{
    return das_run_over(arg, das_own_cpu_ms()) != DAS_STOP_NOT || das_run_step_left_ms(arg) <= 0;
}

/* --- who watches ----------------------------------------------------------------------------------- */

void das_run_tell_previewed(struct das_run *run, const char *instance,
                            const struct das_selection *sel)
{
    const struct das_engine_watch *w = run->opts->watch;

    if (w && w->previewed)
        w->previewed(w->arg, instance, sel);
}

void das_run_tell_planned(struct das_run *run, const struct das_plan *plan)
{
    const struct das_engine_watch *w = run->opts->watch;

    if (w && w->planned)
        w->planned(w->arg, plan);
}

static void tell_applying(struct das_run *run, const struct das_plan *plan)
{
    const struct das_engine_watch *w = run->opts->watch;

    if (w && w->applying)
        w->applying(w->arg, plan);
}

static void tell_applied(struct das_run *run, const struct das_plan *plan,
                         const struct das_report *report, const struct das_err *err)
{
    const struct das_engine_watch *w = run->opts->watch;

    if (w && w->applied)
        w->applied(w->arg, plan, report, err);
}

/* --- applying -------------------------------------------------------------------------------------- */

/* Mode notify: somebody shall know what the policy would have done. */
static void notify(struct das_run *run, const struct das_plan *plan,
                   const struct das_report *report)
{
    struct das_log_event e = {.level = DAS_LOG_WARN, .who = "run"};
    struct das_buf text = {0}, clean = {0}, line = {0};

    if (!run->opts->log || report->totals[DAS_O_REFUSED] == 0 || !das_log_wants(e.level))
        return;
    das_buf_printf(&text, "%s would kill %zu on %s: %s", run->policy,
                   report->totals[DAS_O_REFUSED], das_plan_instance(plan), das_plan_reason(plan));
    das_vault_redact(&run->vault, das_buf_view(&text), &clean);
    e.message = das_buf_view(&clean);
    das_log_line(&e, &line);
    if (!text.failed && !clean.failed && !line.failed)
        fwrite(line.ptr, 1, line.len, run->opts->log);
    das_buf_clear(&text);
    das_buf_clear(&clean);
    das_buf_clear(&line);
}

static int open_store(struct das_run *run, struct das_err *err)
{
    if (!run->opts->armed || run->guard.store)
        return 0;
    if (run->opts->store) {
        run->guard.store = run->opts->store;
        return 0;
    }
    if (!run->opts->state_dir)
        return das_fail(err, DAS_E_BLOCKED, "nothing is killed without a journal, and there is no "
                        "state directory");
    return das_store_open(run->opts->state_dir, &run->guard.store, err);
}

struct das_store *das_run_outbox(struct das_run *run, struct das_err *err)
{
    if (run->opts->store)
        return run->opts->store;
    if (run->guard.store)
        return run->guard.store;
    if (!run->outbox && !run->opts->state_dir)
        das_fail(err, DAS_E_STORE, "no state directory: what waits for people is kept there");
    else if (!run->outbox)
        das_store_open(run->opts->state_dir, &run->outbox, err);
    return run->outbox;
}

/* For the person at the terminal: a script that prints no report says nothing of it. */
static void remember_refusal(struct das_engine_result *result, const struct das_report *report)
{
    if (report->would_block && !result->would_refuse[0])
        snprintf(result->would_refuse, sizeof result->would_refuse, "%s", report->would_block);
    for (size_t i = 0; i < report->count && !result->refused[0]; i++) {
        if (report->items[i].kind == DAS_O_REFUSED && report->items[i].note)
            snprintf(result->refused, sizeof result->refused, "%s", report->items[i].note);
    }
}

int das_run_apply(struct das_run *run, struct das_plan *plan, struct das_source *source,
                  struct das_report **out, struct das_err *err)
{
    const struct das_apply_watch watch = {before_kill, after_kill, is_cancelled, run, NULL};
    const struct das_apply_opts opts = {.armed = run->opts->armed,
                                        .protect = &run->protect,
                                        .guard = &run->guard,
                                        .watch = &watch};
    int rc = policy_of(run) ? open_store(run, err) : das_fail_nomem(err);

    tell_applying(run, plan);
    if (rc == 0) {
        das_source_set_patience(source, &run->patience);
        atomic_store(&run->outside, 1);
        rc = das_plan_apply(plan, source, &opts, out, err);
        atomic_store(&run->outside, 0);
        das_source_set_patience(source, NULL);
    }
    tell_applied(run, plan, rc == 0 ? *out : NULL, err);
    if (rc == 0 && run->opts->plans)
        das_plan_write(plan, run->opts->plans);
    if (rc == 0 && opts.armed && run->guard.rules->mode == DAS_POLICY_NOTIFY)
        notify(run, plan, *out);
    pthread_mutex_lock(&run->lock);
    if (rc == 0)
        remember_refusal(&run->result, *out);
    run->result.apply_failed += rc < 0;
    run->result.applied += rc == 0;
    for (int k = 0; rc == 0 && k < DAS_O_COUNT; k++)
        run->result.totals[k] += (*out)->totals[k];
    pthread_mutex_unlock(&run->lock);
    return rc;
}

void das_run_lend(struct das_run *run, const struct das_plan *plan, struct das_apply_watch *watch)
{
    *watch = (struct das_apply_watch){before_kill, after_kill, is_cancelled, run, NULL};
    tell_applying(run, plan);
}

void das_run_took(struct das_run *run, const struct das_report *report)
{
    tell_applied(run, report->plan, report, NULL);
    pthread_mutex_lock(&run->lock);
    remember_refusal(&run->result, report);
    run->result.applied++;
    for (int k = 0; k < DAS_O_COUNT; k++)
        run->result.totals[k] += report->totals[k];
    pthread_mutex_unlock(&run->lock);
}

/* --- orders to the cloud --------------------------------------------------------------------------- */

static const char *const order_names[] = {
    [DAS_ACT_CREATE_TASK] = "create task", [DAS_ACT_STOP_TASK] = "stop task",
    [DAS_ACT_SWITCH_ON] = "switch on",     [DAS_ACT_SWITCH_OFF] = "switch off",
    [DAS_ACT_KILL_ALL] = "kill all",
};

static int before_order(struct das_run *run, const struct das_act_order *o, struct das_err *err)
{
    struct das_act *act;
    char why[200];

    if (has_to_end(run, why, sizeof why))
        return das_fail(err, DAS_E_BLOCKED, "%s: %s", das_cloud_act_name(o->act), why);
    pthread_mutex_lock(&run->lock);
    act = remember(run);
    if (act) {
        act->order = true;
        act->id = o->act == DAS_ACT_STOP_TASK ? o->task_id : 0;
        snprintf(act->instance, sizeof act->instance, "%s", o->instance);
        snprintf(act->action, sizeof act->action, "%s", order_names[o->act]);
    }
    pthread_mutex_unlock(&run->lock);
    return act ? 0 : das_fail_nomem(err);
}

/* What became of it; REFUSED: nothing was sent. */
static enum das_outcome_kind judge_order(const struct das_cloud_call *call, int rc,
                                         const struct das_err *err)
{
    if (rc == 0)
        return DAS_O_KILLED;
    if (call->unknown)
        return DAS_O_UNKNOWN;
    return (err->code == DAS_E_BLOCKED || err->code == DAS_E_USAGE) && !call->status ? DAS_O_REFUSED
                                                                                   : DAS_O_FAILED;
}

static int64_t task_of(const struct das_act_result *out)
{
    return out->task.list.count ? ((const struct das_cloud_task *)out->task.list.items)->task_id : 0;
}

/* NULL when the run was given up as stuck: the list was handed over. */
static struct das_act *open_order(struct das_engine_result *r)
{
    for (size_t i = r->act_count; i-- > 0;) {
        if (r->acts[i].order && !r->acts[i].answered)
            return &r->acts[i];
    }
    return NULL;
}

static void settle_order(struct das_run *run, enum das_outcome_kind kind,
                         const struct das_act_result *out, const struct das_err *err)
{
    struct das_engine_result *r = &run->result;
    struct das_act *act = open_order(r);

    if (act) {
        act->answered = true;
        act->kind = kind;
        act->id = task_of(out) ? task_of(out) : act->id;
        snprintf(act->note, sizeof act->note, "%.199s", kind == DAS_O_KILLED ? out->note : err->msg);
    }
    if (act && kind == DAS_O_REFUSED)
        r->act_count--; /* it is the last one, and nothing was done */
    if (kind == DAS_O_REFUSED && err->code == DAS_E_USAGE)
        return; /* a mistake of the script, which is told so */
    if (kind != DAS_O_REFUSED) {
        r->totals[kind]++;
        return;
    }
    r->refused_orders++;
    if (!r->refused[0])
        snprintf(r->refused, sizeof r->refused, "%.399s", err->msg);
}

static void settle_rehearsal(struct das_run *run, int rc, const struct das_cloud_call *call,
                             const struct das_act_result *out, const struct das_err *err)
{
    struct das_engine_result *r = &run->result;

    if (rc < 0) {
        r->totals[DAS_O_FAILED] += err->code != DAS_E_USAGE || call->status;
        return;
    }
    r->dry_orders++;
    if (out->would_block[0] && !r->would_refuse[0])
        snprintf(r->would_refuse, sizeof r->would_refuse, "%s", out->would_block);
}

int das_run_act(struct das_run *run, struct das_act_order *order, struct das_cloud_call *call,
                struct das_act_result *out, struct das_err *err)
{
    bool armed = run->opts->armed;
    int rc = policy_of(run) ? open_store(run, err) : das_fail_nomem(err);

    order->armed = armed;
    order->protect = &run->protect;
    call->patience = run->patience;
    if (rc == 0 && armed)
        rc = before_order(run, order, err);
    if (rc == 0)
        rc = das_act(order, &run->guard, call, out, err);
    pthread_mutex_lock(&run->lock);
    if (armed)
        settle_order(run, judge_order(call, rc, err), out, err);
    else
        settle_rehearsal(run, rc, call, out, err);
    pthread_mutex_unlock(&run->lock);
    return rc;
}
