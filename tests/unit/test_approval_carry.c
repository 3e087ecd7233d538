/* test_approval_carry.c - the plan of an approved request: carried out once, by whoever is there and
 * has the instance, also when a process dies in the middle of it; and never when somebody has been
 * at the database. */
#include "tests/unit/approval_kit.h"

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

static int enter_slowly(void *arg, const char *instance, struct das_source **out,
                        struct das_err *e)
{
    store_sql(dir, "UPDATE approvals SET claim = '0123456789abcdef'");
    return enter(arg, instance, out, e);
}

/* Whoever was taken for dead meanwhile has nothing to say about it any more. */
static void taken_over(void)
{
    struct das_approval_means slow = means;
    enum das_approval_fate fate;
    struct das_approval *a;

    slow.enter = enter_slowly;
    begin();
    must_request(1);
    vote("alice", true);
    need_ok(das_approval_carry_out(store, id, &slow, &fate, NULL, &err));
    need_ok(das_approval_get(store, id, &a, &err));
    is_int(a->state, DAS_APPROVAL_APPLYING, "taken over by another run, it is that one's");
    ok(!*a->note && !a->result.len && strcmp(a->claim, "0123456789abcdef") == 0,
       "nothing is written into it");
    das_approval_free(a);
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

int main(void)
{
    stage_begin();
    applies();
    changed();
    fails();
    taken_over();
    others();
    listed();
    other_hands();
    deaths();
    at_once();
    return stage_end();
}
