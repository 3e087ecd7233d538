/*
 * alertmanager.c - a Prometheus Alertmanager: POST /api/v2/alerts.
 *
 * Its labels are what an alert is: alertname, severity, source, instance, key. A message that
 * resolves one has to have the same.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/notify/kind.h"

#define DESCRIPTION_MAX 8000

static void label(struct das_buf *b, const char *key, struct das_text t)
{
    if (t.len)
        das_put_text(b, key, t, DAS_MARKUP_NONE, DAS_UNIT_BYTES, DAS_NOTICE_KEY, false);
}

static void put_labels(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    const char *source = t->channel->texts[DAS_CHANNEL_SOURCE];

    das_json_key(b, "labels");
    das_buf_char(b, '{');
    das_json_key_text(b, "alertname", das_text_of(source ? source : "das"));
    das_json_key_text(b, "severity", das_text_of(das_severity_name(n->severity)));
    label(b, "instance", n->instance);
    label(b, "key", n->dedup.len ? n->dedup : n->title.len ? n->title : das_text_of(t->id));
    das_buf_char(b, '}');
}

static void put_annotations(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    const struct das_style style = {.bold = "",
                                    .bold_end = "",
                                    .code = "",
                                    .code_end = "",
                                    .apart = true,
                                    .rows = (size_t)t->channel->sessions};
    struct das_buf text = {0};
    struct das_page p;

    das_json_key(b, "annotations");
    das_buf_char(b, '{');
    das_put_text(b, "summary", n->title.len ? n->title : n->text, DAS_MARKUP_NONE, DAS_UNIT_CHARS,
                 300, false);
    das_page_init(&p, &text, DAS_MARKUP_NONE, DAS_UNIT_CHARS, DESCRIPTION_MAX);
    das_page_compose(&p, n, &style);
    if (text.len)
        das_json_key_text(b, "description", das_buf_view(&text));
    das_buf_char(b, '}');
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static int log_in(const struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const char *user = t->channel->texts[DAS_CHANNEL_USER];
    struct das_buf both = {0}, line = {0};
    int rc = 0;

    if (t->secrets[DAS_CHANNEL_TOKEN].ptr)
        return das_post_bearer(p, t->secrets[DAS_CHANNEL_TOKEN], err);
    if (!user)
        return 0;
    das_buf_printf(&both, "%s:", user);
    das_buf_text(&both, t->secrets[DAS_CHANNEL_PASSWORD]);
    das_buf_str(&line, "Basic ");
    das_base64_encode(DAS_BASE64, das_buf_view(&both), &line);
    rc = das_buf_ok(&both, err) < 0 || das_buf_ok(&line, err) < 0
             ? -1
             : das_post_header(p, "Authorization", das_buf_view(&line), true, err);
    if (both.ptr)
        explicit_bzero(both.ptr, both.len);
    if (line.ptr)
        explicit_bzero(line.ptr, line.len);
    das_buf_clear(&both);
    das_buf_clear(&line);
    return rc;
}

static int make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    const struct das_notice *n = t->notice;
    struct das_buf *b = &p->body;
    char at[32], ended[32];

    das_clock_iso(n->at_ms / 1000, at, sizeof at);
    das_clock_iso(t->now_ms / 1000, ended, sizeof ended);
    das_turn_url(t, "", "/api/v2/alerts", &p->url);
    das_buf_str(b, "[{");
    put_labels(t, b);
    put_annotations(t, b);
    if (n->event != DAS_RESOLVE)
        das_json_key_text(b, "startsAt", das_text_of(at));
    else
        das_json_key_text(b, "endsAt", das_text_of(ended));
    if (n->link.len)
        das_json_key_text(b, "generatorURL", n->link);
    das_buf_str(b, "}]");
    if (log_in(t, p, err) < 0)
        return -1;
    return das_post_json(p, err);
}

static void read_answer(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    (void)t;
    das_read_status(a, v);
}

const struct das_kind das_kind_alertmanager = {
    .word = "alertmanager",
    .form = "API v2",
    .needs = {"endpoint"},
    .takes = {"token", "user", "password", "source"},
    .pace = {20, 100},
    .keyed = true,
    .make = make,
    .read = read_answer,
};
