/* test_store_history.c - the history of kills, made from the records of a journal. */
#include <pthread.h>

#include "core/base/clock.h"
#include "core/store/journal.h"
#include "core/store/store_impl.h"
#include "core/store/task.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

/* --- records as an apply writes them ---------------------------------------------------------- */

static int64_t apply(struct das_store *s, const char *members)
{
    static unsigned plans;
    char text[400];

    snprintf(text, sizeof text, "\"plan\":\"%064x\",\"instance\":\"orders\"%s%.200s",
             (unsigned)getpid() * 100000u + ++plans, *members ? "," : "", members);
    return store_must_add(s, "apply", text, 0);
}

static int64_t intent(struct das_store *s, int64_t apply_seq, int64_t id, const char *members)
{
    char text[600];

    snprintf(
        text, sizeof text,
        "\"apply\":%lld,\"victim\":0,\"instance\":\"orders\",\"server\":\"a\",\"action\":\"x\","
        "\"id\":%lld%s%.400s",
        (long long)apply_seq, (long long)id, *members ? "," : "", members);
    return store_must_add(s, "intent", text, 0);
}

static void outcome(struct das_store *s, int64_t seq, const char *word)
{
    char text[200];

    snprintf(text, sizeof text, "\"outcome\":\"%.40s\",\"apply\":1,\"victim\":0,\"id\":1", word);
    store_must_add(s, "outcome", text, seq);
}

static int64_t kill_one(struct das_store *s, int64_t apply_seq, int64_t id, const char *members,
                        const char *word)
{
    int64_t seq = intent(s, apply_seq, id, members);

    outcome(s, seq, word);
    return seq;
}

static void catch_up(struct das_store *s)
{
    must(das_history_catch_up(s, &err) == 0, "catch up: %s", err.msg);
}

/* --- what the history says -------------------------------------------------------------------- */

struct row {
    int64_t task, session, time, kill_ms;
    char source[20], info[100], user[100];
    bool unknown, user_null, info_null, state_null;
};

struct rows {
    struct row row[64];
    int n, stop_at;
    int64_t total;
};

static int take(void *arg, const struct das_killed *k)
{
    struct rows *r = arg;
    struct row *to = &r->row[r->n < 64 ? r->n : 63];

    *to = (struct row){.task = k->task_id,
                       .session = k->session_id,
                       .time = k->time,
                       .kill_ms = k->kill_ms,
                       .unknown = k->unknown,
                       .user_null = !k->user.ptr,
                       .info_null = !k->info.ptr,
                       .state_null = !k->state.ptr};
    snprintf(to->source, sizeof to->source, "%s", k->source);
    snprintf(to->info, sizeof to->info, "%.*s", (int)k->info.len, k->info.ptr ? k->info.ptr : "");
    snprintf(to->user, sizeof to->user, "%.*s", (int)k->user.len, k->user.ptr ? k->user.ptr : "");
    return ++r->n == r->stop_at ? 5 : 0;
}

static struct rows page(struct das_store *s, const char *instance, int64_t from, int64_t to,
                        int64_t number, int64_t size)
{
    struct rows r = {.n = 0};

    must(das_history_page(s, instance, from, to, number, size, take, &r, &r.total, &err) == 0,
         "page: %s", err.msg);
    return r;
}

static struct rows all(struct das_store *s)
{
    return page(s, "orders", INT64_MIN, INT64_MAX, 1, 64);
}

/* Of the session. */
static struct row of(struct das_store *s, int64_t session)
{
    struct rows r = all(s);

    for (int i = 0; i < r.n && i < 64; i++) {
        if (r.row[i].session == session)
            return r.row[i];
    }
    return (struct row){.session = -1};
}

/* --- what counts ------------------------------------------------------------------------------ */

