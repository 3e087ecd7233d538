/* test_secret.c - places, vaults, and texts without the values. */
#include "core/base/secret.h"

#include <limits.h>
#include <sys/stat.h>

#include "core/base/mem.h"
#include "tests/unit/temp_file.h"

static struct das_err err;

static const char *file_of(const char *text, mode_t mode)
{
    const char *path = temp_text(text);

    must(chmod(path, mode) == 0, "a file");
    return path;
}

static void places(void)
{
    struct das_secrets s;

    das_secrets_init(&s);
    ok(das_secrets_add(&s, "slack", DAS_SECRET_ENV, "SLACK", &err) == 0, "one place");
    ok(das_secrets_add(&s, "db-1.main", DAS_SECRET_FILE, "/x", &err) == 0, "another");
    ok(das_secrets_find(&s, "slack", &err) == &s.places[0], "is found");
    ok(!das_secrets_find(&s, "slak", &err) && err.code == DAS_E_USAGE, "a name that is none");
    is_str(err.msg, "no secret \"slak\"; did you mean \"slack\"?", "says which");
    ok(!das_secrets_find(NULL, "slack", &err), "no configuration");
    is_str(err.msg, "no secret \"slack\" in the configuration", "says so");
    ok(das_secrets_add(&s, "slack", DAS_SECRET_ENV, "X", &err) < 0 && err.code == DAS_E_CONFIG,
       "twice: %s", err.msg);
    ok(das_secrets_add(&s, "", DAS_SECRET_ENV, "X", &err) < 0, "no name: %s", err.msg);
    ok(das_secrets_add(&s, "a b", DAS_SECRET_ENV, "X", &err) < 0, "a space: %s", err.msg);
    ok(das_secrets_add(&s, "a", DAS_SECRET_ENV, "", &err) < 0, "nowhere: %s", err.msg);
    ok(das_secrets_add(&s, "a", DAS_SECRET_CREDENTIAL, "../x", &err) < 0, "a path: %s", err.msg);
    ok(das_secrets_add(&s, "a", DAS_SECRET_CREDENTIAL, "..", &err) < 0, "dots: %s", err.msg);
    is_int(s.count, 2, "none of them was added");
    das_secrets_clear(&s);
}

static const struct das_secret *get(struct das_vault *v, enum das_secret_from from,
                                    const char *where)
{
    static char name[] = "it", place[PATH_MAX];
    static struct das_secret_place p[20];
    static size_t used;
    struct das_secret_place *at = &p[used++ % 20];

    snprintf(place, sizeof place, "%s", where);
    *at = (struct das_secret_place){name, place, from};
    return das_vault_read(v, at, &err);
}

static void is_value(const struct das_secret *s, const char *want, const char *name)
{
    if (ok(s != NULL, "%s", name))
        ok(das_text_is(das_secret_value(s), want) &&
               !das_secret_value(s).ptr[das_secret_value(s).len],
           "its value");
    else
        tap_diag("%s", err.msg);
}

