/* test_approval.c - kills that people have to say yes to: who may ask, whose vote counts, what is
 * carried out, and what is not when somebody has been at the database. On a clock that only the
 * test moves. */
#include "core/approval/approval.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "tests/unit/store_kit.h"
/* after it: it has an err of its own */
#include "tests/unit/plan_kit.h"

#define START_MS ((int64_t)THEN * 1000)
#define TTL_MS 600000

static struct das_clock clock_;
static struct das_people people;
static const char *dir;
static struct das_store *store;
static struct das_policy_rules rules;
static struct das_session victims[3];
static char id[DAS_APPROVAL_ID_SIZE], hash[DAS_SHA256_HEX];

/* --- the stage -------------------------------------------------------------------------------- */

static void need_ok(int rc)
{
    if (rc >= 0)
        return;
    tap_diag("%s", err.msg);
    exit(1);
}

static void person(const char *name, const char *role, const char *os)
{
    struct das_person *x = das_people_add(&people, name, &err);

    need_ok(x ? 0 : -1);
    need_ok(role ? das_person_add_role(x, role, &err) : 0);
    need_ok(das_person_add_id(&people, x, "os", os, &err));
}

static void show_later(void)
{
    struct das_session now[3];
    int64_t later_ms = das_clock_at_ms(&clock_) - START_MS;

    for (int i = 0; i < 3; i++) {
        now[i] = victims[i];
        now[i].state_duration += later_ms / 1000;
    }
    fake_show(&fake, now, 3, THEN + later_ms / 1000);
}

static void pass(int64_t ms)
{
    das_clock_move_to(&clock_, das_clock_at_ms(&clock_) + ms);
    show_later();
}

static void begin(void)
{
    das_clock_init(&clock_, START_MS);
    das_store_close(store);
    dir = store_dir();
    store = store_open(dir);
    fake_clear(&fake);
    fake_init(&fake);
    snprintf(fake.name, sizeof fake.name, "db");
    rules = allow_all;
    for (int i = 0; i < 3; i++) {
        victims[i] = kit_session(i + 1);
        victims[i].query_id = 100 + i;
        victims[i].state_duration = 60;
    }
}

static void again(void)
{
    das_store_close(store);
    store = store_open(dir);
}

static const char *const dba[] = {"dba"};
static const char *const alice[] = {"alice"};

static struct das_plan *new_plan(void)
{
    static const struct das_asked asked = {.user = "cron", .script = "/p.lua"};
    const struct das_plan_opts opts = {
        .mode = DAS_MODE_QUERY, .reason = "too long", .asked = &asked};
    struct das_filter *f = kit_all();
    struct das_plan *p = plan_of(victims, 2, f, &opts);

    das_filter_release(f);
    show_later();
    return p;
}

static struct das_approval_ask ask_of(const struct das_plan *p)
{
    return (struct das_approval_ask){.plan = p,
                                     .roles = dba,
                                     .role_count = 1,
                                     .need = 1,
                                     .ttl_ms = TTL_MS,
                                     .by = "cron",
                                     .people = &people,
                                     .rules = &rules};
}

/* A request for the first two; 1 and 0 as of das_approval_request(), -1 with err. */
static int request(const struct das_approval_ask *with)
{
    struct das_plan *p = new_plan();
    struct das_approval_ask ask = with ? *with : ask_of(p);
    struct das_approval *a;
    int rc;

    ask.plan = p;
    rc = das_approval_request(store, &ask, &a, &err);
    if (rc >= 0) {
        snprintf(id, sizeof id, "%s", a->id);
        snprintf(hash, sizeof hash, "%s", a->hash);
    }
    das_approval_free(a);
    das_plan_release(p);
    return rc;
}

static void must_request(int64_t need)
{
    struct das_approval_ask ask = ask_of(NULL);

    ask.need = need;
    need_ok(request(&ask));
}

static struct das_ballot_result said;

