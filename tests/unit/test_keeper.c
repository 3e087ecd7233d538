/* test_keeper.c - rounds of kill tasks, and the threads that make them: when they begin, what they
 * tell, what ends them. A test waits for what a round tells, never for a time. */
#include "core/serve/keeper.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "tests/unit/serve_kit.h"

/* --- what the rounds tell
 * ------------------------------------------------------------------------- */

static struct ear {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int rounds;             /* told of */
    int failures, of_store; /* with an error; without a task */
    size_t killed, refused, matched;
    int64_t last_task;
    char who[20], why[300]; /* the last instance, the last error or refusal */
    int64_t stops;          /* this task is stopped by what is told of another one */
} ear = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void forget(void)
{
    pthread_mutex_lock(&ear.lock);
    ear.rounds = ear.failures = ear.of_store = 0;
    ear.killed = ear.refused = ear.matched = 0;
    ear.last_task = ear.stops = 0;
    ear.who[0] = ear.why[0] = '\0';
    pthread_mutex_unlock(&ear.lock);
}

static void listen(void *arg, const struct das_member *m, const struct das_task *task,
                   size_t matched, const struct das_report *report, const struct das_err *e)
{
    struct das_err ignored;

    (void)arg;
    pthread_mutex_lock(&ear.lock);
    ear.rounds++;
    ear.matched += matched;
    ear.last_task = task ? task->id : 0;
    ear.of_store += !task;
    snprintf(ear.who, sizeof ear.who, "%s", das_member_name(m));
    if (e) {
        ear.failures++;
        snprintf(ear.why, sizeof ear.why, "%.299s", e->msg);
    }
    if (report) {
        ear.killed += report->totals[DAS_O_KILLED];
        ear.refused += report->totals[DAS_O_REFUSED];
        if (report->totals[DAS_O_REFUSED])
            snprintf(ear.why, sizeof ear.why, "%.299s", report->items[0].note);
    }
    if (ear.stops)
        das_task_stop(temp_store(), das_member_name(m), ear.stops, das_clock_unix_ms(), "ci",
                      &ignored);
    pthread_cond_broadcast(&ear.changed);
    pthread_mutex_unlock(&ear.lock);
}

static void await_killed(size_t n)
{
    pthread_mutex_lock(&ear.lock);
    while (ear.killed < n)
        pthread_cond_wait(&ear.changed, &ear.lock);
    pthread_mutex_unlock(&ear.lock);
}

static size_t killed_so_far(void)
{
    size_t n;

    pthread_mutex_lock(&ear.lock);
    n = ear.killed;
    pthread_mutex_unlock(&ear.lock);
    return n;
}

static void await_rounds(int n)
{
    pthread_mutex_lock(&ear.lock);
    while (ear.rounds < n)
        pthread_cond_wait(&ear.changed, &ear.lock);
    pthread_mutex_unlock(&ear.lock);
}

static void await_task(int64_t id)
{
    pthread_mutex_lock(&ear.lock);
    while (ear.last_task != id)
        pthread_cond_wait(&ear.changed, &ear.lock);
    pthread_mutex_unlock(&ear.lock);
    ok(true, "task %lld begins when its keeper is woken", (long long)id);
}

/* --- instances and tasks
 * -------------------------------------------------------------------------- */

static struct das_keeper_conf conf;

static void open_two(int64_t every_ms)
{
    static const char list[] = LIST_HEAD "1\tapp\th:1\tshop\tQuery\t10\tx\tselect 1\n"
                                         "2\tapp\th:1\tshop\tSleep\t200\t\tNULL\n"
                                         "3\tbatch\tg:1\tNULL\tQuery\t300\tx\tselect 2\n";

    add_instance("orders", list, sizeof list - 1);
    add_instance("billing", list, sizeof list - 1);
    fleet_open();
    conf = (struct das_keeper_conf){.fleet = fleet,
                                    .killer = &killer,
                                    .state_dir = temp_state_dir(),
                                    .every_ms = every_ms,
                                    .told = listen};
    for (size_t i = 0; i < 2; i++)
        must(das_task_switch_set(temp_store(), das_member_name(das_fleet_at(fleet, i)), true,
                                 das_clock_unix_ms(), "ci", &err) == 0,
             "the switch of %s is on", das_member_name(das_fleet_at(fleet, i)));
    forget();
}

