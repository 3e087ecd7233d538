/*
 * test_apply_limits.c - how many may be killed: each limit, held over all runs at once, and what becomes
 * of places that were taken for nothing.
 */
#include <sqlite3.h>

#include "core/base/clock.h"
#include "core/plan/plan_impl.h"
#include "core/store/budget.h"
#include "tests/unit/apply_kit.h"

static void limit(const char *name, int64_t *field, int64_t value, size_t victims, const char *why)
{
    *field = value;
    refused(run(40, victims, DAS_MODE_QUERY), victims, why, name);
    killed(run(40, (size_t)value, DAS_MODE_QUERY), (size_t)value, name);
    refused(run(40, 1, DAS_MODE_QUERY), 1, why, name);
}

static void limits(void)
{
    struct das_report *r;

    fresh("earlier");
    killed(run(40, 1, DAS_MODE_QUERY), 1, "an earlier policy of this process, which is the same run");
    fresh("run-limit");
    rules.limits.run = 3;
    refused(run(40, 3, DAS_MODE_QUERY), 3, "limits.kill.run", "run, used up by others before");
    fresh("inst-limit");
    limit("instance", &rules.limits.instance, 3, 4, "limits.kill.instance");
    fresh("user-limit");
    limit("user", &rules.limits.user, 2, 3, "limits.kill.user");
    fresh("min-limit");
    rules.limits.minute = 1;
    refused(run(40, 2, DAS_MODE_QUERY), 2, "limits.kill.minute", "minute");
    fresh("percent");
    rules.limits.percent = 5;
    refused(run(40, 3, DAS_MODE_QUERY), 3, "3 of 40 sessions are 7.5 %, expected at most 5 %", "percent");
    killed(run(40, 2, DAS_MODE_QUERY), 2, "5 % of 40");
    killed(run(10, 1, DAS_MODE_QUERY), 1, "5 % of 10, rounded up");
    refused(run(10, 2, DAS_MODE_QUERY), 2, "percent", "2 of 10");
    rules.limits.percent = 0;
    refused(run(10, 1, DAS_MODE_QUERY), 1, "percent", "0 %");
    fresh("min-left");
    rules.limits.min_left = 4;
    refused(run(10, 7, DAS_MODE_CONNECTION), 7, "would keep 3 sessions, expected at least 4",
            "min_left");
    killed(run(10, 6, DAS_MODE_CONNECTION), 6, "min_left, just so");
    fresh("min-left-q");
    rules.limits.min_left = 4;
    r = run(10, 9, DAS_MODE_QUERY);
    ok(r->totals[DAS_O_KILLED] == 9, "statements end no session");
    das_report_free(r);
}

/* The first n are user a's, the others b's, six each. */
static struct das_plan *of_two(const char *policy, size_t of_a, size_t of_b,
                               enum das_kill_mode mode)
{
    struct das_session list[12], victims[12];
    struct das_plan *p;
    size_t n = 0;

    fresh(policy);
    rules.limits.min_left = 4;
    sessions(list, 12);
    for (size_t i = 0; i < 12; i++) {
        list[i].user = das_text_of(i < 6 ? "a" : "b");
        if (mode == DAS_MODE_AUTO && i > 0)
            list[i].trx_time = 3; /* all but the first lose their connection */
        if (i < of_a || (i >= 6 && i < 6 + of_b))
            victims[n++] = list[i];
    }
    p = plan_with(victims, n, &(struct das_plan_opts){.mode = mode, .reason = "x"});
    fake_show(&fake, list, 12, THEN);
    return p;
}

static void left_of_each(void)
{
    refused(go_once(of_two("left-a", 3, 0, DAS_MODE_CONNECTION)), 3, "a would keep 3 sessions",
            "min_left: others' sessions are not its own");
    refused(go_once(of_two("left-b", 2, 3, DAS_MODE_CONNECTION)), 5, "b would keep 3 sessions",
            "min_left: the second user counts as well");
    killed(go_once(of_two("left-both", 2, 2, DAS_MODE_CONNECTION)), 4,
           "min_left: what one user loses is not the other's loss");
    refused(go_once(of_two("left-auto", 4, 0, DAS_MODE_AUTO)), 4, "a would keep 3 sessions",
            "min_left: a statement before them hides none");
}

/* Another run takes n places on the case's instance, while this one looks at the server. */
static size_t rival_takes;

static void rival_reserves(struct fake *f)
{
    struct das_claim claims[8] = {{.id = 0}};
    char why[300];

    f->on_list = NULL;
    for (size_t i = 0; i < 8; i++)
        claims[i].user = das_text_of(kit_session(1).user.ptr);
    must(das_budget_reserve(temp_store(), f->name, "rival", claims, rival_takes, NULL, 0, why,
                            sizeof why, &err) == 0,
         "the rival: %s", err.msg);
}

static struct das_report *against_rival(size_t rival, size_t total, size_t victims,
                                        enum das_kill_mode mode)
{
    rival_takes = rival;
    fake.on_list = rival_reserves;
    return run(total, victims, mode);
}

/* What is measured by a list does not see what another run is about to take. */
static void held_together(void)
{
    fresh("share");
    rules.limits.percent = 10;
    refused(against_rival(2, 40, 3, DAS_MODE_QUERY), 3, "limits.kill.percent: 2 by other runs",
            "10 %, two of them taken by another run");
    fresh("share2");
    rules.limits.percent = 10;
    killed(against_rival(2, 40, 2, DAS_MODE_QUERY), 2, "10 %, shared");
    fresh("rest");
    rules.limits.min_left = 4;
    refused(against_rival(3, 10, 4, DAS_MODE_CONNECTION), 4, "limits.kill.min_left: 3 of user",
            "four have to stay, another run ends three");
    fresh("rest2");
    rules.limits.min_left = 4;
    killed(against_rival(3, 10, 3, DAS_MODE_CONNECTION), 3, "so three may end here");
}

