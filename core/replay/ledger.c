/* ledger.c - see ledger.h: what a policy did, while it is replayed. */
#include "core/replay/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/session/fingerprint.h"
#include "core/source/replayed.h"

int das_ledger_init(struct das_ledger *l, struct das_replay_result *result,
                    const struct das_footage *f, struct das_err *err)
{
    struct das_footage_span span;

    memset(l, 0, sizeof *l);
    l->result = result;
    l->followed = das_calloc(das_footage_count(f), sizeof *l->followed);
    if (!l->followed)
        return das_fail_nomem(err);
    l->followed_count = das_footage_count(f);
    for (size_t i = 0; i < l->followed_count; i++) {
        das_footage_span(f, i, &span);
        l->followed[i] =
            (struct das_followed){.ledger = l, .name = span.name, .number = (uint32_t)i};
    }
    return 0;
}

void das_ledger_clear(struct das_ledger *l)
{
    for (size_t i = 0; i < l->followed_count; i++) {
        struct das_followed *f = &l->followed[i];
        das_snapshot_release(f->now);
        das_idmap_clear(&f->by_id);
        das_idmap_clear(&f->came_back);
        das_near_list_clear(&f->near);
        das_free(f->open);
        das_free(f->respawning);
        das_free(f->sessions);
        das_free(f->active);
        das_free(f->snapshots);
    }
    for (size_t i = 0; l->pursued && i < l->result->victim_count; i++)
        das_idmap_clear(&l->pursued[i].waiters);
    das_near_clear(&l->near);
    das_idmap_clear(&l->refused);
    das_free(l->pursued);
    das_free(l->followed);
}

/* Told on a script's thread, where nobody takes an error. */
static void note_failure(struct das_ledger *l, const struct das_err *err)
{
    if (l->failed.code == DAS_OK)
        l->failed = *err;
}

/* --- what was recorded ------------------------------------------------------------------------ */

static int timeline_room(struct das_followed *f, struct das_err *err)
{
    size_t n = f->ledger->timeline->steps;

    if (f->snapshots)
        return 0;
    f->sessions = das_calloc(n, sizeof *f->sessions);
    f->active = das_calloc(n, sizeof *f->active);
    f->snapshots = das_calloc(n, sizeof *f->snapshots);
    return f->sessions && f->active && f->snapshots ? 0 : das_fail_nomem(err);
}

/* Sessions that neither sleep nor belong to the server itself. */
static uint32_t count_active(const struct das_snapshot *snap)
{
    const uint32_t *column = das_snapshot_dict_column(snap, DAS_D_COMMAND);
    uint32_t idle[8], idle_count = 0, n = 0;

    for (uint32_t i = 0; i < das_snapshot_dict_size(snap, DAS_D_COMMAND) && idle_count < 8; i++) {
        struct das_text t = das_snapshot_dict_text(snap, DAS_D_COMMAND, i);
        if (das_text_iis(t, "Sleep") || das_text_iis(t, "Daemon"))
            idle[idle_count++] = i;
    }
    for (uint32_t row = 0; row < das_snapshot_rows(snap); row++) {
        bool active = true;
        for (uint32_t i = 0; i < idle_count; i++)
            active = active && column[row] != idle[i];
        n += active;
    }
    return n;
}

static int note_timeline(struct das_followed *f, const struct das_snapshot *snap, int64_t at_ms,
                         struct das_err *err)
{
    const struct das_replay_timeline *t = f->ledger->timeline;
    size_t step;

    if (!t || at_ms < t->from_ms)
        return 0;
    step = (size_t)((at_ms - t->from_ms) / t->step_ms);
    if (step >= t->steps)
        return 0;
    if (timeline_room(f, err) < 0)
        return -1;
    f->sessions[step] += das_snapshot_rows(snap);
    f->active[step] += count_active(snap);
    f->snapshots[step]++;
    return 0;
}

int das_ledger_passed(void *followed, struct das_snapshot *snap, int64_t at_ms, struct das_err *err)
{
    struct das_followed *f = followed;

    if (note_timeline(f, snap, at_ms, err) < 0)
        return -1;
    return das_follow(f, snap, at_ms, err);
}

/* --- kills ------------------------------------------------------------------------------------ */

static int keep_text(struct das_arena *a, struct das_text *t)
{
    char *copy = t->ptr ? das_arena_dup(a, t->ptr, t->len) : NULL;

    if (t->ptr && !copy)
        return -1;
    t->ptr = copy;
    return 0;
}

#define SQL_KEPT ((size_t)16384) /* bytes of a victim's statement */

static int keep_session(struct das_arena *a, struct das_session *s)
{
    if (s->sql_info.len > SQL_KEPT)
        s->sql_info.len = SQL_KEPT;
    return keep_text(a, &s->user) < 0 || keep_text(a, &s->host) < 0 || keep_text(a, &s->db) < 0 ||
                   keep_text(a, &s->command) < 0 || keep_text(a, &s->state) < 0 ||
                   keep_text(a, &s->sql_info) < 0
               ? -1
               : 0;
}

