/* rerun.c - see rerun.h: a recorded run once more. */
#include "core/replay/rerun_impl.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/http/client.h"
#include "core/session/session_json.h"
#include "core/store/carry.h"

struct rerun {
    struct das_playback *play;
    const json_t *head;
    struct das_rerun_result *out;
    struct das_decisions decisions;
    struct das_engine_opts opts;
    struct das_engine_watch watch;
    const char **args;
    struct das_engine_web web;
    /* How far the tape was read for them. */
    size_t decided, answered;
    const json_t *end; /* its line; NULL: the run has none */
    struct das_clock clock;
};

void das_rerun_result_clear(struct das_rerun_result *r)
{
    das_free(r->recorded);
    das_free(r->now);
    memset(r, 0, sizeof *r);
}

/* The caller's next line on the tape that has key; NULL: there is none left. */
static const json_t *next_line(const struct rerun *r, size_t *at, const char *key,
                               struct das_text *text)
{
    const json_t *line;

    while ((line = das_playback_next(r->play, at, text)) != NULL) {
        if (json_object_get(line, key))
            return line;
    }
    return NULL;
}

static void decided_again(void *arg, struct das_text line)
{
    struct rerun *r = arg;
    struct das_rerun_result *out = r->out;
    struct das_text then;
    bool was;

    if (out->differs)
        return;
    was = next_line(r, &r->decided, "decision", &then) != NULL;
    if (was && das_text_eq(then, line)) {
        out->equal++;
        return;
    }
    if (!was && out->unfinished)
        return;
    out->differs = true;
    out->recorded = was ? das_strndup(then.ptr, then.len) : NULL;
    out->now = das_strndup(line.ptr, line.len);
}

static const json_t *head_of(const struct das_playback *p, struct das_err *err)
{
    struct das_text ignored;
    size_t at = 0;
    const json_t *head = das_playback_next(p, &at, &ignored);

    if (json_integer_value(json_object_get(head, "das_run")) == 1 &&
        json_is_string(json_object_get(head, "script")) &&
        json_is_string(json_object_get(head, "script_sha256")))
        return head;
    das_fail(err, DAS_E_DATA, "expected a run recorded by das run --record: its first line begins "
                              "with {\"das_run\":1");
    return NULL;
}

const char *das_rerun_script(const struct das_playback *p, struct das_err *err)
{
    const json_t *head = head_of(p, err);

    return head ? json_string_value(json_object_get(head, "script")) : NULL;
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

static struct das_text text_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return v ? das_text(json_string_value(v), json_string_length(v)) : DAS_TEXT_NULL;
}

/* Both asked for the same and ended the same way? failed: NULL, or why this run did not come to its end. */
static void compare_ends(struct rerun *r, const struct das_err *failed)
{
    const char *differs = das_playback_differs(r->play);
    const char *beyond = r->end ? das_playback_beyond(r->play) : NULL;
    const char *error = json_string_value(json_object_get(r->end, "error"));
    size_t left = das_playback_left(r->play), size = sizeof r->out->why;
    char *why = r->out->why;

    if (differs || beyond)
        snprintf(why, size, "%.1100s", differs ? differs : beyond);
    else if (*why) /* what it asked others */
        return;
    else if (failed && r->end && !error)
        snprintf(why, size, "the run ended: %.1000s", failed->msg);
    else if (left)
        snprintf(why, size, "the recorded run asked for %zu more list%s and kills", left,
                 left == 1 ? "" : "s");
    else if (!failed && error && das_text_is(text_of(r->end, "end"), "error"))
        snprintf(why, size, "the recorded run failed: %.1000s", error);
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
    compare_ends(r, rc < 0 ? &failed : NULL);
    das_engine_result_clear(&result);
    if (failed.code != DAS_E_STUCK || rc == 0)
        fclose(r->opts.out);
    return 0;
}

