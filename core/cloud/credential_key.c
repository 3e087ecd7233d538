/*
 * credential_key.c - the keys that are good now: one block of locked memory, shared by those who
 * hold it, wiped by the last of them. Owns nothing else.
 */
#include "core/cloud/credential_impl.h"

#include <stdatomic.h>

#include "core/base/crypto.h"

#define ACCESS_MAX 128

struct shared_key {
    struct das_cloud_key key; /* first: who has one has the other */
    atomic_uint references;
    size_t size; /* of all of it */
    char bytes[];
};

bool das_access_key_valid(struct das_text access)
{
    for (size_t i = 0; i < access.len; i++) {
        char c = access.ptr[i];
        if (c <= ' ' || c > '~' || c == ',' || c == '/')
            return false;
    }
    return access.len > 0 && access.len <= ACCESS_MAX;
}

/* What a header can carry as it is. */
static bool is_token(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] <= ' ' || t.ptr[i] > '~')
            return false;
    }
    return t.len > 0;
}

static int check(const struct das_cloud_key *k, struct das_err *err)
{
    if (k->token.ptr)
        return is_token(k->token) ? 0
                                  : das_fail(err, DAS_E_CONFIG,
                                             "the token is empty, or holds a "
                                             "blank or a control character");
    if (!das_access_key_valid(k->access))
        return das_fail(
            err, DAS_E_CONFIG,
            "the access key: expected 1 to %d visible characters without \",\" and \"/\", got %s",
            ACCESS_MAX,
            !k->access.len               ? "none"
            : k->access.len > ACCESS_MAX ? "more"
                                         : "others");
    if (!k->secret.len)
        return das_fail(err, DAS_E_CONFIG, "the secret key is missing or empty");
    if (k->security_token.ptr && !is_token(k->security_token))
        return das_fail(err, DAS_E_CONFIG,
                        "the security token is empty, or holds a blank or a control character");
    return 0;
}

static struct das_text put(char **to, struct das_text t)
{
    char *at = *to;

    if (!t.ptr)
        return DAS_TEXT_NULL;
    memcpy(at, t.ptr, t.len);
    at[t.len] = '\0';
    *to += t.len + 1;
    return das_text(at, t.len);
}

struct das_cloud_key *das_cloud_key_new(const struct das_cloud_key *from, struct das_err *err)
{
    size_t size = sizeof(struct shared_key) + from->access.len + from->secret.len +
                  from->security_token.len + from->token.len + 4;
    struct shared_key *s;
    char *to;

    if (check(from, err) < 0)
        return NULL;
    s = das_locked_alloc(size);
    if (!s) {
        das_fail_nomem(err);
        return NULL;
    }
    to = s->bytes;
    s->size = size;
    atomic_init(&s->references, 1);
    s->key = (struct das_cloud_key){.expires = from->expires, .generation = from->generation};
    s->key.access = put(&to, from->access);
    s->key.secret = put(&to, from->secret);
    s->key.security_token = put(&to, from->security_token);
    s->key.token = put(&to, from->token);
    return &s->key;
}

struct das_cloud_key *das_cloud_key_retain(struct das_cloud_key *k)
{
    struct shared_key *s = (struct shared_key *)k;

    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    return k;
}

void das_cloud_key_release(struct das_cloud_key *k)
{
    struct shared_key *s = (struct shared_key *)k;

    if (s && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
        das_locked_free(s, s->size);
}

static bool same(struct das_text a, struct das_text b)
{
    return !a.ptr == !b.ptr && das_bytes_equal(a, b);
}

bool das_cloud_key_same(const struct das_cloud_key *a, const struct das_cloud_key *b)
{
    return same(a->access, b->access) && same(a->secret, b->secret) &&
           same(a->security_token, b->security_token) && same(a->token, b->token);
}

void das_cloud_key_redact(const struct das_cloud_key *k, char *text)
{
    const struct das_text secrets[] = {k->secret, k->security_token, k->token};

    das_redact(text, secrets, sizeof secrets / sizeof *secrets);
}