static void which(void)
{
    static const char *const words[] = {"killed",  "killing",   "unknown", "failed", "gone",
                                        "changed", "protected", "refused", "done"};
    struct das_store *s = store_open(store_dir());
    int64_t before = das_clock_unix_ms(), a = apply(s, "\"policy\":\"p.lua\"");
    struct rows r;

    for (int i = 0; i < 9; i++)
        kill_one(s, a, 100 + i, "", words[i]);
    is_int(all(s).total, 0, "nothing before it is taken over");
    catch_up(s);
    r = all(s);
    ok(r.n == 3 && r.total == 3, "a kill is what was killed, is being killed, or may be");
    ok(r.row[0].session == 102 && r.row[1].session == 101 && r.row[2].session == 100,
       "newest first");
    ok(r.row[0].unknown && !r.row[1].unknown && !r.row[2].unknown, "one is unknown");
    ok(r.row[0].kill_ms >= before && r.row[0].kill_ms <= das_clock_unix_ms(), "with its time");
    catch_up(s);
    is_int(all(s).total, 3, "again: nothing more");
    is_int(page(s, "stock", INT64_MIN, INT64_MAX, 1, 9).total, 0, "of another instance: none");
    is_int(das_journal_acknowledge(s, 7, "me", "it was gone", &err), 0, "looked into");
    catch_up(s);
    ok(of(s, 102).unknown, "which changes nothing");
    das_store_close(s);
}

static int whole(void *arg, const struct das_killed *k)
{
    (void)arg;
    is_str(k->instance, "orders", "the instance");
    ok(das_text_eq(k->user, das_text("a\0b", 3)), "the user, all its bytes");
    ok(das_text_is(k->host, "10.0.0.1:5000") && das_text_is(k->db, "") &&
           das_text_is(k->command, "Query"),
       "the others");
    ok(!k->state.ptr, "null stays null");
    is_str(k->info.ptr, "select 'x'\n from t", "the statement");
    is_int(k->time, 77, "its time");
    is_int(k->session_id, INT64_MAX, "its id");
    return 0;
}

static int64_t time_of(struct das_store *s, int64_t seq)
{
    sqlite3_stmt *st = NULL;
    const char *line = NULL, *at = NULL;
    int64_t ms = -1;

    must(sqlite3_prepare_v2(s->db, "SELECT line FROM journal WHERE seq = ?1", -1, &st, NULL) ==
                 SQLITE_OK &&
             sqlite3_bind_int64(st, 1, seq) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW,
         "a record");
    line = (const char *)sqlite3_column_text(st, 0);
    at = line ? strstr(line, "\"time_ms\":") : NULL;
    if (at)
        ms = strtoll(at + 10, NULL, 10);
    sqlite3_finalize(st);
    return ms;
}

static void words(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t a = apply(s, "\"policy\":\"p.lua\""), seq, total;

    seq = intent(s, a, INT64_MAX,
                 "\"user\":\"a\\u0000b\",\"host\":\"10.0.0.1:5000\",\"db\":\"\","
                 "\"command\":\"Query\",\"state\":null,\"sql_info\":\"select 'x'\\n from t\","
                 "\"state_duration\":77,\"trx_time\":9");
    outcome(s, seq, "killed");
    catch_up(s);
    is_int(das_history_page(s, "orders", INT64_MIN, INT64_MAX, 1, 9, whole, NULL, &total, &err), 0,
           "a page");
    is_int(total, 1, "one");
    is_int(all(s).row[0].kill_ms, time_of(s, seq), "at the time of its intent");
    kill_one(s, a, 7, "\"user\":null,\"sql_fingerprint\":\"select ?\"", "killed");
    kill_one(s, a, 8, "\"sql_info\":null", "killed");
    catch_up(s);
    is_str(of(s, 7).info, "select ?", "a redacted statement: its fingerprint");
    ok(of(s, 7).user_null && of(s, 7).state_null, "what is null or left out is not known");
    is_int(of(s, 7).time, INT64_MIN, "so is its time");
    ok(of(s, 8).info_null, "no statement");
    das_store_close(s);
}

