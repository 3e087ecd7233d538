/* columns.c - see columns.h. Pure functions over one table of names. */
#include "core/source/columns.h"

#include <string.h>

#include "core/base/mem.h"

static const struct {
    const char *name;
    enum das_role role;
} names[] = {
    {"Id", DAS_R_ID},
    {"User", DAS_R_USER},
    {"Host", DAS_R_HOST},
    {"db", DAS_R_DB},
    {"Command", DAS_R_COMMAND},
    {"Time", DAS_R_TIME},
    {"State", DAS_R_STATE},
    {"Info", DAS_R_INFO},
    {"Progress", DAS_R_PROGRESS},
    {"Time_ms", DAS_R_TIME_MS},
    {"Query_id", DAS_R_QUERY_ID},
    {"Rows_examined", DAS_R_ROWS_EXAMINED},
    {"Examined_rows", DAS_R_ROWS_EXAMINED},
    {"Stage", DAS_R_STAGE},
    {"Max_stage", DAS_R_MAX_STAGE},
    {"Processlist_id", DAS_R_ID},
    {"Processlist_user", DAS_R_USER},
    {"Processlist_host", DAS_R_HOST},
    {"Processlist_db", DAS_R_DB},
    {"Processlist_command", DAS_R_COMMAND},
    {"Processlist_time", DAS_R_TIME},
    {"Processlist_state", DAS_R_STATE},
    {"Processlist_info", DAS_R_INFO},
    /* das's own names, which no server prints but a view may */
    {"Sql_info", DAS_R_INFO},
    {"State_duration", DAS_R_TIME},
    {"Trx_time", DAS_R_TRX_TIME},
    {"Rows_modified", DAS_R_ROWS_MODIFIED},
    {"Trx_id", DAS_R_TRX_ID},
    {"Blocked_by", DAS_R_BLOCKED_BY},
};

enum das_role das_column_role(struct das_text name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (das_text_iis(name, names[i].name))
            return names[i].role;
    }
    return DAS_R_NONE;
}

void das_columns_init(struct das_columns *c)
{
    memset(c, 0, sizeof *c);
}

void das_columns_clear(struct das_columns *c)
{
    for (size_t i = 0; i < c->count; i++)
        das_free(c->items[i].name);
    das_free(c->items);
    das_columns_init(c);
}

/* The offset of a text in struct das_session, whose first member is the id; 0 for numbers. */
static size_t text_offset(enum das_role role)
{
    switch (role) {
    case DAS_R_USER:
        return offsetof(struct das_session, user);
    case DAS_R_HOST:
        return offsetof(struct das_session, host);
    case DAS_R_DB:
        return offsetof(struct das_session, db);
    case DAS_R_COMMAND:
        return offsetof(struct das_session, command);
    case DAS_R_STATE:
        return offsetof(struct das_session, state);
    case DAS_R_INFO:
        return offsetof(struct das_session, sql_info);
    default:
        return 0;
    }
}

int das_columns_add(struct das_columns *c, struct das_text name, struct das_err *err)
{
    struct das_column *col;

    if (c->count == DAS_COLUMNS_MAX)
        return das_fail(err, DAS_E_DATA, "more than %d columns: expected a process list",
                        DAS_COLUMNS_MAX);
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        col = das_grow(c->items, cap, sizeof *col);
        if (!col)
            return das_fail_nomem(err);
        c->items = col;
        c->cap = cap;
    }
    col = &c->items[c->count];
    col->name = das_strndup(name.ptr, name.len);
    if (!col->name)
        return das_fail_nomem(err);
    col->name_len = name.len;
    col->role = das_column_role(name);
    col->numeric = col->role == DAS_R_ID || col->role >= DAS_R_TIME;
    if (col->role != DAS_R_NONE && c->has[col->role])
        col->role = DAS_R_NONE;
    col->text_at = text_offset(col->role);
    if (col->role == DAS_R_ID)
        c->threads = das_text_iis(name, "processlist_id");
    c->has[col->role] = true;
    c->count++;
    return 0;
}

