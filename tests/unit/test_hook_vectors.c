/*
 * test_hook_vectors.c - requests whose signatures others have published: the platforms' documents
 * and the tests of their own libraries. What no one has published (Teams) was computed by two other
 * programs.
 */
#include "core/base/crypto.h"
#include "core/hook/hook_verify.h"
#include "tests/unit/tap.h"

static struct das_err err;

#define T(s) das_text_of(s)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct das_hook_list one(const char *s)
{
    return (struct das_hook_list){{das_text_of(s)}, 1};
}

static struct das_hook_verdict judge(const struct das_hook_conf *c, const char *method,
                                     const char *target, const struct das_sign_pair *headers,
                                     size_t count, const char *body, int64_t unix_s)
{
    struct das_hook_request r = {das_text_of(method), das_text_of(target), headers, count,
                                 das_text_of(body)};
    struct das_hook_verdict v = {0};

    must(das_hook_conf_check(c, &err) == 0, "a configuration: %s", err.msg);
    must(das_hook_verify(c, &r, unix_s * 1000, &v, &err) == 0, "judged");
    return v;
}

static bool body_is(const struct das_hook_verdict *v, const char *text)
{
    return das_text_is(v->body, text);
}

/* Slack's documentation and the test of slack_sdk. */
static void slack(void)
{
    static const char body[] =
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&"
        "channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&"
        "command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F"
        "T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const struct das_sign_pair headers[] = {
        {T("X-Slack-Request-Timestamp"), T("1531420618")},
        {T("X-Slack-Signature"),
         T("v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503")}};
    const struct das_hook_conf c = {.name = "s",
                                    .platform = DAS_HOOK_SLACK,
                                    .secrets = one("8f742231b10e8888abcd99yyyzzz85a5")};
    struct das_hook_verdict v = judge(&c, "POST", "/s", headers, 2, body, 1531420618);

    ok(v.outcome == DAS_HOOK_ACCEPTED && v.kind == DAS_HOOK_COMMAND && body_is(&v, body),
       "slack: the command of its documentation");
    is_str(v.event, "/webhook-collect", "slack: which one");
    ok(v.time_ms == 1531420618000 && v.window_ms == 300000, "slack: its time");
    is_str(v.ids[0].text, "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
           "slack: its id");
    das_hook_verdict_clear(&v);
}

static void github(void)
{
    const struct das_sign_pair headers[] = {
        {T("X-Hub-Signature-256"),
         T("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")}};
    const struct das_hook_conf c = {
        .name = "g", .platform = DAS_HOOK_GITHUB, .secrets = one("It's a Secret to Everybody")};
    struct das_hook_verdict v = judge(&c, "POST", "/g", headers, 1, "Hello, World!", 1);

    ok(v.outcome == DAS_HOOK_ACCEPTED && body_is(&v, "Hello, World!") &&
           v.format == DAS_HOOK_BYTES && v.id_count == 1,
       "github: the body of its documentation");
    das_hook_verdict_clear(&v);
}

