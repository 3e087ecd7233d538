/* temp_state.h - a state directory for one test program, removed when it ends. */
#ifndef DAS_TESTS_TEMP_STATE_H
#define DAS_TESTS_TEMP_STATE_H

#include <unistd.h>

#include "core/store/store.h"
#include "tests/unit/tap.h"

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
