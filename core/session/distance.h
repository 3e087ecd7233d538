/*
 * distance.h - how far a session is from being selected by a filter: what would have to be
 * different, and by how much.
 *
 * Pure functions, without memory of their own: a replay asks millions of times. A session is at
 * distance nothing exactly when das_filter_test() says yes.
 */
#ifndef DAS_SESSION_DISTANCE_H
#define DAS_SESSION_DISTANCE_H

#include "core/session/filter.h"

/* One criterion that stands in the way: it is not met; or it is met below a "not"; or nobody can
 * tell, because the source did not say. */
struct das_miss {
    const struct das_filter *table; /* where it stands; borrowed from the filter */
    enum das_key key;
    bool negated;                   /* below an odd number of "not": it should not be met */
    enum das_truth truth;           /* of the criterion itself */
    double gap;                     /* a number too low (negated: too high): by which part of the
                                       bound, 0.05 for 57 s of 60; else 0 */
};

#define DAS_MISSES_TOLD 4

/*
 * Of all the ways into the filter, the nearest one. Ways are compared, and so are sessions, first by
 * how many of the criteria in the way no waiting can change (text, ids, no open transaction), then
 * by how many nobody can tell, then by how many numbers are short of their bound, last by how much
 * (the sum of the gaps).
 */
struct das_distance {
    bool never; /* no session can be selected: a filter without criteria decides. All else is 0 */
    uint32_t fixed, unsure, numbers;
    double gap;
    struct das_miss misses[DAS_MISSES_TOLD]; /* the first of them, in the filter's order */
    uint32_t told;                           /* how many are in misses */
};

void das_filter_distance(const struct das_filter *f, const struct das_session *s,
                         struct das_distance *out);
/* Less than, equal to or greater than 0 as a is nearer, equal, farther. */
int das_distance_cmp(const struct das_distance *a, const struct das_distance *b);
bool das_distance_is_in(const struct das_distance *d);
/* How many criteria are in the way. */
uint32_t das_distance_misses(const struct das_distance *d);

#endif
