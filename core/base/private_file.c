/* private_file.c - see private_file.h. */
#include "core/base/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"

#define FILE_MAX 65536

void das_private_clear(struct das_private *p)
{
    if (p->ptr)
        explicit_bzero(p->ptr, p->len);
    das_free(p->ptr);
    memset(p, 0, sizeof *p);
}

/* Plain read(), because stdio would keep a copy of the secret in its own buffer. */
int das_private_read(const char *path, struct das_private *out, struct das_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = -1;
    struct stat st;

    memset(out, 0, sizeof *out);
    if (fd < 0) {
        out->missing = errno == ENOENT || errno == ENOTDIR;
        return das_fail(err, DAS_E_CONFIG, "%s: cannot open: %s", path, strerror(errno));
    }
    out->ptr = das_alloc(FILE_MAX + 1);
    if (!out->ptr) {
        das_fail_nomem(err);
        goto done;
    }
    if (fstat(fd, &st) < 0) {
        das_fail(err, DAS_E_CONFIG, "%s: cannot look at it: %s", path, strerror(errno));
        goto done;
    }
    out->exposed = S_ISREG(st.st_mode) && (st.st_mode & S_IROTH);
    for (;;) {
        ssize_t n = read(fd, out->ptr + out->len, FILE_MAX - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            das_fail(err, DAS_E_CONFIG, "%s: cannot read: %s", path, strerror(errno));
            goto done;
        }
        if (n == 0)
            break;
        out->len += (size_t)n;
        if (out->len == FILE_MAX) {
            das_fail(err, DAS_E_CONFIG, "%s: longer than %d bytes", path, FILE_MAX - 1);
            goto done;
        }
    }
    out->ptr[out->len] = '\0';
    rc = 0;
done:
    close(fd);
    if (rc < 0)
        das_private_clear(out);
    return rc;
}

int das_private_exposed(const char *path, const char *what, struct das_err *err)
{
    return das_fail(err, DAS_E_CONFIG,
                    "%s: everybody on this machine can read the %s in it; run chmod 600 %s", path,
                    what, path);
}
