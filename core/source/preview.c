/* preview.c - see preview.h. */
#include "core/source/preview.h"

struct das_selection *das_preview(struct das_source *s, struct das_filter *filter, bool pushdown,
                                  struct das_err *err)
{
    struct das_snapshot *snap;
    struct das_selection *sel = NULL;

    if (das_source_list(s, pushdown ? filter : NULL, &snap, err) < 0)
        return NULL;
    if (!das_filter_can_match(filter) &&
        das_snapshot_warn(snap, err,
                          "the filter has no criterion and selects nothing; all = true means "
                          "every session") < 0)
        goto done;
    sel = das_select(snap, filter, err);
done:
    das_snapshot_release(snap);
    return sel;
}
