/* preview.c - see preview.h. */
#include "core/source/preview.h"

/* A source may keep the list and give it again: what is said of this preview goes on a copy. */
static int warn_of_nothing(struct das_snapshot **snap, struct das_err *err)
{
    struct das_snapshot *own = das_snapshot_derive(*snap, NULL, das_snapshot_rows(*snap), err);

    if (!own)
        return -1;
    das_snapshot_release(*snap);
    *snap = own;
    return das_snapshot_warn(own, err,
                             "the filter has no criterion and selects nothing; all = true means "
                             "every session");
}

struct das_selection *das_preview(struct das_source *s, struct das_filter *filter, unsigned flags,
                                  struct das_err *err)
{
    const struct das_query q = {.filter = flags & DAS_PREVIEW_WHOLE ? NULL : filter,
                                .exhaustive = (flags & DAS_PREVIEW_EXHAUSTIVE) != 0};
    struct das_snapshot *snap;
    struct das_selection *sel = NULL;

    if (das_source_list(s, &q, &snap, err) < 0)
        return NULL;
    if (das_filter_can_match(filter) || warn_of_nothing(&snap, err) == 0)
        sel = das_select(snap, filter, err);
    das_snapshot_release(snap);
    return sel;
}
