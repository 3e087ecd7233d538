/* runbook_cli.h - what the files of das runbook share; nobody else includes it. */
#ifndef DAS_CLI_RUNBOOK_CLI_H
#define DAS_CLI_RUNBOOK_CLI_H

#include "core/cli/cli.h"
#include "core/store/runbook.h"

enum das_runbook_format { DAS_RF_TABLE, DAS_RF_JSON, DAS_RF_MARKDOWN };

struct das_runbook_job {
    struct das_common common;
    const char **params;
    size_t param_count;
    bool armed, accept_change, wait, open;
    bool quiet; /* das serve: nothing is said, and what the script prints goes nowhere */
    const char *reason, *result, *output;
    enum das_runbook_format format;
    char **args;
    int arg_count;
    struct das_store *store;
    char stranger[80]; /* who is at the terminal, where the name alone would be somebody else's */
};

/* Each: an exit code, or -1 with err. */
typedef int das_runbook_verb(struct das_runbook_job *j, struct das_err *err);
das_runbook_verb das_runbook_cmd_run, das_runbook_cmd_resume; /* runbook_run.c */
das_runbook_verb das_runbook_cmd_list, das_runbook_cmd_show;  /* runbook_show.c */

/* Messages of runs and their questions, as far as they get through now. */
void das_runbook_tell(struct das_runbook_job *j); /* cmd_runbook.c */

/* For das serve: arg is its struct das_common. As in core/serve/runbooks.h. */
int das_runbook_carry_on(void *arg, int64_t id, const atomic_int *cancel, struct das_err *err);

/* The number of a run at args[0]. */
int das_runbook_id(const struct das_runbook_job *j, int64_t *id, struct das_err *err);

#endif
