/*
 * render.h - sessions as people and programs read them: a table, JSON, CSV. Fills buffers only.
 */
#ifndef DAS_SESSION_RENDER_H
#define DAS_SESSION_RENDER_H

#include "core/session/selection.h"

enum das_output { DAS_OUT_TABLE, DAS_OUT_JSON, DAS_OUT_CSV };
int das_output_find(const char *name); /* "table", "json", "csv"; or -1 */

/* Called now and then while a long text is rendered; may write b away and reset it. */
struct das_flush {
    void (*call)(struct das_buf *b, void *arg);
    void *arg;
};

/* A whole preview. As a table: a head line and the sessions; as JSON: one object with
 * data_sync_time, total_count, complete, instance, warnings, processes; as CSV: the sessions.
 * flush may be NULL. */
void das_render_preview(const struct das_selection *sel, const char *instance,
                        enum das_output output, size_t width, const struct das_flush *flush,
                        struct das_buf *b);

/* The first max_rows sessions as a table for a terminal of `width` cells (0: no limit); sql_info
 * takes what is left. Control characters are shown as blanks, so that a statement cannot drive a
 * terminal. */
void das_render_table(const struct das_selection *sel, size_t max_rows, size_t width,
                      struct das_buf *b);

/* One session as a JSON object: all text fields and state_duration always (null when NULL or
 * unknown), the other numbers where the source has them. */
void das_render_session_json(const struct das_session *s, struct das_buf *b);

/* The header line, and one session as a CSV row (RFC 4180; NULL is an empty field). */
void das_render_csv_header(struct das_buf *b);
void das_render_session_csv(const struct das_session *s, struct das_buf *b);
/* One field of a CSV row; "" is quoted, NULL is nothing. */
void das_render_csv_text(struct das_text t, struct das_buf *b);

/* Text for one table cell: white space folded, control characters blank, cut to cells with "..".
 * Returns the cells used. NULL gives "-". */
size_t das_render_cell(struct das_text t, size_t cells, struct das_buf *b);

#endif
