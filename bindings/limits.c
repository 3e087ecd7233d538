/* limits.c - see limits.h. */
#include "bindings/limits.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

const struct das_limits das_limits_default = {
    .memory = (uint64_t)64 << 20,
    .cpu_ms = 5000,
    .wall_ms = 60000,
    .output = (uint64_t)16 << 20,
    .http_requests = 100,
    .http_bytes = (uint64_t)16 << 20,
};

bool das_granted(const struct das_grants *grants, const char *what)
{
    if (!grants)
        return strcmp(what, "preview") == 0 || strcmp(what, "kill") == 0;
    for (size_t i = 0; i < grants->count; i++) {
        if (strcmp(grants->names[i], what) == 0)
            return true;
    }
    return false;
}

void das_rules_init(struct das_rules *r)
{
    memset(r, 0, sizeof *r);
    r->limits = das_limits_default;
}

void das_rules_clear(struct das_rules *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct das_script_entry *e = &r->scripts[i];
        for (size_t g = 0; g < e->grants.count; g++)
            das_free(e->grants.names[g]);
        das_free(e->grants.names);
        das_free(e->path);
    }
    das_free(r->scripts);
    das_rules_init(r);
}

void das_rules_for(const struct das_rules *r, const char *path, struct das_script_rules *out)
{
    char *full = realpath(path, NULL); /* the C library's memory: free() */

    out->limits = r->limits;
    out->grants = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct das_script_entry *e = &r->scripts[i];
        if (strcmp(full ? full : path, e->path) != 0)
            continue;
        out->limits = e->limits;
        out->grants = e->has_grants ? &e->grants : NULL;
    }
    free(full);
}
