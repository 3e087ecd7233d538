/* replay.c - see replay.h. */
#include "core/replay/replay.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/session/pattern.h"

void das_replay_report_clear(struct das_replay_report *r)
{
    for (size_t i = 0; i < r->result_count; i++) {
        das_replay_result_clear(r->results[i]);
        das_free(r->results[i]);
    }
    for (size_t i = 0; i < r->note_count; i++)
        das_free(r->notes[i]);
    das_free((void *)(uintptr_t)r->instances); /* const is what it points to */
    das_footage_close(r->footage);
    das_free(r->notes);
    das_free(r->timeline.sessions);
    das_free(r->timeline.active);
    memset(r, 0, sizeof *r);
}

/* --- the recording ---------------------------------------------------------------------------- */

static bool wants(void *arg, const char *instance)
{
    const struct das_replay_request *q = arg;
    struct das_pattern p;
    struct das_err ignored;
    bool match = q->instance_count == 0;

    for (size_t i = 0; i < q->instance_count && !match; i++) {
        if (das_pattern_init(&p, das_text_of(q->instances[i]), false, &ignored) < 0)
            continue;
        match = das_pattern_match(&p, das_text_of(instance));
        das_pattern_clear(&p);
    }
    return match;
}

static int add_note(struct das_replay_report *r, struct das_buf *text, struct das_err *err)
{
    char *note = das_buf_take(text),
         **bigger = das_grow(r->notes, r->note_count + 1, sizeof *bigger);

    if (bigger)
        r->notes = bigger;
    if (!note || !bigger) {
        das_free(note);
        return das_fail_nomem(err);
    }
    r->notes[r->note_count++] = note;
    return 0;
}

static int note_text(struct das_replay_report *r, const char *text, struct das_err *err)
{
    struct das_buf b = {0};

    das_buf_str(&b, text);
    return add_note(r, &b, err);
}

static int take_notes(struct das_replay_report *r, const struct das_footage *f, int64_t step_ms,
                      struct das_err *err)
{
    const char *note;

    for (size_t i = 0; (note = das_footage_note(f, i)) != NULL; i++) {
        if (note_text(r, note, err) < 0)
            return -1;
    }
    if (r->snapshots == 1)
        return note_text(r,
                         "there is one snapshot: one run, and nothing tells how long a victim "
                         "would have gone on",
                         err);
    if (step_ms > 60000) {
        struct das_buf b = {0};
        das_buf_printf(&b,
                       "snapshots are %lld s apart: what comes and goes in between "
                       "is not seen, and a victim's end is known no exacter",
                       (long long)(step_ms / 1000));
        return add_note(r, &b, err);
    }
    return 0;
}

static int take_instances(struct das_replay_report *r, const struct das_footage *f,
                          struct das_err *err)
{
    struct das_footage_span span;
    size_t n = das_footage_count(f);

    r->instances = das_calloc(n, sizeof *r->instances);
    if (!r->instances)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        das_footage_span(f, i, &span);
        r->instances[r->instance_count++] = span.name;
    }
    return 0;
}

#define STEPS_MAX 480

static int64_t nice_step(int64_t span_ms, int64_t least_ms)
{
    static const int64_t seconds[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                      600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
    size_t i = 0, last = sizeof seconds / sizeof *seconds - 1;

    while (i < last && (span_ms / (seconds[i] * 1000) >= STEPS_MAX || seconds[i] * 1000 < least_ms))
        i++;
    return i < last ? seconds[i] * 1000 : (span_ms / STEPS_MAX / 86400000 + 1) * 86400000;
}

static int make_timeline(struct das_replay_report *r, int64_t step_ms, struct das_err *err)
{
    struct das_replay_timeline *t = &r->timeline;

    t->from_ms = r->from_ms;
    t->step_ms = nice_step(r->to_ms - r->from_ms, step_ms);
    t->steps = (size_t)((r->to_ms - r->from_ms) / t->step_ms) + 1;
    t->sessions = das_calloc(t->steps, sizeof *t->sessions);
    t->active = das_calloc(t->steps, sizeof *t->active);
    return t->sessions && t->active ? 0 : das_fail_nomem(err);
}

static int open_report(const struct das_replay_request *q, const struct das_footage *f,
                       struct das_replay_report *r, struct das_err *err)
{
    struct das_footage_span whole;

    das_footage_whole(f, &whole);
    r->files = q->files;
    r->file_count = q->file_count;
    r->from_ms = whole.from_ms > q->from_ms ? whole.from_ms : q->from_ms;
    r->to_ms = whole.to_ms < q->to_ms ? whole.to_ms : q->to_ms;
    r->snapshots = whole.snapshots;
    r->rows = whole.rows;
    r->wasted_ms = q->wasted_ms ? q->wasted_ms : whole.step_ms > 2500 ? 2 * whole.step_ms : 5000;
    if (r->from_ms > r->to_ms) {
        char from[32], to[32];
        das_clock_iso(whole.from_ms / 1000, from, sizeof from);
        das_clock_iso(whole.to_ms / 1000, to, sizeof to);
        return das_fail(err, DAS_E_USAGE,
                        "--from, --to: nothing was recorded then; the recording goes from %s to %s",
                        from, to);
    }
    if (take_instances(r, f, err) < 0 || take_notes(r, f, whole.step_ms, err) < 0)
        return -1;
    return make_timeline(r, whole.step_ms, err);
}

/* --- the passes ------------------------------------------------------------------------------- */

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t working;
};

