/*
 * test_sign.c - signatures against the vectors of the vendor's SDKs (Go and Python), the canonical
 * form at its edges, and what a receiver refuses.
 */
#include "core/cloud/sign.h"

#include "core/base/crypto.h"
#include "tests/unit/kit.h"

#define T(s) das_text(s, sizeof(s) - 1)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define GO_TIME 1136214245 /* 20060102T150405Z */
#define PY_TIME 1591583940 /* 20200608T023900Z */
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct das_err err;
static struct das_signed out;

static const struct das_sign_key sdk = {.access = {"AccessKey", 9}, .secret = {"SecretKey", 9}};
static const struct das_sign_key v11 = {.algorithm = DAS_V11_HMAC_SHA256,
                                        .access = {"AccessKey", 9},
                                        .secret = {"SecretKey", 9},
                                        .region = {"test-region-1", 13},
                                        .service = {"demo", 4}};

static struct das_signer *signer(const struct das_sign_key *key)
{
    struct das_signer *s = das_signer_new(key, &err);

    must(s != NULL, "a signer");
    return s;
}

static struct das_sign_request request(const char *method, const char *path)
{
    return (struct das_sign_request){.method = das_text_of(method), .path = das_text_of(path)};
}

#define WITH_QUERY(r, list) ((r).query = (list), (r).query_count = COUNT(list))
#define WITH_HEADERS(r, list) ((r).headers = (list), (r).header_count = COUNT(list))

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

/* --- vectors -------------------------------------------------------------------------------------
 */

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

/* --- the canonical form
 * --------------------------------------------------------------------------- */

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

/* --- the key -------------------------------------------------------------------------------------
 */

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
    struct das_signer *s = signer(&v11);
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
    must(das_sign(s, &r, GO_TIME, &out, &err) == 0, "the first again");
    is_str(out.authorization.ptr, first, "has the same signature");
    r.method = T("get");
    ok(das_sign(s, &r, GO_TIME, &out, &err) < 0 && out.authorization.len == 0,
       "a failure leaves no old signature");
    das_signer_free(s);
    das_signer_free(NULL);
}

/* --- receiving
 * ------------------------------------------------------------------------------------ */

static const char *target(const char *wire)
{
    static char text[1000];
    struct das_sign_target t = {0};
    size_t n;

    if (das_sign_target_read(&t, das_text_of(wire), &err) < 0) {
        snprintf(text, sizeof text, "%s", err.msg);
    } else {
        n = (size_t)snprintf(text, sizeof text, "%.*s", (int)t.path.len, t.path.ptr);
        for (size_t i = 0; i < t.count; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, " [%.*s|%.*s]",
                                  (int)t.query[i].name.len, t.query[i].name.ptr,
                                  (int)t.query[i].value.len, t.query[i].value.ptr);
    }
    das_sign_target_clear(&t);
    return text;
}

static void targets(void)
{
    const struct das_sign_pair query[] = {
        {T("é"), T("a b+c&d=e")}, {T(""), T("")}, {T("z"), T("1")}};
    struct das_sign_request r = request("GET", "/a b/é/~");
    struct das_buf b = {0};

    is_str(target("/a?b=c&d=e"), "/a [b|c] [d|e]", "a target");
    is_str(target("/"), "/", "the shortest");
    is_str(target("/a?"), "/a", "an empty query");
    is_str(target("/%C3%a9%20+?a+b=%2B%26%3d"), "/é + [a b|+&=]",
           "decoded; + is a blank in a query");
    is_str(target("/a?&&b&=c&d=e=f&"), "/a [b|] [|c] [d|e=f]", "pieces of all sorts");
    is_str(target("/a?b=c?d"), "/a [b|c?d]", "a second question mark is text");
    has_str(target(""), "path:", "nothing");
    has_str(target("http://x/"), "path:", "not a path");
    has_str(target("/a%2Fb"), "path: \"%2F\"", "an encoded slash");
    has_str(target("/a%2"), "path: expected two hex digits", "half an escape");
    has_str(target("/a?b=%zz"), "query: expected two hex digits", "no escape");
    has_str(target("/a b"), "position 3", "a blank");
    has_str(target("/a#b"), "position 3", "a fragment");

    das_sign_target_write(&r, &b);
    is_str(b.ptr, "/a%20b/%C3%A9/~", "a path on the wire has no slash added");
    das_buf_reset(&b);
    WITH_QUERY(r, query);
    das_sign_target_write(&r, &b);
    is_str(b.ptr, "/a%20b/%C3%A9/~?%C3%A9=a%20b%2Bc%26d%3De&=&z=1", "the query in its order");
    is_str(target(b.ptr), "/a b/é/~ [é|a b+c&d=e] [|] [z|1]", "and is read again");
    das_buf_clear(&b);
    r = request("GET", "");
    das_sign_target_write(&r, &b);
    is_str(b.ptr, "/", "no path is a slash on the wire");
    das_buf_clear(&b);
}

