/* digest.h - SHA-256 through OpenSSL, and a 64-bit digest cut from it. */
#ifndef DAS_BASE_DIGEST_H
#define DAS_BASE_DIGEST_H

#include "core/base/err.h"
#include "core/base/text.h"

#define DAS_SHA256_HEX 65 /* with the NUL */

int das_sha256_hex(struct das_text t, char out[DAS_SHA256_HEX], struct das_err *err);

/* The first 8 bytes of SHA-256 as a big-endian number; never 0 (which means "no digest").
 * NULL text gives 0. */
int das_digest64(struct das_text t, uint64_t *out, struct das_err *err);

#endif
