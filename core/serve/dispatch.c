/*
 * dispatch.c - one request, from the gate's word to the line in the log (see call.h).
 *
 * In this order, and the first that says no answers: gate, route, key, project, instance, right,
 * body, and then the handler. What is no good for one reader is never half done: a handler that
 * refuses has changed nothing, or says so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/serve/call.h"

/* --- errors ----------------------------------------------------------------------------------- */

int das_refuse_parameter(struct das_call *call, const char *fmt, ...)
{
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return das_refuse(&call->refusal, 400, "DAS.200100", "The parameter is invalid. %s", what);
}

int das_refuse_err(struct das_call *call, const struct das_err *err)
{
    struct das_refusal *r = &call->refusal;

    switch (err->code) {
    case DAS_E_USAGE:
        return das_refuse_parameter(call, "%.380s", err->msg);
    case DAS_E_BLOCKED:
    case DAS_E_UNSUPPORTED:
        return das_refuse(r, 400, "DAS.200100", "Refused. %.400s", err->msg);
    case DAS_E_TIMEOUT:
        return das_refuse(r, 504, "APIGW.0201", "Backend timeout. %.400s", err->msg);
    case DAS_E_BUSY:
        das_refuse(r, 429, "DAS.200002", "Frequent requests. %.400s", err->msg);
        r->retry_after = 1;
        return -1;
    case DAS_E_CONNECT:
    case DAS_E_AUTH:
    case DAS_E_DENIED:
        return das_refuse(r, 500, "DAS.220002", "Failed to connect to the database. %.400s",
                          err->msg);
    case DAS_E_NOMEM:
        return das_refuse(r, 503, "APIGW.0201", "Backend unavailable. Out of memory");
    default:
        return das_refuse(r, 500, "APIGW.0601", "Internal error. %.400s", err->msg);
    }
}

void das_call_who(const struct das_call *call, char *out, size_t size)
{
    if (call->caller.name[0])
        snprintf(out, size, "%s (%s)", call->caller.name, call->caller.id);
    else
        snprintf(out, size, "%s", call->caller.id);
}

struct das_store *das_desk_take(struct das_server *s)
{
    pthread_mutex_lock(&s->desk_lock);
    return s->desk;
}

void das_desk_return(struct das_server *s)
{
    pthread_mutex_unlock(&s->desk_lock);
}

/* --- log -------------------------------------------------------------------------------------- */

/* One write for each line, so that lines of two threads do not mix. */
static void put_event(const struct das_server *s, const struct das_log_event *e)
{
    struct das_buf line = {0};

    if (!s->opts->log || !das_log_wants(e->level))
        return;
    das_log_line(e, &line);
    if (!line.failed && line.len)
        fwrite(line.ptr, 1, line.len, s->opts->log);
    das_buf_clear(&line);
}

void das_serve_say(const struct das_server *s, int level, const char *fmt, ...)
{
    struct das_log_event e = {.level = (enum das_log_level)level, .who = "serve", .own = true};
    char text[1200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    e.message = das_text_of(text);
    put_event(s, &e);
    if (s->opts->log)
        fflush(s->opts->log);
}

struct line {
    struct das_log_field fields[20];
    char numbers[5][32];
    size_t count, number_count;
};

static void field(struct line *l, const char *key, struct das_text value)
{
    if (value.len)
        l->fields[l->count++] = (struct das_log_field){das_text_of(key), value, false};
}

static void number(struct line *l, const char *key, int64_t v)
{
    char *text = l->numbers[l->number_count++];

    snprintf(text, sizeof l->numbers[0], "%" PRId64, v);
    l->fields[l->count++] = (struct das_log_field){das_text_of(key), das_text_of(text), true};
}

#define PATH_LOGGED 256 /* so that who has no key cannot fill the disk with a few requests */

/* The path without its query: nobody knows what people put there. */
static struct das_text path_of(struct das_text target)
{
    const char *mark = target.ptr ? memchr(target.ptr, '?', target.len) : NULL;
    size_t len = mark ? (size_t)(mark - target.ptr) : target.len;
    static const char *const links[] = {"/approvals/", "/messages/"}; /* and then a secret */
    static const char *const shown[] = {"/approvals/...", "/messages/..."};

    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (len > strlen(links[i]) && memcmp(target.ptr, links[i], strlen(links[i])) == 0)
            return das_text_of(shown[i]);
    }
    return das_text(target.ptr, len < PATH_LOGGED ? len : PATH_LOGGED);
}

