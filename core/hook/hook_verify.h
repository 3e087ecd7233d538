/*
 * hook_verify.h - is a request that came to a hook really from the platform, and fresh?
 *
 * Pure functions: what came over the wire, what the configuration says and the time go in, a
 * verdict comes out. No I/O, no clock, no memory of what came before: that the same delivery comes
 * twice is found by core/store/delivery.h with the ids that the verdict has. The bytes are judged
 * before anything of them is believed; what can be read in two ways (a header, a form field or a
 * JSON key that is there twice) is refused.
 *
 *   hook_verify.c   the table of platforms, the check of a configuration, the way of a request
 *   hook_parts.c    headers, times, signatures, ids: what the platforms have in common
 *   hook_*.c        one family of platforms each
 */
#ifndef DAS_HOOK_HOOK_VERIFY_H
#define DAS_HOOK_HOOK_VERIFY_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/cloud/sign.h"

enum das_hook_platform {
    DAS_HOOK_SLACK,        /* commands, buttons, events: X-Slack-Signature v0 */
    DAS_HOOK_FEISHU,       /* Feishu and Lark: events and new card callbacks, encrypted */
    DAS_HOOK_FEISHU_CARD,  /* card callbacks of the old kind */
    DAS_HOOK_DINGTALK,     /* an app's robot */
    DAS_HOOK_WECOM,        /* an app's callback */
    DAS_HOOK_TEAMS,        /* outgoing webhook */
    DAS_HOOK_DISCORD,      /* interactions endpoint */
    DAS_HOOK_MATTERMOST,   /* slash command, and buttons that das itself has sent */
    DAS_HOOK_TELEGRAM,     /* bot webhook */
    DAS_HOOK_GITHUB,       /* X-Hub-Signature-256 */
    DAS_HOOK_STANDARD,     /* Standard Webhooks */
    DAS_HOOK_PAGERDUTY,    /* v3 */
    DAS_HOOK_GRAFANA,      /* alerting contact point with HMAC */
    DAS_HOOK_ALERTMANAGER, /* v4, bearer or basic */
    DAS_HOOK_CLOUDEVENTS,  /* over HTTP: binary, structured, batch; bearer or basic */
    DAS_HOOK_BEARER,       /* anything, bearer or basic */
    DAS_HOOK_PLATFORMS
};

/* --- configuration ---------------------------------------------------------------------------- */

#define DAS_HOOK_LIST_MAX 8

/* Values of which any will do: the one in use, and during a rotation the next. */
struct das_hook_list {
    struct das_text items[DAS_HOOK_LIST_MAX];
    size_t count;
};

/* One hook; all of it borrowed. Which fields a platform needs and which it may have is in
 * das_hook_platforms; the others stay empty. */
struct das_hook_conf {
    const char *name; /* "slack" of hooks.slack, for messages */
    enum das_hook_platform platform;
    struct das_hook_list
        secrets; /* what signs, as the platform shows it: "whsec_...", base64, ... */
    struct das_hook_list tokens; /* what has to be said: a verification, secret, slash or bearer
                                    token */
    struct das_hook_list encrypt_keys; /* Feishu's Encrypt Key, WeCom's EncodingAESKey */
    struct das_hook_list public_keys;  /* Discord: 64 hex digits */
    struct das_text user;              /* Basic */
    struct das_hook_list passwords;    /* Basic */
    struct das_text receive_id;        /* WeCom: the corp id */
    struct das_text signature_header;  /* Grafana; NULL: X-Grafana-Alerting-Signature */
    struct das_text timestamp_header;  /* Grafana; NULL: no time is signed */
    struct das_text id_header;         /* bearer: names a delivery; NULL: Idempotency-Key */
    struct das_hook_list origins;      /* CloudEvents: who may ask whether it may send; "*": all */
    int64_t rate;                      /* CloudEvents: what it is told, requests a minute; 0: "*" */
    bool batch;                        /* CloudEvents: several events in one request */
    int64_t window_s;                  /* how far a time may be from now; 0: the platform's */
};

enum das_hook_field {
    DAS_HOOK_F_SECRETS = 1 << 0,
    DAS_HOOK_F_TOKENS = 1 << 1,
    DAS_HOOK_F_ENCRYPT_KEYS = 1 << 2,
    DAS_HOOK_F_PUBLIC_KEYS = 1 << 3,
    DAS_HOOK_F_USER = 1 << 4, /* with passwords */
    DAS_HOOK_F_PASSWORDS = 1 << 5,
    DAS_HOOK_F_RECEIVE_ID = 1 << 6,
    DAS_HOOK_F_SIGNATURE_HEADER = 1 << 7,
    DAS_HOOK_F_TIMESTAMP_HEADER = 1 << 8,
    DAS_HOOK_F_ID_HEADER = 1 << 9,
    DAS_HOOK_F_ORIGINS = 1 << 10,
    DAS_HOOK_F_RATE = 1 << 11,
    DAS_HOOK_F_BATCH = 1 << 12,
    DAS_HOOK_F_WINDOW = 1 << 13,
    DAS_HOOK_F_AUTH = 1 << 14, /* of needs only: tokens, or user and passwords */
};
#define DAS_HOOK_FIELDS 14

struct das_hook_call;

