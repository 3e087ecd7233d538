/*
 * story.h - what became of each session that a policy or a filter looked at, and how near it came.
 *
 * story.c collects what a run tells (bindings/engine.h) and judges it; story_text.c says it. For das
 * explain. Keeps snapshots and plans alive; kills nothing and asks no instance.
 */
#ifndef DAS_CLI_STORY_H
#define DAS_CLI_STORY_H

#include "bindings/engine.h"
#include "core/session/distance.h"

/* One preview. */
struct das_look {
    char *instance;
    struct das_selection *sel;  /* what it selected, over the whole list */
    bool *selected;             /* by row */
    bool *kept;                 /* by row, where something said what to keep; else NULL */
};

/* What an apply said of one victim. */
struct das_verdict {
    enum das_outcome_kind kind;
    const char *action;
    char *note;
};

struct das_story_plan {
    struct das_plan *plan;
    struct das_verdict *verdicts; /* one for each victim once it was applied; else NULL */
    char *problem;                /* applied, but nothing could be verified: why; or NULL */
    char *would_block;            /* why an armed apply would be refused; or NULL */
};

#define DAS_STORY_LOOKS 200 /* of a policy that looks more often the first ones are told */

struct das_story {
    struct das_look *looks;
    size_t look_count;
    struct das_story_plan *plans;
    size_t plan_count;
    size_t untold;        /* previews beyond DAS_STORY_LOOKS */
    const char *policy;   /* its path; NULL: a filter was asked for */
    const char *cut_name; /* "oldest": the option that keeps only some; or NULL */
    int64_t cut_count;
    bool failed;          /* no memory for something that was told */
};

/* In the order in which they are shown. */
enum das_fate_kind {
    DAS_FATE_LEFT_OUT, /* selected, then not kept, or in no plan */
    DAS_FATE_OUT,      /* selected by no preview */
    DAS_FATE_IN,       /* selected by the filter that was asked for */
    DAS_FATE_PLANNED,  /* in a plan that was not applied */
    DAS_FATE_APPLIED,  /* in one that was: the verdict says it */
};

struct das_fate {
    enum das_fate_kind kind;
    struct das_session session;  /* as last seen; borrows from the story */
    size_t look;                 /* the preview that selected it, or came nearest; SIZE_MAX: none */
    struct das_distance distance; /* from it */
    size_t plan, victim;         /* PLANNED and APPLIED */
};

struct das_fates {
    struct das_fate *list; /* those that are out first, the nearest first; then in the order of plans */
    size_t count, out;     /* so many are LEFT_OUT or OUT */
};

void das_story_clear(struct das_story *s);
/* What to give as opts->watch. */
struct das_engine_watch das_story_watch(struct das_story *s);
/* The same by hand, for a filter; kept may be NULL. */
int das_story_add_look(struct das_story *s, const char *instance, const struct das_selection *sel,
                       const struct das_selection *kept, struct das_err *err);

/* All sessions of one instance. out is to be cleared in any case. */
int das_story_judge(const struct das_story *s, const char *instance, struct das_fates *out,
                    struct das_err *err);
void das_fates_clear(struct das_fates *f);
const char *das_fate_word(const struct das_story *s, const struct das_fate *f); /* "left_out" */

/* --- story_text.c -------------------------------------------------------------------------- */

/* Why this session is in or out of the selection, criterion by criterion; -1 when it is not in its
 * list. */
int das_explain_one(const struct das_selection *sel, int64_t id, struct das_buf *b,
                    struct das_err *err);

struct das_story_view {
    const char *instance;
    const struct das_protect *protect; /* may be NULL */
    size_t nearest;                    /* so many of each kind; SIZE_MAX: all */
    size_t width;                      /* of a table, in cells; 0: no limit */
};
void das_story_table(const struct das_story *s, const struct das_fates *f,
                     const struct das_story_view *v, struct das_buf *b);
void das_story_json(const struct das_story *s, const struct das_fates *f,
                    const struct das_story_view *v, struct das_buf *b);
/* All about one session: 1, or 0 when none of them has the id, or -1. */
int das_story_one(const struct das_story *s, const struct das_fates *f,
                  const struct das_story_view *v, int64_t id, bool json, struct das_buf *b,
                  struct das_err *err);

#endif
