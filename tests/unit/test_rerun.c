/*
 * test_rerun.c - a live run that was recorded, and the same run once more: equal to the byte, and
 * what is no longer equal is told.
 */
#include "core/replay/rerun.h"

#include <signal.h>
#include <sys/resource.h>

#include "core/base/clock.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"
#include "tests/unit/temp_state.h"
#include "tests/unit/web_kit.h"

static struct das_err err;
static char script_path[300], tape_path[300], list_path[300];
static struct das_policy_rules rules;
static struct das_rerun_result result;
static const struct das_grants *granted; /* NULL: preview and kill */

static void write_to(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
        tap_diag("%s cannot be written", path);
        exit(1);
    }
}

/* Sessions of all kinds, bytes that are no UTF-8 among them. */
static void make_list(void)
{
    static const char *const users[] = {"app", "report", "root", "od\xff\x64"};
    static const char *const commands[] = {"Query", "Sleep", "Execute"};
    FILE *f = fopen(list_path, "w");

    if (!f)
        exit(1);
    fputs("ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\tQUERY_ID\tTRX_TIME\tROWS_MODIFIED\n", f);
    for (int id = 1; id <= 60; id++) {
        bool replicates = id % 20 == 0;
        const char *command = replicates ? "Binlog Dump GTID" : KIT_PICK(commands);
        bool sleeps = strcmp(command, "Sleep") == 0;
        fprintf(f, "%d\t%s\t10.0.0.%d:%d\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\n", id, replicates ? "repl" : KIT_PICK(users),
                (int)kit_below(9), 4000 + id, kit_below(5) ? "shop" : "NULL", command,
                (int)kit_below(400), sleeps ? "" : "Sending data",
                sleeps ? "NULL" : "select 'caf\xe9' from t", 1000 + id,
                kit_below(3) ? "NULL" : "12", kit_below(3) ? "NULL" : "40");
    }
    fclose(f);
}

static struct das_inventory *inventory(void)
{
    struct das_inventory *inv = das_inventory_new(&err);
    char spec[400];
    const struct das_source_conf conf = {.name = "shop", .spec = spec};

    snprintf(spec, sizeof spec, "mem:%s", list_path);
    if (!inv || das_inventory_add(inv, &conf, &err) < 0) {
        tap_diag("inventory: %s", err.msg);
        exit(1);
    }
    return inv;
}

static struct das_engine_opts opts_of(const char *const *args, size_t n)
{
    return (struct das_engine_opts){.path = script_path,
                                    .args = args,
                                    .arg_count = n,
                                    .policy = &rules,
                                    .grants = granted,
                                    .width = 80};
}

/* The live run; what it printed goes nowhere. */
static void live(const char *script, bool armed, const char *state, const char *const *args,
                 size_t arg_count)
{
    struct das_engine_opts opts = opts_of(args, arg_count);
    struct das_rerun_recorder recorder;
    struct das_engine_result r;
    struct das_err failed, lost;
    int rc;

    write_to(script_path, script);
    remove(tape_path);
    opts.inventory = inventory();
    opts.armed = armed;
    opts.state_dir = state;
    opts.out = fopen("/dev/null", "w");
    if (das_rerun_record(&recorder, tape_path, &opts, &err) < 0) {
        tap_diag("recording: %s", err.msg);
        exit(1);
    }
    rc = das_engine_run(&opts, &r, &failed);
    if (!ok(das_rerun_recorded(&recorder, &r, rc < 0 ? &failed : NULL, &lost) == 0,
            "recorded: %.*s", (int)strcspn(script, "\n"), script))
        tap_diag("%s", lost.msg);
    das_engine_result_clear(&r);
    das_inventory_free(opts.inventory);
    fclose(opts.out);
}

static void again(void)
{
    struct das_engine_opts opts = opts_of(NULL, 0);
    struct das_playback *p;

    das_rerun_result_clear(&result);
    if (das_playback_open(tape_path, &p, &err) < 0 || das_rerun(p, &opts, &result, &err) < 0) {
        tap_diag("again: %s", err.msg);
        exit(1);
    }
    das_playback_close(p);
}

static void is_equal(size_t decisions, const char *what)
{
    again();
    if (!ok(!result.differs && result.equal == decisions && result.decisions == decisions,
            "%s: all %zu decisions are the same bytes", what, decisions)) {
        tap_diag("%zu of %zu, %s", result.equal, result.decisions, result.why);
        tap_diag("recorded: %s", result.recorded ? result.recorded : "none");
        tap_diag("now:      %s", result.now ? result.now : "none");
    }
}

