/*
 * plan.c - selection:plan{...}, plan:apply(), and the report.
 *
 * Whether apply kills is a property of the run, set before the script started; nothing here takes
 * it from Lua.
 */
#include "bindings/bind.h"

#include <string.h>

#include "core/base/json.h"

/* --- making ---------------------------------------------------------------------------------- */

static enum das_kill_mode check_mode(lua_State *L, int options)
{
    int mode = DAS_MODE_AUTO;

    if (lua_getfield(L, options, "kill") != LUA_TNIL) {
        mode = lua_type(L, -1) == LUA_TSTRING ? das_mode_find(lua_tostring(L, -1)) : -1;
        if (mode < 0)
            das_raise(L, "plan: kill: expected \"auto\", \"query\", \"connection\" or \"soft\", "
                         "got %s",
                      luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
    return (enum das_kill_mode)mode;
}

static int64_t check_ttl(lua_State *L, int options)
{
    struct das_text t;
    int64_t seconds = 0;
    int is_int = 1;

    switch (lua_getfield(L, options, "ttl")) {
    case LUA_TNIL:
        lua_pop(L, 1);
        return 0; /* the default */
    case LUA_TNUMBER:
        seconds = lua_tointegerx(L, -1, &is_int);
        break;
    case LUA_TSTRING:
        t.ptr = lua_tolstring(L, -1, &t.len);
        is_int = das_parse_duration(t, &seconds);
        break;
    default:
        is_int = 0;
    }
    if (!is_int || seconds < 1 || seconds > DAS_PLAN_TTL_MAX)
        das_raise(L, "plan: ttl: expected 1 to %d seconds or a duration such as \"5m\", got %s",
                  DAS_PLAN_TTL_MAX, luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
    return seconds;
}

/* Milliseconds; 0: no escalation. */
static int64_t check_escalate(lua_State *L, int options)
{
    int64_t ms = -1;
    struct das_text t;
    double v;

    switch (lua_getfield(L, options, "escalate")) {
    case LUA_TNIL:
        lua_pop(L, 1);
        return 0;
    case LUA_TNUMBER:
        v = lua_tonumber(L, -1);
        if (v > 0 && v <= DAS_PLAN_ESCALATE_MAX / 1000)
            ms = (int64_t)(v * 1000 + 0.5);
        break;
    case LUA_TSTRING:
        t.ptr = lua_tolstring(L, -1, &t.len);
        if (!das_parse_duration_ms(t, &ms))
            ms = -1;
        break;
    default:
        break;
    }
    if (ms < 1 || ms > DAS_PLAN_ESCALATE_MAX)
        das_raise(L, "plan: escalate: expected up to %d seconds or a duration such as \"10s\", "
                     "got %s",
                  DAS_PLAN_ESCALATE_MAX / 1000, luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
    return ms;
}

/* A filter or a table of criteria as a filter box, or nil [-0, +1]. */
static struct das_filter *check_symptom(lua_State *L, int options)
{
    switch (lua_getfield(L, options, "symptom")) {
    case LUA_TNIL:
        return NULL;
    case LUA_TTABLE:
    case LUA_TUSERDATA:
        return das_check_filter(L, lua_gettop(L));
    default:
        das_raise(L, "plan: symptom: expected a filter or a table of criteria, got %s",
                  luaL_typename(L, -1));
    }
}

/* The options at arg; reason is a string of the state and symptom the filter of a box, both left on
 * the stack, in this order [-0, +2]. */
static void check_plan_options(lua_State *L, int arg, struct das_plan_opts *opts)
{
    static const char *const allowed[] = {"kill",     "reason",  "ttl",
                                          "escalate", "symptom", "trust_source"};

    das_check_options(L, arg, "plan", allowed, sizeof allowed / sizeof *allowed);
    if (!lua_istable(L, arg)) {
        lua_pushnil(L);
        lua_pushnil(L);
        return;
    }
    opts->mode = check_mode(L, arg);
    opts->ttl_s = check_ttl(L, arg);
    if (lua_getfield(L, arg, "trust_source") != LUA_TNIL && !lua_isboolean(L, -1))
        das_raise(L, "plan: trust_source: expected true or false, got %s", luaL_typename(L, -1));
    opts->trust_source = lua_toboolean(L, -1);
    lua_pop(L, 1);
    opts->escalate_ms = check_escalate(L, arg);
    if (opts->escalate_ms && opts->mode == DAS_MODE_CONNECTION)
        das_raise(L, "plan: escalate: expected kill to be query, soft or auto, got connection: "
                     "there is nothing beyond it");
    if (lua_getfield(L, arg, "reason") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING)
            das_raise(L, "plan: reason: expected a string, got %s", luaL_typename(L, -1));
        opts->reason = lua_tostring(L, -1);
        if (strlen(opts->reason) != lua_rawlen(L, -1))
            das_raise(L, "plan: reason: expected text without NUL bytes");
    }
    opts->symptom = check_symptom(L, arg);
}

int das_plan_options(lua_State *L)
{
    struct das_plan_opts opts = {0};

    check_plan_options(L, 1, &opts);
    return 0;
}

/* An estimate from above: a plan's inside is not seen from here. */
static size_t plan_bytes(const struct das_plan *p)
{
    const struct das_asked *a = das_plan_asked(p);
    const char *const asked[] = {a->user, a->script, a->script_sha256, a->hook, a->task};
    size_t bytes = 0;

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        bytes += asked[i] ? strlen(asked[i]) + 1 : 0;
    return 1024 + bytes + das_plan_victims(p) * (sizeof(uint32_t) + sizeof(uint64_t)) +
           strlen(das_plan_reason(p)) + strlen(das_plan_instance(p));
}

int das_selection_plan(lua_State *L)
{
    struct das_box *self = das_box_check(L, 1, DAS_SELECTION), *box;
    struct das_plan_opts opts = {.asked = das_run_asked(das_run_of(L)),
                                 .limits = das_run_kill_limits(das_run_of(L))};
    struct das_err err;

    lua_settop(L, 2);
    check_plan_options(L, 2, &opts); // 3: the reason stays until the plan has a copy; 4: symptom
    box = das_box_push(L, DAS_PLAN);
    box->source = self->source;
    box->object = das_plan_new(self->object, das_source_name(self->source), &opts, &err);
    if (!box->object)
        return das_push_failure(L, &err);
    lua_getiuservalue(L, 1, 1); // the filter
    lua_setiuservalue(L, -2, 1);
    das_box_hold(L, 4, 2);
    das_box_charge(L, box, plan_bytes(box->object));
    das_run_tell_planned(das_run_of(L), box->object);
    return 1;
}

/* --- the plan -------------------------------------------------------------------------------- */

/* A runbook's step may have acted from here on. */
static void announce(lua_State *L, const struct das_plan *p)
{
    char text[200];

    snprintf(text, sizeof text, "plan %.16s: %zu on %.100s", das_plan_hash(p), das_plan_victims(p),
             das_plan_instance(p));
    das_run_acts(L, "plan:apply", das_run_of(L)->opts->armed, text);
}

static int plan_apply(lua_State *L)
{
    struct das_box *self = das_box_check(L, 1, DAS_PLAN), *box;
    struct das_run *run = das_run_of(L);
    struct das_report *report = NULL;
    struct das_err err;

    das_need(L, "kill"); // in a dry run too: it shall find out what the armed one would
    announce(L, self->object);
    fflush(run->opts->out);
    box = das_box_push(L, DAS_REPORT);
    if (das_run_apply(run, self->object, self->source, &report, &err) < 0) {
        das_run_check(L);
        return das_push_world_failure(L, &err);
    }
    box->object = report;
    das_run_note_report(run, report);
    das_run_check(L);
    return 1;
}

#define NOTE_BYTES 200

/* plan:apply(). The report's memory is made sure of before anything is killed: after that there is
 * nothing better to do with it than to return it. */
static int apply_charged(lua_State *L)
{
    const struct das_plan *p = das_box_check(L, 1, DAS_PLAN)->object;
    const struct das_report *r;
    struct das_box *box;
    int results;
    size_t bytes;

    lua_settop(L, 1);
    das_need_memory(L, sizeof *r + das_plan_victims(p) * (sizeof *r->items + NOTE_BYTES));
    results = plan_apply(L);
    if (results != 1)
        return results;
    box = das_box_check(L, -1, DAS_REPORT);
    das_box_hold(L, 1, 1);
    r = box->object;
    bytes = sizeof *r + r->count * sizeof *r->items;
    for (size_t i = 0; i < r->count; i++)
        bytes += r->items[i].note ? strlen(r->items[i].note) + 1 : 0;
    das_box_charge(L, box, bytes);
    return 1;
}

static void push_victims(lua_State *L, const struct das_plan *p)
{
    struct das_session s;

    lua_createtable(L, (int)das_plan_victims(p), 0);
    for (size_t i = 0; i < das_plan_victims(p); i++) {
        das_plan_victim(p, i, &s);
        lua_pushinteger(L, s.id);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* Whole seconds are an integer; 0 is nil. */
static void push_seconds(lua_State *L, int64_t ms)
{
    if (ms == 0)
        lua_pushnil(L);
    else if (ms % 1000 == 0)
        lua_pushinteger(L, ms / 1000);
    else
        lua_pushnumber(L, (double)ms / 1000);
}

/* What is not known is not there. */
static void push_asked(lua_State *L, const struct das_asked *a)
{
    lua_createtable(L, 0, 5);
    lua_pushstring(L, a->user);
    lua_setfield(L, -2, "user");
    lua_pushstring(L, a->script);
    lua_setfield(L, -2, "script");
    lua_pushstring(L, a->script_sha256);
    lua_setfield(L, -2, "script_sha256");
    lua_pushstring(L, a->hook);
    lua_setfield(L, -2, "hook");
    lua_pushstring(L, a->task);
    lua_setfield(L, -2, "task");
}

static const char *const plan_names[] = {
    "ids",        "count",    "kill",     "escalate", "reason",  "symptom",  "filter",
    "created_at", "instance", "asked_by", "hash",     "expires_at", "left_out",
};

static int plan_fields(lua_State *L)
{
    return das_push_names(L, plan_names, sizeof plan_names / sizeof *plan_names);
}

static int plan_index(lua_State *L)
{
    const struct das_plan *p = das_box_check(L, 1, DAS_PLAN)->object;
    const char *name;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    name = luaL_checkstring(L, 2);
    if (strcmp(name, "ids") == 0)
        push_victims(L, p);
    else if (strcmp(name, "count") == 0)
        lua_pushinteger(L, (lua_Integer)das_plan_victims(p));
    else if (strcmp(name, "kill") == 0)
        lua_pushstring(L, das_mode_name(das_plan_mode(p)));
    else if (strcmp(name, "reason") == 0)
        lua_pushstring(L, das_plan_reason(p));
    else if (strcmp(name, "escalate") == 0)
        push_seconds(L, das_plan_escalate_ms(p));
    else if (strcmp(name, "filter") == 0)
        lua_getiuservalue(L, 1, 1);
    else if (strcmp(name, "symptom") == 0)
        lua_getiuservalue(L, 1, 2);
    else if (strcmp(name, "asked_by") == 0)
        push_asked(L, das_plan_asked(p));
    else if (strcmp(name, "hash") == 0)
        lua_pushstring(L, das_plan_hash(p));
    else if (strcmp(name, "created_at") == 0)
        lua_pushinteger(L, das_plan_created_ms(p) / 1000);
    else if (strcmp(name, "expires_at") == 0)
        lua_pushinteger(L, das_plan_expires_ms(p) / 1000);
    else if (strcmp(name, "instance") == 0)
        lua_pushstring(L, das_plan_instance(p));
    else if (strcmp(name, "left_out") == 0)
        lua_pushinteger(L, (lua_Integer)das_plan_left_out(p));
    else
        return das_no_field(L, "a plan", name, plan_names, sizeof plan_names / sizeof *plan_names,
                            lua_upvalueindex(1));
    return 1;
}

static int plan_len(lua_State *L)
{
    const struct das_plan *p = das_box_check(L, 1, DAS_PLAN)->object;

    lua_pushinteger(L, (lua_Integer)das_plan_victims(p));
    return 1;
}

/* Text without its last newline: print() adds one. */
static int push_lines(lua_State *L, struct das_buf *b)
{
    if (b->len && b->ptr[b->len - 1] == '\n')
        b->len--;
    das_push_buf(L, b);
    return 1;
}

static int plan_tostring(lua_State *L)
{
    const struct das_plan *p = das_box_check(L, 1, DAS_PLAN)->object;
    struct das_buf *b = das_scratch(L);

    das_plan_print(p, das_run_of(L)->opts->width, b);
    return push_lines(L, b);
}

static int plan_gc(lua_State *L)
{
    struct das_box *box = luaL_checkudata(L, 1, DAS_PLAN);

    das_plan_release(box->object);
    das_box_empty(L, box);
    return 0;
}

/* --- the report ------------------------------------------------------------------------------ */

static void push_outcomes(lua_State *L, const struct das_report *r)
{
    struct das_session s;

    lua_createtable(L, (int)r->count, 0);
    for (size_t i = 0; i < r->count; i++) {
        const struct das_outcome *o = &r->items[i];
        das_plan_victim(r->plan, i, &s);
        lua_createtable(L, 0, 8);
        lua_pushinteger(L, s.id);
        lua_setfield(L, -2, "id");
        lua_pushstring(L, das_outcome_name(o->kind));
        lua_setfield(L, -2, "outcome");
        lua_pushstring(L, o->action);
        lua_setfield(L, -2, "action");
        lua_pushstring(L, o->note ? o->note : "");
        lua_setfield(L, -2, "note");
        das_push_text(L, s.user);
        lua_setfield(L, -2, "user");
        das_push_number(L, o->after_ms);
        lua_setfield(L, -2, "after_ms");
        das_push_number(L, o->rows_left);
        lua_setfield(L, -2, "rows_left");
        das_push_number(L, o->look_age_ms);
        lua_setfield(L, -2, "look_age_ms");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* The number of an outcome by its name; "would_kill" counts what a dry run would have killed,
 * because dry_run itself says whether it was one. */
static int outcome_by_name(const char *name)
{
    if (strcmp(name, "would_kill") == 0)
        return DAS_O_DRY_RUN;
    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (k != DAS_O_DRY_RUN && strcmp(name, das_outcome_name((enum das_outcome_kind)k)) == 0)
            return k;
    }
    return -1;
}

static const char *const report_names[] = {
    "outcomes", "dry_run",   "count",   "would_kill", "killed",  "killing",   "gone",
    "changed",  "protected", "refused", "failed",     "unknown", "respawned", "would_block",
    "kill_window",
};

static int report_fields(lua_State *L)
{
    return das_push_names(L, report_names, sizeof report_names / sizeof *report_names);
}

static int report_index(lua_State *L)
{
    const struct das_report *r = das_box_check(L, 1, DAS_REPORT)->object;
    const char *name = luaL_checkstring(L, 2);
    int kind = outcome_by_name(name);

    if (kind >= 0)
        lua_pushinteger(L, (lua_Integer)r->totals[kind]);
    else if (strcmp(name, "outcomes") == 0)
        push_outcomes(L, r);
    else if (strcmp(name, "dry_run") == 0)
        lua_pushboolean(L, !r->armed);
    else if (strcmp(name, "count") == 0)
        lua_pushinteger(L, (lua_Integer)r->count);
    else if (strcmp(name, "respawned") == 0)
        lua_pushinteger(L, (lua_Integer)r->respawned);
    else if (strcmp(name, "would_block") == 0)
        lua_pushstring(L, r->would_block); // nil for NULL
    else if (strcmp(name, "kill_window") == 0)
        lua_pushstring(L, r->kill_window);
    else
        return das_no_field(L, "a report", name, report_names,
                            sizeof report_names / sizeof *report_names, 0);
    return 1;
}

static int report_tostring(lua_State *L)
{
    const struct das_report *r = das_box_check(L, 1, DAS_REPORT)->object;
    struct das_buf *b = das_scratch(L);

    das_report_print(r, das_run_of(L)->opts->width, b);
    return push_lines(L, b);
}

static int report_gc(lua_State *L)
{
    struct das_box *box = luaL_checkudata(L, 1, DAS_REPORT);

    das_report_free(box->object);
    das_box_empty(L, box);
    return 0;
}

bool das_render_value(lua_State *L, int arg, struct das_buf *b)
{
    const struct das_engine_opts *opts = das_run_of(L)->opts;
    struct das_box *box;

    if (opts->output == DAS_OUT_TABLE)
        return false; // tostring() says it
    if ((box = das_box_test(L, arg, DAS_SELECTION))) {
        das_render_preview(box->object, das_source_name(box->source), opts->output, opts->width,
                           NULL, b);
        return true;
    }
    if (opts->output != DAS_OUT_JSON)
        return false;
    if ((box = das_box_test(L, arg, DAS_PLAN)))
        das_plan_write(box->object, b); // its line of a file: das plan show reads it
    else if ((box = das_box_test(L, arg, DAS_REPORT)))
        das_report_json(box->object, b);
    else
        return false;
    if (!b->failed && b->ptr[b->len - 1] != '\n')
        das_buf_char(b, '\n');
    return true;
}

void das_open_plan(lua_State *L)
{
    static const luaL_Reg report_meta[] = {
        {"__tostring", report_tostring},
        {"__gc", report_gc},
        {"__fields", report_fields},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {
        {"__len", plan_len}, {"__tostring", plan_tostring},
        {"__gc", plan_gc},   {"__fields", plan_fields},
        {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"apply", apply_charged},
                                       {"request_approval", das_plan_request_approval},
                                       {NULL, NULL}};

    das_open_approval(L);
    das_class(L, DAS_REPORT, report_meta, NULL, report_index);
    lua_pop(L, 1);
    das_class(L, DAS_PLAN, meta, methods, plan_index);
}
