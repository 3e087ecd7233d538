/*
 * sign.c - signatures of a preview request a second, against bare SHA-256 of the same bytes.
 *
 *     sign [ROUNDS]     a line for each algorithm: signatures/s, bare/s, median of their ratio
 *
 * Bare is what cannot be saved: the hash of the body, the hash of the canonical request and an HMAC
 * of the text to sign, of the same sizes, with contexts that are set up once. One thread, its
 * processor time, turns.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/cloud/sign.h"

#define BATCH 20000
#define T(s) das_text(s, sizeof(s) - 1)

static const char body[] =
    "{\"user\":\"app_rw\",\"database\":\"shop\",\"command\":\"Query\",\"time\":300,"
    "\"task_duration\":600,\"task_type\":\"manual\",\"keywords\":\"SELECT~order_items\"}";

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "sign: %s\n", what);
    exit(1);
}

/* --- das -------------------------------------------------------------------------------------- */

static double sign_some(struct das_signer *s, struct das_signed *out)
{
    const struct das_sign_pair query[] = {{T("datastore_type"), T("MySQL")}};
    const struct das_sign_pair headers[] = {
        {T("Host"), T("das.cn-north-4.myhuaweicloud.com")},
        {T("Content-Type"), T("application/json")},
        {T("X-Project-Id"), T("0123456789abcdef0123456789abcdef")},
        {T("X-Language"), T("en-us")},
    };
    struct das_sign_request r = {
        .method = T("POST"),
        .path = T("/v3/0123456789abcdef0123456789abcdef/instances/"
                  "0123456789abcdef0123456789abcdefin01/auto-flow/kill-task/preview"),
        .query = query,
        .query_count = 1,
        .headers = headers,
        .header_count = 4,
        .body = T(body),
    };
    double start = now();
    struct das_err err;

    for (int i = 0; i < BATCH; i++) {
        if (das_sign(s, &r, 1764000000 + i % 1000, out, &err) < 0)
            die(err.msg);
    }
    return (now() - start) / BATCH;
}

/* --- bare ------------------------------------------------------------------------------------- */

struct bare {
    EVP_MD *sha;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
};

static void bare_init(struct bare *b)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};

    b->sha = EVP_MD_fetch(NULL, "SHA256", NULL);
    b->digest = EVP_MD_CTX_new();
    b->mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    if (!b->sha || !b->digest || !b->mac ||
        EVP_MAC_init(b->mac, (const unsigned char *)"SecretKey", 9, params) != 1)
        die("OpenSSL");
}

static double bare_some(struct bare *b, const size_t *sizes)
{
    static const unsigned char bytes[4096];
    unsigned char out[32];
    double start = now();
    size_t len;

    for (int i = 0; i < BATCH; i++) {
        for (int k = 0; k < 2; k++) {
            if (EVP_DigestInit_ex2(b->digest, b->sha, NULL) != 1 ||
                EVP_DigestUpdate(b->digest, bytes, sizes[k]) != 1 ||
                EVP_DigestFinal_ex(b->digest, out, NULL) != 1)
                die("OpenSSL");
        }
        if (EVP_MAC_init(b->mac, NULL, 0, NULL) != 1 ||
            EVP_MAC_update(b->mac, bytes, sizes[2]) != 1 ||
            EVP_MAC_final(b->mac, out, &len, sizeof out) != 1)
            die("OpenSSL");
    }
    return (now() - start) / BATCH;
}

static void bare_clear(struct bare *b)
{
    EVP_MAC_CTX_free(b->mac);
    EVP_MD_CTX_free(b->digest);
    EVP_MD_free(b->sha);
}

/* --- both ------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void measure(enum das_sign_algorithm algorithm, int rounds)
{
    struct das_sign_key key = {algorithm, T("HST3ABCDEFGHIJKLMNOP"),
                               T("abcdefghijklmnopqrstuvwxyz0123456789ABCD"), T("cn-north-4"),
                               T("das")};
    /* algorithm, date, hash and line breaks; V11's 20251124/cn-north-4/das besides */
    size_t sizes[3] = {sizeof body - 1, 0, 97 + (algorithm == DAS_V11_HMAC_SHA256 ? 24 : 0)};
    double das[99], bare[99], ratio[99];
    struct das_signed out = {0};
    struct das_err err;
    struct das_signer *s = das_signer_new(&key, &err);
    struct bare b;

    if (!s)
        die(err.msg);
    bare_init(&b);
    sign_some(s, &out);
    sizes[1] = das_signer_canonical(s).len;
    for (int i = 0; i < rounds; i++) {
        das[i] = sign_some(s, &out);
        bare[i] = bare_some(&b, sizes);
        ratio[i] = das[i] / bare[i];
    }
    qsort(das, (size_t)rounds, sizeof *das, ascending);
    qsort(bare, (size_t)rounds, sizeof *bare, ascending);
    qsort(ratio, (size_t)rounds, sizeof *ratio, ascending);
    printf("%s %.0f %.0f %.3f\n", algorithm == DAS_V11_HMAC_SHA256 ? "V11" : "SDK",
           1 / das[rounds / 2], 1 / bare[rounds / 2], ratio[rounds / 2]);
    bare_clear(&b);
    das_signed_clear(&out);
    das_signer_free(s);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 15;

    if (rounds < 1 || rounds > 99)
        return 2;
    measure(DAS_SDK_HMAC_SHA256, rounds);
    measure(DAS_V11_HMAC_SHA256, rounds);
    return 0;
}