/* Tasks of a case are no other case's. */
static void close_two(void)
{
    for (size_t i = 0; i < das_fleet_count(fleet); i++)
        das_task_switch_set(temp_store(), das_member_name(das_fleet_at(fleet, i)), false,
                            das_clock_unix_ms(), "ci", &err);
    fleet_close();
}

static int64_t add(const char *instance, struct das_task t)
{
    bool off;

    t.instance = instance;
    t.by = "ci (DASKEY)";
    if (!t.start_ms)
        t.start_ms = das_clock_unix_ms();
    t.end_ms = t.manual ? 0 : t.start_ms + t.duration * 1000;
    if (das_task_add(temp_store(), &t, &off, &err) != 1) {
        tap_diag("task: %s", off ? "off" : err.msg);
        exit(1);
    }
    return t.id;
}

static int64_t round_of(const char *instance)
{
    return das_keeper_round(&conf, temp_store(), das_fleet_named(fleet, instance), &err);
}

static int count(void *arg, const struct das_task *t)
{
    (void)t;
    ++*(int *)arg;
    return 0;
}

static int running(const char *instance)
{
    int n = 0;

    return das_task_each(temp_store(), instance, true, 100, count, &n, &err) < 0 ? -1 : n;
}

/* --- rounds
 * --------------------------------------------------------------------------------------- */

static void one_round(void)
{
    int64_t before, id;
    char text[60];

    open_two(5000);
    is_int(round_of("orders"), 0, "without a task there is nothing to do");
    is_int(ear.rounds, 0, "and to tell");
    id = add("orders", (struct das_task){.user = das_text_of("app"), .time = 100, .manual = true});
    before = journal_head();
    is_int(round_of("billing"), 0, "another instance's");
    is_int(round_of("orders"), 1, "a task");
    ok(ear.killed == 1 && ear.matched == 1 && ear.last_task == id, "kills whom it means");
    ok(!lives(das_fleet_at(fleet, 0), 2) && alive(das_fleet_at(fleet, 0)) == 2 &&
           alive(das_fleet_at(fleet, 1)) == 3,
       "nobody else");
    snprintf(text, sizeof text, "\"task\":\"%lld\"", (long long)id);
    ok(records_with(before, "\"kind\":\"apply\"", text) == 1 &&
           records_with(before, "\"policy\":\"serve:task\"", "\"by\":\"ci (DASKEY)\"") == 1,
       "the journal knows which and whose");
    is_int(round_of("orders"), 1, "it runs on");
    ok(ear.rounds == 2 && ear.matched == 1 && ear.failures == 0, "and finds nobody");
    must(das_task_stop(temp_store(), "orders", id, das_clock_unix_ms(), "ci", &err) == 1,
         "stopped");
    is_int(round_of("orders"), 0, "it is over");
    is_int(ear.rounds, 2, "nothing more is told");
    close_two();
}

