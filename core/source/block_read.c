/*
 * block_read.c - see block_read.h.
 *
 * The other side of block_write.c, column by column. Every number from the file is checked where it
 * is taken: a stream that ends early, a row or a text that is not there end the reading.
 */
#include "core/source/block_read.h"

#include <string.h>
#include <zstd.h>

#include "core/base/mem.h"
#include "core/source/block_sql.h"
#include "core/source/block_told.h"

#define NEW_ROW UINT32_MAX

/* A text of the block. */
struct text {
    struct das_text bytes;
    uint32_t number; /* in the dictionary of the snapshots, where it is in one */
};

struct text_column {
    struct text *texts;     /* from 1 on; 0 is NULL */
    uint32_t count;         /* with the 0th */
    uint32_t seen;          /* the largest that a row told so far */
    uint32_t *now, *before; /* by row: number of the text */
};

struct number_column {
    int field; /* a das_field, or -1: a column that this program does not know */
    enum das_column_kind kind;
    int64_t last, step;
    bool present;
};

struct das_unpacked {
    struct das_snapshot *texts; /* owns the text */
    struct das_bytes streams[DAS_STREAMS_MAX];
    struct text_column text[DAS_BT_COUNT];
    struct das_sql_reader sql;
    struct das_buf sql_bytes; /* statements, put together, until they have a place */
    struct number_column columns[DAS_BLOCK_COLUMNS_MAX];
    uint32_t column_count;
    int duration, id, time_ms; /* their columns, or -1 */

    uint32_t snapshots, left;
    uint64_t rows_left;
    int64_t time;
    struct das_text told; /* what is said of snapshots: as it stands in the file */

    struct das_snapshot *before; /* a reference, or NULL */
    struct das_snapshot_columns now_columns, before_columns;
    uint32_t rows, before_rows;
    uint32_t *links;
    uint64_t *changes;
    uint32_t cap;
};

static int damaged(struct das_err *err, const char *what)
{
    return das_fail(err, DAS_E_DATA, "a block whose %s", what);
}

void das_unpacked_free(struct das_unpacked *u)
{
    if (!u)
        return;
    das_snapshot_release(u->before);
    das_snapshot_release(u->texts);
    for (int t = 0; t < DAS_BT_COUNT; t++) {
        das_free(u->text[t].texts);
        das_free(u->text[t].now);
        das_free(u->text[t].before);
    }
    das_sql_reader_clear(&u->sql);
    das_buf_clear(&u->sql_bytes);
    das_free(u->links);
    das_free(u->changes);
    das_free(u);
}

/* --- the layout ------------------------------------------------------------------------------- */

static int read_columns(struct das_unpacked *u, struct das_bytes *b, struct das_err *err)
{
    uint64_t count = das_take_varint(b);

    u->duration = u->id = u->time_ms = -1;
    if (count > DAS_BLOCK_COLUMNS_MAX)
        return damaged(err, "columns are too many");
    for (uint32_t i = 0; i < count; i++) {
        struct das_text name = das_take_text(b);
        uint64_t kind = das_take_varint(b);
        int field = das_field_find(name);

        if (b->bad || kind >= DAS_CK_KINDS ||
            (field >= 0 && das_field_is_text((enum das_field)field)))
            return damaged(err, "columns have no sense");
        for (uint32_t k = 0; k < i; k++) {
            if (field >= 0 && u->columns[k].field == field)
                return damaged(err, "columns are there twice");
        }
        u->columns[i] = (struct number_column){.field = field, .kind = (enum das_column_kind)kind};
        if (field == DAS_F_ID)
            u->id = (int)i;
        else if (field == DAS_F_STATE_DURATION)
            u->duration = (int)i;
        else if (field == DAS_F_TIME_MS)
            u->time_ms = (int)i;
    }
    u->column_count = (uint32_t)count;
    return u->id < 0 || u->duration < 0 ? damaged(err, "columns have no id and no duration") : 0;
}

static int read_layout(struct das_unpacked *u, struct das_bytes all, struct das_err *err)
{
    uint64_t lengths[DAS_STREAMS_MAX];
    uint32_t count;

    if (read_columns(u, &all, err) < 0)
        return -1;
    count = DAS_BS_NUMBERS + u->column_count;
    for (uint32_t i = 0; i < count; i++)
        lengths[i] = das_take_varint(&all);
    for (uint32_t i = 0; i < count; i++) {
        const char *p = das_take_bytes(&all, lengths[i]);

        if (!p)
            return damaged(err, "streams are longer than it");
        u->streams[i].p = (const unsigned char *)p;
        u->streams[i].end = u->streams[i].p + lengths[i];
    }
    return all.bad || all.p != all.end ? damaged(err, "streams are shorter than it") : 0;
}

