/* iam.c - see iam.h. */
#include "core/cloud/iam.h"

#include <stdio.h>

#include "core/base/calendar.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cloud/sign.h"
#include "core/http/client.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define WORDS_MAX 4096 /* of IAM, before secrets are taken out; then much less is shown */

static const struct das_http_retry retry = {.times = 2, .wait_ms = 500, .max_wait_ms = 5000};

bool das_project_valid(const char *id)
{
    size_t len = strlen(id);

    return len > 0 && len < DAS_PROJECT_SIZE &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static void wipe(struct das_buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->cap);
    das_buf_clear(b);
}

/* --- one exchange ----------------------------------------------------------------------------- */

struct watch {
    const struct das_patience *patience;
    int64_t deadline_ms;
    bool late; /* our own bound came first */
};

/* The endpoint is the administrator's, who may have an IAM inside. */
static int watch_begin(void *ctx, const char *host, bool *inside, struct das_err *err)
{
    (void)ctx;
    (void)host;
    (void)err;
    *inside = true;
    return 0;
}

static int watch_spend(void *ctx, uint64_t bytes, struct das_err *err)
{
    (void)ctx;
    (void)bytes;
    (void)err;
    return 0;
}

static int64_t watch_left_ms(void *ctx)
{
    struct watch *w = ctx;
    int64_t own = w->deadline_ms - das_clock_monotonic_ms();
    int64_t left = das_patience_left(w->patience);

    if (own < left) {
        w->late = own <= 0;
        left = own;
    }
    return left > 0 ? left : 0;
}

static int exchange(const struct das_iam *iam, struct das_http_request *req,
                    struct das_http_response *resp, struct das_err *err)
{
    struct watch w = {.patience = iam->patience,
                      .deadline_ms = das_clock_monotonic_ms() + iam->total_ms};
    const struct das_http_guard guard = {
        .ctx = &w, .begin = watch_begin, .spend = watch_spend, .left_ms = watch_left_ms};
    struct das_http_client *client = das_http_client_new(err);
    int rc;

    if (!client)
        return -1;
    req->connect_ms = iam->connect_ms;
    req->total_ms = iam->total_ms;
    req->max_bytes = ANSWER_MAX;
    req->redirects = 0;
    req->ca = iam->ca;
    req->idempotent = true;
    req->retry = retry;
    rc = das_http_perform(client, req, &guard, resp, err);
    das_http_client_free(client);
    if (rc < 0 && err->code == DAS_E_TIMEOUT && w.late)
        das_fail(err, DAS_E_TIMEOUT, "%s: no full answer within %lld ms", iam->at.origin,
                 (long long)iam->total_ms);
    if (rc < 0 && err->code == DAS_E_USAGE) /* of a CA file: not the caller's, but configured */
        err->code = DAS_E_CONFIG;
    return rc;
}

/* --- what is said when it is refused ---------------------------------------------------------- */

struct words {
    const struct das_text *secrets;
    size_t secret_count;
    char text[600];
    size_t len;
};

/* before, then as much of t as is useful to people; nothing when it is empty. What was sent may
 * come back: a gateway repeats what it thinks was signed. So secrets are taken out before it is
 * cut. */
static void add_words(struct words *w, const char *before, struct das_text t, int most)
{
    char text[WORDS_MAX + 1];
    size_t len = t.len < WORDS_MAX ? t.len : WORDS_MAX, used;
    int n;

    if (!len)
        return;
    memcpy(text, t.ptr, len);
    text[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (!text[i])
            text[i] = ' ';
    }
    das_redact(text, w->secrets, w->secret_count);
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    }
    used = w->len;
    n = snprintf(w->text + used, sizeof w->text - used, "%s%.*s", before, most, text);
    if (n > 0)
        w->len += (size_t)n < sizeof w->text - used ? (size_t)n : sizeof w->text - used - 1;
    explicit_bzero(text, sizeof text);
}

static struct das_text text_of(const json_t *value)
{
    return json_is_string(value) ? das_text(json_string_value(value), json_string_length(value))
                                 : DAS_TEXT_NULL;
}

