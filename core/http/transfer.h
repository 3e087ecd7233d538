/*
 * transfer.h - one request to one server and its answer: what the library does for us, with
 * everything switched off that a script did not ask for. Only client.c calls it.
 */
#ifndef DAS_HTTP_TRANSFER_H
#define DAS_HTTP_TRANSFER_H

#include "core/http/client.h"
#include "core/http/url.h"

struct das_http_hop {
    const struct das_url *url;
    const char *method;
    struct das_text body;
    bool home;           /* still at the request's own origin: all headers go along */
    int64_t deadline_ms; /* monotonic */
};

struct das_http_outcome {
    bool sent;              /* at least the first byte may have reached a server */
    bool final;             /* trying again would not help */
    int64_t retry_after_ms; /* -1: the server did not say */
};

struct das_http_transfer; /* handles of the library */

struct das_http_transfer *das_http_transfer_new(struct das_err *err);
void das_http_transfer_free(struct das_http_transfer *t);

/* Fills status, headers and body of resp, which are empty before. out->sent is only ever set. */
int das_http_transfer(struct das_http_transfer *t, const struct das_http_request *req,
                      const struct das_http_hop *hop, const struct das_http_guard *guard,
                      struct das_http_response *resp, struct das_http_outcome *out,
                      struct das_err *err);

#endif
