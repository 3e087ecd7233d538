/* test_store_delivery.c - deliveries that came before, and a database of format 2. */
#include "core/store/delivery.h"

#include "core/store/access.h"
#include "core/store/store_impl.h"
#include "core/store/task.h"
#include "tests/unit/old_store.h"
#include "tests/unit/store_kit.h"

static struct das_err err;

#define DAY ((int64_t)86400 * 1000)

/* One delivery of up to four ids, "a b c". */
static int note_all(struct das_store *s, const char *hook, const char *list, const char *proof,
                    int64_t now, bool *new_ones)
{
    struct das_text ids[4];
    struct das_delivery d = {.hook = hook, .ids = ids, .proof = proof, .keep_ms = 1000};

    while (*list) {
        size_t n = strcspn(list, " ");
        ids[d.count++] = das_text(list, n);
        list += n + strspn(list + n, " ");
    }
    return das_delivery_note(s, &d, now, new_ones, &err);
}

static int note(struct das_store *s, const char *id, int64_t now)
{
    return note_all(s, "slack", id, NULL, now, NULL);
}

static void once(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir), *other = store_open(dir), *r = NULL;
    bool new_ones[4] = {true, true, true, true};
    int64_t head = store_head(s);

    is_int(note(s, "Ev1", 1000), 1, "new");
    is_int(note(s, "Ev1", 1000), 0, "the same again");
    is_int(note(other, "Ev1", 1500), 0, "by another handle, too");
    is_int(note_all(s, "feishu", "Ev1", NULL, 1500, NULL), 1, "another hook has ids of its own");
    is_int(note(s, "Ev", 1500), 1, "a shorter one is another");
    is_int(note(s, "ev1", 1500), 1, "so is one in other letters");
    is_int(note(s, "Ev1", 2500), 0, "to the last moment, counted from the last time");
    is_int(note(s, "Ev1", 3501), 1, "then it is forgotten");
    is_int(store_number(dir, "SELECT count(*) FROM deliveries"), 1, "with the others of that time");
    is_int(note_all(s, "am", "a b a", NULL, 3501, new_ones), 2, "several at once");
    ok(new_ones[0] && new_ones[1] && !new_ones[2], "one that is there twice is new once");
    is_int(note_all(s, "am", "a c b", NULL, 3501, new_ones), 1, "some of them new");
    ok(!new_ones[0] && new_ones[1] && !new_ones[2], "it is told which");
    is_int(store_number(dir, "SELECT times FROM deliveries WHERE id = 'a'"), 3, "they are counted");
    is_int(store_head(s), head, "no record of any of them");
    das_store_close(s);
    das_store_close(other);
    s = store_open(dir);
    is_int(note(s, "Ev1", 3600), 0, "known to the run after");
    must(das_store_open_to_read(dir, &r, &err) == 0 && r, "a handle to read");
    ok(note(r, "new", 3600) == -1 && err.code == DAS_E_STORE, "notes nothing: %s", err.msg);
    das_store_close(r);
    das_store_close(s);
}

/* Where ids are not signed, the signature counts once. */
static void proofs(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    bool new_ones[4] = {true, true, true, true};

    is_int(note_all(s, "gh", "guid-1", "sig-1", 1000, NULL), 1, "new");
    is_int(note_all(s, "gh", "guid-1", "sig-1", 1000, NULL), 0, "sent again");
    is_int(note_all(s, "gh", "guid-1", "sig-2", 1000, NULL), 0, "signed anew");
    is_int(note_all(s, "gh", "guid-2", "sig-1", 1000, new_ones), DAS_DELIVERY_REPLAYED,
           "a signature under another id");
    ok(!new_ones[0], "is nothing new");
    is_int(note_all(s, "gh", "guid-2", "sig-2", 1000, NULL), DAS_DELIVERY_REPLAYED,
           "nor is the other one");
    is_int(note_all(s, "gh", "guid-2", "sig-3", 1000, NULL), 1, "and the id was not used up");
    is_int(note_all(s, "ding", "guid-3", "sig-1", 1000, NULL), 1, "another hook has its own");
    is_int(note_all(s, "gh", "sig-1", NULL, 1000, NULL), 1, "an id is no signature");
    is_int(note_all(s, "gh", "guid-4", "guid-1", 1000, NULL), 1, "nor the other way round");
    is_int(note_all(s, "gh", "guid-5", "sig-1", 2001, NULL), 1, "until it is forgotten");
    das_store_close(s);
}

