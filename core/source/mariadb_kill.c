/*
 * mariadb_kill.c - the statements that end a session, or what it runs, on MariaDB and MySQL.
 *
 * Called through source_kill.h. Uses the connection that listed the sessions and never makes
 * another: an id may mean somebody else there.
 *
 * What MariaDB can promise:
 *   statement   KILL QUERY ID ends the statement with this number or nothing. A session that was
 *               pinged carries the next number without using it up, so an idle session may have
 *               that of a statement that runs elsewhere. The server then may pick the idle one: the
 *               answer is "killed", and nobody is hit.
 *   connection  One compound statement looks whether the session still does what was seen, kills
 *               its statement by number, and then the connection; it stops at the first that fails.
 *               KILL QUERY ID works on a session that sleeps, too: it then does no harm, but proves
 *               that nothing has begun. It is done only where no other session carries the number;
 *               none can get it later, since our own statement has used it up at the latest.
 *               What is left is the time between the two kills, some microseconds in which a
 *               session that lost its statement (or slept) can begin another. Where two sessions
 *               carry the number the look alone decides: then it is the time since the server
 *               looked at this one, about a microsecond for each session that it has.
 * One statement, not several in one packet: there is one answer to read, no connection has to
 * allow several statements, and a proxy cannot part them. The only text in it that came from
 * outside, the server's own name, is written in hex.
 *
 * MySQL and MariaDB before 10.1.1 have plain KILL only: core/plan looks again just before it.
 */
#include "core/source/mariadb_impl.h"

#include <errmsg.h>
#include <inttypes.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"

#define COMPOUND_SINCE 100101

/* Errors that only our own compound statements raise. */
#define OTHER_SERVER 45001
#define MOVED_ON 45002

static bool of_statement(const struct das_kill_order *o)
{
    return o->what == DAS_KILL_STATEMENT || o->what == DAS_KILL_STATEMENT_SOFT;
}

static void put_signal(int number, const char *text, struct das_buf *sql)
{
    das_buf_printf(sql,
                   "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %d, MESSAGE_TEXT = '%s'; END IF; ",
                   number, text);
}

static void put_compound(const struct das_mysql_server *sv, const struct das_kill_order *o,
                         struct das_buf *sql)
{
    bool busy = o->what == DAS_KILL_SESSION;
    int64_t query_id = das_known(o->query_id) ? o->query_id : 0; /* 0: it never ran one */

    das_buf_printf(sql, "BEGIN NOT ATOMIC DECLARE same, meant INT; IF %s <> x'", sv->check_sql);
    for (const char *p = sv->check; *p; p++)
        das_buf_printf(sql, "%02x", (unsigned char)*p);
    das_buf_str(sql, "' THEN ");
    put_signal(OTHER_SERVER, "another server or connection answers", sql);
    das_buf_printf(sql,
                   "SELECT COUNT(*), COUNT(CASE WHEN ID = %" PRId64 " AND COMMAND %s 'Sleep' "
                   "THEN 1 END) INTO same, meant FROM information_schema.PROCESSLIST "
                   "WHERE QUERY_ID = %" PRId64 "; IF meant = 0 THEN ",
                   o->id, busy ? "<>" : "=", query_id);
    put_signal(MOVED_ON, "the session does something else", sql);
    if (query_id)
        das_buf_printf(sql, "IF same = 1 THEN KILL QUERY ID %" PRId64 "; END IF; ", query_id);
    das_buf_printf(sql, "KILL CONNECTION %" PRId64 "; END", o->id);
}

