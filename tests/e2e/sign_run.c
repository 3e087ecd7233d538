/*
 * sign_run.c - signs and verifies what it is told, a request a line, for sign.t.
 *
 *     sign_run sign   <LINES    ALGORITHM ACCESS SECRET REGION SERVICE TIME METHOD PATH QUERY
 * HEADERS BODY sign_run verify <LINES    SECRET METHOD TARGET HEADERS BODY
 *
 * ALGORITHM is SDK or V11, TIME Unix seconds, all else hex digits; QUERY and HEADERS are lists of
 * NAME:VALUE, joined by commas; "-" stands for nothing. Out comes a line for each: the date, the
 * value of Authorization and the target on the wire, separated by tabs; or "good", time, access
 * key and signature; or "error", code and message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/cloud/sign.h"

#define PAIRS 64
#define FIELDS 11

static struct das_err err;

static void die(const char *what)
{
    fprintf(stderr, "sign_run: %s\n", what);
    exit(2);
}

static struct das_text unhex(struct das_text t)
{
    char *to = strndup(t.ptr, t.len);
    struct das_buf b = {0};

    if (!to || das_hex_decode(t, &b, &err) < 0)
        die("not hex");
    memcpy(to, b.ptr ? b.ptr : "", b.len);
    t = das_text(to, b.len);
    das_buf_clear(&b);
    return t;
}

static size_t unlist(struct das_text t, struct das_sign_pair *pairs)
{
    const char *p = t.ptr, *end = t.ptr + t.len;
    size_t n = 0;

    while (p <= end) {
        const char *comma = memchr(p, ',', (size_t)(end - p)), *colon;
        size_t len = (size_t)((comma ? comma : end) - p);
        colon = memchr(p, ':', len);
        if (!colon || n == PAIRS)
            die("not a list");
        pairs[n].name = unhex(das_text(p, (size_t)(colon - p)));
        pairs[n++].value = unhex(das_text(colon + 1, len - (size_t)(colon - p) - 1));
        p += len + 1;
    }
    return n;
}

static void free_pairs(struct das_sign_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)(uintptr_t)pairs[i].name.ptr);
        free((char *)(uintptr_t)pairs[i].value.ptr);
    }
}

static void split(char *text, struct das_text *field, size_t count)
{
    text[strcspn(text, "\n")] = '\0';
    for (size_t i = 0; i < count; i++) {
        char *word = strsep(&text, " ");
        if (!word)
            die("a field is missing");
        field[i] = das_text_of(strcmp(word, "-") == 0 ? "" : word);
    }
}

static int failed(void)
{
    return printf("error %s %s\n", das_code_name(err.code), err.msg);
}

static void sign_line(char *text)
{
    struct das_text f[FIELDS], hex[FIELDS];
    struct das_sign_pair query[PAIRS], headers[PAIRS];
    struct das_sign_request r = {.query = query, .headers = headers};
    struct das_sign_key key = {0};
    struct das_signed out = {0};
    struct das_signer *s;
    struct das_buf target = {0};

    split(text, hex, FIELDS);
    for (size_t i = 0; i < FIELDS; i++)
        f[i] = i == 0 || i == 5 || i == 8 || i == 9 ? DAS_TEXT_NULL : unhex(hex[i]);
    r.query_count = hex[8].len ? unlist(hex[8], query) : 0;
    r.header_count = hex[9].len ? unlist(hex[9], headers) : 0;
    key = (struct das_sign_key){das_text_is(hex[0], "V11") ? DAS_V11_HMAC_SHA256
                                                           : DAS_SDK_HMAC_SHA256,
                                f[1], f[2], f[3], f[4]};
    r.method = f[6];
    r.path = f[7];
    r.body = f[10];
    s = das_signer_new(&key, &err);
    if (!s || das_sign(s, &r, atoll(hex[5].ptr), &out, &err) < 0) {
        failed();
    } else {
        das_sign_target_write(&r, &target);
        printf("%s\t%s\t%s\n", out.date, out.authorization.ptr, target.ptr);
    }
    das_signer_free(s);
    das_signed_clear(&out);
    das_buf_clear(&target);
    free_pairs(query, r.query_count);
    free_pairs(headers, r.header_count);
    for (size_t i = 0; i < FIELDS; i++)
        free((char *)(uintptr_t)f[i].ptr);
}

static int verify(struct das_sign_request *r, struct das_text secret, struct das_text wire,
                  struct das_sign_auth *a)
{
    struct das_sign_target t = {0};
    struct das_sign_key key = {.secret = secret};
    struct das_signer *s = NULL;
    int rc = das_sign_target_read(&t, wire, &err);

    if (rc == 0)
        rc = das_sign_read(r, a, &err);
    if (rc == 0) {
        r->path = t.path;
        r->query = t.query;
        r->query_count = t.count;
        key.access = a->access;
        s = das_signer_new(&key, &err);
        rc = s ? das_sign_verify(s, r, a, &err) : -1;
    }
    das_signer_free(s);
    das_sign_target_clear(&t);
    return rc;
}

static void verify_line(char *text)
{
    struct das_text f[5], hex[5];
    struct das_sign_pair headers[PAIRS];
    struct das_sign_request r = {.headers = headers};
    struct das_sign_auth a;

    split(text, hex, 5);
    for (size_t i = 0; i < 5; i++)
        f[i] = i == 3 ? DAS_TEXT_NULL : unhex(hex[i]);
    r.header_count = hex[3].len ? unlist(hex[3], headers) : 0;
    r.method = f[1];
    r.body = f[4];
    if (verify(&r, f[0], f[2], &a) < 0)
        failed();
    else
        printf("good %lld %.*s %.*s\n", (long long)a.time, (int)a.access.len, a.access.ptr,
               (int)a.signature.len, a.signature.ptr);
    free_pairs(headers, r.header_count);
    for (size_t i = 0; i < 5; i++)
        free((char *)(uintptr_t)f[i].ptr);
}

int main(int argc, char **argv)
{
    char *text = NULL;
    size_t cap = 0;

    if (argc != 2)
        die("sign or verify");
    while (getline(&text, &cap, stdin) > 0) {
        if (strcmp(argv[1], "sign") == 0)
            sign_line(text);
        else
            verify_line(text);
    }
    free(text);
    return 0;
}