/* Another run, which writes as soon as the case's places are taken: when the statement that
 * committed them is over, on a connection of its own. */
static const char *rival_writes; /* NULL: it does not */
static bool places_taken;

static void write_once(void)
{
    const char *sql = rival_writes;

    rival_writes = NULL;
    change_journal(sql, "the rival");
}

static int on_statement(unsigned event, void *arg, void *statement, void *ns)
{
    const char *sql = sqlite3_sql(statement);

    (void)event, (void)arg, (void)ns;
    if (!rival_writes || !sql)
        return 0;
    if (strncmp(sql, "INSERT INTO kills", 17) == 0)
        places_taken = true;
    else if (places_taken && strcmp(sql, "COMMIT") == 0)
        write_once();
    return 0;
}

/* For every connection of this program. */
static int overhear(sqlite3 *db, const char **msg, const struct sqlite3_api_routines *api)
{
    (void)msg, (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, on_statement, NULL);
}

static void rival_after_taking(const char *sql)
{
    places_taken = false;
    rival_writes = sql;
}

/* The breaker is asked for its yes when the places are taken: without it, they are free again. */
static void breaker_in_between(void)
{
    struct das_session list[2];
    struct das_plan *p;

    fresh("between");
    rules.limits.instance = 2;
    rules.breaker.cooldown_ms = 1000000;
    rival_after_taking("INSERT INTO breakers VALUES('between', 'between', 1,"
                       " strftime('%s', 'now') * 1000, 0, 'a rival saw it')");
    refused(run(9, 2, DAS_MODE_QUERY), 2, "a rival saw it", "opened when the places were taken");
    change_journal("DELETE FROM breakers WHERE policy = 'between'", "closed");
    killed(run(9, 2, DAS_MODE_QUERY), 2, "the places were given back");

    fresh("unreadable");
    rules.limits.instance = 2;
    rival_after_taking("INSERT INTO breakers VALUES('unreadable', 'unreadable', 7, 0, 0, '')");
    sessions(list, 2);
    p = plan_with(list, 2, &by_query);
    ok(!go(p, true) && fake.kills == 0, "a breaker that cannot be read: nothing");
    has_str(err.msg, "a breaker in state 7", "and why");
    das_plan_release(p);
    change_journal("DELETE FROM breakers WHERE policy = 'unreadable'", "closed");
    killed(run(9, 2, DAS_MODE_QUERY), 2, "then, too, the places were given back");
}

/* After the first kill nobody can read the breaker. */
static void break_breaker(struct fake *f)
{
    if (f->kills == 0)
        change_journal("INSERT INTO breakers VALUES('unread', 'unread', 7, 0, 0, '')", "broken");
}

static void breaker_unread(void)
{
    struct das_report *r;

    fresh("unread");
    rules.ramp = true;
    fake.on_kill = break_breaker;
    r = run(9, 3, DAS_MODE_QUERY);
    is_int(fake.kills, 1, "a breaker that cannot be read after a step: no second step");
    is_int(r->totals[DAS_O_REFUSED], 2, "the others are refused");
    has_str(r->items[1].note, "a breaker in state 7", "and why");
    das_report_free(r);
    change_journal("DELETE FROM breakers WHERE policy = 'unread'", "mended");
}

static void incomplete(void)
{
    struct das_session list[40];
    struct das_plan *p;

    fresh("incomplete");
    rules.limits.percent = 50;
    sessions(list, 40);
    p = plan_with(list, 1, &by_query);
    fake_show(&fake, list, 40, THEN);
    das_snapshot_set_complete(fake.list, false);
    refused(go_once(das_plan_retain(p)), 1, "not complete", "half a list");
    rules.limits.percent = 100;
    killed(go_once(p), 1, "without that limit");
}

static void plans_own_limits(void)
{
    struct das_kill_limits tight;
    struct das_session list[4];
    struct das_plan *p;

    fresh("own-limits");
    tight = rules.limits;
    tight.instance = 1;
    sessions(list, 4);
    p = plan_with(list, 2, &(struct das_plan_opts){.reason = "x", .limits = &tight});
    fake_show(&fake, list, 4, THEN);
    refused(go_once(p), 2, "limits.kill.instance", "what its maker was held to");
}

static void big_transaction(void)
{
    struct das_session list[2];
    struct das_report *r;

    fresh("rollback");
    rules.limits.rows_modified = 1000;
    sessions(list, 2);
    list[0].trx_time = list[1].trx_time = 50;
    list[0].rows_modified = 1000;
    list[1].rows_modified = 1001;
    r = go_once(plan_with(list, 2, &(struct das_plan_opts){.mode = DAS_MODE_CONNECTION}));
    is_outcome(r, 0, "killed", "1000 rows");
    is_outcome(r, 1, "refused", "1001 rows");
    has_str(r->items[1].note, "1001 rows", "the estimate");
    das_report_free(r);
}

int main(void)
{
    sqlite3_auto_extension((void (*)(void))overhear);
    fake_init(&fake);
    limits();
    left_of_each();
    held_together();
    breaker_in_between();
    breaker_unread();
    incomplete();
    plans_own_limits();
    big_transaction();
    fake_clear(&fake);
    return tap_done();
}