static void sources(void)
{
    static const struct {
        const char *members, *source;
        int64_t task;
    } cases[] = {
        {"\"policy\":\"p.lua\",\"by_person\":false", "policy", 0},
        {"\"policy\":\"p.lua\",\"by_person\":true", "person", 0},
        {"\"policy\":\"serve:kill\",\"by_person\":false", "api", 0},
        {"\"policy\":\"serve:kill\",\"by_person\":true", "api", 0},
        {"\"policy\":\"serve\"", "policy", 0},
        {"\"policy\":\"serve:task\",\"by_person\":false,\"task\":\"12\"", "task", 12},
        {"\"policy\":\"p.lua\",\"task\":\"nightly\"", "task", 0},
        {"\"policy\":\"p.lua\",\"task\":\"-4\"", "task", 0},
        {"\"policy\":\"p.lua\",\"task\":\"\"", "policy", 0},
        {"\"by_person\":1,\"policy\":7", "policy", 0},
        {"", "policy", 0},
    };
    struct das_store *s = store_open(store_dir());

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        kill_one(s, apply(s, cases[i].members), (int64_t)i, "", "killed");
    catch_up(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct row r = of(s, (int64_t)i);
        is_str(r.source, cases[i].source, "its source: %s", r.source);
        is_int(r.task, cases[i].task, "its task");
    }
    das_store_close(s);
}

/* Two intents of one victim: its statement, then its connection. */
static void escalated(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t a = apply(s, ""), other, second;

    kill_one(s, a, 1, "\"state\":\"first\"", "failed");
    second = kill_one(s, a, 1, "\"state\":\"second\",\"escalated\":true", "killed");
    kill_one(s, a, 2, "", "unknown");
    catch_up(s);
    is_int(all(s).total, 2, "a victim that took two kills is one row");
    is_int(of(s, 1).kill_ms, time_of(s, second), "that of the second");
    kill_one(s, a, 2, "\"escalated\":true", "killed");
    catch_up(s);
    ok(all(s).total == 2 && !of(s, 2).unknown, "the later one is put in its place");
    kill_one(s, a, 3, "", "unknown");
    kill_one(s, a, 3, "\"escalated\":true", "failed");
    catch_up(s);
    ok(of(s, 3).unknown, "that the second did nothing does not say what the first did");
    other = apply(s, "");
    kill_one(s, other, 1, "", "killed");
    catch_up(s);
    is_int(all(s).total, 4, "killed again by another apply, it is another");
    das_store_close(s);
}

static void no_kills(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t seq, stop;

    seq = store_must_add(s, "intent", "\"act\":\"kill_all\",\"instance\":\"orders\",\"sessions\":3",
                         0);
    store_must_add(s, "outcome", "\"outcome\":\"done\",\"act\":\"kill_all\"", seq);
    seq = store_must_add(s, "intent", "\"act\":\"kill_all\",\"instance\":\"orders\",\"id\":5", 0);
    store_must_add(s, "outcome", "\"outcome\":\"unknown\",\"act\":\"kill_all\"", seq);
    stop = store_must_add(s, "stop", "\"reason\":\"x\"", 0);
    seq = store_must_add(s, "intent", "\"apply\":1,\"id\":5", 0);
    outcome(s, seq, "killed");
    seq = store_must_add(s, "intent", "\"apply\":1,\"instance\":\"orders\",\"id\":\"5\"", 0);
    outcome(s, seq, "killed");
    catch_up(s);
    is_int(store_number(s->dir, "SELECT count(*) FROM killed"), 0,
           "an order to the cloud is no kill of a session, nor is half a record");
    /* An apply that is none: it was a kill all the same. */
    kill_one(s, stop, 6, "", "killed");
    catch_up(s);
    is_str(of(s, 6).source, "policy", "a kill whose apply cannot be found is not lost");
    das_store_close(s);
}