static void standard(void)
{
    static const char good[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    static const char *const lists[] = {
        good,
        "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ"
        "1OE=",
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/"
        "enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg== "
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v2 v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    static const char *const bad[] = {
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,short",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=,v1,x",
        "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1 g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    struct das_sign_pair headers[] = {{T("webhook-id"), T("msg_p5jXN8AQM9LWM0D4loKWxJek")},
                                      {T("webhook-timestamp"), T("1614265330")},
                                      {T("webhook-signature"), T(good)}};
    const struct das_hook_conf c = {.name = "s",
                                    .platform = DAS_HOOK_STANDARD,
                                    .secrets = one("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")};
    struct das_hook_verdict v;

    for (size_t i = 0; i < COUNT(lists); i++) {
        headers[2].value = das_text_of(lists[i]);
        v = judge(&c, "POST", "/s", headers, 3, "{\"test\": 2432232314}", 1614265330);
        ok(v.outcome == DAS_HOOK_ACCEPTED && v.format == DAS_HOOK_JSON, "standard: list %zu", i);
        is_str(v.ids ? v.ids[0].text : "", "msg_p5jXN8AQM9LWM0D4loKWxJek", "standard: its id");
        das_hook_verdict_clear(&v);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        headers[2].value = das_text_of(bad[i]);
        v = judge(&c, "POST", "/s", headers, 3, "{\"test\": 2432232314}", 1614265330);
        ok(v.outcome == DAS_HOOK_REFUSED && v.status == 400, "standard: bad list %zu", i);
        das_hook_verdict_clear(&v);
    }
}

/* The test of PagerDuty's Go library. */
static const char pagerduty_body[] =
    "{\"event\":{\"id\":\"01BWDWL3NYY7LUFPZCC28QUCMK\",\"event_type\":\"incident.priority_"
    "updated\","
    "\"resource_type\":\"incident\",\"occurred_at\":\"2021-04-26T17:36:27.458Z\",\"agent\":{"
    "\"html_url\":\"https://acme.pagerduty.com/users/PLH1HKV\",\"id\":\"PLH1HKV\",\"self\":\"https"
    "://api.pagerduty.com/users/PLH1HKV\",\"summary\":\"Tenex Engineer\",\"type\":\"user_reference"
    "\"},\"client\":null,\"data\":{\"id\":\"PGR0VU2\",\"type\":\"incident\",\"self\":\"https://api."
    "pagerduty.com/incidents/PGR0VU2\",\"html_url\":\"https://acme.pagerduty.com/incidents/PGR0VU2"
    "\",\"number\":2,\"status\":\"triggered\",\"title\":\"A little bump in the road\",\"service\":{"
    "\"html_url\":\"https://acme.pagerduty.com/services/PF9KMXH\",\"id\":\"PF9KMXH\",\"self\":"
    "\"https://api.pagerduty.com/services/PF9KMXH\",\"summary\":\"API Service\",\"type\":"
    "\"service_reference\"},\"assignees\":[{\"html_url\":\"https://acme.pagerduty.com/users/PTUXL6G"
    "\",\"id\":\"PTUXL6G\",\"self\":\"https://api.pagerduty.com/users/PTUXL6G\",\"summary\":\"User "
    "123\",\"type\":\"user_reference\"}],\"escalation_policy\":{\"html_url\":\"https://acme."
    "pagerduty.com/escalation_policies/PUS0KTE\",\"id\":\"PUS0KTE\",\"self\":\"https://api."
    "pagerduty.com/escalation_policies/PUS0KTE\",\"summary\":\"Default\",\"type\":"
    "\"escalation_policy_reference\"},\"teams\":[{\"html_url\":\"https://acme.pagerduty.com/teams/"
    "PFCVPS0\",\"id\":\"PFCVPS0\",\"self\":\"https://api.pagerduty.com/teams/PFCVPS0\",\"summary\":"
    "\"Engineering\",\"type\":\"team_reference\"}],\"priority\":{\"html_url\":\"https://acme."
    "pagerduty.com/account/incident_priorities\",\"id\":\"PSO75BM\",\"self\":\"https://"
    "api.pagerduty"
    ".com/priorities/PSO75BM\",\"summary\":\"P1\",\"type\":\"priority_reference\"},\"urgency\":"
    "\"high\",\"conference_bridge\":{\"conference_number\":1000,\"conference_url\":\"https://"
    "example."
    "com\"},\"resolve_reason\":null}}}";

static void pagerduty(void)
{
    static const char good[] =
        "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd";
    static const char other[] =
        "v1=7020c8a7ec668a9b7012bc3dd82e483394b038f4230acc6785efbf2a7d8bcaf5";
    const struct {
        const char *first, *second;
        int status; /* 0: accepted */
    } lists[] = {{good, NULL, 0},    {other, good, 0},    {good, other, 0},
                 {"v2=x", good, 0},  {other, NULL, 403},  {other, other, 403},
                 {"v1=", good, 400}, {"v2=x", NULL, 400}, {"v1=0C0B", good, 400},
                 {"v1", NULL, 400}};
    const struct das_hook_conf c = {
        .name = "p",
        .platform = DAS_HOOK_PAGERDUTY,
        .secrets = one("lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK")};

    is_int(strlen(pagerduty_body), 1655, "pagerduty: all of the body");
    for (size_t i = 0; i < COUNT(lists); i++) {
        char list[200];
        struct das_sign_pair h = {T("X-PagerDuty-Signature"), DAS_TEXT_NULL};
        struct das_hook_verdict v;
        snprintf(list, sizeof list, "%s%s%s", lists[i].first, lists[i].second ? "," : "",
                 lists[i].second ? lists[i].second : "");
        h.value = das_text_of(list);
        v = judge(&c, "POST", "/p", &h, 1, pagerduty_body, 1619458587);
        if (lists[i].status) {
            is_int(v.status, lists[i].status, "pagerduty: bad list %zu", i);
        } else {
            ok(v.outcome == DAS_HOOK_ACCEPTED && v.time_ms == 1619458587000, "pagerduty: list %zu",
               i);
            is_str(v.ids ? v.ids[0].text : "", "01BWDWL3NYY7LUFPZCC28QUCMK", "pagerduty: its id");
        }
        das_hook_verdict_clear(&v);
    }
}

static void teams(void)
{
    const struct das_sign_pair h = {T("Authorization"),
                                    T("HMAC OsI22fOxGbRqh5cP8AMgGG80vP5pVkuGv1D1ft388ls=")};
    const struct das_hook_conf c = {.name = "t",
                                    .platform = DAS_HOOK_TEAMS,
                                    .secrets = one("vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=")};
    struct das_hook_verdict v =
        judge(&c, "POST", "/t", &h, 1, "{\"type\":\"message\",\"text\":\"hi\"}", 1);

    ok(v.outcome == DAS_HOOK_ACCEPTED && v.kind == DAS_HOOK_MESSAGE && v.window_ms == 0,
       "teams: a message without a time");
    das_hook_verdict_clear(&v);
}

/* The sample of WeCom's documentation; its EncodingAESKey and corp id. */
static void wecom(void)
{
    static const char target[] =
        "/w?msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&"
        "nonce=263014780&echostr=P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%"
        "2B4"
        "RPcs8TgAE7OaBO%2BFZXvnaqQ%3D%3D";
    struct das_hook_conf c = {.name = "w",
                              .platform = DAS_HOOK_WECOM,
                              .tokens = one("QDG6eK"),
                              .encrypt_keys = one("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
                              .receive_id = T("wx5823bf96d3bd56c7")};
    struct das_hook_verdict v = judge(&c, "GET", target, NULL, 0, "", 1409659589);

    ok(v.outcome == DAS_HOOK_ANSWERED && v.status == 200, "wecom: the question of its sample");
    is_str(v.answer.ptr, "1616140317555161061", "wecom: its answer");
    das_hook_verdict_clear(&v);
    c.receive_id = T("wx5823bf96d3bd56c8");
    v = judge(&c, "GET", target, NULL, 0, "", 1409659589);
    ok(v.outcome == DAS_HOOK_REFUSED && v.status == 401, "wecom: for another");
    das_hook_verdict_clear(&v);
    c.tokens = one("QDG6eL");
    v = judge(&c, "GET", target, NULL, 0, "", 1409659589);
    ok(v.outcome == DAS_HOOK_REFUSED && v.status == 401, "wecom: another token");
    das_hook_verdict_clear(&v);
}

/* The example of Feishu's documentation is no event, only text: so the parts that decrypt it. */
static void feishu(void)
{
    struct das_buf blob = {0}, plain = {0};
    struct das_hash_value key;

    must(das_hash(DAS_SHA256, T("test key"), &key, &err) == 0 &&
             das_base64_decode(DAS_BASE64, true, T("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="),
                               &blob, &err) == 0,
         "key and blob");
    is_int(das_aes_cbc_decrypt(das_text((const char *)key.bytes, key.len), das_text(blob.ptr, 16),
                               das_text(blob.ptr + 16, blob.len - 16), DAS_PAD_PKCS7, &plain, &err),
           0, "feishu: the example of its documentation");
    is_str(plain.ptr, "hello world", "feishu: what it says");
    das_buf_clear(&blob);
    das_buf_clear(&plain);
}

/* What of it is encoded is the same as in the specification. */
static void cloudevents(void)
{
    const struct das_sign_pair headers[] = {
        {T("Authorization"), T("Bearer t")},
        {T("ce-specversion"), T("1.0")},
        {T("ce-id"), T("1")},
        {T("ce-source"), T("/s")},
        {T("ce-type"), T("t")},
        {T("ce-subject"), T("Euro%20%E2%82%AC%20%F0%9F%98%80")}};
    const struct das_hook_conf c = {
        .name = "c", .platform = DAS_HOOK_CLOUDEVENTS, .tokens = one("t")};
    struct das_hook_verdict v = judge(&c, "POST", "/c", headers, 6, "", 1);

    ok(v.outcome == DAS_HOOK_ACCEPTED, "cloudevents: the header of its specification");
    is_str(v.bytes.ptr,
           "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
           "\"subject\":\"Euro \xe2\x82\xac \xf0\x9f\x98\x80\"}",
           "cloudevents: what it says");
    das_hook_verdict_clear(&v);
}

int main(void)
{
    slack();
    github();
    standard();
    pagerduty();
    teams();
    wecom();
    feishu();
    cloudevents();
    return tap_done();
}
