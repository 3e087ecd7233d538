/*
 * test_apply_guards.c - what stands between a verified victim and its kill, guard by guard, against
 * a scripted source and a real state database.
 */
#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/store/budget.h"
#include "core/store/habits.h"
#include "core/store/journal.h"
#include "tests/unit/plan_kit.h"

static struct das_policy_rules rules;
static struct das_guard guard;
static struct das_apply_watch watch;
static int64_t next_query_id = 1000;

/* A policy of its own for each case: counts and breakers do not meet. */
static void fresh(const char *policy)
{
    guard = *permissive_guard();
    rules = *guard.rules;
    guard.rules = &rules;
    guard.policy = policy;
    memset(&watch, 0, sizeof watch);
    fake_clear(&fake);
    fake_init(&fake);
    snprintf(fake.name, sizeof fake.name, "%.15s", policy);
}

#define MANY 64

/* n sessions that run a statement each, ids 1 to n. */
static void sessions(struct das_session *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        list[i] = kit_session((int64_t)i + 1);
        list[i].query_id = next_query_id++;
    }
}

static struct das_plan *plan_with(const struct das_session *list, size_t n,
                                  const struct das_plan_opts *opts)
{
    struct das_filter *f = kit_all();
    struct das_plan *p = plan_of(list, n, f, opts);

    das_filter_release(f);
    return p;
}

static struct das_report *go_armed(struct das_plan *p, bool armed)
{
    const struct das_apply_opts opts = {
        .armed = armed, .guard = &guard, .watch = watch.before ? &watch : NULL};
    struct das_report *r = NULL;

    if (das_plan_apply(p, &fake.base, &opts, &r, &err) < 0)
        return NULL;
    return r;
}

/* A plan for the first victims of total sessions that are there; armed. */
static struct das_report *run(size_t total, size_t victims, enum das_kill_mode mode)
{
    const struct das_plan_opts opts = {.mode = mode, .reason = "test"};
    struct das_session list[MANY];
    struct das_report *r;
    struct das_plan *p;

    sessions(list, total);
    p = plan_with(list, victims, &opts);
    fake_show(&fake, list, total, THEN);
    fake.kills = 0;
    r = go_armed(p, true);
    das_plan_release(p);
    must(r, "applied: %s", err.msg);
    return r;
}

static void refused(struct das_report *r, size_t n, const char *why, const char *what)
{
    ok(r->totals[DAS_O_REFUSED] == n && r->count == n && fake.kills == 0, "%s: all %zu refused",
       what, n);
    has_str(r->items[0].note, why, "%s: why", what);
    das_report_free(r);
}

static void killed(struct das_report *r, size_t n, const char *what)
{
    ok(r->totals[DAS_O_KILLED] == n && fake.kills == n, "%s: %zu killed (%zu, %zu sent)%s", what, n,
       r->totals[DAS_O_KILLED], fake.kills, r->items[0].note ? r->items[0].note : "");
    das_report_free(r);
}

/* --- journal -------------------------------------------------------------------------------------- */

struct counted {
    int apply, intent, outcome, refused, respawned, breaker;
    int64_t from; /* records before it do not count */
    char last[4000];
};

static int count_record(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct counted *c = arg;
    char text[4000];

    (void)hash;
    if (seq <= c->from)
        return 0;
    snprintf(text, sizeof text, "%.*s", (int)(line.len < 3999 ? line.len : 3999), line.ptr);
    c->apply += strstr(text, "\"kind\":\"apply\"") != NULL;
    c->intent += strstr(text, "\"kind\":\"intent\"") != NULL;
    c->outcome += strstr(text, "\"kind\":\"outcome\"") != NULL;
    c->refused += strstr(text, "\"kind\":\"refused\"") != NULL;
    c->respawned += strstr(text, "\"kind\":\"respawned\"") != NULL;
    c->breaker += strstr(text, "\"kind\":\"breaker\"") != NULL;
    memcpy(c->last, text, sizeof text);
    return 0;
}

static int64_t head(void)
{
    struct das_head h;

    must(das_journal_head(temp_store(), &h, &err) == 0, "head: %s", err.msg);
    return h.seq;
}

static struct counted since(int64_t seq)
{
    struct counted c = {.from = seq};

    must(das_journal_each(temp_store(), 0, count_record, &c, &err) == 0, "walk: %s", err.msg);
    return c;
}

static void no_journal_no_kill(void)
{
    struct das_session list[2];
    const struct das_apply_opts bare = {.armed = true};
    struct das_report *r = NULL;
    struct das_plan *p;

    fresh("bare");
    sessions(list, 2);
    p = plan_with(list, 2, &(struct das_plan_opts){.reason = "x"});
    ok(das_plan_apply(p, &fake.base, &bare, &r, &err) < 0 && err.code == DAS_E_BLOCKED && !r &&
           fake.kills == 0,
       "armed without a guard: nothing");
    guard.store = NULL;
    ok(!go_armed(p, true) && fake.kills == 0, "armed without a store: nothing");
    r = go_armed(p, false);
    ok(r && r->totals[DAS_O_DRY_RUN] == 2 && !r->would_block, "a dry run needs none");
    das_report_free(r);
    das_plan_release(p);
}

static void what_is_written(void)
{
    int64_t before = head();
    struct counted c;
    struct das_head h;

    fresh("written");
    killed(run(4, 3, DAS_MODE_QUERY), 3, "three");
    c = since(before);
    is_int(c.apply, 1, "one apply");
    is_int(c.intent, 3, "an intent for each kill");
    is_int(c.outcome, 3, "an outcome for each");
    has_str(c.last, "\"outcome\":\"killed\"", "killed");
    has_str(c.last, "\"after_ms\":", "and after how long");
    ok(das_journal_verify(temp_store(), NULL, &h, &err) == 0, "the chain holds");
}

struct sought {
    int64_t from;
    const char *text;
    int found;
};

static int seek_record(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct sought *s = arg;

    (void)hash;
    s->found += seq > s->from && memmem(line.ptr, line.len, s->text, strlen(s->text));
    return 0;
}

