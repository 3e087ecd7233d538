/* recording_file.c - see recording_file.h. */
#include "core/source/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/write_file.h"

static int io_failed(const char *path, struct das_err *err)
{
    return das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
}

static int write_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* --- what is in it already -------------------------------------------------------------------- */

/* len bytes at offset: how many there are, or -1. */
static ssize_t read_at(int fd, void *to, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* Does the payload at offset have its checksum? -1: it cannot be read. */
static int payload_is_whole(int fd, uint64_t offset, const struct das_block_head *h,
                            const struct das_crc32 *crc)
{
    unsigned char part[16384];
    uint32_t sum = 0;

    for (uint64_t left = h->stored; left;) {
        size_t want = left < sizeof part ? (size_t)left : sizeof part;
        ssize_t n = read_at(fd, part, want, offset);

        if (n < (ssize_t)want)
            return n < 0 ? -1 : 0;
        sum = das_crc32_add(crc, sum, part, want);
        offset += want;
        left -= want;
    }
    return sum == h->crc;
}

struct scan {
    const struct das_recording_file *f;
    const struct das_crc32 *crc;
    uint64_t at; /* of the part that is looked at */
    bool cut;    /* it is half-written and the last one */
};

static int damaged(const struct scan *s, const char *what, struct das_err *err)
{
    return das_fail(err, DAS_E_DATA, "%s: damaged at byte %llu (%s): nothing is appended to it",
                    s->f->path, (unsigned long long)s->at, what);
}

/* As a crash of the machine may leave them behind. */
static bool only_zeros(const struct scan *s)
{
    unsigned char part[4096];
    ssize_t n;

    for (uint64_t at = s->at; (n = read_at(s->f->fd, part, sizeof part, at)) > 0;
         at += (uint64_t)n) {
        for (ssize_t i = 0; i < n; i++) {
            if (part[i])
                return false;
        }
    }
    return n == 0;
}

/* 1: a whole part at s->at, which is moved behind it; 0: none any more; -1. */
static int scan_part(struct scan *s, struct das_err *err)
{
    unsigned char head[DAS_BLOCK_HEAD];
    struct das_block_head h;
    const char *wrong;
    ssize_t n = read_at(s->f->fd, head, sizeof head, s->at);
    size_t len;
    int whole;

    if (n < 0)
        return io_failed(s->f->path, err);
    if (n == 0)
        return 0;
    if ((size_t)n >= DAS_REC_FILE_HEAD && das_rec_is_magic(head)) { /* files put together */
        s->at += DAS_REC_FILE_HEAD;
        return 1;
    }
    s->cut = true;
    if ((size_t)n < DAS_REC_FILE_HEAD)
        return 0;
    if (!das_block_begins(head))
        return only_zeros(s) ? 0 : damaged(s, "no block begins here", err);
    if ((size_t)n < DAS_BLOCK_HEAD)
        return 0;
    if (das_block_head_read(s->crc, head, &h, &wrong) < 0)
        return damaged(s, wrong, err);
    len = DAS_BLOCK_HEAD + h.instance.len;
    if (s->at + len + h.stored > s->f->size)
        return 0;
    s->cut = false;
    if (s->at + len + h.stored == s->f->size) { /* the last: the others cost too much to read */
        whole = payload_is_whole(s->f->fd, s->at + len, &h, s->crc);
        if (whole <= 0) {
            s->cut = whole == 0;
            return whole < 0 ? io_failed(s->f->path, err) : 0;
        }
    }
    s->at += len + h.stored;
    return 1;
}

static int check_head(const struct das_recording_file *f, struct das_err *err)
{
    unsigned char head[DAS_REC_FILE_HEAD];
    ssize_t n = read_at(f->fd, head, sizeof head, 0);

    if (n < 0)
        return io_failed(f->path, err);
    if (n < (ssize_t)DAS_REC_MAGIC_LEN || !das_rec_is_magic(head))
        return das_fail(err, DAS_E_DATA,
                        "%s: is no recording in das's binary form; expected one, or no file",
                        f->path);
    if (n == sizeof head && das_rec_file_version(head) != DAS_REC_VERSION)
        return das_fail(err, DAS_E_DATA, "%s: version %u of the format, expected %u", f->path,
                        das_rec_file_version(head), DAS_REC_VERSION);
    return 0;
}

static int cut_off(struct das_recording_file *f, uint64_t at, char **note, struct das_err *err)
{
    struct das_buf text = {0};

    if (ftruncate(f->fd, (off_t)at) < 0)
        return io_failed(f->path, err);
    if (!*note) {
        das_buf_printf(&text,
                       "%s: the last block was half-written: %llu bytes from byte %llu on were cut "
                       "off",
                       f->path, (unsigned long long)(f->size - at), (unsigned long long)at);
        *note = das_buf_take(&text);
        das_buf_clear(&text);
        if (!*note)
            return das_fail_nomem(err);
    }
    f->size = at;
    return 0;
}

/* A file that is there already: f->size becomes where the next block goes. */
static int settle(struct das_recording_file *f, const struct das_crc32 *crc, char **note,
                  struct das_err *err)
{
    struct scan s = {.f = f, .crc = crc, .at = DAS_REC_FILE_HEAD};
    int rc;

    if (check_head(f, err) < 0)
        return -1;
    if (f->size < DAS_REC_FILE_HEAD)
        return cut_off(f, 0, note, err);
    while ((rc = scan_part(&s, err)) == 1)
        continue;
    if (rc < 0)
        return -1;
    return s.cut ? cut_off(f, s.at, note, err) : 0;
}

/* --- open, append, close ---------------------------------------------------------------------- */

static int begin(struct das_recording_file *f, const struct das_crc32 *crc, char **note,
                 struct das_err *err)
{
    unsigned char head[DAS_REC_FILE_HEAD];
    struct stat st;

    if (fstat(f->fd, &st) < 0)
        return io_failed(f->path, err);
    if (!S_ISREG(st.st_mode))
        return das_fail(err, DAS_E_IO, "%s: is no regular file", f->path);
    if (flock(f->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? das_fail(err, DAS_E_BUSY, "%s: another program is writing to it", f->path)
                   : io_failed(f->path, err);
    f->size = f->found = (uint64_t)st.st_size;
    if (f->size && settle(f, crc, note, err) < 0)
        return -1;
    f->found = f->found < f->size ? f->found : f->size;
    if (f->size)
        return 0;
    das_rec_file_head(head);
    return das_recording_file_append(f, das_text((const char *)head, sizeof head), err);
}

int das_recording_file_open(struct das_recording_file *f, const char *path,
                            const struct das_crc32 *crc, char **note, struct das_err *err)
{
    *f = (struct das_recording_file){.opened_ms = das_clock_unix_ms(), .fd = -1};
    f->path = das_strdup(path);
    if (!f->path)
        return das_fail_nomem(err);
    f->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (f->fd < 0)
        io_failed(path, err);
    else if (begin(f, crc, note, err) == 0)
        return 0;
    if (f->fd >= 0)
        close(f->fd);
    das_free(f->path);
    *f = (struct das_recording_file){.fd = -1};
    return -1;
}

int das_recording_file_append(struct das_recording_file *f, struct das_text block,
                              struct das_err *err)
{
    if (write_all(f->fd, block.ptr, block.len) < 0) {
        io_failed(f->path, err);
        (void)!ftruncate(f->fd, (off_t)f->size); /* else a reader finds half a block at the end */
        return -1;
    }
    f->size += block.len;
    return 0;
}

int das_recording_file_close(struct das_recording_file *f, struct das_err *err)
{
    struct das_err ignored;
    int rc = 0;

    if (fdatasync(f->fd) < 0)
        rc = io_failed(f->path, err ? err : &ignored);
    if (close(f->fd) < 0 && rc == 0)
        rc = io_failed(f->path, err ? err : &ignored);
    das_free(f->path);
    *f = (struct das_recording_file){.fd = -1};
    return rc;
}
