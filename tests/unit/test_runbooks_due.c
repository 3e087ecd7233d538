/* test_runbooks_due.c - the runs that das serve carries on by itself: each by one thread, and one that
 * cannot be carried on is not tried over and over. */
#include "core/serve/runbooks.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "core/store/runbook.h"
#include "tests/unit/store_kit.h"

static struct das_err err;
static const char *dir;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls[4], told[4], at_once, most;
    bool go; /* those that are held may end */
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* An interrupted run: who began it has died. */
static int64_t interrupted(const char *key)
{
    struct das_runbook r = {.name = "rb", .path = "/x.lua", .sha256 = "aa", .key = key,
                            .until_ms = das_clock_unix_ms() + 3600000};
    struct das_store *s = store_open(dir);
    int64_t other;

    if (das_runbook_start(s, &r, das_clock_unix_ms(), &other, &err) != 1)
        exit(1);
    das_store_close(s);
    return r.id;
}

static void hold(void)
{
    heard.at_once++;
    heard.most = heard.at_once > heard.most ? heard.at_once : heard.most;
    pthread_cond_broadcast(&heard.changed);
    while (!heard.go)
        pthread_cond_wait(&heard.changed, &heard.lock);
    heard.at_once--;
}

/* Run 1 cannot be carried on; the others are held until they may end. */
static int carry_on(void *arg, int64_t id, const atomic_int *cancel, struct das_err *e)
{
    struct das_runbook r;
    struct das_store *s;

    (void)arg;
    (void)cancel;
    pthread_mutex_lock(&heard.lock);
    heard.calls[id]++;
    pthread_cond_broadcast(&heard.changed);
    if (id != 1)
        hold();
    pthread_mutex_unlock(&heard.lock);
    if (id == 1)
        return das_fail(e, DAS_E_BLOCKED, "its script has changed");
    s = store_open(dir);
    if (das_runbook_claim(s, id, NULL, false, "das serve", das_clock_unix_ms(), &r, e) == 0)
        das_runbook_end(s, id, DAS_RUNBOOK_DONE, "", das_clock_unix_ms(), e);
    das_runbook_clear(&r);
    das_store_close(s);
    return 0;
}

static void told(void *arg, int64_t id, const char *line, int level)
{
    (void)arg;
    (void)line;
    (void)level;
    pthread_mutex_lock(&heard.lock);
    heard.told[id]++;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.lock);
}

static void until_called(int64_t id)
{
    pthread_mutex_lock(&heard.lock);
    while (!heard.calls[id])
        pthread_cond_wait(&heard.changed, &heard.lock);
    pthread_mutex_unlock(&heard.lock);
}

int main(void)
{
    const struct das_runbooks_conf conf = {.carry_on = carry_on, .told = told};
    struct das_runbooks_conf with = conf;
    struct das_runbooks *all;
    struct das_store *s;
    int64_t ids[4];

    dir = store_dir();
    with.state_dir = dir;
    is_int(interrupted("one"), 1, "a run that was interrupted");
    if (das_runbooks_new(&with, &all, &err) < 0 || das_runbooks_start(all, &err) < 0)
        exit(1);
    until_called(1);
    is_int(interrupted("two"), 2, "a second one, later");
    until_called(2);
    is_int(interrupted("three"), 3, "and a third");
    until_called(3); /* so das serve has looked again, with all of them due */
    pthread_mutex_lock(&heard.lock);
    is_int(heard.calls[1], 1, "one that cannot be carried on is not tried again at each look");
    is_int(heard.told[1], 1, "and told once");
    is_int(heard.calls[2], 1, "one that goes on is nobody else's");
    is_int(heard.most, 2, "two at once");
    heard.go = true;
    pthread_cond_broadcast(&heard.changed);
    while (heard.told[2] + heard.told[3] < 2)
        pthread_cond_wait(&heard.changed, &heard.lock);
    pthread_mutex_unlock(&heard.lock);
    das_runbooks_free(all);
    s = store_open(dir);
    is_int(das_runbook_due(s, das_clock_unix_ms(), ids, 4, &err), 1, "only the first is left");
    das_store_close(s);
    store_dirs_clear();
    return tap_done();
}
