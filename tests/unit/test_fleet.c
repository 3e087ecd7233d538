/*
 * test_fleet.c - the instances that das serve serves: their ids, the list that many share, whose
 * turn it is to kill.
 *
 * The inventory is this test's own: its functions are defined here, so that the library's is not
 * linked, and it hands out scripted sources. Threads are held in a list until the others are known
 * to wait, and the clock is held where time matters.
 */
#include "core/serve/fleet.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "tests/unit/fake_source.h"

static struct das_err err;

static struct das_clock frozen; /* entered where it must stand still */

/* --- an inventory of scripted sources
 * ------------------------------------------------------------- */

#define MOST 4

static struct das_inventory {
    size_t count;
    const char *names[MOST], *ids[MOST], *specs[MOST];
    struct fake fakes[MOST];
    bool closed_to_all; /* none can be opened */
} stock;

size_t das_inventory_count(const struct das_inventory *inv)
{
    return inv->count;
}

const char *das_inventory_name(const struct das_inventory *inv, size_t i)
{
    return inv->names[i];
}

const char *das_inventory_id(const struct das_inventory *inv, size_t i)
{
    return inv->ids[i];
}

const char *das_inventory_spec(const struct das_inventory *inv, size_t i)
{
    return inv->specs[i] ? inv->specs[i] : "mysql://h/";
}

const char *const *das_inventory_tags(const struct das_inventory *inv, size_t i, size_t *count)
{
    static const char *const tags[] = {"prod", "eu"};

    (void)inv;
    *count = i == 0 ? 2 : 0;
    return tags;
}

struct das_source *das_inventory_open(struct das_inventory *inv, size_t i, struct das_err *e)
{
    if (!inv->closed_to_all)
        return &inv->fakes[i].base;
    das_fail(e, DAS_E_IO, "cannot be opened");
    return NULL;
}

/* The fleet closes it: it has to be on the heap. */
int das_inventory_open_again(struct das_inventory *inv, size_t i, struct das_source **out,
                             struct das_err *e)
{
    struct fake *f = das_calloc(1, sizeof *f);

    if (!f)
        return das_fail_nomem(e);
    fake_init(f);
    f->base.name = das_strdup(inv->names[i]);
    *out = &f->base;
    if (f->base.name)
        return 0;
    das_source_close(*out);
    *out = NULL;
    return das_fail_nomem(e);
}

static struct das_fleet *fleet_of(size_t n, int64_t share_ms)
{
    static const char *const names[MOST] = {"orders", "billing", "sample", "ledger"};
    const struct das_fleet_conf conf = {.share_ms = share_ms};
    struct das_fleet *f = NULL;
    struct das_session one = kit_session(7);

    for (size_t i = 0; i < n; i++) {
        if (!stock.names[i])
            stock.names[i] = names[i];
        fake_clear(&stock.fakes[i]);
        fake_init(&stock.fakes[i]);
        fake_show(&stock.fakes[i], &one, 1, 1234567);
    }
    stock.count = n;
    return das_fleet_new(&stock, &conf, &f, &err) < 0 ? NULL : f;
}

static void put_away(struct das_fleet *f)
{
    das_fleet_free(f);
    for (size_t i = 0; i < MOST; i++)
        fake_clear(&stock.fakes[i]);
    memset(&stock, 0, sizeof stock);
}

/* --- ids
 * ------------------------------------------------------------------------------------------ */

static bool lower_hex(const char *s, size_t n)
{
    return strspn(s, "0123456789abcdef") >= n;
}

