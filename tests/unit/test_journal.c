/* test_journal.c - the exact bytes, what is refused, runs that die, and every kind of tampering. */
#include "core/store/journal.h"

#include <pthread.h>

#include "core/store/store_impl.h"
#include "tests/unit/kit.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

#define PLAN "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef"
#define UNKNOWN "\"outcome\":\"unknown\",\"note\":\"lost\""

/* --- the bytes -------------------------------------------------------------------------------- */

struct lines {
    char text[16][700], hash[16][DAS_SHA256_HEX];
    size_t n;
};

static int take_line(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct lines *l = arg;

    if (l->n >= 16 || line.len >= sizeof l->text[0])
        return -2;
    snprintf(l->text[l->n], sizeof l->text[0], "%.*s", (int)line.len, line.ptr);
    snprintf(l->hash[l->n++], DAS_SHA256_HEX, "%s", hash);
    return seq == 99 ? 7 : 0;
}

static void bytes(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_record two[2] = {{.kind = "intent", .members = das_text_of("\"id\":12")},
                                {.kind = "stop"}};
    char want[900], hash[DAS_SHA256_HEX];
    struct lines l = {.n = 0};
    struct das_head head;

    ok(das_journal_add(s, two, 2, &err) == 0, "two records in one commit");
    is_int(two[0].seq, 2, "the first");
    is_int(two[1].seq, 3, "the second");
    is_int(store_must_add(s, "outcome", "\"outcome\":\"killed\",\"after_ms\":3", 2), 4, "a third");
    is_int(das_journal_each(s, 0, take_line, &l, &err), 0, "all are read");
    is_int(l.n, 4, "four of them");
    snprintf(want, sizeof want, "{\"seq\":1,\"prev\":\"%064d\",\"time_ms\":", 0);
    ok(strncmp(l.text[0], want, strlen(want)) == 0, "the first has none before it");
    has_str(l.text[0], "\"kind\":\"begin\",\"id\":\"", "and begins the journal");
    snprintf(
        want, sizeof want,
        "{\"seq\":2,\"prev\":\"%s\",\"time_ms\":%lld,\"run\":\"%s\",\"kind\":\"intent\",\"id\":12}",
        l.hash[0], (long long)two[0].time_ms, das_store_run(s));
    is_str(l.text[1], want, "an intent");
    snprintf(want, sizeof want,
             "{\"seq\":3,\"prev\":\"%s\",\"time_ms\":%lld,\"run\":\"%s\",\"kind\":\"stop\"}",
             l.hash[1], (long long)two[1].time_ms, das_store_run(s));
    is_str(l.text[2], want, "one without members");
    has_str(l.text[3], "\"kind\":\"outcome\",\"intent\":2,\"outcome\":\"killed\",\"after_ms\":3}",
            "an outcome");
    for (size_t i = 0; i < l.n; i++) {
        must(das_sha256_hex(das_text_of(l.text[i]), hash, &err) == 0, "SHA-256");
        is_str(l.hash[i], hash, "record %zu: of exactly that line", i + 1);
    }
    l.n = 0;
    is_int(das_journal_each(s, 4, take_line, &l, &err), 0, "from one on");
    is_int(l.n, 1, "is less");
    ok(das_journal_head(s, &head, &err) == 0 && head.seq == 4, "the head");
    is_str(head.hash, l.hash[0], "is the last one's hash");
    ok(das_journal_verify(s, &head, &head, &err) == 0 && head.seq == 4, "all is well");
    das_store_close(s);
}

