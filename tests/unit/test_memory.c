/* test_memory.c - the in-memory instance: kills, its clock, its identity, and plans against it. */
#include <pthread.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/plan/plan.h"
#include "core/source/preview.h"
#include "tests/unit/temp_state.h"
/* after it: it has an err of its own */
#include "tests/unit/memory_kit.h"

static void kill_connection(void)
{
    struct das_source *s = open_mem(temp_text(sample));
    struct das_snapshot *before = list(s), *after;
    struct das_session one;

    is_int(memory_kill(s, DAS_KILL_SESSION, 1, DAS_UNKNOWN, &err), DAS_KILLED, "killed");
    is_int(memory_kill(s, DAS_KILL_SESSION, 1, DAS_UNKNOWN, &err), DAS_KILL_GONE, "once");
    is_int(memory_kill(s, DAS_KILL_STATEMENT, 1, 101, &err), DAS_KILL_GONE, "for good");
    is_int(memory_kill(s, DAS_KILL_SESSION, 99, DAS_UNKNOWN, &err), DAS_KILL_GONE,
           "who was never there is gone");
    ok(!look(s, 1, &one, &after), "no longer listed");
    is_int(das_snapshot_rows(after), 2, "the others are");
    is_int(das_snapshot_rows(before), 3, "an older list still holds three");
    das_snapshot_get(before, 0, &one);
    ok(one.id == 1 && das_text_is(one.sql_info, "select 1"), "unchanged");
    das_snapshot_release(after);
    is_int(memory_kill(s, DAS_KILL_SESSION, 2, DAS_UNKNOWN, &err), DAS_KILLED, "the next");
    is_int(memory_kill(s, DAS_KILL_SESSION, 3, DAS_UNKNOWN, &err), DAS_KILLED, "and the last");
    after = list(s);
    is_int(das_snapshot_rows(after), 0, "nobody is left");
    das_snapshot_release(after);
    das_source_close(s);
    das_snapshot_get(before, 2, &one);
    ok(das_text_is(one.user, "root"), "a list outlives its source");
    das_snapshot_release(before);
}

static void kill_statement(void)
{
    struct das_source *s = open_mem(temp_text(sample));
    struct das_snapshot *snap;
    struct das_session one;

    is_int(memory_kill(s, DAS_KILL_STATEMENT, 1, 100, &err), DAS_KILL_GONE,
           "another query id hits nothing");
    ok(look(s, 1, &one, &snap) && das_text_is(one.command, "Query"), "it runs on");
    das_snapshot_release(snap);
    is_int(memory_kill(s, DAS_KILL_STATEMENT, 1, 101, &err), DAS_KILLED, "its own ends it");
    ok(look(s, 1, &one, &snap), "the session lives");
    ok(das_text_is(one.command, "Sleep") && !one.sql_info.ptr && one.state_duration == 0 &&
           one.time_ms == 0 && das_text_is(one.state, ""),
       "idle, as of now");
    ok(das_text_is(one.user, "app") && das_text_is(one.host, "h:1"), "and still itself");
    das_snapshot_release(snap);
    is_int(memory_kill(s, DAS_KILL_STATEMENT, 1, 101, &err), DAS_KILL_GONE, "not twice");
    must(das_memory_advance(s, 7, &err) == 0, "time goes by");
    ok(look(s, 1, &one, &snap) && one.state_duration == 7 && one.time_ms == 7000,
       "idle for 7 s");
    das_snapshot_release(snap);
    ok(look(s, 2, &one, &snap) && one.state_duration == 27 && one.trx_time == 22,
       "others go on with their own time");
    das_snapshot_release(snap);
    is_int(memory_kill(s, DAS_KILL_SESSION, 1, DAS_UNKNOWN, &err), DAS_KILLED,
           "an idle one can be disconnected");
    ok(!look(s, 1, &one, &snap), "and is gone");
    das_snapshot_release(snap);
    das_source_close(s);
}

