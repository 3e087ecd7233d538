/* test_question.c - questions of runbooks in channels: what is posted, once, whoever dies; how it
 * says that they are over; which clicks count. */
#include "core/approval/question.h"

#include "core/store/outbox.h"
#include "tests/unit/store_kit.h"
/* after it */
#include "tests/unit/channel_kit.h"

static struct das_err err;
static const char *dir;
static struct das_store *store;
static const struct das_decider bob = {.name = "bob", .via = "slack"};

/* --- the stage -------------------------------------------------------------------------------- */

static void begin(void)
{
    das_store_close(store);
    dir = store_dir();
    store = store_open(dir);
}

#define CHOICES "\"choices\":[\"leave\",\"kill\"]"

/* A run that asks in that channel; its id. more: further members of the question. */
static int64_t ask_with(const char *key, const char *channel, const char *more, int64_t until)
{
    struct das_runbook r = {.name = "rb",
                            .path = "/x/rb.lua",
                            .sha256 = "aa",
                            .key = key,
                            .instances = "[\"orders\"]",
                            .params = "{}",
                            .armed = true,
                            .who = "ada",
                            .until_ms = 1000000};
    struct das_runbook_step step = {.name = "go?", .kind = DAS_STEP_ASK, .wake_ms = until};
    char asks[1000];
    int64_t other;

    snprintf(asks, sizeof asks, "{%s,\"question\":\"Kill 3 of them?\",\"channel\":\"%s\"}", more,
             channel);
    step.asks = asks;
    must(das_runbook_start(store, &r, 10, &other, &err) == 1, "start: %s", err.msg);
    must(das_step_wait(store, r.id, &step, 20, &err) == 0, "wait: %s", err.msg);
    return r.id;
}

static int64_t ask(const char *key, const char *channel)
{
    return ask_with(key, channel, CHOICES, 900000);
}

static int say(void)
{
    return das_questions_say(store, &channel_list, &err);
}

static int64_t waiting(const char *channel)
{
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM outbox WHERE channel = '%s'", channel);
    return store_number(dir, sql);
}

/* The newest message that was queued. The caller clears it. */
static int keep(void *arg, const struct das_outbox_row *row)
{
    must(das_notice_read(arg, row->message, &err) == 0, "read: %s", err.msg);
    return 1;
}

static struct das_notice last(const char *channel)
{
    struct das_notice n;

    das_notice_init(&n);
    must(das_outbox_each(store, channel, -1, 0, 1, keep, &n, &err) == 1, "no message");
    return n;
}

/* Of a message as it was read: no NUL is behind it. */
static const char *str(struct das_text t)
{
    static char out[4][2000];
    static unsigned next;
    char *to = out[next++ % 4];

    snprintf(to, sizeof out[0], "%.*s", (int)t.len, t.ptr ? t.ptr : "");
    return to;
}

static void last_says(const char *channel, const char *title, const char *text)
{
    struct das_notice n = last(channel);

    is_str(str(n.title), title, "%s", title);
    has_str(str(n.text), text, "%s: %s", title, text);
    is_int((int64_t)n.button_count, 0, "%s: without buttons", title);
    das_notice_clear(&n);
}

static const char *field_of(const struct das_notice *n, const char *name)
{
    for (size_t i = 0; i < n->field_count; i++) {
        if (das_text_eq(n->fields[i].name, das_text_of(name)))
            return str(n->fields[i].value);
    }
    return "";
}

/* Button i of the newest message. */
static struct das_question_value button(const char *channel, size_t i)
{
    struct das_question_value v;
    struct das_notice n = last(channel);

    must(i < n.button_count && das_question_value_read(n.buttons[i].value, &v), "button %zu", i);
    das_notice_clear(&n);
    return v;
}

static char words[400];

static int press(const struct das_question_value *v, const struct das_decider *by, int64_t now)
{
    words[0] = '\0';
    return das_question_press(store, v, by, now, words, sizeof words, &err);
}

/* --- posting ---------------------------------------------------------------------------------- */

