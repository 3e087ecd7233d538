/*
 * hook_work.c - one job of a hook, on a worker's thread (see hook_desk.h): a script or a runbook,
 * as far as the rules of das.lua let it go; or a vote on a request for a kill, or the answer to a
 * runbook's question, which no script sees.
 */
#include <string.h>

#include "bindings/runbook.h"
#include "core/approval/approval.h"
#include "core/approval/question.h"
#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/serve/hook_desk_impl.h"

/* --- votes ------------------------------------------------------------------------------------ */

static int vote(struct das_hook_job *j, struct das_ballot_result *out, struct das_err *err)
{
    const struct das_hook_desk *d = j->desk;
    struct das_approval_value value;
    struct das_ballot ballot = {.person = j->person ? j->person->name : NULL,
                                .via = das_hook_platforms[j->hook->platform].name};
    struct das_store *s = NULL;
    int rc;

    if (!das_approval_value_read(das_text_of(j->ask.button), &value))
        return das_fail(err, DAS_E_DATA, "the button is none of das's");
    ballot.id = value.id;
    ballot.hash_prefix = value.prefix;
    ballot.yes = value.yes;
    if (das_store_open(d->conf.state_dir, &s, err) < 0)
        return -1;
    rc = das_approval_vote(s, &d->conf.rules->people, d->conf.vault, &ballot, out, err);
    if (rc == 0 && out->changed)
        rc = das_approval_tell(s, value.id, &d->conf.rules->channels, err);
    das_store_close(s);
    if (rc == 0 && d->conf.approver)
        das_approver_wake(d->conf.approver);
    return rc;
}

static void do_vote(struct das_hook_worker *w, struct das_hook_job *j)
{
    struct das_ballot_result result = {0};
    struct das_err err, ignored;

    if (vote(j, &result, &err) < 0) {
        das_hook_say_log(j->desk, j, DAS_LOG_ERROR, "vote: %s", err.msg);
        das_hook_say_words(w, j, "The vote could not be counted. Please try again.", &ignored);
        return;
    }
    das_hook_say_log(j->desk, j, DAS_LOG_INFO, "vote: %s", result.words);
    das_hook_say_words(w, j, result.words, &ignored);
}

/* --- answers to runbooks ---------------------------------------------------------------------- */

static int answer(const struct das_hook_job *j, char *words, size_t size, struct das_err *err)
{
    const struct das_hook_desk *d = j->desk;
    const struct das_person *x = j->person;
    const char *via = das_hook_platforms[j->hook->platform].name;
    struct das_decider by = x ? das_decider_of(x, via) : (struct das_decider){.via = via};
    struct das_question_value value;
    struct das_store *s = NULL;
    struct das_err ignored;
    int rc;

    if (!das_question_value_read(das_text_of(j->ask.button), &value))
        return das_fail(err, DAS_E_DATA, "the button is none of das's");
    if (das_store_open(d->conf.state_dir, &s, err) < 0)
        return -1;
    by.stranger = !das_hook_allows(j->hook, NULL, x);
    rc = das_question_press(s, &value, &by, das_clock_unix_ms(), words, size, err);
    /* it counts in any case: what cannot be said now the approver says */
    if (rc > 0 && das_questions_say(s, &d->conf.rules->channels, &ignored) < 0)
        das_hook_say_log(d, j, DAS_LOG_WARN, "answer: %s", ignored.msg);
    das_store_close(s);
    if (rc > 0 && d->conf.approver)
        das_approver_wake(d->conf.approver);
    if (rc > 0 && d->conf.runbooks)
        das_runbooks_wake(d->conf.runbooks);
    return rc;
}

