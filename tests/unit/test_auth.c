/*
 * test_auth.c - who may ask: signatures and tokens against keys in a store, replays, skew, lockout,
 * rate, revoking, and what a key allows. The clock is the test's: ask.now_ms.
 */
#include "core/serve/auth.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "core/serve/keyring.h"
#include "tests/unit/store_kit.h" /* before the other, whose err would be in its way */
#include "tests/unit/sign_kit.h"

#define READ "das:clouddba:listProcess"
#define REGION "local"

/* --- a server and its clients ------------------------------------------------------------------
 */

static const char *dir;
static struct das_store *store;
static int64_t now_s; /* of the server, when a test says nothing */

struct client {
    char id[DAS_ACCESS_ID_SIZE];
    char secret[DAS_TOKEN_SIZE]; /* or the whole token */
    struct das_signer *signer, *v11;
};

static void add(struct das_access *a, struct das_text secret)
{
    a->secret = secret;
    if (das_access_add(store, a, "test", &err) < 0) {
        tap_diag("add %s: %s", a->id, err.msg);
        exit(1);
    }
}

static struct client key(const char *name, const char *actions, int64_t expires_ms)
{
    struct das_access a = {.kind = DAS_ACCESS_KEY, .created_ms = 1, .expires_ms = expires_ms};
    struct das_keyring *ring = NULL;
    struct das_buf sealed = {0};
    struct client c = {.signer = NULL};

    snprintf(a.name, sizeof a.name, "%s", name);
    snprintf(a.actions, sizeof a.actions, "%s", actions);
    snprintf(a.instances, sizeof a.instances, "*");
    if (das_key_draw(a.id, c.secret, &err) < 0 || das_keyring_open(dir, true, &ring, &err) < 0 ||
        das_keyring_seal(ring, a.id, das_text_of(c.secret), &sealed, &err) < 0)
        exit(1);
    add(&a, das_buf_view(&sealed));
    memcpy(c.id, a.id, sizeof c.id);
    das_keyring_close(ring);
    das_buf_clear(&sealed);
    return c;
}

static struct client token(const char *name, int64_t expires_ms)
{
    struct das_access a = {.kind = DAS_ACCESS_TOKEN, .created_ms = 1, .expires_ms = expires_ms};
    unsigned char hash[DAS_TOKEN_HASH];
    struct client c = {.signer = NULL};

    snprintf(a.name, sizeof a.name, "%s", name);
    snprintf(a.actions, sizeof a.actions, READ);
    snprintf(a.instances, sizeof a.instances, "orders tag:prod");
    if (das_token_draw(a.id, c.secret, &err) < 0 ||
        das_token_hash(das_text_of(c.secret), hash, &err) < 0)
        exit(1);
    add(&a, das_text((char *)hash, sizeof hash));
    memcpy(c.id, a.id, sizeof c.id);
    return c;
}

static struct das_signer *signer_for(struct client *c, const char *region, const char *service)
{
    struct das_sign_key k = {.access = das_text_of(c->id), .secret = das_text_of(c->secret)};

    if (region) {
        k.algorithm = DAS_V11_HMAC_SHA256;
        k.region = das_text_of(region);
        k.service = das_text_of(service);
    }
    return signer(&k);
}

static struct das_auth *server(double rate)
{
    const struct das_auth_conf conf = {dir, REGION, rate};
    struct das_auth *a = NULL;

    must(das_auth_new(&conf, &a, &err) == 0, "a server%s%s", err.code ? ": " : "",
         err.code ? err.msg : "");
    return a;
}

/* --- requests ----------------------------------------------------------------------------------
 */

#define HEADERS 8
static struct das_caller caller;
static struct das_refusal why;

/* A request that was sent: all of it can be changed. */
struct sent {
    char method[16], path[100], query[2][2][30], header[HEADERS][2][300], body[200];
    size_t query_count, header_count, body_len;
    struct das_sign_pair pairs[2], headers[HEADERS];
    struct das_sign_request request;
};

static const struct das_sign_request *of(struct sent *s)
{
    for (size_t i = 0; i < s->query_count; i++)
        s->pairs[i] =
            (struct das_sign_pair){das_text_of(s->query[i][0]), das_text_of(s->query[i][1])};
    for (size_t i = 0; i < s->header_count; i++)
        s->headers[i] =
            (struct das_sign_pair){das_text_of(s->header[i][0]), das_text_of(s->header[i][1])};
    s->request = (struct das_sign_request){.method = das_text_of(s->method),
                                           .path = das_text_of(s->path),
                                           .query = s->pairs,
                                           .query_count = s->query_count,
                                           .headers = s->headers,
                                           .header_count = s->header_count,
                                           .body = das_text(s->body, s->body_len)};
    return &s->request;
}

