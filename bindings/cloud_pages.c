/*
 * cloud_pages.c - lists that the cloud gives in pages: read to their end, or one item after the
 * other (see cloud_impl.h). Never more than two pages are held.
 *
 * Where something new comes in front of a list, what was last on one page is the first of the next:
 * it is not given twice.
 */
#include "bindings/cloud_impl.h"

#include <string.h>

static void clear(void *held)
{
    struct das_pages *p = held;

    das_cloud_answer_clear(&p->now);
    das_cloud_answer_clear(&p->before);
}

struct das_pages *das_pages_hold(lua_State *L)
{
    return das_hold(L, sizeof(struct das_pages), clear);
}

static int fetch(struct das_pages *p, struct das_cloud_call *call, struct das_err *err)
{
    const struct das_cloud_answer *a = &p->now;

    das_cloud_answer_clear(&p->before);
    p->before = p->now;
    memset(&p->now, 0, sizeof p->now);
    p->at = 0;
    p->page++;
    if (p->fetch(p, call, &p->now, err) < 0) {
        p->page--; /* it can be asked for once more */
        return -1;
    }
    p->rows += (int64_t)a->list.count;
    if (a->list.count == 0)
        p->ended = true;
    else if (a->total != DAS_CLOUD_NOT_TOLD)
        p->ended = p->rows >= a->total;
    else
        p->ended = a->list.count < (size_t)p->per_page;
    return 0;
}

static bool was_on_the_page_before(const struct das_pages *p, const void *item)
{
    for (size_t i = 0; p->same && i < p->before.list.count; i++) {
        if (p->same(das_cloud_item(&p->before.list, i), item))
            return true;
    }
    return false;
}

/* NULL: no more on this page. */
static const void *next_item(struct das_pages *p)
{
    while (p->at < p->now.list.count) {
        const void *item = das_cloud_item(&p->now.list, p->at++);
        if (!was_on_the_page_before(p, item))
            return item;
    }
    return NULL;
}

int das_pages_all(lua_State *L, struct das_pages *p,
                  void (*each)(lua_State *L, const struct das_pages *p, const void *item))
{
    lua_Integer n = 0;
    const void *item;
    struct das_err err;

    lua_newtable(L);
    while (!p->ended) {
        struct das_cloud_call call = das_cloud_call_of(L);
        if (fetch(p, &call, &err) < 0)
            return das_cloud_failed(L, &p->target, &call, &err);
        das_run_check(L);
        while ((item = next_item(p))) {
            das_push_shape(L, p->now.list.shape, item);
            if (each)
                each(L, p, item);
            lua_rawseti(L, -2, ++n);
        }
    }
    return 1;
}

/* Upvalue: the pages. Half a list that looks like all of it would be a lie: so this raises. */
static int pages_next(lua_State *L)
{
    struct das_pages *p = das_held(L, lua_upvalueindex(1));
    struct das_err err;
    const void *item;

    while (!(item = next_item(p)) && !p->ended) {
        struct das_cloud_call call = das_cloud_call_of(L);
        if (fetch(p, &call, &err) < 0) {
            das_cloud_failed(L, &p->target, &call, &err);
            lua_pop(L, 2);
            return das_raise(L, "%s", lua_tostring(L, -1));
        }
        das_run_check(L);
    }
    if (item)
        das_push_shape(L, p->now.list.shape, item);
    else
        lua_pushnil(L);
    return 1;
}

/* Upvalue: the message. */
static int raise_message(lua_State *L)
{
    return das_raise(L, "%s", lua_tostring(L, lua_upvalueindex(1)));
}

/* Whoever writes `for x in instance:kill_history() do` has no place for the message, and Lua would
 * complain about nil. It closes the loop's fourth value on the way out: that says what was wrong.
 */
int das_pages_failed(lua_State *L, int results)
{
    if (results == 3) {
        lua_createtable(L, 0, 1);
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "unknown");
    }
    lua_createtable(L, 0, 1); // nil message code details meta
    lua_pushvalue(L, -4);
    lua_pushcclosure(L, raise_message, 1);
    lua_setfield(L, -2, "__close");
    lua_setmetatable(L, -2);
    return 4;
}

int das_pages_each(lua_State *L, struct das_pages *p)
{
    struct das_cloud_call call = das_cloud_call_of(L);
    struct das_err err;

    if (fetch(p, &call, &err) < 0)
        return das_pages_failed(L, das_cloud_failed(L, &p->target, &call, &err));
    das_run_check(L);
    lua_pushcclosure(L, pages_next, 1);
    return 1;
}