static void made_ids(void)
{
    struct das_fleet *f = fleet_of(2, 0), *g;
    struct das_member *m;
    const char *id, *user;
    char first[40], wrong[40];
    size_t n;

    must(f, "a fleet");
    is_int(das_fleet_count(f), 2, "of two");
    m = das_fleet_at(f, 0);
    id = das_member_id(m);
    ok(strlen(id) == 36 && lower_hex(id, 32) && strcmp(id + 32, "in01") == 0, "an id: %s", id);
    ok(strncmp(das_member_node(m), id, 32) == 0 && strcmp(das_member_node(m) + 32, "no01") == 0,
       "its node's");
    user = das_member_db_user(m);
    ok(strlen(user) == 36 && user[8] == '-' && user[13] == '-' && user[14] == '8' &&
           user[18] == '-' && user[19] == '8' && user[23] == '-' &&
           strspn(user, "0123456789abcdef-") == 36,
       "its user's: %s", user);
    ok(strcmp(id, das_member_id(das_fleet_at(f, 1))) != 0 &&
           strcmp(user, das_member_db_user(das_fleet_at(f, 1))) != 0,
       "the other one has others");
    is_str(das_member_tags(m, &n)[1], "eu", "tags");
    is_int(n, 2, "all of them");
    das_member_tags(das_fleet_at(f, 1), &n);
    is_int(n, 0, "or none");
    snprintf(first, sizeof first, "%s", id);
    ok(das_fleet_find(f, das_text_of(first)) == m, "found by 36");
    ok(das_fleet_find(f, das_text(first, 32)) == m, "and by 32");
    ok(!das_fleet_find(f, das_text(first, 33)) && !das_fleet_find(f, das_text(first, 31)) &&
           !das_fleet_find(f, DAS_TEXT_NULL) && !das_fleet_find(f, das_text("", 0)),
       "by nothing else");
    snprintf(wrong, sizeof wrong, "%.32sin02", first);
    ok(!das_fleet_find(f, das_text_of(wrong)), "what follows counts where it is there");
    wrong[5] = wrong[5] == 'a' ? 'b' : 'a';
    ok(!das_fleet_find(f, das_text(wrong, 32)), "another id is nobody's");
    ok(das_fleet_named(f, "billing") == das_fleet_at(f, 1) && !das_fleet_named(f, "x"), "by name");
    g = fleet_of(2, 0);
    must(g, "another time");
    is_str(das_member_id(das_fleet_at(g, 0)), first, "the same name has the same id");
    das_fleet_free(g);
    put_away(f);
}

static void given_ids(void)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "0123456789abcdef0123456789abcde",
                                      "0123456789abcdef0123456789abcdefin1",
                                      "0123456789abcdef0123456789abcdefno01",
                                      "0123456789abcdef0123456789abcde-"};
    struct das_fleet *f;

    stock.ids[0] = "0123456789abcdef0123456789abcdef";
    stock.ids[1] = "x123456789abcdef0123456789abcdefin03";
    stock.specs[0] = "mem:x";
    stock.specs[1] = "mariadb://h/";
    stock.specs[2] = "das://r/p/i";
    f = fleet_of(3, 0);
    must(f, "with ids of the configuration");
    is_str(das_member_id(das_fleet_at(f, 0)), "0123456789abcdef0123456789abcdefin01", "32");
    is_str(das_member_id(das_fleet_at(f, 1)), stock.ids[1], "36");
    is_str(das_member_node(das_fleet_at(f, 1)), "x123456789abcdef0123456789abcdefno01", "its node");
    is_str(das_member_kind(das_fleet_at(f, 0)), "mem", "in memory");
    is_str(das_member_kind(das_fleet_at(f, 1)), "mysql", "a server");
    is_str(das_member_kind(das_fleet_at(f, 2)), "das", "at the cloud");
    put_away(f);

    stock.ids[0] = "0123456789abcdef0123456789abcdefin01";
    stock.ids[1] = "0123456789abcdef0123456789abcdefin02";
    ok(!fleet_of(2, 0) && err.code == DAS_E_CONFIG, "the first 32 are nobody else's");
    has_str(err.msg, "\"orders\" and \"billing\" have the same id", "both are named");
    put_away(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stock.ids[0] = bad[i];
        ok(!fleet_of(1, 0) && err.code == DAS_E_CONFIG, "\"%s\" is no id", bad[i]);
        has_str(err.msg, "instance \"orders\": id: expected", "and said so");
    }
    put_away(NULL);
    stock.closed_to_all = true;
    ok(!fleet_of(1, 0) && err.code == DAS_E_IO, "what cannot be opened is told at once");
    has_str(err.msg, "instance \"orders\": cannot be opened", "by name");
    put_away(NULL);
}

