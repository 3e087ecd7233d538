/* plan_impl.h - the inside of a plan, for core/plan only. */
#ifndef DAS_PLAN_PLAN_IMPL_H
#define DAS_PLAN_PLAN_IMPL_H

#include <stdatomic.h>

#include "core/plan/plan.h"

#define DAS_PLAN_VERSION 2 /* of its JSON: what another version says, this one cannot know */

#define DAS_PLAN_HEX "_hex" /* KEY_hex: the bytes of KEY, where they are not UTF-8 */
#define DAS_ASKED_COUNT 5  /* texts of a das_asked */

/* What makes a plan this one and not another of the same content. */
struct das_birth {
    int64_t nonce; /* random: a plan is applied once, the same victims may be planned again */
    int64_t created_ms, expires_ms;
};

struct das_plan {
    atomic_uint refs;
    struct das_selection *victims;
    uint64_t *digests; /* of each victim's SQL; 0: none */
    char *instance;
    struct das_identity server;
    enum das_kill_mode mode;
    int64_t escalate_ms;
    bool trusts;      /* it has disputed victims */
    size_t left_out;
    char *reason;
    struct das_filter *symptom; /* or NULL */
    struct das_asked asked;     /* points into asked_texts */
    char *asked_texts[DAS_ASKED_COUNT];
    struct das_kill_limits limits;
    struct das_birth birth;
    char hash[DAS_SHA256_HEX];
};

/* The texts of a das_asked, by the names that they have in JSON. */
extern const char *const das_asked_names[DAS_ASKED_COUNT];
const char **das_asked_slot(struct das_asked *a, size_t i);

/* The whole numbers of das_kill_limits, by name; NULL past the last. percent is no whole number and
 * stands apart. */
const char *das_limit_name(size_t i);
int64_t *das_limit_slot(struct das_kill_limits *l, size_t i);

/* das_plan_new() with its birth given. opts->ttl_s is not looked at. */
struct das_plan *das_plan_build(const struct das_selection *sel, const char *instance,
                                const struct das_plan_opts *opts, const struct das_birth *birth,
                                struct das_err *err);

/* When the victim's current statement (or sleep) began, Unix ms, as exactly as the source tells:
 * *slack_ms is how far two tellings of the same moment may lie apart. DAS_UNKNOWN if not told. */
int64_t das_plan_started_ms(const struct das_snapshot *snap, const struct das_session *s,
                            int64_t *slack_ms);

#endif
