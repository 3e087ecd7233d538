/*
 * memory.c - an instance in memory, loaded from any recorded list ("mem:PATH") or from a snapshot.
 *
 * Owns the loaded sessions and what happened to them since: who was killed, whose statement ended.
 * When a session is changed from outside, what there is then is loaded anew. Handles on one instance
 * share it, each on a thread of its own. A list shares the loaded text and copies only the columns.
 * Its clock starts at the time of the recording and runs with the
 * monotonic clock, plus what das_memory_advance() adds.
 */
#include "core/source/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/source_impl.h"

#define STATEMENT_RUNS INT64_MIN

struct instance {
    atomic_uint handles;
    int64_t opened_ms;
    pthread_mutex_t lock;      /* of what follows */
    struct das_snapshot *loaded;
    int64_t loaded_at;         /* clock reading of it */
    struct das_snapshot *last; /* what the last list showed, or NULL */
    int64_t last_at;           /* clock reading of it */
    bool *gone;                /* by row of loaded */
    int64_t *idle_from;        /* by row: clock reading when the statement was killed */
    uint32_t *alive;           /* scratch: rows that a list returns */
    uint32_t gone_count, idle_count;
    int64_t advanced_s;
    char *down; /* why it cannot be reached; NULL: it can */
};

struct memory {
    struct das_source base;
    struct instance *instance;
};

static atomic_uint generations;

static struct instance *instance_of(struct das_source *s)
{
    return ((struct memory *)s)->instance;
}

static int64_t seconds_passed(const struct instance *m)
{
    return (das_clock_monotonic_ms() - m->opened_ms) / 1000 + m->advanced_s;
}

/* The sessions as they are at clock reading now. */
static struct das_snapshot *picture(struct instance *m, int64_t now, struct das_err *err)
{
    uint32_t rows = das_snapshot_rows(m->loaded), n = 0;
    bool all = !m->gone_count && !m->idle_count;
    struct das_snapshot *s;

    for (uint32_t i = 0; !all && i < rows; i++) {
        if (!m->gone[i])
            m->alive[n++] = i;
    }
    s = das_snapshot_derive(m->loaded, all ? NULL : m->alive, rows - m->gone_count, err);
    if (!s)
        return NULL;
    if (das_snapshot_age(s, now - m->loaded_at, err) < 0) {
        das_snapshot_release(s);
        return NULL;
    }
    for (uint32_t i = 0; m->idle_count && i < n; i++) {
        int64_t from = m->idle_from[m->alive[i]];
        if (from != STATEMENT_RUNS)
            das_snapshot_set_idle(s, i, now - from);
    }
    return s;
}

static void forget_picture(struct instance *m)
{
    das_snapshot_release(m->last);
    m->last = NULL;
}

/* With the lock. Within one second of its clock, and without a kill, an instance looks the same. */
static struct das_snapshot *take_picture(struct instance *m, struct das_err *err)
{
    int64_t now = seconds_passed(m);

    if (m->last && m->last_at != now)
        forget_picture(m);
    if (!m->last) {
        m->last = picture(m, now, err);
        m->last_at = now;
    }
    return m->last ? das_snapshot_retain(m->last) : NULL;
}

static int memory_list(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                       struct das_err *err)
{
    struct instance *m = instance_of(s);
    struct das_snapshot *seen = NULL;

    (void)q; /* leaving rows out would cost as much as matching them */
    pthread_mutex_lock(&m->lock);
    if (m->down)
        das_fail(err, DAS_E_CONNECT, "%s", m->down);
    else
        seen = take_picture(m, err);
    pthread_mutex_unlock(&m->lock);
    if (seen)
        *out = das_snapshot_derive(seen, NULL, das_snapshot_rows(seen), err);
    das_snapshot_release(seen);
    return *out ? 0 : -1;
}

static bool sleeps(const struct instance *m, uint32_t row, const struct das_session *s)
{
    return m->idle_from[row] != STATEMENT_RUNS || das_text_iis(s->command, "Sleep");
}

/* Is it what the killer looked at? Without a number nobody can tell, and the id decides. */
static bool is_meant(const struct instance *m, uint32_t row, const struct das_session *s,
                     const struct das_kill_order *o)
{
    if (o->query_id == DAS_UNKNOWN || s->query_id == DAS_UNKNOWN)
        return true;
    return o->query_id == s->query_id && sleeps(m, row, s) == (o->what == DAS_KILL_IDLE_SESSION);
}

