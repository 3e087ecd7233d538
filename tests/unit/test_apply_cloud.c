/*
 * test_apply_cloud.c - plans against a source that tells little: no ids to look for, no statements to
 * end, lists that are cut, old or disputed. As a cloud's API is, without the cloud.
 */
#include <fcntl.h>

#include "core/session/render.h"
#include "tests/unit/plan_kit.h"

static struct das_source_ops cloudy;
static char asked_text[20][400]; /* the filter of each list */
static bool asked_own[20];       /* none may be missing, however the source reads it */

/* What the fake does, and what it was asked. */
static int list_cloudy(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                       struct das_err *e)
{
    struct fake *f = (struct fake *)s;
    size_t at = (size_t)f->lists % 20;

    snprintf(asked_text[at], sizeof asked_text[0], "%s", q->filter ? kit_text(q->filter) : "all");
    asked_own[at] = q->own_reading;
    ok(q->exhaustive, "list %d is asked for to its end", f->lists + 1);
    return fake_list(s, q, out, e);
}

static void fresh(void)
{
    fake_clear(&fake);
    fake_init(&fake);
    cloudy = fake_ops;
    cloudy.list = list_cloudy;
    cloudy.blind_to_ids = true;
    cloudy.cannot_statement = "no statements here";
    cloudy.kill_window = "between look and kill";
    fake.base.ops = &cloudy;
}

static struct das_session session(int64_t id)
{
    struct das_session s = kit_session(id);

    s.query_id = s.trx_time = s.rows_modified = DAS_UNKNOWN;
    return s;
}

static struct das_plan *plan(const struct das_session *list, size_t n, bool trust)
{
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO, .reason = "t", .trust_source = trust};
    struct das_filter *f = kit_filter("info", "select");
    struct das_plan *p = plan_of(list, n, f, &opts);

    das_filter_release(f);
    return p;
}

/* Applies p five seconds later to what is there then. */
static struct das_report *go(struct das_plan *p, const struct das_session *list, size_t n,
                             void (*change)(struct das_snapshot *s))
{
    struct das_session now[10];
    struct das_report *r;

    for (size_t i = 0; i < n; i++)
        now[i] = later(&list[i]);
    fake_show(&fake, now, n, NOW);
    if (change)
        change(fake.list);
    fake.kills = 0;
    r = apply(p, true, NULL);
    must(r, "applied: %s", err.msg);
    return r;
}

static void test_connection(void)
{
    struct das_session list[2] = {session(1), session(2)};
    struct das_report *r;
    struct das_plan *p;
    struct das_buf b = {0};

    fresh();
    list[1].user = das_text_of("50%");
    list[1].host = das_text_of("10.0.0.8:1");
    p = plan(list, 2, false);
    r = go(p, list, 2, NULL);
    ok(r->totals[DAS_O_KILLED] == 2, "killed");
    is_str(r->items[0].action, "connection", "auto: where no statement can be ended, the connection");
    is_int(fake.killed[0].what, DAS_KILL_SESSION, "of a busy session");
    is_str(asked_text[0], "all", "first everybody");
    has_str(asked_text[1], "{id=1} & {user=\"app\", host=\"10.0.0.7\"}", "then one, by who it is");
    ok(asked_own[1], "whom the source must not miss by reading that more narrowly");
    is_str(r->kill_window, "between look and kill", "the window is in the report");
    ok(das_known(r->items[0].look_age_ms) && r->items[0].look_age_ms >= 0, "with its length");
    das_report_print(r, 100, &b);
    has_str(b.ptr, "not noticed: between look and kill\n", "for people");
    has_str(b.ptr, " ms before", "too");
    das_buf_reset(&b);
    das_report_json(r, &b);
    has_str(b.ptr, "\"kill_window\":\"between look and kill\"", "and for programs");
    has_str(b.ptr, "\"look_age_ms\":", "with its length");
    das_buf_clear(&b);
    das_report_free(r);
    das_plan_release(p);
    fresh();
    p = plan(list + 1, 1, false);
    r = go(p, list + 1, 1, NULL);
    has_str(asked_text[1], "{user=\"50\\\\%\", host=\"10.0.0.8\"}", "a percent in a name is no wildcard");
    das_report_free(r);
    das_plan_release(p);
}

static void test_statement(void)
{
    const struct das_plan_opts opts = {.mode = DAS_MODE_QUERY, .reason = "t"};
    struct das_session list[1] = {session(1)};
    struct das_filter *f = kit_filter("info", "select");
    struct das_report *r;
    struct das_plan *p;

    fresh();
    p = plan_of(list, 1, f, &opts);
    r = go(p, list, 1, NULL);
    is_int(r->totals[DAS_O_REFUSED], 1, "a statement was asked for: refused");
    is_str(r->items[0].note, "no statements here", "and why");
    is_int(fake.kills, 0, "nothing stronger is done instead");
    das_report_free(r);
    das_plan_release(p);
    das_filter_release(f);
}

