/*
 * kit.h - what several unit tests need: filters and sessions in one line, and random bytes that
 * can be had again.
 *
 * Everything here ends the test when it fails: a test that cannot set its stage proves nothing.
 */
#ifndef DAS_TESTS_KIT_H
#define DAS_TESTS_KIT_H

#include <time.h>

#include "core/base/mem.h"
#include "core/session/filter.h"
#include "core/session/selection.h"
#include "tests/unit/tap.h"

/* --- random numbers: the same for the same seed ---------------------------------------------- */

static uint64_t kit_state = 1;

/* Takes SEED from the environment; else the given one, so that a plain run is repeatable. */
static inline uint64_t kit_seed(uint64_t fallback)
{
    const char *given = getenv("SEED");
    uint64_t seed = given && *given ? strtoull(given, NULL, 0) : fallback;

    kit_state = seed * 2654435761u + 88172645463325252u;
    return seed;
}

static inline uint64_t kit_random(void)
{
    kit_state ^= kit_state << 13;
    kit_state ^= kit_state >> 7;
    kit_state ^= kit_state << 17;
    return kit_state * 0x2545f4914f6cdd1du;
}

static inline size_t kit_below(size_t n)
{
    return (size_t)((kit_random() >> 11) % n);
}

static inline const char *kit_pick(const char *const *list, size_t n)
{
    return list[kit_below(n)];
}

#define KIT_PICK(list) kit_pick(list, sizeof(list) / sizeof(list)[0])

/* --- filters ----------------------------------------------------------------------------------- */

static inline struct das_filter *kit_filter(const char *key, const char *text)
{
    struct das_err err = {0};
    struct das_filter *f = das_filter_new(&err);

    if (!f || (key && das_filter_set_text(f, key, text, &err) < 0)) {
        tap_diag("filter %s: %s", key ? key : "{}", err.msg);
        exit(1);
    }
    return f;
}

static inline struct das_filter *kit_filter2(const char *k1, const char *t1, const char *k2,
                                             const char *t2)
{
    struct das_err err = {0};
    struct das_filter *f = kit_filter(k1, t1);

    if (das_filter_set_text(f, k2, t2, &err) < 0) {
        tap_diag("filter %s: %s", k2, err.msg);
        exit(1);
    }
    return f;
}

static inline struct das_filter *kit_all(void)
{
    struct das_err err = {0};
    struct das_filter *f = kit_filter(NULL, NULL);
    const struct das_value yes = {.kind = DAS_V_BOOL, .boolean = true};

    if (das_filter_set(f, "all", &yes, &err) < 0)
        exit(1);
    return f;
}

/* These three take over what they are given. */
static inline struct das_filter *kit_not(struct das_filter *a)
{
    struct das_err err = {0};
    struct das_filter *f = das_filter_not(a, &err);

    das_filter_release(a);
    return f ? f : (tap_diag("not: %s", err.msg), exit(1), NULL);
}

static inline struct das_filter *kit_and(struct das_filter *a, struct das_filter *b)
{
    struct das_err err = {0};
    struct das_filter *f = das_filter_and(a, b, &err);

    das_filter_release(a);
    das_filter_release(b);
    return f ? f : (tap_diag("and: %s", err.msg), exit(1), NULL);
}

static inline struct das_filter *kit_or(struct das_filter *a, struct das_filter *b)
{
    struct das_err err = {0};
    struct das_filter *f = das_filter_or(a, b, &err);

    das_filter_release(a);
    das_filter_release(b);
    return f ? f : (tap_diag("or: %s", err.msg), exit(1), NULL);
}

/* A filter's text in a buffer that the next call but three overwrites. */
static inline const char *kit_text(const struct das_filter *f)
{
    static char out[4][4000];
    static unsigned next;
    struct das_buf b = {0};
    char *to = out[next++ % 4];

    das_filter_print(f, &b);
    snprintf(to, sizeof out[0], "%s", b.ptr ? b.ptr : "");
    das_buf_clear(&b);
    return to;
}

/* --- sessions ---------------------------------------------------------------------------------- */

/* A busy application session; the caller changes what the test is about. */
static inline struct das_session kit_session(int64_t id)
{
    return (struct das_session){
        .id = id,
        .user = das_text_of("app"),
        .host = das_text_of("10.0.0.7:51000"),
        .db = das_text_of("shop"),
        .command = das_text_of("Query"),
        .state = das_text_of("Sending data"),
        .sql_info = das_text_of("select * from orders"),
        .state_duration = 100,
        .time_ms = DAS_UNKNOWN,
        .query_id = DAS_UNKNOWN,
        .trx_time = DAS_UNKNOWN,
        .rows_modified = DAS_UNKNOWN,
        .rows_examined = DAS_UNKNOWN,
        .progress = DAS_UNKNOWN,
        .trx_id = DAS_UNKNOWN,
        .blocked_by = DAS_UNKNOWN,
    };
}

static inline struct das_snapshot *kit_snapshot(const struct das_session *list, size_t n)
{
    struct das_err err = {0};
    struct das_snapshot *s = das_snapshot_new(&err);

    for (size_t i = 0; s && i < n; i++) {
        if (das_snapshot_add(s, &list[i], &err) < 0)
            exit(1);
    }
    if (!s)
        exit(1);
    das_snapshot_set_time(s, 1000000);
    return s;
}

/* All sessions of a list, in its order. */
static inline struct das_selection *kit_select(const struct das_session *list, size_t n)
{
    struct das_err err = {0};
    struct das_snapshot *s = kit_snapshot(list, n);
    struct das_filter *f = kit_all();
    struct das_selection *sel = das_select(s, f, &err);

    das_snapshot_release(s);
    das_filter_release(f);
    return sel ? sel : (exit(1), NULL);
}

/* "3 1 2": the ids of a selection. */
static inline const char *kit_ids(const struct das_selection *sel)
{
    static char out[4000];
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; sel && i < sel->count && n < sizeof out - 30; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%lld", i ? " " : "",
                              (long long)das_snapshot_ids(sel->snap)[sel->rows[i]]);
    return sel ? out : NULL;
}

#endif
