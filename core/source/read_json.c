/*
 * read_json.c - reads a das recording or an answer of a DAS session API; see recording_impl.h.
 *
 * Called by recording.c only. The object around the sessions is walked here, byte by byte, and each
 * value in it is given to jansson by itself: a list of 100,000 sessions never becomes 100,000
 * JSON objects at once, and a message can name the line.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/source/recording_impl.h"

/* --- values in the window -------------------------------------------------------------------- */

static int cut_here(struct das_recording *r)
{
    return das_recording_cut(r, das_window_line_at(&r->w, das_window_end(&r->w)));
}

static int more(struct das_recording *r, struct das_err *err)
{
    int rc = das_recording_more(r, err);

    return rc > 0 ? 1 : rc < 0 ? -1 : cut_here(r);
}

/* Skips white space and gives the next byte without taking it. */
static int peek(struct das_recording *r, char *out, struct das_err *err)
{
    for (;;) {
        char *from = das_window_begin(&r->w), *end = das_window_end(&r->w), *p = from;
        int rc;

        while (p < end && das_is_space((unsigned char)*p))
            p++;
        das_window_consume(&r->w, (size_t)(p - from));
        if (p < end) {
            *out = *p;
            return 1;
        }
        rc = more(r, err);
        if (rc != 1)
            return rc;
    }
}

static int expect(struct das_recording *r, const char *one_of, const char *what, char *out,
                  struct das_err *err)
{
    char found[DAS_EXCERPT];
    int rc = peek(r, out, err);

    if (rc != 1)
        return rc;
    if (!strchr(one_of, *out) || !*out) {
        das_excerpt(das_text(das_window_begin(&r->w), 1), found);
        return das_recording_fail(r, r->w.line, err, "found '%s', expected %s", found, what);
    }
    das_window_skip(&r->w, 1, 0);
    return 1;
}

/* The end of the string that starts at p, or NULL. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL; p++) {
        const char *slash = p;

        while (slash[-1] == '\\')
            slash--;
        if (((p - slash) & 1) == 0)
            return p + 1;
    }
    return NULL;
}

/* The end of the value that starts at p, or NULL. Brackets are only counted: jansson looks. */
static const char *value_end(const char *p, const char *end)
{
    size_t depth = 0;

    while (p < end) {
        switch (*p) {
        case '"':
            p = string_end(p, end);
            if (!p)
                return NULL;
            if (!depth)
                return p;
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return p;
            if (--depth == 0)
                return p + 1;
            break;
        case ',':
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            if (!depth)
                return p;
            break;
        default:
            break;
        }
        p++;
    }
    return NULL;
}

/* Has the whole value at the window's start in the window: *len bytes. */
static int whole_value(struct das_recording *r, size_t *len, struct das_err *err)
{
    for (;;) {
        const char *p = das_window_begin(&r->w), *end = value_end(p, das_window_end(&r->w));
        int rc;

        if (end) {
            *len = (size_t)(end - p);
            return 1;
        }
        rc = more(r, err);
        if (rc != 1)
            return rc;
    }
}

/* Parses the value at the window's start and consumes it; the caller owns *out. what is for
 * messages. */
static int take_value(struct das_recording *r, const char *what, json_t **out, struct das_err *err)
{
    size_t len = 0;
    int line = 1, rc = whole_value(r, &len, err);

    *out = NULL;
    if (rc != 1)
        return rc;
    if (len == 0)
        return das_recording_fail(r, r->w.line, err, "%s: expected a value", what);
    *out = das_json_parse(das_window_begin(&r->w), len, &line, err);
    if (!*out) {
        if (err->code == DAS_E_DATA)
            das_err_prefix(err, "%s:%zu: %s", r->name, r->w.line + (size_t)line - 1, what);
        return -1;
    }
    das_window_consume(&r->w, len);
    return 1;
}

/* --- one session ----------------------------------------------------------------------------- */

