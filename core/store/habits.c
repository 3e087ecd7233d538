/* habits.c - see habits.h: breakers, and how much a policy usually matches. */
#include "core/store/habits.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/store/store_impl.h"

#define MATCHES_KEPT 100
#define MATCHES_ASKED 20

static const char *const names[] = {"closed", "open", "half-open"};

const char *das_breaker_name(enum das_breaker_state b)
{
    return (unsigned)b < 3 ? names[b] : "?";
}

static int read_row(const struct das_store *s, sqlite3_stmt *st, struct das_breaker *out,
                    struct das_err *err)
{
    int64_t state = sqlite3_column_int64(st, 0);
    struct das_text reason = das_column(st, 3);

    if (state < 0 || state > DAS_BREAKER_HALF_OPEN)
        return das_fail(err, DAS_E_STORE, "%s: a breaker in state %lld, expected 0 to 2", s->path,
                        (long long)state);
    out->state = (enum das_breaker_state)state;
    out->since_ms = sqlite3_column_int64(st, 1);
    out->respawns = sqlite3_column_int64(st, 2);
    snprintf(out->reason, sizeof out->reason, "%.*s", (int)(reason.len < 1000 ? reason.len : 1000),
             reason.ptr);
    return 0;
}

int das_breaker_get(struct das_store *s, const char *policy, const char *instance,
                    struct das_breaker *out, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_BREAKER_GET, "ss", policy, instance);
    int rc = st ? das_step(s, st, err) : -1;

    *out = (struct das_breaker){0};
    if (rc <= 0)
        return rc;
    rc = read_row(s, st, out, err);
    sqlite3_reset(st);
    return rc;
}

/* --- changing --------------------------------------------------------------------------------- */

static int record(struct das_store *s, const char *policy, const char *instance,
                  const struct das_breaker *was, const struct das_breaker *is, struct das_err *err)
{
    struct das_record r = {.kind = "breaker"};
    struct das_buf b = {0};
    int rc;

    das_buf_str(&b, "\"policy\":");
    das_json_str(&b, policy);
    das_json_key_text(&b, "instance", das_text_of(instance));
    das_json_key_text(&b, "state", das_text_of(das_breaker_name(is->state)));
    das_json_key_text(&b, "was", das_text_of(das_breaker_name(was->state)));
    das_json_key_int(&b, "respawns", is->respawns);
    das_json_key_text(&b, "reason", das_text_of(is->reason));
    rc = das_buf_ok(&b, err);
    r.members = das_buf_view(&b);
    if (rc == 0)
        rc = das_journal_append(s, &r, err);
    das_buf_clear(&b);
    return rc;
}

static int store_row(struct das_store *s, const char *policy, const char *instance,
                     const struct das_breaker *b, struct das_err *err)
{
    return das_do(s, err, DAS_Q_BREAKER_PUT, "ssiiis", policy, instance, (int64_t)b->state,
                  b->since_ms, b->respawns, b->reason) < 0
               ? -1
               : 0;
}

static int put(struct das_store *s, const char *policy, const char *instance, struct das_breaker *b,
               struct das_err *err)
{
    struct das_breaker was;

    if (das_breaker_get(s, policy, instance, &was, err) < 0)
        return -1;
    b->since_ms = was.since_ms;
    if (b->state != was.state) {
        b->since_ms = das_clock_unix_ms();
        if (record(s, policy, instance, &was, b, err) < 0)
            return -1;
    }
    return store_row(s, policy, instance, b, err);
}

int das_breaker_put(struct das_store *s, const char *policy, const char *instance,
                    const struct das_breaker *b, struct das_err *err)
{
    struct das_breaker next = *b;

    if ((unsigned)b->state > DAS_BREAKER_HALF_OPEN)
        return das_fail(err, DAS_E_INTERNAL, "a breaker in state %d", (int)b->state);
    if (das_begin(s, err) < 0)
        return -1;
    return das_end(s, put(s, policy, instance, &next, err), err);
}

static int try(struct das_store *s, const char *policy, const char *instance, int64_t cooldown_ms,
               bool *canary, struct das_breaker *out, struct das_err *err)
{
    int64_t now = das_clock_unix_ms();
    struct das_breaker was;

    if (das_breaker_get(s, policy, instance, out, err) < 0)
        return -1;
    /* A clock that was set back keeps it open for longer; never for less long. */
    if (out->state == DAS_BREAKER_CLOSED || now - out->since_ms < cooldown_ms)
        return 0;
    was = *out;
    out->state = DAS_BREAKER_HALF_OPEN;
    out->since_ms = now;
    if (record(s, policy, instance, &was, out, err) < 0 ||
        store_row(s, policy, instance, out, err) < 0)
        return -1;
    *canary = true;
    return 0;
}

