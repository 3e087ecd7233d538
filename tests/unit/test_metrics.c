/* test_metrics.c - what is counted comes out, in a format that a strict reader of its own accepts,
 * and nothing that a client says becomes a label. */
#include "core/serve/metrics.h"

#include "bindings/engine.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/plan/plan.h"
#include "core/serve/call.h"
#include "tests/unit/tap.h"
#include "tests/unit/metrics_kit.h"

static struct das_err err;
static struct das_buf text;

static struct das_metrics *make(void)
{
    struct das_metrics *m = das_metrics_new(&err);

    must(m != NULL, "a table of counters");
    return m;
}

static void scrape(struct das_metrics *m, const struct das_metrics_now *now, const char *what)
{
    das_buf_reset(&text);
    das_metrics_write(m, now, &text);
    must(das_buf_ok(&text, &err) == 0, "%s: written", what);
    if (!ok(metrics_read(das_buf_view(&text)) == 0, "%s: a strict reader accepts it", what))
        tap_diag("%s", metrics_wrong);
}

#define is_metric(name, labels, want)                                                \
    do {                                                                             \
        double g_ = metric(name, labels);                                            \
        if (!ok(g_ == (double)(want), "%s{%s} is %g", name, labels, (double)(want))) \
            tap_diag("got %g", g_);                                                  \
    } while (0)

/* The reader itself: one that accepts everything would prove nothing. */
static void reader(void)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "no newline"},
        {"# HELP a_total x\n# TYPE a_total counter\na_total 1", "no newline"},
        {"a 1\n", "under its TYPE"},
        {"# TYPE a gauge\na 1\n", "does not follow its HELP"},
        {"# HELP a x\n# TYPE a gauge\n# HELP b x\n# TYPE b gauge\na 1\n", "under its TYPE"},
        {"# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n", "HELP twice"},
        {"# HELP a x\n# TYPE a gauge\na 1\na 2\n", "twice"},
        {"# HELP a x\n# TYPE a gauge\na{x=\"1\"} 1\na{x=\"1\"} 2\n", "twice"},
        {"# HELP a x\n# TYPE a gauge\na{x=1} 1\n", "NAME="},
        {"# HELP a x\n# TYPE a gauge\na{x=\"\\t\"} 1\n", "escape"},
        {"# HELP a x\n# TYPE a gauge\na{x=\"1\",} 1\n", "comma"},
        {"# HELP a x\n# TYPE a gauge\na  \n", "no number"},
        {"# HELP a x\n# TYPE a meter\na 1\n", "no such type"},
        {"# HELP a x\n# TYPE a gauge\n\na 1\n", "empty line"},
        {"# HELP a x\n# TYPE a counter\na 1\n", "_total"},
        {"# HELP a_total x\n# TYPE a_total counter\na_total -1\n", "negative"},
        {"# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\n"
         "a_count 1\n",
         "do not rise"},
        {"# HELP a x\n# TYPE a histogram\na_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\n"
         "a_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
         "do not rise"},
        {"# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
         "not the count"},
        {"# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n", "no +Inf"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok(metrics_read(das_text_of(cases[i].text)) < 0, "the reader refuses case %zu", i);
        has_str(metrics_wrong, cases[i].why, "because: %s", cases[i].why);
    }
    is_int(metrics_read(das_text_of("# HELP a_total x y\n# TYPE a_total counter\n"
                                    "a_total{b=\"\\\"\\\\\\n\",c=\"\"} 1.5e3\n")),
           0, "and takes what is right");
    is_metric("a_total", "b=\\\"\\\\\\n;c=;", 1500);
}

