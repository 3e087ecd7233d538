/* test_apply_looks.c - the looks after the first one: an old one is renewed before a connection is
 * killed, and the last one asks all that the first one did. */
#include "core/base/clock.h"
#include "tests/unit/apply_kit.h"

#define OLD_MS 250 /* a look is good for 200 ms */

static const struct das_plan_opts by_connection = {.reason = "x", .mode = DAS_MODE_CONNECTION};
static struct das_session becomes[2]; /* what is there later */
static size_t remaining;

/* --- an old look ----------------------------------------------------------------------------------- */

static void slow_first(struct fake *f)
{
    if (f->kills)
        return;
    das_clock_sleep_ms(OLD_MS);
    fake_show(f, becomes, 2, THEN);
}

static void slow_and_elsewhere(struct fake *f)
{
    if (f->kills)
        return;
    das_clock_sleep_ms(OLD_MS);
    strcpy(f->identity.server, "another");
}

/* Both are connections whose statements are known by number. */
static void renewed(void)
{
    struct das_session list[2];
    struct das_report *r;
    struct das_plan *p;
    int64_t before = head();

    fresh("renewed");
    sessions(list, 2);
    p = plan_with(list, 2, &by_connection);
    memcpy(becomes, list, sizeof becomes);
    becomes[1].query_id = next_query_id++;
    fake.on_kill = slow_first;
    r = go_once(p);
    is_int((int64_t)fake.kills, 1, "the second moved on while the first was killed: it lives");
    is_outcome(r, 1, "changed", "and why");
    is_int(records(before, "intent"), 1, "nobody meant to kill it");
    das_report_free(r);

    fresh("elsewhere");
    p = plan_with(list, 2, &by_connection);
    fake.on_kill = slow_and_elsewhere;
    r = go_once(p);
    is_int((int64_t)fake.kills, 1, "another server answers the renewed look: no kill there");
    is_outcome(r, 1, "refused", "the second is refused");
    has_str(r->items[1].note, "another server answers", "and why");
    das_report_free(r);
}

/* --- the last look ---------------------------------------------------------------------------------- */

static void turn(struct fake *f)
{
    if (f->lists == 2)
        fake_show(f, becomes, 1, THEN);
}

/* The same statement, but not in the state for which it was chosen. */
static void still_chosen(void)
{
    struct das_filter *f = kit_filter("state", "Sending%");
    struct das_session list[1] = {kit_session(1)};
    struct das_report *r;
    struct das_plan *p;

    fresh("chosen");
    p = plan_of(list, 1, f, &by_connection);
    becomes[0] = list[0];
    becomes[0].state = das_text_of("Writing to net");
    fake.on_list = turn;
    r = go_once(p);
    is_int((int64_t)fake.kills, 0, "the last look asks the filter, too");
    is_outcome(r, 0, "changed", "it is not what was chosen");
    has_str(r->items[0].note, "no longer matches", "and why");
    das_report_free(r);
    das_filter_release(f);
}

/* --- the last look before the second rung ----------------------------------------------------------- */

static bool slow_second(void *arg, const struct das_plan *p, size_t victim, const char *action,
                        char *why, size_t size)
{
    (void)arg, (void)p, (void)victim, (void)why, (void)size;
    if (strcmp(action, "connection") != 0)
        return true;
    das_clock_sleep_ms(OLD_MS);
    fake_show(&fake, becomes, remaining, THEN);
    return true;
}

static struct das_report *second_rung(const char *policy, int64_t query_id)
{
    struct das_session list[1];
    struct das_plan *p;

    fresh(policy);
    watch.before = slow_second;
    sessions(list, 1);
    p = plan_with(list, 1, &(struct das_plan_opts){.reason = "x", .mode = DAS_MODE_QUERY,
                                                   .escalate_ms = 20});
    becomes[0] = list[0];
    if (query_id)
        becomes[0].query_id = query_id;
    fake.stubborn = true;
    return go_once(p);
}

static void before_second_rung(void)
{
    struct das_report *r;

    remaining = 1;
    r = second_rung("rung-moved", next_query_id + 1000);
    is_int((int64_t)fake.kills, 1, "another statement when the intent is written: no second kill");
    is_outcome(r, 0, "changed", "and why");
    das_report_free(r);
    r = second_rung("rung-stays", 0);
    is_int((int64_t)fake.kills, 2, "the same statement: its connection is killed");
    is_int(fake.killed[1].what, DAS_KILL_SESSION, "whatever the plan's first rung was");
    das_report_free(r);
}

/* One whose statement goes on after its kill, as change makes of it. */
static void rung_of(const char *policy, void (*change)(struct das_session *s), size_t kills,
                    const char *why)
{
    struct das_session list[1];
    struct das_report *r;
    struct das_plan *p;

    fresh(policy);
    rules.limits.rows_modified = 1000;
    sessions(list, 1);
    list[0].trx_time = 3;
    list[0].rows_modified = 1000;
    p = plan_with(list, 1, &(struct das_plan_opts){.reason = "x", .mode = DAS_MODE_QUERY,
                                                   .escalate_ms = 20});
    change(&list[0]);
    fake.stubborn = true;
    after_kill(list, 1);
    r = go_once(p);
    is_int((int64_t)fake.kills, (int64_t)kills, "%s: kills", policy);
    has_str(r->items[0].note, why, "%s: what is said", policy);
    das_report_free(r);
}

static void replicates(struct das_session *s)
{
    s->state = das_text_of("wsrep: preparing to commit write set");
}

static void dumps(struct das_session *s)
{
    s->command = das_text_of("Binlog Dump");
}

static void grows(struct das_session *s)
{
    s->rows_modified = 1001;
}

static void is_dying(struct das_session *s)
{
    s->command = das_text_of("Killed");
}

static void asked_again(void)
{
    rung_of("rung-wsrep", replicates, 1, "its connection is left alone: replication");
    rung_of("rung-dump", dumps, 1, "its connection is left alone: ");
    rung_of("rung-grows", grows, 1, "has changed 1001 rows, expected at most 1000");
    rung_of("rung-dying", is_dying, 2, ""); /* that it is dying is our doing */
}

int main(void)
{
    fake_init(&fake);
    renewed();
    still_chosen();
    before_second_rung();
    asked_again();
    fake_clear(&fake);
    return tap_done();
}
