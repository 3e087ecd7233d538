/* test_memory_changes.c - the in-memory instance made from a snapshot and changed from outside: sessions
 * that come and go, an instance that is away, time that a test moves. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tests/unit/memory_kit.h"

static struct das_session row(int64_t id, const char *user, const char *command, int64_t seconds)
{
    struct das_session s;

    das_session_unknown(&s);
    s.id = id;
    s.user = das_text_of(user);
    s.command = das_text_of(command);
    s.host = das_text_of("h:1");
    s.state_duration = seconds;
    return s;
}

static struct das_snapshot *two_sessions(void)
{
    struct das_snapshot *snap = das_snapshot_new(&err);
    struct das_session a = row(1, "app", "Query", 10), b = row(2, "etl", "Sleep", 20);

    a.sql_info = das_text_of("select 1");
    a.query_id = 7;
    must(das_snapshot_add(snap, &a, &err) == 0 && das_snapshot_add(snap, &b, &err) == 0, "rows");
    das_snapshot_set_time(snap, 1000);
    must(das_snapshot_warn(snap, &err, "as recorded") == 0, "a warning");
    return snap;
}

static struct das_source *open_two(void)
{
    struct das_snapshot *snap = two_sessions();
    struct das_source *s = NULL;

    must(das_memory_open(snap, "orders", &s, &err) == 0, "an instance");
    das_snapshot_release(snap);
    return s;
}

static void changes(void)
{
    struct das_source *s = open_two(), *again = NULL;
    struct das_source_conf conf = {.spec = "mem:"};
    struct das_session one, comes = row(3, "new", "Query", 0), moves = row(1, "app", "Sleep", 0);
    struct das_snapshot *snap, *first = list(s);
    struct das_identity id = *das_snapshot_identity(first);

    is_str(das_source_name(s), "orders", "it has a name");
    must(das_source_open_again(s, &conf, &again, &err) == 0, "a second handle");
    is_int(das_memory_advance(s, 5, &err), 0, "time passes");
    is_int(das_memory_put(s, &comes, &err), 0, "one comes");
    must(look(s, 3, &one, &snap), "it is there");
    is_int(one.state_duration, 0, "with its own age");
    is_int(das_snapshot_rows(snap), 3, "besides the others");
    is_int(das_snapshot_time(snap), 1005, "the list is from now");
    is_int((int64_t)das_snapshot_warnings(snap), 1, "what was said about it is kept");
    ok(das_identity_same(&id, das_snapshot_identity(snap)), "it is the same server");
    das_snapshot_release(snap);
    must(look(again, 1, &one, &snap), "the other handle");
    is_int(one.state_duration, 15, "who was there is as old as before");
    das_snapshot_release(snap);
    das_memory_advance(s, 5, &err);
    is_int(das_memory_put(again, &moves, &err), 0, "one moves on");
    must(look(s, 1, &one, &snap), "it is there");
    ok(das_text_is(one.command, "Sleep"), "and does something else");
    ok(!one.sql_info.ptr, "without its statement");
    is_int(one.state_duration, 0, "since now");
    is_int(das_snapshot_ids(snap)[0], 1, "in its place");
    das_snapshot_release(snap);
    is_int(memory_kill(s, DAS_KILL_IDLE_SESSION, 1, 7, &err), DAS_KILLED, "what it was is forgotten");
    is_int(das_memory_remove(again, 2, &err), 0, "one ends by itself");
    ok(!look(s, 2, &one, &snap), "it is gone");
    is_int(das_snapshot_rows(snap), 1, "and who was killed stays gone");
    das_snapshot_release(snap);
    is_int(das_memory_remove(s, 2, &err), -1, "once");
    is_int(err.code, DAS_E_USAGE, "a mistake");
    is_str(err.msg, "there is no session 2", "and says who");
    is_int(memory_kill(s, DAS_KILL_SESSION, 2, DAS_UNKNOWN, &err), DAS_KILL_GONE, "nobody to kill");
    is_int(das_memory_put(s, &moves, &err), 0, "an id comes again");
    must(look(s, 1, &one, &snap), "it is there");
    das_snapshot_release(snap);
    is_int(das_snapshot_rows(first), 2, "an earlier list stays what it was");
    das_snapshot_release(first);
    das_source_close(s);
    das_source_close(again);
}

static void idle_survives_a_change(void)
{
    struct das_source *s = open_two();
    struct das_session one, comes = row(3, "new", "Query", 0);
    struct das_snapshot *snap;

    is_int(memory_kill(s, DAS_KILL_STATEMENT, 1, 7, &err), DAS_KILLED, "a statement is killed");
    das_memory_advance(s, 4, &err);
    is_int(das_memory_put(s, &comes, &err), 0, "another session comes");
    das_memory_advance(s, 3, &err);
    must(look(s, 1, &one, &snap), "it is there");
    ok(das_text_is(one.command, "Sleep"), "its session sleeps still");
    is_int(one.state_duration, 7, "since then");
    das_snapshot_release(snap);
    das_source_close(s);
}

static void away(void)
{
    struct das_source *s = open_two();
    struct das_snapshot *snap = NULL;

    is_int(das_memory_down(s, "Too many connections", &err), 0, "taken away");
    is_int(das_source_list(s, NULL, &snap, &err), -1, "it is not seen");
    is_int(err.code, DAS_E_CONNECT, "there is no connection");
    is_str(err.msg, "Too many connections", "as was said");
    is_int(memory_kill(s, DAS_KILL_SESSION, 1, DAS_UNKNOWN, &err), DAS_KILL_FAILED, "nor killed");
    is_int(das_memory_down(s, NULL, &err), 0, "back");
    snap = list(s);
    is_int(das_snapshot_rows(snap), 2, "with all of it");
    das_snapshot_release(snap);
    das_source_close(s);
}

static void only_in_memory(void)
{
    char spec[200];
    struct das_source_conf conf = {.spec = spec};
    struct das_session one = row(1, "app", "Query", 1);
    struct das_source *s = NULL;

    snprintf(spec, sizeof spec, "file:%s", temp_text(sample));
    must(das_source_open(&conf, &s, &err) == 0, "a file");
    is_int(das_memory_put(s, &one, &err), -1, "a file is not changed");
    is_int(err.code, DAS_E_UNSUPPORTED, "it cannot be");
    is_int(das_memory_remove(s, 1, &err), -1, "by nobody");
    das_source_close(s);
}

/* Its time is that of the clock that the thread has entered. */
static void virtual_clock(void)
{
    struct das_clock clock;
    struct das_source *s;
    struct das_session one;
    struct das_snapshot *snap;

    das_clock_init(&clock, 1000000);
    das_clock_enter(&clock);
    s = open_two();
    das_clock_move_to(&clock, 1000000 + 60000);
    must(look(s, 1, &one, &snap), "it is there");
    is_int(one.state_duration, 70, "a minute of its clock");
    das_snapshot_release(snap);
    das_source_close(s);
    das_clock_enter(NULL);
}