static void header(struct sent *s, const char *name, const char *value)
{
    snprintf(s->header[s->header_count][0], 300, "%s", name);
    snprintf(s->header[s->header_count++][1], 300, "%s", value);
}

static struct sent plain(const char *method, const char *body)
{
    struct sent s = {.query_count = 1, .body_len = strlen(body)};

    snprintf(s.method, sizeof s.method, "%s", method);
    snprintf(s.path, sizeof s.path, "/v3/p/instances/i/auto-flow/x");
    snprintf(s.query[0][0], 30, "limit");
    snprintf(s.query[0][1], 30, "1");
    snprintf(s.body, sizeof s.body, "%s", body);
    header(&s, "Host", "127.0.0.1:7070");
    header(&s, "X-Project-Id", "00000000000000000000000000000000");
    return s;
}

static void sign_with(struct das_signer *with, struct sent *s, int64_t at)
{
    if (das_sign(with, of(s), at, &out, &err) < 0) {
        tap_diag("sign: %s", err.msg);
        exit(1);
    }
    header(s, "X-Sdk-Date", out.date);
    header(s, "Authorization", out.authorization.ptr);
}

static struct sent signed_at(struct client *c, const char *method, const char *body, int64_t at)
{
    struct sent s = plain(method, body);

    if (!c->signer)
        c->signer = signer_for(c, NULL, NULL);
    sign_with(c->signer, &s, at);
    return s;
}

static struct sent get(struct client *c)
{
    return signed_at(c, "GET", "", now_s);
}

static struct sent with_token(const char *text)
{
    struct sent s = plain("GET", "");

    header(&s, "X-Auth-Token", text);
    return s;
}

static bool ask_as(struct das_auth *a, struct sent *s, const char *peer, bool writes, int64_t ms)
{
    const struct das_auth_ask ask = {of(s), peer, writes, ms};

    memset(&why, 0x55, sizeof why);
    return das_auth_check(a, &ask, &caller, &why) == 0;
}

static bool asks(struct das_auth *a, struct sent s)
{
    return ask_as(a, &s, "10.0.0.1", false, now_s * 1000);
}

static bool from(struct das_auth *a, const char *peer, struct sent s)
{
    return ask_as(a, &s, peer, false, now_s * 1000);
}

static bool writes(struct das_auth *a, struct sent s)
{
    return ask_as(a, &s, "10.0.0.1", true, now_s * 1000);
}

static bool refused(const char *words)
{
    return why.status == 401 && strcmp(why.code, "APIGW.0301") == 0 &&
           strncmp(why.message, "Incorrect IAM authentication information: ", 42) == 0 &&
           strstr(why.message, words);
}

#define no(call, words, ...)                                                  \
    do {                                                                      \
        bool passed_ = (call);                                                \
        if (!ok(!passed_ && refused(words), __VA_ARGS__))                     \
            tap_diag("%s: %d %s", passed_ ? "passed" : "refused", why.status, \
                     passed_ ? "" : why.message);                             \
    } while (0)

/* --- credentials --------------------------------------------------------------------------------
 */

static void none_at_all(void)
{
    const struct das_auth_conf conf = {dir, REGION, 0};
    struct das_auth *a = NULL;
    struct client gone, over;

    ok(das_auth_new(&conf, &a, &err) < 0 && err.code == DAS_E_CONFIG && !a &&
           strstr(err.msg, "das key create"),
       "nobody: %s", err.msg);
    gone = key("gone", "*", 0);
    over = token("over", 5);
    must(das_access_revoke(store, gone.id, "test", &err) == 0, "revoked");
    ok(das_auth_new(&conf, &a, &err) < 0 && err.code == DAS_E_CONFIG && !a,
       "a revoked and an expired one are as good as none");
    (void)over;
}

static void both_and_none(struct das_auth *a, struct client *c, struct client *t)
{
    struct sent s = plain("GET", "");

    no(asks(a, s), "x-auth-token not found", "no credential");
    s = get(c);
    ok(asks(a, s), "a signature passes");
    is_str(caller.id, c->id, "as its key");
    is_str(caller.name, "ci", "its name");
    is_str(caller.actions, READ, "its actions");
    is_str(caller.instances, "*", "its instances");
    ok(asks(a, s), "reading may be repeated");
    header(&s, "X-Auth-Token", t->secret);
    no(asks(a, s), "expected one", "both");
    s = get(c);
    header(&s, "authorization", s.header[3][1]);
    no(asks(a, s), "expected one", "two signatures");
    s = plain("GET", "");
    header(&s, "Authorization", "Bearer abc");
    no(asks(a, s), "verify aksk signature fail", "another scheme: %s", why.message);
}

