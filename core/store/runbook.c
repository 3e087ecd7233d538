/* runbook.c - see runbook.h: runs and their steps, as the process sees them that carries them on. */
#include "core/store/runbook.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/store/runbook_impl.h"

const char *das_runbook_status_name(enum das_runbook_status s)
{
    static const char *const names[] = {"running", "waiting", "unknown",
                                        "done",    "failed",  "cancelled"};

    return names[s];
}

const char *das_step_kind_name(enum das_step_kind k)
{
    static const char *const names[] = {"step", "ask", "sleep"};

    return names[k];
}

const char *das_step_status_name(enum das_step_status s)
{
    static const char *const names[] = {"begun", "waiting", "unknown", "done", "failed"};

    return names[s];
}

void das_runbook_clear(struct das_runbook *r)
{
    das_arena_clear(&r->arena);
    memset(r, 0, sizeof *r);
}

void das_runbook_step_clear(struct das_runbook_step *s)
{
    das_arena_clear(&s->arena);
    memset(s, 0, sizeof *s);
}

/* --- rows -------------------------------------------------------------------------------------- */

/* A number of a damaged database is no index into names. */
static int64_t bounded(sqlite3_stmt *st, int column, int64_t most)
{
    int64_t v = sqlite3_column_int64(st, column);

    return v < 0 || v > most ? most : v;
}

struct texts {
    int column;
    const char **to;
};

static int copy_texts(sqlite3_stmt *st, const struct texts *t, size_t n, struct das_arena *arena,
                      struct das_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *p = das_column_str(st, t[i].column);
        size_t len = p ? strlen(p) + 1 : 0;
        *t[i].to = p ? das_arena_dup(arena, p, len) : NULL;
        if (!*t[i].to)
            return das_fail_nomem(err);
    }
    return 0;
}

static int read_runbook(sqlite3_stmt *st, struct das_runbook *r, struct das_err *err)
{
    const struct texts texts[] = {{1, &r->name},   {2, &r->path}, {3, &r->sha256},
                                  {4, &r->instances}, {5, &r->params}, {6, &r->key},
                                  {8, &r->who},    {10, &r->run}, {17, &r->error}};

    memset(r, 0, sizeof *r);
    das_arena_init(&r->arena);
    r->id = sqlite3_column_int64(st, 0);
    r->armed = sqlite3_column_int(st, 7) != 0;
    r->status = (enum das_runbook_status)bounded(st, 9, DAS_RUNBOOK_CANCELLED);
    r->started_ms = sqlite3_column_int64(st, 11);
    r->changed_ms = sqlite3_column_int64(st, 12);
    r->ended_ms = sqlite3_column_int64(st, 13);
    r->until_ms = sqlite3_column_int64(st, 14);
    r->wake_ms = sqlite3_column_int64(st, 15);
    r->cancel = sqlite3_column_int(st, 16) != 0;
    if (copy_texts(st, texts, sizeof texts / sizeof *texts, &r->arena, err) == 0)
        return 0;
    das_runbook_clear(r);
    return -1;
}

static int read_step(sqlite3_stmt *st, struct das_runbook_step *s, struct das_err *err)
{
    const struct texts texts[] = {{1, &s->name},   {10, &s->asks}, {11, &s->result},
                                  {12, &s->error}, {13, &s->who},  {14, &s->reason}};

    memset(s, 0, sizeof *s);
    das_arena_init(&s->arena);
    s->n = sqlite3_column_int64(st, 0);
    s->kind = (enum das_step_kind)bounded(st, 2, DAS_STEP_SLEEP);
    s->status = (enum das_step_status)bounded(st, 3, DAS_STEP_FAILED);
    s->acts = sqlite3_column_int(st, 4) != 0;
    s->attempts = sqlite3_column_int64(st, 5);
    s->failures = sqlite3_column_int64(st, 6);
    s->begun_ms = sqlite3_column_int64(st, 7);
    s->ended_ms = sqlite3_column_int64(st, 8);
    s->wake_ms = sqlite3_column_int64(st, 9);
    if (copy_texts(st, texts, sizeof texts / sizeof *texts, &s->arena, err) == 0)
        return 0;
    das_runbook_step_clear(s);
    return -1;
}

int das_runbook_get(struct das_store *s, int64_t id, struct das_runbook *out, struct das_err *err)
{
    sqlite3_stmt *st;
    int rc;

    memset(out, 0, sizeof *out);
    if (s->format < DAS_FORMAT_RUNBOOKS)
        return 0;
    st = das_ask(s, err, DAS_Q_RUNBOOK_GET, "i", id);
    rc = st ? das_step(s, st, err) : -1;
    if (rc <= 0)
        return rc;
    rc = read_runbook(st, out, err);
    sqlite3_reset(st);
    return rc < 0 ? -1 : 1;
}

