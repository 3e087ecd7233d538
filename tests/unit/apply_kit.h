/*
 * apply_kit.h - plans that are applied under rules of a test's own, against a scripted source and a
 * real state database; what became of them, and what the journal says.
 */
#ifndef DAS_TESTS_APPLY_KIT_H
#define DAS_TESTS_APPLY_KIT_H

#include <sqlite3.h>

#include "core/store/journal.h"
#include "tests/unit/plan_kit.h"

static struct das_policy_rules rules;
static struct das_guard guard;
static struct das_apply_watch watch; /* asked when its `before` is set */
static int64_t next_query_id = 1000;

static const struct das_plan_opts by_query = {.reason = "x", .mode = DAS_MODE_QUERY};

/* A policy of its own for each case: counts and breakers do not meet. */
static inline void fresh(const char *policy)
{
    guard = *permissive_guard();
    rules = *guard.rules;
    guard.rules = &rules;
    guard.policy = policy;
    memset(&watch, 0, sizeof watch);
    fake_clear(&fake);
    fake_init(&fake);
    snprintf(fake.name, sizeof fake.name, "%.15s", policy);
}

#define MANY 64

/* n sessions that run a statement each, ids 1 to n. */
static inline void sessions(struct das_session *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        list[i] = kit_session((int64_t)i + 1);
        list[i].query_id = next_query_id++;
    }
}

/* All of them are victims. */
static inline struct das_plan *plan_with(const struct das_session *list, size_t n,
                                         const struct das_plan_opts *opts)
{
    struct das_filter *f = kit_all();
    struct das_plan *p = plan_of(list, n, f, opts);

    das_filter_release(f);
    return p;
}

/* NULL when it could not be applied at all. */
static inline struct das_report *go(struct das_plan *p, bool armed)
{
    const struct das_apply_opts opts = {
        .armed = armed, .guard = &guard, .watch = watch.before ? &watch : NULL};
    struct das_report *r = NULL;

    return das_plan_apply(p, &fake.base, &opts, &r, &err) < 0 ? NULL : r;
}

/* Armed, for the plan's only time: it is released. */
static inline struct das_report *go_once(struct das_plan *p)
{
    struct das_report *r = go(p, true);

    if (!r)
        tap_diag("%s", err.msg);
    must(r, "applied");
    das_plan_release(p);
    return r;
}

/* A plan for the first victims of total sessions that are there; armed. */
static inline struct das_report *run(size_t total, size_t victims, enum das_kill_mode mode)
{
    struct das_session list[MANY];
    struct das_plan *p;

    sessions(list, total);
    p = plan_with(list, victims, &(struct das_plan_opts){.mode = mode, .reason = "test"});
    fake_show(&fake, list, total, THEN);
    fake.kills = 0;
    return go_once(p);
}

/* What the next list after the first kill shows. */
static inline void after_kill(const struct das_session *list, size_t n)
{
    fake.after_kill = kit_snapshot(list, n);
}

/* One victim that runs, killed while the source shows it as command says afterwards. */
static inline struct das_report *stubborn(const char *command, int64_t rows, int64_t escalate_ms)
{
    struct das_session list[1];
    struct das_plan *p;

    sessions(list, 1);
    list[0].trx_time = 3;
    list[0].rows_modified = rows;
    p = plan_with(list, 1, &(struct das_plan_opts){.mode = DAS_MODE_QUERY, .reason = "x",
                                                   .escalate_ms = escalate_ms});
    fake.stubborn = true;
    list[0].command = das_text_of(command);
    list[0].rows_modified = rows / 2;
    after_kill(list, 1);
    return go_once(p);
}

/* --- outcomes: what is said of them; these two free the report ----------------------------------- */

static inline void refused(struct das_report *r, size_t n, const char *why, const char *what)
{
    ok(r->totals[DAS_O_REFUSED] == n && r->count == n && fake.kills == 0, "%s: all %zu refused",
       what, n);
    has_str(r->items[0].note, why, "%s: why", what);
    das_report_free(r);
}

static inline void killed(struct das_report *r, size_t n, const char *what)
{
    ok(r->totals[DAS_O_KILLED] == n && fake.kills == n, "%s: %zu killed (%zu, %zu sent)%s", what, n,
       r->totals[DAS_O_KILLED], fake.kills, r->items[0].note ? r->items[0].note : "");
    das_report_free(r);
}

/* is_outcome(report, victim, "killed", "what holds", ...) */
#define is_outcome(r, i, name, ...)                                                                \
    is_str(das_outcome_name((r)->items[i].kind), name, __VA_ARGS__)

/* --- journal -------------------------------------------------------------------------------------- */

static inline int64_t head(void)
{
    struct das_head h;

    must(das_journal_head(temp_store(), &h, &err) == 0, "the journal's head");
    return h.seq;
}

struct sought {
    int64_t from; /* records up to it do not count */
    const char *text;
    int found;
    char last[4000];
};

static inline int seek_record(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct sought *s = arg;

    (void)hash;
    if (seq <= s->from)
        return 0;
    s->found += memmem(line.ptr, line.len, s->text, strlen(s->text)) != NULL;
    snprintf(s->last, sizeof s->last, "%.*s", (int)(line.len < 3999 ? line.len : 3999), line.ptr);
    return 0;
}

static inline struct sought seek(int64_t from, const char *text)
{
    struct sought s = {.from = from, .text = text};

    must(das_journal_each(temp_store(), 0, seek_record, &s, &err) == 0, "the journal is read");
    return s;
}

/* How many records after seq hold text? */
static inline int records_with(int64_t seq, const char *text)
{
    return seek(seq, text).found;
}

/* How many of this kind? */
static inline int records(int64_t seq, const char *kind)
{
    char text[60];

    snprintf(text, sizeof text, "\"kind\":\"%s\"", kind);
    return records_with(seq, text);
}

/* The newest one; good until the next call. */
static inline const char *last_record(void)
{
    static struct sought s;

    s = seek(0, "");
    return s.last;
}

/* --- off switch ------------------------------------------------------------------------------------ */

static char stop_path[100];
static const char *const stop_files[] = {"/nonexistent/das/STOP", stop_path, NULL};

/* The case's policy has an off switch; it is not there yet. */
static inline void with_switch(void)
{
    snprintf(stop_path, sizeof stop_path, "%s/STOP", temp_state_dir());
    guard.stop_files = stop_files;
}

static inline void write_stop(void)
{
    FILE *out = fopen(stop_path, "w");

    must(out, "%s", stop_path);
    fputs("2026-11-24T07:00:00Z alice: incident 7\n", out);
    fclose(out);
}

static inline void remove_stop(void)
{
    unlink(stop_path);
}

/* SQL in the run's database, past das; what: for the test. */
static inline void change_journal(const char *sql, const char *what)
{
    sqlite3 *db;

    must(sqlite3_open(das_store_path(temp_store()), &db) == SQLITE_OK, "opened");
    must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", what);
    sqlite3_close(db);
}

#endif
