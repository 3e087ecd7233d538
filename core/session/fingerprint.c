/*
 * fingerprint.c - see fingerprint.h. One pass over the bytes, no parser: SQL here may be cut off
 * anywhere, so an unclosed quote or comment simply ends with the text.
 */
#include "core/session/fingerprint.h"

#include <string.h>

struct reader {
    const char *p, *end;
};

static bool word_char(unsigned char c)
{
    return (das_lower(c) >= 'a' && das_lower(c) <= 'z') || das_is_digit(c) || c == '_' ||
           c == '$' || c == '@' || c >= 0x80;
}

/* What stands before the next token: "" at the start. */
static char last_char(const struct das_buf *b, size_t start)
{
    return b->len > start ? b->ptr[b->len - 1] : '\0';
}

static bool ends_in_dashes(const struct das_buf *b, size_t start)
{
    return b->len >= start + 2 && b->ptr[b->len - 1] == '-' && b->ptr[b->len - 2] == '-';
}

/* White space or a comment: one blank, none where a list goes on anyway, and none that would make
 * a comment of two minus signs. */
static void blank(struct das_buf *b, size_t start)
{
    char last = last_char(b, start);

    if (last && !strchr(" (,", last) && !ends_in_dashes(b, start))
        das_buf_char(b, ' ');
}

/* '...' and "..." with doubled quotes and backslashes. */
static void skip_quoted(struct reader *r)
{
    char quote = *r->p++;

    while (r->p < r->end) {
        char c = *r->p++;
        if (c == '\\' && r->p < r->end)
            r->p++;
        else if (c == quote) {
            if (r->p == r->end || *r->p != quote)
                return;
            r->p++;
        }
    }
}

static void copy_name(struct reader *r, struct das_buf *b)
{
    das_buf_char(b, *r->p++);
    while (r->p < r->end) {
        char c = *r->p++;
        das_buf_char(b, c);
        if (c == '`')
            return;
    }
}

/* A comment starts at p: how many bytes it takes, 0 if there is none. Executable comments
 * (slash-star-bang, and slash-star-M-bang of MariaDB) are kept: they are part of the statement. */
static size_t comment_length(const struct reader *r)
{
    size_t left = (size_t)(r->end - r->p);
    const char *stop;

    if (left >= 2 && r->p[0] == '/' && r->p[1] == '*') {
        if ((left >= 3 && r->p[2] == '!') ||
            (left >= 4 && das_lower((unsigned char)r->p[2]) == 'm' && r->p[3] == '!'))
            return 0;
        stop = memmem(r->p + 2, left - 2, "*/", 2);
        return stop ? (size_t)(stop + 2 - r->p) : left;
    }
    if (*r->p == '#' || (left >= 2 && r->p[0] == '-' && r->p[1] == '-' &&
                         (left == 2 || das_is_space((unsigned char)r->p[2])))) {
        stop = memchr(r->p, '\n', left);
        return stop ? (size_t)(stop - r->p) : left;
    }
    return 0;
}

/* 12, 1.5e-3, 0xff, and what is glued to it. */
static void skip_number(struct reader *r)
{
    const char *from = r->p;

    while (r->p < r->end) {
        unsigned char c = (unsigned char)*r->p;
        bool exponent_sign = (c == '+' || c == '-') && r->p > from &&
                             das_lower((unsigned char)r->p[-1]) == 'e' &&
                             !(from[0] == '0' && r->p - from > 1 && from[1] == 'x');
        if (!word_char(c) && c != '.' && !exponent_sign)
            return;
        r->p++;
    }
}

static bool number_starts(const struct reader *r, const struct das_buf *b, size_t start)
{
    char last = last_char(b, start);
    bool fresh = !word_char((unsigned char)last) && last != '`';

    if (das_is_digit((unsigned char)*r->p))
        return fresh;
    return *r->p == '.' && r->p + 1 < r->end && das_is_digit((unsigned char)r->p[1]) && fresh &&
           last != '?';
}

/* x'..', b'..', n'..', _utf8mb4'..': the introducer goes with its literal. */
static void drop_introducer(struct das_buf *b, size_t start)
{
    size_t at = b->len;

    while (at > start && word_char((unsigned char)b->ptr[at - 1]))
        at--;
    if (at < b->len && (b->ptr[at] == '_' || (b->len - at == 1 && strchr("xbn", b->ptr[at]))))
        b->len = at;
}

/* Drops a sign that belongs to the value, and folds "?, ?" into "?". */
static void put_value(struct das_buf *b, size_t start)
{
    size_t at = b->len;

    if (b->failed)
        return;
    if (at > start && (b->ptr[at - 1] == '-' || b->ptr[at - 1] == '+') &&
        (at - 1 == start || strchr("(,=<> ", b->ptr[at - 2])))
        b->len = --at;
    while (at > start && b->ptr[at - 1] == ' ')
        at--;
    if (at > start && b->ptr[at - 1] == ',') {
        at--;
        while (at > start && b->ptr[at - 1] == ' ')
            at--;
        if (at > start && b->ptr[at - 1] == '?') {
            b->len = at;
            return;
        }
    }
    das_buf_char(b, '?');
}

/* "(?),(?)" becomes "(?)": an INSERT of a thousand rows has the shape of one. */
static void close_paren(struct das_buf *b, size_t start)
{
    static const char again[] = "(?),(?)";

    while (last_char(b, start) == ' ')
        b->len--;
    das_buf_char(b, ')');
    if (b->failed)
        return;
    if (b->len - start >= sizeof again - 1 &&
        memcmp(b->ptr + b->len - (sizeof again - 1), again, sizeof again - 1) == 0)
        b->len -= sizeof again - 1 - 3;
}

void das_fingerprint(struct das_text sql, struct das_buf *b)
{
    struct reader r = {sql.ptr, sql.ptr ? sql.ptr + sql.len : NULL};
    size_t start = b->len, comment;

    while (r.p < r.end && !b->failed) {
        unsigned char c = (unsigned char)*r.p;
        if (das_is_space(c)) {
            blank(b, start);
            r.p++;
        } else if ((comment = comment_length(&r)) > 0) {
            blank(b, start);
            r.p += comment;
        } else if (c == '\'' || c == '"') {
            skip_quoted(&r);
            drop_introducer(b, start);
            put_value(b, start);
        } else if (c == '`') {
            copy_name(&r, b);
        } else if (number_starts(&r, b, start)) {
            skip_number(&r);
            put_value(b, start);
        } else if (c == '(' || c == ',') {
            if (c == ',' && last_char(b, start) == ' ')
                b->len--;
            das_buf_char(b, (char)c);
            r.p++;
        } else if (c == ')') {
            close_paren(b, start);
            r.p++;
        } else {
            das_buf_char(b, (char)das_lower(c));
            r.p++;
        }
    }
    /* "--" at the end of a statement is an empty comment */
    while (last_char(b, start) == ' ' || last_char(b, start) == ';' || ends_in_dashes(b, start))
        b->len -= ends_in_dashes(b, start) ? 2 : 1;
    if (b->ptr)
        b->ptr[b->len] = '\0';
}

void das_statement_shape(struct das_text sql, struct das_buf *b)
{
    for (size_t i = 0; i + 1 < sql.len; i++) {
        if (sql.ptr[i] == '\\' && (sql.ptr[i + 1] == '\'' || sql.ptr[i + 1] == '"'))
            sql.len = i;
    }
    das_fingerprint(sql, b);
}
