/* filter_impl.h - the inside of a filter, for filter.c, match.c and explain.c only. */
#ifndef DAS_SESSION_FILTER_IMPL_H
#define DAS_SESSION_FILTER_IMPL_H

#include <stdatomic.h>

#include "core/session/filter.h"
#include "core/session/pattern.h"

struct das_filter {
    atomic_uint refs;
    enum das_filter_op op;
    struct das_filter *left, *right;
    int depth;
    size_t parts; /* tables and operators, counted as often as a walk meets them */

    /* a table: what was given, by key */
    bool set[DAS_K_COUNT];
    char *text[DAS_K_COUNT]; /* NUL-terminated copy; length beside it */
    size_t text_len[DAS_K_COUNT];
    int64_t number[DAS_K_COUNT];
    int64_t *ids; /* sorted */
    size_t id_count;

    /* and what was made of it */
    struct das_pattern user, host, db, state;
    struct das_pattern host_rest; /* what follows the brackets of host */
    bool host_bracketed;          /* host is what stood in brackets: an IPv6 address only */
    struct das_keywords info;
};

/* Keys that look at a session, in the order in which a conjunction asks them: cheap first. */
extern const enum das_key das_key_order[];
extern const size_t das_key_order_count;

/* One set criterion of a table against one session. */
enum das_truth das_criterion_test(const struct das_filter *f, enum das_key k,
                                  const struct das_session *s);
enum das_truth das_at_least(int64_t value, int64_t bound);

static inline enum das_truth das_truth_of(bool yes)
{
    return yes ? DAS_YES : DAS_NO;
}

static inline enum das_truth das_truth_and(enum das_truth a, enum das_truth b)
{
    if (a == DAS_NO || b == DAS_NO)
        return DAS_NO;
    return a == DAS_YES && b == DAS_YES ? DAS_YES : DAS_UNSURE;
}

static inline enum das_truth das_truth_not(enum das_truth a)
{
    return a == DAS_UNSURE ? DAS_UNSURE : das_truth_of(a == DAS_NO);
}

static inline enum das_truth das_truth_or(enum das_truth a, enum das_truth b)
{
    if (a == DAS_YES || b == DAS_YES)
        return DAS_YES;
    return a == DAS_NO && b == DAS_NO ? DAS_NO : DAS_UNSURE;
}

#endif