/* How many records after seq hold text? */
static int records_with(int64_t seq, const char *text)
{
    struct sought s = {.from = seq, .text = text};

    must(das_journal_each(temp_store(), 0, seek_record, &s, &err) == 0, "walk: %s", err.msg);
    return s.found;
}

#define TOKEN "hunter2token"

/* One victim with a secret of the run in whatever a plan and a session say. */
static int64_t apply_secret(void)
{
    struct das_filter *f = kit_filter("info", "select~" TOKEN);
    struct das_session s = kit_session(1);
    struct das_plan *p;
    int64_t before;

    s.query_id = next_query_id++;
    s.db = das_text_of("db_" TOKEN);
    s.state = das_text_of("doing " TOKEN);
    s.sql_info = das_text_of("select `" TOKEN "` from t where token = '" TOKEN "'");
    p = plan_of(&s, 1, f, &(struct das_plan_opts){.reason = "because of " TOKEN});
    fake.kills = 0;
    before = head();
    killed(go_armed(p, true), 1, "a statement with a secret");
    das_plan_release(p);
    das_filter_release(f);
    return before;
}

static void secrets_stay_out(void)
{
    char name[] = "token", where[] = "DAS_TEST_TOKEN";
    const struct das_secret_place place = {name, where, DAS_SECRET_ENV};
    struct das_vault vault;
    int64_t before;

    das_vault_init(&vault);
    setenv(where, TOKEN, 1);
    must(das_vault_read(&vault, &place, &err), "a secret of the run: %s", err.msg);
    fresh("secret");
    before = apply_secret();
    is_int(records_with(before, TOKEN), 2, "a value that is nobody's secret stands in apply and intent");
    fresh("secret2");
    guard.vault = &vault;
    before = apply_secret();
    is_int(records_with(before, TOKEN), 0, "the run's secret in none of its records");
    is_int(records_with(before, "where token = '***'"), 1, "the rest of the statement is there");
    is_int(records_with(before, "because of ***"), 1, "so is the rest of the reason");
    fresh("secret3");
    guard.vault = &vault;
    rules.redact_sql = true;
    before = apply_secret();
    is_int(records_with(before, TOKEN), 0, "nor in the fingerprint, where a name is the secret");
    is_int(records_with(before, "sql_fingerprint"), 1, "which is there");
    das_vault_clear(&vault);
}

static void applied_once(void)
{
    struct das_session list[1];
    struct das_plan *p;
    struct das_report *r;

    fresh("once");
    sessions(list, 1);
    p = plan_with(list, 1, &(struct das_plan_opts){.reason = "x"});
    r = go_armed(p, false);
    ok(r && r->totals[DAS_O_DRY_RUN] == 1, "a dry run does not use a plan up");
    das_report_free(r);
    killed(go_armed(p, true), 1, "the first time");
    fake.kills = 0;
    refused(go_armed(p, true), 1, "applied before", "the second time");
    das_plan_release(p);
}

static char rival_plan[100];

/* Another process applies the same plan while this one looks at the server. */
static void rival_applies(struct fake *f)
{
    char members[120];
    struct das_record r = {.kind = "apply"};

    f->on_list = NULL;
    snprintf(members, sizeof members, "\"plan\":\"%s\"", rival_plan);
    r.members = das_text_of(members);
    must(das_journal_add(temp_store(), &r, 1, &err) == 0, "the rival: %s", err.msg);
}

static void applied_at_once(void)
{
    struct das_session list[2];
    struct das_plan *p;

    fresh("at-once");
    sessions(list, 2);
    p = plan_with(list, 2, &(struct das_plan_opts){.reason = "x"});
    snprintf(rival_plan, sizeof rival_plan, "%s", das_plan_hash(p));
    fake.on_list = rival_applies;
    refused(go_armed(p, true), 2, "applied before", "two at once: the later one");
    fresh("at-once");
    rules.limits.instance = 1;
    killed(run(9, 1, DAS_MODE_QUERY), 1, "and what it had reserved is free again");
    das_plan_release(p);
}

static void drop_journal(struct fake *f)
{
    sqlite3 *db;

    (void)f;
    must(sqlite3_open(das_store_path(temp_store()), &db) == SQLITE_OK, "opened");
    must(sqlite3_exec(db, "ALTER TABLE journal RENAME TO gone", NULL, NULL, NULL) == SQLITE_OK,
         "taken away");
    sqlite3_close(db);
}

static void restore_journal(void)
{
    sqlite3 *db;

    must(sqlite3_open(das_store_path(temp_store()), &db) == SQLITE_OK, "opened");
    must(sqlite3_exec(db, "ALTER TABLE gone RENAME TO journal", NULL, NULL, NULL) == SQLITE_OK,
         "put back");
    sqlite3_close(db);
}

static void journal_breaks(void)
{
    struct das_session list[3];
    struct das_plan *p;
    struct das_report *r;

    fresh("broken");
    sessions(list, 3);
    p = plan_with(list, 3, &(struct das_plan_opts){.reason = "x"});
    drop_journal(NULL);
    ok(!go_armed(p, true) && fake.kills == 0, "no journal at the beginning: nothing is killed");
    ok(err.code == DAS_E_STORE, "and it says so: %s", err.msg);
    restore_journal();
    fake.on_kill = drop_journal;
    r = go_armed(p, true);
    must(r, "a report, whatever the journal does: %s", err.msg);
    is_int(fake.kills, 1, "it breaks after the first intent: no second kill");
    is_int(r->totals[DAS_O_REFUSED], 2, "the others are refused");
    has_str(r->items[2].note, "journal", "because of the journal");
    das_report_free(r);
    das_plan_release(p);
    restore_journal();
    fresh("mended");
    killed(run(1, 1, DAS_MODE_QUERY), 1, "and when it is back");
}

/* --- off switch ------------------------------------------------------------------------------------ */

static char stop_path[100];

static void write_stop(struct fake *f)
{
    FILE *out;

    if (f && f->kills != 1) /* while the second kill is on its way */
        return;
    out = fopen(stop_path, "w");
    must(out, "%s", stop_path);
    fputs("2026-11-24T07:00:00Z alice: incident 7\n", out);
    fclose(out);
}

