/* config.c - see config.h. */
#include "bindings/config.h"

#include <string.h>

#include "bindings/bind.h"
#include "core/base/mem.h"

#define CONFIG_MEMORY ((size_t)16 << 20)
#define CONFIG_STEPS 1000000 /* instructions; data needs a few for each value */

struct reader {
    const char *path;
    struct das_inventory *inventory;
    struct das_protect *protect;
    size_t memory;
};

static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct reader *r = ud;
    void *p;

    if (!ptr)
        osize = 0;
    if (nsize == 0) {
        das_free(ptr);
        r->memory -= osize;
        return NULL;
    }
    if (nsize > osize && r->memory - osize + nsize > CONFIG_MEMORY)
        return NULL;
    p = das_realloc(ptr, nsize);
    if (!p && nsize <= osize)
        return ptr;
    if (p)
        r->memory = r->memory - osize + nsize;
    return p;
}

static void too_long(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "the configuration is a table, not a program: it ran too long");
}

/* A string field of the table at index t; NULL when absent. The string stays in the table. */
static const char *text_field(lua_State *L, int t, const char *where, const char *key)
{
    const char *text = NULL;

    lua_pushstring(L, key);
    if (lua_rawget(L, t) == LUA_TSTRING)
        text = lua_tostring(L, -1);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "%s.%s: expected a string, got %s", where, key, luaL_typename(L, -1));
    lua_pop(L, 1);
    return text;
}

static void only_keys(lua_State *L, int t, const char *where, const char *const *allowed, size_t n)
{
    lua_pushnil(L);
    while (lua_next(L, t)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL, *near;
        bool known = false;
        for (size_t i = 0; key && i < n && !known; i++)
            known = strcmp(key, allowed[i]) == 0;
        if (!key)
            luaL_error(L, "%s: expected named keys, got a %s", where, luaL_typename(L, -2));
        near = known ? NULL : das_nearest(key, allowed, n);
        if (near)
            luaL_error(L, "%s: unknown key \"%s\"; did you mean \"%s\"?", where, key, near);
        if (!known)
            luaL_error(L, "%s: unknown key \"%s\"", where, key);
        lua_pop(L, 1);
    }
}

static void read_instance(lua_State *L, struct reader *r, const char *name)
{
    static const char *const allowed[] = {"source", "password_file", "password_env"};
    struct das_source_conf conf = {.name = name};
    const char *where = lua_pushfstring(L, "instances.%s", name);
    int value = lua_gettop(L) - 1;
    struct das_err err;

    if (lua_type(L, value) == LUA_TSTRING) {
        conf.spec = lua_tostring(L, value);
    } else if (lua_istable(L, value)) {
        lua_pushliteral(L, "password");
        if (lua_rawget(L, value) != LUA_TNIL)
            luaL_error(L, "%s.password: a password does not belong in this file; expected "
                          "password_file = \"PATH\" or password_env = \"NAME\"",
                       where);
        lua_pop(L, 1);
        only_keys(L, value, where, allowed, sizeof allowed / sizeof *allowed);
        conf.spec = text_field(L, value, where, "source");
        conf.password_file = text_field(L, value, where, "password_file");
        conf.password_env = text_field(L, value, where, "password_env");
    } else {
        luaL_error(L, "%s: expected a source such as \"mysql://user@host:3306/\" or a table, got "
                      "%s",
                   where, luaL_typename(L, value));
    }
    if (!conf.spec || !das_source_is_spec(conf.spec))
        luaL_error(L, "%s.source: expected file:PATH, mem:PATH or mysql://user@host:port/", where);
    if (conf.password_file && conf.password_env)
        luaL_error(L, "%s: password_file or password_env, not both", where);
    if (das_inventory_add(r->inventory, &conf, &err) < 0)
        luaL_error(L, "%s: %s", where, err.msg);
    lua_pop(L, 1);
}

/* Lua tables have no order; instances are listed by name. */
static void read_instances(lua_State *L, struct reader *r)
{
    int t = lua_gettop(L), names;
    lua_Integer n = 0;

    if (!lua_istable(L, t))
        luaL_error(L, "instances: expected a table, got %s", luaL_typename(L, t));
    lua_newtable(L);
    names = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_Integer at = ++n;
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "instances: expected names, got a %s", luaL_typename(L, -2));
        lua_pop(L, 1);
        /* insertion sort: configurations are short, and this state has no table.sort */
        for (; at > 1; at--) {
            bool before;
            lua_rawgeti(L, names, at - 1);
            before = strcmp(lua_tostring(L, -2), lua_tostring(L, -1)) < 0;
            if (!before) {
                lua_pop(L, 1);
                break;
            }
            lua_rawseti(L, names, at);
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, names, at);
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, names, i);
        lua_pushvalue(L, -1);
        lua_rawget(L, t); // ... name value
        read_instance(L, r, lua_tostring(L, -2));
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static void read_protect(lua_State *L, struct reader *r)
{
    int t = lua_gettop(L);
    struct das_err err;

    if (!lua_istable(L, t))
        luaL_error(L, "protect: expected a list of filters, got %s", luaL_typename(L, t));
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_Integer place = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        if (place < 1 || !lua_istable(L, -1))
            luaL_error(L, "protect: expected a list of tables such as { { user = \"backup\" } }");
        if (das_protect_add(r->protect, das_check_filter(L, lua_gettop(L)), &err) < 0)
            luaL_error(L, "protect[%d]: %s", (int)place, err.msg);
        lua_pop(L, 1);
    }
}

static int read_all(lua_State *L)
{
    static const char *const allowed[] = {"instances", "protect"};
    struct reader *r = lua_touserdata(L, 1);
    int top;

    das_open_filter(L); // for protect: no global holds it
    lua_settop(L, 1);
    if (luaL_loadfilex(L, r->path, "t") != LUA_OK)
        return lua_error(L);
    lua_newtable(L); // an environment with nothing in it
    lua_setupvalue(L, -2, 1);
    lua_sethook(L, too_long, LUA_MASKCOUNT, CONFIG_STEPS);
    lua_call(L, 0, 1);
    lua_sethook(L, NULL, 0, 0);
    top = lua_gettop(L);
    if (!lua_istable(L, top))
        return luaL_error(L, "expected `return { instances = {...} }`, got %s",
                          luaL_typename(L, top));
    only_keys(L, top, "configuration", allowed, sizeof allowed / sizeof *allowed);
    if (lua_getfield(L, top, "instances") != LUA_TNIL)
        read_instances(L, r);
    lua_pop(L, 1);
    if (lua_getfield(L, top, "protect") != LUA_TNIL)
        read_protect(L, r);
    return 0;
}

int das_config_read(const char *path, struct das_inventory *inventory, struct das_protect *protect,
                    struct das_err *err)
{
    struct reader r = {.path = path, .inventory = inventory, .protect = protect};
    lua_State *L = lua_newstate(allocate, &r);
    int rc = 0;

    if (!L)
        return das_fail_nomem(err);
    *(struct das_run **)lua_getextraspace(L) = NULL;
    lua_pushcfunction(L, read_all);
    lua_pushlightuserdata(L, &r);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        rc = das_fail(err, DAS_E_CONFIG, "%s%s%s", message && strstr(message, path) ? "" : path,
                      message && strstr(message, path) ? "" : ": ", message ? message : "unreadable");
    }
    lua_close(L);
    return rc;
}
