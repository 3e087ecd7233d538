/*
 * test_keeper_day.c - a day of kill tasks on three instances, on a clock of its own.
 *
 * It lives on a clock of its own: time goes by only where this test or das itself waits. Sessions grow old, fall asleep and end by themselves;
 * tasks begin and end, are stopped, have their switch turned off; das serve is down for two hours.
 * At the end the history and the journal have to tell exactly what happened.
 */
#include "core/serve/keeper.h"

#include "core/base/clock.h"
#include "core/source/source_kill.h"
#include "tests/unit/serve_kit.h"

/* --- the clock
 * ------------------------------------------------------------------------------------ */

#define BEGIN_MS INT64_C(1794787200000) /* 2026-11-16T00:00:00Z */
#define EVERY_MS 5000
#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static struct das_clock day_clock;

/* --- the instances
 * -------------------------------------------------------------------------------- */

#define INSTANCES 3
#define SESSIONS 300 /* of each */

static const char *const names[INSTANCES] = {"orders", "billing", "sample"};
static const char *const users[] = {"app", "batch", "report", "root"};
static struct das_source *hands[INSTANCES]; /* of those who end their sessions by themselves */
static int ended_alone, rounds, blocked, failed;
static int64_t told_killed;

static void make_instance(size_t i)
{
    struct das_buf b = {0};

    das_buf_str(&b, LIST_HEAD);
    for (int id = 1; id <= SESSIONS; id++) {
        bool sleeps = kit_below(3) == 0;
        das_buf_printf(&b, "%d\t%s\t10.0.%d.%d:4000\t%s\t%s\t%d\t%s\t%s\n", id, KIT_PICK(users),
                       id % 4, id % 250, id % 5 ? "shop" : "stock", sleeps ? "Sleep" : "Query",
                       (int)kit_below(3000), sleeps ? "" : "Sending data",
                       sleeps ? "NULL" : "select 1");
    }
    add_instance(names[i], b.ptr, b.len);
    das_buf_clear(&b);
}

/* What happens on the instances in a minute without anybody of das. */
static void live_on(void)
{
    for (size_t i = 0; i < INSTANCES; i++) {
        struct das_kill_order order = {.id = 1 + (int64_t)kit_below(SESSIONS),
                                       .query_id = DAS_UNKNOWN};
        if (kit_below(4) == 0) {
            order.what = DAS_KILL_STATEMENT; /* it falls asleep */
            das_source_kill(hands[i], &order, &err);
        } else if (kit_below(12) == 0) {
            order.what = DAS_KILL_SESSION;
            ended_alone += das_source_kill(hands[i], &order, &err) == DAS_KILLED;
        }
    }
}

/* --- the tasks
 * ------------------------------------------------------------------------------------ */

#define SWITCHED_OFF 1080 /* minute in which somebody turns the switch of billing off */

static struct plan {
    int from_min, minutes; /* minutes 0: manual */
    const char *instance, *user, *host, *db, *command;
    int64_t time;
    int stop_min; /* somebody ends it; 0: nobody */
    bool none;    /* it has nobody to kill */
    int64_t id;
    int kills;
} plans[] = {
    {.from_min = 60,
     .minutes = 120,
     .instance = "orders",
     .user = "app",
     .command = "Sleep",
     .time = 300},
    {.from_min = 150, .minutes = 360, .instance = "orders", .user = "batch", .time = 7200},
    {.from_min = 240, .instance = "billing", .user = "report", .time = 3600, .stop_min = 300},
    {.from_min = 300, .minutes = 600, .instance = "billing", .host = "10.0.1.%", .time = 20000},
    {.from_min = 480,
     .minutes = 180,
     .instance = "sample",
     .command = "Sleep",
     .time = 600}, /* ends while it is down */
    {.from_min = 570, .minutes = 720, .instance = "orders", .db = "stock", .time = 44000},
    {.from_min = 960, .instance = "billing", .time = 60000, .stop_min = SWITCHED_OFF},
    {.from_min = 1230, .minutes = 60, .instance = "billing", .user = "app", .time = 70000},
    {.from_min = 1320,
     .instance = "sample",
     .user = "root",
     .time = 10,
     .stop_min = 1380,
     .none = true},
};
#define PLANS (sizeof plans / sizeof *plans)

