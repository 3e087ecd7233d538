/*
 * ack.c - what a platform is told at once (see ask.h). A platform that hears nothing sends again,
 * and shows people that something is broken.
 */
#include "core/base/json.h"
#include "core/hook/ask.h"
#include "core/notify/reply.h"

#define JSON "application/json; charset=utf-8"

static void object(struct das_buf *b, const char *key, const char *text)
{
    das_buf_char(b, '{');
    das_json_key_text(b, key, das_text_of(text));
    das_buf_char(b, '}');
}

/* A line for the person where the platform shows what it is answered. */
static int said(const struct das_hook *h, const char *text, bool open, struct das_hook_ack *out,
                struct das_err *err)
{
    struct das_notice n;
    int rc;

    das_notice_init(&n);
    rc = das_notice_text(&n, &n.text, das_text_of(text), DAS_NOTICE_TEXT, err);
    if (rc == 0)
        rc = das_reply_body(das_hook_platforms[h->platform].name, &n, open, &out->body, err);
    das_notice_clear(&n);
    return rc;
}

static int line(const struct das_hook *h, const char *text, bool open, struct das_hook_ack *out,
                bool *shown, struct das_err *err)
{
    switch (h->platform) {
    case DAS_HOOK_SLACK:
    case DAS_HOOK_MATTERMOST:
    case DAS_HOOK_TEAMS:
        *shown = true;
        return text ? said(h, text, open, out, err) : 0;
    case DAS_HOOK_DISCORD:
        *shown = text != NULL;
        if (text)
            return said(h, text, open, out, err);
        das_buf_str(&out->body, "{\"type\":5,\"data\":{\"flags\":64}}"); /* it thinks */
        return 0;
    case DAS_HOOK_DINGTALK:
        das_buf_str(&out->body, "{\"msgtype\":\"empty\"}");
        return 0;
    case DAS_HOOK_WECOM:
        return 0; /* an empty answer says: nothing here */
    default:
        das_buf_str(&out->body, "{}");
        return 0;
    }
}

static int press(const struct das_hook *h, const struct das_hook_ask *a, const char *text,
                 struct das_hook_ack *out, bool *shown)
{
    struct das_buf *b = &out->body;

    *shown = text != NULL;
    switch (h->platform) {
    case DAS_HOOK_FEISHU:
        if (!text) {
            das_buf_str(b, "{}");
            break;
        }
        das_buf_str(b, "{\"toast\":{\"type\":\"info\"");
        das_json_key_text(b, "content", das_text_of(text));
        das_buf_str(b, "}}");
        break;
    case DAS_HOOK_MATTERMOST:
        if (text)
            object(b, "ephemeral_text", text);
        else
            das_buf_str(b, "{}");
        break;
    case DAS_HOOK_TELEGRAM:
        das_buf_str(b, "{\"method\":\"answerCallbackQuery\"");
        das_json_key_text(b, "callback_query_id", das_text_of(a->callback));
        if (text)
            das_json_key_text(b, "text", das_text_of(text));
        das_buf_char(b, '}');
        break;
    case DAS_HOOK_DISCORD:
        if (!text) {
            das_buf_str(b, "{\"type\":6}");
            break;
        }
        das_buf_str(b, "{\"type\":4,\"data\":{\"flags\":64");
        das_json_key_text(b, "content", das_text_of(text));
        das_buf_str(b, ",\"allowed_mentions\":{\"parse\":[]}}}");
        break;
    case DAS_HOOK_FEISHU_CARD:
        *shown = false;
        das_buf_str(b, "{}");
        break;
    default: /* slack shows nothing of it */
        *shown = false;
        break;
    }
    return 0;
}

int das_hook_ack(const struct das_hook *h, const struct das_hook_ask *a, const char *text,
                 bool open, struct das_hook_ack *out, bool *shown, struct das_err *err)
{
    int rc = 0;

    *shown = false;
    if (a->what == DAS_HOOK_PRESS)
        rc = press(h, a, text, out, shown);
    else if (a->what == DAS_HOOK_LINE)
        rc = line(h, text, open, out, shown, err);
    else if (h->platform != DAS_HOOK_SLACK && h->platform != DAS_HOOK_WECOM)
        das_buf_str(&out->body, "{}");
    out->type = out->body.len ? JSON : NULL;
    return rc < 0 ? -1 : das_buf_ok(&out->body, err);
}

bool das_hook_answers_at_once(enum das_hook_platform p)
{
    return p == DAS_HOOK_TEAMS;
}

int das_hook_ack_notice(const struct das_hook *h, const struct das_notice *n,
                        struct das_hook_ack *out, struct das_err *err)
{
    out->type = JSON;
    return das_reply_body(das_hook_platforms[h->platform].name, n, true, &out->body, err);
}
