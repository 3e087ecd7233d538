/* outbox.c - see outbox.h: the queue, who may send when, and what became of each message. */
#include "core/store/outbox.h"

#include <stdio.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/base/mem.h"
#include "core/store/store_impl.h"

#define BLOCK_MAX_MS ((int64_t)86400 * 1000)

const char *das_outbox_state_name(enum das_outbox_state s)
{
    static const char *const names[] = {"waiting", "sent", "failed"};

    return names[s];
}

/* --- adding ----------------------------------------------------------------------------------- */

static int new_id(char id[DAS_DELIVERY_SIZE], struct das_err *err)
{
    memcpy(id, "msg_", 4);
    return das_random_hex(id + 4, 12, err);
}

/* 1: the same waits, or was sent, and is counted once more. */
static int said_before(struct das_store *s, const struct das_outbox_new *m, int64_t now_ms,
                       char id[DAS_DELIVERY_SIZE], struct das_err *err)
{
    sqlite3_stmt *st;
    int64_t row;
    bool same;
    int rc;

    if (!m->dedup.len)
        return 0;
    st = das_ask(s, err, DAS_Q_OUTBOX_SAME, "sb", m->channel, m->dedup);
    rc = st ? das_step(s, st, err) : -1;
    if (rc <= 0)
        return rc;
    row = sqlite3_column_int64(st, 0);
    snprintf(id, DAS_DELIVERY_SIZE, "%s", das_column_str(st, 1));
    same = sqlite3_column_int64(st, 2) == m->event &&
           sqlite3_column_int64(st, 3) > now_ms - m->dedup_ms &&
           sqlite3_column_int64(st, 4) != DAS_OUTBOX_FAILED;
    sqlite3_reset(st);
    if (!same)
        return 0;
    return das_do(s, err, DAS_Q_OUTBOX_REPEAT, "i", row) < 0 ? -1 : 1;
}

int das_outbox_put(struct das_store *s, const struct das_outbox_new *m, int64_t now_ms,
                   char *id, struct das_err *err)
{
    int rc = said_before(s, m, now_ms, id, err);
    int64_t waiting;

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (das_ask_int(s, &waiting, err, DAS_Q_OUTBOX_FULL, "s", m->channel) < 0)
        return -1;
    if (waiting >= DAS_OUTBOX_MAX)
        return das_fail(err, DAS_E_BUSY, "channel %s: %d messages wait to be sent already",
                        m->channel, DAS_OUTBOX_MAX);
    if (new_id(id, err) < 0)
        return -1;
    return das_do(s, err, DAS_Q_OUTBOX_ADD, "ssbiibii", id, m->channel, m->dedup, m->event,
                  (int64_t)m->alone, m->message, now_ms, now_ms + m->expire_ms) < 0
               ? -1
               : 1;
}

int das_outbox_add(struct das_store *s, const struct das_outbox_new *m, int64_t now_ms,
                   char id[DAS_DELIVERY_SIZE], struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = das_outbox_put(s, m, now_ms, id, err);
    return das_end(s, rc < 0 ? -1 : 0, err) < 0 ? -1 : rc;
}

/* --- taking ----------------------------------------------------------------------------------- */

void das_outbox_take_clear(struct das_outbox_take *t)
{
    for (size_t i = 0; i < t->count; i++)
        das_free(t->items[i].message);
    das_free(t->items);
    memset(t, 0, sizeof *t);
}

struct pace {
    int64_t tat_ms, blocked_ms, digest_ms; /* digest_ms: when the last digest was taken */
};

static int read_pace(struct das_store *s, const char *channel, struct pace *p, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_PACE_GET, "s", channel);
    int rc = st ? das_step(s, st, err) : -1;

    memset(p, 0, sizeof *p);
    if (rc <= 0)
        return rc;
    p->tat_ms = sqlite3_column_int64(st, 0);
    p->blocked_ms = sqlite3_column_int64(st, 1);
    p->digest_ms = sqlite3_column_int64(st, 2);
    sqlite3_reset(st);
    return 0;
}

/* What a clock that went back has left behind must not keep the channel closed for years. */
static void bound_pace(struct pace *p, const struct das_outbox_pace *rule, int64_t now_ms)
{
    if (p->tat_ms > now_ms + rule->burst * rule->every_ms)
        p->tat_ms = now_ms;
    if (p->blocked_ms > now_ms + BLOCK_MAX_MS)
        p->blocked_ms = 0;
    if (p->digest_ms > now_ms)
        p->digest_ms = 0;
}

static int add_item(struct das_outbox_take *t, sqlite3_stmt *st, struct das_err *err)
{
    struct das_outbox_item *bigger = das_grow(t->items, t->count + 1, sizeof *bigger), *x;
    struct das_text message = das_column(st, 2);

    if (!bigger)
        return das_fail_nomem(err);
    t->items = bigger;
    x = &t->items[t->count];
    memset(x, 0, sizeof *x);
    x->id = sqlite3_column_int64(st, 0);
    snprintf(x->delivery, sizeof x->delivery, "%s", das_column_str(st, 1));
    x->message = das_strndup(message.ptr, message.len);
    x->message_len = message.len;
    x->created_ms = sqlite3_column_int64(st, 3);
    x->tries = sqlite3_column_int64(st, 4) + 1;
    x->repeats = sqlite3_column_int64(st, 5);
    if (!x->message)
        return das_fail_nomem(err);
    t->count++;
    return 0;
}

