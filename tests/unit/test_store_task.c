/* test_store_task.c - kill tasks: five at once, their switch, their ends, and what is written. */
#include "core/store/task.h"

#include <pthread.h>

#include "core/store/journal.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

/* --- helpers ---------------------------------------------------------------------------------- */

static void turn(struct das_store *s, const char *instance, bool on, int64_t now)
{
    must(das_task_switch_set(s, instance, on, now, "ci (DASKEY)", &err) == 0, "switch: %s",
         err.msg);
}

static struct das_task automatic(const char *instance, int64_t start, int64_t end)
{
    return (struct das_task){.instance = instance,
                             .user = das_text_of("app"),
                             .time = 5,
                             .duration = (end - start) / 1000,
                             .start_ms = start,
                             .end_ms = end,
                             .by = "ci (DASKEY)"};
}

static struct das_task manual(const char *instance, int64_t start)
{
    struct das_task t = automatic(instance, start, start + 30000);

    t.manual = true;
    return t;
}

/* Its id; 0: no room or off; -1. */
static int64_t add(struct das_store *s, struct das_task t)
{
    bool off;
    int rc = das_task_add(s, &t, &off, &err);

    return rc > 0 ? t.id : off ? -2 : rc;
}

struct seen {
    int64_t ids[64];
    struct das_task last; /* without its texts */
    int n, stop_at;
};

static int see(void *arg, const struct das_task *t)
{
    struct seen *seen = arg;

    if (seen->n < 64)
        seen->ids[seen->n] = t->id;
    seen->last = *t;
    return ++seen->n == seen->stop_at ? 7 : 0;
}

static struct seen look(struct das_store *s, const char *instance, bool running, int64_t max)
{
    struct seen seen = {.n = 0};

    must(das_task_each(s, instance, running, max, see, &seen, &err) == 0, "each: %s", err.msg);
    return seen;
}

static int find(void *arg, const struct das_task *t)
{
    struct das_task *out = arg;

    if (t->id == out->id)
        *out = *t;
    return 0;
}

static struct das_task get(struct das_store *s, int64_t id)
{
    struct das_task t = {.id = id};

    must(das_task_each(s, NULL, false, 1000, find, &t, &err) == 0, "get: %s", err.msg);
    t.instance = t.by = NULL;
    return t;
}

static int last_line(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    (void)seq;
    (void)hash;
    snprintf(arg, 1000, "%.*s", (int)line.len, line.ptr);
    return 0;
}

/* Of the last record. */
static const char *record(struct das_store *s)
{
    static char line[1000];
    const char *kind;

    must(das_journal_each(s, store_head(s), last_line, line, &err) == 0, "a record");
    kind = strstr(line, "\"kind\"");
    return kind ? kind : line;
}

static void journal_is_good(struct das_store *s)
{
    struct das_head head;

    ok(das_journal_verify(s, NULL, &head, &err) == 0, "the journal is good");
}

/* --- one task --------------------------------------------------------------------------------- */

static int compare(void *arg, const struct das_task *t)
{
    const struct das_task *w = arg;

    ok(t->id == w->id && strcmp(t->instance, w->instance) == 0 && das_text_eq(t->user, w->user) &&
           das_text_eq(t->host, w->host) && das_text_is(t->db, "") &&
           das_text_eq(t->command, w->command) && das_text_eq(t->info, w->info) &&
           t->time == w->time && t->manual == w->manual && t->duration == w->duration &&
           t->start_ms == w->start_ms && t->end_ms == w->end_ms && t->running &&
           strcmp(t->by, w->by) == 0,
       "it is read as it was written");
    return 0;
}

