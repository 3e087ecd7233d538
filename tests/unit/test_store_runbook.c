/* test_store_runbook.c - runs, steps, questions and decisions in the store; who may go on when. */
#include "core/store/runbook.h"

#include "core/store/runbook_text.h"
#include "tests/unit/store_kit.h"

static struct das_err err;
static const struct das_decider ada = {.name = "ada"}, bob = {.name = "bob"};

static int64_t begin_run(struct das_store *s, const char *key, bool armed, int64_t now)
{
    struct das_runbook r = {.name = "rb", .path = "/x/rb.lua", .sha256 = "aa", .key = key,
                            .instances = "[\"orders\"]", .params = "{\"limit\":3}",
                            .armed = armed, .who = "ada", .until_ms = now + 1000000};
    int64_t other;
    int rc = das_runbook_start(s, &r, now, &other, &err);

    must(rc >= 0, "start: %s", err.msg);
    return rc ? r.id : -other;
}

static struct das_runbook get(struct das_store *s, int64_t id)
{
    struct das_runbook r;

    must(das_runbook_get(s, id, &r, &err) == 1, "get: %s", err.msg);
    return r;
}

static enum das_runbook_status status(struct das_store *s, int64_t id)
{
    struct das_runbook r = get(s, id);
    enum das_runbook_status was = r.status;

    das_runbook_clear(&r);
    return was;
}


static int claim(struct das_store *s, int64_t id, const char *hash, bool accept, int64_t now)
{
    struct das_runbook r;
    int rc = das_runbook_claim(s, id, hash, accept, "ada", now, &r, &err);

    if (rc == 0)
        das_runbook_clear(&r);
    return rc;
}

static void ask(struct das_store *s, int64_t id, const char *approvers, int64_t now, int64_t until)
{
    struct das_runbook_step step = {.name = "go?", .kind = DAS_STEP_ASK, .wake_ms = until};
    char asks[200];

    snprintf(asks, sizeof asks, "{\"choices\":[\"yes\",\"no\"],\"question\":\"Go?\"%s}", approvers);
    step.asks = asks;
    must(das_step_wait(s, id, &step, now, &err) == 0, "wait: %s", err.msg);
}

static int answer(struct das_store *s, int64_t id, const char *choice, const struct das_decider *by,
                  int64_t now)
{
    return das_runbook_answer(s, id, "go?", choice, by, "why not", now, &err);
}

/* --- keys -------------------------------------------------------------------------------------- */

static void one_of_a_key(void)
{
    struct das_store *s = store_open(store_dir());
    int64_t a = begin_run(s, "orders", true, 10);

    is_int(a, 1, "a run");
    is_int(begin_run(s, "orders", true, 11), -1, "a second one of its key is refused, and which it is");
    is_int(begin_run(s, "orders", false, 12), 2, "a dry run has a key of its own");
    is_int(begin_run(s, "billing", true, 13), 3, "so has another");
    must(das_runbook_end(s, a, DAS_RUNBOOK_DONE, "", 20, &err) == 0, "end: %s", err.msg);
    is_int(begin_run(s, "orders", true, 21), 4, "with its end the key is free");
    ok(das_runbook_end(s, a, DAS_RUNBOOK_FAILED, "", 22, &err) < 0 && err.code == DAS_E_BLOCKED,
       "an end is one end");
    das_store_close(s);
}

/* --- steps and other processes ------------------------------------------------------------------ */

