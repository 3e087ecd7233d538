/*
 * step.c - das.step, long sleeps of a runbook, and what a step may do that others may not.
 *
 * A step is on the disk before its function runs, and before the first thing it does that cannot be
 * done twice. What a step returns is kept as JSON, and what the script gets is made from that JSON
 * also the first time: so a script cannot tell a step that ran from one that ran before.
 */
#include "bindings/runbook_impl.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"

#define SEEN "das.steps.seen"
#define RESULT_MAX ((size_t)1 << 20)
#define RETRY_MAX 100
#define SLEEP_PARKS_S 30   /* so long a sleep survives the process, in place of a thread */
#define SLEEP_IN_STEP_S 60

void das_push_json(lua_State *L, const char *json)
{
    if (strcmp(json, "null") == 0) {
        lua_pushnil(L);
        return;
    }
    lua_pushcfunction(L, das_lua_json_decode);
    lua_pushstring(L, json);
    lua_call(L, 1, 1);
}

void das_check_until(lua_State *L)
{
    const struct das_run *run = das_run_of(L);
    struct das_err err;

    if (!run->book.until_ms || das_clock_unix_ms() < run->book.until_ms)
        return;
    das_fail(&err, DAS_E_TIMEOUT, "the runbook took longer than its timeout");
    das_run_park(L, &err);
}

/* From here on the run has all of limits.wall again: it is one of each step and wait. */
static void new_wall(struct das_run *run)
{
    atomic_store(&run->wall_from_ms, das_clock_monotonic_ms());
}

/* --- finding a step ---------------------------------------------------------------------------- */

static void check_step_name(lua_State *L, const char *what, const char *name)
{
    size_t len = strlen(name);

    if (!len || len > DAS_STEP_NAME_MAX || !das_utf8_valid(das_text(name, len)))
        das_raise(L, "%s: a step's name is 1 to %d bytes of UTF-8", what, DAS_STEP_NAME_MAX);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            das_raise(L, "%s: a step's name has no control characters", what);
    }
}

void das_take_step_name(lua_State *L, const char *what, const char *name)
{
    const struct das_run *run = das_run_of(L);

    check_step_name(L, what, name);
    if (run->book.in_step)
        das_raise(L, "%s: \"%s\" is inside of step \"%s\"; steps follow each other", what, name,
                  run->book.step.name);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, SEEN);
    if (lua_getfield(L, -1, name) != LUA_TNIL)
        das_raise(L, "%s: there is a step \"%s\" already; each has a name of its own (in a loop: "
                     "\"... \" .. i)",
                  what, name);
    lua_pushboolean(L, 1);
    lua_setfield(L, -3, name);
    lua_pop(L, 2);
}

bool das_find_step(lua_State *L, const char *what, const char *name, enum das_step_kind kind)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_runbook_step *step = &run->book.step;
    struct das_err err;

    das_runbook_step_clear(step);
    if (das_or_park(L, das_step_get(go->store, go->id, name, step, &err), &err) > 0) {
        if (step->kind != kind)
            das_raise(L, "%s: \"%s\" is there as %s, not as %s", what, name,
                      das_step_kind_name(step->kind), das_step_kind_name(kind));
        return true;
    }
    das_arena_init(&step->arena);
    step->kind = kind;
    step->name = das_arena_dup(&step->arena, name, strlen(name) + 1);
    if (!step->name)
        das_raise(L, "out of memory");
    return false;
}

/* --- one attempt ------------------------------------------------------------------------------- */

struct step_opts {
    int64_t retry;
    double wait;
    int64_t timeout_ms; /* 0: limits.wall alone */
    bool acts;
};

enum { RESULT_GOOD = 1, RESULT_FAILED };

/* {"message":..,"code":..} of nil, message, code at 2 [-0, +1] */
static void push_failure_json(lua_State *L)
{
    struct das_buf *b = das_scratch(L);
    struct das_text message, code = DAS_TEXT_NULL;

    message.ptr = luaL_tolstring(L, 3, &message.len);
    if (lua_type(L, 4) == LUA_TSTRING)
        code.ptr = lua_tolstring(L, 4, &code.len);
    das_buf_char(b, '{');
    das_json_key_text(b, "message", message);
    das_json_key_text(b, "code", code);
    das_buf_char(b, '}');
    das_push_buf(L, b);
}

