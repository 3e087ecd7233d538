/* test_outbox.c - messages that wait: pace, digests, attempts, keys, and processes that die in
 * between. On a clock that only the test moves. */
#include "core/store/journal.h"
#include "tests/unit/channel_kit.h"
#include "tests/unit/store_kit.h"

#define START_MS ((int64_t)1800000000000)

static struct das_err err;
static struct das_clock clock_;
static struct das_sender *sender;
static const char *dir;
static struct das_store *store;
static struct das_delivered done;
static char last_said[1000];

static void said(void *arg, const struct das_delivery *d)
{
    (void)arg;
    snprintf(last_said, sizeof last_said, "%s %zu %d %s", d->channel->name, d->count, d->kind,
             d->words);
}

/* A database and channels of the scene's own. */
static void begin(void)
{
    das_clock_init(&clock_, START_MS);
    das_store_close(store);
    dir = store_dir();
    store = store_open(dir);
    das_channels_clear(&channel_list);
    platform_forget();
    platform_says(200, "ok");
}

static void again(void)
{
    das_store_close(store);
    store = store_open(dir);
    das_sender_free(sender);
    sender = platform_sender();
}

static void pass(int64_t ms)
{
    das_clock_move_to(&clock_, das_clock_at_ms(&clock_) + ms);
}

static void deliver(void)
{
    const struct das_delivering d = {
        .sender = sender, .channels = &channel_list, .budget_ms = 60000, .said = said};

    if (das_deliver(&d, store, &done, &err) < 0) {
        tap_diag("deliver: %s", err.msg);
        exit(1);
    }
}

static const struct das_channel *ch(void)
{
    return &channel_list.items[0];
}

static int queue_as(const char *title, const char *dedup, enum das_event event,
                    enum das_severity severity, char *id)
{
    char ignored[DAS_DELIVERY_SIZE];
    struct das_notice n;
    int rc;

    notice_texts(&n, title, "text");
    n.severity = severity;
    n.event = event;
    if (dedup)
        das_notice_text(&n, &n.dedup, das_text_of(dedup), 100, &err);
    rc = das_notice_queue(store, ch(), &n, id ? id : ignored, &err);
    das_notice_clear(&n);
    return rc;
}

static void queue(const char *title)
{
    if (queue_as(title, NULL, DAS_TRIGGER, DAS_INFO, NULL) != 1) {
        tap_diag("queue: %s", err.msg);
        exit(1);
    }
}

static const char *asked_title(size_t n)
{
    static char out[400];
    json_t *o = asked_json(n);

    snprintf(out, sizeof out, "%s", json_text_at(o, "blocks.0.text.text"));
    json_decref(o);
    return out;
}

static const char *asked_text(size_t n)
{
    static char out[4000];
    json_t *o = asked_json(n);

    snprintf(out, sizeof out, "%s", json_text_at(o, "blocks.1.text.text"));
    json_decref(o);
    return out;
}

static int64_t in_state(int state)
{
    char sql[100];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM outbox WHERE state = %d", state);
    return store_number(dir, sql);
}

static void hook(void)
{
    CHANNEL("ops", "slack", "url=http://h/services/T0/B0/X");
}

/* --- scenes ----------------------------------------------------------------------------------- */

static void pace(void)
{
    size_t burst;

    begin();
    hook();
    channel_list.items[0].rate = 20;
    for (int i = 0; i < 30; i++)
        queue("one of many");
    deliver();
    burst = asked_count;
    is_int(burst, 5, "some at once");
    ok(done.next_ms > START_MS && done.next_ms < START_MS + 10000, "the next in %lld ms",
       (long long)(done.next_ms - START_MS));
    deliver();
    is_int(asked_count, burst, "no more at the same time");
    das_clock_move_to(&clock_, done.next_ms - 1);
    deliver();
    is_int(asked_count, burst, "nor a moment too early");
    pass(1);
    again(); /* the count is not in memory */
    deliver();
    is_int(asked_count, burst + 1, "one more in time");
    while (das_clock_at_ms(&clock_) < START_MS + 60000) {
        deliver();
        pass(500);
    }
    ok(asked_count <= 20, "%zu within the first minute", asked_count);
    pass(600000);
    deliver();
    ok(asked_count <= 25, "after a rest, a burst and no more: %zu", asked_count);
}

