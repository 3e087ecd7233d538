/*
 * teams.c - a Microsoft Teams workflow ("when a webhook request is received"): an Adaptive Card.
 *
 * TextBlocks and facts are Markdown there; a TextRun is not, so all texts are TextRuns.
 */
#include <stdio.h>

#include "core/base/json.h"
#include "core/notify/kind.h"

/* Bytes of JSON; the whole may have about 28 KB. */
#define TITLE_MAX 300
#define TEXT_MAX 8000
#define TABLE_MAX 8000
#define FIELDS_MAX 20
#define FIELD_MAX 300

static void begin_block(struct das_buf *b)
{
    das_json_comma(b);
    das_buf_str(b, "{\"type\":\"RichTextBlock\",\"inlines\":[");
}

static void begin_run(struct das_buf *b)
{
    das_json_comma(b);
    das_buf_str(b, "{\"type\":\"TextRun\"");
}

static void put_fields(const struct das_notice *n, struct das_buf *b)
{
    for (size_t i = 0; i < n->field_count && i < FIELDS_MAX; i++) {
        struct das_buf name = {0};
        das_buf_text(&name, n->fields[i].name);
        das_buf_str(&name, ": ");
        begin_block(b);
        begin_run(b);
        das_put_text(b, "text", das_buf_view(&name), DAS_MARKUP_NONE, DAS_UNIT_JSON, FIELD_MAX / 4,
                     false);
        das_buf_str(b, ",\"weight\":\"Bolder\"}");
        begin_run(b);
        das_put_text(b, "text", n->fields[i].value, DAS_MARKUP_NONE, DAS_UNIT_JSON, FIELD_MAX,
                     false);
        das_buf_str(b, "}]}");
        b->failed |= name.failed;
        das_buf_clear(&name);
    }
}

static void put_sessions(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    struct das_buf text = {0};
    struct das_page p;
    size_t shown;

    das_page_init(&p, &text, DAS_MARKUP_NONE, DAS_UNIT_JSON, TABLE_MAX);
    shown = das_page_table(&p, n, (size_t)t->channel->sessions);
    if (shown) {
        begin_block(b);
        begin_run(b);
        das_json_key_text(b, "text", das_buf_view(&text));
        das_buf_str(b, ",\"fontType\":\"Monospace\",\"size\":\"Small\"}]}");
    }
    das_buf_reset(&text);
    das_page_init(&p, &text, DAS_MARKUP_NONE, DAS_UNIT_JSON, TABLE_MAX);
    das_page_more(&p, n, shown);
    if (text.len) {
        begin_block(b);
        begin_run(b);
        das_json_key_text(b, "text", das_buf_view(&text));
        das_buf_str(b, ",\"isSubtle\":true}]}");
    }
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static void put_card(const struct das_turn *t, struct das_buf *b)
{
    static const char *const colors[] = {"Default", "Warning", "Attention", "Attention"};
    const struct das_notice *n = t->notice;

    das_buf_str(b, "{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\","
                   "\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"body\":[");
    begin_block(b);
    begin_run(b);
    das_put_title(b, "text", n, DAS_MARKUP_NONE, DAS_UNIT_JSON, TITLE_MAX);
    das_json_key_text(b, "color",
                      das_text_of(n->event == DAS_RESOLVE ? "Good" : colors[n->severity]));
    das_buf_str(b, ",\"weight\":\"Bolder\",\"size\":\"Medium\"}]}");
    if (das_page_text_is_apart(n, DAS_UNIT_JSON, TITLE_MAX)) {
        begin_block(b);
        begin_run(b);
        das_put_text(b, "text", n->text, DAS_MARKUP_NONE, DAS_UNIT_JSON, TEXT_MAX, true);
        das_buf_str(b, "}]}");
    }
    put_fields(n, b);
    if (n->row_total > 0)
        put_sessions(t, b);
    das_buf_char(b, ']');
    if (n->link.len) {
        das_buf_str(b, ",\"actions\":[{\"type\":\"Action.OpenUrl\",\"title\":\"More\"");
        das_json_key_text(b, "url", n->link);
        das_buf_str(b, "}]");
    }
    das_buf_str(b, ",\"msteams\":{\"width\":\"Full\"}}");
}

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    das_buf_str(&p->body, "{\"type\":\"message\",\"attachments\":[{\"contentType\":"
                          "\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,"
                          "\"content\":");
    put_card(t, &p->body);
    das_buf_str(&p->body, "}]}");
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    (void)t;
    das_read_status(a, v);
}

const struct das_kind das_kind_teams = {
    .word = "teams",
    .form = "workflow",
    .needs = {"url"},
    .pace = {3, 1000},
    .make = make,
    .read = read_answer,
};
