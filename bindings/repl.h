/*
 * repl.h - a Lua state that lives as long as a person types into it.
 *
 * The rules are those of a run: the same functions, a dry run unless armed, and the same limits for
 * each chunk (memory: for all of them together). Not for several threads.
 */
#ifndef DAS_BINDINGS_REPL_H
#define DAS_BINDINGS_REPL_H

#include "bindings/engine.h"

struct das_repl;

enum das_repl_end {
    DAS_REPL_DONE,
    DAS_REPL_MORE,   /* the chunk is not finished: nothing was done */
    DAS_REPL_FAILED, /* err says why */
};

/* opts, and what it points to, must outlive the repl. opts->path names the chunks in messages. */
struct das_repl *das_repl_new(const struct das_engine_opts *opts, struct das_err *err);
void das_repl_free(struct das_repl *r); /* NULL is fine */

/* Runs a chunk, or evaluates an expression, and writes what it is worth to opts->out. In messages
 * its first line has number first_line. opts->cancel ends it. */
enum das_repl_end das_repl_run(struct das_repl *r, struct das_text chunk, size_t first_line,
                               struct das_err *err);

/* What could follow line (the text before the cursor): names, each ended by a newline, appended to
 * out; *replace is how many bytes before the cursor they replace. */
void das_repl_complete(struct das_repl *r, struct das_text line, struct das_buf *out,
                       size_t *replace);

/* What all chunks did until now. */
const struct das_engine_result *das_repl_result(const struct das_repl *r);

#endif
