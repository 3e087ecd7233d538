/*
 * engine.h - what the rest of the program sees of Lua: run this script, tell what it did.
 *
 * Whether a run may kill is decided here, by the caller of das_engine_run(), and kept where no
 * script can reach it.
 */
#ifndef DAS_BINDINGS_ENGINE_H
#define DAS_BINDINGS_ENGINE_H

#include <stdio.h>

#include "bindings/limits.h"
#include "core/base/secret.h"
#include "core/plan/plan.h"
#include "core/session/render.h"
#include "core/source/inventory.h"

struct das_engine_opts {
    const char *path;                  /* the script; "-" is standard input */
    const char *const *args;           /* the script's own arguments */
    size_t arg_count;
    struct das_inventory *inventory;   /* what it may touch */
    const struct das_protect *protect; /* from the configuration; may be NULL */
    bool armed;                        /* false: every apply is a dry run */
    enum das_output output;            /* how print() shows previews, plans and reports */
    size_t width;                      /* of a table, in cells; 0: no limit */
    const struct das_limits *limits;   /* NULL: das_limits_default */
    const struct das_grants *grants;   /* NULL: preview and kill */
    const struct das_secrets *secrets; /* where das.secret() looks; may be NULL */
    FILE *out;                         /* where print() writes */
    FILE *log;                         /* where a preview's warnings go, each once; NULL: nowhere */
};

/* What a run did, also when it failed half way. */
struct das_engine_result {
    size_t applied;              /* plans applied */
    size_t totals[DAS_O_COUNT];  /* outcomes over all of them */
};

/* 0 when the script ran to its end. Else -1: DAS_E_SCRIPT for an error in it, with script:line. */
int das_engine_run(const struct das_engine_opts *opts, struct das_engine_result *result,
                   struct das_err *err);

#endif
