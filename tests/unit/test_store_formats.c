/* test_store_formats.c - databases of every older format, with something in each of their tables,
 * opened by this das: nothing is lost, and every part goes on from there. */
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/store/access.h"
#include "core/store/approval.h"
#include "core/store/budget.h"
#include "core/store/delivery.h"
#include "core/store/habits.h"
#include "core/store/outbox.h"
#include "core/store/runbook.h"
#include "core/store/task.h"
#include "tests/unit/kit.h"
#include "tests/unit/old_store.h"

#define PLAN "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef"
#define LATER ((int64_t)1 << 60)

static struct das_err err;
static char request[DAS_APPROVAL_ID_SIZE], delivery[DAS_DELIVERY_SIZE];
static int64_t intent_known, intent_open;
static const struct das_decider ada = {.name = "ada"};

/* --- the formats ------------------------------------------------------------------------------ */

/* A database that exists was made by these bytes. What is new goes into a new format. */
static void never_changed(void)
{
    static const char *const sums[] = {
        "7918780a8925a4c0640cb00da7cd28bef1460ab426c2f419876c619c8f989c2e",
        "c9df61d32a7f27950a2e34fb5d435caae8f9e2f26bdb164052bcd93a4ce4071f",
        "4e7973f598dece9044ffd4486ae7d3737294c51918c73b08c0060eb150f36fdb",
        "4e5339a40803ed689e7aec6b1bc642349686f2cc8aee3f0ded9ee8f5ffbb22ad",
        "2968d1b3c99034a4db0aae47d2b37de3caf2d2d939a04151b242f08bf1445c83",
    };
    char sum[DAS_SHA256_HEX];

    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        must(das_sha256_hex(das_text_of(das_store_steps[i]), sum, &err) == 0, "a sum");
        is_str(sum, sums[i], "format %zu is what it was", i + 1);
    }
}

/* --- something for each table ----------------------------------------------------------------- */

static void fill_1(struct das_store *s)
{
    const struct das_bound none = {.name = "x", .scope = DAS_SCOPE_ALL, .max = 1000};
    struct das_claim claims[2] = {{.user = das_text_of("app"), .fingerprint = 7},
                                  {.user = das_text_of("app")}};
    struct das_record intent = {.kind = "intent",
                                .members =
                                    das_text_of("\"apply\":2,\"instance\":\"orders\",\"id\":101")};
    struct das_breaker b = {.state = DAS_BREAKER_OPEN, .reason = "too many came back"};
    int64_t unknown, usual, earlier;
    char why[200];

    store_must_add(s, "apply", "\"plan\":\"" PLAN "\",\"policy\":\"p.lua\"", 0);
    must(das_budget_reserve(s, "orders", "p.lua", claims, 2, &none, 1, why, sizeof why, &err) == 0,
         "two places");
    intent.spends = claims[0].id;
    must(das_journal_add(s, &intent, 1, &err) == 0, "an intent: %s", err.msg);
    intent_known = intent.seq;
    store_must_add(s, "outcome", "\"outcome\":\"killed\"", intent_known);
    unknown = store_must_add(s, "intent", "\"apply\":2,\"instance\":\"orders\",\"id\":102", 0);
    store_must_add(s, "outcome", "\"outcome\":\"unknown\"", unknown);
    intent_open = store_must_add(s, "intent", "\"apply\":2,\"instance\":\"orders\",\"id\":103", 0);
    must(das_breaker_put(s, "p.lua", "orders", &b, &err) == 0, "a breaker: %s", err.msg);
    must(das_matches_note(s, "p.lua", "orders", 4, &usual, &earlier, &err) == 0, "a habit");
}

static void fill_2(struct das_store *s)
{
    const struct das_access a = {.kind = DAS_ACCESS_KEY,
                                 .id = "DASKEY1",
                                 .name = "ci",
                                 .actions = "*",
                                 .instances = "*",
                                 .created_ms = 1,
                                 .secret = das_text_of("sealed")};
    struct das_task t = {.instance = "orders",
                         .user = das_text_of("app"),
                         .time = 10,
                         .manual = true,
                         .start_ms = 1000,
                         .by = "ci"};
    bool off;

    must(das_task_switch_set(s, "orders", true, 1, "root", &err) == 0, "a switch: %s", err.msg);
    must(das_task_add(s, &t, &off, &err) == 1, "a task: %s", err.msg);
    must(das_access_add(s, &a, "root", &err) == 0, "a key: %s", err.msg);
    must(das_seen_note(s, das_text_of("signature"), LATER, 1, &err) == 1, "a signature");
    must(das_history_catch_up(s, &err) == 0, "history: %s", err.msg);
}