static void reading(void)
{
    struct das_vault v;
    struct das_secret_place p = {(char[]){"p"}, (char[]){"DAS_TEST_SECRET"}, DAS_SECRET_ENV};
    char dir[] = "/tmp/das-test-XXXXXX", path[64];
    FILE *f;

    das_vault_init(&v);
    is_value(get(&v, DAS_SECRET_FILE, file_of("first line\nsecond\n", 0600)), "first line", "a file");
    is_value(get(&v, DAS_SECRET_FILE, file_of("no end", 0640)), "no end", "for the group too");
    is_value(get(&v, DAS_SECRET_FILE, file_of("dos\r\n", 0400)), "dos", "another line end");
    ok(!get(&v, DAS_SECRET_FILE, file_of("open", 0644)) && err.code == DAS_E_CONFIG,
       "for everybody: %s", err.msg);
    has_str(err.msg, "secret it: ", "names the secret");
    ok(!strstr(err.msg, "open)") && strstr(err.msg, "chmod 600"), "not its value");
    ok(!get(&v, DAS_SECRET_FILE, file_of("\nx", 0600)), "an empty first line: %s", err.msg);
    ok(!get(&v, DAS_SECRET_FILE, "/nonexistent"), "no file: %s", err.msg);
    ok(!get(&v, DAS_SECRET_FILE, "/"), "a folder: %s", err.msg);
    ok(!get(&v, DAS_SECRET_FILE, "/dev/zero"), "no end: %s", err.msg);

    unsetenv("DAS_TEST_SECRET");
    ok(!das_vault_read(&v, &p, &err), "no variable: %s", err.msg);
    setenv("DAS_TEST_SECRET", "", 1);
    ok(!das_vault_read(&v, &p, &err), "an empty one: %s", err.msg);
    setenv("DAS_TEST_SECRET", "two\nlines", 1);
    is_value(das_vault_read(&v, &p, &err), "two\nlines", "a variable, all of it");
    setenv("DAS_TEST_SECRET", "changed", 1);
    is_value(das_vault_read(&v, &p, &err), "two\nlines", "is read once for each vault");

    unsetenv("CREDENTIALS_DIRECTORY");
    ok(!get(&v, DAS_SECRET_CREDENTIAL, "token"), "no credentials: %s", err.msg);
    must(mkdtemp(dir) != NULL, "a folder");
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    ok(!get(&v, DAS_SECRET_CREDENTIAL, "token"), "no such one: %s", err.msg);
    snprintf(path, sizeof path, "%s/token", dir);
    f = fopen(path, "w");
    must(f && fputs("from systemd", f) >= 0 && fclose(f) == 0 && chmod(path, 0400) == 0, "one");
    is_value(get(&v, DAS_SECRET_CREDENTIAL, "token"), "from systemd", "a credential");
    unlink(path);
    rmdir(dir);
    das_vault_clear(&v);
    ok(!v.first && v.count == 0, "a vault is emptied");
}

static const struct das_secret *env(struct das_vault *v, const char *value)
{
    static struct das_secret_place p[20];
    static size_t used;
    struct das_secret_place *at = &p[used++ % 20];

    *at = (struct das_secret_place){(char[]){"x"}, (char[]){"DAS_TEST_SECRET"}, DAS_SECRET_ENV};
    setenv("DAS_TEST_SECRET", value, 1);
    return das_vault_read(v, at, &err);
}

