/* test_inventory.c - instances by name: adding, choosing, finding, opening; and empty previews. */
#include "core/source/inventory.h"
#include "core/source/memory.h"


#include <unistd.h>

#include "core/base/json.h"
#include "core/source/preview.h"
#include "tests/unit/kit.h"

static struct das_err err;

static struct das_inventory *three(void)
{
    static const char *const names[] = {"orders", "billing", "sample"};
    struct das_inventory *inv = das_inventory_new(&err);

    for (size_t i = 0; inv && i < 3; i++) {
        struct das_source_conf conf = {.name = names[i],
                                       .spec = "mem:tests/samples/show_tsv.txt",
                                       .password_env = "X",
                                       .password_file = i ? NULL : "/x"};
        if (das_inventory_add(inv, &conf, &err) < 0)
            exit(1);
    }
    return inv;
}

static void names(void)
{
    struct das_inventory *inv = three();
    const struct das_source_conf again = {.name = "orders", .spec = "mem:x"};

    is_int(das_inventory_count(inv), 3, "with none chosen all are there");
    is_str(das_inventory_name(inv, 1), "billing", "in their order");
    is_int(das_inventory_find(inv, "sample", &err), 2, "found by name");
    ok(das_inventory_find(inv, "order", &err) < 0 && err.code == DAS_E_USAGE, "or not");
    is_str(err.msg, "no instance \"order\"; did you mean \"orders\"?", "with a suggestion");
    ok(das_inventory_find(inv, "zzzzzzzz", &err) < 0, "far from all");
    has_str(err.msg, "no instance \"zzzzzzzz\" in the configuration; expected", "without one");
    ok(das_inventory_add(inv, &again, &err) < 0 && err.code == DAS_E_CONFIG, "no name twice");
    is_str(err.msg, "instance \"orders\" is there twice", "and said so");
    is_int(das_inventory_count(inv), 3, "nothing was added");
    das_inventory_free(inv);
    das_inventory_free(NULL);
}

static void choosing(void)
{
    struct das_inventory *inv = three();

    ok(das_inventory_choose(inv, "sample", &err) == 0, "by name");
    is_int(das_inventory_count(inv), 1, "then it is the only one");
    is_str(das_inventory_name(inv, 0), "sample", "that one");
    ok(das_inventory_find(inv, "orders", &err) < 0 && err.code == DAS_E_DENIED,
       "one that was not chosen is denied");
    is_str(err.msg, "instance \"orders\" is not among those chosen with -i", "and said so");
    ok(das_inventory_choose(inv, "sample", &err) < 0, "not twice");
    is_str(err.msg, "instance \"sample\" is chosen twice", "and said so");
    ok(das_inventory_choose(inv, "mem:tests/samples/show_table.txt", &err) == 0, "by spec");
    is_int(das_inventory_find(inv, "mem:tests/samples/show_table.txt", &err), 1,
           "its name is the spec");
    ok(das_inventory_choose(inv, "mem:tests/samples/show_table.txt", &err) < 0, "not twice either");
    ok(das_inventory_choose(inv, "bilings", &err) < 0, "no such name");
    is_str(err.msg, "no instance \"bilings\"; did you mean \"billing\"?", "with a suggestion");
    das_inventory_free(inv);
}

static void opening(void)
{
    struct das_inventory *inv = three();
    struct das_source *s = das_inventory_open(inv, 0, &err);

    ok(s && s == das_inventory_open(inv, 0, &err), "opened once, kept open");
    is_str(das_source_name(s), "orders", "by its name");
    ok(das_inventory_open(inv, 1, &err) != s, "each its own");
    das_inventory_free(inv);
    inv = das_inventory_new(&err);
    must(das_inventory_choose(inv, "mem:/nonexistent", &err) == 0, "a wrong path is accepted");
    ok(!das_inventory_open(inv, 0, &err) && err.code == DAS_E_IO, "and refused when opened");
    ok(!das_inventory_open(inv, 0, &err), "each time");
    das_inventory_free(inv);
}

static void opening_again(void)
{
    struct das_inventory *inv = das_inventory_new(&err);
    char id[] = "0123456789abcdef0123456789abcdef";
    const struct das_source_conf with = {
                                     .name = "a", .id = id, .spec = "mem:tests/samples/show_tsv.txt"},
                                 without = {.spec = "mem:tests/samples/show_table.txt"};
    struct das_source *again = NULL;

    must(das_inventory_add(inv, &with, &err) == 0 && das_inventory_add(inv, &without, &err) == 0,
         "two");
    id[0] = 'x';
    is_str(das_inventory_id(inv, 0), "0123456789abcdef0123456789abcdef", "an id is copied");
    ok(!das_inventory_id(inv, 1), "or there is none");
    is_str(das_inventory_spec(inv, 1), "mem:tests/samples/show_table.txt", "where it is");
    ok(das_inventory_open_again(inv, 0, &again, &err) < 0 && !again, "not before it is open");
    must(das_inventory_open(inv, 0, &err), "then it is");
    must(das_inventory_open_again(inv, 0, &again, &err) == 0, "once more");
    ok(again && again != das_inventory_open(inv, 0, &err), "a handle of one's own");
    is_str(das_source_name(again), "a", "by its name");
    das_inventory_free(inv);
    das_source_close(again);
}

