/*
 * test_sign.c - signatures against the vectors of the vendor's SDKs (Go and Python), the canonical
 * form at its edges, keys, and memory that runs out.
 */
#include "core/base/crypto.h"
#include "tests/unit/sign_kit.h"

#define PY_TIME 1591583940 /* 20200608T023900Z */

/* The canonical request, or the message. */
static const char *canonical(const struct das_sign_request *r)
{
    static char text[4000];
    struct das_signer *s = das_signer_new(&sdk, &err);

    if (!s || das_sign(s, r, GO_TIME, &out, &err) < 0)
        snprintf(text, sizeof text, "%s", err.msg);
    else
        snprintf(text, sizeof text, "%.*s", (int)das_signer_canonical(s).len,
                 das_signer_canonical(s).ptr);
    das_signer_free(s);
    return text;
}

/* A line of it; four live at a time. */
static const char *line(const struct das_sign_request *r, int n)
{
    static char ring[4][1000];
    static unsigned next;
    const char *p = canonical(r);
    char *to = ring[next++ % 4];

    for (; n > 1 && strchr(p, '\n'); n--)
        p = strchr(p, '\n') + 1;
    snprintf(to, sizeof ring[0], "%.*s", (int)strcspn(p, "\n"), p);
    return to;
}

static const char *path_of(const char *path)
{
    struct das_sign_request r = request("GET", path);

    return line(&r, 2);
}

static const char *query_of(const struct das_sign_pair *query, size_t n)
{
    struct das_sign_request r = request("GET", "/");

    r.query = query;
    r.query_count = n;
    return line(&r, 3);
}
#define QUERY(list) query_of(list, COUNT(list))

/* --- vectors ---------------------------------------------------------------------------------- */

struct vector {
    const char *name, *method, *path;
    struct das_sign_pair query, header; /* the header is one that is not signed, or Host */
    const char *body;
    int64_t time;
    const char *date, *headers, *canonical, *signature, *v11;
};

static const struct vector vectors[] = {
    {"Go, GET",
     "GET",
     "/path",
     {{"limit", 5}, {"1", 1}},
     {{"test_header", 11}, {"x", 1}},
     "",
     GO_TIME,
     "20060102T150405Z",
     "x-sdk-date",
     "85c3b7730f308aee452b16138a42a914397e43a8f0d732dfa521c0ef2afa98a4",
     "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
     "8fd3610508884bb19718317797c7378716a94bc740d97502e569322e366341cc"},
    {"Go, POST",
     "POST",
     "/path",
     {{"key", 3}, {"value", 5}},
     {{"test_header", 11}, {"x", 1}},
     "{\"Name\":\"test\",\"Id\":1}\n",
     GO_TIME,
     "20060102T150405Z",
     "x-sdk-date",
     "13f75ff5f5216199f986c7e7f2f77834d5e160ad9e46f37319816dc72ba7eeab",
     "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59",
     "4112f88b92d82dd1e1b7dd142f1e99e4f1762c42ca8fe0968b3045120870a903"},
    {"Python, GET",
     "GET",
     "/resources",
     {{"size", 4}, {"1", 1}},
     {{"Host", 4}, {"service.endpoint.myhuaweicloud.com", 34}},
     "",
     PY_TIME,
     "20200608T023900Z",
     "host;x-sdk-date",
     "de94dd1e1ccdb730b403ce35d7e14f7c7b04337f6def1c3a3a2ba936852b133f",
     "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842",
     "f7dfee056692e58dede80fc80cb89bbfabf45552dd7cd8d18a0a13484455b98e"},
    {"Python, POST",
     "POST",
     "/resources",
     {{"size", 4}, {"1", 1}},
     {{"Host", 4}, {"service.endpoint.myhuaweicloud.com", 34}},
     "{\"name\":\"test\",\"id\":1}",
     PY_TIME,
     "20200608T023900Z",
     "host;x-sdk-date",
     "2b1b2515e48cb55e043ff2ec5b93d3f13ec287e1da1d7a2e4e14b0611a341969",
     "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f",
     "8e2d91eaf9656ec5d6fab27812e2d898a35aaaa5e16ee0a0365c38527ccfb3cf"},
};

