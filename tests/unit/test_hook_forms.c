/*
 * test_hook_forms.c - what requests to hooks say: chats: handshakes and their answers, kinds, ids, what
 * is decrypted or unpacked, and bodies that are signed well and still mean nothing.
 */
#include "tests/unit/hook_judge.h"

/* --- Slack ------------------------------------------------------------------------------------ */

static void slack(void)
{
    static const char event[] = "{\"type\":\"event_callback\",\"event_id\":\"Ev08MFMKH6\","
                                "\"event\":{\"type\":\"app_mention\"}}";

    send(DAS_HOOK_SLACK, "{\"type\":\"url_verification\",\"challenge\":\"3eZb\\\"rz\"}");
    answered(JSON, "{\"challenge\":\"3eZb\\\"rz\"}", "slack's question");
    send(DAS_HOOK_SLACK, "{\"type\":\"url_verification\"}");
    refused(400, "challenge", "a question without one");
    send(DAS_HOOK_SLACK, "ssl_check=1&token=x");
    answered(PLAIN, "", "slack looks whether we are there");
    send(DAS_HOOK_SLACK, event);
    accepted(DAS_HOOK_MESSAGE, "app_mention", "Ev08MFMKH6", "a mention");
    ok(body_is(event) && v.format == DAS_HOOK_JSON, "its body");
    send(DAS_HOOK_SLACK, "payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%221.2"
                         "%22%2C%22a%22%3A%22+%2B%22%7D");
    accepted(DAS_HOOK_BUTTON, "block_actions", "1.2", "a button");
    ok(body_is("{\"type\":\"block_actions\",\"trigger_id\":\"1.2\",\"a\":\" +\"}") &&
           v.format == DAS_HOOK_JSON,
       "its payload is the body");
    send(DAS_HOOK_SLACK, "payload=%7B%22type%22%3A%22view_closed%22%7D");
    accepted(DAS_HOOK_EVENT, "view_closed", NULL, "a view");
    ok(strncmp(v.ids[0].text, "sha256:", 7) == 0 && strlen(v.ids[0].text) == 71,
       "without an id it has a hash");
    send(DAS_HOOK_SLACK, "command=%2Fdas&text=a");
    accepted(DAS_HOOK_COMMAND, "/das", NULL, "a command without an id");
    send(DAS_HOOK_SLACK, "command=%2Fdas&command=%2Fdas&trigger_id=1");
    refused(400, "twice", "two commands");
    send(DAS_HOOK_SLACK, "command=%2Fdas&payload=%7B%7D");
    refused(400, "twice", "command and payload");
    send(DAS_HOOK_SLACK, "text=a");
    refused(400, "neither", "neither of them");
    send(DAS_HOOK_SLACK, "payload=%7B%22a%22");
    refused(400, "not JSON", "half a payload");
    send(DAS_HOOK_SLACK, "payload=%5B1%5D");
    refused(400, "object", "a payload that is a list");
    send(DAS_HOOK_SLACK, "{\"type\":\"event_callback\",\"type\":\"url_verification\"}");
    refused(400, "not JSON", "a key that is there twice");
    send(DAS_HOOK_SLACK, "command=%2");
    refused(400, "neither a form", "half a percent sign");
    send(DAS_HOOK_SLACK, "");
    refused(400, "neither", "nothing");
}

/* --- Feishu ----------------------------------------------------------------------------------- */

