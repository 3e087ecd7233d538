/* test_store.c - the state directory: making it, who may use it, what is no database of das. */
#include "core/store/store.h"

#include <dirent.h>
#include <sys/resource.h>

#include "core/store/access.h"
#include "core/store/habits.h"
#include "core/store/store_impl.h"
#include "core/store/task.h"
#include "tests/unit/kit.h"
#include "tests/unit/old_store.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

static int mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 ? -1 : (int)(st.st_mode & 07777);
}

static int files_in(const char *dir)
{
    struct dirent *e;
    DIR *d = opendir(dir);
    int n = 0;

    while (d && (e = readdir(d)))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return d ? n : -1;
}

static void fresh(void)
{
    const char *dir = store_path(store_dir(), "a/b");
    char runs[300], file[400];
    struct das_store *s, *other;

    snprintf(runs, sizeof runs, "%s/runs", dir);
    umask(0);
    s = store_open(dir);
    umask(022);
    is_int(mode_of(dir), 0700, "the directory is for its owner");
    is_int(mode_of(runs), 0700, "runs/, too");
    is_int(mode_of(store_path(dir, "das.db")), 0600, "and the database");
    is_int(mode_of(store_path(dir, "das.db-wal")), 0600, "and its log");
    is_str(das_store_path(s), store_path(dir, "das.db"), "its path");
    is_int(strspn(das_store_run(s), "0123456789abcdef"), 16, "a run id: %s", das_store_run(s));
    snprintf(file, sizeof file, "%s/%s", runs, das_store_run(s));
    is_int(mode_of(file), 0600, "with a file");
    other = store_open(dir);
    ok(strcmp(das_store_run(s), das_store_run(other)) != 0, "another handle is another run");
    is_int(files_in(runs), 2, "with a file of its own");
    is_int(store_head(other), 1, "in the same journal");
    das_store_close(other);
    das_store_close(s);
    is_int(files_in(runs), 0, "nothing is left of them");
    das_store_close(NULL);
    is_int(store_number(dir, "PRAGMA user_version"), DAS_STORE_FORMAT, "the format is noted");
    is_str(sqlite3_libversion_number() >= 3037000 ? "ok" : sqlite3_libversion(), "ok",
           "SQLite knows strict tables");
}

static int open_and_close(void *arg, int i)
{
    struct das_store *s;

    (void)i;
    for (int n = 0; n < 5; n++) {
        if (das_store_open(arg, &s, &err) < 0) {
            fprintf(stderr, "# %s\n", err.msg);
            return 1;
        }
        das_store_close(s);
    }
    return 0;
}

static void many_at_once(void)
{
    char dir[300];
    struct das_head head;
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s/new", store_dir());
    is_int(store_herd(8, open_and_close, dir), 8, "eight processes make it at once");
    is_int(store_number(dir, "SELECT count(*) FROM journal"), 1, "and one begins the journal");
    s = store_open(dir);
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "which is good");
    das_store_close(s);
    is_int(files_in(store_path(dir, "runs")), 0, "no run is left");
}

static void to_read(void)
{
    const char *dir = store_dir();
    struct das_store *s, *r = NULL;

    ok(das_store_open_to_read(dir, &r, &err) == 0 && !r, "nothing to read");
    is_int(files_in(dir), 0, "and nothing was made");
    ok(das_store_open_to_read("/nonexistent/das", &r, &err) == 0 && !r, "no directory at all");
    s = store_open(dir);
    ok(das_store_open_to_read(dir, &r, &err) == 0 && r, "beside one that writes");
    store_must_add(s, "stop", "\"reason\":\"x\"", 0);
    is_int(store_head(r), 2, "it sees what is written");
    ok(store_add(r, "stop", "", 0, &err) < 0 && err.code == DAS_E_STORE, "but writes nothing: %s",
       err.msg);
    is_int(files_in(store_path(dir, "runs")), 1, "and is no run");
    das_store_close(r);
    das_store_close(s);
}

/* das_store_open() and das_store_open_to_read() of dir fail like this. */
static void refused(const char *dir, const char *words, const char *name)
{
    struct das_store *s = NULL;

    ok(das_store_open(dir, &s, &err) < 0 && !s && err.code == DAS_E_STORE, "%s is refused", name);
    has_str(err.msg, words, "because: %s", err.msg);
    has_str(err.msg, dir, "it names the path");
    ok(das_store_open_to_read(dir, &s, &err) < 0 && !s && err.code == DAS_E_STORE,
       "%s: to read, too: %s", name, err.msg);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "w");

    must(f && fwrite(bytes, 1, len, f) == len && fclose(f) == 0, "a file");
}

