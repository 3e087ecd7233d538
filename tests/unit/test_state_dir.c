/* test_state_dir.c - where the state directory is: the configuration, systemd, root, the user. */
#include "core/cli/state.h"

#include <unistd.h>

#include "tests/unit/tap.h"

static struct das_err err;

static const char *dir_of(const char *configured)
{
    static char out[1000];
    struct das_buf b = {0};

    das_buf_str(&b, "left over");
    snprintf(out, sizeof out, "%s", das_state_dir(configured, &b, &err) < 0 ? err.msg : b.ptr);
    das_buf_clear(&b);
    return out;
}

int main(void)
{
    bool root = geteuid() == 0;

    setenv("HOME", "/home/alice", 1);
    unsetenv("STATE_DIRECTORY");
    unsetenv("XDG_STATE_HOME");
    if (root) {
        is_str(dir_of(NULL), "/var/lib/das", "root");
        must(seteuid(65534) == 0, "not root any more");
    }
    is_str(dir_of(NULL), "/home/alice/.local/state/das", "a user");
    is_str(dir_of(""), "/home/alice/.local/state/das", "an empty setting is none");
    setenv("XDG_STATE_HOME", "/x", 1);
    is_str(dir_of(NULL), "/x/das", "with XDG_STATE_HOME");
    setenv("XDG_STATE_HOME", "x", 1);
    is_str(dir_of(NULL), "/home/alice/.local/state/das", "which is no relative path");
    setenv("STATE_DIRECTORY", "", 1);
    is_str(dir_of(NULL), "/home/alice/.local/state/das", "systemd without a directory");
    setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
    is_str(dir_of(NULL), "/var/lib/one", "systemd's first");
    is_str(dir_of("/srv/das"), "/srv/das", "the configuration comes first");
    unsetenv("STATE_DIRECTORY");
    unsetenv("HOME");
    is_str(dir_of(NULL), "no state directory: set HOME, or state in the configuration", "nowhere");
    if (root)
        must(seteuid(0) == 0, "root again, for the sanitizers");
    return tap_done();
}
