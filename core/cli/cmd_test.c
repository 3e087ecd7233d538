/* cmd_test.c - das test: runs files of tests of policies, and says what came of it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/write_file.h"
#include "core/cli/cli.h"
#include "core/cli/interrupt.h"
#include "core/cli/test_cli.h"

static const char help[] =
    "das test [--filter TEXT] [-j N] [-o tap|junit] [--junit FILE] [--coverage[=FILE]] [--watch]\n"
    "         PATH...\n"
    "\n"
    "Runs tests of policies. A test file is Lua; of a folder all *_test.lua below it are run. Nothing\n"
    "leaves the process: instances are in memory, HTTP is answered by the test, time is the test's.\n"
    "\n"
    "      --filter TEXT      only tests whose name has it, as plain text or as a Lua pattern\n"
    "  -j, --jobs N           so many files at a time; as many as there are processors\n"
    "  -o, --output FORMAT    tap (the Test Anything Protocol), or junit (XML)\n"
    "      --junit FILE       writes the XML there, besides what is printed\n"
    "      --coverage[=FILE]  says which lines of the policies ran; FILE gets it as lcov has it\n"
    "      --watch            runs again what a changed file concerns, until Ctrl-C\n"
    "\n"
    "A first test (policies/long_select_test.lua):\n"
    "  test(\"spares the backup user\", function(t)\n"
    "    t.instance{ sessions = {\n"
    "      { id = 7, user = \"backup\", info = \"select * from orders\", time = 900 },\n"
    "      { id = 8, user = \"app\", info = \"select * from orders\", time = 900 },\n"
    "    } }\n"
    "    local r = t.run(\"long_select.lua\")\n"
    "    t.expect(r).victims{ 8 }.spared{ 7 }\n"
    "  end)\n"
    "\n"
    "Examples\n"
    "  das test policies/\n"
    "  das test --filter backup --coverage policies/long_select_test.lua\n"
    "  das test --junit report.xml --coverage=lcov.info policies/   # in a pipeline\n"
    "  das test --watch policies/                                   # while writing one\n"
    "\n"
    "Exit: 0 all passed, 1 one failed, or no test was found, 2 usage.\n";

enum { O_FILTER = 1001, O_JUNIT, O_COVERAGE, O_WATCH };

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {"jobs", required_argument, NULL, 'j'},
    {"output", required_argument, NULL, 'o'},
    {"filter", required_argument, NULL, O_FILTER},
    {"junit", required_argument, NULL, O_JUNIT},
    {"coverage", optional_argument, NULL, O_COVERAGE},
    {"watch", no_argument, NULL, O_WATCH},
    {NULL, 0, NULL, 0},
};

#define JOBS_MAX 256

struct test {
    bool xml, watch, coverage;
    const char *junit, *lcov;
    struct das_test_jobs jobs;
    struct das_test_files files;
    size_t number, failed; /* tests of the round so far */
    struct das_buf out;
};

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct test *t = arg;
    int64_t n;

    switch (option) {
    case 'j':
        if (!das_parse_int(das_text_of(value), &n) || n < 1 || n > JOBS_MAX)
            return das_fail(err, DAS_E_USAGE, "-j: expected 1 to %d, got \"%s\"", JOBS_MAX, value);
        t->jobs.parallel = (size_t)n;
        return 0;
    case 'o':
        t->xml = strcmp(value, "junit") == 0;
        if (!t->xml && strcmp(value, "tap") != 0)
            return das_fail(err, DAS_E_USAGE, "-o: expected tap or junit, got \"%s\"", value);
        return 0;
    case O_FILTER:
        t->jobs.filter = value;
        return 0;
    case O_JUNIT:
        t->junit = value;
        return 0;
    case O_COVERAGE:
        t->coverage = t->jobs.coverage = true;
        t->lcov = value;
        return 0;
    default:
        t->watch = true;
        return 0;
    }
}

/* --- one round --------------------------------------------------------------------------------- */

static void file_done(void *arg, const struct das_test_file *f)
{
    struct test *t = arg;

    t->failed += das_test_failures(f);
    if (t->xml) {
        t->number += das_test_cases(f);
        return;
    }
    das_test_tap(f, &t->number, &t->out);
    fwrite(t->out.ptr ? t->out.ptr : "", 1, t->out.len, stdout);
    fflush(stdout);
    das_buf_reset(&t->out);
}

