/*
 * filter_json.h - a filter as JSON and back, exactly: what is read prints and matches as what was
 * written.
 *
 * A table is an object of its criteria, {"user":"app%","time":60}; id is a list of ids and all is
 * true. A composition is an array, ["and",A,B], ["or",A,B] or ["not",A], so that no key of a table
 * can ever be taken for one. Text that is not UTF-8 has another key and is in hex:
 * {"user_hex":"61ff"}.
 */
#ifndef DAS_SESSION_FILTER_JSON_H
#define DAS_SESSION_FILTER_JSON_H

#include "core/base/json.h"
#include "core/session/filter.h"

/* The same filter always gives the same bytes. */
void das_filter_json(const struct das_filter *f, struct das_buf *b);

/* Borrows j. NULL and err (DAS_E_DATA, naming the key) on what das_filter_json() would never write:
 * another type, an unknown key, empty text, a nesting or a number of parts over the limits of
 * filter.h. Only hex of what is UTF-8 after all is taken as well. */
struct das_filter *das_filter_from_json(const json_t *j, struct das_err *err);

#endif
