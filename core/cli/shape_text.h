/*
 * shape_text.h - what the cloud answers, for people and programs: as a table, JSON or CSV, by the
 * shape alone. Fills buffers only.
 *
 * Moments are ISO 8601 in UTC. What a server wrote never drives a terminal: control characters are
 * blanks, in JSON escaped.
 */
#ifndef DAS_CLI_SHAPE_TEXT_H
#define DAS_CLI_SHAPE_TEXT_H

#include "core/base/buf.h"
#include "core/cloud/shape.h"

/* Several lists of one shape, one after the other: the pages of an answer. */
struct das_shape_rows {
    const struct das_shape *shape;
    const struct das_cloud_list *lists;
    size_t count;
};

/* These fields (names, ends with NULL), with a head line. A line has at most width cells (0: any)
 * where the columns can be made so narrow; the last one takes what the others leave. "-name" is left
 * out where there is no room for it, the last one of them first. */
void das_shape_table(const struct das_shape_rows *rows, const char *const *columns, size_t width,
                     struct das_buf *b);
/* An array of objects with all fields. */
void das_shape_json(const struct das_shape_rows *rows, struct das_buf *b);
/* All fields but those that are lists. */
void das_shape_csv(const struct das_shape_rows *rows, struct das_buf *b);

#endif
