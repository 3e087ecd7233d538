/*
 * json.c - das.json, and the same under lua-cjson's names and manners: require "cjson".
 *
 * Whole numbers stay whole: every int64 comes back as it was, or there is an error. Reading is
 * jansson's, writing goes straight into a buffer; object keys are sorted, so that equal tables give
 * equal bytes. Tables are read raw, so that nothing of the script runs in the middle.
 */
#include "bindings/bind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

#define DEPTH_MAX 100
#define SIZE_MAX_JSON ((size_t)16 << 20)
#define INDENT_MAX 16

#define NULL_TYPE "das.json.null"
#define EMPTY_TYPE "das.json.empty_array"
#define PARSED_TYPE "das.json.parsed"
#define ARRAY_MT "das.json.array_mt"
#define EMPTY_ARRAY_MT "das.json.empty_array_mt"

/* --- writing -------------------------------------------------------------------------------------- */

struct writer {
    lua_State *L;
    struct das_buf *b;
    const char *what; /* for errors: "encode" */
    int indent;
    bool replace; /* U+FFFD instead of an error */
};

/* Where we are, for errors: users[3].name. On the C stack. */
struct place {
    const struct place *up;
    struct das_text key; /* NULL: index counts */
    lua_Integer index;
    int depth;
};

static bool is_name(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i], low = das_lower(c);
        if (!(low >= 'a' && low <= 'z') && c != '_' && !(i && das_is_digit(c)))
            return false;
    }
    return t.len > 0 && t.len <= 64;
}

static void print_place(const struct place *at, struct das_buf *b)
{
    struct das_text key = at->key;

    if (!at->up)
        return;
    print_place(at->up, b);
    if (b->len > 300) // the rest of a hundred levels helps nobody
        return;
    if (!key.ptr) {
        das_buf_printf(b, "[%lld]", (long long)at->index);
    } else if (is_name(key)) {
        if (b->len)
            das_buf_char(b, '.');
        das_buf_text(b, key);
    } else {
        if (key.len > 64)
            key.len = 64;
        das_buf_char(b, '[');
        das_json_text(b, key);
        das_buf_char(b, ']');
    }
}

/* Raises "encode: users[3].name: ...". */
static void __attribute__((format(printf, 3, 4), noreturn))
wrong(const struct writer *w, const struct place *at, const char *fmt, ...)
{
    struct das_buf *b = das_scratch(w->L);
    va_list ap;
    char text[300];

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    print_place(at, b);
    if (b->failed)
        das_raise(w->L, "out of memory");
    das_raise(w->L, "%s: %s%s%s", w->what, b->ptr ? b->ptr : "", b->len ? ": " : "", text);
}

static void write_text(const struct writer *w, const struct place *at, struct das_text t,
                       const char *what)
{
    if (!w->replace && !das_utf8_valid(t))
        wrong(w, at, "%s is not UTF-8; { invalid_utf8 = \"replace\" } writes U+FFFD instead", what);
    das_json_text(w->b, t);
}

static void new_line(const struct writer *w, int depth)
{
    if (w->indent) {
        das_buf_char(w->b, '\n');
        das_buf_fill(w->b, ' ', (size_t)(w->indent * depth));
    }
}

static void write_value(const struct writer *w, const struct place *at); /* of the top [-0, +0] */

static void write_array(const struct writer *w, const struct place *at, lua_Integer n)
{
    lua_State *L = w->L;

    das_buf_char(w->b, '[');
    for (lua_Integer i = 1; i <= n; i++) {
        struct place item = {.up = at, .index = i, .depth = at->depth + 1};
        if (i > 1)
            das_buf_char(w->b, ',');
        new_line(w, item.depth);
        lua_rawgeti(L, -1, i);
        write_value(w, &item);
        lua_pop(L, 1);
    }
    if (n)
        new_line(w, at->depth);
    das_buf_char(w->b, ']');
}

