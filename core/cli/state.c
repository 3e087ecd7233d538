/* state.c - see state.h. */
#include "core/cli/state.h"

#include <stdlib.h>
#include <unistd.h>

int das_state_dir(const char *configured, struct das_buf *out, struct das_err *err)
{
    const char *systemd = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    das_buf_reset(out);
    if (configured && *configured)
        das_buf_str(out, configured);
    else if (systemd && *systemd == '/')
        das_buf_add(out, systemd, strcspn(systemd, ":"));
    else if (geteuid() == 0)
        das_buf_str(out, "/var/lib/das");
    else if (xdg && *xdg == '/')
        das_buf_printf(out, "%s/das", xdg);
    else if (home && *home == '/')
        das_buf_printf(out, "%s/.local/state/das", home);
    else
        return das_fail(err, DAS_E_CONFIG,
                        "no state directory: expected state = \"/PATH\" in das.lua, or one of "
                        "STATE_DIRECTORY, XDG_STATE_HOME and HOME");
    return das_buf_ok(out, err);
}
