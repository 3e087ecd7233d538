/*
 * time.c - das.time and das.sleep. Moments are whole seconds since 1970 (Unix time), durations are
 * seconds. Text that is no time or no duration returns nil, message, code, because it may come from
 * outside; an unknown time zone or day raises.
 */
#include "bindings/bind.h"

#include <string.h>

#include "core/base/calendar.h"
#include "core/base/clock.h"
#include "core/base/hours.h"

#define ZONE "das.zone"
#define STEP_MS 50 /* a cancelled run wakes up so soon */

static struct das_err *with(struct das_err *err, const char *what)
{
    das_err_prefix(err, "%s", what);
    return err;
}

/* --- moments ---------------------------------------------------------------------------------------- */

static int time_now(lua_State *L)
{
    lua_pushinteger(L, das_clock_unix_ms() / 1000);
    return 1;
}

static int time_now_ms(lua_State *L)
{
    lua_pushinteger(L, das_clock_unix_ms());
    return 1;
}

static int time_monotonic(lua_State *L)
{
    lua_pushnumber(L, (double)das_clock_monotonic_ms() / 1000);
    return 1;
}

static int time_parse(lua_State *L)
{
    struct das_text t;
    struct das_err err;
    int64_t unix_s;

    t.ptr = luaL_checklstring(L, 1, &t.len);
    if (das_time_parse(t, &unix_s, &err) < 0)
        return das_push_failure(L, with(&err, "parse"));
    lua_pushinteger(L, unix_s);
    return 1;
}

static int time_duration(lua_State *L)
{
    struct das_text t;
    struct das_err err;
    int64_t seconds = -1;

    if (lua_isinteger(L, 1) && lua_tointeger(L, 1) >= 0) {
        lua_settop(L, 1);
        return 1;
    }
    if (lua_type(L, 1) != LUA_TSTRING)
        return das_raise(L, "duration: expected a duration such as \"5m\" or whole seconds, got %s",
                         lua_type(L, 1) == LUA_TNUMBER ? lua_tostring(L, 1) : luaL_typename(L, 1));
    t.ptr = lua_tolstring(L, 1, &t.len);
    if (!das_parse_duration(t, &seconds) || seconds < 0) {
        das_fail(&err, DAS_E_DATA,
                 "duration: expected a duration such as \"90s\", \"5m\", \"2h\" or \"1d\", got \"%.40s\"",
                 t.ptr);
        return das_push_failure(L, &err);
    }
    lua_pushinteger(L, seconds);
    return 1;
}

/* The moment at arg, or now. */
static int64_t check_moment(lua_State *L, int arg, const char *what)
{
    lua_Integer v;
    int is_int = 0;

    if (lua_isnoneornil(L, arg))
        return das_clock_unix_ms() / 1000;
    v = lua_tointegerx(L, arg, &is_int);
    if (!is_int || lua_type(L, arg) != LUA_TNUMBER || v < DAS_UNIX_MIN + DAS_DAY ||
        v > DAS_UNIX_MAX - DAS_DAY)
        das_raise(L, "%s: expected whole seconds since 1970 in the years 0 to 9999, got %s", what,
                  lua_type(L, arg) == LUA_TNUMBER ? lua_tostring(L, arg) : luaL_typename(L, arg));
    return v;
}

/* --- zones ------------------------------------------------------------------------------------------ */

static int zone_gc(lua_State *L)
{
    struct das_box *box = luaL_checkudata(L, 1, ZONE);

    das_zone_free(box->object);
    box->object = NULL;
    return 0;
}

/* The zone named at index, nil means UTC [-0, +1]: its box. */
static const struct das_zone *push_zone(lua_State *L, int index, const char *what)
{
    const char *name = "UTC";
    struct das_box *box;
    struct das_err err;

    if (!lua_isnil(L, index)) {
        if (lua_type(L, index) != LUA_TSTRING)
            das_raise(L, "%s: tz: expected a time zone as in \"Europe/Berlin\", got %s", what,
                      luaL_typename(L, index));
        name = lua_tostring(L, index);
    }
    box = das_box_push(L, ZONE);
    box->object = das_zone_load(name, &err);
    if (!box->object)
        das_raise(L, "%s: tz: %s", what, err.msg);
    return box->object;
}