static struct das_store *store;
static struct das_keeper_conf conf;

static void told(void *arg, const struct das_member *m, const struct das_task *task, size_t matched,
                 const struct das_report *report, const struct das_err *e)
{
    (void)arg;
    (void)m;
    (void)matched;
    rounds++;
    if (!task)
        exit(1);
    if (report)
        told_killed += (int64_t)(report->totals[DAS_O_KILLED] + report->totals[DAS_O_KILLING]);
    if (e && e->code == DAS_E_BLOCKED)
        blocked++;
    else if (e) {
        failed++;
        tap_diag("task %lld: %s", (long long)task->id, e->msg);
    }
}

static int64_t end_of(const struct plan *p)
{
    return BEGIN_MS + 60000 * (int64_t)(p->stop_min ? p->stop_min : p->from_min + p->minutes);
}

static void add(struct plan *p)
{
    struct das_task t = {.instance = p->instance,
                         .user = das_text_of(p->user),
                         .host = das_text_of(p->host),
                         .db = das_text_of(p->db),
                         .command = das_text_of(p->command),
                         .time = p->time,
                         .manual = !p->minutes,
                         .duration = 60 * p->minutes,
                         .start_ms = das_clock_unix_ms(),
                         .by = "ci (DASKEY)",
                         .running = true};
    bool off;

    t.end_ms = t.manual ? 0 : t.start_ms + 1000 * t.duration;
    must(das_task_add(store, &t, &off, &err) == 1, "%02d:%02d a task on %s", p->from_min / 60,
         p->from_min % 60, p->instance);
    p->id = t.id;
}

static void switch_to(const char *instance, bool on)
{
    must(das_task_switch_set(store, instance, on, das_clock_unix_ms(), "ci", &err) == 0,
         "%s: the switch is turned %s", instance, on ? "on" : "off");
}

static bool refused(const char *instance)
{
    struct das_task t = {.instance = instance,
                         .manual = true,
                         .time = 1,
                         .by = "ci",
                         .start_ms = das_clock_unix_ms(),
                         .running = true};
    bool off = false;

    return das_task_add(store, &t, &off, &err) == 0 && off;
}

/* Down: nobody looks, and nothing of it is in memory afterwards. */
static void go_down(void)
{
    das_store_close(store);
    store = NULL;
    das_fleet_free(fleet);
    fleet = NULL;
}

static void come_up(void)
{
    const struct das_fleet_conf how = {.share_ms = 250};

    must(das_fleet_new(inventory, &how, &fleet, &err) == 0, "das serve stands");
    must(das_store_open(temp_state_dir(), &store, &err) == 0, "with its store");
    conf = (struct das_keeper_conf){.fleet = fleet,
                                    .killer = &killer,
                                    .every_ms = EVERY_MS,
                                    .state_dir = temp_state_dir(),
                                    .told = told};
}

/* How many of app have slept for so long? */
static int left_of_first_task(int64_t least_s)
{
    struct das_filter *f = kit_filter2("user", "app", "command", "Sleep");
    struct das_value v = {.kind = DAS_V_INT, .integer = least_s};
    struct das_seen_list at;
    struct das_selection *sel;
    int n;

    if (das_filter_set(f, "time", &v, &err) < 0 ||
        das_member_look(das_fleet_named(fleet, "orders"), INT64_MAX / 4, &at, &err) < 0)
        exit(1);
    sel = das_select(at.snap, f, &err);
    n = sel ? (int)sel->count : -1;
    das_selection_free(sel);
    das_seen_list_clear(&at);
    das_filter_release(f);
    return n;
}