enum kind {
    K_TEXT,
    K_WHOLE,   /* a whole number */
    K_SECONDS, /* a number whose fraction is dropped */
    K_CENT,    /* per cent, kept in thousandths */
    K_LOOSE,   /* seconds whose spelling no document tells: what is no number is unknown */
};

static const struct {
    const char *key;
    enum das_field field;
    enum kind kind;
} keys[] = {
    {"id", DAS_F_ID, K_WHOLE},
    {"user", DAS_F_USER, K_TEXT},
    {"host", DAS_F_HOST, K_TEXT},
    {"db", DAS_F_DB, K_TEXT},
    {"database", DAS_F_DB, K_TEXT},
    {"command", DAS_F_COMMAND, K_TEXT},
    {"state", DAS_F_STATE, K_TEXT},
    {"sql_info", DAS_F_SQL_INFO, K_TEXT},
    {"sql", DAS_F_SQL_INFO, K_TEXT},
    {"info", DAS_F_SQL_INFO, K_TEXT},
    {"state_duration", DAS_F_STATE_DURATION, K_SECONDS},
    {"time", DAS_F_STATE_DURATION, K_SECONDS},
    {"time_ms", DAS_F_TIME_MS, K_SECONDS},
    {"query_id", DAS_F_QUERY_ID, K_WHOLE},
    {"trx_time", DAS_F_TRX_TIME, K_SECONDS},
    {"trx_executed_time", DAS_F_TRX_TIME, K_LOOSE},
    {"trx_duration", DAS_F_TRX_TIME, K_LOOSE},
    {"rows_modified", DAS_F_ROWS_MODIFIED, K_WHOLE},
    {"rows_examined", DAS_F_ROWS_EXAMINED, K_WHOLE},
    {"progress", DAS_F_PROGRESS, K_CENT},
    {"trx_id", DAS_F_TRX_ID, K_WHOLE},
    {"blocked_by", DAS_F_BLOCKED_BY, K_WHOLE},
};

/* A number, also in a string; the older APIs print all numbers so. Negative ones are unknown. */
static bool to_number(const json_t *value, enum kind kind, int64_t *out)
{
    int64_t v, scale = kind == K_CENT ? 1000 : 1;

    *out = DAS_UNKNOWN;
    if (json_is_integer(value)) {
        v = json_integer_value(value);
        if (v >= 0 && v <= INT64_MAX / scale)
            *out = v * scale;
        return true;
    }
    if (json_is_real(value)) {
        double d = json_real_value(value);
        if (kind == K_WHOLE)
            return false;
        d = kind == K_CENT ? d * 1000 + 0.5 : d;
        if (d >= 0 && d < 9e18)
            *out = (int64_t)d;
        return true;
    }
    if (json_is_string(value)) {
        struct das_text t = das_text(json_string_value(value), json_string_length(value));
        if (t.len == 0 || das_text_iis(t, "null"))
            return true;
        if (kind == K_WHOLE || kind == K_LOOSE || kind == K_SECONDS) {
            if (das_parse_int(t, &v)) {
                *out = v < 0 ? DAS_UNKNOWN : v;
                return true;
            }
            if (kind == K_WHOLE)
                return false;
        }
        if (!das_parse_thousandths(t, &v))
            return kind == K_LOOSE;
        if (v >= 0 && v != INT64_MAX)
            *out = kind == K_CENT ? v : v / 1000;
        return true;
    }
    return false;
}

/* nulls: null is told of what a session does not have, also where it is no matter of transactions;
 * a number that is unknown is left out. */
