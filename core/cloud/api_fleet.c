/* api_fleet.c - instances, their nodes and registered users, versions of the API (see api.h). */
#include "core/cloud/api_impl.h"

#include <string.h>

static const struct das_shape_field instance_fields[] = {
    DAS_FIELD(das_cloud_instance, instance_id, "instance_id", DAS_SHAPE_TEXT, true),
    DAS_FIELD(das_cloud_instance, instance_name, "instance_name", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_instance, instance_status, "instance_status", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_instance, version, "version", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_instance, engine_type, "engine_type", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_instance, ip, "ip", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_instance, port, "port", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_instance, cpu, "cpu", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_instance, mem, "mem", DAS_SHAPE_INT, false),
    DAS_FIELD(das_cloud_instance, login_flag, "login_flag", DAS_SHAPE_BOOL, false),
    DAS_FIELD(das_cloud_instance, slow_sql_flag, "slow_sql_flag", DAS_SHAPE_BOOL, false),
    DAS_FIELD(das_cloud_instance, deadlock_flag, "deadlock_flag", DAS_SHAPE_BOOL, false),
    DAS_FIELD(das_cloud_instance, lock_blocking_flag, "lock_blocking_flag", DAS_SHAPE_BOOL, false),
    DAS_FIELD(das_cloud_instance, charge_flag, "charge_flag", DAS_SHAPE_BOOL, false),
    DAS_FIELD(das_cloud_instance, full_sql_flag, "full_sql_flag", DAS_SHAPE_BOOL, false),
};
const struct das_shape das_cloud_instance_shape = DAS_SHAPE("instance", das_cloud_instance,
                                                        instance_fields);

#define INSTANCES_MAX 200 /* in one answer */
#define USERS_MAX 100

/* A GET whose answer is one list. */
static int list(struct das_cloud *c, const struct das_cloud_place *place, struct das_cloud_ask *ask,
                const struct das_params *params, const struct das_shape *shape, const char *name,
                const char *total, struct das_cloud_call *call, struct das_cloud_answer *out,
                struct das_err *err)
{
    json_t *json;

    if (das_api_get(c, place, ask, params, call, &json, err) < 0)
        return -1;
    if (das_api_list(out, shape, json, name, total, err) == 0)
        return 0;
    das_err_prefix(err, "%s", ask->doing);
    return -1;
}

int das_cloud_instances(struct das_cloud *c, const struct das_cloud_place *place,
                        const char *datastore_type, int64_t offset, int limit,
                        struct das_cloud_call *call, struct das_cloud_answer *out,
                        struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "list instances",
                                .action = "das:clouddba:listInstances",
                                .path = "/v3/{project_id}/instances",
                                .language = true};
    struct das_params params = {.count = 0};

    memset(out, 0, sizeof *out);
    if (offset < 0 || limit < 1 || limit > INSTANCES_MAX)
        return das_fail(err, DAS_E_USAGE, "list instances: expected an offset of 0 or more and a "
                                          "limit of 1 to %d",
                        INSTANCES_MAX);
    das_params_text(&params, "datastore_type", datastore_type);
    das_params_int(&params, "offset", offset);
    das_params_int(&params, "limit", limit);
    return list(c, place, &ask, &params, &das_cloud_instance_shape, "instance_list", "total_count",
                call, out, err);
}

static const struct das_shape_field node_fields[] = {
    DAS_FIELD(das_cloud_node, id, "id", DAS_SHAPE_TEXT, true),
    DAS_FIELD(das_cloud_node, name, "name", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_node, role, "role", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_node, status, "status", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_node, type, "type", DAS_SHAPE_TEXT, false),
};
const struct das_shape das_cloud_node_shape = DAS_SHAPE("node", das_cloud_node, node_fields);

int das_cloud_nodes(struct das_cloud *c, const struct das_cloud_place *place,
                    const char *datastore_type, struct das_cloud_call *call,
                    struct das_cloud_answer *out, struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "list nodes",
                                .action = "das:clouddba:listInstances",
                                .path = "/v3/{project_id}/instance/nodes-info",
                                .language = true};
    struct das_params params = {.count = 0};

    memset(out, 0, sizeof *out);
    das_params_text(&params, "instance_id", place->instance);
    das_params_text(&params, "datastore_type", datastore_type);
    return list(c, place, &ask, &params, &das_cloud_node_shape, "instance_nodes", NULL, call, out,
                err);
}

static const struct das_shape_field db_user_fields[] = {
    DAS_FIELD(das_cloud_db_user, db_user_id, "db_user_id", DAS_SHAPE_TEXT, true),
    DAS_FIELD(das_cloud_db_user, db_username, "db_username", DAS_SHAPE_TEXT, false),
};
const struct das_shape das_cloud_db_user_shape = DAS_SHAPE("database user", das_cloud_db_user,
                                                       db_user_fields);

int das_cloud_db_users(struct das_cloud *c, const struct das_cloud_place *place, int64_t offset,
                       int limit, struct das_cloud_call *call, struct das_cloud_answer *out,
                       struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "list database users",
                                .action = "das:clouddba:listDbUser",
                                .path = "/v3/{project_id}/instances/{instance_id}/db-users",
                                .language = true};
    struct das_params params = {.count = 0};

    memset(out, 0, sizeof *out);
    if (offset < 0 || limit < 1 || limit > USERS_MAX)
        return das_fail(err, DAS_E_USAGE, "list database users: expected an offset of 0 or more and "
                                          "a limit of 1 to %d",
                        USERS_MAX);
    das_params_int(&params, "offset", offset);
    das_params_int(&params, "limit", limit);
    return list(c, place, &ask, &params, &das_cloud_db_user_shape, "db_users", "total", call, out,
                err);
}

static const struct das_shape_field version_fields[] = {
    DAS_FIELD(das_cloud_version, id, "id", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_version, status, "status", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_version, updated, "updated", DAS_SHAPE_TEXT, false),
    DAS_FIELD(das_cloud_version, version, "version", DAS_SHAPE_TEXT, false),
};
const struct das_shape das_cloud_version_shape = DAS_SHAPE("version", das_cloud_version, version_fields);

int das_cloud_versions(struct das_cloud *c, const struct das_cloud_place *place,
                       struct das_cloud_call *call, struct das_cloud_answer *out,
                       struct das_err *err)
{
    struct das_cloud_ask ask = {.doing = "versions of the API", .path = "/das", .anonymous = true};

    memset(out, 0, sizeof *out);
    return list(c, place, &ask, NULL, &das_cloud_version_shape, "versions", NULL, call, out, err);
}
