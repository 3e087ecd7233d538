/*
 * fault.h - places where a test may end the program as a power cut would.
 *
 * Empty in the program that is installed. In the build for crash tests (-DDAS_FAULTS) the process
 * kills itself with SIGKILL at the place that the variable DAS_FAULT names: "after-intent" the
 * first time, "after-intent:3" the third.
 */
#ifndef DAS_BASE_FAULT_H
#define DAS_BASE_FAULT_H

#ifdef DAS_FAULTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static inline void das_fault(const char *place)
{
    static atomic_int passed;
    const char *want = getenv("DAS_FAULT");
    size_t len = strlen(place);

    if (!want || strncmp(want, place, len) != 0 || (want[len] && want[len] != ':'))
        return;
    if (atomic_fetch_add(&passed, 1) + 1 >= (want[len] ? atoi(want + len + 1) : 1))
        raise(SIGKILL);
}
#define DAS_FAULT(place) das_fault(place)
#else
#define DAS_FAULT(place) ((void)0)
#endif

#endif
