/*
 * credential_impl.h - what the parts of credentials share; for core/cloud/credential*.c only.
 */
#ifndef DAS_CLOUD_CREDENTIAL_IMPL_H
#define DAS_CLOUD_CREDENTIAL_IMPL_H

#include "core/cloud/credential.h"

#define DAS_ENV_ACCESS "HUAWEICLOUD_SDK_AK"
#define DAS_ENV_SECRET "HUAWEICLOUD_SDK_SK"
#define DAS_ENV_TOKEN "HUAWEICLOUD_SDK_SECURITY_TOKEN"
#define DAS_ENV_PROJECT "HUAWEICLOUD_SDK_PROJECT_ID"
#define DAS_ENV_DOMAIN "HUAWEICLOUD_SDK_DOMAIN_ID"
#define DAS_ENV_IAM "HUAWEICLOUD_SDK_IAM_ENDPOINT"

/* --- what was configured ---------------------------------------------------------------------- */

int das_credential_conf_check(const struct das_credential_conf *conf, struct das_err *err);
/* Replaces all that conf points to by copies; what is empty becomes NULL. Only memory can fail. */
int das_credential_conf_copy(struct das_arena *a, struct das_credential_conf *conf);
void das_credential_conf_describe(const struct das_credential_conf *conf, struct das_buf *b);

/* --- keys ------------------------------------------------------------------------------------- */

/* The variable's value; NULL also when it is empty. */
const char *das_credential_env(const char *name);

/* A copy of what from says, with one reference. DAS_E_CONFIG for what cannot be sent. */
struct das_cloud_key *das_cloud_key_new(const struct das_cloud_key *from, struct das_err *err);
struct das_cloud_key *das_cloud_key_retain(struct das_cloud_key *k);
/* The same keys, or the same token. */
bool das_cloud_key_same(const struct das_cloud_key *a, const struct das_cloud_key *b);

/* Reads the keys from where they are; of any kind but DAS_CREDENTIAL_PASSWORD. */
int das_credential_read(const struct das_credential_conf *conf,
                        const struct das_patience *patience, struct das_cloud_key **out,
                        struct das_err *err);
/* An access key: visible characters, and nothing that a signature is written with. */
bool das_access_key_valid(struct das_text access);

#endif
