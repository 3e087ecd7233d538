/*
 * fuzz_bindings.c - calls every function and method of das with random Lua values.
 *
 * The input's first bytes seed a script that picks targets, receivers and arguments among all kinds
 * of values, also of das itself and of tables whose metamethods misbehave. Method names are those of
 * the editor stub, which a test holds against the binary. Nothing may crash or leak, and a dry run
 * may not kill.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bindings/engine.h"

static const char sample[] =
    "{\"data_sync_time\":1000,\"processes\":["
    "{\"id\":1,\"user\":\"app\",\"command\":\"Query\",\"sql_info\":\"SELECT a FROM t WHERE b = 1\","
    "\"state_duration\":10,\"host\":\"h:1\",\"db\":\"d\",\"state\":\"Sending data\",\"trx_time\":null},"
    "{\"id\":2,\"user\":\"app\",\"command\":\"Sleep\",\"sql_info\":null,\"state_duration\":20,"
    "\"host\":\"h:2\",\"db\":null,\"state\":\"\",\"trx_time\":30,\"rows_modified\":5},"
    "{\"id\":3,\"user\":\"b\",\"command\":\"Query\",\"sql_info\":\"SELECT 2\",\"state_duration\":null,"
    "\"host\":\"[::1]:3\",\"db\":\"d\",\"state\":\"\"}]}\n";

static const char script[] =
    "local roll = math.random\n"
    "math.randomseed(seed, seed2)\n"
    "local odd = setmetatable({}, { __index = function(_, k) if roll(3) == 1 then error(k) end return k end,\n"
    "  __len = function() return roll(-5, 50) end, __call = function(_, ...) return ... end,\n"
    "  __tostring = function() return roll(2) == 1 and 'odd' or {} end, __name = 'odd',\n"
    "  __lt = function() error('lt') end, __eq = function() return true end,\n"
    "  __pairs = function() return next, { time = 5, id = { 1 }, 7 } end })\n"
    "local words = { 'user', 'app%', 'time', '5m', 'Query', 'kill', 'query', 'auto', 'fingerprint', '%',\n"
    "  'select~from', '~', '', 'id', 'x.y', '../x', 'host_part', '2026-01-01T00:00:00Z', 'UTC', 'GET',\n"
    "  'http://127.0.0.1:1/', 'sha256', '{\"a\":[1,2.5,null]}', '[[[[', ('a'):rep(300), '\\0\\255\\n\\27[2J' }\n"
    "local pool = { das.filter{ user = 'a' }, das.filter{}, das.preview{ all = true }, odd }\n"
    "local value\n"
    "local function small(depth)\n"
    "  local t = {}\n"
    "  for _ = 1, roll(0, 4) do\n"
    "    local k = roll(3) == 1 and roll(5) or words[roll(#words)]\n"
    "    t[k] = value(depth + 1)\n"
    "  end\n"
    "  return t\n"
    "end\n"
    "function value(depth)\n"
    "  local kind = roll(14)\n"
    "  if kind == 1 then return nil end\n"
    "  if kind == 2 then return roll(2) == 1 end\n"
    "  if kind == 3 then return roll(-3, 70) end\n"
    "  if kind == 4 then return ({ math.maxinteger, math.mininteger, 1 << 31, -1, 0 })[roll(5)] end\n"
    "  if kind == 5 then return ({ 0.5, 1e300, -1e300, 0 / 0, 1 / 0, 5.0 })[roll(6)] end\n"
    "  if kind <= 8 then return words[roll(#words)] end\n"
    "  if kind == 9 then return function(...) if roll(4) == 1 then error(odd) end return ... end end\n"
    "  if kind == 10 then return coroutine.create(function() end) end\n"
    "  if kind == 11 and (depth or 0) < 3 then return small(depth or 0) end\n"
    "  return pool[roll(#pool)]\n"
    "end\n"
    "local functions = {}\n"
    "local function collect(t, depth)\n"
    "  for _, v in pairs(t) do\n"
    "    if v == das.sleep then goto next end\n" /* waiting finds nothing */
    "    if type(v) == 'function' then functions[#functions + 1] = v\n"
    "    elseif type(v) == 'table' and depth < 3 then pcall(collect, v, depth + 1) end\n"
    "    ::next::\n"
    "  end\n"
    "end\n"
    "collect(das, 0)\n"
    "local function call()\n"
    "  local kind = roll(6)\n"
    "  if kind <= 2 then return functions[roll(#functions)](value(), value(), value()) end\n"
    "  local object = pool[roll(#pool)]\n"
    "  if kind <= 4 then return object[names[roll(#names)]](roll(8) == 1 and value() or object, value(), value()) end\n"
    "  if kind == 5 then\n"
    "    local op = roll(7)\n"
    "    if op == 1 then return object & value() elseif op == 2 then return value() | object\n"
    "    elseif op == 3 then return ~object elseif op == 4 then return #object\n"
    "    elseif op == 5 then return tostring(object) elseif op == 6 then return object[value()] end\n"
    "    for _, v in pairs(object) do pool[#pool + 1] = v break end\n"
    "    return\n"
    "  end\n"
    "  print(value(), object)\n"
    "end\n"
    "for _ = 1, 60 do\n"
    "  local ok, result = pcall(call)\n"
    "  if ok and result ~= nil and type(result) ~= 'string' and type(result) ~= 'number' then\n"
    "    if #pool > 40 then pool[roll(#pool)] = result else pool[#pool + 1] = result end\n"
    "  end\n"
    "end\n";

