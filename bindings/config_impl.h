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

#define DAS_CONFIG_YEAR_MS ((int64_t)366 * 86400 * 1000)

/* Raises on a key of the table at t that is not among allowed, with a suggestion. */
void das_config_keys(lua_State *L, int t, const char *where, const char *const *allowed, size_t n);
/* A string field of the table at index t; NULL when absent. The string stays in the table. */
const char *das_config_text(lua_State *L, int t, const char *where, const char *key);

/* The keys windows, freezes, breaker, ramp and outcome_wait of the table at t, where they are.
 * Windows take the place of those that are in to already; freezes are added to them. where is
 * "" at the top of the file, else "scripts[\"x.lua\"]." */
void das_config_policy(lua_State *L, int t, const char *where, struct das_policy_rules *to);
#define DAS_CONFIG_POLICY_KEYS "windows", "freezes", "breaker", "ramp", "outcome_wait"

/* mode = "auto" */
void das_config_mode(lua_State *L, int t, const char *where, struct das_policy_rules *to);
/* The table of numbers of kills in the field kill of the table at t, where there is one. */
void das_config_kill(lua_State *L, int t, const char *where, struct das_kill_limits *to);
/* journal = { redact_sql = true } */
void das_config_journal(lua_State *L, int t, struct das_policy_rules *to);
/* state = "/var/lib/das" */
void das_config_state(lua_State *L, int t, struct das_rules *to);

#endif
