/*
 * runbook.c - das.runbook{}: what a runbook is called, which parameters it has, how many may run at
 * once; and das.params.
 *
 * What is wrong with a parameter, or in the way of a new run, ends it and cannot be caught: it is the
 * caller's to mend. All the rest of a runbook is in step.c.
 */
#include "bindings/runbook_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"

#define PARAMS "das.params"
#define MODULES "das.runbook.modules"
#define PARAMS_MAX 50
#define CHOICES_MAX 100
#define KEY_MAX 300
#define TIMEOUT_S 86400 /* unless the runbook says another */
#define TIMEOUT_MAX_S (31 * 86400)
#define MODULE_MAX ((size_t)16 << 20)

int das_or_park(lua_State *L, int rc, const struct das_err *err)
{
    if (rc < 0)
        das_run_park(L, err);
    return rc;
}

__attribute__((format(printf, 3, 4), noreturn)) static void
refuse(lua_State *L, enum das_code code, const char *fmt, ...)
{
    struct das_err err = {.code = code};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.msg, sizeof err.msg, fmt, ap);
    va_end(ap);
    das_run_park(L, &err);
}

struct das_runbook_go *das_need_runbook(lua_State *L, const char *what)
{
    const struct das_run *run = das_run_of(L);

    if (!run->opts->runbook)
        das_raise(L, "%s: only in a runbook, as das runbook run has it", what);
    if (!run->book.declared)
        das_raise(L, "%s: das.runbook{ name = \"...\" } comes first", what);
    return run->opts->runbook;
}

/* --- one parameter ----------------------------------------------------------------------------- */

enum type { T_STRING, T_INTEGER, T_NUMBER, T_BOOLEAN, T_DURATION };
static const char *const types[] = {"string", "integer", "number", "boolean", "duration"};

static enum type check_type(lua_State *L, int spec, const char *name)
{
    const char *word;

    if (lua_getfield(L, spec, "type") != LUA_TSTRING)
        das_raise(L, "runbook: params: %s: type: expected string, integer, number, boolean or "
                     "duration",
                  name);
    word = lua_tostring(L, -1);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(word, types[i]) == 0) {
            lua_pop(L, 1);
            return (enum type)i;
        }
    }
    das_raise(L, "runbook: params: %s: type: expected string, integer, number, boolean or "
                 "duration, got \"%s\"",
              name, word);
}

/* The text on top becomes a value of that type; false: it is none. [-1, +1] */
static bool from_text(lua_State *L, enum type type)
{
    struct das_text t;
    int64_t whole;
    bool good = true;

    t.ptr = lua_tolstring(L, -1, &t.len);
    switch (type) {
    case T_STRING:
        return true;
    case T_INTEGER:
        if ((good = das_parse_int(t, &whole)))
            lua_pushinteger(L, whole);
        break;
    case T_DURATION:
        if ((good = das_parse_duration(t, &whole) && whole >= 0))
            lua_pushinteger(L, whole);
        break;
    case T_NUMBER:
        good = lua_stringtonumber(L, t.ptr) == t.len + 1;
        break;
    case T_BOOLEAN:
        good = das_text_is(t, "true") || das_text_is(t, "false");
        if (good)
            lua_pushboolean(L, t.len == 4);
        break;
    }
    if (good)
        lua_remove(L, -2);
    return good;
}

/* The value on top is one of that type, or a text that says one [-1, +1]. */
static bool of_type(lua_State *L, enum type type)
{
    switch (type) {
    case T_STRING:
        return lua_type(L, -1) == LUA_TSTRING;
    case T_BOOLEAN:
        if (lua_isboolean(L, -1))
            return true;
        break;
    case T_NUMBER:
        if (lua_type(L, -1) == LUA_TNUMBER)
            return true;
        break;
    case T_INTEGER:
        if (lua_isinteger(L, -1))
            return true;
        break;
    case T_DURATION:
        if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 0)
            return true;
        break;
    }
    return lua_type(L, -1) == LUA_TSTRING && from_text(L, type);
}

