/*
 * criteria.h - whom a preview or a kill task means, as a filter: one reading for both, so that what
 * was previewed is what a task hits.
 */
#ifndef DAS_SERVE_CRITERIA_H
#define DAS_SERVE_CRITERIA_H

#include "core/session/filter.h"
#include "core/store/task.h"

/* Is there any besides time? */
bool das_criteria_any(const struct das_task *t);
/* All of them have to be met; time 0 is none. Without any it selects nothing. DAS_E_USAGE names the
 * one that cannot be. */
struct das_filter *das_criteria_filter(const struct das_task *t, struct das_err *err);

#endif
