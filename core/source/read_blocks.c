/*
 * read_blocks.c - reads das's binary recordings; see recording_impl.h and docs/recording.md.
 *
 * Called by recording.c only. Finds one block after the other, passes over those of instances that
 * are not wanted, and settles what a damaged or half-written one means. What is in a block is known
 * to block_read.c.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/source/block_read.h"
#include "core/source/recording_impl.h"

struct das_blocks {
    struct das_crc32 crc;
    uint64_t offset; /* in the file, of the window's start */
    uint64_t block_at;
    struct das_unpacked *unpacked; /* the block that is being given, or NULL */
};

int das_blocks_open(struct das_recording *r, struct das_err *err)
{
    r->blocks = das_calloc(1, sizeof *r->blocks);
    if (!r->blocks)
        return das_fail_nomem(err);
    das_crc32_init(&r->blocks->crc);
    return 0;
}

void das_blocks_close(struct das_recording *r)
{
    if (r->blocks)
        das_unpacked_free(r->blocks->unpacked);
    das_free(r->blocks);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static size_t available(const struct das_recording *r)
{
    return r->w.to - r->w.from;
}

static const unsigned char *bytes(const struct das_recording *r)
{
    return (const unsigned char *)das_window_begin(&r->w);
}

/* At least n bytes in the window: 1, or 0 when the file ends before. */
static int want(struct das_recording *r, size_t n, struct das_err *err)
{
    while (available(r) < n) {
        int rc = das_window_more(&r->w, err);

        if (rc < 0)
            das_err_prefix(err, "%s", r->name);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

static void consume(struct das_recording *r, size_t n)
{
    das_window_skip(&r->w, n, 0);
    r->blocks->offset += n;
}

static int fail_at(const struct das_recording *r, struct das_err *err, const char *what)
{
    return das_fail(err, DAS_E_DATA, "%s: byte %llu: %s", r->name,
                    (unsigned long long)r->blocks->block_at, what);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The file ends within a block, or its last one is damaged. */
static int end_cut(struct das_recording *r, const char *what, struct das_err *err)
{
    struct das_buf note = {0};
    char text[200];

    r->finished = true;
    if (!r->blocks_read) {
        snprintf(text, sizeof text, "the only block is %s: expected a whole one", what);
        return fail_at(r, err, text);
    }
    das_buf_printf(&note, "the last block is %s and was left out: it begins at byte %llu of %s",
                   what, (unsigned long long)r->blocks->block_at, r->name);
    r->note = das_buf_take(&note);
    das_buf_clear(&note);
    return r->note ? 0 : das_fail_nomem(err);
}

static int end(struct das_recording *r, struct das_err *err)
{
    r->finished = true;
    if (r->blocks_read)
        return 0;
    r->blocks->block_at = r->blocks->offset;
    return fail_at(r, err, "the recording holds no block yet: expected one");
}

/* Is all that is left zeros? A file system may leave them behind after a crash. */
static int only_zeros(struct das_recording *r, struct das_err *err)
{
    for (;;) {
        const unsigned char *p = bytes(r);
        size_t n = available(r);
        int rc;

        for (size_t i = 0; i < n; i++) {
            if (p[i])
                return 0;
        }
        consume(r, n);
        rc = want(r, 1, err);
        if (rc <= 0)
            return rc < 0 ? -1 : 1;
    }
}

static int no_block(struct das_recording *r, struct das_err *err)
{
    int rc = only_zeros(r, err);

    if (rc > 0)
        return end_cut(r, "nothing but zeros", err);
    return rc < 0 ? -1 : fail_at(r, err, "damaged: expected a block");
}

/* --- one block -------------------------------------------------------------------------------- */

static int check_version(const struct das_recording *r, struct das_err *err)
{
    char text[100];
    uint32_t version = das_rec_file_version(bytes(r));

    if (version == DAS_REC_VERSION)
        return 0;
    snprintf(text, sizeof text, "version %u of the format, expected %u", version, DAS_REC_VERSION);
    return fail_at(r, err, text);
}

/* Passes over n bytes, without reading them where the file lets us. 1; 0: the file ends before. */
static int pass_over(struct das_recording *r, uint64_t n, struct das_err *err)
{
    while (n) {
        size_t here = available(r) < n ? available(r) : (size_t)n;
        int rc;

        consume(r, here);
        n -= here;
        if (n > 1 && lseek(r->w.fd, (off_t)(n - 1), SEEK_CUR) >= 0) {
            r->blocks->offset += n - 1; /* the last byte is read: is it there? */
            n = 1;
        }
        rc = n ? want(r, 1, err) : 1;
        if (rc <= 0)
            return rc;
    }
    return 1;
}

/* The name borrows from the window, and is read again when that has moved. 1 or -1. */
static int read_name(struct das_recording *r, struct das_block_head *h, struct das_err *err)
{
    return das_block_name_read(&r->blocks->crc, bytes(r) + DAS_BLOCK_HEAD, h)
               ? 1
               : fail_at(r, err, "damaged: the name of an instance does not have its checksum");
}

/* Looks at the head that begins the window. 1: *len bytes of it; 0: that was all; -1. */
static int read_head(struct das_recording *r, struct das_block_head *h, size_t *len,
                     struct das_err *err)
{
    const char *wrong;
    int rc;

    for (;;) {
        r->blocks->block_at = r->blocks->offset;
        rc = want(r, DAS_REC_FILE_HEAD, err);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return available(r) ? end_cut(r, "half-written", err) : end(r, err);
        if (!das_rec_is_magic(bytes(r)))
            break;
        if (check_version(r, err) < 0)
            return -1;
        consume(r, DAS_REC_FILE_HEAD); /* the first, or files put one behind the other */
    }
    rc = want(r, DAS_BLOCK_HEAD, err);
    if (rc < 0)
        return -1;
    if (!das_block_begins(bytes(r)))
        return no_block(r, err);
    if (rc == 0)
        return end_cut(r, "half-written", err);
    if (das_block_head_read(&r->blocks->crc, bytes(r), h, &wrong) < 0)
        return fail_at(r, err, wrong);
    *len = DAS_BLOCK_HEAD + h->instance.len;
    rc = want(r, *len, err);
    if (rc <= 0)
        return rc < 0 ? -1 : end_cut(r, "half-written", err);
    return read_name(r, h, err);
}

/* The payload is in the window, behind the head. */
static int unpack(struct das_recording *r, const struct das_block_head *h, size_t len,
                  struct das_err *err)
{
    const unsigned char *payload = bytes(r) + len;
    int rc;

    if (das_crc32_add(&r->blocks->crc, 0, payload, h->stored) != h->crc) {
        rc = want(r, len + h->stored + 1, err); /* is it the last one? */
        return rc < 0   ? -1
               : rc > 0 ? fail_at(r, err, "damaged: the block does not have its checksum")
                        : end_cut(r, "damaged", err);
    }
    rc = das_unpack(h, payload, &r->blocks->unpacked, err);
    if (rc < 0 && err->code == DAS_E_DATA)
        das_err_prefix(err, "%s: byte %llu", r->name, (unsigned long long)r->blocks->block_at);
    return rc < 0 ? -1 : 1;
}

int das_blocks_skim(struct das_recording *r, struct das_recording_span *out, struct das_err *err)
{
    struct das_block_head h;
    size_t len = 0;
    int rc;

    while ((rc = read_head(r, &h, &len, err)) == 1) {
        bool wanted = !r->only_of || das_text_is(h.instance, r->only_of);

        das_buf_reset(&r->instance); /* the name is in the window, which moves */
        das_buf_text(&r->instance, h.instance);
        if (das_buf_ok(&r->instance, err) < 0)
            return -1;
        rc = pass_over(r, (uint64_t)len + h.stored, err);
        if (rc <= 0)
            return rc < 0 ? -1 : end_cut(r, "half-written", err);
        r->blocks_read = true;
        if (!wanted)
            continue;
        *out = (struct das_recording_span){.instance = das_recording_instance(r),
                                           .from_ms = h.from_ms,
                                           .to_ms = h.to_ms,
                                           .snapshots = h.snapshots,
                                           .rows = h.rows};
        return 1;
    }
    return rc;
}

/* 1: the next wanted block is unpacked; 0: there is none; -1. */
static int next_block(struct das_recording *r, struct das_err *err)
{
    struct das_block_head h;
    size_t len = 0;
    int rc;

    while ((rc = read_head(r, &h, &len, err)) == 1) {
        if (r->only_of && !das_text_is(h.instance, r->only_of)) {
            rc = pass_over(r, (uint64_t)len + h.stored, err);
            if (rc <= 0)
                return rc < 0 ? -1 : end_cut(r, "half-written", err);
            r->blocks_read = true;
            continue;
        }
        rc = want(r, len + h.stored, err);
        if (rc <= 0)
            return rc < 0 ? -1 : end_cut(r, "half-written", err);
        if (read_name(r, &h, err) < 0)
            return -1;
        das_buf_reset(&r->instance);
        das_buf_text(&r->instance, h.instance);
        if (das_buf_ok(&r->instance, err) < 0)
            return -1;
        rc = unpack(r, &h, len, err);
        if (rc == 1) {
            consume(r, len + h.stored);
            r->blocks_read = true;
        }
        return rc;
    }
    return rc;
}

/* --- one snapshot ----------------------------------------------------------------------------- */

/* Only the rows that the filter surely matches. *s becomes another. */
static int leave_out(const struct das_recording *r, struct das_snapshot **s, struct das_err *err)
{
    uint32_t rows = das_snapshot_rows(*s), kept = 0;
    uint32_t *list = das_grow(NULL, rows, sizeof *list);
    struct das_matcher *m = das_matcher_new(r->only, *s, err);
    struct das_snapshot *less = NULL;

    if (!list)
        das_fail_nomem(err);
    for (uint32_t i = 0; m && list && i < rows; i++) {
        if (das_matcher_test(m, i) == DAS_YES)
            list[kept++] = i;
    }
    if (m && list)
        less = das_snapshot_derive(*s, list, kept, err);
    das_matcher_free(m);
    das_free(list);
    das_snapshot_release(*s);
    *s = less;
    if (less)
        das_snapshot_set_partial(less, true);
    return less ? 0 : -1;
}

int das_blocks_next(struct das_recording *r, struct das_snapshot **out, struct das_err *err)
{
    struct das_blocks *b = r->blocks;
    int rc;

    for (;;) {
        if (!b->unpacked) {
            rc = next_block(r, err);
            if (rc <= 0)
                return rc;
        }
        if (r->only_of && !das_text_is(das_buf_view(&r->instance), r->only_of))
            rc = 0; /* somebody else is wanted now */
        else
            rc = das_unpacked_next(b->unpacked, out, &r->given_ms, err);
        if (rc == 1)
            break;
        das_unpacked_free(b->unpacked);
        b->unpacked = NULL;
        if (rc < 0) {
            if (err->code == DAS_E_DATA)
                das_err_prefix(err, "%s: byte %llu", r->name, (unsigned long long)b->block_at);
            return -1;
        }
    }
    r->count++;
    return r->only && leave_out(r, out, err) < 0 ? -1 : 1;
}
