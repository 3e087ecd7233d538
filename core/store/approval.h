/*
 * approval.h - requests for a kill that people have to say yes to, and what they said.
 *
 * The journal is the truth: what was asked for, and each vote, is a record of kind "approval", and
 * a request is read from its records, whose hashes are checked. The tables hold the plan (whose
 * hash is in the journal), how far it is, who carries it out, and which links were given out.
 * Whether a vote counts is not decided here (core/approval): das_approval_change() asks, inside the
 * transaction.
 */
#ifndef DAS_STORE_APPROVAL_H
#define DAS_STORE_APPROVAL_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/digest.h"
#include "core/store/store.h"

#define DAS_APPROVAL_ID_SIZE 13 /* 12 hex digits and NUL */

enum das_approval_state {
    DAS_APPROVAL_WAITING,
    DAS_APPROVAL_APPROVED, /* and nobody has begun to carry it out */
    DAS_APPROVAL_APPLYING, /* by the run in claim */
    DAS_APPROVAL_APPLIED,  /* the plan was carried out: result says what became of whom */
    DAS_APPROVAL_REJECTED,
    DAS_APPROVAL_EXPIRED,
    DAS_APPROVAL_UNKNOWN, /* whoever carried it out died, and what became of it nobody knows */
    DAS_APPROVAL_FAILED,  /* approved, but nothing was killed: note says why */
    DAS_APPROVAL_STATES
};
const char *das_approval_state_name(enum das_approval_state s); /* "waiting", ... */
/* Nothing further will happen to it. */
bool das_approval_over(enum das_approval_state s);

struct das_approval_vote {
    const char *person, *via, *reason; /* reason: "" when none */
    bool yes;
    int64_t at_ms; /* Unix */
};

/* One request as it is now. Texts belong to it. */
struct das_approval {
    char id[DAS_APPROVAL_ID_SIZE];
    char hash[DAS_SHA256_HEX]; /* of the plan */
    enum das_approval_state state;
    const char *instance, *policy, *channel, *reason; /* "" when none */
    const char *by;     /* who asked, for people; "" not known */
    const char *run;    /* the store's run that asked */
    const char *person; /* the same as a person of the configuration; "" is none */
    const char **roles, **users; /* who may say yes */
    size_t role_count, user_count;
    int64_t need, victims;
    int64_t created_ms, expires_ms, decided_ms, ended_ms; /* Unix; 0: not yet */
    struct das_approval_vote *votes;                      /* oldest first, one for each person */
    size_t vote_count, yes_count;
    struct das_text plan;        /* its line (das_plan_read()) */
    char claim[DAS_RUN_ID_SIZE]; /* "" */
    const char *delivery;        /* of the message in its channel; "" */
    const char *note;            /* "" */
    struct das_text result;      /* a report as JSON; empty: none */
    json_t *root;                /* holds the texts; for store/approval.c */
};
void das_approval_free(struct das_approval *a); /* NULL is fine */

struct das_approval_new {
    struct das_text plan;    /* its line */
    struct das_text members; /* of the record: "plan":"HEX","instance":...,"need":1,... */
    const char *subject;     /* the same for the same sessions of the same policy */
    int64_t expires_ms;
};
/* 1: new, with its record in the journal; 0: the same subject waits for an answer already, is being
 * carried out, or was rejected and would not have expired yet; -1. id is the request's. */
int das_approval_add(struct das_store *s, const struct das_approval_new *n, int64_t now_ms,
                     char id[DAS_APPROVAL_ID_SIZE], struct das_err *err);

/* *out NULL and 0: there is none. DAS_E_DATA: the database does not say what the journal says; such
 * a request can neither be voted on nor carried out. */
int das_approval_get(struct das_store *s, const char *id, struct das_approval **out,
                     struct das_err *err);

/* What is to become of it, and the record that says so. */
struct das_approval_step {
    const char *event;     /* of the record; NULL: nothing is done */
    struct das_buf members; /* "{" and more of the record; may be empty */
    int state;             /* the new one, or -1 */
    const char *voter;     /* the record is this person's vote */
    bool claim;            /* by this handle's run */
    const char *note;      /* NULL: as it is; as long as the call */
    struct das_text result; /* ptr NULL: as it is */
    const char *link;      /* hash of a link that is used up now */
};
typedef int das_approval_fn(void *arg, const struct das_approval *a,
                            struct das_approval_step *step, struct das_err *err);
/* Asks fn what is to be done, and does it, in one transaction. 1; 0: there is no such request; -1,
 * and nothing was changed. */
int das_approval_change(struct das_store *s, const char *id, das_approval_fn *fn, void *arg,
                        struct das_err *err);

/* 1: the run that carries it out has died; 0; -1. */
int das_approval_is_orphan(struct das_store *s, const struct das_approval *a, struct das_err *err);
/* 1: it waits, has a channel, and nobody has been told: whoever asked died before that, or is this
 * handle. 0; -1. */
int das_approval_is_untold(struct das_store *s, const struct das_approval *a, struct das_err *err);
/* Which delivery shows it in its channel. */
int das_approval_set_delivery(struct das_store *s, const char *id, const char *delivery,
                              struct das_err *err);

/* What a list has of a request; das_approval_get() has the rest, and knows whether it is true. */
struct das_approval_key {
    char id[DAS_APPROVAL_ID_SIZE];
    enum das_approval_state state;
};
/* Newest first; open: only those that are not over. Fills up to n, returns how many, or -1. */
int das_approval_list(struct das_store *s, bool open, struct das_approval_key *out, size_t n,
                      struct das_err *err);
/* The same of those that wait and have no delivery; oldest first. */
int das_approval_silent(struct das_store *s, struct das_approval_key *out, size_t n,
                        struct das_err *err);
/* The same of those that are decided and not over, or whose time is; oldest first. */
int das_approval_pending(struct das_store *s, int64_t now_ms, struct das_approval_key *out,
                         size_t n, struct das_err *err);
/* How many wait for an answer, and how many for being carried out. */
int das_approval_count(struct das_store *s, int64_t *waiting, int64_t *approved,
                       struct das_err *err);

/* What became of the plan with that hash, as far as the journal tells. 1; 0: it was never applied;
 * -1. */
struct das_approval_trace {
    char words[400]; /* "killed 2, unknown 1" */
    int64_t settled; /* victims that a kill was meant for */
    bool doubt;      /* what became of one of them nobody knows */
};
int das_approval_trace(struct das_store *s, const char *plan_hash, struct das_approval_trace *out,
                       struct das_err *err);

/* --- links: a page for one person, to be used once -------------------------------------------------
 * Only hashes are kept. */

struct das_approval_link {
    char approval[DAS_APPROVAL_ID_SIZE];
    char person[65];
    int64_t used_ms; /* 0: not yet */
};
int das_approval_link_add(struct das_store *s, const char *hash, const char *approval,
                          const char *person, struct das_err *err);
/* 1, 0: there is none, or -1. */
int das_approval_link_find(struct das_store *s, const char *hash, struct das_approval_link *out,
                           struct das_err *err);
/* A form that was given out on the page of that link. So many of a link are good at a time. */
#define DAS_APPROVAL_FORMS 20
int das_approval_form_add(struct das_store *s, const char *form_hash, const char *link_hash,
                          int64_t until_ms, struct das_err *err);
/* 1: it was given out for that link, is still good, and is used up now; 0; -1. */
int das_approval_form_take(struct das_store *s, const char *form_hash, const char *link_hash,
                           int64_t now_ms, struct das_err *err);

#endif
