/*
 * kill.h - the calls of the DAS API that end sessions, or let the cloud do so by itself.
 *
 * Only core/source/das_cloud.c (one session, verified by core/plan) and core/plan/act.c (what goes
 * by no plan) may include this: `make check` looks. None of them is sent twice: when call->unknown
 * is set afterwards, it may have had its effect, and only a look can tell.
 * Conventions as in api.h.
 */
#ifndef DAS_CLOUD_KILL_H
#define DAS_CLOUD_KILL_H

#include "core/cloud/api.h"

/* One session: the API ends it only while it belongs to that user. engine: "mysql". *count: how many
 * it ended, DAS_CLOUD_NOT_TOLD where the answer does not say. */
int das_cloud_kill(struct das_cloud *c, const struct das_cloud_place *place, const char *engine,
                   int64_t id, struct das_text user, struct das_cloud_call *call, int64_t *count,
                   struct das_err *err);
/* The same through a registered database user, by explicit ids and nothing else: the form by user or
 * database would end what nobody has seen. */
int das_cloud_kill_ids(struct das_cloud *c, const struct das_cloud_place *place,
                       const char *db_user_id, const int64_t *ids, size_t n,
                       struct das_cloud_call *call, struct das_err *err);
/* Every session of the instance. confirm is place->instance, said once more. */
int das_cloud_kill_all(struct das_cloud *c, const struct das_cloud_place *place,
                       const char *confirm, struct das_cloud_call *call, struct das_err *err);

/* The API gives no id back, so the tasks are listed before and after, and the new one that is as it
 * was asked for is handed over: out->list has one struct das_cloud_task, or none (0 is returned all
 * the same) when it cannot be told which it is, or the list could not be had. The look is the same
 * when call->unknown: then a task in out proves that it was made. time, task_duration and task_type
 * are needed, DAS_E_USAGE. */
int das_cloud_task_create(struct das_cloud *c, const struct das_cloud_place *place,
                          const struct das_cloud_criteria *criteria, struct das_cloud_call *call,
                          struct das_cloud_answer *out, struct das_err *err);
int das_cloud_task_stop(struct das_cloud *c, const struct das_cloud_place *place, int64_t task_id,
                        struct das_cloud_call *call, struct das_err *err);
/* on: tasks may run. Waits up to wait_ms until the switch is no longer switching; *now is what it was
 * last. call->unknown also where it was accepted and is not to be seen. */
int das_cloud_switch_set(struct das_cloud *c, const struct das_cloud_place *place, bool on,
                         int64_t wait_ms, struct das_cloud_call *call, enum das_cloud_switch *now,
                         struct das_err *err);

#endif
