/* test_killer.c - kills that clients and tasks of das serve ask for: whom they hit, which guards
 * hold, and what the journal says of them. */
#include "core/serve/killer.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "core/store/habits.h"
#include "tests/unit/serve_kit.h"

static struct das_protect protect;
static struct das_report *report;
static size_t matched;

/* n sessions of app, ids 1 to n, the first one the youngest; the last two of root. */
static struct das_member *open_with(int n)
{
    struct das_buf b = {0};

    das_buf_str(&b, LIST_HEAD);
    for (int i = 1; i <= n; i++)
        das_buf_printf(&b, "%d\t%s\t10.0.0.%d:1\tshop\tQuery\t%d\tSending data\tselect %d\n", i,
                       i > n - 2 ? "root" : "app", i, 10 * i, i);
    add_instance("orders", b.ptr, b.len);
    das_buf_clear(&b);
    fleet_open();
    das_protect_init(&protect);
    return das_fleet_at(fleet, 0);
}

static void close_it(void)
{
    das_report_free(report);
    report = NULL;
    das_protect_clear(&protect);
    fleet_close();
}

static int kill_ask(struct das_member *m, struct das_filter *f, struct das_kill_ask *ask)
{
    int rc;

    das_report_free(report);
    report = NULL;
    memset(&err, 0, sizeof err);
    ask->filter = f;
    if (!ask->policy)
        ask->policy = "serve:test";
    ask->who = "ci (DASKEY)";
    ask->reason = "because";
    if (!ask->until_ms)
        ask->until_ms = das_clock_monotonic_ms() + 60000;
    rc = das_killer_kill(&killer, m, ask, &matched, &report, &err);
    das_filter_release(f);
    return rc;
}

static int kill_all_of(struct das_member *m, const char *user, bool piecemeal)
{
    struct das_kill_ask ask = {.piecemeal = piecemeal};

    return kill_ask(m, kit_filter("user", user), &ask);
}

static size_t ended(void)
{
    return report ? report->totals[DAS_O_KILLED] + report->totals[DAS_O_KILLING] : 0;
}

/* --- whom
 * ----------------------------------------------------------------------------------------- */

static void kills(void)
{
    struct das_member *m = open_with(10);
    int64_t before = journal_head();
    struct das_kill_ask ask = {.task = "7", .policy = "serve:task"};

    is_int(kill_ask(m, kit_filter("user", "root"), &ask), 0, "all sessions of a user");
    ok(matched == 2 && ended() == 2, "are ended");
    is_int(alive(m), 8, "the others are there");
    is_int(records_with(before, "\"kind\":\"apply\"", "\"task\":\"7\""), 1,
           "the journal has a task");
    is_int(records_with(before, "\"kind\":\"apply\"", "\"by\":\"ci (DASKEY)\""), 1, "who asked");
    is_int(records_with(before, "\"kind\":\"apply\"", "\"policy\":\"serve:task\""), 1, "for what");
    is_int(records_with(before, "\"kind\":\"apply\"", "\"by_person\":false"), 1, "as no person");
    is_int(records_with(before, "\"kind\":\"intent\"", "\"action\":\"connection\""), 2,
           "each kill before it was done");
    is_int(records_with(before, "\"kind\":\"outcome\"", "\"outcome\":\"killed\""), 2, "and after");
    before = journal_head();
    is_int(kill_all_of(m, "root", false), 0, "once more");
    ok(matched == 0 && !report, "nobody is there");
    is_int(kill_all_of(m, "nobody", true), 0, "nor is nobody");
    ok(matched == 0 && !report && journal_head() == before, "which touches nothing");
    is_int(kill_ask(m, kit_filter(NULL, NULL), &(struct das_kill_ask){0}), 0,
           "without a criterion");
    ok(matched == 0 && !report && alive(m) == 8, "nobody is meant");
    close_it();
}

static void no_way(void)
{
    const struct das_source_conf conf = {.name = "tape", .spec = "file:tests/samples/show_tsv.txt"};

    inventory = das_inventory_new(&err);
    must(inventory && das_inventory_add(inventory, &conf, &err) == 0, "a recording");
    fleet_open();
    is_int(kill_all_of(das_fleet_at(fleet, 0), "%", false), -1, "has nobody to kill");
    is_int(err.code, DAS_E_UNSUPPORTED, "which is said");
    close_it();
}

/* --- guards
 * --------------------------------------------------------------------------------------- */

