/*
 * block_told.h - what a block of a recording tells of a list besides its sessions: which server,
 * how old, warnings and the like. Private to core/source/block*.c.
 */
#ifndef DAS_SOURCE_BLOCK_TOLD_H
#define DAS_SOURCE_BLOCK_TOLD_H

#include "core/session/snapshot.h"
#include "core/source/block.h"

/* What hardly ever changes from one list to the next, and is told only when it does. */
void das_told_put(const struct das_snapshot *s, struct das_buf *out);
/* Goes over it without using it; b tells whether it is whole and within the limits. */
void das_told_skip(struct das_bytes *b);
/* Of one that was gone over. */
int das_told_read(struct das_bytes b, struct das_snapshot *s, struct das_err *err);

#endif
