/*
 * memory.h - what only the in-memory instance can do: it is made from a snapshot, its clock can be
 * turned forward, and its sessions can be changed. For tests of policies; each function is
 * DAS_E_UNSUPPORTED for a source of another kind. Any handle will do, from any thread.
 */
#ifndef DAS_SOURCE_MEMORY_H
#define DAS_SOURCE_MEMORY_H

#include "core/source/source.h"

/* An instance with the sessions of snap, of which it keeps a reference; nobody else may use snap any
 * longer. It is a server of its own. name is what people call it. */
int das_memory_open(struct das_snapshot *snap, const char *name, struct das_source **out,
                    struct das_err *err);

/* Makes seconds pass. */
int das_memory_advance(struct das_source *s, int64_t seconds, struct das_err *err);

/* A session comes, or is from now on what row says: the id tells which. */
int das_memory_put(struct das_source *s, const struct das_session *row, struct das_err *err);
/* A session ends by itself. DAS_E_USAGE when it is not there. */
int das_memory_remove(struct das_source *s, int64_t id, struct das_err *err);

/* From here on nothing can be listed or killed: DAS_E_CONNECT with why. NULL: it is there again. */
int das_memory_down(struct das_source *s, const char *why, struct das_err *err);

#endif
