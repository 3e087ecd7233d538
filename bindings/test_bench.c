/*
 * test_bench.c - das test: which tests a file has, and one of them at a time (see testing.h).
 *
 * A test is a run of its file (engine.c) that goes on with the function it was asked for: so it has
 * the limits, the sandbox and the end of a policy, and no test sees what another one left behind.
 */
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/test_impl.h"
#include "core/base/mem.h"

#define FUNCTION "das.test.function"
#define TESTS_MAX 10000

struct das_bench *das_bench_of(lua_State *L)
{
    return das_run_of(L)->opts->bench;
}

void das_bench_used(const struct das_bench *b, const char *path)
{
    const struct das_test_sink *sink = b->opts->sink;

    if (sink->used)
        sink->used(sink->arg, path);
}

/* --- paths ------------------------------------------------------------------------------------------ */

const char *das_bench_path(lua_State *L, const struct das_bench *b, const char *what,
                           const char *path)
{
    const char *slash = strrchr(b->opts->path, '/');
    char *real, *here;
    size_t len;

    if (path[0] != '/' && slash)
        lua_pushlstring(L, b->opts->path, (size_t)(slash - b->opts->path) + 1);
    else
        lua_pushliteral(L, "");
    lua_pushstring(L, path);
    lua_concat(L, 2);
    real = realpath(lua_tostring(L, -1), NULL); /* the C library's memory: free() */
    if (!real) {
        das_bench_used(b, lua_tostring(L, -1)); /* it may come */
        das_raise(L, "%s: %s: there is no such file", what, lua_tostring(L, -1));
    }
    here = getcwd(NULL, 0);
    len = here ? strlen(here) : 0;
    if (len > 1 && strncmp(real, here, len) == 0 && real[len] == '/')
        lua_pushstring(L, real + len + 1);
    else
        lua_pushstring(L, real);
    free(here);
    free(real);
    lua_remove(L, -2);
    return lua_tostring(L, -1);
}

/* --- test(name, f) --------------------------------------------------------------------------------- */

static int add_name(lua_State *L, struct das_bench *b, const char *name)
{
    struct das_test_name *bigger;
    lua_Debug ar;

    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->names[i].name, name) == 0)
            return das_raise(L, "test: \"%s\" is there already, in line %d", name, b->names[i].line);
    }
    if (b->count == TESTS_MAX)
        return das_raise(L, "test: at most %d tests in a file", TESTS_MAX);
    bigger = das_grow(b->names, b->count + 1, sizeof *bigger);
    if (bigger)
        b->names = bigger;
    if (!bigger || !(bigger[b->count].name = das_strdup(name)))
        return luaL_error(L, "out of memory");
    bigger[b->count].line = 0;
    if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "l", &ar) && ar.currentline > 0)
        bigger[b->count].line = ar.currentline;
    b->count++;
    return 0;
}

static int define(lua_State *L)
{
    struct das_bench *b = das_bench_of(L);

    if (lua_type(L, 1) != LUA_TSTRING || lua_rawlen(L, 1) == 0)
        return das_raise(L, "test: expected a name, got %s", luaL_typename(L, 1));
    if (lua_type(L, 2) != LUA_TFUNCTION)
        return das_raise(L, "test: expected a function(t), got %s", luaL_typename(L, 2));
    if (b->seen == SIZE_MAX)
        return das_raise(L, "test: a test has no tests in it");
    if (b->listing)
        return add_name(L, b, lua_tostring(L, 1));
    if (b->seen++ == b->index) {
        lua_settop(L, 2);
        lua_setfield(L, LUA_REGISTRYINDEX, FUNCTION);
    }
    return 0;
}

void das_bench_open(lua_State *L, struct das_bench *b)
{
    (void)b;
    lua_pushglobaltable(L);
    lua_pushcfunction(L, define);
    lua_setfield(L, -2, "test");
    lua_pop(L, 1);
}

/* --- the test itself --------------------------------------------------------------------------------- */

static int raise(lua_State *L)
{
    return das_raise(L, "%s", luaL_checkstring(L, 1));
}

static int clock_now(lua_State *L)
{
    lua_pushinteger(L, das_clock_unix_ms());
    return 1;
}

