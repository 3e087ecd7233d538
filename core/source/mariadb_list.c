/*
 * mariadb_list.c - the process list and the open transactions, from wire to snapshot.
 *
 * Used by the MariaDB source only. Rows are streamed: each goes into the snapshot as it arrives
 * and nothing is kept twice. Reads, never writes; asks two questions per list.
 */
#include "core/source/mariadb_impl.h"

#include <mysqld_error.h>
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

/* --- transactions -------------------------------------------------------------------------- */

struct trx {
    int64_t id, age, rows, trx_id;
};

struct trx_list {
    struct trx *list;
    size_t count, cap;
    int64_t now;  /* the server's clock */
    bool checked; /* the same connection to the same server answered */
};

#define CLOCK_ROW (-1) /* no session has this id */
#define TRX_COLUMNS 5

static int by_id_oldest_first(const void *a, const void *b)
{
    const struct trx *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->age > y->age ? -1 : x->age < y->age;
}

static const struct trx *find_trx(const struct trx_list *t, int64_t id)
{
    size_t lo = 0, hi = t->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->list[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < t->count && t->list[lo].id == id ? &t->list[lo] : NULL;
}

static int add_trx(struct trx_list *t, const struct trx *trx, struct das_err *err)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct trx *bigger = das_grow(t->list, cap, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        t->list = bigger;
        t->cap = cap;
    }
    t->list[t->count++] = *trx;
    return 0;
}

/* The row that tells the server's clock, and who answers. */
static int take_clock(struct das_mariadb *m, int64_t now, struct das_text answers,
                      struct trx_list *t, struct das_err *err)
{
    t->now = now;
    t->checked = das_text_is(answers, m->server.check);
    if (t->checked)
        return 0;
    return das_fail(err, DAS_E_CONNECT,
                    "another server or connection answers: %.*s (connection|host|port|server id), "
                    "expected %s; is there a proxy in between that shares connections?",
                    (int)(answers.len < 300 ? answers.len : 300), answers.ptr ? answers.ptr : "",
                    m->server.check);
}

static int take_trx(struct das_mariadb *m, MYSQL_ROW row, const unsigned long *lengths,
                    struct trx_list *t, struct das_err *err)
{
    struct trx trx;
    int64_t v[4] = {0, 0, 0, 0};

    for (int i = 0; i < 4; i++) {
        if (row[i])
            das_parse_int(das_text(row[i], lengths[i]), &v[i]);
    }
    if (v[0] == CLOCK_ROW)
        return take_clock(m, v[1], das_text(row[4], row[4] ? lengths[4] : 0), t, err);
    /* MariaDB numbers a transaction when it writes; before, it says 0 */
    trx = (struct trx){v[0], v[1] < 0 ? 0 : v[1], v[2], v[3] > 0 ? v[3] : DAS_UNKNOWN};
    return trx.id > 0 ? add_trx(t, &trx, err) : 0; /* 0: no session has it open */
}

static int stream_trx(struct das_mariadb *m, const char *sql, struct trx_list *t,
                      struct das_err *err)
{
    int64_t start_ms = das_clock_monotonic_ms();
    unsigned long *lengths;
    MYSQL_RES *res;
    MYSQL_ROW row;
    int got;

    t->count = 0;
    t->checked = false;
    if (das_mariadb_query(m, sql, strlen(sql), err) < 0)
        return -1;
    res = mysql_use_result(m->my);
    if (!res)
        return das_mariadb_fail(m, m->my, "reading transactions", 0, m->url.read_timeout, err);
    if (mysql_num_fields(res) != TRX_COLUMNS)
        got = das_fail(err, DAS_E_DATA, "expected %d columns of transactions", TRX_COLUMNS);
    else
        got = 1;
    while (got > 0 && (got = das_mariadb_fetch(m, res, start_ms, &row, &lengths, err)) > 0) {
        if (take_trx(m, row, lengths, t, err) < 0)
            got = -1;
    }
    if (got == 0 && !t->checked)
        got = das_fail(err, DAS_E_DATA, "the server did not say who answers");
    das_mariadb_finish(m, res, got < 0);
    return got < 0 ? -1 : 0;
}

