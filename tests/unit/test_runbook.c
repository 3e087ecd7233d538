/*
 * test_runbook.c - steps of a runbook through the engine, on a clock of the test's own: what is
 * skipped when a run goes on, what waits and for how long, what stops it, and failing memory.
 */
#include "bindings/runbook.h"

#include "core/base/clock.h"
#include "tests/unit/kit.h"
#include "tests/unit/store_kit.h"
#include "tests/unit/temp_file.h"

#define START_MS INT64_C(1767225600000)

static const char sample[] = "ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\tQUERY_ID\tTRX_TIME\n"
                             "1\tapp\th:1\tshop\tQuery\t10\t\tselect 1 from t\t101\tNULL\n"
                             "2\tapp\th:2\tshop\tQuery\t20\t\tselect 2 from t\t102\tNULL\n";

static struct das_policy_rules rules; /* lets kills through */
static struct das_clock own_clock;
static struct das_err err;
static struct das_engine_result result;
static char *output;
static int rc;

struct how {
    bool armed;
    const char *const *params;
    size_t param_count;
    int64_t wall_ms;
    long fail_at;
    const atomic_int *cancel;
};

/* One stretch of the script: a new run where id is 0. Its id. */
static int64_t stretch(struct das_store *s, const char *script, int64_t id, struct how how)
{
    const char *list = temp_text(sample), *path = temp_text(script);
    struct das_inventory *inv = das_inventory_new(&err);
    struct das_runbook_go go = {.store = s, .id = id, .params = how.params,
                                .param_count = how.param_count, .accept_change = true};
    struct das_limits limits = das_limits_default;
    struct das_runbook r = {.id = 0};
    char spec[200];
    struct das_source_conf conf = {.name = "shop", .spec = spec};
    struct das_engine_opts opts = {.path = path, .inventory = inv, .armed = how.armed,
                                   .policy = &rules, .limits = &limits, .cancel = how.cancel,
                                   .user = "ada"};
    size_t size = 0;

    snprintf(spec, sizeof spec, "mem:%s", list);
    must(inv && das_inventory_add(inv, &conf, &err) == 0 && das_inventory_open(inv, 0, &err),
         "inventory: %s", err.msg);
    if (how.wall_ms)
        limits.wall_ms = how.wall_ms;
    das_engine_result_clear(&result);
    free(output);
    output = NULL;
    rc = 0;
    if (id) {
        rc = das_runbook_claim(s, id, NULL, true, "ada", das_clock_unix_ms(), &r, &err);
        das_runbook_resumed(&go, &r);
    }
    if (rc == 0) {
        opts.out = open_memstream(&output, &size);
        das_alloc_fail_at(how.fail_at);
        rc = das_runbook_run(&opts, &go, &result, &err);
        fclose(opts.out);
    }
    das_runbook_clear(&r);
    das_inventory_free(inv);
    unlink(list);
    unlink(path);
    temp_count -= 2;
    return go.id;
}

static enum das_runbook_status status(struct das_store *s, int64_t id)
{
    struct das_runbook r;
    enum das_runbook_status was;

    must(das_runbook_get(s, id, &r, &err) == 1, "get: %s", err.msg);
    was = r.status;
    das_runbook_clear(&r);
    return was;
}

static struct das_store *memory(void)
{
    struct das_store *s = NULL;

    must(das_store_open_in_memory(&s, &err) == 0, "store: %s", err.msg);
    return s;
}

#define HEAD "das.runbook{ name = 'rb' }\n"

/* --- skipping ------------------------------------------------------------------------------------ */

static void finished_steps(void)
{
    static const char script[] = HEAD
        "local a = das.step('a', function() print('RUN a') return { n = 7, s = 'x' } end)\n"
        "local ok, why = pcall(das.step, 'b', function() print('RUN b') error('boom') end)\n"
        "local x, m, c = das.step('c', function() print('RUN c') return nil, 'no', 'timeout' end)\n"
        "local d = das.step('d', function() print('RUN d') end)\n"
        "print(a.n, a.s, ok, why:match('boom'), x, m, c, d)\n"
        "local choice, who = das.step.ask{ question = 'Go?', choices = { 'yes' } }\n"
        "print(choice, who)\n";
    const struct das_decider ada = {.name = "ada"};
    struct das_store *s = memory();
    int64_t id = stretch(s, script, 0, (struct how){0});

    is_int(rc, 0, "it waits");
    is_int(result.end, DAS_END_WAITING, "which is an end of its own");
    is_str(output, "RUN a\nRUN b\nRUN c\nRUN d\n7\tx\tfalse\tboom\tnil\tno\ttimeout\tnil\n", "after its steps");
    must(das_runbook_answer(s, id, "Go?", "yes", &ada, "", das_clock_unix_ms(), &err) == 0, "answer: %s",
         err.msg);
    stretch(s, script, id, (struct how){0});
    is_int(rc, 0, "it goes on");
    is_str(output, "7\tx\tfalse\tboom\tnil\tno\ttimeout\tnil\nyes\tada\n",
           "no step ran again, and each gave what it gave before");
    is_int(status(s, id), DAS_RUNBOOK_DONE, "to its end");
    das_store_close(s);
}