static void refused(struct das_member *m, const char *word, const char *why, const char *what)
{
    int64_t before;
    uint32_t there = alive(m);

    before = journal_head();
    is_int(kill_all_of(m, "root", false), 0, "%s: a plan", what);
    must(report && report->count == 2, "%s: for two", what);
    ok(report->totals[DAS_O_REFUSED] == 2 && matched == 2, "%s: both refused", what);
    has_str(report->items[0].note, why, "%s: why", what);
    is_str(das_guard_word(report->items[0].note), word, "%s: in a word", what);
    ok(records_with(before, "\"kind\":\"refused\"", "\"by\":\"ci (DASKEY)\"") == 1 &&
           records_with(before, "\"kind\":\"intent\"", NULL) == 0,
       "%s: so the journal says", what);
    is_int(kill_all_of(m, "root", true), -1, "%s: piece by piece", what);
    ok(err.code == DAS_E_BLOCKED && matched == 2, "%s: neither", what);
    has_str(err.msg, why, "%s: for the same reason", what);
    is_str(das_guard_word(err.msg), word, "%s: in the same word", what);
    is_int(records_with(before, "\"kind\":\"refused\"", NULL), 1, "%s: which is not written down",
           what);
    is_int(alive(m), there, "%s: all live", what);
}

static void breaker_is(enum das_breaker_state state)
{
    struct das_breaker b = {.state = state, .reason = "it went wrong"};

    must(das_breaker_put(temp_store(), "serve:test", "orders", &b, &err) == 0, "a breaker");
}

static void guards(void)
{
    struct das_member *m = open_with(10);
    char path[100];
    const char *const files[] = {path, NULL};
    struct das_span freeze = {.from = 0, .to = INT64_MAX / 2000};
    FILE *out;

    rules.mode = DAS_POLICY_OBSERVE;
    refused(m, "mode", "mode observe", "observe");
    rules.mode = DAS_POLICY_NOTIFY;
    rules.mode_is_set = true;
    refused(m, "mode", "mode notify", "notify");
    rules.mode = DAS_POLICY_APPROVE;
    refused(m, "mode", "mode approve", "approve");
    rules = allow_all;
    snprintf(path, sizeof path, "%s/STOP", temp_state_dir());
    killer.stop_files = files;
    out = fopen(path, "w");
    must(out && fclose(out) == 0, "an off switch");
    refused(m, "off_switch", "stopped by", "stopped");
    unlink(path);
    rules.freezes = &freeze;
    rules.freeze_count = 1;
    refused(m, "freeze", "frozen until", "frozen");
    rules = allow_all;
    rules.limits.minute = 0;
    refused(m, "limit", "limits.kill.minute", "no kill a minute");
    rules = allow_all;
    rules.limits.user = 0;
    refused(m, "limit", "limits.kill.user", "no kill of a user");
    rules = allow_all;
    rules.limits.run = 0;
    refused(m, "limit", "limits.kill.run", "no kill in a run");
    rules = allow_all;
    rules.limits.percent = 0;
    refused(m, "limit", "limits.kill.percent", "no share");
    rules = allow_all;
    rules.limits.min_left = 2;
    refused(m, "limit", "limits.kill.min_left", "none to spare");
    rules = allow_all;
    rules.breaker.cooldown_ms = 600000;
    breaker_is(DAS_BREAKER_OPEN);
    refused(m, "breaker", "the breaker is open: it went wrong", "open");
    breaker_is(DAS_BREAKER_CLOSED);
    is_int(kill_all_of(m, "root", false), 0, "without all that");
    is_int(ended(), 2, "they are ended");
    close_it();
}

static void protected_ones(void)
{
    struct das_member *m = open_with(10);
    struct das_filter *f = kit_filter("user", "root");

    must(das_protect_add(&protect, f, &err) == 0, "root is protected");
    das_filter_release(f);
    killer.protect = &protect;
    for (int piecemeal = 0; piecemeal < 2; piecemeal++) {
        int64_t before = journal_head();
        is_int(kill_all_of(m, "root", piecemeal), 0, "whoever asks");
        ok(matched == 2 && report && report->totals[DAS_O_PROTECTED] == 2, "root stays");
        is_int(records_with(before, "\"kind\":\"intent\"", NULL), 0, "nothing was begun");
    }
    is_int(alive(m), 10, "all are there");
    close_it();
}

/* --- piece by piece
 * ------------------------------------------------------------------------------- */