static char *names; /* "local names = { 'oldest', ... }" */

/* From lines such as "function selection:oldest(n) end" and "---@field count integer". */
static void read_names(void)
{
    FILE *f = fopen("scripts/types/das.d.lua", "r");
    char line[400], name[64];
    size_t size;
    FILE *out = open_memstream(&names, &size);

    if (!f || !out) {
        fprintf(stderr, "run me in the project's folder\n");
        exit(1);
    }
    fputs("local names = { ", out);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "function %*[a-z_.]:%63[a-z_0-9]", name) == 1 ||
            sscanf(line, "---@field %63[a-z_0-9]", name) == 1)
            fprintf(out, "'%s', ", name);
    }
    fputs("}\n", out);
    fclose(f);
    fclose(out);
}

static int as_file(const char *name, const char *text, size_t len, char path[40])
{
    int fd = memfd_create(name, 0);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        abort();
    snprintf(path, 40, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_limits limits = das_limits_default;
    struct das_engine_result result;
    struct das_source_conf conf = {.name = "shop"};
    struct das_engine_opts opts = {.limits = &limits, .width = 80};
    char list_path[40], script_path[40], spec[60];
    uint64_t seed[2] = {0, 0};
    char *text;
    int list, script_fd;
    struct das_err err;

    if (!names)
        read_names();
    memcpy(seed, data, size < sizeof seed ? size : sizeof seed);
    if (asprintf(&text, "local seed, seed2 = %lld, %lld\n%s%s", (long long)seed[0],
                 (long long)seed[1], names, script) < 0)
        abort();
    list = as_file("list", sample, sizeof sample - 1, list_path);
    script_fd = as_file("script", text, strlen(text), script_path);
    free(text);
    snprintf(spec, sizeof spec, "mem:%s", list_path);
    conf.spec = spec;
    opts.path = script_path;
    opts.output = (enum das_output)(seed[0] % 3);
    opts.inventory = das_inventory_new(&err);
    opts.out = fopen("/dev/null", "w");
    if (!opts.inventory || !opts.out || das_inventory_add(opts.inventory, &conf, &err) < 0)
        abort();
    limits.wall_ms = 2000;
    if (das_engine_run(&opts, &result, &err) < 0 && err.code == DAS_E_SCRIPT) {
        fprintf(stderr, "the script itself failed: %s\n", err.msg);
        abort();
    }
    if (result.end == DAS_END_STUCK || result.act_count || result.totals[DAS_O_KILLED])
        abort();
    das_engine_result_clear(&result);
    das_inventory_free(opts.inventory);
    fclose(opts.out);
    close(list);
    close(script_fd);
    return 0;
}
