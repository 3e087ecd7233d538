/*
 * httpd_line.c - see httpd.h: a connection from its first byte on, its requests, and the answers to
 * them. The library calls what is here; httpd.c says it to.
 *
 * The library itself refuses, in plain text, unseen by the handler, and closes: a request line that
 * has something else than HTTP/n.n at its end (400), other major versions (505), a header line
 * without a colon (400), a Content-Length that it cannot read (400, 413; it sends the header of
 * that answer twice), a header that does not fit its memory (414, 431) and chunks that are none
 * (400). Without an answer: no method, or a method and nothing else, or a query of some hundred
 * parameters, whose records do not fit its memory.
 *
 * Chunks: the library takes a single LF for CRLF there. So that nobody else can see another end of
 * the body and put a second request behind it, the connection is closed after a chunked request.
 */
#include "core/serve/httpd_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/serve/gate.h"

#define BODY_KEPT 16384 /* a connection keeps no more between requests */
/* So long a client that was refused may go on sending, to read the answer. */
#define LINGER_MS 2000

/* --- connections ------------------------------------------------------------------------------ */

void das_httpd_line_free(struct das_httpd_line *l)
{
    struct das_httpd_listener *li = l->listener;
    bool last;

    das_conn_leave(&l->conn);
    das_buf_clear(&l->target);
    das_buf_clear(&l->body);
    das_buf_clear(&l->answer);
    das_free(l->headers);
    das_free(l);
    pthread_mutex_lock(&li->h->old_lock);
    last = --li->open == 0 && li->old;
    pthread_mutex_unlock(&li->h->old_lock);
    if (last)
        das_conns_wake(li->h->conns);
}

/* On the daemon's thread, before the library makes a connection of it. */
enum MHD_Result das_httpd_on_accept(void *arg, const struct sockaddr *from, socklen_t len)
{
    struct das_httpd_listener *li = arg;
    struct das_httpd_line *l;
    bool end;

    (void)len;
    if (li->entered) { /* the library had no memory or no thread for it */
        das_httpd_line_free(li->entered);
        li->entered = NULL;
    }
    l = das_calloc(1, sizeof *l);
    if (!l)
        return MHD_NO;
    pthread_mutex_lock(&li->h->old_lock);
    end = li->end;
    li->open += !end;
    pthread_mutex_unlock(&li->h->old_lock);
    if (end || !das_conn_enter(li->h->conns, &l->conn, from)) {
        das_free(l);
        if (!end) {
            pthread_mutex_lock(&li->h->old_lock);
            li->open--;
            pthread_mutex_unlock(&li->h->old_lock);
        }
        return MHD_NO;
    }
    l->listener = li;
    das_address_text(from, l->peer);
    li->entered = l;
    return MHD_YES;
}

/* Both on the daemon's thread; at the end the connection's own thread is no more. */
void das_httpd_on_connection(void *arg, struct MHD_Connection *c, void **context,
                             enum MHD_ConnectionNotificationCode code)
{
    struct das_httpd_listener *li = arg;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct das_httpd_line *l = li->entered;
        const union MHD_ConnectionInfo *info =
            li->h->lib.MHD_get_connection_info_(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        li->entered = NULL;
        *context = l;
        l->fd = info->connect_fd;
        das_conn_open(&l->conn, l->fd);
    } else if (*context) {
        das_httpd_line_free(*context);
        *context = NULL;
    }
}

/* --- requests --------------------------------------------------------------------------------- */

