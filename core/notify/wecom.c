/* wecom.c - a WeCom group robot: its Markdown has at most 4096 bytes, its text 2048. */
#include <stdio.h>

#include "core/base/json.h"
#include "core/notify/kind.h"

#define MARKDOWN_MAX 4096

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const struct das_style style = {.bold = "**",
                                    .bold_end = "**",
                                    .link = "[more](",
                                    .link_end = ")",
                                    .title = true,
                                    .apart = true,
                                    .rows = (size_t)t->channel->sessions};
    struct das_buf text = {0}, *b = &p->body;
    struct das_page page;

    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    das_page_init(&page, &text, DAS_MARKUP_APART, DAS_UNIT_BYTES, MARKDOWN_MAX);
    das_page_compose(&page, t->notice, &style);
    das_buf_char(b, '{');
    das_json_key_text(b, "msgtype", das_text_of("markdown"));
    das_json_key(b, "markdown");
    das_buf_char(b, '{');
    das_json_key_text(b, "content", das_buf_view(&text));
    das_buf_str(b, "}}");
    b->failed |= text.failed;
    das_buf_clear(&text);
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    const json_t *number = json_object_get(a->json, "errcode");
    json_int_t n = json_integer_value(number);
    char code[24], ignored[24];

    (void)t;
    if (das_read_status(a, v) || (json_is_integer(number) && n == 0))
        return;
    if (!json_is_integer(number)) {
        das_verdict(v, DAS_LATER, "", das_text_of("no answer of WeCom's"));
        return;
    }
    snprintf(code, sizeof code, "%lld", (long long)n);
    if (n == 45009 || n == 45033) /* too often, or too many at once */
        v->after_ms = 60000;
    das_verdict(v, n == 45009 || n == 45033 || n == -1 ? DAS_LATER : DAS_REFUSED, code,
                das_answer_text(a->json, "errmsg", ignored));
}

const struct das_kind das_kind_wecom = {
    .word = "wecom",
    .form = "group robot",
    .needs = {"url"},
    .pace = {5, 4000}, /* 20 a minute */
    .make = make,
    .read = read_answer,
};
