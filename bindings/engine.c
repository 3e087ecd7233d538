/*
 * engine.c - runs one script from start to end, on a thread of its own (see engine.h).
 *
 * Two threads share a job: the script's, which ends itself at its limits wherever Lua runs, and the
 * waiting one, which knows when that did not work.
 */
#include "bindings/bind.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/json.h"
#include "core/base/mem.h"

const char *das_end_name(enum das_end e)
{
    static const char *const names[] = {"done", "error", "limit", "cancelled", "stuck", "waiting"};

    return names[e];
}

void das_engine_result_clear(struct das_engine_result *r)
{
    das_free(r->acts);
    r->acts = NULL;
    r->act_count = 0;
}

/* --- the host: who is stuck ----------------------------------------------------------------------- */

struct stuck {
    char hash[DAS_SHA256_HEX]; /* of the script's text */
    char path[256];
    int64_t since; /* Unix seconds */
    bool back;     /* its thread ended after all; the script stays refused */
};

#define STUCK_MAX 64 /* more than that and the host has other troubles */

struct das_engine {
    pthread_mutex_t lock;
    size_t running;
    struct stuck stuck[STUCK_MAX];
    size_t stuck_count;
};

struct das_engine *das_engine_new(struct das_err *err)
{
    struct das_engine *e = das_calloc(1, sizeof *e);

    if (!e) {
        das_fail_nomem(err);
        return NULL;
    }
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

void das_engine_free(struct das_engine *e)
{
    if (!e)
        return;
    pthread_mutex_destroy(&e->lock);
    das_free(e);
}

static struct stuck *find_stuck(struct das_engine *e, const char *hash)
{
    for (size_t i = 0; i < e->stuck_count; i++) {
        if (strcmp(e->stuck[i].hash, hash) == 0)
            return &e->stuck[i];
    }
    return NULL;
}

static int engine_begin(struct das_engine *e, const char *hash, const char *path,
                        struct das_err *err)
{
    int rc = 0;

    if (!e)
        return 0;
    pthread_mutex_lock(&e->lock);
    if (find_stuck(e, hash))
        rc = das_fail(err, DAS_E_BLOCKED, "%s: refused: this script got stuck before", path);
    else
        e->running++;
    pthread_mutex_unlock(&e->lock);
    return rc;
}

static void engine_end(struct das_engine *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->running--;
    pthread_mutex_unlock(&e->lock);
}

/* hash NULL: it is not the script's fault. */
static void engine_stick(struct das_engine *e, const char *hash, const char *path)
{
    struct stuck *s;

    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->running--;
    if (hash && !find_stuck(e, hash) && e->stuck_count < STUCK_MAX) {
        s = &e->stuck[e->stuck_count++];
        memset(s, 0, sizeof *s);
        memcpy(s->hash, hash, sizeof s->hash);
        snprintf(s->path, sizeof s->path, "%s", path);
        s->since = das_clock_unix_ms() / 1000;
    }
    pthread_mutex_unlock(&e->lock);
}

static void engine_unstick(struct das_engine *e, const char *hash)
{
    struct stuck *s;

    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    if ((s = find_stuck(e, hash)) != NULL)
        s->back = true;
    pthread_mutex_unlock(&e->lock);
}

void das_engine_health(struct das_engine *e, struct das_buf *b)
{
    pthread_mutex_lock(&e->lock);
    das_buf_char(b, '{');
    das_json_key_int(b, "running", (int64_t)e->running);
    das_json_key(b, "stuck");
    das_buf_char(b, '[');
    for (size_t i = 0; i < e->stuck_count; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key(b, "script");
        das_json_str(b, e->stuck[i].path);
        das_json_key_int(b, "since", e->stuck[i].since);
        das_json_key_bool(b, "thread_ended", e->stuck[i].back);
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}");
    pthread_mutex_unlock(&e->lock);
}

/* --- reading the script -------------------------------------------------------------------------- */

#define SCRIPT_MAX ((size_t)16 << 20)

int das_script_read(const char *path, struct das_buf *b, struct das_err *err)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t n;

    if (!f)
        return das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    do {
        char *to = das_buf_reserve(b, 16384);
        n = to ? fread(to, 1, 16384, f) : 0;
        b->len += n;
    } while (n > 0 && b->len <= SCRIPT_MAX);
    if (ferror(f))
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    else if (b->len > SCRIPT_MAX)
        das_fail(err, DAS_E_DATA, "%s: a script is at most %zu bytes", path, SCRIPT_MAX);
    else if (das_buf_ok(b, err) == 0)
        err->code = DAS_OK;
    if (f != stdin)
        fclose(f);
    return err->code == DAS_OK ? 0 : -1;
}

