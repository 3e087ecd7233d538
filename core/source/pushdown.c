/*
 * pushdown.c - see pushdown.h.
 *
 * A filter has three truths (filter.h), SQL's NULL is not the same third one. So a node is
 * translated for the truth that is wanted of it: "surely yes" at the top, "surely no" below a ~.
 * Each translation covers at least the rows of that truth, and covers compose through AND and OR;
 * no cover is ever negated. What the server cannot judge becomes "every row".
 */
#include "core/source/pushdown.h"

#include <inttypes.h>
#include <string.h>

#define DEPTH_MAX 100

enum cover {
    EVERY_ROW, /* nothing was written */
    NO_ROW,    /* nothing was written */
    SOME_ROWS, /* a condition was written, self-contained */
};

static enum cover cover_node(const struct das_filter *f, bool yes, int depth, struct das_buf *b);

/* --- joining ------------------------------------------------------------------------------- */

/* Parts joined by AND or OR, which drops out of the text what decides nothing. */
struct join {
    struct das_buf *b;
    size_t start; /* of the whole */
    size_t part;  /* of the part being written */
    int parts;
    bool is_and;
    bool decided; /* one part settled the whole */
};

static void cut(struct das_buf *b, size_t len)
{
    if (b->len > len) {
        b->len = len;
        b->ptr[len] = '\0';
    }
}

static struct join join_begin(struct das_buf *b, bool is_and)
{
    struct join j = {b, b->len, 0, 0, is_and, false};

    das_buf_char(b, '(');
    return j;
}

static void join_next(struct join *j)
{
    j->part = j->b->len;
    if (j->parts)
        das_buf_str(j->b, j->is_and ? " AND " : " OR ");
}

static void join_add(struct join *j, enum cover c)
{
    if (c == SOME_ROWS) {
        j->parts++;
        return;
    }
    cut(j->b, j->part);
    if (c == (j->is_and ? NO_ROW : EVERY_ROW))
        j->decided = true;
}

static enum cover join_end(struct join *j)
{
    struct das_buf *b = j->b;

    if (j->decided || !j->parts || b->failed) {
        cut(b, j->start);
        return j->is_and != j->decided ? EVERY_ROW : NO_ROW;
    }
    if (j->parts > 1) {
        das_buf_char(b, ')');
    } else { /* no brackets around a single part */
        memmove(b->ptr + j->start, b->ptr + j->start + 1, b->len - j->start - 1);
        cut(b, b->len - 1);
    }
    return SOME_ROWS;
}

/* --- text ---------------------------------------------------------------------------------- */

static void put_hex(struct das_buf *b, char c)
{
    static const char digits[] = "0123456789abcdef";

    das_buf_char(b, digits[(unsigned char)c >> 4]);
    das_buf_char(b, digits[(unsigned char)c & 15]);
}

static bool has_wildcard(struct das_text p)
{
    for (size_t i = 0; i < p.len; i++) {
        if (p.ptr[i] == '\\' && i + 1 < p.len && p.ptr[i + 1] == '%')
            i++;
        else if (p.ptr[i] == '%')
            return true;
    }
    return false;
}

/* The pattern's bytes for LIKE ... ESCAPE '|', or plain bytes for "=". Of das's patterns only %
 * and \% are special (pattern.h); LIKE knows _ as well. */
static void put_pattern(struct das_buf *b, struct das_text p, bool like, bool lower)
{
    for (size_t i = 0; i < p.len; i++) {
        char c = p.ptr[i];
        bool wild = c == '%';
        if (c == '\\' && i + 1 < p.len && p.ptr[i + 1] == '%')
            c = p.ptr[++i];
        if (like && !wild && (c == '%' || c == '_' || c == '|'))
            put_hex(b, '|');
        put_hex(b, lower ? (char)das_lower((unsigned char)c) : c);
    }
}

/* LIKE, followed by more of the pattern where suffix says so. */
static void put_like(struct das_buf *b, const char *expr, struct das_text p, bool lower,
                     const char *suffix)
{
    das_buf_printf(b, "CAST(%s AS BINARY) LIKE x'", expr);
    put_pattern(b, p, true, lower);
    for (; *suffix; suffix++)
        put_hex(b, *suffix);
    das_buf_str(b, "' ESCAPE '|'");
}

static void put_match(struct das_buf *b, const char *expr, struct das_text p, bool lower)
{
    if (has_wildcard(p)) {
        put_like(b, expr, p, lower, "");
        return;
    }
    das_buf_printf(b, "CAST(%s AS BINARY) = x'", expr);
    put_pattern(b, p, false, lower);
    das_buf_char(b, '\'');
}

/* NULL text is a known no (filter.h), so "surely no" takes the NULLs in. */
static void put_no_match(struct das_buf *b, const char *expr, struct das_text p)
{
    das_buf_str(b, "NOT COALESCE(");
    put_match(b, expr, p, false);
    das_buf_str(b, ", 0)");
}

/* --- criteria ------------------------------------------------------------------------------ */

static enum cover cover_text(const char *column, struct das_text p, bool yes, struct das_buf *b)
{
    if (yes)
        put_match(b, column, p, false);
    else
        put_no_match(b, column, p);
    return SOME_ROWS;
}

/*
 * A host matches in any case (ASCII), as a whole or up to its port, and without the brackets of an
 * IPv6 address. Yes: any ":" may begin the port, and a host in brackets is let through. No: what
 * matches byte for byte surely is a yes, all else is let through. LOWER() on the server folds more
 * than ASCII, so a pattern that has more is left to us, and "no" does without it.
 */