static void is_posted(void)
{
    int64_t id;
    struct das_notice n;

    begin();
    id = ask_with("k", "bot", CHOICES ",\"approvers\":[\"ada\",\"role:dba\"],\"default\":\"leave\"",
                  900000);
    is_int(say(), 1, "a question is posted");
    n = last("bot");
    is_str(str(n.title), "Question of rb: go?", "which one");
    has_str(str(n.text), "Kill 3 of them?\ndas runbook answer 1 1 leave|kill",
            "what, and the command");
    is_str(str(n.instance), "orders", "about what");
    is_str(field_of(&n, "runbook"), "1", "which run");
    is_str(field_of(&n, "may answer"), "ada, role:dba", "who may answer");
    is_str(field_of(&n, "until"), "1970-01-01T00:15:00Z", "until when");
    is_str(field_of(&n, "otherwise"), "leave", "and what happens else");
    is_int((int64_t)n.button_count, 2, "a button for each choice");
    is_str(str(n.buttons[1].label), "kill", "with its name");
    ok(strncmp(n.buttons[1].value.ptr, "das:ask:1:1:1:", 14) == 0 && n.buttons[1].value.len <= 64,
       "and a value that Telegram takes");
    das_notice_clear(&n);
    is_int(say(), 0, "once");
    das_store_close(store);
    store = store_open(dir);
    is_int(say(), 0, "also by another process");
    is_int(waiting("bot"), 1, "one message");
    is_int(das_runbook_cancel(store, id, &bob, "enough", 30, &err), 1, "its run is cancelled");
    is_int(say(), 1, "that is said");
    last_says("bot", "Over: rb: go?", "The run is cancelled: cancelled by bob: enough");
    is_int(say(), 0, "once");
}

/* What a process had in hand when another was first. */
static void two_at_once(void)
{
    const struct das_question first = {.runbook = 1, .n = 1};
    struct das_question q;
    struct das_outbox_new m = {.channel = "bot", .message = das_text_of("{}"), .expire_ms = 1000};

    begin();
    ask("k", "bot");
    is_int(das_question_due(store, NULL, &q, 1, &err), 1, "it is due");
    is_int(das_question_post(store, &first, &m, 30, &err), 1, "one posts it");
    is_int(das_question_post(store, &first, &m, 30, &err), 0, "another is late");
    is_int(waiting("bot"), 1, "and leaves no message behind");
    is_int(das_runbook_answer(store, 1, "go?", "kill", &bob, NULL, 40, &err), 0, "an answer");
    is_int(das_question_due(store, NULL, &q, 1, &err), 1, "people are to be told");
    is_int(das_question_post(store, &q, &m, 50, &err), 1, "one tells them");
    is_int(das_question_post(store, &q, &m, 50, &err), 0, "another is late");
    is_int(das_question_post(store, &first, &m, 50, &err), 0, "and whoever still wants to ask");
    is_int(waiting("bot"), 2, "two messages");
}

static int post_it(void *arg, int i)
{
    struct das_store *s = store_open(arg);
    int rc = das_questions_say(s, &channel_list, &err);

    (void)i;
    das_store_close(s);
    return rc < 0;
}

static void herd(void)
{
    begin();
    for (int i = 0; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        ask(key, "bot");
    }
    is_int(store_herd(4, post_it, (void *)(uintptr_t)dir), 4, "four processes look at once");
    is_int(waiting("bot"), 5, "each question is posted once");
    for (int64_t id = 1; id <= 5; id++)
        must(das_runbook_answer(store, id, "go?", "kill", &bob, NULL, 40, &err) == 0, "answer");
    is_int(store_herd(4, post_it, (void *)(uintptr_t)dir), 4, "and again");
    is_int(waiting("bot"), 10, "each answer as well");
}

static void without_buttons(void)
{
    struct das_notice n;

    begin();
    ask("k", "plain");
    is_int(say(), 1, "a platform without clicks");
    n = last("plain");
    is_int((int64_t)n.button_count, 0, "no buttons");
    has_str(str(n.text), "das runbook answer 1 1 leave|kill", "the command");
    das_notice_clear(&n);
    is_int(store_number(dir, "SELECT alone FROM outbox"), 1, "and no digest swallows it");
    is_int(das_runbook_answer(store, 1, "go?", "leave", &bob, "fine", 40, &err), 0, "an answer");
    is_int(say(), 1, "is told");
    n = last("plain");
    is_str(str(n.title), "Answered: rb: go?", "in another message");
    has_str(str(n.text), "leave, says bob", "who, and what");
    is_str(field_of(&n, "because"), "fine", "and why");
    ok(n.thread.len && !n.update.len, "which answers the first");
    das_notice_clear(&n);

    ask_with("six", "bot", "\"choices\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]", 900000);
    is_int(say(), 1, "more choices than there may be buttons");
    n = last("bot");
    is_int((int64_t)n.button_count, 0, "no buttons either");
    has_str(str(n.text), "1|2|3|4|5|6", "all choices are named");
    das_notice_clear(&n);
}