/* IAM's own shape, and the gateway's before it. */
static void add_error(struct words *w, const json_t *body)
{
    const json_t *inner = json_object_get(body, "error");
    const json_t *from = json_is_object(inner) ? inner : body;
    struct das_text code = text_of(json_object_get(from, "error_code"));
    struct das_text message = text_of(json_object_get(from, "error_msg"));

    if (!code.len)
        code = text_of(json_object_get(from, "code"));
    if (!message.len)
        message = text_of(json_object_get(from, "message"));
    add_words(w, ", ", code, 40);
    add_words(w, ", ", text_of(json_object_get(from, "title")), 60);
    add_words(w, ": ", message, 300);
}

static enum das_code code_of(int status)
{
    if (status == 401 || status == 403)
        return DAS_E_AUTH;
    if (status == 429)
        return DAS_E_BUSY;
    if (status >= 500)
        return DAS_E_CONNECT;
    return status >= 400 ? DAS_E_CONFIG : DAS_E_DATA;
}

/* doing: "no token for user das", for the message. */
static int refused(const struct das_iam *iam, const struct das_http_response *resp,
                   const char *doing, const struct das_text *secrets, size_t secret_count,
                   struct das_err *err)
{
    struct words w = {.secrets = secrets, .secret_count = secret_count};
    struct das_text id = das_http_headers_get(&resp->headers, "X-IAM-Trace-Id");
    struct das_err ignored;
    json_t *body =
        resp->body.len ? das_json_parse(resp->body.ptr, resp->body.len, NULL, &ignored) : NULL;

    add_error(&w, body);
    if (!id.len)
        id = das_http_headers_get(&resp->headers, "X-Request-Id");
    add_words(&w, " (request id ", id, 80);
    json_decref(body);
    return das_fail(err, code_of(resp->status), "%s: %s: HTTP %d%s%s", iam->at.origin, doing,
                    resp->status, w.text, id.len ? ")" : "");
}

static int unreadable(const struct das_iam *iam, const char *what, struct das_err *err)
{
    if (err->code == DAS_E_NOMEM)
        return -1;
    return das_fail(err, DAS_E_DATA, "%s: %s", iam->at.origin, what);
}

/* --- a token ---------------------------------------------------------------------------------- */

void das_iam_token_clear(struct das_iam_token *t)
{
    wipe(&t->resp.body);
    das_http_response_clear(&t->resp);
    memset(t, 0, sizeof *t);
}

/* Room for all of it at once, so that no copy of the password is left behind. */
static int write_login(const struct das_iam_login *login, struct das_buf *b, struct das_err *err)
{
    const char *scope = login->project ? login->project : login->region;
    size_t texts = strlen(login->domain) + strlen(login->user) + strlen(scope);

    if (!das_utf8_valid(login->password)) /* another one would be sent, until the user is locked */
        return das_fail(err, DAS_E_CONFIG, "the password is not UTF-8");
    das_buf_reserve(b, (texts + login->password.len) * 6 + 300);
    das_buf_str(b, "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{"
                   "\"domain\":{\"name\":");
    das_json_str(b, login->domain);
    das_buf_str(b, "},\"name\":");
    das_json_str(b, login->user);
    das_buf_str(b, ",\"password\":");
    das_json_text(b, login->password);
    das_buf_str(b, login->project ? "}}},\"scope\":{\"project\":{\"id\":"
                                  : "}}},\"scope\":{\"project\":{\"name\":");
    das_json_str(b, scope);
    das_buf_str(b, "}}}}");
    return das_buf_ok(b, err);
}

static int post_login(const struct das_iam *iam, const struct das_iam_login *login,
                      struct das_http_response *resp, struct das_err *err)
{
    struct das_http_request req = das_http_request_default;
    char url[sizeof iam->at.origin + 40];
    struct das_http_headers headers;
    struct das_buf body = {0};
    int rc = -1;

