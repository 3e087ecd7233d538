/*
 * recorder.c - see recorder.h.
 *
 * All instances are looked at in the same moment, at multiples of the interval behind the start, so
 * that nothing drifts. A look that comes back late costs the looks that were due meanwhile, not the
 * rhythm.
 */
#include "core/source/recorder.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/mem.h"

#define TURN_MS 100  /* how soon a signal and a block that is due are noticed */
#define SLOW_AFTER 5 /* missed looks in a row until it is said */

struct recorder;

struct watch {
    struct recorder *recorder;
    struct das_source *source;
    struct das_recording_stream *stream;
    pthread_t thread;
    bool started;
    int64_t every_ms;
    /* with the recorder's lock */
    uint64_t snapshots, rows, missed, failed;
    bool silent;
    /* the thread's own */
    int64_t silent_since_ms;
    uint64_t silent_looks;
    char why[300];
    unsigned late; /* missed looks in a row */
    bool said_late;
};

struct recorder {
    const struct das_recorder_opts *opts;
    struct das_recording_writer *writer;
    int64_t start_ms; /* monotonic */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ends;
    struct das_err broken; /* the file does not take it any more */
    struct watch *watches;
    pthread_mutex_t saying;
};

static void say(struct watch *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct watch *w, const char *fmt, ...)
{
    const struct das_recorder_opts *o = w->recorder->opts;
    char text[1200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&w->recorder->saying);
    if (o->say)
        o->say(o->arg, das_source_name(w->source), text);
    pthread_mutex_unlock(&w->recorder->saying);
}

/* Until that monotonic moment; false: it is time to end. */
static bool wait_until(struct recorder *r, int64_t ms)
{
    struct timespec at = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    bool ends;

    pthread_mutex_lock(&r->lock);
    while (!r->ends && das_clock_monotonic_ms() < ms)
        pthread_cond_timedwait(&r->changed, &r->lock, &at);
    ends = r->ends;
    pthread_mutex_unlock(&r->lock);
    return !ends;
}

static void end_all(struct recorder *r, const struct das_err *why)
{
    pthread_mutex_lock(&r->lock);
    r->ends = true;
    if (why && !r->broken.code)
        r->broken = *why;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* --- one look --------------------------------------------------------------------------------- */

static void note_failure(struct watch *w, const struct das_err *err)
{
    if (!w->silent) {
        w->silent_since_ms = das_clock_monotonic_ms();
        w->silent_looks = 0;
        snprintf(w->why, sizeof w->why, "%.*s", (int)sizeof w->why - 1, err->msg);
        say(w, "%s; trying again every %lld ms", err->msg, (long long)w->every_ms);
    }
    w->silent_looks++;
    pthread_mutex_lock(&w->recorder->lock);
    w->silent = true;
    w->failed++;
    pthread_mutex_unlock(&w->recorder->lock);
}

/* The first list after a gap says so itself: who reads the recording has to know. A source may keep
 * the list it gave, so this goes on a copy. */
static int note_gap(struct watch *w, struct das_snapshot **s, struct das_err *err)
{
    double seconds = (double)(das_clock_monotonic_ms() - w->silent_since_ms) / 1000;
    struct das_snapshot *copy = das_snapshot_derive(*s, NULL, das_snapshot_rows(*s), err);

    if (!copy)
        return -1;
    das_snapshot_release(*s);
    *s = copy;
    say(w, "is back after %.1f s", seconds);
    return das_snapshot_warn(copy, err, "nothing was recorded for %.1f s before this: %s", seconds,
                             w->why);
}

static int look(struct watch *w, struct das_err *err)
{
    const struct das_query q = {.exhaustive = true};
    struct das_snapshot *s = NULL;
    bool silent = w->silent;
    int rc = das_source_list(w->source, &q, &s, err);
    int64_t now_ms = das_clock_unix_ms();

    if (rc == 0 && silent)
        rc = note_gap(w, &s, err);
    if (rc == 0) {
        rc = das_recording_stream_add(w->stream, s, now_ms, err);
        if (rc < 0 && err->code == DAS_E_IO)
            end_all(w->recorder, err);
    }
    if (rc == 0) {
        pthread_mutex_lock(&w->recorder->lock);
        w->silent = false;
        w->snapshots++;
        w->rows += das_snapshot_rows(s);
        pthread_mutex_unlock(&w->recorder->lock);
    }
    das_snapshot_release(s);
    return rc;
}

/* Which look comes next, counted from the start; those that are over by now are missed. */
static int64_t next_look(struct watch *w, int64_t number)
{
    int64_t passed = (das_clock_monotonic_ms() - w->recorder->start_ms) / w->every_ms;
    uint64_t missed = passed > number ? (uint64_t)(passed - number) : 0;

    w->late = missed ? w->late + 1 : 0;
    if (missed) {
        pthread_mutex_lock(&w->recorder->lock);
        w->missed += missed;
        pthread_mutex_unlock(&w->recorder->lock);
    }
    if (w->late == SLOW_AFTER && !w->said_late) {
        w->said_late = true;
        say(w, "answers too slowly for a look every %lld ms; some are left out",
            (long long)w->every_ms);
    }
    return number + 1 + (int64_t)missed;
}

static void *watch_thread(void *arg)
{
    struct watch *w = arg;
    struct recorder *r = w->recorder;
    struct das_err err;

    for (int64_t number = 0; !r->opts->for_ms || number * w->every_ms < r->opts->for_ms;
         number = next_look(w, number)) {
        if (!wait_until(r, r->start_ms + number * w->every_ms))
            break;
        if (look(w, &err) < 0)
            note_failure(w, &err);
    }
    return NULL;
}

/* --- all of them ------------------------------------------------------------------------------ */

static void count(struct recorder *r, struct das_recorder_totals *t)
{
    *t = (struct das_recorder_totals){.instances = r->opts->count};
    t->elapsed_ms = das_clock_monotonic_ms() - r->start_ms;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->opts->count; i++) {
        const struct watch *w = &r->watches[i];

        t->snapshots += w->snapshots;
        t->rows += w->rows;
        t->missed += w->missed;
        t->failed += w->failed;
        t->silent += w->silent;
        t->never += w->snapshots == 0;
    }
    pthread_mutex_unlock(&r->lock);
}

