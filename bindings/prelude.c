/*
 * prelude.c - puts `das` together: C primitives first, then the compiled-in Lua that makes them
 * pleasant (scripts/prelude/).
 */
#include "bindings/bind.h"

#include <string.h>

#include "bindings/embedded.h"

void das_load_embedded(lua_State *L, const char *name)
{
    const struct das_embedded *e = das_embedded;

    while (e->name && strcmp(e->name, name) != 0)
        e++;
    if (!e->name)
        luaL_error(L, "no prelude \"%s\"", name);
    /* its errors are reported at the script's own line, so it shall not look like a script */
    if (luaL_loadbufferx(L, e->code, e->size, "=prelude", "b") != LUA_OK)
        lua_error(L);
}

/* raise(message): an error at the innermost line of the script. */
static int prelude_raise(lua_State *L)
{
    return das_raise(L, "%s", luaL_checkstring(L, 1));
}

void das_open_prelude(lua_State *L)
{
    das_open_secret(L);
    lua_pop(L, 1);
    das_open_root(L);
    das_open_crypto(L);
    das_open_http(L);
    das_open_json(L);
    das_open_log(L);
    das_open_regex(L);
    das_open_time(L);
    das_open_runbook(L);
    das_open_step(L);
    das_load_embedded(L, "das");
    das_open_filter(L);
    lua_pop(L, 1);
    das_open_session(L);
    lua_pop(L, 1);
    das_open_account(L);
    lua_pop(L, 1);
    das_open_plan(L);
    lua_pop(L, 1);
    das_open_selection(L); // das prelude selection_methods
    das_open_instance(L);
    lua_pushcfunction(L, prelude_raise);
    lua_pushvalue(L, -5);
    lua_pushcfunction(L, das_retry_options);
    lua_call(L, 5, 0);
    das_freeze(L, "das");
    lua_setglobal(L, "das");
}