static int write_xml(struct test *t, struct das_err *err)
{
    int rc = 0;

    das_test_junit(&t->files, &t->out);
    if (das_buf_ok(&t->out, err) < 0)
        return -1;
    if (t->junit)
        rc = das_write_file(t->junit, 0644, das_buf_view(&t->out), err);
    if (t->xml)
        return das_write_out(&t->out, err) < 0 ? -1 : rc;
    das_buf_reset(&t->out);
    return rc;
}

/* In the order of the files, however they ended. */
static int tell_coverage(struct test *t, struct das_err *err)
{
    struct das_coverage *c = das_coverage_new(err);
    int rc = c ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < t->files.count; i++) {
        if (t->files.items[i].coverage)
            rc = das_coverage_add_json(c, t->files.items[i].coverage, err);
    }
    if (rc == 0) {
        das_test_cover_text(c, &t->out);
        rc = das_buf_ok(&t->out, err);
    }
    if (rc == 0)
        fwrite(t->out.ptr, 1, t->out.len, stderr);
    das_buf_reset(&t->out);
    if (rc == 0 && t->lcov) {
        das_test_cover_lcov(c, &t->out);
        rc = das_write_file(t->lcov, 0644, das_buf_view(&t->out), err);
        das_buf_reset(&t->out);
    }
    das_coverage_free(c);
    return rc;
}

static int run_round(struct test *t, struct das_err *err)
{
    int64_t start = das_clock_monotonic_ms();

    t->number = t->failed = 0;
    if (!t->xml)
        puts("TAP version 13");
    if (das_test_run(&t->files, &t->jobs, err) < 0)
        return -1;
    for (size_t i = 0; i < t->files.count; i++)
        t->files.items[i].wanted = false;
    if (!t->xml)
        printf("1..%zu\n", t->number);
    if ((t->xml || t->junit) && write_xml(t, err) < 0)
        return -1;
    fflush(stdout);
    if (t->coverage && tell_coverage(t, err) < 0)
        return -1;
    if (t->number == 0)
        fprintf(stderr, "das test: no tests found%s%s\n", t->jobs.filter ? " that match " : "",
                t->jobs.filter ? t->jobs.filter : "");
    else
        fprintf(stderr, "das test: %zu passed, %zu failed, %.1f s\n", t->number - t->failed,
                t->failed, (double)(das_clock_monotonic_ms() - start) / 1000);
    return t->failed || t->number == 0 ? DAS_EXIT_FAILED : DAS_EXIT_DONE;
}

/* The code of the last round. */
static int watch(struct test *t, char **paths, size_t n, struct das_err *err)
{
    struct das_test_watch *w = das_test_watch_new(err);
    int rc = w ? 0 : -1, code = DAS_EXIT_FAILED;

    while (rc == 0) {
        rc = das_test_watch_begin(w, &t->files, paths, n, err);
        if (rc == 0 && (rc = run_round(t, err)) >= 0) {
            code = rc;
            fprintf(stderr, "das test: waiting for a change; Ctrl-C ends\n");
            rc = das_test_watch_wait(w, &t->files, paths, n, t->jobs.cancel, err);
        }
    }
    das_test_watch_free(w);
    return err->code == DAS_E_CANCELLED ? code : -1;
}

static int run(struct test *t, char **paths, size_t n, struct das_err *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (n == 0)
        return das_fail(err, DAS_E_USAGE, "which tests? das test --help shows examples");
    if (das_test_find(&t->files, paths, n, err) < 0)
        return -1;
    if (!t->jobs.parallel)
        t->jobs.parallel = processors > 0 ? (size_t)processors : 1;
    t->jobs.done = file_done;
    t->jobs.arg = t;
    t->jobs.cancel = das_interrupt_catch();
    return t->watch ? watch(t, paths, n, err) : run_round(t, err);
}

int das_cmd_test(int argc, char **argv)
{
    struct test t = {0};
    const struct das_options read = {help, ":hj:o:", options, take_option, &t};
    struct das_err err = {0};
    int rc = das_options_read(&read, argc, argv, &err);

    if (rc > 0)
        rc = DAS_EXIT_DONE;
    else if (rc == 0)
        rc = run(&t, argv + optind, (size_t)(argc - optind), &err);
    if (rc < 0)
        rc = das_complain("test", &err);
    das_test_files_clear(&t.files);
    das_buf_clear(&t.out);
    return rc;
}
