/* near.c - see near.h. */
#include "core/replay/near.h"

#include <stdlib.h>
#include <string.h>

#include "core/session/distance.h"
#include "core/session/fingerprint.h"
#include "core/session/mark.h"

/* What became of a key, in place of a place. */
#define SETTLED (DAS_IDMAP_NONE - 1)  /* counted */
#define SELECTED (DAS_IDMAP_NONE - 2) /* never to be counted */

#define TOP_MAX (2 * DAS_REPLAY_NEAR_MAX) /* some of them may be selected yet */
#define RELAXED_MAX 64

void das_near_clear(struct das_near *n)
{
    das_idmap_clear(&n->seen);
    for (size_t i = 0; i < n->top_count; i++)
        das_free(n->top[i].bytes);
    for (size_t i = 0; i < n->relaxed_count; i++) {
        das_free(n->relaxed[i].text);
        das_filter_release(n->relaxed[i].filter);
    }
    das_free(n->relaxed);
}

void das_near_list_clear(struct das_near_list *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        das_free(l->items[i].bytes);
    das_free(l->items);
}

static int64_t key_of(uint32_t number, uint64_t key)
{
    return (int64_t)(key ^ (uint64_t)number * 0x9e3779b97f4a7c15u);
}

/* --- the filter that asks for less ------------------------------------------------------------ */

static void forget_relaxed(struct das_near *n)
{
    for (size_t i = 0; i < n->relaxed_count; i++) {
        das_free(n->relaxed[i].text);
        das_filter_release(n->relaxed[i].filter);
    }
    n->relaxed_count = 0;
}

static int make_relaxed(struct das_near *n, struct das_filter *f, const char *text,
                        struct das_filter **out, struct das_err *err)
{
    struct das_near_relaxed *bigger, *r;
    bool changed;

    if (n->relaxed_count == RELAXED_MAX)
        forget_relaxed(n);
    bigger = das_grow(n->relaxed, n->relaxed_count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    n->relaxed = bigger;
    r = &bigger[n->relaxed_count];
    *r = (struct das_near_relaxed){.text = das_strdup(text)};
    r->filter = r->text ? das_filter_relax(f, DAS_NEAR_PERCENT, &changed, err) : NULL;
    if (!r->filter) {
        das_free(r->text);
        return das_fail_nomem(err);
    }
    if (!changed) {
        das_filter_release(r->filter);
        r->filter = NULL;
    }
    n->relaxed_count++;
    *out = r->filter;
    return 0;
}

/* A script makes its filter anew in each run; it is recognised by how it prints. */
static int relaxed_of(struct das_near *n, struct das_filter *f, struct das_filter **out,
                      struct das_err *err)
{
    struct das_buf b = {0};
    int rc = 1;

    das_filter_print(f, &b);
    if (das_buf_ok(&b, err) < 0)
        rc = -1;
    for (size_t i = 0; i < n->relaxed_count && rc == 1; i++) {
        if (strcmp(n->relaxed[i].text, b.ptr) != 0)
            continue;
        *out = n->relaxed[i].filter;
        rc = 0;
    }
    if (rc == 1)
        rc = make_relaxed(n, f, b.ptr, out, err);
    das_buf_clear(&b);
    return rc;
}

/* --- those that are open ---------------------------------------------------------------------- */

static struct das_text put_text(char **to, struct das_text t)
{
    struct das_text copy = {t.ptr ? *to : NULL, t.len};

