/*
 * recording_find.c - where the next list of a recording begins, and what stands between two of
 * them: prompts, echoed statements, times. Called by recording.c; the readers ask it what is no
 * row.
 */
#include <stdio.h>
#include <time.h>

#include "core/source/recording_impl.h"

/* --- lines between lists -------------------------------------------------------------------- */

static bool begins(struct das_text t, const char *s)
{
    size_t n = strlen(s);

    return t.len >= n && memcmp(t.ptr, s, n) == 0;
}

#define STARS "***************************"

int64_t das_recording_separator(struct das_text line)
{
    const size_t tail = sizeof ". row " STARS - 1;
    const char *p = line.ptr + sizeof STARS, *end;
    int64_t n = 0;

    if (line.len < sizeof STARS + 1 + tail || line.len > sizeof STARS + 18 + tail ||
        memcmp(line.ptr, STARS " ", sizeof STARS) != 0)
        return -1;
    end = line.ptr + line.len - tail;
    if (memcmp(end, ". row " STARS, tail) != 0)
        return -1;
    for (; p < end; p++) {
        if (!das_is_digit((unsigned char)*p))
            return -1;
        n = n * 10 + (*p - '0');
    }
    return n;
}

static bool is_dashes(struct das_text line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] == '-')
        n++;
    return n == line.len && n >= 8;
}

/* "TS 1766655104", "TS 1766655104.123 2025-12-25 ..." */
static bool parse_ts(struct das_text line, int64_t *out)
{
    size_t n = 3;

    if (!begins(line, "TS "))
        return false;
    while (n < line.len && das_is_digit((unsigned char)line.ptr[n]))
        n++;
    if (n == 3 || (n < line.len && line.ptr[n] != '.' && line.ptr[n] != ' '))
        return false;
    return das_parse_int(das_text(line.ptr + 3, n - 3), out) && *out < (int64_t)1 << 36;
}

/* "# 2026-01-02T03:04:05", also with a space for the T; UTC. */
static bool parse_iso(struct das_text line, int64_t *out)
{
    char text[32];
    struct tm tm = {0};
    char sep;
    int used = 0;

    line = das_text_trim(das_text(line.ptr + 1, line.len - 1));
    if (line.len < 19 || !das_is_digit((unsigned char)line.ptr[0]))
        return false;
    memcpy(text, line.ptr, 19);
    text[19] = '\0';
    if (sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &sep,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 7 ||
        used != 19 || (sep != 'T' && sep != ' '))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *out = (int64_t)timegm(&tm);
    return true;
}

static bool is_rows_in_set(struct das_text line)
{
    size_t n = 0;

    while (n < line.len && das_is_digit((unsigned char)line.ptr[n]))
        n++;
    line = das_text(line.ptr + n, line.len - n);
    return n && (begins(line, " rows in set") || begins(line, " row in set"));
}

bool das_recording_is_chatter(struct das_text line)
{
    static const char *const beginnings[] = {
        "mysql>",
        "MariaDB [",
        "mysql: [Warning]",
        "mariadb: [Warning]",
        "Warning: ",
        "Reading table information",
        "You can turn off this feature",
        "Database changed",
        "Welcome to the M",
        "Your M",
        "Server version: ",
        "Copyright (c) ",
        "Type 'help;'",
        "Query OK",
        "Bye",
        "Logging to file",
        "Outfile disabled",
        "Commands end with",
        "Oracle is a registered",
        "affiliates. Other names",
        "owners.",
        "PAGER set",
    };
    struct das_text t = das_text_trim(line);
    int64_t ignored;

    if (t.len == 0)
        return true;
    if (t.ptr[0] == '#')
        return true;
    if (is_rows_in_set(t) || is_dashes(t) || parse_ts(t, &ignored) ||
        (begins(t, "->") && line.ptr[0] == ' '))
        return true;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (begins(t, beginnings[i]))
            return true;
    }
    return false;
}

/* --- finding a list ------------------------------------------------------------------------- */

