/*
 * api.h - the calls of the DAS API that end nothing: typed, with our names and units.
 *
 * Moments are Unix milliseconds (data_sync_time: Unix seconds), spans are seconds; texts that are
 * not set are NULL or "", numbers that are not told DAS_CLOUD_NOT_TOLD. Each call takes the account,
 * the place, what it is asked, and a struct das_cloud_call (cloud.h); it returns 0, or -1 with err
 * and call filled. What it hands over is cleared by its clear function, also after an error.
 * Source: the API reference of Huawei Cloud DAS, and its SDK's models. The calls that end sessions
 * or let others do so are in kill.h.
 */
#ifndef DAS_CLOUD_API_H
#define DAS_CLOUD_API_H

#include "core/cloud/cloud.h"
#include "core/cloud/shape.h"

/* A list of structs and what they point to. */
struct das_cloud_answer {
    struct das_cloud_list list;
    int64_t total; /* as the API counts them; DAS_CLOUD_NOT_TOLD: it does not */
    json_t *json;
    struct das_arena arena;
};
void das_cloud_answer_clear(struct das_cloud_answer *a); /* {0} is fine */

/* --- preview ---------------------------------------------------------------------------------- */

#define DAS_CLOUD_PREVIEW_MAX 200 /* sessions in one answer */

/* What a preview or a kill task looks for: all that is said. */
struct das_cloud_criteria {
    struct das_text user, host, db, command, info; /* NULL or "": any */
    int64_t time;          /* s, at least so long in its state; 0: any */
    int64_t task_duration; /* s; 0: 10 is sent, the API wants one */
    const char *task_type; /* "auto" or "manual"; NULL: "auto" */
};
/* As the request's body. */
void das_cloud_criteria_json(const struct das_cloud_criteria *c, struct das_buf *b);

struct das_cloud_process {
    int64_t id;
    struct das_text user, host, db, command, state, sql_info;
    int64_t state_duration; /* s */
    int64_t trx_time;       /* s; das_cloud_processes() with a db user only */
};
extern const struct das_shape das_cloud_process_shape;

struct das_cloud_preview {
    struct das_cloud_answer processes; /* struct das_cloud_process; total: how many match */
    int64_t data_sync_time;            /* Unix s; DAS_CLOUD_NOT_TOLD: not told */
};
void das_cloud_preview_clear(struct das_cloud_preview *p);
int das_cloud_preview(struct das_cloud *c, const struct das_cloud_place *place,
                      const struct das_cloud_criteria *criteria, struct das_cloud_call *call,
                      struct das_cloud_preview *out, struct das_err *err);

/* --- kill tasks, their switch and what they killed ----------------------------------------------- */

struct das_cloud_task {
    int64_t task_id;
    struct das_text user, host, db, command, info; /* "" or NULL: any */
    int64_t time;          /* s */
    struct das_text task_type; /* "auto": ends after task_duration; "manual" */
    int64_t task_duration; /* s */
    int64_t task_state;    /* the API does not say what its numbers mean */
    int64_t start_time, end_time; /* Unix ms; 0: none */
};
extern const struct das_shape das_cloud_task_shape;
int das_cloud_tasks(struct das_cloud *c, const struct das_cloud_place *place,
                    struct das_cloud_call *call, struct das_cloud_answer *out, struct das_err *err);

struct das_cloud_killed {
    struct das_text instance_id, node_id;
    int64_t task_id, session_id;
    struct das_text user, host, db, command, state, info;
    int64_t time;      /* s */
    int64_t kill_time; /* Unix ms */
    struct das_text killed_source;
};
extern const struct das_shape das_cloud_killed_shape;
struct das_cloud_span {
    const char *node_id;    /* NULL: all */
    int64_t from_ms, to_ms; /* Unix ms */
};
/* Page 1, 2, ... of 50; total says how many there are. The list may move between two pages: newer
 * kills come in front. */
#define DAS_CLOUD_HISTORY_PAGE 50
int das_cloud_history(struct das_cloud *c, const struct das_cloud_place *place,
                      const struct das_cloud_span *span, int page, struct das_cloud_call *call,
                      struct das_cloud_answer *out, struct das_err *err);

enum das_cloud_switch { DAS_CLOUD_OFF, DAS_CLOUD_ON, DAS_CLOUD_SWITCHING };
const char *das_cloud_switch_name(enum das_cloud_switch s); /* "off", "on", "switching" */
int das_cloud_switch_get(struct das_cloud *c, const struct das_cloud_place *place,
                         struct das_cloud_call *call, enum das_cloud_switch *out,
                         struct das_err *err);

/* --- sessions by other ways ------------------------------------------------------------------------ */

struct das_cloud_page {
    const char *db_user_id; /* NULL: the list that needs none, which tells no transaction */
    const char *user, *db;  /* only these; may be NULL. With a db user, the API wants one of them */
    const char *node_id;    /* may be NULL */
    int64_t offset;         /* sessions to leave out; a multiple of limit */
    int limit;              /* 1 to 100 */
};
/* One page of the process list. Each page is a list of its own moment: a session that ends or begins
 * between two pages may be missing or there twice. Good for looking around, not for deciding who is
 * killed; previews do that. */