/* "a whole number from 1 to 1000" into b. */
static void say_expected(lua_State *L, int spec, enum type type, struct das_buf *b)
{
    static const char *const words[] = {"a text", "a whole number", "a number", "true or false",
                                        "a duration such as \"5m\""};

    das_buf_str(b, words[type]);
    if (lua_getfield(L, spec, "min") != LUA_TNIL)
        das_buf_printf(b, " from %s", luaL_tolstring(L, -1, NULL));
    lua_settop(L, lua_gettop(L) - (lua_isnil(L, -1) ? 1 : 2));
    if (lua_getfield(L, spec, "max") != LUA_TNIL)
        das_buf_printf(b, " up to %s", luaL_tolstring(L, -1, NULL));
    lua_settop(L, lua_gettop(L) - (lua_isnil(L, -1) ? 1 : 2));
    if (lua_getfield(L, spec, "choices") == LUA_TTABLE) {
        das_buf_str(b, ", one of");
        for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1) && i <= CHOICES_MAX; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i);
            das_buf_printf(b, "%s %s", i > 1 ? "," : "", luaL_tolstring(L, -1, NULL));
            lua_pop(L, 2);
        }
    }
    lua_pop(L, 1);
}

/* min or max, as a duration may say it in text too [-0, +1]; false: there is none [-0, +0]. */
static bool push_bound(lua_State *L, int spec, const char *name, const char *which, enum type type)
{
    if (lua_getfield(L, spec, which) == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    if (type == T_STRING || type == T_BOOLEAN || !of_type(L, type))
        das_raise(L, "runbook: params: %s: %s: does not fit its type", name, which);
    return true;
}

/* Is the value on top within min, max and choices? */
static bool within(lua_State *L, int spec, const char *name, enum type type)
{
    int value = lua_gettop(L);
    bool good = true;

    if (push_bound(L, spec, name, "min", type))
        good = lua_compare(L, -1, value, LUA_OPLE);
    lua_settop(L, value);
    if (push_bound(L, spec, name, "max", type))
        good = good && lua_compare(L, value, -1, LUA_OPLE);
    lua_settop(L, value);
    if (lua_getfield(L, spec, "choices") == LUA_TTABLE) {
        bool found = false;
        for (lua_Unsigned i = 1; i <= lua_rawlen(L, value + 1); i++) {
            lua_rawgeti(L, value + 1, (lua_Integer)i);
            found = found || lua_compare(L, value, -1, LUA_OPEQ);
            lua_pop(L, 1);
        }
        good = good && found;
    } else if (!lua_isnil(L, -1)) {
        das_raise(L, "runbook: params: %s: choices: expected a list, got %s", name,
                  luaL_typename(L, -1));
    }
    lua_settop(L, value);
    return good;
}

/* The given value on top becomes the parameter's [-1, +1]. */
static void take_value(lua_State *L, int spec, const char *name, enum type type)
{
    struct das_buf *b;
    const char *got = lua_type(L, -1) == LUA_TTABLE ? "a table" : luaL_tolstring(L, -1, NULL);
    int value;

    lua_insert(L, lua_type(L, -1) == LUA_TTABLE ? -1 : -2); // got value
    value = lua_gettop(L);
    if (of_type(L, type) && within(L, spec, name, type))
        return;
    lua_settop(L, value);
    b = das_scratch(L);
    say_expected(L, spec, type, b);
    refuse(L, DAS_E_USAGE, "--param %s: expected %.300s, got \"%.100s\"", name,
           b->ptr ? b->ptr : "another value", got);
}

/* --- all of them ------------------------------------------------------------------------------- */

/* The stack of das.runbook: 1 its table, 2 params (or nil), 3 what was given, 4 das.params. */
enum { AT_TABLE = 1, AT_SPECS, AT_GIVEN, AT_VALUES };

static const char *const spec_keys[] = {"type", "default", "min", "max", "choices", "help"};

static void resolve_one(lua_State *L, const char *name)
{
    int spec = lua_gettop(L);
    enum type type;

    if (!lua_istable(L, spec))
        das_raise(L, "runbook: params: %s: expected a table such as { type = \"string\" }, got %s",
                  name, luaL_typename(L, spec));
    das_check_options(L, spec, "runbook: params", spec_keys, sizeof spec_keys / sizeof *spec_keys);
    type = check_type(L, spec, name);
    if (lua_getfield(L, spec, "default") != LUA_TNIL &&
        !(of_type(L, type) && within(L, spec, name, type)))
        das_raise(L, "runbook: params: %s: default: does not fit its type, min, max or choices",
                  name);
    if (lua_getfield(L, AT_GIVEN, name) != LUA_TNIL)
        take_value(L, spec, name, type);
    else if (lua_isnil(L, spec + 1))
        refuse(L, DAS_E_USAGE, "--param %s=...: is needed (%s)", name, types[type]);
    else
        lua_pushvalue(L, spec + 1);
    lua_setfield(L, AT_VALUES, name);
    lua_settop(L, spec);
}

static bool is_param_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 40 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len && !das_is_digit((unsigned char)name[0]);
}