/* --- looking
 * -------------------------------------------------------------------------------------- */

#define FAR (INT64_MAX / 4)

static int look(struct das_member *m, int64_t until_ms, bool *shared)
{
    struct das_seen_list at;
    int rc = das_member_look(m, until_ms, &at, &err);

    if (shared)
        *shared = at.shared;
    if ((rc == 0) != (at.snap != NULL))
        rc = -2;
    das_seen_list_clear(&at);
    return rc;
}

static void alone(void)
{
    struct das_fleet *f = fleet_of(1, 0);
    struct das_member *m = das_fleet_at(f, 0);
    struct das_member_health h;
    struct das_seen_list at;
    bool shared = true;

    das_member_health(m, &h);
    ok(!h.asked && h.age_ms == -1 && h.lists == 0, "nobody has asked yet");
    is_int(das_member_look(m, FAR, &at, &err), 0, "a look");
    is_int(das_snapshot_rows(at.snap), 1, "shows who is there");
    is_int(at.taken_s, 1234567, "when, as the source tells");
    das_seen_list_clear(&at);
    is_int(look(m, FAR, &shared), 0, "another one");
    ok(!shared && stock.fakes[0].lists == 2, "asks again: nothing may be old");
    is_int(look(m, 0, NULL), -1, "without any time");
    ok(err.code == DAS_E_TIMEOUT && stock.fakes[0].lists == 2, "nobody is asked");
    das_member_health(m, &h);
    ok(h.asked && h.good && h.age_ms >= 0 && h.lists == 2 && h.shared == 0, "so it is told");
    put_away(f);

    f = fleet_of(1, FAR);
    m = das_fleet_at(f, 0);
    is_int(look(m, FAR, NULL), 0, "where a list may be old");
    is_int(look(m, 0, &shared), 0, "it is there at once");
    ok(shared && stock.fakes[0].lists == 1, "and shared");
    das_member_health(m, &h);
    is_int(h.shared, 1, "which is counted");
    put_away(f);
}

static void taken_without_a_time(void)
{
    struct das_fleet *f = fleet_of(1, 0);
    struct das_session one = kit_session(7);
    int64_t before = das_clock_unix_ms() / 1000;
    struct das_seen_list at;

    fake_show(&stock.fakes[0], &one, 1, 0);
    must(das_member_look(das_fleet_at(f, 0), FAR, &at, &err) == 0, "a list that has no time");
    ok(at.taken_s >= before && at.taken_s <= das_clock_unix_ms() / 1000, "is from now");
    das_seen_list_clear(&at);
    put_away(f);
}

/* At this moment, is another list asked for? */
static bool asks_at(struct das_member *m, int64_t ms)
{
    int lists = stock.fakes[0].lists;

    das_clock_init(&frozen, ms);
    das_clock_enter(&frozen);
    memset(&err, 0, sizeof err);
    look(m, FAR, NULL);
    return stock.fakes[0].lists > lists;
}

static void backing_off(void)
{
    static const int64_t pauses[] = {250, 500, 1000, 2000, 4000, 8000, 10000, 10000};
    struct das_fleet *f = fleet_of(1, 0);
    struct das_member *m = das_fleet_at(f, 0);
    struct das_member_health h;
    int64_t now = 1000;

    stock.fakes[0].list_fails = 1;
    ok(asks_at(m, now), "it is asked, and fails");
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        ok(!asks_at(m, now + pauses[i] - 1), "it is left alone for %lld ms", (long long)pauses[i]);
        is_str(err.msg, "the list failed", "everybody hears the same meanwhile");
        now += pauses[i];
        ok(asks_at(m, now), "then asked again");
    }
    das_member_health(m, &h);
    ok(h.asked && !h.good && h.age_ms == -1, "it is known not to be well");
    is_str(h.why, "the list failed", "and why");
    stock.fakes[0].list_fails = 0;
    ok(asks_at(m, now + 10000) && !err.msg[0], "in the end it answers");
    das_clock_sleep_ms(5);
    das_member_health(m, &h);
    ok(h.good && h.age_ms == 5 && !h.why[0], "and is well again");
    stock.fakes[0].list_fails = 1;
    now = das_clock_monotonic_ms();
    ok(asks_at(m, now) && !asks_at(m, now + 249) && asks_at(m, now + 250),
       "the next failure is a first one");
    das_clock_enter(NULL);
    put_away(f);
}

