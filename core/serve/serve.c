/*
 * serve.c - starts and ends das serve (see serve.h and call.h).
 *
 * The order is that of need: store, keys, instances, tasks, and only when all of them stand, the
 * door, and what was left undone. It ends the other way round: the door first, then what is in flight, then the tasks.
 */
#include "core/serve/serve.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/serve/call.h"
#include "core/serve/notify.h"

#define TICK_MS 200     /* how soon a signal is seen */
#define REFRESH_MS 1000 /* how soon a revoked key is refused */

/* --- what the keeper tells -------------------------------------------------------------------- */

static void hindered(struct das_server *s, const struct das_member *m, int64_t task, size_t matched,
                     const char *why)
{
    if (!das_news_is(s->news, m, task, why))
        return;
    if (matched)
        das_serve_say(s, DAS_LOG_WARN, "task %lld on %s: %zu sessions match, none was killed: %s",
                      (long long)task, das_member_name(m), matched, why);
    else
        das_serve_say(s, DAS_LOG_WARN, "task %lld on %s: %s", (long long)task, das_member_name(m),
                      why);
}

static const char *first_refusal(const struct das_report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].kind == DAS_O_REFUSED)
            return r->items[i].note ? r->items[i].note : "refused";
    }
    return NULL;
}

void das_count_outcomes(struct das_server *s, const char *policy, const struct das_report *r)
{
    for (int k = 0; r && k < DAS_O_COUNT; k++) {
        if (r->totals[k])
            das_metrics_action(s->metrics, policy, "connection",
                               das_outcome_name((enum das_outcome_kind)k), r->totals[k]);
    }
    if (r && r->totals[DAS_O_REFUSED])
        das_metrics_blocked(s->metrics, das_guard_word(first_refusal(r)));
}

static void told(void *arg, const struct das_member *m, const struct das_task *task, size_t matched,
                 const struct das_report *r, const struct das_err *err)
{
    struct das_server *s = arg;
    int64_t id = task ? task->id : 0;
    const char *why = r ? first_refusal(r) : NULL;
    size_t done = r ? r->totals[DAS_O_KILLED] + r->totals[DAS_O_KILLING] : 0;

    if (task)
        das_news_over(s->news, m, 0); /* it was read from the store */
    das_count_outcomes(s, "task", r);
    if (err && err->code == DAS_E_BLOCKED)
        das_metrics_blocked(s->metrics, das_guard_word(err->msg));
    else if (err)
        das_metrics_action(s->metrics, "task", "connection", "failed", 1);
    if (err || (why && !done))
        hindered(s, m, id, matched, err ? err->msg : why);
    else
        das_news_over(s->news, m, id);
    if (done)
        das_serve_say(s, DAS_LOG_INFO, "task %lld on %s: %zu sessions match, %zu were killed",
                      (long long)id, das_member_name(m), matched, done);
}

/* --- what the schedule tells ------------------------------------------------------------------ */

static void policy_ran(void *arg, const struct das_schedule_told *t)
{
    struct das_server *s = arg;

    das_metrics_policy(s->metrics, t->good ? "ok" : t->result, (double)t->late_ms / 1000,
                       (double)t->took_ms / 1000);
    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (t->run->totals[k])
            das_metrics_action(s->metrics, "policy", "auto",
                               das_outcome_name((enum das_outcome_kind)k), t->run->totals[k]);
    }
    if (t->run->refused[0])
        das_metrics_blocked(s->metrics, das_guard_word(t->run->refused));
}

static int plan_policies(struct das_server *s, struct das_err *err)
{
    const struct das_serve_opts *o = s->opts;
    const struct das_schedule_opts how = {.conf = o->schedule,
                                          .workers = o->conf->workers,
                                          .inventory = o->inventory,
                                          .protect = o->protect,
                                          .secrets = o->secrets,
                                          .rules = o->rules,
                                          .stop_files = o->stop_files,
                                          .state_dir = o->state_dir,
                                          .log = o->log,
                                          .told = policy_ran,
                                          .arg = s};

    if (o->schedule && o->schedule->count)
        return das_schedule_new(&how, &s->schedule, err);
    das_schedule_forget(o->state_dir);
    return 0;
}

