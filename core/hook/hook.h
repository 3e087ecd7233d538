/*
 * hook.h - the hooks of the configuration: where requests come in, how they are verified, who may
 * ask for what, and what it runs.
 *
 * Holds places of secrets, never a value (keys.h reads them). Filled by bindings/config_hooks.c.
 */
#ifndef DAS_HOOK_HOOK_H
#define DAS_HOOK_HOOK_H

#include <jansson.h>

#include "core/approval/people.h"
#include "core/base/secret.h"
#include "core/hook/command.h"
#include "core/hook/hook_verify.h"
#include "core/notify/channel.h"

#define DAS_HOOK_PATH_MAX 200
#define DAS_HOOK_PARAMS_MAX 24
#define DAS_HOOK_TIMEOUT_MS 60000 /* of a script, the default */

/* --- commands --------------------------------------------------------------------------------- */

enum das_hook_type {
    DAS_HOOK_STRING,
    DAS_HOOK_INTEGER,
    DAS_HOOK_DURATION, /* "90s", "5m": seconds for the script */
    DAS_HOOK_CHOICE,   /* one of choices */
    DAS_HOOK_INSTANCE, /* a name of an instance that the hook may touch */
    DAS_HOOK_TYPES
};
extern const char *const das_hook_type_names[DAS_HOOK_TYPES]; /* "string", ... */

struct das_hook_param {
    char *name;
    enum das_hook_type type;
    bool required;
    bool immutable; /* its value is the default, and nobody may say another */
    char *fallback; /* the default, as somebody would write it; NULL: none */
    char **choices;
    size_t choice_count;
    int64_t least, most; /* of integers, durations (s), and bytes of a string */
};

/* Who may: anybody with one of the roles, and those users. */
struct das_hook_allow {
    char **roles, **users;
    size_t role_count, user_count;
};

struct das_hook_command {
    char *name;
    char *script; /* absolute */
    char *help;   /* one line; NULL: none */
    struct das_hook_param params[DAS_HOOK_PARAMS_MAX];
    size_t param_count;
    struct das_hook_allow allow; /* besides the hook's; empty: nothing more is asked for */
};

/* --- hooks ------------------------------------------------------------------------------------ */

struct das_hook_places {
    struct das_secret_place items[DAS_HOOK_LIST_MAX];
    size_t count;
};

struct das_hook {
    char *name, *path; /* "slack", "/hooks/slack" */
    enum das_hook_platform platform;

    /* how it is verified: with these fields of struct das_hook_conf */
    struct das_hook_places secrets, tokens, encrypt_keys, public_keys, passwords;
    char *user, *receive_id, *signature_header, *timestamp_header, *id_header;
    char **origins;
    size_t origin_count;
    int64_t rate, window_s;
    bool batch;

    char *script; /* of all that is no command; NULL: there are only commands */
    struct das_hook_command *commands;
    size_t command_count;
    struct das_hook_allow allow;
    char **instances; /* "orders", "tag:prod", "*"; none: all of das serve */
    size_t instance_count;

    char *channel;      /* of channels: for replies where the platform has no place for them */
    char **reply_hosts; /* where a reply may go that the request names; none: the platform's own */
    size_t reply_host_count;
    bool insecure;      /* replies also without TLS */
    int64_t timeout_ms; /* of a script */
};

struct das_hooks {
    struct das_hook *items;
    size_t count;
};

void das_hooks_clear(struct das_hooks *h);
/* One more, all zero but timeout_ms; until the next is added. NULL: DAS_E_CONFIG (a name that is
 * there, or is none), no memory. */
struct das_hook *das_hooks_add(struct das_hooks *h, const char *name, struct das_err *err);
/* Is it complete, and does it fit together with those before it? DAS_E_CONFIG, naming the field:
 * "hooks.slack.verify.secrets: ...". */
int das_hook_settle(const struct das_hooks *all, const struct das_hook *h, struct das_err *err);

/* By path, exactly; NULL: there is none. h may be NULL. */
const struct das_hook *das_hooks_at(const struct das_hooks *h, struct das_text path);
const struct das_hook_command *das_hook_find_command(const struct das_hook *h, const char *name);

/* Do people write to it (slack, feishu, ...)? Else machines do. */
bool das_hook_is_chat(enum das_hook_platform p);
/* The word of das_people_words for its users; NULL: it has none. */
const char *das_hook_people_word(enum das_hook_platform p);

/* x (NULL: nobody) may use the hook, and the command (NULL: its script). */
bool das_hook_allows(const struct das_hook *h, const struct das_hook_command *c,
                     const struct das_person *x);

/* --- arguments -------------------------------------------------------------------------------- */

/* Does h reach an instance of that name? */
struct das_hook_reach {
    bool (*knows)(void *arg, const char *instance);
    void *arg;
};

/* What the person wrote as values of the parameters: an object with strings and whole numbers, to
 * be released. Words take the parameters in their order, without those that are immutable. NULL:
 * DAS_E_USAGE, a sentence for the person. c NULL: nothing is declared, and all is text. */
json_t *das_hook_args(const struct das_hook_command *c, const struct das_hook_line *line,
                      const struct das_hook_reach *reach, struct das_err *err);
/* One line for a person: "preview instance=NAME [time=DURATION] ..." */
void das_hook_usage(const struct das_hook_command *c, struct das_buf *b);

/* The parameter's default, checked as what somebody wrote. DAS_E_USAGE. */
int das_hook_check_param(const struct das_hook_param *p, struct das_err *err);

#endif
