/*
 * fuzz_blocks.c - any bytes as a binary recording: as the file itself, or as the inside of a block
 * that is packed and gets its checksums here, so that they stop nobody.
 *
 * The first byte says which; the inside comes behind a number of snapshots and one of sessions (two
 * bytes each). Whatever is read is written again and read once more: the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "core/source/block_write.h"
#include "core/source/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const void *p, size_t len)
{
    int fd = memfd_create("blocks", MFD_CLOEXEC);

    if (fd < 0 || write(fd, p, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

/* A file with one block, whose inside the fuzzer says. */
static void wrap(const uint8_t *data, size_t size, const struct das_crc32 *crc, struct das_buf *out)
{
    size_t cap = ZSTD_compressBound(size - 4);
    char *packed = malloc(cap);
    struct das_block_head h = {
        .instance = das_text_of("db"),
        .snapshots = (uint32_t)(data[0] | data[1] << 8),
        .rows = (uint64_t)(data[2] | data[3] << 8),
        .from_ms = 1700000000000,
        .raw = (uint32_t)(size - 4),
    };
    unsigned char head[DAS_REC_FILE_HEAD];

    if (!packed)
        abort();
    h.stored = (uint32_t)ZSTD_compress(packed, cap, data + 4, size - 4, 1);
    h.crc = das_crc32_add(crc, 0, packed, h.stored);
    das_rec_file_head(head);
    das_buf_add(out, (const char *)head, sizeof head);
    das_block_head_put(crc, &h, out);
    das_buf_add(out, packed, h.stored);
    free(packed);
}

static void same_session(const struct das_session *a, const struct das_session *b)
{
    for (int f = 0; f < DAS_F_COUNT; f++) {
        enum das_field field = (enum das_field)f;

        if (das_field_is_text(field)
                ? !das_text_eq(das_session_text(a, field), das_session_text(b, field))
                : das_session_int(a, field) != das_session_int(b, field))
            abort();
    }
    if (a->disputed != b->disputed)
        abort();
}

static void same(const struct das_snapshot *a, const struct das_snapshot *b)
{
    struct das_session x, y;

    if (das_snapshot_rows(a) != das_snapshot_rows(b) ||
        das_snapshot_time(a) != das_snapshot_time(b) ||
        das_snapshot_total(a) != das_snapshot_total(b) ||
        das_snapshot_own_count(a) != das_snapshot_own_count(b) ||
        das_snapshot_warnings(a) != das_snapshot_warnings(b) ||
        strcmp(das_snapshot_identity(a)->server, das_snapshot_identity(b)->server) != 0)
        abort();
    for (uint32_t i = 0; i < das_snapshot_rows(a); i++) {
        das_snapshot_get(a, i, &x);
        das_snapshot_get(b, i, &y);
        same_session(&x, &y);
    }
}

#define KEPT 8

static void write_and_read(struct das_snapshot *const *list, size_t n, const struct das_crc32 *crc)
{
    struct das_err err = {DAS_OK, ""};
    struct das_block *b = das_block_new("db", false, 1, &err);
    unsigned char head[DAS_REC_FILE_HEAD];
    struct das_buf out = {0};
    struct das_recording *r;
    struct das_snapshot *s;

    das_rec_file_head(head);
    das_buf_add(&out, (const char *)head, sizeof head);
    for (size_t i = 0; i < n; i++) {
        if (das_block_add(b, list[i], (int64_t)i, &err) < 0)
            abort();
    }
    if (das_block_finish(b, crc, &out, &err) < 0 ||
        das_recording_open_fd(file_of(out.ptr, out.len), "again", &r, &err) < 0)
        abort();
    for (size_t i = 0; i < n; i++) {
        if (das_recording_next(r, &s, &err) != 1) {
            fprintf(stderr, "%s\n", err.msg);
            abort();
        }
        same(list[i], s);
        das_snapshot_release(s);
    }
    das_recording_close(r);
    das_buf_clear(&out);
    das_block_free(b);
}

static void read_all(int fd, const struct das_crc32 *crc)
{
    struct das_snapshot *kept[KEPT], *s;
    struct das_err err = {DAS_OK, ""};
    struct das_recording *r;
    size_t n = 0, count = 0;
    int rc;

    if (das_recording_open_fd(fd, "fuzz", &r, &err) < 0)
        abort();
    while ((rc = das_recording_next(r, &s, &err)) == 1 && count++ < 1000) {
        if (n < KEPT)
            kept[n++] = s;
        else
            das_snapshot_release(s);
    }
    if (rc == 1)
        das_snapshot_release(s);
    if (rc < 0 && (err.code == DAS_OK || strncmp(err.msg, "fuzz", 4) != 0))
        abort();
    das_recording_close(r); /* what was given outlives it */
    if (n)
        write_and_read(kept, n, crc);
    for (size_t i = 0; i < n; i++)
        das_snapshot_release(kept[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_buf file = {0};
    struct das_crc32 crc;

    if (size < 2)
        return 0;
    das_crc32_init(&crc);
    if (data[0] == 'F') {
        read_all(file_of(data + 1, size - 1), &crc);
    } else if (size > 6) {
        wrap(data + 1, size - 1, &crc, &file);
        read_all(file_of(file.ptr, file.len), &crc);
        das_buf_clear(&file);
    }
    return 0;
}