static void parses(const char *value, const char *want)
{
    struct das_sign_auth a;

    if (das_sign_parse(das_text_of(value), &a, &err) == 0) {
        char got[300];
        snprintf(got, sizeof got, "%.*s|%.*s|%.*s|%.*s|%.6s", (int)a.access.len, a.access.ptr,
                 (int)a.info.len, a.info.ptr ? a.info.ptr : "", (int)a.region.len,
                 a.region.ptr ? a.region.ptr : "", (int)a.headers.len, a.headers.ptr,
                 a.signature.ptr);
        is_str(got, want, "read: %.60s", value);
    } else if (!ok(err.code == DAS_E_DATA && strstr(err.msg, want), "refused: %s", err.msg)) {
        tap_diag("expected \"%s\" about %s", want, value);
    }
}

static void authorizations(void)
{
#define S "SDK-HMAC-SHA256 "
#define V "V11-HMAC-SHA256 "
    parses(S "Access=A, SignedHeaders=a;x-sdk-date, Signature=" EMPTY, "A|||a;x-sdk-date|e3b0c4");
    parses(" " S " Signature=" EMPTY ",SignedHeaders=a , Access=A=B\t", "A=B|||a|e3b0c4");
    parses(V "Credential=A/20060102/r/s, SignedHeaders=a, Signature=" EMPTY,
           "A|20060102/r/s|r|a|e3b0c4");
    parses("", "the algorithm");
    parses("SDK-HMAC-SHA256", "Authorization: Access");
    parses("SDK-HMAC-SM3 Access=A, SignedHeaders=a, Signature=" EMPTY, "the algorithm");
    parses("sdk-hmac-sha256 Access=A, SignedHeaders=a, Signature=" EMPTY, "the algorithm");
    parses(S, "Authorization: Access");
    parses(S "Access=A", "SignedHeaders: expected it");
    parses(S "Access=A, SignedHeaders=a", "Signature: expected it");
    parses(S "SignedHeaders=a, Signature=" EMPTY, "Access: expected it");
    parses(S "Access=A, Access=A, SignedHeaders=a, Signature=" EMPTY, "Access: expected it once");
    parses(S "Access=A, SignedHeaders=a, SignedHeaders=a, Signature=" EMPTY, "it once");
    parses(S "Access=A, SignedHeaders=a, Signature=" EMPTY ", Signature=" EMPTY, "it once");
    parses(S "Access=A, SignedHeaders=a, Signature=" EMPTY ", More=1", "a part");
    parses(S "Access=A, SignedHeaders=a, Signature=" EMPTY ",", "NAME=VALUE");
    parses(S "Access=, SignedHeaders=a, Signature=" EMPTY, "an access key");
    parses(S "Access=A/b, SignedHeaders=a, Signature=" EMPTY, "an access key");
    parses(S "Credential=A/20060102/r/s, SignedHeaders=a, Signature=" EMPTY, "a part");
    parses(S "Access=A, SignedHeaders=, Signature=" EMPTY, "names of headers");
    parses(S "Access=A, SignedHeaders=a;, Signature=" EMPTY, "names of headers");
    parses(S "Access=A, SignedHeaders=b;a, Signature=" EMPTY, "sorted");
    parses(S "Access=A, SignedHeaders=a;a, Signature=" EMPTY, "each once");
    parses(S "Access=A, SignedHeaders=A, Signature=" EMPTY, "lower case");
    parses(S
           "Access=A, SignedHeaders=a, Signature=E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4"
           "95991b7852b855",
           "64 hex digits in lower case");
    parses(S "Access=A, SignedHeaders=a, Signature=e3", "64 hex digits");
    parses(V "Access=A, SignedHeaders=a, Signature=" EMPTY, "a part");
    parses(V "Credential=A/20060102/r, SignedHeaders=a, Signature=" EMPTY,
           "Credential: expected A");
    parses(V "Credential=A/20060102/r/s/t, SignedHeaders=a, Signature=" EMPTY, "Credential:");
    parses(V "Credential=A/2006010/r/s, SignedHeaders=a, Signature=" EMPTY, "Credential:");
    parses(V "Credential=A/2006010x/r/s, SignedHeaders=a, Signature=" EMPTY, "Credential:");
    parses(V "Credential=A//r/s, SignedHeaders=a, Signature=" EMPTY, "Credential:");
}

