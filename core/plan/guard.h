/*
 * guard.h - what stands between a verified victim and its kill: off switch, limits, mode and
 * windows, ramp and breaker, journal. In this order, and any doubt means no kill.
 *
 * The rules come from the configuration and cannot be changed by a script. A struct das_guard is
 * filled once for a run; das_plan_apply() asks it. Without a store there is no armed apply.
 */
#ifndef DAS_PLAN_GUARD_H
#define DAS_PLAN_GUARD_H

#include "core/base/hours.h"
#include "core/base/secret.h"
#include "core/store/store.h"

/* How far a policy may go by itself. A policy that nobody has promoted only observes. */
enum das_policy_mode {
    DAS_POLICY_OBSERVE, /* reports what it would kill */
    DAS_POLICY_NOTIFY,  /* and tells somebody (a warning in the log) */
    DAS_POLICY_APPROVE, /* its plans wait for people: plan:request_approval, or das apply FILE */
    DAS_POLICY_AUTO,    /* kills */
};
const char *das_policy_mode_name(enum das_policy_mode m); /* "observe" */
int das_policy_mode_find(const char *name);               /* or -1 */

/* Numbers of kills, each from 0 up; 0 means what it says unless another meaning is given. */
struct das_kill_limits {
    int64_t run;           /* one run; 10 */
    int64_t minute;        /* all runs in a minute; 30 */
    int64_t instance;      /* one instance within window; 60 */
    int64_t user;          /* one database user on one instance within window; 20 */
    int64_t window_ms;     /* 10 minutes */
    double percent;        /* of the instance's sessions, at once, rounded up; 5. Needs a complete
                              list; 100: no limit, and no need of one */
    int64_t min_left;      /* sessions that each user keeps when connections are killed; 0 */
    int64_t rows_modified; /* a session whose transaction changed more rows is refused: its
                              rollback may outlast the statement; 100,000 */
};
extern const struct das_kill_limits das_kill_limits_default;
/* The smaller (for min_left: the larger) of each. */
void das_kill_limits_tighten(struct das_kill_limits *l, const struct das_kill_limits *by);

/* The limits that count kills, whoever is there now, as the bounds that core/store keeps. */
#define DAS_COUNTED 4
struct das_bound;
void das_counted_bounds(const struct das_kill_limits *l, struct das_bound *out);

struct das_breaker_rules {
    int64_t failures;    /* kills that fail or stay unknown until it opens; 1 */
    int64_t respawns;    /* statements that come back until it opens; 3; 0: not looked at */
    int64_t respawn_ms;  /* a statement of the same user and fingerprint within this time after a
                            kill has come back; 60 s */
    double surge;        /* it opens when a plan has more than so many times the usual victims,
                            once there were 5 plans; 10; 0: not looked at */
    int64_t cooldown_ms; /* open for so long, then one canary; 10 minutes */
};
extern const struct das_breaker_rules das_breaker_rules_default;

/* A span of the calendar: Unix seconds, from <= t < to. */
struct das_span {
    int64_t from, to;
    char *name; /* "year-end freeze", or NULL */
};

struct das_policy_rules {
    enum das_policy_mode mode;
    bool mode_is_set; /* by the configuration; else it is the default, observe */
    struct das_kill_limits limits;
    struct das_breaker_rules breaker;
    bool ramp;               /* 1, 2, 4, ... with a look in between; true. false: all at once */
    int64_t outcome_wait_ms; /* how long to look for the outcome of a kill; 5 s */
    struct das_hours *windows; /* kills are allowed only within one of them; none: always */
    size_t window_count;
    struct das_span *freezes; /* and not within any of these */
    size_t freeze_count;
    bool redact_sql; /* the journal gets the fingerprint of statements instead of their text */
};
extern const struct das_policy_rules das_policy_rules_default;

struct das_guard {
    const char *who;    /* who asks for the kills now, for the journal; NULL: not known */
    const char *policy; /* what the counts and the breaker are kept by: the script's path, "repl" */
    bool by_person;     /* a person asked for exactly this plan (das apply, a terminal): the mode is
                           not asked, unless the configuration says observe or notify */
    const struct das_policy_rules *rules;
    const char *const *stop_files; /* any of them there: no kill; ends with NULL */
    struct das_store *store;
    const struct das_vault *vault; /* values that the journal must not hold; may be NULL */
};

/* The off switch. True when one of the files is there, or cannot be looked for; why says which and
 * what it says. Asked before every single kill. */
bool das_stopped(const char *const *files, char *why, size_t size);

/* Mode, windows and freezes at unix_s: false, and why. The second one is for what goes by no plan
 * (act.h): the same rules, other advice. */
bool das_guard_allows(const struct das_guard *g, int64_t unix_s, char *why, size_t size);
bool das_guard_allows_act(const struct das_guard *g, int64_t unix_s, char *why, size_t size);

/* Which guard a reason is from that this room has given, in one word: "off_switch", "mode", "freeze", "window", "limit",
 * "breaker", "journal"; "guard": another one. */
const char *das_guard_word(const char *why);

/* The breaker of a policy on an instance. 1: it is closed, or due for a canary; 0: it is open, and
 * why; -1. Takes nothing; without a store 1. */
int das_guard_breaker(const struct das_guard *g, const char *policy, const char *instance,
                      char *why, size_t size, struct das_err *err);

#endif
