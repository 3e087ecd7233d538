/*
 * hook_discord.c - Discord: interactions, signed with Ed25519. Discord itself sends wrong
 * signatures now and then and wants to see them refused. See hook_impl.h.
 */
#include "core/hook/hook_impl.h"

#define DIGITS ((size_t)128)

enum { PING = 1, COMMAND = 2, COMPONENT = 3 };

const char *das_hook_check_public_key(struct das_text key)
{
    struct das_buf b = {0};
    struct das_err err;
    bool good = das_hex_decode(key, &b, &err) == 0 && b.len == 32;

    das_buf_clear(&b);
    return good ? NULL : "expected 64 hex digits";
}

/* 1, 0, -1 */
static int matches_key(struct das_hook_call *c, struct das_text key, struct das_text signature)
{
    struct das_buf raw = {0};
    bool good = false;
    int rc = das_hex_decode(key, &raw, c->err);

    if (rc == 0)
        rc = das_ed25519_verify(das_buf_view(&raw), das_buf_view(&c->work), signature, &good,
                                c->err);
    das_buf_clear(&raw);
    return rc < 0 ? -1 : good;
}

static int matches(struct das_hook_call *c, struct das_text digits)
{
    const struct das_hook_list *keys = &c->conf->public_keys;
    struct das_buf raw = {0};
    int found = das_hex_decode(digits, &raw, c->err) < 0 ? -1 : 0;

    for (size_t i = 0; found == 0 && i < keys->count; i++)
        found = matches_key(c, keys->items[i], das_buf_view(&raw));
    das_buf_clear(&raw);
    if (found < 0)
        das_hook_fail(c);
    return found;
}

static bool verify(struct das_hook_call *c, struct das_text *digits)
{
    struct das_text time;
    int good;

    if (!das_hook_header(c, "X-Signature-Ed25519", digits) ||
        !das_hook_header(c, "X-Signature-Timestamp", &time))
        return false;
    if (!das_hook_is_hex(*digits, DIGITS))
        return das_hook_malformed(c, "header X-Signature-Ed25519: not 128 hex digits in lower "
                                     "case");
    if (!das_hook_fresh(c, time, 1000))
        return false;
    das_buf_text(&c->work, time);
    das_buf_text(&c->work, c->request->body);
    if (das_buf_ok(&c->work, c->err) < 0)
        return das_hook_fail(c);
    good = matches(c, *digits);
    return good > 0 || (good == 0 && das_hook_mismatch(c, "the signature is wrong"));
}

static void judge(struct das_hook_call *c, const json_t *body, struct das_text signature)
{
    const json_t *type = json_object_get(body, "type");
    json_int_t n = json_is_integer(type) ? json_integer_value(type) : 0;
    struct das_text name = das_hook_member(json_object_get(body, "data"), "name");

    if (n < 1) {
        das_hook_refuse(c, 400, "body: no type");
    } else if (n == PING) {
        das_buf_str(das_hook_answer(c, false), "{\"type\":1}");
    } else if (das_hook_id_or(c, das_hook_member(body, "id"), signature)) {
        das_hook_event(c, name);
        das_hook_accept(c,
                        n == COMMAND     ? DAS_HOOK_COMMAND
                        : n == COMPONENT ? DAS_HOOK_BUTTON
                                         : DAS_HOOK_EVENT,
                        c->request->body, DAS_HOOK_JSON);
    }
}

void das_hook_discord(struct das_hook_call *c)
{
    struct das_text digits;
    json_t *body;

    if (!verify(c, &digits))
        return;
    body = das_hook_json(c, c->request->body);
    if (body)
        judge(c, body, digits);
    json_decref(body);
}