    das_http_headers_init(&headers);
    snprintf(url, sizeof url, "%s/v3/auth/tokens?nocatalog=true", iam->at.origin);
    if (write_login(login, &body, err) < 0 ||
        das_http_headers_add(&headers, das_text_of("Content-Type"),
                             das_text_of("application/json;charset=utf8"), false, err) < 0)
        goto done;
    req.method = "POST";
    req.url = url;
    req.headers = &headers;
    req.body = das_buf_view(&body);
    req.body_secret = true;
    rc = exchange(iam, &req, resp, err);
done:
    wipe(&body);
    das_http_headers_clear(&headers);
    return rc;
}

static int read_token(const struct das_iam *iam, struct das_iam_token *out, struct das_err *err)
{
    struct das_text expires, id;
    const json_t *token;
    json_t *body;
    int rc = -1;

    out->value = das_http_headers_get(&out->resp.headers, "X-Subject-Token");
    err->code = DAS_OK;
    if (!out->value.len)
        return unreadable(iam, "the answer has no X-Subject-Token", err);
    body =
        das_json_parse(out->resp.body.ptr ? out->resp.body.ptr : "", out->resp.body.len, NULL, err);
    if (!body)
        return unreadable(iam, "the answer with the token is not JSON", err);
    token = json_object_get(body, "token");
    expires = text_of(json_object_get(token, "expires_at"));
    id = text_of(json_object_get(json_object_get(token, "project"), "id"));
    if (id.len < sizeof out->project && id.len)
        memcpy(out->project, id.ptr, id.len);
    if (!expires.ptr || das_time_parse(expires, &out->expires, err) < 0)
        unreadable(iam, "token.expires_at: expected a time like 2026-01-31T08:00:00Z", err);
    else if (id.ptr && !das_project_valid(out->project))
        unreadable(iam, "token.project.id: expected up to 64 letters and digits", err);
    else
        rc = 0;
    json_decref(body);
    return rc;
}

int das_iam_token(const struct das_iam *iam, const struct das_iam_login *login,
                  struct das_iam_token *out, struct das_err *err)
{
    char doing[300];
    int rc = -1;

    memset(out, 0, sizeof *out);
    das_http_response_init(&out->resp);
    if (post_login(iam, login, &out->resp, err) < 0)
        goto done;
    if (out->resp.status == 201) {
        rc = read_token(iam, out, err);
    } else {
        snprintf(doing, sizeof doing, "no token for user %.100s of domain %.100s", login->user,
                 login->domain);
        refused(iam, &out->resp, doing, &login->password, 1, err);
    }
done:
    if (rc < 0)
        das_iam_token_clear(out);
    return rc;
}

/* --- a project -------------------------------------------------------------------------------- */

static int add_header(struct das_http_headers *h, const char *name, struct das_text value,
                      bool secret, struct das_err *err)
{
    return value.ptr ? das_http_headers_add(h, das_text_of(name), value, secret, err) : 0;
}

/* Adds X-Sdk-Date and Authorization to headers, which hold what else is sent and signed. */
static int sign(const struct das_iam *iam, const struct das_cloud_key *key,
                struct das_sign_request *r, struct das_http_headers *headers, struct das_err *err)
{
    const struct das_sign_key with = {.access = key->access, .secret = key->secret};
    struct das_sign_pair pairs[4];
    struct das_signed done = {0};
    struct das_signer *signer;
    int rc = -1;

    pairs[0] = (struct das_sign_pair){das_text_of("Host"), das_text_of(iam->at.host)};
    for (size_t i = 0; i < headers->count; i++)
        pairs[i + 1] =
            (struct das_sign_pair){das_text_of(headers->items[i].name), headers->items[i].value};
    r->headers = pairs;
    r->header_count = headers->count + 1;
    signer = das_signer_new(&with, err);
    if (!signer)
        return -1;
    if (das_sign(signer, r, das_clock_unix_ms() / 1000, &done, err) == 0 &&
        add_header(headers, "X-Sdk-Date", das_text_of(done.date), false, err) == 0 &&
        add_header(headers, "Authorization", das_buf_view(&done.authorization), true, err) == 0)
        rc = 0;
    das_signed_clear(&done);
    das_signer_free(signer);
    r->headers = NULL;
    return rc;
}

