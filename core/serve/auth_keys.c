/* auth_keys.c - see auth_keys.h. */
#include "core/serve/auth_keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/crypto.h"
#include "core/base/mem.h"
#include "core/serve/keyring.h"

#define SIGNERS_KEPT 32 /* of a key; more are in use only while as many requests are checked */

struct das_auth_key {
    struct das_access access; /* its secret is stored */
    char *stored;
    char *secret; /* of a key, in locked pages; NULL: it cannot be used */
    atomic_int refs;

    pthread_mutex_t lock; /* of what follows */
    struct das_signer *signers[SIGNERS_KEPT];
    size_t signer_count;
    double left; /* of the rate; less than 0: nobody asked yet */
    int64_t filled_ms;
};

/* --- one key ---------------------------------------------------------------------------------- */

void das_auth_key_release(struct das_auth_key *k)
{
    if (!k || atomic_fetch_sub(&k->refs, 1) > 1)
        return;
    for (size_t i = 0; i < k->signer_count; i++)
        das_signer_free(k->signers[i]);
    das_locked_free(k->secret, DAS_SECRET_KEY_SIZE);
    das_free(k->stored);
    pthread_mutex_destroy(&k->lock);
    das_free(k);
}

static struct das_auth_key *key_new(const struct das_access *a, struct das_err *err)
{
    struct das_auth_key *k = das_calloc(1, sizeof *k);

    if (k)
        k->stored = das_strndup(a->secret.ptr ? a->secret.ptr : "", a->secret.len);
    if (!k || !k->stored) {
        das_free(k);
        das_fail_nomem(err);
        return NULL;
    }
    k->access = *a;
    k->access.secret = das_text(k->stored, a->secret.len);
    k->refs = 1;
    k->left = -1;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

const struct das_access *das_auth_key_access(const struct das_auth_key *k)
{
    return &k->access;
}

bool das_auth_key_usable(const struct das_auth_key *k)
{
    if (k->access.revoked_ms)
        return false;
    return k->access.kind == DAS_ACCESS_KEY ? k->secret != NULL
                                            : k->access.secret.len == DAS_TOKEN_HASH;
}

bool das_auth_key_expired(const struct das_auth_key *k, int64_t now_ms)
{
    return k->access.expires_ms && now_ms >= k->access.expires_ms;
}

static struct das_signer *signer_take(struct das_auth_key *k, struct das_err *err)
{
    struct das_sign_key key = {.access = das_text_of(k->access.id),
                               .secret = das_text_of(k->secret)};
    struct das_signer *s = NULL;

    pthread_mutex_lock(&k->lock);
    if (k->signer_count)
        s = k->signers[--k->signer_count];
    pthread_mutex_unlock(&k->lock);
    return s ? s : das_signer_new(&key, err);
}

static void signer_give(struct das_auth_key *k, struct das_signer *s)
{
    pthread_mutex_lock(&k->lock);
    if (k->signer_count < SIGNERS_KEPT) {
        k->signers[k->signer_count++] = s;
        s = NULL;
    }
    pthread_mutex_unlock(&k->lock);
    das_signer_free(s);
}

int das_auth_key_verify(struct das_auth_key *k, const struct das_sign_request *r,
                        const struct das_sign_auth *a, struct das_err *err)
{
    struct das_signer *s = signer_take(k, err);
    int rc;

    if (!s)
        return -1;
    rc = das_sign_verify(s, r, a, err);
    signer_give(k, s);
    return rc;
}

int das_auth_key_token(const struct das_auth_key *k, struct das_text token, bool *good,
                       struct das_err *err)
{
    unsigned char hash[DAS_TOKEN_HASH];

