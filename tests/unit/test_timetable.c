/* test_timetable.c - when policies are due and which may begin: ticks, jitter, overlap, backoff,
 * the share of those that fail or take long, a clock that is set. Nothing here waits. */
#include "core/serve/timetable.h"

#include "tests/unit/kit.h"

static struct das_err err;

#define SEC 1000
#define MINUTE (60 * SEC)
#define DAY (24 * 60 * MINUTE)
#define BEGIN INT64_C(1794787200000) /* 2026-11-16T00:00:00Z */

static struct das_cron cron;
static struct das_zone *utc;

static struct das_tempo by_cron(const char *text)
{
    if (das_cron_parse(das_text_of(text), &cron, &err) < 0)
        exit(1);
    return (struct das_tempo){.cron = &cron, .zone = utc, .backoff_ms = 5 * MINUTE};
}

static struct das_timetable *table(const struct das_tempo *tempos, size_t n, size_t workers,
                                   size_t slow)
{
    const struct das_timetable_conf conf = {workers, slow, SEC};
    struct das_timetable *t = das_timetable_new(&conf, tempos, n, BEGIN, &err);

    return t ? t : (exit(1), NULL);
}

/* --- ticks ------------------------------------------------------------------------------------ */

static void test_ticks(void)
{
    const struct das_tempo ten = {.every_ms = 10 * SEC, .offset_ms = 3 * SEC};
    struct das_tempo five = by_cron("*/5 * * * *");

    is_int(das_tempo_next(&ten, BEGIN), BEGIN + 3 * SEC, "every 10 s, 3 s behind");
    is_int(das_tempo_next(&ten, BEGIN + 3 * SEC), BEGIN + 13 * SEC, "after a tick comes the next");
    is_int(das_tempo_next(&ten, BEGIN + 3 * SEC - 1), BEGIN + 3 * SEC,
           "a moment before it, itself");
    is_int(das_tempo_next(&ten, -1), 3 * SEC, "also before 1970");
    is_int(das_tempo_next(&ten, -7001), -7 * SEC, "and long before");
    is_int(das_tempo_count(&ten, BEGIN + 3 * SEC, BEGIN + 33 * SEC), 3,
           "ticks after one up to another");
    is_int(das_tempo_count(&ten, BEGIN + 3 * SEC, BEGIN + 13 * SEC - 1), 0, "none between two");
    is_int(das_tempo_count(&ten, BEGIN, BEGIN - DAY), 0, "none backwards");
    is_int(das_tempo_count(&ten, 0, INT64_MAX / 2), 100000, "and no more than that");

    is_int(das_tempo_next(&five, BEGIN), BEGIN + 5 * MINUTE, "cron, every five minutes");
    five.offset_ms = 2500;
    is_int(das_tempo_next(&five, BEGIN + 2499), BEGIN + 2500, "with an offset");
    is_int(das_tempo_next(&five, BEGIN + 2500), BEGIN + 5 * MINUTE + 2500, "and the next");
    is_int(das_tempo_count(&five, BEGIN + 2500, BEGIN + 15 * MINUTE + 2500), 3, "counted, too");
    five = by_cron("0 0 30 2 *");
    is_int(das_tempo_next(&five, BEGIN), DAS_NEVER, "a day that never comes");
    is_int(das_tempo_count(&five, BEGIN, BEGIN + DAY), 0, "has no ticks");
}

static void test_backoff(void)
{
    struct das_tempo t = {.every_ms = 10 * SEC, .backoff_ms = 100 * SEC};
    const int want[] = {0, 10, 20, 40, 80, 100, 100};

    for (int i = 0; i < 7; i++)
        is_int(das_tempo_backoff(&t, i), want[i] * SEC, "%d failures: %d s", i, want[i]);
    is_int(das_tempo_backoff(&t, 1000000), 100 * SEC, "and never more");
    t.backoff_ms = 0;
    is_int(das_tempo_backoff(&t, 5), 0, "none where none is wanted");
    t = by_cron("* * * * *");
    is_int(das_tempo_backoff(&t, 2), 20 * SEC, "cron begins with 10 s");
}

