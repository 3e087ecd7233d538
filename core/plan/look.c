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

/* {id = {...}}; the caller's to release, also after an error. */
static int only_ids(const int64_t *ids, size_t n, struct das_filter **out, struct das_err *err)
{
    struct das_value value = {.kind = DAS_V_INTS, .count = n, .ints = ids};

    *out = das_filter_new(err);
    return *out ? das_filter_set(*out, "id", &value, err) : -1;
}

/* Of the victims; NULL without an error when there are too many for a filter. */
static int only_victims(const struct das_plan *p, struct das_filter **out, struct das_err *err)
{
    size_t n = das_plan_victims(p);
    struct das_session s;
    int64_t *list;
    int rc;

    *out = NULL;
    if (n > DAS_IDS_MAX)
        return 0;
    list = das_grow(NULL, n, sizeof *list);
    if (!list)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        das_plan_victim(p, i, &s);
        list[i] = s.id;
    }
    rc = only_ids(list, n, out, err);
    das_free(list);
    return rc;
}

static int take(struct das_look *l, struct das_source *source, const struct das_filter *only,
                struct das_err *err)
{
    uint32_t rows;

    l->began_unix_ms = das_clock_unix_ms();
    if (das_source_list(source, &(struct das_query){.filter = only}, &l->snap, err) < 0)
        return -1;
    l->at_ms = das_clock_monotonic_ms();
    rows = das_snapshot_rows(l->snap);
    l->index = das_grow(NULL, rows, sizeof *l->index);
    if (!l->index)
        return das_fail_nomem(err);
    for (uint32_t i = 0; i < rows; i++)
        l->index[i] = (struct das_indexed){das_snapshot_ids(l->snap)[i], i};
    qsort(l->index, rows, sizeof *l->index, by_id);
    return 0;
}

int das_look_take(struct das_look *l, struct das_source *source, const struct das_plan *p,
                  bool victims_only, struct das_err *err)
{
    struct das_filter *only = NULL;
    int rc;

    das_look_clear(l);
    l->number++;
    rc = victims_only ? only_victims(p, &only, err) : 0;
    if (rc == 0)
        rc = take(l, source, only, err);
    das_filter_release(only);
    return rc;
}

int das_look_take_one(struct das_look *l, struct das_source *source, int64_t id,
                      struct das_err *err)
{
    struct das_filter *only = NULL;
    int rc;

    das_look_clear(l);
    l->number++;
    rc = only_ids(&id, 1, &only, err);
    if (rc == 0)
        rc = take(l, source, only, err);
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
