/*
 * metrics.c - see metrics.h. Owns tables of counters, one cell for each set of label values there
 * can be; counting is a look for the cell and an atomic addition. Never locks, allocates only when
 * it is made and when it is read, and never takes a label value from a request: what is not in the
 * lists below is "other".
 */
#include "core/serve/metrics.h"

#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/version.h"

/* --- what labels can say. The last of each list stands for all others ------------------------- */

/* The names of routes (route.c); "none": no such route. */
static const char *const actions[] = {"preview",
                                      "list_processes",
                                      "query_process_list",
                                      "create_kill_task",
                                      "stop_kill_task",
                                      "list_kill_tasks",
                                      "kill_history",
                                      "kill_all_sessions",
                                      "get_switch",
                                      "set_switch",
                                      "kill_process",
                                      "delete_process",
                                      "list_db_users",
                                      "list_instances",
                                      "list_nodes",
                                      "list_approvals",
                                      "decide_approval",
                                      "approval_page",
                                      "approval_form",
                                      "message_page",
                                      "versions",
                                      "version",
                                      "livez",
                                      "readyz",
                                      "metrics",
                                      "hook",
                                      "none",
                                      "other"};
static const int statuses[] = {200, 204, 400, 401, 403, 404, 405, 408, 409, 410, 413,
                               414, 417, 429, 431, 500, 501, 503, 504, 505, 0 /* other */};
static const char *const sources[] = {"mem", "file", "mysql", "das", "other"};
static const char *const preview_results[] = {"ok", "failed"};
static const char *const policies[] = {"task", "kill", "policy", "approval", "other"};
static const char *const kills[] = {"connection", "query", "soft", "auto", "other"};
/* das_outcome_name() */
static const char *const results[] = {"killed",    "killing", "dry_run", "gone",    "changed",
                                      "protected", "refused", "failed",  "unknown", "other"};
static const char *const policy_results[] = {"ok",        "error", "limit",
                                             "cancelled", "stuck", "other"};
/* das_hook_platforms */
static const char *const platforms[] = {
    "slack",    "feishu", "feishu_card", "dingtalk",  "wecom",   "teams",        "discord",     "mattermost",
    "telegram", "github", "standard",    "pagerduty", "grafana", "alertmanager", "cloudevents", "bearer",
    "other"};
static const char *const hook_results[] = {"accepted",     "handshake",   "vote",    "duplicate",
                                           "ignored",      "refused",     "replayed", "unknown_user",
                                           "not_allowed",  "bad_command", "full",    "failed",
                                           "other"};
static const char *const left_results[] = {"taken_up", "told", "dropped", "other"};
static const char *const reasons[] = {"guard", "off_switch", "mode",    "window",    "freeze",
                                      "limit", "breaker", "journal", "other"};
static const char *const auths[] = {"ok",     "refused", "throttled",   "signature", "token",
                                    "skew",   "replay",  "unknown_key", "expired",   "revoked",
                                    "locked", "none",    "other"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static size_t find(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; name && i < n; i++) {
        if (list[i][0] == name[0] && strcmp(list[i], name) == 0)
            return i;
    }
    return n - 1;
}
#define FIND(list, name) find(list, COUNT(list), name)

static size_t find_status(int status)
{
    size_t i = 0;

    while (i < COUNT(statuses) - 1 && statuses[i] != status)
        i++;
    return i;
}

/* --- counters --------------------------------------------------------------------------------- */

struct counter {
    _Atomic uint64_t n;
};

static void add(struct counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->n, n, memory_order_relaxed);
}

static uint64_t read_counter(struct counter *c)
{
    return atomic_load_explicit(&c->n, memory_order_relaxed);
}

/* Upper bounds, s; behind them what is longer. */
static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,   0.5,   1,      2.5,   5,    10,    30};
#define BUCKETS (COUNT(bounds) + 1)

struct histogram {
    struct counter
        in[BUCKETS]; /* each for itself; added up when they are read, so +Inf is the count */
    struct counter sum_ns;
};

static void observe(struct histogram *h, double seconds)
{
    size_t i = 0;

    if (!(seconds > 0))
        seconds = 0; /* a clock that was set back, NaN */
    if (seconds > 1e6)
        seconds = 1e6;
    while (i < COUNT(bounds) && seconds > bounds[i])
        i++;
    add(&h->in[i], 1);
    add(&h->sum_ns, (uint64_t)(seconds * 1e9));
}

