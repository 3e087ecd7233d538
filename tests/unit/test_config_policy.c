/* test_config_policy.c - das.lua: how far a policy may go. */
#include "core/base/calendar.h"
#include "tests/unit/config_kit.h"

static const struct das_policy_rules *rules_of(const char *script)
{
    static struct das_script_rules r;

    das_rules_for(&rules, script, &r);
    return r.policy;
}

static int64_t every_of(const char *script)
{
    struct das_script_rules r;

    das_rules_for(&rules, script, &r);
    return r.every_ms;
}

static int64_t moment(const char *text)
{
    int64_t at = 0;

    must(das_time_parse(das_text_of(text), &at, &err) == 0, "%s is a time", text);
    return at;
}

static void defaults(void)
{
    const struct das_policy_rules *p;

    is_int(read_text("return {}"), 0, "nothing said");
    p = rules_of("x.lua");
    ok(p->mode == DAS_POLICY_OBSERVE && !p->mode_is_set, "a policy observes");
    ok(p->limits.run == 10 && p->limits.minute == 30 && p->limits.instance == 60 &&
           p->limits.user == 20 && p->limits.window_ms == 600000 && p->limits.percent == 5 &&
           p->limits.min_left == 0 && p->limits.rows_modified == 100000,
       "with small limits");
    ok(p->ramp && p->outcome_wait_ms == 5000 && p->breaker.failures == 1 && !p->redact_sql &&
           !p->window_count && !p->freeze_count && !rules.state_dir,
       "a ramp, no windows, no freezes, the state directory of the machine");
}

static void for_all(void)
{
    const struct das_policy_rules *p;

    is_int(read_text("return { state = '/var/lib/x', journal = { redact_sql = true }, limits = { kill = "
                     "{ run = 1, minute = 2, instance = 3, user = 4, window = '5m', percent = 6.5, "
                     "min_left = 7, rows_modified = 8 } }, breaker = { failures = 2, respawns = 0, "
                     "respawn_within = '10s', surge = 2.5, cooldown = 30 }, ramp = false, "
                     "outcome_wait = '1500ms' }"),
           0, "everything for all scripts: %s", err.msg);
    is_str(rules.state_dir, "/var/lib/x", "the state directory");
    p = rules_of("x.lua");
    ok(p->limits.run == 1 && p->limits.minute == 2 && p->limits.instance == 3 &&
           p->limits.user == 4 && p->limits.window_ms == 300000 && p->limits.percent == 6.5 &&
           p->limits.min_left == 7 && p->limits.rows_modified == 8,
       "the limits");
    ok(p->breaker.failures == 2 && p->breaker.respawns == 0 && p->breaker.respawn_ms == 10000 &&
           p->breaker.surge == 2.5 && p->breaker.cooldown_ms == 30000,
       "the breaker");
    ok(!p->ramp && p->outcome_wait_ms == 1500 && p->redact_sql, "and the rest");
    ok(p->mode == DAS_POLICY_OBSERVE && !p->mode_is_set, "but no mode");
    is_int(read_text("return { limits = { kill = { run = 0, percent = 0, user = 12.0 } } }"), 0,
           "zero is a limit");
    p = rules_of("x.lua");
    ok(p->limits.run == 0 && p->limits.percent == 0 && p->limits.user == 12 &&
           p->limits.minute == 30,
       "the others stay");
}