static struct das_outbox_new message(const char *text)
{
    return (struct das_outbox_new){.channel = "ops",
                                   .message = das_text_of(text),
                                   .dedup = das_text_of("key"),
                                   .dedup_ms = 1000,
                                   .expire_ms = LATER};
}

static int bring(struct das_store *s)
{
    const struct das_text ids[] = {das_text_of("id")};
    const struct das_delivery d = {
        .hook = "slack", .ids = ids, .count = 1, .proof = "proof", .keep_ms = LATER};

    return das_delivery_note(s, &d, 1, NULL, &err);
}

static void fill_3(struct das_store *s)
{
    const struct das_outbox_new m = message("kept");
    const struct das_outbox_pace pace = {.burst = 10, .every_ms = 1000};
    struct das_outbox_take take;

    must(das_outbox_add(s, &m, 1, delivery, &err) == 1, "a message: %s", err.msg);
    must(das_outbox_claim(s, "ops", &pace, 2, &take, &err) == 1, "is taken: %s", err.msg);
    must(das_outbox_later(s, &take, "ops", 1000, "503", "busy", &err) == 0, "for later");
    das_outbox_take_clear(&take);
    must(bring(s) == 1, "a delivery: %s", err.msg);
}

static int say_yes(void *arg, const struct das_approval *a, struct das_approval_step *step,
                   struct das_err *e)
{
    const char *who = arg;

    (void)e;
    das_buf_printf(&step->members,
                   "{\"plan\":\"%s\",\"person\":\"%s\",\"yes\":true,\"via\":\"cli\"", a->hash, who);
    step->event = "vote";
    step->voter = who;
    step->state = (int64_t)a->yes_count + 1 == a->need ? DAS_APPROVAL_APPROVED : -1;
    return 0;
}

static void fill_4(struct das_store *s)
{
    char members[400];
    const struct das_approval_new n = {
        .plan = das_text_of("{}"), .members = das_text(members, 0), .subject = "s",
        .expires_ms = LATER};
    struct das_approval_new with = n;

    snprintf(members, sizeof members,
             "{\"plan\":\"%s\",\"instance\":\"orders\",\"need\":2,\"expires_ms\":%lld,"
             "\"roles\":[\"dba\"]",
             PLAN, (long long)LATER);
    with.members = das_text_of(members);
    must(das_approval_add(s, &with, 1, request, &err) == 1, "a request: %s", err.msg);
    must(das_approval_change(s, request, say_yes, (void *)"alice", &err) == 1, "a vote: %s",
         err.msg);
    must(das_approval_link_add(s, "link", request, "bob", &err) == 0, "a link");
    must(das_approval_form_add(s, "form", "link", LATER, &err) == 0, "a form");
}

static void fill_5(struct das_store *s)
{
    struct das_runbook r = {.name = "rb", .path = "/x/rb.lua", .sha256 = "aa",
                            .instances = "[\"orders\"]", .params = "{\"limit\":3}", .key = "rb",
                            .who = "ada", .until_ms = LATER};
    struct das_runbook_step look = {.name = "look"}, go = {.name = "go", .kind = DAS_STEP_ASK};
    int64_t other;

    must(das_runbook_start(s, &r, 1000, &other, &err) == 1, "a run: %s", err.msg);
    must(das_runbook_module(s, r.id, "/x/m.lua", "bb", false, &err) == 0, "its module");
    must(das_step_begin(s, r.id, &look, 1001, &err) == 0, "a step");
    must(das_step_note(s, r.id, look.n, "http", das_text_of("GET"), 1002, &err) == 0, "a note");
    look.status = DAS_STEP_DONE;
    look.result = "{\"seen\":2}";
    must(das_step_end(s, r.id, &look, 1003, &err) == 0, "its result");
    go.asks = "{\"question\":\"Go?\",\"choices\":[\"yes\",\"no\"]}";
    go.wake_ms = LATER;
    must(das_step_wait(s, r.id, &go, 1004, &err) == 0, "a question");
}

