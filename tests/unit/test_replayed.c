/*
 * test_replayed.c - an instance as a recording shows it: what is shown when, what kills hide and
 * for how long, and how it grows older in between.
 */
#include "core/source/replayed.h"

#include "core/base/clock.h"
#include "core/source/source_kill.h"
#include "tests/unit/kit.h"

static struct das_err err;
static struct das_clock the_clock;

/* --- a recording --------------------------------------------------------------------------------
 */

#define START 1766655000000 /* ms */

/* Snapshots one after the other; sessions are added to the last. */
static struct {
    struct das_snapshot *snap[16];
    int64_t at_ms[16];
    size_t count, next;
    bool broken; /* after the last one there is an error */
} film;

static void shot(int64_t at_s, const char *server)
{
    struct das_identity id = {.start_unix_s = 1700000000};

    snprintf(id.server, sizeof id.server, "%s", server);
    film.snap[film.count] = das_snapshot_new(&err);
    film.at_ms[film.count] = START + at_s * 1000;
    das_snapshot_set_time(film.snap[film.count], START / 1000 + at_s);
    das_snapshot_set_identity(film.snap[film.count], &id);
    das_snapshot_set_complete(film.snap[film.count], true);
    film.count++;
}

static struct das_session busy(int64_t id, int64_t query_id, int64_t seconds, const char *sql)
{
    struct das_session s = kit_session(id);

    s.query_id = query_id;
    s.state_duration = seconds;
    s.sql_info = das_text_of(sql);
    return s;
}

static struct das_session idle(int64_t id, int64_t query_id, int64_t seconds)
{
    struct das_session s = busy(id, query_id, seconds, "");

    s.command = das_text_of("Sleep");
    s.state = das_text_of("");
    s.sql_info = DAS_TEXT_NULL;
    return s;
}

static void with(struct das_session s)
{
    if (das_snapshot_add(film.snap[film.count - 1], &s, &err) < 0)
        exit(1);
}

static int film_next(void *arg, struct das_snapshot **out, int64_t *time_ms, struct das_err *e)
{
    (void)arg;
    *out = NULL;
    if (film.next == film.count)
        return film.broken ? das_fail(e, DAS_E_DATA, "the film is torn") : 0;
    *out = film.snap[film.next];
    *time_ms = film.at_ms[film.next];
    film.snap[film.next++] = NULL;
    return 1;
}

static char seen[400];

static int note_passed(void *arg, struct das_snapshot *snap, int64_t at_ms, struct das_err *e)
{
    size_t n = strlen(seen);

    (void)arg, (void)e;
    snprintf(seen + n, sizeof seen - n, "%lld:%u ", (long long)(at_ms - START) / 1000,
             das_snapshot_rows(snap));
    return 0;
}

static void note_killed(void *arg, int64_t id, bool connection)
{
    size_t n = strlen(seen);

    (void)arg;
    snprintf(seen + n, sizeof seen - n, "%s %lld ", connection ? "connection" : "statement",
             (long long)id);
}

/* The film from its start, which is forgotten then. */
static struct das_source *play(void)
{
    const struct das_replayed_feed feed = {film_next, NULL, NULL};
    const struct das_replayed_watch watch = {NULL, note_passed, note_killed};
    struct das_source *s;

    seen[0] = '\0';
    film.next = 0;
    if (das_replayed_open("shop", &feed, &watch, &s, &err) < 0) {
        tap_diag("%s", err.msg);
        exit(1);
    }
    das_clock_init(&the_clock, START);
    das_clock_enter(&the_clock);
    return s;
}

static void stop(struct das_source *s)
{
    das_source_close(s);
    das_clock_enter(NULL);
    for (size_t i = film.next; i < film.count; i++)
        das_snapshot_release(film.snap[i]);
    memset(&film, 0, sizeof film);
}

static void at(int64_t s)
{
    das_clock_move_to(&the_clock, START + s * 1000);
}

/* "7 Query 12 select 1; 8 Sleep 3": who is shown now. */
static const char *shown(struct das_source *s)
{
    static char out[2][1000];
    static unsigned next;
    char *to = out[next++ % 2];
    struct das_snapshot *snap;
    struct das_session one;
    size_t n = 0;

    if (das_source_list(s, NULL, &snap, &err) < 0)
        return err.msg;
    to[0] = '\0';
    for (uint32_t i = 0; i < das_snapshot_rows(snap); i++) {
        das_snapshot_get(snap, i, &one);
        n += (size_t)snprintf(to + n, 1000 - n, "%s%lld %.*s %lld%s%.*s", i ? "; " : "",
                              (long long)one.id, (int)one.command.len, one.command.ptr,
                              (long long)one.state_duration, one.sql_info.ptr ? " " : "",
                              (int)one.sql_info.len, one.sql_info.ptr ? one.sql_info.ptr : "");
    }
    das_snapshot_release(snap);
    return to;
}

