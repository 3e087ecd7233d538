/* rerun.c - see rerun.h. */
#include "core/replay/rerun.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/store/carry.h"

#define CARRIED_MS ((int64_t)366 * 86400 * 1000) /* no window of a limit is longer */

/* --- recording a live run ------------------------------------------------------------------------- */

static void put_args(const struct das_engine_opts *opts, struct das_buf *b)
{
    das_json_key(b, "args");
    das_buf_char(b, '[');
    for (size_t i = 0; i < opts->arg_count; i++) {
        das_json_comma(b);
        das_json_str(b, opts->args[i]);
    }
    das_buf_char(b, ']');
}

/* Only an armed run is held to its past. */
static int put_past(const struct das_engine_opts *opts, struct das_buf *b, struct das_err *err)
{
    struct das_store *s = NULL;
    int rc = 0;

    if (!opts->armed || !opts->state_dir)
        return 0;
    if (das_store_open_to_read(opts->state_dir, &s, err) < 0)
        return -1;
    if (s) {
        das_json_key(b, "past");
        rc = das_carry_write(s, das_clock_unix_ms() - CARRIED_MS, b, err);
    }
    das_store_close(s);
    return rc;
}

static int write_head(struct das_rerun_recorder *r, const struct das_engine_opts *opts,
                      struct das_err *err)
{
    struct das_buf b = {0};
    int rc;

    das_buf_char(&b, '{');
    das_json_key_int(&b, "das_run", 1);
    das_json_key(&b, "script");
    das_json_str(&b, strcmp(opts->path, "-") == 0 ? NULL : opts->path);
    das_json_key(&b, "script_sha256");
    das_json_str(&b, r->decisions.policy_sha256);
    put_args(opts, &b);
    das_json_key_bool(&b, "apply", opts->armed);
    das_json_key(&b, "user");
    das_json_str(&b, opts->user);
    das_json_key_int(&b, "from_ms", das_clock_unix_ms());
    rc = put_past(opts, &b, err);
    das_buf_char(&b, '}');
    if (rc == 0)
        rc = das_buf_ok(&b, err);
    if (rc == 0)
        das_tape_line(r->tape, das_buf_view(&b));
    das_buf_clear(&b);
    return rc;
}

static void decided(void *tape, struct das_text line)
{
    das_tape_line(tape, line);
}

/* The decisions' hash and the tape both hear of everything. */
static void heard_list(void *arg, struct das_source *s, struct das_snapshot *snap,
                       const struct das_err *err)
{
    struct das_rerun_recorder *r = arg;
    const struct das_source_listener *tape = das_tape_listener(r->tape);

    tape->listed(tape->arg, s, snap, err);
    r->decisions.listener.listed(r->decisions.listener.arg, s, snap, err);
}

static void heard_kill(void *arg, struct das_source *s, const struct das_kill_order *order,
                       int result, const struct das_err *err)
{
    const struct das_source_listener *tape =
        das_tape_listener(((struct das_rerun_recorder *)arg)->tape);

    tape->killed(tape->arg, s, order, result, err);
}

static void watch_decisions(struct das_engine_watch *w, struct das_decisions *d)
{
    *w = (struct das_engine_watch){.arg = d,
                                   .previewed = das_decisions_previewed,
                                   .applied = das_decisions_applied};
}

/* Its own reading of the script: standard input can be read only once. */
static int read_policy(const struct das_engine_opts *opts, struct das_decisions *d,
                       void (*line)(void *arg, struct das_text line), void *arg,
                       struct das_err *err)
{
    struct das_buf text = {0};
    int rc = das_script_read(opts->path, &text, err);

    if (rc == 0)
        rc = das_decisions_init(d, das_buf_view(&text), line, arg, err);
    das_buf_clear(&text);
    return rc;
}

int das_rerun_record(struct das_rerun_recorder *r, const char *path, struct das_engine_opts *opts,
                     struct das_err *err)
{
    struct das_err ignored;

    memset(r, 0, sizeof *r);
    if (strcmp(opts->path, "-") == 0)
        return das_fail(err, DAS_E_USAGE, "--record: expected a script in a file: what is read from "
                                          "standard input cannot be run again");
    if (das_tape_create(path, &r->tape, err) < 0)
        return -1;
    if (read_policy(opts, &r->decisions, decided, r->tape, err) < 0 ||
        write_head(r, opts, err) < 0) {
        das_decisions_clear(&r->decisions);
        das_tape_close(r->tape, &ignored);
        r->tape = NULL;
        remove(path);
        return -1;
    }
    watch_decisions(&r->watch, &r->decisions);
    r->listener = (struct das_source_listener){r, heard_list, heard_kill};
    das_inventory_listen(opts->inventory, &r->listener);
    opts->watch = &r->watch;
    return 0;
}

