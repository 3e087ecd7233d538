/* text.c - see text.h. Allocates nothing. */
#include "core/base/text.h"

#include <string.h>
#include <wchar.h>

struct das_text das_text_of(const char *s)
{
    return s ? das_text(s, strlen(s)) : DAS_TEXT_NULL;
}

bool das_text_eq(struct das_text a, struct das_text b)
{
    if (!a.ptr || !b.ptr)
        return !a.ptr && !b.ptr;
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool das_text_ieq(struct das_text a, struct das_text b)
{
    if (!a.ptr || !b.ptr)
        return !a.ptr && !b.ptr;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (das_lower((unsigned char)a.ptr[i]) != das_lower((unsigned char)b.ptr[i]))
            return false;
    }
    return true;
}

bool das_text_is(struct das_text a, const char *s)
{
    return das_text_eq(a, das_text_of(s));
}

bool das_text_iis(struct das_text a, const char *s)
{
    return das_text_ieq(a, das_text_of(s));
}

struct das_text das_text_trim(struct das_text a)
{
    while (a.len && das_is_space((unsigned char)a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len && das_is_space((unsigned char)a.ptr[a.len - 1]))
        a.len--;
    return a;
}

bool das_parse_int(struct das_text t, int64_t *out)
{
    bool neg = false;
    int64_t v = 0;

    if (!t.ptr)
        return false;
    if (t.len && (t.ptr[0] == '-' || t.ptr[0] == '+')) {
        neg = t.ptr[0] == '-';
        t.ptr++;
        t.len--;
    }
    if (!t.len)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        int digit;
        if (!das_is_digit((unsigned char)t.ptr[i]))
            return false;
        digit = t.ptr[i] - '0';
        /* gathered as a negative number, which has room for INT64_MIN */
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
            return false;
    }
    if (!neg && v == INT64_MIN)
        return false;
    *out = neg ? v : -v;
    return true;
}

bool das_parse_duration(struct das_text t, int64_t *seconds)
{
    int64_t unit = 1, v;

    if (!t.ptr || !t.len)
        return false;
    switch (t.ptr[t.len - 1]) {
    case 'd':
        unit = 86400;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'm':
        unit = 60;
        break;
    case 's':
        break;
    default:
        t.len++; /* no unit: keep the last digit */
    }
    t.len--;
    if (!das_parse_int(t, &v) || __builtin_mul_overflow(v, unit, &v))
        return false;
    *seconds = v;
    return true;
}

bool das_parse_duration_ms(struct das_text t, int64_t *ms)
{
    int64_t v;

    if (t.ptr && t.len > 2 && memcmp(t.ptr + t.len - 2, "ms", 2) == 0)
        return das_parse_int(das_text(t.ptr, t.len - 2), ms);
    if (!das_parse_duration(t, &v) || __builtin_mul_overflow(v, 1000, &v))
        return false;
    *ms = v;
    return true;
}

bool das_parse_size(struct das_text t, uint64_t *bytes)
{
    static const char units[] = "KMG";
    const char *unit;
    int64_t v, scale = 1;

    if (t.ptr && t.len > 2 && t.ptr[t.len - 1] == 'B') {
        unit = memchr(units, t.ptr[t.len - 2], sizeof units - 1);
        if (!unit)
            return false;
        scale = (int64_t)1024 << 10 * (unit - units);
        t.len -= 2;
    }
    if (!das_parse_int(t, &v) || v < 0 || __builtin_mul_overflow(v, scale, &v))
        return false;
    *bytes = (uint64_t)v;
    return true;
}

size_t das_utf8_next(const char *p, size_t len, uint32_t *code)
{
    const unsigned char *s = (const unsigned char *)p;
    uint32_t c = s[0], min;
    size_t n;

    if (c < 0x80) {
        *code = c;
        return 1;
    }
    if (c >= 0xc2 && c <= 0xdf) {
        n = 2;
        c &= 0x1f;
        min = 0x80;
    } else if ((c & 0xf0) == 0xe0) {
        n = 3;
        c &= 0x0f;
        min = 0x800;
    } else if (c >= 0xf0 && c <= 0xf4) {
        n = 4;
        c &= 0x07;
        min = 0x10000;
    } else {
        return 0;
    }
    if (len < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return n;
}

bool das_utf8_valid(struct das_text t)
{
    size_t i = 0;
    uint32_t code;

    while (i < t.len) {
        size_t n = das_utf8_next(t.ptr + i, t.len - i, &code);
        if (!n)
            return false;
        i += n;
    }
    return true;
}

/* wcwidth() needs a UTF-8 locale; a table row must not change with LANG, so the blocks that
 * terminals draw double are listed here (Unicode East Asian Width W and F, coarse). */
int das_utf8_cells(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        return 0;
    if (c < 0x300)
        return 1;
    if (c <= 0x36f || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff)
        return 0;
    if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0x303e) ||
        (c >= 0x3041 && c <= 0xa4cf) || (c >= 0xa960 && c <= 0xa97c) ||
        (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
        (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff01 && c <= 0xff60) ||
        (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1f64f) ||
        (c >= 0x1f900 && c <= 0x1f9ff) || (c >= 0x20000 && c <= 0x3fffd))
        return 2;
    return 1;
}

#define WORD_MAX 40

static size_t distance(const char *a, size_t la, const char *b, size_t lb)
{
    size_t row[WORD_MAX + 1];

    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t up = row[j], best = diagonal;
            if (das_lower((unsigned char)a[i - 1]) != das_lower((unsigned char)b[j - 1]))
                best++;
            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = up;
        }
    }
    return row[lb];
}

const char *das_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word), best = len / 3 + 2;
    const char *found = NULL;

    if (len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t lc = strlen(candidates[i]), d;
        if (lc > WORD_MAX)
            continue;
        if (len >= 3 && lc > len &&
            das_text_ieq(das_text(word, len), das_text(candidates[i], len)))
            return candidates[i]; /* "total" for "total_count" */
        d = distance(word, len, candidates[i], lc);
        if (d < best && d < lc) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}