static void put_kill(const struct das_mysql_server *sv, const struct das_kill_order *o, struct das_buf *sql)
{
    const char *soft = o->what == DAS_KILL_STATEMENT_SOFT ? "SOFT " : "";

    if (of_statement(o) && sv->mariadb && das_known(o->query_id))
        das_buf_printf(sql, "KILL %sQUERY ID %" PRId64, soft, o->query_id);
    else if (of_statement(o))
        das_buf_printf(sql, "KILL %sQUERY %" PRId64, soft, o->id);
    else if (sv->mariadb && sv->version >= COMPOUND_SINCE && o->query_id != DAS_UNKNOWN)
        put_compound(sv, o, sql);
    else
        das_buf_printf(sql, "%s %" PRId64, sv->mariadb ? "KILL CONNECTION" : "KILL", o->id);
}

/* The statement may have arrived. Whoever comes next must list again. */
static enum das_kill_result in_doubt(struct das_mariadb *m)
{
    das_mariadb_disconnect(m);
    return DAS_KILL_UNKNOWN;
}

static enum das_kill_result kill_failed(struct das_mariadb *m, const char *doing, int64_t start_ms,
                                        struct das_err *err)
{
    unsigned number = mysql_errno(m->my);

    switch (number) {
    case ER_NO_SUCH_THREAD:
    case ER_NO_SUCH_QUERY:
    case MOVED_ON:
        return DAS_KILL_GONE;
    case OTHER_SERVER:
        das_fail(err, DAS_E_CONNECT, "%s: %s", doing, mysql_error(m->my));
        das_mariadb_disconnect(m); /* nothing was killed: the look came first */
        return DAS_KILL_FAILED;
    default:
        das_mariadb_fail(m, m->my, doing, das_clock_monotonic_ms() - start_ms, m->url.read_timeout,
                         err);
    }
    if (das_mariadb_is_lost(number) || number == ER_QUERY_INTERRUPTED ||
        number == ER_STATEMENT_TIMEOUT)
        return in_doubt(m);
    return DAS_KILL_FAILED;
}

static enum das_kill_result send_kill(struct das_mariadb *m, const struct das_kill_order *o,
                                      const struct das_buf *sql, struct das_err *err)
{
    int64_t start_ms = das_clock_monotonic_ms();
    char doing[64];

    snprintf(doing, sizeof doing, "KILL %s%" PRId64,
             of_statement(o)    ? o->what == DAS_KILL_STATEMENT ? "QUERY " : "SOFT QUERY "
             : m->server.mariadb ? "CONNECTION "
                                 : "",
             o->id);
    if (mysql_real_query(m->my, sql->ptr, sql->len) != 0)
        return kill_failed(m, doing, start_ms, err);
    if (mysql_field_count(m->my) == 0 && !mysql_more_results(m->my))
        return DAS_KILLED;
    das_fail(err, DAS_E_DATA, "%s: the server answered with rows", doing);
    return in_doubt(m);
}

enum das_kill_result das_mariadb_kill(struct das_source *s, const struct das_kill_order *order,
                                      struct das_err *err)
{
    struct das_mariadb *m = (struct das_mariadb *)(void *)s;
    enum das_kill_result result = DAS_KILL_FAILED;
    struct das_buf sql = {0};

    if (!m->my)
        das_fail(err, DAS_E_CONNECT, "not killing %" PRId64 ": the connection that listed it is "
                 "lost, and its id may mean another session on a new one", order->id);
    else if (order->id == m->server.own_id)
        das_fail(err, DAS_E_BLOCKED, "not killing %" PRId64 ": it is das's own connection", order->id);
    else {
        put_kill(&m->server, order, &sql);
        if (das_buf_ok(&sql, err) == 0)
            result = send_kill(m, order, &sql, err);
    }
    das_buf_clear(&sql);
    if ((result == DAS_KILL_FAILED || result == DAS_KILL_UNKNOWN) && s->name)
        das_err_prefix(err, "%s", s->name);
    return result;
}

const char *das_mariadb_cannot_soft(const struct das_source *s)
{
    const struct das_mariadb *m = (const struct das_mariadb *)(const void *)s;

    return !m->server.table || m->server.mariadb
               ? NULL /* before the first list nobody knows what it is */
               : "only MariaDB has KILL SOFT; kill = \"query\" ends a statement here, at once";
}
