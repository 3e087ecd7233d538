/*
 * config_people.c - the part of das.lua that says who is who: the table people (see config.h).
 */
#include "bindings/config_impl.h"

#include <stdlib.h>
#include <string.h>

static void read_ids(lua_State *L, int t, const char *where, const char *word,
                     const struct das_people *people, struct das_person *x)
{
    const char *one[1], **list = one;
    size_t n = 1;
    struct das_err err;
    bool several;

    if (!das_config_has(L, t, word)) {
        lua_pop(L, 1);
        return;
    }
    several = lua_istable(L, -1);
    lua_pop(L, 1);
    if (several)
        list = das_config_list(L, t, where, word, &n); // on the stack
    else
        one[0] = das_config_text(L, t, where, word);
    for (size_t i = 0; i < n; i++) {
        if (das_person_add_id(people, x, word, list[i], &err) < 0)
            luaL_error(L, "%s", err.msg);
    }
    if (several)
        lua_pop(L, 1);
}

/* The person's table at the top of the stack. */
static void read_person(lua_State *L, const char *name, struct das_people *to)
{
    const char *allowed[DAS_PEOPLE_WORDS + 1], *where, **roles;
    int t = lua_gettop(L);
    struct das_person *x;
    struct das_err err;
    size_t n;

    luaL_checkstack(L, 20, NULL);
    where = lua_pushfstring(L, "people.%s", name);
    if (!lua_istable(L, t))
        luaL_error(L,
                   "%s: expected a table such as { roles = { \"dba\" }, os = \"alice\" }, got %s",
                   where, luaL_typename(L, t));
    for (size_t i = 0; i < DAS_PEOPLE_WORDS; i++)
        allowed[i] = das_people_words[i];
    allowed[DAS_PEOPLE_WORDS] = "roles";
    das_config_keys(L, t, where, allowed, DAS_PEOPLE_WORDS + 1);
    x = das_people_add(to, name, &err);
    if (!x)
        luaL_error(L, "%s", err.msg);
    roles = das_config_list(L, t, where, "roles", &n);
    for (size_t i = 0; roles && i < n; i++) {
        if (das_person_add_role(x, roles[i], &err) < 0)
            luaL_error(L, "%s", err.msg);
    }
    for (size_t i = 0; i < DAS_PEOPLE_WORDS; i++)
        read_ids(L, t, where, das_people_words[i], to, x);
    lua_settop(L, t);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct das_person *)a)->name, ((const struct das_person *)b)->name);
}

void das_config_people(lua_State *L, int t, struct das_people *to)
{
    if (das_config_has(L, t, "people")) {
        int people = lua_gettop(L);
        if (!lua_istable(L, people))
            das_config_expected(L, "", "people", "a table");
        lua_pushnil(L);
        while (lua_next(L, people)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "people: expected names, got a %s", luaL_typename(L, -2));
            read_person(L, lua_tostring(L, -2), to);
            lua_pop(L, 1);
        }
        if (to->count)
            qsort(to->items, to->count, sizeof *to->items, by_name);
    }
    lua_pop(L, 1);
}