int das_cloud_processes(struct das_cloud *c, const struct das_cloud_place *place,
                        const struct das_cloud_page *page, struct das_cloud_call *call,
                        struct das_cloud_answer *out, struct das_err *err);

struct das_cloud_lock {
    struct das_text lock_id, lock_trx_id, lock_mode, lock_type, lock_table, lock_index, lock_space,
        lock_page, lock_rec, lock_data;
};
struct das_cloud_trx {
    struct das_text trx_id, trx_state, trx_started, trx_wait_started;
    int64_t thread_id; /* the session */
    struct das_text query;
    int64_t tables_locked, rows_locked, rows_modified;
    struct das_text isolation_level;
    struct das_cloud_list waits_for, holds; /* struct das_cloud_lock */
};
struct das_cloud_lock_wait {
    struct das_text requesting_trx_id, requested_lock_id, blocking_trx_id, blocking_lock_id;
};
extern const struct das_shape das_cloud_trx_shape, das_cloud_lock_wait_shape;
struct das_cloud_innodb {
    struct das_cloud_list transactions; /* struct das_cloud_trx */
    struct das_cloud_list waits;        /* struct das_cloud_lock_wait */
    json_t *json;
    struct das_arena arena;
};
void das_cloud_innodb_clear(struct das_cloud_innodb *i);
int das_cloud_innodb_locks(struct das_cloud *c, const struct das_cloud_place *place,
                           const char *db_user_id, struct das_cloud_call *call,
                           struct das_cloud_innodb *out, struct das_err *err);

struct das_cloud_metadata_lock {
    int64_t thread_id;
    struct das_text lock_status, lock_mode, lock_type, lock_duration, table_schema, table_name;
    struct das_text user, host, db, command, state, sql_info;
    int64_t state_duration, trx_time; /* s */
    struct das_cloud_list blocks, waits_for; /* struct das_cloud_process */
};
extern const struct das_shape das_cloud_metadata_lock_shape;
struct das_cloud_metadata_filter {
    const char *db_user_id; /* needed */
    const char *thread_id, *database, *table; /* may be NULL */
};
int das_cloud_metadata_locks(struct das_cloud *c, const struct das_cloud_place *place,
                             const struct das_cloud_metadata_filter *filter,
                             struct das_cloud_call *call, struct das_cloud_answer *out,
                             struct das_err *err);

struct das_cloud_long_trx {
    int64_t last_sec; /* s */
    int64_t wait_locks, hold_locks;
    int64_t occurrence_time, collect_time; /* Unix ms */
    struct das_text detail;
};
extern const struct das_shape das_cloud_long_trx_shape;
struct das_cloud_trx_filter {
    int64_t from_ms, to_ms; /* Unix ms, within the last 7 days */
    int64_t min_s, max_s;   /* how long; DAS_CLOUD_NOT_TOLD: any */
    int page, limit;        /* from 1 on; 1 to 100 */
};
int das_cloud_transactions(struct das_cloud *c, const struct das_cloud_place *place,
                           const struct das_cloud_trx_filter *filter, struct das_cloud_call *call,
                           struct das_cloud_answer *out, struct das_err *err);

/* --- instances ------------------------------------------------------------------------------------- */

struct das_cloud_instance {
    struct das_text instance_id, instance_name, instance_status, version, engine_type, ip;
    int64_t port, cpu, mem;
    int login_flag, slow_sql_flag, deadlock_flag, lock_blocking_flag, charge_flag, full_sql_flag;
};
extern const struct das_shape das_cloud_instance_shape;
/* datastore_type: "MySQL", "TaurusDB", "MariaDB", ... offset and limit (1 to 200) page through
 * them. */
int das_cloud_instances(struct das_cloud *c, const struct das_cloud_place *place,
                        const char *datastore_type, int64_t offset, int limit,
                        struct das_cloud_call *call, struct das_cloud_answer *out,
                        struct das_err *err);

struct das_cloud_node {
    struct das_text id, name, role, status, type;
};
extern const struct das_shape das_cloud_node_shape;
int das_cloud_nodes(struct das_cloud *c, const struct das_cloud_place *place,
                    const char *datastore_type, struct das_cloud_call *call,
                    struct das_cloud_answer *out, struct das_err *err);

struct das_cloud_db_user {
    struct das_text db_user_id, db_username;
};
extern const struct das_shape das_cloud_db_user_shape;
int das_cloud_db_users(struct das_cloud *c, const struct das_cloud_place *place, int64_t offset,
                       int limit, struct das_cloud_call *call, struct das_cloud_answer *out,
                       struct das_err *err);

struct das_cloud_version {
    struct das_text id, status, updated, version;
};
extern const struct das_shape das_cloud_version_shape;
/* Needs no credential: does the endpoint answer at all, and what is its clock? */
int das_cloud_versions(struct das_cloud *c, const struct das_cloud_place *place,
                       struct das_cloud_call *call, struct das_cloud_answer *out,
                       struct das_err *err);

#endif