static void walk_ends(void)
{
    struct das_store *s = store_open(store_dir());
    struct lines l = {.n = 14};

    for (int i = 0; i < 3; i++)
        store_must_add(s, "stop", "", 0);
    is_int(das_journal_each(s, 0, take_line, &l, &err), -2, "what the callback says ends the walk");
    is_int(store_must_add(s, "stop", "", 0), 5, "and nothing is left open");
    das_store_close(s);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void refuse(struct das_store *s, const char *kind, const char *members, int64_t closes,
                   const char *words)
{
    /* The good one before it must go with it. */
    struct das_record r[2] = {{.kind = "intent"},
                              {.kind = kind, .members = das_text_of(members), .closes = closes}};
    int64_t before = store_head(s);

    ok(das_journal_add(s, r, 2, &err) < 0 && err.code == DAS_E_STORE, "a record \"%s\": refused",
       kind);
    has_str(err.msg, words, "%s", err.msg);
    is_int(store_head(s), before, "and nothing was written");
}

static void refusals(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_record r = {.kind = "intent", .spends = 5};
    int64_t intent = store_must_add(s, "intent", "\"id\":1", 0);
    struct das_head head;

    refuse(s, "stop", "reason", 0, "no JSON in one line");
    refuse(s, "stop", "\"a\":1,\n\"b\":2", 0, "no JSON in one line");
    refuse(s, "stop", "\"seq\":1", 0, "no JSON in one line");
    refuse(s, "stop", "\"a\":\"\x01\"", 0, "no JSON in one line");
    refuse(s, "stop", "", intent, "only an outcome");
    refuse(s, "st\"op", "", 0, "no JSON");
    refuse(s, "Stop", "", 0, "does not begin as it should");
    refuse(s, "outcome", "\"outcome\":\"killed\"", 0, "an outcome closes an intent");
    refuse(s, "outcome", "\"after_ms\":1,\"outcome\":\"unknown\"", intent,
           "begins with \"outcome\"");
    refuse(s, "outcome", "", intent, "begins with \"outcome\"");
    refuse(s, "outcome", "\"outcome\":\"killed\"", 77, "77 is no open intent");
    refuse(s, "outcome", "\"outcome\":\"killed\"", 1, "1 is no open intent");
    refuse(s, "apply", "\"hash\":\"" PLAN "\"", 0, "with \"plan\":HASH");
    refuse(s, "apply", "\"plan\":\"" PLAN "0\"", 0, "with \"plan\":HASH");
    refuse(s, "acknowledged", "\"intent\":2", 0, "2 is no unknown kill");
    ok(das_journal_add(s, &r, 1, &err) < 0, "a reservation that is none");
    has_str(err.msg, "5 is no reservation of this run that is left", "says so");
    store_must_add(s, "outcome", "\"outcome\":\"killed\"", intent);
    refuse(s, "outcome", "\"outcome\":\"killed\"", intent, "is no open intent");
    is_int(store_head(s), 3, "only what was good is there");
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "and it verifies");
    das_store_close(s);
}

/* --- nobody knows ----------------------------------------------------------------------------- */

static void unknowns(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t a = store_must_add(s, "intent", "\"id\":1", 0);
    int64_t b = store_must_add(s, "intent", "\"id\":2", 0), seqs[2] = {0};
    struct lines l = {.n = 0};
    struct das_head head;

    is_int(das_journal_unknown(s, seqs, 2, &err), 0, "open is not unknown while the run lives");
    store_must_add(s, "outcome", UNKNOWN, b);
    is_int(das_journal_unknown(s, NULL, 0, &err), 1, "an outcome that is not known");
    store_must_add(s, "outcome", UNKNOWN, a);
    is_int(das_journal_unknown(s, seqs, 1, &err), 2, "two of them, into room for one");
    is_int(seqs[0], a, "the first intent");
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "verifies");
    ok(das_journal_acknowledge(s, a, "alice", " ", &err) < 0 && err.code == DAS_E_USAGE,
       "without a reason: %s", err.msg);
    ok(das_journal_acknowledge(s, 4, "alice", "gone", &err) < 0 && err.code == DAS_E_USAGE,
       "not the outcome: %s", err.msg);
    ok(das_journal_acknowledge(s, a, "alice", "gone \"for\" \n good", &err) == 0, "by a person");
    is_int(das_journal_unknown(s, seqs, 2, &err), 1, "one is left");
    is_int(seqs[0], b, "the other");
    ok(das_journal_acknowledge(s, a, "alice", "again", &err) < 0 && err.code == DAS_E_USAGE,
       "once only");
    is_int(das_journal_each(s, 6, take_line, &l, &err), 0, "the record");
    has_str(l.text[0],
            "\"kind\":\"acknowledged\",\"intent\":2,\"who\":\"alice\","
            "\"reason\":\"gone \\\"for\\\" \\n good\"}",
            "says who and why");
    ok(das_journal_verify(s, NULL, &head, &err) == 0 && head.seq == 6, "verifies");
    das_store_close(s);
}

static void refuse_blocked(struct das_store *s)
{
    struct das_record r = {.kind = "apply", .members = das_text_of("\"plan\":\"" PLAN "\"")};
    struct das_head before, after;

    das_journal_head(s, &before, &err);
    ok(das_journal_add(s, &r, 1, &err) < 0 && err.code == DAS_E_BLOCKED, "never twice: %s", err.msg);
    das_journal_head(s, &after, &err);
    is_int(after.seq, before.seq, "and nothing is written");
}

