/*
 * test_act.c - what the cloud is told to do without a plan: what may say no to it, what the journal
 * says about it, and what is known when the answer was lost. Against a web server and a real state
 * database.
 */
#include "core/plan/act.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/store/budget.h"
#include "core/store/habits.h"
#include "core/store/journal.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_state.h"
#include "tests/unit/web_kit.h"

#define INSTANCE "0123456789abcdef0123456789abcdefin01"
#define PREVIEW "POST preview-session-for-kill-process-task"
#define TASKS "GET query-kill-process-task"
#define CREATE "PUT add-kill-process-task"
#define STOP "POST terminate-kill-process-task"
#define SWITCH "GET get-kill-process-task-switch"
#define SET "POST set-kill-process-task-switch"
#define KILL_ALL "POST kill-all-session"

#define DONE "{\"success\":true}"
#define NO_TASKS "{\"sql_killing_task_resp_list\":[]}"
#define ONE_SESSION                                                                                \
    "{\"processes\":[{\"id\":7,\"user\":\"app\",\"host\":\"10.0.0.7:1\",\"db\":\"shop\","             \
    "\"command\":\"Query\",\"sql_info\":\"select 1\",\"state_duration\":90,\"state\":\"\"}],"        \
    "\"total_count\":1,\"data_sync_time\":1766655104}"
#define TASK(id)                                                                                   \
    "{\"task_id\":" id ",\"user\":\"app\",\"host\":\"\",\"db\":\"\",\"command\":\"Query\","          \
    "\"info\":\"\",\"time\":60,\"task_type\":\"auto\",\"task_duration\":600,\"task_state\":1,"       \
    "\"start_time\":1766655104000,\"end_time\":0}"
#define TASKS_OF(list) "{\"sql_killing_task_resp_list\":[" list "]}"

static struct web web;
static struct das_cloud *cloud;
static char endpoint[60];
static struct das_err err;
static struct das_policy_rules rules;
static struct das_guard guard;
static struct das_cloud_call call;
static struct das_act_result result;
static int64_t from; /* records up to here are older than the case */
static char records[8][4000];
static size_t record_count;

/* --- the stage ---------------------------------------------------------------------------------- */

static int keep_record(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    (void)arg, (void)hash;
    if (seq > from && record_count < 8)
        snprintf(records[record_count++], sizeof records[0], "%.*s", (int)line.len, line.ptr);
    return 0;
}

/* What the case has written: "intent outcome". */
static const char *journal(void)
{
    static char kinds[200];
    size_t n = 0;

    record_count = 0;
    must(das_journal_each(temp_store(), 0, keep_record, NULL, &err) == 0, "journal: %s", err.msg);
    kinds[0] = '\0';
    for (size_t i = 0; i < record_count; i++) {
        const char *kind = strstr(records[i], "\"kind\":\"") + 8;
        n += (size_t)snprintf(kinds + n, sizeof kinds - n, "%s%.*s", i ? " " : "",
                              (int)strcspn(kind, "\""), kind);
    }
    return kinds;
}

/* A policy of its own for each case, that may do anything. */
static void fresh(const char *policy, const struct web_rule *answers, size_t n)
{
    struct das_head head;

    rules = allow_all;
    guard = (struct das_guard){
        .who = "alice", .policy = policy, .rules = &rules, .store = temp_store()};
    must(das_journal_head(temp_store(), &head, &err) == 0, "head");
    from = head.seq;
    web_rules(&web, answers, n);
}

#define FRESH(policy, ...)                                                                         \
    do {                                                                                           \
        const struct web_rule answers_[] = {__VA_ARGS__};                                           \
        fresh(policy, answers_, sizeof answers_ / sizeof *answers_);                               \
    } while (0)

static struct das_cloud_criteria criteria;

static struct das_act_order order_of(enum das_cloud_act act)
{
    criteria = (struct das_cloud_criteria){
        .user = das_text_of("app"), .command = das_text_of("query"), .time = 60,
        .task_duration = 600};
    return (struct das_act_order){
        .act = act, .instance = "orders", .cloud = cloud, .criteria = &criteria, .task_id = 5,
        .place = {"cn-north-4", "fedcba9876543210fedcba9876543210", INSTANCE, endpoint},
        .confirm = INSTANCE, .reason = "too slow", .armed = true};
}

