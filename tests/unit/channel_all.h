/*
 * channel_all.h - a channel of every kind, and messages sent to them on a clock that stands: for
 * the tests of what platforms are asked.
 */
#ifndef DAS_TESTS_CHANNEL_ALL_H
#define DAS_TESTS_CHANNEL_ALL_H

#include "core/base/crypto.h"
#include "tests/unit/channel_kit.h"

#define NOW_MS ((int64_t)1599360473000) /* that of the vector of Feishu's custom bot */

static struct das_err err;
static struct das_clock clock_;
static struct das_sender *sender;
static struct das_verdict v;

static inline void send_as(const struct das_channel *ch, const struct das_notice *n, const char *id,
                    const char *ref, const char *thread)
{
    const struct das_sending what = {
        .channel = ch, .notice = n, .id = id, .ref = ref, .thread = thread, .left_ms = 10000};

    das_sender_send(sender, &what, &v);
}

static inline void send(const struct das_channel *ch, const struct das_notice *n)
{
    send_as(ch, n, "msg_p5jXN8AQM9LWM0D4loKWxJek", NULL, NULL);
}

static inline struct das_notice plain(void)
{
    struct das_notice n;

    notice_texts(&n, "orders is slow", "select <b> & *c*");
    n.severity = DAS_WARNING;
    return n;
}

static inline void sent(const char *what)
{
    is_int(v.kind, DAS_SENT, "%s: sent", what);
}

static inline void refused(const struct das_channel *ch, int status, const char *body, const char *code,
                    const char *words)
{
    struct das_notice n = plain();

    platform_forget();
    platform_says(status, body);
    send(ch, &n);
    is_int(v.kind, DAS_REFUSED, "%s: %d %s: refused", ch->name, status, body);
    is_str(v.code, code, "with the platform's code");
    has_str(v.words, words, "and its words");
    das_notice_clear(&n);
}

static inline void later(const struct das_channel *ch, int status, const char *body, int64_t after_ms)
{
    struct das_notice n = plain();

    platform_forget();
    platform_says(status, body);
    send(ch, &n);
    is_int(v.kind, DAS_LATER, "%s: %d %s: later", ch->name, status, body);
    is_int(v.after_ms, after_ms, "as it asks");
    das_notice_clear(&n);
}

static inline const struct das_channel *named(const char *name)
{
    return das_channels_find(&channel_list, name, &err);
}

static inline void set_up(void)
{
    CHANNEL("slack", "slack", "url=http://h/services/T0/B0/token");
    CHANNEL("slackbot", "slack", "token=xoxb-secret", "channel=C1", "endpoint=http://h/api/");
    CHANNEL("feishu", "feishu", "url=http://h/open-apis/bot/v2/hook/id", "secret=demo");
    CHANNEL("feishuapp", "feishu", "app=cli_1", "secret=appsecret", "channel=oc_1",
            "endpoint=http://h");
    CHANNEL("dingtalk", "dingtalk", "url=http://h/robot/send?access_token=tok", "secret=SECabc");
    CHANNEL("wecom", "wecom", "url=http://h/send?key=k");
    CHANNEL("teams", "teams", "url=http://h/workflow?sig=s");
    CHANNEL("mattermost", "mattermost", "url=http://h/hooks/k", "callback=http://das/hook");
    CHANNEL("discord", "discord", "url=http://h/api/webhooks/1/tok");
    CHANNEL("telegram", "telegram", "token=123:abcdef", "channel=-100", "endpoint=http://h");
    CHANNEL("pagerduty", "pagerduty", "token=R0UTING", "endpoint=http://h/v2/enqueue");
    CHANNEL("alertmanager", "alertmanager", "endpoint=http://h/am/", "user=das",
            "password=pass word");
    CHANNEL("webhook", "webhook", "url=http://h/in",
            "secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    CHANNEL("webhook2", "webhook", "url=http://h/in", "secret=whsec_x");
}

static inline void begin_all(void)
{
    das_channels_init(&channel_list);
    das_clock_init(&clock_, NOW_MS);
    das_clock_enter(&clock_);
    sender = platform_sender();
    set_up();
}

static inline int end_all(void)
{
    platform_forget();
    das_sender_free(sender);
    das_channels_clear(&channel_list);
    return tap_done();
}

#endif
