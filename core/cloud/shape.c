/* shape.c - see shape.h. */
#include "core/cloud/shape.h"

#include <string.h>

#define SECONDS_BELOW 100000000000LL /* a moment below that is in seconds: 1e11 ms were in 1973 */

/* The first of "name|other" that is there and not null. */
static const json_t *member(const json_t *object, const char *names)
{
    while (*names) {
        size_t len = strcspn(names, "|");
        const json_t *v = json_object_getn(object, names, len);
        if (v && !json_is_null(v))
            return v;
        names += len + (names[len] == '|');
    }
    return NULL;
}

static const char *type_word(const json_t *v)
{
    static const char *const words[] = {
        [JSON_OBJECT] = "an object",  [JSON_ARRAY] = "a list",   [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number",  [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",       [JSON_NULL] = "null",
    };

    return v ? words[json_typeof(v)] : "nothing";
}

static struct das_text text_of(const json_t *v)
{
    return das_text(json_string_value(v), json_string_length(v));
}

/* A whole number, or the text of one; with cut also "12.5" and 12.5. "" is not told. */
static bool read_int(const json_t *v, bool cut, int64_t *out)
{
    struct das_text t;
    const char *dot;

    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    if (json_is_real(v)) { /* "5.0", as some libraries write whole numbers */
        double d = json_real_value(v);
        if (!(d > -9e15 && d < 9e15) || (!cut && d != (double)(int64_t)d))
            return false;
        *out = (int64_t)d;
        return true;
    }
    if (!json_is_string(v))
        return false;
    t = das_text_trim(text_of(v));
    dot = cut && t.len ? memchr(t.ptr, '.', t.len) : NULL;
    if (dot)
        t.len = (size_t)(dot - t.ptr);
    if (t.len == 0 || das_text_iis(t, "null"))
        *out = DAS_CLOUD_NOT_TOLD;
    else if (!das_parse_int(t, out))
        return false;
    return true;
}

static bool read_bool(const json_t *v, int *out)
{
    if (json_is_boolean(v))
        *out = json_is_true(v);
    else if (json_is_string(v) && (das_text_iis(text_of(v), "true") || das_text_iis(text_of(v), "false")))
        *out = das_text_iis(text_of(v), "true");
    else if (json_is_integer(v) && (json_integer_value(v) == 0 || json_integer_value(v) == 1))
        *out = (int)json_integer_value(v);
    else
        return false;
    return true;
}

static void normalise(enum das_shape_type type, int64_t *v)
{
    if (*v == DAS_CLOUD_NOT_TOLD || *v <= 0)
        return;
    if (type == DAS_SHAPE_MS && *v < SECONDS_BELOW)
        *v *= 1000;
    if (type == DAS_SHAPE_MOMENT && *v >= SECONDS_BELOW)
        *v /= 1000;
}

static void set_missing(const struct das_shape_field *f, void *to)
{
    switch (f->type) {
    case DAS_SHAPE_TEXT:
        *(struct das_text *)to = DAS_TEXT_NULL;
        break;
    case DAS_SHAPE_BOOL:
        *(int *)to = -1;
        break;
    case DAS_SHAPE_LIST:
        *(struct das_cloud_list *)to = (struct das_cloud_list){.shape = f->sub};
        break;
    default:
        *(int64_t *)to = DAS_CLOUD_NOT_TOLD;
    }
}

static int mistyped(const struct das_shape_field *f, const char *expected, const json_t *v,
                    struct das_err *err)
{
    return das_fail(err, DAS_E_DATA, "%.*s: expected %s, got %s", (int)strcspn(f->json, "|"), f->json,
                    expected, type_word(v));
}

static int read_field(const struct das_shape_field *f, const json_t *v, void *to,
                      struct das_arena *arena, struct das_err *err)
{
    set_missing(f, to);
    if (!v)
        return f->required ? mistyped(f, f->type == DAS_SHAPE_TEXT ? "a text" : "a whole number",
                                      NULL, err)
                           : 0;
    switch (f->type) {
    case DAS_SHAPE_TEXT:
        if (!json_is_string(v))
            return mistyped(f, "a text", v, err);
        *(struct das_text *)to = text_of(v);
        return 0;
    case DAS_SHAPE_BOOL:
        return read_bool(v, to) ? 0 : mistyped(f, "true or false", v, err);
    case DAS_SHAPE_LIST:
        return das_shape_read_list(f->sub, v, to, arena, err);
    default:
        if (!read_int(v, f->type == DAS_SHAPE_SECONDS, to))
            return mistyped(f, "a whole number", v, err);
        if (f->required && *(int64_t *)to == DAS_CLOUD_NOT_TOLD)
            return mistyped(f, "a whole number", NULL, err);
        normalise(f->type, to);
        return 0;
    }
}

int das_shape_read(const struct das_shape *shape, const json_t *json, void *item,
                   struct das_arena *arena, struct das_err *err)
{
    if (!json_is_object(json))
        return das_fail(err, DAS_E_DATA, "expected an object, got %s", type_word(json));
    for (size_t i = 0; i < shape->count; i++) {
        const struct das_shape_field *f = &shape->fields[i];
        if (read_field(f, member(json, f->json), (char *)item + f->offset, arena, err) < 0)
            return -1;
    }
    return 0;
}

int das_shape_read_list(const struct das_shape *shape, const json_t *json,
                        struct das_cloud_list *out, struct das_arena *arena, struct das_err *err)
{
    size_t n = json_array_size(json);

    *out = (struct das_cloud_list){.shape = shape};
    if (!json || json_is_null(json))
        return 0;
    if (!json_is_array(json))
        return das_fail(err, DAS_E_DATA, "%s: expected a list, got %s", shape->what,
                        type_word(json));
    if (n == 0)
        return 0;
    out->items = n <= SIZE_MAX / shape->size ? das_arena_alloc(arena, n * shape->size) : NULL;
    if (!out->items)
        return das_fail_nomem(err);
    memset(out->items, 0, n * shape->size);
    for (size_t i = 0; i < n; i++) {
        if (das_shape_read(shape, json_array_get(json, i), (char *)out->items + i * shape->size,
                           arena, err) < 0) {
            das_err_prefix(err, "%s %zu", shape->what, i + 1);
            return -1;
        }
        out->count++;
    }
    return 0;
}
