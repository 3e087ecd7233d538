/*
 * session.c - one row of a preview as Lua sees it: s.id, s.user, s.state_duration, ...
 *
 * A session value holds a reference to its snapshot and a row number; nothing is copied before a
 * field is asked for.
 */
#include "bindings/bind.h"

#include <string.h>

#include "core/session/fingerprint.h"
#include "core/session/render.h"

/* What a session has besides its columns. */
static const char *const extra_fields[] = {"host_part", "fingerprint", "disputed"};
#define EXTRA_FIELDS (sizeof extra_fields / sizeof *extra_fields)

void das_push_session(lua_State *L, struct das_snapshot *snap, uint32_t row)
{
    struct das_session_box *box = lua_newuserdatauv(L, sizeof *box, 0);

    box->snap = NULL;
    box->row = row;
    luaL_setmetatable(L, DAS_SESSION);
    box->snap = das_snapshot_retain(snap);
}

static void check_session(lua_State *L, int arg, struct das_session *out)
{
    struct das_session_box *box = luaL_checkudata(L, arg, DAS_SESSION);

    luaL_argcheck(L, box->snap, arg, "this session was never finished");
    das_snapshot_get(box->snap, box->row, out);
}

static void push_field(lua_State *L, const struct das_session *s, enum das_field f)
{
    if (das_field_is_text(f))
        das_push_text(L, das_session_text(s, f));
    else if (f == DAS_F_PROGRESS && das_known(s->progress))
        lua_pushnumber(L, (double)s->progress / 1000);
    else
        das_push_number(L, das_session_int(s, f));
}

static size_t session_names(const char *names[DAS_F_COUNT + EXTRA_FIELDS])
{
    size_t n = 0;

    for (int f = 0; f < DAS_F_COUNT; f++)
        names[n++] = das_field_name((enum das_field)f);
    for (size_t i = 0; i < EXTRA_FIELDS; i++)
        names[n++] = extra_fields[i];
    return n;
}

static int session_fields(lua_State *L)
{
    const char *names[DAS_F_COUNT + EXTRA_FIELDS];

    return das_push_names(L, names, session_names(names));
}

static int no_such_field(lua_State *L, const char *name)
{
    /* the names that the request's side of the API and other tools use */
    static const struct {
        const char *wrong, *right;
    } known[] = {
        {"time", "state_duration"}, {"info", "sql_info"}, {"sql", "sql_info"},
        {"query", "sql_info"},      {"duration", "state_duration"},
    };
    const char *names[DAS_F_COUNT + EXTRA_FIELDS];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].wrong) == 0)
            return das_raise(L, "a session has no field \"%s\"; did you mean \"%s\"?", name,
                             known[i].right);
    }
    return das_no_field(L, "a session", name, names, session_names(names), 0);
}

static int session_index(lua_State *L)
{
    struct das_session s;
    struct das_text name;
    struct das_buf *b;
    int field;

    check_session(L, 1, &s);
    if (lua_type(L, 2) != LUA_TSTRING)
        return das_raise(L, "a session has named fields only, got %s", luaL_typename(L, 2));
    name.ptr = lua_tolstring(L, 2, &name.len);
    field = das_field_find(name);
    if (field >= 0) {
        push_field(L, &s, (enum das_field)field);
        return 1;
    }
    if (das_text_is(name, "host_part")) {
        das_push_text(L, das_host_part(s.host));
        return 1;
    }
    if (das_text_is(name, "fingerprint")) {
        if (!s.sql_info.ptr)
            return 0;
        b = das_scratch(L);
        das_fingerprint(s.sql_info, b);
        das_push_buf(L, b);
        return 1;
    }
    if (das_text_is(name, "disputed")) {
        lua_pushboolean(L, s.disputed);
        return 1;
    }
    return no_such_field(L, name.ptr);
}

/* for name, value in pairs(session): the columns that have a value. Upvalue: the next column. */
static int session_next(lua_State *L)
{
    struct das_session s;
    int f = (int)lua_tointeger(L, lua_upvalueindex(1));

    check_session(L, 1, &s);
    for (; f < DAS_F_COUNT; f++) {
        push_field(L, &s, (enum das_field)f);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushinteger(L, f + 1);
        lua_replace(L, lua_upvalueindex(1));
        lua_pushstring(L, das_field_name((enum das_field)f));
        lua_insert(L, -2); // name value
        return 2;
    }
    return 0;
}

static int session_pairs(lua_State *L)
{
    struct das_session s;

    check_session(L, 1, &s);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, session_next, 1);
    lua_pushvalue(L, 1);
    return 2;
}

void das_session_line(const struct das_session *s, struct das_buf *b)
{
    das_buf_printf(b, "%lld ", (long long)s->id);
    das_render_cell(s->user, 64, b);
    das_buf_char(b, '@');
    das_render_cell(s->host, 64, b);
    das_buf_str(b, " db=");
    das_render_cell(s->db, 64, b);
    das_buf_char(b, ' ');
    das_render_cell(s->command, 40, b);
    if (das_known(s->state_duration))
        das_buf_printf(b, " %lld s", (long long)s->state_duration);
    else
        das_buf_str(b, " ? s");
    if (s->sql_info.ptr) {
        das_buf_str(b, ": ");
        das_render_cell(s->sql_info, 200, b);
    }
}

static int session_tostring(lua_State *L)
{
    struct das_session s;
    struct das_buf *b;

    check_session(L, 1, &s);
    b = das_scratch(L);
    das_session_line(&s, b);
    das_push_buf(L, b);
    return 1;
}

static int session_eq(lua_State *L)
{
    struct das_session_box *a = luaL_testudata(L, 1, DAS_SESSION);
    struct das_session_box *b = luaL_testudata(L, 2, DAS_SESSION);

    lua_pushboolean(L, a && b && a->snap == b->snap && a->row == b->row);
    return 1;
}

static int session_gc(lua_State *L)
{
    struct das_session_box *box = luaL_checkudata(L, 1, DAS_SESSION);

    das_snapshot_release(box->snap);
    box->snap = NULL;
    return 0;
}

void das_open_session(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__pairs", session_pairs}, {"__tostring", session_tostring},
        {"__eq", session_eq},       {"__gc", session_gc},
        {"__fields", session_fields}, {NULL, NULL},
    };

    das_class(L, DAS_SESSION, meta, NULL, session_index);
}
