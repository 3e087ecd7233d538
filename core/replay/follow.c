/* follow.c - how the recording goes on for the victims of a replay (see ledger.h). */
#include <stdlib.h>

#include "core/replay/ledger.h"
#include "core/session/fingerprint.h"

static struct das_pursued *pursued(const struct das_followed *f, uint32_t victim)
{
    return &f->ledger->pursued[victim];
}

static struct das_replay_victim *victim_of(const struct das_followed *f, uint32_t victim)
{
    return &f->ledger->result->victims[victim];
}

/* --- their end -------------------------------------------------------------------------------- */

static int64_t between(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* When the victim had ended, as the row of its id in a list of that time tells; DAS_UNKNOWN: it
 * goes on. What the session does now tells since when it does that: exacter than the list's time.
 */
static int64_t ended_at(const struct das_pursued *p, const struct das_session *s, int64_t at_ms)
{
    int64_t slack, since = das_session_since_ms(s, at_ms, &slack);

    if (!das_mark_same_owner(&p->mark, s))
        return at_ms;
    if (p->what == DAS_PURSUE_CONNECTION)
        return DAS_UNKNOWN;
    if (p->what == DAS_PURSUE_TRANSACTION) {
        if (das_mark_same_transaction(&p->mark, s, at_ms))
            return DAS_UNKNOWN;
        if (das_known(s->trx_time))
            since = at_ms - s->trx_time * 1000;
    } else if (das_mark_same_statement(&p->mark, s, at_ms)) {
        return DAS_UNKNOWN;
    }
    return das_known(since) ? between(since, p->seen_ms, at_ms) : at_ms;
}

static void look_at_row(struct das_followed *f, uint32_t first, const struct das_snapshot *snap,
                        uint32_t row, int64_t at_ms)
{
    struct das_session s;

    das_snapshot_get(snap, row, &s);
    for (uint32_t v = first; v != DAS_IDMAP_NONE; v = pursued(f, v)->next) {
        struct das_pursued *p = pursued(f, v);
        p->ended_ms = ended_at(p, &s, at_ms);
        if (p->ended_ms == DAS_UNKNOWN)
            p->seen_ms = at_ms;
    }
}

static bool is_whole(const struct das_snapshot *s)
{
    return das_snapshot_complete(s) && !das_snapshot_partial(s) && !das_snapshot_cut(s);
}

static void find_ends(struct das_followed *f, const struct das_snapshot *snap, int64_t at_ms)
{
    const int64_t *ids = das_snapshot_ids(snap);

    for (uint32_t i = 0; i < f->open_count; i++) /* unless it is found below */
        pursued(f, f->open[i])->ended_ms = is_whole(snap) ? at_ms : DAS_UNKNOWN;
    for (uint32_t row = 0; row < das_snapshot_rows(snap); row++) {
        uint32_t first = das_idmap_get(&f->by_id, ids[row]);
        if (first != DAS_IDMAP_NONE)
            look_at_row(f, first, snap, row, at_ms);
    }
}

static void take_out(struct das_followed *f, uint32_t victim)
{
    struct das_pursued *p = pursued(f, victim);
    uint32_t first = das_idmap_get(&f->by_id, p->mark.id);

    p->open = false;
    if (first != victim) {
        while (pursued(f, first)->next != victim)
            first = pursued(f, first)->next;
        pursued(f, first)->next = p->next;
    } else if (p->next == DAS_IDMAP_NONE) {
        das_idmap_remove(&f->by_id, p->mark.id);
    } else {
        das_idmap_put(&f->by_id, p->mark.id, p->next); /* it is there already: no memory */
    }
}

/* end_ms: of its life in the recording, as far as that goes. */
static void close_victim(struct das_followed *f, uint32_t victim, int64_t end_ms, bool end_seen)
{
    struct das_replay_victim *v = victim_of(f, victim);

    v->lived_on_ms = end_ms > v->at_ms ? end_ms - v->at_ms : 0;
    v->end_seen = end_seen;
    v->wasted = end_seen && v->lived_on_ms <= f->ledger->wasted_ms;
    if (v->blocked != DAS_UNKNOWN)
        v->blocked = (int64_t)pursued(f, victim)->waiters.count;
    das_idmap_clear(&pursued(f, victim)->waiters);
    take_out(f, victim);
}

static void close_ended(struct das_followed *f)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < f->open_count; i++) {
        const struct das_pursued *p = pursued(f, f->open[i]);
        if (p->ended_ms == DAS_UNKNOWN)
            f->open[kept++] = f->open[i];
        else
            close_victim(f, f->open[i], p->ended_ms, true);
    }
    f->open_count = kept;
}

