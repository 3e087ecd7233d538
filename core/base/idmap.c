/* idmap.c - see idmap.h: open addressing, one slot behind the other. */
#include "core/base/idmap.h"

#include "core/base/mem.h"

void das_idmap_clear(struct das_idmap *m)
{
    das_free(m->slots);
    *m = (struct das_idmap){0};
}

void das_idmap_reset(struct das_idmap *m)
{
    if (!m->count)
        return;
    for (size_t i = 0; i < m->cap; i++)
        m->slots[i].place = DAS_IDMAP_NONE;
    m->count = 0;
}

static struct das_idmap_slot *slot_of(const struct das_idmap *m, int64_t id)
{
    size_t at = das_idmap_home(m, id);

    while (m->slots[at].place != DAS_IDMAP_NONE && m->slots[at].id != id)
        at = (at + 1) & (m->cap - 1);
    return &m->slots[at];
}

static int make_room(struct das_idmap *m)
{
    struct das_idmap bigger = {.cap = m->cap ? m->cap * 2 : 16};

    if (m->cap && (m->count + 1) * 4 <= m->cap * 3)
        return 0;
    bigger.slots = das_grow(NULL, bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return -1;
    for (size_t i = 0; i < bigger.cap; i++)
        bigger.slots[i].place = DAS_IDMAP_NONE;
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].place != DAS_IDMAP_NONE)
            *slot_of(&bigger, m->slots[i].id) = m->slots[i];
    }
    bigger.count = m->count;
    das_free(m->slots);
    *m = bigger;
    return 0;
}

int das_idmap_put(struct das_idmap *m, int64_t id, uint32_t place)
{
    struct das_idmap_slot *s;

    if (make_room(m) < 0)
        return -1;
    s = slot_of(m, id);
    m->count += s->place == DAS_IDMAP_NONE;
    *s = (struct das_idmap_slot){id, place};
    return 0;
}

/* What stands behind the freed slot moves up, unless it stands at or after its home. */
void das_idmap_remove(struct das_idmap *m, int64_t id)
{
    size_t hole, at, mask = m->cap - 1;
    struct das_idmap_slot *s;

    if (!m->count || (s = slot_of(m, id))->place == DAS_IDMAP_NONE)
        return;
    hole = (size_t)(s - m->slots);
    for (at = (hole + 1) & mask; m->slots[at].place != DAS_IDMAP_NONE; at = (at + 1) & mask) {
        size_t home = das_idmap_home(m, m->slots[at].id);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        m->slots[hole] = m->slots[at];
        hole = at;
    }
    m->slots[hole].place = DAS_IDMAP_NONE;
    m->count--;
}
