/* block.c - see block.h. */
#include "core/source/block.h"

#include <string.h>

static void put_le(unsigned char *p, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t get_le(const unsigned char *p, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

void das_rec_file_head(unsigned char out[DAS_REC_FILE_HEAD])
{
    memcpy(out, DAS_REC_MAGIC, DAS_REC_MAGIC_LEN);
    put_le(out + 8, DAS_REC_VERSION, 4);
    put_le(out + 12, 0, 4);
}

bool das_rec_is_magic(const void *p)
{
    return memcmp(p, DAS_REC_MAGIC, DAS_REC_MAGIC_LEN) == 0;
}

uint32_t das_rec_file_version(const void *p)
{
    return (uint32_t)get_le((const unsigned char *)p + 8, 4);
}

/* Where the parts of a head stand; its checksum covers all of it that stands behind it, so that the
 * lengths can be trusted before what they measure is there. */
enum {
    AT_MARKER = 0,
    AT_CRC = 4,
    AT_NAME_LEN = 8,
    AT_FLAGS = 12,
    AT_FROM = 16,
    AT_TO = 24,
    AT_ROWS = 32,
    AT_SNAPSHOTS = 40,
    AT_STORED = 44,
    AT_RAW = 48,
    AT_PAYLOAD_CRC = 52,
    AT_NAME_CRC = 56,
    AT_RESERVED = 60,
};

void das_block_head_put(const struct das_crc32 *c, const struct das_block_head *h,
                        struct das_buf *b)
{
    unsigned char p[DAS_BLOCK_HEAD];

    memcpy(p, DAS_BLOCK_MARKER, 4);
    put_le(p + AT_NAME_LEN, h->instance.len, 4);
    put_le(p + AT_FLAGS, h->flags, 4);
    put_le(p + AT_FROM, (uint64_t)h->from_ms, 8);
    put_le(p + AT_TO, (uint64_t)h->to_ms, 8);
    put_le(p + AT_ROWS, h->rows, 8);
    put_le(p + AT_SNAPSHOTS, h->snapshots, 4);
    put_le(p + AT_STORED, h->stored, 4);
    put_le(p + AT_RAW, h->raw, 4);
    put_le(p + AT_PAYLOAD_CRC, h->crc, 4);
    put_le(p + AT_NAME_CRC, das_crc32_add(c, 0, h->instance.ptr, h->instance.len), 4);
    put_le(p + AT_RESERVED, 0, 4);
    put_le(p + AT_CRC, das_crc32_add(c, 0, p + AT_NAME_LEN, DAS_BLOCK_HEAD - AT_NAME_LEN), 4);
    das_buf_add(b, (const char *)p, sizeof p);
    das_buf_text(b, h->instance);
}

bool das_block_begins(const unsigned char *p)
{
    return memcmp(p, DAS_BLOCK_MARKER, 4) == 0;
}

bool das_block_name_read(const struct das_crc32 *c, const unsigned char *p,
                         struct das_block_head *h)
{
    h->instance.ptr = (const char *)p;
    return das_crc32_add(c, 0, p, h->instance.len) == h->name_crc;
}

int das_block_head_read(const struct das_crc32 *c, const unsigned char *p, struct das_block_head *h,
                        const char **wrong)
{
    *wrong = NULL;
    if (das_crc32_add(c, 0, p + AT_NAME_LEN, DAS_BLOCK_HEAD - AT_NAME_LEN) !=
        get_le(p + AT_CRC, 4)) {
        *wrong = "damaged: the head of a block does not have its checksum";
        return -1;
    }
    h->instance = (struct das_text){NULL, (size_t)get_le(p + AT_NAME_LEN, 4)};
    h->name_crc = (uint32_t)get_le(p + AT_NAME_CRC, 4);
    h->flags = (uint32_t)get_le(p + AT_FLAGS, 4);
    h->from_ms = (int64_t)get_le(p + AT_FROM, 8);
    h->to_ms = (int64_t)get_le(p + AT_TO, 8);
    h->rows = get_le(p + AT_ROWS, 8);
    h->snapshots = (uint32_t)get_le(p + AT_SNAPSHOTS, 4);
    h->stored = (uint32_t)get_le(p + AT_STORED, 4);
    h->raw = (uint32_t)get_le(p + AT_RAW, 4);
    h->crc = (uint32_t)get_le(p + AT_PAYLOAD_CRC, 4);
    if (h->snapshots == 0 || h->snapshots > DAS_BLOCK_SNAPSHOTS_MAX)
        *wrong = "a block with no snapshot or with too many";
    else if (h->stored == 0 || h->stored > DAS_BLOCK_STORED_MAX || h->raw == 0 ||
             h->raw > DAS_BLOCK_RAW_MAX)
        *wrong = "a block that is empty or too large";
    else if (h->rows > (uint64_t)DAS_BLOCK_ROWS_MAX * h->snapshots)
        *wrong = "a block with too many sessions";
    else if (h->instance.len > DAS_BLOCK_INSTANCE_MAX)
        *wrong = "a block whose instance has too long a name";
    return *wrong ? -1 : 0;
}

/* Every number that is not named here, also a future one, is taken to stay until it changes. */
enum das_column_kind das_column_kind(enum das_field f)
{
    switch (f) {
    case DAS_F_ID:
    case DAS_F_QUERY_ID:
    case DAS_F_TRX_ID:
        return DAS_CK_SERIAL;
    case DAS_F_TIME_MS:
    case DAS_F_TRX_TIME:
        return DAS_CK_AGE;
    case DAS_F_STATE_DURATION:
        return DAS_CK_SECONDS;
    default:
        return DAS_CK_COUNT;
    }
}
