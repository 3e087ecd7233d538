/* auth.c - see auth.h. */
#include "core/serve/auth.h"

#include <pthread.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/serve/action.h"
#include "core/serve/auth_keys.h"
#include "core/serve/keyring.h"
#include "core/serve/lockout.h"

#define SERVICE "das"
#define LOCKOUT_PAIRS 8192

struct das_auth {
    char *state_dir, *region;
    double rate;
    struct das_lockout *lockout;

    struct das_store *store; /* for keys, and of the one thread that reads them */
    int64_t version;

    pthread_mutex_t keys_lock; /* of the next one; held to find a key, not while it is used */
    struct das_auth_keys keys;

    pthread_mutex_t seen_lock; /* of the next one; held for as long as the database lets us wait */
    struct das_store *seen;    /* signatures */
};

/* --- keys ------------------------------------------------------------------------------------- */

/* The version is asked for first: what changes meanwhile is read once more. 1: there are new ones,
 * 0: nothing has changed, -1. */
static int read_keys(struct das_auth *a, bool first, struct das_auth_keys *out, struct das_err *err)
{
    int64_t version;
    int rc;

    rc = das_store_version(a->store, &version, err);
    if (rc == 0 && (first || version != a->version)) {
        rc = das_auth_keys_read(a->store, a->state_dir, &a->keys, out, err);
        if (rc == 0) {
            a->version = version;
            rc = 1;
        }
    }
    return rc;
}

/* Only one thread changes a->keys, so it may look without the lock. */
static int load(struct das_auth *a, bool first, struct das_err *err)
{
    struct das_auth_keys now = {0}, before;
    int rc = read_keys(a, first, &now, err);

    if (rc <= 0)
        return rc;
    if (now.wrong.code)
        *err = now.wrong;
    rc = now.wrong.code ? -1 : 0;
    pthread_mutex_lock(&a->keys_lock);
    before = a->keys;
    a->keys = now;
    pthread_mutex_unlock(&a->keys_lock);
    das_auth_keys_clear(&before);
    return rc;
}

int das_auth_new(const struct das_auth_conf *conf, struct das_auth **out, struct das_err *err)
{
    struct das_auth *a = das_calloc(1, sizeof *a);

    *out = NULL;
    if (!a)
        return das_fail_nomem(err);
    pthread_mutex_init(&a->seen_lock, NULL);
    pthread_mutex_init(&a->keys_lock, NULL);
    a->rate = conf->rate;
    a->state_dir = das_strdup(conf->state_dir);
    a->region = das_strdup(conf->region ? conf->region : "");
    if (!a->state_dir || !a->region) {
        das_fail_nomem(err);
        goto failed;
    }
    a->lockout = das_lockout_new(LOCKOUT_PAIRS, DAS_AUTH_FAILURES, DAS_AUTH_LOCK_MS, err);
    if (!a->lockout)
        goto failed;
    das_no_core_dumps();
    if (das_store_open(conf->state_dir, &a->store, err) < 0 ||
        das_store_open(conf->state_dir, &a->seen, err) < 0 || load(a, true, err) < 0)
        goto failed;
    if (!conf->keyless && !das_auth_keys(a)) {
        das_fail(
            err, DAS_E_CONFIG,
            "no credential: das key create --name NAME makes one, das token create a token; in "
            "%s there is none that is good now",
            das_store_path(a->store));
        goto failed;
    }
    *out = a;
    return 0;
failed:
    das_auth_free(a);
    return -1;
}

void das_auth_free(struct das_auth *a)
{
    if (!a)
        return;
    das_auth_keys_clear(&a->keys);
    das_store_close(a->store);
    das_store_close(a->seen);
    das_lockout_free(a->lockout);
    pthread_mutex_destroy(&a->keys_lock);
    pthread_mutex_destroy(&a->seen_lock);
    das_free(a->region);
    das_free(a->state_dir);
    das_free(a);
}

int das_auth_refresh(struct das_auth *a, struct das_err *err)
{
    return load(a, false, err);
}

size_t das_auth_keys(struct das_auth *a)
{
    int64_t now = das_clock_unix_ms();
    size_t n = 0;

    pthread_mutex_lock(&a->keys_lock);
    for (size_t i = 0; i < a->keys.count; i++)
        n += das_auth_key_usable(a->keys.list[i]) && !das_auth_key_expired(a->keys.list[i], now);
    pthread_mutex_unlock(&a->keys_lock);
    return n;
}

/* --- one request ------------------------------------------------------------------------------ */

struct check {
    struct das_auth *a;
    const struct das_auth_ask *ask;
    const char *peer;
    struct das_caller *caller;
    struct das_refusal *why;
    struct das_auth_key *key;  /* that the request names; NULL: there is none */
    struct das_text signature; /* NULL: it came with a token */
    int64_t good_until_ms;     /* the signature */
};

