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
    struct das_buf state_dir; /* empty: there is none, das_common_need_state() says why */
    char **stop_files;        /* ends with NULL (stop_files.h) */
    char user[64];            /* das_who(), once das_common_guards() asked */
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

/* The options of one subcommand. take is asked for each but --help; 0 or -1 with err. */
struct das_options {
    const char *help, *letters; /* letters: as for getopt_long(), ":" first, or "+:" */
    const struct option *known;
    int (*take)(void *arg, int option, const char *value, struct das_err *err);
    void *arg;
};
/* 0: what is no option begins at optind; 1: help was printed; -1 with err, which suggests the
 * nearest option. */
int das_options_read(const struct das_options *o, int argc, char **argv, struct das_err *err);

/* One option: 1 when it was a common one, 0 when not, -1 with err. */
int das_common_option(struct das_common *c, int option, const char *value, struct das_err *err);
/* After the options: reads the configuration and chooses the instances. */
int das_common_finish(struct das_common *c, struct das_err *err);
/* -1 and why when there is no state directory: who kills or looks into the journal needs one. */
int das_common_need_state(struct das_common *c, struct das_err *err);
/* The rules for that script as members of opts: limits, policy, off switch, state, who asked. */
void das_common_guards(struct das_common *c, const struct das_script_rules *rules,
                       struct das_engine_opts *opts);

/* Every secret of the configuration, so that none of them gets into the journal. One that cannot be
 * read now is in nobody's hands. */
void das_common_read_secrets(struct das_common *c, struct das_vault *vault);

/* Which das.lua is in use when none was named: 1 and its path, 0 when there is none, or -1. It is
 * not opened. */
int das_find_config(struct das_buf *path, struct das_err *err);

/* The name of the person at the keyboard, also behind sudo; "uid 12" when there is no name. */
void das_who(char *out, size_t size);

/* "das preview: MESSAGE" on stderr; returns the exit code that fits. */
int das_complain(const char *command, const struct das_err *err);

/* What plans did: the exit code that fits (failed: a script raised, or was ended), one line for the
 * person at the terminal, and the list of kills, for a run that did not end well. */
int das_outcome_exit(const struct das_engine_result *r, bool failed);
/* The same of outcomes alone; undone: plans of which nothing could be verified. */
int das_totals_exit(const size_t totals[DAS_O_COUNT], size_t undone, bool failed);
void das_say_summary(const char *command, const struct das_engine_result *r, bool armed);
void das_say_acts(const char *command, const struct das_engine_result *r);

/* Kills of which nobody knows what became of them are said until somebody has looked. */
int das_say_unknown(const char *command, struct das_store *s, struct das_err *err);

size_t das_terminal_width(void); /* cells for a table on stdout */
/* b goes to stdout and is emptied. DAS_E_IO when it could not; what is still in stdio's own buffer
 * main() flushes. */
int das_write_out(struct das_buf *b, struct das_err *err);
/* The state directory into dir: given (--state; then no das.lua is read, so that it works with
 * everything else in ruins), or NULL: that of the configuration. */
int das_common_state_at(struct das_common *c, const char *given, struct das_buf *dir,
                        struct das_err *err);

int das_cmd_run(int argc, char **argv);
int das_cmd_preview(int argc, char **argv);
int das_cmd_explain(int argc, char **argv);
int das_cmd_check(int argc, char **argv);
int das_cmd_import_pt_kill(int argc, char **argv);
int das_cmd_test(int argc, char **argv);
int das_cmd_repl(int argc, char **argv);
int das_cmd_audit(int argc, char **argv);
int das_cmd_plan(int argc, char **argv);
int das_cmd_apply(int argc, char **argv);
int das_cmd_stop(int argc, char **argv);
int das_cmd_resume(int argc, char **argv);
int das_cmd_status(int argc, char **argv);
int das_cmd_cloud(int argc, char **argv);
int das_cmd_notify(int argc, char **argv);
int das_cmd_replay(int argc, char **argv);
int das_cmd_record(int argc, char **argv);
int das_cmd_approve(int argc, char **argv);
int das_cmd_reject(int argc, char **argv);
int das_cmd_approvals(int argc, char **argv);
int das_cmd_serve(int argc, char **argv);
int das_cmd_key(int argc, char **argv);
int das_cmd_runbook(int argc, char **argv);
int das_cmd_token(int argc, char **argv);

#endif