static void feishu(void)
{
    static const char question[] =
        "{\"challenge\":\"ajls384k\",\"token\":\"another-token_2\",\"type\":\"url_verification\"}";
    struct hook h;

    send(DAS_HOOK_FEISHU, question);
    answered(JSON, "{\"challenge\":\"ajls384k\"}", "feishu's question, signed");
    hook_make(&h, DAS_HOOK_FEISHU, 1, HOOK_NOW, question);
    unsign(&h);
    judge(&h);
    answered(JSON, "{\"challenge\":\"ajls384k\"}", "and unsigned, as it comes");
    hook_make(&h, DAS_HOOK_FEISHU, 0, HOOK_NOW,
              "{\"challenge\":\"x\",\"token\":\"wrong\",\"type\":\"url_verification\"}");
    unsign(&h);
    judge(&h);
    refused(401, "token", "a question with another token");
    hook_make(&h, DAS_HOOK_FEISHU, 0, HOOK_NOW,
              "{\"token\":\"a-token_1\",\"type\":"
              "\"url_verification\"}");
    judge(&h);
    refused(400, "challenge", "a question without a challenge");
    hook_make(&h, DAS_HOOK_FEISHU, 0, HOOK_NOW, NULL);
    unsign(&h);
    judge(&h);
    refused(401, "missing", "anything else unsigned");
    hook_make(&h, DAS_HOOK_FEISHU, 0, HOOK_NOW, NULL);
    h.count = 1;
    judge(&h);
    refused(401, "not all", "half of the headers");

    send(DAS_HOOK_FEISHU, NULL);
    accepted(DAS_HOOK_MESSAGE, "im.message.receive_v1", "f7984f25", "a message");
    ok(v.body.len && v.body.ptr[0] == '{' && v.format == DAS_HOOK_JSON, "decrypted");
    send(DAS_HOOK_FEISHU, "{\"schema\":\"2.0\",\"header\":{\"event_id\":\"e1\",\"token\":"
                          "\"a-token_1\",\"event_type\":\"card.action.trigger\"}}");
    accepted(DAS_HOOK_BUTTON, "card.action.trigger", "e1", "a button");
    send(DAS_HOOK_FEISHU, "{\"uuid\":\"u1\",\"token\":\"a-token_1\",\"type\":\"event_callback\","
                          "\"event\":{\"type\":\"message\"}}");
    accepted(DAS_HOOK_MESSAGE, "message", "u1", "an event of the first form");
    send(DAS_HOOK_FEISHU, "{\"header\":{\"event_id\":\"e1\",\"token\":\"wrong\"}}");
    refused(401, "token", "another token");
    send(DAS_HOOK_FEISHU, "{\"header\":{\"event_id\":\"e1\"}}");
    refused(401, "token", "no token");
}

/* What is signed well, but not encrypted as it has to be. */
static void feishu_damage(void)
{
    static const struct {
        const char *body, *words;
        int status;
    } list[] = {
        {"{\"header\":{\"token\":\"a-token_1\"}}", "not encrypted", 400},
        {"{\"encrypt\":\"\"}", "not encrypted", 400},
        {"{\"encrypt\":7}", "not encrypted", 400},
        {"{\"encrypt\":\"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk\"}", "not base64", 400},
        {"{\"encrypt\":\"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzgg==\"}", "whole blocks", 400},
        {"{\"encrypt\":\"P37w+VZImNgPEO1RBhJ6Rg==\"}", "whole blocks", 400},
        {"{\"encrypt\":\"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=\"}", "not with", 401},
        {"[]", "object", 400},
        {"", "JSON", 400},
    };
    struct hook h;

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        hook_make(&h, DAS_HOOK_FEISHU, 0, HOOK_NOW, NULL);
        h.count = 0;
        hook_body(&h, list[i].body);
        hook_sign_feishu(&h, EVP_sha256(), hook_keys[0], HOOK_NOW);
        judge(&h);
        refused(list[i].status, list[i].words, list[i].body);
        unsign(&h);
        judge(&h);
        refused(401, list[i].words, "and unsigned, when nobody is told what is wrong");
    }
    hook_make(&h, DAS_HOOK_FEISHU, 0, HOOK_NOW, "{ with our key, and no JSON");
    unsign(&h);
    judge(&h);
    refused(401, "not JSON", "the same for what was encrypted with our key");
    send(DAS_HOOK_FEISHU_CARD, NULL);
    accepted(DAS_HOOK_BUTTON, "button", "c-113", "an old card");
    send(DAS_HOOK_FEISHU_CARD, "{\"token\":\"c-1\"}");
    refused(400, "no action", "a card without an action");
    hook_make(&h, DAS_HOOK_FEISHU_CARD, 0, HOOK_NOW,
              "{\"challenge\":\"y\",\"token\":\"a-token_1\",\"type\":\"url_verification\"}");
    unsign(&h);
    judge(&h);
    answered(JSON, "{\"challenge\":\"y\"}", "an old card's question");
    hook_make(&h, DAS_HOOK_FEISHU_CARD, 0, HOOK_NOW, NULL);
    unsign(&h);
    judge(&h);
    refused(401, "missing", "an old card unsigned");
}

