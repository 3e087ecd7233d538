/*
 * state.c - a fresh Lua state for one run: which libraries it has, and how much memory.
 *
 * Nothing of a state outlives its run, and no two runs share one.
 */
#include "bindings/bind.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

/* Lua's only allocator: counts what the run holds and refuses beyond its limit. For a new block
 * osize is a type tag, not a size. */
static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct das_run *run = ud;
    void *p;

    if (!ptr)
        osize = 0;
    if (nsize == 0) {
        das_free(ptr);
        run->memory -= osize;
        return NULL;
    }
    if (nsize > osize && run->memory - osize + nsize > run->limits.memory)
        return NULL;
    p = das_realloc(ptr, nsize);
    if (!p && nsize <= osize) /* shrinking may not fail */
        return ptr;
    if (p)
        run->memory = run->memory - osize + nsize;
    return p;
}

/* Libraries that can do no harm beyond the state itself. */
static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base},          {LUA_COLIBNAME, luaopen_coroutine},
    {LUA_TABLIBNAME, luaopen_table},    {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math},    {LUA_UTF8LIBNAME, luaopen_utf8},
};

/* What base brings along and a script must not have: files, and code that is not text. */
static const char *const removed[] = {"dofile", "loadfile", "load", "collectgarbage"};

static const char *const os_kept[] = {"time", "date", "clock", "difftime"};

static void open_os(lua_State *L)
{
    lua_newtable(L);
    luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0); // kept os
    for (size_t i = 0; i < sizeof os_kept / sizeof *os_kept; i++) {
        lua_getfield(L, -1, os_kept[i]);
        lua_setfield(L, -3, os_kept[i]);
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1); // kept kept
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_insert(L, -2);
    lua_setfield(L, -2, LUA_OSLIBNAME);
    lua_pop(L, 1);
    lua_setglobal(L, LUA_OSLIBNAME);
}

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

static int open_all(lua_State *L)
{
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
        lua_pushnil(L);
        lua_setglobal(L, removed[i]);
    }
    lua_pushcfunction(L, set_metatable);
    lua_setglobal(L, "setmetatable");
    open_os(L);
    das_open_require(L);
    das_open_prelude(L);
    return 0;
}

lua_State *das_state_new(struct das_run *run)
{
    lua_State *L;

    run->memory = 0;
    run->limits = run->opts->limits ? *run->opts->limits : das_limits_default;
    run->start_ms = das_clock_monotonic_ms();
    L = lua_newstate(allocate, run);
    if (!L)
        return NULL;
    *(struct das_run **)lua_getextraspace(L) = run;
    /* opening the libraries can run out of memory too */
    lua_pushcfunction(L, open_all);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK)
        return L;
    lua_close(L);
    return NULL;
}
