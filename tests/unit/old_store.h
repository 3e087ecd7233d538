/*
 * old_store.h - state databases of older formats, with what a newer one holds, as far as the old
 * format has a place for it. Made from the SQL that das still has of each format, and which never
 * changes (test_store_formats.c).
 */
#ifndef DAS_TESTS_OLD_STORE_H
#define DAS_TESTS_OLD_STORE_H

#include "core/store/store_impl.h"
#include "tests/unit/store_kit.h"

static inline void old_store_do(sqlite3 *db, const char *sql)
{
    char *msg = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &msg) == SQLITE_OK)
        return;
    tap_diag("%s: %s", sql, msg ? msg : sqlite3_errmsg(db));
    exit(1);
}

/* Every table of main from the one of that name in a. */
static inline void old_store_copy(sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    char sql[2000];

    if (sqlite3_prepare_v2(db,
                           "SELECT name, (SELECT group_concat(c.name) FROM pragma_table_info(m.name)"
                           " c) FROM main.sqlite_schema m WHERE type = 'table'"
                           " AND name NOT LIKE 'sqlite%'",
                           -1, &st, NULL) != SQLITE_OK)
        exit(1);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        const char *columns = (const char *)sqlite3_column_text(st, 1);
        snprintf(sql, sizeof sql,
                 "DELETE FROM main.%s; INSERT INTO main.%s(%s) SELECT %s FROM a.%s", name, name,
                 columns, columns, name);
        old_store_do(db, sql);
    }
    sqlite3_finalize(st);
}

/* In dir, which has none yet, a database of that format with what the one in from has. */
static inline void old_store_make(const char *dir, const char *from, int format)
{
    char sql[600];
    sqlite3 *db;

    if (sqlite3_open(store_path(dir, "das.db"), &db) != SQLITE_OK)
        exit(1);
    old_store_do(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN");
    for (int i = 0; i < format; i++)
        old_store_do(db, das_store_steps[i]);
    snprintf(sql, sizeof sql,
             "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;"
             "ATTACH '%s/das.db' AS a",
             DAS_STORE_APPLICATION, format, from);
    old_store_do(db, sql);
    old_store_copy(db);
    sqlite3_close(db);
}

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