/* 1,000 instances are spread over the interval, each at the same place whenever it is asked. */
static void test_jitter(void)
{
    enum { N = 1000, BINS = 10 };
    int bins[BINS] = {0}, same = 0, least = N, most = 0;
    char name[32];

    for (int i = 0; i < N; i++) {
        int64_t at, again;
        snprintf(name, sizeof name, "db%04d", i);
        at = das_jitter("long_select", name, 10 * SEC);
        again = das_jitter("long_select", name, 10 * SEC);
        if (at != again || at < 0 || at >= 10 * SEC)
            same = -N;
        bins[at / SEC]++;
        same += das_jitter("other", name, 10 * SEC) == at;
    }
    for (int i = 0; i < BINS; i++) {
        least = bins[i] < least ? bins[i] : least;
        most = bins[i] > most ? bins[i] : most;
    }
    ok(least > 60 && most < 150, "each second has its share: %d to %d of 100", least, most);
    ok(same >= 0 && same < 5, "another policy has other places");
    is_int(das_jitter("a", "b", 0), 0, "no span, no jitter");
    is_int(das_jitter("long_select", "orders", 10 * SEC), 5304,
           "the place of an instance stays where it is, also in the next version");
    ok(das_jitter("ab", "c", DAY) != das_jitter("a", "bc", DAY), "names do not run together");
}

/* --- one slot --------------------------------------------------------------------------------- */

static void test_one(void)
{
    const struct das_tempo tempo = {.every_ms = 10 * SEC, .backoff_ms = 60 * SEC};
    struct das_timetable *t = table(&tempo, 1, 2, 0);
    const struct das_slot *s = das_timetable_slot(t, 0);

    is_int(das_timetable_next(t), BEGIN + 10 * SEC, "the first tick is a full interval");
    das_timetable_look(t, BEGIN + 10 * SEC - 1);
    is_int(das_timetable_take(t, BEGIN + 10 * SEC - 1), -1, "not before");
    das_timetable_look(t, BEGIN + 10 * SEC + 5);
    is_int(das_timetable_ready(t), 1, "then it is due");
    is_int(das_timetable_take(t, BEGIN + 10 * SEC + 7), 0, "and begins");
    is_int(s->late_ms, 7, "7 ms late");
    is_int(das_timetable_running(t), 1, "it runs");
    is_int(das_timetable_next(t), DAS_NEVER, "nothing else will come");

    das_timetable_look(t, BEGIN + 45 * SEC);
    is_int(das_timetable_take(t, BEGIN + 45 * SEC), -1, "it never runs twice at once");
    das_timetable_done(t, 0, BEGIN + 45 * SEC, true, false);
    is_int(s->skipped, 3, "three ticks passed meanwhile");
    is_int(das_timetable_next(t), BEGIN + 50 * SEC, "and are not made up for");
    ok(s->state == DAS_SLOT_WAITS && s->runs == 1 && !s->failed && !s->failures, "one good run");

    das_timetable_look(t, BEGIN + 50 * SEC);
    das_timetable_take(t, BEGIN + 50 * SEC);
    das_timetable_done(t, 0, BEGIN + 50 * SEC + 1, false, false);
    is_int(das_timetable_next(t), BEGIN + 60 * SEC, "after one failure the next tick");
    das_timetable_look(t, BEGIN + 60 * SEC);
    das_timetable_take(t, BEGIN + 60 * SEC);
    das_timetable_done(t, 0, BEGIN + 60 * SEC + 1, false, false);
    is_int(das_timetable_next(t), BEGIN + 80 * SEC, "after two the one after that");
    das_timetable_look(t, BEGIN + 80 * SEC);
    das_timetable_take(t, BEGIN + 80 * SEC);
    das_timetable_done(t, 0, BEGIN + 80 * SEC + 1, false, false);
    is_int(das_timetable_next(t), BEGIN + 120 * SEC, "then the fourth");
    is_int(s->failures, 3, "three in a row");
    is_int(s->skipped, 3, "being left alone is no overlap");
    das_timetable_look(t, BEGIN + 120 * SEC);
    das_timetable_take(t, BEGIN + 120 * SEC);
    das_timetable_done(t, 0, BEGIN + 120 * SEC + 1, true, false);
    is_int(das_timetable_next(t), BEGIN + 130 * SEC, "a good run ends that");
    ok(!s->failures && s->failed == 3 && s->runs == 5, "it is counted");
    das_timetable_free(t);
}

