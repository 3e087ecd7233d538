/* runbook_impl.h - what the files about runbooks share. Stays in core/store/runbook*.c. */
#ifndef DAS_STORE_RUNBOOK_IMPL_H
#define DAS_STORE_RUNBOOK_IMPL_H

#include "core/store/runbook.h"
#include "core/store/store_impl.h"

/* Members of a record "runbook"; those without a value are left out. */
struct das_runbook_event {
    struct {
        const char *key, *value;
    } items[6];
    size_t count;
};
/* Inside a transaction of the caller's. */
int das_runbook_record(struct das_store *s, int64_t id, const char *event,
                       const struct das_runbook_event *e, struct das_err *err);
/* 0 when this handle carries the run on; cancel (may be NULL): somebody asked for its end. */
int das_runbook_mine(struct das_store *s, int64_t id, bool *cancel, struct das_err *err);
/* How the stretch of the handle's ends: "waiting". Inside a transaction. */
int das_runbook_leave(struct das_store *s, int64_t now_ms, const char *how, struct das_err *err);
int das_step_put(struct das_store *s, int64_t runbook, const struct das_runbook_step *step,
                 struct das_err *err);
static inline const char *das_or_empty(const char *text)
{
    return text ? text : "";
}

#endif
