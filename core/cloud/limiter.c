/* limiter.c - see limiter.h. A bucket that is full again after so many quiet milliseconds. */
#include "core/cloud/limiter.h"

void das_limiter_init(struct das_limiter *l, double per_second)
{
    pthread_mutex_init(&l->lock, NULL);
    l->interval_ms = per_second > 0 ? 1000 / per_second : 0;
    l->burst = per_second > 1 ? per_second : 1; /* what a second allows may come at its start */
    l->next_ms = 0;
}

void das_limiter_destroy(struct das_limiter *l)
{
    pthread_mutex_destroy(&l->lock);
}

int64_t das_limiter_take(struct das_limiter *l, int64_t now_ms, int64_t within_ms)
{
    double now = (double)now_ms, full, wait;
    int64_t out;

    pthread_mutex_lock(&l->lock);
    full = l->next_ms > now ? l->next_ms : now;
    /* with the bucket full at time `full`, the next place is burst - 1 intervals before that */
    wait = full - now - (l->burst - 1) * l->interval_ms;
    if (wait < 0)
        wait = 0;
    out = (int64_t)wait;
    out += (double)out < wait;
    if (out > within_ms)
        out = -1;
    else
        l->next_ms = full + l->interval_ms;
    pthread_mutex_unlock(&l->lock);
    return out;
}

void das_limiter_pause(struct das_limiter *l, int64_t now_ms, int64_t ms)
{
    /* the bucket is empty then: who has waited for the end of the pause does not come all at once */
    double full = (double)(now_ms + ms) + (l->burst - 1) * l->interval_ms;

    pthread_mutex_lock(&l->lock);
    if (full > l->next_ms)
        l->next_ms = full;
    pthread_mutex_unlock(&l->lock);
}
