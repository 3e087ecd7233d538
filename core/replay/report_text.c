/* report_text.c - the report of a replay for a person at a terminal; see report.h. */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/replay/report.h"
#include "core/session/render.h"

#define ROWS_MAX 8 /* of one kind, the largest */
#define BAR_CELLS 24

/* "57 s", "4 min 5 s", "3 h 12 min", "2 d 4 h" */
static void put_duration(struct das_buf *b, int64_t ms)
{
    int64_t s = (ms + 500) / 1000;

    if (ms < 1000)
        das_buf_printf(b, "%lld ms", (long long)ms);
    else if (s < 60)
        das_buf_printf(b, "%lld s", (long long)s);
    else if (s < 3600)
        das_buf_printf(b, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    else if (s < 86400)
        das_buf_printf(b, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
    else
        das_buf_printf(b, "%lld d %lld h", (long long)(s / 86400), (long long)(s % 86400 / 3600));
}

/* "3,600,000" */
static void put_number(struct das_buf *b, uint64_t n)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)n);

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            das_buf_char(b, ',');
        das_buf_char(b, text[i]);
    }
}

static void put_count(struct das_buf *b, uint64_t n, const char *what)
{
    put_number(b, n);
    das_buf_printf(b, " %s%s", what, n == 1 ? "" : "s");
}

static void put_time(struct das_buf *b, int64_t ms)
{
    char iso[32];

    das_clock_iso(ms / 1000, iso, sizeof iso);
    das_buf_str(b, iso);
}

static void put_cell(struct das_buf *b, struct das_text t, size_t cells)
{
    size_t used = das_render_cell(t, cells, b);

    das_buf_fill(b, ' ', used < cells ? cells - used : 0);
}

/* What is left of a line. */
static size_t left(size_t width, size_t used)
{
    return width == 0 ? 10000 : width > used + 10 ? width - used : 10;
}

static void put_text(struct das_buf *b, const char *s, size_t cells)
{
    das_render_cell(das_text_of(s), cells, b);
}

/* --- the head --------------------------------------------------------------------------------- */

static void put_head(struct das_buf *b, const struct das_replay_report *r, size_t width)
{
    put_time(b, r->from_ms);
    das_buf_str(b, " to ");
    put_time(b, r->to_ms);
    das_buf_str(b, " (");
    put_duration(b, r->to_ms - r->from_ms);
    das_buf_str(b, "), ");
    if (r->instance_count == 1)
        put_text(b, r->instances[0], 60);
    else
        put_count(b, r->instance_count, "instance");
    das_buf_str(b, ": ");
    put_count(b, r->snapshots, "snapshot");
    das_buf_str(b, ", ");
    put_count(b, r->rows, "session");
    das_buf_char(b, '\n');
    for (size_t i = 0; i < r->note_count; i++) {
        das_buf_str(b, "note: ");
        put_text(b, r->notes[i], left(width, 6));
        das_buf_char(b, '\n');
    }
}

/* --- one policy ------------------------------------------------------------------------------- */

static void put_name(struct das_buf *b, const struct das_replay_result *r)
{
    put_text(b, r->policy, 200);
    for (size_t i = 0; i < r->arg_count; i++) {
        das_buf_char(b, ' ');
        put_text(b, r->args[i], 100);
    }
}

static void put_runs(struct das_buf *b, const struct das_replay_result *r)
{
    das_buf_str(b, "\n");
    put_name(b, r);
    das_buf_str(b, ": every ");
    put_duration(b, r->every_ms);
    das_buf_printf(b, " (%s), ", r->every_from);
    put_count(b, r->runs, "run");
    if (r->failed_runs) {
        das_buf_str(b, ", ");
        put_number(b, r->failed_runs);
        das_buf_str(b, " failed");
    }
    das_buf_char(b, '\n');
}

static void put_verdict(struct das_buf *b, const struct das_replay_report *report,
                        const struct das_replay_result *r)
{
    uint64_t wasted = das_replay_wasted(r);

    das_buf_str(b, "  would have killed ");
    put_count(b, r->victim_count, "session");
    if (r->victim_count) {
        das_buf_str(b, "; ");
        if (wasted) {
            put_number(b, wasted);
            das_buf_printf(b, " of them (%llu %%)",
                           (unsigned long long)(wasted * 100 / r->victim_count));
        } else {
            das_buf_str(b, "none of them");
        }
        das_buf_printf(b, " would have ended by %s within ", wasted > 1 ? "themselves" : "itself");
        put_duration(b, report->wasted_ms);
    }
    das_buf_char(b, '\n');
}