    if (t.len)
        memcpy(*to, t.ptr, t.len);
    *to += t.len;
    return copy;
}

/* Its texts into one block. */
static char *keep(struct das_session *s)
{
    size_t size =
        s->user.len + s->host.len + s->db.len + s->command.len + s->state.len + s->sql_info.len;
    char *bytes = das_alloc(size + 1), *to = bytes;

    if (!bytes)
        return NULL;
    s->user = put_text(&to, s->user);
    s->host = put_text(&to, s->host);
    s->db = put_text(&to, s->db);
    s->command = put_text(&to, s->command);
    s->state = put_text(&to, s->state);
    s->sql_info = put_text(&to, s->sql_info);
    return bytes;
}

/* The number that is the farthest from its bound. */
static void describe(struct das_replay_near *near, const struct das_distance *d,
                     const struct das_session *s)
{
    const struct das_miss *m = &d->misses[0];
    struct das_criterion c;

    for (uint32_t i = 1; i < d->told; i++) {
        if (d->misses[i].gap > m->gap)
            m = &d->misses[i];
    }
    near->criterion = m->key;
    near->negated = m->negated;
    near->bound = das_filter_get(m->table, m->key, &c) ? c.number : 0;
    near->value = m->key == DAS_K_TIME       ? s->state_duration
                  : m->key == DAS_K_TRX_TIME ? s->trx_time
                                             : s->rows_modified;
    near->gap = d->gap;
}

static int add_open(struct das_near *n, struct das_near_list *l, int64_t key,
                    const struct das_session *s, struct das_near_open **out, struct das_err *err)
{
    struct das_near_open *o;

    if (l->count == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 16;
        struct das_near_open *bigger = das_grow(l->items, cap, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        l->items = bigger;
        l->cap = cap;
    }
    o = &l->items[l->count];
    *o = (struct das_near_open){.near = {.was = *s, .key = (uint64_t)key, .gap = 2}};
    o->bytes = keep(&o->near.was);
    if (!o->bytes || das_idmap_put(&n->seen, key, l->count) < 0) {
        das_free(o->bytes);
        return das_fail_nomem(err);
    }
    l->count++;
    *out = o;
    return 0;
}

static int take_row(struct das_near *n, struct das_near_list *l, uint32_t number,
                    const char *instance, const struct das_filter *f, const struct das_session *s,
                    int64_t at_ms, struct das_err *err)
{
    struct das_mark mark;
    struct das_distance d;
    struct das_near_open *o = NULL;
    uint32_t place;
    int64_t key;

    das_mark_take(&mark, s, at_ms);
    key = key_of(number, das_mark_key(&mark));
    place = das_idmap_get(&n->seen, key);
    if (place == SETTLED || place == SELECTED)
        return 0;
    das_filter_distance(f, s, &d);
    if (!d.numbers || d.fixed || d.unsure || !d.told)
        return 0;
    if (place != DAS_IDMAP_NONE)
        o = &l->items[place];
    else if (add_open(n, l, key, s, &o, err) < 0)
        return -1;
    o->round = l->round;
    if (d.gap >= o->near.gap)
        return 0;
    o->near.at_ms = at_ms;
    o->near.instance = instance;
    o->near.was.state_duration = s->state_duration;
    describe(&o->near, &d, s);
    return 0;
}

static void remove_open(struct das_near *n, struct das_near_list *l, uint32_t place)
{
    l->count--;
    if (place == l->count)
        return;
    l->items[place] = l->items[l->count];
    das_idmap_put(&n->seen, (int64_t)l->items[place].near.key, place); /* it is there: no memory */
}

/* --- those that are settled ------------------------------------------------------------------- */

static int by_gap(const void *a, const void *b)
{
    const struct das_replay_near *x = &((const struct das_near_open *)a)->near,
                                 *y = &((const struct das_near_open *)b)->near;

    if (x->gap != y->gap)
        return x->gap < y->gap ? -1 : 1;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (strcmp(x->instance, y->instance) != 0)
        return strcmp(x->instance, y->instance);
    return x->was.id < y->was.id ? -1 : x->was.id > y->was.id;
}

static void into_top(struct das_near *n, struct das_near_open *o)
{
    size_t worst = 0;

    if (n->top_count < TOP_MAX) {
        n->top[n->top_count++] = *o;
        return;
    }
    for (size_t i = 1; i < TOP_MAX; i++) {
        if (by_gap(&n->top[i], &n->top[worst]) > 0)
            worst = i;
    }
    if (by_gap(o, &n->top[worst]) < 0) {
        das_free(n->top[worst].bytes);
        n->top[worst] = *o;
    } else {
        das_free(o->bytes);
    }
}

static int settle(struct das_near *n, struct das_near_list *l, uint32_t place, struct das_err *err)
{
    struct das_near_open o = l->items[place];

    if (das_idmap_put(&n->seen, (int64_t)o.near.key, SETTLED) < 0)
        return das_fail_nomem(err);
    remove_open(n, l, place);
    n->count++;
    into_top(n, &o);
    return 0;
}

int das_near_round(struct das_near *n, struct das_near_list *l, struct das_err *err)
{
    for (uint32_t i = l->count; i-- > 0;) {
        if (l->items[i].round != l->round && settle(n, l, i, err) < 0)
            return -1;
    }
    l->round++;
    return 0;
}

int das_near_end(struct das_near *n, struct das_near_list *l, struct das_err *err)
{
    l->round++;
    return das_near_round(n, l, err);
}

static void out_of_top(struct das_near *n, uint64_t key)
{
    for (size_t i = 0; i < n->top_count; i++) {
        if (n->top[i].near.key != key)
            continue;
        das_free(n->top[i].bytes);
        n->top[i] = n->top[--n->top_count];
        return;
    }
}

int das_near_selected(struct das_near *n, struct das_near_list *l, uint32_t number, uint64_t key,
                      struct das_err *err)
{
    int64_t k = key_of(number, key);
    uint32_t place = das_idmap_get(&n->seen, k);

    if (place == SELECTED)
        return 0;
    if (das_idmap_put(&n->seen, k, SELECTED) < 0)
        return das_fail_nomem(err);
    if (place == SETTLED) {
        n->count--;
        out_of_top(n, (uint64_t)k);
    } else if (place != DAS_IDMAP_NONE) {
        das_free(l->items[place].bytes);
        remove_open(n, l, place);
    }
    return 0;
}

/* --- a preview -------------------------------------------------------------------------------- */

/* Whoever is selected, even if nothing comes of it, was not spared by a threshold. */
static int note_selected(struct das_near *n, struct das_near_list *l, uint32_t number,
                         const struct das_selection *sel, int64_t at_ms, struct das_err *err)
{
    struct das_session s;
    struct das_mark mark;

    for (size_t i = 0; i < sel->count; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        das_mark_take(&mark, &s, at_ms);
        if (das_near_selected(n, l, number, das_mark_key(&mark), err) < 0)
            return -1;
    }
    return 0;
}

int das_near_previewed(struct das_near *n, struct das_near_list *l, uint32_t number,
                       const char *instance, const struct das_selection *sel, int64_t at_ms,
                       struct das_err *err)
{
    struct das_filter *relaxed = NULL;
    struct das_selection *more;
    struct das_session s;
    size_t at = 0;
    int rc = relaxed_of(n, sel->filter, &relaxed, err);

    if (rc < 0 || !relaxed)
        return rc;
    if (note_selected(n, l, number, sel, at_ms, err) < 0)
        return -1;
    more = das_select(sel->snap, relaxed, err);
    if (!more)
        return -1;
    for (size_t i = 0; i < more->count && rc == 0; i++) { /* both in the order of the rows */
        if (at < sel->count && sel->rows[at] == more->rows[i]) {
            at++;
            continue;
        }
        das_snapshot_get(sel->snap, more->rows[i], &s);
        rc = take_row(n, l, number, instance, sel->filter, &s, at_ms, err);
    }
    das_selection_free(more);
    return rc;
}

/* --- telling them ----------------------------------------------------------------------------- */

static int tell(struct das_replay_near *to, const struct das_near_open *from,
                struct das_arena *texts, struct das_buf *b)
{
    struct das_text *all[] = {&to->was.user,    &to->was.host,  &to->was.db,
                              &to->was.command, &to->was.state, &to->was.sql_info};

    *to = from->near;
    das_buf_reset(b);
    das_fingerprint(from->near.was.sql_info, b);
    to->fingerprint = from->near.was.sql_info.ptr ? das_buf_view(b) : DAS_TEXT_NULL;
    for (size_t i = 0; i <= sizeof all / sizeof *all; i++) {
        struct das_text *t = i < sizeof all / sizeof *all ? all[i] : &to->fingerprint;
        if (t->ptr && !(t->ptr = das_arena_dup(texts, t->ptr, t->len)))
            return -1;
    }
    return b->failed ? -1 : 0;
}

int das_near_tell(struct das_near *n, struct das_replay_result *result, struct das_err *err)
{
    size_t count = n->top_count < DAS_REPLAY_NEAR_MAX ? n->top_count : DAS_REPLAY_NEAR_MAX;
    struct das_buf b = {0};
    int rc = 0;

    result->near_count = n->count;
    if (!count)
        return 0;
    qsort(n->top, n->top_count, sizeof *n->top, by_gap);
    result->near = das_calloc(count, sizeof *result->near);
    for (size_t i = 0; i < count && result->near && rc == 0; i++) {
        rc = tell(&result->near[i], &n->top[i], &result->texts, &b);
        result->near_told += rc == 0;
    }
    das_buf_clear(&b);
    return rc < 0 || !result->near ? das_fail_nomem(err) : 0;
}
