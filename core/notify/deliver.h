/*
 * deliver.h - messages on their way: into the outbox, and out of it when a channel may be used.
 *
 * Whoever runs calls das_deliver(): a run at its end, a server all the time. What does not get
 * through is tried again, less and less often, until it is sent, too old, or was tried too often;
 * then it stays as failed and is said.
 */
#ifndef DAS_NOTIFY_DELIVER_H
#define DAS_NOTIFY_DELIVER_H

#include "core/notify/send.h"
#include "core/store/outbox.h"

/* 1: it waits to be sent; 0: the same was said lately, and is not said again; -1: DAS_E_USAGE (the
 * channel cannot take it), DAS_E_BUSY (too many wait), DAS_E_STORE. id is the delivery's, by which
 * a later message can edit or answer it. */
int das_notice_queue(struct das_store *s, const struct das_channel *ch, const struct das_notice *n,
                     char id[DAS_DELIVERY_SIZE], struct das_err *err);

/* Only what das_outbox_add() would be given: for who puts it there together with something else. m
 * borrows from all of them. -1: DAS_E_USAGE. */
int das_notice_wrap(const struct das_channel *ch, const struct das_notice *n, struct das_buf *text,
                    struct das_outbox_new *m, struct das_err *err);

/* The secret name of a message's page, DELIVERY.KEY: KEY is of the message as it is stored, so that
 * only who has seen the link, or all of the message, knows it. */
#define DAS_PAGE_NAME_SIZE (DAS_DELIVERY_SIZE + 33)
int das_message_page(const char *delivery, struct das_text message, char out[DAS_PAGE_NAME_SIZE],
                     struct das_err *err);

struct das_delivered {
    size_t sent, later, failed; /* messages */
    int64_t next_ms;            /* when to look again, Unix; INT64_MAX: nothing waits */
};

/* One attempt is over. */
struct das_delivery {
    const struct das_channel *channel;
    const char *id;
    size_t count; /* messages in it; more than 1: a digest */
    int64_t tries;
    enum das_verdict_kind kind; /* DAS_SENT, DAS_LATER, or DAS_REFUSED: given up */
    const char *code, *words;
    int64_t until_ms; /* later: not before, Unix */
};

struct das_delivering {
    struct das_sender *sender;
    const struct das_channels *channels;
    int64_t budget_ms; /* no attempt is begun after that, and none lasts longer */
    const atomic_int *cancel; /* not 0: end soon; or NULL */
    /* On the caller's thread; may be NULL. */
    void (*said)(void *arg, const struct das_delivery *d);
    void *arg;
};
/* Sends what is due, channels in turn. -1: the store failed. */
int das_deliver(const struct das_delivering *d, struct das_store *s, struct das_delivered *out,
                struct das_err *err);

#endif