static void bytes(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_task t = {.instance = "orders",
                         .user = das_text("a\0b", 3),
                         .host = das_text_of("10.%"),
                         .db = das_text_of(""),
                         .command = das_text_of("Query"),
                         .info = das_text_of("\xff\xfe \"x\"\n"),
                         .time = 5,
                         .duration = 30,
                         .start_ms = 1764000000000,
                         .end_ms = 1764000030000,
                         .by = "ci (DASKEY)"};
    bool off = true;

    turn(s, "orders", true, 1);
    is_str(record(s),
           "\"kind\":\"switch\",\"switch\":\"on\",\"instance\":\"orders\",\"by\":\"ci (DASKEY)\"}",
           "the switch is in the journal");
    is_int(das_task_add(s, &t, &off, &err), 1, "a task");
    ok(t.id == 1 && t.running && !off, "the first one, and it runs");
    is_str(record(s),
           "\"kind\":\"task\",\"task\":1,\"event\":\"created\",\"instance\":\"orders\","
           "\"user\":\"a\\u0000b\",\"host\":\"10.%\",\"command\":\"Query\","
           "\"info\":\"\xef\xbf\xbd\xef\xbf\xbd \\\"x\\\"\\n\",\"time\":5,\"type\":\"auto\","
           "\"duration\":30,\"start_ms\":1764000000000,\"end_ms\":1764000030000,"
           "\"by\":\"ci (DASKEY)\"}",
           "and what it looks for");
    is_int(das_task_each(s, "orders", true, 9, compare, &t, &err), 0, "read");
    is_int(das_task_stop(s, "orders", 1, 1764000010000, "me", &err), 1, "it is stopped");
    is_str(record(s),
           "\"kind\":\"task\",\"task\":1,\"event\":\"stopped\",\"instance\":\"orders\","
           "\"by\":\"me\"}",
           "which is told");
    t = manual("orders", 1000);
    t.by = NULL;
    t.user = DAS_TEXT_NULL;
    is_int(das_task_add(s, &t, &off, &err), 1, "a manual one");
    ok(t.id == 2 && t.end_ms == 0, "has no end");
    is_str(record(s),
           "\"kind\":\"task\",\"task\":2,\"event\":\"created\",\"instance\":\"orders\",\"time\":5,"
           "\"type\":\"manual\",\"start_ms\":1000}",
           "nor in the journal");
    journal_is_good(s);
    das_store_close(s);
}

static void wrong(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_task t = automatic("orders", 5000, 5000);
    bool off;

    turn(s, "orders", true, 1);
    ok(das_task_add(s, &t, &off, &err) < 0 && err.code == DAS_E_USAGE, "no time to run: %s",
       err.msg);
    t = automatic("", 1, 5000);
    ok(das_task_add(s, &t, &off, &err) < 0 && err.code == DAS_E_USAGE, "no instance: %s", err.msg);
    is_int(look(s, NULL, false, 9).n, 0, "none was added");
    das_store_close(s);
}

/* --- five and the switch ---------------------------------------------------------------------- */

static void five(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t head;

    turn(s, "orders", true, 1);
    turn(s, "stock", true, 1);
    for (int i = 1; i <= DAS_TASKS_RUNNING_MAX; i++)
        is_int(add(s, i % 2 ? automatic("orders", 1000, 31000) : manual("orders", 1000)), i,
               "task %d", i);
    head = store_head(s);
    is_int(add(s, manual("orders", 2000)), 0, "one more than five: no");
    is_int(store_head(s), head, "and no record");
    is_int(add(s, manual("stock", 2000)), 6, "of another instance: yes");
    is_int(das_task_stop(s, "orders", 2, 2000, "me", &err), 1, "one is stopped");
    is_int(add(s, manual("orders", 2000)), 7, "its place is free");
    is_int(add(s, manual("orders", 30999)), 0, "at the last moment it is full");
    /* 1, 3 and 5 were to end at 31000 and nobody has closed them yet */
    is_int(add(s, manual("orders", 31000)), 8, "one whose end has come takes no place");
    is_int(look(s, "orders", true, 99).n, 3, "nor does it run");
    is_int(get(s, 3).end_ms, 31000, "it ended at its end");
    journal_is_good(s);
    das_store_close(s);
}

