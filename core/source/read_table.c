/*
 * read_table.c - reads a list printed as a table, "+----+------+"; see recording_impl.h.
 *
 * Called by recording.c only. The border tells how many terminal cells each column takes. Values
 * may hold newlines and '|', so a row is cut by counting cells, never by looking for a '|'.
 *
 * How the client pads, as seen on its output: a column is as wide as its longest value in bytes;
 * a value is padded to that many cells, where a newline or a tab is one cell. A column wider than
 * 1024 is padded to 1024 only, names too, and longer values stand unpadded. With an 8-bit
 * character set the client takes each byte for a cell, as the admin tool does always, which pads
 * wide columns as well; other programs count characters.
 */
#include <string.h>

#include "core/base/mem.h"
#include "core/source/recording_impl.h"

#define PAD_MAX ((size_t)1024)
#define TRIES_MAX 100000

enum measure { BY_CELLS, BY_BYTES, BY_CHARACTERS, MEASURES };

enum fit { FIT_YES, FIT_NO, FIT_SHORT };

/* How one row is cut into values. */
struct fitting {
    struct das_recording *r;
    const char *end;
    bool eof;
    size_t pad; /* a column wider than that is padded to that only */
    enum measure measure;
    size_t bad;   /* the column after which the row did not fit */
    size_t tries; /* left for guesses where a long value ends */
    const char *row_end;
};

/* --- counting cells -------------------------------------------------------------------------- */

/* East Asian wide characters as the client's table has them (measured on its output): Unicode 4,
 * so that an emoji takes one cell there though terminals draw two. */
static bool is_wide(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } wide[] = {
        {0x1100, 0x1159}, {0x115f, 0x115f}, {0x2329, 0x232a}, {0x2e80, 0x2e99}, {0x2e9b, 0x2ef3},
        {0x2f00, 0x2fd5}, {0x2ff0, 0x2ffb}, {0x3000, 0x303e}, {0x3041, 0x3096}, {0x3099, 0x30ff},
        {0x3105, 0x312c}, {0x3131, 0x318e}, {0x3190, 0x31b7}, {0x31f0, 0x321e}, {0x3220, 0x3243},
        {0x3250, 0x327d}, {0x327f, 0x32fe}, {0x3300, 0x4db5}, {0x4e00, 0x9fa5}, {0xa000, 0xa48c},
        {0xa490, 0xa4c6}, {0xac00, 0xd7a3}, {0xf900, 0xfa2d}, {0xfa30, 0xfa6a}, {0xfe30, 0xfe52},
        {0xfe54, 0xfe66}, {0xfe68, 0xfe6b}, {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x20000, 0x3fffd},
    };
    size_t low = 0, high = sizeof wide / sizeof wide[0];

    if (c < wide[0].from)
        return false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > wide[mid].to)
            low = mid + 1;
        else
            high = mid;
    }
    return low < sizeof wide / sizeof wide[0] && c >= wide[low].from;
}

/* How many of the first n bytes are plain: ASCII, and no \r where that needs a look. */
static size_t plain_run(const char *p, size_t n, bool crlf)
{
    size_t i = 0;
    uint64_t eight;

    if (crlf) {
        while (i < n && (unsigned char)p[i] < 0x80 && p[i] != '\r')
            i++;
        return i;
    }
    for (; i + 8 <= n; i += 8) {
        memcpy(&eight, p + i, 8);
        if (eight & 0x8080808080808080u)
            break;
    }
    while (i < n && (unsigned char)p[i] < 0x80)
        i++;
    return i;
}

/* Behind the value at p that takes so many cells; NULL when the bytes end first. */
static const char *skip_cells(const struct fitting *f, const char *p, size_t cells)
{
    bool crlf = f->r->crlf;

    while (cells) {
        size_t left = (size_t)(f->end - p), n;
        uint32_t code = 0;

        if (f->measure == BY_BYTES && !crlf)
            return left < cells ? NULL : p + cells;
        n = plain_run(p, left < cells ? left : cells, crlf);
        p += n;
        cells -= n;
        if (!cells)
            break;
        if (p == f->end)
            return NULL;
        if (*p == '\r') { /* a newline that became two bytes takes one cell still */
            p += p + 1 < f->end && p[1] == '\n' ? 2 : 1;
            cells--;
            continue;
        }
        n = f->measure == BY_BYTES ? 1 : das_utf8_next(p, (size_t)(f->end - p), &code);
        p += n ? n : 1;
        cells--;
        if (cells && n > 1 && f->measure == BY_CELLS && is_wide(code))
            cells--;
    }
    return p;
}

