/*
 * test_engine.c - scripts through das_engine_run(): dry and armed, errors, formats, failing memory.
 *
 * Each script runs on a fresh in-memory instance; what became of its sessions is looked up there,
 * not taken from the script's word.
 */
#include "bindings/engine.h"

#include "core/base/json.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"
#include "tests/unit/temp_state.h"

static struct das_err err;
static struct das_engine_result result;
static char *output;      /* of the last run */
static uint32_t left;     /* sessions left after it */
static int rc;

static const char sample[] =
    "ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\tQUERY_ID\tTRX_TIME\n"
    "1\tapp\th:1\tshop\tQuery\t10\tSending data\tselect 1 from t\t101\tNULL\n"
    "2\tapp\th:2\tshop\tSleep\t20\t\tNULL\t102\t15\n"
    "3\troot\th:3\tNULL\tQuery\t30\tinit\tselect 3 from t\t103\tNULL\n"
    "4\tapp\th:4\tshop\tQuery\t40\tinit\tupdate t set a = 1\t104\t40\n"
    "5\tevent_scheduler\tlocalhost\tNULL\tDaemon\t999\t\tNULL\t0\tNULL\n"
    "6\todd\th:5\tNULL\tQuery\tNULL\t\tselect 6 from t\t106\tNULL\n";

struct how {
    bool armed;
    enum das_output output;
    const char *const *args;
    size_t arg_count;
    const struct das_protect *protect;
    size_t memory_limit;
    long fail_at; /* allocation of the run that fails; 0: none */
};

static const char *sample_path, *script_path;

static struct das_inventory *inventory(void)
{
    struct das_inventory *inv = das_inventory_new(&err);
    char spec[100];
    struct das_source_conf conf = {.name = "shop", .spec = spec};

    snprintf(spec, sizeof spec, "mem:%s", sample_path);
    if (!inv || das_inventory_add(inv, &conf, &err) < 0 || !das_inventory_open(inv, 0, &err)) {
        tap_diag("inventory: %s", err.msg);
        exit(1);
    }
    return inv;
}

static bool run_file(const char *path, struct how how)
{
    struct das_inventory *inv = inventory();
    struct das_snapshot *snap = NULL;
    size_t size = 0;
    bool failed;
    struct das_limits limits = das_limits_default;
    struct das_engine_opts opts = {.path = path,
                                   .args = how.args,
                                   .arg_count = how.arg_count,
                                   .inventory = inv,
                                   .protect = how.protect,
                                   .armed = how.armed,
                                   .policy = &allow_all,
                                   .state_dir = temp_state_dir(),
                                   .output = how.output,
                                   .width = 100,
                                   .limits = &limits};

    if (how.memory_limit)
        limits.memory = how.memory_limit;
    free(output);
    output = NULL;
    opts.out = open_memstream(&output, &size);
    das_engine_result_clear(&result);
    das_alloc_fail_at(how.fail_at);
    rc = das_engine_run(&opts, &result, &err);
    failed = das_alloc_failed();
    das_alloc_fail_at(0);
    fclose(opts.out);
    if (das_source_list(das_inventory_open(inv, 0, &err), NULL, &snap, &(struct das_err){0}) < 0)
        exit(1);
    left = 0;
    for (uint32_t i = 0; i < das_snapshot_rows(snap); i++) { /* alive and still busy */
        struct das_session s;
        das_snapshot_get(snap, i, &s);
        left += s.id == 2 || !das_text_is(s.command, "Sleep");
    }
    das_snapshot_release(snap);
    das_inventory_free(inv);
    return failed;
}

static void run(const char *script, struct how how)
{
    FILE *f = fopen(script_path, "w");

    if (!f || fputs(script, f) < 0 || fclose(f) != 0)
        exit(1);
    run_file(script_path, how);
}

static void prints(const char *script, const char *want)
{
    run(script, (struct how){0});
    if (!ok(rc == 0, "runs: %.70s", script))
        tap_diag("%s", err.msg);
    is_str(output, want, "and prints what it should");
}

/* The error's text after "script:LINE: ". */
static void raises(const char *script, int line, const char *want)
{
    char where[100];

    run(script, (struct how){0});
    ok(rc < 0 && err.code == DAS_E_SCRIPT, "raises: %.70s", script);
    snprintf(where, sizeof where, "%s:%d: ", script_path, line);
    if (!ok(strncmp(err.msg, where, strlen(where)) == 0, "at line %d", line))
        tap_diag("%s", err.msg);
    else
        has_str(err.msg + strlen(where), want, "saying so");
}

/* --- dry and armed ---------------------------------------------------------------------------------- */

