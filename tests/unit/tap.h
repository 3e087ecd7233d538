/*
 * tap.h - the whole unit test framework: checks print TAP lines, `prove` counts them.
 *
 * Each tests/unit/test_*.c is a program: call checks, then `return tap_done();`.
 */
#ifndef DAS_TESTS_TAP_H
#define DAS_TESTS_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failures;

static inline void tap_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void tap_diag(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("# ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static inline int tap_check(int good, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static inline int tap_check(int good, const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
    if (!good) {
        tap_failures++;
        fflush(stdout);
        tap_diag("failed at %s:%d", file, line);
    }
    return good;
}

/* ok(condition, "what holds", ...) */
#define ok(good, ...) tap_check(!!(good), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                                                     \
    do {                                                                                           \
        long long g_ = (long long)(got), w_ = (long long)(want);                                   \
        if (!ok(g_ == w_, __VA_ARGS__))                                                            \
            tap_diag("got %lld, expected %lld", g_, w_);                                           \
    } while (0)

#define is_str(got, want, ...)                                                                     \
    do {                                                                                           \
        const char *g_ = (got), *w_ = (want);                                                      \
        if (!ok(g_ && w_ ? strcmp(g_, w_) == 0 : g_ == w_, __VA_ARGS__))                           \
            tap_diag("got \"%s\", expected \"%s\"", g_ ? g_ : "(null)", w_ ? w_ : "(null)");       \
    } while (0)

#define has_str(got, part, ...)                                                                    \
    do {                                                                                           \
        const char *g_ = (got), *p_ = (part);                                                      \
        if (!ok(g_ && strstr(g_, p_), __VA_ARGS__))                                                \
            tap_diag("\"%s\" does not hold \"%s\"", g_ ? g_ : "(null)", p_);                       \
    } while (0)

/* A step without which the rest makes no sense. */
#define must(good, ...)                                                                            \
    do {                                                                                           \
        if (!ok(good, __VA_ARGS__)) {                                                              \
            puts("Bail out!");                                                                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failures ? 1 : 0;
}

#endif