/* us: microseconds */
static void log_request(const struct das_call *call, const struct das_httpd_answer *out, int64_t us)
{
    struct das_log_event e = {
        .level = DAS_LOG_INFO, .who = "serve", .message = das_text_of("request")};
    struct line l = {.count = 0};
    char duration[32];

    /* probes come every few seconds, for ever */
    if (out->status < 400 && call->route && call->route->action == DAS_A_NONE && !call->taken.hook)
        e.level = DAS_LOG_DEBUG;
    if (out->status >= 500)
        e.level = DAS_LOG_ERROR;
    field(&l, "request_id", das_text_of(out->request_id));
    field(&l, "key", das_text_of(call->caller.id));
    field(&l, "action", das_text_of(call->route ? call->route->name : ""));
    field(&l, "instance", das_text_of(call->member ? das_member_name(call->member) : ""));
    number(&l, "status", out->status);
    snprintf(duration, sizeof duration, "%" PRId64 ".%03d", us / 1000, (int)(us % 1000));
    l.fields[l.count++] =
        (struct das_log_field){das_text_of("duration_ms"), das_text_of(duration), true};
    field(&l, "method", call->http->method);
    field(&l, "path", path_of(call->http->target));
    field(&l, "peer", das_text_of(call->http->peer));
    number(&l, "bytes", (int64_t)out->body.len);
    field(&l, "error", das_text_of(call->refusal.status ? call->refusal.code : ""));
    field(&l, "why", das_text_of(call->refusal.status ? call->refusal.message : ""));
    field(&l, "cause", das_text_of(call->refusal.cause));
    if (call->taken.hook) {
        field(&l, "hook", das_text_of(call->taken.hook->name));
        field(&l, "result", das_text_of(call->taken.result));
        field(&l, "person", das_text_of(call->taken.person));
        field(&l, "note", das_text_of(call->taken.why));
    }
    e.fields = l.fields;
    e.count = l.count;
    put_event(call->server, &e);
}

/* --- steps ------------------------------------------------------------------------------------ */

