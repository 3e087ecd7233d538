/* state.h - where the state directory is: the journal, the counts, what is remembered of policies. */
#ifndef DAS_CLI_STATE_H
#define DAS_CLI_STATE_H

#include "core/base/buf.h"

/* configured (may be NULL); else $STATE_DIRECTORY (systemd, its first entry), for root /var/lib/das,
 * $XDG_STATE_HOME/das, ~/.local/state/das. Replaces what is in out. DAS_E_CONFIG when there is none
 * of them. Makes nothing. */
int das_state_dir(const char *configured, struct das_buf *out, struct das_err *err);

#endif
