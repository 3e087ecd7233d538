/*
 * httpd.c - see httpd.h: the server and the addresses it listens at. What goes on in a connection is
 * in httpd_line.c; nothing else includes microhttpd.h. The library is loaded when a server starts: it
 * brings GnuTLS with it, which no other command needs.
 *
 * A daemon of the library for each address, on a socket of ours; the limits, deadlines and the list
 * of connections are ours (conns.h). Not used, because measured as unfit (0.9.75): its limits (of a
 * daemon, not of the server; and reaching the total one can leave a lock held) and its timeout
 * (moved by each byte, and spins for the last second of each idle connection).
 */
#include "core/serve/httpd_impl.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/private_file.h"
#include "core/serve/listen.h"

#define LIBRARY "libmicrohttpd.so.12"
/* The rest are headers of answers, and the library's records of a request's (64 bytes each). */
#define POOL(header_bytes) ((header_bytes)*2 + 8192)
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

static int load(struct das_httpd_library *lib, struct das_err *err)
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
    DAS_HTTPD_FUNCTIONS(LOOK_UP)
    return 0;
}

/* --- listening -------------------------------------------------------------------------------- */

static void on_log(void *arg, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *format, va_list ap)
{
    struct das_httpd_listener *li = arg;

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
static struct das_httpd_listener *listener_start(struct das_httpd *h, int fd,
                                                 const struct das_private *certificate,
                                                 const struct das_private *key,
                                                 struct das_err *err)
{
    struct das_httpd_listener *li = fd < 0 ? NULL : das_calloc(1, sizeof *li);
    bool tls = certificate->ptr != NULL;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, li},
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, INT32_MAX, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)POOL(h->header_bytes), NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)das_httpd_on_target, li},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)das_httpd_on_connection, li},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)das_httpd_on_completed, li},
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
    *li = (struct das_httpd_listener){.h = h, .fd = fd, .starting = true};
    li->daemon =
        h->lib.MHD_start_daemon_(flags, 0, das_httpd_on_accept, li, das_httpd_on_request, li,
                                 MHD_OPTION_ARRAY, options, MHD_OPTION_END);
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
static void listener_free(struct das_httpd_listener *li)
{
    struct das_httpd *h = li->h;

    h->lib.MHD_stop_daemon_(li->daemon);
    if (li->entered)
        das_httpd_line_free(li->entered);
    close(li->fd);
    das_free(li);
}

/* From now on li only finishes what it has. */
static void retire(struct das_httpd *h, struct das_httpd_listener *li)
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
    struct das_httpd_listener *done = NULL;

    pthread_mutex_lock(&h->old_lock);
    for (struct das_httpd_listener **at = &h->old; *at;) {
        struct das_httpd_listener *li = *at;
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
        struct das_httpd_listener *next = done->next;
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
    struct das_httpd_listener **anew = NULL;
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
static struct das_httpd_listener *take_old(struct das_httpd *h)
{
    struct das_httpd_listener *li;

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
    struct das_httpd_listener *li;

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