static void off_switch(void)
{
    const char *files[] = {"/nonexistent/das/STOP", stop_path, NULL};
    struct das_report *r;
    char why[400], *no_dir[2] = {NULL, NULL};
    int64_t before;

    snprintf(stop_path, sizeof stop_path, "%s/STOP", temp_state_dir());
    fresh("stop");
    guard.stop_files = files;
    ok(!das_stopped(files, why, sizeof why), "no file, no stop");
    killed(run(3, 2, DAS_MODE_QUERY), 2, "no STOP");
    write_stop(NULL);
    refused(run(3, 3, DAS_MODE_QUERY), 3, "incident 7", "STOP");
    unlink(stop_path);
    fake.on_kill = write_stop;
    before = head();
    r = run(5, 4, DAS_MODE_QUERY);
    is_int(since(before).intent, fake.kills, "no intent for whom the switch saved");
    is_int(r->totals[DAS_O_KILLED], 2, "STOP in the middle: what was on its way");
    is_int(r->totals[DAS_O_REFUSED], 2, "and no more");
    is_int(fake.kills, 2, "no more sent");
    has_str(r->items[3].note, "stopped by", "why");
    das_report_free(r);
    unlink(stop_path);
    no_dir[0] = stop_path;
    must(mkdir(stop_path, 0700) == 0, "a directory");
    ok(das_stopped((const char *const *)no_dir, why, sizeof why), "a directory of that name stops too");
    rmdir(stop_path);
    must(symlink(stop_path, stop_path) == 0, "a link to itself");
    ok(das_stopped((const char *const *)no_dir, why, sizeof why) && strstr(why, "cannot be looked"),
       "a name that cannot be looked at is a stop: %s", why);
    unlink(stop_path);
}

/* --- limits ---------------------------------------------------------------------------------------- */

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

    fresh("run-limit");
    rules.limits.run = 3; /* kills of earlier cases in this process are the same run */
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

static void ladder_counts(void)
{
    const struct das_plan_opts opts = {
        .reason = "x", .mode = DAS_MODE_QUERY, .escalate_ms = 20};
    struct das_session list[10];
    struct das_plan *p;

    fresh("min-ladder");
    rules.limits.min_left = 4;
    sessions(list, 10);
    p = plan_with(list, 7, &opts);
    fake_show(&fake, list, 10, THEN);
    refused(go_armed(p, true), 7, "min_left", "a ladder may end connections");
    das_plan_release(p);
}

static void incomplete(void)
{
    struct das_session list[40];
    struct das_plan *p;
    struct das_report *r;

    fresh("incomplete");
    rules.limits.percent = 50;
    sessions(list, 40);
    p = plan_with(list, 1, &(struct das_plan_opts){.reason = "x"});
    fake_show(&fake, list, 40, THEN);
    das_snapshot_set_complete(fake.list, false);
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    refused(r, 1, "not complete", "half a list");
    rules.limits.percent = 100;
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    killed(r, 1, "without that limit");
    das_plan_release(p);
}

static void plans_own_limits(void)
{
    struct das_kill_limits tight = *&rules.limits;
    struct das_session list[4];
    struct das_plan_opts opts = {.reason = "x", .limits = &tight};
    struct das_plan *p;

    fresh("own-limits");
    tight = rules.limits;
    tight.instance = 1;
    sessions(list, 4);
    p = plan_with(list, 2, &opts);
    fake_show(&fake, list, 4, THEN);
    refused(go_armed(p, true), 2, "limits.kill.instance", "what its maker was held to");
    das_plan_release(p);
}

static void big_transaction(void)
{
    struct das_session list[2];
    struct das_plan *p;
    struct das_report *r;

    fresh("rollback");
    rules.limits.rows_modified = 1000;
    sessions(list, 2);
    list[0].trx_time = list[1].trx_time = 50;
    list[0].rows_modified = 1000;
    list[1].rows_modified = 1001;
    p = plan_with(list, 2, &(struct das_plan_opts){.reason = "x", .mode = DAS_MODE_CONNECTION});
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_str(das_outcome_name(r->items[0].kind), "killed", "1000 rows");
    is_str(das_outcome_name(r->items[1].kind), "refused", "1001 rows");
    has_str(r->items[1].note, "1001 rows", "the estimate");
    das_report_free(r);
    das_plan_release(p);
}

/* --- mode and windows --------------------------------------------------------------------------------- */

static void modes(void)
{
    struct das_span freeze = {0, INT64_MAX, NULL};
    char name[] = "year-end";

    fresh("modes");
    rules.mode = DAS_POLICY_OBSERVE;
    refused(run(3, 2, DAS_MODE_QUERY), 2, "mode observe", "not promoted");
    guard.by_person = true;
    killed(run(3, 2, DAS_MODE_QUERY), 2, "a person's yes");
    rules.mode_is_set = true;
    refused(run(3, 2, DAS_MODE_QUERY), 2, "its mode in das.lua", "unless the configuration says look");
    rules.mode = DAS_POLICY_APPROVE;
    killed(run(3, 2, DAS_MODE_QUERY), 2, "approve, by a person");
    guard.by_person = false;
    refused(run(3, 2, DAS_MODE_QUERY), 2, "das apply FILE", "approve, by itself");
    rules.mode = DAS_POLICY_NOTIFY;
    refused(run(3, 2, DAS_MODE_QUERY), 2, "mode notify", "notify");
    rules.mode = DAS_POLICY_AUTO;
    freeze.name = name;
    rules.freezes = &freeze;
    rules.freeze_count = 1;
    refused(run(3, 2, DAS_MODE_QUERY), 2, "year-end", "frozen");
    freeze.to = 1;
    killed(run(3, 2, DAS_MODE_QUERY), 2, "a freeze that is over");
}

static void would(void)
{
    struct das_session list[4];
    struct das_plan *p;
    struct das_report *r;

    fresh("would");
    rules.mode = DAS_POLICY_OBSERVE;
    sessions(list, 4);
    p = plan_with(list, 4, &(struct das_plan_opts){.reason = "x"});
    r = go_armed(p, false);
    ok(r && r->totals[DAS_O_DRY_RUN] == 4 && r->would_block, "a dry run shows the victims all the same");
    has_str(r ? r->would_block : "", "mode observe", "and what would keep it from killing them");
    das_report_free(r);
    rules.mode = DAS_POLICY_AUTO;
    rules.limits.run = 3;
    guard.store = NULL;
    r = go_armed(p, false);
    has_str(r && r->would_block ? r->would_block : "", "limits.kill.run", "limits, without a store");
    das_report_free(r);
    das_plan_release(p);
}

