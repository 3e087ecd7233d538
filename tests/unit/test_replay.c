/*
 * test_replay.c - a small recording of which every number is known, and what a replay says of it.
 *
 * Twenty-one snapshots, two seconds apart; times below are seconds from the first. The policy kills
 * statements of 10 s and idle transactions of 10 s, and runs every two seconds.
 */
#include "core/replay/replay.h"

#include "core/source/recording_writer.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"
#include "tests/unit/temp_state.h"

#define START INT64_C(1766655000) /* s; 09:30:00 UTC */
#define LAST 40

static struct das_err err;
static char film_path[64], policy_path[64];
static struct das_policy_rules rules;
static struct das_script_rules script_rules;
static struct das_replay_report report;

/* --- the recording ------------------------------------------------------------------------------
 */

/* What a session does from one time to another, both inclusive. */
struct part {
    int64_t id, from, to;
    const char *user, *command, *sql;
    int64_t query_id;
    int64_t since;      /* in this state */
    int64_t trx_since;  /* DAS_ABSENT: outside of a transaction */
    int64_t blocked_by; /* or DAS_ABSENT */
};

#define NO DAS_ABSENT

static const struct part parts[] = {
    /* runs until 21, and others wait for it */
    {1, 0, 20, "app", "Query", "select 1 from a", 10, -8, NO, NO},
    {1, 22, LAST, "app", "Sleep", NULL, 10, 21, NO, NO},
    /* is gone four seconds after its kill */
    {2, 0, 8, "app", "Query", "select 2 from b", 20, -4, NO, NO},
    {3, 0, 20, "report", "Query", "update x set y = 1", 30, -1, NO, 1},
    {3, 22, LAST, "report", "Sleep", NULL, 30, 22, NO, NO},
    {4, 4, 10, "report", "Query", "delete from y", 40, 3, NO, 3},
    {4, 12, 16, "report", "Query", "delete from y", 40, 3, NO, NO},
    /* the statement of the first one again; never old enough */
    {5, 12, 20, "app", "Query", "select 77 from a", 50, 11, NO, NO},
    /* an idle transaction, committed at 21 */
    {6, 0, 20, "root", "Sleep", NULL, 60, -1, -1, NO},
    {6, 22, LAST, "root", "Sleep", NULL, 61, 21, NO, NO},
    {7, 36, LAST, "app", "Query", "select 7 from g", 70, 35, NO, NO},
    /* goes on when the recording ends */
    {8, 20, LAST, "app", "Query", "select 9 from h", 80, 20, NO, NO},
    {9, 0, LAST, "event_scheduler", "Daemon", NULL, DAS_UNKNOWN, -1000, NO, NO},
};

static struct das_session session_of(const struct part *p, int64_t t)
{
    struct das_session s = kit_session(p->id);

    s.user = das_text_of(p->user);
    s.command = das_text_of(p->command);
    s.state = das_text_of(p->sql ? "Sending data" : "");
    s.sql_info = das_text_of(p->sql);
    s.query_id = p->query_id;
    s.state_duration = t - p->since;
    s.trx_time = p->trx_since == NO ? NO : t - p->trx_since;
    s.blocked_by = p->blocked_by;
    return s;
}

static void add_all(struct das_snapshot *snap, int64_t t, bool locks)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct das_session s = session_of(&parts[i], t);
        if (!locks)
            s.blocked_by = DAS_UNKNOWN;
        if (t >= parts[i].from && t <= parts[i].to && das_snapshot_add(snap, &s, &err) < 0)
            exit(1);
    }
}

