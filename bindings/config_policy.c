/*
 * config_policy.c - the part of das.lua that says how far a policy may go: mode, numbers of kills,
 * windows, freezes, breaker, journal (see config.h and core/plan/guard.h). It only fills the rules;
 * core/plan/guard.c asks them.
 */
#include "bindings/config_impl.h"

#include <math.h>
#include <string.h>

#include "bindings/bind.h"
#include "core/base/calendar.h"
#include "core/base/hours.h"
#include "core/base/mem.h"

#define OUTCOME_WAIT_MAX_MS ((int64_t)3600 * 1000)
#define COUNT_MAX ((int64_t)1 << 53) /* a number beyond it was meant otherwise */

/* --- single values ---------------------------------------------------------------------------- */

bool das_config_has(lua_State *L, int t, const char *key)
{
    lua_pushstring(L, key);
    return lua_rawget(L, t) != LUA_TNIL;
}

void das_config_expected(lua_State *L, const char *where, const char *key, const char *what)
{
    int type = lua_type(L, -1);

    if (type == LUA_TSTRING)
        luaL_error(L, "%s%s: expected %s, got \"%s\"", where, key, what, lua_tostring(L, -1));
    luaL_error(L, "%s%s: expected %s, got %s", where, key, what,
               type == LUA_TNUMBER || type == LUA_TBOOLEAN ? luaL_tolstring(L, -1, NULL)
                                                           : luaL_typename(L, -1));
}

void das_config_count(lua_State *L, int t, const char *where, const char *key, int64_t least,
                      int64_t *to)
{
    lua_Integer n;
    int whole = 0;

    if (das_config_has(L, t, key)) {
        n = lua_tointegerx(L, -1, &whole);
        if (!whole || lua_type(L, -1) != LUA_TNUMBER || n < least || n > COUNT_MAX)
            das_config_expected(L, where, key,
                                least ? "a whole number from 1 up" : "a whole number from 0 up");
        *to = n;
    }
    lua_pop(L, 1);
}

void das_config_duration(lua_State *L, int t, const char *where, const char *key, int64_t most,
                         int64_t *to)
{
    struct das_text text;
    int64_t ms = 0;
    int at;

    if (das_config_has(L, t, key)) {
        at = lua_gettop(L);
        text.ptr = luaL_tolstring(L, at, &text.len);
        if ((lua_type(L, at) != LUA_TNUMBER && lua_type(L, at) != LUA_TSTRING) ||
            !das_parse_duration_ms(text, &ms) || ms <= 0 || ms > most) {
            lua_settop(L, at);
            das_config_expected(L, where, key,
                                most == DAS_CONFIG_YEAR_MS
                                    ? "a duration over 0 such as \"10m\", a year at the most"
                                    : "a duration over 0 such as \"5s\", an hour at the most");
        }
        *to = ms;
        lua_settop(L, at);
    }
    lua_pop(L, 1);
}

void das_config_bool(lua_State *L, int t, const char *where, const char *key, bool *to)
{
    if (das_config_has(L, t, key)) {
        if (!lua_isboolean(L, -1))
            das_config_expected(L, where, key, "true or false");
        *to = lua_toboolean(L, -1);
    }
    lua_pop(L, 1);
}

void das_config_number(lua_State *L, int t, const char *where, const char *key, bool zero,
                       double least, double most, const char *what, double *to)
{
    double v;

    if (das_config_has(L, t, key)) {
        v = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !isfinite(v) ||
            !((v >= least && v <= most) || (zero && v == 0)))
            das_config_expected(L, where, key, what);
        *to = v;
    }
    lua_pop(L, 1);
}

/* Pushes the table in the field key [-0, +1] and returns its index, with its keys checked; 0 and
 * nothing pushed when there is none. */
static int open_table(lua_State *L, int t, const char *where, const char *key,
                      const char *const *allowed, size_t n)
{
    const char *name;
    int at;

    if (!das_config_has(L, t, key)) {
        lua_pop(L, 1);
        return 0;
    }
    if (!lua_istable(L, -1))
        das_config_expected(L, where, key, "a table");
    at = lua_gettop(L);
    name = lua_pushfstring(L, "%s%s", where, key);
    das_config_keys(L, at, name, allowed, n);
    lua_settop(L, at);
    return at;
}

/* --- numbers of kills, breaker ---------------------------------------------------------------- */