/* Every byte of what was signed and sent. In the list of its headers some bytes can be changed so
 * that it is no list, and the signature can have no other case: all of that is refused. */
static void each_byte(struct das_auth *a, struct client *c)
{
    struct sent s = signed_at(c, "POST", "{\"user\":\"app\",\"time\":5}", now_s), t;
    size_t tried = 0, passed = 0, revealed = 0;

    must(asks(a, s), "a signed request with query and body");
    for (int part = 0; part < 4 + 2 * HEADERS; part++) {
        size_t n;
        for (size_t i = 0;; i++) {
            char *p;
            t = s;
            p = part == 0   ? t.method
                : part == 1 ? t.path
                : part == 2 ? t.query[0][0]
                : part == 3 ? t.query[0][1]
                            : t.header[(part - 4) / 2][(part - 4) % 2];
            n = strlen(p);
            if (i >= n || (part >= 4 && (size_t)(part - 4) / 2 >= t.header_count))
                break;
            p[i] = (char)(p[i] ^ 0x01);
            if (!p[i])
                continue;
            tried++;
            /* each from an address of its own, so that no lock hides what is asked for */
            snprintf(t.header[HEADERS - 1][0], 300, "10.1.%zu.%zu", tried / 250, tried % 250);
            passed += from(a, t.header[HEADERS - 1][0], t);
            revealed += strstr(why.message, c->secret) || strstr(why.message, "app") ||
                        strstr(why.message, "7070");
        }
    }
    for (size_t i = 0; i < s.body_len; i++) {
        t = s;
        t.body[i] = (char)(t.body[i] ^ 0x01);
        snprintf(t.header[HEADERS - 1][0], 300, "10.2.0.%zu", i);
        tried++;
        passed += from(a, t.header[HEADERS - 1][0], t);
    }
    t = s;
    t.body_len--;
    passed += from(a, "10.2.1.1", t);
    t = s;
    t.query_count = 0;
    passed += from(a, "10.2.1.2", t);
    t = s;
    snprintf(t.query[1][0], 30, "x");
    t.query_count = 2;
    passed += from(a, "10.2.1.3", t);
    ok(tried > 300, "%zu bytes changed", tried);
    is_int(passed, 0, "none of them passes");
    is_int(revealed, 0, "and no answer says what was in the request");
    ok(asks(a, s), "unchanged it still does");
}

static void published(void)
{
    /* the vendor's own vector, with its key in the store */
    struct das_access k = {.id = "AccessKey", .kind = DAS_ACCESS_KEY, .created_ms = 1};
    struct das_keyring *ring = NULL;
    struct das_buf sealed = {0};
    struct das_auth *a;
    struct sent s = {.method = "GET", .path = "/path", .query_count = 1};

    if (das_keyring_open(dir, true, &ring, &err) < 0 ||
        das_keyring_seal(ring, k.id, T("SecretKey"), &sealed, &err) < 0)
        exit(1);
    add(&k, das_buf_view(&sealed));
    das_keyring_close(ring);
    das_buf_clear(&sealed);
    a = server(0);
    snprintf(s.query[0][0], 30, "limit");
    snprintf(s.query[0][1], 30, "1");
    header(&s, "X-Sdk-Date", "20060102T150405Z");
    header(&s, "Authorization",
           "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-sdk-date, "
           "Signature=5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624");
    ok(ask_as(a, &s, "10.0.0.1", false, GO_TIME * 1000LL), "a vector of the vendor's SDK");
    s.header[1][1][100] ^= 1;
    no(ask_as(a, &s, "10.0.0.1", false, GO_TIME * 1000LL), "verify aksk signature fail",
       "another signature does not");
    das_auth_free(a);
}

static void skew(struct das_auth *a, struct client *c)
{
    struct sent s = get(c);

    ok(ask_as(a, &s, "10.0.0.1", false, (now_s + 900) * 1000), "900 s old");
    no(ask_as(a, &s, "10.0.0.1", false, (now_s + 901) * 1000), "more than 15 minutes", "901 s: %s",
       why.message);
    ok(ask_as(a, &s, "10.0.0.1", false, (now_s - 900) * 1000), "900 s ahead");
    no(ask_as(a, &s, "10.0.0.1", false, (now_s - 901) * 1000), "more than 15 minutes", "901 s");
    is_str(caller.id, c->id, "the log is told whose it is");
    is_str(caller.actions, "", "but not what it may");
    for (int i = 0; i < 2 * DAS_AUTH_FAILURES; i++)
        ask_as(a, &s, "10.0.0.1", false, (now_s - 901) * 1000);
    ok(asks(a, s), "a wrong clock locks nobody out");
}