/* Somebody's hand, a bad disk: the rest is there. */
static void damaged(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    int64_t a = apply(s, "\"task\":\"3\""), b = apply(s, "\"task\":\"4\""), seqs[7];
    char sql[700];

    for (int i = 0; i < 6; i++)
        seqs[i] = kill_one(s, i < 5 ? a : b, i, "", "killed");
    snprintf(sql, sizeof sql,
             "UPDATE journal SET line = 'x' WHERE seq = %lld;"        /* an intent */
             "UPDATE journal SET line = '{}' WHERE seq = %lld;"       /* an intent */
             "UPDATE journal SET line = '\"\"' WHERE seq = %lld + 1;" /* an outcome */
             "DELETE FROM journal WHERE seq = %lld;"                  /* an intent */
             "UPDATE journal SET line = 'y' WHERE seq = %lld",        /* an apply */
             (long long)seqs[0], (long long)seqs[1], (long long)seqs[2], (long long)seqs[3],
             (long long)b);
    store_sql(dir, sql);
    catch_up(s);
    is_int(all(s).total, 2, "four cannot be read, two can");
    is_int(of(s, 4).task, 3, "one as it is");
    is_str(of(s, 5).source, "policy", "of the other nobody knows whose it was");
    kill_one(s, a, 9, "", "killed");
    catch_up(s);
    is_int(of(s, 9).task, 3, "and it goes on");
    store_sql(dir, "DELETE FROM history");
    catch_up(s);
    is_int(all(s).total, 3, "made anew where it is not known how far it came");
    is_int(store_number(dir, "SELECT count(*) FROM history"), 1, "which is known again");
    das_store_close(s);
}

/* --- over time -------------------------------------------------------------------------------- */

static void late_outcome(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t a = apply(s, "\"task\":\"3\""), one = intent(s, a, 1, ""), two = intent(s, a, 2, "");

    catch_up(s);
    is_int(all(s).total, 0, "not yet known");
    outcome(s, two, "killed");
    catch_up(s);
    ok(all(s).total == 1 && of(s, 2).task == 3, "what has its outcome is there");
    outcome(s, one, "killing");
    catch_up(s);
    ok(all(s).total == 2 && of(s, 1).task == 3, "so is what had to wait for it");
    is_int(of(s, 1).kill_ms, time_of(s, one), "at the time of its intent");
    das_store_close(s);
}

static int die_between(void *arg)
{
    struct das_store *s = store_open(arg);
    int64_t a = apply(s, "\"task\":\"3\"");

    kill_one(s, a, 1, "", "killed");
    intent(s, a, 2, "");
    return das_history_catch_up(s, &err) < 0;
}

static void dead_run(void)
{
    char dir[100];
    struct das_store *s, *watching;

    snprintf(dir, sizeof dir, "%s", store_dir());
    watching = store_open(dir);
    store_kill(store_hold(die_between, dir));
    catch_up(watching);
    is_int(all(watching).total, 1, "a run died: what it knew is there");
    s = store_open(dir); /* looks after it */
    catch_up(watching);
    ok(all(watching).total == 2 && of(watching, 2).unknown && of(watching, 2).task == 3,
       "and then what nobody knows");
    catch_up(s);
    is_int(all(s).total, 2, "once");
    das_store_close(s);
    das_store_close(watching);
}

