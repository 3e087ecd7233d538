/* selection.c - see selection.h. */
#include "core/session/selection.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/mem.h"
#include "core/session/fingerprint.h"

static struct das_selection *selection_new(struct das_snapshot *snap, struct das_filter *filter,
                                           size_t room, struct das_err *err)
{
    struct das_selection *sel = das_calloc(1, sizeof *sel);

    if (sel)
        sel->rows = das_grow(NULL, room, sizeof *sel->rows);
    if (!sel || !sel->rows) {
        das_free(sel);
        das_fail_nomem(err);
        return NULL;
    }
    sel->snap = das_snapshot_retain(snap);
    sel->filter = das_filter_retain(filter);
    return sel;
}

void das_selection_free(struct das_selection *sel)
{
    if (!sel)
        return;
    das_snapshot_release(sel->snap);
    das_filter_release(sel->filter);
    das_free(sel->rows);
    das_free(sel);
}

/* The row list starts small: most filters hit few of many sessions. */
static int push_row(struct das_selection *sel, size_t *room, uint32_t row)
{
    uint32_t *bigger;

    if (sel->count == *room) {
        bigger = das_grow(sel->rows, *room * 2, sizeof *bigger);
        if (!bigger)
            return -1;
        sel->rows = bigger;
        *room *= 2;
    }
    sel->rows[sel->count++] = row;
    return 0;
}

struct das_selection *das_select(struct das_snapshot *snap, struct das_filter *filter,
                                 struct das_err *err)
{
    size_t room = 64;
    uint32_t rows = das_snapshot_rows(snap);
    struct das_selection *sel = selection_new(snap, filter, room, err);
    struct das_matcher *m = NULL;

    if (!sel || !(m = das_matcher_new(filter, snap, err)))
        goto fail;
    for (uint32_t row = 0; row < rows; row++) {
        if ((das_matcher_test(m, row) == DAS_YES || das_snapshot_disputed(snap, row)) &&
            push_row(sel, &room, row) < 0) {
            das_fail_nomem(err);
            goto fail;
        }
    }
    das_matcher_free(m);
    sel->total = das_known(das_snapshot_total(snap)) ? das_snapshot_total(snap)
                                                     : (int64_t)sel->count;
    return sel;
fail:
    das_matcher_free(m);
    das_selection_free(sel);
    return NULL;
}

/* A copy of the first n places of an order over sel. */
static struct das_selection *from_rows(const struct das_selection *sel, struct das_filter *filter,
                                       const uint32_t *rows, size_t n, struct das_err *err)
{
    struct das_selection *out = selection_new(sel->snap, filter, n, err);

    if (!out)
        return NULL;
    if (n)
        memcpy(out->rows, rows, n * sizeof *rows);
    out->count = n;
    out->total = (int64_t)n;
    return out;
}

struct das_selection *das_selection_pick(const struct das_selection *sel, const uint32_t *places,
                                         size_t n, struct das_err *err)
{
    struct das_selection *out = selection_new(sel->snap, sel->filter, n, err);
    unsigned char *seen = out ? das_calloc(sel->count, 1) : NULL;

    if (!seen) {
        das_selection_free(out);
        das_fail_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (places[i] >= sel->count || seen[places[i]]) {
            das_fail(err, DAS_E_USAGE, "place %u is %s in a selection of %zu", places[i] + 1,
                     places[i] >= sel->count ? "not" : "twice", sel->count);
            das_free(seen);
            das_selection_free(out);
            return NULL;
        }
        seen[places[i]] = 1;
        out->rows[out->count++] = sel->rows[places[i]];
    }
    out->total = (int64_t)out->count;
    das_free(seen);
    return out;
}

struct das_selection *das_selection_where(const struct das_selection *sel, struct das_filter *f,
                                          struct das_err *err)
{
    struct das_filter *both = das_filter_and(sel->filter, f, err);
    struct das_selection *out = both ? selection_new(sel->snap, both, sel->count, err) : NULL;
    struct das_matcher *m = out ? das_matcher_new(f, sel->snap, err) : NULL;