static void do_answer(struct das_hook_worker *w, struct das_hook_job *j)
{
    struct das_err err, ignored;
    char words[400];

    if (answer(j, words, sizeof words, &err) < 0) {
        das_hook_say_log(j->desk, j, DAS_LOG_ERROR, "answer: %s", err.msg);
        das_hook_say_words(w, j, "The answer could not be taken. Please try again.", &ignored);
        return;
    }
    das_hook_say_log(j->desk, j, DAS_LOG_INFO, "answer: %s", words);
    das_hook_say_words(w, j, words, &ignored);
}

/* --- scripts ---------------------------------------------------------------------------------- */

/* What a script uses until it is over, and one that was given up for longer than that. */
struct run {
    struct das_hook_worker *worker; /* NULL: it was given up, and nothing is sent any more */
    struct das_hook_desk *desk;
    struct das_hook_job *job;
    struct das_inventory *inventory;
    struct das_engine_hook hook;
    struct das_script_rules rules;
    struct das_limits limits;
    pthread_mutex_t lock; /* worker */
    atomic_int holders;   /* the worker, and the script */
    bool left;            /* it got stuck: inventory and job are its own */
    FILE *out;
    struct das_store *store; /* of a runbook */
    struct das_runbook_go go;
    struct das_buf instances; /* of it: JSON */
};

static bool wants(void *arg, struct das_inventory *inv, size_t i)
{
    return das_hook_reaches(arg, inv, i);
}

/* Handles of this thread's own, kept for the next job. */
static struct das_inventory *inventory_of(struct das_hook_worker *w, const struct das_hook *h,
                                          struct das_err *err)
{
    struct das_hook_desk *d = w->desk;
    size_t i = (size_t)(h - d->conf.rules->hooks.items);

    if (!w->inventories[i]) {
        pthread_mutex_lock(&d->store_lock); /* the inventory is for one at a time, too */
        w->inventories[i] = das_inventory_pick(d->conf.inventory, wants, (void *)(uintptr_t)h, err);
        pthread_mutex_unlock(&d->store_lock);
    }
    return w->inventories[i];
}

