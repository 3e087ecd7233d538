/*
 * json.c - das.json, and the same under lua-cjson's names and manners: require "cjson". Writing is
 * in json_write.c.
 *
 * Whole numbers stay whole: every int64 comes back as it was, or there is an error. Reading is
 * jansson's.
 */
#include "bindings/json_impl.h"

#include <string.h>

#include "core/base/json.h"

#define PARSED_TYPE "das.json.parsed"

/* --- reading -------------------------------------------------------------------------------------- */

/* A parsed value and what it weighs, which counts as the run's memory while it is there. */
struct parsed {
    json_t *value;
    uint64_t bytes;
};

static void let_go(lua_State *L, struct parsed *p)
{
    json_decref(p->value);
    das_run_of(L)->memory -= p->bytes;
    memset(p, 0, sizeof *p);
}

static int parsed_gc(lua_State *L)
{
    let_go(L, luaL_checkudata(L, 1, PARSED_TYPE));
    return 0;
}

/* [-0, +1] arrays: the index of array_mt. Nests no deeper than DAS_JSON_DEPTH_MAX. */
static void push_value(lua_State *L, const json_t *v, int arrays)
{
    const char *key;
    json_t *item;
    size_t i;

    luaL_checkstack(L, 4, "too deep");
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(v));
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            lua_pushstring(L, key);
            push_value(L, item, arrays);
            lua_rawset(L, -3);
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(v), 0);
        json_array_foreach(v, i, item)
        {
            push_value(L, item, arrays);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_pushvalue(L, arrays);
        lua_setmetatable(L, -2);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(v));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(v));
        break;
    case JSON_NULL:
        lua_getfield(L, LUA_REGISTRYINDEX, DAS_JSON_NULL ".value");
        break;
    default:
        lua_pushboolean(L, json_is_true(v));
    }
}

/* Pushes array_mt. A script may have put anything into it, and a finalizer must not get in here. */
static void push_array_mt(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, DAS_JSON_ARRAY_MT);
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, -2) != LUA_TNIL)
        das_raise(L, "decode: array_mt has a finalizer (__gc); scripts have none");
    lua_pop(L, 1);
}

static int weigh(lua_State *L, struct das_text t, uint64_t *bytes, struct das_err *err)
{
    const struct das_run *run = das_run_of(L);
    struct das_json_weight weight;

    if (t.len > DAS_JSON_SIZE_MAX)
        return das_fail(err, DAS_E_DATA, "decode: %zu bytes, at most %zu are read", t.len,
                        DAS_JSON_SIZE_MAX);
    das_json_weigh(t, DAS_JSON_DEPTH_MAX, &weight);
    if (weight.deep_line)
        return das_fail(err, DAS_E_DATA, "decode: line %d: nests more than %d deep",
                        weight.deep_line, DAS_JSON_DEPTH_MAX);
    /* what Lua makes of it comes on top, and takes less than half as much */
    if (run->memory + weight.bytes + weight.bytes / 2 > run->limits.memory)
        return das_fail(err, DAS_E_DATA,
                        "decode: %zu bytes of JSON need more memory than the run may have", t.len);
    *bytes = weight.bytes;
    return 0;
}

/* [-0, +1] or, with err, [-0, +0]. */
static int decode(lua_State *L, struct das_err *err)
{
    struct das_text t;
    struct parsed *p;
    uint64_t bytes = 0;
    int line, arrays;

    t.ptr = das_check_bytes(L, 1, &t.len);
    lua_settop(L, 1);
    push_array_mt(L);
    arrays = lua_gettop(L);
    p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, PARSED_TYPE);
    if (weigh(L, t, &bytes, err) < 0)
        return -1;
    p->value = das_json_parse(t.ptr, t.len, &line, err);
    if (!p->value) {
        das_err_prefix(err, "decode: line %d", line);
        return -1;
    }
    p->bytes = bytes;
    das_run_of(L)->memory += bytes;
    push_value(L, p->value, arrays);
    let_go(L, p); // now, not when the collector comes by
    return 0;
}

int das_lua_json_decode(lua_State *L)
{
    struct das_err err;

    return decode(L, &err) < 0 ? das_push_failure(L, &err) : 1;
}

/* lua-cjson raises, and scripts written for it say pcall(cjson.decode, text). */
static int cjson_decode(lua_State *L)
{
    struct das_err err;

    return decode(L, &err) < 0 ? das_raise(L, "%s", err.msg) : 1;
}

/* --- the constants ---------------------------------------------------------------------------------- */

static int constant_tostring(lua_State *L)
{
    lua_pushstring(L, luaL_testudata(L, 1, DAS_JSON_NULL) ? "null" : "[]");
    return 1;
}

static int null_index(lua_State *L)
{
    return das_raise(L, "null (of JSON) has no field \"%s\"", luaL_tolstring(L, 2, NULL));
}

static int empty_index(lua_State *L)
{
    (void)L;
    return 0; // as of an empty table
}

static int empty_len(lua_State *L)
{
    lua_pushinteger(L, 0);
    return 1;
}

/* [-0, +1] */
static void push_constant(lua_State *L, const char *type, lua_CFunction index)
{
    static const luaL_Reg null_meta[] = {{"__tostring", constant_tostring}, {NULL, NULL}};
    static const luaL_Reg empty_meta[] = {
        {"__tostring", constant_tostring}, {"__len", empty_len}, {NULL, NULL},
    };

    das_class(L, type, index == null_index ? null_meta : empty_meta, NULL, index);
    lua_pop(L, 1);
    lua_newuserdatauv(L, 0, 0);
    luaL_setmetatable(L, type);
}

/* A table for scripts to use with setmetatable() [-0, +1]. */
static void push_mark(lua_State *L, const char *name)
{
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, name);
}

static void push_table(lua_State *L, lua_CFunction decode_function)
{
    lua_createtable(L, 0, 6);
    lua_pushcfunction(L, das_lua_json_encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, decode_function);
    lua_setfield(L, -2, "decode");
    lua_getfield(L, LUA_REGISTRYINDEX, DAS_JSON_NULL ".value");
    lua_setfield(L, -2, "null");
    lua_getfield(L, LUA_REGISTRYINDEX, DAS_JSON_EMPTY ".value");
    lua_setfield(L, -2, "empty_array");
    lua_getfield(L, LUA_REGISTRYINDEX, DAS_JSON_ARRAY_MT);
    lua_setfield(L, -2, "array_mt");
    lua_getfield(L, LUA_REGISTRYINDEX, DAS_JSON_EMPTY_ARRAY_MT);
    lua_setfield(L, -2, "empty_array_mt");
}

void das_open_json(lua_State *L)
{
    luaL_newmetatable(L, PARSED_TYPE);
    lua_pushcfunction(L, parsed_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    push_constant(L, DAS_JSON_NULL, null_index);
    lua_setfield(L, LUA_REGISTRYINDEX, DAS_JSON_NULL ".value");
    push_constant(L, DAS_JSON_EMPTY, empty_index);
    lua_setfield(L, LUA_REGISTRYINDEX, DAS_JSON_EMPTY ".value");
    push_mark(L, DAS_JSON_ARRAY_MT);
    push_mark(L, DAS_JSON_EMPTY_ARRAY_MT);
    lua_pop(L, 2);

    push_table(L, das_lua_json_decode);
    das_freeze(L, "das.json");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "json"); // das json
    das_provide(L, "cjson.safe");
    push_table(L, cjson_decode);
    das_freeze(L, "cjson");
    das_provide(L, "cjson");
}