#define TAGS 100

/* Which instances a list of names, tags and stars means; by the last of many tags, too. */
static void among(void)
{
    static const char *const names[] = {"b", "x"}, *const by_tag[] = {"tag:t99"},
                      *const star[] = {"x", "*"}, *const wrong[] = {"tag:a", "t99", "tag:t9 9"};
    char texts[TAGS][8];
    const char *tags[TAGS];
    const struct das_source_conf a = {.name = "a", .spec = "mem:x", .tags = tags,
                                      .tag_count = TAGS},
                                 b = {.name = "b", .spec = "mem:x"};
    struct das_inventory *inv = das_inventory_new(&err);

    for (int i = 0; i < TAGS; i++) {
        snprintf(texts[i], sizeof texts[i], "t%d", i);
        tags[i] = texts[i];
    }
    must(das_inventory_add(inv, &a, &err) == 0 && das_inventory_add(inv, &b, &err) == 0, "two");
    ok(!das_inventory_among(inv, 0, names, 2) && das_inventory_among(inv, 1, names, 2), "by name");
    ok(das_inventory_among(inv, 0, by_tag, 1) && !das_inventory_among(inv, 1, by_tag, 1),
       "by the hundredth tag");
    ok(das_inventory_among(inv, 0, star, 2) && das_inventory_among(inv, 1, star, 2), "all");
    ok(!das_inventory_among(inv, 0, wrong, 3), "a tag is no name, and a name no tag");
    ok(!das_inventory_among(inv, 0, names, 0), "an empty list is nobody");
    ok(das_inventory_tagged(inv, "t99") && !das_inventory_tagged(inv, "t100"), "anybody's tag");
    das_inventory_free(inv);
}

/* One instance by itself, for another thread: what is done there is seen here. */
static void split(void)
{
    static const char *const tags[] = {"prod", "eu"};
    const struct das_source_conf a = {.name = "a", .spec = "mem:tests/samples/show_tsv.txt"},
                                 b = {.name = "b",
                                      .spec = "mem:tests/samples/show_tsv.txt",
                                      .tags = tags,
                                      .tag_count = 2};
    struct das_cloud_conf account = das_cloud_conf_default;
    struct das_inventory *inv = das_inventory_new(&err), *alone;
    struct das_source *s;
    size_t count;

    account.name = "default";
    must(das_inventory_add(inv, &a, &err) == 0 && das_inventory_add(inv, &b, &err) == 0 &&
             das_inventory_add_cloud(inv, &account, &err) == 0,
         "two, and an account");
    ok(!das_inventory_split(inv, 1, &err), "not before it is open");
    must(das_inventory_open(inv, 1, &err), "then it is");
    must((alone = das_inventory_split(inv, 1, &err)) != NULL, "by itself");
    is_int(das_inventory_count(alone), 1, "there is no other");
    is_str(das_inventory_name(alone, 0), "b", "it has its name");
    is_str(das_inventory_tags(alone, 0, &count)[1], "eu", "and its tags");
    ok(das_inventory_cloud(alone, NULL, &err) == das_inventory_cloud(inv, NULL, &err),
       "the account is the same one, with its rate");
    must((s = das_inventory_open(alone, 0, &err)) && s != das_inventory_open(inv, 1, &err),
         "a handle of its own");
    ok(das_memory_down(s, "gone", &err) == 0, "on the same instance");
    das_inventory_free(alone);
    {
        struct das_snapshot *snap = NULL;
        ok(das_source_list(das_inventory_open(inv, 1, &err), NULL, &snap, &err) < 0,
           "what happens there is seen here");
    }
    das_inventory_free(inv);
}

static void specs(void)
{
    static const char *const good[] = {"file:x", "mem:x", "mysql://x", "mariadb://x", "file:-"};
    static const char *const bad[] = {"", "x", "file", "File:x", "http://x", "mem"};
    struct das_source_conf conf = {.spec = "nonsense"};
    struct das_source *s = NULL;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(das_source_is_spec(good[i]), "%s is a spec", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!das_source_is_spec(bad[i]), "\"%s\" is none", bad[i]);
    ok(das_source_open(&conf, &s, &err) < 0 && !s && err.code == DAS_E_USAGE, "nor is nonsense");
    has_str(err.msg, "\"nonsense\" is not an instance; expected", "and said so");
}

