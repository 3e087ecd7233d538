/*
 * fuzz_recording.c - any bytes as a recorded process list; detection decides what they are.
 *
 * Built with clang -fsanitize=fuzzer,address,undefined, and -DDAS_WINDOW_MIN=64 for window.c, so
 * that rows reach over the window's end. Whatever is read must be readable again
 * through the snapshot, and an error must carry a message.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/source/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile int64_t sink; /* so that reading is not optimised away */

static void touch(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++)
        sink += t.ptr[i];
}

static void look_at(const struct das_snapshot *s)
{
    struct das_session row;

    for (uint32_t i = 0; i < das_snapshot_rows(s); i++) {
        das_snapshot_get(s, i, &row);
        for (int f = DAS_F_USER; f <= DAS_F_SQL_INFO; f++)
            touch(das_session_text(&row, (enum das_field)f));
        if (row.id < 0 || row.state_duration == DAS_ABSENT)
            abort();
    }
    if (!das_snapshot_complete(s) && das_known(das_snapshot_total(s)) &&
        das_snapshot_total(s) < das_snapshot_rows(s))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_recording *r;
    struct das_snapshot *s;
    struct das_err err = {DAS_OK, ""};
    int fd = memfd_create("recording", MFD_CLOEXEC), rc;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    if (das_recording_open_fd(fd, "fuzz", &r, &err) < 0)
        abort();
    while ((rc = das_recording_next(r, &s, &err)) == 1) {
        look_at(s);
        das_snapshot_release(s);
    }
    if (rc < 0 && (err.code == DAS_OK || strncmp(err.msg, "fuzz", 4) != 0))
        abort();
    das_recording_close(r);
    return 0;
}
