/*
 * schedule_conf.h - what das.lua says about policies that das serve runs by itself, in the list
 * policies (config.h). Filled by config_schedule.c, read by core/serve.
 */
#ifndef DAS_BINDINGS_SCHEDULE_CONF_H
#define DAS_BINDINGS_SCHEDULE_CONF_H

#include "bindings/limits.h"
#include "core/base/cron.h"

/* One policy. Owned texts. */
struct das_schedule_entry {
    char *name;   /* "long_select": what people call it; no two have the same */
    char *script; /* its absolute path, links resolved */
    char **args;
    size_t arg_count;
    char **instances; /* "orders", "tag:prod", "*" */
    size_t instance_count;

    int64_t every_ms; /* 0: by cron */
    char *cron_text;  /* as written, or NULL */
    struct das_cron cron;
    struct das_zone *zone; /* of cron */
    int64_t jitter_ms;     /* the instances begin within this time, each at its own moment of it */
    int64_t backoff_ms;    /* an instance that fails is left alone for so long, at the most */

    /* Those of the script in das.lua, as far as the entry does not take some of it away. */
    struct das_limits limits; /* wall is the timeout */
    struct das_policy_rules rules;
    const struct das_grants *grants; /* of the rules of the configuration; NULL: the default */
    enum das_policy_mode asked;      /* the mode that the entry has: rules.mode may be lower */
};

struct das_schedule_conf {
    struct das_schedule_entry *entries;
    size_t count;
};

void das_schedule_conf_free(struct das_schedule_conf *c); /* NULL is fine */

#endif