/* --- texts ------------------------------------------------------------------------------------ */

static const int dict_of[DAS_BT_COUNT] = {
    [DAS_BT_USER] = DAS_D_USER,       [DAS_BT_HOST] = DAS_D_HOST_PART, [DAS_BT_DB] = DAS_D_DB,
    [DAS_BT_COMMAND] = DAS_D_COMMAND, [DAS_BT_STATE] = DAS_D_STATE,    [DAS_BT_SQL] = -1,
};

static int add_text(struct das_unpacked *u, int column, struct das_text t, struct das_err *err)
{
    struct text_column *c = &u->text[column];
    struct text *to = &c->texts[c->count++];

    to->bytes = t;
    to->number = 0;
    return das_snapshot_intern(u->texts, (enum das_dict)dict_of[column],
                               column == DAS_BT_HOST ? das_host_part(t) : t, &to->number, err);
}

/* A number of a shape takes a byte at least, so there are no more statements than bytes. */
static int read_statements(struct das_unpacked *u, struct das_err *err)
{
    const struct das_bytes *shapes = &u->streams[DAS_BS_SQL_SHAPES];
    struct text_column *c = &u->text[DAS_BT_SQL];
    size_t most = 1;
    char *bytes;

    for (const unsigned char *p = shapes->p; p < shapes->end; p++)
        most += *p < 0x80;
    if (most > DAS_BLOCK_TEXTS_MAX)
        return damaged(err, "texts are too many");
    c->texts = das_grow(NULL, most, sizeof *c->texts);
    if (!c->texts)
        return das_fail_nomem(err);
    c->texts[c->count++] = (struct text){DAS_TEXT_NULL, 0};
    while (shapes->p < shapes->end) {
        size_t from = u->sql_bytes.len;

        if (!das_sql_take(&u->sql, u->streams, &u->sql_bytes) ||
            u->sql_bytes.len > DAS_BLOCK_RAW_MAX)
            return damaged(err, "statements have no sense");
        if (u->sql_bytes.failed)
            return das_fail_nomem(err);
        c->texts[c->count++].bytes = (struct das_text){NULL, u->sql_bytes.len - from};
    }
    bytes = das_snapshot_bytes_for(u->texts, u->sql_bytes.len, err);
    if (!bytes)
        return -1;
    if (u->sql_bytes.len)
        memcpy(bytes, u->sql_bytes.ptr, u->sql_bytes.len);
    for (uint32_t i = 1; i < c->count; i++) {
        c->texts[i].bytes.ptr = bytes;
        bytes += c->texts[i].bytes.len;
    }
    return 0;
}

/* A length takes a byte at least, so there are no more texts than bytes. */
static int read_texts(struct das_unpacked *u, int column, struct das_err *err)
{
    struct das_bytes *lengths = &u->streams[DAS_BS_LENGTHS + column];
    struct das_bytes *bytes = &u->streams[DAS_BS_TEXTS + column];
    struct text_column *c = &u->text[column];
    size_t most = 1;

    for (const unsigned char *p = lengths->p; p < lengths->end; p++)
        most += *p < 0x80;
    if (most > DAS_BLOCK_TEXTS_MAX)
        return damaged(err, "texts are too many");
    c->texts = das_grow(NULL, most, sizeof *c->texts);
    if (!c->texts)
        return das_fail_nomem(err);
    if (add_text(u, column, DAS_TEXT_NULL, err) < 0)
        return -1;
    while (lengths->p < lengths->end && !lengths->bad && !bytes->bad) {
        uint64_t len = das_take_varint(lengths);
        const char *p = das_take_bytes(bytes, len);

        if (p && !lengths->bad && add_text(u, column, das_text(p, (size_t)len), err) < 0)
            return -1;
    }
    return lengths->bad || bytes->bad || bytes->p != bytes->end
               ? damaged(err, "texts do not have their lengths")
               : 0;
}

static int unpack_bytes(struct das_unpacked *u, const struct das_block_head *head,
                        const void *payload, struct das_err *err)
{
    char *raw = das_snapshot_bytes_for(u->texts, head->raw, err);
    size_t n;

    if (!raw)
        return -1;
    n = ZSTD_decompress(raw, head->raw, payload, head->stored);
    if (ZSTD_isError(n))
        return das_fail(err, DAS_E_DATA, "a block that cannot be unpacked: %s",
                        ZSTD_getErrorName(n));
    if (n != head->raw)
        return damaged(err, "length is not the one that its head tells");
    return read_layout(
        u, (struct das_bytes){(const unsigned char *)raw, (const unsigned char *)raw + n, false},
        err);
}

