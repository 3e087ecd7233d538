/*
 * timetable.c - see timetable.h.
 *
 * What waits is in a heap by its tick; what is due is in one of two queues, behind each other; what
 * runs and is not slow is in a list, the one that began first in front.
 */
#include "core/serve/timetable.h"

#include "core/base/mem.h"

#define COUNT_MAX 100000
#define CRON_BACKOFF_MS 10000 /* the first step of one that has no interval */
#define NOWHERE SIZE_MAX

/* --- ticks ------------------------------------------------------------------------------------ */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t das_tempo_next(const struct das_tempo *t, int64_t after_ms)
{
    int64_t from = after_ms - t->offset_ms, at;

    if (t->every_ms)
        return (floor_div(from, t->every_ms) + 1) * t->every_ms + t->offset_ms;
    if (!das_cron_next(t->cron, t->zone, floor_div(from, 1000), &at))
        return DAS_NEVER;
    return at * 1000 + t->offset_ms;
}

int64_t das_tempo_count(const struct das_tempo *t, int64_t after_ms, int64_t until_ms)
{
    int64_t n = 0;

    if (until_ms <= after_ms)
        return 0;
    if (t->every_ms) {
        n = floor_div(until_ms - t->offset_ms, t->every_ms) -
            floor_div(after_ms - t->offset_ms, t->every_ms);
        return n < COUNT_MAX ? n : COUNT_MAX;
    }
    while (n < COUNT_MAX && (after_ms = das_tempo_next(t, after_ms)) <= until_ms)
        n++;
    return n;
}

int64_t das_tempo_backoff(const struct das_tempo *t, int64_t failures)
{
    int64_t ms = failures > 0 ? (t->every_ms ? t->every_ms : CRON_BACKOFF_MS) : 0;

    for (int64_t i = 1; i < failures && ms < t->backoff_ms; i++)
        ms *= 2;
    return ms < t->backoff_ms ? ms : t->backoff_ms;
}

