/*
 * read_tsv.c - reads a list printed tab-separated (client option -B); see recording_impl.h.
 *
 * Called by recording.c only. A row is a line; the client writes tab, newline, NUL and backslash
 * inside a value as \t \n \0 \\, so that a tab is always a boundary.
 */
#include <string.h>

#include "core/base/mem.h"
#include "core/source/recording_impl.h"

/* The escapes of the client, in place. */
static struct das_text unescape(char *p, size_t len)
{
    char *end = p + len, *to = memchr(p, '\\', len);

    if (!to)
        return das_text(p, len);
    for (char *from = to; from < end; from++) {
        char c = *from;

        if (c == '\\' && from + 1 < end && strchr("nt\\0", from[1]) && from[1]) {
            c = *++from;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c;
        }
        *to++ = c;
    }
    return das_text(p, (size_t)(to - p));
}

/* Splits at tabs; returns how many fields there are, of which at most max are kept. */
static size_t split(struct das_text line, struct das_text *fields, size_t max)
{
    const char *p = line.ptr, *end = line.ptr + line.len;
    size_t n = 0;

    for (;;) {
        const char *tab = p < end ? memchr(p, '\t', (size_t)(end - p)) : NULL;

        if (n < max)
            fields[n] = das_text(p, (size_t)((tab ? tab : end) - p));
        n++;
        if (!tab)
            return n;
        p = tab + 1;
    }
}

static bool is_header(struct das_text line)
{
    struct das_text fields[DAS_COLUMNS_MAX];
    size_t n = split(line, fields, DAS_COLUMNS_MAX);
    bool id = false, user = false;

    for (size_t i = 0; i < n && i < DAS_COLUMNS_MAX; i++) {
        enum das_role role = das_column_role(fields[i]);
        id = id || role == DAS_R_ID;
        user = user || role == DAS_R_USER;
    }
    return id && user;
}

/* Takes the header line, or keeps the header of the list before: a blank line parts them too. */
static int read_header(struct das_recording *r, struct das_text line, char *next,
                       struct das_err *err)
{
    struct das_text fields[DAS_COLUMNS_MAX];
    size_t n = split(line, fields, DAS_COLUMNS_MAX);

    if (r->tsv && n == r->columns.count && !is_header(line))
        return 0;
    r->tsv = false;
    r->width = 0;
    r->crlf = next && next - line.ptr >= 2 && next[-2] == '\r';
    das_columns_clear(&r->columns);
    das_buf_reset(&r->header);
    das_buf_text(&r->header, line);
    if (das_buf_ok(&r->header, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (das_columns_add(&r->columns, fields[i < DAS_COLUMNS_MAX ? i : 0], err) < 0)
            goto fail;
    }
    if (das_columns_check(&r->columns, err) < 0)
        goto fail;
    if (das_recording_values(r, err) < 0)
        return -1;
    r->tsv = true;
    das_window_consume(&r->w, next ? (size_t)(next - line.ptr) : line.len);
    return 0;
fail:
    if (err->code == DAS_E_DATA)
        das_err_prefix(err, "%s:%zu", r->name, r->w.line);
    return -1;
}

/* The last line of a file, without a newline: does it stop before its end? */
static bool evidently_cut(const struct das_recording *r, size_t fields)
{
    struct das_text last = r->values[r->columns.count - 1];
    size_t slashes = 0;

    if (fields < r->columns.count)
        return true;
    while (slashes < last.len && last.ptr[last.len - 1 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 1 || (last.len == 0 && r->columns.items[r->columns.count - 1].numeric);
}

/* 1: a row was added; 0: the list ends before this line; -1; DAS_READ_CUT. */
static int read_row(struct das_recording *r, struct das_text line, char *next,
                    struct das_snapshot *s, struct das_err *err)
{
    struct das_text header = das_buf_view(&r->header);
    size_t count = r->columns.count, n;

    /* the same header again starts a new list, also when the file ends within it; a different
     * header does too */
    if (das_text_eq(line, header) ||
        (!next && line.len < header.len && memcmp(line.ptr, header.ptr, line.len) == 0))
        return 0;
    n = split(line, r->values, count);
    if (!next && n <= count && evidently_cut(r, n) && !(n == 1 && das_recording_is_chatter(line)))
        return das_recording_cut(r, r->w.line);
    if (n != count) {
        if (das_recording_is_chatter(line) || is_header(line) ||
            (n == 1 && strchr("+*{[", *line.ptr)))
            return 0;
        return das_recording_fail(r, r->w.line, err,
                                  "found %zu columns, expected %zu separated by tabs", n, count);
    }
    if (!das_is_digit((unsigned char)*line.ptr) && is_header(line))
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct das_text *v = &r->values[i];
        *v = unescape(r->w.buf + (v->ptr - r->w.buf), v->len);
    }
    if (das_recording_add(r, s, err) < 0)
        return -1;
    das_window_skip(&r->w, next ? (size_t)(next - line.ptr) : line.len, next ? 1 : 0);
    return 1;
}

int das_read_tsv(struct das_recording *r, struct das_snapshot *s, struct das_err *err)
{
    bool header = false;

    for (;;) {
        char *p = das_window_begin(&r->w), *next;
        struct das_text line =
            das_recording_line(p, das_window_end(&r->w), !header || r->crlf, &next);
        int rc;

        if (!next && !r->w.eof) {
            if (das_recording_more(r, err) < 0)
                return DAS_READ_ERROR;
            continue;
        }
        if (!header) {
            if (!next && r->count)
                return das_recording_cut(r, r->w.line);
            if (read_header(r, line, next, err) < 0)
                return DAS_READ_ERROR;
            header = true;
            continue;
        }
        if (line.len == 0)
            return DAS_READ_WHOLE; /* a blank line, or the end of the file */
        rc = read_row(r, line, next, s, err);
        if (rc == 0)
            return DAS_READ_WHOLE;
        if (rc != 1)
            return rc < 0 ? DAS_READ_ERROR : DAS_READ_CUT;
    }
}