/* --- ramp and breaker ------------------------------------------------------------------------------- */

static enum das_breaker_state breaker(char *reason, size_t size)
{
    struct das_breaker b;

    must(das_breaker_get(temp_store(), guard.policy, fake.name, &b, &err) == 0, "%s", err.msg);
    snprintf(reason, size, "%s", b.reason);
    return b.state;
}

static int looks_at[16];

static void note_looks(struct fake *f)
{
    looks_at[f->kills] = f->lists;
}

static void ramp(void)
{
    struct das_report *r;
    char reason[300];
    int64_t before;

    fresh("ramp");
    rules.ramp = true;
    rules.breaker.failures = 1;
    rules.breaker.cooldown_ms = 1000000;
    fake.on_kill = note_looks;
    r = run(20, 8, DAS_MODE_QUERY);
    is_int(r->totals[DAS_O_KILLED], 8, "all eight");
    das_report_free(r);
    ok(looks_at[0] < looks_at[1] && looks_at[1] == looks_at[2] && looks_at[2] < looks_at[3] &&
           looks_at[3] == looks_at[6] && looks_at[6] < looks_at[7],
       "1, 2, 4, ... with a look in between (%d %d %d %d %d)", looks_at[0], looks_at[1], looks_at[2],
       looks_at[3], looks_at[7]);
    fake.on_kill = NULL;
    before = head();
    fake.answers[1] = DAS_KILL_FAILED;
    r = run(20, 8, DAS_MODE_QUERY);
    is_int(fake.kills, 3, "a failure in the second step: its two, and no third step");
    is_int(r->totals[DAS_O_REFUSED], 5, "the rest is refused");
    has_str(r->items[7].note, "the breaker opened", "because");
    das_report_free(r);
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_OPEN, "the breaker is open: %s", reason);
    is_int(since(before).breaker, 1, "the journal says so");
    memset(fake.answers, 0, sizeof fake.answers);
    refused(run(20, 2, DAS_MODE_QUERY), 2, "the breaker is open", "the next run");
    rules.breaker.cooldown_ms = 0;
    r = run(20, 3, DAS_MODE_QUERY);
    ok(fake.kills == 1 && r->totals[DAS_O_KILLED] == 1 && r->totals[DAS_O_REFUSED] == 2,
       "half-open: one canary");
    das_report_free(r);
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_CLOSED, "which closes it");
    killed(run(20, 3, DAS_MODE_QUERY), 3, "closed again");
}

static void canary_fails(void)
{
    struct das_report *r;
    char reason[300];

    fresh("canary");
    rules.ramp = true;
    rules.breaker.failures = 1;
    rules.breaker.cooldown_ms = 0;
    fake.answers[0] = DAS_KILL_FAILED;
    das_report_free(run(9, 2, DAS_MODE_QUERY));
    r = run(9, 2, DAS_MODE_QUERY);
    ok(fake.kills == 1 && r->totals[DAS_O_FAILED] == 1, "the canary fails");
    das_report_free(r);
    rules.breaker.cooldown_ms = 1000000;
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_OPEN, "open again");
    refused(run(9, 2, DAS_MODE_QUERY), 2, "breaker is open", "and nobody passes");
}

static struct das_report *stubborn(const char *command, int64_t rows, int64_t escalate_ms);

/* A breaker of the case's policy that is due for its canary. */
static void half_open(const char *policy)
{
    struct das_breaker b = {.state = DAS_BREAKER_OPEN, .reason = "earlier"};

    fresh(policy);
    rules.ramp = true;
    must(das_breaker_put(temp_store(), policy, fake.name, &b, &err) == 0, "%s", err.msg);
}

static void canary_is_one(void)
{
    struct das_report *r;
    char reason[300];

    half_open("lenient");
    rules.breaker.failures = 5;
    fake.answers[0] = DAS_KILL_FAILED;
    r = run(9, 4, DAS_MODE_QUERY);
    is_int((int64_t)fake.kills, 1, "a canary may not fail, whatever others may");
    das_report_free(r);
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_OPEN, "it is open again: %s", reason);

    half_open("unlimited");
    rules.breaker.failures = 0;
    fake.answers[0] = DAS_KILL_FAILED;
    r = run(9, 4, DAS_MODE_QUERY);
    is_int((int64_t)fake.kills, 1, "nor where failures open nothing");
    das_report_free(r);

    half_open("gone");
    fake.answers[0] = fake.answers[1] = DAS_KILL_GONE;
    r = run(9, 6, DAS_MODE_QUERY);
    ok(r->totals[DAS_O_GONE] == 2 && r->totals[DAS_O_KILLED] == 1 && fake.kills == 3,
       "two that had ended by themselves, and still one kill (%zu)", r->totals[DAS_O_KILLED]);
    das_report_free(r);
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_CLOSED, "which closes it");

    half_open("ending");
    r = stubborn("Killed", 5, 0);
    is_str(das_outcome_name(r->items[0].kind), "killing", "a canary that is still ending");
    das_report_free(r);
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_HALF_OPEN, "has not done well yet");
}

static void open_it(struct fake *f)
{
    struct das_breaker b = {.state = DAS_BREAKER_OPEN, .reason = "seen by another run"};

    if (f->kills == 1)
        must(das_breaker_put(temp_store(), guard.policy, f->name, &b, &err) == 0, "%s", err.msg);
}

static void opened_by_others(void)
{
    struct das_report *r;
    char reason[300];

    fresh("others");
    rules.ramp = true;
    fake.on_kill = open_it;
    r = run(20, 10, DAS_MODE_QUERY);
    is_int((int64_t)fake.kills, 3, "another run opens the breaker: the step that runs, and no more");
    has_str(r->items[9].note, "seen by another run", "and why");
    das_report_free(r);
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_OPEN, "it stays open");
}