static void cut(struct das_snapshot *s)
{
    das_snapshot_set_cut(s, true);
    das_snapshot_set_complete(s, false);
}

static void old(struct das_snapshot *s)
{
    das_snapshot_set_lag(s, 11);
}

static void fairly_old(struct das_snapshot *s)
{
    das_snapshot_set_lag(s, 10);
}

static void before(struct das_snapshot *s)
{
    das_snapshot_set_time(s, THEN - 1);
}

static void test_lists(void)
{
    struct das_session list[3] = {session(1), session(2), session(3)};
    struct das_report *r;
    struct das_plan *p;

    fresh();
    p = plan(list, 3, false);
    r = go(p, list, 2, cut);
    ok(r->items[0].kind == DAS_O_UNKNOWN && r->items[2].kind == DAS_O_REFUSED,
       "a list that was cut: what is missing in it is neither gone nor killed");
    has_str(r->items[2].note, "nobody can tell whether it is there", "and why");
    has_str(r->items[0].note, "could not all be listed", "and why");
    das_report_free(r);
    das_plan_release(p);
    fresh();
    p = plan(list, 3, false);
    r = go(p, list, 2, NULL);
    is_int(r->items[2].kind, DAS_O_GONE, "one that is complete says that it is gone");
    das_report_free(r);
    das_plan_release(p);
    fresh();
    p = plan(list, 3, false);
    r = go(p, list, 3, old);
    is_int(r->totals[DAS_O_REFUSED], 3, "a list that was old when it came");
    has_str(r->items[0].note, "is 11 s old", "kills nobody");
    das_report_free(r);
    das_plan_release(p);
    fresh();
    p = plan(list, 3, false);
    r = go(p, list, 3, fairly_old);
    is_int(r->totals[DAS_O_KILLED], 3, "up to 10 s are taken");
    ok(r->items[0].look_age_ms >= 10000, "and counted to the window");
    das_report_free(r);
    das_plan_release(p);
    fresh();
    p = plan(list, 3, false);
    r = go(p, list, 3, before);
    is_int(r->totals[DAS_O_REFUSED], 3, "a list from before the preview");
    has_str(r->items[0].note, "older than the preview", "is no look again");
    das_report_free(r);
    das_plan_release(p);
}

static void test_many_owners(void)
{
    struct das_session list[14];
    char hosts[14][20];
    struct das_report *r;
    struct das_plan *p;

    fresh();
    for (int i = 0; i < 14; i++) {
        list[i] = session(i + 1);
        snprintf(hosts[i], sizeof hosts[i], "10.0.1.%d:7", i);
        list[i].host = das_text_of(hosts[i]);
    }
    p = plan(list, 14, false);
    {
        struct das_session now[14];
        for (int i = 0; i < 14; i++)
            now[i] = later(&list[i]);
        fake_show(&fake, now, 14, NOW);
    }
    cut(fake.list);
    r = apply(p, false, NULL);
    must(r, "a dry run: %s", err.msg);
    has_str(asked_text[1], "{id={1,", "many owners: the source is asked for the ids alone");
    ok(!strstr(asked_text[1], "user="), "and for everybody, that is");
    das_report_free(r);
    das_plan_release(p);
}

