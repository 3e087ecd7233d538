/* engine.c - runs one script from start to end (see engine.h). */
#include "bindings/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

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

/* The message, and below it where in the script it was called from. */
static int on_error(lua_State *L)
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
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.source[0] != '@' || ar.currentline <= 0)
            continue;
        if (frames++ > 0 && frames <= 12) { // the first frame is in the message already
            lua_pushfstring(L, "\n  called from %s:%d", ar.short_src, ar.currentline);
            luaL_addvalue(&b);
        }
    }
    luaL_pushresult(&b);
    return 1;
}

struct job {
    struct das_text code;
    const char *chunk; /* "@path" */
    const struct das_engine_opts *opts;
};

static int run_chunk(lua_State *L)
{
    const struct job *job = lua_touserdata(L, 1);
    int handler, args = (int)job->opts->arg_count;

    lua_pushcfunction(L, on_error);
    handler = lua_gettop(L);
    if (luaL_loadbufferx(L, job->code.ptr, job->code.len, job->chunk, "t") != LUA_OK)
        return lua_error(L);
    luaL_checkstack(L, args, "too many arguments");
    for (int i = 0; i < args; i++)
        lua_pushstring(L, job->opts->args[i]);
    if (lua_pcall(L, args, 0, handler) != LUA_OK)
        return lua_error(L);
    return 0;
}

static int run_state(struct das_run *run, const struct job *job, struct das_err *err)
{
    lua_State *L = das_state_new(run);
    int rc = 0;

    if (!L)
        return das_fail(err, DAS_E_NOMEM, "not enough memory for a Lua state");
    lua_pushcfunction(L, run_chunk);
    lua_pushlightuserdata(L, (void *)(uintptr_t)job);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        rc = das_fail(err, DAS_E_SCRIPT, "%s", message ? message : "the script failed");
    }
    lua_close(L);
    return rc;
}

static int copy_protect(struct das_run *run, struct das_err *err)
{
    const struct das_protect *from = run->opts->protect;

    das_protect_init(&run->protect);
    for (size_t i = 0; from && i < from->count; i++) {
        if (das_protect_add(&run->protect, from->filters[i], err) < 0)
            return -1;
    }
    return 0;
}

int das_engine_run(const struct das_engine_opts *opts, struct das_engine_result *result,
                   struct das_err *err)
{
    struct das_run run = {.opts = opts, .result = result};
    struct das_buf text = {0}, chunk = {0};
    struct job job = {.opts = opts};
    int rc = -1;

    memset(result, 0, sizeof *result);
    memset(err, 0, sizeof *err);
    if (das_script_read(opts->path, &text, err) < 0)
        goto done;
    das_buf_printf(&chunk, "@%s", strcmp(opts->path, "-") == 0 ? "stdin" : opts->path);
    if (das_buf_ok(&chunk, err) < 0 || copy_protect(&run, err) < 0)
        goto done;
    job.code = das_script_text(das_buf_view(&text));
    job.chunk = chunk.ptr;
    rc = run_state(&run, &job, err);
done:
    das_protect_clear(&run.protect);
    das_buf_clear(&run.warned);
    das_buf_clear(&chunk);
    das_buf_clear(&text);
    return rc;
}
