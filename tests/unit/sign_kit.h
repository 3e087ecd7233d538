/*
 * sign_kit.h - what the tests of signatures share: the key of the vendor's SDKs' own tests, and
 * requests in a line.
 */
#ifndef DAS_TESTS_SIGN_KIT_H
#define DAS_TESTS_SIGN_KIT_H

#include "core/cloud/sign.h"
#include "tests/unit/kit.h"

#define T(s) das_text(s, sizeof(s) - 1)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define GO_TIME 1136214245 /* 20060102T150405Z */
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct das_err err;
static struct das_signed out;

static const struct das_sign_key sdk = {.access = {"AccessKey", 9}, .secret = {"SecretKey", 9}};
static const struct das_sign_key v11 = {.algorithm = DAS_V11_HMAC_SHA256,
                                        .access = {"AccessKey", 9},
                                        .secret = {"SecretKey", 9},
                                        .region = {"test-region-1", 13},
                                        .service = {"demo", 4}};

static inline struct das_signer *signer(const struct das_sign_key *key)
{
    struct das_signer *s = das_signer_new(key, &err);

    must(s != NULL, "a signer");
    return s;
}

static inline struct das_sign_request request(const char *method, const char *path)
{
    return (struct das_sign_request){.method = das_text_of(method), .path = das_text_of(path)};
}

#define WITH_QUERY(r, list) ((r).query = (list), (r).query_count = COUNT(list))
#define WITH_HEADERS(r, list) ((r).headers = (list), (r).header_count = COUNT(list))

#endif
