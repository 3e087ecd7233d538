/*
 * ask.h - what a verified request asks for: who, what, and where the answer goes, whatever the
 * platform. Pure functions; what is read here was verified before (hook_verify.h).
 */
#ifndef DAS_HOOK_ASK_H
#define DAS_HOOK_ASK_H

#include <jansson.h>

#include "core/hook/hook.h"

#define DAS_HOOK_PERSON_IDS 3
#define DAS_HOOK_PLACE_SIZE 256

enum das_hook_what {
    DAS_HOOK_NOTHING, /* nobody asks for anything: a bot's own message, somebody joined */
    DAS_HOOK_LINE,    /* somebody wrote a line */
    DAS_HOOK_PRESS,   /* somebody pressed a button */
    DAS_HOOK_REPORT,  /* a machine reports something */
};

/* Starts as {0}; das_hook_ask_clear() when done. */
struct das_hook_ask {
    enum das_hook_what what;
    char ids[DAS_HOOK_PERSON_IDS][DAS_HOOK_PLACE_SIZE]; /* of the person, the surest first; "" */
    struct das_buf line;                                /* of a person, without who is addressed */
    char button[DAS_NOTICE_VALUE + 1]; /* the value that das gave it; "": it is not das's */
    json_t *json;                      /* the body, where it is JSON */
    json_t *alert;                     /* das_hook_alert() of it, or NULL */

    char *url;                          /* where an answer may go; wiped; NULL: nowhere */
    int64_t url_until_ms;               /* Unix */
    int url_uses;                       /* how often */
    bool deferred;                      /* discord: the first answer edits what stands for it */
    char chat[DAS_HOOK_PLACE_SIZE];     /* id of the chat it comes from; "": none */
    char callback[DAS_HOOK_PLACE_SIZE]; /* telegram: of the press, to be answered; else "" */
};

/* now_ms: Unix. DAS_E_DATA: what has to be there is missing; DAS_E_USAGE: a sentence for the
 * person; out is to be cleared in any case. */
int das_hook_ask_read(const struct das_hook *h, const struct das_hook_verdict *v, int64_t now_ms,
                      struct das_hook_ask *out, struct das_err *err);
void das_hook_ask_clear(struct das_hook_ask *a);

/* ask_kept.c: members of an object that is open in b, without alert. It holds secrets: the caller
 * seals it, and wipes b. A line that is no UTF-8 does not stay as it is. */
int das_hook_ask_keep(const struct das_hook_ask *a, struct das_buf *b, struct das_err *err);
/* What such an object says, into {0}; the address for answers only where h still has them sent
 * there. DAS_E_DATA; out is to be cleared in any case. */
int das_hook_ask_recall(const struct das_hook *h, const json_t *o, struct das_hook_ask *out,
                        struct das_err *err);

/* May an answer be sent to the URL of a request? Only to the platform's own hosts, or those of the
 * configuration; by https unless it says insecure. */
bool das_hook_may_reply_to(const struct das_hook *h, const char *url);

/* alert.c: what Alertmanager, Grafana and PagerDuty report, in one form:
 *   {"source": "alertmanager", "status": "firing", "receiver":, "key":, "title":, "url":,
 *    "truncated": 0, "alerts": [{"name":, "status":, "severity":, "instance":, "summary":,
 *    "labels": {}, "annotations": {}, "starts_at":, "ends_at":, "url":, "key":}]}
 * what is not known is left out; truncated counts also what is beyond 200 of them. The caller's;
 * NULL: no memory, or it is none (DAS_E_DATA). fresh (may be NULL): which of the alerts were not
 * brought before; the others are left out. */
json_t *das_hook_alert(enum das_hook_platform p, const json_t *body, const bool *fresh,
                       size_t fresh_count, struct das_err *err);

/* What the platform is told at once, so that it does not ask again. */
struct das_hook_ack {
    const char *type; /* NULL: no body */
    struct das_buf body;
};
/* text (NULL: none) is for the person, where the platform shows it here: *shown says so. Else it
 * has to be sent like a result. open: for all of the chat. */
int das_hook_ack(const struct das_hook *h, const struct das_hook_ask *a, const char *text,
                 bool open, struct das_hook_ack *out, bool *shown, struct das_err *err);
/* Does the platform take a result in the answer to the request and nowhere else? (teams) */
bool das_hook_answers_at_once(enum das_hook_platform p);
/* The same with a whole message: for those. DAS_E_UNSUPPORTED. */
int das_hook_ack_notice(const struct das_hook *h, const struct das_notice *n,
                        struct das_hook_ack *out, struct das_err *err);

#endif
