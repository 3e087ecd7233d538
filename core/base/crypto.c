/* crypto.c - see crypto.h. */
#include "core/base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

static const unsigned char *bytes(struct das_text t)
{
    return (const unsigned char *)(t.ptr ? t.ptr : "");
}

/* Leaves nothing in OpenSSL's queue, which belongs to the thread and outlives us. */
static int broken(const char *what, struct das_err *err)
{
    ERR_clear_error();
    return das_fail(err, DAS_E_INTERNAL, "%s is not available in OpenSSL", what);
}

/* --- hashes ----------------------------------------------------------------------------------- */

static const char *const hash_names[] = {"sha1", "sha256", "sha512"};

static const EVP_MD *hash_of(enum das_hash kind)
{
    return kind == DAS_SHA1 ? EVP_sha1() : kind == DAS_SHA256 ? EVP_sha256() : EVP_sha512();
}

int das_hash_find(const char *name)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, hash_names[i]) == 0)
            return i;
    }
    return -1;
}

int das_hash(enum das_hash kind, struct das_text data, struct das_hash_value *out,
             struct das_err *err)
{
    unsigned len = 0;

    if (!EVP_Digest(bytes(data), data.len, out->bytes, &len, hash_of(kind), NULL))
        return broken(hash_names[kind], err);
    out->len = len;
    return 0;
}

int das_hmac(enum das_hash kind, struct das_text key, struct das_text data,
             struct das_hash_value *out, struct das_err *err)
{
    unsigned len = 0;

    if (key.len > INT32_MAX)
        return das_fail(err, DAS_E_USAGE, "hmac: a key of %zu bytes is too long", key.len);
    if (!HMAC(hash_of(kind), bytes(key), (int)key.len, bytes(data), data.len, out->bytes, &len))
        return broken("HMAC", err);
    out->len = len;
    return 0;
}

bool das_bytes_equal(struct das_text a, struct das_text b)
{
    return a.len == b.len && CRYPTO_memcmp(bytes(a), bytes(b), a.len) == 0;
}

int das_random(void *to, size_t n, struct das_err *err)
{
    if (n > INT32_MAX || RAND_priv_bytes(to, (int)n) != 1)
        return broken("a source of random bytes", err);
    return 0;
}

/* --- bytes as text ------------------------------------------------------------------------------ */

static void hex(const unsigned char *from, size_t n, char *to)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    *to = '\0';
}

void das_hex_encode(struct das_text data, struct das_buf *b)
{
    char *to = data.len <= SIZE_MAX / 4 ? das_buf_reserve(b, 2 * data.len) : NULL;

    if (!to)
        return;
    hex(bytes(data), data.len, to);
    b->len += 2 * data.len;
}

int das_random_hex(char *to, size_t n, struct das_err *err)
{
    unsigned char drawn[DAS_RANDOM_HEX_MAX];

    if (n > sizeof drawn)
        return das_fail(err, DAS_E_INTERNAL, "too many random digits");
    if (das_random(drawn, n, err) < 0)
        return -1;
    hex(drawn, n, to);
    return 0;
}

static int hex_digit(unsigned char c)
{
    if (das_is_digit(c))
        return c - '0';
    c = das_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int das_hex_decode(struct das_text text, struct das_buf *b, struct das_err *err)
{
    if (text.len % 2)
        return das_fail(err, DAS_E_DATA, "not hex: an odd number of digits (%zu)", text.len);
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(bytes(text)[i]), low = hex_digit(bytes(text)[i + 1]);
        if (high < 0 || low < 0)
            return das_fail(err, DAS_E_DATA, "not hex: no digit at position %zu",
                            i + (high < 0 ? 1 : 2));
        das_buf_char(b, (char)(high << 4 | low));
    }
    return das_buf_ok(b, err);
}

