/* test_notify.c - what the service manager gets, over sockets as it makes them: in a folder and in
 * none; and when it wants to hear again. */
#include "core/serve/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/tap.h"

/* Listens at that address, written as the manager writes it. */
static int listen_at(const char *where)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = strlen(where);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    must(len < sizeof a.sun_path, "%s fits", where);
    memcpy(a.sun_path, where, len);
    if (where[0] == '@')
        a.sun_path[0] = '\0';
    must(bind(fd, (struct sockaddr *)&a,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (where[0] == '/'))) == 0,
         "listens at %s", where);
    return fd;
}

/* The next message, which has been sent already or never will be; "" when there is none. */
static const char *heard(int fd)
{
    static char text[1000];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void tell(const char *where)
{
    int fd = listen_at(where);

    setenv("NOTIFY_SOCKET", where, 1);
    das_notify("READY=1\nSTATUS=6 instances at http://127.0.0.1:7070");
    das_notify("WATCHDOG=1");
    is_str(heard(fd), "READY=1\nSTATUS=6 instances at http://127.0.0.1:7070",
           "%s: the first message, whole", where);
    is_str(heard(fd), "WATCHDOG=1", "%s: and the second", where);
    is_str(heard(fd), "", "%s: no third", where);
    close(fd);
    das_notify("STOPPING=1"); /* to nobody */
    ok(1, "%s: nobody there is no end", where);
}

/* A manager that has stopped reading holds nothing up for ever. */
static void deaf(const char *where)
{
    int fd = listen_at(where), fill = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    memcpy(a.sun_path, where, strlen(where));
    while (sendto(fill, "x", 1, 0, (struct sockaddr *)&a, sizeof a) == 1)
        ;
    setenv("NOTIFY_SOCKET", where, 1);
    das_notify("WATCHDOG=1");
    ok(1, "a manager that does not read: das_notify() comes back");
    close(fd);
    close(fill);
    unlink(where);
}

static void nowhere(void)
{
    char longer[200];
    int fd = listen_at("@das-test-nowhere");

    memset(longer, 'x', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    unsetenv("NOTIFY_SOCKET");
    das_notify("READY=1");
    setenv("NOTIFY_SOCKET", "", 1);
    das_notify("READY=1");
    setenv("NOTIFY_SOCKET", "das-test-nowhere", 1);
    das_notify("READY=1");
    setenv("NOTIFY_SOCKET", "@", 1);
    das_notify("READY=1");
    setenv("NOTIFY_SOCKET", longer, 1);
    das_notify("READY=1");
    longer[0] = '@';
    setenv("NOTIFY_SOCKET", longer, 1);
    das_notify("READY=1");
    is_str(heard(fd), "", "without an address, or with one that cannot be, nothing is sent");
    close(fd);
}

static void watchdog(const char *usec, const char *pid, int64_t want, const char *what)
{
    if (usec)
        setenv("WATCHDOG_USEC", usec, 1);
    else
        unsetenv("WATCHDOG_USEC");
    if (pid)
        setenv("WATCHDOG_PID", pid, 1);
    else
        unsetenv("WATCHDOG_PID");
    is_int(das_notify_watchdog_ms(), want, "watchdog: %s", what);
}

int main(void)
{
    char path[64] = "/tmp/das-test-XXXXXX", where[100], name[100], me[20], other[20];

    must(mkdtemp(path) != NULL, "a folder");
    snprintf(where, sizeof where, "%s/notify", path);
    tell(where);
    unlink(where);
    deaf(where);
    snprintf(name, sizeof name, "@das-test/%d", (int)getpid());
    tell(name);
    nowhere();
    rmdir(path);
    snprintf(me, sizeof me, "%d", (int)getpid());
    snprintf(other, sizeof other, "%d", (int)getpid() + 1);
    watchdog(NULL, NULL, 0, "not wanted");
    watchdog("30000000", NULL, 15000, "half of 30 s");
    watchdog("30000000", me, 15000, "of this process");
    watchdog("30000000", other, 0, "of another one");
    watchdog("30000000", "x", 0, "of who knows whom");
    watchdog("1", NULL, 1, "as often as can be");
    watchdog("0", NULL, 0, "0");
    watchdog("-5", NULL, 0, "less than 0");
    watchdog("30s", NULL, 0, "no number");
    watchdog("9223372036854775807", NULL, INT64_MAX / 2000, "hardly ever");
    return tap_done();
}
