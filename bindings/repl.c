/*
 * repl.c - see repl.h. Each chunk runs on a thread of its own, as a script does: so its processor
 * time is its own, and signals stay with the thread that waits.
 */
#include "bindings/repl.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "bindings/bind.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#define COMPLETE_MS 200 /* as long as a person does not notice much */

struct das_repl {
    struct das_run run;
    lua_State *L;
    int show, complete; /* functions, in the registry */
};

/* --- what the Lua of scripts/prelude/ asks --------------------------------------------------------- */

/* names(value, fields, methods) */
static int host_names(lua_State *L)
{
    lua_settop(L, 3);
    lua_newtable(L);
    return das_object_names(L, 1, lua_toboolean(L, 2), lua_toboolean(L, 3)) ? 1 : 0;
}

/* all(fields, methods) */
static int host_all(lua_State *L)
{
    static const char *const types[] = {DAS_SELECTION, DAS_SESSION,  DAS_PLAN,
                                        DAS_REPORT,    DAS_INSTANCE, DAS_EXPLANATION};

    lua_settop(L, 2);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        das_class_names(L, types[i], lua_toboolean(L, 1), lua_toboolean(L, 2));
    return 1;
}

static int host_instances(lua_State *L)
{
    struct das_inventory *inv = das_run_of(L)->opts->inventory;
    size_t n = das_inventory_count(inv);

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, das_inventory_name(inv, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int open_tools(lua_State *L)
{
    static const luaL_Reg host[] = {
        {"names", host_names}, {"all", host_all}, {"instances", host_instances}, {NULL, NULL},
    };
    struct das_repl *r = lua_touserdata(L, 1);

    das_load_embedded(L, "show");
    lua_pushcfunction(L, das_lua_kind);
    lua_call(L, 1, 1);
    r->show = luaL_ref(L, LUA_REGISTRYINDEX);
    das_load_embedded(L, "complete");
    luaL_newlib(L, host);
    das_push_names(L, das_key_names, DAS_K_COUNT);
    lua_setfield(L, -2, "criteria");
    lua_call(L, 1, 1);
    r->complete = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* --- its life -------------------------------------------------------------------------------------- */

struct das_repl *das_repl_new(const struct das_engine_opts *opts, struct das_err *err)
{
    struct das_repl *r = das_calloc(1, sizeof *r);

    if (!r) {
        das_fail_nomem(err);
        return NULL;
    }
    if (das_run_init(&r->run, opts, err) < 0)
        goto fail;
    r->L = das_state_new(&r->run);
    if (r->L) {
        lua_pushcfunction(r->L, open_tools);
        lua_pushlightuserdata(r->L, r);
    }
    if (!r->L || lua_pcall(r->L, 1, 0, 0) != LUA_OK) {
        das_fail(err, DAS_E_NOMEM, "not enough memory for a Lua state");
        goto fail;
    }
    return r;
fail:
    das_repl_free(r);
    return NULL;
}

void das_repl_free(struct das_repl *r)
{
    if (!r)
        return;
    r->run.closing = true;
    if (r->L)
        lua_close(r->L);
    das_run_clear(&r->run);
    das_free(r);
}

const struct das_engine_result *das_repl_result(const struct das_repl *r)
{
    return &r->run.result;
}

/* --- a chunk --------------------------------------------------------------------------------------- */

struct job {
    struct das_repl *r;
    struct das_text chunk;
    size_t first_line;
    struct das_err *err;
    enum das_repl_end end;
};

/* [-0, +1] "return " and the chunk, or the chunk, below as many empty lines as came before it, so
 * that the line numbers fit. */
static void push_code(lua_State *L, const struct job *job, const char *before)
{
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    for (size_t i = 1; i < job->first_line; i++)
        luaL_addchar(&b, '\n');
    luaL_addstring(&b, before);
    luaL_addlstring(&b, job->chunk.ptr, job->chunk.len);
    luaL_pushresult(&b);
}

/* [-0, +1] a function, or a message. */
static int load_chunk(lua_State *L, const struct job *job, const char *before)
{
    const char *name = lua_pushfstring(L, "@%s", das_run_of(L)->opts->path);
    const char *code;
    size_t len;
    int status;

    push_code(L, job, before); // name code
    code = lua_tolstring(L, -1, &len);
    status = luaL_loadbufferx(L, code, len, name, "t");
    lua_replace(L, -3);
    lua_pop(L, 1);
    return status;
}

static bool ends_too_early(lua_State *L)
{
    static const char mark[] = "<eof>";
    size_t len;
    const char *message = lua_tolstring(L, -1, &len);

    return len >= sizeof mark - 1 && strcmp(message + len - (sizeof mark - 1), mark) == 0;
}

/* Writes the values at from..top. */
static void print_values(lua_State *L, const struct das_repl *r, int from)
{
    FILE *out = r->run.opts->out;
    int top = lua_gettop(L);

    luaL_checkstack(L, 10, "too many results");
    for (int i = from; i <= top; i++) {
        struct das_buf *b = das_scratch(L);
        size_t len;
        const char *text;
        bool ended = das_render_value(L, i, b);
        if (ended) {
            das_push_buf(L, b);
        } else {
            lua_rawgeti(L, LUA_REGISTRYINDEX, r->show);
            lua_pushvalue(L, i);
            lua_call(L, 1, 1);
        }
        text = lua_tolstring(L, -1, &len);
        das_run_count_output(L, len + 1);
        fwrite(text, 1, len, out);
        if (!ended)
            fputc('\n', out);
        lua_settop(L, top);
    }
}

static int run_chunk(lua_State *L)
{
    struct job *job = lua_touserdata(L, 1);

    lua_settop(L, 0);
    lua_pushcfunction(L, das_on_error);
    if (load_chunk(L, job, "return ") != LUA_OK) { // 2
        lua_pop(L, 1);
        if (load_chunk(L, job, "") != LUA_OK) {
            if (ends_too_early(L)) {
                job->end = DAS_REPL_MORE;
                return 0;
            }
            return lua_error(L);
        }
    }
    if (lua_pcall(L, 0, LUA_MULTRET, 1) != LUA_OK)
        return lua_error(L);
    print_values(L, job->r, 2);
    return 0;
}

/* The limits begin anew. */
static void begin(struct das_run *run, lua_State *L)
{
    atomic_store(&run->stop, DAS_STOP_NOT);
    atomic_store(&run->used.instructions, 0);
    atomic_store(&run->used.output, 0);
    atomic_store(&run->used.http_requests, 0);
    atomic_store(&run->used.http_bytes, 0);
    run->memory_refused = false;
    run->memory_asked = 0;
    run->start_ms = das_clock_monotonic_ms();
    atomic_store(&run->wall_from_ms, run->start_ms);
    lua_sethook(L, das_run_hook, LUA_MASKCOUNT, DAS_HOOK_STEPS);
}

static void *chunk_thread(void *arg)
{
    struct job *job = arg;
    struct das_run *run = &job->r->run;
    lua_State *L = job->r->L;
    const char *message;
    int status;

    begin(run, L);
    lua_pushcfunction(L, run_chunk);
    lua_pushlightuserdata(L, job);
    status = lua_pcall(L, 1, 0, 0);
    message = status != LUA_OK && lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    pthread_mutex_lock(&run->lock);
    if (das_run_judge(run, status, message, job->err) < 0)
        job->end = DAS_REPL_FAILED;
    das_vault_redact_err(&run->vault, job->err);
    pthread_mutex_unlock(&run->lock);
    lua_settop(L, 0);
    if (run->memory_refused)
        lua_gc(L, LUA_GCCOLLECT);
    return NULL;
}

/* Signals are for the thread that waits. */
static int on_thread(void *(*f)(void *), void *arg, struct das_err *err)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, f, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return das_fail(err, DAS_E_NOMEM, "no thread for the chunk: %s", strerror(rc));
    pthread_join(thread, NULL);
    return 0;
}

enum das_repl_end das_repl_run(struct das_repl *r, struct das_text chunk, size_t first_line,
                               struct das_err *err)
{
    struct job job = {.r = r, .chunk = chunk, .first_line = first_line, .err = err};

    memset(err, 0, sizeof *err);
    return on_thread(chunk_thread, &job, err) < 0 ? DAS_REPL_FAILED : job.end;
}

/* --- completion ------------------------------------------------------------------------------------ */

struct question {
    struct das_repl *r;
    struct das_text line;
    struct das_buf *out;
    size_t replace;
};

static int ask(lua_State *L)
{
    struct question *q = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, q->r->complete);
    lua_pushlstring(L, q->line.ptr, q->line.len);
    lua_call(L, 1, 2); // q replace list
    q->replace = (size_t)lua_tointeger(L, -2);
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1); i++) {
        struct das_text name;
        lua_rawgeti(L, -1, (lua_Integer)i);
        name.ptr = lua_tolstring(L, -1, &name.len);
        das_buf_text(q->out, name);
        das_buf_char(q->out, '\n');
        lua_pop(L, 1);
    }
    return 0;
}

static void *question_thread(void *arg)
{
    struct question *q = arg;
    struct das_run *run = &q->r->run;
    int64_t wall = run->limits.wall_ms;
    lua_State *L = q->r->L;

    begin(run, L);
    run->limits.wall_ms = COMPLETE_MS;
    lua_pushcfunction(L, ask);
    lua_pushlightuserdata(L, q);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        das_buf_reset(q->out);
    lua_settop(L, 0);
    run->limits.wall_ms = wall;
    return NULL;
}

void das_repl_complete(struct das_repl *r, struct das_text line, struct das_buf *out,
                       size_t *replace)
{
    struct question q = {.r = r, .line = line, .out = out};
    struct das_err err;

    on_thread(question_thread, &q, &err); /* without a thread there is no answer */
    *replace = q.replace;
}