static void test_disputed(void)
{
    struct das_session list[3] = {session(1), session(2), session(3)};
    struct das_plan *p, *back;
    struct das_report *r;
    struct das_buf line = {0};

    fresh();
    list[1].disputed = true;
    list[1].sql_info = das_text_of("update t");
    p = plan(list, 3, false);
    ok(das_plan_victims(p) == 2 && das_plan_left_out(p) == 1 && !das_plan_trusts_source(p),
       "a disputed session is left out of a plan");
    das_plan_print(p, 100, &line);
    has_str(line.ptr, "1 disputed session is left out\n", "which it says");
    das_buf_reset(&line);
    das_plan_write(p, &line);
    ok(!strstr(line.ptr, "disputed") && !strstr(line.ptr, "trust_source"), "its line has nothing of it");
    das_plan_release(p);

    p = plan(list, 3, true);
    ok(das_plan_victims(p) == 3 && das_plan_left_out(p) == 0 && das_plan_trusts_source(p),
       "unless the source is trusted");
    das_buf_reset(&line);
    das_plan_print(p, 100, &line);
    has_str(line.ptr, "trusting the source: disputed sessions are among the victims\n", "to be seen");
    das_buf_reset(&line);
    das_plan_write(p, &line);
    has_str(line.ptr, "\"trust_source\":true", "its line says so");
    has_str(line.ptr, "\"disputed\":true", "and which one it is");
    back = das_plan_read(das_buf_view(&line), &err);
    must(back, "it is read back: %s", err.msg);
    ok(das_plan_trusts_source(back) && das_plan_victims(back) == 3 &&
           strcmp(das_plan_hash(back), das_plan_hash(p)) == 0,
       "the same plan");
    das_plan_release(back);
    r = go(p, list, 3, NULL);
    is_int(r->totals[DAS_O_KILLED], 3, "the source still selects it: killed");
    has_str(asked_text[1], "{info=\"select\"}", "it was asked for what it selects");
    ok(!asked_own[1] && !asked_own[3], "by its own reading");
    ok(asked_own[fake.lists - 1], "what became of them does not depend on that");
    ok(fake.lists >= 5, "and before each kill again");
    das_report_free(r);
    das_plan_release(p);

    fresh();
    p = plan(list, 3, true);
    list[1].disputed = false; /* no longer selected by the source */
    r = go(p, list, 3, NULL);
    ok(r->items[0].kind == DAS_O_KILLED && r->items[1].kind == DAS_O_CHANGED &&
           r->items[2].kind == DAS_O_KILLED,
       "listed, but selected by nobody: spared");
    das_report_free(r);
    das_plan_release(p);

    fresh();
    list[1].disputed = true;
    p = plan(list, 3, true);
    list[1] = list[2];
    r = go(p, list, 2, NULL);
    is_int(r->items[1].kind, DAS_O_GONE, "not listed any more: gone");
    has_str(r->items[1].note, "does not select it any more", "or not selected");
    das_report_free(r);
    das_plan_release(p);

    fresh();
    list[1] = session(2);
    p = plan(list, 3, true);
    ok(!das_plan_trusts_source(p), "without a disputed victim there is nothing to trust");
    das_plan_release(p);
    das_buf_clear(&line);
}

static void test_unknown(void)
{
    struct das_session list[2] = {session(1), session(2)};
    struct das_report *r;
    struct das_plan *p;

    for (int gone = 0; gone < 2; gone++) {
        fresh();
        list[0].disputed = true;
        p = plan(list, 2, true);
        fake.answers[0] = DAS_KILL_UNKNOWN;
        if (gone) {
            struct das_session left[1] = {later(&list[1])};
            fake.after_kill = kit_snapshot(left, 1);
            das_snapshot_set_time(fake.after_kill, NOW);
        }
        r = go(p, list, 2, NULL);
        is_int(r->items[0].kind, DAS_O_UNKNOWN, "nobody said what became of it: unknown");
        ok(asked_own[fake.lists - 1], "is it there, however the source reads filters?");
        has_str(r->items[0].note, gone ? "a look afterwards: it is gone"
                                       : "a look afterwards: it is still there", "then a look");
        is_int(r->items[1].kind, DAS_O_REFUSED, "and no more");
        das_report_free(r);
        das_plan_release(p);
    }
}

/* A list that was put together while time went by. */
static struct das_report *spread(int64_t then_s, int64_t now_s, int64_t age, int64_t seen)
{
    struct das_session list[1] = {session(1)};
    const struct das_plan_opts opts = {.mode = DAS_MODE_AUTO, .reason = "t", .limits = &no_limits};
    struct das_filter *f = kit_filter("info", "select");
    struct das_buf line = {0};
    struct das_selection *sel;
    struct das_report *r;
    struct das_plan *p;

    fresh();
    list[0].time_ms = DAS_UNKNOWN;
    list[0].state_duration = age;
    fake_show(&fake, list, 1, THEN);
    das_snapshot_set_spread(fake.list, then_s);
    sel = das_select(fake.list, f, &err);
    p = das_plan_new(sel, fake.name, &opts, &err);
    must(p, "a plan: %s", err.msg);
    das_plan_write(p, &line);
    das_plan_release(p);
    p = das_plan_read(das_buf_view(&line), &err); /* which has to know it, too */
    must(p, "the plan from a file: %s", err.msg);
    list[0].state_duration = seen;
    fake_show(&fake, list, 1, NOW);
    das_snapshot_set_spread(fake.list, now_s);
    r = apply(p, true, NULL);
    must(r, "applied: %s", err.msg);
    das_plan_release(p);
    das_buf_clear(&line);
    das_selection_free(sel);
    das_filter_release(f);
    return r;
}

