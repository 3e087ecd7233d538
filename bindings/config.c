/* config.c - see config.h. */
#include "bindings/config.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/bind.h"
#include "bindings/config_impl.h"
#include "core/base/mem.h"
#include "core/base/share.h"

#define CONFIG_MEMORY ((size_t)16 << 20)
#define CONFIG_STEPS 1000000 /* instructions; data needs a few for each value */

struct reader {
    const char *path;
    const struct das_config *into;
    uint64_t memory; /* bytes held by the state */
};

static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct reader *r = ud;
    uint64_t held = das_lua_held(r->memory, ptr, osize, nsize);

    if (held > r->memory && held > CONFIG_MEMORY)
        return NULL;
    return das_lua_resize(&r->memory, ptr, osize, nsize);
}

static void too_long(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "the configuration is a table, not a program: it ran too long");
}

const char *das_config_text(lua_State *L, int t, const char *where, const char *key)
{
    const char *text = NULL;

    lua_pushstring(L, key);
    if (lua_rawget(L, t) == LUA_TSTRING)
        text = lua_tostring(L, -1);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "%s.%s: expected a string, got %s", where, key, luaL_typename(L, -1));
    lua_pop(L, 1);
    return text;
}

void das_config_keys(lua_State *L, int t, const char *where, const char *const *allowed, size_t n)
{
    lua_pushnil(L);
    while (lua_next(L, t)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL, *near;
        bool known = false;
        for (size_t i = 0; key && i < n && !known; i++)
            known = strcmp(key, allowed[i]) == 0;
        if (!key)
            luaL_error(L, "%s: expected named keys, got a %s", where, luaL_typename(L, -2));
        near = known ? NULL : das_nearest(key, allowed, n);
        if (near)
            luaL_error(L, "%s: unknown key \"%s\"; did you mean \"%s\"?", where, key, near);
        if (!known)
            luaL_error(L, "%s: unknown key \"%s\"", where, key);
        lua_pop(L, 1);
    }
}

const char **das_config_list(lua_State *L, int t, const char *where, const char *key,
                             size_t *count)
{
    const char **list = NULL;
    lua_Unsigned n;
    int at;

    *count = 0;
    lua_pushstring(L, key);
    if (lua_rawget(L, t) == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "%s.%s: expected a list of strings, got %s", where, key, luaL_typename(L, -1));
    at = lua_gettop(L);
    n = lua_rawlen(L, at);
    list = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *list, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        if (lua_rawgeti(L, at, (lua_Integer)i + 1) != LUA_TSTRING)
            luaL_error(L, "%s.%s: expected a list of strings, item %d is %s", where, key,
                       (int)i + 1, luaL_typename(L, -1));
        list[i] = lua_tostring(L, -1); // the table keeps it alive
        lua_pop(L, 1);
    }
    list[n] = NULL;
    lua_remove(L, at);
    *count = (size_t)n;
    return list;
}

static void read_tags(lua_State *L, int t, const char *where, struct das_source_conf *conf)
{
    conf->tags = das_config_list(L, t, where, "tags", &conf->tag_count);
}

