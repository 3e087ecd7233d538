/*
 * test_rules.c - the rules of one run of a test: what das.lua says for a script, read by the same
 * functions, with what a test needs where it says nothing.
 */
#include <string.h>

#include "bindings/config_impl.h"
#include "bindings/test_impl.h"
#include "core/base/mem.h"

void das_test_rules_init(struct das_test_rules *r)
{
    memset(r, 0, sizeof *r);
    r->script.limits = das_limits_default;
    r->script.policy = das_policy_rules_default;
    r->script.policy.mode = DAS_POLICY_AUTO;
    r->script.policy.mode_is_set = true;
    /* an instance of a test is small: one session of three is a third */
    r->script.policy.limits.percent = 100;
    das_protect_init(&r->protect);
    das_secrets_init(&r->secrets);
}

void das_test_rules_clear(struct das_test_rules *r)
{
    das_script_entry_clear(&r->script);
    das_protect_clear(&r->protect);
    das_secrets_clear(&r->secrets);
}

static void read_secrets(lua_State *L, int t, struct das_secrets *to)
{
    struct das_err err;

    if (lua_getfield(L, t, "secrets") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "config.secrets: expected a table such as { slack = \"made up\" }, got %s",
                   luaL_typename(L, -1));
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "config.secrets: expected names and their made up values");
        if (das_secrets_add(to, lua_tostring(L, -2), DAS_SECRET_GIVEN, lua_tostring(L, -1), &err) < 0)
            luaL_error(L, "config.%s", err.msg);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Without a list of its own a policy may do all that a test can answer for. */
static void default_grants(lua_State *L, struct das_test_rules *r)
{
    static const char *const names[] = {"preview",    "kill", "http", "notify",
                                        "instance:*", "stop"};
    const size_t fixed = sizeof names / sizeof *names, n = fixed + r->secrets.count;
    struct das_grants *g = &r->script.grants;
    struct das_buf name = {0};

    g->names = das_calloc(n, sizeof *g->names);
    for (size_t i = 0; g->names && i < n; i++) {
        das_buf_reset(&name);
        if (i < fixed)
            das_buf_str(&name, names[i]);
        else
            das_buf_printf(&name, "secret:%s", r->secrets.places[i - fixed].name);
        g->names[i] = name.failed ? NULL : das_strdup(name.ptr);
        if (!g->names[i])
            break;
        g->count++;
    }
    das_buf_clear(&name);
    if (g->count < n)
        luaL_error(L, "out of memory");
}

/* (config or nil, rules) */
static int read_config(lua_State *L)
{
    static const char *const allowed[] = {"limits", "grants", "mode", "kill", "protect", "secrets",
                                          DAS_CONFIG_POLICY_KEYS};
    struct das_test_rules *r = lua_touserdata(L, 2);
    struct das_script_entry *e = &r->script;

    if (!lua_isnil(L, 1)) {
        if (!lua_istable(L, 1))
            return luaL_error(L, "config: expected a table as scripts[...] in das.lua has, got %s",
                              luaL_typename(L, 1));
        das_config_keys(L, 1, "config", allowed, sizeof allowed / sizeof *allowed);
        if (lua_getfield(L, 1, "limits") != LUA_TNIL)
            das_config_limits(L, "config.limits", &e->limits);
        lua_settop(L, 2);
        if (lua_getfield(L, 1, "protect") != LUA_TNIL)
            das_config_protect(L, &r->protect);
        lua_settop(L, 2);
        das_config_mode(L, 1, "config.", &e->policy);
        das_config_kill(L, 1, "config.", &e->policy.limits);
        das_config_policy(L, 1, "config.", &e->policy);
        lua_settop(L, 2);
        read_secrets(L, 1, &r->secrets);
        das_config_grants(L, 1, "config", e);
    }
    if (!e->has_grants)
        default_grants(L, r);
    return 0;
}

void das_test_rules_read(lua_State *L, int config, struct das_test_rules *r)
{
    lua_pushcfunction(L, read_config);
    lua_pushvalue(L, config);
    lua_pushlightuserdata(L, r);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return;
    if (lua_type(L, -1) == LUA_TSTRING &&
        (strncmp(lua_tostring(L, -1), "config", 6) == 0 ||
         strncmp(lua_tostring(L, -1), "protect", 7) == 0))
        das_raise(L, "t.run: %s", lua_tostring(L, -1));
    lua_error(L);
}
