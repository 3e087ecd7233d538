/* telegram.c - a Telegram bot: HTML of at most 4096 characters, buttons, edits and answers. */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/notify/kind.h"

#define BASE "https://api.telegram.org"
#define TEXT_MAX 4096
#define VALUE_MAX 64 /* bytes of callback_data */

static void put_buttons(const struct das_notice *n, struct das_buf *b)
{
    das_json_key(b, "reply_markup");
    das_buf_str(b, "{\"inline_keyboard\":[[");
    for (size_t i = 0; i < n->button_count; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_put_text(b, "text", n->buttons[i].label, DAS_MARKUP_NONE, DAS_UNIT_CHARS, 60, false);
        das_json_key_text(b, "callback_data", n->buttons[i].value);
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]]}");
}

/* The token is part of the path: it never shows in what das says. */
static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const struct das_style style = {.bold = "<b>",
                                    .bold_end = "</b>",
                                    .code = "<pre>",
                                    .code_end = "</pre>",
                                    .link = "<a href=\"",
                                    .link_end = "\">more</a>",
                                    .title = true,
                                    .rows = (size_t)t->channel->sessions};
    struct das_buf *b = &p->body;

    das_turn_url(t, BASE, "/bot", &p->url);
    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_TOKEN]);
    das_buf_str(&p->url, t->ref ? "/editMessageText" : "/sendMessage");
    das_buf_char(b, '{');
    das_json_key_text(b, "chat_id", das_text_of(t->channel->texts[DAS_CHANNEL_CHANNEL]));
    das_put_page(b, "text", t, DAS_MARKUP_HTML, DAS_UNIT_UTF16, TEXT_MAX, &style);
    das_json_key_text(b, "parse_mode", das_text_of("HTML"));
    das_json_key(b, "link_preview_options");
    das_buf_str(b, "{\"is_disabled\":true}");
    if (t->ref) {
        das_json_key(b, "message_id");
        das_buf_str(b, t->ref);
    } else if (t->thread) {
        das_json_key(b, "reply_parameters");
        das_buf_printf(b, "{\"message_id\":%s,\"allow_sending_without_reply\":true}", t->thread);
    }
    if (t->notice->button_count)
        put_buttons(t->notice, b);
    das_buf_char(b, '}');
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    const json_t *after = json_object_get(json_object_get(a->json, "parameters"), "retry_after"),
                 *id = json_object_get(json_object_get(a->json, "result"), "message_id");
    char number[24], code[24];
    struct das_text words = das_answer_text(a->json, "description", number);

    if (!das_read_status(a, v)) {
        if (json_is_integer(id))
            snprintf(v->ref, sizeof v->ref, "%lld", (long long)json_integer_value(id));
        return;
    }
    if (v->kind == DAS_LATER && json_is_integer(after) && json_integer_value(after) >= 0 &&
        json_integer_value(after) <= 3600)
        v->after_ms = json_integer_value(after) * 1000;
    /* what an attempt before this one has done already */
    if (t->ref && a->status == 400 && words.len &&
        memmem(words.ptr, words.len, "not modified", 12)) {
        das_verdict(v, DAS_SENT, "", das_text_of(""));
        snprintf(v->ref, sizeof v->ref, "%s", t->ref);
        return;
    }
    snprintf(code, sizeof code, "%d", a->status);
    if (a->json)
        das_verdict(v, v->kind, code, words);
}

const struct das_kind das_kind_telegram = {
    .word = "telegram",
    .form = "bot",
    .needs = {"token", "channel"},
    .takes = {"endpoint"},
    .pace = {5, 4000}, /* 20 a minute in a group */
    .edits = true,
    .button_bytes = VALUE_MAX,
    .make = make,
    .read = read_answer,
};
