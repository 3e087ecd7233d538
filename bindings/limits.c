/* limits.c - see limits.h. */
#include "bindings/limits.h"

#include <string.h>

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