static enum das_kill_result hit(struct das_source *s, enum das_kill_what what, int64_t id,
                                int64_t query_id)
{
    const struct das_kill_order o = {
        .what = what, .id = id, .query_id = query_id, .user = das_text_of("app")};

    return das_source_kill(s, &o, &err);
}

/* --- what is shown when -------------------------------------------------------------------------
 */

static void ages(void)
{
    struct das_source *s;
    struct das_snapshot *a, *b;
    struct das_session one;

    shot(0, "db");
    with(busy(7, 70, 5, "select 1"));
    shot(10, "db");
    with(busy(7, 70, 15, "select 1"));
    with(busy(8, 80, 1, "select 2"));
    shot(20, "db");
    s = play();
    is_str(shown(s), "7 Query 5 select 1", "at the time of a snapshot it is shown as it is");
    at(9);
    is_str(shown(s), "7 Query 14 select 1", "until the next one sessions grow older");
    at(10);
    is_str(shown(s), "7 Query 15 select 1; 8 Query 1 select 2", "then that is shown");
    das_source_list(s, NULL, &a, &err);
    das_source_list(s, NULL, &b, &err);
    ok(a == b, "as long as nothing changes it is the same list");
    das_snapshot_release(a);
    das_snapshot_release(b);
    das_clock_sleep_ms(4500);
    is_str(shown(s), "7 Query 19 select 1; 8 Query 5 select 2",
           "who sleeps moves the recording on");
    is_int(das_replayed_at_ms(s), START + 10000, "... which still shows the second one");
    das_clock_sleep_ms(20000);
    is_str(shown(s), "", "the last one stays");
    is_str(seen, "0:1 10:2 20:0 ", "who watches saw each of them, once");
    stop(s);

    shot(0, "db");
    one = busy(7, 70, 5, "select 1");
    one.trx_time = 30;
    one.time_ms = 5250;
    with(one);
    s = play();
    at(4);
    das_source_list(s, NULL, &a, &err);
    das_snapshot_get(a, 0, &one);
    ok(one.trx_time == 34 && one.time_ms == 9250 && das_snapshot_time(a) == START / 1000 + 4,
       "transactions and milliseconds grow as well, and the list's time");
    das_snapshot_release(a);
    stop(s);
}

static void skips(void)
{
    struct das_source *s;

    for (int64_t t = 0; t < 8; t++)
        shot(t, "db");
    s = play();
    at(6);
    is_str(shown(s), "", "a clock that jumps");
    is_str(seen, "0:0 1:0 2:0 3:0 4:0 5:0 6:0 ", "... passes every snapshot");
    stop(s);
}

/* --- connections --------------------------------------------------------------------------------
 */

static void connection(void)
{
    struct das_source *s;
    struct das_session other = busy(7, 99, 0, "select 9");

    shot(0, "db");
    with(busy(7, 70, 5, "select 1"));
    with(idle(8, 80, 3));
    shot(10, "db");
    with(busy(7, 71, 2, "select 2"));
    with(idle(8, 80, 13));
    shot(20, "db");
    with(idle(8, 80, 23));
    shot(30, "db");
    other.user = das_text_of("other");
    with(other);
    s = play();
    is_str(shown(s), "7 Query 5 select 1; 8 Sleep 3", "two sessions");
    is_int(hit(s, DAS_KILL_SESSION, 7, 71), DAS_KILL_GONE, "another statement is not meant");
    is_int(hit(s, DAS_KILL_IDLE_SESSION, 7, 70), DAS_KILL_GONE, "nor one that sleeps");
    is_int(hit(s, DAS_KILL_SESSION, 9, 70), DAS_KILL_GONE, "nor is one that is not there");
    is_int(hit(s, DAS_KILL_SESSION, 7, 70), DAS_KILLED, "a connection is killed");
    is_str(shown(s), "8 Sleep 3", "... and is gone");
    is_int(hit(s, DAS_KILL_SESSION, 7, 70), DAS_KILL_GONE, "... for whoever kills it again");
    at(10);
    is_str(shown(s), "8 Sleep 13", "... and stays so, whatever the recording says");
    at(20);
    is_str(shown(s), "8 Sleep 23", "when it is not in the recording either");
    at(30);
    is_str(shown(s), "7 Query 0 select 9", "... its id may be used again");
    is_str(seen, "0:2 connection 7 10:2 20:1 30:1 ", "who watches heard of it");
    stop(s);
}

