/*
 * check_script.c - lends the program to scripts/prelude/check.lua and writes down what it found
 * (see check_script.h). Each script gets a state of its own, which has no instances.
 */
#include "bindings/check_script.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/cloud_impl.h"
#include "bindings/testing.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#define CLASS_PREFIX "das."

struct job {
    const char *path;
    struct das_text text;
    bool json;
    struct das_buf *out;
    size_t findings;
};

/* --- what the checker may ask ------------------------------------------------------------------ */

static int host_compile(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);

    lua_pushfstring(L, "@%s", das_run_of(L)->opts->path);
    if (luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t") != LUA_OK)
        return 1;
    return 0;
}

/* Would the filter hit a session that does nothing at all, or none that there could be? */
static int host_judge(lua_State *L)
{
    struct das_box *box = das_box_test(L, 1, DAS_FILTER);
    struct das_text empty = das_text("", 0);
    struct das_session idle = {
        .user = empty, .host = empty, .db = empty, .command = empty, .state = empty,
        .sql_info = empty, .time_ms = DAS_UNKNOWN, .query_id = DAS_UNKNOWN, .trx_time = DAS_ABSENT,
        .rows_modified = DAS_ABSENT, .rows_examined = DAS_UNKNOWN, .progress = DAS_UNKNOWN,
        .trx_id = DAS_ABSENT, .blocked_by = DAS_ABSENT,
    };

    if (!box)
        return 0;
    if (!das_filter_can_match(box->object))
        lua_pushliteral(L, "nothing");
    else if (das_filter_test(box->object, &idle) == DAS_YES)
        lua_pushliteral(L, "everything");
    else
        return 0;
    return 1;
}

static int host_module(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct das_buf *b;
    struct das_text text;
    struct das_err err = {0};

    if (!das_push_module_path(L, name))
        return 0;
    b = das_scratch(L);
    if (das_script_read(lua_tostring(L, -2), b, &err) < 0)
        return 0;
    text = das_script_text(das_buf_view(b));
    lua_pushlstring(L, text.ptr, text.len);
    return 1;
}

/* The names of all classes, a list. [-0, +1] */
static void push_classes(lua_State *L)
{
    int list;

    lua_newtable(L);
    list = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, LUA_REGISTRYINDEX)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1) &&
            strncmp(lua_tostring(L, -2), CLASS_PREFIX, strlen(CLASS_PREFIX)) == 0) {
            lua_pushvalue(L, -2);
            lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
        }
        lua_pop(L, 1);
    }
}

/* [-0, +1] {oldest = true, ...} over all classes. */
static void push_methods(lua_State *L)
{
    int methods, classes, names;

    lua_newtable(L);
    methods = lua_gettop(L);
    push_classes(L);
    classes = lua_gettop(L);
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, classes); i++) {
        lua_newtable(L);
        names = lua_gettop(L);
        lua_rawgeti(L, classes, (lua_Integer)i);
        lua_insert(L, names); // name names
        das_class_names(L, lua_tostring(L, names), false, true);
        for (lua_Unsigned k = 1; k <= lua_rawlen(L, -1); k++) {
            lua_rawgeti(L, -1, (lua_Integer)k);
            lua_pushboolean(L, 1);
            lua_rawset(L, methods);
        }
        lua_settop(L, classes);
    }
    lua_settop(L, methods);
}

static void push_host(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"compile", host_compile}, {"nearest", das_tool_nearest}, {"judge", host_judge},
        {"module", host_module},   {NULL, NULL},
    };
    static const luaL_Reg options[] = {
        {"plan", das_plan_options},         {"preview", das_preview_options},
        {"cloud", das_cloud_account_options}, {"nodes", das_cloud_type_options},
        {"instances", das_cloud_type_options}, {NULL, NULL},
    };

    luaL_newlib(L, functions);
    luaL_newlib(L, options);
    luaL_setfuncs(L, das_cloud_option_checks, 0);
    luaL_setfuncs(L, das_cloud_act_option_checks, 0);
    lua_setfield(L, -2, "options");
    push_methods(L);
    lua_setfield(L, -2, "methods");
}

