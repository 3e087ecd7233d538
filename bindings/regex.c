/*
 * regex.c - das.regex("pattern"[, flags]): a regular expression as Perl has it, compiled once.
 */
#include "core/base/regex.h"

#include "bindings/bind.h"

static int regex_gc(lua_State *L)
{
    struct das_box *box = luaL_checkudata(L, 1, DAS_REGEX);

    das_regex_free(box->object);
    das_box_empty(L, box);
    return 0;
}

/* The text at 2: nil is NULL, as the field of a session is. */
static struct das_text check_text(lua_State *L, const char *what)
{
    struct das_text t = DAS_TEXT_NULL;

    if (lua_isnil(L, 2))
        return t;
    if (lua_type(L, 2) != LUA_TSTRING)
        das_raise(L, "%s: expected a string or nil, got %s", what, luaL_typename(L, 2));
    t.ptr = lua_tolstring(L, 2, &t.len);
    return t;
}

static int match(lua_State *L, const char *what, struct das_text *groups)
{
    const struct das_regex *re = das_box_check(L, 1, DAS_REGEX)->object;
    struct das_text text = check_text(L, what);
    struct das_err err;
    int n = das_regex_match(re, text, groups, &err);

    if (n < 0)
        das_raise(L, "%s: %s", what, err.msg);
    return n;
}

/* regex:test(text) */
static int regex_test(lua_State *L)
{
    lua_pushboolean(L, match(L, "test", NULL) > 0);
    return 1;
}

/* regex:match(text): the groups, or the whole where the pattern has none. */
static int regex_match(lua_State *L)
{
    struct das_text groups[DAS_REGEX_GROUPS];
    int n = match(L, "match", groups);

    if (!n) {
        lua_pushnil(L);
        return 1;
    }
    luaL_checkstack(L, n + 2, NULL);
    for (int i = n > 1 ? 1 : 0; i < n; i++) {
        if (groups[i].ptr)
            lua_pushlstring(L, groups[i].ptr, groups[i].len);
        else
            lua_pushboolean(L, 0);
    }
    return n > 1 ? n - 1 : 1;
}

static int regex_tostring(lua_State *L)
{
    das_box_check(L, 1, DAS_REGEX);
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int regex_index(lua_State *L)
{
    das_box_check(L, 1, DAS_REGEX);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    return das_no_field(L, "a regex", luaL_tolstring(L, 2, NULL), NULL, 0, lua_upvalueindex(1));
}

/* das.regex(pattern [, flags]) */
static int regex_new(lua_State *L)
{
    struct das_text pattern;
    const char *flags = NULL;
    struct das_box *box;
    struct das_err err;

    if (lua_type(L, 1) != LUA_TSTRING)
        return das_raise(L, "regex: expected a pattern, got %s", luaL_typename(L, 1));
    if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TSTRING)
        return das_raise(L, "regex: flags: expected some of \"imsxu\", got %s", luaL_typename(L, 2));
    pattern.ptr = lua_tolstring(L, 1, &pattern.len);
    if (lua_isstring(L, 2))
        flags = lua_tostring(L, 2);
    box = das_box_push(L, DAS_REGEX);
    box->object = das_regex_new(pattern, flags, &err);
    if (!box->object)
        return das_raise(L, "regex: %s", err.msg);
    das_box_charge(L, box, das_regex_bytes(box->object));
    lua_pushvalue(L, 1); // what it shows as
    lua_setiuservalue(L, -2, 1);
    return 1;
}

void das_open_regex(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__gc", regex_gc}, {"__tostring", regex_tostring}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"test", regex_test}, {"match", regex_match}, {NULL, NULL}};

    das_class(L, DAS_REGEX, meta, methods, regex_index);
    lua_pop(L, 1);
    lua_pushcfunction(L, regex_new);
    lua_setfield(L, -2, "regex");
}
