/*
 * test_hook_services.c - the same as test_hook_forms.c for what no person writes to: services that
 * sign, alerts, bearer tokens, CloudEvents; and bodies that are too much.
 */
#include "tests/unit/hook_judge.h"

static void services(void)
{
    static struct hook h; /* what v borrows */

    hook_make(&h, DAS_HOOK_GITHUB, 0, HOOK_NOW, NULL);
    hook_header(&h, "Content-Type", "application/json; charset=utf-8");
    judge(&h);
    accepted(DAS_HOOK_EVENT, "issues", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "github: an event");
    ok(v.format == DAS_HOOK_JSON && *v.proof, "in JSON, and its signature counts once");
    snprintf(h.values[1], HOOK_TEXT, "ping");
    judge(&h);
    answered(JSON, "{\"ok\":true}", "github's ping");
    send(DAS_HOOK_PAGERDUTY, NULL);
    accepted(DAS_HOOK_ALERT, "incident.triggered", "01BWDWL3NYY7", "pagerduty: an event");
    send(DAS_HOOK_PAGERDUTY, "{\"event\":{\"id\":\"1\",\"event_type\":\"pagey.ping\","
                             "\"occurred_at\":\"2025-12-25T09:31:44.000Z\"}}");
    answered(JSON, "{\"ok\":true}", "pagerduty's ping");
    send(DAS_HOOK_PAGERDUTY, "{\"event\":{\"id\":\"1\",\"event_type\":\"x\"}}");
    refused(400, "time", "pagerduty: no time");
    send(DAS_HOOK_PAGERDUTY, "{\"event\":{\"id\":\"1\"}}");
    refused(400, "event", "pagerduty: no type");
    send(DAS_HOOK_PAGERDUTY, "[]");
    refused(400, "object", "pagerduty: a list");
    hook_make(&h, DAS_HOOK_STANDARD, 0, HOOK_NOW, NULL);
    snprintf(h.values[0], HOOK_TEXT, "msg.1");
    judge(&h);
    refused(400, "point", "standard: an id with a point");
}

static void alerts(void)
{
    char first[DAS_HOOK_ID_SIZE];
    struct hook h;

    send(DAS_HOOK_ALERTMANAGER, NULL);
    accepted(DAS_HOOK_ALERT, "firing", NULL, "alertmanager");
    is_int(v.id_count, 2, "an id for each alert");
    ok(strcmp(v.ids[0].text, v.ids[1].text) != 0, "each its own");
    snprintf(first, sizeof first, "%s", v.ids[0].text);
    send(DAS_HOOK_ALERTMANAGER,
         "{\"version\":\"4\",\"receiver\":\"das\",\"alerts\":[{\"fingerprint\":\"c0ffee\","
         "\"labels\":{\"a\":\"other\"},\"startsAt\":\"2025-12-25T09:30:00Z\",\"status\":\"firing\"}"
         "]}");
    is_str(v.ids ? v.ids[0].text : "", first, "told again in another group it is the same");
    send(DAS_HOOK_ALERTMANAGER,
         "{\"version\":\"4\",\"receiver\":\"das\",\"alerts\":[{\"fingerprint\":\"c0ffee\","
         "\"labels\":{},\"startsAt\":\"2025-12-25T09:30:00Z\",\"status\":\"resolved\"}]}");
    ok(v.ids && strcmp(v.ids[0].text, first) != 0, "resolved it is another");
    send(DAS_HOOK_ALERTMANAGER,
         "{\"version\":\"4\",\"receiver\":\"das\",\"alerts\":[{\"labels\":{\"b\":\"2\",\"a\":\"1\"}"
         ",\"startsAt\":\"x\",\"status\":\"firing\"},{\"labels\":{\"a\":\"1\",\"b\":\"2\"},"
         "\"startsAt\":\"x\",\"status\":\"firing\"}]}");
    ok(v.id_count == 2 && strcmp(v.ids[0].text, v.ids[1].text) == 0,
       "without a fingerprint its labels count, in any order");
    send(DAS_HOOK_ALERTMANAGER, "{\"version\":\"3\",\"receiver\":\"das\",\"alerts\":[]}");
    refused(400, "version 4", "another version");
    send(DAS_HOOK_ALERTMANAGER, "{\"version\":4,\"receiver\":\"das\"}");
    refused(400, "version 4", "a version that is a number");
    send(DAS_HOOK_ALERTMANAGER, "{\"version\":\"4\",\"receiver\":\"das\",\"alerts\":[]}");
    refused(400, "no alerts", "none");
    send(DAS_HOOK_ALERTMANAGER, "{\"version\":\"4\",\"receiver\":\"das\",\"alerts\":[7]}");
    refused(400, "no alerts", "one that is a number");

    send(DAS_HOOK_GRAFANA, NULL);
    ok(v.outcome == DAS_HOOK_ACCEPTED && v.id_count == 2, "grafana: its alerts");
    send(DAS_HOOK_GRAFANA, "{\"title\":\"test\"}");
    ok(v.outcome == DAS_HOOK_ACCEPTED && v.id_count == 1, "grafana: a body of another form");
    hook_make(&h, DAS_HOOK_GRAFANA, 0, HOOK_NOW, NULL);
    h.conf.timestamp_header = DAS_TEXT_NULL;
    h.conf.signature_header = das_text_of("X-Mine");
    h.count = 0;
    hook_sign(&h, 1, HOOK_NOW);
    judge(&h);
    refused(401, "X-Mine", "grafana: another name of the header");
    snprintf(h.sig_header, sizeof h.sig_header, "x-mine");
    judge(&h);
    ok(v.outcome == DAS_HOOK_ACCEPTED && v.window_ms == 0, "grafana: with it, and without a time");
}

