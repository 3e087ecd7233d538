/*
 * block.h - the binary form of recordings: what its writer and its reader share. docs/recording.md
 * tells it byte by byte.
 *
 * Private to core/source/block*.c, read_blocks.c and recording_*.c. Pure functions over bytes:
 * no file is touched here.
 */
#ifndef DAS_SOURCE_BLOCK_H
#define DAS_SOURCE_BLOCK_H

#include "core/base/buf.h"
#include "core/base/crc32.h"
#include "core/session/session.h"

/* --- the file --------------------------------------------------------------------------------- */

#define DAS_REC_MAGIC \
    "\x89"            \
    "DAS\r\n\x1a\n" /* no text, and broken by whatever changes line ends */
#define DAS_REC_MAGIC_LEN ((size_t)8)
#define DAS_REC_FILE_HEAD ((size_t)16) /* magic, version, four bytes of 0 */
#define DAS_REC_VERSION 1u

void das_rec_file_head(unsigned char out[DAS_REC_FILE_HEAD]);
bool das_rec_is_magic(const void *p); /* DAS_REC_MAGIC_LEN bytes */
uint32_t das_rec_file_version(const void *p);

/* --- the head of a block ---------------------------------------------------------------------- */

#define DAS_BLOCK_MARKER "DASB"
#define DAS_BLOCK_HEAD ((size_t)64) /* without the instance's name behind it */
#define DAS_BLOCK_INSTANCE_MAX ((size_t)4096)
/* What a reader is ready to hold in memory: a damaged or hostile file asks for no more. */
#define DAS_BLOCK_STORED_MAX ((uint32_t)128 << 20) /* bytes as they are in the file */
#define DAS_BLOCK_RAW_MAX ((uint32_t)256 << 20)    /* and unpacked */
#define DAS_BLOCK_ROWS_MAX ((uint32_t)1 << 20)     /* sessions of one snapshot */
#define DAS_BLOCK_SNAPSHOTS_MAX ((uint32_t)1 << 20)
#define DAS_BLOCK_TEXTS_MAX ((uint32_t)1 << 21) /* different ones of a column */
#define DAS_BLOCK_OWN_MAX 10000u                /* das's own sessions */
#define DAS_BLOCK_WARNINGS_MAX 1000u

struct das_block_head {
    struct das_text instance;
    uint32_t snapshots;
    uint64_t rows;
    int64_t from_ms, to_ms; /* of the first and last snapshot, Unix */
    uint32_t stored, raw;   /* bytes of the payload: in the file, and unpacked */
    uint32_t crc;           /* of the payload as stored */
    uint32_t name_crc;
    uint32_t flags;
};
enum { DAS_BLOCK_REDACTED = 1 };

/* Appends head and name. */
void das_block_head_put(const struct das_crc32 *c, const struct das_block_head *h,
                        struct das_buf *b);
/* Does a block begin at p? Four bytes are looked at. */
bool das_block_begins(const unsigned char *p);
/* Reads the head at p, DAS_BLOCK_HEAD bytes; of the instance the length alone. 0, or -1 and what is
 * wrong with it. */
int das_block_head_read(const struct das_crc32 *c, const unsigned char *p, struct das_block_head *h,
                        const char **wrong);
/* The name, behind the head; it borrows from p. false: it is damaged. */
bool das_block_name_read(const struct das_crc32 *c, const unsigned char *p,
                         struct das_block_head *h);

/* --- numbers ---------------------------------------------------------------------------------- */

static inline uint64_t das_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t das_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

/* Seven bits a byte, low ones first; the top bit says that more follow. */
static inline void das_put_varint(struct das_buf *b, uint64_t v)
{
    char *p;

    if (b->cap - b->len < 12 && !das_buf_reserve(b, 12))
        return;
    p = b->ptr + b->len;
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    b->len = (size_t)(p - b->ptr);
}

struct das_bytes {
    const unsigned char *p, *end;
    bool bad; /* asked for more than there was, or for a number that is none */
};