static void ends(void)
{
    struct das_runbook_step step;

    begin();
    ask("k", "bot");
    say();
    must(das_step_get(store, 1, "go?", &step, &err) == 1, "get: %s", err.msg);
    store_sql(dir, "UPDATE steps SET status = 3, result = '\"leave\"', reason = 'nobody'");
    is_int(say(), 1, "a question that expired");
    last_says("bot", "Expired: rb: go?", "Nobody answered in time, so it is leave");
    das_runbook_step_clear(&step);
    ask("k2", "bot");
    say();
    store_sql(dir, "UPDATE steps SET status = 4, error = 'nobody' WHERE runbook = 2");
    is_int(say(), 1, "without a default");
    last_says("bot", "Expired: rb: go?", "Nobody answered in time");

    ask("k3", "bot");
    must(das_runbook_answer(store, 3, "go?", "kill", &bob, NULL, 40, &err) == 0, "answer");
    is_int(say(), 0, "one that was answered before it could be posted is not asked any more");
}

/* Channels that das.lua has no more, and one that takes nothing. */
static void others_go_on(void)
{
    char key[8];

    begin();
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "k%d", i);
        ask(key, "gone");
    }
    ask("full", "plain");
    store_sql(dir,
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
              " INSERT INTO outbox(delivery, channel, dedup, event, alone, message, created_ms,"
              " due_ms, expires_ms, state, claim_ms, tries, repeats, ended_ms, code, error,"
              " ref, part_of) SELECT 'msg_' || i, 'plain', CAST('' AS BLOB), 0, 0, CAST('{}' AS "
              "BLOB), 1, 1, 2, 0, 0, 0,"
              " 0, 0, '', '', '', '' FROM n");
    ask("last", "bot");
    ok(say() < 0 && err.code == DAS_E_BUSY, "a channel that is full is told: %s", err.msg);
    is_int(waiting("bot"), 1, "what others are asked is posted");
    store_sql(dir, "DELETE FROM outbox WHERE channel = 'plain'");
    is_int(say(), 1, "and the other one when there is room");
}

/* --- clicks ----------------------------------------------------------------------------------- */

static void values(void)
{
    static const char *const bad[] = {
        "",
        "das:ask:",
        "das:ask:1:1:1:",
        "das:ask:1:1:1:0123456789a",
        "das:ask:1:1:1:0123456789abc",
        "das:ask:1:1:1:0123456789aB",
        "das:ask:1:1:0123456789ab",
        "das:ask:-1:1:1:0123456789ab",
        "das:ask:1:+1:1:0123456789ab",
        "das:ask:1: 1:1:0123456789ab",
        "das:ask:1::1:0123456789ab",
        "das:ask:99999999999999999999:1:1:0123456789ab",
        "das:approval:0123456789ab:0123456789ab:y",
        "das:ask:1:1:1:0123456789ab ",
    };
    struct das_question_value v;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!das_question_value_read(das_text_of(bad[i]), &v), "\"%s\" is no button of a question",
           bad[i]);
    ok(das_question_value_read(das_text_of("das:ask:12:3:4:0123456789ab"), &v), "this one is");
    ok(v.runbook == 12 && v.n == 3 && v.choice == 4 && strcmp(v.tag, "0123456789ab") == 0,
       "with what it says");
}

