/*
 * fingerprint.h - the shape of a statement: what stays when its values change.
 *
 * Literals become ?, lists of them one ?, comments go, white space folds to one blank, letters
 * outside quoted names become lower case. For grouping; never a proof that two statements do the
 * same.
 */
#ifndef DAS_SESSION_FINGERPRINT_H
#define DAS_SESSION_FINGERPRINT_H

#include "core/base/buf.h"

/* Appends the fingerprint of sql to b. Never longer than sql + 1. */
void das_fingerprint(struct das_text sql, struct das_buf *b);

/* The same for who must keep no value: a statement ends at the first quote behind a backslash, since
 * only the server's sql_mode tells whether that quote ends its literal. */
void das_statement_shape(struct das_text sql, struct das_buf *b);

#endif