/* A client started with -v repeats the statement between two lines of dashes. */
static int skip_echo(struct das_recording *r, size_t from_line, struct das_err *err)
{
    for (;;) {
        char *p = das_window_begin(&r->w), *next;
        struct das_text line = das_recording_line(p, das_window_end(&r->w), true, &next);

        if (next) {
            bool last = is_dashes(das_text_trim(line));
            das_window_skip(&r->w, (size_t)(next - p), 1);
            if (last)
                return 0;
            continue;
        }
        int rc = das_recording_more(r, err);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return das_recording_fail(r, from_line, err,
                                      "an echoed statement starts here: expected a second line "
                                      "of dashes after it");
    }
}

/* An unfinished last line that may have become the start of a list. */
static bool may_be_start(struct das_text line)
{
    size_t plus = 0, stars = 0;

    for (size_t i = 0; i < line.len; i++) {
        plus += line.ptr[i] == '+' || line.ptr[i] == '-';
        stars += line.ptr[i] == '*';
    }
    return plus == line.len || stars == line.len || begins(line, STARS " ");
}

static das_list_reader *reader_of(const struct das_recording *r, struct das_text line)
{
    if (begins(line, "+-"))
        return das_read_table;
    if (das_recording_separator(line) >= 0)
        return das_read_vertical;
    if (memchr(line.ptr, '\t', line.len) ||
        (r->tsv && r->columns.count == 1 && das_text_eq(line, das_buf_view(&r->header))))
        return das_read_tsv;
    return NULL;
}

/* Looks at one line between lists. DAS_START_NONE: the line was skipped. */
static enum das_start look(struct das_recording *r, struct das_text line, char *next,
                           das_list_reader **found, struct das_err *err)
{
    char *p = das_window_begin(&r->w);
    struct das_text t = das_text_trim(line);
    char excerpt[DAS_EXCERPT];
    size_t at = r->w.line;

    *found = reader_of(r, line);
    if (*found)
        return DAS_START_LIST;
    if (!das_recording_is_chatter(line) && !begins(t, "Empty set")) {
        if (!next && r->count && may_be_start(line))
            return DAS_START_CUT;
        das_excerpt(line, excerpt);
        das_recording_fail(r, at, err, "found \"%s\", " DAS_RECORDING_EXPECTED, excerpt);
        return DAS_START_ERROR;
    }
    if (!parse_ts(t, &r->told_time) && t.len && t.ptr[0] == '#')
        parse_iso(t, &r->told_time);
    das_window_consume(&r->w, next ? (size_t)(next - p) : (size_t)(das_window_end(&r->w) - p));
    if (begins(t, "Empty set"))
        return DAS_START_EMPTY_SET;
    if (t.len && is_dashes(t) && skip_echo(r, at, err) < 0)
        return DAS_START_ERROR;
    return DAS_START_NONE;
}

enum das_start das_recording_find(struct das_recording *r, das_list_reader **found,
                                  struct das_err *err)
{
    for (;;) {
        char *p = das_window_begin(&r->w), *end = das_window_end(&r->w), *next;
        struct das_text line;
        enum das_start start;

        if (!r->started && (r->w.eof || end - p >= 3)) {
            r->started = true;
            if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
                das_window_skip(&r->w, 3, 0);
            continue;
        }
        while (p < end && r->started && das_is_space((unsigned char)*p) && *p != '\t' && *p != '\n')
            p++;
        if (p < end && r->started && (*p == '{' || *p == '[')) {
            *found = das_read_json;
            return DAS_START_LIST;
        }
        p = das_window_begin(&r->w);
        line = das_recording_line(p, end, true, &next);
        if (!r->started || (!next && !r->w.eof)) {
            if (das_recording_more(r, err) < 0)
                return DAS_START_ERROR;
            continue;
        }
        if (!next && line.len == 0)
            return DAS_START_NONE;
        start = look(r, line, next, found, err);
        if (start != DAS_START_NONE)
            return start;
    }
}
