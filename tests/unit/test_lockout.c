/*
 * test_lockout.c - the table of who failed too often: its bound, what goes first, addresses, and
 * against a plain list.
 */
#include "core/serve/lockout.h"

#include "tests/unit/kit.h"

static struct das_err err;

static void table(void)
{
    struct das_lockout *l = das_lockout_new(8, 2, 1000, &err);
    char peer[50];
    int early = 0;

    must(l != NULL, "a table for eight pairs");
    for (int i = 0; i < 4; i++) {
        snprintf(peer, sizeof peer, "10.0.0.%d", i);
        das_lockout_failed(l, "A", peer, 0);
        das_lockout_failed(l, "A", peer, 0);
    }
    for (int i = 0; i < 10000; i++) {
        snprintf(peer, sizeof peer, "10.7.%d.%d", i / 250, i % 250);
        das_lockout_failed(l, "", peer, 1);
    }
    is_int(das_lockout_count(l), 8, "a flood of addresses makes it no larger");
    for (int i = 0; i < 4; i++) {
        snprintf(peer, sizeof peer, "10.0.0.%d", i);
        early += !das_lockout_is_locked(l, "A", peer, 999);
    }
    is_int(early, 0, "and lets nobody in early");
    ok(!das_lockout_is_locked(l, "A", "10.0.0.0", 1000), "until the time is over");
    ok(das_lockout_is_locked(l, "A", "10.0.0.1", -500),
       "a clock set back a little changes nothing");
    ok(!das_lockout_is_locked(l, "A", "10.0.0.1", -1000), "nor makes a lock last");

    for (int i = 0; i < 20; i++) { /* when all are locked, the oldest goes */
        snprintf(peer, sizeof peer, "10.8.0.%d", i);
        das_lockout_failed(l, "B", peer, 2000 + i);
        das_lockout_failed(l, "B", peer, 2000 + i);
    }
    for (int i = 0; i < 20; i++) {
        snprintf(peer, sizeof peer, "10.8.0.%d", i);
        early += das_lockout_is_locked(l, "B", peer, 2020) != (i >= 12);
    }
    is_int(early, 0, "of locked ones the latest eight are kept");
    is_int(das_lockout_count(l), 8, "still eight");

    das_lockout_failed(l, "C", "2001:db8:1:2::1", 3000);
    das_lockout_failed(l, "C", "2001:db8:1:2:ffff::7", 3000);
    ok(das_lockout_is_locked(l, "C", "2001:db8:1:2::99", 3001), "64 bits are an IPv6 address");
    ok(!das_lockout_is_locked(l, "C", "2001:db8:1:3::1", 3001), "the next 64 another one");
    das_lockout_failed(l, "D", "::ffff:192.0.2.1", 3000);
    das_lockout_failed(l, "D", "192.0.2.1", 3000);
    ok(das_lockout_is_locked(l, "D", "::ffff:192.0.2.1", 3001), "IPv4 in IPv6 is the same");
    ok(!das_lockout_is_locked(l, "D", "::ffff:192.0.2.2", 3001), "and each its own");
    das_lockout_succeeded(l, "D", "192.0.2.1");
    ok(das_lockout_is_locked(l, "D", "192.0.2.1", 3001), "a success ends no lock");
    das_lockout_failed(l, "E", "192.0.2.1", 3000);
    das_lockout_failed(l, "E", "192.0.2.1", 4000);
    ok(!das_lockout_is_locked(l, "E", "192.0.2.1", 4001), "old failures do not count");
    das_lockout_free(l);
}

/* Random failures, successes and times against a list that is searched from end to end. */
static void table_against_model(void)
{
    struct {
        int failures;
        bool locked;
        int64_t since;
    } model[40] = {{0}};
    struct das_lockout *l = das_lockout_new(64, 3, 500, &err);
    int64_t now = 0;
    int wrong = 0;

    must(l != NULL, "a table");
    for (int i = 0; i < 40; i++)
        model[i].since = -100000;
    for (int step = 0; step < 200000; step++) {
        size_t i = kit_below(40);
        char id[8], peer[20];
        bool over;
        snprintf(id, sizeof id, "K%zu", i % 5);
        snprintf(peer, sizeof peer, "10.0.0.%zu", i / 5);
        now += (int64_t)kit_below(8);
        over = now - model[i].since >= 500;
        if (over) {
            model[i].failures = 0;
            model[i].locked = false;
        }
        switch (kit_below(3)) {
        case 0:
            das_lockout_failed(l, id, peer, now);
            if (!model[i].locked) {
                model[i].locked = ++model[i].failures >= 3;
                model[i].since = now;
            }
            break;
        case 1:
            if (kit_below(3))
                break;
            das_lockout_succeeded(l, id, peer);
            if (!model[i].locked)
                model[i].failures = 0;
            break;
        default:
            wrong += das_lockout_is_locked(l, id, peer, now) != model[i].locked;
        }
    }
    is_int(wrong, 0, "200,000 steps as a plain list would have it");
    das_lockout_free(l);
}

int main(void)
{
    kit_seed(20261124);
    table();
    table_against_model();
    return tap_done();
}
