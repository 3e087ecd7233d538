/* runbook_json.c - a run as JSON (runbook_text.h). */
#include <string.h>

#include "core/base/json.h"
#include "core/store/runbook_impl.h"
#include "core/store/runbook_text.h"

const char *das_runbook_state(struct das_store *s, const struct das_runbook *r,
                              struct das_err *err)
{
    int rc = das_runbook_interrupted(s, r, err);

    return rc < 0 ? NULL : rc ? "interrupted" : das_runbook_status_name(r->status);
}

static void put_text(struct das_buf *b, const char *key, const char *text)
{
    if (*das_or_empty(text))
        das_json_key_text(b, key, das_text_of(text));
}

static void put_ms(struct das_buf *b, const char *key, int64_t ms)
{
    if (ms)
        das_json_key_int(b, key, ms);
}

/* JSON as it was kept; "" is null. */
static void put_json(struct das_buf *b, const char *key, const char *json)
{
    das_json_key(b, key);
    das_buf_str(b, *das_or_empty(json) ? json : "null");
}

static int put_run(struct das_store *s, const struct das_runbook *r, struct das_buf *b,
                   struct das_err *err)
{
    const char *state = das_runbook_state(s, r, err);

    if (!state)
        return -1;
    das_json_key_int(b, "id", r->id);
    put_text(b, "name", r->name);
    put_text(b, "status", state);
    put_text(b, "script", r->path);
    put_text(b, "script_sha256", r->sha256);
    put_text(b, "key", r->key);
    put_json(b, "instances", r->instances);
    put_json(b, "params", r->params);
    das_json_key_bool(b, "armed", r->armed);
    put_text(b, "who", r->who);
    put_ms(b, "started_ms", r->started_ms);
    put_ms(b, "changed_ms", r->changed_ms);
    put_ms(b, "ended_ms", r->ended_ms);
    put_ms(b, "until_ms", r->until_ms);
    put_ms(b, "wake_ms", r->wake_ms);
    put_text(b, "error", r->error);
    return 0;
}

int das_runbook_json_line(struct das_store *s, const struct das_runbook *r, struct das_buf *b,
                          struct das_err *err)
{
    das_buf_char(b, '{');
    if (put_run(s, r, b, err) < 0)
        return -1;
    das_buf_str(b, "}\n");
    return 0;
}

/* --- steps ------------------------------------------------------------------------------------- */

struct writing {
    struct das_store *s;
    int64_t runbook, n;
    struct das_buf *b;
    struct das_err *err;
};

static int put_note(void *arg, const struct das_step_note *note)
{
    struct writing *w = arg;

    if (note->n != w->n)
        return 0;
    das_json_comma(w->b);
    das_buf_char(w->b, '{');
    das_json_key_int(w->b, "at_ms", note->at_ms);
    das_json_key_text(w->b, "kind", das_text_of(note->kind));
    if (strcmp(note->kind, "apply") == 0 && note->note.len) {
        das_json_key(w->b, "report");
        das_buf_text(w->b, note->note);
    } else {
        das_json_key_text(w->b, "note", note->note);
    }
    das_buf_char(w->b, '}');
    return 0;
}

static int put_step(void *arg, const struct das_runbook_step *step)
{
    struct writing *w = arg;
    struct das_buf *b = w->b;

    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "n", step->n);
    put_text(b, "name", step->name);
    put_text(b, "kind", das_step_kind_name(step->kind));
    put_text(b, "status", das_step_status_name(step->status));
    das_json_key_bool(b, "acts", step->acts);
    if (step->kind == DAS_STEP_CALL) {
        das_json_key_int(b, "attempts", step->attempts);
        das_json_key_int(b, "failures", step->failures);
    }
    put_ms(b, "begun_ms", step->begun_ms);
    put_ms(b, "ended_ms", step->ended_ms);
    put_ms(b, "wake_ms", step->wake_ms);
    if (*step->asks)
        put_json(b, "asks", step->asks);
    if (step->status == DAS_STEP_DONE && step->kind != DAS_STEP_SLEEP)
        put_json(b, "result", step->result);
    put_text(b, "error", step->error);
    put_text(b, "who", step->who);
    put_text(b, "reason", step->reason);
    das_json_key(b, "notes");
    das_buf_char(b, '[');
    w->n = step->n;
    if (das_note_each(w->s, w->runbook, put_note, w, w->err) < 0)
        return -1;
    das_buf_str(b, "]}");
    return 0;
}

static int put_stretch(void *arg, const struct das_stretch *stretch)
{
    struct das_buf *b = ((struct writing *)arg)->b;

    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "began_ms", stretch->began_ms);
    put_ms(b, "ended_ms", stretch->ended_ms);
    put_text(b, "who", stretch->who);
    put_text(b, "how", stretch->how);
    das_buf_char(b, '}');
    return 0;
}

int das_runbook_json(struct das_store *s, const struct das_runbook *r, struct das_buf *b,
                     struct das_err *err)
{
    struct writing w = {s, r->id, 0, b, err};

    das_buf_char(b, '{');
    if (put_run(s, r, b, err) < 0)
        return -1;
    das_json_key(b, "steps");
    das_buf_char(b, '[');
    if (das_step_each(s, r->id, put_step, &w, err) < 0)
        return -1;
    das_buf_char(b, ']');
    das_json_key(b, "stretches");
    das_buf_char(b, '[');
    if (das_stretch_each(s, r->id, put_stretch, &w, err) < 0)
        return -1;
    das_buf_str(b, "]}\n");
    return das_buf_ok(b, err);
}