int das_unpack(const struct das_block_head *head, const void *payload, struct das_unpacked **out,
               struct das_err *err)
{
    struct das_unpacked *u = das_calloc(1, sizeof *u);

    *out = NULL;
    if (!u)
        return das_fail_nomem(err);
    u->snapshots = u->left = head->snapshots;
    u->rows_left = head->rows;
    u->time = head->from_ms;
    u->texts = das_snapshot_new(err);
    if (!u->texts || unpack_bytes(u, head, payload, err) < 0)
        goto fail;
    for (int t = 0; t < DAS_BT_SQL; t++) {
        if (read_texts(u, t, err) < 0)
            goto fail;
    }
    if (das_sql_reader_init(&u->sql, u->streams, err) < 0 || read_statements(u, err) < 0)
        goto fail;
    das_buf_clear(&u->sql_bytes);
    /* Before anybody shares it: a session whose statement ends in memory needs these. */
    if (das_snapshot_prepare_idle(u->texts, err) < 0)
        goto fail;
    *out = u;
    return 0;
fail:
    das_unpacked_free(u);
    return -1;
}

/* --- what is said of a snapshot --------------------------------------------------------------- */

struct meta {
    uint64_t flags, present, rows;
    int64_t time_ms, seconds;
};

static int read_meta(struct das_unpacked *u, struct meta *m, struct das_err *err)
{
    struct das_bytes *b = &u->streams[DAS_BS_META];

    m->flags = das_take_varint(b);
    u->time = (int64_t)((uint64_t)u->time + (uint64_t)das_unzigzag(das_take_varint(b)));
    m->time_ms = u->time;
    m->seconds = (int64_t)((uint64_t)(u->time / 1000) + (uint64_t)das_unzigzag(das_take_varint(b)));
    m->rows = das_take_varint(b);
    m->present = das_take_varint(b);
    for (uint32_t i = 0; i < u->column_count; i++) {
        struct number_column *c = &u->columns[i];

        c->present = m->present >> i & 1;
        if (c->kind == DAS_CK_AGE || c->kind == DAS_CK_SECONDS)
            c->step = das_unzigzag(das_take_varint(b));
    }
    if (!(m->flags & DAS_SF_SAME)) {
        const unsigned char *from = b->p;

        das_told_skip(b);
        u->told = das_text((const char *)from, (size_t)(b->p - from));
    }
    if (b->bad || !u->told.len)
        return damaged(err, "snapshots are not described");
    if (m->rows > DAS_BLOCK_ROWS_MAX || m->rows > u->rows_left)
        return damaged(err, "snapshots have more sessions than its head tells");
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int grow(void *array, uint32_t n, size_t size)
{
    void **p = array, *bigger = das_grow(*p, n, size);

    if (!bigger)
        return -1;
    *p = bigger;
    return 0;
}

static int make_room(struct das_unpacked *u, uint32_t rows, struct das_err *err)
{
    uint32_t cap = rows < 64 ? 64 : rows + rows / 4;

    if (rows <= u->cap)
        return 0;
    for (int t = 0; t < DAS_BT_COUNT; t++) {
        if (grow(&u->text[t].now, cap, sizeof(uint32_t)) < 0 ||
            grow(&u->text[t].before, cap, sizeof(uint32_t)) < 0)
            return das_fail_nomem(err);
    }
    if (grow(&u->links, cap, sizeof *u->links) < 0 ||
        grow(&u->changes, cap, sizeof *u->changes) < 0)
        return das_fail_nomem(err);
    u->cap = cap;
    return 0;
}

static int read_links(struct das_unpacked *u, struct das_err *err)
{
    struct das_bytes *links = &u->streams[DAS_BS_LINKS], *changes = &u->streams[DAS_BS_CHANGES];
    int64_t expected = 0;

    /* each takes a byte at least */
    if (u->rows > (size_t)(links->end - links->p) || u->rows > (size_t)(changes->end - changes->p))
        return damaged(err, "sessions are fewer than it tells");
    for (uint32_t r = 0; r < u->rows; r++) {
        uint64_t code = das_take_varint(links);

        u->changes[r] = das_take_varint(changes);
        u->links[r] = NEW_ROW;
        if (!code)
            continue;
        expected = (int64_t)((uint64_t)expected + (uint64_t)das_unzigzag(code - 1));
        if (expected < 0 || expected >= u->before_rows)
            return damaged(err, "sessions go on from one that is not there");
        u->links[r] = (uint32_t)expected++;
    }
    return links->bad || changes->bad ? damaged(err, "sessions are cut off") : 0;
}

static int read_text_column(struct das_unpacked *u, int column, struct das_err *err)
{
    struct text_column *c = &u->text[column];
    struct das_bytes *refs = &u->streams[DAS_BS_REFS + column];

    for (uint32_t r = 0; r < u->rows; r++) {
        uint64_t code;

        if (!(u->changes[r] & DAS_CHANGED_TEXT(column))) {
            c->now[r] = u->links[r] == NEW_ROW ? 0 : c->before[u->links[r]];
            continue;
        }
        code = das_take_varint(refs);
        if (code == DAS_BR_NEW) {
            if (++c->seen >= c->count)
                return damaged(err, "texts are fewer than its sessions have");
            c->now[r] = c->seen;
        } else if (code == DAS_BR_NULL) {
            c->now[r] = 0;
        } else if (code - DAS_BR_OLD < c->seen) {
            c->now[r] = c->seen - (uint32_t)(code - DAS_BR_OLD);
        } else {
            return damaged(err, "texts are fewer than its sessions have");
        }
    }
    return refs->bad ? damaged(err, "texts are cut off") : 0;
}

static void show_texts(struct das_unpacked *u)
{
    const struct das_snapshot_columns *to = &u->now_columns;

    for (int t = 0; t < DAS_BT_COUNT; t++) {
        const struct text *texts = u->text[t].texts;
        const uint32_t *now = u->text[t].now;
        struct das_text *whole = t == DAS_BT_HOST ? to->hosts : t == DAS_BT_SQL ? to->sql : NULL;
        uint32_t *numbers = dict_of[t] < 0 ? NULL : to->dicts[dict_of[t]];

        for (uint32_t r = 0; whole && r < u->rows; r++)
            whole[r] = texts[now[r]].bytes;
        for (uint32_t r = 0; numbers && r < u->rows; r++)
            numbers[r] = texts[now[r]].number;
    }
}

/* The ids of rows that are new. */
static int read_ids(struct das_unpacked *u, struct das_err *err)
{
    struct das_bytes *in = &u->streams[DAS_BS_NUMBERS + u->id];
    int64_t *last = &u->columns[u->id].last;

    for (uint32_t r = 0; r < u->rows; r++) {
        int64_t *id = &u->now_columns.ids[r];

        if (u->links[r] != NEW_ROW) {
            *id = u->before_columns.ids[u->links[r]];
            continue;
        }
        *id = das_take_number(in, *last);
        if (das_known(*id))
            *last = *id;
    }
    return in->bad ? damaged(err, "ids are cut off") : 0;
}

static int64_t duration_of(const struct das_snapshot_columns *c, uint32_t row)
{
    return c->durations[row] < 0 ? DAS_UNKNOWN : c->durations[row];
}

static int read_durations(struct das_unpacked *u, struct das_err *err)
{
    struct number_column *c = &u->columns[u->duration];
    struct das_bytes *in = &u->streams[DAS_BS_NUMBERS + u->duration];
    const int64_t *ms = u->now_columns.numbers[DAS_F_TIME_MS];

    for (uint32_t r = 0; r < u->rows; r++) {
        int64_t v = u->links[r] == NEW_ROW
                        ? DAS_UNKNOWN
                        : das_grown(duration_of(&u->before_columns, u->links[r]), c->step);

        if (ms && das_known(ms[r]))
            v = ms[r] / 1000;
        if (u->changes[r] & DAS_CHANGED_NUMBER(u->duration))
            v = das_take_number(in, das_known(v) ? v : 0);
        v = das_session_clean_time(v);
        u->now_columns.durations[r] = v == DAS_UNKNOWN ? -1 : (int32_t)v;
    }
    return in->bad ? damaged(err, "durations are cut off") : 0;
}

/* One of the other columns; one that this program does not know is gone over. */
static int read_number_column(struct das_unpacked *u, uint32_t column, struct das_err *err)
{
    struct number_column *c = &u->columns[column];
    struct das_bytes *in = &u->streams[DAS_BS_NUMBERS + column];
    const int64_t *before = c->field < 0 ? NULL : u->before_columns.numbers[c->field];
    int64_t *now = c->field < 0 ? NULL : u->now_columns.numbers[c->field];
    bool ages = c->kind == DAS_CK_AGE || c->kind == DAS_CK_SECONDS;
    uint64_t bit = DAS_CHANGED_NUMBER(column);

    for (uint32_t r = 0; r < u->rows; r++) {
        int64_t v = before && u->links[r] != NEW_ROW ? before[u->links[r]] : DAS_UNKNOWN;

        if (ages)
            v = das_grown(v, c->step);
        if (u->changes[r] & bit) {
            v = das_take_number(in, c->kind == DAS_CK_SERIAL ? c->last : das_known(v) ? v : 0);
            if (das_known(v))
                c->last = v;
        }
        if (now)
            now[r] = das_snapshot_clean((enum das_field)c->field, v);
    }
    return in->bad ? damaged(err, "numbers are cut off") : 0;
}

static int read_numbers(struct das_unpacked *u, struct das_err *err)
{
    if (read_ids(u, err) < 0)
        return -1;
    for (uint32_t i = 0; i < u->column_count; i++) {
        if (u->columns[i].present && (int)i != u->id && (int)i != u->duration &&
            read_number_column(u, i, err) < 0)
            return -1;
    }
    return read_durations(u, err); /* last: they follow from time_ms */
}

static void read_disputed(struct das_unpacked *u)
{
    const bool *before = u->before_columns.disputed;
    bool *now = u->now_columns.disputed;

    for (uint32_t r = 0; now && r < u->rows; r++) {
        bool old = before && u->links[r] != NEW_ROW && before[u->links[r]];

        now[r] = old != ((u->changes[r] & DAS_CHANGED_DISPUTED) != 0);
    }
}

static uint64_t wanted_numbers(const struct das_unpacked *u)
{
    uint64_t wanted = 0;

    for (uint32_t i = 0; i < u->column_count; i++) {
        if (u->columns[i].present && u->columns[i].field >= 0)
            wanted |= (uint64_t)1 << u->columns[i].field;
    }
    return wanted;
}

static int read_rows(struct das_unpacked *u, struct das_err *err)
{
    if (read_links(u, err) < 0)
        return -1;
    for (int t = 0; t < DAS_BT_COUNT; t++) {
        if (read_text_column(u, t, err) < 0)
            return -1;
    }
    show_texts(u);
    if (read_numbers(u, err) < 0)
        return -1;
    read_disputed(u);
    return 0;
}

/* The snapshot becomes the one before the next. */
static void turn_over(struct das_unpacked *u, struct das_snapshot *s)
{
    das_snapshot_release(u->before);
    u->before = das_snapshot_retain(s);
    u->before_columns = u->now_columns;
    u->before_rows = u->rows;
    for (int t = 0; t < DAS_BT_COUNT; t++) {
        uint32_t *swap = u->text[t].before;

        u->text[t].before = u->text[t].now;
        u->text[t].now = swap;
    }
    u->left--;
    u->rows_left -= u->rows;
}

/* After the last snapshot nothing may be left in any stream. */
static int check_end(const struct das_unpacked *u, struct das_err *err)
{
    bool whole = u->rows_left == 0;

    for (uint32_t i = 0; i < DAS_BS_NUMBERS + u->column_count; i++)
        whole = whole && (u->streams[i].p == u->streams[i].end || i == DAS_BS_TEXTS + DAS_BT_SQL);
    for (int t = 0; t < DAS_BT_COUNT; t++)
        whole = whole && u->text[t].seen + 1 == u->text[t].count;
    return whole ? 0 : damaged(err, "snapshots leave something of it over");
}

int das_unpacked_next(struct das_unpacked *u, struct das_snapshot **out, int64_t *time_ms,
                      struct das_err *err)
{
    struct das_snapshot *s = NULL;
    struct meta m;

    *out = NULL;
    if (!u->left)
        return 0;
    if (read_meta(u, &m, err) < 0)
        return -1;
    u->rows = (uint32_t)m.rows;
    if (make_room(u, u->rows, err) < 0)
        return -1;
    s = das_snapshot_over(u->texts, u->rows, wanted_numbers(u), m.flags & DAS_SF_DISPUTED,
                          &u->now_columns, err);
    if (!s || read_rows(u, err) < 0)
        goto fail;
    das_snapshot_set_time(s, m.seconds);
    das_snapshot_set_complete(s, m.flags & DAS_SF_COMPLETE);
    das_snapshot_set_partial(s, m.flags & DAS_SF_PARTIAL);
    das_snapshot_set_cut(s, m.flags & DAS_SF_CUT);
    if (das_told_read((struct das_bytes){(const unsigned char *)u->told.ptr,
                                         (const unsigned char *)u->told.ptr + u->told.len, false},
                      s, err) < 0)
        goto fail;
    turn_over(u, s);
    if (!u->left && check_end(u, err) < 0)
        goto fail;
    *out = s;
    *time_ms = m.time_ms;
    return 1;
fail:
    das_snapshot_release(s);
    return -1;
}