static void switched(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t head = store_head(s);
    struct das_task t = manual("orders", 1000);
    bool on = true, off = false;

    ok(das_task_switch_get(s, "orders", &on, &err) == 0 && !on, "off until somebody turns it on");
    is_int(das_task_add(s, &t, &off, &err), 0, "no task then");
    ok(off && t.id == 0, "because of that");
    turn(s, "orders", false, 1);
    is_int(store_head(s), head, "no change, no record");
    turn(s, "orders", true, 1);
    turn(s, "orders", true, 1);
    is_int(store_head(s), head + 1, "one change, one record");
    ok(das_task_switch_get(s, "orders", &on, &err) == 0 && on, "on");
    ok(das_task_switch_get(s, "stock", &on, &err) == 0 && !on, "another's stays off");
    turn(s, "stock", true, 1);
    is_int(add(s, automatic("orders", 1000, 2000)), 1, "a task that will be over");
    is_int(add(s, automatic("orders", 1000, 9000)), 2, "one that will not");
    is_int(add(s, manual("orders", 1000)), 3, "one by hand");
    is_int(add(s, manual("stock", 1000)), 4, "one of another instance");
    head = store_head(s);
    turn(s, "orders", false, 5000);
    is_int(store_head(s), head + 4, "off: an end, two stops, the switch");
    has_str(record(s), "\"switch\":\"off\"", "%s", record(s));
    is_int(look(s, "orders", true, 9).n, 0, "none runs");
    is_int(get(s, 1).end_ms, 2000, "that had ended by itself");
    is_int(get(s, 2).end_ms, 5000, "that was stopped");
    is_int(get(s, 3).end_ms, 5000, "that, too");
    is_int(look(s, "stock", true, 9).n, 1, "the other's runs on");
    is_int(add(s, manual("orders", 6000)), -2, "off again");
    turn(s, "orders", true, 1);
    is_int(look(s, "orders", true, 9).n, 0, "on again: what was stopped stays so");
    journal_is_good(s);
    das_store_close(s);
}

static void stopping(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t head;

    turn(s, "orders", true, 1);
    add(s, automatic("orders", 1000, 31000));
    add(s, manual("orders", 1000));
    add(s, manual("orders", 1000));
    head = store_head(s);
    is_int(das_task_stop(s, "stock", 1, 2000, "me", &err), 0, "not of another instance");
    is_int(das_task_stop(s, "orders", 9, 2000, "me", &err), 0, "none of that id");
    is_int(store_head(s), head, "no record of that");
    is_int(das_task_stop(s, "orders", 1, 2000, "me", &err), 1, "stopped");
    ok(get(s, 1).end_ms == 2000 && !get(s, 1).running, "at that moment");
    is_int(das_task_stop(s, "orders", 1, 3000, "me", &err), 0, "once");
    is_int(get(s, 1).end_ms, 2000, "it stays as it was");
    is_int(das_task_stop(s, "orders", 2, 5, "me", &err), 1, "by a clock that was set back");
    is_int(get(s, 2).end_ms, 1000, "it ends no sooner than it began");
    add(s, automatic("orders", 1000, 31000));
    is_int(das_task_stop(s, "orders", 4, 31000, "me", &err), 0, "its end had come by itself");
    has_str(record(s), "\"event\":\"ended\"", "%s", record(s));
    is_int(look(s, "orders", true, 9).n, 1, "one is left");
    journal_is_good(s);
    das_store_close(s);
}

static void due(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    int64_t head;

    turn(s, "orders", true, 1);
    turn(s, "stock", true, 1);
    add(s, automatic("orders", 1000, 31000));
    add(s, automatic("orders", 1000, 21000));
    add(s, automatic("stock", 1000, 20000));
    add(s, automatic("stock", 1000, 900000));
    add(s, manual("stock", 1000));
    head = store_head(s);
    is_int(das_task_close_due(s, 19999, &err), 0, "nothing is due");
    is_int(store_head(s), head, "nothing is written");
    das_store_close(s);

    s = store_open(dir); /* an hour later */
    is_int(das_task_close_due(s, 800000, &err), 3, "what was due while nobody looked");
    is_int(store_head(s), head + 3, "each with its record");
    is_str(record(s),
           "\"kind\":\"task\",\"task\":1,\"event\":\"ended\",\"instance\":\"orders\"}",
           "in their order");
    ok(get(s, 1).end_ms == 31000 && get(s, 2).end_ms == 21000 && get(s, 3).end_ms == 20000,
       "each at its own end");
    ok(!get(s, 1).running && get(s, 4).running && get(s, 5).running, "the others run");
    is_int(das_task_close_due(s, 800000, &err), 0, "once");
    is_int(das_task_close_due(s, 900000, &err), 1, "at the very end");
    is_int(das_task_close_due(s, INT64_MAX, &err), 0, "what is by hand is never due");
    journal_is_good(s);
    das_store_close(s);
}

