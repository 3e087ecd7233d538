/* cloud_args.c - tables of options of what asks the cloud (see cloud_impl.h). */
#include "bindings/cloud_impl.h"

#include <string.h>

#include "core/base/calendar.h"
#include "core/base/clock.h"

#define DAY_MS ((int64_t)86400 * 1000)
#define SECONDS_BELOW 100000000000LL /* a moment below that is in seconds */

/* Pushes the option [-0, +1]; false and nil: it is not there. */
static bool has(lua_State *L, int t, const char *key)
{
    if (lua_istable(L, t))
        lua_getfield(L, t, key);
    else
        lua_pushnil(L);
    return !lua_isnil(L, -1);
}

/* What was found at the top of the stack. */
static int expected(lua_State *L, const char *what, const char *key, const char *words)
{
    int type = lua_type(L, -1);

    return das_raise(L, "%s: %s: expected %s, got %s", what, key, words,
                     type == LUA_TNUMBER || type == LUA_TSTRING ? lua_tostring(L, -1)
                                                                : luaL_typename(L, -1));
}

const char *das_opt_text(lua_State *L, int t, const char *what, const char *key)
{
    const char *text;

    if (!has(L, t, key))
        return NULL;
    if (lua_type(L, -1) != LUA_TSTRING)
        expected(L, what, key, "a string");
    text = lua_tostring(L, -1);
    if (strlen(text) != lua_rawlen(L, -1))
        das_raise(L, "%s: %s: expected text without NUL bytes", what, key);
    return *text ? text : NULL;
}

const char *das_opt_word(lua_State *L, int t, const char *what, const char *key,
                         char to[DAS_WORD_SIZE])
{
    const char *text = das_opt_text(L, t, what, key);
    size_t len = text ? strlen(text) : 0;

    if (len >= DAS_WORD_SIZE)
        das_raise(L, "%s: %s: expected at most %d bytes, got %d", what, key, DAS_WORD_SIZE - 1,
                  (int)len);
    if (text)
        memcpy(to, text, len + 1);
    lua_pop(L, 1);
    return text ? to : NULL;
}

void das_opt_count(lua_State *L, int t, const char *what, const char *key, int64_t least,
                   int64_t most, int64_t *to)
{
    int is_int = 0;
    lua_Integer n;

    if (has(L, t, key)) {
        n = lua_tointegerx(L, -1, &is_int);
        if (!is_int || lua_type(L, -1) != LUA_TNUMBER || n < least || n > most) {
            lua_pushfstring(L, "a whole number from %I to %I", (LUAI_UACINT)least,
                            (LUAI_UACINT)most);
            lua_insert(L, -2);
            expected(L, what, key, lua_tostring(L, -2));
        }
        *to = n;
    }
    lua_pop(L, 1);
}

/* A duration at the top of the stack: seconds, or text. */
static bool read_ms(lua_State *L, int64_t *ms)
{
    struct das_text text;
    double v;

    if (lua_type(L, -1) == LUA_TNUMBER) {
        v = lua_tonumber(L, -1);
        *ms = v >= 0 && v <= 1e9 ? (int64_t)(v * 1000 + 0.5) : -1;
        return *ms >= 0;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        return false;
    text.ptr = lua_tolstring(L, -1, &text.len);
    return das_parse_duration_ms(text, ms) && *ms >= 0;
}

void das_opt_ms(lua_State *L, int t, const char *what, const char *key, int64_t *to)
{
    if (has(L, t, key) && !read_ms(L, to))
        expected(L, what, key, "seconds, 0 or more, or a duration such as \"30s\"");
    lua_pop(L, 1);
}

static bool read_moment(lua_State *L, int64_t now_ms, int64_t *to)
{
    struct das_text text;
    struct das_err ignored;
    int64_t n = -1;
    int is_int;

    if (lua_type(L, -1) == LUA_TNUMBER) {
        n = lua_tointegerx(L, -1, &is_int);
        *to = n < SECONDS_BELOW ? n * 1000 : n;
        return is_int && n >= 0;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        return false;
    text.ptr = lua_tolstring(L, -1, &text.len);
    if (das_parse_duration_ms(text, &n)) { /* so long ago */
        *to = now_ms - n;
        return n >= 0 && n <= now_ms;
    }
    if (das_time_parse(text, &n, &ignored) < 0)
        return false;
    *to = n * 1000;
    return n >= 0;
}

void das_opt_span(lua_State *L, int t, const char *what, int64_t *from_ms, int64_t *to_ms)
{
    static const char *const words =
        "Unix seconds or milliseconds, so long ago (\"2h\") or a moment "
        "(\"2026-11-24T03:17:05Z\")";
    int64_t now = das_clock_unix_ms();

    *to_ms = now;
    if (has(L, t, "to") && !read_moment(L, now, to_ms))
        expected(L, what, "to", words);
    *from_ms = *to_ms > DAY_MS ? *to_ms - DAY_MS : 0;
    if (has(L, t, "from") && !read_moment(L, now, from_ms))
        expected(L, what, "from", words);
    if (*from_ms > *to_ms)
        das_raise(L, "%s: from: expected a moment before that of to", what);
    lua_pop(L, 2);
}

void das_opt_type(lua_State *L, int t, const char *what, char to[DAS_WORD_SIZE])
{
    static const char *const allowed[] = {"datastore_type"};

    das_check_options(L, t, what, allowed, 1);
    if (!das_opt_word(L, t, what, "datastore_type", to))
        memcpy(to, "MySQL", 6);
}

int das_cloud_type_options(lua_State *L)
{
    char type[DAS_WORD_SIZE];

    das_opt_type(L, 1, "instances and nodes", type);
    return 0;
}
