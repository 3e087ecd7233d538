/* approval_impl.h - what the files of core/approval ask of each other; stays here. */
#ifndef DAS_APPROVAL_APPROVAL_IMPL_H
#define DAS_APPROVAL_APPROVAL_IMPL_H

#include "core/approval/approval.h"

/* "key":text without the secrets of vault (may be NULL); nothing for NULL and "". */
void das_approval_put(struct das_buf *b, const struct das_vault *vault, const char *key,
                      const char *text);
/* A field of a message; nothing for NULL and "". */
int das_approval_field(struct das_notice *n, const char *name, const char *value,
                       struct das_err *err);
/* Is x among those who may say yes? */
bool das_approval_named(const struct das_person *x, const char *const *roles, size_t role_count,
                        const char *const *users, size_t user_count);
/* What counts and breaker of the plan's kills are kept by. */
const char *das_approval_policy_of(const struct das_plan *p);
/* The plan as it stands in the database, if it is the one that was asked for. */
struct das_plan *das_approval_plan(const struct das_approval *a, struct das_err *err);

#endif
