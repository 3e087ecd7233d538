/*
 * call.c - one call: its address, its signature and its attempts.
 *
 * Decides when a request may be sent again: what reads, on trouble that passes; what writes, only
 * when it was refused or never left this machine.
 */
#include "core/cloud/cloud_impl.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"

#define SERVICE "das"
#define LANGUAGE "en-us"

static int64_t trip_left(void *arg)
{
    struct das_cloud_trip *t = arg;
    int64_t own = t->deadline_ms - das_clock_monotonic_ms();
    int64_t callers = das_patience_left(&t->call->patience);
    int64_t sending = t->sent ? INT64_MAX : das_patience_left(&t->call->sending);

    own = own < callers ? own : callers;
    own = own < sending ? own : sending;
    return own > 0 ? own : 0;
}

static struct das_patience trip_patience(struct das_cloud_trip *t)
{
    return (struct das_patience){trip_left, t};
}

/* Waits as long as that fits; false: it does not. */
static bool trip_wait(struct das_cloud_trip *t, int64_t ms)
{
    int64_t until = das_clock_monotonic_ms() + ms, left;

    if (ms > 0 && ms >= trip_left(t))
        return false;
    while ((left = until - das_clock_monotonic_ms()) > 0) {
        if (trip_left(t) == 0)
            return false;
        das_clock_sleep_ms(left < 50 ? left : 50);
    }
    return true;
}

/* --- the address ------------------------------------------------------------------------------------ */

static bool is_id(const char *s)
{
    return s && *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")];
}

static int put_id(struct das_cloud_trip *t, const char *name, const char *value)
{
    if (!is_id(value))
        return das_fail(t->err, DAS_E_USAGE, "%s: expected letters, digits, \"-\" and \"_\", got "
                                             "\"%.60s\"",
                        name, value ? value : "");
    das_buf_str(&t->path, value);
    return 0;
}

/* "/v3/{project_id}/instances/{instance_id}/..." with the ids in their places */
static int make_path(struct das_cloud_trip *t)
{
    const char *p = t->ask->path;

    while (*p) {
        size_t plain = strcspn(p, "{");
        das_buf_add(&t->path, p, plain);
        p += plain;
        if (!*p)
            break;
        if (strncmp(p, "{project_id}", 12) == 0) {
            if (put_id(t, "project id", t->project) < 0)
                return -1;
            p += 12;
        } else {
            if (put_id(t, "instance id", t->place->instance) < 0)
                return -1;
            p += strlen("{instance_id}");
        }
    }
    return das_buf_ok(&t->path, t->err);
}

static int find_project(struct das_cloud_trip *t)
{
    struct das_patience patience = trip_patience(t);
    const char *given = t->place->project;

    if (t->ask->anonymous)
        return 0;
    if (given && *given) {
        snprintf(t->project, sizeof t->project, "%s", given);
        return 0;
    }
    return das_credential_project(t->cloud->credential, t->place->region, &patience, t->project,
                                  t->err);
}

/* --- the request ------------------------------------------------------------------------------------ */

/* The signer of that key and region; kept from the last request of this slot where it is the same. */
static int fit_signer(struct das_cloud_trip *t, struct das_cloud_slot *s, struct das_cloud_key *key)
{
    struct das_sign_key with = {.algorithm = t->cloud->conf.algorithm,
                                .access = key->access,
                                .secret = key->secret,
                                .region = das_text_of(t->place->region),
                                .service = das_text_of(SERVICE)};

    if (s->key && s->key->generation == key->generation &&
        strcmp(s->region, t->place->region) == 0) {
        das_cloud_key_release(key);
        return 0;
    }
    das_signer_free(s->signer);
    das_cloud_key_release(s->key);
    s->signer = NULL;
    s->key = key;
    snprintf(s->region, sizeof s->region, "%s", t->place->region);
    if (key->token.ptr)
        return 0;
    s->signer = das_signer_new(&with, t->err);
    if (s->signer)
        return 0;
    s->key = NULL;
    das_cloud_key_release(key);
    return -1;
}

static int add_header(struct das_cloud_trip *t, struct das_cloud_slot *s, const char *name,
                      struct das_text value, bool secret)
{
    return das_http_headers_add(&s->headers, das_text_of(name), value, secret, t->err);
}

