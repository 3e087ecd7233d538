/*
 * own.h - which connections this process itself holds, so that no source of it kills another's.
 *
 * Only the sources that make connections use it. Safe to call from any thread.
 */
#ifndef DAS_SOURCE_OWN_H
#define DAS_SOURCE_OWN_H

#include "core/session/snapshot.h"

int das_own_add(const struct das_identity *server, int64_t id, struct das_err *err);
void das_own_remove(const struct das_identity *server, int64_t id); /* unknown ones are fine */

/* Marks all of them that are at the snapshot's server (das_snapshot_add_own). */
int das_own_mark(struct das_snapshot *s, struct das_err *err);

#endif
