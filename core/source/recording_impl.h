/*
 * recording_impl.h - what recording.c and the readers of the single formats share. Private to
 * core/source/recording.c, recording_find.c, window.c, vertical_layout.c and read_*.c.
 */
#ifndef DAS_SOURCE_RECORDING_IMPL_H
#define DAS_SOURCE_RECORDING_IMPL_H

#include <string.h>

#include "core/base/buf.h"
#include "core/source/columns.h"
#include "core/source/recording.h"

/* --- window.c: the part of a file that is looked at ------------------------------------------ */

struct das_window {
    int fd;
    bool eof;
    char *buf;
    size_t cap;
    size_t from, to; /* the bytes not consumed yet */
    size_t line;     /* number of the line that holds buf[from], from 1 */
};

static inline char *das_window_begin(const struct das_window *w)
{
    return w->buf ? w->buf + w->from : NULL;
}

static inline char *das_window_end(const struct das_window *w)
{
    return w->buf ? w->buf + w->to : NULL;
}

/* Reads more bytes behind the unconsumed ones, moving them: pointers into the window die. Asked
 * again without anything consumed in between, it at least doubles what is there, so that looking
 * again from the start stays cheap. 1: more bytes; 0: end of file; -1: err. */
int das_window_more(struct das_window *w, struct das_err *err);
/* Consumes n bytes that hold so many newlines. */
void das_window_skip(struct das_window *w, size_t n, size_t newlines);
/* The same, counting them. */
void das_window_consume(struct das_window *w, size_t n);
/* The number of the line at p, inside the window. */
size_t das_window_line_at(const struct das_window *w, const char *p);
void das_window_clear(struct das_window *w);

/* --- recording.c ---------------------------------------------------------------------------- */

struct das_recording {
    struct das_window w;
    char *name;
    bool repeatable;
    bool looked, started, finished, broken;
    size_t count;         /* snapshots given so far */
    uint32_t rows;        /* sessions read of the current one, kept or not */
    const struct das_filter *only;
    struct das_identity identity; /* of the file */
    int64_t default_time; /* Unix seconds */
    int64_t told_time;    /* from a line before the list, else DAS_UNKNOWN */
    struct das_buf instance; /* that the current snapshot is of; empty: not told */
    int64_t time_ms;         /* of the current snapshot, where the format tells more than its seconds;
                                else DAS_UNKNOWN */
    const char *only_of;     /* instance that is wanted, or NULL */
    int64_t given_ms;        /* when the one that was given last was taken */
    struct das_blocks *blocks; /* of a binary recording, else NULL */
    const char *format;        /* of the list that was read last, or NULL */
    bool blocks_read;          /* a whole one was there */
    char *note;
    size_t cut_line; /* set by a reader that returns DAS_READ_CUT */

    /* The layout of the list being read; kept for the next one of the file. */
    struct das_columns columns;
    struct das_text *values; /* one for each column */
    size_t value_cap;
    bool crlf;             /* lines of this list end in \r\n */
    struct das_buf header; /* table: the border; TSV: the header line; vertical: line beginnings */
    size_t *widths;        /* table: cells of each column */
    size_t width;          /* vertical: columns of a name; 0 before the first list */
    bool tsv;              /* columns and header are those of a TSV list */
};

/* What a reader says of one snapshot. */
enum { DAS_READ_ERROR = -1, DAS_READ_WHOLE = 1, DAS_READ_CUT = 2 };

/* Each starts at the first byte of its list and consumes the list. */
int das_read_table(struct das_recording *r, struct das_snapshot *s, struct das_err *err);
int das_read_tsv(struct das_recording *r, struct das_snapshot *s, struct das_err *err);
int das_read_vertical(struct das_recording *r, struct das_snapshot *s, struct das_err *err);
int das_read_json(struct das_recording *r, struct das_snapshot *s, struct das_err *err);

/* read_blocks.c: a binary recording begins with its magic at the window's start. From then on
 * das_blocks_next() is das_recording_next(). */
int das_blocks_open(struct das_recording *r, struct das_err *err);
int das_blocks_next(struct das_recording *r, struct das_snapshot **out, struct das_err *err);
int das_blocks_skim(struct das_recording *r, struct das_recording_span *out, struct das_err *err);
void das_blocks_close(struct das_recording *r);

/* das_window_more() with the place in the message. */
int das_recording_more(struct das_recording *r, struct das_err *err);
/* The columns of the vertical list at the window's start. 1, or 0 when the list is cut within its
 * only row, or -1. */
int das_vertical_learn(struct das_recording *r, struct das_err *err);
/* The name of a line "   Name: value" whose colon stands at width (0: anywhere); NULL if it is
 * none. */
struct das_text das_vertical_name(struct das_text line, size_t width);

/* "PATH:LINE: ..." and -1. */
int das_recording_fail(const struct das_recording *r, size_t line, struct das_err *err,
                       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int das_recording_cut(struct das_recording *r, size_t line);

/* Room for one value per column. */
int das_recording_values(struct das_recording *r, struct das_err *err);
/* Adds a session that was read, if it is wanted. */
int das_recording_put(struct das_recording *r, struct das_snapshot *s,
                      const struct das_session *row, struct das_err *err);
/* The same for the session that r->values describe; line is where its row starts, for messages. */
int das_recording_add(struct das_recording *r, struct das_snapshot *s, struct das_err *err);

/* --- recording_find.c ------------------------------------------------------------------------ */

#define DAS_RECORDING_EXPECTED                                                          \
    "expected a das recording, a DAS answer or the output of SHOW PROCESSLIST (table, " \
    "tab-separated or \\G)"

typedef int das_list_reader(struct das_recording *r, struct das_snapshot *s, struct das_err *err);
enum das_start {
    DAS_START_ERROR = -1,
    DAS_START_NONE, /* the file ends */
    DAS_START_LIST, /* *found reads it */
    DAS_START_EMPTY_SET,
    DAS_START_CUT
};
/* Moves to the start of the next list. */
enum das_start das_recording_find(struct das_recording *r, das_list_reader **found,
                                  struct das_err *err);

/* A line without its end that is no part of a list: blank, a prompt, "3 rows in set", a time. */
bool das_recording_is_chatter(struct das_text line);
/* "*************************** 7. row ***************************" gives 7, anything else -1. */
int64_t das_recording_separator(struct das_text line);

/* The line at p without \n (and without \r before it where crlf); *next is behind it, NULL when
 * the line has no end yet. */
static inline struct das_text das_recording_line(char *p, char *end, bool crlf, char **next)
{
    char *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    size_t len = (size_t)((nl ? nl : end) - p);

    *next = nl ? nl + 1 : NULL;
    if (crlf && nl && len && p[len - 1] == '\r')
        len--;
    return das_text(p, len);
}

/* Makes each \r\n in the bytes a \n, in place. */
struct das_text das_recording_fold_crlf(char *p, size_t len);

#endif
