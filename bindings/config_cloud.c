/*
 * config_cloud.c - the part of das.lua that says who das is at Huawei Cloud: accounts, and which
 * instance goes through which of them (see config.h). It reads no secret, only where they are.
 */
#include "bindings/config_impl.h"

#include <string.h>

#include "core/base/mem.h"

#define RETRIES_MAX 20
#define RATE_MAX 1e6

/* One account while it is read; where has a dot behind it in prefix. */
struct account {
    int t; /* its table */
    const char *where, *prefix;
    struct das_cloud_conf conf;
    struct das_secret_place secret_key, security_token, password, token;
};

/* --- who das is there ------------------------------------------------------------------------- */

/* The ways to say it; the keys that each has, those that it cannot do without first. */
static const struct {
    enum das_credential_kind kind;
    const char *keys[3];
    size_t needed;
} ways[] = {
    {DAS_CREDENTIAL_KEYS, {"access_key", "secret_key", "security_token"}, 2},
    {DAS_CREDENTIAL_FILE, {"credential_file"}, 1},
    {DAS_CREDENTIAL_COMMAND, {"credential_command"}, 1},
    {DAS_CREDENTIAL_PASSWORD, {"domain", "user", "password"}, 3},
    {DAS_CREDENTIAL_TOKEN, {"token"}, 1},
};
#define WAYS (sizeof ways / sizeof *ways)

static bool is_there(lua_State *L, int t, const char *key)
{
    bool there = key && das_config_has(L, t, key);

    if (key)
        lua_pop(L, 1);
    return there;
}

/* The first key of that way that the table has; NULL: none. */
static const char *first_key(lua_State *L, int t, size_t way)
{
    for (size_t i = 0; i < 3; i++) {
        if (is_there(L, t, ways[way].keys[i]))
            return ways[way].keys[i];
    }
    return NULL;
}

static enum das_credential_kind find_way(lua_State *L, const struct account *a)
{
    const char *found = NULL;
    size_t way = WAYS;

    for (size_t i = 0; i < WAYS; i++) {
        const char *key = first_key(L, a->t, i);
        if (key && found)
            luaL_error(L, "%s: %s or %s, not both: each of them says who das is", a->where, found,
                       key);
        if (!key)
            continue;
        found = key;
        way = i;
    }
    if (!found)
        return DAS_CREDENTIAL_ENVIRONMENT;
    for (size_t i = 0; i < ways[way].needed; i++) {
        if (!is_there(L, a->t, ways[way].keys[i]))
            luaL_error(L, "%s: %s without %s", a->where, found, ways[way].keys[i]);
    }
    return ways[way].kind;
}

/* A text that is not empty; NULL: there is none. */
static const char *text(lua_State *L, const struct account *a, const char *key)
{
    const char *t = das_config_text(L, a->t, a->where, key);

    if (t && !*t)
        luaL_error(L, "%s%s: expected a text, got an empty one", a->prefix, key);
    return t;
}

/* Leaves the place's table and name on the stack [-0, +2]; NULL and two nils. */
static const struct das_secret_place *place(lua_State *L, const struct account *a, const char *key,
                                            struct das_secret_place *to)
{
    const char *where;

    if (!das_config_has(L, a->t, key)) {
        lua_pushnil(L);
        return NULL;
    }
    where = lua_pushfstring(L, "%s%s", a->prefix, key);
    *to = das_config_place(L, lua_gettop(L) - 1, where);
    return to;
}

/* What it points to stays on the stack. */
static void read_credential(lua_State *L, struct account *a)
{
    struct das_credential_conf *c = &a->conf.credential;
    size_t n;

    c->kind = find_way(L, a);
    c->access_key = text(L, a, "access_key");
    c->secret_key = place(L, a, "secret_key", &a->secret_key);
    c->security_token = place(L, a, "security_token", &a->security_token);
    c->file = text(L, a, "credential_file");
    c->domain = text(L, a, "domain");
    c->user = text(L, a, "user");
    c->password = place(L, a, "password", &a->password);
    c->token = place(L, a, "token", &a->token);
    c->domain_id = text(L, a, "domain_id");
    c->iam_endpoint = text(L, a, "iam_endpoint");
    if (c->kind == DAS_CREDENTIAL_COMMAND) {
        c->command = das_config_list(L, a->t, a->where, "credential_command", &n);
        if (n == 0 || c->command[0][0] != '/')
            luaL_error(L,
                       "%scredential_command: expected a list such as { \"/usr/bin/hw-keys\", "
                       "\"prod\" } that begins with an absolute path",
                       a->prefix);
    }
}

/* --- how it is asked -------------------------------------------------------------------------- */

