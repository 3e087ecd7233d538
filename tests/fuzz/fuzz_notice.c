/*
 * fuzz_notice.c - bytes as a message, put into the form of every kind of channel.
 *
 * As JSON first, as a title, text and statement of their own otherwise. Whatever it is: what a
 * platform is asked is JSON (or the mail is ASCII), within its size, and a text composed for any
 * markup is whole UTF-8 within its limit.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/notify/kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct das_kind *const kinds[] = {
    &das_kind_slack_hook, &das_kind_slack_bot,  &das_kind_feishu_bot, &das_kind_feishu_app,
    &das_kind_dingtalk,   &das_kind_wecom,      &das_kind_teams,      &das_kind_discord,
    &das_kind_telegram,   &das_kind_mattermost, &das_kind_pagerduty,  &das_kind_alertmanager,
    &das_kind_webhook,    &das_kind_smtp,
};

static struct das_err err;

static void compose(const struct das_notice *n, size_t max)
{
    const struct das_style style = {.bold = "**",
                                    .bold_end = "**",
                                    .code = "```",
                                    .code_end = "```",
                                    .link = "[more](",
                                    .link_end = ")",
                                    .title = true,
                                    .apart = true,
                                    .rows = 20};

    for (int m = DAS_MARKUP_NONE; m <= DAS_MARKUP_APART; m++) {
        for (int u = DAS_UNIT_BYTES; u <= DAS_UNIT_JSON; u++) {
            struct das_buf b = {0};
            struct das_page p;
            das_page_init(&p, &b, (enum das_markup)m, (enum das_unit)u, max);
            das_page_compose(&p, n, &style);
            if (das_page_measure((enum das_unit)u, das_buf_view(&b)) > max ||
                !das_utf8_valid(das_buf_view(&b)))
                abort();
            das_buf_clear(&b);
        }
    }
}

static void make(const struct das_kind *k, const struct das_notice *n)
{
    static char text[] = "C1", from[] = "das@example.com",
                secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZI";
    static char *to[] = {from};
    struct das_channel ch = das_channel_default;
    char token[DAS_NOTIFY_TOKEN_SIZE] = "t";
    int64_t until = INT64_MAX;
    struct das_turn t = {.channel = &ch,
                         .notice = n,
                         .id = "msg_0123456789abcdef01234567",
                         .now_ms = 1700000000000,
                         .token = token,
                         .token_until_ms = &until};
    struct das_post p;
    json_t *o;

    ch.kind = k;
    for (int i = 0; i < DAS_CHANNEL_TEXTS; i++)
        ch.texts[i] = i == DAS_CHANNEL_FROM ? from : text;
    ch.to = to;
    ch.to_count = 1;
    for (int i = 0; i < DAS_CHANNEL_SECRETS; i++)
        t.secrets[i] = das_text_of(i == DAS_CHANNEL_URL ? "https://h/x?y=z" : secret);
    das_post_init(&p);
    if (k->make(&t, &p, &err) < 0 || p.body.failed)
        abort();
    for (size_t i = 0; p.mail && i < p.body.len; i++) {
        if ((unsigned char)p.body.ptr[i] >= 0x80)
            abort();
    }
    o = p.mail ? NULL : das_json_parse(p.body.ptr, p.body.len, NULL, &err);
    if ((!p.mail && !o) || (k == &das_kind_feishu_bot && p.body.len > 20000) ||
        (k == &das_kind_feishu_app && p.body.len > 30000) ||
        (k == &das_kind_dingtalk && p.body.len > 20000) ||
        (k == &das_kind_teams && p.body.len > 28000))
        abort();
    json_decref(o);
    das_post_clear(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_text all = das_text((const char *)data, size);
    struct das_session s;
    struct das_notice n;

    if (das_notice_read(&n, all, &err) < 0) {
        size_t third = size / 3;
        das_notice_clear(&n);
        das_notice_init(&n);
        das_session_unknown(&s);
        s.user = s.host = das_text(all.ptr, third < 50 ? third : 50);
        s.sql_info = das_text(all.ptr + 2 * third, third);
        if (das_notice_text(&n, &n.title, das_text(all.ptr, third), DAS_NOTICE_TITLE, &err) < 0 ||
            das_notice_text(&n, &n.text, das_text(all.ptr + third, third), DAS_NOTICE_TEXT, &err) <
                0 ||
            das_notice_field(&n, n.title, s.sql_info, &err) < 0 ||
            das_notice_rows(&n, 30, 31, &err) < 0)
            abort();
        for (int i = 0; i < 30; i++)
            das_notice_row(&n, &s, DAS_TEXT_NULL, size % 2, &err);
    }
    compose(&n, 200 + (size * 7) % 5000);
    /* a button that its platform does not take never gets there */
    for (size_t i = 0; i < n.button_count; i++)
        n.buttons[i].value.len = n.buttons[i].value.len < 64 ? n.buttons[i].value.len : 64;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        make(kinds[i], &n);
    das_notice_clear(&n);
    return 0;
}
