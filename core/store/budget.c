/* budget.c - see budget.h: counts and reservations in one transaction. */
#include "core/store/budget.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/store/store_impl.h"

/* Who asks, and for what: the same through all bounds. */
struct request {
    struct das_store *s; /* NULL: nothing was counted yet */
    const char *instance;
    const struct das_claim *claims;
    size_t n;
    const struct das_bound *bounds;
    size_t bound_count;
    char *why;
    size_t size;
    int64_t now_ms;
};

/* Kills of a bound's scope within its window, reservations among them. */
static int count(const struct request *q, const struct das_bound *b, struct das_text user,
                 int64_t *out, struct das_err *err)
{
    int64_t after = b->window_ms > 0 ? q->now_ms - b->window_ms : INT64_MIN;

    if (b->after_ms)
        after = b->after_ms;
    *out = 0;
    if (!q->s)
        return 0;
    switch (b->scope) {
    case DAS_SCOPE_RUN:
        return das_ask_int(q->s, out, err, DAS_Q_COUNT_RUN, "is", after, q->s->run);
    case DAS_SCOPE_ALL:
        return das_ask_int(q->s, out, err, DAS_Q_COUNT_ALL, "i", after);
    case DAS_SCOPE_INSTANCE:
        return das_ask_int(q->s, out, err, DAS_Q_COUNT_INSTANCE, "is", after, q->instance);
    case DAS_SCOPE_USER:
        return das_ask_int(q->s, out, err, DAS_Q_COUNT_USER, "isb", after, q->instance, user);
    }
    return das_fail(err, DAS_E_INTERNAL, "%s: no such scope", b->name);
}

/* "limits.kill.minute: 28 in the last 60 s and 4 more, expected at most 30" */
static void explain(const struct request *q, const struct das_bound *b, struct das_text user,
                    int64_t had, size_t more)
{
    struct das_buf t = {0};

    das_buf_printf(&t, "%s: %lld", b->name, (long long)had);
    if (b->scope == DAS_SCOPE_USER) {
        das_buf_str(&t, " of user ");
        das_json_text(&t, user.ptr ? user : das_text_of(""));
    }
    if (b->after_ms)
        das_buf_str(&t, " by other runs at this moment");
    else if (b->window_ms > 0 && b->window_ms % 1000 == 0)
        das_buf_printf(&t, " in the last %lld s", (long long)(b->window_ms / 1000));
    else if (b->window_ms > 0)
        das_buf_printf(&t, " in the last %lld ms", (long long)b->window_ms);
    else
        das_buf_str(&t, " so far");
    das_buf_printf(&t, " and %zu more, expected at most %lld", more, (long long)b->max);
    snprintf(q->why, q->size, "%s", t.ptr && !t.failed ? t.ptr : b->name);
    das_buf_clear(&t);
}

static bool same_user(struct das_text a, struct das_text b)
{
    return a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* How many claims are of the user of claim i; 0 when an earlier one asked that. */
static size_t claims_of(const struct request *q, size_t i)
{
    size_t n = 0;

    for (size_t k = 0; k < q->n; k++) {
        if (!same_user(q->claims[k].user, q->claims[i].user))
            continue;
        if (k < i)
            return 0;
        n++;
    }
    return n;
}

/* 0: there is room; 1: not, and why; -1. */
static int check_bound(const struct request *q, const struct das_bound *b, struct das_err *err)
{
    bool by_user = b->scope == DAS_SCOPE_USER;

    for (size_t i = 0; i < (by_user ? q->n : 1); i++) {
        struct das_text user = by_user ? q->claims[i].user : DAS_TEXT_NULL;
        size_t more;
        int64_t had;
        if (by_user && b->user.ptr && !same_user(b->user, user))
            continue;
        more = by_user ? claims_of(q, i) : q->n;
        if (!more)
            continue;
        if (count(q, b, user, &had, err) < 0)
            return -1;
        if (had > b->max || (int64_t)more > b->max - had) {
            explain(q, b, user, had, more);
            return 1;
        }
    }
    return 0;
}

static int check_all(struct request *q, struct das_err *err)
{
    int rc = 0;

    q->now_ms = das_clock_unix_ms();
    for (size_t i = 0; i < q->bound_count && rc == 0; i++)
        rc = check_bound(q, &q->bounds[i], err);
    return rc;
}

static int take(struct das_store *s, const char *instance, const char *policy,
                struct das_claim *claims, size_t n, struct das_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (das_do(s, err, DAS_Q_RESERVE, "sssbi", s->run, instance, policy, claims[i].user,
                   (int64_t)claims[i].fingerprint) < 0)
            return -1;
        claims[i].id = sqlite3_last_insert_rowid(s->db);
    }
    return 0;
}

/* The limit's lock. Built with DAS_WITHOUT_LIMIT_LOCK it is missing: others can take what was
 * counted as free. Only so can a test that looks for kills over a limit show that it would find
 * them. */
static int between(struct das_store *s, struct das_err *err)
{
#ifdef DAS_WITHOUT_LIMIT_LOCK
    if (das_end(s, 0, err) < 0)
        return -1;
    usleep(2000);
    return das_begin(s, err);
#else
    (void)s;
    (void)err;
    return 0;
#endif
}

int das_budget_reserve(struct das_store *s, const char *instance, const char *policy,
                       struct das_claim *claims, size_t n, const struct das_bound *bounds,
                       size_t bound_count, char *why, size_t size, struct das_err *err)
{
    struct request q = {s, instance, claims, n, bounds, bound_count, why, size, 0};
    int rc;

    if (!n)
        return 0;
    if (das_begin(s, err) < 0)
        return -1;
    rc = check_all(&q, err);
    if (rc == 0)
        rc = between(s, err);
    if (rc == 0)
        rc = take(s, instance, policy, claims, n, err);
    rc = das_end(s, rc, err);
    for (size_t i = 0; rc != 0 && i < n; i++)
        claims[i].id = 0;
    return rc;
}

int das_budget_would(struct das_store *s, const char *instance, const struct das_claim *claims,
                     size_t n, const struct das_bound *bounds, size_t bound_count, char *why,
                     size_t size, struct das_err *err)
{
    struct request q = {s, instance, claims, n, bounds, bound_count, why, size, 0};
    struct das_err ignored;
    int rc;

    if (!n)
        return 0;
    if (!s)
        return check_all(&q, err);
    if (das_begin_read(s, err) < 0)
        return -1;
    rc = check_all(&q, err);
    das_end(s, -1, &ignored);
    return rc;
}

int das_budget_give_back(struct das_store *s, const struct das_claim *claims, size_t n,
                         struct das_err *err)
{
    int rc = 0;

    if (!n)
        return 0;
    if (das_begin(s, err) < 0)
        return -1;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (claims[i].id && das_do(s, err, DAS_Q_GIVE_BACK, "is", claims[i].id, s->run) < 0)
            rc = -1;
    }
    return das_end(s, rc, err);
}

int64_t das_budget_recent(struct das_store *s, const char *instance, struct das_text user,
                          uint64_t fingerprint, int64_t since_ms, struct das_err *err)
{
    int64_t found;

    return das_ask_int(s, &found, err, DAS_Q_COUNT_RECENT, "isbi", since_ms, instance, user,
                       (int64_t)fingerprint) < 0
               ? -1
               : found;
}
