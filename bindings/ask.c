/*
 * ask.c - das.step.ask{}: a question to people, and the run waits for the answer, for days if need
 * be, without a thread and without a state.
 */
#include "bindings/runbook_impl.h"

#include <string.h>

#include "core/approval/question.h"
#include "core/base/clock.h"
#include "core/base/json.h"

#define QUESTION_MAX 2000
#define CHOICES_MAX 20
#define APPROVERS_MAX 100
#define TTL_S (8 * 3600)
#define EXPIRED "nobody answered in time"

/* The stack of das.step.ask: 1 its table, 2 what is kept of it. */
enum { AT_TABLE = 1, AT_ASKS };

static const char *check_text(lua_State *L, const char *key, size_t most, bool needed)
{
    const char *text;
    size_t len;

    if (lua_getfield(L, AT_TABLE, key) == LUA_TNIL && !needed) {
        lua_pop(L, 1);
        return NULL;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        das_raise(L, "ask: %s: expected a text, got %s", key, luaL_typename(L, -1));
    text = lua_tolstring(L, -1, &len);
    if (!len || len > most || strlen(text) != len || !das_utf8_valid(das_text(text, len)))
        das_raise(L, "ask: %s: expected a text of 1 to %d bytes of UTF-8", key, (int)most);
    lua_setfield(L, AT_ASKS, key);
    return text;
}

/* A list of different names into what is kept. */
static void check_list(lua_State *L, const char *key, lua_Unsigned least, lua_Unsigned most)
{
    lua_Unsigned n;

    if (!lua_istable(L, -1) || (n = lua_rawlen(L, -1)) < least || n > most)
        das_raise(L, "ask: %s: expected a list of %d to %d names", key, (int)least, (int)most);
    lua_newtable(L); // list seen
    for (lua_Unsigned i = 1; i <= n; i++) {
        struct das_text t = DAS_TEXT_NULL;
        if (lua_rawgeti(L, -2, (lua_Integer)i) == LUA_TSTRING)
            t.ptr = lua_tolstring(L, -1, &t.len);
        if (!t.ptr || !t.len || t.len > 60 || strlen(t.ptr) != t.len || !das_utf8_valid(t))
            das_raise(L, "ask: %s[%d]: expected a name of 1 to 60 bytes", key, (int)i);
        if (lua_getfield(L, -2, t.ptr) != LUA_TNIL)
            das_raise(L, "ask: %s: \"%s\" is there twice", key, t.ptr);
        lua_pushboolean(L, 1);
        lua_setfield(L, -4, t.ptr);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    lua_setfield(L, AT_ASKS, key);
}

static void check_default(lua_State *L)
{
    const char *text = check_text(L, "default", 60, false);
    bool found = false;

    if (!text)
        return;
    lua_getfield(L, AT_ASKS, "choices");
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        found = found || strcmp(lua_tostring(L, -1), text) == 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    if (!found)
        das_raise(L, "ask: default: expected one of the choices, got \"%s\"", text);
}

/* How long an answer may take, in ms. */
static int64_t check_ask(lua_State *L)
{
    static const char *const allowed[] = {"name",      "question", "choices", "channel",
                                          "approvers", "ttl",      "default"};
    double ttl = TTL_S;

    das_check_options(L, AT_TABLE, "ask", allowed, sizeof allowed / sizeof *allowed);
    check_text(L, "question", QUESTION_MAX, true);
    lua_getfield(L, AT_TABLE, "choices");
    check_list(L, "choices", 1, CHOICES_MAX);
    if (lua_getfield(L, AT_TABLE, "approvers") != LUA_TNIL)
        check_list(L, "approvers", 0, APPROVERS_MAX);
    else
        lua_pop(L, 1);
    check_text(L, "channel", 60, false);
    check_default(L);
    if (lua_getfield(L, AT_TABLE, "ttl") != LUA_TNIL)
        ttl = das_check_seconds(L, -1, "ask: ttl");
    if (ttl < 1)
        das_raise(L, "ask: ttl: expected 1 s or more");
    lua_pop(L, 1);
    return (int64_t)(ttl * 1000);
}

static const char *keep(lua_State *L, const char *text)
{
    const char *copy = das_arena_dup(&das_run_of(L)->book.step.arena, text, strlen(text) + 1);

    if (!copy)
        das_raise(L, "out of memory");
    return copy;
}

/* choice, who; or nil, message, "expired". */
static int give(lua_State *L)
{
    const struct das_runbook_step *step = &das_run_of(L)->book.step;

    if (step->status == DAS_STEP_DONE) {
        das_push_json(L, step->result);
        if (step->who && *step->who)
            lua_pushstring(L, step->who);
        else
            lua_pushnil(L);
        return 2;
    }
    lua_pushnil(L);
    lua_pushstring(L, step->error);
    lua_pushliteral(L, "expired");
    return 3;
}

/* choice NULL: nobody answered, and there is no default. */
static int settle(lua_State *L, const char *choice, const char *who)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_runbook_step *step = &run->book.step;
    struct das_buf *b = das_scratch(L);
    struct das_err err;

    if (choice) {
        das_json_str(b, choice);
        das_push_buf(L, b);
        step->result = keep(L, lua_tostring(L, -1));
    }
    step->status = choice ? DAS_STEP_DONE : DAS_STEP_FAILED;
    step->error = choice ? "" : EXPIRED;
    step->who = who ? who : "";
    step->reason = who ? "" : EXPIRED;
    das_or_park(L, das_step_end(go->store, go->id, step, das_clock_unix_ms(), &err), &err);
    return give(L);
}

/* What happens without an answer is what was kept with the question, not what the script says now. */
static int expire(lua_State *L)
{
    const struct das_runbook_step *step = &das_run_of(L)->book.step;

    das_push_json(L, step->asks);
    if (lua_istable(L, -1) && lua_getfield(L, -1, "default") == LUA_TSTRING)
        return settle(L, lua_tostring(L, -1), NULL);
    return settle(L, NULL, NULL);
}

/* Where it is asked: as for a message (notify.c). Only when it is asked: what das.lua says later
 * takes no answer back. */
static void check_channel(lua_State *L)
{
    const struct das_run *run = das_run_of(L);
    struct das_err err;
    const char *name;

    if (lua_getfield(L, AT_ASKS, "channel") == LUA_TSTRING) {
        name = lua_tostring(L, -1);
        if (!das_may(L, "notify"))
            das_need(L, "notify:%s", name);
        if (!das_channels_find(run->opts->channels, name, &err) &&
            (run->opts->channels || !das_in_process(run)))
            das_raise(L, "ask: channel: %s", err.msg);
    }
    lua_pop(L, 1);
}

/* What people are asked goes into the store and to chats: without secrets. */
static void new_question(lua_State *L, int64_t ttl_ms)
{
    struct das_run *run = das_run_of(L);
    struct das_runbook_step *step = &run->book.step;
    struct das_buf *b = das_scratch(L), *clean;
    int64_t now = das_clock_unix_ms(), wake = now + ttl_ms;

    check_channel(L);
    lua_pushvalue(L, AT_ASKS);
    das_json_write(L, "ask", DAS_TEXT_NULL, false, b);
    clean = das_scratch(L);
    das_vault_redact(&run->vault, das_buf_view(b), clean);
    das_push_buf(L, clean);
    step->asks = keep(L, lua_tostring(L, -1));
    step->begun_ms = now;
    step->wake_ms = wake < run->book.until_ms ? wake : run->book.until_ms;
}

/* To whoever wants to know what would have been posted. */
static int show(lua_State *L, struct das_err *err)
{
    const struct das_run *run = das_run_of(L);
    const struct das_engine_watch *w = run->opts->watch;
    const char *channel = NULL;
    struct das_runbook r = {.id = 0};
    struct das_notice n;
    int rc;

    das_push_json(L, run->book.step.asks);
    if (lua_istable(L, -1) && lua_getfield(L, -1, "channel") == LUA_TSTRING)
        channel = lua_tostring(L, -1); // it stays
    if (!channel || !w || !w->notified)
        return 0;
    das_notice_init(&n);
    rc = das_runbook_get(run->opts->runbook->store, run->opts->runbook->id, &r, err);
    if (rc > 0)
        rc = das_question_notice(&r, &run->book.step, NULL, &n, err);
    if (rc == 0)
        w->notified(w->arg, channel, &n);
    das_notice_clear(&n);
    das_runbook_clear(&r);
    return rc;
}

/* The question is on the disk: people are told of it, now or by das serve. */
static void post(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    struct das_err err;
    int rc = das_in_process(run)
                 ? show(L, &err)
                 : das_questions_say(run->opts->runbook->store, run->opts->channels, &err);

    if (rc > 0)
        run->notified += (size_t)rc;
    else if (rc < 0 && run->opts->log)
        fprintf(run->opts->log, "ask: nobody is told yet: %s\n", err.msg);
}

static int wait_for_answer(lua_State *L, bool asked)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_runbook_step *step = &run->book.step;
    const char *choice = NULL;
    struct das_err err;

    if (go->stays && go->answer)
        choice = go->answer(go->arg, step->name, step->asks);
    step->status = DAS_STEP_WAITING;
    if (!choice)
        das_or_park(L, das_step_wait(go->store, go->id, step, das_clock_unix_ms(), &err), &err);
    if (!asked)
        post(L);
    if (choice)
        return settle(L, choice, "test");
    return das_run_park(L, NULL);
}

int das_lua_ask(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    struct das_runbook_step *step = &run->book.step;
    const char *name;
    int64_t ttl_ms;

    luaL_checktype(L, 1, LUA_TTABLE);
    das_need_runbook(L, "ask");
    lua_settop(L, 1);
    lua_newtable(L);
    ttl_ms = check_ask(L);
    if (lua_getfield(L, AT_TABLE, "name") == LUA_TNIL)
        lua_getfield(L, AT_ASKS, "question");
    if (lua_type(L, -1) != LUA_TSTRING)
        return das_raise(L, "ask: name: expected a text, got %s", luaL_typename(L, -1));
    name = lua_tostring(L, -1);
    das_take_step_name(L, "ask", name);
    fflush(run->opts->out);
    if (!das_find_step(L, "ask", name, DAS_STEP_ASK)) {
        das_check_until(L);
        new_question(L, ttl_ms);
        return wait_for_answer(L, false);
    }
    if (step->status == DAS_STEP_DONE || step->status == DAS_STEP_FAILED)
        return give(L);
    das_check_until(L);
    if (step->wake_ms <= das_clock_unix_ms())
        return expire(L);
    return wait_for_answer(L, true);
}