/* format(seconds, {tz = "Asia/Shanghai"}) */
static int time_format(lua_State *L)
{
    static const char *const allowed[] = {"tz"};
    int64_t unix_s = check_moment(L, 1, "format"), offset = 0;
    struct das_buf *b;

    das_check_options(L, 2, "format", allowed, 1);
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "tz");
        offset = das_zone_offset(push_zone(L, lua_gettop(L), "format"), unix_s);
    }
    b = das_scratch(L);
    das_time_format(unix_s, offset, b);
    das_push_buf(L, b);
    return 1;
}

/* --- windows ---------------------------------------------------------------------------------------- */

static const struct das_hours *check_window(lua_State *L)
{
    return luaL_checkudata(L, 1, DAS_WINDOW);
}

static int window_contains(lua_State *L)
{
    const struct das_hours *h = check_window(L);

    lua_pushboolean(L, das_hours_contain(h, check_moment(L, 2, "contains")));
    return 1;
}

static int push_next(lua_State *L, bool close, const char *what)
{
    const struct das_hours *h = check_window(L);
    int64_t at;

    if (das_hours_next(h, check_moment(L, 2, what), close, &at))
        lua_pushinteger(L, at);
    else
        lua_pushnil(L);
    return 1;
}

static int window_next_open(lua_State *L)
{
    return push_next(L, false, "next_open");
}

static int window_next_close(lua_State *L)
{
    return push_next(L, true, "next_close");
}

static int window_tostring(lua_State *L)
{
    const struct das_hours *h = check_window(L);
    struct das_buf *b = das_scratch(L);

    das_hours_print(h, b);
    das_push_buf(L, b);
    return 1;
}

static int window_index(lua_State *L)
{
    check_window(L);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    return das_no_field(L, "a window", luaL_tolstring(L, 2, NULL), NULL, 0, lua_upvalueindex(1));
}

static void add_days(lua_State *L, int index, const char *what, unsigned *days)
{
    struct das_text t;
    struct das_err err;

    if (lua_type(L, index) != LUA_TSTRING)
        das_raise(L, "%s: days: expected \"mon-fri\" or a list of days, got %s", what,
                  luaL_typename(L, index));
    t.ptr = lua_tolstring(L, index, &t.len);
    if (das_hours_days(t, days, &err) < 0)
        das_raise(L, "%s: %s", what, err.msg);
}

static unsigned check_days(lua_State *L, int table, const char *what)
{
    unsigned days = 0;

    if (lua_getfield(L, table, "days") == LUA_TNIL) {
        days = 0x7f;
    } else if (lua_istable(L, -1)) {
        lua_Unsigned n = lua_rawlen(L, -1);
        for (lua_Unsigned i = 1; i <= n && i <= 7; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i);
            add_days(L, -1, what, &days);
            lua_pop(L, 1);
        }
        if (n < 1 || n > 7)
            das_raise(L, "%s: days: expected 1 to 7 of them, got %d", what, (int)(n > 99 ? 99 : n));
    } else {
        add_days(L, -1, what, &days);
    }
    lua_pop(L, 1);
    return days;
}

static int check_clock(lua_State *L, int table, const char *what, const char *name, int otherwise)
{
    struct das_text t = {NULL, 0};
    struct das_err err;
    int minutes = otherwise;

    if (lua_getfield(L, table, name) != LUA_TNIL) {
        if (lua_type(L, -1) == LUA_TSTRING)
            t.ptr = lua_tolstring(L, -1, &t.len);
        if (das_hours_clock(t, &minutes, &err) < 0)
            das_raise(L, "%s: %s: %s", what, name, err.msg);
    }
    lua_pop(L, 1);
    return minutes;
}

void das_check_hours(lua_State *L, int table, const char *what, struct das_hours *h)
{
    static const char *const allowed[] = {"days", "from", "to", "tz"};

    das_check_options(L, table, what, allowed, 4);
    h->days = check_days(L, table, what);
    h->from_min = check_clock(L, table, what, "from", 0);
    h->to_min = check_clock(L, table, what, "to", 24 * 60);
    if (h->from_min == h->to_min || h->from_min == 24 * 60)
        das_raise(L, "%s: from and to are the same moment; \"00:00\" to \"24:00\" is a whole day",
                  what);
}

