/*
 * secret.c - das.secret(name): a value that a script can use and cannot read.
 *
 * In Lua it is a userdata that points into the run's vault (core/base/secret.h): the bytes never
 * become a Lua string. Bindings that send or sign take them with das_check_key().
 */
#include "bindings/bind.h"

#define DAS_SECRET "das.secret"

static void push_secret(lua_State *L, const struct das_secret *s)
{
    const struct das_secret **p = lua_newuserdatauv(L, sizeof *p, 0);

    *p = s;
    luaL_setmetatable(L, DAS_SECRET);
}

const struct das_secret *das_secret_test(lua_State *L, int arg)
{
    const struct das_secret *const *p = luaL_testudata(L, arg, DAS_SECRET);

    return p ? *p : NULL;
}

static const struct das_secret *check_secret(lua_State *L, int arg)
{
    return *(const struct das_secret *const *)luaL_checkudata(L, arg, DAS_SECRET);
}

static struct das_text check_text(lua_State *L, int arg)
{
    struct das_text t = {"", 0};

    if (!lua_isnoneornil(L, arg)) {
        luaL_checktype(L, arg, LUA_TSTRING);
        t.ptr = lua_tolstring(L, arg, &t.len);
    }
    return t;
}

/* A missing secret raises, although it is the world's failure: a nil would silently leave out the
 * header that it was meant for. */
int das_lua_secret(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    const struct das_secret_place *place;
    const struct das_secret *s;
    struct das_err err;
    const char *name;

    luaL_checktype(L, 1, LUA_TSTRING);
    name = lua_tostring(L, 1);
    das_need(L, "secret:%s", name);
    place = das_secrets_find(run->opts->secrets, name, &err);
    s = place ? das_vault_read(&run->vault, place, &err) : NULL;
    if (!s)
        return das_raise(L, "%s", err.msg);
    push_secret(L, s);
    return 1;
}

/* secret:with(before, after): both around it, as a secret again. */
static int secret_with(lua_State *L)
{
    const struct das_secret *s = check_secret(L, 1);
    struct das_text before = check_text(L, 2), after = check_text(L, 3);
    struct das_err err;

    s = das_vault_join(&das_run_of(L)->vault, before, s, after, &err);
    if (!s)
        return das_raise(L, "%s", err.msg);
    push_secret(L, s);
    return 1;
}

/* secret:basic(user): the header Authorization of user with this password. */
static int secret_basic(lua_State *L)
{
    const struct das_secret *s = check_secret(L, 1);
    struct das_text user = check_text(L, 2);
    struct das_err err;

    if (memchr(user.ptr, ':', user.len))
        return das_raise(L, "basic: a user name has no \":\" in it");
    s = das_vault_basic(&das_run_of(L)->vault, user, s, &err);
    if (!s)
        return das_raise(L, "%s", err.msg);
    push_secret(L, s);
    return 1;
}

/* secret:base64_decode(): the bytes that its text stands for, as keys are often given. */
static int secret_base64_decode(lua_State *L)
{
    const struct das_secret *s = check_secret(L, 1);
    struct das_err err;

    s = das_vault_base64_decode(&das_run_of(L)->vault, s, &err);
    if (!s)
        return das_raise(L, "%s", err.msg);
    push_secret(L, s);
    return 1;
}

static int secret_tostring(lua_State *L)
{
    lua_pushliteral(L, "***");
    return 1;
}

static int secret_concat(lua_State *L)
{
    return das_raise(L, "a secret cannot be joined with \"..\"; secret:with(before, after) makes "
                        "a new one");
}

static int secret_len(lua_State *L)
{
    return das_raise(L, "the length of a secret is secret");
}

static int secret_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    return das_no_field(L, "a secret", luaL_tolstring(L, 2, NULL), NULL, 0, lua_upvalueindex(1));
}

void das_open_secret(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", secret_tostring},
                                    {"__concat", secret_concat},
                                    {"__len", secret_len},
                                    {NULL, NULL}};
    static const luaL_Reg methods[] = {{"with", secret_with},
                                       {"basic", secret_basic},
                                       {"base64_decode", secret_base64_decode},
                                       {NULL, NULL}};

    das_class(L, DAS_SECRET, meta, methods, secret_index);
}
