/*
 * plan.h - a kill that has been decided but not done, and what became of it.
 *
 * A plan is made from a preview and never changes: who would die, how they were recognised, why,
 * until when. Applying it looks at the server once more and kills only what is still exactly what
 * was previewed. This room is the only one that can kill.
 */
#ifndef DAS_PLAN_PLAN_H
#define DAS_PLAN_PLAN_H

#include "core/base/digest.h"
#include "core/plan/guard.h"
#include "core/plan/protect.h"
#include "core/session/selection.h"
#include "core/source/source.h"

enum das_kill_mode {
    DAS_MODE_AUTO,       /* the statement outside a transaction, else the connection */
    DAS_MODE_QUERY,      /* the statement */
    DAS_MODE_CONNECTION, /* the connection */
    DAS_MODE_SOFT,       /* the statement, but not where that may damage a table: DDL on tables
                            without transactions (MariaDB's KILL SOFT) */
};

#define DAS_PLAN_TTL_DEFAULT 60   /* s */
#define DAS_PLAN_TTL_MAX 86400    /* s */
#define DAS_PLAN_REASON_MAX 1000  /* bytes */

#define DAS_PLAN_ESCALATE_MAX 3600000 /* ms */

/* Who wants it. All of them may be NULL: not known, or it does not apply. */
struct das_asked {
    const char *user;          /* of the machine: "alice" */
    const char *script;        /* path; "-" for standard input; "repl" */
    const char *script_sha256; /* hex, of its text */
    const char *hook, *task;   /* what started it, where something did */
};

struct das_plan_opts {
    enum das_kill_mode mode;
    const char *reason;     /* NULL: none given */
    bool trust_source;      /* disputed sessions, too: the source selected them, das's own reading of
                               the filter did not. false: they are left out */
    int64_t ttl_s;          /* 0: the default */
    int64_t escalate_ms;    /* query and soft: where the statement goes on for so long after its
                               kill, the connection is killed, verified anew; 0: no */
    struct das_filter *symptom; /* what the kills are to cure: sessions that match it have to become
                               fewer, or the breaker opens; NULL: none named */
    const struct das_asked *asked;        /* NULL: nobody known */
    const struct das_kill_limits *limits; /* that the maker is held to; NULL: the defaults. Applying
                               holds to them and to those of its own configuration */
};

struct das_plan; /* immutable, counted by reference */

/* Touches no server: which one it is for, the selection's snapshot knows. instance is its name. */
struct das_plan *das_plan_new(const struct das_selection *sel, const char *instance,
                              const struct das_plan_opts *opts, struct das_err *err);
/* The same victims and terms, made now and good for ttl_s: for what has to wait for people. Another
 * plan, with another hash. */
struct das_plan *das_plan_anew(const struct das_plan *p, int64_t ttl_s, struct das_err *err);
struct das_plan *das_plan_retain(struct das_plan *p);
void das_plan_release(struct das_plan *p); /* NULL is fine */

size_t das_plan_victims(const struct das_plan *p);
void das_plan_victim(const struct das_plan *p, size_t i, struct das_session *out);
enum das_kill_mode das_plan_mode(const struct das_plan *p);
const char *das_mode_name(enum das_kill_mode m); /* "auto", "query", "connection", "soft" */
int das_mode_find(const char *name);             /* or -1 */
const char *das_plan_reason(const struct das_plan *p);   /* "" when none */
const char *das_plan_instance(const struct das_plan *p);
/* Is one of the victims there only because the source says so? */
bool das_plan_trusts_source(const struct das_plan *p);
size_t das_plan_left_out(const struct das_plan *p); /* disputed sessions that are no victims */
int64_t das_plan_escalate_ms(const struct das_plan *p);
const struct das_filter *das_plan_symptom(const struct das_plan *p); /* or NULL */
const struct das_asked *das_plan_asked(const struct das_plan *p);
const struct das_kill_limits *das_plan_limits(const struct das_plan *p);
int64_t das_plan_created_ms(const struct das_plan *p);   /* Unix milliseconds */
int64_t das_plan_expires_ms(const struct das_plan *p);
const char *das_plan_hash(const struct das_plan *p);     /* SHA-256 of das_plan_json(), hex */
const struct das_filter *das_plan_filter(const struct das_plan *p);

/* The whole plan but its hash as one JSON object, byte-stable. */
void das_plan_json(const struct das_plan *p, struct das_buf *b);
void das_plan_print(const struct das_plan *p, size_t width, struct das_buf *b);

