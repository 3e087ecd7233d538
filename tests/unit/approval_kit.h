/*
 * approval_kit.h - a stage for requests for a kill: four people, a store, a server with three
 * sessions, and a clock that only the test moves.
 */
#ifndef DAS_TESTS_APPROVAL_KIT_H
#define DAS_TESTS_APPROVAL_KIT_H

#include "core/approval/approval.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "tests/unit/store_kit.h"
/* after it: it has an err of its own */
#include "tests/unit/plan_kit.h"


#define START_MS ((int64_t)THEN * 1000)
#define TTL_MS 600000

static struct das_clock clock_;
static struct das_people people;
static const char *dir;
static struct das_store *store;
static struct das_policy_rules rules;
static struct das_session victims[3];
static char id[DAS_APPROVAL_ID_SIZE], hash[DAS_SHA256_HEX];

/* --- the stage -------------------------------------------------------------------------------- */

static inline void need_ok(int rc)
{
    if (rc >= 0)
        return;
    tap_diag("%s", err.msg);
    exit(1);
}

static inline void person(const char *name, const char *role, const char *os)
{
    struct das_person *x = das_people_add(&people, name, &err);

    need_ok(x ? 0 : -1);
    need_ok(role ? das_person_add_role(x, role, &err) : 0);
    need_ok(das_person_add_id(&people, x, "os", os, &err));
}

static inline void show_later(void)
{
    struct das_session now[3];
    int64_t later_ms = das_clock_at_ms(&clock_) - START_MS;

    for (int i = 0; i < 3; i++) {
        now[i] = victims[i];
        now[i].state_duration += later_ms / 1000;
    }
    fake_show(&fake, now, 3, THEN + later_ms / 1000);
}

static inline void pass(int64_t ms)
{
    das_clock_move_to(&clock_, das_clock_at_ms(&clock_) + ms);
    show_later();
}

static inline void begin(void)
{
    das_clock_init(&clock_, START_MS);
    das_store_close(store);
    dir = store_dir();
    store = store_open(dir);
    fake_clear(&fake);
    fake_init(&fake);
    snprintf(fake.name, sizeof fake.name, "db");
    rules = allow_all;
    for (int i = 0; i < 3; i++) {
        victims[i] = kit_session(i + 1);
        victims[i].query_id = 100 + i;
        victims[i].state_duration = 60;
    }
}

static inline void again(void)
{
    das_store_close(store);
    store = store_open(dir);
}

static const char *const dba[] = {"dba"};
static const char *const alice[] = {"alice"};

static inline struct das_plan *new_plan(void)
{
    static const struct das_asked asked = {.user = "cron", .script = "/p.lua"};
    const struct das_plan_opts opts = {
        .mode = DAS_MODE_QUERY, .reason = "too long", .asked = &asked};
    struct das_filter *f = kit_all();
    struct das_plan *p = plan_of(victims, 2, f, &opts);

    das_filter_release(f);
    show_later();
    return p;
}

static inline struct das_approval_ask ask_of(const struct das_plan *p)
{
    return (struct das_approval_ask){.plan = p,
                                     .roles = dba,
                                     .role_count = 1,
                                     .need = 1,
                                     .ttl_ms = TTL_MS,
                                     .by = "cron",
                                     .people = &people,
                                     .rules = &rules};
}

/* A request for the first two; 1 and 0 as of das_approval_request(), -1 with err. */
static inline int request(const struct das_approval_ask *with)
{
    struct das_plan *p = new_plan();
    struct das_approval_ask ask = with ? *with : ask_of(p);
    struct das_approval *a;
    int rc;

    ask.plan = p;
    rc = das_approval_request(store, &ask, &a, &err);
    if (rc >= 0) {
        snprintf(id, sizeof id, "%s", a->id);
        snprintf(hash, sizeof hash, "%s", a->hash);
    }
    das_approval_free(a);
    das_plan_release(p);
    return rc;
}

static inline void must_request(int64_t need)
{
    struct das_approval_ask ask = ask_of(NULL);

    ask.need = need;
    need_ok(request(&ask));
}

static struct das_ballot_result said;

static inline enum das_ballot_kind vote_with(const char *who, bool yes, const char *prefix)
{
    const struct das_ballot b = {
        .id = id, .hash_prefix = prefix, .person = who, .yes = yes, .via = "test"};

    need_ok(das_approval_vote(store, &people, NULL, &b, &said, &err));
    return said.kind;
}

static inline enum das_ballot_kind vote(const char *who, bool yes)
{
    return vote_with(who, yes, hash);
}

static inline void refused(const char *who, bool yes, const char *why)
{
    enum das_ballot_kind kind = vote(who, yes);

    ok(kind == DAS_BALLOT_REFUSED && strstr(said.words, why), "%s is refused: %s",
       who ? who : "nobody", why);
    if (kind != DAS_BALLOT_REFUSED || !strstr(said.words, why))
        tap_diag("%d: %s", kind, said.words);
}

static inline enum das_approval_state state(void)
{
    enum das_approval_state s;
    struct das_approval *a;

    need_ok(das_approval_get(store, id, &a, &err));
    s = a ? a->state : DAS_APPROVAL_STATES;
    das_approval_free(a);
    return s;
}

static inline void is_state(enum das_approval_state expected, const char *what)
{
    is_str(das_approval_state_name(state()), das_approval_state_name(expected), "%s", what);
}

/* --- carrying out ----------------------------------------------------------------------------- */

static bool known = true, reachable = true;

static inline bool knows(void *arg, const char *instance)
{
    (void)arg;
    return known && strcmp(instance, "db") == 0;
}

static inline int enter(void *arg, const char *instance, struct das_source **out, struct das_err *e)
{
    (void)arg;
    (void)instance;
    *out = &fake.base;
    return reachable ? 0 : das_fail(e, DAS_E_CONNECT, "no way there");
}

static inline void leave(void *arg, const char *instance, struct das_source *source)
{
    (void)arg;
    (void)instance;
    (void)source;
}

static inline const struct das_policy_rules *rules_of(void *arg, const char *policy)
{
    (void)arg;
    return strcmp(policy, "/p.lua") == 0 ? &rules : &das_policy_rules_default;
}

static const struct das_approval_means means = {
    .knows = knows, .enter = enter, .leave = leave, .rules = rules_of};

static inline enum das_approval_fate carry(void)
{
    enum das_approval_fate fate;

    need_ok(das_approval_carry_out(store, id, &means, &fate, NULL, &err));
    return fate;
}

static inline int due(void)
{
    das_approval_id ids[10];

    return das_approval_due(store, &means, ids, 10, &err);
}

static inline int64_t records(const char *words)
{
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM journal WHERE line LIKE '%%%s%%'", words);
    return store_number(dir, sql);
}

static inline void stage_begin(void)
{
    das_clock_init(&clock_, START_MS);
    das_clock_enter(&clock_);
    person("alice", "dba", "alice");
    person("bob", "dba", "bob");
    person("carl", "dba", "carl");
    person("eve", NULL, "eve");
}

static inline int stage_end(void)
{
    das_store_close(store);
    fake_clear(&fake);
    das_people_clear(&people);
    store_dirs_clear();
    return tap_done();
}

#endif
