/*
 * cloud_list.c - a list of sessions from previews of the DAS API: several calls, merged by id, and in
 * parts where one answer does not hold them all.
 *
 * Used by das_cloud.c only. Decides nothing but what to ask.
 */
#include <inttypes.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/source/cloud_cover.h"
#include "core/source/das_cloud_impl.h"

#define CALLS_MAX 100 /* of one list */
#define LAG_TOLD 5    /* s */

/* Numbers that were met: open addressing, zero-initialised. */
struct ids {
    int64_t *slots;
    bool *used;
    size_t count, cap;
};

static size_t slot_of(const struct ids *s, int64_t id)
{
    size_t at = ((uint64_t)id * 0x9e3779b97f4a7c15u >> 20) & (s->cap - 1);

    while (s->used[at] && s->slots[at] != id)
        at = (at + 1) & (s->cap - 1);
    return at;
}

static bool ids_has(const struct ids *s, int64_t id)
{
    return s->cap && s->used[slot_of(s, id)];
}

static void ids_put(struct ids *s, int64_t id)
{
    size_t at = slot_of(s, id);

    s->count += !s->used[at];
    s->used[at] = true;
    s->slots[at] = id;
}

static void ids_clear(struct ids *s)
{
    das_free(s->slots);
    das_free(s->used);
    memset(s, 0, sizeof *s);
}

/* Room for n more. */
static int ids_reserve(struct ids *s, size_t n, struct das_err *err)
{
    struct ids bigger = {.cap = s->cap ? s->cap : 512};

    while (bigger.cap < (s->count + n) * 2)
        bigger.cap *= 2;
    if (bigger.cap == s->cap)
        return 0;
    bigger.slots = das_calloc(bigger.cap, sizeof *bigger.slots);
    bigger.used = das_calloc(bigger.cap, sizeof *bigger.used);
    if (!bigger.slots || !bigger.used) {
        ids_clear(&bigger);
        return das_fail_nomem(err);
    }
    for (size_t i = 0; i < s->cap; i++) {
        if (s->used[i])
            ids_put(&bigger, s->slots[i]);
    }
    ids_clear(s);
    *s = bigger;
    return 0;
}

/* What was met since a conjunction is asked for in parts. */
struct split {
    struct split *outer; /* it is itself a part of that; NULL: of nothing */
    struct ids met;
};

struct gather {
    struct das_cloud_source *source;
    const struct das_query *q;
    const struct das_cover *cover;
    struct das_snapshot *snap;
    struct ids seen;
    struct split *splits; /* the innermost; NULL: none */
    bool merges;       /* more than one answer may come */
    size_t calls;
    int64_t synced;    /* the earliest of the answers; DAS_UNKNOWN: not told */
    int64_t latest;    /* of them, where it is told */
    int64_t date;      /* when the last of them came, by the server's clock; 0: not told */
    int64_t total;     /* of the last conjunction that was asked for as a whole */
    bool cut;
    size_t disputed;
    char disputed_ids[200];
    struct das_err *err;
};

/* --- one answer ------------------------------------------------------------------------------------- */

static bool is_disputed(const struct gather *g, const struct das_session *s)
{
    if (!g->cover->given || (g->cover->rest && das_filter_test(g->cover->rest, s) != DAS_YES))
        return false;
    return das_filter_test(g->q->filter, s) != DAS_YES;
}

static void note_disputed(struct gather *g, int64_t id)
{
    size_t len = strlen(g->disputed_ids);

    if (len + 40 < sizeof g->disputed_ids)
        snprintf(g->disputed_ids + len, sizeof g->disputed_ids - len, "%s%" PRId64, len ? ", " : "",
                 id);
    else if (g->disputed_ids[len - 1] != '.')
        snprintf(g->disputed_ids + len, sizeof g->disputed_ids - len, ", ...");
    g->disputed++;
}

