/*
 * tool_state.c - Lua states for das's own tools (das check, das import-pt-kill): as a script's, but
 * without instances, and with room to work.
 */
#include "bindings/bind.h"

#define NAMES_MAX 4096

int das_tool_nearest(lua_State *L)
{
    const char *word = luaL_checkstring(L, 1), *near;
    const char **names;
    lua_Unsigned n = lua_rawlen(L, 2);

    if (n > NAMES_MAX)
        n = NAMES_MAX;
    lua_settop(L, 2);
    names = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *names, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        names[i] = luaL_checkstring(L, -1); // the list keeps it
        lua_pop(L, 1);
    }
    near = das_nearest(word, names, (size_t)n);
    if (near)
        lua_pushstring(L, near);
    else
        lua_pushnil(L);
    return 1;
}

int das_tool_run(lua_CFunction f, void *job, const char *name, struct das_err *err)
{
    struct das_limits limits = das_limits_default;
    struct das_engine_opts opts = {.path = name, .out = stdout, .limits = &limits};
    struct das_run run;
    lua_State *L;
    int rc = 0;

    limits.memory = (uint64_t)1 << 30; /* a tree takes some 100 times its text */
    limits.wall_ms = 60000;
    limits.cpu_ms = INT64_MAX; /* of the whole thread: one limit is enough */
    opts.inventory = das_inventory_new(err);
    if (!opts.inventory)
        return -1;
    if (das_run_init(&run, &opts, err) < 0) {
        rc = -1;
        goto done;
    }
    L = das_state_new(&run);
    if (!L) {
        rc = das_fail(err, DAS_E_NOMEM, "not enough memory for a Lua state");
        goto done;
    }
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, job);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        rc = das_fail(err, DAS_E_SCRIPT, "%s", luaL_tolstring(L, -1, NULL));
    run.closing = true;
    lua_close(L);
done:
    das_run_clear(&run);
    das_inventory_free(opts.inventory);
    return rc;
}
