/* state.h - where das keeps what it has to remember: the journal, counts, breakers. */
#ifndef DAS_CLI_STATE_H
#define DAS_CLI_STATE_H

#include "core/base/buf.h"

/* The state directory, into out (which is emptied first): the configured one (NULL or "": none),
 * else systemd's $STATE_DIRECTORY (its first), else /var/lib/das for root, else
 * $XDG_STATE_HOME/das, else ~/.local/state/das. Looks at nothing on the disk. */
int das_state_dir(const char *configured, struct das_buf *out, struct das_err *err);

#endif