struct das_hook_platform_info {
    const char *name;      /* "slack", as das.lua has it */
    const char *allow;     /* methods: "POST" */
    unsigned needs, takes; /* enum das_hook_field; takes: besides */
    int64_t window_s;      /* 0: nothing says when it was sent */
    int malformed;         /* status for what is no signature at all, */
    int mismatch;          /* and for one that is wrong or too old */
    void (*verify)(struct das_hook_call *call);
};
extern const struct das_hook_platform_info das_hook_platforms[DAS_HOOK_PLATFORMS];

int das_hook_platform_find(struct das_text name); /* or -1 */
/* "secrets": what a bit of enum das_hook_field is called in das.lua. */
const char *das_hook_field_name(enum das_hook_field field);

/* Has a hook of that name the fields that its platform needs, and none that it has no use for?
 * there: bits of enum das_hook_field. DAS_E_CONFIG naming hooks.NAME.verify.FIELD. */
int das_hook_fields_check(const char *name, enum das_hook_platform p, unsigned there,
                          struct das_err *err);
/* Can requests be judged with it? DAS_E_CONFIG naming hooks.NAME.verify.FIELD: one that is needed
 * and empty (there is no such thing as a hook without a secret), one that cannot be what it has to
 * be, one that the platform does not have. */
int das_hook_conf_check(const struct das_hook_conf *conf, struct das_err *err);

/* --- a request -------------------------------------------------------------------------------- */

/* As it came; all of it borrowed. */
struct das_hook_request {
    struct das_text method;
    struct das_text target;              /* path and query, nothing decoded */
    const struct das_sign_pair *headers; /* in order, also those that are there twice */
    size_t header_count;
    struct das_text body; /* its raw bytes */
};

enum das_hook_outcome {
    DAS_HOOK_REFUSED,
    DAS_HOOK_ANSWERED, /* a handshake: the answer is here, and nobody else hears of it */
    DAS_HOOK_ACCEPTED,
};

enum das_hook_kind {
    DAS_HOOK_EVENT,   /* anything else that happened */
    DAS_HOOK_COMMAND, /* a slash command */
    DAS_HOOK_MESSAGE, /* something written to the bot */
    DAS_HOOK_BUTTON,  /* pressed, or chosen */
    DAS_HOOK_ALERT,
    DAS_HOOK_KINDS
};
const char *das_hook_kind_name(enum das_hook_kind kind); /* "event", "command", ... */

enum das_hook_format { DAS_HOOK_BYTES, DAS_HOOK_JSON, DAS_HOOK_FORM, DAS_HOOK_XML };

#define DAS_HOOK_ID_SIZE 101 /* printable ASCII and NUL */
struct das_hook_id {
    char text[DAS_HOOK_ID_SIZE];
};

/* Starts as {0}; das_hook_verdict_clear() when done. */
struct das_hook_verdict {
    enum das_hook_outcome outcome;
    int status;        /* refused: 400, 401, 403, 405; answered: 200, 204 */
    const char *allow; /* of a 405 */
    char reason[200];  /* refused: for the log; nothing secret, and nothing of the request */

    /* answered */
    const char *type; /* of the answer; NULL: there is no body */
    struct das_buf answer;
    struct das_sign_pair extra[2]; /* headers besides; names in static memory */
    size_t extra_count;

    /* accepted */
    struct das_text body; /* what to parse: of the request, or what was decrypted or unpacked (then
                             it lives as long as the verdict) */
    enum das_hook_format format;
    enum das_hook_kind kind;
    char event[81];          /* the platform's word for it: "block_actions"; "": none */
    struct das_hook_id *ids; /* of what the body brings, in its order: one, but for several alerts
                                or a batch of events; never none */
    size_t id_count;
    char proof[DAS_HOOK_ID_SIZE]; /* not "": the ids are not covered by the signature; this stands
                                     for the signature, and comes once */
    int64_t time_ms;   /* Unix: when it was sent, as far as anybody says so; else when it came */
    int64_t window_ms; /* how far time_ms was allowed to be from now; 0: no time was proven */
    int64_t keep_ms;   /* from now on: how long ids and proof have to be remembered */
    struct das_buf bytes;
};
void das_hook_verdict_clear(struct das_hook_verdict *v);

/* Judges a request at now_ms (Unix). conf has passed das_hook_conf_check(). 0 and a verdict, or -1
 * with err (out of memory, OpenSSL): then the verdict is a refusal with status 500. */
int das_hook_verify(const struct das_hook_conf *conf, const struct das_hook_request *request,
                    int64_t now_ms, struct das_hook_verdict *out, struct das_err *err);

/* The flat parts of a form body ("a=b&c=d") or of a query, decoded. t starts as {0}. DAS_E_DATA on
 * what is none, or has more than DAS_HOOK_FORM_MAX parts. */
#define DAS_HOOK_FORM_MAX 1000
int das_hook_form_read(struct das_text text, struct das_sign_target *t, struct das_err *err);
/* 1: the field is there once; 0: not at all; -1: more than once. */
int das_hook_form_get(const struct das_sign_target *t, const char *name, struct das_text *value);

/* The text of <name> right below the root of a document as WeCom sends it: elements without
 * attributes, text or CDATA. 1; 0: there is none; -1: it is there twice, is not plain text, or that
 * is no such document. */
int das_hook_xml_get(struct das_text xml, const char *name, struct das_text *value);

#endif
