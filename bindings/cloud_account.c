/*
 * cloud_account.c - das.cloud{...}: an account at Huawei Cloud, for finding out which instances
 * there are. A run that works on what it finds has no -i, which would have said where it ends.
 */
#include "bindings/cloud_impl.h"

#include <string.h>

#include "core/cloud/endpoint.h"
#include "core/cloud/iam.h"

#define PAGE 200
#define DEFAULT "default"

/* The cloud belongs to the run's inventory. */
struct account {
    struct das_cloud *cloud;
    char name[DAS_WORD_SIZE]; /* as in the configuration; "": the default */
    char region[64], project[DAS_PROJECT_SIZE];
};

static struct account *check_account(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, DAS_ACCOUNT);
}

static struct das_target target_of(const struct account *a)
{
    return (struct das_target){.name = das_cloud_name(a->cloud),
                               .cloud = a->cloud,
                               .place = {.region = a->region, .project = a->project}};
}

/* --- das.cloud -------------------------------------------------------------------------------- */

static void copy(lua_State *L, const char *key, const char *from, char *to, size_t size)
{
    if (strlen(from) >= size)
        das_raise(L, "cloud: %s: expected at most %d bytes", key, (int)size - 1);
    memcpy(to, from, strlen(from) + 1);
}

static void read_account(lua_State *L, int t, struct account *a)
{
    static const char *const allowed[] = {"cloud", "region", "project"};
    char word[DAS_WORD_SIZE];

    das_check_options(L, t, "cloud", allowed, sizeof allowed / sizeof *allowed);
    a->name[0] = a->region[0] = a->project[0] = '\0';
    das_opt_word(L, t, "cloud", "cloud", a->name);
    if (das_opt_word(L, t, "cloud", "region", word))
        copy(L, "region", word, a->region, sizeof a->region);
    if (das_opt_word(L, t, "cloud", "project", word))
        copy(L, "project", word, a->project, sizeof a->project);
}

int das_cloud_account_options(lua_State *L)
{
    struct account a;

    read_account(L, 1, &a);
    return 0;
}

static void need_account(lua_State *L, const char *name)
{
    if (das_run_of(L)->opts->grants && !das_may(L, "cloud:*"))
        das_need(L, "cloud:%s", name);
}

static void check_place(lua_State *L, const struct account *a)
{
    struct das_err err;

    if (!a->region[0])
        das_raise(L, "cloud: region: expected one like \"cn-north-4\", got nothing");
    if (das_region_check(a->region, &err) < 0)
        das_raise(L, "cloud: %s", err.msg);
    if (a->project[0] && !das_project_valid(a->project))
        das_raise(L, "cloud: project: expected up to 64 letters and digits, got \"%s\"",
                  a->project);
}

/* das.cloud{ cloud = "prod", region = "cn-north-4", project = ID } */
int das_lua_cloud(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    struct account *a;
    struct das_cloud_call call;
    struct das_target t;
    struct das_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    a = lua_newuserdatauv(L, sizeof *a, 0);
    memset(a, 0, sizeof *a);
    read_account(L, 1, a);
    check_place(L, a);
    need_account(L, a->name[0] ? a->name : DEFAULT);
    if (das_in_process(run)) { // or a replay would find, and kill, what is there now
        das_fail(&err, DAS_E_UNSUPPORTED, "cloud: there is none in a test, a replay or das explain");
        return das_push_world_failure(L, &err);
    }
    a->cloud = das_inventory_cloud(run->opts->inventory, a->name[0] ? a->name : NULL, &err);
    if (!a->cloud && a->name[0])
        return das_raise(L, "%s", err.msg);
    if (!a->cloud)
        return das_push_world_failure(L, &err);
    if (!a->project[0]) { /* an instance's name has it */
        t = target_of(a);
        call = das_cloud_call_of(L);
        if (das_credential_project(das_cloud_credential(a->cloud), a->region, &call.patience,
                                   a->project, &err) < 0)
            return das_cloud_failed(L, &t, &call, &err);
        das_run_check(L);
    }
    luaL_setmetatable(L, DAS_ACCOUNT);
    return 1;
}

/* --- methods ---------------------------------------------------------------------------------- */