static enum cover cover_host(struct das_text p, bool yes, struct das_buf *b)
{
    for (size_t i = 0; i < p.len; i++) {
        if ((unsigned char)p.ptr[i] >= 0x80 || p.ptr[i] == '[' || p.ptr[i] == ']')
            return EVERY_ROW;
    }
    if (!yes) {
        put_no_match(b, "HOST", p);
        return SOME_ROWS;
    }
    das_buf_char(b, '(');
    put_match(b, "LOWER(HOST)", p, true);
    das_buf_str(b, " OR ");
    put_like(b, "LOWER(HOST)", p, true, ":%");
    das_buf_str(b, " OR HOST LIKE '[%')");
    return SOME_ROWS;
}

/* Equal in any case (ASCII). Yes: LOWER() folds at least that much. No: the usual spelling surely
 * is a yes, all else is let through. */
static enum cover cover_command(struct das_text name, bool yes, struct das_buf *b)
{
    for (size_t i = 0; !yes && i < das_command_count; i++) {
        if (das_text_iis(name, das_command_names[i]))
            name = das_text_of(das_command_names[i]);
    }
    das_buf_printf(b, "%sCAST(%s AS BINARY) = x'", yes ? "" : "NOT COALESCE(",
                   yes ? "LOWER(COMMAND)" : "COMMAND");
    for (size_t i = 0; i < name.len; i++)
        put_hex(b, yes ? (char)das_lower((unsigned char)name.ptr[i]) : name.ptr[i]);
    das_buf_str(b, yes ? "'" : "', 0)");
    return SOME_ROWS;
}

/* A TIME that is NULL, negative or too large is unknown and satisfies neither. */
static enum cover cover_time(int64_t seconds, bool yes, struct das_buf *b)
{
    if (yes)
        das_buf_printf(b, "(TIME >= %" PRId64 " AND TIME <= %d)", seconds, DAS_TIME_MAX);
    else
        das_buf_printf(b, "(TIME >= 0 AND TIME < %" PRId64 ")", seconds);
    return SOME_ROWS;
}

static enum cover cover_ids(const struct das_criterion *c, bool yes, struct das_buf *b)
{
    if (c->count == 0 || c->count > DAS_PUSHDOWN_IDS)
        return EVERY_ROW;
    das_buf_str(b, yes ? "ID IN (" : "ID NOT IN (");
    for (size_t i = 0; i < c->count; i++)
        das_buf_printf(b, "%s%" PRId64, i ? "," : "", c->ids[i]);
    das_buf_char(b, ')');
    return SOME_ROWS;
}

static enum cover cover_criterion(enum das_key k, const struct das_criterion *c, bool yes,
                                  struct das_buf *b)
{
    switch (k) {
    case DAS_K_USER:
        return cover_text("USER", c->text, yes, b);
    case DAS_K_DB:
        return cover_text("DB", c->text, yes, b);
    case DAS_K_HOST:
        return cover_host(c->text, yes, b);
    case DAS_K_COMMAND:
        return cover_command(c->text, yes, b);
    case DAS_K_TIME:
        return cover_time(c->number, yes, b);
    case DAS_K_ID:
        return cover_ids(c, yes, b);
    default: /* info, state, trx_time, rows_modified: judged here alone */
        return EVERY_ROW;
    }
}

/* --- the tree ------------------------------------------------------------------------------ */

static enum cover cover_table(const struct das_filter *f, bool yes, struct das_buf *b)
{
    struct das_criterion c;
    struct join j;

    if (das_filter_is_empty(f)) /* {all=true}, or unsure of every session */
        return yes && das_filter_get(f, DAS_K_ALL, &c) ? EVERY_ROW : NO_ROW;
    j = join_begin(b, yes); /* no, when one criterion says no */
    for (int i = 0; i < DAS_K_COUNT && !j.decided; i++) {
        enum das_key k = (enum das_key)i;
        if (k == DAS_K_TASK_DURATION || k == DAS_K_TASK_TYPE || k == DAS_K_ALL ||
            !das_filter_get(f, k, &c))
            continue;
        join_next(&j);
        join_add(&j, cover_criterion(k, &c, yes, b));
    }
    return join_end(&j);
}

static enum cover cover_node(const struct das_filter *f, bool yes, int depth, struct das_buf *b)
{
    enum das_filter_op op = das_filter_op(f);
    struct join j;

    if (depth > DEPTH_MAX || b->len > DAS_PUSHDOWN_MAX)
        return EVERY_ROW;
    if (op == DAS_FILTER_TABLE)
        return cover_table(f, yes, b);
    if (op == DAS_FILTER_NOT)
        return cover_node(das_filter_left(f), !yes, depth + 1, b);
    j = join_begin(b, (op == DAS_FILTER_AND) == yes);
    join_next(&j);
    join_add(&j, cover_node(das_filter_left(f), yes, depth + 1, b));
    if (!j.decided) {
        join_next(&j);
        join_add(&j, cover_node(das_filter_right(f), yes, depth + 1, b));
    }
    return join_end(&j);
}

int das_pushdown_where(const struct das_filter *f, struct das_buf *out, struct das_err *err)
{
    size_t start = out->len;

    if (cover_node(f, true, 0, out) == NO_ROW)
        das_buf_str(out, "FALSE");
    if (das_buf_ok(out, err) < 0)
        return -1;
    if (out->len - start > DAS_PUSHDOWN_MAX)
        cut(out, start);
    return 0;
}
