/*
 * test_plan.c - what you saw is what dies: every outcome of a plan, against a scripted source.
 *
 * Each case is judged twice, dry and armed: both must agree on who would die, and the dry run must
 * never ask for a kill.
 */
#include <unistd.h>

#include "core/base/json.h"
#include "tests/unit/plan_kit.h"

static bool totals_add_up(const struct das_report *r)
{
    size_t counted[DAS_O_COUNT] = {0}, sum = 0;

    for (size_t i = 0; i < r->count; i++)
        counted[r->items[i].kind]++;
    for (int k = 0; k < DAS_O_COUNT; k++)
        sum += r->totals[k];
    return sum == r->count && memcmp(counted, r->totals, sizeof counted) == 0;
}

/* One session then and now (NULL: it is gone). Both runs, and what they say. */
struct expected {
    enum das_outcome_kind armed;
    const char *action, *note; /* note: a part of it, or NULL */
};

static void one_with(const char *what, const struct das_session *then,
                     const struct das_session *now, struct das_filter *f,
                     enum das_kill_mode mode, const struct das_protect *protect,
                     struct expected want)
{
    const struct das_plan_opts opts = {.mode = mode, .reason = "test"};
    struct das_plan *p = plan_of(then, 1, f, &opts);
    struct das_report *r;
    enum das_outcome_kind dry = want.armed <= DAS_O_KILLED || want.armed == DAS_O_FAILED ||
                                        want.armed == DAS_O_UNKNOWN
                                    ? DAS_O_DRY_RUN
                                    : want.armed;

    must(das_plan_victims(p) == 1, "%s: a victim", what);
    for (int armed = 0; armed < 2; armed++) {
        fake.kills = 0;
        fake.lists = 0;
        fake_show(&fake, now, now ? 1 : 0, NOW);
        r = apply(p, armed, protect);
        must(r, "%s: applied", what);
        is_str(das_outcome_name(r->items[0].kind), das_outcome_name(armed ? want.armed : dry),
               "%s, %s", what, armed ? "armed" : "dry");
        is_str(r->items[0].action, want.action, "%s: action", what);
        if (want.note && (armed || dry == want.armed))
            has_str(r->items[0].note, want.note, "%s: note", what);
        is_int(fake.kills, armed && dry != want.armed, "%s: %s kills", what, armed ? "armed" : "dry");
        ok((r->totals[DAS_O_KILLED] ? fake.lists > 1
            : fake.kills            ? fake.lists >= 1
                                    : fake.lists == 1) &&
               totals_add_up(r),
           "%s: one look, and others around a kill; totals add up", what);
        das_report_free(r);
    }
    das_plan_release(p);
}

static void one(const char *what, const struct das_session *then, const struct das_session *now,
                enum das_outcome_kind armed, const char *action, const char *note)
{
    struct das_filter *f = kit_all();

    one_with(what, then, now, f, DAS_MODE_AUTO, NULL, (struct expected){armed, action, note});
    das_filter_release(f);
}

static void same_or_gone(void)
{
    struct das_session then = kit_session(7), now = later(&then);

    one("the same", &then, &now, DAS_O_KILLED, "query", NULL);
    is_int(fake.killed[0].id, 7, "by its id");
    is_int(fake.killed[0].query_id, DAS_UNKNOWN, "no query id to give");
    one("gone", &then, NULL, DAS_O_GONE, "", NULL);
    now.id = 8;
    one("gone while others are there", &then, &now, DAS_O_GONE, "", NULL);
    then.query_id = 44;
    now = later(&then);
    one("the same query id", &then, &now, DAS_O_KILLED, "query", NULL);
    is_int(fake.killed[0].query_id, 44, "the kill names it");
    then = kit_session(7);
    then.state = das_text_of("init");
    now = later(&then);
    now.state = das_text_of("Sending data");
    now.rows_examined = 5;
    now.command = das_text_of("QUERY");
    one("only further on", &then, &now, DAS_O_KILLED, "query", NULL);
    now.state_duration += 1;
    one("1 s of rounding", &then, &now, DAS_O_KILLED, "query", NULL);
    now.state_duration += 1;
    one("2 s are no rounding", &then, &now, DAS_O_CHANGED, "", "begun 2 s earlier");
}

