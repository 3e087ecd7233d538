/*
 * temp_state.h - a state directory for one test program, removed when it ends, and rules that allow
 * everything: for tests that are about something else.
 */
#ifndef DAS_TESTS_TEMP_STATE_H
#define DAS_TESTS_TEMP_STATE_H

#include <unistd.h>

#include "core/plan/guard.h"
#include "core/store/store.h"
#include "tests/unit/tap.h"

#define ALLOW_ALL_LIMITS                                                                           \
    {                                                                                              \
        .run = 1000000, .minute = 1000000, .instance = 1000000, .user = 1000000,                   \
        .window_ms = 60000, .percent = 100, .rows_modified = INT64_MAX                             \
    }
static const struct das_kill_limits no_limits = ALLOW_ALL_LIMITS;
static const struct das_policy_rules allow_all = {
    .mode = DAS_POLICY_AUTO, .limits = ALLOW_ALL_LIMITS, .outcome_wait_ms = 50};

static char temp_state_path[64];
static struct das_store *temp_state_store;
static pid_t temp_state_owner;

static inline void temp_state_remove(void)
{
    char command[100];

    if (getpid() != temp_state_owner)
        return;
    das_store_close(temp_state_store);
    snprintf(command, sizeof command, "rm -rf '%s'", temp_state_path);
    if (system(command) != 0)
        tap_diag("cannot remove %s", temp_state_path);
}

static inline const char *temp_state_dir(void)
{
    if (temp_state_path[0])
        return temp_state_path;
    snprintf(temp_state_path, sizeof temp_state_path, "%s/das-state-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(temp_state_path)) {
        tap_diag("cannot make %s", temp_state_path);
        exit(1);
    }
    temp_state_owner = getpid();
    atexit(temp_state_remove);
    return temp_state_path;
}

static inline struct das_store *temp_store(void)
{
    struct das_err err;

    if (!temp_state_store && das_store_open(temp_state_dir(), &temp_state_store, &err) < 0) {
        tap_diag("state: %s", err.msg);
        exit(1);
    }
    return temp_state_store;
}

#endif
