/*
 * run.c - the rules of one run: what it may use up, and when it has to end. What it kills is in
 * run_kill.c.
 *
 * A limit strikes in the hook, between two instructions of the script, and from then on at every
 * instruction, so that no pcall outlives it. What runs in C is watched from outside (engine.c).
 */
#include "bindings/bind.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

static int64_t left_ms(void *run)
{
    return das_run_left_ms(run);
}

int das_run_init(struct das_run *run, const struct das_engine_opts *opts, struct das_err *err)
{
    memset(run, 0, sizeof *run);
    run->opts = opts;
    run->limits = opts->limits ? *opts->limits : das_limits_default;
    run->start_ms = das_clock_monotonic_ms();
    atomic_init(&run->wall_from_ms, run->start_ms);
    run->patience = (struct das_patience){left_ms, run};
    atomic_init(&run->stop, DAS_STOP_NOT);
    atomic_init(&run->outside, 0);
    atomic_init(&run->lent_cpu_ms, 0);
    pthread_mutex_init(&run->lock, NULL);
    das_protect_init(&run->protect);
    for (size_t i = 0; opts->protect && i < opts->protect->count; i++) {
        if (das_protect_add(&run->protect, opts->protect->filters[i], err) < 0)
            return -1;
    }
    das_run_kill_init(run);
    return 0;
}

void das_run_clear(struct das_run *run)
{
    das_protect_clear(&run->protect);
    das_http_client_free(run->http);
    das_run_kill_clear(run);
    das_vault_clear(&run->vault);
    das_buf_clear(&run->warned);
    das_runbook_step_clear(&run->book.step);
    das_engine_result_clear(&run->result);
    pthread_mutex_destroy(&run->lock);
}

/* --- when it has to end ------------------------------------------------------------------------- */

const char *das_stop_limit(enum das_stop stop)
{
    switch (stop) {
    case DAS_STOP_CPU:
        return "cpu";
    case DAS_STOP_WALL:
        return "wall";
    case DAS_STOP_INSTRUCTIONS:
        return "instructions";
    case DAS_STOP_OUTPUT:
        return "output";
    case DAS_STOP_HTTP_REQUESTS:
        return "http_requests";
    case DAS_STOP_HTTP_BYTES:
        return "http_bytes";
    case DAS_STOP_NOT:
    case DAS_STOP_CANCEL:
    case DAS_STOP_PARK:
        break;
    }
    return NULL;
}

void das_run_stop_text(const struct das_run *run, enum das_stop stop, char *text, size_t size)
{
    const struct das_limits *l = &run->limits;
    int64_t lent_ms = atomic_load(&run->lent_cpu_ms);

    switch (stop) {
    case DAS_STOP_CPU:
        snprintf(text, size, "the run used more than %g s of processor time (limit cpu)",
                 (double)(lent_ms ? lent_ms : l->cpu_ms) / 1000);
        return;
    case DAS_STOP_WALL:
        snprintf(text, size, "the run took longer than %g s (limit wall)",
                 (double)l->wall_ms / 1000);
        return;
    case DAS_STOP_INSTRUCTIONS:
        snprintf(text, size, "the run took more than %llu instructions (limit instructions)",
                 (unsigned long long)l->instructions);
        return;
    case DAS_STOP_OUTPUT:
        snprintf(text, size, "the run printed more than %llu bytes (limit output)",
                 (unsigned long long)l->output);
        return;
    case DAS_STOP_HTTP_REQUESTS:
        snprintf(text, size, "the run's limit of %llu HTTP requests is used up (limit "
                             "http_requests)",
                 (unsigned long long)l->http_requests);
        return;
    case DAS_STOP_HTTP_BYTES:
        snprintf(text, size, "the run's limit of %llu bytes of HTTP is used up (limit http_bytes)",
                 (unsigned long long)l->http_bytes);
        return;
    case DAS_STOP_CANCEL:
        snprintf(text, size, "the run was cancelled");
        return;
    case DAS_STOP_PARK:
        snprintf(text, size, "the runbook goes on later");
        return;
    case DAS_STOP_NOT:
        break;
    }
    snprintf(text, size, "the run goes on");
}

/* The first reason stays. */
static enum das_stop stop_for(struct das_run *run, enum das_stop why)
{
    int not_yet = DAS_STOP_NOT;

    atomic_compare_exchange_strong(&run->stop, &not_yet, (int)why);
    return (enum das_stop)atomic_load(&run->stop);
}

enum das_stop das_run_over(struct das_run *run, int64_t cpu_ms)
{
    if (atomic_load_explicit(&run->stop, memory_order_relaxed) != DAS_STOP_NOT)
        return (enum das_stop)atomic_load(&run->stop);
    if (run->opts->cancel && atomic_load(run->opts->cancel))
        return stop_for(run, DAS_STOP_CANCEL);
    if (das_run_wall_left_ms(run) <= 0)
        return stop_for(run, DAS_STOP_WALL);
    if (cpu_ms >= run->limits.cpu_ms)
        return stop_for(run, DAS_STOP_CPU);
    return DAS_STOP_NOT;
}