static void transactions(void)
{
    struct das_session then = kit_session(7), now;

    then.command = das_text_of("Sleep");
    then.trx_time = 10;
    then.rows_modified = 5;
    then.trx_id = 9001;
    now = later(&then);
    one("the same transaction", &then, &now, DAS_O_KILLED, "connection", NULL);
    now.trx_id = 9002;
    one("another transaction", &then, &now, DAS_O_CHANGED, "", "another transaction: 9002, was 9001");
    now.trx_id = now.trx_time = now.rows_modified = DAS_ABSENT;
    one("none any more", &then, &now, DAS_O_CHANGED, "", "its transaction has ended");
    now = later(&then);
    then.trx_id = ((int64_t)421 << 40);
    one("it has a number only now", &then, &now, DAS_O_KILLED, "connection", NULL);
    now.trx_time = now.rows_modified = now.trx_id = DAS_UNKNOWN;
    one("the server tells nothing now", &then, &now, DAS_O_REFUSED, "", "no longer tells");
}

static void changes(void)
{
    struct das_session then = kit_session(7), now;

    then.query_id = 44;
    now = later(&then);
    now.query_id = 45;
    one("another query id", &then, &now, DAS_O_CHANGED, "", "query id 45, was 44");
    now.query_id = DAS_UNKNOWN;
    one("no query id now", &then, &now, DAS_O_CHANGED, "", "query id");
    then.query_id = DAS_UNKNOWN;
    now.query_id = 44;
    one("a query id only now", &then, &now, DAS_O_CHANGED, "", "query id");
    then.trx_time = 10;
    then.trx_id = 77;
    now = later(&then);
    one("the same transaction", &then, &now, DAS_O_KILLED, "connection", NULL);
    now.trx_id = DAS_UNKNOWN;
    one("a transaction without a number", &then, &now, DAS_O_KILLED, "connection", NULL);
    now.trx_id = 78;
    one("another transaction", &then, &now, DAS_O_CHANGED, "", "another transaction");
    now.trx_id = now.trx_time = DAS_ABSENT;
    one("no transaction any more", &then, &now, DAS_O_CHANGED, "", "has ended");
    then = kit_session(7);
    now = later(&then);
    now.user = das_text_of("App");
    one("another user", &then, &now, DAS_O_CHANGED, "", "another user: App");
    now.user = DAS_TEXT_NULL;
    one("no user", &then, &now, DAS_O_CHANGED, "", "another user: NULL");
    now = later(&then);
    now.host = das_text_of("10.0.0.7:51001");
    one("another port", &then, &now, DAS_O_CHANGED, "", "another host");
    now = later(&then);
    now.db = das_text_of("Shop");
    one("another db", &then, &now, DAS_O_CHANGED, "", "another db");
    now.db = das_text("", 0);
    one("an empty db", &then, &now, DAS_O_CHANGED, "", "another db");
    now = later(&then);
    now.command = das_text_of("Sleep");
    now.sql_info = DAS_TEXT_NULL;
    one("idle now", &then, &now, DAS_O_CHANGED, "", "the statement has ended");
    now = later(&then);
    now.command = das_text_of("Execute");
    one("another command", &then, &now, DAS_O_CHANGED, "", "another command");
    now = later(&then);
    now.sql_info = das_text_of("select * from Orders");
    one("another statement", &then, &now, DAS_O_CHANGED, "", "another statement");
    now.sql_info = DAS_TEXT_NULL;
    one("no statement", &then, &now, DAS_O_CHANGED, "", "another statement");
    now.sql_info = das_text("", 0);
    one("an empty statement", &then, &now, DAS_O_CHANGED, "", "another statement");
    now = later(&then);
    now.state_duration = 3;
    one("the same text begun anew", &then, &now, DAS_O_CHANGED, "", "begun 102 s later");
    now.state_duration = 1000;
    one("begun earlier than it was", &then, &now, DAS_O_CHANGED, "", "earlier");
    now.state_duration = 102;
    one("begun 3 s later", &then, &now, DAS_O_CHANGED, "", "begun 3 s later");
    then.time_ms = 100000;
    now = later(&then);
    now.time_ms -= 1001;
    one("begun 1.001 s later, in ms", &then, &now, DAS_O_CHANGED, "", "later");
    now.time_ms += 1001;
    one("at the same ms", &then, &now, DAS_O_KILLED, "query", NULL);
}