/* kind: the word for metrics. */
static int refuse(struct check *c, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(struct check *c, const char *kind, const char *fmt, ...)
{
    char text[480];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    das_refuse(c->why, 401, "APIGW.0301", "Incorrect IAM authentication information: %s", text);
    c->why->word = kind;
    return -1;
}

/* Nobody has proved to have a key, so what is wrong here is for the log only. */
static int broken(struct check *c, const struct das_err *err)
{
    das_refuse(c->why, 500, "APIGW.0601", "Internal server error");
    snprintf(c->why->cause, sizeof c->why->cause, "%.199s", err->msg);
    return -1;
}

static size_t headers_named(const struct das_sign_request *r, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < r->header_count; i++)
        n += das_text_iis(r->headers[i].name, name);
    return n;
}

/* Looks for it and tells the log, whatever becomes of the request. */
static void name_key(struct check *c, struct das_text id, enum das_access_kind kind)
{
    pthread_mutex_lock(&c->a->keys_lock);
    c->key = das_auth_keys_find(&c->a->keys, id, kind);
    pthread_mutex_unlock(&c->a->keys_lock);
    if (c->key) {
        const struct das_access *access = das_auth_key_access(c->key);
        memcpy(c->caller->id, access->id, sizeof access->id);
        memcpy(c->caller->name, access->name, sizeof access->name);
    }
}

/* What the lockout counts by: keys that nobody can use are as good as none. */
static const char *counted_as(const struct check *c)
{
    return c->key && das_auth_key_usable(c->key) ? das_auth_key_access(c->key)->id : "";
}

static bool is_locked(struct check *c)
{
    return das_lockout_is_locked(c->a->lockout, counted_as(c), c->peer, c->ask->now_ms);
}

static void count_failure(struct check *c)
{
    das_lockout_failed(c->a->lockout, counted_as(c), c->peer, c->ask->now_ms);
}

static int refuse_locked(struct check *c)
{
    return refuse(c, "locked", "AK access failed to reach the limit, forbidden");
}

/* --- signatures ------------------------------------------------------------------------------- */

static int refuse_signature(struct check *c, const struct das_err *err)
{
    if (err->code != DAS_E_AUTH && err->code != DAS_E_DATA)
        return broken(c, err);
    return refuse(c, "signature", "verify aksk signature fail, %s", err->msg);
}

static int check_date(struct check *c, const struct das_sign_auth *s)
{
    int64_t now = c->ask->now_ms, at = s->time * 1000;
    char text[32];

    if (now - at <= DAS_AUTH_SKEW_S * 1000 && at - now <= DAS_AUTH_SKEW_S * 1000)
        return 0;
    das_clock_iso(now / 1000, text, sizeof text);
    return refuse(
        c, "skew",
        "verify aksk signature fail, X-Sdk-Date %.*s is more than %d minutes from now, %s",
        (int)s->date.len, s->date.ptr, DAS_AUTH_SKEW_S / 60, text);
}

/* What a signature says about itself, and what it has to. */
static int check_claims(struct check *c, const struct das_sign_auth *s)
{
    if (check_date(c, s) < 0)
        return -1;
    if (s->algorithm == DAS_V11_HMAC_SHA256 &&
        (!das_text_is(s->region, c->a->region) || !das_text_is(s->service, SERVICE)))
        return refuse(c, "signature",
                      "verify aksk signature fail, Credential: expected region %s and service %s",
                      c->a->region, SERVICE);
    if (s->body_unsigned && (c->ask->writes || c->ask->request->body.len))
        return refuse(c, "signature",
                      "verify aksk signature fail, X-Sdk-Content-Sha256: expected the hash of "
                      "the body, UNSIGNED-PAYLOAD is for reading without one");
    return 0;
}

