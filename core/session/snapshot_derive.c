/*
 * snapshot_derive.c - snapshots made from others: some of their rows, or all of them, older.
 *
 * See snapshot.h. A derived snapshot keeps its parent alive and shares its text; columns are copied
 * only where rows are left out or values change.
 */
#include "core/session/snapshot_impl.h"

#include <string.h>

#include "core/base/mem.h"

/* The named rows of a column; rows NULL is all, which needs no copy while it stays unchanged. */
static void *gather(void *column, const uint32_t *rows, size_t n, size_t size)
{
    char *to;

    if (!rows)
        return column;
    to = das_grow(NULL, n, size);
    for (size_t i = 0; to && i < n; i++)
        memcpy(to + i * size, (const char *)column + rows[i] * size, size);
    return to;
}

static int derive_columns(struct das_snapshot *s, const struct das_snapshot *parent,
                          const uint32_t *rows, size_t n)
{
    s->ids = gather(parent->ids, rows, n, sizeof *s->ids);
    s->durations = gather(parent->durations, rows, n, sizeof *s->durations);
    s->hosts = gather(parent->hosts, rows, n, sizeof *s->hosts);
    s->sql = gather(parent->sql, rows, n, sizeof *s->sql);
    if (n && (!s->ids || !s->durations || !s->hosts || !s->sql))
        return -1;
    for (int i = 0; i < DAS_D_COUNT; i++) {
        s->dict_cols[i] = gather(parent->dict_cols[i], rows, n, sizeof *s->dict_cols[i]);
        if (n && !s->dict_cols[i])
            return -1;
    }
    for (int i = 0; i < N_COUNT; i++) {
        if (!parent->numbers[i])
            continue;
        s->numbers[i] = gather(parent->numbers[i], rows, n, sizeof *s->numbers[i]);
        if (!s->numbers[i])
            return -1;
    }
    s->disputed = parent->disputed ? gather(parent->disputed, rows, n, sizeof *s->disputed) : NULL;
    return parent->disputed && n && !s->disputed ? -1 : 0;
}

/* All that is said of a list, besides its rows. */
static int derive_facts(struct das_snapshot *s, const struct das_snapshot *parent,
                        struct das_err *err)
{
    s->identity = parent->identity;
    s->time = parent->time;
    s->total = parent->total;
    s->lag = parent->lag;
    s->spread = parent->spread;
    s->complete = parent->complete;
    s->partial = parent->partial;
    s->cut = parent->cut;
    for (size_t i = 0; i < parent->warning_count; i++) {
        if (das_snapshot_warn(s, err, "%s", parent->warnings[i]) < 0)
            return -1;
    }
    for (size_t i = 0; i < parent->own_count; i++) {
        if (das_snapshot_add_own(s, parent->own[i], err) < 0)
            return -1;
    }
    return das_snapshot_set_own_user(s, das_snapshot_own_user(parent), err);
}

struct das_snapshot *das_snapshot_derive(struct das_snapshot *parent, const uint32_t *rows,
                                         size_t n, struct das_err *err)
{
    struct das_snapshot *s = das_snapshot_new(err);

    if (!s)
        return NULL;
    s->parent = das_snapshot_retain(parent);
    s->rows = s->cap = (uint32_t)n;
    s->idle_command = parent->idle_command;
    s->idle_state = parent->idle_state;
    if (derive_columns(s, parent, rows, n) < 0)
        das_fail_nomem(err);
    else if (derive_facts(s, parent, err) == 0)
        return s;
    das_snapshot_release(s);
    return NULL;
}

static int replace_rows(struct das_snapshot *to, const struct das_snapshot *s, int64_t id,
                        const struct das_session *row, struct das_err *err)
{
    struct das_session one;
    bool found = false;

    for (uint32_t i = 0; i < s->rows; i++) {
        bool meant = s->ids[i] == id;
        found |= meant;
        if (meant && !row)
            continue;
        if (!meant)
            das_snapshot_get(s, i, &one);
        if (das_snapshot_add(to, meant ? row : &one, err) < 0)
            return -1;
    }
    return found || !row ? 0 : das_snapshot_add(to, row, err);
}

