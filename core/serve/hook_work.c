/*
 * hook_work.c - one job of a hook, on a worker's thread (see hook_desk.h): a script, as far as the
 * rules of das.lua let it go; or a vote on a request for a kill, which no script sees.
 */
#include <string.h>

#include "core/approval/approval.h"
#include "core/base/clock.h"
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
};

static bool wants(void *arg, struct das_inventory *inv, size_t i)
{
    const char *tags[64];
    size_t n = 0;

    while (n < 64 && (tags[n] = das_inventory_tag(inv, i, n)) != NULL)
        n++;
    return das_hook_means(arg, das_inventory_name(inv, i), tags, n);
}

/* Handles of this thread's own, kept for the next job. */
static struct das_inventory *inventory_of(struct das_hook_worker *w, const struct das_hook *h,
                                          struct das_err *err)
{
    struct das_hook_desk *d = w->desk;
    size_t i = (size_t)(h - d->conf.rules->hooks.items);

    if (!w->inventories[i]) {
        pthread_mutex_lock(&d->store_lock); /* the inventory is for one at a time, too */
        w->inventories[i] =
            das_inventory_pick(d->conf.inventory, wants, (void *)(uintptr_t)h, err);
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

    if (r->left)
        das_inventory_free(r->inventory);
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
    return j->command ? j->command->script : j->hook->script;
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
    r->hook = (struct das_engine_hook){j->hook->name, das_buf_view(&j->req), reply, r};
    das_rules_for(w->desk->conf.rules, script_of(j), &r->rules);
    r->limits = r->rules.limits;
    if (j->hook->timeout_ms < r->limits.wall_ms)
        r->limits.wall_ms = j->hook->timeout_ms;
    r->inventory = inventory_of(w, j->hook, err);
    r->out = fopencookie(NULL, "w", io);
    if (r->inventory && r->out)
        return r;
    if (r->inventory)
        das_fail_nomem(err);
    run_free(r);
    return NULL;
}

static int start(struct run *r, struct das_engine_result *result, struct das_err *err)
{
    const struct das_hook_desk_conf *c = &r->desk->conf;
    const struct das_engine_opts opts = {
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
        .hook = &r->hook,
        .user = r->job->who,
        .cancel = &r->desk->cancel,
        .engine = r->desk->engine,
        .came_back = came_back,
        .came_back_arg = r,
        .out = r->out,
        .log = c->log,
    };

    atomic_fetch_add(&r->holders, 1);
    return das_engine_run(&opts, result, err);
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

static void do_script(struct das_hook_worker *w, struct das_hook_job *j)
{
    struct das_engine_result result = {.end = DAS_END_ERROR};
    struct das_err err = {0}, ignored;
    struct run *r = run_new(w, j, &err);
    char words[400];
    int rc = -1;
    bool stuck;

    if (r)
        rc = start(r, &result, &err);
    stuck = result.end == DAS_END_STUCK;
    if (stuck)
        leave_behind(r);
    say_result(j, &result, rc, &err);
    if (w->desk->conf.approver)
        das_approver_wake(w->desk->conf.approver); /* messages that were queued */
    if (rc < 0 && das_hook_is_chat(j->hook->platform)) {
        trouble_words(j, &err, words, sizeof words);
        das_hook_say_words(w, j, words, &ignored);
    } else if (rc == 0 && !j->answers && das_hook_is_chat(j->hook->platform)) {
        das_hook_say_words(w, j, "Done.", &ignored);
    }
    das_engine_result_clear(&result);
    if (r && !stuck)
        run_release(r); /* the script's */
    if (r)
        run_release(r);
}

void das_hook_job_do(struct das_hook_worker *w, struct das_hook_job *j)
{
    struct das_err ignored;

    switch (j->kind) {
    case DAS_HOOK_JOB_SCRIPT:
        do_script(w, j);
        return;
    case DAS_HOOK_JOB_VOTE:
        do_vote(w, j);
        return;
    case DAS_HOOK_JOB_WORDS:
        das_hook_say_words(w, j, j->words.ptr ? j->words.ptr : "", &ignored);
        return;
    }
}
