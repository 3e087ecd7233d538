/* block_write_impl.h - a block that is being written. Private to block_write.c and block_rows.c. */
#ifndef DAS_SOURCE_BLOCK_WRITE_IMPL_H
#define DAS_SOURCE_BLOCK_WRITE_IMPL_H

#include <zstd.h>

#include "core/base/idmap.h"
#include "core/source/block_sql.h"
#include "core/source/block_write.h"

#define DAS_BLOCK_NEW_ROW DAS_IDMAP_NONE

/* What is remembered of a snapshot's rows: the numbers of their texts, 0 for NULL. */
struct das_block_list {
    struct das_snapshot *snap; /* a reference, or NULL */
    uint32_t *texts[DAS_BT_COUNT];
    uint32_t cap;
};

struct das_block_column {
    enum das_field field;
    enum das_column_kind kind;
    int64_t last;                /* DAS_CK_SERIAL: told last */
    int64_t step;                /* DAS_CK_AGE: of the current snapshot */
    const int64_t *now, *before; /* NULL: all unknown */
};

struct das_block {
    char *instance;
    bool redact;
    int level;
    ZSTD_CCtx *zstd;

    struct das_buf streams[DAS_STREAMS_MAX];
    struct das_block_column columns[DAS_BLOCK_COLUMNS_MAX];
    uint32_t column_count;
    struct das_texts texts[DAS_BT_COUNT];
    struct das_arena arena; /* of texts */
    struct das_sql_writer sql;
    size_t sql_bytes;    /* of statements, before they are taken apart */
    struct das_buf told; /* what was told of the snapshot before, besides its rows */
    struct das_buf scratch;
    uint32_t snapshots;
    uint64_t rows;
    int64_t from_ms, to_ms;

    struct das_block_list now, before;
    uint32_t *links; /* row of the snapshot before, or DAS_BLOCK_NEW_ROW */
    uint64_t *changes;
    uint32_t cap;            /* of links and changes */
    struct das_idmap places; /* rows of the snapshot before, where they are not in the same order */
};

/* b->now.snap, for which there is room, into the streams. -1: no memory; a stream that failed tells
 * so itself. */
int das_block_put(struct das_block *b, int64_t time_ms);

#endif
