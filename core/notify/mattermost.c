/* mattermost.c - a Mattermost incoming webhook: one attachment; buttons call an address of das's.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/notify/kind.h"

#define TEXT_MAX 6000 /* characters; a post has at most 16,383 */
#define FIELDS_MAX 20
#define FIELD_MAX 200

static void put_fields(const struct das_notice *n, struct das_buf *b)
{
    das_json_key(b, "fields");
    das_buf_char(b, '[');
    for (size_t i = 0; i < n->field_count && i < FIELDS_MAX; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_bool(b, "short", true);
        das_put_text(b, "title", n->fields[i].name, DAS_MARKUP_BACKSLASH, DAS_UNIT_CHARS, 60,
                     false);
        das_put_text(b, "value", n->fields[i].value, DAS_MARKUP_BACKSLASH, DAS_UNIT_CHARS,
                     FIELD_MAX, false);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
}

/* Mattermost signs no clicks: what das puts in comes back, and das serve looks at it. */
static void put_sign(const struct das_turn *t, struct das_text value, struct das_buf *b)
{
    struct das_buf said = {0}, hex = {0};
    struct das_hash_value h;
    struct das_err err;

    das_buf_str(&said, "das.button:");
    das_buf_text(&said, value);
    if (das_buf_ok(&said, &err) == 0 &&
        das_hmac(DAS_SHA256, t->secrets[DAS_CHANNEL_SECRET], das_buf_view(&said), &h, &err) == 0) {
        das_hex_encode(das_text((const char *)h.bytes, h.len), &hex);
        das_json_key_text(b, "sign", das_buf_view(&hex));
    } else {
        b->failed = true;
    }
    b->failed |= hex.failed;
    das_buf_clear(&said);
    das_buf_clear(&hex);
}

static void put_actions(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;

    das_json_key(b, "actions");
    das_buf_char(b, '[');
    for (size_t i = 0; i < n->button_count; i++) {
        char id[24];
        snprintf(id, sizeof id, "das%zu", i);
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_text(b, "id", das_text_of(id));
        das_put_text(b, "name", n->buttons[i].label, DAS_MARKUP_NONE, DAS_UNIT_CHARS, 60, false);
        das_json_key_text(b, "style", das_text_of(n->buttons[i].danger ? "danger" : "primary"));
        das_json_key(b, "integration");
        das_buf_char(b, '{');
        das_json_key_text(b, "url", das_text_of(t->channel->texts[DAS_CHANNEL_CALLBACK]));
        das_json_key(b, "context");
        das_buf_char(b, '{');
        das_json_key_text(b, "value", n->buttons[i].value);
        if (t->secrets[DAS_CHANNEL_SECRET].ptr)
            put_sign(t, n->buttons[i].value, b);
        das_buf_str(b, "}}}");
    }
    das_buf_char(b, ']');
}

static void put_attachment(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    const struct das_style style = {.bold = "",
                                    .bold_end = "",
                                    .code = "```\n",
                                    .code_end = "\n```",
                                    .no_fields = true, /* they have their own place */
                                    .rows = (size_t)t->channel->sessions};

    das_buf_char(b, '{');
    das_put_title(b, "fallback", n, DAS_MARKUP_BACKSLASH, DAS_UNIT_CHARS, 300);
    das_json_key_text(b, "color", das_text_of(das_notice_color(n)));
    if (n->title.len)
        das_put_title(b, "title", n, DAS_MARKUP_BACKSLASH, DAS_UNIT_CHARS, 300);
    if (n->link.len)
        das_json_key_text(b, "title_link", n->link);
    das_put_page(b, "text", t, DAS_MARKUP_BACKSLASH, DAS_UNIT_CHARS, TEXT_MAX, &style);
    if (n->field_count)
        put_fields(n, b);
    if (n->button_count)
        put_actions(t, b);
    das_buf_char(b, '}');
}

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const char *channel = t->channel->texts[DAS_CHANNEL_CHANNEL];

    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    das_buf_char(&p->body, '{');
    if (channel)
        das_json_key_text(&p->body, "channel", das_text_of(channel));
    das_json_key(&p->body, "attachments");
    das_buf_char(&p->body, '[');
    put_attachment(t, &p->body);
    das_buf_str(&p->body, "]}");
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    char number[24], code[64];

    (void)t;
    if (das_read_status(a, v) && a->json) {
        struct das_text words = das_answer_text(a->json, "message", number);
        snprintf(code, sizeof code, "%s", v->code);
        das_verdict(v, v->kind, code, words);
    }
}

const struct das_kind das_kind_mattermost = {
    .word = "mattermost",
    .form = "incoming webhook",
    .needs = {"url"},
    .takes = {"channel", "callback", "secret"},
    .pace = {10, 500},
    .button_bytes = DAS_NOTICE_VALUE,
    .make = make,
    .read = read_answer,
};
