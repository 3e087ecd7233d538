/* client.c - see client.h. */
#include "core/http/client.h"

#include <sys/random.h>

#include "core/base/clock.h"
#include "core/http/transfer.h"

struct das_http_client {
    struct das_http_transfer *transfer;
    /* in place of the network; NULL: there is none */
    int (*answer)(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                  struct das_err *err);
    void *answer_arg;
    /* of what went out; NULL: nobody */
    void (*heard)(void *arg, const struct das_http_request *req,
                  const struct das_http_response *resp, int result, const struct das_err *err);
    void *heard_arg;
    char *text;         /* the last URL as it was given, NULL: none ... */
    struct das_url url; /* ... and taken apart: scripts ask the same one again and again */
};

struct das_http_client *das_http_client_new(struct das_err *err)
{
    struct das_http_client *c = das_calloc(1, sizeof *c);

    if (!c) {
        das_fail_nomem(err);
        return NULL;
    }
    c->transfer = das_http_transfer_new(err);
    if (!c->transfer) {
        das_free(c);
        return NULL;
    }
    return c;
}

void das_http_client_answered_by(struct das_http_client *c,
                                 int (*answer)(void *arg, const struct das_http_request *req,
                                               struct das_http_response *resp,
                                               struct das_err *err),
                                 void *arg)
{
    c->answer = answer;
    c->answer_arg = arg;
}

void das_http_client_heard_by(struct das_http_client *c,
                              void (*heard)(void *arg, const struct das_http_request *req,
                                            const struct das_http_response *resp, int result,
                                            const struct das_err *err),
                              void *arg)
{
    c->heard = heard;
    c->heard_arg = arg;
}

static void forget_url(struct das_http_client *c)
{
    if (c->text) {
        explicit_bzero(c->text, strlen(c->text));
        das_url_clear(&c->url);
    }
    das_free(c->text);
    c->text = NULL;
}

void das_http_client_free(struct das_http_client *c)
{
    if (!c)
        return;
    das_http_transfer_free(c->transfer);
    forget_url(c);
    das_free(c);
}

/* The request's URL, from the last time or anew; the client's. */
static int find_url(struct das_http_client *c, const char *text, struct das_err *err)
{
    if (c->text && strcmp(c->text, text) == 0)
        return 0;
    forget_url(c);
    if (das_url_parse(&c->url, text, err) < 0)
        return -1;
    c->text = das_strdup(text);
    if (c->text)
        return 0;
    das_url_clear(&c->url);
    return das_fail_nomem(err);
}

/* --- redirects ----------------------------------------------------------------------------------- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* 303 means: look there. 301 and 302 of a POST have come to mean the same; 307 and 308 mean: send
 * it there. */
static void next_method(struct das_http_hop *hop, int status)
{
    bool post = strcmp(hop->method, "POST") == 0, head = strcmp(hop->method, "HEAD") == 0;

    if ((status == 303 && !head) || ((status == 301 || status == 302) && post)) {
        hop->method = "GET";
        hop->body = DAS_TEXT_NULL;
    }
}

/* From hop->url to where the answer points, which *at holds from then on. */
static int follow(const struct das_http_request *req, struct das_http_hop *hop,
                  struct das_url *at, int status, const char *location, struct das_err *err)
{
    const struct das_url *from = hop->url;
    struct das_url next;

    if (das_url_follow(&next, from, location, err) < 0) {
        das_err_prefix(err, "a redirect");
        return -1;
    }
    next_method(hop, status);
    if (from->tls && !next.tls) {
        das_fail(err, DAS_E_DENIED, "a redirect from https to %s", next.origin);
    } else if (!das_url_same_origin(from, &next) && req->body_secret && hop->body.ptr) {
        das_fail(err, DAS_E_DENIED, "a redirect would take a secret to %s", next.origin);
    } else {
        hop->home = hop->home && das_url_same_origin(from, &next);
        das_url_clear(at);
        *at = next;
        hop->url = at;
        return 0;
    }
    das_url_clear(&next);
    return -1;
}

static void empty(struct das_http_response *resp)
{
    resp->status = 0;
    das_http_headers_reset(&resp->headers);
    das_buf_reset(&resp->body);
    das_buf_reset(&resp->url);
}

/* --- one exchange ---------------------------------------------------------------------------------- */