static void read_instance(lua_State *L, struct reader *r, const char *name)
{
    static const char *const allowed[] = {"source", "password_file", "password_env", "tags",
                                          "cloud",  "db_user_id",    "id"};
    struct das_source_conf conf = {.name = name};
    const char *where = lua_pushfstring(L, "instances.%s", name);
    int value = lua_gettop(L) - 1;
    struct das_err err;

    if (lua_type(L, value) == LUA_TSTRING) {
        conf.spec = lua_tostring(L, value);
    } else if (lua_istable(L, value)) {
        lua_pushliteral(L, "password");
        if (lua_rawget(L, value) != LUA_TNIL)
            luaL_error(L, "%s.password: a password does not belong in this file; expected "
                          "password_file = \"PATH\" or password_env = \"NAME\"",
                       where);
        lua_pop(L, 1);
        das_config_keys(L, value, where, allowed, sizeof allowed / sizeof *allowed);
        conf.spec = das_config_text(L, value, where, "source");
        conf.password_file = das_config_text(L, value, where, "password_file");
        conf.password_env = das_config_text(L, value, where, "password_env");
        conf.cloud = das_config_text(L, value, where, "cloud");
        conf.db_user_id = das_config_text(L, value, where, "db_user_id");
        conf.id = das_config_text(L, value, where, "id");
        das_config_instance_id(L, where, conf.id);
        read_tags(L, value, where, &conf); // where it was, and a block of the state below it
    } else {
        luaL_error(L, "%s: expected a source such as \"mysql://user@host:3306/\" or a table, got "
                      "%s",
                   where, luaL_typename(L, value));
    }
    if (!conf.spec || !das_source_is_spec(conf.spec))
        luaL_error(L, "%s.source: expected file:PATH, mem:PATH, mysql://user@host:port/ or "
                      "das://REGION/PROJECT/INSTANCE",
                   where);
    if (conf.password_file && conf.password_env)
        luaL_error(L, "%s: password_file or password_env, not both", where);
    das_config_instance_cloud(L, where, &conf, r->into->inventory);
    if (das_inventory_add(r->into->inventory, &conf, &err) < 0)
        luaL_error(L, "%s: %s", where, err.msg);
    lua_settop(L, value);
}

/* Lua tables have no order; instances are listed by name. */
static void read_instances(lua_State *L, struct reader *r)
{
    int t = lua_gettop(L), names;
    lua_Integer n = 0;

    if (!lua_istable(L, t))
        luaL_error(L, "instances: expected a table, got %s", luaL_typename(L, t));
    lua_newtable(L);
    names = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_Integer at = ++n;
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "instances: expected names, got a %s", luaL_typename(L, -2));
        lua_pop(L, 1);
        /* insertion sort: configurations are short, and this state has no table.sort */
        for (; at > 1; at--) {
            bool before;
            lua_rawgeti(L, names, at - 1);
            before = strcmp(lua_tostring(L, -2), lua_tostring(L, -1)) < 0;
            if (!before) {
                lua_pop(L, 1);
                break;
            }
            lua_rawseti(L, names, at);
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, names, at);
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, names, i);
        lua_pushvalue(L, -1);
        lua_rawget(L, t); // ... name value
        read_instance(L, r, lua_tostring(L, -2));
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

void das_config_protect(lua_State *L, struct das_protect *to)
{
    int t = lua_gettop(L);
    struct das_err err;

    if (!lua_istable(L, t))
        luaL_error(L, "protect: expected a list of filters, got %s", luaL_typename(L, t));
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_Integer place = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        if (place < 1 || !lua_istable(L, -1))
            luaL_error(L, "protect: expected a list of tables such as { { user = \"backup\" } }");
        if (das_protect_add(to, das_check_filter(L, lua_gettop(L)), &err) < 0)
            luaL_error(L, "protect[%d]: %s", (int)place, err.msg);
        lua_pop(L, 1);
    }
}

/* --- limits and grants ------------------------------------------------------------------------- */

static void read_limit(lua_State *L, const char *where, const char *key, struct das_limits *to)
{
    struct {
        const char *key;
        uint64_t *bytes;
        int64_t *ms;
        uint64_t *count;
    } known[] = {
        {"memory", &to->memory, NULL, NULL},
        {"cpu", NULL, &to->cpu_ms, NULL},
        {"wall", NULL, &to->wall_ms, NULL},
        {"instructions", NULL, NULL, &to->instructions},
        {"output", &to->output, NULL, NULL},
        {"http_requests", NULL, NULL, &to->http_requests},
        {"http_bytes", &to->http_bytes, NULL, NULL},
    };
    const char *text = luaL_tolstring(L, -1, NULL);
    struct das_text t = das_text_of(text);
    const char *expects = NULL;
    int64_t n;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(key, known[i].key) != 0)
            continue;
        if (known[i].bytes && !das_parse_size(t, known[i].bytes))
            expects = "bytes such as \"64MB\"";
        if (known[i].ms && (!das_parse_duration_ms(t, known[i].ms) || *known[i].ms <= 0 ||
                            *known[i].ms > DAS_CONFIG_YEAR_MS))
            expects = "a duration such as \"5s\", a year at the most";
        if (known[i].count && (!das_parse_int(t, &n) || n < 0))
            expects = "a whole number";
        else if (known[i].count)
            *known[i].count = (uint64_t)n;
    }
    if (expects)
        luaL_error(L, "%s.%s: expected %s, got %s", where, key, expects, text);
    lua_pop(L, 1);
}

