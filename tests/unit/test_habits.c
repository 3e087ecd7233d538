/* test_habits.c - breakers, their canary among many, and what a policy usually matches. */
#include "core/store/habits.h"

#include "core/base/clock.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

static struct das_breaker get(struct das_store *s, const char *policy)
{
    struct das_breaker b;

    must(das_breaker_get(s, policy, "orders", &b, &err) == 0, "a breaker");
    return b;
}

static void put(struct das_store *s, enum das_breaker_state state, int64_t respawns,
                const char *reason)
{
    struct das_breaker b = {.state = state, .respawns = respawns, .since_ms = 12345};

    snprintf(b.reason, sizeof b.reason, "%s", reason);
    must(das_breaker_put(s, "p.lua", "orders", &b, &err) == 0, "put: %s", err.msg);
}

static int last_line(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    (void)seq;
    (void)hash;
    snprintf(arg, 700, "%.*s", (int)line.len, line.ptr);
    return 0;
}

static void changes(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    int64_t before = das_clock_unix_ms();
    struct das_breaker b = get(s, "p.lua");
    char line[700];

    is_str(das_breaker_name(DAS_BREAKER_HALF_OPEN), "half-open", "a name");
    ok(b.state == DAS_BREAKER_CLOSED && b.since_ms == 0 && !*b.reason,
       "closed, where none is known");
    put(s, DAS_BREAKER_CLOSED, 2, "");
    b = get(s, "p.lua");
    ok(b.respawns == 2 && b.since_ms == 0, "a count alone is no change");
    is_int(store_head(s), 1, "and no record");
    put(s, DAS_BREAKER_OPEN, 3, "3 statements came back \xe2\x82\xac\x01");
    b = get(s, "p.lua");
    ok(b.state == DAS_BREAKER_OPEN && b.respawns == 3, "open");
    is_str(b.reason, "3 statements came back \xe2\x82\xac\x01", "and why");
    ok(b.since_ms >= before && b.since_ms <= das_clock_unix_ms(), "since now");
    is_int(das_journal_each(s, 2, last_line, line, &err), 0, "a record");
    has_str(line,
            "\"kind\":\"breaker\",\"policy\":\"p.lua\",\"instance\":\"orders\",\"state\":\"open\","
            "\"was\":\"closed\",\"respawns\":3,\"reason\":\"3 statements came back "
            "\xe2\x82\xac\\u0001\"}",
            "that says it");
    before = b.since_ms;
    store_sql(dir, "UPDATE breakers SET since_ms = since_ms - 1000");
    put(s, DAS_BREAKER_OPEN, 4, "more");
    b = get(s, "p.lua");
    ok(b.since_ms == before - 1000 && b.respawns == 4, "open since then");
    is_int(store_head(s), 2, "no record of that");
    put(s, DAS_BREAKER_CLOSED, 0, "");
    is_int(store_head(s), 3, "closed: a record");
    is_int(get(s, "q.lua").state, DAS_BREAKER_CLOSED, "another policy");
    store_sql(dir, "UPDATE breakers SET state = 7");
    ok(das_breaker_get(s, "p.lua", "orders", &b, &err) < 0 && err.code == DAS_E_STORE,
       "a state that is none: %s", err.msg);
    das_store_close(s);
}

static void canary(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_breaker b;
    bool yes = true;

    ok(das_breaker_try(s, "p.lua", "orders", 0, &yes, &b, &err) == 0 && !yes,
       "closed: none needed");
    put(s, DAS_BREAKER_OPEN, 0, "failed");
    ok(das_breaker_try(s, "p.lua", "orders", 60000, &yes, &b, &err) == 0 && !yes, "just opened");
    ok(b.state == DAS_BREAKER_OPEN && strcmp(b.reason, "failed") == 0, "it is told why");
    store_sql(dir, "UPDATE breakers SET since_ms = since_ms - 60001");
    ok(das_breaker_try(s, "p.lua", "orders", 60000, &yes, &b, &err) == 0 && yes, "old enough");
    ok(b.state == DAS_BREAKER_HALF_OPEN && b.since_ms > 0, "half-open");
    ok(das_breaker_try(s, "p.lua", "orders", 60000, &yes, &b, &err) == 0 && !yes, "one only");
    store_sql(dir, "UPDATE breakers SET since_ms = since_ms - 60001");
    ok(das_breaker_try(s, "p.lua", "orders", 60000, &yes, &b, &err) == 0 && yes,
       "the canary died: another");
    is_int(store_head(s), 4, "each is in the journal");
    das_store_close(s);
}