/* from to to, in seconds; restarted: from then on another server. */
static void film(const char *path, const char *instance, int64_t from, int64_t to,
                 int64_t restarted, bool locks)
{
    struct das_identity server = {.server = "mariadb:here", .start_unix_s = 1766000000};
    struct das_recording_stream *stream;
    struct das_recording_writer *w;

    if (das_recording_writer_open(path, NULL, &w, &err) < 0 ||
        !(stream = das_recording_writer_stream(w, instance, &err))) {
        tap_diag("%s", err.msg);
        exit(1);
    }
    for (int64_t t = from; t <= to; t += 2) {
        struct das_snapshot *snap = das_snapshot_new(&err);
        if (t >= restarted)
            server.start_unix_s = START + restarted;
        das_snapshot_set_time(snap, START + t);
        das_snapshot_set_identity(snap, &server);
        das_snapshot_set_complete(snap, true);
        add_all(snap, t, locks);
        if (das_recording_stream_add(stream, snap, (START + t) * 1000, &err) < 0)
            exit(1);
        das_snapshot_release(snap);
    }
    if (das_recording_writer_close(w, &err) < 0)
        exit(1);
}

/* --- the replay ---------------------------------------------------------------------------------
 */

static const char script[] =
    "local seconds = tonumber((...)) or 10\n"
    "local slow = das.preview{ command = 'Query', time = seconds, info = 'select' }\n"
    "if slow.total_count > 0 then slow:plan{ kill = 'query', reason = 'slow' }:apply() end\n"
    "local idle = das.preview{ command = 'Sleep', trx_time = 10 }\n"
    "if idle.total_count > 0 then idle:plan{ kill = 'connection', reason = 'idle' }:apply() end\n";

static void policy(const char *text)
{
    FILE *f = fopen(policy_path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        exit(1);
}

static struct das_replay_policy with_arg(const char *const *arg)
{
    return (struct das_replay_policy){.path = policy_path,
                                      .args = arg,
                                      .arg_count = arg ? 1 : 0,
                                      .every_ms = 2000,
                                      .every_from = "--every",
                                      .rules = &script_rules};
}

static const char *files[3];

static struct das_replay_request request(const struct das_replay_policy *policies, size_t n)
{
    size_t count = 0;

    while (count < 3 && files[count])
        count++;
    return (struct das_replay_request){.files = files,
                                       .file_count = count,
                                       .from_ms = INT64_MIN,
                                       .to_ms = INT64_MAX,
                                       .policies = policies,
                                       .policy_count = n};
}

static void go(const struct das_replay_request *q)
{
    das_replay_report_clear(&report);
    if (das_replay(q, &report, &err) < 0) {
        tap_diag("%s", err.msg);
        exit(1);
    }
}

/* One line a victim: when, who, what, how long it went on, whom it kept waiting, what came back. */
static const char *victims(const struct das_replay_result *r)
{
    static char out[2000];
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < r->victim_count; i++) {
        const struct das_replay_victim *v = &r->victims[i];
        n += (size_t)snprintf(
            out + n, sizeof out - n, "%g:%lld %s %g%s%s %lld/%g %lld\n",
            (double)(v->at_ms - START * 1000) / 1000, (long long)v->was.id, v->kill,
            (double)v->lived_on_ms / 1000, v->end_seen ? "" : "+", v->wasted ? " wasted" : "",
            (long long)(das_known(v->blocked) ? v->blocked : -1),
            das_known(v->blocked_ms) ? (double)v->blocked_ms / 1000 : -1, (long long)v->respawned);
    }
    return out;
}

static const char *tally(const struct das_replay_result *r, enum das_tally_by by)
{
    static char out[500];
    struct das_arena texts;
    struct das_tally t;
    size_t n = 0;

    das_arena_init(&texts);
    out[0] = '\0';
    if (das_tally_make(r, by, &texts, &t) < 0)
        exit(1);
    for (size_t i = 0; i < t.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s %llu/%llu", i ? ", " : "",
                              (int)t.rows[i].key.len, t.rows[i].key.ptr,
                              (unsigned long long)t.rows[i].count,
                              (unsigned long long)t.rows[i].other);
    das_tally_clear(&t);
    das_arena_clear(&texts);
    return out;
}

static const char *words(const struct das_replay_near *n)
{
    static char out[300];
    struct das_buf b = {0};

    das_buf_printf(&b, "%lld: ", (long long)n->was.id);
    das_replay_near_criterion(n, &b);
    das_buf_str(&b, " was ");
    das_replay_near_value(n, &b);
    das_buf_str(&b, ", ");
    das_replay_near_note(n, &b);
    snprintf(out, sizeof out, "%s", b.ptr);
    das_buf_clear(&b);
    return out;
}