/* As a server that compares: what the killer looked at has to be there still. */
static void exactly(void)
{
    struct das_source *s = open_mem(temp_text(sample));
    struct das_snapshot *snap;
    struct das_session one;

    is_int(memory_kill(s, DAS_KILL_SESSION, 1, 100, &err), DAS_KILL_GONE,
           "a connection with another statement");
    is_int(memory_kill(s, DAS_KILL_IDLE_SESSION, 1, 101, &err), DAS_KILL_GONE,
           "a busy one taken for idle");
    is_int(memory_kill(s, DAS_KILL_SESSION, 2, 102, &err), DAS_KILL_GONE,
           "an idle one taken for busy");
    is_int(memory_kill(s, DAS_KILL_STATEMENT, 2, 102, &err), DAS_KILL_GONE,
           "there is no statement to end");
    is_int(memory_kill(s, DAS_KILL_IDLE_SESSION, 2, DAS_ABSENT, &err), DAS_KILL_GONE,
           "one that has run a statement taken for one that has not");
    snap = list(s);
    is_int(das_snapshot_rows(snap), 3, "all live");
    das_snapshot_release(snap);
    is_int(memory_kill(s, DAS_KILL_IDLE_SESSION, 2, 102, &err), DAS_KILLED, "idle, as seen");
    ok(!das_source_cannot_soft(s), "soft kills are possible");
    is_int(memory_kill(s, DAS_KILL_STATEMENT_SOFT, 1, 100, &err), DAS_KILL_GONE,
           "another number");
    is_int(memory_kill(s, DAS_KILL_STATEMENT_SOFT, 1, 101, &err), DAS_KILLED, "a soft kill");
    ok(look(s, 1, &one, &snap) && das_text_is(one.command, "Sleep"), "ends the statement");
    das_snapshot_release(snap);
    is_int(memory_kill(s, DAS_KILL_SESSION, 1, 101, &err), DAS_KILL_GONE,
           "whose session is busy no more");
    is_int(memory_kill(s, DAS_KILL_IDLE_SESSION, 1, 101, &err), DAS_KILLED, "but idle");
    is_int(memory_kill(s, DAS_KILL_SESSION, 3, 103, &err), DAS_KILLED, "busy, as seen");
    snap = list(s);
    is_int(das_snapshot_rows(snap), 0, "nobody is left");
    ok(!das_snapshot_own_user(snap).ptr, "das is nobody here");
    das_snapshot_release(snap);
    das_source_close(s);
}

static void soft_elsewhere(void)
{
    struct das_source_conf file = {.spec = "file:tests/samples/show_tsv.txt"};
    struct das_source_conf server = {.spec = "mysql://u@h/"};
    struct das_source *s = NULL;

    must(das_source_open(&file, &s, &err) == 0, "a recording");
    has_str(das_source_cannot_soft(s), "recorded", "has nothing to kill");
    is_int(memory_kill(s, DAS_KILL_STATEMENT_SOFT, 1, 1, &err), DAS_KILL_FAILED, "softly");
    is_int(err.code, DAS_E_UNSUPPORTED, "is unsupported");
    das_source_close(s);
    must(das_source_open(&server, &s, &err) == 0, "a server that nobody has asked yet");
    ok(!das_source_cannot_soft(s), "is not ruled out");
    das_source_close(s);
}

