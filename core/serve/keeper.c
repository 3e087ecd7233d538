/*
 * keeper.c - see keeper.h.
 *
 * A thread lives as long as its instance has tasks that run. Whether there are any, the store is
 * asked anew in each round, and before each kill whether the task still runs: a task that somebody
 * has stopped kills nobody more.
 */
#include "core/serve/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/mem.h"
#include "core/serve/criteria.h"

#define PATIENCE_MS 30000 /* for a turn on the instance, and for a preview */

/* --- one round -------------------------------------------------------------------------------- */

/* A task as it was when the round began, with texts of its own. */
struct errand {
    const struct das_keeper_conf *conf;
    struct das_store *store;
    struct das_task task;
};

struct errands {
    struct errand items[DAS_TASKS_RUNNING_MAX];
    size_t count;
    struct das_arena texts;
    bool failed;
};

static bool keep_text(struct das_arena *a, struct das_text *t)
{
    if (t->ptr)
        t->ptr = das_arena_dup(a, t->ptr, t->len);
    else
        t->len = 0;
    return t->ptr || !t->len;
}

static int keep(void *arg, const struct das_task *t)
{
    struct errands *e = arg;
    struct das_task copy = *t;
    struct das_text by = das_text(t->by, t->by ? strlen(t->by) + 1 : 0);

    copy.instance = NULL; /* the member knows */
    if (!keep_text(&e->texts, &copy.user) || !keep_text(&e->texts, &copy.host) ||
        !keep_text(&e->texts, &copy.db) || !keep_text(&e->texts, &copy.command) ||
        !keep_text(&e->texts, &copy.info) || !keep_text(&e->texts, &by)) {
        e->failed = true;
        return 1;
    }
    copy.by = by.ptr;
    e->items[e->count++].task = copy;
    return 0;
}

/* Those that run, oldest first: so the order of kills does not change when one is added. */
static int collect(struct das_store *store, const struct das_member *m, struct errands *e,
                   struct das_err *err)
{
    if (das_task_each(store, das_member_name(m), true, DAS_TASKS_RUNNING_MAX, keep, e, err) < 0)
        return -1;
    if (e->failed)
        return das_fail_nomem(err);
    for (size_t i = 0; i < e->count / 2; i++) {
        struct errand other = e->items[i];
        e->items[i] = e->items[e->count - 1 - i];
        e->items[e->count - 1 - i] = other;
    }
    return 0;
}

static int find(void *arg, const struct das_task *t)
{
    return t->id == *(const int64_t *)arg;
}

static bool still_runs(void *arg, char *why, size_t size)
{
    const struct errand *e = arg;
    int64_t id = e->task.id;
    struct das_err err;
    int rc =
        das_task_each(e->store, e->task.instance, true, DAS_TASKS_RUNNING_MAX, find, &id, &err);

    if (rc < 0)
        snprintf(why, size, "not tried: whether task %lld still runs is not known: %.250s",
                 (long long)id, err.msg);
    else if (rc == 0 || (!e->task.manual && das_clock_unix_ms() >= e->task.end_ms))
        snprintf(why, size, "not tried: task %lld has ended", (long long)id);
    else
        return true;
    return false;
}

static void tell(const struct das_keeper_conf *c, const struct das_member *m,
                 const struct das_task *t, size_t matched, const struct das_report *r,
                 const struct das_err *err)
{
    if (c->told)
        c->told(c->arg, m, t, matched, r, err);
}

static int kill_for(const struct errand *e, struct das_member *m, size_t *matched,
                    struct das_report **report, struct das_err *err)
{
    const struct das_task *t = &e->task;
    char id[24], reason[60];
    struct errand asked = *e;
    struct das_kill_ask ask = {.policy = "serve:task",
                               .who = t->by,
                               .task = id,
                               .reason = reason,
                               .until_ms = das_clock_monotonic_ms() + PATIENCE_MS,
                               .piecemeal = true,
                               .go_on = still_runs,
                               .arg = &asked};
    int rc;

