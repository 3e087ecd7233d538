/*
 * test_apply_steps.c - a plan step by step: ramp, breaker and its canary, surge, respawns, symptom,
 * the look after each step, and what became of each kill.
 */
#include "core/base/clock.h"
#include "core/store/habits.h"
#include "tests/unit/apply_kit.h"

/* --- ramp and breaker ------------------------------------------------------------------------------- */

static void breaker_is(enum das_breaker_state want, const char *what)
{
    struct das_breaker b;

    must(das_breaker_get(temp_store(), guard.policy, fake.name, &b, &err) == 0,
         "the breaker is asked");
    ok(b.state == want, "%s: %s", what, b.reason);
}

static void put_open(const char *reason)
{
    struct das_breaker b = {.state = DAS_BREAKER_OPEN};

    snprintf(b.reason, sizeof b.reason, "%s", reason);
    must(das_breaker_put(temp_store(), guard.policy, fake.name, &b, &err) == 0,
         "the breaker is opened");
}

static int looks_at[16];

static void note_looks(struct fake *f)
{
    looks_at[f->kills] = f->lists;
}

static void ramp(void)
{
    struct das_report *r;
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
    breaker_is(DAS_BREAKER_OPEN, "the breaker is open");
    is_int(records(before, "breaker"), 1, "the journal says so");
    memset(fake.answers, 0, sizeof fake.answers);
    refused(run(20, 2, DAS_MODE_QUERY), 2, "the breaker is open", "the next run");
    rules.breaker.cooldown_ms = 0;
    r = run(20, 3, DAS_MODE_QUERY);
    ok(fake.kills == 1 && r->totals[DAS_O_KILLED] == 1 && r->totals[DAS_O_REFUSED] == 2,
       "half-open: one canary");
    das_report_free(r);
    breaker_is(DAS_BREAKER_CLOSED, "which closes it");
    killed(run(20, 3, DAS_MODE_QUERY), 3, "closed again");
}

static void canary_fails(void)
{
    struct das_report *r;

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
    breaker_is(DAS_BREAKER_OPEN, "open again");
    refused(run(9, 2, DAS_MODE_QUERY), 2, "breaker is open", "and nobody passes");
}

/* A breaker of the case's policy that is due for its canary. */
static void half_open(const char *policy)
{
    fresh(policy);
    rules.ramp = true;
    put_open("earlier");
}

static void canary_is_one(void)
{
    struct das_report *r;

    half_open("lenient");
    rules.breaker.failures = 5;
    fake.answers[0] = DAS_KILL_FAILED;
    das_report_free(run(9, 4, DAS_MODE_QUERY));
    is_int((int64_t)fake.kills, 1, "a canary may not fail, whatever others may");
    breaker_is(DAS_BREAKER_OPEN, "it is open again");

    half_open("unlimited");
    rules.breaker.failures = 0;
    fake.answers[0] = DAS_KILL_FAILED;
    das_report_free(run(9, 4, DAS_MODE_QUERY));
    is_int((int64_t)fake.kills, 1, "nor where failures open nothing");

    half_open("gone");
    fake.answers[0] = fake.answers[1] = DAS_KILL_GONE;
    r = run(9, 6, DAS_MODE_QUERY);
    ok(r->totals[DAS_O_GONE] == 2 && r->totals[DAS_O_KILLED] == 1 && fake.kills == 3,
       "two that had ended by themselves, and still one kill (%zu)", r->totals[DAS_O_KILLED]);
    das_report_free(r);
    breaker_is(DAS_BREAKER_CLOSED, "which closes it");

    half_open("ending");
    r = stubborn("Killed", 5, 0);
    is_outcome(r, 0, "killing", "a canary that is still ending");
    das_report_free(r);
    breaker_is(DAS_BREAKER_HALF_OPEN, "has not done well yet");
}

static void open_it(struct fake *f)
{
    if (f->kills == 1)
        put_open("seen by another run");
}

static void open_first(struct fake *f)
{
    if (f->kills == 0)
        put_open("seen by another run");
}

static void opened_by_others(void)
{
    struct das_report *r;

    fresh("others");
    rules.ramp = true;
    fake.on_kill = open_it;
    r = run(20, 10, DAS_MODE_QUERY);
    is_int((int64_t)fake.kills, 3, "another run opens the breaker: the step that runs, and no more");
    has_str(r->items[9].note, "seen by another run", "and why");
    das_report_free(r);
    breaker_is(DAS_BREAKER_OPEN, "it stays open");
}

