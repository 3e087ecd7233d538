/*
 * test_match.c - properties of matching: random filters on random nasty sessions.
 *
 * The matcher, das_filter_test() and das_explain() must say the same of every session, and
 * composition must follow its laws. A failure prints the seed: SEED=n repeats the run.
 */
#include "core/session/explain.h"

#include "core/session/selection.h"
#include "tests/unit/any_filter.h"

static struct das_err err;

/* --- what must hold -------------------------------------------------------------------------------- */

enum { ROWS = 40, ROUNDS = 6000 };

static struct das_session sessions[ROWS];
static struct any_room rooms[ROWS];
static int failures;

static void new_sessions(void)
{
    for (int i = 0; i < ROWS; i++)
        sessions[i] = any_session(&rooms[i]);
}

static void wrong(const char *what, const struct das_filter *f, const struct das_session *s)
{
    struct das_explanation *e = das_explain(f, s, &err);
    struct das_buf b = {0};

    if (failures++ > 4)
        return;
    tap_diag("%s: %s on user=%.*s host=%.*s", what, kit_text(f), (int)s->user.len, s->user.ptr,
             (int)s->host.len, s->host.ptr);
    das_explanation_print(e, &b);
    tap_diag("%s", b.ptr);
    das_buf_clear(&b);
    das_explanation_free(e);
}

static void agree(const struct das_filter *f, const struct das_snapshot *snap)
{
    struct das_matcher *m = das_matcher_new(f, snap, &err);
    bool can = das_filter_can_match(f);

    if (!m)
        exit(1);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct das_session s;
        struct das_explanation *e;
        enum das_truth t;
        das_snapshot_get(snap, row, &s);
        t = das_filter_test(f, &s);
        e = das_explain(f, &s, &err);
        if (t != das_filter_test(f, &sessions[row]))
            wrong("the snapshot changed a session", f, &s);
        if (t != das_matcher_test(m, row))
            wrong("the matcher differs", f, &s);
        if (!e || e->truth != t || e->reasons[0].truth != t || e->reasons[0].depth != 0)
            wrong("the explanation differs", f, &s);
        if (t == DAS_YES && !can)
            wrong("it matches though it cannot", f, &s);
        das_explanation_free(e);
    }
    das_matcher_free(m);
}

/* Both are released. */
static void equal(const char *law, struct das_filter *a, struct das_filter *b)
{
    for (int i = 0; i < ROWS; i++) {
        if (das_filter_test(a, &sessions[i]) != das_filter_test(b, &sessions[i]))
            wrong(law, a, &sessions[i]);
    }
    das_filter_release(a);
    das_filter_release(b);
}

static struct das_filter *keep(struct das_filter *f)
{
    return das_filter_retain(f);
}

static void laws(struct das_filter *a, struct das_filter *b, struct das_filter *c)
{
    equal("~(a|b) is ~a & ~b", kit_not(kit_or(keep(a), keep(b))),
          kit_and(kit_not(keep(a)), kit_not(keep(b))));
    equal("~(a&b) is ~a | ~b", kit_not(kit_and(keep(a), keep(b))),
          kit_or(kit_not(keep(a)), kit_not(keep(b))));
    equal("~~a is a", kit_not(kit_not(keep(a))), keep(a));
    equal("a|b is b|a", kit_or(keep(a), keep(b)), kit_or(keep(b), keep(a)));
    equal("a&b is b&a", kit_and(keep(a), keep(b)), kit_and(keep(b), keep(a)));
    equal("a|(b|c) is (a|b)|c", kit_or(keep(a), kit_or(keep(b), keep(c))),
          kit_or(kit_or(keep(a), keep(b)), keep(c)));
    equal("a&(b|c) is a&b | a&c", kit_and(keep(a), kit_or(keep(b), keep(c))),
          kit_or(kit_and(keep(a), keep(b)), kit_and(keep(a), keep(c))));
    equal("a&a is a", kit_and(keep(a), keep(a)), keep(a));
    for (int i = 0; i < ROWS; i++) {
        struct das_filter *not_a = kit_not(keep(a));
        if (das_filter_test(a, &sessions[i]) == DAS_YES &&
            das_filter_test(not_a, &sessions[i]) == DAS_YES)
            wrong("a and ~a both hit", a, &sessions[i]);
        das_filter_release(not_a);
    }
}

