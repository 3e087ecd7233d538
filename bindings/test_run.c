/*
 * test_run.c - a test runs a policy, as das run --apply would: the same engine, preview, plan and
 * guards, with the test's instances, clock, journal and answers to HTTP.
 *
 * The policy has a thread of its own while the test's waits. What it asks of the test (an answer, a
 * change before an apply) is called on the policy's thread, in the test's Lua state: never both at a
 * time, and no error goes across.
 */
#include <string.h>
#include <unistd.h>

#include "bindings/runbook.h"
#include "bindings/test_impl.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/notify/notice.h"

#define RUN "das.test.run"

/* Whose the test's state is: the thread of the policy has it for each call, if the run is not over. */
enum { STATE_FREE, STATE_TAKEN, STATE_OVER };

/* Outlives its box where the policy got stuck: then its thread uses all of this still. */
struct test_run {
    struct das_bench *bench;
    lua_State *L; /* of the test, while the policy runs */
    atomic_int state;
    struct das_engine_watch watch;
    struct das_engine_web web;
    struct das_engine_hook hook;
    int answer, applying, choose; /* functions of the test, in the registry; LUA_NOREF */
    struct das_buf trouble; /* the first error that one of them raised */

    char *path;
    const char **args;
    bool armed;
    struct das_test_rules rules;
    struct das_engine_votes votes;
    struct das_inventory *inventory;
    struct das_buf req;    /* of a hook: JSON; empty: it is none */
    struct das_runbook_go go;
    struct das_buf choice; /* the last answer to a question */
    struct das_test_outcome got;
};

static void run_free(struct test_run *r)
{
    das_free(r->path);
    das_free(r->args);
    das_test_rules_clear(&r->rules);
    das_inventory_free(r->inventory);
    das_buf_clear(&r->req);
    das_buf_clear(&r->trouble);
    das_buf_clear(&r->choice);
    das_buf_clear(&r->got.out);
    das_buf_clear(&r->got.log);
    das_buf_clear(&r->got.told);
    das_seen_clear(&r->got.seen);
    das_engine_result_clear(&r->got.result);
    das_free(r);
}

static int run_gc(lua_State *L)
{
    struct test_run **p = luaL_checkudata(L, 1, RUN);

    if (*p && !(*p)->bench->stuck)
        run_free(*p);
    *p = NULL;
    return 0;
}

static struct test_run *push_run(lua_State *L)
{
    struct test_run **p = lua_newuserdatauv(L, sizeof *p, 0), *r;

    *p = NULL;
    luaL_setmetatable(L, RUN);
    *p = r = das_calloc(1, sizeof *r);
    if (!r)
        luaL_error(L, "out of memory");
    r->bench = das_bench_of(L);
    r->answer = r->applying = r->choose = LUA_NOREF;
    atomic_init(&r->state, STATE_FREE);
    das_test_rules_init(&r->rules);
    return r;
}

/* --- what the policy asks of the test ------------------------------------------------------------------ */

/* Calls f(arg) in the test's state, on the policy's thread: its processor time counts there. False:
 * it raised, and the run is told afterwards. */
static bool call_test(struct test_run *r, lua_CFunction f, void *arg)
{
    lua_State *L = r->L;
    struct das_run *own;
    int top, status = LUA_ERRMEM, was = STATE_FREE;

    if (!atomic_compare_exchange_strong(&r->state, &was, STATE_TAKEN))
        return false;
    own = das_run_of(L);
    top = lua_gettop(L);
    if (!lua_checkstack(L, 10))
        goto done;
    if (r->rules.script.limits.cpu_ms < own->limits.cpu_ms)
        atomic_store(&own->lent_cpu_ms, r->rules.script.limits.cpu_ms);
    lua_pushcfunction(L, das_on_error);
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, arg);
    status = lua_pcall(L, 1, 0, top + 1);
    if (status != LUA_OK && !r->trouble.len) {
        const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        das_buf_str(&r->trouble, message ? message : "an error without words");
    }
    lua_settop(L, top);
    if (!das_run_stopped(L)) /* else it is what the words for it have to name */
        atomic_store(&own->lent_cpu_ms, 0);
done:
    was = STATE_TAKEN; /* unless it is over */
    atomic_compare_exchange_strong(&r->state, &was, STATE_FREE);
    return status == LUA_OK;
}

