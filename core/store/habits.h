/*
 * habits.h - what is remembered of a policy on an instance between its runs: its breaker, and how
 * many sessions it usually matches.
 */
#ifndef DAS_STORE_HABITS_H
#define DAS_STORE_HABITS_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/store/store.h"

enum das_breaker_state {
    DAS_BREAKER_CLOSED,    /* kills pass */
    DAS_BREAKER_OPEN,      /* none do */
    DAS_BREAKER_HALF_OPEN, /* one canary may */
};
const char *das_breaker_name(enum das_breaker_state s); /* "half-open" */

struct das_breaker {
    enum das_breaker_state state;
    int64_t since_ms;   /* Unix ms of the last change; 0: never changed */
    int64_t respawns;   /* statements that came back, since it was closed */
    char reason[300];   /* why it opened */
};

/* A policy that has no entry is closed. */
int das_breaker_get(struct das_store *s, const char *policy, const char *instance,
                    struct das_breaker *out, struct das_err *err);
/* since_ms is set to now when the state changes, and a record "breaker" goes to the journal in the
 * same transaction. */
int das_breaker_put(struct das_store *s, const char *policy, const char *instance,
                    const struct das_breaker *b, struct das_err *err);
/* An open breaker becomes half-open for exactly one caller when it is cooldown_ms old: true for
 * that one. A half-open one that is itself cooldown_ms old (its canary died) may be tried again. */
int das_breaker_try(struct das_store *s, const char *policy, const char *instance,
                    int64_t cooldown_ms, bool *canary, struct das_breaker *out,
                    struct das_err *err);

/* The canary did well: closes the breaker if it is still the half-open one since since_ms (that
 * das_breaker_try() told). False in *closed: another run has changed it meanwhile. */
int das_breaker_close(struct das_store *s, const char *policy, const char *instance,
                      int64_t since_ms, bool *closed, struct das_err *err);
/* So many statements came back; none: they stopped, and the count begins anew. Its state stays
 * what it is. *out: the breaker with them. */
int das_breaker_respawned(struct das_store *s, const char *policy, const char *instance,
                          int64_t count, struct das_breaker *out, struct das_err *err);

struct das_breaker_row {
    const char *policy, *instance;
    struct das_breaker breaker;
};
typedef int das_breaker_fn(void *arg, const struct das_breaker_row *row);
int das_breaker_each(struct das_store *s, das_breaker_fn *fn, void *arg, struct das_err *err);

/* Notes that the policy matched so many, and tells what it usually matches: the median of up to 20
 * earlier notes (not this one). *earlier is how many there were; the last 100 are kept. */
int das_matches_note(struct das_store *s, const char *policy, const char *instance, int64_t count,
                     int64_t *usual, int64_t *earlier, struct das_err *err);

#endif
