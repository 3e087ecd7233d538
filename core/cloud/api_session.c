/* api_session.c - process lists, locks and transactions (see api.h). */
#include "core/cloud/api_impl.h"

#include <string.h>

#define INSTANCE "/v3/{project_id}/instances/{instance_id}/"
#define PAGE_MAX 100

static int check_page(const char *what, int limit, int most, struct das_err *err)
{
    if (limit >= 1 && limit <= most)
        return 0;
    return das_fail(err, DAS_E_USAGE, "%s: limit: expected 1 to %d, got %d", what, most, limit);
}

static int finish(int rc, const char *doing, struct das_err *err)
{
    if (rc < 0)
        das_err_prefix(err, "%s", doing);
    return rc;
}

/* --- processes -------------------------------------------------------------------------------------- */

/* Through a registered user: it tells the transactions, too. */
static int by_user(struct das_cloud *c, const struct das_cloud_place *place,
                   const struct das_cloud_page *page, struct das_cloud_call *call,
                   struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "list processes",
                                .action = "das::showCloudDBAInfo",
                                .path = INSTANCE "processes",
                                .language = true};
    struct das_params params = {.count = 0};
    json_t *json;

    das_params_text(&params, "db_user_id", page->db_user_id);
    das_params_text(&params, "user", page->user);
    das_params_text(&params, "database", page->db);
    das_params_text(&params, "node_id", page->node_id);
    das_params_int(&params, "offset", page->offset);
    das_params_int(&params, "limit", page->limit);
    if (das_api_get(c, place, &ask, &params, call, &json, err) < 0)
        return -1;
    return finish(das_api_list(out, &das_cloud_process_shape, json, "processes", "count", err),
                  ask.doing, err);
}

static int by_instance(struct das_cloud *c, const struct das_cloud_place *place,
                       const struct das_cloud_page *page, struct das_cloud_call *call,
                       struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "list processes",
                                .action = "das:clouddba:listProcess",
                                .path = INSTANCE "query-process-list",
                                .language = true};
    struct das_params params = {.count = 0};
    json_t *json;

    das_params_text(&params, "engine_type", "MySQL");
    das_params_text(&params, "user", page->user);
    das_params_text(&params, "db", page->db);
    das_params_text(&params, "node_id", page->node_id);
    das_params_int(&params, "cur_page", page->offset / page->limit + 1);
    das_params_int(&params, "per_page", page->limit);
    if (das_api_get(c, place, &ask, &params, call, &json, err) < 0)
        return -1;
    return finish(das_api_list(out, &das_cloud_process_shape, json, "data", "total", err), ask.doing,
                  err);
}

int das_cloud_processes(struct das_cloud *c, const struct das_cloud_place *place,
                        const struct das_cloud_page *page, struct das_cloud_call *call,
                        struct das_cloud_answer *out, struct das_err *err)
{
    memset(out, 0, sizeof *out);
    if (check_page("list processes", page->limit, PAGE_MAX, err) < 0)
        return -1;
    if (page->offset < 0 || page->offset % page->limit != 0)
        return das_fail(err, DAS_E_USAGE, "list processes: offset: expected a multiple of the limit "
                                          "%d, got %lld",
                        page->limit, (long long)page->offset);
    return page->db_user_id ? by_user(c, place, page, call, out, err)
                            : by_instance(c, place, page, call, out, err);
}

/* --- locks ------------------------------------------------------------------------------------------ */

static const struct das_shape_field lock_fields[] = {
    DAS_FIELD(das_cloud_lock, lock_id, "lock_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_trx_id, "lock_trx_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_mode, "lock_mode", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_type, "lock_type", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_table, "lock_table", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_index, "lock_index", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_space, "lock_space", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_page, "lock_page", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_rec, "lock_rec", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock, lock_data, "lock_data", DAS_SHAPE_TEXT, false),
};
static const struct das_shape lock_shape = DAS_SHAPE("lock", das_cloud_lock, lock_fields);