static void limit_of_a_run(void)
{
    struct das_member *m = open_with(10);

    rules.limits.run = 3;
    is_int(kill_all_of(m, "app", false), 0, "eight, where a run may kill three");
    ok(report && report->totals[DAS_O_REFUSED] == 8 && alive(m) == 10, "are all refused");
    is_int(kill_all_of(m, "app", true), 0, "piece by piece");
    ok(matched == 8 && report && report->count == 3 && ended() == 3,
       "eight match, three are ended");
    ok(!lives(m, 8) && !lives(m, 7) && !lives(m, 6) && lives(m, 5), "those that ran longest");
    is_int(kill_all_of(m, "app", true), 0, "the next time");
    ok(matched == 5 && ended() == 3, "the next three");
    is_int(kill_all_of(m, "app", true), 0, "and the last");
    ok(matched == 2 && ended() == 2 && alive(m) == 2, "until nobody is left but root");
    close_it();
}

static void others_take_no_place(void)
{
    struct das_member *m = open_with(10);
    struct das_filter *f = kit_filter("host", "10.0.0.8%");

    must(das_protect_add(&protect, f, &err) == 0, "the oldest one is protected");
    das_filter_release(f);
    killer.protect = &protect;
    rules.limits.run = 1;
    is_int(kill_all_of(m, "app", true), 0, "one at a time");
    ok(ended() == 1 && lives(m, 8) && !lives(m, 7), "the next one's turn");
    rules.limits.run = 1000;
    rules.limits.percent = 20;
    is_int(kill_all_of(m, "app", true), 0, "a fifth of nine");
    ok(ended() == 2 && lives(m, 8) && !lives(m, 6) && !lives(m, 5) && lives(m, 4), "is two");
    rules.limits.percent = 100;
    rules.limits.min_left = 4;
    is_int(kill_all_of(m, "app", true), 0, "of five keep four");
    ok(ended() == 1 && lives(m, 8) && !lives(m, 4) && lives(m, 3), "one goes");
    is_int(kill_all_of(m, "app", true), -1, "then none");
    is_int(err.code, DAS_E_BLOCKED, "is blocked");
    close_it();
}

/* A user whose share is used up is no reason to leave the others alone. */
static void user_by_user(void)
{
    struct das_member *m = open_with(10);

    /* what was killed before in this state directory counts as well */
    rules.limits.window_ms = 1;
    das_clock_sleep_ms(2);
    rules.limits.user = 1;
    is_int(kill_all_of(m, "%", true), 0, "of everybody, one for each user");
    ok(matched == 10 && ended() == 2 && !lives(m, 10) && lives(m, 9) && !lives(m, 8) && lives(m, 7),
       "the oldest of each");
    close_it();
}

static void replicates(void)
{
    static const char list[] = LIST_HEAD "1\trepl\th:1\tNULL\tBinlog Dump\t90\t\tNULL\n"
                                         "2\trepl\th:1\tNULL\tQuery\t80\t\tselect 1\n"
                                         "3\tapp\th:1\tNULL\tQuery\t70\t\tselect 1\n"
                                         "4\tapp\th:1\tNULL\tQuery\tNULL\t\tselect 1\n";
    struct das_member *m;

    add_instance("orders", list, sizeof list - 1);
    fleet_open();
    m = das_fleet_at(fleet, 0);
    rules.limits.run = 1;
    is_int(kill_all_of(m, "%", true), 0, "where somebody replicates");
    ok(matched == 4 && ended() == 1 && !lives(m, 3), "he takes nobody's place");
    is_int(kill_all_of(m, "%", true), 0, "then one is left that might be killed");
    ok(report && report->count == 1 && report->totals[DAS_O_CHANGED] == 1 && alive(m) == 3,
       "whose time is unknown: nobody can tell that it is still the same");
    is_int(kill_all_of(m, "repl", true), 0, "where all are protected");
    ok(report && report->totals[DAS_O_PROTECTED] == 1 && alive(m) == 3, "it is said why not");
    close_it();
}

/* --- ends
 * ----------------------------------------------------------------------------------------- */

struct few {
    int asked, allowed;
};

static bool only_some(void *arg, char *why, size_t size)
{
    struct few *f = arg;

    if (f->asked++ < f->allowed)
        return true;
    snprintf(why, size, "it was stopped");
    return false;
}

static bool then_cancel(void *arg, char *why, size_t size)
{
    struct few *f = arg;

    (void)why;
    (void)size;
    if (++f->asked == f->allowed)
        atomic_store(&cancel, 1); /* from the next one on */
    return true;
}