static int get_projects(const struct das_iam *iam, const struct das_cloud_key *key,
                        const char *domain_id, const char *region, struct das_http_response *resp,
                        struct das_err *err)
{
    const struct das_sign_pair query[] = {{das_text_of("name"), das_text_of(region)}};
    struct das_sign_request r = {.method = das_text_of("GET"),
                                 .path = das_text_of("/v3/projects"),
                                 .query = query,
                                 .query_count = 1};
    struct das_http_request req = das_http_request_default;
    struct das_http_headers headers;
    struct das_buf url = {0};
    int rc = -1;

    das_http_headers_init(&headers);
    das_buf_str(&url, iam->at.origin);
    das_sign_target_write(&r, &url);
    if (das_buf_ok(&url, err) < 0)
        goto done;
    if (key->token.ptr) {
        if (add_header(&headers, "X-Auth-Token", key->token, true, err) < 0)
            goto done;
    } else if (add_header(&headers, "X-Domain-Id", das_text_of(domain_id), false, err) < 0 ||
               add_header(&headers, "X-Security-Token", key->security_token, true, err) < 0 ||
               sign(iam, key, &r, &headers, err) < 0) {
        goto done;
    }
    req.url = url.ptr;
    req.headers = &headers;
    rc = exchange(iam, &req, resp, err);
done:
    das_buf_clear(&url);
    das_http_headers_clear(&headers);
    return rc;
}

/* Those of another name do not count: they are not what was asked for. */
static int read_projects(const struct das_iam *iam, const struct das_http_response *resp,
                         const char *region, char *out, struct das_err *err)
{
    const json_t *list, *project;
    struct das_text id = DAS_TEXT_NULL;
    size_t i, count = 0;
    json_t *body;
    int rc = -1;

    err->code = DAS_OK;
    body = das_json_parse(resp->body.ptr ? resp->body.ptr : "", resp->body.len, NULL, err);
    if (!body)
        return unreadable(iam, "the answer with the projects is not JSON", err);
    list = json_object_get(body, "projects");
    json_array_foreach(list, i, project)
    {
        struct das_text name = text_of(json_object_get(project, "name"));
        if (!name.ptr || das_text_is(name, region)) {
            id = text_of(json_object_get(project, "id"));
            count++;
        }
    }
    out[0] = '\0';
    if (id.len && id.len < DAS_PROJECT_SIZE) {
        memcpy(out, id.ptr, id.len);
        out[id.len] = '\0';
    }
    if (!json_is_array(list))
        unreadable(iam, "projects: expected a list", err);
    else if (count != 1)
        das_fail(err, DAS_E_CONFIG,
                 "%s: region %s: %zu projects have its name, expected one; write "
                 "the project's id into the instance's address",
                 iam->at.origin, region, count);
    else if (!das_project_valid(out))
        unreadable(iam, "projects[].id: expected up to 64 letters and digits", err);
    else
        rc = 0;
    json_decref(body);
    return rc;
}

int das_iam_project(const struct das_iam *iam, const struct das_cloud_key *key,
                    const char *domain_id, const char *region, char out[DAS_PROJECT_SIZE],
                    int *status, struct das_err *err)
{
    const struct das_text secrets[] = {key->secret, key->security_token, key->token};
    struct das_http_response resp;
    char doing[120];
    int rc = -1;

    *status = 0;
    das_http_response_init(&resp);
    if (get_projects(iam, key, domain_id, region, &resp, err) < 0)
        goto done;
    *status = resp.status;
    if (resp.status == 200) {
        rc = read_projects(iam, &resp, region, out, err);
    } else {
        snprintf(doing, sizeof doing, "no project for region %.64s", region);
        refused(iam, &resp, doing, secrets, sizeof secrets / sizeof *secrets, err);
    }
done:
    wipe(&resp.body);
    das_http_response_clear(&resp);
    return rc;
}
