/*
 * near.h - near misses: sessions that a preview would have selected had its thresholds been a fifth
 * lower, each session and statement once, with the nearest value that it came to.
 *
 * Who is selected after all is none. The nearest are kept, the others only counted.
 */
#ifndef DAS_REPLAY_NEAR_H
#define DAS_REPLAY_NEAR_H

#include "core/base/idmap.h"
#include "core/replay/report.h"

#define DAS_NEAR_PERCENT 20

struct das_near_open {
    struct das_replay_near near;
    char *bytes; /* of its texts */
    uint32_t round;
};

/* Near ones of an instance that may still come nearer, or be selected. */
struct das_near_list {
    struct das_near_open *items;
    uint32_t count, cap, round;
};

struct das_near {
    struct das_idmap seen; /* by key: a place in the list of its instance, or what became of it */
    struct das_near_open top[2 * DAS_REPLAY_NEAR_MAX];
    size_t top_count;
    uint64_t count;
    struct das_near_relaxed {
        char *text;
        struct das_filter *filter; /* NULL: it has no threshold */
    } * relaxed;                   /* of filters that were asked for before */
    size_t relaxed_count;
};

void das_near_clear(struct das_near *n);
void das_near_list_clear(struct das_near_list *l);

/* sel is what a preview showed at that time. number tells instances apart. */
int das_near_previewed(struct das_near *n, struct das_near_list *l, uint32_t number,
                       const char *instance, const struct das_selection *sel, int64_t at_ms,
                       struct das_err *err);
/* A run is over: who was not near in it is not going to be. */
int das_near_round(struct das_near *n, struct das_near_list *l, struct das_err *err);
/* That session was killed. */
int das_near_selected(struct das_near *n, struct das_near_list *l, uint32_t number, uint64_t key,
                      struct das_err *err);
/* All open ones are settled. */
int das_near_end(struct das_near *n, struct das_near_list *l, struct das_err *err);
/* The nearest, in order, into result; texts into its arena. */
int das_near_tell(struct das_near *n, struct das_replay_result *result, struct das_err *err);

#endif
