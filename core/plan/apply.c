/*
 * apply.c - the only caller of das_source_kill().
 *
 * The order is fixed: is the plan still good, is this the same server, what does the server look
 * like now, and then victim by victim: is it the same, may it be touched, is there something to
 * kill. Any doubt means no kill.
 */
#include "core/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/plan/plan_impl.h"
#include "core/source/source_kill.h"

struct indexed {
    int64_t id;
    uint32_t row;
};

/* All that judging one victim needs. */
struct scene {
    struct das_plan *plan;
    struct das_source *source;
    const struct das_apply_opts *opts;
    struct das_snapshot *fresh;
    struct indexed *index; /* of fresh, by id */
    int64_t looked_ms;     /* when fresh came, by the monotonic clock */
    struct das_report *report;
    struct das_err *err;
    /* Why the rest is left alone: the connection broke in the middle, or the watch said stop. */
    char stopped[200];
};

/* The one way an outcome is written. note is taken. */
static void settle(struct scene *sc, size_t i, enum das_outcome_kind kind, const char *action,
                  struct das_buf *note)
{
    struct das_outcome *o = &sc->report->items[i];

    o->kind = kind;
    o->action = action;
    o->after_ms = o->rows_left = DAS_UNKNOWN;
    sc->report->totals[kind]++;
    /* NULL when memory ran out: a kill that happened is reported even without a remark. */
    o->note = das_buf_take(note);
}

static void settle_note(struct scene *sc, size_t i, enum das_outcome_kind kind, const char *action,
                       const char *text)
{
    struct das_buf note = {0};

    das_buf_str(&note, text);
    settle(sc, i, kind, action, &note);
}

/* --- is it the same session doing the same thing ----------------------------------------------- */

static bool text_moved(struct das_text then, struct das_text now, const char *what,
                       struct das_buf *note)
{
    if (das_text_eq(then, now))
        return false;
    das_buf_printf(note, "another %s: ", what);
    if (now.ptr)
        das_buf_text(note, das_text(now.ptr, now.len < 100 ? now.len : 100));
    else
        das_buf_str(note, "NULL");
    return true;
}

static bool statement_moved(const struct scene *sc, size_t i, const struct das_session *then,
                            const struct das_session *now, struct das_buf *note)
{
    int64_t slack_then, slack_now, started_then, started_now, apart;
    uint64_t digest;

    if (das_known(then->query_id) != das_known(now->query_id)) {
        das_buf_str(note, "the server no longer tells the query id");
        return true;
    }
    if (das_known(then->query_id) && then->query_id != now->query_id) {
        das_buf_printf(note, "another statement: query id %lld, was %lld",
                       (long long)now->query_id, (long long)then->query_id);
        return true;
    }
    if (das_digest64(now->sql_info, &digest, sc->err) < 0 ||
        digest != sc->plan->digests[i]) {
        das_buf_str(note, "another statement");
        return true;
    }
    if (das_known(then->query_id)) /* the server's own name for it: no need to compare times */
        return false;
    started_then = das_plan_started_ms(sc->plan->victims->snap, then, &slack_then);
    started_now = das_plan_started_ms(sc->fresh, now, &slack_now);
    if (!das_known(started_then) || !das_known(started_now)) {
        das_buf_str(note, started_then == started_now
                              ? "neither query id nor age is known: it may be another statement"
                              : "its age is not known any more, or only now");
        return true;
    }
    apart = started_now - started_then;
    if (apart > slack_then || apart < -slack_then) {
        das_buf_printf(note, "the same text, but begun %lld s %s",
                       (long long)((apart < 0 ? -apart : apart) / 1000),
                       apart < 0 ? "earlier" : "later");
        return true;
    }
    return false;
}

static bool changed(const struct scene *sc, size_t i, const struct das_session *then,
                    const struct das_session *now, struct das_buf *note)
{
    if (text_moved(then->user, now->user, "user", note) ||
        text_moved(then->host, now->host, "host", note))
        return true;
    if (!das_text_ieq(then->command, now->command)) {
        /* say what a person would: the statement ended, or it is being killed already */
        if (das_text_iis(now->command, "Sleep"))
            das_buf_str(note, "the statement has ended");
        else
            text_moved(then->command, now->command, "command", note);
        return true;
    }
    if (text_moved(then->db, now->db, "db", note))
        return true;
    return statement_moved(sc, i, then, now, note);
}

/* --- what to do with it ------------------------------------------------------------------------- */

static bool has_statement(const struct das_session *s)
{
    return !das_text_iis(s->command, "Sleep");
}

/* Statement or connection, or NULL in *action and the reason in note. */
static bool choose(enum das_kill_mode mode, const struct das_session *s,
                   enum das_kill_what *what, const char **action, struct das_buf *note)
{
    bool in_transaction = das_known(s->trx_time);

