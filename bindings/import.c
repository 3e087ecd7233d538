/*
 * import.c - lends the program to scripts/prelude/pt_kill.lua, which writes policies (see import.h).
 */
#include "bindings/import.h"

#include <string.h>

#include "bindings/bind.h"

struct job {
    char *const *args;
    size_t count;
    struct das_buf *out, *notes;
    struct das_buf wrong; /* what is wrong with the arguments */
};

/* read(path): the text of a file, or nil and why. */
static int host_read(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct das_buf *b = das_scratch(L);
    struct das_err err = {0};
    int rc;

    if (strcmp(path, "-") == 0)
        rc = das_fail(&err, DAS_E_IO, "standard input is no file");
    else
        rc = das_script_read(path, b, &err);
    if (rc < 0) {
        lua_pushnil(L);
        lua_pushstring(L, err.msg);
        return 2;
    }
    das_push_buf(L, b);
    return 1;
}

static void push_host(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"nearest", das_tool_nearest}, {"read", host_read}, {NULL, NULL}};

    luaL_newlib(L, functions);
}

static void append(lua_State *L, int index, struct das_buf *b)
{
    size_t len;
    const char *text = luaL_checklstring(L, index, &len);

    das_buf_text(b, das_text(text, len));
}

static int translate(lua_State *L)
{
    struct job *job = lua_touserdata(L, 1);

    lua_settop(L, 0);
    das_load_embedded(L, "pt_kill");
    das_load_embedded(L, "pt_kill_options");
    push_host(L);
    lua_call(L, 1, 1); // pt_kill parse
    das_load_embedded(L, "pt_kill_text");
    lua_call(L, 0, 1);
    push_host(L);
    lua_call(L, 3, 1); // translate
    lua_createtable(L, (int)job->count, 0);
    for (size_t i = 0; i < job->count; i++) {
        lua_pushstring(L, job->args[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_call(L, 1, 2); // text notes, or nil and what is wrong
    if (lua_isnil(L, 1)) {
        append(L, 2, &job->wrong);
        return 0;
    }
    append(L, 1, job->out);
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, 2); i++) {
        lua_rawgeti(L, 2, (lua_Integer)i);
        append(L, -1, job->notes);
        das_buf_char(job->notes, '\n');
        lua_pop(L, 1);
    }
    return 0;
}

int das_import_pt_kill(char *const *args, size_t n, struct das_buf *out, struct das_buf *notes,
                       struct das_err *err)
{
    struct job job = {.args = args, .count = n, .out = out, .notes = notes};
    int rc = das_tool_run(translate, &job, "import-pt-kill", err);

    if (rc == 0 && job.wrong.len)
        rc = das_fail(err, DAS_E_USAGE, "%.*s", (int)job.wrong.len, job.wrong.ptr);
    if (rc == 0)
        rc = das_buf_ok(out, err);
    if (rc == 0)
        rc = das_buf_ok(notes, err);
    das_buf_clear(&job.wrong);
    return rc;
}