int das_columns_check(const struct das_columns *c, struct das_err *err)
{
    static const struct {
        enum das_role role;
        const char *name;
    } required[] = {
        {DAS_R_ID, "Id"}, {DAS_R_USER, "User"}, {DAS_R_COMMAND, "Command"}, {DAS_R_TIME, "Time"}};

    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (!c->has[required[i].role])
            return das_fail(err, DAS_E_DATA, "expected a column \"%s\", the list has none",
                            required[i].name);
    }
    return 0;
}

void das_excerpt(struct das_text t, char out[DAS_EXCERPT])
{
    size_t n = 0, i = 0;

    while (i < t.len && n < DAS_EXCERPT - 8) {
        uint32_t code;
        size_t len = das_utf8_next(t.ptr + i, t.len - i, &code);

        if (len == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            out[n++] = '?';
            i += len ? len : 1;
            continue;
        }
        memcpy(out + n, t.ptr + i, len);
        n += len;
        i += len;
    }
    strcpy(out + n, i < t.len ? "..." : "");
}

/* Digits at p as a number, INT64_MAX when they make a larger one; p moves behind them. */
static int64_t take_digits(const char **p, const char *end)
{
    int64_t v = 0;

    for (; *p < end && das_is_digit((unsigned char)**p); (*p)++) {
        int digit = **p - '0';
        v = v > (INT64_MAX - digit) / 10 ? INT64_MAX : v * 10 + digit;
    }
    return v;
}

bool das_parse_thousandths(struct das_text t, int64_t *out)
{
    const char *p, *end, *from;
    bool negative;
    int64_t whole, part = 0;

    if (t.len && (t.ptr[0] == ' ' || t.ptr[t.len - 1] == ' '))
        t = das_text_trim(t);
    p = t.ptr;
    end = t.ptr + t.len;
    negative = p < end && *p == '-';
    p += negative;
    from = p;
    whole = take_digits(&p, end);
    if (p == from)
        return false;
    if (p < end && *p == '.') {
        int64_t unit = 100;
        for (p++; p < end && das_is_digit((unsigned char)*p); p++) {
            part += (*p - '0') * unit;
            unit /= 10;
        }
    }
    if (p != end)
        return false;
    *out = whole > (INT64_MAX - part) / 1000 ? INT64_MAX : whole * 1000 + part;
    if (negative)
        *out = -*out;
    return true;
}

/* A whole number as a server prints it; larger than int64 is INT64_MAX. */
static bool parse_whole(struct das_text t, int64_t *out)
{
    const char *p = t.ptr, *end = t.ptr + t.len;
    bool negative;

    if (t.len && t.len <= 18) { /* digits only, which is almost always */
        int64_t v = 0;
        while (p < end && das_is_digit((unsigned char)*p))
            v = v * 10 + (*p++ - '0');
        *out = v;
        if (p == end)
            return true;
        p = t.ptr;
    }
    while (p < end && *p == ' ') /* tables align to the right */
        p++;
    negative = p < end && *p == '-';
    p += negative;
    if (p == end)
        return false;
    *out = take_digits(&p, end);
    while (p < end && *p == ' ')
        p++;
    if (negative)
        *out = -*out;
    return p == end && das_is_digit((unsigned char)p[-1]);
}

/* Seconds, which some servers print with a fraction: that goes to time_ms unless the list has a
 * column for it. */
static bool set_time(const struct das_columns *c, struct das_text t, struct das_session *out)
{
    int64_t ms;

    if (parse_whole(t, &out->state_duration)) {
        if (out->state_duration < 0 || out->state_duration == INT64_MAX)
            out->state_duration = DAS_UNKNOWN;
        return true;
    }
    if (!das_parse_thousandths(t, &ms))
        return false;
    out->state_duration = memchr(t.ptr, '-', t.len) ? DAS_UNKNOWN : ms / 1000;
    if (!c->has[DAS_R_TIME_MS] && das_known(out->state_duration))
        out->time_ms = ms;
    return true;
}

static bool set_count(struct das_text t, int64_t *out)
{
    if (!parse_whole(t, out))
        return false;
    if (*out < 0 || *out == INT64_MAX)
        *out = DAS_UNKNOWN;
    return true;
}