static int take_process(struct gather *g, const struct das_cloud_process *p)
{
    struct das_session s;

    das_session_unknown(&s);
    s.id = p->id;
    s.user = p->user;
    s.host = p->host;
    s.db = p->db;
    s.command = p->command;
    s.state = p->state;
    s.sql_info = p->sql_info;
    s.state_duration = p->state_duration;
    s.disputed = is_disputed(g, &s);
    if (s.disputed)
        note_disputed(g, s.id);
    return das_snapshot_add(g->snap, &s, g->err);
}

/* When it was taken, and when it came: by the server's own clock, in whole seconds. */
static void note_times(struct gather *g, const struct das_cloud_call *call,
                       const struct das_cloud_preview *p)
{
    int64_t synced = p->data_sync_time;

    if (synced == DAS_CLOUD_NOT_TOLD)
        g->synced = DAS_UNKNOWN;
    else if (g->calls == 1 || (das_known(g->synced) && synced < g->synced))
        g->synced = synced;
    if (synced != DAS_CLOUD_NOT_TOLD && synced > g->latest)
        g->latest = synced;
    if (call->date > g->date)
        g->date = call->date;
}

/* s: how old the oldest part of the list was when the last one had come. */
static int64_t lag_of(const struct gather *g)
{
    return das_known(g->synced) && g->synced > 0 && g->date > g->synced ? g->date - g->synced : 0;
}

static int note_ids(struct ids *s, const struct das_cloud_list *list, struct das_err *err)
{
    if (ids_reserve(s, list->count, err) < 0)
        return -1;
    for (size_t i = 0; i < list->count; i++)
        ids_put(s, ((const struct das_cloud_process *)das_cloud_item(list, i))->id);
    return 0;
}

/* From an answer before. Another session with the same number, as on another node, is listed as well:
 * a list that names a number twice does not say whom a kill would hit. */
static bool is_listed(const struct gather *g, const struct das_cloud_process *p, uint32_t rows)
{
    const int64_t *ids = das_snapshot_ids(g->snap);
    struct das_session s;

    if (!ids_has(&g->seen, p->id))
        return false;
    for (uint32_t i = 0; i < rows; i++) {
        if (ids[i] != p->id)
            continue;
        das_snapshot_get(g->snap, i, &s);
        if (das_text_eq(s.user, p->user) && das_text_eq(s.host, p->host))
            return true;
    }
    return false;
}

static int take_answer(struct gather *g, const struct das_cloud_preview *p)
{
    const struct das_cloud_list *list = &p->processes.list;
    uint32_t before = das_snapshot_rows(g->snap);

    for (size_t i = 0; i < list->count; i++) {
        const struct das_cloud_process *one = das_cloud_item(list, i);
        if (!is_listed(g, one, before) && take_process(g, one) < 0)
            return -1;
    }
    /* afterwards, so that an answer that names an id twice shows it twice */
    if (g->merges && note_ids(&g->seen, list, g->err) < 0)
        return -1;
    for (struct split *s = g->splits; s; s = s->outer) {
        if (note_ids(&s->met, list, g->err) < 0)
            return -1;
    }
    return 0;
}

/* One call. *left: how many sessions match that the answer does not have. */
static int ask(struct gather *g, const struct das_cloud_criteria *c, int64_t *total, int64_t *left)
{
    struct das_cloud_source *s = g->source;
    const struct das_cloud_place place = das_cloud_address_place(&s->address);
    struct das_cloud_call call = {.patience = s->base.patience};
    struct das_cloud_preview p;
    int rc;

    g->calls++;
    rc = das_cloud_preview(s->cloud, &place, c, &call, &p, g->err);
    if (rc == 0) {
        note_times(g, &call, &p);
        rc = take_answer(g, &p);
    }
    *total = rc == 0 ? p.processes.total : 0;
    *left = rc == 0 ? *total - (int64_t)p.processes.list.count : 0;
    das_cloud_preview_clear(&p);
    return rc;
}

/* --- more than one answer holds --------------------------------------------------------------------- */