/* --- lists and ids ---------------------------------------------------------------------------- */

static void lists(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct seen seen;

    turn(s, "orders", true, 1);
    turn(s, "stock", true, 1);
    for (int i = 1; i <= 40; i++) {
        const char *of = i % 4 ? "orders" : "stock";
        must(add(s, manual(of, 1000)) == i, "task %d", i);
        if (i <= 36)
            must(das_task_stop(s, of, i, 2000, "me", &err) == 1, "stopped");
    }
    seen = look(s, NULL, false, 100);
    ok(seen.n == 40 && seen.ids[0] == 40 && seen.ids[39] == 1, "all, newest first");
    seen = look(s, NULL, false, 3);
    ok(seen.n == 3 && seen.ids[2] == 38, "three of them");
    seen = look(s, NULL, true, 100);
    ok(seen.n == 4 && seen.ids[0] == 40 && seen.ids[3] == 37, "those that run");
    seen = look(s, "stock", false, 100);
    ok(seen.n == 10 && seen.ids[0] == 40 && seen.ids[1] == 36, "of one instance");
    seen = look(s, "orders", true, 2);
    ok(seen.n == 2 && seen.ids[0] == 39 && seen.ids[1] == 38, "that run, two of them");
    is_int(look(s, "none", false, 9).n, 0, "of none");
    is_int(look(s, NULL, false, 0).n, 0, "no number of them");
    is_int(look(s, NULL, false, -1).n, 0, "or less");
    seen = (struct seen){.stop_at = 2};
    is_int(das_task_each(s, NULL, false, 9, see, &seen, &err), 7, "a walk may end early");
    is_int(seen.n, 2, "there");
    is_int(add(s, manual("stock", 1)), 41, "and the handle goes on");
    das_store_close(s);

    /* Who tidies up old ones does not make their numbers free. */
    store_sql(dir, "DELETE FROM tasks");
    s = store_open(dir);
    is_int(add(s, manual("stock", 1)), 42, "an id is never used again");
    das_store_close(s);
}

/* --- many at once ----------------------------------------------------------------------------- */

struct racer {
    struct das_store *s;
    pthread_barrier_t *gate;
    int64_t got;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct das_err mine;
    struct das_task t = manual("orders", 1000);
    bool off;

    pthread_barrier_wait(r->gate);
    r->got = das_task_add(r->s, &t, &off, &mine) > 0 ? t.id : 0;
    return NULL;
}

static void last_place(void)
{
    const char *dir = store_dir();
    struct racer racers[2];
    pthread_barrier_t gate;
    pthread_t threads[2];
    int bad = 0;

    pthread_barrier_init(&gate, NULL, 2);
    for (int i = 0; i < 2; i++)
        racers[i] = (struct racer){.s = store_open(dir), .gate = &gate};
    turn(racers[0].s, "orders", true, 1);
    for (int i = 0; i < 4; i++)
        must(add(racers[0].s, manual("orders", 1000)) > 0, "one of four");
    for (int n = 0; n < 40; n++) {
        int64_t won;
        for (int i = 0; i < 2; i++)
            must(pthread_create(&threads[i], NULL, race, &racers[i]) == 0, "a thread");
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        won = racers[0].got + racers[1].got;
        bad += !won || (racers[0].got && racers[1].got);
        bad += das_task_stop(racers[n % 2].s, "orders", won, 2000, "me", &err) != 1;
    }
    is_int(bad, 0, "of two that want the last place one has it, forty times");
    is_int(look(racers[0].s, "orders", true, 9).n, 4, "four are left");
    journal_is_good(racers[0].s);
    for (int i = 0; i < 2; i++)
        das_store_close(racers[i].s);
    pthread_barrier_destroy(&gate);
}

