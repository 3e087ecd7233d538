/* test_store_work.c - what hooks have taken and what is not done: kept with the note, taken over by
 * one, and a database of format 5. */
#include "core/store/work.h"

#include "core/store/delivery.h"
#include "core/store/runbook.h"
#include "core/store/store_impl.h"
#include "tests/unit/old_store.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

#define COUNT "SELECT count(*) FROM hook_work"

static struct das_work_new work(const char *hook, const char *what)
{
    return (struct das_work_new){
        .hook = hook, .work = das_text_of(what), .at_ms = 1000, .until_ms = 2000};
}

/* A delivery with what is to be done about it. */
static int note(struct das_store *s, const char *id, const char *proof, struct das_work_new *w)
{
    struct das_text ids[3] = {das_text_of(id), das_text_of("every"), das_text_of("time")};
    struct das_delivery d = {
        .hook = w->hook, .ids = ids, .count = 3, .proof = proof, .keep_ms = 5000, .work = w};

    return das_delivery_note(s, &d, 1000, NULL, &err);
}

static bool any(void *arg, const struct das_work *w)
{
    (void)arg;
    return !w->work;
}

static bool of_hook(void *arg, const struct das_work *w)
{
    return strcmp(w->hook, arg) == 0;
}

static void add(struct das_store *s, const char *hook, const char *what)
{
    struct das_work_new w = work(hook, what);

    must(das_work_add(s, &w, &err) == 0, "added: %s", err.msg);
}

static void with_the_note(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_work_new w = work("slack", "one"), again = work("slack", "again");
    struct das_text id = das_text_of("Ev1");
    struct das_delivery d = {
        .hook = "slack", .ids = &id, .count = 1, .proof = "sig1", .keep_ms = 1, .work = &w};

    is_int(note(s, "Ev1", "sig1", &w), 3, "noted");
    is_int(w.n, 1, "and kept");
    is_int(note(s, "Ev1", "sig1", &again), 0, "the same again");
    is_int(note(s, "Ev2", "sig1", &again), DAS_DELIVERY_REPLAYED, "its signature with another");
    ok(again.n == 0 && store_number(dir, COUNT) == 1, "keep nothing");
    is_int(note(s, "Ev2", "sig2", &again), 1, "one of three is new");
    is_int(again.n, 2, "which is the next");
    is_int(store_number(dir, "SELECT fresh = '100' FROM hook_work WHERE n = 2"), 1,
           "and is kept with which it is");
    is_int(das_delivery_forget(s, &d, NULL, &err), 0, "the first is forgotten");
    is_int(store_number(dir, COUNT), 1, "with what was to be done");
    w = work("slack", "");
    ok(note(s, "Ev3", NULL, &w) == -1 && err.code == DAS_E_INTERNAL, "nothing to be kept: %s",
       err.msg);
    is_int(store_number(dir, "SELECT count(*) FROM deliveries WHERE id = 'Ev3'"), 0,
           "then nothing is noted");
    das_store_close(s);
}