static int act(const struct das_act_order *o)
{
    memset(&call, 0, sizeof call);
    das_act_result_clear(&result);
    memset(&err, 0, sizeof err);
    return das_act(o, &guard, &call, &result, &err);
}

/* Armed, it is refused without a word to the cloud, and the journal says so. */
static void refused(struct das_act_order o, const char *sent, const char *why, const char *what)
{
    ok(act(&o) < 0 && err.code == DAS_E_BLOCKED && !result.done, "%s: blocked", what);
    has_str(err.msg, why, "%s: why", what);
    is_int(web_count(&web, sent), 0, "%s: nothing was sent", what);
    is_str(journal(), "refused", "%s: one record", what);
    has_str(records[0], why, "%s: with the reason", what);
    o.armed = false;
    is_int(act(&o), 0, "%s: a dry run", what);
    has_str(result.would_block, why, "%s: would be blocked", what);
    is_int(web_count(&web, sent), 0, "%s: and sends nothing", what);
}

/* --- creating a task ---------------------------------------------------------------------------- */

static const struct web_rule creates[] = {
    {PREVIEW, 200, ONE_SESSION, 0},
    {TASKS, 200, TASKS_OF(TASK("4")), 1},
    {CREATE, 200, DONE, 0},
    {TASKS, 200, TASKS_OF(TASK("4") "," TASK("9")), 0},
};
#define CREATES(policy) fresh(policy, creates, sizeof creates / sizeof *creates)

static void creates_a_task(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);

    CREATES("create");
    is_int(act(&o), 0, "a task: %s", err.msg);
    ok(result.done && result.sessions == 1 && !result.note[0], "done; it would hit one session now");
    ok(result.task.list.count == 1 &&
           ((const struct das_cloud_task *)result.task.list.items)->task_id == 9,
       "the new task is handed over");
    is_int(web_count(&web, CREATE), 1, "asked for once");
    is_str(journal(), "intent outcome", "an intent and an outcome");
    has_str(records[0], "\"act\":\"create_kill_task\",\"instance\":\"orders\",\"region\":\"cn-north-4\"",
            "what and where");
    has_str(records[0], "\"criteria\":{\"user\":\"app\",\"command\":\"Query\",\"time\":60,"
                        "\"task_duration\":600,\"task_type\":\"auto\"}",
            "the request as it is sent, in the API's spelling");
    has_str(records[0], "\"sessions\":1,\"policy\":\"create\",\"by_person\":false,\"by\":\"alice\","
                        "\"reason\":\"too slow\"}",
            "who and why");
    has_str(records[1], "\"outcome\":\"done\",\"act\":\"create_kill_task\"", "done");
    has_str(records[1], "\"task_id\":9,\"request_id\":\"req-200\"}", "with its number");
}

static void dry_run(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);

    CREATES("dry");
    o.armed = false;
    is_int(act(&o), 0, "a dry run: %s", err.msg);
    ok(!result.done && !result.would_block[0] && result.sessions == 1, "says whom it would hit");
    is_int(web_count(&web, CREATE), 0, "sends nothing");
    is_str(journal(), "", "writes nothing");
    memset(&call, 0, sizeof call);
    das_act_result_clear(&result);
    is_int(das_act(&o, NULL, &call, &result, &err), 0, "and needs no guard");
    o.armed = true;
    ok(das_act(&o, NULL, &call, &result, &err) < 0 && err.code == DAS_E_BLOCKED,
       "armed, it does");
    guard.store = NULL;
    ok(act(&o) < 0 && err.code == DAS_E_BLOCKED && strstr(err.msg, "journal"), "with a journal");
    is_int(web_count(&web, CREATE), 0, "nothing was sent");
}

static void senseless(struct das_act_order o, const char *why)
{
    ok(act(&o) < 0 && err.code == DAS_E_USAGE, "makes no sense: %s", why);
    has_str(err.msg, why, "says why");
}