/* Scripts start from what is said for all, wherever in the file that stands. */
static void for_one(void)
{
    const struct das_policy_rules *p;

    is_int(read_text("return { scripts = { ['/bin/sh'] = { mode = 'auto', kill = { run = 50 }, "
                     "breaker = { surge = 0 }, ramp = true, outcome_wait = '2s' }, "
                     "['/bin/cat'] = { mode = 'observe' }, ['*'] = { mode = 'notify' } }, "
                     "limits = { kill = { run = 3, minute = 9 } }, ramp = false, "
                     "breaker = { failures = 4 }, journal = { redact_sql = true } }"),
           0, "for single scripts: %s", err.msg);
    p = rules_of("/bin/sh");
    ok(p->mode == DAS_POLICY_AUTO && p->mode_is_set, "promoted");
    ok(p->limits.run == 50 && p->limits.minute == 9, "its own number, and the others'");
    ok(p->breaker.surge == 0 && p->breaker.failures == 4 && p->ramp && p->outcome_wait_ms == 2000 &&
           p->redact_sql,
       "and so the rest");
    p = rules_of("/bin/cat");
    ok(p->mode == DAS_POLICY_OBSERVE && p->mode_is_set && p->limits.run == 3 && !p->ramp,
       "one that shall only observe");
    p = rules_of("/bin/ls");
    ok(p->mode == DAS_POLICY_NOTIFY && p->mode_is_set, "\"*\" is every other");
    p = rules_of("repl");
    ok(p->mode == DAS_POLICY_NOTIFY, "also what has no file");
    is_int(read_text("return { scripts = { ['/bin/sh'] = { mode = 'approve' } } }"), 0, "approve");
    is_int(rules_of("/bin/sh")->mode, DAS_POLICY_APPROVE, "is a mode");
    ok(!rules_of("/bin/ls")->mode_is_set, "of the one that is named");
    is_int(read_text("return { scripts = { ['/bin/sh'] = { every = '30s' }, ['*'] = { every = 2 } } }"),
           0, "how often a script runs: %s", err.msg);
    is_int(every_of("/bin/sh"), 30000, "its own interval");
    is_int(every_of("/bin/ls"), 2000, "that of every other");
    ok(read_text("return { scripts = { ['/bin/sh'] = { every = 'often' } } }") < 0 &&
           strstr(err.msg, "scripts[\"/bin/sh\"].every: expected a duration"),
       "anything else is a mistake: %s", err.msg);
}

static void windows(void)
{
    const struct das_policy_rules *p;

    is_int(read_text("return { windows = { { days = 'mon-fri', from = '22:00', to = '06:00', "
                     "tz = 'Asia/Shanghai' }, { days = { 'sat', 'sun' } } }, scripts = { "
                     "['/bin/sh'] = {}, ['/bin/cat'] = { windows = { { from = '10:00' } } }, "
                     "['/bin/ls'] = { windows = {} } } }"),
           0, "windows: %s", err.msg);
    p = rules_of("/bin/uname");
    is_int(p->window_count, 2, "two for all");
    ok(p->windows[0].days == 0x3e && p->windows[0].from_min == 22 * 60 &&
           p->windows[0].to_min == 6 * 60 &&
           strcmp(das_zone_name(p->windows[0].zone), "Asia/Shanghai") == 0,
       "as written");
    ok(p->windows[1].days == 0x41 && p->windows[1].from_min == 0 && p->windows[1].to_min == 1440 &&
           strcmp(das_zone_name(p->windows[1].zone), "UTC") == 0,
       "a whole day by UTC where nothing is said");
    /* a Tuesday, 23:30 and 21:30 in Shanghai */
    ok(das_hours_contain(&p->windows[0], moment("2026-11-24T15:30:00Z")) &&
           !das_hours_contain(&p->windows[0], moment("2026-11-24T13:30:00Z")),
       "by the clock of Shanghai");
    is_int(rules_of("/bin/sh")->window_count, 2, "a script has them too");
    ok(rules_of("/bin/sh")->windows != p->windows && das_hours_contain(&rules_of("/bin/sh")->windows[0],
                                                         moment("2026-11-24T15:30:00Z")),
       "as a copy of its own");
    is_int(rules_of("/bin/cat")->window_count, 1, "its own take their place");
    is_int(rules_of("/bin/cat")->windows[0].from_min, 600, "and not others");
    is_int(rules_of("/bin/ls")->window_count, 0, "none at all: always");
}

static void freezes(void)
{
    const struct das_policy_rules *p;

    is_int(read_text(
               "return { freezes = { { from = '2026-12-20', to = '2027-01-03', tz = 'Asia/Shanghai', "
               "name = 'year-end' }, { from = '2026-10-25 02:30', to = '2026-10-25T02:45', tz = "
               "'Europe/Berlin' }, { from = '2026-06-01', to = '2026-06-01' }, "
               "{ from = '2026-07-01T00:00:00+02:00', to = '2026-07-01T12:00Z' } }, "
               "scripts = { ['/bin/sh'] = { freezes = { { from = '2028-02-29', to = '2028-02-29', "
               "name = 'leap' } } } } }"),
           0, "freezes: %s", err.msg);
    p = rules_of("/bin/ls");
    is_int(p->freeze_count, 4, "four");
    is_int(p->freezes[0].from, moment("2026-12-20T00:00:00+08:00"), "from the first midnight");
    is_int(p->freezes[0].to, moment("2027-01-04T00:00:00+08:00"), "the last day is frozen too");
    is_str(p->freezes[0].name, "year-end", "with a name");
    is_int(p->freezes[1].from, moment("2026-10-25T02:30:00+02:00"),
           "where the clock shows a time twice: from the first");
    is_int(p->freezes[1].to, moment("2026-10-25T02:45:00+01:00"), "to the last");
    is_int(p->freezes[2].to - p->freezes[2].from, 86400, "a single day");
    is_int(p->freezes[3].from, moment("2026-06-30T22:00:00Z"), "a time with its own offset");
    is_int(p->freezes[3].to, moment("2026-07-01T12:00:00Z"), "is exact");
    ok(!p->freezes[3].name, "a name is not needed");
    p = rules_of("/bin/sh");
    is_int(p->freeze_count, 5, "a script's own is added to those for all");
    is_str(p->freezes[0].name, "year-end", "which it has too");
    is_str(p->freezes[4].name, "leap", "and last its own");
}

