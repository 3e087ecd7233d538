/*
 * written.h - the sessions of one list as the preview's JSON has them, each written once, when it
 * is first asked for.
 *
 * Many clients preview the same shared list; what differs is which sessions they get, not how one
 * looks. Counted by reference, for any thread.
 */
#ifndef DAS_SERVE_WRITTEN_H
#define DAS_SERVE_WRITTEN_H

#include "core/base/buf.h"
#include "core/session/snapshot.h"

struct das_written;

struct das_written *das_written_new(struct das_snapshot *s, struct das_err *err); /* retains it */
struct das_written *das_written_retain(struct das_written *w);
void das_written_release(struct das_written *w); /* NULL is fine */

/* Appends the object of that row; b is marked as failed when there is no memory. */
void das_written_add(struct das_written *w, uint32_t row, struct das_buf *b);

#endif
