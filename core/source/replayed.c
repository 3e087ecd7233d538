/* replayed.c - see replayed.h. */
#include "core/source/replayed.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/idmap.h"
#include "core/base/mem.h"
#include "core/session/mark.h"
#include "core/source/source_impl.h"

/* What was killed and lies over the recording. */
struct killed {
    struct das_mark mark; /* as it was when it was killed */
    int64_t at_ms;
    bool connection;
    bool seen; /* scratch */
};

struct replayed {
    struct das_source base;
    struct das_replayed_feed feed;
    struct das_replayed_watch watch;
    struct das_snapshot *now, *next; /* shown, and the one after it; or NULL */
    int64_t now_ms, next_ms;
    struct killed *killed;
    uint32_t killed_count, killed_cap;
    struct das_idmap by_id;       /* places in killed */
    struct das_snapshot *picture; /* what the last list gave, or NULL */
    int64_t picture_age;          /* s */
    uint32_t *alive;              /* scratch: rows that a list shows */
    size_t alive_cap;
    struct das_err failed;
};

static struct replayed *of(struct das_source *s)
{
    return (struct replayed *)s;
}

/* --- what was killed -------------------------------------------------------------------------- */

static struct killed *killed_of(const struct replayed *r, int64_t id)
{
    uint32_t place = das_idmap_get(&r->by_id, id);

    return place == DAS_IDMAP_NONE ? NULL : &r->killed[place];
}

static void forget_picture(struct replayed *r)
{
    das_snapshot_release(r->picture);
    r->picture = NULL;
}

static void drop(struct replayed *r, uint32_t place)
{
    das_idmap_remove(&r->by_id, r->killed[place].mark.id);
    r->killed_count--;
    if (place == r->killed_count)
        return;
    r->killed[place] = r->killed[r->killed_count];
    das_idmap_put(&r->by_id, r->killed[place].mark.id,
                  place); /* is there already: needs no memory */
}

static int add(struct replayed *r, const struct das_session *s, bool connection,
               struct das_err *err)
{
    struct killed *k = killed_of(r, s->id), *bigger;

    if (!k && r->killed_count == r->killed_cap) {
        uint32_t cap = r->killed_cap ? r->killed_cap * 2 : 16;
        bigger = das_grow(r->killed, cap, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        r->killed = bigger;
        r->killed_cap = cap;
    }
    if (!k && das_idmap_put(&r->by_id, s->id, r->killed_count) < 0)
        return das_fail_nomem(err);
    if (!k)
        k = &r->killed[r->killed_count++];
    das_mark_take(&k->mark, s, r->now_ms);
    k->at_ms = das_clock_unix_ms();
    k->connection = connection;
    return 0;
}

/* Is the row what was killed, which only the recording does not know? */
static bool still_lies(const struct killed *k, const struct das_session *s, int64_t at_ms)
{
    return das_mark_same_owner(&k->mark, s) &&
           (k->connection || das_mark_same_statement(&k->mark, s, at_ms));
}

/* A list without it proves its end only when nothing was left out of it. */
static bool is_whole(const struct das_snapshot *s)
{
    return das_snapshot_complete(s) && !das_snapshot_partial(s) && !das_snapshot_cut(s);
}

/* What the snapshot that is shown now says of the kills so far. */
static void reconcile(struct replayed *r)
{
    const int64_t *ids = das_snapshot_ids(r->now);
    struct das_session s;
    struct killed *k;

    for (uint32_t i = 0; i < r->killed_count; i++)
        r->killed[i].seen = false;
    for (uint32_t row = 0; row < das_snapshot_rows(r->now) && r->killed_count; row++) {
        k = killed_of(r, ids[row]);
        if (!k)
            continue;
        das_snapshot_get(r->now, row, &s);
        if (still_lies(k, &s, r->now_ms))
            k->seen = true;
        else
            drop(r, (uint32_t)(k - r->killed));
    }
    for (uint32_t i = r->killed_count; i-- > 0 && is_whole(r->now);) {
        if (!r->killed[i].seen)
            drop(r, i);
    }
}

/* --- reading on ------------------------------------------------------------------------------- */

static int read_next(struct replayed *r, struct das_err *err)
{
    int rc = r->feed.next(r->feed.arg, &r->next, &r->next_ms, err);

    if (rc == 1 && das_snapshot_prepare_idle(r->next, err) == 0)
        return 0;
    if (rc == 0) {
        r->next = NULL;
        r->next_ms = INT64_MAX;
    }
    return rc == 0 ? 0 : -1;
}

static int step(struct replayed *r, struct das_err *err)
{
    bool same =
        r->now && das_identity_same(das_snapshot_identity(r->now), das_snapshot_identity(r->next));

    forget_picture(r);
    das_snapshot_release(r->now);
    r->now = r->next;
    r->now_ms = r->next_ms;
    r->next = NULL;
    if (!same) {
        das_idmap_reset(&r->by_id);
        r->killed_count = 0;
    }
    if (r->killed_count)
        reconcile(r);
    if (r->watch.passed && r->watch.passed(r->watch.arg, r->now, r->now_ms, err) < 0)
        return -1;
    return read_next(r, err);
}

int das_replayed_advance(struct das_source *s, int64_t now_ms, struct das_err *err)
{
    struct replayed *r = of(s);

    while (r->failed.code == DAS_OK && r->next && r->next_ms <= now_ms) {
        if (step(r, &r->failed) < 0 && r->failed.code == DAS_OK)
            das_fail(&r->failed, DAS_E_INTERNAL, "the recording cannot be read on");
    }
    if (r->failed.code == DAS_OK)
        return 0;
    *err = r->failed;
    return -1;
}

int64_t das_replayed_at_ms(struct das_source *s)
{
    return of(s)->now ? of(s)->now_ms : INT64_MIN;
}

/* --- showing it ------------------------------------------------------------------------------- */

/* The rows that were not killed, into r->alive. -1: no memory. */
static int64_t collect_alive(struct replayed *r, struct das_err *err)
{
    uint32_t rows = das_snapshot_rows(r->now), n = 0, *bigger;
    const int64_t *ids = das_snapshot_ids(r->now);

    if (rows > r->alive_cap) {
        bigger = das_grow(r->alive, rows, sizeof *bigger);
        if (!bigger)
            return das_fail_nomem(err);
        r->alive = bigger;
        r->alive_cap = rows;
    }
    for (uint32_t i = 0; i < rows; i++) {
        const struct killed *k = killed_of(r, ids[i]);
        if (!k || !k->connection)
            r->alive[n++] = i;
    }
    return n;
}

static struct das_snapshot *make_picture(struct replayed *r, int64_t now_ms, int64_t age,
                                         struct das_err *err)
{
    struct das_snapshot *s;
    int64_t n;