void das_config_limits(lua_State *L, const char *where, struct das_limits *to)
{
    static const char *const allowed[] = {"memory", "cpu", "wall", "instructions",
                                          "output", "http_requests", "http_bytes"};
    int t = lua_gettop(L);

    if (!lua_istable(L, t))
        luaL_error(L, "%s: expected a table, got %s", where, luaL_typename(L, t));
    das_config_keys(L, t, where, allowed, sizeof allowed / sizeof *allowed);
    lua_pushnil(L);
    while (lua_next(L, t)) {
        read_limit(L, where, lua_tostring(L, -2), to);
        lua_pop(L, 1);
    }
}

static bool known_grant(const char *name)
{
    static const char *const whole[] = {"preview", "kill", "cloud_kill", "notify", "http",
                                         "stop", "runbook"};
    static const char *const prefixes[] = {"http:", "secret:", "instance:", "tag:", "cloud:",
                                           "notify:"};

    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        if (strcmp(name, whole[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t len = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], len) == 0 && name[len])
            return true;
    }
    return false;
}

void das_config_grants(lua_State *L, int t, const char *where, struct das_script_entry *e)
{
    size_t n;
    const char **names = das_config_list(L, t, where, "grants", &n);

    if (!names)
        return;
    e->has_grants = true;
    e->grants.names = das_calloc(n, sizeof *e->grants.names);
    if (!e->grants.names)
        luaL_error(L, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!known_grant(names[i]))
            luaL_error(L, "%s.grants: unknown grant \"%s\"; expected preview, kill, cloud_kill, "
                          "stop, runbook, notify, notify:CHANNEL, http, http:HOST, secret:NAME, "
                          "instance:NAME, tag:TAG or cloud:NAME",
                       where, names[i]);
        if (!(e->grants.names[i] = das_strdup(names[i])))
            luaL_error(L, "out of memory");
        e->grants.count++;
    }
    lua_pop(L, 1);
}

/* Links resolved, the caller's; NULL: there is no such file, or no memory. */
static char *real_path(const struct das_buf *b)
{
    char *real = b->failed || !b->ptr ? NULL : realpath(b->ptr, NULL);
    char *path = real ? das_strdup(real) : NULL;

    free(real);
    return path;
}

char *das_config_script_path(const char *config, const char *name)
{
    const char *slash = strrchr(config, '/');
    struct das_buf b = {0};
    char *path;

    if (strcmp(name, "*") == 0)
        return das_strdup(name);
    if (name[0] != '/' && slash)
        das_buf_add(&b, config, (size_t)(slash - config) + 1);
    das_buf_str(&b, name);
    path = real_path(&b);
    das_buf_reset(&b);
    if (!path && name[0] != '/' && !strstr(name, "..") && das_share_dir(&b)) {
        das_buf_printf(&b, "/%s", name);
        path = real_path(&b);
    }
    das_buf_clear(&b);
    return path;
}

const char *das_config_looked(lua_State *L)
{
    struct das_buf *b = das_scratch(L);

    return das_share_dir(b) ? lua_pushfstring(L, ", beside das.lua or in %s", b->ptr) : "";
}