static void makes_sense(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);

    CREATES("sense");
    criteria.time = 0;
    senseless(o, "time: a kill task needs 1 to");
    criteria.time = INT64_MAX;
    senseless(o, "time: ");
    o = order_of(DAS_ACT_CREATE_TASK);
    o.all = true;
    senseless(o, "all: means every session, but there is user besides");
    criteria.user = criteria.command = DAS_TEXT_NULL;
    o.all = false;
    senseless(o, "ends every session");
    criteria.user = das_text_of("");
    senseless(o, "ends every session");
    o = order_of(DAS_ACT_CREATE_TASK);
    criteria.task_duration = 9;
    senseless(o, "task_duration: expected 10 to");
    criteria.task_duration = 0;
    senseless(o, "task_duration: ");
    criteria.task_type = "never";
    senseless(o, "task_type: expected");
    o.criteria = NULL;
    senseless(o, "criteria");
    o = order_of(DAS_ACT_STOP_TASK);
    o.task_id = 0;
    senseless(o, "task_id: ");
    o = order_of(DAS_ACT_SWITCH_ON);
    o.wait_ms = -1;
    senseless(o, "wait");
    o = order_of(DAS_ACT_KILL_ALL);
    o.confirm = NULL;
    senseless(o, "confirm: expected the id of the instance, " INSTANCE ", got nothing");
    o.confirm = "orders";
    senseless(o, "got \"orders\"");
    o = order_of(DAS_ACT_KILL_ALL);
    o.place.instance = NULL;
    senseless(o, "kill_all: expected an instance");
    is_str(journal(), "", "none of it stands in the journal");
    is_int((long long)web.seen_count, 0, "nor was anybody asked");
}

static void a_manual_task(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);

    CREATES("manual");
    criteria.task_type = "manual";
    criteria.task_duration = 0;
    is_int(act(&o), 0, "a manual task needs no duration: %s", err.msg);
    journal();
    has_str(records[0], "\"task_duration\":10,\"task_type\":\"manual\"", "the API gets one");
    ok(result.task.list.count == 0, "the new task is of another type: none is handed over");
    CREATES("all");
    o = order_of(DAS_ACT_CREATE_TASK);
    criteria.user = criteria.command = DAS_TEXT_NULL;
    o.all = true;
    is_int(act(&o), 0, "time alone, and all: %s", err.msg);
    journal();
    has_str(records[0], "\"all\":true", "all stands in the journal");
}

/* --- what may say no ---------------------------------------------------------------------------- */

static char stop_path[100];
static const char *const stop_files[] = {stop_path, NULL};

static void stop_das(void)
{
    int fd = open(stop_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, "fail-over\n", 10) == 10, "stopped");
    close(fd);
}

static void guards(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);
    struct das_breaker b = {.state = DAS_BREAKER_OPEN, .reason = "3 kills failed"};
    struct das_span freeze = {das_clock_unix_ms() / 1000 - 10, das_clock_unix_ms() / 1000 + 1000,
                              NULL};

    snprintf(stop_path, sizeof stop_path, "%s/STOP", temp_state_dir());
    stop_das();
    CREATES("stopped");
    guard.stop_files = stop_files;
    refused(o, CREATE, "fail-over", "the off switch");
    unlink(stop_path);

    CREATES("observes");
    rules.mode = DAS_POLICY_OBSERVE;
    refused(o, CREATE, "a person may do it once with das cloud", "a policy that nobody promoted");
    CREATES("person");
    rules.mode = DAS_POLICY_OBSERVE;
    guard.by_person = true;
    is_int(act(&o), 0, "a person may: %s", err.msg);
    CREATES("approves");
    rules.mode = DAS_POLICY_APPROVE;
    rules.mode_is_set = true;
    refused(o, CREATE, "needs a person's yes: das cloud", "one that needs approval");

    CREATES("frozen");
    rules.freezes = &freeze;
    rules.freeze_count = 1;
    refused(o, CREATE, "frozen until", "a freeze");

    CREATES("broken");
    must(das_breaker_put(temp_store(), "broken", "orders", &b, &err) == 0, "a breaker opens");
    from++; /* its record */
    refused(o, CREATE, "the breaker is open: 3 kills failed", "an open breaker");
    CREATES("broken");
    o.instance = "sample";
    is_int(act(&o), 0, "of this policy on that instance only: %s", err.msg);
}

