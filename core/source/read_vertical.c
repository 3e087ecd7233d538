/*
 * read_vertical.c - reads a list printed with \G; see recording_impl.h.
 *
 * Called by recording.c only. A row is a separator line and one line per column, "   Name: value",
 * the names right-aligned to one width. Text may hold newlines, and then lines that look like
 * anything; so a value ends only before the line of the very next column or before the separator
 * of the very next row.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/source/recording_impl.h"

#define NO_COLUMN SIZE_MAX
#define ECHO_LINES 200 /* a longer statement is no echo */

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

/* memcmp() == 0 without the call: this is asked once a line. */
static inline bool same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t x, y;

    if (len < 8)
        return memcmp(a, b, len) == 0;
    for (size_t i = 0; i + 8 < len; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y)
            return false;
    }
    memcpy(&x, a + len - 8, 8);
    memcpy(&y, b + len - 8, 8);
    return x == y;
}

/* memchr(p, '\n', ...) for values, most of which are a few bytes long. */
static inline char *line_end(char *p, char *end)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t x;

    for (int i = 0; i < 2 && end - p >= 8; i++, p += 8) {
        memcpy(&x, p, 8);
        x ^= ones * '\n';
        x = (x - ones) & ~x & highs; /* the lowest byte that is set is exact */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        if (x)
            return p + (__builtin_ctzll(x) >> 3);
#else
        if (x)
            break;
#endif
    }
    return p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
}

/* Is line the one of column col: its name aligned to the right, a colon, a space? */
static inline bool is_column(const struct das_recording *r, size_t col, const char *line,
                             const char *end)
{
    size_t len = r->width + 1;

    return (size_t)(end - line) >= len && same_bytes(line, r->header.ptr + col * len, len) &&
           ((size_t)(end - line) == len || line[len] == ' ' || line[len] == '\n' ||
            line[len] == '\r');
}

/* Behind an echoed statement, whose first line of dashes ended at *p: moves behind the second one,
 * if there is one. -1: the window ends too early to tell. */
static int skip_echo(const struct scan *s, char **p)
{
    char *line_start = *p, *next;

    for (int lines = 0; lines < ECHO_LINES; lines++) {
        struct das_text line = das_recording_line(line_start, s->end, true, &next);

        if (!next)
            return s->eof ? 0 : -1;
        if (line.len >= 8 && line.ptr[0] == '-' && das_recording_is_chatter(line)) {
            *p = next;
            return 0;
        }
        line_start = next;
    }
    return 0;
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
        if (line.len >= 8 && line.ptr[0] == '-' && line_end && skip_echo(s, next) < 0)
            return -1;
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
    return number == 1 ? das_vertical_name(name, 0).ptr != NULL : is_column(s->r, 0, below, next);
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

/* Half a separator: may it be that of the row number? Its digits may be cut as well. */
static bool may_be_next(struct das_text half, int64_t number)
{
    char digits[24];
    size_t at = 0, n = 0;

    snprintf(digits, sizeof digits, "%lld", (long long)number);
    while (at < half.len && (half.ptr[at] == '*' || half.ptr[at] == ' '))
        at++;
    while (at + n < half.len && digits[n] && half.ptr[at + n] == digits[n])
        n++;
    return at + n == half.len || (digits[n] == '\0' && half.ptr[at + n] == '.');
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
        s->next_row = may_be_next(rest, s->number + 1);
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

/* Takes the columns from line on as long as each stands on its own line: nearly all do. Returns
 * the first line that is something else. */
static char *plain_columns(struct scan *s, char *line)
{
    const struct das_recording *r = s->r;
    const struct das_column *columns = r->columns.items;
    const size_t count = r->columns.count, len = r->width + 1;
    const char *name = r->header.ptr + s->col * len;
    struct das_text *values = r->values;
    size_t col = s->col;

    for (; col < count && (size_t)(s->end - line) > len + 1; col++, name += len) {
        char *value = line + len + 1, *nl;

        if (!same_bytes(line, name, len) || value[-1] != ' ')
            break;
        nl = line_end(value, s->end);
        if (!nl)
            break;
        if (!columns[col].numeric)
            s->open = col;
        values[col] = das_text(value, (size_t)(nl - value));
        if (r->crlf && nl > value && nl[-1] == '\r')
            values[col].len--;
        line = nl + 1;
    }
    s->newlines += col - s->col;
    s->col = col;
    return line;
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
        line = plain_columns(s, line);
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
    int rc = das_vertical_learn(r, err);

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
