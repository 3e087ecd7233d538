/* cloud_push.c - what came from the cloud, as Lua values; and why nothing came (see cloud_impl.h).
 */
#include "bindings/cloud_impl.h"

#include <stdio.h>
#include <string.h>

#define HELD "das.held"

/* --- holding ---------------------------------------------------------------------------------- */

struct held {
    void (*clear)(void *);
    max_align_t payload[];
};

static int held_gc(lua_State *L)
{
    struct held *h = luaL_checkudata(L, 1, HELD);

    h->clear(h->payload);
    return 0;
}

void *das_hold(lua_State *L, size_t size, void (*clear)(void *))
{
    struct held *h = lua_newuserdatauv(L, sizeof *h + size, 0);

    h->clear = clear;
    memset(h->payload, 0, size);
    if (luaL_newmetatable(L, HELD)) {
        lua_pushcfunction(L, held_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return h->payload;
}

void *das_held(lua_State *L, int index)
{
    return ((struct held *)lua_touserdata(L, index))->payload;
}

/* --- structs ---------------------------------------------------------------------------------- */

static void push_int(lua_State *L, const void *at)
{
    int64_t v;

    memcpy(&v, at, sizeof v);
    if (v == DAS_CLOUD_NOT_TOLD)
        lua_pushnil(L);
    else
        lua_pushinteger(L, v);
}

static void push_bool(lua_State *L, int v)
{
    if (v < 0)
        lua_pushnil(L);
    else
        lua_pushboolean(L, v);
}

/* The API writes "" for what is not set. */
static void push_text(lua_State *L, struct das_text t)
{
    das_push_text(L, t.len ? t : DAS_TEXT_NULL);
}

static void push_field(lua_State *L, const struct das_shape_field *f, const void *at)
{
    switch (f->type) {
    case DAS_SHAPE_TEXT:
        push_text(L, *(const struct das_text *)at);
        return;
    case DAS_SHAPE_BOOL:
        push_bool(L, *(const int *)at);
        return;
    case DAS_SHAPE_LIST:
        das_push_shapes(L, at);
        return;
    case DAS_SHAPE_INT:
    case DAS_SHAPE_SECONDS:
    case DAS_SHAPE_MS:
    case DAS_SHAPE_MOMENT:
        break;
    }
    push_int(L, at);
}

void das_push_shape(lua_State *L, const struct das_shape *shape, const void *item)
{
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, (int)shape->count);
    for (size_t i = 0; i < shape->count; i++) {
        const struct das_shape_field *f = &shape->fields[i];
        push_field(L, f, (const char *)item + f->offset);
        lua_setfield(L, -2, f->name);
    }
}

void das_push_shapes(lua_State *L, const struct das_cloud_list *list)
{
    lua_createtable(L, (int)list->count, 0);
    for (size_t i = 0; i < list->count; i++) {
        das_push_shape(L, list->shape, das_cloud_item(list, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* --- failures --------------------------------------------------------------------------------- */

/* A server may repeat what it was sent. */
static void set_text(lua_State *L, const char *name, const char *text)
{
    struct das_buf *b;

    if (!*text)
        return;
    b = das_scratch(L);
    das_vault_redact(&das_run_of(L)->vault, das_text_of(text), b);
    das_push_buf(L, b);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
}

static void push_details(lua_State *L, const struct das_cloud_call *call)
{
    lua_createtable(L, 0, 5);
    if (call->status) {
        lua_pushinteger(L, call->status);
        lua_setfield(L, -2, "status");
    }
    set_text(L, "error_code", call->error_code);
    set_text(L, "error_msg", call->error_msg);
    set_text(L, "request_id", call->request_id);
    lua_pushboolean(L, call->unknown);
    lua_setfield(L, -2, "unknown");
}

int das_cloud_failed(lua_State *L, const struct das_target *t, const struct das_cloud_call *call,
                     const struct das_err *err)
{
    bool mistake =
        err->code == DAS_E_USAGE && !call->status; /* of the script, not the server's word */
    struct das_err named = *err;
    int n;

    das_run_check(L);
    if (mistake)
        return das_push_failure(L, err);
    das_err_prefix(&named, "%s", t->name);
    n = das_push_world_failure(L, &named);
    push_details(L, call);
    return n + 1;
}

struct das_cloud_call das_cloud_call_of(lua_State *L)
{
    struct das_run *run = das_run_of(L);

    fflush(run->opts->out);
    return (struct das_cloud_call){.patience = run->patience};
}
