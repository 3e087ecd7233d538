/*
 * client.h - asks a web server and hands over what it answered.
 *
 * Only http and https; certificates always verified; no proxy, cookies, netrc or anything else from
 * the environment. Redirects are followed here, one exchange each, so that every hop passes the
 * same checks: host (the guard), address (address.h), scheme. What the guard does not allow does
 * not happen. One client serves one thread at a time and keeps its connections open between calls.
 */
#ifndef DAS_HTTP_CLIENT_H
#define DAS_HTTP_CLIENT_H

#include "core/http/message.h"

#define DAS_HTTP_HOST_MAX 255

struct das_http_client;

struct das_http_client *das_http_client_new(struct das_err *err);
void das_http_client_free(struct das_http_client *c);

/* From here on nothing is connected to: answer tells what a server would, for what must not leave the
 * process. It is asked for one exchange with one host, after the guard has said yes: redirects,
 * retries and their waits are the client's as ever. req has the URL, method, headers and body of
 * this exchange; resp is empty. 0; or err and one of enum das_http_silence. */
enum das_http_silence {
    DAS_HTTP_FINAL = -1,   /* no answer, nor if asked again */
    DAS_HTTP_SILENT = 1,   /* it was sent, and no answer came: another attempt may have one */
    DAS_HTTP_UNSENT = 2,   /* no connection: another attempt may have one */
};
void das_http_client_answered_by(struct das_http_client *c,
                                 int (*answer)(void *arg, const struct das_http_request *req,
                                               struct das_http_response *resp,
                                               struct das_err *err),
                                 void *arg);

/* From here on heard is told of every exchange that went out, once it is over: req as for answer, but
 * without headers; result is what answer would give. */
void das_http_client_heard_by(struct das_http_client *c,
                              void (*heard)(void *arg, const struct das_http_request *req,
                                            const struct das_http_response *resp, int result,
                                            const struct das_err *err),
                              void *arg);

/* What its user allows. Each is called on the caller's thread; ctx is theirs. */
struct das_http_guard {
    void *ctx;
    /* Before each exchange: may host be asked once more? *inside: also when its address is
     * loopback or in a private network. -1 and err: no, and the call ends with that error. */
    int (*begin)(void *ctx, const char *host, bool *inside, struct das_err *err);
    /* So many bytes are about to be sent, or came in. -1 and err ends the call. */
    int (*spend)(void *ctx, uint64_t bytes, struct das_err *err);
    /* Milliseconds that the call may still take; 0 ends it within a tenth of a second. */
    int64_t (*left_ms)(void *ctx);
};

/* Any status is an answer: 0. Else -1:
 *   DAS_E_USAGE    the URL is none
 *   DAS_E_TIMEOUT  no connection or answer in time, or the guard's time is up
 *   DAS_E_CONNECT  no address, no connection, no trust, or the connection was lost
 *   DAS_E_DENIED   the address, or where a redirect leads, is not allowed
 *   DAS_E_DATA     the answer is too long, or no proper HTTP
 * and whatever the guard says. resp->attempts and time_ms are set in any case. Messages name the
 * origin, never the path, the query or a header: those may hold secrets. */
int das_http_perform(struct das_http_client *c, const struct das_http_request *req,
                     const struct das_http_guard *guard, struct das_http_response *resp,
                     struct das_err *err);

/* How long to wait before retry number n (1, 2, ...). asked_ms is the server's Retry-After or -1,
 * random 0 to UINT32_MAX. -1: do not retry, the server asked for more than the policy allows. */
int64_t das_http_backoff(const struct das_http_retry *retry, int n, int64_t asked_ms,
                         uint32_t random);

#endif