/* What a receiver says of a request with these headers: "" or the message. */
static const char *received(struct das_signer *s, struct das_sign_request *r)
{
    struct das_sign_auth a;

    err.code = DAS_OK;
    err.msg[0] = '\0';
    if (das_sign_read(r, &a, &err) == 0)
        (void)das_sign_verify(s, r, &a, &err);
    return err.msg;
}

#define FIELDS 6 /* the last two: X-Sdk-Date, Authorization */

/* Signs the first four and fills in the other two. */
static void sign_into(struct das_signer *s, struct das_sign_request *r, struct das_sign_pair *h)
{
    r->headers = h;
    r->header_count = FIELDS - 2;
    must(das_sign(s, r, GO_TIME, &out, &err) == 0, "signed");
    h[4] = (struct das_sign_pair){T("x-sdk-date"), das_text(out.date, DAS_SIGN_DATE_LEN)};
    h[5] = (struct das_sign_pair){T("AUTHORIZATION"), das_buf_view(&out.authorization)};
    r->header_count = FIELDS;
}

static void changes(struct das_signer *s, struct das_sign_request *r, struct das_sign_pair *h)
{
    const struct das_sign_pair other[] = {{T("b"), T("2")}, {T("a"), T("2")}};
    const struct das_sign_pair turned[] = {{T("a"), T("1")}, {T("b"), T("2")}};
    const struct das_sign_pair *query = r->query;
    struct das_text keep;

#define WRONG(what) \
    ok(strstr(received(s, r), "Signature:") && err.code == DAS_E_AUTH, what ": %s", err.msg)
    is_str(received(s, r), "", "verified");
    r->query = turned;
    is_str(received(s, r), "", "in another order, too");
    r->query = other;
    WRONG("another query");
    r->query = query;
    r->method = T("PUT");
    WRONG("another method");
    r->method = T("POST");
    keep = r->path;
    r->path = T("/v3/q");
    WRONG("another path");
    r->path = T("/v3/p/");
    is_str(received(s, r), "", "a slash at the end is not told apart");
    r->path = keep;
    r->body = T("{} ");
    WRONG("another body");
    r->body = T("{}");
    keep = h[0].value;
    h[0].value = T("other:1");
    WRONG("another host");
    h[0].value = T("  h:1\t");
    is_str(received(s, r), "", "blanks around a value do not count");
    h[0].value = keep;
    keep = h[3].name;
    h[3].name = T("Other");
    has_str(received(s, r), "header x-other: is in SignedHeaders but not in the request",
            "one gone");
    h[3].name = keep;
    h[FIELDS] = (struct das_sign_pair){T("X-OTHER"), T("y")};
    r->header_count++;
    has_str(received(s, r), "is there twice", "a signed one twice");
    h[FIELDS].name = T("X-New");
    is_str(received(s, r), "", "one that was added does not matter");
    r->header_count--;
}

static void swap_signer(struct das_sign_request *r, struct das_sign_key key)
{
    struct das_signer *s;

    key.secret = T("SecretKex");
    s = signer(&key);
    WRONG("another secret");
    das_signer_free(s);
    key.access = T("Other");
    s = signer(&key);
    has_str(received(s, r), "Access: another key", "another access key");
    das_signer_free(s);
}