/* A canary that took too long does not speak for the one that was sent after it. */
static void late_canary(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_breaker first, second;
    bool yes, closed = true;

    put(s, DAS_BREAKER_OPEN, 0, "failed");
    store_sql(dir, "UPDATE breakers SET since_ms = since_ms - 60001");
    must(das_breaker_try(s, "p.lua", "orders", 60000, &yes, &first, &err) == 0 && yes, "a canary");
    store_sql(dir, "UPDATE breakers SET since_ms = since_ms - 60001");
    must(das_breaker_try(s, "p.lua", "orders", 60000, &yes, &second, &err) == 0 && yes, "another");
    store_sql(dir, "UPDATE breakers SET since_ms = since_ms + 5");
    second.since_ms += 5; /* both may be of the same millisecond */
    ok(das_breaker_close(s, "p.lua", "orders", first.since_ms, &closed, &err) == 0 && !closed &&
           get(s, "p.lua").state == DAS_BREAKER_HALF_OPEN,
       "the first does not close it");
    ok(das_breaker_close(s, "p.lua", "orders", second.since_ms, &closed, &err) == 0 && closed &&
           get(s, "p.lua").state == DAS_BREAKER_CLOSED,
       "the second does");
    das_store_close(s);
}

static void coming_back(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_breaker b;

    ok(das_breaker_respawned(s, "p.lua", "orders", 2, &b, &err) == 0 && b.respawns == 2, "two");
    put(s, DAS_BREAKER_OPEN, 2, "by somebody else");
    ok(das_breaker_respawned(s, "p.lua", "orders", 3, &b, &err) == 0 && b.respawns == 5, "and three");
    ok(b.state == DAS_BREAKER_OPEN && get(s, "p.lua").state == DAS_BREAKER_OPEN,
       "which do not close what another run opened");
    ok(das_breaker_respawned(s, "p.lua", "orders", 0, &b, &err) == 0 && b.respawns == 0, "none");
    das_store_close(s);
}

static int try_once(void *dir, int i)
{
    struct das_store *s = store_open(dir);
    struct das_breaker b;
    bool yes;

    (void)i;
    if (das_breaker_try(s, "p.lua", "orders", 60000, &yes, &b, &err) < 0)
        return 2;
    das_store_close(s);
    return yes ? 0 : 1;
}

static void one_canary(void)
{
    char dir[100];
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    s = store_open(dir);
    put(s, DAS_BREAKER_OPEN, 0, "failed");
    store_sql(dir, "UPDATE breakers SET since_ms = since_ms - 60001");
    is_int(store_herd(8, try_once, dir), 1, "of eight processes one is the canary");
    das_store_close(s);
}

static int name_it(void *arg, const struct das_breaker_row *row)
{
    char *to = arg;

    snprintf(to + strlen(to), 200 - strlen(to), "%s/%s=%s ", row->policy, row->instance,
             das_breaker_name(row->breaker.state));
    return strcmp(row->policy, "stop") == 0 ? 5 : 0;
}

static void each(void)
{
    struct das_store *s = store_open(store_dir()), *none = NULL;
    struct das_breaker b = {.state = DAS_BREAKER_OPEN};
    char text[200] = "";

    ok(das_breaker_each(s, name_it, text, &err) == 0 && !*text, "none");
    put(s, DAS_BREAKER_OPEN, 0, "");
    das_breaker_put(s, "stop", "x", &b, &err);
    b.state = DAS_BREAKER_HALF_OPEN;
    das_breaker_put(s, "p.lua", "a", &b, &err);
    das_breaker_put(s, "z", "a", &b, &err);
    is_int(das_breaker_each(s, name_it, text, &err), 5, "until the callback has enough");
    is_str(text, "p.lua/a=half-open p.lua/orders=open stop/x=open ", "in order");
    das_store_close(s);
    das_store_close(none);
}

static void matches(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    static const int64_t counts[] = {5, 1, 100, 7, 3};
    static const int64_t medians[] = {0, 5, 3, 5, 6};
    int64_t usual, earlier;

    for (int i = 0; i < 5; i++) {
        must(das_matches_note(s, "p.lua", "orders", counts[i], &usual, &earlier, &err) == 0,
             "noted");
        is_int(usual, medians[i], "the median of %d before", i);
        is_int(earlier, i, "how many there were");
    }
    das_matches_note(s, "p.lua", "stock", 1, &usual, &earlier, &err);
    is_int(earlier, 0, "another instance");
    for (int i = 0; i < 150; i++)
        das_matches_note(s, "p.lua", "orders", i < 130 ? 1000 : 8, &usual, &earlier, &err);
    das_matches_note(s, "p.lua", "orders", 1, &usual, &earlier, &err);
    is_int(usual, 8, "only the last 20 are asked");
    is_int(earlier, 100, "the last 100 are kept");
    is_int(store_number(dir, "SELECT count(*) FROM matches"), 101, "and one of the other instance");
    das_store_close(s);
}

int main(void)
{
    changes();
    canary();
    late_canary();
    coming_back();
    one_canary();
    each();
    matches();
    store_dirs_clear();
    return tap_done();
}
