/* test_channel.c - every kind of channel: what its platform is asked, how that is signed, how its
 * answers are taken, and that no message breaks its limits or out of its markup. */
#include "core/base/crypto.h"
#include "tests/unit/channel_kit.h"

#define NOW_MS ((int64_t)1599360473000) /* that of the vector of Feishu's custom bot */

static struct das_err err;
static struct das_clock clock_;
static struct das_sender *sender;
static struct das_verdict v;

static void send_as(const struct das_channel *ch, const struct das_notice *n, const char *id,
                    const char *ref, const char *thread)
{
    const struct das_sending what = {
        .channel = ch, .notice = n, .id = id, .ref = ref, .thread = thread, .left_ms = 10000};

    das_sender_send(sender, &what, &v);
}

static void send(const struct das_channel *ch, const struct das_notice *n)
{
    send_as(ch, n, "msg_p5jXN8AQM9LWM0D4loKWxJek", NULL, NULL);
}

static struct das_notice plain(void)
{
    struct das_notice n;

    notice_texts(&n, "orders is slow", "select <b> & *c*");
    n.severity = DAS_WARNING;
    return n;
}

static void sent(const char *what)
{
    is_int(v.kind, DAS_SENT, "%s: sent", what);
}

static void refused(const struct das_channel *ch, int status, const char *body, const char *code,
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

static void later(const struct das_channel *ch, int status, const char *body, int64_t after_ms)
{
    struct das_notice n = plain();

    platform_forget();
    platform_says(status, body);
    send(ch, &n);
    is_int(v.kind, DAS_LATER, "%s: %d %s: later", ch->name, status, body);
    is_int(v.after_ms, after_ms, "as it asks");
    das_notice_clear(&n);
}

static const struct das_channel *named(const char *name)
{
    return das_channels_find(&channel_list, name, &err);
}

static void set_up(void)
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

/* --- one platform after the other ------------------------------------------------------------- */

static void slack(void)
{
    const struct das_channel *hook = named("slack");
    const struct das_channel *bot = named("slackbot");
    struct das_notice n = plain();
    json_t *o;

    platform_forget();
    platform_says(200, "ok");
    send(hook, &n);
    sent("webhook");
    is_str(asked[0].url, "http://h/services/T0/B0/token", "its URL");
    o = asked_json(0);
    is_str(json_text_at(o, "text"), "[warning] orders is slow", "what a notification shows");
    is_str(json_text_at(o, "parse"), "none", "nothing in it is looked for");
    is_str(json_text_at(o, "blocks.0.type"), "header", "a header");
    is_str(json_text_at(o, "blocks.1.text.type"), "plain_text", "text that is no markup");
    is_str(json_text_at(o, "blocks.1.text.text"), "select <b> & *c*", "as it is");
    json_decref(o);
    refused(hook, 404, "no_service", "no_service", "no_service");
    refused(hook, 400, "invalid_payload", "invalid_payload", "");
    later(hook, 500, "oops", -1);

    platform_forget();
    platform_says(200, "{\"ok\":true,\"channel\":\"C9\",\"ts\":\"1503435956.000247\"}");
    send(bot, &n);
    sent("bot");
    is_str(asked[0].url, "http://h/api/chat.postMessage", "the method");
    has_str(asked[0].headers, "Authorization: Bearer xoxb-secret\n", "who it is");
    is_str(v.ref, "C9 1503435956.000247", "what it is called there");
    send_as(bot, &n, "msg_1", "C9 1503435956.000247", NULL);
    sent("edited");
    is_str(asked[1].url, "http://h/api/chat.update", "by another method");
    o = asked_json(1);
    is_str(json_text_at(o, "channel"), "C9", "where it is");
    is_str(json_text_at(o, "ts"), "1503435956.000247", "and which");
    json_decref(o);
    send_as(bot, &n, "msg_2", NULL, "C9 1503435956.000247");
    o = asked_json(2);
    is_str(json_text_at(o, "thread_ts"), "1503435956.000247", "an answer");
    json_decref(o);
    das_notice_button(&n, das_text_of("Approve"), das_text_of("a:77"), false, &err);
    send(bot, &n);
    o = asked_json(3);
    is_str(json_text_at(o, "blocks.2.elements.0.value"), "a:77", "a button has its value");
    json_decref(o);
    refused(bot, 200, "{\"ok\":false,\"error\":\"channel_not_found\"}", "channel_not_found", "");
    later(bot, 200, "{\"ok\":false,\"error\":\"ratelimited\"}", -1);
    platform_forget();
    platform_says_with(429, "", "retry-after", "30");
    send(bot, &n);
    ok(v.kind == DAS_LATER && v.after_ms == 30000, "Retry-After: %lld", (long long)v.after_ms);
    das_notice_clear(&n);
}

static void feishu(void)
{
    const struct das_channel *bot = named("feishu");
    const struct das_channel *app = named("feishuapp");
    struct das_notice n = plain();
    json_t *o;

    platform_forget();
    platform_says(200, "{\"code\":0,\"msg\":\"success\"}");
    send(bot, &n);
    sent("custom bot");
    o = asked_json(0);
    is_str(json_text_at(o, "timestamp"), "1599360473", "seconds");
    is_str(json_text_at(o, "sign"),
           "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=", "the signature of the vector");
    is_str(json_text_at(o, "card.header.title.content"), "[warning] orders is slow", "the title");
    is_str(json_text_at(o, "card.elements.0.text.tag"), "plain_text", "nothing is markup");
    json_decref(o);
    refused(bot, 200, "{\"code\":19021,\"msg\":\"sign match fail\"}", "19021", "sign match fail");
    refused(bot, 400, "{\"code\":9499,\"msg\":\"Bad Request\"}", "9499", "Bad Request");
    later(bot, 200, "{\"code\":11232,\"msg\":\"frequency limited\"}", -1);

    platform_forget();
    platform_says(200, "{\"code\":0,\"tenant_access_token\":\"t-aaaa\",\"expire\":7200}");
    platform_says(200, "{\"code\":0,\"data\":{\"message_id\":\"om_1\"}}");
    send(app, &n);
    sent("app");
    is_int(asked_count, 2, "first a token, then the message");
    is_str(asked[0].url, "http://h/open-apis/auth/v3/tenant_access_token/internal", "where from");
    o = asked_json(0);
    is_str(json_text_at(o, "app_secret"), "appsecret", "with its secret");
    json_decref(o);
    is_str(asked[1].url, "http://h/open-apis/im/v1/messages?receive_id_type=chat_id", "where to");
    has_str(asked[1].headers, "Authorization: Bearer t-aaaa\n", "with the token");
    is_str(v.ref, "om_1", "what it is called there");
    o = asked_json(1);
    is_str(json_text_at(o, "uuid"), "msg_p5jXN8AQM9LWM0D4loKWxJek",
           "a second time is no second one");
    json_decref(o);
    send_as(app, &n, "msg_1", "om_1", NULL);
    is_int(asked_count, 3, "the token is kept");
    is_str(asked[2].method, "PATCH", "an edit");
    is_str(asked[2].url, "http://h/open-apis/im/v1/messages/om_1", "of that message");
    is_str(v.ref, "om_1", "which keeps its name");

    platform_forget();
    platform_says(200, "{\"code\":99991663,\"msg\":\"token expired\"}");
    platform_says(200, "{\"code\":0,\"tenant_access_token\":\"t-bbbb\",\"expire\":60}");
    platform_says(200, "{\"code\":0,\"data\":{\"message_id\":\"om_2\"}}");
    send(app, &n);
    sent("a token that was taken back");
    is_int(asked_count, 3, "is renewed");
    has_str(asked[2].headers, "Bearer t-bbbb", "once");
    platform_forget();
    platform_says_with(429, "{\"code\":99991400,\"msg\":\"slow\"}", "x-ogw-ratelimit-reset", "7");
    clock_.unix_ms += 3600000;
    send(app, &n);
    ok(v.kind == DAS_LATER && v.after_ms == 7000, "told to wait: %lld", (long long)v.after_ms);
    platform_forget();
    platform_says(200, "{\"code\":0,\"tenant_access_token\":\"t-cccc\",\"expire\":7200}");
    platform_says(200, "{\"code\":0,\"data\":{\"message_id\":\"om/../x\"}}");
    send(app, &n);
    is_str(v.ref, "", "an id that would lead elsewhere is none");
    das_clock_init(&clock_, NOW_MS);
    das_notice_clear(&n);
}

static void dingtalk(void)
{
    const struct das_channel *ch = named("dingtalk");
    struct das_notice n = plain();
    json_t *o;

    platform_forget();
    platform_says(200, "{\"errcode\":0,\"errmsg\":\"ok\"}");
    send(ch, &n);
    sent("dingtalk");
    /* python3: quote_plus(b64encode(hmac.new(b"SECabc", b"1599360473000\nSECabc",
     * sha256).digest())) */
    is_str(asked[0].url,
           "http://h/robot/"
           "send?access_token=tok&timestamp=1599360473000&sign="
           "3SJkK5Fm70JVVkwmvZFkgdPlr53Kn2utLHLz9DzuOSc%3D",
           "signed");
    o = asked_json(0);
    is_str(json_text_at(o, "markdown.title"), "[warning] orders is slow", "title");
    ok(json_is_false(json_at(o, "at.isAtAll")), "nobody is called");
    json_decref(o);
    refused(ch, 200, "{\"errcode\":310000,\"errmsg\":\"sign not match\"}", "310000",
            "sign not match");
    later(ch, 200, "{\"errcode\":130101,\"errmsg\":\"send too fast\"}", 600000);
    later(ch, 200, "{\"errcode\":-1,\"errmsg\":\"busy\"}", -1);
    later(ch, 200, "<html>", -1);
    das_notice_clear(&n);
}

static void others(void)
{
    const struct das_channel *wecom = named("wecom");
    const struct das_channel *teams = named("teams");
    const struct das_channel *matter = named("mattermost");
    struct das_notice n = plain();
    json_t *o;

    platform_forget();
    platform_says(200, "{\"errcode\":0}");
    send(wecom, &n);
    sent("wecom");
    o = asked_json(0);
    has_str(json_text_at(o, "markdown.content"), "**[warning] orders is slow**\n", "Markdown");
    json_decref(o);
    refused(wecom, 200, "{\"errcode\":93000,\"errmsg\":\"invalid webhook url\"}", "93000",
            "invalid");
    later(wecom, 200, "{\"errcode\":45009,\"errmsg\":\"api freq out of limit\"}", 60000);

    platform_forget();
    platform_says(202, "");
    send(teams, &n);
    sent("teams");
    o = asked_json(0);
    is_str(json_text_at(o, "attachments.0.contentType"), "application/vnd.microsoft.card.adaptive",
           "a card");
    is_str(json_text_at(o, "attachments.0.content.body.1.inlines.0.text"), "select <b> & *c*",
           "text in it");
    json_decref(o);
    later(teams, 429, "", -1);
    refused(teams, 401, "no", "HTTP 401", "no");

    das_notice_button(&n, das_text_of("Approve"), das_text_of("a:77"), false, &err);
    platform_forget();
    platform_says(200, "ok");
    send(matter, &n);
    sent("mattermost");
    o = asked_json(0);
    is_str(json_text_at(o, "attachments.0.actions.0.integration.url"), "http://das/hook",
           "a click goes to das");
    is_str(json_text_at(o, "attachments.0.actions.0.integration.context.value"), "a:77",
           "with its value");
    json_decref(o);
    das_notice_clear(&n);
}

static void discord(void)
{
    const struct das_channel *ch = named("discord");
    struct das_notice n = plain();
    json_t *o;

    platform_forget();
    platform_says(200, "{\"id\":\"123456\"}");
    send(ch, &n);
    sent("discord");
    is_str(asked[0].url, "http://h/api/webhooks/1/tok?wait=true", "waits for the id");
    is_str(v.ref, "123456", "and gets it");
    o = asked_json(0);
    is_int(json_array_size(json_at(o, "allowed_mentions.parse")), 0, "no mentions");
    ok(json_is_array(json_at(o, "allowed_mentions.parse")), "not one kind of them");
    is_str(json_text_at(o, "embeds.0.description"),
           "select <\xe2\x80\x8b"
           "b> & \\*c\\*",
           "escaped");
    json_decref(o);
    send_as(ch, &n, "msg_1", "123456", NULL);
    is_str(asked[1].method, "PATCH", "an edit");
    is_str(asked[1].url, "http://h/api/webhooks/1/tok/messages/123456", "of that message");
    later(ch, 429, "{\"retry_after\":1.5}", 1501);
    refused(ch, 404, "{\"message\":\"Unknown Webhook\",\"code\":10015}", "10015",
            "Unknown Webhook");
    das_notice_clear(&n);
}

static void telegram(void)
{
    const struct das_channel *ch = named("telegram");
    struct das_notice n = plain();
    char value[100];
    json_t *o;

    platform_forget();
    platform_says(200, "{\"ok\":true,\"result\":{\"message_id\":42}}");
    send(ch, &n);
    sent("telegram");
    is_str(asked[0].url, "http://h/bot123:abcdef/sendMessage", "the method");
    is_str(v.ref, "42", "the message's number");
    o = asked_json(0);
    is_str(json_text_at(o, "text"), "<b>[warning] orders is slow</b>\nselect &lt;b&gt; &amp; *c*",
           "HTML");
    json_decref(o);
    send_as(ch, &n, "msg_1", "42", NULL);
    is_str(asked[1].url, "http://h/bot123:abcdef/editMessageText", "an edit");
    o = asked_json(1);
    is_int(json_integer_value(json_at(o, "message_id")), 42, "of that message");
    json_decref(o);
    later(ch, 429,
          "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\","
          "\"parameters\":{\"retry_after\":5}}",
          5000);
    refused(ch, 400, "{\"ok\":false,\"error_code\":400,\"description\":\"chat not found\"}", "400",
            "chat not found");
    platform_forget();
    platform_says(400, "{\"ok\":false,\"description\":\"Bad Request: message is not modified\"}");
    send_as(ch, &n, "msg_1", "42", NULL);
    sent("an edit that was there already");

    memset(value, 'x', sizeof value);
    das_notice_button(&n, das_text_of("A"), das_text(value, 64), false, &err);
    is_int(das_channel_takes(ch, &n, &err), 0, "64 bytes of a button");
    das_notice_button(&n, das_text_of("B"), das_text(value, 65), false, &err);
    ok(das_channel_takes(ch, &n, &err) < 0 && err.code == DAS_E_USAGE, "65 are refused: %s",
       err.msg);
    das_notice_clear(&n);
}

static void pagerduty(void)
{
    const struct das_channel *ch = named("pagerduty");
    struct das_notice n = plain();
    json_t *o;

    platform_forget();
    platform_says(202, "{\"status\":\"success\",\"dedup_key\":\"k1\"}");
    send(ch, &n);
    sent("pagerduty");
    o = asked_json(0);
    is_str(json_text_at(o, "event_action"), "trigger", "a trigger");
    is_str(json_text_at(o, "dedup_key"), "msg_p5jXN8AQM9LWM0D4loKWxJek",
           "a second attempt is no second incident");
    is_str(json_text_at(o, "payload.severity"), "warning", "severity");
    is_str(json_text_at(o, "payload.source"), "das", "source");
    json_decref(o);
    das_notice_text(&n, &n.dedup, das_text_of("lag"), 100, &err);
    n.event = DAS_RESOLVE;
    send(ch, &n);
    o = asked_json(1);
    is_str(json_text_at(o, "event_action"), "resolve", "its end");
    is_str(json_text_at(o, "dedup_key"), "lag", "by its key");
    ok(!json_at(o, "payload"), "and no more");
    json_decref(o);
    refused(ch, 400,
            "{\"status\":\"invalid event\",\"errors\":[\"Length of 'routing_key' is "
            "incorrect\"]}",
            "HTTP 400", "routing_key");
    das_notice_clear(&n);
}

static void alertmanager(void)
{
    const struct das_channel *ch = named("alertmanager");
    struct das_notice n = plain();
    json_t *o;

    das_notice_text(&n, &n.dedup, das_text_of("lag"), 100, &err);
    platform_forget();
    platform_says(200, "");
    send(ch, &n);
    sent("alertmanager");
    is_str(asked[0].url, "http://h/am/api/v2/alerts", "the path");
    has_str(asked[0].headers, "Authorization: Basic ZGFzOnBhc3Mgd29yZA==\n", "who it is");
    o = asked_json(0);
    is_str(json_text_at(o, "0.labels.key"), "lag", "the key");
    is_str(json_text_at(o, "0.annotations.summary"), "orders is slow", "the summary");
    ok(json_at(o, "0.startsAt") && !json_at(o, "0.endsAt"), "it goes on");
    json_decref(o);
    n.event = DAS_RESOLVE;
    send(ch, &n);
    o = asked_json(1);
    is_str(json_text_at(o, "0.endsAt"), "2020-09-06T02:47:53Z", "its end");
    json_decref(o);
    das_notice_clear(&n);
}

static void webhook(void)
{
    const struct das_channel *ch = named("webhook");
    const struct das_channel *bad = named("webhook2");
    struct das_notice n = plain();
    struct das_buf key = {0}, said = {0}, line = {0};
    struct das_hash_value mac;

    platform_forget();
    platform_says(204, "");
    send(ch, &n);
    sent("webhook");
    has_str(asked[0].headers, "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\n", "its id");
    has_str(asked[0].headers, "webhook-timestamp: 1599360473\n", "the time");
    /* the same scheme reproduces the published vector, and then what was sent */
    das_base64_decode(DAS_BASE64, false, das_text_of("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key,
                      &err);
    das_hmac(DAS_SHA256, das_buf_view(&key),
             das_text_of("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"), &mac,
             &err);
    das_base64_encode(DAS_BASE64, das_text((const char *)mac.bytes, mac.len), &line);
    is_str(line.ptr, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "the published vector");
    das_buf_reset(&line);
    das_buf_printf(&said, "msg_p5jXN8AQM9LWM0D4loKWxJek.1599360473.%s", asked[0].body);
    das_hmac(DAS_SHA256, das_buf_view(&key), das_buf_view(&said), &mac, &err);
    das_buf_str(&line, "webhook-signature: v1,");
    das_base64_encode(DAS_BASE64, das_text((const char *)mac.bytes, mac.len), &line);
    has_str(asked[0].headers, line.ptr, "and this one's");
    das_buf_clear(&key);
    das_buf_clear(&said);
    das_buf_clear(&line);
    platform_forget();
    platform_says(204, "");
    send(bad, &n);
    ok(v.kind == DAS_REFUSED && asked_count == 0, "no key, no request: %s", v.words);
    refused(ch, 410, "", "HTTP 410", "");
    das_notice_clear(&n);
}

/* --- all platforms ---------------------------------------------------------------------------- */

/* What is the longest that each takes; of the whole body but where it says otherwise. */
static const struct {
    const char *name, *path;
    size_t bytes, chars;
} limits[] = {
    {"slack", "blocks.1.text.text", 0, 3000},
    {"slack", "text", 0, 3000},
    {"slack", NULL, 52000, 0},
    {"feishu", NULL, 20000, 0},
    {"dingtalk", NULL, 20000, 0},
    {"wecom", "markdown.content", 4096, 0},
    {"teams", NULL, 28000, 0},
    {"discord", "embeds.0.description", 0, 4096},
    {"discord", "embeds.0.title", 0, 256},
    {"telegram", "text", 0, 4096},
    {"mattermost", "attachments.0.text", 0, 16383},
    {"pagerduty", "payload.summary", 0, 1024},
    {"pagerduty", NULL, 512000, 0},
};

static void within_limits(void)
{
    struct das_notice n;

    notice_hostile(&n);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const char *text;
        size_t size;
        json_t *o;
        platform_forget();
        platform_says(200, "{\"code\":0,\"errcode\":0,\"ok\":true}");
        send(named(limits[i].name), &n);
        sent(limits[i].name);
        o = asked_json(0);
        text = limits[i].path ? json_text_at(o, limits[i].path) : asked[0].body;
        size = text ? das_page_measure(limits[i].chars ? DAS_UNIT_UTF16 : DAS_UNIT_BYTES,
                                       das_text_of(text))
                    : SIZE_MAX;
        ok(size <= (limits[i].chars ? limits[i].chars : limits[i].bytes), "%s %s: %zu",
           limits[i].name, limits[i].path ? limits[i].path : "", size);
        ok(text && strstr(asked[0].body, "session"), "sessions are counted");
        json_decref(o);
    }
    das_notice_clear(&n);
}

/* A long text without a title is called by its beginning, and still told whole. */
static void whole_text(void)
{
    static const char *const names[] = {"slack",   "feishu",   "feishuapp", "dingtalk",   "wecom",
                                        "teams",   "discord",  "telegram",  "mattermost", "pagerduty",
                                        "webhook", "alertmanager"};
    struct das_notice n;
    char text[701];

    memset(text, 'x', sizeof text - 1);
    memcpy(text + 690, "the end...", 11);
    notice_texts(&n, NULL, text);
    das_notice_field(&n, das_text_of("lag"), das_text_of("12 s"), &err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        platform_forget();
        platform_says(200, "{\"code\":0,\"errcode\":0,\"ok\":true,\"tenant_access_token\":\"t\","
                           "\"expire\":7200}");
        send(named(names[i]), &n);
        ok(asked_count && strstr(asked[asked_count - 1].body, "the end..."), "%s: to its end",
           names[i]);
    }
    das_notice_clear(&n);
}

/* Slack's limits are on each part, and there are at most 50 blocks. */
static void slack_parts(void)
{
    struct das_notice n;
    const json_t *blocks, *block, *field;
    size_t i, j, total = 0;
    json_t *o;

    notice_hostile(&n);
    platform_forget();
    platform_says(200, "ok");
    send(named("slack"), &n);
    o = asked_json(0);
    blocks = json_at(o, "blocks");
    ok(json_array_size(blocks) <= 50, "%zu blocks", json_array_size(blocks));
    for (i = 0; i < json_array_size(blocks); i++) {
        const char *text;
        block = json_array_get(blocks, i);
        text = json_text_at(block, "text.text");
        total += text ? das_page_measure(DAS_UNIT_CHARS, das_text_of(text)) : 0;
        if (text && das_page_measure(DAS_UNIT_UTF16, das_text_of(text)) >
                        (strcmp(json_text_at(block, "type"), "header") == 0 ? 200u : 3000u))
            ok(false, "block %zu is too long", i);
        if (json_array_size(json_at(block, "fields")) > 10)
            ok(false, "too many fields");
        for (j = 0; j < json_array_size(json_at(block, "fields")); j++) {
            field = json_array_get(json_at(block, "fields"), j);
            text = json_text_at(field, "text");
            total += das_page_measure(DAS_UNIT_CHARS, das_text_of(text));
            if (das_page_measure(DAS_UNIT_UTF16, das_text_of(text)) > 2000)
                ok(false, "a field is too long");
        }
        /* what is markup there has none of theirs */
        text = json_text_at(block, "text.text");
        if (text && strcmp(json_text_at(block, "text.type"), "mrkdwn") == 0) {
            ok(!strstr(text, "<!") && !strstr(text, "<@") && !strstr(text, "<http"),
               "no mention and no link in the table");
            ok(strstr(text + 3, "```") == text + strlen(text) - 3, "the table ends once");
            ok(json_is_true(json_at(block, "text.verbatim")), "and is verbatim");
        }
    }
    ok(total <= 13200, "%zu characters in all", total);
    json_decref(o);
    das_notice_clear(&n);
}

static void not_markup(void)
{
    static const struct {
        const char *name, *path, *never[6];
    } rules[] = {
        {"wecom", "markdown.content", {"<@", "](http://evil", "<http", "<at"}},
        {"dingtalk", "markdown.text", {"<@", "](http://evil", "@channel", "<at"}},
        {"discord", "embeds.0.description", {"<@U", "@everyone [", "](http://evil"}},
        {"mattermost", "attachments.0.text", {"@channel @everyone [", "](http://evil"}},
        {"telegram", "text", {"<at", "<!", "@channel @everyone [", "</pre> `"}},
    };
    struct das_notice n;

    notice_hostile(&n);
    n.row_total = 0;
    n.row_count = 0; /* in blocks of code markup is none */
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        json_t *o;
        const char *text;
        platform_forget();
        platform_says(200, "{\"code\":0,\"errcode\":0,\"ok\":true}");
        send(named(rules[i].name), &n);
        o = asked_json(0);
        text = json_text_at(o, rules[i].path);
        for (size_t k = 0; k < 6 && rules[i].never[k]; k++)
            ok(text && !strstr(text, rules[i].never[k]), "%s: no %s", rules[i].name,
               rules[i].never[k]);
        json_decref(o);
    }
    das_notice_clear(&n);
}