    das_filter_release(both);
    if (!m) {
        das_selection_free(out);
        return NULL;
    }
    for (size_t i = 0; i < sel->count; i++) {
        if (das_matcher_test(m, sel->rows[i]) == DAS_YES)
            out->rows[out->count++] = sel->rows[i];
    }
    out->total = (int64_t)out->count;
    das_matcher_free(m);
    return out;
}

struct das_selection *das_selection_limit(const struct das_selection *sel, size_t n,
                                          struct das_err *err)
{
    return from_rows(sel, sel->filter, sel->rows, n < sel->count ? n : sel->count, err);
}

/* --- by age ----------------------------------------------------------------------------------- */

struct aged {
    int32_t duration;
    uint32_t row;
    int64_t id;
};

static int by_id(const struct aged *x, const struct aged *y)
{
    return x->id < y->id ? -1 : x->id > y->id;
}

static int oldest_first(const void *a, const void *b)
{
    const struct aged *x = a, *y = b;

    if (x->duration != y->duration)
        return x->duration > y->duration ? -1 : 1;
    return by_id(x, y);
}

static int newest_first(const void *a, const void *b)
{
    const struct aged *x = a, *y = b;

    if (x->duration != y->duration)
        return x->duration < y->duration ? -1 : 1;
    return by_id(x, y);
}

static struct das_selection *by_age(const struct das_selection *sel, size_t n,
                                    int (*order)(const void *, const void *), struct das_err *err)
{
    const int32_t *durations = das_snapshot_durations(sel->snap);
    const int64_t *ids = das_snapshot_ids(sel->snap);
    struct aged *aged = das_grow(NULL, sel->count, sizeof *aged);
    struct das_selection *out = NULL;
    size_t known = 0;

    if (!aged) {
        das_fail_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < sel->count; i++) {
        uint32_t row = sel->rows[i];
        if (durations[row] >= 0)
            aged[known++] = (struct aged){durations[row], row, ids[row]};
    }
    qsort(aged, known, sizeof *aged, order);
    if (n > known)
        n = known;
    out = selection_new(sel->snap, sel->filter, n, err);
    for (size_t i = 0; out && i < n; i++)
        out->rows[out->count++] = aged[i].row;
    if (out)
        out->total = (int64_t)n;
    das_free(aged);
    return out;
}

struct das_selection *das_selection_oldest(const struct das_selection *sel, size_t n,
                                           struct das_err *err)
{
    return by_age(sel, n, oldest_first, err);
}

struct das_selection *das_selection_newest(const struct das_selection *sel, size_t n,
                                           struct das_err *err)
{
    return by_age(sel, n, newest_first, err);
}

struct das_selection *das_selection_except_oldest(const struct das_selection *sel,
                                                  struct das_err *err)
{
    const int32_t *durations = das_snapshot_durations(sel->snap);
    struct das_selection *oldest = das_selection_oldest(sel, 1, err), *out;

    if (!oldest)
        return NULL;
    out = selection_new(sel->snap, sel->filter, sel->count, err);
    for (size_t i = 0; out && i < sel->count; i++) {
        if (durations[sel->rows[i]] >= 0 && sel->rows[i] != oldest->rows[0])
            out->rows[out->count++] = sel->rows[i];
    }
    if (out)
        out->total = (int64_t)out->count;
    das_selection_free(oldest);
    return out;
}

/* --- groups ------------------------------------------------------------------------------------- */

/* What a session is grouped by, appended to b. False: it has none. */
static bool group_key(const struct das_session *s, int field, bool host_part, struct das_buf *b)
{
    struct das_text t;
    int64_t v;

    if (field < 0) {
        t = host_part ? das_host_part(s->host) : s->sql_info;
        if (!t.ptr)
            return false;
        if (host_part)
            das_buf_text(b, t);
        else
            das_fingerprint(t, b);
        return true;
    }
    if (das_field_is_text((enum das_field)field)) {
        t = das_session_text(s, (enum das_field)field);
        das_buf_text(b, t);
        return t.ptr;
    }
    v = das_session_int(s, (enum das_field)field);
    if (das_known(v))
        das_buf_int(b, v);
    return das_known(v);
}

