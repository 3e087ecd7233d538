/* test_config.c - das.lua: every mistake is named; it is data, never a program. */
#include "core/base/json.h"
#include "tests/unit/config_kit.h"

static void good(void)
{
    is_int(read_text("return {}"), 0, "an empty table");
    is_int(das_inventory_count(inv), 0, "names no instance");
    is_int(read_text("return { instances = { b = 'mem:x', a = { source = 'file:y' },\n"
                     "  c = { source = 'mysql://u@h/', password_file = '/f' },\n"
                     "  d = { source = 'mysql://u@h/', password_env = 'E' } },\n"
                     "  protect = { { user = 'backup' }, { user = 'etl', time = '5m' } } }"),
           0, "instances and a protect list: %s", err.msg);
    is_int(das_inventory_count(inv), 4, "four instances");
    is_str(das_inventory_name(inv, 0), "a", "by name");
    is_str(das_inventory_name(inv, 3), "d", "in order");
    is_int(protect.count, 2, "two protect filters");
    is_str(kit_text(protect.filters[1]), "{user=\"etl\", time=300}", "as written");
    is_int(read_text("#!/usr/bin/das\nlocal host = 'h' .. 1\n"
                     "return { instances = { x = 'mysql://u@' .. host .. '/' } }"),
           0, "values may be put together: %s", err.msg);
    is_int(read_text("return { instances = {}, protect = {} }"), 0, "empty lists");
}

static void mistakes(void)
{
    bad("", "expected `return { instances = {...} }`, got nil");
    bad("return 5", "expected `return { instances = {...} }`, got number");
    bad("return {", "unexpected symbol near <eof>");
    bad("retrn {}", "attempt to call a nil value (global 'retrn')");
    bad("return { instance = {} }",
        "configuration: unknown key \"instance\"; did you mean \"instances\"?");
    bad("return { zzzzzzzzzz = 1 }", "configuration: unknown key \"zzzzzzzzzz\"");
    bad("return { 1 }", "configuration: expected named keys, got a number");
    bad("return { instances = 'x' }", "instances: expected a table, got string");
    bad("return { instances = { 'mem:x' } }", "instances: expected names, got a number");
    bad("return { instances = { a = 5 } }", "instances.a: expected a source such as");
    bad("return { instances = { a = true } }", "or a table, got boolean");
    bad("return { instances = { a = 'x' } }",
        "instances.a.source: expected file:PATH, mem:PATH, mysql://user@host:port/ or das://");
    bad("return { instances = { a = {} } }", "instances.a.source: expected");
    bad("return { instances = { a = { source = 5 } } }",
        "instances.a.source: expected a string, got number");
    bad("return { instances = { a = { sorce = 'mem:x' } } }",
        "instances.a: unknown key \"sorce\"; did you mean \"source\"?");
    bad("return { instances = { a = { source = 'mem:x', password_file = 5 } } }",
        "instances.a.password_file: expected a string, got number");
    bad("return { instances = { a = { source = 'mem:x', password_file = 'f', "
        "password_env = 'e' } } }",
        "instances.a: password_file or password_env, not both");
    bad("return { protect = 'x' }", "protect: expected a list of filters, got string");
    bad("return { protect = { user = 'x' } }", "protect: expected a list of tables such as");
    bad("return { protect = { 'x' } }", "protect: expected a list of tables such as");
    bad("return { protect = { {} } }", "protect[1]: protect: the filter has no criterion");
    bad("return { protect = { { usr = 'x' } } }",
        "unknown filter key \"usr\"; did you mean \"user\"?");
    bad("return { protect = { { time = -1 } } }", "time: expected 0 to 2147483646, got -1");
    bad("return { protect = { { user = {} } } }", "user: expected a string, got table");
    ok(read_path("/nonexistent/das.lua") < 0 &&
           err.code == DAS_E_CONFIG && strstr(err.msg, "/nonexistent/das.lua"),
       "a file that is not there: %s", err.msg);
    ok(read_path("/") < 0 && err.code == DAS_E_CONFIG,
       "a folder: %s", err.msg);
}

