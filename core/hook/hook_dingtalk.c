/*
 * hook_dingtalk.c - DingTalk: messages to the robot of an app. See hook_impl.h.
 *
 * The signature is of the time alone and says nothing about the body. So each one is good once: it
 * is the proof that comes once, and whoever has seen a message can say nothing else with it.
 */
#include "core/hook/hook_impl.h"

static int matches(struct das_hook_call *c, struct das_text time, struct das_text given)
{
    const struct das_hook_list *list = &c->conf->secrets;
    int found = 0;

    for (size_t i = 0; i < list->count; i++) {
        int rc;
        das_buf_reset(&c->work);
        das_buf_text(&c->work, time);
        das_buf_char(&c->work, '\n');
        das_buf_text(&c->work, list->items[i]);
        if (das_buf_ok(&c->work, c->err) < 0) {
            das_hook_fail(c);
            return -1;
        }
        rc = das_hook_hmac_base64(c, list->items[i], das_buf_view(&c->work), given);
        if (rc < 0)
            return -1;
        found |= rc;
    }
    return found;
}

static bool verify(struct das_hook_call *c, struct das_text *time, struct das_text *given)
{
    int good;

    if (!das_hook_header(c, "timestamp", time) || !das_hook_header(c, "sign", given))
        return false;
    if (given->len != DAS_HOOK_SHA256_BASE64)
        return das_hook_malformed(c, "header sign: not 32 bytes as base64");
    if (!das_hook_fresh(c, *time, 1))
        return false;
    good = matches(c, *time, *given);
    return good > 0 || (good == 0 && das_hook_mismatch(c, "the signature is wrong"));
}

void das_hook_dingtalk(struct das_hook_call *c)
{
    struct das_text parts[2], id;
    json_t *body;

    if (!verify(c, &parts[0], &parts[1]))
        return;
    body = das_hook_json(c, c->request->body);
    if (!body)
        return;
    id = das_hook_member(body, "msgId");
    if (!id.len) {
        das_hook_refuse(c, 400, "body: no msgId");
    } else if (das_hook_id(c, id) && das_hook_proof_of(c, parts, 2)) {
        das_hook_event(c, das_hook_member(body, "msgtype"));
        das_hook_accept(c, DAS_HOOK_MESSAGE, c->request->body, DAS_HOOK_JSON);
    }
    json_decref(body);
}
