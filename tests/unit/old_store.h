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

/* A database of that format, made by make(), that has a table of the new one's name already: a step
 * that fails leaves what was there, whole. */
static inline void old_store_in_the_way(void (*make)(const char *dir), int format,
                                        const char *table)
{
    const char *dir = store_dir();
    struct das_store *s = NULL;
    struct das_err err;
    char sql[100];
    int64_t had;

    make(dir);
    snprintf(sql, sizeof sql, "CREATE TABLE %s(what)", table);
    store_sql(dir, sql);
    had = store_number(dir, "SELECT count(*) FROM sqlite_schema");
    ok(das_store_open(dir, &s, &err) < 0 && !s && err.code == DAS_E_STORE, "a table is in the way");
    has_str(err.msg, "already exists", "which is told: %s", err.msg);
    is_int(store_number(dir, "PRAGMA user_version"), format, "it is still of format %d", format);
    is_int(store_number(dir, "SELECT count(*) FROM sqlite_schema"), had, "with no half of another");
    snprintf(sql, sizeof sql, "DROP TABLE %s", table);
    store_sql(dir, sql);
    das_store_close(store_open(dir));
    is_int(store_number(dir, "PRAGMA user_version"), DAS_STORE_FORMAT, "without it, it works");
}

#endif