/* FNV-1a, and a last stir so that names that differ in one digit lie far apart. */
int64_t das_jitter(const char *policy, const char *instance, int64_t span_ms)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (const char *p = policy; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    h = (h ^ 0xff) * 0x100000001b3u;
    for (const char *p = instance; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    h ^= h >> 33;
    return span_ms > 0 ? (int64_t)(h % (uint64_t)span_ms) : 0;
}

/* --- slots ------------------------------------------------------------------------------------ */

struct place {
    struct das_slot slot;
    size_t at;          /* in the heap */
    size_t next, prev;  /* in a queue (next alone), or in the list of those that run */
    bool slow, failing; /* while it runs */
};

struct queue {
    size_t first, last, count;
};

struct das_timetable {
    struct das_timetable_conf conf;
    const struct das_tempo *tempos;
    struct place *places;
    size_t count;
    size_t *heap; /* of those that wait */
    size_t heap_count;
    struct queue due, due_failing;
    struct queue fast; /* they run */
    size_t failing_fast, slow;
};

/* --- the heap --------------------------------------------------------------------------------- */

static int64_t tick_at(const struct das_timetable *t, size_t at)
{
    return t->places[t->heap[at]].slot.tick_ms;
}

static void put(struct das_timetable *t, size_t at, size_t slot)
{
    t->heap[at] = slot;
    t->places[slot].at = at;
}

static void swap(struct das_timetable *t, size_t a, size_t b)
{
    size_t slot = t->heap[a];

    put(t, a, t->heap[b]);
    put(t, b, slot);
}

static void rise(struct das_timetable *t, size_t at)
{
    for (; at && tick_at(t, at) < tick_at(t, (at - 1) / 2); at = (at - 1) / 2)
        swap(t, at, (at - 1) / 2);
}

static void sink(struct das_timetable *t, size_t at)
{
    for (;;) {
        size_t least = at, child = 2 * at + 1;
        for (size_t i = child; i < child + 2 && i < t->heap_count; i++) {
            if (tick_at(t, i) < tick_at(t, least))
                least = i;
        }
        if (least == at)
            return;
        swap(t, at, least);
        at = least;
    }
}

static void wait_until(struct das_timetable *t, size_t slot, int64_t tick_ms)
{
    t->places[slot].slot.state = DAS_SLOT_WAITS;
    t->places[slot].slot.tick_ms = tick_ms;
    put(t, t->heap_count++, slot);
    rise(t, t->heap_count - 1);
}

static void leave_heap(struct das_timetable *t, size_t slot)
{
    size_t at = t->places[slot].at;

    swap(t, at, --t->heap_count);
    if (at < t->heap_count) {
        rise(t, at);
        sink(t, at);
    }
}

/* --- queues ----------------------------------------------------------------------------------- */

static void append(struct das_timetable *t, struct queue *q, size_t slot)
{
    t->places[slot].next = NOWHERE;
    t->places[slot].prev = q->count ? q->last : NOWHERE;
    if (q->count)
        t->places[q->last].next = slot;
    else
        q->first = slot;
    q->last = slot;
    q->count++;
}

static void leave(struct das_timetable *t, struct queue *q, size_t slot)
{
    const struct place *p = &t->places[slot];

    if (p->prev == NOWHERE)
        q->first = p->next;
    else
        t->places[p->prev].next = p->next;
    if (p->next == NOWHERE)
        q->last = p->prev;
    else
        t->places[p->next].prev = p->prev;
    q->count--;
}

/* --- making one ------------------------------------------------------------------------------- */

struct das_timetable *das_timetable_new(const struct das_timetable_conf *conf,
                                        const struct das_tempo *tempos, size_t slots,
                                        int64_t now_ms, struct das_err *err)
{
    struct das_timetable *t = das_calloc(1, sizeof *t);

    if (t) {
        t->conf = *conf;
        t->tempos = tempos;
        t->count = slots;
        t->places = das_calloc(slots + 1, sizeof *t->places);
        t->heap = das_calloc(slots + 1, sizeof *t->heap);
    }
    if (!t || !t->places || !t->heap) {
        das_timetable_free(t);
        das_fail_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < slots; i++)
        wait_until(t, i, das_tempo_next(&tempos[i], now_ms));
    return t;
}

void das_timetable_free(struct das_timetable *t)
{
    if (!t)
        return;
    das_free(t->places);
    das_free(t->heap);
    das_free(t);
}

/* --- what happens ----------------------------------------------------------------------------- */

void das_timetable_look(struct das_timetable *t, int64_t now_ms)
{
    while (t->heap_count && tick_at(t, 0) <= now_ms) {
        size_t slot = t->heap[0];
        struct das_slot *s = &t->places[slot].slot;
        leave_heap(t, slot);
        s->state = DAS_SLOT_DUE;
        append(t, s->failures ? &t->due_failing : &t->due, slot);
    }
    while (t->fast.count && t->slow < t->conf.slow) {
        struct place *p = &t->places[t->fast.first];
        if (p->slot.began_ms + t->conf.slow_ms > now_ms)
            break;
        t->failing_fast -= p->failing;
        p->slow = true;
        t->slow++;
        leave(t, &t->fast, t->fast.first);
    }
}

/* Room for those that failed last time. */
static size_t failing_room(const struct das_timetable *t)
{
    size_t most = t->conf.workers > 4 ? t->conf.workers / 4 : 1;

    return most > t->failing_fast ? most - t->failing_fast : 0;
}

size_t das_timetable_ready(const struct das_timetable *t)
{
    size_t room = t->conf.workers > t->fast.count ? t->conf.workers - t->fast.count : 0;
    size_t failing = failing_room(t), n = t->due.count;

    n += t->due_failing.count < failing ? t->due_failing.count : failing;
    return n < room ? n : room;
}

long das_timetable_take(struct das_timetable *t, int64_t now_ms)
{
    struct queue *q = t->due.count ? &t->due : &t->due_failing;
    size_t slot = q->first;
    struct place *p;

    if (!das_timetable_ready(t))
        return -1;
    leave(t, q, slot);
    p = &t->places[slot];
    p->slow = false;
    p->failing = q == &t->due_failing;
    t->failing_fast += p->failing;
    p->slot.state = DAS_SLOT_RUNS;
    p->slot.began_ms = now_ms;
    p->slot.late_ms = now_ms > p->slot.tick_ms ? now_ms - p->slot.tick_ms : 0;
    append(t, &t->fast, slot);
    return (long)slot;
}

/* Until the first tick that is not over, and not within the time for which it is left alone. */
static void wait_again(struct das_timetable *t, size_t slot, int64_t now_ms)
{
    const struct das_slot *s = &t->places[slot].slot;
    const struct das_tempo *tempo = &t->tempos[slot];
    int64_t alone = s->tick_ms + das_tempo_backoff(tempo, s->failures) - 1;

    wait_until(t, slot, das_tempo_next(tempo, now_ms > alone ? now_ms : alone));
}

void das_timetable_done(struct das_timetable *t, size_t slot, int64_t now_ms, bool good, bool away)
{
    struct place *p = &t->places[slot];
    struct das_slot *s = &p->slot;

    if (p->slow) {
        t->slow--;
    } else {
        t->failing_fast -= p->failing;
        leave(t, &t->fast, slot);
    }
    s->ended_ms = now_ms;
    s->runs++;
    s->failed += !good;
    s->failures = good ? 0 : s->failures + 1;
    s->state = DAS_SLOT_AWAY;
    if (!away)
        das_timetable_back(t, slot, now_ms);
}

void das_timetable_back(struct das_timetable *t, size_t slot, int64_t now_ms)
{
    struct das_slot *s = &t->places[slot].slot;

    s->skipped += das_tempo_count(&t->tempos[slot], s->tick_ms, now_ms);
    wait_again(t, slot, now_ms);
}

void das_timetable_clock_set(struct das_timetable *t, int64_t now_ms)
{
    t->heap_count = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct das_slot *s = &t->places[i].slot;
        if (s->state == DAS_SLOT_WAITS)
            wait_until(t, i, das_tempo_next(&t->tempos[i], now_ms));
        else if (s->tick_ms > now_ms)
            s->tick_ms = now_ms;
        if (s->state == DAS_SLOT_RUNS && s->began_ms > now_ms)
            s->began_ms = now_ms;
    }
}

void das_timetable_recall(struct das_timetable *t, size_t slot, const struct das_slot *was)
{
    struct das_slot *s = &t->places[slot].slot;
    int64_t now_ms = s->tick_ms - 1; /* as good: no tick lies between */

    s->began_ms = was->began_ms;
    s->ended_ms = was->ended_ms;
    s->late_ms = was->late_ms;
    s->failures = was->failures;
    if (!s->failures || was->began_ms > now_ms)
        return;
    leave_heap(t, slot);
    s->tick_ms = was->began_ms;
    wait_again(t, slot, now_ms);
}

int64_t das_timetable_next(const struct das_timetable *t)
{
    int64_t next = t->heap_count ? tick_at(t, 0) : DAS_NEVER, slow;

    if ((t->due.count || t->due_failing.count) && t->fast.count && t->slow < t->conf.slow) {
        slow = t->places[t->fast.first].slot.began_ms + t->conf.slow_ms;
        next = slow < next ? slow : next;
    }
    return next;
}

const struct das_slot *das_timetable_slot(const struct das_timetable *t, size_t i)
{
    return &t->places[i].slot;
}

size_t das_timetable_running(const struct das_timetable *t)
{
    return t->fast.count + t->slow;
}
