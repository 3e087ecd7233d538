/*
 * test_schedule.c - policies that das serve runs by itself, with real runs of real scripts: hours
 * of them on a clock of their own, step by step, and then on threads, with an instance that hangs.
 */
#include "core/serve/schedule.h"

#include <errno.h>
#include <pthread.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/store/approval.h"
#include "core/store/outbox.h"
#include "core/source/source_impl.h"
#include "tests/unit/serve_kit.h"

#define BEGIN_MS INT64_C(1794787200000) /* 2026-11-16T00:00:00Z */
#define SEC 1000
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)

/* --- the stage -------------------------------------------------------------------------------- */

static struct das_schedule_entry entries[2];
static struct das_schedule_conf conf = {entries, 1};
static struct das_schedule *schedule;
static struct das_rules config; /* who is who, and where to */

/* What was told, and on which instance. Any thread tells. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int runs, good, killed, of_first, of_second, stuck, cancelled;
    int64_t late_ms;
    char first[32], second[32];
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void told(void *arg, const struct das_schedule_told *t)
{
    (void)arg;
    pthread_mutex_lock(&heard.lock);
    heard.runs++;
    heard.good += t->good;
    heard.killed += (int)t->run->totals[DAS_O_KILLED];
    heard.of_first += strcmp(t->instance, heard.first) == 0;
    heard.of_second += strcmp(t->instance, heard.second) == 0;
    heard.stuck += strcmp(t->result, "stuck") == 0;
    heard.cancelled += strcmp(t->result, "cancelled") == 0;
    heard.late_ms = t->late_ms > heard.late_ms ? t->late_ms : heard.late_ms;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.lock);
}

static void forget(void)
{
    heard.runs = heard.good = heard.killed = heard.of_first = heard.of_second = 0;
    heard.stuck = heard.cancelled = 0;
    heard.late_ms = 0;
}

static char script_path[64];
static char every_instance[] = "*", name[] = "kill_old";
static char *all[] = {every_instance, NULL};

static struct das_schedule_entry entry(const char *script, int64_t every_ms)
{
    snprintf(script_path, sizeof script_path, "%s", temp_text(script));
    return (struct das_schedule_entry){.name = name,
                                       .script = script_path,
                                       .instances = all,
                                       .instance_count = 1,
                                       .every_ms = every_ms,
                                       .backoff_ms = 5 * MINUTE,
                                       .limits = das_limits_default,
                                       .rules = allow_all};
}

static int try_schedule(FILE *log, struct das_schedule **out)
{
    const struct das_schedule_opts opts = {.conf = &conf,
                                           .workers = 4,
                                           .inventory = inventory,
                                           .rules = &config,
                                           .state_dir = temp_state_dir(),
                                           .log = log,
                                           .told = told};

    return das_schedule_new(&opts, out, &err);
}

static void make_schedule(FILE *log)
{
    if (!ok(try_schedule(log, &schedule) == 0, "a schedule %s", err.msg))
        exit(1);
}

#define KILL_OLDEST                                                           \
    "local found = assert(das.preview{ command = 'Query', time = 60 })\n"     \
    "if found.total_count > 0 then\n"                                         \
    "  found:oldest(1):plan{ kill = 'connection', reason = 'old' }:apply()\n" \
    "end\n"

/* Sessions 1 to n, of which number i has run for i s. */
static void add_aging(const char *instance, int n)
{
    struct das_buf b = {0};

    das_buf_str(&b, LIST_HEAD);
    for (int id = 1; id <= n; id++)
        das_buf_printf(&b, "%d\tapp\t10.0.0.1:4000\tshop\tQuery\t%d\tSending data\tselect 1\n", id,
                       id);
    add_instance(instance, b.ptr, b.len);
    das_buf_clear(&b);
}

static json_t *turn_of(const char *instance)
{
    static json_t *file; /* the one before is let go */
    json_t *turn;
    size_t i;

    json_decref(file);
    das_schedule_save(schedule, true);
    if (das_schedule_read(temp_state_dir(), &file, &err) < 0 || !file) {
        tap_diag("file: %s", err.msg);
        exit(1);
    }
    json_array_foreach(json_object_get(file, "turns"), i, turn)
    {
        if (strcmp(json_string_value(json_object_get(turn, "instance")), instance) == 0)
            return turn;
    }
    exit(1);
}

static int64_t number_of(const char *instance, const char *key)
{
    return json_integer_value(json_object_get(turn_of(instance), key));
}

static const char *text_of(const char *instance, const char *key)
{
    const char *text = json_string_value(json_object_get(turn_of(instance), key));

    return text ? text : "null";
}

static void clear(void)
{
    ok(das_schedule_free(schedule), "it ends");
    schedule = NULL;
    fleet_close();
}

