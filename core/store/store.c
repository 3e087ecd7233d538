/* store.c - see store.h: opening, the tables, statements and transactions. */
#include "core/store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/fault.h"
#include "core/base/mem.h"
#include "core/base/write_file.h"

/* --- errors and statements -------------------------------------------------------------------- */

int das_store_fail(const struct das_store *s, struct das_err *err)
{
    int code = sqlite3_errcode(s->db) & 0xff, why = sqlite3_system_errno(s->db);
    const char *hint = "";

    if (code == SQLITE_BUSY)
        hint = " (another process does not let go of it)";
    else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        hint = " (damaged, or no state database of das)";
    else if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL) && why)
        return das_fail(err, DAS_E_STORE, "%s: %s (%s)", s->path, sqlite3_errmsg(s->db),
                        strerror(why));
    return das_fail(err, DAS_E_STORE, "%s: %s%s", s->path, sqlite3_errmsg(s->db), hint);
}

static int bind_all(sqlite3_stmt *st, const char *kinds, va_list ap)
{
    for (int i = 1; kinds[i - 1]; i++) {
        int rc;
        if (kinds[i - 1] == 'i') {
            rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
        } else if (kinds[i - 1] == 's') {
            rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
        } else {
            struct das_text t = va_arg(ap, struct das_text);
            const char *p = t.ptr || kinds[i - 1] == 'n' ? t.ptr : "";
            rc = kinds[i - 1] != 't'
                     ? sqlite3_bind_blob64(st, i, p, t.len, SQLITE_STATIC)
                     : sqlite3_bind_text64(st, i, p, t.len, SQLITE_STATIC, SQLITE_UTF8);
        }
        if (rc != SQLITE_OK)
            return -1;
    }
    return 0;
}

static sqlite3_stmt *vask(struct das_store *s, struct das_err *err, enum das_query q,
                          const char *kinds, va_list ap)
{
    sqlite3_stmt **st = &s->statements[q];

    if (!*st && sqlite3_prepare_v3(s->db, das_queries[q], -1, SQLITE_PREPARE_PERSISTENT, st,
                                   NULL) != SQLITE_OK) {
        das_store_fail(s, err);
        return NULL;
    }
    sqlite3_reset(*st);
    if (bind_all(*st, kinds, ap) < 0) {
        das_store_fail(s, err);
        return NULL;
    }
    return *st;
}

sqlite3_stmt *das_ask(struct das_store *s, struct das_err *err, enum das_query q, const char *kinds,
                      ...)
{
    sqlite3_stmt *st;
    va_list ap;

    va_start(ap, kinds);
    st = vask(s, err, q, kinds, ap);
    va_end(ap);
    return st;
}

