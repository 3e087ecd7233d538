/*
 * test_sign_read.c - what a receiver makes of a request: its target, its Authorization, and whether
 * it was signed so.
 */
#include "tests/unit/sign_kit.h"

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

int main(void)
{
    targets();
    authorizations();
    receiving(&sdk);
    receiving(&v11);
    readings();
    das_signed_clear(&out);
    return tap_done();
}
