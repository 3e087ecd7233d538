/*
 * cloud.h - one account at Huawei Cloud DAS, and one call to it: addressed, signed, sent no faster
 * than the account may, tried again where that is safe, and its answer or its error read.
 *
 * One account serves many threads: they share its connections (as many as may be busy at once) and
 * its rate. Knows no operation (api.h and kill.h do), no session and no Lua. The room:
 *
 *   who we are      credential*, iam (its exchanges), flight (one thread asks for all), sign*
 *   one call        cloud.c (accounts, addresses), endpoint, limiter, call, answer, advice
 *   the operations  shape (objects), api* (what only reads), kill (what ends sessions)
 */
#ifndef DAS_CLOUD_CLOUD_H
#define DAS_CLOUD_CLOUD_H

#include <jansson.h>

#include "core/cloud/credential.h"
#include "core/cloud/endpoint.h"
#include "core/cloud/sign.h"

/* Texts are copied. Starts as das_cloud_conf_default. */
struct das_cloud_conf {
    const char *name;           /* what people call it; in messages */
    struct das_credential_conf credential;
    const char *endpoint;       /* NULL: $HUAWEICLOUD_SDK_REGION_DAS_<REGION>, else
                                   https://das.REGION.myhuaweicloud.com */
    bool insecure;              /* plain http also to other machines; false: to this one only */
    const char *ca;             /* PEM file of trusted CAs instead of the system's; or NULL */
    enum das_sign_algorithm algorithm;
    int64_t connect_ms;         /* 5 s */
    int64_t total_ms;           /* one attempt; 20 s */
    int64_t deadline_ms;        /* a call with all its attempts; 60 s */
    struct das_http_retry retry; /* of reads: 5 times, from 0.5 s on, at most 20 s apart */
    double rate;                /* requests a second; 20; 0: as fast as they come */
    int concurrency;            /* at once, and so connections; 16 */
    size_t max_bytes;           /* of an answer; 64 MB */
};
extern const struct das_cloud_conf das_cloud_conf_default;
#define DAS_CLOUD_CONCURRENCY_MAX 256

struct das_cloud;

/* Connects to nothing. DAS_E_CONFIG naming the part that is wrong. */
struct das_cloud *das_cloud_new(const struct das_cloud_conf *conf, struct das_err *err);
struct das_cloud *das_cloud_retain(struct das_cloud *c);
void das_cloud_release(struct das_cloud *c); /* NULL is fine */
const char *das_cloud_name(const struct das_cloud *c);
struct das_credential *das_cloud_credential(struct das_cloud *c);

/* What a call is about. */
struct das_cloud_place {
    const char *region;   /* "cn-north-4" */
    const char *project;  /* id; NULL or "": the one with the region's name */
    const char *instance; /* id; NULL where the call is about none */
    const char *endpoint; /* instead of the account's; may be NULL */
};
/* "das:REGION/PROJECT/INSTANCE": REGION[/PROJECT]/INSTANCE[?endpoint=URL], behind "das://".
 * DAS_E_USAGE naming the part that is wrong. */
struct das_cloud_address {
    char region[64], project[DAS_PROJECT_SIZE], instance[40];
    char endpoint[300];
};
int das_cloud_address_parse(const char *rest, struct das_cloud_address *out, struct das_err *err);
/* Borrows from a. */
struct das_cloud_place das_cloud_address_place(const struct das_cloud_address *a);

/* Where the place is asked: "https://das.cn-north-4.myhuaweicloud.com". */
int das_cloud_endpoint(const struct das_cloud *c, const struct das_cloud_place *place,
                       struct das_endpoint *out, struct das_err *err);

/* One call: what it may cost, and what came of it besides the answer. Starts as {0}; the last
 * members are filled, also when the call fails. */
struct das_cloud_call {
    struct das_patience patience; /* of the caller, besides the account's deadline */
    struct das_patience sending;  /* how long it may still be sent: what it was decided by grows old
                                     while it waits for its turn. Asked last when a connection stands */

    int status;            /* HTTP; 0: no answer */
    char error_code[40];   /* "DAS.200100", "APIGW.0308", "401" of IAM; "": none told */
    char error_msg[520];
    char request_id[80];
    int attempts;
    int64_t date;          /* Unix s, of the server's clock; 0: not told */
    bool unknown;          /* it was sent and may have had its effect, but nobody has said so */
    bool late;             /* it was not sent, and no longer may be */
};

/* --- one request (for api*.c and kill.c) -------------------------------------------------------- */

enum das_cloud_effect {
    DAS_CLOUD_READS,  /* tried again on trouble */
    DAS_CLOUD_WRITES, /* sent once */
};

struct das_cloud_ask {
    const char *doing;     /* "list kill tasks": for messages */
    const char *action;    /* "das:clouddba:listKillTaskRecord": the permission that it needs */
    const char *method;
    const char *path;      /* "/v3/{project_id}/instances/{instance_id}/..." */
    enum das_cloud_effect effect;
    bool anonymous;        /* needs no credential */
    bool language;         /* sends X-Language */
    const struct das_sign_pair *query;
    size_t query_count;
    struct das_text body;  /* JSON; NULL: none */
};

/* The answer's body (NULL and 0 when it is empty) is the caller's. -1: DAS_E_AUTH (401), DAS_E_DENIED
 * (403), DAS_E_BUSY (429 and DAS.200002, and the last attempt had it too), DAS_E_USAGE (other 4xx),
 * DAS_E_CONNECT (5xx, no answer, or the database gives DAS none), DAS_E_TIMEOUT, DAS_E_DATA (an answer
 * that cannot be read). The message has status, code, words, request id and what to do about it. */
int das_cloud_perform(struct das_cloud *c, const struct das_cloud_place *place,
                      const struct das_cloud_ask *ask, struct das_cloud_call *call, json_t **answer,
                      struct das_err *err);

/* What a gateway or DAS error means to the person who has to mend it; "" when there is nothing to
 * add. action: the permission that the call needs. */
void das_cloud_advice(int status, const char *code, const char *message, const char *action,
                      char *out, size_t size);

#endif
