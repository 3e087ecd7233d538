/*
 * runbook.h - durable runbooks: which runs there are, which steps of theirs are done and with what
 * result, and which wait for a person.
 *
 * A run is a script that is carried on by one process at a time; the store's run id of that process
 * (store.h) says whether it still lives. What a step is about to do is on the disk before it does it:
 * that is what a later process goes by. What people decide (start, answer, resolve, cancel) is a
 * record "runbook" in the journal, in the same transaction.
 *
 * Used by bindings (the script's thread, with the run's own handle), core/cli and core/serve. It
 * runs nothing and knows no Lua.
 */
#ifndef DAS_STORE_RUNBOOK_H
#define DAS_STORE_RUNBOOK_H

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/store/outbox.h" /* DAS_DELIVERY_SIZE */

/* Those before DONE are open: one open run has a key. The numbers are in databases. */
enum das_runbook_status {
    DAS_RUNBOOK_RUNNING, /* or interrupted, das_runbook_interrupted() */
    DAS_RUNBOOK_WAITING, /* for an answer, or for a moment */
    DAS_RUNBOOK_UNKNOWN, /* for a person to say what became of a step */
    DAS_RUNBOOK_DONE,
    DAS_RUNBOOK_FAILED,
    DAS_RUNBOOK_CANCELLED,
};
const char *das_runbook_status_name(enum das_runbook_status s); /* "running", ... */

/* Moments are Unix ms; 0: none. Owned by its arena. */
struct das_runbook {
    int64_t id; /* 1, 2, ...; never used again */
    const char *name, *path, *sha256; /* of the script */
    const char *instances, *params;   /* JSON: a list of what -i said; an object */
    const char *key, *who;
    bool armed;
    enum das_runbook_status status;
    const char *run; /* the store's run that carries it on; "": none */
    int64_t started_ms, changed_ms, ended_ms;
    int64_t until_ms; /* its timeout */
    int64_t wake_ms;  /* waiting: when it goes on by itself */
    bool cancel;      /* somebody asked for its end */
    const char *error;
    struct das_arena arena;
};
void das_runbook_clear(struct das_runbook *r);

enum das_step_kind { DAS_STEP_CALL, DAS_STEP_ASK, DAS_STEP_SLEEP };
enum das_step_status {
    DAS_STEP_BEGUN,
    DAS_STEP_WAITING,
    DAS_STEP_UNKNOWN,
    DAS_STEP_DONE,
    DAS_STEP_FAILED,
};
const char *das_step_kind_name(enum das_step_kind k);     /* "step", "ask", "sleep" */
const char *das_step_status_name(enum das_step_status s); /* "begun", ... */

/* NULL and "" are the same in texts. */
struct das_runbook_step {
    int64_t n; /* 1, 2, ... in the order in which they began; 0: it is new */
    const char *name;
    enum das_step_kind kind;
    enum das_step_status status;
    bool acts;         /* it may have changed something outside */
    int64_t attempts;  /* begun */
    int64_t failures;  /* of those, that ended in an error */
    int64_t begun_ms, ended_ms;
    int64_t wake_ms;   /* waiting: until when at the most */
    const char *asks;  /* JSON: {"question","choices","approvers","channel","default"} */
    const char *result; /* JSON: of a step that is done; of one that failed {"message","code"} that it
                           returned, or "" where it raised */
    const char *error;
    const char *who, *reason; /* who answered or resolved it */
    struct das_arena arena;
};
void das_runbook_step_clear(struct das_runbook_step *s);

/* --- a run ------------------------------------------------------------------------------------- */

/* r has name to who, armed and until_ms. Fills id; the caller's process carries it on. 1: done; 0:
 * an open run has the key, *other; -1. */
int das_runbook_start(struct das_store *s, struct das_runbook *r, int64_t now_ms, int64_t *other,
                      struct das_err *err);
/* 1: *out is to be cleared; 0: there is none; -1. */
int das_runbook_get(struct das_store *s, int64_t id, struct das_runbook *out, struct das_err *err);
/* Newest first; open: only those that have not ended. Anything but 0 of fn ends the walk and is
 * returned. */
typedef int das_runbook_fn(void *arg, const struct das_runbook *r);
int das_runbook_each(struct das_store *s, bool open, int64_t max, das_runbook_fn *fn, void *arg,
                     struct das_err *err);
/* Of those that have not ended. */
struct das_runbook_counts {
    int64_t open, unknown; /* unknown: of them, that wait for a person to say what became of a step */
    int64_t questions;     /* that wait for an answer */
};
int das_runbook_count(struct das_store *s, struct das_runbook_counts *out, struct das_err *err);
/* 1: it says running, and nobody carries it on; 0; -1. */
int das_runbook_interrupted(struct das_store *s, const struct das_runbook *r, struct das_err *err);

/* This process carries it on from here: *out is to be cleared. DAS_E_BLOCKED says what is in the
 * way: it runs elsewhere, has ended, waits, or a step of unknown outcome has to be resolved. sha256:
 * of the script as it is now; another one than the run's is refused unless accept_change. */
int das_runbook_claim(struct das_store *s, int64_t id, const char *sha256, bool accept_change,
                      const char *who, int64_t now_ms, struct das_runbook *out,
                      struct das_err *err);
/* Ids of runs that can go on by themselves: interrupted, or their moment has come. Up to n; how
 * many were filled, or -1. */
int64_t das_runbook_due(struct das_store *s, int64_t now_ms, int64_t *ids, size_t n,
                        struct das_err *err);
/* The one that this handle carries on ends, done, failed or cancelled; it is nobody's from then
 * on. */
int das_runbook_end(struct das_store *s, int64_t id, enum das_runbook_status how,
                    const char *error, int64_t now_ms, struct das_err *err);
