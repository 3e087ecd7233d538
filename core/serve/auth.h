/*
 * auth.h - who asks, and may they? Verifies signatures and tokens against the keys in the store,
 * and remembers what makes a key or an address suspicious.
 *
 * Keys are kept in memory, in locked pages, and read anew when the store changed: a revoked one is
 * refused within a second. Any thread may ask.
 */
#ifndef DAS_SERVE_AUTH_H
#define DAS_SERVE_AUTH_H

#include "core/cloud/sign.h"
#include "core/serve/refusal.h"
#include "core/store/access.h"

struct das_auth;

struct das_auth_conf {
    const char *state_dir; /* where the store and its master key are */
    const char *region;    /* V11: the region that its info has to name; the service is "das" */
    double rate;           /* requests a second and key; 0: no bound */
    bool keyless;          /* others ask or act besides, so that no key at all is no mistake */
};
#define DAS_AUTH_SKEW_S 900 /* between the request's date and now */
#define DAS_AUTH_FAILURES 5 /* of a key from one address, in a row, until it is locked there */
#define DAS_AUTH_LOCK_MS 300000

/* DAS_E_CONFIG when there is no credential at all, unless keyless: nobody could ask anything. */
int das_auth_new(const struct das_auth_conf *conf, struct das_auth **out, struct das_err *err);
void das_auth_free(struct das_auth *a); /* NULL is fine */
/* Once a second or so, by one thread: reads the keys again where the store has changed. */
int das_auth_refresh(struct das_auth *a, struct das_err *err);
size_t das_auth_keys(struct das_auth *a); /* that are good now; for /readyz */

struct das_auth_ask {
    const struct das_sign_request *request; /* decoded: path, query, all headers, body */
    const char *peer;                       /* address */
    bool writes;                            /* a signature of it is good once */
    int64_t now_ms;                         /* Unix */
};

/* Who it is. Copied, so that it outlives a reload. */
struct das_caller {
    char id[DAS_ACCESS_ID_SIZE]; /* of the key or token; "" when nobody could be told */
    char name[DAS_ACCESS_NAME_SIZE];
    char actions[DAS_ACCESS_LIST_SIZE], instances[DAS_ACCESS_LIST_SIZE]; /* as in access.h */
};

/* 0, or -1 and the refusal: 401 APIGW.0301 in the gateway's words, 429 APIGW.0308. caller->id is
 * what the request says also when it is refused (for the log), if that is a key that exists. */
int das_auth_check(struct das_auth *a, const struct das_auth_ask *ask, struct das_caller *caller,
                   struct das_refusal *why);

/* May the caller do action ("das:clouddba:listProcess") on the instance with that name and tags
 * (NULL: the action is about none)? */
bool das_auth_may(const struct das_caller *c, const char *action, const char *instance,
                  const char *const *tags, size_t tag_count);

#endif