static void at_minute(int minute)
{
    for (size_t i = 0; i < PLANS; i++) {
        if (plans[i].from_min == minute)
            add(&plans[i]);
        if (minute && plans[i].stop_min == minute && minute != SWITCHED_OFF)
            must(das_task_stop(store, plans[i].instance, plans[i].id, das_clock_unix_ms(), "ci",
                               &err) == 1,
                 "%02d:%02d it is stopped", minute / 60, minute % 60);
    }
    switch (minute) {
    case 175:
        is_int(left_of_first_task(300 + 1800), 0, "whoever matched for half an hour was ended");
        break;
    case 600:
        go_down();
        break;
    case 720:
        come_up();
        break;
    case SWITCHED_OFF:
        switch_to("billing", false);
        break;
    case 1140:
        ok(refused("billing"), "no task where the switch is off");
        break;
    case 1200:
        switch_to("billing", true);
        break;
    }
}

static void live_a_day(void)
{
    for (int64_t at = 0; at < DAY; at += EVERY_MS) {
        das_clock_move_to(&day_clock, BEGIN_MS + at);
        if (at % 60000 == 0) {
            live_on();
            at_minute((int)(at / 60000));
        }
        for (size_t i = 0; fleet && i < INSTANCES; i++) {
            if (das_keeper_round(&conf, store, das_fleet_at(fleet, i), &err) < 0)
                must(false, "round: %s", err.msg);
        }
    }
}

/* --- what is remembered
 * --------------------------------------------------------------------------- */

struct kill {
    int instance, user;
    int64_t ms;
};

static struct kill all[INSTANCES * SESSIONS];
static size_t kill_count;
static int wrong_task, wrong_time, wrong_victim, unknown;

static bool text_is_set(const char *want, struct das_text got)
{
    return !want || das_text_is(got, want);
}

/* Was it that task's to kill? */
static bool meant(const struct plan *p, const struct das_killed *k)
{
    struct das_text head = das_text_of(p->host);

    if (head.ptr) /* "10.0.1.%" */
        head.len--;
    return text_is_set(p->user, k->user) && text_is_set(p->db, k->db) &&
           text_is_set(p->command, k->command) && k->time >= p->time &&
           (!head.ptr ||
            (k->host.len > head.len && memcmp(k->host.ptr, head.ptr, head.len) == 0)) &&
           !das_text_is(k->user, "root");
}

static int check_one(void *arg, const struct das_killed *k)
{
    struct plan *p = NULL;
    struct kill *to = &all[kill_count];

    for (size_t i = 0; i < PLANS; i++) {
        if (plans[i].id == k->task_id)
            p = &plans[i];
    }
    if (!p || strcmp(p->instance, k->instance) != 0 || strcmp(k->source, "task") != 0) {
        wrong_task++;
        return 0;
    }
    p->kills++;
    unknown += k->unknown;
    if (k->kill_ms < BEGIN_MS + 60000 * (int64_t)p->from_min || k->kill_ms >= end_of(p) ||
        (k->kill_ms > BEGIN_MS + 10 * HOUR && k->kill_ms < BEGIN_MS + 12 * HOUR)) {
        wrong_time++;
        tap_diag("task %lld killed at %lld", (long long)p->id, (long long)(k->kill_ms - BEGIN_MS));
    }
    if (!meant(p, k)) {
        wrong_victim++;
        tap_diag("task %lld killed %lld of %.*s after %lld s", (long long)p->id,
                 (long long)k->session_id, (int)k->user.len, k->user.ptr, (long long)k->time);
    }
    *to = (struct kill){*(const int *)arg, 0, k->kill_ms};
    while (to->user < 3 && !das_text_is(k->user, users[to->user]))
        to->user++;
    kill_count++;
    return 0;
}

static void read_history(void)
{
    int64_t total = 0;

    must(das_history_catch_up(store, &err) == 0, "the history is up to date");
    for (int i = 0; i < INSTANCES; i++) {
        int64_t page = 1;
        do {
            if (das_history_page(store, names[i], BEGIN_MS, BEGIN_MS + 2 * DAY, page, 50, check_one,
                                 &i, &total, &err) < 0)
                must(false, "history: %s", err.msg);
        } while (page++ * 50 < total);
    }
}

