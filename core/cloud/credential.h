/*
 * credential.h - who das is at Huawei Cloud: where an account's keys come from, and the keys that
 * are good now.
 *
 * Owns reading, renewing and wiping them. One credential serves many threads; while one of them
 * renews, the others wait for it, or use the old keys as long as those are good. Secrets stand in
 * memory that is neither swapped nor dumped (the whole process makes no core dump once it has read
 * one), never in arguments, logs or errors.
 */
#ifndef DAS_CLOUD_CREDENTIAL_H
#define DAS_CLOUD_CREDENTIAL_H

#include "core/base/patience.h"
#include "core/base/secret.h"
#include "core/http/message.h"

enum das_credential_kind {
    DAS_CREDENTIAL_ENVIRONMENT, /* the SDK's variables: HUAWEICLOUD_SDK_AK, _SK, _SECURITY_TOKEN,
                                   _PROJECT_ID, _DOMAIN_ID */
    DAS_CREDENTIAL_KEYS,        /* access key and secret key from places; for good, or with a
                                   security token */
    DAS_CREDENTIAL_FILE,        /* temporary keys as JSON in a file that somebody renews:
                                   {"access":..,"secret":..,"securitytoken":..,"expires_at":..},
                                   alone or as the member "credential", as IAM answers */
    DAS_CREDENTIAL_COMMAND,     /* the same, printed by a program */
    DAS_CREDENTIAL_PASSWORD,    /* user and password at IAM: a token, good for 24 h */
    DAS_CREDENTIAL_TOKEN,       /* a token that somebody made: X-Auth-Token */
};

/* Copied by das_credential_new(). NULL where it does not apply. */
struct das_credential_conf {
    enum das_credential_kind kind;
    const char *access_key;             /* keys: not a secret */
    const struct das_secret_place *secret_key, *security_token; /* keys; the second may be NULL */
    const char *file;                   /* file */
    const char *const *command;         /* command: absolute path and arguments, ends with NULL */
    const char *domain, *user;          /* password */
    const struct das_secret_place *password; /* password */
    const struct das_secret_place *token;    /* token */
    const char *domain_id;              /* for looking up projects; may be NULL */
    const char *iam_endpoint;           /* NULL: $HUAWEICLOUD_SDK_IAM_ENDPOINT, else
                                           https://iam.REGION.myhuaweicloud.com for tokens and
                                           https://iam.myhuaweicloud.com for projects */
    const char *ca;                     /* as in das_http_request; may be NULL */
    bool insecure;                      /* plain http to IAM also where it is not this machine */
    int64_t connect_ms, total_ms;       /* of one exchange with IAM; 0: 5 s and 20 s */
};

/* Keys, or a token, that are good now. Immutable, counted by reference, in locked memory. */
struct das_cloud_key {
    struct das_text access, secret; /* NULL: there is a token */
    struct das_text security_token; /* NULL: the keys are for good */
    struct das_text token;          /* X-Auth-Token; NULL: there are keys */
    int64_t expires;                /* Unix s; 0: never, as far as is known */
    uint64_t generation;            /* another one for other keys; the same when the same ones were
                                       read again */
};
void das_cloud_key_release(struct das_cloud_key *k); /* wiped with the last reference; NULL is fine */
/* "***" for each of its secrets in a text, in place. For what a server says: a gateway that refuses
 * a signature repeats what it thinks was signed, the security token, too. */
void das_cloud_key_redact(const struct das_cloud_key *k, char *text);

struct das_credential;

/* Reads nothing yet. DAS_E_CONFIG naming what is missing or makes no sense. */
struct das_credential *das_credential_new(const struct das_credential_conf *conf,
                                          struct das_err *err);
void das_credential_free(struct das_credential *c); /* NULL is fine */

/* Keys that are good for a request to region, and to project (NULL: not known yet), renewed when
 * they expire within 5 minutes (a token: within an hour). The caller owns one reference.
 * DAS_E_CONFIG when they cannot be read, DAS_E_AUTH when IAM does not accept them, else as
 * das_http_perform(). */
int das_credential_get(struct das_credential *c, const char *region, const char *project,
                       const struct das_patience *patience, struct das_cloud_key **out,
                       struct das_err *err);
/* The gateway says that key is no longer good: the next get() reads or asks anew, unless somebody
 * has done so meanwhile. False: another would be the same. Keys and tokens from places are read
 * again here, to see whether they are. */
bool das_credential_refused(struct das_credential *c, const struct das_cloud_key *key);

/* The id of the project that has the name of the region: from the environment, from the token, or
 * asked of IAM once. out: at least 65 bytes. DAS_E_CONFIG when there is none, or more than one. */
#define DAS_PROJECT_SIZE 65
int das_credential_project(struct das_credential *c, const char *region,
                           const struct das_patience *patience, char out[DAS_PROJECT_SIZE],
                           struct das_err *err);

/* For people: "access key ABCD..., from the environment"; never a secret. */
void das_credential_describe(const struct das_credential *c, struct das_buf *b);

#endif
