/*
 * feishu.c - Feishu and Lark: a custom bot, whose requests are signed, and an app, which gets
 * itself a tenant token, sends and edits.
 *
 * Messages are cards in which every text is plain_text: nothing in it is a mention or a link.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/notify/kind.h"

#define FEISHU "https://open.feishu.cn"
#define LARK "https://open.larksuite.com"
/* Bytes of JSON. A custom bot's body has at most 20 KB; an app's card 30 KB, and it is a JSON
 * string in JSON, which may double it. */
#define TITLE_MAX 300
#define SECTION_MAX 2500
#define FIELDS_MAX 12
#define FIELD_MAX 250
#define TOKEN_EARLY_MS 300000 /* a token is not used in its last minutes */

/* --- the card --------------------------------------------------------------------------------- */

static void plain(struct das_buf *b, const char *key, struct das_text t, size_t most)
{
    das_json_key(b, key);
    das_buf_char(b, '{');
    das_json_key_text(b, "tag", das_text_of("plain_text"));
    das_put_text(b, "content", t, DAS_MARKUP_NONE, DAS_UNIT_JSON, most, true);
    das_buf_char(b, '}');
}

static void put_div(struct das_buf *b, struct das_text t)
{
    das_json_comma(b);
    das_buf_str(b, "{\"tag\":\"div\"");
    plain(b, "text", t, SECTION_MAX);
    das_buf_char(b, '}');
}

static void put_fields(const struct das_notice *n, struct das_buf *b)
{
    das_json_comma(b);
    das_buf_str(b, "{\"tag\":\"div\",\"fields\":[");
    for (size_t i = 0; i < n->field_count && i < FIELDS_MAX; i++) {
        struct das_buf both = {0};
        das_buf_text(&both, n->fields[i].name);
        das_buf_char(&both, '\n');
        das_buf_text(&both, n->fields[i].value);
        das_json_comma(b);
        das_buf_str(b, "{\"is_short\":true");
        plain(b, "text", das_buf_view(&both), FIELD_MAX);
        das_buf_char(b, '}');
        b->failed |= both.failed;
        das_buf_clear(&both);
    }
    das_buf_str(b, "]}");
}

static void put_sessions(const struct das_turn *t, struct das_buf *b)
{
    const struct das_notice *n = t->notice;
    struct das_buf text = {0};
    struct das_page p;
    size_t shown;

    das_page_init(&p, &text, DAS_MARKUP_NONE, DAS_UNIT_JSON, SECTION_MAX - DAS_PAGE_MORE - 10);
    p.apart = true;
    shown = das_page_list(&p, n, (size_t)t->channel->sessions);
    p.max = SECTION_MAX;
    p.apart = false;
    if (shown && n->row_total > (int64_t)shown)
        das_page_raw(&p, "\n");
    das_page_more(&p, n, shown);
    das_json_comma(b);
    das_buf_str(b, "{\"tag\":\"div\",\"text\":{\"tag\":\"plain_text\"");
    das_json_key_text(b, "content", das_buf_view(&text));
    das_buf_str(b, "}}");
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static void put_actions(const struct das_notice *n, struct das_buf *b)
{
    das_json_comma(b);
    das_buf_str(b, "{\"tag\":\"action\",\"actions\":[");
    for (size_t i = 0; i < n->button_count; i++) {
        const struct das_notice_button *x = &n->buttons[i];
        das_json_comma(b);
        das_buf_str(b, "{\"tag\":\"button\"");
        plain(b, "text", x->label, 100);
        das_json_key_text(b, "type", das_text_of(x->danger ? "danger" : "primary"));
        das_json_key(b, "value");
        das_buf_char(b, '{');
        das_json_key_text(b, "das", x->value);
        das_buf_str(b, "}}");
    }
    if (n->link.len) {
        das_json_comma(b);
        das_buf_str(b, "{\"tag\":\"button\"");
        plain(b, "text", das_text_of("more"), 100);
        das_json_key_text(b, "type", das_text_of("default"));
        das_json_key_text(b, "url", n->link);
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}");
}

static void put_card(const struct das_turn *t, struct das_buf *b)
{
    static const char *const colors[] = {"blue", "orange", "red", "carmine"};
    const struct das_notice *n = t->notice;

    /* update_multi: an edited card is edited for everybody */
    das_buf_str(b, "{\"config\":{\"wide_screen_mode\":true,\"update_multi\":true}");
    das_json_key(b, "header");
    das_buf_str(b, "{\"title\":{\"tag\":\"plain_text\"");
    das_put_title(b, "content", n, DAS_MARKUP_NONE, DAS_UNIT_JSON, TITLE_MAX);
    das_buf_char(b, '}');
    das_json_key_text(b, "template",
                      das_text_of(n->event == DAS_RESOLVE ? "green" : colors[n->severity]));
    das_buf_char(b, '}');
    das_json_key(b, "elements");
    das_buf_char(b, '[');
    if (das_page_text_is_apart(n, DAS_UNIT_JSON, TITLE_MAX))
        put_div(b, n->text);
    if (n->field_count)
        put_fields(n, b);
    if (n->row_total > 0)
        put_sessions(t, b);
    if (n->link.len || n->button_count)
        put_actions(n, b);
    if (b->len && b->ptr[b->len - 1] == '[')
        put_div(b, n->text.len ? n->text : n->title); /* a card has to have one */
    das_buf_str(b, "]}");
}

/* --- the custom bot --------------------------------------------------------------------------- */

/* The key is "TIMESTAMP\nSECRET", the message is empty. */
static int sign(const struct das_turn *t, struct das_buf *b, struct das_err *err)
{
    struct das_text secret = t->secrets[DAS_CHANNEL_SECRET];
    struct das_buf key = {0}, text = {0};
    struct das_hash_value mac;
    char now[24];
    int rc;

    snprintf(now, sizeof now, "%lld", (long long)(t->now_ms / 1000));
    das_buf_printf(&key, "%s\n", now);
    das_buf_text(&key, secret);
    rc = das_buf_ok(&key, err);
    if (rc == 0)
        rc = das_hmac(DAS_SHA256, das_buf_view(&key), das_text("", 0), &mac, err);
    if (rc == 0) {
        das_base64_encode(DAS_BASE64, das_text((const char *)mac.bytes, mac.len), &text);
        das_json_key_text(b, "timestamp", das_text_of(now));
        das_json_key_text(b, "sign", das_buf_view(&text));
        b->failed |= text.failed;
    }
    if (key.ptr)
        explicit_bzero(key.ptr, key.len);
    das_buf_clear(&key);
    das_buf_clear(&text);
    return rc;
}

static int bot_make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    das_buf_text(&p->url, t->secrets[DAS_CHANNEL_URL]);
    das_buf_char(&p->body, '{');
    if (t->secrets[DAS_CHANNEL_SECRET].ptr && sign(t, &p->body, err) < 0)
        return -1;
    das_json_key_text(&p->body, "msg_type", das_text_of("interactive"));
    das_json_key(&p->body, "card");
    put_card(t, &p->body);
    das_buf_char(&p->body, '}');
    return das_post_json(p, err);
}

