/*
 * pushdown.h - the part of a filter that a MariaDB or MySQL server can evaluate, as SQL.
 *
 * Only the MariaDB source uses it. The condition is never narrower than the filter: it may let
 * rows through that do not match, because every row is tested again here, but it must not lose one
 * that does. Text reaches the server as hex literals and is compared byte by byte, whatever the
 * collations there.
 */
#ifndef DAS_SOURCE_PUSHDOWN_H
#define DAS_SOURCE_PUSHDOWN_H

#include "core/base/buf.h"
#include "core/session/filter.h"

/* A longer condition is not worth its parsing: the server then sends all rows. */
#define DAS_PUSHDOWN_MAX 65536
/* The same for one list of ids. */
#define DAS_PUSHDOWN_IDS 1000

/* Appends a condition over the columns ID, USER, HOST, DB, COMMAND and TIME of a process list, or
 * nothing when the server could leave no row out. Understood by MariaDB and MySQL alike. */
int das_pushdown_where(const struct das_filter *f, struct das_buf *out, struct das_err *err);

#endif
