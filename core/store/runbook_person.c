/*
 * runbook_person.c - what people decide about a run: answers, unknown steps, its end (runbook.h).
 *
 * Each decision is one transaction with its record in the journal, and each is taken once.
 */
#include <string.h>

#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/store/runbook_impl.h"

/* --- finding the step -------------------------------------------------------------------------- */

/* By its name, else by its number. 1, 0 or -1. */
static int find_step(struct das_store *s, int64_t id, const char *word,
                     struct das_runbook_step *out, struct das_err *err)
{
    int rc = das_step_get(s, id, word, out, err);
    int64_t n;

    return rc == 0 && das_parse_int(das_text_of(word), &n) ? das_step_at(s, id, n, out, err) : rc;
}

/* The run and the step, both to be cleared also after an error. */
static int find(struct das_store *s, int64_t id, const char *word, struct das_runbook *r,
                struct das_runbook_step *step, struct das_err *err)
{
    int rc = das_runbook_get(s, id, r, err);

    memset(step, 0, sizeof *step);
    if (rc == 0)
        return das_fail(err, DAS_E_USAGE, "there is no runbook %lld; das runbook list shows them",
                        (long long)id);
    if (rc > 0 && word)
        rc = find_step(s, id, word, step, err);
    if (rc == 0)
        return das_fail(err, DAS_E_USAGE,
                        "runbook %lld has no step \"%.100s\"; das runbook show %lld shows them",
                        (long long)id, word, (long long)id);
    return rc < 0 ? -1 : 0;
}

/* --- answers ----------------------------------------------------------------------------------- */

static bool is_role(const char *entry, const struct das_decider *by)
{
    if (strncmp(entry, "role:", 5) != 0)
        return false;
    for (size_t i = 0; i < by->role_count; i++) {
        if (strcmp(entry + 5, by->roles[i]) == 0)
            return true;
    }
    return false;
}

/* Without a list it is everybody who may write here, or whom the caller vouches for; an empty list
 * is nobody. */
static bool may_answer(const json_t *asks, const struct das_decider *by)
{
    const json_t *list = json_object_get(asks, "approvers"), *item;
    size_t i;

    if (!json_is_array(list))
        return (list == NULL || json_is_null(list)) && !by->stranger;
    json_array_foreach(list, i, item)
    {
        const char *entry = json_string_value(item);
        if (entry && (strcmp(entry, das_or_empty(by->name)) == 0 || is_role(entry, by)))
            return true;
    }
    return false;
}

static bool is_choice(const json_t *asks, const char *choice, struct das_buf *choices)
{
    const json_t *list = json_object_get(asks, "choices"), *item;
    bool found = false;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *name = das_or_empty(json_string_value(item));
        das_buf_printf(choices, "%s%s", i ? ", " : "", name);
        found = found || strcmp(name, choice) == 0;
    }
    return found;
}

static int check_answer(const struct das_runbook_step *step, const json_t *asks,
                        const char *choice, const struct das_decider *by, int64_t now_ms,
                        struct das_err *err)
{
    struct das_buf choices = {0};
    int rc = 0;

    if (step->kind != DAS_STEP_ASK)
        return das_fail(err, DAS_E_USAGE, "step \"%s\" asks nothing", step->name);
    if (step->status == DAS_STEP_DONE)
        return das_fail(err, DAS_E_BLOCKED, "\"%s\" was answered already: %s by %s", step->name,
                        step->result, *step->who ? step->who : "nobody (its default)");
    if (step->status != DAS_STEP_WAITING || step->wake_ms <= now_ms)
        return das_fail(err, DAS_E_BLOCKED, "\"%s\" has expired: nobody answered in time",
                        step->name);
    if (!may_answer(asks, by))
        return das_fail(err, DAS_E_BLOCKED, "%s is none of the approvers of \"%s\"",
                        *das_or_empty(by->name) ? by->name : "nobody", step->name);
    if (!is_choice(asks, choice, &choices))
        rc = das_fail(err, DAS_E_USAGE, "\"%s\": expected %s, got \"%.100s\"", step->name,
                      choices.ptr ? choices.ptr : "a choice", choice);
    das_buf_clear(&choices);
    return rc;
}

static int put_answer(struct das_store *s, const struct das_runbook *r,
                      struct das_runbook_step *step, const char *choice,
                      const struct das_decider *by, const char *reason, int64_t now_ms,
                      struct das_err *err)
{
    const struct das_runbook_event e = {{{"step", step->name},
                                         {"choice", choice},
                                         {"by", by->name},
                                         {"via", by->via},
                                         {"reason", reason}},
                                        5};
    struct das_buf result = {0};
    int rc;