/* --- more than usual, and again -------------------------------------------------------------------- */

static void watch_surge(const char *policy)
{
    fresh(policy);
    rules.breaker.surge = 4;
    rules.breaker.cooldown_ms = 1000000;
}

static void surge(void)
{
    watch_surge("surge");
    for (int i = 0; i < 5; i++)
        killed(run(40, 2, DAS_MODE_QUERY), 2, "the usual");
    killed(run(40, 8, DAS_MODE_QUERY), 8, "four times as many");
    refused(run(40, 9, DAS_MODE_QUERY), 9, "surge: 9 victims, where this policy usually has 2",
            "more than four times");
    refused(run(40, 1, DAS_MODE_QUERY), 1, "breaker is open", "then the breaker is open");
}

/* What is no habit yet cannot be exceeded. */
static void no_habit_no_surge(void)
{
    watch_surge("young");
    killed(run(40, 15, DAS_MODE_QUERY), 15, "the first plan of a policy has any number of victims");
    watch_surge("younger");
    for (int i = 0; i < 4; i++)
        killed(run(40, 2, DAS_MODE_QUERY), 2, "not yet the usual");
    killed(run(40, 15, DAS_MODE_QUERY), 15, "four earlier plans make no habit");
    refused(run(40, 15, DAS_MODE_QUERY), 15, "this policy usually has 2", "five do");
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
    is_int(records(before, "respawned"), 1, "the journal has it");
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
    int64_t before = head();
    struct das_session list[9];
    struct das_report *r;
    struct das_plan *p;

    fresh("back");
    rules.breaker.respawns = 100;
    sessions(list, 9);
    for (size_t i = 0; i < 9; i++)
        list[i].time_ms = 0; /* it has just begun */
    list[0].time_ms = list[1].time_ms = 100000;
    p = plan_with(list, 2, &by_query);
    fake.answers[1] = DAS_KILL_FAILED;
    list[1].time_ms = 0;
    list[2].time_ms = 100000;
    list[3].time_ms = DAS_UNKNOWN;
    list[4].command = das_text_of("Sleep");
    list[5].command = das_text_of("Killed");
    list[6].user = das_text_of("other");
    list[7].sql_info = das_text_of("select * from customers");
    after_kill(list, 9);
    r = go_once(p);
    ok(r->totals[DAS_O_KILLED] == 1 && r->totals[DAS_O_FAILED] == 1, "one is dead, one lives");
    is_int((int64_t)r->respawned, 1,
           "none that ran all the while, no victim, none that sleeps or dies, nobody else's");
    is_int(records(before, "respawned"), 1, "one in the journal");
    ok(strstr(last_record(), "\"seen\":\"after\"") && strstr(last_record(), "\"id\":9,"),
       "the one that began after the kill: %s", last_record());
    das_report_free(r);
}

/* --- symptom --------------------------------------------------------------------------------------- */

/* Six sessions, the first four are victims, and two wait: number `waits` and the last. */
static struct das_plan *with_symptom(const char *policy, size_t waits)
{
    struct das_filter *symptom = kit_filter("state", "Waiting%");
    struct das_session list[6];
    struct das_plan *p;

    fresh(policy);
    rules.ramp = true;
    sessions(list, 6);
    list[waits].state = list[5].state = das_text_of("Waiting for table metadata lock");
    p = plan_with(list, 4, &(struct das_plan_opts){.reason = "x", .symptom = symptom});
    fake_show(&fake, list, 6, THEN);
    das_filter_release(symptom);
    return p;
}

static void symptom(void)
{
    struct das_report *r = go_once(with_symptom("symptom", 4));

    ok(fake.kills == 1 && r->totals[DAS_O_REFUSED] == 3, "no better after one: no second");
    has_str(r->items[1].note, "2 sessions before, 2 after", "why");
    das_report_free(r);
    breaker_is(DAS_BREAKER_OPEN, "the breaker is open");

    r = go_once(with_symptom("symptom2", 0));
    is_int(r->totals[DAS_O_KILLED], 4, "better after the first: on it goes");
    das_report_free(r);
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
    struct das_plan *p = with_symptom("elsewhere", 0);
    struct das_report *r;

    fake.on_list = swap_server;
    swap_at = 3; /* 1: verified, 2: the first is dead, 3: the symptom */
    r = go_once(p);
    is_int((int64_t)fake.kills, 1, "no kill on another server");
    is_int(r->totals[DAS_O_REFUSED], 3, "the others are refused");
    has_str(r->items[1].note, "another server answers", "why");
    das_report_free(r);
}

