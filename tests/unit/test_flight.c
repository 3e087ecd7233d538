/* test_flight.c - one thread fetches, the others wait: turns, failures and pauses, without a wait.
 */
#include "core/cloud/flight.h"

#include <string.h>

#include "core/base/clock.h"
#include "tests/unit/tap.h"

static struct das_tower tower;
static struct das_err err;
static uint64_t waited;

static enum das_turn board(struct das_flight *f)
{
    enum das_turn turn;

    err = (struct das_err){0};
    waited = 0;
    pthread_mutex_lock(&tower.lock);
    turn = das_flight_board(f, &tower, &waited, NULL, &err);
    pthread_mutex_unlock(&tower.lock);
    return turn;
}

static void land(struct das_flight *f, const char *failure, int64_t pause_ms)
{
    struct das_err e;

    if (failure)
        das_fail(&e, DAS_E_CONNECT, "%s", failure);
    pthread_mutex_lock(&tower.lock);
    das_flight_land(f, &tower, failure ? &e : NULL, pause_ms);
    pthread_mutex_unlock(&tower.lock);
}

/* The pause that a call sets, within the time that the call takes. */
static void pauses(struct das_flight *f, const char *failure, int64_t pause_ms, int64_t want,
                   const char *name)
{
    int64_t before = das_clock_monotonic_ms(), after;

    land(f, failure, pause_ms);
    after = das_clock_monotonic_ms();
    ok(f->not_before >= before + want && f->not_before <= after + want, "%s", name);
}

static int64_t none(void *arg)
{
    *(int *)arg += 1;
    return 0;
}

static void turns(void)
{
    struct das_flight f = {0};
    int asked = 0;
    const struct das_patience impatient = {none, &asked};

    is_int(board(&f), DAS_TURN_MINE, "the first one flies");
    ok(f.busy && f.attempt == 1, "and nobody else");
    is_int(board(&f), DAS_TURN_AGAIN, "the next one waits a little");
    is_int(waited, 1, "for the first one");
    pthread_mutex_lock(&tower.lock);
    is_int(das_flight_board(&f, &tower, &waited, &impatient, &err), DAS_TURN_FAILED,
           "one whose time is up does not");
    pthread_mutex_unlock(&tower.lock);
    ok(err.code == DAS_E_TIMEOUT && asked == 1, "and is told so: %s", err.msg);
    land(&f, NULL, 0);
    is_int(board(&f), DAS_TURN_MINE, "it has landed");
    land(&f, NULL, 0);
}

static void failures(void)
{
    struct das_flight f = {0};
    char name[40];

    is_int(board(&f), DAS_TURN_MINE, "a flight");
    pauses(&f, "lost", 0, 1000, "that fails: none for a second");
    is_int(board(&f), DAS_TURN_FAILED, "nor is there another");
    ok(err.code == DAS_E_CONNECT && strcmp(err.msg, "lost") == 0, "the failure is told");
    f.not_before = das_clock_monotonic_ms(); /* a second later */
    is_int(board(&f), DAS_TURN_MINE, "then there is");
    waited = 1;
    f.busy = false; /* one that waited for the first attempt looks only now */
    pthread_mutex_lock(&tower.lock);
    is_int(das_flight_board(&f, &tower, &waited, NULL, &err), DAS_TURN_FAILED,
           "who waited for one that failed gets its failure, however late");
    f.busy = true;
    pthread_mutex_unlock(&tower.lock);
    for (int64_t want = 2000; want < 60000; want *= 2) {
        snprintf(name, sizeof name, "it fails again: %lld ms", (long long)want);
        pauses(&f, "lost", 0, want, name);
    }
    pauses(&f, "lost", 0, 60000, "a minute at the most");
    pauses(&f, "lost", 0, 60000, "and no more");
    das_flight_hasten(&f);
    ok(f.not_before <= das_clock_monotonic_ms() + 1000, "it becomes urgent: a second");
    f.not_before = 5;
    das_flight_hasten(&f);
    is_int(f.not_before, 5, "which makes nothing later");
    pauses(&f, "lost", 7000, 7000, "another pause, as it is said");
    pauses(&f, NULL, 0, 0, "it succeeds: none");
    is_int(board(&f), DAS_TURN_MINE, "and the next one flies");
    pauses(&f, "lost", 0, 1000, "and starts at a second again");
    f = (struct das_flight){0};
    is_int(board(&f), DAS_TURN_MINE, "a flight");
    pauses(&f, NULL, 5000, 5000, "that succeeds, and a pause");
    is_int(board(&f), DAS_TURN_MINE, "keeps nobody from the next who needs it");
    land(&f, NULL, 0);
}

int main(void)
{
    das_tower_init(&tower);
    turns();
    failures();
    das_tower_clear(&tower);
    return tap_done();
}