static enum das_ballot_kind vote_with(const char *who, bool yes, const char *prefix)
{
    const struct das_ballot b = {
        .id = id, .hash_prefix = prefix, .person = who, .yes = yes, .via = "test"};

    need_ok(das_approval_vote(store, &people, NULL, &b, &said, &err));
    return said.kind;
}

static enum das_ballot_kind vote(const char *who, bool yes)
{
    return vote_with(who, yes, hash);
}

static void refused(const char *who, bool yes, const char *why)
{
    enum das_ballot_kind kind = vote(who, yes);

    ok(kind == DAS_BALLOT_REFUSED && strstr(said.words, why), "%s is refused: %s",
       who ? who : "nobody", why);
    if (kind != DAS_BALLOT_REFUSED || !strstr(said.words, why))
        tap_diag("%d: %s", kind, said.words);
}

static enum das_approval_state state(void)
{
    enum das_approval_state s;
    struct das_approval *a;

    need_ok(das_approval_get(store, id, &a, &err));
    s = a ? a->state : DAS_APPROVAL_STATES;
    das_approval_free(a);
    return s;
}

static void is_state(enum das_approval_state expected, const char *what)
{
    is_str(das_approval_state_name(state()), das_approval_state_name(expected), "%s", what);
}

/* --- carrying out ----------------------------------------------------------------------------- */

static bool known = true, reachable = true;

static bool knows(void *arg, const char *instance)
{
    (void)arg;
    return known && strcmp(instance, "db") == 0;
}

static int enter(void *arg, const char *instance, struct das_source **out, struct das_err *e)
{
    (void)arg;
    (void)instance;
    *out = &fake.base;
    return reachable ? 0 : das_fail(e, DAS_E_CONNECT, "no way there");
}

static void leave(void *arg, const char *instance, struct das_source *source)
{
    (void)arg;
    (void)instance;
    (void)source;
}

static const struct das_policy_rules *rules_of(void *arg, const char *policy)
{
    (void)arg;
    return strcmp(policy, "/p.lua") == 0 ? &rules : &das_policy_rules_default;
}

static const struct das_approval_means means = {
    .knows = knows, .enter = enter, .leave = leave, .rules = rules_of};

static enum das_approval_fate carry(void)
{
    enum das_approval_fate fate;

    need_ok(das_approval_carry_out(store, id, &means, &fate, NULL, &err));
    return fate;
}

static int due(void)
{
    das_approval_id ids[10];

    return das_approval_due(store, &means, ids, 10, &err);
}

