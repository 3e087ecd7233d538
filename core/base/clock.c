/* clock.c - see clock.h. */
#include "core/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- a clock of one's own ---------------------------------------------------------------------- */

static _Thread_local struct das_clock *entered;

void das_clock_init(struct das_clock *c, int64_t unix_ms)
{
    atomic_init(&c->unix_ms, unix_ms);
}

int64_t das_clock_at_ms(const struct das_clock *c)
{
    return atomic_load(&c->unix_ms);
}

void das_clock_move_to(struct das_clock *c, int64_t unix_ms)
{
    int64_t now = das_clock_at_ms(c);

    while (now < unix_ms && !atomic_compare_exchange_weak(&c->unix_ms, &now, unix_ms))
        ;
}

void das_clock_enter(struct das_clock *c)
{
    entered = c;
}

struct das_clock *das_clock_entered(void)
{
    return entered;
}

/* --- the clocks -------------------------------------------------------------------------------- */

int64_t das_clock_unix_ms(void)
{
    return entered ? das_clock_at_ms(entered) : now_us(CLOCK_REALTIME) / 1000;
}

int64_t das_clock_machine_ms(void)
{
    return now_us(CLOCK_MONOTONIC) / 1000;
}

int64_t das_clock_monotonic_ms(void)
{
    return entered ? das_clock_at_ms(entered) : das_clock_machine_ms();
}

int64_t das_clock_monotonic_us(void)
{
    return entered ? das_clock_at_ms(entered) * 1000 : now_us(CLOCK_MONOTONIC);
}

void das_clock_sleep_ms(int64_t ms)
{
    struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

    if (ms < 1)
        return;
    if (entered) {
        atomic_fetch_add(&entered->unix_ms, ms);
        return;
    }
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}

void das_clock_iso(int64_t unix_s, char *out, size_t size)
{
    time_t t = (time_t)unix_s;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || !strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(out, size, "%lld", (long long)unix_s);
}