static const char *sha_of(struct das_text t)
{
    static struct das_buf b;
    struct das_hash_value v;

    das_buf_reset(&b);
    if (das_hash(DAS_SHA256, t, &v, &err) == 0)
        das_hex_encode(das_text((char *)v.bytes, v.len), &b);
    return b.ptr;
}

/* Twice with one signer: the second does not carry anything over from the first. */
static void one_vector(const struct vector *v, const struct das_sign_key *key)
{
    struct das_signer *s = signer(key);
    struct das_sign_request r = request(v->method, v->path);
    bool is_v11 = key->algorithm == DAS_V11_HMAC_SHA256;
    char want[500];

    r.query = &v->query;
    r.headers = &v->header;
    r.query_count = r.header_count = 1;
    r.body = das_text_of(v->body);
    if (is_v11)
        snprintf(want, sizeof want,
                 "V11-HMAC-SHA256 Credential=AccessKey/%.8s/test-region-1/demo, "
                 "SignedHeaders=%s, Signature=%s",
                 v->date, v->headers, v->v11);
    else
        snprintf(want, sizeof want,
                 "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=%s, Signature=%s", v->headers,
                 v->signature);
    for (int i = 0; i < 2; i++) {
        ok(das_sign(s, &r, v->time, &out, &err) == 0, "%s is signed", v->name);
        is_str(sha_of(das_signer_canonical(s)), v->canonical, "%s: hash of the canonical request",
               v->name);
        is_str(out.date, v->date, "%s: X-Sdk-Date", v->name);
        is_str(out.authorization.ptr, want, "%s: Authorization, %s", v->name,
               is_v11 ? "V11" : "SDK");
    }
    das_signer_free(s);
}

static void vectors_of_the_sdks(void)
{
    struct das_sign_request r = request("GET", "/path");
    const struct das_sign_pair limit[] = {{T("limit"), T("1")}};
    const struct das_sign_pair mixed[] = {
        {T("limit"), T("1")},       {T("enable"), T("true")}, {T("test"), T("一 (&=?!#%.*)")},
        {T("path"), T("/tmp/123")}, {T("multi"), T("1")},     {T("multi"), T("3")},
        {T("multi"), T("2")},
    };

    for (size_t i = 0; i < COUNT(vectors); i++) {
        one_vector(&vectors[i], &sdk);
        one_vector(&vectors[i], &v11);
    }
    WITH_QUERY(r, limit);
    is_str(canonical(&r), "GET\n/path/\nlimit=1\nx-sdk-date:20060102T150405Z\n\nx-sdk-date\n" EMPTY,
           "the canonical request in full");
    is_str(sha_of(T("{\"Name\":\"test\",\"Id\":1}\n")),
           "a29d7b4c5efd1a22011d69fd7b7aee76fe51e4083c609244228de258afd61289", "hash of a body");
    is_str(QUERY(mixed),
           "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&"
           "test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29",
           "a query, encoded");
}

/* --- the canonical form ----------------------------------------------------------------------- */

static void paths(void)
{
    is_str(path_of(""), "/", "no path");
    is_str(path_of("/"), "/", "a slash");
    is_str(path_of("/a"), "/a/", "a slash is added");
    is_str(path_of("/a/"), "/a/", "but not twice");
    is_str(path_of("/a//b"), "/a//b/", "an empty segment stays");
    is_str(path_of("/é/一"), "/%C3%A9/%E4%B8%80/", "UTF-8 is encoded, in capitals");
    is_str(path_of("/a b+c~d-e_f.g"), "/a%20b%2Bc~d-e_f.g/", "a blank, + and what stays");
    is_str(path_of("/a%20b"), "/a%2520b/", "a percent sign is one: nothing is decoded");
    is_str(path_of("/a:@!$&'()*,;=?#"), "/a%3A%40%21%24%26%27%28%29%2A%2C%3B%3D%3F%23/",
           "all else is encoded");
    is_str(path_of("/\x01\x7f\xff"), "/%01%7F%FF/", "bytes");
    has_str(path_of("a"), "path: expected \"/\"", "a path begins with a slash");
    has_str(path_of("/a/../b"), "path: a segment \"..\"", "no two dots");
    has_str(path_of("/a/."), "path: a segment \".\"", "nor one");
    is_str(path_of("/a/...b/.c"), "/a/...b/.c/", "but dots in a name");
}