/* What an answer says: its number, or INT64_MIN when it has none. */
static int64_t number_of(const struct das_answer *a)
{
    const json_t *v = json_object_get(a->json, "code");

    if (!v)
        v = json_object_get(a->json, "StatusCode"); /* older answers of the custom bot */
    return json_is_integer(v) ? json_integer_value(v) : INT64_MIN;
}

/* Told to wait, in seconds. */
static void ask_reset(const struct das_answer *a, struct das_verdict *v)
{
    struct das_text t = das_http_headers_get(a->headers, "x-ogw-ratelimit-reset");
    int64_t s;

    if (das_parse_int(das_text_trim(t), &s) && s >= 0 && s <= 3600)
        v->after_ms = s * 1000;
}

static void fail(const struct das_answer *a, int64_t number, struct das_verdict *v)
{
    char code[24], ignored[24];

    snprintf(code, sizeof code, "%lld", (long long)number);
    ask_reset(a, v);
    das_verdict(
        v, number == 11232 || number == 99991400 || number == 1000005 ? DAS_LATER : DAS_REFUSED,
        code, das_answer_text(a->json, "msg", ignored));
}

static void bot_read(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    int64_t number = number_of(a);

    (void)t;
    if (number != INT64_MIN && number != 0)
        fail(a, number, v);
    else if (!das_read_status(a, v) && number == INT64_MIN)
        das_verdict(v, DAS_LATER, "", das_text_of("no answer of the platform's"));
}

/* --- the app ---------------------------------------------------------------------------------- */

static bool has_token(const struct das_turn *t)
{
    return *t->token && *t->token_until_ms > t->now_ms + TOKEN_EARLY_MS;
}

static int make_login(struct das_turn *t, const char *base, struct das_post *p, struct das_err *err)
{
    das_turn_url(t, base, "/open-apis/auth/v3/tenant_access_token/internal", &p->url);
    das_buf_char(&p->body, '{');
    das_json_key_text(&p->body, "app_id", das_text_of(t->channel->texts[DAS_CHANNEL_APP]));
    das_json_key_text(&p->body, "app_secret", t->secrets[DAS_CHANNEL_SECRET]);
    das_buf_char(&p->body, '}');
    return das_post_json(p, err);
}

/* Chats, people and mail addresses look different. */
static const char *receiver_kind(const char *id)
{
    return strncmp(id, "ou_", 3) == 0   ? "open_id"
           : strncmp(id, "on_", 3) == 0 ? "union_id"
           : strchr(id, '@')            ? "email"
                                        : "chat_id";
}

