/*
 * runbooks.c - see runbooks.h.
 *
 * One thread looks, and each run that goes on has one more. A run that cannot be carried on (its
 * script has changed, its instance is gone) is tried again after a while, and told once.
 */
#include "core/serve/runbooks.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/store/runbook.h"
#include "core/store/store.h"

#define LOOK_MS 1000
#define AGAIN_MS 60000 /* after a failure */
#define FAILED_MAX 64  /* that are remembered */

struct worker {
    struct das_runbooks *all;
    pthread_t thread;
    int64_t id; /* 0: free */
    bool over;  /* its thread can be joined */
};

struct failed {
    int64_t id, again_ms; /* monotonic */
    char why[200];
};

struct das_runbooks {
    struct das_runbooks_conf conf;
    char *state_dir;
    struct das_store *store; /* of the thread that looks */
    atomic_int cancel;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop, started;
    bool woken; /* look again before anything else */
    bool stuck; /* a script's thread has part of this, for the rest of the process */
    pthread_t thread;
    struct worker workers[DAS_RUNBOOKS_AT_ONCE];
    struct failed failed[FAILED_MAX];
    size_t failed_next;
};

/* --- telling ----------------------------------------------------------------------------------- */

static struct failed *find_failed(struct das_runbooks *r, int64_t id)
{
    for (size_t i = 0; i < FAILED_MAX; i++) {
        if (r->failed[i].id == id)
            return &r->failed[i];
    }
    return NULL;
}

/* Under the lock. True: it is news. */
static bool remember(struct das_runbooks *r, int64_t id, const char *why)
{
    struct failed *f = find_failed(r, id);
    bool news = !f || strncmp(f->why, why, sizeof f->why - 1) != 0;

    if (!f)
        f = &r->failed[r->failed_next++ % FAILED_MAX];
    f->id = id;
    f->again_ms = das_clock_monotonic_ms() + AGAIN_MS;
    snprintf(f->why, sizeof f->why, "%.199s", why);
    return news;
}

static void tell_failure(struct das_runbooks *r, int64_t id, const char *why)
{
    bool news;

    pthread_mutex_lock(&r->lock);
    news = remember(r, id, why);
    pthread_mutex_unlock(&r->lock);
    if (news)
        r->conf.told(r->conf.told_arg, id, why, DAS_LOG_WARN);
}

/* How the run stands now. */
static void tell_state(struct das_runbooks *r, int64_t id)
{
    struct das_store *s = NULL;
    struct das_runbook book = {.id = 0};
    struct das_err err;
    char line[400];

    if (das_store_open_to_read(r->state_dir, &s, &err) == 0 && s &&
        das_runbook_get(s, id, &book, &err) > 0) {
        snprintf(line, sizeof line, "%s%s%.300s", das_runbook_status_name(book.status),
                 book.error[0] ? ": " : "", book.error);
        r->conf.told(r->conf.told_arg, id, line,
                     book.status == DAS_RUNBOOK_FAILED || book.status == DAS_RUNBOOK_UNKNOWN
                         ? DAS_LOG_WARN
                         : DAS_LOG_INFO);
        das_runbook_clear(&book);
    }
    das_store_close(s);
}

/* --- carrying on ------------------------------------------------------------------------------- */

