/*
 * check_config.h - das check of a das.lua: what das would say when it is used, and what it would
 * not say before the night in which it matters.
 *
 *   check_config.c  reads it, and the secrets that it names; the list of hooks, channels, policies
 *   check_rules.c   people, and what scripts need against what they are granted
 */
#ifndef DAS_CLI_CHECK_CONFIG_H
#define DAS_CLI_CHECK_CONFIG_H

#include "core/cli/cli.h"

/* Appends what there is to say to out, as das_check_script() does; a finding without a line is of
 * the whole file. *findings gets their number. script is called with each script that das.lua
 * names, once. -1 when the file cannot be read. */
int das_check_config(const char *path, bool json, struct das_buf *out, size_t *findings,
                     void (*script)(void *arg, const char *path), void *arg, struct das_err *err);

/* --- between its two files -------------------------------------------------------------------- */

struct das_check {
    const char *path;
    bool json;
    struct das_buf *out;
    size_t findings;
    struct das_common common;
    struct das_vault vault;
    const char **scripts; /* of common's rules, each once */
    size_t script_count;
};

__attribute__((format(printf, 4, 5))) void das_check_say(struct das_check *c, const char *severity,
                                                         const char *code, const char *fmt, ...);
int das_check_rules(struct das_check *c, struct das_err *err);

#endif