static void not_ours(void)
{
    const char *dir = store_dir();
    char garbage[5000];
    struct das_store *s = NULL;

    das_store_close(store_open(dir));
    store_sql(dir, "PRAGMA user_version = 99");
    refused(dir, "newer das (format 99, this one knows", "a newer format");
    store_sql(dir, "PRAGMA user_version = 0");
    refused(dir, "format 0, expected 1 to", "a format that never was");
    store_sql(dir, "PRAGMA user_version = 1; DROP TABLE kills");
    ok(das_store_open(dir, &s, &err) < 0 && err.code == DAS_E_STORE, "a table is missing: %s",
       err.msg);
    store_sql(dir, "PRAGMA application_id = 1");
    refused(dir, "not one of das", "another program's");

    dir = store_dir();
    store_sql(dir, "CREATE TABLE shopping(item)");
    refused(dir, "not one of das", "somebody's database");
    is_int(store_number(dir, "SELECT count(*) FROM shopping"), 0, "which is left as it was");

    dir = store_dir();
    memset(garbage, 'x', sizeof garbage);
    write_file(store_path(dir, "das.db"), garbage, sizeof garbage);
    refused(dir, "not a database", "garbage");
    dir = store_dir();
    must(mkdir(store_path(dir, "das.db"), 0700) == 0, "a directory");
    refused(dir, "unable to open", "a directory instead of the file");

    dir = store_dir();
    write_file(store_path(dir, "file"), "", 0);
    ok(das_store_open(store_path(dir, "file/x"), &s, &err) < 0 && err.code == DAS_E_STORE,
       "a file above it: %s", err.msg);
    dir = store_dir();
    must(chmod(dir, 0777) == 0, "chmod");
    ok(das_store_open(dir, &s, &err) < 0, "a directory for all");
    has_str(err.msg, "others may write to it (mode 0777)", "says so");
    is_int(files_in(dir), 0, "and nothing is put there");
}

/* --- a database of format 1 ------------------------------------------------------------------- */

#define OLD_PLAN "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef"

/* In an empty dir, with what a run has left there: a kill that is known and one that is not, a
 * breaker. Records: begin, apply, two intents, two outcomes, breaker. */
static void make_old(const char *dir)
{
    const char *from = store_dir();
    struct das_store *s = store_open(from);
    struct das_breaker b = {.state = DAS_BREAKER_OPEN};
    int64_t one, two;

    store_must_add(s, "apply", "\"plan\":\"" OLD_PLAN "\",\"policy\":\"p.lua\"", 0);
    one = store_must_add(s, "intent", "\"apply\":2,\"instance\":\"orders\",\"id\":101", 0);
    two = store_must_add(s, "intent", "\"apply\":2,\"instance\":\"orders\",\"id\":102", 0);
    store_must_add(s, "outcome", "\"outcome\":\"killed\"", one);
    store_must_add(s, "outcome", "\"outcome\":\"unknown\"", two);
    must(das_breaker_put(s, "p.lua", "orders", &b, &err) == 0, "a breaker");
    das_store_close(s);
    old_store_make(dir, from, 1);
    is_int(store_number(dir, "PRAGMA user_version"), 1, "a database of format 1");
}