static void *work(void *arg)
{
    struct worker *w = arg;
    struct das_runbooks *r = w->all;
    struct das_err err = {.code = DAS_OK};

    if (r->conf.carry_on(r->conf.arg, w->id, &r->cancel, &err) < 0)
        tell_failure(r, w->id, err.msg);
    else
        tell_state(r, w->id);
    pthread_mutex_lock(&r->lock);
    r->stuck = r->stuck || err.code == DAS_E_STUCK;
    w->over = r->woken = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Under the lock: workers whose thread has ended are free again. */
static void reap(struct das_runbooks *r)
{
    for (size_t i = 0; i < DAS_RUNBOOKS_AT_ONCE; i++) {
        struct worker *w = &r->workers[i];
        if (!w->id || !w->over)
            continue;
        pthread_join(w->thread, NULL);
        w->id = 0;
        w->over = false;
    }
}

/* Under the lock. */
static bool may_start(struct das_runbooks *r, int64_t id)
{
    const struct failed *f = find_failed(r, id);

    for (size_t i = 0; i < DAS_RUNBOOKS_AT_ONCE; i++) {
        if (r->workers[i].id == id)
            return false;
    }
    return !f || das_clock_monotonic_ms() >= f->again_ms;
}

/* Signals are for the thread that waits for them. */
static int start_thread(pthread_t *thread, void *(*f)(void *), void *arg)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, NULL, f, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void start(struct das_runbooks *r, int64_t id)
{
    for (size_t i = 0; i < DAS_RUNBOOKS_AT_ONCE; i++) {
        struct worker *w = &r->workers[i];
        if (w->id)
            continue;
        w->id = id;
        if (start_thread(&w->thread, work, w) != 0)
            w->id = 0; /* the next look tries again */
        return;
    }
}

#define DUE_MAX 256 /* looked at: some of them may have to wait */

static void look(struct das_runbooks *r)
{
    int64_t ids[DUE_MAX], n;
    struct das_err err;

    n = das_runbook_due(r->store, das_clock_unix_ms(), ids, DUE_MAX, &err);
    if (n < 0)
        tell_failure(r, 0, err.msg);
    pthread_mutex_lock(&r->lock);
    reap(r);
    for (int64_t i = 0; i < n; i++) {
        if (!r->stop && may_start(r, ids[i]))
            start(r, ids[i]);
    }
    pthread_mutex_unlock(&r->lock);
}

static void *watch(void *arg)
{
    struct das_runbooks *r = arg;
    bool stop = false;

    while (!stop) {
        int64_t until = das_clock_machine_ms() + LOOK_MS;
        struct timespec ts = {.tv_sec = (time_t)(until / 1000),
                              .tv_nsec = (long)(until % 1000) * 1000000};
        look(r);
        pthread_mutex_lock(&r->lock);
        while (!r->stop && !r->woken && pthread_cond_timedwait(&r->changed, &r->lock, &ts) == 0)
            ;
        r->woken = false;
        stop = r->stop;
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

/* --- start and end ----------------------------------------------------------------------------- */

int das_runbooks_new(const struct das_runbooks_conf *conf, struct das_runbooks **out,
                     struct das_err *err)
{
    struct das_runbooks *r = das_calloc(1, sizeof *r);
    int rc;

    *out = NULL;
    if (!r)
        return das_fail_nomem(err);
    r->conf = *conf;
    for (size_t i = 0; i < DAS_RUNBOOKS_AT_ONCE; i++)
        r->workers[i].all = r;
    pthread_mutex_init(&r->lock, NULL);
    das_cond_init(&r->changed);
    r->state_dir = das_strdup(conf->state_dir);
    rc = r->state_dir ? das_store_open(r->state_dir, &r->store, err) : das_fail_nomem(err);
    if (rc < 0) {
        das_runbooks_free(r);
        return -1;
    }
    *out = r;
    return 0;
}

int das_runbooks_start(struct das_runbooks *r, struct das_err *err)
{
    if (start_thread(&r->thread, watch, r) != 0)
        return das_fail(err, DAS_E_INTERNAL, "no thread for runbooks");
    r->started = true;
    return 0;
}

void das_runbooks_wake(struct das_runbooks *r)
{
    pthread_mutex_lock(&r->lock);
    r->woken = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void das_runbooks_stop(struct das_runbooks *r)
{
    if (!r || !r->started)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    atomic_store(&r->cancel, 1);
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    for (size_t i = 0; i < DAS_RUNBOOKS_AT_ONCE; i++) {
        if (r->workers[i].id)
            pthread_join(r->workers[i].thread, NULL);
    }
    r->started = false;
}

void das_runbooks_free(struct das_runbooks *r)
{
    if (!r)
        return;
    das_runbooks_stop(r);
    das_store_close(r->store);
    if (r->stuck)
        return;
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    das_free(r->state_dir);
    das_free(r);
}