/* Stopped while the intent is written: it stands in the journal that nothing was sent. */
static void stop_when_previewed(const char *seen)
{
    if (web_fits(seen, PREVIEW))
        stop_das();
}

static void stopped_in_between(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);

    CREATES("late");
    guard.stop_files = stop_files;
    web.on = stop_when_previewed;
    ok(act(&o) < 0 && err.code == DAS_E_BLOCKED, "stopped between look and call");
    web.on = NULL;
    unlink(stop_path);
    is_int(web_count(&web, CREATE), 0, "nothing was sent");
    is_str(journal(), "intent outcome", "the intent is closed");
    has_str(records[1], "\"outcome\":\"refused\"", "as refused");
    has_str(records[1], "fail-over", "with the reason");
}

/* What ends killing is not held up by anything. */
static void stop_when_listed(const char *seen)
{
    if (web_fits(seen, TASKS))
        stop_das();
}

/* The tasks are listed before one is created: that may take long. */
static void stopped_on_its_way(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);

    FRESH("on its way", {PREVIEW, 200, ONE_SESSION, 0}, {TASKS, 200, NO_TASKS, 0});
    guard.stop_files = stop_files;
    web.on = stop_when_listed;
    ok(act(&o) < 0 && err.code == DAS_E_BLOCKED && !result.done, "stopped on its way: blocked");
    has_str(err.msg, "fail-over", "and why");
    is_int(web_count(&web, CREATE), 0, "nothing was sent");
    is_str(journal(), "intent outcome", "its intent is closed");
    has_str(records[1], "\"outcome\":\"refused\"", "as refused");
    ok(!call.unknown, "nothing is left open");
    unlink(stop_path);
    web.on = NULL;
}

static void calms_while_stopped(void)
{
    struct das_act_order o = order_of(DAS_ACT_STOP_TASK);
    const struct das_breaker open = {.state = DAS_BREAKER_OPEN, .reason = "3 kills failed"};

    stop_das();
    must(das_breaker_put(temp_store(), "calm", "orders", &open, &err) == 0, "a breaker opens");
    FRESH("calm", {STOP, 200, DONE, 0}, {SET, 200, DONE, 0}, {SWITCH, 200, "{\"status\":\"OFF\"}", 0});
    guard.stop_files = stop_files;
    rules.mode = DAS_POLICY_OBSERVE;
    rules.mode_is_set = true;
    is_int(act(&o), 0, "a task is stopped while das is: %s", err.msg);
    is_str(journal(), "intent outcome", "and stands in the journal");
    has_str(records[0], "\"act\":\"stop_kill_task\"", "what");
    has_str(records[0], "\"task_id\":5", "which");
    ok(strstr(web.seen[0], "\"task_id\":\"5\"") != NULL, "it was asked for: %s", web.seen[0]);
    o = order_of(DAS_ACT_SWITCH_OFF);
    ok(act(&o) == 0 && result.now == DAS_CLOUD_OFF, "so is the switch turned off: %s", err.msg);
    o = order_of(DAS_ACT_SWITCH_ON);
    ok(act(&o) < 0 && err.code == DAS_E_BLOCKED, "but not on");
    is_int(web_count(&web, SET), 1, "one call");
    unlink(stop_path);
}

#define REPLICA                                                                                    \
    "{\"processes\":[{\"id\":3,\"user\":\"repl\",\"host\":\"10.0.0.8:1\",\"command\":\"Binlog "       \
    "Dump\",\"state_duration\":90000,\"state\":\"\"}],\"total_count\":1}"