/* --- who may speak ---------------------------------------------------------------------------- */

static void authorization(void)
{
    static const struct {
        const char *value;
        int status; /* 0: accepted */
    } list[] = {
        {"Bearer a-token_1", 0},
        {"bearer another-token_2", 0},
        {"Bearer  a-token_1", 401},
        {"Bearer a-token_1x", 401},
        {"Bearer", 401},
        {"a-token_1", 401},
        {"Token a-token_1", 401},
        {"Basic dXNlcjpwYXNz", 0},       /* user:pass */
        {"basic dXNlcjpuZXh0", 0},       /* user:next */
        {"Basic dXNlcjpwYXN0", 401},     /* user:past */
        {"Basic dXNlcjo=", 401},         /* user: */
        {"Basic dXNlcg==", 401},         /* user */
        {"Basic dXNlcnBhc3M=", 401},     /* userpass */
        {"Basic VXNlcjpwYXNz", 401},     /* User:pass */
        {"Basic OnBhc3M=", 401},         /* :pass */
        {"Basic dXNlcjpwYXNzOg==", 401}, /* user:pass: */
        {"Basic dXNlcjpwYXNz=", 401},
        {"Basic dXNlcjpwYXN", 401},
        {"Basic ", 401},
    };
    struct hook h;

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        hook_make(&h, DAS_HOOK_BEARER, 0, HOOK_NOW, NULL);
        h.conf.user = das_text_of("user");
        h.conf.passwords = (struct das_hook_list){{das_text_of("pass"), das_text_of("next")}, 2};
        must(das_hook_conf_check(&h.conf, &err) == 0, "%s", err.msg);
        snprintf(h.sig, sizeof h.sig, "%s", list[i].value);
        judge(&h);
        ok(list[i].status ? v.outcome == DAS_HOOK_REFUSED && v.status == list[i].status
                          : v.outcome == DAS_HOOK_ACCEPTED,
           "Authorization: %s", list[i].value);
        ok(!strstr(v.reason, "token_") && !strstr(v.reason, "pass"), "the reason tells no secret");
    }
    hook_make(&h, DAS_HOOK_BEARER, 0, HOOK_NOW, NULL);
    snprintf(h.sig, sizeof h.sig, "Basic Og=="); /* ":" */
    judge(&h);
    refused(401, "nobody", "basic where there is no user");
}