static int make_room(struct das_ledger *l)
{
    size_t cap = l->victim_cap ? l->victim_cap * 2 : 64;
    struct das_replay_victim *victims;
    struct das_pursued *pursued;

    if (l->result->victim_count < l->victim_cap)
        return 0;
    victims = das_grow(l->result->victims, cap, sizeof *victims);
    if (!victims)
        return -1;
    l->result->victims = victims;
    pursued = das_grow(l->pursued, cap, sizeof *pursued);
    if (!pursued)
        return -1;
    l->pursued = pursued;
    l->victim_cap = cap;
    return 0;
}

static int push(uint32_t **list, uint32_t *count, uint32_t *cap, uint32_t value)
{
    if (*count == *cap) {
        uint32_t more = *cap ? *cap * 2 : 16, *bigger = das_grow(*list, more, sizeof *bigger);
        if (!bigger)
            return -1;
        *list = bigger;
        *cap = more;
    }
    (*list)[(*count)++] = value;
    return 0;
}

static int64_t aged(int64_t v, int64_t seconds)
{
    return das_known(v) ? v + seconds : v;
}

/* The victim as it is when it is killed. */
static int describe(struct das_followed *f, struct das_replay_victim *v, struct das_pursued *p,
                    struct das_session *s, bool connection)
{
    struct das_arena *texts = &f->ledger->result->texts;
    int64_t age = (v->at_ms - f->now_ms) / 1000;
    struct das_buf b = {0};
    bool failed = false;

    das_mark_take(&p->mark, s, f->now_ms);
    p->what = !connection              ? DAS_PURSUE_STATEMENT
              : das_known(s->trx_time) ? DAS_PURSUE_TRANSACTION
              : p->mark.sleeps         ? DAS_PURSUE_CONNECTION
                                       : DAS_PURSUE_STATEMENT;
    s->state_duration = aged(s->state_duration, age);
    s->trx_time = aged(s->trx_time, age);
    s->time_ms = aged(s->time_ms, age * 1000);
    v->was = *s;
    v->key = das_mark_key(&p->mark);
    v->kill = connection ? "connection" : "query";
    if (s->sql_info.ptr) {
        das_fingerprint(s->sql_info, &b);
        failed = b.failed;
        p->shape = das_hash_text(das_hash_text(2, s->user), das_buf_view(&b));
        v->fingerprint = das_buf_view(&b);
        failed = failed || keep_text(texts, &v->fingerprint) < 0;
    }
    das_buf_clear(&b);
    return failed || keep_session(texts, &v->was) < 0 ? -1 : 0;
}

static int add_victim(struct das_followed *f, struct das_session *s, bool connection)
{
    struct das_ledger *l = f->ledger;
    uint32_t number = (uint32_t)l->result->victim_count;
    struct das_replay_victim *v;
    struct das_pursued *p;

    if (make_room(l) < 0)
        return -1;
    v = &l->result->victims[number];
    p = &l->pursued[number];
    *v = (struct das_replay_victim){.at_ms = das_clock_unix_ms(),
                                    .instance = f->name,
                                    .blocked = DAS_UNKNOWN,
                                    .blocked_ms = DAS_UNKNOWN};
    *p = (struct das_pursued){.instance = f->number,
                              .open = true,
                              .seen_ms = f->now_ms,
                              .ended_ms = DAS_UNKNOWN,
                              .next = das_idmap_get(&f->by_id, s->id)};
    if (describe(f, v, p, s, connection) < 0 ||
        push(&f->open, &f->open_count, &f->open_cap, number) < 0)
        return -1;
    l->result->victim_count++;
    if (das_idmap_put(&f->by_id, s->id, number) < 0 ||
        (p->shape && push(&f->respawning, &f->respawning_count, &f->respawning_cap, number) < 0))
        return -1;
    return 0;
}

void das_ledger_killed(void *followed, int64_t id, bool connection)
{
    struct das_followed *f = followed;
    int64_t row = f->now ? das_snapshot_find(f->now, id) : -1;
    struct das_session s;
    struct das_err err;

    if (row < 0)
        return;
    das_snapshot_get(f->now, (uint32_t)row, &s);
    if (add_victim(f, &s, connection) < 0) {
        das_fail_nomem(&err);
        note_failure(f->ledger, &err);
        return;
    }
    das_follow_waits(f);
}

/* --- plans ------------------------------------------------------------------------------------ */

/* "limits.kill.run: 12 kills, ..." is the limit of that name; else the word for the guard. */
static void limit_of(const char *note, char *out, size_t size)
{
    const char *name = strstr(note, "limits.kill.");
    size_t n = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz_.") : 0;
    const char *word = das_guard_word(note);

    while (n && name[n - 1] == '.')
        n--;
    if (n)
        snprintf(out, size, "%.*s", (int)n, name);
    else
        snprintf(out, size, "%s", strcmp(word, "guard") == 0 ? "other" : word);
}

