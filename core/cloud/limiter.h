/*
 * limiter.h - how fast an account may be used: so many requests a second, and a pause when the other
 * side says that it is too many.
 *
 * Shared by threads. Waits, and does nothing else.
 */
#ifndef DAS_CLOUD_LIMITER_H
#define DAS_CLOUD_LIMITER_H

#include <pthread.h>
#include <stdint.h>

struct das_limiter {
    pthread_mutex_t lock;
    double interval_ms; /* between two requests in the long run; 0: none */
    double burst;       /* so many may come at once after a rest */
    double next_ms;     /* monotonic: when the bucket is full again */
};

void das_limiter_init(struct das_limiter *l, double per_second);
void das_limiter_destroy(struct das_limiter *l);
/* Takes the next place: milliseconds to wait for it. -1: the place would come later than within_ms;
 * nothing is taken. */
int64_t das_limiter_take(struct das_limiter *l, int64_t now_ms, int64_t within_ms);
/* Nobody gets a place for so long, and then one after the other. */
void das_limiter_pause(struct das_limiter *l, int64_t now_ms, int64_t ms);

#endif