static void slow(struct fake *f)
{
    (void)f;
    das_clock_sleep_ms(200);
}

static void growing_old(void)
{
    struct das_fleet *f = fleet_of(1, 250);
    struct das_member *m = das_fleet_at(f, 0);

    stock.fakes[0].on_list = slow;
    ok(asks_at(m, 1000), "a list that takes 200 ms");
    ok(!asks_at(m, 1249), "is shared");
    ok(asks_at(m, 1250), "until it is 250 ms since it was asked for, not since it came");
    das_clock_enter(NULL);
    put_away(f);
}

/* --- many at once
 * --------------------------------------------------------------------------------- */

#define HERD 50

static struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    int inside; /* lists that wait at the gate */
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

static void at_gate(struct fake *f)
{
    (void)f;
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}

static void open_gate(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void await_inside(void)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside == 0)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

struct looker {
    struct das_member *m;
    int64_t until_ms;
    pthread_t thread;
    int rc;
    bool shared;
    struct das_err err;
    uint32_t rows;
};

static atomic_int about_to_look;

static void *look_once(void *arg)
{
    struct looker *l = arg;
    struct das_seen_list at;

    atomic_fetch_add(&about_to_look, 1);
    l->rc = das_member_look(l->m, l->until_ms, &at, &l->err);
    l->shared = at.shared;
    l->rows = at.snap ? das_snapshot_rows(at.snap) : 0;
    das_seen_list_clear(&at);
    return NULL;
}

static void begin(struct looker *l, struct das_member *m, int64_t until_ms)
{
    *l = (struct looker){.m = m, .until_ms = until_ms};
    if (pthread_create(&l->thread, NULL, look_once, l) != 0)
        exit(1);
}

static void herd(bool fails)
{
    struct das_fleet *f = fleet_of(1, 0);
    struct das_member *m = das_fleet_at(f, 0);
    struct looker all[HERD];
    int good = 0, shared = 0, same = 0;

    stock.fakes[0].on_list = at_gate;
    stock.fakes[0].list_fails = fails;
    atomic_store(&about_to_look, 0);
    open_gate(false);
    begin(&all[0], m, FAR);
    await_inside(); /* the first one's list is in flight */
    for (int i = 1; i < HERD; i++)
        begin(&all[i], m, FAR);
    while (atomic_load(&about_to_look) < HERD)
        das_clock_sleep_ms(1);
    open_gate(true);
    for (int i = 0; i < HERD; i++) {
        pthread_join(all[i].thread, NULL);
        good += all[i].rc == 0 && all[i].rows == 1;
        shared += all[i].shared;
        same += all[i].rc < 0 && strcmp(all[i].err.msg, "the list failed") == 0;
    }
    if (fails) {
        is_int(same, HERD, "%d that wait for a list that fails all hear why", HERD);
    } else {
        is_int(good, HERD, "%d looks at once all see the sessions", HERD);
        ok(shared >= HERD - stock.fakes[0].lists, "most share a list");
    }
    /* one may come to the lock only when the first list has landed: a second list then */
    ok(stock.fakes[0].lists <= 2, "%d lists for %d looks", stock.fakes[0].lists, HERD);
    put_away(f);
}

static void waiting_ends(void)
{
    struct das_fleet *f = fleet_of(1, 0);
    struct das_member *m = das_fleet_at(f, 0);
    struct looker first;

    stock.fakes[0].on_list = at_gate;
    open_gate(false);
    begin(&first, m, FAR);
    await_inside();
    is_int(look(m, das_clock_monotonic_ms() + 20, NULL), -1, "who waits for another's list");
    is_int(err.code, DAS_E_TIMEOUT, "does so until his time is up");
    is_int(stock.fakes[0].lists, 1, "and begins none");
    open_gate(true);
    pthread_join(first.thread, NULL);
    ok(first.rc == 0 && !first.shared, "the list comes all the same");
    put_away(f);
}