static void taken_over(void)
{
    const char *dir = store_dir();
    struct das_store *a = store_open(dir), *b = store_open(dir), *c = store_open(dir);
    struct das_work_list l;
    int64_t found = 0;

    add(a, "slack", "one");
    add(a, "am", "two");
    add(a, "slack", "three");
    add(b, "slack", "of another");
    is_int(das_work_claim(c, any, NULL, &l, &err), 0, "of those who live nothing is taken over");
    is_int(das_work_claim(a, any, NULL, &l, &err), 0, "nor what is one's own");
    ok(das_work_begin(c, 1, das_store_run(c), &err) < 0 && err.code == DAS_E_STORE, "nor begun: %s",
       err.msg);
    is_int(das_work_end(c, 1, &err), 0, "or ended");
    is_int(store_number(dir, COUNT), 4, "all of it is there");
    is_int(das_work_begin(a, 1, das_store_run(b), &err), 0, "one is begun, by another handle");
    das_store_close(a);
    is_int(das_work_claim(c, of_hook, (void *)(uintptr_t) "slack", &l, &err), 2,
           "when its run is over, two are wanted");
    ok(l.items[0].n == 1 && strcmp(l.items[0].begun, das_store_run(b)) == 0, "the first was begun");
    ok(l.items[1].n == 3 && !*l.items[1].begun && strcmp(l.items[1].hook, "slack") == 0 &&
           l.items[1].work_len == 5 && strcmp(l.items[1].work, "three") == 0,
       "the other one was not");
    ok(l.items[1].at_ms == 1000 && l.items[1].until_ms == 2000 && !*l.items[1].fresh,
       "and is as it was kept");
    das_work_list_clear(&l);
    is_int(das_work_claim(b, any, NULL, &l, &err), 1, "the one that is left goes to the next");
    ok(l.count == 1 && l.items[0].n == 2, "who asks");
    das_work_list_clear(&l);
    is_int(das_work_claim(b, any, NULL, &l, &err), 0, "once");
    is_int(das_work_begin(c, 1, das_store_run(c), &err), 0, "who took it over begins it");
    is_int(das_work_end(c, 1, &err), 0, "and ends it");
    is_int(store_number(dir, COUNT), 3, "which forgets it");
    is_int(das_runbook_of_run(c, das_store_run(b), &found, &err), 0, "a run without a runbook");
    is_int(found, 0, "has none");
    das_store_close(c);
    is_int(das_work_claim(b, any, NULL, &l, &err), 1, "of a second death, too");
    das_work_list_clear(&l);
    store_sql(dir, "UPDATE hook_work SET run = '../../etc/passwd' WHERE n = 2");
    ok(das_work_claim(b, any, NULL, &l, &err) < 0 && err.code == DAS_E_STORE && !l.count,
       "a run that is none: %s", err.msg);
    das_store_close(b);
}

static void many(void)
{
    const char *dir = store_dir();
    struct das_store *a = store_open(dir), *b = store_open(dir);
    struct das_work_list l;
    bool in_order = true;

    for (int i = 0; i < DAS_WORK_CLAIM_MAX + 3; i++)
        add(a, "am", "x");
    das_store_close(a);
    is_int(das_work_claim(b, any, NULL, &l, &err), DAS_WORK_CLAIM_MAX, "so much at once");
    for (size_t i = 0; i < l.count; i++)
        in_order = in_order && l.items[i].n == (int64_t)i + 1;
    ok(in_order, "in order");
    das_work_list_clear(&l);
    is_int(das_work_claim(b, any, NULL, &l, &err), 3, "then the rest");
    das_work_list_clear(&l);
    das_store_close(b);
}

/* --- more than one process ----------------------------------------------------------------------
 */

#define HELD 5

static int keep_and_wait(void *arg)
{
    struct das_store *s = store_open(arg);

    for (int i = 0; i < HELD; i++)
        add(s, "am", "alert");
    return das_work_begin(s, 1, das_store_run(s), &err) != 0;
}

/* All of it in one go, or nothing. */
static int take_all(void *arg, int i)
{
    struct das_store *s = store_open(arg);
    struct das_work_list l;
    int n = das_work_claim(s, any, NULL, &l, &err);

    (void)i;
    das_work_list_clear(&l);
    if (n == HELD) /* and it dies with it */
        _exit(0);
    das_store_close(s);
    return n == 0 ? 1 : 2;
}

static void together(void)
{
    char dir[100];
    struct das_store *s;
    struct das_work_list l;
    pid_t holder;

    snprintf(dir, sizeof dir, "%s", store_dir());
    holder = store_hold(keep_and_wait, dir);
    s = store_open(dir);
    is_int(das_work_claim(s, any, NULL, &l, &err), 0, "another process has it, and lives");
    store_kill(holder);
    is_int(das_work_claim(s, any, NULL, &l, &err), HELD, "when it was killed, it is all there");
    ok(l.count == HELD && *l.items[0].begun && !*l.items[1].begun, "with what was begun");
    das_work_list_clear(&l);
    das_store_close(s);
    ok(store_herd(8, take_all, dir) >= 1, "eight want it at once: whoever gets some gets all");
    is_int(store_number(dir, COUNT), HELD, "and nothing is lost");
    is_int(store_number(dir, "SELECT count(DISTINCT run) FROM hook_work"), 1, "or shared");
}