/* --- every number
 * --------------------------------------------------------------------------------- */

static void one_policy(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);
    const struct das_replay_result *r;
    bool told;

    go(&q);
    r = report.results[0];
    is_str(victims(r),
           "2:1 query 19 2/27 1\n"
           "6:2 query 4 wasted 0/0 0\n"
           "10:6 connection 11 0/0 0\n"
           "30:8 query 10+ 0/0 0\n",
           "who is killed when, how long each went on, who waited, what came back");
    is_int(r->runs, 21, "a run every two seconds");
    is_int(r->failed_runs + r->skipped, 0, "none of them failed");
    is_int(r->outcomes[DAS_O_KILLED], 4, "four outcomes");
    is_int(das_replay_wasted(r), 1, "one kill for nothing");
    is_int(das_replay_saved_ms(r), 44000, "they went on for 44 s");
    is_int(das_replay_saved_wait_ms(r, &told), 27000, "others waited for 27 s");
    ok(told, "which the recording tells");
    is_int(das_replay_respawns(r), 1, "one statement came back");
    is_int(r->near_count, 1, "one near miss: those that were killed later are none");
    is_int(r->near_told, 1, "... which is told");
    is_str(words(&r->near[0]), "5: time >= 10 s was 9 s, 1 s too young",
           "... with its nearest value");
    is_int(r->near[0].at_ms, (START + 20) * 1000, "... and when that was");
    is_str(tally(r, DAS_BY_USER), "app 3/1, root 1/0", "by user");
    is_str(tally(r, DAS_BY_KILL), "query 3/1, connection 1/0", "by what is killed");
    is_str(tally(r, DAS_BY_HOUR), "2025-12-25T09:00:00Z 4/1", "by hour");
    is_str(tally(r, DAS_BY_HOST), "10.0.0.7 4/1", "by the host without its port");
    is_str(tally(r, DAS_BY_FINGERPRINT),
           " 1/0, select ? from a 1/0, select ? from b 1/1, select ? from h 1/0",
           "by fingerprint; an idle session has none");
    ok(das_text_is(r->victims[0].reason, "slow") && das_text_is(r->victims[2].reason, "idle"),
       "each with the reason of its plan");
    is_int(r->victims[2].was.state_duration, 11, "a victim is told as it was when it was killed");
    is_int(report.snapshots, 21, "snapshots");
    is_int(report.wasted_ms, 5000, "5 s, if nothing else is said");
    is_int(report.timeline.step_ms, 2000,
           "a step of the timeline is not shorter than one snapshot");
    ok(report.timeline.steps == 21 && report.timeline.sessions[0] == 5 &&
           report.timeline.active[0] == 3 && report.timeline.sessions[20] == 6 &&
           report.timeline.active[20] == 2,
       "sessions and active ones over time");
}

static void ages_between(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);

    p.every_ms = 1000;
    go(&q);
    is_int(report.results[0]->runs, 41, "a run every second, on snapshots two seconds apart");
    is_str(victims(report.results[0]),
           "2:1 query 19 2/27 1\n"
           "6:2 query 4 wasted 0/0 0\n"
           "9:6 connection 12 0/0 0\n"
           "21:5 query 1 wasted 0/0 0\n"
           "30:8 query 10+ 0/0 0\n",
           "sees sessions grow old in between, as long as no snapshot says that they are gone");
    p.every_ms = 25000;
    go(&q);
    is_str(victims(report.results[0]), "", "one every 25 s sees nobody");
    is_int(report.results[0]->near_count, 1, "but the first, who was near then");
}

/* Who waits for a victim is counted from its kill on, not from the snapshot before. */
static void waits_between(void)
{
    static const char *const eleven[] = {"11"};
    struct das_replay_policy p = with_arg(eleven);
    struct das_replay_request q = request(&p, 1);
    const char *first = "3:1 query 18 2/26 ";

    p.every_ms = 1000;
    go(&q);
    if (!ok(strncmp(victims(report.results[0]), first, strlen(first)) == 0,
            "a kill between two snapshots ends the waits from then on"))
        tap_diag("%s", victims(report.results[0]));
}