/* The verifier's own algorithm and region do not matter: the request says which. */
static void receiving(const struct das_sign_key *key)
{
    const struct das_sign_pair query[] = {{T("b"), T("2")}, {T("a"), T("1")}};
    struct das_sign_pair h[FIELDS + 1] = {{T("Host"), T("h:1")},
                                          {T("X-Project-Id"), T("p")},
                                          {T("X-Security-Token"), T("tok")},
                                          {T("X-Other"), T("x")}};
    struct das_signer *from = signer(key), *to = signer(&sdk);
    struct das_sign_request r = request("POST", "/v3/p");
    struct das_sign_auth a;

    r.body = T("{}");
    WITH_QUERY(r, query);
    sign_into(from, &r, h);
    changes(to, &r, h);
    swap_signer(&r, *key);
    must(das_sign_read(&r, &a, &err) == 0, "read");
    is_int(a.time, GO_TIME, "the time is told");
    ok(das_text_is(a.date, "20060102T150405Z") && das_text_is(a.access, "AccessKey") &&
           a.signature.len == 64 && a.algorithm == key->algorithm && !a.body_unsigned,
       "and the rest");
    ok(das_text_is(das_sign_header(&r, "x-SECURITY-token"), "tok") &&
           !das_sign_header(&r, "nothing").ptr,
       "headers are found");
    das_signer_free(from);
    das_signer_free(to);
}

static void refuse(struct das_sign_pair *h, size_t count, enum das_code code, const char *want)
{
    struct das_sign_request r = {
        .method = T("GET"), .path = T("/"), .headers = h, .header_count = count};
    struct das_sign_auth a;
    int rc = das_sign_read(&r, &a, &err);

    if (!ok(rc < 0 && err.code == code && strstr(err.msg, want), "refused: %s",
            rc ? err.msg : "not"))
        tap_diag("expected \"%s\"", want);
}

static void readings(void)
{
    struct das_sign_pair h[] = {
        {T("Authorization"), T(S "Access=A, SignedHeaders=x-sdk-date, Signature=" EMPTY)},
        {T("X-Sdk-Date"), T("20060102T150405Z")},
        {T("X-Sdk-Content-Sha256"), T("UNSIGNED-PAYLOAD")}};
    const struct das_text date = h[1].value;
    static const char *const bad[] = {"20060102T150405",
                                      "2006-01-02T15:04Z",
                                      "20060132T150405Z",
                                      "20060102t150405Z",
                                      "20060102T240405Z",
                                      "2006010 T150405Z",
                                      ""};
    static const char *const names[] = {"X-Project-Id", "x-domain-id", "X-SECURITY-TOKEN"};
    struct das_sign_request r = {.headers = h, .header_count = COUNT(h)};
    struct das_sign_auth a;

    ok(das_sign_read(&r, &a, &err) == 0 && a.body_unsigned, "an unsigned body is told");
    refuse(h, 0, DAS_E_AUTH, "header Authorization: is missing");
    refuse(h, 1, DAS_E_AUTH, "header X-Sdk-Date: is missing");
    for (size_t i = 0; i < COUNT(bad); i++) {
        h[1].value = das_text_of(bad[i]);
        refuse(h, 2, DAS_E_DATA, "header X-Sdk-Date: expected");
    }
    h[1].value = date;
    h[2] = h[1];
    refuse(h, 3, DAS_E_DATA, "header X-Sdk-Date: is there twice");
    h[2] = h[0];
    refuse(h, 3, DAS_E_DATA, "header Authorization: is there twice");
    for (size_t i = 0; i < COUNT(names); i++) {
        h[2] = (struct das_sign_pair){das_text_of(names[i]), T("1")};
        refuse(h, 3, DAS_E_AUTH, "is not in SignedHeaders");
    }
    h[0].value = T(S "Access=A, SignedHeaders=x, Signature=" EMPTY);
    refuse(h, 2, DAS_E_AUTH, "header X-Sdk-Date: is not in SignedHeaders");
    h[0].value = T(V "Credential=A/20060103/r/s, SignedHeaders=x-sdk-date, Signature=" EMPTY);
    refuse(h, 2, DAS_E_AUTH, "Credential: its day");
}

/* --- memory -------------------------------------------------------------------------------------
 */

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
    targets();
    authorizations();
    receiving(&sdk);
    receiving(&v11);
    readings();
    failing_allocations();
    recovery();
    das_signed_clear(&out);
    return tap_done();
}