static void digest(void)
{
    begin();
    hook();
    channel_list.items[0].digest_ms = 300000;
    queue("slow query on orders");
    deliver();
    is_int(asked_count, 1, "the first goes at once");
    is_str(asked_title(0), "slow query on orders", "as it is");
    for (int i = 0; i < 7; i++) {
        pass(1000);
        queue(i % 2 ? "slow query on orders" : "slow query on users");
        deliver();
    }
    is_int(asked_count, 1, "what follows waits");
    is_int(done.next_ms, START_MS + 300000, "until its time");
    is_int(queue_as("all is lost", NULL, DAS_TRIGGER, DAS_CRITICAL, NULL), 1, "what is critical");
    deliver();
    is_int(asked_count, 2, "does not");
    das_clock_move_to(&clock_, START_MS + 300000);
    again();
    deliver();
    is_int(asked_count, 3, "then one message");
    has_str(asked_title(2), "7 messages since 2027-01-15T08:00:01Z", "that says how many");
    has_str(asked_text(2), "4 \xc3\x97 slow query on users\n3 \xc3\x97 slow query on orders",
            "and of what");
    is_int(in_state(1), 9, "all are sent");
    pass(1);
    queue("another");
    deliver();
    is_int(asked_count, 3, "and the next waits again");
    for (int i = 0; i < 3; i++)
        queue_as("slow query on users", "users", DAS_TRIGGER, DAS_INFO, NULL);
    das_clock_move_to(&clock_, START_MS + 700000);
    again();
    deliver();
    has_str(asked_text(3), "3 \xc3\x97 slow query on users",
            "what was said again under its key counts as often as it was said");
}

