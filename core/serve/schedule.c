/*
 * schedule.c - see schedule.h: makes the turns, and the threads that take them.
 *
 * One thread knows what time it is and wakes workers; a worker takes what may begin until nothing
 * may. Workers begin when they are needed, and there are more of them while some are held up.
 */
#include "core/serve/schedule.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/mem.h"
#include "core/serve/schedule_impl.h"

#define SLOW_MS 1000      /* a run that takes longer does not count as one of the workers */
#define SLOW_MAX 64       /* as long as there are no more of them */
#define LOOK_MS 60000     /* how soon it is seen that somebody has set the clock */
#define CLOCK_SET_MS 1000 /* and no clock that is only slewed */
#define AWAY_MS 15000     /* how long a run that was given up is waited for at the end */

/* --- the turns -------------------------------------------------------------------------------- */

static bool means(const struct das_schedule_entry *e, const struct das_inventory *inv, size_t i)
{
    return das_inventory_among(inv, i, (const char *const *)e->instances, e->instance_count);
}

static size_t count_turns(const struct das_schedule_opts *o)
{
    size_t n = 0;

    for (size_t k = 0; k < o->conf->count; k++) {
        for (size_t i = 0; i < das_inventory_count(o->inventory); i++)
            n += means(&o->conf->entries[k], o->inventory, i);
    }
    return n;
}

static int add_turn(struct das_schedule *s, const struct das_schedule_entry *e, size_t instance,
                    struct das_err *err)
{
    struct das_turn *turn = &s->turns[s->count];

    turn->schedule = s;
    turn->slot = s->count;
    turn->entry = e;
    turn->instance = das_inventory_name(s->opts.inventory, instance);
    turn->inventory = das_inventory_split(s->opts.inventory, instance, err);
    if (!turn->inventory)
        return -1;
    s->tempos[s->count++] =
        (struct das_tempo){.every_ms = e->every_ms,
                           .cron = &e->cron,
                           .zone = e->zone,
                           .offset_ms = das_jitter(e->name, turn->instance, e->jitter_ms),
                           .backoff_ms = e->backoff_ms};
    return 0;
}