/* --- WeCom ------------------------------------------------------------------------------------ */

/* Signed, with that in the envelope. */
static void send_wecom(const char *encrypted)
{
    static struct hook h;
    char body[8000];

    hook_make(&h, DAS_HOOK_WECOM, 0, HOOK_NOW, NULL);
    hook_sign_wecom(&h, encrypted, 0, HOOK_NOW);
    snprintf(body, sizeof body, "<xml><Encrypt>%.7000s</Encrypt></xml>", encrypted);
    hook_body(&h, body);
    judge(&h);
}

static void wecom(void)
{
    static const char event[] = "<xml><MsgType><![CDATA[event]]></MsgType><Event>"
                                "template_card_event</Event></xml>";
    static const uint32_t sizes[] = {0, 5, 7, 24, 25, 44, 45, 0x7fffffff, 0xffffffff};
    struct hook h;
    char text[12000];

    send(DAS_HOOK_WECOM, NULL);
    accepted(DAS_HOOK_MESSAGE, "text", "1234567890123456", "a message");
    ok(v.format == DAS_HOOK_XML && v.body.len > 5 && memcmp(v.body.ptr, "<xml>", 5) == 0,
       "decrypted");
    send(DAS_HOOK_WECOM, event);
    accepted(DAS_HOOK_BUTTON, "template_card_event", NULL, "a button");
    ok(body_is(event), "all of it");
    send(DAS_HOOK_WECOM, "<xml><MsgId>1</MsgId></xml>");
    refused(400, "not a message", "no type");
    send(DAS_HOOK_WECOM, "<xml><MsgType>a</MsgType><MsgType>b</MsgType></xml>");
    refused(400, "not a message", "two types");
    send(DAS_HOOK_WECOM, "");
    refused(400, "not a message", "nothing");

    hook_encrypt_wecom("echo", 4, HOOK_RECEIVE_ID, 1, text);
    hook_make(&h, DAS_HOOK_WECOM, 0, HOOK_NOW, NULL);
    hook_sign_wecom(&h, text, 0, HOOK_NOW);
    snprintf(h.method, sizeof h.method, "GET");
    h.body_len = 0;
    judge(&h);
    refused(401, "echostr", "a GET without echostr");
    strcat(h.path, "&echostr=");
    for (char *c = text, *to = strchr(h.path, '\0'); *c; c++)
        to += sprintf(to, strchr("+/=", *c) ? "%%%02X" : "%c", (unsigned)*c);
    judge(&h);
    answered(PLAIN, "echo", "wecom's question");
    strcat(h.path, "&nonce=263014780");
    judge(&h);
    refused(401, "once", "a part of the query twice");

    hook_encrypt_wecom("<xml/>", 6, "wx5823bf96d3bd56c8", 0, text);
    send_wecom(text);
    refused(401, "receive id", "for another corp");
    hook_encrypt_wecom("<xml/>", 6, HOOK_RECEIVE_ID "x", 0, text);
    send_wecom(text);
    refused(401, "receive id", "for a longer one");
    hook_encrypt_wecom("<xml/>", 6, "", 0, text);
    send_wecom(text);
    refused(401, "receive id", "for nobody");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hook_encrypt_wecom_as("<xml/>", 6, sizes[i], HOOK_RECEIVE_ID, 0, text);
        send_wecom(text);
        refused(401, "receive id", "a length that is wrong");
    }
    send_wecom("P9nAzCzyDtyTWESHep1vC5X9xho");
    refused(400, "base64", "what is no base64");
    send_wecom("P9nAzCzyDtyTWESHep1vCw==");
    refused(400, "blocks", "half a block");
    send_wecom("P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKk=");
    refused(401, "key", "one that is not ours");
}

/* Blocks cut off the front of what is encrypted, and given to the nonce: the same four strings. */
static void wecom_shift(void)
{
    struct hook h;
    char text[12000];

    hook_make(&h, DAS_HOOK_WECOM, 0, HOOK_NOW, NULL);
    hook_encrypt_wecom(h.body, 200, HOOK_RECEIVE_ID, 0, text);
    hook_sign_wecom(&h, text, 0, HOOK_NOW);
    for (size_t n = 128; n > 0; n -= 128) {
        char body[8000];
        snprintf(h.path, sizeof h.path, "/hooks/h?timestamp=%d&nonce=263014780%.*s", HOOK_NOW,
                 (int)n, text);
        snprintf(body, sizeof body, "<xml><Encrypt>%.7000s</Encrypt></xml>", text + n);
        hook_body(&h, body);
        judge(&h);
        refused(401, "nonce", "a nonce that is part of the message");
    }
}