#define MAIN_JOB                                                                                   \
    "local found = das.preview(das.filter{ time = 5 } | { user = 'app' })\n"                       \
    "local r = found:plan{ reason = 'test' }:apply()\n"                                            \
    "print(r.killed, r.would_kill, r.protected, r.count, r.dry_run, das.dry_run)"

static void dry_and_armed(void)
{
    struct das_protect protect;
    struct das_filter *f = kit_filter("user", "root");

    run(MAIN_JOB, (struct how){0});
    ok(rc == 0, "a dry run: %s", err.msg);
    is_str(output, "0\t4\t1\t5\ttrue\ttrue\n", "tells what would be");
    is_int(left, 6, "and touches nobody");
    ok(result.applied == 1 && result.totals[DAS_O_DRY_RUN] == 4 &&
           result.totals[DAS_O_PROTECTED] == 1 && result.totals[DAS_O_KILLED] == 0,
       "the program hears the same");
    run(MAIN_JOB, (struct how){.armed = true});
    is_str(output, "4\t0\t1\t5\tfalse\tfalse\n", "armed, it does what it said");
    is_int(left, 2, "the protected and the unmatched one are left");
    ok(result.applied == 1 && result.totals[DAS_O_KILLED] == 4 &&
           result.totals[DAS_O_PROTECTED] == 1,
       "the program hears the same");

    das_protect_init(&protect);
    must(das_protect_add(&protect, f, &err) == 0, "a protect filter of the configuration");
    das_filter_release(f);
    run(MAIN_JOB, (struct how){.armed = true, .protect = &protect});
    is_str(output, "3\t0\t2\t5\tfalse\tfalse\n", "is heeded");
    das_protect_clear(&protect);
    run("das.protect{ user = 'app' }\n" MAIN_JOB, (struct how){.armed = true});
    is_str(output, "1\t0\t4\t5\tfalse\tfalse\n", "as is one of the script");

    /* nothing that a script does arms a dry run */
    run("pcall(function() das.dry_run = false end)\n"
        "pcall(rawset, das, 'dry_run', false)\n"
        "local r = das.preview{ all = true }:plan{}\n"
        "pcall(function() r.armed = true end)\n"
        "pcall(r.apply, r, { armed = true, apply = true })\n"
        "pcall(r.apply, r, true)\n",
        (struct how){0});
    is_int(left, 6, "a script cannot arm itself");
    is_int(result.totals[DAS_O_KILLED], 0, "nor claim to have");

    run("local p = das.preview{ user = 'app' }:plan{ kill = 'connection' } p:apply() p:apply()",
        (struct how){.armed = true});
    ok(result.applied == 2 && result.totals[DAS_O_KILLED] == 3 && result.totals[DAS_O_REFUSED] == 3,
       "totals of all applies add up; a plan is applied once");
    run("das.preview{ user = 'app' }:plan{}:apply() error('afterwards')",
        (struct how){.armed = true});
    ok(rc < 0 && result.totals[DAS_O_KILLED] == 3, "kills before an error are told too");
    run("pcall(function() das.preview{ user = 'app' }:plan{}:apply() error() end)",
        (struct how){.armed = true});
    ok(rc == 0 && result.totals[DAS_O_KILLED] == 3, "caught or not");
}

/* --- errors -------------------------------------------------------------------------------------------- */

static void positions(void)
{
    char want[300];

    raises("x = = 1", 1, "unexpected symbol near '='");
    raises("\n\nerror('boom')", 3, "boom");
    raises("local function f() error('deep') end\nlocal function g()\n  f()\nend\n\ng()", 1, "deep");
    snprintf(want, sizeof want, "\n  called from %s:3\n  called from %s:6", script_path,
             script_path);
    has_str(err.msg, want, "and who called");
    raises("local c = coroutine.wrap(function()\n  das.filter{ usr = 1 } end)\nc()", 3,
           ":2: unknown filter key \"usr\"; did you mean \"user\"?"); /* wrap() adds its own */
    raises("\nlocal x = nil\nx()", 3, "attempt to call a nil value");
    raises("das.preview{ all = true }:where(function(s)\n  error('in a callback') end)", 2,
           "in a callback");
    run("error({})", (struct how){0});
    is_str(err.msg, "the script raised a table", "an error that is no text");
    run("error(setmetatable({}, { __tostring = function() return 'says this' end }))",
        (struct how){0});
    is_str(err.msg, "says this", "one that has a text");
    run("error(nil)", (struct how){0});
    ok(rc < 0 && err.msg[0], "an error of nothing: %s", err.msg);
    run("error(setmetatable({}, { __tostring = function() error('again') end }))",
        (struct how){0});
    ok(rc < 0 && err.msg[0], "one that fails to tell");
    run("local function f() return f() + 1 end f()", (struct how){0});
    ok(rc < 0 && err.msg[0], "endless recursion ends: %.60s", err.msg);
    run("local t = {} for i = 1, 1e9 do t[i] = i end", (struct how){.memory_limit = 4 << 20});
    ok(rc < 0 && strstr(err.msg, "not enough memory"), "as does endless memory");
    run("string.rep('x', 1 << 40)", (struct how){0});
    ok(rc < 0, "at once too");
    run("#!/usr/bin/env -S das run\nerror('x')", (struct how){0});
    has_str(err.msg, ":2: x", "a first line for the shell counts as a line");
    run("\x1bLua", (struct how){0});
    ok(rc < 0 && strstr(err.msg, "binary chunk"), "no compiled code");
    run_file("/nonexistent.lua", (struct how){0});
    ok(rc < 0 && err.code == DAS_E_IO, "a script that is not there: %s", err.msg);
    run_file("/", (struct how){0});
    ok(rc < 0 && err.code == DAS_E_IO, "a folder: %s", err.msg);
}

