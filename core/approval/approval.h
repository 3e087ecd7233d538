/*
 * approval.h - kills that people have to say yes to: asking, voting, carrying out, telling.
 *
 * Whoever asks (a script), votes (das approve, a page, a button) or finds something left to be done
 * (das serve) goes through here, so that the rules are the same for all:
 *
 *   request.c  what may be asked for
 *   vote.c     whose vote counts, and when there are enough
 *   carry.c    the plan of an approved request, once
 *   message.c  what is said in the channel about it
 *   show.c     a request in words, and as JSON
 *
 * Nothing here trusts its caller with more than who the person is.
 */
#ifndef DAS_APPROVAL_APPROVAL_H
#define DAS_APPROVAL_APPROVAL_H

#include "core/approval/people.h"
#include "core/notify/channel.h"
#include "core/plan/plan.h"
#include "core/store/approval.h"

#define DAS_APPROVAL_TTL_MS 600000 /* the default */
#define DAS_APPROVAL_TTL_MIN_MS 1000
#define DAS_APPROVAL_TTL_MAX_MS 43200000 /* 12 hours */
#define DAS_APPROVAL_GRACE_MS 300000 /* so long after that an approved plan can be carried out */
#define DAS_APPROVAL_NEED_MAX 20
#define DAS_APPROVAL_REASON_MAX 1000 /* bytes, of a request and of a vote */
#define DAS_APPROVAL_PREFIX 12       /* digits of a plan's hash that a button has */
#define DAS_APPROVAL_PREFIX_MIN 8    /* and that a vote has to name */

/* --- asking ----------------------------------------------------------------------------------- */

struct das_approval_ask {
    const struct das_plan *plan;
    const char *channel;                     /* NULL: nobody is told */
    const char *const *roles, *const *users; /* who may say yes; empty: nobody */
    size_t role_count, user_count;
    int64_t need;       /* so many of them */
    int64_t ttl_ms;     /* until it expires */
    const char *reason; /* NULL: the plan's */
    const char *by;     /* who asks, for people: a user of the machine, a policy; may be NULL */
    const char *person; /* who asks, as a person: has no vote. NULL: none */
    const struct das_people *people;
    const struct das_policy_rules *rules; /* of the plan's policy */
    const struct das_vault *vault;        /* what no record may hold; may be NULL */
};
/* What is stored is the plan made anew, so that it lives as long as the request and
 * DAS_APPROVAL_GRACE_MS more. 1 and *out; 0 and *out: the same sessions are asked for already, or
 * were refused, and it is that request; -1: DAS_E_USAGE (names the option), DAS_E_BLOCKED (this
 * policy may not even ask; the plan has expired or is empty), DAS_E_STORE. */
int das_approval_request(struct das_store *s, const struct das_approval_ask *ask,
                         struct das_approval **out, struct das_err *err);

/* Only whether it may be asked for: 0, or -1 as above. */
int das_approval_check(const struct das_approval_ask *ask, struct das_err *err);

/* --- voting ----------------------------------------------------------------------------------- */

/* May that person say yes or no to a, by the people of the configuration as it is now? False, and
 * why not. */
bool das_approval_may(const struct das_approval *a, const struct das_people *people,
                      const char *person, char *why, size_t size);

struct das_ballot {
    const char *id;          /* of the request */
    const char *hash_prefix; /* of the plan that was shown to the person */
    const char *person;      /* NULL or unknown: nobody, and no vote */
    bool yes;
    const char *reason; /* may be NULL */
    const char *via;    /* "cli", "page", "api", "slack" ... */
    const char *link;   /* hash of the link that is used up by it; NULL: none */
    const char *no;     /* why the caller cannot let it count, for words and journal; NULL */
};
enum das_ballot_kind {
    DAS_BALLOT_COUNTED,  /* others are needed, too */
    DAS_BALLOT_APPROVED, /* it was the last one needed: carry it out (das_approval_carry_out()) */
    DAS_BALLOT_REJECTED,
    DAS_BALLOT_REFUSED, /* it does not count, as words say; it is in the journal where the request
                           and the person exist */
};
struct das_ballot_result {
    enum das_ballot_kind kind;
    char words[400]; /* one sentence for the person */
    int64_t yes, need;
    bool changed; /* the request is not as it was: tell its channel */
};
/* -1: the store failed, and nothing was counted. */
int das_approval_vote(struct das_store *s, const struct das_people *people,
                      const struct das_vault *vault, const struct das_ballot *ballot,
                      struct das_ballot_result *out, struct das_err *err);