/* A run that was given up, and comes back. */
static void test_away(void)
{
    const struct das_tempo tempo = {.every_ms = 10 * SEC, .backoff_ms = 60 * SEC};
    struct das_timetable *t = table(&tempo, 1, 1, 0);
    const struct das_slot *s = das_timetable_slot(t, 0);

    das_timetable_look(t, BEGIN + 10 * SEC);
    das_timetable_take(t, BEGIN + 10 * SEC);
    das_timetable_done(t, 0, BEGIN + 15 * SEC, false, true);
    ok(s->state == DAS_SLOT_AWAY && s->failures == 1, "it is away");
    is_int(das_timetable_running(t), 0, "and holds no worker");
    das_timetable_look(t, BEGIN + 40 * SEC);
    is_int(das_timetable_take(t, BEGIN + 40 * SEC), -1, "nothing begins while it is");
    das_timetable_back(t, 0, BEGIN + 43 * SEC);
    is_int(das_timetable_next(t), BEGIN + 50 * SEC, "once it is back it waits for the next tick");
    is_int(s->skipped, 3, "those in between are skipped");
    das_timetable_free(t);
}

static void test_clock(void)
{
    const struct das_tempo tempos[] = {{.every_ms = 10 * SEC, .backoff_ms = 60 * SEC},
                                       {.every_ms = 10 * SEC, .backoff_ms = 60 * SEC},
                                       {.every_ms = MINUTE, .backoff_ms = 60 * SEC}};
    struct das_timetable *t = table(tempos, 3, 1, 0);

    das_timetable_look(t, BEGIN + 10 * SEC);
    is_int(das_timetable_take(t, BEGIN + 10 * SEC), 0, "one runs, one is due, one waits");
    das_timetable_clock_set(t, BEGIN - DAY); /* a day back */
    is_int(das_timetable_slot(t, 2)->tick_ms, BEGIN - DAY + MINUTE, "the one that waits: anew");
    das_timetable_done(t, 0, BEGIN - DAY + SEC, false, false);
    is_int(das_timetable_slot(t, 0)->tick_ms, BEGIN - DAY + 10 * SEC,
           "the one that ran does not wait a day");
    is_int(das_timetable_take(t, BEGIN - DAY + SEC), 1, "the one that was due begins");
    das_timetable_done(t, 1, BEGIN - DAY + SEC, true, false);
    das_timetable_clock_set(t, BEGIN + DAY);
    is_int(das_timetable_next(t), BEGIN + DAY + 10 * SEC, "two days ahead: nothing is made up for");
    das_timetable_free(t);
}

static void test_recall(void)
{
    const struct das_tempo tempo = {.every_ms = 10 * SEC, .backoff_ms = 300 * SEC};
    struct das_timetable *t = table(&tempo, 1, 1, 0);
    struct das_slot was = {.began_ms = BEGIN - 5 * SEC, .ended_ms = BEGIN - 4 * SEC, .failures = 4};

    das_timetable_recall(t, 0, &was);
    is_int(das_timetable_next(t), BEGIN + 80 * SEC, "one that failed stays alone after a restart");
    is_int(das_timetable_slot(t, 0)->failures, 4, "its failures go on");
    das_timetable_free(t);
    t = table(&tempo, 1, 1, 0);
    was.failures = 0;
    das_timetable_recall(t, 0, &was);
    is_int(das_timetable_next(t), BEGIN + 10 * SEC, "one that did not has its usual tick");
    is_int(das_timetable_slot(t, 0)->ended_ms, BEGIN - 4 * SEC, "and when it ran");
    das_timetable_free(t);
    t = table(&tempo, 1, 1, 0);
    was = (struct das_slot){.began_ms = BEGIN + DAY, .failures = 4};
    das_timetable_recall(t, 0, &was);
    is_int(das_timetable_next(t), BEGIN + 10 * SEC, "a time to come is not believed");
    das_timetable_free(t);
}

