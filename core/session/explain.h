/*
 * explain.h - why a session is in or out: each criterion, its value, and by how much it missed.
 *
 * Says exactly what das_filter_test() says: the verdicts come from the same functions.
 */
#ifndef DAS_SESSION_EXPLAIN_H
#define DAS_SESSION_EXPLAIN_H

#include "core/session/distance.h"

/* One line: a criterion, or a heading ("all of", "any of", "not") over the deeper lines below. */
struct das_reason {
    int depth;             /* 0 is the outermost */
    enum das_truth truth;  /* of this line, before any "not" above it */
    bool heading;
    char *criterion;       /* time >= 60; user = "app%"; all of */
    char *value;           /* what the session has: 57, "root", NULL, unknown; "" for headings */
    char *note;            /* "3 s too young"; "" when there is nothing to add */
};

struct das_explanation {
    enum das_truth truth; /* DAS_YES: in; else out */
    int64_t id;
    struct das_reason *reasons;
    size_t count;
};

struct das_explanation *das_explain(const struct das_filter *f, const struct das_session *s,
                                    struct das_err *err);
void das_explanation_free(struct das_explanation *e); /* NULL is fine */
void das_explanation_print(const struct das_explanation *e, struct das_buf *b);
/* The one line of what stands in the way, with "not" before the criterion where it should not be met.
 * The three are added to their buffers; any of them may be NULL. */
void das_explain_miss(const struct das_miss *m, const struct das_session *s,
                      struct das_buf *criterion, struct das_buf *value, struct das_buf *note);
/* All that stands in the way: time >= 60 s: 57 s (3 s too young); user = "app": "root". "" when
 * nothing does. */
void das_explain_distance(const struct das_distance *d, const struct das_session *s,
                          struct das_buf *b);
const char *das_truth_word(enum das_truth t); /* "in", "out", "unknown" */

#endif
