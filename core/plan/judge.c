/*
 * judge.c - what is to be done with a victim, by the look that there is (see apply_impl.h): may it be
 * touched, is it the same, is there something to kill.
 *
 * DAS_WITHOUT_RECHECK leaves the comparison out. It exists for the build with which the stress test
 * shows that it would notice (tests/e2e/torture_controls.t).
 */
#include <string.h>

#include "core/plan/apply_impl.h"

bool das_has_statement(const struct das_session *s)
{
    return !das_text_iis(s->command, "Sleep");
}

/* Statement or connection; false, and the reason in note, when there is nothing to kill. */
static bool choose(const struct das_scene *sc, const struct das_session *s, const char **action,
                   struct das_buf *note)
{
    enum das_kill_mode mode = das_plan_mode(sc->plan);
    bool in_transaction = das_known(s->trx_time);

    if (mode == DAS_MODE_AUTO)
        mode = das_has_statement(s) && !in_transaction && !das_source_cannot_statement(sc->source)
                   ? DAS_MODE_QUERY
                   : DAS_MODE_CONNECTION;
    *action = das_mode_name(mode);
    if (mode == DAS_MODE_CONNECTION || das_has_statement(s))
        return true;
    das_buf_str(note, "idle: there is no statement to kill");
    return false;
}

bool das_too_much_to_roll_back(const struct das_scene *sc, const struct das_session *then,
                               const struct das_session *s, struct das_buf *note)
{
    if (s->rows_modified == DAS_UNKNOWN && then->rows_modified != DAS_UNKNOWN) {
        das_buf_str(note, "the server no longer tells what its transaction has changed");
        return true;
    }
    if (!das_known(s->rows_modified) || s->rows_modified <= sc->limits.rows_modified)
        return false;
    das_buf_printf(note,
                   "its transaction has changed %lld rows, expected at most %lld "
                   "(limits.kill.rows_modified): the rollback may outlast the statement",
                   (long long)s->rows_modified, (long long)sc->limits.rows_modified);
    return true;
}

/* Not what was previewed any more, as far as this look tells. */
static bool has_changed(const struct das_scene *sc, size_t i, const struct das_session *then,
                        const struct das_session *now, struct das_buf *note)
{
#ifdef DAS_WITHOUT_RECHECK
    (void)sc, (void)i, (void)then, (void)now, (void)note;
    return false;
#else
    if (das_victim_changed(sc->plan, i, then, sc->look.snap, now, note))
        return true;
    if (das_filter_test(das_plan_filter(sc->plan), now) == DAS_YES ||
        (sc->plan->trusts && now->disputed))
        return false;
    das_buf_str(note, "no longer matches ");
    das_filter_print(das_plan_filter(sc->plan), note);
    return true;
#endif
}

void das_judge(struct das_scene *sc, size_t i)
{
    struct das_aim *aim = &sc->aims[i];
    const char *before = aim->action; /* what the limits were asked for; NULL: not yet */
    struct das_buf note = {0};
    struct das_session then, now;
    enum das_found found;

    das_plan_victim(sc->plan, i, &then);
    found = das_look_find(&sc->look, then.id, &now);
    if (found == DAS_FOUND_NO && das_snapshot_cut(sc->look.snap)) {
        das_settle(sc, i, DAS_O_REFUSED, "",
                   "not among the sessions that could be listed: nobody can tell whether it is there");
    } else if (found == DAS_FOUND_NO) {
        das_settle(sc, i, DAS_O_GONE, "",
                   then.disputed ? "the source does not select it any more" : "");
    } else if (found == DAS_FOUND_TWICE) {
        das_settle(sc, i, DAS_O_REFUSED, "", "the server lists this id twice");
    } else if (das_protected(sc->opts->protect, &sc->roles, sc->look.snap, &now, &note)) {
        das_settle_buf(sc, i, DAS_O_PROTECTED, "", &note);
    } else if (has_changed(sc, i, &then, &now, &note)) {
        das_settle_buf(sc, i, DAS_O_CHANGED, "", &note);
    } else if (das_too_much_to_roll_back(sc, &then, &now, &note) ||
               !choose(sc, &now, &aim->action, &note)) {
        das_settle_buf(sc, i, DAS_O_REFUSED, "", &note);
    } else if (before && strcmp(before, aim->action) != 0) {
        das_settle(sc, i, DAS_O_CHANGED, "",
                   das_is_connection(before) ? "its transaction has ended"
                                             : "it is in a transaction now");
    } else {
        das_buf_clear(&note);
        aim->stage = DAS_STAGE_READY;
        aim->judged_in = sc->look.number;
    }
}

bool das_still_the_same(const struct das_scene *sc, size_t i, struct das_session *now,
                        struct das_buf *note)
{
    struct das_session then, asked;

    das_plan_victim(sc->plan, i, &then);
    if (das_look_find(&sc->look, then.id, now) != DAS_FOUND ||
        das_victim_moved_on(sc->plan, i, &then, sc->look.snap, now)) {
        das_buf_str(note, "it has changed since");
        return false;
    }
    asked = *now;
    if (das_is_dying(&asked))
        asked.command = then.command;
    return !das_protected(sc->opts->protect, &sc->roles, sc->look.snap, &asked, note) &&
           !das_too_much_to_roll_back(sc, &then, now, note);
}