static void pages(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    int64_t a = apply(s, ""), total;
    struct rows r;
    int bad = 0;

    for (int i = 1; i <= 25; i++)
        kill_one(s, a, i, "", "killed");
    catch_up(s);
    store_sql(dir, "UPDATE killed SET kill_ms = (session + 1) / 2 * 1000"); /* two at once each */
    for (int p = 1; p <= 4; p++) {
        r = page(s, "orders", 0, INT64_MAX, p, 10);
        bad += r.total != 25 || r.n != (p < 3 ? 10 : p == 3 ? 5 : 0);
        for (int i = 0; i < r.n; i++)
            bad += r.row[i].session != 25 - (p - 1) * 10 - i;
    }
    is_int(bad, 0, "three pages, newest first, none twice, and an empty one");
    r = page(s, "orders", 2000, 4000, 1, 10);
    ok(r.total == 6 && r.n == 6 && r.row[0].session == 8 && r.row[5].session == 3,
       "within both bounds, which count");
    r = page(s, "orders", 2001, 3999, 2, 1);
    ok(r.total == 2 && r.n == 1 && r.row[0].session == 5, "the second page of less");
    is_int(page(s, "orders", 4000, 2000, 1, 10).total, 0, "bounds the wrong way round");
    is_int(page(s, "orders", 14000, INT64_MAX, 1, 10).total, 0, "after all");
    is_int(page(s, "orders", INT64_MIN, 999, 1, 10).total, 0, "before all");
    r = page(s, "orders", 0, INT64_MAX, INT64_MAX, INT64_MAX);
    ok(r.total == 25 && r.n == 0, "a page far away");
    r = page(s, "orders", 0, INT64_MAX, 1, INT64_MAX);
    ok(r.total == 25 && r.n == 25, "a large one");
    ok(das_history_page(s, "orders", 0, 9, 0, 10, take, &r, &total, &err) < 0 &&
           err.code == DAS_E_USAGE,
       "no page 0: %s", err.msg);
    ok(das_history_page(s, "orders", 0, 9, 1, 0, take, &r, &total, &err) < 0, "no size 0");
    r = (struct rows){.stop_at = 3};
    is_int(das_history_page(s, "orders", 0, INT64_MAX, 1, 10, take, &r, &total, &err), 5,
           "a walk may end early");
    ok(r.n == 3 && kill_one(s, a, 99, "", "killed") > 0, "and the handle goes on");
    das_store_close(s);
}

/* --- many ------------------------------------------------------------------------------------- */

/* n kills in transactions of 500 records. */
static void many_kills(struct das_store *s, int n)
{
    static struct das_record records[1000];
    static char texts[500][200];
    int64_t seq = store_head(s) + 1, a = apply(s, "\"task\":\"3\"");

    for (int done = 0; done < n; done += 500) {
        seq = store_head(s) + 1;
        for (int i = 0; i < 500; i++) {
            snprintf(texts[i], sizeof texts[i],
                     "\"apply\":%lld,\"instance\":\"orders\",\"id\":%d,\"user\":\"u%d\"",
                     (long long)a, done + i, done + i);
            records[2 * i] =
                (struct das_record){.kind = "intent", .members = das_text_of(texts[i])};
            records[2 * i + 1] = (struct das_record){
                .kind = "outcome", .members = das_text_of("\"outcome\":\"killed\""), .closes = seq};
            seq += 2;
        }
        must(das_journal_add(s, records, 1000, &err) == 0, "records: %s", err.msg);
    }
}