static void resolve_all(lua_State *L)
{
    size_t n = 0;

    lua_pushnil(L);
    while (lua_next(L, AT_SPECS)) {
        if (lua_type(L, -2) != LUA_TSTRING || !is_param_name(lua_tostring(L, -2)))
            das_raise(L, "runbook: params: a name is small letters, digits and _");
        if (++n > PARAMS_MAX)
            das_raise(L, "runbook: params: at most %d", PARAMS_MAX);
        resolve_one(L, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
}

/* What was given and is no parameter. */
static void check_unknown(lua_State *L, bool forget)
{
    const char *names[PARAMS_MAX], *near;
    size_t n = 0;

    lua_pushnil(L);
    while (lua_next(L, AT_SPECS)) {
        names[n++] = lua_tostring(L, -2);
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, AT_GIVEN)) {
        const char *name = lua_tostring(L, -2);
        if (lua_getfield(L, AT_SPECS, name) == LUA_TNIL && !forget) {
            near = das_nearest(name, names, n);
            if (near)
                refuse(L, DAS_E_USAGE, "--param %.60s: no such parameter; did you mean %s?", name,
                       near);
            refuse(L, DAS_E_USAGE, "--param %.60s: no such parameter", name);
        }
        lua_pop(L, 2);
    }
}

/* What was given, as a table of names [-0, +1]. */
static void push_given(lua_State *L, const struct das_runbook_go *go)
{
    if (go->params_json && *go->params_json)
        das_push_json(L, go->params_json);
    else
        lua_newtable(L);
    if (!lua_istable(L, -1))
        das_raise(L, "runbook: the parameters of this run cannot be read");
    for (size_t i = 0; i < go->param_count; i++) {
        const char *p = go->params[i], *equals = strchr(p, '=');
        if (!equals || equals == p)
            refuse(L, DAS_E_USAGE, "--param: expected NAME=VALUE, got \"%.100s\"", p);
        lua_pushlstring(L, p, (size_t)(equals - p));
        lua_pushstring(L, equals + 1);
        lua_rawset(L, -3);
    }
}

/* --- modules ----------------------------------------------------------------------------------- */

static void check_module(lua_State *L, const char *path)
{
    struct das_run *run = das_run_of(L);
    const struct das_runbook_go *go = run->opts->runbook;
    struct das_buf *text = das_scratch(L);
    char hash[DAS_SHA256_HEX];
    struct das_err err;

    if (das_script_read(path, text, &err) == 0 &&
        das_sha256_hex(das_buf_view(text), hash, &err) == 0)
        das_or_park(L, das_runbook_module(go->store, go->id, path, hash, go->accept_change, &err),
                    &err);
    lua_pop(L, 1); // one that cannot be read, require says
}

void das_run_check_module(lua_State *L, const char *path)
{
    struct das_run *run = das_run_of(L);

    if (!run->opts->runbook)
        return;
    if (run->book.declared) {
        check_module(L, path);
        return;
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, MODULES);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, path);
    lua_pop(L, 1);
}

