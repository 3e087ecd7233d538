/* filter.c - das.filter: a table of criteria in, an immutable filter out; & | ~ compose. */
#include "bindings/bind.h"

#include <string.h>

/* A list of ids at the top of the stack, as a block that the state owns [-0, +1]. */
static void read_ids(lua_State *L, struct das_value *v)
{
    lua_Unsigned n = lua_rawlen(L, -1);
    int list = lua_gettop(L);
    int64_t *ids;

    if (n > DAS_IDS_MAX)
        das_raise(L, "id: expected at most %d ids", DAS_IDS_MAX);
    ids = lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof *ids, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        int is_int = 0;
        if (lua_rawgeti(L, list, (lua_Integer)i + 1) == LUA_TNUMBER)
            ids[i] = lua_tointegerx(L, -1, &is_int);
        if (!is_int)
            das_raise(L, "id: expected a list of whole numbers, item %d is %s", (int)i + 1,
                      lua_type(L, -1) == LUA_TNUMBER ? lua_tostring(L, -1) : luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    v->kind = DAS_V_INTS;
    v->ints = ids;
    v->count = (size_t)n;
}

/* The value at the top of the stack; may leave one more there. */
static void read_value(lua_State *L, const char *key, struct das_value *v)
{
    memset(v, 0, sizeof *v);
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
        v->kind = DAS_V_BOOL;
        v->boolean = lua_toboolean(L, -1);
        return;
    case LUA_TNUMBER:
        v->kind = lua_isinteger(L, -1) ? DAS_V_INT : DAS_V_NUMBER;
        v->integer = lua_tointeger(L, -1);
        v->number = lua_tonumber(L, -1);
        return;
    case LUA_TSTRING:
        v->kind = DAS_V_TEXT;
        v->text.ptr = lua_tolstring(L, -1, &v->text.len);
        return;
    case LUA_TTABLE:
        if (strcmp(key, "id") == 0) {
            read_ids(L, v);
            return;
        }
        /* fall through */
    default:
        v->kind = DAS_V_OTHER;
        v->type_name = luaL_typename(L, -1);
    }
}

/* [-0, +1] a new filter box from the table at arg. */
static void filter_from_table(lua_State *L, int arg)
{
    struct das_box *box;
    struct das_value value;
    struct das_err err;

    luaL_checkstack(L, 6, NULL);
    box = das_box_push(L, DAS_FILTER); // box
    box->object = das_filter_new(&err);
    if (!box->object)
        das_raise(L, "%s", err.msg);
    lua_pushnil(L);
    while (lua_next(L, arg)) { // box key value
        int top = lua_gettop(L);
        if (lua_type(L, -2) != LUA_TSTRING)
            das_raise(L, "a filter is a table of named criteria such as {user = \"app%%\"}; got "
                         "an item without a name");
        read_value(L, lua_tostring(L, -2), &value);
        if (das_filter_set(box->object, lua_tostring(L, top - 1), &value, &err) < 0)
            das_raise(L, "%s", err.msg);
        lua_settop(L, top - 1); // box key
    }
    das_box_charge(L, box, das_filter_bytes(box->object));
}

struct das_filter *das_check_filter(lua_State *L, int arg)
{
    struct das_box *box = das_box_test(L, arg, DAS_FILTER);

    if (box)
        return box->object;
    if (!lua_istable(L, arg))
        das_raise(L, "expected a filter or a table of criteria, got %s", luaL_typename(L, arg));
    filter_from_table(L, arg);
    lua_replace(L, arg);
    box = das_box_check(L, arg, DAS_FILTER);
    return box->object;
}

static int compose(lua_State *L,
                   struct das_filter *(*op)(struct das_filter *, struct das_filter *,
                                            struct das_err *))
{
    struct das_filter *a = das_check_filter(L, 1), *b = das_check_filter(L, 2);
    struct das_box *box = das_box_push(L, DAS_FILTER);
    struct das_err err;

    box->object = op(a, b, &err);
    if (!box->object)
        return das_raise(L, "%s", err.msg);
    das_box_hold(L, 1, 1);
    das_box_hold(L, 2, 2);
    das_box_charge(L, box, das_filter_bytes(box->object));
    return 1;
}

static int filter_and(lua_State *L)
{
    return compose(L, das_filter_and);
}

static int filter_or(lua_State *L)
{
    return compose(L, das_filter_or);
}

static int filter_not(lua_State *L)
{
    struct das_filter *a = das_check_filter(L, 1);
    struct das_box *box = das_box_push(L, DAS_FILTER);
    struct das_err err;

    box->object = das_filter_not(a, &err);
    if (!box->object)
        return das_raise(L, "%s", err.msg);
    das_box_hold(L, 1, 1);
    das_box_charge(L, box, das_filter_bytes(box->object));
    return 1;
}

static int filter_tostring(lua_State *L)
{
    struct das_box *box = das_box_check(L, 1, DAS_FILTER);
    struct das_buf *b = das_scratch(L);

    das_filter_print(box->object, b);
    das_push_buf(L, b);
    return 1;
}

static int filter_gc(lua_State *L)
{
    struct das_box *box = luaL_checkudata(L, 1, DAS_FILTER);

    das_filter_release(box->object);
    das_box_empty(L, box);
    return 0;
}

static int filter_index(lua_State *L)
{
    das_box_check(L, 1, DAS_FILTER);
    return das_no_field(L, "a filter", luaL_tolstring(L, 2, NULL), NULL, 0, 0);
}

void das_open_filter(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__band", filter_and},          {"__bor", filter_or}, {"__bnot", filter_not},
        {"__tostring", filter_tostring}, {"__gc", filter_gc},  {NULL, NULL},
    };

    das_class(L, DAS_FILTER, meta, NULL, filter_index);
}
