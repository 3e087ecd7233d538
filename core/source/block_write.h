/*
 * block_write.h - gathers consecutive snapshots of one instance into a block of a recording.
 *
 * Owns what it gathered; keeps a reference to the last snapshot. Touches no file. Called by
 * recording_writer.c only, by one thread at a time.
 */
#ifndef DAS_SOURCE_BLOCK_WRITE_H
#define DAS_SOURCE_BLOCK_WRITE_H

#include "core/session/snapshot.h"
#include "core/source/block.h"

struct das_block;

/* redact: of statements only the shape is kept. */
struct das_block *das_block_new(const char *instance, bool redact, int level, struct das_err *err);
void das_block_free(struct das_block *b); /* NULL is fine */

/* Adds a snapshot taken at that Unix time. After a failure the block is lost: das_block_reset(). */
int das_block_add(struct das_block *b, struct das_snapshot *s, int64_t time_ms,
                  struct das_err *err);
uint32_t das_block_snapshots(const struct das_block *b); /* since it began */
/* Should it end before another snapshot is added? Ask after each. */
bool das_block_full(const struct das_block *b);
/* Appends head and payload to out and begins the next block. */
int das_block_finish(struct das_block *b, const struct das_crc32 *crc, struct das_buf *out,
                     struct das_err *err);
void das_block_reset(struct das_block *b);

#endif
