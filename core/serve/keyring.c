/* keyring.c - see keyring.h. */
#include "core/serve/keyring.h"

#include <stdio.h>

#include "core/base/crypto.h"
#include "core/base/mem.h"
#include "core/base/private_file.h"
#include "core/base/write_file.h"

#define MASTER 32
#define ID_DRAWN 17
#define SECRET_BYTES 32

static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* --- drawing new ones ------------------------------------------------------------------------- */

/* Each letter is as likely as the others: bytes that would make the first ones likelier are passed
 * over. */
static int draw(const char *alphabet, size_t n, char *to, struct das_err *err)
{
    size_t of = strlen(alphabet);
    unsigned char pool[64];
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0;) {
        rc = das_random(pool, sizeof pool, err);
        for (size_t k = 0; k < sizeof pool && i < n && rc == 0; k++) {
            if (pool[k] < 256 / of * of)
                to[i++] = alphabet[pool[k] % of];
        }
    }
    explicit_bzero(pool, sizeof pool);
    to[n] = '\0';
    return rc;
}

static int draw_id(const char *prefix, char id[DAS_ACCESS_ID_SIZE], struct das_err *err)
{
    memcpy(id, prefix, 3);
    return draw(capitals, ID_DRAWN, id + 3, err);
}

int das_key_draw(char id[DAS_ACCESS_ID_SIZE], char secret[DAS_SECRET_KEY_SIZE], struct das_err *err)
{
    if (draw_id("DAS", id, err) < 0)
        return -1;
    return draw(letters, DAS_SECRET_KEY_SIZE - 1, secret, err);
}

int das_token_draw(char id[DAS_ACCESS_ID_SIZE], char token[DAS_TOKEN_SIZE], struct das_err *err)
{
    char bytes[SECRET_BYTES];
    struct das_buf b = {0};
    int rc = -1;

    das_buf_reserve(&b, DAS_TOKEN_SIZE); /* at once, so that no copy is left behind */
    if (draw_id("DAT", id, err) == 0 && das_random(bytes, sizeof bytes, err) == 0) {
        das_buf_printf(&b, "das_%s_", id);
        das_base64_encode(DAS_BASE64URL, das_text(bytes, sizeof bytes), &b);
        rc = das_buf_ok(&b, err);
    }
    if (rc == 0)
        memcpy(token, b.ptr, b.len + 1);
    explicit_bzero(bytes, sizeof bytes);
    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return rc;
}

int das_token_hash(struct das_text token, unsigned char out[DAS_TOKEN_HASH], struct das_err *err)
{
    struct das_hash_value v;

    if (das_hash(DAS_SHA256, token, &v, err) < 0)
        return -1;
    memcpy(out, v.bytes, DAS_TOKEN_HASH);
    return 0;
}

bool das_token_id(struct das_text token, char id[DAS_ACCESS_ID_SIZE])
{
    const size_t len = 3 + ID_DRAWN;

    if (token.len != DAS_TOKEN_SIZE - 1 || memcmp(token.ptr, "das_DAT", 7) != 0 ||
        token.ptr[4 + len] != '_')
        return false;
    for (size_t i = 7; i < 4 + len; i++) {
        if (!token.ptr[i] || !strchr(capitals, token.ptr[i]))
            return false;
    }
    memcpy(id, token.ptr + 4, len);
    id[len] = '\0';
    return true;
}

/* --- the master key --------------------------------------------------------------------------- */

struct das_keyring {
    char key[MASTER]; /* the whole of it is in locked pages */
};

/* Never over one that is there: what is sealed with that would be lost. */
static int make_master(const char *path, struct das_err *err)
{
    char bytes[MASTER];
    struct das_buf b = {0};
    int rc = -1;

    das_buf_reserve(&b, 2 * MASTER + 2);
    if (das_random(bytes, sizeof bytes, err) == 0) {
        das_hex_encode(das_text(bytes, sizeof bytes), &b);
        das_buf_char(&b, '\n');
        rc = das_buf_ok(&b, err);
    }
    if (rc == 0)
        rc = das_write_file_once(path, 0600, das_buf_view(&b), err);
    explicit_bzero(bytes, sizeof bytes);
    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return rc;
}

static int read_master(const struct das_private *file, const char *path, char key[MASTER],
                       struct das_err *err)
{
    struct das_text text = das_text_trim(das_text(file->ptr, file->len));
    struct das_buf b = {0};
    struct das_err why; /* says what is in the text, and that is nobody's business */
    int rc = 0;

    das_buf_reserve(&b, MASTER + 1);
    if (das_buf_ok(&b, err) < 0)
        rc = -1;
    else if (file->exposed)
        rc = das_private_exposed(path, "master key", err);
    else if (text.len != 2 * MASTER || das_hex_decode(text, &b, &why) < 0)
        rc = das_fail(err, DAS_E_CONFIG, "%s: expected a master key of %d hex digits", path,
                      2 * MASTER);
    else
        memcpy(key, b.ptr, MASTER);
    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return rc;
}

int das_keyring_open(const char *state_dir, bool make, struct das_keyring **out,
                     struct das_err *err)
{
    struct das_private file = {0};
    struct das_buf path = {0};
    struct das_keyring *k = NULL;
    int rc = -1;

    *out = NULL;
    das_buf_printf(&path, "%s/serve.key", state_dir);
    if (das_buf_ok(&path, err) < 0)
        goto done;
    rc = das_private_read(path.ptr, &file, err);
    if (rc < 0 && file.missing && make) {
        rc = make_master(path.ptr, err);
        if (rc == 0)
            rc = das_private_read(path.ptr, &file, err);
    }
    if (rc < 0)
        goto done;
    k = das_locked_alloc(sizeof *k);
    if (!k)
        rc = das_fail_nomem(err);
    else
        rc = read_master(&file, path.ptr, k->key, err);
done:
    das_private_clear(&file);
    das_buf_clear(&path);
    if (rc < 0)
        das_keyring_close(k);
    else
        *out = k;
    return rc;
}

void das_keyring_close(struct das_keyring *k)
{
    das_locked_free(k, sizeof *k);
}

int das_keyring_seal(const struct das_keyring *k, const char *id, struct das_text secret,
                     struct das_buf *b, struct das_err *err)
{
    return das_seal(das_text(k->key, MASTER), das_text_of(id), secret, b, err);
}

int das_keyring_unseal(const struct das_keyring *k, const char *id, struct das_text sealed,
                       char out[DAS_SECRET_KEY_SIZE], struct das_err *err)
{
    struct das_err why;
    size_t len = 0;

    if (das_unseal(das_text(k->key, MASTER), das_text_of(id), sealed, out, DAS_SECRET_KEY_SIZE - 1,
                   &len, &why) < 0)
        return das_fail(err, DAS_E_CONFIG, "key %s: cannot be opened with serve.key: %s", id,
                        why.msg);
    out[len] = '\0';
    return 0;
}

int das_keyring_unseal_all(const struct das_keyring *k, const char *id, struct das_text sealed,
                           struct das_buf *b, struct das_err *err)
{
    struct das_err why;
    size_t len = 0;
    char *to = das_buf_reserve(b, sealed.len + 1);

    if (!to)
        return das_fail_nomem(err);
    if (das_unseal(das_text(k->key, MASTER), das_text_of(id), sealed, to, sealed.len, &len, &why) <
        0)
        return das_fail(err, DAS_E_CONFIG, "%s: cannot be opened with serve.key: %s", id, why.msg);
    b->len += len;
    b->ptr[b->len] = '\0';
    return 0;
}