    das_json_str(&result, choice);
    rc = das_buf_ok(&result, err);
    step->status = DAS_STEP_DONE;
    step->result = result.ptr;
    step->who = by->name;
    step->reason = reason;
    step->ended_ms = now_ms;
    if (rc == 0)
        rc = das_step_put(s, r->id, step, err);
    if (rc == 0 && r->status == DAS_RUNBOOK_WAITING &&
        das_do(s, err, DAS_Q_RUNBOOK_WAKE, "ii", r->id, now_ms) < 0)
        rc = -1;
    if (rc == 0)
        rc = das_runbook_record(s, r->id, "answered", &e, err);
    das_buf_clear(&result);
    return rc;
}

static int answer(struct das_store *s, struct das_runbook *r, struct das_runbook_step *step,
                  const char *choice, const struct das_decider *by, const char *reason,
                  int64_t now_ms, struct das_err *err)
{
    json_t *asks;
    int rc;

    /* who comes late wants to know the answer, if there was one */
    if (r->status >= DAS_RUNBOOK_DONE && step->status != DAS_STEP_DONE)
        return das_fail(err, DAS_E_BLOCKED, "runbook %lld has ended: %s", (long long)r->id,
                        das_runbook_status_name(r->status));
    asks = das_json_parse(step->asks, strlen(step->asks), NULL, err);
    if (!asks && step->kind == DAS_STEP_ASK)
        return -1;
    rc = check_answer(step, asks, choice, by, now_ms, err);
    if (rc == 0)
        rc = put_answer(s, r, step, choice, by, reason, now_ms, err);
    json_decref(asks);
    return rc;
}

int das_runbook_answer(struct das_store *s, int64_t id, const char *word, const char *choice,
                       const struct das_decider *by, const char *reason, int64_t now_ms,
                       struct das_err *err)
{
    struct das_runbook_step step;
    struct das_runbook r;
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = find(s, id, word, &r, &step, err);
    if (rc == 0)
        rc = answer(s, &r, &step, choice, by, reason, now_ms, err);
    if (rc == 0)
        DAS_FAULT("answer-before-commit");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("answered");
    das_runbook_step_clear(&step);
    das_runbook_clear(&r);
    return rc;
}

/* --- unknown steps ----------------------------------------------------------------------------- */

static int may_resolve(const struct das_runbook *r, const struct das_runbook_step *step,
                       enum das_resolve how, const char *result, struct das_err *err)
{
    json_t *value;

    if (step->status == DAS_STEP_UNKNOWN && r->status == DAS_RUNBOOK_UNKNOWN)
        ;
    else if (step->status != DAS_STEP_FAILED || r->status != DAS_RUNBOOK_FAILED)
        return das_fail(err, DAS_E_BLOCKED,
                        "step \"%s\" is %s and runbook %lld is %s: only a step of unknown outcome "
                        "is resolved, or a failed one of a run that failed",
                        step->name, das_step_status_name(step->status), (long long)r->id,
                        das_runbook_status_name(r->status));
    if (result && how != DAS_RESOLVE_DONE)
        return das_fail(err, DAS_E_USAGE, "--result goes with done");
    if (!result)
        return 0;
    value = das_json_parse(result, strlen(result), NULL, err);
    if (!value) {
        das_err_prefix(err, "--result");
        return -1;
    }
    json_decref(value);
    return 0;
}

/* An open run has the key alone; one that failed gave it away. */
static int take_key(struct das_store *s, const struct das_runbook *r, struct das_err *err)
{
    int64_t other;

    if (r->status < DAS_RUNBOOK_DONE)
        return 0;
    if (das_ask_int(s, &other, err, DAS_Q_RUNBOOK_SAME_KEY, "si", r->key, (int64_t)r->armed) < 0)
        return -1;
    if (other)
        return das_fail(err, DAS_E_BLOCKED, "runbook %lld is there with the same key: %s",
                        (long long)other, r->key);
    return 0;
}

