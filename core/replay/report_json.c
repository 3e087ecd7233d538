/* report_json.c - the report of a replay as JSON and CSV; see report.h and docs/replay.md. */
#include <math.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/replay/report.h"
#include "core/session/render.h"

static void put_number(struct das_buf *b, const char *key, int64_t v)
{
    das_json_key(b, key);
    if (das_known(v))
        das_buf_int(b, v);
    else
        das_buf_str(b, "null");
}

static void put_count(struct das_buf *b, const char *key, uint64_t v)
{
    das_json_key_int(b, key, (int64_t)v);
}

static void put_str(struct das_buf *b, const char *key, const char *s)
{
    das_json_key(b, key);
    das_json_str(b, s);
}

static void open_list(struct das_buf *b, const char *key)
{
    das_json_key(b, key);
    das_buf_char(b, '[');
}

static void put_strings(struct das_buf *b, const char *key, const char *const *list, size_t n)
{
    open_list(b, key);
    for (size_t i = 0; i < n; i++) {
        das_json_comma(b);
        das_json_str(b, list[i]);
    }
    das_buf_char(b, ']');
}

/* --- near misses in words --------------------------------------------------------------------- */

static const char *unit_of(enum das_key k)
{
    return k == DAS_K_ROWS_MODIFIED ? "" : " s";
}

void das_replay_near_criterion(const struct das_replay_near *n, struct das_buf *b)
{
    das_buf_printf(b, "%s %s %lld%s", das_key_name(n->criterion),
                   n->negated ? "<" : ">=", (long long)n->bound, unit_of(n->criterion));
}

void das_replay_near_value(const struct das_replay_near *n, struct das_buf *b)
{
    das_buf_printf(b, "%lld%s", (long long)n->value, unit_of(n->criterion));
}

void das_replay_near_note(const struct das_replay_near *n, struct das_buf *b)
{
    long long by = (long long)(n->negated ? n->value - n->bound + 1 : n->bound - n->value);
    bool rows = n->criterion == DAS_K_ROWS_MODIFIED;

    if (rows)
        das_buf_printf(b, "%lld row%s too %s", by, by == 1 ? "" : "s", n->negated ? "many" : "few");
    else
        das_buf_printf(b, "%lld s too %s", by, n->negated ? "old" : "young");
}

/* --- one policy ------------------------------------------------------------------------------- */

static void put_who(struct das_buf *b, int64_t at_ms, const char *instance,
                    const struct das_session *s)
{
    das_json_key_int(b, "at_ms", at_ms);
    put_str(b, "instance", instance);
    das_json_key_int(b, "id", s->id);
    das_json_key_text(b, "user", s->user);
    das_json_key_text(b, "host", s->host);
    das_json_key_text(b, "db", s->db);
    das_json_key_text(b, "command", s->command);
}

static void put_victim(struct das_buf *b, const struct das_replay_victim *v)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    put_who(b, v->at_ms, v->instance, &v->was);
    das_json_key_text(b, "state", v->was.state);
    das_json_key_text(b, "fingerprint", v->fingerprint);
    das_json_key_text(b, "sql_info", v->was.sql_info);
    put_number(b, "state_duration", v->was.state_duration);
    put_str(b, "kill", v->kill);
    das_json_key_text(b, "reason", v->reason);
    das_json_key_int(b, "lived_on_ms", v->lived_on_ms);
    das_json_key_bool(b, "end_seen", v->end_seen);
    put_number(b, "blocked", v->blocked);
    put_number(b, "blocked_ms", v->blocked_ms);
    das_json_key_int(b, "respawned", v->respawned);
    das_buf_char(b, '}');
}

static void put_words(struct das_buf *b, const char *key, const struct das_replay_near *n,
                      void (*words)(const struct das_replay_near *, struct das_buf *))
{
    struct das_buf text = {0};

    words(n, &text);
    das_json_key_text(b, key, das_buf_view(&text));
    b->failed |= text.failed;
    das_buf_clear(&text);
}

static void put_near(struct das_buf *b, const struct das_replay_near *n)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    put_who(b, n->at_ms, n->instance, &n->was);
    das_json_key_text(b, "fingerprint", n->fingerprint);
    put_words(b, "criterion", n, das_replay_near_criterion);
    put_words(b, "value", n, das_replay_near_value);
    put_words(b, "note", n, das_replay_near_note);
    das_buf_char(b, '}');
}

static void put_outcomes(struct das_buf *b, const struct das_replay_result *r)
{
    das_json_key(b, "outcomes");
    das_buf_char(b, '{');
    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (r->outcomes[k])
            put_count(b, das_outcome_name((enum das_outcome_kind)k), r->outcomes[k]);
    }
    das_buf_char(b, '}');
}

