/*
 * gate.h - may a request's header be believed? Everything that two programs could read in two ways
 * is refused before any handler sees it. Pure: no network, no library.
 */
#ifndef DAS_SERVE_GATE_H
#define DAS_SERVE_GATE_H

#include "core/base/text.h"
#include "core/cloud/sign.h"

struct das_gate_request {
    struct das_text method, target, version; /* as they came */
    const struct das_sign_pair *headers;     /* values without blanks before them */
    const size_t *gaps; /* bytes between a name's colon and its value; SIZE_MAX: they do not stand
                           side by side */
    size_t header_count;
    size_t header_bytes; /* of the whole header as it came, with the empty line at its end */
};

/* NULL: it may pass. Else why not, and *status. Refused are: two Content-Length, or one that is no
 * number; one together with Transfer-Encoding; a Transfer-Encoding that is not exactly "chunked" or
 * comes with HTTP/1.0; names that are empty or no token; control characters in a value; a header
 * that is not made up of exactly these lines, each ended by CRLF (so obs-fold, a bare LF, NUL); no
 * Host, two or an impossible one; a method that is no token; a target that is not "/..." (or "*"
 * for OPTIONS) or has bytes that are not visible ASCII; a version other than 1.0 and 1.1; an Expect
 * other than 100-continue. */
const char *das_gate(const struct das_gate_request *r, int *status);

#endif
