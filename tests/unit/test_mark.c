/*
 * test_mark.c - a session known again in a later list: its owner, its statement, its transaction.
 */
#include "core/session/mark.h"

#include "tests/unit/kit.h"

#define NOON INT64_C(1766664000000) /* ms */

/* In a transaction with that number, begun so many seconds ago. */
static struct das_session in_trx(int64_t trx_id, int64_t seconds)
{
    struct das_session s = kit_session(7);

    s.trx_id = trx_id;
    s.trx_time = seconds;
    return s;
}

/* Is the second, ten seconds later, in the transaction of the first? */
static bool same_trx(struct das_session first, struct das_session second)
{
    struct das_mark m;

    das_mark_take(&m, &first, NOON);
    return das_mark_same_transaction(&m, &second, NOON + 10000);
}

static void transactions(void)
{
    ok(same_trx(in_trx(5, 3), in_trx(5, 13)), "the same number and begin");
    ok(same_trx(in_trx(5, 3), in_trx(9, 13)),
       "a number that is given with the first write: its begin decides");
    ok(!same_trx(in_trx(5, 3), in_trx(9, 4)), "another number, begun later");
    ok(same_trx(in_trx(5, 3), in_trx(5, 2)), "the same number, though its age is told wrongly");
    ok(!same_trx(in_trx(0, 3), in_trx(0, 2)),
       "0 is no number: another begin is another transaction");
    ok(!same_trx(in_trx(DAS_UNKNOWN, 3), in_trx(DAS_UNKNOWN, 2)), "nor is an unknown one");
    ok(!same_trx(in_trx(5, 3), in_trx(5, DAS_ABSENT)), "outside of a transaction it is over");
    ok(same_trx(in_trx(5, DAS_ABSENT), in_trx(5, DAS_ABSENT)), "none, and still none");
    ok(same_trx(in_trx(5, 3), in_trx(DAS_UNKNOWN, DAS_UNKNOWN)), "who cannot tell proves no end");
    ok(same_trx(in_trx(1, 3), in_trx(2, 11)) && !same_trx(in_trx(1, 3), in_trx(2, 10)),
       "ages are told in whole seconds: two are within that, three are not");
}

static struct das_session doing(const char *command, const char *sql, int64_t query_id,
                                int64_t seconds)
{
    struct das_session s = kit_session(7);

    s.command = das_text_of(command);
    s.sql_info = das_text_of(sql);
    s.query_id = query_id;
    s.state_duration = seconds;
    return s;
}

static bool same_statement(struct das_session first, struct das_session second)
{
    struct das_mark m;

    das_mark_take(&m, &first, NOON);
    return das_mark_same_statement(&m, &second, NOON + 10000);
}

static void statements(void)
{
    const struct das_session first = doing("Query", "select 1", 70, 3);

    ok(same_statement(first, doing("Query", "select 1", 70, 13)), "the same number");
    ok(!same_statement(first, doing("Query", "select 1", 71, 13)),
       "another number, whatever its age");
    ok(!same_statement(first, doing("Sleep", NULL, 70, 2)), "its number while it sleeps behind it");
    ok(same_statement(first, doing("Query", "select 1", DAS_UNKNOWN, 13)),
       "without a number: text and begin");
    ok(!same_statement(first, doing("Query", "select 2", DAS_UNKNOWN, 13)), "another text");
    ok(!same_statement(first, doing("Query", "select 1", DAS_UNKNOWN, 4)), "begun later");
    ok(same_statement(first, doing("Query", "select 1", DAS_UNKNOWN, DAS_UNKNOWN)),
       "no age: the text decides");
}

static void owners(void)
{
    const struct das_session first = doing("Query", "select 1", 70, 3);
    struct das_session other = first;
    struct das_mark m, n;

    das_mark_take(&m, &first, NOON);
    ok(das_mark_same_owner(&m, &first), "the same user at the same port");
    other.host = das_text_of("10.0.0.7:1");
    ok(!das_mark_same_owner(&m, &other), "another port");
    other = first;
    other.user = das_text_of("other");
    ok(!das_mark_same_owner(&m, &other), "another user");
    other = doing("Connect", NULL, 0, 0);
    ok(!das_mark_same_owner(&m, &other), "who only just connects is somebody new");
    das_mark_take(&n, &other, NOON);
    ok(das_mark_same_owner(&n, &other), "... and is the same as long as it connects");
    das_mark_take(&n, &first, NOON + 10000);
    ok(das_mark_key(&m) == das_mark_key(&n), "a key does not depend on when it is seen");
    other = doing("Query", "select 1", 71, 3);
    das_mark_take(&n, &other, NOON);
    ok(das_mark_key(&m) != das_mark_key(&n), "another statement has another key");
}

int main(void)
{
    transactions();
    statements();
    owners();
    return tap_done();
}
