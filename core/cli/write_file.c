/* write_file.c - see write_file.h. */
#include "core/cli/write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"

static int write_all(int fd, struct das_text t)
{
    while (t.len) {
        ssize_t n = write(fd, t.ptr, t.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        t.ptr += n;
        t.len -= (size_t)n;
    }
    return 0;
}

void das_sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct das_buf dir = {0};
    int fd;

    if (slash)
        das_buf_add(&dir, path, slash > path ? (size_t)(slash - path) : 1);
    else
        das_buf_char(&dir, '.');
    fd = dir.failed ? -1 : open(dir.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* a file system that cannot do it is no reason to fail */
        close(fd);
    }
    das_buf_clear(&dir);
}

int das_write_file(const char *path, mode_t mode, struct das_text text, struct das_err *err)
{
    struct das_buf temp = {0};
    int fd = -1, rc = -1, saved;

    das_buf_printf(&temp, "%s.XXXXXX", path);
    if (das_buf_ok(&temp, err) < 0)
        goto done;
    fd = mkostemp(temp.ptr, O_CLOEXEC);
    if (fd < 0) {
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
        goto done;
    }
    if (fchmod(fd, mode) == 0 && write_all(fd, text) == 0 && fsync(fd) == 0 &&
        rename(temp.ptr, path) == 0) {
        das_sync_folder_of(path);
        rc = 0;
        goto done;
    }
    saved = errno;
    unlink(temp.ptr);
    das_fail(err, DAS_E_IO, "%s: %s", path, strerror(saved));
done:
    if (fd >= 0)
        close(fd);
    das_buf_clear(&temp);
    return rc;
}
