/*
 * approver.c - see approver.h.
 *
 * Each plan is a run of its own, as with the killer: it has its own id in the journal, and its
 * claim dies with its handle.
 */
#include "core/serve/approver.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/approval/question.h"
#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/mem.h"
#include "core/base/patience.h"
#include "core/notify/deliver.h"
#include "core/session/render.h"

#define LOOK_MS 1000     /* between two looks */
#define ROUND_MAX 50     /* requests in one */
#define TURN_MS 10000    /* to wait for an instance that somebody else kills on */
#define REACH_MS 30000   /* to look at it */
#define FAREWELL_MS 5000 /* for the outcomes of kills that were sent before the end */
#define DELIVER_MS 10000

/* --- what a plan needs ------------------------------------------------------------------------ */

struct job {
    const struct das_approver_conf *conf;
    struct das_patience patience;
    int64_t until_ms, cancelled_ms; /* monotonic; 0: not yet */
};

static bool is_cancelled(void *arg)
{
    const struct job *j = arg;
    const atomic_int *cancel = j->conf->killer->cancel;

    return cancel && atomic_load(cancel) != 0;
}

static bool before(void *arg, const struct das_plan *p, size_t victim, const char *action,
                   char *why, size_t size)
{
    struct job *j = arg;

    (void)p;
    (void)victim;
    (void)action;
    j->until_ms = 0; /* a kill that was sent is looked after */
    if (!is_cancelled(arg))
        return true;
    snprintf(why, size, "not tried: das serve ends");
    return false;
}

static int64_t left_ms(void *arg)
{
    struct job *j = arg;
    int64_t now = das_clock_monotonic_ms(), until = j->until_ms ? j->until_ms : INT64_MAX;

    if (is_cancelled(j)) {
        if (!j->cancelled_ms)
            j->cancelled_ms = now;
        until = j->until_ms ? now : j->cancelled_ms + FAREWELL_MS;
    }
    return until > now ? until - now : 0;
}

static bool knows(void *arg, const char *instance)
{
    const struct job *j = arg;

    return !is_cancelled(arg) && das_fleet_named(j->conf->fleet, instance) != NULL;
}

static int enter(void *arg, const char *instance, struct das_source **out, struct das_err *err)
{
    struct job *j = arg;
    struct das_member *m = das_fleet_named(j->conf->fleet, instance);

    *out = NULL;
    if (!m)
        return das_fail(err, DAS_E_CONFIG, "%s is not served here", instance);
    if (das_member_enter(m, das_clock_monotonic_ms() + TURN_MS, out, err) < 0)
        return -1;
    j->until_ms = das_clock_monotonic_ms() + REACH_MS;
    das_source_set_patience(*out, &j->patience);
    return 0;
}

static void leave(void *arg, const char *instance, struct das_source *source)
{
    const struct job *j = arg;

    das_source_set_patience(source, NULL);
    das_member_leave(das_fleet_named(j->conf->fleet, instance));
}

static const struct das_policy_rules *rules_of(void *arg, const char *policy)
{
    const struct job *j = arg;
    struct das_script_rules rules;

    das_rules_for(j->conf->rules, policy[0] == '/' ? policy : NULL, &rules);
    return rules.policy;
}

static struct das_approval_means means_of(struct job *j, const struct das_apply_watch *watch)
{
    const struct das_killer *k = j->conf->killer;

    return (struct das_approval_means){.arg = j,
                                       .knows = knows,
                                       .enter = enter,
                                       .leave = leave,
                                       .rules = rules_of,
                                       .protect = k->protect,
                                       .stop_files = k->stop_files,
                                       .vault = k->vault,
                                       .watch = watch};
}

/* --- one look --------------------------------------------------------------------------------- */

static void tell(const struct das_approver_conf *conf, struct das_store *s, const char *id,
                 const struct das_report *r)
{
    struct das_approval *a = NULL;
    struct das_err err;
    int rc = das_approval_tell(s, id, &conf->rules->channels, &err);

    if (rc == 0)
        rc = das_approval_get(s, id, &a, &err);
    if (conf->told && (rc < 0 || a))
        conf->told(conf->arg, a, r, rc < 0 ? &err : NULL);
    das_approval_free(a);
}

/* 1: done; 0: it is somebody else's. */
static int carry_out(const struct das_approver_conf *conf, const char *id, struct das_err *err)
{
    struct job j = {.conf = conf};
    const struct das_apply_watch watch = {before, NULL, is_cancelled, &j, NULL};
    const struct das_approval_means means = means_of(&j, &watch);
    enum das_approval_fate fate = DAS_FATE_NOTHING;
    struct das_report *report = NULL;
    struct das_store *s = NULL;
    int rc = das_store_open(conf->state_dir, &s, err);

    j.patience = (struct das_patience){left_ms, &j};
    if (rc == 0)
        rc = das_approval_carry_out(s, id, &means, &fate, &report, err);
    if (rc == 0 && fate != DAS_FATE_NOTHING)
        tell(conf, s, id, report);
    das_report_free(report);
    das_store_close(s);
    return rc < 0 ? -1 : fate != DAS_FATE_NOTHING;
}

