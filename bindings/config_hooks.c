/*
 * config_hooks.c - the table hooks of das.lua: which requests of chats and alerts das serve takes,
 * from whom, and what they run (see config.h and core/hook/hook.h). It reads no secret, only where
 * they are.
 */
#include "bindings/config_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

#define STRING_MOST 256 /* bytes of a parameter, unless it says something else */
#define NUMBER_MOST ((int64_t)1000000000)
#define RATE_MAX 1000000
#define WINDOW_MAX_MS ((int64_t)86400 * 1000)

struct reader {
    const char *config; /* path of das.lua */
    struct das_rules *rules;
    const struct das_inventory *inventory;
    struct das_hook *hook; /* being read */
};

static char *copy(lua_State *L, const char *text)
{
    char *p = text ? das_strdup(text) : NULL;

    if (text && !p)
        luaL_error(L, "out of memory");
    return p;
}

/* A text of one line that is not empty; NULL: there is none. */
static char *take_text(lua_State *L, int t, const char *where, const char *key)
{
    const char *p = das_config_text(L, t, where, key);

    if (p && (!*p || p[strcspn(p, "\r\n")]))
        luaL_error(L, "%s.%s: expected a text of one line, got %s", where, key,
                   *p ? "several" : "an empty one");
    return copy(L, p);
}

static void take_list(lua_State *L, int t, const char *where, const char *key, char ***to,
                      size_t *count)
{
    int top = lua_gettop(L);
    size_t n;
    const char **list = das_config_list(L, t, where, key, &n);

    if (!list)
        return;
    *to = das_calloc(n + 1, sizeof **to);
    if (!*to)
        luaL_error(L, "out of memory");
    for (; *count < n; ++*count)
        (*to)[*count] = copy(L, list[*count]);
    lua_settop(L, top);
}

/* The table in the field key, pushed; false and nothing pushed: there is none. */
static bool open_table(lua_State *L, int t, const char *where, const char *key, const char *what)
{
    if (!das_config_has(L, t, key)) {
        lua_pop(L, 1);
        return false;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "%s.%s: expected %s, got %s", where, key, what, luaL_typename(L, -1));
    return true;
}

/* --- verify ----------------------------------------------------------------------------------- */

static void take_place(lua_State *L, int at, const char *in, struct das_hook_places *to)
{
    struct das_secret_place place;

    if (to->count == DAS_HOOK_LIST_MAX)
        luaL_error(L, "%s: expected at most %d values", in, DAS_HOOK_LIST_MAX);
    place = das_config_place(L, at, in);
    if (!*place.where)
        luaL_error(L, "%s: expected a text, got an empty one", in);
    to->items[to->count] = (struct das_secret_place){.from = place.from};
    to->items[to->count].name = copy(L, in);
    to->items[to->count++].where = copy(L, place.where);
}

/* One place, or during a rotation a list of them. */
static void take_places(lua_State *L, int t, const char *where, const char *key,
                        struct das_hook_places *to)
{
    int top = lua_gettop(L), at;
    const char *in = lua_pushfstring(L, "%s.%s", where, key);
    lua_Integer n;

    if (das_config_has(L, t, key)) {
        at = lua_gettop(L);
        n = lua_istable(L, at) ? (lua_Integer)lua_rawlen(L, at) : 0;
        if (n == 0)
            take_place(L, at, in, to);
        for (lua_Integer i = 1; i <= n; i++) {
            const char *item = lua_pushfstring(L, "%s[%d]", in, (int)i);
            lua_rawgeti(L, at, i);
            take_place(L, lua_gettop(L), item, to);
            lua_settop(L, at);
        }
    }
    lua_settop(L, top);
}

