/* look.c - the fresh list, and finding a victim in it (see apply_impl.h). */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/plan/apply_impl.h"

void das_look_clear(struct das_look *l)
{
    das_snapshot_release(l->snap);
    das_free(l->index);
    l->snap = NULL;
    l->index = NULL;
}

static int by_id(const void *a, const void *b)
{
    const struct das_indexed *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* {id = {...}} of the victims; NULL without an error when there are too many for a filter. */
static int only_victims(const struct das_plan *p, struct das_filter **out, struct das_err *err)
{
    size_t n = das_plan_victims(p);
    struct das_value ids = {.kind = DAS_V_INTS, .count = n};
    struct das_session s;
    int64_t *list;
    int rc;

    *out = NULL;
    if (n > DAS_IDS_MAX)
        return 0;
    *out = das_filter_new(err);
    if (!*out)
        return -1;
    list = das_grow(NULL, n, sizeof *list);
    if (!list)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        das_plan_victim(p, i, &s);
        list[i] = s.id;
    }
    ids.ints = list;
    rc = das_filter_set(*out, "id", &ids, err);
    das_free(list);
    return rc;
}

int das_look_take(struct das_look *l, struct das_source *source, const struct das_plan *p,
                  bool victims_only, struct das_err *err)
{
    struct das_filter *only = NULL;
    uint32_t rows;
    int rc = -1;

    das_look_clear(l);
    l->number++;
    if (victims_only && only_victims(p, &only, err) < 0)
        goto done;
    if (das_source_list(source, only, &l->snap, err) < 0)
        goto done;
    l->at_ms = das_clock_monotonic_ms();
    rows = das_snapshot_rows(l->snap);
    l->index = das_grow(NULL, rows, sizeof *l->index);
    if (!l->index) {
        das_fail_nomem(err);
        goto done;
    }
    for (uint32_t i = 0; i < rows; i++)
        l->index[i] = (struct das_indexed){das_snapshot_ids(l->snap)[i], i};
    qsort(l->index, rows, sizeof *l->index, by_id);
    rc = 0;
done:
    das_filter_release(only);
    return rc;
}

/* A list that names an id twice does not say which of the two a kill would hit. */
enum das_found das_look_find(const struct das_look *l, int64_t id, struct das_session *out)
{
    struct das_indexed key = {id, 0}, *hit, *end = l->index + das_snapshot_rows(l->snap);

    hit = bsearch(&key, l->index, das_snapshot_rows(l->snap), sizeof key, by_id);
    if (!hit)
        return DAS_FOUND_NO;
    if ((hit > l->index && hit[-1].id == id) || (hit + 1 < end && hit[1].id == id))
        return DAS_FOUND_TWICE;
    das_snapshot_get(l->snap, hit->row, out);
    return DAS_FOUND;
}
