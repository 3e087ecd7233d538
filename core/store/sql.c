/*
 * sql.c - all SQL of das: the tables and every statement. Nothing is ever put together from values.
 *
 * The journal is the truth. open_intents, unknown_intents and applied are only what its records
 * say, kept in the same transaction so that nobody has to read all of it; das_journal_verify()
 * compares.
 */
#include "core/store/store_impl.h"

const char das_store_schema[] =
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY, line TEXT NOT NULL, hash TEXT NOT NULL) STRICT;"
    "CREATE TABLE open_intents(seq INTEGER PRIMARY KEY, run TEXT NOT NULL) STRICT;"
    "CREATE TABLE unknown_intents(seq INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE applied(seq INTEGER PRIMARY KEY, plan TEXT NOT NULL) STRICT;"
    "CREATE INDEX applied_plan ON applied(plan);"

    /* at_ms is when the kill was spent; a reservation counts as if it were spent in the far future,
     * so that it is within every window. */
    "CREATE TABLE kills(id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL,"
    " instance TEXT NOT NULL, policy TEXT NOT NULL, user BLOB NOT NULL,"
    " fingerprint INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX kills_run ON kills(run, at_ms);"
    "CREATE INDEX kills_at ON kills(at_ms);"
    "CREATE INDEX kills_instance ON kills(instance, at_ms);"
    "CREATE INDEX kills_user ON kills(instance, user, at_ms);"

    "CREATE TABLE breakers(policy TEXT NOT NULL, instance TEXT NOT NULL, state INTEGER NOT NULL,"
    " since_ms INTEGER NOT NULL, respawns INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(policy, instance)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE matches(id INTEGER PRIMARY KEY AUTOINCREMENT, policy TEXT NOT NULL,"
    " instance TEXT NOT NULL, count INTEGER NOT NULL) STRICT;"
    "CREATE INDEX matches_of ON matches(policy, instance, id);";

#define UNSPENT "9223372036854775807"

const char *const das_queries[DAS_QUERIES] = {
    [DAS_Q_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [DAS_Q_BEGIN_READ] = "BEGIN",
    [DAS_Q_COMMIT] = "COMMIT",
    [DAS_Q_ROLLBACK] = "ROLLBACK",

    [DAS_Q_HEAD] = "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1",
    [DAS_Q_APPEND] = "INSERT INTO journal(seq, line, hash) VALUES(?1, ?2, ?3)",
    [DAS_Q_RECORDS] = "SELECT seq, line, hash FROM journal WHERE seq >= ?1 ORDER BY seq",
    [DAS_Q_OPEN_ADD] = "INSERT INTO open_intents(seq, run) VALUES(?1, ?2)",
    [DAS_Q_OPEN_DROP] = "DELETE FROM open_intents WHERE seq = ?1",
    [DAS_Q_OPEN_FIRST] = "SELECT min(seq) FROM open_intents WHERE run = ?1",
    [DAS_Q_OPEN_ALL] = "SELECT seq, run FROM open_intents ORDER BY seq",
    [DAS_Q_UNKNOWN_ADD] = "INSERT INTO unknown_intents(seq) VALUES(?1)",
    [DAS_Q_UNKNOWN_DROP] = "DELETE FROM unknown_intents WHERE seq = ?1",
    [DAS_Q_UNKNOWN_HAS] = "SELECT count(*) FROM unknown_intents WHERE seq = ?1",
    [DAS_Q_UNKNOWN_ALL] = "SELECT seq FROM unknown_intents ORDER BY seq",
    [DAS_Q_DOUBTFUL] = "SELECT seq, '' FROM unknown_intents"
                       " UNION ALL SELECT seq, run FROM open_intents ORDER BY 1",
    [DAS_Q_APPLIED_ADD] = "INSERT INTO applied(seq, plan) VALUES(?1, ?2)",
    [DAS_Q_APPLIED_HAS] = "SELECT EXISTS(SELECT 1 FROM applied WHERE plan = ?1)",
    [DAS_Q_APPLIED_ALL] = "SELECT seq, plan FROM applied ORDER BY seq",
    [DAS_Q_OWING_RUNS] = "SELECT run FROM open_intents WHERE run > ?1"
                         " UNION SELECT run FROM kills WHERE at_ms = " UNSPENT " AND run > ?1"
                         " ORDER BY 1 LIMIT 1",

    [DAS_Q_RESERVE] = "INSERT INTO kills(run, instance, policy, user, fingerprint, at_ms)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, " UNSPENT ")",
    [DAS_Q_SPEND] = "UPDATE kills SET at_ms = ?3 WHERE id = ?1 AND run = ?2 AND at_ms = " UNSPENT,
    [DAS_Q_GIVE_BACK] = "DELETE FROM kills WHERE id = ?1 AND run = ?2 AND at_ms = " UNSPENT,
    [DAS_Q_GIVE_BACK_RUN] = "DELETE FROM kills WHERE run = ?1 AND at_ms = " UNSPENT,
    [DAS_Q_COUNT_RUN] = "SELECT count(*) FROM kills WHERE at_ms > ?1 AND run = ?2",
    [DAS_Q_COUNT_ALL] = "SELECT count(*) FROM kills WHERE at_ms > ?1",
    [DAS_Q_COUNT_INSTANCE] = "SELECT count(*) FROM kills WHERE at_ms > ?1 AND instance = ?2",
    [DAS_Q_COUNT_USER] =
        "SELECT count(*) FROM kills WHERE at_ms > ?1 AND instance = ?2 AND user = ?3",
    [DAS_Q_COUNT_RECENT] = "SELECT count(*) FROM kills WHERE at_ms >= ?1 AND at_ms < " UNSPENT
                           " AND instance = ?2 AND user = ?3 AND fingerprint = ?4",

    [DAS_Q_BREAKER_GET] = "SELECT state, since_ms, respawns, reason FROM breakers"
                          " WHERE policy = ?1 AND instance = ?2",
    [DAS_Q_BREAKER_PUT] = "INSERT OR REPLACE INTO"
                          " breakers(policy, instance, state, since_ms, respawns, reason)"
                          " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [DAS_Q_BREAKER_ALL] = "SELECT state, since_ms, respawns, reason, policy, instance FROM breakers"
                          " ORDER BY policy, instance",
    [DAS_Q_MATCHES_COUNT] = "SELECT count(*) FROM matches WHERE policy = ?1 AND instance = ?2",
    [DAS_Q_MATCHES_LAST] = "SELECT count FROM (SELECT id, count FROM matches"
                           " WHERE policy = ?1 AND instance = ?2 ORDER BY id DESC LIMIT ?3)"
                           " ORDER BY count",
    [DAS_Q_MATCHES_ADD] = "INSERT INTO matches(policy, instance, count) VALUES(?1, ?2, ?3)",
    [DAS_Q_MATCHES_TRIM] = "DELETE FROM matches WHERE policy = ?1 AND instance = ?2 AND id <="
                           " (SELECT id FROM matches WHERE policy = ?1 AND instance = ?2"
                           " ORDER BY id DESC LIMIT 1 OFFSET ?3)",
};