static void counted(void)
{
    struct das_metrics *m = make();
    const struct das_metrics_now now = {.connections = 7,
                                        .busy = 3,
                                        .accepted = 100,
                                        .refused_connections = 4,
                                        .cut = 5,
                                        .lists = 11,
                                        .lists_shared = 89,
                                        .tasks_running = 2,
                                        .instances = 6,
                                        .instances_failing = 1,
                                        .unknown_actions = 9,
                                        .breakers_open = 8,
                                        .stopped = true,
                                        .start_unix_s = 1764000000.25};

    das_metrics_request(m, "preview", 200, 0.0004);
    das_metrics_request(m, "preview", 200, 0.02);
    das_metrics_request(m, "preview", 401, 31);
    das_metrics_request(m, "kill_all_sessions", 200, 0.5);
    das_metrics_preview(m, "mem", true, 0.003, 1000, 200);
    das_metrics_preview(m, "mysql", false, 2, 0, 0);
    das_metrics_action(m, "serve:task", "connection", "killed", 3);
    das_metrics_action(m, "task", "connection", "killed", 2);
    das_metrics_action(m, "serve:kill", "connection", "protected", 1);
    das_metrics_blocked(m, "breaker");
    das_metrics_auth(m, "ok");
    das_metrics_auth(m, "refused");
    das_metrics_auth(m, "refused");
    scrape(m, &now, "a few of each");
    is_metric("das_build_info", "version=0.1.0;", 1);
    is_metric("das_http_requests_total", "action=preview;status=200;", 2);
    is_metric("das_http_requests_total", "action=preview;status=401;", 1);
    is_metric("das_http_requests_total", "action=kill_all_sessions;status=200;", 1);
    ok(isnan(metric("das_http_requests_total", "action=livez;status=200;")),
       "what did not happen is not there");
    is_metric("das_http_request_duration_seconds_count", "action=preview;", 3);
    ok(fabs(metric("das_http_request_duration_seconds_sum", "action=preview;") - 31.0204) < 1e-9,
       "the sum of their times, in seconds");
    is_int(
        sample_find("das_http_request_duration_seconds_bucket", "action=preview;", "0.0005")->value,
        1, "one was fast");
    is_int(
        sample_find("das_http_request_duration_seconds_bucket", "action=preview;", "0.025")->value,
        2, "one not");
    is_int(sample_find("das_http_request_duration_seconds_bucket", "action=preview;", "30")->value,
           2, "and one is longer than all bounds");
    is_int(
        sample_find("das_http_request_duration_seconds_bucket", "action=kill_all_sessions;", "0.5")
            ->value,
        1, "a bound is within its bucket");
    is_metric("das_previews_total", "source=mem;result=ok;", 1);
    is_metric("das_previews_total", "source=mysql;result=failed;", 1);
    is_metric("das_previews_total", "source=das;result=ok;", 0);
    is_metric("das_preview_duration_seconds_count", "", 2);
    is_metric("das_sessions_scanned_total", "", 1000);
    is_metric("das_sessions_matched_total", "", 200);
    is_metric("das_actions_total", "policy=task;action=connection;result=killed;", 5);
    is_metric("das_actions_total", "policy=kill;action=connection;result=protected;", 1);
    is_metric("das_actions_blocked_total", "reason=breaker;", 1);
    is_metric("das_actions_blocked_total", "reason=guard;", 0);
    is_metric("das_auth_total", "result=ok;", 1);
    is_metric("das_auth_total", "result=refused;", 2);
    is_metric("das_http_connections", "", 7);
    is_metric("das_http_connections_busy", "", 3);
    is_metric("das_http_connections_accepted_total", "", 100);
    is_metric("das_http_connections_refused_total", "", 4);
    is_metric("das_http_connections_cut_total", "", 5);
    is_metric("das_lists_total", "", 11);
    is_metric("das_lists_shared_total", "", 89);
    is_metric("das_tasks_running", "", 2);
    is_metric("das_instances", "", 6);
    is_metric("das_instances_failing", "", 1);
    is_metric("das_unknown_actions", "", 9);
    is_metric("das_breakers_open", "", 8);
    is_metric("das_offswitch_engaged", "", 1);
    is_metric("process_start_time_seconds", "", 1764000000.25);
    das_metrics_free(m);
}

