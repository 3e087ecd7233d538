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

/* a op b in the place of *a; releases b. */
static int compose(struct das_filter **a, struct das_filter *b, bool both, struct das_err *err)
{
    struct das_filter *c = (both ? das_filter_and : das_filter_or)(*a, b, err);

    das_filter_release(*a);
    das_filter_release(b);
    *a = c;
    return c ? 0 : -1;
}

/* {user = ..., host = ...} of a victim, NULL when it has neither: any. */
static int who_is(const struct das_session *s, struct das_filter **out, struct das_err *err)
{
    *out = das_filter_new(err);
    if (!*out || das_filter_set_exactly(*out, "user", s->user, err) < 0 ||
        das_filter_set_exactly(*out, "host", das_host_part(s->host), err) < 0) {
        das_filter_release(*out);
        *out = NULL;
        return -1;
    }
    return 0;
}

static bool same_owner(const struct das_session *a, const struct das_session *b)
{
    return das_text_eq(a->user, b->user) &&
           das_text_eq(das_host_part(a->host), das_host_part(b->host));
}

/* So many users and hosts are named at the most; with more the source is asked for everybody. */
#define OWNERS_MAX 12

/* To *f is added who the victims are, for a source that cannot find them by id. */
static int name_owners(const struct das_plan *p, const size_t *victims, size_t n,
                       struct das_filter **f, struct das_err *err)
{
    struct das_session met[OWNERS_MAX], s;
    struct das_filter *owners = NULL, *one;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        bool known = false;
        das_plan_victim(p, victims ? victims[i] : i, &s);
        for (size_t k = 0; k < count && !known; k++)
            known = same_owner(&met[k], &s);
        if (known)
            continue;
        if (count == OWNERS_MAX || (!s.user.len && !s.host.len)) {
            das_filter_release(owners);
            return 0;
        }
        met[count++] = s;
        if (who_is(&s, &one, err) < 0 ||
            (owners ? compose(&owners, one, false, err) : (owners = one, 0)) < 0) {
            das_filter_release(owners);
            return -1;
        }
    }
    return owners ? compose(f, owners, true, err) : 0;
}

/* Of the victims; NULL without an error when there are too many for a filter. */
static int only_victims(const struct das_plan *p, bool finds_ids, struct das_filter **out,
                        struct das_err *err)
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
    if (rc == 0 && !finds_ids)
        rc = name_owners(p, NULL, n, out, err);
    das_free(list);
    return rc;
}

/* A session that is missing must be gone: a source that cuts its answers is asked on, and none may be
 * left out that is one of those. */
static struct das_query query_of(const struct das_filter *those)
{
    return (struct das_query){.filter = those, .exhaustive = true, .own_reading = true};
}

/* Whom the source selects for the plan's filter, by its own reading. */
static struct das_query query_chosen(const struct das_plan *p)
{
    return (struct das_query){.filter = das_plan_filter(p), .exhaustive = true};
}

static int take(struct das_look *l, struct das_source *source, const struct das_query *q,
                struct das_err *err)
{
    uint32_t rows;

    l->began_unix_ms = das_clock_unix_ms();
    if (das_source_list(source, q, &l->snap, err) < 0)
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
                  enum das_look_at at, struct das_err *err)
{
    struct das_filter *only = NULL;
    struct das_query q;
    int rc = 0;

    das_look_clear(l);
    l->number++;
    if (at == DAS_LOOK_VICTIMS)
        rc = only_victims(p, das_source_finds_ids(source), &only, err);
    q = at == DAS_LOOK_CHOSEN ? query_chosen(p) : query_of(only);
    if (rc == 0)
        rc = take(l, source, &q, err);
    das_filter_release(only);
    return rc;
}

int das_look_take_one(struct das_look *l, struct das_source *source, const struct das_plan *p,
                      size_t i, struct das_err *err)
{
    struct das_filter *only = NULL;
    struct das_session s;
    struct das_query q;
    int rc = 0;

    das_look_clear(l);
    l->number++;
    das_plan_victim(p, i, &s);
    if (!s.disputed) {
        rc = only_ids(&s.id, 1, &only, err);
        if (rc == 0 && !das_source_finds_ids(source))
            rc = name_owners(p, &i, 1, &only, err);
    }
    q = s.disputed ? query_chosen(p) : query_of(only);
    if (rc == 0)
        rc = take(l, source, &q, err);
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
