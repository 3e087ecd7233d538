/* sign.c - see sign.h. */
#include "core/cloud/sign_impl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "core/base/calendar.h"
#include "core/base/crypto.h"
#include "core/base/mem.h"

#define TO_SIGN_MAX ((size_t)INFO_MAX + 200)

static const char *const algorithms[] = {"SDK-HMAC-SHA256", "V11-HMAC-SHA256"};

/* Leaves nothing in OpenSSL's queue, which belongs to the thread and outlives us. */
static int broken(const char *what, struct das_err *err)
{
    ERR_clear_error();
    return das_fail(err, DAS_E_INTERNAL, "%s is not available in OpenSSL", what);
}

static void wipe(struct das_buf *b)
{
    if (b->ptr)
        OPENSSL_cleanse(b->ptr, b->cap);
    das_buf_clear(b);
}

int das_sign_empty(struct das_buf *b, size_t n, struct das_err *err)
{
    das_buf_reset(b);
    if (b->cap <= n) {
        wipe(b);
        das_buf_reserve(b, n);
    }
    return das_buf_ok(b, err);
}

/* --- the key ---------------------------------------------------------------------------------- */

static int check_word(const char *what, struct das_text t, struct das_err *err)
{
    if (das_sign_is_word(t))
        return 0;
    return das_fail(err, DAS_E_USAGE,
                    "%s: expected 1 to %d visible characters without \",\" and \"/\", got %s", what,
                    DAS_SIGN_WORD_MAX,
                    !t.len                      ? "none"
                    : t.len > DAS_SIGN_WORD_MAX ? "more"
                                                : "others");
}

static int check_key(const struct das_sign_key *key, struct das_err *err)
{
    if (check_word("access key", key->access, err) < 0)
        return -1;
    if (!key->secret.ptr || !key->secret.len)
        return das_fail(err, DAS_E_USAGE, "secret key: is empty");
    if (key->algorithm == DAS_V11_HMAC_SHA256 && (check_word("region", key->region, err) < 0 ||
                                                  check_word("service", key->service, err) < 0))
        return -1;
    return 0;
}

static bool mac_key(EVP_MAC_CTX *ctx, const void *key, size_t len)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};

    return EVP_MAC_init(ctx, key, len, params) == 1;
}

static int open_ssl(struct das_signer *s, struct das_err *err)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    s->sha = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->digest = EVP_MD_CTX_new();
    s->plain = EVP_MAC_CTX_new(hmac);
    s->derived = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the contexts hold it */
    if (!s->sha || !s->digest || !s->plain || !s->derived ||
        !mac_key(s->plain, s->key.secret.ptr, s->key.secret.len))
        return broken("HMAC-SHA256", err);
    return 0;
}

struct das_signer *das_signer_new(const struct das_sign_key *key, struct das_err *err)
{
    struct das_signer *s;

    if (check_key(key, err) < 0)
        return NULL;
    s = das_calloc(1, sizeof *s);
    if (!s) {
        das_fail_nomem(err);
        return NULL;
    }
    s->key = *key;
    if (open_ssl(s, err) < 0 || das_sign_empty(&s->to_sign, TO_SIGN_MAX, err) < 0) {
        das_signer_free(s);
        return NULL;
    }
    return s;
}

void das_signer_free(struct das_signer *s)
{
    if (!s)
        return;
    EVP_MAC_CTX_free(s->derived); /* OpenSSL wipes keys itself */
    EVP_MAC_CTX_free(s->plain);
    EVP_MD_CTX_free(s->digest);
    EVP_MD_free(s->sha);
    wipe(&s->canonical);
    wipe(&s->to_sign);
    das_free(s->order);
    das_free(s);
}

struct das_text das_signer_canonical(const struct das_signer *s)
{
    return das_buf_view(&s->canonical);
}

int das_sign_hash(struct das_signer *s, struct das_text data, unsigned char *out,
                  struct das_err *err)
{
    if (EVP_DigestInit_ex2(s->digest, s->sha, NULL) != 1 ||
        EVP_DigestUpdate(s->digest, data.ptr ? data.ptr : "", data.len) != 1 ||
        EVP_DigestFinal_ex(s->digest, out, NULL) != 1)
        return broken("SHA-256", err);
    return 0;
}