static int reply(void *arg, const struct das_notice *n, bool open, struct das_err *err)
{
    struct run *r = arg;
    int rc;

    pthread_mutex_lock(&r->lock);
    rc = r->worker ? das_hook_say(r->worker, r->job, n, open, err)
                   : das_fail(err, DAS_E_STUCK, "reply: the script was given up");
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static void run_free(struct run *r)
{
    struct das_hook_desk *d = r->desk;
    struct das_hook_job *j = r->left ? r->job : NULL;

    if (r->left || r->store)
        das_inventory_free(r->inventory); /* else it is the worker's */
    das_store_close(r->store);
    das_buf_clear(&r->instances);
    if (r->out)
        fclose(r->out);
    pthread_mutex_destroy(&r->lock);
    das_free(r);
    if (!j)
        return;
    das_hook_job_release(j);
    pthread_mutex_lock(&d->lock);
    d->away--;
    pthread_cond_broadcast(&d->back);
    pthread_mutex_unlock(&d->lock);
}

static void run_release(struct run *r)
{
    if (atomic_fetch_sub(&r->holders, 1) == 1)
        run_free(r);
}

/* On the thread of a script that was given up, perhaps before its worker knows that it was. */
static void came_back(void *arg)
{
    run_release(arg);
}

static ssize_t drop(void *cookie, const char *p, size_t n)
{
    (void)cookie;
    (void)p;
    return (ssize_t)n; /* what a hook prints nobody sees: req.reply answers */
}

static const char *script_of(const struct das_hook_job *j)
{
    if (j->kind == DAS_HOOK_JOB_RUNBOOK)
        return j->path;
    return j->command ? j->command->script : j->hook->script;
}

/* --- runbooks --------------------------------------------------------------------------------- */

static int copy_place(const struct das_hook_job *from, struct das_hook_job *to)
{
    memcpy(to->ask.chat, from->ask.chat, sizeof to->ask.chat);
    to->ask.url = from->ask.url ? das_strdup(from->ask.url) : NULL;
    to->ask.url_until_ms = from->ask.url_until_ms;
    to->ask.url_uses = from->ask.url_uses;
    return from->ask.url && !to->ask.url ? -1 : 0;
}

/* Kept, and then one more job in the line; the room for it is there. */
static int put_runbook(const struct run *r, struct das_hook_job *j, const char *path,
                       const char *instance, struct das_text params, struct das_err *err)
{
    j->person = r->job->person;
    j->kind = DAS_HOOK_JOB_RUNBOOK;
    memcpy(j->who, r->job->who, sizeof j->who);
    j->path = das_strdup(path);
    j->instance = das_strdup(instance);
    j->params = das_strndup(params.ptr, params.len);
    if (!j->path || !j->instance || !j->params || copy_place(r->job, j) < 0)
        return das_fail_nomem(err);
    if (das_hook_keep_add(j, err) < 0)
        return -1;
    das_hook_put(r->desk, j);
    return 0;
}

/* The runbook waits for a worker like a request does. */
static int begin_runbook(void *arg, const char *path, const char *instance, struct das_text params,
                         struct das_err *err)
{
    const struct run *r = arg;
    struct das_hook_job *j;
    int rc;

    if (!das_hook_reserve(r->desk))
        return das_fail(err, DAS_E_BUSY, "runbook: no room in the line of hooks");
    j = das_hook_job_new(r->desk, r->job->hook, das_clock_unix_ms());
    rc = j ? put_runbook(r, j, path, instance, params, err) : das_fail_nomem(err);
    if (rc < 0)
        das_hook_unreserve(r->desk);
    if (j)
        das_hook_job_release(j);
    return rc;
}

static bool is_named(void *arg, struct das_inventory *inv, size_t i)
{
    return strcmp(das_inventory_name(inv, i), arg) == 0;
}

static int set_runbook(struct run *r, struct das_err *err)
{
    struct das_hook_job *j = r->job;
    struct das_hook_desk *d = r->desk;

    das_buf_char(&r->instances, '[');
    das_json_str(&r->instances, j->instance);
    das_buf_char(&r->instances, ']');
    if (das_buf_ok(&r->instances, err) < 0 || das_store_open(d->conf.state_dir, &r->store, err) < 0)
        return -1;
    pthread_mutex_lock(&d->store_lock);
    r->inventory = das_inventory_pick(d->conf.inventory, is_named, j->instance, err);
    pthread_mutex_unlock(&d->store_lock);
    r->go = (struct das_runbook_go){
        .store = r->store, .params_json = j->params, .instances = r->instances.ptr};
    return r->inventory ? 0 : -1;
}

static struct run *run_new(struct das_hook_worker *w, struct das_hook_job *j, struct das_err *err)
{
    const cookie_io_functions_t io = {.write = drop};
    struct run *r = das_calloc(1, sizeof *r);

    if (!r) {
        das_fail_nomem(err);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    atomic_init(&r->holders, 1);
    r->worker = w;
    r->desk = w->desk;
    r->job = j;
    r->hook = (struct das_engine_hook){.name = j->hook->name,
                                       .req = das_buf_view(&j->req),
                                       .reply = reply,
                                       .runbook = begin_runbook,
                                       .arg = r};
    das_rules_for(w->desk->conf.rules, script_of(j), &r->rules);
    r->limits = r->rules.limits;
    if (j->hook->timeout_ms < r->limits.wall_ms)
        r->limits.wall_ms = j->hook->timeout_ms;
    r->inventory = j->kind == DAS_HOOK_JOB_RUNBOOK ? NULL : inventory_of(w, j->hook, err);
    r->out = fopencookie(NULL, "w", io);
    if (!r->out)
        das_fail_nomem(err);
    if (r->out && (j->kind == DAS_HOOK_JOB_RUNBOOK ? set_runbook(r, err) == 0 : !!r->inventory))
        return r;
    run_free(r);
    return NULL;
}

static int start(struct run *r, struct das_engine_result *result, struct das_err *err)
{
    const struct das_hook_desk_conf *c = &r->desk->conf;
    struct das_engine_opts opts = {
        .path = script_of(r->job),
        .inventory = r->inventory,
        .protect = c->protect,
        .armed = r->rules.policy->mode != DAS_POLICY_OBSERVE,
        .limits = &r->limits,
        .grants = r->rules.grants,
        .secrets = c->secrets,
        .channels = &c->rules->channels,
        .people = &c->rules->people,
        .person = r->job->person ? r->job->person->name : NULL,
        .url = c->rules->serve.url,
        .policy = r->rules.policy,
        .stop_files = c->stop_files,
        .state_dir = c->state_dir,
        .hook = r->store ? NULL : &r->hook,
        .user = r->job->who,
        .cancel = &r->desk->cancel,
        .engine = r->desk->engine,
        .came_back = came_back,
        .came_back_arg = r,
        .out = r->out,
        .log = c->log,
    };

    atomic_fetch_add(&r->holders, 1);
    return r->store ? das_runbook_run(&opts, &r->go, result, err)
                    : das_engine_run(&opts, result, err);
}

/* The inventory and the job stay with a script that got stuck. */
static void leave_behind(struct run *r)
{
    struct das_hook_desk *d = r->desk;
    struct das_hook_worker *w = r->worker;

    pthread_mutex_lock(&d->lock);
    d->away++;
    r->job->holders++;
    pthread_mutex_unlock(&d->lock);
    if (!r->store)
        w->inventories[r->job->hook - d->conf.rules->hooks.items] = NULL;
    pthread_mutex_lock(&r->lock);
    r->worker = NULL;
    r->left = true;
    pthread_mutex_unlock(&r->lock);
}

static void say_result(struct das_hook_job *j, const struct das_engine_result *result, int rc,
                       const struct das_err *err)
{
    size_t killed = result->totals[DAS_O_KILLED] + result->totals[DAS_O_KILLING];
    size_t failed = result->totals[DAS_O_FAILED], unknown = result->totals[DAS_O_UNKNOWN];

    if (killed || failed || unknown)
        das_hook_say_log(j->desk, j, failed || unknown ? DAS_LOG_WARN : DAS_LOG_INFO,
                         "%zu killed, %zu failed, of %zu the outcome is not known", killed, failed,
                         unknown);
    if (rc < 0)
        das_hook_say_log(j->desk, j, DAS_LOG_WARN, "%s", err->msg);
    else
        das_hook_say_log(j->desk, j, DAS_LOG_INFO, "done in %lld ms",
                         (long long)result->used.wall_ms);
}

/* The first line, without where in which file: for people. */
static void trouble_words(const struct das_hook_job *j, const struct das_err *err, char *out,
                          size_t size)
{
    const char *what = j->command ? j->command->name : j->hook->name;
    size_t n = strcspn(err->msg, "\n");

    snprintf(out, size, "%s failed: %.*s", what, (int)(n < 300 ? n : 300), err->msg);
}

/* What became of a runbook, for people. */
static void tell_runbook(struct das_hook_worker *w, struct das_hook_job *j, const struct run *r,
                         const struct das_engine_result *result, int rc, const struct das_err *err)
{
    long long id = r ? (long long)r->go.id : 0;
    const char *slash = strrchr(j->path, '/'), *name = slash ? slash + 1 : j->path;
    struct das_err ignored;
    char words[700];

    if (rc < 0 && id)
        snprintf(words, sizeof words, "Runbook %lld (%s on %s): %.400s", id, name, j->instance,
                 err->msg);
    else if (rc < 0)
        snprintf(words, sizeof words, "No runbook %s on %s: %.400s", name, j->instance, err->msg);
    else if (result->end == DAS_END_WAITING)
        snprintf(words, sizeof words,
                 "Runbook %lld (%s on %s) waits; das runbook show %lld tells what for.", id, name,
                 j->instance, id);
    else
        snprintf(words, sizeof words, "Runbook %lld (%s on %s) is done: das runbook show %lld.", id,
                 name, j->instance, id);
    das_hook_say_words(w, j, words, &ignored);
}

/* It has begun, and das ends: whoever asked hears that now, or from the das that comes after. */
static void tell_interrupted(struct das_hook_worker *w, struct das_hook_job *j)
{
    struct das_err err;
    char words[400];

    das_hook_interrupted_words(j, words, sizeof words);
    j->stays = das_hook_say_words(w, j, words, &err) < 0 && err.code != DAS_E_UNSUPPORTED;
}

static void tell_script(struct das_hook_worker *w, struct das_hook_job *j, int rc,
                        const struct das_err *err)
{
    struct das_err ignored;
    char words[400];

    if (!das_hook_is_chat(j->hook->platform))
        return;
    if (rc < 0) {
        trouble_words(j, err, words, sizeof words);
        das_hook_say_words(w, j, words, &ignored);
    } else if (!j->answers) {
        das_hook_say_words(w, j, "Done.", &ignored);
    }
}

/* What was begun is not repeated, so nothing is begun that cannot be noted. */
static int begin(struct run *r, struct das_engine_result *result, struct das_err *err)
{
    const struct das_store *s = r->store ? r->store : r->desk->store;

    if (das_hook_keep_begin(r->job, das_store_run(s), err) < 0)
        return -1;
    return start(r, result, err);
}

static void do_script(struct das_hook_worker *w, struct das_hook_job *j)
{
    struct das_engine_result result = {.end = DAS_END_ERROR};
    struct das_err err = {0};
    struct run *r;
    int rc = -1;
    bool stuck, interrupted;

    if (atomic_load(&w->desk->cancel)) {
        j->stays = true;
        return;
    }
    r = run_new(w, j, &err);
    if (r)
        rc = begin(r, &result, &err);
    DAS_FAULT("hook-script-done");
    stuck = result.end == DAS_END_STUCK;
    if (stuck)
        leave_behind(r);
    say_result(j, &result, rc, &err);
    if (w->desk->conf.approver)
        das_approver_wake(w->desk->conf.approver); /* messages that were queued */
    interrupted = rc < 0 && j->begun && result.end == DAS_END_CANCELLED;
    if (j->kind == DAS_HOOK_JOB_RUNBOOK && interrupted && !r->go.id)
        j->stays = true; /* it is not in the store, and so it is begun by the das that comes after */
    else if (j->kind == DAS_HOOK_JOB_RUNBOOK)
        tell_runbook(w, j, r, &result, rc, &err);
    else if (interrupted)
        tell_interrupted(w, j);
    else
        tell_script(w, j, rc, &err);
    DAS_FAULT("hook-answered");
    das_engine_result_clear(&result);
    if (r && !stuck)
        run_release(r); /* the script's */
    if (r)
        run_release(r);
}

static void do_words(struct das_hook_worker *w, struct das_hook_job *j)
{
    struct das_err err;

    if (das_hook_say_words(w, j, j->words.ptr ? j->words.ptr : "", &err) < 0 &&
        err.code != DAS_E_UNSUPPORTED)
        j->stays = atomic_load(&w->desk->cancel); /* it was tried once only */
}

void das_hook_job_do(struct das_hook_worker *w, struct das_hook_job *j)
{
    switch (j->kind) {
    case DAS_HOOK_JOB_SCRIPT:
    case DAS_HOOK_JOB_RUNBOOK:
        do_script(w, j);
        return;
    case DAS_HOOK_JOB_VOTE:
        do_vote(w, j);
        return;
    case DAS_HOOK_JOB_ANSWER:
        do_answer(w, j);
        return;
    case DAS_HOOK_JOB_WORDS:
        do_words(w, j);
        return;
    }
}