static void v11_and_unsigned(struct das_auth *a, struct client *c)
{
    static const char *const places[][2] = {
        {REGION, "das"}, {"elsewhere", "das"}, {REGION, "ecs"}, {"LOCAL", "das"}};
    struct sent s;

    for (int i = 0; i < 4; i++) {
        struct das_signer *v = signer_for(c, places[i][0], places[i][1]);
        s = plain("GET", "");
        sign_with(v, &s, now_s);
        if (i == 0)
            ok(asks(a, s), "V11 for this region");
        else
            no(asks(a, s), "expected region local and service das", "not %s/%s", places[i][0],
               places[i][1]);
        das_signer_free(v);
    }
    for (int i = 0; i < 3; i++) {
        s = plain(i ? "POST" : "GET", i == 2 ? "" : i ? "{}" : "");
        header(&s, "X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD");
        sign_with(c->signer, &s, now_s);
        if (i == 0)
            ok(asks(a, s), "a body that is not signed and not there");
        else if (i == 1)
            no(asks(a, s), "UNSIGNED-PAYLOAD", "not one that is there");
        else
            no(writes(a, s), "UNSIGNED-PAYLOAD", "nor to change something");
    }
}

/* --- replay --------------------------------------------------------------------------------------
 */

static void replays(struct das_auth *a, struct client *c)
{
    struct sent s = signed_at(c, "POST", "{\"task_id\":1}", now_s), ahead;
    struct das_auth *other;

    ok(writes(a, s), "a write");
    no(writes(a, s), "was used before", "the same again: %s", why.message);
    is_str(caller.id, c->id, "whose it is");
    no(ask_as(a, &s, "10.9.9.9", true, (now_s + 900) * 1000), "was used before",
       "from elsewhere, at the end of the window");
    no(ask_as(a, &s, "10.0.0.1", true, (now_s + 901) * 1000), "more than 15 minutes",
       "and past it it is too old");
    other = server(0);
    no(writes(other, s), "was used before", "another server on the same store knows it, too");
    das_auth_free(other);
    ok(writes(a, signed_at(c, "POST", "{\"task_id\":1}", now_s + 1)), "signed anew it passes");
    ok(writes(a, signed_at(c, "POST", "{\"task_id\":2}", now_s)), "so does another body");

    /* one that is ahead of the clock is good for longer, and is remembered for longer */
    ahead = signed_at(c, "POST", "{\"task_id\":3}", now_s + 800);
    ok(writes(a, ahead), "a write from a client whose clock is ahead");
    ok(ask_as(a, &(struct sent[]){signed_at(c, "POST", "{}", now_s + 1600)}[0], "10.0.0.1", true,
              (now_s + 1600) * 1000),
       "another one later, by which old ones are forgotten");
    no(ask_as(a, &ahead, "10.0.0.1", true, (now_s + 1700) * 1000), "was used before",
       "1700 s later it is still known");
}

/* --- lockout -------------------------------------------------------------------------------------
 */

/* A signature with a wrong secret. */
static struct sent forged(const struct client *c, int64_t at)
{
    struct client liar = *c;
    struct sent s;

    liar.signer = NULL;
    liar.secret[0] = liar.secret[0] == 'x' ? 'y' : 'x';
    s = signed_at(&liar, "GET", "", at);
    das_signer_free(liar.signer);
    return s;
}

static bool at_ms(struct das_auth *a, const char *peer, struct sent s, int64_t ms)
{
    return ask_as(a, &s, peer, false, ms);
}

static void lockout(struct das_auth *a, struct client *c, struct client *other)
{
    int64_t t = now_s * 1000;
    struct sent good = get(c), bad = forged(c, now_s);
    const char *limit = "AK access failed to reach the limit, forbidden";

    for (int i = 1; i < DAS_AUTH_FAILURES; i++)
        no(at_ms(a, "10.3.0.1", bad, t), "verify aksk signature fail", "failure %d", i);
    ok(at_ms(a, "10.3.0.1", good, t), "one less than the limit");
    for (int i = 1; i < DAS_AUTH_FAILURES; i++)
        at_ms(a, "10.3.0.1", bad, t);
    ok(at_ms(a, "10.3.0.1", good, t), "a success begins the count anew");
    for (int i = 0; i < DAS_AUTH_FAILURES; i++)
        no(at_ms(a, "10.3.0.1", bad, t), "verify aksk signature fail", "a failure in a row");
    no(at_ms(a, "10.3.0.1", good, t), limit, "then the key is locked, however it is signed");
    is_str(caller.id, c->id, "the log is told whose it is");
    ok(at_ms(a, "10.3.0.2", good, t), "from that address only");
    ok(at_ms(a, "10.3.0.1", get(other), t), "and no other key");
    for (int i = 0; i < 20; i++)
        at_ms(a, "10.3.0.1", bad, t + 200000);
    no(at_ms(a, "10.3.0.1", good, t + DAS_AUTH_LOCK_MS - 1), limit, "until the last moment");
    ok(at_ms(a, "10.3.0.1", good, t + DAS_AUTH_LOCK_MS), "not longer, whatever came meanwhile");
    no(at_ms(a, "10.3.0.1", bad, t + DAS_AUTH_LOCK_MS), "verify aksk signature fail",
       "and the count begins anew");
}

