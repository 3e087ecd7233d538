/*
 * cloud_act.c - what a script has the cloud do to sessions by itself: kill tasks, their switch,
 * killing all.
 *
 * Nobody has previewed whom these hit, so they need the grant "cloud_kill", which no run has unless
 * the configuration gives it; what only stops killing needs "kill". Guards, journal and the sending
 * are core/plan/act.h's. Without --apply nothing is sent.
 */
#include "bindings/cloud_impl.h"

#include <string.h>

#include "core/plan/act.h"

#define WAIT_MS 30000

/* --- one order -------------------------------------------------------------------------------- */

struct job {
    struct das_target target;
    struct das_act_order order;
    struct das_act_result result;
    struct das_cloud_criteria criteria;
    char confirm[DAS_WORD_SIZE];
};

static void clear_job(void *held)
{
    das_act_result_clear(&((struct job *)held)->result);
}

static struct job *hold_job(lua_State *L)
{
    return das_hold(L, sizeof(struct job), clear_job);
}

/* Also in a dry run: it shall find out what the armed one would. */
static void need(lua_State *L, bool calms)
{
    das_need(L, "kill");
    if (!calms)
        das_need(L, "cloud_kill");
}

/* What did not happen, as a table: { dry_run = true, would_block = ..., sessions = ... } [-0, +1].
 */
static void push_dry_run(lua_State *L, const struct das_act_result *r)
{
    lua_createtable(L, 0, 3);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "dry_run");
    if (r->would_block[0]) {
        lua_pushstring(L, r->would_block);
        lua_setfield(L, -2, "would_block");
    }
    if (r->sessions != DAS_CLOUD_NOT_TOLD) {
        lua_pushinteger(L, r->sessions);
        lua_setfield(L, -2, "sessions");
    }
}

/* 0: it was done. Else the number of results: it failed, or was a dry run. */
static int act(lua_State *L, struct job *j)
{
    struct das_run *run = das_run_of(L);
    struct das_cloud_call call;
    struct das_err err;

    j->order.instance = j->target.name;
    j->order.cloud = j->target.cloud;
    j->order.place = j->target.place;
    das_run_acts(L, das_cloud_act_name(j->order.act), run->opts->armed, j->target.name);
    call = das_cloud_call_of(L);
    if (das_run_act(run, &j->order, &call, &j->result, &err) < 0) {
        if (err.code == DAS_E_USAGE && !call.status)
            das_err_prefix(&err, "%s", das_cloud_act_name(j->order.act));
        return das_cloud_failed(L, &j->target, &call, &err);
    }
    das_run_check(L);
    if (j->result.done)
        return 0;
    push_dry_run(L, &j->result);
    return 1;
}

/* The results of what was done: the value on top, and what else there is to know. */
static int done(lua_State *L, const struct job *j)
{
    if (!j->result.note[0])
        return 1;
    lua_pushstring(L, j->result.note);
    return 2;
}

/* --- create_kill_task ------------------------------------------------------------------------- */

/* The table at arg without its reason becomes the filter at arg; the reason is left on top
 * [-0, +1]. */
static const char *take_reason(lua_State *L, int arg)
{
    const char *reason = das_opt_text(L, arg, "create_kill_task", "reason");

    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pushvalue(L, -2); // new key value key
        lua_insert(L, -3);
        lua_rawset(L, -4); // new key
    }
    lua_pushnil(L);
    lua_setfield(L, -2, "reason");
    lua_replace(L, arg);
    return reason;
}

/* Borrows from the filter at arg. */
static void read_criteria(lua_State *L, int arg, struct das_act_order *order,
                          struct das_cloud_criteria *c)
{
    const struct das_filter *f = das_check_filter(L, arg);
    struct das_criterion unused;
    struct das_err err;

    if (das_act_criteria(f, c, &err) < 0)
        das_raise(L, "create_kill_task: %s", err.msg);
    order->criteria = c;
    order->all = das_filter_get(f, DAS_K_ALL, &unused);
}

static void read_task(lua_State *L, int arg, int options, struct das_act_order *order,
                      struct das_cloud_criteria *c)
{
    static const char *const allowed[] = {"reason"};

    das_check_options(L, options, "create_kill_task", allowed, 1);
    order->reason = das_opt_text(L, options, "create_kill_task", "reason");
    if (lua_istable(L, arg)) {
        const char *reason = take_reason(L, arg);
        order->reason = reason ? reason : order->reason;
    }
    read_criteria(L, arg, order, c);
}

static int task_options(lua_State *L)
{
    struct das_act_order order = {.act = DAS_ACT_CREATE_TASK};
    struct das_cloud_criteria c;

    lua_settop(L, 2);
    read_task(L, 1, 2, &order, &c);
    return 0;
}

/* instance:create_kill_task{ user = "app", time = 60, task_duration = "10m", reason = "..." } */
static int create_kill_task(lua_State *L)
{
    struct job *j;
    int rc;

    lua_settop(L, 3);
    j = hold_job(L);
    j->order.act = DAS_ACT_CREATE_TASK;
    read_task(L, 2, 3, &j->order, &j->criteria);
    need(L, false);
    rc = das_target_instance(L, 1, &j->target);
    if (rc || (rc = act(L, j)))
        return rc;
    if (j->result.task.list.count) {
        das_push_shape(L, j->result.task.list.shape, j->result.task.list.items);
        return done(L, j);
    }
    lua_pushboolean(L, 1);
    lua_pushliteral(L, "created; which of the tasks it is cannot be told: kill_tasks() lists them");
    return 2;
}

