/* test_hook_ask.c - what requests of each platform ask for, where answers may go, what is answered
 * at once, and alerts in one form. The requests are verified ones: how, test_hook_*.c has. */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/hook/ask.h"
#include "tests/unit/kit.h"

#define NOW ((int64_t)1764000000000)

static struct das_err err;
static struct das_hook hook;
static struct das_hook_ask a;

/* What is kept of it for a das that comes after says the same. */
static int kept, kept_badly;

static bool same_text(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

static void keep(void)
{
    struct das_hook_ask b = {.what = DAS_HOOK_NOTHING};
    struct das_buf text = {0};
    json_t *o = NULL;
    bool same;

    das_buf_char(&text, '{');
    if (das_hook_ask_keep(&a, &text, &err) == 0) {
        das_buf_char(&text, '}');
        o = das_json_parse(text.ptr, text.len, NULL, &err);
    }
    same = o && das_hook_ask_recall(&hook, o, &b, &err) == 0 && a.what == b.what &&
           memcmp(a.ids, b.ids, sizeof a.ids) == 0 && a.line.len == b.line.len &&
           memcmp(das_buf_view(&a.line).ptr, das_buf_view(&b.line).ptr, a.line.len) == 0 &&
           same_text(a.button, b.button) && same_text(a.chat, b.chat) &&
           same_text(a.callback, b.callback) && same_text(a.url, b.url) &&
           (!a.url || (a.url_until_ms == b.url_until_ms && a.url_uses == b.url_uses &&
                      a.deferred == b.deferred)) &&
           (a.json ? json_equal(a.json, b.json) : !b.json);
    kept++;
    kept_badly += !same;
    if (!same)
        tap_diag("not the same: %s", text.ptr);
    json_decref(o);
    das_buf_clear(&text);
    das_hook_ask_clear(&b);
}

static int take(enum das_hook_platform p, enum das_hook_kind kind, enum das_hook_format format,
                const char *body)
{
    struct das_hook_verdict v = {
        .outcome = DAS_HOOK_ACCEPTED, .body = das_text_of(body), .format = format, .kind = kind};

    das_hook_ask_clear(&a);
    hook.platform = p;
    if (das_hook_ask_read(&hook, &v, NOW, &a, &err) < 0)
        return -1;
    keep();
    return 0;
}

static void line_is(const char *want, const char *name)
{
    is_int(a.what, DAS_HOOK_LINE, "%s: a line", name);
    is_str(a.line.ptr ? a.line.ptr : "", want, "%s: %s", name, want);
}

/* --- chats ------------------------------------------------------------------------------------ */

static void slack(void)
{
    must(take(DAS_HOOK_SLACK, DAS_HOOK_COMMAND, DAS_HOOK_FORM,
              "user_id=U1&user_name=boss&text=preview+info%3D%22a+%26lt%3B+b+%26amp%3B%22&channel_"
              "id=C1&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F1") == 0,
         "slack: %s", err.msg);
    line_is("preview info=\"a < b &\"", "slack");
    is_str(a.ids[0], "U1", "by the id, not the name");
    is_str(a.url, "https://hooks.slack.com/commands/1", "where the answer goes");
    is_int(a.url_until_ms - NOW, 30 * 60000, "half an hour");
    is_int(a.url_uses, 5, "five times");
    ok(take(DAS_HOOK_SLACK, DAS_HOOK_COMMAND, DAS_HOOK_FORM, "text=x&user_id=U1&user_id=U2") < 0,
       "two users are none");
    take(DAS_HOOK_SLACK, DAS_HOOK_COMMAND, DAS_HOOK_FORM,
         "user_id=U1&text=x&response_url=https%3A%2F%2Fevil.example%2Fhooks.slack.com");
    ok(!a.url, "an address elsewhere is none");
    take(DAS_HOOK_SLACK, DAS_HOOK_BUTTON, DAS_HOOK_JSON,
         "{\"user\":{\"id\":\"U2\"},\"channel\":{\"id\":\"C2\"},\"actions\":[{\"value\":\"v1\"}]}");
    is_int(a.what, DAS_HOOK_PRESS, "a button");
    is_str(a.button, "v1", "its value");
    take(DAS_HOOK_SLACK, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
         "{\"event\":{\"type\":\"app_mention\",\"user\":\"U3\",\"text\":\"<@UDAS> status\","
         "\"channel\":\"C3\"}}");
    line_is("status", "slack, mentioned");
    is_str(a.chat, "C3", "in a channel");
    take(DAS_HOOK_SLACK, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
         "{\"event\":{\"type\":\"app_mention\",\"bot_id\":\"B1\",\"user\":\"U3\",\"text\":"
         "\"status\"}"
         "}");
    is_int(a.what, DAS_HOOK_NOTHING, "what a bot says is nothing");
    take(DAS_HOOK_SLACK, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
         "{\"event\":{\"type\":\"message\",\"user\":\"U3\",\"text\":\"status\",\"channel_type\":"
         "\"channel\"}}");
    is_int(a.what, DAS_HOOK_NOTHING, "nor is what people say to each other");
}

static void feishu(void)
{
    take(DAS_HOOK_FEISHU, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
         "{\"event\":{\"sender\":{\"sender_type\":\"user\",\"sender_id\":{\"open_id\":\"ou_1\","
         "\"user_id\":\"e1\"}},\"message\":{\"chat_id\":\"oc_1\",\"message_type\":\"text\","
         "\"content\":\"{\\\"text\\\":\\\"@_user_1 preview orders\\\"}\"}}}");
    line_is("preview orders", "feishu");
    is_str(a.ids[0], "ou_1", "open_id");
    is_str(a.ids[1], "e1", "user_id");
    is_str(a.chat, "oc_1", "chat");
    take(DAS_HOOK_FEISHU, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
         "{\"event\":{\"sender\":{\"sender_type\":\"app\"},\"message\":{\"message_type\":\"text\","
         "\"content\":\"{}\"}}}");
    is_int(a.what, DAS_HOOK_NOTHING, "an app's message");
    take(DAS_HOOK_FEISHU, DAS_HOOK_BUTTON, DAS_HOOK_JSON,
         "{\"event\":{\"operator\":{\"open_id\":\"ou_2\"},\"action\":{\"value\":{\"das\":\"v2\"}}}"
         "}");
    is_str(a.button, "v2", "a card's button");
    take(DAS_HOOK_FEISHU_CARD, DAS_HOOK_BUTTON, DAS_HOOK_JSON,
         "{\"open_id\":\"ou_3\",\"action\":{\"value\":{\"das\":\"v3\"}}}");
    is_str(a.button, "v3", "and of the old kind");
    is_str(a.ids[0], "ou_3", "by whom");
}

static void others(void)
{
    take(DAS_HOOK_DINGTALK, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
         "{\"text\":{\"content\":\" status \"},\"senderStaffId\":\"s1\",\"senderId\":\"$:x\","
         "\"sessionWebhook\":\"https://oapi.dingtalk.com/robot/s\",\"sessionWebhookExpiredTime\":"
         "1764000005000}");
    line_is("status", "dingtalk");
    is_str(a.ids[0], "s1", "the staff id");
    is_str(a.ids[1], "", "and no other");
    is_int(a.url_until_ms - NOW, 5000, "as long as it says");
    take(DAS_HOOK_WECOM, DAS_HOOK_MESSAGE, DAS_HOOK_XML,
         "<xml><FromUserName><![CDATA[li]]></FromUserName><MsgType><![CDATA[text]]></MsgType>"
         "<Content><![CDATA[preview orders]]></Content></xml>");
    line_is("preview orders", "wecom");
    is_str(a.ids[0], "li", "who");
    take(
        DAS_HOOK_TEAMS, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
        "{\"type\":\"message\",\"text\":\"<at>das</at>&nbsp;preview info=&quot;a&quot;\",\"from\":{"
        "\"id\":\"29:x\",\"aadObjectId\":\"aad\"}}");
    line_is(" preview info=\"a\"", "teams");
    is_str(a.ids[0], "aad", "the directory's id first");
    take(DAS_HOOK_MATTERMOST, DAS_HOOK_BUTTON, DAS_HOOK_JSON,
         "{\"user_id\":\"m1\",\"context\":{\"value\":\"v4\"}}");
    is_str(a.button, "v4", "mattermost: a button");
}

static void discord(void)
{
    take(DAS_HOOK_DISCORD, DAS_HOOK_COMMAND, DAS_HOOK_JSON,
         "{\"application_id\":\"77\",\"token\":\"tok\",\"member\":{\"user\":{\"id\":\"9\"}},"
         "\"data\":{\"name\":\"das\",\"options\":[{\"name\":\"preview\",\"options\":[{\"name\":"
         "\"instance\",\"value\":\"orders\"},{\"name\":\"info\",\"value\":\"a \\\" user=x\"},{"
         "\"name\":\"limit\",\"value\":3}]}]}}");
    line_is(" preview instance=\"orders\" info=\"a \\\" user=x\" limit=3", "discord");
    is_str(a.ids[0], "9", "who");
    is_str(a.url, "https://discord.com/api/v10/webhooks/77/tok", "where to");
    is_int(a.url_until_ms - NOW, 15 * 60000, "a quarter of an hour");
    take(
        DAS_HOOK_DISCORD, DAS_HOOK_COMMAND, DAS_HOOK_JSON,
        "{\"user\":{\"id\":\"9\"},\"application_id\":\"7/../8\",\"token\":\"t\",\"data\":{\"name\":"
        "\"das\",\"options\":[{\"name\":\"line\",\"value\":\"preview orders\"}]}}");
    line_is("preview orders", "discord, one line");
    ok(!a.url, "an app's id is a number");
    take(DAS_HOOK_DISCORD, DAS_HOOK_BUTTON, DAS_HOOK_JSON,
         "{\"user\":{\"id\":\"9\"},\"data\":{\"custom_id\":\"v5\"}}");
    is_str(a.button, "v5", "a button");
}

static void telegram(void)
{
    take(DAS_HOOK_TELEGRAM, DAS_HOOK_COMMAND, DAS_HOOK_JSON,
         "{\"message\":{\"from\":{\"id\":55},\"chat\":{\"id\":-100},\"text\":\"/preview@das_bot "
         "orders\"}}");
    line_is("preview  orders", "telegram");
    is_str(a.ids[0], "55", "who");
    is_str(a.chat, "-100", "where");
    take(DAS_HOOK_TELEGRAM, DAS_HOOK_COMMAND, DAS_HOOK_JSON,
         "{\"message\":{\"from\":{\"id\":55},\"chat\":{\"id\":1},\"text\":\"/das status\"}}");
    line_is("  status", "telegram, /das");
    take(DAS_HOOK_TELEGRAM, DAS_HOOK_BUTTON, DAS_HOOK_JSON,
         "{\"callback_query\":{\"id\":\"q1\",\"from\":{\"id\":55},\"data\":\"v6\",\"message\":{"
         "\"chat\":{\"id\":1}}}}");
    is_str(a.button, "v6", "a button");
    is_str(a.callback, "q1", "which is answered by its id");
    take(DAS_HOOK_TELEGRAM, DAS_HOOK_MESSAGE, DAS_HOOK_JSON,
         "{\"message\":{\"from\":{\"id\":1,\"is_bot\":true},\"text\":\"status\"}}");
    is_int(a.what, DAS_HOOK_NOTHING, "a bot's message");
}

/* --- where answers may go --------------------------------------------------------------------- */

static void places(void)
{
    static char *own[] = {(char *)(uintptr_t) "chat.example.com:8443"};

    hook = (struct das_hook){.platform = DAS_HOOK_SLACK};
    ok(das_hook_may_reply_to(&hook, "https://hooks.slack.com/x"), "the platform's own");
    ok(!das_hook_may_reply_to(&hook, "http://hooks.slack.com/x"), "with TLS");
    ok(!das_hook_may_reply_to(&hook, "https://hooks.slack.com.evil.example/"), "not a longer name");
    ok(!das_hook_may_reply_to(&hook, "https://hooks.slack.com@evil.example/"), "no user");
    ok(!das_hook_may_reply_to(&hook, "https://hooks.slack.com:444/"), "no other port");
    ok(!das_hook_may_reply_to(&hook, "https://evil.example/?hooks.slack.com"), "no query");
    ok(!das_hook_may_reply_to(&hook, "file:///etc/passwd"), "no file");
    hook = (struct das_hook){
        .platform = DAS_HOOK_MATTERMOST, .reply_hosts = own, .reply_host_count = 1};
    ok(das_hook_may_reply_to(&hook, "https://chat.example.com:8443/hooks/1"), "as configured");
    ok(!das_hook_may_reply_to(&hook, "https://chat.example.com/hooks/1"), "exactly");
    hook = (struct das_hook){.platform = DAS_HOOK_MATTERMOST};
    ok(!das_hook_may_reply_to(&hook, "https://chat.example.com/"), "nowhere without configuration");
}

/* --- answers at once -------------------------------------------------------------------------- */

static void ack_is(enum das_hook_platform p, enum das_hook_what what, const char *text, bool shown,
                   const char *part, const char *name)
{
    struct das_hook_ack ack = {0};
    bool got = false;
    json_t *json;

    hook = (struct das_hook){.platform = p};
    das_hook_ask_clear(&a);
    a.what = what;
    snprintf(a.callback, sizeof a.callback, "q7");
    snprintf(a.chat, sizeof a.chat, "c7");
    must(das_hook_ack(&hook, &a, text, false, &ack, &got, &err) == 0, "%s: %s", name, err.msg);
    ok(got == shown, "%s: %s", name, shown ? "is shown" : "is not shown here");
    if (*part)
        has_str(ack.body.ptr ? ack.body.ptr : "", part, "%s: %s", name, part);
    else
        is_int(ack.body.len, 0, "%s: an empty answer", name);
    json = ack.body.len ? json_loadb(ack.body.ptr, ack.body.len, 0, NULL) : json_null();
    ok(json != NULL, "%s: JSON", name);
    json_decref(json);
    das_buf_clear(&ack.body);
}

static void acks(void)
{
    ack_is(DAS_HOOK_SLACK, DAS_HOOK_LINE, "no <@U1> & so", true, "\"response_type\":\"ephemeral\"",
           "slack");
    ack_is(DAS_HOOK_SLACK, DAS_HOOK_LINE, NULL, true, "", "slack, silent");
    ack_is(DAS_HOOK_SLACK, DAS_HOOK_PRESS, "no", false, "", "slack, a button");
    ack_is(DAS_HOOK_MATTERMOST, DAS_HOOK_LINE, "no", true, "\"response_type\":\"ephemeral\"",
           "mattermost");
    ack_is(DAS_HOOK_MATTERMOST, DAS_HOOK_PRESS, "no", true, "{\"ephemeral_text\":\"no\"}",
           "mattermost, a button");
    ack_is(DAS_HOOK_TEAMS, DAS_HOOK_LINE, "no", true, "\"type\":\"message\"", "teams");
    ack_is(DAS_HOOK_DISCORD, DAS_HOOK_LINE, NULL, false, "{\"type\":5,\"data\":{\"flags\":64}}",
           "discord");
    ack_is(DAS_HOOK_DISCORD, DAS_HOOK_LINE, "no", true, "{\"type\":4,\"data\":{\"flags\":64,",
           "discord, words");
    ack_is(DAS_HOOK_DISCORD, DAS_HOOK_PRESS, NULL, false, "{\"type\":6}", "discord, a button");
    ack_is(DAS_HOOK_FEISHU, DAS_HOOK_LINE, "no", false, "{}", "feishu");
    ack_is(DAS_HOOK_FEISHU, DAS_HOOK_PRESS, "no", true,
           "{\"toast\":{\"type\":\"info\",\"content\":\"no\"}}", "feishu, a button");
    ack_is(DAS_HOOK_DINGTALK, DAS_HOOK_LINE, "no", false, "{\"msgtype\":\"empty\"}", "dingtalk");
    ack_is(DAS_HOOK_WECOM, DAS_HOOK_LINE, "no", false, "", "wecom");
    ack_is(DAS_HOOK_TELEGRAM, DAS_HOOK_PRESS, "no", true, "{\"method\":\"answerCallbackQuery\",\"callback_query_id\":\"q7\",",
           "telegram, a button");
    ack_is(DAS_HOOK_ALERTMANAGER, DAS_HOOK_REPORT, NULL, false, "{}", "alertmanager");
}

/* --- alerts ----------------------------------------------------------------------------------- */

static char *alert_of(enum das_hook_platform p, const char *body, const bool *fresh, size_t n)
{
    json_t *in = json_loads(body, 0, NULL), *out;
    char *text;

    must(in != NULL, "JSON");
    out = das_hook_alert(p, in, fresh, n, &err);
    text = out ? json_dumps(out, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(in);
    json_decref(out);
    return text;
}

static void alerts(void)
{
    static const char body[] =
        "{\"version\":\"4\",\"status\":\"firing\",\"receiver\":\"das\",\"groupKey\":\"g\","
        "\"truncatedAlerts\":2,\"externalURL\":\"http://am\",\"alerts\":[{\"status\":\"firing\","
        "\"labels\":{\"alertname\":\"A\",\"severity\":\"critical\",\"instance\":\"db1:3306\","
        "\"das_instance\":\"orders\"},\"annotations\":{\"summary\":\"s\"},\"startsAt\":\"t\","
        "\"fingerprint\":\"f\"},{\"labels\":{\"alertname\":\"B\"}}]}";
    const bool second[] = {false, true};
    char *text = alert_of(DAS_HOOK_ALERTMANAGER, body, NULL, 0);

    is_str(
        text,
        "{\"alerts\":[{\"annotations\":{\"summary\":\"s\"},\"instance\":\"orders\",\"key\":\"f\","
        "\"labels\":{\"alertname\":\"A\",\"das_instance\":\"orders\",\"instance\":\"db1:3306\","
        "\"severity\":\"critical\"},\"name\":\"A\",\"severity\":\"critical\",\"starts_at\":\"t\","
        "\"status\":\"firing\",\"summary\":\"s\"},{\"annotations\":{},\"labels\":{\"alertname\":"
        "\"B\"},\"name\":\"B\"}],\"key\":\"g\",\"receiver\":\"das\",\"source\":\"alertmanager\","
        "\"status\":\"firing\",\"truncated\":2,\"url\":\"http://am\"}",
        "alertmanager");
    free(text);
    text = alert_of(DAS_HOOK_GRAFANA, body, second, 2);
    ok(text && !strstr(text, "\"name\":\"A\"") && strstr(text, "\"name\":\"B\""), "only new ones");
    free(text);
    text =
        alert_of(DAS_HOOK_PAGERDUTY,
                 "{\"event\":{\"event_type\":\"incident.resolved\",\"occurred_at\":\"t\",\"data\":"
                 "{\"id\":\"Q\",\"title\":\"T\",\"urgency\":\"high\",\"service\":{\"summary\":"
                 "\"S\"}}}}",
                 NULL, 0);
    ok(text && strstr(text, "\"status\":\"resolved\"") && strstr(text, "\"service\":\"S\""),
       "pagerduty");
    free(text);
    text = alert_of(DAS_HOOK_ALERTMANAGER, "{\"alerts\":3}", NULL, 0);
    ok(!text && err.code == DAS_E_DATA, "no list of alerts");
}

static int recall(const char *text)
{
    struct das_hook_ask b = {.what = DAS_HOOK_NOTHING};
    json_t *o = das_json_parse(text, strlen(text), NULL, &err);
    int rc;

    must(o != NULL, "JSON");
    hook.platform = DAS_HOOK_SLACK;
    rc = das_hook_ask_recall(&hook, o, &b, &err);
    if (rc == 0)
        rc = b.url != NULL;
    json_decref(o);
    das_hook_ask_clear(&b);
    return rc;
}

static void recalled(void)
{
#define URL "\"what\":\"line\",\"ids\":[],\"until_ms\":1,\"uses\":1,\"url\":\"https://"
    static const char *const wrong[] = {
        "{}",
        "[]",
        "{\"what\":\"that\",\"ids\":[]}",
        "{\"what\":\"line\"}",
        "{\"what\":\"line\",\"ids\":[1]}",
        "{\"what\":\"line\",\"ids\":[\"a\",\"b\",\"c\",\"d\"]}",
        "{\"what\":\"line\",\"ids\":[],\"line\":1}",
        "{\"what\":\"line\",\"ids\":[],\"chat\":\"a\\u0000b\"}",
        "{\"what\":\"line\",\"ids\":[],\"url\":\"https://hooks.slack.com/x\"}",
    };

    ok(kept > 20 && !kept_badly, "%d requests are the same when they were kept", kept);
    is_int(recall("{" URL "hooks.slack.com/x\"}"), 1, "an address for answers");
    is_int(recall("{" URL "evil.example/x\"}"), 0, "one that is not good any more is left out");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ok(recall(wrong[i]) < 0 && err.code == DAS_E_DATA, "%s: %s", wrong[i], err.msg);
}

/* More than a script gets are counted, with what the sender has left out itself. */
static void many_alerts(void)
{
    struct das_buf b = {0};
    json_t *in, *out;

    das_buf_str(&b, "{\"truncatedAlerts\":3,\"alerts\":[");
    for (int i = 0; i < 205; i++)
        das_buf_printf(&b, "%s{\"labels\":{\"alertname\":\"A%d\"}}", i ? "," : "", i);
    das_buf_str(&b, "]}");
    in = json_loads(b.ptr, 0, NULL);
    out = das_hook_alert(DAS_HOOK_ALERTMANAGER, in, NULL, 0, &err);
    is_int((long long)json_array_size(json_object_get(out, "alerts")), 200, "200 alerts");
    is_int(json_integer_value(json_object_get(out, "truncated")), 8, "and 8 that are not there");
    json_decref(in);
    json_decref(out);
    das_buf_clear(&b);
}

int main(void)
{
    slack();
    feishu();
    others();
    discord();
    telegram();
    places();
    acks();
    alerts();
    recalled();
    many_alerts();
    das_hook_ask_clear(&a);
    return tap_done();
}
