/*
 * notify.c - see notify.h. Each call opens a socket of its own and closes it, so that nothing is
 * kept. Never fails: a manager that cannot be told acts by its own time limits.
 */
#include "core/serve/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/text.h"

/* An address as the manager writes it: a path, or "@" and a name that is in no folder. 0: it is
 * neither, or too long. */
static socklen_t read_address(const char *text, struct sockaddr_un *to)
{
    size_t len = strlen(text);

    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof to->sun_path)
        return 0;
    memcpy(to->sun_path, text, len);
    if (text[0] == '@')
        to->sun_path[0] = '\0';
    /* the name has no end but its length, the path has its NUL */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
}

void das_notify(const char *state)
{
    /* a manager that does not read must not stop what it watches */
    static const struct timeval patience = {.tv_sec = 1};
    const char *where = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to;
    socklen_t size;
    int fd;

    size = where ? read_address(where, &to) : 0;
    fd = size ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, size);
    close(fd);
}

int64_t das_notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t us = 0, whom = 0;

    if (!usec || !das_parse_int(das_text_of(usec), &us) || us <= 0)
        return 0;
    if (pid && (!das_parse_int(das_text_of(pid), &whom) || whom != getpid()))
        return 0; /* it watches another process, of which this one is a child */
    return us < 4000 ? 1 : us / 2000;
}