static void tell_policies(struct das_server *s)
{
    for (size_t i = 0; s->schedule && i < s->opts->schedule->count; i++) {
        const struct das_schedule_entry *e = &s->opts->schedule->entries[i];
        const char *mode = das_policy_mode_name(e->rules.mode);
        size_t n = das_schedule_instances(s->schedule, e);
        das_serve_say(s, n ? DAS_LOG_INFO : DAS_LOG_WARN,
                      "policy %s runs on %zu instance%s, mode %s", e->name, n, n == 1 ? "" : "s",
                      mode);
        if (e->asked != e->rules.mode)
            das_serve_say(s, DAS_LOG_WARN,
                          "policy %s: mode %s, and not %s: scripts of das.lua allows no more",
                          e->name, mode, das_policy_mode_name(e->asked));
    }
}

/* --- start ------------------------------------------------------------------------------------ */

/* A running task whose instance is not served: renamed, removed, or left out with -i. Another das
 * serve may have it, so it stays; a manual one would come back with the name. */
static int say_orphan(void *arg, const struct das_task *t)
{
    struct das_server *s = arg;

    if (!das_fleet_named(s->fleet, t->instance))
        das_serve_say(s, DAS_LOG_WARN,
                      "task %lld runs on %s, which is not served here: nobody carries it out",
                      (long long)t->id, t->instance);
    return 0;
}

static void settled(void *arg, const struct das_approval *a, const struct das_report *r,
                    const struct das_err *err)
{
    struct das_server *s = arg;
    struct das_buf words = {0};

    das_count_outcomes(s, "approval", r);
    if (err) {
        das_serve_say(s, DAS_LOG_ERROR, "approvals: %s", err->msg);
        return;
    }
    das_approval_words(a, &words);
    das_serve_say(s, a->state == DAS_APPROVAL_APPLIED ? DAS_LOG_INFO : DAS_LOG_WARN,
                  "approval %s on %s: %s", a->id, a->instance, words.ptr ? words.ptr : "");
    das_buf_clear(&words);
}

static void message_lost(void *arg, const char *line)
{
    das_serve_say(arg, DAS_LOG_WARN, "%s", line);
}

static int open_approver(struct das_server *s, struct das_err *err)
{
    const struct das_approver_conf conf = {.fleet = s->fleet,
                                           .killer = &s->killer,
                                           .rules = s->opts->rules,
                                           .state_dir = s->opts->state_dir,
                                           .told = settled,
                                           .lost = message_lost,
                                           .arg = s};

    return das_approver_new(&conf, &s->approver, err);
}

static void told_runbook(void *arg, int64_t id, const char *line, int level)
{
    if (id)
        das_serve_say(arg, level, "runbook %lld: %s", (long long)id, line);
    else
        das_serve_say(arg, level, "runbooks: %s", line);
}

static int open_runbooks(struct das_server *s, struct das_err *err)
{
    const struct das_serve_opts *o = s->opts;
    const struct das_runbooks_conf conf = {.state_dir = o->state_dir,
                                           .carry_on = o->runbook,
                                           .arg = o->runbook_arg,
                                           .told = told_runbook,
                                           .told_arg = s};

    return o->runbook ? das_runbooks_new(&conf, &s->runbooks, err) : 0;
}

static int open_hooks(struct das_server *s, struct das_err *err)
{
    const struct das_serve_opts *o = s->opts;
    const struct das_hook_desk_conf conf = {.rules = o->rules,
                                            .inventory = o->inventory,
                                            .protect = o->protect,
                                            .secrets = o->secrets,
                                            .vault = o->vault,
                                            .stop_files = o->stop_files,
                                            .state_dir = o->state_dir,
                                            .workers = o->conf->hook_workers,
                                            .queue = o->conf->hook_queue,
                                            .metrics = s->metrics,
                                            .approver = s->approver,
                                            .runbooks = s->runbooks,
                                            .log = o->log};

    return o->rules->hooks.count ? das_hook_desk_new(&conf, &s->hooks, err) : 0;
}