static bool has_utf8_body(void)
{
    return das_utf8_valid(das_text(asked[0].body, asked[0].len));
}

/* A server that repeats all that it was asked learns nothing to anybody. */
static void secrets(void)
{
    static const char *const hidden[] = {"services/T0", "xoxb-secret", "SECabc",
                                         "123:abcdef",  "R0UTING",     "pass word",
                                         "hook/id",     "webhooks/1",  "appsecret"};
    struct das_notice n = plain();
    char echo[3000];

    for (size_t i = 0; i < channel_list.count; i++) {
        const struct das_channel *ch = &channel_list.items[i];
        size_t at = 0;
        echo[0] = '\0';
        for (int k = 0; k < DAS_CHANNEL_SECRETS; k++) {
            if (ch->secrets[k].where)
                at += (size_t)snprintf(echo + at, sizeof echo - at, "%s ",
                                       getenv(ch->secrets[k].where));
        }
        for (int status = 400; status <= 500; status += 100) {
            platform_forget();
            platform_says(status, echo);
            send(ch, &n);
            for (size_t k = 0; k < sizeof hidden / sizeof *hidden; k++) {
                if (strstr(v.words, hidden[k]) || strstr(v.code, hidden[k]))
                    ok(false, "%s: %s in \"%s\" \"%s\"", ch->name, hidden[k], v.code, v.words);
            }
        }
        platform_forget();
        platform_says(0, "");
        send(ch, &n);
        if (strcmp(ch->name, "webhook2") != 0)
            is_int(v.kind, DAS_LATER, "%s: no connection is no end: %s", ch->name, v.words);
    }
    ok(true, "no secret was said");
    das_notice_clear(&n);
}