    if (mode == DAS_MODE_AUTO)
        mode = has_statement(s) && !in_transaction ? DAS_MODE_QUERY : DAS_MODE_CONNECTION;
    if (mode == DAS_MODE_CONNECTION) {
        *what = has_statement(s) ? DAS_KILL_SESSION : DAS_KILL_IDLE_SESSION;
        *action = "connection";
        return true;
    }
    *what = DAS_KILL_STATEMENT;
    *action = "query";
    if (has_statement(s))
        return true;
    das_buf_str(note, "idle: there is no statement to kill");
    return false;
}

static void kill_it(struct scene *sc, size_t i, const struct das_session *now,
                    enum das_kill_what what, const char *action)
{
    const struct das_apply_watch *watch = sc->opts->watch;
    struct das_err why = {0};

    if (das_clock_unix_ms() > sc->plan->expires_ms) {
        snprintf(sc->stopped, sizeof sc->stopped, "the plan expired while it was applied");
        settle_note(sc, i, DAS_O_REFUSED, action, sc->stopped);
        return;
    }
    if (watch && !watch->before(watch->arg, sc->plan, i, action, sc->stopped, sizeof sc->stopped)) {
        settle_note(sc, i, DAS_O_REFUSED, action, sc->stopped);
        return;
    }
    switch (das_source_kill(sc->source, what, now->id, now->query_id, &why)) {
    case DAS_KILLED:
        settle_note(sc, i, DAS_O_KILLED, action, "");
        break;
    case DAS_KILL_GONE:
        settle_note(sc, i, DAS_O_GONE, action, "ended before the kill arrived");
        break;
    case DAS_KILL_FAILED:
        settle_note(sc, i, DAS_O_FAILED, action, why.msg);
        break;
    case DAS_KILL_UNKNOWN:
        snprintf(sc->stopped, sizeof sc->stopped, "not tried: the connection was lost");
        settle_note(sc, i, DAS_O_UNKNOWN, action, why.msg);
        break;
    }
    if (watch)
        watch->after(watch->arg, sc->plan, i, &sc->report->items[i]);
}

