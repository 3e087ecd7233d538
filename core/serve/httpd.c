/*
 * httpd.c - see httpd.h. The only file that includes microhttpd.h, and loads the library when a
 * server starts: it brings GnuTLS with it, which no other command needs.
 *
 * A daemon of the library for each address, on a socket of ours; the limits, deadlines and the list
 * of connections are ours (conns.h). Not used, because measured as unfit (0.9.75): its limits (of a
 * daemon, not of the server; and reaching the total one can leave a lock held) and its timeout
 * (moved by each byte, and spins for the last second of each idle connection).
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
#include "core/serve/httpd.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/private_file.h"
#include "core/http/address.h"
#include "core/serve/conns.h"
#include "core/serve/gate.h"
#include "core/serve/listen.h"

#define LIBRARY "libmicrohttpd.so.12"
/* The rest are headers of answers, and the library's records of a request's (64 bytes each). */
#define POOL(header_bytes) ((header_bytes)*2 + 8192)
#define BODY_KEPT 16384 /* a connection keeps no more between requests */
#define LINGER_MS                                                                                  \
    2000                /* so long a client that was refused may go on sending, to read the answer \
                         */
#define SPARE_FILES 128 /* descriptors for everything but connections */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (2u << 20)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_BYTES (2u << 20)
#endif
#endif
#ifndef STACK_BYTES
#define STACK_BYTES (256u << 10)
#endif

#define FUNCTIONS(X)                                                                            \
    X(MHD_add_response_header)                                                                  \
    X(MHD_create_response_from_buffer)                                                          \
    X(MHD_destroy_response)                                                                     \
    X(MHD_get_connection_info)                                                                  \
    X(MHD_get_connection_values_n)                                                              \
    X(MHD_is_feature_supported) X(MHD_queue_response) X(MHD_quiesce_daemon) X(MHD_start_daemon) \
        X(MHD_stop_daemon)

#define POINTER(name) __typeof__(name) *name##_;
struct library {
    FUNCTIONS(POINTER)
};

/* One daemon of the library. After a reload the old ones stay until their connections are gone. */
struct listener {
    struct das_httpd *h;
    struct MHD_Daemon *daemon;
    struct listener *next; /* among the old ones */
    struct line *entered;  /* let in, and not yet started; of the daemon's thread */
    int fd;
    size_t open;   /* under old_lock */
    bool old, end; /* the same; end: nobody enters any more, since it is about to be stopped */
    atomic_bool starting;
    char trouble[200]; /* what the library said when it did not start */
};

struct das_httpd {
    struct library lib;
    struct das_conns *conns;
    das_httpd_fn *fn;
    void *arg;
    size_t count;
    struct listener **listeners;
    char (*addresses)[DAS_ADDRESS_TEXT + 16];
    char *certificate, *key;
    uint64_t header_bytes, body_bytes;
    pthread_mutex_t old_lock;
    struct listener *old;
};

/* A connection. All but conn is of its thread alone. */
struct line {
    struct das_conn conn; /* first */
    struct listener *listener;
    struct das_buf target, body;
    struct das_buf answer; /* that the library is sending */
    struct das_sign_pair *headers;
    size_t header_count, header_cap;
    int64_t started_us;
    const char *refused;
    int refused_as;
    int fd;
    bool headed; /* its header was judged */
    bool chunked, failed;
    char peer[DAS_ADDRESS_TEXT];
};

static int load(struct library *lib, struct das_err *err)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *f;

    if (!library)
        return das_fail(err, DAS_E_UNSUPPORTED, "no server: " LIBRARY " cannot be loaded");
