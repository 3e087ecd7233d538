/* approval_cli.h - what das approve and das approvals share: carrying out at a terminal. */
#ifndef DAS_CLI_APPROVAL_CLI_H
#define DAS_CLI_APPROVAL_CLI_H

#include <stdatomic.h>

#include "core/approval/approval.h"
#include "core/cli/cli.h"

struct das_approval_cli {
    const char *command;
    struct das_common common;
    struct das_store *store;
    struct das_vault vault;
    struct das_approval_means means;
    const atomic_int *interrupt;
    char who[64];                    /* at the terminal */
    const struct das_person *person; /* the same in das.lua; NULL: nobody */
};

/* Of a zeroed one, after das_common_finish(): store, secrets, who is at the terminal. */
int das_approval_cli_open(struct das_approval_cli *c, struct das_err *err);
void das_approval_cli_close(struct das_approval_cli *c);

/* The request, or DAS_E_USAGE. */
int das_approval_cli_get(struct das_approval_cli *c, const char *id, struct das_approval **out,
                         struct das_err *err);
/* Does what is due for it, tells its channel, and prints the report of what was killed. */
int das_approval_cli_carry(struct das_approval_cli *c, const char *id, enum das_approval_fate *fate,
                           int *code, struct das_err *err);
/* Sends what waits to be sent. Never fails: it stays in the outbox. */
void das_approval_cli_deliver(struct das_approval_cli *c);
/* A request as it is, for people or as a JSON object. */
void das_approval_cli_show(const struct das_approval *a, bool json, struct das_buf *b);

#endif
