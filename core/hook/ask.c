/*
 * ask.c - reads requests of chats (see ask.h), each platform in its own words. Nothing here is
 * trusted further than the verification reaches: ids are looked up, lines go through the grammar.
 */
#include "core/hook/ask.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

#define MINUTE_MS ((int64_t)60000)

/* --- small parts ------------------------------------------------------------------------------ */

static struct das_text member(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_string(v) ? das_text(json_string_value(v), json_string_length(v))
                             : DAS_TEXT_NULL;
}

static const json_t *inside(const json_t *o, const char *a, const char *b)
{
    return json_object_get(json_object_get(o, a), b);
}

/* An id of visible characters, or "": one that is cut off would be another one. */
static void put_id(char *to, size_t size, struct das_text t)
{
    to[0] = '\0';
    if (!t.len || t.len >= size)
        return;
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] <= ' ' || t.ptr[i] > '~')
            return;
    }
    memcpy(to, t.ptr, t.len);
    to[t.len] = '\0';
}

static void put_number(char *to, size_t size, const json_t *n)
{
    to[0] = '\0';
    if (json_is_integer(n))
        snprintf(to, size, "%lld", (long long)json_integer_value(n));
}

static void add_person(struct das_hook_ask *a, struct das_text id)
{
    for (int i = 0; i < DAS_HOOK_PERSON_IDS; i++) {
        if (*a->ids[i])
            continue;
        put_id(a->ids[i], sizeof a->ids[i], id);
        return;
    }
}

static int put_url(struct das_hook_ask *a, struct das_text url, int64_t until_ms, int uses,
                   struct das_err *err)
{
    if (!url.len || memchr(url.ptr, '\0', url.len))
        return 0;
    a->url = das_strndup(url.ptr, url.len);
    if (!a->url)
        return das_fail_nomem(err);
    a->url_until_ms = until_ms;
    a->url_uses = uses;
    return 0;
}

static void put_button(struct das_hook_ask *a, struct das_text value)
{
    a->what = DAS_HOOK_PRESS;
    a->button[0] = '\0';
    if (!value.len || value.len >= sizeof a->button || memchr(value.ptr, '\0', value.len))
        return;
    memcpy(a->button, value.ptr, value.len);
    a->button[value.len] = '\0';
}

static bool begins(struct das_text t, const char *with)
{
    size_t n = strlen(with);

    return t.len >= n && memcmp(t.ptr, with, n) == 0;
}

static bool is_made_of(struct das_text t, const char *letters)
{
    for (size_t i = 0; i < t.len; i++) {
        if (!t.ptr[i] || !strchr(letters, t.ptr[i]))
            return false;
    }
    return t.len > 0;
}

static struct das_text behind(struct das_text t, size_t n)
{
    return das_text_trim(das_text(t.ptr + n, t.len - n));
}

/* A chat's messages begin with whom they are for, and its commands with a "/". The first word is
 * left out where it is one of these; nothing else is. */
static struct das_text without_address(struct das_text t)
{
    size_t n = 0;

    t = das_text_trim(t);
    if (begins(t, "<at>")) { /* teams */
        const char *end = memmem(t.ptr, t.len, "</at>", 5);
        return end ? behind(t, (size_t)(end + 5 - t.ptr)) : t;
    }
    if (begins(t, "<@")) { /* slack */
        const char *end = memchr(t.ptr, '>', t.len);
        return end ? behind(t, (size_t)(end + 1 - t.ptr)) : t;
    }
    if (!begins(t, "@"))
        return t;
    while (n < t.len && !das_is_space((unsigned char)t.ptr[n]))
        n++;
    return behind(t, n);
}

