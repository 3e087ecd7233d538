/*
 * ledger.h - what one policy would have done, written down while it is replayed: who was killed and
 * how the recording goes on for them, who was spared by a little, what was refused.
 *
 * Owned by one pass and used by its thread and the scripts that it waits for, never at once. It
 * only writes down: nothing here decides.
 */
#ifndef DAS_REPLAY_LEDGER_H
#define DAS_REPLAY_LEDGER_H

#include "bindings/engine.h"
#include "core/base/idmap.h"
#include "core/replay/near.h"
#include "core/replay/report.h"
#include "core/session/mark.h"

/* What is looked for in later snapshots: what the kill ended. */
enum das_pursuit { DAS_PURSUE_STATEMENT, DAS_PURSUE_TRANSACTION, DAS_PURSUE_CONNECTION };

/* What is known of a victim beyond what is reported. */
struct das_pursued {
    struct das_mark mark;
    enum das_pursuit what;
    uint32_t instance;
    uint32_t next; /* another open one of the same id, or DAS_IDMAP_NONE */
    bool open;
    int64_t seen_ms;          /* the last snapshot that had it */
    int64_t ended_ms;         /* scratch: when it ended, or DAS_UNKNOWN */
    uint32_t waiting;         /* sessions that wait for it now */
    struct das_idmap waiters; /* all that ever did */
    uint64_t shape;           /* hash of user and fingerprint */
};

/* One instance of the recording. */
struct das_followed {
    struct das_ledger *ledger;
    const char *name;
    uint32_t number;
    struct das_source *source; /* the replayed one */
    struct das_snapshot *now;  /* as recorded; or NULL */
    int64_t now_ms;
    struct das_idmap by_id; /* first open victim */
    uint32_t *open;         /* victims */
    uint32_t open_count, open_cap;
    uint32_t *respawning; /* victims whose statement may come back */
    uint32_t respawning_count, respawning_cap;
    struct das_idmap came_back; /* statements that were counted */
    struct das_near_list near;
    double *sessions, *active; /* sums by step of the timeline */
    uint32_t *snapshots;
};

struct das_ledger {
    struct das_replay_result *result;
    struct das_pursued *pursued; /* beside result->victims */
    size_t victim_cap;
    struct das_followed *followed;
    size_t followed_count;
    struct das_near near;
    struct das_idmap refused; /* sessions by limit that were counted */
    int64_t wasted_ms, respawn_ms;
    const struct das_replay_timeline *timeline; /* NULL: somebody else counts */
    size_t plan_from; /* victims from here on belong to the plan that is being applied */
    struct das_err failed;
};

int das_ledger_init(struct das_ledger *l, struct das_replay_result *result,
                    const struct das_footage *f, struct das_err *err);
void das_ledger_clear(struct das_ledger *l);

/* As struct das_replayed_watch, with a struct das_followed. */
int das_ledger_passed(void *followed, struct das_snapshot *snap, int64_t at_ms,
                      struct das_err *err);
void das_ledger_killed(void *followed, int64_t id, bool connection);
/* As struct das_engine_watch, with a struct das_followed. */
void das_ledger_previewed(void *followed, const char *instance, const struct das_selection *sel);
void das_ledger_applied(void *followed, const struct das_plan *p, const struct das_report *r,
                        const struct das_err *err);
/* A run on that instance is over. */
void das_ledger_ran(struct das_followed *f, int rc, int64_t at_ms, const struct das_err *err);
/* The recording is over: open ends stay open. -1 and err: something could not be written down. */
int das_ledger_close(struct das_ledger *l, struct das_err *err);

/* follow.c: how the recording goes on for the victims. */
int das_follow(struct das_followed *f, struct das_snapshot *snap, int64_t at_ms,
               struct das_err *err);
/* A victim was added; f->now is what was recorded last. */
void das_follow_waits(struct das_followed *f);
void das_follow_close(struct das_followed *f);

#endif