static void (*const fills[])(struct das_store *) = {fill_1, fill_2, fill_3, fill_4, fill_5};
#define FILLS ((int)(sizeof fills / sizeof *fills))

/* --- all of it is used ------------------------------------------------------------------------ */

static int count_any(void *arg)
{
    ++*(int *)arg;
    return 0;
}
static int any_task(void *arg, const struct das_task *t)
{
    return t->time == 10 && das_text_is(t->user, "app") ? count_any(arg) : 0;
}
static int any_kill(void *arg, const struct das_killed *k)
{
    (void)k;
    return count_any(arg);
}
static int any_access(void *arg, const struct das_access *a)
{
    return das_text_is(a->secret, "sealed") ? count_any(arg) : 0;
}

static void use_1(struct das_store *s)
{
    struct das_claim one = {.user = das_text_of("app"), .fingerprint = 7};
    const struct das_bound full = {.name = "limits.kill.day", .scope = DAS_SCOPE_ALL, .max = 1};
    struct das_breaker b;
    int64_t seqs[4], usual, earlier;
    char why[200];

    is_int(das_journal_unknown(s, seqs, 4, &err), 2,
           "a kill of unknown outcome, and one of a run that died");
    is_int(seqs[1], intent_open, "which is that one");
    ok(das_journal_acknowledge(s, seqs[0], "root", "looked", &err) == 0, "acknowledged");
    is_int(das_journal_applied(s, PLAN, &err), 1, "a plan that was applied");
    is_int(das_budget_reserve(s, "orders", "p.lua", &one, 1, &full, 1, why, sizeof why, &err), 1,
           "a kill that was spent counts");
    has_str(why, "1 ", "and what a dead run had reserved does not: %s", why);
    is_int(das_budget_recent(s, "orders", das_text_of("app"), 7, 0, &err), 1, "by its statement");
    ok(das_breaker_get(s, "p.lua", "orders", &b, &err) == 0 && b.state == DAS_BREAKER_OPEN, "open");
    is_str(b.reason, "too many came back", "the breaker, and why");
    ok(das_matches_note(s, "p.lua", "orders", 9, &usual, &earlier, &err) == 0 && usual == 4 &&
           earlier == 1,
       "what the policy usually matches");
}

static void use_2(struct das_store *s)
{
    struct das_task more = {
        .instance = "orders", .time = 20, .manual = true, .start_ms = 2000, .by = "ci"};
    int tasks = 0, kills = 0, keys = 0;
    int64_t total;
    bool off;

    ok(das_task_each(s, "orders", true, 9, any_task, &tasks, &err) == 0 && tasks == 1, "a task");
    is_int(das_task_add(s, &more, &off, &err), 1, "the switch is on: one more is taken");
    is_int(more.id, 2, "with a number of its own");
    is_int(das_task_stop(s, "orders", 1, 3000, "root", &err), 1, "the first is stopped");
    ok(das_history_catch_up(s, &err) == 0 &&
           das_history_page(s, "orders", 0, LATER, 1, 9, any_kill, &kills, &total, &err) == 0,
       "history");
    ok(kills == 3 && total == 3, "with every kill once");
    ok(das_access_each(s, any_access, &keys, &err) == 0 && keys == 1, "a key");
    is_int(das_seen_note(s, das_text_of("signature"), LATER, 2, &err), 0, "a signature is old");
}

static void use_3(struct das_store *s)
{
    const struct das_outbox_pace pace = {.burst = 10, .every_ms = 1000};
    const struct das_outbox_new again = message("again");
    char id[DAS_DELIVERY_SIZE];
    struct das_outbox_take take;

    is_int(das_outbox_add(s, &again, 500, id, &err), 0, "the same message was there before");
    is_str(id, delivery, "by its delivery");
    is_int(das_outbox_claim(s, "ops", &pace, 999, &take, &err), 0, "not before the channel is free");
    das_outbox_take_clear(&take);
    is_int(das_outbox_claim(s, "ops", &pace, 200000, &take, &err), 1, "it is taken");
    ok(take.count == 1 && strcmp(take.items[0].message, "kept") == 0 && take.items[0].tries == 2,
       "for the second time");
    is_int(das_outbox_sent(s, &take, "ref", 200001, &err), 0, "and sent");
    das_outbox_take_clear(&take);
    is_int(bring(s), 0, "a delivery is no news");
}