static void whose_it_is(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *other = store_open(dir);
    struct das_runbook_step step = {.name = "look"}, again;
    int64_t ids[4], id = begin_run(s, "k", true, 10);

    must(das_step_begin(s, id, &step, 11, &err) == 0, "begin: %s", err.msg);
    is_int(step.n, 1, "the first step");
    ok(claim(other, id, "aa", false, 12) < 0 && err.code == DAS_E_BLOCKED, "another process may not");
    again = step;
    ok(das_step_end(other, id, &again, 12, &err) < 0 && err.code == DAS_E_BLOCKED,
       "nor write a step's end");
    is_int(das_runbook_due(other, 12, ids, 4, &err), 0, "it is not due");
    das_store_close(s); /* as if it had died: its lock is gone */
    is_int(das_runbook_due(other, 12, ids, 4, &err), 1, "now it is");
    ok(claim(other, id, "bb", false, 13) < 0 && strstr(err.msg, "--accept-change"),
       "but not with another script");
    is_int(claim(other, id, "bb", true, 13), 0, "unless that is meant");
    must(das_step_get(other, id, "look", &again, &err) == 1, "get: %s", err.msg);
    is_int(again.status, DAS_STEP_BEGUN, "the step had begun");
    is_int(again.acts, 0, "and only looked");
    must(das_step_acts(other, id, again.n, "plan x", 14, &err) == 0, "acts: %s", err.msg);
    das_runbook_step_clear(&again);
    must(das_step_get(other, id, "look", &again, &err) == 1, "get: %s", err.msg);
    is_int(again.acts, 1, "now it may have acted");
    must(das_step_unknown(other, id, &again, 15, &err) == 0, "unknown: %s", err.msg);
    das_runbook_step_clear(&again);
    is_int(status(other, id), DAS_RUNBOOK_UNKNOWN, "nobody knows");
    ok(claim(other, id, "bb", false, 16) < 0 && err.code == DAS_E_BLOCKED, "it does not go on");
    is_int(das_runbook_due(other, 99, ids, 4, &err), 0, "nor by itself");
    das_store_close(other);
}

static void decisions(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_runbook_step step = {.name = "kill", .acts = true}, now;
    int64_t id = begin_run(s, "k", true, 10);

    must(das_step_begin(s, id, &step, 11, &err) == 0, "begin: %s", err.msg);
    ok(das_runbook_resolve(s, id, "kill", DAS_RESOLVE_DONE, NULL, &bob, "seen", 12, &err) < 0,
       "a step that runs is not resolved");
    must(das_step_unknown(s, id, &step, 12, &err) == 0, "unknown: %s", err.msg);
    ok(das_runbook_resolve(s, id, "kill", DAS_RESOLVE_DONE, NULL, &bob, "", 13, &err) < 0 &&
           err.code == DAS_E_USAGE,
       "without a reason");
    ok(das_runbook_resolve(s, id, "kill", DAS_RESOLVE_DONE, "{", &bob, "seen", 13, &err) < 0,
       "with a result that is no JSON");
    ok(das_runbook_resolve(s, id, "kil", DAS_RESOLVE_DONE, NULL, &bob, "seen", 13, &err) < 0 &&
           err.code == DAS_E_USAGE,
       "a step that is not there");
    is_int(das_runbook_resolve(s, id, "1", DAS_RESOLVE_DONE, "{\"killed\":2}", &bob, "seen", 14, &err),
           0, "by its number, with a result");
    must(das_step_get(s, id, "kill", &now, &err) == 1, "get: %s", err.msg);
    is_str(now.result, "{\"killed\":2}", "which is kept");
    is_str(now.who, "bob", "and who said so");
    das_runbook_step_clear(&now);
    is_int(claim(s, id, "aa", false, 15), 0, "it goes on");
    must(das_runbook_end(s, id, DAS_RUNBOOK_FAILED, "boom", 16, &err) == 0, "end: %s", err.msg);
    step.n = 0;
    step.name = "later";
    ok(das_step_begin(s, id, &step, 17, &err) < 0, "nothing begins after its end");
    das_store_close(s);
}

static void a_failed_one_again(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_runbook_step step = {.name = "look"}, now;
    int64_t id = begin_run(s, "k", true, 10);

    must(das_step_begin(s, id, &step, 11, &err) == 0, "begin: %s", err.msg);
    step.status = DAS_STEP_FAILED;
    step.error = "no server";
    step.failures = 3;
    must(das_step_end(s, id, &step, 12, &err) == 0, "end: %s", err.msg);
    must(das_runbook_end(s, id, DAS_RUNBOOK_FAILED, "no server", 13, &err) == 0, "end: %s", err.msg);
    is_int(begin_run(s, "k", true, 14), 2, "its key is free");
    ok(das_runbook_resolve(s, id, "look", DAS_RESOLVE_AGAIN, NULL, &ada, "up again", 15, &err) < 0 &&
           err.code == DAS_E_BLOCKED,
       "while somebody has it, it does not come back");
    must(das_runbook_end(s, 2, DAS_RUNBOOK_DONE, "", 16, &err) == 0, "end: %s", err.msg);
    is_int(das_runbook_resolve(s, id, "look", DAS_RESOLVE_AGAIN, NULL, &ada, "up again", 17, &err), 0,
           "then it does");
    must(das_step_get(s, id, "look", &now, &err) == 1, "get: %s", err.msg);
    is_int(now.failures, 0, "with all its attempts");
    das_runbook_step_clear(&now);
    is_int(claim(s, id, "aa", false, 18), 0, "and goes on");
    das_store_close(s);
}

