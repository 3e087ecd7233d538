/*
 * test_cloud_source.c - lists and kills of the source das: against a web server: answers that are put
 * together, answers that contradict each other, memory that runs out on the way.
 */
#include "core/source/das_cloud.h"
#include "core/source/source_kill.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/cloud/kill.h"
#include "tests/unit/kit.h"
#include "tests/unit/web_kit.h"

#define INSTANCE "0123456789abcdef0123456789abcdefin01"
#define PREVIEW "POST preview-session-for-kill-process-task"
#define TASKS "GET query-kill-process-task"
#define CREATE "PUT add-kill-process-task"
#define KILL "POST kill-process"
#define ONE(id, user, host, command)                                                               \
    "{\"id\":" #id ",\"user\":\"" user "\",\"host\":\"" host "\",\"db\":\"shop\",\"command\":\""     \
    command "\",\"sql_info\":\"select 1\",\"state_duration\":90,\"state\":\"\"}"
#define LIST(total, sync, rows)                                                                    \
    "{\"processes\":[" rows "],\"total_count\":" #total ",\"data_sync_time\":" #sync "}"

static struct web web;
static struct das_cloud *cloud;
static struct das_source *source;
static char spec[200];
static struct das_err err;
static long failing; /* the allocation that fails; 0: none */

static struct das_snapshot *list(struct das_filter *f, bool exhaustive)
{
    struct das_snapshot *snap = NULL;

    memset(&err, 0, sizeof err);
    if (das_source_list(source, &(struct das_query){.filter = f, .exhaustive = exhaustive}, &snap,
                        &err) < 0)
        return NULL;
    return snap;
}

#define ANSWERS(...)                                                                               \
    do {                                                                                           \
        const struct web_rule answers_[] = {__VA_ARGS__};                                           \
        web_rules(&web, answers_, sizeof answers_ / sizeof *answers_);                              \
    } while (0)

/* user = "a" | user = "b": two calls. */
static void test_merge(void)
{
    struct das_filter *f = kit_or(kit_filter("user", "a"), kit_filter("user", "b"));
    struct das_snapshot *s;

    ANSWERS({PREVIEW, 200, LIST(2, 100, ONE(7, "a", "h:1", "Query") "," ONE(8, "a", "h:2", "Query")), 1},
            {PREVIEW, 200, LIST(2, 103, ONE(8, "a", "h:2", "Sleep") "," ONE(9, "b", "h:3", "Query")), 1});
    s = list(f, false);
    must(s, "two calls: %s", err.msg);
    is_int(web_count(&web, PREVIEW), 2, "one for each side");
    is_int(das_snapshot_rows(s), 3, "one that both answers have is there once");
    is_int(das_snapshot_time(s), 100, "the time of the earlier answer");
    is_int(das_snapshot_spread(s), 3, "and how much later the other one is");
    das_snapshot_release(s);

    ANSWERS({PREVIEW, 200, LIST(1, 100, ONE(7, "a", "h:1", "Query")), 1},
            {PREVIEW, 200, LIST(1, 100, ONE(7, "b", "h:9", "Query")), 1});
    s = list(f, false);
    must(s, "two nodes: %s", err.msg);
    is_int(das_snapshot_rows(s), 2, "two sessions of one number are both there, so that neither is killed");
    das_snapshot_release(s);
    ANSWERS({PREVIEW, 200, LIST(1, 100, ONE(7, "a", "h:1", "Query")), 1},
            {PREVIEW, 200, LIST(1, 100, ONE(7, "a", "h:2", "Query")), 1});
    s = list(f, false);
    must(s, "two hosts: %s", err.msg);
    is_int(das_snapshot_rows(s), 2, "also where only the host is another");
    das_snapshot_release(s);
    das_filter_release(f);
}