static void forgotten(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    struct das_text ids[2] = {das_text_of("a"), das_text_of("b")};
    struct das_delivery d = {.hook = "gh", .ids = ids, .count = 2, .proof = "sig", .keep_ms = DAY};
    bool new_ones[2];

    is_int(note_all(s, "gh", "b", NULL, 1000, NULL), 1, "one is there");
    is_int(das_delivery_note(s, &d, 1001, new_ones, &err), 1, "another comes with it");
    is_int(das_delivery_forget(s, &d, new_ones, &err), 0, "which cannot be done now");
    is_int(das_delivery_note(s, &d, 1002, new_ones, &err), 1, "so it may come again");
    ok(new_ones[0] && !new_ones[1], "what was there before was kept");
    is_int(das_delivery_forget(s, &d, NULL, &err), 0, "all of it");
    is_int(store_number(dir, "SELECT count(*) FROM deliveries"), 0, "is gone");
    d.count = 0;
    ok(das_delivery_note(s, &d, 1, NULL, &err) == -1 && err.code == DAS_E_INTERNAL, "no id");
    d.count = 2;
    ids[1] = das_text("", 0);
    ok(das_delivery_note(s, &d, 1, NULL, &err) == -1, "an empty one");
    ids[1] = das_text_of("b");
    d.keep_ms = 0;
    ok(das_delivery_note(s, &d, 1, NULL, &err) == -1, "no time to be kept");
    d.keep_ms = INT64_MAX;
    is_int(das_delivery_note(s, &d, 5000, NULL, &err), 2, "for ever is fine");
    d.hook = "";
    ok(das_delivery_note(s, &d, 1, NULL, &err) == -1, "no hook");
    das_store_close(s);
}

/* --- more than one process ---------------------------------------------------------------------
 */

static int note_same(void *arg, int i)
{
    struct das_store *s = store_open(arg);
    int rc = note(s, "same", 1000 + i);

    das_store_close(s);
    return rc == 1 ? 0 : rc == 0 ? 1 : 2;
}

static int note_and_wait(void *arg)
{
    return note(store_open(arg), "kept", 1000) != 1;
}

static void together(void)
{
    char dir[100];
    struct das_store *s;

    snprintf(dir, sizeof dir, "%s", store_dir());
    is_int(store_herd(8, note_same, dir), 1, "of eight that bring it at once one is the first");
    is_int(store_number(dir, "SELECT times FROM deliveries"), 8, "all were counted");
    store_kill(store_hold(note_and_wait, dir));
    s = store_open(dir);
    is_int(note(s, "kept", 1500), 0, "it is remembered by who comes after a crash");
    das_store_close(s);
}

static void no_memory(void)
{
    const char *dir = store_dir();
    struct das_store *s = store_open(dir);
    long n;
    int bad = 0;

    for (n = 1; n < 100; n++) {
        bool failed;
        int rc;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        rc = note_all(s, "gh", "a b", "sig", 1000, NULL);
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (rc < 0);
        if (!failed)
            break;
        bad += store_number(dir, "SELECT count(*) FROM deliveries") != 0;
    }
    ok(!bad && n < 100, "%ld failing allocations note nothing", n - 1);
    is_int(store_number(dir, "SELECT count(*) FROM deliveries"), 3, "then all");
    store_sql(dir, "DROP TABLE deliveries");
    ok(note(s, "x", 1000) == -1 && err.code == DAS_E_STORE, "no table: %s", err.msg);
    das_store_close(s);
}

/* --- a database of format 2 --------------------------------------------------------------------
 */

static int any_access(void *arg, const struct das_access *a)
{
    (void)a;
    ++*(int *)arg;
    return 0;
}

static void make_old(const char *dir)
{
    const char *from = store_dir();
    struct das_access a = {.kind = DAS_ACCESS_KEY,
                           .id = "DASKEY1",
                           .name = "ci",
                           .actions = "*",
                           .instances = "*",
                           .created_ms = 1,
                           .secret = das_text_of("sealed")};
    struct das_store *s = store_open(from);

    must(das_access_add(s, &a, "root", &err) == 0 &&
             das_task_switch_set(s, "orders", true, 1, "root", &err) == 0,
         "a key, a switch: %s", err.msg);
    das_store_close(s);
    old_store_make(dir, from, 2);
    is_int(store_number(dir, "PRAGMA user_version"), 2, "a database of format 2");
}

static int open_and_note(void *arg, int i)
{
    (void)i;
    return note_same(arg, 0) > 1;
}

static void old_format(void)
{
    char dir[100];
    struct das_store *s, *r = NULL;
    int found = 0;
    bool on = false;

    snprintf(dir, sizeof dir, "%s", store_dir());
    make_old(dir);
    must(das_store_open_to_read(dir, &r, &err) == 0 && r, "opened to read: %s", err.msg);
    ok(das_access_each(r, any_access, &found, &err) == 0 && found == 1, "its keys are there");
    ok(das_task_switch_get(r, "orders", &on, &err) == 0 && on, "and its switch");
    is_int(store_number(dir, "PRAGMA user_version"), 2, "it is left as it was");
    is_int(store_herd(8, open_and_note, dir), 8, "eight processes bring it up to date at once");
    is_int(store_number(dir, "SELECT times FROM deliveries WHERE id = 'same'"), 8, "and use it");
    is_int(store_number(dir, "PRAGMA user_version"), DAS_STORE_FORMAT, "which it is then");
    das_store_close(r);
    s = store_open(dir);
    ok(das_access_each(s, any_access, &found, &err) == 0 && found == 2, "its keys are kept");
    das_store_close(s);
}

int main(void)
{
    once();
    proofs();
    forgotten();
    together();
    no_memory();
    old_format();
    old_store_in_the_way(make_old, 2, "deliveries");
    store_dirs_clear();
    return tap_done();
}
