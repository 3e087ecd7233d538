/*
 * channel.h - where messages go: the channels of the configuration, and which kinds there are.
 *
 * A channel holds places of secrets, never a value. Whether one is complete is decided when the
 * configuration is read.
 */
#ifndef DAS_NOTIFY_CHANNEL_H
#define DAS_NOTIFY_CHANNEL_H

#include "core/base/secret.h"
#include "core/notify/notice.h"

/* What a channel may have, under these names in das.lua. */
enum das_channel_secret {
    DAS_CHANNEL_URL,      /* url: a webhook's; who knows it may post */
    DAS_CHANNEL_TOKEN,    /* token: of a bot, bearer, routing key */
    DAS_CHANNEL_SECRET,   /* secret: what requests are signed with, or of an app */
    DAS_CHANNEL_PASSWORD, /* password */
    DAS_CHANNEL_SECRETS
};
enum das_channel_text {
    DAS_CHANNEL_ENDPOINT, /* endpoint: of the API, where it is not the platform's own */
    DAS_CHANNEL_CHANNEL,  /* channel: id of the channel or chat to post to */
    DAS_CHANNEL_APP,      /* app: its id */
    DAS_CHANNEL_USER,     /* user */
    DAS_CHANNEL_FROM,     /* from: address of mails */
    DAS_CHANNEL_SOURCE,   /* source: what the platform is told to be the origin */
    DAS_CHANNEL_CALLBACK, /* callback: address that buttons call, where each message has to say it
                           */
    DAS_CHANNEL_TEXTS
};
extern const char *const das_channel_secret_names[DAS_CHANNEL_SECRETS];
extern const char *const das_channel_text_names[DAS_CHANNEL_TEXTS];

struct das_kind; /* kind.h */

struct das_channel {
    char *name;
    const struct das_kind *kind;
    struct das_secret_place secrets[DAS_CHANNEL_SECRETS]; /* where NULL: none */
    char *texts[DAS_CHANNEL_TEXTS];                       /* NULL: none */
    char **to;                                            /* addresses of mails */
    size_t to_count;
    char *ca;          /* a file of trusted CA certificates; NULL: the system's */
    bool insecure;     /* also without TLS */
    bool redact;       /* of statements only the shape leaves */
    int64_t rate;      /* messages a minute; 0: the kind's */
    int64_t digest_ms; /* at most one message in so long; 0: each by itself */
    int64_t dedup_ms;  /* how long the same key keeps a second message back */
    int64_t expire_ms; /* how long it is tried to send a message */
    int64_t tries;     /* how often at the most */
    int64_t sessions;  /* shown in a message at the most */
};
extern const struct das_channel das_channel_default;

struct das_channels {
    struct das_channel *items;
    size_t count;
    const char *url; /* of das serve, which shows messages in full (deliver.h); NULL: nowhere. Borrowed */
};

void das_channels_init(struct das_channels *c);
void das_channels_clear(struct das_channels *c);
/* One more, with the defaults and a copy of name; NULL: no memory, a name that is there, or one
 * that is not letters, digits, "_", "-" and ".". Until the next is added. */
struct das_channel *das_channels_add(struct das_channels *c, const char *name, struct das_err *err);
void das_channels_sort(struct das_channels *c); /* by name */
/* NULL and err (DAS_E_USAGE, with the nearest name) when there is none. c may be NULL. */
const struct das_channel *das_channels_find(const struct das_channels *c, const char *name,
                                            struct das_err *err);
/* Which kind of that word it is by what it has, and whether all of it fits: sets ch->kind.
 * DAS_E_CONFIG names the key. */
int das_channel_settle(struct das_channel *ch, const char *kind, struct das_err *err);
/* "slack", "feishu" ...: the word in das.lua; and "bot with chat.postMessage", for people. */
const char *das_channel_word(const struct das_channel *ch);
const char *das_channel_form(const struct das_channel *ch);
/* Can it be sent there? DAS_E_USAGE: buttons where nothing comes back, a value too long for the
 * platform. */
int das_channel_takes(const struct das_channel *ch, const struct das_notice *n,
                      struct das_err *err);

/* Do clicks on buttons come back from there? Can a message that was sent be changed? */
bool das_channel_clicks(const struct das_channel *ch);
bool das_channel_edits(const struct das_channel *ch);

/* A token bucket: so many at once, and one more in every so many ms. */
struct das_pace {
    int64_t burst, every_ms;
};
struct das_pace das_channel_pace(const struct das_channel *ch);

#endif