static const struct das_shape_field trx_fields[] = {
    DAS_FIELD(das_cloud_trx, trx_id, "trx_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_trx, trx_state, "trx_state", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_trx, trx_started, "trx_started", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_trx, trx_wait_started, "trx_wait_started", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_trx, thread_id, "trx_mysql_thread_id", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_trx, query, "trx_query", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_trx, tables_locked, "trx_tables_locked", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_trx, rows_locked, "trx_rows_locked", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_trx, rows_modified, "trx_rows_modified", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_trx, isolation_level, "trx_isolation_level", DAS_SHAPE_TEXT, false),
    DAS_FIELD_LIST(das_cloud_trx, waits_for, "innodb_wait_locks", &lock_shape),
    DAS_FIELD_LIST(das_cloud_trx, holds, "innodb_hold_locks", &lock_shape),
};
const struct das_shape das_cloud_trx_shape = DAS_SHAPE("transaction", das_cloud_trx, trx_fields);

static const struct das_shape_field lock_wait_fields[] = {
    DAS_FIELD(das_cloud_lock_wait, requesting_trx_id, "requesting_trx_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock_wait, requested_lock_id, "requested_lock_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock_wait, blocking_trx_id, "blocking_trx_id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_lock_wait, blocking_lock_id, "blocking_lock_id", DAS_SHAPE_TEXT, false),
};
const struct das_shape das_cloud_lock_wait_shape = DAS_SHAPE("lock wait", das_cloud_lock_wait,
                                                         lock_wait_fields);

void das_cloud_innodb_clear(struct das_cloud_innodb *i)
{
    json_decref(i->json);
    das_arena_clear(&i->arena);
    memset(i, 0, sizeof *i);
}

static int need_db_user(const char *what, const char *db_user_id, struct das_err *err)
{
    if (db_user_id && *db_user_id)
        return 0;
    return das_fail(err, DAS_E_CONFIG, "%s: the API wants a registered database user: set db_user_id "
                                       "of the instance",
                    what);
}

int das_cloud_innodb_locks(struct das_cloud *c, const struct das_cloud_place *place,
                           const char *db_user_id, struct das_cloud_call *call,
                           struct das_cloud_innodb *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "InnoDB locks",
                                .action = "das::showCloudDBAInfo",
                                .path = INSTANCE "innodb-locks",
                                .language = true};
    struct das_params params = {.count = 0};

    memset(out, 0, sizeof *out);
    if (need_db_user(ask.doing, db_user_id, err) < 0)
        return -1;
    das_params_text(&params, "db_user_id", db_user_id);
    if (das_api_get(c, place, &ask, &params, call, &out->json, err) < 0)
        return -1;
    if (!json_is_object(out->json))
        return das_fail(err, DAS_E_DATA, "InnoDB locks: the answer is no object");
    if (das_shape_read_list(&das_cloud_trx_shape, json_object_get(out->json, "innodb_trx"),
                            &out->transactions, &out->arena, err) < 0)
        return finish(-1, ask.doing, err);
    return finish(das_shape_read_list(&das_cloud_lock_wait_shape,
                                      json_object_get(out->json, "innodb_lock_waits"), &out->waits,
                                      &out->arena, err),
                  ask.doing, err);
}

static const struct das_shape_field metadata_fields[] = {
    DAS_FIELD(das_cloud_metadata_lock, thread_id, "thread_id", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_metadata_lock, lock_status, "lock_status", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, lock_mode, "lock_mode", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, lock_type, "lock_type", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, lock_duration, "lock_duration", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, table_schema, "table_schema", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, table_name, "table_name", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, user, "user", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, host, "host", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, db, "database|db", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, command, "command", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, state, "state", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, sql_info, "sql", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_metadata_lock, state_duration, "time", DAS_SHAPE_SECONDS, false),
    DAS_FIELD(das_cloud_metadata_lock, trx_time, "trx_exec_time", DAS_SHAPE_SECONDS, false),
    DAS_FIELD_LIST(das_cloud_metadata_lock, blocks, "block_process", &das_cloud_process_shape),
    DAS_FIELD_LIST(das_cloud_metadata_lock, waits_for, "wait_process", &das_cloud_process_shape),
};
const struct das_shape das_cloud_metadata_lock_shape = DAS_SHAPE("metadata lock",
                                                             das_cloud_metadata_lock,
                                                             metadata_fields);

int das_cloud_metadata_locks(struct das_cloud *c, const struct das_cloud_place *place,
                             const struct das_cloud_metadata_filter *filter,
                             struct das_cloud_call *call, struct das_cloud_answer *out,
                             struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "metadata locks",
                                .action = "das:clouddba:listMetadataLock",
                                .path = INSTANCE "metadata-locks",
                                .language = true};
    struct das_params params = {.count = 0};
    json_t *json;

    memset(out, 0, sizeof *out);
    if (need_db_user(ask.doing, filter->db_user_id, err) < 0)
        return -1;
    das_params_text(&params, "db_user_id", filter->db_user_id);
    das_params_text(&params, "thread_id", filter->thread_id);
    das_params_text(&params, "database", filter->database);
    das_params_text(&params, "table", filter->table);
    if (das_api_get(c, place, &ask, &params, call, &json, err) < 0)
        return -1;
    return finish(das_api_list(out, &das_cloud_metadata_lock_shape, json, "metadata_locks", "count",
                               err),
                  ask.doing, err);
}