static void test_times(void)
{
    struct das_filter *f = kit_or(kit_filter("user", "a"), kit_filter("user", "b"));
    struct das_snapshot *s;

    ANSWERS({PREVIEW, 200, LIST(0, 103, ""), 1}, {PREVIEW, 200, LIST(0, 100, ""), 1});
    s = list(f, false);
    must(s, "the later one first: %s", err.msg);
    is_int(das_snapshot_time(s), 100, "the earlier one counts, in whatever order they come");
    is_int(das_snapshot_spread(s), 3, "the same span");
    is_int(das_snapshot_lag(s), 0, "without a clock of the server there is no lag");
    das_snapshot_release(s);
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            ANSWERS({PREVIEW, 200, LIST(0, 103, ""), 1}, {PREVIEW, 200, LIST(0, null, ""), 1});
        else
            ANSWERS({PREVIEW, 200, LIST(0, null, ""), 1}, {PREVIEW, 200, LIST(0, 103, ""), 1});
        s = list(f, false);
        must(s, "a time is missing: %s", err.msg);
        is_int(das_snapshot_time(s), 0, "one that does not tell makes it unknown");
        das_snapshot_release(s);
    }
    das_filter_release(f);
}

static void test_kill(void)
{
    struct das_kill_order o = {.what = DAS_KILL_SESSION, .id = 7, .user = das_text_of("a")};

    ANSWERS({KILL, 200, "{\"count\":1}", 1}, {KILL, 200, "{\"count\":0}", 1}, {KILL, 200, "\"\"", 1},
            {KILL, 200, "{\"success\":false}", 1}, {KILL, 403, "{}", 1}, {KILL, 500, "{}", 1},
            {KILL, WEB_CUT, "", 1});
    is_int(das_source_kill(source, &o, &err), DAS_KILLED, "one was ended");
    has_str(web.seen[0], "{\"engine_type\":\"mysql\",\"processes\":[{\"id\":7,\"user\":\"a\"}]}",
            "that one, of that user");
    is_int(das_source_kill(source, &o, &err), DAS_KILL_GONE, "none was");
    is_int(das_source_kill(source, &o, &err), DAS_KILLED, "an empty text: accepted");
    is_int(das_source_kill(source, &o, &err), DAS_KILL_FAILED, "without success");
    is_int(das_source_kill(source, &o, &err), DAS_KILL_FAILED, "forbidden");
    is_int(das_source_kill(source, &o, &err), DAS_KILL_UNKNOWN, "500: nobody knows");
    is_int(das_source_kill(source, &o, &err), DAS_KILL_UNKNOWN, "no answer: nobody knows");
    is_int(web_count(&web, KILL), 7, "each was sent once");
    o.what = DAS_KILL_STATEMENT;
    is_int(das_source_kill(source, &o, &err), DAS_KILL_FAILED, "a statement cannot be ended");
    is_int(web_count(&web, KILL), 7, "and is not tried");
}

/* How often it is asked whether the kill may still be sent, and when the answer changes. */
struct doorman {
    int asked, until; /* 0: it always may */
};

static int64_t door(void *arg)
{
    struct doorman *d = arg;

    d->asked++;
    return !d->until || d->asked < d->until ? 5000 : 0;
}

static void test_late(void)
{
    struct doorman always = {0, 0}, d;
    struct das_kill_order o = {.what = DAS_KILL_SESSION, .id = 7, .user = das_text_of("a"),
                               .sending = {door, &always}};

    ANSWERS({KILL, 200, "{\"count\":1}", 0});
    is_int(das_source_kill(source, &o, &err), DAS_KILLED, "it may be sent");
    ok(always.asked > 1, "which is asked %d times", always.asked);
    for (int n = 1; n <= always.asked; n++) {
        ANSWERS({KILL, 200, "{\"count\":1}", 0});
        d = (struct doorman){0, n};
        o.sending.arg = &d;
        if (das_source_kill(source, &o, &err) != DAS_KILL_LATE || web_count(&web, KILL) != 0)
            ok(0, "no longer at question %d: %s", n, err.msg);
    }
    has_str(err.msg, "not sent any more", "the last question is the last moment");
}

static void test_ids(void)
{
    struct das_cloud_call call = {0};
    struct das_cloud_place place;
    struct das_cloud *of;

    must(das_source_cloud(source, &of, &place), "its account");
    ANSWERS({"DELETE process", 200, "", 0});
    ok(das_cloud_kill_ids(of, &place, "u-1", NULL, 0, &call, &err) < 0 && err.code == DAS_E_USAGE,
       "no ids: not everybody");
    is_int((int64_t)web.seen_count, 0, "nothing is sent");
}

