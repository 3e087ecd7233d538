/* digest.c - see digest.h. */
#include "core/base/digest.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "core/base/mem.h"

struct das_sha256 {
    EVP_MD_CTX *ctx;
};

static int unavailable(struct das_err *err)
{
    return das_fail(err, DAS_E_INTERNAL, "SHA-256 is not available in OpenSSL");
}

static void to_hex(const unsigned char md[SHA256_DIGEST_LENGTH], char out[DAS_SHA256_HEX])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        out[2 * i] = hex[md[i] >> 4];
        out[2 * i + 1] = hex[md[i] & 15];
    }
    out[2 * SHA256_DIGEST_LENGTH] = '\0';
}

static int sha256(struct das_text t, unsigned char md[SHA256_DIGEST_LENGTH], struct das_err *err)
{
    if (SHA256((const unsigned char *)(t.ptr ? t.ptr : ""), t.len, md))
        return 0;
    return unavailable(err);
}

int das_sha256_hex(struct das_text t, char out[DAS_SHA256_HEX], struct das_err *err)
{
    unsigned char md[SHA256_DIGEST_LENGTH];

    if (sha256(t, md, err) < 0)
        return -1;
    to_hex(md, out);
    return 0;
}

struct das_sha256 *das_sha256_new(struct das_err *err)
{
    struct das_sha256 *h = das_calloc(1, sizeof *h);

    if (!h) {
        das_fail_nomem(err);
        return NULL;
    }
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || !EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL)) {
        unavailable(err);
        das_sha256_free(h);
        return NULL;
    }
    return h;
}

int das_sha256_add(struct das_sha256 *h, struct das_text t, struct das_err *err)
{
    return EVP_DigestUpdate(h->ctx, t.ptr, t.len) ? 0 : unavailable(err);
}

int das_sha256_read(const struct das_sha256 *h, char out[DAS_SHA256_HEX], struct das_err *err)
{
    unsigned char md[SHA256_DIGEST_LENGTH];
    EVP_MD_CTX *copy = EVP_MD_CTX_new(); /* finishing would end the original */
    int rc = 0;

    if (!copy || !EVP_MD_CTX_copy_ex(copy, h->ctx) || !EVP_DigestFinal_ex(copy, md, NULL))
        rc = unavailable(err);
    else
        to_hex(md, out);
    EVP_MD_CTX_free(copy);
    return rc;
}

void das_sha256_free(struct das_sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    das_free(h);
}

int das_digest64(struct das_text t, uint64_t *out, struct das_err *err)
{
    unsigned char md[SHA256_DIGEST_LENGTH];
    uint64_t v = 0;

    *out = 0;
    if (!t.ptr)
        return 0;
    if (sha256(t, md, err) < 0)
        return -1;
    for (int i = 0; i < 8; i++)
        v = v << 8 | md[i];
    *out = v ? v : 1;
    return 0;
}
