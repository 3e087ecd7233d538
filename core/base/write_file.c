/* write_file.c - see write_file.h. */
#include "core/base/write_file.h"

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

int das_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc, saved;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

static void folder_of(const char *path, struct das_buf *b)
{
    const char *slash = strrchr(path, '/');

    if (slash)
        das_buf_add(b, path, slash > path ? (size_t)(slash - path) : 1);
    else
        das_buf_char(b, '.');
}

void das_sync_folder_of(const char *path)
{
    struct das_buf folder = {0};

    folder_of(path, &folder);
    if (!folder.failed)
        das_sync_folder(folder.ptr);
    das_buf_clear(&folder);
}

void das_give_to_owner(const char *folder, const char *path)
{
    struct stat st;

    if (geteuid() == 0 && stat(folder, &st) == 0 && st.st_uid != 0 &&
        lchown(path, st.st_uid, st.st_gid) < 0)
        return; /* root can use it all the same */
}

/* Puts the temporary file in its place; 0, or -1 with errno. */
static int replace(const char *temp, const char *path)
{
    return rename(temp, path);
}

static int place_once(const char *temp, const char *path)
{
    struct das_buf folder = {0};
    int rc = -1;

    folder_of(path, &folder);
    if (folder.failed) {
        errno = ENOMEM;
    } else {
        das_give_to_owner(folder.ptr, temp);
        rc = link(temp, path) == 0 || errno == EEXIST ? das_sync_folder(folder.ptr) : -1;
    }
    das_buf_clear(&folder);
    return rc;
}

static int replace_soon(const char *temp, const char *path)
{
    struct das_buf folder = {0};

    folder_of(path, &folder);
    if (!folder.failed)
        das_give_to_owner(folder.ptr, temp);
    das_buf_clear(&folder);
    return rename(temp, path);
}

/* All of it is on the disk before it gets its name, where that matters. */
static int write_with(int (*place)(const char *temp, const char *path), const char *path,
                      mode_t mode, struct das_text text, struct das_err *err)
{
    struct das_buf temp = {0};
    int fd = -1, rc = -1, saved;

    das_buf_printf(&temp, "%s.XXXXXX", path);
    if (das_buf_ok(&temp, err) < 0)
        goto done;
    fd = mkostemp(temp.ptr, O_CLOEXEC); /* O_EXCL, 0600 */
    if (fd < 0) {
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
        goto done;
    }
    if (fchmod(fd, mode) == 0 && write_all(fd, text) == 0 &&
        (place == replace_soon || fsync(fd) == 0) && place(temp.ptr, path) == 0)
        rc = 0;
    saved = errno;
    if (rc < 0)
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(saved));
    if (rc < 0 || place == place_once)
        unlink(temp.ptr);
done:
    if (fd >= 0)
        close(fd);
    das_buf_clear(&temp);
    return rc;
}

int das_write_file(const char *path, mode_t mode, struct das_text text, struct das_err *err)
{
    if (write_with(replace, path, mode, text, err) < 0)
        return -1;
    das_sync_folder_of(path);
    return 0;
}

int das_write_file_soon(const char *path, mode_t mode, struct das_text text, struct das_err *err)
{
    return write_with(replace_soon, path, mode, text, err);
}

int das_write_file_once(const char *path, mode_t mode, struct das_text text, struct das_err *err)
{
    return write_with(place_once, path, mode, text, err);
}