/* --- fitting a row to the columns ------------------------------------------------------------ */

/* Does column col end at p, with " | " or, the last one, with " |" and the line's end? *next is
 * behind that. */
static enum fit closes(const struct fitting *f, const char *p, bool last, const char **next)
{
    size_t left = (size_t)(f->end - p);

    if (left && p[0] != ' ')
        return FIT_NO;
    if (left > 1 && p[1] != '|')
        return FIT_NO;
    if (left < 3)
        return FIT_SHORT;
    *next = p + 3;
    if (!last)
        return p[2] == ' ' ? FIT_YES : FIT_NO;
    if (p[2] == '\n')
        return FIT_YES;
    if (p[2] != '\r')
        return FIT_NO;
    if (left < 4)
        return FIT_SHORT;
    *next = p + 4;
    return p[3] == '\n' ? FIT_YES : FIT_NO;
}

/* Behind a row that a long value made a guess of: is there another row, or the border? */
static enum fit row_follows(const struct fitting *f, const char *p)
{
    const struct das_recording *r = f->r;
    size_t left = (size_t)(f->end - p), border = r->header.len;

    if (memcmp(p, r->header.ptr, left < border ? left : border) == 0)
        return left < border && !f->eof ? FIT_SHORT : FIT_YES;
    if (left < 2 && !f->eof)
        return FIT_SHORT;
    if (p[0] != '|' || (left > 1 && p[1] != ' '))
        return FIT_NO;
    p += left < 2 ? left : 2;
    for (size_t col = 0; col < r->columns.count && r->widths[col] <= f->pad; col++) {
        const char *q = skip_cells(f, p, r->widths[col]);
        enum fit fit = q ? closes(f, q, col + 1 == r->columns.count, &p) : FIT_SHORT;

        if (fit == FIT_SHORT)
            return f->eof ? FIT_YES : FIT_SHORT;
        if (fit == FIT_NO)
            return FIT_NO;
    }
    return FIT_YES;
}

static enum fit fit_from(struct fitting *f, size_t col, const char *p);

/* A value in a column so wide that the client gave up padding: it ends at the first place behind
 * which the rest of the row fits. */
static enum fit fit_long(struct fitting *f, size_t col, const char *p)
{
    const char *q = skip_cells(f, p, f->pad), *next;
    size_t room = f->r->widths[col] + 3;
    const char *limit;
    bool last = col + 1 == f->r->columns.count;

    if (!q)
        return FIT_SHORT;
    if (f->r->crlf)
        room *= 2; /* the border does not count the \r */
    limit = room < (size_t)(f->end - p) ? p + room : f->end;
    while (q < limit) {
        enum fit fit = closes(f, q, last, &next);

        if (fit == FIT_YES) {
            f->r->values[col] = das_text(p, (size_t)(q - p));
            if (last)
                f->row_end = next;
            else
                fit = fit_from(f, col + 1, next);
            if (fit == FIT_YES)
                fit = row_follows(f, f->row_end);
        }
        if (fit != FIT_NO)
            return fit;
        if (f->tries == 0)
            return FIT_NO;
        q = q + 1 < limit ? memchr(q + 1, ' ', (size_t)(limit - q - 1)) : NULL;
        if (!q)
            break;
        if (q + 1 < f->end && q[1] == '|')
            f->tries--;
    }
    f->bad = col;
    return limit == f->end ? FIT_SHORT : FIT_NO;
}

static enum fit fit_from(struct fitting *f, size_t col, const char *p)
{
    const struct das_recording *r = f->r;

    for (; col < r->columns.count; col++) {
        const char *q, *next;
        enum fit fit;

        if (r->widths[col] > f->pad)
            return fit_long(f, col, p);
        q = skip_cells(f, p, r->widths[col]);
        if (!q)
            return FIT_SHORT;
        fit = closes(f, q, col + 1 == r->columns.count, &next);
        if (fit != FIT_YES) {
            f->bad = col;
            return fit;
        }
        r->values[col] = das_text(p, (size_t)(q - p));
        p = next;
    }
    f->row_end = p;
    return FIT_YES;
}

