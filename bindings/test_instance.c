/*
 * test_instance.c - the instances of a test: sessions from a table or a recording, in memory, that
 * the test changes as it likes.
 */
#include <string.h>

#include "bindings/test_impl.h"
#include "core/base/mem.h"
#include "core/source/memory.h"
#include "core/source/recording.h"

struct das_test_instance *das_test_instance_check(lua_State *L, int arg)
{
    struct das_test_instance *i = luaL_checkudata(L, arg, DAS_TEST_INSTANCE);

    luaL_argcheck(L, i->source, arg, "this instance was never finished");
    return i;
}

static int instance_gc(lua_State *L)
{
    struct das_test_instance *i = luaL_checkudata(L, 1, DAS_TEST_INSTANCE);

    das_source_close(i->source);
    das_free(i->name);
    i->source = NULL;
    i->name = NULL;
    return 0;
}

/* --- a session from a table -------------------------------------------------------------------------- */

/* The names of a filter are understood, too: a test says time = 60 as the policy does. */
static const char *const fields[] = {
    "id",         "user",     "host",     "db",       "command",       "state",         "sql_info",
    "info",       "time",     "state_duration", "time_ms", "query_id", "trx_time",
    "rows_modified", "rows_examined", "progress", "trx_id", "blocked_by",
};

#define WHAT_SIZE 60

/* Text that lives in the table; false is NULL. False: it is not there. */
static bool get_text(lua_State *L, int t, const char *what, const char *key, struct das_text *out)
{
    int type = lua_getfield(L, t, key);

    if (type == LUA_TSTRING)
        out->ptr = lua_tolstring(L, -1, &out->len);
    else if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1))
        *out = DAS_TEXT_NULL;
    else if (type != LUA_TNIL)
        das_raise(L, "%s: %s: expected a string, or false for NULL, got %s", what, key,
                  luaL_typename(L, -1));
    lua_pop(L, 1);
    return type != LUA_TNIL;
}

/* A whole number from 0 up, or "unknown"; false is absent. */
static bool get_number(lua_State *L, int t, const char *what, const char *key, int64_t absent,
                       int64_t *out)
{
    int type = lua_getfield(L, t, key), whole = 0;

    if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) {
        *out = absent;
    } else if (type == LUA_TSTRING && strcmp(lua_tostring(L, -1), "unknown") == 0) {
        *out = DAS_UNKNOWN;
    } else if (type != LUA_TNIL) {
        lua_Integer n = type == LUA_TNUMBER ? lua_tointegerx(L, -1, &whole) : 0;
        if (!whole || n < 0)
            das_raise(L, "%s: %s: expected a whole number from 0 up%s, got %s", what, key,
                      absent == DAS_ABSENT ? ", or false for none" : ", or false for unknown",
                      type == LUA_TNUMBER ? lua_tostring(L, -1) : luaL_typename(L, -1));
        *out = n;
    }
    lua_pop(L, 1);
    return type != LUA_TNIL;
}

/* Whole seconds, or a duration such as "5m". */
static bool get_seconds(lua_State *L, int t, const char *what, const char *key, int64_t absent,
                        int64_t *out)
{
    struct das_text text;
    int64_t n = -1;

    if (lua_getfield(L, t, key) != LUA_TSTRING || strcmp(lua_tostring(L, -1), "unknown") == 0) {
        lua_pop(L, 1);
        return get_number(L, t, what, key, absent, out);
    }
    text.ptr = lua_tolstring(L, -1, &text.len);
    if (!das_parse_duration(text, &n) || n < 0)
        das_raise(L, "%s: %s: expected seconds or a duration such as \"5m\", got \"%s\"", what, key,
                  text.ptr);
    *out = n;
    lua_pop(L, 1);
    return true;
}

