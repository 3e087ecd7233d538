/*
 * flight.h - one thread fetches what many want, and the others wait for it.
 *
 * Owns whose turn it is, and what the last attempt came to. Knows nothing of what is fetched: that
 * is its user's, under the same lock. A failure is told to all that waited for it, and for a while
 * to those that come after, so that what is broken is not hammered.
 */
#ifndef DAS_CLOUD_FLIGHT_H
#define DAS_CLOUD_FLIGHT_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/err.h"
#include "core/base/patience.h"

/* Shared by any number of flights. */
struct das_tower {
    pthread_mutex_t lock; /* of the flights, and of what they fetch */
    pthread_cond_t changed;
};
void das_tower_init(struct das_tower *t);
void das_tower_clear(struct das_tower *t);

/* Starts as {0}. */
struct das_flight {
    bool busy;
    uint64_t attempt;   /* the number of the last one */
    uint64_t failed;    /* of the last one that failed; 0: the last one did not */
    int failures;       /* in a row */
    int64_t not_before; /* monotonic ms: none before that */
    struct das_err err; /* of failed */
};

enum das_turn {
    DAS_TURN_MINE,   /* fetch it, without the lock, and land */
    DAS_TURN_AGAIN,  /* something may have changed: look */
    DAS_TURN_FAILED, /* err says why: an attempt's error, or DAS_E_TIMEOUT: no patience left */
};

/* With the lock, which is let go for a while, when what is wanted is not there. *waited: 0 at
 * first. */
enum das_turn das_flight_board(struct das_flight *f, struct das_tower *t, uint64_t *waited,
                               const struct das_patience *patience, struct das_err *err);
/* With the lock, by the thread whose turn it was. failure: NULL when there is none, or one that
 * concerns this thread alone. No attempt is made within pause_ms; 0: after a failure within 1 s,
 * twice as long after each in a row, but a minute at most. */
void das_flight_land(struct das_flight *f, struct das_tower *t, const struct das_err *failure,
                     int64_t pause_ms);
/* With the lock: it has become urgent; the next attempt may be made in 1 s at the latest. */
void das_flight_hasten(struct das_flight *f);

#endif