static int check_signature(struct check *c)
{
    const struct das_sign_request *r = c->ask->request;
    struct das_sign_auth s;
    struct das_err err;
    int rc = das_sign_read(r, &s, &err);

    if (s.access.ptr)
        name_key(c, s.access, DAS_ACCESS_KEY);
    if (rc < 0)
        return refuse_signature(c, &err);
    if (check_claims(c, &s) < 0)
        return -1;
    if (is_locked(c))
        return refuse_locked(c);
    if (!c->key || !das_auth_key_usable(c->key)) {
        count_failure(c);
        return refuse(c, c->key ? "revoked" : "unknown_key", "Get secretKey failed");
    }
    if (das_auth_key_verify(c->key, r, &s, &err) < 0) {
        if (err.code == DAS_E_AUTH)
            count_failure(c);
        return refuse_signature(c, &err);
    }
    c->signature = s.signature;
    c->good_until_ms = (s.time + DAS_AUTH_SKEW_S + 1) * 1000;
    return 0;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static int check_token(struct check *c)
{
    struct das_text token = das_sign_header(c->ask->request, "x-auth-token");
    char id[DAS_ACCESS_ID_SIZE];
    struct das_err err;
    bool good = false;

    if (token.ptr && das_token_id(token, id))
        name_key(c, das_text_of(id), DAS_ACCESS_TOKEN);
    if (is_locked(c))
        return refuse_locked(c);
    if (c->key && das_auth_key_usable(c->key) && das_auth_key_token(c->key, token, &good, &err) < 0)
        return broken(c, &err);
    if (good)
        return 0;
    count_failure(c);
    return refuse(c, "token", "decrypt token fail");
}

/* --- both ------------------------------------------------------------------------------------- */

static int check_expiry(struct check *c)
{
    const struct das_access *access = das_auth_key_access(c->key);
    char text[32];

    if (!das_auth_key_expired(c->key, c->ask->now_ms))
        return 0;
    das_clock_iso(access->expires_ms / 1000, text, sizeof text);
    return refuse(c, "expired", "%s expires, expires_at: %s",
                  access->kind == DAS_ACCESS_TOKEN ? "token" : "AK", text);
}

/* Only who has proved to have the key uses up its rate. */
static int check_rate(struct check *c)
{
    double rate = c->a->rate;

    if (rate <= 0 || das_auth_key_pass(c->key, rate, c->ask->now_ms))
        return 0;
    das_refuse(c->why, 429, "APIGW.0308",
               "The throttling threshold has been reached: policy key over "
               "ratelimit,limit:%.15g,time:1 second",
               rate);
    c->why->word = "throttled";
    c->why->retry_after = 1;
    return -1;
}

static int check_replay(struct check *c)
{
    struct das_err err;
    int rc;

    if (!c->signature.ptr || !c->ask->writes)
        return 0;
    pthread_mutex_lock(&c->a->seen_lock);
    rc = das_seen_note(c->a->seen, c->signature, c->good_until_ms, c->ask->now_ms, &err);
    pthread_mutex_unlock(&c->a->seen_lock);
    if (rc < 0)
        return broken(c, &err);
    if (rc == 0)
        return refuse(c, "replay",
                      "verify aksk signature fail, the signature was used before: each request "
                      "that changes something is signed anew");
    return 0;
}

static int check(struct check *c)
{
    const struct das_sign_request *r = c->ask->request;
    size_t signatures = headers_named(r, "authorization"),
           tokens = headers_named(r, "x-auth-token");

    if (signatures + tokens == 0)
        return refuse(c, "none", "x-auth-token not found");
    if (signatures + tokens > 1)
        return refuse(c, "none", "expected one x-auth-token or one Authorization, got more");
    if ((signatures ? check_signature(c) : check_token(c)) < 0)
        return -1;
    das_lockout_succeeded(c->a->lockout, counted_as(c), c->peer);
    if (check_expiry(c) < 0 || check_rate(c) < 0)
        return -1;
    return check_replay(c);
}

static void copy(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
}

int das_auth_check(struct das_auth *a, const struct das_auth_ask *ask, struct das_caller *caller,
                   struct das_refusal *why)
{
    struct check c = {
        .a = a, .ask = ask, .peer = ask->peer ? ask->peer : "", .caller = caller, .why = why};
    int rc;

    caller->id[0] = caller->name[0] = caller->actions[0] = caller->instances[0] = '\0';
    rc = check(&c);
    if (rc == 0) {
        copy(caller->actions, das_auth_key_access(c.key)->actions);
        copy(caller->instances, das_auth_key_access(c.key)->instances);
        why->status = 0;
    }
    das_auth_key_release(c.key);
    return rc;
}

/* --- what somebody may ------------------------------------------------------------------------ */

static bool is_tag(struct das_text word, const char *const *tags, size_t tag_count)
{
    if (word.len < 4 || memcmp(word.ptr, "tag:", 4) != 0)
        return false;
    for (size_t i = 0; i < tag_count; i++) {
        if (das_text_is(das_text(word.ptr + 4, word.len - 4), tags[i]))
            return true;
    }
    return false;
}

bool das_auth_may(const struct das_caller *c, const char *action, const char *instance,
                  const char *const *tags, size_t tag_count)
{
    const char *list = c->instances;

    if (!das_action_allowed(c->actions, action))
        return false;
    while (instance && *list) {
        size_t n = strcspn(list, " ");
        struct das_text word = das_text(list, n);
        if (n && (das_text_is(word, "*") || das_text_is(word, instance) ||
                  is_tag(word, tags, tag_count)))
            return true;
        list += n + (list[n] == ' ');
    }
    return !instance;
}
