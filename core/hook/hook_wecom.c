/*
 * hook_wecom.c - WeCom: callbacks of an app, XML in an encrypted envelope, signed in the query with
 * the SHA-1 of four strings in order. See hook_impl.h.
 *
 * The four are hashed without anything between them, so bytes could wander from one to the other:
 * the time has to be near, the nonce is short and plain, and the receive id at the end of what is
 * encrypted has to be ours.
 */
#include "core/hook/hook_impl.h"

#define NONCE_MAX 64
#define HEAD ((size_t)20) /* 16 random bytes and the length */
#define KEY ((size_t)32)
#define IV ((size_t)16)
#define BLOCK ((size_t)32)

struct envelope {
    struct das_text time, nonce, signature, encrypted;
};

const char *das_hook_check_aes_key(struct das_text key)
{
    struct das_buf b = {0};
    struct das_err err;
    bool good =
        key.len == 43 && das_base64_decode(DAS_BASE64, false, key, &b, &err) == 0 && b.len == KEY;

    if (b.ptr)
        explicit_bzero(b.ptr, b.cap);
    das_buf_clear(&b);
    return good ? NULL : "expected an EncodingAESKey: 43 letters and digits";
}

/* --- the signature ---------------------------------------------------------------------------- */

static bool is_plain(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char ch = (unsigned char)t.ptr[i];
        if (!das_is_digit(ch) && !(das_lower(ch) >= 'a' && das_lower(ch) <= 'z'))
            return false;
    }
    return t.len > 0 && t.len <= NONCE_MAX;
}

static bool take_query(struct das_hook_call *c, const struct das_sign_target *t, bool echo,
                       struct envelope *e)
{
    int a = das_hook_form_get(t, "msg_signature", &e->signature);
    int b = das_hook_form_get(t, "timestamp", &e->time);
    int d = das_hook_form_get(t, "nonce", &e->nonce);

    if (a != 1 || b != 1 || d != 1 || (echo && das_hook_form_get(t, "echostr", &e->encrypted) != 1))
        return das_hook_malformed(c, "query: expected msg_signature, timestamp and nonce (and "
                                     "echostr of a GET), each once");
    if (!das_hook_is_hex(e->signature, DAS_HOOK_SHA1_HEX))
        return das_hook_malformed(c, "query: msg_signature: not 40 hex digits in lower case");
    if (!is_plain(e->nonce))
        return das_hook_malformed(c, "query: nonce: not a short one of letters and digits");
    return das_hook_fresh(c, e->time, 1000);
}

static int order(struct das_text a, struct das_text b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int rc = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return rc ? rc : (a.len > b.len) - (a.len < b.len);
}

static int matches(struct das_hook_call *c, const struct envelope *e, struct das_text token)
{
    struct das_text parts[4] = {token, e->time, e->nonce, e->encrypted};
    int rc;

    for (size_t i = 1; i < 4; i++) {
        for (size_t k = i; k > 0 && order(parts[k], parts[k - 1]) < 0; k--) {
            struct das_text was = parts[k];
            parts[k] = parts[k - 1];
            parts[k - 1] = was;
        }
    }
    das_buf_reset(&c->work);
    for (size_t i = 0; i < 4; i++)
        das_buf_text(&c->work, parts[i]);
    rc = das_buf_ok(&c->work, c->err);
    if (rc < 0)
        das_hook_fail(c);
    return rc < 0 ? -1 : das_hook_hash_hex(c, DAS_SHA1, das_buf_view(&c->work), e->signature);
}

static bool verify(struct das_hook_call *c, const struct envelope *e)
{
    int found = 0;

    for (size_t i = 0; i < c->conf->tokens.count; i++) {
        int rc = matches(c, e, c->conf->tokens.items[i]);
        if (rc < 0)
            return false;
        found |= rc;
    }
    return found || das_hook_mismatch(c, "the signature is wrong");
}

/* --- what is encrypted ------------------------------------------------------------------------ */

