/* transfer.c - see transfer.h. */
#include "core/http/transfer.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/version.h"
#include "core/http/address.h"

#define HEADERS_MAX ((size_t)256 << 10) /* bytes of one answer's headers */
#define CA_MAX ((off_t)4 << 20)
#define LOOK_MS 100      /* how often the guard is asked */
#define IDLE_S 30L       /* an open connection older than that is not used again */

struct das_http_transfer {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    bool ready; /* set_once() was there */
    char error[CURL_ERROR_SIZE];

    /* of the exchange that is going on */
    const struct das_http_request *req;
    const struct das_http_hop *hop;
    const struct das_http_guard *guard;
    struct das_http_response *resp;
    struct das_http_outcome *out;
    struct das_err *err;
    bool stopped;        /* a callback has filled err */
    bool inside;         /* inside addresses are fine */
    bool headers_done;
    int starts;          /* requests that were put on a connection */
    size_t header_bytes, request_bytes;
    char refused[DAS_ADDRESS_TEXT + 60]; /* the address that was not connected to, and why */
};

struct das_http_transfer *das_http_transfer_new(struct das_err *err)
{
    struct das_http_transfer *t;

    if (das_curl_load(err) < 0)
        return NULL;
    t = das_calloc(1, sizeof *t);
    if (t) {
        t->multi = curl_multi_init();
        t->easy = curl_easy_init();
        if (t->multi && t->easy)
            return t;
    }
    das_http_transfer_free(t);
    das_fail_nomem(err);
    return NULL;
}