static bool set_field(struct das_session *s, enum das_field f, enum kind kind, bool nulls,
                      const json_t *value)
{
    if (kind == K_TEXT) {
        if (json_is_null(value))
            *das_session_text_at(s, f) = DAS_TEXT_NULL;
        else if (json_is_string(value))
            *das_session_text_at(s, f) =
                das_text(json_string_value(value), json_string_length(value));
        else
            return false;
        return true;
    }
    if (json_is_null(value)) {
        bool of_trx = f == DAS_F_TRX_TIME || f == DAS_F_ROWS_MODIFIED || f == DAS_F_TRX_ID;
        of_trx = of_trx || f == DAS_F_BLOCKED_BY || (nulls && f != DAS_F_STATE_DURATION);
        *das_session_int_at(s, f) = of_trx ? DAS_ABSENT : DAS_UNKNOWN;
        return true;
    }
    return to_number(value, kind, das_session_int_at(s, f));
}

/* Fills *s, which borrows from object. what is "processes[3]". */
static int to_session(const struct das_recording *r, size_t line, const char *what, json_t *object,
                      struct das_session *s, struct das_err *err)
{
    const char *key;
    json_t *value;

    das_session_unknown(s);
    s->id = DAS_UNKNOWN;
    if (!json_is_object(object))
        return das_recording_fail(r, line, err, "%s: expected an object", what);
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "disputed") == 0)
            s->disputed = json_is_true(value);
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            if (strcmp(key, keys[i].key) != 0)
                continue;
            if (!set_field(s, keys[i].field, keys[i].kind, r->time_ms != DAS_UNKNOWN, value))
                return das_recording_fail(r, line, err, "%s.%s: expected %s", what, key,
                                          keys[i].kind == K_TEXT    ? "a string or null"
                                          : keys[i].kind == K_WHOLE ? "a whole number"
                                                                    : "a number");
            break;
        }
    }
    if (s->id == DAS_UNKNOWN)
        return das_recording_fail(r, line, err, "%s.id: expected a whole number", what);
    return 0;
}

/* Reads sessions up to the closing bracket; the opening one is consumed. */
static int read_sessions(struct das_recording *r, const char *name, struct das_snapshot *s,
                         struct das_err *err)
{
    char c;
    int rc = peek(r, &c, err);

    if (rc == 1 && c == ']') {
        das_window_skip(&r->w, 1, 0);
        return 1;
    }
    while (rc == 1) {
        struct das_session row;
        char what[64];
        json_t *object;
        size_t line;

        snprintf(what, sizeof what, "%s[%u]", name, r->rows);
        rc = peek(r, &c, err);
        if (rc != 1)
            break;
        line = r->w.line;
        rc = take_value(r, what, &object, err);
        if (rc != 1)
            break;
        if (to_session(r, line, what, object, &row, err) < 0 || das_recording_put(r, s, &row, err) < 0)
            rc = -1;
        json_decref(object);
        if (rc == 1)
            rc = expect(r, ",]", "',' or ']' after a session", &c, err);
        if (rc == 1 && c == ']')
            return 1;
    }
    return rc;
}

/* --- one snapshot ---------------------------------------------------------------------------- */

struct answer {
    bool sessions; /* the list was there */
    int64_t total; /* DAS_UNKNOWN when not told */
    int64_t source_total; /* the same as das itself writes it: exactly what the source told */
    char error[200];
};

static int wrong(const struct das_recording *r, size_t line, const char *key, const char *what,
                 struct das_err *err)
{
    return das_recording_fail(r, line, err, "%s: expected %s", key, what);
}

static int set_warnings(const struct das_recording *r, size_t line, const json_t *value,
                        struct das_snapshot *s, struct das_err *err)
{
    if (!json_is_array(value) && !json_is_null(value))
        return wrong(r, line, "warnings", "an array of strings", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (!text)
            return wrong(r, line, "warnings", "an array of strings", err);
        if (das_snapshot_warn(s, err, "%s", text) < 0)
            return -1;
    }
    return 0;
}

