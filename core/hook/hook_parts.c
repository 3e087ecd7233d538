/* hook_parts.c - see hook_impl.h: headers, times, signatures and ids, for all platforms. */
#include "core/hook/hook_impl.h"

#include "core/base/calendar.h"
#include "core/base/digest.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#define JSON_DEPTH 64
#define JSON_BYTES ((uint64_t)64 << 20)
#define TIME_DIGITS 14
#define ALERTS_MAX 10000

/* --- verdicts --------------------------------------------------------------------------------- */

/* What was said before does not count any more. */
bool das_hook_refuse(struct das_hook_call *c, int status, const char *fmt, ...)
{
    va_list ap;

    c->out->outcome = DAS_HOOK_REFUSED;
    c->out->status = status;
    c->out->id_count = 0;
    c->out->body = DAS_TEXT_NULL;
    va_start(ap, fmt);
    vsnprintf(c->out->reason, sizeof c->out->reason, fmt, ap);
    va_end(ap);
    return false;
}

bool das_hook_malformed(struct das_hook_call *c, const char *what)
{
    return das_hook_refuse(c, c->info->malformed, "%s", what);
}

bool das_hook_mismatch(struct das_hook_call *c, const char *what)
{
    return das_hook_refuse(c, c->info->mismatch, "%s", what);
}

bool das_hook_fail(struct das_hook_call *c)
{
    c->failed = true;
    return false;
}

static void say(struct das_hook_call *c, enum das_hook_outcome outcome, int status)
{
    c->out->outcome = outcome;
    c->out->status = status;
    c->out->reason[0] = '\0';
}

struct das_buf *das_hook_answer(struct das_hook_call *c, bool text)
{
    say(c, DAS_HOOK_ANSWERED, 200);
    c->out->type = text ? "text/plain; charset=utf-8" : "application/json";
    return &c->out->answer;
}

void das_hook_accept(struct das_hook_call *c, enum das_hook_kind kind, struct das_text body,
                     enum das_hook_format format)
{
    say(c, DAS_HOOK_ACCEPTED, 0);
    c->out->kind = kind;
    c->out->body = body;
    c->out->format = format;
}

void das_hook_event(struct das_hook_call *c, struct das_text word)
{
    size_t n = 0;

    for (size_t i = 0; i < word.len && n < sizeof c->out->event - 1; i++) {
        if (word.ptr[i] > ' ' && word.ptr[i] <= '~')
            c->out->event[n++] = word.ptr[i];
    }
    c->out->event[n] = '\0';
}

/* --- what came -------------------------------------------------------------------------------- */

bool das_hook_header_maybe(struct das_hook_call *c, const char *name, struct das_text *value)
{
    size_t n = 0;

    *value = DAS_TEXT_NULL;
    for (size_t i = 0; i < c->request->header_count; i++) {
        if (das_text_iis(c->request->headers[i].name, name)) {
            *value = das_text_trim(c->request->headers[i].value);
            n++;
        }
    }
    if (n > 1)
        return das_hook_refuse(c, 400, "header %.100s: it is there %zu times", name, n);
    if (n && !value->len)
        return das_hook_refuse(c, c->info->malformed, "header %.100s: it is empty", name);
    return true;
}

bool das_hook_header(struct das_hook_call *c, const char *name, struct das_text *value)
{
    if (!das_hook_header_maybe(c, name, value))
        return false;
    if (!value->ptr)
        return das_hook_refuse(c, c->info->malformed, "header %.100s: it is missing", name);
    return true;
}

/* A time in whole seconds is compared as such: a window of 300 s ends with the 300th. */
static bool within(struct das_hook_call *c, int64_t time_ms, bool seconds)
{
    int64_t window_s = c->conf->window_s ? c->conf->window_s : c->info->window_s;
    int64_t now_ms = seconds ? c->now_ms - c->now_ms % 1000 : c->now_ms, apart;

    if (__builtin_sub_overflow(time_ms, now_ms, &apart) || apart > window_s * 1000 ||
        apart < -window_s * 1000)
        return das_hook_refuse(c, c->info->mismatch, "its time is more than %lld s from now",
                               (long long)window_s);
    c->out->time_ms = time_ms;
    c->out->window_ms = window_s * 1000;
    return true;
}

bool das_hook_fresh(struct das_hook_call *c, struct das_text digits, int64_t unit_ms)
{
    int64_t n = 0;
    bool good = digits.len > 0 && digits.len <= TIME_DIGITS;

    for (size_t i = 0; good && i < digits.len; i++)
        good = das_is_digit((unsigned char)digits.ptr[i]);
    if (!good || !das_parse_int(digits, &n))
        return das_hook_malformed(c, "its time is no decimal number");
    return within(c, n * unit_ms, unit_ms == 1000);
}

bool das_hook_fresh_iso(struct das_hook_call *c, struct das_text text)
{
    struct das_err err;
    int64_t unix_s;

    if (das_time_parse(text, &unix_s, &err) < 0)
        return das_hook_refuse(c, 400, "its time is none of ISO 8601");
    return within(c, unix_s * 1000, true);
}

