/*
 * source_kill.h - the one way to end a session. Only core/plan/fire.c may include this, and the
 * sources that implement it: `make check` looks.
 */
#ifndef DAS_SOURCE_SOURCE_KILL_H
#define DAS_SOURCE_SOURCE_KILL_H

#include "core/source/source.h"

enum das_kill_what {
    DAS_KILL_STATEMENT,      /* the statement ends, the session lives */
    DAS_KILL_STATEMENT_SOFT, /* the same where it does no harm: the server lets a repair or a change
                                of tables that could corrupt them go on (MariaDB) */
    DAS_KILL_SESSION,        /* the connection ends: of a session that runs a statement */
    DAS_KILL_IDLE_SESSION,   /* the same of one that sleeps. What is to be ended is told apart
                                because a statement that has ended meanwhile is no longer there to
                                be killed, and one that has begun was never meant */
};

enum das_kill_result {
    DAS_KILLED,       /* the server accepted the kill */
    DAS_KILL_GONE,    /* what was to be killed is not there: the session has ended or moved on */
    DAS_KILL_FAILED,  /* the server refused; err says why */
    DAS_KILL_LATE,    /* it was not sent, and no longer may be; err says what kept it */
    DAS_KILL_UNKNOWN, /* the connection broke in between: it may or may not have happened */
};

struct das_kill_order {
    enum das_kill_what what;
    int64_t id;
    int64_t query_id;     /* the statement to end, or for a connection the one that the session runs
                             or has run last, as the list told it: a number, DAS_ABSENT (it has run
                             none) or DAS_UNKNOWN (not told) */
    struct das_text user; /* as the list told it; borrowed */
    struct das_patience sending; /* how long it may still be sent; asked last right before. Only das:
                                    asks, the others do not wait for anything */
};

/* Where the source can compare (MariaDB, mem:), a session that is busy when it should sleep, sleeps
 * when it should be busy or has another query_id is DAS_KILL_GONE; das: compares the user. What is
 * not told or cannot be compared is not: look again just before. err is filled for FAILED,
 * LATE and UNKNOWN. */
enum das_kill_result das_source_kill(struct das_source *s, const struct das_kill_order *order,
                                     struct das_err *err);

#endif