/* Does it do anything but answer those who have a key? */
static bool is_keyless(const struct das_serve_opts *o)
{
    return (o->rules && o->rules->hooks.count) || (o->schedule && o->schedule->count);
}

int das_server_open(struct das_server *s, const struct das_serve_opts *o, struct das_err *err)
{
    const struct das_auth_conf auth = {.state_dir = o->state_dir,
                                       .region =
                                           o->conf->region ? o->conf->region : DAS_REGION_DEFAULT,
                                       .rate = o->conf->rate,
                                       .keyless = is_keyless(o)};
    const struct das_fleet_conf fleet = {.share_ms = o->conf->share_ms};
    struct das_keeper_conf keeper = {.killer = &s->killer,
                                     .state_dir = o->state_dir,
                                     .every_ms = o->conf->task_every_ms,
                                     .told = told,
                                     .arg = s};

    memset(s, 0, sizeof *s);
    s->opts = o;
    s->keyless = auth.keyless;
    s->project = o->conf->project ? o->conf->project : DAS_PROJECT_DEFAULT;
    s->started_ms = das_clock_unix_ms();
    pthread_mutex_init(&s->desk_lock, NULL);
    s->killer = (struct das_killer){.state_dir = o->state_dir,
                                    .protect = o->protect,
                                    .rules = &o->conf->policy,
                                    .stop_files = o->stop_files,
                                    .vault = o->vault,
                                    .cancel = &s->cancel};
    s->metrics = das_metrics_new(err);
    if (!s->metrics || das_store_open(o->state_dir, &s->desk, err) < 0 ||
        das_auth_new(&auth, &s->auth, err) < 0 ||
        das_fleet_new(o->inventory, &fleet, &s->fleet, err) < 0 ||
        das_history_catch_up(s->desk, err) < 0)
        return -1;
    s->news = das_news_new(das_fleet_count(s->fleet) * (DAS_TASKS_RUNNING_MAX + 1), err);
    keeper.fleet = s->fleet;
    if (!s->news || das_keeper_new(&keeper, &s->keeper, err) < 0 || plan_policies(s, err) < 0)
        return -1;
    if (open_runbooks(s, err) < 0 ||
        (o->rules && (open_approver(s, err) < 0 || open_hooks(s, err) < 0)))
        return -1;
    return das_task_each(s->desk, NULL, true, INT64_MAX, say_orphan, s, err) < 0 ? -1 : 0;
}

static int open_door(struct das_server *s, struct das_err *err)
{
    static const char *const here[] = {"127.0.0.1:7070"};
    const struct das_serve_conf *c = s->opts->conf;
    const struct das_httpd_conf conf = {
        .listen = c->listen_count ? (const char *const *)c->listen : here,
        .listen_count = c->listen_count ? c->listen_count : 1,
        .certificate = c->certificate,
        .key = c->key,
        .connections = c->connections,
        .connections_per_address = c->connections_per_address,
        .header_bytes = c->header_bytes,
        .body_bytes = c->body_bytes,
        .deadline_ms = c->deadline_ms,
    };

    return das_httpd_start(&conf, das_dispatch, s, &s->httpd, err);
}

#define INSTANCES_TOLD 20

static size_t hook_count(const struct das_server *s)
{
    return s->opts->rules ? s->opts->rules->hooks.count : 0;
}

/* What stands before the path in the console of a platform. Without serve.url nobody here knows how
 * it is reached from there. */
static const char *hooks_at(const struct das_server *s, const char *addresses)
{
    return s->opts->conf->url ? s->opts->conf->url : strchr(addresses, ' ') ? "" : addresses;
}