static struct das_replay_refusal *refusal_of(struct das_replay_result *r, const char *limit,
                                             const char *note)
{
    struct das_replay_refusal *bigger, *to;

    for (size_t i = 0; i < r->refused_count; i++) {
        if (strcmp(r->refused[i].limit, limit) == 0)
            return &r->refused[i];
    }
    bigger = das_grow(r->refused, r->refused_count + 1, sizeof *bigger);
    if (!bigger)
        return NULL;
    r->refused = bigger;
    to = &bigger[r->refused_count];
    *to = (struct das_replay_refusal){.limit = das_strdup(limit), .note = das_strdup(note)};
    r->refused_count++;
    return to->limit && to->note ? to : NULL;
}

static int note_refused(struct das_followed *f, const struct das_session *s, const char *note)
{
    struct das_ledger *l = f->ledger;
    struct das_replay_refusal *r;
    struct das_mark mark;
    char limit[80];
    int64_t key;

    limit_of(note, limit, sizeof limit);
    r = refusal_of(l->result, limit, note);
    if (!r)
        return -1;
    r->count++;
    das_mark_take(&mark, s, f->now_ms);
    key = (int64_t)(das_mark_key(&mark) ^ das_hash_text(f->number, das_text_of(limit)));
    if (das_idmap_get(&l->refused, key) != DAS_IDMAP_NONE)
        return 0;
    r->sessions++;
    return das_idmap_put(&l->refused, key, 0);
}

void das_ledger_applied(void *followed, const struct das_plan *p, const struct das_report *r,
                        const struct das_err *err)
{
    struct das_followed *f = followed;
    struct das_ledger *l = f->ledger;
    struct das_text reason = das_text_of(das_plan_reason(p));
    struct das_session s;
    int rc = 0;

    (void)err; /* a plan that could not be verified killed nobody; the run tells why */
    for (size_t i = 0; r && i < r->count && rc == 0; i++) {
        l->result->outcomes[r->items[i].kind]++;
        if (r->items[i].kind != DAS_O_REFUSED)
            continue;
        das_plan_victim(p, i, &s);
        rc = note_refused(f, &s, r->items[i].note ? r->items[i].note : "");
    }
    if (l->plan_from < l->result->victim_count && keep_text(&l->result->texts, &reason) < 0)
        rc = -1;
    for (; l->plan_from < l->result->victim_count; l->plan_from++)
        l->result->victims[l->plan_from].reason = reason;
    if (rc < 0) {
        struct das_err lost;
        das_fail_nomem(&lost);
        note_failure(l, &lost);
    }
}

void das_ledger_previewed(void *followed, const char *instance, const struct das_selection *sel)
{
    struct das_followed *f = followed;
    struct das_err err;

    (void)instance;
    if (das_near_previewed(&f->ledger->near, &f->near, f->number, f->name, sel, das_clock_unix_ms(),
                           &err) < 0)
        note_failure(f->ledger, &err);
}

/* --- runs ------------------------------------------------------------------------------------- */

#define ERRORS_MAX 50

static int note_error(struct das_replay_result *r, const char *message, int64_t at_ms)
{
    struct das_replay_error *bigger;

    for (size_t i = 0; i < r->error_count; i++) {
        if (strcmp(r->errors[i].message, message) != 0)
            continue;
        r->errors[i].count++;
        return 0;
    }
    if (r->error_count == ERRORS_MAX) { /* messages with numbers in them never end */
        r->errors[ERRORS_MAX - 1].count++;
        return 0;
    }
    if (r->error_count == ERRORS_MAX - 1)
        message = "others";
    bigger = das_grow(r->errors, r->error_count + 1, sizeof *bigger);
    if (!bigger)
        return -1;
    r->errors = bigger;
    bigger[r->error_count] = (struct das_replay_error){das_strdup(message), 1, at_ms};
    return bigger[r->error_count++].message ? 0 : -1;
}

void das_ledger_ran(struct das_followed *f, int rc, int64_t at_ms, const struct das_err *err)
{
    struct das_ledger *l = f->ledger;
    struct das_err lost;

    l->result->runs++;
    l->result->failed_runs += rc < 0;
    if (rc < 0 && note_error(l->result, err->msg, at_ms) < 0) {
        das_fail_nomem(&lost);
        note_failure(l, &lost);
    }
    if (das_near_round(&l->near, &f->near, &lost) < 0)
        note_failure(l, &lost);
}

/* Runs that wait, of several instances, may kill out of turn. */
static int by_time(const void *a, const void *b)
{
    const struct das_replay_victim *x = a, *y = b;
    int c;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    c = strcmp(x->instance, y->instance);
    return c ? c : x->was.id < y->was.id ? -1 : x->was.id > y->was.id;
}

int das_ledger_close(struct das_ledger *l, struct das_err *err)
{
    for (size_t i = 0; i < l->followed_count; i++) {
        das_follow_close(&l->followed[i]);
        if (das_near_end(&l->near, &l->followed[i].near, err) < 0)
            return -1;
    }
    if (l->result->victim_count)
        qsort(l->result->victims, l->result->victim_count, sizeof *l->result->victims, by_time);
    if (l->failed.code != DAS_OK) {
        *err = l->failed;
        return -1;
    }
    return das_near_tell(&l->near, l->result, err);
}
