/*
 * run.c - who is alive: each run's lock file, and what is done about runs that died.
 *
 * The kernel lets go of a lock when the last descriptor of the file is closed, however the process
 * ended. A file is only ever removed by who holds its lock, so that a file that is gone, too, says
 * that its run has ended.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/crypto.h"
#include "core/store/store_impl.h"

#define TRIES 100 /* names for a new run; somebody may just be looking whether a file's run lives \
                   */

static int file_fail(const char *path, struct das_err *err)
{
    return das_fail(err, DAS_E_STORE, "%s: %s", path, strerror(errno));
}

static int path_of(const struct das_store *s, const char *run, struct das_buf *b,
                   struct das_err *err)
{
    das_buf_reset(b);
    das_buf_printf(b, "%s/runs/%s", s->dir, run);
    return das_buf_ok(b, err);
}

int das_run_name(char out[DAS_RUN_ID_SIZE], struct das_err *err)
{
    return das_random_hex(out, (DAS_RUN_ID_SIZE - 1) / 2, err);
}

/* Names come from the database, which may be damaged, and become part of a path. */
static bool is_name(const char *run)
{
    return strlen(run) == DAS_RUN_ID_SIZE - 1 &&
           strspn(run, "0123456789abcdef") == DAS_RUN_ID_SIZE - 1;
}

/* Is the locked file still the one that the path leads to? Between its making and its locking
 * somebody may have taken it for a dead run's and removed it. */
static bool still_there(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* 1: made and locked; 0: another name has to be tried; -1. */
static int make_lock(struct das_store *s, const char *path, struct das_err *err)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno == EEXIST ? 0 : file_fail(path, err);
    if (geteuid() == 0 && stat(s->dir, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) < 0) {
        file_fail(path, err);
        close(fd);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && still_there(fd, path)) {
        s->lock = fd;
        return 1;
    }
    close(fd); /* whoever looks at it finds that it is nobody's */
    return 0;
}

int das_run_start(struct das_store *s, struct das_err *err)
{
    struct das_buf path = {0};
    int rc = 0;

    for (int i = 0; i < TRIES && rc == 0; i++) {
        if (das_run_name(s->run, err) < 0 || path_of(s, s->run, &path, err) < 0)
            rc = -1;
        else
            rc = make_lock(s, path.ptr, err);
    }
    if (rc == 0)
        das_fail(err, DAS_E_STORE, "%s: cannot be locked", path.ptr);
    das_buf_clear(&path);
    return rc > 0 ? 0 : -1;
}

void das_run_end(struct das_store *s)
{
    struct das_buf path = {0};
    struct das_err ignored;

    if (s->lock < 0)
        return;
    if (path_of(s, s->run, &path, &ignored) == 0)
        unlink(path.ptr);
    das_buf_clear(&path);
    close(s->lock);
    s->lock = -1;
}

/* As das_run_is_dead(), of the file at path. */
static int probe(const char *path, int how, int *held, struct das_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    *held = -1;
    if (fd < 0)
        return errno == ENOENT ? 1 : file_fail(path, err);
    if (flock(fd, how | LOCK_NB) == 0) {
        *held = fd;
        return 1;
    }
    if (errno != EWOULDBLOCK)
        file_fail(path, err);
    how = errno == EWOULDBLOCK ? 0 : -1;
    close(fd);
    return how;
}

int das_run_is_dead(struct das_store *s, const char *run, int *held, struct das_err *err)
{
    struct das_buf path = {0};
    int rc, fd = -1;

    if (held)
        *held = -1;
    if (strcmp(run, s->run) == 0)
        return 0;
    if (!is_name(run))
        return das_fail(err, DAS_E_STORE, "%s: a run with the id \"%.40s\", expected 16 hex digits",
                        s->path, run);
    rc = path_of(s, run, &path, err);
    /* Who only asks must not be in the way of others who ask. */
    if (rc == 0)
        rc = probe(path.ptr, held ? LOCK_EX : LOCK_SH, &fd, err);
    das_buf_clear(&path);
    if (held)
        *held = fd;
    else if (fd >= 0)
        close(fd);
    return rc;
}

/* --- dead runs -------------------------------------------------------------------------------- */

/* What run left open becomes unknown. Inside a transaction, which makes it happen once only. */
static int close_intents(struct das_store *s, const char *run, struct das_err *err)
{
    int64_t seq;

    for (;;) {
        struct das_record r = {.kind = "outcome"};
        if (das_ask_int(s, &seq, err, DAS_Q_OPEN_FIRST, "s", run) < 0)
            return -1;
        if (!seq)
            return 0;
        r.closes = seq;
        r.members = das_text_of("\"outcome\":\"unknown\","
                                "\"note\":\"das ended before the outcome was known\"");
        if (das_journal_append(s, &r, err) < 0)
            return -1;
    }
}

static int bury(struct das_store *s, const char *run, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = close_intents(s, run, err);
    if (rc == 0 && das_do(s, err, DAS_Q_GIVE_BACK_RUN, "s", run) < 0)
        rc = -1;
    return das_end(s, rc, err);
}

static int recover_one(struct das_store *s, const char *run, struct das_err *err)
{
    struct das_buf path = {0};
    int held, rc = das_run_is_dead(s, run, &held, err);

    if (rc <= 0)
        return rc;
    rc = bury(s, run, err);
    if (rc == 0 && held >= 0 && path_of(s, run, &path, err) == 0)
        unlink(path.ptr);
    das_buf_clear(&path);
    if (held >= 0)
        close(held);
    return rc;
}

/* Files of runs that died and owe nothing. Only tidiness: what cannot be removed stays. */
static void sweep(struct das_store *s)
{
    struct das_buf path = {0};
    struct das_err ignored;
    struct dirent *e;
    DIR *d;
    int held;

    das_buf_printf(&path, "%s/runs", s->dir);
    d = path.ptr && !path.failed ? opendir(path.ptr) : NULL;
    while (d && (e = readdir(d))) {
        if (!is_name(e->d_name) || das_run_is_dead(s, e->d_name, &held, &ignored) <= 0)
            continue;
        if (held >= 0 && path_of(s, e->d_name, &path, &ignored) == 0)
            unlink(path.ptr);
        if (held >= 0)
            close(held);
    }
    if (d)
        closedir(d);
    das_buf_clear(&path);
}

int das_run_recover(struct das_store *s, struct das_err *err)
{
    char run[64] = "";

    for (;;) {
        sqlite3_stmt *st = das_ask(s, err, DAS_Q_OWING_RUNS, "s", run);
        int rc = st ? das_step(s, st, err) : -1;
        if (rc <= 0) {
            if (rc == 0)
                sweep(s);
            return rc;
        }
        snprintf(run, sizeof run, "%s", (const char *)sqlite3_column_text(st, 0));
        sqlite3_reset(st);
        if (recover_one(s, run, err) < 0)
            return -1;
    }
}
