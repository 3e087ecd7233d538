/*
 * regex.h - regular expressions as Perl has them (PCRE2), over bytes.
 *
 * Compiled once, then any number of threads may match with it at the same time. Backtracking is
 * limited, so that a pattern gives up instead of hanging. The library is loaded with the first
 * pattern: most runs have none, and it would cost each of them 2 to 6 % of its start.
 */
#ifndef DAS_BASE_REGEX_H
#define DAS_BASE_REGEX_H

#include "core/base/err.h"
#include "core/base/text.h"

struct das_regex;

/* Where a group matched. ptr NULL: it took no part. */
#define DAS_REGEX_GROUPS 33 /* the whole match and 32 groups; what a pattern has beyond is not told */

/* flags: any of "i" (letters in any case), "m" (^ and $ at each line), "s" (. is a line's end, too),
 * "x" (white space and # comments), "u" (text is UTF-8, what is not matches nothing). NULL: none.
 * DAS_E_USAGE for an unknown flag or a bad pattern, with its position; DAS_E_UNSUPPORTED when there
 * is no PCRE2. The caller owns the result. */
struct das_regex *das_regex_new(struct das_text pattern, const char *flags, struct das_err *err);
void das_regex_free(struct das_regex *re); /* NULL is fine */

/* How many groups were filled in, the whole match first (1 without groups); 0: no match, as for
 * NULL text. -1 and DAS_E_LIMIT "too complex" where it would take too long. groups may be NULL; what
 * it gives points into text. */
int das_regex_match(const struct das_regex *re, struct das_text text,
                    struct das_text groups[DAS_REGEX_GROUPS], struct das_err *err);

size_t das_regex_bytes(const struct das_regex *re); /* memory held */

#endif
