/* hook_desk_impl.h - what the files of hook_desk.h share; nobody else includes it. */
#ifndef DAS_SERVE_HOOK_DESK_IMPL_H
#define DAS_SERVE_HOOK_DESK_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "bindings/engine.h"
#include "core/hook/ask.h"
#include "core/hook/keys.h"
#include "core/notify/send.h"
#include "core/serve/hook_desk.h"
#include "core/serve/keyring.h"
#include "core/store/work.h"

struct das_hook_worker {
    struct das_hook_desk *desk;
    pthread_t thread;
    bool started;
    struct das_sender *sender;          /* made when first needed */
    struct das_inventory **inventories; /* one a hook, made when first needed; this thread's */
};

enum das_hook_job_kind {
    DAS_HOOK_JOB_SCRIPT,
    DAS_HOOK_JOB_RUNBOOK,
    DAS_HOOK_JOB_VOTE,   /* on a request for a kill */
    DAS_HOOK_JOB_ANSWER, /* to a question of a runbook */
    DAS_HOOK_JOB_WORDS
};

/* What waits to be done. Owned by the line, then by its worker; a request that waits for the first
 * answer (teams) holds it, too. */
struct das_hook_job {
    struct das_hook_job *next;
    struct das_hook_desk *desk;
    const struct das_hook *hook;
    const struct das_hook_command *command; /* NULL: the hook's own script */
    enum das_hook_job_kind kind;
    struct das_hook_ask ask;
    const struct das_person *person; /* NULL: a machine */
    char who[200];                   /* for the journal: "alice (slack U123)" */
    struct das_buf req;              /* of a script: JSON */
    struct das_buf words;            /* of WORDS */
    char *path, *instance, *params;  /* of RUNBOOK; params: JSON */
    bool alerts;                     /* what a machine reports are alerts */
    int64_t at_ms;                   /* Unix: when it was taken */
    int answers;                     /* sent so far */

    int64_t n;   /* of core/store/work.h; 0: it is not kept */
    bool begun;  /* what is kept says so */
    bool stays;  /* it is not over: whoever comes after goes on with what is kept */

    /* under desk->lock */
    int holders;
    bool waited_for; /* somebody holds the answer to the request open */
    bool answered, over;
    struct das_hook_ack at_once; /* the answer for them */
};

struct das_hook_desk {
    struct das_hook_desk_conf conf;
    pthread_rwlock_t keys_lock;
    struct das_hook_keys **keys; /* one a hook */
    pthread_mutex_t store_lock;
    struct das_store *store; /* of deliveries and their work */
    struct das_keyring *keyring;
    bool complained; /* the last look at what others left has failed */
    struct das_engine *engine;
    atomic_int cancel;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t work, back;
    struct das_hook_job *first, *last;
    size_t waiting, running, away; /* waiting: with the room that is reserved; away: scripts that
                                      got stuck and were left behind */
    bool ends;
    struct das_hook_worker *workers;
    size_t worker_count;
};

/* hook_desk.c. Room in the line for one job: false: there is none. It is given back, or used: then
 * the job is the line's, too. */
bool das_hook_reserve(struct das_hook_desk *d);
void das_hook_unreserve(struct das_hook_desk *d);
void das_hook_put(struct das_hook_desk *d, struct das_hook_job *j);
/* A script's, taken now; NULL: no memory. */
struct das_hook_job *das_hook_job_new(struct das_hook_desk *d, const struct das_hook *h,
                                      int64_t now_ms);
void das_hook_job_release(struct das_hook_job *j);
/* Waits so long for the first answer. True: j->at_once is it. Else nobody waits any more. */
bool das_hook_job_wait(struct das_hook_job *j, int64_t ms);
void das_hook_say_log(const struct das_hook_desk *d, const struct das_hook_job *j, int level,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Is the instance at position i one of the hook's? Without a list it has all. */
static inline bool das_hook_reaches(const struct das_hook *h, const struct das_inventory *inv,
                                    size_t i)
{
    return !h->instance_count || das_inventory_among(inv, i, (const char *const *)h->instances,
                                                     h->instance_count);
}

/* hook_mean.c: what j->ask means now. Starts as {0}; clear in any case. */
struct das_hook_meaning {
    enum {
        DAS_HOOK_DO,   /* what j has is to be done; of a report das_hook_mean_report() says what */
        DAS_HOOK_SAY,  /* only words for the person */
        DAS_HOOK_LEAVE /* nothing */
    } kind;
    const char *result;           /* as das_metrics_hook() has it */
    char why[300];                /* for the log; "": nothing to say */
    char word[DAS_HOOK_KEY_SIZE]; /* the command; "": none */
    struct das_buf words;
};
int das_hook_mean(struct das_hook_job *j, struct das_hook_meaning *m, struct das_err *err);
void das_hook_meaning_clear(struct das_hook_meaning *m);
/* fresh: of count alerts, which are new; NULL: all. */
int das_hook_mean_report(struct das_hook_job *j, const bool *fresh, size_t count,
                         struct das_err *err);

/* hook_keep.c. What is to be kept of j, sealed into *sealed, from which w borrows. */
int das_hook_keep_make(const struct das_hook_job *j, struct das_work_new *w, struct das_buf *sealed,
                       struct das_err *err);
/* Keeps j by itself: sets j->n. */
int das_hook_keep_add(struct das_hook_job *j, struct das_err *err);
/* It is begun by that run, and is not repeated. -1: that is not on the disk, and it must not be. */
int das_hook_keep_begin(struct das_hook_job *j, const char *run, struct das_err *err);
void das_hook_keep_end(struct das_hook_job *j); /* it is over, unless it stays */
/* "preview orders: das ended while at it ..." */
void das_hook_interrupted_words(const struct das_hook_job *j, char *out, size_t size);

/* hook_work.c */
void das_hook_job_do(struct das_hook_worker *w, struct das_hook_job *j);

/* hook_say.c: to whoever asked. DAS_E_UNSUPPORTED: there is nowhere to send it. */
int das_hook_say(struct das_hook_worker *w, struct das_hook_job *j, const struct das_notice *n,
                 bool open, struct das_err *err);
int das_hook_say_words(struct das_hook_worker *w, struct das_hook_job *j, const char *words,
                       struct das_err *err);

#endif
