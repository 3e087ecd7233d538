/* shape_text.c - see shape_text.h. */
#include "core/cli/shape_text.h"

#include <stdio.h>
#include <string.h>

#include "core/base/calendar.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/session/render.h"

static const void *value_of(const struct das_shape_field *f, const void *item)
{
    return (const char *)item + f->offset;
}

static int64_t number_of(const struct das_shape_field *f, const void *item)
{
    int64_t v;

    memcpy(&v, value_of(f, item), sizeof v);
    return v;
}

static struct das_text text_of(const struct das_shape_field *f, const void *item)
{
    struct das_text t;

    memcpy(&t, value_of(f, item), sizeof t);
    return t;
}

static int bool_of(const struct das_shape_field *f, const void *item)
{
    int v;

    memcpy(&v, value_of(f, item), sizeof v);
    return v;
}

static bool is_moment(const struct das_shape_field *f)
{
    return f->type == DAS_SHAPE_MS || f->type == DAS_SHAPE_MOMENT;
}

/* "2026-11-24T03:17:05.250Z", the thousandths where they are told and wanted. False: there is none. */
static bool moment_text(const struct das_shape_field *f, int64_t v, bool exact, char *out,
                        size_t size)
{
    int64_t s = f->type == DAS_SHAPE_MS ? v / 1000 : v;
    int ms = f->type == DAS_SHAPE_MS ? (int)(v % 1000) : 0;
    size_t len;

    if (v <= 0) /* 0 and less: no such moment */
        return false;
    if (s > DAS_UNIX_MAX) {
        snprintf(out, size, "%lld", (long long)v);
        return true;
    }
    das_clock_iso(s, out, size);
    len = strlen(out);
    if (exact && ms)
        snprintf(out + len - 1, size - len + 1, ".%03dZ", ms);
    return true;
}

/* --- JSON --------------------------------------------------------------------------------------- */

static void put_json_item(const struct das_shape *shape, const void *item, struct das_buf *b);

static void put_json_list(const struct das_cloud_list *list, struct das_buf *b)
{
    for (size_t i = 0; i < list->count; i++) {
        das_json_comma(b);
        put_json_item(list->shape, das_cloud_item(list, i), b);
    }
}

static void put_json_value(const struct das_shape_field *f, const void *item, struct das_buf *b)
{
    char moment[48];
    int64_t v;

    switch (f->type) {
    case DAS_SHAPE_TEXT:
        das_json_text(b, text_of(f, item));
        return;
    case DAS_SHAPE_BOOL:
        das_buf_str(b, bool_of(f, item) < 0 ? "null" : bool_of(f, item) ? "true" : "false");
        return;
    case DAS_SHAPE_LIST:
        das_buf_char(b, '[');
        put_json_list(value_of(f, item), b);
        das_buf_char(b, ']');
        return;
    default:
        break;
    }
    v = number_of(f, item);
    if (is_moment(f))
        das_json_text(b, moment_text(f, v, true, moment, sizeof moment) ? das_text_of(moment)
                                                                       : DAS_TEXT_NULL);
    else if (v == DAS_CLOUD_NOT_TOLD)
        das_buf_str(b, "null");
    else
        das_buf_int(b, v);
}

static void put_json_item(const struct das_shape *shape, const void *item, struct das_buf *b)
{
    das_buf_char(b, '{');
    for (size_t i = 0; i < shape->count; i++) {
        das_json_key(b, shape->fields[i].name);
        put_json_value(&shape->fields[i], item, b);
    }
    das_buf_char(b, '}');
}

void das_shape_json(const struct das_shape_rows *rows, struct das_buf *b)
{
    das_buf_char(b, '[');
    for (size_t i = 0; i < rows->count; i++)
        put_json_list(&rows->lists[i], b);
    das_buf_char(b, ']');
}

/* --- CSV ---------------------------------------------------------------------------------------- */

