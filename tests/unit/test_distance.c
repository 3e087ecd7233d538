/* test_distance.c - how near a session came to being selected, against all ways spelled out. */
#include "core/session/distance.h"

#include <math.h>

#include "core/session/explain.h"
#include "tests/unit/any_filter.h"

/* must() without a line of its own: this is asked a million times. */
#define need(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            must(false, "%s", #cond);                                                              \
    } while (0)

static struct das_err err;

/* --- told by example --------------------------------------------------------------------------- */

/* f is released. */
static struct das_distance far_off(struct das_filter *f, const struct das_session *s, char *words)
{
    struct das_distance d;
    struct das_buf b = {0};

    das_filter_distance(f, s, &d);
    das_explain_distance(&d, s, &b);
    if (words)
        snprintf(words, 500, "%s", b.ptr ? b.ptr : "");
    das_buf_clear(&b);
    das_filter_release(f);
    return d;
}

static void is_far(struct das_filter *f, const struct das_session *s, const char *want)
{
    char name[200], words[500], got[800];
    struct das_distance d;

    snprintf(name, sizeof name, "%s", kit_text(f));
    d = far_off(f, s, words);
    snprintf(got, sizeof got, "%s%u %u %u %.3g %s", d.never ? "never " : "", d.fixed, d.unsure,
             d.numbers, d.gap, words);
    is_str(got, want, "%s", name);
}

static void examples(void)
{
    struct das_session s = kit_session(7);

    s.state_duration = 57;
    s.trx_time = DAS_ABSENT;
    is_far(kit_filter("time", "57"), &s, "0 0 0 0 ");
    is_far(kit_filter("time", "60"), &s, "0 0 1 0.05 time >= 60 s: 57 s (3 s too young)");
    is_far(kit_filter("user", "root"), &s, "1 0 0 0 user = \"root\": \"app\"");
    is_far(kit_filter("id", "8"), &s, "1 0 0 0 id = 8: 7");
    is_far(kit_filter("trx_time", "5"), &s,
           "1 0 0 0 trx_time >= 5 s: none (no open transaction)");
    is_far(kit_filter("rows_modified", "5"), &s,
           "0 1 0 0 rows_modified >= 5 rows: unknown (the source does not tell)");
    is_far(kit_not(kit_filter("rows_modified", "5")), &s,
           "0 1 0 0 not rows_modified >= 5 rows: unknown (the source does not tell)");
    is_far(kit_not(kit_filter("time", "40")), &s, "0 0 1 0.45 not time >= 40 s: 57 s (18 s too old)");
    is_far(kit_not(kit_filter("time", "0")), &s, "1 0 0 0 not time >= 0 s: 57 s");
    is_far(kit_not(kit_filter("user", "a%")), &s, "1 0 0 0 not user like \"a%\": \"app\"");
    is_far(kit_filter2("user", "root", "time", "60"), &s,
           "1 0 1 0.05 user = \"root\": \"app\"; time >= 60 s: 57 s (3 s too young)");
    is_far(kit_not(kit_filter2("user", "app", "time", "50")), &s,
           "0 0 1 0.16 not time >= 50 s: 57 s (8 s too old)");
    is_far(kit_or(kit_filter("user", "root"), kit_filter("time", "114")), &s,
           "0 0 1 0.5 time >= 114 s: 57 s (57 s too young)");
    is_far(kit_filter(NULL, NULL), &s, "never 0 0 0 0 no criterion: selects nothing");
    is_far(kit_not(kit_all()), &s, "never 0 0 0 0 no criterion: selects nothing");
    is_far(kit_all(), &s, "0 0 0 0 ");
    is_far(kit_or(kit_filter(NULL, NULL), kit_filter("user", "x")), &s,
           "1 0 0 0 user = \"x\": \"app\"");
    is_far(kit_and(kit_and(kit_filter2("user", "a", "db", "b"), kit_filter2("host", "c", "state", "d")),
                   kit_filter2("command", "Sleep", "id", "9")), &s,
           "6 0 0 0 user = \"a\": \"app\"; db = \"b\": \"shop\"; host = \"c\": \"10.0.0.7:51000\"; "
           "state = \"d\": \"Sending data\"; and 2 more");
}

