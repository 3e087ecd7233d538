/*
 * hook_bearer.c - who knows a token may speak: Mattermost, Telegram, Alertmanager, and anything
 * with a bearer token or basic authentication. Nothing is signed, so all of it stands on TLS. See
 * hook_impl.h.
 */
#include "core/hook/hook_impl.h"

#include "core/base/json.h"

/* --- Mattermost ------------------------------------------------------------------------------- */

static void slash(struct das_hook_call *c, const struct das_sign_target *t)
{
    struct das_text token, command, trigger;
    int has_trigger = das_hook_form_get(t, "trigger_id", &trigger);

    if (das_hook_form_get(t, "token", &token) != 1 || !token.len) {
        das_hook_malformed(c, "body: expected one token");
    } else if (!das_hook_one_of(&c->conf->tokens, token)) {
        das_hook_mismatch(c, "body: the token is wrong");
    } else if (has_trigger < 0 || das_hook_form_get(t, "command", &command) != 1) {
        das_hook_refuse(c, 400, "body: expected one command");
    } else if (das_hook_id_or(c, trigger, DAS_TEXT_NULL)) {
        das_hook_event(c, command);
        das_hook_accept(c, DAS_HOOK_COMMAND, c->request->body, DAS_HOOK_FORM);
    }
}

/* 1: context.sign is HMAC-SHA256 of "das.button:" and context.value with one of the tokens. */
static int is_our_button(struct das_hook_call *c, struct das_text value, struct das_text sign)
{
    const struct das_hook_list *list = &c->conf->tokens;
    struct das_hash_value h;
    struct das_buf hex = {0};
    int found = 0, rc = 0;

    das_buf_str(&c->work, "das.button:");
    das_buf_text(&c->work, value);
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        das_buf_reset(&hex);
        rc = das_hmac(DAS_SHA256, list->items[i], das_buf_view(&c->work), &h, c->err);
        if (rc == 0) {
            das_hex_encode(das_text((const char *)h.bytes, h.len), &hex);
            found |= das_bytes_equal(das_buf_view(&hex), sign);
        }
    }
    if (rc == 0)
        rc = das_buf_ok(&hex, c->err) < 0 || das_buf_ok(&c->work, c->err) < 0 ? -1 : 0;
    das_buf_clear(&hex);
    if (rc < 0)
        das_hook_fail(c);
    return rc < 0 ? -1 : found;
}

/* Mattermost signs nothing here; what das has put into the button comes back. */
static void button(struct das_hook_call *c, const json_t *body)
{
    const json_t *context = json_object_get(body, "context");
    struct das_text value = das_hook_member(context, "value");
    struct das_text sign = das_hook_member(context, "sign");
    int good;

    if (!value.len || !das_hook_is_hex(sign, DAS_HOOK_SHA256_HEX)) {
        das_hook_malformed(c, "body: context: no value and sign, as das puts them into a button");
        return;
    }
    good = is_our_button(c, value, sign);
    if (good == 0)
        das_hook_mismatch(c, "body: context: the signature is wrong");
    if (good > 0 && das_hook_id_or(c, das_hook_member(body, "trigger_id"), DAS_TEXT_NULL))
        das_hook_accept(c, DAS_HOOK_BUTTON, c->request->body, DAS_HOOK_JSON);
}

void das_hook_mattermost(struct das_hook_call *c)
{
    struct das_text body = c->request->body;
    struct das_sign_target t = {0};
    json_t *json;

    if (body.len > DAS_HOOK_UNSURE_MAX) {
        das_hook_refuse(c, 400, "body: it is too long");
    } else if (body.len && body.ptr[0] == '{') {
        json = das_hook_json(c, body);
        if (json)
            button(c, json);
        json_decref(json);
    } else if (das_hook_form_read(body, &t, c->err) == 0) {
        slash(c, &t);
    } else if (c->err->code == DAS_E_NOMEM) {
        das_hook_fail(c);
    } else {
        das_hook_malformed(c, "body: neither a form nor JSON");
    }
    das_sign_target_clear(&t);
}

