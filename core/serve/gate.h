/*
 * gate.h - may a request's header be believed? Everything that two programs could read in two ways
 * is refused before any handler sees it. Pure: no network, no library.
 *
 * One thing it cannot see, because the bytes are gone: a NUL right before a single LF looks like
 * CRLF. It is read as CRLF.
 */
#ifndef DAS_SERVE_GATE_H
#define DAS_SERVE_GATE_H

#include "core/base/text.h"
#include "core/cloud/sign.h"

/* The header where it was read to, header_bytes from the method on: in one piece, the blanks of the
 * request line, the colon after each name and both bytes of each line's end written over with NUL.
 * Where each part lies shows what the parts alone do not: folded lines, which the library joins in
 * memory elsewhere, single LFs and doubled blanks, which move what comes after them. */
struct das_gate_request {
    struct das_text method, version;         /* in that memory */
    struct das_text target;                  /* as it came; anywhere */
    const struct das_sign_pair *headers;     /* in that memory, in order; values without blanks
                                                before them, blanks behind them are part of them */
    size_t header_count;
    size_t header_bytes; /* with the empty line at its end */
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
