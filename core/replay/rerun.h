/*
 * rerun.h - a recorded run once more: the same policy over exactly what it was shown, and whether it
 * decides the same, byte by byte.
 *
 * das_rerun_record() belongs to the live run and only notes; das_rerun() touches no instance, no
 * state directory and no network.
 */
#ifndef DAS_REPLAY_RERUN_H
#define DAS_REPLAY_RERUN_H

#include "bindings/engine.h"
#include "core/plan/decision.h"
#include "core/source/tape.h"

/* --- recording a live run ----------------------------------------------------------------------- */

struct das_rerun_recorder {
    struct das_tape *tape;
    struct das_decisions decisions;
    struct das_engine_watch watch;
    struct das_engine_web web; /* hears of the answers to HTTP requests */
    struct das_source_listener listener;
};

/* Makes the file, writes who runs what, and has opts watched: to be called when all else in opts is
 * set and before the run. What the store holds the run to goes along when it is armed. */
int das_rerun_record(struct das_rerun_recorder *r, const char *path, struct das_engine_opts *opts,
                     struct das_err *err);
/* After the run, whatever became of it. -1: the file is not whole. */
int das_rerun_recorded(struct das_rerun_recorder *r, const struct das_engine_result *result,
                       const struct das_err *failed, struct das_err *err);

/* --- having it again ---------------------------------------------------------------------------- */

struct das_rerun_result {
    size_t decisions;      /* of the recorded run */
    size_t equal;          /* from the first one on */
    bool other_policy;     /* its text is not the recorded one's */
    bool differs;
    bool unfinished;       /* the recorded run died: what it would have done next is not known, and
                              what this one does then is no difference */
    char *recorded, *now;  /* the first decision that is not the same; NULL: there is none there */
    char why[1200];        /* what else differs: "" nothing */
};
void das_rerun_result_clear(struct das_rerun_result *r);

/* Where the recorded run's script was; owned by p. NULL and err: it is no recorded run. */
const char *das_rerun_script(const struct das_playback *p, struct das_err *err);
/* base: limits, rules, protection, grants and secrets as for the live run, and path; the rest is taken
 * from the recording. */
int das_rerun(struct das_playback *p, const struct das_engine_opts *base,
              struct das_rerun_result *out, struct das_err *err);

#endif