/* Near, far, and near again, or selected after all: the bound is another one in each run. */
static void near_again(void)
{
    static const char moving[] =
        "local bounds = { [0] = 10, [2] = 100, [4] = 14, [6] = tonumber((...)) }\n"
        "das.preview{ time = bounds[os.time() - 1766655000] or 1000, info = 'select 1 from a' }\n";
    static const char *const args[] = {"100", "14"};

    policy(moving);
    for (int i = 0; i < 2; i++) {
        struct das_replay_policy p = with_arg(&args[i]);
        struct das_replay_request q = request(&p, 1);
        go(&q);
        is_int(report.results[0]->failed_runs, 0, "no run failed");
        is_int(report.results[0]->near_count, i == 0, "%s",
               i ? "who is selected in the end was no near miss"
                 : "who comes near a second time is one near miss");
        is_int(report.results[0]->near_told, i == 0, "... and told so");
    }
    policy(script);
}

/* A replay is armed: what it could find at the cloud are the sessions of today. */
static void no_cloud(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);

    setenv("HUAWEICLOUD_SDK_AK", "AK", 1);
    setenv("HUAWEICLOUD_SDK_SK", "SK", 1);
    policy("local account, why, code = das.cloud{ region = 'cn-north-4', project = ('a'):rep(32) }\n"
           "assert(not account and code == 'unsupported' and why:find('replay'), tostring(why))\n");
    go(&q);
    is_int(report.results[0]->failed_runs, 0, "there is no cloud in a replay, whatever the machine knows");
    if (report.results[0]->error_count)
        tap_diag("%s", report.results[0]->errors[0].message);
    policy(script);
    unsetenv("HUAWEICLOUD_SDK_AK");
    unsetenv("HUAWEICLOUD_SDK_SK");
}

static void parts_of_it(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);

    q.from_ms = (START + 4) * 1000;
    q.to_ms = (START + 8) * 1000;
    go(&q);
    is_str(victims(report.results[0]), "4:1 query 4+ 2/8 0\n6:2 query 2+ 0/0 0\n",
           "what is later than --to is not looked at");
    is_int(report.results[0]->runs, 3, "from 4 to 8: three runs");
    q.from_ms = (START + 400) * 1000;
    q.to_ms = INT64_MAX;
    das_replay_report_clear(&report);
    ok(das_replay(&q, &report, &err) < 0 && err.code == DAS_E_USAGE &&
           strstr(err.msg, "2025-12-25T09:30:00Z to 2025-12-25T09:30:40Z"),
       "a time without a recording is refused, and what there is told: %s", err.msg);
    das_replay_report_clear(&report);
}

static void wasted_bound(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);

    q.wasted_ms = 3999;
    go(&q);
    is_int(das_replay_wasted(report.results[0]), 0, "4 s are not within 3.999 s");
    q.wasted_ms = 11000;
    go(&q);
    is_int(das_replay_wasted(report.results[0]), 2,
           "11 s are within 11 s; an end that was not seen never is");
}

static void two_policies(void)
{
    static const char *const late[] = {"25"};
    struct das_replay_policy p[2] = {with_arg(NULL), with_arg(late)};
    struct das_replay_request q = request(p, 2);
    struct das_replay_difference d;
    struct das_buf both = {0}, alone = {0};
    char want[2000];

    go(&q);
    is_str(victims(report.results[1]), "10:6 connection 11 0/0 0\n18:1 query 3 wasted 1/3 0\n",
           "another threshold, other victims");
    must(das_replay_compare(report.results[0], report.results[1], &d) == 0, "compared");
    ok(d.both == 2 && d.first_count == 2 && d.second_count == 0,
       "two are of both, two of the first alone");
    is_int(report.results[0]->victims[d.only_first[0]].was.id, 2, "... the short one");
    is_int(report.results[0]->victims[d.only_first[1]].was.id, 8, "... and the last");
    das_replay_difference_clear(&d);
    snprintf(want, sizeof want, "%s", victims(report.results[1]));
    das_replay_json(&report, &both);
    go(&q);
    das_replay_json(&report, &alone);
    ok(das_text_eq(das_buf_view(&both), das_buf_view(&alone)), "once more: the same to the byte");
    q.policies = &p[1];
    q.policy_count = 1;
    go(&q);
    is_str(victims(report.results[0]), want, "alone it does what it does beside another");
    das_buf_clear(&both);
    das_buf_clear(&alone);
}