static int64_t late_ms;

/* A list that fails when the time of who asked for it is up. */
static void out_of_time(struct fake *f)
{
    at_gate(f);
    if (f->lists == 1) {
        while (das_clock_monotonic_ms() < late_ms)
            das_clock_sleep_ms(1);
        f->list_fails = 1;
    } else {
        f->list_fails = 0;
    }
}

static void impatient_leader(void)
{
    struct das_fleet *f = fleet_of(1, 0);
    struct das_member *m = das_fleet_at(f, 0);
    struct looker first, second;

    stock.fakes[0].on_list = out_of_time;
    open_gate(false);
    atomic_store(&about_to_look, 0);
    late_ms = das_clock_monotonic_ms() + 100;
    begin(&first, m, late_ms);
    await_inside();
    begin(&second, m, FAR);
    while (atomic_load(&about_to_look) < 2)
        das_clock_sleep_ms(1);
    open_gate(true);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    ok(first.rc < 0, "whose time is up hears of it");
    ok(second.rc == 0 && !second.shared, "who has more asks again: %s",
       second.rc ? second.err.msg : "");
    is_int(stock.fakes[0].lists, 2, "two lists");
    put_away(f);
}

/* --- acting
 * --------------------------------------------------------------------------------------- */

struct actor {
    struct das_member *m;
    int rounds, *inside, most;
};

static void *act(void *arg)
{
    struct actor *a = arg;
    struct das_source *s;
    struct das_err e;

    for (int i = 0; i < a->rounds; i++) {
        if (das_member_enter(a->m, FAR, &s, &e) < 0)
            continue;
        ++*a->inside;
        if (*a->inside > a->most)
            a->most = *a->inside;
        --*a->inside;
        das_member_leave(a->m);
    }
    return NULL;
}

static void turns(void)
{
    struct das_fleet *f = fleet_of(1, 0);
    struct das_member *m = das_fleet_at(f, 0);
    struct das_source *s = NULL, *other = NULL;
    struct actor actors[8];
    pthread_t threads[8];
    int inside = 0, most = 0;

    is_int(das_member_enter(m, 0, &s, &err), 0, "a free place is taken without waiting");
    ok(s && s != das_member_source(m), "by another handle than that for looking");
    is_int(look(m, FAR, NULL), 0, "which goes on meanwhile");
    is_int(das_member_enter(m, das_clock_monotonic_ms() + 20, &other, &err), -1, "one at a time");
    ok(err.code == DAS_E_TIMEOUT && !other, "the other one waits until his time is up");
    has_str(err.msg, "\"orders\"", "and is told where");
    das_member_leave(m);
    for (size_t i = 0; i < 8; i++) {
        actors[i] = (struct actor){m, 500, &inside, 0};
        if (pthread_create(&threads[i], NULL, act, &actors[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        most = actors[i].most > most ? actors[i].most : most;
    }
    ok(most == 1 && inside == 0, "among eight threads, too");
    put_away(f);
}

static void no_memory(void)
{
    int bad = 0;
    long n;

    for (n = 1; n < 1000; n++) {
        const struct das_fleet_conf conf = {.share_ms = 0};
        struct das_fleet *f = NULL;
        bool failed;
        int rc;
        stock.count = 2;
        stock.names[0] = "a";
        stock.names[1] = "b";
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        rc = das_fleet_new(&stock, &conf, &f, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (rc < 0) || (failed && (err.code != DAS_E_NOMEM || f));
        das_fleet_free(f);
        if (!failed)
            break;
    }
    ok(!bad && n > 5 && n < 1000, "%ld failing allocations are each told", n - 1);
}

int main(void)
{
    made_ids();
    given_ids();
    alone();
    taken_without_a_time();
    backing_off();
    growing_old();
    herd(false);
    herd(true);
    waiting_ends();
    impatient_leader();
    turns();
    no_memory();
    return tap_done();
}