static enum das_kill_result kill_row(struct instance *m, uint32_t row,
                                     const struct das_kill_order *o)
{
    struct das_session session;

    das_snapshot_get(m->loaded, row, &session);
    if (m->gone[row] || !is_meant(m, row, &session, o))
        return DAS_KILL_GONE;
    if (o->what == DAS_KILL_SESSION || o->what == DAS_KILL_IDLE_SESSION) {
        forget_picture(m);
        m->gone[row] = true;
        m->gone_count++;
        return DAS_KILLED;
    }
    if (m->idle_from[row] != STATEMENT_RUNS)
        return DAS_KILL_GONE;
    forget_picture(m);
    m->idle_from[row] = seconds_passed(m);
    m->idle_count++;
    return DAS_KILLED;
}

static enum das_kill_result memory_kill(struct das_source *s, const struct das_kill_order *o,
                                        struct das_err *err)
{
    struct instance *m = instance_of(s);
    enum das_kill_result result = DAS_KILL_GONE;
    int64_t row;

    pthread_mutex_lock(&m->lock);
    row = das_snapshot_find(m->loaded, o->id);
    if (m->down) {
        das_fail(err, DAS_E_CONNECT, "%s", m->down);
        result = DAS_KILL_FAILED;
    } else if (row >= 0) {
        result = kill_row(m, (uint32_t)row, o);
    }
    pthread_mutex_unlock(&m->lock);
    return result;
}

static const char *memory_cannot_soft(const struct das_source *s)
{
    (void)s;
    return NULL;
}

static void instance_free(struct instance *m)
{
    das_snapshot_release(m->last);
    das_snapshot_release(m->loaded);
    das_free(m->gone);
    das_free(m->idle_from);
    das_free(m->alive);
    das_free(m->down);
    pthread_mutex_destroy(&m->lock);
    das_free(m);
}

static void memory_close(struct das_source *s)
{
    struct instance *m = instance_of(s);

    if (atomic_fetch_sub_explicit(&m->handles, 1, memory_order_acq_rel) == 1)
        instance_free(m);
}

static int memory_again(struct das_source *s, struct das_source **out, struct das_err *err);

static const struct das_source_ops memory_ops = {
    .list = memory_list,
    .kill = memory_kill,
    .close = memory_close,
    .cannot_soft = memory_cannot_soft,
    .again = memory_again,
};

static int handle_new(struct instance *m, struct das_source **out, struct das_err *err)
{
    struct memory *handle = das_calloc(1, sizeof *handle);

    if (!handle)
        return das_fail_nomem(err);
    handle->base.ops = &memory_ops;
    handle->instance = m;
    *out = &handle->base;
    return 0;
}

static int memory_again(struct das_source *s, struct das_source **out, struct das_err *err)
{
    struct instance *m = instance_of(s);

    if (handle_new(m, out, err) < 0)
        return -1;
    atomic_fetch_add_explicit(&m->handles, 1, memory_order_relaxed);
    return 0;
}

/* Loads the sessions of snap, which m takes over; on failure everything stays as it is. */
static int load(struct instance *m, struct das_snapshot *snap, struct das_err *err)
{
    uint32_t rows = das_snapshot_rows(snap);
    bool *gone = das_calloc(rows, sizeof *gone);
    int64_t *idle_from = das_grow(NULL, rows, sizeof *idle_from);
    uint32_t *alive = das_grow(NULL, rows, sizeof *alive);

    if (!gone || !idle_from || !alive || das_snapshot_prepare_idle(snap, err) < 0) {
        das_free(gone);
        das_free(idle_from);
        das_free(alive);
        das_snapshot_release(snap);
        return das_fail_nomem(err);
    }
    for (uint32_t i = 0; i < rows; i++)
        idle_from[i] = STATEMENT_RUNS;
    forget_picture(m);
    das_snapshot_release(m->loaded);
    das_free(m->gone);
    das_free(m->idle_from);
    das_free(m->alive);
    m->loaded = snap;
    m->loaded_at = seconds_passed(m);
    m->gone = gone;
    m->idle_from = idle_from;
    m->alive = alive;
    m->gone_count = m->idle_count = 0;
    return 0;
}

