/*
 * slack.c - Slack: an incoming webhook, and a bot with chat.postMessage and chat.update.
 *
 * Texts are plain_text wherever Slack has it; the table of sessions is mrkdwn, verbatim and with
 * & < > as entities, so that nothing in it is a mention or a link.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/notify/kind.h"

#define BASE "https://slack.com/api"
#define TITLE_MAX 150    /* of a header block */
#define SECTION_MAX 2980 /* 3000, less the fences */
#define FIELDS_MAX 10    /* of a section */
#define FIELD_MAX 300    /* 2000 are allowed; 13,200 for all of a message */
#define FALLBACK_MAX 300

static void plain(struct das_buf *b, const char *key, struct das_text t, size_t most)
{
    das_json_key(b, key);
    das_buf_char(b, '{');
    das_json_key_text(b, "type", das_text_of("plain_text"));
    das_put_text(b, "text", t, DAS_MARKUP_NONE, DAS_UNIT_UTF16, most, true);
    das_json_key_bool(b, "emoji", false);
    das_buf_char(b, '}');
}

static void begin_block(struct das_buf *b, const char *type)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "type", das_text_of(type));
}

static void put_title(const struct das_notice *n, struct das_buf *b)
{
    begin_block(b, "header");
    das_json_key(b, "text");
    das_buf_char(b, '{');
    das_json_key_text(b, "type", das_text_of("plain_text"));
    das_put_title(b, "text", n, DAS_MARKUP_NONE, DAS_UNIT_UTF16, TITLE_MAX);
    das_json_key_bool(b, "emoji", false);
    das_buf_str(b, "}}");
}

static void put_fields(const struct das_notice *n, struct das_buf *b)
{
    for (size_t i = 0; i < n->field_count && i < (size_t)FIELDS_MAX * 2; i++) {
        const struct das_notice_field *f = &n->fields[i];
        struct das_buf both = {0};
        struct das_page p;
        if (i % FIELDS_MAX == 0) {
            das_buf_str(b, i ? "]}" : "");
            begin_block(b, "section");
            das_json_key(b, "fields");
            das_buf_char(b, '[');
        }
        das_page_init(&p, &both, DAS_MARKUP_NONE, DAS_UNIT_UTF16, FIELD_MAX);
        das_page_text(&p, f->name, FIELD_MAX / 4, false);
        das_page_raw(&p, "\n");
        das_page_text(&p, f->value, SIZE_MAX, false);
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_text(b, "type", das_text_of("plain_text"));
        das_json_key_text(b, "text", das_buf_view(&both));
        das_json_key_bool(b, "emoji", false);
        das_buf_char(b, '}');
        b->failed |= both.failed;
        das_buf_clear(&both);
    }
    if (n->field_count)
        das_buf_str(b, "]}");
}

static void put_context(struct das_buf *b, struct das_text mrkdwn)
{
    begin_block(b, "context");
    das_json_key(b, "elements");
    das_buf_str(b, "[{");
    das_json_key_text(b, "type", das_text_of("mrkdwn"));
    das_json_key_text(b, "text", mrkdwn);
    das_json_key_bool(b, "verbatim", true);
    das_buf_str(b, "}]}");
}