/* A session that was pinged may run a whole statement under the number that it showed before. */
static void sleepers(void)
{
    struct das_session then = kit_session(7), now;

    then.command = das_text_of("Sleep");
    then.sql_info = DAS_TEXT_NULL;
    then.query_id = 44;
    now = later(&then);
    one("asleep all the while", &then, &now, DAS_O_KILLED, "connection", NULL);
    now.state_duration = 3;
    one("it slept, worked, sleeps again", &then, &now, DAS_O_CHANGED, "", "begun 102 s later");
    then.command = now.command = das_text_of("Query");
    one("a statement is known by its number alone", &then, &now, DAS_O_KILLED, "query", NULL);
}

static void unknown_ages(void)
{
    struct das_session then = kit_session(7), now = later(&then);

    now.state_duration = DAS_UNKNOWN;
    one("its age is not known any more", &then, &now, DAS_O_CHANGED, "", "age");
    then.state_duration = DAS_UNKNOWN;
    one("neither query id nor age was ever known", &then, &now, DAS_O_CHANGED, "", "age");
    now.state_duration = 4;
    one("its age is known only now", &then, &now, DAS_O_CHANGED, "", "age");
    then.query_id = 5;
    now = later(&then);
    one("a query id is enough", &then, &now, DAS_O_KILLED, "query", NULL);
}

static void no_longer_matching(void)
{
    struct das_session then = kit_session(7), now;
    struct das_filter *f = kit_and(kit_filter("trx_time", "50"), kit_not(kit_filter("state", "x")));

    then.trx_time = 60;
    now = later(&then);
    one_with("still matching", &then, &now, f, DAS_MODE_QUERY, NULL,
             (struct expected){DAS_O_KILLED, "query", NULL});
    now.trx_time = 3;
    one_with("no longer matching", &then, &now, f, DAS_MODE_QUERY, NULL,
             (struct expected){DAS_O_CHANGED, "", "no longer matches {trx_time=50} & ~"});
    now.trx_time = DAS_UNKNOWN;
    one_with("perhaps matching", &then, &now, f, DAS_MODE_QUERY, NULL,
             (struct expected){DAS_O_CHANGED, "", "no longer matches"});
    das_filter_release(f);
}