static int64_t records(const char *words)
{
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM journal WHERE line LIKE '%%%s%%'", words);
    return store_number(dir, sql);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void no_request(struct das_approval_ask ask, enum das_code code, const char *why)
{
    int rc = request(&ask);

    ok(rc < 0 && err.code == code && strstr(err.msg, why), "no request: %s", why);
    if (!(rc < 0 && err.code == code && strstr(err.msg, why)))
        tap_diag("%d %d: %s", rc, err.code, err.msg);
}

static void asking(void)
{
    static const char *const nobody[] = {"nobody"};
    struct das_approval_ask ask = ask_of(NULL), x;

    begin();
    x = ask, x.role_count = 0;
    no_request(x, DAS_E_USAGE, "without any, nobody may approve");
    x = ask, x.roles = nobody;
    no_request(x, DAS_E_USAGE, "has the role \"nobody\"");
    x = ask, x.users = nobody, x.user_count = 1;
    no_request(x, DAS_E_USAGE, "no person \"nobody\"");
    x = ask, x.need = 4;
    no_request(x, DAS_E_USAGE, "3 besides who asks may approve, and 4 are needed");
    x = ask, x.need = 3, x.person = "alice";
    no_request(x, DAS_E_USAGE, "2 besides who asks");
    x = ask, x.roles = NULL, x.role_count = 0, x.users = alice, x.user_count = 1,
    x.person = "alice";
    no_request(x, DAS_E_USAGE, "0 besides who asks");
    x = ask, x.need = 0;
    no_request(x, DAS_E_USAGE, "need: expected 1 to 20, got 0");
    x = ask, x.ttl_ms = 999;
    no_request(x, DAS_E_USAGE, "ttl: expected");
    x = ask, x.ttl_ms = DAS_APPROVAL_TTL_MAX_MS + 1;
    no_request(x, DAS_E_USAGE, "ttl: expected");
    rules.mode = DAS_POLICY_OBSERVE;
    rules.mode_is_set = true;
    no_request(ask, DAS_E_BLOCKED, "mode observe");
    rules.mode = DAS_POLICY_NOTIFY;
    no_request(ask, DAS_E_BLOCKED, "mode notify");
    is_int(store_number(dir, "SELECT count(*) FROM approvals"), 0, "nothing was stored");
    rules.mode = DAS_POLICY_APPROVE;
    is_int(request(&ask), 1, "mode approve may ask");
    is_int(records("\"event\":\"requested\""), 1, "the journal has it");
}

static void asking_twice(void)
{
    char first[DAS_APPROVAL_ID_SIZE];
    struct das_approval_ask longer = ask_of(NULL);

    begin();
    is_int(request(NULL), 1, "a request");
    memcpy(first, id, sizeof first);
    pass(10000);
    is_int(request(NULL), 0, "the same sessions again");
    is_str(id, first, "it is the same one");
    is_int(vote("bob", false), DAS_BALLOT_REJECTED, "it is rejected");
    is_int(request(NULL), 0, "a no holds for them");
    victims[1].query_id = 999;
    is_int(request(NULL), 1, "another statement is another question");
    victims[1].query_id = 101;
    pass(TTL_MS);
    is_int(request(NULL), 1, "and so is the same when the first has expired");
    longer.ttl_ms = DAS_APPROVAL_TTL_MAX_MS;
    victims[1].query_id = 998;
    is_int(request(&longer), 1, "twelve hours");
}

/* --- voting ----------------------------------------------------------------------------------- */

static void n_of_m(void)
{
    struct das_approval_ask ask = ask_of(NULL);
    struct das_approval *a;

    begin();
    ask.need = 2;
    ask.person = "carl";
    need_ok(request(&ask));
    refused(NULL, true, "nobody that people of das.lua knows");
    refused("mallory", true, "nobody that people of das.lua knows");
    is_int(records("\"event\":\"refused\""), 0, "nobody fills no journal");
    refused("eve", true, "not among those who may decide");
    refused("eve", false, "not among those who may decide");
    refused("carl", true, "carl asked for it");
    is_int(records("\"event\":\"refused\""), 3, "the journal has who was refused");
    is_int(vote_with("alice", true, "0000000000"), DAS_BALLOT_REFUSED, "another plan was shown");
    is_int(vote_with("alice", true, ""), DAS_BALLOT_REFUSED, "none was shown");
    hash[7] = '\0';
    is_int(vote("alice", true), DAS_BALLOT_REFUSED, "seven digits are too few");
    need_ok(das_approval_get(store, id, &a, &err));
    memcpy(hash, a->hash, sizeof hash);
    das_approval_free(a);
    is_int(vote("alice", true), DAS_BALLOT_COUNTED, "one of two");
    is_str(said.words, "counted: 1 of 2", "and is told so");
    refused("alice", true, "alice said yes at");
    refused("alice", false, "one vote each");
    is_state(DAS_APPROVAL_WAITING, "it waits");
    is_int(due(), 0, "nothing is due");
    again();
    hash[DAS_APPROVAL_PREFIX] = '\0';
    is_int(vote("bob", true), DAS_BALLOT_APPROVED, "two of two, after a restart, by a button");
    is_state(DAS_APPROVAL_APPROVED, "approved");
    refused("bob", true, "approved at");
    refused("bob", false, "approved at");
    is_int(due(), 1, "it is to be carried out");
    is_int(records("\"event\":\"vote\""), 2, "two votes in the journal");
    is_int(das_journal_verify(store, NULL, &(struct das_head){0}, &err), 0, "which is whole");
}

static void one_no(void)
{
    begin();
    must_request(2);
    is_int(vote("alice", true), DAS_BALLOT_COUNTED, "a yes");
    is_int(vote("bob", false), DAS_BALLOT_REJECTED, "a no ends it");
    refused("carl", true, "rejected by bob");
    is_int(carry(), DAS_FATE_NOTHING, "nothing is carried out");
    is_int((int)fake.kills, 0, "nobody dies");
}

static void expiry(void)
{
    begin();
    must_request(2);
    pass(TTL_MS - 1);
    is_int(vote("alice", true), DAS_BALLOT_COUNTED, "a vote in the last millisecond");
    is_int(carry(), DAS_FATE_NOTHING, "not over yet");
    pass(1);
    refused("bob", true, "it expired at");
    ok(said.changed, "and that it has is news");
    is_state(DAS_APPROVAL_EXPIRED, "expired");
    refused("bob", true, "it expired at");
    is_int(records("\"event\":\"expired\""), 1, "once in the journal");
    victims[0].query_id = 500;
    must_request(1);
    pass(TTL_MS);
    is_int(due(), 1, "one that nobody has voted on is due");
    is_int(carry(), DAS_FATE_EXPIRED, "and expires");
    is_int(carry(), DAS_FATE_NOTHING, "once");
}

/* An instance that this das does not have: its requests are another's, until nobody can carry them
 * out any more; and they are not in the way of those that are ours. */
static void others(void)
{
    char ours[DAS_APPROVAL_ID_SIZE];
    das_approval_id ids[1];

    begin();
    known = false;
    for (int i = 0; i < 3; i++) {
        victims[0].query_id = 500 + i;
        must_request(1);
        vote("alice", true);
    }
    is_int(due(), 0, "approved, for an instance that another das has: nothing is due here");
    is_int(carry(), DAS_FATE_NOTHING, "and nothing is carried out");
    victims[0].query_id = 600;
    must_request(2);
    memcpy(ours, id, sizeof ours);
    pass(TTL_MS);
    ok(das_approval_due(store, &means, ids, 1, &err) == 1 && strcmp(ids[0], ours) == 0,
       "what is due here is found behind them");
    need_ok(das_approval_carry_out(store, ours, &means, &(enum das_approval_fate){0}, NULL, &err));
    pass(DAS_APPROVAL_GRACE_MS + 1000);
    is_int(due(), 3, "when their plans have expired they are over, whoever sees it");
    for (int i = 0; i < 3; i++) {
        need_ok(das_approval_due(store, &means, ids, 1, &err));
        memcpy(id, ids[0], sizeof id);
        is_int(carry(), DAS_FATE_SETTLED, "settled");
        is_state(DAS_APPROVAL_FAILED, "as failed");
    }
    is_int(due(), 0, "nothing is left");
    is_int((int)fake.kills, 0, "and nobody died");
    known = true;
}

/* What is in the table may be anything. */
static void listed(void)
{
    struct das_approval_key keys[3];

    begin();
    must_request(1);
    is_int(das_approval_list(store, true, keys, 3, &err), 1, "one is open");
    is_str(keys[0].id, id, "by its id");
    store_sql(dir, "INSERT INTO approvals(id, seq, plan, subject, state, expires_ms, claim,"
                   " delivery, decided_ms, ended_ms, note, result) SELECT hex(randomblob(2000)),"
                   " seq, plan, subject, 1, expires_ms, '', '', 0, 0, '', x'' FROM approvals");
    is_int(das_approval_list(store, false, keys, 3, &err), 1, "an id of 4,000 bytes is no request");
    is_int(due(), 0, "and nothing is due for it");
    vote("alice", true);
    is_int(das_approval_list(store, true, keys, 3, &err), 1, "approved it is still open");
    is_int(due(), 1, "and due");
    carry();
    is_int(das_approval_list(store, true, keys, 3, &err), 0, "applied it is not");
}

static void people_change(void)
{
    struct das_people now;
    const struct das_ballot b = {
        .id = id, .hash_prefix = hash, .person = "alice", .yes = true, .via = "test"};

    begin();
    must_request(1);
    das_people_init(&now);
    need_ok(das_people_add(&now, "alice", &err) ? 0 : -1);
    need_ok(das_approval_vote(store, &now, NULL, &b, &said, &err));
    is_int(said.kind, DAS_BALLOT_REFUSED, "who has lost the role meanwhile has no vote");
    das_people_clear(&now);
}

/* --- carrying out ----------------------------------------------------------------------------- */

static void applies(void)
{
    struct das_approval *a;
    struct das_buf words = {0};

    begin();
    must_request(1);
    is_int(carry(), DAS_FATE_NOTHING, "without a yes nothing");
    pass(TTL_MS - 1000);
    is_int(vote("alice", true), DAS_BALLOT_APPROVED, "approved");
    known = false;
    is_int(carry(), DAS_FATE_NOTHING, "left alone by who has no such instance");
    known = true;
    pass(DAS_APPROVAL_GRACE_MS);
    is_int(carry(), DAS_FATE_SETTLED, "carried out, minutes later");
    is_int((int)fake.kills, 2, "two die");
    ok(fake.killed[0].id == 1 && fake.killed[1].id == 2, "those of the plan");
    is_int(carry(), DAS_FATE_NOTHING, "once");
    is_int((int)fake.kills, 2, "and nobody else");
    need_ok(das_approval_get(store, id, &a, &err));
    is_int(a->state, DAS_APPROVAL_APPLIED, "applied");
    ok(a->result.len && strstr(a->result.ptr, "\"killed\":2"), "its report is kept");
    das_approval_words(a, &words);
    is_str(words.ptr, "approved by alice; 2 killed", "in words");
    das_buf_clear(&words);
    das_approval_free(a);
    is_int(records("\"by\":\"alice (approval"), 1, "the journal says by whom");
    is_int(records("\"event\":\"claimed\""), 1, "and that it was claimed");
}

static void changed(void)
{
    begin();
    must_request(1);
    victims[0].query_id = 777; /* runs something else now */
    victims[0].sql_info = das_text_of("select 2");
    pass(30000);
    is_int(vote("alice", true), DAS_BALLOT_APPROVED, "approved");
    is_int(carry(), DAS_FATE_SETTLED, "carried out");
    is_int((int)fake.kills, 1, "one is spared");
    is_int((int)fake.killed[0].id, 2, "the one that changed");
}

static void does_nothing(const char *what, const char *why)
{
    struct das_approval *a;

    is_int(carry(), DAS_FATE_SETTLED, "%s: it is settled", what);
    need_ok(das_approval_get(store, id, &a, &err));
    is_str(das_approval_state_name(a->state), "failed", "%s: failed", what);
    ok(strstr(a->note, why), "%s: %s", what, why);
    if (!strstr(a->note, why))
        tap_diag("%s", a->note);
    das_approval_free(a);
    is_int((int)fake.kills, 0, "%s: nobody dies", what);
    is_int(carry(), DAS_FATE_NOTHING, "%s: nor later", what);
}

static void fails(void)
{
    begin();
    must_request(1);
    vote("alice", true);
    pass(TTL_MS + DAS_APPROVAL_GRACE_MS + 1000);
    does_nothing("too late", "the plan expired");
    begin();
    must_request(1);
    vote("alice", true);
    reachable = false;
    does_nothing("no way there", "no way there");
    reachable = true;
    begin();
    must_request(1);
    vote("alice", true);
    rules.mode = DAS_POLICY_OBSERVE;
    rules.mode_is_set = true;
    does_nothing("a policy that was demoted since", "mode observe");
    begin();
    must_request(1);
    vote("alice", true);
    rules.limits.run = 1;
    does_nothing("more than the limits", "limits.kill.run");
}

/* --- somebody at the database ----------------------------------------------------------------- */

static int get(void)
{
    struct das_approval *a;
    int rc = das_approval_get(store, id, &a, &err);

    das_approval_free(a);
    return rc;
}

static void tampered(const char *sql, const char *what)
{
    begin();
    must_request(1);
    store_sql(dir, sql);
    ok(get() < 0 && err.code == DAS_E_DATA, "%s: the journal says otherwise", what);
    refused("bob", true, "does not say what the journal says");
    is_int(due(), 0, "%s: nothing is due", what);
    is_int((int)fake.kills, 0, "%s: nobody dies", what);
}

static void other_hands(void)
{
    char other[DAS_APPROVAL_ID_SIZE], sql[400];

    tampered("UPDATE approvals SET expires_ms = expires_ms + 1", "a later end");
    tampered("UPDATE approvals SET seq = 1", "another record");
    tampered("UPDATE journal SET line = replace(line, '\"need\":1', '\"need\":0')",
             "a record that needs nobody");
    tampered("INSERT INTO approval_votes(approval, person, seq) SELECT id, 'bob', seq"
             " FROM approvals",
             "a vote that nobody took");

    begin();
    must_request(2);
    vote("alice", true);
    store_sql(dir, "INSERT INTO approval_votes(approval, person, seq)"
                   " SELECT approval, 'carl', seq FROM approval_votes");
    ok(get() < 0 && err.code == DAS_E_DATA, "a vote of somebody else, counted once more");

    begin();
    must_request(2);
    vote("alice", true);
    store_sql(dir, "UPDATE journal SET line = replace(line, '\"need\":2', '\"need\":1')");
    ok(get() < 0 && strstr(err.msg, "the bytes of a record were changed"),
       "a record that needs fewer people");

    begin();
    must_request(2);
    vote("alice", true);
    store_sql(dir, "UPDATE approvals SET state = 1");
    does_nothing("one vote of two, and a state", "the journal has 1 of 2 votes");

    begin();
    must_request(1);
    store_sql(dir, "UPDATE approvals SET plan = CAST(replace(CAST(plan AS TEXT),"
                   " 'too long', 'so long') AS BLOB)");
    refused("alice", true, "its plan was changed");
    store_sql(dir, "UPDATE approvals SET state = 1");
    does_nothing("a state that nobody decided", "the journal has 0 of 1 votes");

    begin();
    must_request(1);
    vote("alice", true);
    store_sql(dir, "UPDATE approvals SET plan = CAST(replace(CAST(plan AS TEXT),"
                   " '\"id\":2', '\"id\":3') AS BLOB)");
    does_nothing("an edited plan", "its plan was changed");

    begin();
    must_request(1);
    memcpy(other, id, sizeof other);
    vote("alice", true);
    victims[0].id = 3;
    must_request(1);
    snprintf(sql, sizeof sql,
             "UPDATE approvals SET plan = (SELECT plan FROM approvals WHERE id = '%s') WHERE id ="
             " '%s'",
             id, other);
    store_sql(dir, sql);
    memcpy(id, other, sizeof other);
    does_nothing("a plan that is whole, of another request", "another plan than the one");
}

/* --- deaths ----------------------------------------------------------------------------------- */

static int claim(void *arg, const struct das_approval *a, struct das_approval_step *step,
                 struct das_err *e)
{
    (void)arg;
    (void)a;
    (void)e;
    step->event = "claimed";
    step->state = DAS_APPROVAL_APPLYING;
    step->claim = true;
    return 0;
}

static int64_t begun_intents = -1; /* -1: not even the apply record */

static int claim_and_wait(void *arg)
{
    struct das_store *mine = store_open(dir);
    char members[300];
    int64_t seq;

    (void)arg;
    if (das_approval_change(mine, id, claim, NULL, &err) != 1)
        return 1;
    if (begun_intents < 0)
        return 0;
    snprintf(members, sizeof members, "\"plan\":\"%s\"", hash);
    seq = store_must_add(mine, "apply", members, 0);
    for (int64_t i = 0; i < begun_intents; i++) {
        int64_t intent;
        snprintf(members, sizeof members, "\"apply\":%lld,\"victim\":%lld", (long long)seq,
                 (long long)i);
        intent = store_must_add(mine, "intent", members, 0);
        if (i > 0)
            continue;
        snprintf(members, sizeof members, "\"outcome\":\"killed\",\"apply\":%lld,\"victim\":%lld",
                 (long long)seq, (long long)i);
        store_must_add(mine, "outcome", members, intent);
    }
    return 0;
}

/* The state afterwards. */
static void dies(int64_t intents, enum das_approval_state then, size_t kills, const char *what)
{
    pid_t pid;

    begin();
    must_request(1);
    vote("alice", true);
    begun_intents = intents;
    das_store_close(store); /* a fork must not have it */
    store = NULL;
    pid = store_hold(claim_and_wait, NULL);
    store = store_open(dir);
    is_int(carry(), DAS_FATE_NOTHING, "%s: while it lives it is its own", what);
    is_int(due(), 0, "%s: and not due", what);
    store_kill(pid);
    is_int(due(), 1, "%s: when it has died it is", what);
    again(); /* what it left open becomes unknown */
    is_int(carry(), DAS_FATE_SETTLED, "%s: settled", what);
    is_state(then, what);
    is_int((int)fake.kills, (int)kills, "%s: %d kills now", what, (int)kills);
    is_int(carry(), DAS_FATE_NOTHING, "%s: once", what);
}

static void deaths(void)
{
    dies(-1, DAS_APPROVAL_APPLIED, 2, "claimed and not begun");
    dies(0, DAS_APPROVAL_APPLIED, 0, "begun, and nothing sent");
    dies(1, DAS_APPROVAL_APPLIED, 0, "one of two, with its outcome");
    dies(2, DAS_APPROVAL_UNKNOWN, 0, "the second without its outcome");
}

static const char *const voters[] = {"alice", "bob", "carl"};

static int vote_at_once(void *arg, int i)
{
    store = store_open(dir);
    (void)arg;
    return vote(voters[i % 3], true) == DAS_BALLOT_APPROVED ? 0 : 1;
}

static int carry_at_once(void *arg, int i)
{
    enum das_approval_fate fate;

    (void)arg;
    (void)i;
    store = store_open(dir);
    fate = carry();
    return fate == DAS_FATE_SETTLED && fake.kills == 2 ? 0 : 1;
}

static void at_once(void)
{
    begin();
    must_request(1);
    das_store_close(store);
    store = NULL;
    is_int(store_herd(6, vote_at_once, NULL), 1, "of six votes at once one decides");
    is_int(store_herd(6, carry_at_once, NULL), 1, "of six processes one carries it out");
    store = store_open(dir);
    is_state(DAS_APPROVAL_APPLIED, "applied");
    is_int(records("\"kind\":\"apply\""), 1, "one apply in the journal");
    is_int(records("\"event\":\"vote\""), 1, "and one vote");
}

/* --- links, buttons, people ------------------------------------------------------------------- */

static void links(void)
{
    struct das_approval_link l;

    begin();
    must_request(1);
    need_ok(das_approval_link_add(store, "aa", id, "alice", &err));
    is_int(das_approval_link_find(store, "bb", &l, &err), 0, "no such link");
    is_int(das_approval_link_find(store, "aa", &l, &err), 1, "a link");
    is_str(l.person, "alice", "is somebody's");
    need_ok(das_approval_form_add(store, "f1", "aa", 2000, &err));
    is_int(das_approval_form_take(store, "f1", "bb", 1000, &err), 0, "a form of another link");
    is_int(das_approval_form_take(store, "f1", "aa", 2000, &err), 0, "a form that is too old");
    is_int(das_approval_form_take(store, "f1", "aa", 1999, &err), 1, "a form");
    is_int(das_approval_form_take(store, "f1", "aa", 1999, &err), 0, "once");
    for (int i = 0; i <= DAS_APPROVAL_FORMS; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        need_ok(das_approval_form_add(store, name, "aa", 2000, &err));
    }
    is_int(das_approval_form_take(store, "g0", "aa", 0, &err), 0, "the oldest of too many is gone");
    is_int(das_approval_form_take(store, "g1", "aa", 0, &err), 1, "the next is good");
}

static void buttons(void)
{
    static const char *const bad[] = {
        "",
        "das:approval:",
        "das:approval:3f62c09a17be:0123456789ab",
        "das:approval:3f62c09a17be:0123456789ab:x",
        "das:approval:3f62c09a17be:0123456789ab:yy",
        "das:approval:3f62c09a17be:0123:y",
        "das:approval:3f62c09a17:0123456789ab:y",
        "das:approval:3f62c09a17be0:0123456789ab:y",
        "das:approval:3f62c09a17bE:0123456789ab:y",
        "das:approval:3f62c09a17be::y",
        "das:approval:' or 1=1 --:0123456789ab:y",
        "DAS:approval:3f62c09a17be:0123456789ab:y",
    };
    struct das_approval a = {.id = "3f62c09a17be"};
    struct das_approval_value v;
    char value[DAS_APPROVAL_VALUE_SIZE];

    snprintf(a.hash, sizeof a.hash, "%064d", 7);
    das_approval_value(&a, false, value);
    is_str(value, "das:approval:3f62c09a17be:000000000000:n", "the value of a button");
    ok(das_approval_value_read(das_text_of(value), &v) && !v.yes && strcmp(v.id, a.id) == 0 &&
           strcmp(v.prefix, "000000000000") == 0,
       "is read back");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!das_approval_value_read(das_text_of(bad[i]), &v), "no button: \"%s\"", bad[i]);
}