static void stops(void)
{
    struct das_member *m = open_with(10);
    /* each is asked about before its intent, after it, and after the last look */
    struct few few = {.allowed = 6};
    int64_t start;
    struct das_kill_ask ask = {.go_on = only_some, .arg = &few};

    is_int(kill_ask(m, kit_filter("user", "app"), &ask), 0, "one that is stopped after two");
    ok(ended() == 2 && report->totals[DAS_O_REFUSED] == 6 && few.asked == 7, "has killed two");
    is_int(alive(m), 8, "the others live");
    few = (struct few){.allowed = 1};
    start = journal_head();
    ask = (struct das_kill_ask){.go_on = only_some, .arg = &few};
    is_int(kill_ask(m, kit_filter("user", "app"), &ask), 0,
           "one that is stopped while its intent is written");
    ok(ended() == 0 && report->totals[DAS_O_REFUSED] == 6 && alive(m) == 8, "kills nobody more");
    is_int(records_with(start, "\"kind\":\"intent\"", NULL), 1, "the journal has the intent");
    is_int(records_with(start, "\"kind\":\"outcome\"", "it was stopped"), 1, "and why not");
    few = (struct few){.allowed = 3};
    ask = (struct das_kill_ask){.go_on = then_cancel, .arg = &few};
    is_int(kill_ask(m, kit_filter("user", "app"), &ask), 0, "when all ends during the first kill");
    ok(ended() == 1 && report->totals[DAS_O_REFUSED] == 5 && alive(m) == 7, "it is the last one");
    is_int(kill_all_of(m, "app", false), -1, "afterwards");
    ok(err.code == DAS_E_CANCELLED && !report && alive(m) == 7, "none begins");
    close_it();
}

static void *wait_for_turn(void *arg)
{
    struct das_member *m = arg;
    struct das_filter *f = kit_filter("user", "app");
    const struct das_kill_ask ask = {
        .filter = f, .policy = "serve:test", .until_ms = INT64_MAX / 4};
    struct das_report *r = NULL;
    struct das_err e = {0};
    size_t n;

    das_killer_kill(&killer, m, &ask, &n, &r, &e);
    das_report_free(r);
    das_filter_release(f);
    return e.code == DAS_E_CANCELLED ? arg : NULL;
}

static void waits(void)
{
    struct das_member *m = open_with(10);
    struct das_kill_ask ask = {.until_ms = das_clock_monotonic_ms() + 20};
    struct das_source *s;
    pthread_t thread;
    void *cancelled;

    must(das_member_enter(m, 0, &s, &err) == 0, "somebody kills");
    is_int(kill_ask(m, kit_filter("user", "app"), &ask), -1, "the other one waits");
    is_int(err.code, DAS_E_TIMEOUT, "until his time is up");
    must(pthread_create(&thread, NULL, wait_for_turn, m) == 0, "one that would wait for ever");
    atomic_store(&cancel, 1);
    pthread_join(thread, &cancelled);
    ok(cancelled == m, "does not when all ends");
    das_member_leave(m);
    is_int(alive(m), 10, "nobody was killed");
    close_it();
}

static void without_a_journal(void)
{
    struct das_member *m = open_with(10);

    killer.state_dir = "/proc/nowhere";
    is_int(kill_all_of(m, "app", false), -1, "where no journal can be written");
    ok(err.code == DAS_E_STORE && alive(m) == 10, "nobody is killed");
    is_int(kill_all_of(m, "nobody", false), 0, "who finds nobody needs none");
    close_it();
}

static void no_memory(void)
{
    int bad = 0, killed = 0;
    long n;

    for (n = 1; n < 3000; n++) {
        struct das_member *m = open_with(4);
        bool failed;
        int rc;
        struct das_filter *f = kit_filter("user", "app");
        const struct das_kill_ask ask = {
            .filter = f, .policy = "serve:test", .piecemeal = true, .until_ms = INT64_MAX / 4};
        das_alloc_fail_at(n);
        rc = das_killer_kill(&killer, m, &ask, &matched, &report, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        /* memory may fail for a remark or an outcome after the kill: that is no failure */
        bad += rc < 0 && !failed;
        bad += rc < 0 && alive(m) < 4;
        killed += ended() > 0;
        das_filter_release(f);
        close_it();
        if (!failed)
            break;
    }
    ok(!bad && n > 50 && n < 3000, "%ld failing allocations: who fails has killed nobody", n - 1);
    ok(killed > 0, "in the end they are killed");
}

int main(void)
{
    kills();
    no_way();
    guards();
    protected_ones();
    limit_of_a_run();
    others_take_no_place();
    user_by_user();
    replicates();
    stops();
    waits();
    without_a_journal();
    no_memory();
    return tap_done();
}
