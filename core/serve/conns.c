/*
 * conns.c - see conns.h. Owns the list of connections and the thread that cuts them.
 *
 * Two locks: the list's, and each connection's own, taken after it. A connection's thread takes
 * only its own, four times a request, so that connections do not wait for each other. The socket of
 * a connection that is in the list is open: das_conn_leave() needs the list's lock.
 */
#include "core/serve/conns.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/cond.h"
#include "core/base/mem.h"

#define HURRY_MS 5000

struct address {
    uint64_t bits;
    int family;
};

struct place {
    struct address from;
    struct das_conn *conn;
};

/* Of those that were cut to make room and have not left yet. */
static size_t spare(const struct das_conns_conf *conf)
{
    return 16 + conf->connections / 16;
}

struct das_conns {
    struct das_conns_conf conf;
    pthread_mutex_t lock;
    pthread_cond_t wake, calm; /* for the thread; for who waits until nothing is in flight */
    pthread_t thread;
    struct place *places; /* the first count of them are taken */
    size_t count;
    uint64_t accepted, refused, cut;
    bool woken, ending;
    atomic_bool draining;
};

static struct timespec moment(int64_t monotonic_ms)
{
    return (struct timespec){monotonic_ms / 1000, (long)(monotonic_ms % 1000) * 1000000};
}

static struct address address_of(const struct sockaddr *sa)
{
    struct address a = {.family = sa->sa_family};

    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        a.bits = in.sin_addr.s_addr;
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        memcpy(&a.bits, &in6.sin6_addr, sizeof a.bits);
    }
    return a;
}

/* Under its lock. */
static void cut(struct das_conn *c)
{
    c->phase = DAS_CONN_CUT;
    c->until = INT64_MAX;
    if (c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
}

/* Under the list's lock: cuts what is late, and says when it has to look again. No deadline that is
 * set meanwhile comes before that. */
static int64_t cut_late(struct das_conns *all)
{
    int64_t now = das_clock_monotonic_ms(), next = now + all->conf.deadline_ms;

    for (size_t i = 0; i < all->count; i++) {
        struct das_conn *c = all->places[i].conn;
        pthread_mutex_lock(&c->lock);
        if (c->until <= now) {
            /* the system would keep what it has of the answer for long after the connection is
             * closed */
            if (c->phase == DAS_CONN_SENDING)
                setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                           sizeof(struct linger));
            cut(c);
            all->cut++;
        } else if (c->until < next) {
            next = c->until;
        }
        pthread_mutex_unlock(&c->lock);
    }
    return next;
}

static void *watch(void *arg)
{
    struct das_conns *all = arg;

    pthread_mutex_lock(&all->lock);
    while (!all->ending) {
        struct timespec next;
        all->woken = false;
        next = moment(cut_late(all));
        if (all->conf.tidy) {
            pthread_mutex_unlock(&all->lock);
            all->conf.tidy(all->conf.arg);
            pthread_mutex_lock(&all->lock);
        }
        if (!all->woken && !all->ending)
            pthread_cond_timedwait(&all->wake, &all->lock, &next);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

int das_conns_new(const struct das_conns_conf *conf, struct das_conns **out, struct das_err *err)
{
    struct das_conns *all = das_calloc(1, sizeof *all);

    *out = NULL;
    if (!all)
        return das_fail_nomem(err);
    all->conf = *conf;
    all->places = das_calloc(conf->connections + spare(conf), sizeof *all->places);
    if (!all->places) {
        das_free(all);
        return das_fail_nomem(err);
    }
    pthread_mutex_init(&all->lock, NULL);
    das_cond_init(&all->wake);
    das_cond_init(&all->calm);
    if (pthread_create(&all->thread, NULL, watch, all) != 0) {
        all->ending = true;
        pthread_cond_destroy(&all->wake);
        pthread_cond_destroy(&all->calm);
        pthread_mutex_destroy(&all->lock);
        das_free(all->places);
        das_free(all);
        return das_fail(err, DAS_E_IO, "no thread for deadlines");
    }
    *out = all;
    return 0;
}

void das_conns_free(struct das_conns *all)
{
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    all->ending = true;
    pthread_cond_signal(&all->wake);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_cond_destroy(&all->wake);
    pthread_cond_destroy(&all->calm);
    pthread_mutex_destroy(&all->lock);
    das_free(all->places);
    das_free(all);
}

void das_conns_wake(struct das_conns *all)
{
    pthread_mutex_lock(&all->lock);
    all->woken = true;
    pthread_cond_signal(&all->wake);
    pthread_mutex_unlock(&all->lock);
}

/* Under the list's lock. When the house is full, whoever has waited longest without a whole request
 * makes room: so those who hold connections and send nothing do not keep out those who ask. False:
 * nobody can. */
static bool make_room(struct das_conns *all)
{
    struct das_conn *longest = NULL;
    int64_t until = INT64_MAX;

    if (all->count < all->conf.connections)
        return true;
    if (all->count >= all->conf.connections + spare(&all->conf))
        return false;
    for (size_t i = 0; i < all->count; i++) {
        struct das_conn *c = all->places[i].conn;
        pthread_mutex_lock(&c->lock);
        if (c->phase <= DAS_CONN_READING && c->until < until) {
            longest = c;
            until = c->until;
        }
        pthread_mutex_unlock(&c->lock);
    }
    if (!longest)
        return false;
    pthread_mutex_lock(&longest->lock);
    if (longest->phase <= DAS_CONN_READING) {
        cut(longest);
        all->cut++;
    }
    pthread_mutex_unlock(&longest->lock);
    return true;
}

bool das_conn_enter(struct das_conns *all, struct das_conn *c, const struct sockaddr *from)
{
    struct address a = address_of(from);
    size_t same = 0;
    bool good;

    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->count; i++)
        same += all->places[i].from.bits == a.bits && all->places[i].from.family == a.family;
    good = !all->draining && same < all->conf.per_address && make_room(all);
    if (good) {
        *c = (struct das_conn){
            .all = all, .index = all->count, .fd = -1, .phase = DAS_CONN_IDLE, .until = INT64_MAX};
        pthread_mutex_init(&c->lock, NULL);
        all->places[all->count++] = (struct place){a, c};
    } else {
        all->refused++;
    }
    pthread_mutex_unlock(&all->lock);
    return good;
}

void das_conn_open(struct das_conn *c, int fd)
{
    struct das_conns *all = c->all;

    pthread_mutex_lock(&all->lock);
    all->accepted++;
    pthread_mutex_lock(&c->lock);
    c->fd = fd;
    if (c->phase == DAS_CONN_CUT || all->draining)
        cut(c);
    else
        c->until = das_clock_monotonic_ms() + all->conf.deadline_ms;
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&all->lock);
}

