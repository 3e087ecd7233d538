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

int64_t das_clock_unix_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000;
}

int64_t das_clock_monotonic_ms(void)
{
    return now_us(CLOCK_MONOTONIC) / 1000;
}

int64_t das_clock_monotonic_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

void das_clock_sleep_ms(int64_t ms)
{
    struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

    if (ms < 1)
        return;
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