static void its_clock(void)
{
    struct das_source *s = open_mem(temp_text(sample));
    struct das_source_conf conf = {.spec = "file:-"};
    struct das_source *other = NULL;
    struct das_snapshot *snap;
    struct das_session one;
    int64_t then;

    snap = list(s);
    then = das_snapshot_time(snap);
    das_snapshot_release(snap);
    must(das_memory_advance(s, 60, &err) == 0, "a minute");
    ok(look(s, 1, &one, &snap) && one.state_duration >= 70 && one.state_duration < 75,
       "everybody is a minute older");
    ok(one.time_ms >= 70500, "in ms too");
    ok(das_snapshot_time(snap) - then >= 60 && das_snapshot_time(snap) - then < 65,
       "so is the list");
    das_snapshot_release(snap);
    ok(look(s, 3, &one, &snap) && one.state_duration == DAS_UNKNOWN, "unknown stays unknown");
    das_snapshot_release(snap);
    ok(das_memory_advance(s, -1, &err) < 0 && err.code == DAS_E_USAGE, "not backwards");
    for (int i = 0; i < 5; i++)
        ok(das_memory_advance(s, INT32_MAX, &err) == 0, "a long time");
    ok(look(s, 1, &one, &snap) && one.state_duration == DAS_UNKNOWN && one.time_ms == DAS_UNKNOWN,
       "after which nobody's age can be told");
    das_snapshot_release(snap);
    memory_kill(s, DAS_KILL_STATEMENT, 1, 101, &err);
    for (int i = 0; i < 5; i++)
        das_memory_advance(s, INT32_MAX, &err);
    ok(look(s, 1, &one, &snap) && one.state_duration == DAS_UNKNOWN, "an idle one's neither");
    das_snapshot_release(snap);
    das_source_close(s);

    must(das_source_open(&conf, &other, &err) == 0, "a file source");
    ok(das_memory_advance(other, 1, &err) < 0 && err.code == DAS_E_UNSUPPORTED,
       "only mem: has a clock");
    das_source_close(other);
}

static void identity(void)
{
    const char *path = temp_text(sample);
    struct das_source *a = open_mem(path), *b = open_mem(path);
    struct das_snapshot *a1 = NULL, *a2 = NULL, *b1 = NULL;

    must(das_source_list(a, NULL, &a1, &err) == 0 && das_source_list(b, NULL, &b1, &err) == 0,
         "lists");
    memory_kill(a, DAS_KILL_SESSION, 1, DAS_UNKNOWN, &err);
    must(das_source_list(a, NULL, &a2, &err) == 0, "once more");
    ok(das_identity_same(das_snapshot_identity(a1), das_snapshot_identity(a2)),
       "a kill does not change who it is");
    ok(!das_identity_same(das_snapshot_identity(a1), das_snapshot_identity(b1)),
       "each opening is an instance of its own");
    das_snapshot_release(a1);
    das_snapshot_release(a2);
    das_snapshot_release(b1);
    ok(!das_source_cannot_kill(a), "it can kill");
    das_source_close(a);
    das_source_close(b);
}

/* Every printed form of the same server gives the same instance. */
static void samples(void)
{
    static const char *const files[] = {"show_table.txt", "show_tsv.txt", "show_vertical.txt",
                                        "information_schema_vertical.txt"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[100];
        struct das_source *s;
        struct das_snapshot *snap;
        struct das_session one;
        uint32_t rows;
        snprintf(path, sizeof path, "tests/samples/%s", files[i]);
        s = open_mem(path);
        snap = list(s);
        rows = das_snapshot_rows(snap);
        das_snapshot_release(snap);
        ok(rows >= 5, "%s has sessions", files[i]);
        ok(look(s, 63, &one, &snap) && das_text_is(one.user, "o|brien"), "%s: who", files[i]);
        das_snapshot_release(snap);
        is_int(memory_kill(s, DAS_KILL_SESSION, 63, DAS_UNKNOWN, &err), DAS_KILLED, "killed");
        snap = list(s);
        is_int(das_snapshot_rows(snap), rows - 1, "one fewer");
        das_snapshot_release(snap);
        das_source_close(s);
    }
}

