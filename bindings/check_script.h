/*
 * check_script.h - what das check asks of Lua: is this script right, and what would it need? The
 * script is read, never run.
 */
#ifndef DAS_BINDINGS_CHECK_SCRIPT_H
#define DAS_BINDINGS_CHECK_SCRIPT_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/err.h"

/* Appends what there is to say about one script to out: lines of text, or one JSON object
 * {"path", "findings": [{"line", "column", "severity", "code", "message"}], "grants": [...]}.
 * *findings gets their number. -1 when the file cannot be read. */
int das_check_script(const char *path, bool json, struct das_buf *out, size_t *findings,
                     struct das_err *err);

/* Everything a script can name, as one JSON object: {"globals": {"das": [...], "string": [...]},
 * "classes": {"das.selection": {"fields": [...], "methods": [...]}}, "criteria": [...]}. */
int das_check_names(struct das_buf *out, struct das_err *err);

#endif