int das_rerun_recorded(struct das_rerun_recorder *r, const struct das_engine_result *result,
                       const struct das_err *failed, struct das_err *err)
{
    struct das_buf b = {0};
    int rc, closed;

    das_buf_char(&b, '{');
    das_json_key(&b, "end");
    das_json_str(&b, das_end_name(result->end));
    das_json_key(&b, "error");
    das_json_str(&b, failed ? failed->msg : NULL);
    das_json_key_int(&b, "decisions", r->decisions.count);
    das_buf_char(&b, '}');
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        das_tape_line(r->tape, das_buf_view(&b));
    das_buf_clear(&b);
    if (rc == 0 && r->decisions.failed.code != DAS_OK) {
        *err = r->decisions.failed;
        rc = -1;
    }
    closed = das_tape_close(r->tape, rc < 0 ? &(struct das_err){0} : err);
    das_decisions_clear(&r->decisions);
    return rc < 0 ? rc : closed;
}

/* --- having it again ------------------------------------------------------------------------------ */

struct rerun {
    struct das_playback *play;
    const json_t *head;
    struct das_rerun_result *out;
    struct das_decisions decisions;
    struct das_engine_opts opts;
    struct das_engine_watch watch;
    const char **args;
    struct das_clock clock;
};

void das_rerun_result_clear(struct das_rerun_result *r)
{
    das_free(r->recorded);
    das_free(r->now);
    memset(r, 0, sizeof *r);
}

/* The n-th decision of the recorded run, from 0. */
static bool recorded_decision(const struct das_playback *p, size_t n, struct das_text *text)
{
    const json_t *line;

    for (size_t i = 0; (line = das_playback_line(p, i, text)) != NULL; i++) {
        if (json_object_get(line, "decision") && n-- == 0)
            return true;
    }
    return false;
}

static void decided_again(void *arg, struct das_text line)
{
    struct rerun *r = arg;
    struct das_rerun_result *out = r->out;
    struct das_text then;

    if (out->differs)
        return;
    if (recorded_decision(r->play, out->equal, &then) && das_text_eq(then, line)) {
        out->equal++;
        return;
    }
    out->differs = true;
    out->recorded = recorded_decision(r->play, out->equal, &then) ? das_strndup(then.ptr, then.len)
                                                                  : NULL;
    out->now = das_strndup(line.ptr, line.len);
}

static const json_t *head_of(const struct das_playback *p, struct das_err *err)
{
    struct das_text ignored;
    const json_t *head = das_playback_line(p, 0, &ignored);

    if (json_integer_value(json_object_get(head, "das_run")) == 1 &&
        json_is_string(json_object_get(head, "script_sha256")))
        return head;
    das_fail(err, DAS_E_DATA, "expected a run recorded by das run --record: its first line begins "
                              "with {\"das_run\":1");
    return NULL;
}

const char *das_rerun_script(const struct das_playback *p)
{
    struct das_text ignored;

    return json_string_value(json_object_get(das_playback_line(p, 0, &ignored), "script"));
}

static int take_args(struct rerun *r, struct das_err *err)
{
    const json_t *list = json_object_get(r->head, "args");
    size_t n = json_array_size(list);

    r->args = das_calloc(n + 1, sizeof *r->args);
    if (!r->args)
        return das_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        r->args[i] = json_string_value(json_array_get(list, i));
        if (!r->args[i])
            return das_fail(err, DAS_E_DATA, "args: expected strings");
    }
    r->opts.args = r->args;
    r->opts.arg_count = n;
    return 0;
}

static int add_instances(struct rerun *r, struct das_err *err)
{
    const char *name;

    r->opts.inventory = das_inventory_new(err);
    if (!r->opts.inventory)
        return -1;
    for (size_t i = 0; (name = das_playback_instance(r->play, i)) != NULL; i++) {
        const struct das_source_conf conf = {.name = name, .spec = name};
        struct das_source *s;
        if (das_playback_source(r->play, name, &s, err) < 0)
            return -1;
        das_source_listen(s, &r->decisions.listener);
        if (das_inventory_add_source(r->opts.inventory, &conf, s, err) < 0)
            return -1;
    }
    return 0;
}