static inline uint64_t das_take_varint(struct das_bytes *b)
{
    uint64_t v = 0;

    if (b->p < b->end && *b->p < 0x80)
        return *b->p++;
    for (unsigned shift = 0; shift < 64 && b->p < b->end; shift += 7) {
        unsigned char c = *b->p++;

        if (shift == 63 && c > 1)
            break;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    b->bad = true;
    return 0;
}

/* n bytes, or NULL. */
static inline const char *das_take_bytes(struct das_bytes *b, uint64_t n)
{
    const unsigned char *p = b->p;

    if (b->bad || n > (uint64_t)(b->end - p)) {
        b->bad = true;
        return NULL;
    }
    b->p += n;
    return (const char *)p;
}

/* A length and bytes; "" when they are not there. */
static inline void das_put_text(struct das_buf *out, struct das_text t)
{
    das_put_varint(out, t.len);
    das_buf_text(out, t);
}

static inline struct das_text das_take_text(struct das_bytes *b)
{
    uint64_t len = das_take_varint(b);
    const char *p = das_take_bytes(b, len);

    return p ? das_text(p, (size_t)len) : das_text("", 0);
}

/* --- the payload ------------------------------------------------------------------------------ */

/* The text columns of a session, in the order of their streams. */
enum {
    DAS_BT_USER,
    DAS_BT_HOST,
    DAS_BT_DB,
    DAS_BT_COMMAND,
    DAS_BT_STATE,
    DAS_BT_SQL,
    DAS_BT_COUNT
};

/* How a numeric column goes on from one snapshot to the next. */
enum das_column_kind {
    DAS_CK_COUNT,   /* stays as it is */
    DAS_CK_SERIAL,  /* stays; a new number is near the one that the column told last */
    DAS_CK_AGE,     /* grows by what the snapshot says */
    DAS_CK_SECONDS, /* is time_ms in whole seconds where that is known, else as DAS_CK_AGE */
    DAS_CK_KINDS
};
enum das_column_kind das_column_kind(enum das_field f);

#define DAS_BLOCK_COLUMNS_MAX                                          \
    40u /* numeric ones; what changed in a row has to fit into 64 bits \
         */

/* The streams, one behind the other; numeric columns stand between the two groups. */
enum {
    DAS_BS_META,    /* a snapshot: when, and what is said of it */
    DAS_BS_LINKS,   /* a row: which of the snapshot before it goes on from */
    DAS_BS_CHANGES, /* a row: what is not as expected, a bit each */
    DAS_BS_REFS,    /* six: numbers of texts */
    DAS_BS_LENGTHS = DAS_BS_REFS + DAS_BT_COUNT,  /* six: of the texts */
    DAS_BS_TEXTS = DAS_BS_LENGTHS + DAS_BT_COUNT, /* six: their bytes; of statements, the shapes */
    DAS_BS_SQL_SHAPES = DAS_BS_TEXTS + DAS_BT_COUNT, /* a statement: the number of its shape */
    DAS_BS_SQL_NUMBERS,                              /* a number in it */
    DAS_BS_SQL_ZEROS,                                /* how many zeros lead it, a byte */
    DAS_BS_SQL_LENGTHS,                              /* of a string in it */
    DAS_BS_SQL_STRINGS,                              /* its bytes */
    DAS_BS_NUMBERS,                                  /* as many as there are numeric columns */
};
#define DAS_STREAMS_MAX (DAS_BS_NUMBERS + DAS_BLOCK_COLUMNS_MAX)

/* Where something was taken out of a statement; one that has such a byte itself is one string. */
#define DAS_SQL_NUMBER '\0'
#define DAS_SQL_STRING '\1'

/* Bits of a row's changes. */
#define DAS_CHANGED_TEXT(t) ((uint64_t)1 << (t))
#define DAS_CHANGED_DISPUTED ((uint64_t)1 << DAS_BT_COUNT)
#define DAS_CHANGED_NUMBER(n) ((uint64_t)1 << (DAS_BT_COUNT + 1 + (n)))

/* Bits of a snapshot. */
enum {
    DAS_SF_COMPLETE = 1,
    DAS_SF_PARTIAL = 2,
    DAS_SF_CUT = 4,
    DAS_SF_SAME = 8,      /* what else is told of it is as before */
    DAS_SF_DISPUTED = 16, /* some row may be */
};

/* A number in its column: these three, then 3 + 2v for v itself and 4 + 2z for zigzag z behind what
 * was expected. */
enum { DAS_BN_UNKNOWN, DAS_BN_ABSENT, DAS_BN_RAW, DAS_BN_PLAIN, DAS_BN_DELTA };

/* v, where base is expected. */
static inline void das_put_number(struct das_buf *out, int64_t v, int64_t base)
{
    uint64_t plain = v < 0 ? UINT64_MAX : (uint64_t)v;
    uint64_t delta = das_zigzag((int64_t)((uint64_t)v - (uint64_t)base));

    if (!das_known(v)) {
        das_put_varint(out, v == DAS_ABSENT ? DAS_BN_ABSENT : DAS_BN_UNKNOWN);
    } else if ((plain < delta ? plain : delta) >> 62) {
        das_put_varint(out, DAS_BN_RAW);
        das_put_varint(out, (uint64_t)v);
    } else {
        das_put_varint(out, plain <= delta ? DAS_BN_PLAIN + 2 * plain : DAS_BN_DELTA + 2 * delta);
    }
}

static inline int64_t das_take_number(struct das_bytes *b, int64_t base)
{
    uint64_t code = das_take_varint(b);

    if (code >= DAS_BN_PLAIN)
        return code & 1
                   ? (int64_t)((code - DAS_BN_PLAIN) >> 1)
                   : (int64_t)((uint64_t)base + (uint64_t)das_unzigzag((code - DAS_BN_DELTA) >> 1));
    return code == DAS_BN_RAW      ? (int64_t)das_take_varint(b)
           : code == DAS_BN_ABSENT ? DAS_ABSENT
                                   : DAS_UNKNOWN;
}

/* A text in its column: NULL, the next one that was not there before, or 2 + how many are newer. */
enum { DAS_BR_NULL, DAS_BR_NEW, DAS_BR_OLD };

/* What a row without an own past is expected to be, and what an age is where nobody knows it. */
static inline int64_t das_grown(int64_t v, int64_t step)
{
    return das_known(v) ? (int64_t)((uint64_t)v + (uint64_t)step) : v;
}

#endif
