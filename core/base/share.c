/* share.c - see share.h. Whoever may replace the program may replace what is found here, so it is
 * looked for from the program itself and from nothing that the environment says. */
#include "core/base/share.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool das_share_dir(struct das_buf *path)
{
    static const char *const below[] = {"share/das", "scripts"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    struct stat st;
    char *slash;

    if (n <= 0)
        return false;
    self[n] = '\0';
    for (int up = 0; up < 2; up++) { /* of bin/das its parent's parent */
        slash = strrchr(self, '/');
        if (!slash)
            return false;
        *slash = '\0';
    }
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        das_buf_reset(path);
        das_buf_printf(path, "%s/%s", self, below[i]);
        if (!path->failed && stat(path->ptr, &st) == 0 && S_ISDIR(st.st_mode))
            return true;
    }
    return false;
}
