/*
 * config.h - reads das.lua: which instances there are and what is protected.
 *
 * The file is a Lua table, read in a state that has no functions at all: it is data. Passwords are
 * never in it, only where to find them.
 *
 *   return {
 *     instances = {
 *       orders = { source = "mysql://das@db1.example:3306/", password_file = "/etc/das/orders",
 *                  tags = { "prod" } },
 *       sample = "mem:tests/samples/recording.jsonl",
 *     },
 *     secrets = { slack = { file = "/etc/das/slack" } },
 *     protect = { { user = "backup" }, { user = "etl", db = "warehouse" } },
 *     limits = { script = { memory = "64MB", cpu = "5s", wall = "60s", output = "16MB" } },
 *     scripts = {
 *       ["policies/long_select.lua"] = { grants = { "preview", "kill", "tag:prod" },
 *                                        limits = { wall = "5m" } },
 *     },
 *   }
 *
 * Secrets are places: { file = PATH }, { env = NAME } or { credential = NAME } (systemd).
 *
 * Paths of scripts are relative to the folder of das.lua, and "*" is every script that is not named.
 * A script that is named with grants has those and no others. Where scripts are named, one that is
 * not may preview and no more, unless "*" says so; without `scripts` every script may preview and
 * kill on the instances of the run.
 */
#ifndef DAS_BINDINGS_CONFIG_H
#define DAS_BINDINGS_CONFIG_H

#include "bindings/limits.h"
#include "core/base/secret.h"
#include "core/plan/protect.h"
#include "core/source/inventory.h"

/* Where what is read goes; all filled by the caller. */
struct das_config {
    struct das_inventory *inventory;
    struct das_protect *protect;
    struct das_rules *rules;
    struct das_secrets *secrets;
};

/* Adds what path says to all of them. Every mistake is DAS_E_CONFIG and names the key. */
int das_config_read(const char *path, const struct das_config *into, struct das_err *err);

#endif