static int app_make_at(struct das_turn *t, const char *base, struct das_post *p,
                       struct das_err *err)
{
    const char *to = t->channel->texts[DAS_CHANNEL_CHANNEL];
    struct das_buf card = {0}, path = {0};
    int rc;

    if (!has_token(t))
        return make_login(t, base, p, err);
    if (t->ref)
        das_buf_printf(&path, "/open-apis/im/v1/messages/%s", t->ref);
    else if (t->thread)
        das_buf_printf(&path, "/open-apis/im/v1/messages/%s/reply", t->thread);
    else
        das_buf_printf(&path, "/open-apis/im/v1/messages?receive_id_type=%s", receiver_kind(to));
    if (t->ref)
        p->method = "PATCH";
    put_card(t, &card);
    if (path.ptr)
        das_turn_url(t, base, path.ptr, &p->url);
    das_buf_char(&p->body, '{');
    if (!t->ref && !t->thread)
        das_json_key_text(&p->body, "receive_id", das_text_of(to));
    if (!t->ref) {
        das_json_key_text(&p->body, "msg_type", das_text_of("interactive"));
        das_json_key_text(&p->body, "uuid",
                          das_text_of(t->id)); /* a second time is no second one */
    }
    das_json_key_text(&p->body, "content", das_buf_view(&card));
    das_buf_char(&p->body, '}');
    rc = das_buf_ok(&card, err) < 0 || das_buf_ok(&path, err) < 0 ||
                 das_post_bearer(p, das_text_of(t->token), err) < 0
             ? -1
             : das_post_json(p, err);
    das_buf_clear(&card);
    das_buf_clear(&path);
    return rc;
}

static int feishu_make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    return app_make_at(t, FEISHU, p, err);
}

static int lark_make(struct das_turn *t, struct das_post *p, struct das_err *err)
{
    return app_make_at(t, LARK, p, err);
}

static void take_token(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    const json_t *expire = json_object_get(a->json, "expire");
    char ignored[24];
    struct das_text token = das_answer_text(a->json, "tenant_access_token", ignored);

    if (!token.len || token.len >= DAS_NOTIFY_TOKEN_SIZE || memchr(token.ptr, '\0', token.len)) {
        das_verdict(v, DAS_LATER, "", das_text_of("no tenant token in the answer"));
        return;
    }
    memcpy(t->token, token.ptr, token.len);
    t->token[token.len] = '\0';
    *t->token_until_ms = t->now_ms + (json_is_integer(expire) && json_integer_value(expire) > 0
                                          ? json_integer_value(expire) * 1000
                                          : 0);
    /* however short it lives: for this message it has to do */
    if (*t->token_until_ms <= t->now_ms + TOKEN_EARLY_MS)
        *t->token_until_ms = t->now_ms + TOKEN_EARLY_MS + 1000;
    das_verdict(v, DAS_NEXT, "", das_text_of(""));
}

static bool token_is_stale(int64_t number)
{
    return number == 99991661 || number == 99991663 || number == 99991664 || number == 99991668 ||
           number == 99991671 || number == 99991677;
}

static void app_read(struct das_turn *t, const struct das_answer *a, struct das_verdict *v)
{
    int64_t number = number_of(a);
    bool login = !has_token(t);
    const json_t *data = json_object_get(a->json, "data");
    char ignored[24];

    if (!login && token_is_stale(number)) {
        t->token[0] = '\0';
        das_verdict(v, t->step < 2 ? DAS_NEXT : DAS_LATER, "",
                    das_text_of("its token was refused"));
    } else if (number != INT64_MIN && number != 0) {
        fail(a, number, v);
    } else if (das_read_status(a, v)) {
        return;
    } else if (number == INT64_MIN) {
        das_verdict(v, DAS_LATER, "", das_text_of("no answer of the platform's"));
    } else if (login) {
        take_token(t, a, v);
    } else {
        struct das_text id = das_answer_text(data, "message_id", ignored);
        das_take_ref(v, id);
        if (!*v->ref && t->ref)
            snprintf(v->ref, sizeof v->ref, "%s", t->ref);
    }
}

#define BOT(name)                                                                  \
    {                                                                              \
        .word = name, .form = "custom bot", .needs = {"url"}, .takes = {"secret"}, \
        .pace = {5, 700}, .make = bot_make, .read = bot_read                       \
    }
#define APP(name, maker)                                                                           \
    {                                                                                              \
        .word = name, .form = "app", .needs = {"app", "secret", "channel"}, .takes = {"endpoint"}, \
        .pace = {5, 700}, .edits = true, .button_bytes = 500, .make = maker, .read = app_read      \
    }

const struct das_kind das_kind_feishu_bot = BOT("feishu");
const struct das_kind das_kind_lark_bot = BOT("lark");
const struct das_kind das_kind_feishu_app = APP("feishu", feishu_make);
const struct das_kind das_kind_lark_app = APP("lark", lark_make);