    *matched = 0;
    *report = NULL;
    snprintf(id, sizeof id, "%lld", (long long)t->id);
    snprintf(reason, sizeof reason, "kill task %s", id);
    ask.filter = das_criteria_filter(t, err);
    if (!ask.filter)
        return -1;
    rc = das_killer_kill(e->conf->killer, m, &ask, matched, report, err);
    das_filter_release(ask.filter);
    return rc;
}

static bool is_cancelled(const struct das_keeper_conf *c)
{
    return c->killer->cancel && atomic_load(c->killer->cancel) != 0;
}

/* The instance, not the task, is what hinders: the others would fare no better now. */
static bool hinders_all(enum das_code code)
{
    return code == DAS_E_CONNECT || code == DAS_E_TIMEOUT || code == DAS_E_AUTH ||
           code == DAS_E_CANCELLED;
}

static void do_errands(struct errands *all, struct das_member *m)
{
    struct das_report *report;
    struct das_err err;
    size_t matched;

    for (size_t i = 0; i < all->count && !is_cancelled(all->items[i].conf); i++) {
        const struct errand *e = &all->items[i];
        int rc = kill_for(e, m, &matched, &report, &err);
        if (rc == 0 || err.code != DAS_E_CANCELLED)
            tell(e->conf, m, &e->task, matched, report, rc < 0 ? &err : NULL);
        das_report_free(report);
        if (rc < 0 && hinders_all(err.code))
            return;
    }
}

int64_t das_keeper_round(const struct das_keeper_conf *conf, struct das_store *store,
                         struct das_member *m, struct das_err *err)
{
    struct errands all = {.count = 0};
    int64_t left = -1;

    das_arena_init(&all.texts);
    if (das_task_close_due(store, das_clock_unix_ms(), err) >= 0 &&
        collect(store, m, &all, err) == 0) {
        for (size_t i = 0; i < all.count; i++) {
            all.items[i].conf = conf;
            all.items[i].store = store;
            all.items[i].task.instance = das_member_name(m);
        }
        do_errands(&all, m);
        left = (int64_t)all.count;
    }
    das_arena_clear(&all.texts);
    return left;
}

/* --- threads ---------------------------------------------------------------------------------- */

/* One for each instance of the fleet. */
struct watch {
    struct das_keeper *keeper;
    struct das_member *member;
    pthread_t thread;
    bool started; /* and not joined yet */
    bool alive;   /* it has not decided to end */
    bool wake;    /* a round is to begin at once */
};

struct das_keeper {
    struct das_keeper_conf conf;
    struct watch *watches;
    size_t count;
    pthread_mutex_t lock;   /* of the watches' flags, and of what follows */
    pthread_cond_t changed; /* on the monotonic clock */
    bool ends;
};

static int open_store(const struct das_keeper *k, struct das_store **store, struct das_err *err)
{
    return *store ? 0 : das_store_open(k->conf.state_dir, store, err);
}

/* Is there a reason for another one? */
static bool round_of(struct watch *w, struct das_store **store)
{
    struct das_keeper *k = w->keeper;
    struct das_err err;
    int64_t left = -1;

    if (open_store(k, store, &err) == 0)
        left = das_keeper_round(&k->conf, *store, w->member, &err);
    if (left < 0)
        tell(&k->conf, w->member, NULL, 0, NULL, &err);
    return left != 0;
}

/* With the lock: until the next round is due, or somebody has something to say. */
static void wait_for_next(struct watch *w, int64_t at_ms)
{
    struct das_keeper *k = w->keeper;
    const struct timespec at = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};

    while (!k->ends && !w->wake && pthread_cond_timedwait(&k->changed, &k->lock, &at) != ETIMEDOUT)
        ;
}

