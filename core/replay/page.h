/*
 * page.h - the report of a replay as one HTML file: the page of core/replay/page/ with the report's
 * JSON in it.
 *
 * The page asks for nothing from outside (its own policy forbids it) and draws itself from the JSON
 * in the browser. Whatever the JSON's strings hold - statements, names, reasons - stays data.
 */
#ifndef DAS_REPLAY_PAGE_H
#define DAS_REPLAY_PAGE_H

#include "core/base/buf.h"

/* Appends the page to out. json is one valid JSON object, the report of `das replay -o json`.
 * -1 and err: DAS_E_DATA when json cannot be an object (nothing was appended), DAS_E_NOMEM (out is
 * marked as failed). */
int das_replay_page(struct das_text json, struct das_buf *out, struct das_err *err);

#endif