/* This handle carries it on no longer, and it goes on where it is: it was interrupted. */
int das_runbook_let_go(struct das_store *s, int64_t id, int64_t now_ms, struct das_err *err);

/* The text of a module that the script requires: 0 when it is as in the first stretch, or new;
 * DAS_E_BLOCKED when it has changed, unless accept_change. */
int das_runbook_module(struct das_store *s, int64_t id, const char *path, const char *sha256,
                       bool accept_change, struct das_err *err);

/* --- its steps, by the process that carries it on ---------------------------------------------- */

/* All of these refuse with DAS_E_BLOCKED when the run is not this handle's any more, and the first
 * three with DAS_E_CANCELLED when somebody asked for its end. */

/* A step begins, or once more: status BEGUN, attempts counted. Fills n. On the disk on return. */
int das_step_begin(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                   int64_t now_ms, struct das_err *err);
/* The run waits with that step, new or not, and is nobody's from here on. */
int das_step_wait(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                  int64_t now_ms, struct das_err *err);
/* It is about to change something outside: what, for people (""). On the disk on return. */
int das_step_acts(struct das_store *s, int64_t runbook, int64_t n, const char *what,
                  int64_t now_ms, struct das_err *err);
/* What became of it: status, result, error, failures and acts of step. */
int das_step_end(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                 int64_t now_ms, struct das_err *err);
/* Nobody knows what became of it: so for the step, and the run, which is nobody's from here on. */
int das_step_unknown(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                     int64_t now_ms, struct das_err *err);
/* What happened in it, for people: kind "apply" (note: a report as JSON), "http", ... */
int das_step_note(struct das_store *s, int64_t runbook, int64_t n, const char *kind,
                  struct das_text note, int64_t now_ms, struct das_err *err);

/* 1: *out is to be cleared; 0: there is none; -1. */
int das_step_get(struct das_store *s, int64_t runbook, const char *name,
                 struct das_runbook_step *out, struct das_err *err);

/* The same by its number. */
int das_step_at(struct das_store *s, int64_t runbook, int64_t n, struct das_runbook_step *out,
                struct das_err *err);

/* --- reading all of it ------------------------------------------------------------------------- */

typedef int das_step_fn(void *arg, const struct das_runbook_step *step);
int das_step_each(struct das_store *s, int64_t runbook, das_step_fn *fn, void *arg,
                  struct das_err *err);
struct das_step_note {
    int64_t n, at_ms;
    const char *kind;
    struct das_text note;
};
typedef int das_note_fn(void *arg, const struct das_step_note *note);
int das_note_each(struct das_store *s, int64_t runbook, das_note_fn *fn, void *arg,
                  struct das_err *err);
struct das_stretch {
    const char *who, *how; /* "done", "waiting", ...; "": it ended in the middle, or runs */
    int64_t began_ms, ended_ms;
};
typedef int das_stretch_fn(void *arg, const struct das_stretch *stretch);
int das_stretch_each(struct das_store *s, int64_t runbook, das_stretch_fn *fn, void *arg,
                     struct das_err *err);
/* *id: the runbook that this run (of a handle) began or carried on; 0: none, and if it has died it
 * never will. */
int das_runbook_of_run(struct das_store *s, const char *run, int64_t *id, struct das_err *err);

/* --- what people decide ------------------------------------------------------------------------ */

struct das_decider {
    const char *name;
    const char *const *roles;
    size_t role_count;
    const char *via; /* "cli", "slack", ...: how they said it; NULL: not known */
    bool stranger;   /* may answer only where the question names them, or a role of theirs */
};

/* The one answer to a question. step: its name or its number. DAS_E_USAGE: no such run, step or
 * choice; DAS_E_BLOCKED: it was answered, has expired, or that person is none of its approvers. */
int das_runbook_answer(struct das_store *s, int64_t id, const char *step, const char *choice,
                       const struct das_decider *by, const char *reason, int64_t now_ms,
                       struct das_err *err);
/* What became of a step whose outcome is unknown, or that failed and ended its run: done (result:
 * JSON, or NULL for null), failed, or to be done again. Afterwards the run can go on. */
enum das_resolve { DAS_RESOLVE_DONE, DAS_RESOLVE_AGAIN, DAS_RESOLVE_FAILED };
int das_runbook_resolve(struct das_store *s, int64_t id, const char *step, enum das_resolve how,
                        const char *result, const struct das_decider *by, const char *reason,
                        int64_t now_ms, struct das_err *err);
/* 1: it has ended; 0: it runs, and ends before its next step; -1. */
int das_runbook_cancel(struct das_store *s, int64_t id, const struct das_decider *by,
                       const char *reason, int64_t now_ms, struct das_err *err);

/* --- telling people of questions ----------------------------------------------------------------- */

/* A question with a channel. What was posted is known by its delivery. */
struct das_question {
    int64_t runbook, n;
    char delivery[DAS_DELIVERY_SIZE]; /* "": it was not posted yet */
};
/* Questions that wait and were not posted, and those that were and are over now, in their order and
 * behind after (NULL: from the first). Up to n; how many were filled, or -1. */
int das_question_due(struct das_store *s, const struct das_question *after,
                     struct das_question *out, size_t n, struct das_err *err);
/* What is said of q, into the outbox: that it waits, or, where it was posted, how it ended. One
 * commit has the message and that it was said, so that of any number of processes, and whenever one
 * dies, one says it. 1: it is queued; 0: somebody else was first; -1: as das_outbox_add(). */
int das_question_post(struct das_store *s, const struct das_question *q,
                      const struct das_outbox_new *m, int64_t now_ms, struct das_err *err);

#endif
