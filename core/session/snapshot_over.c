/*
 * snapshot_over.c - snapshots whose text another one holds, written by column; see snapshot.h.
 *
 * For readers that get the texts of many snapshots at once: nothing is hashed or copied a second
 * time for a row that was there before.
 */
#include "core/session/snapshot_impl.h"

int das_snapshot_intern(struct das_snapshot *texts, enum das_dict d, struct das_text t,
                        uint32_t *number, struct das_err *err)
{
    return das_texts_number(&texts->dicts[d], &texts->dict_arena, t, number) < 0
               ? das_fail_nomem(err)
               : 0;
}

char *das_snapshot_bytes_for(struct das_snapshot *texts, size_t n, struct das_err *err)
{
    char *p = das_arena_alloc(&texts->arena, n);

    if (!p)
        das_fail_nomem(err);
    return p;
}

static void *column(uint32_t rows, size_t size, bool *failed)
{
    void *p = das_grow(NULL, rows, size);

    *failed |= !p;
    return p;
}

/* Points out what was made; a column that could not be is NULL. */
static bool make_columns(struct das_snapshot *s, uint64_t numbers, bool disputed,
                         struct das_snapshot_columns *to)
{
    bool failed = false;

    *to = (struct das_snapshot_columns){
        .ids = s->ids = column(s->rows, sizeof *s->ids, &failed),
        .durations = s->durations = column(s->rows, sizeof *s->durations, &failed),
        .hosts = s->hosts = column(s->rows, sizeof *s->hosts, &failed),
        .sql = s->sql = column(s->rows, sizeof *s->sql, &failed),
    };
    for (int d = 0; d < DAS_D_COUNT; d++)
        to->dicts[d] = s->dict_cols[d] = column(s->rows, sizeof **s->dict_cols, &failed);
    for (int f = 0; f < DAS_F_COUNT; f++) {
        int n = das_snapshot_number_column((enum das_field)f);

        if (n >= 0 && (numbers >> f & 1))
            to->numbers[f] = s->numbers[n] = column(s->rows, sizeof **s->numbers, &failed);
    }
    if (disputed)
        to->disputed = s->disputed = column(s->rows, sizeof *s->disputed, &failed);
    return !failed;
}

struct das_snapshot *das_snapshot_over(struct das_snapshot *texts, uint32_t rows, uint64_t numbers,
                                       bool disputed, struct das_snapshot_columns *to,
                                       struct das_err *err)
{
    struct das_snapshot *s = das_snapshot_new(err);

    if (!s)
        return NULL;
    s->parent = das_snapshot_retain(texts);
    s->rows = s->cap = rows;
    s->idle_command = texts->idle_command;
    s->idle_state = texts->idle_state;
    if (make_columns(s, numbers, disputed, to))
        return s;
    das_fail_nomem(err);
    das_snapshot_release(s);
    return NULL;
}