int das_step(struct das_store *s, sqlite3_stmt *st, struct das_err *err)
{
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        das_store_fail(s, err);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int das_do(struct das_store *s, struct das_err *err, enum das_query q, const char *kinds, ...)
{
    sqlite3_stmt *st;
    va_list ap;
    int rc;

    va_start(ap, kinds);
    st = vask(s, err, q, kinds, ap);
    va_end(ap);
    rc = st ? das_step(s, st, err) : -1;
    if (rc > 0)
        sqlite3_reset(st);
    return rc < 0 ? -1 : sqlite3_changes(s->db);
}

int das_ask_int(struct das_store *s, int64_t *out, struct das_err *err, enum das_query q,
                const char *kinds, ...)
{
    sqlite3_stmt *st;
    va_list ap;
    int rc;

    *out = 0;
    va_start(ap, kinds);
    st = vask(s, err, q, kinds, ap);
    va_end(ap);
    rc = st ? das_step(s, st, err) : -1;
    if (rc > 0) {
        *out = sqlite3_column_int64(st, 0);
        sqlite3_reset(st);
    }
    return rc < 0 ? -1 : 0;
}

struct das_text das_column(sqlite3_stmt *st, int i)
{
    const char *p = sqlite3_column_blob(st, i);
    int n = sqlite3_column_bytes(st, i);

    return das_text(p ? p : "", n > 0 ? (size_t)n : 0);
}

const char *das_column_str(sqlite3_stmt *st, int i)
{
    return (const char *)sqlite3_column_text(st, i);
}

/* --- transactions ----------------------------------------------------------------------------- */

static int exec(struct das_store *s, const char *sql, struct das_err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : das_store_fail(s, err);
}

static int begin(struct das_store *s, bool unsynced, struct das_err *err)
{
    if (s->read_only)
        return das_fail(err, DAS_E_STORE, "%s: opened for reading only", s->path);
    if (s->unsynced != unsynced &&
        exec(s, unsynced ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL", err) < 0)
        return -1;
    s->unsynced = unsynced;
    return das_do(s, err, DAS_Q_BEGIN_WRITE, "") < 0 ? -1 : 0;
}

int das_begin(struct das_store *s, struct das_err *err)
{
    return begin(s, false, err);
}

/* The WAL is one file: whoever syncs it syncs what was written to it before, too. */
int das_begin_unsynced(struct das_store *s, struct das_err *err)
{
    return begin(s, true, err);
}

int das_begin_read(struct das_store *s, struct das_err *err)
{
    return das_do(s, err, DAS_Q_BEGIN_READ, "") < 0 ? -1 : 0;
}

int das_end(struct das_store *s, int rc, struct das_err *err)
{
    struct das_err ignored;

    if (rc == 0 && das_do(s, err, DAS_Q_COMMIT, "") < 0)
        rc = -1;
    /* SQLite has undone it by itself after some errors; a second time would be one of its own. */
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        das_do(s, &ignored, DAS_Q_ROLLBACK, "");
    return rc;
}

/* --- the directory ---------------------------------------------------------------------------- */

static int path_fail(const char *path, struct das_err *err)
{
    return das_fail(err, DAS_E_STORE, "%s: %s", path, strerror(errno));
}

/* A new name in a directory is on the disk when the directory is. */
static int sync_dir(const char *path, struct das_err *err)
{
    return das_sync_folder(path) < 0 ? path_fail(path, err) : 0;
}

static int make_one(const char *path, struct das_err *err)
{
    struct das_buf above = {0};
    int rc;

    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : path_fail(path, err);
    das_buf_printf(&above, "%s/..", path);
    rc = das_buf_ok(&above, err);
    if (rc == 0)
        rc = sync_dir(above.ptr, err);
    das_buf_clear(&above);
    return rc;
}

/* Makes dir and what is missing above it. */
static int make_dir(const char *dir, struct das_err *err)
{
    char *path = das_strdup(dir);
    int rc = 0;

    if (!path)
        return das_fail_nomem(err);
    for (char *p = path; *p && rc == 0; p++) {
        char was;
        if (p[0] == '/' || (p[1] != '/' && p[1] != '\0'))
            continue;
        was = p[1];
        p[1] = '\0';
        rc = make_one(path, err);
        p[1] = was;
    }
    das_free(path);
    return rc;
}

/* Whoever may write to the directory may put another journal there. */
static int check_dir(const char *dir, struct das_err *err)
{
    struct stat st;

    if (stat(dir, &st) < 0)
        return path_fail(dir, err);
    if (!S_ISDIR(st.st_mode))
        return das_fail(err, DAS_E_STORE, "%s: not a directory", dir);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return das_fail(err, DAS_E_STORE,
                        "%s: others may write to it (mode %04o), expected 0700 or 0755", dir,
                        (unsigned)st.st_mode & 07777);
    return 0;
}

/* The empty file for SQLite to fill: by itself it would let everybody read. Not opened, because
 * closing it would drop the locks that another handle of this process has on it. */
static int make_file(const struct das_store *s, struct das_err *err)
{
    if (mknod(s->path, S_IFREG | 0600, 0) < 0)
        return errno == EEXIST ? 0 : path_fail(s->path, err);
    das_give_to_owner(s->dir, s->path);
    return sync_dir(s->dir, err);
}

static int make_place(const struct das_store *s, struct das_err *err)
{
    struct das_buf runs = {0};
    int rc;

    das_buf_printf(&runs, "%s/runs", s->dir);
    rc = das_buf_ok(&runs, err);
    if (rc == 0 && access(s->dir, F_OK) < 0)
        rc = make_dir(s->dir, err);
    if (rc == 0)
        rc = check_dir(s->dir, err);
    if (rc == 0 && mkdir(runs.ptr, 0700) == 0)
        das_give_to_owner(s->dir, runs.ptr);
    else if (rc == 0 && errno != EEXIST)
        rc = path_fail(runs.ptr, err);
    if (rc == 0)
        rc = make_file(s, err);
    das_buf_clear(&runs);
    return rc;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* All in one statement: another process may be filling the database just now. */
static int read_ids(struct das_store *s, int64_t ids[3], struct das_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = -1;

    if (sqlite3_prepare_v2(s->db,
                           "SELECT application_id, user_version,"
                           " (SELECT count(*) FROM sqlite_schema)"
                           " FROM pragma_application_id, pragma_user_version",
                           -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        das_store_fail(s, err);
    } else {
        for (int i = 0; i < 3; i++)
            ids[i] = sqlite3_column_int64(st, i);
        rc = 0;
    }
    sqlite3_finalize(st);
    return rc;
}

/* Whose database, and of which format (0: an empty one). -1: none that can be used. */
static int look(struct das_store *s, struct das_err *err)
{
    int64_t ids[3], format;

    if (read_ids(s, ids, err) < 0)
        return -1;
    s->format = format = ids[1];
    if (ids[0] == 0 && format == 0 && ids[2] == 0)
        return 0;
    if (ids[0] != DAS_STORE_APPLICATION)
        return das_fail(err, DAS_E_STORE, "%s: a database, but not one of das", s->path);
    if (format > DAS_STORE_FORMAT)
        return das_fail(err, DAS_E_STORE,
                        "%s: written by a newer das (format %lld, this one knows %d)", s->path,
                        (long long)format, DAS_STORE_FORMAT);
    if (format < 1)
        return das_fail(err, DAS_E_STORE, "%s: format %lld, expected 1 to %d", s->path,
                        (long long)format, DAS_STORE_FORMAT);
    return (int)format;
}

/* The first record is a random id, so that no two journals have a hash in common. */
static int begin_journal(struct das_store *s, struct das_err *err)
{
    struct das_record r = {.kind = "begin"};
    struct das_buf b = {0};
    char id[16];
    int rc = das_random(id, sizeof id, err);

    if (rc == 0) {
        das_buf_str(&b, "\"id\":\"");
        das_hex_encode(das_text(id, sizeof id), &b);
        das_buf_char(&b, '"');
        rc = das_buf_ok(&b, err);
    }
    r.members = das_buf_view(&b);
    if (rc == 0)
        rc = das_journal_append(s, &r, err);
    das_buf_clear(&b);
    return rc;
}

/* From the format that it has to this one's. */
static int build(struct das_store *s, int format, struct das_err *err)
{
    char ids[100];

    snprintf(ids, sizeof ids, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             DAS_STORE_APPLICATION, DAS_STORE_FORMAT);
    for (int i = format; i < DAS_STORE_FORMAT; i++) {
        if (exec(s, das_store_steps[i], err) < 0)
            return -1;
    }
    if (exec(s, ids, err) < 0)
        return -1;
    s->format = DAS_STORE_FORMAT;
    return format ? 0 : begin_journal(s, err);
}

/* Two processes may find an empty or an old database at once: one builds it, the other finds that
 * done. */
static int set_up(struct das_store *s, struct das_err *err)
{
    int rc = das_begin(s, err);

    if (rc < 0)
        return -1;
    rc = look(s, err);
    if (rc >= 0 && rc < DAS_STORE_FORMAT)
        rc = build(s, rc, err);
    if (rc >= 0)
        DAS_FAULT("store-before-commit");
    return das_end(s, rc < 0 ? -1 : 0, err);
}

/* The change to WAL needs the file for itself, and SQLite does not wait for that. */
static int use_wal(struct das_store *s, struct das_err *err)
{
    int64_t until = das_clock_monotonic_ms() + DAS_STORE_BUSY_MS;
    int rc;

    for (;;) {
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY || das_clock_monotonic_ms() > until)
            break;
        das_clock_sleep_ms(5);
    }
    if (rc != SQLITE_OK)
        return das_store_fail(s, err);
    return exec(s, "PRAGMA synchronous = FULL", err);
}

/* A database that somebody else wrote brings no code with it and is never trusted to be sound. */
static int harden(struct das_store *s, struct das_err *err)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, DAS_STORE_BUSY_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return exec(s, "PRAGMA cell_size_check = ON", err);
}

/* Where the file may only be read, SQLite opens it without a word. */
static int may_write(const struct das_store *s, struct das_err *err)
{
    if (sqlite3_db_readonly(s->db, "main") != 1)
        return 0;
    return das_fail(err, DAS_E_STORE, "%s: may not be written to", s->path);
}

static int prepare(struct das_store *s, struct das_err *err)
{
    int rc = look(s, err);

    if (rc < 0 || use_wal(s, err) < 0)
        return -1;
    return rc == DAS_STORE_FORMAT ? 0 : set_up(s, err);
}

static int connect_file(struct das_store *s, const char *name, int flags, struct das_err *err)
{
    if (sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK)
        return harden(s, err);
    if (!s->db)
        return das_fail_nomem(err);
    return das_store_fail(s, err);
}

static struct das_store *handle_new(const char *dir, bool read_only, struct das_err *err)
{
    struct das_store *s = das_calloc(1, sizeof *s);
    struct das_buf path = {0};

    if (!s) {
        das_fail_nomem(err);
        return NULL;
    }
    s->lock = -1;
    s->read_only = read_only;
    s->dir = das_strdup(dir);
    das_buf_printf(&path, "%s/das.db", dir);
    s->path = das_buf_take(&path);
    if (!s->dir || !s->path) {
        das_fail_nomem(err);
        das_store_close(s);
        return NULL;
    }
    return s;
}

int das_store_open(const char *dir, struct das_store **out, struct das_err *err)
{
    struct das_store *s = handle_new(dir, false, err);
    int rc = -1;

    *out = NULL;
    if (!s)
        return -1;
    /* The run's lock comes first: from here on a record may name it. */
    if (make_place(s, err) == 0 && das_run_start(s, err) == 0 &&
        connect_file(s, s->path, SQLITE_OPEN_READWRITE, err) == 0 && may_write(s, err) == 0 &&
        prepare(s, err) == 0)
        rc = das_run_recover(s, err);
    if (rc < 0)
        das_store_close(s);
    else
        *out = s;
    return rc;
}

int das_store_open_in_memory(struct das_store **out, struct das_err *err)
{
    struct das_store *s = handle_new("memory", false, err);

    *out = NULL;
    if (!s)
        return -1;
    if (das_run_name(s->run, err) < 0 ||
        connect_file(s, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err) < 0 ||
        set_up(s, err) < 0) {
        das_store_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

int das_store_next_run(struct das_store *s, struct das_err *err)
{
    return das_run_name(s->run, err);
}

/* --- opening to read -------------------------------------------------------------------------- */

/* The name for a database that nobody can be writing to: then SQLite needs no files beside it. */
static int connect_still(struct das_store *s, struct das_err *err)
{
    struct das_buf uri = {0};
    int rc;

    das_buf_str(&uri, "file:");
    for (const char *p = s->path; *p; p++) {
        if (strchr("?#%", *p))
            das_buf_printf(&uri, "%%%02x", (unsigned)*p);
        else
            das_buf_char(&uri, *p);
    }
    das_buf_str(&uri, "?immutable=1");
    rc = das_buf_ok(&uri, err);
    if (rc == 0)
        rc = connect_file(s, uri.ptr, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    das_buf_clear(&uri);
    return rc;
}

/* Is there no log of changes beside it? Then it is complete by itself, and nobody has it open. */
static bool is_still(const struct das_store *s)
{
    struct das_buf wal = {0};
    struct stat st;
    bool still;

    das_buf_printf(&wal, "%s-wal", s->path);
    still = wal.ptr && !wal.failed && (stat(wal.ptr, &st) < 0 ? errno == ENOENT : st.st_size == 0);
    das_buf_clear(&wal);
    return still;
}

/* As look(). A copy on a read-only disk has to do without the files that SQLite shares. */
static int connect_to_read(struct das_store *s, struct das_err *err)
{
    int code, rc = connect_file(s, s->path, SQLITE_OPEN_READONLY, err);

    if (rc == 0)
        rc = look(s, err);
    code = rc < 0 && s->db ? sqlite3_errcode(s->db) & 0xff : 0;
    if ((code != SQLITE_CANTOPEN && code != SQLITE_READONLY) || !is_still(s))
        return rc;
    sqlite3_close(s->db);
    s->db = NULL;
    rc = connect_still(s, err);
    return rc < 0 ? rc : look(s, err);
}

int das_store_open_to_read(const char *dir, struct das_store **out, struct das_err *err)
{
    struct das_store *s = handle_new(dir, true, err);
    struct stat st;
    int rc;

    *out = NULL;
    if (!s)
        return -1;
    if (stat(s->path, &st) < 0)
        rc = errno == ENOENT ? 0 : path_fail(s->path, err);
    else
        rc = connect_to_read(s, err);
    if (rc > 0)
        rc = das_run_name(s->run, err) < 0 ? -1 : 1;
    if (rc > 0)
        *out = s;
    else
        das_store_close(s);
    return rc < 0 ? -1 : 0;
}

void das_store_close(struct das_store *s)
{
    if (!s)
        return;
    for (int i = 0; i < DAS_QUERIES; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    das_run_end(s);
    das_free(s->dir);
    das_free(s->path);
    das_free(s);
}

const char *das_store_run(const struct das_store *s)
{
    return s->run;
}

const char *das_store_path(const struct das_store *s)
{
    return s->path;
}