int das_runbook_count(struct das_store *s, struct das_runbook_counts *out, struct das_err *err)
{
    sqlite3_stmt *st;
    int rc;

    memset(out, 0, sizeof *out);
    if (s->format < DAS_FORMAT_RUNBOOKS)
        return 0;
    st = das_ask(s, err, DAS_Q_RUNBOOK_COUNT, "");
    rc = st ? das_step(s, st, err) : -1;
    if (rc <= 0)
        return rc;
    out->open = sqlite3_column_int64(st, 0);
    out->unknown = sqlite3_column_int64(st, 1);
    out->questions = sqlite3_column_int64(st, 2);
    sqlite3_reset(st);
    return 0;
}

int das_runbook_each(struct das_store *s, bool open, int64_t max, das_runbook_fn *fn, void *arg,
                     struct das_err *err)
{
    struct das_runbook r;
    sqlite3_stmt *st;
    int rc;

    if (max <= 0 || s->format < DAS_FORMAT_RUNBOOKS)
        return 0;
    st = das_ask(s, err, open ? DAS_Q_RUNBOOK_OPEN : DAS_Q_RUNBOOK_ALL, "i", max);
    rc = st ? 0 : -1;
    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        rc = read_runbook(st, &r, err);
        if (rc == 0) {
            rc = fn(arg, &r);
            das_runbook_clear(&r);
        }
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

/* st: NULL, or what asks for it. */
static int one_step(struct das_store *s, sqlite3_stmt *st, struct das_runbook_step *out,
                    struct das_err *err)
{
    int rc = st ? das_step(s, st, err) : -1;

    memset(out, 0, sizeof *out);
    if (rc <= 0)
        return rc;
    rc = read_step(st, out, err);
    sqlite3_reset(st);
    return rc < 0 ? -1 : 1;
}

int das_step_get(struct das_store *s, int64_t runbook, const char *name,
                 struct das_runbook_step *out, struct das_err *err)
{
    return one_step(s, das_ask(s, err, DAS_Q_STEP_GET, "is", runbook, name), out, err);
}

int das_step_at(struct das_store *s, int64_t runbook, int64_t n, struct das_runbook_step *out,
                struct das_err *err)
{
    return one_step(s, das_ask(s, err, DAS_Q_STEP_AT, "ii", runbook, n), out, err);
}

int das_step_each(struct das_store *s, int64_t runbook, das_step_fn *fn, void *arg,
                  struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_STEP_ALL, "i", runbook);
    struct das_runbook_step step;
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        rc = read_step(st, &step, err);
        if (rc == 0) {
            rc = fn(arg, &step);
            das_runbook_step_clear(&step);
        }
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

int das_note_each(struct das_store *s, int64_t runbook, das_note_fn *fn, void *arg,
                  struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_NOTE_ALL, "i", runbook);
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        const struct das_step_note note = {sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                                           das_column_str(st, 2), das_column(st, 3)};
        rc = note.kind ? fn(arg, &note) : das_fail_nomem(err);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

int das_stretch_each(struct das_store *s, int64_t runbook, das_stretch_fn *fn, void *arg,
                     struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_STRETCH_OF, "i", runbook);
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        const struct das_stretch stretch = {das_column_str(st, 0), das_column_str(st, 3),
                                            sqlite3_column_int64(st, 1),
                                            sqlite3_column_int64(st, 2)};
        rc = stretch.who && stretch.how ? fn(arg, &stretch) : das_fail_nomem(err);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

int das_runbook_of_run(struct das_store *s, const char *run, int64_t *id, struct das_err *err)
{
    return das_ask_int(s, id, err, DAS_Q_STRETCH_RUNBOOK, "s", run);
}

/* --- a run ------------------------------------------------------------------------------------- */

int das_runbook_record(struct das_store *s, int64_t id, const char *event,
                       const struct das_runbook_event *e, struct das_err *err)
{
    struct das_record r = {.kind = "runbook"};
    struct das_buf b = {0};
    int rc;

    das_buf_printf(&b, "\"runbook\":%lld,\"event\":\"%s\"", (long long)id, event);
    for (size_t i = 0; e && i < e->count; i++) {
        if (e->items[i].value && *e->items[i].value)
            das_json_key_text(&b, e->items[i].key, das_text_of(e->items[i].value));
    }
    r.members = das_buf_view(&b);
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_journal_append(s, &r, err);
    das_buf_clear(&b);
    return rc;
}

static int join(struct das_store *s, int64_t id, const char *who, int64_t now_ms,
                struct das_err *err)
{
    return das_do(s, err, DAS_Q_STRETCH_ADD, "sisi", s->run, id, das_or_empty(who), now_ms) < 0 ? -1
                                                                                               : 0;
}

int das_runbook_leave(struct das_store *s, int64_t now_ms, const char *how, struct das_err *err)
{
    return das_do(s, err, DAS_Q_STRETCH_END, "sis", s->run, now_ms, how) < 0 ? -1 : 0;
}

/* As das_runbook_start(). */
static int start(struct das_store *s, struct das_runbook *r, int64_t now_ms, int64_t *other,
                 struct das_err *err)
{
    const struct das_runbook_event e = {{{"name", r->name},
                                         {"script", r->path},
                                         {"script_sha256", r->sha256},
                                         {"key", r->key},
                                         {"armed", r->armed ? "yes" : ""},
                                         {"by", r->who}},
                                        6};

