/*
 * test_apply_guards.c - what stands between a verified victim and its kill, guard by guard: journal,
 * off switch, mode and windows, the last look.
 */
#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/plan/plan_impl.h"
#include "core/store/budget.h"
#include "tests/unit/apply_kit.h"

/* --- journal -------------------------------------------------------------------------------------- */

static void no_journal_no_kill(void)
{
    const struct das_apply_opts bare = {.armed = true};
    struct das_session list[2];
    struct das_report *r = NULL;
    struct das_plan *p;

    fresh("bare");
    sessions(list, 2);
    p = plan_with(list, 2, &by_query);
    ok(das_plan_apply(p, &fake.base, &bare, &r, &err) < 0 && err.code == DAS_E_BLOCKED && !r &&
           fake.kills == 0,
       "armed without a guard: nothing");
    guard.store = NULL;
    ok(!go(p, true) && fake.kills == 0, "armed without a store: nothing");
    r = go(p, false);
    ok(r && r->totals[DAS_O_DRY_RUN] == 2 && !r->would_block, "a dry run needs none");
    das_report_free(r);
    das_plan_release(p);
}

static void what_is_written(void)
{
    int64_t before = head();
    struct das_head h;

    fresh("written");
    killed(run(4, 3, DAS_MODE_QUERY), 3, "three");
    is_int(records(before, "apply"), 1, "one apply");
    is_int(records(before, "intent"), 3, "an intent for each kill");
    is_int(records(before, "outcome"), 3, "an outcome for each");
    has_str(last_record(), "\"outcome\":\"killed\"", "killed");
    has_str(last_record(), "\"after_ms\":", "and after how long");
    ok(das_journal_verify(temp_store(), NULL, &h, &err) == 0, "the chain holds");
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
    before = head();
    killed(go_once(p), 1, "a statement with a secret");
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
    is_int(records_with(before, TOKEN), 2, "what is nobody's secret stands in apply and intent");
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
    struct das_report *r;
    struct das_plan *p;

    fresh("once");
    sessions(list, 1);
    p = plan_with(list, 1, &by_query);
    r = go(p, false);
    ok(r && r->totals[DAS_O_DRY_RUN] == 1, "a dry run does not use a plan up");
    das_report_free(r);
    killed(go_once(das_plan_retain(p)), 1, "the first time");
    fake.kills = 0;
    refused(go_once(p), 1, "applied before", "the second time");
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
    p = plan_with(list, 2, &by_query);
    snprintf(rival_plan, sizeof rival_plan, "%s", das_plan_hash(p));
    fake.on_list = rival_applies;
    refused(go_once(p), 2, "applied before", "two at once: the later one");
    fresh("at-once");
    rules.limits.instance = 1;
    killed(run(9, 1, DAS_MODE_QUERY), 1, "and what it had reserved is free again");
}

static void drop_journal(struct fake *f)
{
    (void)f;
    change_journal("ALTER TABLE journal RENAME TO gone", "taken away");
}

static void restore_journal(void)
{
    change_journal("ALTER TABLE gone RENAME TO journal", "put back");
}