static void passwords(void)
{
    bad("return { instances = { a = { source = 'mysql://u@h/', password = 'hunter2' } } }",
        "instances.a.password: a password does not belong in this file");
    ok(!strstr(err.msg, "hunter2"), "and is not repeated");
    bad("return { instances = { a = { source = 'mysql://u@h/', password = false } } }",
        "a password does not belong in this file");
}

/* There is nothing to call and no way to go on for ever. */
static void no_program(void)
{
    static const char *const names[] = {
        "print", "require", "load", "dofile", "os", "io", "string", "table", "math", "debug",
        "getmetatable", "setmetatable", "pcall", "error", "assert", "pairs", "next", "select",
        "type", "tostring", "rawget", "coroutine", "package", "utf8", "collectgarbage", "_G", "das"};
    char text[100];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "return { [%s == nil and 'instances' or 'x'] = {} }", names[i]);
        is_int(read_text(text), 0, "there is no %s: %s", names[i], err.msg);
    }
    bad("print('x')", "attempt to call a nil value (global 'print')");
    bad("return { instances = { a = ('x'):rep(100) } }", "attempt to index a string value");
    bad("while true do end", "the configuration is a table, not a program: it ran too long");
    bad("local function f() return f() end f()", "it ran too long");
    bad("local function f() return 1 + f() end f()", ""); /* stack or memory, whichever is first */
    bad("local t = {} for i = 1, 1e9 do t[i] = i end return t", "");
    bad("local s = 'x' for i = 1, 40 do s = s .. s end return { [s] = 1 }", "not enough memory");
    bad("\x1bLua", "attempt to load a binary chunk");
}

static void no_memory(void)
{
    const char *path = temp_text("return { instances = { b = 'mem:x', a = { source = 'file:y', "
                                 "password_env = 'E' } }, protect = { { user = 'x' } } }");
    int wrong = 0;
    long n;

    for (n = 1; n < 3000; n++) {
        bool failed;
        int rc;
        config_empty();
        das_alloc_fail_at(n);
        rc = read_path(path);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        /* Lua collects and tries again, so a failure may be overcome; then it must be complete */
        wrong += rc == 0 && (das_inventory_count(inv) != 2 || protect.count != 1);
        if (!failed)
            break;
    }
    ok(!wrong && n > 50 && n < 3000, "%ld failing allocations: all or an error", n - 1);
}

