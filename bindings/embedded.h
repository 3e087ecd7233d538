/* embedded.h - the compiled-in Lua; the Makefile makes the list from scripts/prelude/. */
#ifndef DAS_BINDINGS_EMBEDDED_H
#define DAS_BINDINGS_EMBEDDED_H

#include <stddef.h>

struct das_embedded {
    const char *name; /* NULL ends the list */
    const char *code;
    size_t size;
};

extern const struct das_embedded das_embedded[];

#endif