static bool sane_id(struct das_text t)
{
    if (t.len < 8 || t.len > 64)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if (!das_is_digit((unsigned char)c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

/* The client's own, where it makes sense, so that its log and ours can be read side by side. */
static void name_request(struct das_call *call, const struct das_sign_request *r)
{
    struct das_text given = das_sign_header(r, "X-Request-Id");
    struct das_err ignored;

    if (given.ptr && sane_id(given))
        snprintf(call->request_id, sizeof call->request_id, "%.*s", (int)given.len, given.ptr);
    else if (das_random_hex(call->request_id, 16, &ignored) < 0)
        call->request_id[0] = '\0';
}

static int find_route(struct das_call *call, bool *options)
{
    static const char *const methods[] = {"GET",    "HEAD",  "POST",   "PUT",
                                          "DELETE", "PATCH", "OPTIONS"};
    struct das_text method = call->http->method;
    const char *allow;
    bool known = false;

    call->route =
        das_route_find(method, call->target.path, &call->project, &call->instance, &allow);
    *options = das_text_is(method, "OPTIONS") && (allow || das_text_is(call->http->target, "*"));
    if (*options)
        call->refusal.allow = allow ? allow : "GET, HEAD, POST, PUT, DELETE, OPTIONS";
    if (call->route || *options)
        return 0;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        known |= das_text_is(method, methods[i]);
    if (!known)
        return das_refuse(&call->refusal, 501, "APIGW.0106", "The method is not implemented");
    if (!allow)
        return das_refuse(&call->refusal, 404, "APIGW.0101",
                          "The API does not exist or has not been published in the environment");
    das_refuse(&call->refusal, 405, "APIGW.0101", "The method is not allowed; expected %s", allow);
    call->refusal.allow = allow;
    return -1;
}

static bool is_name(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i], low = das_lower(c);
        if (!das_is_digit(c) && (low < 'a' || low > 'z'))
            return false;
    }
    return true;
}

static int check_project(struct das_call *call, const struct das_sign_request *r)
{
    struct das_text header = das_sign_header(r, "X-Project-Id");

    if (!call->project.ptr)
        return 0;
    if (call->project.len != 32 || !is_name(call->project))
        return das_refuse(&call->refusal, 400, "DAS.200113",
                          "The project_id parameter is invalid. Expected 32 letters and digits");
    if (header.ptr && !das_text_eq(header, call->project))
        return das_refuse(&call->refusal, 400, "DAS.200113",
                          "The project_id parameter is invalid. X-Project-Id names another one");
    if (das_text_is(call->project, call->server->project))
        return 0;
    return das_refuse(&call->refusal, 403, "APIGW.0302", "The project is not served here");
}

static int find_member(struct das_call *call, struct das_text id)
{
    call->member = das_fleet_find(call->server->fleet, id);
    if (call->member)
        return 0;
    return das_refuse(&call->refusal, 400, "DAS.200114", "The instance_id parameter is invalid. %s",
                      id.len == 32 || id.len == 36 ? "There is no such instance"
                                                   : "Expected 32 or 36 letters and digits");
}

bool das_call_may(const struct das_call *call, const struct das_member *m)
{
    const char *const *tags = NULL;
    size_t count = 0;

    if (m)
        tags = das_member_tags(m, &count);
    return das_auth_may(&call->caller, das_actions[call->route->action].name,
                        m ? das_member_name(m) : NULL, tags, count);
}

static int check_right(struct das_call *call)
{
    if (das_call_may(call, call->member))
        return 0;
    return das_refuse(
        &call->refusal, 403, "APIGW.0302", "Policy doesn't allow %s to be performed%s",
        das_actions[call->route->action].name, call->member ? " on this instance" : "");
}

int das_call_member(struct das_call *call, struct das_text id)
{
    return find_member(call, id) < 0 ? -1 : check_right(call);
}

static int read_body(struct das_call *call)
{
    struct das_text t = das_text_trim(call->http->body);
    struct das_json_weight w;
    struct das_err err;

    if (!call->route->body || !t.len)
        return 0;
    das_json_weigh(t, 8, &w);
    if (w.deep_line)
        return das_refuse_parameter(call, "body: nested too deeply");
    call->body = das_json_parse(t.ptr, t.len, NULL, &err);
    if (!call->body)
        return das_refuse_parameter(call, "body: %.300s", err.msg);
    if (!json_is_object(call->body))
        return das_refuse_parameter(call, "body: expected a JSON object");
    return 0;
}

static int authenticate(struct das_call *call, const struct das_sign_request *r)
{
    const struct das_auth_ask ask = {.request = r,
                                     .peer = call->http->peer,
                                     .writes = das_actions[call->route->action].writes,
                                     .now_ms = das_clock_unix_ms()};
    int rc = das_auth_check(call->server->auth, &ask, &call->caller, &call->refusal);

    das_metrics_auth(call->server->metrics, rc == 0              ? "ok"
                                            : call->refusal.word ? call->refusal.word
                                                                 : "other");
    return rc;
}

/* Needs no key of das serve: the hook has its own way to know who sends. The sender of what is
 * refused hears nothing more than that it is. */
static int take_hook(struct das_call *call, struct das_httpd_answer *out)
{
    static const struct das_route route = {NULL, "/hooks/...", NULL, "hook", DAS_A_NONE, NULL, false};
    struct das_hook_taken *t = &call->taken;
    struct das_httpd_answer own = {.body = call->answer};

    call->route = &route;
    das_hook_desk_take(call->server->hooks, call->http, t, &own);
    call->answer = own.body;
    memcpy(out->extra, own.extra, sizeof own.extra);
    if (t->status < 400) {
        call->type = t->type;
        call->status = t->status;
        return 0;
    }
    das_refuse(&call->refusal, t->status, t->status >= 500 ? "APIGW.0201" : "APIGW.0301",
               t->status == 405   ? "The method is not allowed; expected %s"
               : t->status == 503 ? "Backend unavailable. Try again later"
               : t->status >= 500 ? "Internal error"
                                  : "Refused",
               t->allow ? t->allow : "POST");
    call->refusal.allow = t->allow;
    call->refusal.retry_after = t->retry_after;
    return -1;
}

static int perform(struct das_call *call, struct das_sign_request *r, struct das_httpd_answer *out)
{
    struct das_text wire = call->http->target;
    struct das_err err;
    bool options;

    if (das_text_is(wire, "*"))
        wire = das_text_of("/");
    if (das_sign_target_read(&call->target, wire, &err) < 0)
        return das_refuse(&call->refusal, 400, "APIGW.0106", "%.300s", err.msg);
    call->taken.hook = das_hook_desk_at(call->server->hooks, call->target.path);
    if (call->taken.hook)
        return take_hook(call, out);
    if (find_route(call, &options) < 0)
        return -1;
    if (options) {
        call->status = 204;
        return 0;
    }
    r->path = call->target.path;
    r->query = call->target.query;
    r->query_count = call->target.count;
    if (call->route->action == DAS_A_NONE)
        return call->route->handler(call);
    if (authenticate(call, r) < 0 || check_project(call, r) < 0)
        return -1;
    if ((call->instance.ptr ? das_call_member(call, call->instance) : check_right(call)) < 0 ||
        read_body(call) < 0)
        return -1;
    return call->route->handler(call);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void write_answer(struct das_call *call, int rc, struct das_httpd_answer *out)
{
    if (rc == 0 && call->answer.failed)
        das_refuse(&call->refusal, 503, "APIGW.0201", "Backend unavailable. Out of memory");
    if (rc < 0 || call->answer.failed) {
        das_buf_clear(&call->answer);
        das_refusal_json(&call->refusal, call->request_id, &call->answer);
        out->status = call->refusal.status;
    } else {
        out->status = call->status ? call->status : 200;
        out->type = call->type;
    }
    out->allow = call->refusal.allow;
    out->retry_after = call->refusal.retry_after;
    out->body = call->answer;
    memcpy(out->request_id, call->request_id, sizeof out->request_id);
}

void das_dispatch(void *arg, const struct das_httpd_request *http, struct das_httpd_answer *out)
{
    struct das_server *s = arg;
    struct das_sign_request r = {.method = http->method,
                                 .headers = http->headers,
                                 .header_count = http->header_count,
                                 .body = http->body};
    struct das_call call = {.server = s,
                            .http = http,
                            .answer = out->body,
                            .until_ms = http->started_us / 1000 + s->opts->conf->deadline_ms};
    int64_t us;
    int rc;

    name_request(&call, &r);
    if (http->refused)
        rc = das_refuse(&call.refusal, http->refused_as, "APIGW.0201", "Bad request. %s",
                        http->refused);
    else
        rc = perform(&call, &r, out);
    write_answer(&call, rc, out);
    us = das_clock_monotonic_us() - http->started_us;
    das_metrics_request(s->metrics, call.route ? call.route->name : "none", out->status,
                        (double)us / 1e6);
    log_request(&call, out, us);
    json_decref(call.body);
    das_sign_target_clear(&call.target);
}
