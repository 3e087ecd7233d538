/*
 * auth_kit.h - keys and tokens in a store, the server that knows them, and requests of their owners, of which all can be
 * changed. The clock is the test's: ask.now_ms.
 */
#ifndef DAS_TESTS_AUTH_KIT_H
#define DAS_TESTS_AUTH_KIT_H

#include "core/serve/auth.h"


#include "core/base/clock.h"
#include "core/serve/keyring.h"
#include "tests/unit/store_kit.h" /* before the other, whose err would be in its way */
#include "tests/unit/sign_kit.h"

#define READ "das:clouddba:listProcess"
#define REGION "local"

/* --- a server and its clients ----------------------------------------------------------------- */

static const char *dir;
static struct das_store *store;
static int64_t now_s; /* of the server, when a test says nothing */

struct client {
    char id[DAS_ACCESS_ID_SIZE];
    char secret[DAS_TOKEN_SIZE]; /* or the whole token */
    struct das_signer *signer, *v11;
};

static inline void add(struct das_access *a, struct das_text secret)
{
    a->secret = secret;
    if (das_access_add(store, a, "test", &err) < 0) {
        tap_diag("add %s: %s", a->id, err.msg);
        exit(1);
    }
}

static inline struct client key(const char *name, const char *actions, int64_t expires_ms)
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

static inline struct client token(const char *name, int64_t expires_ms)
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

static inline struct das_signer *signer_for(struct client *c, const char *region, const char *service)
{
    struct das_sign_key k = {.access = das_text_of(c->id), .secret = das_text_of(c->secret)};

    if (region) {
        k.algorithm = DAS_V11_HMAC_SHA256;
        k.region = das_text_of(region);
        k.service = das_text_of(service);
    }
    return signer(&k);
}

static inline struct das_auth *server(double rate)
{
    const struct das_auth_conf conf = {dir, REGION, rate, false};
    struct das_auth *a = NULL;

    must(das_auth_new(&conf, &a, &err) == 0, "a server%s%s", err.code ? ": " : "",
         err.code ? err.msg : "");
    return a;
}

/* --- requests --------------------------------------------------------------------------------- */

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

static inline const struct das_sign_request *of(struct sent *s)
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

static inline void header(struct sent *s, const char *name, const char *value)
{
    snprintf(s->header[s->header_count][0], 300, "%s", name);
    snprintf(s->header[s->header_count++][1], 300, "%s", value);
}

static inline struct sent plain(const char *method, const char *body)
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

static inline void sign_with(struct das_signer *with, struct sent *s, int64_t at)
{
    if (das_sign(with, of(s), at, &out, &err) < 0) {
        tap_diag("sign: %s", err.msg);
        exit(1);
    }
    header(s, "X-Sdk-Date", out.date);
    header(s, "Authorization", out.authorization.ptr);
}

static inline struct sent signed_at(struct client *c, const char *method, const char *body, int64_t at)
{
    struct sent s = plain(method, body);

    if (!c->signer)
        c->signer = signer_for(c, NULL, NULL);
    sign_with(c->signer, &s, at);
    return s;
}

static inline struct sent get(struct client *c)
{
    return signed_at(c, "GET", "", now_s);
}

static inline struct sent with_token(const char *text)
{
    struct sent s = plain("GET", "");

    header(&s, "X-Auth-Token", text);
    return s;
}

static inline bool ask_as(struct das_auth *a, struct sent *s, const char *peer, bool writes, int64_t ms)
{
    const struct das_auth_ask ask = {of(s), peer, writes, ms};

    memset(&why, 0x55, sizeof why);
    return das_auth_check(a, &ask, &caller, &why) == 0;
}

static inline bool asks(struct das_auth *a, struct sent s)
{
    return ask_as(a, &s, "10.0.0.1", false, now_s * 1000);
}

static inline bool from(struct das_auth *a, const char *peer, struct sent s)
{
    return ask_as(a, &s, peer, false, now_s * 1000);
}

static inline bool writes(struct das_auth *a, struct sent s)
{
    return ask_as(a, &s, "10.0.0.1", true, now_s * 1000);
}

static inline bool refused(const char *words)
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

/* A signature with a wrong secret. */
static inline struct sent forged(const struct client *c, int64_t at)
{
    struct client liar = *c;
    struct sent s;

    liar.signer = NULL;
    liar.secret[0] = liar.secret[0] == 'x' ? 'y' : 'x';
    s = signed_at(&liar, "GET", "", at);
    das_signer_free(liar.signer);
    return s;
}

static inline bool at_ms(struct das_auth *a, const char *peer, struct sent s, int64_t ms)
{
    return ask_as(a, &s, peer, false, ms);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* A store with two keys and a token. */
static struct client ci, ops, person;

static inline void auth_kit_open(void)
{
    kit_seed(20261124);
    dir = store_dir();
    store = store_open(dir);
    now_s = das_clock_unix_ms() / 1000;
}

static inline void auth_kit_clients(void)
{
    ci = key("ci", READ, 0);
    ops = key("ops", "*", 0);
    person = token("person", (now_s + 100000) * 1000);
}

static inline void auth_kit_close(void)
{
    das_signer_free(ci.signer);
    das_signer_free(ops.signer);
    das_signed_clear(&out);
    das_store_close(store);
    store_dirs_clear();
}

#endif
