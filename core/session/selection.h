/*
 * selection.h - some rows of a snapshot, and the choices made among them.
 *
 * A selection owns its row list and a reference to its snapshot and filter; each operation gives a
 * new one. Older means a larger state_duration; ties go to the smaller id; a session whose
 * duration is unknown is never the oldest and never the newest.
 */
#ifndef DAS_SESSION_SELECTION_H
#define DAS_SESSION_SELECTION_H

#include "core/session/filter.h"

struct das_selection {
    struct das_snapshot *snap;
    struct das_filter *filter; /* what selected it */
    uint32_t *rows;
    size_t count;
    int64_t total; /* matches at the source: count, or more where the source cut the list */
};

/* The rows of snap that filter surely matches, and those that its source selected although das's own
 * reading of the filter would not (disputed). Retains both. */
struct das_selection *das_select(struct das_snapshot *snap, struct das_filter *filter,
                                 struct das_err *err);
/* Rows by position (0-based) in sel, in that order; places >= count or repeated are refused. */
struct das_selection *das_selection_pick(const struct das_selection *sel, const uint32_t *places,
                                         size_t n, struct das_err *err);
struct das_selection *das_selection_where(const struct das_selection *sel, struct das_filter *f,
                                          struct das_err *err);
/* The n oldest, oldest first (n may exceed what there is). Unknown ages are left out. */
struct das_selection *das_selection_oldest(const struct das_selection *sel, size_t n,
                                           struct das_err *err);
struct das_selection *das_selection_newest(const struct das_selection *sel, size_t n,
                                           struct das_err *err);
struct das_selection *das_selection_limit(const struct das_selection *sel, size_t n,
                                          struct das_err *err);
/* All but the oldest one, in the order they stand in. Unknown ages are left out: one of them might
 * be the oldest. */
struct das_selection *das_selection_except_oldest(const struct das_selection *sel,
                                                  struct das_err *err);
void das_selection_free(struct das_selection *sel); /* NULL is fine */

/* Groups of equal key, largest first, ties in the order of first appearance. key is a field name,
 * "host_part" or "fingerprint". Sessions whose key is NULL or unknown form a group of key NULL. */
struct das_group {
    char *key; /* NULL: the sessions that have none */
    struct das_selection *members;
};
struct das_groups {
    struct das_group *items;
    size_t count;
};
int das_selection_group(const struct das_selection *sel, const char *key, struct das_groups *out,
                        struct das_err *err);
void das_groups_clear(struct das_groups *g);

#endif
