/*
 * mariadb_list.c - the process list, from wire to snapshot.
 *
 * Used by the MariaDB source only. Rows are streamed: each goes into the snapshot as it arrives
 * and nothing is kept twice. Reads, never writes; asks one question per list, after those of
 * mariadb_trx.c.
 */
#include "core/source/mariadb_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/own.h"

#define IS_TABLE "information_schema.PROCESSLIST"
#define PS_TABLE "performance_schema.processlist"
/* Where each of them cuts SQL text, in bytes. */
#define IS_SQL_LIMIT 65535
#define PS_SQL_LIMIT 1024
#define PS_SINCE 80022

/* --- columns ------------------------------------------------------------------------------- */

/* What to read, in order of preference within a field. INFO_BINARY has the statement's own bytes;
 * INFO is utf8mb3 on MariaDB and turns four-byte characters into "?". ROWS_EXAMINED is Percona
 * Server's name. */
static const struct das_mysql_column wanted[] = {
    {"ID", DAS_F_ID},
    {"USER", DAS_F_USER},
    {"HOST", DAS_F_HOST},
    {"DB", DAS_F_DB},
    {"COMMAND", DAS_F_COMMAND},
    {"TIME", DAS_F_STATE_DURATION},
    {"STATE", DAS_F_STATE},
    {"INFO_BINARY", DAS_F_SQL_INFO},
    {"INFO", DAS_F_SQL_INFO},
    {"TIME_MS", DAS_F_TIME_MS},
    {"QUERY_ID", DAS_F_QUERY_ID},
    {"EXAMINED_ROWS", DAS_F_ROWS_EXAMINED},
    {"ROWS_EXAMINED", DAS_F_ROWS_EXAMINED},
    {"PROGRESS", DAS_F_PROGRESS},
};

static bool has_column(MYSQL_RES *res, const char *name)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(res);

    for (unsigned i = 0; i < mysql_num_fields(res); i++) {
        if (das_text_iis(das_text_of(fields[i].name), name))
            return true;
    }
    return false;
}

/* An empty result tells which columns there are. */
static int find_columns(struct das_mariadb *m, const char *table, struct das_err *err)
{
    struct das_mysql_server *sv = &m->server;
    char sql[128];
    MYSQL_RES *res;
    int n = snprintf(sql, sizeof sql, "SELECT * FROM %s LIMIT 0", table);

    if (das_mariadb_query(m, sql, (size_t)n, err) < 0)
        return -1;
    res = mysql_store_result(m->my);
    if (!res)
        return das_mariadb_fail(m, m->my, "reading columns", 0, m->url.read_timeout, err);
    sv->column_count = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        bool have = sv->column_count &&
                    sv->columns[sv->column_count - 1].field == wanted[i].field;
        if (!have && has_column(res, wanted[i].sql))
            sv->columns[sv->column_count++] = wanted[i];
    }
    mysql_free_result(res);
    if (sv->column_count == 0 || sv->columns[0].field != DAS_F_ID)
        return das_fail(err, DAS_E_DATA, "%s has no column ID", table);
    sv->table = table;
    return 0;
}

/* performance_schema.processlist takes no global mutex, but it is of use only when it is switched
 * on and had room for every thread. Any doubt leads to information_schema. */
static bool performance_schema_is_good(struct das_mariadb *m)
{
    static const char sql[] = "SELECT @@performance_schema, (SELECT VARIABLE_VALUE FROM "
                              "performance_schema.global_status WHERE VARIABLE_NAME = "
                              "'Performance_schema_thread_instances_lost'), (SELECT COUNT(*) FROM "
                              PS_TABLE " WHERE ID = CONNECTION_ID())";
    struct das_err ignored;
    MYSQL_RES *res;
    MYSQL_ROW row;
    bool good;

    if (das_mariadb_query(m, sql, sizeof sql - 1, &ignored) < 0)
        return false;
    res = mysql_store_result(m->my);
    row = res ? mysql_fetch_row(res) : NULL;
    good = row && row[0] && strcmp(row[0], "1") == 0 && row[1] && strcmp(row[1], "0") == 0 &&
           row[2] && strcmp(row[2], "1") == 0;
    mysql_free_result(res);
    return good;
}

