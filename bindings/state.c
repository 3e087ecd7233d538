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

uint64_t das_lua_held(uint64_t held, const void *ptr, size_t osize, size_t nsize)
{
    return held - (ptr ? osize : 0) + nsize; /* for a new block osize is a type tag */
}

void *das_lua_resize(uint64_t *held, void *ptr, size_t osize, size_t nsize)
{
    uint64_t after = das_lua_held(*held, ptr, osize, nsize);
    void *p = NULL;

    if (nsize == 0) {
        das_free(ptr);
    } else {
        p = das_realloc(ptr, nsize);
        if (!p) /* shrinking may not fail */
            return ptr && nsize <= osize ? ptr : NULL;
    }
    *held = after;
    return p;
}

/* The allocator of a run's state: counts what it holds and refuses beyond its limit. */
static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct das_run *run = ud;
    uint64_t held = das_lua_held(run->memory, ptr, osize, nsize);
    bool grows = held > run->memory;
    void *p;

    /* After a no Lua collects and asks once more for the same. If it does not, or hears no again, the
     * no has become an error. */
    if (grows && run->memory_asked && run->memory_asked != nsize) {
        run->memory_refused = true;
        run->memory_asked = 0;
    }
    if (grows && held > run->limits.memory && !run->closing) {
        run->memory_refused = run->memory_refused || run->memory_asked == nsize;
        run->memory_asked = nsize;
        return NULL;
    }
    p = das_lua_resize(&run->memory, ptr, osize, nsize);
    if (p && nsize == run->memory_asked)
        run->memory_asked = 0;
    if (run->memory > atomic_load_explicit(&run->used.memory, memory_order_relaxed))
        atomic_store_explicit(&run->used.memory, run->memory, memory_order_relaxed);
    return p;
}

/* Libraries that can do no harm beyond the state itself. */
static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base},          {LUA_COLIBNAME, luaopen_coroutine},
    {LUA_TABLIBNAME, luaopen_table},    {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math},    {LUA_UTF8LIBNAME, luaopen_utf8},
};

/* What base brings along and a script must not have: files, and code that is not text. */
static const char *const removed[] = {"dofile", "loadfile", "warn"};

static const char *const os_kept[] = {"time", "date", "clock", "difftime"};

/* The time of the run's clock, which is not the machine's in a replay or a test. Upvalue 1: Lua's
 * own, which makes a time of a table. */
static int os_time(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, das_clock_unix_ms() / 1000);
        return 1;
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int os_date(lua_State *L)
{
    lua_settop(L, 2);
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    if (lua_isnil(L, 2)) {
        lua_pushinteger(L, das_clock_unix_ms() / 1000);
        lua_replace(L, 2);
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* The function name of the table on top becomes f, closed over what it was. */
static void clocked(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

static void open_os(lua_State *L)
{
    lua_newtable(L);
    luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0); // kept os
    for (size_t i = 0; i < sizeof os_kept / sizeof *os_kept; i++) {
        lua_getfield(L, -1, os_kept[i]);
        lua_setfield(L, -3, os_kept[i]);
    }
    lua_pop(L, 1);
    clocked(L, "time", os_time);
    clocked(L, "date", os_date);
    lua_pushvalue(L, -1); // kept kept
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_insert(L, -2);
    lua_setfield(L, -2, LUA_OSLIBNAME);
    lua_pop(L, 1);
    lua_setglobal(L, LUA_OSLIBNAME);
}

static void seed(lua_State *L, int64_t with)
{
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, with);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
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
    open_os(L);
    das_open_sandbox(L);
    if (das_clock_entered()) // a replay draws the same numbers again
        seed(L, das_clock_unix_ms());
    das_open_require(L);
    das_open_prelude(L);
    return 0;
}

lua_State *das_state_new(struct das_run *run)
{
    lua_State *L = lua_newstate(allocate, run);

    if (!L)
        return NULL;
    *(struct das_run **)lua_getextraspace(L) = run;
    /* opening the libraries can run out of memory too */
    lua_pushcfunction(L, open_all);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
        das_run_set_hook(L); /* coroutines inherit it */
        return L;
    }
    run->closing = true;
    lua_close(L);
    return NULL;
}
