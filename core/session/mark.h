/*
 * mark.h - what a session was doing when it was seen, so that it is known again in a later list:
 * the statement, the transaction, and whose session it is.
 *
 * For who follows sessions through a recording. A kill is not decided by it: core/plan compares far
 * more strictly, where any doubt is a change; here the likelier reading counts.
 */
#ifndef DAS_SESSION_MARK_H
#define DAS_SESSION_MARK_H

#include "core/session/session.h"

struct das_mark {
    int64_t id;
    uint64_t owner;     /* hash of user and host */
    uint64_t sql;       /* hash of the statement's text */
    int64_t query_id;   /* as in the session */
    int64_t started_ms; /* since when it is in this state, Unix ms, or DAS_UNKNOWN */
    int64_t slack_ms;   /* it may have been so much earlier */
    int64_t trx_id;
    int64_t trx_started_ms; /* or DAS_UNKNOWN, or DAS_ABSENT: outside of one */
    bool sleeps, connects;
};

/* s as a list of that Unix time told it. */
void das_mark_take(struct das_mark *m, const struct das_session *s, int64_t at_ms);

/* Since when s is in its state: *slack_ms as in the mark. DAS_UNKNOWN. */
int64_t das_session_since_ms(const struct das_session *s, int64_t at_ms, int64_t *slack_ms);

/* Each asks whether s, as a list of at_ms told it, is what the mark was taken of. */
bool das_mark_same_owner(const struct das_mark *m, const struct das_session *s);
bool das_mark_same_statement(const struct das_mark *m, const struct das_session *s, int64_t at_ms);
bool das_mark_same_transaction(const struct das_mark *m, const struct das_session *s,
                               int64_t at_ms);

/* The same for the same session and statement, whenever it is seen. */
uint64_t das_mark_key(const struct das_mark *m);

uint64_t das_hash_text(uint64_t seed, struct das_text t); /* NULL and "" differ */

#endif
