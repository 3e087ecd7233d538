/* test_conns.c - who may come in, and what moves a deadline. */
#include "core/serve/conns.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "tests/unit/tap.h"

static struct das_conns *conns(size_t connections, size_t per_address, int64_t deadline_ms)
{
    struct das_conns_conf conf = {
        .connections = connections, .per_address = per_address, .deadline_ms = deadline_ms};
    struct das_conns *all;
    struct das_err err;

    must(das_conns_new(&conf, &all, &err) == 0, "a list for %zu", connections);
    return all;
}

static bool enter(struct das_conns *all, struct das_conn *c, const char *from)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, from, &in.sin_addr) == 1)
        memcpy(&ss, &in, sizeof in);
    else if (inet_pton(AF_INET6, from, &in6.sin6_addr) == 1)
        memcpy(&ss, &in6, sizeof in6);
    return das_conn_enter(all, c, (struct sockaddr *)&ss);
}

static void addresses(void)
{
    struct das_conns *all = conns(6, 2, 60000);
    struct das_conn c[6];
    struct das_conns_load load;

    ok(enter(all, &c[0], "10.0.0.1") && enter(all, &c[1], "10.0.0.1"), "two from an address");
    ok(!enter(all, &c[2], "10.0.0.1"), "no third");
    ok(enter(all, &c[2], "10.0.0.2"), "one from the next");
    ok(enter(all, &c[3], "2001:db8::1") && enter(all, &c[4], "2001:db8::ffff:2"),
       "two of one IPv6 network");
    ok(!enter(all, &c[5], "2001:db8::3"), "no third of it");
    ok(enter(all, &c[5], "2001:db8:0:1::1"), "one of the next");
    das_conn_leave(&c[0]);
    ok(enter(all, &c[0], "10.0.0.1"), "one leaves, and one may come");
    das_conn_leave(&c[2]);
    das_conn_leave(&c[5]);
    ok(!enter(all, &c[2], "10.0.0.1"), "others who leave do not help");
    ok(enter(all, &c[2], "10.0.0.3") && enter(all, &c[5], "10.0.0.4"), "the list is full");
    struct das_conn more;
    ok(!enter(all, &more, "10.0.0.5"), "and nobody else comes in");
    das_conns_load(all, &load);
    is_int(load.open, 6, "six");
    is_int(load.refused, 4, "four were refused");
    for (size_t i = 0; i < 6; i++)
        das_conn_leave(&c[i]);
    das_conns_load(all, &load);
    is_int(load.open, 0, "none");
    das_conns_free(all);
}

static bool is_shut(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void deadlines(void)
{
    struct das_conns *all = conns(4, 4, 60000);
    struct das_conn c;
    int pair[2];
    int64_t until;

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "a pair of sockets");
    must(enter(all, &c, "10.0.0.1"), "one comes in");
    das_conn_open(&c, pair[0]);
    until = c.until;
    c.until -= 1000; /* as if a second had gone by */
    ok(das_conn_step(&c, DAS_CONN_READING) && c.until == until - 1000,
       "a request that comes moves no deadline");
    ok(das_conn_step(&c, DAS_CONN_RUNNING) && c.until == INT64_MAX, "a handler has none");
    ok(das_conn_step(&c, DAS_CONN_SENDING) && c.until >= until && c.until < INT64_MAX,
       "an answer has a new one");
    c.until -= 1000;
    ok(das_conn_step(&c, DAS_CONN_IDLE) && c.until >= until && c.until < INT64_MAX,
       "and so has the wait for the next request");
    ok(!is_shut(pair[1]), "the socket is as it was");
    c.until = 1;
    das_conns_wake(all);
    while (!das_conn_is(&c, DAS_CONN_CUT))
        usleep(1000);
    ok(is_shut(pair[1]), "it is shut down when its deadline has passed");
    ok(!das_conn_step(&c, DAS_CONN_READING) && !das_conn_step(&c, DAS_CONN_RUNNING),
       "and nothing follows");
    das_conn_leave(&c);
    close(pair[0]);
    close(pair[1]);
    das_conns_free(all);
}

static void drained(void)
{
    static const enum das_conn_phase phases[] = {DAS_CONN_IDLE, DAS_CONN_READING, DAS_CONN_RUNNING,
                                                 DAS_CONN_SENDING};
    struct das_conns *all = conns(5, 5, 60000);
    struct das_conns_load load;
    struct das_conn c[4], late, last;
    int pair[6][2];

    for (int i = 0; i < 6; i++)
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]) == 0, "a pair of sockets");
    for (int i = 0; i < 4; i++) {
        enter(all, &c[i], "10.0.0.1");
        das_conn_open(&c[i], pair[i][0]);
        das_conn_step(&c[i], phases[i]);
    }
    enter(all, &late, "10.0.0.1");
    das_conns_load(all, &load);
    is_int(load.busy, 2, "two are busy");
    das_conns_drain(all);
    ok(is_shut(pair[0][1]), "who was idle is shut down");
    for (int i = 1; i < 4; i++)
        ok(!is_shut(pair[i][1]), "who has a request is not");
    ok(!enter(all, &last, "10.0.0.2"), "nobody comes in");
    das_conn_open(&late, pair[4][0]);
    ok(is_shut(pair[4][1]), "who was just coming is shut down");
    is_int(das_conns_wait(all, 0), 3, "three are in flight");
    for (int i = 1; i < 4; i++) {
        ok(das_conn_step(&c[i], DAS_CONN_IDLE), "its request ends");
        ok(is_shut(pair[i][1]), "and it is shut down");
    }
    is_int(das_conns_wait(all, 60000), 0, "none is in flight");
    das_conns_load(all, &load);
    is_int(load.cut, 0, "nobody was late");
    for (int i = 0; i < 4; i++)
        das_conn_leave(&c[i]);
    das_conn_leave(&late);
    for (int i = 0; i < 6; i++) {
        close(pair[i][0]);
        close(pair[i][1]);
    }
    das_conns_free(all);
}

/* Of whom half a request was seen cannot keep a server from ending until its own deadline. */
static void hurried(void)
{
    struct das_conns *all = conns(2, 2, INT64_MAX / 4);
    struct das_conn half, whole;
    int pair[2][2];

    for (int i = 0; i < 2; i++)
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]) == 0, "a pair of sockets");
    must(enter(all, &half, "10.0.0.1") && enter(all, &whole, "10.0.0.1"), "two come in");
    das_conn_open(&half, pair[0][0]);
    das_conn_step(&half, DAS_CONN_READING);
    das_conn_open(&whole, pair[1][0]);
    das_conn_step(&whole, DAS_CONN_RUNNING);
    das_conns_drain(all);
    ok(!is_shut(pair[0][1]), "half a request may still become a whole one");
    while (!das_conn_is(&half, DAS_CONN_CUT))
        usleep(1000);
    ok(is_shut(pair[0][1]), "but not for ever");
    ok(!is_shut(pair[1][1]), "what is being answered is answered");
    das_conn_leave(&half);
    das_conn_leave(&whole);
    for (int i = 0; i < 2; i++) {
        close(pair[i][0]);
        close(pair[i][1]);
    }
    das_conns_free(all);
}

int main(void)
{
    addresses();
    deadlines();
    drained();
    hurried();
    return tap_done();
}
