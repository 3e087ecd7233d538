/*
 * http.c - das.http: requests to the web, as far as the run's grants and limits reach.
 *
 * Which hosts a run may ask is decided here, for every hop of a redirect; which addresses those
 * names may have, how often to try and when to stop is core/http's.
 */
#include "bindings/bind.h"

#include "core/http/client.h"

#define RESPONSE "das.response"
#define HEADERS "das.headers"
#define CALL "das.http.call"

#define WAIT_MAX_MS 3600000
#define RETRIES_MAX 20
#define REDIRECTS_MAX 20
#define BODY_MAX (1 << 30)

/* --- what the run allows ------------------------------------------------------------------------ */

struct warden {
    struct das_run *run;
    bool first;       /* no exchange has begun yet */
    bool not_granted; /* the script's own URL */
};

/* "example.com" names that host, "*.example.com" every one below it; any case. */
static bool names_host(const char *pattern, const char *host)
{
    size_t len = strlen(pattern), host_len = strlen(host);

    if (len > 2 && pattern[0] == '*' && pattern[1] == '.')
        return host_len > len - 1 &&
               das_text_ieq(das_text(host + host_len - (len - 1), len - 1),
                            das_text(pattern + 1, len - 1));
    if (len > 2 && pattern[0] == '[' && pattern[len - 1] == ']') /* as IPv6 stands in a URL */
        return das_text_ieq(das_text(pattern + 1, len - 2), das_text(host, host_len));
    return das_text_ieq(das_text(pattern, len), das_text(host, host_len));
}

/* *named: by "http:HOST". "http" alone means public hosts in general. */
static bool host_granted(const struct das_grants *grants, const char *host, bool *named)
{
    *named = false;
    for (size_t i = 0; grants && !*named && i < grants->count; i++)
        *named = strncmp(grants->names[i], "http:", 5) == 0 && names_host(grants->names[i] + 5, host);
    return *named || das_granted(grants, "http");
}

/* The run has to end: das_run_check() raises the words for it. */
static int over(struct das_err *err)
{
    return das_fail(err, DAS_E_LIMIT, "a limit of the run");
}

static int warden_begin(void *ctx, const char *host, bool *inside, struct das_err *err)
{
    struct warden *w = ctx;
    struct das_run *run = w->run;
    bool first = w->first;

    w->first = false;
    if (!host_granted(run->opts->grants, host, inside)) {
        w->not_granted = first;
        return das_fail(err, DAS_E_DENIED, "not granted: http:%s", host);
    }
    return das_run_count_http(run, 1, 0) ? 0 : over(err);
}

static int warden_spend(void *ctx, uint64_t bytes, struct das_err *err)
{
    return das_run_count_http(((struct warden *)ctx)->run, 0, bytes) ? 0 : over(err);
}

static int64_t warden_left_ms(void *ctx)
{
    return das_run_left_ms(((struct warden *)ctx)->run);
}

/* --- the call: what a request and its answer own ---------------------------------------------------- */

struct call {
    struct das_http_headers headers;
    struct das_http_response resp;
};

static void call_clear(struct call *c)
{
    das_http_headers_clear(&c->headers);
    das_http_response_clear(&c->resp);
}

static int call_gc(lua_State *L)
{
    call_clear(luaL_checkudata(L, 1, CALL));
    return 0;
}

static struct call *push_call(lua_State *L)
{
    struct call *c = lua_newuserdatauv(L, sizeof *c, 0);