/* The most kills within a window that ends with one of them. */
static int most_within(int64_t window_ms, bool same_instance, bool same_user)
{
    int most = 0;

    for (size_t i = 0; i < kill_count; i++) {
        int n = 0;
        for (size_t k = 0; k < kill_count; k++)
            n += all[k].ms <= all[i].ms && all[k].ms > all[i].ms - window_ms &&
                 (!same_instance || all[k].instance == all[i].instance) &&
                 (!same_user || all[k].user == all[i].user);
        most = n > most ? n : most;
    }
    return most;
}

static int check_end(void *arg, const struct das_task *t)
{
    for (size_t i = 0; i < PLANS; i++) {
        if (plans[i].id != t->id)
            continue;
        ++*(int *)arg;
        ok(!t->running && t->end_ms == end_of(&plans[i]), "task %lld ended when it should",
           (long long)t->id);
    }
    return 0;
}

static void check_all(void)
{
    struct das_head head;
    int64_t there = 0;
    int ends = 0;

    read_history();
    ok(kill_count > 150, "%zu kills in %d rounds of tasks", kill_count, rounds);
    ok(!wrong_task && !unknown, "each by a task, on its instance, with a known outcome");
    is_int(wrong_time, 0, "none outside of its task's life, or while das serve was down");
    is_int(wrong_victim, 0, "nobody whom the task did not mean");
    for (size_t i = 0; i < PLANS; i++)
        ok(plans[i].none ? !plans[i].kills : plans[i].kills > 0, "task %lld: %d kills",
           (long long)plans[i].id, plans[i].kills);
    is_int((int64_t)kill_count, told_killed, "as many as the rounds told of");
    for (size_t i = 0; i < INSTANCES; i++)
        there += alive(das_fleet_at(fleet, i));
    is_int(INSTANCES * SESSIONS - ended_alone - there, (int64_t)kill_count,
           "as many as are missing, without the %d that ended by themselves", ended_alone);
    is_int(failed, 0, "nothing failed");

    ok(blocked > 0, "limits struck in %d rounds", blocked);
    is_int(most_within(60000, false, false), rules.limits.minute, "the most in any minute");
    is_int(most_within(600000, true, true), rules.limits.user, "of a user in ten minutes");
    ok(most_within(600000, true, false) <= rules.limits.instance, "of an instance in ten minutes");

    must(das_task_each(store, NULL, false, 1000, check_end, &ends, &err) == 0, "the tasks");
    is_int(ends, PLANS, "are all remembered");
    is_int(das_journal_unknown(store, NULL, 0, &err), 0, "no kill whose outcome is unknown");
    is_int(das_journal_verify(store, NULL, &head, &err), 0, "the journal is whole");
    ok(head.seq > 2 * (int64_t)kill_count, "its %lld records", (long long)head.seq);
}

int main(void)
{
    struct das_filter *root = kit_filter("user", "root");
    struct das_protect protect;

    kit_seed(6);
    das_clock_init(&day_clock, BEGIN_MS);
    das_clock_enter(&day_clock);
    for (size_t i = 0; i < INSTANCES; i++)
        make_instance(i);
    fleet_open();
    for (size_t i = 0; i < INSTANCES; i++)
        must(das_inventory_open_again(inventory, i, &hands[i], &err) == 0, "%s", names[i]);
    das_protect_init(&protect);
    must(das_protect_add(&protect, root, &err) == 0, "root is protected");
    das_filter_release(root);
    killer.protect = &protect;
    rules.ramp = true;
    rules.limits = (struct das_kill_limits){.run = 3,
                                            .minute = 5,
                                            .instance = 12,
                                            .user = 8,
                                            .window_ms = 600000,
                                            .percent = 5,
                                            .rows_modified = 100000};
    rules.breaker = (struct das_breaker_rules){.failures = 1, .surge = 10, .cooldown_ms = 600000};
    das_fleet_free(fleet);
    come_up();
    ok(refused("orders"), "at first the switch is off");
    for (size_t i = 0; i < INSTANCES; i++)
        switch_to(names[i], true);
    live_a_day();
    check_all();
    go_down();
    for (size_t i = 0; i < INSTANCES; i++)
        das_source_close(hands[i]);
    das_protect_clear(&protect);
    fleet_close();
    return tap_done();
}