static void modes(void)
{
    static const char *const mode_names[] = {"auto", "query", "connection"};
    struct das_session then = kit_session(7), now;
    struct das_filter *f = kit_all();
    const struct {
        const char *command;
        int64_t trx;
        const char *want[3]; /* auto, query, connection; NULL: refused */
    } table[] = {
        {"Query", DAS_ABSENT, {"query", "query", "connection"}},
        {"Query", DAS_UNKNOWN, {"query", "query", "connection"}},
        {"Query", 0, {"connection", "query", "connection"}},
        {"Query", 9, {"connection", "query", "connection"}},
        {"Execute", DAS_ABSENT, {"query", "query", "connection"}},
        {"Sleep", DAS_ABSENT, {"connection", NULL, "connection"}},
        {"sleep", DAS_UNKNOWN, {"connection", NULL, "connection"}},
        {"Sleep", 9, {"connection", NULL, "connection"}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        then.command = das_text_of(table[i].command);
        then.trx_time = table[i].trx;
        now = later(&then);
        for (int m = 0; m < 3; m++) {
            const char *want = table[i].want[m];
            char what[80];
            snprintf(what, sizeof what, "%s of %s, trx %lld", mode_names[m], table[i].command,
                     (long long)table[i].trx);
            one_with(what, &then, &now, f, (enum das_kill_mode)m, NULL,
                     want ? (struct expected){DAS_O_KILLED, want, NULL}
                          : (struct expected){DAS_O_REFUSED, "", "idle"});
            if (want)
                is_int(fake.killed[0].what,
                       strcmp(want, "query") == 0                       ? DAS_KILL_STATEMENT
                       : strcasecmp(table[i].command, "Sleep") == 0 ? DAS_KILL_IDLE_SESSION
                                                                    : DAS_KILL_SESSION,
                       "%s: what the source is asked for", what);
            is_str(das_mode_name((enum das_kill_mode)m), mode_names[m], "by name");
            is_int(das_mode_find(mode_names[m]), m, "and back");
        }
    }
    is_int(das_mode_find("all"), -1, "no other mode");
    das_filter_release(f);
}

static void protected_ones(void)
{
    static const char *const users[] = {
        "system user", "event_scheduler", "mariadb.sys",  "mysql.sys",  "mysql.session",
        "mysql.infoschema", "mysql.something", "rdsadmin", "rdsbackup", "rdsmetric",
        "rdsRepl",     "RDSREPL",         "MySQL.sys",    "System User"};
    static const char *const commands[] = {
        "Binlog Dump", "Binlog Dump GTID", "binlog dump gtid", "Slave_IO", "Slave_SQL",
        "Slave_worker", "Register Slave", "Register Replica", "Table Dump", "Daemon", "Killed",
        "KILLED", "Group Replication Data Stream subscription", "clone"};
    static const char *const free_users[] = {"root", "mysql", "mysqlx", "rds", "system",
                                             "event_scheduler2", "admin"};
    struct das_session then, now;
    struct das_protect protect;
    struct das_filter *f, *everything = kit_all();

    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        then = kit_session(7);
        then.user = das_text_of(users[i]);
        now = later(&then);
        one(users[i], &then, &now, DAS_O_PROTECTED, "", NULL);
    }
    for (size_t i = 0; i < sizeof free_users / sizeof *free_users; i++) {
        then = kit_session(7);
        then.user = das_text_of(free_users[i]);
        now = later(&then);
        one(free_users[i], &then, &now, DAS_O_KILLED, "query", NULL);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        then = kit_session(7);
        then.command = das_text_of(commands[i]);
        now = later(&then);
        one(commands[i], &then, &now, DAS_O_PROTECTED, "", NULL);
    }
    then = kit_session(7);
    now = later(&then);
    now.command = das_text_of("Killed");
    one("killed in the meantime", &then, &now, DAS_O_PROTECTED, "", "already being killed");

    das_protect_init(&protect);
    f = kit_filter("user", "ap%");
    must(das_protect_add(&protect, f, &err) == 0, "a protect filter");
    das_filter_release(f);
    now = later(&then);
    one_with("a protect filter", &then, &now, everything, DAS_MODE_AUTO, &protect,
             (struct expected){DAS_O_PROTECTED, "", "protected by {user=\"ap%\"}"});
    das_protect_clear(&protect);
    f = kit_filter("trx_time", "50");
    must(das_protect_add(&protect, f, &err) == 0, "one that cannot be sure");
    das_filter_release(f);
    one_with("an unsure protect filter", &then, &now, everything, DAS_MODE_AUTO, &protect,
             (struct expected){DAS_O_PROTECTED, "", "protected by {trx_time=50}"});
    then.trx_time = DAS_ABSENT;
    now = later(&then);
    one_with("a protect filter that says no", &then, &now, everything, DAS_MODE_AUTO, &protect,
             (struct expected){DAS_O_KILLED, "query", NULL});
    f = kit_filter(NULL, NULL);
    ok(das_protect_add(&protect, f, &err) < 0 && err.code == DAS_E_USAGE,
       "a protect filter without a criterion is refused");
    das_filter_release(f);
    das_protect_clear(&protect);
    das_filter_release(everything);
}