/* --- whatever comes --------------------------------------------------------------------------- */

static void random_text(char *to, size_t size)
{
    static const char *const pieces[] = {"<",
                                         ">",
                                         "&",
                                         "\"",
                                         "\\",
                                         "`",
                                         "```",
                                         "*",
                                         "_",
                                         "[",
                                         "](",
                                         ")",
                                         "@all",
                                         "\n",
                                         "\t",
                                         "\x01",
                                         "\xff",
                                         "\xf0\x9f\x98\x80",
                                         "\xe4\xb8\xad",
                                         "\xe2\x80\xae",
                                         "\xc3",
                                         "\xed\xa0\x80",
                                         "http://",
                                         "a",
                                         " ",
                                         "'"};
    size_t want = kit_below(4) ? kit_below(200) : kit_below(size - 10), len = 0;

    to[0] = '\0';
    while (len < want) {
        const char *piece = KIT_PICK(pieces);
        if (len + strlen(piece) >= size)
            break;
        len += (size_t)sprintf(to + len, "%s", piece);
    }
}

static void random_notice(struct das_notice *n)
{
    static char title[1000], text[20000], sql[4000];

    random_text(title, sizeof title);
    random_text(text, sizeof text);
    random_text(sql, sizeof sql);
    notice_texts(n, title, text);
    n->severity = (enum das_severity)kit_below(4);
    n->event = (enum das_event)kit_below(3);
    for (size_t i = kit_below(DAS_NOTICE_FIELDS); i > 0; i--)
        das_notice_field(n, das_text_of(title), das_text_of(sql), &err);
    if (kit_below(2))
        notice_sessions(n, 1 + kit_below(120), sql, kit_below(2));
}