static void applied(void)
{
    struct das_store *s = store_open(store_dir());

    is_int(das_journal_applied(s, PLAN, &err), 0, "not applied");
    store_must_add(s, "refused", "\"plan\":\"" PLAN "\"", 0);
    is_int(das_journal_applied(s, PLAN, &err), 0, "a refusal is none");
    store_must_add(s, "apply", "\"plan\":\"" PLAN "\",\"instance\":\"orders\"", 0);
    is_int(das_journal_applied(s, PLAN, &err), 1, "applied");
    refuse_blocked(s);
    das_store_close(s);
}

static int apply_it(void *dir, int i)
{
    struct das_record r = {.kind = "apply", .members = das_text_of("\"plan\":\"" PLAN "\"")};
    struct das_store *s = store_open(dir);
    int rc = das_journal_add(s, &r, 1, &err);

    (void)i;
    das_store_close(s);
    return rc == 0 ? 0 : err.code == DAS_E_BLOCKED ? 1 : 2;
}

static void applied_by_one(void)
{
    char dir[100];

    snprintf(dir, sizeof dir, "%s", store_dir());
    das_store_close(store_open(dir));
    is_int(store_herd(8, apply_it, dir), 1, "of eight processes one applies a plan");
}

/* --- runs that die ---------------------------------------------------------------------------- */

static int intend_three(void *dir)
{
    struct das_store *s = store_open(dir);

    for (int i = 0; i < 3; i++) {
        if (store_add(s, "intent", "\"id\":1", 0, &err) < 0)
            return 1;
    }
    return store_add(s, "outcome", "\"outcome\":\"killed\"", store_head(s) - 1, &err) < 0;
}

static void dead_runs(void)
{
    char dir[100];
    struct das_store *early, *s, *r = NULL;
    int64_t seqs[4] = {0};
    struct das_head head;
    pid_t pid;

    snprintf(dir, sizeof dir, "%s", store_dir());
    early = store_open(dir);
    pid = store_hold(intend_three, dir); /* 2, 3, 4; 3 is closed by 5 */
    s = store_open(dir);
    is_int(das_journal_unknown(s, seqs, 4, &err), 0, "a run that lives is not touched");
    is_int(store_head(s), 5, "by another's start");
    store_kill(pid);
    is_int(das_journal_unknown(s, seqs, 4, &err), 2, "dead: seen before anybody wrote it down");
    ok(das_store_open_to_read(dir, &r, &err) == 0 && das_journal_unknown(r, seqs, 4, &err) == 2,
       "by a reader, too");
    is_int(store_head(r), 5, "that wrote nothing");
    ok(das_journal_verify(r, NULL, &head, &err) == 0, "the journal is good");
    das_store_close(r);
    das_store_close(s);

    s = store_open(dir);
    is_int(store_head(s), 7, "the next one writes two outcomes");
    is_int(das_journal_unknown(s, seqs, 4, &err), 2, "which are unknown");
    ok(seqs[0] == 2 && seqs[1] == 4, "of the two intents that were open");
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "the journal is good");
    das_store_close(store_open(dir));
    is_int(store_head(s), 7, "once only");
    ok(das_journal_acknowledge(s, 2, "alice", "gone", &err) == 0, "acknowledged");
    is_int(das_journal_unknown(s, seqs, 4, &err), 1, "is not shown any more");
    das_store_close(s);

    pid = store_hold(intend_three, dir);
    store_kill(pid);
    ok(das_journal_acknowledge(early, store_head(early) - 1, "bob", "looked", &err) == 0,
       "a dead run's kill can be acknowledged at once: %s", err.msg);
    ok(das_journal_verify(early, NULL, &head, &err) == 0, "the journal is good");
    das_store_close(early);
}

static int open_it(void *dir, int i)
{
    (void)i;
    das_store_close(store_open(dir));
    return 0;
}

static void recovered_at_once(void)
{
    char dir[100];
    struct das_head head;
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    for (int i = 0; i < 5; i++) {
        int64_t before;
        store_kill(store_hold(intend_three, dir));
        before = store_number(dir, "SELECT max(seq) FROM journal");
        must(store_herd(6, open_it, dir) == 6, "six find the dead run");
        s = store_open(dir);
        is_int(store_head(s), before + 2, "its outcomes are written once");
        ok(das_journal_verify(s, NULL, &head, &err) == 0, "and well");
        das_store_close(s);
    }
}

