/* test_selection.c - oldest, newest, limit, pick, where and groups: who is chosen, in which order. */
#include "core/session/selection.h"

#include "tests/unit/kit.h"

static struct das_err err;

static struct das_session aged(int64_t id, int64_t duration)
{
    struct das_session s = kit_session(id);

    s.state_duration = duration;
    return s;
}

/* What op made of sel, which stays; the result is released. */
static void gives(struct das_selection *out, const char *want, const char *what)
{
    is_str(kit_ids(out), want, "%s", what);
    if (out)
        is_int(out->total, out->count, "%s: the total is what is there", what);
    das_selection_free(out);
}

static void ages(void)
{
    const struct das_session list[] = {aged(5, 10), aged(2, 30), aged(9, 30), aged(1, DAS_UNKNOWN),
                                       aged(7, 0), aged(3, 30), aged(4, DAS_UNKNOWN)};
    struct das_selection *sel = kit_select(list, 7), *none;

    is_str(kit_ids(sel), "5 2 9 1 7 3 4", "as the source lists them");
    gives(das_selection_oldest(sel, 1, &err), "2", "ties go to the smaller id");
    gives(das_selection_oldest(sel, 4, &err), "2 3 9 5", "oldest first");
    gives(das_selection_oldest(sel, 100, &err), "2 3 9 5 7", "unknown ages are left out");
    gives(das_selection_oldest(sel, SIZE_MAX, &err), "2 3 9 5 7", "however many are asked for");
    gives(das_selection_oldest(sel, 0, &err), "", "none of them");
    gives(das_selection_newest(sel, 1, &err), "7", "the newest");
    gives(das_selection_newest(sel, 100, &err), "7 5 2 3 9", "newest first, ties by smaller id");
    gives(das_selection_limit(sel, 2, &err), "5 2", "the first two");
    gives(das_selection_limit(sel, SIZE_MAX, &err), "5 2 9 1 7 3 4", "all of them");
    gives(das_selection_limit(sel, 0, &err), "", "or none");
    gives(das_selection_except_oldest(sel, &err), "5 9 7 3",
          "all but the oldest; an unknown age might be the oldest");
    is_str(kit_ids(sel), "5 2 9 1 7 3 4", "the selection itself does not change");
    das_selection_free(sel);

    sel = kit_select(&list[3], 1);
    gives(das_selection_except_oldest(sel, &err), "", "no known age, nobody to spare: nothing");
    das_selection_free(sel);
    sel = kit_select(list, 1);
    gives(das_selection_except_oldest(sel, &err), "", "the only one is the oldest");
    none = das_selection_limit(sel, 0, &err);
    gives(das_selection_oldest(none, 3, &err), "", "the oldest of none");
    gives(das_selection_except_oldest(none, &err), "", "all but the oldest of none");
    das_selection_free(none);
    das_selection_free(sel);
    das_selection_free(NULL);
}

static void picking(void)
{
    const struct das_session list[] = {aged(5, 10), aged(2, 30), aged(9, 30)};
    struct das_selection *sel = kit_select(list, 3);
    const uint32_t order[] = {2, 0}, twice[] = {1, 1}, beyond[] = {3};

    gives(das_selection_pick(sel, order, 2, &err), "9 5", "by place, in that order");
    gives(das_selection_pick(sel, NULL, 0, &err), "", "no place");
    ok(!das_selection_pick(sel, twice, 2, &err) && err.code == DAS_E_USAGE, "no place twice");
    is_str(err.msg, "place 2 is twice in a selection of 3", "told as people count");
    ok(!das_selection_pick(sel, beyond, 1, &err), "nor one that is not there");
    is_str(err.msg, "place 4 is not in a selection of 3", "told too");
    das_selection_free(sel);
}

static void where(void)
{
    struct das_session list[] = {aged(5, 10), aged(2, 30), aged(9, 30)};
    struct das_selection *sel, *out;
    struct das_filter *f = kit_filter("user", "app"), *none = kit_filter(NULL, NULL);

    list[1].user = das_text_of("other");
    sel = kit_select(list, 3);
    out = das_selection_where(sel, f, &err);
    is_str(kit_ids(out), "5 9", "the ones that match as well");
    is_str(kit_text(out->filter), "{all=true} & {user=\"app\"}",
           "the filter says both, for the check before a kill");
    gives(das_selection_where(out, none, &err), "", "no criterion, no session");
    das_selection_free(out);
    das_selection_free(sel);
    das_filter_release(f);
    das_filter_release(none);
}