struct worker {
    struct crew *crew;
    struct das_replay_opts opts;
    const struct das_replay_policy *policy;
    struct das_replay_result *result;
    struct das_replay_timeline *sums;
    atomic_int_least64_t progress;
    pthread_t thread;
    bool started;
    struct das_err err;
    int rc;
};

static void *work(void *arg)
{
    struct worker *w = arg;

    w->rc = das_replay_pass(&w->opts, w->policy, w->result, w->sums, &w->err);
    pthread_mutex_lock(&w->crew->lock);
    w->crew->working--;
    pthread_cond_signal(&w->crew->changed);
    pthread_mutex_unlock(&w->crew->lock);
    return NULL;
}

static int64_t all_time(const struct das_replay_report *r, const struct das_footage *f)
{
    struct das_footage_span span;
    int64_t sum = 0;

    for (size_t i = 0; i < das_footage_count(f); i++) {
        das_footage_span(f, i, &span);
        span.from_ms = span.from_ms > r->from_ms ? span.from_ms : r->from_ms;
        span.to_ms = span.to_ms < r->to_ms ? span.to_ms : r->to_ms;
        sum += span.to_ms > span.from_ms ? span.to_ms - span.from_ms : 0;
    }
    return sum;
}

#define PROGRESS_MS 200

static void wait_for(struct crew *crew, struct worker *workers, size_t n, int64_t all,
                     const struct das_replay_request *q)
{
    struct timespec until;

    pthread_mutex_lock(&crew->lock);
    while (crew->working) {
        int64_t done = 0, at = das_clock_machine_ms() + PROGRESS_MS;
        until = (struct timespec){at / 1000, (long)(at % 1000) * 1000000};
        pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
        for (size_t i = 0; i < n; i++)
            done += atomic_load(&workers[i].progress);
        if (q->progress && all > 0)
            q->progress(q->arg, (double)done / (double)all / (double)n);
    }
    pthread_mutex_unlock(&crew->lock);
}

static int start(struct worker *w, struct das_err *err)
{
    int rc;

    pthread_mutex_lock(&w->crew->lock);
    rc = pthread_create(&w->thread, NULL, work, w);
    w->started = rc == 0;
    w->crew->working += w->started;
    pthread_mutex_unlock(&w->crew->lock);
    return rc == 0 ? 0 : das_fail(err, DAS_E_NOMEM, "no thread for a replay: %s", strerror(rc));
}

static int run_all(const struct das_replay_request *q, const struct das_footage *f,
                   struct das_replay_report *r, struct crew *crew, struct worker *workers,
                   struct das_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < q->policy_count && rc == 0; i++) {
        struct worker *w = &workers[i];
        *w = (struct worker){.crew = crew, .policy = &q->policies[i]};
        w->opts = (struct das_replay_opts){.footage = f,
                                           .from_ms = r->from_ms,
                                           .to_ms = r->to_ms,
                                           .wasted_ms = r->wasted_ms,
                                           .timeline = &r->timeline,
                                           .sums = i == 0,
                                           .protect = q->protect,
                                           .secrets = q->secrets,
                                           .known = q->known,
                                           .cancel = q->cancel,
                                           .progress = &w->progress,
                                           .verbose = q->verbose};
        w->sums = i == 0 ? &r->timeline : NULL;
        w->result = r->results[i] = das_calloc(1, sizeof *w->result);
        if (!w->result)
            rc = das_fail_nomem(err);
        else
            r->result_count++;
        if (rc == 0)
            rc = start(w, err);
    }
    wait_for(crew, workers, q->policy_count, all_time(r, f), q);
    for (size_t i = 0; i < q->policy_count; i++) {
        if (!workers[i].started)
            continue;
        pthread_join(workers[i].thread, NULL);
        if (workers[i].rc < 0 && rc == 0) {
            *err = workers[i].err;
            rc = -1;
        }
    }
    return rc;
}

static int run_policies(const struct das_replay_request *q, const struct das_footage *f,
                        struct das_replay_report *r, struct das_err *err)
{
    struct worker workers[2] = {{0}};
    struct crew crew = {0};
    int rc;

    pthread_mutex_init(&crew.lock, NULL);
    das_cond_init(&crew.changed);
    rc = run_all(q, f, r, &crew, workers, err);
    pthread_cond_destroy(&crew.changed);
    pthread_mutex_destroy(&crew.lock);
    return rc;
}

int das_replay(const struct das_replay_request *request, struct das_replay_report *out,
               struct das_err *err)
{
    const struct das_footage_wish wish = {wants, (void *)(uintptr_t)request};

    memset(out, 0, sizeof *out);
    if (das_footage_open(request->files, request->file_count, &wish, &out->footage, err) < 0)
        return -1;
    if (open_report(request, out->footage, out, err) < 0)
        return -1;
    return run_policies(request, out->footage, out, err);
}
