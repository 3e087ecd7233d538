/*
 * work.h - what hooks have taken and what is not done yet: kept with the note of its delivery
 * (delivery.h), so that it outlives the process.
 *
 * Whoever takes it keeps it under its own run; when that has died (run.c), another one may take it
 * over, and of all who try one gets it. What it is, is not known here: the caller seals it, because
 * it holds secrets.
 */
#ifndef DAS_STORE_WORK_H
#define DAS_STORE_WORK_H

#include <stdbool.h>

#include "core/base/text.h"
#include "core/store/store.h"

/* Borrowed. */
struct das_work_new {
    const char *hook;
    struct das_text work;    /* any bytes; at least one */
    int64_t at_ms, until_ms; /* Unix: when it was taken, and when it is not worth doing any more */
    int64_t n;               /* out: its number, from 1 in the order of taking */
};
/* Keeps w by itself, for what comes with no delivery. On the disk when it returns. */
int das_work_add(struct das_store *s, struct das_work_new *w, struct das_err *err);

/* It is begun now, by that run: this handle's, or another one's of this process that will do it.
 * DAS_E_STORE, too, where it is not this handle's. Neither of the two waits for the disk: they
 * outlive the process, and a power cut with the next commit of any other kind: before a kill can be
 * sent, whose intent is such a one, that it is begun is on the disk. */
int das_work_begin(struct das_store *s, int64_t n, const char *run, struct das_err *err);
/* It is done, or given up: forgotten. */
int das_work_end(struct das_store *s, int64_t n, struct das_err *err);

struct das_work {
    int64_t n, at_ms, until_ms;
    char *hook; /* owned, like the others */
    char *work;
    size_t work_len;
    char *fresh; /* '1' for each id of its delivery that was new, else '0'; "": it came with none */
    char begun[DAS_RUN_ID_SIZE]; /* the run that began it; "": nobody has */
};
#define DAS_WORK_CLAIM_MAX 64
struct das_work_list {
    struct das_work items[DAS_WORK_CLAIM_MAX]; /* oldest first */
    size_t count;
};
void das_work_list_clear(struct das_work_list *l);

/* What runs have left that died, so much at the most, as far as wants() says so (its work is not
 * read by then; called inside a transaction: it must not use s): it is this handle's from now on,
 * and so on the disk. How much that is, or -1. Clear in any case. */
typedef bool das_work_wants(void *arg, const struct das_work *w);
int das_work_claim(struct das_store *s, das_work_wants *wants, void *arg, struct das_work_list *out,
                   struct das_err *err);

#endif