static void journal_breaks(void)
{
    struct das_session list[3];
    struct das_report *r;
    struct das_plan *p;

    fresh("broken");
    sessions(list, 3);
    p = plan_with(list, 3, &by_query);
    drop_journal(NULL);
    ok(!go(p, true) && fake.kills == 0, "no journal at the beginning: nothing is killed");
    ok(err.code == DAS_E_STORE, "and it says so: %s", err.msg);
    restore_journal();
    fake.on_kill = drop_journal;
    r = go_once(p); /* a report, whatever the journal does */
    is_int(fake.kills, 1, "it breaks after the first intent: no second kill");
    is_int(r->totals[DAS_O_REFUSED], 2, "the others are refused");
    has_str(r->items[2].note, "journal", "because of the journal");
    das_report_free(r);
    restore_journal();
    fresh("mended");
    killed(run(1, 1, DAS_MODE_QUERY), 1, "and when it is back");
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

/* --- off switch ------------------------------------------------------------------------------------ */

/* While the second kill is on its way. */
static void stop_second(struct fake *f)
{
    if (f->kills == 1)
        write_stop();
}

static void off_switch(void)
{
    const char *const only[] = {stop_path, NULL};
    struct das_report *r;
    int64_t before;
    char why[400];

    fresh("stop");
    with_switch();
    ok(!das_stopped(stop_files, why, sizeof why), "no file, no stop");
    killed(run(3, 2, DAS_MODE_QUERY), 2, "no STOP");
    write_stop();
    refused(run(3, 3, DAS_MODE_QUERY), 3, "incident 7", "STOP");
    remove_stop();
    fake.on_kill = stop_second;
    before = head();
    r = run(5, 4, DAS_MODE_QUERY);
    is_int(records(before, "intent"), fake.kills, "no intent for whom the switch saved");
    is_int(r->totals[DAS_O_KILLED], 2, "STOP in the middle: what was on its way");
    is_int(r->totals[DAS_O_REFUSED], 2, "and no more");
    is_int(fake.kills, 2, "no more sent");
    has_str(r->items[3].note, "stopped by", "why");
    das_report_free(r);
    remove_stop();
    must(mkdir(stop_path, 0700) == 0, "a directory");
    ok(das_stopped(only, why, sizeof why), "a directory of that name stops too");
    rmdir(stop_path);
    must(symlink(stop_path, stop_path) == 0, "a link to itself");
    ok(das_stopped(only, why, sizeof why) && strstr(why, "cannot be looked"),
       "a name that cannot be looked at is a stop: %s", why);
    remove_stop();
}

/* A plan that meets the switch first is not looked at any further, and not used up. */
static void stopped_first(void)
{
    struct das_session list[2];
    struct das_report *r;
    struct das_plan *p;
    int64_t before = head();

    fresh("stop-first");
    with_switch();
    sessions(list, 2);
    p = plan_with(list, 2, &by_query);
    write_stop();
    refused(go(p, true), 2, "incident 7", "STOP from the beginning");
    is_int(fake.lists, 0, "the server is not asked");
    is_int(records(before, "apply"), 0, "the plan is not applied");
    is_int(records(before, "refused"), 1, "the journal says that it was refused");
    r = go(p, false);
    ok(r && r->totals[DAS_O_DRY_RUN] == 2, "a dry run shows the victims");
    has_str(r && r->would_block ? r->would_block : "", "incident 7", "and what would stop it");
    das_report_free(r);
    is_int(records(before, "refused"), 1, "the journal has nothing of dry runs");
    remove_stop();
    killed(go_once(p), 2, "without STOP it is as good as before");
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
    struct das_report *r;
    struct das_plan *p;

    fresh("would");
    rules.mode = DAS_POLICY_OBSERVE;
    sessions(list, 4);
    p = plan_with(list, 4, &by_query);
    r = go(p, false);
    ok(r && r->totals[DAS_O_DRY_RUN] == 4 && r->would_block, "a dry run shows the victims all the same");
    has_str(r ? r->would_block : "", "mode observe", "and what would keep it from killing them");
    das_report_free(r);
    rules.mode = DAS_POLICY_AUTO;
    rules.limits.run = 3;
    guard.store = NULL;
    r = go(p, false);
    has_str(r && r->would_block ? r->would_block : "", "limits.kill.run", "limits, without a store");
    das_report_free(r);
    das_plan_release(p);
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
    struct das_plan_opts opts = by_query;
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
        r = go_once(p);
    }
    ok(fake.kills == 1 && r->totals[DAS_O_KILLED] == 1 && r->totals[DAS_O_REFUSED] == 2,
       "a plan that expires during the first kill: no second (%zu)", fake.kills);
    has_str(r->items[1].note, "expired", "says why");
    has_str(r->items[2].note, "expired", "of both");
    is_int(records(before, "intent"), 1, "and no intent");
    das_report_free(r);
}

