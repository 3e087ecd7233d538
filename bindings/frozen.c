/*
 * frozen.c - tables that scripts can read and not change: das itself and the tables in it.
 *
 * Such a table is an empty one in front of the real one, so that nothing in it can be replaced (not
 * with rawset either, where C or the prelude look), and a name that is not there raises with a
 * suggestion. A policy that sets das.preview by mistake hears of it.
 */
#include "bindings/bind.h"

/* Upvalues of each: 1 the real table, 2 its name. */

static int frozen_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    return das_no_field(L, lua_tostring(L, lua_upvalueindex(2)), luaL_tolstring(L, 2, NULL), NULL,
                        0, lua_upvalueindex(1));
}

static int frozen_newindex(lua_State *L)
{
    return das_raise(L, "%s is read-only: \"%s\" cannot be set",
                     lua_tostring(L, lua_upvalueindex(2)), luaL_tolstring(L, 2, NULL));
}

static int frozen_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, lua_upvalueindex(1)) ? 2 : 0;
}

static int frozen_pairs(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, frozen_next, 1);
    lua_pushvalue(L, 1);
    return 2;
}

static int frozen_tostring(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(2));
    return 1;
}

void das_freeze(lua_State *L, const char *name)
{
    static const luaL_Reg meta[] = {
        {"__index", frozen_index}, {"__newindex", frozen_newindex},
        {"__pairs", frozen_pairs}, {"__tostring", frozen_tostring},
        {NULL, NULL},
    };

    luaL_checkstack(L, 6, NULL);
    lua_newtable(L);
    lua_insert(L, -2);        // front real
    lua_createtable(L, 0, 5); // front real meta
    lua_insert(L, -2);        // front meta real
    lua_pushstring(L, name);
    luaL_setfuncs(L, meta, 2); // front meta
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2); // front
}