static void put_saved(struct das_buf *b, const struct das_replay_result *r)
{
    bool told, open = false;
    int64_t waits = das_replay_saved_wait_ms(r, &told);
    uint64_t respawns = das_replay_respawns(r);

    for (size_t i = 0; i < r->victim_count; i++)
        open |= !r->victims[i].end_seen;
    if (!r->victim_count)
        return;
    das_buf_printf(b, "  %s went on for %s", r->victim_count == 1 ? "it" : "they",
                   open ? "at least " : "");
    put_duration(b, das_replay_saved_ms(r));
    if (told) {
        das_buf_str(b, r->victim_count == 1 ? ", and others waited for it "
                                            : ", and others waited for them ");
        put_duration(b, waits);
    } else {
        das_buf_str(b, "; the recording does not tell who waited");
    }
    das_buf_str(b, "; ");
    put_count(b, respawns, "statement");
    das_buf_str(b, " came back\n");
}

static void put_others(struct das_buf *b, const struct das_replay_result *r)
{
    bool any = false;

    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (k == DAS_O_KILLED || !r->outcomes[k])
            continue;
        das_buf_str(b, any ? ", " : "  other outcomes: ");
        put_number(b, r->outcomes[k]);
        das_buf_printf(b, " %s", das_outcome_name((enum das_outcome_kind)k));
        any = true;
    }
    if (any)
        das_buf_char(b, '\n');
    if (r->requests) {
        das_buf_str(b, "  ");
        put_count(b, r->requests, "HTTP request");
        das_buf_str(b, " would have been sent, and none was\n");
    }
    if (r->skipped) {
        das_buf_str(b, "  ");
        put_count(b, r->skipped, "run");
        das_buf_str(b, " left out: nothing was recorded then\n");
    }
}

static void put_troubles(struct das_buf *b, const struct das_replay_result *r, size_t width)
{
    for (size_t i = 0; i < r->refused_count; i++) {
        const struct das_replay_refusal *f = &r->refused[i];
        size_t from = b->len;
        das_buf_str(b, "  refused by ");
        put_text(b, f->limit, 40);
        das_buf_str(b, ": ");
        put_count(b, f->count, "time");
        das_buf_str(b, ", ");
        put_count(b, f->sessions, "session");
        das_buf_str(b, "; first: ");
        put_text(b, f->note, left(width, b->len - from));
        das_buf_char(b, '\n');
    }
    for (size_t i = 0; i < r->error_count; i++) {
        size_t from = b->len;
        das_buf_str(b, "  failed ");
        put_count(b, r->errors[i].count, "time");
        das_buf_str(b, ", first at ");
        put_time(b, r->errors[i].first_ms);
        das_buf_str(b, ": ");
        put_text(b, r->errors[i].message, left(width, b->len - from));
        das_buf_char(b, '\n');
    }
}

static void put_bar(struct das_buf *b, uint64_t n, uint64_t most)
{
    size_t cells = most ? (size_t)(n * BAR_CELLS + most - 1) / most : 0;

    das_buf_fill(b, '#', cells);
}

static void put_tally(struct das_buf *b, const struct das_replay_result *r, enum das_tally_by by,
                      size_t width)
{
    size_t key_cells = by == DAS_BY_FINGERPRINT ? (width ? width - 30 : 90) : 28;
    struct das_arena texts;
    struct das_tally t;
    uint64_t most = 0;

    das_arena_init(&texts);
    b->failed |= das_tally_make(r, by, &texts, &t) < 0;
    for (size_t i = 0; i < t.count; i++)
        most = t.rows[i].count > most ? t.rows[i].count : most;
    das_buf_printf(b, "  by %s\n", das_tally_name(by));
    for (size_t i = 0; i < t.count && i < (by == DAS_BY_HOUR ? 24 : ROWS_MAX); i++) {
        das_buf_printf(b, "    %7llu ", (unsigned long long)t.rows[i].count);
        put_cell(b, t.rows[i].key, key_cells);
        if (by != DAS_BY_FINGERPRINT)
            put_bar(b, t.rows[i].count, most);
        if (t.rows[i].other)
            das_buf_printf(b, "  %llu wasted", (unsigned long long)t.rows[i].other);
        while (b->len && b->ptr[b->len - 1] == ' ')
            b->ptr[--b->len] = '\0';
        das_buf_char(b, '\n');
    }
    das_tally_clear(&t);
    das_arena_clear(&texts);
}