static void refused(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);
    const struct das_replay_result *r;

    rules.limits.run = 0;
    go(&q);
    r = report.results[0];
    is_int(r->victim_count, 0, "a limit holds in a replay, too");
    must(r->refused_count == 1, "one limit refused");
    is_str(r->refused[0].limit, "limits.kill.run", "... which is named");
    is_int(r->refused[0].sessions, 4, "... four sessions");
    /* 1: at 2 to 20, ten times; 2: at 6 and 8; 6: at 10 to 20, six times; 8: at 30 to 40, six times
     */
    is_int(r->refused[0].count, 24, "... again and again");
    is_int(r->outcomes[DAS_O_REFUSED], 24, "... as the outcomes say");
    is_int(r->near_count, 1, "who was refused is no near miss");
    rules.limits.run = 1;
    go(&q);
    is_int(report.results[0]->victim_count, 4, "each run may kill one anew");
    rules.limits = no_limits;
}

static void restarted(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);
    char path[64];

    snprintf(path, sizeof path, "%s", temp_text(""));
    unlink(path);
    film(path, "shop", 0, LAST, 12, true);
    files[0] = path;
    go(&q);
    /* after the restart the same ids are other sessions: they are killed anew, where they are old
     */
    is_str(victims(report.results[0]),
           "2:1 query 8+ 2/14 0\n"
           "6:2 query 4 wasted 0/0 0\n"
           "10:6 connection 0+ 0/0 0\n"
           "12:1 query 9 1/9 0\n"
           "12:6 connection 9 0/0 0\n"
           "30:8 query 10+ 0/0 0\n",
           "a restart ends what is known of the victims, and what was killed");
    files[0] = film_path;
}

static void no_locks(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);
    char path[64];
    bool told;

    snprintf(path, sizeof path, "%s", temp_text(""));
    unlink(path);
    film(path, "shop", 0, LAST, LAST + 1, false);
    files[0] = path;
    go(&q);
    das_replay_saved_wait_ms(report.results[0], &told);
    ok(!told && report.results[0]->victims[0].blocked == DAS_UNKNOWN,
       "a recording without locks: nobody knows who waited");
    files[0] = film_path;
}

static void several_files(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q;
    char first[64], second[64], want[2000];

    q = request(&p, 1);
    go(&q);
    snprintf(want, sizeof want, "%s", victims(report.results[0]));
    snprintf(first, sizeof first, "%s", temp_text(""));
    snprintf(second, sizeof second, "%s", temp_text(""));
    unlink(first);
    unlink(second);
    film(first, "shop", 0, 14, LAST + 1, true);
    film(second, "shop", 16, LAST, LAST + 1, true);
    film(first, "other", 0, LAST, LAST + 1, true);
    files[0] = second; /* their times tell the order */
    files[1] = first;
    q = request(&p, 1);
    q.instances = (const char *const[]){"sh%"};
    q.instance_count = 1;
    go(&q);
    is_str(victims(report.results[0]), want, "two files of an instance are one recording");
    is_int(report.instance_count, 1, "... and the other instance was not asked for");
    q.instance_count = 0;
    go(&q);
    is_int(report.results[0]->victim_count, 8, "two instances, each with its own victims");
    is_int(report.results[0]->runs, 42, "... and runs");
    ok(report.timeline.sessions[0] == 10, "... sessions of both in the timeline");
    is_str(report.results[0]->victims[0].instance, "other",
           "... in the order of time, then of names");
    files[0] = film_path;
    files[1] = first;
    q = request(&p, 1);
    das_replay_report_clear(&report);
    ok(das_replay(&q, &report, &err) < 0 && err.code == DAS_E_DATA && strstr(err.msg, "overlap"),
       "files that overlap are refused: %s", err.msg);
    das_replay_report_clear(&report);
    files[1] = NULL;
}

