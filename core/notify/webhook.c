/*
 * webhook.c - any web server: the message as JSON, signed as Standard Webhooks has it (webhook-id,
 * webhook-timestamp, webhook-signature).
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/notify/kind.h"

static int find_key(const struct das_turn *t, struct das_buf *key, struct das_err *err)
{
    struct das_text secret = t->secrets[DAS_CHANNEL_SECRET];

    if (secret.len > 6 && memcmp(secret.ptr, "whsec_", 6) == 0)
        secret = das_text(secret.ptr + 6, secret.len - 6);
    if (das_base64_decode(DAS_BASE64, false, secret, key, err) < 0 || key->len < 16)
        return das_fail(err, DAS_E_CONFIG,
                        "secret: expected \"whsec_\" and the base64 of at least 16 bytes");
    return das_buf_ok(key, err);
}

/* HMAC-SHA256 of "ID.TIMESTAMP.BODY" */
static int sign(const struct das_turn *t, const char *at, struct das_text body,
                struct das_buf *signature, struct das_err *err)
{
    struct das_buf key = {0}, said = {0};
    struct das_hash_value mac;
    int rc = find_key(t, &key, err);

    das_buf_printf(&said, "%s.%s.", t->id, at);
    das_buf_text(&said, body);
    if (rc == 0)
        rc = das_buf_ok(&said, err);
    if (rc == 0)
        rc = das_hmac(DAS_SHA256, das_buf_view(&key), das_buf_view(&said), &mac, err);
    if (rc == 0) {
        das_buf_str(signature, "v1,");
        das_base64_encode(DAS_BASE64, das_text((const char *)mac.bytes, mac.len), signature);
        rc = das_buf_ok(signature, err);
    }
    if (key.ptr)
        explicit_bzero(key.ptr, key.len);
    das_buf_clear(&key);
    das_buf_clear(&said);
    return rc;
}

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    struct das_notice shown = *t->notice;
    struct das_buf signature = {0};
    char at[24], iso[32];
    int rc;

    snprintf(at, sizeof at, "%lld", (long long)(t->now_ms / 1000));
    das_clock_iso(t->notice->at_ms / 1000, iso, sizeof iso);
    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    das_buf_char(&p->body, '{');
    das_json_key_text(&p->body, "type", das_text_of("das.notice"));
    das_json_key_text(&p->body, "timestamp", das_text_of(iso));
    das_json_key(&p->body, "data");
    if (shown.row_count > (size_t)t->channel->sessions)
        shown.row_count = (size_t)t->channel->sessions; /* session_count has all of them */
    das_notice_write(&shown, &p->body);
    das_buf_char(&p->body, '}');
    rc = das_buf_ok(&p->body, err);
    if (rc == 0)
        rc = sign(t, at, das_buf_view(&p->body), &signature, err);
    if (rc == 0 &&
        (das_post_header(p, "webhook-id", das_text_of(t->id), false, err) < 0 ||
         das_post_header(p, "webhook-timestamp", das_text_of(at), false, err) < 0 ||
         das_post_header(p, "webhook-signature", das_buf_view(&signature), false, err) < 0 ||
         das_post_json(p, err) < 0))
        rc = -1;
    das_buf_clear(&signature);
    return rc;
}

/* 410: whoever listened does so no more. */
static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    (void)t;
    das_read_status(a, v);
}

const struct das_kind das_kind_webhook = {
    .word = "webhook",
    .form = "Standard Webhooks",
    .needs = {"url", "secret"},
    .pace = {20, 100},
    .button_bytes = DAS_NOTICE_VALUE, /* what it makes of them is its affair */
    .make = make,
    .read = read_answer,
};
