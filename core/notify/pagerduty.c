/*
 * pagerduty.c - PagerDuty Events API v2: trigger, acknowledge, resolve.
 *
 * A message without a key gets its delivery's id as one, so that a second attempt makes no second
 * incident.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/notify/kind.h"

#define BASE "https://events.pagerduty.com/v2/enqueue"
#define SUMMARY_MAX 1024
#define DETAIL_MAX 8000
#define FIELD_MAX 500

/* A list, since names may repeat. */
static void put_fields(const struct das_notice *n, struct das_buf *b)
{
    das_json_key(b, "fields");
    das_buf_char(b, '[');
    for (size_t i = 0; i < n->field_count; i++) {
        struct das_buf both = {0};
        struct das_page p;
        das_page_init(&p, &both, DAS_MARKUP_NONE, DAS_UNIT_CHARS, FIELD_MAX);
        das_page_text(&p, n->fields[i].name, FIELD_MAX / 4, false);
        das_page_raw(&p, ": ");
        das_page_text(&p, n->fields[i].value, SIZE_MAX, false);
        das_json_comma(b);
        das_json_text(b, das_buf_view(&both));
        b->failed |= both.failed;
        das_buf_clear(&both);
    }
    das_buf_char(b, ']');
}

static void put_payload(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    const char *source = t->channel->texts[DAS_CHANNEL_SOURCE];
    struct das_buf text = {0};
    struct das_page p;
    size_t shown;
    char at[32];

    das_clock_iso(n->at_ms / 1000, at, sizeof at);
    das_json_key(b, "payload");
    das_buf_char(b, '{');
    das_put_text(b, "summary", n->title.len ? n->title : n->text, DAS_MARKUP_NONE, DAS_UNIT_CHARS,
                 SUMMARY_MAX, false);
    if (n->instance.len)
        das_put_text(b, "source", n->instance, DAS_MARKUP_NONE, DAS_UNIT_CHARS, 255, false);
    else
        das_json_key_text(b, "source", das_text_of(source ? source : "das"));
    das_json_key_text(b, "severity", das_text_of(das_severity_name(n->severity)));
    das_json_key_text(b, "timestamp", das_text_of(at));
    das_json_key(b, "custom_details");
    das_buf_char(b, '{');
    if (n->text.len)
        das_put_text(b, "text", n->text, DAS_MARKUP_NONE, DAS_UNIT_CHARS, DETAIL_MAX, true);
    if (n->field_count)
        put_fields(n, b);
    if (n->row_total > 0) {
        das_page_init(&p, &text, DAS_MARKUP_NONE, DAS_UNIT_CHARS, DETAIL_MAX);
        p.apart = true;
        shown = das_page_table(&p, n, (size_t)t->channel->sessions);
        p.max += DAS_PAGE_MORE;
        if (shown && n->row_total > (int64_t)shown)
            das_page_raw(&p, "\n");
        das_page_more(&p, n, shown);
        das_json_key_text(b, "sessions", das_buf_view(&text));
    }
    das_buf_str(b, "}}");
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const struct das_notice *n = t->notice;
    struct das_buf *b = &p->body;

    das_turn_url(t, BASE, "", &p->url);
    das_buf_char(b, '{');
    das_json_key_text(b, "routing_key", t->secrets[DAS_CHANNEL_TOKEN]);
    das_json_key_text(b, "event_action", das_text_of(das_event_name(n->event)));
    das_put_text(b, "dedup_key", n->dedup.len ? n->dedup : das_text_of(t->id), DAS_MARKUP_NONE,
                 DAS_UNIT_BYTES, 255, false);
    if (n->event == DAS_TRIGGER) {
        das_json_key_text(b, "client", das_text_of("das"));
        put_payload(t, b);
        if (n->link.len) {
            das_buf_str(b, ",\"links\":[{\"text\":\"more\"");
            das_json_key_text(b, "href", n->link);
            das_buf_str(b, "}]");
        }
    }
    das_buf_char(b, '}');
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    const json_t *first = json_array_get(json_object_get(a->json, "errors"), 0);
    char number[24], code[64];

    if (!das_read_status(a, v)) {
        das_take_ref(v, das_answer_text(a->json, "dedup_key", number));
        return;
    }
    (void)t;
    snprintf(code, sizeof code, "%s", v->code);
    if (json_is_string(first))
        das_verdict(v, v->kind, code,
                    das_text(json_string_value(first), json_string_length(first)));
    else if (a->json)
        das_verdict(v, v->kind, code, das_answer_text(a->json, "message", number));
}

const struct das_kind das_kind_pagerduty = {
    .word = "pagerduty",
    .form = "Events API v2",
    .needs = {"token"},
    .takes = {"endpoint", "source"},
    .pace = {20, 600},
    .keyed = true,
    .make = make,
    .read = read_answer,
};
