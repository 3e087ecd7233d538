/* rerun_record.c - see rerun.h: what a live run leaves behind to be had again. */
#include "core/replay/rerun_impl.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/store/carry.h"

#define CARRIED_MS ((int64_t)366 * 86400 * 1000) /* no window of a limit is longer */

struct das_text das_rerun_origin(const char *url)
{
    const char *host = strstr(url, "://");

    return das_text(url, host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : 0);
}

void das_rerun_watch(struct das_engine_watch *w, struct das_decisions *d)
{
    *w = (struct das_engine_watch){.arg = d,
                                   .previewed = das_decisions_previewed,
                                   .applied = das_decisions_applied};
}

int das_rerun_policy(const struct das_engine_opts *opts, struct das_decisions *d,
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
    das_json_str(&b, opts->path);
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

static void put_exact(struct das_buf *b, const char *key, struct das_text t)
{
    das_json_key_text(b, key, t);
    if (!t.ptr || das_utf8_valid(t))
        return;
    das_buf_printf(b, ",\"%s_hex\":\"", key);
    das_hex_encode(t, b);
    das_buf_char(b, '"');
}

static void put_answer(struct das_buf *b, const struct das_http_response *resp)
{
    das_json_key_int(b, "status", resp->status);
    das_json_key(b, "headers");
    das_buf_char(b, '[');
    for (size_t i = 0; i < resp->headers.count; i++) {
        const struct das_http_header *h = &resp->headers.items[i];
        das_json_comma(b);
        das_buf_char(b, '{');
        das_json_key(b, "name");
        das_json_str(b, h->name);
        put_exact(b, "value", h->value);
        das_buf_char(b, '}');
    }
    das_buf_char(b, ']');
    put_exact(b, "body", das_buf_view(&resp->body));
}

static void heard_answer(void *arg, const struct das_http_request *req,
                         const struct das_http_response *resp, int result,
                         const struct das_err *err)
{
    struct das_rerun_recorder *r = arg;
    struct das_buf b = {0};

    das_buf_char(&b, '{');
    das_json_key(&b, "http");
    das_json_str(&b, req->method);
    das_json_key_text(&b, "origin", das_rerun_origin(req->url));
    das_json_key_int(&b, "result", result);
    if (result == 0) {
        put_answer(&b, resp);
    } else {
        das_json_key_int(&b, "code", (int64_t)err->code);
        das_json_key(&b, "error");
        das_json_str(&b, err->msg);
    }
    das_buf_char(&b, '}');
    if (das_buf_ok(&b, &r->decisions.failed) == 0)
        das_tape_line(r->tape, das_buf_view(&b));
    das_buf_clear(&b);
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
    if (das_rerun_policy(opts, &r->decisions, decided, r->tape, err) < 0 ||
        write_head(r, opts, err) < 0) {
        das_decisions_clear(&r->decisions);
        das_tape_close(r->tape, &ignored);
        r->tape = NULL;
        remove(path);
        return -1;
    }
    das_rerun_watch(&r->watch, &r->decisions);
    r->listener = (struct das_source_listener){r, heard_list, heard_kill};
    das_inventory_listen(opts->inventory, &r->listener);
    opts->watch = &r->watch;
    r->web = (struct das_engine_web){.arg = r, .heard = heard_answer};
    opts->web = &r->web;
    return 0;
}

int das_rerun_recorded(struct das_rerun_recorder *r, const struct das_engine_result *result,
                       const struct das_err *failed, struct das_err *err)
{
    struct das_buf b = {0};
    struct das_err at_end;
    int rc;

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
    if (das_tape_close(r->tape, &at_end) < 0 && rc == 0) {
        *err = at_end;
        rc = -1;
    }
    das_decisions_clear(&r->decisions);
    return rc;
}