static void empty_decides(struct das_filter *a)
{
    struct das_filter *none = kit_filter(NULL, NULL);
    struct das_filter *list[] = {
        kit_and(keep(a), keep(none)),           kit_and(keep(none), keep(a)),
        kit_not(kit_or(keep(a), keep(none))),   keep(none),
        kit_not(keep(none)),                    kit_and(keep(a), kit_not(keep(none))),
        kit_or(keep(none), kit_not(keep(none)))};

    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        for (int i = 0; i < ROWS; i++) {
            if (das_filter_test(list[k], &sessions[i]) == DAS_YES)
                wrong("an empty table decides and yet it hits", list[k], &sessions[i]);
        }
        das_filter_release(list[k]);
    }
    equal("a | {} hits what a hits", kit_and(kit_or(keep(a), keep(none)), kit_all()),
          kit_or(keep(a), keep(none)));
    das_filter_release(none);
}

static void properties(uint64_t seed)
{
    for (int round = 0; round < ROUNDS && failures < 5; round++) {
        struct das_filter *a = any_filter(4), *b = any_filter(3), *c = any_filter(2);
        struct das_snapshot *snap;
        struct das_selection *sel;
        size_t hits = 0;

        new_sessions();
        snap = kit_snapshot(sessions, ROWS);
        agree(a, snap);
        laws(a, b, c);
        empty_decides(a);
        sel = das_select(snap, a, &err);
        for (int i = 0; i < ROWS; i++)
            hits += das_filter_test(a, &sessions[i]) == DAS_YES;
        if (!sel || sel->count != hits)
            wrong("a selection holds other rows", a, &sessions[0]);
        das_selection_free(sel);
        das_snapshot_release(snap);
        das_filter_release(a);
        das_filter_release(b);
        das_filter_release(c);
    }
    ok(!failures, "%d random filters on %d sessions each obey (SEED=%" PRIu64 ")", ROUNDS, ROWS,
       seed);
    if (failures)
        tap_diag("repeat with SEED=%" PRIu64, seed);
}

/* --- rules by name ---------------------------------------------------------------------------------- */

static bool hits(const char *key, const char *value, const struct das_session *s)
{
    struct das_filter *f = kit_filter(key, value);
    bool hit = das_filter_test(f, s) == DAS_YES;

    das_filter_release(f);
    return hit;
}

static void host(const char *pattern, const char *value, bool want)
{
    struct das_session s = kit_session(1);

    s.host = das_text_of(value);
    ok(hits("host", pattern, &s) == want, "host \"%s\" %s \"%s\"", pattern,
       want ? "hits" : "spares", value);
}

static void host_rules(void)
{
    struct das_session s = kit_session(1);

    host("10.0.0.7", "10.0.0.7:51000", true);
    host("10.0.0.7", "10.0.0.71:51000", false);
    host("10.0.0.7:51000", "10.0.0.7:51000", true);
    host("10.0.0.7:5100", "10.0.0.7:51000", false);
    host("10.0.0.%", "10.0.0.71:51000", true);
    host("10.0.0.7:%", "10.0.0.71:51000", false);
    host("%:51000", "10.0.0.7:51000", true);
    host("LOCALHOST", "localhost", true);
    host("db_1", "dbx1:3", false);
    /* IPv6 in brackets or not */
    host("fe80::1", "[fe80::1]:3306", true);
    host("FE80::1", "[fe80::1]", true);
    host("[fe80::1]", "[fe80::1]:3306", true);
    host("[fe80::1]", "fe80::1:3306", true);
    host("[fe80::1]", "fe80::1", true);
    host("[fe80::1]:3306", "[fe80::1]:3306", true);
    host("[fe80::1]:3306", "fe80::1:3306", true);
    host("[fe80::1]:3306", "[fe80::1]:3307", false);
    host("[fe80::1]:3306", "[fe80::1]", false);
    host("fe80::1:3306", "[fe80::1]:3306", true);
    /* a bracket ends the address for good */
    host("[fe80::1]:%", "[fe80::1]:3306", true);
    host("[fe80::1]:%", "[fe80::1:5]:3306", false);
    host("[fe80::1]:%", "fe80::1:3306", true);
    host("[fe80::1]:%", "fe80::1:5:3306", false);
    host("[fe80::1]%", "[fe80::12]:3306", false);
    host("[fe80::1]%", "[fe80::1]:3306", true);
    host("[fe80::%]", "[fe80::12]:3306", true);
    host("[%]", "[fe80::12]:3306", true);
    host("[%]", "10.0.0.7:51000", false);
    host("[%]:51000", "10.0.0.7:51000", false);
    host("[fe80::1", "[fe80::1]:3306", false);
    host("%", "", true);
    s.host = DAS_TEXT_NULL;
    ok(!hits("host", "%", &s) && !hits("host", "[%]", &s), "a NULL host is no host");
}

