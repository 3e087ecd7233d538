/*
 * store_kit.h - state directories that a test makes and removes, processes that share them, and a
 * hand in the database that das does not know of.
 */
#ifndef DAS_TESTS_STORE_KIT_H
#define DAS_TESTS_STORE_KIT_H

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/store/journal.h"
#include "core/store/store.h"
#include "tests/unit/tap.h"

/* --- directories ------------------------------------------------------------------------------ */

static char store_dirs[64][64];
static size_t store_dir_count;

/* An empty directory of the test's own. */
static inline const char *store_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    char *name = store_dirs[store_dir_count++ % 64];

    snprintf(name, sizeof store_dirs[0], "%.40s/das-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(name)) {
        tap_diag("cannot make %s", name);
        exit(1);
    }
    return name;
}

static inline const char *store_path(const char *dir, const char *name)
{
    static char out[8][300];
    static unsigned next;
    char *to = out[next++ % 8];

    snprintf(to, sizeof out[0], "%s/%s", dir, name);
    return to;
}

static inline void store_dirs_clear(void)
{
    char command[200];

    for (size_t i = 0; i < store_dir_count && i < 64; i++) {
        snprintf(command, sizeof command, "chmod -R u+rwx '%.63s' && rm -rf '%.63s'", store_dirs[i],
                 store_dirs[i]);
        if (system(command) != 0)
            tap_diag("cannot remove %s", store_dirs[i]);
    }
    store_dir_count = 0;
}

/* --- handles ---------------------------------------------------------------------------------- */

static inline struct das_store *store_open(const char *dir)
{
    struct das_err err = {0};
    struct das_store *s = NULL;

    if (das_store_open(dir, &s, &err) < 0) {
        tap_diag("open %s: %s", dir, err.msg);
        exit(1);
    }
    return s;
}

/* One record in a commit of its own; its seq, or -1 with err. */
static inline int64_t store_add(struct das_store *s, const char *kind, const char *members,
                                int64_t closes, struct das_err *err)
{
    struct das_record r = {.kind = kind, .members = das_text_of(members), .closes = closes};

    return das_journal_add(s, &r, 1, err) < 0 ? -1 : r.seq;
}

static inline int64_t store_must_add(struct das_store *s, const char *kind, const char *members,
                                     int64_t closes)
{
    struct das_err err = {0};
    int64_t seq = store_add(s, kind, members, closes, &err);

    if (seq < 0) {
        tap_diag("add %s: %s", kind, err.msg);
        exit(1);
    }
    return seq;
}

static inline int64_t store_head(struct das_store *s)
{
    struct das_err err = {0};
    struct das_head head;

    return das_journal_head(s, &head, &err) < 0 ? -1 : head.seq;
}

/* --- other processes -------------------------------------------------------------------------- */

/* Runs fn in n processes, which all begin when the last is there. How many of them returned 0. */
static inline int store_herd(int n, int (*fn)(void *arg, int i), void *arg)
{
    int gate[2], good = 0, status;
    char c;

    fflush(stdout);
    if (pipe(gate) < 0)
        exit(1);
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid < 0)
            exit(1);
        if (pid == 0) {
            close(gate[1]);
            if (read(gate[0], &c, 1) != 0 || !freopen("/dev/null", "w", stdout))
                _exit(9);
            _exit(fn(arg, i)); /* it counts by how it ends: its checks have no line */
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < n; i++)
        good += wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return good;
}

/* A process that does fn and then stays as it is, until it is killed. Returns when fn is done. */
static inline pid_t store_hold(int (*fn)(void *arg), void *arg)
{
    int ready[2];
    char c = 1;
    pid_t pid;

    fflush(stdout);
    if (pipe(ready) < 0 || (pid = fork()) < 0)
        exit(1);
    if (pid == 0) {
        c = (char)fn(arg);
        if (write(ready[1], &c, 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    if (read(ready[0], &c, 1) != 1 || c != 0) {
        tap_diag("the other process failed");
        kill(pid, SIGKILL);
        exit(1);
    }
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static inline void store_kill(pid_t pid)
{
    int status;

    if (kill(pid, SIGKILL) < 0 || waitpid(pid, &status, 0) != pid)
        exit(1);
}

/* --- somebody else's hand --------------------------------------------------------------------- */

/* Runs SQL in the database of dir, past das. */
static inline void store_sql(const char *dir, const char *sql)
{
    char *msg = NULL;
    sqlite3 *db;

    if (sqlite3_open(store_path(dir, "das.db"), &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, &msg) != SQLITE_OK) {
        tap_diag("%s: %s", sql, msg ? msg : sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_close(db);
}

static inline int64_t store_number(const char *dir, const char *sql)
{
    sqlite3_stmt *st = NULL;
    sqlite3 *db;
    int64_t n = -1;

    if (sqlite3_open(store_path(dir, "das.db"), &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

#endif