struct das_text das_script_text(struct das_text t)
{
    const char *end;

    if (t.len < 2 || t.ptr[0] != '#' || t.ptr[1] != '!')
        return t;
    end = memchr(t.ptr, '\n', t.len);
    return end ? das_text(end, t.len - (size_t)(end - t.ptr)) : das_text("", 0);
}

/* --- running it ----------------------------------------------------------------------------------- */

#define FRAMES_MAX 12
#define LEVELS_MAX 200 /* lua_getstack() walks from the top each time: all levels of a stack overflow
                          would take minutes, and no limit strikes in here */

int das_on_error(lua_State *L)
{
    lua_Debug ar;
    luaL_Buffer b;
    int frames = 0;

    luaL_tolstring(L, 1, NULL);
    if (!lua_isstring(L, 1) && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL)
        lua_pushfstring(L, "the script raised a %s", luaL_typename(L, 1));
    else
        lua_pushvalue(L, 2);
    lua_replace(L, 2);
    lua_settop(L, 2);
    luaL_buffinit(L, &b);
    luaL_addlstring(&b, lua_tostring(L, 2), lua_rawlen(L, 2));
    for (int level = 1; level < LEVELS_MAX && frames < FRAMES_MAX && lua_getstack(L, level, &ar);
         level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.source[0] != '@' || ar.currentline <= 0)
            continue;
        if (frames++ > 0) { // the first frame is in the message already
            lua_pushfstring(L, "\n  called from %s:%d", ar.short_src, ar.currentline);
            luaL_addvalue(&b);
        }
    }
    luaL_pushresult(&b);
    return 1;
}

int das_run_judge(struct das_run *run, int status, const char *message, struct das_err *err)
{
    enum das_stop stop = (enum das_stop)atomic_load(&run->stop);
    struct das_engine_result *r = &run->result;
    char text[200];

    if (stop == DAS_STOP_PARK && run->book.halt.code) {
        r->end = DAS_END_ERROR;
        *err = run->book.halt;
        return -1;
    }
    if (stop == DAS_STOP_PARK) {
        r->end = DAS_END_WAITING;
        return 0;
    }
    if (stop != DAS_STOP_NOT) {
        r->end = stop == DAS_STOP_CANCEL ? DAS_END_CANCELLED : DAS_END_LIMIT;
        r->limit = das_stop_limit(stop);
        das_run_stop_text(run, stop, text, sizeof text);
        if (status == LUA_OK || !message || !strstr(message, text))
            message = text;
        return das_fail(err, stop == DAS_STOP_CANCEL ? DAS_E_CANCELLED : DAS_E_LIMIT, "%s",
                        message);
    }
    if (run->memory_refused || run->memory_asked) {
        r->end = DAS_END_LIMIT;
        r->limit = "memory";
        return das_fail(err, DAS_E_LIMIT,
                        "%s%sthe run needed more than %llu bytes of memory (limit memory)", message ? message : "", message ? ": " : "",
                        (unsigned long long)run->limits.memory);
    }
    if (status == LUA_OK)
        return 0;
    r->end = DAS_END_ERROR;
    return das_fail(err, DAS_E_SCRIPT, "%s", message ? message : "the script failed");
}

/* --- a run, seen from its thread ------------------------------------------------------------------ */

/* What the script's thread and the waiting one share; freed by whoever is last. */
struct job {
    struct das_run run;
    struct das_engine_opts opts; /* a copy: the caller's may be gone when the script is stuck */
    struct das_buf text;  /* of the script, as read */
    struct das_buf chunk; /* "@path" */
    char hash[DAS_SHA256_HEX];
    struct das_err err;
    int rc;
    pthread_cond_t changed; /* done, under run.lock */
    bool done, abandoned;
    pthread_t thread;
    struct das_clock *clock; /* that it lives on; NULL: the machine's */
};

static void job_free(struct job *job)
{
    das_run_clear(&job->run);
    das_buf_clear(&job->text);
    das_buf_clear(&job->chunk);
    pthread_cond_destroy(&job->changed);
    das_free(job);
}