#define HEADERS_MAX 8

static int sign(struct das_cloud_trip *t, struct das_cloud_slot *s)
{
    struct das_sign_pair headers[HEADERS_MAX];
    struct das_sign_request r = {.method = das_text_of(t->ask->method),
                                 .path = das_buf_view(&t->path),
                                 .query = t->ask->query,
                                 .query_count = t->ask->query_count,
                                 .headers = headers,
                                 .body = t->ask->body.ptr ? t->ask->body : das_text("", 0)};

    headers[r.header_count++] = (struct das_sign_pair){das_text_of("Host"), das_text_of(t->endpoint.host)};
    for (size_t i = 0; i < s->headers.count && r.header_count < HEADERS_MAX; i++)
        headers[r.header_count++] = (struct das_sign_pair){das_text_of(s->headers.items[i].name),
                                                           s->headers.items[i].value};
    if (das_sign(s->signer, &r, das_clock_unix_ms() / 1000, &s->signature, t->err) < 0)
        return -1;
    if (add_header(t, s, "X-Sdk-Date", das_text(s->signature.date, DAS_SIGN_DATE_LEN), false) < 0)
        return -1;
    return add_header(t, s, "Authorization", das_buf_view(&s->signature.authorization), true);
}

static int put_headers(struct das_cloud_trip *t, struct das_cloud_slot *s)
{
    const struct das_cloud_key *key = s->key;

    das_http_headers_reset(&s->headers);
    if (t->ask->body.ptr &&
        add_header(t, s, "Content-Type", das_text_of("application/json"), false) < 0)
        return -1;
    if (t->ask->language && add_header(t, s, "X-Language", das_text_of(LANGUAGE), false) < 0)
        return -1;
    if (t->ask->anonymous)
        return 0;
    if (add_header(t, s, "X-Project-Id", das_text_of(t->project), false) < 0)
        return -1;
    if (key->token.ptr)
        return add_header(t, s, "X-Auth-Token", key->token, true);
    if (key->security_token.ptr &&
        add_header(t, s, "X-Security-Token", key->security_token, true) < 0)
        return -1;
    return sign(t, s);
}

static int put_url(struct das_cloud_trip *t, struct das_cloud_slot *s)
{
    const struct das_sign_request target = {.path = das_buf_view(&t->path),
                                            .query = t->ask->query,
                                            .query_count = t->ask->query_count};

    das_buf_reset(&s->url);
    das_buf_str(&s->url, t->endpoint.origin);
    das_sign_target_write(&target, &s->url);
    return das_buf_ok(&s->url, t->err);
}

/* The administrator has named the endpoint: it may be inside. */
static int allow(void *ctx, const char *host, bool *inside, struct das_err *err)
{
    (void)ctx, (void)host, (void)err;
    *inside = true;
    return 0;
}

/* Called first when a connection stands and the request is about to be sent. */
static int may_go(void *ctx, uint64_t bytes, struct das_err *err)
{
    struct das_cloud_trip *t = ctx;

    (void)bytes;
    if (!t->sent && das_patience_left(&t->call->sending) <= 0)
        return das_fail(err, DAS_E_TIMEOUT, "a connection stood too late");
    t->sent = true;
    return 0;
}

static int send_once(struct das_cloud_trip *t, struct das_cloud_slot *s)
{
    const struct das_cloud_conf *conf = &t->cloud->conf;
    const struct das_http_guard guard = {t, allow, may_go, trip_left};
    struct das_http_request req = das_http_request_default;

    if (!s->client && !(s->client = das_http_client_new(t->err)))
        return -1;
    if (put_url(t, s) < 0 || put_headers(t, s) < 0)
        return -1;
    req.method = t->ask->method;
    req.url = s->url.ptr;
    req.headers = &s->headers;
    req.body = t->ask->body;
    req.connect_ms = conf->connect_ms;
    req.total_ms = conf->total_ms;
    req.max_bytes = conf->max_bytes;
    req.redirects = 0;
    req.ca = conf->ca;
    req.idempotent = t->ask->effect == DAS_CLOUD_READS;
    req.once = t->ask->effect == DAS_CLOUD_WRITES;
    req.retry.times = 0; /* what is worth another attempt is decided here */
    return das_http_perform(s->client, &req, &guard, &s->resp, t->err);
}

