/*
 * engine.h - what the rest of the program sees of Lua: run this script, tell what it did.
 *
 * Whether a run may kill is decided here, by the caller of das_engine_run(), and kept where no
 * script can reach it.
 */
#ifndef DAS_BINDINGS_ENGINE_H
#define DAS_BINDINGS_ENGINE_H

#include <stdatomic.h>
#include <stdio.h>

#include "bindings/limits.h"
#include "core/base/secret.h"
#include "core/http/message.h"
#include "core/plan/plan.h"
#include "core/session/render.h"
#include "core/source/inventory.h"

/* What a run looked at and did, told while it goes on, on the script's thread: for who wants to know
 * exactly (replay, test, explain). Each may be NULL. What is given is borrowed for the call, but
 * snapshots and plans may be retained. */
struct das_engine_watch {
    void *arg;
    bool whole; /* previews fetch every session where that selects the same (not das:), so that what is
                   told has also those that are out */
    void (*previewed)(void *arg, const char *instance, const struct das_selection *sel);
    void (*planned)(void *arg, const struct das_plan *plan);
    /* before its last look at the server */
    void (*applying)(void *arg, const struct das_plan *plan);
    /* report NULL: nothing could be verified, as err says */
    void (*applied)(void *arg, const struct das_plan *plan, const struct das_report *report,
                    const struct das_err *err);
    /* a message to that channel, which has been queued; or would have been, where the run's requests
     * are answered in the process */
    void (*notified)(void *arg, const char *channel, const struct das_notice *n);
    void (*required)(void *arg, const char *path); /* a module of its own, by its path */
};

/* Answers a run's HTTP requests, so that none leaves the process: one exchange each, after the run's
 * grants and limits have said yes (das_http_client_answered_by()). On the script's thread. */
struct das_engine_web {
    void *arg;
    int (*answer)(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                  struct das_err *err); /* NULL: they go out */
    void (*heard)(void *arg, const struct das_http_request *req,
                  const struct das_http_response *resp, int result, const struct das_err *err);
                                        /* of those; NULL: nobody (das_http_client_heard_by()) */
};

/* How a test decides what its policy asks for. */
enum das_votes { DAS_VOTES_NONE, DAS_VOTES_YES, DAS_VOTES_NO };
struct das_engine_votes {
    enum das_votes say;
};

/* The script is that of a hook (core/hook): it is called with one table, made of req. */
struct das_engine_hook {
    const char *name;    /* of the hook, for the record of a plan */
    struct das_text req; /* a JSON object */
    /* An answer to whoever asked, on the script's thread. DAS_E_UNSUPPORTED: there is nowhere to
     * send it. open: all of the chat may see it. */
    int (*reply)(void *arg, const struct das_notice *n, bool open, struct das_err *err);
    /* The runbook at path (absolute) on that instance, by itself and after this script; params: an
     * object as JSON. DAS_E_BUSY: there is no room for it. */
    int (*runbook)(void *arg, const char *path, const char *instance, struct das_text params,
                   struct das_err *err);
    void *arg;
};

/* Makes a script that says das.runbook{} a runbook: its steps are kept in the store, and a later run
 * of the engine goes on where this one ended (bindings/runbook.h does all of it). */
struct das_runbook_go {
    struct das_store *store;   /* for the script's thread alone; stays open */
    int64_t id;                /* of the run; 0: das.runbook{} starts a new one and sets it */
    const char *const *params; /* of a new one: "NAME=VALUE" */
    size_t param_count;
    const char *params_json;   /* an object: the values of one that goes on, or a new one's; may be
                                  NULL */
    const char *instances;     /* of a new one: JSON, a list of texts to choose them by again */
    int64_t until_ms;          /* of one that goes on: its timeout, Unix ms */
    const char *sha256;        /* of the script of one that goes on, as it was claimed with */
    bool accept_change;        /* of the script and its modules; a parameter that is no more is
                                  forgotten */
    bool stays;                /* long waits go by on the run's clock, instead of ending the run */
    /* stays: the answer to a question (asks: JSON, as in core/store/runbook.h); NULL: none, and the
     * run waits for it. May be NULL. */
    const char *(*answer)(void *arg, const char *step, const char *asks);
    void *arg;
};

struct das_coverage;
struct das_bench; /* what a file of tests is run with (testing.h) */