/* What can be read only once is kept; a remark about one preview must not stick to it. */
static void read_once(void)
{
    int fds[2];
    char spec[40];
    struct das_source_conf conf = {.spec = spec};
    struct das_source *s = NULL;
    struct das_filter *none = kit_filter(NULL, NULL), *all = kit_all();
    struct das_selection *sel;
    static const char list[] = "Id\tUser\tHost\tdb\tCommand\tTime\tState\tInfo\n"
                               "1\ta\th:1\td\tQuery\t5\t\tselect 1\n";

    must(pipe(fds) == 0 && write(fds[1], list, sizeof list - 1) > 0 && close(fds[1]) == 0, "a pipe");
    snprintf(spec, sizeof spec, "file:/dev/fd/%d", fds[0]);
    must(das_source_open(&conf, &s, &err) == 0, "as a source");
    sel = das_preview(s, none, 0, &err);
    must(sel, "a preview of nothing");
    ok(sel->count == 0 && das_snapshot_warnings(sel->snap) == 1, "is warned of");
    has_str(das_snapshot_warning(sel->snap, 0), "selects nothing", "in words");
    das_selection_free(sel);
    sel = das_preview(s, all, 0, &err);
    must(sel, "a preview of all");
    is_int(sel->count, 1, "finds what the pipe held");
    is_int(das_snapshot_warnings(sel->snap), 0, "without the other's warning");
    das_selection_free(sel);
    das_source_close(s);
    close(fds[0]);
    das_filter_release(none);
    das_filter_release(all);
}

static void no_memory(void)
{
    int bad = 0;
    long n;

    for (n = 1; n < 1000; n++) {
        struct das_inventory *inv;
        struct das_source *s = NULL;
        bool failed;
        err.code = DAS_OK;
        das_alloc_fail_at(n);
        inv = das_inventory_new(&err);
        if (inv) {
            const struct das_source_conf conf = {.name = "a",
                                                 .spec = "mem:tests/samples/show_tsv.txt",
                                                 .password_env = "X",
                                                 .password_file = "Y"};
            if (das_inventory_add(inv, &conf, &err) == 0 &&
                das_inventory_choose(inv, "a", &err) == 0)
                s = das_inventory_open(inv, 0, &err);
        }
        failed = das_alloc_failed();
        das_alloc_fail_at(0);
        bad += failed != (s == NULL) || (failed && err.code != DAS_E_NOMEM);
        das_inventory_free(inv);
        if (!failed)
            break;
    }
    ok(!bad && n > 20 && n < 1000, "%ld failing allocations are each told", n - 1);
}

/* --- at the cloud ------------------------------------------------------------------------------- */

static int add_spec(struct das_inventory *inv, const char *name, const char *spec)
{
    const struct das_source_conf conf = {.name = name, .spec = spec};

    return das_inventory_add(inv, &conf, &err);
}

static int add_place(struct das_inventory *inv, const char *region, const char *project,
                     const char *instance)
{
    const struct das_cloud_place place = {
        .region = region, .project = project, .instance = instance};

    return das_inventory_add_place(inv, NULL, &place, &err);
}

static void places(void)
{
    struct das_inventory *inv = three();
    struct das_cloud_address a;

    ok(!das_inventory_address(inv, 0, &a), "mem: is nowhere at the cloud");
    is_int(add_spec(inv, "ledger", "das://cn-north-4/p1/i1"), 0, "one that the configuration names");
    ok(das_inventory_address(inv, 3, &a), "it is somewhere");
    is_str(a.region, "cn-north-4", "in a region");
    is_str(a.instance, "i1", "under an id");
    is_int(add_place(inv, "cn-north-4", "p1", "i1"), 3, "found once more it keeps its name");
    is_int(add_place(inv, "cn-north-4", "p1", "i"), 4, "an id that begins like it is another one");
    is_str(das_inventory_name(inv, 4), "das://cn-north-4/p1/i", "named after its place");
    is_int(add_place(inv, "cn-north-1", "p1", "i1"), 5, "so is one of another region");
    is_int(add_place(inv, "cn-north-1", "p1", "i1"), 5, "which is there once");
    is_int(das_inventory_count(inv), 6, "three were added");
    is_int(add_place(inv, "cn-north-4", "p1", "../x"), -1, "an id that is none is refused");
    is_int(das_inventory_count(inv), 6, "and not added");
    das_inventory_free(inv);
}

int main(void)
{
    places();
    names();
    choosing();
    opening();
    opening_again();
    among();
    split();
    specs();
    read_once();
    no_memory();
    return tap_done();
}