/* What goes to this hop: all headers at home, elsewhere none that may be a credential. */
static int hop_headers(const struct das_http_request *req, const struct das_http_hop *hop,
                       struct das_http_headers *out, struct das_err *err)
{
    for (size_t i = 0; req->headers && i < req->headers->count; i++) {
        const struct das_http_header *h = &req->headers->items[i];
        bool type = das_text_iis(das_text_of(h->name), "Content-Type");
        if ((!hop->home && !das_http_header_travels(h)) || (type && !hop->body.ptr))
            continue;
        if (das_http_headers_add(out, das_text_of(h->name), h->value, h->secret, err) < 0)
            return -1;
    }
    return 0;
}

static int64_t retry_after_ms(const struct das_http_response *resp)
{
    int64_t seconds;

    if (!das_parse_int(das_http_headers_get(&resp->headers, "Retry-After"), &seconds) ||
        seconds <= 0)
        return -1;
    return seconds < INT32_MAX ? seconds * 1000 : INT64_MAX;
}

static int ask_in_process(struct das_http_client *c, const struct das_http_request *req,
                        const struct das_http_hop *hop, const struct das_http_guard *guard,
                        struct das_http_response *resp, struct das_http_outcome *out,
                        struct das_err *err)
{
    struct das_http_request now = *req;
    struct das_http_headers headers;
    bool inside;
    int rc = -1, silence = 0;

    out->final = true; /* what is answered in this process is answered the same again */
    if (guard->left_ms(guard->ctx) <= 0)
        return das_fail(err, DAS_E_TIMEOUT, "no full answer in time");
    das_http_headers_init(&headers);
    now.url = hop->url->text;
    now.method = hop->method;
    now.body = hop->body;
    now.headers = &headers;
    if (guard->begin(guard->ctx, hop->url->host, &inside, err) == 0 &&
        hop_headers(req, hop, &headers, err) == 0 &&
        guard->spend(guard->ctx, now.body.len, err) == 0 &&
        (silence = c->answer(c->answer_arg, &now, resp, err)) == 0 && das_buf_ok(&resp->body, err) == 0 &&
        guard->spend(guard->ctx, resp->body.len, err) == 0) {
        out->sent = true;
        if (resp->body.len > req->max_bytes) {
            das_fail(err, DAS_E_DATA, "the answer is longer than %zu bytes", req->max_bytes);
        } else {
            out->final = false;
            out->retry_after_ms = retry_after_ms(resp);
            rc = 0;
        }
    }
    if (silence > 0) {
        out->final = false;
        out->sent = silence == DAS_HTTP_SILENT;
        out->retry_after_ms = -1;
    }
    das_http_headers_clear(&headers);
    return rc;
}

static void tell(const struct das_http_client *c, const struct das_http_request *req,
                 const struct das_http_hop *hop, const struct das_http_response *resp,
                 const struct das_http_outcome *out, int rc, const struct das_err *err)
{
    struct das_http_request now = *req;
    int result = rc == 0 ? 0 : out->final ? DAS_HTTP_FINAL
                       : out->sent        ? DAS_HTTP_SILENT
                                          : DAS_HTTP_UNSENT;

    now.url = hop->url->text;
    now.method = hop->method;
    now.body = hop->body;
    now.headers = NULL;
    c->heard(c->heard_arg, &now, resp, result, err);
}

/* What its user refuses has not gone out, and is told to nobody. */
struct wary {
    const struct das_http_guard *guard;
    bool refused;
};

static int wary_begin(void *ctx, const char *host, bool *inside, struct das_err *err)
{
    struct wary *w = ctx;
    int rc = w->guard->begin(w->guard->ctx, host, inside, err);

    w->refused = w->refused || rc < 0;
    return rc;
}

static int wary_spend(void *ctx, uint64_t bytes, struct das_err *err)
{
    const struct wary *w = ctx;

    return w->guard->spend(w->guard->ctx, bytes, err);
}

static int64_t wary_left_ms(void *ctx)
{
    const struct wary *w = ctx;

    return w->guard->left_ms(w->guard->ctx);
}

static int exchange(struct das_http_client *c, const struct das_http_request *req,
                    const struct das_http_hop *hop, const struct das_http_guard *guard,
                    struct das_http_response *resp, struct das_http_outcome *out,
                    struct das_err *err)
{
    struct wary w = {guard, false};
    const struct das_http_guard wary = {&w, wary_begin, wary_spend, wary_left_ms};
    int rc;

    if (c->answer)
        return ask_in_process(c, req, hop, guard, resp, out, err);
    if (!c->heard)
        return das_http_transfer(c->transfer, req, hop, guard, resp, out, err);
    rc = das_http_transfer(c->transfer, req, hop, &wary, resp, out, err);
    if (!w.refused)
        tell(c, req, hop, resp, out, rc, err);
    return rc;
}

