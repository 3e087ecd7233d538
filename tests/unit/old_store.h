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

/* What formats 3, 4 and 5 added. */
static const char old_schema_5[] =
    "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, delivery TEXT NOT NULL UNIQUE,"
    " channel TEXT NOT NULL, dedup BLOB NOT NULL, event INTEGER NOT NULL, alone INTEGER NOT NULL,"
    " message BLOB NOT NULL, state INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " due_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, claim_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, tries INTEGER NOT NULL, repeats INTEGER NOT NULL,"
    " ref TEXT NOT NULL, code TEXT NOT NULL, error TEXT NOT NULL, part_of TEXT NOT NULL) STRICT;"
    "CREATE INDEX outbox_waiting ON outbox(channel, id) WHERE state = 0;"
    "CREATE INDEX outbox_dedup ON outbox(channel, dedup, id);"
    "CREATE INDEX outbox_ended ON outbox(ended_ms) WHERE state <> 0;"
    "CREATE TABLE outbox_pace(channel TEXT PRIMARY KEY, tat_ms INTEGER NOT NULL,"
    " blocked_ms INTEGER NOT NULL, digest_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE deliveries(hook TEXT NOT NULL, proof INTEGER NOT NULL, id TEXT NOT NULL,"
    " first_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, times INTEGER NOT NULL,"
    " PRIMARY KEY(hook, proof, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX deliveries_until ON deliveries(until_ms);"
    "CREATE TABLE approvals(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL,"
    " plan BLOB NOT NULL, subject TEXT NOT NULL, state INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, claim TEXT NOT NULL, delivery TEXT NOT NULL,"
    " decided_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, note TEXT NOT NULL,"
    " result BLOB NOT NULL) STRICT;"
    "CREATE INDEX approvals_open ON approvals(n) WHERE state < 3;"
    "CREATE INDEX approvals_subject ON approvals(subject, n);"
    "CREATE TABLE approval_votes(n INTEGER PRIMARY KEY, approval TEXT NOT NULL,"
    " person TEXT NOT NULL, seq INTEGER NOT NULL, UNIQUE(approval, person)) STRICT;"
    "CREATE TABLE approval_links(hash TEXT PRIMARY KEY, approval TEXT NOT NULL,"
    " person TEXT NOT NULL, used_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE approval_forms(n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE,"
    " link TEXT NOT NULL, until_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX approval_forms_link ON approval_forms(link, n);"
    "CREATE TABLE runbooks(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " path TEXT NOT NULL, sha256 TEXT NOT NULL, instances TEXT NOT NULL, params TEXT NOT NULL,"
    " key TEXT NOT NULL, armed INTEGER NOT NULL, who TEXT NOT NULL, status INTEGER NOT NULL,"
    " run TEXT NOT NULL, started_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, wake_ms INTEGER NOT NULL,"
    " cancel INTEGER NOT NULL, error TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX runbooks_key ON runbooks(key, armed) WHERE status < 3;"
    "CREATE TABLE stretches(id INTEGER PRIMARY KEY, run TEXT NOT NULL, runbook INTEGER NOT NULL,"
    " who TEXT NOT NULL, began_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
    " how TEXT NOT NULL) STRICT;"
    "CREATE INDEX stretches_of ON stretches(runbook);"
    "CREATE INDEX stretches_run ON stretches(run);"
    "CREATE TABLE steps(runbook INTEGER NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL,"
    " kind INTEGER NOT NULL, status INTEGER NOT NULL, acts INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, failures INTEGER NOT NULL, begun_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, wake_ms INTEGER NOT NULL, asks TEXT NOT NULL,"
    " result TEXT NOT NULL, error TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(runbook, n)) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX steps_name ON steps(runbook, name);"
    "CREATE TABLE step_notes(id INTEGER PRIMARY KEY AUTOINCREMENT, runbook INTEGER NOT NULL,"
    " n INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, note TEXT NOT NULL) STRICT;"
    "CREATE INDEX step_notes_of ON step_notes(runbook, id);"
    "CREATE TABLE runbook_modules(runbook INTEGER NOT NULL, path TEXT NOT NULL,"
    " sha256 TEXT NOT NULL, PRIMARY KEY(runbook, path)) STRICT, WITHOUT ROWID;";

#endif
