/*
 * hook_signed.c - an HMAC-SHA256 of the body in a header, as Teams, GitHub, Standard Webhooks,
 * PagerDuty and Grafana have it, each in its own way. See hook_impl.h.
 */
#include "core/hook/hook_impl.h"

#include "core/base/json.h"

static bool judged(struct das_hook_call *c, int good)
{
    return good > 0 || (good == 0 && das_hook_mismatch(c, "the signature is wrong"));
}

/* One item of a list; false when there are no more. */
static bool cut(struct das_text *rest, char sep, struct das_text *item)
{
    const char *end = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;

    if (!rest->ptr)
        return false;
    *item = *rest;
    if (!end) {
        *rest = DAS_TEXT_NULL;
        return true;
    }
    item->len = (size_t)(end - rest->ptr);
    *rest = das_text(end + 1, rest->len - item->len - 1);
    return true;
}

static bool begins(struct das_text t, const char *with, struct das_text *rest)
{
    size_t n = strlen(with);

    if (t.len < n || memcmp(t.ptr, with, n) != 0)
        return false;
    *rest = das_text(t.ptr + n, t.len - n);
    return true;
}

/* With the secrets, which are base64 of the keys, behind a prefix. 1, 0, -1. */
static int matches_base64(struct das_hook_call *c, const char *prefix, struct das_text message,
                          struct das_text given)
{
    const struct das_hook_list *list = &c->conf->secrets;
    int found = 0;

    for (size_t i = 0; i < list->count && found >= 0; i++) {
        struct das_text secret = list->items[i];
        struct das_buf key = {0};
        int rc;
        begins(secret, prefix, &secret);
        rc = das_base64_decode(DAS_BASE64, true, secret, &key, c->err);
        if (rc < 0)
            das_hook_fail(c); /* the configuration was not checked, or no memory */
        else
            rc = das_hook_hmac_base64(c, das_buf_view(&key), message, given);
        if (key.ptr)
            explicit_bzero(key.ptr, key.cap);
        das_buf_clear(&key);
        found = rc < 0 ? -1 : found | rc;
    }
    return found;
}

const char *das_hook_check_base64(struct das_text secret)
{
    struct das_buf b = {0};
    struct das_err err;
    bool good = das_base64_decode(DAS_BASE64, true, secret, &b, &err) == 0 && b.len > 0;

    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return good ? NULL : "expected base64, as the platform shows it";
}

const char *das_hook_check_standard(struct das_text secret)
{
    begins(secret, "whsec_", &secret);
    return das_hook_check_base64(secret) ? "expected \"whsec_\" and base64" : NULL;
}

/* --- Teams ------------------------------------------------------------------------------------ */

/* The time is in the body, which is signed: what has none had none when it was signed. */
static void teams_body(struct das_hook_call *c, struct das_text signature)
{
    json_t *body = das_hook_json(c, c->request->body);
    struct das_text time = das_hook_member(body, "timestamp");

    if (!body)
        return;
    if ((!time.ptr || das_hook_fresh_iso(c, time)) &&
        das_hook_id_or(c, das_hook_member(body, "id"), signature)) {
        das_hook_event(c, das_hook_member(body, "type"));
        das_hook_accept(c, DAS_HOOK_MESSAGE, c->request->body, DAS_HOOK_JSON);
    }
    json_decref(body);
}

void das_hook_teams(struct das_hook_call *c)
{
    struct das_text value, given;

    if (!das_hook_header(c, "Authorization", &value))
        return;
    if (!begins(value, "HMAC ", &given) || given.len != DAS_HOOK_SHA256_BASE64) {
        das_hook_malformed(c, "header Authorization: not \"HMAC\" and 32 bytes as base64");
        return;
    }
    if (judged(c, matches_base64(c, "", c->request->body, given)))
        teams_body(c, given);
}

/* --- GitHub ----------------------------------------------------------------------------------- */

