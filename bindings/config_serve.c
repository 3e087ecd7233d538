/*
 * config_serve.c - the part of das.lua that says how `das serve` serves: the table serve, and by
 * which id clients call an instance (see config.h). It opens nothing: whether a certificate can be
 * used shows when the server starts.
 */
#include "bindings/config_impl.h"

#include <string.h>

#include "core/base/mem.h"

#define CONNECTIONS_MAX 65536
#define WORKERS_MAX 64
#define HOOK_QUEUE_MAX 10000
#define RATE_MAX 1e6
#define REGION_MAX 64
#define PROJECT_LEN 32
#define URL_MAX 200

static const char where[] = "serve";
static const char prefix[] = "serve.";

/* --- single values ---------------------------------------------------------------------------- */

static bool letters_and_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!das_is_digit((unsigned char)p[i]) &&
            !(das_lower((unsigned char)p[i]) >= 'a' && das_lower((unsigned char)p[i]) <= 'z'))
            return false;
    }
    return true;
}

/* A text that is not empty, the caller's; *to stays as it is where there is none. in: what stands
 * before the key in messages, without the dot. */
static void take_text(lua_State *L, int t, const char *in, const char *key, char **to)
{
    const char *text = das_config_text(L, t, in, key);
    char *copy;

    if (!text)
        return;
    if (!*text)
        luaL_error(L, "%s.%s: expected a text, got an empty one", in, key);
    copy = das_strdup(text);
    if (!copy)
        luaL_error(L, "out of memory");
    das_free(*to);
    *to = copy;
}

static void read_few(lua_State *L, int t, const char *key, int most, int64_t *to)
{
    int64_t n = *to;

    das_config_count(L, t, prefix, key, 1, &n);
    if (n > most)
        luaL_error(L, "%s%s: expected 1 to %d, got %I", prefix, key, most, (LUAI_UACINT)n);
    *to = n;
}

static void read_connections(lua_State *L, int t, const char *key, int64_t *to)
{
    int64_t n = *to;

    das_config_count(L, t, prefix, key, 1, &n);
    if (n > CONNECTIONS_MAX)
        luaL_error(L, "%s%s: expected 1 to %d, got %I", prefix, key, CONNECTIONS_MAX,
                   (LUAI_UACINT)n);
    *to = n;
}

/* The value of key as a text [-0, +1], for das_parse_*; raises on what is neither number nor text.
 * NULL and nothing pushed: there is none. */
static const char *scalar(lua_State *L, int t, const char *in, const char *key,
                          const char *what)
{
    if (!das_config_has(L, t, key)) {
        lua_pop(L, 1);
        return NULL;
    }
    if (lua_type(L, -1) != LUA_TNUMBER && lua_type(L, -1) != LUA_TSTRING)
        das_config_expected(L, in, key, what);
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    return lua_tostring(L, -1);
}

static void read_size(lua_State *L, int t, const char *key, uint64_t least, uint64_t most,
                      const char *what, uint64_t *to)
{
    const char *text = scalar(L, t, prefix, key, what);
    uint64_t bytes = 0;

    if (!text)
        return;
    if (!das_parse_size(das_text_of(text), &bytes) || bytes < least || bytes > most)
        das_config_expected(L, prefix, key, what);
    *to = bytes;
    lua_pop(L, 1);
}

void das_config_span(lua_State *L, int t, const char *in, const char *key, int64_t least,
                     int64_t most, const char *what, int64_t *to)
{
    const char *text = scalar(L, t, in, key, what);
    int64_t ms = 0;

    if (!text)
        return;
    if (!das_parse_duration_ms(das_text_of(text), &ms) || ms < least || ms > most)
        das_config_expected(L, in, key, what);
    *to = ms;
    lua_pop(L, 1);
}

/* --- who may reach it, and as what --------------------------------------------------------------
 */

static void read_tls(lua_State *L, int t, struct das_serve_conf *to)
{
    static const char *const allowed[] = {"certificate", "key"};
    int at;

    if (das_config_has(L, t, "tls")) {
        at = lua_gettop(L);
        if (!lua_istable(L, at))
            das_config_expected(L, prefix, "tls",
                                "a table such as { certificate = \"PATH\", key = \"PATH\" }");
        das_config_keys(L, at, "serve.tls", allowed, 2);
        take_text(L, at, "serve.tls", "certificate", &to->certificate);
        take_text(L, at, "serve.tls", "key", &to->key);
        if (!to->certificate || !to->key)
            luaL_error(L, "serve.tls: expected both certificate and key, the paths of PEM files%s",
                       to->certificate ? "; there is no key"
                       : to->key       ? "; there is no certificate"
                                       : "");
    }
    lua_pop(L, 1);
}

/* One address or a list of them. After read_tls(): an address that others reach needs it. */
static void read_listen(lua_State *L, int t, struct das_serve_conf *to)
{
    struct das_err err;
    const char *one, **list = &one;
    size_t n = 1;

    if (!das_config_has(L, t, "listen")) {
        lua_pop(L, 1);
        return;
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        one = lua_tostring(L, -1);
    } else if (lua_istable(L, -1)) {
        list = das_config_list(L, t, where, "listen", &n); // on the stack, as is the table
    } else {
        das_config_expected(L, prefix, "listen",
                            "an address such as \"127.0.0.1:7070\", or a list of them");
        return;
    }
    if (das_serve_conf_listen(to, list, n, &err) < 0)
        luaL_error(L, "%s%s", err.code == DAS_E_CONFIG ? prefix : "", err.msg);
}