struct question {
    struct test_run *r;
    const struct das_http_request *req;
    struct das_http_response *resp;
    struct das_err *err;
    int rc;
};

static void push_request_headers(lua_State *L, const struct das_http_headers *h)
{
    lua_newtable(L);
    for (size_t i = 0; h && i < h->count; i++) {
        luaL_Buffer b;
        size_t len = strlen(h->items[i].name);
        char *to = luaL_buffinitsize(L, &b, len);
        for (size_t k = 0; k < len; k++)
            to[k] = (char)das_lower((unsigned char)h->items[i].name[k]);
        luaL_pushresultsize(&b, len);
        das_push_text(L, h->items[i].value);
        lua_rawset(L, -3);
    }
}

/* The answer at the top of the stack: status, body, headers. */
static void take_answer(lua_State *L, struct question *q)
{
    int at = lua_gettop(L) - 2;
    struct das_text body;

    q->resp->status = (int)lua_tointeger(L, at);
    body.ptr = lua_tolstring(L, at + 1, &body.len);
    das_buf_text(&q->resp->body, body);
    q->rc = das_buf_ok(&q->resp->body, q->err);
    lua_pushnil(L);
    while (q->rc == 0 && lua_next(L, at + 2)) {
        struct das_text name, value;
        lua_pushvalue(L, -2); // a copy: the key stays what it is
        name.ptr = lua_tolstring(L, -1, &name.len);
        value.ptr = luaL_tolstring(L, -2, &value.len);
        q->rc = das_http_headers_add(&q->resp->headers, name, value, false, q->err);
        lua_pop(L, 3);
    }
}

/* The test's function: answer(method, url, body, headers) -> status, body, headers; or nil, why. */
static int ask(lua_State *L)
{
    struct question *q = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, q->r->answer);
    lua_pushstring(L, q->req->method);
    lua_pushstring(L, q->req->url);
    das_push_text(L, q->req->body);
    push_request_headers(L, q->req->headers);
    lua_call(L, 4, 3);
    if (lua_isnil(L, -3))
        das_fail(q->err, DAS_E_CONNECT, "%s", luaL_tolstring(L, -2, NULL));
    else
        take_answer(L, q);
    return 0;
}

static int answer(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                  struct das_err *err)
{
    struct test_run *r = arg;
    struct question q = {r, req, resp, err, -1};

    das_fail(err, DAS_E_CONNECT, "the test has no answer: its function raised an error");
    call_test(r, ask, &q);
    return q.rc;
}

struct moment {
    struct test_run *r;
    const struct das_plan *plan;
};

/* The test's function: applying(instance, ids) */
static int call_applying(lua_State *L)
{
    const struct moment *m = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, m->r->applying);
    lua_pushstring(L, das_plan_instance(m->plan));
    das_test_push_victims(L, m->plan);
    lua_call(L, 2, 0);
    return 0;
}

struct doubt {
    struct test_run *r;
    const char *step, *asks;
    bool answered;
};

/* The test's function: choose(step, asks) -> a choice, or nil */
static int call_choose(lua_State *L)
{
    struct doubt *d = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, d->r->choose);
    lua_pushstring(L, d->step);
    lua_pushstring(L, d->asks);
    lua_call(L, 2, 1);
    if (lua_isnil(L, -1))
        return 0;
    das_buf_reset(&d->r->choice);
    das_buf_str(&d->r->choice, luaL_checkstring(L, -1));
    d->answered = !d->r->choice.failed;
    return 0;
}

static const char *choose(void *arg, const char *step, const char *asks)
{
    struct test_run *r = arg;
    struct doubt d = {r, step, asks, false};

    return r->choose != LUA_NOREF && call_test(r, call_choose, &d) && d.answered ? r->choice.ptr
                                                                                  : NULL;
}

static void previewed(void *arg, const char *instance, const struct das_selection *sel)
{
    das_seen_preview(&((struct test_run *)arg)->got.seen, instance, sel);
}

static void planned(void *arg, const struct das_plan *plan)
{
    das_seen_plan(&((struct test_run *)arg)->got.seen, plan);
}

static void applying(void *arg, const struct das_plan *plan)
{
    struct test_run *r = arg;
    struct moment m = {r, plan};

    if (r->applying != LUA_NOREF)
        call_test(r, call_applying, &m);
}

static void applied(void *arg, const struct das_plan *plan, const struct das_report *report,
                    const struct das_err *err)
{
    das_seen_apply(&((struct test_run *)arg)->got.seen, plan, report, err);
}