static void own_session(void)
{
    struct das_session then = kit_session(7), now = later(&then);
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO};
    struct das_plan *p = plan_of(&then, 1, f, &opts);
    struct das_report *r;

    fake.kills = 0;
    fake_show(&fake, &now, 1, NOW);
    must(das_snapshot_add_own(fake.list, 7, &err) == 0, "it is our own");
    r = apply(p, true, NULL);
    ok(r && r->items[0].kind == DAS_O_PROTECTED && fake.kills == 0,
       "our own session is protected, whatever the plan says");
    das_report_free(r);
    das_plan_release(p);
    das_filter_release(f);
}

static void listed_twice(void)
{
    struct das_session then = kit_session(7), now[3] = {later(&then), later(&then), later(&then)};
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO};
    struct das_plan *p = plan_of(&then, 1, f, &opts);

    now[0].id = 6;
    now[2].user = das_text_of("mysql.sys");
    for (int armed = 0; armed < 2; armed++) {
        struct das_report *r;
        fake.kills = 0;
        fake_show(&fake, now, 3, NOW);
        r = apply(p, armed, NULL);
        ok(r && r->items[0].kind == DAS_O_REFUSED && fake.kills == 0,
           "an id that is listed twice names nobody");
        has_str(r->items[0].note, "twice", "and that is said");
        das_report_free(r);
    }
    das_plan_release(p);
    das_filter_release(f);
}

static void answers(void)
{
    struct das_session then = kit_session(7), now = later(&then);

    fake.answers[0] = DAS_KILL_FAILED;
    one("the server refuses", &then, &now, DAS_O_FAILED, "query", "answer");
    fake.answers[0] = DAS_KILL_UNKNOWN;
    one("no answer", &then, &now, DAS_O_UNKNOWN, "query", "answer");
    fake.answers[0] = DAS_KILLED;
}

/* After an unknown outcome the rest is left alone; after a gone or failed one it goes on. */
static void several(void)
{
    struct das_session then[5], now[5];
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO};
    struct das_plan *p;
    struct das_report *r;

    for (int i = 0; i < 5; i++) {
        then[i] = kit_session(5 - i);
        now[4 - i] = later(&then[i]); /* in another order than before */
    }
    p = plan_of(then, 5, f, &opts);
    fake_show(&fake, now, 5, NOW);
    fake.kills = 0;
    fake.answers[0] = DAS_KILLED;
    fake.answers[1] = DAS_KILL_GONE;
    fake.answers[2] = DAS_KILL_FAILED;
    fake.answers[3] = DAS_KILL_UNKNOWN;
    r = apply(p, true, NULL);
    must(r, "applied");
    ok(r->items[0].kind == DAS_O_KILLED && r->items[1].kind == DAS_O_GONE &&
           r->items[2].kind == DAS_O_FAILED && r->items[3].kind == DAS_O_UNKNOWN &&
           r->items[4].kind == DAS_O_REFUSED,
       "each in the plan's order, the last untouched");
    ok(fake.kills == 4 && fake.killed[0].id == 5 && fake.killed[3].id == 2,
       "four were asked for, in order");
    has_str(r->items[4].note, "what became of the kill before is not known", "the last says why");
    ok(totals_add_up(r), "totals add up");
    das_report_free(r);
    memset(fake.answers, 0, sizeof fake.answers);
    das_plan_release(p);
    das_filter_release(f);
}

/* The whole plan is refused, or cannot even be judged. */
static void whole(const char *what, enum das_outcome_kind dry, enum das_outcome_kind armed,
                  const char *note, void (*arrange)(void))
{
    struct das_session then = kit_session(7), now = later(&then);
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO};

    for (int i = 0; i < 2; i++) {
        struct das_plan *p;
        struct das_report *r;
        fake_clear(&fake);
        fake_init(&fake);
        p = plan_of(&then, 1, f, &opts);
        fake_show(&fake, &now, 1, NOW);
        arrange();
        r = apply(p, i == 1, NULL);
        must(r, "%s: applied", what);
        is_str(das_outcome_name(r->items[0].kind), das_outcome_name(i ? armed : dry), "%s", what);
        if (r->items[0].kind == DAS_O_REFUSED)
            has_str(r->items[0].note, note, "%s: note", what);
        is_int(fake.kills, 0, "%s: nothing was killed", what);
        das_report_free(r);
        das_plan_release(p);
    }
    das_filter_release(f);
    fake_clear(&fake);
    fake_init(&fake);
}

