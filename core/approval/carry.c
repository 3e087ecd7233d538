/*
 * carry.c - the plan of an approved request, carried out once (see approval.h).
 *
 * First the claim is on the disk, then the plan is applied, then what became of it is written down.
 * Who finds a claim of a run that died asks the journal: a plan that was begun is never begun
 * again.
 */
#include <stdio.h>
#include <string.h>

#include "core/approval/approval_impl.h"
#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/store/journal.h"

struct carrying {
    struct das_store *store;
    const struct das_approval_means *means;
    const char *id;
    enum das_approval_fate fate;
    bool mine;             /* it was claimed, and has to be carried out now */
    struct das_plan *plan; /* as it was asked for */
    char who[200];         /* "alice, bob (approval ID)" */
    char note[500];
};

/* --- the claim -------------------------------------------------------------------------------- */

static void name_voters(struct carrying *c, const struct das_approval *a)
{
    struct das_buf b = {0};

    for (size_t i = 0; i < a->vote_count; i++)
        das_buf_printf(&b, "%s%s", i ? ", " : "", a->votes[i].person);
    das_buf_printf(&b, " (approval %s)", a->id);
    snprintf(c->who, sizeof c->who, "%s", b.ptr && !b.failed ? b.ptr : a->id);
    das_buf_clear(&b);
}

static void end(struct carrying *c, struct das_approval_step *step, enum das_approval_state state,
                const char *note)
{
    c->fate = DAS_FATE_SETTLED;
    snprintf(c->note, sizeof c->note, "%s", note);
    step->event = das_approval_state_name(state);
    step->state = (int)state;
    step->note = c->note;
    das_buf_char(&step->members, '{');
    das_approval_put(&step->members, c->means->vault, "note", note);
}

/* Votes and plan once more, from the journal's bytes: what stands in a table is no reason to kill.
 */
static bool is_sound(struct carrying *c, const struct das_approval *a, char *why, size_t size)
{
    struct das_err err;

    if ((int64_t)a->yes_count < a->need || a->yes_count != a->vote_count) {
        snprintf(why, size, "the journal has %zu of %lld votes for it", a->yes_count,
                 (long long)a->need);
        return false;
    }
    c->plan = das_approval_plan(a, &err);
    if (!c->plan)
        snprintf(why, size, "its plan was changed: %.300s", err.msg);
    return c->plan != NULL;
}

/* Its run died: what does the journal know? True: that is the end of it. */
static int bury(struct carrying *c, const struct das_approval *a, struct das_approval_step *step,
                struct das_err *err)
{
    struct das_approval_trace t;
    char note[500];
    int rc = das_approval_trace(c->store, a->hash, &t, err);

    if (rc <= 0)
        return rc;
    snprintf(note, sizeof note, "das ended while it was carried out: %s%s of %lld",
             *t.words ? t.words : "nothing was tried", *t.words ? "" : ",", (long long)a->victims);
    end(c, step, t.doubt ? DAS_APPROVAL_UNKNOWN : DAS_APPROVAL_APPLIED, note);
    return 1;
}

static int judge(void *arg, const struct das_approval *a, struct das_approval_step *step,
                 struct das_err *err)
{
    struct carrying *c = arg;
    char why[400];
    int rc;

    if (a->state == DAS_APPROVAL_WAITING && das_clock_unix_ms() >= a->expires_ms) {
        c->fate = DAS_FATE_EXPIRED;
        step->event = "expired";
        step->state = DAS_APPROVAL_EXPIRED;
        return 0;
    }
    if (a->state == DAS_APPROVAL_APPLYING) {
        rc = das_approval_is_orphan(c->store, a, err);
        if (rc > 0)
            rc = bury(c, a, step, err) < 0 ? -1 : c->fate == DAS_FATE_NOTHING;
        if (rc <= 0)
            return rc;
    } else if (a->state != DAS_APPROVAL_APPROVED) {
        return 0;
    }
    if (!is_sound(c, a, why, sizeof why)) {
        end(c, step, DAS_APPROVAL_FAILED, why);
        return 0;
    }
    if (c->means->knows && !c->means->knows(c->means->arg, das_plan_instance(c->plan))) {
        if (das_clock_unix_ms() > das_plan_expires_ms(c->plan))
            end(c, step, DAS_APPROVAL_FAILED, "nobody who has the instance was there in time");
        return 0; /* for another process, which has it */
    }
    name_voters(c, a);
    c->mine = true;
    step->event = "claimed";
    step->state = DAS_APPROVAL_APPLYING;
    step->claim = true;
    return 0;
}

/* --- the kill --------------------------------------------------------------------------------- */

static int apply(struct carrying *c, struct das_report **report, struct das_err *err)
{
    const struct das_approval_means *m = c->means;
    const char *policy = das_approval_policy_of(c->plan), *instance = das_plan_instance(c->plan);
    const struct das_guard guard = {.who = c->who,
                                    .policy = policy,
                                    .by_person = true,
                                    .rules = m->rules(m->arg, policy),
                                    .stop_files = m->stop_files,
                                    .store = c->store,
                                    .vault = m->vault};
    const struct das_apply_opts opts = {
        .armed = true, .protect = m->protect, .guard = &guard, .watch = m->watch};
    struct das_source *source;
    int rc;

    if (m->enter(m->arg, instance, &source, err) < 0)
        return -1;
    rc = das_plan_apply(c->plan, source, &opts, report, err);
    m->leave(m->arg, instance, source);
    return rc;
}