int das_mariadb_choose_columns(struct das_mariadb *m, struct das_err *err)
{
    if (!m->server.mariadb && m->server.version >= PS_SINCE && performance_schema_is_good(m) &&
        find_columns(m, PS_TABLE, err) == 0) {
        m->server.sql_limit = PS_SQL_LIMIT;
        return 0;
    }
    if (!m->my)
        return das_fail(err, DAS_E_CONNECT, "the connection was lost while connecting");
    m->server.sql_limit = IS_SQL_LIMIT;
    return find_columns(m, IS_TABLE, err);
}

/* --- numbers ------------------------------------------------------------------------------- */

/* "12.345" as 12345: thousandths, cut behind that. DAS_UNKNOWN for anything else. */
static int64_t thousandths(struct das_text t)
{
    const char *dot = t.len ? memchr(t.ptr, '.', t.len) : NULL;
    struct das_text whole = das_text(t.ptr, dot ? (size_t)(dot - t.ptr) : t.len);
    size_t digits = dot ? t.len - whole.len - 1 : 0;
    int64_t v, part = 0;

    if (!das_parse_int(whole, &v) || v < 0)
        return DAS_UNKNOWN;
    for (size_t i = 0; i < 3; i++) {
        char c = i < digits ? dot[1 + i] : '0';
        if (!das_is_digit((unsigned char)c))
            return DAS_UNKNOWN;
        part = part * 10 + (c - '0');
    }
    if (__builtin_mul_overflow(v, 1000, &v) || __builtin_add_overflow(v, part, &v))
        return DAS_UNKNOWN;
    return v;
}

/* The whole part: "12.345" as 12. */
static int64_t whole(struct das_text t)
{
    const char *dot = t.len ? memchr(t.ptr, '.', t.len) : NULL;
    int64_t v;

    if (dot)
        t.len = (size_t)(dot - t.ptr);
    return t.ptr && das_parse_int(t, &v) && v >= 0 ? v : DAS_UNKNOWN;
}

/* Zero where it means that there is none. */
static int64_t or_absent(int64_t v)
{
    return v == 0 ? DAS_ABSENT : v;
}

/* --- sessions ------------------------------------------------------------------------------ */

static void set_field(struct das_session *s, enum das_field f, struct das_text t)
{
    switch (f) {
    case DAS_F_ID:
        s->id = whole(t);
        break;
    case DAS_F_USER:
        s->user = t;
        break;
    case DAS_F_HOST:
        s->host = t;
        break;
    case DAS_F_DB:
        s->db = t;
        break;
    case DAS_F_COMMAND:
        s->command = t;
        break;
    case DAS_F_STATE:
        s->state = t;
        break;
    case DAS_F_SQL_INFO:
        s->sql_info = t;
        break;
    case DAS_F_STATE_DURATION:
        s->state_duration = whole(t);
        break;
    case DAS_F_TIME_MS:
        s->time_ms = whole(t); /* MariaDB adds microseconds as decimals */
        break;
    case DAS_F_QUERY_ID:
        s->query_id = or_absent(whole(t));
        break;
    case DAS_F_ROWS_EXAMINED:
        s->rows_examined = whole(t);
        break;
    case DAS_F_PROGRESS:
        s->progress = or_absent(thousandths(t));
        break;
    default:
        break;
    }
}

static int add_session(struct das_mariadb *m, MYSQL_ROW row, const unsigned long *lengths,
                       const struct das_trx_list *t, struct das_snapshot *snap, size_t *cut,
                       struct das_err *err)
{
    struct das_mysql_server *sv = &m->server;
    struct das_session s = {
        .state_duration = DAS_UNKNOWN,
        .time_ms = DAS_UNKNOWN,
        .query_id = DAS_UNKNOWN,
        .trx_time = sv->sees_trx ? DAS_ABSENT : DAS_UNKNOWN,
        .rows_modified = sv->sees_trx ? DAS_ABSENT : DAS_UNKNOWN,
        .rows_examined = DAS_UNKNOWN,
        .progress = DAS_UNKNOWN,
        .trx_id = sv->sees_trx ? DAS_ABSENT : DAS_UNKNOWN,
        .blocked_by = sv->sees_trx ? DAS_ABSENT : DAS_UNKNOWN,
    };
    const struct das_mysql_trx *trx;

    for (size_t i = 0; i < sv->column_count; i++)
        set_field(&s, sv->columns[i].field, das_text(row[i], row[i] ? lengths[i] : 0));
    if (s.id == DAS_UNKNOWN)
        return 0; /* a thread of the server that is no session */
    trx = das_mariadb_find_trx(t, s.id);
    if (trx) {
        s.trx_time = trx->age;
        s.rows_modified = trx->rows;
        s.trx_id = trx->trx_id;
        s.blocked_by = trx->blocked_by;
    }
    *cut += s.sql_info.len >= sv->sql_limit;
    return das_snapshot_add(snap, &s, err);
}