static void tell_hooks(struct das_server *s, const char *addresses)
{
    for (size_t i = 0; i < hook_count(s); i++) {
        const struct das_hook *h = &s->opts->rules->hooks.items[i];
        das_serve_say(s, DAS_LOG_INFO, "hook %s takes %s at %s%s", h->name,
                      das_hook_platforms[h->platform].name, hooks_at(s, addresses), h->path);
    }
}

static void tell_instances(struct das_server *s, const char *addresses)
{
    size_t n = das_fleet_count(s->fleet), widest = 0, len;
    struct das_buf b = {0};

    for (size_t i = 0; i < n && i < INSTANCES_TOLD; i++) {
        len = strlen(das_member_name(das_fleet_at(s->fleet, i)));
        widest = len > widest ? len : widest;
    }
    for (size_t i = 0; i < n && i < INSTANCES_TOLD; i++)
        das_buf_printf(&b, "%-*s  %s\n", (int)widest, das_member_name(das_fleet_at(s->fleet, i)),
                       das_member_id(das_fleet_at(s->fleet, i)));
    if (n > INSTANCES_TOLD)
        das_buf_printf(&b, "and %zu more\n", n - INSTANCES_TOLD);
    for (size_t i = 0; i < hook_count(s); i++) {
        const struct das_hook *h = &s->opts->rules->hooks.items[i];
        das_buf_printf(&b, "hook %s  %s%s\n", h->name, hooks_at(s, addresses), h->path);
    }
    if (b.ptr && !b.failed)
        s->opts->ready(s->opts->arg, addresses, b.ptr);
    das_buf_clear(&b);
}