static void who_is_who(void)
{
    struct das_people p;
    struct das_person *x;

    das_people_init(&p);
    x = das_people_add(&p, "alice", &err);
    need_ok(das_person_add_id(&p, x, "slack", "U1", &err));
    need_ok(das_person_add_id(&p, x, "feishu", "U2", &err));
    ok(!das_people_add(&p, "alice", &err), "a name is one person's");
    ok(!das_people_add(&p, "al ice", &err), "and has no blanks");
    x = das_people_add(&p, "bob", &err);
    ok(das_person_add_id(&p, x, "slack", "U1", &err) < 0, "so is an id");
    is_str(err.msg, "people.bob.slack: \"U1\" is alice already: one id is one person",
           "and says so");
    is_int(das_person_add_id(&p, x, "slack", "U2", &err), 0,
           "the same id elsewhere is another one");
    ok(das_person_add_id(&p, x, "os", "", &err) < 0, "an empty id");
    is_str(das_people_by(&p, "slack", "U2")->name, "bob", "found by it");
    ok(!das_people_by(&p, "slack", "u1") && !das_people_by(&p, "os", "alice"), "exactly");
    das_people_clear(&p);
}

int main(void)
{
    das_clock_init(&clock_, START_MS);
    das_clock_enter(&clock_);
    person("alice", "dba", "alice");
    person("bob", "dba", "bob");
    person("carl", "dba", "carl");
    person("eve", NULL, "eve");
    asking();
    asking_twice();
    n_of_m();
    one_no();
    expiry();
    others();
    listed();
    people_change();
    applies();
    changed();
    fails();
    other_hands();
    deaths();
    at_once();
    links();
    buttons();
    who_is_who();
    das_store_close(store);
    fake_clear(&fake);
    das_people_clear(&people);
    store_dirs_clear();
    return tap_done();
}
