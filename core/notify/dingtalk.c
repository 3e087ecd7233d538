/*
 * dingtalk.c - a DingTalk custom robot: a URL, signed when the robot wants it.
 *
 * Its Markdown knows no escapes for certain, so marks are kept apart from what would make them
 * some.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/notify/kind.h"

#define TEXT_MAX 8000 /* bytes of JSON; 20,000 are allowed for the whole */

/* The key is the secret, the message "TIMESTAMP\nSECRET"; milliseconds. */
static int sign(const struct das_turn *t, struct das_buf *url, struct das_err *err)
{
    struct das_text secret = t->secrets[DAS_CHANNEL_SECRET];
    struct das_buf said = {0}, text = {0};
    struct das_hash_value mac;
    int rc;

    das_buf_printf(&said, "%lld\n", (long long)t->now_ms);
    das_buf_text(&said, secret);
    rc = das_buf_ok(&said, err);
    if (rc == 0)
        rc = das_hmac(DAS_SHA256, secret, das_buf_view(&said), &mac, err);
    if (rc == 0) {
        das_base64_encode(DAS_BASE64, das_text((const char *)mac.bytes, mac.len), &text);
        das_buf_printf(url, "&timestamp=%lld&sign=", (long long)t->now_ms);
        for (size_t i = 0; i < text.len; i++) {
            char c = text.ptr[i];
            if (c == '+' || c == '/' || c == '=')
                das_buf_printf(url, "%%%02X", (unsigned)c);
            else
                das_buf_char(url, c);
        }
        rc = das_buf_ok(&text, err);
    }
    if (said.ptr)
        explicit_bzero(said.ptr, said.len);
    das_buf_clear(&said);
    das_buf_clear(&text);
    return rc;
}

/* A line break of Markdown is an empty line. */
static void put_markdown(const struct das_turn *t, struct das_buf *b)
{
    const struct das_style style = {.bold = "**",
                                    .bold_end = "**",
                                    .link = "[more](",
                                    .link_end = ")",
                                    .title = true,
                                    .apart = true,
                                    .rows = (size_t)t->channel->sessions};
    struct das_buf text = {0}, lines = {0};
    struct das_page p;

    das_page_init(&p, &text, DAS_MARKUP_APART, DAS_UNIT_JSON, TEXT_MAX);
    das_page_compose(&p, t->notice, &style);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n')
            das_buf_char(&lines, '\n');
        das_buf_char(&lines, text.ptr[i]);
    }
    das_json_key_text(b, "text", das_buf_view(&lines));
    b->failed |= text.failed || lines.failed;
    das_buf_clear(&text);
    das_buf_clear(&lines);
}

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    struct das_buf *b = &p->body;

    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    if (t->secrets[DAS_CHANNEL_SECRET].ptr && sign(t, &p->url, err) < 0)
        return -1;
    das_buf_char(b, '{');
    das_json_key_text(b, "msgtype", das_text_of("markdown"));
    das_json_key(b, "markdown");
    das_buf_char(b, '{');
    das_put_title(b, "title", t->notice, DAS_MARKUP_NONE, DAS_UNIT_CHARS, 60);
    put_markdown(t, b);
    das_buf_str(b, "},\"at\":{\"isAtAll\":false}}");
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    static const json_int_t busy[] = {130101, 90018}; /* too fast: it takes nothing for ten minutes */

    (void)t;
    das_read_errcode(a, busy, 600000, v);
}

const struct das_kind das_kind_dingtalk = {
    .word = "dingtalk",
    .form = "custom robot",
    .needs = {"url"},
    .takes = {"secret"},
    .pace = {5, 4000}, /* 20 a minute: more, and it takes none for ten */
    .make = make,
    .read = read_answer,
};