/* Does a transaction take over more than it should at once? Counts the commits. */
static int count_commit(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static void large(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *r = NULL;
    struct rows got;
    int commits = 0;

    sqlite3_exec(s->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    many_kills(s, 20000);
    sqlite3_commit_hook(s->db, count_commit, &commits);
    catch_up(s);
    is_int(commits, 5, "40,002 records are taken over in five transactions");
    got = page(s, "orders", INT64_MIN, INT64_MAX, 200, 100);
    is_int(got.total, 20000, "20,000 kills");
    is_int(got.n, 100, "a hundred on the last page");
    is_int(store_number(dir, "SELECT count(DISTINCT session) FROM killed WHERE task = 3"), 20000,
           "each once");
    commits = 0;
    for (int i = 0; i < 100; i++)
        catch_up(s);
    is_int(commits, 0, "nothing new: nothing is written");
    must(das_store_open_to_read(dir, &r, &err) == 0 && r, "a handle to read");
    ok(das_history_catch_up(r, &err) == 0, "which needs nothing to be up to date");
    store_must_add(s, "stop", "", 0);
    ok(das_history_catch_up(r, &err) < 0 && err.code == DAS_E_STORE, "and cannot be brought there");
    is_int(page(r, "orders", INT64_MIN, INT64_MAX, 1, 5).total, 20000, "but shows what there is");
    das_store_close(r);
    das_store_close(s);
}

struct taker {
    struct das_store *s;
    pthread_barrier_t *gate;
    int bad;
};

static void *take_over(void *arg)
{
    struct taker *t = arg;
    struct das_err mine;

    pthread_barrier_wait(t->gate);
    for (int i = 0; i < 20; i++)
        t->bad += das_history_catch_up(t->s, &mine) < 0;
    return NULL;
}

static void two_at_once(void)
{
    const char *dir = store_dir();
    struct taker takers[2];
    pthread_barrier_t gate;
    pthread_t threads[2];
    struct das_store *s = store_open(dir);

    sqlite3_exec(s->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    many_kills(s, 6000);
    pthread_barrier_init(&gate, NULL, 3);
    for (int i = 0; i < 2; i++) {
        takers[i] = (struct taker){.s = store_open(dir), .gate = &gate};
        must(pthread_create(&threads[i], NULL, take_over, &takers[i]) == 0, "a thread");
    }
    pthread_barrier_wait(&gate);
    many_kills(s, 1000); /* meanwhile */
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        is_int(takers[i].bad, 0, "no failure");
    }
    catch_up(takers[1].s);
    is_int(all(s).total, 7000, "two at once: no kill twice, none left out");
    is_int(store_number(dir, "SELECT (SELECT seq FROM history) = (SELECT max(seq) FROM journal)"),
           1, "up to the last record");
    for (int i = 0; i < 2; i++)
        das_store_close(takers[i].s);
    das_store_close(s);
    pthread_barrier_destroy(&gate);
}

/* Ends without a word before it commits, as in a power cut. */
static int cut_off(void *arg)
{
    (void)arg;
    kill(getpid(), SIGKILL);
    return 0;
}

static int take_and_die(void *arg, int i)
{
    struct das_store *s = store_open(arg);

    (void)i;
    sqlite3_commit_hook(s->db, cut_off, NULL);
    das_history_catch_up(s, &err);
    return 0; /* not reached */
}

static void cut(void)
{
    char dir[100];
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    s = store_open(dir);
    kill_one(s, apply(s, ""), 1, "", "killed");
    is_int(store_herd(3, take_and_die, dir), 0, "three die while they take over");
    ok(all(s).total == 0 && store_number(dir, "SELECT seq FROM history") == 0, "nothing is done");
    catch_up(s);
    is_int(all(s).total, 1, "the kill is there, once");
    kill_one(s, apply(s, ""), 2, "", "killed");
    das_store_close(s);
    is_int(store_number(dir, "SELECT seq FROM history"), 4, "so far");
    s = store_open(dir);
    catch_up(s);
    is_int(all(s).total, 2, "the next one comes later");
    das_store_close(s);
}

/* An error in the middle of a transaction leaves nothing of it. */
static void failing(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    int64_t a = apply(s, "");

    kill_one(s, a, 1, "", "killed");
    catch_up(s);
    store_sql(dir, "CREATE INDEX in_the_way ON killed(abs(session))"); /* of the least: none */
    kill_one(s, a, 2, "", "killed");
    kill_one(s, a, INT64_MIN, "", "killed");
    ok(das_history_catch_up(s, &err) < 0 && err.code == DAS_E_STORE, "the second fails: %s",
       err.msg);
    is_int(all(s).total, 1, "then the first is not there, either");
    store_sql(dir, "DROP INDEX in_the_way");
    catch_up(s);
    is_int(all(s).total, 3, "but both are when it works");
    store_sql(dir, "DROP TABLE history");
    kill_one(s, a, 4, "", "killed");
    ok(das_history_catch_up(s, &err) < 0 && err.code == DAS_E_STORE, "a table is gone: %s",
       err.msg);
    is_int(all(s).total, 3, "nothing is half done");
    das_store_close(s);
}

int main(void)
{
    which();
    words();
    sources();
    escalated();
    no_kills();
    damaged();
    late_outcome();
    dead_run();
    pages();
    large();
    two_at_once();
    cut();
    failing();
    store_dirs_clear();
    return tap_done();
}