/* What is no habit yet cannot be exceeded. */
static void no_habit_no_surge(void)
{
    fresh("young");
    rules.breaker.surge = 4;
    rules.breaker.cooldown_ms = 1000000;
    killed(run(40, 15, DAS_MODE_QUERY), 15, "the first plan of a policy has any number of victims");
    fresh("younger");
    rules.breaker.surge = 4;
    rules.breaker.cooldown_ms = 1000000;
    for (int i = 0; i < 4; i++)
        killed(run(40, 2, DAS_MODE_QUERY), 2, "not yet the usual");
    killed(run(40, 15, DAS_MODE_QUERY), 15, "four earlier plans make no habit");
    refused(run(40, 15, DAS_MODE_QUERY), 15, "this policy usually has 2", "five do");
}

static void surge(void)
{
    struct das_report *r;

    fresh("surge");
    rules.breaker.surge = 4;
    for (int i = 0; i < 5; i++)
        killed(run(40, 2, DAS_MODE_QUERY), 2, "the usual");
    killed(run(40, 8, DAS_MODE_QUERY), 8, "four times as many");
    rules.breaker.cooldown_ms = 1000000;
    r = run(40, 9, DAS_MODE_QUERY);
    refused(r, 9, "surge: 9 victims, where this policy usually has 2", "more than four times");
    refused(run(40, 1, DAS_MODE_QUERY), 1, "breaker is open", "then the breaker is open");
}

/* What happens within one millisecond happens at the same time, as far as the store can tell. */
static void next_ms(void)
{
    int64_t now = das_clock_unix_ms();

    while (das_clock_unix_ms() == now)
        das_clock_sleep_ms(1);
}

static void respawns(void)
{
    int64_t before = head();
    struct das_report *r;
    struct counted c;

    fresh("respawn");
    rules.breaker.respawns = 2;
    rules.breaker.respawn_ms = 60000;
    rules.breaker.cooldown_ms = 1000000;
    r = run(10, 1, DAS_MODE_QUERY);
    is_int((int64_t)r->respawned, 0, "the first of its kind");
    das_report_free(r);
    r = run(10, 1, DAS_MODE_QUERY);
    ok(r->respawned == 1 && r->totals[DAS_O_KILLED] == 1, "it came back, and is killed again");
    das_report_free(r);
    c = since(before);
    is_int(c.respawned, 1, "the journal has it");
    refused(run(10, 1, DAS_MODE_QUERY), 1, "come back", "the second time is too often");
    fresh("respawn2");
    rules.breaker.respawns = 2;
    rules.breaker.respawn_ms = 0;
    for (int i = 0; i < 4; i++) {
        das_report_free(run(10, 1, DAS_MODE_QUERY));
        next_ms();
    }
    is_int((int64_t)fake.kills, 1, "long after, it did not come back");
}

/* The server after a kill: which of these is the victim's statement, come back? */
static void who_came_back(void)
{
    struct das_session list[9];
    struct das_report *r;
    struct das_plan *p;
    struct counted c;
    int64_t before = head();

    fresh("back");
    rules.breaker.respawns = 100;
    sessions(list, 9);
    for (size_t i = 0; i < 9; i++)
        list[i].time_ms = 0; /* it has just begun */
    list[0].time_ms = list[1].time_ms = 100000;
    p = plan_with(list, 2, &(struct das_plan_opts){.reason = "x", .mode = DAS_MODE_QUERY});
    fake.answers[1] = DAS_KILL_FAILED;
    list[1].time_ms = 0;
    list[2].time_ms = 100000;
    list[3].time_ms = DAS_UNKNOWN;
    list[4].command = das_text_of("Sleep");
    list[5].command = das_text_of("Killed");
    list[6].user = das_text_of("other");
    list[7].sql_info = das_text_of("select * from customers");
    fake.after_kill = kit_snapshot(list, 9);
    das_snapshot_set_time(fake.after_kill, THEN);
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    ok(r->totals[DAS_O_KILLED] == 1 && r->totals[DAS_O_FAILED] == 1, "one is dead, one lives");
    is_int((int64_t)r->respawned, 1,
           "none that ran all the while, no victim, none that sleeps or dies, nobody else's, nothing else");
    c = since(before);
    is_int(c.respawned, 1, "one in the journal");
    ok(strstr(c.last, "\"seen\":\"after\"") && strstr(c.last, "\"id\":9,"),
       "the one that began after the kill: %s", c.last);
    das_report_free(r);
    das_plan_release(p);
}

static void symptom(void)
{
    struct das_filter *waits = kit_filter("state", "Waiting%");
    const struct das_plan_opts opts = {.reason = "x", .symptom = waits};
    struct das_session list[6];
    struct das_report *r;
    struct das_plan *p;
    char reason[300];

    fresh("symptom");
    rules.ramp = true;
    sessions(list, 6);
    list[4].state = list[5].state = das_text_of("Waiting for table metadata lock");
    p = plan_with(list, 4, &opts);
    fake_show(&fake, list, 6, THEN);
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    ok(fake.kills == 1 && r->totals[DAS_O_REFUSED] == 3, "no better after one: no second");
    has_str(r->items[1].note, "2 sessions before, 2 after", "why");
    das_report_free(r);
    das_plan_release(p);
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_OPEN, "the breaker is open");

    fresh("symptom2");
    rules.ramp = true;
    sessions(list, 6);
    list[0].state = list[5].state = das_text_of("Waiting for table metadata lock");
    p = plan_with(list, 4, &opts);
    fake_show(&fake, list, 6, THEN);
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_int(r->totals[DAS_O_KILLED], 4, "better after the first: on it goes");
    das_report_free(r);
    das_plan_release(p);
    das_filter_release(waits);
}

static int64_t swap_at; /* the list from which on another server answers */

static void swap_server(struct fake *f)
{
    if (f->kills && f->lists >= swap_at)
        strcpy(f->identity.server, "another");
}

/* The connection is lost while the symptom is looked at, and the address leads somewhere else: there
 * the same ids, users and statements mean other sessions. */
