/*
 * line.h - a person types a line: editing, history and completion, on libedit. Only for a terminal;
 * no other file includes histedit.h.
 */
#ifndef DAS_CLI_LINE_H
#define DAS_CLI_LINE_H

#include "core/base/buf.h"

struct das_line;

/* As das_repl_complete(). */
typedef void das_line_complete(void *arg, struct das_text line, struct das_buf *out,
                               size_t *replace);

/* history: a file, made when it is not there; NULL or an unwritable one means that nothing is kept.
 * NULL when out of memory, or when the terminal is of no use. */
struct das_line *das_line_new(const char *history, das_line_complete *complete, void *arg,
                              struct das_err *err);
void das_line_free(struct das_line *l);

enum das_line_end { DAS_LINE_TEXT, DAS_LINE_CANCELLED, DAS_LINE_EOF };

/* One line with its newline, into out. Ctrl-C cancels it. A line that begins with a blank is not
 * kept in the history. */
enum das_line_end das_line_read(struct das_line *l, const char *prompt, struct das_buf *out);

#endif
