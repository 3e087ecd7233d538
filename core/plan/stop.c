/* stop.c - see stop.h. */
#include "core/plan/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/write_file.h"
#include "core/plan/guard.h"

/* The folder that path is in, made where it is das's own to make: the run directories. A
 * configuration's folder is there or it is not. 0, or the reason as errno. */
static int make_folder_of(const char *path)
{
    bool machine = strncmp(path, "/run/das/", 9) == 0;
    size_t len = strlen(path) - strlen("/STOP");
    char dir[4096];

    if (len < 5 || len >= sizeof dir)
        return 0;
    memcpy(dir, path, len);
    dir[len] = '\0';
    if (access(dir, F_OK) == 0)
        return 0;
    if (strcmp(dir + len - 4, "/das") != 0 || strcmp(dir, "/etc/das") == 0)
        return ENOENT;
    for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(dir, machine ? 0755 : 0700);
        *p = '/';
    }
    return mkdir(dir, machine ? 0755 : 0700) == 0 || errno == EEXIST ? 0 : errno;
}

/* Where the text cannot be written any more, because the disk is full, an empty file is as good. */
static int write_file(const char *path, struct das_text line, struct das_err *err)
{
    int fd;

    if (das_write_file(path, 0644, line, err) == 0)
        return 0;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

enum das_stop_result das_stop_write(const char *path, struct das_text line, struct das_err *err)
{
    const char *one[] = {path, NULL};
    char why[600];
    int folder;

    err->code = DAS_OK;
    if (access(path, F_OK) == 0 && das_stopped(one, why, sizeof why))
        return DAS_STOP_ALREADY;
    folder = make_folder_of(path);
    if (folder == ENOENT)
        return DAS_STOP_NOWHERE;
    if (folder) {
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(folder));
        return DAS_STOP_FAILED;
    }
    return write_file(path, line, err) == 0 ? DAS_STOP_WRITTEN : DAS_STOP_FAILED;
}
