/*
 * globals.c - a run says so when a script makes a global, which is nearly always a forgotten `local`.
 *
 * Only the first assignment of a name that is not there goes through here: reading globals and
 * setting known ones cost what they always did. _G stays a plain table, metatable and all.
 */
#include "bindings/bind.h"

#define WARNINGS_MAX 20 /* a script that makes names in a loop shall not flood the log */

/* _G[name] = value for a new name. Upvalue 1: how many were warned about. */
static int new_global(lua_State *L)
{
    const struct das_engine_opts *opts = das_run_of(L)->opts;
    lua_Integer n = lua_tointeger(L, lua_upvalueindex(1));
    lua_Debug ar;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 3);
    if (opts->log && n <= WARNINGS_MAX && lua_type(L, 2) == LUA_TSTRING && !lua_isnil(L, 3) &&
        lua_getstack(L, 1, &ar) && lua_getinfo(L, "Sl", &ar) && ar.currentline > 0) {
        fflush(opts->out);
        if (n < WARNINGS_MAX)
            fprintf(opts->log, "das run: %s:%d: global \"%.100s\" was assigned without local\n",
                    ar.short_src, ar.currentline, lua_tostring(L, 2));
        else
            fprintf(opts->log, "das run: more globals are not told\n");
        lua_pushinteger(L, n + 1);
        lua_replace(L, lua_upvalueindex(1));
    }
    lua_rawset(L, 1);
    return 0;
}

void das_watch_globals(lua_State *L)
{
    lua_pushglobaltable(L);
    lua_createtable(L, 0, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, new_global, 1);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
