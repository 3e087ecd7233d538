/* test_budget.c - bounds on kills: what counts, how long, and that many at once get no more. */
#include "core/store/budget.h"

#include "core/base/clock.h"
#include "tests/unit/store_kit.h"

static struct das_err err;
static char why[300];

static struct das_claim claim(const char *user, uint64_t fingerprint)
{
    return (struct das_claim){das_text_of(user), fingerprint, 0};
}

/* Reserves n for app on orders under one bound. */
static int take(struct das_store *s, struct das_claim *c, size_t n, struct das_bound b)
{
    why[0] = '\0';
    return das_budget_reserve(s, "orders", "policy.lua", c, n, &b, 1, why, sizeof why, &err);
}

static void spend(struct das_store *s, const struct das_claim *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct das_record r = {.kind = "intent", .spends = c[i].id};
        must(das_journal_add(s, &r, 1, &err) == 0, "spent: %s", err.msg);
    }
}

#define BOUND_INIT(name_, scope_, max_, window_)                                                    \
    {                                                                                              \
        .name = name_, .scope = scope_, .max = max_, .window_ms = window_                          \
    }
#define BOUND(name_, scope_, max_, window_)                                                        \
    (struct das_bound)BOUND_INIT(name_, scope_, max_, window_)

static const struct das_bound run_10 = BOUND_INIT("limits.kill.run", DAS_SCOPE_RUN, 10, 0);
static const struct das_bound minute_10 =
    BOUND_INIT("limits.kill.minute", DAS_SCOPE_ALL, 10, 60000);

static void all_or_none(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_claim c[11];

    for (int i = 0; i < 11; i++)
        c[i] = claim("app", 1);
    is_int(take(s, c, 11, run_10), 1, "one over the limit");
    is_str(why, "limits.kill.run: 0 so far and 11 more, expected at most 10", "says the numbers");
    is_int(c[0].id, 0, "nothing was reserved");
    is_int(take(s, c, 10, run_10), 0, "exactly the limit");
    ok(c[0].id > 0 && c[9].id > c[0].id, "reserved");
    is_int(take(s, &c[10], 1, run_10), 1, "then nothing more");
    is_int(das_budget_give_back(s, c, 2, &err), 0, "two are given back");
    is_int(take(s, c, 2, run_10), 0, "and can be had again");
    spend(s, c, 2);
    is_int(das_budget_give_back(s, c, 2, &err), 0, "what was spent");
    is_int(take(s, &c[10], 1, run_10), 1, "is not given back");
    is_int(take(s, c, 0, run_10), 0, "none is always allowed");
    is_int(take(s, c, 1, BOUND("x", DAS_SCOPE_ALL, 0, 0)), 1, "0 allows none");
    das_store_close(s);
}

/* An intent that stands for many kills spends all their places, or is not written. */
static void one_intent_for_many(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_claim c[3] = {claim("app", 0), claim("app", 0), claim("web", 0)};
    struct das_record r = {.kind = "intent", .claims = c, .claim_count = 3};

    is_int(take(s, c, 3, run_10), 0, "three places");
    is_int(das_journal_add(s, &r, 1, &err), 0, "one intent");
    is_int(das_budget_give_back(s, c, 3, &err), 0, "giving back");
    is_int(store_number(dir, "SELECT count(*) FROM kills WHERE at_ms < 9000000000000000000"), 3,
           "changes nothing: all are spent");
    r = (struct das_record){.kind = "intent", .claims = c, .claim_count = 3};
    ok(das_journal_add(s, &r, 1, &err) < 0 && err.code == DAS_E_STORE, "they are spent once");
    is_int(take(s, c, 2, run_10), 0, "two more, with one that was spent");
    r.claims = c;
    ok(das_journal_add(s, &r, 1, &err) < 0, "are refused together");
    is_int(store_number(dir, "SELECT count(*) FROM kills WHERE at_ms > 9000000000000000000"), 2,
           "and none of them is spent");
    is_int(store_number(dir, "SELECT count(*) FROM open_intents"), 1, "nor an intent written");
    das_store_close(s);
}

static void scopes(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *other = store_open(dir);
    struct das_claim c[4] = {claim("app", 1), claim("app", 1), claim("web\x1b", 1), claim(NULL, 1)};
    const struct das_bound user = BOUND_INIT("limits.kill.user", DAS_SCOPE_USER, 2, 600000);
    const struct das_bound instance = BOUND_INIT("limits.kill.instance", DAS_SCOPE_INSTANCE, 4, 90500);
    const struct das_bound many[3] = {run_10, minute_10, instance};

    is_int(take(s, c, 4, user), 0, "two of one user, one of another, one of none");
    is_int(take(other, c, 1, user), 1, "a third of the first, by another run");
    is_str(why,
           "limits.kill.user: 2 of user \"app\" in the last 600 s and 1 more, expected at most 2",
           "says whose");
    is_int(take(other, &c[2], 2, user), 0, "a second of each other");
    is_int(take(other, &c[2], 1, user), 1, "and no third");
    has_str(why, "of user \"web\\u001b\"", "with the name as text");
    is_int(das_budget_reserve(other, "stock", "p", c, 2, &user, 1, why, sizeof why, &err), 0,
           "another instance counts for itself");
    is_int(take(s, c, 1, instance), 1, "six on the instance");
    is_str(why, "limits.kill.instance: 6 in the last 90500 ms and 1 more, expected at most 4",
           "says so");
    is_int(take(s, c, 1, BOUND("run", DAS_SCOPE_RUN, 5, 0)), 0,
           "the run itself had only four");
    is_int(das_budget_would(s, "stock", c, 1, many, 3, why, sizeof why, &err), 0, "a question");
    is_int(das_budget_would(s, "stock", c, 3, many, 3, why, sizeof why, &err), 1,
           "of several bounds");
    has_str(why, "limits.kill.minute: 9 in the last 60 s and 3 more", "that is answered: %s", why);
    is_int(das_budget_would(s, "stock", c, 1, many, 3, why, sizeof why, &err), 0, "takes nothing");
    is_int(das_budget_would(NULL, "stock", c, 4, &user, 1, why, sizeof why, &err), 0,
           "without a database: nothing was killed");
    is_int(das_budget_would(NULL, "stock", c, 4, &BOUND("few", DAS_SCOPE_ALL, 3, 0), 1,
                            why, sizeof why, &err),
           1, "but the bound holds");
    das_store_close(other);
    das_store_close(s);
}

