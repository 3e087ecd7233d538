/*
 * mysql_url.h - what follows "mysql:" in a spec: who to be, where to connect, how to be sure of it.
 *
 * Only the MariaDB source uses it. It reads text and nothing else: no file, no environment, no
 * network. A password has no place in a URL, because URLs end up in process lists, shell histories
 * and logs; one that is found there is refused and never repeated.
 */
#ifndef DAS_SOURCE_MYSQL_URL_H
#define DAS_SOURCE_MYSQL_URL_H

#include "core/base/err.h"
#include "core/base/text.h"

enum das_mysql_ssl {
    DAS_SSL_OFF,     /* plain; the default where the way is local */
    DAS_SSL_ENCRYPT, /* TLS with whoever answers */
    DAS_SSL_VERIFY,  /* TLS, certificate and host name checked; the default elsewhere */
};

struct das_mysql_url {
    char *user;    /* NULL: not named */
    char *host;    /* never NULL; IPv6 without brackets */
    char *socket;  /* NULL: host and port, or the client library's own socket for "localhost" */
    char *ssl_ca;  /* NULL: the system's certificate authorities */
    unsigned port; /* 0: not named */
    enum das_mysql_ssl ssl;
    unsigned connect_timeout, read_timeout, write_timeout; /* s, >= 1 */
};

/* rest is "//user@host:port/?key=value&...". On success the caller clears out; on failure out is
 * empty and err is DAS_E_USAGE. */
int das_mysql_url_parse(const char *rest, struct das_mysql_url *out, struct das_err *err);
void das_mysql_url_clear(struct das_mysql_url *u);

#endif