static enum das_hook_format format_of(struct das_text content_type)
{
    return das_hook_type_is(content_type, "application/x-www-form-urlencoded") ? DAS_HOOK_FORM
           : das_hook_type_is(content_type, "application/json")                ? DAS_HOOK_JSON
                                                                               : DAS_HOOK_BYTES;
}

/* Of the headers only the signature is sure; so what was signed comes once, whatever delivery it is
 * said to be. */
void das_hook_github(struct das_hook_call *c)
{
    struct das_text value, given, delivery, event, type;
    const struct das_text *body = &c->request->body;

    if (!das_hook_header(c, "X-Hub-Signature-256", &value) ||
        !das_hook_header_maybe(c, "X-GitHub-Delivery", &delivery) ||
        !das_hook_header_maybe(c, "X-GitHub-Event", &event) ||
        !das_hook_header_maybe(c, "Content-Type", &type))
        return;
    if (!begins(value, "sha256=", &given) || !das_hook_is_hex(given, DAS_HOOK_SHA256_HEX)) {
        das_hook_malformed(c, "header X-Hub-Signature-256: not \"sha256=\" and 64 hex digits in "
                              "lower case");
        return;
    }
    if (!judged(c, das_hook_hmac_hex(c, *body, given)))
        return;
    if (das_text_is(event, "ping")) {
        das_buf_str(das_hook_answer(c, false), "{\"ok\":true}");
        return;
    }
    if (!das_hook_id_or(c, delivery, given) || !das_hook_proof_of(c, body, 1))
        return;
    das_hook_event(c, event);
    das_hook_accept(c, DAS_HOOK_EVENT, *body, format_of(type));
}

/* --- Standard Webhooks ------------------------------------------------------------------------ */

/* Any of several signatures, of those of version v1. 1, 0, -1: malformed, or failed. */
static int any_base64(struct das_hook_call *c, struct das_text list)
{
    struct das_text item, given;
    int found = 0, known = 0;

    while (cut(&list, ' ', &item)) {
        int rc;
        if (!begins(item, "v1,", &given))
            continue;
        known++;
        if (given.len != DAS_HOOK_SHA256_BASE64 || known > DAS_HOOK_LIST_MAX) {
            known = 0;
            break;
        }
        rc = matches_base64(c, "whsec_", das_buf_view(&c->work), given);
        if (rc < 0)
            return -1;
        found |= rc;
    }
    if (known)
        return found;
    das_hook_malformed(c, "header webhook-signature: no \"v1,\" and 32 bytes as base64");
    return -1;
}

/* What is signed joins id and time by points. */
static bool is_id(struct das_text id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~' || id.ptr[i] == '.')
            return false;
    }
    return id.len < DAS_HOOK_ID_SIZE;
}

void das_hook_standard(struct das_hook_call *c)
{
    struct das_text id, time, list, type;

    if (!das_hook_header(c, "webhook-id", &id) || !das_hook_header(c, "webhook-timestamp", &time) ||
        !das_hook_header(c, "webhook-signature", &list) ||
        !das_hook_header_maybe(c, "Content-Type", &type))
        return;
    if (!is_id(id)) {
        das_hook_malformed(c, "header webhook-id: too long, or with a point or blank in it");
        return;
    }
    if (!das_hook_fresh(c, time, 1000))
        return;
    das_buf_text(&c->work, id);
    das_buf_char(&c->work, '.');
    das_buf_text(&c->work, time);
    das_buf_char(&c->work, '.');
    das_buf_text(&c->work, c->request->body);
    if (das_buf_ok(&c->work, c->err) < 0)
        das_hook_fail(c);
    else if (judged(c, any_base64(c, list)) && das_hook_id(c, id))
        das_hook_accept(c, DAS_HOOK_EVENT, c->request->body,
                        type.ptr ? format_of(type) : DAS_HOOK_JSON);
}

/* --- PagerDuty -------------------------------------------------------------------------------- */

