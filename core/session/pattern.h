/*
 * pattern.h - the two ways to match text: a % wildcard and the ~ keyword rule.
 *
 * In a pattern only % is special (any run of bytes); \% is a plain percent; _ is itself, because
 * it is common in names and a wildcard there would kill the wrong user.
 */
#ifndef DAS_SESSION_PATTERN_H
#define DAS_SESSION_PATTERN_H

#include "core/base/err.h"
#include "core/base/text.h"

struct das_pattern {
    struct das_text *parts; /* plain runs between the wildcards, at least one */
    size_t count;
    char *bytes; /* what the parts point into */
    bool any_case;
};

int das_pattern_init(struct das_pattern *p, struct das_text source, bool any_case,
                     struct das_err *err);
void das_pattern_clear(struct das_pattern *p);
bool das_pattern_match(const struct das_pattern *p, struct das_text t); /* NULL never matches */
static inline bool das_pattern_plain(const struct das_pattern *p)
{
    return p->count == 1;
}

#define DAS_KEYWORDS_MAX 128

/* The keyword rule: split on ~, white space trimmed, empties dropped; all keywords must occur, in
 * order, without overlap, ASCII letters in any case. */
struct das_keywords {
    struct das_text *words; /* lower case */
    size_t count;
    char *bytes;
};

int das_keywords_init(struct das_keywords *k, struct das_text source, struct das_err *err);
void das_keywords_clear(struct das_keywords *k);
/* How many keywords were found in order: k->count means a match. NULL finds none. */
size_t das_keywords_found(const struct das_keywords *k, struct das_text t);

/* First place of needle (ASCII lower case, not empty) in hay, letters in any case; NULL: none. */
const char *das_text_search(struct das_text hay, struct das_text needle);

#endif