static void said(void *arg, const struct das_delivery *x)
{
    const struct das_approver_conf *conf = ((const struct job *)arg)->conf;
    struct das_buf b = {0};

    if (x->kind != DAS_REFUSED || !conf->lost)
        return;
    das_buf_printf(&b, "%zu message%s to %s given up", x->count, x->count == 1 ? "" : "s",
                   x->channel->name);
    if (x->tries > 1)
        das_buf_printf(&b, " after %lld attempts", (long long)x->tries);
    das_buf_printf(&b, ": %s%s", x->code, *x->code && *x->words ? ", " : "");
    das_render_cell(das_text_of(x->words), 200, &b);
    if (b.ptr && !b.failed)
        conf->lost(conf->arg, b.ptr);
    das_buf_clear(&b);
}

static int deliver(const struct das_approver_conf *conf, struct das_store *s, struct das_err *err)
{
    struct job j = {.conf = conf};
    struct das_delivering d = {.channels = &conf->rules->channels,
                               .budget_ms = DELIVER_MS,
                               .said = said,
                               .arg = &j};
    struct das_delivered out;
    int64_t waiting;
    int rc = das_outbox_count(s, DAS_OUTBOX_WAITING, &waiting, err);

    if (rc < 0 || !waiting || !d.channels->count)
        return rc;
    d.sender = das_sender_new(err);
    if (!d.sender)
        return -1;
    rc = das_deliver(&d, s, &out, err);
    das_sender_free(d.sender);
    return rc;
}

int das_approver_round(const struct das_approver_conf *conf, struct das_store *s,
                       struct das_err *err)
{
    struct job j = {.conf = conf};
    const struct das_approval_means means = means_of(&j, NULL);
    const struct das_approval_audience to = {&conf->rules->channels, &conf->rules->people,
                                             conf->rules->serve.url};
    das_approval_id ids[ROUND_MAX];
    int n = das_approval_due(s, &means, ids, ROUND_MAX, err), done = 0, rc;
    struct das_err later; /* the first is what is told */

    for (int i = 0; i < n && !(conf->killer->cancel && atomic_load(conf->killer->cancel)); i++) {
        rc = carry_out(conf, ids[i], err);
        if (rc < 0)
            n = -1;
        else
            done += rc;
    }
    if (das_approval_post_all(s, &to, n < 0 ? &later : err) < 0)
        n = -1;
    if (das_questions_say(s, &conf->rules->channels, n < 0 ? &later : err) < 0)
        n = -1;
    /* also what was queued before something failed: a queue that is full has to become empty */
    if (deliver(conf, s, n < 0 ? &later : err) < 0)
        n = -1;
    return n < 0 ? -1 : done;
}

/* --- the thread ------------------------------------------------------------------------------- */

struct das_approver {
    struct das_approver_conf conf;
    struct das_store *store; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on the monotonic clock */
    bool ends, woken;
};

static bool wait_for_work(struct das_approver *a)
{
    struct timespec at;
    bool ends;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += LOOK_MS / 1000;
    pthread_mutex_lock(&a->lock);
    while (!a->ends && !a->woken && pthread_cond_timedwait(&a->changed, &a->lock, &at) != ETIMEDOUT)
        ;
    a->woken = false;
    ends = a->ends;
    pthread_mutex_unlock(&a->lock);
    return !ends;
}

static void *work(void *arg)
{
    struct das_approver *a = arg;
    bool complained = false;
    struct das_err err;

    do {
        int rc = das_approver_round(&a->conf, a->store, &err);
        if (rc < 0 && !complained && a->conf.told)
            a->conf.told(a->conf.arg, NULL, NULL, &err);
        complained = rc < 0;
    } while (wait_for_work(a));
    return NULL;
}

int das_approver_new(const struct das_approver_conf *conf, struct das_approver **out,
                     struct das_err *err)
{
    struct das_approver *a = das_calloc(1, sizeof *a);

    if (!a)
        return das_fail_nomem(err);
    a->conf = *conf;
    if (das_store_open(conf->state_dir, &a->store, err) < 0) {
        das_free(a);
        return -1;
    }
    pthread_mutex_init(&a->lock, NULL);
    das_cond_init(&a->changed);
    if (pthread_create(&a->thread, NULL, work, a) != 0) {
        pthread_cond_destroy(&a->changed);
        pthread_mutex_destroy(&a->lock);
        das_store_close(a->store);
        das_free(a);
        return das_fail(err, DAS_E_INTERNAL, "no thread for approvals");
    }
    *out = a;
    return 0;
}

void das_approver_wake(struct das_approver *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->woken = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

void das_approver_free(struct das_approver *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->ends = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    das_store_close(a->store);
    das_free(a);
}