static int run_chunk(lua_State *L)
{
    const struct job *job = lua_touserdata(L, 1);
    const struct das_engine_opts *opts = job->run.opts;
    struct das_text code = das_script_text(das_buf_view(&job->text));
    int handler, args = (int)opts->arg_count;

    lua_pushcfunction(L, das_on_error);
    handler = lua_gettop(L);
    if (luaL_loadbufferx(L, code.ptr, code.len, job->chunk.ptr, "t") != LUA_OK)
        return lua_error(L);
    das_coverage_see(L, job->chunk.ptr + 1);
    luaL_checkstack(L, args + 8, "too many arguments");
    das_watch_globals(L);
    if (opts->bench)
        das_bench_open(L, opts->bench);
    for (int i = 0; i < args; i++)
        lua_pushstring(L, opts->args[i]);
    if (opts->hook) {
        das_push_hook(L, opts->hook);
        args++;
    }
    if (lua_pcall(L, args, 0, handler) != LUA_OK)
        return lua_error(L);
    if (opts->bench)
        das_bench_run(L, opts->bench);
    return 0;
}

static int run_script(struct job *job)
{
    lua_State *L = das_state_new(&job->run);
    int status, rc;

    if (!L) {
        job->run.result.end = DAS_END_ERROR;
        return das_fail(&job->err, DAS_E_NOMEM, "not enough memory for a Lua state");
    }
    lua_pushcfunction(L, run_chunk);
    lua_pushlightuserdata(L, job);
    status = lua_pcall(L, 1, 0, 0);
    pthread_mutex_lock(&job->run.lock);
    rc = das_run_judge(&job->run, status,
                       lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL, &job->err);
    das_vault_redact_err(&job->run.vault, &job->err);
    pthread_mutex_unlock(&job->run.lock);
    job->run.closing = true;
    lua_close(L);
    return rc;
}

static int64_t cpu_ms_of(clockid_t clock)
{
    struct timespec ts;

    if (clock_gettime(clock, &ts) != 0)
        return 0;
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *script_thread(void *arg)
{
    struct job *job = arg;
    bool abandoned;
    int rc;

    das_clock_enter(job->clock);
    rc = run_script(job);

    atomic_store(&job->run.used.cpu_ms, cpu_ms_of(CLOCK_THREAD_CPUTIME_ID));
    pthread_mutex_lock(&job->run.lock);
    job->rc = rc;
    job->done = true;
    abandoned = job->abandoned;
    pthread_cond_signal(&job->changed);
    pthread_mutex_unlock(&job->run.lock);
    if (abandoned) { /* nobody waits any more: it was stuck and came back after all */
        void (*came_back)(void *arg) = job->opts.came_back;
        void *came_back_arg = job->opts.came_back_arg;
        engine_unstick(job->run.opts->engine, job->hash);
        job_free(job);
        if (came_back)
            came_back(came_back_arg);
    }
    return NULL;
}

/* --- a run, seen from the thread that waits ------------------------------------------------------- */

#define GRACE_MS 500       /* from a limit to "stuck" */
#define CANCEL_LOOK_MS 50  /* how often a cancel is looked for */

static void wait_until(struct job *job, int64_t monotonic_ms)
{
    struct timespec ts = {.tv_sec = (time_t)(monotonic_ms / 1000),
                          .tv_nsec = (long)(monotonic_ms % 1000) * 1000000};

    pthread_cond_timedwait(&job->changed, &job->run.lock, &ts);
}

/* Waits, with the lock held, until the script is done or stuck. The earliest moment at which a limit
 * could strike is known, so there are few wake-ups. */
static bool wait_for(struct job *job)
{
    struct das_run *run = &job->run;
    int64_t stopped_at = 0;
    clockid_t cpu_clock;

    if (pthread_getcpuclockid(job->thread, &cpu_clock) != 0)
        cpu_clock = CLOCK_REALTIME; /* cannot be: the thread was not joined yet */
    while (!job->done) {
        int64_t now = das_clock_machine_ms(), used = cpu_ms_of(cpu_clock), next;
        if (stopped_at == 0 && das_run_over(run, used) != DAS_STOP_NOT)
            stopped_at = now;
        if (stopped_at != 0 && now - stopped_at >= GRACE_MS) {
            atomic_store(&run->used.cpu_ms, used);
            return false;
        }
        if (stopped_at != 0) {
            next = stopped_at + GRACE_MS;
        } else {
            int64_t cpu = now + run->limits.cpu_ms - used;
            next = now + das_run_wall_left_ms(run); /* on a clock of its own: no sooner than that */
            next = next < cpu ? next : cpu;
            if (run->opts->cancel && next > now + CANCEL_LOOK_MS)
                next = now + CANCEL_LOOK_MS;
        }
        wait_until(job, next > now ? next : now + 1);
    }
    return true;
}

/* What the run did and used, for the caller to keep; under the lock. */
static void take_result(struct job *job, struct das_engine_result *out)
{
    struct das_run *run = &job->run;

    *out = run->result;
    memset(&run->result, 0, sizeof run->result);
    out->notified = run->notified;
    out->used.memory = atomic_load(&run->used.memory);
    out->used.instructions = atomic_load(&run->used.instructions);
    out->used.output = atomic_load(&run->used.output);
    out->used.http_requests = atomic_load(&run->used.http_requests);
    out->used.http_bytes = atomic_load(&run->used.http_bytes);
    out->used.cpu_ms = atomic_load(&run->used.cpu_ms);
    out->used.wall_ms = das_clock_monotonic_ms() - run->start_ms;
}

/* The script's thread goes on, with an empty list; it can add nothing to it, since a run that has
 * to end sends no more kills. */
static int give_up(struct job *job, struct das_engine_result *out, struct das_err *err)
{
    struct das_run *run = &job->run;
    enum das_stop stop = (enum das_stop)atomic_load(&run->stop);
    char text[200];

    take_result(job, out);
    run->act_room = 0;
    /* a report that was cut short is in no total yet: the list of kills is what counts */
    out->totals[DAS_O_KILLED] = out->totals[DAS_O_KILLING] = out->totals[DAS_O_FAILED] = out->totals[DAS_O_UNKNOWN] = 0;
    for (size_t i = 0; i < out->act_count; i++) {
        if (out->acts[i].kind != DAS_O_GONE)
            out->totals[out->acts[i].kind]++;
    }
    out->end = DAS_END_STUCK;
    out->limit = das_stop_limit(stop);
    das_run_stop_text(run, stop, text, sizeof text);
    return das_fail(err, DAS_E_STUCK, "%s: %s, and cannot be interrupted where it is",
                    job->chunk.ptr + 1, text);
}

/* Signals are for the thread that waits. */
static int start_thread(struct job *job, struct das_err *err)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, (size_t)1 << 20); /* Lua nests C calls 200 deep at the most */
    rc = pthread_create(&job->thread, &attr, script_thread, job);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : das_fail(err, DAS_E_NOMEM, "no thread for the script: %s", strerror(rc));
}

