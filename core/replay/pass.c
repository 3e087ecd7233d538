/* pass.c - see pass.h. */
#include "core/replay/pass.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/replay/ledger.h"
#include "core/source/replayed.h"
#include "core/store/store.h"

/* An instance on its own clock: a run that waits moves only its own. */
struct stage {
    struct das_followed *followed;
    struct das_inventory *inventory; /* owns the source */
    struct das_source *source;
    struct das_clock clock;
    struct das_engine_watch watch;
    int64_t from_ms, to_ms, due_ms;
    int64_t stale_ms; /* a snapshot that is older shows nothing any more */
    int64_t told_ms;  /* of its progress */
};

struct pass {
    const struct das_replay_opts *opts;
    const struct das_replay_policy *policy;
    struct das_replay_result *result;
    struct das_ledger ledger;
    struct stage *stages;
    size_t stage_count;
    struct das_policy_rules rules; /* the script's, armed; its lists are the configuration's */
    struct das_engine_opts engine;
    struct das_engine_web web;
    FILE *nowhere;
};

void das_replay_result_clear(struct das_replay_result *r)
{
    for (size_t i = 0; i < r->error_count; i++)
        das_free(r->errors[i].message);
    for (size_t i = 0; i < r->refused_count; i++) {
        das_free(r->refused[i].limit);
        das_free(r->refused[i].note);
    }
    das_free(r->errors);
    das_free(r->refused);
    das_free(r->victims);
    das_free(r->near);
    das_arena_clear(&r->texts);
    memset(r, 0, sizeof *r);
}

/* --- instances -------------------------------------------------------------------------------- */

static int feed_next(void *reel, struct das_snapshot **out, int64_t *time_ms, struct das_err *err)
{
    return das_reel_next(reel, out, time_ms, err);
}

static void feed_close(void *reel)
{
    das_reel_close(reel);
}

static int open_source(struct pass *p, size_t i, struct das_err *err)
{
    struct stage *s = &p->stages[i];
    const struct das_replayed_watch watch = {s->followed, das_ledger_passed, das_ledger_killed};
    struct das_replayed_feed feed = {feed_next, feed_close, NULL};
    struct das_reel *reel;

    if (das_reel_open(p->opts->footage, i, &reel, err) < 0)
        return -1;
    feed.arg = reel;
    return das_replayed_open(s->followed->name, &feed, &watch, &s->source, err);
}

/* The tags that das.lua gives to an instance of that name: grants may go by them. */
static void take_tags(struct das_inventory *known, struct das_source_conf *conf)
{
    struct das_err none;
    int at = known ? das_inventory_find(known, conf->name, &none) : -1;

    if (at >= 0)
        conf->tags = das_inventory_tags(known, (size_t)at, &conf->tag_count);
}

static int open_stage(struct pass *p, size_t i, struct das_err *err)
{
    struct stage *s = &p->stages[i];
    struct das_source_conf conf = {.spec = "replay:"};
    struct das_footage_span span;
    struct das_source *source;

    s->followed = &p->ledger.followed[i];
    das_footage_span(p->opts->footage, i, &span);
    conf.name = span.name;
    take_tags(p->opts->known, &conf);
    s->from_ms = span.from_ms > p->opts->from_ms ? span.from_ms : p->opts->from_ms;
    s->to_ms = span.to_ms < p->opts->to_ms ? span.to_ms : p->opts->to_ms;
    s->due_ms = s->told_ms = s->from_ms;
    s->stale_ms = 3 * span.step_ms > 60000 ? 3 * span.step_ms : 60000;
    das_clock_init(&s->clock, s->from_ms);
    s->watch = (struct das_engine_watch){
        .arg = s->followed, .previewed = das_ledger_previewed, .applied = das_ledger_applied};
    if (s->from_ms > s->to_ms) { /* nothing of it lies in the time that is looked at */
        s->due_ms = INT64_MAX;
        return 0;
    }
    s->inventory = das_inventory_new(err);
    if (!s->inventory || open_source(p, i, err) < 0)
        return -1;
    source = s->source;
    s->source = NULL; /* the inventory's, also when that fails */
    if (das_inventory_add_source(s->inventory, &conf, source, err) < 0)
        return -1;
    s->source = s->followed->source = source;
    return 0;
}