    if (das_ask_int(s, other, err, DAS_Q_RUNBOOK_SAME_KEY, "si", r->key, (int64_t)r->armed) < 0)
        return -1;
    if (*other)
        return 0;
    if (das_do(s, err, DAS_Q_RUNBOOK_ADD, "ssssssissii", r->name, r->path, r->sha256,
               das_or_empty(r->instances), das_or_empty(r->params), r->key, (int64_t)r->armed,
               das_or_empty(r->who), s->run, now_ms, r->until_ms) < 0)
        return -1;
    r->id = sqlite3_last_insert_rowid(s->db);
    if (join(s, r->id, r->who, now_ms, err) < 0 ||
        das_runbook_record(s, r->id, "started", &e, err) < 0)
        return -1;
    return 1;
}

int das_runbook_start(struct das_store *s, struct das_runbook *r, int64_t now_ms, int64_t *other,
                      struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = start(s, r, now_ms, other, err);
    if (rc > 0)
        DAS_FAULT("runbook-before-start");
    if (das_end(s, rc < 0 ? -1 : 0, err) < 0)
        return -1;
    if (rc > 0)
        DAS_FAULT("runbook-started");
    return rc;
}

int das_runbook_interrupted(struct das_store *s, const struct das_runbook *r, struct das_err *err)
{
    if (r->status != DAS_RUNBOOK_RUNNING)
        return 0;
    return r->run[0] ? das_run_is_dead(s, r->run, NULL, err) : 1;
}

/* --- carrying one on --------------------------------------------------------------------------- */

struct due {
    struct das_store *s;
    int64_t now_ms, *ids;
    size_t n, count;
    struct das_err *err;
};

static int see_due(void *arg, const struct das_runbook *r)
{
    struct due *d = arg;
    int rc = r->status == DAS_RUNBOOK_WAITING ? r->wake_ms <= d->now_ms
                                              : das_runbook_interrupted(d->s, r, d->err);

    if (rc > 0)
        d->ids[d->count++] = r->id;
    return rc < 0 ? -1 : d->count == d->n;
}

int64_t das_runbook_due(struct das_store *s, int64_t now_ms, int64_t *ids, size_t n,
                        struct das_err *err)
{
    struct due d = {s, now_ms, ids, n, 0, err};

    if (!n)
        return 0;
    return das_runbook_each(s, true, INT64_MAX, see_due, &d, err) < 0 ? -1 : (int64_t)d.count;
}

/* What is in the way of carrying r on: 0 when nothing is. */
static int may_claim(struct das_store *s, const struct das_runbook *r, int64_t now_ms,
                     struct das_err *err)
{
    long long id = (long long)r->id;
    int rc;

    switch (r->status) {
    case DAS_RUNBOOK_RUNNING:
        rc = das_runbook_interrupted(s, r, err);
        return rc > 0   ? 0
               : rc < 0 ? -1
                        : das_fail(err, DAS_E_BLOCKED, "runbook %lld is running", id);
    case DAS_RUNBOOK_WAITING:
        if (r->wake_ms <= now_ms)
            return 0;
        return das_fail(err, DAS_E_BLOCKED,
                        "runbook %lld waits, another %lld s at the most; das runbook show %lld says "
                        "for what",
                        id, (long long)(r->wake_ms - now_ms + 999) / 1000, id);
    case DAS_RUNBOOK_UNKNOWN:
        return das_fail(err, DAS_E_BLOCKED,
                        "runbook %lld: nobody knows what became of a step; das runbook show %lld "
                        "says which, das runbook resolve decides",
                        id, id);
    default:
        return das_fail(err, DAS_E_BLOCKED, "runbook %lld has ended: %s", id,
                        das_runbook_status_name(r->status));
    }
}

/* As das_runbook_claim(). */
static int claim(struct das_store *s, const struct das_runbook *r, const char *sha256,
                 bool accept_change, const char *who, int64_t now_ms, struct das_err *err)
{
    const struct das_runbook_event e = {{{"script_sha256", sha256}, {"by", who}}, 2};

    if (may_claim(s, r, now_ms, err) < 0)
        return -1;
    if (sha256 && strcmp(sha256, r->sha256) != 0) {
        if (!accept_change)
            return das_fail(err, DAS_E_BLOCKED,
                            "runbook %lld: %s has changed since it began; --accept-change goes on "
                            "with it as it is now",
                            (long long)r->id, r->path);
        if (das_do(s, err, DAS_Q_RUNBOOK_SCRIPT, "is", r->id, sha256) < 0 ||
            das_runbook_record(s, r->id, "changed", &e, err) < 0)
            return -1;
    }
    if (das_do(s, err, DAS_Q_RUNBOOK_CLAIM, "isi", r->id, s->run, now_ms) < 0)
        return -1;
    return join(s, r->id, who, now_ms, err);
}

static int no_runbook(int64_t id, struct das_err *err)
{
    return das_fail(err, DAS_E_USAGE, "there is no runbook %lld; das runbook list shows them",
                    (long long)id);
}

int das_runbook_claim(struct das_store *s, int64_t id, const char *sha256, bool accept_change,
                      const char *who, int64_t now_ms, struct das_runbook *out,
                      struct das_err *err)
{
    int rc;