/* Each is farther than the one before. */
static void order(void)
{
    static const char *const ways[][4] = {
        {"time", "50"},                        /* in */
        {"time", "60"},                        /* 5 % */
        {"time", "80"},
        {"time", "5700"},
        {"time", "60", "trx_time", "60"},      /* two numbers, however near */
        {"rows_modified", "1"},                /* nobody can tell */
        {"rows_modified", "1", "time", "60"},
        {"user", "x"},                         /* no waiting helps */
        {"user", "x", "time", "60"},
        {"user", "x", "rows_modified", "1"},
        {"user", "x", "db", "y"},
        {NULL},
    };
    struct das_session s = kit_session(7);
    struct das_distance before, now;

    s.state_duration = 57;
    s.trx_time = 59;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct das_filter *f = ways[i][2] ? kit_filter2(ways[i][0], ways[i][1], ways[i][2], ways[i][3])
                                          : kit_filter(ways[i][0], ways[i][1]);
        now = far_off(f, &s, NULL);
        ok(das_distance_cmp(&now, &now) == 0, "as far as itself");
        ok(!i || (das_distance_cmp(&before, &now) < 0 && das_distance_cmp(&now, &before) > 0),
           "way %zu is farther than the one before", i);
        before = now;
    }
}

/* --- against all ways spelled out -------------------------------------------------------------- */

struct literal {
    const struct das_filter *table;
    enum das_key key;
    bool want;
};

struct way {
    struct literal list[32];
    size_t count;
};

struct ways {
    struct way *list;
    size_t count;
};

static struct ways none(void)
{
    return (struct ways){NULL, 0};
}

static struct ways one_way(const struct literal *l)
{
    struct ways w = {calloc(1, sizeof(struct way)), 1};

    need(w.list);
    if (l)
        w.list[0].list[w.list[0].count++] = *l;
    return w;
}

static struct ways either(struct ways a, struct ways b)
{
    a.list = realloc(a.list, (a.count + b.count + 1) * sizeof *a.list);
    need(a.list);
    if (b.count)
        memcpy(a.list + a.count, b.list, b.count * sizeof *b.list);
    a.count += b.count;
    free(b.list);
    return a;
}

static struct ways both(struct ways a, struct ways b)
{
    struct ways w = {calloc(a.count * b.count + 1, sizeof(struct way)), 0};

    need(w.list);
    for (size_t i = 0; i < a.count; i++) {
        for (size_t k = 0; k < b.count; k++) {
            struct way *to = &w.list[w.count++];
            *to = a.list[i];
            for (size_t l = 0; l < b.list[k].count; l++) {
                need(to->count < 32);
                to->list[to->count++] = b.list[k].list[l];
            }
        }
    }
    free(a.list);
    free(b.list);
    return w;
}

static struct ways ways_of(const struct das_filter *f, bool want)
{
    struct ways w;
    bool any = false;
    struct das_criterion c;

    switch (das_filter_op(f)) {
    case DAS_FILTER_NOT:
        return ways_of(das_filter_left(f), !want);
    case DAS_FILTER_AND:
    case DAS_FILTER_OR:
        w = ways_of(das_filter_left(f), want);
        return ((das_filter_op(f) == DAS_FILTER_AND) == want ? both : either)(
            w, ways_of(das_filter_right(f), want));
    case DAS_FILTER_TABLE:
        break;
    }
    w = want ? one_way(NULL) : none();
    for (int k = DAS_K_USER; k <= DAS_K_ROWS_MODIFIED; k++) {
        const struct literal l = {f, (enum das_key)k, want};
        if (!das_filter_get(f, (enum das_key)k, &c))
            continue;
        any = true;
        w = (want ? both : either)(w, one_way(&l));
    }
    if (!any && !(want && das_filter_get(f, DAS_K_ALL, &c))) {
        free(w.list);
        return none();
    }
    return w;
}