static const char killer[] =
    "local found = das.preview{ command = 'Query', time = 100 }\n"
    "print(found:oldest(3):plan{ kill = ... or 'auto', reason = 'long' }:apply())\n"
    "local idle = das.preview{ command = 'Sleep', time = das.args[2] or 50 }\n"
    "idle:where(function(s) return s.id % 2 == 0 end):plan{ kill = 'connection' }:apply()\n";

static void kills(void)
{
    static const char *const args[] = {"query", "200"};

    live(killer, true, temp_state_dir(), NULL, 0);
    is_equal(4, "an armed run");
    live(killer, true, temp_state_dir(), args, 2);
    is_equal(4, "with arguments");
    live(killer, false, NULL, NULL, 0);
    is_equal(4, "a dry run");
}

/* The second run is held to what the first one has killed. */
static void past(void)
{
    static const char one[] = "das.preview{ command = 'Query' }:oldest(3):plan{}:apply()";
    const char *state = temp_state_dir();

    rules = das_policy_rules_default;
    rules.mode = DAS_POLICY_AUTO;
    rules.limits = no_limits;
    rules.limits.instance = 4;
    live(one, true, state, NULL, 0);
    is_equal(2, "a first run");
    live(one, true, state, NULL, 0);
    again();
    ok(!result.differs && result.equal == 2, "a run that a limit refuses for what was killed before");
    {
        struct das_playback *p;
        struct das_text text;
        size_t at = 0;
        das_playback_open(tape_path, &p, &err);
        for (int i = 0; i < 3; i++) /* head, preview, apply */
            das_playback_next(p, &at, &text);
        ok(strstr(text.ptr, "limits.kill.instance"), "as it was: %s", strstr(text.ptr, "victims"));
        das_playback_close(p);
    }
    rules = allow_all;
}

static void clocks(void)
{
    live("local a = das.time.now() das.sleep(0.2) local b = os.time()\n"
         "das.preview{ all = true }\n"
         "for i = 1, 3 do das.preview{ time = (a + b) % 50 } das.sleep(0.05) end\n",
         false, NULL, NULL, 0);
    is_equal(4, "a run that asks for the time");
}

static void errors(void)
{
    live("das.preview{ all = true } error('no more')", false, NULL, NULL, 0);
    is_equal(1, "a run that raised");
    live("local x <const> = 1; x.y.z = 3", false, NULL, NULL, 0);
    is_equal(0, "a run that decided nothing");
}

static char tape[1000000]; /* its text, as read_tape() found it */

static size_t read_tape(void)
{
    FILE *f = fopen(tape_path, "r");
    size_t len = f ? fread(tape, 1, sizeof tape - 1, f) : 0;

    if (!f || len < 100 || len > sizeof tape - 2)
        exit(1);
    fclose(f);
    tape[len] = '\0';
    return len;
}

/* Is that on the tape? */
static bool on_tape(const char *what)
{
    read_tape();
    return strstr(tape, what) != NULL;
}

static size_t decisions_before(const char *end)
{
    size_t n = 0;

    for (const char *at = tape; (at = strstr(at, "\n{\"decision\":")) != NULL; n++) {
        at = strchr(at + 1, '\n');
        if (!at || at >= end)
            return n;
    }
    return n;
}

/* Wherever the recorded run died, in a line or between two: what is whole is had again, and told to be
 * not all. */
static void cut_everywhere(void)
{
    size_t len = read_tape(), tried = 0, good = 0;

    for (size_t to = len - 1; to > strcspn(tape, "\n"); to -= to > 600 ? 311 : 13) {
        size_t whole = decisions_before(tape + to);
        FILE *f = fopen(tape_path, "w");
        if (!f || fwrite(tape, 1, to, f) != to || fclose(f) != 0)
            exit(1);
        again();
        tried++;
        good += !result.differs && result.unfinished && result.equal == whole && result.decisions == whole;
        if (tried != good) {
            tap_diag("%zu of %zu bytes: %zu of %zu, %s", to, len, result.equal, result.decisions, result.why);
            break;
        }
    }
    ok(tried > 20 && good == tried, "cut at %zu places: equal as far as it goes", tried);
}