static int dig(struct gather *g, const struct das_cloud_criteria *c, int64_t *total);

/* Nothing is left to split by. */
static bool is_smallest(const struct das_cloud_criteria *c)
{
    return c->command.len && c->user.len && c->host.len;
}

/* The values of the criterion that a part is split by: commands that there are, users and hosts that
 * were seen (more may be, while we go on). false: no more. */
static bool next_part(struct gather *g, const struct das_cloud_criteria *c, uint32_t i,
                      struct das_cloud_criteria *part, char *host, size_t size)
{
    enum das_dict d = !c->user.len ? DAS_D_USER : DAS_D_HOST_PART;
    struct das_text value;

    *part = *c;
    if (!c->command.len) {
        if (i >= das_cloud_command_count)
            return false;
        part->command = das_text_of(das_cloud_commands[i]);
        return true;
    }
    if (i >= das_snapshot_dict_size(g->snap, d))
        return false;
    value = das_snapshot_dict_text(g->snap, d, i);
    if (d == DAS_D_USER) {
        part->user = value;
    } else { /* with the colon: "10.1.1.1%" would have those of 10.1.1.10, too */
        int n = value.len < size - 3 ? snprintf(host, size, "%.*s:%%", (int)value.len, value.ptr) : 0;
        part->host = das_text(host, (size_t)n);
    }
    return true;
}

/* A session without a user, or without a host, cannot be asked for by that. */
static bool is_askable(const struct das_cloud_criteria *whole, const struct das_cloud_criteria *part)
{
    return !whole->command.len || (whole->user.len ? part->host.len : part->user.len);
}

/* Were all of them met? As many different sessions as there are now: the parts are lists of their own
 * moments, and one that has moved from one to another is in both. -1: an error. */
static int met_all(struct gather *g, const struct das_cloud_criteria *c, int64_t *total)
{
    const struct ids *met = &g->splits->met;
    int64_t left;

    if ((int64_t)met->count < *total || g->calls >= CALLS_MAX)
        return 0;
    if (ask(g, c, total, &left) < 0)
        return -1;
    return (int64_t)met->count >= *total;
}

/* Asks for the parts until all were met. */
static int ask_parts(struct gather *g, const struct das_cloud_criteria *c, int64_t total)
{
    struct das_cloud_criteria part;
    int64_t of_part, left;
    char host[300];
    int done = 0;

    for (uint32_t i = 0; done == 0 && next_part(g, c, i, &part, host, sizeof host); i++) {
        if (!is_askable(c, &part))
            continue;
        if (g->calls >= CALLS_MAX)
            break;
        if (dig(g, &part, &of_part) < 0)
            return -1;
        done = met_all(g, c, &total);
    }
    /* some may have ended meanwhile */
    if (done == 0 && g->calls < CALLS_MAX) {
        if (ask(g, c, &total, &left) < 0)
            return -1;
        done = (int64_t)g->splits->met.count >= total;
    }
    g->cut = g->cut || done == 0;
    return done < 0 ? -1 : 0;
}

static int split(struct gather *g, const struct das_cloud_criteria *c, int64_t total)
{
    struct split here = {.outer = g->splits};
    int rc;

    if (is_smallest(c)) {
        g->cut = true;
        return 0;
    }
    g->splits = &here;
    rc = ask_parts(g, c, total);
    g->splits = here.outer;
    ids_clear(&here.met);
    return rc;
}

static int dig(struct gather *g, const struct das_cloud_criteria *c, int64_t *total)
{
    int64_t left;

    if (ask(g, c, total, &left) < 0)
        return -1;
    if (left <= 0)
        return 0;
    if (g->q->exhaustive)
        return split(g, c, *total);
    g->cut = true;
    return 0;
}

/* --- the list --------------------------------------------------------------------------------------- */

