/* distance.c - see distance.h. */
#include "core/session/distance.h"

#include <string.h>

#include "core/session/filter_impl.h"

uint32_t das_distance_misses(const struct das_distance *d)
{
    return d->fixed + d->unsure + d->numbers;
}

bool das_distance_is_in(const struct das_distance *d)
{
    return !d->never && das_distance_misses(d) == 0;
}

static int compare(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

int das_distance_cmp(const struct das_distance *a, const struct das_distance *b)
{
    int c = (int)a->never - (int)b->never;

    if (!c)
        c = compare(a->fixed, b->fixed);
    if (!c)
        c = compare(a->unsure, b->unsure);
    if (!c)
        c = compare(a->numbers, b->numbers);
    return c ? c : a->gap < b->gap ? -1 : a->gap > b->gap;
}

/* Both have to happen. */
static void add(struct das_distance *to, const struct das_distance *more)
{
    if (to->never || more->never) {
        memset(to, 0, sizeof *to);
        to->never = true;
        return;
    }
    to->fixed += more->fixed;
    to->unsure += more->unsure;
    to->numbers += more->numbers;
    to->gap += more->gap;
    for (uint32_t i = 0; i < more->told && to->told < DAS_MISSES_TOLD; i++)
        to->misses[to->told++] = more->misses[i];
}

/* One of them is enough. */
static void nearer(struct das_distance *to, const struct das_distance *other)
{
    if (das_distance_cmp(other, to) < 0)
        *to = *other;
}

static bool number_of(enum das_key k, const struct das_session *s, int64_t *value)
{
    *value = k == DAS_K_TIME            ? s->state_duration
             : k == DAS_K_TRX_TIME      ? s->trx_time
             : k == DAS_K_ROWS_MODIFIED ? s->rows_modified
                                        : DAS_UNKNOWN;
    return k == DAS_K_TIME || k == DAS_K_TRX_TIME || k == DAS_K_ROWS_MODIFIED;
}

static void criterion(const struct das_filter *f, enum das_key k, const struct das_session *s,
                      bool want, struct das_distance *out)
{
    enum das_truth truth = das_criterion_test(f, k, s);
    struct das_miss m = {.table = f, .key = k, .negated = !want, .truth = truth};
    int64_t value;

    memset(out, 0, sizeof *out);
    if (truth == das_truth_of(want))
        return;
    if (truth == DAS_UNSURE) {
        out->unsure = 1;
    } else if (number_of(k, s, &value) && das_known(value) && (want || f->number[k] > 0)) {
        double bound = (double)f->number[k]; /* not 0: every number is at least that */
        out->numbers = 1;
        m.gap = want ? ((double)f->number[k] - (double)value) / bound
                     : ((double)value - (double)f->number[k] + 1) / bound;
        out->gap = m.gap;
    } else {
        out->fixed = 1;
    }
    out->misses[out->told++] = m;
}

static void table(const struct das_filter *f, const struct das_session *s, bool want,
                  struct das_distance *out)
{
    struct das_distance one;
    bool any = false;

    memset(out, 0, sizeof *out);
    out->never = !want;
    for (int k = 0; k < DAS_K_TASK_DURATION; k++) { /* in the order in which it is printed */
        if (!f->set[k])
            continue;
        any = true;
        criterion(f, (enum das_key)k, s, want, &one);
        if (want)
            add(out, &one);
        else
            nearer(out, &one);
    }
    if (!any)
        out->never = !want || !f->set[DAS_K_ALL];
}

static void node(const struct das_filter *f, const struct das_session *s, bool want,
                 struct das_distance *out)
{
    struct das_distance right;

    if (f->op == DAS_FILTER_TABLE) {
        table(f, s, want, out);
        return;
    }
    if (f->op == DAS_FILTER_NOT) {
        node(f->left, s, !want, out);
        return;
    }
    node(f->left, s, want, out);
    node(f->right, s, want, &right);
    if ((f->op == DAS_FILTER_AND) == want)
        add(out, &right);
    else
        nearer(out, &right);
}

void das_filter_distance(const struct das_filter *f, const struct das_session *s,
                         struct das_distance *out)
{
    node(f, s, true, out);
}