static int by_bytes(const void *a, const void *b)
{
    const struct das_text *x = a, *y = b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void write_object(const struct writer *w, const struct place *at, size_t n)
{
    lua_State *L = w->L;
    struct das_text *keys = lua_newuserdatauv(L, (n ? n : 1) * sizeof *keys, 0);
    size_t i = 0;

    lua_insert(L, -2); // keys table
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        keys[i].ptr = lua_tolstring(L, -2, &keys[i].len); // the table keeps the string
        i++;
        lua_pop(L, 1);
    }
    qsort(keys, n, sizeof *keys, by_bytes);
    das_buf_char(w->b, '{');
    for (i = 0; i < n; i++) {
        struct place item = {.up = at, .key = keys[i], .depth = at->depth + 1};
        if (i)
            das_buf_char(w->b, ',');
        new_line(w, item.depth);
        write_text(w, &item, keys[i], "the key");
        das_buf_str(w->b, w->indent ? ": " : ":");
        lua_pushlstring(L, keys[i].ptr, keys[i].len);
        lua_rawget(L, -2);
        write_value(w, &item);
        lua_pop(L, 1);
    }
    if (n)
        new_line(w, at->depth);
    das_buf_char(w->b, '}');
    lua_remove(L, -2);
}

/* Is the metatable of the table on top the one that the registry has under name? */
static bool has_mt(lua_State *L, const char *name)
{
    bool same;

    if (!lua_getmetatable(L, -1))
        return false;
    lua_getfield(L, LUA_REGISTRYINDEX, name);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static void write_table(const struct writer *w, const struct place *at)
{
    lua_State *L = w->L;
    size_t names = 0, places = 0;
    lua_Integer last = 0;

    if (at->depth >= DEPTH_MAX)
        wrong(w, at, "tables nest more than %d deep (or in a circle)", DEPTH_MAX);
    luaL_checkstack(L, 8, "too deep");
    if (luaL_getmetafield(L, -1, "__pairs") != LUA_TNIL)
        wrong(w, at, "a table with __pairs has no JSON form; copy what is meant into a plain one");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING) {
            names++;
        } else if (lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0) {
            places++;
            if (lua_tointeger(L, -1) > last)
                last = lua_tointeger(L, -1);
        } else {
            wrong(w, at, "keys are strings or 1, 2, 3, ...; one is %s",
                  lua_type(L, -1) == LUA_TNUMBER ? luaL_tolstring(L, -1, NULL)
                                                 : luaL_typename(L, -1));
        }
    }
    if (names && places)
        wrong(w, at, "a table has names or positions, this one has both");
    if ((lua_Unsigned)last != places)
        wrong(w, at, "a list without holes is needed: %zu values, the last at %lld", places,
              (long long)last);
    if (names && has_mt(L, ARRAY_MT))
        wrong(w, at, "names in what was marked as an array");
    if (places || (!names && (has_mt(L, ARRAY_MT) || has_mt(L, EMPTY_ARRAY_MT))))
        write_array(w, at, last);
    else
        write_object(w, at, names);
}

static void write_session(lua_State *L, int arg, struct das_buf *b)
{
    struct das_session_box *box = luaL_checkudata(L, arg, DAS_SESSION);
    struct das_session s;

    luaL_argcheck(L, box->snap, arg, "this session was never finished");
    das_snapshot_get(box->snap, box->row, &s);
    das_render_session_json(&s, b);
}

static void write_sessions(const struct das_selection *sel, struct das_buf *b)
{
    struct das_session s;

    das_buf_char(b, '[');
    for (size_t i = 0; i < sel->count; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        das_json_comma(b);
        das_render_session_json(&s, b);
    }
    das_buf_char(b, ']');
}

/* What is on top is one of das's own [-0, +0]. Their text comes from a server and may be any bytes:
 * what is not UTF-8 becomes U+FFFD. */
