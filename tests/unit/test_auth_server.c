/*
 * test_auth_server.c - what the server does with those who ask, over time: lockout, rate, keys that come and go, threads, a
 * store that fails, memory that runs out.
 */
#include "tests/unit/auth_kit.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- lockout ---------------------------------------------------------------------------------- */

static void lockout(struct das_auth *a, struct client *c, struct client *other)
{
    int64_t t = now_s * 1000;
    struct sent good = get(c), bad = forged(c, now_s);
    const char *limit = "AK access failed to reach the limit, forbidden";

    for (int i = 1; i < DAS_AUTH_FAILURES; i++)
        no(at_ms(a, "10.3.0.1", bad, t), "verify aksk signature fail", "failure %d", i);
    ok(at_ms(a, "10.3.0.1", good, t), "one less than the limit");
    for (int i = 1; i < DAS_AUTH_FAILURES; i++)
        at_ms(a, "10.3.0.1", bad, t);
    ok(at_ms(a, "10.3.0.1", good, t), "a success begins the count anew");
    for (int i = 0; i < DAS_AUTH_FAILURES; i++)
        no(at_ms(a, "10.3.0.1", bad, t), "verify aksk signature fail", "a failure in a row");
    no(at_ms(a, "10.3.0.1", good, t), limit, "then the key is locked, however it is signed");
    is_str(caller.id, c->id, "the log is told whose it is");
    ok(at_ms(a, "10.3.0.2", good, t), "from that address only");
    ok(at_ms(a, "10.3.0.1", get(other), t), "and no other key");
    for (int i = 0; i < 20; i++)
        at_ms(a, "10.3.0.1", bad, t + 200000);
    no(at_ms(a, "10.3.0.1", good, t + DAS_AUTH_LOCK_MS - 1), limit, "until the last moment");
    ok(at_ms(a, "10.3.0.1", good, t + DAS_AUTH_LOCK_MS), "not longer, whatever came meanwhile");
    no(at_ms(a, "10.3.0.1", bad, t + DAS_AUTH_LOCK_MS), "verify aksk signature fail",
       "and the count begins anew");
}

static void strangers(struct das_auth *a, struct client *c)
{
    struct client nobody = {.id = "DASAAAAAAAAAAAAAAAAA", .secret = "no secret of anybody"};
    struct sent s = get(&nobody);

    for (int i = 0; i < DAS_AUTH_FAILURES; i++)
        no(from(a, "10.4.0.1", s), "Get secretKey failed", "a key that nobody has");
    is_str(caller.id, "", "the log is not told a name that is made up");
    no(from(a, "10.4.0.1", s), "forbidden", "unknown ones are counted by address");
    snprintf(nobody.id, sizeof nobody.id, "DASBBBBBBBBBBBBBBBBB");
    das_signer_free(nobody.signer);
    nobody.signer = NULL;
    no(from(a, "10.4.0.1", get(&nobody)), "forbidden", "all together");
    no(from(a, "10.4.0.1", with_token("x")), "forbidden", "tokens, too");
    ok(from(a, "10.4.0.1", get(c)), "who has a key is not locked out with them");
    no(from(a, "10.4.0.2", get(&nobody)), "Get secretKey failed", "another address");
    das_signer_free(nobody.signer);
}

/* --- reload ----------------------------------------------------------------------------------- */

static void reload(struct das_auth *a, struct client *c)
{
    size_t before = das_auth_keys(a);
    struct client fresh = key("fresh", READ, 0), broken = {.signer = NULL}, ended;
    struct das_access odd = {.id = "DASODD", .kind = DAS_ACCESS_KEY, .created_ms = 1};

    no(from(a, "10.6.0.1", get(&fresh)), "Get secretKey failed", "not known yet");
    must(das_auth_refresh(a, &err) == 0, "read again");
    ok(from(a, "10.6.0.1", get(&fresh)), "known now");
    is_int(das_auth_keys(a), before + 1, "one more");
    must(das_access_revoke(store, fresh.id, "test", &err) == 0, "revoked");
    ok(from(a, "10.6.0.1", get(&fresh)), "not seen yet");
    must(das_auth_refresh(a, &err) == 0, "read again");
    no(from(a, "10.6.0.1", get(&fresh)), "Get secretKey failed", "refused now");
    is_str(caller.name, "fresh", "the log is told whose it was");
    is_int(das_auth_keys(a), before, "one less");

    ended = token("ended", 0);
    must(das_auth_refresh(a, &err) == 0, "a token");
    ok(from(a, "10.6.0.2", with_token(ended.secret)), "passes");
    must(das_access_revoke(store, ended.id, "test", &err) == 0 && das_auth_refresh(a, &err) == 0,
         "is revoked");
    no(from(a, "10.6.0.2", with_token(ended.secret)), "decrypt token fail", "and refused");
    is_str(caller.name, "ended", "the log is told whose it was");

    add(&odd, T("not sealed by anybody, but long enough to be"));
    ok(das_auth_refresh(a, &err) < 0 && err.code == DAS_E_CONFIG && strstr(err.msg, "DASODD"),
       "one that cannot be opened is said: %s", err.msg);
    ok(asks(a, get(c)), "the others are good all the same");
    memcpy(broken.id, odd.id, sizeof odd.id);
    snprintf(broken.secret, sizeof broken.secret, "guess");
    no(from(a, "10.6.0.1", get(&broken)), "Get secretKey failed", "that one is not");
    ok(das_auth_refresh(a, &err) == 0, "it is said once");
    must(das_access_revoke(store, "DASODD", "test", &err) == 0, "revoked");
    ok(das_auth_refresh(a, &err) == 0, "and nothing is wrong any more");
    das_signer_free(fresh.signer);
    das_signer_free(broken.signer);
}

