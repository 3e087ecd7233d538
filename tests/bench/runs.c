/*
 * runs.c - what a run costs: an empty script, again and again; and many at the same time.
 *
 *     runs
 *
 * Prints: microseconds for one run of an empty script, beside an empty thread's; bytes of Lua memory
 * it holds; KB of resident memory for each of 1,000 runs in flight; and how much slower a tight loop
 * is under the hook than without it.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bindings/engine.h"

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static long resident_kb(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        exit(1);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static char *script(const char *text)
{
    static char names[4][40];
    static int next;
    char *name = names[next++ % 4];
    int fd;

    strcpy(name, "/tmp/das-runs-XXXXXX");
    fd = mkstemp(name);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0)
        exit(1);
    return name;
}

static void run(const char *path, struct das_inventory *inv, struct das_engine_result *result)
{
    struct das_limits limits = das_limits_default;
    struct das_engine_opts opts = {
        .path = path, .inventory = inv, .limits = &limits, .out = stderr};
    struct das_err err;

    limits.wall_ms = limits.cpu_ms = 600000;
    if (das_engine_run(&opts, result, &err) < 0) {
        fprintf(stderr, "runs: %s\n", err.msg);
        exit(1);
    }
}

static void *nothing(void *arg)
{
    return arg;
}

static double best_per_call(void (*call)(void *), void *arg, int calls)
{
    double best = 1e9;

    for (int round = 0; round < 7; round++) {
        double start = now(), t;
        for (int i = 0; i < calls; i++)
            call(arg);
        t = (now() - start) / calls;
        best = t < best ? t : best;
    }
    return best;
}

static void empty_thread(void *arg)
{
    pthread_t t;

    if (pthread_create(&t, NULL, nothing, arg) != 0)
        exit(1);
    pthread_join(t, NULL);
}

static uint64_t lua_bytes;
static struct das_inventory *inventory;

static void empty_run(void *arg)
{
    struct das_engine_result result;

    run(arg, inventory, &result);
    lua_bytes = result.used.memory;
    das_engine_result_clear(&result);
}

/* A loop in a bare state, without a hook. */
static double bare_loop(const char *text)
{
    lua_State *L = luaL_newstate();
    double start;

    luaL_openlibs(L);
    start = now();
    if (luaL_dostring(L, text))
        exit(1);
    start = now() - start;
    lua_close(L);
    return start;
}

#define FLIGHT 1000

static const char *sleeper;

static void *fly(void *arg)
{
    struct das_engine_result result;

    (void)arg;
    run(sleeper, inventory, &result);
    das_engine_result_clear(&result);
    return NULL;
}

int main(void)
{
    static const char loop[] = "local x = 0 for i = 1, 3e7 do x = x + i end";
    const char *empty = script(""), *looped = script(loop);
    pthread_t threads[FLIGHT];
    struct das_err err;
    double one, thread, bare = 1e9, hooked = 1e9;
    long before, after;

    inventory = das_inventory_new(&err);
    if (!inventory)
        return 1;
    one = best_per_call(empty_run, (void *)(uintptr_t)empty, 300) * 1e6;
    thread = best_per_call(empty_thread, NULL, 300) * 1e6;
    printf("empty %.1f %.1f %llu\n", one, thread, (unsigned long long)lua_bytes);
    for (int i = 0; i < 5; i++) {
        struct das_engine_result result;
        double start = now(), t;
        run(looped, inventory, &result);
        das_engine_result_clear(&result);
        t = now() - start;
        hooked = t < hooked ? t : hooked;
        t = bare_loop(loop);
        bare = t < bare ? t : bare;
    }
    printf("hook %.3f\n", hooked / bare);
    fflush(stdout);

    sleeper = script("das.sleep(3)");
    before = resident_kb();
    for (int i = 0; i < FLIGHT; i++) {
        if (pthread_create(&threads[i], NULL, fly, NULL) != 0)
            return 1;
    }
    sleep(2);
    after = resident_kb();
    for (int i = 0; i < FLIGHT; i++)
        pthread_join(threads[i], NULL);
    printf("flight %d %ld %ld\n", FLIGHT, (after - before) / FLIGHT, after / 1024);
    unlink(empty);
    unlink(looped);
    unlink(sleeper);
    das_inventory_free(inventory);
    return 0;
}