static void criteria(void)
{
    static const struct {
        struct das_task task;
        int64_t id; /* who is killed; 0: nobody */
    } cases[] = {
        {{.time = 250}, 3},
        {{.command = {"Sleep", 5}}, 2},
        {{.host = {"g%", 2}}, 3},
        {{.db = {"shop", 4}, .command = {"Query", 5}}, 1},
        {{.info = {"select 2", 8}}, 3},
        {{.user = {"app", 3}, .host = {"", 0}, .db = {"", 0}, .time = 150}, 2},
        {{.user = {"nobody", 6}, .time = 1}, 0},
        {{.time = 0}, 0},
        {{.user = {"", 0}}, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct das_task t = cases[i].task;
        open_two(5000);
        t.manual = true;
        add("orders", t);
        is_int(round_of("orders"), 1, "criteria %zu", i);
        for (int64_t id = 1; id <= 3; id++)
            ok(lives(das_fleet_at(fleet, 0), id) == (id != cases[i].id), "criteria %zu: %lld", i,
               (long long)id);
        is_int(ear.failures, 0, "criteria %zu: no failure", i);
        close_two();
    }
}

static void due(void)
{
    int64_t long_ago = das_clock_unix_ms() - 100000;

    open_two(5000);
    add("orders", (struct das_task){.time = 1, .duration = 50, .start_ms = long_ago});
    is_int(round_of("orders"), 0, "a task whose end has come");
    ok(ear.rounds == 0 && alive(das_fleet_at(fleet, 0)) == 3 && running("orders") == 0,
       "kills nobody more");
    close_two();
}

/* Stopped when the round has begun, but not yet its kills. */
static void stopped_meanwhile(void)
{
    int64_t first, second;

    open_two(5000);
    first = add("orders", (struct das_task){.user = das_text_of("nobody"), .manual = true});
    second = add("orders", (struct das_task){.user = das_text_of("app"), .manual = true});
    ear.stops = second;
    is_int(round_of("orders"), 2, "%lld and %lld", (long long)first, (long long)second);
    ok(ear.killed == 0 && ear.refused == 2 && alive(das_fleet_at(fleet, 0)) == 3,
       "one that is stopped before its turn kills nobody");
    has_str(ear.why, "has ended", "and says so");
    close_two();
}

static void down(void)
{
    const struct das_source_conf server = {.name = "server", .spec = "mysql://u@127.0.0.1:1/"};
    struct das_task t = {.time = 1, .manual = true};

    inventory = das_inventory_new(&err);
    must(inventory && das_inventory_add(inventory, &server, &err) == 0, "a server");
    open_two(5000);
    must(das_task_switch_set(temp_store(), "server", true, 1, "ci", &err) == 0, "its switch is on");
    add("server", t);
    add("server", t);
    is_int(round_of("server"), 2, "that does not answer");
    ok(ear.rounds == 1 && ear.failures == 1 && ear.why[0], "is told once: %s", ear.why);
    is_int(round_of("server"), 2, "and asked again");
    is_int(ear.rounds, 2, "in the next round");
    forget();
    atomic_store(&cancel, 1);
    is_int(round_of("server"), 2, "when all ends");
    is_int(ear.rounds, 0, "it is not");
    close_two();
}

/* --- threads
 * -------------------------------------------------------------------------------------- */

#define LONG 3600000 /* ms between rounds: no second one comes by itself */

static void woken(void)
{
    struct das_keeper *k;
    int64_t id;

    open_two(LONG);
    must(das_keeper_new(&conf, &k, &err) == 0, "a keeper");
    for (int i = 0; i < 3; i++) { /* each time its thread has ended */
        forget();
        id = add("orders", (struct das_task){.user = das_text_of("nobody"), .manual = true});
        das_keeper_wake(k, das_fleet_at(fleet, 0));
        await_task(id);
        das_task_stop(temp_store(), "orders", id, das_clock_unix_ms(), "ci", &err);
        das_keeper_wake(k, das_fleet_at(fleet, 0));
    }
    forget();
    add("orders", (struct das_task){.user = das_text_of("app"), .manual = true});
    das_keeper_wake(k, das_fleet_at(fleet, 0));
    await_killed(2);
    ok(alive(das_fleet_at(fleet, 0)) == 1, "and kills");
    add("orders", (struct das_task){.user = das_text_of("batch"), .manual = true});
    das_keeper_wake(k, das_fleet_at(fleet, 0));
    await_killed(3);
    ok(alive(das_fleet_at(fleet, 0)) == 0, "a second one does not wait for the next round");
    das_keeper_free(k);
    das_keeper_free(NULL);
    close_two();
}

static void again_and_again(void)
{
    struct das_keeper *k;

    open_two(1);
    add("orders", (struct das_task){.time = 100000, .manual = true});
    must(das_keeper_new(&conf, &k, &err) == 0, "what ran runs on");
    await_rounds(20);
    ok(killed_so_far() == 0, "nobody is old enough");
    must(das_memory_advance(das_member_source(das_fleet_at(fleet, 0)), 99800, &err) == 0,
         "time goes by");
    await_killed(2);
    ok(lives(das_fleet_at(fleet, 0), 1) && alive(das_fleet_at(fleet, 1)) == 3,
       "who has become so is killed");
    das_keeper_free(k);
    is_int(running("orders"), 1, "the task outlives its keeper");
    forget();
    must(das_keeper_new(&conf, &k, &err) == 0, "and goes on with the next");
    await_rounds(1);
    das_keeper_free(k);
    close_two();
}

static void over_when_it_starts(void)
{
    int64_t long_ago = das_clock_unix_ms() - 100000;
    struct das_keeper *k;

    open_two(1);
    add("orders", (struct das_task){.time = 1, .duration = 50, .start_ms = long_ago});
    must(das_keeper_new(&conf, &k, &err) == 0, "what ended while nobody looked");
    is_int(running("orders"), 0, "is over");
    das_keeper_free(k);
    ok(ear.rounds == 0 && alive(das_fleet_at(fleet, 0)) == 3, "and killed nobody");
    conf.state_dir = "/proc/nowhere";
    ok(das_keeper_new(&conf, &k, &err) < 0 && !k && err.code == DAS_E_STORE,
       "without a store there is no keeper");
    close_two();
}

/* Somebody kills on one instance for as long as he likes. */
static void apart(void)
{
    struct das_keeper *k;
    struct das_source *s;

    open_two(LONG);
    must(das_member_enter(das_fleet_at(fleet, 0), 0, &s, &err) == 0, "orders is held");
    add("orders", (struct das_task){.time = 1, .manual = true});
    add("billing", (struct das_task){.time = 1, .manual = true});
    must(das_keeper_new(&conf, &k, &err) == 0, "tasks on both");
    await_killed(3);
    ok(alive(das_fleet_at(fleet, 1)) == 0 && alive(das_fleet_at(fleet, 0)) == 3,
       "billing does not wait for orders");
    atomic_store(&cancel, 1);
    das_keeper_free(k);
    ok(alive(das_fleet_at(fleet, 0)) == 3, "who still waits when all ends kills nobody");
    das_member_leave(das_fleet_at(fleet, 0));
    close_two();
}

static void store_is_lost(void)
{
    struct das_keeper *k;
    char wrong[100], command[300];

    open_two(LONG);
    must(das_keeper_new(&conf, &k, &err) == 0, "a keeper");
    das_keeper_free(k);
    snprintf(wrong, sizeof wrong, "%s/lost", temp_state_dir());
    conf.state_dir = wrong;
    must(das_keeper_new(&conf, &k, &err) == 0, "one with a store of its own");
    snprintf(command, sizeof command, "rm -rf '%s' && touch '%s'", wrong, wrong);
    must(system(command) == 0, "which is lost");
    das_keeper_wake(k, das_fleet_at(fleet, 0));
    await_rounds(1);
    ok(ear.of_store == 1 && ear.failures == 1, "says so: %s", ear.why);
    das_keeper_free(k);
    close_two();
}

int main(void)
{
    one_round();
    criteria();
    due();
    stopped_meanwhile();
    down();
    woken();
    again_and_again();
    over_when_it_starts();
    apart();
    store_is_lost();
    return tap_done();
}
