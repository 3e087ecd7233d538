/*
 * explain.h - why a session is in or out: each criterion, its value, and by how much it missed.
 *
 * Says exactly what das_filter_test() says: the verdicts come from the same functions.
 */
#ifndef DAS_SESSION_EXPLAIN_H
#define DAS_SESSION_EXPLAIN_H

#include "core/session/filter.h"

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
const char *das_truth_word(enum das_truth t); /* "in", "out", "unknown" */

#endif
