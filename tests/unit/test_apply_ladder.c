/* test_apply_ladder.c - a statement that goes on after its kill: then its connection, as a kill of
 * its own before limits, off switch, journal and the look. */
#include "core/base/clock.h"
#include "tests/unit/apply_kit.h"

static const struct das_plan_opts ladder = {
    .reason = "x", .mode = DAS_MODE_QUERY, .escalate_ms = 20};

static void two_rungs(void)
{
    struct das_report *r;
    int64_t before;

    fresh("ladder");
    before = head();
    r = stubborn("Query", 500, 20);
    is_int((int64_t)fake.kills, 2, "the statement, then the connection");
    is_int(fake.killed[0].what, DAS_KILL_STATEMENT, "first");
    is_int(fake.killed[1].what, DAS_KILL_SESSION, "second");
    is_int(records(before, "intent"), 2, "an intent for each");
    is_int(records(before, "outcome"), 2, "an outcome for each");
    is_str(r->items[0].action, "connection", "the last rung");
    das_report_free(r);
}

/* --- limits ---------------------------------------------------------------------------------------- */

static void each_rung_counts(void)
{
    struct das_report *r;

    fresh("ladder-limit");
    rules.limits.instance = 1;
    r = stubborn("Query", 500, 20);
    is_int((int64_t)fake.kills, 1, "the second kill counts too: a limit of one");
    has_str(r->items[0].note, "limits.kill.instance", "it says so");
    das_report_free(r);
}

static void may_end_connections(void)
{
    struct das_session list[10];
    struct das_plan *p;

    fresh("min-ladder");
    rules.limits.min_left = 4;
    sessions(list, 10);
    p = plan_with(list, 7, &ladder);
    fake_show(&fake, list, 10, THEN);
    refused(go_once(p), 7, "min_left", "a ladder may end connections");
}

static void says_what_was_done(void)
{
    struct das_plan_opts soft = ladder;
    struct das_session list[1];
    struct das_report *r;

    fresh("soft-ladder");
    soft.mode = DAS_MODE_SOFT;
    rules.limits.instance = 1;
    sessions(list, 1);
    fake.stubborn = true;
    r = go_once(plan_with(list, 1, &soft));
    is_str(r->items[0].action, "soft", "what was done was a soft kill");
    das_report_free(r);
}

static void stop_now(struct fake *f)
{
    (void)f;
    write_stop();
}

/* The place for the second rung is free again when the switch keeps it from being used. */
static void gives_back(void)
{
    struct das_report *r;

    fresh("gives-back");
    with_switch();
    rules.limits.instance = 2;
    fake.on_kill = stop_now;
    r = stubborn("Query", 500, 20);
    is_int((int64_t)fake.kills, 1, "STOP before the second rung: it is not taken");
    has_str(r->items[0].note, "its connection is left alone: stopped by", "it says so");
    das_report_free(r);
    remove_stop();
    fresh("gives-back");
    rules.limits.instance = 2;
    killed(run(9, 1, DAS_MODE_QUERY), 1, "of two places one is left");
    refused(run(9, 1, DAS_MODE_QUERY), 1, "limits.kill.instance", "and no more");
}

/* --- the look before the second rung --------------------------------------------------------------- */

static struct das_session remains;
static size_t remaining;

/* While the first connection is killed, which takes longer than a look is good for (200 ms), the
 * second victim goes its own way. */
static void slow_second_rung(struct fake *f)
{
    if (f->kills != 2)
        return;
    das_clock_sleep_ms(250);
    fake_show(f, &remains, remaining, THEN);
}

static void moved_on_meanwhile(const char *what)
{
    struct das_session list[2];
    struct das_report *r;
    struct das_plan *p;
    int64_t before = head();

    fresh("slow-rung");
    sessions(list, 2);
    p = plan_with(list, 2, &ladder);
    remains = list[1];
    remains.query_id = next_query_id++;
    fake.stubborn = true;
    fake.on_kill = slow_second_rung;
    r = go_once(p);
    is_int((int64_t)fake.kills, 3, "%s: two statements and one connection are killed", what);
    ok(fake.killed[2].id == 1 && fake.killed[2].what == DAS_KILL_SESSION, "%s: the first one's",
       what);
    is_outcome(r, 1, "killed", "%s: the second is dead by its first kill", what);
    is_str(r->items[1].action, "query", "%s: of its statement", what);
    is_int(records(before, "intent"), 3, "%s: and so says the journal", what);
    das_report_free(r);
}

static void looks_again(void)
{
    remaining = 0;
    moved_on_meanwhile("ended");
    remaining = 1;
    moved_on_meanwhile("another statement");
}

int main(void)
{
    fake_init(&fake);
    two_rungs();
    each_rung_counts();
    may_end_connections();
    says_what_was_done();
    gives_back();
    looks_again();
    fake_clear(&fake);
    return tap_done();
}