/* The opaque value of a button, "das:approval:ID:HASHPREFIX:y" (or ":n"), and what it means. False:
 * it is none. */
#define DAS_APPROVAL_VALUE_SIZE 48
void das_approval_value(const struct das_approval *a, bool yes, char out[DAS_APPROVAL_VALUE_SIZE]);
struct das_approval_value {
    char id[DAS_APPROVAL_ID_SIZE];
    char prefix[DAS_SHA256_HEX];
    bool yes;
};
bool das_approval_value_read(struct das_text t, struct das_approval_value *out);

/* --- carrying out ------------------------------------------------------------------------------
 */

/* What a plan needs to be applied, from whoever has it. */
struct das_approval_means {
    void *arg;
    /* Is this an instance that the caller can reach? Else the request is left for somebody else. */
    bool (*knows)(void *arg, const char *instance);
    int (*enter)(void *arg, const char *instance, struct das_source **out, struct das_err *err);
    void (*leave)(void *arg, const char *instance, struct das_source *source);
    /* Of the policy ("apply" or a script's path) that made the plan; as long as the call. */
    const struct das_policy_rules *(*rules)(void *arg, const char *policy);
    const struct das_protect *protect;
    const char *const *stop_files;
    const struct das_vault *vault;
    const struct das_apply_watch *watch; /* may be NULL */
};

/* What happened to a request. */
enum das_approval_fate {
    DAS_FATE_NOTHING, /* it is somebody else's, or not due */
    DAS_FATE_EXPIRED,
    DAS_FATE_SETTLED, /* applied, failed or unknown: the request says which */
};
/* Does what is due for the request: expires it; carries out an approved one, having claimed it
 * before, so that of any number of processes one does; settles one whose process died by what the
 * journal says, and carries it out anew only where the journal shows that it was never begun.
 * report (may be NULL) is set where the plan was applied now. s is the run of the kills. -1: the
 * store failed. */
int das_approval_carry_out(struct das_store *s, const char *id,
                           const struct das_approval_means *means, enum das_approval_fate *fate,
                           struct das_report **report, struct das_err *err);

/* Ids of all that have something due now and that means is for, oldest first, for
 * das_approval_carry_out(). Fills up to n, returns how many, or -1. */
typedef char das_approval_id[DAS_APPROVAL_ID_SIZE];
int das_approval_due(struct das_store *s, const struct das_approval_means *means,
                     das_approval_id *ids, size_t n, struct das_err *err);

/* --- telling -----------------------------------------------------------------------------------
 */

/* "approved by alice, bob; 3 killed" */
void das_approval_words(const struct das_approval *a, struct das_buf *b);
/* All of it but the plan, as one object. */
void das_approval_json(const struct das_approval *a, struct das_buf *b);

/* Whom a message that asks is for, and where. */
struct das_approval_audience {
    const struct das_channels *channels; /* may be NULL, or lack the request's: nobody is told */
    const struct das_people *people;
    const char *url; /* of das serve itself, or NULL */
};
/* The message that asks, into the outbox: with buttons where clicks come back, else with a link for
 * each person who may sign in on the page and the command. Once: not again where it was posted, nor
 * while another process that asked is about to. 1: posted; 0; -1. */
int das_approval_post(struct das_store *s, const struct das_approval *a,
                      const struct das_approval_audience *to, struct das_err *err);
/* All that wait and of which nobody was told, because who asked died. How many, or -1. */
int das_approval_post_all(struct das_store *s, const struct das_approval_audience *to,
                          struct das_err *err);
/* The same message as it stands now: edits it, or answers where the platform cannot edit. channels
 * may be NULL, or lack the request's: then nothing is said. */
int das_approval_tell(struct das_store *s, const char *id, const struct das_channels *channels,
                      struct das_err *err);
/* Only makes it: for who queues nothing (das test). */
struct das_notice;
int das_approval_notice(const struct das_approval *a, const struct das_plan *plan,
                        const struct das_channel *ch, struct das_notice *n, struct das_err *err);

#endif