/* What a clock that was set back makes of a plan: it is made in a minute. */
static void clock_set_back(void)
{
    struct das_birth birth = {.nonce = 1, .created_ms = das_clock_unix_ms() + 60000};
    struct das_plan_opts opts = {.reason = "x", .mode = DAS_MODE_QUERY, .limits = &no_limits};
    struct das_filter *f = kit_all();
    struct das_selection *sel;
    struct das_session list[2];
    struct das_plan *p;
    int64_t before;

    fresh("set-back");
    birth.expires_ms = birth.created_ms + 60000;
    sessions(list, 2);
    fake_show(&fake, list, 2, THEN);
    sel = das_select(fake.list, f, &err);
    must(sel, "selected");
    p = das_plan_build(sel, fake.name, &opts, &birth, &err);
    must(p, "a plan");
    before = head();
    refused(go(p, false), 2, "the clock stands before", "a dry run of a plan that is not made yet");
    is_int(records(before, "refused"), 0, "of which the journal has nothing");
    refused(go_once(p), 2, "the clock stands before", "and in earnest");
    is_int(records(before, "refused"), 1, "of which it has");
    is_int(fake.lists, 0, "the server is not asked");
    das_selection_free(sel);
    das_filter_release(f);
}

static void no_soft_kill(void)
{
    struct das_source_ops hard = fake_ops;
    struct das_report *r;

    fresh("hard");
    hard.cannot_soft = NULL;
    fake.base.ops = &hard;
    refused(run(3, 2, DAS_MODE_SOFT), 2, "no soft kill", "where there is none");
    r = run(3, 2, DAS_MODE_QUERY);
    is_int(r->totals[DAS_O_KILLED], 2, "another kill is possible there");
    das_report_free(r);
    fresh("hard2");
}

/* --- between the look and the kill ------------------------------------------------------------- */

static struct das_session turns_into; /* what the second look shows, at once */

static void turn(struct fake *f)
{
    if (f->lists == 2)
        fake_show(f, &turns_into, 1, THEN);
}

static void go_elsewhere(struct fake *f)
{
    if (f->lists == 2)
        strcpy(f->identity.server, "another");
}

static bool stop_before(void *arg, const struct das_plan *p, size_t victim, const char *action,
                        char *why, size_t size)
{
    (void)arg, (void)p, (void)victim, (void)action;
    snprintf(why, size, "-");
    write_stop();
    return true;
}

/* Without a query id the kill goes by the session's number: it is looked at once more when the
 * intent is written, which may have taken long. */
static void nothing_in_between(void)
{
    struct das_session list[1] = {kit_session(1)};
    struct das_report *r;
    struct das_plan *p;
    int64_t before;

    fresh("blind");
    p = plan_with(list, 1, &by_query);
    turns_into = list[0];
    turns_into.sql_info = das_text_of("UPDATE payroll SET x = 1");
    fake.on_list = turn;
    before = head();
    r = go_once(p);
    is_outcome(r, 0, "changed", "it began another statement meanwhile");
    is_int((int64_t)fake.kills, 0, "and lives");
    is_int(records(before, "outcome"), 1, "its intent is closed");
    has_str(last_record(), "\"outcome\":\"changed\"", "as what it is");
    das_report_free(r);

    fresh("blind2");
    p = plan_with(list, 1, &by_query);
    fake.on_list = go_elsewhere;
    r = go_once(p);
    is_outcome(r, 0, "refused", "another server answers the last look");
    is_int((int64_t)fake.kills, 0, "no kill there");
    das_report_free(r);
}

static void late_stop(void)
{
    fresh("late-stop");
    with_switch();
    watch.before = stop_before;
    refused(run(3, 1, DAS_MODE_QUERY), 1, "incident 7", "STOP while the intent is written");
    remove_stop();
    must(symlink("/nonexistent/das", stop_path) == 0, "a link to nothing");
    watch.before = NULL;
    refused(run(3, 1, DAS_MODE_QUERY), 1, "link to nothing", "a STOP that leads nowhere is one");
    remove_stop();
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
    stopped_first();
    modes();
    would();
    window_ends();
    expires_meanwhile();
    clock_set_back();
    no_soft_kill();
    nothing_in_between();
    late_stop();
    outcome_unwritten();
    fake_clear(&fake);
    return tap_done();
}