static void no_memory(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *dead;
    struct das_work_list l;
    long n;
    int bad = 0;

    for (n = 1; n < 100; n++) {
        struct das_work_new w = work("am", "x");
        bool failed;
        int rc;
        das_alloc_fail_at(n);
        rc = note(s, "a", "sig", &w);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (rc < 0);
        if (!failed)
            break;
        bad += store_number(dir, COUNT) != 0 ||
               store_number(dir, "SELECT count(*) FROM deliveries") != 0;
    }
    ok(!bad && n > 1 && n < 100, "%ld failing allocations note and keep nothing", n - 1);
    is_int(store_number(dir, COUNT), 1, "then it is kept");
    das_store_close(s);
    dead = store_open(dir);
    add(dead, "am", "y");
    das_store_close(dead);
    s = store_open(dir);
    for (bad = 0, n = 1; n < 100; n++) {
        bool failed;
        int rc;
        das_alloc_fail_at(n);
        rc = das_work_claim(s, any, NULL, &l, &err);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed ? rc >= 0 || l.count : rc != 2;
        das_work_list_clear(&l);
        if (!failed)
            break;
    }
    ok(!bad && n > 1 && n < 100, "%ld failing allocations take nothing over", n - 1);
    das_store_close(s);
}

/* --- a database of format 5 ---------------------------------------------------------------------
 */

static const char content[] =
    "INSERT INTO deliveries VALUES('am', 0, 'old', 1, 9000000000000000, 3);"
    "INSERT INTO outbox VALUES(7, 'msg_1', 'ops', x'', 0, 0, x'68656c6c6f', 0, 1, 1, 9, 0, 0, 0, 0, '', "
    "'', '', '');"
    "INSERT INTO approvals VALUES(4, 'abcd', 1, x'01', 's', 0, 9, '', '', 0, 0, '', x'');"
    "INSERT INTO runbooks VALUES(9, 'r', '/r.lua', 'h', '[]', '{}', 'k', 0, 'alice', 1, '', 1, 1, "
    "0, 9, 0, 0, '');"
    "INSERT INTO stretches VALUES(1, '00112233445566aa', 9, 'alice', 1, 2, 'waiting');"
    "INSERT INTO steps VALUES(9, 1, 'look', 0, 2, 0, 1, 0, 1, 2, 0, '', '{}', '', '', '');";

static void make_old(const char *dir)
{
    const char *from = store_dir();

    das_store_close(store_open(from));
    old_store_make(dir, from, 5);
    store_sql(dir, content);
    is_int(store_number(dir, "PRAGMA user_version"), 5, "a database of format 5");
}

static int open_and_keep(void *arg, int i)
{
    struct das_store *s = store_open(arg);

    (void)i;
    add(s, "am", "x");
    das_store_close(s);
    return 0;
}

static void old_format(void)
{
    char dir[100];
    struct das_store *s = NULL;
    struct das_head head;
    int64_t id = 0;

    snprintf(dir, sizeof dir, "%s", store_dir());
    make_old(dir);
    must(das_store_open_to_read(dir, &s, &err) == 0 && s, "opened to read: %s", err.msg);
    ok(das_runbook_of_run(s, "00112233445566aa", &id, &err) == 0 && id == 9,
       "what it has is there");
    is_int(store_number(dir, "PRAGMA user_version"), 5, "it is left as it was");
    das_store_close(s);
    is_int(store_herd(8, open_and_keep, dir), 8, "eight processes bring it up to date at once");
    is_int(store_number(dir, COUNT), 8, "and use it");
    is_int(store_number(dir, "PRAGMA user_version"), DAS_STORE_FORMAT, "it has the new format");
    is_int(store_number(dir, "SELECT times FROM deliveries WHERE id = 'old'"), 3,
           "its deliveries are kept");
    is_int(store_number(dir, "SELECT id FROM outbox WHERE message = x'68656c6c6f'"), 7, "its messages");
    is_int(store_number(dir, "SELECT n FROM approvals WHERE id = 'abcd'"), 4, "its approvals");
    is_int(store_number(
               dir, "SELECT count(*) FROM runbooks JOIN steps ON id = runbook WHERE runbooks.status = 1"),
           1, "its runbooks");
    s = store_open(dir);
    ok(das_journal_verify(s, NULL, &head, &err) == 0, "and its journal is good: %s", err.msg);
    das_store_close(s);
}

int main(void)
{
    with_the_note();
    taken_over();
    many();
    together();
    no_memory();
    old_format();
    old_store_in_the_way(make_old, 5, "hook_work");
    store_dirs_clear();
    return tap_done();
}
