/*
 * hook_impl.h - one request on its way through hook_*.c, and what the platforms have in common.
 * Only for those files.
 *
 * A platform's function says what it finds by das_hook_refuse(), das_hook_answer() or
 * das_hook_accept(). Helpers that return false have refused already (or failed): the caller only
 * returns. Who says nothing has refused.
 */
#ifndef DAS_HOOK_HOOK_IMPL_H
#define DAS_HOOK_HOOK_IMPL_H

#include <jansson.h>

#include "core/base/crypto.h"
#include "core/hook/hook_verify.h"

#define DAS_HOOK_UNSURE_MAX ((size_t)64 << 10) /* of a body that is read before it is believed */
#define DAS_HOOK_SHA1_HEX ((size_t)40)
#define DAS_HOOK_SHA256_HEX ((size_t)64)
#define DAS_HOOK_SHA256_BASE64 ((size_t)44)

struct das_hook_call {
    const struct das_hook_conf *conf;
    const struct das_hook_platform_info *info;
    const struct das_hook_request *request;
    int64_t now_ms;
    struct das_hook_verdict *out;
    struct das_buf work;   /* what is signed, put together; wiped at the end */
    bool remember_briefly; /* ids that are only the same bytes: the sender may mean it twice */
    bool failed;
    struct das_err *err;
};

/* --- verdicts --------------------------------------------------------------------------------- */

bool das_hook_refuse(struct das_hook_call *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));                          /* false */
bool das_hook_malformed(struct das_hook_call *c, const char *what); /* false */
bool das_hook_mismatch(struct das_hook_call *c, const char *what);  /* false */
bool das_hook_fail(struct das_hook_call *c);                        /* false; err is filled */
/* 200 with a JSON body; text: 200 with plain text. */
struct das_buf *das_hook_answer(struct das_hook_call *c, bool text);
/* body is of the request or of out->bytes. */
void das_hook_accept(struct das_hook_call *c, enum das_hook_kind kind, struct das_text body,
                     enum das_hook_format format);
/* The platform's word for what came; what is not printable is left out. */
void das_hook_event(struct das_hook_call *c, struct das_text word);

/* --- what came -------------------------------------------------------------------------------- */

/* The header is there once and not empty. */
bool das_hook_header(struct das_hook_call *c, const char *name, struct das_text *value);
/* The same, but it may be missing: then NULL text. */
bool das_hook_header_maybe(struct das_hook_call *c, const char *name, struct das_text *value);
/* A time as decimal digits, of unit_ms each, within the window. Into out->time_ms. */
bool das_hook_fresh(struct das_hook_call *c, struct das_text digits, int64_t unit_ms);
/* The same for ISO 8601. */
bool das_hook_fresh_iso(struct das_hook_call *c, struct das_text text);
/* One JSON value, of any kind, or one that is an object, or an array. NULL: refused. */
json_t *das_hook_json_any(struct das_hook_call *c, struct das_text body);
json_t *das_hook_json(struct das_hook_call *c, struct das_text body);
json_t *das_hook_json_array(struct das_hook_call *c, struct das_text body);
struct das_text das_hook_member(const json_t *object, const char *key); /* a string; else NULL */
/* "application/json" of "Application/JSON; charset=utf-8", as type_is() wants it. */
bool das_hook_type_is(struct das_text content_type, const char *type);

/* --- signatures ------------------------------------------------------------------------------- */

/* n digits, lower case. */
bool das_hook_is_hex(struct das_text t, size_t n);
/* Is the text the hex digits (or the base64) of HMAC-SHA256 of message with one of the secrets? 1,
 * 0, or -1: failed. */
int das_hook_hmac_hex(struct das_hook_call *c, struct das_text message, struct das_text given);
int das_hook_hmac_base64(struct das_hook_call *c, struct das_text key, struct das_text message,
                         struct das_text given);
/* Is the text the hex digits of that hash of message? */
int das_hook_hash_hex(struct das_hook_call *c, enum das_hash kind, struct das_text message,
                      struct das_text given);
/* Is it one of the list? Looks at all. */
bool das_hook_one_of(const struct das_hook_list *list, struct das_text given);
/* Authorization says one of the tokens, or user and one of the passwords. */
bool das_hook_authorized(struct das_hook_call *c);

/* --- ids -------------------------------------------------------------------------------------- */

/* The platform's id; a long or strange one becomes its hash. */
bool das_hook_id(struct das_hook_call *c, struct das_text id);
/* The hash of some parts, told apart. */
bool das_hook_id_of(struct das_hook_call *c, const struct das_text *parts, size_t n);
bool das_hook_proof_of(struct das_hook_call *c, const struct das_text *parts, size_t n);
/* id when there is one, else of signature and body. */
bool das_hook_id_or(struct das_hook_call *c, struct das_text id, struct das_text signature);
/* One for each of "alerts" in Alertmanager's form; false also where that is not its form: then
 * nothing is said yet, and *form is false. */
bool das_hook_alert_ids(struct das_hook_call *c, const json_t *body, bool *form);

/* --- the platforms ---------------------------------------------------------------------------- */

void das_hook_slack(struct das_hook_call *c);
void das_hook_feishu(struct das_hook_call *c);
void das_hook_feishu_card(struct das_hook_call *c);
void das_hook_dingtalk(struct das_hook_call *c);
void das_hook_wecom(struct das_hook_call *c);
void das_hook_teams(struct das_hook_call *c);
void das_hook_discord(struct das_hook_call *c);
void das_hook_mattermost(struct das_hook_call *c);
void das_hook_telegram(struct das_hook_call *c);
void das_hook_github(struct das_hook_call *c);
void das_hook_standard(struct das_hook_call *c);
void das_hook_pagerduty(struct das_hook_call *c);
void das_hook_grafana(struct das_hook_call *c);
void das_hook_alertmanager(struct das_hook_call *c);
void das_hook_cloudevents(struct das_hook_call *c);
void das_hook_bearer(struct das_hook_call *c);

/* The form that a configured value has to have: NULL, or what was expected. */
const char *das_hook_check_standard(struct das_text secret);
const char *das_hook_check_base64(struct das_text secret);
const char *das_hook_check_aes_key(struct das_text key);
const char *das_hook_check_public_key(struct das_text key);

#endif
