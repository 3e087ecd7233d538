/*
 * shape.h - what the API's objects look like, once: for reading them, for Lua and for the command
 * line.
 *
 * A shape says which member of a JSON object becomes which field of a C struct. The API writes
 * numbers as numbers or as texts, times in seconds or in milliseconds, and "" for what is not set;
 * from here on there is one way.
 */
#ifndef DAS_CLOUD_SHAPE_H
#define DAS_CLOUD_SHAPE_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#define DAS_CLOUD_NOT_TOLD INT64_MIN

enum das_shape_type {
    DAS_SHAPE_TEXT,    /* struct das_text; null or missing: NULL */
    DAS_SHAPE_INT,     /* int64_t, from a whole number or a text of one; else DAS_CLOUD_NOT_TOLD */
    DAS_SHAPE_SECONDS, /* int64_t, a span of time: the same, also "12" and "12.5" (cut) */
    DAS_SHAPE_MS,      /* int64_t, a moment, Unix ms: what is below 1e11 were seconds */
    DAS_SHAPE_MOMENT,  /* int64_t, a moment, Unix s: what is not below 1e11 were ms */
    DAS_SHAPE_BOOL,    /* int: 1, 0, -1 not told */
    DAS_SHAPE_LIST,    /* struct das_cloud_list of sub */
};

struct das_shape;

struct das_shape_field {
    const char *name; /* ours: in Lua, in JSON that das prints */
    const char *json; /* theirs, several with "|" between: the first that is there counts */
    enum das_shape_type type;
    bool required;    /* missing or null is an error */
    size_t offset;
    const struct das_shape *sub;
};

struct das_shape {
    const char *what; /* "kill task": for messages */
    size_t size;      /* of the struct */
    const struct das_shape_field *fields;
    size_t count;
};

/* Fields and shapes of a struct: DAS_FIELD(das_cloud_node, role, "role", DAS_SHAPE_TEXT, false). */
#define DAS_FIELD(type, name, json, kind, required)                                                \
    {                                                                                              \
        #name, json, kind, required, offsetof(struct type, name), NULL                             \
    }
#define DAS_FIELD_LIST(type, name, json, sub)                                                      \
    {                                                                                              \
        #name, json, DAS_SHAPE_LIST, false, offsetof(struct type, name), sub                       \
    }
#define DAS_SHAPE(what, type, fields)                                                              \
    {                                                                                              \
        what, sizeof(struct type), fields, sizeof(fields) / sizeof((fields)[0])                    \
    }

/* Texts point into json, lists into the arena of who read them. */
struct das_cloud_list {
    const struct das_shape *shape;
    void *items; /* an array of structs of that shape */
    size_t count;
};

/* Reads one object, or an array of them, out of json. DAS_E_DATA naming the member that is wrong:
 * "kill task 3: task_id: expected a whole number, got a text". */
int das_shape_read(const struct das_shape *shape, const json_t *json, void *item,
                   struct das_arena *arena, struct das_err *err);
int das_shape_read_list(const struct das_shape *shape, const json_t *json,
                        struct das_cloud_list *out, struct das_arena *arena, struct das_err *err);

static inline const void *das_cloud_item(const struct das_cloud_list *l, size_t i)
{
    return (const char *)l->items + i * l->shape->size;
}

#endif