static void queries(void)
{
    const struct das_sign_pair repeated[] = {
        {T("b"), T("2")}, {T("a"), T("z")}, {T("b"), T("10")}, {T("a"), T("")}, {T("b"), T("2")}};
    const struct das_sign_pair empties[] = {
        {T(""), T("v")}, {T("k"), DAS_TEXT_NULL}, {T(""), T("")}};
    const struct das_sign_pair special[] = {{T("a b+c~"), T("x y+z~/&=%")}};
    /* "é" is behind "z" as bytes, and "%C3%A9" before it as text */
    const struct das_sign_pair order[] = {{T("é"), T("1")},  {T("z"), T("2")},  {T("Z"), T("3")},
                                          {T("a~"), T("~")}, {T("a~"), T("é")}, {T("a"), T("9")},
                                          {T("a "), T("0")}};

    is_str(QUERY(repeated), "a=&a=z&b=10&b=2&b=2", "repeated keys: their values sorted, as bytes");
    is_str(QUERY(empties), "=&=v&k=", "empty keys and values keep their =");
    is_str(QUERY(special), "a%20b%2Bc~=x%20y%2Bz~%2F%26%3D%25",
           "keys and values are encoded alike");
    is_str(QUERY(order), "Z=3&a=9&a%20=0&a~=~&a~=%C3%A9&z=2&%C3%A9=1", "sorted before encoding");
    is_str(query_of(NULL, 0), "", "none: an empty line");
}

static void headers(void)
{
    const struct das_sign_pair some[] = {{T("X-Project-Id"), T(" \t a  b\tc \t")},
                                         {T("hOST"), T("127.0.0.1:46609")},
                                         {T("x_drop"), T("1")},
                                         {T("authorization"), T("old")},
                                         {T("X-Security-Token"), T("t")},
                                         {T("X"), T("")},
                                         {T("Content-Type"), T("application/json")}};
    const struct das_sign_pair again[] = {{T("A"), T("1")}, {T("b"), T("")}, {T("a"), T("1")}};
    const struct das_sign_pair date[] = {{T("X-SDK-Date"), T("20060102T150405Z")}};
    const struct das_sign_pair breaks[] = {{T("a"), T("1\nb:2")}};
    const struct das_sign_pair colon[] = {{T("a:b"), T("1")}};
    const struct das_sign_pair nul[] = {{T("a"), T("\0")}};
    const struct das_sign_pair latin[] = {{T("a"), T("\xe9 \xff")}};
    struct das_sign_request r = request("PUT", "/");

    WITH_HEADERS(r, some);
    is_str(
        canonical(&r),
        "PUT\n/\n\ncontent-type:application/json\nhost:127.0.0.1:46609\nx:\nx-project-id:a  b\tc\n"
        "x-sdk-date:20060102T150405Z\nx-security-token:t\n\n"
        "content-type;host;x;x-project-id;x-sdk-date;x-security-token\n" EMPTY,
        "lower case, sorted, trimmed outside only; a port stays; \"_\" and Authorization are left");
    WITH_HEADERS(r, again);
    has_str(canonical(&r), "header a: is there twice", "a header twice, in two cases");
    WITH_HEADERS(r, date);
    has_str(canonical(&r), "header X-S", "X-Sdk-Date is not the caller's");
    WITH_HEADERS(r, breaks);
    is_str(canonical(&r), "header a: a control character in its value", "no line breaks");
    WITH_HEADERS(r, nul);
    is_str(canonical(&r), "header a: a control character in its value", "nor NUL");
    WITH_HEADERS(r, colon);
    is_str(canonical(&r), "header 1: its name is not one", "no colon in a name");
    WITH_HEADERS(r, latin);
    is_str(line(&r, 4), "a:\xe9 \xff", "other bytes are fine");
    r = request("get", "/");
    has_str(canonical(&r), "method: expected capital letters", "a method in small letters");
    r = request("", "/");
    has_str(canonical(&r), "method:", "no method");
    r = request("GET\n/", "/");
    has_str(canonical(&r), "method:", "two lines as a method");
}

