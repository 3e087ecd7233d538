/*
 * metrics.h - numbers about this process, in Prometheus' text format 0.0.4. Labels have a bounded
 * set of values: no instance, user or statement is among them. Any thread may count.
 */
#ifndef DAS_SERVE_METRICS_H
#define DAS_SERVE_METRICS_H

#include "core/base/buf.h"

struct das_metrics;

struct das_metrics *das_metrics_new(struct das_err *err);
void das_metrics_free(struct das_metrics *m); /* NULL is fine */

/* What happened; label values that are not in the known set (lists in metrics.c) count as "other".
 * action of a request: the name of its route, "none" without one. source: "mem", "file", "mysql",
 * "das". policy: "task", "kill", "policy", with or without "serve:" before it. result of an action: as
 * das_outcome_name(). reason: "off_switch", "mode", "window", "freeze", "limit", "breaker",
 * "journal", "guard" (das_guard_word()). */
void das_metrics_request(struct das_metrics *m, const char *action, int status, double seconds);
void das_metrics_preview(struct das_metrics *m, const char *source, bool good, double seconds,
                         uint64_t scanned, uint64_t matched);
void das_metrics_action(struct das_metrics *m, const char *policy, const char *action,
                        const char *result, uint64_t n);
/* A scheduled policy ran. result: "ok", "error", "limit", "cancelled", "stuck"; late: after its tick,
 * took: seconds. */
void das_metrics_policy(struct das_metrics *m, const char *result, double late, double took);
/* A request came to a hook of that platform (hook_verify.h). result: "accepted", "handshake", "vote",
 * "duplicate", "ignored", "refused", "replayed", "unknown_user", "not_allowed", "bad_command",
 * "full", "failed". */
void das_metrics_hook(struct das_metrics *m, const char *platform, const char *result);
/* What another das has left of it. result: "taken_up", "told", "dropped". */
void das_metrics_hook_left(struct das_metrics *m, const char *platform, const char *result);
void das_metrics_blocked(struct das_metrics *m, const char *reason);
/* "ok", or the word of the refusal: "throttled", "signature", "token", "skew", "replay",
 * "unknown_key", "expired", "revoked", "locked", "none". */
void das_metrics_auth(struct das_metrics *m, const char *result);

/* What is asked for when it is read. */
struct das_metrics_now {
    size_t connections, busy;
    uint64_t accepted, refused_connections, cut;
    uint64_t lists, lists_shared;
    /* -1: not known, and not written */
    int64_t hooks_waiting, hooks_running;
    int64_t policies, policies_failing, policies_running, policies_skipped;
    int64_t tasks_running, instances, instances_failing, unknown_actions, breakers_open;
    bool stopped;            /* off switch */
    double start_unix_s;
};
/* Appends all of it. */
void das_metrics_write(struct das_metrics *m, const struct das_metrics_now *now, struct das_buf *b);

#endif