static int open_past(struct rerun *r, struct das_err *err)
{
    const json_t *past = json_object_get(r->head, "past");

    if (das_store_open_in_memory(&r->opts.store, err) < 0)
        return -1;
    if (past && das_carry_read(r->opts.store, past, err) < 0) {
        das_err_prefix(err, "past");
        return -1;
    }
    return 0;
}

/* What the run says is of no interest here, only what it decides. */
static int run_again(struct rerun *r, struct das_err *err)
{
    struct das_engine_result result;
    struct das_err failed;
    int rc;

    r->opts.out = fopen("/dev/null", "we");
    if (!r->opts.out)
        return das_fail(err, DAS_E_IO, "/dev/null cannot be opened");
    rc = das_engine_run(&r->opts, &result, &failed);
    if (rc < 0 && !r->out->why[0])
        snprintf(r->out->why, sizeof r->out->why, "the run ended: %.1000s", failed.msg);
    das_engine_result_clear(&result);
    if (failed.code != DAS_E_STUCK || rc == 0)
        fclose(r->opts.out);
    return 0;
}

/* Both ended the same way? */
static void compare_ends(struct rerun *r)
{
    struct das_rerun_result *out = r->out;
    struct das_text text;
    const json_t *line, *error = NULL;

    for (size_t i = 0; (line = das_playback_line(r->play, i, &text)) != NULL; i++) {
        out->decisions += json_object_get(line, "decision") != NULL;
        if (json_object_get(line, "end"))
            error = json_object_get(line, "error");
    }
    if (!out->differs && out->equal < out->decisions) {
        out->differs = true;
        if (recorded_decision(r->play, out->equal, &text))
            out->recorded = das_strndup(text.ptr, text.len);
    }
    if (json_is_string(error)) /* it had failed; that it fails again is as it should be */
        out->why[0] = '\0';
    if (das_playback_differs(r->play))
        snprintf(out->why, sizeof out->why, "%.1100s", das_playback_differs(r->play));
    out->differs = out->differs || out->why[0];
}

/* Answers are not on the tape: whatever the run would send, stays here. */
static int no_web(void *arg, const struct das_http_request *req, struct das_http_response *resp,
                  struct das_err *err)
{
    (void)arg;
    (void)req;
    (void)resp;
    return das_fail(err, DAS_E_CONNECT, "not sent: a recorded run is run again");
}

static int prepare(struct rerun *r, const struct das_engine_opts *base, struct das_err *err)
{
    static const struct das_engine_web web = {NULL, no_web};

    r->head = head_of(r->play, err);
    if (!r->head)
        return -1;
    r->opts = *base;
    r->opts.inventory = NULL;
    r->opts.store = NULL;
    r->opts.armed = json_is_true(json_object_get(r->head, "apply"));
    r->opts.user = json_string_value(json_object_get(r->head, "user"));
    r->opts.stop_files = NULL;
    r->opts.state_dir = NULL;
    r->opts.log = NULL;
    r->opts.watch = &r->watch;
    r->opts.web = &web;
    if (read_policy(&r->opts, &r->decisions, decided_again, r, err) < 0)
        return -1;
    r->out->other_policy = strcmp(r->decisions.policy_sha256,
                                  json_string_value(json_object_get(r->head, "script_sha256"))) != 0;
    watch_decisions(&r->watch, &r->decisions);
    das_clock_init(&r->clock, json_integer_value(json_object_get(r->head, "from_ms")));
    return 0;
}

int das_rerun(struct das_playback *p, const struct das_engine_opts *base,
              struct das_rerun_result *out, struct das_err *err)
{
    struct rerun r = {.play = p, .out = out};
    struct das_clock *before = das_clock_entered();
    int rc;

    memset(out, 0, sizeof *out);
    rc = prepare(&r, base, err);
    if (rc == 0) {
        das_clock_enter(&r.clock);
        if (take_args(&r, err) < 0 || add_instances(&r, err) < 0 || open_past(&r, err) < 0 ||
            run_again(&r, err) < 0)
            rc = -1;
        das_clock_enter(before);
    }
    if (rc == 0)
        compare_ends(&r);
    das_inventory_free(r.opts.inventory);
    das_store_close(r.opts.store);
    das_decisions_clear(&r.decisions);
    das_free(r.args);
    return rc;
}