void das_follow_close(struct das_followed *f)
{
    for (uint32_t i = 0; i < f->open_count; i++)
        close_victim(f, f->open[i], pursued(f, f->open[i])->seen_ms, false);
    f->open_count = 0;
    f->respawning_count = 0;
}

/* --- who waits for them ----------------------------------------------------------------------- */

/* What was waited since the snapshot before, or the kill if that was later. */
static void count_waits(struct das_followed *f, int64_t at_ms)
{
    for (uint32_t i = 0; i < f->open_count; i++) {
        const struct das_pursued *p = pursued(f, f->open[i]);
        struct das_replay_victim *v = victim_of(f, f->open[i]);
        int64_t from = v->at_ms > f->now_ms ? v->at_ms : f->now_ms;
        int64_t to = p->ended_ms == DAS_UNKNOWN ? at_ms : p->ended_ms;
        if (p->waiting && to > from)
            v->blocked_ms += (int64_t)p->waiting * (to - from);
    }
}

#define CHAIN_MAX 64 /* longer ones are circles */

/* The first victim that the session in that row waits for, itself or through others; or NONE. */
static uint32_t waits_for(const struct das_followed *f, const int64_t *blocked_by,
                          const struct das_idmap *waiting, uint32_t row)
{
    for (int steps = 0; steps < CHAIN_MAX && row != DAS_IDMAP_NONE; steps++) {
        uint32_t victim = das_idmap_get(&f->by_id, blocked_by[row]);
        if (victim != DAS_IDMAP_NONE)
            return victim;
        row = das_idmap_get(waiting, blocked_by[row]);
    }
    return DAS_IDMAP_NONE;
}

static int wait_list(const struct das_snapshot *snap, const int64_t *blocked_by,
                     struct das_idmap *out)
{
    const int64_t *ids = das_snapshot_ids(snap);

    for (uint32_t row = 0; row < das_snapshot_rows(snap); row++) {
        if (das_known(blocked_by[row]) && das_idmap_put(out, ids[row], row) < 0)
            return -1;
    }
    return 0;
}

void das_follow_waits(struct das_followed *f)
{
    const int64_t *blocked_by = das_snapshot_numbers(f->now, DAS_F_BLOCKED_BY);
    const int64_t *ids = das_snapshot_ids(f->now);
    struct das_idmap waiting = {0};
    bool failed = false;

    for (uint32_t i = 0; i < f->open_count; i++) {
        struct das_replay_victim *v = victim_of(f, f->open[i]);
        pursued(f, f->open[i])->waiting = 0;
        if (blocked_by && v->blocked == DAS_UNKNOWN)
            v->blocked = v->blocked_ms = 0;
    }
    if (!blocked_by)
        return;
    failed = wait_list(f->now, blocked_by, &waiting) < 0;
    for (uint32_t row = 0; row < das_snapshot_rows(f->now) && waiting.count && !failed; row++) {
        uint32_t victim;
        if (!das_known(blocked_by[row]) || das_idmap_get(&f->by_id, ids[row]) != DAS_IDMAP_NONE)
            continue; /* a victim waits for nobody any more */
        victim = waits_for(f, blocked_by, &waiting, row);
        if (victim == DAS_IDMAP_NONE)
            continue;
        pursued(f, victim)->waiting++;
        failed = das_idmap_put(&pursued(f, victim)->waiters, ids[row], 0) < 0;
    }
    das_idmap_clear(&waiting);
    if (failed)
        das_fail_nomem(&f->ledger->failed);
}

