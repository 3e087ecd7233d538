/*
 * send.h - one message to one channel, now: request, answer, and what became of it.
 *
 * Decides nothing about when and how often (deliver.h does). What it says never holds a secret of
 * the channel, nor a part of its URL behind the host.
 */
#ifndef DAS_NOTIFY_SEND_H
#define DAS_NOTIFY_SEND_H

#include <stdatomic.h>

#include "core/http/client.h"
#include "core/notify/kind.h"

struct das_sender; /* connections, and tokens that platforms gave; of one thread */

struct das_sender *das_sender_new(struct das_err *err);
void das_sender_free(struct das_sender *s); /* NULL is fine */
/* Nothing leaves the process any more (das_http_client_answered_by()); mails are as if taken. */
void das_sender_answered_by(struct das_sender *s,
                            int (*answer)(void *arg, const struct das_http_request *req,
                                          struct das_http_response *resp, struct das_err *err),
                            void *arg);

struct das_sending {
    const struct das_channel *channel;
    const struct das_notice *notice;
    const char *id;     /* of the delivery */
    const char *ref;    /* of the message to be edited, where the platform can; or NULL */
    const char *thread; /* of the message to be answered; or NULL */
    int64_t left_ms;    /* for all of it */
    const atomic_int *cancel; /* not 0: give up within a tenth of a second; or NULL */
};
/* v is filled in any case; whatever goes wrong on the way is a verdict, too. */
void das_sender_send(struct das_sender *s, const struct das_sending *what, struct das_verdict *v);

#endif