/* Line feeds and tabs stay: a statement may have them. */
static void put_clean(struct das_text t, struct das_buf *b)
{
    while (t.len) {
        uint32_t code = 0xfffd;
        size_t n = das_utf8_next(t.ptr, t.len, &code);
        bool control = (code < 0x20 && code != '\n' && code != '\t') ||
                       (code >= 0x7f && code < 0xa0);
        if (!n)
            das_buf_str(b, "\xef\xbf\xbd");
        else if (control)
            das_buf_char(b, ' ');
        else
            das_buf_add(b, t.ptr, n);
        t.ptr += n ? n : 1;
        t.len -= n ? n : 1;
    }
}

static void put_csv_text(struct das_text t, struct das_buf *b)
{
    struct das_buf clean = {0};

    if (!t.ptr)
        return;
    put_clean(t, &clean);
    b->failed |= clean.failed;
    das_render_csv_text(das_buf_view(&clean), b);
    das_buf_clear(&clean);
}

static void put_csv_value(const struct das_shape_field *f, const void *item, struct das_buf *b)
{
    char moment[48];
    int64_t v;

    if (f->type == DAS_SHAPE_TEXT) {
        put_csv_text(text_of(f, item), b);
        return;
    }
    if (f->type == DAS_SHAPE_BOOL) {
        das_buf_str(b, bool_of(f, item) < 0 ? "" : bool_of(f, item) ? "true" : "false");
        return;
    }
    v = number_of(f, item);
    if (is_moment(f))
        das_buf_str(b, moment_text(f, v, true, moment, sizeof moment) ? moment : "");
    else if (v != DAS_CLOUD_NOT_TOLD)
        das_buf_int(b, v);
}

void das_shape_csv(const struct das_shape_rows *rows, struct das_buf *b)
{
    const struct das_shape *shape = rows->shape;
    const char *comma = "";

    for (size_t f = 0; f < shape->count; f++) {
        if (shape->fields[f].type == DAS_SHAPE_LIST)
            continue;
        das_buf_printf(b, "%s%s", comma, shape->fields[f].name);
        comma = ",";
    }
    das_buf_str(b, "\r\n");
    for (size_t l = 0; l < rows->count; l++) {
        for (size_t i = 0; i < rows->lists[l].count; i++) {
            comma = "";
            for (size_t f = 0; f < shape->count; f++) {
                if (shape->fields[f].type == DAS_SHAPE_LIST)
                    continue;
                das_buf_str(b, comma);
                put_csv_value(&shape->fields[f], das_cloud_item(&rows->lists[l], i), b);
                comma = ",";
            }
            das_buf_str(b, "\r\n");
        }
    }
}

/* --- table -------------------------------------------------------------------------------------- */

#define COLUMNS_MAX 16
#define TEXT_CELLS_MAX ((size_t)40) /* of a text column other than the last one */
#define TEXT_CELLS_GOOD ((size_t)16) /* narrower only when no column can be left out any more */
#define TEXT_CELLS_MIN ((size_t)8)
#define LAST_CELLS_MIN ((size_t)16)

struct table {
    const struct das_shape_rows *rows;
    const struct das_shape_field *fields[COLUMNS_MAX];
    bool optional[COLUMNS_MAX];
    size_t count;
    size_t cells[COLUMNS_MAX];
};

static size_t put_cell(const struct das_shape_field *f, const void *item, size_t cells,
                       struct das_buf *b)
{
    char text[48] = "-";
    int64_t v;

    switch (f->type) {
    case DAS_SHAPE_TEXT: {
        struct das_text t = text_of(f, item);
        return das_render_cell(t.len ? t : DAS_TEXT_NULL, cells, b);
    }
    case DAS_SHAPE_BOOL:
        if (bool_of(f, item) >= 0)
            snprintf(text, sizeof text, "%s", bool_of(f, item) ? "yes" : "no");
        break;
    case DAS_SHAPE_LIST:
        snprintf(text, sizeof text, "%zu", ((const struct das_cloud_list *)value_of(f, item))->count);
        break;
    default:
        v = number_of(f, item);
        if (is_moment(f))
            moment_text(f, v, false, text, sizeof text);
        else if (v != DAS_CLOUD_NOT_TOLD)
            snprintf(text, sizeof text, "%lld", (long long)v);
    }
    das_buf_str(b, text);
    return strlen(text);
}