static int gather(struct das_store *s, sqlite3_stmt *st, struct das_outbox_take *t,
                  struct das_err *err)
{
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        rc = add_item(t, st, err);
        if (rc < 0)
            sqlite3_reset(st);
    }
    return rc;
}

/* A digest that was tried before stays as it was: its id has been seen with these messages. */
static int claim_all(struct das_store *s, const struct das_outbox_take *t, bool digest,
                     int64_t now_ms, struct das_err *err)
{
    for (size_t i = 0; i < t->count; i++) {
        if (das_do(s, err, DAS_Q_OUTBOX_CLAIM, "iis", t->items[i].id, now_ms + DAS_OUTBOX_CLAIM_MS,
                   digest ? t->items[0].delivery : "") < 0)
            return -1;
    }
    return 0;
}

/* The oldest that may go now, or what of a digest belongs to it. only_alone: no digest is due. */
static int take_due(struct das_store *s, const char *channel, const struct das_outbox_pace *rule,
                    bool only_alone, int64_t now_ms, struct das_outbox_take *t, bool *digest,
                    struct das_err *err)
{
    sqlite3_stmt *st =
        das_ask(s, err, DAS_Q_OUTBOX_DUE, "sii", channel, now_ms, (int64_t)only_alone);
    int rc = st ? das_step(s, st, err) : -1;
    char part_of[DAS_DELIVERY_SIZE];
    int64_t id;
    bool alone;

    if (rc <= 0)
        return rc;
    id = sqlite3_column_int64(st, 0);
    alone = sqlite3_column_int64(st, 1) != 0;
    snprintf(part_of, sizeof part_of, "%s", das_column_str(st, 2));
    sqlite3_reset(st);
    if (*part_of)
        st = das_ask(s, err, DAS_Q_OUTBOX_GROUP, "ss", channel, part_of);
    else
        st = das_ask(s, err, DAS_Q_OUTBOX_LOOSE, "siii", channel, now_ms, id,
                     (int64_t)(alone || !rule->digest_ms ? 1 : DAS_OUTBOX_DIGEST));
    if (gather(s, st, t, err) < 0)
        return -1;
    *digest = rule->digest_ms > 0 && !alone;
    return claim_all(s, t, t->count > 1, now_ms, err);
}

static int later_of(struct das_store *s, const char *channel, int64_t not_before,
                    struct das_outbox_take *t, struct das_err *err)
{
    int64_t next;

    if (das_ask_int(s, &next, err, DAS_Q_OUTBOX_NEXT, "s", channel) < 0)
        return -1;
    t->next_ms = !next ? INT64_MAX : next > not_before ? next : not_before;
    return 0;
}

static int claim(struct das_store *s, const char *channel, const struct das_outbox_pace *rule,
                 int64_t now_ms, struct das_outbox_take *t, struct das_err *err)
{
    struct pace p;
    int64_t free_ms, digest_ms = 0;
    bool digest = false;
    int changed = das_do(s, err, DAS_Q_OUTBOX_EXPIRE, "si", channel, now_ms);

    if (changed < 0 || read_pace(s, channel, &p, err) < 0)
        return -1;
    t->expired = changed;
    bound_pace(&p, rule, now_ms);
    free_ms = p.tat_ms - (rule->burst - 1) * rule->every_ms;
    free_ms = free_ms > p.blocked_ms ? free_ms : p.blocked_ms;
    if (free_ms > now_ms)
        return later_of(s, channel, free_ms, t, err);
    if (rule->digest_ms && p.digest_ms)
        digest_ms = p.digest_ms + rule->digest_ms;
    if (take_due(s, channel, rule, digest_ms > now_ms, now_ms, t, &digest, err) < 0)
        return -1;
    if (!t->count)
        return later_of(s, channel, digest_ms, t, err);
    p.tat_ms = (p.tat_ms > now_ms ? p.tat_ms : now_ms) + rule->every_ms;
    return das_do(s, err, DAS_Q_PACE_PUT, "siii", channel, p.tat_ms, p.blocked_ms,
                  digest ? now_ms : p.digest_ms) < 0
               ? -1
               : 1;
}

int das_outbox_claim(struct das_store *s, const char *channel, const struct das_outbox_pace *pace,
                     int64_t now_ms, struct das_outbox_take *out, struct das_err *err)
{
    int rc;

    memset(out, 0, sizeof *out);
    if (das_begin(s, err) < 0)
        return -1;
    rc = claim(s, channel, pace, now_ms, out, err);
    return das_end(s, rc < 0 ? -1 : 0, err) < 0 ? -1 : rc;
}

/* --- what became of it ------------------------------------------------------------------------ */