/* Numbers that the API does not tell: a criterion of one is never sure. */
static bool names_key(const struct das_filter *f, enum das_key k)
{
    struct das_criterion x;

    if (!f)
        return false;
    if (das_filter_op(f) == DAS_FILTER_TABLE)
        return das_filter_get(f, k, &x);
    return names_key(das_filter_left(f), k) || names_key(das_filter_right(f), k);
}

static int warn(struct gather *g)
{
    static const enum das_key untold[] = {DAS_K_TRX_TIME, DAS_K_ROWS_MODIFIED};
    struct das_snapshot *s = g->snap;

    for (size_t i = 0; i < 2; i++) {
        if (names_key(g->q->filter, untold[i]) &&
            das_snapshot_warn(s, g->err, "the DAS API does not tell %s: no session matches it here",
                              das_key_name(untold[i])) < 0)
            return -1;
    }
    if (g->disputed &&
        das_snapshot_warn(s, g->err,
                          "%zu session%s disputed: the DAS API selects %s, das's own reading of the "
                          "filter does not (%s); a plan leaves %s out unless trust_source = true",
                          g->disputed, g->disputed == 1 ? " is" : "s are",
                          g->disputed == 1 ? "it" : "them", g->disputed_ids,
                          g->disputed == 1 ? "it" : "them") < 0)
        return -1;
    if (lag_of(g) >= LAG_TOLD &&
        das_snapshot_warn(s, g->err, "the DAS API gave a list that was %" PRId64 " s old", lag_of(g)) < 0)
        return -1;
    if (!g->cut)
        return 0;
    if (g->q->exhaustive)
        return das_snapshot_warn(s, g->err, "the list is not complete: %u sessions after %zu calls of "
                                            "the DAS API", das_snapshot_rows(s), g->calls);
    return das_snapshot_warn(s, g->err, "the list is not complete: the DAS API tells at most %d "
                                        "sessions at a time, %" PRId64 " match; exhaustive = true "
                                        "asks in parts", DAS_CLOUD_PREVIEW_MAX, g->total);
}

static void describe(struct gather *g)
{
    const struct das_cover *c = g->cover;
    bool alone = c->count == 1 && (!g->q->filter || (c->given && !c->rest));

    das_snapshot_set_identity(g->snap, &g->source->identity);
    das_snapshot_set_time(g->snap, das_known(g->synced) ? g->synced : 0);
    das_snapshot_set_lag(g->snap, lag_of(g));
    if (das_known(g->synced))
        das_snapshot_set_spread(g->snap, g->latest - g->synced);
    das_snapshot_set_partial(g->snap, g->q->filter != NULL);
    das_snapshot_set_complete(g->snap, !g->cut);
    das_snapshot_set_cut(g->snap, g->cut);
    if (g->cut && alone)
        das_snapshot_set_total(g->snap, g->total);
}

int das_cloud_source_list(struct das_source *base, const struct das_query *q,
                          struct das_snapshot **out, struct das_err *err)
{
    struct das_cover cover;
    struct gather g = {.source = (struct das_cloud_source *)(void *)base, .q = q, .cover = &cover,
                       .synced = DAS_UNKNOWN, .err = err};
    int rc = -1;

    if (das_cover_init(&cover, q->filter, q->own_reading, err) < 0)
        return -1;
    g.merges = q->exhaustive || cover.count > 1;
    g.snap = das_snapshot_new(err);
    if (!g.snap)
        goto done;
    if (cover.count == 0)
        g.synced = das_clock_unix_ms() / 1000; /* nobody was asked: there is nothing to find */
    for (size_t i = 0; i < cover.count; i++) {
        if (dig(&g, &cover.calls[i], &g.total) < 0)
            goto done;
    }
    describe(&g);
    rc = warn(&g);
done:
    if (rc == 0)
        *out = g.snap;
    else
        das_snapshot_release(g.snap);
    if (rc < 0 && base->name)
        das_err_prefix(err, "%s", base->name);
    ids_clear(&g.seen);
    das_cover_clear(&cover);
    return rc;
}