#define CLOCK_SQL "SELECT -1, UNIX_TIMESTAMP(), 0, 0, %s"

/*
 * The server's clock and the open transactions in one question. InnoDB also lists the read view of
 * a plain SELECT outside a transaction: it ends with the statement and is left out.
 * Reading transactions needs the privilege PROCESS, and so does seeing the sessions of others:
 * there the server says nothing, here it refuses. That is how we know.
 * InnoDB keeps what it told and looks anew only when nobody has asked for 0.1 s: who lists more
 * often sees the same transactions again.
 */
static int read_trx(struct das_mariadb *m, struct trx_list *t, struct das_err *err)
{
    struct das_mysql_server *sv = &m->server;
    char sql[600];
    unsigned number;

    if (sv->sees_trx) {
        snprintf(sql, sizeof sql,
                 CLOCK_SQL " UNION ALL "
                 "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()), "
                 "trx_rows_modified, trx_id, NULL FROM information_schema.INNODB_TRX "
                 "WHERE trx_autocommit_non_locking = 0", sv->check_sql);
        if (stream_trx(m, sql, t, err) == 0) {
            if (t->count)
                qsort(t->list, t->count, sizeof *t->list, by_id_oldest_first);
            return 0;
        }
        if (!m->my || err->code == DAS_E_NOMEM || err->code == DAS_E_TIMEOUT)
            return -1;
        number = mysql_errno(m->my);
        sv->sees_trx = false;
        if (number == ER_SPECIFIC_ACCESS_DENIED_ERROR || number == ER_TABLEACCESS_DENIED_ERROR)
            sv->sees_all = false;
        else
            snprintf(sv->trx_problem, sizeof sv->trx_problem, "%.*s",
                     (int)sizeof sv->trx_problem - 1, err->msg);
    }
    snprintf(sql, sizeof sql, CLOCK_SQL, sv->check_sql);
    return stream_trx(m, sql, t, err);
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
                       const struct trx_list *t, struct das_snapshot *snap, size_t *cut,
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
    };
    const struct trx *trx;

    for (size_t i = 0; i < sv->column_count; i++)
        set_field(&s, sv->columns[i].field, das_text(row[i], row[i] ? lengths[i] : 0));
    if (s.id == DAS_UNKNOWN)
        return 0; /* a thread of the server that is no session */
    trx = find_trx(t, s.id);
    if (trx) {
        s.trx_time = trx->age;
        s.rows_modified = trx->rows;
        s.trx_id = trx->trx_id;
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
                           const struct trx_list *t, struct das_snapshot *snap, size_t *cut,
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

static int warn(struct das_mariadb *m, struct das_snapshot *snap, size_t cut, struct das_err *err)
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
               das_snapshot_warn(snap, err, "open transactions cannot be read, trx_time and "
                                 "rows_modified are unknown: %s", sv->trx_problem) < 0) {
        return -1;
    }
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
    struct trx_list t = {NULL, 0, 0, 0, false};
    size_t cut = 0;
    int rc = -1;

    if (!snap)
        return -1;
    das_snapshot_set_identity(snap, &m->identity);
    if (read_trx(m, &t, err) < 0 ||
        das_snapshot_set_own_user(snap, das_text_of(m->server.user), err) < 0 ||
        stream_sessions(m, where, &t, snap, &cut, err) < 0 ||
        das_own_mark(snap, err) < 0 || /* after: one more may have been made meanwhile */
        warn(m, snap, cut, err) < 0)
        goto done;
    das_snapshot_set_time(snap, t.now);
    das_snapshot_set_partial(snap, where->len > 0);
    *out = snap;
    snap = NULL;
    rc = 0;
done:
    das_free(t.list);
    das_snapshot_release(snap);
    return rc;
}
