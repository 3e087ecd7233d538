/* patience.h - how long a caller lets somebody else wait for the world: a run's limits, a Ctrl-C. */
#ifndef DAS_BASE_PATIENCE_H
#define DAS_BASE_PATIENCE_H

#include <stddef.h>
#include <stdint.h>

struct das_patience {
    int64_t (*left_ms)(void *arg); /* 0: stop now. NULL: no bound but one's own */
    void *arg;
};

/* Milliseconds; INT64_MAX without a bound. p may be NULL. */
static inline int64_t das_patience_left(const struct das_patience *p)
{
    return p && p->left_ms ? p->left_ms(p->arg) : INT64_MAX;
}

#endif
