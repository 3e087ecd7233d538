/*
 * text.h - byte strings that know their length, and the small questions asked of them.
 *
 * Text from a database is bytes: it may hold NUL, may not be UTF-8, and is never terminated.
 */
#ifndef DAS_BASE_TEXT_H
#define DAS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes. ptr NULL is SQL NULL; len 0 with a ptr is "". */
struct das_text {
    const char *ptr;
    size_t len;
};

#define DAS_TEXT_NULL ((struct das_text){NULL, 0})

static inline struct das_text das_text(const char *ptr, size_t len)
{
    return (struct das_text){ptr, len};
}

struct das_text das_text_of(const char *s); /* s NULL gives NULL */
bool das_text_eq(struct das_text a, struct das_text b);      /* NULL equals only NULL */
bool das_text_ieq(struct das_text a, struct das_text b);     /* ASCII letters in any case */
bool das_text_is(struct das_text a, const char *s);          /* exact */
bool das_text_iis(struct das_text a, const char *s);         /* any case */
struct das_text das_text_trim(struct das_text a);            /* ASCII white space at both ends */

static inline unsigned char das_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static inline bool das_is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool das_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* Whole text as a decimal int64 with an optional sign; false on anything else or on overflow. */
bool das_parse_int(struct das_text t, int64_t *out);

/* "90", "90s", "5m", "2h", "1d" as whole seconds; false on anything else or on overflow. */
bool das_parse_duration(struct das_text t, int64_t *seconds);

/* The same in milliseconds, and "500ms" besides. */
bool das_parse_duration_ms(struct das_text t, int64_t *ms);
/* "100", "64KB", "16MB", "1GB" (powers of 1024) as bytes. */
bool das_parse_size(struct das_text t, uint64_t *bytes);

/* How many bytes of p make one valid UTF-8 character; 0 when they do not (no surrogates, no
 * overlong forms, nothing past U+10FFFF). len >= 1. */
size_t das_utf8_next(const char *p, size_t len, uint32_t *code);
bool das_utf8_valid(struct das_text t);

/* Terminal cells of one character: 0, 1 or 2. */
int das_utf8_cells(uint32_t code);

/* The candidate nearest to word by edit distance (any case), or NULL when none is near enough
 * to be worth suggesting. */
const char *das_nearest(const char *word, const char *const *candidates, size_t n);

#endif