static struct job *job_new(const struct das_engine_opts *opts, struct das_err *err)
{
    struct job *job = das_calloc(1, sizeof *job);

    if (!job) {
        das_fail_nomem(err);
        return NULL;
    }
    das_cond_init(&job->changed);
    job->opts = *opts;
    job->clock = das_clock_entered();
    if (das_run_init(&job->run, &job->opts, err) < 0)
        goto fail;
    das_buf_printf(&job->chunk, "@%s", strcmp(opts->path, "-") == 0 ? "stdin" : opts->path);
    if (das_buf_ok(&job->chunk, err) < 0 || das_script_read(opts->path, &job->text, err) < 0)
        goto fail;
    job->run.script = das_buf_view(&job->text);
    /* only a host remembers scripts; starting OpenSSL for one run would double its cost */
    if (opts->engine && das_sha256_hex(das_buf_view(&job->text), job->hash, err) < 0)
        goto fail;
    return job;
fail:
    job_free(job);
    return NULL;
}

int das_engine_run(const struct das_engine_opts *opts, struct das_engine_result *result,
                   struct das_err *err)
{
    struct job *job;
    bool done;
    int rc = -1;

    memset(result, 0, sizeof *result);
    memset(err, 0, sizeof *err);
    result->end = DAS_END_ERROR;
    job = job_new(opts, err);
    if (!job)
        return -1;
    if (engine_begin(opts->engine, job->hash, opts->path, err) < 0) {
        job_free(job);
        return -1;
    }
    if (start_thread(job, err) < 0) {
        engine_end(opts->engine);
        job_free(job);
        return -1;
    }
    pthread_mutex_lock(&job->run.lock);
    done = wait_for(job);
    if (done) {
        take_result(job, result);
        *err = job->err;
        rc = job->rc;
    } else {
        rc = give_up(job, result, err);
        job->abandoned = true;
        engine_stick(opts->engine, atomic_load(&job->run.outside) ? NULL : job->hash, opts->path);
        pthread_detach(job->thread); /* now: once unlocked, the job may be gone any moment */
    }
    pthread_mutex_unlock(&job->run.lock);
    if (done) {
        pthread_join(job->thread, NULL);
        job_free(job);
        engine_end(opts->engine);
    }
    return rc;
}
