/* session.c - see session.h. Pure functions and two tables. */
#include "core/session/session.h"

#include <string.h>

static const char *const field_names[DAS_F_COUNT] = {
    "id",       "user",           "host",    "db",       "command",  "state",         "sql_info",
    "state_duration", "time_ms", "query_id", "trx_time", "rows_modified", "rows_examined",
    "progress", "trx_id", "blocked_by",
};

/* The 29 of the DAS API first, then what MariaDB and MySQL report besides. */
const char *const das_command_names[] = {
    "Change user", "Close stmt",  "Connect",     "Connect Out", "Create DB",  "Daemon",
    "Debug",       "Delayed insert", "Drop DB",  "Error",       "Execute",    "Fetch",
    "Field List",  "Init DB",     "Kill",        "Long Data",   "Ping",       "Prepare",
    "Processlist", "Query",       "Quit",        "Refresh",     "Reset stmt", "Set option",
    "Shutdown",    "Sleep",       "Statistics",  "Table Dump",  "Time",       "Binlog Dump",
    "Binlog Dump GTID", "Bulk_execute", "Busy",  "clone",       "Com_multi",
    "Group Replication Data Stream subscription", "Killed", "Register Replica", "Register Slave",
    "Reset Connection", "Slave_IO", "Slave_SQL", "Slave_worker", "Stmt_execute",
    "Subscribe Group Replication Stream", "Unimpl get tid",
};
const size_t das_command_count = sizeof das_command_names / sizeof das_command_names[0];

const char *das_field_name(enum das_field f)
{
    return field_names[f];
}

int das_field_find(struct das_text name)
{
    for (int i = 0; i < DAS_F_COUNT; i++) {
        if (das_text_is(name, field_names[i]))
            return i;
    }
    return -1;
}

bool das_field_is_text(enum das_field f)
{
    return f >= DAS_F_USER && f <= DAS_F_SQL_INFO;
}

struct das_text *das_session_text_at(struct das_session *s, enum das_field f)
{
    switch (f) {
    case DAS_F_USER:
        return &s->user;
    case DAS_F_HOST:
        return &s->host;
    case DAS_F_DB:
        return &s->db;
    case DAS_F_COMMAND:
        return &s->command;
    case DAS_F_STATE:
        return &s->state;
    case DAS_F_SQL_INFO:
        return &s->sql_info;
    default:
        return NULL;
    }
}

int64_t *das_session_int_at(struct das_session *s, enum das_field f)
{
    switch (f) {
    case DAS_F_ID:
        return &s->id;
    case DAS_F_STATE_DURATION:
        return &s->state_duration;
    case DAS_F_TIME_MS:
        return &s->time_ms;
    case DAS_F_QUERY_ID:
        return &s->query_id;
    case DAS_F_TRX_TIME:
        return &s->trx_time;
    case DAS_F_ROWS_MODIFIED:
        return &s->rows_modified;
    case DAS_F_ROWS_EXAMINED:
        return &s->rows_examined;
    case DAS_F_PROGRESS:
        return &s->progress;
    case DAS_F_TRX_ID:
        return &s->trx_id;
    case DAS_F_BLOCKED_BY:
        return &s->blocked_by;
    default:
        return NULL;
    }
}

struct das_text das_session_text(const struct das_session *s, enum das_field f)
{
    const struct das_text *t = das_session_text_at((struct das_session *)(uintptr_t)s, f);

    return t ? *t : DAS_TEXT_NULL;
}

int64_t das_session_int(const struct das_session *s, enum das_field f)
{
    const int64_t *v = das_session_int_at((struct das_session *)(uintptr_t)s, f);

    return v ? *v : DAS_UNKNOWN;
}

int64_t das_session_clean_time(int64_t seconds)
{
    return seconds < 0 || seconds >= INT32_MAX ? DAS_UNKNOWN : seconds;
}

struct das_text das_host_part(struct das_text host)
{
    const char *colon;

    if (!host.ptr)
        return host;
    colon = memrchr(host.ptr, ':', host.len);
    if (!colon || host.ptr[host.len - 1] == ']')
        return host;
    return das_text(host.ptr, (size_t)(colon - host.ptr));
}

void das_session_unknown(struct das_session *s)
{
    memset(s, 0, sizeof *s);
    s->state_duration = s->time_ms = s->query_id = DAS_UNKNOWN;
    s->trx_time = s->rows_modified = s->rows_examined = s->progress = DAS_UNKNOWN;
    s->trx_id = s->blocked_by = DAS_UNKNOWN;
}