/* --- step by step ----------------------------------------------------------------------------- */

static struct das_clock own;

static void until(int64_t end_ms)
{
    int64_t next;

    while ((next = das_schedule_step(schedule)) <= end_ms)
        das_clock_move_to(&own, next);
    das_clock_move_to(&own, end_ms);
}

static void test_minutes(void)
{
    int64_t from = das_clock_unix_ms();
    struct das_schedule *second;

    add_aging("orders", 70);
    add_aging("billing", 20);
    fleet_open();
    entries[0] = entry(KILL_OLDEST, 10 * SEC);
    make_schedule(NULL);
    ok(try_schedule(NULL, &second) < 0 && err.code == DAS_E_BUSY,
       "not twice in one state directory: %s", err.msg);
    ok(das_schedule_is_held(temp_state_dir()), "others see that it lives");
    ok(number_of("orders", "began_ms") == 0 && strcmp(text_of("orders", "result"), "null") == 0,
       "no run yet");

    until(from + 60 * SEC);
    is_int(heard.runs, 12, "two instances, every 10 s for a minute");
    is_int(heard.good, 12, "all of them well");
    ok(heard.killed >= 6 && alive(das_fleet_at(fleet, 0)) == 70 - 6,
       "each run on orders has ended one session");
    ok(number_of("orders", "runs") == 6 && number_of("orders", "killed") == 6, "so says the file");
    is_str(text_of("orders", "result"), "done", "with its last result");
    is_int(number_of("orders", "next_ms"), from + 70 * SEC, "and when it runs next");
    is_int(records_with(0, "das serve, policy kill_old", "\"user\""), heard.killed,
           "the journal knows by whom");
    is_int(heard.late_ms, 0, "none was late");
    das_schedule_stop(schedule);
    until(from + 120 * SEC);
    is_int(heard.runs, 12, "once stopped none begins");
    clear();
    ok(!das_schedule_is_held(temp_state_dir()), "and the lock is free");
}

static void test_overlap(void)
{
    int64_t from = das_clock_unix_ms();

    forget();
    add_aging("orders", 5);
    fleet_open();
    entries[0] = entry("das.sleep('25s')", 10 * SEC);
    make_schedule(NULL);
    until(from + 120 * SEC);
    is_int(heard.runs, 4, "25 s every 10 s: one run every 30 s");
    is_int(number_of("orders", "skipped"), 8, "two ticks are left out each time");
    clear();
}

/* A policy that das serve runs may ask people and tell them, as one at a terminal may. */
static void test_asking(void)
{
    static char notify[] = "notify", preview[] = "preview", kill_[] = "kill", any[] = "instance:*";
    static char *names[] = {notify, preview, kill_, any};
    static const struct das_grants grants = {names, 4};
    int64_t from = das_clock_unix_ms(), waiting = 0, messages = 0, approved;
    struct das_person *x = das_people_add(&config.people, "alice", &err);
    struct das_channel *ch = das_channels_add(&config.channels, "ops", &err);
    struct das_store *s;

    must(x && ch && das_person_add_role(x, "dba", &err) == 0, "alice, ops");
    ch->secrets[DAS_CHANNEL_URL] =
        (struct das_secret_place){das_strdup("url"), das_strdup("NOWHERE"), DAS_SECRET_ENV};
    must(das_channel_settle(ch, "discord", &err) == 0, "a channel: %s", err.msg);
    forget();
    add_aging("orders", 70);
    fleet_open();
    entries[0] = entry("local p = assert(das.preview{ time = 70 }):plan{ reason = 'old' }\n"
                       "assert(p:request_approval{ channel = 'ops', approvers = { roles = { 'dba' } "
                       "}, ttl = '1h' })\n",
                       10 * SEC);
    entries[0].rules.mode = DAS_POLICY_APPROVE;
    entries[0].rules.mode_is_set = true;
    entries[0].grants = &grants;
    make_schedule(NULL);
    until(from + 10 * SEC);
    is_str(text_of("orders", "error"), "null", "a policy asks, das serve runs it");
    must(das_store_open(temp_state_dir(), &s, &err) == 0, "store: %s", err.msg);
    must(das_approval_count(s, &waiting, &approved, &err) == 0 &&
             das_outbox_count(s, DAS_OUTBOX_WAITING, &messages, &err) == 0,
         "counts");
    ok(waiting == 1 && messages == 1, "its request waits, and so does the message about it");
    das_store_close(s);
    clear();
    das_people_clear(&config.people);
    das_channels_clear(&config.channels);
}

