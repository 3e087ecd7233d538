/*
 * mariadb.c - the source of kind "mysql:": a MariaDB or MySQL server.
 *
 * Called through source.h and, for kills, source_kill.h. The connection is made by the first list
 * and kept, because when max_connections is reached nobody gets a new one. A list may replace a
 * lost connection once; a kill never does, since ids belong to the server that listed them.
 */
#include "core/source/mariadb_impl.h"

#include <errmsg.h>
#include <inttypes.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/pushdown.h"

static struct das_mariadb *of(struct das_source *s)
{
    return (struct das_mariadb *)(void *)s;
}

static int named(struct das_source *s, struct das_err *err)
{
    if (s->name)
        das_err_prefix(err, "%s", s->name);
    return -1;
}

static int list_once(struct das_mariadb *m, const struct das_buf *where, struct das_snapshot **out,
                     struct das_err *err)
{
    if (!m->my && das_mariadb_connect(m, err) < 0)
        return -1;
    return das_mariadb_read_list(m, where, out, err);
}

static int list(struct das_source *s, const struct das_filter *filter, struct das_snapshot **out,
                struct das_err *err)
{
    struct das_mariadb *m = of(s);
    bool reused = m->my != NULL;
    struct das_buf where;
    int rc = -1;

    das_buf_init(&where);
    m->lost = false;
    if (filter && das_pushdown_where(filter, &where, err) < 0)
        goto done;
    rc = list_once(m, &where, out, err);
    /* A kept connection may have ended long ago (idle timeout, restart, killed by somebody). */
    if (rc < 0 && reused && m->lost)
        rc = list_once(m, &where, out, err);
done:
    das_buf_clear(&where);
    return rc < 0 ? named(s, err) : 0;
}

static void put_kill(const struct das_mariadb *m, enum das_kill_what what, int64_t id,
                     int64_t query_id, char *sql, size_t size)
{
    if (what == DAS_KILL_STATEMENT && m->server.mariadb && das_known(query_id))
        snprintf(sql, size, "KILL QUERY ID %" PRId64, query_id);
    else if (what == DAS_KILL_STATEMENT)
        snprintf(sql, size, "KILL QUERY %" PRId64, id);
    else
        snprintf(sql, size, "%s %" PRId64, m->server.mariadb ? "KILL CONNECTION" : "KILL", id);
}

static enum das_kill_result kill_failed(struct das_mariadb *m, const char *sql, int64_t start_ms,
                                        struct das_err *err)
{
    unsigned number = mysql_errno(m->my);

    if (number == ER_NO_SUCH_THREAD || number == ER_NO_SUCH_QUERY)
        return DAS_KILL_GONE;
    das_mariadb_fail(m, m->my, sql, das_clock_monotonic_ms() - start_ms, m->url.read_timeout, err);
    if (!das_mariadb_is_lost(number) && number != ER_QUERY_INTERRUPTED)
        return DAS_KILL_FAILED;
    /* The statement may have arrived. Whoever comes next must list again. */
    das_mariadb_disconnect(m);
    return DAS_KILL_UNKNOWN;
}

static enum das_kill_result kill_one(struct das_source *s, enum das_kill_what what, int64_t id,
                                     int64_t query_id, struct das_err *err)
{
    struct das_mariadb *m = of(s);
    enum das_kill_result result = DAS_KILL_FAILED;
    int64_t start_ms = das_clock_monotonic_ms();
    char sql[64];

    if (!m->my)
        das_fail(err, DAS_E_CONNECT, "not killing %" PRId64 ": the connection that listed it is "
                 "lost, and its id may mean another session on a new one", id);
    else if (id == m->server.own_id)
        das_fail(err, DAS_E_BLOCKED, "not killing %" PRId64 ": it is das's own connection", id);
    else {
        put_kill(m, what, id, query_id, sql, sizeof sql);
        if (mysql_real_query(m->my, sql, strlen(sql)) == 0)
            return DAS_KILLED;
        result = kill_failed(m, sql, start_ms, err);
    }
    if (result != DAS_KILL_GONE)
        named(s, err);
    return result;
}

static void close_source(struct das_source *s)
{
    struct das_mariadb *m = of(s);

    das_mariadb_disconnect(m);
    das_mysql_url_clear(&m->url);
    das_free(m->password_file);
    das_free(m->password_env);
}

static const struct das_source_ops ops = {
    .list = list,
    .kill = kill_one,
    .close = close_source,
};

int das_source_open_mariadb(const char *rest, const struct das_source_conf *conf,
                            struct das_source **out, struct das_err *err)
{
    struct das_mariadb *m = das_calloc(1, sizeof *m);

    if (!m)
        return das_fail_nomem(err);
    m->base.ops = &ops;
    if (das_mysql_url_parse(rest, &m->url, err) < 0)
        goto fail;
    if ((conf->password_file && !(m->password_file = das_strdup(conf->password_file))) ||
        (conf->password_env && !(m->password_env = das_strdup(conf->password_env)))) {
        das_fail_nomem(err);
        goto fail;
    }
    *out = &m->base;
    return 0;
fail:
    close_source(&m->base);
    das_free(m);
    return -1;
}