static int append_many(void *dir, int i)
{
    struct das_store *s = store_open(dir);
    int64_t seq;

    for (int n = 0; n < 40; n++) {
        seq = store_add(s, "intent", "\"id\":1", 0, &err);
        if (seq < 0 || (n != i && store_add(s, "outcome", "\"outcome\":\"killed\"", seq, &err) < 0))
            return 1;
    }
    das_store_close(s); /* with one open */
    return 0;
}

static void appended_at_once(void)
{
    char dir[100];
    struct das_store *s;
    struct das_head head;

    snprintf(dir, sizeof dir, "%s", store_dir());
    is_int(store_herd(6, append_many, dir), 6, "six processes write at once");
    s = store_open(dir);
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "one chain: %s", err.msg);
    is_int(head.seq, 1 + 6 * 40 + 6 * 39 + 6, "with everything in it");
    is_int(das_journal_unknown(s, NULL, 0, &err), 6, "what was left open is unknown");
    das_store_close(s);
}

/* Threads of one process, each with handles of its own, which it opens again and again. */
static void *append_as_thread(void *dir)
{
    struct das_err why;
    struct das_store *s;

    for (int i = 0; i < 10; i++) {
        if (das_store_open(dir, &s, &why) < 0)
            return dir;
        for (int n = 0; n < 3; n++) {
            int64_t seq = store_add(s, "intent", "", 0, &why);
            if (seq < 0 || store_add(s, "outcome", "\"outcome\":\"killed\"", seq, &why) < 0)
                return dir;
        }
        das_store_close(s);
    }
    return NULL;
}

static void threads(void)
{
    char dir[100];
    pthread_t ids[4];
    struct das_head head;
    struct das_store *s;
    void *failed;
    int good = 0;

    snprintf(dir, sizeof dir, "%s", store_dir());
    for (int i = 0; i < 4; i++)
        must(pthread_create(&ids[i], NULL, append_as_thread, dir) == 0, "a thread");
    for (int i = 0; i < 4; i++)
        good += pthread_join(ids[i], &failed) == 0 && !failed;
    is_int(good, 4, "four threads write at once");
    s = store_open(dir);
    ok(das_journal_verify(s, NULL, &head, &err) == 0 && head.seq == 1 + 4 * 10 * 6, "one chain");
    is_int(das_journal_unknown(s, NULL, 0, &err), 0, "none took another for dead");
    das_store_close(s);
}

/* --- tampering -------------------------------------------------------------------------------- */

#define RECORDS 7

/* begin, apply, intent, intent (open), outcome of 3 (unknown), acknowledged, stop */
static struct das_store *small(const char *dir, struct das_head *head)
{
    struct das_store *s = store_open(dir);

    store_must_add(s, "apply", "\"plan\":\"" PLAN "\"", 0);
    store_must_add(s, "intent", "\"id\":1,\"user\":\"app\"", 0);
    store_must_add(s, "intent", "\"id\":2", 0);
    store_must_add(s, "outcome", UNKNOWN, 3);
    if (das_journal_acknowledge(s, 3, "alice", "gone", &err) < 0)
        exit(1);
    store_must_add(s, "stop", "\"reason\":\"x\"", 0);
    must(das_journal_verify(s, NULL, head, &err) == 0 && head->seq == RECORDS, "a journal");
    return s;
}

static void put_line(sqlite3_stmt *st, int64_t seq, const char *p, size_t len, const char *hash)
{
    sqlite3_reset(st);
    sqlite3_bind_text(st, 1, p, (int)len, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, hash, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, seq);
    if (sqlite3_step(st) != SQLITE_DONE)
        exit(1);
    sqlite3_reset(st);
}

/* Each byte of each record in three other ways; then with the hash put right, which only the record
 * behind it, or the noted head, can tell. */