void das_check_modules(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, MODULES);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        check_module(L, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* --- das.runbook ------------------------------------------------------------------------------- */

static const char *check_name(lua_State *L)
{
    const char *name;

    if (lua_getfield(L, AT_TABLE, "name") != LUA_TSTRING || !*(name = lua_tostring(L, -1)))
        das_raise(L, "runbook: name: expected a name such as \"connection exhaustion\"");
    if (strlen(name) > DAS_STEP_NAME_MAX || !das_utf8_valid(das_text_of(name)))
        das_raise(L, "runbook: name: at most %d bytes of UTF-8", DAS_STEP_NAME_MAX);
    return name; // stays in the table
}

static int64_t check_timeout(lua_State *L)
{
    double s = TIMEOUT_S;

    if (lua_getfield(L, AT_TABLE, "timeout") != LUA_TNIL)
        s = das_check_seconds(L, -1, "runbook: timeout");
    if (s < 1 || s > TIMEOUT_MAX_S)
        das_raise(L, "runbook: timeout: expected 1 s to 31 days");
    lua_pop(L, 1);
    return (int64_t)(s * 1000);
}

static void add_instances(const struct das_run *run, struct das_buf *b)
{
    for (size_t i = 0; i < das_inventory_count(run->opts->inventory); i++)
        das_buf_printf(b, "%s%s", i ? "," : "", das_inventory_name(run->opts->inventory, i));
}

/* The key into a string that stays on the stack [-0, +1]. */
static const char *push_key(lua_State *L, const char *name)
{
    struct das_buf *b = das_scratch(L);
    const char *key;
    size_t len;

    switch (lua_getfield(L, AT_TABLE, "key")) {
    case LUA_TFUNCTION:
        lua_pushvalue(L, AT_VALUES);
        lua_call(L, 1, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            das_raise(L, "runbook: key: expected the function to return a text, got %s",
                      luaL_typename(L, -1));
        break;
    case LUA_TNIL:
        lua_pushliteral(L, "instance");
        break;
    case LUA_TSTRING:
        break;
    default:
        das_raise(L, "runbook: key: expected \"instance\", \"name\" or a function, got %s",
                  luaL_typename(L, -1));
    }
    key = lua_tolstring(L, -1, &len);
    if (!len || len > KEY_MAX || strlen(key) != len || !das_utf8_valid(das_text(key, len)))
        das_raise(L, "runbook: key: expected a text of 1 to %d bytes of UTF-8", KEY_MAX);
    das_buf_str(b, name);
    if (strcmp(key, "instance") == 0) {
        das_buf_str(b, " on ");
        add_instances(das_run_of(L), b);
    } else if (strcmp(key, "name") != 0) {
        das_buf_printf(b, ": %s", key);
    }
    das_push_buf(L, b);
    return lua_tostring(L, -1);
}

static void start(lua_State *L, struct das_runbook_go *go)
{
    struct das_run *run = das_run_of(L);
    const struct das_asked *asked = das_run_asked(run);
    const int64_t now = das_clock_unix_ms();
    struct das_buf *params = das_scratch(L);
    struct das_runbook r = {.armed = run->opts->armed, .who = run->opts->user};
    struct das_err err;
    int64_t other;

    r.name = check_name(L);
    r.path = asked->script ? asked->script : run->opts->path;
    r.sha256 = asked->script_sha256 ? asked->script_sha256 : "";
    r.instances = go->instances ? go->instances : "[]";
    r.until_ms = now + check_timeout(L);
    lua_pushvalue(L, AT_VALUES);
    das_json_write(L, "runbook: params", DAS_TEXT_NULL, false, params);
    das_push_buf(L, params);
    r.params = lua_tostring(L, -1);
    r.key = push_key(L, r.name);
    if (!das_or_park(L, das_runbook_start(go->store, &r, now, &other, &err), &err))
        refuse(L, DAS_E_BLOCKED, "runbook %lld is open with the same key: %s; das runbook show "
                                 "%lld tells more",
               (long long)other, r.key, (long long)other);
    go->id = r.id;
    run->book.until_ms = r.until_ms;
}

static void go_on(lua_State *L, const struct das_runbook_go *go)
{
    struct das_run *run = das_run_of(L);
    const struct das_asked *asked = das_run_asked(run);

    check_name(L);
    check_timeout(L);
    if (go->sha256 && asked->script_sha256 && strcmp(go->sha256, asked->script_sha256) != 0)
        refuse(L, DAS_E_BLOCKED, "%s has changed just now", asked->script);
    run->book.until_ms = go->until_ms;
}

/* das.runbook{ name = ..., params = {...}, key = ..., timeout = ... } -> das.params */
int das_lua_runbook(lua_State *L)
{
    static const char *const allowed[] = {"name", "params", "key", "timeout", "description"};
    struct das_run *run = das_run_of(L);
    struct das_runbook_go *go = run->opts->runbook;

    luaL_checktype(L, 1, LUA_TTABLE);
    das_check_options(L, 1, "runbook", allowed, sizeof allowed / sizeof *allowed);
    if (!go)
        return das_raise(L, "runbook: this is a runbook: das runbook run %s", run->opts->path);
    if (run->book.declared)
        return das_raise(L, "runbook: a script is one runbook");
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "params") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
    } else if (!lua_istable(L, -1)) {
        return das_raise(L, "runbook: params: expected a table, got %s", luaL_typename(L, -1));
    }
    push_given(L, go);
    lua_getfield(L, LUA_REGISTRYINDEX, PARAMS);
    luaL_checkstack(L, 20, NULL);
    resolve_all(L);
    check_unknown(L, go->id && go->accept_change);
    if (go->id)
        go_on(L, go);
    else
        start(L, go);
    run->book.declared = true;
    das_check_modules(L);
    lua_getglobal(L, "das");
    lua_getfield(L, -1, "params");
    return 1;
}

void das_open_runbook(lua_State *L)
{
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, PARAMS);
    das_freeze(L, "das.params");
    lua_setfield(L, -2, "params");
}
