/*
 * fuzz_sign.c - any bytes as a request to sign, as an Authorization and as a target. What is signed
 * must verify, also after its way over the wire; with one byte of it changed it must not.
 */
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/cloud/sign.h"

#define PAIRS 6
#define ADDED 2 /* X-Sdk-Date and Authorization */
#define T(s) das_text(s, sizeof(s) - 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of the input; a copy, so that it can be changed. */
struct input {
    char *p;
    size_t left;
};

static struct das_err err;

static unsigned char byte(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return (unsigned char)*in->p++;
}

static struct das_text take(struct input *in)
{
    size_t n = byte(in);
    struct das_text t;

    if (n > in->left)
        n = in->left;
    t = das_text(in->p, n);
    in->p += n;
    in->left -= n;
    return t;
}

static char *bytes_of(struct das_text t)
{
    return (char *)(uintptr_t)t.ptr; /* they are ours */
}

/* Into what a request may carry: most of what comes would be refused at once. */
static void tidy(struct das_text t, const char *allowed)
{
    size_t n = strlen(allowed);

    for (size_t i = 0; i < t.len; i++)
        bytes_of(t)[i] = allowed[(unsigned char)t.ptr[i] % n];
}

static void tidy_value(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.ptr[i] < ' ' || t.ptr[i] == 0x7f)
            bytes_of(t)[i] = i % 2 ? ' ' : '\t';
    }
}

static struct das_sign_request read_request(struct input *in, struct das_sign_pair *query,
                                            struct das_sign_pair *headers)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char token[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_!#$%&'*+.^`|~";
    unsigned char how = byte(in);
    struct das_sign_request r = {.query = query, .headers = headers};

    r.method = take(in);
    r.path = take(in);
    if (how & 1) {
        tidy(r.method, letters);
        if (r.path.len)
            bytes_of(r.path)[0] = '/';
    }
    for (size_t n = byte(in) % PAIRS; r.query_count < n; r.query_count++)
        query[r.query_count] = (struct das_sign_pair){take(in), take(in)};
    for (size_t n = byte(in) % PAIRS; r.header_count < n; r.header_count++) {
        struct das_sign_pair *h = &headers[r.header_count];
        *h = (struct das_sign_pair){take(in), take(in)};
        if (how & 2)
            tidy(h->name, token);
        if (how & 4)
            tidy_value(h->value);
        if (das_text_iis(h->name, "authorization")) /* das adds its own */
            h->name = T("X-Other");
    }
    if (how & 8 && r.header_count)
        headers[0] = (struct das_sign_pair){T("X-Sdk-Content-Sha256"), T("UNSIGNED-PAYLOAD")};
    r.body = take(in);
    return r;
}

static bool verifies(struct das_signer *s, const struct das_sign_request *r)
{
    struct das_sign_auth a;

    err.code = DAS_OK;
    err.msg[0] = '\0';
    if (das_sign_read(r, &a, &err) == 0 && das_sign_verify(s, r, &a, &err) == 0)
        return true;
    if (err.code == DAS_OK || !err.msg[0])
        abort();
    return false;
}

static void over_the_wire(struct das_signer *s, const struct das_sign_request *r)
{
    struct das_buf wire = {0};
    struct das_sign_target t = {0};
    struct das_sign_request got = *r;

    das_sign_target_write(r, &wire);
    if (das_sign_target_read(&t, das_buf_view(&wire), &err) < 0)
        abort();
    got.path = t.path;
    got.query = t.query;
    got.query_count = t.count;
    if (!verifies(s, &got))
        abort();
    das_sign_target_clear(&t);
    das_buf_clear(&wire);
}

/* --- one byte --------------------------------------------------------------------------------- */

/* The value of a signed header counts without the blanks around it. */
static bool value_differs(struct das_text value, size_t at, char to)
{
    char *p = bytes_of(value), old = p[at];
    struct das_text before = das_text_trim(value), after;
    bool same;

    p[at] = to;
    after = das_text_trim(value);
    same = before.ptr == after.ptr && before.len == after.len &&
           (p + at < before.ptr || p + at >= before.ptr + before.len);
    p[at] = old;
    return !same;
}

static void change(struct das_signer *s, const struct das_sign_request *r, struct das_text part,
                   size_t at, unsigned char with, bool value)
{
    char *p = bytes_of(part), old;

    if (!part.len || !with)
        return;
    at %= part.len;
    old = p[at];
    if (value && !value_differs(part, at, (char)(old ^ with)))
        return;
    p[at] = (char)(old ^ with);
    if (verifies(s, r))
        abort();
    p[at] = old;
}

