/*
 * hook_slack.c - Slack: slash commands and buttons as forms, events as JSON, all signed alike, with
 * the time. See hook_impl.h.
 */
#include "core/hook/hook_impl.h"

#include "core/base/json.h"

/* "v0=" and digits; another version is nothing that we know. */
static bool take_digits(struct das_hook_call *c, struct das_text *digits)
{
    struct das_text value;

    if (!das_hook_header(c, "X-Slack-Signature", &value))
        return false;
    if (value.len < 3 || memcmp(value.ptr, "v0=", 3) != 0)
        return das_hook_malformed(c, "header X-Slack-Signature: no signature of version v0");
    *digits = das_text(value.ptr + 3, value.len - 3);
    if (!das_hook_is_hex(*digits, DAS_HOOK_SHA256_HEX))
        return das_hook_malformed(c, "header X-Slack-Signature: not 64 hex digits in lower case");
    return true;
}

static bool verify(struct das_hook_call *c, struct das_text *digits)
{
    struct das_text time;
    int good;

    if (!take_digits(c, digits) || !das_hook_header(c, "X-Slack-Request-Timestamp", &time) ||
        !das_hook_fresh(c, time, 1000))
        return false;
    das_buf_str(&c->work, "v0:");
    das_buf_text(&c->work, time);
    das_buf_char(&c->work, ':');
    das_buf_text(&c->work, c->request->body);
    if (das_buf_ok(&c->work, c->err) < 0)
        return das_hook_fail(c);
    good = das_hook_hmac_hex(c, das_buf_view(&c->work), *digits);
    return good > 0 || (good == 0 && das_hook_mismatch(c, "the signature is wrong"));
}

/* --- events ----------------------------------------------------------------------------------- */

static void event(struct das_hook_call *c, const json_t *body, struct das_text signature)
{
    struct das_text type = das_hook_member(body, "type");
    struct das_text challenge = das_hook_member(body, "challenge");

    if (das_text_is(type, "url_verification")) {
        if (!challenge.len) {
            das_hook_refuse(c, 400, "a url_verification without a challenge");
            return;
        }
        struct das_buf *answer = das_hook_answer(c, false);
        das_buf_char(answer, '{');
        das_json_key_text(answer, "challenge", challenge);
        das_buf_char(answer, '}');
        return;
    }
    if (!das_hook_id_or(c, das_hook_member(body, "event_id"), signature))
        return;
    if (json_is_object(json_object_get(body, "event")))
        type = das_hook_member(json_object_get(body, "event"), "type");
    das_hook_event(c, type);
    das_hook_accept(c,
                    das_text_is(type, "app_mention") || das_text_is(type, "message")
                        ? DAS_HOOK_MESSAGE
                        : DAS_HOOK_EVENT,
                    c->request->body, DAS_HOOK_JSON);
}

/* --- commands and buttons --------------------------------------------------------------------- */

/* The one field that counts becomes the body. */
static void interaction(struct das_hook_call *c, struct das_text payload, struct das_text signature)
{
    json_t *json;
    struct das_text type;

    das_buf_text(&c->out->bytes, payload);
    if (das_buf_ok(&c->out->bytes, c->err) < 0) {
        das_hook_fail(c);
        return;
    }
    json = das_hook_json(c, das_buf_view(&c->out->bytes));
    if (!json)
        return;
    type = das_hook_member(json, "type");
    das_hook_event(c, type);
    if (das_hook_id_or(c, das_hook_member(json, "trigger_id"), signature))
        das_hook_accept(c,
                        das_text_is(type, "block_actions") ||
                                das_text_is(type, "interactive_message")
                            ? DAS_HOOK_BUTTON
                            : DAS_HOOK_EVENT,
                        das_buf_view(&c->out->bytes), DAS_HOOK_JSON);
    json_decref(json);
}

static void form(struct das_hook_call *c, const struct das_sign_target *t,
                 struct das_text signature)
{
    struct das_text payload, command, trigger, check;
    int has_payload = das_hook_form_get(t, "payload", &payload);
    int has_command = das_hook_form_get(t, "command", &command);
    int has_trigger = das_hook_form_get(t, "trigger_id", &trigger);
    int has_check = das_hook_form_get(t, "ssl_check", &check);

    if (has_payload < 0 || has_command < 0 || has_trigger < 0 || has_payload + has_command > 1) {
        das_hook_refuse(c, 400, "body: a field that is there twice");
    } else if (has_payload) {
        interaction(c, payload, signature);
    } else if (has_check == 1 && das_text_is(check, "1")) {
        das_hook_answer(c, true); /* Slack asks whether anybody is there */
    } else if (!has_command) {
        das_hook_refuse(c, 400, "body: neither a command nor a payload");
    } else if (das_hook_id_or(c, trigger, signature)) {
        das_hook_event(c, command);
        das_hook_accept(c, DAS_HOOK_COMMAND, c->request->body, DAS_HOOK_FORM);
    }
}

/* What it is, the body tells: Content-Type is not signed. */
void das_hook_slack(struct das_hook_call *c)
{
    struct das_text digits, body = c->request->body;
    struct das_sign_target t = {0};
    json_t *json;

    if (!verify(c, &digits))
        return;
    if (body.len && body.ptr[0] == '{') {
        json = das_hook_json(c, body);
        if (json)
            event(c, json, digits);
        json_decref(json);
    } else if (das_hook_form_read(body, &t, c->err) == 0) {
        form(c, &t, digits);
    } else if (c->err->code == DAS_E_NOMEM) {
        das_hook_fail(c);
    } else {
        das_hook_refuse(c, 400, "body: neither a form nor JSON");
    }
    das_sign_target_clear(&t);
}