/* While the symptom is looked at. */
static void open_at_symptom(struct fake *f)
{
    if (f->kills && f->lists >= swap_at)
        put_open("seen by another run");
}

/* What another run does to the breaker counts, not the canary that did well before it. */
static void canary_overtaken(void)
{
    struct das_plan *p = with_symptom("overtaken", 0);
    struct das_report *r;

    put_open("earlier");
    fake.on_list = open_at_symptom;
    swap_at = 3;
    r = go_once(p);
    ok(fake.kills == 1 && r->totals[DAS_O_REFUSED] == 3, "one canary");
    has_str(r->items[1].note, "another run has changed the breaker", "which another run overtook");
    das_report_free(r);
    breaker_is(DAS_BREAKER_OPEN, "it stays open");
}

/* What another run saw is what is said, and nothing of the symptom; nor is it judged when nobody was
 * killed. */
static void no_symptom_asked(void)
{
    struct das_plan *p = with_symptom("unasked", 4);
    struct das_report *r;

    fake.on_kill = open_first;
    r = go_once(p);
    is_int((int64_t)fake.kills, 1, "another run opens the breaker, the symptom stays");
    has_str(r->items[1].note, "another run opened the breaker: seen by another run", "why");
    das_report_free(r);
    breaker_is(DAS_BREAKER_OPEN, "it is open");

    p = with_symptom("all-gone", 4);
    for (size_t i = 0; i < 4; i++)
        fake.answers[i] = DAS_KILL_GONE;
    r = go_once(p);
    is_int(r->totals[DAS_O_GONE], 4, "all had ended by themselves: none is too late to be asked");
    das_report_free(r);
    breaker_is(DAS_BREAKER_CLOSED, "who has killed nobody is not judged by the symptom");
}

/* --- the watch --------------------------------------------------------------------------------------- */

static int told_before, told_after;
static bool cancel_now;

static bool on_before(void *arg, const struct das_plan *p, size_t victim, const char *action,
                      char *why, size_t size)
{
    (void)arg, (void)p, (void)victim, (void)action;
    snprintf(why, size, "enough");
    return ++told_before <= 2;
}

static void on_after(void *arg, const struct das_plan *p, size_t victim,
                     const struct das_outcome *outcome)
{
    (void)arg, (void)p, (void)victim;
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
    watch = (struct das_apply_watch){on_before, on_after, on_cancelled, NULL, NULL};
    r = run(5, 4, DAS_MODE_QUERY);
    ok(r->totals[DAS_O_KILLED] == 2 && r->totals[DAS_O_REFUSED] == 2 && told_after == 2,
       "it stops where the watch says so, and hears of each outcome");
    das_report_free(r);
}

/* The case's run is cancelled while its first kill is on its way. */
static void cancel(void)
{
    told_before = -100;
    cancel_now = true;
    watch = (struct das_apply_watch){on_before, on_after, on_cancelled, NULL, NULL};
}

static void cancelled(void)
{
    struct das_report *r;
    struct das_plan *p;

    fresh("cancelled");
    cancel();
    rules.outcome_wait_ms = 3600000; /* nobody waits an hour for this test */
    r = stubborn("Query", 1, 0);
    is_outcome(r, 0, "killing", "a run that ends does not wait");
    has_str(r->items[0].note, "not waited for", "and says so");
    das_report_free(r);
    r = stubborn("Killed", 500, 0);
    is_outcome(r, 0, "killing", "nor for a rollback");
    is_int(r->items[0].rows_left, 250, "of which it says how much is left");
    das_report_free(r);

    p = with_symptom("hurried", 4); /* symptom() shows that it stays, and opens the breaker */
    cancel();
    killed(go_once(p), 4, "with a symptom that stays");
    breaker_is(DAS_BREAKER_CLOSED, "a run that ends does not judge it");
}

/* --- what became of it ------------------------------------------------------------------------------- */