static const char alphabets[][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void das_base64_encode(enum das_base64 kind, struct das_text data, struct das_buf *b)
{
    const char *alphabet = alphabets[kind];

    for (size_t i = 0; i < data.len; i += 3) {
        size_t n = data.len - i < 3 ? data.len - i : 3;
        uint32_t v = 0;
        char out[4];
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? bytes(data)[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            out[k] = k <= n ? alphabet[v >> (18 - 6 * k) & 63] : '=';
        das_buf_add(b, out, kind == DAS_BASE64 ? 4 : n + 1);
    }
}

static int base64_digit(enum das_base64 kind, unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (das_is_digit(c))
        return c - '0' + 52;
    if (c == (unsigned char)alphabets[kind][62])
        return 62;
    return c == (unsigned char)alphabets[kind][63] ? 63 : -1;
}

int das_base64_decode(enum das_base64 kind, bool strict, struct das_text text, struct das_buf *b,
                      struct das_err *err)
{
    const char *name = kind == DAS_BASE64 ? "base64" : "base64url";
    size_t digits = text.len, pad, bits = 0;
    uint32_t v = 0;

    while (digits > 0 && text.len - digits < 2 && text.ptr[digits - 1] == '=')
        digits--;
    pad = text.len - digits;
    if (digits % 4 == 1 || (pad && text.len % 4) ||
        (strict && pad != (kind == DAS_BASE64 ? (4 - digits % 4) % 4 : 0)))
        return das_fail(err, DAS_E_DATA, "not %s: %zu characters, %zu of them padding", name,
                        text.len, pad);
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(kind, bytes(text)[i]);
        if (digit < 0)
            return das_fail(err, DAS_E_DATA, "not %s: a strange character at position %zu", name,
                            i + 1);
        v = v << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            das_buf_char(b, (char)(v >> bits & 255));
        }
    }
    if (strict && (v & ((1u << bits) - 1)))
        return das_fail(err, DAS_E_DATA, "not %s: bits are left over behind the last byte", name);
    return das_buf_ok(b, err);
}

/* --- AES-CBC ------------------------------------------------------------------------------------- */

#define AES_BLOCK ((size_t)16)

int das_padding_find(const char *name)
{
    static const char *const names[] = {"none", "pkcs7", "pkcs7-32"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

/* How many bytes of p are padding, 0 when it is none. Looks at all that could be, so that the time
 * tells nothing about where it went wrong. OpenSSL's own check stops at 16. */
static size_t padding_of(const unsigned char *p, size_t len, size_t block)
{
    size_t n = len ? p[len - 1] : 0, wrong = 0;

    if (len < block)
        return 0;
    for (size_t i = 0; i < block; i++)
        wrong |= (size_t)(i < n) & (size_t)(p[len - 1 - i] != n);
    return wrong | (size_t)(n > block) ? 0 : n;
}

static int decrypt(const EVP_CIPHER *cipher, struct das_text key, struct das_text iv,
                   struct das_text data, unsigned char *to)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;
    int good = ctx && EVP_DecryptInit_ex(ctx, cipher, NULL, bytes(key), bytes(iv)) &&
               EVP_CIPHER_CTX_set_padding(ctx, 0) &&
               EVP_DecryptUpdate(ctx, to, &n, bytes(data), (int)data.len) &&
               EVP_DecryptFinal_ex(ctx, to + n, &rest) && (size_t)n + (size_t)rest == data.len;

    EVP_CIPHER_CTX_free(ctx);
    return good ? 0 : -1;
}

int das_aes_cbc_decrypt(struct das_text key, struct das_text iv, struct das_text data,
                        enum das_padding padding, struct das_buf *b, struct das_err *err)
{
    const EVP_CIPHER *cipher = key.len == 16   ? EVP_aes_128_cbc()
                               : key.len == 24 ? EVP_aes_192_cbc()
                               : key.len == 32 ? EVP_aes_256_cbc()
                                               : NULL;
    unsigned char *to;
    size_t pad;

    if (!cipher)
        return das_fail(err, DAS_E_USAGE, "the key: expected 16, 24 or 32 bytes, got %zu", key.len);
    if (iv.len != AES_BLOCK)
        return das_fail(err, DAS_E_USAGE, "the iv: expected 16 bytes, got %zu", iv.len);
    if (data.len % AES_BLOCK || data.len > INT32_MAX || (padding != DAS_PAD_NONE && !data.len))
        return das_fail(err, DAS_E_DATA, "%zu bytes are not whole blocks of 16", data.len);
    to = (unsigned char *)das_buf_reserve(b, data.len + AES_BLOCK);
    if (!to)
        return das_fail_nomem(err);
    if (decrypt(cipher, key, iv, data, to) < 0)
        return broken("AES-CBC", err);
    if (padding != DAS_PAD_NONE) {
        pad = padding_of(to, data.len, padding == DAS_PAD_PKCS7 ? AES_BLOCK : 2 * AES_BLOCK);
        if (!pad) {
            OPENSSL_cleanse(to, data.len);
            return das_fail(err, DAS_E_DATA, "the padding is wrong: another key, or damaged data");
        }
        data.len -= pad;
    }
    to[data.len] = '\0';
    b->len += data.len;
    return 0;
}

/* --- sealing ------------------------------------------------------------------------------------- */

#define NONCE ((size_t)12)
#define TAG ((size_t)16)
_Static_assert(NONCE + TAG == DAS_SEAL_OVERHEAD, "what sealing adds");

static int check_seal(struct das_text key, struct das_text about, size_t len, struct das_err *err)
{
    if (key.len != 32)
        return das_fail(err, DAS_E_USAGE, "the key: expected 32 bytes, got %zu", key.len);
    if (about.len > INT32_MAX || len > INT32_MAX)
        return das_fail(err, DAS_E_USAGE, "more than 2 GB cannot be sealed");
    return 0;
}

/* Nonce, encrypted data and tag, from to on. */
static bool encrypt(EVP_CIPHER_CTX *ctx, struct das_text key, struct das_text about,
                    struct das_text data, unsigned char *to)
{
    int n = 0, rest = 0;

    return ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, bytes(key), to) &&
           EVP_EncryptUpdate(ctx, NULL, &n, bytes(about), (int)about.len) &&
           EVP_EncryptUpdate(ctx, to + NONCE, &n, bytes(data), (int)data.len) &&
           EVP_EncryptFinal_ex(ctx, to + NONCE + n, &rest) && (size_t)n == data.len &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)TAG, to + NONCE + data.len);
}

