/*
 * crypto.h - what signatures and encrypted callbacks need: hashes, HMAC, AES-CBC, Ed25519, random
 * bytes, and bytes written as text. All of it is OpenSSL's; nothing here is invented.
 */
#ifndef DAS_BASE_CRYPTO_H
#define DAS_BASE_CRYPTO_H

#include "core/base/buf.h"

enum das_hash { DAS_SHA1, DAS_SHA256, DAS_SHA512 };
#define DAS_HASH_MAX 64 /* bytes of the longest */

struct das_hash_value {
    unsigned char bytes[DAS_HASH_MAX];
    size_t len;
};

int das_hash_find(const char *name); /* "sha1", "sha256", "sha512"; or -1 */
int das_hash(enum das_hash kind, struct das_text data, struct das_hash_value *out,
             struct das_err *err);
int das_hmac(enum das_hash kind, struct das_text key, struct das_text data,
             struct das_hash_value *out, struct das_err *err);

/* Takes the same time wherever the difference is; only the lengths can be told apart. */
bool das_bytes_equal(struct das_text a, struct das_text b);

/* Lower case out; either case in. Fails (DAS_E_DATA) on anything else. */
void das_hex_encode(struct das_text data, struct das_buf *b);
int das_hex_decode(struct das_text text, struct das_buf *b, struct das_err *err);

enum das_base64 { DAS_BASE64, DAS_BASE64URL };
/* RFC 4648: plain with padding, url without. */
void das_base64_encode(enum das_base64 kind, struct das_text data, struct das_buf *b);
/* Strict: the kind's own alphabet and padding, no white space, no stray bits behind the last byte,
 * so that each value has one text only. Not strict: padding may be there or not, and those bits are
 * ignored (keys that somebody drew as random characters have them). */
int das_base64_decode(enum das_base64 kind, bool strict, struct das_text text, struct das_buf *b,
                      struct das_err *err);

int das_random(void *to, size_t n, struct das_err *err);
#define DAS_RANDOM_HEX_MAX 32 /* bytes */
/* n random bytes as hex digits and a NUL. */
int das_random_hex(char *to, size_t n, struct das_err *err);

enum das_padding { DAS_PAD_NONE, DAS_PAD_PKCS7, DAS_PAD_PKCS7_32 }; /* 32: blocks of 32 bytes */
int das_padding_find(const char *name); /* "none", "pkcs7", "pkcs7-32"; or -1 */
/* Appends the plain text to b. The key has 16, 24 or 32 bytes and iv 16 (else DAS_E_USAGE). Data
 * that was not encrypted so is DAS_E_DATA; garbage that ends like a padding goes unnoticed: check a
 * signature first. */
int das_aes_cbc_decrypt(struct das_text key, struct das_text iv, struct das_text data,
                        enum das_padding padding, struct das_buf *b, struct das_err *err);

/* AES-256-GCM with a random nonce: nonce, encrypted data, tag. about is not encrypted, but has to
 * be the same when it is opened. The key has 32 bytes (else DAS_E_USAGE). das_seal() appends to b.
 * Opening anything that was not sealed so is DAS_E_DATA; das_unseal() writes to out, which the
 * caller wipes (DAS_E_USAGE when size is too small for it). */
#define DAS_SEAL_OVERHEAD 28
int das_seal(struct das_text key, struct das_text about, struct das_text data, struct das_buf *b,
             struct das_err *err);
int das_unseal(struct das_text key, struct das_text about, struct das_text sealed, char *out,
               size_t size, size_t *len, struct das_err *err);

/* The key has 32 bytes (else DAS_E_USAGE). A signature of any other length than 64 is a wrong one.
 */
int das_ed25519_verify(struct das_text key, struct das_text message, struct das_text signature,
                       bool *good, struct das_err *err);

#endif