static void case_rules(void)
{
    struct das_session s = kit_session(1);

    s.db = DAS_TEXT_NULL;
    ok(hits("user", "app", &s) && !hits("user", "App", &s) && !hits("user", "APP%", &s),
       "users by exact case");
    ok(!hits("db", "%", &s), "NULL equals no db");
    s.db = das_text_of("Shop");
    ok(hits("db", "Shop", &s) && !hits("db", "shop", &s), "dbs too");
    ok(hits("command", "qUERY", &s) && hits("state", "sending DATA", &s),
       "commands and states in any case");
    ok(!hits("command", "Sleep", &s), "another command is another");
    s.user = das_text_of("appx1");
    ok(!hits("user", "app_1", &s), "_ is a letter");
}

/* An unknown time satisfies neither a time filter nor its negation, in any pure composition. */
static void unknown_time(void)
{
    struct das_session s = kit_session(1);

    s.state_duration = s.trx_time = DAS_UNKNOWN;
    for (int i = 0; i < 200; i++) {
        struct das_filter *f = kit_filter(kit_below(2) ? "time" : "trx_time", "60"), *n;
        for (size_t deep = kit_below(6); deep > 0; deep--) {
            struct das_filter *g = kit_filter(kit_below(2) ? "time" : "trx_time", "5");
            f = kit_below(3) ? f : kit_not(f);
            f = kit_below(2) ? kit_and(f, g) : kit_or(f, g);
        }
        n = kit_not(keep(f));
        if (das_filter_test(f, &s) != DAS_UNSURE || das_filter_test(n, &s) != DAS_UNSURE)
            wrong("a time that nobody knows was judged", f, &s);
        das_filter_release(f);
        das_filter_release(n);
    }
    ok(!failures, "neither f nor ~f hits an unknown time");
    s.trx_time = DAS_ABSENT;
    ok(!hits("trx_time", "0", &s), "no transaction is no transaction of 0 s");
    s.rows_modified = DAS_ABSENT;
    ok(!hits("rows_modified", "0", &s), "nor of 0 rows");
    s.state_duration = 0;
    ok(hits("time", "0", &s), "0 s are 0 s");
}

static void no_memory(void)
{
    struct das_filter *f = kit_and(kit_filter2("user", "a%", "host", "b"),
                                   kit_not(kit_filter2("state", "x", "command", "Query")));
    struct das_snapshot *snap;
    long n;
    int bad = 0;

    new_sessions();
    snap = kit_snapshot(sessions, ROWS);
    for (n = 1; n < 50; n++) {
        struct das_matcher *m;
        bool failed;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        m = das_matcher_new(f, snap, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (m == NULL) || (failed && err.code != DAS_E_NOMEM);
        das_matcher_free(m);
        if (!failed)
            break;
    }
    ok(!bad && n > 4, "%ld failing allocations are each told", n - 1);
    das_matcher_free(NULL);
    das_snapshot_release(snap);
    das_filter_release(f);
}

int main(void)
{
    uint64_t seed = kit_seed(20260102);

    host_rules();
    case_rules();
    unknown_time();
    properties(seed);
    no_memory();
    return tap_done();
}
