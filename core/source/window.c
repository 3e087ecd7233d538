/*
 * window.c - a window that slides over a descriptor; see recording_impl.h.
 *
 * Owns the descriptor and the buffer. Called by recording.c and read_*.c only. It never looks at
 * what the bytes mean, except that it counts lines.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/source/recording_impl.h"

#ifdef DAS_WINDOW_MIN /* a fuzzer wants rows that do not fit */
#define WINDOW_MIN ((size_t)DAS_WINDOW_MIN)
#else
#define WINDOW_MIN ((size_t)256 << 10)
#endif
#define WINDOW_MAX ((size_t)1 << 30)

/* Room for at least want bytes in all; what is unconsumed moves to the front. */
static int make_room(struct das_window *w, size_t want, struct das_err *err)
{
    size_t kept = w->to - w->from, cap = w->cap ? w->cap : WINDOW_MIN;
    char *buf = w->buf;

    while (cap < want)
        cap *= 2;
    if (cap > WINDOW_MAX)
        return das_fail(err, DAS_E_DATA,
                        "one row is longer than %zu bytes: expected a process list", WINDOW_MAX);
    if (w->from && kept)
        memmove(buf, buf + w->from, kept);
    w->from = 0;
    w->to = kept;
    if (cap > w->cap) {
        buf = das_realloc(buf, cap);
        if (!buf)
            return das_fail_nomem(err);
        das_prefault(buf + kept, cap - kept);
        w->buf = buf;
        w->cap = cap;
    }
    return 0;
}

int das_window_more(struct das_window *w, struct das_err *err)
{
    size_t before = w->to - w->from, target = before ? before * 2 : 1;

    if (w->eof)
        return 0;
    if (make_room(w, target + 1, err) < 0)
        return -1;
    while (w->to < target) {
        ssize_t n = read(w->fd, w->buf + w->to, w->cap - w->to);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return das_fail(err, DAS_E_IO, "%s", strerror(errno));
        if (n == 0) {
            w->eof = true;
            break;
        }
        w->to += (size_t)n;
    }
    return w->to - w->from > before;
}

static size_t count_newlines(const char *p, const char *end)
{
    size_t n = 0;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        n++;
        p++;
    }
    return n;
}

void das_window_skip(struct das_window *w, size_t n, size_t newlines)
{
    w->from += n;
    w->line += newlines;
}

void das_window_consume(struct das_window *w, size_t n)
{
    const char *p = das_window_begin(w);

    if (n)
        das_window_skip(w, n, count_newlines(p, p + n));
}

size_t das_window_line_at(const struct das_window *w, const char *p)
{
    return w->line + (w->buf ? count_newlines(w->buf + w->from, p) : 0);
}

void das_window_clear(struct das_window *w)
{
    if (w->fd > 2)
        close(w->fd);
    w->fd = -1;
    das_free(w->buf);
    w->buf = NULL;
}