/* --- attempts --------------------------------------------------------------------------------------- */

static void forget_answer(struct das_cloud_call *c)
{
    c->status = 0;
    c->error_code[0] = c->error_msg[0] = c->request_id[0] = '\0';
    c->date = 0;
    c->unknown = false;
}

#define REFUSALS_MAX 3
#define LOCKED_MS 300000

/* With the lock. -1: that key was refused too often, and a little while ago. */
static int may_try_key(struct das_cloud_trip *t, const struct das_cloud_key *key)
{
    struct das_cloud *c = t->cloud;

    if (key->generation != c->doubted || c->refusals < REFUSALS_MAX ||
        das_clock_monotonic_ms() - c->refused_ms >= LOCKED_MS)
        return 0;
    das_credential_refused(c->credential, key); /* somebody may mend it: the next call reads it anew */
    return das_fail(t->err, DAS_E_AUTH, "not sent: this key was refused %d times in a row, and five "
                                        "times lock it for 5 minutes; it is tried again then",
                    REFUSALS_MAX);
}

/* Is the key known to be good? Else it is this thread's to try, once it is nobody else's: *tries. -1:
 * it must not be tried, or not in time. */
static int begin_proof(struct das_cloud_trip *t, const struct das_cloud_key *key, bool *tries)
{
    struct das_cloud *c = t->cloud;
    int rc = 0;

    pthread_mutex_lock(&c->lock);
    while (c->proven != key->generation && c->proving && trip_left(t) > 0)
        das_cloud_wait(c, &c->proved);
    if (c->proven == key->generation)
        goto done;
    if (c->proving)
        rc = das_fail(t->err, DAS_E_TIMEOUT, "another thread tries this key, and has no answer yet");
    else
        rc = may_try_key(t, key);
    if (rc == 0)
        *tries = c->proving = true;
done:
    pthread_mutex_unlock(&c->lock);
    return rc;
}

/* What the status says of the key. tried: it was in doubt. */
static void end_proof(struct das_cloud *c, const struct das_cloud_key *key, int status, bool tried)
{
    pthread_mutex_lock(&c->lock);
    if (tried)
        c->proving = false;
    if (status == 401 && !tried) {
        if (c->proven == key->generation) /* it was good: from now on it is in doubt */
            c->proven = 0;
    } else if (status == 401) {
        c->refusals = key->generation == c->doubted ? c->refusals + 1 : 1;
        c->doubted = key->generation;
        c->refused_ms = das_clock_monotonic_ms();
    } else if (status > 0 && tried) { /* whatever else the gateway said, it knows who we are */
        c->proven = key->generation;
        c->refusals = 0;
    }
    pthread_cond_broadcast(&c->proved);
    pthread_mutex_unlock(&c->lock);
}

/* Sends it, and reads what came; what is known of the key is used and renewed. */
static int send_and_judge(struct das_cloud_trip *t, struct das_cloud_slot *s)
{
    bool signs = !t->ask->anonymous && !s->key->token.ptr, tries = false;
    int rc;

    if (signs && begin_proof(t, s->key, &tries) < 0)
        return -1;
    t->call->attempts++;
    rc = send_once(t, s) < 0 ? -1 : das_cloud_judge(t, s);
    if (signs && (tries || t->call->status == 401))
        end_proof(t->cloud, s->key, t->call->status, tries);
    return rc;
}

