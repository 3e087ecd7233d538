/* delivery.c - see delivery.h. */
#include "core/store/delivery.h"

#include <limits.h>
#include <string.h>

#include "core/base/fault.h"
#include "core/store/store_impl.h"

enum { ID = 0, PROOF = 1 };

static int check(const struct das_delivery *d, struct das_err *err)
{
    bool good = d->hook && *d->hook && d->count > 0 && d->count < INT_MAX && d->keep_ms > 0;

    for (size_t i = 0; good && i < d->count; i++)
        good = d->ids[i].len > 0;
    return good ? 0 : das_fail(err, DAS_E_INTERNAL, "a delivery that is not filled");
}

static bool has_proof(const struct das_delivery *d)
{
    return d->proof && *d->proof;
}

static int has(struct das_store *s, const struct das_delivery *d, int64_t kind, struct das_text id,
               int64_t *found, struct das_err *err)
{
    return das_ask_int(s, found, err, DAS_Q_DELIVERY_HAS, "sit", d->hook, kind, id);
}

/* 1: new; 0: it was there; -1 */
static int put(struct das_store *s, const struct das_delivery *d, int64_t kind, struct das_text id,
               int64_t now_ms, struct das_err *err)
{
    int64_t until_ms = now_ms > INT64_MAX - d->keep_ms ? INT64_MAX : now_ms + d->keep_ms;
    int rc = das_do(s, err, DAS_Q_DELIVERY_ADD, "sitii", d->hook, kind, id, now_ms, until_ms);

    if (rc != 0)
        return rc < 0 ? -1 : 1;
    return das_do(s, err, DAS_Q_DELIVERY_AGAIN, "siti", d->hook, kind, id, until_ms) < 0 ? -1 : 0;
}

/* 1: a signature that came before, now with an id that did not; 0; -1 */
static int is_replay(struct das_store *s, const struct das_delivery *d, struct das_err *err)
{
    int64_t found = 0;

    if (!has_proof(d))
        return 0;
    if (has(s, d, PROOF, das_text_of(d->proof), &found, err) < 0)
        return -1;
    if (!found)
        return 0;
    for (size_t i = 0; i < d->count; i++) {
        if (has(s, d, ID, d->ids[i], &found, err) < 0)
            return -1;
        if (!found)
            return 1;
    }
    return 0;
}

/* fresh gets a '1' for each id that is new, and a '0' for the others. */
static int note_all(struct das_store *s, const struct das_delivery *d, int64_t now_ms,
                    struct das_buf *fresh, struct das_err *err)
{
    int rc, count = 0;

    if (das_do(s, err, DAS_Q_DELIVERY_PURGE, "i", now_ms) < 0)
        return -1;
    rc = is_replay(s, d, err);
    if (rc != 0)
        return rc < 0 ? -1 : DAS_DELIVERY_REPLAYED;
    for (size_t i = 0; i < d->count; i++) {
        rc = put(s, d, ID, d->ids[i], now_ms, err);
        if (rc < 0)
            return -1;
        das_buf_char(fresh, rc > 0 ? '1' : '0');
        count += rc;
    }
    if (has_proof(d) && put(s, d, PROOF, das_text_of(d->proof), now_ms, err) < 0)
        return -1;
    return das_buf_ok(fresh, err) < 0 ? -1 : count;
}

static int note(struct das_store *s, const struct das_delivery *d, int64_t now_ms, bool *new_ones,
                struct das_err *err)
{
    struct das_buf fresh = {0};
    int rc = note_all(s, d, now_ms, &fresh, err);

    if (rc > 0 && d->work && das_work_put(s, d->work, das_buf_view(&fresh), err) < 0)
        rc = -1;
    for (size_t i = 0; rc >= 0 && new_ones && i < d->count; i++)
        new_ones[i] = fresh.ptr[i] == '1';
    das_buf_clear(&fresh);
    return rc;
}

int das_delivery_note(struct das_store *s, const struct das_delivery *d, int64_t now_ms,
                      bool *new_ones, struct das_err *err)
{
    int rc;

    if (new_ones && d->count)
        memset(new_ones, 0, d->count * sizeof *new_ones);
    if (check(d, err) < 0 || das_begin(s, err) < 0)
        return -1;
    rc = note(s, d, now_ms, new_ones, err);
    if (das_end(s, rc == -1 ? -1 : 0, err) < 0)
        rc = -1;
    if (rc < 0 && new_ones)
        memset(new_ones, 0, d->count * sizeof *new_ones);
    if (rc > 0)
        DAS_FAULT("delivery-noted");
    return rc;
}

static int forget(struct das_store *s, const struct das_delivery *d, const bool *which,
                  struct das_err *err)
{
    for (size_t i = 0; i < d->count; i++) {
        if ((!which || which[i]) &&
            das_do(s, err, DAS_Q_DELIVERY_DROP, "sit", d->hook, (int64_t)ID, d->ids[i]) < 0)
            return -1;
    }
    if (d->work && das_do(s, err, DAS_Q_WORK_DROP, "is", d->work->n, s->run) < 0)
        return -1;
    if (!has_proof(d))
        return 0;
    return das_do(s, err, DAS_Q_DELIVERY_DROP, "sit", d->hook, (int64_t)PROOF,
                  das_text_of(d->proof)) < 0
               ? -1
               : 0;
}

int das_delivery_forget(struct das_store *s, const struct das_delivery *d, const bool *which,
                        struct das_err *err)
{
    if (check(d, err) < 0 || das_begin(s, err) < 0)
        return -1;
    return das_end(s, forget(s, d, which, err), err);
}
