/*
 * mariadb_connect.c - one connection to a MariaDB or MySQL server, and what that server is.
 *
 * Used by the MariaDB source only. Never reconnects by itself: session ids mean another thing on
 * another server, so whoever asks again must know that it is a new connection.
 */
#include "core/source/mariadb_impl.h"

#include <errmsg.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/mysql_login.h"
#include "core/source/own.h"

/* Without a checked certificate nobody knows who asks for the password: only methods that do not
 * show it are answered. */
#define BLIND_AUTH                                                                                 \
    "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password,parsec,"           \
    "auth_gssapi_client"

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
    mysql_library_init(0, NULL, NULL); /* not thread-safe by itself */
}

/* --- statements ---------------------------------------------------------------------------- */

void das_mariadb_disconnect(struct das_mariadb *m)
{
    if (m->my)
        mysql_close(m->my);
    if (m->own)
        das_own_remove(&m->identity, m->server.own_id);
    m->own = false;
    m->my = NULL;
}

/* Fills err and m->lost; the connection is still there. */
static int note_failure(struct das_mariadb *m, int64_t start_ms, struct das_err *err)
{
    bool lost = das_mariadb_is_lost(mysql_errno(m->my));

    das_mariadb_fail(m, m->my, "reading sessions", das_clock_monotonic_ms() - start_ms,
                     m->url.read_timeout, err);
    m->lost = lost && err->code == DAS_E_CONNECT; /* not after a timeout: once is enough */
    return lost ? -1 : 0;
}

int das_mariadb_query(struct das_mariadb *m, const char *sql, size_t len, struct das_err *err)
{
    int64_t start_ms = das_clock_monotonic_ms();

    m->lost = false;
    if (mysql_real_query(m->my, sql, len) == 0)
        return 0;
    if (note_failure(m, start_ms, err) < 0)
        das_mariadb_disconnect(m);
    return -1;
}

int das_mariadb_fetch(struct das_mariadb *m, MYSQL_RES *res, int64_t start_ms, MYSQL_ROW *row,
                      unsigned long **lengths, struct das_err *err)
{
    *row = mysql_fetch_row(res);
    if (*row) {
        *lengths = mysql_fetch_lengths(res);
        return 1;
    }
    if (!mysql_errno(m->my))
        return 0;
    note_failure(m, start_ms, err);
    return -1;
}

void das_mariadb_finish(struct das_mariadb *m, MYSQL_RES *res, bool failed)
{
    unsigned number = mysql_errno(m->my);
    /* An error that the server sends in the middle ends the result in good order. */
    bool broken = failed && (!number || das_mariadb_is_lost(number));

    if (broken)
        mariadb_cancel(m->my); /* else freeing waits for the rest of the rows */
    mysql_free_result(res);
    if (broken)
        das_mariadb_disconnect(m);
}

/* Runs a statement and copies its first row's columns, "" for NULL. -1 also without a row. */
static int first_row(struct das_mariadb *m, const char *sql, char *const *out, const size_t *sizes,
                     unsigned n, struct das_err *err)
{
    MYSQL_RES *res;
    MYSQL_ROW row;

    if (das_mariadb_query(m, sql, strlen(sql), err) < 0)
        return -1;
    res = mysql_store_result(m->my);
    row = res ? mysql_fetch_row(res) : NULL;
    if (!row || mysql_num_fields(res) < n) {
        mysql_free_result(res);
        return das_fail(err, DAS_E_DATA, "the server gave no answer to \"%s\"", sql);
    }
    for (unsigned i = 0; i < n; i++)
        snprintf(out[i], sizes[i], "%s", row[i] ? row[i] : "");
    mysql_free_result(res);
    return 0;
}

/* --- what the server is -------------------------------------------------------------------- */

static unsigned parse_version(const char *text)
{
    unsigned major = 0, minor = 0, patch = 0;

    /* MariaDB behind some proxies still says "5.5.5-10.11..." as it does to old replicas. */
    if (strncmp(text, "5.5.5-", 6) == 0)
        text += 6;
    sscanf(text, "%3u.%2u.%2u", &major, &minor, &patch);
    return major * 10000 + minor * 100 + patch;
}

struct variables {
    char hostname[256], port[16], server_id[32], uid[64];
};

