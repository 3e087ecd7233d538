/*
 * vertical_layout.c - finds out which columns a list printed with \G has; see recording_impl.h.
 *
 * Called by read_vertical.c only. Nothing in such a list says where the names end and text begins
 * that looks like a name; but a column stands in every row, so the first rows are compared.
 */
#include <string.h>

#include "core/source/recording_impl.h"

#define LEARN_ROWS 16
#define LEARN_NAMES 96
#define LEARN_BYTES ((size_t)256 << 10)

struct das_text das_vertical_name(struct das_text line, size_t width)
{
    size_t from = 0, to;

    while (from < line.len && line.ptr[from] == ' ')
        from++;
    to = from;
    while (to < line.len && line.ptr[to] > ' ' && line.ptr[to] != ':')
        to++;
    if (to == from || to == line.len || line.ptr[to] != ':' || (width && to != width) ||
        (to + 1 < line.len && line.ptr[to + 1] != ' '))
        return DAS_TEXT_NULL;
    return das_text(line.ptr + from, to - from);
}

/* What could be the columns of one row: every aligned name in it. */
struct names {
    struct das_text at[LEARN_NAMES];
    size_t count;
};

/* Collects the names of the row number at p. Returns where the row ends, NULL when the window ends
 * first. */
static char *collect(char *p, char *end, int64_t number, size_t width, struct names *out)
{
    char *next, *below;
    struct das_text line = das_recording_line(p, end, true, &next), name;

    out->count = 0;
    while (next) {
        p = next;
        line = das_recording_line(p, end, true, &next);
        if (!next)
            break;
        if (das_recording_separator(line) == number + 1 || das_recording_separator(line) == 1) {
            name = das_vertical_name(das_recording_line(next, end, true, &below), width);
            if (out->count && name.ptr && das_text_eq(name, out->at[0]))
                return p;
            continue;
        }
        name = das_vertical_name(line, width);
        if (name.ptr && out->count < LEARN_NAMES)
            out->at[out->count++] = name;
    }
    return NULL;
}

/* Keeps of a what stands in b too, in the same order: the longest common subsequence. */
static void keep_common(struct names *a, const struct names *b)
{
    uint8_t best[LEARN_NAMES + 1][LEARN_NAMES + 1];
    size_t kept = 0, i = 0, j = 0;

    memset(best, 0, sizeof best);
    for (i = a->count; i-- > 0;) {
        for (j = b->count; j-- > 0;) {
            uint8_t skip = best[i + 1][j] > best[i][j + 1] ? best[i + 1][j] : best[i][j + 1];
            best[i][j] = das_text_eq(a->at[i], b->at[j]) ? (uint8_t)(best[i + 1][j + 1] + 1) : skip;
        }
    }
    for (i = j = 0; i < a->count && j < b->count;) {
        if (das_text_eq(a->at[i], b->at[j])) {
            a->at[kept++] = a->at[i++];
            j++;
        } else if (best[i + 1][j] >= best[i][j + 1]) {
            i++;
        } else {
            j++;
        }
    }
    a->count = kept;
}

/* Does a row lack a column that every list has and this one began with? Then the row is damaged
 * and teaches nothing. */
static bool lacks_required(const struct names *all, const struct names *row)
{
    for (size_t i = 0; i < all->count; i++) {
        enum das_role role = das_column_role(all->at[i]);
        bool has = false;

        if (role == DAS_R_NONE)
            continue;
        for (size_t j = 0; j < row->count && !has; j++)
            has = das_text_eq(all->at[i], row->at[j]);
        if (!has && (role <= DAS_R_USER || role == DAS_R_COMMAND || role == DAS_R_TIME))
            return true;
    }
    return false;
}

/* A name that comes twice is text the second time. */
static void drop_repeated(struct names *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->count; i++) {
        bool seen = false;
        for (size_t j = 0; j < kept; j++)
            seen = seen || das_text_eq(n->at[j], n->at[i]);
        if (!seen)
            n->at[kept++] = n->at[i];
    }
    n->count = kept;
}