static int64_t value_of(const struct das_session *s, enum das_key k)
{
    return k == DAS_K_TIME            ? s->state_duration
           : k == DAS_K_TRX_TIME      ? s->trx_time
           : k == DAS_K_ROWS_MODIFIED ? s->rows_modified
                                      : DAS_UNKNOWN;
}

/* The criterion alone, as a filter of its own. */
static enum das_truth truth_of(const struct literal *l, const struct das_session *s,
                               struct das_criterion *c)
{
    struct das_filter *f = kit_filter(NULL, NULL);
    struct das_value v = {.kind = DAS_V_TEXT};
    enum das_truth t;

    need(das_filter_get(l->table, l->key, c));
    v.text = c->text;
    if (l->key == DAS_K_ID)
        v = (struct das_value){.kind = DAS_V_INTS, .ints = c->ids, .count = c->count};
    else if (!c->text.ptr)
        v = (struct das_value){.kind = DAS_V_INT, .integer = c->number};
    need(das_filter_set(f, das_key_name(l->key), &v, &err) == 0);
    t = das_filter_test(f, s);
    das_filter_release(f);
    return t;
}

static void naive_way(const struct way *w, const struct das_session *s, struct das_distance *d)
{
    struct das_criterion c;

    memset(d, 0, sizeof *d);
    for (size_t i = 0; i < w->count; i++) {
        const struct literal *l = &w->list[i];
        enum das_truth t = truth_of(l, s, &c);
        int64_t v = value_of(s, l->key);

        if (t == (l->want ? DAS_YES : DAS_NO))
            continue;
        if (t == DAS_UNSURE) {
            d->unsure++;
        } else if (!das_known(v) || (!l->want && c.number == 0)) {
            d->fixed++; /* nothing is less than 0 */
        } else {
            double off = l->want ? (double)(c.number - v) : (double)(v - c.number + 1);
            d->numbers++;
            d->gap += off / (double)c.number;
        }
    }
}

static bool same(const struct das_distance *a, const struct das_distance *b)
{
    return a->never == b->never && a->fixed == b->fixed && a->unsure == b->unsure &&
           a->numbers == b->numbers && fabs(a->gap - b->gap) <= 1e-9 * (1 + fabs(a->gap));
}

static void any(void)
{
    enum { ROUNDS = 6000 };
    size_t wrong = 0, in = 0, never = 0, told = 0, many = 0;
    uint64_t seed = kit_seed(20261124);

    for (int i = 0; i < ROUNDS; i++) {
        struct das_filter *f = any_filter(3);
        struct any_room room;
        struct das_session s = any_session(&room);
        struct ways w = ways_of(f, true);
        struct das_distance best = {.never = true}, one, got;

        for (size_t k = 0; k < w.count; k++) {
            naive_way(&w.list[k], &s, &one);
            if (k == 0 || das_distance_cmp(&one, &best) < 0)
                best = one;
        }
        das_filter_distance(f, &s, &got);
        if (!same(&got, &best) && !wrong++)
            tap_diag("seed %llu: %s: %d %u %u %u %g, expected %d %u %u %u %g",
                     (unsigned long long)seed, kit_text(f), got.never, got.fixed, got.unsure,
                     got.numbers, got.gap, best.never, best.fixed, best.unsure, best.numbers, best.gap);
        wrong += das_distance_is_in(&got) != (das_filter_test(f, &s) == DAS_YES);
        told += !got.never && got.told != (das_distance_misses(&got) < DAS_MISSES_TOLD
                                               ? das_distance_misses(&got)
                                               : DAS_MISSES_TOLD);
        in += das_distance_is_in(&got);
        never += got.never;
        many += w.count > 1;
        free(w.list);
        das_filter_release(f);
    }
    is_int((int64_t)wrong, 0, "%d random filters and sessions: the nearest of all ways", ROUNDS);
    is_int((int64_t)told, 0, "and what is in the way is told");
    ok(in > ROUNDS / 20 && never > ROUNDS / 50 && many > ROUNDS / 20,
       "%zu in, %zu never, %zu with several ways", in, never, many);
}

int main(void)
{
    examples();
    order();
    any();
    return tap_done();
}