struct das_metrics {
    struct counter requests[COUNT(actions)][COUNT(statuses)];
    struct histogram request_time[COUNT(actions)];
    struct counter previews[COUNT(sources)][COUNT(preview_results)];
    struct histogram preview_time;
    struct counter scanned, matched;
    struct counter kills[COUNT(policies)][COUNT(kills)][COUNT(results)];
    struct counter blocked[COUNT(reasons)];
    struct counter auth[COUNT(auths)];
    struct counter hooks[COUNT(platforms)][COUNT(hook_results)];
    struct counter hooks_left[COUNT(platforms)][COUNT(left_results)];
    struct counter policy_runs[COUNT(policy_results)];
    struct histogram policy_late, policy_time;
};

struct das_metrics *das_metrics_new(struct das_err *err)
{
    struct das_metrics *m = das_calloc(1, sizeof *m);

    if (!m)
        das_fail_nomem(err);
    return m;
}

void das_metrics_free(struct das_metrics *m)
{
    das_free(m);
}

void das_metrics_request(struct das_metrics *m, const char *action, int status, double seconds)
{
    size_t i = FIND(actions, action);

    add(&m->requests[i][find_status(status)], 1);
    observe(&m->request_time[i], seconds);
}

void das_metrics_preview(struct das_metrics *m, const char *source, bool good, double seconds,
                         uint64_t scanned, uint64_t matched)
{
    add(&m->previews[FIND(sources, source)][good ? 0 : 1], 1);
    observe(&m->preview_time, seconds);
    add(&m->scanned, scanned);
    add(&m->matched, matched);
}

void das_metrics_action(struct das_metrics *m, const char *policy, const char *action,
                        const char *result, uint64_t n)
{
    if (policy && strncmp(policy, "serve:", 6) == 0)
        policy += 6;
    add(&m->kills[FIND(policies, policy)][FIND(kills, action)][FIND(results, result)], n);
}

void das_metrics_policy(struct das_metrics *m, const char *result, double late, double took)
{
    add(&m->policy_runs[FIND(policy_results, result)], 1);
    observe(&m->policy_late, late);
    observe(&m->policy_time, took);
}

void das_metrics_hook(struct das_metrics *m, const char *platform, const char *result)
{
    add(&m->hooks[FIND(platforms, platform)][FIND(hook_results, result)], 1);
}

void das_metrics_hook_left(struct das_metrics *m, const char *platform, const char *result)
{
    add(&m->hooks_left[FIND(platforms, platform)][FIND(left_results, result)], 1);
}

void das_metrics_blocked(struct das_metrics *m, const char *reason)
{
    add(&m->blocked[FIND(reasons, reason)], 1);
}