static int by_id(const void *a, const void *b)
{
    const struct indexed *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* A list that names an id twice does not say which of the two a kill would hit. */
static bool listed_twice(const struct scene *sc, const struct indexed *hit)
{
    const struct indexed *end = sc->index + das_snapshot_rows(sc->fresh);

    return (hit > sc->index && hit[-1].id == hit->id) || (hit + 1 < end && hit[1].id == hit->id);
}

/* A kill by query id cannot hit another statement, however late it comes. Any other kill needs a
 * look that is fresh: with many victims, or a slow server, the first one has grown old. */
#define LOOK_AGAIN_MS 200

static bool look_is_old(const struct scene *sc, const struct das_session *now,
                        enum das_kill_what what)
{
    if (what == DAS_KILL_STATEMENT && das_known(now->query_id))
        return false;
    return das_clock_monotonic_ms() - sc->looked_ms > LOOK_AGAIN_MS;
}

static int look_again(struct scene *sc);
static bool other_server(const struct das_plan *p, const struct das_snapshot *fresh,
                         struct das_buf *note);

/* False, and stopped says why: nothing can be verified any more. */
static bool renew_look(struct scene *sc)
{
    struct das_buf note = {0};
    bool good = look_again(sc) == 0 && !other_server(sc->plan, sc->fresh, &note);

    if (!good)
        snprintf(sc->stopped, sizeof sc->stopped, "not tried: %.180s",
                 note.ptr ? note.ptr : sc->err->msg);
    das_buf_clear(&note);
    return good;
}

static void judge(struct scene *sc, size_t i)
{
    struct das_buf note = {0};
    struct das_session then, now;
    struct indexed key = {0, 0}, *hit;
    enum das_kill_what what;
    const char *action = "";

    if (sc->stopped[0]) {
        settle_note(sc, i, DAS_O_REFUSED, "", sc->stopped);
        return;
    }
    das_plan_victim(sc->plan, i, &then);
    key.id = then.id;
    hit = bsearch(&key, sc->index, das_snapshot_rows(sc->fresh), sizeof *sc->index, by_id);
    if (!hit) {
        settle_note(sc, i, DAS_O_GONE, "", "");
        return;
    }
    if (listed_twice(sc, hit)) {
        settle_note(sc, i, DAS_O_REFUSED, "", "the server lists this id twice");
        return;
    }
    das_snapshot_get(sc->fresh, hit->row, &now);
    if (das_protected(sc->opts->protect, NULL, sc->fresh, &now, &note)) {
        settle(sc, i, DAS_O_PROTECTED, "", &note);
    } else if (changed(sc, i, &then, &now, &note)) {
        settle(sc, i, DAS_O_CHANGED, "", &note);
    } else if (das_filter_test(sc->plan->victims->filter, &now) != DAS_YES) {
        das_buf_str(&note, "no longer matches ");
        das_filter_print(sc->plan->victims->filter, &note);
        settle(sc, i, DAS_O_CHANGED, "", &note);
    } else if (!choose(sc->plan->mode, &now, &what, &action, &note)) {
        settle(sc, i, DAS_O_REFUSED, "", &note);
    } else if (!sc->opts->armed) {
        settle(sc, i, DAS_O_DRY_RUN, action, &note);
    } else if (look_is_old(sc, &now, what)) {
        das_buf_clear(&note);
        if (renew_look(sc))
            judge(sc, i);
        else
            settle_note(sc, i, DAS_O_REFUSED, "", sc->stopped);
    } else {
        das_buf_clear(&note);
        kill_it(sc, i, &now, what, action);
    }
}

/* --- the plan as a whole ------------------------------------------------------------------------ */

/* Why the plan is no good before anybody is asked, in note. */
static bool stale(const struct das_plan *p, const struct das_source *source, bool armed,
                  struct das_buf *note)
{
    int64_t now = das_clock_unix_ms();

    if (now > p->expires_ms)
        das_buf_printf(note, "the plan expired %lld s ago",
                       (long long)((now - p->expires_ms) / 1000));
    else if (now < p->created_ms)
        das_buf_str(note, "the clock stands before the plan was made");
    else if (armed && das_source_cannot_kill(source))
        das_buf_str(note, das_source_cannot_kill(source));
    else
        return false;
    return true;
}

/* Ids mean something on one server only, and only until it restarts. */
static bool other_server(const struct das_plan *p, const struct das_snapshot *fresh,
                         struct das_buf *note)
{
    const struct das_identity *now = das_snapshot_identity(fresh);

    if (das_identity_same(&p->server, now))
        return false;
    das_buf_str(note, !now->server[0] ? "the source does not tell which server answers"
                      : strcmp(p->server.server, now->server) == 0
                          ? "the server was restarted since the preview"
                          : "another server answers than the one previewed");
    return true;
}

/* The fresh list, asking only for the victims, and an index over it. */
static int look_again(struct scene *sc)
{
    struct das_filter *only = das_filter_new(sc->err);
    struct das_value ids = {.kind = DAS_V_INTS};
    int64_t *list = das_grow(NULL, sc->report->count, sizeof *list);
    struct das_session s;
    uint32_t rows;
    int rc = -1;

    das_snapshot_release(sc->fresh);
    das_free(sc->index);
    sc->fresh = NULL;
    sc->index = NULL;
    if (!only)
        goto done;
    if (!list) {
        das_fail_nomem(sc->err);
        goto done;
    }
    for (size_t i = 0; i < sc->report->count; i++) {
        das_plan_victim(sc->plan, i, &s);
        list[i] = s.id;
    }
    ids.ints = list;
    ids.count = sc->report->count;
    if (ids.count <= DAS_IDS_MAX && das_filter_set(only, "id", &ids, sc->err) < 0)
        goto done;
    if (das_source_list(sc->source, ids.count <= DAS_IDS_MAX ? only : NULL, &sc->fresh,
                        sc->err) < 0)
        goto done;
    sc->looked_ms = das_clock_monotonic_ms();
    rows = das_snapshot_rows(sc->fresh);
    sc->index = das_grow(NULL, rows, sizeof *sc->index);
    if (!sc->index) {
        das_fail_nomem(sc->err);
        goto done;
    }
    for (uint32_t i = 0; i < rows; i++)
        sc->index[i] = (struct indexed){das_snapshot_ids(sc->fresh)[i], i};
    qsort(sc->index, rows, sizeof *sc->index, by_id);
    rc = 0;
done:
    das_filter_release(only);
    das_free(list);
    return rc;
}

int das_plan_apply(struct das_plan *p, struct das_source *source,
                   const struct das_apply_opts *opts, struct das_report **out,
                   struct das_err *err)
{
    struct scene sc = {.plan = p, .source = source, .opts = opts, .err = err};
    struct das_buf note = {0};
    bool refused;
    int rc = -1;

    *out = NULL;
    sc.report = das_calloc(1, sizeof *sc.report);
    if (!sc.report)
        return das_fail_nomem(err);
    sc.report->plan = das_plan_retain(p);
    sc.report->armed = opts->armed;
    sc.report->items = das_calloc(das_plan_victims(p), sizeof *sc.report->items);
    if (!sc.report->items) {
        das_fail_nomem(err);
        goto done;
    }
    sc.report->count = das_plan_victims(p);
    refused = stale(p, source, opts->armed, &note);
    if (!refused && sc.report->count > 0) {
        if (look_again(&sc) < 0)
            goto done;
        refused = other_server(p, sc.fresh, &note);
    }
    for (size_t i = 0; i < sc.report->count; i++) {
        if (refused)
            settle_note(&sc, i, DAS_O_REFUSED, "", das_buf_view(&note).ptr);
        else
            judge(&sc, i);
    }
    rc = 0;
    *out = sc.report;
    sc.report = NULL;
done:
    das_buf_clear(&note);
    das_snapshot_release(sc.fresh);
    das_free(sc.index);
    das_report_free(sc.report);
    return rc;
}
