/* test_config_schedule.c - das.lua: which policies das serve runs by itself, where, when and how
 * far they may go. */
#include "bindings/schedule_conf.h"
#include "tests/unit/config_kit.h"

#define SCRIPT "scripts/policies/long_select.lua"

/* @ stands for the script. */
static const char *file(const char *more, const char *entries)
{
    static char text[9000];
    struct das_buf b = {0};

    das_buf_str(&b, "return { instances = { orders = { source = 'mem:x', tags = { 'prod' } }, "
                    "billing = 'mem:y' }, ");
    config_put(&b, more, SCRIPT);
    das_buf_str(&b, " policies = { ");
    config_put(&b, entries, SCRIPT);
    das_buf_str(&b, " } }");
    snprintf(text, sizeof text, "%s", b.ptr);
    das_buf_clear(&b);
    return text;
}

static const struct das_schedule_entry *good(const char *more, const char *entries)
{
    if (!ok(read_text(file(more, entries)) == 0 && rules.schedule && rules.schedule->count,
            "fine: %.90s %s", entries, err.msg))
        exit(1);
    return &rules.schedule->entries[0];
}

static void bad_entry(const char *keys, const char *part)
{
    char entry[600];

    snprintf(entry, sizeof entry, "{ %s }", keys);
    bad(file("", entry), part);
}

#define HERE "script = '@', instances = { '*' }"

/* --- what is fine ----------------------------------------------------------------------------- */

static void defaults(void)
{
    const struct das_schedule_entry *e = good("", "{ " HERE ", every = '10s' }");

    is_str(e->name, "long_select", "called like its script");
    ok(strlen(e->script) && e->script[0] == '/', "an absolute path");
    is_int(e->every_ms, 10000, "every 10 s");
    is_int(e->jitter_ms, 10000, "spread over all of it");
    is_int(e->limits.wall_ms, 30000, "30 s for a run");
    is_int(e->backoff_ms, 300000, "five minutes for one that fails");
    ok(e->rules.mode == DAS_POLICY_OBSERVE && e->asked == DAS_POLICY_OBSERVE, "it observes");
    ok(!e->grants && !e->arg_count && !e->cron_text, "nothing else");
    is_int(rules.serve.workers, 8, "eight workers");
    ok(read_text("return {}") == 0 && !rules.schedule, "no policies, no schedule");
    ok(read_text("return { policies = {} }") == 0 && !rules.schedule->count, "an empty list");
}

static void everything(void)
{
    const struct das_schedule_entry *e =
        good("serve = { workers = 3 },",
             "{ name = 'night', script = '@', args = { '60s', '3' }, instances = { 'tag:prod', "
             "'billing' }, cron = '*/5 22-23 * * mon-fri', tz = 'Europe/Berlin', jitter = '2s', "
             "timeout = '5s', backoff = '1h', mode = 'auto', limits = { cpu = '1s' }, kill = { run "
             "= 2 } }, { " HERE ", every = 1, jitter = 0 }");

    is_str(e->name, "night", "a name of its own");
    ok(e->arg_count == 2 && strcmp(e->args[1], "3") == 0 && !e->args[2], "arguments");
    is_str(e->cron_text, "*/5 22-23 * * mon-fri", "cron");
    is_str(das_zone_name(e->zone), "Europe/Berlin", "by that clock");
    ok(!e->every_ms && e->jitter_ms == 2000 && e->backoff_ms == 3600000, "times");
    ok(e->limits.wall_ms == 5000 && e->limits.cpu_ms == 1000, "limits of a run");
    ok(e->rules.mode == DAS_POLICY_AUTO && e->rules.limits.run == 2, "how far");
    ok(e[1].every_ms == 1000 && e[1].jitter_ms == 0, "numbers are seconds, and 0 is fine");
    is_int(rules.serve.workers, 3, "workers");
}

/* --- one way to say what a script may --------------------------------------------------------- */

#define SEVEN "scripts = { ['@'] = { every = '7s' } },"
static char more[6000];

static const struct das_schedule_entry *with_script(const char *of_script, const char *keys)
{
    char entry[600];

    snprintf(more, sizeof more, "limits = { kill = { run = 8 } }, scripts = { ['@'] = { %s } },",
             of_script);
    snprintf(entry, sizeof entry, "{ " HERE ", every = '10s', %s }", keys);
    return good(more, entry);
}

