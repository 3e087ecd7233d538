/*
 * sandbox.c - the library functions that a script gets in another form than Lua's own.
 *
 * What is changed, and why:
 *   load           text only: Lua does not check bytecode
 *   collectgarbage only "count": a script has no business with the collector
 *   setmetatable   refuses __gc
 *   string.rep     of nothing at all is nothing at once, however often
 *   string.dump    is gone: bytecode cannot be loaded anyway
 *   table.*        refuse ranges that no table of a script can have: they run in C, where nothing
 *                  interrupts them
 *   coroutine      wrap, resume and close run no __close once a limit struck: Lua leaves the hook off
 *                  in a coroutine that it raised in, so nothing would interrupt it; each resume
 *                  counts towards the limits
 *   getmetatable("") is locked, so that strings stay what they are
 * xpcall is replaced in the prelude: its handler would run where no limit strikes. What is left that
 * can run long in C is a pattern; the thread that waits for the run takes care of those.
 */
#include "bindings/bind.h"

#include <string.h>

/* A table of the script has at most so many slots within the default memory; a range beyond it is
 * a mistake or an attack. */
#define RANGE_MAX 10000000

/* setmetatable() without finalizers. They run in any order and after the last line, when the run
 * has been judged already: no script shall preview or kill there, and what it made there would
 * never be freed. */
static int set_metatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return das_raise(L, "cannot change a protected metatable");
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return das_raise(L, "setmetatable: scripts have no finalizers (__gc); a local variable "
                                "with <close> ends with its block");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* load(text [, name [, mode [, env]]]); the mode is "t" whatever is asked for. */
static int load_text(lua_State *L)
{
    int args = lua_gettop(L);

    if (args < 3)
        lua_settop(L, 3);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    args = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, args, LUA_MULTRET);
    return lua_gettop(L);
}

static int collect_garbage(lua_State *L)
{
    const char *what = luaL_optstring(L, 1, "collect");

    if (strcmp(what, "count") != 0)
        return das_raise(L, "collectgarbage: only \"count\" is there for scripts");
    lua_pushnumber(L, (double)das_run_of(L)->memory / 1024);
    return 1;
}

/* string.rep(s, n [, sep]) */
static int repeat(lua_State *L)
{
    size_t len, sep_len = 0;

    luaL_checklstring(L, 1, &len);
    luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &sep_len);
    lua_settop(L, 3);
    if (len + sep_len == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    if (lua_isnil(L, 4))
        lua_settop(L, 3);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Arguments at from and to are the ends of a range of table.concat, unpack or move. */
static void check_range(lua_State *L, const char *name, int from, int to, lua_Integer first,
                        lua_Integer last)
{
    lua_Integer n;

    first = luaL_optinteger(L, from, first);
    last = luaL_optinteger(L, to, last);
    if (first <= last && (__builtin_sub_overflow(last, first, &n) || n > RANGE_MAX))
        das_raise(L, "table.%s: a range of more than %d places", name, RANGE_MAX);
}

static lua_Integer check_length(lua_State *L, const char *name)
{
    lua_Integer n;

    if (!lua_istable(L, 1) && !lua_isuserdata(L, 1))
        luaL_checktype(L, 1, LUA_TTABLE);
    n = luaL_len(L, 1);
    if (n > RANGE_MAX) /* only a __len can say so */
        das_raise(L, "table.%s: a length of more than %d", name, RANGE_MAX);
    return n;
}

/* Upvalues: the library's function and its name. */
static int checked_table(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(2));
    int args = lua_gettop(L);

    if (strcmp(name, "move") == 0)
        check_range(L, name, 2, 3, 1, 0);
    else if (strcmp(name, "concat") == 0)
        check_range(L, name, 3, 4, 1, check_length(L, name));
    else if (strcmp(name, "unpack") == 0)
        check_range(L, name, 2, 3, 1, check_length(L, name));
    else
        check_length(L, name);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, args, LUA_MULTRET);
    return lua_gettop(L);
}

/* --- coroutines --------------------------------------------------------------------------------- */

/* The error on top, of a coroutine that a limit ended, goes on through the one that resumed it. Its
 * variables to be closed stay as they are. */
static int pass_stop(lua_State *L)
{
    lua_sethook(L, das_run_hook, LUA_MASKCOUNT, 1);
    return lua_error(L);
}

/* Upvalue 1: Lua's own. It is called as C calls, in this frame, so that its errors have the line of
 * the script and the stack in C gets no deeper. */
static int own_function(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int co_resume(lua_State *L)
{
    int results;

    das_run_count_resume(L);
    results = own_function(L);
    if (das_run_stopped(L)) {
        if (!lua_toboolean(L, -results))
            return pass_stop(L);
        das_run_check(L);
    }
    return results;
}

static int co_close(lua_State *L)
{
    if (das_run_stopped(L))
        das_run_check(L);
    return own_function(L);
}

/* As Lua's coroutine.wrap has it. The results are moved to the top, -1: an error is. */
static int resume(lua_State *L, lua_State *co, int args)
{
    int status, results;

    if (!lua_checkstack(co, args)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, args);
    status = lua_resume(co, L, args, &results);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, results);
    return results;
}

/* Upvalue 1: the coroutine. */
static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int results, status;

    das_run_count_resume(L);
    results = resume(L, co, lua_gettop(L));
    if (results >= 0)
        return results;
    if (das_run_stopped(L))
        return pass_stop(L);
    status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) { // it failed, and was not just dead already
        status = lua_resetthread(co);
        lua_xmove(co, L, 1);
        if (das_run_stopped(L))
            return pass_stop(L);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int co_wrap(lua_State *L)
{
    lua_State *co;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

/* The field name of the library at the top of the stack becomes f, closed over what it was. */
static void wrap(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushstring(L, name);
    lua_pushcclosure(L, f, 2);
    lua_setfield(L, -2, name);
}

void das_open_sandbox(lua_State *L)
{
    static const char *const tables[] = {"insert", "remove", "concat", "unpack", "move", "sort"};

    lua_pushglobaltable(L);
    wrap(L, "load", load_text);
    lua_pushcfunction(L, collect_garbage);
    lua_setfield(L, -2, "collectgarbage");
    lua_pushcfunction(L, set_metatable);
    lua_setfield(L, -2, "setmetatable");
    lua_getfield(L, -1, "table");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        wrap(L, tables[i], checked_table);
    lua_pop(L, 1);
    lua_getfield(L, -1, "coroutine");
    wrap(L, "resume", co_resume);
    wrap(L, "close", co_close);
    lua_pushcfunction(L, co_wrap);
    lua_setfield(L, -2, "wrap");
    lua_pop(L, 1);
    lua_getfield(L, -1, "string");
    wrap(L, "rep", repeat);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 2);

    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}
