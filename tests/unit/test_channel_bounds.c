/* test_channel_bounds.c - no message breaks the limits of any platform or out of its markup, none
 * says a secret, and none is lost when memory runs out; and channels that cannot be. */
#include "tests/unit/channel_all.h"

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
    begin_all();
    within_limits();
    whole_text();
    slack_parts();
    not_markup();
    ok(has_utf8_body(), "what was no UTF-8 is, then");
    secrets();
    random_ones();
    no_memory();
    settled();
    return end_all();
}