static int set_own_ids(const struct das_recording *r, size_t line, const json_t *value,
                       struct das_snapshot *s, struct das_err *err)
{
    if (!json_is_array(value))
        return wrong(r, line, "own_ids", "an array of whole numbers", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_integer(json_array_get(value, i)))
            return wrong(r, line, "own_ids", "an array of whole numbers", err);
        if (das_snapshot_add_own(s, json_integer_value(json_array_get(value, i)), err) < 0)
            return -1;
    }
    return 0;
}

/* What only das record tells of a list, as docs/recording.md has it. In answers of others such a name
 * may mean anything: there the type decides whether it is ours. */
static int set_detail(struct das_recording *r, size_t line, const char *key, const json_t *value,
                      struct das_snapshot *s, struct das_err *err)
{
    struct das_identity id = *das_snapshot_identity(s);
    bool text = json_is_string(value);
    int64_t n = json_is_integer(value) ? json_integer_value(value) : DAS_UNKNOWN;
    bool small = n >= 0 && n <= INT32_MAX;

    if (strcmp(key, "taken_ms") == 0 && n != DAS_UNKNOWN) {
        r->time_ms = n;
    } else if (strcmp(key, "cut") == 0 && json_is_boolean(value)) {
        das_snapshot_set_cut(s, json_is_true(value));
    } else if (strcmp(key, "lag") == 0 && small) {
        das_snapshot_set_lag(s, n);
    } else if (strcmp(key, "spread") == 0 && small) {
        das_snapshot_set_spread(s, n);
    } else if (strcmp(key, "server") == 0 && text) {
        snprintf(id.server, sizeof id.server, "%s", json_string_value(value));
        das_snapshot_set_identity(s, &id);
    } else if (strcmp(key, "server_start") == 0 && n != DAS_UNKNOWN) {
        id.start_unix_s = n;
        das_snapshot_set_identity(s, &id);
    } else if (strcmp(key, "own_user") == 0 && text) {
        return das_snapshot_set_own_user(
            s, das_text(json_string_value(value), json_string_length(value)), err);
    } else if (strcmp(key, "own_ids") == 0) {
        return set_own_ids(r, line, value, s, err);
    }
    return 0;
}

/* A member of the answer other than the list of sessions. */
static int set_member(struct das_recording *r, size_t line, const char *key,
                      const json_t *value, struct das_snapshot *s, struct answer *a,
                      struct das_err *err)
{
    int64_t number;

    if (strcmp(key, "data_sync_time") == 0) {
        if (json_is_null(value))
            return 0;
        if (!to_number(value, K_SECONDS, &number))
            return wrong(r, line, key, "a number of seconds since 1970", err);
        if (das_known(number))
            das_snapshot_set_time(s, number >= 100000000000 ? number / 1000 : number);
    } else if (strcmp(key, "total_count") == 0 || strcmp(key, "total") == 0 ||
               strcmp(key, "count") == 0) {
        if (json_is_null(value))
            return 0;
        if (!to_number(value, K_WHOLE, &number))
            return wrong(r, line, key, "a whole number", err);
        a->total = number;
    } else if (strcmp(key, "complete") == 0) {
        if (!json_is_boolean(value))
            return wrong(r, line, key, "true or false", err);
        if (json_is_false(value))
            das_snapshot_set_complete(s, false);
    } else if (strcmp(key, "partial") == 0) {
        if (!json_is_boolean(value))
            return wrong(r, line, key, "true or false", err);
        if (json_is_true(value))
            das_snapshot_set_partial(s, true);
    } else if (strcmp(key, "instance") == 0) {
        if (!json_is_string(value) && !json_is_null(value))
            return wrong(r, line, key, "a string or null", err);
        das_buf_reset(&r->instance);
        if (json_is_string(value))
            das_buf_text(&r->instance,
                         das_text(json_string_value(value), json_string_length(value)));
        return das_buf_ok(&r->instance, err);
    } else if (strcmp(key, "warnings") == 0) {
        return set_warnings(r, line, value, s, err);
    } else if (strcmp(key, "source_total") == 0) {
        if (!to_number(value, K_WHOLE, &a->source_total))
            return wrong(r, line, key, "a whole number", err);
    } else if (strcmp(key, "error_code") == 0 || strcmp(key, "error_msg") == 0) {
        size_t used = strlen(a->error);
        if (json_is_string(value))
            snprintf(a->error + used, sizeof a->error - used, " %s", json_string_value(value));
    } else {
        return set_detail(r, line, key, value, s, err);
    }
    return 0;
}

