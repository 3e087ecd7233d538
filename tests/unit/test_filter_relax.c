/* test_filter_relax.c - a filter that asks for a fifth less, against a naive reading of the same.
 */
#include "core/session/distance.h"
#include "tests/unit/any_filter.h"

static struct das_err err;

static const char *relaxed_text(struct das_filter *f, int percent)
{
    struct das_filter *r;
    const char *text;
    bool changed;

    r = das_filter_relax(f, percent, &changed, &err);
    text = r ? kit_text(r) : err.msg;
    if (!changed && r != f)
        text = "another one, though nothing changed";
    das_filter_release(r);
    das_filter_release(f);
    return text;
}

static void examples(void)
{
    is_str(relaxed_text(kit_filter2("command", "Query", "time", "60"), 20),
           "{command=\"Query\", time=48}", "a threshold is a fifth lower, the rest stays");
    is_str(relaxed_text(kit_filter("time", "7"), 20), "{time=6}", "rounded up to whole numbers");
    is_str(relaxed_text(kit_filter("time", "4"), 20), "{time=4}", "4 s less a fifth is 4 s");
    is_str(relaxed_text(kit_filter("rows_modified", "1000"), 20), "{rows_modified=800}", "rows");
    is_str(relaxed_text(kit_filter("trx_time", "10"), 20), "{trx_time=8}", "transactions");
    is_str(relaxed_text(kit_filter("user", "app%"), 20), "{user=\"app%\"}", "no threshold: itself");
    is_str(relaxed_text(kit_not(kit_filter("time", "60")), 20), "~{time=60}",
           "below a not nothing changes");
    is_str(relaxed_text(kit_not(kit_not(kit_filter("time", "60"))), 20), "~~{time=48}",
           "below two it does");
    is_str(relaxed_text(kit_and(kit_filter("time", "60"),
                                kit_not(kit_or(kit_filter("time", "600"), kit_filter("id", "3")))),
                        20),
           "{time=48} & ~({time=600} | {id=3})", "some of it");
    is_str(relaxed_text(kit_filter("time", "2147483646"), 20), "{time=1717986917}",
           "the largest one does not run over");
}

/* As das_filter_test(), with each threshold below an even number of "not" a fifth lower. */
static enum das_truth naive(const struct das_filter *f, const struct das_session *s, bool positive)
{
    enum das_truth a, b;
    struct das_session easier = *s;
    struct das_criterion c;
    struct das_filter *one;

    switch (das_filter_op(f)) {
    case DAS_FILTER_NOT:
        a = naive(das_filter_left(f), s, !positive);
        return a == DAS_UNSURE ? DAS_UNSURE : a == DAS_YES ? DAS_NO : DAS_YES;
    case DAS_FILTER_AND:
    case DAS_FILTER_OR:
        a = naive(das_filter_left(f), s, positive);
        b = naive(das_filter_right(f), s, positive);
        if (das_filter_op(f) == DAS_FILTER_AND)
            return a == DAS_NO || b == DAS_NO     ? DAS_NO
                   : a == DAS_YES && b == DAS_YES ? DAS_YES
                                                  : DAS_UNSURE;
        return a == DAS_YES || b == DAS_YES ? DAS_YES
               : a == DAS_NO && b == DAS_NO ? DAS_NO
                                            : DAS_UNSURE;
    case DAS_FILTER_TABLE:
        break;
    }
    /* a session that has as much as the bound, where it has four fifths of it */
    if (positive && das_filter_get(f, DAS_K_TIME, &c) && das_known(s->state_duration) &&
        s->state_duration * 5 >= c.number * 4 && s->state_duration < c.number)
        easier.state_duration = c.number;
    if (positive && das_filter_get(f, DAS_K_TRX_TIME, &c) && das_known(s->trx_time) &&
        s->trx_time * 5 >= c.number * 4 && s->trx_time < c.number)
        easier.trx_time = c.number;
    if (positive && das_filter_get(f, DAS_K_ROWS_MODIFIED, &c) && das_known(s->rows_modified) &&
        s->rows_modified * 5 >= c.number * 4 && s->rows_modified < c.number)
        easier.rows_modified = c.number;
    one = das_filter_retain((struct das_filter *)(uintptr_t)f);
    a = das_filter_test(one, &easier);
    das_filter_release(one);
    return a;
}

static void at_random(void)
{
    uint64_t seed = kit_seed(23);
    size_t wrong = 0, fewer = 0, more = 0, far = 0;
    struct any_room room;

    for (int i = 0; i < 3000; i++) {
        struct das_filter *f = any_filter(4), *r;
        bool changed;
        r = das_filter_relax(f, 20, &changed, &err);
        for (int k = 0; r && k < 20; k++) {
            struct das_session s = any_session(&room);
            enum das_truth was = das_filter_test(f, &s), is = das_filter_test(r, &s);
            struct das_distance d;
            wrong += is != naive(f, &s, true);
            fewer += was == DAS_YES && is != DAS_YES;
            more += was != DAS_YES && is == DAS_YES;
            das_filter_distance(f, &s, &d);
            far += was != DAS_YES && is == DAS_YES && (d.fixed || d.unsure || !d.numbers);
        }
        wrong += !r;
        das_filter_release(r);
        das_filter_release(f);
    }
    is_int(wrong, 0, "60,000 sessions by the naive reading, SEED=%llu", (unsigned long long)seed);
    is_int(fewer, 0, "who was selected still is");
    ok(more > 100, "and some more are (%zu)", more);
    is_int(far, 0, "of whom nothing but numbers was missing");
}

static void out_of_memory(void)
{
    struct das_filter *f = kit_and(kit_filter2("user", "app%", "time", "60"),
                                   kit_not(kit_not(kit_filter("trx_time", "100")))),
                      *r;
    bool changed;
    long n = 0;

    do {
        das_alloc_fail_at(++n);
        r = das_filter_relax(f, 20, &changed, &err);
        das_filter_release(r);
    } while (!r && n < 1000);
    das_alloc_fail_at(0);
    ok(n > 3 && n < 1000, "out of memory at each allocation: NULL, nothing leaks (%ld)", n);
    das_filter_release(f);
}

int main(void)
{
    examples();
    at_random();
    out_of_memory();
    return tap_done();
}