/* What a platform writes for characters that mean something to it; all else stays. */
static void put_decoded(struct das_buf *b, struct das_text t)
{
    static const struct {
        const char *name;
        char is;
    } all[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&nbsp;", ' '}};

    for (size_t i = 0; i < t.len;) {
        size_t k = 0, n = sizeof all / sizeof *all;
        while (k < n && !begins(das_text(t.ptr + i, t.len - i), all[k].name))
            k++;
        das_buf_char(b, k < n ? all[k].is : t.ptr[i]);
        i += k < n ? strlen(all[k].name) : 1;
    }
}

static int put_line(struct das_hook_ask *a, struct das_text t, bool decode, struct das_err *err)
{
    a->what = DAS_HOOK_LINE;
    t = without_address(t);
    if (decode)
        put_decoded(&a->line, t);
    else
        das_buf_text(&a->line, t);
    return das_buf_ok(&a->line, err);
}

/* --- slack ------------------------------------------------------------------------------------ */

/* Mattermost's commands, too; it sends what was typed as it is. */
static int slash_form(struct das_text body, int64_t now_ms, bool decode, struct das_hook_ask *a,
                      struct das_err *err)
{
    struct das_sign_target t = {0};
    struct das_text user, text, url, chat;
    int rc = das_hook_form_read(body, &t, err);

    if (rc == 0 &&
        (das_hook_form_get(&t, "user_id", &user) != 1 || das_hook_form_get(&t, "text", &text) < 0 ||
         das_hook_form_get(&t, "response_url", &url) < 0 ||
         das_hook_form_get(&t, "channel_id", &chat) < 0))
        rc = das_fail(err, DAS_E_DATA, "body: expected user_id, text and response_url, each once");
    if (rc == 0) {
        add_person(a, user);
        put_id(a->chat, sizeof a->chat, chat);
        rc = put_url(a, url, now_ms + 30 * MINUTE_MS, 5, err);
    }
    if (rc == 0)
        rc = put_line(a, text, decode, err);
    das_sign_target_clear(&t);
    return rc;
}

static int slack(const struct das_hook_verdict *v, int64_t now_ms, struct das_hook_ask *a,
                 struct das_err *err)
{
    const json_t *event = json_object_get(a->json, "event");
    struct das_text type = member(event, "type");

    if (v->format == DAS_HOOK_FORM)
        return slash_form(v->body, now_ms, true, a, err);
    if (v->kind == DAS_HOOK_BUTTON) {
        const json_t *action = json_array_get(json_object_get(a->json, "actions"), 0);
        add_person(a, member(json_object_get(a->json, "user"), "id"));
        put_id(a->chat, sizeof a->chat, member(json_object_get(a->json, "channel"), "id"));
        put_button(a, member(action, "value"));
        return put_url(a, member(a->json, "response_url"), now_ms + 30 * MINUTE_MS, 5, err);
    }
    /* what a bot says is no command, least of all what das itself says */
    if (json_object_get(event, "bot_id") || json_object_get(event, "subtype") ||
        (!das_text_is(type, "app_mention") &&
         !(das_text_is(type, "message") && das_text_is(member(event, "channel_type"), "im"))))
        return 0;
    add_person(a, member(event, "user"));
    put_id(a->chat, sizeof a->chat, member(event, "channel"));
    return put_line(a, member(event, "text"), true, err);
}

/* --- feishu ----------------------------------------------------------------------------------- */

/* Ids of one app, of the tenant, of all apps of a maker. */
static void feishu_person(struct das_hook_ask *a, const json_t *ids)
{
    add_person(a, member(ids, "open_id"));
    add_person(a, member(ids, "user_id"));
    add_person(a, member(ids, "union_id"));
}

static int feishu_message(const json_t *event, struct das_hook_ask *a, struct das_err *err)
{
    const json_t *message = json_object_get(event, "message");
    struct das_text content = member(message, "content");
    json_t *inner;
    int rc = 0;

    if (!das_text_is(member(json_object_get(event, "sender"), "sender_type"), "user") ||
        !das_text_is(member(message, "message_type"), "text") || !content.len)
        return 0;
    feishu_person(a, inside(event, "sender", "sender_id"));
    put_id(a->chat, sizeof a->chat, member(message, "chat_id"));
    inner = das_json_parse(content.ptr, content.len, NULL, err);
    if (!inner)
        return das_fail(err, DAS_E_DATA, "body: event.message.content is no JSON");
    rc = put_line(a, member(inner, "text"), false, err);
    json_decref(inner);
    return rc;
}

static int feishu(const struct das_hook_verdict *v, struct das_hook_ask *a, struct das_err *err)
{
    const json_t *event = json_object_get(a->json, "event");

    if (v->kind == DAS_HOOK_BUTTON) {
        feishu_person(a, json_object_get(event, "operator"));
        put_id(a->chat, sizeof a->chat, member(json_object_get(event, "context"), "open_chat_id"));
        put_button(a, member(inside(event, "action", "value"), "das"));
        return 0;
    }
    return v->kind == DAS_HOOK_MESSAGE ? feishu_message(event, a, err) : 0;
}

static int feishu_card(struct das_hook_ask *a)
{
    feishu_person(a, a->json);
    put_id(a->chat, sizeof a->chat, member(a->json, "open_chat_id"));
    put_button(a, member(inside(a->json, "action", "value"), "das"));
    return 0;
}

/* --- dingtalk, wecom, teams ------------------------------------------------------------------- */

/* Only the staff id is one that the company gives; the body is not signed, which is why such a hook
 * can ask and never decide. */
static int dingtalk(int64_t now_ms, struct das_hook_ask *a, struct das_err *err)
{
    const json_t *until = json_object_get(a->json, "sessionWebhookExpiredTime");
    int64_t ms = json_is_integer(until) ? json_integer_value(until) : now_ms + 30 * MINUTE_MS;

    add_person(a, member(a->json, "senderStaffId"));
    put_id(a->chat, sizeof a->chat, member(a->json, "conversationId"));
    if (put_url(a, member(a->json, "sessionWebhook"), ms, 20, err) < 0)
        return -1;
    return put_line(a, member(json_object_get(a->json, "text"), "content"), false, err);
}

static int wecom(const struct das_hook_verdict *v, struct das_hook_ask *a, struct das_err *err)
{
    struct das_text from, type, value;

    if (das_hook_xml_get(v->body, "FromUserName", &from) != 1 ||
        das_hook_xml_get(v->body, "MsgType", &type) != 1)
        return das_fail(err, DAS_E_DATA, "body: expected FromUserName and MsgType");
    add_person(a, from);
    if (v->kind == DAS_HOOK_BUTTON) {
        if (das_hook_xml_get(v->body, "EventKey", &value) != 1)
            value = DAS_TEXT_NULL;
        put_button(a, value);
        return 0;
    }
    if (!das_text_is(type, "text") || das_hook_xml_get(v->body, "Content", &value) != 1)
        return 0;
    return put_line(a, value, false, err);
}

static int teams(struct das_hook_ask *a, struct das_err *err)
{
    const json_t *from = json_object_get(a->json, "from");

    if (!das_text_is(member(a->json, "type"), "message"))
        return 0;
    add_person(a, member(from, "aadObjectId"));
    add_person(a, member(from, "id"));
    put_id(a->chat, sizeof a->chat, member(json_object_get(a->json, "conversation"), "id"));
    return put_line(a, member(a->json, "text"), true, err);
}

/* --- discord ---------------------------------------------------------------------------------- */

/* As a person would have written it, so that there is one grammar. */
static void put_quoted(struct das_buf *b, struct das_text t)
{
    das_buf_char(b, '"');
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] == '"' || t.ptr[i] == '\\')
            das_buf_char(b, '\\');
        das_buf_char(b, t.ptr[i]);
    }
    das_buf_char(b, '"');
}

