/*
 * fuzz_json.c - any bytes through das.json: what decodes must encode, and then decode and encode to
 * the same bytes; what does not must say why. Bytes of a string that is no JSON go through encode.
 */
#include <stdlib.h>
#include <string.h>

#include "bindings/bind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char script[] =
    "local json, text = das.json, ...\n"
    "local value, message, code = json.decode(text)\n"
    "if value == nil then\n"
    "  assert(#message > 8 and code == 'data')\n"
    "else\n"
    "  local once = json.encode(value)\n"
    "  assert(json.encode(json.decode(once)) == once)\n"
    "  assert(json.encode(json.decode(json.encode(value, { indent = 3 }))) == once)\n"
    "end\n"
    "local ok, quoted = pcall(json.encode, text)\n"
    "assert(ok == (utf8.len(text) ~= nil))\n"
    "assert(not ok or json.decode(quoted) == text)\n"
    "assert(json.decode(json.encode(text, { invalid_utf8 = 'replace' })))\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct das_run run;
    static struct das_engine_opts opts = {.path = "fuzz"};
    static lua_State *L; /* kept: a fresh one for each input would take most of the time */
    struct das_err err;

    if (!L) {
        if (das_run_init(&run, &opts, &err) < 0 || !(L = das_state_new(&run)) ||
            luaL_loadbufferx(L, script, strlen(script), "@fuzz", "t") != LUA_OK)
            abort();
        lua_sethook(L, NULL, 0, 0); /* its limits are for one run */
    }
    lua_pushvalue(L, 1);
    lua_pushlstring(L, (const char *)data, size);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    return 0;
}