/* A mistake in one member of the table. */
static void wrong(const char *inner, const char *part)
{
    char text[600];

    snprintf(text, sizeof text, "return { %s }", inner);
    bad(text, part);
}

static void wrong_numbers(void)
{
    wrong("limits = { kil = {} }", "limits: unknown key \"kil\"; did you mean \"kill\"?");
    wrong("limits = { kill = 5 }", "limits.kill: expected a table, got 5");
    wrong("limits = { kill = { runs = 5 } }",
          "limits.kill: unknown key \"runs\"; did you mean \"run\"?");
    wrong("limits = { kill = { run = -1 } }",
          "limits.kill.run: expected a whole number from 0 up, got -1");
    wrong("limits = { kill = { minute = 1.5 } }", "limits.kill.minute: expected a whole number");
    wrong("limits = { kill = { user = '5' } }", "limits.kill.user: expected a whole number");
    wrong("limits = { kill = { user = '5' } }", "got \"5\"");
    wrong("limits = { kill = { instance = {} } }", "from 0 up, got table");
    wrong("limits = { kill = { min_left = true } }",
          "limits.kill.min_left: expected a whole number");
    wrong("limits = { kill = { rows_modified = 1e300 } }",
          "limits.kill.rows_modified: expected a whole");
    wrong("limits = { kill = { percent = 101 } }",
          "limits.kill.percent: expected a number from 0 to 100, got 101");
    wrong("limits = { kill = { percent = -0.1 } }", "expected a number from 0 to 100");
    wrong("limits = { kill = { percent = 0/0 } }", "expected a number from 0 to 100");
    wrong("limits = { kill = { percent = '5%' } }", "got \"5%\"");
    wrong("limits = { kill = { window = 0 } }", "limits.kill.window: expected a duration over 0");
    wrong("limits = { kill = { window = '400d' } }", "a year at the most, got \"400d\"");
    wrong("limits = { kill = { window = true } }", "got true");
    wrong("breaker = 'x'", "breaker: expected a table, got \"x\"");
    wrong("breaker = { failures = 0 }",
          "breaker.failures: expected a whole number from 1 up, got 0");
    wrong("breaker = { surge = 0.5 }", "breaker.surge: expected a number from 1 up, or 0, got 0.5");
    wrong("breaker = { cool = 1 }", "breaker: unknown key \"cool\"");
    wrong("breaker = { cooldown = 'x' }", "breaker.cooldown: expected a duration");
    wrong("breaker = { respawn_within = -1 }", "breaker.respawn_within: expected a duration");
    wrong("ramp = 1", "ramp: expected true or false, got 1");
    wrong("outcome_wait = '2h'",
          "outcome_wait: expected a duration over 0 such as \"5s\", an hour at");
    wrong("journal = { redact = true }", "did you mean \"redact_sql\"?");
    wrong("journal = { redact_sql = 'no' }",
          "journal.redact_sql: expected true or false, got \"no\"");
    wrong("state = 'var/das'", "state: expected the absolute path of a folder, got \"var/das\"");
    wrong("state = 5", "state: expected the absolute path");
    wrong("mode = 'auto'", "configuration: unknown key \"mode\"");
    wrong("kill = { run = 5 }", "configuration: unknown key \"kill\"");
}

