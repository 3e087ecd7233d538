/*
 * clock.c - the clock of the build for crash tests: the machine's, and ahead of it by what a test
 * says.
 *
 * Linked into das-faults alone, where the linker leads our calls of the C library's clock here
 * (-Wl,--wrap); libraries keep the machine's time, and so does the program that is installed, of
 * which not one byte is different. The variable DAS_CLOCK names a file of eight bytes: by how many
 * milliseconds both clocks, of the day and of what went by, are ahead. A test writes into it while
 * das runs, only ever more. A thread that waits for a moment looks 20 times a second whether it has
 * come; without DAS_CLOCK everything is as ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 50000000
#define SECOND 1000000000

/* The linker's names for what is meant, and for what is there. */
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __real_nanosleep(const struct timespec *want, struct timespec *left);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_nanosleep(const struct timespec *want, struct timespec *left);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until);

static const atomic_int_least64_t *ahead_ms;

/* A clock that a test asked for and does not get must not be the machine's in silence. */
__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("DAS_CLOCK");
    void *at;
    int fd;

    if (!path)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        perror(path);
        _exit(127);
    }
    close(fd);
    ahead_ms = at;
}

static int64_t ns_of(const struct timespec *ts)
{
    return (int64_t)ts->tv_sec * SECOND + ts->tv_nsec;
}

static struct timespec moment(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
}

static int64_t ahead_ns(void)
{
    return atomic_load(ahead_ms) * 1000000;
}

static int64_t machine_ns(void)
{
    struct timespec ts;

    __real_clock_gettime(CLOCK_MONOTONIC, &ts);
    return ns_of(&ts);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = __real_clock_gettime(id, ts);

    if (rc == 0 && ahead_ms && (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC))
        *ts = moment(ns_of(ts) + ahead_ns());
    return rc;
}

/* Every condition of das that is waited for with an end has the monotonic clock. To come back early
 * is allowed: who waits looks again at what it waits for. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until)
{
    int64_t soon = machine_ns() + LOOK_NS, end;
    struct timespec at;
    int rc;

    if (!ahead_ms)
        return __real_pthread_cond_timedwait(c, m, until);
    end = ns_of(until) - ahead_ns();
    if (end < 0)
        end = 0; /* long ago */
    at = moment(end < soon ? end : soon);
    rc = __real_pthread_cond_timedwait(c, m, &at);
    if (rc == ETIMEDOUT && machine_ns() + ahead_ns() < ns_of(until))
        return 0;
    return rc;
}

int __wrap_nanosleep(const struct timespec *want, struct timespec *left)
{
    int64_t end, now;

    if (!ahead_ms)
        return __real_nanosleep(want, left);
    end = machine_ns() + ahead_ns() + ns_of(want);
    while ((now = machine_ns() + ahead_ns()) < end) {
        struct timespec ts = moment(end - now < LOOK_NS ? end - now : LOOK_NS);
        if (__real_nanosleep(&ts, NULL) < 0) {
            now = machine_ns() + ahead_ns();
            if (left)
                *left = moment(now < end ? end - now : 0);
            return -1;
        }
    }
    return 0;
}
