/* snapshot.c - see snapshot.h. */
#include "core/session/snapshot_impl.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

int das_snapshot_number_column(enum das_field f)
{
    return f >= DAS_F_TIME_MS && f <= DAS_F_BLOCKED_BY ? (int)(f - DAS_F_TIME_MS) : -1;
}

struct das_snapshot *das_snapshot_new(struct das_err *err)
{
    struct das_snapshot *s = das_calloc(1, sizeof *s);

    if (!s) {
        das_fail_nomem(err);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    das_arena_init(&s->arena);
    das_arena_init(&s->dict_arena);
    s->identity.start_unix_s = DAS_UNKNOWN;
    s->complete = true;
    s->total = DAS_UNKNOWN;
    return s;
}

struct das_snapshot *das_snapshot_retain(struct das_snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

/* A derived snapshot may use its parent's columns; those are not its to free. */
static void free_column(const struct das_snapshot *s, void *column, const void *of_parent)
{
    if (!s->parent || column != of_parent)
        das_free(column);
}

void das_snapshot_release(struct das_snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    das_arena_clear(&s->arena);
    das_arena_clear(&s->dict_arena);
    free_column(s, s->ids, s->parent ? s->parent->ids : NULL);
    free_column(s, s->durations, s->parent ? s->parent->durations : NULL);
    free_column(s, s->hosts, s->parent ? s->parent->hosts : NULL);
    free_column(s, s->sql, s->parent ? s->parent->sql : NULL);
    for (int i = 0; i < DAS_D_COUNT; i++) {
        free_column(s, s->dict_cols[i], s->parent ? s->parent->dict_cols[i] : NULL);
        das_texts_clear(&s->dicts[i]);
    }
    for (int i = 0; i < N_COUNT; i++)
        free_column(s, s->numbers[i], s->parent ? s->parent->numbers[i] : NULL);
    free_column(s, s->disputed, s->parent ? s->parent->disputed : NULL);
    das_snapshot_release(s->parent);
    for (size_t i = 0; i < s->warning_count; i++)
        das_free(s->warnings[i]);
    das_free(s->warnings);
    das_free(s->own);
    das_free(s->own_user);
    das_free(s);
}

/* --- building ------------------------------------------------------------------------------ */

/* Not realloc(): that would copy into pages that are not mapped yet, a fault for each. */
static int grow_column(void *column, uint32_t old_cap, uint32_t cap, size_t size)
{
    void **p = column, *bigger = das_grow(NULL, cap, size);

    if (!bigger)
        return -1;
    das_prefault(bigger, cap * size);
    if (old_cap)
        memcpy(bigger, *p, old_cap * size);
    das_free(*p);
    *p = bigger;
    return 0;
}

static int reserve_rows(struct das_snapshot *s, uint32_t cap)
{
    if (grow_column(&s->ids, s->cap, cap, sizeof *s->ids) < 0 ||
        grow_column(&s->durations, s->cap, cap, sizeof *s->durations) < 0 ||
        grow_column(&s->hosts, s->cap, cap, sizeof *s->hosts) < 0 ||
        grow_column(&s->sql, s->cap, cap, sizeof *s->sql) < 0)
        return -1;
    for (int i = 0; i < DAS_D_COUNT; i++) {
        if (grow_column(&s->dict_cols[i], s->cap, cap, sizeof *s->dict_cols[i]) < 0)
            return -1;
    }
    for (int i = 0; i < N_COUNT; i++) {
        if (s->numbers[i] && grow_column(&s->numbers[i], s->cap, cap, sizeof *s->numbers[i]) < 0)
            return -1;
    }
    if (s->disputed && grow_column(&s->disputed, s->cap, cap, sizeof *s->disputed) < 0)
        return -1;
    s->cap = cap;
    return 0;
}

/* Doubles while small; later by a half, since what is not used yet is mapped already. */
static uint32_t next_cap(uint32_t cap)
{
    return cap < 32 ? 32 : cap < 16384 ? cap * 2 : cap + cap / 2;
}

static int set_number(struct das_snapshot *s, int column, uint32_t row, int64_t v)
{
    int64_t *numbers = s->numbers[column];

    if (!numbers) {
        if (v == DAS_UNKNOWN)
            return 0;
        numbers = das_grow(NULL, s->cap, sizeof *numbers);
        if (!numbers)
            return -1;
        s->numbers[column] = numbers;
        for (uint32_t i = 0; i < row; i++)
            numbers[i] = DAS_UNKNOWN;
    }
    numbers[row] = v;
    return 0;
}

static int set_disputed(struct das_snapshot *s, uint32_t row, bool disputed)
{
    if (!s->disputed) {
        if (!disputed)
            return 0;
        s->disputed = das_calloc(s->cap, sizeof *s->disputed);
        if (!s->disputed)
            return -1;
    }
    s->disputed[row] = disputed;
    return 0;
}

/* What no server can mean is unknown. Ages have the limits of TIME, so that adding to them or
 * taking them from a clock cannot overflow. */
static int64_t clean_number(int column, int64_t v)
{
    if (!das_known(v))
        return v;
    if (column == N_TIME_MS)
        return v >= 0 && v / 1000 < INT32_MAX ? v : DAS_UNKNOWN;
    if (column == N_TRX_TIME)
        return das_session_clean_time(v);
    return v < 0 ? DAS_UNKNOWN : v;
}

int64_t das_snapshot_clean(enum das_field f, int64_t v)
{
    return f == DAS_F_STATE_DURATION ? das_session_clean_time(v)
                                     : clean_number(das_snapshot_number_column(f), v);
}

static int add_row(struct das_snapshot *s, const struct das_session *in)
{
    struct das_text dict_texts[DAS_D_COUNT] = {in->user, das_host_part(in->host), in->db,
                                               in->command, in->state};
    const int64_t numbers[N_COUNT] = {in->time_ms,       in->query_id, in->trx_time,
                                      in->rows_modified, in->rows_examined,
                                      in->progress,      in->trx_id,   in->blocked_by};
    int64_t duration = das_session_clean_time(in->state_duration);
    uint32_t row = s->rows;

    if (row == s->cap && reserve_rows(s, next_cap(s->cap)) < 0)
        return -1;
    s->ids[row] = in->id;
    s->durations[row] = duration == DAS_UNKNOWN ? -1 : (int32_t)duration;
    for (int i = 0; i < DAS_D_COUNT; i++) {
        if (das_texts_number(&s->dicts[i], &s->dict_arena, dict_texts[i], &s->dict_cols[i][row]) < 0)
            return -1;
    }
    s->hosts[row] = in->host;
    s->sql[row] = in->sql_info;
    if (in->host.ptr && !(s->hosts[row].ptr = das_arena_dup(&s->arena, in->host.ptr, in->host.len)))
        return -1;
    if (in->sql_info.ptr &&
        !(s->sql[row].ptr = das_arena_dup(&s->arena, in->sql_info.ptr, in->sql_info.len)))
        return -1;
    for (int i = 0; i < N_COUNT; i++) {
        if (set_number(s, i, row, clean_number(i, numbers[i])) < 0)
            return -1;
    }
    if (set_disputed(s, row, in->disputed) < 0)
        return -1;
    s->rows++;
    return 0;
}

int das_snapshot_add(struct das_snapshot *s, const struct das_session *row, struct das_err *err)
{
    if (s->rows == DAS_SNAPSHOT_MAX_ROWS)
        return das_fail(err, DAS_E_DATA, "more than %u sessions in one snapshot",
                        DAS_SNAPSHOT_MAX_ROWS);
    return add_row(s, row) < 0 ? das_fail_nomem(err) : 0;
}

void das_snapshot_set_time(struct das_snapshot *s, int64_t unix_s)
{
    s->time = unix_s;
}

void das_snapshot_set_identity(struct das_snapshot *s, const struct das_identity *id)
{
    s->identity = *id;
}

void das_snapshot_set_complete(struct das_snapshot *s, bool complete)
{
    s->complete = complete;
}

void das_snapshot_set_partial(struct das_snapshot *s, bool partial)
{
    s->partial = partial;
}

void das_snapshot_set_cut(struct das_snapshot *s, bool cut)
{
    s->cut = cut;
}

void das_snapshot_set_total(struct das_snapshot *s, int64_t total)
{
    s->total = total;
}

int das_snapshot_warn(struct das_snapshot *s, struct das_err *err, const char *fmt, ...)
{
    char text[1000], *copy, **bigger;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    bigger = das_grow(s->warnings, s->warning_count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    s->warnings = bigger;
    copy = das_strdup(text);
    if (!copy)
        return das_fail_nomem(err);
    s->warnings[s->warning_count++] = copy;
    return 0;
}

int das_snapshot_add_own(struct das_snapshot *s, int64_t id, struct das_err *err)
{
    int64_t *bigger = das_grow(s->own, s->own_count + 1, sizeof *bigger);

    if (!bigger)
        return das_fail_nomem(err);
    s->own = bigger;
    s->own[s->own_count++] = id;
    return 0;
}

int das_snapshot_set_own_user(struct das_snapshot *s, struct das_text user, struct das_err *err)
{
    das_free(s->own_user);
    s->own_user = user.len ? das_strndup(user.ptr, user.len) : NULL;
    return user.len && !s->own_user ? das_fail_nomem(err) : 0;
}

/* --- reading ------------------------------------------------------------------------------- */

static const struct das_texts *dict_of(const struct das_snapshot *s, enum das_dict d)
{
    while (s->parent)
        s = s->parent;
    return &s->dicts[d];
}

uint32_t das_snapshot_rows(const struct das_snapshot *s)
{
    return s->rows;
}

int64_t das_snapshot_time(const struct das_snapshot *s)
{
    return s->time;
}

const struct das_identity *das_snapshot_identity(const struct das_snapshot *s)
{
    return &s->identity;
}

/* A server tells its age in whole seconds, so its start may seem to move by one either way. */
#define START_SLACK 2

bool das_identity_same(const struct das_identity *a, const struct das_identity *b)
{
    if (!a->server[0] || strcmp(a->server, b->server) != 0)
        return false;
    if (!das_known(a->start_unix_s) || !das_known(b->start_unix_s))
        return a->start_unix_s == b->start_unix_s;
    return a->start_unix_s - b->start_unix_s <= START_SLACK &&
           b->start_unix_s - a->start_unix_s <= START_SLACK;
}

bool das_snapshot_complete(const struct das_snapshot *s)
{
    return s->complete;
}

bool das_snapshot_partial(const struct das_snapshot *s)
{
    return s->partial;
}

bool das_snapshot_cut(const struct das_snapshot *s)
{
    return s->cut;
}

void das_snapshot_set_lag(struct das_snapshot *s, int64_t seconds)
{
    s->lag = seconds;
}

int64_t das_snapshot_lag(const struct das_snapshot *s)
{
    return s->lag;
}

void das_snapshot_set_spread(struct das_snapshot *s, int64_t seconds)
{
    s->spread = seconds;
}

int64_t das_snapshot_spread(const struct das_snapshot *s)
{
    return s->spread;
}

bool das_snapshot_disputed(const struct das_snapshot *s, uint32_t row)
{
    return s->disputed && s->disputed[row];
}

int64_t das_snapshot_total(const struct das_snapshot *s)
{
    return s->total;
}

size_t das_snapshot_warnings(const struct das_snapshot *s)
{
    return s->warning_count;
}

const char *das_snapshot_warning(const struct das_snapshot *s, size_t i)
{
    return s->warnings[i];
}

bool das_snapshot_is_own(const struct das_snapshot *s, int64_t id)
{
    for (size_t i = 0; i < s->own_count; i++) {
        if (s->own[i] == id)
            return true;
    }
    return false;
}

size_t das_snapshot_own_count(const struct das_snapshot *s)
{
    return s->own_count;
}

int64_t das_snapshot_own(const struct das_snapshot *s, size_t i)
{
    return s->own[i];
}

struct das_text das_snapshot_own_user(const struct das_snapshot *s)
{
    return s->own_user ? das_text_of(s->own_user) : DAS_TEXT_NULL;
}

size_t das_snapshot_bytes(const struct das_snapshot *s)
{
    size_t row = sizeof *s->ids + sizeof *s->durations + sizeof *s->hosts + sizeof *s->sql +
                 DAS_D_COUNT * sizeof **s->dict_cols;
    size_t dicts = 0;

    for (int i = 0; i < N_COUNT; i++)
        row += s->numbers[i] ? sizeof *s->numbers[i] : 0;
    for (int i = 0; i < DAS_D_COUNT; i++)
        dicts += s->dicts[i].cap * sizeof *s->dicts[i].texts +
                 s->dicts[i].slot_count * sizeof *s->dicts[i].slots;
    return sizeof *s + s->arena.bytes + s->dict_arena.bytes + dicts + row * s->cap;
}

static int64_t number_at(const struct das_snapshot *s, int column, uint32_t row)
{
    return s->numbers[column] ? s->numbers[column][row] : DAS_UNKNOWN;
}

void das_snapshot_get(const struct das_snapshot *s, uint32_t row, struct das_session *out)
{
    out->id = s->ids[row];
    out->user = dict_of(s, DAS_D_USER)->texts[s->dict_cols[DAS_D_USER][row]];
    out->host = s->hosts[row];
    out->db = dict_of(s, DAS_D_DB)->texts[s->dict_cols[DAS_D_DB][row]];
    out->command = dict_of(s, DAS_D_COMMAND)->texts[s->dict_cols[DAS_D_COMMAND][row]];
    out->state = dict_of(s, DAS_D_STATE)->texts[s->dict_cols[DAS_D_STATE][row]];
    out->sql_info = s->sql[row];
    out->disputed = das_snapshot_disputed(s, row);
    out->state_duration = s->durations[row] < 0 ? DAS_UNKNOWN : s->durations[row];
    out->time_ms = number_at(s, N_TIME_MS, row);
    out->query_id = number_at(s, N_QUERY_ID, row);
    out->trx_time = number_at(s, N_TRX_TIME, row);
    out->rows_modified = number_at(s, N_ROWS_MODIFIED, row);
    out->rows_examined = number_at(s, N_ROWS_EXAMINED, row);
    out->progress = number_at(s, N_PROGRESS, row);
    out->trx_id = number_at(s, N_TRX_ID, row);
    out->blocked_by = number_at(s, N_BLOCKED_BY, row);
}

int64_t das_snapshot_find(const struct das_snapshot *s, int64_t id)
{
    for (uint32_t i = 0; i < s->rows; i++) {
        if (s->ids[i] == id)
            return i;
    }
    return -1;
}

uint32_t das_snapshot_dict_size(const struct das_snapshot *s, enum das_dict d)
{
    return dict_of(s, d)->count;
}

struct das_text das_snapshot_dict_text(const struct das_snapshot *s, enum das_dict d, uint32_t i)
{
    return dict_of(s, d)->texts[i];
}

const uint32_t *das_snapshot_dict_column(const struct das_snapshot *s, enum das_dict d)
{
    return s->dict_cols[d];
}

const int64_t *das_snapshot_ids(const struct das_snapshot *s)
{
    return s->ids;
}

const struct das_text *das_snapshot_sql(const struct das_snapshot *s)
{
    return s->sql;
}

const int32_t *das_snapshot_durations(const struct das_snapshot *s)
{
    return s->durations;
}

const int64_t *das_snapshot_numbers(const struct das_snapshot *s, enum das_field f)
{
    int column = das_snapshot_number_column(f);

    return column < 0 ? NULL : s->numbers[column];
}

int64_t das_snapshot_sessions_of(const struct das_snapshot *s, struct das_text user)
{
    const uint32_t *column = das_snapshot_dict_column(s, DAS_D_USER);
    int64_t n = 0;

    for (uint32_t u = 0; u < das_snapshot_dict_size(s, DAS_D_USER); u++) {
        if (!das_text_eq(das_snapshot_dict_text(s, DAS_D_USER, u), user))
            continue;
        for (uint32_t r = 0; r < das_snapshot_rows(s); r++)
            n += column[r] == u;
    }
    return n;
}