/* One of two names for the same thing. */
static void not_both(lua_State *L, int t, const char *what, const char *a, const char *b)
{
    int top = lua_gettop(L);

    if (lua_getfield(L, t, a) != LUA_TNIL && lua_getfield(L, t, b) != LUA_TNIL)
        das_raise(L, "%s: %s and %s are one field: expected one of them", what, a, b);
    lua_settop(L, top);
}

/* What a table says of itself, where the rest is guessed from it. */
struct given {
    bool command, info, time, time_ms, query_id, trx_time, rows;
};

/* What the table at t says, over what s is already. */
static void get_fields(lua_State *L, int t, const char *what, struct das_session *s, struct given *g)
{
    not_both(L, t, what, "info", "sql_info");
    not_both(L, t, what, "time", "state_duration");
    get_text(L, t, what, "user", &s->user);
    get_text(L, t, what, "host", &s->host);
    get_text(L, t, what, "db", &s->db);
    g->command = get_text(L, t, what, "command", &s->command);
    get_text(L, t, what, "state", &s->state);
    g->info = get_text(L, t, what, "info", &s->sql_info) ||
              get_text(L, t, what, "sql_info", &s->sql_info);
    g->time = get_seconds(L, t, what, "time", DAS_UNKNOWN, &s->state_duration) ||
              get_seconds(L, t, what, "state_duration", DAS_UNKNOWN, &s->state_duration);
    g->time_ms = get_number(L, t, what, "time_ms", DAS_UNKNOWN, &s->time_ms);
    g->query_id = get_number(L, t, what, "query_id", DAS_UNKNOWN, &s->query_id);
    g->trx_time = get_seconds(L, t, what, "trx_time", DAS_ABSENT, &s->trx_time);
    g->rows = get_number(L, t, what, "rows_modified", DAS_ABSENT, &s->rows_modified);
    get_number(L, t, what, "rows_examined", DAS_UNKNOWN, &s->rows_examined);
    get_number(L, t, what, "trx_id", DAS_ABSENT, &s->trx_id);
    get_number(L, t, what, "blocked_by", DAS_ABSENT, &s->blocked_by);
    if (lua_getfield(L, t, "progress") != LUA_TNIL) {
        double percent = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(percent >= 0 && percent <= 100))
            das_raise(L, "%s: progress: expected 0 to 100 (per cent), got %s", what,
                      luaL_tolstring(L, -1, NULL));
        s->progress = (int64_t)(percent * 1000);
    }
    lua_pop(L, 1);
}

static void fill_numbers(struct das_session *s, const struct given *g)
{
    s->state_duration = das_session_clean_time(s->state_duration);
    if (g->time && !g->time_ms)
        s->time_ms = das_known(s->state_duration) ? s->state_duration * 1000 : DAS_UNKNOWN;
    if (!g->trx_time || g->rows)
        return;
    if (!das_known(s->trx_time))
        s->rows_modified = s->trx_time; /* unknown, or there is no transaction */
    else if (!das_known(s->rows_modified))
        s->rows_modified = 0;
}

/* [-0, +1] an id for a message: das_raise() has no 64 bits. */
static const char *id_text(lua_State *L, int64_t id)
{
    lua_pushinteger(L, id);
    return lua_tostring(L, -1);
}

/* A session that comes. what is for messages. */
static void read_new(lua_State *L, int t, const char *what, struct das_test_instance *to,
                     struct das_session *s)
{
    struct given g;

    das_check_options(L, t, what, fields, sizeof fields / sizeof *fields);
    das_session_unknown(s);
    s->id = to->next_id;
    s->user = das_text_of("app");
    s->host = das_text_of("10.0.0.1:1");
    s->state = das_text_of("");
    s->state_duration = s->time_ms = 0;
    s->query_id = to->next_query;
    s->trx_time = s->rows_modified = s->trx_id = s->blocked_by = DAS_ABSENT;
    get_number(L, t, what, "id", 0, &s->id);
    if (s->id < 1)
        das_raise(L, "%s: id: expected a whole number from 1 up", what);
    get_fields(L, t, what, s, &g);
    if (!g.command)
        s->command = das_text_of(s->sql_info.ptr ? "Query" : "Sleep");
    fill_numbers(s, &g);
}

