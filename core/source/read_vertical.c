/*
 * read_vertical.c - reads a list printed with \G; see recording_impl.h.
 *
 * Called by recording.c only. A row is a separator line and one line per column, "   Name: value",
 * the names right-aligned to one width. Text may hold newlines, and then lines that look like
 * anything; so a value ends only before the line of the very next column or before the separator
 * of the very next row.
 */
#include <string.h>

#include "core/base/mem.h"
#include "core/source/recording_impl.h"

#define LEARN_ROWS 16
#define LEARN_NAMES 96
#define NO_COLUMN SIZE_MAX

enum row { ROW_WHOLE, ROW_NEED, ROW_CUT, ROW_BAD };

/* Where a scan of one row stands. */
struct scan {
    struct das_recording *r;
    char *end;
    bool eof;
    int64_t number;  /* of the row */
    size_t col;      /* the column expected next */
    size_t open;     /* the last column whose text may go on, or NO_COLUMN */
    size_t newlines; /* consumed by the row */
    char *strange;   /* the first line that did not fit where it stands, */
    size_t wanted;   /* and the column that was expected there */
    bool withdrew;   /* columns turned out to be text */
    char *row_end;
    bool next_row; /* the next row follows at row_end */
};

/* --- telling lines apart --------------------------------------------------------------------- */

/* Is line the one of column col: its name aligned to the right, a colon, a space? */
static inline bool is_column(const struct das_recording *r, size_t col, const char *line,
                             const char *end)
{
    size_t len = r->width + 1;

    return (size_t)(end - line) >= len && memcmp(line, r->header.ptr + col * len, len) == 0 &&
           ((size_t)(end - line) == len || line[len] == ' ' || line[len] == '\n' ||
            line[len] == '\r');
}

/* The name of a line "   Name: value" whose colon stands at width (0: anywhere); NULL if it is
 * none. */
static struct das_text line_name(struct das_text line, size_t width)
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

/* Behind an echoed statement whose first line of dashes ended at p: the second one. NULL: none. */
static char *skip_echo(const struct scan *s, char *p)
{
    for (int lines = 0; lines < 200 && p < s->end; lines++) {
        char *next;
        struct das_text line = das_recording_line(p, s->end, true, &next);

        if (!next)
            return NULL;
        if (line.len >= 8 && line.ptr[0] == '-' && das_recording_is_chatter(line))
            return next;
        p = next;
    }
    return NULL;
}

static bool starts_list(struct das_text line)
{
    const char *tab = memchr(line.ptr, '\t', line.len);

    if (tab)
        return das_column_role(das_text(line.ptr, (size_t)(tab - line.ptr))) == DAS_R_ID;
    return das_recording_separator(line) == 1 || das_text_is(line, "{") ||
           (line.len > 1 && (memcmp(line.ptr, "{\"", 2) == 0 || memcmp(line.ptr, "+-", 2) == 0)) ||
           (line.len >= 9 && memcmp(line.ptr, "Empty set", 9) == 0);
}

/* Does a list end at p: some lines of client talk, then the end of the file or another list? *next
 * is behind these lines. -1: the window ends too early to tell. */
static int list_ends(const struct scan *s, char *p, char **next)
{
    *next = p;
    while (*next < s->end) {
        char *line_end;
        struct das_text line = das_recording_line(*next, s->end, true, &line_end);

        if (!line_end && !s->eof)
            return -1;
        if (!das_recording_is_chatter(line))
            return *next > p && starts_list(line);
        *next = line_end ? line_end : s->end;
        if (line.len >= 8 && line.ptr[0] == '-' && line_end) {
            char *behind = skip_echo(s, line_end);
            if (behind)
                *next = behind;
        }
    }
    return s->eof ? 1 : -1;
}

/* Is the line at p the separator of the next row (*follows true) or of a new list? It is one only
 * when a first column stands below it. -1: the window ends too early to tell. */
static int row_ends(const struct scan *s, char *p, char *nl, bool *follows)
{
    char *below = nl + 1, *next;
    struct das_text name;
    int64_t number;

    if (p == nl || *p != '*')
        return 0;
    number = das_recording_separator(das_text(p, (size_t)(nl - p) - (nl[-1] == '\r')));
    if (number != s->number + 1 && number != 1)
        return 0;
    name = das_recording_line(below, s->end, true, &next);
    if (!next)
        return s->eof ? (*follows = number != 1, 1) : -1;
    *follows = number != 1;
    return number == 1 ? line_name(name, 0).ptr != NULL : is_column(s->r, 0, below, next);
}

/* --- one row --------------------------------------------------------------------------------- */

static void set_value(struct scan *s, size_t col, char *from, char *nl)
{
    if (from > nl)
        from = nl;
    if (s->r->crlf && nl > from && nl[-1] == '\r')
        nl--;
    s->r->values[col] = das_text(from, (size_t)(nl - from));
}

