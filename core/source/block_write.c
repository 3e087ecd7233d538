/*
 * block_write.c - see block_write.h: the life of a block, and how it is packed. What a snapshot is in
 * it, column by column, is known to block_rows.c.
 */
#include "core/source/block_write_impl.h"

#include "core/base/mem.h"

#define RAW_FULL ((size_t)8 << 20) /* what a reader has in memory at once */

struct das_block *das_block_new(const char *instance, bool redact, int level, struct das_err *err)
{
    struct das_block *b = das_calloc(1, sizeof *b);

    if (!b || !(b->instance = das_strdup(instance)) || !(b->zstd = ZSTD_createCCtx())) {
        das_block_free(b);
        das_fail_nomem(err);
        return NULL;
    }
    b->redact = redact;
    b->level = level;
    das_arena_init(&b->arena);
    for (int f = 0; f < DAS_F_COUNT && b->column_count < DAS_BLOCK_COLUMNS_MAX; f++) {
        if (!das_field_is_text((enum das_field)f))
            b->columns[b->column_count++] = (struct das_block_column){
                .field = (enum das_field)f, .kind = das_column_kind((enum das_field)f)};
    }
    return b;
}

static void rows_clear(struct das_block_list *r)
{
    das_snapshot_release(r->snap);
    for (int t = 0; t < DAS_BT_COUNT; t++)
        das_free(r->texts[t]);
    *r = (struct das_block_list){0};
}

void das_block_reset(struct das_block *b)
{
    for (uint32_t i = 0; i < DAS_STREAMS_MAX; i++)
        das_buf_clear(&b->streams[i]);
    for (int t = 0; t < DAS_BT_COUNT; t++)
        das_texts_clear(&b->texts[t]);
    das_arena_clear(&b->arena);
    das_sql_writer_clear(&b->sql);
    b->sql_bytes = 0;
    for (uint32_t c = 0; c < b->column_count; c++)
        b->columns[c].last = 0;
    das_buf_clear(&b->told);
    das_buf_clear(&b->scratch);
    rows_clear(&b->now);
    rows_clear(&b->before);
    b->snapshots = 0;
    b->rows = 0;
}

void das_block_free(struct das_block *b)
{
    if (!b)
        return;
    das_block_reset(b);
    ZSTD_freeCCtx(b->zstd);
    das_free(b->instance);
    das_free(b->links);
    das_free(b->changes);
    das_idmap_clear(&b->places);
    das_free(b);
}

uint32_t das_block_snapshots(const struct das_block *b)
{
    return b->snapshots;
}

static size_t raw_bytes(const struct das_block *b)
{
    size_t n = 0;

    for (uint32_t i = 0; i < DAS_BS_NUMBERS + b->column_count; i++)
        n += b->streams[i].len;
    return n;
}

bool das_block_full(const struct das_block *b)
{
    bool full = raw_bytes(b) >= RAW_FULL || b->sql_bytes >= RAW_FULL * 2 ||
                b->snapshots == DAS_BLOCK_SNAPSHOTS_MAX;

    for (int t = 0; t < DAS_BT_COUNT; t++)
        full = full || b->texts[t].count > DAS_BLOCK_TEXTS_MAX / 2 - 2;
    return full;
}

/* --- room ------------------------------------------------------------------------------------- */

static int grow(void *array, uint32_t n, size_t size)
{
    void **p = array, *bigger = das_grow(*p, n, size);

    if (!bigger)
        return -1;
    *p = bigger;
    return 0;
}

static int make_room(struct das_block *b, uint32_t rows)
{
    uint32_t cap = rows < 64 ? 64 : rows + rows / 4;

    if (rows > b->now.cap) {
        for (int t = 0; t < DAS_BT_COUNT; t++) {
            if (grow(&b->now.texts[t], cap, sizeof(uint32_t)) < 0)
                return -1;
        }
        b->now.cap = cap;
    }
    if (rows > b->cap) {
        if (grow(&b->links, cap, sizeof *b->links) < 0 ||
            grow(&b->changes, cap, sizeof *b->changes) < 0)
            return -1;
        b->cap = cap;
    }
    return 0;
}

/* --- one snapshot ----------------------------------------------------------------------------- */

static int streams_ok(const struct das_block *b, struct das_err *err)
{
    for (uint32_t i = 0; i < DAS_BS_NUMBERS + b->column_count; i++) {
        if (das_buf_ok(&b->streams[i], err) < 0)
            return -1;
    }
    return das_buf_ok(&b->told, err) < 0 ? -1 : das_buf_ok(&b->scratch, err);
}