static void every_byte(void)
{
    static const char flips[] = {1, 0x20, (char)0x80};
    const char *dir = store_dir();
    struct das_head head, out;
    struct das_store *s = small(dir, &head);
    struct lines l = {.n = 0};
    sqlite3_stmt *st;
    sqlite3 *db;
    int tried = 0, missed = 0, rehashed = 0, missed_rehashed = 0, elsewhere = 0;
    char place[40];

    must(das_journal_each(s, 0, take_line, &l, &err) == 0 && l.n == RECORDS, "its lines");
    must(sqlite3_open(store_path(dir, "das.db"), &db) == SQLITE_OK &&
             sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL) == SQLITE_OK &&
             sqlite3_prepare_v2(db, "UPDATE journal SET line = ?1, hash = ?2 WHERE seq = ?3", -1,
                                &st, NULL) == SQLITE_OK,
         "a hand in it");
    for (size_t i = 0; i < l.n; i++) {
        size_t len = strlen(l.text[i]);
        snprintf(place, sizeof place, "record %zu:", i + 1);
        for (size_t at = 0; at < len + DAS_SHA256_HEX - 1; at++) {
            char line[700], hash[DAS_SHA256_HEX];
            for (size_t f = 0; f < sizeof flips; f++) {
                memcpy(line, l.text[i], len + 1);
                memcpy(hash, l.hash[i], sizeof hash);
                if (at < len)
                    line[at] = (char)(line[at] ^ flips[f]);
                else
                    hash[at - len] = (char)(hash[at - len] ^ flips[f]);
                put_line(st, (int64_t)i + 1, line, len, hash);
                tried++;
                missed += das_journal_verify(s, NULL, &out, &err) == 0 || err.code != DAS_E_DATA;
                elsewhere += strncmp(err.msg, place, strlen(place)) != 0;
                if (at >= len || das_sha256_hex(das_text(line, len), hash, &err) < 0)
                    continue;
                put_line(st, (int64_t)i + 1, line, len, hash);
                rehashed++;
                missed_rehashed += das_journal_verify(s, &head, &out, &err) == 0;
            }
        }
        put_line(st, (int64_t)i + 1, l.text[i], len, l.hash[i]);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    ok(tried > 3 * RECORDS * 150, "%d changes of a byte", tried);
    is_int(missed, 0, "all are found");
    is_int(elsewhere, 0, "where they are");
    ok(rehashed > 0 && missed_rehashed == 0, "%d with the hash put right, too", rehashed);
    ok(das_journal_verify(s, &head, &out, &err) == 0, "undone, it is good");
    das_store_close(s);
}

/* A change that verify has to find, in a new journal each time. */
static void tamper(const char *sql, bool with_head, const char *words)
{
    const char *dir = store_dir();
    struct das_head head, out;
    struct das_store *s = small(dir, &head);

    store_sql(dir, sql);
    ok(das_journal_verify(s, with_head ? &head : NULL, &out, &err) < 0 && err.code == DAS_E_DATA,
       "%s", sql);
    is_str(err.msg, words, "is found where it is");
    das_store_close(s);
}

static void rows(void)
{
    tamper("DELETE FROM journal WHERE seq = 4", false, "record 4 is missing");
    tamper("DELETE FROM journal WHERE seq = 1", false, "record 1 is missing");
    tamper("DELETE FROM journal", false, "record 1 is missing: the journal is empty");
    tamper("DELETE FROM journal WHERE seq >= 6", true,
           "record 6 is missing: the head was record 7");
    tamper("UPDATE journal SET seq = 0 WHERE seq = 1", false,
           "record 0: there is no such place in a journal");
    tamper("UPDATE journal SET seq = 100 WHERE seq = 3; UPDATE journal SET seq = 3 WHERE seq = 4;"
           "UPDATE journal SET seq = 4 WHERE seq = 100",
           false, "record 3: its bytes are those of record 4");
    tamper("INSERT INTO journal SELECT 8, line, hash FROM journal WHERE seq = 5", true,
           "record 8: its bytes are those of record 5");
    tamper("DELETE FROM journal WHERE seq = 4; UPDATE journal SET seq = seq - 1 WHERE seq > 4",
           false, "record 4: its bytes are those of record 5");
    tamper("UPDATE journal SET hash = '' WHERE seq = 2", false,
           "record 2: its bytes or its hash were changed");
    tamper("DELETE FROM open_intents", false,
           "record 4: an open intent that is not held to be one");
    tamper("INSERT INTO open_intents VALUES(3, 'x')", false,
           "record 3: is held to be an open intent, and is none");
    tamper("UPDATE open_intents SET run = '0123456789abcdef'", false,
           "record 4: an open intent that is held to be of another run");
    tamper("INSERT INTO unknown_intents VALUES(4)", false,
           "record 4: is held to be an unknown intent, and is none");
    tamper("DELETE FROM applied", false,
           "record 2: the table of applied plans does not have its plan");
    tamper("UPDATE applied SET plan = 'x'", false,
           "record 2: the table of applied plans does not have its plan");
    tamper("INSERT INTO applied VALUES(5, 'x')", false,
           "record 5: is held to have applied a plan, and has not");
}