#define TASK(id, user, time, type, more)                                                           \
    "{\"task_id\":" #id ",\"user\":\"" user "\",\"host\":\"\",\"db\":\"\",\"command\":\"\",\"info\":\"\"," \
    "\"time\":" #time ",\"task_type\":\"" type "\"" more "}"

/* Which task among these is the one that was made? 0: none. */
static int64_t made(const char *type, const char *before, const char *after)
{
    const struct das_cloud_criteria c = {
        .user = das_text_of("a"), .time = 5, .task_duration = 10, .task_type = type};
    char lists[2][2000];
    struct das_cloud_call call = {0};
    struct das_cloud_answer out;
    struct das_cloud_place place;
    struct das_cloud *of;
    int64_t id = 0;

    must(das_source_cloud(source, &of, &place), "its account");
    snprintf(lists[0], sizeof lists[0], "{\"sql_killing_task_resp_list\":[%s]}", before);
    snprintf(lists[1], sizeof lists[1], "{\"sql_killing_task_resp_list\":[%s]}", after);
    ANSWERS({TASKS, 200, lists[0], 1}, {CREATE, 200, "{\"success\":true}", 1}, {TASKS, 200, lists[1], 1});
    must(das_cloud_task_create(of, &place, &c, &call, &out, &err) == 0, "made: %s", err.msg);
    if (out.list.count)
        id = ((const struct das_cloud_task *)das_cloud_item(&out.list, 0))->task_id;
    das_cloud_answer_clear(&out);
    return id;
}

static void test_task(void)
{
    static const char old[] = TASK(4, "a", 5, "auto", ",\"task_duration\":10");

    is_int(made("auto", "", TASK(9, "a", 5, "auto", "")), 9, "the one that is as it was asked for");
    is_int(made("auto", "", TASK(9, "a", 5, "auto", ",\"task_duration\":10")), 9, "with its duration");
    is_int(made("auto", "", TASK(9, "a", 5, "auto", ",\"task_duration\":99")), 0, "not with another");
    is_int(made("manual", "", TASK(9, "a", 5, "manual", ",\"task_duration\":0")), 9, "unless it has none");
    is_int(made("auto", "", TASK(9, "a", 6, "auto", "")), 0, "not with another time");
    is_int(made("auto", "", TASK(9, "b", 5, "auto", "")), 0, "nor of another user");
    is_int(made("auto", "", TASK(9, "a", 5, "manual", "")), 0, "nor of the other type");
    is_int(made("auto", old, TASK(4, "a", 5, "auto", "")), 0, "nor one that was there before");
    is_int(made("auto", "", TASK(9, "a", 5, "auto", "") "," TASK(8, "a", 5, "auto", "")), 0,
           "two that are new: nobody can tell which");
}

/* --- memory that runs out ------------------------------------------------------------------------ */

static bool reached; /* the allocation that was to fail */

static void stop_failing(void)
{
    reached = das_alloc_failed();
    das_alloc_fail_at(0);
}

static void answer_parts(void)
{
    ANSWERS({PREVIEW, 200, LIST(3, 100, ONE(1, "a", "h:1", "Sleep")), 1},
            {PREVIEW, 200, LIST(1, 101, ONE(1, "a", "h:1", "Sleep")), 1},
            {PREVIEW, 200, LIST(2, 102, ONE(2, "b", "h:2", "Query") "," ONE(3, "c", "h:3", "Query")), 1},
            {PREVIEW, 200, LIST(3, 103, ONE(1, "a", "h:1", "Sleep")), 1});
}

static int in_parts(void)
{
    struct das_filter *f = kit_all();
    struct das_snapshot *s;

    answer_parts();
    das_alloc_fail_at(failing);
    s = list(f, true);
    stop_failing();
    das_filter_release(f);
    if (!s)
        return -1;
    is_int(das_snapshot_rows(s), 3, "all of them, though allocation %ld failed", failing);
    ok(das_snapshot_complete(s), "and complete");
    das_snapshot_release(s);
    return 0;
}