static void bodies(void)
{
    static const char sha[] = "8ed555081b9961769014bc1182c629bb0fe68d7b01c1fc1caab4dc791f377e8c";
    static const char upper[] = "8ED555081b9961769014bc1182c629bb0fe68d7b01c1fc1caab4dc791f377e8c";
    struct das_sign_pair told[] = {{T("X-Sdk-Content-Sha256"), T(" UNSIGNED-PAYLOAD ")}};
    const struct das_sign_pair both[] = {{T("X-Sdk-Content-Sha256"), T("UNSIGNED-PAYLOAD")},
                                         {T("x-sdk-content-sha256"), T("UNSIGNED-PAYLOAD")}};
    struct das_sign_request r = request("POST", "/");

    is_str(line(&r, 7), EMPTY, "no body");
    r.body = T("");
    is_str(line(&r, 7), EMPTY, "an empty body");
    r.body = T("\0\xff\n\0");
    is_str(line(&r, 7), sha_of(r.body), "a binary body");
    r.body = T("{\"name\":\"test\",\"id\":1}");
    is_str(line(&r, 7), sha, "JSON");
    WITH_HEADERS(r, told);
    is_str(line(&r, 8), "UNSIGNED-PAYLOAD", "an unsigned body, if so told");
    is_str(line(&r, 4), "x-sdk-content-sha256:UNSIGNED-PAYLOAD", "and that is signed");
    told[0].value = T(sha);
    is_str(line(&r, 8), sha, "a hash, told");
    told[0].value = T(upper);
    is_str(line(&r, 8), upper, "as it was told");
    told[0].value = T(EMPTY);
    has_str(canonical(&r), "header X-Sdk-Content-Sha256: neither", "a wrong one");
    told[0].value = T("");
    has_str(canonical(&r), "header X-Sdk-Content-Sha256: neither", "none");
    WITH_HEADERS(r, both);
    has_str(canonical(&r), "is there twice", "told twice");
}

/* --- the key ---------------------------------------------------------------------------------- */

static void bad_key(struct das_sign_key key, const char *want)
{
    struct das_signer *s = das_signer_new(&key, &err);

    ok(!s && err.code == DAS_E_USAGE && strstr(err.msg, want) && !strstr(err.msg, "SecretKey"),
       "no key: %s", err.msg);
    das_signer_free(s);
}