static int any_hex(struct das_hook_call *c, struct das_text list)
{
    struct das_text item, given;
    int found = 0, known = 0;

    while (cut(&list, ',', &item)) {
        int rc;
        if (!begins(das_text_trim(item), "v1=", &given))
            continue;
        known++;
        if (!das_hook_is_hex(given, DAS_HOOK_SHA256_HEX) || known > DAS_HOOK_LIST_MAX) {
            known = 0;
            break;
        }
        rc = das_hook_hmac_hex(c, c->request->body, given);
        if (rc < 0)
            return -1;
        found |= rc;
    }
    if (known)
        return found;
    das_hook_malformed(c, "header X-PagerDuty-Signature: no \"v1=\" and 64 hex digits in lower "
                          "case");
    return -1;
}

static void pagerduty_event(struct das_hook_call *c, const json_t *event)
{
    struct das_text id = das_hook_member(event, "id");
    struct das_text type = das_hook_member(event, "event_type");

    if (!id.len || !type.len) {
        das_hook_refuse(c, 400, "body: no event with id and event_type");
        return;
    }
    if (!das_hook_fresh_iso(c, das_hook_member(event, "occurred_at")))
        return;
    if (das_text_is(type, "pagey.ping")) {
        das_buf_str(das_hook_answer(c, false), "{\"ok\":true}");
        return;
    }
    if (!das_hook_id(c, id))
        return;
    das_hook_event(c, type);
    das_hook_accept(c, DAS_HOOK_ALERT, c->request->body, DAS_HOOK_JSON);
}

void das_hook_pagerduty(struct das_hook_call *c)
{
    struct das_text list;
    json_t *body;

    if (!das_hook_header(c, "X-PagerDuty-Signature", &list) || !judged(c, any_hex(c, list)))
        return;
    body = das_hook_json(c, c->request->body);
    if (body)
        pagerduty_event(c, json_object_get(body, "event"));
    json_decref(body);
}

/* --- Grafana ---------------------------------------------------------------------------------- */

static const char *name_of(struct das_text t, const char *fallback, char *out, size_t size)
{
    snprintf(out, size, "%.*s", t.ptr ? (int)t.len : (int)strlen(fallback),
             t.ptr ? t.ptr : fallback);
    return out;
}

static bool grafana_signed(struct das_hook_call *c, struct das_text *given)
{
    const struct das_hook_conf *conf = c->conf;
    char name[128];
    struct das_text time;

    if (!das_hook_header(
            c, name_of(conf->signature_header, "X-Grafana-Alerting-Signature", name, sizeof name),
            given))
        return false;
    if (!das_hook_is_hex(*given, DAS_HOOK_SHA256_HEX))
        return das_hook_malformed(c, "the signature: not 64 hex digits in lower case");
    if (!conf->timestamp_header.ptr)
        return judged(c, das_hook_hmac_hex(c, c->request->body, *given));
    if (!das_hook_header(c, name_of(conf->timestamp_header, "", name, sizeof name), &time) ||
        !das_hook_fresh(c, time, 1000))
        return false;
    das_buf_text(&c->work, time);
    das_buf_char(&c->work, ':');
    das_buf_text(&c->work, c->request->body);
    if (das_buf_ok(&c->work, c->err) < 0)
        return das_hook_fail(c);
    return judged(c, das_hook_hmac_hex(c, das_buf_view(&c->work), *given));
}

void das_hook_grafana(struct das_hook_call *c)
{
    struct das_text given;
    bool form = false;
    json_t *body;

    if (!grafana_signed(c, &given))
        return;
    body = das_hook_json(c, c->request->body);
    if (!body)
        return;
    if (das_hook_alert_ids(c, body, &form) ||
        (!c->failed && !form && das_hook_id_or(c, DAS_TEXT_NULL, given))) {
        das_hook_event(c, das_hook_member(body, "status"));
        das_hook_accept(c, DAS_HOOK_ALERT, c->request->body, DAS_HOOK_JSON);
    }
    json_decref(body);
}
