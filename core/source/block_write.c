/*
 * block_write.c - see block_write.h.
 *
 * A snapshot is written column by column, and of each column only what is not as the snapshot
 * before lets expect: a session that goes on doing what it did costs two bytes of zeros, which zstd
 * takes away.
 */
#include "core/source/block_write.h"

#include <zstd.h>

#include "core/base/idmap.h"
#include "core/base/mem.h"
#include "core/session/fingerprint.h"
#include "core/source/block_sql.h"
#include "core/source/block_told.h"

#define NEW_ROW DAS_IDMAP_NONE
#define RAW_FULL ((size_t)8 << 20) /* what a reader has in memory at once */

/* What is remembered of a snapshot's rows: the numbers of their texts, 0 for NULL. */
struct rows {
    struct das_snapshot *snap; /* a reference, or NULL */
    uint32_t *texts[DAS_BT_COUNT];
    uint32_t cap;
};

struct number_column {
    enum das_field field;
    enum das_column_kind kind;
    int64_t last;                /* DAS_CK_SERIAL: told last */
    int64_t step;                /* DAS_CK_AGE: of the current snapshot */
    const int64_t *now, *before; /* NULL: all unknown */
};

struct das_block {
    char *instance;
    bool redact;
    int level;
    ZSTD_CCtx *zstd;

    struct das_buf streams[DAS_STREAMS_MAX];
    struct number_column columns[DAS_BLOCK_COLUMNS_MAX];
    uint32_t column_count;
    struct das_texts texts[DAS_BT_COUNT];
    struct das_arena arena; /* of texts */
    struct das_sql_writer sql;
    size_t sql_bytes;    /* of statements, before they are taken apart */
    struct das_buf told; /* what was told of the snapshot before, besides its rows */
    struct das_buf scratch;
    uint32_t snapshots;
    uint64_t rows;
    int64_t from_ms, to_ms;

    struct rows now, before;
    uint32_t *links; /* row of the snapshot before, or NEW_ROW */
    uint64_t *changes;
    uint32_t cap;           /* of links and changes */
    struct das_idmap places; /* rows of the snapshot before, where they are not in the same order */
};

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
            b->columns[b->column_count++] = (struct number_column){
                .field = (enum das_field)f, .kind = das_column_kind((enum das_field)f)};
    }
    return b;
}