static void read_algorithm(lua_State *L, struct account *a)
{
    static const char *const names[] = {"SDK-HMAC-SHA256", "V11-HMAC-SHA256"};
    static const enum das_sign_algorithm values[] = {DAS_SDK_HMAC_SHA256, DAS_V11_HMAC_SHA256};
    const char *name = text(L, a, "algorithm"), *near;

    for (size_t i = 0; name && i < 2; i++) {
        if (strcmp(name, names[i]) == 0) {
            a->conf.algorithm = values[i];
            return;
        }
    }
    near = name ? das_nearest(name, names, 2) : NULL;
    if (name)
        luaL_error(L, "%salgorithm: expected \"%s\" or \"%s\", got \"%s\"%s%s%s", a->prefix,
                   names[0], names[1], name, near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

static void read_traffic(lua_State *L, struct account *a)
{
    struct das_cloud_conf *c = &a->conf;
    int64_t n = c->concurrency;

    das_config_number(L, a->t, a->prefix, "rate", false, 0, RATE_MAX,
                      "requests a second, up to 1000000; 0: no limit", &c->rate);
    das_config_count(L, a->t, a->prefix, "concurrency", 1, &n);
    if (n > DAS_CLOUD_CONCURRENCY_MAX)
        luaL_error(L, "%sconcurrency: expected 1 to %d, got %I", a->prefix,
                   DAS_CLOUD_CONCURRENCY_MAX, (LUAI_UACINT)n);
    c->concurrency = (int)n;
    n = c->retry.times;
    das_config_count(L, a->t, a->prefix, "retries", 0, &n);
    if (n > RETRIES_MAX)
        luaL_error(L, "%sretries: expected 0 to %d, got %I", a->prefix, RETRIES_MAX,
                   (LUAI_UACINT)n);
    c->retry.times = (int)n;
    das_config_duration(L, a->t, a->prefix, "connect_timeout", DAS_CONFIG_HOUR_MS, &c->connect_ms);
    das_config_duration(L, a->t, a->prefix, "timeout", DAS_CONFIG_HOUR_MS, &c->total_ms);
    das_config_duration(L, a->t, a->prefix, "deadline", DAS_CONFIG_HOUR_MS, &c->deadline_ms);
}

/* --- accounts --------------------------------------------------------------------------------- */

/* Messages of the room of the cloud begin with the key that is wrong. */
static void refused(lua_State *L, const struct account *a, const struct das_err *err)
{
    const char *words = strncmp(err->msg, "credential: ", 12) == 0 ? err->msg + 12 : err->msg;

    luaL_error(L, "%s%s", err->code == DAS_E_CONFIG ? a->prefix : "", words);
}

/* Its table at the top of the stack. */
static void read_account(lua_State *L, const char *name, struct das_inventory *to)
{
    static const char *const allowed[] = {"access_key",
                                          "secret_key",
                                          "security_token",
                                          "credential_file",
                                          "credential_command",
                                          "domain",
                                          "user",
                                          "password",
                                          "token",
                                          "domain_id",
                                          "endpoint",
                                          "iam_endpoint",
                                          "ca",
                                          "insecure",
                                          "algorithm",
                                          "rate",
                                          "concurrency",
                                          "connect_timeout",
                                          "timeout",
                                          "deadline",
                                          "retries"};
    struct account a = {.t = lua_gettop(L), .conf = das_cloud_conf_default};
    struct das_cloud_conf *c = &a.conf;
    struct das_err err;

    luaL_checkstack(L, 20, NULL);
    a.where = lua_pushfstring(L, "clouds.%s", name);
    a.prefix = lua_pushfstring(L, "%s.", a.where);
    if (!*name || strcmp(name, "*") == 0)
        luaL_error(L, "clouds: expected names, got \"%s\"", name);
    if (!lua_istable(L, a.t))
        luaL_error(L, "%s: expected a table, got %s", a.where, luaL_typename(L, a.t));
    das_config_keys(L, a.t, a.where, allowed, sizeof allowed / sizeof *allowed);
    c->name = name;
    c->endpoint = text(L, &a, "endpoint");
    c->ca = text(L, &a, "ca");
    das_config_bool(L, a.t, a.prefix, "insecure", &c->insecure);
    read_algorithm(L, &a);
    read_traffic(L, &a);
    read_credential(L, &a);
    c->credential.ca = c->ca;
    c->credential.insecure = c->insecure;
    c->credential.connect_ms = c->connect_ms;
    c->credential.total_ms = c->total_ms;
    if (das_inventory_add_cloud(to, c, &err) < 0)
        refused(L, &a, &err);
    lua_settop(L, a.t);
}

void das_config_clouds(lua_State *L, int t, struct das_inventory *to)
{
    int clouds;

    if (das_config_has(L, t, "clouds")) {
        clouds = lua_gettop(L);
        if (!lua_istable(L, clouds))
            das_config_expected(L, "", "clouds", "a table");
        lua_pushnil(L);
        while (lua_next(L, clouds)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "clouds: expected names, got a %s", luaL_typename(L, -2));
            read_account(L, lua_tostring(L, -2), to);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

/* --- instances -------------------------------------------------------------------------------- */

static void only_for_das(lua_State *L, const char *where, const struct das_source_conf *conf)
{
    const char *key = conf->cloud ? "cloud" : conf->db_user_id ? "db_user_id" : NULL;

    if (key)
        luaL_error(L, "%s.%s: expected a source das://REGION/PROJECT/INSTANCE besides, got %s",
                   where, key, lua_pushlstring(L, conf->spec, strcspn(conf->spec, ":") + 1));
}

void das_config_instance_cloud(lua_State *L, const char *where, const struct das_source_conf *conf,
                               struct das_inventory *inv)
{
    struct das_cloud_address address;
    struct das_err err;

    if (!das_source_needs_cloud(conf->spec)) {
        only_for_das(L, where, conf);
        return;
    }
    if (conf->password_file || conf->password_env)
        luaL_error(L,
                   "%s.%s: a das:// source has no password of its own; its cloud has one (clouds)",
                   where, conf->password_file ? "password_file" : "password_env");
    if (das_cloud_address_parse(conf->spec + strcspn(conf->spec, ":") + 1, &address, &err) < 0)
        luaL_error(L, "%s.source: %s", where, err.msg);
    if (conf->db_user_id && !*conf->db_user_id)
        luaL_error(L, "%s.db_user_id: expected the id of a registered user, got an empty text",
                   where);
    if (conf->cloud && !das_inventory_cloud(inv, conf->cloud, &err))
        luaL_error(L, "%s.cloud: %s", where, err.msg);
}