/* --- transactions ----------------------------------------------------------------------------------- */

static const struct das_shape_field long_trx_fields[] = {
    DAS_FIELD(das_cloud_long_trx, last_sec, "last_sec", DAS_SHAPE_SECONDS, false),
    DAS_FIELD(das_cloud_long_trx, wait_locks, "wait_locks", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_long_trx, hold_locks, "hold_locks", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_long_trx, occurrence_time, "occurrence_time", DAS_SHAPE_MS, false),
    DAS_FIELD(das_cloud_long_trx, collect_time, "collect_time", DAS_SHAPE_MS, false),
    DAS_FIELD(das_cloud_long_trx, detail, "detail", DAS_SHAPE_TEXT, false),
};
const struct das_shape das_cloud_long_trx_shape = DAS_SHAPE("transaction", das_cloud_long_trx,
                                                        long_trx_fields);

int das_cloud_transactions(struct das_cloud *c, const struct das_cloud_place *place,
                           const struct das_cloud_trx_filter *filter, struct das_cloud_call *call,
                           struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "transactions",
                                .action = "das::showCloudDBAInfo",
                                .path = INSTANCE "transaction",
                                .language = true};
    struct das_params params = {.count = 0};
    json_t *json;

    memset(out, 0, sizeof *out);
    if (check_page(ask.doing, filter->limit, PAGE_MAX, err) < 0)
        return -1;
    if (filter->page < 1)
        return das_fail(err, DAS_E_USAGE, "transactions: page: expected 1 or more, got %d",
                        filter->page);
    if (filter->from_ms < 0 || filter->to_ms < filter->from_ms)
        return das_fail(err, DAS_E_USAGE, "transactions: from and to: expected Unix milliseconds, "
                                          "from not after to");
    das_params_text(&params, "datastore_type", "MySQL");
    das_params_int(&params, "start_at", filter->from_ms);
    das_params_int(&params, "end_at", filter->to_ms);
    das_params_int(&params, "page_num", filter->page);
    das_params_int(&params, "page_size", filter->limit);
    if (filter->min_s != DAS_CLOUD_NOT_TOLD)
        das_params_int(&params, "last_sec_min", filter->min_s);
    if (filter->max_s != DAS_CLOUD_NOT_TOLD)
        das_params_int(&params, "last_sec_max", filter->max_s);
    if (das_api_get(c, place, &ask, &params, call, &json, err) < 0)
        return -1;
    return finish(das_api_list(out, &das_cloud_long_trx_shape, json, "transaction_info_list", "total",
                               err),
                  ask.doing, err);
}
