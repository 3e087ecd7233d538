/*
 * texts.c - see texts.h.
 *
 * Five times a row of every list: hashing and comparing are written for short texts.
 */
#include "core/session/texts.h"

#include <string.h>

/* Eight bytes a step: with one multiplication a byte, hashing costs more than all else in a row. */
static uint32_t hash_text(struct das_text t)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t h = t.len * 2 + (t.ptr ? 1 : 0), part;
    const char *p = t.ptr;
    size_t left = t.len;

    for (; left >= 8; p += 8, left -= 8) {
        memcpy(&part, p, 8);
        h = (h ^ part) * odd;
        h ^= h >> 29;
    }
    if (left) {
        part = 0;
        for (size_t i = 0; i < left; i++)
            part = part << 8 | (unsigned char)p[i];
        h = (h ^ part) * odd;
    }
    h = (h ^ h >> 32) * odd;
    return (uint32_t)(h >> 32);
}

/* das_text_eq() without calls: five times a row, mostly on short text that is equal. */
static inline bool same_text(struct das_text a, struct das_text b)
{
    uint64_t x, y;

    if (a.len != b.len || !a.ptr != !b.ptr)
        return false;
    if (a.len < 8) {
        for (size_t i = 0; i < a.len; i++) {
            if (a.ptr[i] != b.ptr[i])
                return false;
        }
        return true;
    }
    for (size_t i = 0; i + 8 < a.len; i += 8) {
        memcpy(&x, a.ptr + i, 8);
        memcpy(&y, b.ptr + i, 8);
        if (x != y)
            return false;
    }
    memcpy(&x, a.ptr + a.len - 8, 8);
    memcpy(&y, b.ptr + b.len - 8, 8);
    return x == y;
}

static int grow(struct das_texts *d)
{
    uint32_t cap = d->cap ? d->cap * 2 : 8, slot_count = cap * 2;
    struct das_text *texts = das_grow(d->texts, cap, sizeof *texts);
    uint32_t *slots;

    if (!texts)
        return -1;
    d->texts = texts;
    slots = das_calloc(slot_count, sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t at = hash_text(texts[i]) & (slot_count - 1);
        while (slots[at])
            at = (at + 1) & (slot_count - 1);
        slots[at] = i + 1;
    }
    das_free(d->slots);
    d->slots = slots;
    d->slot_count = slot_count;
    d->cap = cap;
    return 0;
}

int das_texts_number(struct das_texts *d, struct das_arena *arena, struct das_text t, uint32_t *out)
{
    uint32_t at;

    if (d->count && same_text(d->texts[d->last], t)) {
        *out = d->last;
        return 0;
    }
    if (d->count == d->cap && grow(d) < 0)
        return -1;
    at = hash_text(t) & (d->slot_count - 1);
    while (d->slots[at]) {
        if (same_text(d->texts[d->slots[at] - 1], t)) {
            *out = d->last = d->slots[at] - 1;
            return 0;
        }
        at = (at + 1) & (d->slot_count - 1);
    }
    if (t.ptr && arena) {
        t.ptr = das_arena_dup(arena, t.ptr, t.len);
        if (!t.ptr)
            return -1;
    }
    d->texts[d->count] = t;
    *out = d->last = d->count++;
    d->slots[at] = *out + 1;
    return 0;
}

void das_texts_clear(struct das_texts *d)
{
    das_free(d->texts);
    das_free(d->slots);
    memset(d, 0, sizeof *d);
}
