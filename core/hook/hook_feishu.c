/*
 * hook_feishu.c - Feishu and Lark: events and card callbacks under the Encrypt Key (a plain SHA-256
 * of time, nonce, key and body), and card callbacks of the old kind (SHA-1 with the Verification
 * Token). See hook_impl.h.
 *
 * The one thing that comes unsigned is the question whether we are who was configured: it is
 * answered where it brings the Verification Token, and nothing else is done.
 */
#include "core/hook/hook_impl.h"

#include "core/base/json.h"

#define IV ((size_t)16)
#define NONCE_MAX 128

/* --- what both kinds share -------------------------------------------------------------------- */

struct proof {
    struct das_text time, nonce, digits;
};

/* The three headers, of which all or none are there: *there. */
static bool take(struct das_hook_call *c, struct proof *p, bool *there)
{
    if (!das_hook_header_maybe(c, "X-Lark-Signature", &p->digits) ||
        !das_hook_header_maybe(c, "X-Lark-Request-Timestamp", &p->time) ||
        !das_hook_header_maybe(c, "X-Lark-Request-Nonce", &p->nonce))
        return false;
    *there = p->digits.ptr || p->time.ptr || p->nonce.ptr;
    if (!*there)
        return true;
    if (!p->digits.ptr || !p->time.ptr || !p->nonce.ptr || p->nonce.len > NONCE_MAX)
        return das_hook_malformed(c, "headers X-Lark-*: not all of them, or too long");
    return true;
}

/* 1: the hash with one of the keys is the one given; 0; -1. */
static int matches(struct das_hook_call *c, const struct proof *p, enum das_hash kind,
                   const struct das_hook_list *keys)
{
    int found = 0;

    for (size_t i = 0; i < keys->count; i++) {
        int rc;
        das_buf_reset(&c->work);
        das_buf_text(&c->work, p->time);
        das_buf_text(&c->work, p->nonce);
        das_buf_text(&c->work, keys->items[i]);
        das_buf_text(&c->work, c->request->body);
        if (das_buf_ok(&c->work, c->err) < 0) {
            das_hook_fail(c);
            return -1;
        }
        rc = das_hook_hash_hex(c, kind, das_buf_view(&c->work), p->digits);
        if (rc < 0)
            return -1;
        found |= rc;
    }
    return found;
}

static bool is_signed(struct das_hook_call *c, const struct proof *p, enum das_hash kind,
                      const struct das_hook_list *keys)
{
    int good;

    if (!das_hook_is_hex(p->digits, kind == DAS_SHA1 ? DAS_HOOK_SHA1_HEX : DAS_HOOK_SHA256_HEX))
        return das_hook_malformed(c, "header X-Lark-Signature: not as many hex digits in lower "
                                     "case as expected");
    if (!das_hook_fresh(c, p->time, 1000))
        return false;
    good = matches(c, p, kind, keys);
    return good > 0 || (good == 0 && das_hook_mismatch(c, "the signature is wrong"));
}

/* p NULL: unsigned, so at the most a question, which is short. */
static bool may_read(struct das_hook_call *c, const struct proof *p, enum das_hash kind,
                     const struct das_hook_list *keys)
{
    if (p)
        return is_signed(c, p, kind, keys);
    return c->request->body.len <= DAS_HOOK_UNSURE_MAX ||
           das_hook_malformed(c, "header X-Lark-Signature: it is missing");
}

static bool is_question(const json_t *body)
{
    return das_text_is(das_hook_member(body, "type"), "url_verification");
}

static bool knows_token(struct das_hook_call *c, struct das_text token)
{
    return (token.len && das_hook_one_of(&c->conf->tokens, token)) ||
           das_hook_mismatch(c, "body: the verification token is wrong");
}

static void answer_question(struct das_hook_call *c, const json_t *body)
{
    struct das_text challenge = das_hook_member(body, "challenge");
    struct das_buf *answer;

    if (!knows_token(c, das_hook_member(body, "token")))
        return;
    if (!challenge.len) {
        das_hook_refuse(c, 400, "a url_verification without a challenge");
        return;
    }
    answer = das_hook_answer(c, false);
    das_buf_char(answer, '{');
    das_json_key_text(answer, "challenge", challenge);
    das_buf_char(answer, '}');
}

/* --- encrypted bodies ------------------------------------------------------------------------- */

/* Appends to out->bytes. 1, 0: not with this key, -1. */
static int decrypt_with(struct das_hook_call *c, struct das_text key, struct das_text blob)
{
    struct das_hash_value h;
    int rc = das_hash(DAS_SHA256, key, &h, c->err);

    if (rc == 0) {
        das_buf_reset(&c->out->bytes);
        rc = das_aes_cbc_decrypt(das_text((const char *)h.bytes, h.len), das_text(blob.ptr, IV),
                                 das_text(blob.ptr + IV, blob.len - IV), DAS_PAD_PKCS7,
                                 &c->out->bytes, c->err);
    }
    explicit_bzero(&h, sizeof h);
    return rc == 0 ? 1 : c->err->code == DAS_E_DATA ? 0 : -1;
}

