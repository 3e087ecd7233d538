/* schedule_conf.c - see schedule_conf.h. */
#include "bindings/schedule_conf.h"

#include <string.h>

#include "core/base/mem.h"

static void texts_free(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        das_free(list[i]);
    das_free(list);
}

void das_schedule_conf_free(struct das_schedule_conf *c)
{
    for (size_t i = 0; c && i < c->count; i++) {
        struct das_schedule_entry *e = &c->entries[i];
        das_free(e->name);
        das_free(e->script);
        texts_free(e->args, e->arg_count);
        texts_free(e->instances, e->instance_count);
        das_free(e->cron_text);
        das_zone_free(e->zone);
        das_policy_rules_clear(&e->rules);
    }
    das_free(c ? c->entries : NULL);
    das_free(c);
}
