/* test_cli.h - what the files of das test share: files of tests, their results, who shows them. */
#ifndef DAS_CLI_TEST_CLI_H
#define DAS_CLI_TEST_CLI_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bindings/coverage.h"
#include "core/base/buf.h"

struct das_test_case {
    char *name, *text, *output; /* text: why it failed; "" where there is nothing */
    int line;
    bool passed;
    int64_t us;
};

struct das_test_file {
    char *path;
    struct das_test_case *cases;
    size_t count;
    char *error;      /* the file could not be run, or not to its end; or NULL */
    char **used;      /* policies, modules and recordings that it needs */
    size_t used_count;
    json_t *coverage; /* of its last run, or NULL */
    int64_t us;
    bool wanted;      /* to be run next */
};

struct das_test_files {
    struct das_test_file *items;
    size_t count;
};
void das_test_files_clear(struct das_test_files *f);
/* Files named by paths, and *_test.lua below those that are folders, in order, each once; those that
 * are new are wanted. DAS_E_USAGE for a path that is not there. */
int das_test_find(struct das_test_files *f, char **paths, size_t n, struct das_err *err);

/* --- running (test_jobs.c) ---------------------------------------------------------------------- */

struct das_test_jobs {
    size_t parallel;
    const char *filter; /* or NULL */
    bool coverage;
    const atomic_int *cancel;
    /* A file is done: in the order of the files. */
    void (*done)(void *arg, const struct das_test_file *file);
    void *arg;
};
/* Runs the wanted files, each in a process of its own. -1: something of the machine failed, or
 * DAS_E_CANCELLED. */
int das_test_run(struct das_test_files *f, const struct das_test_jobs *jobs, struct das_err *err);

/* --- showing (test_report.c, test_cover.c) -------------------------------------------------------- */

size_t das_test_failures(const struct das_test_file *f); /* an error counts as one */
size_t das_test_cases(const struct das_test_file *f);

/* *number: of the last test so far. */
void das_test_tap(const struct das_test_file *f, size_t *number, struct das_buf *b);
/* All of them, or the wanted ones alone. */
void das_test_junit(const struct das_test_files *f, struct das_buf *b);

/* What all files together ran: lines for people, and as lcov has it. */
void das_test_cover_text(const struct das_coverage *c, struct das_buf *b);
void das_test_cover_lcov(const struct das_coverage *c, struct das_buf *b);

/* --- watching (test_watch.c) ---------------------------------------------------------------------- */

struct das_test_watch;
struct das_test_watch *das_test_watch_new(struct das_err *err);
void das_test_watch_free(struct das_test_watch *w); /* NULL is fine */
/* Before a run: from here on no change of what is known so far is missed. */
int das_test_watch_begin(struct das_test_watch *w, const struct das_test_files *f, char **paths,
                         size_t n, struct das_err *err);
/* After it: waits until something changes, or has changed since, that a file of tests or one that it
 * uses is made of, or until *cancel (DAS_E_CANCELLED). Marks the files to run as wanted, also those
 * that have come below paths. */
int das_test_watch_wait(struct das_test_watch *w, struct das_test_files *f, char **paths, size_t n,
                        const atomic_int *cancel, struct das_err *err);

#endif