struct stages {
    int64_t stage, max_stage; /* 0: none told */
};

static bool set_number(const struct das_columns *c, enum das_role role, struct das_text t,
                       struct das_session *out, struct stages *st)
{
    switch (role) {
    case DAS_R_ID:
        return parse_whole(t, &out->id) && out->id >= 0 && out->id != INT64_MAX;
    case DAS_R_TIME:
        return set_time(c, t, out);
    case DAS_R_TIME_MS:
        if (!das_parse_thousandths(t, &out->time_ms))
            return false;
        out->time_ms = out->time_ms < 0 ? DAS_UNKNOWN : out->time_ms / 1000;
        return true;
    case DAS_R_PROGRESS:
        if (!das_parse_thousandths(t, &out->progress))
            return false;
        if (out->progress < 0)
            out->progress = DAS_UNKNOWN;
        return true;
    case DAS_R_QUERY_ID:
        return set_count(t, &out->query_id);
    case DAS_R_TRX_TIME:
        return set_count(t, &out->trx_time);
    case DAS_R_ROWS_MODIFIED:
        return set_count(t, &out->rows_modified);
    case DAS_R_TRX_ID:
        return set_count(t, &out->trx_id);
    case DAS_R_BLOCKED_BY:
        return set_count(t, &out->blocked_by);
    case DAS_R_ROWS_EXAMINED:
        return set_count(t, &out->rows_examined);
    case DAS_R_STAGE:
        return set_count(t, &st->stage);
    case DAS_R_MAX_STAGE:
        return set_count(t, &st->max_stage);
    default:
        return true;
    }
}

static bool is_null(struct das_text t)
{
    if (t.len < 4)
        return false;
    if (t.ptr[0] == ' ') /* a NULL in a number column is aligned to the right */
        t = das_text_trim(t);
    return t.len == 4 && memcmp(t.ptr, "NULL", 4) == 0;
}

/* information_schema prints the stage and the progress within it, SHOW the progress of the whole;
 * a session has the latter. */
static void whole_progress(struct das_session *s, const struct stages *st)
{
    if (das_known(s->progress) && s->progress <= 100000 && st->stage > 0 && st->max_stage > 0 &&
        st->stage <= st->max_stage && st->max_stage < 1000000)
        s->progress = ((st->stage - 1) * 100000 + s->progress) / st->max_stage;
}

/* A NULL, or a number. */
static bool set_other(const struct das_columns *c, enum das_role role, struct das_text t,
                      struct das_session *out, struct stages *st)
{
    if (!is_null(t) || role == DAS_R_ID)
        return set_number(c, role, t, out, st);
    if (role == DAS_R_TRX_TIME)
        out->trx_time = DAS_ABSENT;
    else if (role == DAS_R_ROWS_MODIFIED)
        out->rows_modified = DAS_ABSENT;
    else if (role == DAS_R_TRX_ID)
        out->trx_id = DAS_ABSENT;
    else if (role == DAS_R_BLOCKED_BY)
        out->blocked_by = DAS_ABSENT;
    return true;
}

int das_columns_session(const struct das_columns *c, const struct das_text *values,
                        struct das_session *out, size_t *bad, struct das_err *err)
{
    struct stages st = {0, 0};
    char found[DAS_EXCERPT];

    das_session_unknown(out);
    for (size_t i = 0; i < c->count; i++) {
        const struct das_column *col = &c->items[i];

        if (col->role == DAS_R_NONE)
            continue;
        if (col->text_at) {
            if (!is_null(values[i]))
                memcpy((char *)out + col->text_at, &values[i], sizeof values[i]);
            continue;
        }
        if (col->role == DAS_R_ID && c->threads && is_null(values[i]))
            return 0;
        if (!set_other(c, col->role, values[i], out, &st)) {
            *bad = i;
            das_excerpt(values[i], found);
            return das_fail(err, DAS_E_DATA, "column \"%s\": expected a number, found \"%s\"",
                            col->name, found);
        }
    }
    whole_progress(out, &st);
    return 1;
}