static void drop_headers(struct das_http_transfer *t)
{
    for (struct curl_slist *s = t->headers; s; s = s->next)
        explicit_bzero(s->data, strlen(s->data));
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

void das_http_transfer_free(struct das_http_transfer *t)
{
    if (!t)
        return;
    drop_headers(t);
    if (t->easy)
        curl_easy_cleanup(t->easy);
    if (t->multi)
        curl_multi_cleanup(t->multi);
    das_free(t);
}

/* --- what it asks us --------------------------------------------------------------------------------- */

static bool allowed(struct das_http_transfer *t, enum das_address kind, const char *ip,
                    const char *why)
{
    if (kind == DAS_ADDRESS_PUBLIC || (kind == DAS_ADDRESS_INSIDE && t->inside))
        return true;
    snprintf(t->refused, sizeof t->refused, "%s is %s%s", ip, why,
             kind == DAS_ADDRESS_INSIDE ? ", for which the grant must name the host" : "");
    return false;
}

/* The address here is the one that connect() will get: nothing resolves the name again. */
static curl_socket_t open_socket(void *ud, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct das_http_transfer *t = ud;
    char ip[DAS_ADDRESS_TEXT];
    const char *why;
    enum das_address kind = das_address_judge(&a->addr, &why);

    das_address_text(&a->addr, ip);
    if (purpose != CURLSOCKTYPE_IPCXN || !allowed(t, kind, ip, why))
        return CURL_SOCKET_BAD;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int stop(struct das_http_transfer *t)
{
    t->stopped = true;
    return -1;
}

/* A connection stands, new or kept from before, and the request is about to be sent. The library
 * comes here again when a kept connection turned out dead and it would send once more. */
static int before_request(void *ud, char *ip, char *own_ip, int port, int own_port)
{
    struct das_http_transfer *t = ud;
    const char *why;
    enum das_address kind = das_address_judge_text(ip, &why);
    bool inside;

    (void)own_ip;
    (void)port;
    (void)own_port;
    if (!allowed(t, kind, ip, why)) {
        das_fail(t->err, DAS_E_DENIED, "not connected: %s", t->refused);
        t->out->final = true;
        stop(t);
        return CURL_PREREQFUNC_ABORT;
    }
    if (t->starts > 0) {
        if (t->req->once || (!das_http_idempotent(t->hop->method) && !t->req->idempotent)) {
            das_fail(t->err, DAS_E_CONNECT, "the connection was lost before an answer came");
            stop(t);
            return CURL_PREREQFUNC_ABORT;
        }
        if (t->guard->begin(t->guard->ctx, t->hop->url->host, &inside, t->err) < 0) {
            stop(t);
            return CURL_PREREQFUNC_ABORT;
        }
    }
    t->starts++;
    if (t->guard->spend(t->guard->ctx, t->request_bytes, t->err) < 0) {
        stop(t);
        return CURL_PREREQFUNC_ABORT;
    }
    t->out->sent = true;
    return CURL_PREREQFUNC_OK;
}

static int add_header(struct das_http_transfer *t, struct das_text line)
{
    struct das_http_headers *h = &t->resp->headers;
    char name[200];
    const char *colon = memchr(line.ptr, ':', line.len);
    struct das_text n;

    if (!colon || colon == line.ptr || das_is_space((unsigned char)*line.ptr))
        return 0; /* no header, or a line that goes on with the one before: both obsolete */
    n = das_text_trim(das_text(line.ptr, (size_t)(colon - line.ptr)));
    if (n.len >= sizeof name)
        return 0;
    for (size_t i = 0; i < n.len; i++)
        name[i] = (char)das_lower((unsigned char)n.ptr[i]);
    colon++;
    return das_http_headers_add(
        h, das_text(name, n.len),
        das_text_trim(das_text(colon, line.len - (size_t)(colon - line.ptr))), false, t->err);
}

static size_t on_header(char *p, size_t size, size_t n, void *ud)
{
    struct das_http_transfer *t = ud;
    struct das_text line = das_text(p, size * n);

    t->header_bytes += line.len;
    if (t->guard->spend(t->guard->ctx, line.len, t->err) < 0) {
        stop(t);
        return 0;
    }
    if (t->header_bytes > HEADERS_MAX) {
        das_fail(t->err, DAS_E_DATA, "the answer's headers are longer than %zu bytes", HEADERS_MAX);
        t->out->final = true;
        stop(t);
        return 0;
    }
    if (line.len >= 5 && memcmp(line.ptr, "HTTP/", 5) == 0) { /* after a 1xx comes another */
        das_http_headers_reset(&t->resp->headers);
        t->headers_done = false;
    } else if (das_text_trim(line).len == 0) {
        t->headers_done = true;
    } else if (!t->headers_done && add_header(t, line) < 0) { /* afterwards: trailers, not wanted */
        stop(t);
        return 0;
    }
    return line.len;
}

static size_t on_body(char *p, size_t size, size_t n, void *ud)
{
    struct das_http_transfer *t = ud;
    struct das_buf *body = &t->resp->body;

    n *= size;
    if (t->guard->spend(t->guard->ctx, n, t->err) < 0) {
        stop(t);
        return 0;
    }
    if (n > t->req->max_bytes - body->len) {
        das_fail(t->err, DAS_E_DATA, "the answer is longer than %zu bytes", t->req->max_bytes);
        t->out->final = true;
        stop(t);
        return 0;
    }
    das_buf_add(body, p, n);
    if (das_buf_ok(body, t->err) < 0) {
        stop(t);
        return 0;
    }
    return n;
}

/* --- what we ask for ------------------------------------------------------------------------------ */

static int add_line(struct das_http_transfer *t, const char *name, const char *sep,
                    struct das_text value, struct das_err *err)
{
    size_t len = strlen(name) + strlen(sep) + value.len;
    char *line = das_alloc(len + 1);
    struct curl_slist *more = NULL;

    if (line) {
        snprintf(line, len + 1, "%s%s%.*s", name, sep, (int)value.len, value.len ? value.ptr : "");
        more = curl_slist_append(t->headers, line);
        explicit_bzero(line, len);
    }
    das_free(line);
    if (!more)
        return das_fail_nomem(err);
    t->headers = more;
    t->request_bytes += len + 2;
    return 0;
}

static int set_headers(struct das_http_transfer *t, struct das_err *err)
{
    const struct das_http_headers *h = t->req->headers;
    bool typed = false;

    for (size_t i = 0; h && i < h->count; i++) {
        const struct das_http_header *x = &h->items[i];
        bool type = das_text_iis(das_text_of(x->name), "Content-Type");
        if ((!t->hop->home && !das_http_header_travels(x)) || (type && !t->hop->body.ptr))
            continue;
        typed |= type;
        if (add_line(t, x->name, x->value.len ? ": " : ";", x->value, err) < 0)
            return -1;
    }
    if (!t->hop->body.ptr && strcmp(t->hop->method, "POST") != 0)
        return 0;
    /* what the library would add by itself: to wait for "100 Continue", to call a body a form */
    if (add_line(t, "Expect", ":", DAS_TEXT_NULL, err) < 0)
        return -1;
    return typed ? 0 : add_line(t, "Content-Type", ":", DAS_TEXT_NULL, err);
}

/* The library would wait at a pipe for ever and read /dev/zero to its end, which has none. */
static int check_ca(const char *path, struct das_err *err)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > CA_MAX ||
        access(path, R_OK) < 0)
        return das_fail(err, DAS_E_USAGE, "ca: %.300s is not a file of certificates that can be "
                                          "read",
                        path);
    return 0;
}

