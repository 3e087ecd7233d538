/*
 * killer.c - see killer.h.
 *
 * Each kill is a run of its own (core/store/store.h): it has its own id in the journal, and
 * limits.kill.run holds for it. A kill that finds nobody touches no state.
 */
#include "core/serve/killer.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/serve/portion.h"
#include "core/source/preview.h"

#define TURN_MS 200      /* how soon a thread that waits for its turn sees that all ends */
#define FAREWELL_MS 5000 /* for looking what became of kills that were sent before that */

struct job {
    const struct das_killer *killer;
    const struct das_kill_ask *ask;
    bool applying;
    int64_t cancelled_ms; /* monotonic; 0: not yet */
};

static bool is_cancelled(void *arg)
{
    const struct job *j = arg;

    return j->killer->cancel && atomic_load(j->killer->cancel) != 0;
}

static bool still(void *arg, char *why, size_t size)
{
    const struct job *j = arg;

    if (is_cancelled(arg)) {
        snprintf(why, size, "not tried: das serve ends");
        return false;
    }
    return !j->ask->go_on || j->ask->go_on(j->ask->arg, why, size);
}

static bool before(void *arg, const struct das_plan *p, size_t victim, const char *action,
                   char *why, size_t size)
{
    (void)p;
    (void)victim;
    (void)action;
    return still(arg, why, size);
}

/* A kill that was sent is looked after, whoever may have stopped waiting for it. */
static int64_t left_ms(void *arg)
{
    struct job *j = arg;
    int64_t now = das_clock_monotonic_ms(), until = j->applying ? INT64_MAX : j->ask->until_ms;

    if (is_cancelled(j)) {
        if (!j->cancelled_ms)
            j->cancelled_ms = now;
        until = j->applying ? j->cancelled_ms + FAREWELL_MS : now;
    }
    return until > now ? until - now : 0;
}

static int cancelled(struct das_err *err)
{
    return das_fail(err, DAS_E_CANCELLED, "das serve ends");
}

static int enter(struct job *j, struct das_member *m, struct das_source **out, struct das_err *err)
{
    for (;;) {
        int64_t now = das_clock_monotonic_ms(), until = now + TURN_MS;
        if (is_cancelled(j))
            return cancelled(err);
        if (until > j->ask->until_ms)
            until = j->ask->until_ms;
        if (das_member_enter(m, until, out, err) == 0)
            return 0;
        if (das_clock_monotonic_ms() >= j->ask->until_ms)
            return -1;
    }
}

static int apply(struct job *j, struct das_member *m, struct das_source *source,
                 const struct das_selection *victims, struct das_store *store,
                 struct das_report **out, struct das_err *err)
{
    const struct das_killer *k = j->killer;
    const struct das_asked asked = {.user = j->ask->who, .task = j->ask->task};
    const struct das_plan_opts how = {.mode = DAS_MODE_CONNECTION,
                                      .reason = j->ask->reason,
                                      .asked = &asked,
                                      .limits = &k->rules->limits};
    const struct das_guard guard = {.who = j->ask->who,
                                    .policy = j->ask->policy,
                                    .rules = k->rules,
                                    .stop_files = k->stop_files,
                                    .store = store,
                                    .vault = k->vault};
    const struct das_apply_watch watch = {before, NULL, is_cancelled, j, still};
    const struct das_apply_opts opts = {
        .armed = true, .protect = k->protect, .guard = &guard, .watch = &watch};
    struct das_plan *plan = das_plan_new(victims, das_member_name(m), &how, err);
    int rc;

    if (!plan)
        return -1;
    j->applying = true;
    rc = das_plan_apply(plan, source, &opts, out, err);
    das_plan_release(plan);
    return rc;
}

/* Of those that match, whose turn it is now. */
static int choose(struct job *j, struct das_member *m, struct das_source *source,
                  const struct das_selection *found, struct das_store *store,
                  struct das_selection **out, struct das_err *err)
{
    const struct das_killer *k = j->killer;
    const struct das_portion_of of = {.instance = das_member_name(m),
                                      .source = source,
                                      .protect = k->protect,
                                      .limits = &k->rules->limits,
                                      .store = store};
    const struct das_guard guard = {
        .policy = j->ask->policy, .rules = k->rules, .store = store};
    char why[400];
    int rc;

    if (das_stopped(k->stop_files, why, sizeof why) ||
        !das_guard_allows(&guard, das_clock_unix_ms() / 1000, why, sizeof why))
        return das_fail(err, DAS_E_BLOCKED, "%s", why);
    rc = das_guard_breaker(&guard, guard.policy, of.instance, why, sizeof why, err);
    if (rc <= 0)
        return rc < 0 ? -1 : das_fail(err, DAS_E_BLOCKED, "%s", why);
    return das_portion(&of, found, out, err);
}

/* With the instance. */
static int kill_found(struct job *j, struct das_member *m, struct das_source *source,
                      const struct das_selection *found, struct das_report **out,
                      struct das_err *err)
{
    struct das_selection *portion = NULL;
    struct das_store *store = NULL;
    int rc = das_store_open(j->killer->state_dir, &store, err);

    if (rc == 0 && j->ask->piecemeal)
        rc = choose(j, m, source, found, store, &portion, err);
    if (rc == 0)
        rc = apply(j, m, source, portion ? portion : found, store, out, err);
    das_selection_free(portion);
    das_store_close(store);
    return rc;
}

int das_killer_kill(const struct das_killer *k, struct das_member *m,
                    const struct das_kill_ask *ask, size_t *matched, struct das_report **out,
                    struct das_err *err)
{
    struct job job = {.killer = k, .ask = ask};
    const struct das_patience patience = {left_ms, &job};
    const char *cannot = das_source_cannot_kill(das_member_source(m));
    struct das_selection *found;
    struct das_source *source;
    int rc = 0;

    *matched = 0;
    *out = NULL;
    if (cannot)
        return das_fail(err, DAS_E_UNSUPPORTED, "%s", cannot);
    if (!das_filter_can_match(ask->filter))
        return 0;
    if (enter(&job, m, &source, err) < 0)
        return -1;
    das_source_set_patience(source, &patience);
    found = das_preview(source, ask->filter, DAS_PREVIEW_EXHAUSTIVE, err);
    if (found && is_cancelled(&job))
        rc = cancelled(err);
    if (!found || rc < 0)
        rc = -1;
    else if (found->count > 0) {
        *matched = (size_t)found->total;
        rc = kill_found(&job, m, source, found, out, err);
    }
    das_source_set_patience(source, NULL);
    das_member_leave(m);
    das_selection_free(found);
    return rc;
}