static void outcomes(void)
{
    struct das_report *r;

    fresh("killing");
    r = stubborn("Killed", 500, 0);
    is_outcome(r, 0, "killing", "still rolling back");
    is_int(r->items[0].rows_left, 250, "rows left");
    das_report_free(r);
    fresh("goes-on");
    r = stubborn("Query", 500, 0);
    is_outcome(r, 0, "failed", "accepted, and without effect");
    has_str(r->items[0].note, "goes on", "it says so");
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

    fresh("lost");
    rules.breaker.failures = 1;
    fake.on_kill = break_connection;
    r = run(5, 1, DAS_MODE_QUERY);
    is_outcome(r, 0, "unknown", "accepted, then nobody could look");
    is_int((int64_t)fake.kills, 1, "never tried again");
    das_report_free(r);
    n = das_journal_unknown(temp_store(), seqs, 8, &err);
    ok(n >= 1, "it is shown as unknown (%lld)", (long long)n);
    is_int(das_journal_acknowledge(temp_store(), seqs[0], "alice", "looked", &err), 0, "until acknowledged");
    is_int(das_journal_unknown(temp_store(), seqs, 8, &err), n - 1, "then not");
    breaker_is(DAS_BREAKER_OPEN, "the breaker is open");
}

/* After the kill its id is there twice: which of them is it? */
static void twice_after(void)
{
    struct das_session list[2];
    struct das_report *r;
    struct das_plan *p;

    fresh("twice");
    sessions(list, 1);
    p = plan_with(list, 1, &by_query);
    list[1] = list[0];
    fake.stubborn = true;
    after_kill(list, 2);
    r = go_once(p);
    is_outcome(r, 0, "unknown", "listed twice after its kill");
    has_str(r->items[0].note, "lists this id twice", "and why");
    das_report_free(r);
}

/* Killed, and not among the sessions that could be listed afterwards. */
static struct das_report *cut_after(const char *policy, bool hurry)
{
    struct das_session list[2];
    struct das_plan *p;

    fresh(policy);
    rules.breaker.failures = 1;
    if (hurry)
        cancel();
    sessions(list, 2);
    p = plan_with(list, 1, &by_query);
    after_kill(list + 1, 1);
    das_snapshot_set_time(fake.after_kill, THEN);
    das_snapshot_set_cut(fake.after_kill, true);
    das_snapshot_set_complete(fake.after_kill, false);
    return go_once(p);
}

static void unlisted_after(void)
{
    struct das_report *r = cut_after("cut", false);

    is_outcome(r, 0, "unknown", "a list that was cut does not say that it is gone");
    das_report_free(r);
    breaker_is(DAS_BREAKER_OPEN, "and it counts as a failure");
    r = cut_after("cut-hurry", true);
    is_outcome(r, 0, "killing", "who does not wait has not looked for it to the end");
    has_str(r->items[0].note, "not waited for", "and says that");
    das_report_free(r);
    breaker_is(DAS_BREAKER_CLOSED, "which is no failure");
}

/* --- the look after a step -------------------------------------------------------------------------- */

/* A statement that the look before the kill shows to be another one. */
static void stale_looks(void)
{
    struct das_session list[3];
    struct das_report *r;
    struct das_plan *p;

    fresh("stale");
    rules.ramp = true;
    sessions(list, 3);
    p = plan_with(list, 3, &by_query);
    list[1].query_id++; /* it moves on while the first one dies */
    after_kill(list, 3);
    r = go_once(p);
    is_outcome(r, 1, "changed", "seen in the look after the first kill");
    is_outcome(r, 2, "killed", "the third is as it was");
    is_int((int64_t)fake.kills, 2, "two kills");
    is_int(fake.killed[1].id, 3, "of the right ones");
    das_report_free(r);
}

/* auto: what was a statement when the limits were asked does not become a connection later. */
static void action_stays(void)
{
    struct das_session list[2];
    struct das_report *r;
    struct das_plan *p;

    fresh("action");
    rules.ramp = true;
    sessions(list, 2);
    p = plan_with(list, 2, &(struct das_plan_opts){.reason = "x", .mode = DAS_MODE_AUTO});
    list[1].trx_time = 1; /* it begins a transaction while the first one dies */
    after_kill(list, 2);
    r = go_once(p);
    is_int((int64_t)fake.kills, 1, "the first");
    is_outcome(r, 1, "changed", "the second is in a transaction now");
    das_report_free(r);
}

int main(void)
{
    fake_init(&fake);
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
    canary_overtaken();
    no_symptom_asked();
    outcomes();
    lost();
    twice_after();
    watched();
    cancelled();
    unlisted_after();
    stale_looks();
    action_stays();
    fake_clear(&fake);
    return tap_done();
}
