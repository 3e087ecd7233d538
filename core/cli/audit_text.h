/*
 * audit_text.h - records of the journal as people read them. Whatever a record holds, no character
 * of it can drive a terminal. Fills buffers only.
 */
#ifndef DAS_CLI_AUDIT_TEXT_H
#define DAS_CLI_AUDIT_TEXT_H

#include "core/base/buf.h"

/* One row of a table for a terminal of so many cells (0: no limit). */
void das_audit_row_head(struct das_buf *b);
void das_audit_row(int64_t seq, struct das_text line, size_t width, struct das_buf *b);

/* seq,time,run,kind,members: what a kind has of its own is one JSON object. */
void das_audit_csv_head(struct das_buf *b);
void das_audit_csv(int64_t seq, struct das_text line, struct das_buf *b);
void das_audit_csv_text(struct das_text t, struct das_buf *b); /* one field, always quoted */

/* Every member in a line of its own, and the hash. */
void das_audit_whole(struct das_text line, const char *hash, struct das_buf *b);

bool das_audit_is_kind(struct das_text line, const char *kind);

#endif