/* --- stop_kill_task --------------------------------------------------------------------------- */

static const char *read_reason(lua_State *L, int t, const char *what)
{
    static const char *const allowed[] = {"reason"};

    das_check_options(L, t, what, allowed, 1);
    return das_opt_text(L, t, what, "reason");
}

/* instance:stop_kill_task(task or id, { reason = ... }) */
static int stop_kill_task(lua_State *L)
{
    struct job *j;
    int rc;

    lua_settop(L, 3);
    j = hold_job(L);
    j->order.act = DAS_ACT_STOP_TASK;
    if (lua_istable(L, 2))
        lua_getfield(L, 2, "task_id");
    else
        lua_pushvalue(L, 2);
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1)
        return das_raise(L, "stop_kill_task: expected a task or its task_id, got %s",
                         lua_type(L, 2) == LUA_TNUMBER ? lua_tostring(L, 2) : luaL_typename(L, 2));
    j->order.task_id = lua_tointeger(L, -1);
    j->order.reason = read_reason(L, 3, "stop_kill_task");
    need(L, true);
    rc = das_target_instance(L, 1, &j->target);
    if (rc || (rc = act(L, j)))
        return rc;
    lua_pushboolean(L, 1);
    return done(L, j);
}

/* --- set_kill_task_switch --------------------------------------------------------------------- */

static int switch_options(lua_State *L)
{
    static const char *const allowed[] = {"wait", "reason"};
    int64_t ms = 0;

    das_check_options(L, 1, "set_kill_task_switch", allowed, 2);
    das_opt_ms(L, 1, "set_kill_task_switch", "wait", &ms);
    das_opt_text(L, 1, "set_kill_task_switch", "reason");
    return 0;
}

static bool read_switch(lua_State *L, int arg)
{
    const char *word = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";

    if (lua_isboolean(L, arg))
        return lua_toboolean(L, arg);
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
        das_raise(L, "set_kill_task_switch: expected true or \"on\", false or \"off\", got %s",
                  *word ? word : luaL_typename(L, arg));
    return strcmp(word, "on") == 0;
}

/* instance:set_kill_task_switch(true, { wait = "30s" }) -> what it is now */
static int set_kill_task_switch(lua_State *L)
{
    struct job *j;
    int rc;

    lua_settop(L, 3);
    lua_pushcfunction(L, switch_options);
    lua_pushvalue(L, 3);
    lua_call(L, 1, 0);
    j = hold_job(L);
    j->order.act = read_switch(L, 2) ? DAS_ACT_SWITCH_ON : DAS_ACT_SWITCH_OFF;
    j->order.wait_ms = WAIT_MS;
    das_opt_ms(L, 3, "set_kill_task_switch", "wait", &j->order.wait_ms);
    j->order.reason = das_opt_text(L, 3, "set_kill_task_switch", "reason");
    need(L, j->order.act == DAS_ACT_SWITCH_OFF);
    rc = das_target_instance(L, 1, &j->target);
    if (!rc)
        rc = act(L, j);
    if (rc)
        return rc;
    lua_pushstring(L, das_cloud_switch_name(j->result.now));
    return done(L, j);
}

/* --- kill_all_sessions ------------------------------------------------------------------------ */

static int kill_all_options(lua_State *L)
{
    static const char *const allowed[] = {"confirm", "reason"};
    char word[DAS_WORD_SIZE];

    das_check_options(L, 1, "kill_all_sessions", allowed, 2);
    das_opt_word(L, 1, "kill_all_sessions", "confirm", word);
    das_opt_text(L, 1, "kill_all_sessions", "reason");
    return 0;
}

/* instance:kill_all_sessions{ confirm = INSTANCE_ID, reason = ... } */
static int kill_all_sessions(lua_State *L)
{
    struct job *j;
    int rc;

    lua_settop(L, 2);
    lua_pushcfunction(L, kill_all_options);
    lua_pushvalue(L, 2);
    lua_call(L, 1, 0);
    j = hold_job(L);
    j->order.act = DAS_ACT_KILL_ALL;
    j->order.confirm = das_opt_word(L, 2, "kill_all_sessions", "confirm", j->confirm);
    j->order.reason = das_opt_text(L, 2, "kill_all_sessions", "reason");
    need(L, false);
    rc = das_target_instance(L, 1, &j->target);
    if (rc || (rc = act(L, j)))
        return rc;
    lua_createtable(L, 0, 2);
    if (j->result.sessions != DAS_CLOUD_NOT_TOLD) {
        lua_pushinteger(L, j->result.sessions);
        lua_setfield(L, -2, "sessions");
    }
    return done(L, j);
}

const luaL_Reg das_cloud_act_methods[] = {
    {"create_kill_task", create_kill_task},
    {"stop_kill_task", stop_kill_task},
    {"set_kill_task_switch", set_kill_task_switch},
    {"kill_all_sessions", kill_all_sessions},
    {NULL, NULL},
};

const luaL_Reg das_cloud_act_option_checks[] = {
    {"create_kill_task", task_options},
    {"set_kill_task_switch", switch_options},
    {"kill_all_sessions", kill_all_options},
    {NULL, NULL},
};