static void reuse(void)
{
    struct das_session other = busy(7, 99, 0, "select 9"), connect;
    struct das_source *s;

    shot(0, "db");
    with(busy(7, 70, 5, "select 1"));
    shot(10, "db");
    other.host = das_text_of("10.0.0.7:51001");
    with(other);
    s = play();
    shown(s);
    hit(s, DAS_KILL_SESSION, 7, 70);
    at(10);
    is_str(shown(s), "7 Query 0 select 9",
           "the id of somebody from another port is another session");
    stop(s);

    shot(0, "db");
    with(busy(7, 70, 5, "select 1"));
    shot(10, "db");
    connect = busy(7, 0, 0, "");
    connect.command = das_text_of("Connect");
    with(connect);
    s = play();
    shown(s);
    hit(s, DAS_KILL_SESSION, 7, 70);
    at(10);
    is_str(shown(s), "7 Connect 0 ", "one that only just connects is new");
    stop(s);

    shot(0, "db");
    with(busy(7, 70, 5, "select 1"));
    shot(10, "db restarted");
    with(busy(7, 70, 5, "select 1"));
    s = play();
    shown(s);
    hit(s, DAS_KILL_SESSION, 7, 70);
    at(10);
    is_str(shown(s), "7 Query 5 select 1",
           "another server, or one that was restarted, has its own ids");
    stop(s);

    shot(0, "db");
    with(busy(7, 70, 5, "select 1"));
    shot(10, "db");
    das_snapshot_set_complete(film.snap[1], false);
    shot(20, "db");
    with(busy(7, 70, 25, "select 1"));
    s = play();
    shown(s);
    hit(s, DAS_KILL_SESSION, 7, 70);
    at(20);
    is_str(shown(s), "", "a list that was cut proves no end");
    stop(s);
}

/* --- statements ---------------------------------------------------------------------------------
 */

static void statement(void)
{
    struct das_source *s;
    struct das_session one;
    struct das_snapshot *snap;

    shot(0, "db");
    one = busy(7, 70, 5, "select 1");
    one.trx_time = 9;
    with(one);
    shot(10, "db");
    with(busy(7, 70, 15, "select 1"));
    shot(20, "db");
    with(busy(7, 71, 1, "select 1"));
    s = play();
    shown(s);
    at(2);
    is_int(hit(s, DAS_KILL_STATEMENT, 7, 69), DAS_KILL_GONE, "a statement that is not the one");
    is_int(hit(s, DAS_KILL_STATEMENT, 7, 70), DAS_KILLED, "a statement is killed");
    is_str(shown(s), "7 Sleep 0", "... and its session sleeps");
    is_int(hit(s, DAS_KILL_STATEMENT, 7, 70), DAS_KILL_GONE, "... there is none to kill");
    at(8);
    das_source_list(s, NULL, &snap, &err);
    das_snapshot_get(snap, 0, &one);
    ok(one.state_duration == 6 && one.trx_time == 17, "... since then; its transaction goes on");
    das_snapshot_release(snap);
    at(12);
    is_str(shown(s), "7 Sleep 10", "... though the recording still has the statement");
    at(20);
    is_str(shown(s), "7 Query 1 select 1", "until it shows another one");
    is_int(hit(s, DAS_KILL_STATEMENT_SOFT, 7, 71), DAS_KILLED, "softly, too");
    is_int(hit(s, DAS_KILL_SESSION, 7, 71), DAS_KILL_GONE, "what sleeps is not busy any more");
    is_int(hit(s, DAS_KILL_IDLE_SESSION, 7, 71), DAS_KILLED, "but may be killed");
    is_str(shown(s), "", "... and is gone");
    stop(s);
}

/* Who sleeps since a kill grows older by the second since then, not by the recording's. */
static void between_seconds(void)
{
    struct das_source *s;

    shot(0, "db");
    with(busy(7, 70, 5, "select 1"));
    with(busy(8, 80, 5, "select 2"));
    s = play();
    das_clock_move_to(&the_clock, START + 500);
    is_int(hit(s, DAS_KILL_STATEMENT, 7, 70), DAS_KILLED, "killed at half a second");
    das_clock_move_to(&the_clock, START + 1400);
    is_str(shown(s), "7 Sleep 0; 8 Query 6 select 2", "not a second ago");
    das_clock_move_to(&the_clock, START + 1600);
    is_str(shown(s), "7 Sleep 1; 8 Query 6 select 2", "a second ago, in the same second of the list");
    stop(s);
}