static void anything(void)
{
    static struct hook h; /* what v borrows */
    char id[DAS_HOOK_ID_SIZE];

    send(DAS_HOOK_BEARER, "{}");
    accepted(DAS_HOOK_EVENT, "", NULL, "bearer: a body");
    ok(v.keep_ms == 600000 && v.format == DAS_HOOK_JSON, "the same bytes are the same for a while");
    snprintf(id, sizeof id, "%s", v.ids[0].text);
    hook_make(&h, DAS_HOOK_BEARER, 0, HOOK_NOW, "{}");
    hook_header(&h, "Idempotency-Key", "k-1");
    judge(&h);
    accepted(DAS_HOOK_EVENT, "", "k-1", "bearer: an id of its own");
    ok(v.keep_ms > 600000, "which is remembered longer");
    h.conf.id_header = das_text_of("X-Run");
    judge(&h);
    accepted(DAS_HOOK_EVENT, "", id, "bearer: it is another header");
    snprintf(h.names[1], sizeof h.names[1], "x-run");
    memset(h.values[1], 'k', 101);
    judge(&h);
    ok(strncmp(v.ids[0].text, "sha256:", 7) == 0, "a long id becomes its hash");
    snprintf(h.values[1], HOOK_TEXT, "a b");
    judge(&h);
    ok(strncmp(v.ids[0].text, "sha256:", 7) == 0, "so does a strange one");
    snprintf(h.values[0], HOOK_TEXT, "text/plain");
    hook_body(&h, "");
    judge(&h);
    ok(v.outcome == DAS_HOOK_ACCEPTED && v.format == DAS_HOOK_BYTES, "any bytes, or none");
}

/* --- CloudEvents ------------------------------------------------------------------------------ */

static void binary(struct hook *h, const char *subject, const char *body, const char *type)
{
    hook_make(h, DAS_HOOK_CLOUDEVENTS, 0, HOOK_NOW, body);
    snprintf(h->values[0], HOOK_TEXT, "%s", type);
    hook_header(h, "CE-SpecVersion", "1.0");
    hook_header(h, "ce-id", "1");
    hook_header(h, "ce-source", "/db");
    hook_header(h, "ce-type", "slow");
    if (subject)
        hook_header(h, "ce-subject", subject);
    judge(h);
}

#define ATTRIBUTES "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/db\",\"type\":\"slow\""

static void cloudevents(void)
{
    static const char *const good[][2] = {{"a", "a"},
                                          {"%41%2541", "A%41"},
                                          {"a b", "a b"},
                                          {"\"a \\\" \\\\b%20\"", "a \\\" \\\\b "},
                                          {"%e2%82%ac", "\xe2\x82\xac"},
                                          {"a\"b", "a\\\"b"}};
    static const char *const bad[] = {"%C0%A0",       "%",        "%2",  "%zz",   "%ff",
                                      "\xe2\x82\xac", "%00",      "%0A", "a%7fb", "\"a\"b\"",
                                      "\"a\\\"",      "%ED%A0%80"};
    struct hook h;
    char want[400], first[DAS_HOOK_ID_SIZE];

    binary(&h, NULL, "{\"a\":[1, 2]}", "application/json");
    accepted(DAS_HOOK_EVENT, "slow", NULL, "an event in headers");
    snprintf(first, sizeof first, "%s", v.ids[0].text);
    ok(body_is(ATTRIBUTES ",\"datacontenttype\":\"application/json\",\"data\":{\"a\":[1, 2]}}"),
       "becomes one in a body");
    binary(&h, NULL, "hi", "text/plain");
    ok(body_is(ATTRIBUTES ",\"datacontenttype\":\"text/plain\",\"data_base64\":\"aGk=\"}"),
       "with other data as base64");
    binary(&h, NULL, "{", "application/problem+json");
    refused(400, "not JSON", "data that is not what it says");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        binary(&h, good[i][0], "", "text/plain");
        snprintf(want, sizeof want,
                 ATTRIBUTES ",\"subject\":\"%s\",\"datacontenttype\":\"text/plain\"}", good[i][1]);
        ok(body_is(want), "ce-subject: %s", good[i][0]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        binary(&h, bad[i], "", "text/plain");
        refused(400, "cannot be read", bad[i]);
    }
    binary(&h, "", "", "text/plain");
    refused(400, "cannot be read", "an empty attribute");
    hook_header(&h, "ce-subject", "x");
    h.values[5][0] = 'x';
    judge(&h);
    refused(400, "more than once", "an attribute twice");
    snprintf(h.names[5], sizeof h.names[5], "ce-datacontenttype");
    judge(&h);
    refused(400, "no attribute", "ce-datacontenttype");
    snprintf(h.names[5], sizeof h.names[5], "ce-a_b");
    judge(&h);
    refused(400, "no attribute", "a strange name");

    send(DAS_HOOK_CLOUDEVENTS, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/db\","
                               "\"type\":\"slow\"}");
    accepted(DAS_HOOK_EVENT, "slow", first, "an event in the body has the same id");
    send(DAS_HOOK_CLOUDEVENTS, "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/db\","
                               "\"type\":\"slow\"}");
    refused(400, "version 1.0", "another version");
    send(DAS_HOOK_CLOUDEVENTS, "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/\",\"type\":"
                               "\"t\"}");
    refused(400, "without id", "no id");
    send(DAS_HOOK_CLOUDEVENTS, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":"
                               "\"t\",\"time\":7}");
    refused(400, "time", "a time that is none");
    hook_make(&h, DAS_HOOK_CLOUDEVENTS, 0, HOOK_NOW, NULL);
    snprintf(h.values[0], HOOK_TEXT, "application/cloudevents+xml");
    judge(&h);
    refused(400, "Content-Type", "another form");
}