static void put_sessions(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    struct das_buf text = {0};
    struct das_page p;
    size_t shown = 0;

    das_page_init(&p, &text, DAS_MARKUP_SLACK, DAS_UNIT_UTF16, SECTION_MAX);
    das_page_raw(&p, "```\n");
    shown = das_page_table(&p, n, (size_t)t->channel->sessions);
    das_page_raw(&p, "```");
    if (shown) {
        begin_block(b, "section");
        das_json_key(b, "text");
        das_buf_char(b, '{');
        das_json_key_text(b, "type", das_text_of("mrkdwn"));
        das_json_key_text(b, "text", das_buf_view(&text));
        das_json_key_bool(b, "verbatim", true);
        das_buf_str(b, "}}");
    }
    das_buf_reset(&text);
    das_page_init(&p, &text, DAS_MARKUP_SLACK, DAS_UNIT_UTF16, SECTION_MAX);
    das_page_more(&p, n, shown);
    if (text.len)
        put_context(b, das_buf_view(&text));
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static void put_link(const struct das_notice *n, struct das_buf *b)
{
    struct das_buf text = {0};

    das_buf_char(&text, '<');
    for (size_t i = 0; i < n->link.len; i++) {
        if (n->link.ptr[i] == '&')
            das_buf_str(&text, "&amp;");
        else
            das_buf_char(&text, n->link.ptr[i]); /* of a URL; neither < nor > nor | is among them */
    }
    das_buf_str(&text, "|more>");
    put_context(b, das_buf_view(&text));
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static void put_buttons(const struct das_notice *n, struct das_buf *b)
{
    begin_block(b, "actions");
    das_json_key_text(b, "block_id", das_text_of("das"));
    das_json_key(b, "elements");
    das_buf_char(b, '[');
    for (size_t i = 0; i < n->button_count; i++) {
        char id[24];
        snprintf(id, sizeof id, "das:%zu", i);
        begin_block(b, "button");
        plain(b, "text", n->buttons[i].label, 75);
        das_json_key_text(b, "action_id", das_text_of(id));
        das_json_key_text(b, "value", n->buttons[i].value);
        if (n->buttons[i].danger)
            das_json_key_text(b, "style", das_text_of("danger"));
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}");
}

/* Members text and blocks, and what keeps Slack from reading more into them. */
static void put_message(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;

    das_put_title(b, "text", n, DAS_MARKUP_SLACK, DAS_UNIT_UTF16, FALLBACK_MAX);
    das_json_key_text(b, "parse", das_text_of("none"));
    das_json_key_bool(b, "link_names", false);
    das_json_key_bool(b, "unfurl_links", false);
    das_json_key_bool(b, "unfurl_media", false);
    das_json_key(b, "blocks");
    das_buf_char(b, '[');
    if (n->title.len || n->severity != DAS_INFO || n->event != DAS_TRIGGER)
        put_title(n, b);
    if (n->text.len) {
        begin_block(b, "section");
        plain(b, "text", n->text, SECTION_MAX);
        das_buf_char(b, '}');
    }
    put_fields(n, b);
    if (n->row_total > 0)
        put_sessions(t, b);
    if (n->link.len)
        put_link(n, b);
    if (n->button_count)
        put_buttons(n, b);
    das_buf_char(b, ']');
}

static void code_of(struct das_text t, char *code, size_t size)
{
    snprintf(code, size, "%.*s", (int)(t.len < 60 ? t.len : 60), t.len ? t.ptr : "");
}

/* --- the webhook ------------------------------------------------------------------------------ */

static int hook_make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    das_buf_char(&p->body, '{');
    put_message(t, &p->body);
    das_buf_char(&p->body, '}');
    return das_post_json(p, err);
}

/* "ok", or a word such as invalid_payload, no_service. */
static void hook_read(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    (void)t;
    if (das_read_status(a, v) && a->body.len && a->body.len < 60 &&
        !memchr(a->body.ptr, ' ', a->body.len))
        code_of(a->body, v->code, sizeof v->code);
}

/* --- the bot ---------------------------------------------------------------------------------- */

/* A message's name is "CHANNEL TS": chat.update wants the channel by its id. */
static int bot_make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const char *channel = t->channel->texts[DAS_CHANNEL_CHANNEL], *thread;
    const char *blank = t->ref ? strchr(t->ref, ' ') : NULL;
    struct das_buf *b = &p->body;

    das_turn_url(t, BASE, blank ? "/chat.update" : "/chat.postMessage", &p->url);
    das_buf_char(b, '{');
    if (blank) {
        das_json_key_text(b, "channel", das_text(t->ref, (size_t)(blank - t->ref)));
        das_json_key_text(b, "ts", das_text_of(blank + 1));
    } else {
        das_json_key_text(b, "channel", das_text_of(channel));
        thread = t->thread ? strchr(t->thread, ' ') : NULL;
        if (thread)
            das_json_key_text(b, "thread_ts", das_text_of(thread + 1));
    }
    put_message(t, b);
    das_buf_char(b, '}');
    if (das_post_bearer(p, t->secrets[DAS_CHANNEL_TOKEN], err) < 0)
        return -1;
    return das_post_json(p, err);
}

static bool passing(struct das_text error)
{
    static const char *const words[] = {
        "ratelimited", "rate_limited",    "internal_error",    "service_unavailable",
        "fatal_error", "request_timeout", "team_added_to_org", "message_limit_exceeded"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (das_text_is(error, words[i]))
            return true;
    }
    return false;
}

static void bot_read(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    struct das_text error, channel, ts;
    char n1[24], n2[24], code[61];

    (void)t;
    if (das_read_status(a, v))
        return;
    if (json_is_true(json_object_get(a->json, "ok"))) {
        channel = das_answer_text(a->json, "channel", n1);
        ts = das_answer_text(a->json, "ts", n2);
        if (channel.len && ts.len)
            snprintf(v->ref, sizeof v->ref, "%.*s %.*s", (int)channel.len, channel.ptr, (int)ts.len,
                     ts.ptr);
        return;
    }
    error = das_answer_text(a->json, "error", n1);
    code_of(error, code, sizeof code);
    das_verdict(v, passing(error) || !error.len ? DAS_LATER : DAS_REFUSED, code,
                error.len ? das_text_of("") : das_text_of("no answer of Slack's"));
}

const struct das_kind das_kind_slack_hook = {
    .word = "slack",
    .form = "incoming webhook",
    .needs = {"url"},
    .pace = {3, 1100},
    .button_bytes = 2000,
    .make = hook_make,
    .read = hook_read,
};

const struct das_kind das_kind_slack_bot = {
    .word = "slack",
    .form = "bot",
    .needs = {"token", "channel"},
    .takes = {"endpoint"},
    .pace = {3, 1100},
    .edits = true,
    .button_bytes = 2000,
    .make = bot_make,
    .read = bot_read,
};