/* Fits the row at p ("| ..."), measuring as the rows before, then in the other ways. */
static enum fit fit_row(struct fitting *f, const char *p)
{
    enum measure first = f->measure;
    bool is_short = false;
    size_t bad = 0;

    if (f->end - p < 2)
        return p < f->end && *p != '|' ? FIT_NO : FIT_SHORT;
    if (p[0] != '|' || p[1] != ' ')
        return FIT_NO;
    for (int i = 0; i < MEASURES; i++) {
        enum fit fit;

        f->measure = (enum measure)((first + (unsigned)i) % MEASURES);
        f->tries = TRIES_MAX;
        f->bad = 0;
        fit = fit_from(f, 0, p + 2);
        if (fit == FIT_YES)
            return FIT_YES;
        if (i == 0)
            bad = f->bad;
        is_short = is_short || fit == FIT_SHORT;
    }
    f->measure = first;
    f->bad = bad;
    return is_short ? FIT_SHORT : FIT_NO;
}

/* --- border and header ----------------------------------------------------------------------- */

static int set_widths(struct das_recording *r, struct das_text border, struct das_err *err)
{
    const char *p = border.ptr + 1, *end = border.ptr + border.len;
    size_t count = 0, *widths;

    for (const char *q = p; q < end; q++) {
        if (*q != '+' && *q != '-')
            return das_recording_fail(r, r->w.line, err, "expected a border of '+' and '-' only");
        count += *q == '+';
    }
    if (count == 0 || end[-1] != '+' || count > DAS_COLUMNS_MAX)
        return das_recording_fail(r, r->w.line, err,
                                  "expected a border that ends in '+', with 1 "
                                  "to %d columns",
                                  DAS_COLUMNS_MAX);
    widths = das_grow(r->widths, count, sizeof *widths);
    if (!widths)
        return das_fail_nomem(err);
    r->widths = widths;
    for (size_t i = 0; i < count; i++) {
        const char *plus = memchr(p, '+', (size_t)(end - p));
        if (plus - p < 3)
            return das_recording_fail(r, r->w.line, err,
                                      "expected a border with at least \"---\" for each column");
        widths[i] = (size_t)(plus - p) - 2;
        p = plus + 1;
    }
    return (int)count;
}

/* Cuts the header line "| Id | User |" at the border's crosses and learns the names, for columns
 * padded to at most pad cells. */
static int set_names(struct das_recording *r, struct das_text line, size_t count, size_t pad,
                     struct das_err *err)
{
    const char *p = line.ptr + 2, *end = line.ptr + line.len;

    das_columns_clear(&r->columns);
    r->tsv = false;
    r->width = 0;
    for (size_t i = 0; i < count; i++) {
        size_t left = p < end ? (size_t)(end - p) : 0;
        size_t cells = r->widths[i] < pad ? r->widths[i] : pad;
        if (left < cells + 2 || p[cells + 1] != '|')
            return das_recording_fail(r, r->w.line + 1, err,
                                      "expected a line of %zu column names as wide as the border",
                                      count);
        if (das_columns_add(&r->columns, das_text_trim(das_text(p, cells)), err) < 0)
            return -1;
        p += cells + 3;
    }
    if (das_columns_check(&r->columns, err) < 0) {
        das_err_prefix(err, "%s:%zu", r->name, r->w.line + 1);
        return -1;
    }
    return das_recording_values(r, err);
}

