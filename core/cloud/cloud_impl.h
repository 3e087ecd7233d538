/*
 * cloud_impl.h - the inside of an account and of a call, for cloud.c, call.c and answer.c only.
 */
#ifndef DAS_CLOUD_CLOUD_IMPL_H
#define DAS_CLOUD_CLOUD_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/cloud/cloud.h"
#include "core/cloud/limiter.h"
#include "core/http/client.h"

/* What one request in flight needs: a connection, a signer with its key, and memory that is used
 * again. */
struct das_cloud_slot {
    struct das_http_client *client; /* NULL until first used */
    struct das_cloud_key *key;      /* of the signer */
    struct das_signer *signer;      /* NULL: none, or there is a token */
    char region[64];                /* of the signer */
    struct das_signed signature;
    struct das_http_headers headers;
    struct das_http_response resp;
    struct das_buf url, path;
};

struct das_cloud {
    atomic_uint refs;
    struct das_cloud_conf conf; /* texts are in `texts` */
    struct das_arena texts;
    struct das_credential *credential;
    struct das_limiter limiter;

    pthread_mutex_t lock; /* of all that follows */

    /* five wrong signatures lock a key for 5 minutes: one that nobody has accepted yet is tried by one
     * thread at a time, and not a fourth time */
    bool proving;       /* somebody tries one now */
    pthread_cond_t proved;
    uint64_t proven;    /* generation of the key that was accepted last */
    uint64_t doubted;   /* generation that was refused, ... */
    int refusals;       /* ... so many times in a row, ... */
    int64_t refused_ms; /* ... the last time then (monotonic) */

    pthread_cond_t freed;
    struct das_cloud_slot *slots;
    int *idle; /* slots that are free, the one used last on top: its connection is warm */
    int idle_count;
};

/* Waits a little with the lock, then the caller looks again, also at its patience. */
void das_cloud_wait(struct das_cloud *c, pthread_cond_t *for_what);
/* A free slot, waited for; NULL and DAS_E_TIMEOUT. */
struct das_cloud_slot *das_cloud_slot_take(struct das_cloud *c, const struct das_patience *patience,
                                           struct das_err *err);
void das_cloud_slot_give(struct das_cloud *c, struct das_cloud_slot *slot);

/* One call on its way. */
struct das_cloud_trip {
    struct das_cloud *cloud;
    const struct das_cloud_place *place;
    const struct das_cloud_ask *ask;
    struct das_cloud_call *call;
    int64_t deadline_ms; /* monotonic */
    char project[DAS_PROJECT_SIZE];
    struct das_endpoint endpoint;
    struct das_buf path;
    json_t **answer;
    struct das_err *err;
    int64_t retry_after_ms; /* of the last answer; -1: not told */
    bool renewed;           /* the credential was refused once already */
    bool sent;              /* of this attempt: from now on it is only waited for */
};

/* What a whole exchange says: 0 and the answer, or -1. Fills t->call. */
int das_cloud_judge(struct das_cloud_trip *t, const struct das_cloud_slot *s);

#endif
