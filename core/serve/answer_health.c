/* answer_health.c - is the server alive, can it work, and what has it done: for probes and
 * Prometheus (see call.h). No key is needed, so no name of an instance, no user and no statement is
 * in it; why an instance does not answer is told to this machine only. */
#include <string.h>

#include "core/serve/call.h"
#include "core/store/habits.h"
#include "core/store/journal.h"

int das_answer_livez(struct das_call *call)
{
    call->type = "text/plain; charset=utf-8";
    das_buf_str(&call->answer, "ok\n");
    return 0;
}

/* --- readyz ----------------------------------------------------------------------------------- */

struct ready {
    struct das_buf *b;
    bool good;
};

static void check(struct ready *r, const char *name, bool good, const char *why)
{
    das_buf_printf(r->b, "[%c] %s%s%s\n", good ? '+' : '-', name, why && *why ? ": " : "",
                   why ? why : "");
    r->good &= good;
}

/* A proxy on this machine asks for somebody who may be anywhere; most of them say so. */
static bool is_forwarded(const struct das_httpd_request *r)
{
    static const char *const names[] = {"Forwarded",         "Via",
                                        "X-Forwarded-For",   "X-Forwarded-Host",
                                        "X-Forwarded-Proto", "X-Real-IP"};

    for (size_t i = 0; i < r->header_count; i++) {
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            if (das_text_iis(r->headers[i].name, names[k]))
                return true;
        }
    }
    return false;
}

static bool is_here(const struct das_httpd_request *r)
{
    return (strncmp(r->peer, "127.", 4) == 0 || strcmp(r->peer, "::1") == 0) && !is_forwarded(r);
}

/* Whether they answer is told and does not decide: the server is there for the others, too. */
static void tell_instances(struct das_call *call, struct ready *r)
{
    const struct das_fleet *f = call->server->fleet;
    size_t failing = 0;

    for (size_t i = 0; i < das_fleet_count(f); i++) {
        struct das_member_health h;
        das_member_health(das_fleet_at(f, i), &h);
        if (!h.asked || h.good)
            continue;
        failing++;
        if (is_here(call->http))
            das_buf_printf(r->b, "[!] instance %s: %s\n", das_member_name(das_fleet_at(f, i)),
                           h.why);
    }
    das_buf_printf(r->b, "[%c] instances: %zu, of which %zu did not answer last time\n",
                   failing ? '!' : '+', das_fleet_count(f), failing);
}

int das_answer_readyz(struct das_call *call)
{
    struct das_server *s = call->server;
    struct das_buf words = {0};
    struct ready r = {&words, true};
    bool verbose = false, stored;
    struct das_err err;
    int64_t version;

    for (size_t i = 0; i < call->target.count; i++)
        verbose |= das_text_is(call->target.query[i].name, "verbose");
    stored = das_store_version(das_desk_take(s), &version, &err) == 0;
    das_desk_return(s);
    check(&r, "serving", atomic_load(&s->draining) == 0,
          atomic_load(&s->draining) ? "it ends" : "");
    check(&r, "keys", s->keyless || das_auth_keys(s->auth) > 0, "");
    check(&r, "state database", stored, stored || !is_here(call->http) ? "" : err.msg);
    if (verbose)
        tell_instances(call, &r);
    call->type = "text/plain; charset=utf-8";
    call->status = r.good ? 200 : 503;
    if (verbose || !r.good)
        das_buf_text(&call->answer, das_buf_view(&words));
    das_buf_str(&call->answer, r.good ? "ready\n" : "not ready\n");
    das_buf_clear(&words);
    return 0;
}

/* --- metrics ---------------------------------------------------------------------------------- */

static int count_breaker(void *arg, const struct das_breaker_row *row)
{
    int64_t *n = arg;

    *n += row->breaker.state != DAS_BREAKER_CLOSED;
    return 0;
}

static int count_task(void *arg, const struct das_task *t)
{
    int64_t *n = arg;

    *n += t->running;
    return 0;
}

static void ask_store(struct das_server *s, struct das_metrics_now *now)
{
    struct das_store *desk = das_desk_take(s);
    struct das_err ignored;

    now->unknown_actions = das_journal_unknown(desk, NULL, 0, &ignored);
    now->breakers_open = 0;
    if (das_breaker_each(desk, count_breaker, &now->breakers_open, &ignored) < 0)
        now->breakers_open = -1;
    das_task_each(desk, NULL, true, INT64_MAX, count_task, &now->tasks_running, &ignored);
    das_desk_return(s);
}

static void ask_fleet(const struct das_fleet *f, struct das_metrics_now *now)
{
    now->instances = (int64_t)das_fleet_count(f);
    for (size_t i = 0; i < das_fleet_count(f); i++) {
        struct das_member_health h;
        das_member_health(das_fleet_at(f, i), &h);
        now->instances_failing += h.asked && !h.good;
        now->lists += h.lists;
        now->lists_shared += h.shared;
    }
}

static void ask_schedule(struct das_schedule *s, struct das_metrics_now *now)
{
    struct das_schedule_now is = {0};

    if (s)
        das_schedule_now(s, &is);
    now->policies = (int64_t)is.slots;
    now->policies_running = (int64_t)is.running;
    now->policies_failing = (int64_t)is.failing;
    now->policies_skipped = is.skipped;
}

static void ask_hooks(struct das_hook_desk *d, struct das_metrics_now *now)
{
    size_t waiting = 0, running = 0;

    if (d)
        das_hook_desk_load(d, &waiting, &running);
    now->hooks_waiting = (int64_t)waiting;
    now->hooks_running = (int64_t)running;
}

int das_answer_metrics(struct das_call *call)
{
    struct das_server *s = call->server;
    struct das_metrics_now now = {.start_unix_s = (double)s->started_ms / 1000};
    struct das_httpd_load load;
    char why[200];

    das_httpd_load(s->httpd, &load);
    now.connections = load.connections;
    now.busy = load.busy;
    now.accepted = load.accepted;
    now.refused_connections = load.refused_connections;
    now.cut = load.cut;
    now.stopped = das_stopped(s->opts->stop_files, why, sizeof why);
    ask_store(s, &now);
    ask_fleet(s->fleet, &now);
    ask_schedule(s->schedule, &now);
    ask_hooks(s->hooks, &now);
    das_metrics_write(s->metrics, &now, &call->answer);
    call->type = "text/plain; version=0.0.4; charset=utf-8";
    return 0;
}