void das_config_kill(lua_State *L, int t, const char *where, struct das_kill_limits *to)
{
    static const char *const allowed[] = {"run",    "minute",  "instance", "user",
                                          "window", "percent", "min_left", "rows_modified"};
    int at = open_table(L, t, where, "kill", allowed, sizeof allowed / sizeof *allowed);
    const char *in;

    if (!at)
        return;
    in = lua_pushfstring(L, "%skill.", where);
    das_config_count(L, at, in, "run", 0, &to->run);
    das_config_count(L, at, in, "minute", 0, &to->minute);
    das_config_count(L, at, in, "instance", 0, &to->instance);
    das_config_count(L, at, in, "user", 0, &to->user);
    das_config_duration(L, at, in, "window", DAS_CONFIG_YEAR_MS, &to->window_ms);
    das_config_number(L, at, in, "percent", false, 0, 100, "a number from 0 to 100", &to->percent);
    das_config_count(L, at, in, "min_left", 0, &to->min_left);
    das_config_count(L, at, in, "rows_modified", 0, &to->rows_modified);
    lua_settop(L, at - 1);
}

static void read_breaker(lua_State *L, int t, const char *where, struct das_breaker_rules *to)
{
    static const char *const allowed[] = {"failures", "respawns", "respawn_within", "surge",
                                          "cooldown"};
    int at = open_table(L, t, where, "breaker", allowed, sizeof allowed / sizeof *allowed);
    const char *in;

    if (!at)
        return;
    in = lua_pushfstring(L, "%sbreaker.", where);
    das_config_count(L, at, in, "failures", 1, &to->failures);
    das_config_count(L, at, in, "respawns", 0, &to->respawns);
    das_config_duration(L, at, in, "respawn_within", DAS_CONFIG_YEAR_MS, &to->respawn_ms);
    das_config_number(L, at, in, "surge", true, 1, (double)COUNT_MAX, "a number from 1 up, or 0",
                      &to->surge);
    das_config_duration(L, at, in, "cooldown", DAS_CONFIG_YEAR_MS, &to->cooldown_ms);
    lua_settop(L, at - 1);
}

/* --- windows and freezes ---------------------------------------------------------------------- */

/* { from = "22:00" } without its outer braces would be a list of nothing. */
int64_t das_config_open_list(lua_State *L, int t, const char *where, const char *key,
                             const char *what)
{
    lua_Integer n, seen = 0;

    if (!das_config_has(L, t, key)) {
        lua_pop(L, 1);
        return -1;
    }
    if (!lua_istable(L, -1))
        das_config_expected(L, where, key, what);
    n = (lua_Integer)lua_rawlen(L, -1);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || lua_tointeger(L, -2) > n ||
            !lua_istable(L, -1))
            luaL_error(L, "%s%s: expected %s", where, key, what);
        lua_pop(L, 1);
        seen++;
    }
    if (seen != n)
        luaL_error(L, "%s%s: expected %s, without holes", where, key, what);
    return n;
}

/* The zone in the field tz of the table at t, UTC without one; the caller's. */
static struct das_zone *read_zone(lua_State *L, int t, const char *in)
{
    const char *name = das_config_text(L, t, in, "tz");
    struct das_err err;
    struct das_zone *z = das_zone_load(name ? name : "UTC", &err);

    if (!z)
        luaL_error(L, "%s.tz: %s", in, err.msg);
    return z;
}

static void read_windows(lua_State *L, int t, const char *where, struct das_policy_rules *to)
{
    int64_t n = das_config_open_list(L, t, where, "windows",
                          "a list of windows such as { { from = \"22:00\", to = \"06:00\" } }");
    int list = lua_gettop(L);

    if (n < 0)
        return;
    das_policy_windows_clear(to);
    to->windows = das_calloc((size_t)n, sizeof *to->windows);
    if (!to->windows)
        luaL_error(L, "out of memory");
    for (int64_t i = 0; i < n; i++) {
        struct das_hours *h = &to->windows[to->window_count++]; // zeroed: no zone yet
        const char *in = lua_pushfstring(L, "%swindows[%d]", where, (int)i + 1);
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        das_check_hours(L, lua_gettop(L), in, h);
        h->zone = read_zone(L, lua_gettop(L), in);
        lua_settop(L, list);
    }
    lua_pop(L, 1);
}

/* "2026-12-20", "2026-12-20T18:00" by the clock of z, or with an offset of its own. A day alone is
 * all of it: as an end it is the midnight that follows. A clock that shows a time twice has the
 * freeze begin with the first and end with the last. */
static int64_t read_moment(lua_State *L, int t, const char *in, const char *key,
                           const struct das_zone *z, bool end)
{
    const char *text = das_config_text(L, t, in, key);
    struct das_text whole = das_text_of(text);
    struct das_buf b = {0};
    struct das_err err;
    int64_t at = 0;
    bool day = whole.len == 10, good;

    if (!text)
        luaL_error(L, "%s.%s: expected a day such as \"2026-12-20\"", in, key);
    if (das_time_parse(whole, &at, &err) == 0)
        return at;
    das_buf_printf(&b, "%s%s", text, day ? "T00:00:00Z" : "Z");
    good = !b.failed && das_time_parse(das_buf_view(&b), &at, &err) == 0;
    das_buf_clear(&b);
    if (!good)
        luaL_error(L,
                   "%s.%s: expected a day such as \"2026-12-20\" or a time such as "
                   "\"2026-12-20T18:00\", got \"%s\"",
                   in, key, text);
    return das_zone_instant(z, at + (day && end ? DAS_DAY : 0), end);
}

