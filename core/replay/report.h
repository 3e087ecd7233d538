/*
 * report.h - what a replay found out, and how people and programs read it. Fills buffers only.
 *
 * Times are Unix milliseconds. Texts belong to the report; NULL ones are NULL in the recording.
 */
#ifndef DAS_REPLAY_REPORT_H
#define DAS_REPLAY_REPORT_H

#include "core/base/digest.h"
#include "core/base/mem.h"
#include "core/plan/plan.h"
#include "core/source/footage.h"

/* A session that the policy would have killed, and what became of it in the recording. */
struct das_replay_victim {
    int64_t at_ms;
    const char *instance;
    uint64_t key;           /* the same for the same session and statement, whoever kills it */
    struct das_session was; /* when it was killed */
    struct das_text fingerprint;
    const char *kill; /* "query", "connection" */
    struct das_text reason;
    int64_t lived_on_ms; /* from the kill to its end in the recording */
    bool end_seen;       /* false: the recording ended first, or the server was restarted */
    bool wasted;         /* its end came so soon that the kill was for nothing */
    int64_t blocked;     /* sessions that waited for it from then on; DAS_UNKNOWN: not told */
    int64_t blocked_ms;  /* how long they waited, all together */
    int64_t respawned;   /* statements of the same user and fingerprint that began soon after */
};

/* A session that was spared by a little. */
struct das_replay_near {
    int64_t at_ms;
    const char *instance;
    uint64_t key;
    struct das_session was;
    struct das_text fingerprint;
    enum das_key criterion;
    bool negated; /* the number had to be lower */
    int64_t bound, value;
    double gap; /* by which part of the bound it was missed */
};
#define DAS_REPLAY_NEAR_MAX 50

struct das_replay_error {
    char *message;
    uint64_t count;
    int64_t first_ms;
};

struct das_replay_refusal {
    char *limit, *note;       /* "limits.kill.run"; note: of the first one */
    uint64_t count, sessions; /* refusals, and of how many sessions */
};

struct das_replay_result {
    const char *policy;
    char sha256[DAS_SHA256_HEX];
    const char *const *args;
    size_t arg_count;
    int64_t every_ms;
    const char *every_from; /* "--every", "das.lua", "default" */
    uint64_t runs, failed_runs, requests;
    uint64_t skipped; /* runs that would have had nothing recorded to look at */
    uint64_t outcomes[DAS_O_COUNT];
    struct das_replay_error *errors;
    size_t error_count;
    struct das_replay_refusal *refused;
    size_t refused_count;
    struct das_replay_victim *victims; /* in the order of their kills */
    size_t victim_count;
    struct das_replay_near *near; /* the nearest first */
    size_t near_told;
    uint64_t near_count; /* of all */
    struct das_arena texts;
};

struct das_replay_timeline {
    int64_t from_ms, step_ms;
    size_t steps;
    double *sessions, *active; /* on an average; -1: nothing was recorded then */
};

struct das_replay_report {
    const char *const *files;
    size_t file_count;
    int64_t from_ms, to_ms, wasted_ms;
    uint64_t snapshots, rows;
    struct das_footage *footage; /* whose names are used all over */
    const char **instances;
    size_t instance_count;
    char **notes;
    size_t note_count;
    struct das_replay_timeline timeline;
    struct das_replay_result *results[2];
    size_t result_count;
};

/* One JSON object, docs/replay.md says what is in it; without a newline. */
void das_replay_json(const struct das_replay_report *r, struct das_buf *b);
/* For a terminal of so many cells. */
void das_replay_text(const struct das_replay_report *r, size_t width, struct das_buf *b);
/* A row for each victim. */
void das_replay_csv(const struct das_replay_report *r, struct das_buf *b);

/* --- what the three share --------------------------------------------------------------------- */

/* Counts by a key; NULL is a key, too. */
struct das_tally {
    struct das_tally_row {
        struct das_text key;
        uint64_t count, other; /* of which wasted; or: of the second policy */
    } * rows;                  /* the largest first */
    size_t count;
};
enum das_tally_by {
    DAS_BY_HOUR,
    DAS_BY_USER,
    DAS_BY_DB,
    DAS_BY_HOST,
    DAS_BY_FINGERPRINT,
    DAS_BY_KILL,
    DAS_BY_COUNT
};
const char *das_tally_name(enum das_tally_by by); /* "hour" */
/* -1: out of memory. To be cleared; texts are the result's, or in *texts. */
int das_tally_make(const struct das_replay_result *r, enum das_tally_by by, struct das_arena *texts,
                   struct das_tally *out);
void das_tally_clear(struct das_tally *t);

/* Who is a victim of one policy alone: places in its victims, in order. */
struct das_replay_difference {
    size_t *only_first, *only_second;
    size_t first_count, second_count, both;
};
int das_replay_compare(const struct das_replay_result *a, const struct das_replay_result *b,
                       struct das_replay_difference *out);
void das_replay_difference_clear(struct das_replay_difference *d);

/* "time >= 60 s", "57 s", "3 s too young" */
void das_replay_near_criterion(const struct das_replay_near *n, struct das_buf *b);
void das_replay_near_value(const struct das_replay_near *n, struct das_buf *b);
void das_replay_near_note(const struct das_replay_near *n, struct das_buf *b);

uint64_t das_replay_wasted(const struct das_replay_result *r);
/* Of all victims; *told false: no recording said who waits for whom. */
int64_t das_replay_saved_ms(const struct das_replay_result *r);
int64_t das_replay_saved_wait_ms(const struct das_replay_result *r, bool *told);
uint64_t das_replay_respawns(const struct das_replay_result *r);

#endif