/* A server that does not number its statements. */
static void without_numbers(void)
{
    struct das_source *s;

    shot(0, "db");
    with(busy(7, DAS_UNKNOWN, 5, "select 1"));
    with(busy(8, DAS_UNKNOWN, 5, "select 2"));
    with(busy(9, DAS_UNKNOWN, 5, "select 3"));
    shot(10, "db");
    with(busy(7, DAS_UNKNOWN, 15, "select 1"));
    with(busy(8, DAS_UNKNOWN, 3, "select 2"));
    with(busy(9, DAS_UNKNOWN, 15, "select 4"));
    shot(20, "db");
    with(idle(7, DAS_UNKNOWN, 4));
    s = play();
    shown(s);
    for (int64_t id = 7; id <= 9; id++)
        hit(s, DAS_KILL_STATEMENT, id, DAS_UNKNOWN);
    is_str(shown(s), "7 Sleep 0; 8 Sleep 0; 9 Sleep 0", "three statements end");
    is_int(hit(s, DAS_KILL_STATEMENT, 8, DAS_UNKNOWN), DAS_KILL_GONE, "... each of them once");
    at(10);
    is_str(shown(s), "7 Sleep 10; 8 Query 3 select 2; 9 Query 15 select 4",
           "the same text since then is the one that ended; one begun later, or another, is not");
    at(20);
    is_str(shown(s), "7 Sleep 4", "when the recording has it end as well, its word counts");
    stop(s);
}

/* --- what cannot be read ------------------------------------------------------------------------
 */

static void broken(void)
{
    const struct das_replayed_feed feed = {film_next, NULL, NULL};
    struct das_source *s;

    film.broken = false;
    ok(das_replayed_open("shop", &feed, NULL, &s, &err) < 0 && strstr(err.msg, "no snapshot"),
       "an empty recording is none");
    film.broken = true;
    ok(das_replayed_open("shop", &feed, NULL, &s, &err) < 0 && strstr(err.msg, "torn"),
       "one that cannot be read either");
    film.broken = false;
    shot(0, "db");
    shot(10, "db");
    film.broken = true;
    s = play();
    is_str(shown(s), "", "the good part is shown");
    at(10);
    is_str(shown(s), "the film is torn", "then it is told");
    is_str(shown(s), "the film is torn", "from then on");
    is_int(hit(s, DAS_KILL_SESSION, 7, 70), DAS_KILL_FAILED, "and nothing is killed");
    stop(s);
}

/* Thousands of kills, in and out: against a plain list of what should be hidden. */
static void many(void)
{
    struct das_source *s;
    bool hidden[400] = {false}, good = true;

    for (int t = 0; t < 12; t++) {
        shot(t, "db");
        for (int64_t id = 0; id < 400; id++) {
            if ((id + t) % 5)
                with(busy(id, id * 10, 5 + t, "select 1"));
        }
    }
    s = play();
    for (int t = 0; t < 12 && good; t++) {
        struct das_snapshot *snap;
        uint32_t want = 0;
        at(t);
        for (int64_t id = 0; id < 400; id++)
            hidden[id] = hidden[id] && (id + t) % 5;
        for (int64_t id = 0; id < 400; id++)
            want += (id + t) % 5 && !hidden[id];
        good = das_source_list(s, NULL, &snap, &err) == 0 && das_snapshot_rows(snap) == want;
        for (uint32_t i = 0; good && i < want; i++)
            good = !hidden[das_snapshot_ids(snap)[i]];
        das_snapshot_release(snap);
        for (int64_t id = t % 3; id < 400; id += 3) {
            enum das_kill_result want_r = (id + t) % 5 && !hidden[id] ? DAS_KILLED : DAS_KILL_GONE;
            good = good && hit(s, DAS_KILL_SESSION, id, id * 10) == want_r;
            hidden[id] = hidden[id] || (id + t) % 5;
        }
    }
    ok(good, "many kills and ids that come back");
    stop(s);
}

int main(void)
{
    ages();
    skips();
    connection();
    reuse();
    statement();
    between_seconds();
    without_numbers();
    broken();
    many();
    return tap_done();
}
