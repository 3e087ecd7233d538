/*
 * block_sql.h - statements in a block of a recording: their shape once, and what differs.
 *
 * An application sends the same few statements with other numbers and strings in them. Those are
 * taken out, exactly, so that putting them in again gives the same bytes; what a statement means
 * does not matter here. Private to core/source/block*.c.
 */
#ifndef DAS_SOURCE_BLOCK_SQL_H
#define DAS_SOURCE_BLOCK_SQL_H

#include "core/session/texts.h"
#include "core/source/block.h"

/* --- taking apart ----------------------------------------------------------------------------- */

struct das_sql_writer { /* {0} is empty */
    struct das_texts shapes;
    struct das_arena arena;
    struct das_buf shape; /* scratch */
};

/* Appends to the streams of a block, which begin at streams[0]. -1: no memory; the streams tell
 * theirs by themselves. */
int das_sql_put(struct das_sql_writer *w, struct das_text sql, struct das_buf *streams);
void das_sql_writer_clear(struct das_sql_writer *w);

/* --- putting together ------------------------------------------------------------------------- */

struct das_sql_span {
    uint32_t at, len; /* in the bytes of shapes */
    char hole; /* what stands behind it: DAS_SQL_NUMBER, DAS_SQL_STRING, or 'e' for nothing */
};

struct das_sql_reader { /* {0} before das_sql_reader_init() */
    struct das_sql_span *spans;
    uint32_t *first; /* span of each shape, and one behind the last */
    uint32_t count;  /* of shapes */
};

/* Reads all shapes. DAS_E_DATA says what is wrong with the block. */
int das_sql_reader_init(struct das_sql_reader *r, struct das_bytes *streams, struct das_err *err);
/* Appends the next statement to out; false when the streams do not have it. Memory shows in out. */
bool das_sql_take(struct das_sql_reader *r, struct das_bytes *streams, struct das_buf *out);
void das_sql_reader_clear(struct das_sql_reader *r);

#endif
