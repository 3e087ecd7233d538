/*
 * block_read.h - a block of a recording, unpacked: its snapshots one after the other.
 *
 * Owns the text of the block, which its snapshots share. Called by read_blocks.c only. Whatever the
 * bytes are, it asks for no more memory than block.h allows.
 */
#ifndef DAS_SOURCE_BLOCK_READ_H
#define DAS_SOURCE_BLOCK_READ_H

#include "core/session/snapshot.h"
#include "core/source/block.h"

struct das_unpacked;

/* The payload that head tells of; its checksum has been looked at. DAS_E_DATA says what is wrong
 * with it, without a place. */
int das_unpack(const struct das_block_head *head, const void *payload, struct das_unpacked **out,
               struct das_err *err);
void das_unpacked_free(struct das_unpacked *u); /* NULL is fine */

/* 1: *out is the next snapshot and *time_ms when it was taken; the caller owns one reference.
 * 0: that was all. -1: DAS_E_DATA or DAS_E_NOMEM; ask no more. */
int das_unpacked_next(struct das_unpacked *u, struct das_snapshot **out, int64_t *time_ms,
                      struct das_err *err);

#endif
