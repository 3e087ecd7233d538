/*
 * testing.h - runs a file of tests of policies: what the program sees of them.
 *
 * A test file is Lua with a function test(name, f) besides what a policy has. Each test has a Lua
 * state, a thread and limits of its own, as a policy has, and lives on a clock that stands still at
 * DAS_TEST_EPOCH_MS until somebody moves it. Its instances are in memory, its journal too, and its
 * HTTP is answered in this process: nothing leaves it.
 */
#ifndef DAS_BINDINGS_TESTING_H
#define DAS_BINDINGS_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define DAS_TEST_EPOCH_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z, a Thursday */

struct das_coverage;

struct das_test_result {
    const char *name;
    int line;         /* of test(...) in its file */
    bool passed;
    const char *text; /* why not, with the place; may have several lines. "" when passed */
    const char *output; /* what it printed and logged; not that of its policies */
    int64_t us;       /* how long it took, by the machine's clock */
};

/* Told on the thread of das_test_file(), but used(), which may come from that of a script. All are
 * borrowed for the call. */
struct das_test_sink {
    void *arg;
    void (*began)(void *arg, const char *name, int line);
    void (*ended)(void *arg, const struct das_test_result *r);
    void (*used)(void *arg, const char *path); /* a policy, module or recording that it needs */
};

struct das_test_opts {
    const char *path;
    const char *filter; /* only tests whose name has it, as plain text or as a Lua pattern; NULL */
    struct das_coverage *coverage; /* of the policies that are run; may be NULL */
    const struct das_test_sink *sink;
};

/* Is a file of that name one of tests: "..._test.lua"? */
bool das_test_named(const char *path);

/* 0: the file could be read and each of its tests was told, failed or not. -1 and err: it could not.
 * *stuck: a script hangs where nothing can interrupt it; what was not run was told as failed, and the
 * process shall end soon with all memory as it is. */
int das_test_file(const struct das_test_opts *opts, bool *stuck, struct das_err *err);

#endif
