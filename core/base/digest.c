/* digest.c - see digest.h. */
#include "core/base/digest.h"

#include <openssl/sha.h>

static int sha256(struct das_text t, unsigned char md[SHA256_DIGEST_LENGTH], struct das_err *err)
{
    if (SHA256((const unsigned char *)(t.ptr ? t.ptr : ""), t.len, md))
        return 0;
    return das_fail(err, DAS_E_INTERNAL, "SHA-256 is not available in OpenSSL");
}

int das_sha256_hex(struct das_text t, char out[DAS_SHA256_HEX], struct das_err *err)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char md[SHA256_DIGEST_LENGTH];

    if (sha256(t, md, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof md; i++) {
        out[2 * i] = hex[md[i] >> 4];
        out[2 * i + 1] = hex[md[i] & 15];
    }
    out[2 * sizeof md] = '\0';
    return 0;
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