static void unknown_rows(void)
{
    const char *dir = store_dir();
    struct das_head head, out;
    struct das_store *s = small(dir, &head);

    store_must_add(s, "outcome", UNKNOWN, 4);
    ok(das_journal_verify(s, &head, &out, &err) == 0 && out.seq == 8, "it grew since the head");
    store_sql(dir, "DELETE FROM unknown_intents");
    ok(das_journal_verify(s, &head, &out, &err) < 0, "an unknown kill is hidden");
    is_str(err.msg, "record 4: an unknown intent that is not held to be one", "and found");
    das_store_close(s);
}

/* The tail is cut off so that nothing shows it, and the whole is another one. */
static void heads(void)
{
    const char *dir = store_dir();
    struct das_head head, other, out;
    struct das_store *s = small(dir, &head);

    store_sql(dir, "DELETE FROM journal WHERE seq = 7");
    ok(das_journal_verify(s, NULL, &out, &err) == 0 && out.seq == 6,
       "a cut at the end is not seen");
    ok(das_journal_verify(s, &head, &out, &err) < 0, "but by who has noted the head");
    store_must_add(s, "stop", "\"reason\":\"y\"", 0);
    ok(das_journal_verify(s, &head, &out, &err) < 0 && err.code == DAS_E_DATA, "or written anew");
    has_str(err.msg, "record 7: its hash is ", "%s", err.msg);
    das_store_close(s);
    s = small(store_dir(), &other);
    ok(das_journal_verify(s, &head, &out, &err) < 0, "another journal of the same content");
    has_str(err.msg, "rewritten, or it is another one", "is another one");
    head.seq = 0;
    ok(das_journal_verify(s, &head, &out, &err) < 0 && err.code == DAS_E_USAGE, "no head: %s",
       err.msg);
    das_store_close(s);
}

/* Records that were made with care, by somebody who knows how to hash. */
static void forged(void)
{
    const char *dir = store_dir();
    struct das_head head, out;
    struct das_store *s = small(dir, &head);
    char line[600], sql[1500], hash[DAS_SHA256_HEX];

    snprintf(line, sizeof line,
             "{\"seq\":8,\"prev\":\"%s\",\"time_ms\":1,\"run\":\"0123456789abcdef\","
             "\"kind\":\"outcome\",\"intent\":3,\"outcome\":\"killed\"}",
             head.hash);
    must(das_sha256_hex(das_text_of(line), hash, &err) == 0, "a hash");
    snprintf(sql, sizeof sql, "INSERT INTO journal VALUES(8, '%s', '%s')", line, hash);
    store_sql(dir, sql);
    ok(das_journal_verify(s, &head, &out, &err) < 0, "an outcome for what was closed");
    is_str(err.msg, "record 8: record 3 is no intent that is open", "is found");
    das_store_close(s);
}

/* Many intents that stay open, closed in another order than they came. */
static void many_open(void)
{
    enum { N = 1000 };
    struct das_store *s = store_open(store_dir());
    struct das_record *r = das_calloc(N, sizeof *r);
    struct das_head head;

    must(r != NULL, "memory");
    for (int i = 0; i < N; i++)
        r[i].kind = "intent";
    must(das_journal_add(s, r, N, &err) == 0, "many intents");
    for (int i = 0; i < N; i++) {
        int at = i * 7 % N;
        r[i] = (struct das_record){.kind = "outcome", .closes = at + 2};
        r[i].members = das_text_of(at % 10 ? "\"outcome\":\"killed\"" : UNKNOWN);
    }
    must(das_journal_add(s, r, N - 50, &err) == 0, "most are closed: %s", err.msg);
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "verifies: %s", err.msg);
    for (int i = 0; i < N; i++)
        r[i] = (struct das_record){.kind = "stop"};
    must(das_journal_add(s, r, N, &err) == 0, "more records");
    ok(das_journal_verify(s, NULL, &head, &err) == 0 && head.seq == 3 * N - 49, "still: %s",
       err.msg);
    das_free(r);
    das_store_close(s);
}

int main(void)
{
    bytes();
    walk_ends();
    refusals();
    unknowns();
    applied();
    applied_by_one();
    dead_runs();
    recovered_at_once();
    appended_at_once();
    threads();
    every_byte();
    rows();
    unknown_rows();
    heads();
    forged();
    many_open();
    store_dirs_clear();
    return tap_done();
}
