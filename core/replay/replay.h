/*
 * replay.h - one or two policies over the same recording: opens it, runs a pass for each policy on
 * a thread of its own, and puts the report together. Room core/cli calls it.
 */
#ifndef DAS_REPLAY_REPLAY_H
#define DAS_REPLAY_REPLAY_H

#include "core/replay/pass.h"

struct das_replay_request {
    const char *const *files;
    size_t file_count;
    const char *const *instances; /* as recorded; "%" stands for anything. None: all */
    size_t instance_count;
    int64_t from_ms, to_ms; /* INT64_MIN, INT64_MAX: as far as the recording goes */
    int64_t wasted_ms;      /* 0: 5 s, or two snapshots where they are farther apart */
    const struct das_replay_policy *policies;
    size_t policy_count; /* 1 or 2 */
    const struct das_protect *protect;
    const struct das_secrets *secrets;
    struct das_inventory *known; /* of das.lua: tags; may be NULL */
    const atomic_int *cancel;
    FILE *verbose;
    /* Called now and then on the caller's thread: from 0 to 1. May be NULL. */
    void (*progress)(void *arg, double done);
    void *arg;
};

/* DAS_E_USAGE, DAS_E_DATA: the files, as das_footage_open() says, or no snapshot lies in the time
 * that is asked for. DAS_E_STUCK as for das_replay_pass(): end the process. out is to be cleared in
 * any other case, and borrows from request. */
int das_replay(const struct das_replay_request *request, struct das_replay_report *out,
               struct das_err *err);
void das_replay_report_clear(struct das_replay_report *r);

#endif