/* --- many ------------------------------------------------------------------------------------- */

#define MANY 40

static struct das_timetable *many(size_t workers, size_t slow)
{
    static struct das_tempo tempos[MANY];

    for (size_t i = 0; i < MANY; i++)
        tempos[i] = (struct das_tempo){.every_ms = 10 * SEC, .backoff_ms = 10 * SEC};
    return table(tempos, MANY, workers, slow);
}

static int take_all(struct das_timetable *t, int64_t now, long *list)
{
    int n = 0;
    long slot;

    while ((slot = das_timetable_take(t, now)) >= 0)
        list[n++] = slot;
    return n;
}

static void test_workers(void)
{
    struct das_timetable *t = many(8, 0);
    long list[MANY];

    das_timetable_look(t, BEGIN + 10 * SEC);
    is_int(das_timetable_ready(t), 8, "as many as there are workers");
    is_int(take_all(t, BEGIN + 10 * SEC, list), 8, "begin");
    das_timetable_look(t, BEGIN + 15 * SEC);
    is_int(das_timetable_ready(t), 0, "and no more, however long they take");
    is_int(das_timetable_next(t), DAS_NEVER, "nothing changes by itself");
    das_timetable_done(t, (size_t)list[3], BEGIN + 15 * SEC, true, false);
    is_int(take_all(t, BEGIN + 15 * SEC, list), 1, "until one has ended");
    das_timetable_free(t);
}

/* Sixteen instances hang: the others run all the same. */
static void test_slow(void)
{
    struct das_timetable *t = many(8, 16);
    long list[MANY], more[MANY];

    das_timetable_look(t, BEGIN + 10 * SEC);
    is_int(take_all(t, BEGIN + 10 * SEC, list), 8, "eight begin, and hang");
    is_int(das_timetable_next(t), BEGIN + 11 * SEC, "in a second they are slow");
    das_timetable_look(t, BEGIN + 11 * SEC - 1);
    is_int(das_timetable_ready(t), 0, "not before");
    das_timetable_look(t, BEGIN + 11 * SEC);
    is_int(das_timetable_ready(t), 8, "then eight others may");
    is_int(take_all(t, BEGIN + 11 * SEC, list + 8), 8, "and hang, too");
    das_timetable_look(t, BEGIN + 12 * SEC);
    is_int(take_all(t, BEGIN + 12 * SEC, more), 8, "the next eight do not");
    is_int(das_timetable_running(t), 24, "24 run");
    for (int i = 0; i < 8; i++)
        das_timetable_done(t, (size_t)more[i], BEGIN + 12 * SEC + 1, true, false);
    is_int(take_all(t, BEGIN + 12 * SEC + 1, more), 8, "nor those after them");
    das_timetable_look(t, BEGIN + 20 * SEC);
    is_int(das_timetable_ready(t), 0,
           "but no more are slow than may be: the rest holds its workers");
    for (int i = 0; i < 16; i++)
        das_timetable_done(t, (size_t)list[i], BEGIN + 20 * SEC, false, false);
    das_timetable_look(t, BEGIN + 20 * SEC);
    is_int(das_timetable_ready(t), 8, "once the slow ones have ended, the others take their place");
    is_int(das_timetable_running(t), 8, "and count again");
    das_timetable_free(t);
}