static void xml(void)
{
    static const struct {
        const char *doc;
        int found;
        const char *value;
    } list[] = {
        {"<xml><A>1</A></xml>", 1, "1"},
        {"<xml><A><![CDATA[<b>&]]></A></xml>", 1, "<b>&"},
        {" <xml>\n <B>x</B>\n <A> 1 </A>\n</xml>\n", 1, "1"},
        {"<xml><A/></xml>", 1, ""},
        {"<xml><A></A></xml>", 1, ""},
        {"<xml><B><A>1</A></B></xml>", 0, NULL},
        {"<xml/>", 0, NULL},
        {"<xml><B>1 &amp; 2</B><A>3</A></xml>", 1, "3"},
        {"<xml><A>1 &amp; 2</A></xml>", -1, NULL},
        {"<xml><A>1</A><A>2</A></xml>", -1, NULL},
        {"<xml><A>1</A><A>1</A></xml>", -1, NULL},
        {"<xml><A>1<![CDATA[2]]></A></xml>", -1, NULL},
        {"<xml><A>1<B/>2</A></xml>", -1, NULL},
        {"<xml><A x=\"1\">1</A></xml>", -1, NULL},
        {"<xml><A>1</A>", -1, NULL},
        {"<xml><A>1</B></xml>", -1, NULL},
        {"<xml></xml><xml><A>1</A></xml>", -1, NULL},
        {"<xml><A>1</A></xml>x", -1, NULL},
        {"x<xml><A>1</A></xml>", -1, NULL},
        {"<!DOCTYPE a [<!ENTITY b \"c\">]><xml><A>1</A></xml>", -1, NULL},
        {"<?xml version=\"1.0\"?><xml><A>1</A></xml>", -1, NULL},
        {"<xml><!-- <A>2</A> --><A>1</A></xml>", -1, NULL},
        {"<xml><A><![CDATA[1</A></xml>", -1, NULL},
        {"<xml><A", -1, NULL},
        {"<", -1, NULL},
        {"", -1, NULL},
        {"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>"
         "</a></a></a></a></a></a></a></a>",
         -1, NULL},
    };
    struct das_text value;

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int rc = das_hook_xml_get(das_text_of(list[i].doc), "A", &value);
        ok(rc == list[i].found && (rc < 1 || das_text_is(value, list[i].value)), "XML %s",
           list[i].doc);
    }
    ok(das_hook_xml_get(DAS_TEXT_NULL, "A", &value) == -1, "no document");
}

static void forms(void)
{
    struct das_sign_target t = {0};
    struct das_text value;
    char many[2100];

    must(das_hook_form_read(das_text_of("a=1&b=%41+%2B&a=2&c&=d&&e="), &t, &err) == 0, "a form");
    is_int(das_hook_form_get(&t, "a", &value), -1, "twice");
    is_int(das_hook_form_get(&t, "b", &value), 1, "once");
    ok(das_text_is(value, "A +"), "decoded");
    is_int(das_hook_form_get(&t, "c", &value), 1, "without a value");
    is_int(das_hook_form_get(&t, "x", &value), 0, "not there");
    ok(!value.ptr, "so nothing");
    memset(many, '&', sizeof many);
    ok(das_hook_form_read(das_text(many, 1000), &t, &err) < 0 && err.code == DAS_E_DATA,
       "too many parts: %s", err.msg);
    is_int(das_hook_form_read(das_text(many, 999), &t, &err), 0, "not too many");
    das_sign_target_clear(&t);
}

/* --- others ----------------------------------------------------------------------------------- */