int64_t das_own_cpu_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t das_run_step_left_ms(const struct das_run *run)
{
    int64_t left;

    if (!run->book.step_until_ms)
        return INT64_MAX;
    left = run->book.step_until_ms - das_clock_monotonic_ms();
    return left > 0 ? left : 0;
}

static enum das_stop over_now(struct das_run *run)
{
    int64_t cpu_ms = das_own_cpu_ms(), lent_ms = atomic_load(&run->lent_cpu_ms);
    enum das_stop stop = das_run_over(run, cpu_ms);

    if (stop == DAS_STOP_NOT && lent_ms && cpu_ms >= lent_ms)
        stop = stop_for(run, DAS_STOP_CPU);
    if (stop == DAS_STOP_NOT && run->limits.instructions &&
        atomic_load(&run->used.instructions) > run->limits.instructions)
        stop = stop_for(run, DAS_STOP_INSTRUCTIONS);
    return stop;
}

/* From here on the hook raises at every instruction: pcall catches this error, not the next. */
static int raise_stop(lua_State *L, enum das_stop stop)
{
    char text[200];

    lua_sethook(L, das_run_hook, LUA_MASKCOUNT, 1);
    das_run_stop_text(das_run_of(L), stop, text, sizeof text);
    return das_raise(L, "%s", text);
}

/* A step over its own timeout ends, and the run may go on: until then as if a limit had struck. */
static void check_step(lua_State *L)
{
    const struct das_run *run = das_run_of(L);
    char text[40];

    if (das_run_step_left_ms(run) > 0)
        return;
    lua_sethook(L, das_run_hook, LUA_MASKCOUNT, 1);
    snprintf(text, sizeof text, "%g", (double)run->book.step_timeout_ms / 1000);
    das_raise(L, "step \"%s\" took longer than %s s (timeout)", run->book.step.name, text);
}

void das_run_hook(lua_State *L, lua_Debug *ar)
{
    struct das_run *run = das_run_of(L);
    enum das_stop stop;

    (void)ar;
    if (run->closing)
        return;
    if (lua_gethookcount(L) > 1)
        atomic_fetch_add(&run->used.instructions, DAS_HOOK_STEPS);
    stop = over_now(run);
    if (stop != DAS_STOP_NOT)
        raise_stop(L, stop);
    check_step(L);
}

int das_run_park(lua_State *L, const struct das_err *err)
{
    struct das_run *run = das_run_of(L);

    if (err && !run->book.halt.code)
        run->book.halt = *err;
    raise_stop(L, stop_for(run, DAS_STOP_PARK));
    __builtin_unreachable();
}

/* A coroutine counts its own instructions from 0, so that a short one never comes to the hook. */
#define RESUME_STEPS 100

void das_run_count_resume(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    uint64_t n = atomic_fetch_add(&run->used.instructions, RESUME_STEPS) + RESUME_STEPS;

    run->resumes++;
    if (run->resumes % (DAS_HOOK_STEPS / RESUME_STEPS) == 0 ||
        (run->limits.instructions && n > run->limits.instructions))
        das_run_check(L); // the clocks cost more than a resume: not each time
}

bool das_run_stopped(lua_State *L)
{
    return atomic_load(&das_run_of(L)->stop) != DAS_STOP_NOT;
}

int64_t das_run_wall_left_ms(const struct das_run *run)
{
    return run->limits.wall_ms - (das_clock_monotonic_ms() - atomic_load(&run->wall_from_ms));
}

int64_t das_run_left_ms(const struct das_run *run)
{
    int64_t left = das_run_wall_left_ms(run), step = das_run_step_left_ms(run);

    left = left < step ? left : step;
    if (atomic_load(&run->stop) != DAS_STOP_NOT ||
        (run->opts->cancel && atomic_load(run->opts->cancel)))
        return 0;
    return left > 0 ? left : 0;
}

void das_run_check(lua_State *L)
{
    enum das_stop stop = over_now(das_run_of(L));

    if (stop != DAS_STOP_NOT)
        raise_stop(L, stop);
    check_step(L);
}

void das_run_count_output(lua_State *L, size_t bytes)
{
    struct das_run *run = das_run_of(L);

    if (atomic_fetch_add(&run->used.output, bytes) + bytes <= run->limits.output)
        return;
    stop_for(run, DAS_STOP_OUTPUT);
    das_run_check(L);
}

/* A request that is refused is not counted: used tells what was done. */
bool das_run_count_http(struct das_run *run, uint64_t requests, uint64_t bytes)
{
    if (requests > run->limits.http_requests - atomic_load(&run->used.http_requests)) {
        stop_for(run, DAS_STOP_HTTP_REQUESTS);
        return false;
    }
    atomic_fetch_add(&run->used.http_requests, requests);
    if (bytes > run->limits.http_bytes - atomic_load(&run->used.http_bytes)) {
        atomic_store(&run->used.http_bytes, run->limits.http_bytes);
        stop_for(run, DAS_STOP_HTTP_BYTES);
        return false;
    }
    atomic_fetch_add(&run->used.http_bytes, bytes);
    return true;
}
