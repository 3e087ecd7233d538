/* verify.c - is this still what was previewed (see apply_impl.h). Any doubt is a change. */
#include <string.h>

#include "core/plan/apply_impl.h"

#define LAG_MAX 10 /* s */

bool das_other_server(const struct das_plan *p, const struct das_snapshot *fresh,
                      struct das_buf *note)
{
    const struct das_identity *now = das_snapshot_identity(fresh);

    if (das_identity_same(&p->server, now)) {
        int64_t then = das_snapshot_time(p->victims->snap), at = das_snapshot_time(fresh);
        if (then > 0 && at > 0 && at < then)
            das_buf_str(note, "the list that the source gave is older than the preview");
        else if (das_snapshot_lag(fresh) > LAG_MAX)
            das_buf_printf(note, "the list that the source gave is %lld s old: nobody is killed by one "
                                 "that is older than %d s",
                           (long long)das_snapshot_lag(fresh), LAG_MAX);
        else
            return false;
        return true;
    }
    das_buf_str(note, !now->server[0] ? "the source does not tell which server answers"
                      : strcmp(p->server.server, now->server) == 0
                          ? "the server was restarted since the preview"
                          : "another server answers than the one previewed");
    return true;
}

bool das_is_dying(const struct das_session *s)
{
    return das_text_iis(s->command, "Killed");
}

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

/* Without a query id: the same text, begun at the same time. */
static bool begun_anew(const struct das_plan *p, const struct das_session *then,
                       const struct das_snapshot *fresh, const struct das_session *now,
                       struct das_buf *note)
{
    int64_t slack_then, slack_now, apart;
    int64_t spread_then = das_snapshot_spread(p->victims->snap), spread_now = das_snapshot_spread(fresh);
    int64_t started_then = das_plan_started_ms(p->victims->snap, then, &slack_then);
    int64_t started_now = das_plan_started_ms(fresh, now, &slack_now);

    if (!das_known(started_then) || !das_known(started_now)) {
        das_buf_str(note, started_then == started_now
                              ? "neither query id nor age is known: it may be another statement"
                              : "its age is not known any more, or only now");
        return true;
    }
    /* a row that was listed later than the list says was begun later, too: within that time a session
     * as young may have begun another statement that looks as old */
    if (spread_then + spread_now > 0 && das_snapshot_time(p->victims->snap) * 1000 - started_then <=
                                            (spread_then + spread_now) * 1000 + slack_then) {
        das_buf_printf(note, "a list took %lld s to be put together: whether it is the same statement "
                             "cannot be told of one as young",
                       (long long)(spread_then > spread_now ? spread_then : spread_now));
        return true;
    }
    apart = started_now - started_then;
    if (apart <= slack_then + spread_then * 1000 && apart >= -slack_then - spread_now * 1000)
        return false;
    das_buf_printf(note, "the same text, but begun %lld s %s",
                   (long long)((apart < 0 ? -apart : apart) / 1000), apart < 0 ? "earlier" : "later");
    return true;
}

static bool statement_moved(const struct das_plan *p, size_t i, const struct das_session *then,
                            const struct das_snapshot *fresh, const struct das_session *now,
                            struct das_buf *note)
{
    struct das_err ignored;
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
    if (das_digest64(now->sql_info, &digest, &ignored) < 0 || digest != p->digests[i]) {
        das_buf_str(note, "another statement");
        return true;
    }
    /* The server's own name for it: no need to compare times. Not so for a session that sleeps: one
     * that was pinged may run a whole statement under the number that it showed before. */
    if (das_known(then->query_id) && !das_text_iis(then->command, "Sleep"))
        return false;
    return begun_anew(p, then, fresh, now, note);
}

/* MySQL gives a transaction that only reads a number made of its address; that says nothing. */
#define MADE_UP ((int64_t)1 << 47)

static bool real_transaction(const struct das_session *s)
{
    return das_known(s->trx_id) && s->trx_id > 0 && s->trx_id < MADE_UP;
}

/* Without a query id nothing else tells that a session has committed and sleeps again. */
static bool other_transaction(const struct das_session *then, const struct das_session *now,
                              struct das_buf *note)
{
    if (!real_transaction(then))
        return false;
    if (real_transaction(now) && then->trx_id != now->trx_id)
        das_buf_printf(note, "another transaction: %lld, was %lld", (long long)now->trx_id,
                       (long long)then->trx_id);
    else if (now->trx_id == DAS_ABSENT && !das_known(then->query_id))
        das_buf_str(note, "its transaction has ended");
    else
        return false;
    return true;
}

bool das_victim_changed(const struct das_plan *p, size_t i, const struct das_session *then,
                        const struct das_snapshot *fresh, const struct das_session *now,
                        struct das_buf *note)
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
    if (text_moved(then->db, now->db, "db", note) || other_transaction(then, now, note))
        return true;
    return statement_moved(p, i, then, fresh, now, note);
}

/* A dying statement may show another state and no text any more: what counts is that nothing says
 * it is over. */
bool das_victim_moved_on(const struct das_plan *p, size_t i, const struct das_session *then,
                         const struct das_snapshot *fresh, const struct das_session *now)
{
    struct das_buf note = {0};
    bool moved;

    if (!das_text_eq(then->user, now->user) || !das_text_eq(then->host, now->host))
        return true;
    if (das_is_dying(now))
        return das_known(then->query_id) && das_known(now->query_id) &&
               then->query_id != now->query_id;
    if (das_text_iis(now->command, "Sleep") != das_text_iis(then->command, "Sleep"))
        return true;
    moved = statement_moved(p, i, then, fresh, now, &note);
    das_buf_clear(&note);
    return moved;
}