static void unknown_fields(void)
{
#define P "local p = das.preview{ all = true }\n"
    raises("das.preveiw{}", 1, "das has no field \"preveiw\"; did you mean \"preview\"?");
    raises(P "return p.total", 2, "a preview has no field \"total\"; did you mean \"total_count\"?");
    raises(P "return p.zzzzzzzz", 2, "a preview has no field \"zzzzzzzz\"");
    raises(P "return p[1].time", 2, "a session has no field \"time\"; did you mean \"state_duration\"?");
    raises(P "return p[1].usr", 2, "a session has no field \"usr\"; did you mean \"user\"?");
    raises(P "return p.processes.first", 2, "processes is an array");
    raises(P "return p:plan{}.id", 2, "a plan has no field \"id\"; did you mean \"ids\"?");
    raises(P "return p:plan{}:apply().kiled", 2,
           "a report has no field \"kiled\"; did you mean \"killed\"?");
    raises(P "return p:explain(1).reason", 2,
           "an explanation has no field \"reason\"; did you mean \"reasons\"?");
    raises("return das.instance('shop').nme", 1,
           "an instance has no field \"nme\"; did you mean \"name\"?");
    raises("return das.filter{}.user", 1, "a filter has no field \"user\"");
    raises("das.instance('shp')", 1, "no instance \"shp\"; did you mean \"shop\"?");
    raises("das.preview({}, { instnce = 'shop' })", 1,
           "preview: unknown option \"instnce\"; did you mean \"instance\"?");
    raises("das.preview({}, { pushdown = 1 })", 1, "preview: pushdown: expected true or false");
    raises("das.preview(5)", 1, "expected a filter or a table of criteria, got number");
    raises("das.preview({}, { instance = 5 })", 1, "expected a name or an instance, got number");
    raises(P "p:plan{ kil = 'query' }", 2, "plan: unknown option \"kil\"; did you mean \"kill\"?");
    raises(P "p:plan{ kill = 'all' }", 2,
           "plan: kill: expected \"auto\", \"query\", \"connection\" or \"soft\", got all");
    raises(P "p:plan{ ttl = 0 }", 2, "plan: ttl: expected 1 to 86400 seconds");
    raises(P "p:plan{ ttl = 'soon' }", 2, "plan: ttl: expected");
    raises(P "p:plan{ reason = 5 }", 2, "plan: reason: expected a string, got number");
    raises(P "p:plan(5)", 2, "plan: expected a table of options, got number");
    raises(P "p:oldest(-1)", 2, "oldest: expected a whole number, 0 or more, got -1");
    raises(P "p:oldest(1.5)", 2, "oldest: expected a whole number, 0 or more, got 1.5");
    raises(P "p:limit('3')", 2, "limit: expected a whole number, 0 or more, got string");
    raises(P "p:explain('x')", 2, "explain: expected a session or its id, got string");
    raises(P "p:group_by('usr')", 2, "group_by: unknown field \"usr\"");
    raises(P "p:group_by(5)", 2, "group_by: expected a field name or a function, got number");
    raises(P "p:pick{ 1, 1 }", 2, "place 1 is twice");
    raises(P "p:pick{ 9 }", 2, "place 9 is not in a selection of 6");
    raises(P "p:where(5)", 2, "expected a filter or a table of criteria, got number");
    raises("das.filter{ id = { 1, 'x' } }", 1, "id: expected a list of whole numbers, item 2 is");
    raises("das.filter{ 'x' }", 1, "an item without a name");
    raises("das.protect{}", 1, "protect: the filter has no criterion");
    raises("das.x = 1", 1, "das is read-only");
    raises("require 'a/b'", 1, "is not a module name");
    raises("require '..x'", 1, "is not a module name");
    raises("require 'not_there'", 1, "no module \"not_there\"");
#undef P
}

