/*
 * old_store.h - the tables of older formats of the state database, as das made them then: never to
 * be changed.
 */
#ifndef DAS_TESTS_OLD_STORE_H
#define DAS_TESTS_OLD_STORE_H

/* Format 1. */
static const char old_schema[] =
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY, line TEXT NOT NULL, hash TEXT NOT NULL) STRICT;"
    "CREATE TABLE open_intents(seq INTEGER PRIMARY KEY, run TEXT NOT NULL) STRICT;"
    "CREATE TABLE unknown_intents(seq INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE applied(seq INTEGER PRIMARY KEY, plan TEXT NOT NULL) STRICT;"
    "CREATE INDEX applied_plan ON applied(plan);"
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

/* What format 2 added. */
static const char old_schema_2[] =
    "CREATE TABLE tasks(id INTEGER PRIMARY KEY AUTOINCREMENT, instance TEXT NOT NULL,"
    " user BLOB NOT NULL, host BLOB NOT NULL, db BLOB NOT NULL, command BLOB NOT NULL,"
    " info BLOB NOT NULL, time INTEGER NOT NULL, manual INTEGER NOT NULL,"
    " duration INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,"
    " running INTEGER NOT NULL, who TEXT NOT NULL) STRICT;"
    "CREATE INDEX tasks_instance ON tasks(instance, id);"
    "CREATE INDEX tasks_running ON tasks(instance, id) WHERE running = 1;"
    "CREATE TABLE task_switches(instance TEXT PRIMARY KEY, is_on INTEGER NOT NULL) STRICT;"

    "CREATE TABLE killed(seq INTEGER PRIMARY KEY, apply INTEGER NOT NULL,"
    " instance TEXT NOT NULL, task INTEGER NOT NULL, session INTEGER NOT NULL, user BLOB,"
    " host BLOB, db BLOB, command BLOB, state BLOB, info BLOB, time INTEGER,"
    " kill_ms INTEGER NOT NULL, source TEXT NOT NULL, unknown INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX killed_session ON killed(apply, session);"
    "CREATE INDEX killed_instance ON killed(instance, kill_ms);"
    "CREATE TABLE history(id INTEGER PRIMARY KEY CHECK(id = 1), seq INTEGER NOT NULL) STRICT;"
    "INSERT INTO history(id, seq) VALUES(1, 0);"

    "CREATE TABLE access(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL,"
    " name TEXT NOT NULL, actions TEXT NOT NULL, instances TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL,"
    " secret BLOB NOT NULL) STRICT;"
    "CREATE TABLE seen(signature BLOB PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT,"
    " WITHOUT ROWID;"
    "CREATE INDEX seen_until ON seen(until_ms);";

#endif