static int resolve(struct das_store *s, const struct das_runbook *r, struct das_runbook_step *step,
                   enum das_resolve how, const char *result, const struct das_decider *by,
                   const char *reason, int64_t now_ms, struct das_err *err)
{
    static const char *const words[] = {"done", "again", "failed"};
    const struct das_runbook_event e = {{{"step", step->name},
                                         {"as", words[how]},
                                         {"by", by->name},
                                         {"reason", reason}},
                                        4};
    struct das_buf error = {0};
    int rc;

    das_buf_printf(&error, "step \"%s\" failed, says %s: %s", step->name, das_or_empty(by->name),
                   das_or_empty(reason));
    rc = das_buf_ok(&error, err);
    step->who = by->name;
    step->reason = reason;
    step->ended_ms = now_ms;
    step->result = how == DAS_RESOLVE_DONE ? result ? result : "null" : "";
    step->error = how == DAS_RESOLVE_FAILED ? error.ptr : "";
    step->status = how == DAS_RESOLVE_DONE     ? DAS_STEP_DONE
                   : how == DAS_RESOLVE_FAILED ? DAS_STEP_FAILED
                                               : DAS_STEP_BEGUN;
    if (how == DAS_RESOLVE_AGAIN) { /* as if it had only looked so far */
        step->acts = false;
        step->failures = 0;
        step->ended_ms = 0;
    }
    if (rc == 0)
        rc = das_step_put(s, r->id, step, err);
    if (rc == 0 && das_do(s, err, DAS_Q_RUNBOOK_SET, "iiis", r->id, (int64_t)DAS_RUNBOOK_RUNNING,
                          now_ms, "") < 0)
        rc = -1;
    if (rc == 0)
        rc = das_runbook_record(s, r->id, "resolved", &e, err);
    das_buf_clear(&error);
    return rc;
}

int das_runbook_resolve(struct das_store *s, int64_t id, const char *word, enum das_resolve how,
                        const char *result, const struct das_decider *by, const char *reason,
                        int64_t now_ms, struct das_err *err)
{
    struct das_runbook_step step;
    struct das_runbook r;
    int rc;

    if (!*das_or_empty(reason))
        return das_fail(err, DAS_E_USAGE, "--reason: what was found out about the step?");
    if (das_begin(s, err) < 0)
        return -1;
    rc = find(s, id, word, &r, &step, err);
    if (rc == 0)
        rc = may_resolve(&r, &step, how, result, err);
    if (rc == 0)
        rc = take_key(s, &r, err);
    if (rc == 0)
        rc = resolve(s, &r, &step, how, result, by, reason, now_ms, err);
    if (rc == 0)
        DAS_FAULT("resolve-before-commit");
    rc = das_end(s, rc, err);
    if (rc == 0)
        DAS_FAULT("resolved");
    das_runbook_step_clear(&step);
    das_runbook_clear(&r);
    return rc;
}

/* --- the end ----------------------------------------------------------------------------------- */

/* As das_runbook_cancel(). */
static int cancel(struct das_store *s, const struct das_runbook *r, const struct das_decider *by,
                  const char *reason, int64_t now_ms, struct das_err *err)
{
    const struct das_runbook_event e = {{{"by", by->name}, {"reason", reason}}, 2};
    struct das_buf error = {0};
    int rc, ends;

    if (r->status >= DAS_RUNBOOK_DONE)
        return das_fail(err, DAS_E_BLOCKED, "runbook %lld has ended: %s", (long long)r->id,
                        das_runbook_status_name(r->status));
    ends = r->status == DAS_RUNBOOK_RUNNING ? das_runbook_interrupted(s, r, err) : 1;
    if (ends < 0 || das_runbook_record(s, r->id, "cancel", &e, err) < 0)
        return -1;
    if (!ends)
        return das_do(s, err, DAS_Q_RUNBOOK_CANCEL, "i", r->id) < 0 ? -1 : 0;
    das_buf_printf(&error, "cancelled by %s%s%s", das_or_empty(by->name),
                   *das_or_empty(reason) ? ": " : "", das_or_empty(reason));
    rc = das_buf_ok(&error, err);
    if (rc == 0 && das_do(s, err, DAS_Q_RUNBOOK_SET, "iiis", r->id,
                          (int64_t)DAS_RUNBOOK_CANCELLED, now_ms, error.ptr) < 0)
        rc = -1;
    das_buf_clear(&error);
    return rc < 0 ? -1 : 1;
}

int das_runbook_cancel(struct das_store *s, int64_t id, const struct das_decider *by,
                       const char *reason, int64_t now_ms, struct das_err *err)
{
    struct das_runbook_step step;
    struct das_runbook r;
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = find(s, id, NULL, &r, &step, err);
    if (rc == 0)
        rc = cancel(s, &r, by, reason, now_ms, err);
    if (rc >= 0)
        DAS_FAULT("cancel-before-commit");
    rc = das_end(s, rc < 0 ? -1 : 0, err) < 0 ? -1 : rc;
    if (rc >= 0)
        DAS_FAULT("cancelled");
    das_runbook_clear(&r);
    return rc;
}
