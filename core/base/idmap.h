/*
 * idmap.h - numbers to numbers: which place belongs to an id. A hash table without owners or text.
 *
 * For who follows sessions through snapshot after snapshot. Not thread-safe. Zeroed is empty.
 */
#ifndef DAS_BASE_IDMAP_H
#define DAS_BASE_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAS_IDMAP_NONE UINT32_MAX

struct das_idmap {
    struct das_idmap_slot {
        int64_t id;
        uint32_t place; /* DAS_IDMAP_NONE: the slot is free */
    } * slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
};

void das_idmap_clear(struct das_idmap *m); /* frees; usable again */
void das_idmap_reset(struct das_idmap *m); /* empty, keeps the memory */
/* place < DAS_IDMAP_NONE; replaces an earlier one. -1: out of memory, and nothing changed. */
int das_idmap_put(struct das_idmap *m, int64_t id, uint32_t place);
void das_idmap_remove(struct das_idmap *m, int64_t id);

static inline size_t das_idmap_home(const struct das_idmap *m, int64_t id)
{
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u;

    return (size_t)(h ^ h >> 29) & (m->cap - 1);
}

/* Inline: asked for each session of each snapshot. */
static inline uint32_t das_idmap_get(const struct das_idmap *m, int64_t id)
{
    if (!m->count)
        return DAS_IDMAP_NONE;
    for (size_t at = das_idmap_home(m, id);; at = (at + 1) & (m->cap - 1)) {
        if (m->slots[at].place == DAS_IDMAP_NONE || m->slots[at].id == id)
            return m->slots[at].place;
    }
}

#endif
