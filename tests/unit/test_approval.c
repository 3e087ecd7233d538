/* test_approval.c - kills that people have to say yes to: who may ask, whose vote counts, when it is
 * too late, and who is who. */
#include "tests/unit/approval_kit.h"

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

/* Of two votes at once with one link the second is none. */
static void one_link_one_vote(void)
{
    struct das_ballot b = {.id = id, .hash_prefix = hash, .yes = true, .via = "page", .link = "aa"};

    begin();
    must_request(2);
    need_ok(das_approval_link_add(store, "aa", id, "alice", &err));
    b.person = "alice";
    need_ok(das_approval_vote(store, &people, NULL, &b, &said, &err));
    is_int(said.kind, DAS_BALLOT_COUNTED, "a vote uses its link up");
    b.person = "bob";
    ok(das_approval_vote(store, &people, NULL, &b, &said, &err) < 0, "so no other vote can");
    is_state(DAS_APPROVAL_WAITING, "and it is not counted");
}

/* A plan is asked for while it is good. */
static void too_late_to_ask(void)
{
    struct das_plan *p;
    struct das_approval_ask ask;
    struct das_approval *a;

    begin();
    p = new_plan();
    ask = ask_of(p);
    pass(das_plan_expires_ms(p) - das_clock_unix_ms());
    need_ok(das_approval_check(&ask, &err));
    pass(1);
    ok(das_approval_request(store, &ask, &a, &err) < 0 && err.code == DAS_E_BLOCKED &&
           strstr(err.msg, "the plan has expired"),
       "no request: a plan that has expired");
    das_plan_release(p);
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
    is_str(das_people_who(&p, "alice (chat)")->name, "alice", "whom a hook vouched for");
    ok(!das_people_who(&p, "alice") && !das_people_who(&p, "ali (chat)") &&
           !das_people_who(&p, "hook alerts") && !das_people_who(&p, NULL),
       "and nobody else is");
    need_ok(das_person_add_id(&p, x, "os", "ops", &err));
    is_str(das_people_who(&p, "ops")->name, "bob", "a user of the machine is a person by das.lua");
    ok(!das_people_by(&p, "slack", "u1") && !das_people_by(&p, "os", "alice"), "exactly");
    das_people_clear(&p);
}

int main(void)
{
    stage_begin();
    asking();
    asking_twice();
    n_of_m();
    one_no();
    expiry();
    people_change();
    links();
    one_link_one_vote();
    too_late_to_ask();
    buttons();
    who_is_who();
    return stage_end();
}