json_t *das_hook_json_any(struct das_hook_call *c, struct das_text body)
{
    struct das_json_weight weight;
    json_t *json;

    das_json_weigh(body, JSON_DEPTH, &weight);
    if (weight.deep_line || weight.bytes > JSON_BYTES) {
        das_hook_refuse(c, 400, "body: JSON with too much in it");
        return NULL;
    }
    json = das_json_parse(body.ptr, body.len, NULL, c->err);
    if (json)
        return json;
    if (c->err->code == DAS_E_NOMEM)
        das_hook_fail(c);
    else
        das_hook_refuse(c, 400, "body: not JSON");
    return NULL;
}

json_t *das_hook_json(struct das_hook_call *c, struct das_text body)
{
    json_t *json = das_hook_json_any(c, body);

    if (!json || json_is_object(json))
        return json;
    json_decref(json);
    das_hook_refuse(c, 400, "body: expected a JSON object");
    return NULL;
}

json_t *das_hook_json_array(struct das_hook_call *c, struct das_text body)
{
    json_t *json = das_hook_json_any(c, body);

    if (!json || json_is_array(json))
        return json;
    json_decref(json);
    das_hook_refuse(c, 400, "body: expected a JSON array");
    return NULL;
}

struct das_text das_hook_member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? das_text(json_string_value(value), json_string_length(value))
                                 : DAS_TEXT_NULL;
}

bool das_hook_type_is(struct das_text content_type, const char *type)
{
    const char *end = content_type.len ? memchr(content_type.ptr, ';', content_type.len) : NULL;

    if (end)
        content_type.len = (size_t)(end - content_type.ptr);
    return das_text_iis(das_text_trim(content_type), type);
}

/* --- signatures ------------------------------------------------------------------------------- */

bool das_hook_is_hex(struct das_text t, size_t n)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (!das_is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
    }
    return t.len == n;
}

static struct das_text value_of(const struct das_hash_value *h)
{
    return das_text((const char *)h->bytes, h->len);
}

/* The text that a signer would have sent, against the one that came: so one value has one text. */
static int compare(struct das_hook_call *c, const struct das_hash_value *h, bool hex,
                   struct das_text given)
{
    struct das_buf b = {0};
    int rc;

    if (hex)
        das_hex_encode(value_of(h), &b);
    else
        das_base64_encode(DAS_BASE64, value_of(h), &b);
    rc = das_buf_ok(&b, c->err);
    if (rc == 0)
        rc = das_bytes_equal(das_buf_view(&b), given);
    else
        das_hook_fail(c);
    das_buf_clear(&b);
    return rc;
}

static int hmac(struct das_hook_call *c, struct das_text key, struct das_text message, bool hex,
                struct das_text given)
{
    struct das_hash_value h;
    int rc;

    if (das_hmac(DAS_SHA256, key, message, &h, c->err) < 0) {
        das_hook_fail(c);
        return -1;
    }
    rc = compare(c, &h, hex, given);
    explicit_bzero(&h, sizeof h);
    return rc;
}

int das_hook_hmac_hex(struct das_hook_call *c, struct das_text message, struct das_text given)
{
    const struct das_hook_list *list = &c->conf->secrets;
    int found = 0;

    for (size_t i = 0; i < list->count; i++) {
        int rc = hmac(c, list->items[i], message, true, given);
        if (rc < 0)
            return -1;
        found |= rc;
    }
    return found;
}

int das_hook_hmac_base64(struct das_hook_call *c, struct das_text key, struct das_text message,
                         struct das_text given)
{
    return hmac(c, key, message, false, given);
}

int das_hook_hash_hex(struct das_hook_call *c, enum das_hash kind, struct das_text message,
                      struct das_text given)
{
    struct das_hash_value h;

    if (das_hash(kind, message, &h, c->err) < 0) {
        das_hook_fail(c);
        return -1;
    }
    return compare(c, &h, true, given);
}

bool das_hook_one_of(const struct das_hook_list *list, struct das_text given)
{
    bool found = false;

    for (size_t i = 0; i < list->count; i++)
        found |= das_bytes_equal(list->items[i], given);
    return found;
}

/* "Bearer abc" without its scheme, which may be written in any case. */
static bool after_scheme(struct das_text value, const char *scheme, struct das_text *rest)
{
    size_t n = strlen(scheme);

    if (value.len <= n + 1 || !das_text_iis(das_text(value.ptr, n), scheme) || value.ptr[n] != ' ')
        return false;
    *rest = das_text(value.ptr + n + 1, value.len - n - 1);
    return true;
}