/* --- the signature ---------------------------------------------------------------------------- */

/* HKDF, and its result as hex digits is V11's key. */
static bool derive(const struct das_signer *s, const char *info, size_t info_len,
                   struct das_buf *hex)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256", about[INFO_MAX];
    unsigned char key[SHA_LEN];
    /* OpenSSL reads them only, whatever its types say. */
    OSSL_PARAM params[5] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        {OSSL_KDF_PARAM_KEY, OSSL_PARAM_OCTET_STRING, (void *)(uintptr_t)s->key.secret.ptr,
         s->key.secret.len, OSSL_PARAM_UNMODIFIED},
        {OSSL_KDF_PARAM_SALT, OSSL_PARAM_OCTET_STRING, (void *)(uintptr_t)s->key.access.ptr,
         s->key.access.len, OSSL_PARAM_UNMODIFIED},
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, about, info_len),
        OSSL_PARAM_construct_end(),
    };
    bool good;

    memcpy(about, info, info_len);
    good = ctx && EVP_KDF_derive(ctx, key, sizeof key, params) == 1;
    if (good)
        das_sign_hex(hex, key);
    OPENSSL_cleanse(key, sizeof key);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return good && !hex->failed;
}

/* The key changes once a day. */
static int derived_key(struct das_signer *s, struct das_text info, struct das_err *err)
{
    struct das_buf hex = {0};
    int rc = -1;

    if (s->info_len == info.len && memcmp(s->info, info.ptr, info.len) == 0)
        return 0;
    s->info_len = 0;
    if (das_sign_empty(&hex, SHA_HEX, err) < 0)
        goto done;
    if (info.len > sizeof s->info || !derive(s, info.ptr, info.len, &hex) ||
        !mac_key(s->derived, hex.ptr, hex.len)) {
        broken("HKDF-SHA256", err);
        goto done;
    }
    memcpy(s->info, info.ptr, info.len);
    s->info_len = info.len;
    rc = 0;
done:
    wipe(&hex);
    return rc;
}

/* The canonical request is there; info is V11's. */
static int signature(struct das_signer *s, enum das_sign_algorithm algorithm, struct das_text date,
                     struct das_text info, unsigned char *mac, struct das_err *err)
{
    EVP_MAC_CTX *ctx = algorithm == DAS_V11_HMAC_SHA256 ? s->derived : s->plain;
    unsigned char sha[SHA_LEN];
    size_t len = 0;

    if (das_sign_hash(s, das_buf_view(&s->canonical), sha, err) < 0 ||
        das_sign_empty(&s->to_sign, TO_SIGN_MAX, err) < 0)
        return -1;
    das_buf_str(&s->to_sign, algorithms[algorithm]);
    das_buf_char(&s->to_sign, '\n');
    das_buf_text(&s->to_sign, date);
    das_buf_char(&s->to_sign, '\n');
    if (algorithm == DAS_V11_HMAC_SHA256) {
        if (derived_key(s, info, err) < 0)
            return -1;
        das_buf_text(&s->to_sign, info);
        das_buf_char(&s->to_sign, '\n');
    }
    das_sign_hex(&s->to_sign, sha);
    if (das_buf_ok(&s->to_sign, err) < 0)
        return -1;
    /* Without a key: with the one that it has. */
    if (EVP_MAC_init(ctx, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(ctx, (const unsigned char *)s->to_sign.ptr, s->to_sign.len) != 1 ||
        EVP_MAC_final(ctx, mac, &len, SHA_LEN) != 1 || len != SHA_LEN)
        return broken("HMAC-SHA256", err);
    return 0;
}

static char *two_digits(char *to, int64_t v)
{
    *to++ = (char)('0' + v / 10 % 10);
    *to++ = (char)('0' + v % 10);
    return to;
}

static int write_date(int64_t unix_s, char *to, struct das_err *err)
{
    int64_t days, second, year;
    int month, day;

    if (unix_s < DAS_UNIX_MIN || unix_s > DAS_UNIX_MAX)
        return das_fail(err, DAS_E_USAGE, "time: expected one in the years 0 to 9999");
    days = (unix_s >= 0 ? unix_s : unix_s - DAS_DAY + 1) / DAS_DAY;
    second = unix_s - days * DAS_DAY;
    das_day_split(days, &year, &month, &day);
    to = two_digits(two_digits(to, year / 100), year % 100);
    to = two_digits(two_digits(to, month), day);
    *to++ = 'T';
    to = two_digits(two_digits(to, second / 3600), second / 60 % 60);
    to = two_digits(to, second % 60);
    *to++ = 'Z';
    *to = '\0';
    return 0;
}

/* V11's DATE/REGION/SERVICE; to has INFO_MAX bytes. */
static struct das_text write_info(const struct das_sign_key *key, const char *date, char *to)
{
    size_t n = 8, region = key->region.len, service = key->service.len;