    if (das_token_hash(token, hash, err) < 0)
        return -1;
    *good = das_bytes_equal(das_text((char *)hash, sizeof hash), k->access.secret);
    return 0;
}

/* A bucket as large as what a second brings. */
bool das_auth_key_pass(struct das_auth_key *k, double rate, int64_t now_ms)
{
    double most = rate < 1 ? 1 : rate;
    bool pass;

    pthread_mutex_lock(&k->lock);
    if (k->left < 0)
        k->left = most;
    else if (now_ms > k->filled_ms)
        k->left += (double)(now_ms - k->filled_ms) * rate / 1000;
    if (k->left > most)
        k->left = most;
    /* A thread that looked at the clock earlier brings nothing; a clock that was set back does. */
    if (now_ms > k->filled_ms || now_ms < k->filled_ms - 10000)
        k->filled_ms = now_ms;
    pass = k->left >= 1;
    if (pass)
        k->left -= 1;
    pthread_mutex_unlock(&k->lock);
    return pass;
}

/* --- the list --------------------------------------------------------------------------------- */

static int id_cmp(struct das_text a, struct das_text b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = memcmp(a.ptr, b.ptr, n);

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_id(const void *va, const void *vb)
{
    const struct das_auth_key *const *a = va, *const *b = vb;

    return strcmp((*a)->access.id, (*b)->access.id);
}

/* Borrowed. */
static struct das_auth_key *find(const struct das_auth_keys *k, struct das_text id)
{
    size_t from = 0, to = k->count;

    while (from < to) {
        size_t at = (from + to) / 2;
        int c = id_cmp(das_text_of(k->list[at]->access.id), id);
        if (c == 0)
            return k->list[at];
        *(c < 0 ? &from : &to) = c < 0 ? at + 1 : at;
    }
    return NULL;
}

struct das_auth_key *das_auth_keys_find(const struct das_auth_keys *k, struct das_text id,
                                        enum das_access_kind kind)
{
    struct das_auth_key *key = find(k, id);

    if (!key || key->access.kind != kind)
        return NULL;
    atomic_fetch_add(&key->refs, 1);
    return key;
}

void das_auth_keys_clear(struct das_auth_keys *k)
{
    for (size_t i = 0; i < k->count; i++)
        das_auth_key_release(k->list[i]);
    das_free(k->list);
    memset(k, 0, sizeof *k);
}

struct reading {
    const char *state_dir;
    const struct das_auth_keys *before;
    struct das_auth_keys *out;
    struct das_keyring *ring; /* opened with the first key that needs it */
    struct das_err *err;
};

static bool same(const struct das_access *a, const struct das_access *b)
{
    return a->kind == b->kind && a->created_ms == b->created_ms && a->expires_ms == b->expires_ms &&
           a->revoked_ms == b->revoked_ms && strcmp(a->name, b->name) == 0 &&
           strcmp(a->actions, b->actions) == 0 && strcmp(a->instances, b->instances) == 0 &&
           das_text_eq(a->secret, b->secret);
}

/* One that cannot be opened is there all the same: others work, and the log can say whose it is. */
static int open_key(struct reading *r, struct das_auth_key *k)
{
    struct das_err why = {0};

    if (!r->ring && das_keyring_open(r->state_dir, false, &r->ring, &why) < 0)
        goto wrong;
    k->secret = das_locked_alloc(DAS_SECRET_KEY_SIZE);
    if (!k->secret)
        return das_fail_nomem(r->err);
    if (das_keyring_unseal(r->ring, k->access.id, k->access.secret, k->secret, &why) == 0)
        return 0;
    das_locked_free(k->secret, DAS_SECRET_KEY_SIZE);
    k->secret = NULL;
wrong:
    if (why.code == DAS_E_NOMEM) {
        *r->err = why;
        return -1;
    }
    if (!r->out->wrong.code)
        das_fail(&r->out->wrong, DAS_E_CONFIG, "%s; das key revoke %s ends that key", why.msg,
                 k->access.id);
    return 0;
}

static int take(void *arg, const struct das_access *a)
{
    struct reading *r = arg;
    struct das_auth_key *k = find(r->before, das_text_of(a->id)), **list;

    list = das_grow(r->out->list, r->out->count + 1, sizeof(struct das_auth_key *));
    if (!list)
        return das_fail_nomem(r->err);
    r->out->list = list;
    if (k && same(&k->access, a) && (das_auth_key_usable(k) || a->revoked_ms)) {
        atomic_fetch_add(&k->refs, 1);
        list[r->out->count++] = k;
        return 0;
    }
    k = key_new(a, r->err);
    if (!k)
        return -1;
    list[r->out->count++] = k;
    return a->kind == DAS_ACCESS_KEY && !a->revoked_ms ? open_key(r, k) : 0;
}

int das_auth_keys_read(struct das_store *store, const char *state_dir,
                       const struct das_auth_keys *before, struct das_auth_keys *out,
                       struct das_err *err)
{
    struct reading r = {state_dir, before, out, NULL, err};
    int rc;

    memset(out, 0, sizeof *out);
    rc = das_access_each(store, take, &r, err);
    das_keyring_close(r.ring);
    if (rc < 0)
        das_auth_keys_clear(out);
    else if (out->count)
        qsort(out->list, out->count, sizeof *out->list, by_id);
    return rc < 0 ? -1 : 0;
}
