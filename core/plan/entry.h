/*
 * entry.h - how this room writes a record of the journal: members as JSON, texts without the run's
 * secrets.
 *
 * For the files that say what they were about to do (record.c, act_record.c) and nobody else.
 */
#ifndef DAS_PLAN_ENTRY_H
#define DAS_PLAN_ENTRY_H

#include "core/base/buf.h"
#include "core/plan/guard.h"
#include "core/store/journal.h"

/* "***" for each secret of the guard's vault; NULL writes null. */
void das_entry_text(const struct das_guard *g, struct das_buf *b, const char *key,
                    struct das_text t);
/* Nothing for NULL and "". */
void das_entry_str(const struct das_guard *g, struct das_buf *b, const char *key, const char *s);
/* b is "{" and the members, and is cleared. r has all but these. */
int das_entry_write(const struct das_guard *g, struct das_record *r, struct das_buf *b,
                    struct das_err *err);

#endif
