/*
 * test_keyring.c - new keys and tokens, the master key's file, sealing with it.
 */
#include "core/serve/keyring.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/serve/action.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

static struct das_keyring *ring(const char *dir, bool make)
{
    struct das_keyring *k = NULL;

    return das_keyring_open(dir, make, &k, &err) < 0 ? NULL : k;
}

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, mode) < 0)
        exit(1);
}

static void get(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(out, 1, size - 1, f) : 0;

    out[n] = '\0';
    if (f)
        fclose(f);
}

/* --- drawing ---------------------------------------------------------------------------------- */

#define DRAWN 400

/* All characters of an alphabet come, and no other. 400 times 17 letters of 36: that one of them
 * never comes has a chance of 36 * (35/36)^6800, which is less than 1e-80. */
static void draws(void)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char id[DAS_ACCESS_ID_SIZE], other[DAS_ACCESS_ID_SIZE], found[DAS_ACCESS_ID_SIZE];
    char secret[DAS_SECRET_KEY_SIZE], token[DAS_TOKEN_SIZE], next[DAS_TOKEN_SIZE];
    bool in_id[256] = {false}, in_secret[256] = {false};
    size_t ids = 0, secrets = 0;
    int bad = 0;

    for (int i = 0; i < DRAWN; i++) {
        bad += das_key_draw(id, secret, &err) < 0 || strlen(id) != 20 || strlen(secret) != 40 ||
               strncmp(id, "DAS", 3) != 0;
        for (int k = 3; k < 20; k++)
            in_id[(unsigned char)id[k]] = true;
        for (int k = 0; k < 40; k++)
            in_secret[(unsigned char)secret[k]] = true;
    }
    is_int(bad, 0, "keys of 20 and 40 characters");
    for (int c = 0; c < 256; c++) {
        ids += in_id[c];
        secrets += in_secret[c];
        bad += in_id[c] && !strchr(capitals, c);
        bad += in_secret[c] && !strchr(capitals, c) && !(c >= 'a' && c <= 'z');
    }
    is_int(ids, 36, "all capitals and digits are in ids");
    is_int(secrets, 62, "and small letters in secrets");
    is_int(bad, 0, "nothing else");

    must(das_token_draw(id, token, &err) == 0, "a token");
    ok(strlen(token) == DAS_TOKEN_SIZE - 1 && strncmp(token, "das_", 4) == 0 &&
           strncmp(token + 4, id, 20) == 0 && token[24] == '_' && strncmp(id, "DAT", 3) == 0,
       "das_ID_SECRET");
    ok(das_token_id(das_text_of(token), found) && strcmp(found, id) == 0, "its id is found in it");
    bad = das_token_draw(other, next, &err) < 0 || strcmp(other, id) == 0 ||
          strcmp(next + 25, token + 25) == 0;
    is_int(bad, 0, "another one is another one");
}

static void token_forms(void)
{
    static const char good[] =
        "das_DAT01234567890ABCDEF_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    char id[DAS_ACCESS_ID_SIZE] = "?", text[80];
    unsigned char a[DAS_TOKEN_HASH], b[DAS_TOKEN_HASH];
    int taken = 0, alike = 0;

    must(das_token_id(das_text_of(good), id) && strcmp(id, "DAT01234567890ABCDEF") == 0,
         "the form of a token");
    for (size_t n = 0; n < sizeof good - 1; n++)
        taken += das_token_id(das_text(good, n), id);
    taken += das_token_id(das_text(good, sizeof good), id);
    is_int(taken, 0, "no shorter, no longer one");
    must(das_token_hash(das_text_of(good), a, &err) == 0, "a hash");
    for (size_t i = 0; i < sizeof good - 1; i++) {
        memcpy(text, good, sizeof good);
        text[i] = i < 25 ? 'x' : 'B';
        if (i < 25)
            taken += das_token_id(das_text_of(text), id);
        alike += das_token_hash(das_text_of(text), b, &err) < 0 || memcmp(a, b, sizeof a) == 0;
    }
    is_int(taken, 0, "no other prefix, no small letter in the id");
    is_int(alike, 0, "each character counts for the hash");
    memcpy(text, good, sizeof good);
    text[10] = '\0';
    ok(!das_token_id(das_text(text, sizeof good - 1), id), "no NUL in the id");
    ok(!das_token_id(DAS_TEXT_NULL, id), "nothing is none");
}