static void tell_message(struct das_buf *b, const struct das_notice *n)
{
    das_json_key(b, "message");
    das_notice_write(n, b);
    das_buf_char(b, '}');
}

/* {"channel": NAME, "message": {...}} */
static void notified(void *arg, const char *channel, const struct das_notice *n)
{
    struct das_buf *b = &((struct test_run *)arg)->got.told;

    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "channel", das_text_of(channel));
    tell_message(b, n);
}

/* What the script of a hook answers: {"public": true, "message": {...}} */
static int replied(void *arg, const struct das_notice *n, bool open, struct das_err *err)
{
    struct das_buf *b = &((struct test_run *)arg)->got.told;

    (void)err;
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_bool(b, "public", open);
    tell_message(b, n);
    return 0;
}

/* A runbook is begun elsewhere, only noted here: {"runbook": {...}} */
static int begun(void *arg, const char *path, const char *instance, struct das_text params,
                 struct das_err *err)
{
    struct das_buf *b = &((struct test_run *)arg)->got.told;
    const char *slash = strrchr(path, '/');

    (void)err;
    das_json_comma(b);
    das_buf_str(b, "{\"runbook\":{");
    das_json_key_text(b, "script", das_text_of(slash ? slash + 1 : path));
    das_json_key_text(b, "instance", das_text_of(instance));
    das_json_key(b, "params");
    das_buf_text(b, params);
    das_buf_str(b, "}}");
    return 0;
}

static void required(void *arg, const char *path)
{
    das_bench_used(((struct test_run *)arg)->bench, path);
}

/* --- the run ---------------------------------------------------------------------------------------------- */

/* A handle of the run's own on each instance of the list at arg. */
static void take_instances(lua_State *L, int arg, struct test_run *r)
{
    r->inventory = das_inventory_new(&r->got.err);
    if (!r->inventory)
        das_raise(L, "t.run: %s", r->got.err.msg);
    for (lua_Unsigned k = 1; k <= lua_rawlen(L, arg); k++) {
        struct das_test_instance *i;
        struct das_source *again = NULL;
        lua_rawgeti(L, arg, (lua_Integer)k);
        i = das_test_instance_check(L, lua_gettop(L));
        struct das_source_conf conf = {.name = i->name, .spec = "mem:test"};
        if (das_source_open_again(i->source, &conf, &again, &r->got.err) < 0 ||
            das_inventory_add_source(r->inventory, &conf, again, &r->got.err) < 0)
            das_raise(L, "t.run: %s", r->got.err.msg);
        lua_pop(L, 1);
    }
}

/* The strings stay in the list at arg. */
static size_t take_args(lua_State *L, int arg, struct test_run *r)
{
    size_t n = lua_rawlen(L, arg);

    r->args = das_calloc(n + 1, sizeof *r->args);
    if (!r->args)
        luaL_error(L, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, arg, (lua_Integer)i + 1) == LUA_TNUMBER) {
            lua_tostring(L, -1);
            lua_pushvalue(L, -1);
            lua_rawseti(L, arg, (lua_Integer)i + 1);
        }
        if (lua_type(L, -1) != LUA_TSTRING)
            das_raise(L, "t.run: arguments[%d]: expected a string or a number, got %s", (int)i + 1,
                      luaL_typename(L, -1));
        r->args[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    return n;
}

static void next_store(lua_State *L, struct test_run *r)
{
    struct das_bench *b = r->bench;
    int rc = b->store ? das_store_next_run(b->store, &r->got.err)
                      : das_store_open_in_memory(&b->store, &r->got.err);

    if (rc < 0)
        das_raise(L, "t.run: %s", r->got.err.msg);
}

/* The policy is stuck, and its thread uses r for ever; where it is stuck in a function of the test,
 * the test's state as well. So this thread touches neither again, and is given up like the other. */
static void stuck(struct test_run *r)
{
    atomic_store(&r->state, STATE_OVER);
    das_buf_printf(&r->bench->failure, "t.run: %s", r->got.err.msg);
    atomic_store(&r->bench->over, 1);
    for (;;)
        pause();
}

