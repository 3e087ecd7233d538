/*
 * runbook_step.c - the steps of a run, as the process writes them that carries it on (runbook.h).
 *
 * Each write asks in its own transaction whether the run is still this handle's.
 */
#include <string.h>

#include "core/base/fault.h"
#include "core/store/runbook_impl.h"

/* Inside a transaction: may the run go on? */
static int go_on(struct das_store *s, int64_t runbook, struct das_err *err)
{
    bool cancel;

    if (das_runbook_mine(s, runbook, &cancel, err) < 0)
        return -1;
    if (cancel)
        return das_fail(err, DAS_E_CANCELLED, "runbook %lld was cancelled", (long long)runbook);
    return 0;
}

int das_step_put(struct das_store *s, int64_t runbook, const struct das_runbook_step *p,
                 struct das_err *err)
{
    return das_do(s, err, DAS_Q_STEP_PUT, "iisiiiiiiiisssss", runbook, p->n, p->name,
                  (int64_t)p->kind, (int64_t)p->status, (int64_t)p->acts, p->attempts, p->failures,
                  p->begun_ms, p->ended_ms, p->wake_ms, das_or_empty(p->asks),
                  das_or_empty(p->result), das_or_empty(p->error), das_or_empty(p->who),
                  das_or_empty(p->reason)) < 0
               ? -1
               : 0;
}

static int number(struct das_store *s, int64_t runbook, struct das_runbook_step *p,
                  struct das_err *err)
{
    return p->n ? 0 : das_ask_int(s, &p->n, err, DAS_Q_STEP_NEXT, "i", runbook);
}

/* In a transaction, when it is 0: the run may go on, and p, which may be new, has its number. */
static int open_step(struct das_store *s, int64_t runbook, struct das_runbook_step *p,
                     int64_t now_ms, struct das_err *err)
{
    if (das_begin(s, err) < 0)
        return -1;
    if (go_on(s, runbook, err) < 0 || number(s, runbook, p, err) < 0)
        return das_end(s, -1, err);
    p->begun_ms = p->begun_ms ? p->begun_ms : now_ms;
    return 0;
}

int das_step_begin(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                   int64_t now_ms, struct das_err *err)
{
    struct das_runbook_step p = *step;
    int rc;

    if (open_step(s, runbook, &p, now_ms, err) < 0)
        return -1;
    p.status = DAS_STEP_BEGUN;
    p.attempts++;
    p.ended_ms = 0;
    rc = das_step_put(s, runbook, &p, err);
    if (rc == 0)
        DAS_FAULT("step-before-begin");
    rc = das_end(s, rc, err);
    if (rc == 0)
        *step = p;
    if (rc == 0)
        DAS_FAULT("step-begun");
    return rc;
}

int das_step_wait(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                  int64_t now_ms, struct das_err *err)
{
    struct das_runbook_step p = *step;
    int rc;

    if (open_step(s, runbook, &p, now_ms, err) < 0)
        return -1;
    p.status = DAS_STEP_WAITING;
    rc = das_step_put(s, runbook, &p, err);
    if (rc == 0 && das_do(s, err, DAS_Q_RUNBOOK_WAIT, "iii", runbook, now_ms, p.wake_ms) < 0)
        rc = -1;
    if (rc == 0)
        rc = das_runbook_leave(s, now_ms, "waiting", err);
    if (rc == 0)
        DAS_FAULT("step-before-wait");
    rc = das_end(s, rc, err);
    if (rc == 0)
        *step = p;
    if (rc == 0)
        DAS_FAULT("step-waits");
    return rc;
}

static int add_note(struct das_store *s, int64_t runbook, int64_t n, const char *kind,
                    struct das_text note, int64_t now_ms, struct das_err *err)
{
    return das_do(s, err, DAS_Q_NOTE_ADD, "iiist", runbook, n, now_ms, kind, note) < 0 ? -1 : 0;
}

int das_step_acts(struct das_store *s, int64_t runbook, int64_t n, const char *what,
                  int64_t now_ms, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = go_on(s, runbook, err);
    if (rc == 0 && das_do(s, err, DAS_Q_STEP_ACTS, "ii", runbook, n) < 0)
        rc = -1;
    if (rc == 0 && *das_or_empty(what))
        rc = add_note(s, runbook, n, "acts", das_text_of(what), now_ms, err);
    if (rc == 0)
        DAS_FAULT("step-before-acts");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("step-acts");
    return rc;
}

int das_step_end(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                 int64_t now_ms, struct das_err *err)
{
    int rc;

    DAS_FAULT("step-before-result");
    if (das_begin(s, err) < 0)
        return -1;
    rc = das_runbook_mine(s, runbook, NULL, err);
    if (rc == 0)
        rc = number(s, runbook, step, err);
    step->ended_ms = now_ms;
    step->begun_ms = step->begun_ms ? step->begun_ms : now_ms;
    if (rc == 0)
        rc = das_step_put(s, runbook, step, err);
    if (rc == 0)
        DAS_FAULT("step-before-commit");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("step-ended");
    return rc;
}

int das_step_unknown(struct das_store *s, int64_t runbook, struct das_runbook_step *step,
                     int64_t now_ms, struct das_err *err)
{
    const struct das_runbook_event e = {{{"step", step->name}}, 1};
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = das_runbook_mine(s, runbook, NULL, err);
    step->status = DAS_STEP_UNKNOWN;
    if (rc == 0)
        rc = das_step_put(s, runbook, step, err);
    if (rc == 0 && das_do(s, err, DAS_Q_RUNBOOK_SET, "iiis", runbook, (int64_t)DAS_RUNBOOK_UNKNOWN,
                          now_ms, "") < 0)
        rc = -1;
    if (rc == 0)
        rc = das_runbook_leave(s, now_ms, "unknown", err);
    if (rc == 0)
        rc = das_runbook_record(s, runbook, "unknown", &e, err);
    if (rc == 0)
        DAS_FAULT("step-before-unknown");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("step-unknown");
    return rc;
}

int das_step_note(struct das_store *s, int64_t runbook, int64_t n, const char *kind,
                  struct das_text note, int64_t now_ms, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = das_runbook_mine(s, runbook, NULL, err);
    if (rc == 0)
        rc = add_note(s, runbook, n, kind, note, now_ms, err);
    if (rc == 0)
        DAS_FAULT("step-before-note");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("step-noted");
    return rc;
}