/* --- the file --------------------------------------------------------------------------------- */

static const char not_hex[] = "zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

static void the_file(void)
{
    const char *dir = store_dir(), *path = store_path(dir, "serve.key");
    char first[200], second[200], out[DAS_SECRET_KEY_SIZE];
    struct das_keyring *k, *again;
    struct das_buf sealed = {0}, text = {0}, large = {0}, opened = {0};
    struct stat st;

    ok(!ring(dir, false) && err.code == DAS_E_CONFIG && strstr(err.msg, "serve.key"), "missing: %s",
       err.msg);
    ok(access(path, F_OK) < 0, "and is not made by looking");
    umask(0);
    k = ring(dir, true);
    umask(022);
    must(k != NULL, "made");
    must(stat(path, &st) == 0, "it is there");
    is_int(st.st_mode & 07777, 0600, "for its owner alone, whatever the umask");
    is_int(st.st_nlink, 1, "under one name");
    get(path, first, sizeof first);
    ok(strlen(first) == 65 && strspn(first, "0123456789abcdef") == 64 && first[64] == '\n',
       "64 hex digits");
    again = ring(dir, true);
    get(path, second, sizeof second);
    is_str(second, first, "it is not made a second time");

    must(das_keyring_seal(k, "DASA", das_text_of("top secret"), &sealed, &err) == 0, "sealed");
    ok(again && das_keyring_unseal(again, "DASA", das_buf_view(&sealed), out, &err) == 0 &&
           strcmp(out, "top secret") == 0,
       "whoever reads the file opens it");
    ok(das_keyring_unseal(again, "DASB", das_buf_view(&sealed), out, &err) < 0 &&
           err.code == DAS_E_CONFIG && strstr(err.msg, "DASB") && !strstr(err.msg, "top"),
       "not for another id: %s", err.msg);
    das_keyring_close(again);
    das_keyring_close(k);

    first[0] = first[0] == '0' ? '1' : '0';
    put(path, first, 0600);
    k = ring(dir, true);
    ok(k && das_keyring_unseal(k, "DASA", das_buf_view(&sealed), out, &err) < 0 &&
           err.code == DAS_E_CONFIG,
       "not with another master key: %s", err.msg);
    ok(!memmem(out, sizeof out, "top", 3), "and nothing of it is left there");
    for (int i = 0; i < 10000; i++)
        das_buf_str(&text, "a long one ");
    ok(das_keyring_seal(k, "hook am 1 2", das_buf_view(&text), &large, &err) == 0 &&
           das_keyring_unseal_all(k, "hook am 1 2", das_buf_view(&large), &opened, &err) == 0 &&
           opened.len == text.len && memcmp(opened.ptr, text.ptr, text.len) == 0,
       "text of any size");
    das_buf_clear(&opened);
    ok(das_keyring_unseal_all(k, "hook am 1 3", das_buf_view(&large), &opened, &err) < 0 &&
           err.code == DAS_E_CONFIG && !opened.len,
       "for the same id only: %s", err.msg);
    ok(das_keyring_unseal_all(k, "DASA", das_buf_view(&sealed), &opened, &err) < 0,
       "nor with another master key");
    ok(das_keyring_unseal_all(k, "DASA", das_text_of("x"), &opened, &err) < 0, "nor too little");
    das_buf_clear(&opened);
    das_buf_clear(&large);
    das_buf_clear(&text);
    das_keyring_close(k);

    put(path, first, 0644);
    ok(!ring(dir, true) && err.code == DAS_E_CONFIG && strstr(err.msg, "chmod 600"),
       "everybody may read it: %s", err.msg);
    for (int i = 0; i < 4; i++) {
        static const char *const wrong[] = {"", "abc\n", "00112233445566778899aabbccddeeff\n",
                                            not_hex};
        put(path, wrong[i], 0600);
        ok(!ring(dir, true) && err.code == DAS_E_CONFIG && !strstr(err.msg, "0011"),
           "wrong text: %s", err.msg);
        get(path, second, sizeof second);
        is_str(second, wrong[i], "stays as it is");
    }
    chmod(path, 0600);
    unlink(path);
    if (symlink("/nonexistent/there", path) == 0)
        ok(!ring(dir, true), "a link to nowhere is not followed to make it: %s", err.msg);
    das_buf_clear(&sealed);
    ok(!ring("/nonexistent/dir", true) && strstr(err.msg, "/nonexistent/dir"), "no folder: %s",
       err.msg);
}

