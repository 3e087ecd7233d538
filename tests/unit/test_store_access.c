/* test_store_access.c - access keys and tokens, signatures that were seen, and the version. */
#include "core/store/access.h"

#include "core/base/clock.h"
#include "core/store/journal.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

#define SECRET "sealed\0\xff secret bytes"

static struct das_access key(const char *id, int64_t created)
{
    struct das_access a = {.kind = DAS_ACCESS_KEY,
                           .name = "ci",
                           .actions = "das:clouddba:listProcess das:clouddba:*",
                           .instances = "orders tag:prod",
                           .created_ms = created,
                           .secret = das_text(SECRET, sizeof SECRET - 1)};

    snprintf(a.id, sizeof a.id, "%s", id);
    return a;
}

static void add(struct das_store *s, struct das_access a)
{
    must(das_access_add(s, &a, "root", &err) == 0, "%s: %s", a.id, err.msg);
}

struct seen {
    struct das_access rows[16];
    char secret[64];
    int n, stop_at;
};

static int see(void *arg, const struct das_access *a)
{
    struct seen *seen = arg;

    seen->rows[seen->n % 16] = *a;
    seen->rows[seen->n % 16].secret = das_text(NULL, a->secret.len);
    if (a->secret.len < sizeof seen->secret)
        memcpy(seen->secret, a->secret.ptr, a->secret.len);
    return ++seen->n == seen->stop_at ? 4 : 0;
}

static struct seen look(struct das_store *s)
{
    struct seen seen = {.n = 0};

    must(das_access_each(s, see, &seen, &err) == 0, "each: %s", err.msg);
    return seen;
}

static int last_line(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    (void)seq;
    (void)hash;
    snprintf(arg, 4000, "%.*s", (int)line.len, line.ptr);
    return 0;
}

static const char *record(struct das_store *s)
{
    static char line[4000];
    const char *kind;

    must(das_journal_each(s, store_head(s), last_line, line, &err) == 0, "a record");
    kind = strstr(line, "\"kind\"");
    return kind ? kind : line;
}

/* --- keys and tokens -------------------------------------------------------------------------- */

static void keys(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_access t = key("DASTOKEN", 3000);
    struct das_head head;
    struct seen seen;
    int64_t before;

    is_int(look(s).n, 0, "none");
    add(s, key("DASKEY2", 2000));
    is_str(record(s),
           "\"kind\":\"access\",\"access\":\"DASKEY2\",\"event\":\"created\",\"type\":\"key\","
           "\"name\":\"ci\",\"actions\":\"das:clouddba:listProcess das:clouddba:*\","
           "\"instances\":\"orders tag:prod\",\"by\":\"root\"}",
           "a key is in the journal");
    add(s, key("DASKEY1", 1000));
    t.kind = DAS_ACCESS_TOKEN;
    t.expires_ms = 9000;
    add(s, t);
    has_str(record(s), "\"type\":\"token\"", "so is a token");
    has_str(record(s), "\"expires_ms\":9000", "and its end");
    is_int(store_number(dir, "SELECT count(*) FROM journal WHERE line LIKE '%secret%'"), 0,
           "no secret is");
    das_store_close(s);

    s = store_open(dir);
    seen = look(s);
    is_int(seen.n, 3, "all three are there");
    ok(strcmp(seen.rows[0].id, "DASKEY1") == 0 && strcmp(seen.rows[1].id, "DASKEY2") == 0 &&
           strcmp(seen.rows[2].id, "DASTOKEN") == 0,
       "oldest first");
    ok(seen.rows[0].kind == DAS_ACCESS_KEY && strcmp(seen.rows[0].name, "ci") == 0 &&
           strcmp(seen.rows[0].actions, t.actions) == 0 &&
           strcmp(seen.rows[0].instances, t.instances) == 0 && seen.rows[0].created_ms == 1000 &&
           seen.rows[0].expires_ms == 0 && seen.rows[0].revoked_ms == 0,
       "as they were given");
    ok(seen.rows[2].kind == DAS_ACCESS_TOKEN && seen.rows[2].expires_ms == 9000, "the token, too");
    ok(seen.rows[2].secret.len == sizeof SECRET - 1 &&
           memcmp(seen.secret, SECRET, sizeof SECRET - 1) == 0,
       "a secret is any bytes");
    seen = (struct seen){.stop_at = 2};
    is_int(das_access_each(s, see, &seen, &err), 4, "a walk may end early");

    before = das_clock_unix_ms();
    is_int(das_access_revoke(s, "DASKEY2", "me", &err), 0, "revoked");
    is_str(record(s),
           "\"kind\":\"access\",\"access\":\"DASKEY2\",\"event\":\"revoked\",\"by\":\"me\"}",
           "which is in the journal");
    seen = look(s);
    ok(seen.n == 3 && seen.rows[1].revoked_ms >= before &&
           seen.rows[1].revoked_ms <= das_clock_unix_ms(),
       "it stays, with the time");
    ok(seen.rows[0].revoked_ms == 0 && seen.rows[2].revoked_ms == 0, "the others are good");
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "the journal is good");
    das_store_close(s);
}