/* How many tables and indexes of one look otherwise in the other. */
static int64_t differences(const char *dir, const char *other)
{
    char sql[400];
    sqlite3_stmt *st = NULL;
    sqlite3 *db;
    int64_t n = -1;

    snprintf(sql, sizeof sql, "ATTACH '%s/das.db' AS b", other);
    if (sqlite3_open(store_path(dir, "das.db"), &db) == SQLITE_OK &&
        sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db,
                           "SELECT count(*) FROM (SELECT type, name, sql FROM main.sqlite_schema"
                           " EXCEPT SELECT type, name, sql FROM b.sqlite_schema)",
                           -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static int any_task(void *arg, const struct das_task *t)
{
    (void)t;
    ++*(int *)arg;
    return 0;
}

static int any_kill(void *arg, const struct das_killed *k)
{
    (void)k;
    ++*(int *)arg;
    return 0;
}

static int any_access(void *arg, const struct das_access *a)
{
    (void)a;
    ++*(int *)arg;
    return 0;
}

static int any_breaker(void *arg, const struct das_breaker_row *row)
{
    (void)row;
    ++*(int *)arg;
    return 0;
}

/* What audit, status and the lists ask of one that they only read. */
static void read_old(struct das_store *r)
{
    struct das_head head;
    int64_t seqs[4], total = -1;
    int found = 0, breakers = 0;
    bool on = true;

    ok(das_journal_verify(r, NULL, &head, &err) == 0 && head.seq == 7, "its journal is read");
    is_int(das_journal_unknown(r, seqs, 4, &err), 1, "its unknown kill, too");
    ok(das_breaker_each(r, any_breaker, &breakers, &err) == 0 && breakers == 1, "its breaker");
    ok(das_task_each(r, NULL, false, 9, any_task, &found, &err) == 0 &&
           das_access_each(r, any_access, &found, &err) == 0 &&
           das_history_page(r, "orders", 0, INT64_MAX, 1, 9, any_kill, &found, &total, &err) == 0 &&
           das_task_switch_get(r, "orders", &on, &err) == 0,
       "what it has not yet can be asked for");
    ok(found == 0 && total == 0 && !on, "and there is none");
}

static void old_format(void)
{
    const char *dir = store_dir(), *fresh = store_dir();
    struct das_store *s, *r = NULL;
    struct das_head head;
    char name[300];
    int64_t total;
    int found = 0;

    make_old(dir);
    must(das_store_open_to_read(dir, &r, &err) == 0 && r, "opened to read: %s", err.msg);
    read_old(r);
    is_int(store_number(dir, "PRAGMA user_version"), 1, "it is left as it was");

    snprintf(name, sizeof name, "%s", dir);
    is_int(store_herd(8, open_and_close, name), 8, "eight processes bring it up to date at once");
    is_int(store_number(dir, "PRAGMA user_version"), DAS_STORE_FORMAT, "which it is then");
    is_int(store_number(dir, "SELECT count(*) FROM journal"), 7, "nothing was written for that");
    das_store_close(store_open(fresh));
    is_int(differences(dir, fresh), 0, "it has what a new one has");
    is_int(differences(fresh, dir), 0, "and a new one has no more");
    ok(das_journal_verify(r, NULL, &head, &err) == 0, "who read it meanwhile goes on");
    das_store_close(r);

    s = store_open(dir);
    ok(das_journal_verify(s, NULL, &head, &err) == 0 && head.seq == 7, "its journal is good");
    ok(das_history_catch_up(s, &err) == 0 &&
           das_history_page(s, "orders", 0, INT64_MAX, 1, 9, any_kill, &found, &total, &err) == 0,
       "its kills are taken over");
    ok(found == 2 && total == 2, "both");
    das_store_close(s);
}

static int open_to_die(void *arg)
{
    struct das_store *s = store_open(arg);

    return store_head(s) == 7 ? 0 : 1;
}

static int cut_off(void *arg)
{
    (void)arg;
    kill(getpid(), SIGKILL);
    return 0;
}

static int cut_commits(sqlite3 *db, char **msg, const void *api)
{
    (void)msg;
    (void)api;
    sqlite3_commit_hook(db, cut_off, NULL);
    return SQLITE_OK;
}

/* Dies when all is done and not committed. */
static int open_and_die(void *arg, int i)
{
    struct das_store *s;

    (void)i;
    sqlite3_auto_extension((void (*)(void))cut_commits);
    das_store_open(arg, &s, &err);
    return 0; /* not reached */
}

/* Who brings it up to date dies before that is on the disk, or after that without closing it. */
static void old_and_killed(void)
{
    char dir[100];

    snprintf(dir, sizeof dir, "%s", store_dir());
    make_old(dir);
    is_int(store_herd(1, open_and_die, dir), 0, "cut off in the middle");
    is_int(store_number(dir, "PRAGMA user_version"), 1, "it is what it was");
    is_int(store_number(dir, "SELECT count(*) FROM sqlite_schema WHERE name = 'tasks'"), 0,
           "with no half of another");
    store_kill(store_hold(open_to_die, dir));
    is_int(store_number(dir, "PRAGMA user_version"), DAS_STORE_FORMAT, "what it did stays");
    das_store_close(store_open(dir));
}

/* Bytes of the file itself, anywhere: an error or a finding, but no crash, and no endless loop. */
static void damage(void)
{
    const char *dir = store_dir(), *hurt = store_dir();
    struct das_store *s = store_open(dir);
    char *whole, *copy;
    size_t len = 0;
    int opened = 0, good = 0, wrong = 0;
    FILE *f;

    for (int i = 0; i < 100; i++)
        store_must_add(s, "intent", "\"user\":\"app\",\"sql\":\"select * from orders\"", 0);
    das_store_close(s);
    f = fopen(store_path(dir, "das.db"), "r");
    must(f && fseek(f, 0, SEEK_END) == 0 && (len = (size_t)ftell(f)) > 4096, "a database");
    whole = malloc(len);
    copy = malloc(len);
    must(whole && copy, "memory");
    rewind(f);
    must(fread(whole, 1, len, f) == len, "is read");
    fclose(f);
    for (int i = 0; i < 200; i++) {
        struct das_head head;
        memcpy(copy, whole, len);
        for (int n = 0; n <= i % 5; n++) {
            size_t at = kit_below(n % 2 ? 4096 : len);
            copy[at] = (char)(copy[at] ^ (1 << kit_below(8)));
        }
        unlink(store_path(hurt, "das.db-wal"));
        unlink(store_path(hurt, "das.db-shm"));
        write_file(store_path(hurt, "das.db"), copy, i % 10 ? len : len / 2 + kit_below(len / 2));
        if (das_store_open(hurt, &s, &err) < 0) {
            wrong += err.code != DAS_E_STORE || !*err.msg;
            continue;
        }
        opened++;
        good += das_journal_verify(s, NULL, &head, &err) == 0;
        das_journal_unknown(s, NULL, 0, &err);
        store_add(s, "stop", "", 0, &err);
        das_store_close(s);
    }
    free(whole);
    free(copy);
    is_int(wrong, 0, "every refusal is DAS_E_STORE with a reason");
    ok(opened < 200 && good < opened, "%d of 200 damaged files open, %d verify", opened, good);
}

/* --- where writing fails ---------------------------------------------------------------------- */

static int as_nobody(void *arg, int i)
{
    const char *dir = arg;
    struct das_store *s = NULL;

    (void)i;
    if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
        return 1;
    if (das_store_open(dir, &s, &err) == 0 || err.code != DAS_E_STORE || !strstr(err.msg, dir))
        return 2;
    if (das_store_open_to_read(dir, &s, &err) < 0) {
        fprintf(stderr, "# %s\n", err.msg);
        return 3;
    }
    return s && store_head(s) == 2 && das_journal_verify(s, NULL, &(struct das_head){0}, &err) == 0
               ? 0
               : 4;
}

static void read_only(void)
{
    static const char *const left[] = {"", "runs"};
    const char *dir = store_dir();
    char path[300];
    struct das_store *s = store_open(dir);

    store_must_add(s, "stop", "\"reason\":\"x\"", 0);
    das_store_close(s);
    must(chmod(store_path(dir, "das.db"), 0444) == 0, "the file is read-only");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, left[i]);
        must(chmod(path, 0555) == 0, "and a directory");
    }
    snprintf(path, sizeof path, "%s", dir);
    is_int(store_herd(1, as_nobody, path), 1, "cannot be opened to write, but to be read");
}

