/*
 * mysql_login.h - which user and which password: from a file, the environment or ~/.my.cnf.
 *
 * Only the MariaDB source uses it, once for each connection it makes, so that a changed password
 * is taken up and none stays in memory. ~/.my.cnf is read here and not by the client library: the
 * library lets that file override what was asked for in the URL, certificate checks included.
 * Never from argv, and never into a message.
 */
#ifndef DAS_SOURCE_MYSQL_LOGIN_H
#define DAS_SOURCE_MYSQL_LOGIN_H

#include "core/base/err.h"

struct das_mysql_login {
    char *user;     /* NULL: the name of the operating system's user */
    char *password; /* NULL: none */
};

/* file, env and user may be NULL. ~/.my.cnf is looked at only for what they leave open: its groups
 * [client], [client-server] and [client-mariadb], keys user and password. An own password_file or
 * ~/.my.cnf with a password that others can read is refused (DAS_E_CONFIG). On failure out is
 * empty. */
int das_mysql_login_read(const char *user, const char *file, const char *env,
                         struct das_mysql_login *out, struct das_err *err);
/* Overwrites the password before freeing it. */
void das_mysql_login_clear(struct das_mysql_login *l);

#endif