static void waits(void)
{
    static const char script[] = HEAD "das.sleep(5)\ndas.sleep('2h')\nprint('woke')\n";
    struct das_store *s = memory();
    int64_t began = das_clock_unix_ms(), id = stretch(s, script, 0, (struct how){0}), ids[2];

    is_int(result.end, DAS_END_WAITING, "two hours are a wait");
    is_int(das_clock_unix_ms() - began, 5000, "five seconds are not");
    is_int(das_runbook_due(s, das_clock_unix_ms(), ids, 2, &err), 0, "not yet");
    das_clock_move_to(&own_clock, began + 7205000);
    is_int(das_runbook_due(s, das_clock_unix_ms(), ids, 2, &err), 1, "now");
    stretch(s, script, id, (struct how){0});
    is_str(output, "woke\n", "it goes on");
    is_int(das_clock_unix_ms() - began, 7210000, "without waiting once more");
    das_store_close(s);
}

static void expiry(void)
{
    static const char script[] = HEAD
        "print(das.step.ask{ name = 'a', question = '?', choices = { 'x', 'y' }, default = 'y', ttl = '1m' })\n"
        "print(das.step.ask{ name = 'b', question = '?', choices = { 'x' }, ttl = '1m' })\n";
    struct das_store *s = memory();
    int64_t id = stretch(s, script, 0, (struct how){0});

    das_clock_move_to(&own_clock, das_clock_unix_ms() + 60000);
    stretch(s, script, id, (struct how){0});
    is_str(output, "y\tnil\n", "nobody answered: the default");
    das_clock_move_to(&own_clock, das_clock_unix_ms() + 60000);
    stretch(s, script, id, (struct how){0});
    is_str(output, "y\tnil\nnil\tnobody answered in time\texpired\n", "and none: an error");
    das_store_close(s);
}

static void timeout(void)
{
    struct das_store *s = memory();
    int64_t id = stretch(s, "das.runbook{ name = 'rb', timeout = '1h' }\ndas.sleep('3h')\ndas.step('x', print)\n",
                         0, (struct how){0});

    das_clock_move_to(&own_clock, das_clock_unix_ms() + 3600000);
    stretch(s, "das.runbook{ name = 'rb', timeout = '1h' }\ndas.sleep('3h')\ndas.step('x', print)\n", id,
            (struct how){0});
    ok(rc < 0 && err.code == DAS_E_TIMEOUT, "the run's timeout, waits included");
    is_int(status(s, id), DAS_RUNBOOK_FAILED, "is its end");
    das_store_close(s);
}

/* --- attempts ------------------------------------------------------------------------------------- */

static void attempts(void)
{
    struct das_store *s = memory();

    stretch(s, HEAD "print(das.step('a', function(n) print(n) if n < 3 then error('no') end return n end,"
                    " { retry = 5, wait = 1 }))\n", 0, (struct how){0});
    is_str(output, "1\n2\n3\n3\n", "until one succeeds");
    stretch(s, HEAD "das.step('a', function(n) print(n) das.preview{ all = true }:plan{ kill = 'query', reason = 'r' }"
                    ":apply() error('no') end, { retry = 5 })\n", 0, (struct how){.armed = true});
    is_str(output, "1\n", "one that acted is not tried again");
    ok(rc < 0 && err.code == DAS_E_SCRIPT, "and its error goes through");
    is_int(result.totals[DAS_O_KILLED], 2, "it had killed");
    stretch(s, HEAD "print(pcall(das.step, 'a', function() while true do pcall(das.sleep, 0.01) end end, { timeout = '1s' }))\n"
                    "print('on')\n", 0, (struct how){0});
    has_str(output, "step \"a\" took longer than 1 s (timeout)", "a step's timeout");
    has_str(output, "\non\n", "is not the run's");
    stretch(s, HEAD "for i = 1, 5 do das.step('s' .. i, function() das.sleep(0.8) end) das.sleep(0.8) end print('done')\n",
            0, (struct how){.wall_ms = 1000});
    is_str(output, "done\n", "limits.wall is of each step and wait");
    stretch(s, HEAD "das.step('a', function() das.sleep(5) end)\n", 0, (struct how){.wall_ms = 1000});
    ok(rc < 0 && err.code == DAS_E_LIMIT, "and ends what takes longer");
    das_store_close(s);
}

/* --- interrupted ------------------------------------------------------------------------------------ */

static void interrupted(void)
{
    atomic_int cancel = 1;
    struct das_store *s = memory();
    int64_t id = stretch(s, HEAD "das.step('a', function() return 1 end)\nprint('end')\n", 0, (struct how){.cancel = &cancel});

    ok(rc < 0, "cancelled from outside");
    if (!id) { /* before it began */
        das_store_close(s);
        return;
    }
    is_int(status(s, id), DAS_RUNBOOK_RUNNING, "it can go on");
    stretch(s, HEAD "das.step('a', function() return 1 end)\nprint('end')\n", id, (struct how){0});
    is_str(output, "end\n", "and does");
    das_store_close(s);
}