static void put_options(struct das_hook_ask *a, const json_t *options)
{
    const json_t *o;
    size_t i;

    json_array_foreach(options, i, o)
    {
        const json_t *value = json_object_get(o, "value");
        if (json_array_size(json_object_get(o, "options")) || !value) {
            das_buf_char(&a->line, ' '); /* a command below the command */
            das_buf_text(&a->line, member(o, "name"));
            put_options(a, json_object_get(o, "options"));
            continue;
        }
        das_buf_char(&a->line, ' ');
        das_buf_text(&a->line, member(o, "name"));
        das_buf_char(&a->line, '=');
        if (json_is_string(value))
            put_quoted(&a->line, member(o, "value"));
        else if (json_is_integer(value))
            das_buf_int(&a->line, json_integer_value(value));
        else if (json_is_real(value))
            das_buf_printf(&a->line, "%.17g", json_real_value(value));
        else
            das_buf_str(&a->line, json_is_true(value) ? "true" : "false");
    }
}

/* "/das line:..." is the line; "/das preview instance:x" and "/preview instance:x" become one. */
static int discord_line(struct das_hook_ask *a, struct das_err *err)
{
    const json_t *data = json_object_get(a->json, "data");
    const json_t *options = json_object_get(data, "options"), *first = json_array_get(options, 0);

    if (json_array_size(options) == 1 && das_text_is(member(first, "name"), "line"))
        return put_line(a, member(first, "value"), false, err);
    a->what = DAS_HOOK_LINE;
    if (!das_text_is(member(data, "name"), "das"))
        das_buf_text(&a->line, member(data, "name"));
    put_options(a, options);
    return das_buf_ok(&a->line, err);
}

