/*
 * hook_desk.h - takes requests that chats and alerts send to the hooks of das.lua: judges each
 * before anything of it is believed, answers the platform at once, and has the work done by a few
 * threads.
 *
 * In this order, and the first that says no ends it: signature and time, who is it, may they, can
 * it be understood, is there room, was it there before. With the last question it is noted, and what
 * is to be done is kept in the same transaction; only then it counts, and is answered.
 *
 * What is kept outlives the process, under the run of its desk's store:
 *   - not begun: a desk that comes after takes it up, in order, under the configuration of then; of
 *     a machine for a day, of a person while the platform would take the answer.
 *   - begun (on the disk before its script runs): never done again. Whoever asked is told that das
 *     ended while it was at it.
 *   - a vote is counted again, for it counts once a person; a runbook is begun if the run that was
 *     to begin it has none in the store, for then it never will.
 *   - done, and answered as far as that was possible: forgotten.
 *
 *   hook_desk.c  begins and ends; the line of what waits, and the threads
 *   hook_take.c  one request, on the thread of its connection
 *   hook_mean.c  what a request means: who, whether they may, what is to be done
 *   hook_keep.c  what is kept, and what becomes of what another das has left
 *   hook_work.c  one job: a script, a vote, a word to somebody
 *   hook_say.c   sends answers
 */
#ifndef DAS_SERVE_HOOK_DESK_H
#define DAS_SERVE_HOOK_DESK_H

#include <stdio.h>

#include "bindings/limits.h"
#include "core/serve/approver.h"
#include "core/serve/httpd.h"
#include "core/serve/metrics.h"
#include "core/serve/runbooks.h"

/* All borrowed, and to outlive the desk. */
struct das_hook_desk_conf {
    const struct das_rules *rules;   /* hooks, people, channels, scripts */
    struct das_inventory *inventory; /* its instances are open */
    const struct das_protect *protect;
    const struct das_secrets *secrets; /* of scripts; may be NULL */
    const struct das_vault *vault;     /* what no record may hold; may be NULL */
    const char *const *stop_files;
    const char *state_dir;
    int64_t workers, queue;
    struct das_metrics *metrics;
    struct das_approver *approver; /* is woken when something is to be carried out; may be NULL */
    struct das_runbooks *runbooks; /* is woken when a question was answered; may be NULL */
    FILE *log;                     /* or NULL */
};

struct das_hook_desk;

/* Reads the secrets of all hooks. DAS_E_CONFIG: one is missing or cannot be one. */
int das_hook_desk_new(const struct das_hook_desk_conf *conf, struct das_hook_desk **out,
                      struct das_err *err);
/* No job begins any more, and those that run are cancelled: they send no further kill. */
void das_hook_desk_stop(struct das_hook_desk *d);
/* Stops, and waits for all that runs. False: a script got stuck and still uses what conf points to;
 * nothing was freed, and the process should end. NULL is fine. */
bool das_hook_desk_free(struct das_hook_desk *d);
/* Takes up what desks have left whose process has died, as far as there is room; logs what becomes of
 * it. To be called when the door is open, and every second or so. */
void das_hook_desk_look(struct das_hook_desk *d);
/* Reads the secrets anew; when one cannot be read, -1 and all stay as they were. */
int das_hook_desk_reload(struct das_hook_desk *d, struct das_err *err);
void das_hook_desk_load(struct das_hook_desk *d, size_t *waiting, size_t *running);

/* Of the path, without the query; NULL: none. d may be NULL. */
const struct das_hook *das_hook_desk_at(const struct das_hook_desk *d, struct das_text path);

/* What became of a request, for the answer and the log. */
struct das_hook_taken {
    const struct das_hook *hook;
    const char *result; /* as das_metrics_hook() has it */
    char person[DAS_PERSON_NAME_SIZE];
    char why[300]; /* for the log only; "": nothing to say */
    int status;
    const char *allow; /* of a 405 */
    const char *type;  /* of the body; NULL: there is none */
    int64_t retry_after;
};
/* One request to t->hook; out is its answer: body, and headers besides. */
void das_hook_desk_take(struct das_hook_desk *d, const struct das_httpd_request *http,
                        struct das_hook_taken *t, struct das_httpd_answer *out);

#endif
