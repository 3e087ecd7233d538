/*
 * config.h - reads das.lua: which instances there are and what is protected.
 *
 * The file is a Lua table, read in a state that has no functions at all: it is data. Passwords are
 * never in it, only where to find them.
 *
 *   return {
 *     instances = {
 *       orders = { source = "mysql://das@db1.example:3306/", password_file = "/etc/das/orders" },
 *       sample = "mem:tests/samples/shop.jsonl",
 *     },
 *     protect = { { user = "backup" }, { user = "etl", db = "warehouse" } },
 *   }
 */
#ifndef DAS_BINDINGS_CONFIG_H
#define DAS_BINDINGS_CONFIG_H

#include "core/plan/protect.h"
#include "core/source/inventory.h"

/* Adds what path says to both. Every mistake is DAS_E_CONFIG and names the key. */
int das_config_read(const char *path, struct das_inventory *inventory, struct das_protect *protect,
                    struct das_err *err);

#endif