static bool write_object_of_das(lua_State *L, struct das_buf *b)
{
    struct das_box *box;

    if ((box = das_box_test(L, -1, DAS_SELECTION))) {
        das_render_preview(box->object, das_source_name(box->source), DAS_OUT_JSON, 0, NULL, b);
        if (b->len && b->ptr[b->len - 1] == '\n')
            b->len--;
    } else if (luaL_testudata(L, -1, DAS_SESSION)) {
        write_session(L, -1, b);
    } else if (luaL_testudata(L, -1, DAS_PROCESSES)) {
        lua_getiuservalue(L, -1, 1);
        write_sessions(das_box_check(L, -1, DAS_SELECTION)->object, b);
        lua_pop(L, 1);
    } else if ((box = das_box_test(L, -1, DAS_PLAN))) {
        das_plan_json(box->object, b);
    } else if ((box = das_box_test(L, -1, DAS_REPORT))) {
        das_report_json(box->object, b);
    } else {
        return false;
    }
    return true;
}

static void write_userdata(const struct writer *w, const struct place *at)
{
    lua_State *L = w->L;

    luaL_checkstack(L, 4, "too deep");
    if (luaL_testudata(L, -1, NULL_TYPE))
        das_buf_str(w->b, "null");
    else if (luaL_testudata(L, -1, EMPTY_TYPE))
        das_buf_str(w->b, "[]");
    else if (!write_object_of_das(L, w->b)) {
        const char *name = luaL_getmetafield(L, -1, "__name") == LUA_TSTRING ? lua_tostring(L, -1)
                                                                             : "userdata";
        wrong(w, at, "a %s has no JSON form", name);
    }
}

static void write_value(const struct writer *w, const struct place *at)
{
    lua_State *L = w->L;
    struct das_text t;

    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        das_buf_str(w->b, "null");
        break;
    case LUA_TBOOLEAN:
        das_buf_str(w->b, lua_toboolean(L, -1) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1))
            das_buf_int(w->b, lua_tointeger(L, -1));
        else if (isfinite(lua_tonumber(L, -1)))
            das_json_real(w->b, lua_tonumber(L, -1));
        else
            wrong(w, at, "JSON has no %s", isnan(lua_tonumber(L, -1)) ? "nan" : "infinity");
        break;
    case LUA_TSTRING:
        t.ptr = lua_tolstring(L, -1, &t.len);
        write_text(w, at, t, "the string");
        break;
    case LUA_TTABLE:
        write_table(w, at);
        break;
    case LUA_TUSERDATA:
        write_userdata(w, at);
        break;
    default:
        wrong(w, at, "a %s has no JSON form", luaL_typename(L, -1));
    }
    if (w->b->failed)
        das_raise(L, "out of memory");
    if (w->b->len > SIZE_MAX_JSON)
        wrong(w, at, "more than %zu bytes of JSON", SIZE_MAX_JSON);
}

void das_json_write(lua_State *L, const char *what, struct das_text key, bool replace,
                    struct das_buf *b)
{
    struct writer w = {.L = L, .b = b, .what = what, .replace = replace};
    const struct place root = {.up = NULL};

    write_value(&w, &(struct place){.up = &root, .key = key});
}

static void check_encode_options(lua_State *L, int arg, struct writer *w)
{
    static const char *const allowed[] = {"indent", "invalid_utf8"};

    das_check_options(L, arg, "encode", allowed, sizeof allowed / sizeof *allowed);
    if (!lua_istable(L, arg))
        return;
    if (lua_getfield(L, arg, "indent") != LUA_TNIL) {
        int64_t n = das_check_count(L, -1, "encode: indent");
        if (n > INDENT_MAX)
            das_raise(L, "encode: indent: at most %d blanks", INDENT_MAX);
        w->indent = (int)n;
    }
    if (lua_getfield(L, arg, "invalid_utf8") != LUA_TNIL) {
        const char *how = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        if (strcmp(how, "replace") != 0 && strcmp(how, "raise") != 0)
            das_raise(L, "encode: invalid_utf8: expected \"raise\" or \"replace\", got %s",
                      luaL_tolstring(L, -1, NULL));
        w->replace = strcmp(how, "replace") == 0;
    }
    lua_pop(L, 2);
}