static void not_known(void)
{
    struct das_metrics *m = make();
    const struct das_metrics_now now = {.unknown_actions = -1, .breakers_open = -1};

    scrape(m, &now, "nothing happened");
    ok(isnan(metric("das_unknown_actions", "")) && isnan(metric("das_breakers_open", "")),
       "what is not known is not 0");
    is_metric("das_offswitch_engaged", "", 0);
    is_metric("das_preview_duration_seconds_count", "", 0);
    das_metrics_free(m);
}

/* Of the process itself: against what the test does to it. */
static void process(void)
{
    struct das_metrics *m = make();
    const struct das_metrics_now now = {.start_unix_s = 1};
    const size_t big = (size_t)64 << 20;
    double fds, memory;
    int fd[3];
    char *block;

    scrape(m, &now, "before");
    fds = metric("process_open_fds", "");
    memory = metric("process_resident_memory_bytes", "");
    for (int i = 0; i < 3; i++)
        fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    block = das_alloc(big);
    must(block != NULL, "64 MB");
    for (size_t i = 0; i < big; i += 1024)
        ((volatile char *)block)[i] = 1;
    scrape(m, &now, "after");
    is_metric("process_open_fds", "", fds + 3);
    ok(metric("process_resident_memory_bytes", "") >= memory + (double)big / 2, "memory was used");
    ok(metric("process_cpu_seconds_total", "") > 0, "and time");
    ok(metric("process_max_fds", "") >= fds + 3, "there is a limit");
    das_free(block);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    das_metrics_free(m);
}

/* However wild the words are, the number of series has a bound and no word comes out. */
static void bounded(void)
{
    struct das_metrics *m = make();
    const struct das_metrics_now now = {0};
    size_t before = 0;
    char word[40];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            snprintf(word, sizeof word, "x\"}\\\n%d", i + round * 5000);
            das_metrics_request(m, word, i, i);
            das_metrics_preview(m, word, i & 1, -1, 1, 1);
            das_metrics_action(m, word, word, word, 1);
            das_metrics_blocked(m, word);
            das_metrics_auth(m, word);
            das_metrics_policy(m, word, -1, NAN);
        }
        das_metrics_request(m, NULL, -5, NAN);
        das_metrics_request(m, "", 0, INFINITY);
        das_metrics_preview(m, NULL, true, NAN, 0, 0);
        das_metrics_action(m, NULL, NULL, NULL, 1);
        das_metrics_blocked(m, NULL);
        das_metrics_auth(m, NULL);
        scrape(m, &now, "any words");
        if (round == 0)
            before = sample_count;
        else
            is_int(sample_count, before, "twice as many words make no more series");
    }
    ok(!strstr(text.ptr, "x\\\""), "none of them is a label");
    is_metric("das_http_request_duration_seconds_count", "action=other;", 10004);
    is_metric("das_http_requests_total", "action=other;status=404;", 2);
    is_metric("das_actions_total", "policy=other;action=other;result=other;", 10002);
    is_metric("das_auth_total", "result=other;", 10002);
    is_metric("das_policy_runs_total", "result=other;", 10000);
    das_metrics_free(m);
}