/* --- what became of it ------------------------------------------------------------------------ */

struct settling {
    struct carrying *c;
    const struct das_report *report; /* NULL: nothing could be verified, as err says */
    const struct das_err *err;
    struct das_buf json;
};

static bool all_refused(const struct das_report *r)
{
    return r->count > 0 && r->totals[DAS_O_REFUSED] == r->count;
}

static void put_totals(struct das_buf *b, const struct das_report *r)
{
    for (int k = 0; k < DAS_O_COUNT; k++) {
        if (r->totals[k])
            das_json_key_int(b, das_outcome_name((enum das_outcome_kind)k), (int64_t)r->totals[k]);
    }
}

static int settle(void *arg, const struct das_approval *a, struct das_approval_step *step,
                  struct das_err *err)
{
    struct settling *s = arg;
    const struct das_report *r = s->report;
    struct carrying *c = s->c;
    int before;

    if (a->state != DAS_APPROVAL_APPLYING || strcmp(a->claim, das_store_run(c->store)) != 0)
        return 0; /* somebody took this run for dead and has settled it */
    if (!r) {
        before = das_journal_applied(c->store, a->hash, err);
        if (before < 0)
            return -1;
        end(c, step, before ? DAS_APPROVAL_UNKNOWN : DAS_APPROVAL_FAILED, s->err->msg);
        return 0;
    }
    end(c, step,
        all_refused(r)             ? DAS_APPROVAL_FAILED
        : r->totals[DAS_O_UNKNOWN] ? DAS_APPROVAL_UNKNOWN
                                   : DAS_APPROVAL_APPLIED,
        all_refused(r) && r->items[0].note ? r->items[0].note : "");
    put_totals(&step->members, r);
    step->result = das_buf_view(&s->json);
    return 0;
}

int das_approval_carry_out(struct das_store *s, const char *id,
                           const struct das_approval_means *means, enum das_approval_fate *fate,
                           struct das_report **report, struct das_err *err)
{
    struct carrying c = {.store = s, .means = means, .id = id};
    struct settling end_of = {.c = &c};
    struct das_report *made = NULL;
    struct das_err why;
    int rc = das_approval_change(s, id, judge, &c, err);

    if (rc > 0 && c.mine) {
        DAS_FAULT("approval-claimed");
        c.fate = DAS_FATE_SETTLED;
        if (apply(&c, &made, &why) == 0)
            das_report_json(made, &end_of.json);
        DAS_FAULT("approval-applied");
        end_of.report = made;
        end_of.err = &why;
        rc = das_buf_ok(&end_of.json, err) < 0 ? -1
                                               : das_approval_change(s, id, settle, &end_of, err);
    }
    *fate = c.fate;
    if (report)
        *report = made;
    else
        das_report_free(made);
    das_buf_clear(&end_of.json);
    das_plan_release(c.plan);
    return rc < 0 ? -1 : 0;
}

/* --- what is due ------------------------------------------------------------------------------ */

#define PENDING_MAX 1000

/* One that cannot be read is nobody's: das approvals show says what is wrong with it. One that is
 * approved for an instance that only others have is theirs as long as its plan is good. */
static int is_due(struct das_store *s, const struct das_approval_means *means, const char *id,
                  struct das_err *err)
{
    int64_t now = das_clock_unix_ms();
    struct das_approval *a;
    int rc = das_approval_get(s, id, &a, err);

    if (rc < 0)
        return err->code == DAS_E_DATA ? 0 : -1;
    if (a && a->state == DAS_APPROVAL_WAITING)
        rc = now >= a->expires_ms;
    else if (a && a->state == DAS_APPROVAL_APPLYING)
        rc = das_approval_is_orphan(s, a, err);
    else if (a && now < a->expires_ms + DAS_APPROVAL_GRACE_MS)
        rc = !means->knows || means->knows(means->arg, a->instance);
    else
        rc = a != NULL;
    das_approval_free(a);
    return rc;
}

int das_approval_due(struct das_store *s, const struct das_approval_means *means,
                     das_approval_id *ids, size_t n, struct das_err *err)
{
    struct das_approval_key *keys = das_calloc(PENDING_MAX, sizeof *keys);
    int count = keys ? das_approval_pending(s, das_clock_unix_ms(), keys, PENDING_MAX, err)
                     : das_fail_nomem(err);
    int due = count < 0 ? -1 : 0;
    size_t found = 0;

    for (int i = 0; i < count && found < n && due >= 0; i++) {
        due = is_due(s, means, keys[i].id, err);
        if (due > 0)
            memcpy(ids[found++], keys[i].id, sizeof *ids);
    }
    das_free(keys);
    return due < 0 ? -1 : (int)found;
}
