/*
 * outbox.h - messages that are to be sent: a queue that outlives the process, one line a channel.
 *
 * What is added is on the disk; whoever runs takes what is due and says what became of it. One that
 * died in between leaves a claim that ends by itself: a message is sent at least once, and its
 * delivery id is the same each time. What a message is, and how it is sent, is not known here.
 */
#ifndef DAS_STORE_OUTBOX_H
#define DAS_STORE_OUTBOX_H

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/store/store.h"

#define DAS_DELIVERY_SIZE 32       /* "msg_" and 24 hex digits */
#define DAS_OUTBOX_MAX 10000       /* waiting messages of a channel */
#define DAS_OUTBOX_DIGEST 200      /* messages that one digest takes */
#define DAS_OUTBOX_CLAIM_MS 120000 /* how long whoever took a message has for it */
#define DAS_OUTBOX_KEEP_MS ((int64_t)14 * 86400 * 1000) /* what became of it */

enum das_outbox_state { DAS_OUTBOX_WAITING, DAS_OUTBOX_SENT, DAS_OUTBOX_FAILED };
const char *das_outbox_state_name(enum das_outbox_state s); /* "waiting", "sent", "failed" */

struct das_outbox_new {
    const char *channel;
    struct das_text message;
    struct das_text dedup; /* empty: none */
    int64_t dedup_ms;      /* so long the same key with the same event is the same message */
    int64_t event;
    int64_t expire_ms; /* after so long it is not worth sending */
    bool alone;        /* in no digest */
};
/* 1: it waits; 0: the same was added before, and is counted there; -1 (DAS_E_BUSY: too many wait).
 * id is the delivery's, or of the one before. */
int das_outbox_add(struct das_store *s, const struct das_outbox_new *m, int64_t now_ms,
                   char id[DAS_DELIVERY_SIZE], struct das_err *err);

/* How a channel may be used. */
struct das_outbox_pace {
    int64_t burst, every_ms; /* so many at once, and one more each every_ms */
    int64_t digest_ms; /* at most one message in so long, with all that came; 0: each by itself */
};

struct das_outbox_item {
    int64_t id;
    char delivery[DAS_DELIVERY_SIZE];
    char *message; /* owned, with a NUL behind it */
    size_t message_len;
    int64_t created_ms, tries; /* with this one */
    int64_t repeats;           /* how often it was said again */
};
struct das_outbox_take {
    struct das_outbox_item *items; /* oldest first; more than one: a digest */
    size_t count;
    int64_t expired; /* messages whose time was over, which are failed now */
    int64_t next_ms; /* nothing taken: when to look again, Unix; INT64_MAX: nothing waits */
};
void das_outbox_take_clear(struct das_outbox_take *t);

/* 1: what is due on the channel is this caller's for DAS_OUTBOX_CLAIM_MS, and counts for the pace;
 * 0: nothing; -1. Clear in any case. */
int das_outbox_claim(struct das_store *s, const char *channel, const struct das_outbox_pace *pace,
                     int64_t now_ms, struct das_outbox_take *out, struct das_err *err);

/* What became of all that was taken. Texts may be "". */
int das_outbox_sent(struct das_store *s, const struct das_outbox_take *t, const char *ref,
                    int64_t now_ms, struct das_err *err);
/* Nothing of the channel is sent before until_ms. */
int das_outbox_later(struct das_store *s, const struct das_outbox_take *t, const char *channel,
                     int64_t until_ms, const char *code, const char *words, struct das_err *err);
int das_outbox_failed(struct das_store *s, const struct das_outbox_take *t, int64_t now_ms,
                      const char *code, const char *words, struct das_err *err);

/* What the platform calls the message of that delivery on that channel: 1, or 0 where there is none
 * such, it was not sent, or it has no name. ref has size bytes. */
int das_outbox_ref(struct das_store *s, const char *channel, const char *delivery, char *ref,
                   size_t size, struct das_err *err);

/* The message of that delivery, appended: 1, or 0 where there is none any more. */
int das_outbox_message(struct das_store *s, const char *delivery, struct das_buf *out,
                       struct das_err *err);

struct das_outbox_row {
    int64_t id;
    const char *delivery, *channel, *code, *error, *ref, *part_of;
    struct das_text dedup, message;
    enum das_outbox_state state;
    bool claimed; /* somebody is sending it just now */
    int64_t created_ms, due_ms, expires_ms, ended_ms, tries, repeats;
};
/* Newest first, so many at the most; of a channel (NULL: of all), in that state (-1: in any).
 * Anything but 0 of fn ends the walk and is returned. */
typedef int das_outbox_fn(void *arg, const struct das_outbox_row *r);
int das_outbox_each(struct das_store *s, const char *channel, int state, int64_t now_ms,
                    int64_t max, das_outbox_fn *fn, void *arg, struct das_err *err);
/* How many are in that state, of all channels. */
int das_outbox_count(struct das_store *s, enum das_outbox_state state, int64_t *out,
                     struct das_err *err);
/* Forgets what has ended longer ago than DAS_OUTBOX_KEEP_MS. */
int das_outbox_purge(struct das_store *s, int64_t now_ms, struct das_err *err);

#endif
