/*
 * httpd.h - an HTTP/1.1 server that can face a network: libmicrohttpd behind two files, and in front
 * of every handler what it does not do by itself.
 *
 * A thread for each connection, so a handler may block. Before the handler is called: the gate
 * (gate.h) has passed the header, the body is there and within its bound. A request that is not
 * done in time is cut, whatever the client sends meanwhile. Knows nothing of DAS.
 */
#ifndef DAS_SERVE_HTTPD_H
#define DAS_SERVE_HTTPD_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/cloud/sign.h"

struct das_httpd_conf {
    const char *const *listen; /* "127.0.0.1:7070", "[::]:443"; port 0: any */
    size_t listen_count;
    const char *certificate, *key; /* PEM files; NULL: plain HTTP */
    int64_t connections, connections_per_address;
    uint64_t header_bytes, body_bytes;
    int64_t deadline_ms; /* a connection that has not sent a whole request so long after it was
                            opened, or after its last answer, is closed; so is one that does not
                            take its answer in this time */
};

/* All of it borrowed for the call. */
struct das_httpd_request {
    struct das_text method;
    struct das_text target;              /* path and query as they came */
    const struct das_sign_pair *headers; /* in order; names as they came */
    size_t header_count;
    struct das_text body;
    char peer[64]; /* address without port */
    bool tls;
    int64_t started_us;  /* monotonic, in microseconds: when its header was there */
    const char *refused; /* not NULL: the gate, or a bound, says no, and why; the rest may be
                            missing. The handler only writes the answer: status is in refused_as */
    int refused_as;      /* 400, 413, 417, 431, 501, 505 */
};

struct das_httpd_answer {
    int status;
    const char *type;    /* of the body; NULL: application/json */
    struct das_buf body; /* empty, to be appended to */
    char request_id[72]; /* X-Request-Id; "": none */
    const char *allow;   /* Allow; NULL: none. A string that stays */
    int64_t retry_after; /* Retry-After, s; 0: none */
    struct {
        const char *name; /* a string that stays; NULL: none */
        char value[256];
    } extra[2];
    bool close; /* the connection, after this */
};

/* Called on the connection's thread; fills out, which starts empty. */
typedef void das_httpd_fn(void *arg, const struct das_httpd_request *r,
                          struct das_httpd_answer *out);

struct das_httpd;

/* Listens when it returns. DAS_E_CONFIG (certificate, key), DAS_E_IO (address in use),
 * DAS_E_UNSUPPORTED (no libmicrohttpd). */
int das_httpd_start(const struct das_httpd_conf *conf, das_httpd_fn *fn, void *arg,
                    struct das_httpd **out, struct das_err *err);
/* Where it listens: "127.0.0.1:40123"; NULL past the last. */
const char *das_httpd_address(const struct das_httpd *h, size_t i);
/* Reads certificate and key again; connections that are open keep theirs. When they cannot be used,
 * -1 and all stays as it was. */
int das_httpd_reload(struct das_httpd *h, struct das_err *err);

struct das_httpd_load {
    size_t connections;                          /* open now */
    size_t busy;                                 /* of them: in a handler, or sending its answer */
    uint64_t accepted, refused_connections, cut; /* since the start; cut: by the deadline */
};
void das_httpd_load(struct das_httpd *h, struct das_httpd_load *out);

/* No new connections, answers say "Connection: close", idle connections are closed. Returns when no
 * request is in flight any more or after ms; how many still were. */
size_t das_httpd_drain(struct das_httpd *h, int64_t ms);
/* Cuts what is left and waits for handlers to return. NULL is fine. */
void das_httpd_stop(struct das_httpd *h);

#endif
