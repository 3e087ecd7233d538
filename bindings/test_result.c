/*
 * test_result.c - what t.run gives: a table of what a run did (see test_run.c). The prelude's test.lua
 * makes the result of it.
 */
#include "bindings/test_impl.h"

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void push_previews(lua_State *L, const struct das_seen *seen)
{
    lua_createtable(L, (int)seen->preview_count, 0);
    for (size_t i = 0; i < seen->preview_count; i++) {
        const struct das_seen_preview *p = &seen->previews[i];
        struct das_buf *b;
        lua_createtable(L, 0, 3);
        set_text(L, "instance", p->instance);
        b = das_scratch(L);
        das_filter_print(p->filter, b);
        das_push_buf(L, b);
        lua_setfield(L, -3, "filter");
        lua_pop(L, 1);
        lua_createtable(L, (int)p->count, 0);
        for (size_t k = 0; k < p->count; k++) {
            lua_pushinteger(L, p->ids[k]);
            lua_rawseti(L, -2, (lua_Integer)k + 1);
        }
        lua_setfield(L, -2, "ids");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

void das_test_push_victims(lua_State *L, const struct das_plan *plan)
{
    size_t n = das_plan_victims(plan);
    struct das_session s;

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        das_plan_victim(plan, i, &s);
        lua_pushinteger(L, s.id);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_plans(lua_State *L, const struct das_seen *seen)
{
    lua_createtable(L, (int)seen->plan_count, 0);
    for (size_t i = 0; i < seen->plan_count; i++) {
        const struct das_plan *p = seen->plans[i];
        lua_createtable(L, 0, 4);
        set_text(L, "instance", das_plan_instance(p));
        set_text(L, "reason", das_plan_reason(p));
        set_text(L, "kill", das_mode_name(das_plan_mode(p)));
        das_test_push_victims(L, p);
        lua_setfield(L, -2, "ids");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* In the order of the plans and of their victims. */
static void push_reports(lua_State *L, const struct das_seen *seen)
{
    lua_Integer n = 0;

    lua_newtable(L);
    for (size_t i = 0; i < seen->apply_count; i++) {
        for (size_t k = 0; k < seen->applies[i].count; k++) {
            const struct das_seen_outcome *o = &seen->applies[i].items[k];
            lua_createtable(L, 0, 5);
            lua_pushinteger(L, o->id);
            lua_setfield(L, -2, "id");
            set_text(L, "instance", das_plan_instance(seen->applies[i].plan));
            set_text(L, "outcome", das_outcome_name(o->kind));
            set_text(L, "action", o->action);
            set_text(L, "note", o->note ? o->note : "");
            lua_rawseti(L, -2, ++n);
        }
    }
}

/* In the order of sending. */
static void push_victims(lua_State *L, const struct das_engine_result *result)
{
    lua_Integer n = 0;

    lua_newtable(L);
    for (size_t i = 0; i < result->act_count; i++) {
        const struct das_act *a = &result->acts[i];
        if (a->order || (a->kind != DAS_O_KILLED && a->kind != DAS_O_KILLING))
            continue;
        lua_pushinteger(L, a->id);
        lua_rawseti(L, -2, ++n);
    }
}

struct step_list {
    lua_State *L;
    lua_Integer n;
};

/* In a protected call: an error of Lua would leave the walk in the middle. */
static int set_step(lua_State *L)
{
    const struct das_runbook_step *step = lua_touserdata(L, 2);

    lua_createtable(L, 0, 4);
    set_text(L, "name", step->name);
    set_text(L, "kind", das_step_kind_name(step->kind));
    set_text(L, "status", das_step_status_name(step->status));
    set_text(L, "error", *step->error ? step->error : NULL);
    lua_rawseti(L, 1, lua_tointeger(L, 3));
    return 0;
}

static int see_step(void *arg, const struct das_runbook_step *step)
{
    struct step_list *s = arg;
    lua_State *L = s->L;

    lua_pushcfunction(L, set_step);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, (void *)(uintptr_t)step);
    lua_pushinteger(L, ++s->n);
    return lua_pcall(L, 3, 0, 0) == LUA_OK ? 0 : 1;
}

/* Of a runbook, in the order in which they began. */
static void push_steps(lua_State *L, struct das_store *store, int64_t runbook)
{
    struct step_list s = {L, 0};
    struct das_err err;
    int rc = 0;

    lua_newtable(L);
    luaL_checkstack(L, 8, NULL);
    if (runbook)
        rc = das_step_each(store, runbook, see_step, &s, &err);
    if (rc > 0)
        lua_error(L);
    if (rc < 0)
        luaL_error(L, "%s", err.msg);
}

void das_test_push_result(lua_State *L, const struct das_test_outcome *o, struct das_store *store,
                          int64_t runbook)
{
    lua_createtable(L, 0, 12);
    lua_pushboolean(L, o->result.end == DAS_END_WAITING);
    lua_setfield(L, -2, "waiting");
    lua_pushboolean(L, o->rc == 0);
    lua_setfield(L, -2, "ok");
    if (o->rc < 0)
        set_text(L, "error", o->err.msg);
    if (o->result.limit)
        set_text(L, "limit", o->result.limit);
    if (o->result.refused[0])
        set_text(L, "refused", o->result.refused);
    das_push_buf(L, &o->out);
    lua_setfield(L, -2, "output");
    das_push_buf(L, &o->log);
    lua_setfield(L, -2, "log");
    das_push_buf(L, &o->told);
    lua_setfield(L, -2, "told");
    push_victims(L, &o->result);
    lua_setfield(L, -2, "victims");
    push_reports(L, &o->seen);
    lua_setfield(L, -2, "reports");
    push_previews(L, &o->seen);
    lua_setfield(L, -2, "previews");
    push_plans(L, &o->seen);
    lua_setfield(L, -2, "plans");
    push_steps(L, store, runbook);
    lua_setfield(L, -2, "steps");
}
