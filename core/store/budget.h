/*
 * budget.h - how many kills were done lately, and a claim on those to come.
 *
 * A reservation and the count that allows it are one transaction over all processes that share the
 * state directory, so that no two of them take the last free place. A reservation counts until it
 * is spent (das_journal_add() with the intent) or given back; once spent it counts for the window
 * that a bound asks for, from the moment of its intent. What a dead run had reserved and not spent
 * is given back by das_store_open().
 */
#ifndef DAS_STORE_BUDGET_H
#define DAS_STORE_BUDGET_H

#include "core/base/text.h"
#include "core/store/store.h"

enum das_scope {
    DAS_SCOPE_RUN,      /* kills of this run */
    DAS_SCOPE_ALL,      /* of every run */
    DAS_SCOPE_INSTANCE, /* on the same instance */
    DAS_SCOPE_USER,     /* of the same database user on the same instance */
};

/* No more than max kills of a scope within window_ms (0: ever). */
struct das_bound {
    const char *name; /* "limits.kill.minute", for the message */
    enum das_scope scope;
    int64_t max;
    int64_t window_ms;
    int64_t after_ms;     /* if not 0: those after this moment (Unix ms) instead, and all that are
                             reserved: what a list of sessions that is so old does not show yet */
    struct das_text user; /* DAS_SCOPE_USER: of this one only; NULL: of each */
};

/* One kill that is asked for. */
struct das_claim {
    struct das_text user;
    uint64_t fingerprint; /* digest of the statement's fingerprint; 0: none */
    int64_t id;           /* filled: the reservation */
};

/* Reserves all n or none. 0: done; 1: a bound would be exceeded, why says which, with the numbers
 * ("limits.kill.minute: 28 in the last 60 s and 4 more, expected at most 30"); -1 with err. */
int das_budget_reserve(struct das_store *s, const char *instance, const char *policy,
                       struct das_claim *claims, size_t n, const struct das_bound *bounds,
                       size_t bound_count, char *why, size_t size, struct das_err *err);
/* The same question without taking anything, for a dry run. s may be NULL: no kill was counted. */
int das_budget_would(struct das_store *s, const char *instance, const struct das_claim *claims,
                     size_t n, const struct das_bound *bounds, size_t bound_count, char *why,
                     size_t size, struct das_err *err);
/* Those that were not spent are free again; spent ones stay. */
int das_budget_give_back(struct das_store *s, const struct das_claim *claims, size_t n,
                         struct das_err *err);

/* How many kills of this user and fingerprint on instance were spent since since_ms (Unix ms);
 * -1 with err. */
int64_t das_budget_recent(struct das_store *s, const char *instance, struct das_text user,
                          uint64_t fingerprint, int64_t since_ms, struct das_err *err);

#endif