/* Is that the beginning of an object? With a wrong key the padding is right now and then. */
static bool looks_like_json(struct das_text t)
{
    t = das_text_trim(t);
    return t.len && t.ptr[0] == '{' && das_utf8_valid(t);
}

static json_t *decrypt(struct das_hook_call *c, struct das_text encrypted)
{
    struct das_buf blob = {0};
    json_t *json = NULL;
    int rc = das_base64_decode(DAS_BASE64, true, encrypted, &blob, c->err);

    if (rc < 0 && c->err->code == DAS_E_DATA)
        das_hook_refuse(c, 400, "body: encrypt: not base64");
    else if (rc == 0 && (blob.len < 2 * IV || blob.len % IV))
        das_hook_refuse(c, 400, "body: encrypt: not whole blocks");
    else if (rc == 0)
        rc = 1;
    for (size_t i = 0; rc == 1 && i < c->conf->encrypt_keys.count; i++) {
        int got = decrypt_with(c, c->conf->encrypt_keys.items[i], das_buf_view(&blob));
        if (got < 0)
            rc = -1;
        else if (got && looks_like_json(das_buf_view(&c->out->bytes)))
            rc = 2;
    }
    if (rc == 1)
        das_hook_mismatch(c, "body: encrypt: not with the key that we have");
    if (rc < 0 && c->err->code != DAS_E_DATA)
        das_hook_fail(c);
    if (rc == 2)
        json = das_hook_json(c, das_buf_view(&c->out->bytes));
    das_buf_clear(&blob);
    return json;
}

/* The event itself: with an Encrypt Key it always comes encrypted. */
static json_t *open_body(struct das_hook_call *c)
{
    json_t *outer = das_hook_json(c, c->request->body), *inner;
    struct das_text encrypted = das_hook_member(outer, "encrypt");

    if (!outer)
        return NULL;
    inner = encrypted.len ? decrypt(c, encrypted) : NULL;
    if (!encrypted.len)
        das_hook_refuse(c, 400, "body: it is not encrypted");
    json_decref(outer);
    return inner;
}

/* --- events ----------------------------------------------------------------------------------- */

static void event(struct das_hook_call *c, const json_t *body, struct das_text signature)
{
    const json_t *header = json_object_get(body, "header"), *old = json_object_get(body, "event");
    bool second = json_is_object(header); /* version of the form */
    struct das_text type = das_hook_member(second ? header : old, second ? "event_type" : "type");

    if (!knows_token(c, das_hook_member(second ? header : body, "token")) ||
        !das_hook_id_or(c, das_hook_member(second ? header : body, second ? "event_id" : "uuid"),
                        signature))
        return;
    das_hook_event(c, type);
    das_hook_accept(c,
                    das_text_is(type, "card.action.trigger") ? DAS_HOOK_BUTTON
                    : das_text_is(type, "im.message.receive_v1") || das_text_is(type, "message")
                        ? DAS_HOOK_MESSAGE
                        : DAS_HOOK_EVENT,
                    das_buf_view(&c->out->bytes), DAS_HOOK_JSON);
}

void das_hook_feishu(struct das_hook_call *c)
{
    struct proof p;
    bool signed_ = false;
    json_t *body;

    if (!take(c, &p, &signed_) ||
        !may_read(c, signed_ ? &p : NULL, DAS_SHA256, &c->conf->encrypt_keys))
        return;
    body = open_body(c);
    if (!body) {
        /* unsigned, anybody may try: whether a padding was right is only for the log */
        if (!signed_)
            c->out->status = c->info->malformed;
        return;
    }
    if (is_question(body))
        answer_question(c, body);
    else if (!signed_)
        das_hook_malformed(c, "header X-Lark-Signature: it is missing");
    else
        event(c, body, p.digits);
    json_decref(body);
}

/* --- cards of the old kind -------------------------------------------------------------------- */

/* The callback's token is drawn for each press. */
static void card(struct das_hook_call *c, const json_t *body, struct das_text signature)
{
    const json_t *action = json_object_get(body, "action");

    if (!json_is_object(action)) {
        das_hook_refuse(c, 400, "body: no action");
        return;
    }
    if (!das_hook_id_or(c, das_hook_member(body, "token"), signature))
        return;
    das_hook_event(c, das_hook_member(action, "tag"));
    das_hook_accept(c, DAS_HOOK_BUTTON, c->request->body, DAS_HOOK_JSON);
}

void das_hook_feishu_card(struct das_hook_call *c)
{
    struct proof p;
    bool signed_ = false;
    json_t *body;

    if (!take(c, &p, &signed_) || !may_read(c, signed_ ? &p : NULL, DAS_SHA1, &c->conf->tokens))
        return;
    body = das_hook_json(c, c->request->body);
    if (!body)
        return;
    if (is_question(body))
        answer_question(c, body);
    else if (!signed_)
        das_hook_malformed(c, "header X-Lark-Signature: it is missing");
    else
        card(c, body, p.digits);
    json_decref(body);
}
