/* filter_relax.c - a filter that asks for a little less; see filter.h. */
#include "core/session/filter_impl.h"

static bool is_bound(enum das_key k)
{
    return k == DAS_K_TIME || k == DAS_K_TRX_TIME || k == DAS_K_ROWS_MODIFIED;
}

static int64_t lowered(int64_t n, int percent)
{
    int64_t part = n / 100 * percent + n % 100 * percent / 100; /* n * percent may run over */

    return n - part;
}

/* What is set of k, as das_filter_set() takes it. */
static struct das_value value_of(const struct das_filter *f, enum das_key k, int percent)
{
    struct das_value v = {.kind = DAS_V_INT, .integer = f->number[k]};

    if (is_bound(k))
        v.integer = lowered(f->number[k], percent);
    else if (k == DAS_K_ALL)
        v = (struct das_value){.kind = DAS_V_BOOL, .boolean = true};
    else if (k == DAS_K_ID)
        v = (struct das_value){.kind = DAS_V_INTS, .ints = f->ids, .count = f->id_count};
    else if (f->text[k])
        v = (struct das_value){.kind = DAS_V_TEXT, .text = das_text(f->text[k], f->text_len[k])};
    return v;
}

static struct das_filter *table(struct das_filter *f, int percent, bool *changed,
                                struct das_err *err)
{
    struct das_filter *copy;
    bool lower = false;

    for (int k = 0; k < DAS_K_COUNT; k++)
        lower |= f->set[k] && is_bound((enum das_key)k) &&
                 lowered(f->number[k], percent) != f->number[k];
    if (!lower)
        return das_filter_retain(f);
    copy = das_filter_new(err);
    for (int k = 0; copy && k < DAS_K_COUNT; k++) {
        const struct das_value v = value_of(f, (enum das_key)k, percent);
        if (f->set[k] && das_filter_set(copy, das_key_name((enum das_key)k), &v, err) < 0) {
            das_filter_release(copy);
            return NULL;
        }
    }
    *changed = true;
    return copy;
}

/* positive: below an even number of "not". */
static struct das_filter *relax(struct das_filter *f, int percent, bool positive, bool *changed,
                                struct das_err *err)
{
    struct das_filter *left, *right = NULL, *both = NULL;
    bool here = false;

    if (f->op == DAS_FILTER_TABLE)
        return positive ? table(f, percent, changed, err) : das_filter_retain(f);
    left = relax(f->left, percent, positive == (f->op != DAS_FILTER_NOT), &here, err);
    if (left && f->right)
        right = relax(f->right, percent, positive, &here, err);
    if (left && (right || !f->right)) {
        both = !here                     ? das_filter_retain(f)
               : f->op == DAS_FILTER_NOT ? das_filter_not(left, err)
               : f->op == DAS_FILTER_AND ? das_filter_and(left, right, err)
                                         : das_filter_or(left, right, err);
        *changed |= here;
    }
    das_filter_release(left);
    das_filter_release(right);
    return both;
}

struct das_filter *das_filter_relax(struct das_filter *f, int percent, bool *changed,
                                    struct das_err *err)
{
    *changed = false;
    return relax(f, percent, true, changed, err);
}