#define SET(option, value) (code = code ? code : curl_easy_setopt(c, option, value))

static CURLcode set_method(struct das_http_transfer *t)
{
    CURL *c = t->easy;
    CURLcode code = CURLE_OK;
    struct das_text body = t->hop->body;
    const char *method = t->hop->method;

    SET(CURLOPT_HTTPGET, 1L); /* whatever the exchange before was */
    SET(CURLOPT_CUSTOMREQUEST, NULL);
    if (strcmp(method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (t->hop->body.ptr || strcmp(method, "POST") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        SET(CURLOPT_POSTFIELDS, body.ptr ? body.ptr : "");
        SET(CURLOPT_CUSTOMREQUEST, method);
        t->request_bytes += body.len;
    } else if (strcmp(method, "GET") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, method);
    }
    return code;
}

/* What is the same for every exchange of a handle. */
static CURLcode set_once(struct das_http_transfer *t)
{
    CURL *c = t->easy;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is left behind */
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_USERAGENT, "das/" DAS_VERSION);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(CURLOPT_MAXAGE_CONN, IDLE_S);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, t);
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    return code;
}

static int set_up(struct das_http_transfer *t, int64_t left_ms, struct das_err *err)
{
    CURL *c = t->easy;
    CURLcode code = CURLE_OK;
    int64_t connect_ms = t->req->connect_ms < left_ms ? t->req->connect_ms : left_ms;

    if (t->req->ca && check_ca(t->req->ca, err) < 0) {
        t->out->final = true;
        return -1;
    }
    t->request_bytes = strlen(t->hop->url->text) + 100; /* and the lines that the library adds */
    if (set_headers(t, err) < 0)
        return -1;
    if (!t->ready)
        code = set_once(t);
    t->ready = !code;
    if (t->req->ca) { /* these, and not the system's besides */
        SET(CURLOPT_CAINFO, t->req->ca);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_CURLU, t->hop->url->handle);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)left_ms);
    SET(CURLOPT_FRESH_CONNECT, t->req->once ? 1L : 0L);
    SET(CURLOPT_HTTPHEADER, t->headers);
    if (!code)
        code = set_method(t);
    if (code == CURLE_OUT_OF_MEMORY)
        return das_fail_nomem(err);
    if (code)
        return das_fail(err, DAS_E_INTERNAL, "libcurl: %s", curl_easy_strerror(code));
    return 0;
}

/* Nothing of the caller's is pointed to any longer. The default of CAINFO is known only to the
 * library, so after a CA of the caller's all options start anew; connections stay in any case. */
static void let_go(struct das_http_transfer *t)
{
    if (t->req->ca) {
        curl_easy_reset(t->easy);
        t->ready = false;
    } else {
        curl_easy_setopt(t->easy, CURLOPT_CURLU, NULL);
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, NULL);
    }
    drop_headers(t);
}

/* --- one exchange ------------------------------------------------------------------------------------ */