/* --- questions ---------------------------------------------------------------------------------- */

static void questions(void)
{
    static const char *const roles[] = {"dba"};
    const struct das_decider cy = {.name = "cy", .roles = roles, .role_count = 1};
    struct das_store *s = store_open(store_dir());
    struct das_runbook_step step;
    int64_t ids[4], id = begin_run(s, "k", true, 10);

    ask(s, id, "", 20, 1000);
    is_int(status(s, id), DAS_RUNBOOK_WAITING, "it waits");
    ok(claim(s, id, "aa", false, 30) < 0, "and does not go on");
    ok(answer(s, id, "maybe", &bob, 31) < 0 && err.code == DAS_E_USAGE && strstr(err.msg, "yes, no"),
       "an answer is one of the choices");
    is_int(answer(s, id, "yes", &bob, 32), 0, "one is");
    ok(answer(s, id, "no", &ada, 33) < 0 && err.code == DAS_E_BLOCKED, "there is one answer");
    is_int(das_runbook_due(s, 33, ids, 4, &err), 1, "it is due");
    must(das_step_get(s, id, "go?", &step, &err) == 1, "get: %s", err.msg);
    is_str(step.result, "\"yes\"", "the choice");
    is_str(step.who, "bob", "whose");
    is_str(step.reason, "why not", "and why");
    das_runbook_step_clear(&step);
    is_int(claim(s, id, "aa", false, 34), 0, "it goes on");
    must(das_runbook_end(s, id, DAS_RUNBOOK_DONE, "", 35, &err) == 0, "end: %s", err.msg);

    id = begin_run(s, "k", true, 40);
    ask(s, id, ",\"approvers\":[]", 41, 1000);
    ok(answer(s, id, "yes", &bob, 42) < 0 && err.code == DAS_E_BLOCKED, "an empty list is nobody");
    is_int(das_runbook_cancel(s, id, &bob, "enough", 43, &err), 1, "cancelled at once");
    ok(answer(s, id, "yes", &bob, 44) < 0, "no answer afterwards");

    id = begin_run(s, "k", true, 50);
    ask(s, id, ",\"approvers\":[\"ada\",\"role:dba\"]", 51, 1000);
    ok(answer(s, id, "yes", &bob, 52) < 0, "somebody else");
    ok(answer(s, id, "yes", &cy, 1000) < 0 && err.code == DAS_E_BLOCKED, "too late");
    is_int(answer(s, id, "yes", &cy, 999), 0, "by role, in time");
    das_store_close(s);
}

static void cancel_while_it_runs(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *desk = store_open(dir);
    struct das_runbook_step step = {.name = "a"};
    int64_t id = begin_run(s, "k", true, 10);

    must(das_step_begin(s, id, &step, 11, &err) == 0, "begin: %s", err.msg);
    is_int(das_runbook_cancel(desk, id, &bob, NULL, 12, &err), 0, "it runs still");
    ok(das_step_acts(s, id, step.n, "plan", 13, &err) < 0 && err.code == DAS_E_CANCELLED,
       "and acts no more");
    step.status = DAS_STEP_DONE;
    step.result = "1";
    is_int(das_step_end(s, id, &step, 14, &err), 0, "what is done is kept");
    step = (struct das_runbook_step){.name = "b"};
    ok(das_step_begin(s, id, &step, 15, &err) < 0 && err.code == DAS_E_CANCELLED, "no step more");
    das_store_close(desk);
    das_store_close(s);
}

/* --- transcripts --------------------------------------------------------------------------------- */