/* A session that is there and does something else now: another statement has a time and a number
 * of its own, unless they are given. */
static void read_change(lua_State *L, int t, const char *what, struct das_test_instance *to,
                        struct das_session *s)
{
    struct das_session before = *s;
    struct given g;
    bool sleeps;

    das_check_options(L, t, what, fields + 1, sizeof fields / sizeof *fields - 1);
    get_fields(L, t, what, s, &g);
    sleeps = das_text_iis(s->command, "Sleep");
    if (g.info && s->sql_info.ptr && !g.command && sleeps) {
        s->command = das_text_of("Query");
        sleeps = false;
    }
    if (g.command && sleeps && !g.info)
        s->sql_info = DAS_TEXT_NULL;
    if (!das_text_eq(before.command, s->command) || !das_text_eq(before.sql_info, s->sql_info) ||
        (g.info && s->sql_info.ptr)) {
        if (!g.time)
            s->state_duration = s->time_ms = 0;
        if (!g.query_id && !sleeps)
            s->query_id = to->next_query;
    }
    fill_numbers(s, &g);
}

static void counted(struct das_test_instance *i, const struct das_session *s)
{
    if (s->id >= i->next_id && s->id < INT64_MAX)
        i->next_id = s->id + 1;
    if (das_known(s->query_id) && s->query_id >= i->next_query && s->query_id < INT64_MAX)
        i->next_query = s->query_id + 1;
}

/* --- making one ----------------------------------------------------------------------------------------- */

/* The snapshot of a box on the stack, so that an error leaks nothing. */
#define SNAPSHOT "das.test.snapshot"

static int snapshot_gc(lua_State *L)
{
    das_snapshot_release(*(struct das_snapshot **)luaL_checkudata(L, 1, SNAPSHOT));
    return 0;
}

static struct das_snapshot **push_snapshot(lua_State *L)
{
    struct das_snapshot **p = lua_newuserdatauv(L, sizeof *p, 0);