static void read_verify(lua_State *L, int t, const char *where, struct das_hook *h)
{
    const char *allowed[DAS_HOOK_FIELDS], *in = lua_pushfstring(L, "%s.verify", where), *dot;
    int64_t window = 0;
    int at;

    if (!open_table(L, t, where, "verify", "a table"))
        return; /* das_hook_settle() says what is missing */
    at = lua_gettop(L);
    dot = lua_pushfstring(L, "%s.", in);
    for (int i = 0; i < DAS_HOOK_FIELDS; i++)
        allowed[i] = das_hook_field_name((enum das_hook_field)(1u << i));
    das_config_keys(L, at, in, allowed, DAS_HOOK_FIELDS);
    take_places(L, at, in, "secrets", &h->secrets);
    take_places(L, at, in, "tokens", &h->tokens);
    take_places(L, at, in, "encrypt_keys", &h->encrypt_keys);
    take_places(L, at, in, "public_keys", &h->public_keys);
    take_places(L, at, in, "passwords", &h->passwords);
    h->user = take_text(L, at, in, "user");
    h->receive_id = take_text(L, at, in, "receive_id");
    h->signature_header = take_text(L, at, in, "signature_header");
    h->timestamp_header = take_text(L, at, in, "timestamp_header");
    h->id_header = take_text(L, at, in, "id_header");
    take_list(L, at, in, "origins", &h->origins, &h->origin_count);
    das_config_count(L, at, dot, "rate", 1, &h->rate);
    if (h->rate > RATE_MAX)
        luaL_error(L, "%srate: expected 1 to %d requests a minute", dot, RATE_MAX);
    das_config_bool(L, at, dot, "batch", &h->batch);
    das_config_span(L, at, dot, "window", 1000, WINDOW_MAX_MS, "a duration from \"1s\" to \"1d\"",
                    &window);
    h->window_s = window / 1000;
}

/* --- who, where ------------------------------------------------------------------------------- */

/* A name that nobody has would be a rule that means nothing. */
static void read_allow(lua_State *L, int t, const char *where, const struct das_people *people,
                       struct das_hook_allow *to)
{
    static const char *const allowed[] = {"roles", "users"};
    int top = lua_gettop(L), at;
    const char *in = lua_pushfstring(L, "%s.allow", where);

    if (open_table(L, t, where, "allow", "a table such as { roles = { \"dba\" } }")) {
        at = lua_gettop(L);
        das_config_keys(L, at, in, allowed, 2);
        take_list(L, at, in, "roles", &to->roles, &to->role_count);
        take_list(L, at, in, "users", &to->users, &to->user_count);
        if (!to->role_count && !to->user_count)
            luaL_error(L, "%s: expected roles or users; an empty one lets nobody in", in);
        for (size_t i = 0; i < to->role_count; i++) {
            if (!das_people_role(people, to->roles[i]))
                luaL_error(L, "%s.roles: nobody of people has the role \"%s\"", in, to->roles[i]);
        }
        for (size_t i = 0; i < to->user_count; i++) {
            if (!das_people_find(people, to->users[i]))
                luaL_error(L, "%s.users: there is no \"%s\" in people", in, to->users[i]);
        }
    }
    lua_settop(L, top);
}

static void read_instances(lua_State *L, int t, const char *where, struct reader *r)
{
    struct das_hook *h = r->hook;
    struct das_err err;

    if (das_config_has(L, t, "instances") && lua_rawlen(L, -1) == 0)
        luaL_error(L, "%s.instances: expected a list of names, \"tag:TAG\" or \"*\"", where);
    lua_pop(L, 1);
    take_list(L, t, where, "instances", &h->instances, &h->instance_count);
    for (size_t i = 0; i < h->instance_count; i++) {
        const char *word = h->instances[i];
        if (strncmp(word, "tag:", 4) == 0) {
            if (!das_inventory_tagged(r->inventory, word + 4))
                luaL_error(L, "%s.instances: no instance has the tag \"%s\"", where, word + 4);
        } else if (strcmp(word, "*") != 0 && das_inventory_find(r->inventory, word, &err) < 0) {
            luaL_error(L, "%s.instances: %s", where, err.msg);
        }
    }
}