/* Every body can be read by its platform, and is no longer than it takes. */
static void random_ones(void)
{
    size_t broken = 0, sent_ones = 0;

    kit_seed(8);
    for (int round = 0; round < 150; round++) {
        struct das_notice n;
        random_notice(&n);
        for (size_t i = 0; i < channel_list.count; i++) {
            struct das_err unread;
            json_t *o;
            platform_forget();
            platform_says(200,
                          "{\"code\":0,\"errcode\":0,\"ok\":true,\"tenant_access_token\":\"t\"}");
            send(&channel_list.items[i], &n);
            if (!asked_count)
                continue;
            sent_ones++;
            o = das_json_parse(asked[asked_count - 1].body, asked[asked_count - 1].len, NULL,
                               &unread);
            broken +=
                !o || asked[asked_count - 1].len >
                          (strcmp(channel_list.items[i].name, "webhook") == 0 ? 200000u : 60000u);
            json_decref(o);
        }
        das_notice_clear(&n);
    }
    ok(sent_ones > 1000, "%zu random messages", sent_ones);
    is_int(broken, 0, "none of them is broken");
}

/* Nothing is lost, and nothing is taken for sent, when memory runs out anywhere. */
static void no_memory(void)
{
    struct das_notice n = plain();

    das_notice_field(&n, das_text_of("a"), das_text_of("b"), &err);
    notice_sessions(&n, 3, "select 1", true);
    for (size_t i = 0; i < channel_list.count; i++) {
        size_t failed = 0, wrong = 0;
        for (long k = 1;; k++) {
            size_t asked_before;
            platform_forget();
            platform_says(500, "no");
            asked_before = asked_count;
            das_alloc_fail_at(k);
            send(&channel_list.items[i], &n);
            if (!das_alloc_failed())
                break;
            failed++;
            wrong += v.kind == DAS_SENT || asked_count > asked_before + 4;
        }
        das_alloc_fail_at(0);
        ok(failed > 3 && wrong == 0, "%s: %zu allocations that failed", channel_list.items[i].name,
           failed);
    }
    das_notice_clear(&n);
}

