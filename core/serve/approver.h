/*
 * approver.h - carries out what people have approved, and what a process that died has left: one
 * thread, which also sends the messages about it.
 *
 * The rules are core/approval's; here are only the instances, and the time to look.
 */
#ifndef DAS_SERVE_APPROVER_H
#define DAS_SERVE_APPROVER_H

#include "bindings/limits.h"
#include "core/approval/approval.h"
#include "core/serve/fleet.h"
#include "core/serve/killer.h"

struct das_approver;

struct das_approver_conf {
    struct das_fleet *fleet;
    const struct das_killer *killer; /* what all kills of the server have in common */
    const struct das_rules *rules;   /* of scripts; channels */
    const char *state_dir;
    /* What became of a request, on the approver's thread; report may be NULL. err: the store could
     * not be used, and a is NULL. May be NULL. */
    void (*told)(void *arg, const struct das_approval *a, const struct das_report *report,
                 const struct das_err *err);
    /* A line about a message that is given up. May be NULL. */
    void (*lost)(void *arg, const char *line);
    void *arg;
};

int das_approver_new(const struct das_approver_conf *conf, struct das_approver **out,
                     struct das_err *err);
/* Something may be due: a vote was taken, a message queued. */
void das_approver_wake(struct das_approver *a);
void das_approver_free(struct das_approver *a); /* NULL is fine */

/* One look: does all that is due. How much that was, or -1. What the thread does. */
int das_approver_round(const struct das_approver_conf *conf, struct das_store *s,
                       struct das_err *err);

#endif
