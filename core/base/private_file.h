/* private_file.h - reads a file that holds a secret, and leaves no copy behind. */
#ifndef DAS_BASE_PRIVATE_FILE_H
#define DAS_BASE_PRIVATE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

struct das_private {
    char *ptr; /* NUL after len bytes */
    size_t len;
    bool exposed; /* everybody on this machine can read it, too */
    bool missing; /* there is no such file (when reading failed) */
};

/* At most 64 KB. DAS_E_CONFIG when it cannot be read. */
int das_private_read(const char *path, struct das_private *out, struct das_err *err);
/* DAS_E_CONFIG for a file that is exposed; what is in it: "password". Returns -1. */
int das_private_exposed(const char *path, const char *what, struct das_err *err);
void das_private_clear(struct das_private *p); /* wipes */

#endif