/* The line up to nl belongs to the text that is open, and so does all that was taken for columns
 * behind it. */
static enum row go_on(struct scan *s, char *line, char *nl)
{
    struct das_recording *r = s->r;

    if (!s->strange) {
        s->strange = line;
        s->wanted = s->col;
    }
    if (s->open == NO_COLUMN)
        return ROW_BAD;
    s->withdrew = s->withdrew || s->col != s->open + 1;
    s->col = s->open + 1;
    /* the values point into the window, which is ours to write */
    set_value(s, s->open, r->w.buf + (r->values[s->open].ptr - r->w.buf), nl);
    return ROW_WHOLE;
}

/* The file ends with the bytes from line on, which have no newline. */
static enum row at_eof(struct scan *s, char *line)
{
    struct das_text rest = das_text(line, (size_t)(s->end - line));
    char *next;

    s->next_row = false;
    s->row_end = line;
    if (s->col < s->r->columns.count) /* a text that swallowed columns swallowed damage */
        return s->withdrew ? ROW_BAD : ROW_CUT;
    if (rest.len && rest.ptr[0] == '*') {
        s->next_row = true; /* half a separator */
        return ROW_WHOLE;
    }
    return list_ends(s, line, &next) == 1 ? ROW_WHOLE : ROW_CUT;
}

/* A line that is not the column expected. ROW_WHOLE: s->row_end is set when the row ends there,
 * else *next is where to go on. */
static enum row other_line(struct scan *s, char *line, char *nl, char **next)
{
    bool all = s->col == s->r->columns.count;
    char *behind = nl + 1;
    int end = row_ends(s, line, nl, &s->next_row);

    if (end < 0)
        return ROW_NEED;
    if (end) {
        s->row_end = line;
        if (!all && !s->strange) {
            s->strange = line;
            s->wanted = s->col;
        }
        return all ? ROW_WHOLE : ROW_BAD;
    }
    if (all && !(*line > '*' && *line < '-')) {
        end = list_ends(s, line, &behind);
        if (end < 0)
            return ROW_NEED;
        if (end) {
            s->row_end = line;
            s->next_row = false;
            return ROW_WHOLE;
        }
    }
    if (behind <= nl)
        behind = nl + 1;
    *next = behind;
    for (char *p = line; p < behind && (p = memchr(p, '\n', (size_t)(behind - p))) != NULL; p++)
        s->newlines++;
    return go_on(s, line, behind - 1);
}

/* Looks at the row whose separator stands at the window's start and fills the values. */
static enum row scan_row(struct scan *s)
{
    struct das_recording *r = s->r;
    char *line = das_window_begin(&r->w), *nl;
    size_t count = r->columns.count;

    s->col = 0;
    s->open = NO_COLUMN;
    s->newlines = 0;
    s->strange = s->row_end = NULL;
    s->withdrew = false;
    nl = line < s->end ? memchr(line, '\n', (size_t)(s->end - line)) : NULL;
    if (!nl)
        return s->eof ? (s->strange = line, ROW_CUT) : ROW_NEED;
    s->newlines++;
    for (line = nl + 1;;) {
        nl = line < s->end ? memchr(line, '\n', (size_t)(s->end - line)) : NULL;
        if (!nl)
            return s->eof ? at_eof(s, line) : ROW_NEED;
        if (s->col < count && is_column(r, s->col, line, nl)) {
            set_value(s, s->col, line + r->width + 2, nl);
            if (!r->columns.items[s->col].numeric)
                s->open = s->col;
            s->col++;
            s->newlines++;
            line = nl + 1;
            continue;
        }
        enum row row = other_line(s, line, nl, &line);
        if (row != ROW_WHOLE || s->row_end)
            return row;
    }
}

/* --- learning the layout --------------------------------------------------------------------- */

/* What could be the columns of one row: every aligned name in it. */
struct names {
    struct das_text at[LEARN_NAMES];
    size_t count;
    bool whole; /* the row is followed by another one, or its list by something else */
};

/* Collects the names of the row number at p. Returns where the row ends, NULL when the window ends
 * first. */
static char *collect(char *p, char *end, int64_t number, size_t width, struct names *out)
{
    char *next;
    struct das_text line = das_recording_line(p, end, true, &next), name;

    out->count = 0;
    while (next) {
        p = next;
        line = das_recording_line(p, end, true, &next);
        if (!next)
            break;
        if (das_recording_separator(line) == number + 1 || das_recording_separator(line) == 1) {
            name = das_recording_line(next, end, true, &next);
            name = line_name(name, width);
            if (out->count && name.ptr && das_text_eq(name, out->at[0]))
                return p;
            continue;
        }
        name = line_name(line, width);
        if (name.ptr && out->count < LEARN_NAMES)
            out->at[out->count++] = name;
    }
    return NULL;
}