/* encode(value, {indent = 2, invalid_utf8 = "replace"}) */
int das_lua_json_encode(lua_State *L)
{
    struct writer w = {.L = L, .what = "encode"};

    luaL_checkany(L, 1);
    check_encode_options(L, 2, &w);
    w.b = das_scratch(L);
    lua_pushvalue(L, 1);
    write_value(&w, &(struct place){.up = NULL});
    das_push_buf(L, w.b);
    return 1;
}

/* --- reading -------------------------------------------------------------------------------------- */

/* A parsed value and what it weighs, which counts as the run's memory while it is there. */
struct parsed {
    json_t *value;
    uint64_t bytes;
};

static void let_go(lua_State *L, struct parsed *p)
{
    json_decref(p->value);
    das_run_of(L)->memory -= p->bytes;
    memset(p, 0, sizeof *p);
}

static int parsed_gc(lua_State *L)
{
    let_go(L, luaL_checkudata(L, 1, PARSED_TYPE));
    return 0;
}

/* [-0, +1] arrays: the index of array_mt. Nests no deeper than DEPTH_MAX. */
static void push_value(lua_State *L, const json_t *v, int arrays)
{
    const char *key;
    json_t *item;
    size_t i;

    luaL_checkstack(L, 4, "too deep");
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(v));
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            lua_pushstring(L, key);
            push_value(L, item, arrays);
            lua_rawset(L, -3);
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(v), 0);
        json_array_foreach(v, i, item)
        {
            push_value(L, item, arrays);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_pushvalue(L, arrays);
        lua_setmetatable(L, -2);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(v));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(v));
        break;
    case JSON_NULL:
        lua_getfield(L, LUA_REGISTRYINDEX, NULL_TYPE ".value");
        break;
    default:
        lua_pushboolean(L, json_is_true(v));
    }
}

/* Pushes array_mt. A script may have put anything into it, and a finalizer must not get in here. */
static void push_array_mt(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, ARRAY_MT);
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, -2) != LUA_TNIL)
        das_raise(L, "decode: array_mt has a finalizer (__gc); scripts have none");
    lua_pop(L, 1);
}

static int weigh(lua_State *L, struct das_text t, uint64_t *bytes, struct das_err *err)
{
    const struct das_run *run = das_run_of(L);
    struct das_json_weight weight;

    if (t.len > SIZE_MAX_JSON)
        return das_fail(err, DAS_E_DATA, "decode: %zu bytes, at most %zu are read", t.len,
                        SIZE_MAX_JSON);
    das_json_weigh(t, DEPTH_MAX, &weight);
    if (weight.deep_line)
        return das_fail(err, DAS_E_DATA, "decode: line %d: nests more than %d deep",
                        weight.deep_line, DEPTH_MAX);
    /* what Lua makes of it comes on top, and takes less than half as much */
    if (run->memory + weight.bytes + weight.bytes / 2 > run->limits.memory)
        return das_fail(err, DAS_E_DATA,
                        "decode: %zu bytes of JSON need more memory than the run may have", t.len);
    *bytes = weight.bytes;
    return 0;
}