/* clock_move(ms): to that moment. */
static int clock_move(lua_State *L)
{
    das_clock_move_to(&das_bench_of(L)->clock, luaL_checkinteger(L, 1));
    return 0;
}

/* where(): "FILE:LINE" of the innermost line of a script. */
static int where(lua_State *L)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && ar.source[0] == '@') {
            lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
            return 1;
        }
    }
    lua_pushliteral(L, "?");
    return 1;
}

/* seconds(value, what): of a number or a duration. */
static int seconds(lua_State *L)
{
    lua_pushnumber(L, das_check_seconds(L, 1, luaL_checkstring(L, 2)));
    return 1;
}

/* options(table, what, {allowed}): raises on another key. */
static int options(lua_State *L)
{
    const char *allowed[32];
    size_t n = 0;

    luaL_checktype(L, 3, LUA_TTABLE);
    for (; n < 32 && lua_rawgeti(L, 3, (lua_Integer)n + 1) == LUA_TSTRING; n++)
        allowed[n] = lua_tostring(L, -1);
    das_check_options(L, 1, luaL_checkstring(L, 2), allowed, n);
    return 0;
}

/* [-0, +1] the function that runs a test. */
static void push_driver(lua_State *L)
{
    static const luaL_Reg host[] = {
        {"raise", raise},     {"clock_now", clock_now}, {"clock_move", clock_move},
        {"seconds", seconds}, {"options", options},     {"where", where},
        {NULL, NULL},
    };

    das_load_embedded(L, "test");
    luaL_newlib(L, host);
    das_open_test_instance(L);
    das_open_test_run(L);
    das_load_embedded(L, "show");
    lua_pushcfunction(L, das_lua_kind);
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "show");
    lua_getglobal(L, "das");
    das_load_embedded(L, "expect");
    lua_call(L, 3, 1);
}

void das_bench_run(lua_State *L, struct das_bench *b)
{
    int top = lua_gettop(L);
    struct das_text text;

    if (b->listing)
        return;
    b->seen = SIZE_MAX;
    lua_pushcfunction(L, das_on_error);
    if (lua_getfield(L, LUA_REGISTRYINDEX, FUNCTION) != LUA_TFUNCTION)
        luaL_error(L, "the file did not come to this test again");
    push_driver(L);
    lua_insert(L, -2); // driver test
    if (lua_pcall(L, 1, 0, top + 1) != LUA_OK) {
        text.ptr = luaL_tolstring(L, -1, &text.len);
        das_buf_text(&b->failure, text);
        lua_pop(L, 1);
        lua_error(L);
    }
    lua_settop(L, top);
}

bool das_test_named(const char *path)
{
    static const char end[] = "_test.lua";
    size_t len = strlen(path), n = sizeof end - 1;

    return len > n && path[len - n - 1] != '/' && strcmp(path + len - n, end) == 0;
}

/* --- a file ------------------------------------------------------------------------------------------ */

static ssize_t write_to_buf(void *cookie, const char *p, size_t n)
{
    struct das_buf *b = cookie;

    das_buf_add(b, p, n);
    return b->failed ? -1 : (ssize_t)n;
}

FILE *das_buf_file(struct das_buf *b)
{
    const cookie_io_functions_t io = {.write = write_to_buf};

    return fopencookie(b, "w", io);
}

static int no_answer(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                     struct das_err *err)
{
    (void)arg;
    (void)req;
    (void)resp;
    return das_fail(err, DAS_E_DENIED, "a test asks nobody by itself");
}

static void required(void *arg, const char *path)
{
    das_bench_used(arg, path);
}

/* What a test may use up: a policy's memory and processor time, but of its own clock as much as it
 * likes. */
static const struct das_limits test_limits = {
    .memory = (uint64_t)256 << 20,
    .cpu_ms = 5000,
    .wall_ms = INT64_MAX / 4,
    .output = (uint64_t)4 << 20,
};

