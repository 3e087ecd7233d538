/*
 * buf.h - a growable byte buffer whose errors wait.
 *
 * Appending never fails loudly: when memory runs out the buffer is marked and further appends do
 * nothing. The owner asks once, at the end (das_buf_ok).
 */
#ifndef DAS_BASE_BUF_H
#define DAS_BASE_BUF_H

#include <string.h>

#include "core/base/err.h"
#include "core/base/text.h"

struct das_buf {
    char *ptr; /* NUL after len bytes whenever ptr is set */
    size_t len;
    size_t cap;
    bool failed;
};

void das_buf_init(struct das_buf *b);
void das_buf_clear(struct das_buf *b); /* frees; usable again */
void das_buf_reset(struct das_buf *b); /* len 0, keeps memory */
int das_buf_ok(const struct das_buf *b, struct das_err *err); /* 0, or -1 and "out of memory" */

/* Room for n more bytes; NULL when there is none. */
char *das_buf_reserve(struct das_buf *b, size_t n);

/* Inline, because a large preview is written in millions of short pieces. */
static inline void das_buf_add(struct das_buf *b, const char *p, size_t len)
{
    if (len >= b->cap - b->len && !das_buf_reserve(b, len))
        return;
    if (len)
        memcpy(b->ptr + b->len, p, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

static inline void das_buf_char(struct das_buf *b, char c)
{
    das_buf_add(b, &c, 1);
}

static inline void das_buf_str(struct das_buf *b, const char *s)
{
    das_buf_add(b, s, strlen(s));
}

void das_buf_text(struct das_buf *b, struct das_text t); /* NULL adds nothing */
void das_buf_fill(struct das_buf *b, char c, size_t n);
void das_buf_int(struct das_buf *b, int64_t v);
void das_buf_printf(struct das_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The bytes as an owned C string (das_free), leaving b empty; NULL when out of memory. */
char *das_buf_take(struct das_buf *b);

static inline struct das_text das_buf_view(const struct das_buf *b)
{
    return das_text(b->ptr ? b->ptr : "", b->len);
}

#endif
