/* httpd_impl.h - what the server and its connections share. Private to httpd*.c. */
#ifndef DAS_SERVE_HTTPD_IMPL_H
#define DAS_SERVE_HTTPD_IMPL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/http/address.h"
#include "core/serve/conns.h"
#include "core/serve/httpd.h"

#define DAS_HTTPD_FUNCTIONS(X)         \
    X(MHD_add_response_header)         \
    X(MHD_create_response_from_buffer) \
    X(MHD_destroy_response)            \
    X(MHD_get_connection_info)         \
    X(MHD_get_connection_values_n)     \
    X(MHD_is_feature_supported)        \
    X(MHD_queue_response) X(MHD_quiesce_daemon) X(MHD_start_daemon) X(MHD_stop_daemon)

#define DAS_HTTPD_POINTER(name) __typeof__(name) *name##_;
struct das_httpd_library {
    DAS_HTTPD_FUNCTIONS(DAS_HTTPD_POINTER)
};

/* One daemon of the library. After a reload the old ones stay until their connections are gone. */
struct das_httpd_listener {
    struct das_httpd *h;
    struct MHD_Daemon *daemon;
    struct das_httpd_listener *next; /* among the old ones */
    struct das_httpd_line *entered;  /* let in, and not yet started; of the daemon's thread */
    int fd;
    size_t open;   /* under old_lock */
    bool old, end; /* the same; end: nobody enters any more, since it is about to be stopped */
    atomic_bool starting;
    char trouble[200]; /* what the library said when it did not start */
};

struct das_httpd {
    struct das_httpd_library lib;
    struct das_conns *conns;
    das_httpd_fn *fn;
    void *arg;
    size_t count;
    struct das_httpd_listener **listeners;
    char (*addresses)[DAS_ADDRESS_TEXT + 16];
    char *certificate, *key;
    uint64_t header_bytes, body_bytes;
    pthread_mutex_t old_lock;
    struct das_httpd_listener *old;
};

/* A connection. All but conn is of its thread alone. */
struct das_httpd_line {
    struct das_conn conn; /* first */
    struct das_httpd_listener *listener;
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

void das_httpd_line_free(struct das_httpd_line *l);

/* For the library; arg is the listener. */
enum MHD_Result das_httpd_on_accept(void *arg, const struct sockaddr *from, socklen_t len);
void das_httpd_on_connection(void *arg, struct MHD_Connection *c, void **context,
                             enum MHD_ConnectionNotificationCode code);
void *das_httpd_on_target(void *arg, const char *uri, struct MHD_Connection *c);
enum MHD_Result das_httpd_on_request(void *arg, struct MHD_Connection *c, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *data_len, void **context);
void das_httpd_on_completed(void *arg, struct MHD_Connection *c, void **context,
                            enum MHD_RequestTerminationCode why);

#endif