static uint32_t big_endian(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* The message in what was decrypted, when it is for us. */
static bool message_of(const struct das_hook_call *c, struct das_text plain, struct das_text *out)
{
    size_t len;

    if (plain.len < HEAD)
        return false;
    len = big_endian(plain.ptr + IV);
    if (len > plain.len - HEAD)
        return false;
    *out = das_text(plain.ptr + HEAD, len);
    return das_bytes_equal(das_text(out->ptr + len, plain.len - HEAD - len), c->conf->receive_id);
}

/* 1: *out is in out->bytes; 0: not with this key, or not for us; -1. */
static int decrypt_with(struct das_hook_call *c, struct das_text key, struct das_text blob,
                        struct das_text *out)
{
    struct das_buf k = {0};
    int rc = das_base64_decode(DAS_BASE64, false, key, &k, c->err);

    if (rc == 0) {
        das_buf_reset(&c->out->bytes);
        rc = das_aes_cbc_decrypt(das_buf_view(&k), das_text(k.ptr, IV), blob, DAS_PAD_PKCS7_32,
                                 &c->out->bytes, c->err);
    }
    if (k.ptr)
        explicit_bzero(k.ptr, k.cap);
    das_buf_clear(&k);
    if (rc < 0)
        return c->err->code == DAS_E_DATA ? 0 : -1;
    return message_of(c, das_buf_view(&c->out->bytes), out);
}

static bool decrypt(struct das_hook_call *c, struct das_text encrypted, struct das_text *out)
{
    struct das_buf blob = {0};
    int rc = das_base64_decode(DAS_BASE64, true, encrypted, &blob, c->err);

    if (rc < 0 && c->err->code == DAS_E_DATA)
        das_hook_refuse(c, 400, "what is encrypted is not base64");
    else if (rc == 0 && (!blob.len || blob.len % BLOCK))
        das_hook_refuse(c, 400, "what is encrypted is not whole blocks");
    else if (rc == 0)
        rc = 1;
    for (size_t i = 0; rc == 1 && i < c->conf->encrypt_keys.count; i++) {
        int got = decrypt_with(c, c->conf->encrypt_keys.items[i], das_buf_view(&blob), out);
        rc = got < 0 ? -1 : got ? 2 : 1;
    }
    if (rc == 1)
        das_hook_mismatch(c, "what is encrypted is not with our key, or not for our receive id");
    if (rc < 0 && c->err->code != DAS_E_DATA)
        das_hook_fail(c);
    das_buf_clear(&blob);
    return rc == 2;
}

/* --- requests --------------------------------------------------------------------------------- */

/* A delivery that was not answered comes again, encrypted anew: what tells it is inside. */
static void accept(struct das_hook_call *c, struct das_text message)
{
    struct das_text id, type, event;

    if (das_hook_xml_get(message, "MsgType", &type) != 1 ||
        das_hook_xml_get(message, "MsgId", &id) < 0 ||
        das_hook_xml_get(message, "Event", &event) < 0) {
        das_hook_refuse(c, 400, "body: not a message of WeCom");
        return;
    }
    if (!(id.len ? das_hook_id(c, id) : das_hook_id_of(c, &message, 1)))
        return;
    das_hook_event(c, event.len ? event : type);
    das_hook_accept(c,
                    das_text_is(event, "template_card_event") ? DAS_HOOK_BUTTON
                    : das_text_is(type, "event")              ? DAS_HOOK_EVENT
                                                              : DAS_HOOK_MESSAGE,
                    message, DAS_HOOK_XML);
}

static void judge(struct das_hook_call *c, const struct das_sign_target *t)
{
    bool echo = das_text_is(c->request->method, "GET");
    struct envelope e;
    struct das_text message;

    if (!take_query(c, t, echo, &e))
        return;
    if (!echo && das_hook_xml_get(c->request->body, "Encrypt", &e.encrypted) != 1) {
        das_hook_refuse(c, 400, "body: no XML with one Encrypt");
        return;
    }
    if (!verify(c, &e) || !decrypt(c, e.encrypted, &message))
        return;
    if (echo)
        das_buf_text(das_hook_answer(c, true), message);
    else
        accept(c, message);
}

void das_hook_wecom(struct das_hook_call *c)
{
    struct das_text target = c->request->target;
    const char *query = target.len ? memchr(target.ptr, '?', target.len) : NULL;
    struct das_sign_target t = {0};

    if (query)
        target = das_text(query + 1, target.len - (size_t)(query + 1 - target.ptr));
    else
        target.len = 0;
    if (das_hook_form_read(target, &t, c->err) == 0)
        judge(c, &t);
    else if (c->err->code == DAS_E_NOMEM)
        das_hook_fail(c);
    else
        das_hook_malformed(c, "query: it cannot be read");
    das_sign_target_clear(&t);
}
