/* lockout.c - see lockout.h. */
#include "core/serve/lockout.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/base/mem.h"

#define NONE UINT32_MAX
#define ADDRESS 16

struct pair {
    char id[DAS_ACCESS_ID_SIZE];
    unsigned char address[ADDRESS];
};

struct entry {
    struct pair pair;
    int failures;
    bool locked;
    int64_t since_ms;      /* the last failure, or when it was locked */
    uint32_t next;         /* in its bucket, or of those that are free */
    uint32_t older, newer; /* in its row */
};

/* Two rows by age: pairs that are counted and pairs that are locked. */
struct row {
    uint32_t oldest, newest;
};

struct das_lockout {
    pthread_mutex_t lock;
    atomic_size_t count;
    struct row rows[2];
    uint32_t *buckets, free;
    size_t size;
    uint64_t seed;
    int failures;
    int64_t ms;
    struct entry entries[];
};

struct das_lockout *das_lockout_new(size_t pairs, int failures, int64_t ms, struct das_err *err)
{
    struct das_lockout *l = das_calloc(1, sizeof *l + pairs * sizeof l->entries[0]);

    if (l)
        l->buckets = das_calloc(pairs, sizeof *l->buckets);
    if (!l || !l->buckets) {
        das_free(l);
        das_fail_nomem(err);
        return NULL;
    }
    if (das_random(&l->seed, sizeof l->seed, err) < 0) {
        das_free(l->buckets);
        das_free(l);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->size = pairs;
    l->failures = failures;
    l->ms = ms;
    l->rows[0] = l->rows[1] = (struct row){NONE, NONE};
    for (size_t i = 0; i < pairs; i++) {
        l->buckets[i] = NONE;
        l->entries[i].next = i + 1 < pairs ? (uint32_t)(i + 1) : NONE;
    }
    return l;
}

void das_lockout_free(struct das_lockout *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    das_free(l->buckets);
    das_free(l);
}

/* --- pairs ------------------------------------------------------------------------------------ */

static void address_of(const char *peer, unsigned char out[ADDRESS])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    unsigned char six[16];

    memset(out, 0, ADDRESS);
    snprintf(text, sizeof text, "%.*s", (int)strcspn(peer, "%"), peer); /* "fe80::1%eth0" */
    if (inet_pton(AF_INET6, text, six) != 1)
        memcpy(out, peer, strnlen(peer, ADDRESS)); /* IPv4 as it is written: at most 15 bytes */
    else if (memcmp(six, mapped, sizeof mapped) == 0)
        inet_ntop(AF_INET, six + 12, (char *)out, ADDRESS);
    else
        memcpy(out + 1, six, 8); /* no text begins with NUL */
}

static struct pair pair_of(const char *id, const char *peer)
{
    struct pair p = {{0}, {0}};

    memcpy(p.id, id, strnlen(id, sizeof p.id - 1));
    address_of(peer, p.address);
    return p;
}

/* The seed is nobody's to know, so that nobody can fill one bucket. */
static uint32_t *bucket_of(struct das_lockout *l, const struct pair *p)
{
    const unsigned char *from = (const unsigned char *)p;
    uint64_t h = l->seed;

    for (size_t i = 0; i < sizeof *p; i++) {
        h = (h ^ from[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return &l->buckets[h % l->size];
}

static struct entry *find(struct das_lockout *l, const struct pair *p)
{
    for (uint32_t i = *bucket_of(l, p); i != NONE; i = l->entries[i].next) {
        if (memcmp(&l->entries[i].pair, p, sizeof *p) == 0)
            return &l->entries[i];
    }
    return NULL;
}

/* --- rows ------------------------------------------------------------------------------------- */

static void row_add(struct das_lockout *l, struct entry *e)
{
    struct row *r = &l->rows[e->locked];
    uint32_t i = (uint32_t)(e - l->entries);

    e->older = r->newest;
    e->newer = NONE;
    *(r->newest == NONE ? &r->oldest : &l->entries[r->newest].newer) = i;
    r->newest = i;
}

static void row_drop(struct das_lockout *l, struct entry *e)
{
    struct row *r = &l->rows[e->locked];

    *(e->older == NONE ? &r->oldest : &l->entries[e->older].newer) = e->newer;
    *(e->newer == NONE ? &r->newest : &l->entries[e->newer].older) = e->older;
}

static void forget(struct das_lockout *l, struct entry *e)
{
    uint32_t i = (uint32_t)(e - l->entries), *at = bucket_of(l, &e->pair);

    row_drop(l, e);
    while (*at != i)
        at = &l->entries[*at].next;
    *at = e->next;
    e->next = l->free;
    l->free = i;
    l->count--;
}

/* A clock that was set back does not make it longer. */
static bool is_over(const struct das_lockout *l, const struct entry *e, int64_t now_ms)
{
    return now_ms - e->since_ms >= l->ms || e->since_ms - now_ms >= l->ms;
}

static struct entry *add(struct das_lockout *l, const struct pair *p, int64_t now_ms)
{
    uint32_t locked = l->rows[1].oldest, counted = l->rows[0].oldest, *bucket = bucket_of(l, p);
    struct entry *e;

    if (l->free == NONE) {
        bool lock_over = locked != NONE && is_over(l, &l->entries[locked], now_ms);
        forget(l, &l->entries[counted == NONE || lock_over ? locked : counted]);
    }
    e = &l->entries[l->free];
    l->free = e->next;
    *e = (struct entry){.pair = *p, .next = *bucket};
    *bucket = (uint32_t)(e - l->entries);
    l->count++;
    return e;
}

/* --- questions -------------------------------------------------------------------------------- */

bool das_lockout_is_locked(struct das_lockout *l, const char *id, const char *peer, int64_t now_ms)
{
    struct pair p;
    struct entry *e;
    bool locked;

    if (!l->count) /* as it is nearly always */
        return false;
    p = pair_of(id, peer);
    pthread_mutex_lock(&l->lock);
    e = find(l, &p);
    if (e && is_over(l, e, now_ms)) {
        forget(l, e);
        e = NULL;
    }
    locked = e && e->locked;
    pthread_mutex_unlock(&l->lock);
    return locked;
}

void das_lockout_failed(struct das_lockout *l, const char *id, const char *peer, int64_t now_ms)
{
    struct pair p = pair_of(id, peer);
    struct entry *e;

    pthread_mutex_lock(&l->lock);
    e = find(l, &p);
    if (e && is_over(l, e, now_ms)) {
        forget(l, e);
        e = NULL;
    }
    if (e && !e->locked)
        row_drop(l, e);
    if (!e)
        e = add(l, &p, now_ms);
    if (!e->locked) { /* what was under way when it was locked makes it no longer */
        e->failures++;
        e->locked = e->failures >= l->failures;
        e->since_ms = now_ms;
        row_add(l, e);
    }
    pthread_mutex_unlock(&l->lock);
}

void das_lockout_succeeded(struct das_lockout *l, const char *id, const char *peer)
{
    struct pair p;
    struct entry *e;

    if (!l->count)
        return;
    p = pair_of(id, peer);
    pthread_mutex_lock(&l->lock);
    e = find(l, &p);
    if (e && !e->locked)
        forget(l, e);
    pthread_mutex_unlock(&l->lock);
}

size_t das_lockout_count(struct das_lockout *l)
{
    return l->count;
}