static void engine(lua_State *L, struct test_run *r, size_t arg_count)
{
    struct das_engine_opts opts = {
        .path = r->path,
        .args = r->args,
        .arg_count = arg_count,
        .inventory = r->inventory,
        .protect = &r->rules.protect,
        .armed = r->armed,
        .limits = &r->rules.script.limits,
        .grants = &r->rules.script.grants,
        .secrets = &r->rules.secrets,
        .policy = &r->rules.script.policy,
        .store = r->bench->store,
        .watch = &r->watch,
        .web = &r->web,
        .votes = &r->votes,
        .hook = r->req.len ? &r->hook : NULL,
        .coverage = r->bench->opts->coverage,
        .user = "test",
        .out = das_buf_file(&r->got.out),
        .log = das_buf_file(&r->got.log),
    };

    if (!opts.out || !opts.log)
        luaL_error(L, "out of memory");
    r->L = L;
    r->watch = (struct das_engine_watch){.arg = r,
                                         .previewed = previewed,
                                         .planned = planned,
                                         .applying = applying,
                                         .applied = applied,
                                         .notified = notified,
                                         .required = required};
    r->web = (struct das_engine_web){.arg = r, .answer = answer};
    r->hook = (struct das_engine_hook){.name = "test",
                                       .req = das_buf_view(&r->req),
                                       .reply = replied,
                                       .runbook = begun,
                                       .arg = r};
    r->go.store = r->bench->store;
    r->go.stays = true;
    r->go.answer = choose;
    r->go.arg = r;
    r->go.instances = "[]";
    r->got.rc = das_runbook_try(&opts, &r->go, &r->got.result, &r->got.err);
    if (r->got.result.end == DAS_END_STUCK)
        stuck(r);
    fclose(opts.out);
    fclose(opts.log);
    r->L = NULL;
}

static int take_function(lua_State *L, int arg)
{
    if (lua_isnil(L, arg))
        return LUA_NOREF;
    luaL_checktype(L, arg, LUA_TFUNCTION);
    lua_pushvalue(L, arg);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* run(path, args, config, armed, instances, answer, applying, approvals, hook, params, choose) ->
 * result, and what explain() wants. hook, params: JSON, or nil */
static int run_policy(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct test_run *r;
    size_t args;

    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 5, LUA_TTABLE);
    lua_settop(L, 11);
    r = push_run(L); // 12
    path = das_bench_path(L, r->bench, "t.run", path);
    das_bench_used(r->bench, path);
    r->path = das_strdup(path);
    if (!r->path)
        return luaL_error(L, "out of memory");
    if (!lua_isnil(L, 9))
        das_buf_str(&r->req, luaL_checkstring(L, 9));
    r->armed = lua_toboolean(L, 4);
    args = take_args(L, 2, r);
    das_test_rules_read(L, 3, &r->rules);
    take_instances(L, 5, r);
    next_store(L, r);
    r->answer = take_function(L, 6);
    r->applying = take_function(L, 7);
    r->votes.say = strcmp(luaL_optstring(L, 8, "none"), "approve") == 0  ? DAS_VOTES_YES
                   : strcmp(luaL_optstring(L, 8, "none"), "reject") == 0 ? DAS_VOTES_NO
                                                                         : DAS_VOTES_NONE;
    r->go.params_json = lua_tostring(L, 10);
    r->choose = take_function(L, 11);
    engine(L, r, args);
    luaL_unref(L, LUA_REGISTRYINDEX, r->answer);
    luaL_unref(L, LUA_REGISTRYINDEX, r->applying);
    luaL_unref(L, LUA_REGISTRYINDEX, r->choose);
    if (r->trouble.len) { // also where one of them used up what the test may
        das_push_buf(L, &r->trouble);
        return lua_error(L);
    }
    if (r->got.seen.failed || r->got.out.failed || r->got.log.failed || r->got.told.failed ||
        r->req.failed)
        return luaL_error(L, "out of memory");
    das_test_push_result(L, &r->got, r->bench->store, r->go.id);
    lua_pushvalue(L, 12);
    return 2;
}

/* explain(run, id): lines of text. */
static int explain(lua_State *L)
{
    struct test_run *const *p = luaL_checkudata(L, 1, RUN);
    lua_Integer id = luaL_checkinteger(L, 2);
    struct das_buf *b = das_scratch(L);

    das_seen_explain(&(*p)->got.seen, id, b);
    das_push_buf(L, b);
    return 1;
}

void das_open_test_run(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"run", run_policy}, {"explain", explain}, {NULL, NULL},
    };

    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, RUN);
    lua_pushcfunction(L, run_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