/* A plan on its own, to be applied later: the object of das_plan_json() with the hash as its last
 * member "sha256", and a newline. */
void das_plan_write(const struct das_plan *p, struct das_buf *b);
/* Reads one such line (with or without its newline). DAS_E_DATA when a byte was changed, it is no
 * plan, of another version, or larger than these. */
#define DAS_PLAN_LINE_MAX (16 << 20) /* bytes */
#define DAS_PLAN_VICTIMS_MAX 100000
struct das_plan *das_plan_read(struct das_text line, struct das_err *err);

/* --- applying --------------------------------------------------------------------------------- */

enum das_outcome_kind {
    DAS_O_KILLED,    /* accepted by the server, and seen to be gone */
    DAS_O_KILLING,   /* accepted; still ending (rolling back) when the wait was over */
    DAS_O_DRY_RUN,   /* would have been killed */
    DAS_O_GONE,      /* ended by itself in the meantime */
    DAS_O_CHANGED,   /* runs something else now, belongs to someone else, or no longer matches */
    DAS_O_PROTECTED, /* never to be killed */
    DAS_O_REFUSED,   /* a rule said no: plan expired, another server, nothing to kill, ... */
    DAS_O_FAILED,    /* the server refused, or the statement went on as if nothing had been said */
    DAS_O_UNKNOWN,   /* the connection was lost in between; not tried again */
    DAS_O_COUNT
};
const char *das_outcome_name(enum das_outcome_kind k); /* "dry_run" */

struct das_outcome {
    enum das_outcome_kind kind;
    const char *action; /* "query", "connection", "soft"; "" where it did not come to that */
    char *note;         /* why; "" when the kind says it all */
    int64_t after_ms;   /* killed: from the kill until it was seen to be gone; else DAS_UNKNOWN */
    int64_t rows_left;  /* killing: rows still to be rolled back, where the server tells */
    int64_t look_age_ms; /* of the last look at the session when its kill was sent, where something
                           may have happened in between; else DAS_UNKNOWN */
};

struct das_report {
    struct das_plan *plan;
    bool armed;
    struct das_outcome *items; /* one for each victim, in the plan's order */
    size_t count;
    size_t totals[DAS_O_COUNT];
    size_t respawned; /* statements of the victims that came back while we looked */
    char *would_block; /* dry run: why an armed one would be refused now; NULL: it would not */
    const char *kill_window; /* what a victim could do unnoticed between the last look at it and its
                                kill; NULL: nothing that matters, or nothing was killed */
};

/* Called around every single kill of an armed apply, on the applying thread. */
struct das_apply_watch {
    /* Just before a kill is sent. False stops the apply: this victim and those after it are
     * refused, with why (filled by the callee) as the note. */
    bool (*before)(void *arg, const struct das_plan *p, size_t victim, const char *action,
                   char *why, size_t size);
    /* Its outcome: KILLED, KILLING, GONE, FAILED or UNKNOWN. Several kills may be sent before the
     * outcome of the first is known. May be NULL. */
    void (*after)(void *arg, const struct das_plan *p, size_t victim,
                  const struct das_outcome *outcome);
    /* Asked while outcomes are waited for: true ends the wait. May be NULL. */
    bool (*cancelled)(void *arg);
    void *arg;
    /* Asked once more where the intent is in the journal, which may have taken its time, and last
     * right before the kill is sent. False: as of before. May be NULL. */
    bool (*still)(void *arg, char *why, size_t size);
};

struct das_apply_opts {
    bool armed;                        /* false: a dry run, whatever the caller hopes */
    const struct das_protect *protect; /* added to the built-in list; may be NULL */
    const struct das_guard *guard;     /* needed when armed; may be NULL in a dry run */
    const struct das_apply_watch *watch; /* may be NULL */
};

/* Re-reads source and deals with every victim. -1 with err when nothing could be verified or the
 * journal could not be written (and so nothing was killed). Else *out has one outcome for each victim. */
int das_plan_apply(struct das_plan *p, struct das_source *source,
                   const struct das_apply_opts *opts, struct das_report **out,
                   struct das_err *err);
void das_report_free(struct das_report *r); /* NULL is fine */
void das_report_print(const struct das_report *r, size_t width, struct das_buf *b);
void das_report_json(const struct das_report *r, struct das_buf *b);

#endif
