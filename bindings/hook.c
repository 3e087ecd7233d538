/*
 * hook.c - what the script of a hook is called with: one table that says who asks for what,
 * req.reply{...}, which answers there, and req.runbook(), which has a runbook begun.
 *
 * The table comes as JSON from who verified the request, and its values are plain ones: nothing in
 * it is code, and nothing of what somebody wrote is in a text that is.
 */
#include "bindings/bind.h"

#include <stdlib.h>
#include <string.h>

/* req.reply{ text =, sessions =, fields =, public = true } or req.reply("text"): true, or nil,
 * message, code. */
static int reply(lua_State *L)
{
    const struct das_engine_hook *hook = das_run_of(L)->opts->hook;
    bool open = false;
    struct das_notice *n;
    struct das_err err;

    lua_settop(L, 1);
    if (lua_istable(L, 1)) {
        if (lua_getfield(L, 1, "public") != LUA_TNIL && !lua_isboolean(L, -1))
            das_raise(L, "reply: public: expected true or false, got %s", luaL_typename(L, -1));
        open = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    n = das_read_reply(L, 1);
    if (!n->title.len && !n->text.len && !n->field_count && n->row_total <= 0)
        return das_raise(L, "reply: expected a text, or a table with title, text, fields or "
                            "sessions");
    if (!das_run_count_http(das_run_of(L), 1, 0)) {
        das_run_check(L);
        return das_raise(L, "reply: a limit of the run");
    }
    if (hook->reply(hook->arg, n, open, &err) < 0)
        return das_push_failure(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

/* --- runbooks --------------------------------------------------------------------------------- */

/* The path as it was meant: beside the script, or absolute; pushed. */
static const char *push_path(lua_State *L, const char *given)
{
    const char *script = das_run_of(L)->opts->path, *slash = strrchr(script, '/');
    char *real;

    if (*given == '/' || !slash)
        lua_pushstring(L, given);
    else
        lua_pushfstring(L, "%s/%s", lua_pushlstring(L, script, (size_t)(slash - script)), given);
    real = realpath(lua_tostring(L, -1), NULL); // the C library's memory: free()
    if (!real)
        das_raise(L, "runbook: there is no such script: %s", lua_tostring(L, -1));
    lua_pushstring(L, real);
    free(real);
    return lua_tostring(L, -1);
}

/* req.runbook(path, { instance =, params = { ... } }): true, or nil, message, code. */
static int runbook(lua_State *L)
{
    static const char *const allowed[] = {"instance", "params"};
    const struct das_engine_hook *hook = das_run_of(L)->opts->hook;
    const char *path, *instance;
    struct das_text params;
    struct das_err err;

    lua_settop(L, 2);
    path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    das_check_options(L, 2, "runbook", allowed, 2);
    das_need(L, "runbook");
    if (lua_getfield(L, 2, "instance") != LUA_TSTRING)
        das_raise(L, "runbook: instance: expected a name, got %s", luaL_typename(L, -1));
    instance = lua_tostring(L, -1);
    lua_pushcfunction(L, das_lua_instance); // may the run touch it?
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
    lua_pushcfunction(L, das_lua_json_encode);
    if (lua_getfield(L, 2, "params") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    if (!lua_istable(L, -1))
        das_raise(L, "runbook: params: expected a table, got %s", luaL_typename(L, -1));
    lua_call(L, 1, 1);
    params.ptr = luaL_checklstring(L, -1, &params.len);
    path = push_path(L, path);
    if (!hook->runbook)
        return das_raise(L, "runbook: none can be begun here");
    if (hook->runbook(hook->arg, path, instance, params, &err) < 0)
        return das_push_failure(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

void das_push_hook(lua_State *L, const struct das_engine_hook *hook)
{
    lua_pushcfunction(L, das_lua_json_decode);
    lua_pushlstring(L, hook->req.ptr, hook->req.len);
    lua_call(L, 1, 3); // the value, or nil and why not
    if (!lua_istable(L, -3))
        das_raise(L, "what the hook got cannot be read: %s", lua_tostring(L, -2));
    lua_pop(L, 2);
    lua_pushcfunction(L, reply);
    lua_setfield(L, -2, "reply");
    lua_pushcfunction(L, runbook);
    lua_setfield(L, -2, "runbook");
}