/* One session's key: its digest (0: none) and its place in the selection. */
struct keyed {
    uint64_t digest;
    uint32_t place;
};

static int by_digest(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;

    if (x->digest != y->digest)
        return x->digest < y->digest ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

struct span { /* keyed[from .. from + count) have one key */
    size_t from, count;
    uint32_t first_place;
};

static int largest_first(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->first_place < y->first_place ? -1 : x->first_place > y->first_place;
}

static int digest_keys(const struct das_selection *sel, int field, bool host_part,
                       struct keyed *keyed, struct das_err *err)
{
    struct das_buf key = {0};
    struct das_session s;
    int rc = 0;

    for (uint32_t i = 0; i < sel->count && rc == 0; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        das_buf_reset(&key);
        keyed[i] = (struct keyed){0, i};
        if (group_key(&s, field, host_part, &key))
            rc = das_digest64(das_buf_view(&key), &keyed[i].digest, err);
        if (rc == 0)
            rc = das_buf_ok(&key, err);
    }
    das_buf_clear(&key);
    return rc;
}

static int fill_group(const struct das_selection *sel, int field, bool host_part,
                      const struct keyed *keyed, const struct span *span, struct das_group *g,
                      struct das_err *err)
{
    struct das_buf key = {0};
    struct das_session s;

    g->members = selection_new(sel->snap, sel->filter, span->count, err);
    if (!g->members)
        return -1;
    for (size_t i = 0; i < span->count; i++)
        g->members->rows[i] = sel->rows[keyed[span->from + i].place];
    g->members->count = span->count;
    g->members->total = (int64_t)span->count;
    das_snapshot_get(sel->snap, g->members->rows[0], &s);
    if (group_key(&s, field, host_part, &key) && !(g->key = das_buf_take(&key)))
        return das_fail_nomem(err);
    das_buf_clear(&key);
    return 0;
}

int das_selection_group(const struct das_selection *sel, const char *key, struct das_groups *out,
                        struct das_err *err)
{
    bool host_part = strcmp(key, "host_part") == 0;
    int field = das_field_find(das_text_of(key)), rc = -1;
    struct keyed *keyed = NULL;
    struct span *spans = NULL;
    size_t n = 0;

    memset(out, 0, sizeof *out);
    if (field < 0 && !host_part && strcmp(key, "fingerprint") != 0)
        return das_fail(err, DAS_E_USAGE,
                        "group_by: unknown field \"%s\"; expected a session field, \"host_part\" "
                        "or \"fingerprint\"",
                        key);
    keyed = das_grow(NULL, sel->count, sizeof *keyed);
    spans = das_grow(NULL, sel->count, sizeof *spans);
    if (!keyed || !spans) {
        das_fail_nomem(err);
        goto done;
    }
    if (digest_keys(sel, field, host_part, keyed, err) < 0)
        goto done;
    qsort(keyed, sel->count, sizeof *keyed, by_digest);
    for (size_t i = 0; i < sel->count; i++) {
        if (i == 0 || keyed[i].digest != keyed[i - 1].digest)
            spans[n++] = (struct span){i, 0, keyed[i].place};
        spans[n - 1].count++;
    }
    qsort(spans, n, sizeof *spans, largest_first);
    out->items = das_calloc(n, sizeof *out->items);
    if (!out->items) {
        das_fail_nomem(err);
        goto done;
    }
    for (; out->count < n; out->count++) {
        if (fill_group(sel, field, host_part, keyed, &spans[out->count], &out->items[out->count],
                       err) < 0) {
            out->count++; /* the half-made one is cleared too */
            das_groups_clear(out);
            goto done;
        }
    }
    rc = 0;
done:
    das_free(keyed);
    das_free(spans);
    return rc;
}

void das_groups_clear(struct das_groups *g)
{
    for (size_t i = 0; i < g->count; i++) {
        das_free(g->items[i].key);
        das_selection_free(g->items[i].members);
    }
    das_free(g->items);
    memset(g, 0, sizeof *g);
}
