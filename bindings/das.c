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

void das_open_root(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"filter", lua_filter_new},
        {"preview", das_lua_preview},
        {"instance", das_lua_instance},
        {"instances", das_lua_instances},
        {"cloud", das_lua_cloud},
        {"protect", das_lua_protect},
        {"secret", das_lua_secret},
        {"notify", das_lua_notify},
        {"status", das_lua_status},
        {"history", das_lua_history},
        {"stop", das_lua_stop},
        {"runbook", das_lua_runbook},
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

    lua_pushcfunction(L, lua_print);
    lua_setglobal(L, "print");
}
