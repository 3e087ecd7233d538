/*
 * limits.h - what one run may use up, and what it may touch. Decided before the script starts, by
 * the configuration; a script cannot raise either.
 */
#ifndef DAS_BINDINGS_LIMITS_H
#define DAS_BINDINGS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct das_limits {
    uint64_t memory;        /* bytes of Lua values; 64 MB */
    int64_t cpu_ms;         /* processor time of the script's thread; 5 s */
    int64_t wall_ms;        /* from start to end; 60 s */
    uint64_t output;        /* bytes written by print; 16 MB */
    uint64_t http_requests; /* 100 */
    uint64_t http_bytes;    /* sent and received; 16 MB */
};
extern const struct das_limits das_limits_default;

/* Capabilities by name: "preview", "kill", "notify", "http" (any public host) or "http:HOST" (HOST
 * may begin with "*."), "secret:NAME", "instance:NAME", "tag:TAG". */
struct das_grants {
    char **names;
    size_t count;
};

/* Is what among them? what is one exact name, such as "secret:slack"; grants NULL: the default of a
 * run from the command line, which is preview and kill. */
bool das_granted(const struct das_grants *grants, const char *what);

#endif
