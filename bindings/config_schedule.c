/*
 * config_schedule.c - the list policies of das.lua: what das serve runs by itself, where and when
 * (see config.h and schedule_conf.h).
 *
 * What a script may do is said in one place, scripts; an entry here starts from that and can only
 * take away. It gives the mode where scripts gives the script none, and takes every from there where it
 * has no times of its own.
 */
#include <string.h>

#include "bindings/bind.h"
#include "bindings/config_impl.h"
#include "bindings/schedule_conf.h"
#include "core/base/mem.h"

#define NAME_MAX_LEN 64
#define TIMEOUT_MS 30000
#define BACKOFF_MS 300000
#define SECOND 1000

static void *need(lua_State *L, void *p)
{
    if (!p)
        luaL_error(L, "out of memory");
    return p;
}

/* The list of texts in the field key, as the entry's own. */
static void take_list(lua_State *L, int t, const char *in, const char *key, char ***to,
                      size_t *count)
{
    int top = lua_gettop(L);
    size_t n;
    const char **list = das_config_list(L, t, in, key, &n);

    if (!list)
        return;
    *to = need(L, das_calloc(n + 1, sizeof **to));
    for (; *count < n; (*count)++)
        (*to)[*count] = need(L, das_strdup(list[*count]));
    lua_settop(L, top);
}

/* --- what, and where -------------------------------------------------------------------------- */

/* "scripts/policies/long_select.lua" is called long_select. */
static char *name_of(const char *script)
{
    const char *slash = strrchr(script, '/'), *base = slash ? slash + 1 : script;
    size_t len = strlen(base);

    if (len > 4 && strcmp(base + len - 4, ".lua") == 0)
        len -= 4;
    return das_strndup(base, len);
}

static void check_name(lua_State *L, const char *in, const struct das_schedule_conf *all)
{
    const struct das_schedule_entry *e = &all->entries[all->count - 1];
    size_t len = strlen(e->name);

    for (size_t i = 0; i < len || !len; i++) {
        unsigned char c = (unsigned char)e->name[i], low = das_lower(c);
        if (!len || len > NAME_MAX_LEN ||
            !((low >= 'a' && low <= 'z') || das_is_digit(c) || strchr("_-.", c)))
            luaL_error(
                L, "%s.name: expected up to %d letters, digits, \"_\", \"-\" and \".\", got \"%s\"",
                in, NAME_MAX_LEN, e->name);
    }
    for (size_t i = 0; i + 1 < all->count; i++) {
        if (strcmp(all->entries[i].name, e->name) == 0)
            luaL_error(L,
                       "%s.name: \"%s\" is the name of policies[%d], too; expected one of its own",
                       in, e->name, (int)i + 1);
    }
}

static void read_script(lua_State *L, int t, const char *config, const char *in,
                        struct das_schedule_entry *e)
{
    const char *script = das_config_text(L, t, in, "script");
    const char *name = das_config_text(L, t, in, "name");

    if (!script || !*script)
        luaL_error(L, "%s.script: expected the path of a script, beside das.lua or absolute", in);
    if (strcmp(script, "*") == 0 || !(e->script = das_config_script_path(config, script)))
        luaL_error(L, "%s.script: there is no such script: \"%s\"%s", in, script,
                   das_config_looked(L));
    e->name = need(L, name ? das_strdup(name) : name_of(script));
    take_list(L, t, in, "args", &e->args, &e->arg_count);
}

/* A name that fits nothing would be a policy that silently never runs. */
static void read_instances(lua_State *L, int t, const char *in, const struct das_inventory *inv,
                           struct das_schedule_entry *e)
{
    struct das_err err;

    take_list(L, t, in, "instances", &e->instances, &e->instance_count);
    if (!e->instance_count)
        luaL_error(L,
                   "%s.instances: expected a list of names, \"tag:TAG\" or \"*\", such as { "
                   "\"orders\", \"tag:prod\" }",
                   in);
    for (size_t i = 0; i < e->instance_count; i++) {
        const char *word = e->instances[i];
        if (strcmp(word, "*") == 0)
            continue;
        if (strncmp(word, "tag:", 4) == 0) {
            if (!das_inventory_tagged(inv, word + 4))
                luaL_error(L, "%s.instances: no instance has the tag \"%s\"", in, word + 4);
        } else if (das_inventory_find(inv, word, &err) < 0) {
            luaL_error(L, "%s.instances: %s", in, err.msg);
        }
    }
}

/* --- when ------------------------------------------------------------------------------------- */

static void read_cron(lua_State *L, int t, const char *in, struct das_schedule_entry *e)
{
    const char *text = das_config_text(L, t, in, "cron"), *tz = das_config_text(L, t, in, "tz");
    struct das_err err;
    int64_t at;

    if (!text && tz)
        luaL_error(L, "%s.tz: expected cron besides; every knows no time of day", in);
    if (!text)
        return;
    if (das_cron_parse(das_text_of(text), &e->cron, &err) < 0)
        luaL_error(L, "%s.cron: %s", in, err.msg);
    e->cron_text = need(L, das_strdup(text));
    e->zone = das_zone_load(tz ? tz : "UTC", &err);
    if (!e->zone)
        luaL_error(L, "%s.tz: %s", in, err.msg);
    if (!das_cron_next(&e->cron, e->zone, 0, &at))
        luaL_error(L, "%s.cron: expected a time that comes, got \"%s\"", in, text);
}