static void keys(void)
{
    struct das_sign_key key = sdk;
    struct das_sign_request r = request("GET", "/");
    struct das_signer *s = signer(&v11), *fresh = signer(&v11);
    struct das_signed again = {0};
    char first[500];

    key.access = T("");
    bad_key(key, "access key");
    key.access = T("a,b");
    bad_key(key, "access key");
    key.access = T("a/b");
    bad_key(key, "access key");
    key.access = T("a\nb");
    bad_key(key, "access key");
    key = sdk;
    key.secret = T("");
    bad_key(key, "secret key");
    key.secret = DAS_TEXT_NULL;
    bad_key(key, "secret key");
    key = v11;
    key.region = DAS_TEXT_NULL;
    bad_key(key, "region");
    key = v11;
    key.service = T("de mo");
    bad_key(key, "service");

    ok(das_sign(s, &r, INT64_MAX, &out, &err) < 0 && strstr(err.msg, "time"), "no such time: %s",
       err.msg);
    ok(das_sign(s, &r, -62167219200, &out, &err) == 0, "the first year");
    is_str(out.date, "00000101T000000Z", "its first second");
    ok(das_sign(s, &r, 253402300799, &out, &err) == 0, "the last year");
    is_str(out.date, "99991231T235959Z", "its last second");
    ok(das_sign(s, &r, -1, &out, &err) == 0, "before 1970");
    is_str(out.date, "19691231T235959Z", "as well");

    /* V11's key is kept for a day: going on and back changes nothing */
    must(das_sign(s, &r, GO_TIME, &out, &err) == 0, "one day");
    snprintf(first, sizeof first, "%s", out.authorization.ptr);
    must(das_sign(s, &r, GO_TIME + 86400, &out, &err) == 0, "the next day");
    has_str(out.authorization.ptr, "/20060103/", "has its day");
    must(das_sign(fresh, &r, GO_TIME + 86400, &again, &err) == 0, "with a new signer");
    is_str(again.authorization.ptr, out.authorization.ptr, "and the key of its day");
    must(das_sign(s, &r, GO_TIME, &out, &err) == 0, "the first again");
    is_str(out.authorization.ptr, first, "has the same signature");
    r.method = T("get");
    ok(das_sign(s, &r, GO_TIME, &out, &err) < 0 && out.authorization.len == 0,
       "a failure leaves no old signature");
    das_signed_clear(&again);
    das_signer_free(fresh);
    das_signer_free(s);
    das_signer_free(NULL);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* One of everything; whether it worked. */
static bool all_steps(bool *nomem)
{
    const struct das_sign_pair query[] = {{T("b"), T("2")}, {T("a"), T("1")}};
    struct das_sign_request r = request("GET", "/a");
    struct das_sign_pair h[3] = {{T("X"), T("y")}};
    struct das_signed made = {0};
    struct das_sign_target t = {0};
    struct das_sign_auth a;
    struct das_signer *s = das_signer_new(&v11, &err);
    bool good;

    r.headers = h;
    r.header_count = 1;
    WITH_QUERY(r, query);
    good = s && das_sign_target_read(&t, T("/a?b=2&a=1"), &err) == 0 &&
           das_sign(s, &r, GO_TIME, &made, &err) == 0;
    if (good) {
        h[1] = (struct das_sign_pair){T("X-Sdk-Date"), das_text(made.date, DAS_SIGN_DATE_LEN)};
        h[2] = (struct das_sign_pair){T("Authorization"), das_buf_view(&made.authorization)};
        r.header_count = 3;
        good = das_sign_read(&r, &a, &err) == 0 && das_sign_verify(s, &r, &a, &err) == 0;
    }
    *nomem = !good && err.code == DAS_E_NOMEM;
    das_sign_target_clear(&t);
    das_signed_clear(&made);
    das_signer_free(s);
    return good;
}

static void failing_allocations(void)
{
    bool failed = true, good, nomem;
    long n;

    for (n = 1; failed && n < 100; n++) {
        das_alloc_fail_at(n);
        good = all_steps(&nomem);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        if (failed)
            ok(!good && nomem, "allocation %ld fails: out of memory", n);
        else
            ok(good, "all went well without a failing allocation");
    }
    ok(n > 6 && n < 100, "%ld allocations", n - 2);
}

/* A failure in the middle of one signer's life, and the next signature is right again. */
static void recovery(void)
{
    struct das_sign_request r = request("GET", "/a");
    struct das_signer *s = signer(&sdk);

    must(das_sign(s, &r, GO_TIME, &out, &err) == 0, "a small request");
    r.path = T(
        "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "a");
    das_alloc_fail_at(1);
    ok(das_sign(s, &r, GO_TIME, &out, &err) < 0 && err.code == DAS_E_NOMEM, "a larger one: %s",
       err.msg);
    ok(das_sign(s, &r, GO_TIME, &out, &err) == 0, "then it works");
    das_alloc_fail_at(1);
    ok(das_sign(s, &r, GO_TIME, &out, &err) == 0 && !das_alloc_failed(),
       "and of that size nothing is allocated any more");
    das_alloc_fail_at(0);
    das_signer_free(s);
}

int main(void)
{
    vectors_of_the_sdks();
    paths();
    queries();
    headers();
    bodies();
    keys();
    failing_allocations();
    recovery();
    das_signed_clear(&out);
    return tap_done();
}
