/*
 * journal.h - what was about to be done and what became of it, in a chain that shows every change.
 *
 * A record is one line of JSON, kept and hashed byte for byte:
 *
 *   {"seq":17,"prev":"HEX","time_ms":1764000000000,"run":"HEX","kind":"intent",...}
 *
 * Its hash is the SHA-256 of exactly that line; prev is the hash of the record before it (of the
 * first one: 64 zeros). Whoever holds an earlier head (seq and hash) can tell whether anything up
 * to it was changed, left out, moved or cut off.
 *
 * Kinds: "begin" (first record of a journal: a random id), "apply", "refused", "intent",
 * "outcome", "respawned", "breaker", "stop", "resume", "acknowledged", "approval" (approval.h),
 * "runbook", and of das serve "task", "switch", "access". The writer gives the members; seq, prev,
 * time_ms, run and kind are added here.
 *
 * What the records mean to each other is read from their bytes, so these come first: after the kind
 * of an outcome "intent":SEQ,"outcome":"WORD" (WORD unknown: nobody knows, and the intent is listed
 * until it is acknowledged), of an acknowledged "intent":SEQ, of an apply "plan":"HEX". A record
 * that is not so, or is no JSON in one line, is refused.
 */
#ifndef DAS_STORE_JOURNAL_H
#define DAS_STORE_JOURNAL_H

#include "core/base/buf.h"
#include "core/base/digest.h"
#include "core/store/budget.h"
#include "core/store/store.h"

/* One record to write. members is JSON without the braces: "\"plan\":\"..\",\"id\":12"; may be
 * empty. Those of an outcome begin with "outcome":"killed" (or another word), those of an apply
 * with "plan":"HEX". */
struct das_record {
    const char *kind;
    struct das_text members;
    int64_t closes;  /* an outcome, and nothing else: seq of its intent. Written as "intent":SEQ */
    int64_t spends;  /* an intent: the reservation (budget.h) that is used up now; 0: none */
    const struct das_claim *claims; /* an intent that stands for many kills: all their
                                       reservations; NULL: none */
    size_t claim_count;
    int64_t seq;     /* filled */
    int64_t time_ms; /* filled: Unix ms */
};

/* Writes all n in this order, in one transaction, and returns when they are on the disk. An intent
 * stays open until a record closes it. -1: nothing was written (DAS_E_STORE; DAS_E_BLOCKED for a
 * second "apply" of a plan). */
int das_journal_add(struct das_store *s, struct das_record *records, size_t n, struct das_err *err);

/* --- reading ---------------------------------------------------------------------------------- */

struct das_head {
    int64_t seq; /* 0: empty */
    char hash[DAS_SHA256_HEX];
};

/* Called for each record, oldest first; line has no newline and is valid during the call. Anything
 * but 0 ends the walk and is returned. */
typedef int das_journal_fn(void *arg, int64_t seq, struct das_text line, const char *hash);
/* From seq first on (0: all). */
int das_journal_each(struct das_store *s, int64_t first, das_journal_fn *fn, void *arg,
                     struct das_err *err);
int das_journal_head(struct das_store *s, struct das_head *out, struct das_err *err);

/* Checks every hash and link, and that the open intents are those that the records say. anchor: a
 * head that was noted earlier, or NULL. -1 with DAS_E_DATA and the first place that is wrong:
 * "record 17: its bytes were changed", "record 18 is missing", ... */
int das_journal_verify(struct das_store *s, const struct das_head *anchor, struct das_head *out,
                       struct das_err *err);

/* Kills whose outcome nobody knows, and that nobody has acknowledged yet: seq of the intents, those
 * of runs that died a moment ago among them. Fills up to n, returns how many there are, or -1. */
int64_t das_journal_unknown(struct das_store *s, int64_t *seqs, size_t n, struct das_err *err);
/* A person has looked into it, and reason says what was found. DAS_E_USAGE when intent is none that
 * is unknown. */
int das_journal_acknowledge(struct das_store *s, int64_t intent, const char *who,
                            const char *reason, struct das_err *err);

/* Was a plan with this hash applied before (a record "apply" with "plan":hash)? 1, 0 or -1. */
int das_journal_applied(struct das_store *s, const char *plan_hash, struct das_err *err);

#endif
