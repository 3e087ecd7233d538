/*
 * test_seen.h - what a run of a policy looked at and did, kept to be asked about afterwards.
 *
 * Filled on the policy's thread, through struct das_engine_watch; read when the run is over. Knows
 * nothing of Lua. Stays in bindings/test_*.c.
 */
#ifndef DAS_BINDINGS_TEST_SEEN_H
#define DAS_BINDINGS_TEST_SEEN_H

#include "core/plan/plan.h"

struct das_seen_preview {
    char *instance;
    struct das_snapshot *snap;
    struct das_filter *filter;
    int64_t *ids; /* selected */
    size_t count;
};

struct das_seen_outcome {
    int64_t id;
    enum das_outcome_kind kind;
    const char *action;
    char *note;
};

struct das_seen_apply {
    struct das_plan *plan;
    struct das_seen_outcome *items; /* NULL: nothing could be verified */
    size_t count;
    char *error; /* why not, or NULL */
};

struct das_seen {
    struct das_seen_preview *previews;
    size_t preview_count;
    struct das_plan **plans; /* as they were made */
    size_t plan_count;
    struct das_seen_apply *applies;
    size_t apply_count;
    bool failed; /* out of memory: what follows is missing */
};

void das_seen_clear(struct das_seen *s);
void das_seen_preview(struct das_seen *s, const char *instance, const struct das_selection *sel);
void das_seen_plan(struct das_seen *s, const struct das_plan *plan);
void das_seen_apply(struct das_seen *s, const struct das_plan *plan,
                    const struct das_report *report, const struct das_err *err);

/* Why the session was in or out of each preview, and what became of it. */
void das_seen_explain(const struct das_seen *s, int64_t id, struct das_buf *b);

#endif