static void choose(struct table *t, const char *const *columns)
{
    const struct das_shape *shape = t->rows->shape;

    for (; *columns && t->count < COLUMNS_MAX; columns++) {
        bool optional = **columns == '-';
        for (size_t f = 0; f < shape->count; f++) {
            if (strcmp(shape->fields[f].name, *columns + optional) != 0)
                continue;
            t->optional[t->count] = optional;
            t->fields[t->count++] = &shape->fields[f];
        }
    }
}

static void measure(struct table *t, struct das_buf *b)
{
    for (size_t c = 0; c < t->count; c++)
        t->cells[c] = strlen(t->fields[c]->name);
    for (size_t l = 0; l < t->rows->count; l++) {
        const struct das_cloud_list *list = &t->rows->lists[l];
        for (size_t i = 0; i < list->count; i++) {
            for (size_t c = 0; c + 1 < t->count; c++) {
                size_t from = b->len;
                size_t used = put_cell(t->fields[c], das_cloud_item(list, i), TEXT_CELLS_MAX, b);
                b->len = from;
                if (used > t->cells[c])
                    t->cells[c] = used;
            }
        }
    }
}

/* Takes the last optional column out; false: there is none. */
static bool drop_one(struct table *t)
{
    for (size_t c = t->count; c-- > 0;) {
        if (!t->optional[c])
            continue;
        t->count--;
        for (; c < t->count; c++) {
            t->fields[c] = t->fields[c + 1];
            t->optional[c] = t->optional[c + 1];
            t->cells[c] = t->cells[c + 1];
        }
        return true;
    }
    return false;
}

/* The widest text column that can give a cell; t->count: none can. */
static size_t widest(const struct table *t)
{
    size_t found = t->count;

    for (size_t c = 0; c + 1 < t->count; c++) {
        if (t->fields[c]->type == DAS_SHAPE_TEXT && t->cells[c] > TEXT_CELLS_MIN &&
            t->cells[c] > strlen(t->fields[c]->name) &&
            (found == t->count || t->cells[c] > t->cells[found]))
            found = c;
    }
    return found;
}

/* The last column gets what is left, and at least so much; for that optional ones are left out and
 * texts become narrower. */
static void fit(struct table *t, size_t width)
{
    for (;;) {
        size_t used = 0, from = widest(t);
        for (size_t c = 0; c + 1 < t->count; c++)
            used += t->cells[c] + 2;
        t->cells[t->count - 1] = width == 0                       ? SIZE_MAX / 2
                                 : width > used + LAST_CELLS_MIN ? width - used
                                                                 : LAST_CELLS_MIN;
        if (width == 0 || width >= used + LAST_CELLS_MIN)
            return;
        if (from < t->count && t->cells[from] > TEXT_CELLS_GOOD)
            t->cells[from]--;
        else if (drop_one(t))
            continue;
        else if (from < t->count)
            t->cells[from]--;
        else
            return;
    }
}

static void end_line(struct das_buf *b)
{
    while (b->len && b->ptr[b->len - 1] == ' ')
        b->len--;
    das_buf_char(b, '\n');
}

void das_shape_table(const struct das_shape_rows *rows, const char *const *columns, size_t width,
                     struct das_buf *b)
{
    struct table t = {.rows = rows};

    choose(&t, columns);
    if (!t.count)
        return;
    measure(&t, b);
    fit(&t, width);
    for (size_t c = 0; c < t.count; c++) {
        const char *name = t.fields[c]->name;
        das_buf_str(b, name);
        if (c + 1 < t.count)
            das_buf_fill(b, ' ', t.cells[c] + 2 - strlen(name));
    }
    end_line(b);
    for (size_t l = 0; l < rows->count; l++) {
        for (size_t i = 0; i < rows->lists[l].count; i++) {
            const void *item = das_cloud_item(&rows->lists[l], i);
            for (size_t c = 0; c < t.count; c++) {
                size_t used = put_cell(t.fields[c], item, t.cells[c], b);
                if (c + 1 < t.count)
                    das_buf_fill(b, ' ', t.cells[c] + 2 - used);
            }
            end_line(b);
        }
    }
}