static void rules_of_scripts(void)
{
    const struct das_schedule_entry *e = with_script(
        "mode = 'auto', kill = { run = 5 }, limits = { memory = '8MB', wall = '20s', instructions "
        "= "
        "1000 }, grants = { 'preview', 'kill', 'tag:prod' }, windows = { { from = '22:00', to = "
        "'06:00' } }",
        "");

    ok(e->rules.mode == DAS_POLICY_AUTO && e->rules.limits.run == 5 && e->rules.window_count == 1,
       "scripts says how far it may go");
    ok(e->limits.memory == 8 << 20 && e->limits.wall_ms == 20000, "and what it may use");
    ok(e->grants && e->grants->count == 3, "and touch");

    e = with_script("mode = 'auto', kill = { run = 5 }, limits = { memory = '8MB', wall = '20s' }",
                    "mode = 'notify', kill = { run = 2, minute = 3 }, limits = { memory = '4MB', "
                    "instructions = 7 }, timeout = '2s'");
    ok(e->rules.mode == DAS_POLICY_NOTIFY && e->rules.limits.run == 2 &&
           e->rules.limits.minute == 3,
       "an entry takes away");
    ok(e->limits.memory == 4 << 20 && e->limits.instructions == 7 && e->limits.wall_ms == 2000,
       "of that, too");

    e = with_script("mode = 'observe', kill = { run = 5 }, limits = { memory = '8MB', wall = "
                    "'20s', instructions = 9 }",
                    "mode = 'auto', kill = { run = 500, percent = 100 }, limits = { memory = "
                    "'1GB', instructions = 0, wall = '10m' }, timeout = '1h'");
    ok(e->rules.mode == DAS_POLICY_OBSERVE && e->asked == DAS_POLICY_AUTO, "and adds nothing");
    ok(e->rules.limits.run == 5 && e->rules.limits.percent == 5, "no kills");
    ok(e->limits.memory == 8 << 20 && e->limits.wall_ms == 20000 && e->limits.instructions == 9,
       "no room");

    ok(good(SEVEN, "{ " HERE " }")->every_ms == 7000, "without times of its own, those of scripts");
    ok(good(SEVEN, "{ " HERE ", every = '3s' }")->every_ms == 3000, "else its own");
    e = good(SEVEN, "{ " HERE ", cron = '* * * * *' }");
    ok(!e->every_ms && e->cron_text && !e->jitter_ms, "or cron");
    bad(file("scripts = { ['@'] = { every = '500ms' } },", "{ " HERE " }"), "policies[1].every: expected a duration from");

    e = with_script("kill = { run = 5 }", "mode = 'auto'");
    ok(e->rules.mode == DAS_POLICY_AUTO && e->rules.mode_is_set,
       "where scripts has no mode, it has one");
    ok(e->rules.limits.run == 5, "and the script's limits");
}

/* --- what is refused -------------------------------------------------------------------------- */

static void refused(void)
{
    bad("return { policies = { script = 'x' } }", "policies: expected a list");
    bad("return { policies = 'x' }", "policies: expected a list");
    bad_entry("", "policies[1].script: expected the path");
    bad_entry("script = 7", "policies[1].script: expected a string");
    bad_entry("script = 'nowhere.lua', instances = { '*' }, every = 9", "there is no such script");
    bad_entry("script = '*', instances = { '*' }, every = 9", "there is no such script");
    bad_entry(HERE ", every = 9, instance = 'x'", "unknown key \"instance\"; did you mean");
    bad_entry("script = '@', every = 9", "policies[1].instances: expected a list of names");
    bad_entry("script = '@', every = 9, instances = {}", "policies[1].instances: expected a list");
    bad_entry("script = '@', every = 9, instances = 'orders'",
              "policies[1].instances: expected a list");
    bad_entry("script = '@', every = 9, instances = { 'order' }", "did you mean \"orders\"");
    bad_entry("script = '@', every = 9, instances = { 'tag:test' }",
              "policies[1].instances: no instance has the tag \"test\"");
    bad_entry(HERE, "policies[1]: expected one of every");
    bad_entry(HERE ", every = 9, cron = '* * * * *'", "got both");
    bad_entry(HERE ", every = '0s'", "policies[1].every: expected a duration from");
    bad_entry(HERE ", every = '100ms'", "policies[1].every: expected a duration from");
    bad_entry(HERE ", every = {}", "policies[1].every: expected a duration from");
    bad_entry(HERE ", cron = '* * *'", "policies[1].cron: expected five fields");
    bad_entry(HERE ", cron = '61 * * * *'", "policies[1].cron: minute: expected");
    bad_entry(HERE ", cron = '0 0 30 2 *'", "policies[1].cron: expected a time that comes");
    bad_entry(HERE ", cron = '* * * * *', tz = 'Mars/Base'", "policies[1].tz: unknown time zone");
    bad_entry(HERE ", every = 9, tz = 'UTC'", "policies[1].tz: expected cron besides");
    bad_entry(HERE ", every = 9, jitter = '10s'",
              "policies[1].jitter: expected a duration from 0 to");
    bad_entry(HERE ", every = 9, timeout = '10ms'", "policies[1].timeout: expected");
    bad_entry(HERE ", every = 9, backoff = -1", "policies[1].backoff: expected");
    bad_entry(HERE ", every = 9, mode = 'autp'", "did you mean \"auto\"");
    bad_entry(HERE ", every = 9, limits = { kill = 1 }",
              "policies[1].limits: unknown key \"kill\"");
    bad_entry(HERE ", every = 9, limits = 7", "policies[1].limits: expected a table");
    bad_entry(HERE ", every = 9, kill = { run = -1 }", "policies[1].kill.run: expected");
    bad_entry(HERE ", every = 9, args = { 1 }", "policies[1].args: expected a list of strings");
    bad_entry(HERE ", every = 9, name = ''", "policies[1].name: expected up to 64 letters");
    bad_entry(HERE ", every = 9, name = 'a b'", "policies[1].name: expected up to 64 letters");
    bad(file("", "{ " HERE ", every = 9 }, { " HERE ", every = 8 }"),
        "policies[2].name: \"long_select\" is the name of policies[1], too");
    bad("return { serve = { workers = 0 } }", "serve.workers: expected");
    bad("return { serve = { workers = 65 } }", "serve.workers: expected 1 to 64");
}

static bool whole(void)
{
    return rules.schedule && rules.schedule->count == 1;
}

int main(void)
{
    config_init();
    defaults();
    everything();
    rules_of_scripts();
    refused();
    config_no_memory(file("", "{ name = 'a', script = '@', args = { 'x' }, instances = { '*', "
                              "'orders' }, cron = '* * * * *', tz = 'Europe/Berlin' }"),
                     whole);
    config_clear();
    temp_clear();
    return tap_done();
}