/* --- what a run may do ------------------------------------------------------------------------ */

/* An HTTP request that a live run would have sent. */
static int answer(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                  struct das_err *err)
{
    struct pass *p = arg;

    (void)req, (void)err;
    p->result->requests++;
    resp->status = 200;
    return 0;
}

static int hash_policy(struct pass *p, struct das_err *err)
{
    struct das_buf text = {0};
    int rc = das_script_read(p->policy->path, &text, err);

    if (rc == 0)
        rc = das_sha256_hex(das_buf_view(&text), p->result->sha256, err);
    das_buf_clear(&text);
    return rc;
}

static int prepare(struct pass *p, struct das_err *err)
{
    const struct das_replay_policy *policy = p->policy;
    struct das_replay_result *r = p->result;

    r->policy = policy->path;
    r->args = policy->args;
    r->arg_count = policy->arg_count;
    r->every_ms = policy->every_ms;
    r->every_from = policy->every_from;
    das_arena_init(&r->texts);
    p->rules = *policy->rules->policy;
    p->rules.mode = DAS_POLICY_AUTO;
    p->rules.mode_is_set = true;
    p->web = (struct das_engine_web){.arg = p, .answer = answer};
    p->engine = (struct das_engine_opts){.path = policy->path,
                                         .args = policy->args,
                                         .arg_count = policy->arg_count,
                                         .protect = p->opts->protect,
                                         .armed = true,
                                         .limits = &policy->rules->limits,
                                         .grants = policy->rules->grants,
                                         .secrets = p->opts->secrets,
                                         .policy = &p->rules,
                                         .web = &p->web,
                                         .cancel = p->opts->cancel,
                                         .log = p->opts->verbose};
    if (hash_policy(p, err) < 0)
        return -1;
    p->nowhere = p->opts->verbose ? NULL : fopen("/dev/null", "we");
    p->engine.out = p->opts->verbose ? p->opts->verbose : p->nowhere;
    if (!p->engine.out)
        return das_fail(err, DAS_E_IO, "/dev/null cannot be opened");
    return das_store_open_in_memory(&p->engine.store, err);
}

static int open_all(struct pass *p, struct das_err *err)
{
    if (prepare(p, err) < 0 || das_ledger_init(&p->ledger, p->result, p->opts->footage, err) < 0)
        return -1;
    p->ledger.wasted_ms = p->opts->wasted_ms;
    p->ledger.respawn_ms = p->rules.breaker.respawn_ms;
    p->ledger.timeline = p->opts->sums ? p->opts->timeline : NULL;
    p->stages = das_calloc(p->ledger.followed_count, sizeof *p->stages);
    if (!p->stages)
        return das_fail_nomem(err);
    p->stage_count = p->ledger.followed_count;
    for (size_t i = 0; i < p->stage_count; i++) {
        if (open_stage(p, i, err) < 0)
            return -1;
    }
    return 0;
}

static void close_all(struct pass *p)
{
    for (size_t i = 0; i < p->stage_count; i++)
        das_inventory_free(p->stages[i].inventory);
    das_free(p->stages);
    das_ledger_clear(&p->ledger);
    das_store_close(p->engine.store);
    if (p->nowhere)
        fclose(p->nowhere);
}

/* --- runs ------------------------------------------------------------------------------------- */

static void tell_progress(struct pass *p, struct stage *s, int64_t now_ms)
{
    if (p->opts->progress && now_ms > s->told_ms)
        atomic_fetch_add(p->opts->progress, now_ms - s->told_ms);
    if (now_ms > s->told_ms)
        s->told_ms = now_ms;
}

/* The next one on the grid that begins with the first, and not before the last one has ended. */
static int64_t next_due(const struct stage *s, int64_t every_ms, int64_t now_ms)
{
    int64_t next = s->due_ms + every_ms;

    if (now_ms > next)
        next += (now_ms - next + every_ms - 1) / every_ms * every_ms;
    return next > s->to_ms ? INT64_MAX : next;
}

