/* listen.h - sockets that listen, for httpd.c. */
#ifndef DAS_SERVE_LISTEN_H
#define DAS_SERVE_LISTEN_H

#include <stddef.h>

#include "core/base/err.h"

/* A socket that listens at "ADDRESS:PORT" ("127.0.0.1:7070", "[::1]:0"; port 0: any), and where
 * that is (told). Numeric addresses; an IPv6 one takes no IPv4. DAS_E_CONFIG, DAS_E_IO. */
int das_listen_at(const char *where, char *told, size_t told_size, struct das_err *err);

#endif
