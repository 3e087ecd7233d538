/*
 * mariadb_trx.c - the open transactions, and who waits for whose lock.
 *
 * Used by the MariaDB source only. Owns what the server told about transactions while a list is
 * read. Reads, never writes. One question per list, and a second one while somebody waits.
 */
#include "core/source/mariadb_impl.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"

#define CLOCK_ROW (-1) /* no session has this id */
#define TRX_COLUMNS 7
#define WAIT_COLUMNS 3
#define DATA_LOCKS_SINCE 80001

/* --- rows ---------------------------------------------------------------------------------- */

typedef int row_fn(struct das_mariadb *m, MYSQL_ROW row, const unsigned long *lengths,
                   struct das_trx_list *t, struct das_err *err);

static int stream(struct das_mariadb *m, const char *sql, unsigned columns, row_fn *take,
                  struct das_trx_list *t, struct das_err *err)
{
    int64_t start_ms = das_clock_monotonic_ms();
    unsigned long *lengths;
    MYSQL_RES *res;
    MYSQL_ROW row;
    int got;

    if (das_mariadb_query(m, sql, strlen(sql), err) < 0)
        return -1;
    res = mysql_use_result(m->my);
    if (!res)
        return das_mariadb_fail(m, m->my, "reading transactions", 0, m->url.read_timeout, err);
    if (mysql_num_fields(res) != columns)
        got = das_fail(err, DAS_E_DATA, "expected %u columns of transactions", columns);
    else
        got = 1;
    while (got > 0 && (got = das_mariadb_fetch(m, res, start_ms, &row, &lengths, err)) > 0) {
        if (take(m, row, lengths, t, err) < 0)
            got = -1;
    }
    das_mariadb_finish(m, res, got < 0);
    return got < 0 ? -1 : 0;
}

static struct das_text text_at(MYSQL_ROW row, const unsigned long *lengths, int i)
{
    return das_text(row[i], row[i] ? lengths[i] : 0);
}

static int64_t int_at(MYSQL_ROW row, const unsigned long *lengths, int i)
{
    int64_t v = 0;

    if (row[i])
        das_parse_int(das_text(row[i], lengths[i]), &v);
    return v;
}

/* --- transactions -------------------------------------------------------------------------- */

static int by_id_oldest_first(const void *a, const void *b)
{
    const struct das_mysql_trx *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->age > y->age ? -1 : x->age < y->age;
}

static struct das_mysql_trx *find(const struct das_trx_list *t, int64_t id)
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

const struct das_mysql_trx *das_mariadb_find_trx(const struct das_trx_list *t, int64_t id)
{
    return find(t, id);
}

/* The row that tells the server's clock, and who answers. */
static int take_clock(struct das_mariadb *m, int64_t now, struct das_text answers,
                      struct das_trx_list *t, struct das_err *err)
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

static int add_trx(struct das_trx_list *t, const struct das_mysql_trx *trx, struct das_err *err)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct das_mysql_trx *bigger = das_grow(t->list, cap, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        t->list = bigger;
        t->cap = cap;
    }
    t->list[t->count++] = *trx;
    return 0;
}

static int take_trx(struct das_mariadb *m, MYSQL_ROW row, const unsigned long *lengths,
                    struct das_trx_list *t, struct das_err *err)
{
    struct das_mysql_trx trx = {
        .id = int_at(row, lengths, 0), .age = int_at(row, lengths, 1),
        .rows = int_at(row, lengths, 2), .trx_id = int_at(row, lengths, 3),
        .waits_for = text_at(row, lengths, 5), .locks = int_at(row, lengths, 6),
        .blocked_by = DAS_ABSENT};

    if (trx.id == CLOCK_ROW)
        return take_clock(m, trx.age, text_at(row, lengths, 4), t, err);
    if (trx.id <= 0) /* no session has it open */
        return 0;
    if (trx.age < 0)
        trx.age = 0;
    if (trx.trx_id <= 0) /* MariaDB numbers a transaction when it writes; before, it says 0 */
        trx.trx_id = DAS_UNKNOWN;
    if (trx.waits_for.ptr) {
        trx.waits_for.ptr = das_arena_dup(&t->arena, trx.waits_for.ptr, trx.waits_for.len);
        if (!trx.waits_for.ptr)
            return das_fail_nomem(err);
        trx.blocked_by = DAS_UNKNOWN;
        t->waiting++;
    }
    return add_trx(t, &trx, err);
}