/* --- what it found ------------------------------------------------------------------------------ */

/* The field of the table at the top; it stays alive with the table. */
static const char *text_field(lua_State *L, const char *name)
{
    const char *text;

    lua_getfield(L, -1, name);
    text = luaL_checkstring(L, -1);
    lua_pop(L, 1);
    return text;
}

static int64_t number_field(lua_State *L, const char *name)
{
    int64_t n;

    lua_getfield(L, -1, name);
    n = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return n;
}

/* The finding at the top of the stack. */
static void write_finding(lua_State *L, const struct job *job)
{
    struct das_buf *b = job->out;

    if (!job->json) {
        das_buf_printf(b, "%s:%lld:%lld: %s: %s\n", job->path, (long long)number_field(L, "line"),
                       (long long)number_field(L, "col"), text_field(L, "severity"),
                       text_field(L, "message"));
        return;
    }
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "line", number_field(L, "line"));
    das_json_key_int(b, "column", number_field(L, "col"));
    das_json_key_text(b, "severity", das_text_of(text_field(L, "severity")));
    das_json_key_text(b, "code", das_text_of(text_field(L, "code")));
    das_json_key_text(b, "message", das_text_of(text_field(L, "message")));
    das_buf_char(b, '}');
}

/* The list at index as a JSON array, or as " a, b". */
static void write_list(lua_State *L, int index, bool json, struct das_buf *b)
{
    if (json)
        das_buf_char(b, '[');
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, index); i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        if (json) {
            das_json_comma(b);
            das_json_str(b, lua_tostring(L, -1));
        } else {
            das_buf_printf(b, "%s %s", i > 1 ? "," : "", lua_tostring(L, -1));
        }
        lua_pop(L, 1);
    }
    if (json)
        das_buf_char(b, ']');
}

/* findings at 1, grants at 2 */
static void write_findings(lua_State *L, struct job *job)
{
    struct das_buf *b = job->out;

    job->findings = (size_t)lua_rawlen(L, 1);
    if (job->json) {
        das_buf_char(b, '{');
        das_json_key_text(b, "path", das_text_of(job->path));
        das_json_key(b, "findings");
        das_buf_char(b, '[');
    }
    for (size_t i = 0; i < job->findings; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        write_finding(L, job);
        lua_pop(L, 1);
    }
    if (job->json) {
        das_buf_char(b, ']');
        das_json_key(b, "grants");
        write_list(L, 2, true, b);
        das_buf_char(b, '}');
    } else if (lua_rawlen(L, 2)) {
        das_buf_printf(b, "%s: needs", job->path);
        write_list(L, 2, false, b);
        das_buf_char(b, '\n');
    }
}

static int check(lua_State *L)
{
    struct job *job = lua_touserdata(L, 1);

    lua_settop(L, 0);
    if (das_test_named(job->path))
        das_bench_open(L, NULL);
    das_load_embedded(L, "check");
    das_load_embedded(L, "parser");
    das_load_embedded(L, "lexer");
    lua_call(L, 0, 1); // check parser lexer
    lua_call(L, 1, 1); // check parse
    push_host(L);
    lua_call(L, 2, 1); // a function
    lua_pushlstring(L, job->text.ptr, job->text.len);
    lua_call(L, 1, 2); // findings grants
    write_findings(L, job);
    return 0;
}

/* --- the two questions ------------------------------------------------------------------------- */

int das_check_script(const char *path, bool json, struct das_buf *out, size_t *findings,
                     struct das_err *err)
{
    struct job job = {.path = path, .json = json, .out = out};
    struct das_buf text = {0};
    int rc;

    *findings = 0;
    err->code = DAS_OK;
    rc = das_script_read(path, &text, err);
    if (rc == 0) {
        job.text = das_script_text(das_buf_view(&text));
        rc = das_tool_run(check, &job, path, err);
        if (rc < 0 && err->code == DAS_E_SCRIPT)
            das_err_prefix(err, "%s: could not be checked", path);
        *findings = job.findings;
    }
    das_buf_clear(&text);
    return rc;
}