#define DYING                                                                                      \
    "{\"processes\":[{\"id\":3,\"user\":\"app\",\"host\":\"10.0.0.8:1\",\"command\":\"Killed\","     \
    "\"state_duration\":90000,\"state\":\"\"}],\"total_count\":1}"

static void protected_sessions(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);
    struct das_filter *f = kit_filter("user", "app");
    struct das_protect protect;

    das_protect_init(&protect);
    must(das_protect_add(&protect, f, &err) == 0, "protected");
    das_filter_release(f);
    CREATES("protects");
    o.protect = &protect;
    refused(o, CREATE, "it would end session 7 of user", "a protected session");
    has_str(result.would_block, "user \"app\": protected by {user=\"app\"}", "says whose, and why");
    das_protect_clear(&protect);
    o.protect = NULL;
    FRESH("replicates", {PREVIEW, 200, REPLICA, 0}, {CREATE, 200, DONE, 0});
    refused(o, CREATE, "replication", "replication");
    FRESH("dying", {PREVIEW, 200, DYING, 0}, {TASKS, 200, NO_TASKS, 0}, {CREATE, 200, DONE, 0});
    is_int(act(&o), 0, "one that is being killed already does not count: %s", err.msg);
    FRESH("blind", {PREVIEW, 403, "{\"error_code\":\"APIGW.0302\",\"error_msg\":\"no\"}", 0});
    ok(act(&o) < 0 && err.code == DAS_E_DENIED && call.status == 403,
       "where it cannot be seen whom it would hit, nothing is done");
    has_str(err.msg, "whom it would hit is not known", "says so");
    has_str(err.msg, "das:clouddba:listProcess", "and what is missing");
    is_str(journal(), "", "nothing to tell");
}

static void secrets_stay_out(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);
    struct das_secret_place place = {.name = (char[]){"x"}, .where = (char[]){"DAS_TEST_SECRET"},
                                     .from = DAS_SECRET_ENV};
    struct das_vault vault;

    das_vault_init(&vault);
    setenv("DAS_TEST_SECRET", "hunter22", 1);
    must(das_vault_read(&vault, &place, &err) != NULL, "a secret");
    CREATES("secrets");
    guard.vault = &vault;
    o.reason = "because of hunter22";
    criteria.info = das_text_of("select~hunter22");
    is_int(act(&o), 0, "done: %s", err.msg);
    journal();
    ok(!strstr(records[0], "hunter22"), "no secret in the journal");
    has_str(records[0], "\"info\":\"select~***\"", "nor in the criteria");
    ok(strstr(web.seen[2], "hunter22") != NULL, "the cloud gets what was meant");
    das_vault_clear(&vault);
}

/* --- killing all -------------------------------------------------------------------------------- */

static const struct web_rule kills[] = {{PREVIEW, 200, ONE_SESSION, 0}, {KILL_ALL, 200, DONE, 0}};
#define KILLS(policy) fresh(policy, kills, 2)