static void batches(void)
{
    static const char two[] =
        "[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"t\"},"
        "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/\",\"type\":\"t\"}]";
    static struct hook h; /* what v borrows */

    hook_make(&h, DAS_HOOK_CLOUDEVENTS, 0, HOOK_NOW, two);
    snprintf(h.values[0], HOOK_TEXT, "application/cloudevents-batch+json; charset=UTF-8");
    judge(&h);
    refused(400, "nobody has asked", "a batch");
    h.conf.batch = true;
    judge(&h);
    ok(v.outcome == DAS_HOOK_ACCEPTED && v.id_count == 2 && body_is(two), "where it may be");
    hook_body(&h, "[]");
    judge(&h);
    ok(v.outcome == DAS_HOOK_ANSWERED && v.status == 204 && !v.type, "an empty one is done");
    hook_body(&h, "[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"t\"},{}]");
    judge(&h);
    refused(400, "version", "one of them is none");
    hook_body(&h, "{}");
    judge(&h);
    refused(400, "array", "no batch");

    hook_make(&h, DAS_HOOK_CLOUDEVENTS, 0, HOOK_NOW, "");
    snprintf(h.method, sizeof h.method, "OPTIONS");
    h.count = 0;
    snprintf(h.sig_header, sizeof h.sig_header, "WebHook-Request-Origin");
    snprintf(h.sig, sizeof h.sig, "events.example.com");
    judge(&h);
    refused(403, "origins", "somebody asks whether he may send");
    h.conf.origins =
        (struct das_hook_list){{das_text_of("x"), das_text_of("Events.Example.com")}, 2};
    h.conf.rate = 120;
    judge(&h);
    answered(NULL, "", "one who may");
    ok(v.extra_count == 2 && das_text_is(v.extra[0].name, "WebHook-Allowed-Origin") &&
           das_text_is(v.extra[0].value, "events.example.com") &&
           das_text_is(v.extra[1].name, "WebHook-Allowed-Rate") &&
           das_text_is(v.extra[1].value, "120"),
       "and how much");
    h.conf.origins = (struct das_hook_list){{das_text_of("*")}, 1};
    h.conf.rate = 0;
    judge(&h);
    ok(v.extra_count == 2 && das_text_is(v.extra[1].value, "*"), "anybody, as much as he wants");
}

/* What would take too much to look at, of somebody who has proven nothing yet. */
static void heavy(void)
{
    static char big[(64 << 10) + 1];
    struct hook h;

    memset(big, '[', sizeof big);
    hook_make(&h, DAS_HOOK_TELEGRAM, 0, HOOK_NOW, NULL);
    memcpy(h.body, big, 5000);
    h.body_len = 5000;
    judge(&h);
    refused(400, "too much", "deep JSON");
    for (int i = 0; i < 3; i++) {
        static const enum das_hook_platform of[] = {DAS_HOOK_FEISHU, DAS_HOOK_FEISHU_CARD,
                                                    DAS_HOOK_MATTERMOST};
        hook_make(&h, of[i], 0, HOOK_NOW, NULL);
        unsign(&h);
        hook_put_together(&h);
        for (size_t n = sizeof big - 1; n <= sizeof big; n++) {
            das_hook_verdict_clear(&v);
            h.request.body = das_text(big, n);
            if (das_hook_verify(&h.conf, &h.request, h.now_ms, &v, &err) < 0)
                hook_die(err.msg);
            ok(v.outcome == DAS_HOOK_REFUSED &&
                   (n < sizeof big) ==
                       (strncmp(v.reason, "body: ", 6) == 0 && !strstr(v.reason, "too long")),
               "%s: %zu bytes unsigned: %s", das_hook_platforms[of[i]].name, n, v.reason);
        }
    }
}

int main(void)
{
    services();
    alerts();
    authorization();
    anything();
    cloudevents();
    batches();
    heavy();
    das_hook_verdict_clear(&v);
    return tap_done();
}