static void clicks(void)
{
    static const char *const roles[] = {"dba"};
    const struct das_decider cy = {.name = "cy", .roles = roles, .role_count = 1, .via = "slack"};
    struct das_question_value kill, other, v;
    struct das_runbook_step step;

    begin();
    ask_with("k", "bot", CHOICES ",\"approvers\":[\"role:dba\"]", 900000);
    say();
    kill = button("bot", 1);
    ask_with("k2", "bot", CHOICES ",\"approvers\":[\"role:dba\"]", 900000);
    say();
    other = button("bot", 1);
    v = other;
    v.runbook = kill.runbook;
    is_int(press(&v, &cy, 100), 0, "a button of the same question of another run");
    has_str(words, "Not counted: this button is of no question that is asked here", "is told");
    v = kill;
    v.runbook = 77;
    is_int(press(&v, &cy, 100), 0, "of a run that is not there");
    has_str(words, "there is no such question", "is told");
    v = kill;
    v.choice = 2;
    is_int(press(&v, &cy, 100), 0, "a choice that there is not");
    is_int(press(&kill, &bob, 100), 0, "somebody who may not");
    has_str(words, "bob", "is told so");
    is_int(press(&kill, &cy, 900000), 0, "too late");
    has_str(words, "Not counted", "is told so");
    must(das_step_get(store, 1, "go?", &step, &err) == 1, "get: %s", err.msg);
    is_int(step.status, DAS_STEP_WAITING, "none of them counts");
    das_runbook_step_clear(&step);
    is_int(press(&kill, &cy, 100), 1, "one of the role");
    is_str(words, "go?: kill.", "is thanked");
    is_int(press(&kill, &cy, 101), 0, "a second click");
    has_str(words, "answered already", "is told so");
    must(das_step_get(store, 1, "go?", &step, &err) == 1, "get: %s", err.msg);
    is_str(step.result, "\"kill\"", "the choice");
    is_str(step.who, "cy", "whose");
    das_runbook_step_clear(&step);
    is_int(store_number(dir, "SELECT count(*) FROM journal WHERE line LIKE '%\"answered\"%'"
                             " AND line LIKE '%\"via\":\"slack\"%'"),
           1, "the journal has it once, and how");

    /* the question was changed in the tables after it was posted */
    store_sql(dir, "UPDATE steps SET asks = replace(asks, 'Kill 3', 'Kill 1') WHERE runbook = 2");
    is_int(press(&other, &cy, 100), 0, "a button of what the question was before");
}

/* Without approvers it is whoever may write here; from a chat only whom its hook lets in. */
static void strangers(void)
{
    const struct das_decider eve = {.name = "eve", .via = "slack", .stranger = true};
    struct das_question_value kill;

    begin();
    ask("k", "bot");
    say();
    kill = button("bot", 1);
    is_int(press(&kill, &eve, 100), 0, "somebody whom the hook does not let in");
    is_int(press(&kill, &bob, 100), 1, "somebody whom it does");
    ask_with("k2", "bot", CHOICES ",\"approvers\":[\"eve\"]", 900000);
    say();
    kill = button("bot", 1);
    is_int(press(&kill, &bob, 100), 0, "with approvers it is them");
    is_int(press(&kill, &eve, 100), 1, "also where the hook lets them do nothing else");
    ask_with("k3", "bot", CHOICES ",\"approvers\":[]", 900000);
    say();
    kill = button("bot", 1);
    is_int(press(&kill, &bob, 100), 0, "an empty list is nobody");
}

/* --- counting --------------------------------------------------------------------------------- */

static void counts(void)
{
    struct das_runbook_counts c;

    begin();
    must(das_runbook_count(store, &c, &err) == 0, "count: %s", err.msg);
    ok(!c.open && !c.questions && !c.unknown, "nothing yet");
    ask("k", "bot");
    ask("k2", "bot");
    must(das_runbook_answer(store, 1, "go?", "kill", &bob, NULL, 40, &err) == 0, "answer");
    must(das_runbook_count(store, &c, &err) == 0, "count: %s", err.msg);
    is_int(c.open, 2, "two are open");
    is_int(c.questions, 1, "one waits for an answer");
    store_sql(dir, "UPDATE runbooks SET status = 2 WHERE id = 1");
    is_int(das_runbook_cancel(store, 2, &bob, "", 50, &err), 1, "the other is cancelled");
    must(das_runbook_count(store, &c, &err) == 0, "count: %s", err.msg);
    ok(c.open == 1 && c.unknown == 1 && !c.questions, "one is unknown, nobody is asked any more");
}

int main(void)
{
    CHANNEL("bot", "slack", "token=xoxb-1", "channel=C1");
    CHANNEL("plain", "wecom", "url=http://h/x");
    is_posted();
    two_at_once();
    herd();
    without_buttons();
    ends();
    others_go_on();
    values();
    clicks();
    strangers();
    counts();
    das_store_close(store);
    das_channels_clear(&channel_list);
    store_dirs_clear();
    return tap_done();
}