static void strangers(struct das_auth *a, struct client *c)
{
    struct client nobody = {.id = "DASAAAAAAAAAAAAAAAAA", .secret = "no secret of anybody"};
    struct sent s = get(&nobody);

    for (int i = 0; i < DAS_AUTH_FAILURES; i++)
        no(from(a, "10.4.0.1", s), "Get secretKey failed", "a key that nobody has");
    is_str(caller.id, "", "the log is not told a name that is made up");
    no(from(a, "10.4.0.1", s), "forbidden", "unknown ones are counted by address");
    snprintf(nobody.id, sizeof nobody.id, "DASBBBBBBBBBBBBBBBBB");
    das_signer_free(nobody.signer);
    nobody.signer = NULL;
    no(from(a, "10.4.0.1", get(&nobody)), "forbidden", "all together");
    no(from(a, "10.4.0.1", with_token("x")), "forbidden", "tokens, too");
    ok(from(a, "10.4.0.1", get(c)), "who has a key is not locked out with them");
    no(from(a, "10.4.0.2", get(&nobody)), "Get secretKey failed", "another address");
    das_signer_free(nobody.signer);
}

/* --- tokens --------------------------------------------------------------------------------------
 */

static void tokens(struct das_auth *a, struct client *t, struct client *c)
{
    struct client unknown = *t;
    char text[80];
    int passed = 0;

    ok(asks(a, with_token(t->secret)), "a token passes");
    is_str(caller.id, t->id, "as itself");
    is_str(caller.instances, "orders tag:prod", "its instances");
    ok(writes(a, with_token(t->secret)) && writes(a, with_token(t->secret)),
       "it can be used again, also for writing");
    for (size_t i = 0; i < strlen(t->secret); i++) {
        memcpy(text, t->secret, sizeof t->secret);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        snprintf(unknown.id, sizeof unknown.id, "10.5.0.%zu", i);
        passed += from(a, unknown.id, with_token(text));
        passed += !refused("decrypt token fail");
    }
    snprintf(text, sizeof text, "%s ", t->secret);
    text[strlen(t->secret) - 1] = '\0';
    passed += from(a, "10.5.1.1", with_token(text));
    passed += from(a, "10.5.1.2", with_token(""));
    passed += from(a, "10.5.1.3", with_token(c->id));
    is_int(passed, 0, "none with another byte, or one less");
    ok(!strstr(why.message, c->id), "and it is not repeated");
    memcpy(text, t->secret, sizeof t->secret);
    text[67] = text[67] == 'A' ? 'E' : 'A';
    for (int i = 0; i < DAS_AUTH_FAILURES; i++)
        from(a, "10.5.2.1", with_token(text));
    no(from(a, "10.5.2.1", with_token(t->secret)), "forbidden", "a token is locked as a key is");
    ok(asks(a, with_token(t->secret)), "from there only");
}

static void expiry(void)
{
    int64_t end = (now_s + 100) * 1000;
    struct client c = key("short", READ, end), t = token("short", end);
    struct das_auth *a = server(0);
    struct sent s = get(&c), ts = with_token(t.secret), bad = forged(&c, now_s);

    ok(ask_as(a, &s, "10.0.0.1", false, end - 1), "a key until its end");
    no(ask_as(a, &s, "10.0.0.1", false, end), "AK expires, expires_at: 2", "then: %s", why.message);
    is_str(caller.id, c.id, "the log is told");
    no(ask_as(a, &bad, "10.0.0.1", false, end), "verify aksk signature fail",
       "who has not proved to have it does not learn that");
    ok(ask_as(a, &ts, "10.0.0.1", false, end - 1), "a token");
    no(ask_as(a, &ts, "10.0.0.1", false, end), "token expires, expires_at: 2", "then: %s",
       why.message);
    das_auth_free(a);
    das_signer_free(c.signer);
}

/* --- reload --------------------------------------------------------------------------------------
 */

