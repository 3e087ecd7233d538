/*
 * texts.h - distinct texts, numbered in the order in which they came first.
 *
 * For columns in which few texts repeat. The numbers start at 0; NULL and "" are two different
 * texts. The bytes live in an arena of the caller's.
 */
#ifndef DAS_SESSION_TEXTS_H
#define DAS_SESSION_TEXTS_H

#include "core/base/mem.h"
#include "core/base/text.h"

struct das_texts { /* {0} is empty */
    struct das_text *texts;
    uint32_t count, cap;
    uint32_t *slots; /* number + 1; 0 is free */
    uint32_t slot_count;
    uint32_t last; /* number of the text asked for last: most rows repeat it */
};

/* The number of a text; a new one is copied into arena (NULL: not copied, t must live as long as
 * d). -1: no memory. */
int das_texts_number(struct das_texts *d, struct das_arena *arena, struct das_text t,
                     uint32_t *out);
void das_texts_clear(struct das_texts *d);

#endif
