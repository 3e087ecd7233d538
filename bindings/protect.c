/*
 * protect.c - das.protect(filter), and which rows of a selection nothing protects. What is protected
 * is decided in core/plan/protect.c, here as at the moment of a kill.
 */
#include "bindings/bind.h"

/* das.protect(filter): this run leaves such sessions alone. There is no way back. */
int das_lua_protect(lua_State *L)
{
    struct das_filter *f = das_check_filter(L, 1);
    struct das_err err;
    int held;

    lua_settop(L, 1);
    held = luaL_ref(L, LUA_REGISTRYINDEX); // its memory counts to the end of the run
    if (das_protect_add(&das_run_of(L)->protect, f, &err) < 0) {
        luaL_unref(L, LUA_REGISTRYINDEX, held);
        return das_raise(L, "%s", err.msg);
    }
    return 0;
}

/* Appends the places of the rows that nothing protects to the list at the top. */
static int collect(lua_State *L, const struct das_selection *sel, const struct das_roles *roles,
                   struct das_buf *reason, struct das_err *err)
{
    struct das_session s;
    lua_Integer n = 0;

    for (size_t i = 0; i < sel->count; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        das_buf_reset(reason);
        if (das_protected(&das_run_of(L)->protect, roles, sel->snap, &s, reason))
            continue;
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_rawseti(L, -2, ++n);
    }
    return das_buf_ok(reason, err);
}

static int roles_gc(lua_State *L)
{
    das_roles_clear(luaL_checkudata(L, 1, "das.roles"));
    return 0;
}

/* The places of a selection's rows that nothing protects; the prelude picks them. */
int das_selection_unprotected(lua_State *L)
{
    const struct das_selection *sel = das_box_check(L, 1, DAS_SELECTION)->object;
    struct das_roles *roles = lua_newuserdatauv(L, sizeof *roles, 0);
    struct das_buf *reason;
    struct das_err err;

    das_roles_init(roles);
    if (luaL_newmetatable(L, "das.roles")) {
        lua_pushcfunction(L, roles_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    reason = das_scratch(L);
    lua_newtable(L);
    if (das_roles_collect(sel->snap, roles, &err) < 0 || collect(L, sel, roles, reason, &err) < 0)
        return das_raise(L, "unprotected: %s", err.msg);
    return 1;
}