static void reload(struct das_auth *a, struct client *c)
{
    size_t before = das_auth_keys(a);
    struct client fresh = key("fresh", READ, 0), broken = {.signer = NULL}, ended;
    struct das_access odd = {.id = "DASODD", .kind = DAS_ACCESS_KEY, .created_ms = 1};

    no(from(a, "10.6.0.1", get(&fresh)), "Get secretKey failed", "not known yet");
    must(das_auth_refresh(a, &err) == 0, "read again");
    ok(from(a, "10.6.0.1", get(&fresh)), "known now");
    is_int(das_auth_keys(a), before + 1, "one more");
    must(das_access_revoke(store, fresh.id, "test", &err) == 0, "revoked");
    ok(from(a, "10.6.0.1", get(&fresh)), "not seen yet");
    must(das_auth_refresh(a, &err) == 0, "read again");
    no(from(a, "10.6.0.1", get(&fresh)), "Get secretKey failed", "refused now");
    is_str(caller.name, "fresh", "the log is told whose it was");
    is_int(das_auth_keys(a), before, "one less");

    ended = token("ended", 0);
    must(das_auth_refresh(a, &err) == 0, "a token");
    ok(from(a, "10.6.0.2", with_token(ended.secret)), "passes");
    must(das_access_revoke(store, ended.id, "test", &err) == 0 && das_auth_refresh(a, &err) == 0,
         "is revoked");
    no(from(a, "10.6.0.2", with_token(ended.secret)), "decrypt token fail", "and refused");
    is_str(caller.name, "ended", "the log is told whose it was");

    add(&odd, T("not sealed by anybody, but long enough to be"));
    ok(das_auth_refresh(a, &err) < 0 && err.code == DAS_E_CONFIG && strstr(err.msg, "DASODD"),
       "one that cannot be opened is said: %s", err.msg);
    ok(asks(a, get(c)), "the others are good all the same");
    memcpy(broken.id, odd.id, sizeof odd.id);
    snprintf(broken.secret, sizeof broken.secret, "guess");
    no(from(a, "10.6.0.1", get(&broken)), "Get secretKey failed", "that one is not");
    ok(das_auth_refresh(a, &err) == 0, "it is said once");
    must(das_access_revoke(store, "DASODD", "test", &err) == 0, "revoked");
    ok(das_auth_refresh(a, &err) == 0, "and nothing is wrong any more");
    das_signer_free(fresh.signer);
    das_signer_free(broken.signer);
}

/* --- rate ----------------------------------------------------------------------------------------
 */

static int burst(struct das_auth *a, struct client *c, int n, int64_t ms)
{
    struct sent s = get(c);
    int passed = 0;

    for (int i = 0; i < n; i++)
        passed += ask_as(a, &s, "10.0.0.1", false, ms);
    return passed;
}

static void rate(struct client *c, struct client *t)
{
    struct das_auth *a = server(10), *slow = server(0.5);
    int64_t ms = now_s * 1000;
    struct client more;
    int bad = 0;

    is_int(burst(a, c, 25, ms), 10, "ten at once at ten a second");
    ok(why.status == 429 && strcmp(why.code, "APIGW.0308") == 0 && why.retry_after == 1,
       "then 429, and when to come again");
    is_str(why.message,
           "The throttling threshold has been reached: policy key over ratelimit,limit:10,time:1 "
           "second",
           "in the gateway's words");
    is_int(burst(a, c, 25, ms + 300), 3, "three after 300 ms");
    is_int(burst(a, c, 25, ms + 60000), 10, "never more than ten");
    is_int(burst(a, c, 5, ms + 59000), 0, "nothing comes of a clock that goes back");
    is_int(burst(a, c, 5, ms + 60100), 1, "nor twice the same");
    for (int i = 0; i < 50; i++) {
        struct sent f = forged(c, now_s);
        char peer[20];
        snprintf(peer, sizeof peer, "10.0.1.%d", i);
        bad += ask_as(a, &f, peer, false, ms + 61100);
    }
    is_int(bad + burst(a, c, 25, ms + 61100), 10, "who fails uses up nobody's rate");
    ok(asks(a, with_token(t->secret)), "each key has its own");
    more = key("more", READ, 0);
    must(das_auth_refresh(a, &err) == 0, "another key");
    is_int(burst(a, c, 5, ms + 61100), 0, "a reload gives nothing");
    (void)more;
    is_int(burst(slow, c, 5, ms) + burst(slow, c, 5, ms + 1999), 1, "one in two seconds");
    is_int(burst(slow, c, 5, ms + 2001), 1, "the next");
    das_auth_free(a);
    das_auth_free(slow);
}

/* --- threads -------------------------------------------------------------------------------------
 */

struct worker {
    pthread_t thread;
    struct das_auth *a;
    struct sent good, bad;
    const char *peer;
    int passed, failed, once;
};

#define ROUNDS 3000