static void refused(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *r = NULL;
    struct das_access a = key("DASKEY1", 1);
    int64_t head;

    add(s, a);
    head = store_head(s);
    ok(das_access_add(s, &a, "root", &err) < 0 && err.code == DAS_E_USAGE, "an id that is there");
    has_str(err.msg, "DASKEY1", "is named: %s", err.msg);
    ok(das_access_revoke(s, "DASKEY9", "root", &err) < 0 && err.code == DAS_E_USAGE,
       "none of that id: %s", err.msg);
    ok(das_access_revoke(s, "daskey1", "root", &err) < 0, "letters count");
    is_int(das_access_revoke(s, "DASKEY1", "root", &err), 0, "revoked");
    ok(das_access_revoke(s, "DASKEY1", "root", &err) < 0 && err.code == DAS_E_USAGE, "once: %s",
       err.msg);
    ok(das_access_add(s, &a, "root", &err) < 0 && err.code == DAS_E_USAGE,
       "its id is not free again");
    is_int(store_head(s), head + 1, "what was refused is no record");
    a = key("", 1);
    ok(das_access_add(s, &a, "root", &err) < 0, "no id");
    a = key("DASX", 1);
    a.secret = DAS_TEXT_NULL;
    ok(das_access_add(s, &a, "root", &err) < 0, "no secret");
    a = key("DASX", 1);
    memset(a.actions, 'x', sizeof a.actions);
    ok(das_access_add(s, &a, "root", &err) < 0, "a text without an end");
    a = key("DASX", 1);
    a.kind = (enum das_access_kind)7;
    ok(das_access_add(s, &a, "root", &err) < 0, "a kind that is none");
    must(das_store_open_to_read(dir, &r, &err) == 0 && r, "a handle to read");
    is_int(look(r).n, 1, "reads them");
    a = key("DASX", 1);
    ok(das_access_add(r, &a, "root", &err) < 0 && das_access_revoke(r, "DASKEY1", "x", &err) < 0 &&
           err.code == DAS_E_STORE,
       "and changes none: %s", err.msg);
    das_store_close(r);

    store_sql(dir, "UPDATE access SET kind = 5");
    ok(das_access_each(s, see, &(struct seen){.n = 0}, &err) < 0 && err.code == DAS_E_STORE,
       "a row that is none of das: %s", err.msg);
    store_sql(dir, "UPDATE access SET kind = 0, id = id || 'AAAAAAAAAAAAAAAAAAAAAAAAA'");
    ok(das_access_each(s, see, &(struct seen){.n = 0}, &err) < 0, "a text that is too long");
    store_sql(dir, "UPDATE access SET id = 'DAS' || char(0) || 'X'");
    ok(das_access_each(s, see, &(struct seen){.n = 0}, &err) < 0, "a text with a NUL in it");
    das_store_close(s);
}

/* The longest of everything comes back. */
static void longest(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_access a = key("DAS45678901234567890123", 1);
    struct seen seen;

    memset(a.name, 'n', sizeof a.name - 1);
    memset(a.actions, 'a', sizeof a.actions - 1);
    memset(a.instances, 'i', sizeof a.instances - 1);
    add(s, a);
    seen = look(s);
    ok(seen.n == 1 && strcmp(seen.rows[0].id, a.id) == 0 &&
           strcmp(seen.rows[0].name, a.name) == 0 && strcmp(seen.rows[0].actions, a.actions) == 0 &&
           strcmp(seen.rows[0].instances, a.instances) == 0,
       "as long as there is room for");
    das_store_close(s);
}

static int add_same(void *arg, int i)
{
    struct das_store *s = store_open(arg);
    struct das_access a = key("DASKEY1", i);
    int rc = das_access_add(s, &a, "root", &err);

    das_store_close(s);
    return rc < 0 && err.code != DAS_E_USAGE ? 0 : rc;
}

static void at_once(void)
{
    char dir[100];

    snprintf(dir, sizeof dir, "%s", store_dir());
    is_int(store_herd(6, add_same, dir), 1, "of six that add the same id one does");
    is_int(store_number(dir, "SELECT count(*) FROM access"), 1, "it is there once");
    is_int(store_number(dir, "SELECT count(*) FROM journal"), 2, "with one record");
}