static void read_names(lua_State *L, int t, struct das_serve_conf *to)
{
    size_t len;

    take_text(L, t, where, "region", &to->region);
    len = to->region ? strlen(to->region) : 0;
    for (size_t i = 0; i < len; i++) {
        if (len > REGION_MAX || !(to->region[i] == '-' || letters_and_digits(to->region + i, 1)))
            luaL_error(L,
                       "serve.region: expected up to %d letters, digits and \"-\" such as "
                       "\"local\", got \"%s\"",
                       REGION_MAX, to->region);
    }
    take_text(L, t, where, "url", &to->url);
    while (to->url && *to->url && to->url[strlen(to->url) - 1] == '/')
        to->url[strlen(to->url) - 1] = '\0'; /* a path comes behind it */
    if (to->url && strncmp(to->url, "https://", 8) != 0 &&
        !(strncmp(to->url, "http://", 7) == 0 &&
          (to->insecure || strncmp(to->url, "http://127.0.0.1", 16) == 0 ||
           strncmp(to->url, "http://localhost", 16) == 0)))
        luaL_error(L, "serve.url: expected https://..., or insecure = true besides, got \"%s\"",
                   to->url);
    if (to->url && (strlen(to->url) > URL_MAX || to->url[strcspn(to->url, "\"'<>\\ \t\r\n?#")]))
        luaL_error(L, "serve.url: expected an address such as \"https://das.example.com\", got \"%s\"",
                   to->url);
    take_text(L, t, where, "project", &to->project);
    if (to->project &&
        (strlen(to->project) != PROJECT_LEN || !letters_and_digits(to->project, PROJECT_LEN)))
        luaL_error(L, "serve.project: expected %d letters and digits, got \"%s\"", PROJECT_LEN,
                   to->project);
}

/* --- how much, and how far ----------------------------------------------------------------------
 */

static void read_bounds(lua_State *L, int t, struct das_serve_conf *to)
{
    read_connections(L, t, "connections", &to->connections);
    read_connections(L, t, "connections_per_address", &to->connections_per_address);
    read_few(L, t, "workers", WORKERS_MAX, &to->workers);
    read_few(L, t, "hook_workers", WORKERS_MAX, &to->hook_workers);
    read_few(L, t, "hook_queue", HOOK_QUEUE_MAX, &to->hook_queue);
    read_size(L, t, "header", (uint64_t)1 << 10, (uint64_t)64 << 10, "1KB to 64KB",
              &to->header_bytes);
    read_size(L, t, "body", (uint64_t)1 << 10, (uint64_t)16 << 20, "1KB to 16MB", &to->body_bytes);
    das_config_span(L, t, prefix, "every", 1000, DAS_CONFIG_HOUR_MS, "a duration from \"1s\" to \"1h\"",
              &to->task_every_ms);
    das_config_span(L, t, prefix, "share", 0, 60000, "a duration from 0 to \"60s\"", &to->share_ms);
    das_config_span(L, t, prefix, "deadline", 1000, DAS_CONFIG_HOUR_MS, "a duration from \"1s\" to \"1h\"",
              &to->deadline_ms);
    das_config_span(L, t, prefix, "drain", 0, DAS_CONFIG_HOUR_MS, "a duration from 0 to \"1h\"", &to->drain_ms);
    das_config_number(L, t, prefix, "rate", false, 0, RATE_MAX,
                      "requests a second, up to 1000000; 0: no limit", &to->rate);
}

void das_config_serve(lua_State *L, int t, struct das_rules *to)
{
    static const char *const allowed[] = {"listen",
                                          "tls",
                                          "insecure",
                                          "region",
                                          "project",
                                          "url",
                                          "every",
                                          "share",
                                          "connections",
                                          "connections_per_address",
                                          "header",
                                          "body",
                                          "deadline",
                                          "drain",
                                          "rate",
                                          "workers",
                                          "hook_workers",
                                          "hook_queue",
                                          "mode",
                                          "kill",
                                          DAS_CONFIG_POLICY_KEYS};
    struct das_serve_conf *c = &to->serve;
    int top = lua_gettop(L), at;
    struct das_err err;

    das_policy_rules_clear(&c->policy);
    if (das_policy_rules_copy(&c->policy, &to->policy, &err) < 0)
        luaL_error(L, "serve: %s", err.msg);
    if (das_config_has(L, t, where)) {
        at = lua_gettop(L);
        if (!lua_istable(L, at))
            das_config_expected(L, "", where, "a table");
        das_config_keys(L, at, where, allowed, sizeof allowed / sizeof *allowed);
        das_config_bool(L, at, prefix, "insecure", &c->insecure);
        read_tls(L, at, c);
        read_listen(L, at, c);
        read_names(L, at, c);
        read_bounds(L, at, c);
        das_config_mode(L, at, prefix, &c->policy);
        das_config_kill(L, at, prefix, &c->policy.limits);
        das_config_policy(L, at, prefix, &c->policy);
    }
    lua_settop(L, top);
}

void das_config_instance_id(lua_State *L, const char *in, const char *id)
{
    size_t len = id ? strlen(id) : 0;

    if (!id)
        return;
    if ((len == 32 && letters_and_digits(id, 32)) ||
        (len == 36 && letters_and_digits(id, 32) && id[32] == 'i' && id[33] == 'n' &&
         das_is_digit((unsigned char)id[34]) && das_is_digit((unsigned char)id[35])))
        return;
    luaL_error(L,
               "%s.id: expected 32 letters and digits, or those and \"in01\" or the like, got "
               "\"%s\"",
               in, id);
}