/* "slack" or "slack:8443", no scheme and no path. */
static void read_reply_hosts(lua_State *L, int t, const char *where, struct das_hook *h)
{
    take_list(L, t, where, "reply_hosts", &h->reply_hosts, &h->reply_host_count);
    for (size_t i = 0; i < h->reply_host_count; i++) {
        const char *p = h->reply_hosts[i];
        if (!*p || p[strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]")])
            luaL_error(L,
                       "%s.reply_hosts: expected hosts such as \"chat.example.com\", in small "
                       "letters, got \"%s\"",
                       where, p);
    }
}

/* --- scripts and commands --------------------------------------------------------------------- */

static char *take_script(lua_State *L, int t, const char *where, const char *config)
{
    const char *script = das_config_text(L, t, where, "script");
    char *path;

    if (!script)
        return NULL;
    path = strcmp(script, "*") == 0 ? NULL : das_config_script_path(config, script);
    if (!path)
        luaL_error(L, "%s.script: there is no such script: \"%s\"%s", where, script,
                   das_config_looked(L));
    return path;
}

static int find_type(const char *word)
{
    for (int i = 0; i < DAS_HOOK_TYPES; i++) {
        if (strcmp(word, das_hook_type_names[i]) == 0)
            return i;
    }
    return -1;
}

static void read_bound(lua_State *L, int t, const char *where, const char *key, int64_t *to)
{
    int ok;
    lua_Integer n;

    if (das_config_has(L, t, key)) {
        n = lua_tointegerx(L, -1, &ok);
        if (!ok || lua_type(L, -1) != LUA_TNUMBER || n < -NUMBER_MOST || n > NUMBER_MOST)
            luaL_error(L, "%s.%s: expected a whole number, got %s", where, key,
                       luaL_tolstring(L, -1, NULL));
        *to = n;
    }
    lua_settop(L, t);
}

/* Its table at the top of the stack. */
static void read_param(lua_State *L, const char *in, struct das_hook_command *c)
{
    static const char *const allowed[] = {"name",    "type",      "default", "required",
                                          "choices", "immutable", "min",     "max"};
    int t = lua_gettop(L), type;
    struct das_hook_param *p;
    const char *dot, *word;
    struct das_err err;

    luaL_checkstack(L, 20, NULL);
    if (!lua_istable(L, t))
        luaL_error(L,
                   "%s: expected a table such as { name = \"time\", type = \"duration\" }, got %s",
                   in, luaL_typename(L, t));
    if (c->param_count == DAS_HOOK_PARAMS_MAX)
        luaL_error(L, "%s: expected at most %d parameters", in, DAS_HOOK_PARAMS_MAX);
    das_config_keys(L, t, in, allowed, sizeof allowed / sizeof *allowed);
    p = &c->params[c->param_count++];
    p->name = take_text(L, t, in, "name");
    if (!p->name || !das_hook_is_key(p->name))
        luaL_error(L, "%s.name: expected small letters, digits and \"_\"", in);
    for (size_t i = 0; i + 1 < c->param_count; i++) {
        if (strcmp(c->params[i].name, p->name) == 0)
            luaL_error(L, "%s.name: \"%s\" is there twice", in, p->name);
    }
    word = das_config_text(L, t, in, "type");
    type = word ? find_type(word) : DAS_HOOK_STRING;
    if (type < 0)
        luaL_error(L, "%s.type: expected string, integer, duration, choice or instance, got \"%s\"",
                   in, word);
    p->type = (enum das_hook_type)type;
    take_list(L, t, in, "choices", &p->choices, &p->choice_count);
    if ((p->type == DAS_HOOK_CHOICE) != (p->choice_count > 0))
        luaL_error(L, "%s.choices: %s", in,
                   p->choice_count ? "only for type = \"choice\"" : "expected a list of texts");
    p->most = p->type == DAS_HOOK_STRING ? STRING_MOST : NUMBER_MOST;
    p->least = p->type == DAS_HOOK_INTEGER ? -NUMBER_MOST : 0;
    read_bound(L, t, in, "min", &p->least);
    read_bound(L, t, in, "max", &p->most);
    if (p->least > p->most)
        luaL_error(L, "%s.max: expected no less than min", in);
    dot = lua_pushfstring(L, "%s.", in);
    das_config_bool(L, t, dot, "required", &p->required);
    das_config_bool(L, t, dot, "immutable", &p->immutable);
    if (das_config_has(L, t, "default")) {
        if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
            luaL_error(L, "%s.default: expected a text or a number, got %s", in,
                       luaL_typename(L, -1));
        p->fallback = copy(L, luaL_tolstring(L, -1, NULL));
    }
    if (p->immutable && !p->fallback)
        luaL_error(L, "%s.default: an immutable parameter needs its value", in);
    if (das_hook_check_param(p, &err) < 0)
        luaL_error(L, "%s.default: %s", in, err.msg);
    lua_settop(L, t);
}

/* Its table at the top of the stack. */
static void read_command(lua_State *L, const char *where, const char *name, struct reader *r)
{
    static const char *const allowed[] = {"script", "params", "help", "allow"};
    int t = lua_gettop(L);
    const char *in = lua_pushfstring(L, "%s.commands.%s", where, name);
    struct das_hook *h = r->hook;
    struct das_hook_command *c, *bigger;

    luaL_checkstack(L, 20, NULL);
    if (!lua_istable(L, t))
        luaL_error(L, "%s: expected a table such as { script = \"hooks/preview.lua\" }, got %s", in,
                   luaL_typename(L, t));
    if (!das_hook_is_key(name) || strcmp(name, "help") == 0)
        luaL_error(L, "%s: expected a name of small letters, digits and \"_\", and not help", in);
    das_config_keys(L, t, in, allowed, sizeof allowed / sizeof *allowed);
    bigger = das_grow(h->commands, h->command_count + 1, sizeof *bigger);
    if (!bigger)
        luaL_error(L, "out of memory");
    h->commands = bigger;
    c = &h->commands[h->command_count];
    memset(c, 0, sizeof *c);
    h->command_count++;
    c->name = copy(L, name);
    c->script = take_script(L, t, in, r->config);
    if (!c->script)
        luaL_error(L, "%s.script: expected the path of a script, beside das.lua or absolute", in);
    c->help = take_text(L, t, in, "help");
    read_allow(L, t, in, &r->rules->people, &c->allow);
    if (open_table(L, t, in, "params",
                   "a list such as { { name = \"time\", type = \"duration\" } }")) {
        int list = lua_gettop(L);
        lua_Integer n = (lua_Integer)lua_rawlen(L, list);
        lua_pushnil(L);
        while (lua_next(L, list)) {
            if (!lua_isinteger(L, -2))
                luaL_error(L, "%s.params: expected a list: its order is that of words", in);
            lua_pop(L, 1);
        }
        for (lua_Integer i = 1; i <= n; i++) {
            const char *item = lua_pushfstring(L, "%s.params[%d]", in, (int)i);
            lua_rawgeti(L, list, i);
            read_param(L, item, c);
            lua_settop(L, list);
        }
    }
    lua_settop(L, t);
}

/* A table of Lua has no order, and people read the list. */
static int by_command(const void *a, const void *b)
{
    return strcmp(((const struct das_hook_command *)a)->name,
                  ((const struct das_hook_command *)b)->name);
}

static int by_hook(const void *a, const void *b)
{
    return strcmp(((const struct das_hook *)a)->name, ((const struct das_hook *)b)->name);
}

static void read_commands(lua_State *L, int t, const char *where, struct reader *r)
{
    int top = lua_gettop(L), at;

    if (open_table(L, t, where, "commands", "a table of commands")) {
        at = lua_gettop(L);
        lua_pushnil(L);
        while (lua_next(L, at)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "%s.commands: expected names, got a %s", where, luaL_typename(L, -2));
            read_command(L, where, lua_tostring(L, -2), r);
            lua_pop(L, 1);
        }
        if (r->hook->command_count)
            qsort(r->hook->commands, r->hook->command_count, sizeof *r->hook->commands, by_command);
    }
    lua_settop(L, top);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void read_platform(lua_State *L, int t, const char *where, struct das_hook *h)
{
    const char *word = das_config_text(L, t, where, "platform"), *near;
    const char *names[DAS_HOOK_PLATFORMS];
    int found = word ? das_hook_platform_find(das_text_of(word)) : -1;

    for (int i = 0; i < DAS_HOOK_PLATFORMS; i++)
        names[i] = das_hook_platforms[i].name;
    near = word && found < 0 ? das_nearest(word, names, DAS_HOOK_PLATFORMS) : NULL;
    if (near)
        luaL_error(L, "%s.platform: there is no \"%s\"; did you mean \"%s\"?", where, word, near);
    if (found < 0)
        luaL_error(L, "%s.platform: expected one such as \"slack\", got %s", where,
                   word ? word : "none");
    h->platform = (enum das_hook_platform)found;
}

/* Its table at the top of the stack. */
static void read_hook(lua_State *L, const char *name, struct reader *r)
{
    static const char *const allowed[] = {"platform", "path",     "verify",     "script",
                                          "commands", "allow",    "instances",  "channel",
                                          "timeout",  "insecure", "reply_hosts"};
    const char *where, *dot;
    int t = lua_gettop(L);
    struct das_hook *h;
    struct das_err err;

    luaL_checkstack(L, 20, NULL);
    where = lua_pushfstring(L, "hooks.%s", name);
    dot = lua_pushfstring(L, "%s.", where);
    if (!lua_istable(L, t))
        luaL_error(L, "%s: expected a table, got %s", where, luaL_typename(L, t));
    das_config_keys(L, t, where, allowed, sizeof allowed / sizeof *allowed);
    h = r->hook = das_hooks_add(&r->rules->hooks, name, &err);
    if (!h)
        luaL_error(L, "%s", err.msg);
    read_platform(L, t, where, h);
    h->path = take_text(L, t, where, "path");
    read_verify(L, t, where, h);
    h->script = take_script(L, t, where, r->config);
    read_commands(L, t, where, r);
    read_allow(L, t, where, &r->rules->people, &h->allow);
    read_instances(L, t, where, r);
    read_reply_hosts(L, t, where, h);
    h->channel = take_text(L, t, where, "channel");
    if (h->channel && !das_channels_find(&r->rules->channels, h->channel, &err))
        luaL_error(L, "%s.channel: %s", where, err.msg);
    das_config_bool(L, t, dot, "insecure", &h->insecure);
    das_config_span(L, t, dot, "timeout", 1000, DAS_CONFIG_HOUR_MS,
                    "a duration from \"1s\" to \"1h\"", &h->timeout_ms);
    if (das_hook_settle(&r->rules->hooks, h, &err) < 0)
        luaL_error(L, "%s", err.msg);
    lua_settop(L, t);
}

void das_config_hooks(lua_State *L, int t, const char *config, struct das_rules *rules,
                      const struct das_inventory *inv)
{
    struct reader r = {config, rules, inv, NULL};
    int top = lua_gettop(L), hooks;

    if (das_config_has(L, t, "hooks")) {
        hooks = lua_gettop(L);
        if (!lua_istable(L, hooks))
            das_config_expected(L, "", "hooks", "a table");
        lua_pushnil(L);
        while (lua_next(L, hooks)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "hooks: expected names, got a %s", luaL_typename(L, -2));
            read_hook(L, lua_tostring(L, -2), &r);
            lua_pop(L, 1);
        }
        if (rules->hooks.count)
            qsort(rules->hooks.items, rules->hooks.count, sizeof *rules->hooks.items, by_hook);
    }
    lua_settop(L, top);
}