/* --- rate ------------------------------------------------------------------------------------- */

static int burst(struct das_auth *a, struct client *c, int n, int64_t ms)
{
    struct sent s = get(c);
    int passed = 0;

    for (int i = 0; i < n; i++)
        passed += ask_as(a, &s, "10.0.0.1", false, ms);
    return passed;
}

static void rate(struct client *c, struct client *t)
{
    struct das_auth *a = server(10), *slow = server(0.5);
    int64_t ms = now_s * 1000;
    struct client more;
    int bad = 0;

    is_int(burst(a, c, 25, ms), 10, "ten at once at ten a second");
    ok(why.status == 429 && strcmp(why.code, "APIGW.0308") == 0 && why.retry_after == 1,
       "then 429, and when to come again");
    is_str(why.message,
           "The throttling threshold has been reached: policy key over ratelimit,limit:10,time:1 "
           "second",
           "in the gateway's words");
    is_int(burst(a, c, 25, ms + 300), 3, "three after 300 ms");
    is_int(burst(a, c, 25, ms + 60000), 10, "never more than ten");
    is_int(burst(a, c, 5, ms + 59000), 0, "nothing comes of a clock that goes back");
    is_int(burst(a, c, 5, ms + 60100), 1, "nor twice the same");
    for (int i = 0; i < 50; i++) {
        struct sent f = forged(c, now_s);
        char peer[20];
        snprintf(peer, sizeof peer, "10.0.1.%d", i);
        bad += ask_as(a, &f, peer, false, ms + 61100);
    }
    is_int(bad + burst(a, c, 25, ms + 61100), 10, "who fails uses up nobody's rate");
    ok(asks(a, with_token(t->secret)), "each key has its own");
    more = key("more", READ, 0);
    must(das_auth_refresh(a, &err) == 0, "another key");
    is_int(burst(a, c, 5, ms + 61100), 0, "a reload gives nothing");
    (void)more;
    is_int(burst(slow, c, 5, ms) + burst(slow, c, 5, ms + 1999), 1, "one in two seconds");
    is_int(burst(slow, c, 5, ms + 2001), 1, "the next");
    das_auth_free(a);
    das_auth_free(slow);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    struct das_auth *a;
    struct sent good, bad;
    const char *peer;
    int passed, failed, once;
};

#define ROUNDS 3000

static void *work(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < ROUNDS; i++) {
        const struct das_auth_ask good = {of(&w->good), w->peer, i % 1000 == 0, now_s * 1000},
                                  bad = {of(&w->bad), w->peer, false, now_s * 1000};
        struct das_caller who;
        struct das_refusal r;
        bool passed = das_auth_check(w->a, &good, &who, &r) == 0;
        if (good.writes)
            w->once += passed;
        else
            w->passed += passed;
        w->failed += das_auth_check(w->a, &bad, &who, &r) < 0;
    }
    return NULL;
}