/* No secret gets into the store. [-1, +1] */
static void redact(lua_State *L)
{
    struct das_buf *b = das_scratch(L);
    struct das_text t;

    t.ptr = lua_tolstring(L, -2, &t.len);
    das_vault_redact(&das_run_of(L)->vault, t, b);
    das_push_buf(L, b);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* (f, attempt) -> how it went, JSON. Raises what f raises, and where its result is no JSON. */
static int attempt(lua_State *L)
{
    const char *name = das_run_of(L)->book.step.name;
    char what[DAS_STEP_NAME_MAX + 20];
    struct das_buf *b;

    lua_pushinteger(L, RESULT_GOOD);
    lua_insert(L, 1);                   // how f attempt
    lua_call(L, 1, LUA_MULTRET);        // how results
    snprintf(what, sizeof what, "step \"%s\"", name);
    if (lua_gettop(L) < 3)
        lua_settop(L, 3);
    if (lua_isnil(L, 2) && !lua_isnil(L, 3)) {
        lua_settop(L, 4);
        push_failure_json(L);
        redact(L);
        lua_pushinteger(L, RESULT_FAILED);
        lua_insert(L, -2);
        return 2;
    }
    if (!lua_isnil(L, 3))
        das_raise(L, "%s: returned more than one value; a table can hold them", what);
    lua_settop(L, 2);
    b = das_scratch(L);
    lua_pushvalue(L, 2);
    if (lua_isnil(L, -1))
        das_buf_str(b, "null");
    else
        das_json_write(L, what, das_text_of("result"), false, b);
    if (b->len > RESULT_MAX)
        das_raise(L, "%s: result: %d bytes of JSON, at most %d are kept", what, (int)b->len,
                  (int)RESULT_MAX);
    das_push_buf(L, b);
    redact(L);
    lua_pushinteger(L, RESULT_GOOD);
    lua_insert(L, -2);
    return 2;
}

/* Calls the function at 2; how it went and its JSON, or the error's text, are on top [-0, +1 or 2].
 * 0: it raised. */
static int call_step(lua_State *L, const struct step_opts *o)
{
    struct das_run *run = das_run_of(L);
    int64_t now = das_clock_monotonic_ms();
    bool struck;
    int status, top = lua_gettop(L);

    new_wall(run);
    run->book.in_step = true;
    run->book.step_timeout_ms = o->timeout_ms;
    run->book.step_until_ms = o->timeout_ms ? now + o->timeout_ms : 0;
    lua_pushcfunction(L, das_on_error);
    lua_pushcfunction(L, attempt);
    lua_pushvalue(L, 2);
    lua_pushinteger(L, run->book.step.failures + 1);
    status = lua_pcall(L, 2, 2, top + 1);
    struck = das_run_step_left_ms(run) == 0;
    run->book.in_step = false;
    run->book.step_until_ms = 0;
    new_wall(run);
    if (struck && !das_run_stopped(L))
        das_run_set_hook(L);
    lua_remove(L, top + 1);
    if (status != LUA_OK)
        return 0;
    status = (int)lua_tointeger(L, -2);
    lua_remove(L, -2);
    return status;
}

/* --- das.step ---------------------------------------------------------------------------------- */

static void write_end(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_err err;

    das_or_park(L,
                das_step_end(go->store, go->id, &run->book.step, das_clock_unix_ms(), &err), &err);
}

/* What a step that is over gives the script. */
static int give(lua_State *L)
{
    const struct das_runbook_step *step = &das_run_of(L)->book.step;

    if (step->status == DAS_STEP_DONE) {
        das_push_json(L, step->result && *step->result ? step->result : "null");
        return 1;
    }
    if (!step->result || !*step->result) {
        lua_pushstring(L, step->error);
        return lua_error(L);
    }
    das_push_json(L, step->result);
    lua_pushnil(L);
    lua_getfield(L, -2, "message");
    lua_getfield(L, -3, "code");
    if (lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    return 3;
}

/* One error text, without a secret, in the run's own memory. */
static const char *keep_text(lua_State *L, int at)
{
    struct das_run *run = das_run_of(L);
    struct das_text t;
    const char *copy;

    luaL_tolstring(L, at, NULL);
    redact(L);
    t.ptr = lua_tolstring(L, -1, &t.len);
    copy = das_arena_dup(&run->book.step.arena, t.ptr, t.len + 1);
    lua_pop(L, 1);
    if (!copy)
        das_raise(L, "out of memory");
    return copy;
}

static void begin(lua_State *L, const struct step_opts *o)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_err err;

    das_run_check(L);
    das_check_until(L);
    run->book.step.acts = o->acts;
    das_or_park(L, das_step_begin(go->store, go->id, &run->book.step, das_clock_unix_ms(), &err),
                &err);
}

/* Waits for the next attempt; the text of the last one's error is in step.error. */
static void wait_again(lua_State *L, const struct step_opts *o)
{
    struct das_run *run = das_run_of(L);
    const char *why = run->book.step.error ? run->book.step.error : "";

    run->book.in_step = true; /* of this step it is */
    das_run_noted(run, "attempt failed", das_text_of(why));
    run->book.in_step = false;
    lua_getglobal(L, "das");
    lua_getfield(L, -1, "sleep");
    lua_pushnumber(L, o->wait);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

/* A limit or a cancel struck in it. One that was only interrupted is begun, as it is. */
static int stopped(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    enum das_stop stop = (enum das_stop)atomic_load(&run->stop);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_err err;

    if (stop != DAS_STOP_CANCEL && stop != DAS_STOP_PARK) {
        char text[200];
        das_run_stop_text(run, stop, text, sizeof text);
        run->book.step.status = DAS_STEP_FAILED;
        run->book.step.error = text;
        das_step_end(go->store, go->id, &run->book.step, das_clock_unix_ms(), &err);
        run->book.step.error = NULL;
    }
    das_run_check(L); // raises
    return lua_error(L);
}

static int run_step(lua_State *L, const struct step_opts *o)
{
    struct das_run *run = das_run_of(L);
    struct das_runbook_step *step = &run->book.step;
    int how;

    for (;;) {
        begin(L, o);
        how = call_step(L, o);
        if (das_run_stopped(L))
            return stopped(L);
        step->result = step->error = NULL;
        if (how == RESULT_GOOD) {
            step->status = DAS_STEP_DONE;
            step->result = lua_tostring(L, -1);
            break;
        }
        step->failures++;
        step->status = DAS_STEP_FAILED;
        if (how == RESULT_FAILED) {
            step->result = lua_tostring(L, -1);
            das_push_json(L, step->result);
            lua_getfield(L, -1, "message");
        }
        step->error = keep_text(L, lua_gettop(L));
        if (step->acts || step->failures >= o->retry)
            break;
        wait_again(L, o);
        lua_settop(L, 3);
    }
    write_end(L);
    return give(L); // the JSON is on the stack still
}

static void check_step_options(lua_State *L, int arg, struct step_opts *o)
{
    static const char *const allowed[] = {"retry", "timeout", "wait", "acts"};
    const struct das_run *run = das_run_of(L);

    *o = (struct step_opts){.retry = 1, .wait = 1};
    das_check_options(L, arg, "step", allowed, sizeof allowed / sizeof *allowed);
    if (!lua_istable(L, arg))
        return;
    if (lua_getfield(L, arg, "retry") != LUA_TNIL)
        o->retry = das_check_count(L, -1, "step: retry");
    if (o->retry < 1 || o->retry > RETRY_MAX)
        das_raise(L, "step: retry: expected 1 to %d attempts", RETRY_MAX);
    if (lua_getfield(L, arg, "wait") != LUA_TNIL)
        o->wait = das_check_seconds(L, -1, "step: wait");
    if (o->wait >= SLEEP_PARKS_S)
        das_raise(L, "step: wait: expected less than %d s between attempts", SLEEP_PARKS_S);
    if (lua_getfield(L, arg, "timeout") != LUA_TNIL)
        o->timeout_ms = (int64_t)(das_check_seconds(L, -1, "step: timeout") * 1000 + 0.5);
    if (!lua_isnil(L, -1) && (o->timeout_ms < 1 || o->timeout_ms > run->limits.wall_ms))
        das_raise(L, "step: timeout: expected up to %d s, which is limits.wall of das.lua",
                  (int)(run->limits.wall_ms / 1000));
    if (lua_getfield(L, arg, "acts") != LUA_TNIL && !lua_isboolean(L, -1))
        das_raise(L, "step: acts: expected true or false, got %s", luaL_typename(L, -1));
    o->acts = lua_toboolean(L, -1);
    lua_pop(L, 4);
}

/* das.step(name, function, options) */
static int lua_step(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go;
    struct das_runbook_step *step = &run->book.step;
    struct step_opts o;
    struct das_err err;
    const char *name;

    lua_remove(L, 1); // das.step itself
    lua_settop(L, 3);
    if (lua_type(L, 1) != LUA_TSTRING)
        return das_raise(L, "step: expected a name and a function, got %s", luaL_typename(L, 1));
    if (lua_type(L, 2) != LUA_TFUNCTION)
        return das_raise(L, "step: \"%s\": expected a function, got %s", lua_tostring(L, 1),
                         luaL_typename(L, 2));
    check_step_options(L, 3, &o);
    go = das_need_runbook(L, "step");
    name = lua_tostring(L, 1);
    das_take_step_name(L, "step", name);
    if (das_find_step(L, "step", name, DAS_STEP_CALL)) {
        if (step->status == DAS_STEP_DONE || step->status == DAS_STEP_FAILED)
            return give(L);
        if (step->acts) {
            das_or_park(L,
                        das_step_unknown(go->store, go->id, step, das_clock_unix_ms(), &err), &err);
            return das_run_park(L, NULL);
        }
    }
    return run_step(L, &o);
}

/* --- acting ------------------------------------------------------------------------------------ */

void das_run_acts(lua_State *L, const char *what, bool armed, const char *detail)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_buf *clean;
    struct das_err err;

    if (!go || (!run->book.declared && go->stays))
        return;
    if (!run->book.declared)
        das_raise(L, "%s: a runbook acts in its steps, after das.runbook{}", what);
    if (!run->book.in_step)
        das_raise(L, "%s: outside of a step, and what is there is done again when the runbook goes "
                     "on after a restart; put it into das.step(\"...\", function() ... end)",
                  what);
    if (!armed)
        return;
    clean = das_scratch(L);
    das_vault_redact(&run->vault, das_text_of(detail ? detail : ""), clean);
    das_or_park(L,
                das_step_acts(go->store, go->id, run->book.step.n,
                              clean->ptr && !clean->failed ? clean->ptr : "", das_clock_unix_ms(),
                              &err),
                &err);
    run->book.step.acts = true;
    lua_pop(L, 1);
}

void das_run_noted(struct das_run *run, const char *kind, struct das_text note)
{
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_buf clean = {0};
    struct das_err ignored; /* the journal has what matters, and the step's end will say it */

    if (!run->book.in_step)
        return;
    das_vault_redact(&run->vault, note, &clean);
    if (!clean.failed)
        das_step_note(go->store, go->id, run->book.step.n, kind, das_buf_view(&clean),
                      das_clock_unix_ms(), &ignored);
    das_buf_clear(&clean);
}

/* --- sleeping ---------------------------------------------------------------------------------- */

/* The step waits until its moment, and the run with it. */
static void wait_for_moment(lua_State *L, struct das_runbook_step *step)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_err err;

    das_or_park(L, das_step_wait(go->store, go->id, step, das_clock_unix_ms(), &err), &err);
    das_run_park(L, NULL);
}

