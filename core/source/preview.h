/*
 * preview.h - which sessions would a filter hit, right now, on one instance.
 *
 * Looks and returns; it has no way to kill (see source_kill.h).
 */
#ifndef DAS_SOURCE_PREVIEW_H
#define DAS_SOURCE_PREVIEW_H

#include "core/session/selection.h"
#include "core/source/source.h"

enum das_preview_flags {
    DAS_PREVIEW_WHOLE = 1,      /* fetches every session and evaluates all of the filter here: same
                                   result, more bytes, and explain can speak of sessions that are
                                   out */
    DAS_PREVIEW_EXHAUSTIVE = 2, /* where the source cuts its answers: ask on in parts */
};

/* flags: 0 or some of the above. The caller frees the selection. */
struct das_selection *das_preview(struct das_source *s, struct das_filter *filter, unsigned flags,
                                  struct das_err *err);

#endif