static void kill_all(void)
{
    struct das_act_order o = order_of(DAS_ACT_KILL_ALL);
    struct das_filter *f = kit_filter("user", "backup");
    struct das_protect protect;

    KILLS("kills");
    rules.limits.run = rules.limits.minute = rules.limits.instance = rules.limits.user = 1;
    o.instance = "fresh";
    /* the run, which is the store's, has killed nothing yet: the first case that does */
    is_int(act(&o), 0, "all are killed: %s", err.msg);
    ok(result.done && result.sessions == 1, "there was one");
    is_str(journal(), "intent outcome", "in the journal");
    has_str(records[0], "\"sessions\":1", "how many");
    is_int(das_budget_recent(temp_store(), "fresh", das_text_of("app"), 0, 0, &err), 1,
           "its place in the limits is spent, not only reserved");
    KILLS("kills");
    rules.limits.run = rules.limits.minute = rules.limits.instance = 1;
    refused(o, KILL_ALL, "limits.kill.run: 1 so far and 1 more, expected at most 1",
            "they were counted");
    KILLS("kills");
    rules.limits.minute = 1;
    refused(o, KILL_ALL, "limits.kill.minute: 1 in the last 60 s and 1 more", "a minute");
    KILLS("kills");
    rules.limits.instance = 1;
    refused(o, KILL_ALL, "limits.kill.instance: 1", "an instance");
    KILLS("kills");
    rules.limits.user = 1;
    refused(o, KILL_ALL, "limits.kill.user: 1 of user", "a user");
    KILLS("kills");
    rules.limits.run = 0;
    refused(o, KILL_ALL, "limits.kill.run: 1 sessions, expected at most 0", "none at all");
    KILLS("kills");
    rules.limits.percent = 99;
    refused(o, KILL_ALL, "limits.kill.percent: all sessions are 100 %", "a part of them");
    KILLS("kills");
    rules.limits.min_left = 1;
    refused(o, KILL_ALL, "limits.kill.min_left", "some have to stay");

    FRESH("many", {PREVIEW, 200, "{\"processes\":[],\"total_count\":500}", 0}, {KILL_ALL, 200, DONE, 0});
    rules.limits.user = 100;
    refused(o, KILL_ALL, "500 sessions are there, and the API shows 0", "users that are not seen");
    das_protect_init(&protect);
    must(das_protect_add(&protect, f, &err) == 0, "protected");
    das_filter_release(f);
    FRESH("unseen", {PREVIEW, 200, "{\"processes\":[],\"total_count\":500}", 0}, {KILL_ALL, 200, DONE, 0});
    o.protect = &protect;
    refused(o, KILL_ALL, "which of them are protected is not known", "protection that is not seen");
    das_protect_clear(&protect);
    FRESH("unprotected", {PREVIEW, 200, "{\"processes\":[],\"total_count\":500}", 0},
          {KILL_ALL, 200, DONE, 0});
    o.protect = NULL;
    is_int(act(&o), 0, "500 that nobody needs to see: %s", err.msg);
    is_int(result.sessions, 500, "all of them");
    FRESH("replicates", {PREVIEW, 200, REPLICA, 0}, {KILL_ALL, 200, DONE, 0});
    is_int(act(&o), 0, "all are all, but for those that das.lua protects: %s", err.msg);
}

/* --- answers that are lost ---------------------------------------------------------------------- */

static int64_t unknown_count(void)
{
    return das_journal_unknown(temp_store(), NULL, 0, &err);
}