static bool basic_matches(struct das_hook_call *c, struct das_text given)
{
    const struct das_hook_list *list = &c->conf->passwords;
    struct das_buf b = {0};
    struct das_err err;
    bool found = false;

    if (das_base64_decode(DAS_BASE64, true, given, &b, &err) < 0) {
        if (err.code == DAS_E_NOMEM) {
            *c->err = err;
            das_hook_fail(c);
        }
    } else {
        struct das_text all = das_buf_view(&b), user = c->conf->user;
        bool same = all.len > user.len && all.ptr[user.len] == ':' &&
                    das_bytes_equal(das_text(all.ptr, user.len), user);
        size_t from = same ? user.len + 1 : all.len;
        found = das_hook_one_of(list, das_text(all.ptr + from, all.len - from)) && same;
    }
    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return found;
}

bool das_hook_authorized(struct das_hook_call *c)
{
    struct das_text value, given;

    if (!das_hook_header(c, "Authorization", &value))
        return false;
    if (after_scheme(value, "Bearer", &given)) {
        if (das_hook_one_of(&c->conf->tokens, given))
            return true;
    } else if (after_scheme(value, "Basic", &given)) {
        if (c->conf->user.ptr && basic_matches(c, given))
            return true;
    } else {
        return das_hook_malformed(c, "header Authorization: a scheme that is not expected");
    }
    return c->failed ? false : das_hook_mismatch(c, "header Authorization: nobody who may");
}

/* --- ids -------------------------------------------------------------------------------------- */

static bool add_id(struct das_hook_call *c, const char *text)
{
    struct das_hook_verdict *v = c->out;
    struct das_hook_id *ids = das_grow(v->ids, v->id_count + 1, sizeof *ids);

    if (!ids) {
        das_fail_nomem(c->err);
        return das_hook_fail(c);
    }
    v->ids = ids;
    snprintf(ids[v->id_count++].text, sizeof ids->text, "%s", text);
    return true;
}

static bool hash_parts(struct das_hook_call *c, const struct das_text *parts, size_t n, char *out,
                       size_t size)
{
    struct das_buf b = {0};
    char hex[DAS_SHA256_HEX];
    int rc;

    for (size_t i = 0; i < n; i++) {
        das_buf_printf(&b, "%zu:", parts[i].len);
        das_buf_text(&b, parts[i]);
    }
    rc = das_buf_ok(&b, c->err);
    if (rc == 0)
        rc = das_sha256_hex(das_buf_view(&b), hex, c->err);
    das_buf_clear(&b);
    if (rc < 0)
        return das_hook_fail(c);
    snprintf(out, size, "sha256:%s", hex);
    return true;
}

bool das_hook_id_of(struct das_hook_call *c, const struct das_text *parts, size_t n)
{
    char id[DAS_HOOK_ID_SIZE];

    return hash_parts(c, parts, n, id, sizeof id) && add_id(c, id);
}

bool das_hook_proof_of(struct das_hook_call *c, const struct das_text *parts, size_t n)
{
    return hash_parts(c, parts, n, c->out->proof, sizeof c->out->proof);
}

bool das_hook_id(struct das_hook_call *c, struct das_text id)
{
    char text[DAS_HOOK_ID_SIZE];
    bool plain = id.len > 0 && id.len < sizeof text;

    for (size_t i = 0; plain && i < id.len; i++)
        plain = id.ptr[i] > ' ' && id.ptr[i] <= '~';
    if (!plain)
        return das_hook_id_of(c, &id, 1);
    memcpy(text, id.ptr, id.len);
    text[id.len] = '\0';
    return add_id(c, text);
}

bool das_hook_id_or(struct das_hook_call *c, struct das_text id, struct das_text signature)
{
    const struct das_text parts[] = {signature, c->request->body};

    return id.len ? das_hook_id(c, id) : das_hook_id_of(c, parts, 2);
}

/* An alert that keeps firing is told again and again, and both of a pair may tell it. */
static bool alert_id(struct das_hook_call *c, struct das_text receiver, const json_t *alert)
{
    struct das_text print = das_hook_member(alert, "fingerprint");
    char *labels = NULL;
    bool good;

    if (!print.len) {
        labels = json_dumps(json_object_get(alert, "labels"), JSON_SORT_KEYS | JSON_COMPACT);
        if (!labels) {
            das_fail_nomem(c->err);
            return das_hook_fail(c);
        }
        print = das_text_of(labels);
    }
    const struct das_text parts[] = {receiver, print, das_hook_member(alert, "startsAt"),
                                     das_hook_member(alert, "status")};
    good = das_hook_id_of(c, parts, 4);
    free(labels);
    return good;
}

bool das_hook_alert_ids(struct das_hook_call *c, const json_t *body, bool *form)
{
    const json_t *alerts = json_object_get(body, "alerts"), *alert;
    struct das_text receiver = das_hook_member(body, "receiver");
    size_t i;

    *form = receiver.ptr && json_array_size(alerts) > 0 && json_array_size(alerts) <= ALERTS_MAX;
    json_array_foreach(alerts, i, alert) *form =
        *form && json_is_object(json_object_get(alert, "labels")) &&
        das_hook_member(alert, "startsAt").len && das_hook_member(alert, "status").len;
    if (!*form)
        return false;
    json_array_foreach(alerts, i, alert)
    {
        if (!alert_id(c, receiver, alert))
            return false;
    }
    return true;
}