static int up_to_a_limit(void *arg, int i)
{
    struct rlimit limit = {150000, 150000};
    struct das_store *s = store_open(arg);
    int64_t last = store_head(s);

    (void)i;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return 1;
    for (int n = 0; n < 2000; n++) {
        int64_t seq =
            store_add(s, "intent", "\"sql\":\"select * from orders where id = 12\"", 0, &err);
        if (seq < 0) {
            fprintf(stderr, "# %s\n", err.msg);
            if (err.code != DAS_E_STORE || !strstr(err.msg, "das.db"))
                return 2;
            /* The handle goes on as if nothing had been said. */
            return store_head(s) == last && last > 10 ? 0 : 3;
        }
        last = seq;
    }
    return 4;
}

static void full_disk(void)
{
    char dir[300];
    struct das_head head;
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    das_store_close(store_open(dir));
    is_int(store_herd(1, up_to_a_limit, dir), 1,
           "no room left: an error, and nothing half written");
    s = store_open(dir);
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "the journal is good afterwards");
    ok(store_add(s, "stop", "", 0, &err) > 0, "and goes on");
    das_store_close(s);
}

static void busy(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *other = store_open(dir);

    must(sqlite3_exec(other->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "held");
    sqlite3_busy_timeout(s->db, 50);
    ok(store_add(s, "intent", "", 0, &err) < 0 && err.code == DAS_E_STORE, "busy is an error");
    has_str(err.msg, "does not let go", "that says why: %s", err.msg);
    must(sqlite3_exec(other->db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK, "let go");
    is_int(store_add(s, "intent", "", 0, &err), 2, "then it works");
    das_store_close(other);
    das_store_close(s);
}

int main(void)
{
    kit_seed(4);
    fresh();
    many_at_once();
    to_read();
    not_ours();
    old_format();
    old_store_in_the_way(make_old, 1, "seen");
    old_and_killed();
    damage();
    read_only();
    full_disk();
    busy();
    store_dirs_clear();
    return tap_done();
}