/* Another handle dies, as a process would, in the middle of a step that had applied a plan. */
static void unknown(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_runbook r = {.name = "rb", .path = "x", .sha256 = "x", .key = "k", .armed = true,
                            .until_ms = das_clock_unix_ms() + 3600000};
    struct das_runbook_step step = {.name = "kill"};
    const struct das_decider ada = {.name = "ada"};
    static const char script[] = HEAD "print(das.step('kill', function() print('RUN') return 1 end).n)\n";
    int64_t other, now = das_clock_unix_ms();

    must(das_runbook_start(s, &r, now, &other, &err) == 1, "start: %s", err.msg);
    must(das_step_begin(s, r.id, &step, now, &err) == 0, "begin: %s", err.msg);
    must(das_step_acts(s, r.id, 1, "plan", now, &err) == 0, "acts: %s", err.msg);
    das_store_close(s);
    s = store_open(dir);
    stretch(s, script, r.id, (struct how){.armed = true});
    is_int(rc, 0, "the run stops");
    is_str(output, "", "the step does not run");
    is_int(status(s, r.id), DAS_RUNBOOK_UNKNOWN, "for a person to decide");
    must(das_runbook_resolve(s, r.id, "kill", DAS_RESOLVE_DONE, "{\"n\":3}", &ada, "looked", now, &err) == 0,
         "resolve: %s", err.msg);
    stretch(s, script, r.id, (struct how){.armed = true});
    is_str(output, "3\n", "who gives its result");
    das_store_close(s);
}

/* --- limits over all stretches ------------------------------------------------------------------------ */

static void kills_of_a_run(void)
{
    static const char script[] = HEAD
        "local function kill(n) local r = das.preview{ id = n }:plan{ kill = 'query', reason = 'r' }:apply()\n"
        "  return r.killed .. ' ' .. (r.outcomes[1].note or '') end\n"
        "print(das.step('one', function() return kill(1) end))\n"
        "das.sleep('1h')\n"
        "print(das.step('two', function() return kill(2) end))\n";
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    int64_t was = rules.limits.run, id;

    rules.limits.run = 1;
    id = stretch(s, script, 0, (struct how){.armed = true});
    is_str(output, "1 \n", "one kill");
    das_store_close(s);
    s = store_open(dir); /* another process */
    das_clock_move_to(&own_clock, das_clock_unix_ms() + 3600000);
    stretch(s, script, id, (struct how){.armed = true});
    has_str(output, "0 limits.kill.run: 1 so far", "limits.kill.run counts what another process killed for it");
    rules.limits.run = was;
    is_int(store_number(dir, "SELECT count(*) FROM step_notes WHERE note LIKE '%select ? from t%'"), 2,
           "of kills the statement is kept by its shape");
    is_int(store_number(dir, "SELECT count(*) FROM step_notes WHERE note LIKE '%select 1%'"), 0,
           "and no value in it");
    das_store_close(s);
}

/* --- failing memory ---------------------------------------------------------------------------------- */

static void no_memory(void)
{
    static const char script[] = "local p = das.runbook{ name = 'rb', params = { n = { type = 'integer', default = 2 } } }\n"
        "local a = das.step('a', function() print('RUN a') return { n = p.n } end, { retry = 2, wait = 0 })\n"
        "print(das.step.ask{ question = 'Go?', choices = { 'yes' }, default = 'yes', ttl = 1 })\n"
        "das.step('b', function() print('RUN b') return a.n end)\n";
    long n, odd = 0;

    for (n = 1; n < 100000; n += 1 + n / 100) {
        struct das_store *s = memory();
        int64_t id = stretch(s, script, 0, (struct how){.fail_at = n});
        bool failed = das_alloc_failed(), had_a;
        struct das_runbook_step a;
        das_alloc_fail_at(0);
        odd += rc < 0 && !failed;
        had_a = id && das_step_get(s, id, "a", &a, &err) == 1;
        if (had_a) {
            had_a = a.status == DAS_STEP_DONE;
            das_runbook_step_clear(&a);
        }
        for (int i = 0; id && i < 4 && status(s, id) < DAS_RUNBOOK_DONE; i++) {
            das_clock_move_to(&own_clock, das_clock_unix_ms() + 2000);
            stretch(s, script, id, (struct how){0});
            odd += had_a && output && strstr(output, "RUN a");
        }
        odd += id && status(s, id) < DAS_RUNBOOK_DONE;
        das_store_close(s);
        if (!failed)
            break;
    }
    ok(!odd && n > 100 && n < 100000, "no failing allocation up to %ld hangs a run or does a step twice (%ld)", n, odd);
}

int main(void)
{
    das_clock_init(&own_clock, START_MS);
    das_clock_enter(&own_clock);
    rules = das_policy_rules_default;
    rules.mode = DAS_POLICY_AUTO;
    rules.mode_is_set = true;
    rules.limits.percent = 100;
    rules.limits.min_left = 0;
    finished_steps();
    waits();
    expiry();
    timeout();
    attempts();
    interrupted();
    unknown();
    kills_of_a_run();
    no_memory();
    free(output);
    das_engine_result_clear(&result);
    store_dirs_clear();
    temp_clear();
    return tap_done();
}