static void put_errors(struct das_buf *b, const struct das_replay_result *r)
{
    open_list(b, "errors");
    for (size_t i = 0; i < r->error_count; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        put_str(b, "message", r->errors[i].message);
        put_count(b, "count", r->errors[i].count);
        das_json_key_int(b, "first_ms", r->errors[i].first_ms);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
}

static void put_refused(struct das_buf *b, const struct das_replay_result *r)
{
    open_list(b, "refused_by");
    for (size_t i = 0; i < r->refused_count; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        put_str(b, "limit", r->refused[i].limit);
        put_count(b, "count", r->refused[i].count);
        put_count(b, "sessions", r->refused[i].sessions);
        put_str(b, "note", r->refused[i].note);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
}

/* Kills, or only wasted ones, by step of the timeline. */
static void put_steps(struct das_buf *b, const char *key, const struct das_replay_timeline *t,
                      const struct das_replay_result *r, bool wasted)
{
    size_t i = 0;

    open_list(b, key);
    for (size_t step = 0; step < t->steps; step++) {
        int64_t end = t->from_ms + (int64_t)(step + 1) * t->step_ms;
        uint64_t n = 0;
        for (; i < r->victim_count && (r->victims[i].at_ms < end || step + 1 == t->steps); i++)
            n += !wasted || r->victims[i].wasted;
        das_json_comma(b);
        das_buf_int(b, (int64_t)n);
    }
    das_buf_char(b, ']');
}

static void put_tally(struct das_buf *b, const struct das_replay_result *r, enum das_tally_by by)
{
    struct das_arena texts;
    struct das_tally t;

    das_arena_init(&texts);
    b->failed |= das_tally_make(r, by, &texts, &t) < 0;
    open_list(b, das_tally_name(by));
    for (size_t i = 0; i < t.count; i++) {
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key_text(b, "key", t.rows[i].key);
        put_count(b, "count", t.rows[i].count);
        put_count(b, "wasted", t.rows[i].other);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
    das_tally_clear(&t);
    das_arena_clear(&texts);
}

static void put_sums(struct das_buf *b, const struct das_replay_report *report,
                     const struct das_replay_result *r)
{
    bool told;
    int64_t waits = das_replay_saved_wait_ms(r, &told);

    put_count(b, "requests", r->requests);
    put_count(b, "respawns", das_replay_respawns(r));
    put_count(b, "wasted", das_replay_wasted(r));
    das_json_key_int(b, "wasted_ms", report->wasted_ms);
    das_json_key_int(b, "saved_ms", das_replay_saved_ms(r));
    put_number(b, "saved_wait_ms", told ? waits : DAS_UNKNOWN);
}

static void put_policy(struct das_buf *b, const struct das_replay_report *report,
                       const struct das_replay_result *r)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    put_str(b, "policy", r->policy);
    put_str(b, "sha256", r->sha256);
    put_strings(b, "args", r->args, r->arg_count);
    das_json_key_int(b, "every_ms", r->every_ms);
    put_str(b, "every_from", r->every_from);
    put_count(b, "runs", r->runs);
    put_count(b, "failed_runs", r->failed_runs);
    put_count(b, "skipped_runs", r->skipped);
    put_errors(b, r);
    put_count(b, "kills", r->victim_count);
    put_outcomes(b, r);
    put_refused(b, r);
    put_sums(b, report, r);
    das_json_key(b, "timeline");
    das_buf_char(b, '{');
    put_steps(b, "kills", &report->timeline, r, false);
    put_steps(b, "wasted", &report->timeline, r, true);
    das_buf_str(b, "}");
    das_json_key(b, "by");
    das_buf_char(b, '{');
    for (int by = 0; by < DAS_BY_COUNT; by++)
        put_tally(b, r, (enum das_tally_by)by);
    das_buf_char(b, '}');
    open_list(b, "victims");
    for (size_t i = 0; i < r->victim_count; i++)
        put_victim(b, &r->victims[i]);
    das_buf_char(b, ']');
    open_list(b, "near_misses");
    for (size_t i = 0; i < r->near_told; i++)
        put_near(b, &r->near[i]);
    das_buf_char(b, ']');
    put_count(b, "near_miss_count", r->near_count);
    das_buf_char(b, '}');
}

/* --- two policies ----------------------------------------------------------------------------- */

static void put_some(struct das_buf *b, const char *key, const struct das_replay_result *r,
                     const size_t *places, size_t n)
{
    open_list(b, key);
    for (size_t i = 0; i < n; i++)
        put_victim(b, &r->victims[places[i]]);
    das_buf_char(b, ']');
}

static void put_pair(struct das_buf *b, struct das_text key, uint64_t first, uint64_t second)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_text(b, "key", key);
    put_count(b, "first", first);
    put_count(b, "second", second);
    das_buf_char(b, '}');
}

static const struct das_tally_row *row_of(const struct das_tally *t, struct das_text key)
{
    for (size_t i = 0; i < t->count; i++) {
        if (das_text_eq(t->rows[i].key, key))
            return &t->rows[i];
    }
    return NULL;
}

static void put_by_user(struct das_buf *b, const struct das_replay_report *r)
{
    struct das_arena texts;
    struct das_tally t[2];

    das_arena_init(&texts);
    for (int i = 0; i < 2; i++)
        b->failed |= das_tally_make(r->results[i], DAS_BY_USER, &texts, &t[i]) < 0;
    open_list(b, "by_user");
    for (size_t i = 0; i < t[0].count; i++) {
        const struct das_tally_row *other = row_of(&t[1], t[0].rows[i].key);
        put_pair(b, t[0].rows[i].key, t[0].rows[i].count, other ? other->count : 0);
    }
    for (size_t i = 0; i < t[1].count; i++) {
        if (!row_of(&t[0], t[1].rows[i].key))
            put_pair(b, t[1].rows[i].key, 0, t[1].rows[i].count);
    }
    das_buf_char(b, ']');
    das_tally_clear(&t[0]);
    das_tally_clear(&t[1]);
    das_arena_clear(&texts);
}

static void put_difference(struct das_buf *b, const struct das_replay_report *r)
{
    struct das_replay_difference d;

    b->failed |= das_replay_compare(r->results[0], r->results[1], &d) < 0;
    das_json_key(b, "difference");
    das_buf_char(b, '{');
    put_count(b, "both", d.both);
    put_some(b, "only_first", r->results[0], d.only_first, d.first_count);
    put_some(b, "only_second", r->results[1], d.only_second, d.second_count);
    put_by_user(b, r);
    das_buf_char(b, '}');
    das_replay_difference_clear(&d);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void put_averages(struct das_buf *b, const char *key, const double *values, size_t n)
{
    open_list(b, key);
    for (size_t i = 0; i < n; i++) {
        das_json_comma(b);
        if (values[i] < 0)
            das_buf_str(b, "null");
        else
            das_json_real(b, round(values[i] * 10) / 10);
    }
    das_buf_char(b, ']');
}

void das_replay_json(const struct das_replay_report *r, struct das_buf *b)
{
    das_buf_char(b, '{');
    put_strings(b, "files", r->files, r->file_count);
    das_json_key_int(b, "from_ms", r->from_ms);
    das_json_key_int(b, "to_ms", r->to_ms);
    put_count(b, "snapshots", r->snapshots);
    put_count(b, "rows", r->rows);
    put_strings(b, "instances", r->instances, r->instance_count);
    put_strings(b, "notes", (const char *const *)r->notes, r->note_count);
    das_json_key(b, "timeline");
    das_buf_char(b, '{');
    das_json_key_int(b, "step_ms", r->timeline.step_ms);
    das_json_key_int(b, "from_ms", r->timeline.from_ms);
    put_averages(b, "sessions", r->timeline.sessions, r->timeline.steps);
    put_averages(b, "active", r->timeline.active, r->timeline.steps);
    das_buf_char(b, '}');
    open_list(b, "policies");
    for (size_t i = 0; i < r->result_count; i++)
        put_policy(b, r, r->results[i]);
    das_buf_char(b, ']');
    if (r->result_count == 2)
        put_difference(b, r);
    das_buf_char(b, '}');
}

/* --- CSV -------------------------------------------------------------------------------------- */

static void cell(struct das_buf *b, struct das_text t)
{
    das_buf_char(b, ',');
    das_render_csv_text(t, b);
}

static void cell_number(struct das_buf *b, int64_t v)
{
    das_buf_char(b, ',');
    if (das_known(v))
        das_buf_int(b, v);
}

static void put_row(struct das_buf *b, const struct das_replay_result *r,
                    const struct das_replay_victim *v)
{
    char iso[32];

    das_clock_iso(v->at_ms / 1000, iso, sizeof iso);
    das_render_csv_text(das_text_of(r->policy), b);
    cell(b, das_text_of(iso));
    cell_number(b, v->at_ms);
    cell(b, das_text_of(v->instance));
    cell_number(b, v->was.id);
    cell(b, v->was.user);
    cell(b, v->was.host);
    cell(b, v->was.db);
    cell(b, v->was.command);
    cell(b, v->was.state);
    cell_number(b, v->was.state_duration);
    cell(b, das_text_of(v->kill));
    cell(b, v->reason);
    cell_number(b, v->lived_on_ms);
    cell(b, das_text_of(v->end_seen ? "true" : "false"));
    cell(b, das_text_of(v->wasted ? "true" : "false"));
    cell_number(b, v->blocked);
    cell_number(b, v->blocked_ms);
    cell_number(b, v->respawned);
    cell(b, v->fingerprint);
    cell(b, v->was.sql_info);
    das_buf_str(b, "\r\n");
}

void das_replay_csv(const struct das_replay_report *r, struct das_buf *b)
{
    das_buf_str(b, "policy,at,at_ms,instance,id,user,host,db,command,state,state_duration,kill,"
                   "reason,lived_on_ms,end_seen,wasted,blocked,blocked_ms,respawned,fingerprint,"
                   "sql_info\r\n");
    for (size_t i = 0; i < r->result_count; i++) {
        for (size_t k = 0; k < r->results[i]->victim_count; k++)
            put_row(b, r->results[i], &r->results[i]->victims[k]);
    }
}
