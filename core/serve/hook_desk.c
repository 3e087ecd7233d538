/* hook_desk.c - see hook_desk.h: begins and ends; the line of jobs and the threads that take them.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/serve/hook_desk_impl.h"

#define AWAY_MS 15000 /* how long a script that was given up is waited for at the end */

static const struct das_hooks *hooks_of(const struct das_hook_desk *d)
{
    return &d->conf.rules->hooks;
}

/* --- log -------------------------------------------------------------------------------------- */

void das_hook_say_log(const struct das_hook_desk *d, const struct das_hook_job *j, int level,
                      const char *fmt, ...)
{
    char text[1200];
    const struct das_log_field fields[] = {
        {das_text_of("hook"), das_text_of(j->hook->name), false},
        {das_text_of("who"), das_text_of(j->who), false},
        {das_text_of("command"), das_text_of(j->command ? j->command->name : ""), false}};
    struct das_log_event e = {.level = (enum das_log_level)level,
                              .who = "serve",
                              .own = true,
                              .fields = fields,
                              .count = j->command ? 3 : 2};
    struct das_buf b = {0};
    va_list ap;

    if (!d->conf.log || !das_log_wants(e.level))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    e.message = das_text_of(text);
    das_log_line(&e, &b);
    if (b.len && !b.failed)
        fwrite(b.ptr, 1, b.len, d->conf.log);
    das_buf_clear(&b);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void job_free(struct das_hook_job *j)
{
    das_hook_ask_clear(&j->ask);
    das_buf_clear(&j->req);
    das_buf_clear(&j->words);
    das_free(j->path);
    das_free(j->instance);
    das_free(j->params);
    das_buf_clear(&j->at_once.body);
    das_free(j);
}

void das_hook_job_release(struct das_hook_job *j)
{
    bool last;

    pthread_mutex_lock(&j->desk->lock);
    last = --j->holders == 0;
    pthread_mutex_unlock(&j->desk->lock);
    if (last)
        job_free(j);
}

struct das_hook_job *das_hook_job_new(struct das_hook_desk *d, const struct das_hook *h,
                                      int64_t now_ms)
{
    struct das_hook_job *j = das_calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->desk = d;
    j->hook = h;
    j->kind = DAS_HOOK_JOB_SCRIPT;
    j->at_ms = now_ms;
    j->holders = 1;
    return j;
}

bool das_hook_reserve(struct das_hook_desk *d)
{
    bool room;

    pthread_mutex_lock(&d->lock);
    room = !d->ends && d->waiting < (size_t)d->conf.queue;
    if (room)
        d->waiting++;
    pthread_mutex_unlock(&d->lock);
    return room;
}

void das_hook_unreserve(struct das_hook_desk *d)
{
    pthread_mutex_lock(&d->lock);
    d->waiting--;
    pthread_cond_broadcast(&d->back);
    pthread_mutex_unlock(&d->lock);
}

void das_hook_put(struct das_hook_desk *d, struct das_hook_job *j)
{
    pthread_mutex_lock(&d->lock);
    j->holders++;
    j->next = NULL;
    if (d->last)
        d->last->next = j;
    else
        d->first = j;
    d->last = j;
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
}

static struct timespec at(int64_t monotonic_ms)
{
    return (struct timespec){.tv_sec = monotonic_ms / 1000,
                             .tv_nsec = monotonic_ms % 1000 * 1000000};
}

bool das_hook_job_wait(struct das_hook_job *j, int64_t ms)
{
    struct das_hook_desk *d = j->desk;
    const struct timespec until = at(das_clock_machine_ms() + ms);
    bool answered;

    pthread_mutex_lock(&d->lock);
    while (!j->answered && !j->over &&
           pthread_cond_timedwait(&d->back, &d->lock, &until) != ETIMEDOUT)
        ;
    answered = j->answered;
    j->waited_for = false;
    pthread_mutex_unlock(&d->lock);
    return answered;
}

/* --- threads ---------------------------------------------------------------------------------- */

/* With the lock. NULL: the end. */
static struct das_hook_job *next_job(struct das_hook_desk *d)
{
    struct das_hook_job *j;

    while (!d->first && !d->ends)
        pthread_cond_wait(&d->work, &d->lock);
    if (d->ends)
        return NULL;
    j = d->first;
    d->first = j->next;
    if (!d->first)
        d->last = NULL;
    d->waiting--;
    d->running++;
    return j;
}

static void *work(void *arg)
{
    struct das_hook_worker *w = arg;
    struct das_hook_desk *d = w->desk;
    struct das_hook_job *j;

    pthread_mutex_lock(&d->lock);
    while ((j = next_job(d)) != NULL) {
        pthread_mutex_unlock(&d->lock);
        das_hook_job_do(w, j);
        das_hook_keep_end(j);
        pthread_mutex_lock(&d->lock);
        d->running--;
        j->over = true;
        pthread_cond_broadcast(&d->back);
        pthread_mutex_unlock(&d->lock);
        das_hook_job_release(j);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static int start_workers(struct das_hook_desk *d, struct das_err *err)
{
    d->worker_count = (size_t)d->conf.workers;
    d->workers = das_calloc(d->worker_count, sizeof *d->workers);
    if (!d->workers)
        return das_fail_nomem(err);
    for (size_t i = 0; i < d->worker_count; i++) {
        struct das_hook_worker *w = &d->workers[i];
        w->desk = d;
        w->inventories = das_calloc(hooks_of(d)->count + 1, sizeof(struct das_inventory *));
        if (!w->inventories)
            return das_fail_nomem(err);
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            return das_fail(err, DAS_E_IO, "hooks: no thread can be started");
        w->started = true;
    }
    return 0;
}

/* --- secrets ---------------------------------------------------------------------------------- */

static void keys_free(struct das_hook_keys **keys, size_t n)
{
    for (size_t i = 0; keys && i < n; i++)
        das_hook_keys_free(keys[i]);
    das_free(keys);
}

static struct das_hook_keys **keys_read(const struct das_hooks *h, struct das_err *err)
{
    struct das_hook_keys **keys = das_calloc(h->count + 1, sizeof(struct das_hook_keys *));

    if (!keys) {
        das_fail_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < h->count; i++) {
        keys[i] = das_hook_keys_read(&h->items[i], err);
        if (!keys[i]) {
            keys_free(keys, h->count);
            return NULL;
        }
    }
    return keys;
}

int das_hook_desk_reload(struct das_hook_desk *d, struct das_err *err)
{
    struct das_hook_keys **anew = keys_read(hooks_of(d), err), **old;

    if (!anew)
        return -1;
    pthread_rwlock_wrlock(&d->keys_lock);
    old = d->keys;
    d->keys = anew;
    pthread_rwlock_unlock(&d->keys_lock);
    keys_free(old, hooks_of(d)->count);
    return 0;
}

/* --- start and end ---------------------------------------------------------------------------- */

int das_hook_desk_new(const struct das_hook_desk_conf *conf, struct das_hook_desk **out,
                      struct das_err *err)
{
    struct das_hook_desk *d = das_calloc(1, sizeof *d);

    *out = NULL;
    if (!d)
        return das_fail_nomem(err);
    d->conf = *conf;
    pthread_rwlock_init(&d->keys_lock, NULL);
    pthread_mutex_init(&d->store_lock, NULL);
    pthread_mutex_init(&d->lock, NULL);
    das_cond_init(&d->work);
    das_cond_init(&d->back);
    d->keys = keys_read(hooks_of(d), err);
    if (d->keys)
        d->engine = das_engine_new(err);
    if (!d->engine || das_store_open(conf->state_dir, &d->store, err) < 0 ||
        das_keyring_open(conf->state_dir, true, &d->keyring, err) < 0 ||
        start_workers(d, err) < 0) {
        das_hook_desk_free(d);
        return -1;
    }
    *out = d;
    return 0;
}

void das_hook_desk_stop(struct das_hook_desk *d)
{
    if (!d)
        return;
    atomic_store(&d->cancel, 1);
    pthread_mutex_lock(&d->lock);
    d->ends = true;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
}

static void worker_clear(struct das_hook_worker *w, size_t hooks)
{
    for (size_t i = 0; w->inventories && i < hooks; i++)
        das_inventory_free(w->inventories[i]);
    das_free(w->inventories);
    das_sender_free(w->sender);
}

static void free_all(struct das_hook_desk *d)
{
    struct das_hook_job *j;

    while ((j = d->first) != NULL) {
        d->first = j->next;
        das_hook_say_log(d, j, j->n ? DAS_LOG_INFO : DAS_LOG_WARN, "%s",
                         j->n ? "not begun: it waits for the next das serve"
                              : "not said: das serve ends");
        das_hook_job_release(j);
    }
    for (size_t i = 0; d->workers && i < d->worker_count; i++)
        worker_clear(&d->workers[i], hooks_of(d)->count);
    das_free(d->workers);
    keys_free(d->keys, hooks_of(d)->count);
    das_store_close(d->store);
    das_keyring_close(d->keyring);
    das_engine_free(d->engine);
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->back);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->store_lock);
    pthread_rwlock_destroy(&d->keys_lock);
    das_free(d);
}

bool das_hook_desk_free(struct das_hook_desk *d)
{
    struct timespec until;
    bool left;

    if (!d)
        return true;
    das_hook_desk_stop(d);
    for (size_t i = 0; d->workers && i < d->worker_count; i++) {
        if (d->workers[i].started)
            pthread_join(d->workers[i].thread, NULL);
        d->workers[i].started = false;
    }
    until = at(das_clock_machine_ms() + AWAY_MS);
    pthread_mutex_lock(&d->lock);
    while (d->away && pthread_cond_timedwait(&d->back, &d->lock, &until) != ETIMEDOUT)
        ;
    left = d->away > 0;
    pthread_mutex_unlock(&d->lock);
    if (left)
        return false;
    free_all(d);
    return true;
}

void das_hook_desk_load(struct das_hook_desk *d, size_t *waiting, size_t *running)
{
    pthread_mutex_lock(&d->lock);
    *waiting = d->waiting;
    *running = d->running;
    pthread_mutex_unlock(&d->lock);
}

const struct das_hook *das_hook_desk_at(const struct das_hook_desk *d, struct das_text path)
{
    return d ? das_hooks_at(hooks_of(d), path) : NULL;
}
