/*
 * kind.h - what a platform is for das: how a message becomes requests, and what its answers mean.
 * Stays in core/notify. One file a platform; none of them sends anything itself.
 */
#ifndef DAS_NOTIFY_KIND_H
#define DAS_NOTIFY_KIND_H

#include "core/base/json.h"
#include "core/http/mail.h"
#include "core/http/message.h"
#include "core/notify/channel.h"
#include "core/notify/page.h"

#define DAS_REF_SIZE 400 /* of a message, as the platform calls it */
#define DAS_NOTIFY_TOKEN_SIZE 1200

/* How a platform's answer is taken. */
enum das_verdict_kind {
    DAS_SENT,
    DAS_NEXT,    /* one step of several is done: ask for the next request */
    DAS_LATER,   /* not now; trying again may help */
    DAS_REFUSED, /* it will not be taken */
};
struct das_verdict {
    enum das_verdict_kind kind;
    int64_t after_ms;       /* later: as the platform asks, or -1 */
    char code[64];          /* the platform's word or number for it; "": none */
    char words[400];        /* never a secret */
    char ref[DAS_REF_SIZE]; /* sent: what the message is called there; "": it cannot be edited */
};
/* Sets kind, code and words. after_ms stays. */
void das_verdict(struct das_verdict *v, enum das_verdict_kind kind, const char *code,
                 struct das_text words);

/* One attempt to send one message. */
struct das_turn {
    const struct das_channel *channel;
    struct das_text secrets[DAS_CHANNEL_SECRETS]; /* their values; NULL: none */
    const struct das_notice *notice;
    const char *id;     /* of the delivery: the same in every attempt */
    const char *ref;    /* of the message to be edited; NULL: a new one */
    const char *thread; /* of the message to be answered; NULL: none */
    int64_t now_ms;     /* Unix */
    int step;           /* 0, and one more after each DAS_NEXT */
    char *token; /* DAS_NOTIFY_TOKEN_SIZE bytes that stay with the channel between attempts; "" first */
    int64_t *token_until_ms; /* Unix */
};

/* What a platform is asked: an HTTP request, or a mail. */
struct das_post {
    const char *method;
    struct das_buf url, body; /* body: the mail, too */
    struct das_http_headers headers;
    bool mail;
};
void das_post_init(struct das_post *p);
void das_post_clear(struct das_post *p); /* wipes */
int das_post_header(struct das_post *p, const char *name, struct das_text value, bool secret,
                    struct das_err *err);
int das_post_json(struct das_post *p, struct das_err *err); /* the header Content-Type */
int das_post_bearer(struct das_post *p, struct das_text token, struct das_err *err);

struct das_answer {
    int status;
    const struct das_http_headers *headers;
    struct das_text body;
    json_t *json; /* of the body; NULL: it is none */
};

struct das_kind {
    const char *word, *form;
    /* Keys of das.lua: the first tells kinds of the same word apart. */
    const char *needs[4], *takes[6];
    struct das_pace pace;
    bool edits;          /* a message that was sent can be changed */
    bool keyed;          /* the platform itself puts messages of one key together: no digest */
    size_t button_bytes; /* of a button's value; 0: clicks do not come back */
    int (*make)(struct das_turn *t, struct das_post *p, struct das_err *err);
    void (*read)(struct das_turn *t, const struct das_answer *a, struct das_verdict *v);
};

extern const struct das_kind das_kind_slack_hook, das_kind_slack_bot, das_kind_feishu_bot,
    das_kind_feishu_app, das_kind_lark_bot, das_kind_lark_app, das_kind_dingtalk, das_kind_wecom,
    das_kind_teams, das_kind_discord, das_kind_telegram, das_kind_mattermost, das_kind_pagerduty,
    das_kind_alertmanager, das_kind_webhook, das_kind_smtp;

/* --- what several of them do -------------------------------------------------------------------
 */

/* The endpoint (its own or base), without "/" at the end, and then path. */
void das_turn_url(const struct das_turn *t, const char *base, const char *path, struct das_buf *b);
/* "key": "text", as das_page_text() has it, of at most so many units. */
void das_put_text(struct das_buf *b, const char *key, struct das_text t, enum das_markup markup,
                  enum das_unit unit, size_t most, bool lines);
void das_put_title(struct das_buf *b, const char *key, const struct das_notice *n,
                   enum das_markup markup, enum das_unit unit, size_t most);
/* "key": the whole message as one text. */
void das_put_page(struct das_buf *b, const char *key, const struct das_turn *t,
                  enum das_markup markup, enum das_unit unit, size_t most,
                  const struct das_style *style);
/* The colour of its severity, or of what is over: "#3b82f6" */
const char *das_notice_color(const struct das_notice *n);
/* By the status alone: 2xx sent, 408, 425, 429 and 5xx later (with Retry-After), else refused.
 * True: not sent. */
bool das_read_status(const struct das_answer *a, struct das_verdict *v);
/* By "errcode", 0 when it was taken, as DingTalk and WeCom have it; with one of these two it takes
 * nothing for so long. */
void das_read_errcode(const struct das_answer *a, const json_int_t busy[2], int64_t wait_ms,
                      struct das_verdict *v);
/* The platform's id of a message, where it can stand in a path: letters, digits, "_" and "-". */
void das_take_ref(struct das_verdict *v, struct das_text id);
/* A member as text, "" where it is none; a number as its digits. */
struct das_text das_answer_text(const json_t *o, const char *key, char number[24]);

#endif