/* [-0, +1] or, with err, [-0, +0]. */
static int decode(lua_State *L, struct das_err *err)
{
    struct das_text t;
    struct parsed *p;
    uint64_t bytes = 0;
    int line, arrays;

    t.ptr = das_check_bytes(L, 1, &t.len);
    lua_settop(L, 1);
    push_array_mt(L);
    arrays = lua_gettop(L);
    p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, PARSED_TYPE);
    if (weigh(L, t, &bytes, err) < 0)
        return -1;
    p->value = das_json_parse(t.ptr, t.len, &line, err);
    if (!p->value) {
        das_err_prefix(err, "decode: line %d", line);
        return -1;
    }
    p->bytes = bytes;
    das_run_of(L)->memory += bytes;
    push_value(L, p->value, arrays);
    let_go(L, p); // now, not when the collector comes by
    return 0;
}

int das_lua_json_decode(lua_State *L)
{
    struct das_err err;

    return decode(L, &err) < 0 ? das_push_failure(L, &err) : 1;
}

/* lua-cjson raises, and scripts written for it say pcall(cjson.decode, text). */
static int cjson_decode(lua_State *L)
{
    struct das_err err;

    return decode(L, &err) < 0 ? das_raise(L, "%s", err.msg) : 1;
}

/* --- the constants ---------------------------------------------------------------------------------- */

static int constant_tostring(lua_State *L)
{
    lua_pushstring(L, luaL_testudata(L, 1, NULL_TYPE) ? "null" : "[]");
    return 1;
}

static int null_index(lua_State *L)
{
    return das_raise(L, "null (of JSON) has no field \"%s\"", luaL_tolstring(L, 2, NULL));
}

static int empty_index(lua_State *L)
{
    (void)L;
    return 0; // as of an empty table
}

static int empty_len(lua_State *L)
{
    lua_pushinteger(L, 0);
    return 1;
}

/* [-0, +1] */
static void push_constant(lua_State *L, const char *type, lua_CFunction index)
{
    static const luaL_Reg null_meta[] = {{"__tostring", constant_tostring}, {NULL, NULL}};
    static const luaL_Reg empty_meta[] = {
        {"__tostring", constant_tostring}, {"__len", empty_len}, {NULL, NULL},
    };

    das_class(L, type, index == null_index ? null_meta : empty_meta, NULL, index);
    lua_pop(L, 1);
    lua_newuserdatauv(L, 0, 0);
    luaL_setmetatable(L, type);
}

/* A table for scripts to use with setmetatable() [-0, +1]. */
static void push_mark(lua_State *L, const char *name)
{
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, name);
}

static void push_table(lua_State *L, lua_CFunction decode_function)
{
    lua_createtable(L, 0, 6);
    lua_pushcfunction(L, das_lua_json_encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, decode_function);
    lua_setfield(L, -2, "decode");
    lua_getfield(L, LUA_REGISTRYINDEX, NULL_TYPE ".value");
    lua_setfield(L, -2, "null");
    lua_getfield(L, LUA_REGISTRYINDEX, EMPTY_TYPE ".value");
    lua_setfield(L, -2, "empty_array");
    lua_getfield(L, LUA_REGISTRYINDEX, ARRAY_MT);
    lua_setfield(L, -2, "array_mt");
    lua_getfield(L, LUA_REGISTRYINDEX, EMPTY_ARRAY_MT);
    lua_setfield(L, -2, "empty_array_mt");
}

void das_open_json(lua_State *L)
{
    luaL_newmetatable(L, PARSED_TYPE);
    lua_pushcfunction(L, parsed_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    push_constant(L, NULL_TYPE, null_index);
    lua_setfield(L, LUA_REGISTRYINDEX, NULL_TYPE ".value");
    push_constant(L, EMPTY_TYPE, empty_index);
    lua_setfield(L, LUA_REGISTRYINDEX, EMPTY_TYPE ".value");
    push_mark(L, ARRAY_MT);
    push_mark(L, EMPTY_ARRAY_MT);
    lua_pop(L, 2);

    push_table(L, das_lua_json_decode);
    das_freeze(L, "das.json");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "json"); // das json
    das_provide(L, "cjson.safe");
    push_table(L, cjson_decode);
    das_freeze(L, "cjson");
    das_provide(L, "cjson");
}