/* memcpy, because C has no other way from an object pointer to a function's */
#define LOOK_UP(name)                                                                    \
    f = dlsym(library, #name);                                                           \
    if (!f)                                                                              \
        return das_fail(err, DAS_E_UNSUPPORTED, "no server: " LIBRARY " has no " #name); \
    memcpy(&lib->name##_, &f, sizeof f);
    FUNCTIONS(LOOK_UP)
    return 0;
}

/* --- connections ------------------------------------------------------------------------------ */

static void line_free(struct line *l)
{
    struct listener *li = l->listener;
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
static enum MHD_Result on_accept(void *arg, const struct sockaddr *from, socklen_t len)
{
    struct listener *li = arg;
    struct line *l;
    bool end;

    (void)len;
    if (li->entered) { /* the library had no memory or no thread for it */
        line_free(li->entered);
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
static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct listener *li = arg;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct line *l = li->entered;
        const union MHD_ConnectionInfo *info =
            li->h->lib.MHD_get_connection_info_(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        li->entered = NULL;
        *context = l;
        l->fd = info->connect_fd;
        das_conn_open(&l->conn, l->fd);
    } else if (*context) {
        line_free(*context);
        *context = NULL;
    }
}

/* --- requests --------------------------------------------------------------------------------- */

/* The request line was read; the target is about to be unescaped in place. */
static void *on_target(void *arg, const char *uri, struct MHD_Connection *c)
{
    struct listener *li = arg;
    const union MHD_ConnectionInfo *info =
        li->h->lib.MHD_get_connection_info_(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct line *l = info->socket_context;

    das_conn_step(&l->conn, DAS_CONN_READING);
    das_buf_reset(&l->target);
    das_buf_str(&l->target, uri ? uri : "");
    return l;
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct line *l = arg;

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

static void refuse(struct line *l, int as, const char *why)
{
    if (l->refused)
        return;
    l->refused = why;
    l->refused_as = as;
}

/* The header is there. */
static void judge(struct line *l, struct MHD_Connection *c, const char *method, const char *version)
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

static void add(struct library *lib, struct MHD_Response *response, const char *name,
                const char *value)
{
    lib->MHD_add_response_header_(response, name, value);
}

/* Calls the handler and hands its answer to the library. */
static enum MHD_Result reply(struct line *l, struct MHD_Connection *c, const char *method)
{
    struct das_httpd *h = l->listener->h;
    struct library *lib = &h->lib;
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
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **context)
{
    struct line *l = *context;

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
static void linger(struct line *l)
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

static void on_completed(void *arg, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct line *l = *context;
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

/* --- listening -------------------------------------------------------------------------------- */

static void on_log(void *arg, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *format, va_list ap)
{
    struct listener *li = arg;

    if (li->starting)
        vsnprintf(li->trouble, sizeof li->trouble, format, ap);
}

/* Both files, or neither is asked for. */
static int read_pair(const struct das_httpd *h, struct das_private *certificate,
                     struct das_private *key, struct das_err *err)
{
    memset(certificate, 0, sizeof *certificate);
    memset(key, 0, sizeof *key);
    if (!h->certificate)
        return 0;
    if (das_private_read(h->certificate, certificate, err) < 0 ||
        das_private_read(h->key, key, err) < 0)
        return -1;
    return key->exposed ? das_private_exposed(h->key, "key", err) : 0;
}

/* Takes fd over, also when it fails: what can fail in the library closes it there. */
static struct listener *listener_start(struct das_httpd *h, int fd,
                                       const struct das_private *certificate,
                                       const struct das_private *key, struct das_err *err)
{
    struct listener *li = fd < 0 ? NULL : das_calloc(1, sizeof *li);
    bool tls = certificate->ptr != NULL;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, li},
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, INT32_MAX, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)POOL(h->header_bytes), NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, li},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, li},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, li},
        {tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, certificate->ptr},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key->ptr},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(intptr_t)PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };

    if (!li) {
        if (fd >= 0)
            close(fd);
        das_fail(err, DAS_E_IO, "no descriptor or memory to listen with");
        return NULL;
    }
    *li = (struct listener){.h = h, .fd = fd, .starting = true};
    li->daemon = h->lib.MHD_start_daemon_(flags, 0, on_accept, li, on_request, li, MHD_OPTION_ARRAY,
                                          options, MHD_OPTION_END);
    li->starting = false;
    if (li->daemon)
        return li;
    li->trouble[strcspn(li->trouble, "\n")] = '\0';
    if (tls)
        das_fail(err, DAS_E_CONFIG,
                 "%s with %s: expected a certificate and the key that belongs to it, both PEM: %s",
                 h->certificate, h->key, li->trouble[0] ? li->trouble : "cannot be used");
    else
        das_fail(err, DAS_E_IO, "the server does not start: %s", li->trouble);
    das_free(li);
    return NULL;
}

/* Waits for its connections. Before that it has been told to accept no more: then the socket is
 * left to us, and closed only when no thread of the library can use its number any more. */
static void listener_free(struct listener *li)
{
    struct das_httpd *h = li->h;

    h->lib.MHD_stop_daemon_(li->daemon);
    if (li->entered)
        line_free(li->entered);
    close(li->fd);
    das_free(li);
}

/* From now on li only finishes what it has. */
static void retire(struct das_httpd *h, struct listener *li)
{
    h->lib.MHD_quiesce_daemon_(li->daemon);
    pthread_mutex_lock(&h->old_lock);
    li->old = true;
    li->next = h->old;
    h->old = li;
    pthread_mutex_unlock(&h->old_lock);
    das_conns_wake(h->conns);
}

/* Ends the old listeners that have no connections any more. */
static void tidy(void *arg)
{
    struct das_httpd *h = arg;
    struct listener *done = NULL;

    pthread_mutex_lock(&h->old_lock);
    for (struct listener **at = &h->old; *at;) {
        struct listener *li = *at;
        if (li->open > 0) {
            at = &li->next;
            continue;
        }
        li->end = true;
        *at = li->next;
        li->next = done;
        done = li;
    }
    pthread_mutex_unlock(&h->old_lock);
    while (done) {
        struct listener *next = done->next;
        listener_free(done);
        done = next;
    }
}

/* --- the server ------------------------------------------------------------------------------- */

/* Descriptors for all connections that may come, as far as the system lets us have them. */
static int make_room(int64_t connections, struct das_err *err)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)connections + SPARE_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
        return 0;
    limit.rlim_cur = need;
    if (limit.rlim_max < need || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return das_fail(err, DAS_E_CONFIG,
                        "connections: %lld need %llu open files, and this process may have %llu",
                        (long long)connections, (unsigned long long)need,
                        (unsigned long long)limit.rlim_max);
    return 0;
}