static void transcripts(void)
{
    struct das_store *s = store_open(store_dir());
    struct das_runbook_step step = {.name = "a|b *c* <d>"};
    struct das_buf b = {0};
    struct das_runbook r;
    int64_t id = begin_run(s, "k", true, 10);

    must(das_step_begin(s, id, &step, 11, &err) == 0, "begin: %s", err.msg);
    must(das_step_note(s, id, step.n, "apply",
                       das_text_of("{\"instance\":\"orders\",\"reason\":\"r\",\"killed\":1,\"outcomes\":"
                                   "[{\"id\":7,\"user\":\"a`|b\",\"action\":\"query\",\"outcome\":\"killed\"}]}"),
                       12, &err) == 0,
         "note");
    step.status = DAS_STEP_DONE;
    step.result = "\"x\\n```\\n# y\"";
    must(das_step_end(s, id, &step, 13, &err) == 0, "end: %s", err.msg);
    ask(s, id, "", 20, 1000);
    r = get(s, id);
    is_int(das_runbook_markdown(s, &r, &b, &err), 0, "markdown");
    has_str(b.ptr, "# rb: waiting\n", "a title");
    has_str(b.ptr, "1. a\\|b \\*c\\* \\<d\\>: done", "names mean nothing to it");
    has_str(b.ptr, "| 7 | a\\`\\|b | query | killed |", "who was killed");
    has_str(b.ptr, "````text\nx\n```\n# y\n````", "no result gets out of its fence");
    has_str(b.ptr, "Asked: Go? (yes, no)", "the question");
    das_buf_reset(&b);
    is_int(das_runbook_json(s, &r, &b, &err), 0, "JSON");
    has_str(b.ptr, "\"report\":{\"instance\":\"orders\"", "with the report");
    for (long n = 1; n < 300; n++) {
        struct das_buf out = {0};
        bool failed;
        int rc;
        das_alloc_fail_at(n);
        rc = n % 2 ? das_runbook_json(s, &r, &out, &err) : das_runbook_markdown(s, &r, &out, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        if (failed && rc == 0)
            ok(0, "allocation %ld failed unnoticed", n);
        das_buf_clear(&out);
    }
    das_buf_clear(&b);
    das_runbook_clear(&r);
    das_store_close(s);
}

/* --- where something fails ------------------------------------------------------------------------ */

static void no_memory(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_head head;
    int bad = 0;
    long n;

    for (n = 1; n < 2000; n++) {
        struct das_runbook_step step = {.name = "go?", .kind = DAS_STEP_ASK, .wake_ms = 1000000,
                                        .asks = "{\"choices\":[\"yes\"]}"};
        int64_t id = begin_run(s, "k", true, 10);
        bool failed;
        int rc;
        das_alloc_fail_at(n);
        rc = das_step_wait(s, id, &step, 11, &err);
        if (rc == 0)
            rc = answer(s, id, "yes", &ada, 12);
        if (rc == 0)
            rc = claim(s, id, "aa", false, 13);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += rc < 0 && !failed; /* a list of choices for a message may be lost */
        rc = status(s, id) == DAS_RUNBOOK_RUNNING
                 ? das_runbook_end(s, id, DAS_RUNBOOK_DONE, "", 14, &err)
                 : das_runbook_cancel(s, id, &ada, NULL, 14, &err);
        bad += rc < 0;
        if (!failed)
            break;
    }
    ok(!bad && n > 5 && n < 2000, "%ld failing allocations leave nothing half done", n - 1);
    is_int(store_number(dir, "SELECT count(*) FROM steps WHERE status = 3"),
           store_number(dir, "SELECT count(*) FROM journal WHERE line LIKE '%\"answered\"%'"),
           "each answer has its record, and each record its answer");
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "the journal is good");
    das_store_close(s);
}

/* A database of an older das is brought up to date, and one that is only read has no runbooks. */
static void older_formats(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);

    das_store_close(s);
    store_sql(dir, "DROP TABLE runbooks; DROP TABLE stretches; DROP TABLE steps; DROP TABLE "
                   "step_notes; DROP TABLE runbook_modules; DROP TABLE hook_work; "
                   "PRAGMA user_version = 4");
    must(das_store_open_to_read(dir, &s, &err) == 0 && s, "read: %s", err.msg);
    is_int(das_runbook_each(s, false, 10, NULL, NULL, &err), 0, "none");
    das_store_close(s);
    s = store_open(dir);
    is_int(begin_run(s, "k", true, 10), 1, "brought up to date");
    das_store_close(s);
}

int main(void)
{
    one_of_a_key();
    whose_it_is();
    decisions();
    a_failed_one_again();
    questions();
    cancel_while_it_runs();
    transcripts();
    no_memory();
    older_formats();
    store_dirs_clear();
    return tap_done();
}