/* name and its rules at the top of the stack */
static void read_script(lua_State *L, struct reader *r, const char *name)
{
    static const char *const allowed[] = {"limits", "grants", "mode", "kill", "every",
                                          DAS_CONFIG_POLICY_KEYS};
    struct das_rules *rules = r->into->rules;
    const char *where = lua_pushfstring(L, "scripts[\"%s\"]", name), *in;
    int t = lua_gettop(L) - 1;
    struct das_script_entry *e, *bigger;
    struct das_err err;

    if (!lua_istable(L, t))
        luaL_error(L, "%s: expected a table, got %s", where, luaL_typename(L, t));
    das_config_keys(L, t, where, allowed, sizeof allowed / sizeof *allowed);
    bigger = das_grow(rules->scripts, rules->count + 1, sizeof *bigger);
    if (!bigger)
        luaL_error(L, "out of memory");
    rules->scripts = bigger;
    e = &rules->scripts[rules->count++]; // owned by the rules from here on
    memset(e, 0, sizeof *e);
    e->limits = rules->limits;
    if (das_policy_rules_copy(&e->policy, &rules->policy, &err) < 0)
        luaL_error(L, "%s: %s", where, err.msg);
    /* a name that fits nothing would leave the script it was meant for with other grants */
    if (!(e->path = das_config_script_path(r->path, name)))
        luaL_error(L, "%s: there is no such script%s", where, das_config_looked(L));
    for (size_t i = 0; i + 1 < rules->count; i++) {
        if (strcmp(rules->scripts[i].path, e->path) == 0)
            luaL_error(L, "%s: this script is there twice", where);
    }
    in = lua_pushfstring(L, "%s.limits", where);
    if (lua_getfield(L, t, "limits") != LUA_TNIL)
        das_config_limits(L, in, &e->limits);
    lua_settop(L, t + 1);
    in = lua_pushfstring(L, "%s.", where);
    das_config_mode(L, t, in, &e->policy);
    das_config_kill(L, t, in, &e->policy.limits);
    das_config_policy(L, t, in, &e->policy);
    das_config_duration(L, t, in, "every", DAS_CONFIG_YEAR_MS, &e->every_ms);
    lua_settop(L, t + 1);
    das_config_grants(L, t, where, e);
    lua_settop(L, t);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct das_script_entry *)a)->path,
                  ((const struct das_script_entry *)b)->path);
}