static void chats(void)
{
    static struct hook h; /* what v borrows */

    send(DAS_HOOK_DINGTALK, NULL);
    accepted(DAS_HOOK_MESSAGE, "text", "msg0xxxxx", "dingtalk: a message");
    ok(*v.proof != '\0', "its signature counts once");
    send(DAS_HOOK_DINGTALK, "{\"msgtype\":\"text\"}");
    refused(400, "msgId", "dingtalk: no id");
    send(DAS_HOOK_TEAMS, NULL);
    accepted(DAS_HOOK_MESSAGE, "message", "1485983408511", "teams: a message");
    send(DAS_HOOK_TEAMS, "{\"type\":\"message\",\"timestamp\":\"yesterday\"}");
    refused(400, "ISO 8601", "teams: a time that is none");
    send(DAS_HOOK_DISCORD, "{\"type\":1,\"id\":\"1\"}");
    answered(JSON, "{\"type\":1}", "discord's ping");
    send(DAS_HOOK_DISCORD, NULL);
    accepted(DAS_HOOK_COMMAND, "das", "786008729715212338", "discord: a command");
    send(DAS_HOOK_DISCORD, "{\"type\":3,\"id\":\"5\"}");
    accepted(DAS_HOOK_BUTTON, "", "5", "discord: a button");
    send(DAS_HOOK_DISCORD, "{\"type\":4,\"id\":\"5\"}");
    accepted(DAS_HOOK_EVENT, "", "5", "discord: what else there is");
    send(DAS_HOOK_DISCORD, "{\"type\":\"1\"}");
    refused(400, "type", "discord: a type that is a text");
    send(DAS_HOOK_TELEGRAM, NULL);
    accepted(DAS_HOOK_COMMAND, "message", "10000", "telegram: a command");
    send(DAS_HOOK_TELEGRAM, "{\"update_id\":5,\"message\":{\"text\":\"hi\"}}");
    accepted(DAS_HOOK_MESSAGE, "message", "5", "telegram: a message");
    send(DAS_HOOK_TELEGRAM, "{\"update_id\":6,\"callback_query\":{\"id\":\"1\"}}");
    accepted(DAS_HOOK_BUTTON, "callback_query", "6", "telegram: a button");
    send(DAS_HOOK_TELEGRAM, "{\"message\":{\"text\":\"hi\"}}");
    refused(400, "update_id", "telegram: no id");
    send(DAS_HOOK_MATTERMOST, NULL);
    accepted(DAS_HOOK_COMMAND, "/das", "dGhpcyBp", "mattermost: a command");
    send(DAS_HOOK_MATTERMOST, "user_id=u&token=a-token_1&command=%2Fdas");
    refused(401, "one token", "mattermost: a token twice");
    send(DAS_HOOK_MATTERMOST, "user_id=u");
    refused(400, "command", "mattermost: no command");

    hook_make(&h, DAS_HOOK_MATTERMOST, 0, HOOK_NOW, NULL);
    hook_body(&h, "{\"user_id\":\"u\",\"trigger_id\":\"t9\",\"context\":{\"value\":\"approve:1\","
                  "\"sign\":\"0fee7d5bb1d16b9ae81b1c8fd6a0b3c4\"}}");
    judge(&h);
    refused(401, "context", "mattermost: a button that is not ours");
}

/* das puts the signature into the button when it sends it. */
static void mattermost_button(void)
{
    static struct hook h; /* what v borrows */
    unsigned char mac[32];
    char hex[65], body[400];

    for (int i = 0; i < 3; i++) {
        const char *value = i < 2 ? "approve:1" : "approve:2", *said = "das.button:approve:1";
        hook_hmac(hook_tokens[i % 2], strlen(hook_tokens[i % 2]), said, strlen(said), mac);
        hook_hex(mac, 32, hex);
        hook_make(&h, DAS_HOOK_MATTERMOST, 0, HOOK_NOW, NULL);
        snprintf(body, sizeof body,
                 "{\"user_id\":\"u\",\"trigger_id\":\"t9\",\"context\":{\"value\":\"%s\","
                 "\"sign\":\"%s\"}}",
                 value, hex);
        hook_body(&h, body);
        judge(&h);
        if (i < 2)
            accepted(DAS_HOOK_BUTTON, "", "t9", "mattermost: a button of ours");
        else
            refused(401, "wrong", "mattermost: with another value");
    }
}

int main(void)
{
    slack();
    feishu();
    feishu_damage();
    wecom();
    wecom_shift();
    xml();
    forms();
    chats();
    mattermost_button();
    das_hook_verdict_clear(&v);
    return tap_done();
}
