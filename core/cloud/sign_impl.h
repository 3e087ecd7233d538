/*
 * sign_impl.h - what signing and reading signatures share; for core/cloud/sign*.c only.
 */
#ifndef DAS_CLOUD_SIGN_IMPL_H
#define DAS_CLOUD_SIGN_IMPL_H

#include <openssl/types.h>

#include "core/base/crypto.h"
#include "core/cloud/sign.h"

#define DAS_SIGN_WORD_MAX 128 /* bytes of an access key, a region, a service */

#define SHA_LEN 32
#define SHA_HEX ((size_t)64)
#define INFO_MAX (DAS_SIGN_WORD_MAX * 2 + 20)

/* das_hash() and das_hmac() look their algorithm up and set it up for each call, which costs more
 * than the hashing; here both are set up once for each key. */
struct das_signer {
    struct das_sign_key key;
    EVP_MD *sha;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *plain;   /* keyed with the secret */
    EVP_MAC_CTX *derived; /* keyed with what V11 makes of it for info */
    char info[INFO_MAX];
    size_t info_len; /* 0: derived has no key yet */
    struct das_buf canonical, to_sign;
    const struct das_sign_pair **order; /* headers or query, sorted */
    size_t order_cap;
};

/* Empty, with room for n bytes. Growing would leave a copy behind, and tokens are in there. */
int das_sign_empty(struct das_buf *b, size_t n, struct das_err *err);
/* SHA_LEN bytes, and such bytes as digits. */
int das_sign_hash(struct das_signer *s, struct das_text data, unsigned char *out,
                  struct das_err *err);
static inline void das_sign_hex(struct das_buf *b, const unsigned char *bytes)
{
    das_hex_encode(das_text((const char *)bytes, SHA_LEN), b);
}

/* Fills s->canonical. date: a header that is added; list: the names of those that count. One of the
 * two is none. *names: the line of SignedHeaders in it. */
int das_sign_canonical(struct das_signer *s, const struct das_sign_request *r,
                       const struct das_sign_pair *date, struct das_text list,
                       struct das_text *names, struct das_err *err);

/* One of the words that Authorization is made of. */
bool das_sign_is_word(struct das_text t);
/* The name of a header (RFC 9110). */
bool das_sign_is_token(struct das_text t);
/* The order of header names, whatever their case. */
int das_sign_name_cmp(struct das_text a, struct das_text b);
/* Cuts the first item, up to sep or the end, from *rest; false when there is none left. After the
 * last one *rest is NULL, so that an empty item at the end is one, too. */
bool das_sign_cut(struct das_text *rest, char sep, struct das_text *item);

#endif