int das_seal(struct das_text key, struct das_text about, struct das_text data, struct das_buf *b,
             struct das_err *err)
{
    EVP_CIPHER_CTX *ctx;
    unsigned char *to;
    bool good;

    if (check_seal(key, about, data.len, err) < 0)
        return -1;
    to = (unsigned char *)das_buf_reserve(b, data.len + DAS_SEAL_OVERHEAD);
    if (!to)
        return das_fail_nomem(err);
    if (das_random(to, NONCE, err) < 0)
        return -1;
    ctx = EVP_CIPHER_CTX_new();
    good = encrypt(ctx, key, about, data, to);
    EVP_CIPHER_CTX_free(ctx);
    if (!good)
        return broken("AES-GCM", err);
    b->len += data.len + DAS_SEAL_OVERHEAD;
    b->ptr[b->len] = '\0';
    return 0;
}

/* 1: it is as it was sealed; 0: it is not; -1. */
static int open_sealed(EVP_CIPHER_CTX *ctx, struct das_text key, struct das_text about,
                       const unsigned char *from, size_t len, unsigned char *to)
{
    unsigned char tag[TAG];
    int n = 0, rest = 0;

    memcpy(tag, from + NONCE + len, TAG);
    if (!ctx || !EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, bytes(key), from) ||
        !EVP_DecryptUpdate(ctx, NULL, &n, bytes(about), (int)about.len) ||
        !EVP_DecryptUpdate(ctx, to, &n, from + NONCE, (int)len) ||
        !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)TAG, tag))
        return -1;
    return EVP_DecryptFinal_ex(ctx, to + n, &rest) > 0;
}

int das_unseal(struct das_text key, struct das_text about, struct das_text sealed, char *out,
               size_t size, size_t *len, struct das_err *err)
{
    size_t n = sealed.len >= DAS_SEAL_OVERHEAD ? sealed.len - DAS_SEAL_OVERHEAD : 0;
    EVP_CIPHER_CTX *ctx;
    int good;

    *len = 0;
    if (check_seal(key, about, sealed.len, err) < 0)
        return -1;
    if (sealed.len < DAS_SEAL_OVERHEAD)
        return das_fail(err, DAS_E_DATA, "%zu bytes are too few to be something sealed",
                        sealed.len);
    if (n > size)
        return das_fail(err, DAS_E_USAGE, "there is room for %zu bytes, %zu are sealed", size, n);
    ctx = EVP_CIPHER_CTX_new();
    good = open_sealed(ctx, key, about, bytes(sealed), n, (unsigned char *)out);
    EVP_CIPHER_CTX_free(ctx);
    if (good <= 0)
        OPENSSL_cleanse(out, n);
    if (good < 0)
        return broken("AES-GCM", err);
    ERR_clear_error();
    if (!good)
        return das_fail(err, DAS_E_DATA,
                        "it was sealed with another key, for something else, or was changed since");
    *len = n;
    return 0;
}

/* --- Ed25519 ------------------------------------------------------------------------------------- */

int das_ed25519_verify(struct das_text key, struct das_text message, struct das_text signature,
                       bool *good, struct das_err *err)
{
    EVP_PKEY *pkey = NULL;
    EVP_MD_CTX *ctx = NULL;
    int rc = -1;

    *good = false;
    if (key.len != 32)
        return das_fail(err, DAS_E_USAGE, "the public key: expected 32 bytes, got %zu", key.len);
    if (signature.len != 64)
        return 0;
    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes(key), key.len);
    ctx = EVP_MD_CTX_new();
    if (!pkey || !ctx || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1) {
        broken("Ed25519", err);
        goto done;
    }
    *good = EVP_DigestVerify(ctx, bytes(signature), signature.len, bytes(message), message.len) == 1;
    ERR_clear_error();
    rc = 0;
done:
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return rc;
}
