/*
 * auth_keys.h - the keys and tokens of the store in memory, with their secrets opened. For auth.c
 * only.
 *
 * A key is shared by the list that it is in and by requests that are being checked; it goes with
 * the last of them. A list that is read again shares the keys that are as they were, so that a
 * reload neither opens them again nor forgets how fast somebody asks.
 */
#ifndef DAS_SERVE_AUTH_KEYS_H
#define DAS_SERVE_AUTH_KEYS_H

#include "core/cloud/sign.h"
#include "core/store/access.h"

struct das_auth_key;

struct das_auth_keys {
    struct das_auth_key **list; /* by id */
    size_t count;
    struct das_err wrong; /* code not 0: the first one that could not be opened, and why. Nobody can
                             use it */
};

/* before: the list until now, or an empty one. */
int das_auth_keys_read(struct das_store *store, const char *state_dir,
                       const struct das_auth_keys *before, struct das_auth_keys *out,
                       struct das_err *err);
void das_auth_keys_clear(struct das_auth_keys *k);
/* NULL when there is none. The caller owns a reference. */
struct das_auth_key *das_auth_keys_find(const struct das_auth_keys *k, struct das_text id,
                                        enum das_access_kind kind);

void das_auth_key_release(struct das_auth_key *k); /* NULL is fine */
const struct das_access *das_auth_key_access(const struct das_auth_key *k);
bool das_auth_key_usable(const struct das_auth_key *k); /* not revoked, and opened */
bool das_auth_key_expired(const struct das_auth_key *k, int64_t now_ms);
/* Any thread: das_sign_verify() with one of its signers; das_bytes_equal() with its hash. */
int das_auth_key_verify(struct das_auth_key *k, const struct das_sign_request *r,
                        const struct das_sign_auth *a, struct das_err *err);
int das_auth_key_token(const struct das_auth_key *k, struct das_text token, bool *good,
                       struct das_err *err);
/* May one more pass, at so many a second? */
bool das_auth_key_pass(struct das_auth_key *k, double rate, int64_t now_ms);

#endif
