/*
 * own.c - see own.h.
 *
 * The list is the one thing in the sources that the whole process shares: a run per instance, a
 * preview over many and a server's threads each open sources of their own, which know nothing of
 * each other, and a plan of one must not kill the connection of another. It holds numbers and
 * names, no connection, and is touched when one is made, closed, or a list is read.
 */
#include "core/source/own.h"

#include <pthread.h>

#include "core/base/mem.h"

struct own {
    struct das_identity server;
    int64_t id;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct own *list; /* NULL while empty */
static size_t count, cap;

int das_own_add(const struct das_identity *server, int64_t id, struct das_err *err)
{
    int rc = 0;

    if (!server->server[0]) /* the same as no other: nobody could ever ask for it */
        return 0;
    pthread_mutex_lock(&lock);
    if (count == cap) {
        size_t more = cap ? cap * 2 : 8;
        struct own *bigger = das_grow(list, more, sizeof *bigger);
        if (bigger) {
            list = bigger;
            cap = more;
        } else {
            rc = das_fail_nomem(err);
        }
    }
    if (rc == 0)
        list[count++] = (struct own){*server, id};
    pthread_mutex_unlock(&lock);
    return rc;
}

void das_own_remove(const struct das_identity *server, int64_t id)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == id && das_identity_same(&list[i].server, server)) {
            list[i] = list[--count];
            break;
        }
    }
    if (count == 0) {
        das_free(list);
        list = NULL;
        cap = 0;
    }
    pthread_mutex_unlock(&lock);
}

int das_own_mark(struct das_snapshot *s, struct das_err *err)
{
    const struct das_identity *server = das_snapshot_identity(s);
    int rc = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (das_identity_same(&list[i].server, server))
            rc = das_snapshot_add_own(s, list[i].id, err);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