static void no_memory(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_access a = key("DASKEY1", 1);
    long n;
    int bad = 0;

    for (n = 1; n < 100; n++) {
        bool failed;
        int rc;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        rc = das_access_add(s, &a, "root", &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (rc < 0) || (failed && (err.code != DAS_E_NOMEM || look(s).n));
        if (!failed)
            break;
    }
    ok(!bad && n > 2 && n < 100, "%ld failing allocations add nothing", n - 1);
    for (n = 1; n < 100; n++) {
        bool failed;
        int rc;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        rc = das_access_revoke(s, "DASKEY1", "root", &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (rc < 0) || (failed && look(s).rows[0].revoked_ms);
        if (!failed)
            break;
    }
    ok(!bad && n > 2 && n < 100, "%ld revoke nothing", n - 1);
    is_int(store_head(s), 3, "two records");
    das_store_close(s);
}

/* --- the version ------------------------------------------------------------------------------ */

static int64_t version(struct das_store *s)
{
    int64_t v;

    must(das_store_version(s, &v, &err) == 0, "version: %s", err.msg);
    return v;
}

static void versions(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *other = store_open(dir);
    int64_t v = version(s);

    is_int(version(s), v, "the same, when nothing happens");
    add(s, key("DASKEY1", 1));
    is_int(version(s), v, "or when this handle writes");
    look(other);
    is_int(version(s), v, "or another reads");
    is_int(das_access_revoke(other, "DASKEY1", "me", &err), 0, "another revokes a key");
    ok(version(s) != v, "then it is another number");
    v = version(s);
    ok(look(s).rows[0].revoked_ms > 0, "and the key is seen to be revoked");
    is_int(version(s), v, "which changes nothing");
    das_store_close(other);
    das_store_close(s);
}

/* --- signatures ------------------------------------------------------------------------------- */

static int note(struct das_store *s, const char *signature, size_t len, int64_t until, int64_t now)
{
    return das_seen_note(s, das_text(signature, len), until, now, &err);
}

static void signatures(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *other = store_open(dir), *r = NULL;
    int64_t head = store_head(s);

    is_int(note(s, "a\0b", 3, 1900, 1000), 1, "new");
    is_int(note(s, "a\0b", 3, 1900, 1000), 0, "seen");
    is_int(note(other, "a\0b", 3, 5000, 1001), 0, "by another handle, too");
    is_int(note(s, "a\0c", 3, 1900, 1000), 1, "another of the same beginning");
    is_int(note(s, "a", 1, 3000, 1000), 1, "or of less");
    is_int(note(s, "", 0, 3000, 1000), 1, "or of nothing");
    is_int(note(s, NULL, 0, 3000, 1000), 0, "which is the same");
    is_int(note(s, "a\0b", 3, 3000, 1900), 0, "to the last moment");
    is_int(note(s, "a\0b", 3, 3000, 1901), 1, "then it is forgotten");
    is_int(store_number(dir, "SELECT count(*) FROM seen"), 3, "with the others of that time");
    is_int(store_head(s), head, "no record of any of them");
    das_store_close(s);
    das_store_close(other);
    s = store_open(dir);
    is_int(note(s, "a", 1, 3000, 2000), 0, "seen by a run before");
    must(das_store_open_to_read(dir, &r, &err) == 0 && r, "a handle to read");
    ok(note(r, "new", 3, 3000, 2000) < 0 && err.code == DAS_E_STORE, "notes nothing: %s", err.msg);
    das_store_close(r);
    das_store_close(s);
}

static int note_same(void *arg, int i)
{
    struct das_store *s = store_open(arg);
    int rc = note(s, "same", 4, 5000 + i, 1000);

    das_store_close(s);
    return rc == 1 ? 0 : rc == 0 ? 1 : 2;
}

static int note_and_wait(void *arg)
{
    return note(store_open(arg), "kept", 4, 5000, 1000) != 1;
}

static void replayed(void)
{
    char dir[100];
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    is_int(store_herd(8, note_same, dir), 1, "of eight that bring it at once one is the first");
    store_kill(store_hold(note_and_wait, dir));
    s = store_open(dir);
    is_int(note(s, "kept", 4, 5000, 2000), 0, "it is remembered by who comes after a crash");
    das_store_close(s);
}

int main(void)
{
    keys();
    refused();
    longest();
    at_once();
    no_memory();
    versions();
    signatures();
    replayed();
    store_dirs_clear();
    return tap_done();
}