/* The main job, below Lua: preview, plan, time goes by, apply. */
static void plan_and_apply(void)
{
    struct das_source *s = open_mem(temp_text(sample));
    struct das_filter *f = kit_filter("user", "app");
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO, .limits = &no_limits};
    const struct das_guard guard = {.policy = "test", .rules = &allow_all, .store = temp_store()};
    struct das_apply_opts how = {.guard = &guard};
    struct das_selection *sel = das_preview(s, f, 0, &err);
    struct das_snapshot *snap;
    struct das_report *r = NULL;
    struct das_plan *p;

    must(sel && sel->count == 2, "two sessions of app");
    p = das_plan_new(sel, das_source_name(s), &opts, &err);
    must(p, "a plan");
    das_selection_free(sel);
    must(das_memory_advance(s, 3, &err) == 0, "3 s go by");
    must(das_plan_apply(p, s, &how, &r, &err) == 0, "dry");
    ok(r->totals[DAS_O_DRY_RUN] == 2, "both would be killed");
    das_report_free(r);
    snap = list(s);
    is_int(das_snapshot_rows(snap), 3, "and nobody was");
    das_snapshot_release(snap);
    how.armed = true;
    must(das_plan_apply(p, s, &how, &r, &err) == 0, "armed");
    ok(r->totals[DAS_O_KILLED] == 2 && strcmp(r->items[0].action, "query") == 0 &&
           strcmp(r->items[1].action, "connection") == 0,
       "the statement of one, the connection of the other");
    das_report_free(r);
    snap = list(s);
    is_int(das_snapshot_rows(snap), 2, "two are left");
    das_snapshot_release(snap);
    how.armed = false;
    must(das_plan_apply(p, s, &how, &r, &err) == 0, "once more");
    ok(r->totals[DAS_O_CHANGED] == 1 && r->totals[DAS_O_GONE] == 1, "there is nothing left to do");
    das_report_free(r);
    das_plan_release(p);
    das_filter_release(f);
    das_source_close(s);
}

/* --- two handles on one instance ------------------------------------------------------------------ */

static struct das_source *again(struct das_source *s)
{
    const struct das_source_conf conf = {.spec = "mem:/nonexistent"};
    struct das_source *other = NULL;

    if (das_source_open_again(s, &conf, &other, &err) < 0) {
        tap_diag("again: %s", err.msg);
        exit(1);
    }
    return other;
}

static void handles(void)
{
    struct das_source *a = open_mem(temp_text(sample)), *b = again(a), *c = again(b);
    struct das_snapshot *of_a = list(a), *of_b = list(b);
    struct das_session one;

    is_str(das_source_name(b), das_source_name(a), "one name");
    ok(das_identity_same(das_snapshot_identity(of_a), das_snapshot_identity(of_b)), "one server");
    das_snapshot_release(of_a);
    das_snapshot_release(of_b);
    is_int(memory_kill(b, DAS_KILL_SESSION, 1, 101, &err), DAS_KILLED, "one kills");
    ok(!look(a, 1, &one, &of_a), "the other sees it");
    das_snapshot_release(of_a);
    is_int(memory_kill(a, DAS_KILL_SESSION, 1, 101, &err), DAS_KILL_GONE, "and cannot repeat it");
    must(das_memory_advance(a, 100, &err) == 0, "one clock");
    ok(look(b, 2, &one, &of_b) && one.state_duration >= 120, "for both");
    das_snapshot_release(of_b);
    das_source_close(a);
    is_int(memory_kill(b, DAS_KILL_IDLE_SESSION, 2, 102, &err), DAS_KILLED,
           "the first handle is not needed any more");
    das_source_close(b);
    of_a = list(c);
    is_int(das_snapshot_rows(of_a), 1, "the last one still has the instance");
    das_snapshot_release(of_a);
    das_source_close(c);
}

static void other_kinds_again(void)
{
    const struct das_source_conf conf = {.name = "x", .spec = "file:tests/samples/show_tsv.txt"};
    struct das_source *a = NULL, *b = NULL;
    struct das_snapshot *snap;

    must(das_source_open(&conf, &a, &err) == 0, "a recording");
    must(das_source_open_again(a, &conf, &b, &err) == 0, "is opened once more");
    das_source_close(a);
    is_str(das_source_name(b), "x", "with its name");
    snap = list(b);
    ok(das_snapshot_rows(snap) > 0, "and can be listed on its own");
    das_snapshot_release(snap);
    das_source_close(b);
}

#define RACED 400 /* sessions that two threads kill at once */

struct racer {
    struct das_source *s;
    int killed, gone;
    uint32_t fewest;
};