static void other_server(void)
{
    strcpy(fake.identity.server, "server-2");
}

static void restarted(void)
{
    fake.identity.start_unix_s += 3;
}

static void start_unknown(void)
{
    fake.identity.start_unix_s = DAS_UNKNOWN;
}

static void recorded(void)
{
    fake.base.ops = &fake_recorded_ops;
}

static void nameless_server(void)
{
    struct das_session then = kit_session(7), now = later(&then);
    struct das_filter *f = kit_all();
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO};
    struct das_plan *p;
    struct das_report *r;

    fake.identity.server[0] = '\0';
    p = plan_of(&then, 1, f, &opts);
    fake_show(&fake, &now, 1, NOW);
    fake.kills = 0;
    r = apply(p, true, NULL);
    ok(r && r->totals[DAS_O_REFUSED] == 1 && fake.kills == 0,
       "a source that does not say which server answers is not trusted");
    has_str(r->items[0].note, "does not tell which server", "and that is said");
    das_report_free(r);
    das_plan_release(p);
    das_filter_release(f);
    fake_clear(&fake);
    fake_init(&fake);
}

static void refused(void)
{
    struct das_session then = kit_session(7), now = later(&then);
    struct das_plan_opts opts = {.mode = DAS_MODE_AUTO, .ttl_s = 1};
    struct das_filter *f = kit_all();
    struct das_plan *p;
    struct das_report *r;

    whole("another server", DAS_O_REFUSED, DAS_O_REFUSED, "another server answers", other_server);
    whole("a restarted server", DAS_O_REFUSED, DAS_O_REFUSED, "restarted", restarted);
    whole("a start that is not told any more", DAS_O_REFUSED, DAS_O_REFUSED, "restarted",
          start_unknown);
    whole("a recorded list", DAS_O_DRY_RUN, DAS_O_REFUSED, "no sessions to kill", recorded);

    fake.identity.start_unix_s += 2;
    p = plan_of(&then, 1, f, &opts);
    fake.identity.start_unix_s -= 2;
    fake_show(&fake, &now, 1, NOW);
    r = apply(p, true, NULL);
    ok(r && r->totals[DAS_O_KILLED] == 1, "2 s of rounding are no restart");
    das_report_free(r);
    ok(das_plan_expires_ms(p) - das_plan_created_ms(p) == 1000, "good for the ttl");
    usleep(1050 * 1000);
    fake.kills = 0;
    for (int armed = 0; armed < 2; armed++) {
        r = apply(p, armed, NULL);
        ok(r && r->totals[DAS_O_REFUSED] == 1 && fake.kills == 0, "then it has expired");
        has_str(r->items[0].note, "expired", "and says so");
        das_report_free(r);
    }
    das_plan_release(p);

    opts.ttl_s = 0;
    p = plan_of(&then, 1, f, &opts);
    ok(das_plan_expires_ms(p) - das_plan_created_ms(p) == 60000, "60 s by default");
    fake.list_fails = 1;
    ok(!apply(p, true, NULL) && err.code == DAS_E_CONNECT && fake.kills == 0,
       "no list, no report, no kill");
    fake.list_fails = 0;
    das_plan_release(p);
    das_filter_release(f);
}

/* A kill that takes long makes the look at the next victim an old one. */
static void slow_kills(void)
{
    struct das_session then[] = {kit_session(1), kit_session(2)}, now[2];
    struct das_plan_opts opts = {.mode = DAS_MODE_CONNECTION};
    struct das_filter *f = kit_all();
    struct das_plan *p = plan_of(then, 2, f, &opts);
    struct das_report *r;

    now[0] = later(&then[0]);
    now[1] = later(&then[1]);
    fake_show(&fake, now, 2, NOW);
    now[1].sql_info = das_text_of("UPDATE something else");
    fake.after_kill = kit_snapshot(now, 2);
    das_snapshot_set_time(fake.after_kill, NOW);
    fake.kill_takes_us = 250 * 1000;
    fake.kills = 0;
    fake.lists = 0;
    r = apply(p, true, NULL);
    ok(r && r->items[0].kind == DAS_O_KILLED, "the first dies");
    ok(r && r->items[1].kind == DAS_O_CHANGED, "the second has moved on meanwhile and lives");
    is_int(fake.kills, 1, "one kill was sent");
    is_int(fake.lists, 4, "the list was asked for again: just before the kill, and after it");
    fake.kill_takes_us = 0;
    das_report_free(r);
    das_plan_release(p);
    das_filter_release(f);
}

