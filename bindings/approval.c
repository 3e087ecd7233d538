/*
 * approval.c - plan:request_approval{...} and the approval that it gives.
 *
 * It asks and waits, and no more: the plan is carried out by whoever takes the last vote
 * (core/approval), whether this run goes on or not. In a dry run nothing is asked. In a test the
 * answer is the test's.
 */
#include "bindings/bind.h"

#include <string.h>

#include "core/approval/approval.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/notify/deliver.h"

#define STEP_MS 500
#define DELIVER_MS 10000      /* of messages, each time */
#define DELIVER_EVERY_MS 5000 /* while it is waited for an answer */

struct approval {
    struct das_approval *a; /* as it was last seen; NULL: dry */
    bool dry, repeated;
    struct das_people made_up; /* of a test that has none */
};

static struct approval *self_of(lua_State *L)
{
    return luaL_checkudata(L, 1, DAS_APPROVAL);
}

static int approval_gc(lua_State *L)
{
    struct approval *self = self_of(L);

    das_approval_free(self->a);
    das_people_clear(&self->made_up);
    self->a = NULL;
    return 0;
}

/* --- options ---------------------------------------------------------------------------------- */

static int64_t take_ms(lua_State *L, int t, const char *what, const char *key, int64_t fallback)
{
    int64_t ms = fallback;
    const char *got;

    if (lua_getfield(L, t, key) != LUA_TNIL) {
        got = luaL_tolstring(L, -1, NULL);
        if ((lua_type(L, -2) != LUA_TNUMBER && lua_type(L, -2) != LUA_TSTRING) ||
            !das_parse_duration_ms(das_text_of(got), &ms) || ms < 0)
            das_raise(L, "%s: %s: expected seconds or a duration such as \"10m\", got %s", what,
                      key, got);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return ms;
}

/* A list of strings in the field key of the table at t, left on the stack with what points to them
 * [-0, +2]. */
static const char *const *take_list(lua_State *L, int t, const char *key, size_t *count)
{
    const char **list;
    int at;

    if (lua_getfield(L, t, key) != LUA_TNIL && !lua_istable(L, -1))
        das_raise(L, "request_approval: approvers.%s: expected a list of names, got %s", key,
                  luaL_typename(L, -1));
    at = lua_gettop(L);
    *count = lua_istable(L, at) ? lua_rawlen(L, at) : 0;
    list = lua_newuserdatauv(L, (*count + 1) * sizeof *list, 0);
    for (size_t i = 0; i < *count; i++) {
        if (lua_rawgeti(L, at, (lua_Integer)i + 1) != LUA_TSTRING)
            das_raise(L, "request_approval: approvers.%s[%d]: expected a name, got %s", key,
                      (int)i + 1, luaL_typename(L, -1));
        list[i] = lua_tostring(L, -1); // the table keeps it alive
        lua_pop(L, 1);
    }
    return list;
}

static void take_approvers(lua_State *L, int t, struct das_approval_ask *ask)
{
    static const char *const allowed[] = {"roles", "users"};
    int at;

    if (lua_getfield(L, t, "approvers") != LUA_TTABLE)
        das_raise(L,
                  "request_approval: approvers: expected a table such as { roles = { \"dba\" } }, "
                  "got %s",
                  luaL_typename(L, -1));
    at = lua_gettop(L);
    das_check_options(L, at, "request_approval: approvers", allowed, 2);
    ask->roles = take_list(L, at, "roles", &ask->role_count);
    ask->users = take_list(L, at, "users", &ask->user_count);
}

static const char *take_text(lua_State *L, int t, const char *key)
{
    if (lua_getfield(L, t, key) != LUA_TNIL && lua_type(L, -1) != LUA_TSTRING)
        das_raise(L, "request_approval: %s: expected a string, got %s", key, luaL_typename(L, -1));
    return lua_tostring(L, -1); // it stays on the stack
}

/* The options at 2; what they point to stays on the stack. */
static void take_options(lua_State *L, struct das_approval_ask *ask)
{
    static const char *const allowed[] = {"channel", "approvers", "need", "ttl", "reason"};
    const struct das_run *run = das_run_of(L);
    struct das_err err;
    int is_int = 1;

    luaL_checktype(L, 2, LUA_TTABLE);
    das_check_options(L, 2, "request_approval", allowed, sizeof allowed / sizeof *allowed);
    take_approvers(L, 2, ask);
    ask->need = 1;
    if (lua_getfield(L, 2, "need") != LUA_TNIL)
        ask->need = lua_tointegerx(L, -1, &is_int);
    if (!is_int)
        das_raise(L, "request_approval: need: expected a whole number, got %s",
                  luaL_tolstring(L, -1, NULL));
    ask->ttl_ms = take_ms(L, 2, "request_approval", "ttl", DAS_APPROVAL_TTL_MS);
    ask->reason = take_text(L, 2, "reason");
    ask->channel = take_text(L, 2, "channel");
    if (!ask->channel)
        return;
    if (!das_may(L, "notify"))
        das_need(L, "notify:%s", ask->channel);
    if (!das_in_process(run) && !das_channels_find(run->opts->channels, ask->channel, &err))
        das_raise(L, "request_approval: channel: %s", err.msg);
}

/* --- in the process
 * -------------------------------------------------------------------------------- */

/* Where there are no people there are those that the policy names, and for a role as many as are
 * needed. */
static int make_up(struct das_people *to, const struct das_approval_ask *ask, struct das_err *err)
{
    char name[DAS_PERSON_NAME_SIZE + 8];

    for (size_t i = 0; i < ask->user_count; i++) {
        if (!das_people_find(to, ask->users[i]) && !das_people_add(to, ask->users[i], err))
            return -1;
    }
    for (size_t i = 0; i < ask->role_count; i++) {
        for (int64_t k = 1; k <= ask->need && k <= DAS_APPROVAL_NEED_MAX; k++) {
            struct das_person *x;
            snprintf(name, sizeof name, "%.50s-%d", ask->roles[i], (int)k);
            x = das_people_find(to, name) ? NULL : das_people_add(to, name, err);
            if (x && das_person_add_role(x, ask->roles[i], err) < 0)
                return -1;
        }
    }
    return 0;
}

struct means {
    struct das_run *run;
    struct das_source *source;
};

static int enter(void *arg, const char *instance, struct das_source **out, struct das_err *err)
{
    (void)instance;
    (void)err;
    *out = ((struct means *)arg)->source;
    return 0;
}

static void leave(void *arg, const char *instance, struct das_source *source)
{
    (void)arg;
    (void)instance;
    (void)source;
}

static bool nobody(void *arg, const char *instance)
{
    (void)arg;
    (void)instance;
    return false;
}

static const struct das_policy_rules *rules_of(void *arg, const char *policy)
{
    (void)policy;
    return ((struct means *)arg)->run->guard.rules;
}

static int vote_all(struct das_store *s, const struct das_approval *a,
                    const struct das_people *people, bool yes, struct das_err *err)
{
    struct das_ballot_result r = {.kind = DAS_BALLOT_COUNTED};
    char why[200];

    for (size_t i = 0; i < people->count && r.kind == DAS_BALLOT_COUNTED; i++) {
        const struct das_ballot b = {.id = a->id,
                                     .hash_prefix = a->hash,
                                     .person = people->items[i].name,
                                     .yes = yes,
                                     .via = "test"};
        if (!das_approval_may(a, people, b.person, why, sizeof why))
            continue;
        if (das_approval_vote(s, people, NULL, &b, &r, err) < 0)
            return -1;
    }
    return 0;
}

/* The test's answer, and what comes of it, before the policy goes on. */
static int answer(struct das_run *run, struct das_store *s, struct approval *self,
                  const struct das_box *box, const struct das_people *people, struct das_err *err)
{
    const struct das_plan *plan = box->object;
    struct means arg = {run, box->source};
    struct das_apply_watch watch;
    const struct das_approval_means means = {.arg = &arg,
                                             .enter = enter,
                                             .leave = leave,
                                             .rules = rules_of,
                                             .protect = &run->protect,
                                             .stop_files = run->opts->stop_files,
                                             .vault = &run->vault,
                                             .watch = &watch};
    enum das_approval_fate fate;
    struct das_report *report = NULL;
    enum das_votes say = run->opts->votes->say;

    if (say == DAS_VOTES_NONE)
        return 0;
    if (vote_all(s, self->a, people, say == DAS_VOTES_YES, err) < 0)
        return -1;
    das_run_lend(run, plan, &watch);
    if (das_approval_carry_out(s, self->a->id, &means, &fate, &report, err) < 0)
        return -1;
    if (report)
        das_run_took(run, report);
    das_report_free(report);
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static const char *requester(const struct das_run *run)
{
    const struct das_person *x;

    if (run->opts->person)
        return run->opts->person;
    x = das_people_by(run->opts->people, "os", run->opts->user);
    return x ? x->name : NULL;
}

static int see_again(lua_State *L, struct das_store *s, struct approval *self, struct das_err *err)
{
    struct das_approval *now = NULL;

    (void)L;
    if (das_approval_get(s, self->a->id, &now, err) < 0)
        return -1;
    if (!now)
        return das_fail(err, DAS_E_STORE, "approval %s is no longer there", self->a->id);
    das_approval_free(self->a);
    self->a = now;
    return 0;
}

/* To whoever wants to know what would have been posted. */
static int show(struct das_run *run, const struct das_approval *a, const char *channel,
                struct das_err *err)
{
    const struct das_engine_watch *w = run->opts->watch;
    struct das_plan *plan;
    struct das_notice n;
    int rc;

    if (!w || !w->notified)
        return 0;
    plan = das_plan_read(a->plan, err);
    if (!plan)
        return -1;
    das_notice_init(&n);
    rc = das_approval_notice(a, plan, NULL, &n, err);
    if (rc == 0)
        w->notified(w->arg, channel, &n);
    das_notice_clear(&n);
    das_plan_release(plan);
    return rc;
}

static int ask_now(lua_State *L, struct approval *self, const struct das_box *plan,
                   const struct das_approval_ask *ask, struct das_err *err)
{
    struct das_run *run = das_run_of(L);
    const struct das_approval_audience to = {run->opts->channels, ask->people, run->opts->url};
    struct das_store *s = das_run_outbox(run, err);
    int rc;

    if (!s)
        return -1;
    rc = das_approval_request(s, ask, &self->a, err);
    if (rc < 0)
        return -1;
    self->repeated = rc == 0;
    if (self->repeated && das_in_process(run))
        return 0;
    if (das_in_process(run) && ask->channel && show(run, self->a, ask->channel, err) < 0)
        return -1;
    if (run->opts->votes)
        return answer(run, s, self, plan, ask->people, err) < 0 ? -1 : see_again(L, s, self, err);
    rc = das_approval_post(s, self->a, &to, err);
    run->notified += rc > 0;
    return rc < 0 ? -1 : 0;
}

/* plan:request_approval{ channel, approvers = { roles, users }, need, ttl, reason }: an approval,
 * or nil, message, code. */
int das_plan_request_approval(lua_State *L)
{
    const struct das_box *plan = das_box_check(L, 1, DAS_PLAN);
    struct das_run *run = das_run_of(L);
    struct das_approval_ask ask = {.plan = plan->object,
                                   .by = run->opts->user,
                                   .person = requester(run),
                                   .people = run->opts->people,
                                   .rules = run->guard.rules,
                                   .vault = &run->vault};
    static const struct das_people none = {NULL, 0};
    struct approval *self;
    struct das_err err;
    int rc;

    lua_settop(L, 2);
    das_need(L, "kill"); // somebody else's yes does not make up for it
    take_options(L, &ask);
    self = lua_newuserdatauv(L, sizeof *self, 0);
    memset(self, 0, sizeof *self);
    luaL_setmetatable(L, DAS_APPROVAL);
    if (!ask.people || (!ask.people->count && das_in_process(run))) {
        ask.people = das_in_process(run) ? &self->made_up : &none;
        if (das_in_process(run) && make_up(&self->made_up, &ask, &err) < 0)
            return das_raise(L, "request_approval: %s", err.msg);
    }
    self->dry = !run->opts->armed;
    das_run_acts(L, "request_approval", !self->dry, das_plan_hash(plan->object));
    rc = self->dry ? das_approval_check(&ask, &err) : ask_now(L, self, plan, &ask, &err);
    if (rc < 0 && err.code == DAS_E_USAGE)
        return das_raise(L, "request_approval: %s", err.msg);
    if (rc < 0)
        return das_push_world_failure(L, &err);
    das_run_check(L);
    return 1;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* What people are to answer has to reach them first. */
static int64_t deliver(struct das_run *run, struct das_store *s)
{
    struct das_delivering d = {.channels = run->opts->channels, .budget_ms = DELIVER_MS};
    int64_t left = das_run_left_ms(run);
    struct das_delivered out;
    struct das_err ignored; /* it stays in the outbox, and das notify --queue says why */

    if (das_in_process(run) || !d.channels)
        return INT64_MAX;
    d.budget_ms = left < d.budget_ms ? left : d.budget_ms;
    d.sender = das_sender_new(&ignored);
    if (d.sender)
        das_deliver(&d, s, &out, &ignored);
    das_sender_free(d.sender);
    return das_clock_monotonic_ms() + DELIVER_EVERY_MS;
}

/* Nobody else may be there to say that its time is over. */
static int expire(struct das_run *run, struct das_store *s, struct approval *self,
                  struct das_err *err)
{
    struct means arg = {run, NULL};
    const struct das_approval_means means = {.arg = &arg, .knows = nobody, .vault = &run->vault};
    enum das_approval_fate fate;

    if (self->a->state != DAS_APPROVAL_WAITING || das_clock_unix_ms() < self->a->expires_ms)
        return 0;
    if (das_approval_carry_out(s, self->a->id, &means, &fate, NULL, err) < 0)
        return -1;
    if (fate == DAS_FATE_EXPIRED && run->opts->channels &&
        das_approval_tell(s, self->a->id, run->opts->channels, err) < 0)
        return -1;
    return 0;
}

static const char *word_of(const struct das_approval *a)
{
    return a->state == DAS_APPROVAL_WAITING    ? "timeout"
           : a->state == DAS_APPROVAL_REJECTED ? "rejected"
           : a->state == DAS_APPROVAL_EXPIRED  ? "expired"
                                               : "approved";
}

/* approval:wait{ timeout = "5m" } -> "approved", "rejected", "expired" or "timeout". Approved: when
 * it was carried out, if that is within the timeout. */
static int approval_wait(lua_State *L)
{
    static const char *const allowed[] = {"timeout"};
    struct approval *self = self_of(L);
    struct das_run *run = das_run_of(L);
    int64_t until = INT64_MAX, told = 0, left, now;
    struct das_store *s;
    struct das_err err;

    das_check_options(L, 2, "wait", allowed, 1);
    if (self->dry) {
        lua_pushliteral(L, "dry_run");
        return 1;
    }
    if (lua_istable(L, 2))
        left = take_ms(L, 2, "wait", "timeout", -1);
    else
        left = -1;
    if (left < 0)
        left = self->a->expires_ms + DAS_APPROVAL_GRACE_MS - das_clock_unix_ms();
    until = das_clock_monotonic_ms() + left;
    fflush(run->opts->out);
    s = das_run_outbox(run, &err);
    for (;;) {
        das_run_check(L);
        if (!s || expire(run, s, self, &err) < 0 || see_again(L, s, self, &err) < 0)
            return das_push_failure(L, &err);
        now = das_clock_monotonic_ms();
        if (das_approval_over(self->a->state) || now >= until)
            break;
        if (now >= told) {
            told = deliver(run, s);
            continue;
        }
        left = until - now < STEP_MS ? until - now : STEP_MS;
        das_clock_sleep_ms(left);
    }
    lua_pushstring(L, word_of(self->a));
    return 1;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void push_votes(lua_State *L, const struct das_approval *a)
{
    lua_createtable(L, a ? (int)a->vote_count : 0, 0);
    for (size_t i = 0; a && i < a->vote_count; i++) {
        const struct das_approval_vote *v = &a->votes[i];
        lua_createtable(L, 0, 5);
        lua_pushstring(L, v->person);
        lua_setfield(L, -2, "person");
        lua_pushboolean(L, v->yes);
        lua_setfield(L, -2, "yes");
        lua_pushstring(L, v->via);
        lua_setfield(L, -2, "via");
        if (*v->reason) {
            lua_pushstring(L, v->reason);
            lua_setfield(L, -2, "reason");
        }
        lua_pushinteger(L, v->at_ms / 1000);
        lua_setfield(L, -2, "at");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static const char *const names[] = {
    "id", "state", "hash", "need", "votes", "expires_at", "reason", "note", "report", "repeated",
};

static int approval_fields(lua_State *L)
{
    return das_push_names(L, names, sizeof names / sizeof *names);
}

static void push_report(lua_State *L, const struct das_approval *a)
{
    if (!a || !a->result.len) {
        lua_pushnil(L);
        return;
    }
    lua_pushcfunction(L, das_lua_json_decode);
    das_push_text(L, a->result);
    lua_call(L, 1, 1);
}

/* As it is now: somebody may have voted since. */
static int approval_index(lua_State *L)
{
    struct approval *self = self_of(L);
    const struct das_approval *a;
    struct das_store *s;
    struct das_err err;
    const char *name;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    name = luaL_checkstring(L, 2);
    s = self->dry ? NULL : das_run_outbox(das_run_of(L), &err);
    if (!self->dry && (!s || see_again(L, s, self, &err) < 0))
        return das_raise(L, "an approval: %s", err.msg);
    a = self->a;
    if (strcmp(name, "id") == 0)
        lua_pushstring(L, a ? a->id : "dry_run");
    else if (strcmp(name, "state") == 0)
        lua_pushstring(L, a ? das_approval_state_name(a->state) : "dry_run");
    else if (strcmp(name, "hash") == 0)
        lua_pushstring(L, a ? a->hash : NULL);
    else if (strcmp(name, "need") == 0)
        das_push_number(L, a ? a->need : DAS_UNKNOWN);
    else if (strcmp(name, "votes") == 0)
        push_votes(L, a);
    else if (strcmp(name, "expires_at") == 0)
        das_push_number(L, a ? a->expires_ms / 1000 : DAS_UNKNOWN);
    else if (strcmp(name, "reason") == 0)
        lua_pushstring(L, a ? a->reason : NULL);
    else if (strcmp(name, "note") == 0)
        lua_pushstring(L, a ? a->note : NULL);
    else if (strcmp(name, "report") == 0)
        push_report(L, a);
    else if (strcmp(name, "repeated") == 0)
        lua_pushboolean(L, self->repeated);
    else
        return das_no_field(L, "an approval", name, names, sizeof names / sizeof *names,
                            lua_upvalueindex(1));
    return 1;
}

static int approval_tostring(lua_State *L)
{
    struct approval *self = self_of(L);
    struct das_buf *b = das_scratch(L);

    if (!self->a) {
        das_buf_str(b, "approval dry_run: a dry run asks nobody");
    } else {
        das_buf_printf(b, "approval %s: ", self->a->id);
        das_approval_words(self->a, b);
    }
    das_push_buf(L, b);
    return 1;
}

void das_open_approval(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", approval_tostring},
                                    {"__gc", approval_gc},
                                    {"__fields", approval_fields},
                                    {NULL, NULL}};
    static const luaL_Reg methods[] = {{"wait", approval_wait}, {NULL, NULL}};

    das_class(L, DAS_APPROVAL, meta, methods, approval_index);
    lua_pop(L, 1);
}
