/*
 * require.c - require() for scripts: text modules from the script's own folder, once per run, and
 * what das itself brings under a well-known name (cjson).
 *
 * Names are letters, digits, _ and dots (a.b is a/b.lua); there is no search path to change and no
 * way to load machine code.
 */
#include "bindings/bind.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN 200
#define LOADED "das.loaded"

static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN || name[0] == '.' || name[len - 1] == '.' ||
        strstr(name, ".."))
        return false;
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (!(das_lower(c) >= 'a' && das_lower(c) <= 'z') && !das_is_digit(c) && c != '_' &&
            c != '.')
            return false;
    }
    return true;
}

/* [-0, +1] the folder of the script with a slash, "" for the current one. */
static void push_root(lua_State *L)
{
    const char *path = das_run_of(L)->opts->path, *slash = strrchr(path, '/');

    lua_pushlstring(L, path, slash ? (size_t)(slash - path) + 1 : 0);
}

bool das_push_module_path(lua_State *L, const char *name)
{
    if (!name_ok(name))
        return false;
    push_root(L);
    luaL_gsub(L, name, ".", "/");
    lua_pushliteral(L, ".lua");
    lua_concat(L, 3);
    return true;
}

static int lua_require(lua_State *L);

static void tell_required(lua_State *L, const char *path)
{
    const struct das_engine_watch *w = das_run_of(L)->opts->watch;

    if (w && w->required)
        w->required(w->arg, path);
}

#define LEVELS_MAX 1000 /* a look at a level costs as much as it is deep */

/* Raises when name is being loaded by a require() that has not returned. Which ones those are, the
 * stack knows; a list would have to be mended after each error. */
static void check_circle(lua_State *L, const char *name)
{
    lua_Debug ar;
    int chain = lua_gettop(L) + 1;

    lua_pushstring(L, name); // chain
    for (int level = 1; level < LEVELS_MAX && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "f", &ar); // chain function
        if (lua_tocfunction(L, -1) == lua_require && lua_getlocal(L, &ar, 1)) {
            const char *outer = lua_tostring(L, -1);
            lua_pushfstring(L, "%s -> %s", outer, lua_tostring(L, chain));
            lua_replace(L, chain); // chain function outer
            if (strcmp(outer, name) == 0)
                das_raise(L, "require: \"%s\" needs itself (%s)", name, lua_tostring(L, chain));
        }
        lua_settop(L, chain);
    }
    lua_settop(L, chain - 1);
}

/* Upvalue 1: what was loaded. Its argument stays at 1, where check_circle() looks for it. */
static int lua_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    if (lua_getfield(L, lua_upvalueindex(1), name) != LUA_TNIL)
        return 1;
    if (!das_push_module_path(L, name)) // name nil path
        return das_raise(L, "require: \"%s\" is not a module name; expected letters, digits, _ and "
                            "dots",
                         name);
    check_circle(L, name);
    tell_required(L, lua_tostring(L, -1)); // also one that is not there: it may come
    das_run_check_module(L, lua_tostring(L, -1));
    switch (luaL_loadfilex(L, lua_tostring(L, -1), "t")) {
    case LUA_OK:
        break;
    case LUA_ERRFILE:
        return das_raise(L, "require: no module \"%s\": %s", name, lua_tostring(L, -1));
    default:
        return lua_error(L); // its own file and line
    }
    das_coverage_see(L, lua_tostring(L, -2)); // name nil path function
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, lua_upvalueindex(1), name);
    return 1;
}

void das_provide(lua_State *L, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LOADED);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void das_open_require(lua_State *L)
{
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, LOADED);
    lua_pushcclosure(L, lua_require, 1);
    lua_setglobal(L, "require");
}
