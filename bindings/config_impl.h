/*
 * config_impl.h - what the files that read das.lua share. Stays in bindings/config*.c.
 *
 * All of these run inside a protected call and raise: config.c makes DAS_E_CONFIG of it. What they
 * fill belongs to the rules from the first moment, so that an error leaks nothing.
 */
#ifndef DAS_BINDINGS_CONFIG_IMPL_H
#define DAS_BINDINGS_CONFIG_IMPL_H

#include <lauxlib.h>
#include <lua.h>

#include "bindings/limits.h"
#include "core/base/secret.h"
#include "core/plan/protect.h"
#include "core/source/inventory.h"

#define DAS_CONFIG_YEAR_MS ((int64_t)366 * 86400 * 1000)

/* --- values. where is what stands before the key in messages: "scripts[\"x.lua\"]." ------------- */

/* Pushes the field key of the table at t [-0, +1]; false when there is none. */
bool das_config_has(lua_State *L, int t, const char *key);
/* Raises with what was found at the top of the stack. */
void das_config_expected(lua_State *L, const char *where, const char *key, const char *what);
/* Each leaves *to as it is where there is no such field. */
void das_config_count(lua_State *L, int t, const char *where, const char *key, int64_t least,
                      int64_t *to);
/* Milliseconds, more than 0; most: an hour or DAS_CONFIG_YEAR_MS. */
void das_config_duration(lua_State *L, int t, const char *where, const char *key, int64_t most,
                         int64_t *to);
void das_config_bool(lua_State *L, int t, const char *where, const char *key, bool *to);
/* A number from least to most; zero besides, where it means that nothing is looked at. */
void das_config_number(lua_State *L, int t, const char *where, const char *key, bool zero,
                       double least, double most, const char *what, double *to);
#define DAS_CONFIG_HOUR_MS ((int64_t)3600 * 1000)

/* --- tables; here where is without the dot -------------------------------------------------------- */

/* Raises on a key of the table at t that is not among allowed, with a suggestion. */
void das_config_keys(lua_State *L, int t, const char *where, const char *const *allowed, size_t n);
/* A string field of the table at index t; NULL when absent. The string stays in the table. */
const char *das_config_text(lua_State *L, int t, const char *where, const char *key);
/* A list of strings in the field key of the table at t: how many, and a block of the state that
 * points to them and ends with NULL [-0, +1]; NULL and nothing pushed when there is none. */
const char **das_config_list(lua_State *L, int t, const char *where, const char *key,
                             size_t *count);
/* Where a secret is, as the table at t says: { file = ... }, { env = ... } or { credential = ... }.
 * where, which is also its name, and the strings stay with their owners. */
struct das_secret_place das_config_place(lua_State *L, int t, const char *where);

/* The keys windows, freezes, breaker, ramp and outcome_wait of the table at t, where they are.
 * Windows take the place of those that are in to already; freezes are added to them. where is
 * "" at the top of the file, else "scripts[\"x.lua\"]." */
void das_config_policy(lua_State *L, int t, const char *where, struct das_policy_rules *to);
#define DAS_CONFIG_POLICY_KEYS "windows", "freezes", "breaker", "ramp", "outcome_wait"

/* The table of limits of a script at the top of the stack. */
void das_config_limits(lua_State *L, const char *where, struct das_limits *to);
/* grants = { "preview", ... } of the table at t, where they are. */
void das_config_grants(lua_State *L, int t, const char *where, struct das_script_entry *e);
/* The list of filters at the top of the stack. */
void das_config_protect(lua_State *L, struct das_protect *to);

/* mode = "auto" */
void das_config_mode(lua_State *L, int t, const char *where, struct das_policy_rules *to);
/* The table of numbers of kills in the field kill of the table at t, where there is one. */
void das_config_kill(lua_State *L, int t, const char *where, struct das_kill_limits *to);
/* The clouds of the table at t, where there are some, go into the inventory. */
void das_config_clouds(lua_State *L, int t, struct das_inventory *to);
/* What an instance says about its cloud: raises where that makes no sense, or there is no such
 * cloud. conf has its spec. where is "instances.NAME". */
void das_config_instance_cloud(lua_State *L, const char *where, const struct das_source_conf *conf,
                               struct das_inventory *inv);

/* A duration, a number of seconds or a text, from least to most ms; what: words for both. */
void das_config_span(lua_State *L, int t, const char *where, const char *key, int64_t least,
                     int64_t most, const char *what, int64_t *to);
/* Pushes the list of tables in the field key of the table at t [-0, +1] and returns how many; -1 and
 * nothing pushed when there is none. Anything else than a list is refused. */
int64_t das_config_open_list(lua_State *L, int t, const char *where, const char *key,
                             const char *what);
/* "policies/x.lua" beside the file config, else among the scripts that come with das (share.h), as
 * the path that a run will have; "*" is itself. NULL: there is no such file, or no memory. */
char *das_config_script_path(const char *config, const char *name);
/* ", beside das.lua or in /usr/local/share/das": where that was. May push. */
const char *das_config_looked(lua_State *L);
/* The list policies of the table at t, where there is one, after scripts and instances. config: the
 * path of das.lua. */
void das_config_schedule(lua_State *L, int t, const char *config, struct das_rules *rules,
                         const struct das_inventory *inv);

/* The table serve of the table at t, where there is one; after the policy of all scripts, which its
 * own starts from, also when there is none. */
void das_config_serve(lua_State *L, int t, struct das_rules *to);
/* The id of an instance, which may be NULL: raises unless das serve can use it. where is
 * "instances.NAME". */
void das_config_instance_id(lua_State *L, const char *where, const char *id);

/* channels = { ops = { kind = "slack", ... } } of the table at t, where it is. */
void das_config_channels(lua_State *L, int t, struct das_channels *to);

/* people = { alice = { roles = { "dba" }, os = "alice", ... } } of the table at t, where it is. */
void das_config_people(lua_State *L, int t, struct das_people *to);

/* hooks = { slack = { platform = "slack", ... } } of the table at t, where it is; after people,
 * channels and instances, which it names. config: path of das.lua. */
void das_config_hooks(lua_State *L, int t, const char *config, struct das_rules *rules,
                      const struct das_inventory *inv);

/* journal = { redact_sql = true } */
void das_config_journal(lua_State *L, int t, struct das_policy_rules *to);
/* state = "/var/lib/das" */
void das_config_state(lua_State *L, int t, struct das_rules *to);

#endif
