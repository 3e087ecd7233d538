/*
 * answer.c - what the other side has said: a good answer as JSON, any other as an error with status,
 * code, words, request id and what to do (see cloud_impl.h).
 */
#include "core/cloud/cloud_impl.h"

#include <time.h>

#include "core/base/json.h"

#define ANSWER_DEPTH 32
#define ANSWER_MEMORY ((uint64_t)1 << 30) /* of the parsed answer */
#define WORDS_SHOWN 300 /* of somebody else's message */

/* Somebody else's words: without control characters, not too long, and without what they repeat of
 * our secrets. A gateway that refuses a signature prints the whole canonical request. */
static void take_words(struct das_text from, const struct das_cloud_key *key, char *to, size_t size)
{
    const char *cut = from.len ? memmem(from.ptr, from.len, "canonicalRequest", 16) : NULL;
    size_t n = 0;

    if (cut)
        from.len = (size_t)(cut - from.ptr);
    while (from.len && n + 5 < size) {
        uint32_t code;
        size_t step = das_utf8_next(from.ptr, from.len, &code);
        if (step == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            to[n++] = ' ';
            step = step ? step : 1;
        } else {
            memcpy(to + n, from.ptr, step);
            n += step;
        }
        from.ptr += step;
        from.len -= step;
    }
    to[n] = '\0';
    if (key)
        das_cloud_key_redact(key, to);
    for (n = strlen(to); n && strchr(" ,:", to[n - 1]); n--)
        to[n - 1] = '\0';
}

static struct das_text text_member(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v) ? das_text(json_string_value(v), json_string_length(v)) : DAS_TEXT_NULL;
}

/* Where an error object has its code and words: each service has its own names. */
static bool find_error(const json_t *o, struct das_text *code, struct das_text *words)
{
    static const char *const names[][2] = {
        {"error_code", "error_msg"}, {"errorCodeStr", "errorMessage"}, {"errCode", "errMsg"},
        {"code", "message"},
    };
    const char *key;
    json_t *inner;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *code = text_member(o, names[i][0]);
        *words = text_member(o, names[i][1]);
        if (code->ptr || (words->ptr && i == 3))
            return true;
    }
    json_object_foreach((json_t *)(uintptr_t)o, key, inner) {
        if (json_is_object(inner) && json_object_get(inner, "message"))
            return find_error(inner, code, words);
    }
    return false;
}

/* Some endpoints say that all is well, and then why it is not. */
static bool tells_error(const json_t *json)
{
    return text_member(json, "error_code").len || text_member(json, "errorCodeStr").len;
}

static void read_error(struct das_cloud_trip *t, const struct das_cloud_slot *s, const json_t *json)
{
    struct das_cloud_call *c = t->call;
    struct das_text code = DAS_TEXT_NULL, words = DAS_TEXT_NULL, id;

    if (json && find_error(json, &code, &words)) {
        take_words(code, s->key, c->error_code, sizeof c->error_code);
        take_words(words, s->key, c->error_msg, sizeof c->error_msg);
    }
    id = json ? text_member(json, "request_id") : DAS_TEXT_NULL;
    if (id.ptr && !c->request_id[0])
        take_words(id, s->key, c->request_id, sizeof c->request_id);
}

static void read_headers(struct das_cloud_trip *t, const struct das_cloud_slot *s)
{
    static const char *const ids[] = {"X-Request-Id", "X-IAM-Trace-Id"};
    struct das_text v;
    struct tm tm = {0};
    int64_t n;
    char date[64];

    for (size_t i = 0; i < 2 && !t->call->request_id[0]; i++)
        take_words(das_http_headers_get(&s->resp.headers, ids[i]), s->key, t->call->request_id,
                   sizeof t->call->request_id);
    v = das_http_headers_get(&s->resp.headers, "Retry-After");
    t->retry_after_ms = v.ptr && das_parse_int(v, &n) && n >= 0 && n < 86400 ? n * 1000 : -1;
    v = das_http_headers_get(&s->resp.headers, "Date");
    if (v.ptr && v.len < sizeof date) {
        memcpy(date, v.ptr, v.len);
        date[v.len] = '\0';
        if (strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm))
            t->call->date = (int64_t)timegm(&tm);
    }
}

/* The body as JSON; NULL when it is empty, or none. -1 only for a good answer. */
static int read_body(struct das_cloud_trip *t, const struct das_cloud_slot *s, json_t **json)
{
    struct das_text body = das_text_trim(das_buf_view(&s->resp.body));
    struct das_json_weight weight;
    struct das_err ignored;
    char shown[48];

    *json = NULL;
    if (body.len == 0)
        return 0;
    das_json_weigh(body, ANSWER_DEPTH, &weight);
    if (weight.deep_line || weight.bytes > ANSWER_MEMORY)
        return das_fail(t->err, DAS_E_DATA, "the answer is nested too deeply, or too large");
    *json = das_json_parse(body.ptr, body.len, NULL, &ignored);
    if (*json)
        return 0;
    take_words(body, s->key, shown, sizeof shown); /* not cut before: half a secret is not found */
    return das_fail(t->err, DAS_E_DATA, "the answer is no JSON: it begins with \"%s\"", shown);
}

static enum das_code code_of(const struct das_cloud_call *c)
{
    if (c->status == 429 || strcmp(c->error_code, "DAS.200002") == 0)
        return DAS_E_BUSY;
    if (c->status == 401 || strcmp(c->error_code, "DAS.200051") == 0)
        return DAS_E_AUTH;
    if (c->status == 403)
        return DAS_E_DENIED;
    if (strcmp(c->error_code, "DAS.220002") == 0) /* the database does not answer */
        return DAS_E_CONNECT;
    if (c->status >= 400 && c->status < 500)
        return DAS_E_USAGE;
    if (c->status >= 500)
        return DAS_E_CONNECT;
    return c->status < 300 ? DAS_E_USAGE : DAS_E_DATA;
}

/* "HTTP 403 APIGW.0302 "not allowed" (request 8a7b): add das:... to the policy" */
static int refused(struct das_cloud_trip *t)
{
    const struct das_cloud_call *c = t->call;
    char advice[300];
    struct das_buf b = {0};

    das_cloud_advice(c->status, c->error_code, c->error_msg, t->ask->action, advice, sizeof advice);
    das_buf_printf(&b, "HTTP %d", c->status);
    if (c->error_code[0])
        das_buf_printf(&b, " %s", c->error_code);
    if (c->error_msg[0])
        das_buf_printf(&b, " \"%.*s\"", WORDS_SHOWN, c->error_msg);
    if (c->request_id[0])
        das_buf_printf(&b, " (request %s)", c->request_id);
    if (advice[0])
        das_buf_printf(&b, ": %s", advice);
    das_fail(t->err, code_of(c), "%s", b.ptr ? b.ptr : "refused");
    das_buf_clear(&b);
    return -1;
}

int das_cloud_judge(struct das_cloud_trip *t, const struct das_cloud_slot *s)
{
    json_t *json = NULL;
    int rc, status = s->resp.status;

    t->call->status = status;
    read_headers(t, s);
    rc = read_body(t, s, &json);
    if (status >= 200 && status < 300 && !tells_error(json)) {
        *t->answer = json;
        if (rc < 0) /* it was done, perhaps; nobody can read what came of it */
            t->call->unknown = t->ask->effect == DAS_CLOUD_WRITES;
        return rc;
    }
    read_error(t, s, json);
    json_decref(json);
    t->call->unknown = t->ask->effect == DAS_CLOUD_WRITES && (status >= 500 || status < 300);
    return refused(t);
}