static void test_failing(void)
{
    struct das_buf log = {0};
    FILE *f = open_memstream(&log.ptr, &log.len);
    struct das_source *hand;
    int64_t from;

    forget();
    das_clock_move_to(&own, BEGIN_MS + HOUR);
    add_aging("orders", 5);
    add_aging("billing", 5);
    fleet_open();
    if (das_inventory_open_again(inventory, 0, &hand, &err) < 0 || !f)
        exit(1);
    snprintf(heard.first, sizeof heard.first, "orders");
    entries[0] = entry(KILL_OLDEST, 10 * SEC);
    make_schedule(f);
    das_memory_down(hand, "nobody is there", &err);
    from = das_clock_unix_ms();
    until(from + 10 * MINUTE);
    /* after 10, 20, 40, 80, 160, 320 s, and then 300 s later each time */
    is_int(heard.of_first, 6, "one that fails is left alone longer each time");
    is_int(heard.runs - heard.of_first, 60, "the other one is not");
    is_int(number_of("orders", "failures"), 6, "six times in a row");
    is_str(text_of("orders", "result"), "error", "with an error");
    has_str(text_of("orders", "error"), "nobody is there", "which says why");

    ok(das_schedule_free(schedule), "das serve is started again");
    make_schedule(f);
    is_int(number_of("orders", "failures"), 6, "the failures are remembered");
    has_str(text_of("orders", "error"), "nobody is there", "and the last error");
    is_int(number_of("orders", "runs"), 0, "the runs are counted anew");
    das_memory_down(hand, NULL, &err);
    until(from + 10 * MINUTE + 19 * SEC);
    is_int(heard.of_first, 6, "a restart is no reason to try at once");
    until(from + 10 * MINUTE + 20 * SEC);
    is_int(heard.of_first, 7, "it has its turn when it would have had it");
    until(from + 20 * MINUTE);
    is_int(number_of("orders", "failures"), 0, "a good run ends it");
    is_str(text_of("orders", "error"), "null", "and the error is gone");
    das_source_close(hand);
    clear();
    fclose(f);
    ok(log.ptr && strstr(log.ptr, "nobody is there"), "the log tells of it");
    ok(log.ptr && strstr(log.ptr, "\"policy\":\"kill_old\",\"instance\":\"orders\"") &&
           !strstr(strstr(log.ptr, "nobody is there") + 1, "nobody is there"),
       "once, with the names of policy and instance");
    free(log.ptr);
}

/* A script that is not there any more, and one that takes too long. */
static void test_wrong(void)
{
    int64_t from = das_clock_unix_ms();

    forget();
    add_aging("orders", 5);
    fleet_open();
    entries[0] = entry("das.sleep('10m')", MINUTE);
    entries[0].limits.wall_ms = 5 * SEC;
    make_schedule(NULL);
    until(from + MINUTE);
    is_str(text_of("orders", "result"), "limit", "one that takes too long is ended");
    has_str(text_of("orders", "error"), "longer than 5 s", "at its timeout");
    unlink(script_path);
    until(from + 3 * MINUTE);
    is_str(text_of("orders", "result"), "error", "one whose script is gone");
    has_str(text_of("orders", "error"), "No such file", "says so");
    clear();
}

/* A night by cron, over the end of summer time: 2026-10-25 in Berlin. */
static void test_cron(void)
{
    const int64_t night = INT64_C(1792879200000); /* 2026-10-24T22:00:00Z, midnight there */

    forget();
    das_clock_init(&own, night);
    add_aging("orders", 5);
    fleet_open();
    entries[0] = entry("", 0);
    entries[0].zone = das_zone_load("Europe/Berlin", &err);
    if (!entries[0].zone || das_cron_parse(das_text_of("30 2,3 * * *"), &entries[0].cron, &err) < 0)
        exit(1);
    make_schedule(NULL);
    until(night + 30 * MINUTE + 2 * HOUR);
    is_int(heard.runs, 1, "at half past two");
    until(night + 31 * MINUTE + 3 * HOUR);
    is_int(heard.runs, 1, "not at the second half past two");
    until(night + 31 * MINUTE + 4 * HOUR);
    is_int(heard.runs, 2, "at half past three");
    das_schedule_free(schedule);
    das_clock_move_to(&own, night + 28 * HOUR);
    make_schedule(NULL);
    until(night + 28 * HOUR);
    is_int(heard.runs, 2, "what passed while it was down is not made up for");
    until(night + 48 * HOUR);
    is_int(heard.runs, 3, "what comes later that day is");
    until(night + 52 * HOUR);
    is_int(heard.runs, 4, "the next one goes on");
    das_zone_free(entries[0].zone);
    clear();
}

/* --- on threads ------------------------------------------------------------------------------- */