/* Those at places; places NULL: all. */
static void put_victims(struct das_buf *b, const struct das_replay_result *r, const size_t *places,
                        size_t n, size_t width)
{
    for (size_t i = 0; i < n && i < ROWS_MAX; i++) {
        const struct das_replay_victim *v = &r->victims[places ? places[i] : i];
        size_t from = b->len;
        das_buf_str(b, "    ");
        put_time(b, v->at_ms);
        das_buf_printf(b, "  %lld  ", (long long)v->was.id);
        put_cell(b, v->was.user, 12);
        das_buf_printf(b, "  %-10s  went on %s", v->kill, v->end_seen ? "" : "at least ");
        put_duration(b, v->lived_on_ms);
        das_buf_str(b, "  ");
        das_render_cell(v->fingerprint, left(width, b->len - from), b);
        das_buf_char(b, '\n');
    }
    if (n > ROWS_MAX)
        das_buf_printf(b, "    and %zu more: -o csv or -o html has them all\n", n - ROWS_MAX);
}

static void put_near(struct das_buf *b, const struct das_replay_result *r, size_t width)
{
    if (!r->near_count)
        return;
    das_buf_str(b, "  ");
    put_number(b, r->near_count);
    das_buf_printf(b, " near miss%s", r->near_count == 1 ? "" : "es");
    das_buf_str(b, ", the nearest:\n");
    for (size_t i = 0; i < r->near_told && i < ROWS_MAX; i++) {
        const struct das_replay_near *n = &r->near[i];
        size_t from = b->len;
        das_buf_str(b, "    ");
        put_time(b, n->at_ms);
        das_buf_printf(b, "  %lld  ", (long long)n->was.id);
        put_cell(b, n->was.user, 12);
        das_buf_str(b, "  ");
        das_replay_near_criterion(n, b);
        das_buf_str(b, " was ");
        das_replay_near_value(n, b);
        das_buf_str(b, "  ");
        das_render_cell(n->fingerprint, left(width, b->len - from), b);
        das_buf_char(b, '\n');
    }
}

static void put_policy(struct das_buf *b, const struct das_replay_report *report,
                       const struct das_replay_result *r, size_t width)
{
    put_runs(b, r);
    put_verdict(b, report, r);
    put_saved(b, r);
    put_others(b, r);
    put_troubles(b, r, width);
    for (int by = 0; by < DAS_BY_COUNT && r->victim_count; by++)
        put_tally(b, r, (enum das_tally_by)by, width);
    if (r->victim_count) {
        das_buf_str(b, "  one by one\n");
        put_victims(b, r, NULL, r->victim_count, width);
    }
    put_near(b, r, width);
}

/* --- two policies ----------------------------------------------------------------------------- */

static void put_only(struct das_buf *b, const struct das_replay_result *r, const size_t *places,
                     size_t n, size_t width)
{
    das_buf_str(b, "  only ");
    put_name(b, r);
    das_buf_str(b, ": ");
    put_count(b, n, "session");
    das_buf_char(b, '\n');
    put_victims(b, r, places, n, width);
}

static void put_difference(struct das_buf *b, const struct das_replay_report *r, size_t width)
{
    struct das_replay_difference d;

    b->failed |= das_replay_compare(r->results[0], r->results[1], &d) < 0;
    das_buf_str(b, "\nthe difference\n  both: ");
    put_count(b, d.both, "session");
    das_buf_char(b, '\n');
    put_only(b, r->results[0], d.only_first, d.first_count, width);
    put_only(b, r->results[1], d.only_second, d.second_count, width);
    das_replay_difference_clear(&d);
}

void das_replay_text(const struct das_replay_report *r, size_t width, struct das_buf *b)
{
    put_head(b, r, width);
    for (size_t i = 0; i < r->result_count; i++)
        put_policy(b, r, r->results[i], width);
    if (r->result_count == 2)
        put_difference(b, r, width);
}