static void wrong_scripts(void)
{
    wrong("scripts = { ['/bin/sh'] = { mode = 'atuo' } }",
          "scripts[\"/bin/sh\"].mode: unknown mode \"atuo\"; did you mean \"auto\"?");
    wrong("scripts = { ['/bin/sh'] = { mode = 'whatever' } }",
          "scripts[\"/bin/sh\"].mode: expected observe, notify, approve or auto, got \"whatever\"");
    wrong("scripts = { ['/bin/sh'] = { mode = true } }", "notify, approve or auto, got true");
    wrong("scripts = { ['*'] = { kill = { run = -5 } } }",
          "scripts[\"*\"].kill.run: expected a whole");
    wrong("scripts = { ['*'] = { limits = { kill = {} } } }",
          "scripts[\"*\"].limits: unknown key \"kill\"");
    wrong("scripts = { ['*'] = { windows = { {}, { from = '25:00' } } } }",
          "scripts[\"*\"].windows[2]: from: expected a time of day");
    wrong("scripts = { ['*'] = { freezes = { {} } } }",
          "scripts[\"*\"].freezes[1].from: expected a day");
    wrong("scripts = { ['*'] = { journal = {} } }", "scripts[\"*\"]: unknown key \"journal\"");
    wrong("scripts = { ['*'] = { state = '/x' } }", "scripts[\"*\"]: unknown key \"state\"");
}

static void wrong_times(void)
{
    wrong("windows = 'night'", "windows: expected a list of windows");
    wrong("windows = { from = '22:00' }", "windows: expected a list of windows");
    wrong("windows = { '22:00' }", "windows: expected a list of windows");
    wrong("windows = { {}, nil, {} }", "windows: expected a list of windows");
    wrong("windows = { { form = '22:00' } }",
          "windows[1]: unknown option \"form\"; did you mean \"from\"?");
    wrong("windows = { { days = 'someday' } }", "windows[1]: days: expected mon, tue");
    wrong("windows = { { days = {} } }", "windows[1]: days: expected 1 to 7 of them, got 0");
    wrong("windows = { { from = '08:00', to = '08:00' } }", "windows[1]: from and to are the same");
    wrong("windows = { { tz = 'Asia/Shangai' } }", "windows[1].tz: ");
    wrong("windows = { { tz = 8 } }", "windows[1].tz: expected a string, got number");
    wrong("freezes = { from = '2026-12-20' }", "freezes: expected a list such as");
    wrong("freezes = { { from = '2026-12-20' } }", "freezes[1].to: expected a day such as");
    wrong("freezes = { { from = '2026-12-20', to = '2026-12-19' } }",
          "freezes[1]: it ends before it begins");
    wrong("freezes = { { from = '2026-12-20T08:00', to = '2026-12-20T08:00' } }",
          "ends before it begins");
    wrong("freezes = { { from = '2026-02-30', to = '2026-03-01' } }",
          "freezes[1].from: expected a day such as \"2026-12-20\" or a time such as");
    wrong("freezes = { { from = '20.12.2026', to = '2026-12-30' } }", "got \"20.12.2026\"");
    wrong("freezes = { { from = 5, to = '2026-12-30' } }", "freezes[1].from: expected a string");
    wrong("freezes = { { from = '2026-12-20', to = '2026-12-30', til = 1 } }",
          "unknown key \"til\"");
    wrong("freezes = { { from = '2026-12-20', to = '2026-12-30', tz = 'Mars/Base' } }",
          "freezes[1].tz: ");
}

static void no_memory(void)
{
    const char *path;
    int wrong = 0;
    long n;

    temp_clear();
    path = temp_text("return { state = '/s', windows = { { from = '22:00', tz = 'Asia/Shanghai' } }, "
                     "freezes = { { from = '2026-12-20', to = '2026-12-30', name = 'x', tz = "
                     "'Europe/Berlin' } }, scripts = { ['*'] = { windows = { {}, {} }, freezes = { { "
                     "from = '2027-12-20', to = '2027-12-30', name = 'y' } } }, ['/bin/sh'] = {} } }");
    for (n = 1; n < 3000; n++) {
        bool failed;
        int rc;
        config_empty();
        das_alloc_fail_at(n);
        rc = read_path(path);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        wrong += rc == 0 && (rules.count != 2 || rules_of("/bin/ls")->window_count != 2 ||
                             rules_of("/bin/ls")->freeze_count != 2 || !rules.state_dir ||
                             rules_of("/bin/sh")->window_count != 1 ||
                             !rules_of("/bin/sh")->freezes[0].name);
        if (!failed)
            break;
    }
    ok(!wrong && n > 50 && n < 3000, "%ld failing allocations: all or an error", n - 1);
}

int main(void)
{
    config_init();
    defaults();
    for_all();
    for_one();
    windows();
    freezes();
    wrong_numbers();
    wrong_scripts();
    wrong_times();
    no_memory();
    config_clear();
    temp_clear();
    return tap_done();
}