static void *race(void *arg)
{
    struct racer *r = arg;

    r->fewest = RACED;
    for (int64_t id = 1; id <= RACED; id++) {
        struct das_err ignored;
        struct das_snapshot *snap = NULL;
        enum das_kill_result how = memory_kill(r->s, DAS_KILL_SESSION, id, DAS_UNKNOWN, &ignored);
        r->killed += how == DAS_KILLED;
        r->gone += how == DAS_KILL_GONE;
        if (id % 16 == 0)
            das_memory_advance(r->s, 1, &ignored);
        if (das_source_list(r->s, NULL, &snap, &ignored) == 0 &&
            das_snapshot_rows(snap) < r->fewest)
            r->fewest = das_snapshot_rows(snap);
        das_snapshot_release(snap);
    }
    return NULL;
}

static void two_threads(void)
{
    struct das_buf b = {0};
    struct racer one = {0}, two = {0};
    struct das_snapshot *snap;
    pthread_t thread;

    das_buf_str(&b, "ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\n");
    for (int i = 1; i <= RACED; i++)
        das_buf_printf(&b, "%d\tapp\th:1\tshop\tQuery\t%d\tx\tselect 1\n", i, i);
    one.s = open_mem(temp_write(b.ptr, b.len));
    das_buf_clear(&b);
    two.s = again(one.s);
    must(pthread_create(&thread, NULL, race, &two) == 0, "a second thread");
    race(&one);
    pthread_join(thread, NULL);
    is_int(one.killed + two.killed, RACED, "each session is killed by one of the two");
    is_int(one.gone + two.gone, RACED, "and gone for the other");
    ok(one.fewest == 0 && two.fewest == 0, "both have seen the end");
    snap = list(one.s);
    is_int(das_snapshot_rows(snap), 0, "nobody is left");
    das_snapshot_release(snap);
    das_source_close(one.s);
    das_source_close(two.s);
}

static void damaged(void)
{
    static const char *const bad[] = {"mem:", "mem:/nonexistent/x", "mem:?snapshot=1"};
    char spec[200];
    struct das_source_conf conf = {.spec = spec};
    struct das_source *s = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(spec, sizeof spec, "%s", bad[i]);
        ok(das_source_open(&conf, &s, &err) < 0 && !s && err.msg[0], "%s: %s", bad[i], err.msg);
    }
    snprintf(spec, sizeof spec, "mem:%s", temp_text("this is no list\n"));
    ok(das_source_open(&conf, &s, &err) < 0 && err.code == DAS_E_DATA && !s, "no list: %s", err.msg);
}

static void no_memory(void)
{
    const char *path = temp_text(sample);
    char spec[200];
    struct das_source_conf conf = {.spec = spec};
    int bad = 0;
    long n;

    snprintf(spec, sizeof spec, "mem:%s", path);
    for (n = 1; n < 1000; n++) {
        struct das_source *s = NULL, *other = NULL;
        struct das_snapshot *snap = NULL;
        bool failed;
        int rc;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        rc = das_source_open(&conf, &s, &err);
        if (rc == 0)
            rc = das_source_open_again(s, &conf, &other, &err);
        if (rc == 0) {
            memory_kill(other, DAS_KILL_STATEMENT, 1, 101, &err);
            das_memory_advance(s, 5, &err);
            rc = das_source_list(s, NULL, &snap, &err);
        }
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (rc < 0) || (failed && (err.code != DAS_E_NOMEM || snap));
        das_snapshot_release(snap);
        das_source_close(s);
        das_source_close(other);
        if (!failed)
            break;
    }
    ok(!bad && n > 20 && n < 1000, "%ld failing allocations are each told", n - 1);
}

int main(void)
{
    kill_connection();
    kill_statement();
    exactly();
    soft_elsewhere();
    its_clock();
    identity();
    samples();
    plan_and_apply();
    handles();
    other_kinds_again();
    two_threads();
    damaged();
    no_memory();
    temp_clear();
    return tap_done();
}