/* The address is not in the request: it is made from what is. What stands for it now ("thinking")
 * is the answer to a command that is edited first. */
static int discord_url(const struct das_hook *h, int64_t now_ms, struct das_hook_ask *a,
                       struct das_err *err)
{
    struct das_text app = member(a->json, "application_id"), token = member(a->json, "token");
    bool other = h->reply_host_count > 0;
    struct das_buf url = {0};
    int rc;

    if (!is_made_of(app, "0123456789") ||
        !is_made_of(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=+"))
        return 0;
    das_buf_printf(&url, "%s://%s/api/v10/webhooks/", other && h->insecure ? "http" : "https",
                   other ? h->reply_hosts[0] : "discord.com");
    das_buf_text(&url, app);
    das_buf_char(&url, '/');
    das_buf_text(&url, token);
    rc = das_buf_ok(&url, err);
    if (rc == 0)
        rc = put_url(a, das_buf_view(&url), now_ms + 15 * MINUTE_MS, 5, err);
    if (url.ptr)
        explicit_bzero(url.ptr, url.len);
    das_buf_clear(&url);
    return rc;
}

static int discord(const struct das_hook *h, const struct das_hook_verdict *v, int64_t now_ms,
                   struct das_hook_ask *a, struct das_err *err)
{
    const json_t *user = inside(a->json, "member", "user");

    add_person(a, member(user ? user : json_object_get(a->json, "user"), "id"));
    put_id(a->chat, sizeof a->chat, member(a->json, "channel_id"));
    if (discord_url(h, now_ms, a, err) < 0)
        return -1;
    if (v->kind == DAS_HOOK_BUTTON) {
        put_button(a, member(json_object_get(a->json, "data"), "custom_id"));
        return 0;
    }
    a->deferred = v->kind == DAS_HOOK_COMMAND;
    return a->deferred ? discord_line(a, err) : 0;
}

/* --- mattermost, telegram --------------------------------------------------------------------- */

static int mattermost(const struct das_hook_verdict *v, int64_t now_ms, struct das_hook_ask *a,
                      struct das_err *err)
{
    if (v->format == DAS_HOOK_FORM)
        return slash_form(v->body, now_ms, false, a, err);
    add_person(a, member(a->json, "user_id"));
    put_id(a->chat, sizeof a->chat, member(a->json, "channel_id"));
    put_button(a, member(json_object_get(a->json, "context"), "value"));
    return 0;
}

static void telegram_place(struct das_hook_ask *a, const json_t *from, const json_t *chat)
{
    char id[32];

    put_number(id, sizeof id, json_object_get(from, "id"));
    add_person(a, das_text_of(id));
    put_number(a->chat, sizeof a->chat, json_object_get(chat, "id"));
}

/* "/preview@das_bot orders": the "/", and whom it is for, belong to the platform. */
static int telegram_line(struct das_hook_ask *a, struct das_text t, struct das_err *err)
{
    size_t n = 0, name;

    t = das_text_trim(t);
    if (!begins(t, "/"))
        return put_line(a, t, false, err);
    t = das_text(t.ptr + 1, t.len - 1);
    while (n < t.len && !das_is_space((unsigned char)t.ptr[n]) && t.ptr[n] != '@')
        n++;
    name = n;
    while (n < t.len && !das_is_space((unsigned char)t.ptr[n]))
        n++;
    a->what = DAS_HOOK_LINE;
    if (!das_text_is(das_text(t.ptr, name), "das"))
        das_buf_add(&a->line, t.ptr, name);
    das_buf_char(&a->line, ' ');
    das_buf_add(&a->line, t.ptr + n, t.len - n);
    return das_buf_ok(&a->line, err);
}

static int telegram(struct das_hook_ask *a, struct das_err *err)
{
    const json_t *press = json_object_get(a->json, "callback_query");
    const json_t *message = json_object_get(a->json, "message");
    const json_t *from = json_object_get(message, "from");

    if (json_is_object(press)) {
        telegram_place(a, json_object_get(press, "from"), inside(press, "message", "chat"));
        put_id(a->callback, sizeof a->callback, member(press, "id"));
        put_button(a, member(press, "data"));
        return 0;
    }
    if (!json_is_object(message) || json_is_true(json_object_get(from, "is_bot")) ||
        !member(message, "text").len)
        return 0;
    telegram_place(a, from, json_object_get(message, "chat"));
    return telegram_line(a, member(message, "text"), err);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int read_chat(const struct das_hook *h, const struct das_hook_verdict *v, int64_t now_ms,
                     struct das_hook_ask *a, struct das_err *err)
{
    switch (h->platform) {
    case DAS_HOOK_SLACK:
        return slack(v, now_ms, a, err);
    case DAS_HOOK_FEISHU:
        return feishu(v, a, err);
    case DAS_HOOK_FEISHU_CARD:
        return feishu_card(a);
    case DAS_HOOK_DINGTALK:
        return dingtalk(now_ms, a, err);
    case DAS_HOOK_WECOM:
        return wecom(v, a, err);
    case DAS_HOOK_TEAMS:
        return teams(a, err);
    case DAS_HOOK_DISCORD:
        return discord(h, v, now_ms, a, err);
    case DAS_HOOK_MATTERMOST:
        return mattermost(v, now_ms, a, err);
    case DAS_HOOK_TELEGRAM:
        return telegram(a, err);
    default:
        a->what = DAS_HOOK_REPORT;
        return 0;
    }
}

int das_hook_ask_read(const struct das_hook *h, const struct das_hook_verdict *v, int64_t now_ms,
                      struct das_hook_ask *out, struct das_err *err)
{
    struct das_err none;

    /* a machine may send what is no JSON: then its script sees nothing of it */
    if (v->format == DAS_HOOK_JSON && v->body.len)
        out->json = das_json_parse(v->body.ptr, v->body.len, NULL, &none);
    if (read_chat(h, v, now_ms, out, err) < 0)
        return -1;
    if (out->url && !das_hook_may_reply_to(h, out->url)) {
        explicit_bzero(out->url, strlen(out->url));
        das_free(out->url);
        out->url = NULL;
    }
    return 0;
}

void das_hook_ask_clear(struct das_hook_ask *a)
{
    das_buf_clear(&a->line);
    json_decref(a->json);
    json_decref(a->alert);
    if (a->url)
        explicit_bzero(a->url, strlen(a->url));
    das_free(a->url);
    *a = (struct das_hook_ask){0};
}

/* --- where answers may go --------------------------------------------------------------------- */

static const char *own_hosts(enum das_hook_platform p, int i)
{
    static const char *const slack[] = {"hooks.slack.com", "hooks.slack-gov.com", NULL};
    static const char *const dingtalk[] = {"oapi.dingtalk.com", "api.dingtalk.com", NULL};
    static const char *const discord[] = {"discord.com", NULL};
    static const char *const none[] = {NULL, NULL, NULL};

    return p == DAS_HOOK_SLACK      ? slack[i]
           : p == DAS_HOOK_DINGTALK ? dingtalk[i]
           : p == DAS_HOOK_DISCORD  ? (i < 2 ? discord[i] : NULL)
                                    : none[i];
}

bool das_hook_may_reply_to(const struct das_hook *h, const char *url)
{
    bool safe = strncmp(url, "https://", 8) == 0;
    const char *host = safe ? url + 8 : strncmp(url, "http://", 7) == 0 ? url + 7 : NULL, *own;
    size_t n;

    if (!host || (!safe && !h->insecure))
        return false;
    n = strcspn(host, "/?#");
    for (size_t i = 0; i < h->reply_host_count; i++) {
        if (strlen(h->reply_hosts[i]) == n && memcmp(h->reply_hosts[i], host, n) == 0)
            return true;
    }
    for (int i = 0; !h->reply_host_count && (own = own_hosts(h->platform, i)); i++) {
        if (strlen(own) == n && memcmp(own, host, n) == 0)
            return true;
    }
    return false;
}