static int attempt(struct das_http_client *c, const struct das_http_request *req,
                   const struct das_http_guard *guard, struct das_http_response *resp,
                   struct das_http_outcome *out, struct das_err *err)
{
    struct das_url next = {0};
    struct das_http_hop hop = {.url = &c->url,
                               .method = req->method,
                               .body = req->body,
                               .home = true,
                               .deadline_ms = das_clock_monotonic_ms() + req->total_ms};
    char origin[sizeof next.origin];
    int rc = -1;

    *out = (struct das_http_outcome){.retry_after_ms = -1};
    if (find_url(c, req->url, err) < 0) {
        out->final = true;
        return -1;
    }
    for (int hops = 0;; hops++) {
        struct das_text location = DAS_TEXT_NULL;
        empty(resp);
        memcpy(origin, hop.url->origin, sizeof origin);
        if (exchange(c, req, &hop, guard, resp, out, err) < 0)
            break;
        if (is_redirect(resp->status) && req->redirects > 0)
            location = das_http_headers_get(&resp->headers, "Location");
        if (!location.ptr) {
            das_buf_str(&resp->url, hop.url->text);
            rc = das_buf_ok(&resp->url, err);
            break;
        }
        out->final = true; /* unless the next server has trouble */
        if (hops == req->redirects) {
            das_fail(err, DAS_E_DATA, "more than %d redirects", req->redirects);
            break;
        }
        if (follow(req, &hop, &next, resp->status, location.ptr, err) < 0)
            break;
        out->final = false;
    }
    if (rc < 0 && err->code != DAS_E_NOMEM && err->code != DAS_E_USAGE)
        das_err_prefix(err, "%s", origin);
    das_url_clear(&next);
    return rc;
}

/* --- trying again ------------------------------------------------------------------------------------ */

int64_t das_http_backoff(const struct das_http_retry *retry, int n, int64_t asked_ms,
                         uint32_t random)
{
    int64_t most = retry->wait_ms;

    if (asked_ms >= 0)
        return asked_ms <= retry->max_wait_ms ? asked_ms : -1;
    for (int i = 1; i < n && most < retry->max_wait_ms; i++)
        most *= 2;
    if (most > retry->max_wait_ms)
        most = retry->max_wait_ms;
    return (int64_t)((double)most * ((double)random / (double)UINT32_MAX));
}

static bool worth_it(const struct das_http_request *req, int rc,
                     const struct das_http_response *resp, const struct das_http_outcome *out,
                     const struct das_err *err)
{
    bool again = !req->once && (req->idempotent || das_http_idempotent(req->method));

    if ((!again && out->sent) || out->final)
        return false;
    if (rc == 0)
        return resp->status == 429 || (resp->status >= 502 && resp->status <= 504);
    return err->code == DAS_E_CONNECT || err->code == DAS_E_TIMEOUT;
}

/* False when the guard's time is up before. */
static bool wait_ms(const struct das_http_guard *guard, int64_t ms)
{
    int64_t until = das_clock_monotonic_ms() + ms, left;

    if (ms >= guard->left_ms(guard->ctx))
        return false; /* not even begun: what there is now is worth more */
    while ((left = until - das_clock_monotonic_ms()) > 0) {
        int64_t step = left < 50 ? left : 50;
        if (guard->left_ms(guard->ctx) == 0)
            return false;
        das_clock_sleep_ms(step);
    }
    return true;
}

int das_http_perform(struct das_http_client *c, const struct das_http_request *req,
                     const struct das_http_guard *guard, struct das_http_response *resp,
                     struct das_err *err)
{
    int64_t start = das_clock_monotonic_ms();
    struct das_http_outcome out = {.retry_after_ms = -1};
    int rc;

    for (resp->attempts = 1;; resp->attempts++) {
        int64_t wait;
        uint32_t random = 0;
        rc = attempt(c, req, guard, resp, &out, err);
        if (resp->attempts > req->retry.times || !worth_it(req, rc, resp, &out, err))
            break;
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
            random = UINT32_MAX;
        wait = das_http_backoff(&req->retry, resp->attempts, out.retry_after_ms, random);
        if (wait < 0 || !wait_ms(guard, wait))
            break;
    }
    resp->time_ms = das_clock_monotonic_ms() - start;
    resp->sent = out.sent;
    resp->hopeless = rc < 0 && out.final;
    return rc;
}