int das_outbox_sent(struct das_store *s, const struct das_outbox_take *t, const char *ref,
                    int64_t now_ms, struct das_err *err)
{
    int rc = 0;

    if (das_begin(s, err) < 0)
        return -1;
    for (size_t i = 0; i < t->count && rc >= 0; i++)
        rc = das_do(s, err, DAS_Q_OUTBOX_SENT, "iis", t->items[i].id, now_ms, ref);
    return das_end(s, rc < 0 ? -1 : 0, err);
}

int das_outbox_later(struct das_store *s, const struct das_outbox_take *t, const char *channel,
                     int64_t until_ms, const char *code, const char *words, struct das_err *err)
{
    int rc = 0;

    if (das_begin(s, err) < 0)
        return -1;
    for (size_t i = 0; i < t->count && rc >= 0; i++)
        rc = das_do(s, err, DAS_Q_OUTBOX_LATER, "iiss", t->items[i].id, until_ms, code, words);
    if (rc >= 0)
        rc = das_do(s, err, DAS_Q_PACE_BLOCK, "si", channel, until_ms);
    return das_end(s, rc < 0 ? -1 : 0, err);
}

int das_outbox_failed(struct das_store *s, const struct das_outbox_take *t, int64_t now_ms,
                      const char *code, const char *words, struct das_err *err)
{
    int rc = 0;

    if (das_begin(s, err) < 0)
        return -1;
    for (size_t i = 0; i < t->count && rc >= 0; i++)
        rc = das_do(s, err, DAS_Q_OUTBOX_FAILED, "iiss", t->items[i].id, now_ms, code, words);
    return das_end(s, rc < 0 ? -1 : 0, err);
}

/* --- looking ---------------------------------------------------------------------------------- */

int das_outbox_ref(struct das_store *s, const char *channel, const char *delivery, char *ref,
                   size_t size, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_OUTBOX_REF, "ss", delivery, channel);
    int rc = st ? das_step(s, st, err) : -1;

    if (rc <= 0)
        return rc;
    snprintf(ref, size, "%s", das_column_str(st, 0));
    sqlite3_reset(st);
    return *ref ? 1 : 0;
}

int das_outbox_message(struct das_store *s, const char *delivery, struct das_buf *out,
                       struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_OUTBOX_MESSAGE, "s", delivery);
    int rc = st ? das_step(s, st, err) : -1;

    if (rc <= 0)
        return rc;
    das_buf_text(out, das_column(st, 0));
    sqlite3_reset(st);
    return das_buf_ok(out, err) < 0 ? -1 : 1;
}

static void read_row(sqlite3_stmt *st, int64_t now_ms, struct das_outbox_row *r)
{
    int64_t state = sqlite3_column_int64(st, 9);

    r->id = sqlite3_column_int64(st, 0);
    r->delivery = das_column_str(st, 1);
    r->channel = das_column_str(st, 2);
    r->code = das_column_str(st, 3);
    r->error = das_column_str(st, 4);
    r->ref = das_column_str(st, 5);
    r->part_of = das_column_str(st, 6);
    r->dedup = das_column(st, 7);
    r->message = das_column(st, 8);
    r->state = state == 0 ? DAS_OUTBOX_WAITING : state == 1 ? DAS_OUTBOX_SENT : DAS_OUTBOX_FAILED;
    r->claimed = state == 0 && sqlite3_column_int64(st, 10) > now_ms;
    r->created_ms = sqlite3_column_int64(st, 11);
    r->due_ms = sqlite3_column_int64(st, 12);
    r->expires_ms = sqlite3_column_int64(st, 13);
    r->ended_ms = sqlite3_column_int64(st, 14);
    r->tries = sqlite3_column_int64(st, 15);
    r->repeats = sqlite3_column_int64(st, 16);
}

int das_outbox_each(struct das_store *s, const char *channel, int state, int64_t now_ms,
                    int64_t max, das_outbox_fn *fn, void *arg, struct das_err *err)
{
    struct das_outbox_row r;
    sqlite3_stmt *st;
    int rc;

    if (s->format < DAS_FORMAT_OUTBOX)
        return 0;
    st = das_ask(s, err, DAS_Q_OUTBOX_ALL, "sii", channel ? channel : "", (int64_t)state, max);
    rc = st ? 0 : -1;
    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        read_row(st, now_ms, &r);
        rc = !r.delivery || !r.channel || !r.code || !r.error || !r.ref || !r.part_of
                 ? das_fail_nomem(err)
                 : fn(arg, &r);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

int das_outbox_count(struct das_store *s, enum das_outbox_state state, int64_t *out,
                     struct das_err *err)
{
    *out = 0;
    return s->format < DAS_FORMAT_OUTBOX
               ? 0
               : das_ask_int(s, out, err, DAS_Q_OUTBOX_COUNT, "i", (int64_t)state);
}

int das_outbox_purge(struct das_store *s, int64_t now_ms, struct das_err *err)
{
    return das_do(s, err, DAS_Q_OUTBOX_PURGE, "i", now_ms - DAS_OUTBOX_KEEP_MS) < 0 ? -1 : 0;
}