static bool is_list_key(const char *key)
{
    return strcmp(key, "processes") == 0 || strcmp(key, "process_info_list") == 0 ||
           strcmp(key, "data") == 0;
}

/* A member's value: the list of sessions, or anything else. */
static int read_member(struct das_recording *r, const char *key, struct das_snapshot *s,
                       struct answer *a, struct das_err *err)
{
    json_t *value;
    size_t line;
    char c;
    int rc = peek(r, &c, err);

    if (rc != 1)
        return rc;
    line = r->w.line;
    if (is_list_key(key)) {
        if (a->sessions)
            return das_recording_fail(r, line, err, "%s: expected one list of sessions", key);
        if (c == '[') {
            a->sessions = true;
            das_window_skip(&r->w, 1, 0);
            return read_sessions(r, key, s, err);
        }
    }
    rc = take_value(r, key, &value, err);
    if (rc != 1)
        return rc;
    if (!is_list_key(key))
        rc = set_member(r, line, key, value, s, a, err) < 0 ? -1 : 1;
    else if (json_is_null(value))
        a->sessions = true;
    else
        rc = wrong(r, line, key, "an array of sessions", err);
    json_decref(value);
    return rc;
}

static int read_object(struct das_recording *r, struct das_snapshot *s, struct answer *a,
                       struct das_err *err)
{
    char c = ',';
    int rc = peek(r, &c, err);

    if (rc == 1 && c == '}') {
        das_window_skip(&r->w, 1, 0);
        return 1;
    }
    while (rc == 1) {
        json_t *key;

        rc = peek(r, &c, err);
        if (rc != 1)
            break;
        if (c != '"') {
            rc = expect(r, "\"", "a name in quotes", &c, err);
            break;
        }
        rc = take_value(r, "name", &key, err);
        if (rc != 1)
            break;
        rc = expect(r, ":", "':' after a name", &c, err);
        if (rc == 1)
            rc = read_member(r, json_string_value(key), s, a, err);
        json_decref(key);
        if (rc == 1)
            rc = expect(r, ",}", "',' or '}' after a value", &c, err);
        if (rc == 1 && c == '}')
            return 1;
    }
    return rc;
}

int das_read_json(struct das_recording *r, struct das_snapshot *s, struct das_err *err)
{
    struct answer a = {.total = DAS_UNKNOWN, .source_total = DAS_UNKNOWN};
    size_t line;
    char c = '\0';
    int rc = expect(r, "{[", "'{' or '['", &c, err);

    line = r->w.line;
    if (rc == 1)
        rc = c == '[' ? read_sessions(r, "sessions", s, err) : read_object(r, s, &a, err);
    if (rc == 1 && c == '{' && !a.sessions)
        rc = a.error[0]
                 ? das_recording_fail(r, line, err, "an error answer:%s, expected \"processes\"",
                                      a.error)
                 : das_recording_fail(r, line, err, "expected \"processes\", an array of sessions");
    if (rc < 0)
        return DAS_READ_ERROR;
    if (rc == 1 && das_known(a.total) && a.total > r->rows) {
        das_snapshot_set_total(s, a.total);
        das_snapshot_set_complete(s, false);
    }
    if (rc == 1 && a.source_total >= (int64_t)r->rows)
        das_snapshot_set_total(s, a.source_total);
    return rc == 1 ? DAS_READ_WHOLE : DAS_READ_CUT;
}