/* Runs it to its end, or until the guard's time is up. */
static CURLcode run(struct das_http_transfer *t)
{
    CURLcode result = CURLE_OUT_OF_MEMORY;
    CURLMsg *msg;
    CURLMcode mc = curl_multi_add_handle(t->multi, t->easy);
    int running = 1, left;

    while (!mc && running) {
        mc = curl_multi_perform(t->multi, &running);
        if (t->guard->left_ms(t->guard->ctx) == 0) {
            das_fail(t->err, DAS_E_TIMEOUT, "stopped, because the run's time is up");
            t->out->final = true;
            stop(t);
            break;
        }
        if (!mc && running)
            mc = curl_multi_poll(t->multi, NULL, 0, LOOK_MS, NULL);
    }
    while ((msg = curl_multi_info_read(t->multi, &left))) {
        if (msg->msg == CURLMSG_DONE)
            result = msg->data.result;
    }
    curl_multi_remove_handle(t->multi, t->easy);
    return result;
}

static int explain(struct das_http_transfer *t, CURLcode code, struct das_err *err)
{
    const char *words = t->error[0] ? t->error : curl_easy_strerror(code);

    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return das_fail(err, DAS_E_CONNECT, "the name has no address (%s)", words);
    case CURLE_COULDNT_CONNECT:
        if (t->refused[0]) {
            t->out->final = true;
            return das_fail(err, DAS_E_DENIED, "not connected: %s", t->refused);
        }
        return das_fail(err, DAS_E_CONNECT, "no connection (%s)", words);
    case CURLE_OPERATION_TIMEDOUT:
        return das_fail(err, DAS_E_TIMEOUT, t->starts ? "no full answer in time (%s)"
                                                      : "no connection in time (%s)", words);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        t->out->final = true;
        return das_fail(err, DAS_E_CONNECT, "the server's certificate is not trusted (%s)", words);
    case CURLE_SSL_CONNECT_ERROR:
        return das_fail(err, DAS_E_CONNECT, "no TLS connection (%s)", words);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return das_fail(err, DAS_E_CONNECT, "the connection was lost (%s)", words);
    case CURLE_OUT_OF_MEMORY:
        t->out->final = true;
        return das_fail_nomem(err);
    default:
        t->out->final = true;
        return das_fail(err, DAS_E_DATA, "no proper HTTP answer (%s)", words);
    }
}

int das_http_transfer(struct das_http_transfer *t, const struct das_http_request *req,
                      const struct das_http_hop *hop, const struct das_http_guard *guard,
                      struct das_http_response *resp, struct das_http_outcome *out,
                      struct das_err *err)
{
    int64_t left = hop->deadline_ms - das_clock_monotonic_ms(), guarded;
    curl_off_t after = 0;
    long status = 0;
    CURLcode code;
    int rc = -1;

    t->req = req;
    t->hop = hop;
    t->guard = guard;
    t->resp = resp;
    t->out = out;
    t->err = err;
    t->stopped = t->inside = t->headers_done = false;
    t->starts = 0;
    t->header_bytes = 0;
    t->refused[0] = t->error[0] = '\0';
    out->retry_after_ms = -1;
    guarded = guard->left_ms(guard->ctx);
    if (left <= 0 || guarded <= 0) {
        out->final = guarded <= 0;
        return das_fail(err, DAS_E_TIMEOUT, "no full answer in time");
    }
    if (guard->begin(guard->ctx, hop->url->host, &t->inside, err) < 0) {
        out->final = true;
        return -1;
    }
    if (set_up(t, left, err) < 0)
        goto done;
    code = run(t);
    if (t->stopped)
        goto done;
    if (code) {
        explain(t, code, err);
        goto done;
    }
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
    if (after > 0) /* absent, past and unreadable are all 0: then our own patience decides */
        out->retry_after_ms = after < INT32_MAX ? (int64_t)after * 1000 : INT64_MAX;
    resp->status = (int)status;
    rc = 0;
done:
    let_go(t);
    return rc;
}