/* Names that other rooms give are not "other" by a slip of the pen. */
static void names(void)
{
    struct das_metrics *m = make();
    const struct das_metrics_now now = {0};
    char labels[200];

    for (int k = 0; k < DAS_O_COUNT; k++)
        das_metrics_action(m, "serve:task", "connection",
                           das_outcome_name((enum das_outcome_kind)k), 1);
    scrape(m, &now, "each outcome");
    for (int k = 0; k < DAS_O_COUNT; k++) {
        snprintf(labels, sizeof labels, "policy=task;action=connection;result=%s;",
                 das_outcome_name((enum das_outcome_kind)k));
        is_metric("das_actions_total", labels, 1);
    }
    das_metrics_action(m, "policy", "auto", "killed", 2);
    das_metrics_policy(m, "ok", 0.002, 1);
    for (int k = DAS_END_ERROR; k <= DAS_END_STUCK; k++)
        das_metrics_policy(m, das_end_name((enum das_end)k), 0.002, 1);
    scrape(m, &now, "each end of a policy");
    is_metric("das_actions_total", "policy=policy;action=auto;result=killed;", 2);
    is_metric("das_policy_runs_total", "result=ok;", 1);
    is_metric("das_policy_runs_total", "result=other;", 0);
    for (int k = DAS_END_ERROR; k <= DAS_END_STUCK; k++) {
        snprintf(labels, sizeof labels, "result=%s;", das_end_name((enum das_end)k));
        is_metric("das_policy_runs_total", labels, 1);
    }
    is_metric("das_policy_lateness_seconds_count", "", 5);
    is_int(sample_find("das_policy_lateness_seconds_bucket", "", "0.001")->value, 0, "none that early");
    is_int(sample_find("das_policy_lateness_seconds_bucket", "", "0.0025")->value, 5, "all by then");
    das_metrics_free(m);
}

/* --- from many threads --------------------------------------------------------------------------
 */

#define THREADS 4
#define TIMES 50000

static void *count(void *arg)
{
    struct das_metrics *m = arg;

    for (int i = 0; i < TIMES; i++) {
        das_metrics_request(m, "preview", 200, 0.001 * (i % 50));
        das_metrics_auth(m, "ok");
    }
    return NULL;
}

static void threads(void)
{
    struct das_metrics *m = make();
    const struct das_metrics_now now = {0};
    pthread_t t[THREADS];
    bool good = true;

    for (int i = 0; i < THREADS; i++)
        must(pthread_create(&t[i], NULL, count, m) == 0, "thread %d", i);
    for (int i = 0; i < 20; i++) {
        das_buf_reset(&text);
        das_metrics_write(m, &now, &text);
        good = good && metrics_read(das_buf_view(&text)) == 0;
    }
    ok(good, "read while it counts: +Inf is the count all the same %s", metrics_wrong);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    scrape(m, &now, "after all");
    is_metric("das_http_requests_total", "action=preview;status=200;", THREADS * TIMES);
    is_metric("das_http_request_duration_seconds_count", "action=preview;", THREADS * TIMES);
    is_metric("das_auth_total", "result=ok;", THREADS * TIMES);
    ok(fabs(metric("das_http_request_duration_seconds_sum", "action=preview;") -
            THREADS * TIMES * 0.0245) < 0.01,
       "no time is lost");
    das_metrics_free(m);
}

static void no_memory(void)
{
    das_alloc_fail_at(1);
    ok(das_metrics_new(&err) == NULL && err.code == DAS_E_NOMEM, "no memory, no table");
    das_alloc_fail_at(0);
    das_metrics_free(NULL);
}

/* No name of a route is "other": whoever adds one adds it to the labels, too. */
static void routes(void)
{
    struct das_metrics *m = das_metrics_new(&err);
    const struct das_metrics_now now = {.start_unix_s = 1};
    char labels[100];
    const struct das_route *r;

    for (size_t i = 0; (r = das_route_at(i)); i++)
        das_metrics_request(m, r->name, 204, 0.001);
    scrape(m, &now, "each route");
    for (size_t i = 0; (r = das_route_at(i)); i++) {
        snprintf(labels, sizeof labels, "action=%s;status=204;", r->name);
        ok(metric("das_http_requests_total", labels) >= 1, "%s has a label", r->name);
    }
    ok(isnan(metric("das_http_requests_total", "action=other;status=204;")), "none is another one");
    das_metrics_free(m);
}

int main(void)
{
    reader();
    counted();
    not_known();
    process();
    bounded();
    names();
    routes();
    threads();
    no_memory();
    das_buf_clear(&text);
    return tap_done();
}