/* --- what scripts can do ------------------------------------------------------------------------------ */

static void pleasant(void)
{
    static const char *const args[] = {"one", "two"};

    prints("print(#das.preview{ user = 'app' })", "3\n");
    prints("local t = {} for i, s in ipairs(das.preview{ user = 'app' }.processes) do\n"
           "t[#t + 1] = i .. ':' .. s.id end print(table.concat(t, ' '))",
           "1:1 2:2 3:4\n");
    prints("for s in pairs{} do end local p = das.preview{ time = 5 } \n"
           "print(p:oldest(2)[1].id, p:oldest(2)[2].id, p:newest(1)[1].id, p[99])",
           "5\t4\t1\tnil\n");
    prints("local s = das.preview{ id = 3 }[1] print(s.db, s.trx_time, s.state_duration, s.user)",
           "nil\tnil\t30\troot\n");
    prints("local c = coroutine.wrap(function() for _, s in ipairs(das.preview{ user = 'app' }) do\n"
           "coroutine.yield(s.id) end end) print(c(), c(), c())",
           "1\t2\t4\n");
    prints("print(das.filter{ user = 'a' } & { time = '1m' } | ~das.filter{ db = 'x' })",
           "{user=\"a\"} & {time=60} | ~{db=\"x\"}\n");
    prints("for _, g in ipairs(das.preview{ all = true }:group_by 'user') do\n"
           "io = nil print(g.key, g.count, #g.sessions) end",
           "app\t3\t3\nroot\t1\t1\nevent_scheduler\t1\t1\nodd\t1\t1\n");
    prints("for _, g in ipairs(das.preview{ all = true }:group_by(function(s) return s.db end)) do\n"
           "print(g.key, g.count) end",
           "shop\t3\nnil\t3\n");
    prints("print(#das.preview{ all = true }:where(function(s) return s.id > 3 end):where{ user = "
           "'app' })",
           "1\n");
    prints("print(#das.preview{}, das.preview{}.warnings[1])",
           "0\tthe filter has no criterion and selects nothing; all = true means every session\n");
    prints("print(das.preview{ time = 20 }:explain(1))",
           "session 1: out\n  time >= 20 s  10 s  out  (10 s too young)\n");
    prints("print(das.preview{ time = 20 }:explain(77))", "nil\tno session 77 on shop\tgone\n");
    prints("print(das.preview{ id = 6 }[1].fingerprint)", "select ? from t\n");
    prints("print(string.dump, loadfile, dofile, io, debug, package, os.exit, os.remove, warn)",
           "nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\n");
    prints("local p = das.preview{ id = 3 }:plan{ kill = 'query', reason = 'r' }\n"
           "print(p.count, p.ids[1], p.kill, p.reason, #p.hash, p.instance, p.expires_at - "
           "p.created_at)",
           "1\t3\tquery\tr\t64\tshop\t60\n");
    run("print(select('#', ...), ..., das.args[2])", (struct how){.args = args, .arg_count = 2});
    is_str(output, "2\tone\ttwo\n", "arguments");
}

static void formats(void)
{
    json_t *v;

    prints("print(das.preview{ id = 1 }, 'x')",
           "shop: 1 session matches {id=1}\n"
           "id  user  host  db    command  time  trx  state         sql_info\n"
           "1   app   h:1   shop  Query    10    -    Sending data  select 1 from t\tx\n");
    run("print(das.preview{ id = 1 })", (struct how){.output = DAS_OUT_CSV});
    has_str(output, "id,user,host,", "CSV has a header");
    has_str(output, "\r\n1,app,h:1,shop,Query,Sending data,select 1 from t,10,", "and rows");
    run("print(das.preview{ id = 1 })", (struct how){.output = DAS_OUT_JSON});
    v = das_json_parse(output, strlen(output), NULL, &err);
    ok(v && json_integer_value(json_object_get(v, "total_count")) == 1, "JSON is one object");
    json_decref(v);
    run("print(das.preview{ id = 1 }:plan{}:apply())", (struct how){.output = DAS_OUT_JSON});
    v = das_json_parse(output, strlen(output), NULL, &err);
    ok(v && json_integer_value(json_object_get(v, "would_kill")) == 1, "a report too");
    json_decref(v);
    run("print(das.preview{ id = 1 }:plan{})", (struct how){.output = DAS_OUT_JSON});
    v = das_json_parse(output, strlen(output), NULL, &err);
    ok(v && json_array_size(json_object_get(v, "victims")) == 1, "and a plan");
    json_decref(v);
    run("print('text', 5)", (struct how){.output = DAS_OUT_JSON});
    is_str(output, "text\t5\n", "text is text");
    prints("print(das.preview{ id = 1 }:plan{}:apply())",
           "dry run: 1 would be killed\n"
           "  dry_run   query       1 app@h:1  select 1 from t\n");
}