/* Keeps of a what stands in b too, in the same order: the longest common subsequence. */
static void keep_common(struct names *a, const struct names *b)
{
    static const uint8_t zero;
    uint8_t best[LEARN_NAMES + 1][LEARN_NAMES + 1];
    size_t kept = 0, i = 0, j = 0;

    memset(best, zero, sizeof best);
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
        if (!das_text_eq(n->at[i], das_text(r->columns.items[i].name, r->columns.items[i].name_len)))
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

/* Collects the names that all of the first rows have. 1: names and *width are set, *ended tells
 * whether the first row is known to be whole. 0: the file ends within the first row's first lines;
 * -1: err. */
static int first_names(struct das_recording *r, struct names *names, size_t *width, bool *ended,
                       struct das_err *err)
{
    struct names more;
    char *p, *end, *next, *below, *row_end;
    struct das_text line, name;
    int64_t number;

    for (;;) {
        p = das_window_begin(&r->w);
        end = das_window_end(&r->w);
        line = das_recording_line(p, end, true, &below);
        number = das_recording_separator(line);
        if (below) {
            r->crlf = below - p >= 2 && below[-2] == '\r';
            line = das_recording_line(below, end, true, &next);
            name = line_name(line, 0);
            if (next && !name.ptr)
                return das_recording_fail(r, r->w.line + 1, err,
                                          "expected the first column of row %lld, \"   Id: ...\"",
                                          (long long)number);
            if (!next && r->w.eof)
                return 0;
            *width = (size_t)(name.ptr - line.ptr) + name.len;
            row_end = next ? collect(p, end, number, *width, names) : NULL;
            if (row_end || r->w.eof)
                break;
        } else if (r->w.eof) {
            return 0;
        }
        if (das_recording_more(r, err) < 0)
            return -1;
    }
    *ended = row_end != NULL;
    for (int i = 1; i < LEARN_ROWS && row_end && number > 0; i++) {
        line = das_recording_line(row_end, end, true, &next);
        if (das_recording_separator(line) != ++number)
            break;
        row_end = collect(row_end, end, number, *width, &more);
        if (row_end)
            keep_common(names, &more);
    }
    return 1;
}

/* Finds out the columns of the list. 1, or 0 when the list is cut within its only row, or -1. */
static int learn(struct das_recording *r, struct das_err *err)
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

/* --- the list -------------------------------------------------------------------------------- */

static int damaged(const struct scan *s, struct das_err *err)
{
    const struct das_recording *r = s->r;
    char excerpt[DAS_EXCERPT], *next;

    das_excerpt(das_recording_line(s->strange, s->end, true, &next), excerpt);
    if (s->wanted < r->columns.count)
        return das_recording_fail(r, das_window_line_at(&r->w, s->strange), err,
                                  "found \"%s\", expected the column \"%s\" of row %lld", excerpt,
                                  r->columns.items[s->wanted].name, (long long)s->number);
    return das_recording_fail(r, das_window_line_at(&r->w, s->strange), err,
                              "found \"%s\", expected row %lld or the end of the list", excerpt,
                              (long long)s->number + 1);
}

static int take_row(struct scan *s, struct das_snapshot *snapshot, struct das_err *err)
{
    struct das_recording *r = s->r;

    if (r->crlf) {
        for (size_t i = 0; i < r->columns.count; i++) {
            struct das_text *v = &r->values[i];
            *v = das_recording_fold_crlf(r->w.buf + (v->ptr - r->w.buf), v->len);
        }
    }
    if (das_recording_add(r, snapshot, err) < 0)
        return -1;
    das_window_skip(&r->w, (size_t)(s->row_end - das_window_begin(&r->w)), s->newlines);
    s->number++;
    return 0;
}

int das_read_vertical(struct das_recording *r, struct das_snapshot *s, struct das_err *err)
{
    struct scan scan = {.r = r};
    char *next;
    int rc = learn(r, err);

    if (rc < 0)
        return DAS_READ_ERROR;
    if (rc == 0)
        return das_recording_cut(r, das_window_line_at(&r->w, das_window_end(&r->w)));
    scan.number = das_recording_separator(
        das_recording_line(das_window_begin(&r->w), das_window_end(&r->w), true, &next));
    for (;;) {
        scan.end = das_window_end(&r->w);
        scan.eof = r->w.eof;
        switch (scan_row(&scan)) {
        case ROW_NEED:
            if (das_recording_more(r, err) < 0)
                return DAS_READ_ERROR;
            continue;
        case ROW_BAD:
            return damaged(&scan, err);
        case ROW_CUT:
            return das_recording_cut(r, das_window_line_at(&r->w, scan.end));
        case ROW_WHOLE:
            break;
        }
        if (take_row(&scan, s, err) < 0)
            return DAS_READ_ERROR;
        if (!scan.next_row)
            return DAS_READ_WHOLE;
    }
}
