/* memory.h - what only the in-memory instance can do: its clock can be turned forward. */
#ifndef DAS_SOURCE_MEMORY_H
#define DAS_SOURCE_MEMORY_H

#include "core/source/source.h"

/* Makes seconds pass for a source opened from "mem:...". DAS_E_UNSUPPORTED for other kinds. */
int das_memory_advance(struct das_source *s, int64_t seconds, struct das_err *err);

#endif
