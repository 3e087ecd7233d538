/*
 * serve_conf.h - what das.lua says about `das serve`, in the table serve (config.h). Filled by
 * config_serve.c, read by core/serve.
 */
#ifndef DAS_BINDINGS_SERVE_CONF_H
#define DAS_BINDINGS_SERVE_CONF_H

#include "core/plan/guard.h"

#define DAS_SERVE_LISTEN_MAX 8

/* Owned texts; NULL: not said. */
struct das_serve_conf {
    char *listen[DAS_SERVE_LISTEN_MAX]; /* "127.0.0.1:7070", "[::1]:7070"; none: the first one */
    size_t listen_count;
    char *certificate, *key; /* PEM files; both or none */
    bool insecure;           /* plain HTTP also on addresses that other machines reach */
    char *region;            /* as clients call it in V11 signatures; NULL: "local" */
    char *url;               /* where people reach it: "https://das.example.com"; NULL: no links */
    char *project;           /* 32 letters and digits; NULL: 32 times "0" */

    int64_t task_every_ms; /* between two rounds of a task; 5 s */
    int64_t share_ms;      /* so old may the list be that a preview is made from; 250 ms */

    int64_t connections;             /* at once, 1,024 */
    int64_t connections_per_address; /* 128 */
    uint64_t header_bytes;           /* request line and headers, 16 KB */
    uint64_t body_bytes;             /* 256 KB */
    int64_t deadline_ms; /* from the first moment a request may come to its last byte read, and as
                            long again until its answer is taken; 30 s */
    int64_t drain_ms;    /* how long a stopping server waits for what is in flight; 30 s */
    int64_t hook_workers; /* scripts of hooks at once; 4 */
    int64_t hook_queue;   /* requests that wait for one; 64 */
    int64_t workers;     /* how many scheduled policies run at once; 8 */
    double rate;         /* requests a second and key; 100; 0: as fast as they come */

    struct das_policy_rules policy; /* of tasks and kills that clients ask for; owns its lists */
};

void das_serve_conf_init(struct das_serve_conf *c); /* the defaults */
void das_serve_conf_clear(struct das_serve_conf *c);

/* These addresses and no others: numeric, or localhost, each with a port (0: any). One that is not
 * loopback needs certificate or insecure, which are set before. DAS_E_CONFIG, and the message begins
 * with "listen: "; what was in c is then gone. */
int das_serve_conf_listen(struct das_serve_conf *c, const char *const *list, size_t n,
                          struct das_err *err);

#endif