static void bad(const char *kind, const char *words, const char *const *keys)
{
    ok(channel_try("bad", kind, keys, &err) < 0 && err.code == DAS_E_CONFIG, "refused: %s", kind);
    has_str(err.msg, words, "because");
    /* it stays in the list: give its name free */
    das_free(channel_list.items[channel_list.count - 1].name);
    channel_list.items[channel_list.count - 1].name = das_strdup("was.bad");
    for (size_t i = 0; i < channel_list.count; i++) {
        if (strcmp(channel_list.items[i].name, "was.bad") == 0)
            channel_list.items[i].name[0] = (char)('A' + i % 26);
    }
}
#define BAD(kind, words, ...) bad(kind, words, (const char *const[]){__VA_ARGS__, NULL})

static void settled(void)
{
    BAD("slak", "did you mean \"slack\"?", "url=x");
    BAD("slack", "channel: a channel of kind \"slack\" (bot) needs it", "token=x");
    BAD("slack", "url: a channel of kind \"slack\" (incoming webhook) needs it", "channel=x");
    BAD("wecom", "secret: a channel of kind \"wecom\" (group robot) has none", "url=x", "secret=y");
    BAD("webhook", "secret:", "url=x");
    BAD("telegram", "channel:", "token=x");
    BAD("alertmanager", "endpoint: expected https://", "endpoint=ftp://x");
    BAD("alertmanager", "user: goes with password", "endpoint=https://x", "user=y");
    BAD("smtp", "from: expected an address", "endpoint=smtps://x", "from=das", "to=a@b");
    BAD("smtp", "to: item 2", "endpoint=smtps://x", "from=das@x", "to=a@b", "to=a@b>\r\nRCPT");
    ok(!das_channels_find(&channel_list, "slakc", &err), "no such channel");
    has_str(err.msg, "did you mean \"slack\"?", "the nearest is named");
}

int main(void)
{
    das_channels_init(&channel_list);
    das_clock_init(&clock_, NOW_MS);
    das_clock_enter(&clock_);
    sender = platform_sender();
    set_up();
    slack();
    feishu();
    dingtalk();
    others();
    discord();
    telegram();
    pagerduty();
    alertmanager();
    webhook();
    within_limits();
    whole_text();
    slack_parts();
    not_markup();
    ok(has_utf8_body(), "what was no UTF-8 is, then");
    secrets();
    random_ones();
    no_memory();
    settled();
    platform_forget();
    das_sender_free(sender);
    das_channels_clear(&channel_list);
    return tap_done();
}
