/* answer_fleet.c - which instances there are, their nodes and users, versions of the API (see
 * call.h). */
#include "core/base/json.h"
#include "core/serve/call.h"

#define INSTANCES_MAX 200 /* in one answer */
#define INSTANCES_DEFAULT 20
#define USERS_MAX 100

/* MySQL and its kin are all that is served. */
static int read_type(struct das_call *call, bool *ours)
{
    static const char *const others[] = {"SQLServer", "PostgreSQL", "gaussdbv5", "mongodb", "DDM"};
    static const char *const mine[] = {"MySQL", "MariaDB", "TaurusDB"};
    struct das_text type;
    bool known = false;

    *ours = false;
    if (das_query_text(call, "datastore_type", "DAS.200107", true, &type) < 0)
        return -1;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        known |= das_text_iis(type, others[i]);
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        *ours |= das_text_iis(type, mine[i]);
    if (known || *ours)
        return 0;
    return das_refuse(&call->refusal, 400, "DAS.200107",
                      "The datastore_type is invalid. Expected MySQL, MariaDB or TaurusDB");
}

static void put_instance(struct das_buf *b, struct das_member *m)
{
    static const char *const flags[] = {"login_flag",         "slow_sql_flag", "deadlock_flag",
                                        "lock_blocking_flag", "charge_flag",   "full_sql_flag"};
    struct das_member_health h;

    das_member_health(m, &h);
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "instance_id", das_text_of(das_member_id(m)));
    das_json_key_text(b, "instance_name", das_text_of(das_member_name(m)));
    das_json_key_text(b, "instance_status",
                      das_text_of(!h.asked || h.good ? "normal" : "abnormal"));
    das_json_key_text(b, "version", das_text_of(""));
    das_json_key_text(b, "engine_type", das_text_of("mysql"));
    das_json_key_text(b, "ip", das_text_of(""));
    das_json_key_int(b, "port", 0);
    das_json_key_int(b, "cpu", 0);
    das_json_key_int(b, "mem", 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        das_json_key_bool(b, flags[i], false);
    das_buf_char(b, '}');
}

int das_answer_instances(struct das_call *call)
{
    const struct das_fleet *f = call->server->fleet;
    int64_t offset = 0, limit = INSTANCES_DEFAULT, seen = 0;
    bool ours;

    if (read_type(call, &ours) < 0 ||
        das_query_int(call, "offset", "DAS.200103", (struct das_bounds){0, INT32_MAX, false},
                      &offset) < 0 ||
        das_query_int(call, "limit", "DAS.200104", (struct das_bounds){1, INSTANCES_MAX, false},
                      &limit) < 0)
        return -1;
    das_buf_str(&call->answer, "{\"instance_list\":[");
    for (size_t i = 0; ours && i < das_fleet_count(f); i++) {
        struct das_member *m = das_fleet_at(f, i);
        if (!das_call_may(call, m))
            continue;
        if (seen >= offset && seen - offset < limit)
            put_instance(&call->answer, m);
        seen++;
    }
    das_buf_char(&call->answer, ']');
    das_json_key_int(&call->answer, "total_count", seen);
    das_buf_char(&call->answer, '}');
    return 0;
}

int das_answer_nodes(struct das_call *call)
{
    struct das_buf *b = &call->answer;
    struct das_text id;
    bool ours;

    if (das_query_text(call, "instance_id", "DAS.200114", true, &id) < 0 ||
        read_type(call, &ours) < 0 || das_call_member(call, id) < 0)
        return -1;
    das_buf_char(b, '{');
    das_json_key_text(b, "instance_id", das_text_of(das_member_id(call->member)));
    das_json_key_text(b, "instance_name", das_text_of(das_member_name(call->member)));
    das_json_key(b, "instance_nodes");
    das_buf_char(b, '[');
    if (ours) {
        das_buf_char(b, '{');
        das_json_key_text(b, "id", das_text_of(das_member_node(call->member)));
        das_json_key_text(b, "name", das_text_of(das_member_name(call->member)));
        das_json_key_text(b, "role", das_text_of("master"));
        das_json_key_text(b, "status", das_text_of("normal"));
        das_json_key_text(b, "type", das_text_of("MySQL"));
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}");
    return 0;
}

/* There is one, whoever das is to the database. */
int das_answer_db_users(struct das_call *call)
{
    struct das_buf *b = &call->answer;
    int64_t offset = 0, limit = USERS_MAX;
    struct das_text id, name;
    bool shown;

    if (das_query_int(call, "offset", "DAS.200103", (struct das_bounds){0, INT32_MAX, false},
                      &offset) < 0 ||
        das_query_int(call, "limit", "DAS.200104", (struct das_bounds){1, USERS_MAX, false},
                      &limit) < 0 ||
        das_query_text(call, "db_user_id", "DAS.200112", false, &id) < 0 ||
        das_query_text(call, "db_username", "DAS.200100", false, &name) < 0)
        return -1;
    shown = (!id.ptr || das_text_is(id, das_member_db_user(call->member))) &&
            (!name.ptr || das_text_is(name, "das"));
    das_buf_char(b, '{');
    das_json_key_int(b, "total", shown);
    das_json_key(b, "db_users");
    das_buf_char(b, '[');
    if (shown && offset == 0) {
        das_buf_char(b, '{');
        das_json_key_text(b, "db_user_id", das_text_of(das_member_db_user(call->member)));
        das_json_key_text(b, "db_username", das_text_of("das"));
        das_buf_char(b, '}');
    }
    das_buf_str(b, "]}");
    return 0;
}

/* --- versions --------------------------------------------------------------------------------- */

#define V3 \
    "{\"id\":\"v3\",\"status\":\"CURRENT\",\"updated\":\"2026-02-02T00:00:00Z\",\"version\":\"\"}"

int das_answer_versions(struct das_call *call)
{
    das_buf_str(&call->answer, "{\"versions\":[" V3 "]}");
    return 0;
}

int das_answer_version(struct das_call *call)
{
    if (!das_text_is(call->instance, "v3"))
        return das_refuse(&call->refusal, 404, "APIGW.0101",
                          "There is no such version; expected v3");
    das_buf_str(&call->answer, "{\"version\":" V3 "}");
    return 0;
}