    if (!r->killed_count && age <= 0)
        return das_snapshot_retain(r->now);
    n = r->killed_count ? collect_alive(r, err) : das_snapshot_rows(r->now);
    if (n < 0)
        return NULL;
    s = das_snapshot_derive(r->now, r->killed_count ? r->alive : NULL, (size_t)n, err);
    if (s && das_snapshot_age(s, age, err) < 0) {
        das_snapshot_release(s);
        return NULL;
    }
    for (int64_t i = 0; s && r->killed_count && i < n; i++) {
        const struct killed *k = killed_of(r, das_snapshot_ids(s)[i]);
        if (k)
            das_snapshot_set_idle(s, (uint32_t)i, (now_ms - k->at_ms) / 1000);
    }
    return s;
}

static int replayed_list(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                         struct das_err *err)
{
    struct replayed *r = of(s);
    int64_t now_ms = das_clock_unix_ms(), age;

    (void)q; /* leaving rows out would cost as much as matching them */
    if (das_replayed_advance(s, now_ms, err) < 0)
        return -1;
    if (!r->now)
        return das_fail(err, DAS_E_DATA, "%s: the recording begins later", s->name);
    age = (now_ms - r->now_ms) / 1000;
    if (r->picture && (r->picture_age != age || r->killed_count))
        forget_picture(r); /* who sleeps since a kill grows older by another clock */
    if (!r->picture)
        r->picture = make_picture(r, now_ms, age, err);
    if (!r->picture)
        return -1;
    r->picture_age = age;
    *out = das_snapshot_retain(r->picture);
    return 0;
}

/* --- killing ---------------------------------------------------------------------------------- */

/* Is it what the killer looked at? Without a number nobody can tell, and the id decides. */
static bool is_meant(const struct killed *k, const struct das_session *s,
                     const struct das_kill_order *o)
{
    bool sleeps = k || das_text_iis(s->command, "Sleep");

    if (o->query_id == DAS_UNKNOWN || s->query_id == DAS_UNKNOWN)
        return true;
    return o->query_id == s->query_id && sleeps == (o->what == DAS_KILL_IDLE_SESSION);
}

static enum das_kill_result replayed_kill(struct das_source *src, const struct das_kill_order *o,
                                          struct das_err *err)
{
    struct replayed *r = of(src);
    bool connection = o->what == DAS_KILL_SESSION || o->what == DAS_KILL_IDLE_SESSION;
    const struct killed *k = killed_of(r, o->id);
    struct das_session s;
    int64_t row;

    if (das_replayed_advance(src, das_clock_unix_ms(), err) < 0)
        return DAS_KILL_FAILED;
    k = killed_of(r, o->id);
    row = r->now ? das_snapshot_find(r->now, o->id) : -1;
    if (row < 0 || (k && (k->connection || !connection)))
        return DAS_KILL_GONE;
    das_snapshot_get(r->now, (uint32_t)row, &s);
    if (!is_meant(k, &s, o) || (!connection && das_text_iis(s.command, "Sleep")))
        return DAS_KILL_GONE;
    if (add(r, &s, connection, err) < 0)
        return DAS_KILL_FAILED;
    forget_picture(r);
    if (r->watch.killed)
        r->watch.killed(r->watch.arg, o->id, connection);
    return DAS_KILLED;
}

static const char *replayed_cannot_soft(const struct das_source *s)
{
    (void)s;
    return NULL;
}

static void replayed_close(struct das_source *s)
{
    struct replayed *r = of(s);

    forget_picture(r);
    das_snapshot_release(r->now);
    das_snapshot_release(r->next);
    if (r->feed.close)
        r->feed.close(r->feed.arg);
    das_idmap_clear(&r->by_id);
    das_free(r->killed);
    das_free(r->alive);
}

static const struct das_source_ops replayed_ops = {
    .list = replayed_list,
    .kill = replayed_kill,
    .close = replayed_close,
    .cannot_soft = replayed_cannot_soft,
};

int das_replayed_open(const char *name, const struct das_replayed_feed *feed,
                      const struct das_replayed_watch *watch, struct das_source **out,
                      struct das_err *err)
{
    struct replayed *r = das_calloc(1, sizeof *r);

    *out = NULL;
    if (!r) {
        if (feed->close)
            feed->close(feed->arg);
        return das_fail_nomem(err);
    }
    r->base.ops = &replayed_ops;
    r->feed = *feed;
    if (watch)
        r->watch = *watch;
    if (das_source_set_name(&r->base, name, err) == 0 && read_next(r, err) == 0) {
        if (r->next) {
            *out = &r->base;
            return 0;
        }
        das_fail(err, DAS_E_DATA, "%s: there is no snapshot", name);
    }
    das_source_close(&r->base);
    return -1;
}
