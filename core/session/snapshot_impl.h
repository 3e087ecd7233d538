/* snapshot_impl.h - the inside of a snapshot, for snapshot.c and snapshot_derive.c. */
#ifndef DAS_SESSION_SNAPSHOT_IMPL_H
#define DAS_SESSION_SNAPSHOT_IMPL_H

#include <stdatomic.h>

#include "core/base/mem.h"
#include "core/session/texts.h"
#include "core/session/snapshot.h"

/* Numeric columns that many sources lack: allocated with the first value. */
enum {
    N_TIME_MS,
    N_QUERY_ID,
    N_TRX_TIME,
    N_ROWS_MODIFIED,
    N_ROWS_EXAMINED,
    N_PROGRESS,
    N_TRX_ID,
    N_BLOCKED_BY,
    N_COUNT
};

struct das_snapshot {
    atomic_uint refs;
    struct das_snapshot *parent; /* owns texts and dictionaries when set */
    struct das_arena arena;      /* hosts and statements */
    struct das_arena dict_arena; /* what dictionaries compare: close together, to stay in cache */
    uint32_t rows, cap;

    int64_t *ids;
    int32_t *durations;
    uint32_t *dict_cols[DAS_D_COUNT];
    struct das_text *hosts;
    struct das_text *sql;
    int64_t *numbers[N_COUNT];
    bool *disputed; /* NULL: none is */
    struct das_texts dicts[DAS_D_COUNT]; /* unused with a parent */

    struct das_identity identity;
    int64_t time;
    int64_t total, lag, spread;
    bool complete, partial, cut;
    uint32_t idle_command, idle_state; /* numbers of "Sleep" and "" once prepared */
    char **warnings;
    size_t warning_count;
    int64_t *own;
    size_t own_count;
    char *own_user; /* or NULL */
};

/* The column of a number among numbers[], or -1. */
int das_snapshot_number_column(enum das_field f);

#endif
