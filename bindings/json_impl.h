/* json_impl.h - what reading and writing JSON in scripts share. Private to json*.c. */
#ifndef DAS_BINDINGS_JSON_IMPL_H
#define DAS_BINDINGS_JSON_IMPL_H

#include "bindings/bind.h"

#define DAS_JSON_DEPTH_MAX 100
#define DAS_JSON_SIZE_MAX ((size_t)16 << 20)

/* Types and, in the registry, tables. */
#define DAS_JSON_NULL "das.json.null"
#define DAS_JSON_EMPTY "das.json.empty_array"
#define DAS_JSON_ARRAY_MT "das.json.array_mt"
#define DAS_JSON_EMPTY_ARRAY_MT "das.json.empty_array_mt"

#endif
