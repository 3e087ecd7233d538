/* discord.c - a Discord webhook: an embed, with all mentions switched off; can be edited. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/notify/kind.h"

/* Characters; all of an embed's texts together may have 6000, a description 4096. */
#define TITLE_MAX 250
#define TEXT_MAX 3500
#define FIELDS_MAX 10
#define FIELD_MAX 150

static void put_fields(const struct das_notice *n, struct das_buf *b)
{
    das_json_key(b, "fields");
    das_buf_char(b, '[');
    for (size_t i = 0; i < n->field_count && i < FIELDS_MAX; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_put_text(b, "name", n->fields[i].name, DAS_MARKUP_BACKSLASH, DAS_UNIT_UTF16, 60, false);
        das_put_text(b, "value", n->fields[i].value.len ? n->fields[i].value : das_text_of("-"),
                     DAS_MARKUP_BACKSLASH, DAS_UNIT_UTF16, FIELD_MAX, false);
        das_json_key_bool(b, "inline", true);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
}

static void put_embed(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    const struct das_style style = {.bold = "",
                                    .bold_end = "",
                                    .code = "```\n",
                                    .code_end = "\n```",
                                    .no_fields = true, /* they have their own place */
                                    .rows = (size_t)t->channel->sessions};

    das_buf_char(b, '{');
    if (n->title.len)
        das_put_title(b, "title", n, DAS_MARKUP_BACKSLASH, DAS_UNIT_UTF16, TITLE_MAX);
    if (n->link.len)
        das_json_key_text(b, "url", n->link);
    das_put_page(b, "description", t, DAS_MARKUP_BACKSLASH, DAS_UNIT_UTF16, TEXT_MAX, &style);
    das_json_key_int(b, "color", strtol(das_notice_color(n) + 1, NULL, 16));
    if (n->field_count)
        put_fields(n, b);
    das_buf_char(b, '}');
}

/* url is ".../webhooks/ID/TOKEN", perhaps with a query. */
static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    struct das_text url = t->secrets[DAS_CHANNEL_URL];
    const char *query = memchr(url.ptr, '?', url.len);
    size_t path = query ? (size_t)(query - url.ptr) : url.len;

    das_buf_add(&p->url, url.ptr, path);
    if (t->ref) {
        p->method = "PATCH";
        das_buf_printf(&p->url, "/messages/%s", t->ref);
    }
    if (query)
        das_buf_add(&p->url, query, url.len - path);
    if (!t->ref)
        das_buf_str(&p->url, query ? "&wait=true" : "?wait=true");
    das_buf_str(&p->body, "{\"allowed_mentions\":{\"parse\":[]},\"embeds\":[");
    put_embed(t, &p->body);
    das_buf_str(&p->body, "]}");
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    const json_t *after = json_object_get(a->json, "retry_after");
    char number[24];

    (void)t;
    if (!das_read_status(a, v)) {
        das_take_ref(v, das_answer_text(a->json, "id", number));
        return;
    }
    if (v->kind == DAS_LATER && json_is_number(after) && json_number_value(after) >= 0 &&
        json_number_value(after) < 3600)
        v->after_ms = (int64_t)(json_number_value(after) * 1000) + 1;
    if (a->json && v->kind == DAS_REFUSED) {
        struct das_text words = das_answer_text(a->json, "message", number);
        char code[24], ignored[24];
        struct das_text c = das_answer_text(a->json, "code", ignored);
        snprintf(code, sizeof code, "%.*s", (int)(c.len < 23 ? c.len : 23), c.ptr);
        if (c.len)
            das_verdict(v, DAS_REFUSED, code, words);
    }
}

const struct das_kind das_kind_discord = {
    .word = "discord",
    .form = "webhook",
    .needs = {"url"},
    .pace = {5, 2500}, /* 30 a minute in a channel */
    .edits = true,
    .make = make,
    .read = read_answer,
};