static void symptom_elsewhere(void)
{
    struct das_filter *waits = kit_filter("state", "Waiting%");
    const struct das_plan_opts opts = {.reason = "x", .symptom = waits};
    struct das_session list[6];
    struct das_report *r;
    struct das_plan *p;

    fresh("elsewhere");
    rules.ramp = true;
    sessions(list, 6);
    list[0].state = list[5].state = das_text_of("Waiting for table metadata lock");
    p = plan_with(list, 4, &opts);
    fake_show(&fake, list, 6, THEN);
    fake.on_list = swap_server;
    swap_at = 3; /* 1: verified, 2: the first is dead, 3: the symptom */
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_int((int64_t)fake.kills, 1, "no kill on another server");
    is_int(r->totals[DAS_O_REFUSED], 3, "the others are refused");
    has_str(r->items[1].note, "another server answers", "why");
    das_report_free(r);
    das_plan_release(p);
    das_filter_release(waits);
}

/* --- what became of it ------------------------------------------------------------------------------- */

/* One victim that runs, killed while the source shows it as command says afterwards. */
static struct das_report *stubborn(const char *command, int64_t rows, int64_t escalate_ms)
{
    const struct das_plan_opts opts = {
        .reason = "x", .mode = DAS_MODE_QUERY, .escalate_ms = escalate_ms};
    struct das_session list[1];
    struct das_report *r;
    struct das_plan *p;

    sessions(list, 1);
    list[0].trx_time = 3;
    list[0].rows_modified = rows;
    p = plan_with(list, 1, &opts);
    fake.stubborn = true;
    list[0].command = das_text_of(command);
    list[0].rows_modified = rows / 2;
    fake.after_kill = kit_snapshot(list, 1);
    das_snapshot_set_time(fake.after_kill, THEN);
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    das_plan_release(p);
    return r;
}

static void outcomes(void)
{
    struct das_report *r;
    int64_t before;

    fresh("killing");
    r = stubborn("Killed", 500, 0);
    is_str(das_outcome_name(r->items[0].kind), "killing", "still rolling back");
    is_int(r->items[0].rows_left, 250, "rows left");
    das_report_free(r);
    fresh("goes-on");
    r = stubborn("Query", 500, 0);
    is_str(das_outcome_name(r->items[0].kind), "failed", "accepted, and without effect");
    has_str(r->items[0].note, "goes on", "it says so");
    das_report_free(r);

    fresh("ladder");
    before = head();
    r = stubborn("Query", 500, 20);
    is_int((int64_t)fake.kills, 2, "the statement, then the connection");
    is_int(fake.killed[0].what, DAS_KILL_STATEMENT, "first");
    is_int(fake.killed[1].what, DAS_KILL_SESSION, "second");
    is_int(since(before).intent, 2, "an intent for each");
    is_int(since(before).outcome, 2, "an outcome for each");
    is_str(r->items[0].action, "connection", "the last rung");
    das_report_free(r);

    fresh("ladder-limit");
    rules.limits.instance = 1;
    r = stubborn("Query", 500, 20);
    is_int((int64_t)fake.kills, 1, "the second kill counts too: a limit of one");
    has_str(r->items[0].note, "limits.kill.instance", "it says so");
    das_report_free(r);
}

static void break_connection(struct fake *f)
{
    f->list_fails = 1;
}

static void lost(void)
{
    struct das_report *r;
    int64_t seqs[8], n;
    char reason[300];

    fresh("lost");
    rules.breaker.failures = 1;
    fake.on_kill = break_connection;
    r = run(5, 1, DAS_MODE_QUERY);
    is_str(das_outcome_name(r->items[0].kind), "unknown", "accepted, then nobody could look");
    is_int((int64_t)fake.kills, 1, "never tried again");
    das_report_free(r);
    n = das_journal_unknown(temp_store(), seqs, 8, &err);
    ok(n >= 1, "it is shown as unknown (%lld)", (long long)n);
    is_int(das_journal_acknowledge(temp_store(), seqs[0], "alice", "looked", &err), 0, "until acknowledged");
    is_int(das_journal_unknown(temp_store(), seqs, 8, &err), n - 1, "then not");
    ok(breaker(reason, sizeof reason) == DAS_BREAKER_OPEN, "the breaker is open");
}

/* --- the watch --------------------------------------------------------------------------------------- */

static int told_before, told_after;
static bool cancel_now;

static bool on_before(void *arg, const struct das_plan *p, size_t victim, const char *action,
                      char *why, size_t size)
{
    (void)arg;
    (void)p;
    (void)victim;
    (void)action;
    snprintf(why, size, "enough");
    return ++told_before <= 2;
}

static void on_after(void *arg, const struct das_plan *p, size_t victim,
                     const struct das_outcome *outcome)
{
    (void)arg;
    (void)p;
    (void)victim;
    told_after += outcome->kind == DAS_O_KILLED || outcome->kind == DAS_O_KILLING;
}

static bool on_cancelled(void *arg)
{
    (void)arg;
    return cancel_now;
}

static void watched(void)
{
    struct das_report *r;

    fresh("watched");
    watch = (struct das_apply_watch){on_before, on_after, on_cancelled, NULL};
    r = run(5, 4, DAS_MODE_QUERY);
    ok(r->totals[DAS_O_KILLED] == 2 && r->totals[DAS_O_REFUSED] == 2 && told_after == 2,
       "it stops where the watch says so, and hears of each outcome");
    das_report_free(r);
    fresh("cancelled");
    told_before = -100;
    watch = (struct das_apply_watch){on_before, on_after, on_cancelled, NULL};
    rules.outcome_wait_ms = 3600000; /* nobody waits an hour for this test */
    cancel_now = true;
    r = stubborn("Query", 1, 0);
    is_str(das_outcome_name(r->items[0].kind), "killing", "a run that ends does not wait");
    has_str(r->items[0].note, "not waited for", "and says so");
    das_report_free(r);
}