static bool layout_begins_with(const struct das_recording *r, const struct names *n, size_t width)
{
    if (r->width != width || n->count > r->columns.count)
        return false;
    for (size_t i = 0; i < n->count; i++) {
        if (!das_text_eq(n->at[i],
                         das_text(r->columns.items[i].name, r->columns.items[i].name_len)))
            return false;
    }
    return true;
}

static int set_layout(struct das_recording *r, const struct names *n, size_t width,
                      struct das_err *err)
{
    das_columns_clear(&r->columns);
    das_buf_reset(&r->header);
    r->width = width;
    r->tsv = false;
    for (size_t i = 0; i < n->count; i++) {
        if (das_columns_add(&r->columns, n->at[i], err) < 0)
            return -1;
        das_buf_fill(&r->header, ' ', width - n->at[i].len);
        das_buf_text(&r->header, n->at[i]);
        das_buf_char(&r->header, ':');
    }
    if (das_buf_ok(&r->header, err) < 0)
        return -1;
    return das_recording_values(r, err);
}

/* Has the separator and the line below it in the window and finds out how wide the names are: 1.
 * 0: the file ends before that; -1: err. */
static int first_line(struct das_recording *r, size_t *width, struct das_err *err)
{
    for (;;) {
        char *end = das_window_end(&r->w), *below, *next = NULL;
        struct das_text line = das_recording_line(das_window_begin(&r->w), end, true, &below), name;

        if (below) {
            r->crlf = below[-2] == '\r';
            line = das_recording_line(below, end, true, &next);
        }
        if (next) {
            name = das_vertical_name(line, 0);
            if (!name.ptr)
                return das_recording_fail(r, r->w.line + 1, err,
                                          "expected the first column of a row, \"   Id: ...\"");
            *width = (size_t)(name.ptr - line.ptr) + name.len;
            return 1;
        }
        if (r->w.eof)
            return 0;
        if (das_recording_more(r, err) < 0)
            return -1;
    }
}

/* Collects the names that all of the first rows have, as far as the window goes. Returns the end
 * of the last row looked at, NULL when the window ends within it; *rows is how many ended. */
static const char *compare_rows(struct das_recording *r, size_t width, struct names *names,
                                int *rows)
{
    char *p = das_window_begin(&r->w), *end = das_window_end(&r->w), *next;
    int64_t number = das_recording_separator(das_recording_line(p, end, true, &next));
    struct names more;

    *rows = 0;
    p = collect(p, end, number, width, names);
    while (p && ++*rows < LEARN_ROWS &&
           das_recording_separator(das_recording_line(p, end, true, &next)) == number + 1) {
        p = collect(p, end, ++number, width, &more);
        if (p && !lacks_required(names, &more))
            keep_common(names, &more);
    }
    return p;
}

/* The names of the list's columns: 1, and *ended tells whether the first row is known to be whole.
 * 0: the file ends within the first two lines; -1: err. */
static int first_names(struct das_recording *r, struct names *names, size_t *width, bool *ended,
                       struct das_err *err)
{
    int rows, rc = first_line(r, width, err);

    if (rc != 1)
        return rc;
    /* the same rows whatever the window holds by chance, within reason */
    while (!compare_rows(r, *width, names, &rows) && !r->w.eof &&
           (rows == 0 || r->w.to - r->w.from < LEARN_BYTES)) {
        if (das_recording_more(r, err) < 0)
            return -1;
    }
    *ended = rows > 0;
    return 1;
}

int das_vertical_learn(struct das_recording *r, struct das_err *err)
{
    struct names names;
    size_t width = 0;
    bool ended = false;
    int rc = first_names(r, &names, &width, &ended, err);

    if (rc <= 0)
        return rc;
    if (layout_begins_with(r, &names, width) && (!ended || names.count == r->columns.count))
        return 1; /* a shorter only row at the end of the file: the scan finds it cut */
    drop_repeated(&names);
    if (set_layout(r, &names, width, err) < 0)
        return -1;
    if (das_columns_check(&r->columns, err) == 0)
        return 1;
    if (!ended && das_window_end(&r->w)[-1] != '\n')
        return 0;
    das_err_prefix(err, "%s:%zu", r->name, r->w.line);
    return -1;
}