void das_conn_leave(struct das_conn *c)
{
    struct das_conns *all = c->all;

    pthread_mutex_lock(&all->lock);
    all->places[c->index] = all->places[--all->count];
    all->places[c->index].conn->index = c->index;
    pthread_cond_broadcast(&all->calm);
    pthread_mutex_unlock(&all->lock);
    pthread_mutex_destroy(&c->lock);
}

bool das_conn_step(struct das_conn *c, enum das_conn_phase phase)
{
    struct das_conns *all = c->all;
    bool good, calm = false;

    pthread_mutex_lock(&c->lock);
    good = c->phase != DAS_CONN_CUT;
    if (good) {
        c->phase = phase;
        if (phase == DAS_CONN_RUNNING)
            c->until = INT64_MAX;
        else if (phase != DAS_CONN_READING)
            c->until = das_clock_monotonic_ms() + all->conf.deadline_ms;
        calm = phase == DAS_CONN_IDLE && all->draining;
        if (calm)
            cut(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (calm) {
        pthread_mutex_lock(&all->lock);
        pthread_cond_broadcast(&all->calm);
        pthread_mutex_unlock(&all->lock);
    }
    return good;
}

bool das_conn_is(struct das_conn *c, enum das_conn_phase phase)
{
    bool is;

    pthread_mutex_lock(&c->lock);
    is = c->phase == phase;
    pthread_mutex_unlock(&c->lock);
    return is;
}

/* Under the list's lock. */
static size_t count_between(struct das_conns *all, enum das_conn_phase from, enum das_conn_phase to)
{
    size_t n = 0;

    for (size_t i = 0; i < all->count; i++) {
        struct das_conn *c = all->places[i].conn;
        pthread_mutex_lock(&c->lock);
        n += c->phase >= from && c->phase <= to;
        pthread_mutex_unlock(&c->lock);
    }
    return n;
}

void das_conns_load(struct das_conns *all, struct das_conns_load *out)
{
    pthread_mutex_lock(&all->lock);
    *out = (struct das_conns_load){
        .open = all->count,
        .busy = count_between(all, DAS_CONN_RUNNING, DAS_CONN_SENDING),
        .accepted = all->accepted,
        .refused = all->refused,
        .cut = all->cut,
    };
    pthread_mutex_unlock(&all->lock);
}

static void cut_up_to(struct das_conns *all, enum das_conn_phase last)
{
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->count; i++) {
        struct das_conn *c = all->places[i].conn;
        pthread_mutex_lock(&c->lock);
        if (c->phase <= last)
            cut(c);
        pthread_mutex_unlock(&c->lock);
    }
    pthread_cond_broadcast(&all->calm);
    pthread_mutex_unlock(&all->lock);
}

static void hurry(struct das_conns *all)
{
    int64_t end = das_clock_monotonic_ms() + HURRY_MS;

    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->count; i++) {
        struct das_conn *c = all->places[i].conn;
        pthread_mutex_lock(&c->lock);
        if (c->phase == DAS_CONN_READING && c->until > end)
            c->until = end;
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&all->lock);
    das_conns_wake(all);
}

/* Set before any connection is looked at: one that becomes idle after that sees it. */
void das_conns_drain(struct das_conns *all)
{
    all->draining = true;
    cut_up_to(all, DAS_CONN_IDLE);
    hurry(all);
}

bool das_conns_draining(const struct das_conns *all)
{
    return all->draining;
}

size_t das_conns_wait(struct das_conns *all, int64_t ms)
{
    struct timespec end = moment(das_clock_monotonic_ms() + ms);
    size_t left;
    int rc = 0;

    pthread_mutex_lock(&all->lock);
    while ((left = count_between(all, DAS_CONN_READING, DAS_CONN_SENDING)) > 0 && rc == 0)
        rc = pthread_cond_timedwait(&all->calm, &all->lock, &end);
    pthread_mutex_unlock(&all->lock);
    return left;
}

void das_conns_cut_all(struct das_conns *all)
{
    cut_up_to(all, DAS_CONN_SENDING);
}