/* One attempt with a slot of its own. *again: it may be tried again, and would perhaps help. */
static int attempt(struct das_cloud_trip *t, bool *again)
{
    struct das_patience patience = trip_patience(t);
    struct das_cloud_key *key = NULL;
    struct das_cloud_slot *s;
    bool reads = t->ask->effect == DAS_CLOUD_READS;
    int rc = -1;

    *again = false;
    forget_answer(t->call);
    t->retry_after_ms = -1;
    t->sent = false;
    if (!t->ask->anonymous && das_credential_get(t->cloud->credential, t->place->region, t->project,
                                                 &patience, &key, t->err) < 0)
        return -1;
    s = das_cloud_slot_take(t->cloud, &patience, t->err);
    if (!s) {
        das_cloud_key_release(key);
        return -1;
    }
    if (!t->ask->anonymous && fit_signer(t, s, key) < 0)
        goto done;
    s->resp.sent = s->resp.hopeless = false;
    rc = send_and_judge(t, s);
    if (rc < 0 && t->call->status == 0) {
        bool trouble = t->err->code == DAS_E_CONNECT || t->err->code == DAS_E_TIMEOUT;
        *again = trouble && !s->resp.hopeless && (reads || !s->resp.sent);
        t->call->unknown = !reads && s->resp.sent;
    } else if (rc < 0 && t->call->status == 401 && !t->ask->anonymous && !t->renewed) {
        t->renewed = true; /* refused before anything was done: with a new one, once */
        *again = das_credential_refused(t->cloud->credential, s->key);
        t->retry_after_ms = *again ? 0 : -1;
    } else if (rc < 0 && reads) {
        int status = t->call->status;
        *again = t->err->code == DAS_E_BUSY || status == 500 ||
                 (status >= 502 && status <= 504);
    }
done:
    das_cloud_slot_give(t->cloud, s);
    return rc;
}

static int64_t backoff(const struct das_cloud_trip *t, int n)
{
    uint32_t random = UINT32_MAX;
    struct das_err ignored;

    das_random(&random, sizeof random, &ignored); /* without it: the longest wait */
    return das_http_backoff(&t->cloud->conf.retry, n, t->retry_after_ms, random);
}

/* An attempt that the deadline has cut off tells less than the one before. */
static bool says_nothing(struct das_cloud_trip *t)
{
    return !t->call->status && !t->call->unknown && t->err->code == DAS_E_TIMEOUT && trip_left(t) == 0;
}

static int attempts(struct das_cloud_trip *t)
{
    struct das_cloud_call call_before;
    struct das_err err_before;

    for (int n = 1;; n++) {
        int64_t wait = das_limiter_take(&t->cloud->limiter, das_clock_monotonic_ms(), trip_left(t));
        bool again;
        if (wait < 0 || !trip_wait(t, wait)) {
            if (n > 1) /* the last attempt's error says more */
                return -1;
            return das_fail(t->err, DAS_E_TIMEOUT, "no turn in time: more requests than `rate` of "
                                                   "this cloud allows, or it has asked for a pause");
        }
        if (n > 1) {
            call_before = *t->call;
            err_before = *t->err;
        }
        if (attempt(t, &again) == 0)
            return 0;
        if (n > 1 && says_nothing(t)) {
            call_before.attempts = t->call->attempts;
            *t->call = call_before;
            *t->err = err_before;
            return -1;
        }
        if (!again || n > t->cloud->conf.retry.times)
            return -1;
        wait = backoff(t, n);
        if (wait < 0)
            return -1;
        if (t->err->code == DAS_E_BUSY) /* for everybody who uses this account */
            das_limiter_pause(&t->cloud->limiter, das_clock_monotonic_ms(), wait);
        if (!trip_wait(t, wait))
            return -1;
    }
}

int das_cloud_perform(struct das_cloud *c, const struct das_cloud_place *place,
                      const struct das_cloud_ask *ask, struct das_cloud_call *call, json_t **answer,
                      struct das_err *err)
{
    struct das_cloud_trip t = {.cloud = c, .place = place, .ask = ask, .call = call, .answer = answer,
                     .err = err, .deadline_ms = das_clock_monotonic_ms() + c->conf.deadline_ms};
    int rc = -1;

    *answer = NULL;
    forget_answer(call);
    call->attempts = 0;
    call->late = false;
    if (das_cloud_endpoint(c, place, &t.endpoint, err) < 0 || find_project(&t) < 0 ||
        make_path(&t) < 0)
        goto done;
    rc = attempts(&t);
    if (rc < 0 && call->sending.left_ms && !call->status && !t.sent &&
        (err->code == DAS_E_TIMEOUT || das_patience_left(&call->sending) <= 0)) {
        call->late = true;
        das_err_prefix(err, "not sent any more");
    }
done:
    if (rc < 0)
        das_err_prefix(err, "%s", ask->doing);
    das_buf_clear(&t.path);
    return rc;
}