static void broken_off(const char *script)
{
    live(script, true, temp_state_dir(), NULL, 0);
    cut_everywhere();
    tape[strcspn(tape, "\n")] = '\0';
    write_to(tape_path, tape);
    {
        struct das_engine_opts opts = opts_of(NULL, 0);
        struct das_playback *p = NULL;
        das_rerun_result_clear(&result);
        ok(das_playback_open(tape_path, &p, &err) == 0 && das_rerun(p, &opts, &result, &err) < 0 &&
               strstr(err.msg, "das run --record"),
           "not even the first line: %s", err.msg);
        das_playback_close(p);
    }
}

static void broken(void)
{
    static const char loud[] =
        "for i = 1, 5 do das.preview{ time = i * 60 } end\n"
        "error('and no more')\n";

    broken_off(killer);
    broken_off(loud);
    live(loud, false, NULL, NULL, 0);
    is_equal(5, "with its end");
    ok(!result.unfinished, "which is not said to be broken off");
    read_tape();
    strstr(tape, "{\"end\":")[0] = '\0';
    write_to(tape_path, tape);
    write_to(script_path, "das.preview{ time = 61 }");
    again();
    ok(result.unfinished && result.differs && result.recorded && result.now,
       "another decision is one where the recorded run broke off, too");
}

/* A disk that is full for a while: nothing is written behind half a line. */
static void full_disk(void)
{
    static const char line[] = "{\"x\":\"0123456789012345678901234567890123456789\"}";
    struct rlimit before, small;
    struct das_playback *p;
    struct das_tape *t;
    struct das_text text;
    size_t at = 0;

    remove(tape_path);
    must(das_tape_create(tape_path, &t, &err) == 0 && getrlimit(RLIMIT_FSIZE, &before) == 0, "a tape");
    signal(SIGXFSZ, SIG_IGN);
    small = before;
    small.rlim_cur = sizeof line * 3 / 2;
    setrlimit(RLIMIT_FSIZE, &small);
    das_tape_line(t, das_text_of(line));
    das_tape_line(t, das_text_of(line));
    setrlimit(RLIMIT_FSIZE, &before);
    das_tape_line(t, das_text_of(line));
    ok(das_tape_close(t, &err) < 0 && strstr(err.msg, "File too large"), "a full disk is told: %s", err.msg);
    must(das_playback_open(tape_path, &p, &err) == 0, "the tape can be read");
    ok(das_playback_next(p, &at, &text) && !das_playback_next(p, &at, &text), "... up to its last whole line");
    das_playback_close(p);
}

/* What is no decision, and still not the same. */
static void other_ends(void)
{
    char *end;

    live("das.preview{ all = true }", false, NULL, NULL, 0);
    read_tape();
    end = strstr(tape, "{\"end\":");
    strcpy(end, "{\"end\":\"error\",\"error\":\"x.lua:1: it broke\",\"decisions\":1}\n");
    write_to(tape_path, tape);
    again();
    ok(result.differs && strstr(result.why, "the recorded run failed: x.lua:1: it broke"), "%s", result.why);
    strcpy(end, "{\"end\":\"limit\",\"error\":\"over its time\",\"decisions\":1}\n");
    write_to(tape_path, tape);
    again();
    ok(!result.differs, "time that was over is not over again");
    strcpy(end, "{\"list\":\"shop\",\"at_ms\":1,\"error\":\"x\",\"code\":1}\n{\"end\":\"done\"}\n");
    write_to(tape_path, tape);
    again();
    ok(result.differs && strstr(result.why, "the recorded run asked for 1 more list"), "%s", result.why);
}

