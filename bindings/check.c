/* check.c - boxes, arguments and errors, for all bindings (see bind.h). */
#include "bindings/bind.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/clock.h"

#define SCRATCH "das.scratch"
#define SECONDS_MAX 1e9 /* 31 years */

/* --- what the run may do, still --------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static bool granted(lua_State *L, const char *fmt,
                                                           va_list ap, char *what, size_t size)
{
    vsnprintf(what, size, fmt, ap);
    return das_granted(das_run_of(L)->opts->grants, what);
}

bool das_may(lua_State *L, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    bool yes;

    va_start(ap, fmt);
    yes = granted(L, fmt, ap, what, sizeof what);
    va_end(ap);
    return yes;
}

void das_need(lua_State *L, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    bool yes;

    va_start(ap, fmt);
    yes = granted(L, fmt, ap, what, sizeof what);
    va_end(ap);
    if (!yes)
        das_raise(L, "not granted: %s", what);
}

/* --- boxes ------------------------------------------------------------------------------------ */

struct das_box *das_box_push(lua_State *L, const char *type)
{
    struct das_box *box = lua_newuserdatauv(L, sizeof *box, 2);

    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, type);
    return box;
}

/* The allocator's rule (state.c), for memory that does not come from it. */
void das_need_memory(lua_State *L, size_t bytes)
{
    struct das_run *run = das_run_of(L);

    if (run->memory + bytes <= run->limits.memory)
        return;
    lua_gc(L, LUA_GCCOLLECT);
    if (run->memory + bytes <= run->limits.memory)
        return;
    run->memory_refused = true;
    das_raise(L, "not enough memory");
}

#define UNTOLD_MAX 65536

void das_box_charge(lua_State *L, struct das_box *box, size_t bytes)
{
    struct das_run *run = das_run_of(L);
    uint64_t untold;

    if (!run) // the configuration's state (config.c): it is small, and nobody's loop
        return;
    das_need_memory(L, bytes);
    box->bytes += bytes;
    run->memory += bytes;
    if (run->memory > atomic_load_explicit(&run->used.memory, memory_order_relaxed))
        atomic_store_explicit(&run->used.memory, run->memory, memory_order_relaxed);
    run->untold += bytes;
    if ((untold = run->untold) < UNTOLD_MAX)
        return;
    run->untold = 0;
    lua_gc(L, LUA_GCSTEP, (int)(untold >> 10)); // else it would wait for as much memory of Lua's
}

void das_box_hold(lua_State *L, int arg, int n)
{
    lua_pushvalue(L, arg);
    lua_setiuservalue(L, -2, n);
}

void das_box_empty(lua_State *L, struct das_box *box)
{
    if (box->bytes) // else there may be no run
        das_run_of(L)->memory -= box->bytes;
    box->object = NULL;
    box->bytes = 0;
}

struct das_box *das_box_test(lua_State *L, int arg, const char *type)
{
    struct das_box *box = luaL_testudata(L, arg, type);

    return box && box->object ? box : NULL;
}

struct das_box *das_box_check(lua_State *L, int arg, const char *type)
{
    struct das_box *box = luaL_checkudata(L, arg, type);

    luaL_argcheck(L, box->object, arg, "this object was never finished");
    return box;
}

void das_class(lua_State *L, const char *type, const luaL_Reg *meta, const luaL_Reg *methods,
               lua_CFunction index)
{
    lua_newtable(L); // methods
    if (methods)
        luaL_setfuncs(L, methods, 0);
    luaL_newmetatable(L, type); // methods meta
    luaL_setfuncs(L, meta, 0);
    lua_pushvalue(L, -2); // methods meta methods
    if (index)
        lua_pushcclosure(L, index, 1);
    lua_setfield(L, -2, "__index"); // methods meta
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable"); // scripts neither see nor change it
    lua_pop(L, 1);                      // methods
}

/* --- errors ----------------------------------------------------------------------------------- */

int das_raise(lua_State *L, const char *fmt, ...)
{
    lua_Debug ar;
    va_list ap;

    lua_pushliteral(L, "");
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && ar.source[0] == '@') { // the prelude's source begins with '='
            lua_pop(L, 1);
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            break;
        }
    }
    va_start(ap, fmt);
    lua_pushvfstring(L, fmt, ap);
    va_end(ap);
    lua_concat(L, 2);
    lua_error(L);
    __builtin_unreachable();
}

static int push_failure(lua_State *L, const struct das_err *failure, bool mistake)
{
    struct das_err err = *failure;

    das_vault_redact_err(&das_run_of(L)->vault, &err);
    if (mistake || err.code == DAS_E_NOMEM)
        return das_raise(L, "%s", err.msg);
    lua_pushnil(L);
    lua_pushstring(L, err.msg);
    lua_pushstring(L, das_code_name(err.code));
    return 3;
}

int das_push_failure(lua_State *L, const struct das_err *err)
{
    return push_failure(L, err, err->code == DAS_E_USAGE);
}

