/* listen.c - see listen.h. */
#include "core/serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/http/address.h"

int das_listen_at(const char *where, char *told, size_t told_size, struct das_err *err)
{
    const char *colon = strrchr(where, ':');
    bool six = where[0] == '[' && colon && colon > where && colon[-1] == ']';
    struct addrinfo hints = {.ai_family = six ? AF_INET6 : AF_INET,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE},
                    *found = NULL;
    struct sockaddr_storage at = {0};
    socklen_t at_len = sizeof at;
    char host[DAS_ADDRESS_TEXT], port[8];
    int fd = -1, on = 1;

    if (!colon || (size_t)(colon - where) >= sizeof host || !colon[1] || strlen(colon + 1) > 5)
        return das_fail(err, DAS_E_CONFIG, "listen: \"%s\" is not ADDRESS:PORT", where);
    snprintf(host, sizeof host, "%.*s", (int)(colon - where - 2 * six), where + six);
    snprintf(port, sizeof port, "%s", colon + 1);
    if (strspn(port, "0123456789") != strlen(port) || atoi(port) > 65535 ||
        getaddrinfo(host, port, &hints, &found) != 0)
        return das_fail(err, DAS_E_CONFIG, "listen: \"%s\" is not ADDRESS:PORT", where);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &at_len) < 0) {
        das_fail(err, DAS_E_IO, "cannot listen at %s: %s", where, strerror(errno));
        if (fd >= 0)
            close(fd);
        freeaddrinfo(found);
        return -1;
    }
    freeaddrinfo(found);
    das_address_text((struct sockaddr *)&at, host);
    snprintf(told, told_size, six ? "[%s]:%d" : "%s:%d", host,
             ntohs(six ? ((struct sockaddr_in6 *)&at)->sin6_port
                       : ((struct sockaddr_in *)&at)->sin_port));
    return fd;
}
