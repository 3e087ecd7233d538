/*
 * conns.h - the open connections of a server: how many there may be, of each address and in all,
 * and until when each may go on.
 *
 * A connection that waits, for a request or for its answer to be taken, has a deadline that nothing
 * the client sends moves. A thread of this file cuts what is past it: shuts the socket down, which
 * wakes the connection's own thread; it closes nothing. Knows no HTTP.
 */
#ifndef DAS_SERVE_CONNS_H
#define DAS_SERVE_CONNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/base/err.h"

enum das_conn_phase {
    DAS_CONN_IDLE,    /* nothing of a request was seen. A new deadline */
    DAS_CONN_READING, /* a request is coming. The deadline of before */
    DAS_CONN_RUNNING, /* it is being answered. No deadline */
    DAS_CONN_SENDING, /* the answer is being taken. A new deadline */
    DAS_CONN_CUT,     /* it will be closed; no other phase follows */
};

struct das_conns;

/* Embedded by the server in what it keeps for a connection. All of it is private to conns.c. */
struct das_conn {
    struct das_conns *all;
    size_t index;
    int fd; /* -1: not yet known */
    pthread_mutex_t lock;
    enum das_conn_phase phase;
    int64_t until;
};

struct das_conns_conf {
    size_t connections, per_address; /* of IPv6, an address is what one customer has: a /64 */
    int64_t deadline_ms;
    /* Called by the thread now and then, and soon after das_conns_wake(), without a lock. */
    void (*tidy)(void *arg);
    void *arg;
};

int das_conns_new(const struct das_conns_conf *conf, struct das_conns **out, struct das_err *err);
/* Stops the thread. All connections have left. NULL is fine. */
void das_conns_free(struct das_conns *all);
void das_conns_wake(struct das_conns *all);

/* A place for a connection from there. When all are taken, the one that has waited longest without a
 * whole request is cut for it. False: too many all the same, or from there, or draining; nothing is
 * held. */
bool das_conn_enter(struct das_conns *all, struct das_conn *c, const struct sockaddr *from);
/* Its socket. It is idle from now on. */
void das_conn_open(struct das_conn *c, int fd);
/* Before its socket is closed. */
void das_conn_leave(struct das_conn *c);
/* False: it was cut before; the caller ends it. */
bool das_conn_step(struct das_conn *c, enum das_conn_phase phase);
bool das_conn_is(struct das_conn *c, enum das_conn_phase phase);

struct das_conns_load {
    size_t open, busy; /* busy: running or sending */
    uint64_t accepted, refused, cut;
};
void das_conns_load(struct das_conns *all, struct das_conns_load *out);

/* Nobody enters any more; whoever is idle or becomes it is cut, without being counted as cut. Of whom
 * half a request was seen, the rest has to come soon: nothing was done for it yet. */
void das_conns_drain(struct das_conns *all);
bool das_conns_draining(const struct das_conns *all);
/* Until nothing is in flight any more, or after ms; how many still are. */
size_t das_conns_wait(struct das_conns *all, int64_t ms);
/* Cuts all of them, whatever they do. */
void das_conns_cut_all(struct das_conns *all);

#endif