static int start(struct recorder *r, struct das_err *err)
{
    for (size_t i = 0; i < r->opts->count; i++) {
        struct watch *w = &r->watches[i];
        int64_t pace;

        w->recorder = r;
        w->source = r->opts->sources[i];
        pace = das_source_pace_ms(w->source);
        w->every_ms = pace > r->opts->every_ms ? pace : r->opts->every_ms;
        if (pace > r->opts->every_ms)
            say(w, "is asked every %lld ms: it allows no more", (long long)pace);
        w->stream = das_recording_writer_stream(r->writer, das_source_name(w->source), err);
        if (!w->stream)
            return -1;
    }
    r->start_ms = das_clock_monotonic_ms();
    for (size_t i = 0; i < r->opts->count; i++) {
        if (pthread_create(&r->watches[i].thread, NULL, watch_thread, &r->watches[i]) != 0)
            return das_fail(err, DAS_E_INTERNAL, "no thread for instance %s",
                            das_source_name(r->watches[i].source));
        r->watches[i].started = true;
    }
    return 0;
}

/* On the caller's thread while the others look. */
static int oversee(struct recorder *r, struct das_recorder_totals *t, struct das_err *err)
{
    const struct das_recorder_opts *o = r->opts;
    int64_t end_ms = o->for_ms ? r->start_ms + o->for_ms : INT64_MAX;

    for (;;) {
        int64_t next = das_clock_monotonic_ms() + TURN_MS;
        bool goes_on = wait_until(r, next < end_ms ? next : end_ms);

        count(r, t);
        if (o->progress)
            o->progress(o->arg, t);
        if (!goes_on) {
            *err = r->broken;
            return -1;
        }
        if (das_recording_writer_flush(r->writer, das_clock_unix_ms(), err) < 0)
            return -1;
        if ((o->cancel && atomic_load(o->cancel)) || das_clock_monotonic_ms() >= end_ms)
            return 0;
    }
}

static void init(struct recorder *r)
{

    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->saying, NULL);
    das_cond_init(&r->changed);
}

int das_record(struct das_recording_writer *writer, const struct das_recorder_opts *opts,
               struct das_recorder_totals *totals, struct das_err *err)
{
    struct recorder r = {.opts = opts, .writer = writer};
    int rc;

    *totals = (struct das_recorder_totals){.instances = opts->count, .never = opts->count};
    r.watches = das_calloc(opts->count, sizeof *r.watches);
    if (!r.watches)
        return das_fail_nomem(err);
    init(&r);
    rc = start(&r, err);
    if (rc == 0)
        rc = oversee(&r, totals, err);
    end_all(&r, NULL);
    /* What is there is safe before somebody who hangs is waited for. */
    if (rc == 0 && das_recording_writer_flush(writer, INT64_MAX, err) < 0)
        rc = -1;
    for (size_t i = 0; i < opts->count; i++) {
        if (r.watches[i].started)
            pthread_join(r.watches[i].thread, NULL);
    }
    if (rc == 0 && das_recording_writer_flush(writer, INT64_MAX, err) < 0)
        rc = -1; /* what came at the very end */
    count(&r, totals);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    pthread_mutex_destroy(&r.saying);
    das_free(r.watches);
    return rc;
}
