/*
 * credential_json.h - temporary keys as IAM answers them: {"access", "secret", "securitytoken",
 * "expires_at"}, alone or as the member "credential".
 *
 * A reader of its own, because a JSON library copies what it reads to memory that nobody wipes. It
 * works in place and allocates nothing; what it does not look for it checks and skips.
 */
#ifndef DAS_CLOUD_CREDENTIAL_JSON_H
#define DAS_CLOUD_CREDENTIAL_JSON_H

#include "core/base/err.h"
#include "core/base/text.h"

/* Within the text that was read. NULL: null, or not there. */
struct das_credential_json {
    struct das_text access, secret, security_token, expires_at;
};

/* Writes to text: escapes are undone in it. DAS_E_CONFIG naming the member or the place, never what
 * stands there. */
int das_credential_json_read(char *text, size_t len, struct das_credential_json *out,
                             struct das_err *err);

#endif