/* Border, names, border: 1 and consumed, or DAS_READ_CUT, or -1. */
static int read_header(struct das_recording *r, size_t *pad, struct das_err *err)
{
    struct das_text lines[3];
    char *next = NULL, *p;
    int count;

    for (int i = 0; i < 3;) {
        p = i ? next : das_window_begin(&r->w);
        lines[i] = das_recording_line(p, das_window_end(&r->w), true, &next);
        if (next) {
            i++;
            continue;
        }
        count = das_recording_more(r, err);
        if (count <= 0)
            return count < 0
                       ? -1
                       : das_recording_cut(r, das_window_line_at(&r->w, das_window_end(&r->w)));
        i = 0; /* the bytes moved */
    }
    p = das_window_begin(&r->w);
    r->crlf = p[lines[0].len] == '\r';
    count = set_widths(r, lines[0], err);
    if (count < 0)
        return -1;
    das_buf_reset(&r->header);
    das_buf_text(&r->header, lines[0]);
    if (das_buf_ok(&r->header, err) < 0)
        return -1;
    if (lines[1].len < 2 || lines[1].ptr[0] != '|')
        return das_recording_fail(r, r->w.line + 1, err, "expected a line of column names");
    *pad = lines[1].len < lines[0].len ? PAD_MAX : SIZE_MAX;
    if (set_names(r, lines[1], (size_t)count, *pad, err) < 0)
        return -1;
    if (!das_text_eq(lines[2], lines[0]))
        return das_recording_fail(r, r->w.line + 2, err,
                                  "expected the border again, below the column names");
    das_window_skip(&r->w, (size_t)(next - p), 3);
    return 1;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* 1: the closing border stands at the window's start and is consumed; 0: it does not; -1: too few
 * bytes to tell. */
static int closing_border(struct das_recording *r)
{
    struct das_text border = das_buf_view(&r->header);
    char *p = das_window_begin(&r->w), *next;
    size_t left = (size_t)(das_window_end(&r->w) - p);
    size_t common = left < border.len ? left : border.len;

    if (memcmp(p, border.ptr, common) != 0)
        return 0;
    if (left < border.len + 1 && !r->w.eof)
        return -1;
    if (left < border.len)
        return -1;
    if (left > border.len && p[border.len] != '\n' && p[border.len] != '\r')
        return 0;
    (void)das_recording_line(p, das_window_end(&r->w), true, &next);
    das_window_skip(&r->w, next ? (size_t)(next - p) : left, next ? 1 : 0);
    return 1;
}

static int take_row(struct das_recording *r, const struct fitting *f, struct das_snapshot *s,
                    struct das_err *err)
{
    const char *p = das_window_begin(&r->w), *nl;

    for (size_t i = 0; i < r->columns.count; i++) {
        struct das_text *v = &r->values[i];
        while (v->len && v->ptr[v->len - 1] == ' ')
            v->len--;
        if (r->crlf)
            *v = das_recording_fold_crlf(r->w.buf + (v->ptr - r->w.buf), v->len);
    }
    if (das_recording_add(r, s, err) < 0)
        return -1;
    nl = memchr(p, '\n', (size_t)(f->row_end - p));
    if (nl == f->row_end - 1)
        das_window_skip(&r->w, (size_t)(f->row_end - p), 1);
    else
        das_window_consume(&r->w, (size_t)(f->row_end - p));
    return 0;
}

static int misfit(const struct das_recording *r, const struct fitting *f, struct das_err *err)
{
    const char *p = das_window_begin(&r->w);
    char excerpt[DAS_EXCERPT];

    if (*p == '|')
        return das_recording_fail(r, r->w.line, err,
                                  "the row does not fit the border: expected \" |\" after %zu "
                                  "cells of column \"%s\"",
                                  r->widths[f->bad], r->columns.items[f->bad].name);
    das_excerpt(das_text(p, (size_t)(das_window_end(&r->w) - p)), excerpt);
    return das_recording_fail(r, r->w.line, err,
                              "found \"%s\", expected a row or the closing border", excerpt);
}

int das_read_table(struct das_recording *r, struct das_snapshot *s, struct das_err *err)
{
    struct fitting f = {.r = r, .measure = BY_CELLS};
    int rc = read_header(r, &f.pad, err);

    if (rc != 1)
        return rc;
    for (;;) {
        enum fit fit = FIT_SHORT;

        rc = closing_border(r);
        if (rc == 1)
            return DAS_READ_WHOLE;
        if (rc == 0) {
            f.end = das_window_end(&r->w);
            f.eof = r->w.eof;
            fit = fit_row(&f, das_window_begin(&r->w));
        }
        if (fit == FIT_NO)
            return misfit(r, &f, err);
        if (fit == FIT_YES) {
            if (take_row(r, &f, s, err) < 0)
                return DAS_READ_ERROR;
            continue;
        }
        if (r->w.eof)
            return das_recording_cut(r, das_window_line_at(&r->w, das_window_end(&r->w)));
        if (das_recording_more(r, err) < 0)
            return DAS_READ_ERROR;
    }
}
