/*
 * coverage.h - which lines of scripts ran, and which could have.
 *
 * A run that is given one (engine.h) counts in it, on its own thread; nobody else may touch it until
 * the run is over. What can run is told by the code that Lua made of the file: a line counts when it
 * holds an instruction, but for the return that Lua adds to the end of each function.
 */
#ifndef DAS_BINDINGS_COVERAGE_H
#define DAS_BINDINGS_COVERAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"

struct das_coverage;

struct das_coverage *das_coverage_new(struct das_err *err);
void das_coverage_free(struct das_coverage *c); /* NULL is fine */

#define DAS_LINE_IDLE (-1) /* nothing there that could run */

/* path's line can run. path as the run has it: two names of one file are two files. */
int das_coverage_can(struct das_coverage *c, const char *path, size_t line, struct das_err *err);
/* It ran, n times; nothing where it is not known that it can. */
void das_coverage_ran(struct das_coverage *c, const char *path, size_t line, uint64_t n);

/* Files in the order in which they came. */
size_t das_coverage_files(const struct das_coverage *c);
const char *das_coverage_path(const struct das_coverage *c, size_t file);
size_t das_coverage_lines(const struct das_coverage *c, size_t file); /* the last that can run */
/* How often line (from 1) ran, or DAS_LINE_IDLE. */
int64_t das_coverage_count(const struct das_coverage *c, size_t file, size_t line);

/* [{"path":..,"lines":[[LINE, COUNT], ...]}], and the same added to what is there. */
void das_coverage_json(const struct das_coverage *c, struct das_buf *b);
int das_coverage_add_json(struct das_coverage *c, const json_t *list, struct das_err *err);

#endif