static void making(void)
{
    static const char *const basic[][3] = {{"Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
                                           {"", "pass", "OnBhc3M="},
                                           {"a", "pass", "YTpwYXNz"},
                                           {"ab", "pass", "YWI6cGFzcw=="}};
    struct das_vault v;
    const struct das_secret *s, *a;
    char want[100], text[20];
    int i;

    das_vault_init(&v);
    s = env(&v, "token");
    a = das_vault_join(&v, das_text_of("Bearer "), s, DAS_TEXT_NULL, &err);
    is_value(a, "Bearer token", "something before it");
    is_value(das_vault_join(&v, das_text_of("<"), s, das_text_of(">"), &err), "<token>", "around it");
    ok(das_vault_join(&v, das_text_of("Bearer "), s, DAS_TEXT_NULL, &err) == a,
       "the same again needs no room");
    for (size_t n = 0; n < sizeof basic / sizeof *basic; n++) {
        snprintf(want, sizeof want, "Basic %s", basic[n][2]);
        is_value(das_vault_basic(&v, das_text_of(basic[n][0]), env(&v, basic[n][1]), &err), want,
                 basic[n][0]);
    }
    is_value(das_vault_base64_decode(&v, env(&v, "c2lnbmluZyBrZXk="), &err), "signing key",
             "out of base64");
    ok(!das_vault_base64_decode(&v, env(&v, "not*base64"), &err) &&
           !strstr(err.msg, "not*") && !strchr(err.msg, '*'), "what is none: %s", err.msg);
    for (i = 0; i < 2 * DAS_VAULT_MAX; i++) {
        snprintf(text, sizeof text, "%d", i);
        if (!das_vault_join(&v, das_text_of(text), s, DAS_TEXT_NULL, &err))
            break;
    }
    ok(v.count == DAS_VAULT_MAX && err.code == DAS_E_USAGE, "a vault gets full: %s", err.msg);
    ok(!das_vault_basic(&v, das_text_of("u"), s, &err), "for everybody");
    das_vault_clear(&v);
}

static void redacts(const struct das_vault *v, const char *text, const char *want)
{
    struct das_buf b = {0};
    struct das_err e = {0};

    das_vault_redact(v, das_text_of(text), &b);
    is_str(b.ptr ? b.ptr : "", want, "%s", text);
    snprintf(e.msg, sizeof e.msg, "%s", text);
    das_vault_redact_err(v, &e);
    is_str(e.msg, want, "in place too");
    das_buf_clear(&b);
}

static void redacting(void)
{
    struct das_vault v;
    struct das_err e = {0};
    const struct das_secret *s;

    das_vault_init(&v);
    redacts(&v, "nothing known", "nothing known");
    s = env(&v, "hunter2");
    env(&v, "hunter2-and-more");
    env(&v, "abc");
    env(&v, "with \"quotes\"");
    das_vault_join(&v, das_text_of("Bearer "), s, DAS_TEXT_NULL, &err);
    das_vault_basic(&v, das_text_of("me"), s, &err);
    redacts(&v, "", "");
    redacts(&v, "no word of it", "no word of it");
    redacts(&v, "hunter2", "***");
    redacts(&v, "(hunter2)", "(***)");
    redacts(&v, "hunter2hunter2 hunter2", "****** ***");
    redacts(&v, "hunter2-and-more!", "***!");
    redacts(&v, "abc is too short to be looked for", "abc is too short to be looked for");
    redacts(&v, "Authorization: Bearer hunter2.", "Authorization: ***.");
    redacts(&v, "sent bWU6aHVudGVyMg== as", "sent *** as");
    redacts(&v, "hunter is a word, hunter3 too", "hunter is a word, hunter3 too");
    redacts(&v, "with \"quotes\" {\"x\":\"with \\\"quotes\\\"\"}", "*** {\"x\":\"***\"}");
    redacts(&v, "not long enough: hun", "not long enough: hun");
    snprintf(e.msg, sizeof e.msg, "no value begins with Bearer");
    das_vault_redact_err(&v, &e);
    is_str(e.msg, "no value begins with Bearer", "what stands before one is no secret");
    snprintf(e.msg, sizeof e.msg, "cut off: hunte");
    das_vault_redact_err(&v, &e);
    is_str(e.msg, "cut off: ***", "a message may have been cut");
    memset(e.msg, 'x', sizeof e.msg - 1);
    memcpy(e.msg + sizeof e.msg - 8, "hunter2", 8);
    das_vault_redact_err(&v, &e);
    is_str(e.msg + sizeof e.msg - 8, "***", "at the very end");
    das_vault_clear(&v);
}

static void failing_memory(void)
{
    long n;

    for (n = 1; n < 200; n++) {
        struct das_vault v;
        struct das_secrets p;
        const struct das_secret *s = NULL;
        bool failed;

        das_vault_init(&v);
        das_secrets_init(&p);
        das_alloc_fail_at(n);
        if (das_secrets_add(&p, "a", DAS_SECRET_FILE, temp_names[0], &err) == 0 &&
            (s = das_vault_read(&v, &p.places[0], &err)) != NULL)
            s = das_vault_basic(&v, das_text_of("u"), s, &err);
        if (s)
            s = das_vault_join(&v, DAS_TEXT_NULL, s, das_text_of("x"), &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        if (failed && s)
            ok(0, "allocation %ld: no error", n);
        else if (failed && err.code != DAS_E_NOMEM)
            ok(0, "allocation %ld: %s", n, err.msg);
        das_vault_clear(&v);
        das_secrets_clear(&p);
        if (!failed)
            break;
    }
    ok(n > 5 && n < 200, "%ld failing allocations", n - 1);
}

int main(void)
{
    places();
    reading();
    making();
    redacting();
    temp_clear();
    file_of("value\n", 0600);
    failing_memory();
    temp_clear();
    return tap_done();
}
