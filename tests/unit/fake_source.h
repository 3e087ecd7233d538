/*
 * fake_source.h - a source that says what a test wants: scripted lists, identities and kills.
 * A session that was killed is not listed any more, unless the test calls it stubborn.
 *
 * Owned by the test that includes it; hands out retained snapshots and records each kill.
 */
#ifndef DAS_TESTS_FAKE_SOURCE_H
#define DAS_TESTS_FAKE_SOURCE_H

#include <unistd.h>

#include "core/source/source_impl.h"
#include "tests/unit/kit.h"

struct fake_kill {
    enum das_kill_what what;
    int64_t id, query_id;
};

struct fake {
    struct das_source base;
    char name[16];
    struct das_snapshot *list;                /* what the next list gives */
    struct das_identity identity;             /* of the server that answers */
    enum das_kill_result answers[16];         /* to the n-th kill */
    int list_fails;
    int lists;
    unsigned kill_takes_us;                   /* how long each kill takes */
    struct das_snapshot *after_kill;          /* what is listed after the first kill, if set */
    size_t kills;
    struct fake_kill killed[16];
    bool stubborn;                            /* kills are accepted and have no effect */
    void (*on_wait)(struct fake *f);          /* called while each kill waits to be sent */
    void (*on_kill)(struct fake *f);          /* called when it is on its way */
    void (*on_list)(struct fake *f);          /* called before each list, which is counted already */
};

/* The list without those that are dead: their rows in rows, how many. */
static inline uint32_t fake_alive(const struct fake *f, uint32_t *rows)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < das_snapshot_rows(f->list); i++) {
        bool dead = false;
        for (size_t k = 0; k < f->kills && !f->stubborn; k++)
            dead = dead || (f->answers[k] == DAS_KILLED &&
                            f->killed[k].id == das_snapshot_ids(f->list)[i]);
        if (!dead)
            rows[n++] = i;
    }
    return n;
}

static inline int fake_list(struct das_source *s, const struct das_query *q,
                            struct das_snapshot **out, struct das_err *err)
{
    struct fake *f = (struct fake *)s;

    (void)q;
    f->lists++;
    if (f->on_list)
        f->on_list(f);
    if (f->list_fails)
        return das_fail(err, DAS_E_CONNECT, "the list failed");
    if (f->kills && !f->stubborn) {
        uint32_t *rows = calloc(das_snapshot_rows(f->list) + 1, sizeof *rows);
        *out = das_snapshot_derive(f->list, rows, fake_alive(f, rows), err);
        free(rows);
    } else {
        *out = das_snapshot_derive(f->list, NULL, das_snapshot_rows(f->list), err);
    }
    if (!*out)
        return -1;
    das_snapshot_set_identity(*out, &f->identity);
    return 0;
}

static inline enum das_kill_result fake_kill(struct das_source *s, const struct das_kill_order *o,
                                             struct das_err *err)
{
    struct fake *f = (struct fake *)s;
    enum das_kill_result answer = f->answers[f->kills];

    if (f->on_wait)
        f->on_wait(f);
    if (das_patience_left(&o->sending) <= 0) {
        das_fail(err, DAS_E_TIMEOUT, "too late");
        return DAS_KILL_LATE;
    }
    usleep(f->kill_takes_us);
    if (f->on_kill)
        f->on_kill(f);
    if (f->after_kill) {
        das_snapshot_release(f->list);
        f->list = f->after_kill;
        f->after_kill = NULL;
    }
    f->killed[f->kills++] = (struct fake_kill){o->what, o->id, o->query_id};
    if (answer == DAS_KILL_FAILED || answer == DAS_KILL_UNKNOWN)
        das_fail(err, DAS_E_DENIED, "answer %d", (int)answer);
    return answer;
}

static inline void fake_close(struct das_source *s)
{
    (void)s;
}

static inline const char *fake_cannot_soft(const struct das_source *s)
{
    (void)s;
    return NULL;
}

static const struct das_source_ops fake_ops = {.list = fake_list, .kill = fake_kill,
                                               .close = fake_close,
                                               .cannot_soft = fake_cannot_soft};
static const struct das_source_ops fake_recorded_ops = {.list = fake_list, .close = fake_close};

static inline void fake_init(struct fake *f)
{
    memset(f, 0, sizeof *f);
    f->base.ops = &fake_ops;
    f->base.name = f->name;
    strcpy(f->name, "fake");
    strcpy(f->identity.server, "server-1");
    f->identity.start_unix_s = 500000;
}

/* The sessions of the next list, taken `at` Unix seconds. */
static inline void fake_show(struct fake *f, const struct das_session *list, size_t n, int64_t at)
{
    das_snapshot_release(f->list);
    f->list = kit_snapshot(list, n);
    das_snapshot_set_time(f->list, at);
    das_snapshot_set_identity(f->list, &f->identity);
}

static inline void fake_clear(struct fake *f)
{
    das_snapshot_release(f->list);
    f->list = NULL;
}

#endif
