/*
 * message.h - requests and responses, and what may stand in them.
 */
#ifndef DAS_HTTP_MESSAGE_H
#define DAS_HTTP_MESSAGE_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/mem.h"
#include "core/base/text.h"

struct das_http_header {
    const char *name; /* responses: lower case */
    struct das_text value;
    bool secret;      /* never leaves the first origin */
};

struct das_http_headers {
    struct das_http_header *items;
    size_t count;
    struct das_arena arena; /* of the names and values */
};

void das_http_headers_init(struct das_http_headers *h);
void das_http_headers_clear(struct das_http_headers *h); /* values are wiped */
void das_http_headers_reset(struct das_http_headers *h); /* none; keeps nothing */
/* Copies. Only memory can fail. */
int das_http_headers_add(struct das_http_headers *h, struct das_text name, struct das_text value,
                         bool secret, struct das_err *err);
/* The last one of that name, any case; NULL text when there is none. */
struct das_text das_http_headers_get(const struct das_http_headers *h, const char *name);

/* May a request carry it? DAS_E_USAGE naming the field: not a token, a line break or another
 * control character in the value, or one that is das's to write (Host, Content-Length, ...). */
int das_http_check_header(struct das_text name, struct das_text value, struct das_err *err);
/* A method in capital letters that das sends. */
int das_http_check_method(struct das_text method, struct das_err *err);
/* Sending it twice does what sending it once does. */
bool das_http_idempotent(const char *method);
/* May a header of a request follow it to another origin? Only what cannot be a credential. */
bool das_http_header_travels(const struct das_http_header *h);

struct das_http_retry {
    int times;           /* after the first attempt; 0: none */
    int64_t wait_ms;     /* before the first of them, doubled each time; the real wait is random
                          * between 0 and that */
    int64_t max_wait_ms; /* never longer; a server that asks for more is not asked again */
};

struct das_http_request {
    const char *method;
    const char *url;
    const struct das_http_headers *headers;
    struct das_text body;  /* NULL: none */
    bool body_secret;      /* the body does not follow to another origin */
    int64_t connect_ms;    /* until a connection stands */
    int64_t total_ms;      /* one attempt, redirects included */
    size_t max_bytes;      /* of the answer's body, decompressed */
    int redirects;         /* to follow at the most; 0: a redirect is an answer like any other */
    const char *ca;        /* a file of trusted CA certificates instead of the system's; or NULL */
    bool idempotent;       /* the caller says that sending it twice is fine */
    bool once;             /* never twice, whatever its method is; and on a new connection, since a
                              kept one that has died would leave it open whether it arrived */
    struct das_http_retry retry;
};
extern const struct das_http_request das_http_request_default;

struct das_http_response {
    int status;
    struct das_http_headers headers; /* of the last answer, in its order */
    struct das_buf body;
    struct das_buf url; /* of the last answer */
    int attempts;
    bool sent;     /* it may have reached a server */
    bool hopeless; /* no answer, and trying again would not bring one */
    int64_t time_ms; /* all of it, waits included */
};

void das_http_response_init(struct das_http_response *r);
void das_http_response_clear(struct das_http_response *r);

#endif
