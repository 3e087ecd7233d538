/*
 * limits.h - what one run may use up, and what it may touch. Decided before the script starts, by
 * the configuration; a script cannot raise either.
 */
#ifndef DAS_BINDINGS_LIMITS_H
#define DAS_BINDINGS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindings/serve_conf.h"
#include "core/approval/people.h"
#include "core/hook/hook.h"
#include "core/notify/channel.h"
#include "core/plan/guard.h"

struct das_limits {
    uint64_t memory;        /* bytes of Lua values; 64 MB */
    int64_t cpu_ms;         /* processor time of the script's thread; 5 s */
    int64_t wall_ms;        /* from start to end; 60 s */
    uint64_t instructions;  /* of the Lua machine; 0: no limit of its own */
    uint64_t output;        /* bytes written by print; 16 MB */
    uint64_t http_requests; /* 100 */
    uint64_t http_bytes;    /* sent and received; 16 MB */
};
extern const struct das_limits das_limits_default;

/* Capabilities by name: "preview", "kill", "stop" (the off switch), "runbook" (a hook's script begins them), "notify" (any channel) or "notify:CHANNEL", "http" (any public host) or "http:HOST" (HOST
 * may begin with "*."), "secret:NAME", "instance:NAME", "tag:TAG", "cloud:NAME" (what an account can
 * list), "cloud_kill" (what ends sessions at the cloud without a plan). */
struct das_grants {
    char **names;
    size_t count;
};

/* Is what among them? what is one exact name, such as "secret:slack"; grants NULL: the default of a
 * run from the command line, which is preview and kill. */
bool das_granted(const struct das_grants *grants, const char *what);

/* The rules of the configuration: for every script, and for single ones. */
struct das_script_rules {
    struct das_limits limits;
    const struct das_grants *grants; /* NULL: the default */
    const struct das_policy_rules *policy; /* how far it may go, and how much it may kill */
    int64_t every_ms;                /* how often it is run, for a replay; 0: not said */
};

struct das_schedule_conf;

struct das_rules {
    struct das_limits limits; /* of scripts that have none of their own */
    struct das_script_entry {
        char *path; /* absolute, links resolved; or "*" */
        struct das_limits limits;
        struct das_grants grants;
        bool has_grants;
        struct das_policy_rules policy; /* owns its lists */
        int64_t every_ms; /* how often it is run, for a replay; 0: not said */
    } *scripts;
    size_t count;
    struct das_policy_rules policy; /* of scripts that have none of their own; owns its lists */
    char *state_dir;                /* as configured, or NULL */
    struct das_channels channels;   /* where messages go */
    struct das_people people;       /* who is who */
    struct das_hooks hooks;         /* what das serve takes from chats and alerts */
    struct das_serve_conf serve;    /* its policy starts as a copy of the one above */
    struct das_schedule_conf *schedule; /* what das serve runs by itself (schedule_conf.h); NULL:
                                           nothing */
};
/* A copy that owns its lists. to is to be cleared, also after an error. */
int das_policy_rules_copy(struct das_policy_rules *to, const struct das_policy_rules *from,
                          struct das_err *err);
void das_policy_windows_clear(struct das_policy_rules *p);
void das_policy_rules_clear(struct das_policy_rules *p);

void das_script_entry_clear(struct das_script_entry *e);
void das_rules_init(struct das_rules *r);
void das_rules_clear(struct das_rules *r);
/* What holds for the script at path; NULL: of what is no file. Borrows from r. */
void das_rules_for(const struct das_rules *r, const char *path, struct das_script_rules *out);

#endif