static int run_once(struct pass *p, struct stage *s, struct das_err *err)
{
    struct das_engine_result result;
    struct das_err failed;
    int64_t at_ms = das_clock_unix_ms();
    int rc;

    if (das_store_next_run(p->engine.store, err) < 0)
        return -1;
    p->engine.inventory = s->inventory;
    p->engine.watch = &s->watch;
    rc = das_engine_run(&p->engine, &result, &failed);
    das_engine_result_clear(&result);
    if (rc < 0 && failed.code == DAS_E_CANCELLED)
        return das_fail(err, DAS_E_CANCELLED, "interrupted");
    if (rc < 0 && failed.code == DAS_E_STUCK) {
        *err = failed;
        return -1;
    }
    das_ledger_ran(s->followed, rc, at_ms, &failed);
    return 0;
}

/* One tick: what was recorded until then, and a run, unless that was too long ago. */
static int tick(struct pass *p, struct stage *s, struct das_err *err)
{
    int rc;

    das_clock_move_to(&s->clock, s->due_ms);
    das_clock_enter(&s->clock);
    rc = das_replayed_advance(s->source, s->due_ms, err);
    if (rc == 0 && s->due_ms - das_replayed_at_ms(s->source) > s->stale_ms)
        p->result->skipped++;
    else if (rc == 0)
        rc = run_once(p, s, err);
    if (rc == 0)
        rc = das_replayed_advance(s->source, das_clock_unix_ms(), err); /* a script may not tell */
    s->due_ms = next_due(s, p->policy->every_ms, das_clock_unix_ms());
    tell_progress(p, s, das_clock_unix_ms());
    return rc;
}

static struct stage *next_stage(struct pass *p)
{
    struct stage *next = NULL;

    for (size_t i = 0; i < p->stage_count; i++) {
        struct stage *s = &p->stages[i];
        if (s->due_ms != INT64_MAX && (!next || s->due_ms < next->due_ms))
            next = s;
    }
    return next;
}

static bool is_cancelled(const struct pass *p)
{
    return p->opts->cancel && atomic_load(p->opts->cancel);
}

static int play(struct pass *p, struct das_err *err)
{
    struct stage *s;

    while ((s = next_stage(p)) != NULL) {
        if (is_cancelled(p))
            return das_fail(err, DAS_E_CANCELLED, "interrupted");
        if (tick(p, s, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < p->stage_count; i++) { /* how it goes on for the victims */
        s = &p->stages[i];
        if (s->source && das_replayed_advance(s->source, s->to_ms, err) < 0)
            return -1;
        tell_progress(p, s, s->to_ms);
    }
    return das_ledger_close(&p->ledger, err);
}

/* Of all instances: the sum of their averages. */
static void add_up(const struct das_ledger *l, struct das_replay_timeline *t)
{
    for (size_t step = 0; step < t->steps; step++) {
        t->sessions[step] = t->active[step] = -1;
        for (size_t i = 0; i < l->followed_count; i++) {
            const struct das_followed *f = &l->followed[i];
            if (!f->snapshots || !f->snapshots[step])
                continue;
            if (t->sessions[step] < 0)
                t->sessions[step] = t->active[step] = 0;
            t->sessions[step] += f->sessions[step] / f->snapshots[step];
            t->active[step] += f->active[step] / f->snapshots[step];
        }
    }
}

int das_replay_pass(const struct das_replay_opts *opts, const struct das_replay_policy *policy,
                    struct das_replay_result *result, struct das_replay_timeline *sums,
                    struct das_err *err)
{
    struct das_clock *before = das_clock_entered();
    struct pass p = {.opts = opts, .policy = policy, .result = result};
    int rc = open_all(&p, err);

    if (rc == 0)
        rc = play(&p, err);
    das_clock_enter(before);
    if (rc == 0 && sums)
        add_up(&p.ledger, sums);
    if (rc == 0 || err->code != DAS_E_STUCK)
        close_all(&p);
    return rc;
}