void das_metrics_auth(struct das_metrics *m, const char *result)
{
    add(&m->auth[FIND(auths, result)], 1);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Label values are all from the lists above: none has a character that would have to be escaped. */

static void head(struct das_buf *b, const char *name, const char *type, const char *help)
{
    das_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(struct das_buf *b, double v)
{
    das_buf_printf(b, " %.15g\n", v);
}

static void count_line(struct das_buf *b, uint64_t v)
{
    das_buf_printf(b, " %llu\n", (unsigned long long)v);
}

static void single(struct das_buf *b, const char *name, const char *type, const char *help,
                   double v)
{
    head(b, name, type, help);
    das_buf_str(b, name);
    number(b, v);
}

/* Not known is not 0: then there is no such sample. */
static void known(struct das_buf *b, const char *name, const char *help, int64_t v)
{
    head(b, name, "gauge", help);
    if (v >= 0)
        das_buf_printf(b, "%s %lld\n", name, (long long)v);
}

static void total(struct das_buf *b, const char *name, const char *help, uint64_t v)
{
    head(b, name, "counter", help);
    das_buf_str(b, name);
    count_line(b, v);
}

static void by_one(struct das_buf *b, const char *name, const char *help, const char *label,
                   const char *const *values, struct counter *cells, size_t n)
{
    head(b, name, "counter", help);
    for (size_t i = 0; i < n; i++) {
        das_buf_printf(b, "%s{%s=\"%s\"}", name, label, values[i]);
        count_line(b, read_counter(&cells[i]));
    }
}

/* action: label of the series, or NULL. */
static void histogram(struct das_buf *b, const char *name, const char *action, struct histogram *h)
{
    const char *start = action ? "action=\"" : "", *end = action ? "\"" : "";
    uint64_t n = 0;

    if (!action)
        action = "";
    for (size_t i = 0; i < BUCKETS; i++) {
        n += read_counter(&h->in[i]);
        das_buf_printf(b, "%s_bucket{%s%s%s%sle=\"", name, start, action, end, *end ? "," : "");
        if (i < COUNT(bounds))
            das_buf_printf(b, "%g\"}", bounds[i]);
        else
            das_buf_str(b, "+Inf\"}");
        count_line(b, n);
    }
    das_buf_printf(b, "%s_sum%s%s%s%s%s", name, *end ? "{" : "", start, action, end,
                   *end ? "}" : "");
    number(b, (double)read_counter(&h->sum_ns) / 1e9);
    das_buf_printf(b, "%s_count%s%s%s%s%s", name, *end ? "{" : "", start, action, end,
                   *end ? "}" : "");
    count_line(b, n);
}

/* Of the many series that there could be, those that have happened. */
static void write_requests(struct das_metrics *m, struct das_buf *b)
{
    static const char name[] = "das_http_requests_total";
    static const char time[] = "das_http_request_duration_seconds";

    head(b, name, "counter", "Requests answered, by action and HTTP status.");
    for (size_t i = 0; i < COUNT(actions); i++) {
        for (size_t k = 0; k < COUNT(statuses); k++) {
            uint64_t n = read_counter(&m->requests[i][k]);
            if (!n)
                continue;
            das_buf_printf(b, "%s{action=\"%s\",status=\"", name, actions[i]);
            if (statuses[k])
                das_buf_printf(b, "%d\"}", statuses[k]);
            else
                das_buf_str(b, "other\"}");
            count_line(b, n);
        }
    }
    head(b, time, "histogram", "From a request's header to its answer, by action.");
    for (size_t i = 0; i < COUNT(actions); i++) {
        uint64_t seen = 0;
        for (size_t k = 0; k < BUCKETS && !seen; k++)
            seen = read_counter(&m->request_time[i].in[k]);
        if (seen)
            histogram(b, time, actions[i], &m->request_time[i]);
    }
}

static void write_previews(struct das_metrics *m, struct das_buf *b)
{
    static const char name[] = "das_previews_total";
    static const char time[] = "das_preview_duration_seconds";

    head(b, name, "counter", "Previews, by kind of source and result.");
    for (size_t i = 0; i < COUNT(sources); i++) {
        for (size_t k = 0; k < COUNT(preview_results); k++) {
            das_buf_printf(b, "%s{source=\"%s\",result=\"%s\"}", name, sources[i],
                           preview_results[k]);
            count_line(b, read_counter(&m->previews[i][k]));
        }
    }
    head(b, time, "histogram", "How long a preview took, with the list when it needed one.");
    histogram(b, time, NULL, &m->preview_time);
    total(b, "das_sessions_scanned_total", "Sessions that previews looked at.",
          read_counter(&m->scanned));
    total(b, "das_sessions_matched_total", "Sessions that previews selected.",
          read_counter(&m->matched));
}

static void write_kills(struct das_metrics *m, struct das_buf *b)
{
    static const char name[] = "das_actions_total";

    head(b, name, "counter", "Sessions of plans that were applied, by what became of them.");
    for (size_t p = 0; p < COUNT(policies); p++) {
        for (size_t a = 0; a < COUNT(kills); a++) {
            for (size_t r = 0; r < COUNT(results); r++) {
                uint64_t n = read_counter(&m->kills[p][a][r]);
                if (!n)
                    continue;
                das_buf_printf(b, "%s{policy=\"%s\",action=\"%s\",result=\"%s\"}", name,
                               policies[p], kills[a], results[r]);
                count_line(b, n);
            }
        }
    }
    by_one(b, "das_actions_blocked_total", "Plans that a guard refused, by reason.", "reason",
           reasons, m->blocked, COUNT(reasons));
}

/* By platform, and one of n results: m has n counters for each platform. */
static void by_platform(struct das_buf *b, const char *name, const char *const *names, size_t n,
                        struct counter *m)
{
    for (size_t i = 0; i < COUNT(platforms); i++) {
        for (size_t k = 0; k < n; k++) {
            uint64_t value = read_counter(&m[i * n + k]);
            if (!value)
                continue;
            das_buf_printf(b, "%s{platform=\"%s\",result=\"%s\"}", name, platforms[i], names[k]);
            count_line(b, value);
        }
    }
}

static void write_hooks(struct das_metrics *m, const struct das_metrics_now *now,
                        struct das_buf *b)
{
    static const char came[] = "das_hook_requests_total", left[] = "das_hook_left_total";

    head(b, came, "counter", "Requests that came to hooks, by platform and what became of them.");
    by_platform(b, came, hook_results, COUNT(hook_results), m->hooks[0]);
    head(b, left, "counter",
         "Requests of hooks that another das had left undone, by platform and what became of them.");
    by_platform(b, left, left_results, COUNT(left_results), m->hooks_left[0]);
    known(b, "das_hooks_waiting", "Requests of hooks that wait for a worker.", now->hooks_waiting);
    known(b, "das_hooks_running", "Scripts of hooks that run.", now->hooks_running);
}

static void write_policies(struct das_metrics *m, const struct das_metrics_now *now,
                           struct das_buf *b)
{
    static const char late[] = "das_policy_lateness_seconds";
    static const char time[] = "das_policy_run_duration_seconds";

    by_one(b, "das_policy_runs_total", "Runs of scheduled policies, by result.", "result",
           policy_results, m->policy_runs, COUNT(policy_results));
    head(b, late, "histogram", "From the moment a policy was due until its run began.");
    histogram(b, late, NULL, &m->policy_late);
    head(b, time, "histogram", "How long runs of scheduled policies took.");
    histogram(b, time, NULL, &m->policy_time);
    total(b, "das_policy_skipped_total", "Times that passed while the run before still went on.",
          (uint64_t)now->policies_skipped);
    known(b, "das_policies", "Policies that are scheduled, each counted on each instance.",
          now->policies);
    known(b, "das_policies_running", "Of those: running now.", now->policies_running);
    known(b, "das_policies_failing", "Of those: the last run failed.", now->policies_failing);
}

static double resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long size = 0, resident = 0;
    int got = f ? fscanf(f, "%llu %llu", &size, &resident) : 0;

    if (f)
        fclose(f);
    return got == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : NAN;
}

static double open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    double n = -1; /* the one that reads */

    while (d && readdir(d))
        n++;
    if (!d)
        return NAN;
    closedir(d);
    return n - 2; /* . and .. */
}

