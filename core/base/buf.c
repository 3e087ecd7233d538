/* buf.c - see buf.h. */
#include "core/base/buf.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

void das_buf_init(struct das_buf *b)
{
    memset(b, 0, sizeof *b);
}

void das_buf_clear(struct das_buf *b)
{
    das_free(b->ptr);
    das_buf_init(b);
}

void das_buf_reset(struct das_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->ptr)
        b->ptr[0] = '\0';
}

int das_buf_ok(const struct das_buf *b, struct das_err *err)
{
    return b->failed ? das_fail_nomem(err) : 0;
}

/* No room is left from here on, also for what would still have fitted: a text with a hole in it
 * could read as another one. */
static char *fail(struct das_buf *b)
{
    b->failed = true;
    b->cap = b->len;
    return NULL;
}

char *das_buf_reserve(struct das_buf *b, size_t n)
{
    size_t need, cap;
    char *p;

    if (b->failed)
        return NULL;
    if (__builtin_add_overflow(b->len, n, &need) || need >= SIZE_MAX / 2)
        return fail(b);
    need++; /* the NUL */
    if (need <= b->cap)
        return b->ptr + b->len;
    cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    p = das_realloc(b->ptr, cap);
    if (!p)
        return fail(b);
    b->ptr = p;
    b->cap = cap;
    return p + b->len;
}

void das_buf_text(struct das_buf *b, struct das_text t)
{
    if (t.ptr)
        das_buf_add(b, t.ptr, t.len);
}

void das_buf_fill(struct das_buf *b, char c, size_t n)
{
    char *to = das_buf_reserve(b, n);

    if (!to)
        return;
    memset(to, c, n);
    b->len += n;
    b->ptr[b->len] = '\0';
}

void das_buf_int(struct das_buf *b, int64_t v)
{
    char digits[24];
    size_t i = sizeof digits;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

    do {
        digits[--i] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        digits[--i] = '-';
    das_buf_add(b, digits + i, sizeof digits - i);
}

void das_buf_printf(struct das_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0 && das_buf_reserve(b, (size_t)n)) {
        vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

char *das_buf_take(struct das_buf *b)
{
    char *p;

    if (!das_buf_reserve(b, 0)) {
        das_buf_clear(b);
        return NULL;
    }
    b->ptr[b->len] = '\0';
    p = b->ptr;
    das_buf_init(b);
    return p;
}
