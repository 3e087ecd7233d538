/*
 * block_rows.c - the columns of a snapshot, as a block has them; see block_write.h. Called by
 * block_write.c.
 *
 * Of each column only what is not as the snapshot before lets expect is written: a session that
 * goes on doing what it did costs two bytes of zeros, which zstd takes away.
 */
#include "core/source/block_write_impl.h"

#include "core/base/mem.h"
#include "core/session/fingerprint.h"
#include "core/source/block_told.h"

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
        uint32_t from = DAS_BLOCK_NEW_ROW;

        if (expected < old_rows && old[expected] == ids[i]) {
            from = expected;
        } else if (old_rows) {
            if (!indexed && index_before(b, old, old_rows) < 0)
                return -1;
            indexed = true;
            from = das_idmap_get(&b->places, ids[i]);
        }
        b->links[i] = from;
        das_put_varint(
            &b->streams[DAS_BS_LINKS],
            from == DAS_BLOCK_NEW_ROW ? 0 : das_zigzag((int64_t)from - (int64_t)expected) + 1);
        if (from != DAS_BLOCK_NEW_ROW)
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
    if (number == (from == DAS_BLOCK_NEW_ROW ? 0 : b->before.texts[column][from]))
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
        map[i] = DAS_BLOCK_NEW_ROW;
    for (uint32_t r = 0; r < rows && rc == 0; r++) {
        uint32_t known = b->texts[column].count, *number = &map[numbers[r]];

        if (*number == DAS_BLOCK_NEW_ROW)
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
        if (from != DAS_BLOCK_NEW_ROW) {
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

static int64_t before_of(const struct das_block *b, const struct das_block_column *c, uint32_t row)
{
    uint32_t from = b->links[row];

    return from == DAS_BLOCK_NEW_ROW ? DAS_UNKNOWN
                                     : value_of(b->before.snap, c->field, c->before, from);
}

/* By how much most rows of a column have grown: the candidate that no other can outvote. */
static int64_t find_step(const struct das_block *b, const struct das_block_column *c)
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
    struct das_block_column *c = &b->columns[column];
    struct das_buf *out = &b->streams[DAS_BS_NUMBERS + column];
    const int64_t *ms = das_snapshot_numbers(b->now.snap, DAS_F_TIME_MS);
    uint32_t rows = das_snapshot_rows(b->now.snap);

    for (uint32_t r = 0; r < rows; r++) {
        int64_t v = value_of(b->now.snap, c->field, c->now, r), expected = before_of(b, c, r);

        if (c->kind == DAS_CK_AGE || c->kind == DAS_CK_SECONDS)
            expected = das_grown(expected, c->step);
        if (c->kind == DAS_CK_SECONDS && ms && das_known(ms[r]))
            expected = ms[r] / 1000;
        if (c->field == DAS_F_ID ? b->links[r] != DAS_BLOCK_NEW_ROW : v == expected)
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
        struct das_block_column *c = &b->columns[i];

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

static void put_changes(struct das_block *b)
{
    uint32_t rows = das_snapshot_rows(b->now.snap);

    for (uint32_t r = 0; r < rows; r++) {
        bool old =
            b->links[r] != DAS_BLOCK_NEW_ROW && das_snapshot_disputed(b->before.snap, b->links[r]);

        if (das_snapshot_disputed(b->now.snap, r) != old)
            b->changes[r] |= DAS_CHANGED_DISPUTED;
        das_put_varint(&b->streams[DAS_BS_CHANGES], b->changes[r]);
    }
}

static void prepare_columns(struct das_block *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        struct das_block_column *c = &b->columns[i];

        c->now = column_of(b->now.snap, c->field);
        c->before = column_of(b->before.snap, c->field);
        c->step = c->kind == DAS_CK_AGE || c->kind == DAS_CK_SECONDS ? find_step(b, c) : 0;
    }
}

int das_block_put(struct das_block *b, int64_t time_ms)
{
    if (put_links(b) < 0)
        return -1;
    prepare_columns(b);
    put_meta(b, time_ms);
    if (put_texts(b) < 0)
        return -1;
    put_numbers(b);
    put_changes(b);
    return 0;
}