static void changes_without_memory(void)
{
    struct das_session comes = row(3, "new", "Query", 0);
    struct das_session one;
    struct das_snapshot *snap = NULL;
    long n;
    int bad = 0;

    for (n = 1; n < 1000; n++) {
        struct das_source *s = open_two();
        int rc;
        das_alloc_fail_at(n);
        rc = das_memory_put(s, &comes, &err);
        das_alloc_fail_at(0);
        if (rc == 0) {
            das_source_close(s);
            break;
        }
        bad += err.code != DAS_E_NOMEM || look(s, 3, &one, &snap) || das_snapshot_rows(snap) != 2;
        das_snapshot_release(snap);
        das_source_close(s);
    }
    ok(!bad && n > 5 && n < 1000, "%ld failing allocations change nothing", n - 1);
    for (n = 1; n < 1000; n++) {
        struct das_snapshot *from = two_sessions();
        struct das_source *s = NULL;
        int rc;
        das_alloc_fail_at(n);
        rc = das_memory_open(from, "orders", &s, &err);
        das_alloc_fail_at(0);
        das_snapshot_release(from);
        das_source_close(s);
        if (rc == 0)
            break;
        bad += err.code != DAS_E_NOMEM || s;
    }
    ok(!bad && n > 3 && n < 1000, "%ld open none", n - 1);
}

int main(void)
{
    changes();
    idle_survives_a_change();
    away();
    only_in_memory();
    virtual_clock();
    changes_without_memory();
    temp_clear();
    return tap_done();
}