int das_block_add(struct das_block *b, struct das_snapshot *s, int64_t time_ms, struct das_err *err)
{
    struct das_block_list swap;
    uint32_t rows = das_snapshot_rows(s);

    if (rows > DAS_BLOCK_ROWS_MAX)
        return das_fail(err, DAS_E_UNSUPPORTED,
                        "%s: %u sessions at once, a recording takes %u at most", b->instance, rows,
                        DAS_BLOCK_ROWS_MAX);
    if (das_snapshot_own_count(s) > DAS_BLOCK_OWN_MAX ||
        das_snapshot_warnings(s) > DAS_BLOCK_WARNINGS_MAX)
        return das_fail(err, DAS_E_UNSUPPORTED, "%s: more than %u sessions of das's or %u warnings",
                        b->instance, DAS_BLOCK_OWN_MAX, DAS_BLOCK_WARNINGS_MAX);
    if (make_room(b, rows) < 0)
        return das_fail_nomem(err);
    if (rows)
        memset(b->changes, 0, rows * sizeof *b->changes);
    das_snapshot_release(b->now.snap);
    b->now.snap = das_snapshot_retain(s);
    if (das_block_put(b, time_ms) < 0)
        return das_fail_nomem(err);
    if (!b->snapshots)
        b->from_ms = time_ms;
    b->to_ms = time_ms;
    b->snapshots++;
    b->rows += rows;
    swap = b->before;
    b->before = b->now;
    b->now = swap;
    return streams_ok(b, err);
}

/* --- packing ---------------------------------------------------------------------------------- */

/* The columns by name, and how long the streams are. */
static void put_layout(const struct das_block *b, struct das_buf *out)
{
    das_put_varint(out, b->column_count);
    for (uint32_t i = 0; i < b->column_count; i++) {
        das_put_text(out, das_text_of(das_field_name(b->columns[i].field)));
        das_put_varint(out, b->columns[i].kind);
    }
    for (uint32_t i = 0; i < DAS_BS_NUMBERS + b->column_count; i++)
        das_put_varint(out, b->streams[i].len);
}

/* Each stream ends a block of zstd's, so that its bytes are counted by themselves. */
static int pack(struct das_block *b, struct das_text part, ZSTD_EndDirective how,
                struct das_buf *out, struct das_err *err)
{
    ZSTD_inBuffer in = {part.ptr, part.len, 0};
    size_t left;

    do {
        char *room = das_buf_reserve(out, ZSTD_CStreamOutSize());
        ZSTD_outBuffer to = {room, room ? out->cap - out->len - 1 : 0, 0};

        if (!room)
            return das_fail_nomem(err);
        left = ZSTD_compressStream2(b->zstd, &to, &in, how);
        if (ZSTD_isError(left))
            return das_fail(err, DAS_E_NOMEM, "zstd: %s", ZSTD_getErrorName(left));
        out->len += to.pos;
    } while (left || in.pos < in.size);
    return 0;
}

static int pack_all(struct das_block *b, size_t raw, struct das_buf *out, struct das_err *err)
{
    uint32_t count = DAS_BS_NUMBERS + b->column_count;

    ZSTD_CCtx_reset(b->zstd, ZSTD_reset_session_and_parameters);
    if (ZSTD_isError(ZSTD_CCtx_setParameter(b->zstd, ZSTD_c_compressionLevel, b->level)) ||
        ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(b->zstd, raw)))
        return das_fail(err, DAS_E_INTERNAL, "zstd: level %d is refused", b->level);
    if (pack(b, das_buf_view(&b->scratch), ZSTD_e_continue, out, err) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        bool alone = last || b->streams[i].len > 1000 || b->streams[i + 1].len > 1000;

        if (pack(b, das_buf_view(&b->streams[i]),
                 last    ? ZSTD_e_end
                 : alone ? ZSTD_e_flush
                         : ZSTD_e_continue,
                 out, err) < 0)
            return -1;
    }
    return 0;
}

int das_block_finish(struct das_block *b, const struct das_crc32 *crc, struct das_buf *out,
                     struct das_err *err)
{
    struct das_block_head head = {
        .instance = das_text_of(b->instance),
        .snapshots = b->snapshots,
        .rows = b->rows,
        .from_ms = b->from_ms,
        .to_ms = b->to_ms,
        .flags = b->redact ? DAS_BLOCK_REDACTED : 0,
    };
    struct das_buf packed = {0};
    size_t raw;
    int rc;

    das_buf_reset(&b->scratch);
    put_layout(b, &b->scratch);
    raw = b->scratch.len + raw_bytes(b);
    rc = das_buf_ok(&b->scratch, err);
    if (rc == 0)
        rc = pack_all(b, raw, &packed, err);
    if (rc == 0 && (raw > DAS_BLOCK_RAW_MAX || b->sql_bytes > DAS_BLOCK_RAW_MAX ||
                    packed.len > DAS_BLOCK_STORED_MAX))
        rc = das_fail(err, DAS_E_UNSUPPORTED,
                      "%s: a list of %zu bytes, a recording takes %u at most", b->instance,
                      b->sql_bytes > raw ? b->sql_bytes : raw, DAS_BLOCK_RAW_MAX);
    if (rc == 0) {
        head.raw = (uint32_t)raw;
        head.stored = (uint32_t)packed.len;
        head.crc = das_crc32_add(crc, 0, packed.ptr, packed.len);
        das_block_head_put(crc, &head, out);
        das_buf_text(out, das_buf_view(&packed));
        rc = das_buf_ok(out, err);
    }
    das_buf_clear(&packed);
    das_block_reset(b);
    return rc;
}