/* window{days = "mon-fri", from = "22:00", to = "06:00", tz = "Asia/Shanghai"} */
static int time_window(lua_State *L)
{
    struct das_hours h = {0}, *box;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    das_check_hours(L, 1, "window", &h);
    lua_getfield(L, 1, "tz");
    push_zone(L, 2, "window"); // 3
    h.zone = das_box_check(L, 3, ZONE)->object;
    box = lua_newuserdatauv(L, sizeof *box, 1);
    *box = h;
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, 1); // keeps the zone alive
    luaL_setmetatable(L, DAS_WINDOW);
    return 1;
}

/* --- waiting ---------------------------------------------------------------------------------------- */

/* In steps, so that limits and cancel strike. */
static int lua_sleep(lua_State *L)
{
    double seconds = das_check_seconds(L, 1, "sleep");
    int64_t until = das_clock_monotonic_ms() + (int64_t)(seconds * 1000 + 0.5), left;

    fflush(das_run_of(L)->opts->out); // what was printed is seen before the wait
    das_run_check(L);
    if (das_run_slept(L, seconds))
        return 0;
    while ((left = until - das_clock_monotonic_ms()) > 0) {
        int64_t step = left < STEP_MS ? left : STEP_MS;
        das_clock_sleep_ms(step);
        das_run_check(L);
    }
    return 0;
}

int das_retry_options(lua_State *L)
{
    static const char *const allowed[] = {"times", "wait", "backoff"};
    int64_t times = 3;
    double wait = 1, backoff = 2;

    if (!lua_istable(L, 1))
        return das_raise(L, "retry: expected a table of options with a function in it, got %s",
                         luaL_typename(L, 1));
    lua_settop(L, 1);
    lua_newtable(L); // the options alone
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, 2);
    }
    das_check_options(L, 2, "retry", allowed, 3);
    if (lua_rawgeti(L, 1, 1) != LUA_TFUNCTION) // 3
        return das_raise(L, "retry: expected a function behind the options, got %s",
                         luaL_typename(L, -1));
    if (lua_getfield(L, 2, "times") != LUA_TNIL)
        times = das_check_count(L, -1, "retry: times");
    if (times < 1 || times > 1000)
        return das_raise(L, "retry: times: expected 1 to 1000, got %s", lua_tostring(L, -1));
    if (lua_getfield(L, 2, "wait") != LUA_TNIL)
        wait = das_check_seconds(L, -1, "retry: wait");
    if (lua_getfield(L, 2, "backoff") != LUA_TNIL) {
        backoff = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (!(backoff >= 1 && backoff <= 100))
            return das_raise(L, "retry: backoff: expected a number from 1 to 100, got %s",
                             luaL_tolstring(L, -1, NULL));
    }
    lua_settop(L, 3);
    lua_pushinteger(L, times);
    lua_pushnumber(L, wait);
    lua_pushnumber(L, backoff);
    return 4;
}

void das_open_time(lua_State *L)
{
    static const luaL_Reg zone_meta[] = {{"__gc", zone_gc}, {NULL, NULL}};
    static const luaL_Reg window_meta[] = {{"__tostring", window_tostring}, {NULL, NULL}};
    static const luaL_Reg window_methods[] = {
        {"contains", window_contains},
        {"next_open", window_next_open},
        {"next_close", window_next_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"now", time_now},     {"now_ms", time_now_ms}, {"monotonic", time_monotonic},
        {"parse", time_parse}, {"format", time_format}, {"duration", time_duration},
        {"window", time_window}, {NULL, NULL},
    };

    das_class(L, ZONE, zone_meta, NULL, NULL);
    lua_pop(L, 1);
    das_class(L, DAS_WINDOW, window_meta, window_methods, window_index);
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    das_freeze(L, "das.time");
    lua_setfield(L, -2, "time");
    lua_pushcfunction(L, lua_sleep);
    lua_setfield(L, -2, "sleep");
}
