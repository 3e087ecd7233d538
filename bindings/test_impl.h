/* test_impl.h - what the files that run tests share. Stays in bindings/test_*.c. */
#ifndef DAS_BINDINGS_TEST_IMPL_H
#define DAS_BINDINGS_TEST_IMPL_H

#include "bindings/bind.h"
#include "bindings/coverage.h"
#include "bindings/test_seen.h"
#include "bindings/testing.h"
#include "core/base/clock.h"
#include "core/store/store.h"

struct das_test_name {
    char *name;
    int line;
};

/* One pass over a test file: the first one only hears which tests there are. */
struct das_bench {
    const struct das_test_opts *opts;
    bool listing;
    size_t index; /* of the test to run */
    size_t seen;  /* calls of test() so far */
    struct das_test_name *names;
    size_t count;
    struct das_clock clock;
    struct das_store *store; /* of all runs of one test; NULL until the first */
    struct das_engine_watch watch;
    struct das_buf failure;  /* why the test failed, in full */
    struct das_buf output;   /* what it printed and logged; nobody reads it while a script is stuck */
    atomic_int over; /* not 0: a policy is stuck, and so the test is given up */
    bool stuck;
};

/* A relative path is one beside the test file. [-0, +1] the path of what is there, from the current
 * folder where that is shorter; raises "WHAT: PATH: ..." when there is nothing. */
const char *das_bench_path(lua_State *L, const struct das_bench *b, const char *what,
                           const char *path);
void das_bench_used(const struct das_bench *b, const char *path);
struct das_bench *das_bench_of(lua_State *L);

/* Writing to it appends to b; NULL: no memory. fclose() it before b is cleared. */
FILE *das_buf_file(struct das_buf *b);

/* An instance of a test. */
#define DAS_TEST_INSTANCE "das.test.instance"
struct das_test_instance {
    struct das_source *source; /* NULL while empty */
    char *name;
    int64_t next_id, next_query;
};
struct das_test_instance *das_test_instance_check(lua_State *L, int arg);

/* What das.lua says for a script, and what it protects and knows. */
struct das_test_rules {
    struct das_script_entry script;
    struct das_protect protect;
    struct das_secrets secrets;
};
void das_test_rules_init(struct das_test_rules *r);
void das_test_rules_clear(struct das_test_rules *r);
/* From the table at config, or nil. Raises at the test's line. */
void das_test_rules_read(lua_State *L, int config, struct das_test_rules *r);

/* What came of a run of a policy. */
struct das_test_outcome {
    int rc; /* of the engine, with its err */
    struct das_err err;
    struct das_engine_result result;
    struct das_buf out, log;
    struct das_buf told; /* messages, a hook's replies, runbooks that it begins: JSON, of a list */
    struct das_seen seen;
};
/* [-0, +1] runbook: the store's number of it; 0: it is none. */
void das_test_push_result(lua_State *L, const struct das_test_outcome *o, struct das_store *store,
                          int64_t runbook);
void das_test_push_victims(lua_State *L, const struct das_plan *plan); /* a list of ids */

/* Functions for the prelude's test.lua [-0, +0] into the table on top. */
void das_open_test_instance(lua_State *L);
void das_open_test_run(lua_State *L);

#endif