static void hurried(void)
{
    struct das_filter *waits = kit_filter("state", "Waiting%");
    const struct das_plan_opts opts = {.reason = "x", .symptom = waits};
    struct das_session list[3];
    struct das_report *r;
    struct das_plan *p;
    char reason[300];

    for (int hurry = 0; hurry < 2; hurry++) {
        fresh(hurry ? "hurried" : "patient");
        watch = (struct das_apply_watch){on_before, NULL, on_cancelled, NULL};
        told_before = -100;
        cancel_now = hurry;
        sessions(list, 3);
        list[2].state = das_text_of("Waiting for table metadata lock");
        p = plan_with(list, 2, &opts);
        fake_show(&fake, list, 3, THEN);
        r = go_armed(p, true);
        must(r, "%s", err.msg);
        killed(r, 2, "with a symptom that stays");
        is_int(breaker(reason, sizeof reason), hurry ? DAS_BREAKER_CLOSED : DAS_BREAKER_OPEN,
               hurry ? "a run that ends does not judge it" : "which opens the breaker");
        das_plan_release(p);
    }
    das_filter_release(waits);
}

/* A statement that the look before the kill shows to be another one. */
static void stale_looks(void)
{
    struct das_session list[3];
    struct das_report *r;
    struct das_plan *p;

    fresh("stale");
    rules.ramp = true;
    sessions(list, 3);
    p = plan_with(list, 3, &(struct das_plan_opts){.reason = "x", .mode = DAS_MODE_QUERY});
    list[1].query_id++; /* it moves on while the first one dies */
    fake.after_kill = kit_snapshot(list, 3);
    das_snapshot_set_time(fake.after_kill, THEN);
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_str(das_outcome_name(r->items[1].kind), "changed", "seen in the look after the first kill");
    is_str(das_outcome_name(r->items[2].kind), "killed", "the third is as it was");
    is_int((int64_t)fake.kills, 2, "two kills");
    is_int(fake.killed[1].id, 3, "of the right ones");
    das_report_free(r);
    das_plan_release(p);
}

/* --- between the look and the kill ------------------------------------------------------------- */

static struct das_session turns_into; /* what the second look shows, at once */

static void turn(struct fake *f)
{
    if (f->lists != 2)
        return;
    das_snapshot_release(f->list);
    f->list = kit_snapshot(&turns_into, 1);
    das_snapshot_set_time(f->list, THEN);
}

static void go_elsewhere(struct fake *f)
{
    if (f->lists == 2)
        strcpy(f->identity.server, "another");
}

static bool stop_before(void *arg, const struct das_plan *p, size_t victim, const char *action,
                        char *why, size_t size)
{
    (void)arg;
    (void)p;
    (void)victim;
    (void)action;
    snprintf(why, size, "-");
    write_stop(NULL);
    return true;
}

/* Without a query id the kill goes by the session's number: it is looked at once more when the
 * intent is written, which may have taken long. */
static void nothing_in_between(void)
{
    const struct das_plan_opts opts = {.reason = "x", .mode = DAS_MODE_QUERY};
    const char *files[] = {stop_path, NULL};
    struct das_session list[1];
    struct das_report *r;
    struct das_plan *p;
    int64_t before;

    fresh("blind");
    list[0] = kit_session(1);
    p = plan_with(list, 1, &opts);
    turns_into = list[0];
    turns_into.sql_info = das_text_of("UPDATE payroll SET x = 1");
    fake.on_list = turn;
    before = head();
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_str(das_outcome_name(r->items[0].kind), "changed", "it began another statement meanwhile");
    is_int((int64_t)fake.kills, 0, "and lives");
    is_int(since(before).outcome, 1, "its intent is closed");
    has_str(since(before).last, "\"outcome\":\"changed\"", "as what it is");
    das_report_free(r);
    das_plan_release(p);

    fresh("blind2");
    p = plan_with(list, 1, &opts);
    fake.on_list = go_elsewhere;
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_str(das_outcome_name(r->items[0].kind), "refused", "another server answers the last look");
    is_int((int64_t)fake.kills, 0, "no kill there");
    das_report_free(r);
    das_plan_release(p);

    fresh("late-stop");
    guard.stop_files = files;
    watch = (struct das_apply_watch){stop_before, NULL, NULL, NULL};
    r = run(3, 1, DAS_MODE_QUERY);
    refused(r, 1, "incident 7", "STOP while the intent is written");
    unlink(stop_path);
    must(symlink("/nonexistent/das", stop_path) == 0, "a link to nothing");
    watch.before = NULL;
    refused(run(3, 1, DAS_MODE_QUERY), 1, "link to nothing", "a STOP that leads nowhere is one");
    unlink(stop_path);
}

static struct das_span freeze_now = {0, INT64_MAX, NULL};

static void freeze_it(struct fake *f)
{
    (void)f;
    rules.freezes = &freeze_now;
    rules.freeze_count = 1;
}

static void window_ends(void)
{
    struct das_report *r;

    fresh("window-ends");
    fake.on_kill = freeze_it;
    r = run(9, 3, DAS_MODE_QUERY);
    ok(fake.kills == 1 && r->totals[DAS_O_REFUSED] == 2, "a freeze that begins in the middle");
    has_str(r->items[1].note, "frozen", "says why");
    das_report_free(r);
}

static int64_t expires_ms;

static void outlast_plan(struct fake *f)
{
    (void)f;
    while (das_clock_unix_ms() <= expires_ms)
        das_clock_sleep_ms(expires_ms - das_clock_unix_ms() + 1);
}

/* On a machine so slow that the plan expires before the first kill, one that lasts longer is made. */
static void expires_meanwhile(void)
{
    struct das_plan_opts opts = {.reason = "x", .mode = DAS_MODE_QUERY};
    struct das_report *r = NULL;
    struct das_session list[3];
    struct das_plan *p;
    int64_t before = 0;

    for (opts.ttl_s = 1; opts.ttl_s <= 16 && (!r || fake.kills == 0); opts.ttl_s *= 2) {
        das_report_free(r);
        fresh("expires");
        sessions(list, 3);
        p = plan_with(list, 3, &opts);
        expires_ms = das_plan_expires_ms(p);
        fake.on_kill = outlast_plan;
        before = head();
        r = go_armed(p, true);
        must(r, "%s", err.msg);
        das_plan_release(p);
    }
    ok(fake.kills == 1 && r->totals[DAS_O_KILLED] == 1 && r->totals[DAS_O_REFUSED] == 2,
       "a plan that expires during the first kill: no second (%zu)", fake.kills);
    has_str(r->items[1].note, "expired", "says why");
    has_str(r->items[2].note, "expired", "of both");
    is_int(since(before).intent, 1, "and no intent");
    das_report_free(r);
}