/* of: what it was loaded from belongs to it: a saved plan fits the same sessions only. */
static void identify(struct das_snapshot *snap, const char *of)
{
    struct das_identity id = {.start_unix_s = DAS_UNKNOWN};

    snprintf(id.server, sizeof id.server, "mem:%u of %.250s",
             atomic_fetch_add(&generations, 1) + 1, of);
    das_snapshot_set_identity(snap, &id);
}

/* Takes snap over. */
static int open_with(struct das_snapshot *snap, struct das_source **out, struct das_err *err)
{
    struct instance *m = das_calloc(1, sizeof *m);

    if (!m) {
        das_snapshot_release(snap);
        return das_fail_nomem(err);
    }
    atomic_init(&m->handles, 1);
    pthread_mutex_init(&m->lock, NULL);
    m->opened_ms = das_clock_monotonic_ms();
    if (load(m, snap, err) == 0 && handle_new(m, out, err) == 0)
        return 0;
    instance_free(m);
    return -1;
}

/* The file source knows every format and which snapshot is meant; it is asked once. */
int das_source_open_memory(const char *rest, const struct das_source_conf *conf,
                           struct das_source **out, struct das_err *err)
{
    struct das_snapshot *snap = NULL;
    struct das_source *file = NULL;
    int rc;

    if (das_source_open_file(rest, conf, &file, err) < 0)
        return -1;
    rc = das_source_list(file, NULL, &snap, err);
    das_source_close(file);
    if (rc < 0)
        return -1;
    identify(snap, das_snapshot_identity(snap)->server);
    return open_with(snap, out, err);
}

int das_memory_open(struct das_snapshot *snap, const char *name, struct das_source **out,
                    struct das_err *err)
{
    identify(snap, name);
    if (open_with(das_snapshot_retain(snap), out, err) < 0)
        return -1;
    if (das_source_set_name(*out, name, err) == 0)
        return 0;
    das_source_close(*out);
    *out = NULL;
    return -1;
}

/* --- changes from outside -------------------------------------------------------------------------- */

static int check_kind(const struct das_source *s, const char *otherwise, struct das_err *err)
{
    return s->ops == &memory_ops ? 0 : das_fail(err, DAS_E_UNSUPPORTED, "%s", otherwise);
}

int das_memory_advance(struct das_source *s, int64_t seconds, struct das_err *err)
{
    struct instance *m;

    if (check_kind(s, "only the clock of a mem: instance can be moved", err) < 0)
        return -1;
    if (seconds < 0 || seconds > INT32_MAX)
        return das_fail(err, DAS_E_USAGE, "advance: expected 0 to %d seconds", INT32_MAX);
    m = instance_of(s);
    pthread_mutex_lock(&m->lock);
    m->advanced_s += seconds;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

/* row NULL: the session ends. With the lock. */
static int change(struct instance *m, int64_t id, const struct das_session *row,
                  struct das_err *err)
{
    struct das_snapshot *now = take_picture(m, err), *changed;

    if (!now)
        return -1;
    if (!row && das_snapshot_find(now, id) < 0) {
        das_snapshot_release(now);
        return das_fail(err, DAS_E_USAGE, "there is no session %lld", (long long)id);
    }
    changed = das_snapshot_replace(now, id, row, err);
    das_snapshot_release(now);
    return changed ? load(m, changed, err) : -1;
}

static int change_locked(struct das_source *s, int64_t id, const struct das_session *row,
                         struct das_err *err)
{
    struct instance *m;
    int rc;

    if (check_kind(s, "only the sessions of a mem: instance can be changed", err) < 0)
        return -1;
    m = instance_of(s);
    pthread_mutex_lock(&m->lock);
    rc = change(m, id, row, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

int das_memory_put(struct das_source *s, const struct das_session *row, struct das_err *err)
{
    return change_locked(s, row->id, row, err);
}

int das_memory_remove(struct das_source *s, int64_t id, struct das_err *err)
{
    return change_locked(s, id, NULL, err);
}

int das_memory_down(struct das_source *s, const char *why, struct das_err *err)
{
    struct instance *m;
    char *copy = NULL;

    if (check_kind(s, "only a mem: instance can be taken away", err) < 0)
        return -1;
    if (why && !(copy = das_strdup(why)))
        return das_fail_nomem(err);
    m = instance_of(s);
    pthread_mutex_lock(&m->lock);
    das_free(m->down);
    m->down = copy;
    pthread_mutex_unlock(&m->lock);
    return 0;
}
