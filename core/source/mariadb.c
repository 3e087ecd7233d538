/*
 * mariadb.c - the source of kind "mysql:": a MariaDB or MySQL server.
 *
 * Called through source.h. The connection is made by the first list and kept, because when
 * max_connections is reached nobody gets a new one. A list may replace a lost connection once; a
 * kill (mariadb_kill.c) never does, since ids belong to the server that listed them.
 */
#include "core/source/mariadb_impl.h"

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

static int list(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                struct das_err *err)
{
    struct das_mariadb *m = of(s);
    bool reused = m->my != NULL;
    struct das_buf where;
    int rc = -1;

    das_buf_init(&where);
    m->lost = false;
    if (q->filter && das_pushdown_where(q->filter, &where, err) < 0)
        goto done;
    rc = list_once(m, &where, out, err);
    /* A kept connection may have ended long ago (idle timeout, restart, killed by somebody). */
    if (rc < 0 && reused && m->lost)
        rc = list_once(m, &where, out, err);
done:
    das_buf_clear(&where);
    return rc < 0 ? named(s, err) : 0;
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
    .kill = das_mariadb_kill,
    .close = close_source,
    .cannot_soft = das_mariadb_cannot_soft,
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
