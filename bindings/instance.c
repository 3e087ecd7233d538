/* instance.c - das.instance(name): one of the instances that this run may touch. */
#include "bindings/cloud_impl.h"

#include <string.h>

/* An instance value is its position in the run's inventory. */
static size_t check_instance(lua_State *L, int arg)
{
    return *(size_t *)luaL_checkudata(L, arg, DAS_INSTANCE);
}

void das_push_instance(lua_State *L, size_t position)
{
    size_t *p = lua_newuserdatauv(L, sizeof *p, 0);

    *p = position;
    luaL_setmetatable(L, DAS_INSTANCE);
}

static struct das_inventory *inventory(lua_State *L)
{
    return das_run_of(L)->opts->inventory;
}

/* By name, by a tag, or all of them; a run without a list of grants works on what was chosen. */
static bool may_touch(lua_State *L, size_t position)
{
    const char *const *tags;
    size_t n;

    if (!das_run_of(L)->opts->grants || das_may(L, "instance:*") ||
        das_may(L, "instance:%s", das_inventory_name(inventory(L), position)))
        return true;
    tags = das_inventory_tags(inventory(L), position, &n);
    for (size_t i = 0; i < n; i++) {
        if (das_may(L, "tag:%s", tags[i]))
            return true;
    }
    return false;
}

static void need_instance(lua_State *L, size_t position)
{
    if (!may_touch(L, position))
        das_raise(L, "not granted: instance:%s", das_inventory_name(inventory(L), position));
}

size_t das_check_instance(lua_State *L, int arg)
{
    size_t position = check_instance(L, arg);

    need_instance(L, position);
    return position;
}

int das_lua_instance(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct das_err err;
    int at = das_inventory_find(inventory(L), name, &err);

    if (at < 0)
        return das_raise(L, "%s", err.msg);
    need_instance(L, (size_t)at);
    das_push_instance(L, (size_t)at);
    return 1;
}

int das_lua_instances(lua_State *L)
{
    size_t n = das_inventory_count(inventory(L));

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        if (!may_touch(L, i))
            continue;
        das_push_instance(L, i);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    return 1;
}

int das_preview_options(lua_State *L)
{
    static const char *const allowed[] = {"instance", "pushdown", "exhaustive"};

    lua_settop(L, 1);
    das_check_options(L, 1, "preview", allowed, sizeof allowed / sizeof *allowed);
    for (size_t i = 1; lua_istable(L, 1) && i < sizeof allowed / sizeof *allowed; i++) {
        if (lua_getfield(L, 1, allowed[i]) != LUA_TNIL && !lua_isboolean(L, -1))
            return das_raise(L, "preview: %s: expected true or false, got %s", allowed[i],
                             luaL_typename(L, -1));
    }
    return 0;
}

static int preview_on(lua_State *L, size_t position)
{
    struct das_source *source;
    struct das_err err;

    lua_settop(L, 2);
    lua_pushcfunction(L, das_preview_options);
    lua_pushvalue(L, 2);
    lua_call(L, 1, 0);
    das_check_filter(L, 1);
    das_need(L, "preview");
    need_instance(L, position);
    source = das_inventory_open(inventory(L), position, &err);
    return source ? das_push_preview(L, 1, 2, source) : das_push_failure(L, &err);
}

/* instance:preview(filter, options) */
static int instance_preview(lua_State *L)
{
    size_t position = check_instance(L, 1);

    lua_remove(L, 1);
    return preview_on(L, position);
}

/* das.preview(filter, options): on options.instance, or on the only instance there is. */
int das_lua_preview(lua_State *L)
{
    struct das_err err;
    int at;

    if (lua_istable(L, 2) && lua_getfield(L, 2, "instance") != LUA_TNIL) {
        if (luaL_testudata(L, -1, DAS_INSTANCE)) {
            at = (int)check_instance(L, lua_gettop(L));
        } else if (lua_type(L, -1) == LUA_TSTRING) {
            at = das_inventory_find(inventory(L), lua_tostring(L, -1), &err);
        } else {
            return das_raise(L, "preview: instance: expected a name or an instance, got %s",
                             luaL_typename(L, -1));
        }
        return at < 0 ? das_raise(L, "%s", err.msg) : preview_on(L, (size_t)at);
    }
    switch (das_inventory_count(inventory(L))) {
    case 0:
        return das_raise(L, "no instance to look at: start with -i INSTANCE, or name instances in "
                            "das.lua");
    case 1:
        return preview_on(L, 0);
    default:
        return das_raise(L, "several instances: say which, as in das.instance(\"%s\"):preview{...}",
                         das_inventory_name(inventory(L), 0));
    }
}

static const char *const instance_names[] = {"name", "region", "project", "instance_id"};
#define NAMES (sizeof instance_names / sizeof *instance_names)

static int instance_fields(lua_State *L)
{
    return das_push_names(L, instance_names, NAMES);
}

/* Where it is at Huawei Cloud; nil elsewhere, and where its configuration does not say. */
static void push_place(lua_State *L, size_t position, const char *name)
{
    struct das_cloud_address a;
    const char *part = NULL;

    if (das_inventory_address(inventory(L), position, &a))
        part = strcmp(name, "region") == 0    ? a.region
               : strcmp(name, "project") == 0 ? a.project
                                              : a.instance;
    if (part && *part)
        lua_pushstring(L, part);
    else
        lua_pushnil(L);
}

static int instance_index(lua_State *L)
{
    size_t position = check_instance(L, 1);
    const char *name;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    name = luaL_checkstring(L, 2);
    for (size_t i = 1; i < NAMES; i++) {
        if (strcmp(name, instance_names[i]) != 0)
            continue;
        push_place(L, position, name);
        return 1;
    }
    if (strcmp(name, "name") != 0)
        return das_no_field(L, "an instance", name, instance_names, NAMES, lua_upvalueindex(1));
    lua_pushstring(L, das_inventory_name(inventory(L), position));
    return 1;
}

static int instance_tostring(lua_State *L)
{
    lua_pushstring(L, das_inventory_name(inventory(L), check_instance(L, 1)));
    return 1;
}

void das_open_instance(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__tostring", instance_tostring}, {"__fields", instance_fields}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"preview", instance_preview}, {NULL, NULL}};

    das_class(L, DAS_INSTANCE, meta, methods, instance_index);
    luaL_setfuncs(L, das_cloud_methods, 0);
    luaL_setfuncs(L, das_cloud_act_methods, 0);
}