static int stream_trx(struct das_mariadb *m, const char *sql, struct das_trx_list *t,
                      struct das_err *err)
{
    t->count = t->waiting = 0;
    t->checked = false;
    if (stream(m, sql, TRX_COLUMNS, take_trx, t, err) < 0)
        return -1;
    return t->checked ? 0 : das_fail(err, DAS_E_DATA, "the server did not say who answers");
}

/* --- who waits for whom -------------------------------------------------------------------- */

/* The waiting transactions in the order of their locks, the numbered ones in that of their numbers:
 * a pile-up may be long. */
struct das_waits {
    struct das_mysql_trx **waiting, **numbered;
    size_t waiting_count, numbered_count;
};

static int compare(struct das_text a, struct das_text b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

static int by_lock(const void *a, const void *b)
{
    const struct das_mysql_trx *x = *(struct das_mysql_trx *const *)a;
    const struct das_mysql_trx *y = *(struct das_mysql_trx *const *)b;

    return compare(x->waits_for, y->waits_for);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = (*(struct das_mysql_trx *const *)a)->trx_id;
    int64_t y = (*(struct das_mysql_trx *const *)b)->trx_id;

    return x < y ? -1 : x > y;
}

static int index_waits(struct das_trx_list *t, struct das_err *err)
{
    struct das_waits *w = das_arena_alloc(&t->arena, sizeof *w);
    size_t bytes = t->count * sizeof *w->waiting;

    if (!w || !(w->waiting = das_arena_alloc(&t->arena, bytes)) ||
        !(w->numbered = das_arena_alloc(&t->arena, bytes)))
        return das_fail_nomem(err);
    w->waiting_count = w->numbered_count = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->list[i].waits_for.ptr)
            w->waiting[w->waiting_count++] = &t->list[i];
        if (das_known(t->list[i].trx_id))
            w->numbered[w->numbered_count++] = &t->list[i];
    }
    qsort(w->waiting, w->waiting_count, sizeof *w->waiting, by_lock);
    if (w->numbered_count)
        qsort(w->numbered, w->numbered_count, sizeof *w->numbered, by_number);
    t->waits = w;
    return 0;
}

static int64_t session_of_number(const struct das_trx_list *t, int64_t trx_id)
{
    struct das_mysql_trx key = {.trx_id = trx_id}, *p = &key;
    const struct das_waits *w = t->waits;
    struct das_mysql_trx **hit;

    if (trx_id <= 0 || !w->numbered_count)
        return DAS_UNKNOWN;
    hit = bsearch(&p, w->numbered, w->numbered_count, sizeof *w->numbered, by_number);
    return hit ? (*hit)->id : DAS_UNKNOWN;
}

/* A transaction without a number that blocks (it read with shared locks) can be told only where no
 * other one has locks. One that asks for the same lock does not hold it. */
static int64_t session_without_number(const struct das_trx_list *t, struct das_text lock)
{
    int64_t found = DAS_UNKNOWN;

    for (size_t i = 0; i < t->count; i++) {
        const struct das_mysql_trx *trx = &t->list[i];
        if (das_known(trx->trx_id) || trx->locks <= 0 || das_text_eq(trx->waits_for, lock))
            continue;
        if (das_known(found))
            return DAS_UNKNOWN;
        found = trx->id;
    }
    return found;
}

/* A requested lock, the lowest number among the transactions in its way, and whether one of them
 * has none. */
static int take_wait(struct das_mariadb *m, MYSQL_ROW row, const unsigned long *lengths,
                     struct das_trx_list *t, struct das_err *err)
{
    struct das_waits *w = t->waits;
    struct das_text lock = text_at(row, lengths, 0);
    int64_t blocker = session_of_number(t, int_at(row, lengths, 1));
    size_t lo = 0, hi = w->waiting_count;