static void rows_clear(struct rows *r)
{
    das_snapshot_release(r->snap);
    for (int t = 0; t < DAS_BT_COUNT; t++)
        das_free(r->texts[t]);
    *r = (struct rows){0};
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

uint64_t das_block_rows(const struct das_block *b)
{
    return b->rows;
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

/* --- which session of the snapshot before a row goes on from ---------------------------------- */

/* Of rows with one id the first counts. */
static int index_before(struct das_block *b, const int64_t *ids, uint32_t rows)
{
    das_idmap_reset(&b->places);
    while (rows-- > 0) {
        if (das_idmap_put(&b->places, ids[rows], rows) < 0)
            return -1;
    }
    return 0;
}

static int put_links(struct das_block *b)
{
    const int64_t *ids = das_snapshot_ids(b->now.snap), *old = NULL;
    uint32_t rows = das_snapshot_rows(b->now.snap), old_rows = 0, expected = 0;
    bool indexed = false;

    if (b->before.snap) {
        old = das_snapshot_ids(b->before.snap);
        old_rows = das_snapshot_rows(b->before.snap);
    }
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t from = NEW_ROW;

        if (expected < old_rows && old[expected] == ids[i]) {
            from = expected;
        } else if (old_rows) {
            if (!indexed && index_before(b, old, old_rows) < 0)
                return -1;
            indexed = true;
            from = das_idmap_get(&b->places, ids[i]);
        }
        b->links[i] = from;
        das_put_varint(&b->streams[DAS_BS_LINKS],
                       from == NEW_ROW ? 0 : das_zigzag((int64_t)from - (int64_t)expected) + 1);
        if (from != NEW_ROW)
            expected = from + 1;
    }
    return 0;
}

/* --- texts ------------------------------------------------------------------------------------ */

/* The number of t in its column, which tells it if it is new; NULL is 0. -1: no memory. */
static int number_of(struct das_block *b, int column, struct das_text t, uint32_t *out)
{
    struct das_texts *d = &b->texts[column];
    uint32_t known = d->count;

    *out = 0;
    if (!t.ptr)
        return 0;
    if (das_texts_number(d, &b->arena, t, out) < 0)
        return -1;
    if (d->count > known && column == DAS_BT_SQL) {
        b->sql_bytes += t.len;
        if (das_sql_put(&b->sql, t, b->streams) < 0)
            return -1;
    } else if (d->count > known) {
        das_put_varint(&b->streams[DAS_BS_LENGTHS + column], t.len);
        das_buf_add(&b->streams[DAS_BS_TEXTS + column], t.ptr, t.len);
    }
    ++*out;
    return 0;
}

static void put_text(struct das_block *b, int column, uint32_t row, uint32_t number, uint32_t known)
{
    uint32_t from = b->links[row];
    uint64_t code;

    b->now.texts[column][row] = number;
    if (number == (from == NEW_ROW ? 0 : b->before.texts[column][from]))
        return;
    b->changes[row] |= DAS_CHANGED_TEXT(column);
    code = !number          ? DAS_BR_NULL
           : number > known ? DAS_BR_NEW
                            : DAS_BR_OLD + b->texts[column].count - number;
    das_put_varint(&b->streams[DAS_BS_REFS + column], code);
}

/* A column that the snapshot has as numbers already. */
static int put_dict_column(struct das_block *b, int column, enum das_dict d)
{
    const uint32_t *numbers = das_snapshot_dict_column(b->now.snap, d);
    uint32_t size = das_snapshot_dict_size(b->now.snap, d), rows = das_snapshot_rows(b->now.snap);
    uint32_t *map = das_grow(NULL, size, sizeof *map);
    int rc = 0;

    if (!map)
        return -1;
    for (uint32_t i = 0; i < size; i++)
        map[i] = NEW_ROW;
    for (uint32_t r = 0; r < rows && rc == 0; r++) {
        uint32_t known = b->texts[column].count, *number = &map[numbers[r]];

        if (*number == NEW_ROW)
            rc = number_of(b, column, das_snapshot_dict_text(b->now.snap, d, numbers[r]), number);
        if (rc == 0)
            put_text(b, column, r, *number, known);
    }
    das_free(map);
    return rc;
}

/* What is kept of a statement; lives until the next one is asked for. */
static struct das_text shape_of(struct das_block *b, struct das_text sql)
{
    if (!b->redact || !sql.ptr)
        return sql;
    das_buf_reset(&b->scratch);
    das_statement_shape(sql, &b->scratch);
    return das_buf_view(&b->scratch);
}

static int put_long_column(struct das_block *b, int column)
{
    uint32_t rows = das_snapshot_rows(b->now.snap);
    struct das_session now, old;

    for (uint32_t r = 0; r < rows; r++) {
        uint32_t from = b->links[r], known = b->texts[column].count, number;
        struct das_text t;

        das_snapshot_get(b->now.snap, r, &now);
        t = column == DAS_BT_SQL ? now.sql_info : now.host;
        if (from != NEW_ROW) {
            das_snapshot_get(b->before.snap, from, &old);
            if (das_text_eq(t, column == DAS_BT_SQL ? old.sql_info : old.host)) {
                b->now.texts[column][r] = b->before.texts[column][from];
                continue;
            }
        }
        if (column == DAS_BT_SQL)
            t = shape_of(b, t);
        if (number_of(b, column, t, &number) < 0 || das_buf_ok(&b->scratch, &(struct das_err){0}))
            return -1;
        put_text(b, column, r, number, known);
    }
    return 0;
}

static int put_texts(struct das_block *b)
{
    if (put_dict_column(b, DAS_BT_USER, DAS_D_USER) < 0 || put_long_column(b, DAS_BT_HOST) < 0 ||
        put_dict_column(b, DAS_BT_DB, DAS_D_DB) < 0 ||
        put_dict_column(b, DAS_BT_COMMAND, DAS_D_COMMAND) < 0 ||
        put_dict_column(b, DAS_BT_STATE, DAS_D_STATE) < 0)
        return -1;
    return put_long_column(b, DAS_BT_SQL);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static int64_t value_of(const struct das_snapshot *s, enum das_field f, const int64_t *column,
                        uint32_t row)
{
    int32_t duration;

    if (f != DAS_F_STATE_DURATION)
        return column ? column[row] : DAS_UNKNOWN;
    duration = das_snapshot_durations(s)[row];
    return duration < 0 ? DAS_UNKNOWN : duration;
}

static const int64_t *column_of(const struct das_snapshot *s, enum das_field f)
{
    return !s ? NULL : f == DAS_F_ID ? das_snapshot_ids(s) : das_snapshot_numbers(s, f);
}

static int64_t before_of(const struct das_block *b, const struct number_column *c, uint32_t row)
{
    uint32_t from = b->links[row];

    return from == NEW_ROW ? DAS_UNKNOWN : value_of(b->before.snap, c->field, c->before, from);
}

/* By how much most rows of a column have grown: the candidate that no other can outvote. */
static int64_t find_step(const struct das_block *b, const struct number_column *c)
{
    uint32_t rows = das_snapshot_rows(b->now.snap), votes = 0;
    int64_t step = 0;

    for (uint32_t r = 0; r < rows; r++) {
        int64_t old = before_of(b, c, r), now = value_of(b->now.snap, c->field, c->now, r);

        if (!das_known(old) || !das_known(now) || now < old)
            continue;
        if (!votes)
            step = now - old;
        if (now - old == step)
            votes++;
        else
            votes--;
    }
    return step;
}

static void put_number_column(struct das_block *b, uint32_t column)
{
    struct number_column *c = &b->columns[column];
    struct das_buf *out = &b->streams[DAS_BS_NUMBERS + column];
    const int64_t *ms = das_snapshot_numbers(b->now.snap, DAS_F_TIME_MS);
    uint32_t rows = das_snapshot_rows(b->now.snap);

    for (uint32_t r = 0; r < rows; r++) {
        int64_t v = value_of(b->now.snap, c->field, c->now, r), expected = before_of(b, c, r);

        if (c->kind == DAS_CK_AGE || c->kind == DAS_CK_SECONDS)
            expected = das_grown(expected, c->step);
        if (c->kind == DAS_CK_SECONDS && ms && das_known(ms[r]))
            expected = ms[r] / 1000;
        if (c->field == DAS_F_ID ? b->links[r] != NEW_ROW : v == expected)
            continue;
        if (c->field != DAS_F_ID)
            b->changes[r] |= DAS_CHANGED_NUMBER(column);
        das_put_number(out, v,
                       c->kind == DAS_CK_SERIAL ? c->last
                       : das_known(expected)    ? expected
                                                : 0);
        if (das_known(v))
            c->last = v;
    }
}

static void put_numbers(struct das_block *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        struct number_column *c = &b->columns[i];

        if (c->field == DAS_F_ID || c->field == DAS_F_STATE_DURATION || c->now)
            put_number_column(b, i);
    }
}

/* --- what is said of a snapshot --------------------------------------------------------------- */

static bool any_disputed(const struct das_snapshot *s)
{
    for (uint32_t i = 0; i < das_snapshot_rows(s); i++) {
        if (das_snapshot_disputed(s, i))
            return true;
    }
    return false;
}

static void put_meta(struct das_block *b, int64_t time_ms)
{
    struct das_buf *out = &b->streams[DAS_BS_META];
    const struct das_snapshot *s = b->now.snap;
    int64_t before = b->snapshots ? b->to_ms : time_ms, seconds = das_snapshot_time(s);
    uint64_t present = 0;
    bool same;

    das_buf_reset(&b->scratch);
    das_told_put(s, &b->scratch);
    same = b->snapshots && das_text_eq(das_buf_view(&b->scratch), das_buf_view(&b->told));
    das_put_varint(out, (das_snapshot_complete(s) ? DAS_SF_COMPLETE : 0u) |
                            (das_snapshot_partial(s) ? DAS_SF_PARTIAL : 0u) |
                            (das_snapshot_cut(s) ? DAS_SF_CUT : 0u) | (same ? DAS_SF_SAME : 0u) |
                            (any_disputed(s) ? DAS_SF_DISPUTED : 0u));
    das_put_varint(out, das_zigzag((int64_t)((uint64_t)time_ms - (uint64_t)before)));
    das_put_varint(out, das_zigzag((int64_t)((uint64_t)seconds - (uint64_t)(time_ms / 1000))));
    das_put_varint(out, das_snapshot_rows(s));
    for (uint32_t i = 0; i < b->column_count; i++)
        present |= b->columns[i].now ? (uint64_t)1 << i : 0;
    das_put_varint(out, present);
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (b->columns[i].kind == DAS_CK_AGE || b->columns[i].kind == DAS_CK_SECONDS)
            das_put_varint(out, das_zigzag(b->columns[i].step));
    }
    if (same)
        return;
    das_buf_text(out, das_buf_view(&b->scratch));
    das_buf_reset(&b->told);
    das_buf_text(&b->told, das_buf_view(&b->scratch));
}

/* --- one snapshot ----------------------------------------------------------------------------- */

static void put_changes(struct das_block *b)
{
    uint32_t rows = das_snapshot_rows(b->now.snap);

    for (uint32_t r = 0; r < rows; r++) {
        bool old = b->links[r] != NEW_ROW && das_snapshot_disputed(b->before.snap, b->links[r]);

        if (das_snapshot_disputed(b->now.snap, r) != old)
            b->changes[r] |= DAS_CHANGED_DISPUTED;
        das_put_varint(&b->streams[DAS_BS_CHANGES], b->changes[r]);
    }
}

static void prepare_columns(struct das_block *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        struct number_column *c = &b->columns[i];

        c->now = column_of(b->now.snap, c->field);
        c->before = column_of(b->before.snap, c->field);
        c->step = c->kind == DAS_CK_AGE || c->kind == DAS_CK_SECONDS ? find_step(b, c) : 0;
    }
}

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
    struct rows swap;
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
    if (put_links(b) < 0)
        return das_fail_nomem(err);
    prepare_columns(b);
    put_meta(b, time_ms);
    if (put_texts(b) < 0)
        return das_fail_nomem(err);
    put_numbers(b);
    put_changes(b);
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