static void use_4(struct das_store *s)
{
    struct das_approval_key keys[3];
    struct das_approval_link link;
    struct das_approval *a;

    is_int(das_approval_list(s, true, keys, 3, &err), 1, "a request is open");
    is_str(keys[0].id, request, "that one");
    ok(das_approval_change(s, request, say_yes, (void *)"bob", &err) == 1, "the second yes");
    must(das_approval_get(s, request, &a, &err) == 0 && a, "read: %s", err.msg);
    ok(a->state == DAS_APPROVAL_APPROVED && a->yes_count == 2 &&
           strcmp(a->votes[0].person, "alice") == 0,
       "approved by two");
    das_approval_free(a);
    ok(das_approval_link_find(s, "link", &link, &err) == 1 && strcmp(link.person, "bob") == 0,
       "a link");
    is_int(das_approval_form_take(s, "form", "link", 1, &err), 1, "and its form");
}

static void use_5(struct das_store *s)
{
    struct das_runbook_step step;
    struct das_runbook r;

    ok(das_runbook_answer(s, 1, "go", "yes", &ada, "INC-1", 2000, &err) == 0, "an answer: %s",
       err.msg);
    must(das_runbook_claim(s, 1, "aa", false, "bob", 2001, &r, &err) == 0, "goes on: %s", err.msg);
    is_str(r.params, "{\"limit\":3}", "with its parameters");
    das_runbook_clear(&r);
    ok(das_step_get(s, 1, "look", &step, &err) == 1 && strcmp(step.result, "{\"seen\":2}") == 0,
       "a step that is done");
    das_runbook_step_clear(&step);
    ok(das_runbook_module(s, 1, "/x/m.lua", "cc", false, &err) < 0 && err.code == DAS_E_BLOCKED,
       "a module that has changed");
    ok(das_runbook_end(s, 1, DAS_RUNBOOK_DONE, "", 2002, &err) == 0, "its end");
}

static void (*const uses[])(struct das_store *) = {use_1, use_2, use_3, use_4, use_5};

/* --- from each format ------------------------------------------------------------------------- */

static void no_empty_table(const char *dir, int format)
{
    sqlite3_stmt *st = NULL;
    char sql[100];
    sqlite3 *db;

    must(sqlite3_open(store_path(dir, "das.db"), &db) == SQLITE_OK &&
             sqlite3_prepare_v2(db,
                                "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                " AND name NOT LIKE 'sqlite%'",
                                -1, &st, NULL) == SQLITE_OK,
         "tables");
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", name);
        ok(store_number(dir, sql) > 0, "format %d: %s has content", format, name);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void from_format(int format)
{
    const char *dir = store_dir(), *from = store_dir();
    struct das_store *s = store_open(from);
    struct das_head before, after;

    for (int i = 0; i < format && i < FILLS; i++)
        fills[i](s);
    must(das_journal_head(s, &before, &err) == 0, "head");
    old_store_make(dir, from, format);
    das_store_close(s);
    no_empty_table(dir, format);
    s = store_open(dir);
    is_int(store_number(dir, "PRAGMA user_version"), DAS_STORE_FORMAT, "format %d: opened", format);
    ok(das_journal_verify(s, &before, &after, &err) == 0, "its journal is whole: %s", err.msg);
    is_int(after.seq, before.seq + 1, "and one record longer: of the kill of a run that died");
    for (int i = format; i < FILLS; i++)
        fills[i](s);
    for (int i = 0; i < FILLS; i++)
        uses[i](s);
    ok(das_journal_verify(s, &after, &after, &err) == 0, "what came since, too: %s", err.msg);
    das_store_close(s);
}

int main(void)
{
    never_changed();
    for (int format = 1; format < DAS_STORE_FORMAT; format++)
        from_format(format);
    store_dirs_clear();
    return tap_done();
}