    (void)m;
    (void)err;
    if (!lock.ptr)
        return 0;
    if (!row[1] && int_at(row, lengths, 2) > 0)
        blocker = session_without_number(t, lock);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare(w->waiting[mid]->waits_for, lock) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < w->waiting_count && das_text_eq(w->waiting[lo]->waits_for, lock); lo++) {
        if (w->waiting[lo]->id != blocker) /* a session may have several transactions (XA) */
            find(t, w->waiting[lo]->id)->blocked_by = blocker;
    }
    return 0;
}

/*
 * InnoDB lists a waiting lock with each transaction in its way, also those that wait in front of
 * it: n sessions in a pile make n * n / 2 pairs, so the server is asked for one of each. A lower
 * number is an older transaction. MariaDB has no number for one that only read: the lock's id tells
 * apart those that wait.
 */
static int read_waits(struct das_mariadb *m, struct das_trx_list *t, struct das_err *err)
{
    static const char in_schema[] =
        "SELECT requested_lock_id, MIN(NULLIF(CAST(blocking_trx_id AS UNSIGNED), 0)), "
        "MAX(CAST(blocking_trx_id AS UNSIGNED) = 0) FROM information_schema.INNODB_LOCK_WAITS "
        "GROUP BY requested_lock_id";
    static const char in_performance_schema[] =
        "SELECT REQUESTING_ENGINE_LOCK_ID, MIN(BLOCKING_ENGINE_TRANSACTION_ID), 0 FROM "
        "performance_schema.data_lock_waits WHERE ENGINE = 'INNODB' "
        "GROUP BY REQUESTING_ENGINE_LOCK_ID";
    struct das_mysql_server *sv = &m->server;

    if (!t->waiting || sv->wait_problem[0])
        return 0;
    if (index_waits(t, err) < 0)
        return -1;
    if (stream(m, !sv->mariadb && sv->version >= DATA_LOCKS_SINCE ? in_performance_schema
                                                                 : in_schema,
               WAIT_COLUMNS, take_wait, t, err) == 0)
        return 0;
    if (!m->my || err->code == DAS_E_NOMEM || err->code == DAS_E_TIMEOUT)
        return -1;
    snprintf(sv->wait_problem, sizeof sv->wait_problem, "%.*s", (int)sizeof sv->wait_problem - 1,
             err->msg);
    return 0;
}

/* --- a list -------------------------------------------------------------------------------- */

#define CLOCK_SQL "SELECT -1, UNIX_TIMESTAMP(), 0, 0, %s, NULL, 0"

/*
 * The server's clock and the open transactions in one question. InnoDB also lists the read view of
 * a plain SELECT outside a transaction: it ends with the statement and is left out.
 * Reading transactions needs the privilege PROCESS, and so does seeing the sessions of others:
 * there the server says nothing, here it refuses. That is how we know.
 * InnoDB keeps what it told and looks anew only when nobody has asked for 0.1 s: who lists more
 * often sees the same transactions again.
 */
int das_mariadb_read_trx(struct das_mariadb *m, struct das_trx_list *t, struct das_err *err)
{
    struct das_mysql_server *sv = &m->server;
    char sql[700];
    unsigned number;

    if (sv->sees_trx) {
        snprintf(sql, sizeof sql,
                 CLOCK_SQL " UNION ALL "
                 "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()), "
                 "trx_rows_modified, trx_id, NULL, trx_requested_lock_id, trx_lock_structs "
                 "FROM information_schema.INNODB_TRX "
                 "WHERE trx_autocommit_non_locking = 0", sv->check_sql);
        if (stream_trx(m, sql, t, err) == 0) {
            if (t->count)
                qsort(t->list, t->count, sizeof *t->list, by_id_oldest_first);
            return read_waits(m, t, err);
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

void das_mariadb_clear_trx(struct das_trx_list *t)
{
    das_free(t->list);
    das_arena_clear(&t->arena);
    memset(t, 0, sizeof *t);
}