int das_push_world_failure(lua_State *L, const struct das_err *err)
{
    return push_failure(L, err, false);
}

#define NAMES_MAX 100

int das_no_field(lua_State *L, const char *what, const char *name, const char *const *candidates,
                 size_t n, int methods)
{
    const char *names[NAMES_MAX], *near;
    size_t count = 0;

    for (size_t i = 0; i < n && count < NAMES_MAX; i++)
        names[count++] = candidates[i];
    if (methods) {
        lua_pushnil(L);
        while (lua_next(L, methods) && count < NAMES_MAX) {
            if (lua_type(L, -2) == LUA_TSTRING)
                names[count++] = lua_tostring(L, -2);
            lua_pop(L, 1);
        }
    }
    near = das_nearest(name, names, count);
    if (near)
        return das_raise(L, "%s has no field \"%s\"; did you mean \"%s\"?", what, name, near);
    return das_raise(L, "%s has no field \"%s\"", what, name);
}

/* --- arguments -------------------------------------------------------------------------------- */

void das_check_options(lua_State *L, int arg, const char *what, const char *const *allowed,
                       size_t n)
{
    if (lua_isnoneornil(L, arg))
        return;
    if (!lua_istable(L, arg))
        das_raise(L, "%s: expected a table of options, got %s", what, luaL_typename(L, arg));
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        const char *near;
        bool known = false;
        if (!key)
            das_raise(L, "%s: option names are strings, got %s", what, luaL_typename(L, -2));
        for (size_t i = 0; i < n && !known; i++)
            known = strcmp(key, allowed[i]) == 0;
        if (!known) {
            near = das_nearest(key, allowed, n);
            if (near)
                das_raise(L, "%s: unknown option \"%s\"; did you mean \"%s\"?", what, key, near);
            das_raise(L, "%s: unknown option \"%s\"", what, key);
        }
        lua_pop(L, 1);
    }
}

int64_t das_check_count(lua_State *L, int arg, const char *what)
{
    int is_int = 0;
    lua_Integer n = lua_tointegerx(L, arg, &is_int);

    if (!is_int || lua_type(L, arg) != LUA_TNUMBER || n < 0)
        das_raise(L, "%s: expected a whole number, 0 or more, got %s", what,
                  lua_type(L, arg) == LUA_TNUMBER ? lua_tostring(L, arg) : luaL_typename(L, arg));
    return n;
}

double das_check_seconds(lua_State *L, int arg, const char *what)
{
    struct das_text t;
    int64_t whole;
    double v = -1;

    if (lua_type(L, arg) == LUA_TNUMBER) {
        v = lua_tonumber(L, arg);
    } else if (lua_type(L, arg) == LUA_TSTRING) {
        t.ptr = lua_tolstring(L, arg, &t.len);
        if (das_parse_duration(t, &whole))
            v = (double)whole;
    }
    if (!(v >= 0 && v <= SECONDS_MAX))
        das_raise(L, "%s: expected seconds, 0 or more, or a duration such as \"5m\", got %s", what,
                  lua_isstring(L, arg) ? lua_tostring(L, arg) : luaL_typename(L, arg));
    return v;
}

const char *das_check_bytes(lua_State *L, int arg, size_t *len)
{
    if (lua_type(L, arg) != LUA_TSTRING) // a number has no bytes that anybody agreed on
        luaL_typeerror(L, arg, "string");
    return lua_tolstring(L, arg, len);
}

const char *das_check_key(lua_State *L, int arg, size_t *len)
{
    const struct das_secret *s = das_secret_test(L, arg);

    if (!s) {
        if (lua_type(L, arg) != LUA_TSTRING)
            luaL_typeerror(L, arg, "string or secret");
        return lua_tolstring(L, arg, len);
    }
    *len = das_secret_value(s).len;
    return das_secret_value(s).ptr;
}

/* --- values ------------------------------------------------------------------------------------ */

static int scratch_gc(lua_State *L)
{
    das_buf_clear(luaL_checkudata(L, 1, SCRATCH));
    return 0;
}

struct das_buf *das_scratch(lua_State *L)
{
    struct das_buf *b = lua_newuserdatauv(L, sizeof *b, 0);

    das_buf_init(b);
    if (luaL_newmetatable(L, SCRATCH)) {
        lua_pushcfunction(L, scratch_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return b;
}

void das_push_buf(lua_State *L, const struct das_buf *buf)
{
    if (buf->failed)
        das_raise(L, "out of memory");
    lua_pushlstring(L, buf->ptr ? buf->ptr : "", buf->len);
}

void das_push_text(lua_State *L, struct das_text t)
{
    if (t.ptr)
        lua_pushlstring(L, t.ptr, t.len);
    else
        lua_pushnil(L);
}

void das_push_number(lua_State *L, int64_t v)
{
    if (das_known(v))
        lua_pushinteger(L, v);
    else
        lua_pushnil(L);
}
