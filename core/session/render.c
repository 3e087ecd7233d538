/* render.c - see render.h. */
#include "core/session/render.h"

#include <string.h>

#include "core/base/json.h"

/* --- JSON ----------------------------------------------------------------------------------------- */

/* Progress is kept in thousandths of a per cent and shown in per cent. */
static void put_number(struct das_buf *b, enum das_field f, int64_t v)
{
    const char digits[4] = {'.', (char)('0' + v / 100 % 10), (char)('0' + v / 10 % 10),
                            (char)('0' + v % 10)};

    if (f != DAS_F_PROGRESS || v < 0) {
        das_buf_int(b, v);
        return;
    }
    das_buf_int(b, v / 1000);
    das_buf_add(b, digits, sizeof digits);
}

static void json_number(struct das_buf *b, enum das_field f, int64_t v)
{
    if (v == DAS_UNKNOWN)
        return;
    das_json_key(b, das_field_name(f));
    if (v == DAS_ABSENT)
        das_buf_str(b, "null");
    else
        put_number(b, f, v);
}

/* Written with their commas and colons: for a large preview this is the inner loop. */
#define LITERAL(b, text) das_buf_add((b), (text), sizeof(text) - 1)

void das_render_session_json(const struct das_session *s, struct das_buf *b)
{
    LITERAL(b, "{\"id\":");
    das_buf_int(b, s->id);
    LITERAL(b, ",\"user\":");
    das_json_text(b, s->user);
    LITERAL(b, ",\"host\":");
    das_json_text(b, s->host);
    LITERAL(b, ",\"db\":");
    das_json_text(b, s->db);
    LITERAL(b, ",\"command\":");
    das_json_text(b, s->command);
    LITERAL(b, ",\"state\":");
    das_json_text(b, s->state);
    LITERAL(b, ",\"sql_info\":");
    das_json_text(b, s->sql_info);
    LITERAL(b, ",\"state_duration\":");
    if (s->state_duration == DAS_UNKNOWN)
        LITERAL(b, "null");
    else
        das_buf_int(b, s->state_duration);
    for (int f = DAS_F_TIME_MS; f < DAS_F_COUNT; f++)
        json_number(b, (enum das_field)f, das_session_int(s, (enum das_field)f));
    if (s->disputed)
        LITERAL(b, ",\"disputed\":true");
    das_buf_char(b, '}');
}

/* --- CSV ------------------------------------------------------------------------------------------ */

void das_render_csv_header(struct das_buf *b)
{
    for (int f = 0; f < DAS_F_COUNT; f++) {
        if (f)
            das_buf_char(b, ',');
        das_buf_str(b, das_field_name((enum das_field)f));
    }
    das_buf_str(b, "\r\n");
}

void das_render_csv_text(struct das_text t, struct das_buf *b)
{
    bool plain = t.len > 0;

    if (!t.ptr)
        return;
    for (size_t i = 0; i < t.len && plain; i++)
        plain = t.ptr[i] != ',' && t.ptr[i] != '"' && t.ptr[i] != '\n' && t.ptr[i] != '\r';
    if (plain) {
        das_buf_text(b, t);
        return;
    }
    das_buf_char(b, '"'); /* "" is quoted, so that it differs from NULL */
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] == '"')
            das_buf_char(b, '"');
        das_buf_char(b, t.ptr[i]);
    }
    das_buf_char(b, '"');
}

void das_render_session_csv(const struct das_session *s, struct das_buf *b)
{
    for (int i = 0; i < DAS_F_COUNT; i++) {
        enum das_field f = (enum das_field)i;
        int64_t v;
        if (i)
            das_buf_char(b, ',');
        if (das_field_is_text(f)) {
            das_render_csv_text(das_session_text(s, f), b);
            continue;
        }
        v = das_session_int(s, f);
        if (!das_known(v))
            continue;
        put_number(b, f, v);
    }
    das_buf_str(b, "\r\n");
}

/* --- table ---------------------------------------------------------------------------------------- */