static void read_scripts(lua_State *L, struct reader *r)
{
    struct das_rules *rules = r->into->rules;
    int t = lua_gettop(L);

    if (!lua_istable(L, t))
        luaL_error(L, "scripts: expected a table, got %s", luaL_typename(L, t));
    lua_pushnil(L);
    while (lua_next(L, t)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "scripts: expected paths, got a %s", luaL_typename(L, -2));
        read_script(L, r, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    if (rules->count) // a table has no order, and what is said about it should have one
        qsort(rules->scripts, rules->count, sizeof *rules->scripts, by_path);
}

struct das_secret_place das_config_place(lua_State *L, int t, const char *where)
{
    static const char *const kinds[] = {"file", "env", "credential"};
    struct das_secret_place place = {.name = (char *)(uintptr_t)where};
    int found = 0;

    if (!lua_istable(L, t))
        luaL_error(L, "%s: a secret does not belong in this file; expected { file = \"PATH\" }, "
                      "{ env = \"NAME\" } or { credential = \"NAME\" }",
                   where);
    das_config_keys(L, t, where, kinds, 3);
    for (int i = 0; i < 3; i++) {
        const char *text = das_config_text(L, t, where, kinds[i]);
        if (!text)
            continue;
        place.where = (char *)(uintptr_t)text;
        place.from = (enum das_secret_from)i;
        found++;
    }
    if (found != 1)
        luaL_error(L, "%s: expected one of file, env and credential", where);
    return place;
}

/* secrets = { slack = { file = "/etc/das/slack" } } */
static void read_secret(lua_State *L, struct reader *r, const char *name)
{
    const char *where = lua_pushfstring(L, "secrets.%s", name);
    int t = lua_gettop(L) - 1;
    struct das_secret_place place = das_config_place(L, t, where);
    struct das_err err;

    if (das_secrets_add(r->into->secrets, name, place.from, place.where, &err) < 0)
        luaL_error(L, "%s: %s", where, err.msg);
    lua_settop(L, t);
}

static void read_secrets(lua_State *L, struct reader *r)
{
    int t = lua_gettop(L);

    if (!lua_istable(L, t))
        luaL_error(L, "secrets: expected a table, got %s", luaL_typename(L, t));
    lua_pushnil(L);
    while (lua_next(L, t)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "secrets: expected names, got a %s", luaL_typename(L, -2));
        read_secret(L, r, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
}

/* limits = { script = {...}, kill = {...} } */
static void read_all_limits(lua_State *L, struct reader *r)
{
    static const char *const allowed[] = {"script", "kill"};
    int t = lua_gettop(L);

    if (!lua_istable(L, t))
        luaL_error(L, "limits: expected a table, got %s", luaL_typename(L, t));
    das_config_keys(L, t, "limits", allowed, sizeof allowed / sizeof *allowed);
    if (lua_getfield(L, t, "script") != LUA_TNIL)
        das_config_limits(L, "limits.script", &r->into->rules->limits);
    lua_settop(L, t);
    das_config_kill(L, t, "limits.", &r->into->rules->policy.limits);
}

static int read_all(lua_State *L)
{
    static const char *const allowed[] = {"instances", "clouds", "protect", "limits", "scripts",
                                          "secrets",   "state",  "journal", "serve",   "channels",
                                          "policies",  "people", "hooks",
                                          DAS_CONFIG_POLICY_KEYS};
    struct reader *r = lua_touserdata(L, 1);
    int top;

    das_open_filter(L); // for protect: no global holds it
    lua_settop(L, 1);
    if (luaL_loadfilex(L, r->path, "t") != LUA_OK)
        return lua_error(L);
    lua_newtable(L); // an environment with nothing in it
    lua_setupvalue(L, -2, 1);
    lua_sethook(L, too_long, LUA_MASKCOUNT, CONFIG_STEPS);
    lua_call(L, 0, 1);
    lua_sethook(L, NULL, 0, 0);
    top = lua_gettop(L);
    if (!lua_istable(L, top))
        return luaL_error(L, "expected `return { instances = {...} }`, got %s",
                          luaL_typename(L, top));
    das_config_keys(L, top, "configuration", allowed, sizeof allowed / sizeof *allowed);
    das_config_clouds(L, top, r->into->inventory); // before the instances, which name them
    if (lua_getfield(L, top, "instances") != LUA_TNIL)
        read_instances(L, r);
    lua_pop(L, 1);
    if (lua_getfield(L, top, "protect") != LUA_TNIL)
        das_config_protect(L, r->into->protect);
    lua_settop(L, top);
    if (lua_getfield(L, top, "limits") != LUA_TNIL) // before the scripts, which start from them
        read_all_limits(L, r);
    lua_settop(L, top);
    das_config_state(L, top, r->into->rules);
    das_config_journal(L, top, &r->into->rules->policy);
    das_config_policy(L, top, "", &r->into->rules->policy);
    das_config_serve(L, top, r->into->rules);
    das_config_channels(L, top, &r->into->rules->channels);
    r->into->rules->channels.url = r->into->rules->serve.url;
    das_config_people(L, top, &r->into->rules->people);
    if (lua_getfield(L, top, "scripts") != LUA_TNIL)
        read_scripts(L, r);
    lua_settop(L, top);
    das_config_schedule(L, top, r->path, r->into->rules, r->into->inventory);
    das_config_hooks(L, top, r->path, r->into->rules, r->into->inventory);
    if (lua_getfield(L, top, "secrets") != LUA_TNIL)
        read_secrets(L, r);
    return 0;
}

int das_config_read(const char *path, const struct das_config *into, struct das_err *err)
{
    struct reader r = {.path = path, .into = into};
    lua_State *L = lua_newstate(allocate, &r);
    int rc = 0;

    if (!L)
        return das_fail_nomem(err);
    *(struct das_run **)lua_getextraspace(L) = NULL;
    lua_pushcfunction(L, read_all);
    lua_pushlightuserdata(L, &r);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        rc = das_fail(err, DAS_E_CONFIG, "%s%s%s", message && strstr(message, path) ? "" : path,
                      message && strstr(message, path) ? "" : ": ", message ? message : "unreadable");
    }
    lua_close(L);
    return rc;
}
