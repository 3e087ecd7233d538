/*
 * web.h - a web server in a process of its own that gives one answer, as fast as it can, and what
 * the benchmarks against it share.
 */
#ifndef DAS_TESTS_BENCH_WEB_H
#define DAS_TESTS_BENCH_WEB_H

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline void bench_answer_all(int listener, const char *answer)
{
    static char in[65536];
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, got[128];
    int poll = epoll_create1(0);
    size_t size = strlen(answer);

    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &ev);
    for (;;) {
        int n = epoll_wait(poll, got, 128, -1);
        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;
            ssize_t len;
            if (fd == listener) {
                ev.data.fd = accept(listener, NULL, NULL);
                if (ev.data.fd >= 0)
                    epoll_ctl(poll, EPOLL_CTL_ADD, ev.data.fd, &ev);
                continue;
            }
            len = read(fd, in, sizeof in); /* a small request on this machine comes in one piece */
            if (len <= 0 || write(fd, answer, size) < 0)
                close(fd);
        }
    }
}

/* The port; *pid is to be killed. */
static inline int bench_serve(const char *answer, pid_t *pid)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    for (int port = 21000; port < 32000; port++) {
        at.sin_port = htons((uint16_t)port);
        if (bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 256) == 0) {
            *pid = fork();
            if (*pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                bench_answer_all(listener, answer);
            }
            close(listener);
            return port;
        }
    }
    exit(1);
}

/* Runs client in n threads; how many of them a second. */
static inline double bench_round(void *(*client)(void *), int n)
{
    pthread_t threads[256];
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < n; i++) {
        if (pthread_create(&threads[i], NULL, client, NULL) != 0)
            exit(1);
    }
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return n / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

static inline int bench_by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return (a > b) - (a < b);
}

#endif