/* --- Telegram --------------------------------------------------------------------------------- */

/* Telegram keeps an update for a day until it is taken: its date says nothing of replays. */
static void update(struct das_hook_call *c, const json_t *body)
{
    const json_t *id = json_object_get(body, "update_id");
    const json_t *message = json_object_get(body, "message");
    const json_t *date = json_object_get(message, "date");
    struct das_text said = das_hook_member(message, "text");
    bool press = json_is_object(json_object_get(body, "callback_query"));
    char number[24];

    if (!json_is_integer(id)) {
        das_hook_refuse(c, 400, "body: no update_id");
        return;
    }
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(id));
    if (!das_hook_id(c, das_text_of(number)))
        return;
    if (json_is_integer(date) && json_integer_value(date) > 0 &&
        json_integer_value(date) < (json_int_t)1 << 40)
        c->out->time_ms = json_integer_value(date) * 1000;
    das_hook_event(c, das_text_of(press ? "callback_query" : message ? "message" : NULL));
    das_hook_accept(c,
                    press                            ? DAS_HOOK_BUTTON
                    : said.len && said.ptr[0] == '/' ? DAS_HOOK_COMMAND
                    : json_is_object(message)        ? DAS_HOOK_MESSAGE
                                                     : DAS_HOOK_EVENT,
                    c->request->body, DAS_HOOK_JSON);
}

void das_hook_telegram(struct das_hook_call *c)
{
    struct das_text token;
    json_t *body;

    if (!das_hook_header(c, "X-Telegram-Bot-Api-Secret-Token", &token))
        return;
    if (!das_hook_one_of(&c->conf->tokens, token)) {
        das_hook_mismatch(c, "header X-Telegram-Bot-Api-Secret-Token: the token is wrong");
        return;
    }
    body = das_hook_json(c, c->request->body);
    if (body)
        update(c, body);
    json_decref(body);
}

/* --- Alertmanager ----------------------------------------------------------------------------- */

static void alerts(struct das_hook_call *c, const json_t *body)
{
    bool form = false;

    /* whoever configures a payload of his own may send anything */
    if (!das_text_is(das_hook_member(body, "version"), "4")) {
        das_hook_refuse(c, 400, "body: not version 4 of Alertmanager's payload");
    } else if (das_hook_alert_ids(c, body, &form)) {
        das_hook_event(c, das_hook_member(body, "status"));
        das_hook_accept(c, DAS_HOOK_ALERT, c->request->body, DAS_HOOK_JSON);
    } else if (!c->failed) {
        das_hook_refuse(c, 400, "body: no alerts as Alertmanager tells them");
    }
}

void das_hook_alertmanager(struct das_hook_call *c)
{
    json_t *body;

    if (!das_hook_authorized(c))
        return;
    body = das_hook_json(c, c->request->body);
    if (body)
        alerts(c, body);
    json_decref(body);
}

/* --- anything --------------------------------------------------------------------------------- */

/* Without an id the same bytes are the same delivery, for a while. */
void das_hook_bearer(struct das_hook_call *c)
{
    struct das_text id, type, name = c->conf->id_header;
    char header[128];

    snprintf(header, sizeof header, "%.*s", name.ptr ? (int)name.len : 15,
             name.ptr ? name.ptr : "Idempotency-Key");
    if (!das_hook_authorized(c) || !das_hook_header_maybe(c, header, &id) ||
        !das_hook_header_maybe(c, "Content-Type", &type) || !das_hook_id_or(c, id, DAS_TEXT_NULL))
        return;
    c->remember_briefly = !id.ptr;
    das_hook_accept(c, DAS_HOOK_EVENT, c->request->body,
                    das_hook_type_is(type, "application/json")                    ? DAS_HOOK_JSON
                    : das_hook_type_is(type, "application/x-www-form-urlencoded") ? DAS_HOOK_FORM
                                                                                  : DAS_HOOK_BYTES);
}
