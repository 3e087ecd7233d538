/*
 * timetable.h - which policy is due on which instance, and which may begin: decided here, done
 * elsewhere. No thread, no lock, no clock: the caller says what time it is, so that a test can live
 * through a year.
 *
 * A slot is one policy on one instance. It waits for its tick, is due, runs, and waits for the next
 * tick after its end: it never runs twice at once, and ticks that pass meanwhile are counted, not
 * made up for. One that fails waits longer each time, up to a bound.
 *
 * At most `workers` run at once. One that takes long - a server that does not answer - stops
 * counting as one of them, as long as there are no more than `slow` of those; and of those whose
 * last run failed no more than a quarter of the workers run at once, behind all others.
 */
#ifndef DAS_SERVE_TIMETABLE_H
#define DAS_SERVE_TIMETABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/cron.h"

#define DAS_NEVER INT64_MAX

/* When a slot is due. Times are Unix milliseconds. */
struct das_tempo {
    int64_t every_ms; /* 0: by cron */
    const struct das_cron *cron;
    const struct das_zone *zone;
    int64_t offset_ms;  /* behind the full interval since 1970, or behind the minute of cron */
    int64_t backoff_ms; /* the longest that one that fails is left alone */
};
/* The first tick after that moment; DAS_NEVER. */
int64_t das_tempo_next(const struct das_tempo *t, int64_t after_ms);
/* How many ticks lie after `after` up to and with `until`; at most 100,000. */
int64_t das_tempo_count(const struct das_tempo *t, int64_t after_ms, int64_t until_ms);
/* How long after the tick of its last run one is left alone that failed n times in a row. */
int64_t das_tempo_backoff(const struct das_tempo *t, int64_t failures);

/* The share of policy and instance in span: from 0 up to span, the same whenever it is asked. */
int64_t das_jitter(const char *policy, const char *instance, int64_t span_ms);

enum das_slot_state {
    DAS_SLOT_WAITS,
    DAS_SLOT_DUE,
    DAS_SLOT_RUNS,
    DAS_SLOT_AWAY, /* its run was given up and has not come back: nothing begins until it has */
};

struct das_slot {
    enum das_slot_state state;
    int64_t tick_ms;  /* the next one; due, running: the one it is about */
    int64_t began_ms; /* the last run; 0: none yet */
    int64_t ended_ms;
    int64_t late_ms;  /* how long after its tick the last run began */
    int64_t failures; /* in a row */
    int64_t runs, failed, skipped;
};

struct das_timetable_conf {
    size_t workers, slow; /* at once */
    int64_t slow_ms;      /* from then on a run is slow */
};

struct das_timetable;

/* tempos: one for each slot, borrowed. From now on they wait. */
struct das_timetable *das_timetable_new(const struct das_timetable_conf *conf,
                                        const struct das_tempo *tempos, size_t slots,
                                        int64_t now_ms, struct das_err *err);
void das_timetable_free(struct das_timetable *t); /* NULL is fine */

/* What is due by now becomes so, and what has run long becomes slow. */
void das_timetable_look(struct das_timetable *t, int64_t now_ms);
/* One that may begin now, and does: its number, or -1. */
long das_timetable_take(struct das_timetable *t, int64_t now_ms);
/* How many das_timetable_take() would give now. */
size_t das_timetable_ready(const struct das_timetable *t);
/* Its run ended; away: it was given up and still goes on, until das_timetable_back(). */
void das_timetable_done(struct das_timetable *t, size_t slot, int64_t now_ms, bool good, bool away);
void das_timetable_back(struct das_timetable *t, size_t slot, int64_t now_ms);
/* The clock was set: all that waits is reckoned anew. */
void das_timetable_clock_set(struct das_timetable *t, int64_t now_ms);
/* When das_timetable_look() changes something, unless something else happens; DAS_NEVER. */
int64_t das_timetable_next(const struct das_timetable *t);

const struct das_slot *das_timetable_slot(const struct das_timetable *t, size_t i);
/* What an earlier process knew of it, before its first run. */
void das_timetable_recall(struct das_timetable *t, size_t i, const struct das_slot *was);
size_t das_timetable_running(const struct das_timetable *t);

#endif