static int add_some(void *arg, int i)
{
    struct das_store *s = store_open(arg);
    int64_t got = 0, id;

    (void)i;
    for (int n = 0; n < 3; n++) {
        id = add(s, automatic("orders", 1000, 31000));
        if (id < 0) {
            fprintf(stderr, "# %s\n", err.msg);
            return 1;
        }
        got += id > 0;
    }
    das_task_close_due(s, 30000, &err);
    das_store_close(s);
    return got <= DAS_TASKS_RUNNING_MAX ? 0 : 2;
}

static void processes(void)
{
    char dir[300];
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    s = store_open(dir);
    turn(s, "orders", true, 1);
    is_int(store_herd(6, add_some, dir), 6, "six processes want three each");
    is_int(look(s, "orders", false, 99).n, 5, "five there are");
    is_int(store_number(dir, "SELECT count(*) FROM journal WHERE line LIKE '%\"created\"%'"), 5,
           "each with its record");
    journal_is_good(s);
    das_store_close(s);
}

static int add_and_wait(void *arg)
{
    return add(store_open(arg), manual("orders", 1000)) > 0 ? 0 : 1;
}

static void killed(void)
{
    char dir[300];
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    s = store_open(dir);
    turn(s, "orders", true, 1);
    das_store_close(s);
    store_kill(store_hold(add_and_wait, dir));
    s = store_open(dir);
    is_int(look(s, "orders", true, 9).n, 1, "a task that was added outlives who added it");
    journal_is_good(s);
    das_store_close(s);
}

/* --- where something fails -------------------------------------------------------------------- */

static void no_memory(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    long n;
    int bad = 0;

    turn(s, "orders", true, 1);
    add(s, automatic("orders", 1000, 2000));
    for (n = 1; n < 1000; n++) {
        struct das_task t = automatic("orders", 3000, 9000);
        int64_t head = store_head(s);
        bool off, failed, on = true;
        int rc;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        rc = das_task_add(s, &t, &off, &err);
        if (rc > 0)
            rc = das_task_switch_set(s, "orders", false, 4000, "me", &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (rc < 0) || (failed && err.code != DAS_E_NOMEM);
        /* Neither a task without its record, nor the other way round. */
        bad += look(s, "orders", false, 99).n !=
               store_number(dir, "SELECT count(*) FROM journal WHERE line LIKE '%\"created\"%'");
        if (!failed)
            break;
        if (t.id) { /* the switch failed: it is on, and the task runs */
            bad += das_task_switch_get(s, "orders", &on, &err) < 0 || !on;
            bad += das_task_stop(s, "orders", t.id, 4000, "me", &err) != 1;
        } else {
            bad += store_head(s) != head;
        }
    }
    ok(!bad && n > 4 && n < 1000, "%ld failing allocations leave nothing half done", n - 1);
    journal_is_good(s);
    das_store_close(s);
}

static void gone(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *r = NULL;
    struct das_task t = manual("orders", 1);
    int64_t head;
    bool off;

    turn(s, "orders", true, 1);
    add(s, automatic("orders", 1, 1000));
    must(das_store_open_to_read(dir, &r, &err) == 0 && r, "a handle to read");
    is_int(look(r, "orders", true, 9).n, 1, "reads the tasks");
    ok(das_task_add(r, &t, &off, &err) < 0 && err.code == DAS_E_STORE, "writes none: %s", err.msg);
    ok(das_task_close_due(r, 5000, &err) < 0, "and closes none");
    ok(das_task_stop(r, "orders", 1, 5, "me", &err) < 0 &&
           das_task_switch_set(r, "orders", false, 5, "me", &err) < 0,
       "nor anything else");
    das_store_close(r);
    head = store_head(s);
    store_sql(dir, "DROP TABLE task_switches");
    ok(das_task_add(s, &t, &off, &err) < 0 && err.code == DAS_E_STORE, "a table is gone: %s",
       err.msg);
    ok(das_task_switch_set(s, "orders", false, 5, "me", &err) < 0, "for the switch, too");
    is_int(store_head(s), head, "nothing was written");
    das_store_close(s);
}

int main(void)
{
    bytes();
    wrong();
    five();
    switched();
    stopping();
    due();
    lists();
    last_place();
    processes();
    killed();
    no_memory();
    gone();
    store_dirs_clear();
    return tap_done();
}