static void test_spread(void)
{
    static const struct {
        int64_t then_s, now_s, age, seen;
        enum das_outcome_kind kind;
        const char *what;
    } cases[] = {
        {0, 0, 60, 65, DAS_O_KILLED, "as old as it should be"},
        {0, 0, 60, 62, DAS_O_CHANGED, "begun 3 s later"},
        {0, 4, 60, 69, DAS_O_KILLED, "listed 4 s after the list began"},
        {0, 4, 60, 71, DAS_O_CHANGED, "older than that can make it"},
        {0, 4, 60, 63, DAS_O_CHANGED, "younger, which it cannot make it"},
        {4, 0, 60, 61, DAS_O_KILLED, "previewed 4 s after the list began"},
        {4, 0, 60, 59, DAS_O_CHANGED, "younger than that can make it"},
        {0, 4, 5, 9, DAS_O_CHANGED, "so young that another statement may look like it"},
        {4, 0, 5, 9, DAS_O_CHANGED, "the same of the preview"},
        {0, 4, 6, 11, DAS_O_KILLED, "just old enough"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct das_report *r = spread(cases[i].then_s, cases[i].now_s, cases[i].age, cases[i].seen);
        is_int(r->items[0].kind, cases[i].kind, "%s: %s", cases[i].what, r->items[0].note);
        das_report_free(r);
    }
}

/* Everybody took long to list; the victims do not. */
static void slow_at_first(struct fake *f)
{
    das_snapshot_set_spread(f->list, f->lists == 1 ? 12 : 0);
    das_snapshot_set_lag(f->list, f->lists == 1 ? 12 : 0);
}

static void test_slow(void)
{
    struct das_session list[1] = {session(1)};
    struct das_report *r;
    struct das_plan *p;

    fresh();
    p = plan(list, 1, false);
    fake.on_list = slow_at_first;
    r = go(p, list, 1, NULL);
    is_int(r->items[0].kind, DAS_O_KILLED, "a long list of everybody: the victims are looked at anew: %s",
           r->items[0].note);
    has_str(asked_text[1], "{id=1}", "by themselves");
    das_report_free(r);
    das_plan_release(p);
}

static char stop_path[100];
static const char *const stop_files[] = {stop_path, NULL};

static void stop_on_its_way(struct fake *f)
{
    int fd = open(stop_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(f->kills == 0 && fd >= 0 && write(fd, "fail-over\n", 10) == 10, "stopped");
    close(fd);
}

/* The kill waits for its turn, and das is stopped meanwhile. */
static void test_late(void)
{
    struct das_session list[2] = {session(1), session(2)}, now[2];
    struct das_guard guard = *permissive_guard();
    const struct das_apply_opts opts = {.armed = true, .guard = &guard};
    struct das_report *r = NULL;
    struct das_plan *p;

    fresh();
    p = plan(list, 2, false);
    for (int i = 0; i < 2; i++)
        now[i] = later(&list[i]);
    fake_show(&fake, now, 2, NOW);
    snprintf(stop_path, sizeof stop_path, "%s/STOP", temp_state_dir());
    guard.stop_files = stop_files;
    fake.on_wait = stop_on_its_way;
    must(das_plan_apply(p, &fake.base, &opts, &r, &err) == 0, "applied: %s", err.msg);
    is_int(fake.kills, 0, "stopped while the kill waits: it is not sent");
    is_int(r->totals[DAS_O_REFUSED], 2, "refused, and the next one is not tried");
    has_str(r->items[0].note, "fail-over", "and why");
    has_str(r->items[1].note, "fail-over", "for both");
    is_int(r->items[0].look_age_ms, DAS_UNKNOWN, "no kill, no age of a look");
    das_report_free(r);
    das_plan_release(p);
    unlink(stop_path);
}

/* A snapshot keeps what belongs to it when it is derived. */
static void test_derived(void)
{
    struct das_session list[3] = {session(1), session(2), session(3)};
    const uint32_t rows[] = {2, 1};
    struct das_snapshot *s, *d;
    struct das_selection *sel;
    struct das_filter *f = kit_filter("info", "nothing of that");
    struct das_buf b = {0};
    struct das_session one;

    list[1].disputed = true;
    s = kit_snapshot(list, 3);
    das_snapshot_set_lag(s, 7);
    das_snapshot_set_spread(s, 3);
    cut(s);
    d = das_snapshot_derive(s, rows, 2, &err);
    must(d, "derived");
    ok(!das_snapshot_disputed(d, 0) && das_snapshot_disputed(d, 1), "disputed rows stay so");
    ok(das_snapshot_cut(d) && das_snapshot_lag(d) == 7 && das_snapshot_spread(d) == 3,
       "as do cut, lag and spread");
    sel = das_select(d, f, &err);
    is_str(kit_ids(sel), "2", "a disputed row is selected, whatever the filter says");
    das_snapshot_get(d, 1, &one);
    das_render_session_json(&one, &b);
    has_str(b.ptr, ",\"disputed\":true}", "and marked in JSON");
    das_buf_clear(&b);
    das_selection_free(sel);
    das_filter_release(f);
    das_snapshot_release(d);
    das_snapshot_release(s);
}

int main(void)
{
    test_connection();
    test_statement();
    test_lists();
    test_many_owners();
    test_disputed();
    test_unknown();
    test_spread();
    test_slow();
    test_late();
    test_derived();
    fake_clear(&fake);
    return tap_done();
}
