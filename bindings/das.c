/* das.c - the table `das` itself, and print(). */
#include "bindings/bind.h"

#include <string.h>

#include "core/base/version.h"

static int lua_filter_new(lua_State *L)
{
    if (das_box_test(L, 1, DAS_FILTER))
        return das_raise(L, "das.filter: expected a table of criteria, got a filter");
    das_check_filter(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* das.protect(filter): this run leaves such sessions alone. There is no way back. */
static int lua_protect(lua_State *L)
{
    struct das_filter *f = das_check_filter(L, 1);
    struct das_err err;

    if (das_protect_add(&das_run_of(L)->protect, f, &err) < 0)
        return das_raise(L, "%s", err.msg);
    return 0;
}

/* print(...): text to the run's output; a preview, plan or report in the format chosen by -o. */
static int lua_print(lua_State *L)
{
    FILE *out = das_run_of(L)->opts->out;
    int n = lua_gettop(L);
    bool newline = true;

    for (int i = 1; i <= n; i++) {
        struct das_buf *b = das_scratch(L);
        const char *text;
        size_t len;
        if (das_render_value(L, i, b)) { // ends its own line
            das_push_buf(L, b);
            text = lua_tolstring(L, -1, &len);
            newline = false;
        } else {
            text = luaL_tolstring(L, i, &len);
            newline = true;
            if (i > 1)
                fputc('\t', out);
        }
        das_run_count_output(L, len + 1);
        fwrite(text, 1, len, out);
        lua_settop(L, n);
    }
    if (newline)
        fputc('\n', out);
    if (ferror(out))
        return das_raise(L, "print: the output cannot be written");
    return 0;
}

/* `das` is an empty table in front of the real one (upvalue 1), so that nothing in it can be
 * replaced: a policy that sets das.preview by mistake hears of it. */
static int root_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    return das_no_field(L, "das", luaL_tolstring(L, 2, NULL), NULL, 0, lua_upvalueindex(1));
}

static int root_newindex(lua_State *L)
{
    return das_raise(L, "das is read-only: \"%s\" cannot be set", luaL_tolstring(L, 2, NULL));
}

static int root_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, lua_upvalueindex(1)) ? 2 : 0;
}

static int root_pairs(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, root_next, 1);
    lua_pushvalue(L, 1);
    return 2;
}

void das_open_root(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"filter", lua_filter_new},
        {"preview", das_lua_preview},
        {"instance", das_lua_instance},
        {"instances", das_lua_instances},
        {"protect", lua_protect},
        {NULL, NULL},
    };
    const struct das_engine_opts *opts = das_run_of(L)->opts;

    luaL_newlib(L, functions);
    lua_pushliteral(L, DAS_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushboolean(L, !opts->armed);
    lua_setfield(L, -2, "dry_run");
    lua_createtable(L, (int)opts->arg_count, 0);
    for (size_t i = 0; i < opts->arg_count; i++) {
        lua_pushstring(L, opts->args[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "args");

    lua_newtable(L);
    lua_insert(L, -2);          // das functions
    lua_createtable(L, 0, 4);   // das functions meta
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, root_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, root_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lua_pushcfunction(L, root_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -3);    // das functions
    lua_pop(L, 1);

    lua_pushcfunction(L, lua_print);
    lua_setglobal(L, "print");
}