static void read_times(lua_State *L, int t, const char *in, struct das_schedule_entry *e)
{
    const char *dot = lua_pushfstring(L, "%s.", in);
    int64_t timeout = TIMEOUT_MS, every = 0;

    das_config_span(L, t, dot, "every", SECOND, DAS_CONFIG_YEAR_MS,
                    "a duration from \"1s\" to a year", &every);
    read_cron(L, t, in, e);
    if (every || e->cron_text) // else as scripts has it, which replays go by
        e->every_ms = every;
    if (!e->every_ms == !e->cron_text)
        luaL_error(L, "%s: expected one of every (\"10s\") and cron (\"*/5 * * * *\")%s", in,
                   e->every_ms ? ", got both" : "");
    if (e->every_ms && e->every_ms < SECOND)
        luaL_error(L, "%s.every: expected a duration from \"1s\" to a year; scripts has less", in);
    e->jitter_ms = e->every_ms; // cron: 0, people mean that minute
    das_config_span(L, t, dot, "jitter", 0, e->every_ms ? e->every_ms : 24 * DAS_CONFIG_HOUR_MS,
                    e->every_ms ? "a duration from 0 to that of every"
                                : "a duration from 0 to \"24h\"",
                    &e->jitter_ms);
    e->backoff_ms = BACKOFF_MS;
    das_config_span(L, t, dot, "backoff", 0, DAS_CONFIG_YEAR_MS, "a duration from 0 to a year",
                    &e->backoff_ms);
    das_config_span(L, t, dot, "timeout", SECOND, DAS_CONFIG_HOUR_MS,
                    "a duration from \"1s\" to \"1h\"", &timeout);
    if (timeout < e->limits.wall_ms)
        e->limits.wall_ms = timeout;
}

/* --- how far ---------------------------------------------------------------------------------- */

#define LOWER(to, by) ((to) = (by) < (to) ? (by) : (to))

static void tighten(struct das_limits *to, const struct das_limits *by)
{
    LOWER(to->memory, by->memory);
    LOWER(to->cpu_ms, by->cpu_ms);
    LOWER(to->wall_ms, by->wall_ms);
    if (by->instructions && (!to->instructions || by->instructions < to->instructions))
        to->instructions = by->instructions;
    LOWER(to->output, by->output);
    LOWER(to->http_requests, by->http_requests);
    LOWER(to->http_bytes, by->http_bytes);
}

static void read_mode(lua_State *L, int t, const char *dot, struct das_policy_rules *to,
                      enum das_policy_mode *asked)
{
    struct das_policy_rules own = {.mode = to->mode};

    das_config_mode(L, t, dot, &own);
    *asked = own.mode;
    if (own.mode_is_set && (!to->mode_is_set || own.mode < to->mode)) {
        to->mode = own.mode;
        to->mode_is_set = true;
    }
}

static void read_rules(lua_State *L, int t, const char *in, const struct das_rules *rules,
                       struct das_schedule_entry *e)
{
    const char *dot = lua_pushfstring(L, "%s.", in), *name;
    struct das_script_rules of;
    struct das_kill_limits kill;
    struct das_limits limits;
    struct das_err err;

    das_rules_for(rules, e->script, &of);
    limits = e->limits = of.limits;
    e->grants = of.grants;
    e->every_ms = of.every_ms;
    if (das_policy_rules_copy(&e->rules, of.policy, &err) < 0)
        luaL_error(L, "%s: %s", in, err.msg);
    read_mode(L, t, dot, &e->rules, &e->asked);
    kill = e->rules.limits;
    das_config_kill(L, t, dot, &kill);
    das_kill_limits_tighten(&e->rules.limits, &kill);
    if (das_config_has(L, t, "limits")) {
        name = lua_pushfstring(L, "%slimits", dot);
        lua_insert(L, -2);
        das_config_limits(L, name, &limits);
        tighten(&e->limits, &limits);
    }
}

/* --- the list --------------------------------------------------------------------------------- */

static void read_entry(lua_State *L, int t, const char *config, const char *in,
                       struct das_rules *rules, const struct das_inventory *inv)
{
    static const char *const allowed[] = {"script", "name",   "args",   "instances", "every",
                                          "cron",   "tz",     "jitter", "timeout",   "backoff",
                                          "mode",   "limits", "kill"};
    struct das_schedule_conf *all = rules->schedule;
    struct das_schedule_entry *e = &all->entries[all->count++]; // zeroed, the rules' from here on

    e->rules = das_policy_rules_default;
    das_config_keys(L, t, in, allowed, sizeof allowed / sizeof *allowed);
    read_script(L, t, config, in, e);
    check_name(L, in, all);
    read_instances(L, t, in, inv, e);
    read_rules(L, t, in, rules, e);
    read_times(L, t, in, e); // after the limits, which timeout is one of
}

void das_config_schedule(lua_State *L, int t, const char *config, struct das_rules *rules,
                         const struct das_inventory *inv)
{
    int64_t n = das_config_open_list(L, t, "", "policies",
                                     "a list such as { { script = \"x.lua\", instances = { \"*\" "
                                     "}, every = \"10s\" } }");
    int list = lua_gettop(L);

    if (n < 0)
        return;
    rules->schedule = need(L, das_calloc(1, sizeof *rules->schedule));
    rules->schedule->entries = need(L, das_calloc((size_t)n + 1, sizeof *rules->schedule->entries));
    for (int64_t i = 0; i < n; i++) {
        const char *in = lua_pushfstring(L, "policies[%d]", (int)i + 1);
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        read_entry(L, lua_gettop(L), config, in, rules, inv);
        lua_settop(L, list);
    }
    lua_pop(L, 1);
}
