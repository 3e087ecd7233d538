/*
 * log.c - das.log.debug, info, warn and error: one line with fields on the run's log.
 *
 * Escaping is core/base/log.c's; the secrets that are taken out are those of the run's vault.
 */
#include "bindings/bind.h"

#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/log.h"

#define FIELDS_MAX 100

/* t without the run's secrets, at the end of buf; its ptr is set when buf has stopped growing. */
static struct das_text redact(const struct das_run *run, struct das_text t, struct das_buf *buf)
{
    size_t from = buf->len;

    das_vault_redact(&run->vault, t, buf);
    return das_text(NULL, buf->len - from);
}

static void place(struct das_text *t, const char **at)
{
    t->ptr = *at;
    *at += t->len;
}

/* The event without the run's secrets, in buf. Done before a long text is cut: half a secret would
 * go unnoticed. fields has room for e->count. A value that was JSON and holds *** is text now. */
static struct das_log_event redacted(const struct das_run *run, const struct das_log_event *e,
                                     struct das_log_field *fields, struct das_buf *buf)
{
    struct das_log_event out = *e;
    const char *at;

    out.message = redact(run, e->message, buf);
    for (size_t i = 0; i < e->count; i++) {
        fields[i].key = redact(run, e->fields[i].key, buf);
        fields[i].value = redact(run, e->fields[i].value, buf);
    }
    at = buf->ptr ? buf->ptr : "";
    place(&out.message, &at);
    for (size_t i = 0; i < e->count; i++) {
        place(&fields[i].key, &at);
        place(&fields[i].value, &at);
        fields[i].json = e->fields[i].json && das_text_eq(fields[i].value, e->fields[i].value);
    }
    out.fields = fields;
    return out;
}

void das_run_log(lua_State *L, const struct das_log_event *e)
{
    const struct das_run *run = das_run_of(L);
    struct das_log_field fields[FIELDS_MAX];
    struct das_log_event copy;
    FILE *log = run->opts->log;
    struct das_buf *b, *plain;

    if (!log || !das_log_wants(e->level))
        return;
    fflush(run->opts->out); // what was printed before is seen before
    plain = das_scratch(L);
    b = das_scratch(L);
    if (run->vault.first) {
        copy = redacted(run, e, fields, plain);
        e = &copy;
    }
    if (!plain->failed)
        das_log_line(e, b);
    if (!plain->failed && !b->failed) {
        das_run_count_output(L, b->len);
        fwrite(b->ptr, 1, b->len, log); // stderr is not buffered: one write
        fflush(log);
    }
    lua_pop(L, 2);
}

static int by_key(const void *a, const void *b)
{
    struct das_text x = ((const struct das_log_field *)a)->key;
    struct das_text y = ((const struct das_log_field *)b)->key;
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);

    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* The value on top as text or JSON; JSON goes to the end of b, with ptr NULL until b is complete. */
static void read_value(lua_State *L, struct das_log_field *f, const char *what, struct das_buf *b)
{
    size_t from = b->len;

    f->json = false;
    if (lua_type(L, -1) == LUA_TSTRING) {
        f->value.ptr = lua_tolstring(L, -1, &f->value.len); // the table keeps it
        return;
    }
    f->json = true;
    das_json_write(L, what, f->key, true, b);
    f->value = das_text(NULL, b->len - from);
}

/* The fields of the table at arg, sorted by name, in a block of the state's [-0, +2]. */
static size_t read_fields(lua_State *L, int arg, const char *what,
                          const struct das_log_field **out)
{
    struct das_log_field *fields = lua_newuserdatauv(L, FIELDS_MAX * sizeof *fields, 0);
    struct das_buf *b = das_scratch(L);
    const char *json;
    size_t n = 0;

    lua_pushnil(L);
    while (lua_next(L, arg)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            das_raise(L, "%s: field names are strings, got %s", what, luaL_typename(L, -2));
        if (n == FIELDS_MAX)
            das_raise(L, "%s: more than %d fields", what, FIELDS_MAX);
        fields[n].key.ptr = lua_tolstring(L, -2, &fields[n].key.len);
        read_value(L, &fields[n], what, b);
        n++;
        lua_pop(L, 1);
    }
    json = b->ptr; // does not move any more
    for (size_t i = 0; i < n; i++) {
        if (fields[i].json) {
            fields[i].value.ptr = json;
            json += fields[i].value.len;
        }
    }
    qsort(fields, n, sizeof *fields, by_key);
    *out = fields;
    return n;
}

static int write_log(lua_State *L, enum das_log_level level, const char *what)
{
    struct das_log_event e = {.level = level, .who = "run"};

    if (lua_type(L, 1) != LUA_TSTRING && lua_type(L, 1) != LUA_TNUMBER)
        return das_raise(L, "%s: expected a message, got %s", what, luaL_typename(L, 1));
    if (!lua_isnoneornil(L, 2) && !lua_istable(L, 2))
        return das_raise(L, "%s: expected a table of fields, got %s", what, luaL_typename(L, 2));
    lua_settop(L, 2);
    if (!das_log_wants(level))
        return 0;
    e.message.ptr = lua_tolstring(L, 1, &e.message.len);
    if (lua_istable(L, 2))
        e.count = read_fields(L, 2, what, &e.fields);
    das_run_log(L, &e);
    return 0;
}

static int log_debug(lua_State *L)
{
    return write_log(L, DAS_LOG_DEBUG, "log.debug");
}

static int log_info(lua_State *L)
{
    return write_log(L, DAS_LOG_INFO, "log.info");
}

static int log_warn(lua_State *L)
{
    return write_log(L, DAS_LOG_WARN, "log.warn");
}

static int log_error(lua_State *L)
{
    return write_log(L, DAS_LOG_ERROR, "log.error");
}

void das_open_log(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"debug", log_debug}, {"info", log_info}, {"warn", log_warn}, {"error", log_error},
        {NULL, NULL},
    };

    luaL_newlib(L, functions);
    das_freeze(L, "das.log");
    lua_setfield(L, -2, "log");
}