    *p = NULL;
    if (luaL_newmetatable(L, SNAPSHOT)) {
        lua_pushcfunction(L, snapshot_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return p;
}

static void from_table(lua_State *L, int list, struct das_test_instance *i,
                       struct das_snapshot **snap)
{
    struct das_session s;
    struct das_err err;
    char what[WHAT_SIZE];
    lua_Unsigned n = lua_rawlen(L, list);

    *snap = das_snapshot_new(&err);
    if (!*snap)
        das_raise(L, "%s", err.msg);
    for (lua_Unsigned k = 1; k <= n; k++) {
        snprintf(what, sizeof what, "t.instance: sessions[%llu]", (unsigned long long)k);
        if (lua_rawgeti(L, list, (lua_Integer)k) != LUA_TTABLE)
            das_raise(L, "%s: expected a table, got %s", what, luaL_typename(L, -1));
        read_new(L, lua_gettop(L), what, i, &s);
        if (das_snapshot_find(*snap, s.id) >= 0)
            das_raise(L, "%s: id: %s is there twice", what, id_text(L, s.id));
        if (das_snapshot_add(*snap, &s, &err) < 0)
            das_raise(L, "%s: %s", what, err.msg);
        counted(i, &s);
        lua_pop(L, 1);
    }
}

/* The number-th snapshot, or the last one that is not later than at_ms after the first. */
static int find_snapshot(struct das_recording *r, const char *path, int64_t number, int64_t at_ms,
                         struct das_snapshot **out, struct das_err *err)
{
    struct das_snapshot *next = NULL;
    int64_t count = 0, first = 0;
    int rc;

    while ((rc = das_recording_next(r, &next, err)) == 1) {
        count++;
        if (count == 1)
            first = das_recording_time_ms(r);
        if (at_ms >= 0 && count > 1 && das_recording_time_ms(r) - first > at_ms) {
            das_snapshot_release(next);
            return 0;
        }
        das_snapshot_release(*out);
        *out = next;
        if (at_ms < 0 && count == number)
            return 0;
    }
    if (rc == 0 && at_ms < 0)
        return das_fail(err, DAS_E_DATA, "%s: there is no snapshot %lld: it holds %lld", path,
                        (long long)number, (long long)count);
    if (rc == 0 && !*out)
        return das_fail(err, DAS_E_DATA, "%s: there is no snapshot of that instance", path);
    return rc;
}

static void from_recording(lua_State *L, int t, struct das_test_instance *i,
                           struct das_snapshot **snap)
{
    struct das_snapshot **found = push_snapshot(L);
    struct das_recording *r = NULL;
    int64_t number = 1, at = -1;
    struct das_session s;
    struct das_err err;
    const char *path;
    int rc;

    lua_getfield(L, t, "recording");
    path = das_bench_path(L, das_bench_of(L), "t.instance: recording", luaL_checkstring(L, -1));
    das_bench_used(das_bench_of(L), path);
    if (lua_getfield(L, t, "of") != LUA_TNIL && lua_type(L, -1) != LUA_TSTRING)
        das_raise(L, "t.instance: of: expected the name of an instance, got %s", luaL_typename(L, -1));
    get_number(L, t, "t.instance", "snapshot", 0, &number);
    get_seconds(L, t, "t.instance", "at", 0, &at);
    if (number < 1)
        das_raise(L, "t.instance: snapshot: expected a number from 1 up");
    if (at > INT32_MAX)
        das_raise(L, "t.instance: at: expected %d seconds at the most", INT32_MAX);
    if (das_recording_open(path, &r, &err) < 0)
        das_raise(L, "t.instance: recording: %s", err.msg);
    das_recording_only_of(r, lua_tostring(L, -1));
    rc = find_snapshot(r, path, number, at < 0 ? -1 : at * 1000, found, &err);
    das_recording_close(r);
    /* a copy of its own: what the reader gave may be shared */
    if (rc == 0 && !(*snap = das_snapshot_replace(*found, INT64_MIN, NULL, &err)))
        rc = -1;
    if (rc < 0)
        das_raise(L, "t.instance: recording: %s", err.msg);
    for (uint32_t row = 0; row < das_snapshot_rows(*snap); row++) {
        das_snapshot_get(*snap, row, &s);
        counted(i, &s);
    }
}

/* open(name, options): an instance; options has sessions or recording. */
static int instance_open(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct das_test_instance *i;
    struct das_snapshot **snap;
    struct das_err err;

    lua_settop(L, 2);
    i = lua_newuserdatauv(L, sizeof *i, 0); // 3
    memset(i, 0, sizeof *i);
    luaL_setmetatable(L, DAS_TEST_INSTANCE);
    i->next_id = i->next_query = 1;
    snap = push_snapshot(L); // 4
    if (lua_getfield(L, 2, "sessions") == LUA_TTABLE) // 5
        from_table(L, 5, i, snap);
    else
        from_recording(L, 2, i, snap);
    i->name = das_strdup(name);
    das_snapshot_set_time(*snap, das_clock_unix_ms() / 1000);
    if (!i->name)
        return luaL_error(L, "out of memory");
    if (das_memory_open(*snap, name, &i->source, &err) < 0)
        return das_raise(L, "t.instance: %s", err.msg);
    lua_settop(L, 3);
    return 1;
}

/* --- changing it ------------------------------------------------------------------------------------------ */

static struct das_snapshot *push_list(lua_State *L, struct das_test_instance *i)
{
    struct das_snapshot **snap = push_snapshot(L);
    struct das_err err;

    if (das_source_list(i->source, NULL, snap, &err) < 0)
        das_raise(L, "%s", err.msg);
    return *snap;
}

static int put(lua_State *L, struct das_test_instance *i, const char *what,
               const struct das_session *s)
{
    struct das_err err;

    if (das_memory_put(i->source, s, &err) < 0)
        return das_raise(L, "%s: %s", what, err.msg);
    counted(i, s);
    lua_pushinteger(L, s->id);
    return 1;
}

/* add(instance, {...}): the id. */
static int instance_add(lua_State *L)
{
    struct das_test_instance *i = das_test_instance_check(L, 1);
    struct das_session s;

    if (!lua_istable(L, 2))
        return das_raise(L, "db:add: expected a table, got %s", luaL_typename(L, 2));
    lua_settop(L, 2);
    read_new(L, 2, "db:add", i, &s);
    if (das_snapshot_find(push_list(L, i), s.id) >= 0)
        return das_raise(L, "db:add: id: %s is there already; db:update changes it",
                         id_text(L, s.id));
    return put(L, i, "db:add", &s);
}

static lua_Integer check_id(lua_State *L, const char *what)
{
    int whole;
    lua_Integer id = lua_tointegerx(L, 2, &whole);

    if (!whole || lua_type(L, 2) != LUA_TNUMBER)
        das_raise(L, "%s: expected the id of a session, got %s", what, luaL_typename(L, 2));
    return id;
}

static int no_such(lua_State *L, const char *what, lua_Integer id, const struct das_test_instance *i)
{
    return das_raise(L, "%s: there is no session %s in %s", what, id_text(L, id), i->name);
}

/* update(instance, id, {...}) */
static int instance_update(lua_State *L)
{
    struct das_test_instance *i = das_test_instance_check(L, 1);
    lua_Integer id = check_id(L, "db:update");
    struct das_snapshot *now;
    struct das_session s;
    int64_t row;

    if (!lua_istable(L, 3))
        return das_raise(L, "db:update: expected a table, got %s", luaL_typename(L, 3));
    lua_settop(L, 3);
    now = push_list(L, i);
    row = das_snapshot_find(now, id);
    if (row < 0)
        return no_such(L, "db:update", id, i);
    das_snapshot_get(now, (uint32_t)row, &s);
    read_change(L, 3, "db:update", i, &s);
    return put(L, i, "db:update", &s);
}

/* remove(instance, id) */
static int instance_remove(lua_State *L)
{
    struct das_test_instance *i = das_test_instance_check(L, 1);
    lua_Integer id = check_id(L, "db:remove");
    struct das_err err;

    if (das_memory_remove(i->source, id, &err) == 0)
        return 0;
    if (err.code == DAS_E_USAGE)
        return no_such(L, "db:remove", id, i);
    return das_raise(L, "db:remove: %s", err.msg);
}

/* sessions(instance): those that are there now. */
static int instance_sessions(lua_State *L)
{
    struct das_snapshot *now = push_list(L, das_test_instance_check(L, 1));
    uint32_t n = das_snapshot_rows(now);

    lua_createtable(L, (int)n, 0);
    for (uint32_t row = 0; row < n; row++) {
        das_push_session(L, now, row);
        lua_rawseti(L, -2, (lua_Integer)row + 1);
    }
    return 1;
}

/* down(instance, why): nobody reaches it; without why it is there again. */
static int instance_down(lua_State *L)
{
    struct das_test_instance *i = das_test_instance_check(L, 1);
    struct das_err err;

    if (das_memory_down(i->source, luaL_optstring(L, 2, NULL), &err) < 0)
        return das_raise(L, "db:down: %s", err.msg);
    return 0;
}

void das_open_test_instance(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"open", instance_open},     {"add", instance_add},           {"update", instance_update},
        {"remove", instance_remove}, {"sessions", instance_sessions},
        {"down", instance_down},     {NULL, NULL},
    };

    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, DAS_TEST_INSTANCE);
    lua_pushcfunction(L, instance_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