/* Reads over and over what it may, to see how the clock and the recording go on. */
static void scripts_that_wait(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);

    policy("local before = das.preview{ id = 1 }.processes[1].state_duration\n"
           "das.sleep('5s')\n"
           "local after = das.preview{ id = 1 }.processes[1].state_duration\n"
           "assert(after - before == 5 or after < before, after)\n"
           "error(os.time())\n");
    go(&q);
    is_int(report.results[0]->runs, 7, "no run begins while the one before it has not ended");
    is_int(report.results[0]->failed_runs, 7, "runs that fail are counted, and the replay goes on");
    is_int(report.results[0]->error_count, 7, "... with what they say");
    ok(strstr(report.results[0]->errors[1].message, "1766655011") != NULL &&
           report.results[0]->errors[1].first_ms == (START + 6) * 1000,
       "... and since when: %s", report.results[0]->errors[1].message);
    policy(script);
}

static void text_and_csv(void)
{
    struct das_replay_policy p[2] = {with_arg(NULL), with_arg(NULL)};
    struct das_replay_request q = request(p, 2);
    struct das_buf b = {0};
    size_t lines = 0;

    go(&q);
    das_replay_text(&report, 100, &b);
    ok(strstr(
           b.ptr,
           "would have killed 4 sessions; 1 of them (25 %) would have ended by itself within 5 s"),
       "the verdict in words");
    ok(strstr(b.ptr, "they went on for at least 44 s, and others waited for them 27 s; 1 statement "
                     "came back"),
       "... what it is worth");
    ok(strstr(b.ptr, "both: 4 sessions"), "... and the difference");
    das_buf_reset(&b);
    das_replay_csv(&report, &b);
    for (size_t i = 0; i < b.len; i++)
        lines += b.ptr[i] == '\n';
    is_int(lines, 9, "CSV: a head, and a row for each victim of each policy");
    das_buf_clear(&b);
}

/* Whatever allocation fails, it is told, and nothing is left behind (the sanitizers look). */
static void out_of_memory(void)
{
    struct das_replay_policy p = with_arg(NULL);
    struct das_replay_request q = request(&p, 1);
    size_t told = 0, same = 0;

    policy("das.preview{ command = 'Query', time = 10 }:plan{ kill = 'query' }:apply()\n");
    for (long n = 1; n < 4000; n += 1 + n / 40) {
        int rc;
        das_replay_report_clear(&report);
        das_alloc_fail_at(n);
        rc = das_replay(&q, &report, &err);
        told += rc < 0 && err.msg[0];
        same += rc == 0;
        das_alloc_fail_at(0);
    }
    ok(told > 10, "out of memory is told (%zu times; %zu times a run or nobody needed it)", told,
       same);
    das_replay_report_clear(&report);
    policy(script);
}

int main(void)
{
    rules = allow_all;
    rules.breaker = das_breaker_rules_default;
    rules.breaker.respawns = 0;
    rules.breaker.surge = 0;
    script_rules = (struct das_script_rules){.limits = das_limits_default, .policy = &rules};
    snprintf(policy_path, sizeof policy_path, "%s", temp_text(script));
    snprintf(film_path, sizeof film_path, "%s", temp_text(""));
    unlink(film_path);
    film(film_path, "shop", 0, LAST, LAST + 1, true);
    files[0] = film_path;
    one_policy();
    ages_between();
    waits_between();
    near_again();
    no_cloud();
    parts_of_it();
    wasted_bound();
    two_policies();
    refused();
    restarted();
    no_locks();
    several_files();
    scripts_that_wait();
    text_and_csv();
    out_of_memory();
    das_replay_report_clear(&report);
    temp_clear();
    return tap_done();
}
