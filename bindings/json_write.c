/*
 * json_write.c - values of scripts as JSON: das.json.encode(), and what else of a script's becomes
 * JSON (das_json_write()).
 *
 * Writing goes straight into a buffer; object keys are sorted, so that equal tables give equal
 * bytes. Tables are read raw, so that nothing of the script runs in the middle.
 */
#include "bindings/json_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

#define INDENT_MAX 16

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

    if (at->depth >= DAS_JSON_DEPTH_MAX)
        wrong(w, at, "tables nest more than %d deep (or in a circle)", DAS_JSON_DEPTH_MAX);
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
    if (names && has_mt(L, DAS_JSON_ARRAY_MT))
        wrong(w, at, "names in what was marked as an array");
    if (places || (!names && (has_mt(L, DAS_JSON_ARRAY_MT) || has_mt(L, DAS_JSON_EMPTY_ARRAY_MT))))
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
    if (luaL_testudata(L, -1, DAS_JSON_NULL))
        das_buf_str(w->b, "null");
    else if (luaL_testudata(L, -1, DAS_JSON_EMPTY))
        das_buf_str(w->b, "[]");
    else if (!write_object_of_das(L, w->b)) {
        const char *name =
            luaL_getmetafield(L, -1, "__name") == LUA_TSTRING ? lua_tostring(L, -1) : "userdata";
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
    if (w->b->len > DAS_JSON_SIZE_MAX)
        wrong(w, at, "more than %zu bytes of JSON", DAS_JSON_SIZE_MAX);
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