static int open_and_seal(void *arg, int i)
{
    struct das_keyring *k = ring(arg, true);
    struct das_buf b = {0};
    char name[20];
    int fd, rc = 1;

    snprintf(name, sizeof name, "sealed.%d", i);
    if (k && das_keyring_seal(k, "DASX", das_text_of("same"), &b, &err) == 0) {
        fd = open(store_path(arg, name), O_WRONLY | O_CREAT | O_EXCL, 0600);
        rc = fd < 0 || write(fd, b.ptr, b.len) != (ssize_t)b.len;
    }
    return rc;
}

/* Whoever makes it at the same time gets the same one. */
static void at_once(void)
{
    const char *dir = store_dir();
    char sealed[200], out[DAS_SECRET_KEY_SIZE], name[20];
    struct das_keyring *k;
    int opened = 0, left = 0;

    is_int(store_herd(8, open_and_seal, (void *)(uintptr_t)dir), 8, "eight make it at once");
    k = ring(dir, false);
    for (int i = 0; k && i < 8; i++) {
        FILE *f;
        size_t n;
        snprintf(name, sizeof name, "sealed.%d", i);
        f = fopen(store_path(dir, name), "r");
        n = f ? fread(sealed, 1, sizeof sealed, f) : 0;
        if (f)
            fclose(f);
        opened += das_keyring_unseal(k, "DASX", das_text(sealed, n), out, &err) == 0;
    }
    is_int(opened, 8, "what each of them sealed can be opened");
    das_keyring_close(k);
    snprintf(sealed, sizeof sealed, "ls '%s' | grep -q '^serve.key.'", dir);
    left = system(sealed);
    ok(left != 0, "no temporary file is left");
}

/* --- actions ---------------------------------------------------------------------------------- */

static void actions(void)
{
    ok(das_action_find(das_text_of("das:clouddba:listProcess")) == DAS_A_LIST_PROCESS &&
           das_action_find(das_text_of("listProcess")) == DAS_A_LIST_PROCESS,
       "by name and by its last part");
    ok(das_action_find(das_text_of("das::showCloudDBAInfo")) == DAS_A_SHOW_INFO, "another one");
    ok(das_action_find(das_text_of("listProces")) < 0 &&
           das_action_find(das_text_of("clouddba:listProcess")) < 0 &&
           das_action_find(das_text_of("")) < 0 && das_action_find(DAS_TEXT_NULL) < 0,
       "not by a piece");
    for (int i = 0; i < DAS_A_COUNT; i++)
        ok(das_action_find(das_text_of(das_actions[i].name)) == i, "%s", das_actions[i].name);
    ok(das_action_allowed("*", "das:clouddba:deleteProcess"), "* is all");
    ok(das_action_allowed("a b das:clouddba:*", "das:clouddba:deleteProcess"), "das:clouddba:*");
    ok(!das_action_allowed("das:clouddba:*", "das::showCloudDBAInfo"), "is not das::");
    ok(das_action_allowed("das:*", "das::showCloudDBAInfo"), "das:* is");
    ok(!das_action_allowed("das:clouddba:list*", "das:clouddba:listProcess"),
       "* stands for whole parts");
    ok(!das_action_allowed("", "das:clouddba:listProcess") &&
           !das_action_allowed("  ", "das:clouddba:listProcess"),
       "nothing allows nothing");
    ok(!das_action_allowed("das:clouddba:listProcess", "das:clouddba:listProcessX") &&
           !das_action_allowed("das:clouddba:listProcessX", "das:clouddba:listProcess"),
       "exactly");
}

int main(void)
{
    draws();
    token_forms();
    the_file();
    at_once();
    actions();
    store_dirs_clear();
    return tap_done();
}