static int make_turns(struct das_schedule *s, struct das_err *err)
{
    const struct das_schedule_opts *o = &s->opts;
    size_t n = count_turns(o);

    s->turns = das_calloc(n + 1, sizeof *s->turns);
    s->tempos = das_calloc(n + 1, sizeof *s->tempos);
    if (!s->turns || !s->tempos)
        return das_fail_nomem(err);
    for (size_t k = 0; k < o->conf->count; k++) {
        for (size_t i = 0; i < das_inventory_count(o->inventory); i++) {
            if (means(&o->conf->entries[k], o->inventory, i) &&
                add_turn(s, &o->conf->entries[k], i, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* --- start and end ---------------------------------------------------------------------------- */

int das_schedule_new(const struct das_schedule_opts *opts, struct das_schedule **out,
                     struct das_err *err)
{
    const struct das_timetable_conf how = {
        .workers = (size_t)opts->workers, .slow = SLOW_MAX, .slow_ms = SLOW_MS};
    struct das_schedule *s = das_calloc(1, sizeof *s);

    *out = NULL;
    if (!s)
        return das_fail_nomem(err);
    s->opts = *opts;
    s->lock_fd = -1;
    s->away_ms = AWAY_MS;
    pthread_mutex_init(&s->lock, NULL);
    das_cond_init(&s->watch);
    das_cond_init(&s->work);
    das_cond_init(&s->back);
    s->worker_room = how.workers + SLOW_MAX;
    s->workers = das_calloc(s->worker_room, sizeof *s->workers);
    s->engine = das_engine_new(err);
    if (!s->workers)
        das_fail_nomem(err);
    if (!s->workers || !s->engine || das_schedule_hold(s, err) < 0 || make_turns(s, err) < 0)
        goto fail;
    s->table = das_timetable_new(&how, s->tempos, s->count, das_clock_unix_ms(), err);
    if (!s->table)
        goto fail;
    das_schedule_recall(s);
    *out = s;
    return 0;
fail:
    das_schedule_free(s);
    return -1;
}

static void free_all(struct das_schedule *s)
{
    for (size_t i = 0; s->turns && i < s->count; i++)
        das_inventory_free(s->turns[i].inventory);
    das_schedule_let_go(s);
    das_timetable_free(s->table);
    das_free(s->turns);
    das_free(s->tempos);
    das_free(s->workers);
    das_engine_free(s->engine);
    pthread_cond_destroy(&s->watch);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->back);
    pthread_mutex_destroy(&s->lock);
    das_free(s);
}

void das_schedule_stop(struct das_schedule *s)
{
    if (!s)
        return;
    atomic_store(&s->cancel, 1);
    pthread_mutex_lock(&s->lock);
    s->ends = true;
    pthread_cond_signal(&s->watch);
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
}

static struct timespec at(int64_t monotonic_ms)
{
    return (struct timespec){.tv_sec = monotonic_ms / 1000,
                             .tv_nsec = monotonic_ms % 1000 * 1000000};
}

/* With the lock. */
static void wait_for_away(struct das_schedule *s)
{
    const struct timespec until = at(das_clock_machine_ms() + s->away_ms);

    while (s->away && pthread_cond_timedwait(&s->back, &s->lock, &until) != ETIMEDOUT)
        ;
}

bool das_schedule_free(struct das_schedule *s)
{
    bool left;

    if (!s)
        return true;
    das_schedule_stop(s);
    if (s->watching)
        pthread_join(s->watcher, NULL);
    s->watching = false;
    for (size_t i = 0; s->workers && i < s->worker_room; i++) {
        if (s->workers[i].started)
            pthread_join(s->workers[i].thread, NULL);
        s->workers[i].started = false;
    }
    pthread_mutex_lock(&s->lock);
    wait_for_away(s);
    left = s->away > 0;
    pthread_mutex_unlock(&s->lock);
    if (s->table)
        das_schedule_save(s, true);
    if (left)
        das_schedule_let_go(s);
    else
        free_all(s);
    return !left;
}

void das_schedule_wait_at_end(struct das_schedule *s, int64_t ms)
{
    s->away_ms = ms;
}

/* --- workers ---------------------------------------------------------------------------------- */

static void *work(void *arg)
{
    struct das_worker *w = arg;
    struct das_schedule *s = w->schedule;

    pthread_mutex_lock(&s->lock);
    while (!s->ends) {
        long slot = das_timetable_take(s->table, das_clock_unix_ms());
        if (slot >= 0) {
            pthread_mutex_unlock(&s->lock);
            das_turn_go(&s->turns[slot]);
            pthread_mutex_lock(&s->lock);
        } else if (s->idle >= (size_t)s->opts.workers) {
            break; /* one of those that were needed while others were held up */
        } else {
            s->idle++;
            pthread_cond_wait(&s->work, &s->lock);
            s->idle--;
        }
    }
    w->over = true;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* With the lock. False: as many as there can be, or the system gives no more. */
static bool one_more(struct das_schedule *s)
{
    for (size_t i = 0; i < s->worker_room; i++) {
        struct das_worker *w = &s->workers[i];
        if (w->started && !w->over)
            continue;
        if (w->started)
            pthread_join(w->thread, NULL);
        *w = (struct das_worker){.schedule = s};
        w->started = pthread_create(&w->thread, NULL, work, w) == 0;
        return w->started;
    }
    return false;
}

/* With the lock: somebody for everything that may begin. */
static void wake_workers(struct das_schedule *s)
{
    size_t n = das_timetable_ready(s->table);

    for (size_t i = 0; i < n; i++) {
        if (i < s->idle)
            pthread_cond_signal(&s->work);
        else if (!one_more(s))
            return; /* a worker that is done with its own takes it */
    }
}

/* --- the watcher ------------------------------------------------------------------------------ */

/* With the lock. offset: between the two clocks, as it was last time. */
static int64_t look(struct das_schedule *s, int64_t *offset)
{
    int64_t now = das_clock_unix_ms(), was = *offset;

    *offset = now - das_clock_monotonic_ms();
    if (*offset - was > CLOCK_SET_MS || was - *offset > CLOCK_SET_MS)
        das_timetable_clock_set(s->table, now);
    das_timetable_look(s->table, now);
    s->wake_ms = das_timetable_next(s->table);
    return s->wake_ms - now < LOOK_MS ? s->wake_ms - now : LOOK_MS;
}

static void *watch(void *arg)
{
    struct das_schedule *s = arg;
    int64_t offset = das_clock_unix_ms() - das_clock_monotonic_ms();

    pthread_mutex_lock(&s->lock);
    while (!s->ends) {
        int64_t wait_ms = look(s, &offset);
        const struct timespec until = at(das_clock_monotonic_ms() + (wait_ms > 0 ? wait_ms : 1));
        wake_workers(s);
        pthread_cond_timedwait(&s->watch, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int das_schedule_start(struct das_schedule *s, struct das_err *err)
{
    int rc = pthread_create(&s->watcher, NULL, watch, s);

    if (rc != 0)
        return das_fail(err, DAS_E_INTERNAL, "no thread for the policies: %s", strerror(rc));
    s->watching = true;
    return 0;
}

int64_t das_schedule_step(struct das_schedule *s)
{
    int64_t offset = das_clock_unix_ms() - das_clock_monotonic_ms();
    long slot;

    pthread_mutex_lock(&s->lock);
    look(s, &offset);
    while (!s->ends && (slot = das_timetable_take(s->table, das_clock_unix_ms())) >= 0) {
        pthread_mutex_unlock(&s->lock);
        das_turn_go(&s->turns[slot]);
        pthread_mutex_lock(&s->lock);
        look(s, &offset);
    }
    pthread_mutex_unlock(&s->lock);
    return s->wake_ms;
}

void das_schedule_now(struct das_schedule *s, struct das_schedule_now *out)
{
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&s->lock);
    out->slots = s->count;
    out->running = das_timetable_running(s->table);
    out->away = s->away;
    for (size_t i = 0; i < s->count; i++) {
        const struct das_slot *slot = das_timetable_slot(s->table, i);
        out->failing += slot->failures > 0;
        out->skipped += slot->skipped;
    }
    pthread_mutex_unlock(&s->lock);
}

size_t das_schedule_instances(const struct das_schedule *s, const struct das_schedule_entry *e)
{
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++)
        n += s->turns[i].entry == e;
    return n;
}
