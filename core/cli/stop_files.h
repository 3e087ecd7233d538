/*
 * stop_files.h - where the off switch may lie. Any one of these files that is there stops every
 * kill (core/plan/guard.h). Nothing is read here but the environment.
 */
#ifndef DAS_CLI_STOP_FILES_H
#define DAS_CLI_STOP_FILES_H

#include <stddef.h>

#include "core/base/err.h"

/* Each once, ends with NULL, das_stop_files_free() frees it:
 *   /run/das/STOP                     of the whole machine
 *   $RUNTIME_DIRECTORY/STOP           of a systemd unit (the first entry)
 *   $XDG_RUNTIME_DIR/das/STOP         of this user
 *   $XDG_STATE_HOME/das/STOP          of this user, but not for root; without the variable
 *                                     ~/.local/state/das/STOP: cron jobs have no XDG_RUNTIME_DIR
 *   /etc/das/STOP                     beside the machine's configuration
 *   STOP beside config_path           NULL: no configuration in use
 *   $DAS_STOP_DIR/STOP                one more, which can only add a place to look
 */
int das_stop_files(const char *config_path, char ***out, size_t *count, struct das_err *err);
void das_stop_files_free(char **files); /* NULL is fine */

#endif