static int start(struct das_httpd *h, const struct das_httpd_conf *conf, struct das_err *err)
{
    struct das_private certificate = {0}, key = {0};
    struct das_conns_conf limits = {.connections = (size_t)conf->connections,
                                    .per_address = (size_t)conf->connections_per_address,
                                    .deadline_ms = conf->deadline_ms,
                                    .tidy = tidy,
                                    .arg = h};
    int rc = -1;

    h->listeners = das_calloc(conf->listen_count, sizeof *h->listeners);
    h->addresses = das_calloc(conf->listen_count, sizeof *h->addresses);
    if (conf->certificate) {
        h->certificate = das_strdup(conf->certificate);
        h->key = das_strdup(conf->key);
    }
    if (!h->listeners || !h->addresses || (conf->certificate && (!h->certificate || !h->key)))
        return das_fail_nomem(err);
    if (load(&h->lib, err) < 0 || make_room(conf->connections, err) < 0)
        return -1;
    if (conf->certificate && h->lib.MHD_is_feature_supported_(MHD_FEATURE_TLS) != MHD_YES)
        return das_fail(err, DAS_E_UNSUPPORTED, "no TLS: " LIBRARY " was built without it");
    if (das_conns_new(&limits, &h->conns, err) < 0 || read_pair(h, &certificate, &key, err) < 0)
        goto done;
    for (; h->count < conf->listen_count; h->count++) {
        int fd =
            das_listen_at(conf->listen[h->count], h->addresses[h->count], sizeof *h->addresses, err);
        if (fd < 0)
            goto done;
        h->listeners[h->count] = listener_start(h, fd, &certificate, &key, err);
        if (!h->listeners[h->count])
            goto done;
    }
    rc = 0;
done:
    das_private_clear(&certificate);
    das_private_clear(&key);
    return rc;
}

int das_httpd_start(const struct das_httpd_conf *conf, das_httpd_fn *fn, void *arg,
                    struct das_httpd **out, struct das_err *err)
{
    struct das_httpd *h;