bool das_run_slept(lua_State *L, double seconds)
{
    struct das_run *run = das_run_of(L);
    struct das_runbook_step *step = &run->book.step;
    int64_t now = das_clock_unix_ms(), ms = (int64_t)(seconds * 1000 + 0.5);
    char name[40];

    if (!run->book.declared)
        return false;
    if (run->book.in_step && seconds > SLEEP_IN_STEP_S)
        das_raise(L, "sleep: inside of a step at most %d s; between steps it can be days",
                  SLEEP_IN_STEP_S);
    if (run->book.in_step)
        return false;
    new_wall(run);
    if (seconds < SLEEP_PARKS_S)
        return false;
    das_check_until(L);
    snprintf(name, sizeof name, "sleep %lld", (long long)++run->book.sleeps);
    das_take_step_name(L, "sleep", name);
    if (!das_find_step(L, "sleep", name, DAS_STEP_SLEEP)) {
        step->begun_ms = now;
        step->wake_ms = now + ms < run->book.until_ms ? now + ms : run->book.until_ms;
    }
    if (step->status == DAS_STEP_DONE)
        return true;
    if (run->opts->runbook->stays && step->wake_ms > now)
        das_clock_sleep_ms(step->wake_ms - now);
    else if (step->wake_ms > now)
        wait_for_moment(L, step);
    step->status = DAS_STEP_DONE;
    write_end(L);
    new_wall(run);
    return true;
}

void das_open_step(lua_State *L)
{
    static const luaL_Reg functions[] = {{"ask", das_lua_ask}, {NULL, NULL}};

    luaL_newlib(L, functions);
    das_freeze(L, "das.step");
    lua_getmetatable(L, -1);
    lua_pushcfunction(L, lua_step);
    lua_setfield(L, -2, "__call");
    lua_pop(L, 1);
    lua_setfield(L, -2, "step");
}