/* Decisions of the recorded run that this one did not come to. */
static void compare_decisions(struct rerun *r)
{
    struct das_rerun_result *out = r->out;
    struct das_text text;
    size_t at = 0;

    while (next_line(r, &at, "decision", &text))
        out->decisions++;
    if (!out->differs && out->equal < out->decisions &&
        next_line(r, &r->decided, "decision", &text)) {
        out->differs = true;
        out->recorded = das_strndup(text.ptr, text.len);
    }
    out->differs = out->differs || out->why[0];
}

static int take_headers(const json_t *list, struct das_arena *arena,
                        struct das_http_response *resp, struct das_err *err)
{
    struct das_text value;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *h = json_array_get(list, i);
        if (das_json_exact_text(json_object_get(h, "value"), json_object_get(h, "value_hex"),
                                "value", arena, &value, err) < 0 ||
            das_http_headers_add(&resp->headers, text_of(h, "name"), value, false, err) < 0)
            return DAS_HTTP_FINAL;
    }
    return 0;
}

/* What the live run was answered, whatever it asked of that host. */
static int answer_again(void *arg, const struct das_http_request *req,
                        struct das_http_response *resp, struct das_err *err)
{
    struct rerun *r = arg;
    struct das_text ignored;
    const json_t *line = next_line(r, &r->answered, "http", &ignored);
    int64_t result = json_integer_value(json_object_get(line, "result"));
    struct das_arena arena;
    struct das_text body;
    int rc = DAS_HTTP_FINAL;

    if (!line || !das_text_is(text_of(line, "http"), req->method) ||
        !das_text_eq(text_of(line, "origin"), das_rerun_origin(req->url))) {
        struct das_text origin = das_rerun_origin(req->url);
        if (!r->out->why[0] && (line || !r->out->unfinished))
            snprintf(r->out->why, sizeof r->out->why, "the run asks %.*s, the recorded one did not",
                     (int)origin.len, origin.ptr);
        return das_fail(err, DAS_E_CONNECT, "the recorded run had no such request");
    }
    if (result) {
        int64_t code = json_integer_value(json_object_get(line, "code"));
        const char *message = json_string_value(json_object_get(line, "error"));
        das_fail(err, code > 0 && code <= DAS_E_INTERNAL ? (enum das_code)code : DAS_E_CONNECT,
                 "%s", message ? message : "no answer");
        return result == DAS_HTTP_SILENT || result == DAS_HTTP_UNSENT ? (int)result
                                                                       : DAS_HTTP_FINAL;
    }
    das_arena_init(&arena);
    resp->status = (int)json_integer_value(json_object_get(line, "status"));
    if (das_json_exact_text(json_object_get(line, "body"), json_object_get(line, "body_hex"),
                            "body", &arena, &body, err) == 0 &&
        take_headers(json_object_get(line, "headers"), &arena, resp, err) == 0) {
        das_buf_text(&resp->body, body);
        rc = 0;
    }
    das_arena_clear(&arena);
    return rc;
}

static int prepare(struct rerun *r, const struct das_engine_opts *base, struct das_err *err)
{
    struct das_text ignored;
    size_t at = 0;

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
    r->web = (struct das_engine_web){.arg = r, .answer = answer_again};
    r->opts.web = &r->web;
    if (das_rerun_policy(&r->opts, &r->decisions, decided_again, r, err) < 0)
        return -1;
    r->out->other_policy = strcmp(r->decisions.policy_sha256,
                                  json_string_value(json_object_get(r->head, "script_sha256"))) != 0;
    das_rerun_watch(&r->watch, &r->decisions);
    r->end = next_line(r, &at, "end", &ignored);
    r->out->unfinished = !r->end;
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
        compare_decisions(&r);
    das_inventory_free(r.opts.inventory);
    das_store_close(r.opts.store);
    das_decisions_clear(&r.decisions);
    das_free(r.args);
    return rc;
}