    das_http_headers_init(&c->headers);
    das_http_response_init(&c->resp);
    if (luaL_newmetatable(L, CALL)) {
        lua_pushcfunction(L, call_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return c;
}

static struct das_http_client *client(lua_State *L)
{
    struct das_run *run = das_run_of(L);
    struct das_err err;

    if (!run->http)
        run->http = das_http_client_new(&err);
    if (!run->http)
        das_raise(L, "%s", err.msg);
    if (run->opts->web && run->opts->web->heard)
        das_http_client_heard_by(run->http, run->opts->web->heard, run->opts->web->arg);
    if (das_in_process(run))
        das_http_client_answered_by(run->http, run->opts->web->answer, run->opts->web->arg);
    return run->http;
}

/* --- options -------------------------------------------------------------------------------------- */

/* A string or a secret on top of the stack, which stays there and keeps the bytes alive. */
static struct das_text get_bytes(lua_State *L, const char *what, bool *secret)
{
    const struct das_secret *s = das_secret_test(L, -1);
    struct das_text t;

    *secret = s != NULL;
    if (s)
        return das_secret_value(s);
    if (lua_type(L, -1) != LUA_TSTRING)
        das_raise(L, "http: %s: expected a string or a secret, got %s", what, luaL_typename(L, -1));
    t.ptr = lua_tolstring(L, -1, &t.len);
    return t;
}

/* For options of C strings: no byte behind the end is lost. */
static const char *get_string(lua_State *L, const char *what, bool *secret)
{
    struct das_text t = get_bytes(L, what, secret);
    const char *nul = memchr(t.ptr, '\0', t.len);

    if (nul)
        das_raise(L, "http: %s: byte 0x00 at place %d", what, (int)(nul - t.ptr) + 1);
    return t.ptr;
}

/* Seconds, or text as "500ms", "10s", "5m". */
static void get_ms(lua_State *L, int table, const char *name, const char *what, int64_t *ms)
{
    struct das_text t = DAS_TEXT_NULL;
    double seconds;
    int64_t n = -1;

    lua_getfield(L, table, name);
    if (lua_type(L, -1) == LUA_TNUMBER) {
        seconds = lua_tonumber(L, -1);
        n = seconds >= 0.001 && seconds <= WAIT_MAX_MS / 1000 ? (int64_t)(seconds * 1000) : -1;
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        t.ptr = lua_tolstring(L, -1, &t.len);
        if (!das_parse_duration_ms(t, &n))
            n = -1;
    } else if (!lua_isnil(L, -1)) {
        das_raise(L, "http: %s: expected seconds or a text like \"500ms\", got %s", what,
                  luaL_typename(L, -1));
    } else {
        n = *ms;
    }
    if (n < 1 || n > WAIT_MAX_MS)
        das_raise(L, "http: %s: expected 1 ms to 1 hour, as seconds or a text like \"500ms\"", what);
    *ms = n;
    lua_pop(L, 1);
}

static void get_count(lua_State *L, int table, const char *name, int most, int64_t *out)
{
    char what[40];

    if (lua_getfield(L, table, name) != LUA_TNIL) {
        snprintf(what, sizeof what, "http: %s", name);
        *out = das_check_count(L, -1, what);
        if (*out > most)
            das_raise(L, "%s: at most %d", what, (int)most);
    }
    lua_pop(L, 1);
}

/* Bytes: a number, or text as "64KB". */
static void get_size(lua_State *L, int table, const char *name, size_t *out)
{
    struct das_text t = DAS_TEXT_NULL;
    uint64_t n = *out;
    int top = lua_gettop(L);

    if (lua_getfield(L, table, name) == LUA_TSTRING || lua_isinteger(L, -1))
        t.ptr = luaL_tolstring(L, -1, &t.len);
    else if (!lua_isnil(L, -1))
        t = das_text("", 0);
    if (t.ptr && (!das_parse_size(t, &n) || n > BODY_MAX))
        das_raise(L, "http: %s: expected bytes, at most %d, as a number or a text like \"64KB\"", name,
                  BODY_MAX);
    *out = (size_t)n;
    lua_settop(L, top);
}

/* retry = 3, or retry = { times = 3, wait = "500ms", max_wait = "30s" }. */
static void get_retry(lua_State *L, int table, struct das_http_retry *retry)
{
    static const char *const allowed[] = {"times", "wait", "max_wait"};
    int64_t times = retry->times;

    if (lua_getfield(L, table, "retry") == LUA_TTABLE) {
        int options = lua_gettop(L);
        das_check_options(L, options, "http: retry", allowed, sizeof allowed / sizeof *allowed);
        times = 3;
        get_count(L, options, "times", RETRIES_MAX, &times);
        get_ms(L, options, "wait", "retry: wait", &retry->wait_ms);
        get_ms(L, options, "max_wait", "retry: max_wait", &retry->max_wait_ms);
    } else {
        get_count(L, table, "retry", RETRIES_MAX, &times);
    }
    retry->times = (int)times;
    lua_pop(L, 1);
}

static void get_headers(lua_State *L, int table, struct call *c)
{
    struct das_err err;

    if (lua_getfield(L, table, "headers") != LUA_TNIL) {
        if (!lua_istable(L, -1))
            das_raise(L, "http: headers: expected a table, got %s", luaL_typename(L, -1));
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            struct das_text name, value;
            bool secret;
            if (lua_type(L, -2) != LUA_TSTRING)
                das_raise(L, "http: headers: names are strings, got %s", luaL_typename(L, -2));
            name.ptr = lua_tolstring(L, -2, &name.len);
            if (lua_type(L, -1) == LUA_TNUMBER)
                lua_tostring(L, -1); // in place; it is the value, not the key
            value = get_bytes(L, "headers", &secret);
            if (das_http_check_header(name, value, &err) < 0 ||
                das_http_headers_add(&c->headers, name, value, secret, &err) < 0)
                das_raise(L, "http: %s", err.msg);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

static bool get_bool(lua_State *L, int table, const char *name)
{
    bool v;

    if (lua_getfield(L, table, name) != LUA_TNIL && !lua_isboolean(L, -1))
        das_raise(L, "http: %s: expected true or false, got %s", name, luaL_typename(L, -1));
    v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

/* What every form of a request has. The string of ca stays on the stack [-0, +1]. */
static void get_options(lua_State *L, int table, struct call *c, struct das_http_request *req)
{
    int64_t redirects = req->redirects;
    bool secret;

    get_headers(L, table, c);
    get_ms(L, table, "timeout", "timeout", &req->total_ms);
    get_ms(L, table, "connect_timeout", "connect_timeout", &req->connect_ms);
    get_retry(L, table, &req->retry);
    get_count(L, table, "redirects", REDIRECTS_MAX, &redirects);
    req->redirects = (int)redirects;
    get_size(L, table, "max_bytes", &req->max_bytes);
    req->idempotent = get_bool(L, table, "idempotent");
    if (lua_getfield(L, table, "ca") != LUA_TNIL)
        req->ca = get_string(L, "ca", &secret);
}

/* The value on top as the body, in JSON. What holds the text stays below it [-0, +1]. */
static void set_json(lua_State *L, struct call *c, struct das_http_request *req)
{
    struct das_buf *b = das_scratch(L);
    struct das_err err;

    lua_insert(L, -2); // buf value
    das_json_write(L, "http", das_text_of("json"), false, b);
    if (das_buf_ok(b, &err) < 0)
        das_raise(L, "%s", err.msg);
    req->body = das_buf_view(b);
    if (!das_http_headers_get(&c->headers, "Content-Type").ptr &&
        das_http_headers_add(&c->headers, das_text_of("Content-Type"),
                             das_text_of("application/json"), false, &err) < 0)
        das_raise(L, "%s", err.msg);
}

/* --- the answer ----------------------------------------------------------------------------------- */

static const char *const fields[] = {"status", "ok", "headers", "headers_list",
                                     "body", "url", "attempts", "time_ms"};

static int response_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    return das_no_field(L, "a response", luaL_tolstring(L, 2, NULL), fields,
                        sizeof fields / sizeof *fields, lua_upvalueindex(1));
}

static int response_fields(lua_State *L)
{
    return das_push_names(L, fields, sizeof fields / sizeof *fields);
}

static int response_tostring(lua_State *L)
{
    size_t len = 0;

    lua_getfield(L, 1, "status");
    lua_getfield(L, 1, "body");
    lua_tolstring(L, -1, &len);
    lua_pushfstring(L, "%s, %I bytes", luaL_tolstring(L, -2, NULL), (LUAI_UACINT)len);
    return 1;
}

/* response:json(): the body as das.json.decode() reads it. */
static int response_json(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "body");
    lua_remove(L, 1);
    return das_lua_json_decode(L);
}

/* headers[name]: stored in lower case, asked for in any. */
static int headers_index(lua_State *L)
{
    size_t len;
    const char *name;
    luaL_Buffer b;
    char *to;

    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    name = lua_tolstring(L, 2, &len);
    to = luaL_buffinitsize(L, &b, len);
    for (size_t i = 0; i < len; i++)
        to[i] = (char)das_lower((unsigned char)name[i]);
    luaL_pushresultsize(&b, len);
    lua_rawget(L, 1);
    return 1;
}

static void push_headers(lua_State *L, const struct das_http_headers *h)
{
    lua_createtable(L, 0, (int)h->count);
    for (size_t i = 0; i < h->count; i++) {
        lua_pushstring(L, h->items[i].name);
        das_push_text(L, h->items[i].value);
        lua_rawset(L, -3);
    }
    luaL_setmetatable(L, HEADERS);
}

static void push_headers_list(lua_State *L, const struct das_http_headers *h)
{
    lua_createtable(L, (int)h->count, 0);
    for (size_t i = 0; i < h->count; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, h->items[i].name);
        lua_setfield(L, -2, "name");
        das_push_text(L, h->items[i].value);
        lua_setfield(L, -2, "value");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* Without the secrets that the script may have put into it. */
static void push_url(lua_State *L, const struct das_buf *url)
{
    const struct das_vault *vault = &das_run_of(L)->vault;

    if (!vault->first) {
        das_push_buf(L, url);
        return;
    }
    das_vault_redact(vault, das_buf_view(url), das_scratch(L));
    das_push_buf(L, lua_touserdata(L, -1));
    lua_remove(L, -2);
}

static void push_response(lua_State *L, struct das_http_response *r)
{
    lua_createtable(L, 0, sizeof fields / sizeof *fields);
    lua_pushinteger(L, r->status);
    lua_setfield(L, -2, "status");
    lua_pushboolean(L, r->status >= 200 && r->status <= 299);
    lua_setfield(L, -2, "ok");
    push_headers(L, &r->headers);
    lua_setfield(L, -2, "headers");
    push_headers_list(L, &r->headers);
    lua_setfield(L, -2, "headers_list");
    das_push_buf(L, &r->body);
    lua_setfield(L, -2, "body");
    push_url(L, &r->url);
    lua_setfield(L, -2, "url");
    lua_pushinteger(L, r->attempts);
    lua_setfield(L, -2, "attempts");
    lua_pushinteger(L, r->time_ms);
    lua_setfield(L, -2, "time_ms");
    luaL_setmetatable(L, RESPONSE);
}

/* Only what asks may be sent outside of a runbook's step; what can be sent twice leaves the step one
 * that can be done again. The path of a URL may be a secret. */
static void announce(lua_State *L, const struct das_http_request *req)
{
    const char *m = req->method, *host = strstr(req->url, "://"), *at;
    char text[200];

    if (strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0 || strcmp(m, "OPTIONS") == 0)
        return;
    host = host ? host + 3 : "";
    at = host + strcspn(host, "/?#");
    for (const char *p = host; p < at; p++)
        host = *p == '@' ? p + 1 : host;
    snprintf(text, sizeof text, "%.20s %.*s", m, (int)(at - host < 150 ? at - host : 150), host);
    das_run_acts(L, "http", !req->idempotent && !das_http_idempotent(m), text);
}

/* --- the functions ----------------------------------------------------------------------------------- */

static int perform(lua_State *L, struct call *c, struct das_http_request *req)
{
    struct warden w = {.run = das_run_of(L), .first = true};
    struct das_http_guard guard = {.ctx = &w,
                                   .begin = warden_begin,
                                   .spend = warden_spend,
                                   .left_ms = warden_left_ms};
    struct das_err err;

    if (req->body.ptr && (strcmp(req->method, "GET") == 0 || strcmp(req->method, "HEAD") == 0))
        return das_raise(L, "http: a %s has no body", req->method);
    announce(L, req);
    req->headers = &c->headers;
    if (das_http_perform(client(L), req, &guard, &c->resp, &err) < 0) {
        das_run_check(L);
        if (w.not_granted)
            return das_raise(L, "%s", strstr(err.msg, "not granted"));
        return das_push_failure(L, &err);
    }
    push_response(L, &c->resp);
    call_clear(c); // Lua has copies by now
    return 1;
}

static const char *get_method(lua_State *L, int table, const char *otherwise)
{
    struct das_err err;
    struct das_text t;

    if (lua_getfield(L, table, "method") == LUA_TNIL)
        return otherwise;
    if (lua_type(L, -1) != LUA_TSTRING)
        das_raise(L, "http: method: expected a string, got %s", luaL_typename(L, -1));
    t.ptr = lua_tolstring(L, -1, &t.len);
    if (das_http_check_method(t, &err) < 0)
        das_raise(L, "http: %s", err.msg);
    return t.ptr;
}

#define COMMON "headers", "timeout", "connect_timeout", "retry", "redirects", "max_bytes", "ca",   \
               "idempotent"

/* das.http.request{ url = ..., method = ..., headers = ..., body = ... or json = ..., ... } */
static int http_request(lua_State *L)
{
    static const char *const allowed[] = {"url", "method", "body", "json", COMMON};
    struct das_http_request req = das_http_request_default;
    struct call *c;
    bool secret, has_json, has_body;

    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    das_check_options(L, 1, "http", allowed, sizeof allowed / sizeof *allowed);
    c = push_call(L);
    has_json = lua_getfield(L, 1, "json") != LUA_TNIL;
    has_body = lua_getfield(L, 1, "body") != LUA_TNIL;
    if (has_json && has_body)
        return das_raise(L, "http: body and json are two bodies");
    lua_getfield(L, 1, "url");
    req.url = get_string(L, "url", &secret);
    req.method = get_method(L, 1, has_json || has_body ? "POST" : "GET");
    get_options(L, 1, c, &req);
    if (has_body) {
        lua_getfield(L, 1, "body");
        req.body = get_bytes(L, "body", &req.body_secret);
    } else if (has_json) {
        lua_getfield(L, 1, "json");
        set_json(L, c, &req);
    }
    return perform(L, c, &req);
}

/* das.http.get(url, options) */
static int http_get(lua_State *L)
{
    static const char *const allowed[] = {COMMON};
    struct das_http_request req = das_http_request_default;
    struct call *c;
    bool secret;

    lua_settop(L, 2);
    das_check_options(L, 2, "http", allowed, sizeof allowed / sizeof *allowed);
    c = push_call(L);
    lua_pushvalue(L, 1);
    req.url = get_string(L, "url", &secret);
    if (lua_istable(L, 2))
        get_options(L, 2, c, &req);
    return perform(L, c, &req);
}

/* das.http.post(url, body, options): a table is sent as JSON, a string or a secret as it is. */
static int http_post(lua_State *L)
{
    static const char *const allowed[] = {COMMON};
    struct das_http_request req = das_http_request_default;
    struct call *c;
    bool secret;

    lua_settop(L, 3);
    das_check_options(L, 3, "http", allowed, sizeof allowed / sizeof *allowed);
    c = push_call(L);
    lua_pushvalue(L, 1);
    req.url = get_string(L, "url", &secret);
    req.method = "POST";
    if (lua_istable(L, 3))
        get_options(L, 3, c, &req);
    lua_pushvalue(L, 2);
    if (lua_istable(L, 2))
        set_json(L, c, &req);
    else if (!lua_isnil(L, 2))
        req.body = get_bytes(L, "body", &req.body_secret);
    return perform(L, c, &req);
}

void das_open_http(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"request", http_request}, {"get", http_get}, {"post", http_post}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__tostring", response_tostring}, {"__fields", response_fields}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"json", response_json}, {NULL, NULL}};
    static const luaL_Reg headers[] = {{NULL, NULL}};

    das_class(L, RESPONSE, meta, methods, response_index);
    lua_pop(L, 1);
    das_class(L, HEADERS, headers, NULL, headers_index);
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    das_freeze(L, "das.http");
    lua_setfield(L, -2, "http");
}
