/*
 * source_kill.h - the one way to end a session. Only core/plan/apply.c may include this, and the
 * sources that implement it: `make check` looks.
 */
#ifndef DAS_SOURCE_SOURCE_KILL_H
#define DAS_SOURCE_SOURCE_KILL_H

#include "core/source/source.h"

enum das_kill_what {
    DAS_KILL_STATEMENT, /* the statement ends, the session lives */
    DAS_KILL_SESSION,   /* the connection ends */
};

enum das_kill_result {
    DAS_KILLED,       /* the server accepted the kill */
    DAS_KILL_GONE,    /* there was nothing left to kill */
    DAS_KILL_FAILED,  /* the server refused; err says why */
    DAS_KILL_UNKNOWN, /* the connection broke in between: it may or may not have happened */
};

/* query_id is the statement to end where the source can name it, else DAS_UNKNOWN. err is filled
 * for FAILED and UNKNOWN. */
enum das_kill_result das_source_kill(struct das_source *s, enum das_kill_what what, int64_t id,
                                     int64_t query_id, struct das_err *err);

/* Can this source kill at all? NULL, or the reason why not. */
const char *das_source_cannot_kill(const struct das_source *s);

#endif
