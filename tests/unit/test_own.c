/* test_own.c - the connections of this process, by server. */
#include "core/source/own.h"

#include <pthread.h>

#include "tests/unit/kit.h"

static struct das_err err;

static struct das_identity server(const char *name, int64_t start)
{
    struct das_identity id = {.start_unix_s = start};

    snprintf(id.server, sizeof id.server, "%s", name);
    return id;
}

/* "1 3": those of the ids 1 to 9 that are own on this server. */
static const char *own_at(const struct das_identity *id)
{
    static char out[40];
    struct das_snapshot *s = kit_snapshot(NULL, 0);
    size_t n = 0;

    out[0] = '\0';
    das_snapshot_set_identity(s, id);
    must(das_own_mark(s, &err) == 0, "marked");
    for (int i = 1; i < 10; i++) {
        if (das_snapshot_is_own(s, i))
            n += (size_t)snprintf(out + n, sizeof out - n, "%s%d", n ? " " : "", i);
    }
    das_snapshot_release(s);
    return out;
}

static void by_server(void)
{
    struct das_identity a = server("a", 1000), later = server("a", 2000), b = server("b", 1000),
                        about = server("a", 1001), nobody = server("", 1000);

    is_str(own_at(&a), "", "none at first");
    must(das_own_add(&a, 1, &err) == 0 && das_own_add(&a, 3, &err) == 0 &&
             das_own_add(&b, 2, &err) == 0 && das_own_add(&nobody, 4, &err) == 0,
         "four connections");
    is_str(own_at(&a), "1 3", "two here");
    is_str(own_at(&about), "1 3", "as exact as a start time is told");
    is_str(own_at(&b), "2", "one there");
    is_str(own_at(&later), "", "after a restart ids mean others");
    is_str(own_at(&nobody), "", "without a name nothing is the same server");
    das_own_remove(&b, 1);
    is_str(own_at(&a), "1 3", "another server's number is another connection");
    das_own_remove(&a, 1);
    is_str(own_at(&a), "3", "one is closed");
    das_own_remove(&a, 1);
    das_own_remove(&a, 3);
    das_own_remove(&b, 2);
    is_str(own_at(&a), "", "none is left");
}

static void *come_and_go(void *arg)
{
    struct das_identity a = server("a", 1000);
    int64_t first = *(const int64_t *)arg;
    struct das_err ignored;

    for (int round = 0; round < 500; round++) {
        struct das_snapshot *s = kit_snapshot(NULL, 0);
        bool good = das_own_add(&a, first, &ignored) == 0;
        das_snapshot_set_identity(s, &a);
        good = good && das_own_mark(s, &ignored) == 0 && das_snapshot_is_own(s, first);
        das_own_remove(&a, first);
        das_snapshot_release(s);
        if (!good)
            return arg;
    }
    return NULL;
}

static void at_once(void)
{
    pthread_t threads[4];
    int64_t ids[4] = {1, 2, 3, 4};
    struct das_identity a = server("a", 1000);
    int wrong = 0;

    for (int i = 0; i < 4; i++)
        must(pthread_create(&threads[i], NULL, come_and_go, &ids[i]) == 0, "a thread");
    for (int i = 0; i < 4; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        wrong += bad != NULL;
    }
    is_int(wrong, 0, "every thread sees its own");
    is_str(own_at(&a), "", "and none is left");
}

static void without_memory(void)
{
    struct das_identity a = server("a", 1000);

    das_alloc_fail_at(1);
    ok(das_own_add(&a, 1, &err) < 0 && err.code == DAS_E_NOMEM, "without memory it is not noted");
    das_alloc_fail_at(0);
    is_str(own_at(&a), "", "and not half");
}

int main(void)
{
    by_server();
    at_once();
    without_memory();
    return tap_done();
}