static struct das_session begins[2];

static void begin_transaction(struct fake *f)
{
    if (f->kills != 1)
        return;
    das_snapshot_release(f->list);
    f->list = kit_snapshot(begins, 2);
    das_snapshot_set_time(f->list, THEN);
}

/* auto: what was a statement when the limits were asked does not become a connection later. */
static void action_stays(void)
{
    const struct das_plan_opts opts = {.reason = "x", .mode = DAS_MODE_AUTO};
    struct das_report *r;
    struct das_plan *p;

    fresh("action");
    rules.ramp = true;
    sessions(begins, 2);
    p = plan_with(begins, 2, &opts);
    begins[1].trx_time = 1;
    fake.on_list = begin_transaction;
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_int((int64_t)fake.kills, 1, "the first");
    is_str(das_outcome_name(r->items[1].kind), "changed", "the second is in a transaction now");
    das_report_free(r);
    das_plan_release(p);
}

/* After the kill its id is there twice: which of them is it? */
static void twice_after(void)
{
    struct das_session list[2];
    struct das_report *r;
    struct das_plan *p;

    fresh("twice");
    sessions(list, 1);
    p = plan_with(list, 1, &(struct das_plan_opts){.reason = "x", .mode = DAS_MODE_QUERY});
    list[1] = list[0];
    fake.stubborn = true;
    fake.after_kill = kit_snapshot(list, 2);
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_str(das_outcome_name(r->items[0].kind), "unknown", "listed twice after its kill");
    das_report_free(r);
    das_plan_release(p);
}

static void soft_ladder(void)
{
    const struct das_plan_opts opts = {.reason = "x", .mode = DAS_MODE_SOFT, .escalate_ms = 20};
    struct das_session list[1];
    struct das_report *r;
    struct das_plan *p;

    fresh("soft-ladder");
    rules.limits.instance = 1;
    sessions(list, 1);
    p = plan_with(list, 1, &opts);
    fake.stubborn = true;
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_str(r->items[0].action, "soft", "what was done was a soft kill");
    das_report_free(r);
    das_plan_release(p);
}

static struct das_session remains;
static size_t remaining;

/* While the first connection is killed, which takes longer than a look is good for, the second victim
 * goes its own way. */
static void slow_second_rung(struct fake *f)
{
    if (f->kills != 2)
        return;
    das_clock_sleep_ms(250);
    das_snapshot_release(f->list);
    f->list = kit_snapshot(&remains, remaining);
    das_snapshot_set_time(f->list, THEN);
}

static void moved_on_meanwhile(const char *what)
{
    const struct das_plan_opts opts = {.reason = "x", .mode = DAS_MODE_QUERY, .escalate_ms = 20};
    struct das_session list[2];
    struct das_report *r;
    struct das_plan *p;
    int64_t before = head();

    fresh("slow-rung");
    sessions(list, 2);
    p = plan_with(list, 2, &opts);
    list[1].query_id = next_query_id++;
    remains = list[1];
    fake.stubborn = true;
    fake.on_kill = slow_second_rung;
    r = go_armed(p, true);
    must(r, "%s", err.msg);
    is_int((int64_t)fake.kills, 3, "%s: two statements and one connection are killed", what);
    ok(fake.killed[2].id == 1 && fake.killed[2].what == DAS_KILL_SESSION, "%s: the first one's", what);
    is_str(das_outcome_name(r->items[1].kind), "killed", "%s: the second is dead by its first kill",
           what);
    is_str(r->items[1].action, "query", "%s: of its statement", what);
    is_int(since(before).intent, 3, "%s: and so says the journal", what);
    das_report_free(r);
    das_plan_release(p);
}

static void ladder_looks_again(void)
{
    remaining = 0;
    moved_on_meanwhile("ended");
    remaining = 1;
    moved_on_meanwhile("another statement");
}

static void stop_now(struct fake *f)
{
    (void)f;
    write_stop(NULL);
}

/* The place for the second rung is free again when the switch keeps it from being used. */
static void ladder_gives_back(void)
{
    const char *files[] = {stop_path, NULL};
    struct das_report *r;

    fresh("gives-back");
    rules.limits.instance = 2;
    guard.stop_files = files;
    fake.on_kill = stop_now;
    r = stubborn("Query", 500, 20);
    is_int((int64_t)fake.kills, 1, "STOP before the second rung: it is not taken");
    has_str(r->items[0].note, "its connection is left alone: stopped by", "it says so");
    das_report_free(r);
    unlink(stop_path);
    fresh("gives-back");
    rules.limits.instance = 2;
    killed(run(9, 1, DAS_MODE_QUERY), 1, "of two places one is left");
    refused(run(9, 1, DAS_MODE_QUERY), 1, "limits.kill.instance", "and no more");
}

static void outcome_unwritten(void)
{
    struct das_report *r;

    fresh("unwritten");
    fake.on_kill = drop_journal;
    r = run(3, 1, DAS_MODE_QUERY);
    ok(r->totals[DAS_O_KILLED] == 1 && fake.kills == 1, "killed");
    has_str(r->items[0].note, "could not be written into the journal", "and the journal lacks it");
    das_report_free(r);
    restore_journal();
}

int main(void)
{
    fake_init(&fake);
    no_journal_no_kill();
    what_is_written();
    secrets_stay_out();
    applied_once();
    applied_at_once();
    journal_breaks();
    off_switch();
    limits();
    held_together();
    ladder_counts();
    incomplete();
    plans_own_limits();
    big_transaction();
    modes();
    would();
    ramp();
    canary_fails();
    canary_is_one();
    opened_by_others();
    surge();
    no_habit_no_surge();
    respawns();
    who_came_back();
    symptom();
    symptom_elsewhere();
    outcomes();
    lost();
    watched();
    hurried();
    stale_looks();
    nothing_in_between();
    window_ends();
    expires_meanwhile();
    action_stays();
    twice_after();
    soft_ladder();
    ladder_looks_again();
    ladder_gives_back();
    outcome_unwritten();
    fake_clear(&fake);
    return tap_done();
}