/* Two threads with one key, a third that reads the keys again all the time. */
static void threads(struct client *c)
{
    struct das_auth *a = server(0);
    struct worker w[2];
    int reads = 0, before = 0;

    memset(w, 0, sizeof w);
    for (int i = 0; i < 2; i++) {
        w[i].a = a;
        w[i].good = get(c);
        w[i].bad = forged(c, now_s + i);
        w[i].peer = "10.7.0.1";
        snprintf(w[i].bad.path, sizeof w[i].bad.path, "/other");
    }
    /* what fails comes from the same address: without a good one between five it would lock */
    for (int i = 0; i < 2; i++)
        must(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0, "thread %d", i);
    for (int i = 0; i < 20; i++) {
        struct client extra = key("extra", READ, 0);
        reads += das_auth_refresh(a, &err) == 0;
        before += das_access_revoke(store, extra.id, "test", &err) == 0;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(w[i].thread, NULL);
    is_int(reads, 20, "keys were read again meanwhile");
    is_int(w[0].failed + w[1].failed, 2 * ROUNDS, "all that was forged is refused");
    is_int(w[0].once + w[1].once, 1, "one write passes, of both threads together");
    is_int(w[0].passed + w[1].passed, 2 * (ROUNDS - 3), "all that was signed passes");
    das_auth_free(a);
    (void)before;
}

struct late {
    struct das_auth *a;
    struct sent s;
    atomic_bool begun, done;
};

static void *write_late(void *arg)
{
    struct late *l = arg;
    const struct das_auth_ask ask = {of(&l->s), "10.8.0.1", true, now_s * 1000};
    struct das_caller who;
    struct das_refusal r;

    l->begun = true;
    das_auth_check(l->a, &ask, &who, &r);
    l->done = true;
    return NULL;
}

/* Somebody else has the database locked, and writes wait for it: keys are read all the same, since
 * the thread that reads them also looks at signals and tells systemd that all is well. */
static void locked_store(struct client *c)
{
    struct late l = {.a = server(0), .s = signed_at(c, "POST", "{\"task_id\":10}", now_s)};
    struct client extra = key("late", READ, 0);
    pthread_t thread;
    sqlite3 *db;

    must(sqlite3_open(store_path(dir, "das.db"), &db) == SQLITE_OK &&
             sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK,
         "the database is locked");
    must(pthread_create(&thread, NULL, write_late, &l) == 0, "a thread");
    while (!l.begun)
        usleep(1000);
    usleep(100000); /* it may get as far as it can; were it slower, this would find less */
    is_int(das_auth_refresh(l.a, &err), 0, "keys are read while a write waits for the database");
    ok(!l.done, "and not after it");
    ok(asks(l.a, get(&extra)), "a new one is known");
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    pthread_join(thread, NULL);
    das_signer_free(extra.signer);
    das_auth_free(l.a);
}

/* What is wrong with the store is for the log: the client learns nothing of it. */
static void broken_store(struct client *c)
{
    struct das_auth *a = server(0);

    store_sql(dir, "ALTER TABLE seen RENAME TO away");
    ok(!writes(a, signed_at(c, "POST", "{\"task_id\":9}", now_s)), "no write without the store");
    is_int(why.status, 500, "is an error of the server");
    is_str(why.message, "Internal server error", "is all that is said");
    ok(strstr(why.cause, "seen"), "the log gets the cause: %s", why.cause);
    store_sql(dir, "ALTER TABLE away RENAME TO seen");
    ok(writes(a, signed_at(c, "POST", "{\"task_id\":9}", now_s)), "and then it goes on");
    das_auth_free(a);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Every allocation fails once: the answer is a refusal or an error, and nothing is lost (a
 * sanitizer looks). */
static void out_of_memory(struct client *c)
{
    const struct das_auth_conf conf = {dir, REGION, 0, false};
    struct sent s = get(c);
    int tried = 0, wrong = 0;
    bool passed = false;

    for (long n = 1; !passed && n < 1000; n++) {
        struct das_auth *a = NULL;
        int rc;
        das_alloc_fail_at(n);
        rc = das_auth_new(&conf, &a, &err);
        if (rc < 0) {
            wrong += err.code != DAS_E_NOMEM || a != NULL;
        } else {
            passed = asks(a, s);
            wrong += !passed && why.status != 500;
        }
        passed = passed && !das_alloc_failed();
        das_alloc_fail_at(0);
        tried++;
        das_auth_free(a);
    }
    ok(passed && tried > 20, "%d allocations fail, one after the other", tried);
    is_int(wrong, 0, "each is said as what it is");
}

int main(void)
{
    struct das_auth *a;

    auth_kit_open();
    auth_kit_clients();
    a = server(0);
    lockout(a, &ci, &ops);
    strangers(a, &ci);
    reload(a, &ci);
    das_auth_free(a);
    rate(&ci, &person);
    threads(&ops);
    broken_store(&ci);
    locked_store(&ci);
    out_of_memory(&ci);
    auth_kit_close();
    return tap_done();
}