/* --- names ---------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the list of strings at index. */
static void sort_list(lua_State *L, int index)
{
    size_t n = (size_t)lua_rawlen(L, index);
    const char **names = lua_newuserdatauv(L, (n + 1) * sizeof *names, 0);
    int sorted;

    lua_createtable(L, (int)n, 0); // keeps them while they change places
    sorted = lua_gettop(L);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        names[i] = lua_tostring(L, -1);
        lua_rawseti(L, sorted, (lua_Integer)i + 1);
    }
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, index, (lua_Integer)i + 1);
    }
    lua_settop(L, sorted - 2);
}

/* [-0, +1] the sorted string keys of the table at index, as pairs() gives them. */
static void push_keys(lua_State *L, int index)
{
    int list;

    lua_newtable(L);
    list = lua_gettop(L);
    if (!das_object_names(L, index, true, true)) {
        lua_settop(L, list);
        lua_pushnil(L);
        while (lua_next(L, index)) {
            if (lua_type(L, -2) == LUA_TSTRING) {
                lua_pushvalue(L, -2);
                lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
            }
            lua_pop(L, 1);
        }
    }
    lua_settop(L, list);
    sort_list(L, list);
}

/* {"name": [keys], ...} for the tables among the values of the table at index, below prefix. */
static void write_tables(lua_State *L, int index, const char *prefix, struct das_buf *b)
{
    int list, value;

    luaL_checkstack(L, 10, NULL);
    push_keys(L, index);
    list = lua_gettop(L);
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, list); i++) {
        lua_rawgeti(L, list, (lua_Integer)i); // key
        if (strcmp(lua_tostring(L, -1), "_G") == 0) {
            lua_settop(L, list);
            continue;
        }
        lua_getfield(L, index, lua_tostring(L, -1));
        value = lua_gettop(L);
        if (lua_istable(L, value) && strcmp(lua_tostring(L, value - 1), "args") != 0) {
            lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, value - 1)); // key value name
            push_keys(L, value);
            if (lua_rawlen(L, -1)) {
                das_json_key(b, lua_tostring(L, -2));
                write_list(L, lua_gettop(L), true, b);
            }
            lua_pop(L, 1);
            lua_pushfstring(L, "%s.", lua_tostring(L, -1));
            write_tables(L, value, lua_tostring(L, -1), b);
        }
        lua_settop(L, list);
    }
    lua_settop(L, list - 1);
}

static int write_names(lua_State *L)
{
    struct das_buf *b = lua_touserdata(L, 1);
    const char *name;

    das_buf_str(b, "{\"globals\":{");
    lua_pushglobaltable(L); // 2
    push_keys(L, 2);
    das_json_key(b, "_G");
    write_list(L, 3, true, b);
    write_tables(L, 2, "", b);
    das_buf_str(b, "},\"classes\":{");
    lua_settop(L, 1);
    push_classes(L); // 2
    sort_list(L, 2);
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, 2); i++) {
        lua_rawgeti(L, 2, (lua_Integer)i); // 3
        name = lua_tostring(L, 3);
        lua_newtable(L);
        if (das_class_names(L, name, true, false)) {
            das_json_key(b, name);
            das_buf_str(b, "{\"fields\":");
            write_list(L, 4, true, b);
            lua_newtable(L);
            das_class_names(L, name, false, true);
            sort_list(L, 5);
            das_json_key(b, "methods");
            write_list(L, 5, true, b);
            das_buf_char(b, '}');
        }
        lua_settop(L, 2);
    }
    das_buf_char(b, '}');
    das_json_key(b, "criteria");
    das_push_names(L, das_key_names, DAS_K_COUNT);
    write_list(L, 3, true, b);
    das_buf_str(b, "}\n");
    return 0;
}

int das_check_names(struct das_buf *out, struct das_err *err)
{
    return das_tool_run(write_names, out, "das", err) < 0 ? -1 : das_buf_ok(out, err);
}