/* The request line was read; the target is about to be unescaped in place. */
void *das_httpd_on_target(void *arg, const char *uri, struct MHD_Connection *c)
{
    struct das_httpd_listener *li = arg;
    const union MHD_ConnectionInfo *info =
        li->h->lib.MHD_get_connection_info_(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct das_httpd_line *l = info->socket_context;

    das_conn_step(&l->conn, DAS_CONN_READING);
    das_buf_reset(&l->target);
    das_buf_str(&l->target, uri ? uri : "");
    return l;
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct das_httpd_line *l = arg;

    (void)kind;
    if (l->header_count == l->header_cap) {
        size_t cap = l->header_cap ? l->header_cap * 2 : 16;
        struct das_sign_pair *grown = das_grow(l->headers, cap, sizeof *grown);
        if (!grown) {
            l->failed = true;
            return MHD_NO;
        }
        l->headers = grown;
        l->header_cap = cap;
    }
    l->headers[l->header_count++] =
        (struct das_sign_pair){das_text(name, name_len), das_text(value ? value : "", value_len)};
    return MHD_YES;
}

static void refuse(struct das_httpd_line *l, int as, const char *why)
{
    if (l->refused)
        return;
    l->refused = why;
    l->refused_as = as;
}

/* The header is there. */
static void judge(struct das_httpd_line *l, struct MHD_Connection *c, const char *method,
                  const char *version)
{
    struct das_httpd *h = l->listener->h;
    struct das_gate_request r = {.method = das_text_of(method),
                                 .version = das_text_of(version),
                                 .target = das_buf_view(&l->target)};
    const char *why;
    int as;

    l->headed = true;
    l->started_us = das_clock_monotonic_us();
    l->header_count = 0;
    h->lib.MHD_get_connection_values_n_(c, MHD_HEADER_KIND, on_header, l);
    r.headers = l->headers;
    r.header_count = l->header_count;
    r.header_bytes =
        h->lib.MHD_get_connection_info_(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    why = das_gate(&r, &as);
    if (why) {
        refuse(l, as, why);
        return;
    }
    if (r.header_bytes > h->header_bytes)
        refuse(l, 431, "the header is too large");
    for (size_t i = 0; i < l->header_count; i++) {
        struct das_text *value = &l->headers[i].value;
        int64_t length;
        *value = das_text_trim(*value);
        if (das_text_iis(l->headers[i].name, "Transfer-Encoding"))
            l->chunked = true;
        else if (das_text_iis(l->headers[i].name, "Content-Length") &&
                 (!das_parse_int(*value, &length) || (uint64_t)length > h->body_bytes))
            refuse(l, 413, "the body is too large");
    }
}

static void add(struct das_httpd_library *lib, struct MHD_Response *response, const char *name,
                const char *value)
{
    lib->MHD_add_response_header_(response, name, value);
}

/* Calls the handler and hands its answer to the library. */
static enum MHD_Result reply(struct das_httpd_line *l, struct MHD_Connection *c, const char *method)
{
    struct das_httpd *h = l->listener->h;
    struct das_httpd_library *lib = &h->lib;
    struct das_httpd_request r = {
        .method = das_text_of(method),
        .target = das_buf_view(&l->target),
        .headers = l->headers,
        .header_count = l->header_count,
        .body = das_buf_view(&l->body),
        .tls = h->certificate != NULL,
        .started_us = l->started_us,
        .refused = l->refused,
        .refused_as = l->refused_as,
    };
    struct das_httpd_answer out = {.body = l->answer};
    struct MHD_Response *response = NULL;
    enum MHD_Result result = MHD_NO;

    _Static_assert(sizeof r.peer >= sizeof l->peer, "a peer fits");
    if (!das_conn_step(&l->conn, DAS_CONN_RUNNING))
        return MHD_NO;
    memcpy(r.peer, l->peer, sizeof l->peer);
    das_buf_reset(&out.body);
    h->fn(h->arg, &r, &out);
    l->answer = out.body;
    if (!das_conn_step(&l->conn, DAS_CONN_SENDING) || l->answer.failed)
        return MHD_NO;
    response =
        lib->MHD_create_response_from_buffer_(l->answer.len, l->answer.ptr, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    add(lib, response, "Content-Type", out.type ? out.type : "application/json");
    add(lib, response, "Cache-Control", "no-store");
    if (out.type && strncmp(out.type, "text/html", 9) == 0) { /* pages are shown, and do nothing */
        add(lib, response, "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'");
        add(lib, response, "Referrer-Policy", "no-referrer");
        add(lib, response, "X-Content-Type-Options", "nosniff");
        add(lib, response, "X-Frame-Options", "DENY");
    }
    if (out.request_id[0])
        add(lib, response, "X-Request-Id", out.request_id);
    if (out.allow)
        add(lib, response, "Allow", out.allow);
    for (size_t i = 0; i < sizeof out.extra / sizeof *out.extra; i++) {
        if (out.extra[i].name)
            add(lib, response, out.extra[i].name, out.extra[i].value);
    }
    if (out.retry_after > 0) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)out.retry_after);
        add(lib, response, "Retry-After", text);
    }
    if (out.close || l->refused || l->chunked || das_conns_draining(h->conns))
        add(lib, response, "Connection", "close");
    result = lib->MHD_queue_response_(c, (unsigned)out.status, response);
    lib->MHD_destroy_response_(response);
    return result;
}

/* The library calls this once the header is there, then with each piece of the body, then once
 * more. An answer that is queued at the first of these calls makes it close the connection. */
enum MHD_Result das_httpd_on_request(void *arg, struct MHD_Connection *c, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *data_len, void **context)
{
    struct das_httpd_line *l = *context;

    (void)arg;
    (void)url;
    if (!l)
        return MHD_NO;
    if (!l->headed) {
        judge(l, c, method, version);
        if (l->failed || l->target.failed)
            return MHD_NO;
        return l->refused ? reply(l, c, method) : MHD_YES;
    }
    if (*data_len) {
        if (*data_len > l->listener->h->body_bytes - l->body.len)
            refuse(l, 413, "the body is too large"); /* answered when it has ended */
        if (!l->refused)
            das_buf_add(&l->body, data, *data_len);
        *data_len = 0;
        return l->body.failed ? MHD_NO : MHD_YES;
    }
    return reply(l, c, method);
}

/* Closing a socket with bytes unread in it would take the answer from a client that is still
 * sending. */
static void linger(struct das_httpd_line *l)
{
    int64_t end = das_clock_monotonic_ms() + LINGER_MS, left;
    char sink[4096];

    if (!l->listener->h->certificate)
        shutdown(l->fd, SHUT_WR);
    while ((left = end - das_clock_monotonic_ms()) > 0) {
        struct pollfd p = {.fd = l->fd, .events = POLLIN};
        ssize_t n;
        if (poll(&p, 1, (int)left) == 0)
            break;
        n = recv(l->fd, sink, sizeof sink, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            break;
    }
}

void das_httpd_on_completed(void *arg, struct MHD_Connection *c, void **context,
                            enum MHD_RequestTerminationCode why)
{
    struct das_httpd_line *l = *context;
    bool unread;

    (void)arg;
    (void)c;
    if (!l)
        return;
    /* Refused by us, or by the library itself. */
    unread = l->refused || !das_conn_is(&l->conn, DAS_CONN_SENDING);
    if (das_conn_step(&l->conn, DAS_CONN_IDLE) && unread &&
        why != MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN)
        linger(l);
    das_buf_clear(&l->answer); /* whoever answers next gets memory that is still in the cache */
    if (l->body.cap > BODY_KEPT)
        das_buf_clear(&l->body);
    else
        das_buf_reset(&l->body);
    l->refused = NULL;
    l->headed = l->chunked = l->failed = false;
    *context = NULL;
}