    *out = NULL;
    if (!conf->listen_count || conf->connections < 1 || conf->connections > INT32_MAX / 2 ||
        conf->connections_per_address < 1 || conf->deadline_ms < 1 || conf->header_bytes < 256 ||
        conf->header_bytes > (1 << 20) || conf->body_bytes > INT64_MAX / 2 ||
        !conf->certificate != !conf->key)
        return das_fail(err, DAS_E_CONFIG, "listen, certificate, key or a limit: out of range");
    h = das_calloc(1, sizeof *h);
    if (!h)
        return das_fail_nomem(err);
    h->fn = fn;
    h->arg = arg;
    h->header_bytes = conf->header_bytes;
    h->body_bytes = conf->body_bytes;
    pthread_mutex_init(&h->old_lock, NULL);
    if (start(h, conf, err) < 0) {
        das_httpd_stop(h);
        return -1;
    }
    *out = h;
    return 0;
}

const char *das_httpd_address(const struct das_httpd *h, size_t i)
{
    return i < h->count ? h->addresses[i] : NULL;
}

/* A daemon of the library has one certificate for all its life. So new ones take over the sockets;
 * until then both accept. */
int das_httpd_reload(struct das_httpd *h, struct das_err *err)
{
    struct das_private certificate, key;
    struct listener **anew = NULL;
    size_t n = 0;
    int rc = -1;

    if (!h->certificate)
        return 0;
    if (read_pair(h, &certificate, &key, err) < 0)
        goto done;
    anew = das_calloc(h->count, sizeof *anew);
    if (!anew) {
        das_fail_nomem(err);
        goto done;
    }
    for (; n < h->count; n++) {
        anew[n] = listener_start(h, fcntl(h->listeners[n]->fd, F_DUPFD_CLOEXEC, 0), &certificate,
                                 &key, err);
        if (!anew[n])
            goto done;
    }
    for (n = 0; n < h->count; n++) {
        retire(h, h->listeners[n]);
        h->listeners[n] = anew[n];
    }
    n = 0;
    rc = 0;
done:
    while (n > 0)
        retire(h, anew[--n]); /* somebody may have come in already */
    das_free(anew);
    das_private_clear(&certificate);
    das_private_clear(&key);
    return rc;
}

void das_httpd_load(struct das_httpd *h, struct das_httpd_load *out)
{
    struct das_conns_load load;

    das_conns_load(h->conns, &load);
    *out = (struct das_httpd_load){load.open, load.busy, load.accepted, load.refused, load.cut};
}

/* The socket stays open until the library has stopped, so it is told to listen no more: who comes
 * now is turned away at once. */
static void hush(struct das_httpd *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->listeners[i]) {
            h->lib.MHD_quiesce_daemon_(h->listeners[i]->daemon);
            shutdown(h->listeners[i]->fd, SHUT_RDWR);
        }
}

size_t das_httpd_drain(struct das_httpd *h, int64_t ms)
{
    hush(h);
    das_conns_drain(h->conns);
    return das_conns_wait(h->conns, ms);
}

/* The thread of conns may end some of them, too. */
static struct listener *take_old(struct das_httpd *h)
{
    struct listener *li;

    pthread_mutex_lock(&h->old_lock);
    li = h->old;
    if (li) {
        h->old = li->next;
        li->end = true;
    }
    pthread_mutex_unlock(&h->old_lock);
    return li;
}

void das_httpd_stop(struct das_httpd *h)
{
    struct listener *li;

    if (!h)
        return;
    if (h->conns) {
        hush(h);
        das_conns_drain(h->conns);
        das_conns_cut_all(h->conns);
        for (size_t i = 0; i < h->count; i++)
            listener_free(h->listeners[i]);
        while ((li = take_old(h)))
            listener_free(li);
    }
    das_conns_free(h->conns);
    pthread_mutex_destroy(&h->old_lock);
    das_free(h->listeners);
    das_free(h->addresses);
    das_free(h->certificate);
    das_free(h->key);
    das_free(h);
}
