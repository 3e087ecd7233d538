/*
 * protect.h - sessions that no plan may touch.
 *
 * The built-in list cannot be shortened; configuration and scripts add filters to it. A filter
 * that is unsure of a session protects it.
 */
#ifndef DAS_PLAN_PROTECT_H
#define DAS_PLAN_PROTECT_H

#include "core/session/filter.h"

struct das_protect {
    struct das_filter **filters;
    size_t count;
};

void das_protect_init(struct das_protect *p);
void das_protect_clear(struct das_protect *p);
/* Retains the filter. One that selects nothing is refused: it would protect by mistake. */
int das_protect_add(struct das_protect *p, struct das_filter *f, struct das_err *err);

/* Users that replicate: all their sessions are protected, also those that only prepare for it. A
 * list that was asked for some ids does not show what else a user does, so they are collected
 * beforehand from a list of all sessions. */
struct das_roles {
    char **users;
    size_t count;
};

void das_roles_init(struct das_roles *r);
void das_roles_clear(struct das_roles *r);
/* Adds the users of snap that have a session in a replication command; keeps those found before. */
int das_roles_collect(const struct das_snapshot *snap, struct das_roles *r, struct das_err *err);

/* By one of the added filters alone: true, and which one is written to reason. p may be NULL. */
bool das_protected_by(const struct das_protect *p, const struct das_session *s,
                      struct das_buf *reason);

/* Why this session is protected, written to reason; false: it is not. Whose own session it is, snap
 * says. p and roles may be NULL. */
bool das_protected(const struct das_protect *p, const struct das_roles *roles,
                   const struct das_snapshot *snap, const struct das_session *s,
                   struct das_buf *reason);

#endif