static int fetch_instances(const struct das_pages *p, struct das_cloud_call *call,
                           struct das_cloud_answer *out, struct das_err *err)
{
    return das_cloud_instances(p->target.cloud, &p->target.place, p->ask.datastore_type,
                               (p->page - 1) * PAGE, PAGE, call, out, err);
}

static bool same_instance(const void *one, const void *other)
{
    const struct das_cloud_instance *a = one, *b = other;

    return das_text_eq(a->instance_id, b->instance_id);
}

/* The instance itself, as one of the run's; with -i those are given. */
static void add_instance(lua_State *L, const struct das_pages *p, const void *item)
{
    struct das_inventory *inv = das_run_of(L)->opts->inventory;
    const struct account *a = check_account(L, 1);
    const struct das_cloud_instance *found = item;
    struct das_cloud_place place = p->target.place;
    char id[40];
    struct das_err err;
    int position;

    if (das_inventory_chosen(inv) || !found->instance_id.len || found->instance_id.len >= sizeof id)
        return;
    memcpy(id, found->instance_id.ptr, found->instance_id.len);
    id[found->instance_id.len] = '\0';
    place.instance = id;
    position = das_inventory_add_place(inv, a->name[0] ? a->name : NULL, &place, &err);
    if (position < 0)
        das_raise(L, "%s", err.msg);
    das_push_instance(L, (size_t)position);
    lua_setfield(L, -2, "instance");
}

/* account:instances{ datastore_type = "MySQL" } */
static int account_instances(lua_State *L)
{
    const struct account *a = check_account(L, 1);
    struct das_pages *p;

    lua_settop(L, 2);
    p = das_pages_hold(L);
    das_opt_type(L, 2, "instances", p->words[0]);
    p->target = target_of(a);
    p->ask.datastore_type = p->words[0];
    p->fetch = fetch_instances;
    p->same = same_instance;
    p->per_page = PAGE;
    return das_pages_all(L, p, add_instance);
}

static void clear_answer(void *held)
{
    das_cloud_answer_clear(held);
}

/* account:nodes(instance_id, { datastore_type = "MySQL" }) */
static int account_nodes(lua_State *L)
{
    const struct account *a = check_account(L, 1);
    struct das_target t = target_of(a);
    struct das_cloud_answer *answer;
    struct das_cloud_call call;
    char type[DAS_WORD_SIZE];
    struct das_err err;

    luaL_checktype(L, 2, LUA_TSTRING);
    lua_settop(L, 3);
    das_opt_type(L, 3, "nodes", type);
    t.place.instance = lua_tostring(L, 2);
    answer = das_hold(L, sizeof *answer, clear_answer);
    call = das_cloud_call_of(L);
    if (das_cloud_nodes(t.cloud, &t.place, type, &call, answer, &err) < 0)
        return das_cloud_failed(L, &t, &call, &err);
    das_run_check(L);
    das_push_shapes(L, &answer->list);
    return 1;
}

/* --- the value -------------------------------------------------------------------------------- */

static const char *const names[] = {"name", "region", "project"};

static int account_fields(lua_State *L)
{
    return das_push_names(L, names, sizeof names / sizeof *names);
}

static int account_index(lua_State *L)
{
    const struct account *a = check_account(L, 1);
    const char *name;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    name = luaL_checkstring(L, 2);
    if (strcmp(name, "name") == 0)
        lua_pushstring(L, a->name[0] ? a->name : DEFAULT);
    else if (strcmp(name, "region") == 0)
        lua_pushstring(L, a->region);
    else if (strcmp(name, "project") == 0)
        lua_pushstring(L, a->project);
    else
        return das_no_field(L, "an account", name, names, sizeof names / sizeof *names,
                            lua_upvalueindex(1));
    return 1;
}

static int account_tostring(lua_State *L)
{
    const struct account *a = check_account(L, 1);

    lua_pushfstring(L, "%s at %s", a->name[0] ? a->name : DEFAULT, a->region);
    return 1;
}

void das_open_account(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__tostring", account_tostring},
        {"__fields", account_fields},
        {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"instances", account_instances},
        {"nodes", account_nodes},
        {NULL, NULL},
    };

    das_class(L, DAS_ACCOUNT, meta, methods, account_index);
}