static int put_select(const struct das_mysql_server *sv, const struct das_buf *where,
                      struct das_buf *sql, struct das_err *err)
{
    das_buf_str(sql, "SELECT ");
    for (size_t i = 0; i < sv->column_count; i++)
        das_buf_printf(sql, "%s%s", i ? ", " : "", sv->columns[i].sql);
    das_buf_printf(sql, " FROM %s", sv->table);
    if (where->len) {
        das_buf_str(sql, " WHERE ");
        das_buf_text(sql, das_buf_view(where));
    }
    return das_buf_ok(sql, err);
}

static int stream_sessions(struct das_mariadb *m, const struct das_buf *where,
                           const struct das_trx_list *t, struct das_snapshot *snap, size_t *cut,
                           struct das_err *err)
{
    int64_t start_ms = das_clock_monotonic_ms();
    struct das_buf sql;
    unsigned long *lengths;
    MYSQL_RES *res;
    MYSQL_ROW row;
    int got = -1;

    das_buf_init(&sql);
    if (put_select(&m->server, where, &sql, err) < 0 ||
        das_mariadb_query(m, sql.ptr, sql.len, err) < 0)
        goto done;
    res = mysql_use_result(m->my);
    if (!res) {
        das_mariadb_fail(m, m->my, "reading sessions", 0, m->url.read_timeout, err);
        goto done;
    }
    while ((got = das_mariadb_fetch(m, res, start_ms, &row, &lengths, err)) > 0) {
        if ((got = add_session(m, row, lengths, t, snap, cut, err)) < 0)
            break;
    }
    das_mariadb_finish(m, res, got < 0);
done:
    das_buf_clear(&sql);
    return got < 0 ? -1 : 0;
}

static int warn(struct das_mariadb *m, const struct das_trx_list *t, struct das_snapshot *snap,
                size_t cut, struct das_err *err)
{
    const struct das_mysql_server *sv = &m->server;
    char account[1000];

    if (!sv->sees_all) {
        das_mariadb_account(m, account, sizeof account);
        das_snapshot_set_complete(snap, false);
        if (das_snapshot_warn(snap, err,
                              "only your own sessions are visible, and no transactions: GRANT "
                              "PROCESS ON *.* TO %s",
                              account) < 0)
            return -1;
    } else if (!sv->sees_trx &&
               das_snapshot_warn(snap, err, "open transactions cannot be read, trx_time, "
                                 "rows_modified and blocked_by are unknown: %s",
                                 sv->trx_problem) < 0) {
        return -1;
    }
    if (t->waiting && sv->wait_problem[0] &&
        das_snapshot_warn(snap, err, "%zu session%s for a lock, but it cannot be read for whose, "
                          "blocked_by is unknown: %s", t->waiting,
                          t->waiting == 1 ? " waits" : "s wait", sv->wait_problem) < 0)
        return -1;
    if (cut && das_snapshot_warn(snap, err,
                                 "the server cuts SQL text at %zu bytes: %zu session%s may have "
                                 "more, which info cannot see",
                                 sv->sql_limit, cut, cut == 1 ? "" : "s") < 0)
        return -1;
    return 0;
}

int das_mariadb_read_list(struct das_mariadb *m, const struct das_buf *where,
                          struct das_snapshot **out, struct das_err *err)
{
    struct das_snapshot *snap = das_snapshot_new(err);
    struct das_trx_list t = {0};
    size_t cut = 0;
    int rc = -1;

    if (!snap)
        return -1;
    das_snapshot_set_identity(snap, &m->identity);
    if (das_mariadb_read_trx(m, &t, err) < 0 ||
        das_snapshot_set_own_user(snap, das_text_of(m->server.user), err) < 0 ||
        stream_sessions(m, where, &t, snap, &cut, err) < 0 ||
        das_own_mark(snap, err) < 0 || /* after: one more may have been made meanwhile */
        warn(m, &t, snap, cut, err) < 0)
        goto done;
    das_snapshot_set_time(snap, t.now);
    das_snapshot_set_partial(snap, where->len > 0);
    *out = snap;
    snap = NULL;
    rc = 0;
done:
    das_mariadb_clear_trx(&t);
    das_snapshot_release(snap);
    return rc;
}