static void told_total(void)
{
    const struct das_session list[] = {aged(5, 10), aged(2, 30)};
    struct das_snapshot *snap = kit_snapshot(list, 2);
    struct das_filter *f = kit_all();
    struct das_selection *sel;

    das_snapshot_set_total(snap, 250);
    sel = das_select(snap, f, &err);
    ok(sel && sel->total == 250 && sel->count == 2, "a source that cut the list tells the total");
    das_selection_free(sel);
    das_snapshot_release(snap);
    das_filter_release(f);
}

static void group(const struct das_selection *sel, const char *key, const char *want)
{
    struct das_groups g;
    char out[1000] = "";
    size_t n = 0;

    if (!ok(das_selection_group(sel, key, &g, &err) == 0, "group by %s", key))
        return;
    for (size_t i = 0; i < g.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s: %s", i ? "; " : "",
                              g.items[i].key ? g.items[i].key : "NULL",
                              kit_ids(g.items[i].members));
    is_str(out, want, "groups by %s", key);
    das_groups_clear(&g);
    das_groups_clear(&g);
}

static void groups(void)
{
    struct das_session list[7];
    struct das_selection *sel, *few;

    for (int i = 0; i < 7; i++)
        list[i] = aged(i + 1, i < 3 ? 5 : DAS_UNKNOWN);
    list[0].user = list[3].user = das_text_of("b");
    list[1].user = DAS_TEXT_NULL;
    list[4].user = das_text("", 0);
    list[5].user = DAS_TEXT_NULL;
    list[2].host = das_text_of("10.0.0.8:1");
    list[3].host = das_text_of("10.0.0.8:2");
    list[4].host = DAS_TEXT_NULL;
    list[0].sql_info = das_text_of("select 1 from t where x in (1, 2)");
    list[1].sql_info = das_text_of("SELECT  2 from t where x in (7) -- again");
    list[2].sql_info = DAS_TEXT_NULL;
    sel = kit_select(list, 7);
    group(sel, "user", "b: 1 4; NULL: 2 6; app: 3 7; : 5");
    group(sel, "host_part", "10.0.0.7: 1 2 6 7; 10.0.0.8: 3 4; NULL: 5");
    group(sel, "fingerprint",
          "select * from orders: 4 5 6 7; select ? from t where x in (?): 1 2; NULL: 3");
    group(sel, "state_duration", "NULL: 4 5 6 7; 5: 1 2 3");
    group(sel, "trx_time", "NULL: 1 2 3 4 5 6 7");
    few = das_selection_limit(sel, 0, &err);
    group(few, "user", "");
    das_selection_free(few);
    few = das_selection_newest(sel, 2, &err);
    group(few, "id", "1: 1; 2: 2");
    das_selection_free(few);
    ok(das_selection_group(sel, "nonsense", &(struct das_groups){0}, &err) < 0 &&
           err.code == DAS_E_USAGE,
       "an unknown field is refused");
    has_str(err.msg, "group_by: unknown field \"nonsense\"", "by name");
    das_selection_free(sel);
}

/* One sweep over everything that makes a selection. */
static struct das_selection *chain(struct das_snapshot *snap, struct das_filter *f,
                                   struct das_filter *g)
{
    struct das_selection *steps[6] = {0}, *out = NULL;
    const uint32_t places[] = {1, 0};
    struct das_groups groups = {0};

    if ((steps[0] = das_select(snap, f, &err)) &&
        (steps[1] = das_selection_where(steps[0], g, &err)) &&
        (steps[2] = das_selection_oldest(steps[1], 50, &err)) &&
        (steps[3] = das_selection_pick(steps[2], places, 2, &err)) &&
        (steps[4] = das_selection_except_oldest(steps[3], &err)) &&
        das_selection_group(steps[0], "fingerprint", &groups, &err) == 0)
        out = das_selection_limit(steps[4], 1, &err);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        das_selection_free(steps[i]);
    das_groups_clear(&groups);
    return out;
}

static void no_memory(void)
{
    struct das_session list[70];
    struct das_snapshot *snap;
    struct das_filter *f = kit_filter("user", "app"), *g = kit_filter("host", "10.%");
    int bad = 0;
    long n;

    for (int i = 0; i < 70; i++)
        list[i] = aged(i, i);
    snap = kit_snapshot(list, 70);
    for (n = 1; n < 500; n++) {
        struct das_selection *sel;
        bool failed;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        sel = chain(snap, f, g);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (sel == NULL) || (failed && err.code != DAS_E_NOMEM);
        das_selection_free(sel);
        if (!failed)
            break;
    }
    ok(!bad && n > 20, "%ld failing allocations are each told", n - 1);
    das_snapshot_release(snap);
    das_filter_release(f);
    das_filter_release(g);
}

int main(void)
{
    ages();
    picking();
    where();
    told_total();
    groups();
    no_memory();
    return tap_done();
}