static void *work(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < ROUNDS; i++) {
        const struct das_auth_ask good = {of(&w->good), w->peer, i % 1000 == 0, now_s * 1000},
                                  bad = {of(&w->bad), w->peer, false, now_s * 1000};
        struct das_caller who;
        struct das_refusal r;
        bool passed = das_auth_check(w->a, &good, &who, &r) == 0;
        if (good.writes)
            w->once += passed;
        else
            w->passed += passed;
        w->failed += das_auth_check(w->a, &bad, &who, &r) < 0;
    }
    return NULL;
}

/* Two threads with one key, a third that reads the keys again all the time. */
static void threads(struct client *c)
{
    struct das_auth *a = server(0);
    struct worker w[2];
    int reads = 0, before = 0;

    memset(w, 0, sizeof w);
    for (int i = 0; i < 2; i++) {
        w[i].a = a;
        w[i].good = get(c);
        w[i].bad = forged(c, now_s + i);
        w[i].peer = "10.7.0.1";
        snprintf(w[i].bad.path, sizeof w[i].bad.path, "/other");
    }
    /* what fails comes from the same address: without a good one between five it would lock */
    for (int i = 0; i < 2; i++)
        must(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0, "thread %d", i);
    for (int i = 0; i < 20; i++) {
        struct client extra = key("extra", READ, 0);
        reads += das_auth_refresh(a, &err) == 0;
        before += das_access_revoke(store, extra.id, "test", &err) == 0;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(w[i].thread, NULL);
    is_int(reads, 20, "keys were read again meanwhile");
    is_int(w[0].failed + w[1].failed, 2 * ROUNDS, "all that was forged is refused");
    is_int(w[0].once + w[1].once, 1, "one write passes, of both threads together");
    is_int(w[0].passed + w[1].passed, 2 * (ROUNDS - 3), "all that was signed passes");
    das_auth_free(a);
    (void)before;
}

struct late {
    struct das_auth *a;
    struct sent s;
    atomic_bool begun, done;
};

static void *write_late(void *arg)
{
    struct late *l = arg;
    const struct das_auth_ask ask = {of(&l->s), "10.8.0.1", true, now_s * 1000};
    struct das_caller who;
    struct das_refusal r;

    l->begun = true;
    das_auth_check(l->a, &ask, &who, &r);
    l->done = true;
    return NULL;
}

/* Somebody else has the database locked, and writes wait for it: keys are read all the same, since
 * the thread that reads them also looks at signals and tells systemd that all is well. */
static void locked_store(struct client *c)
{
    struct late l = {.a = server(0), .s = signed_at(c, "POST", "{\"task_id\":10}", now_s)};
    struct client extra = key("late", READ, 0);
    pthread_t thread;
    sqlite3 *db;

    must(sqlite3_open(store_path(dir, "das.db"), &db) == SQLITE_OK &&
             sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK,
         "the database is locked");
    must(pthread_create(&thread, NULL, write_late, &l) == 0, "a thread");
    while (!l.begun)
        usleep(1000);
    usleep(100000); /* it may get as far as it can; were it slower, this would find less */
    is_int(das_auth_refresh(l.a, &err), 0, "keys are read while a write waits for the database");
    ok(!l.done, "and not after it");
    ok(asks(l.a, get(&extra)), "a new one is known");
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    pthread_join(thread, NULL);
    das_signer_free(extra.signer);
    das_auth_free(l.a);
}

/* What is wrong with the store is for the log: the client learns nothing of it. */
static void broken_store(struct client *c)
{
    struct das_auth *a = server(0);

    store_sql(dir, "ALTER TABLE seen RENAME TO away");
    ok(!writes(a, signed_at(c, "POST", "{\"task_id\":9}", now_s)), "no write without the store");
    is_int(why.status, 500, "is an error of the server");
    is_str(why.message, "Internal server error", "is all that is said");
    ok(strstr(why.cause, "seen"), "the log gets the cause: %s", why.cause);
    store_sql(dir, "ALTER TABLE away RENAME TO seen");
    ok(writes(a, signed_at(c, "POST", "{\"task_id\":9}", now_s)), "and then it goes on");
    das_auth_free(a);
}

/* --- memory --------------------------------------------------------------------------------------
 */

/* Every allocation fails once: the answer is a refusal or an error, and nothing is lost (a
 * sanitizer looks). */
static void out_of_memory(struct client *c)
{
    const struct das_auth_conf conf = {dir, REGION, 0};
    struct sent s = get(c);
    int tried = 0, wrong = 0;
    bool passed = false;

    for (long n = 1; !passed && n < 1000; n++) {
        struct das_auth *a = NULL;
        int rc;
        das_alloc_fail_at(n);
        rc = das_auth_new(&conf, &a, &err);
        if (rc < 0) {
            wrong += err.code != DAS_E_NOMEM || a != NULL;
        } else {
            passed = asks(a, s);
            wrong += !passed && why.status != 500;
        }
        passed = passed && !das_alloc_failed();
        das_alloc_fail_at(0);
        tried++;
        das_auth_free(a);
    }
    ok(passed && tried > 20, "%d allocations fail, one after the other", tried);
    is_int(wrong, 0, "each is said as what it is");
}

/* --- what a key allows ---------------------------------------------------------------------------
 */

static bool may(const char *actions, const char *instances, const char *action,
                const char *instance, const char *tag)
{
    const char *const tags[] = {"other", tag};
    struct das_caller c = {.id = "X"};

    snprintf(c.actions, sizeof c.actions, "%s", actions);
    snprintf(c.instances, sizeof c.instances, "%s", instances);
    return das_auth_may(&c, action, instance, tag ? tags : NULL, tag ? 2 : 0);
}

static void rights(void)
{
    const char *preview = "das:clouddba:listProcess", *kill = "das:clouddba:deleteProcess";

    ok(may("*", "*", kill, "orders", NULL), "all, everywhere");
    ok(may(READ, "*", preview, "orders", NULL) && !may(READ, "*", kill, "orders", NULL),
       "one action");
    ok(may("das:clouddba:*", "*", kill, "orders", NULL), "a family");
    ok(may("*", "orders", kill, "orders", NULL) && !may("*", "orders", kill, "order", NULL) &&
           !may("*", "orders", kill, "orders2", NULL),
       "one instance");
    ok(may("*", "a orders b", kill, "orders", NULL), "of several");
    ok(may("*", "tag:prod", kill, "orders", "prod") &&
           !may("*", "tag:prod", kill, "orders", "pro") &&
           !may("*", "tag:prod", kill, "orders", NULL),
       "a tag");
    ok(!may("*", "prod", kill, "orders", "prod") && !may("*", "tag:orders", kill, "orders", "prod"),
       "tags and names are two things");
    ok(!may("*", "", kill, "orders", "prod") && !may("", "*", kill, "orders", NULL),
       "nothing allows nothing");
    ok(may("*", "a", preview, NULL, NULL) && !may(READ, "*", kill, NULL, NULL),
       "an action that is about no instance");
}

static void refusals(void)
{
    struct das_refusal r;
    struct das_buf b = {0};
    char text[700];

    is_int(das_refuse(&r, 403, "APIGW.0302", "no \"%s\"", "x\n"), -1, "refused");
    ok(r.status == 403 && !r.retry_after && !r.allow, "status, nothing else");
    das_refusal_json(&r, "abc", &b);
    is_str(
        b.ptr,
        "{\"error_code\":\"APIGW.0302\",\"error_msg\":\"no \\\"x\\n\\\"\",\"request_id\":\"abc\"}",
        "as JSON");
    das_buf_reset(&b);
    das_refusal_json(&r, NULL, &b);
    ok(!strstr(b.ptr, "request_id"), "without an id");
    memset(text, 'a', sizeof text);
    memcpy(text + 509, "\xe4\xb8\x80\xe4\xb8\x80", 6);
    text[600] = '\0';
    das_refuse(&r, 400, "X", "%s", text);
    is_int(strlen(r.message), 509, "a long one is cut before a character that does not fit");
    das_refuse(&r, 400, "X", "b%.508s\xc3\xa4\xc3\xa4", text);
    ok(strlen(r.message) == 511 && das_utf8_valid(das_text_of(r.message)),
       "and behind one that does");
    das_buf_clear(&b);
}

int main(void)
{
    struct client c, d, t;
    struct das_auth *a;

    kit_seed(20261124);
    dir = store_dir();
    store = store_open(dir);
    now_s = das_clock_unix_ms() / 1000;
    refusals();
    rights();
    none_at_all();
    c = key("ci", READ, 0);
    d = key("other", "*", 0);
    t = token("person", (now_s + 100000) * 1000);
    a = server(0);
    is_int(das_auth_keys(a), 3, "three are good");
    both_and_none(a, &c, &t);
    each_byte(a, &c);
    skew(a, &c);
    v11_and_unsigned(a, &c);
    replays(a, &c);
    lockout(a, &c, &d);
    strangers(a, &c);
    tokens(a, &t, &c);
    reload(a, &c);
    das_auth_free(a);
    expiry();
    rate(&c, &t);
    threads(&d);
    broken_store(&c);
    locked_store(&c);
    out_of_memory(&c);
    published();
    das_signer_free(c.signer);
    das_signer_free(d.signer);
    das_signed_clear(&out);
    das_store_close(store);
    store_dirs_clear();
    return tap_done();
}