    memcpy(to, date, n);
    to[n++] = '/';
    memcpy(to + n, key->region.ptr, region);
    n += region;
    to[n++] = '/';
    memcpy(to + n, key->service.ptr, service);
    return das_text(to, n + service);
}

static void write_authorization(const struct das_signer *s, struct das_text info,
                                struct das_text names, const unsigned char *mac, struct das_buf *b)
{
    das_buf_str(b, algorithms[s->key.algorithm]);
    das_buf_str(b, info.len ? " Credential=" : " Access=");
    das_buf_text(b, s->key.access);
    if (info.len)
        das_buf_char(b, '/');
    das_buf_text(b, info);
    das_buf_str(b, ", SignedHeaders=");
    das_buf_text(b, names);
    das_buf_str(b, ", Signature=");
    das_sign_hex(b, mac);
}

int das_sign(struct das_signer *s, const struct das_sign_request *r, int64_t unix_s,
             struct das_signed *out, struct das_err *err)
{
    const struct das_sign_pair date = {das_text_of("X-Sdk-Date"),
                                       das_text(out->date, DAS_SIGN_DATE_LEN)};
    struct das_text info = DAS_TEXT_NULL, names;
    char text[INFO_MAX];
    unsigned char mac[SHA_LEN];

    das_buf_reset(&out->authorization); /* on failure, no old one is sent */
    if (write_date(unix_s, out->date, err) < 0)
        return -1;
    if (s->key.algorithm == DAS_V11_HMAC_SHA256)
        info = write_info(&s->key, out->date, text);
    if (das_sign_canonical(s, r, &date, DAS_TEXT_NULL, &names, err) < 0 ||
        signature(s, s->key.algorithm, date.value, info, mac, err) < 0)
        return -1;
    write_authorization(s, info, names, mac, &out->authorization);
    return das_buf_ok(&out->authorization, err);
}

void das_signed_clear(struct das_signed *out)
{
    das_buf_clear(&out->authorization);
}

int das_sign_verify(struct das_signer *s, const struct das_sign_request *r,
                    const struct das_sign_auth *a, struct das_err *err)
{
    struct das_buf *b = &s->to_sign;
    struct das_text names;
    unsigned char mac[SHA_LEN];
    bool same;

    if (!das_text_eq(a->access, s->key.access))
        return das_fail(err, DAS_E_AUTH, "Access: another key than the one to verify with");
    if (das_sign_canonical(s, r, NULL, a->headers, &names, err) < 0 ||
        signature(s, a->algorithm, a->date, a->info, mac, err) < 0 ||
        das_sign_empty(b, TO_SIGN_MAX, err) < 0)
        return -1;
    das_sign_hex(b, mac);
    same = das_bytes_equal(das_buf_view(b), a->signature);
    OPENSSL_cleanse(mac, sizeof mac);
    OPENSSL_cleanse(b->ptr, b->len);
    if (!same)
        return das_fail(err, DAS_E_AUTH,
                        "Signature: is not that of this request with the secret of "
                        "its access key");
    return 0;
}