    memset(out, 0, sizeof *out);
    if (das_begin(s, err) < 0)
        return -1;
    rc = das_runbook_get(s, id, out, err);
    if (rc == 0)
        rc = no_runbook(id, err);
    if (rc > 0)
        rc = claim(s, out, sha256, accept_change, who, now_ms, err);
    if (rc == 0)
        DAS_FAULT("runbook-before-claim");
    rc = das_end(s, rc, err);
    if (rc < 0)
        das_runbook_clear(out);
    else
        DAS_FAULT("runbook-claimed");
    return rc;
}

int das_runbook_end(struct das_store *s, int64_t id, enum das_runbook_status how,
                    const char *error, int64_t now_ms, struct das_err *err)
{
    const char *word = das_runbook_status_name(how);
    const struct das_runbook_event e = {{{"error", error}}, 1};
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = das_runbook_mine(s, id, NULL, err);
    if (rc == 0 && das_do(s, err, DAS_Q_RUNBOOK_SET, "iiis", id, (int64_t)how, now_ms,
                          das_or_empty(error)) < 0)
        rc = -1;
    if (rc == 0)
        rc = das_runbook_leave(s, now_ms, word, err);
    if (rc == 0)
        rc = das_runbook_record(s, id, word, &e, err);
    if (rc == 0)
        DAS_FAULT("runbook-before-end");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("runbook-ended");
    return rc;
}

int das_runbook_let_go(struct das_store *s, int64_t id, int64_t now_ms, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = das_runbook_mine(s, id, NULL, err);
    if (rc == 0 && das_do(s, err, DAS_Q_RUNBOOK_SET, "iiis", id, (int64_t)DAS_RUNBOOK_RUNNING,
                          now_ms, "") < 0)
        rc = -1;
    if (rc == 0)
        rc = das_runbook_leave(s, now_ms, "interrupted", err);
    if (rc == 0)
        DAS_FAULT("runbook-before-let-go");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("runbook-let-go");
    return rc;
}

int das_runbook_mine(struct das_store *s, int64_t id, bool *cancel, struct das_err *err)
{
    int64_t own;

    if (das_ask_int(s, &own, err, DAS_Q_RUNBOOK_OWN, "is", id, s->run) < 0)
        return -1;
    if (!own)
        return das_fail(err, DAS_E_BLOCKED, "runbook %lld is carried on elsewhere or has ended",
                        (long long)id);
    if (cancel)
        *cancel = own > 1;
    return 0;
}

/* --- its modules ------------------------------------------------------------------------------- */

static int check_module(struct das_store *s, int64_t id, const char *path, const char *sha256,
                        bool accept_change, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_MODULE_GET, "is", id, path);
    int rc = st ? das_step(s, st, err) : -1;
    bool same = false;

    if (rc > 0) {
        same = strcmp(das_or_empty(das_column_str(st, 0)), sha256) == 0;
        sqlite3_reset(st);
    }
    if (rc < 0 || same)
        return rc < 0 ? -1 : 0;
    if (rc > 0 && !accept_change)
        return das_fail(err, DAS_E_BLOCKED,
                        "%s has changed since the runbook began; --accept-change goes on with it",
                        path);
    return das_do(s, err, DAS_Q_MODULE_PUT, "iss", id, path, sha256) < 0 ? -1 : 0;
}

int das_runbook_module(struct das_store *s, int64_t id, const char *path, const char *sha256,
                       bool accept_change, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = das_runbook_mine(s, id, NULL, err);
    if (rc == 0)
        rc = check_module(s, id, path, sha256, accept_change, err);
    return das_end(s, rc, err);
}