/* A digest that may have arrived is the same one the second time, with the same id. */
static void digest_again(void)
{
    begin();
    CHANNEL("hook", "webhook", "url=http://h/in", "secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    channel_list.items[0].digest_ms = 60000;
    queue("zero");
    deliver();
    queue("a");
    queue("b");
    pass(60000);
    platform_forget();
    platform_says(0, "");
    platform_says(204, "");
    deliver();
    is_int(done.later, 2, "the digest did not get through");
    queue("c");
    pass(120000);
    deliver();
    is_int(asked_count, 2, "tried again");
    ok(strstr(asked[0].headers, "webhook-id: msg_") &&
           strncmp(strstr(asked[0].headers, "webhook-id"), strstr(asked[1].headers, "webhook-id"),
                   38) == 0,
       "with the same id");
    ok(strstr(asked[1].body, "2 messages") && !strstr(asked[1].body, "\xc3\x97 c"),
       "and the same messages: %s", asked[1].body);
    pass(60000);
    deliver();
    is_int(asked_count, 3, "what came later is the next one");
}

static void attempts(void)
{
    int64_t waits[5] = {0};

    begin();
    hook();
    channel_list.items[0].tries = 5;
    platform_forget();
    platform_says(503, "");
    queue("x");
    for (int i = 0; i < 5; i++) {
        deliver();
        is_int(asked_count, i + 1, "attempt %d", i + 1);
        waits[i] = done.next_ms - das_clock_at_ms(&clock_);
        if (i < 4) {
            deliver();
            is_int(asked_count, i + 1, "not again at once");
            again();
            das_clock_move_to(&clock_, done.next_ms);
        }
    }
    ok(waits[1] == waits[0] * 2 && waits[2] == waits[1] * 2,
       "each wait is longer: %lld, %lld, %lld", (long long)waits[0], (long long)waits[1],
       (long long)waits[2]);
    is_int(in_state(2), 1, "then it is given up");
    is_int(done.failed, 1, "and counted");
    has_str(last_said, "ops 1 3", "and said");
    pass(86400000);
    deliver();
    is_int(asked_count, 5, "for good");

    begin();
    hook();
    platform_forget();
    platform_says_with(429, "", "Retry-After", "45");
    platform_says(200, "ok");
    queue("x");
    queue("y");
    deliver();
    is_int(asked_count, 1, "told to wait, the channel waits");
    is_int(done.next_ms, START_MS + 45000, "as long as it was told");
    pass(44999);
    deliver();
    is_int(asked_count, 1, "and no less");
    pass(1);
    deliver();
    is_int(asked_count, 3, "then both");
    is_str(asked_title(1), "x", "in their order");

    begin();
    hook();
    platform_forget();
    platform_says(404, "no_service");
    queue("x");
    deliver();
    is_int(in_state(2), 1, "what is refused is given up at once");
    is_int(store_number(dir, "SELECT count(*) FROM outbox WHERE code = 'no_service'"), 1,
           "with the platform's word");

    begin();
    hook();
    channel_list.items[0].expire_ms = 60000;
    platform_forget();
    platform_says(500, "");
    queue("x");
    deliver();
    pass(60000);
    deliver();
    is_int(asked_count, 1, "what is too old is not sent");
    ok(in_state(2) == 1 && done.failed == 1, "but given up");
    has_str(last_said, "not sent in time", "and said");
}

static void keys(void)
{
    char first[DAS_DELIVERY_SIZE], id[DAS_DELIVERY_SIZE];

    begin();
    hook();
    is_int(queue_as("lag", "k", DAS_TRIGGER, DAS_INFO, first), 1, "said");
    is_int(queue_as("lag", "k", DAS_TRIGGER, DAS_INFO, id), 0, "said again: not");
    is_str(id, first, "it is the same");
    deliver();
    is_int(asked_count, 1, "one message");
    has_str(asked[0].body, "1 more time", "that says so");
    again();
    is_int(queue_as("lag", "k", DAS_TRIGGER, DAS_INFO, id), 0, "nor when it was sent");
    is_int(queue_as("lag", "other", DAS_TRIGGER, DAS_INFO, id), 1, "another key");
    is_int(queue_as("lag", "k", DAS_RESOLVE, DAS_INFO, id), 1, "its end");
    is_int(queue_as("lag", "k", DAS_TRIGGER, DAS_INFO, id), 1, "and its next beginning");
    pass(3600000);
    is_int(queue_as("lag", "k", DAS_TRIGGER, DAS_INFO, id), 1, "or after an hour");
}

/* Whoever took a message and died has it for a while; then somebody else sends it. */
static void died(void)
{
    const struct das_outbox_pace rule = {1, 1000, 0};
    struct das_outbox_take t;

    begin();
    hook();
    queue("x");
    is_int(das_outbox_claim(store, "ops", &rule, START_MS, &t, &err), 1, "taken");
    is_int(t.count, 1, "one");
    das_outbox_take_clear(&t);
    again();
    pass(DAS_OUTBOX_CLAIM_MS - 1);
    deliver();
    is_int(asked_count, 0, "it may still be under way");
    is_int(done.next_ms, START_MS + DAS_OUTBOX_CLAIM_MS, "until then");
    pass(1);
    deliver();
    is_int(asked_count, 1, "then it is sent");
    is_int(in_state(1), 1, "once");
}

static int take_one(void *arg, int i)
{
    const struct das_outbox_pace rule = {100, 1, 0};
    struct das_store *s = store_open(arg);
    struct das_outbox_take t;
    int got = 0;

    (void)i;
    while (das_outbox_claim(s, "ops", &rule, START_MS + 10, &t, &err) > 0) {
        got += (int)t.count;
        if (das_outbox_sent(s, &t, "", START_MS + 10, &err) < 0)
            got += 1000;
        das_outbox_take_clear(&t);
    }
    das_store_close(s);
    return got > 0 && got <= 20 ? 0 : 1;
}

static void several(void)
{
    begin();
    hook();
    for (int i = 0; i < 20; i++)
        queue("x");
    store_herd(4, take_one, (char *)(uintptr_t)dir);
    is_int(in_state(1), 20, "several processes send all of them");
    is_int(store_number(dir, "SELECT sum(tries) FROM outbox"), 20, "and each once");
}

static void edits(void)
{
    char id[DAS_DELIVERY_SIZE], ignored[DAS_DELIVERY_SIZE];
    struct das_notice n;

    begin();
    CHANNEL("ops", "slack", "token=xoxb", "channel=C1", "endpoint=http://h");
    platform_forget();
    platform_says(200, "{\"ok\":true,\"channel\":\"C9\",\"ts\":\"1.2\"}");
    must(queue_as("approve?", NULL, DAS_TRIGGER, DAS_INFO, id) == 1, "a message");
    deliver();
    again();
    notice_texts(&n, "approved by eve", "x");
    das_notice_text(&n, &n.update, das_text_of(id), DAS_NOTICE_KEY, &err);
    das_notice_queue(store, ch(), &n, ignored, &err);
    deliver();
    is_int(asked_count, 2, "and what became of it");
    is_str(asked[1].url, "http://h/chat.update", "takes its place");
    has_str(asked[1].body, "\"ts\":\"1.2\"", "by the name that it has there");
    das_notice_text(&n, &n.update, das_text_of("msg_unknown"), DAS_NOTICE_KEY, &err);
    das_notice_queue(store, ch(), &n, ignored, &err);
    deliver();
    is_str(asked[2].url, "http://h/chat.postMessage", "of one that nobody knows it is a new one");
    das_notice_clear(&n);
}

static int count_row(void *arg, const struct das_outbox_row *r)
{
    (void)r;
    ++*(int *)arg;
    return 0;
}

static void bounds(void)
{
    struct das_notice n;
    struct das_store *old = NULL;
    char id[DAS_DELIVERY_SIZE];
    int64_t waiting;
    int rows = 0;

    begin();
    hook();
    notice_texts(&n, "", "");
    ok(das_notice_queue(store, ch(), &n, id, &err) < 0 && err.code == DAS_E_USAGE,
       "no message without words");
    das_notice_clear(&n);
    queue("x");
    store_sql(dir,
              "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9999)"
              " INSERT INTO outbox SELECT NULL, 'm' || i, channel, dedup, event, alone, message,"
              " state, created_ms, due_ms, expires_ms, claim_ms, ended_ms, tries, repeats, ref,"
              " code, error, part_of FROM outbox, c");
    is_int(queue_as("y", NULL, DAS_TRIGGER, DAS_INFO, NULL), -1, "too many wait");
    is_int(err.code, DAS_E_BUSY, "which is said: %s", err.msg);
    ok(das_outbox_count(store, DAS_OUTBOX_WAITING, &waiting, &err) == 0 && waiting == DAS_OUTBOX_MAX,
       "they are counted");
    ok(das_outbox_each(store, "ops", 0, START_MS, 50, count_row, &rows, &err) == 0 && rows == 50,
       "and listed");
    store_sql(dir, "UPDATE outbox SET state = 1, ended_ms = 1800000000000");
    das_clock_move_to(&clock_, START_MS + DAS_OUTBOX_KEEP_MS + 1);
    deliver();
    is_int(store_number(dir, "SELECT count(*) FROM outbox"), 0, "what is long over is forgotten");
    queue("x");
    store_sql(dir, "UPDATE outbox SET message = x'6e6f'");
    deliver();
    is_int(in_state(2), 1, "what cannot be read is given up");
    /* a clock that was wrong for a while closes no channel for ever */
    store_sql(dir,
              "UPDATE outbox_pace SET tat_ms = 9000000000000000, digest_ms = 9000000000000000");
    queue("x");
    pass(10000);
    deliver();
    is_int(in_state(1), 1, "a clock that went back does not close a channel");
    store_sql(dir, "PRAGMA user_version = 2; DROP TABLE outbox; DROP TABLE outbox_pace;"
                   "DROP TABLE deliveries;"
                   "DROP TABLE approvals; DROP TABLE approval_votes;"
                   "DROP TABLE approval_links; DROP TABLE approval_forms;"
                   "DROP TABLE runbooks; DROP TABLE stretches; DROP TABLE steps;"
                   "DROP TABLE step_notes; DROP TABLE runbook_modules; DROP TABLE hook_work");
    must(das_store_open_to_read(dir, &old, &err) == 0 && old, "of an older das: %s", err.msg);
    rows = 0;
    ok(das_outbox_each(old, NULL, -1, START_MS, 50, count_row, &rows, &err) == 0 && rows == 0,
       "it has none");
    das_store_close(old);
    again();
    queue("x");
    deliver();
    is_int(in_state(1), 1, "and gets its place when it is opened");
}

int main(void)
{
    das_clock_init(&clock_, START_MS);
    das_clock_enter(&clock_);
    sender = platform_sender();
    pace();
    digest();
    digest_again();
    attempts();
    keys();
    died();
    several();
    edits();
    bounds();
    das_store_close(store);
    das_sender_free(sender);
    das_channels_clear(&channel_list);
    platform_forget();
    das_clock_enter(NULL);
    store_dirs_clear();
    return tap_done();
}
