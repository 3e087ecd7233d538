/*
 * mariadb_error.c - what the client library and the server report, in das's words.
 *
 * Used by the MariaDB source only. A message says what to do where something can be done: which
 * GRANT is missing, which TLS parameter to give. It holds no secret: the library's texts name the
 * user and the host, never the password.
 */
#include "core/source/mariadb_impl.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

/* Numbers that MySQL has and MariaDB's header lacks or names otherwise. */
#define MYSQL_ACCOUNT_LOCKED 3118
#define MYSQL_INTERACTION_TIMEOUT 4031
#define MYSQL_STATEMENT_TIMEOUT 3024

bool das_mariadb_is_lost(unsigned number)
{
    switch (number) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_ERR_NET_READ:
    case CR_ERR_NET_WRITE:
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_MALFORMED_PACKET:
    case CR_UNKNOWN_ERROR:
    case CR_SSL_CONNECTION_ERROR:
    case ER_CONNECTION_KILLED:
    case ER_SERVER_SHUTDOWN:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case MYSQL_INTERACTION_TIMEOUT:
        return true;
    default:
        return false;
    }
}

static enum das_code code_of(unsigned number)
{
    switch (number) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_HOST_NOT_PRIVILEGED:
    case ER_MUST_CHANGE_PASSWORD:
    case ER_MUST_CHANGE_PASSWORD_LOGIN:
    case ER_ACCOUNT_HAS_BEEN_LOCKED:
    case MYSQL_ACCOUNT_LOCKED:
    case CR_AUTH_PLUGIN_CANNOT_LOAD:
    case CR_AUTH_PLUGIN_ERR:
        return DAS_E_AUTH;
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_PROCACCESS_DENIED_ERROR:
    case ER_KILL_DENIED_ERROR:
    case ER_KILL_QUERY_DENIED_ERROR:
        return DAS_E_DENIED;
    case ER_STATEMENT_TIMEOUT:
    case MYSQL_STATEMENT_TIMEOUT:
        return DAS_E_TIMEOUT;
    case CR_OUT_OF_MEMORY:
        return DAS_E_NOMEM;
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:
    case CR_IPSOCK_ERROR:
    case CR_SERVER_HANDSHAKE_ERR:
    case CR_VERSION_ERROR:
    case ER_CON_COUNT_ERROR:
    case ER_HANDSHAKE_ERROR:
    case ER_HOST_IS_BLOCKED:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
        return DAS_E_CONNECT;
    default:
        return das_mariadb_is_lost(number) ? DAS_E_CONNECT : DAS_E_DATA;
    }
}

void das_mariadb_account(const struct das_mariadb *m, char *out, size_t size)
{
    const char *account = m->server.account, *at = strrchr(account, '@');
    size_t n = 0;

    if (!at) {
        snprintf(out, size, "CURRENT_USER()");
        return;
    }
    for (const char *p = account; *p && n + 8 < size; p++) {
        if (p == account)
            out[n++] = '\'';
        if (p == at) {
            memcpy(out + n, "'@'", 3);
            n += 3;
            continue;
        }
        if (*p == '\'')
            out[n++] = '\'';
        out[n++] = *p;
    }
    snprintf(out + n, size - n, "'");
}

const char *das_mariadb_kill_privilege(const struct das_mariadb *m)
{
    if (m->server.mariadb)
        return m->server.version >= 100502 ? "CONNECTION ADMIN" : "SUPER";
    return m->server.version >= 80000 ? "CONNECTION_ADMIN" : "SUPER";
}

static const char *tls_advice(const struct das_mariadb *m, const char *text)
{
    if (strstr(text, "not support"))
        return "; the server offers no TLS: ssl=off goes without, where the network is trusted";
    if (m->url.ssl == DAS_SSL_VERIFY)
        return "; ssl_ca=PATH names the authority that signed the server's certificate, the host "
               "in the URL has to be one that it names; ssl=encrypt does not check who answers, "
               "ssl=off goes without TLS";
    return "; ssl=off goes without TLS, where the network is trusted";
}

static const char *advice(const struct das_mariadb *m, unsigned number, const char *text)
{
    switch (number) {
    case CR_SSL_CONNECTION_ERROR:
        return tls_advice(m, text);
    case ER_CON_COUNT_ERROR:
        return "; a das that runs already keeps its connection";
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        return "; the password comes from password_file, password_env or ~/.my.cnf";
    default:
        return "";
    }
}

int das_mariadb_fail(struct das_mariadb *m, MYSQL *my, const char *doing, int64_t waited_ms,
                     unsigned limit_s, struct das_err *err)
{
    unsigned number = mysql_errno(my);
    const char *text = mysql_error(my);
    enum das_code code = code_of(number);
    char account[1000];

    /* The library reports a timeout like any other lost connection; the clock tells. */
    if (code == DAS_E_CONNECT && number != ER_CON_COUNT_ERROR &&
        waited_ms >= (int64_t)limit_s * 1000 - 50)
        return das_fail(err, DAS_E_TIMEOUT, "%s: timeout, no answer within %u s (%s)", doing,
                        limit_s, text);
    switch (number) {
    case ER_KILL_DENIED_ERROR:
    case ER_KILL_QUERY_DENIED_ERROR:
        das_mariadb_account(m, account, sizeof account);
        return das_fail(err, code, "%s: %s (error %u); GRANT %s ON *.* TO %s", doing, text, number,
                        das_mariadb_kill_privilege(m), account);
    default:
        return das_fail(err, code, "%s: %s (error %u)%s", doing, text, number,
                        advice(m, number, text));
    }
}