/* An instance that answers when the gate is open. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    int inside;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int gate_list(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                     struct das_err *e)
{
    const struct das_session one = kit_session(1);

    (void)s;
    (void)q;
    (void)e;
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
    *out = kit_snapshot(&one, 1);
    return 0;
}

static void gate_close(struct das_source *s)
{
    (void)s;
}

static int gate_again(struct das_source *s, struct das_source **out, struct das_err *e);
static const struct das_source_ops gate_ops = {
    .list = gate_list, .close = gate_close, .again = gate_again};

static int gate_again(struct das_source *s, struct das_source **out, struct das_err *e)
{
    (void)s;
    *out = das_calloc(1, sizeof **out);
    if (!*out)
        return das_fail_nomem(e);
    (*out)->ops = &gate_ops;
    return 0;
}

static void set_gate(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

/* Waits, with a bound that only a broken test reaches. */
static bool wait_for_runs(const int *of, int n)
{
    struct timespec end;
    bool good;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&heard.lock);
    while (*of < n && pthread_cond_timedwait(&heard.changed, &heard.lock, &end) != ETIMEDOUT)
        ;
    good = *of >= n;
    pthread_mutex_unlock(&heard.lock);
    return good;
}

static bool wait_away(size_t n)
{
    struct das_schedule_now now = {.away = SIZE_MAX};

    for (int i = 0; i < 6000 && now.away != n; i++) {
        das_schedule_now(schedule, &now);
        if (now.away != n)
            das_clock_sleep_ms(10);
    }
    return now.away == n;
}

static void add_gate(const char *instance)
{
    const struct das_source_conf how = {.name = instance, .spec = "mem:gate"};
    struct das_source *s;

    if (gate_again(NULL, &s, &err) < 0 || das_source_set_name(s, instance, &err) < 0 ||
        das_inventory_add_source(inventory, &how, s, &err) < 0)
        exit(1);
}

static void test_hung(void)
{
    int before;

    forget();
    set_gate(false);
    add_aging("orders", 5);
    add_gate("hung");
    fleet_open();
    snprintf(heard.first, sizeof heard.first, "orders");
    snprintf(heard.second, sizeof heard.second, "hung");
    entries[0] = entry(KILL_OLDEST, SEC);
    entries[0].limits.wall_ms = SEC;
    entries[0].backoff_ms = 0;
    make_schedule(NULL);
    ok(das_schedule_start(schedule, &err) == 0, "on threads");
    ok(wait_for_runs(&heard.of_second, 1), "the one that hangs is given up");
    is_int(heard.stuck, 1, "as stuck");
    ok(wait_away(1), "and is away");
    before = heard.of_first;
    ok(wait_for_runs(&heard.of_first, before + 2),
       "the other one runs on: it was not the script's fault");
    is_int(heard.of_second, 1, "the one that is away does not begin again");
    ok(json_is_true(json_object_get(turn_of("hung"), "away")), "the file says so");
    set_gate(true);
    ok(wait_away(0), "the server answers, and it comes back");
    ok(wait_for_runs(&heard.of_second, 2), "then it runs again");
    clear();
}

/* The end comes while one runs. */
static void test_end(void)
{
    forget();
    set_gate(true);
    add_aging("orders", 5);
    fleet_open();
    entries[0] = entry("das.log.info('here'); das.sleep('50s')", SEC);
    make_schedule(NULL);
    if (das_schedule_start(schedule, &err) < 0)
        exit(1);
    for (;;) {
        struct das_schedule_now now;
        das_schedule_now(schedule, &now);
        if (now.running)
            break;
        das_clock_sleep_ms(5);
    }
    das_schedule_stop(schedule);
    ok(wait_for_runs(&heard.cancelled, 1), "a run is cancelled");
    is_int(heard.runs, 1, "and none begins");
    clear();
}

/* Something that never comes back: nothing is freed. */
static void test_left(void)
{
    forget();
    set_gate(false);
    add_aging("orders", 1);
    add_gate("hung");
    fleet_open();
    entries[0] = entry(KILL_OLDEST, SEC);
    entries[0].limits.wall_ms = SEC;
    make_schedule(NULL);
    if (das_schedule_start(schedule, &err) < 0)
        exit(1);
    ok(wait_away(1), "one is away");
    das_schedule_wait_at_end(schedule, 50);
    ok(!das_schedule_free(schedule), "it is told that something was left behind");
    ok(!das_schedule_is_held(temp_state_dir()), "and another one may begin");
    set_gate(true);
    ok(wait_away(0), "it comes back to what is there still");
    ok(das_schedule_free(schedule), "then all is freed");
    schedule = NULL;
    fleet_close();
}

int main(void)
{
    das_log_setup(DAS_LOG_JSON, DAS_LOG_INFO);
    das_clock_init(&own, BEGIN_MS);
    das_clock_enter(&own);
    test_minutes();
    test_overlap();
    test_asking();
    test_failing();
    test_wrong();
    test_cron();
    das_clock_enter(NULL);
    test_hung();
    test_end();
    test_left();
    return tap_done();
}