/* A name in other letters is the same name. */
static void change_name(struct das_signer *s, const struct das_sign_request *r,
                        struct das_text name, size_t at, unsigned char with)
{
    if (!name.len || das_lower((unsigned char)name.ptr[at % name.len]) ==
                         das_lower((unsigned char)(name.ptr[at % name.len] ^ (char)with)))
        return;
    change(s, r, name, at, with, false);
}

static bool is_ours(struct das_text t)
{
    return das_text_is(t, "X-Other") || das_text_is(t, "X-Sdk-Content-Sha256") ||
           das_text_is(t, "UNSIGNED-PAYLOAD");
}

static void change_header(struct das_signer *s, const struct das_sign_request *r, size_t at,
                          unsigned char with)
{
    const struct das_sign_pair *h = &r->headers[at % r->header_count];
    size_t last = r->header_count - 1;
    struct das_text all = r->headers[last].value;

    if (h->name.len && memchr(h->name.ptr, '_', h->name.len))
        return;                   /* not signed */
    if (h == &r->headers[last]) { /* blanks between its parts do not count */
        if (all.ptr[at / 7 % all.len] != ' ')
            change(s, r, all, at / 7, with, false);
        return;
    }
    if (!is_ours(h->value))
        change(s, r, h->value, at / 7, with, true);
    if (h != &r->headers[last - 1] && !is_ours(h->name))
        change_name(s, r, h->name, at / 7, with);
}

static void change_one(struct das_signer *s, const struct das_sign_request *r, struct input *in)
{
    unsigned char which = byte(in), with = byte(in);
    size_t at = (size_t)byte(in) << 8 | byte(in), last = r->header_count - 1;
    struct das_text all = r->headers[last].value;

    with = with ? with : 1;
    switch (which % 6) {
    case 0:
        change(s, r, r->method, at, with, false);
        break;
    case 1:
        change(s, r, r->path, at, with, false);
        break;
    case 2:
        if (r->query_count) {
            change(s, r, r->query[at % r->query_count].name, at / 7, with, false);
            change(s, r, r->query[at % r->query_count].value, at / 7, with, false);
        }
        break;
    case 3:
        change_header(s, r, at, with);
        break;
    case 4:
        if (!das_sign_header(r, "x-sdk-content-sha256").ptr)
            change(s, r, r->body, at, with, false);
        break;
    default: /* the signature */
        change(s, r, das_text(all.ptr + all.len - 64, 64), at, with, false);
    }
}

/* --- one request ------------------------------------------------------------------------------ */

static void sign_and_verify(struct input *in)
{
    struct das_sign_pair query[PAIRS], headers[PAIRS + ADDED];
    struct das_sign_key key = {byte(in) % 2 ? DAS_V11_HMAC_SHA256 : DAS_SDK_HMAC_SHA256,
                               T("AccessKey"), T("SecretKey"), T("cn-north-4"), T("das")};
    struct das_sign_request r = read_request(in, query, headers);
    struct das_signer *from = das_signer_new(&key, &err), *to;
    struct das_signed out = {0};

    key.algorithm = DAS_SDK_HMAC_SHA256;
    to = das_signer_new(&key, &err);
    if (!from || !to)
        abort();
    err.code = DAS_OK;
    if (das_sign(from, &r, 1136214245 + byte(in), &out, &err) == 0) {
        headers[r.header_count++] =
            (struct das_sign_pair){T("x-sdk-date"), das_text(out.date, DAS_SIGN_DATE_LEN)};
        headers[r.header_count++] =
            (struct das_sign_pair){T("authorization"), das_buf_view(&out.authorization)};
        if (!verifies(to, &r))
            abort();
        over_the_wire(to, &r);
        change_one(to, &r, in);
        if (!verifies(to, &r))
            abort();
    } else if (err.code != DAS_E_USAGE || strlen(err.msg) < 10 || out.authorization.len) {
        abort();
    }
    das_signed_clear(&out);
    das_signer_free(from);
    das_signer_free(to);
}

static void read_only(struct das_text any)
{
    struct das_sign_target t = {0};
    struct das_sign_auth a;

    err.code = DAS_OK;
    if (das_sign_parse(any, &a, &err) == 0) {
        if (!a.access.len || !a.headers.len || a.signature.len != 64)
            abort();
    } else if (err.code != DAS_E_DATA) {
        abort();
    }
    err.code = DAS_OK;
    if (das_sign_target_read(&t, any, &err) < 0 && err.code != DAS_E_DATA)
        abort();
    das_sign_target_clear(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = das_strndup((const char *)data, size);
    struct input in = {copy, size};

    if (!copy)
        abort();
    read_only(das_text((const char *)data, size));
    sign_and_verify(&in);
    das_free(copy);
    return 0;
}
