/* cli.h - what the subcommands share. Each cmd_*.c is one subcommand and returns an exit code. */
#ifndef DAS_CLI_CLI_H
#define DAS_CLI_CLI_H

#include <getopt.h>

#include "bindings/engine.h"
#include "bindings/limits.h"
#include "core/base/secret.h"
#include "core/plan/protect.h"
#include "core/session/render.h"
#include "core/source/inventory.h"

enum das_exit {
    DAS_EXIT_DONE = 0,
    DAS_EXIT_FAILED = 1,
    DAS_EXIT_USAGE = 2,   /* usage or configuration */
    DAS_EXIT_PARTIAL = 4, /* some of what was asked was done, some failed */
    DAS_EXIT_BLOCKED = 5, /* a guard said no */
    DAS_EXIT_UNKNOWN = 8, /* a kill was sent and its outcome is not known */
};

/* The options that every subcommand knows. */
struct das_common {
    struct das_inventory *inventory;
    struct das_protect protect;
    struct das_rules rules;
    struct das_secrets secrets;
    const char *config; /* --config, or NULL */
    const char **instances;
    size_t instance_count;
    enum das_output output;
};

int das_common_init(struct das_common *c, struct das_err *err);
void das_common_clear(struct das_common *c);

#define DAS_COMMON_SHORT "hi:o:"
#define DAS_COMMON_LONG                                                                            \
    {"help", no_argument, NULL, 'h'}, {"instance", required_argument, NULL, 'i'},                  \
        {"output", required_argument, NULL, 'o'},                                                  \
    {                                                                                              \
        "config", required_argument, NULL, 1000                                                    \
    }

/* One option: 1 when it was a common one, 0 when not, -1 with err. */
int das_common_option(struct das_common *c, int option, const char *value, struct das_err *err);
/* After the options: reads the configuration and chooses the instances. */
int das_common_finish(struct das_common *c, struct das_err *err);

/* What getopt_long() refused, with a suggestion. Fills err and returns -1. */
int das_bad_option(int result, char **argv, const struct option *known, struct das_err *err);

/* "das preview: MESSAGE" on stderr; returns the exit code that fits. */
int das_complain(const char *command, const struct das_err *err);

/* What plans did: the exit code that fits (failed: a script raised, or was ended), one line for the
 * person at the terminal, and the list of kills, for a run that did not end well. */
int das_outcome_exit(const struct das_engine_result *r, bool failed);
void das_say_summary(const char *command, const struct das_engine_result *r, bool armed);
void das_say_acts(const char *command, const struct das_engine_result *r);

size_t das_terminal_width(void); /* cells for a table on stdout */

int das_cmd_run(int argc, char **argv);
int das_cmd_preview(int argc, char **argv);
int das_cmd_check(int argc, char **argv);
int das_cmd_repl(int argc, char **argv);
int das_cmd_audit(int argc, char **argv);
int das_cmd_plan(int argc, char **argv);

#endif
