/*
 * test_testing.c - files of tests through das_test_file(): what is told, and every allocation fails
 * once; coverage as a table of its own.
 */
#include "bindings/testing.h"

#include "bindings/coverage.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tests/unit/tap.h"
#include "tests/unit/temp_file.h"

static struct das_err err;

struct told {
    struct das_buf text; /* of the test's own memory: no allocation of it fails */
    int passed, failed, silent;
};

static void ended(void *arg, const struct das_test_result *r)
{
    struct told *t = arg;

    t->passed += r->passed;
    t->failed += !r->passed;
    t->silent += !r->passed && !*r->text;
    if (!das_alloc_failed()) {
        das_buf_printf(&t->text, "%d %s %s%s%s\n", r->line, r->name, r->passed ? "passed" : "failed: ",
                       r->text, r->output);
    }
}

static const char policy[] = "local found = assert(das.preview{ command = 'Query', time = 60 })\n"
                             "if #found > 0 then\n"
                             "  found:plan{ kill = 'query' }:apply()\n"
                             "  print(das.http.post('https://hooks.example/x', { n = #found }).status)\n"
                             "else\n"
                             "  print('nobody')\n"
                             "end\n";

static const char *test_path(void)
{
    static char text[4000];

    snprintf(text, sizeof text,
             "local POLICY = '%s'\n"
             "test('kills', function(t)\n"
             "  local db = t.instance{ sessions = { { id = 8, info = 'select 1', time = '2m' }, {} } }\n"
             "  t.http('POST https://hooks.example/*', function(r) return { status = 202 } end)\n"
             "  t.on_apply(function(d) d:update(8, { state = 'x' }) d:add{} d:remove(9) end)\n"
             "  local r = t.run(POLICY, {}, { config = { kill = { run = 5 }, mode = 'auto',\n"
             "    secrets = { a = 'made up' }, windows = { { from = '00:00', to = '24:00' } } } })\n"
             "  t.expect(r).victims{ 8 }.output('202').notified('n').requests(1)\n"
             "  t.clock:advance('1m')\n"
             "end)\n"
             "test('fails', function(t)\n"
             "  t.instance{ sessions = { { id = 8, info = 'select 1', time = 59 } } }\n"
             "  t.expect(t.run(POLICY)).victims{ 8 }\n"
             "end)\n",
             temp_text(policy));
    return temp_text(text);
}

static int run(const char *path, const char *filter, struct told *t, struct das_coverage *c)
{
    const struct das_test_sink sink = {.arg = t, .ended = ended};
    const struct das_test_opts opts = {
        .path = path, .filter = filter, .sink = &sink, .coverage = c};
    bool stuck;
    int rc = das_test_file(&opts, &stuck, &err);

    ok(!stuck, "nothing is stuck");
    return rc;
}

static void results(void)
{
    struct told t = {0};
    const char *path = test_path();
    char want[300];

    is_int(run(path, NULL, &t, NULL), 0, "a file of tests: %s", err.msg);
    is_int(t.passed, 1, "one passes");
    is_int(t.failed, 1, "one fails");
    snprintf(want, sizeof want, "2 kills passed\n11 fails failed: %s:13: victims: expected {8}, got {}\n",
             path);
    ok(t.text.ptr && strncmp(t.text.ptr, want, strlen(want)) == 0, "with its place");
    ok(t.text.ptr && strstr(t.text.ptr, "(1 s too young)"), "and why");
    das_buf_clear(&t.text);
    t = (struct told){0};
    is_int(run(path, "kill", &t, NULL), 0, "only some");
    is_int(t.passed + t.failed, 1, "are run");
    das_buf_clear(&t.text);
    t = (struct told){0};
    is_int(run("/nowhere/x_test.lua", NULL, &t, NULL), -1, "no such file");
    is_int(err.code, DAS_E_IO, "is said");
}

static void failing_memory(void)
{
    const char *path = test_path();
    int bad = 0, errors = 0;
    long n;

    for (n = 1; n < 60000; n += n < 3000 ? 1 : 7) {
        struct told t = {0};
        struct das_coverage *c = das_coverage_new(&err);
        const struct das_test_sink sink = {.arg = &t, .ended = ended};
        const struct das_test_opts opts = {
            .path = path, .filter = "kills", .sink = &sink, .coverage = c};
        bool stuck, reached;
        int rc;
        das_alloc_fail_at(n);
        rc = das_test_file(&opts, &stuck, &err);
        reached = das_alloc_failed();
        das_alloc_fail_at(0);
        das_coverage_free(c);
        das_buf_clear(&t.text);
        errors += rc < 0 || t.failed;
        if (stuck || t.silent || (rc < 0 && !err.msg[0]) || (rc == 0 && t.passed + t.failed != 1)) {
            if (!bad++)
                tap_diag("allocation %ld: rc %d, %d passed, %d failed: %s", n, rc, t.passed, t.failed,
                         err.msg);
        }
        if (!reached)
            break;
    }
    ok(!bad && n > 1000 && n < 60000, "%ld allocations, %d errors, each said", n - 1, errors);
}

/* --- coverage -------------------------------------------------------------------------------------- */

static void table(void)
{
    struct das_coverage *c = das_coverage_new(&err), *sum = das_coverage_new(&err);
    static const char zero[] = "[{\"path\":\"x\",\"lines\":[[0,1]]}]";
    struct das_buf b = {0};
    json_t *list;

    must(c && sum, "two");
    is_int(das_coverage_can(c, "a.lua", 3, &err), 0, "a line");
    is_int(das_coverage_can(c, "a.lua", 200, &err), 0, "another one");
    is_int(das_coverage_can(c, "b.lua", 0, &err), 0, "a file without any");
    das_coverage_ran(c, "a.lua", 3, 2);
    das_coverage_ran(c, "a.lua", 3, 1);
    das_coverage_ran(c, "a.lua", 4, 1);
    das_coverage_ran(c, "none.lua", 4, 1);
    is_int((int64_t)das_coverage_files(c), 2, "files");
    is_int((int64_t)das_coverage_lines(c, 0), 200, "its last line");
    is_int(das_coverage_count(c, 0, 3), 3, "ran");
    is_int(das_coverage_count(c, 0, 4), DAS_LINE_IDLE, "cannot run");
    is_int(das_coverage_count(c, 0, 200), 0, "did not");
    is_int(das_coverage_count(c, 0, 201), DAS_LINE_IDLE, "is not there");
    das_coverage_json(c, &b);
    is_str(b.ptr, "[{\"path\":\"a.lua\",\"lines\":[[3,3],[200,0]]},{\"path\":\"b.lua\",\"lines\":[]}]",
           "as JSON");
    list = das_json_parse(b.ptr, b.len, NULL, &err);
    must(list, "which reads back");
    is_int(das_coverage_add_json(sum, list, &err), 0, "added");
    is_int(das_coverage_add_json(sum, list, &err), 0, "twice");
    is_int(das_coverage_count(sum, 0, 3), 6, "is twice as much");
    is_int((int64_t)das_coverage_files(sum), 2, "in as many files");
    json_decref(list);
    list = das_json_parse(zero, sizeof zero - 1, NULL, &err);
    must(list, "JSON");
    is_int(das_coverage_add_json(sum, list, &err), -1, "line 0 is refused");
    json_decref(list);
    is_int(das_coverage_can(c, "a.lua", SIZE_MAX / 2, &err), -1, "so is one that no file has");
    das_buf_clear(&b);
    das_coverage_free(c);
    das_coverage_free(sum);
}

int main(void)
{
    results();
    failing_memory();
    table();
    temp_clear();
    return tap_done();
}