/* What a stuck script uses still is b's, or lasts as long as the process. */
static int pass(struct das_bench *b, struct das_err *err)
{
    static const struct das_engine_web web = {.answer = no_answer};
    struct das_engine_opts opts = {.path = b->opts->path,
                                   .bench = b,
                                   .limits = &test_limits,
                                   .cancel = &b->over,
                                   .watch = &b->watch,
                                   .web = &web};
    struct das_engine_result result = {0};
    int rc = -1;

    b->seen = 0;
    b->watch = (struct das_engine_watch){.arg = b, .required = required};
    das_buf_reset(&b->failure);
    das_buf_reset(&b->output);
    das_clock_init(&b->clock, DAS_TEST_EPOCH_MS);
    das_clock_enter(&b->clock);
    opts.inventory = das_inventory_new(err);
    opts.out = opts.log = das_buf_file(&b->output);
    if (opts.inventory && opts.out)
        rc = das_engine_run(&opts, &result, err);
    else
        das_fail_nomem(err);
    das_clock_enter(NULL);
    b->stuck = result.end == DAS_END_STUCK;
    if (b->stuck)
        return -1;
    if (result.end != DAS_END_ERROR) /* err has the words for it */
        das_buf_reset(&b->failure);
    if (opts.out)
        fclose(opts.out);
    das_inventory_free(opts.inventory);
    das_engine_result_clear(&result);
    return rc;
}

/* Of the pass in which the file was read. */
static bool chosen(const struct das_test_opts *opts, lua_State *L, const char *name)
{
    bool found;

    if (!opts->filter || strstr(name, opts->filter))
        return true;
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "find");
    lua_pushstring(L, name);
    lua_pushstring(L, opts->filter);
    found = lua_pcall(L, 2, 1, 0) == LUA_OK && !lua_isnil(L, -1); /* no pattern: not found */
    lua_settop(L, 0);
    return found;
}

/* Results are C strings, and a test may print what it likes. */
static void drop_nul(struct das_buf *b)
{
    for (size_t i = 0; i < b->len; i++) {
        if (!b->ptr[i])
            b->ptr[i] = '?';
    }
}

static void tell(const struct das_bench *b, size_t i, const char *failure, int64_t us)
{
    const struct das_test_sink *sink = b->opts->sink;
    const struct das_test_result r = {
        .name = b->names[i].name,
        .line = b->names[i].line,
        .passed = !failure,
        .text = failure ? failure : "",
        .output = !b->stuck && b->output.len ? b->output.ptr : "",
        .us = us,
    };

    sink->ended(sink->arg, &r);
}

static void run_one(struct das_bench *b, size_t i)
{
    const struct das_test_sink *sink = b->opts->sink;
    struct das_err err = {0};
    const char *failure = NULL;
    int64_t start = das_clock_monotonic_us();

    if (sink->began)
        sink->began(sink->arg, b->names[i].name, b->names[i].line);
    b->index = i;
    if (pass(b, &err) < 0) {
        failure = err.msg;
        if (!b->stuck || atomic_load(&b->over)) { /* else it may be written to, still */
            drop_nul(&b->failure);
            failure = b->failure.len && !b->failure.failed ? b->failure.ptr : err.msg;
        }
    }
    if (!b->stuck)
        drop_nul(&b->output);
    tell(b, i, failure, das_clock_monotonic_us() - start);
    if (b->stuck)
        return; /* what is still used stays */
    das_store_close(b->store);
    b->store = NULL;
}

static void run_all(struct das_bench *b, lua_State *L)
{
    for (size_t i = 0; i < b->count; i++) {
        if (!chosen(b->opts, L, b->names[i].name))
            continue;
        if (b->stuck)
            tell(b, i, "not run: a test before it got stuck", 0);
        else
            run_one(b, i);
    }
}

static void bench_clear(struct das_bench *b)
{
    for (size_t i = 0; i < b->count; i++)
        das_free(b->names[i].name);
    das_free(b->names);
    das_buf_clear(&b->failure);
    das_buf_clear(&b->output);
}

int das_test_file(const struct das_test_opts *opts, bool *stuck, struct das_err *err)
{
    struct das_bench *b = das_calloc(1, sizeof *b);
    lua_State *L = luaL_newstate(); /* for patterns alone */
    int rc = -1;

    *stuck = false;
    if (!b || !L) {
        das_fail_nomem(err);
        goto done;
    }
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    b->opts = opts;
    b->listing = true;
    rc = pass(b, err);
    b->listing = false;
    if (rc == 0)
        run_all(b, L);
    *stuck = b->stuck;
done:
    if (L)
        lua_close(L);
    if (*stuck)
        return rc;
    if (b)
        bench_clear(b);
    das_free(b);
    return rc;
}