/* --- what comes back -------------------------------------------------------------------------- */

/* The victim whose statement this one is again, if it began within the time; or NONE. */
static uint32_t comes_from(const struct das_followed *f, const struct das_session *s,
                           int64_t since_ms, struct das_buf *scratch)
{
    uint32_t found = DAS_IDMAP_NONE;
    uint64_t shape = 0;

    for (uint32_t i = 0; i < f->respawning_count; i++) {
        const struct das_replay_victim *v = victim_of(f, f->respawning[i]);
        if (since_ms <= v->at_ms || since_ms > v->at_ms + f->ledger->respawn_ms ||
            !das_text_eq(v->was.user, s->user))
            continue;
        if (!shape) {
            das_buf_reset(scratch);
            das_fingerprint(s->sql_info, scratch);
            shape = das_hash_text(das_hash_text(2, s->user), das_buf_view(scratch));
        }
        if (pursued(f, f->respawning[i])->shape == shape)
            found = f->respawning[i]; /* the latest one: they are in the order of their kills */
    }
    return found;
}

static int look_for_respawn(struct das_followed *f, const struct das_session *s, int64_t at_ms,
                            struct das_buf *scratch, struct das_err *err)
{
    int64_t slack, since = das_session_since_ms(s, at_ms, &slack);
    struct das_mark mark;
    uint32_t victim;
    int64_t key;

    if (!s->sql_info.len || !das_known(since) || das_text_iis(s->command, "Sleep"))
        return 0;
    victim = comes_from(f, s, since, scratch);
    if (victim == DAS_IDMAP_NONE)
        return 0;
    das_mark_take(&mark, s, at_ms);
    key = (int64_t)das_mark_key(&mark);
    if (das_idmap_get(&f->came_back, key) != DAS_IDMAP_NONE)
        return 0;
    if (das_idmap_put(&f->came_back, key, 0) < 0)
        return das_fail_nomem(err);
    victim_of(f, victim)->respawned++;
    return 0;
}

static int find_respawns(struct das_followed *f, const struct das_snapshot *snap, int64_t at_ms,
                         struct das_err *err)
{
    int64_t earliest = victim_of(f, f->respawning[0])->at_ms;
    const int32_t *durations = das_snapshot_durations(snap);
    struct das_buf scratch = {0};
    struct das_session s;
    uint32_t kept = 0;
    int rc = 0;

    for (uint32_t row = 0; row < das_snapshot_rows(snap) && rc == 0; row++) {
        if (durations[row] < 0 || at_ms - (int64_t)durations[row] * 1000 <= earliest)
            continue;
        das_snapshot_get(snap, row, &s);
        rc = look_for_respawn(f, &s, at_ms, &scratch, err);
    }
    das_buf_clear(&scratch);
    for (uint32_t i = 0; i < f->respawning_count; i++) {
        if (victim_of(f, f->respawning[i])->at_ms + f->ledger->respawn_ms > at_ms)
            f->respawning[kept++] = f->respawning[i];
    }
    f->respawning_count = kept;
    if (!kept)
        das_idmap_reset(&f->came_back);
    return rc;
}

/* --- a snapshot ------------------------------------------------------------------------------- */

int das_follow(struct das_followed *f, struct das_snapshot *snap, int64_t at_ms,
               struct das_err *err)
{
    if (f->now && (f->open_count || f->respawning_count) &&
        !das_identity_same(das_snapshot_identity(f->now), das_snapshot_identity(snap)))
        das_follow_close(f); /* another server: nobody knows how they would have gone on */
    if (f->open_count) {
        find_ends(f, snap, at_ms);
        count_waits(f, at_ms);
        close_ended(f);
    }
    das_snapshot_release(f->now);
    f->now = das_snapshot_retain(snap);
    f->now_ms = at_ms;
    if (f->open_count)
        das_follow_waits(f);
    return f->respawning_count ? find_respawns(f, snap, at_ms, err) : 0;
}