/* A run lives on the clock of the thread that starts it (das_clock_entered()). */
struct das_engine_opts {
    const char *path;                  /* the script; "-" is standard input */
    const char *const *args;           /* the script's own arguments */
    size_t arg_count;
    struct das_inventory *inventory;   /* what it may touch */
    const struct das_protect *protect; /* from the configuration; may be NULL */
    bool armed;                        /* false: every apply is a dry run */
    enum das_output output;            /* how print() shows previews, plans and reports */
    size_t width;                      /* of a table, in cells; 0: no limit */
    const struct das_limits *limits;   /* NULL: das_limits_default */
    const struct das_grants *grants;   /* NULL: preview and kill */
    const struct das_secrets *secrets; /* where das.secret() looks; may be NULL */
    const struct das_channels *channels; /* where das.notify() sends to; may be NULL */
    const struct das_people *people;   /* who may approve; NULL: nobody is known */
    const char *person;                /* who asked, as one of them, where somebody else than the
                                          machine has vouched for it; NULL: by user */
    const char *url;                   /* of das serve, for links in messages; may be NULL */
    const struct das_engine_votes *votes; /* approvals are decided at once, in memory; may be NULL */
    const struct das_policy_rules *policy; /* how far it may go and how much it may kill; NULL: the
                                          defaults */
    const char *const *stop_files;     /* the off switch, ends with NULL; may be NULL */
    const char *state_dir;             /* where the journal is kept; needed when armed */
    struct das_store *store;           /* in place of the one in state_dir, and stays open; may be
                                          NULL */
    const struct das_engine_watch *watch; /* may be NULL */
    const struct das_engine_web *web;  /* NULL: requests go out */
    struct das_runbook_go *runbook;    /* NULL: das.runbook{} raises */
    struct das_coverage *coverage;     /* counts the lines that ran; may be NULL */
    struct das_bench *bench;           /* the script is a file of tests; NULL: it is a policy */
    const struct das_engine_hook *hook; /* NULL: it is called with args */
    const char *user;                  /* of the machine, who asked; may be NULL */
    bool by_person;                    /* as in struct das_guard */
    struct das_buf *plans;             /* gets each plan that is applied, das_plan_write(); may be
                                          NULL */
    const atomic_int *cancel;          /* not 0: end the run; may be NULL */
    struct das_engine *engine;         /* remembers stuck scripts; may be NULL */
    /* A run that was given up as stuck has ended after all, told on its thread: from now on nothing
     * uses opts and what they point to. May be NULL. */
    void (*came_back)(void *arg);
    void *came_back_arg;
    FILE *out;                         /* where print() writes */
    FILE *log;                         /* where a preview's warnings go, each once; NULL: nowhere */
};

/* How a run ended. */
enum das_end {
    DAS_END_DONE,      /* the script ran to its end */
    DAS_END_ERROR,     /* it raised, or could not be read */
    DAS_END_LIMIT,     /* a limit struck */
    DAS_END_CANCELLED, /* by the caller */
    DAS_END_STUCK,     /* over a limit or cancelled, and could not be interrupted */
    DAS_END_WAITING,   /* a runbook that goes on later: the store says when, or what for */
};
const char *das_end_name(enum das_end e); /* "done", "limit", ... */

/* One kill that was sent, in the order of sending; or an order that the cloud was given. */
struct das_act {
    int64_t id;                 /* of the session; order: of the task, or 0 */
    char instance[128];
    char user[80];              /* order: "" */
    char action[16];            /* "query", "connection"; order: "create task" */
    char note[200];
    enum das_outcome_kind kind; /* UNKNOWN also while no answer has come; order: KILLED when done */
    bool answered;
    bool order;
};

/* What a run did and used, also when it failed half way. */
struct das_engine_result {
    enum das_end end;
    const char *limit;           /* "cpu", "memory", ...: the limit that struck, or NULL */
    size_t applied;              /* plans applied */
    size_t apply_failed;         /* plans that could not be verified, so that nothing was done */
    size_t totals[DAS_O_COUNT];  /* outcomes over all of them, and of orders to the cloud */
    size_t dry_orders;           /* to the cloud, that would have been given */
    size_t refused_orders;       /* by a guard; in no total */
    struct das_act *acts;        /* every kill that was sent */
    size_t act_count;
    size_t notified;             /* messages that were queued */
    char refused[400];           /* why a plan, or what was left of it, was refused; "": none was */
    char would_refuse[400];      /* dry run: why an armed one would be */
    struct {
        uint64_t memory;         /* bytes, at the highest */
        uint64_t instructions;   /* of the Lua machine: tens of thousands that were completed; a
                                    coroutine has a count of its own, whose rest is not seen, and
                                    each resume stands for 100 */
        int64_t cpu_ms, wall_ms;
        uint64_t output, http_requests, http_bytes;
    } used;
};
void das_engine_result_clear(struct das_engine_result *r);

/* Scripts that got stuck once, in this process: they are refused from then on. One that waited for
 * an instance when its time was over is not among them: the instance hangs, not the script. Shared by all runs
 * of a host; das_engine_health() writes {"running":..,"stuck":[{"script":..,"since":..}]}. */
struct das_engine;
struct das_engine *das_engine_new(struct das_err *err);
/* Only when nothing is running or stuck. NULL is fine. */
void das_engine_free(struct das_engine *e);
void das_engine_health(struct das_engine *e, struct das_buf *b);

/* The text of a script; path "-" is standard input. DAS_E_IO. */
int das_script_read(const char *path, struct das_buf *b, struct das_err *err);

/* Runs the script on a thread of its own and waits for it, at the most half a second over its
 * limits. 0 when the script ran to its end within them, or waits. Else -1: DAS_E_SCRIPT with script:line,
 * DAS_E_LIMIT, DAS_E_CANCELLED, or DAS_E_STUCK: then the thread still runs, and all that opts point
 * to must stay as it is for the rest of the process. result is to be cleared in any case. */
int das_engine_run(const struct das_engine_opts *opts, struct das_engine_result *result,
                   struct das_err *err);

#endif
