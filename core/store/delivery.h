/*
 * delivery.h - what came to the hooks of `das serve`, so that nothing counts twice: not what a
 * platform sends again because it saw no answer, and not what somebody has recorded and sends
 * again.
 *
 * Knows ids and how long to remember them, nothing of platforms; what is fresh is judged before.
 * Several processes may share it: of all who bring the same delivery one is told that it is new.
 */
#ifndef DAS_STORE_DELIVERY_H
#define DAS_STORE_DELIVERY_H

#include <stdbool.h>

#include "core/base/text.h"
#include "core/store/store.h"
#include "core/store/work.h"

struct das_delivery {
    const char *hook;           /* whose ids they are: each hook has its own */
    const struct das_text *ids; /* of what it brings; at least one, none empty */
    size_t count;
    const char *proof; /* NULL or "": none. Else what stands for its signature: that is good for
                          these ids only, and once */
    int64_t keep_ms;   /* how long it is remembered, from now on */
    struct das_work_new *work; /* NULL: none. Else what is to be done about it: kept with the note,
                                  and only where some of it is new */
};

/* Notes it at now_ms (Unix). new_ones (count of them, may be NULL): which ids were never brought
 * before; the same id twice is new once. What was there is remembered longer from now on. Returns
 * how many are new; DAS_DELIVERY_REPLAYED: its proof came before with other ids, and nothing is
 * noted; -1. What is over at now_ms is forgotten. On the disk when it returns. */
#define DAS_DELIVERY_REPLAYED (-2)
int das_delivery_note(struct das_store *s, const struct das_delivery *d, int64_t now_ms,
                      bool *new_ones, struct das_err *err);

/* As if it had never come: for what was noted just now and of which nothing was begun, so that the
 * platform may bring it again; its work goes with it. which: the new ones; NULL: all ids. */
int das_delivery_forget(struct das_store *s, const struct das_delivery *d, const bool *which,
                        struct das_err *err);

#endif