struct das_snapshot *das_snapshot_replace(const struct das_snapshot *s, int64_t id,
                                          const struct das_session *row, struct das_err *err)
{
    struct das_snapshot *to = das_snapshot_new(err);

    if (!to)
        return NULL;
    if (replace_rows(to, s, id, row, err) == 0 && derive_facts(to, s, err) == 0)
        return to;
    das_snapshot_release(to);
    return NULL;
}

/* Before a column of a derived snapshot changes: it may still be the parent's. */
static int make_own(const struct das_snapshot *s, void *column, const void *of_parent, size_t size)
{
    void **p = column, *copy;

    if (!*p || *p != of_parent)
        return 0;
    copy = das_grow(NULL, s->rows, size);
    if (!copy)
        return -1;
    das_prefault(copy, s->rows * size);
    memcpy(copy, *p, s->rows * size);
    *p = copy;
    return 0;
}

int das_snapshot_age(struct das_snapshot *s, int64_t seconds, struct das_err *err)
{
    int64_t *ms, *trx;

    if (seconds <= 0)
        return 0;
    if (make_own(s, &s->durations, s->parent->durations, sizeof *s->durations) < 0 ||
        make_own(s, &s->numbers[N_TIME_MS], s->parent->numbers[N_TIME_MS], sizeof *ms) < 0 ||
        make_own(s, &s->numbers[N_TRX_TIME], s->parent->numbers[N_TRX_TIME], sizeof *trx) < 0)
        return das_fail_nomem(err);
    ms = s->numbers[N_TIME_MS];
    trx = s->numbers[N_TRX_TIME];
    for (uint32_t i = 0; i < s->rows; i++) {
        if (s->durations[i] >= 0)
            s->durations[i] = seconds < INT32_MAX - s->durations[i]
                                  ? s->durations[i] + (int32_t)seconds
                                  : -1;
        if (ms && das_known(ms[i]))
            ms[i] = seconds < INT32_MAX - ms[i] / 1000 ? ms[i] + seconds * 1000 : DAS_UNKNOWN;
        if (trx && das_known(trx[i]))
            trx[i] = seconds < INT32_MAX - trx[i] ? trx[i] + seconds : DAS_UNKNOWN;
    }
    s->time += seconds;
    return 0;
}

void das_snapshot_set_idle(struct das_snapshot *s, uint32_t row, int64_t duration)
{
    s->dict_cols[DAS_D_COMMAND][row] = s->idle_command;
    s->dict_cols[DAS_D_STATE][row] = s->idle_state;
    s->sql[row] = DAS_TEXT_NULL;
    duration = das_session_clean_time(duration);
    s->durations[row] = duration == DAS_UNKNOWN ? -1 : (int32_t)duration;
    if (s->numbers[N_TIME_MS])
        s->numbers[N_TIME_MS][row] = duration == DAS_UNKNOWN ? duration : duration * 1000;
    if (s->numbers[N_ROWS_EXAMINED])
        s->numbers[N_ROWS_EXAMINED][row] = 0;
    if (s->numbers[N_PROGRESS])
        s->numbers[N_PROGRESS][row] = 0;
}

int das_snapshot_prepare_idle(struct das_snapshot *s, struct das_err *err)
{
    struct das_texts *command = &s->dicts[DAS_D_COMMAND], *state = &s->dicts[DAS_D_STATE];

    if (s->parent)
        return 0; /* over the texts of another, which was prepared before */
    if (das_texts_number(command, &s->dict_arena, das_text_of("Sleep"), &s->idle_command) < 0 ||
        das_texts_number(state, &s->dict_arena, das_text_of(""), &s->idle_state) < 0)
        return das_fail_nomem(err);
    return 0;
}
