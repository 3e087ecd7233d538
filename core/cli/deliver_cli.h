/* deliver_cli.h - what a command does about messages that wait: sends what is due, and says so. */
#ifndef DAS_CLI_DELIVER_CLI_H
#define DAS_CLI_DELIVER_CLI_H

#include "core/cli/cli.h"
#include "core/notify/deliver.h"

struct das_deliver_cli {
    const char *command;
    const struct das_channels *channels;
    int64_t budget_ms;
    bool chatty;                /* say what was sent, too */
    const char *id;             /* a delivery whose fate the caller wants to know; or NULL */
    enum das_verdict_kind fate; /* DAS_NEXT: it still waits, and was not tried */
    struct das_delivered out;
};
/* Says on stderr what was not sent. */
int das_deliver_cli(struct das_deliver_cli *d, struct das_store *s, struct das_err *err);

#endif
