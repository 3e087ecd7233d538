/*
 * runbook.h - carries a runbook on: from its start, or from where an earlier process left it, until
 * it ends or waits. For the command line, das serve and whoever starts runbooks for people.
 */
#ifndef DAS_BINDINGS_RUNBOOK_H
#define DAS_BINDINGS_RUNBOOK_H

#include "bindings/engine.h"
#include "core/store/runbook.h"

/* The SHA-256 of the script at path, as das_runbook_claim() wants it. */
int das_runbook_hash(const char *path, char out[DAS_SHA256_HEX], struct das_err *err);

/* As das_engine_run() with opts->runbook = go and opts->store = go->store, both set here, and keeps
 * in the store how the run ended. A script that calls no das.runbook{} is DAS_E_USAGE. With
 * DAS_END_CANCELLED (by opts->cancel) the run was interrupted and can go on; with DAS_END_WAITING the
 * store says whether it waits, or a step's outcome is unknown. */
int das_runbook_run(struct das_engine_opts *opts, struct das_runbook_go *go,
                    struct das_engine_result *result, struct das_err *err);

/* For tests: the same, but a script that is no runbook is run as das_engine_run() does, and a run that
 * would wait is cancelled then, so that another one can begin. */
int das_runbook_try(struct das_engine_opts *opts, struct das_runbook_go *go,
                    struct das_engine_result *result, struct das_err *err);

/* go for a run that was claimed; borrows from r. */
void das_runbook_resumed(struct das_runbook_go *go, const struct das_runbook *r);

#endif