static void write_process(const struct das_metrics_now *now, struct das_buf *b)
{
    struct rlimit limit = {0};
    struct timespec cpu = {0};
    double memory = resident_bytes(), fds = open_fds();

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    single(b, "process_start_time_seconds", "gauge", "When it was started, Unix time.",
           now->start_unix_s);
    single(b, "process_cpu_seconds_total", "counter", "Processor time used.",
           (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    if (!isnan(memory))
        single(b, "process_resident_memory_bytes", "gauge", "Memory in use.", memory);
    if (!isnan(fds))
        single(b, "process_open_fds", "gauge", "Open file descriptors.", fds);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        single(b, "process_max_fds", "gauge", "How many it may have open.", (double)limit.rlim_cur);
}

void das_metrics_write(struct das_metrics *m, const struct das_metrics_now *now, struct das_buf *b)
{
    head(b, "das_build_info", "gauge", "Always 1; which version runs.");
    das_buf_str(b, "das_build_info{version=\"" DAS_VERSION "\"} 1\n");
    write_requests(m, b);
    by_one(b, "das_auth_total", "Requests that needed a key, by what came of it.", "result", auths,
           m->auth, COUNT(auths));
    known(b, "das_http_connections", "Open connections.", (int64_t)now->connections);
    known(b, "das_http_connections_busy", "Connections with a request in work.",
          (int64_t)now->busy);
    total(b, "das_http_connections_accepted_total", "Connections accepted.", now->accepted);
    total(b, "das_http_connections_refused_total", "Connections refused: too many were open.",
          now->refused_connections);
    total(b, "das_http_connections_cut_total", "Connections closed at their deadline.", now->cut);
    write_previews(m, b);
    total(b, "das_lists_total", "Lists of sessions that were made for previews.", now->lists);
    total(b, "das_lists_shared_total", "Previews that used a list made for others.",
          now->lists_shared);
    write_kills(m, b);
    write_policies(m, now, b);
    write_hooks(m, now, b);
    known(b, "das_tasks_running", "Kill tasks that run.", now->tasks_running);
    known(b, "das_instances", "Instances that are served.", now->instances);
    known(b, "das_instances_failing", "Instances whose last list failed.", now->instances_failing);
    known(b, "das_unknown_actions", "Kills that nobody knows the outcome of.",
          now->unknown_actions);
    known(b, "das_breakers_open", "Breakers that are open.", now->breakers_open);
    known(b, "das_offswitch_engaged", "1: the off switch is on and nothing is killed.",
          now->stopped);
    write_process(now, b);
}