/* The window moves with the clock; here the past is moved instead. */
static void windows(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_claim c[10];
    int64_t now = das_clock_unix_ms();

    for (int i = 0; i < 10; i++)
        c[i] = claim("app", i < 5 ? 7 : UINT64_MAX);
    must(take(s, c, 10, minute_10) == 0, "ten");
    spend(s, c, 8);
    store_sql(dir, "UPDATE kills SET at_ms = at_ms - 61000 WHERE id <= 6");
    is_int(take(s, c, 7, minute_10), 1, "six were a minute ago, two lately, two are reserved");
    has_str(why, "4 in the last 60 s and 7 more", "says so");
    is_int(take(s, c, 6, minute_10), 0, "six are free");
    is_int(take(s, c, 1, BOUND("ever", DAS_SCOPE_ALL, 16, 0)), 1, "without a window");
    has_str(why, "16 so far", "all count");
    is_int(das_budget_recent(s, "orders", das_text_of("app"), 7, now - 100000, &err), 5,
           "spent on this fingerprint");
    is_int(das_budget_recent(s, "orders", das_text_of("app"), UINT64_MAX, now - 100000, &err), 3,
           "and on the other; reserved ones are not yet");
    is_int(das_budget_recent(s, "orders", das_text_of("app"), UINT64_MAX, now - 30000, &err), 2,
           "lately");
    is_int(das_budget_recent(s, "orders", das_text_of("web"), 7, 0, &err), 0, "another user");
    is_int(das_budget_recent(s, "stock", das_text_of("app"), 7, 0, &err), 0, "another instance");
    das_store_close(s);
}

static int reserve_five(void *dir)
{
    struct das_store *s = store_open(dir);
    struct das_claim c[5];

    for (int i = 0; i < 5; i++)
        c[i] = claim("app", 1);
    if (take(s, c, 5, minute_10) != 0)
        return 1;
    spend(s, c, 2);
    return 0;
}

static void dead_runs(void)
{
    char dir[100];
    struct das_store *s, *other;
    struct das_claim c[8];
    pid_t pid;

    for (int i = 0; i < 8; i++)
        c[i] = claim("app", 1);
    snprintf(dir, sizeof dir, "%s", store_dir());
    pid = store_hold(reserve_five, dir);
    s = store_open(dir);
    is_int(take(s, c, 6, minute_10), 1, "a run that lives keeps what it reserved");
    store_kill(pid);
    other = store_open(dir);
    is_int(take(s, c, 8, minute_10), 0, "a dead one only what it spent");
    is_int(store_number(dir, "SELECT count(*) FROM kills"), 10, "no more than the limit");
    das_store_close(other);
    das_store_close(s);
}

/* One process of many: takes 1 to 3 again and again, until there is nothing more; spends some,
 * gives some back. */
static int greedy(void *dir, int i)
{
    struct das_store *s = store_open(dir);
    const struct das_bound bounds[2] = {BOUND_INIT("all", DAS_SCOPE_ALL, 40, 600000),
                                        BOUND_INIT("user", DAS_SCOPE_USER, 15, 600000)};
    static const char *const users[] = {"a", "b", "c", "d"};

    for (int round = 0; round < 40; round++) {
        struct das_claim c[3];
        size_t n = (size_t)(round + i) % 3 + 1;
        int rc;
        for (size_t k = 0; k < n; k++)
            c[k] = claim(users[(round + i + (int)k) % 4], 1);
        rc = das_budget_reserve(s, "orders", "p", c, n, bounds, 2, why, sizeof why, &err);
        if (rc < 0)
            return 1;
        if (rc == 0 && round % 3 == 0 && das_budget_give_back(s, c, n, &err) < 0)
            return 1;
        for (size_t k = 0; rc == 0 && round % 3 && k < n; k++) {
            struct das_record r = {.kind = "intent", .spends = c[k].id};
            if (das_journal_add(s, &r, 1, &err) < 0)
                return 1;
        }
        if (store_number(dir, "SELECT count(*) FROM kills") > 40)
            return 2;
    }
    das_store_close(s);
    return 0;
}

static void never_more(void)
{
    char dir[100];

    snprintf(dir, sizeof dir, "%s", store_dir());
    is_int(store_herd(6, greedy, dir), 6, "six processes take what they can get");
    ok(store_number(dir, "SELECT count(*) FROM kills") <= 40, "never more than the limit");
    ok(store_number(dir, "SELECT count(*) FROM kills") >= 38, "and all of it");
    ok(store_number(dir, "SELECT max(n) FROM (SELECT count(*) n FROM kills GROUP BY user)") <= 15,
       "nor of a user");
    is_int(store_number(dir, "SELECT count(*) FROM kills WHERE at_ms > 9000000000000000000"), 0,
           "nothing is left reserved");
}

int main(void)
{
    all_or_none();
    one_intent_for_many();
    scopes();
    windows();
    dead_runs();
    never_more();
    store_dirs_clear();
    return tap_done();
}
