/* flight.c - see flight.h. */
#include "core/cloud/flight.h"

#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"

#define LOOK_MS 50 /* how often a thread that waits asks whether it may go on doing so */
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 60000

void das_tower_init(struct das_tower *t)
{

    pthread_mutex_init(&t->lock, NULL);
    das_cond_init(&t->changed);
}

void das_tower_clear(struct das_tower *t)
{
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
}

static void wait_ms(struct das_tower *t, int64_t ms)
{
    int64_t until = das_clock_monotonic_ms() + ms;
    struct timespec ts = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    pthread_cond_timedwait(&t->changed, &t->lock, &ts);
}

enum das_turn das_flight_board(struct das_flight *f, struct das_tower *t, uint64_t *waited,
                               const struct das_patience *patience, struct das_err *err)
{
    int64_t left;

    if (f->failed && (f->failed == *waited || das_clock_monotonic_ms() < f->not_before)) {
        *err = f->err;
        return DAS_TURN_FAILED;
    }
    if (!f->busy) {
        f->busy = true;
        f->attempt++;
        return DAS_TURN_MINE;
    }
    *waited = f->attempt;
    pthread_mutex_unlock(&t->lock); /* whoever is asked may have locks of its own */
    left = das_patience_left(patience);
    pthread_mutex_lock(&t->lock);
    if (f->busy && f->attempt == *waited) {
        if (left <= 0) {
            das_fail(err, DAS_E_TIMEOUT, "the time is up, and another thread has no answer yet");
            return DAS_TURN_FAILED;
        }
        wait_ms(t, left < LOOK_MS ? left : LOOK_MS);
    }
    return DAS_TURN_AGAIN;
}

/* 1 s, and twice as long after each failure in a row. */
static int64_t backoff_ms(int failures)
{
    int64_t ms = PAUSE_MS;

    for (int i = 1; i < failures && ms < PAUSE_MAX_MS; i++)
        ms *= 2;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

void das_flight_land(struct das_flight *f, struct das_tower *t, const struct das_err *failure,
                     int64_t pause_ms)
{
    f->busy = false;
    f->failed = failure ? f->attempt : 0;
    f->failures = failure ? f->failures + 1 : 0;
    if (failure) {
        f->err = *failure;
        if (!pause_ms)
            pause_ms = backoff_ms(f->failures);
    }
    f->not_before = das_clock_monotonic_ms() + pause_ms;
    pthread_cond_broadcast(&t->changed);
}

void das_flight_hasten(struct das_flight *f)
{
    int64_t soon = das_clock_monotonic_ms() + PAUSE_MS;

    if (f->not_before > soon)
        f->not_before = soon;
}