static const enum das_field table_fields[] = {
    DAS_F_ID,    DAS_F_USER,     DAS_F_HOST,          DAS_F_DB,       DAS_F_COMMAND,
    DAS_F_STATE_DURATION, DAS_F_TRX_TIME, DAS_F_ROWS_MODIFIED, DAS_F_BLOCKED_BY, DAS_F_STATE,
    DAS_F_SQL_INFO,
};
#define TABLE_COLUMNS (sizeof table_fields / sizeof table_fields[0])

static const char *const table_titles[TABLE_COLUMNS] = {
    "id", "user", "host", "db", "command", "time", "trx", "rows", "blocked_by",
    "state", "sql_info",
};

#define CELLS_MAX 24   /* of a text column other than the statement */
#define SQL_CELLS_MIN 20

/* Control characters, line separators, and the marks that turn the direction of text: what they do
 * to a terminal would show another statement than the one that runs. */
static bool is_blank(uint32_t code)
{
    return code <= ' ' || (code >= 0x7f && code < 0xa0) || (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t das_render_cell(struct das_text t, size_t cells, struct das_buf *b)
{
    size_t used = 0, i = 0, cut_len = b->len, cut_used = 0;
    bool gap = false;

    if (!t.ptr)
        t = das_text("-", 1);
    t = das_text_trim(t);
    while (i < t.len) {
        uint32_t code = 0xfffd;
        size_t n = das_utf8_next(t.ptr + i, t.len - i, &code);
        size_t w;

        if (is_blank(code)) {
            gap = used > 0; /* runs of white space and control characters are one blank */
            i += n ? n : 1;
            continue;
        }
        w = n ? (size_t)das_utf8_cells(code) : 1;
        if (used + gap + w > cells) { /* does not fit: cut back to leave room for ".." */
            b->len = cut_len;
            if (cells < 2)
                return cut_used;
            das_buf_add(b, "..", 2);
            return cut_used + 2;
        }
        if (gap) {
            das_buf_char(b, ' ');
            used++;
            gap = false;
        }
        if (n)
            das_buf_add(b, t.ptr + i, n);
        else
            das_buf_add(b, "\xef\xbf\xbd", 3);
        used += w;
        i += n ? n : 1;
        if (used + 2 <= cells) {
            cut_len = b->len;
            cut_used = used;
        }
    }
    return used;
}

static size_t put_field(const struct das_session *s, enum das_field f, size_t cells,
                        struct das_buf *b)
{
    size_t from = b->len;
    int64_t v;

    if (das_field_is_text(f))
        return das_render_cell(das_session_text(s, f), cells, b);
    v = das_session_int(s, f);
    if (das_known(v))
        das_buf_int(b, v);
    else
        das_buf_char(b, v == DAS_ABSENT ? '-' : '?');
    return b->len - from;
}

static bool anybody_waits(const struct das_selection *sel)
{
    const int64_t *by = das_snapshot_numbers(sel->snap, DAS_F_BLOCKED_BY);

    for (size_t i = 0; by && i < sel->count; i++) {
        if (das_known(by[sel->rows[i]]))
            return true;
    }
    return false;
}

static bool column_shown(const struct das_selection *sel, enum das_field f)
{
    if (f == DAS_F_BLOCKED_BY)
        return anybody_waits(sel);
    return f != DAS_F_TRX_TIME && f != DAS_F_ROWS_MODIFIED
               ? true
               : das_snapshot_numbers(sel->snap, f) != NULL;
}

static void measure(const struct das_selection *sel, size_t rows, size_t *cells, struct das_buf *b)
{
    struct das_session s;

    for (size_t c = 0; c < TABLE_COLUMNS; c++)
        cells[c] = column_shown(sel, table_fields[c]) ? strlen(table_titles[c]) : 0;
    for (size_t i = 0; i < rows; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        for (size_t c = 0; c + 1 < TABLE_COLUMNS; c++) {
            size_t from = b->len, used;
            if (!cells[c])
                continue;
            used = put_field(&s, table_fields[c], CELLS_MAX, b);
            b->len = from;
            if (used > cells[c])
                cells[c] = used;
        }
    }
}

static void trim_line(struct das_buf *b)
{
    while (b->len && b->ptr[b->len - 1] == ' ')
        b->len--;
    das_buf_char(b, '\n');
}

void das_render_table(const struct das_selection *sel, size_t max_rows, size_t width,
                      struct das_buf *b)
{
    size_t rows = sel->count < max_rows ? sel->count : max_rows;
    size_t cells[TABLE_COLUMNS], left = 0;
    struct das_session s;

    measure(sel, rows, cells, b);
    for (size_t c = 0; c + 1 < TABLE_COLUMNS; c++)
        left += cells[c] ? cells[c] + 2 : 0;
    cells[TABLE_COLUMNS - 1] = !width ? SIZE_MAX / 2
                               : width > left + SQL_CELLS_MIN ? width - left
                                                              : SQL_CELLS_MIN;
    for (size_t c = 0; c < TABLE_COLUMNS; c++) {
        if (!cells[c])
            continue;
        das_buf_str(b, table_titles[c]);
        if (c + 1 < TABLE_COLUMNS)
            das_buf_fill(b, ' ', cells[c] + 2 - strlen(table_titles[c]));
    }
    trim_line(b);
    for (size_t i = 0; i < rows; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        for (size_t c = 0; c < TABLE_COLUMNS; c++) {
            size_t used;
            if (!cells[c])
                continue;
            used = put_field(&s, table_fields[c], c + 1 < TABLE_COLUMNS && cells[c] > CELLS_MAX
                                                      ? CELLS_MAX
                                                      : cells[c], b);
            if (c + 1 < TABLE_COLUMNS)
                das_buf_fill(b, ' ', cells[c] + 2 - used);
        }
        trim_line(b);
    }
    if (rows < sel->count)
        das_buf_printf(b, "... and %zu more\n", sel->count - rows);
}

/* --- a preview ------------------------------------------------------------------------------------ */

#define FLUSH_AT ((size_t)1 << 16)

int das_output_find(const char *name)
{
    static const char *const names[] = {"table", "json", "csv"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

static void maybe_flush(const struct das_flush *flush, struct das_buf *b)
{
    if (flush && b->len >= FLUSH_AT)
        flush->call(b, flush->arg);
}

static void preview_table(const struct das_selection *sel, const char *instance, size_t width,
                          struct das_buf *b)
{
    das_buf_printf(b, "%s: %lld %s ", instance, (long long)sel->total,
                   sel->total == 1 ? "session matches" : "sessions match");
    das_filter_print(sel->filter, b);
    if (!das_snapshot_complete(sel->snap))
        das_buf_printf(b, " (incomplete: %zu shown)", sel->count);
    das_buf_char(b, '\n');
    if (sel->count)
        das_render_table(sel, sel->count, width, b);
}

static void preview_json(const struct das_selection *sel, const char *instance,
                         const struct das_flush *flush, struct das_buf *b)
{
    struct das_session s;

    das_buf_char(b, '{');
    das_json_key_int(b, "data_sync_time", das_snapshot_time(sel->snap));
    das_json_key_int(b, "total_count", sel->total);
    das_json_key_bool(b, "complete", das_snapshot_complete(sel->snap));
    das_json_key(b, "instance");
    das_json_str(b, instance);
    das_json_key(b, "warnings");
    das_buf_char(b, '[');
    for (size_t i = 0; i < das_snapshot_warnings(sel->snap); i++) {
        das_json_comma(b);
        das_json_str(b, das_snapshot_warning(sel->snap, i));
    }
    das_buf_char(b, ']');
    das_json_key(b, "processes");
    das_buf_char(b, '[');
    for (size_t i = 0; i < sel->count; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        if (i)
            das_buf_char(b, ',');
        das_render_session_json(&s, b);
        maybe_flush(flush, b);
    }
    das_buf_str(b, "]}\n");
}

void das_render_preview(const struct das_selection *sel, const char *instance,
                        enum das_output output, size_t width, const struct das_flush *flush,
                        struct das_buf *b)
{
    struct das_session s;

    switch (output) {
    case DAS_OUT_TABLE:
        preview_table(sel, instance, width, b);
        break;
    case DAS_OUT_JSON:
        preview_json(sel, instance, flush, b);
        break;
    case DAS_OUT_CSV:
        das_render_csv_header(b);
        for (size_t i = 0; i < sel->count; i++) {
            das_snapshot_get(sel->snap, sel->rows[i], &s);
            das_render_session_csv(&s, b);
            maybe_flush(flush, b);
        }
        break;
    }
}
