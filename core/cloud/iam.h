/*
 * iam.h - the two things that das asks Huawei Cloud's IAM: a token for a user and password, and the
 * id of the project that has a region's name.
 *
 * One exchange a call, on a connection of its own: both are rare. Keeps nothing; what is kept and
 * when it is asked anew is credential.c's. What IAM says when it refuses is in the message, without
 * any secret that was sent to it.
 */
#ifndef DAS_CLOUD_IAM_H
#define DAS_CLOUD_IAM_H

#include "core/base/patience.h"
#include "core/cloud/credential.h"
#include "core/cloud/endpoint.h"

struct das_iam {
    struct das_endpoint at;
    const char *ca;
    int64_t connect_ms, total_ms;
    const struct das_patience *patience;
};

struct das_iam_login {
    const char *domain, *user;
    struct das_text password;
    const char *region, *project; /* the project's id; NULL: the one that has the region's name */
};

struct das_iam_token {
    struct das_http_response resp;
    struct das_text value; /* in resp */
    int64_t expires;       /* Unix s */
    char project[DAS_PROJECT_SIZE]; /* "": for none */
};

/* Both: DAS_E_AUTH for 401 and 403, DAS_E_BUSY for 429, DAS_E_CONFIG for other 4xx,
 * DAS_E_CONNECT for 5xx, DAS_E_DATA for an answer that is none, else as das_http_perform(). */
int das_iam_token(const struct das_iam *iam, const struct das_iam_login *login,
                  struct das_iam_token *out, struct das_err *err);
void das_iam_token_clear(struct das_iam_token *t); /* wipes */

/* domain_id may be NULL. *status: of the answer; 0: none. DAS_E_CONFIG when there is not exactly
 * one project. */
int das_iam_project(const struct das_iam *iam, const struct das_cloud_key *key,
                    const char *domain_id, const char *region, char out[DAS_PROJECT_SIZE],
                    int *status, struct das_err *err);

/* Is it one that can stand in a path? */
bool das_project_valid(const char *id);

#endif