static void tell_addresses(struct das_server *s)
{
    const char *scheme = s->opts->conf->certificate ? "https" : "http", *address;
    struct das_buf b = {0}, status = {0};
    size_t n = das_fleet_count(s->fleet);

    for (size_t i = 0; (address = das_httpd_address(s->httpd, i)); i++)
        das_buf_printf(&b, "%s%s://%s", i ? " " : "", scheme, address);
    if (b.failed || !b.len)
        return;
    das_serve_say(s, DAS_LOG_INFO, "%zu instance%s at %s", n, n == 1 ? "" : "s", b.ptr);
    tell_hooks(s, b.ptr);
    if (s->opts->conf->policy.mode != DAS_POLICY_AUTO && das_auth_keys(s->auth))
        das_serve_say(s, DAS_LOG_WARN,
                      "nothing is killed for who has a key: serve.mode of das.lua is %s, expected "
                      "auto",
                      das_policy_mode_name(s->opts->conf->policy.mode));
    if (s->opts->ready)
        tell_instances(s, b.ptr);
    das_buf_printf(&status, "READY=1\nSTATUS=%zu instance%s at %s", n, n == 1 ? "" : "s", b.ptr);
    if (status.ptr && !status.failed)
        das_notify(status.ptr);
    das_buf_clear(&status);
    das_buf_clear(&b);
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void reload(struct das_server *s)
{
    struct das_err err;

    das_notify("RELOADING=1");
    if (das_auth_refresh(s->auth, &err) < 0)
        das_serve_say(s, DAS_LOG_ERROR, "keys: %s", err.msg);
    if (s->hooks && das_hook_desk_reload(s->hooks, &err) < 0)
        das_serve_say(s, DAS_LOG_ERROR, "hooks: %s; the old secrets stay in use", err.msg);
    if (s->opts->conf->certificate && das_httpd_reload(s->httpd, &err) < 0)
        das_serve_say(s, DAS_LOG_ERROR, "certificate: %s; the old one stays in use", err.msg);
    else
        das_serve_say(s, DAS_LOG_INFO, "reloaded");
    das_notify("READY=1");
}

/* The store has answered: without it nothing here makes sense, and systemd may try a new start. */
static bool refresh(struct das_server *s, bool *complained)
{
    struct das_err err;

    if (das_auth_refresh(s->auth, &err) == 0) {
        *complained = false;
        return true;
    }
    if (!*complained)
        das_serve_say(s, DAS_LOG_ERROR, "keys cannot be read anew: %s", err.msg);
    *complained = true;
    return false;
}

static void run(struct das_server *s)
{
    int64_t watchdog = das_notify_watchdog_ms(), now, refreshed = 0, barked = 0;
    bool complained = false, well = true;

    while (atomic_load(s->opts->stop) == 0) {
        now = das_clock_monotonic_ms();
        if (s->opts->reload && atomic_exchange(s->opts->reload, 0))
            reload(s);
        if (now - refreshed >= REFRESH_MS) {
            well = refresh(s, &complained);
            if (s->hooks)
                das_hook_desk_look(s->hooks);
            refreshed = now;
        }
        if (s->schedule)
            das_schedule_save(s->schedule, false);
        if (watchdog && well && now - barked >= watchdog) {
            das_notify("WATCHDOG=1");
            barked = now;
        }
        if (s->opts->log)
            fflush(s->opts->log); /* the lines of requests */
        das_clock_sleep_ms(TICK_MS);
    }
}

/* --- end -------------------------------------------------------------------------------------- */

/* What is in flight may end by itself until the time is over or somebody asks a second time; then
 * no kill more is begun, and those that were sent are waited for. */
static size_t drain(struct das_server *s)
{
    int64_t until = das_clock_monotonic_ms() + s->opts->conf->drain_ms, now;
    size_t left;

    das_schedule_stop(s->schedule);
    das_hook_desk_stop(s->hooks);
    atomic_store(&s->draining, 1);
    das_notify("STOPPING=1");
    do {
        now = das_clock_monotonic_ms();
        left = das_httpd_drain(s->httpd, until - now < TICK_MS ? until - now : TICK_MS);
    } while (left && now < until && atomic_load(s->opts->stop) < 2);
    if (left)
        das_serve_say(s, DAS_LOG_WARN,
                      "%zu requests are still in flight and are cut; the journal has what "
                      "they killed",
                      left);
    atomic_store(&s->cancel, 1);
    return left;
}

bool das_server_close(struct das_server *s)
{
    bool stuck;

    atomic_store(&s->cancel, 1);
    das_httpd_stop(s->httpd);
    das_runbooks_stop(s->runbooks);
    das_keeper_free(s->keeper);
    stuck = !das_hook_desk_free(s->hooks); /* it wakes the approver and the runbooks */
    if (stuck)
        return false;
    das_runbooks_free(s->runbooks);
    das_approver_free(s->approver);
    stuck = !das_schedule_free(s->schedule);
    if (stuck)
        return false;
    das_fleet_free(s->fleet);
    das_auth_free(s->auth);
    das_store_close(s->desk);
    das_metrics_free(s->metrics);
    das_news_free(s->news);
    pthread_mutex_destroy(&s->desk_lock);
    return true;
}

static int serve(struct das_server *s, struct das_serve_end *end, struct das_err *err)
{
    /* runbooks behind the door: a run that goes on may ask what stands by then */
    if (open_door(s, err) < 0 || (s->runbooks && das_runbooks_start(s->runbooks, err) < 0) ||
        (s->schedule && das_schedule_start(s->schedule, err) < 0))
        return -1;
    tell_addresses(s);
    tell_policies(s);
    run(s);
    end->left = drain(s);
    return 0;
}

/* The server is on the heap: what is left behind may use it until the process ends. */
int das_serve(const struct das_serve_opts *opts, struct das_serve_end *end, struct das_err *err)
{
    struct das_server *s = das_calloc(1, sizeof *s);
    int rc;

    *end = (struct das_serve_end){.left = 0};
    if (!s)
        return das_fail_nomem(err);
    rc = das_server_open(s, opts, err);
    if (rc == 0)
        rc = serve(s, end, err);
    end->stuck = !das_server_close(s);
    if (rc == 0)
        das_serve_say(s, DAS_LOG_INFO, "ended");
    if (!end->stuck)
        das_free(s);
    return rc;
}
