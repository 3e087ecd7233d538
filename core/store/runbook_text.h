/*
 * runbook_text.h - what a run did, for people and programs: its transcript as JSON, as Markdown fit
 * for a ticket. Reads the store, decides nothing.
 */
#ifndef DAS_STORE_RUNBOOK_TEXT_H
#define DAS_STORE_RUNBOOK_TEXT_H

#include "core/base/buf.h"
#include "core/store/runbook.h"

/* "running", ..., or "interrupted". NULL with err. */
const char *das_runbook_state(struct das_store *s, const struct das_runbook *r,
                              struct das_err *err);

/* One JSON object: the run with "steps" (each with its "notes") and "stretches". Moments are Unix
 * ms. */
int das_runbook_json(struct das_store *s, const struct das_runbook *r, struct das_buf *b,
                     struct das_err *err);
/* The run alone, as in a list: the same members without steps and stretches. */
int das_runbook_json_line(struct das_store *s, const struct das_runbook *r, struct das_buf *b,
                          struct das_err *err);
int das_runbook_markdown(struct das_store *s, const struct das_runbook *r, struct das_buf *b,
                         struct das_err *err);

#endif