/* Which of them exist depends on kind and version, so they are asked for by name. */
static int read_variables(struct das_mariadb *m, struct variables *v, struct das_err *err)
{
    static const char sql[] = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('hostname', 'port', "
                              "'server_id', 'server_uid', 'server_uuid')";
    MYSQL_RES *res;
    MYSQL_ROW row;

    memset(v, 0, sizeof *v);
    if (das_mariadb_query(m, sql, sizeof sql - 1, err) < 0)
        return -1;
    res = mysql_store_result(m->my);
    if (!res)
        return das_mariadb_fail(m, m->my, "reading variables", 0, m->url.read_timeout, err);
    while ((row = mysql_fetch_row(res)) != NULL) {
        const char *name = row[0] ? row[0] : "", *value = row[1] ? row[1] : "";
        if (strcmp(name, "hostname") == 0)
            snprintf(v->hostname, sizeof v->hostname, "%s", value);
        else if (strcmp(name, "port") == 0)
            snprintf(v->port, sizeof v->port, "%s", value);
        else if (strcmp(name, "server_id") == 0)
            snprintf(v->server_id, sizeof v->server_id, "%s", value);
        else
            snprintf(v->uid, sizeof v->uid, "%s", value);
    }
    mysql_free_result(res);
    return 0;
}

/* A start time is computed from two whole seconds, so it is right to about one (see
 * das_identity_same). A copied data directory has the same uuid: host and port tell the two
 * apart. */
static int read_identity(struct das_mariadb *m, struct variables *v, struct das_err *err)
{
    char now[32] = "", name[64] = "", uptime[32] = "";
    char *const clock_out[] = {now}, *const uptime_out[] = {name, uptime};
    const size_t clock_size[] = {sizeof now}, uptime_size[] = {sizeof name, sizeof uptime};
    int64_t now_s, up_s;

    if (read_variables(m, v, err) < 0 ||
        first_row(m, "SHOW GLOBAL STATUS LIKE 'Uptime'", uptime_out, uptime_size, 2, err) < 0 ||
        first_row(m, "SELECT UNIX_TIMESTAMP()", clock_out, clock_size, 1, err) < 0)
        return -1;
    snprintf(m->identity.server, sizeof m->identity.server, "%s %.150s:%.10s id %.20s%s%.64s",
             m->server.mariadb ? "mariadb" : "mysql", v->hostname, v->port, v->server_id,
             v->uid[0] ? " " : "", v->uid);
    m->identity.start_unix_s = DAS_UNKNOWN;
    if (das_parse_int(das_text_of(now), &now_s) && das_parse_int(das_text_of(uptime), &up_s))
        m->identity.start_unix_s = now_s - up_s;
    return 0;
}

/*
 * A proxy that shares connections may lead us to another one, or to another server, between two
 * statements. So each list asks again for what we know now, and fails when the answer differs. Only
 * variables that this server has are asked for.
 */
static void make_check(struct das_mysql_server *sv, const struct variables *v)
{
    const struct {
        const char *sql, *value;
    } parts[] = {{"@@hostname", v->hostname}, {"@@port", v->port},
                 {"@@global.server_id", v->server_id}};
    size_t sql = (size_t)snprintf(sv->check_sql, sizeof sv->check_sql,
                                  "CONCAT_WS('|', CONNECTION_ID()");
    size_t text = (size_t)snprintf(sv->check, sizeof sv->check, "%lld", (long long)sv->own_id);

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].value[0])
            continue;
        sql += (size_t)snprintf(sv->check_sql + sql, sizeof sv->check_sql - sql, ", %s",
                                parts[i].sql);
        text += (size_t)snprintf(sv->check + text, sizeof sv->check - text, "|%s",
                                 parts[i].value);
    }
    snprintf(sv->check_sql + sql, sizeof sv->check_sql - sql, ")");
}

static int read_server(struct das_mariadb *m, struct das_err *err)
{
    struct das_mysql_server *sv = &m->server;
    struct variables v;
    char version[128] = "", comment[256] = "", id[32] = "", *at;
    char *const out[] = {version, comment, id, sv->account, sv->user};
    const size_t sizes[] = {sizeof version, sizeof comment, sizeof id, sizeof sv->account,
                            sizeof sv->user};

    memset(sv, 0, sizeof *sv);
    if (first_row(m, "SELECT VERSION(), @@version_comment, CONNECTION_ID(), CURRENT_USER(), USER()",
                  out, sizes, 5, err) < 0)
        return -1;
    at = strrchr(sv->user, '@');
    if (at)
        *at = '\0';
    if (!das_parse_int(das_text_of(id), &sv->own_id))
        return das_fail(err, DAS_E_DATA, "the server calls our connection \"%s\", expected a "
                        "number", id);
    sv->mariadb = strcasestr(version, "mariadb") || strcasestr(comment, "mariadb");
    sv->version = parse_version(version);
    sv->sees_all = sv->sees_trx = true;
    if (read_identity(m, &v, err) < 0)
        return -1;
    make_check(sv, &v);
    if (das_own_add(&m->identity, sv->own_id, err) < 0)
        return -1;
    m->own = true;
    return das_mariadb_choose_columns(m, err);
}