/* Those that failed last time come last, and are few at once. */
static void test_failing(void)
{
    struct das_timetable *t = many(8, 0);
    long list[MANY];
    int n, failing = 0;

    das_timetable_look(t, BEGIN + 10 * SEC);
    while ((n = take_all(t, BEGIN + 10 * SEC, list)) > 0) {
        for (int i = 0; i < n; i++)
            das_timetable_done(t, (size_t)list[i], BEGIN + 10 * SEC, list[i] >= 20, false);
    }
    das_timetable_look(t, BEGIN + 20 * SEC);
    n = take_all(t, BEGIN + 20 * SEC, list);
    for (int i = 0; i < n; i++)
        failing += list[i] < 20;
    ok(n == 8 && !failing, "eight healthy ones begin");
    for (int i = 0; i < 8; i++)
        das_timetable_done(t, (size_t)list[i], BEGIN + 20 * SEC, true, false);
    take_all(t, BEGIN + 20 * SEC, list);
    for (int i = 0; i < 8; i++)
        das_timetable_done(t, (size_t)list[i], BEGIN + 20 * SEC, true, false);
    n = take_all(t, BEGIN + 20 * SEC, list);
    for (int i = 0; i < n; i++)
        failing += list[i] < 20;
    is_int(n, 6, "the last four healthy ones");
    is_int(failing, 2, "and two of the twenty that failed");
    is_int(das_timetable_ready(t), 0, "no more of them, though two workers are free");
    das_timetable_free(t);
}

/* --- a day of everything ------------------------------------------------------------------------
 */

struct life {
    int64_t ends_ms; /* of the run; 0: it does not run */
    bool good;
};

/* Whatever happens: no overlap, no early start, no slot that is forgotten. */
static void test_random_day(void)
{
    enum { N = 60 };
    static struct das_tempo tempos[N];
    struct life lives[N] = {{0}};
    struct das_timetable *t;
    int early = 0, twice = 0, crowded = 0, runs = 0, forgotten = 0;
    int64_t now = BEGIN;

    for (int i = 0; i < N; i++)
        tempos[i] = (struct das_tempo){.every_ms = SEC * (1 + (int64_t)kit_below(600)),
                                       .offset_ms = (int64_t)kit_below(SEC),
                                       .backoff_ms = MINUTE * (int64_t)kit_below(10)};
    t = table(tempos, N, 4, 6);
    while (now < BEGIN + DAY) {
        int64_t next = das_timetable_next(t);
        long slot;
        for (int i = 0; i < N; i++) {
            if (lives[i].ends_ms && lives[i].ends_ms < next)
                next = lives[i].ends_ms;
        }
        now = next > now ? next : now;
        for (size_t i = 0; i < N; i++) {
            if (!lives[i].ends_ms || lives[i].ends_ms > now)
                continue;
            lives[i].ends_ms = 0;
            das_timetable_done(t, i, now, lives[i].good, false);
        }
        das_timetable_look(t, now);
        while ((slot = das_timetable_take(t, now)) >= 0) {
            int64_t took =
                (int64_t)kit_below(10) ? (int64_t)kit_below(50) : (int64_t)kit_below(9000);
            early += das_timetable_slot(t, (size_t)slot)->tick_ms > now;
            twice += lives[slot].ends_ms != 0;
            lives[slot] = (struct life){now + 1 + took, kit_below(5) != 0};
            runs++;
        }
        crowded += das_timetable_running(t) > 4 + 6;
    }
    for (size_t i = 0; i < N; i++) {
        const struct das_slot *s = das_timetable_slot(t, i);
        forgotten += now - s->began_ms > tempos[i].every_ms + tempos[i].backoff_ms + 10 * MINUTE;
    }
    ok(runs > 10000, "%d runs in a day", runs);
    is_int(early, 0, "none before its tick");
    is_int(twice, 0, "none twice at once");
    is_int(crowded, 0, "never more than there may be");
    is_int(forgotten, 0, "and nobody was forgotten");
    das_timetable_free(t);
}

int main(void)
{
    kit_seed(8);
    utc = das_zone_load("UTC", &err);
    if (!utc)
        return 1;
    test_ticks();
    test_backoff();
    test_jitter();
    test_one();
    test_away();
    test_clock();
    test_recall();
    test_workers();
    test_slow();
    test_failing();
    test_random_day();
    das_zone_free(utc);
    return tap_done();
}
