/*
 * lockout.h - who failed too often: counts failures in a row of a key from an address, and keeps
 * that pair out for a while. Of a bounded number of pairs. Any thread may ask.
 *
 * An IPv6 address is its first 64 bits, because whoever has one of them has them all. Counts and
 * locks are forgotten after the same time; where there is no room, counts go before locks and the
 * oldest go first.
 */
#ifndef DAS_SERVE_LOCKOUT_H
#define DAS_SERVE_LOCKOUT_H

#include "core/base/err.h"
#include "core/store/access.h"

struct das_lockout;

/* After so many failures, for ms. */
struct das_lockout *das_lockout_new(size_t pairs, int failures, int64_t ms, struct das_err *err);
void das_lockout_free(struct das_lockout *l); /* NULL is fine */

/* id: of a key; "" for all that are none. now_ms: Unix, may jump. */
bool das_lockout_is_locked(struct das_lockout *l, const char *id, const char *peer, int64_t now_ms);
void das_lockout_failed(struct das_lockout *l, const char *id, const char *peer, int64_t now_ms);
/* The next failure is the first in a row again. A lock stays. */
void das_lockout_succeeded(struct das_lockout *l, const char *id, const char *peer);
size_t das_lockout_count(struct das_lockout *l); /* pairs that it knows of */

#endif
