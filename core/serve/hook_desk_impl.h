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
#include "core/store/store.h"

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
    int answers;                     /* sent so far */

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
    struct das_store *store; /* of deliveries */
    struct das_engine *engine;
    atomic_int cancel;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t work, back;
    struct das_hook_job *first, *last;
    size_t waiting, running, away; /* away: scripts that got stuck and were left behind */
    bool ends;
    struct das_hook_worker *workers;
    size_t worker_count;
};

/* hook_desk.c. 0: it waits, and is the line's; -1: there is no room. */
int das_hook_put(struct das_hook_desk *d, struct das_hook_job *j);
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

/* hook_work.c */
void das_hook_job_do(struct das_hook_worker *w, struct das_hook_job *j);

/* hook_say.c: to whoever asked. DAS_E_UNSUPPORTED: there is nowhere to send it. */
int das_hook_say(struct das_hook_worker *w, struct das_hook_job *j, const struct das_notice *n,
                 bool open, struct das_err *err);
int das_hook_say_words(struct das_hook_worker *w, struct das_hook_job *j, const char *words,
                       struct das_err *err);

#endif
