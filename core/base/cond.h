/*
 * cond.h - a condition whose timed waits go by the machine's monotonic clock, as das_clock_machine_ms()
 * has it: setting the clock of the machine wakes nobody.
 */
#ifndef DAS_BASE_COND_H
#define DAS_BASE_COND_H

#include <pthread.h>
#include <time.h>

static inline void das_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

#endif