static int one_kill(void)
{
    const struct das_kill_order o = {.what = DAS_KILL_SESSION, .id = 7, .user = das_text_of("a")};
    enum das_kill_result result;
    int sent;

    ANSWERS({KILL, 200, "{\"count\":1}", 1});
    memset(&err, 0, sizeof err);
    das_alloc_fail_at(failing);
    result = das_source_kill(source, &o, &err);
    stop_failing();
    sent = web_count(&web, KILL);
    if (result == DAS_KILLED)
        return 0;
    if (sent != (result == DAS_KILL_UNKNOWN))
        ok(0, "allocation %ld: sent %d times, and the result is %d: %s", failing, sent, (int)result,
           err.msg);
    return -1;
}

static int one_task(void)
{
    const struct das_cloud_criteria c = {
        .user = das_text_of("a"), .time = 5, .task_duration = 10, .task_type = "auto"};
    struct das_cloud_call call = {0};
    struct das_cloud_answer out;
    struct das_cloud_place place;
    struct das_cloud *of;
    int rc, sent;

    must(das_source_cloud(source, &of, &place), "its account");
    ANSWERS({TASKS, 200, "{\"sql_killing_task_resp_list\":[]}", 1}, {CREATE, 200, "{\"success\":true}", 1},
            {TASKS, 200, "{\"sql_killing_task_resp_list\":[{\"task_id\":9,\"user\":\"a\",\"host\":\"\","
             "\"db\":\"\",\"command\":\"\",\"info\":\"\",\"time\":5,\"task_type\":\"auto\"}]}", 1});
    memset(&err, 0, sizeof err);
    das_alloc_fail_at(failing);
    rc = das_cloud_task_create(of, &place, &c, &call, &out, &err);
    stop_failing();
    sent = web_count(&web, CREATE);
    if (rc < 0 && sent && !call.unknown)
        ok(0, "allocation %ld: a task was ordered, and nothing is in doubt: %s", failing, err.msg);
    if (rc == 0 && sent != 1)
        ok(0, "allocation %ld: done, and sent %d times", failing, sent);
    das_cloud_answer_clear(&out);
    return rc;
}

/* Each allocation fails once: that is told, or it does not matter. */
static void sweep(const char *what, int (*run)(void))
{
    int failed = 0;

    reached = true;
    for (failing = 1; reached; failing++) {
        if (run() == 0)
            continue;
        failed++;
        if (err.code != DAS_E_NOMEM)
            ok(0, "%s, allocation %ld: %s", what, failing, err.msg);
    }
    failing = 0;
    ok(failed > 3, "%s: %d failing allocations are told", what, failed);
    is_int(run(), 0, "%s: and afterwards all is well", what);
}

int main(void)
{
    struct das_cloud_conf conf = das_cloud_conf_default;
    struct das_source_conf at = {.name = "orders", .spec = spec};

    setenv("HUAWEICLOUD_SDK_AK", "AK", 1);
    setenv("HUAWEICLOUD_SDK_SK", "SECRETKEY", 1);
    unsetenv("HUAWEICLOUD_SDK_SECURITY_TOKEN");
    web_start(&web);
    snprintf(spec, sizeof spec, "das://cn-north-4/fedcba9876543210fedcba9876543210/" INSTANCE
                                "?endpoint=http://127.0.0.1:%d", web.port);
    conf.retry.times = 0;
    conf.rate = 0;
    conf.concurrency = 1;
    cloud = das_cloud_new(&conf, &err);
    must(cloud, "an account: %s", err.msg);
    at.account = cloud;
    must(das_source_open(&at, &source, &err) == 0, "a source: %s", err.msg);
    test_merge();
    test_times();
    test_kill();
    test_late();
    test_ids();
    test_task();
    sweep("a list in parts", in_parts);
    sweep("a kill", one_kill);
    sweep("a kill task", one_task);
    das_source_close(source);
    das_cloud_release(cloud);
    web_stop(&web);
    return tap_done();
}