static void lost_answers(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);
    int64_t before = unknown_count();

    FRESH("lost", {PREVIEW, 200, ONE_SESSION, 0}, {TASKS, 200, NO_TASKS, 1}, {CREATE, WEB_CUT, "", 0},
          {TASKS, 200, TASKS_OF(TASK("9")), 0});
    is_int(act(&o), 0, "the answer was lost, but the task is there: %s", err.msg);
    ok(result.done && !call.unknown, "that proves it");
    has_str(result.note, "its answer was lost, but task 9 is there", "says so");
    ok(result.task.list.count == 1, "it is handed over");
    is_int(web_count(&web, CREATE), 1, "it was sent once");
    is_str(journal(), "intent outcome", "in the journal");
    has_str(records[1], "\"outcome\":\"done\"", "it is done");

    FRESH("gone", {PREVIEW, 200, ONE_SESSION, 0}, {TASKS, 200, TASKS_OF(TASK("4")), 0},
          {CREATE, WEB_CUT, "", 0});
    ok(act(&o) < 0 && call.unknown && !result.done, "no new task: nobody knows");
    has_str(err.msg, "looked: no new task was seen", "says what was seen");
    is_int(web_count(&web, CREATE), 1, "and it is not sent again");
    journal();
    has_str(records[1], "\"outcome\":\"unknown\"", "unknown in the journal");
    has_str(records[1], "no new task was seen", "with what was seen");

    FRESH("refuses", {PREVIEW, 200, ONE_SESSION, 0}, {TASKS, 200, NO_TASKS, 0},
          {CREATE, 400, "{\"error_code\":\"DAS.200100\",\"error_msg\":\"5 tasks run\"}", 0});
    ok(act(&o) < 0 && !call.unknown && call.status == 400, "refused by the cloud: that is known");
    journal();
    has_str(records[1], "\"outcome\":\"failed\"", "failed in the journal");
    has_str(records[1], "5 tasks run", "with its words");

    o = order_of(DAS_ACT_SWITCH_ON);
    FRESH("on", {SET, WEB_CUT, "", 0}, {SWITCH, 200, "{\"status\":\"ON\"}", 0});
    ok(act(&o) == 0 && result.now == DAS_CLOUD_ON, "the switch is on: done: %s", err.msg);
    journal();
    has_str(records[1], "\"switch\":\"on\"", "as the journal says");
    FRESH("on", {SET, WEB_CUT, "", 0}, {SWITCH, 200, "{\"status\":\"OFF\"}", 0});
    ok(act(&o) < 0 && call.unknown, "the switch is off: it may still come");
    has_str(err.msg, "looked: the switch is off", "says so");
    FRESH("on", {SET, WEB_CUT, "", 0}, {SWITCH, 500, "{}", 0});
    ok(act(&o) < 0 && call.unknown, "nor can it be seen");
    has_str(err.msg, "looked: the switch cannot be read now", "says so");

    o = order_of(DAS_ACT_STOP_TASK);
    FRESH("stops", {STOP, 502, "{}", 0}, {TASKS, 200, TASKS_OF(TASK("4")), 0});
    is_int(act(&o), 0, "a task that is not listed any more is stopped: %s", err.msg);
    FRESH("stops", {STOP, 502, "{}", 0}, {TASKS, 200, TASKS_OF(TASK("5")), 0});
    ok(act(&o) < 0 && call.unknown && strstr(err.msg, "task 5 is still listed"),
       "one that is listed may be: %s", err.msg);

    o = order_of(DAS_ACT_KILL_ALL);
    FRESH("kills", {PREVIEW, 200, ONE_SESSION, 1}, {KILL_ALL, WEB_CUT, "", 0},
          {PREVIEW, 200, "{\"processes\":[],\"total_count\":0}", 0});
    ok(act(&o) < 0 && call.unknown, "sessions come and go: no proof");
    has_str(err.msg, "looked: 1 sessions before, 0 now", "but worth knowing");
    is_int(web_count(&web, KILL_ALL), 1, "it is not sent again");
    is_int(unknown_count() - before, 5, "each unknown one waits for a person");
}

static void journal_cannot_be_written(void)
{
    struct das_act_order o = order_of(DAS_ACT_CREATE_TASK);
    struct das_store *store = NULL;

    CREATES("unwritten");
    must(das_store_open_to_read(temp_state_dir(), &store, &err) == 0 && store, "a journal to read");
    guard.store = store;
    ok(act(&o) < 0 && err.code == DAS_E_STORE, "no journal, no order");
    is_int(web_count(&web, CREATE), 0, "nothing was sent");
    o = order_of(DAS_ACT_STOP_TASK);
    ok(act(&o) < 0 && err.code == DAS_E_STORE, "that calms or not");
    is_int(web_count(&web, STOP), 0, "nothing was sent");
    das_store_close(store);
}

int main(void)
{
    struct das_cloud_conf conf = das_cloud_conf_default;

    setenv("HUAWEICLOUD_SDK_AK", "AK", 1);
    setenv("HUAWEICLOUD_SDK_SK", "SECRETKEY", 1);
    unsetenv("HUAWEICLOUD_SDK_SECURITY_TOKEN");
    web_start(&web);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", web.port);
    conf.retry.times = 0;
    conf.rate = 0;
    cloud = das_cloud_new(&conf, &err);
    must(cloud, "an account: %s", err.msg);
    kill_all(); /* first: the run has killed nothing yet */
    creates_a_task();
    dry_run();
    makes_sense();
    a_manual_task();
    guards();
    stopped_in_between();
    stopped_on_its_way();
    calms_while_stopped();
    protected_sessions();
    secrets_stay_out();
    lost_answers();
    journal_cannot_be_written();
    das_act_result_clear(&result);
    das_cloud_release(cloud);
    web_stop(&web);
    return tap_done();
}
