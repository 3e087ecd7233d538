/*
 * pass.h - one policy over a whole recording, on a clock of its own: the same preview, plan and
 * guards as in a live run, armed, against instances that are only recorded.
 *
 * A pass touches no instance, no state directory and no network; what it kills is gone from the
 * rest of its own replay. Passes of two policies are independent and may run on two threads. Room
 * core/cli calls it.
 */
#ifndef DAS_REPLAY_PASS_H
#define DAS_REPLAY_PASS_H

#include "bindings/engine.h"
#include "core/replay/report.h"

#define DAS_REPLAY_EVERY_MS 10000 /* where nothing else is said */

struct das_replay_policy {
    const char *path;
    const char *const *args;
    size_t arg_count;
    int64_t every_ms;
    const char *every_from;               /* for the report */
    const struct das_script_rules *rules; /* limits, grants and rules of the script in das.lua */
};

struct das_replay_opts {
    const struct das_footage *footage;
    int64_t from_ms, to_ms; /* runs begin at from_ms, and what is later than to_ms is not read */
    int64_t wasted_ms;
    const struct das_replay_timeline *timeline; /* its sums are made when sums is set */
    bool sums;
    const struct das_protect *protect;
    const struct das_secrets *secrets;
    struct das_inventory *known;    /* das.lua's: instances have the tags that they have there;
                                       only looked at */
    const atomic_int *cancel;       /* not 0: end; may be NULL */
    atomic_int_least64_t *progress; /* time replayed by now, ms over all instances; may be NULL */
    FILE *verbose;                  /* gets what scripts print and log; NULL: nowhere */
};

/* result is new and zeroed; das_replay_result_clear() in any case. sums: filled where opts->sums.
 * DAS_E_STUCK: a script could not be interrupted, and all of this must stay for the rest of the
 * process. */
int das_replay_pass(const struct das_replay_opts *opts, const struct das_replay_policy *policy,
                    struct das_replay_result *result, struct das_replay_timeline *sums,
                    struct das_err *err);
void das_replay_result_clear(struct das_replay_result *r);

#endif