static void script_rules(void)
{
    size_t tags;
    struct das_script_rules r;

    is_int(read_text("return {}"), 0, "no rules");
    das_rules_for(&rules, "x.lua", &r);
    ok(r.limits.memory == 64 << 20 && r.limits.cpu_ms == 5000 && r.limits.wall_ms == 60000 &&
           r.limits.output == 16 << 20 && !r.limits.instructions && r.limits.http_requests == 100 &&
           r.limits.http_bytes == 16 << 20 && !r.grants,
       "the defaults");
    is_int(read_text("return { limits = { script = { memory = '8MB', cpu = '500ms', wall = '2m', "
                     "instructions = 1000, output = 77, http_requests = 3, http_bytes = '1KB' } }, "
                     "scripts = { ['/bin/sh'] = { limits = { cpu = 9 }, grants = { 'preview', "
                     "'http:a.example', 'secret:s', 'instance:i', 'tag:t' } }, "
                     "['/bin/cat'] = { grants = {} } } }"),
           0, "rules for all and for two scripts");
    das_rules_for(&rules, "/bin/ls", &r);
    ok(r.limits.memory == 8 << 20 && r.limits.cpu_ms == 500 && r.limits.wall_ms == 120000 &&
           r.limits.instructions == 1000 && r.limits.output == 77 && r.limits.http_requests == 3 &&
           r.limits.http_bytes == 1024,
       "one that is not named has the limits for all");
    ok(r.grants && das_granted(r.grants, "preview") && das_granted(r.grants, "instance:*") &&
           !das_granted(r.grants, "kill"),
       "and may look, but no more");
    das_rules_for(&rules, "/bin/sh", &r);
    ok(r.limits.memory == 8 << 20 && r.limits.cpu_ms == 9000, "its own limit, and the others'");
    ok(r.grants && das_granted(r.grants, "preview") && das_granted(r.grants, "http:a.example") &&
           !das_granted(r.grants, "kill") && !das_granted(r.grants, "http") &&
           !das_granted(r.grants, "secret:t"),
       "what it was granted and no more");
    das_rules_for(&rules, "/bin/cat", &r);
    ok(r.grants && !das_granted(r.grants, "preview"), "an empty list grants nothing");

    is_int(read_text("return { scripts = { ['*'] = { grants = { 'kill' } }, ['/bin/sh'] = {} } }"), 0,
           "\"*\" is every other script");
    das_rules_for(&rules, "/bin/ls", &r);
    ok(r.grants && das_granted(r.grants, "kill"), "which has its grants");
    das_rules_for(&rules, "-", &r);
    ok(r.grants && das_granted(r.grants, "kill"), "standard input too");
    das_rules_for(&rules, "/bin/sh", &r);
    ok(!r.grants, "a named one without grants has the default");
    bad("return { scripts = { ['/nowhere/x.lua'] = {} } }", "there is no such script");
    bad("return { scripts = { ['/bin/sh'] = {}, ['/bin/../bin/sh'] = {} } }", "is there twice");

    is_int(read_text("return { secrets = { a = { file = '/x' }, b = { env = 'Y' } } }"), 0, "secrets");
    ok(das_secrets_find(&secrets, "b", &err) && !das_secrets_find(&secrets, "c", &err),
       "by their names");
    bad("return { secrets = { a = 'hunter2' } }", "does not belong in this file");
    ok(!strstr(err.msg, "hunter2"), "and is not repeated");
    bad("return { secrets = { a = { file = 'x', env = 'Y' } } }", "expected one of file, env");
    bad("return { secrets = { a = { fil = 'x' } } }", "did you mean \"file\"");
    bad("return { limits = { script = { wall = '9999999999s' } } }", "a year at the most");
    bad("return { limits = 5 }", "limits: expected a table");
    bad("return { limits = { scripts = {} } }", "unknown key \"scripts\"; did you mean \"script\"");
    bad("return { limits = { script = { cpus = 1 } } }", "limits.script: unknown key \"cpus\"");
    bad("return { limits = { script = { cpu = 'soon' } } }", "limits.script.cpu: expected a duration");
    bad("return { limits = { script = { cpu = 0 } } }", "limits.script.cpu: expected a duration");
    bad("return { limits = { script = { memory = '64XB' } } }",
        "limits.script.memory: expected bytes such as \"64MB\", got 64XB");
    bad("return { limits = { script = { instructions = -1 } } }", "expected a whole number");
    bad("return { scripts = { 'x.lua' } }", "scripts: expected paths");
    bad("return { scripts = { ['/bin/sh'] = { grant = {} } } }", "did you mean \"grants\"");
    bad("return { scripts = { ['/bin/sh'] = { grants = 'kill' } } }", "expected a list of strings");
    bad("return { scripts = { ['/bin/sh'] = { grants = { 'kil' } } } }", "unknown grant \"kil\"");
    bad("return { scripts = { ['/bin/sh'] = { grants = { 'secret:' } } } }", "unknown grant \"secret:\"");
    bad("return { instances = { a = { source = 'mem:x', tags = { 5 } } } }",
        "instances.a.tags: expected a list of strings, item 1 is number");
    is_int(read_text("return { instances = { a = { source = 'mem:x', tags = { 'p', 'q' } } } }"), 0,
           "tags");
    is_str(das_inventory_tags(inv, 0, &tags)[1], "q", "the second");
    is_int((long long)tags, 2, "and no third");
}

int main(void)
{
    config_init();
    good();
    script_rules();
    mistakes();
    passwords();
    no_program();
    no_memory();
    config_clear();
    temp_clear();
    return tap_done();
}