/* (table, span, where a zone is kept that the caller frees, also after an error, name) */
static int read_freeze(lua_State *L)
{
    static const char *const allowed[] = {"from", "to", "tz", "name"};
    struct das_span *f = lua_touserdata(L, 2);
    struct das_zone **zone = lua_touserdata(L, 3);
    const char *in = lua_tostring(L, 4), *name;

    das_config_keys(L, 1, in, allowed, sizeof allowed / sizeof *allowed);
    name = das_config_text(L, 1, in, "name");
    if (name && !(f->name = das_strdup(name)))
        return luaL_error(L, "out of memory");
    *zone = read_zone(L, 1, in);
    f->from = read_moment(L, 1, in, "from", *zone, false);
    f->to = read_moment(L, 1, in, "to", *zone, true);
    if (f->to <= f->from)
        return luaL_error(L, "%s: it ends before it begins", in);
    return 0;
}

static void read_freezes(lua_State *L, int t, const char *where, struct das_policy_rules *to)
{
    int64_t n = das_config_open_list(L, t, where, "freezes",
                          "a list such as { { from = \"2026-12-20\", to = \"2027-01-03\" } }");
    int list = lua_gettop(L);
    struct das_span *bigger;

    if (n < 0)
        return;
    bigger = das_grow(to->freezes, to->freeze_count + (size_t)n, sizeof *bigger);
    if (!bigger && n)
        luaL_error(L, "out of memory");
    if (bigger)
        to->freezes = bigger;
    for (int64_t i = 0; i < n; i++) {
        struct das_span *f = &to->freezes[to->freeze_count++];
        struct das_zone *zone = NULL;
        const char *in = lua_pushfstring(L, "%sfreezes[%d]", where, (int)i + 1);
        int rc;
        memset(f, 0, sizeof *f);
        lua_pushcfunction(L, read_freeze);
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        lua_pushlightuserdata(L, f);
        lua_pushlightuserdata(L, &zone);
        lua_pushstring(L, in);
        rc = lua_pcall(L, 4, 0, 0);
        das_zone_free(zone);
        if (rc != LUA_OK)
            lua_error(L);
        lua_settop(L, list);
    }
    lua_pop(L, 1);
}

/* --- what config.c asks for ------------------------------------------------------------------- */

void das_config_policy(lua_State *L, int t, const char *where, struct das_policy_rules *to)
{
    read_windows(L, t, where, to);
    read_freezes(L, t, where, to);
    read_breaker(L, t, where, &to->breaker);
    das_config_bool(L, t, where, "ramp", &to->ramp);
    das_config_duration(L, t, where, "outcome_wait", OUTCOME_WAIT_MAX_MS, &to->outcome_wait_ms);
}

void das_config_mode(lua_State *L, int t, const char *where, struct das_policy_rules *to)
{
    static const char *const names[] = {"observe", "notify", "approve", "auto"};
    const char *near;
    int mode;

    if (das_config_has(L, t, "mode")) {
        if (lua_type(L, -1) != LUA_TSTRING)
            das_config_expected(L, where, "mode", "observe, notify, approve or auto");
        mode = das_policy_mode_find(lua_tostring(L, -1));
        near = mode < 0 ? das_nearest(lua_tostring(L, -1), names, 4) : NULL;
        if (near)
            luaL_error(L, "%smode: unknown mode \"%s\"; did you mean \"%s\"?", where,
                       lua_tostring(L, -1), near);
        if (mode < 0)
            das_config_expected(L, where, "mode", "observe, notify, approve or auto");
        to->mode = (enum das_policy_mode)mode;
        to->mode_is_set = true;
    }
    lua_pop(L, 1);
}

void das_config_journal(lua_State *L, int t, struct das_policy_rules *to)
{
    static const char *const allowed[] = {"redact_sql"};
    int at = open_table(L, t, "", "journal", allowed, 1);

    if (!at)
        return;
    das_config_bool(L, at, "journal.", "redact_sql", &to->redact_sql);
    lua_settop(L, at - 1);
}

void das_config_state(lua_State *L, int t, struct das_rules *to)
{
    if (das_config_has(L, t, "state")) {
        if (lua_type(L, -1) != LUA_TSTRING || lua_tostring(L, -1)[0] != '/')
            das_config_expected(L, "", "state", "the absolute path of a folder");
        das_free(to->state_dir);
        to->state_dir = das_strdup(lua_tostring(L, -1));
        if (!to->state_dir)
            luaL_error(L, "out of memory");
    }
    lua_pop(L, 1);
}