static void nobody(void)
{
    struct das_session s = kit_session(1);
    struct das_filter *f = kit_filter("user", "nobody");
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO};
    struct das_plan *p = plan_of(&s, 1, f, &opts);
    struct das_buf b = {0};

    fake.kills = 0;
    for (int armed = 0; armed < 2; armed++) {
        struct das_report *r = apply(p, armed, NULL);
        ok(r && r->count == 0 && totals_add_up(r) && fake.kills == 0, "an empty plan does nothing");
        das_buf_reset(&b);
        das_report_print(r, 80, &b);
        is_str(b.ptr, armed ? "applied: no victims\n" : "dry run: no victims\n", "and says so");
        das_report_free(r);
    }
    das_buf_clear(&b);
    das_plan_release(p);
    das_filter_release(f);
}

/* Whatever allocation fails: a dry run kills nothing, and a report tells every kill that was. */
static void no_memory(void)
{
    struct das_session then[3], now[3];
    struct das_filter *f = kit_filter("user", "app");
    int bad = 0, ended = 0;
    long n;

    for (int i = 0; i < 3; i++) {
        then[i] = kit_session(i + 1);
        now[i] = later(&then[i]);
    }
    now[1].db = das_text_of("x");
    for (n = 1; n < 1000 && !ended; n++) {
        for (int armed = 0; armed < 2; armed++) {
            const struct das_plan_opts opts = {
                .mode = DAS_MODE_AUTO, .reason = "r", .limits = &no_limits};
            struct das_selection *sel;
            struct das_plan *p;
            struct das_report *r = NULL;
            struct das_buf b = {0};
            size_t sent;
            fake.kills = 0;
            fake_show(&fake, then, 3, THEN);
            sel = das_select(fake.list, f, &err);
            das_alloc_fail_at(n);
            p = das_plan_new(sel, fake.name, &opts, &err);
            if (p && !das_alloc_failed()) {
                das_alloc_fail_at(0); /* the list of the test itself shall not fail */
                fake_show(&fake, now, 3, NOW);
                das_alloc_fail_at(n);
                r = apply(p, armed, NULL);
            }
            if (r) {
                das_report_print(r, 80, &b);
                das_report_json(r, &b);
            }
            ended = r && !das_alloc_failed();
            das_alloc_fail_at(0);
            if (!r && (err.code != DAS_E_NOMEM || fake.kills))
                bad++;
            /* a kill whose end could not be looked for is unknown, and told all the same */
            sent = r ? r->totals[DAS_O_KILLED] + r->totals[DAS_O_UNKNOWN] : 0;
            if (r && (sent != fake.kills || !totals_add_up(r) || (!armed && fake.kills) ||
                      (armed && ended && fake.kills != 2)))
                bad++;
            das_buf_clear(&b);
            das_report_free(r);
            das_plan_release(p);
            das_selection_free(sel);
        }
    }
    ok(!bad && n > 10 && n < 1000, "%ld failing allocations: nothing is lost, nothing is added", n);
    das_filter_release(f);
}

int main(void)
{
    fake_init(&fake);
    same_or_gone();
    changes();
    transactions();
    sleepers();
    unknown_ages();
    no_longer_matching();
    modes();
    protected_ones();
    own_session();
    listed_twice();
    answers();
    several();
    nameless_server();
    refused();
    slow_kills();
    nobody();
    no_memory();
    fake_clear(&fake);
    return tap_done();
}
