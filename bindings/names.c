/*
 * names.c - which fields and methods a das object has, for the tools of an author: completion in the
 * repl, das check. Scripts cannot ask: metatables stay hidden from them.
 */
#include "bindings/bind.h"

int das_push_names(lua_State *L, const char *const *names, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static void append(lua_State *L, int list, const char *name)
{
    lua_pushstring(L, name);
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

/* The string keys of the table at the top. [-1, +0] */
static void append_keys(lua_State *L, int list)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            append(L, list, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Of the metatable at the top; list below it. [-1, +0] */
static bool meta_names(lua_State *L, bool fields, bool methods)
{
    int meta = lua_gettop(L), list = meta - 1;
    bool ours = false;

    if (lua_getfield(L, meta, "__fields") == LUA_TFUNCTION) {
        ours = true;
        if (fields) {
            lua_call(L, 0, 1);
            for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1); i++) {
                lua_rawgeti(L, -1, (lua_Integer)i);
                append(L, list, lua_tostring(L, -1));
                lua_pop(L, 1);
            }
        }
    }
    lua_settop(L, meta);
    /* das_class() closes __index over the methods; das.c over the functions of das */
    if (lua_getfield(L, meta, "__metatable") == LUA_TBOOLEAN &&
        lua_getfield(L, meta, "__index") == LUA_TFUNCTION && lua_getupvalue(L, -1, 1)) {
        ours = true;
        if (methods && lua_istable(L, -1))
            append_keys(L, list);
    }
    lua_settop(L, meta - 1);
    return ours;
}

bool das_class_names(lua_State *L, const char *type, bool fields, bool methods)
{
    luaL_getmetatable(L, type);
    return meta_names(L, fields, methods);
}

bool das_object_names(lua_State *L, int arg, bool fields, bool methods)
{
    return lua_getmetatable(L, arg) && meta_names(L, fields, methods);
}

int das_lua_kind(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TUSERDATA || luaL_getmetafield(L, 1, "__name") != LUA_TSTRING)
        lua_pushnil(L);
    return 1;
}
