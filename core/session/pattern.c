/* pattern.c - see pattern.h. The inner loop of every preview is das_text_search(). */
#include "core/session/pattern.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/base/mem.h"

static bool equal_lower(const char *hay, const char *lower, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (das_lower((unsigned char)hay[i]) != (unsigned char)lower[i])
            return false;
    }
    return true;
}

#ifdef __SSE2__
/* Sixteen places at once: a place can only hold the needle when its first and last bytes fit.
 * A letter is compared with bit 0x20 set on both sides, anything else as it is. */
struct probe {
    __m128i want;
    __m128i fold;
};

static struct probe probe_for(char c)
{
    bool letter = c >= 'a' && c <= 'z';
    struct probe p = {_mm_set1_epi8(c), _mm_set1_epi8(letter ? 0x20 : 0)};
    return p;
}

static unsigned probe_at(const struct probe *p, const char *at)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(block, p->fold), p->want));
}

const char *das_text_search(struct das_text hay, struct das_text needle)
{
    size_t places, i = 0, gap = needle.len - 1;
    struct probe first, last;

    if (hay.len < needle.len)
        return NULL;
    places = hay.len - gap;
    first = probe_for(needle.ptr[0]);
    last = probe_for(needle.ptr[gap]);
    while (i < places) {
        unsigned hits;
        if (places - i < 16) {
            if (places < 16)
                break;
            i = places - 16; /* the last block looks at some places twice */
        }
        hits = probe_at(&first, hay.ptr + i) & probe_at(&last, hay.ptr + i + gap);
        while (hits) {
            size_t at = i + (size_t)__builtin_ctz(hits);
            if (equal_lower(hay.ptr + at, needle.ptr, needle.len))
                return hay.ptr + at;
            hits &= hits - 1;
        }
        i += 16;
    }
    for (; i < places; i++) {
        if (equal_lower(hay.ptr + i, needle.ptr, needle.len))
            return hay.ptr + i;
    }
    return NULL;
}
#else
const char *das_text_search(struct das_text hay, struct das_text needle)
{
    for (size_t i = 0; i + needle.len <= hay.len; i++) {
        if (equal_lower(hay.ptr + i, needle.ptr, needle.len))
            return hay.ptr + i;
    }
    return NULL;
}
#endif

int das_pattern_init(struct das_pattern *p, struct das_text source, bool any_case,
                     struct das_err *err)
{
    size_t parts = 1, part = 0, n = 0;

    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < source.len; i++)
        parts += source.ptr[i] == '%';
    p->bytes = das_alloc(source.len);
    p->parts = das_calloc(parts, sizeof *p->parts);
    if (!p->bytes || !p->parts) {
        das_pattern_clear(p);
        return das_fail_nomem(err);
    }
    p->any_case = any_case;
    p->parts[0].ptr = p->bytes;
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        if (c == '%') {
            p->parts[++part].ptr = p->bytes + n;
            continue;
        }
        if (c == '\\' && i + 1 < source.len && source.ptr[i + 1] == '%')
            c = source.ptr[++i];
        p->bytes[n++] = any_case ? (char)das_lower((unsigned char)c) : c;
        p->parts[part].len++;
    }
    p->count = part + 1;
    return 0;
}

void das_pattern_clear(struct das_pattern *p)
{
    das_free(p->parts);
    das_free(p->bytes);
    memset(p, 0, sizeof *p);
}

static bool part_at(const struct das_pattern *p, const char *at, struct das_text part)
{
    if (p->any_case)
        return equal_lower(at, part.ptr, part.len);
    return memcmp(at, part.ptr, part.len) == 0;
}

static const char *part_in(const struct das_pattern *p, struct das_text t, struct das_text part)
{
    if (!part.len)
        return t.ptr;
    if (p->any_case)
        return das_text_search(t, part);
    return memmem(t.ptr, t.len, part.ptr, part.len);
}

bool das_pattern_match(const struct das_pattern *p, struct das_text t)
{
    struct das_text head = p->parts[0], tail = p->parts[p->count - 1];

    if (!t.ptr)
        return false;
    if (p->count == 1)
        return t.len == head.len && part_at(p, t.ptr, head);
    if (t.len < head.len + tail.len || !part_at(p, t.ptr, head) ||
        !part_at(p, t.ptr + t.len - tail.len, tail))
        return false;
    t.ptr += head.len;
    t.len -= head.len + tail.len;
    for (size_t i = 1; i + 1 < p->count; i++) {
        const char *at = part_in(p, t, p->parts[i]);
        if (!at)
            return false;
        t.len -= (size_t)(at - t.ptr) + p->parts[i].len;
        t.ptr = at + p->parts[i].len;
    }
    return true;
}

int das_keywords_init(struct das_keywords *k, struct das_text source, struct das_err *err)
{
    size_t n = 1, used = 0;

    memset(k, 0, sizeof *k);
    for (size_t i = 0; i < source.len; i++)
        n += source.ptr[i] == '~';
    k->bytes = das_alloc(source.len);
    k->words = das_calloc(n, sizeof *k->words);
    if (!k->bytes || !k->words) {
        das_keywords_clear(k);
        return das_fail_nomem(err);
    }
    for (size_t from = 0; from <= source.len;) {
        const char *tilde = memchr(source.ptr + from, '~', source.len - from);
        size_t end = tilde ? (size_t)(tilde - source.ptr) : source.len;
        struct das_text word = das_text_trim(das_text(source.ptr + from, end - from));
        from = end + 1;
        if (!word.len)
            continue;
        k->words[k->count].ptr = k->bytes + used;
        k->words[k->count++].len = word.len;
        for (size_t i = 0; i < word.len; i++)
            k->bytes[used++] = (char)das_lower((unsigned char)word.ptr[i]);
    }
    if (k->count > 0 && k->count <= DAS_KEYWORDS_MAX)
        return 0;
    n = k->count;
    das_keywords_clear(k);
    if (n)
        return das_fail(err, DAS_E_USAGE, "info: %zu keywords, expected at most %d", n,
                        DAS_KEYWORDS_MAX);
    return das_fail(err, DAS_E_USAGE, "info: no keyword between the \"~\", expected text");
}

void das_keywords_clear(struct das_keywords *k)
{
    das_free(k->words);
    das_free(k->bytes);
    memset(k, 0, sizeof *k);
}

size_t das_keywords_found(const struct das_keywords *k, struct das_text t)
{
    const char *end;

    if (!t.ptr)
        return 0;
    end = t.ptr + t.len;
    for (size_t i = 0; i < k->count; i++) {
        const char *at = das_text_search(t, k->words[i]);
        if (!at)
            return i;
        t.ptr = at + k->words[i].len;
        t.len = (size_t)(end - t.ptr);
    }
    return k->count;
}