static void *watch_over(void *arg)
{
    struct watch *w = arg;
    struct das_keeper *k = w->keeper;
    struct das_store *store = NULL;

    pthread_mutex_lock(&k->lock);
    while (!k->ends) {
        int64_t began = das_clock_monotonic_ms();
        bool more;
        w->wake = false;
        pthread_mutex_unlock(&k->lock);
        more = round_of(w, &store);
        if (!more) { /* before it says that it ends: whoever joins it does not wait for a disk */
            das_store_close(store);
            store = NULL;
        }
        pthread_mutex_lock(&k->lock);
        if (!more && !w->wake)
            break;
        wait_for_next(w, began + k->conf.every_ms);
    }
    w->alive = false;
    pthread_mutex_unlock(&k->lock);
    das_store_close(store);
    return NULL;
}

/* With the lock. One that has decided to end has nothing left to do but that. */
static int start(struct watch *w, struct das_err *err)
{
    int rc;

    w->wake = true;
    if (w->alive) {
        pthread_cond_broadcast(&w->keeper->changed);
        return 0;
    }
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
    rc = pthread_create(&w->thread, NULL, watch_over, w);
    if (rc != 0)
        return das_fail(err, DAS_E_INTERNAL, "no thread for the tasks of \"%s\": %s",
                        das_member_name(w->member), strerror(rc));
    w->started = w->alive = true;
    return 0;
}

static int find_any(void *arg, const struct das_task *t)
{
    (void)arg;
    (void)t;
    return 1;
}

/* What ran when das serve ended, by will or by force, runs on or is over. */
static int go_on(struct das_keeper *k, struct das_err *err)
{
    struct das_store *store = NULL;
    int rc = 0;

    if (open_store(k, &store, err) < 0)
        return -1;
    if (das_task_close_due(store, das_clock_unix_ms(), err) < 0)
        rc = -1;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; rc >= 0 && i < k->count; i++) {
        struct watch *w = &k->watches[i];
        rc = das_task_each(store, das_member_name(w->member), true, 1, find_any, NULL, err);
        if (rc > 0)
            rc = start(w, err);
    }
    pthread_mutex_unlock(&k->lock);
    das_store_close(store);
    return rc < 0 ? -1 : 0;
}

static int keeper_init(struct das_keeper *k, const struct das_keeper_conf *conf,
                       struct das_err *err)
{

    k->conf = *conf;
    pthread_mutex_init(&k->lock, NULL);
    das_cond_init(&k->changed);
    k->watches = das_calloc(das_fleet_count(conf->fleet), sizeof *k->watches);
    if (!k->watches)
        return das_fail_nomem(err);
    k->count = das_fleet_count(conf->fleet);
    for (size_t i = 0; i < k->count; i++) {
        k->watches[i].keeper = k;
        k->watches[i].member = das_fleet_at(conf->fleet, i);
    }
    return go_on(k, err);
}

int das_keeper_new(const struct das_keeper_conf *conf, struct das_keeper **out, struct das_err *err)
{
    struct das_keeper *k = das_calloc(1, sizeof *k);

    *out = NULL;
    if (!k)
        return das_fail_nomem(err);
    if (keeper_init(k, conf, err) < 0) {
        das_keeper_free(k);
        return -1;
    }
    *out = k;
    return 0;
}

void das_keeper_wake(struct das_keeper *k, struct das_member *m)
{
    struct das_err err;
    int rc = 0;

    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < k->count && !k->ends; i++) {
        if (k->watches[i].member == m)
            rc = start(&k->watches[i], &err);
    }
    pthread_mutex_unlock(&k->lock);
    if (rc < 0)
        tell(&k->conf, m, NULL, 0, NULL, &err);
}

void das_keeper_free(struct das_keeper *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->ends = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    for (size_t i = 0; i < k->count; i++) {
        if (k->watches[i].started)
            pthread_join(k->watches[i].thread, NULL);
    }
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    das_free(k->watches);
    das_free(k);
}
