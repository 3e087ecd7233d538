/* test_channel.c - every kind of channel: what its platform is asked, how that is signed, and how
 * its answers are taken. */
#include "tests/unit/channel_all.h"

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

int main(void)
{
    begin_all();
    slack();
    feishu();
    dingtalk();
    others();
    discord();
    telegram();
    pagerduty();
    alertmanager();
    webhook();
    return end_all();
}