/* --- connecting ---------------------------------------------------------------------------- */

static void set_tls(const struct das_mysql_url *u, MYSQL *my)
{
    my_bool yes = 1, no = 0;

    mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, u->ssl == DAS_SSL_VERIFY ? &yes : &no);
    if (u->ssl != DAS_SSL_OFF) {
        mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_optionsv(my, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
    }
    if (u->ssl_ca)
        mysql_optionsv(my, MYSQL_OPT_SSL_CA, u->ssl_ca);
    if (u->ssl != DAS_SSL_VERIFY && !u->socket)
        mysql_optionsv(my, MARIADB_OPT_RESTRICTED_AUTH, BLIND_AUTH);
}

static void set_options(const struct das_mysql_url *u, MYSQL *my)
{
    unsigned protocol = MYSQL_PROTOCOL_TCP, no_files = 0;

    mysql_optionsv(my, MYSQL_OPT_CONNECT_TIMEOUT, &u->connect_timeout);
    mysql_optionsv(my, MYSQL_OPT_READ_TIMEOUT, &u->read_timeout);
    mysql_optionsv(my, MYSQL_OPT_WRITE_TIMEOUT, &u->write_timeout);
    mysql_optionsv(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(my, MYSQL_OPT_LOCAL_INFILE, &no_files); /* a false server could ask for ours */
    mysql_optionsv(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "das");
    /* Transactions' start times are told in the system's time zone by older servers. */
    mysql_optionsv(my, MYSQL_INIT_COMMAND, "SET time_zone = 'SYSTEM', sql_mode = ''");
    if (u->socket)
        protocol = MYSQL_PROTOCOL_SOCKET;
    /* "localhost" alone means the library's own socket, as for the mysql client; with a port
     * somebody wants that port. */
    if (u->socket || u->port || !das_text_iis(das_text_of(u->host), "localhost"))
        mysql_optionsv(my, MYSQL_OPT_PROTOCOL, &protocol);
    set_tls(u, my);
}

static void where_to(const struct das_mysql_url *u, char *out, size_t size)
{
    if (u->socket)
        snprintf(out, size, "connecting to socket %.300s", u->socket);
    else
        snprintf(out, size, "connecting to %.300s port %u", u->host, u->port ? u->port : 3306);
}

static int open_connection(struct das_mariadb *m, const struct das_mysql_login *login,
                           struct das_err *err)
{
    const struct das_mysql_url *u = &m->url;
    MYSQL *my = mysql_init(NULL), *done;
    int64_t start_ms = das_clock_monotonic_ms();
    char doing[400];

    if (!my)
        return das_fail_nomem(err);
    set_options(u, my);
    where_to(u, doing, sizeof doing);
    done = mysql_real_connect(my, u->host, login->user, login->password, NULL, u->port, u->socket,
                              0);
    if (my->passwd) /* the library keeps it for reconnects, which we do not do */
        explicit_bzero(my->passwd, strlen(my->passwd));
    if (!done) {
        das_mariadb_fail(m, my, doing, das_clock_monotonic_ms() - start_ms, u->connect_timeout,
                         err);
        mysql_close(my);
        return -1;
    }
    /* "Enforce" alone does not stop the library where the server cannot do TLS. */
    if (u->ssl != DAS_SSL_OFF && !mysql_get_ssl_cipher(my)) {
        mysql_close(my);
        return das_fail(err, DAS_E_CONNECT,
                        "%s: the server offers no TLS, but ssl=%s asks for it; ssl=off goes "
                        "without, where the network is trusted",
                        doing, u->ssl == DAS_SSL_VERIFY ? "verify" : "encrypt");
    }
    m->my = my;
    return 0;
}

int das_mariadb_connect(struct das_mariadb *m, struct das_err *err)
{
    struct das_mysql_login login;
    int rc;

    pthread_once(&library_once, start_library);
    das_mariadb_disconnect(m);
    if (das_mysql_login_read(m->url.user, m->password_file, m->password_env, &login, err) < 0)
        return -1;
    rc = open_connection(m, &login, err);
    das_mysql_login_clear(&login);
    if (rc < 0)
        return -1;
    if (read_server(m, err) < 0) {
        das_mariadb_disconnect(m);
        return -1;
    }
    return 0;
}
