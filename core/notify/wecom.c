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
    struct das_buf *b = &p->body;

    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    das_buf_char(b, '{');
    das_json_key_text(b, "msgtype", das_text_of("markdown"));
    das_json_key(b, "markdown");
    das_buf_char(b, '{');
    das_put_page(b, "content", t, DAS_MARKUP_APART, DAS_UNIT_BYTES, MARKDOWN_MAX, &style);
    das_buf_str(b, "}}");
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    static const json_int_t busy[] = {45009, 45033}; /* too often, or too many at once */

    (void)t;
    das_read_errcode(a, busy, 60000, v);
}

const struct das_kind das_kind_wecom = {
    .word = "wecom",
    .form = "group robot",
    .needs = {"url"},
    .pace = {5, 4000}, /* 20 a minute */
    .make = make,
    .read = read_answer,
};
