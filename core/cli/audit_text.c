/* audit_text.c - see audit_text.h. */
#include "core/cli/audit_text.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/session/render.h"

/* A record as a JSON object, or NULL: somebody changed it into something else. */
static json_t *parse(struct das_text line)
{
    struct das_err ignored;
    json_t *record = das_json_parse(line.ptr, line.len, NULL, &ignored);

    if (json_is_object(record))
        return record;
    json_decref(record);
    return NULL;
}

static void put_value(struct das_buf *b, const json_t *v);

/* What a kill task looks for, say. A journal is no deeper than this. */
static void put_object(struct das_buf *b, const json_t *object)
{
    das_buf_char(b, '{');
    for (void *i = json_object_iter((json_t *)(uintptr_t)object); i;
         i = json_object_iter_next((json_t *)(uintptr_t)object, i)) {
        das_json_comma(b);
        das_json_str(b, json_object_iter_key(i));
        das_buf_char(b, ':');
        put_value(b, json_object_iter_value(i));
    }
    das_buf_char(b, '}');
}

static int dump_piece(const char *p, size_t len, void *b)
{
    das_buf_add(b, p, len);
    return 0;
}

/* A value in one line; strings in quotes, their control characters escaped. */
static void put_value(struct das_buf *b, const json_t *v)
{
    if (json_is_string(v))
        das_json_text(b, das_text(json_string_value(v), json_string_length(v)));
    else if (json_is_object(v))
        put_object(b, v);
    else
        json_dump_callback(v, dump_piece, b, JSON_COMPACT | JSON_ENCODE_ANY);
}

static bool is_head_key(const char *key)
{
    return strcmp(key, "seq") == 0 || strcmp(key, "prev") == 0 || strcmp(key, "time_ms") == 0 ||
           strcmp(key, "run") == 0 || strcmp(key, "kind") == 0;
}

static void put_time(struct das_buf *b, const json_t *record)
{
    char iso[40];

    das_clock_iso(json_integer_value(json_object_get(record, "time_ms")) / 1000, iso, sizeof iso);
    das_buf_str(b, iso);
}

static struct das_text text_of(const json_t *record, const char *key)
{
    const json_t *v = json_object_get(record, key);

    return json_is_string(v) ? das_text(json_string_value(v), json_string_length(v))
                             : das_text_of("?");
}

/* A cell and the blanks up to the next one. */
static void put_cell(struct das_buf *b, struct das_text t, size_t cells)
{
    das_buf_fill(b, ' ', cells + 2 - das_render_cell(t, cells, b));
}

#define CELLS_SEQ ((size_t)8)
#define CELLS_TIME ((size_t)20)
#define CELLS_KIND ((size_t)12)
#define CELLS_RUN ((size_t)16)
#define CELLS_HEAD (CELLS_SEQ + CELLS_TIME + CELLS_KIND + CELLS_RUN + 8)

void das_audit_row_head(struct das_buf *b)
{
    put_cell(b, das_text_of("seq"), CELLS_SEQ);
    put_cell(b, das_text_of("time"), CELLS_TIME);
    put_cell(b, das_text_of("kind"), CELLS_KIND);
    put_cell(b, das_text_of("run"), CELLS_RUN);
    das_buf_str(b, "what\n");
}

void das_audit_row(int64_t seq, struct das_text line, size_t width, struct das_buf *b)
{
    json_t *record = parse(line), *v;
    struct das_buf t = {0};
    const char *key;

    das_buf_int(&t, seq);
    put_cell(b, das_buf_view(&t), CELLS_SEQ);
    das_buf_reset(&t);
    if (record)
        put_time(&t, record);
    put_cell(b, record ? das_buf_view(&t) : DAS_TEXT_NULL, CELLS_TIME);
    put_cell(b, record ? text_of(record, "kind") : das_text_of("damaged"), CELLS_KIND);
    put_cell(b, record ? text_of(record, "run") : DAS_TEXT_NULL, CELLS_RUN);
    das_buf_reset(&t);
    json_object_foreach(record, key, v)
    {
        if (is_head_key(key))
            continue;
        das_buf_printf(&t, "%s%s=", t.len ? " " : "", key);
        put_value(&t, v);
    }
    das_render_cell(record ? das_buf_view(&t) : line,
                    width == 0                ? SIZE_MAX / 2
                    : width > CELLS_HEAD + 20 ? width - CELLS_HEAD
                                              : 20,
                    b);
    das_buf_char(b, '\n');
    b->failed |= t.failed;
    das_buf_clear(&t);
    json_decref(record);
}

void das_audit_csv_text(struct das_text t, struct das_buf *b)
{
    das_buf_char(b, '"');
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] == '"')
            das_buf_char(b, '"');
        das_buf_char(b, t.ptr[i]);
    }
    das_buf_char(b, '"');
}

void das_audit_csv_head(struct das_buf *b)
{
    das_buf_str(b, "seq,time,run,kind,members\r\n");
}

void das_audit_csv(int64_t seq, struct das_text line, struct das_buf *b)
{
    json_t *record = parse(line), *v;
    struct das_buf t = {0};
    const char *key;

    das_buf_int(b, seq);
    das_buf_char(b, ',');
    if (record)
        put_time(b, record);
    das_buf_char(b, ',');
    das_audit_csv_text(text_of(record, "run"), b);
    das_buf_char(b, ',');
    das_audit_csv_text(text_of(record, "kind"), b);
    das_buf_str(&t, "{");
    json_object_foreach(record, key, v)
    {
        if (is_head_key(key))
            continue;
        das_json_key(&t, key);
        put_value(&t, v);
    }
    das_buf_char(&t, '}');
    das_buf_char(b, ',');
    das_audit_csv_text(das_buf_view(&t), b);
    das_buf_str(b, "\r\n");
    b->failed |= t.failed;
    das_buf_clear(&t);
    json_decref(record);
}

bool das_audit_is_kind(struct das_text line, const char *kind)
{
    json_t *record = parse(line);
    bool yes = record && das_text_is(text_of(record, "kind"), kind);

    json_decref(record);
    return yes;
}

#define CELLS_KEY_MAX ((size_t)20)

/* Of the widest key, so that they stand in a column. */
static size_t key_cells(json_t *record)
{
    size_t cells = 10;
    const char *key;
    json_t *v;

    json_object_foreach(record, key, v)
    {
        if (strlen(key) > cells)
            cells = strlen(key);
    }
    return cells < CELLS_KEY_MAX ? cells : CELLS_KEY_MAX;
}

static void put_member(struct das_buf *b, const char *key, size_t cells, struct das_text value)
{
    put_cell(b, das_text_of(key), cells);
    das_render_cell(value, SIZE_MAX / 2, b);
    das_buf_char(b, '\n');
}

void das_audit_whole(struct das_text line, const char *hash, struct das_buf *b)
{
    json_t *record = parse(line), *v;
    size_t cells = key_cells(record);
    struct das_buf t = {0};
    const char *key;

    if (record) {
        put_time(&t, record);
        put_member(b, "time", cells, das_buf_view(&t));
    } else {
        put_member(b, "damaged", cells, line);
    }
    json_object_foreach(record, key, v)
    {
        das_buf_reset(&t);
        put_value(&t, v);
        put_member(b, key, cells, das_buf_view(&t));
    }
    put_member(b, "hash", cells, das_text_of(hash));
    b->failed |= t.failed;
    das_buf_clear(&t);
    json_decref(record);
}