/* What others answered over HTTP decides, too; the second time nobody is asked. */
static void answers(void)
{
    static const struct web_rule rules_of_web[] = {
        {"GET /limit", 503, "busy", 1},
        {"GET /limit", 200, "{\"time\":120}", 0},
        {"GET /names", 200, "b\xe4" "ckup", 0},
        {"GET /cut", WEB_CUT, "", 0},
    };
    static char preview[] = "preview", http[] = "http:127.0.0.1", all[] = "instance:*";
    static char *names[] = {preview, http, all};
    static const struct das_grants grants = {names, 3};
    char script[1200];
    struct web web;

    web_start(&web);
    web_rules(&web, rules_of_web, 4);
    snprintf(script, sizeof script,
             "local base = 'http://127.0.0.1:%d'\n"
             "local limit = das.http.get(base .. '/limit', { retry = { times = 2, wait = '10ms' } })\n"
             "das.preview{ time = das.json.decode(limit.body).time }\n"
             "das.preview{ user = das.http.get(base .. '/names?token=hidden').body }\n"
             "das.preview{ user = limit.headers['x-request-id'] .. limit.attempts }\n"
             "local _, why = das.http.get(base .. '/cut', { retry = { times = 1, wait = '10ms' } })\n"
             "das.preview{ user = why }\n"
             "das.preview{ user = select(3, das.http.get('http://127.0.0.1:1/')) }\n"
             "das.preview{ user = select(3, pcall(das.http.get, 'http://other.example/')) or 'no' }\n",
             web.port);
    granted = &grants;
    live(script, false, NULL, NULL, 0);
    web_stop(&web);
    ok(on_tape("\"http\":\"GET\"") && on_tape("req-200") && !on_tape("hidden"),
       "answers are on the tape, and of a URL the origin alone");
    is_equal(6, "a run that asked others");
    cut_everywhere();
    granted = NULL;
}

/* One byte of the tape, or of the policy, is another: that is seen. */
static void changed(void)
{
    char *at;

    live(killer, true, temp_state_dir(), NULL, 0);
    read_tape();
    at = strstr(tape, "Sending data");
    *at = 's';
    write_to(tape_path, tape);
    again();
    ok(result.differs && result.equal == 0 && result.recorded && result.now,
       "a list that was changed gives another input hash");
    *at = 'S';
    write_to(tape_path, tape);
    is_equal(4, "back as it was");

    write_to(script_path, "das.preview{ command = 'Query', time = 101 }");
    again();
    ok(result.other_policy && result.differs, "another policy is told");
    write_to(script_path, killer);

    at = strstr(tape, "{\"order\":");
    at = strstr(at, "\"id\":");
    at[5] = at[5] == '9' ? '8' : '9';
    write_to(tape_path, tape);
    again();
    ok(result.differs && strstr(result.why, "asks for the kill of"), "a kill that is not its own: %s",
       result.why);

    write_to(tape_path, "{\"x\":1}\n");
    {
        struct das_engine_opts opts = opts_of(NULL, 0);
        struct das_playback *p;
        das_playback_open(tape_path, &p, &err);
        das_rerun_result_clear(&result);
        ok(das_rerun(p, &opts, &result, &err) < 0 && strstr(err.msg, "das run --record"),
           "no recorded run: %s", err.msg);
        das_playback_close(p);
    }
    write_to(tape_path, "{\"list\":\"a\"}\n");
    {
        struct das_playback *p = NULL;
        ok(das_playback_open(tape_path, &p, &err) < 0 && strstr(err.msg, ":1: expected at_ms"),
           "no moment: %s", err.msg);
    }
}

/* Whichever allocation fails, nothing leaks and nothing is claimed. */
static void memory_fails(void)
{
    int said = 0, equal = 0;
    long n;

    live(killer, true, temp_state_dir(), NULL, 0);
    for (n = 1; n < 4000; n += 7) {
        struct das_engine_opts opts = opts_of(NULL, 0);
        struct das_playback *p = NULL;
        struct das_rerun_result r = {0};
        bool failed;
        int rc;

        das_alloc_fail_at(n);
        rc = das_playback_open(tape_path, &p, &err);
        if (rc == 0)
            rc = das_rerun(p, &opts, &r, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        if (failed && rc == 0 && !r.differs)
            equal++; /* Lua collects and asks again */
        said += failed;
        das_playback_close(p);
        das_rerun_result_clear(&r);
        if (!failed)
            break;
    }
    ok(said > 100, "%d allocations were made to fail, %d of them without consequence", said, equal);
}

int main(void)
{
    snprintf(script_path, sizeof script_path, "%s", temp_write("", 0));
    snprintf(tape_path, sizeof tape_path, "%s", temp_write("", 0));
    snprintf(list_path, sizeof list_path, "%s", temp_write("", 0));
    rules = allow_all;
    kit_seed(7);
    make_list();
    past();
    for (int i = 0; i < 5; i++) {
        make_list();
        kills();
    }
    clocks();
    errors();
    answers();
    changed();
    broken();
    full_disk();
    other_ends();
    memory_fails();
    das_rerun_result_clear(&result);
    return tap_done();
}