int das_breaker_try(struct das_store *s, const char *policy, const char *instance,
                    int64_t cooldown_ms, bool *canary, struct das_breaker *out, struct das_err *err)
{
    int rc;

    *canary = false;
    if (das_begin(s, err) < 0)
        return -1;
    rc = das_end(s, try(s, policy, instance, cooldown_ms, canary, out, err), err);
    if (rc < 0)
        *canary = false;
    return rc;
}

static int close_it(struct das_store *s, const char *policy, const char *instance,
                    int64_t since_ms, bool *closed, struct das_err *err)
{
    struct das_breaker b;

    if (das_breaker_get(s, policy, instance, &b, err) < 0)
        return -1;
    if (b.state != DAS_BREAKER_HALF_OPEN || b.since_ms != since_ms)
        return 0;
    *closed = true;
    b = (struct das_breaker){.state = DAS_BREAKER_CLOSED};
    return put(s, policy, instance, &b, err);
}

int das_breaker_close(struct das_store *s, const char *policy, const char *instance,
                      int64_t since_ms, bool *closed, struct das_err *err)
{
    *closed = false;
    if (das_begin(s, err) < 0)
        return -1;
    return das_end(s, close_it(s, policy, instance, since_ms, closed, err), err);
}

static int respawned(struct das_store *s, const char *policy, const char *instance, int64_t count,
                     struct das_breaker *out, struct das_err *err)
{
    int64_t before;

    if (das_breaker_get(s, policy, instance, out, err) < 0)
        return -1;
    before = out->respawns;
    if (count <= 0)
        out->respawns = 0;
    else if (__builtin_add_overflow(before, count, &out->respawns))
        out->respawns = INT64_MAX;
    return out->respawns == before ? 0 : store_row(s, policy, instance, out, err);
}

int das_breaker_respawned(struct das_store *s, const char *policy, const char *instance,
                          int64_t count, struct das_breaker *out, struct das_err *err)
{
    if (das_begin(s, err) < 0)
        return -1;
    return das_end(s, respawned(s, policy, instance, count, out, err), err);
}

int das_breaker_each(struct das_store *s, das_breaker_fn *fn, void *arg, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_BREAKER_ALL, "");
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        struct das_breaker_row row;
        row.policy = (const char *)sqlite3_column_text(st, 4);
        row.instance = (const char *)sqlite3_column_text(st, 5);
        if (!row.policy || !row.instance)
            rc = das_fail_nomem(err);
        else
            rc = read_row(s, st, &row.breaker, err);
        if (rc == 0)
            rc = fn(arg, &row);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

/* --- matches ---------------------------------------------------------------------------------- */

/* The median of the last ones; of two in the middle, what lies between them. */
static int median(struct das_store *s, const char *policy, const char *instance, int64_t *usual,
                  struct das_err *err)
{
    sqlite3_stmt *st =
        das_ask(s, err, DAS_Q_MATCHES_LAST, "ssi", policy, instance, (int64_t)MATCHES_ASKED);
    int64_t counts[MATCHES_ASKED];
    size_t n = 0;
    int rc = st ? 0 : -1;

    *usual = 0;
    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        if (n < MATCHES_ASKED)
            counts[n++] = sqlite3_column_int64(st, 0);
        rc = 0;
    }
    if (n)
        *usual =
            n % 2 ? counts[n / 2] : counts[n / 2 - 1] + (counts[n / 2] - counts[n / 2 - 1]) / 2;
    return rc;
}

int das_matches_note(struct das_store *s, const char *policy, const char *instance, int64_t count,
                     int64_t *usual, int64_t *earlier, struct das_err *err)
{
    int rc = -1;

    if (das_begin(s, err) < 0)
        return -1;
    if (das_ask_int(s, earlier, err, DAS_Q_MATCHES_COUNT, "ss", policy, instance) == 0 &&
        median(s, policy, instance, usual, err) == 0 &&
        das_do(s, err, DAS_Q_MATCHES_ADD, "ssi", policy, instance, count) >= 0 &&
        das_do(s, err, DAS_Q_MATCHES_TRIM, "ssi", policy, instance, (int64_t)MATCHES_KEPT) >= 0)
        rc = 0;
    return das_end(s, rc, err);
}
