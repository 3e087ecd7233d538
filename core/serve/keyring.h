/*
 * keyring.h - the secrets behind core/store/access.h: draws new ones, seals and opens those of
 * access keys, hashes tokens. It also seals what hooks have taken (core/store/work.h).
 *
 * Owns the master key, the file serve.key in the state directory (64 hex digits, 0600). It is in
 * locked memory while a keyring is open; so keep one open no longer than it is needed. Whoever has
 * the database alone can open nothing.
 */
#ifndef DAS_SERVE_KEYRING_H
#define DAS_SERVE_KEYRING_H

#include "core/base/buf.h"
#include "core/store/access.h"

/* --- drawing new ones ------------------------------------------------------------------------- */

#define DAS_SECRET_KEY_SIZE 41 /* 40 letters and digits */
#define DAS_TOKEN_SIZE 69      /* "das_", an id of 20, "_", 43 characters of base64url */
#define DAS_TOKEN_HASH 32

/* "DAS" and 17 of A-Z0-9, and its secret; the caller wipes that. */
int das_key_draw(char id[DAS_ACCESS_ID_SIZE], char secret[DAS_SECRET_KEY_SIZE],
                 struct das_err *err);
/* "DAT" and 17 of A-Z0-9, and the token with it inside. */
int das_token_draw(char id[DAS_ACCESS_ID_SIZE], char token[DAS_TOKEN_SIZE], struct das_err *err);
/* What the store keeps of a token. */
int das_token_hash(struct das_text token, unsigned char out[DAS_TOKEN_HASH], struct das_err *err);
/* The id in a token. False: it does not look like one. */
bool das_token_id(struct das_text token, char id[DAS_ACCESS_ID_SIZE]);

/* --- the master key --------------------------------------------------------------------------- */

struct das_keyring;

/* DAS_E_CONFIG naming the file when it is missing, is not what it should be, or can be read by
 * everybody. make: where it is missing it is made, on the disk when this returns; whoever makes it
 * at the same time gets the same one. */
int das_keyring_open(const char *state_dir, bool make, struct das_keyring **out,
                     struct das_err *err);
void das_keyring_close(struct das_keyring *k); /* wipes; NULL is fine */

/* Appends the sealed secret to b. It can be opened for the same id only. */
int das_keyring_seal(const struct das_keyring *k, const char *id, struct das_text secret,
                     struct das_buf *b, struct das_err *err);
/* out is NUL-terminated, and the caller wipes it. DAS_E_CONFIG when it is not sealed by this master
 * key for this id. */
int das_keyring_unseal(const struct das_keyring *k, const char *id, struct das_text sealed,
                       char out[DAS_SECRET_KEY_SIZE], struct das_err *err);
/* The same of any size, appended to b, which the caller wipes. */
int das_keyring_unseal_all(const struct das_keyring *k, const char *id, struct das_text sealed,
                           struct das_buf *b, struct das_err *err);

#endif