/* A finalizer would run after the run was judged, and see objects that were freed before it. */
static void no_finalizers(void)
{
    raises("\nsetmetatable({}, { __gc = function() das.preview{ all = true }:plan{}:apply() end })",
           2, "setmetatable: scripts have no finalizers (__gc)");
    raises("setmetatable({}, { __gc = false })", 1, "scripts have no finalizers");
    prints("local mt = {} local t = setmetatable({}, mt) mt.__gc = function() print 'never' end\n"
           "t = nil local x = {} for i = 1, 1e5 do x[i % 10] = {} end print 'end'",
           "end\n");
    prints("print(setmetatable({}, { __index = { a = 5 } }).a, setmetatable({}, nil) ~= nil)",
           "5\ttrue\n");
    prints("do local c <close> = setmetatable({}, { __close = function() print 'closed' end }) end",
           "closed\n");
    raises("setmetatable(5, {})", 1, "bad argument #1 to 'setmetatable' (table expected");
    raises("setmetatable({}, 5)", 1, "bad argument #2 to 'setmetatable' (nil or table expected");
    raises("setmetatable(setmetatable({}, { __metatable = 1 }), {})", 1,
           "cannot change a protected metatable");
}

/* --- failing memory ------------------------------------------------------------------------------------ */

static const char sweep_script[] =
    "local f = das.filter{ time = '5s', info = 'select~from' } | { user = 'app' } & "
    "~das.filter{ db = 'none%' }\n"
    "local p = das.preview(f)\n"
    "print(p, f)\n"
    "for _, g in ipairs(p:group_by 'fingerprint') do print(g.key, g.count) end\n"
    "for _, g in ipairs(p:group_by(function(s) return s.user end)) do print(g.key) end\n"
    "print(p:explain(1)) print(#p:explain(p[1]).reasons)\n"
    "local q = p:where(function(s) return s.id ~= 3 end):where{ user = 'app' }:oldest(9)\n"
    "local plan = q:plan{ reason = 'x', kill = 'connection' }\n"
    "print(plan)\n"
    "local r = plan:apply()\n"
    "print(r, r.killed)\n"
    "for _, o in ipairs(r.outcomes) do print(o.id, o.outcome, o.note) end\n";

static void sweep(bool armed, enum das_output format)
{
    int bad = 0, errors = 0;
    FILE *f = fopen(script_path, "w");
    long n;

    if (!f || fputs(sweep_script, f) < 0 || fclose(f) != 0)
        exit(1);
    run_file(script_path, (struct how){.armed = armed, .output = format});
    if (!ok(rc == 0, "the script runs as it is"))
        tap_diag("%s", err.msg);
    for (n = 1; n < 20000; n++) {
        bool failed = run_file(script_path,
                               (struct how){.armed = armed, .output = format, .fail_at = n});
        size_t gone = 6 - left;
        /* a kill whose end could not be looked for any more is told as unknown */
        size_t told = result.totals[DAS_O_KILLED] + result.totals[DAS_O_UNKNOWN];
        errors += rc < 0;
        if (gone != told || (!armed && gone) ||
            (rc == 0 && gone + result.totals[DAS_O_REFUSED] != (armed ? 3u : 0u)) || (rc < 0 && !err.msg[0])) {
            if (!bad++)
                tap_diag("allocation %ld: rc %d, %zu gone, %zu told: %s", n, rc, gone, told,
                         err.msg);
        }
        if (!failed)
            break;
    }
    ok(!bad && n > 100 && n < 20000,
       "%s: %ld failing allocations, %d errors; each kill is told and no other",
       armed ? "armed" : "dry", n - 1, errors);
}

int main(void)
{
    sample_path = temp_text(sample);
    script_path = temp_text("");
    dry_and_armed();
    positions();
    unknown_fields();
    pleasant();
    formats();
    no_finalizers();
    sweep(false, DAS_OUT_TABLE);
    sweep(true, DAS_OUT_TABLE);
    sweep(true, DAS_OUT_JSON);
    free(output);
    temp_clear();
    return tap_done();
}
