/* notice.c - see notice.h. */
#include "core/notify/notice.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/session/fingerprint.h"

static const char *const severities[] = {"info", "warning", "error", "critical"};
static const char *const events[] = {"trigger", "acknowledge", "resolve"};

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

const char *das_severity_name(enum das_severity s)
{
    return severities[s];
}

int das_severity_find(const char *name)
{
    return find(severities, 4, name);
}

const char *das_event_name(enum das_event e)
{
    return events[e];
}

int das_event_find(const char *name)
{
    return find(events, 3, name);
}

void das_notice_init(struct das_notice *n)
{
    memset(n, 0, sizeof *n);
    das_arena_init(&n->arena);
    n->at_ms = das_clock_unix_ms();
}

void das_notice_clear(struct das_notice *n)
{
    das_arena_clear(&n->arena);
    memset(n, 0, sizeof *n);
}

/* --- filling it ------------------------------------------------------------------------------- */

/* Where t ends when it may have so many bytes: not inside a character. */
static size_t cut_at(struct das_text t, size_t most)
{
    size_t n = t.len <= most ? t.len : most;

    for (int i = 0; i < 3 && n > 0 && n < t.len && ((unsigned char)t.ptr[n] & 0xc0) == 0x80; i++)
        n--;
    return n;
}

int das_notice_text(struct das_notice *n, struct das_text *to, struct das_text t, size_t most,
                    struct das_err *err)
{
    static const char dots[] = "\xe2\x80\xa6";
    size_t len = t.len <= most ? t.len : cut_at(t, most - 3);
    char *p;

    if (!t.ptr) {
        *to = DAS_TEXT_NULL;
        return 0;
    }
    p = das_arena_alloc(&n->arena, len + 4);
    if (!p)
        return das_fail_nomem(err);
    memcpy(p, t.ptr, len);
    if (len < t.len) {
        memcpy(p + len, dots, 3);
        len += 3;
    }
    *to = das_text(p, len);
    return 0;
}

int das_notice_field(struct das_notice *n, struct das_text name, struct das_text value,
                     struct das_err *err)
{
    struct das_notice_field *f = &n->fields[n->field_count];

    if (n->field_count == DAS_NOTICE_FIELDS)
        return das_fail(err, DAS_E_USAGE, "fields: at most %d", DAS_NOTICE_FIELDS);
    if (das_notice_text(n, &f->name, name, DAS_NOTICE_KEY, err) < 0 ||
        das_notice_text(n, &f->value, value, DAS_NOTICE_VALUE, err) < 0)
        return -1;
    n->field_count++;
    return 0;
}

int das_notice_button(struct das_notice *n, struct das_text label, struct das_text value,
                      bool danger, struct das_err *err)
{
    struct das_notice_button *b = &n->buttons[n->button_count];

    if (n->button_count == DAS_NOTICE_BUTTONS)
        return das_fail(err, DAS_E_USAGE, "buttons: at most %d", DAS_NOTICE_BUTTONS);
    if (!label.len || !value.len)
        return das_fail(err, DAS_E_USAGE, "buttons: expected a label and a value");
    if (value.len > DAS_NOTICE_VALUE)
        return das_fail(err, DAS_E_USAGE, "buttons: a value has at most %d bytes",
                        DAS_NOTICE_VALUE);
    if (das_notice_text(n, &b->label, label, DAS_NOTICE_KEY, err) < 0 ||
        das_notice_text(n, &b->value, value, DAS_NOTICE_VALUE, err) < 0)
        return -1;
    b->danger = danger;
    n->button_count++;
    return 0;
}

/* Only what stands in a URL by itself: it is put into the markup of every platform. */
int das_notice_link(struct das_notice *n, struct das_text url, struct das_err *err)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-._~:/?#[]@!$&'()*+,;=%";
    size_t scheme = url.len > 8 && memcmp(url.ptr, "https://", 8) == 0  ? 8
                    : url.len > 7 && memcmp(url.ptr, "http://", 7) == 0 ? 7
                                                                        : 0;

    if (!scheme || url.len > DAS_NOTICE_URL)
        return das_fail(err, DAS_E_USAGE, "link: expected an http or https URL of at most %d bytes",
                        DAS_NOTICE_URL);
    for (size_t i = 0; i < url.len; i++) {
        if (!url.ptr[i] || !strchr(good, url.ptr[i]))
            return das_fail(err, DAS_E_USAGE,
                            "link: a byte at place %zu that has no place in a URL", i + 1);
    }
    return das_notice_text(n, &n->link, url, DAS_NOTICE_URL, err);
}

int das_notice_rows(struct das_notice *n, size_t count, int64_t total, struct das_err *err)
{
    if (count > DAS_NOTICE_ROWS)
        count = DAS_NOTICE_ROWS;
    n->row_count = 0;
    n->row_total = total;
    n->rows = das_arena_alloc(&n->arena, (count + 1) * sizeof *n->rows);
    return n->rows ? 0 : das_fail_nomem(err);
}

int das_notice_row(struct das_notice *n, const struct das_session *s, struct das_text note,
                   bool shape, struct das_err *err)
{
    struct das_notice_row *r = &n->rows[n->row_count];
    struct das_buf b = {0};
    struct das_text sql = s->sql_info;
    int rc = -1;

    memset(r, 0, sizeof *r);
    if (shape && sql.ptr) {
        das_statement_shape(sql, &b);
        sql = das_buf_view(&b);
    }
    r->id = s->id;
    r->time = s->state_duration;
    if (das_buf_ok(&b, err) == 0 &&
        das_notice_text(n, &r->user, s->user, DAS_NOTICE_KEY, err) == 0 &&
        das_notice_text(n, &r->host, s->host, DAS_NOTICE_KEY, err) == 0 &&
        das_notice_text(n, &r->db, s->db, DAS_NOTICE_KEY, err) == 0 &&
        das_notice_text(n, &r->command, s->command, DAS_NOTICE_KEY, err) == 0 &&
        das_notice_text(n, &r->state, s->state, DAS_NOTICE_KEY, err) == 0 &&
        das_notice_text(n, &r->sql, sql, DAS_NOTICE_VALUE, err) == 0 &&
        das_notice_text(n, &r->note, note, DAS_NOTICE_KEY, err) == 0) {
        n->row_count++;
        rc = 0;
    }
    das_buf_clear(&b);
    return rc;
}

int das_notice_sessions(struct das_notice *n, const struct das_selection *sel, bool shape,
                        struct das_err *err)
{
    struct das_session s;

    if (das_notice_rows(n, sel->count, sel->total, err) < 0)
        return -1;
    for (size_t i = 0; i < sel->count && i < DAS_NOTICE_ROWS; i++) {
        das_snapshot_get(sel->snap, sel->rows[i], &s);
        if (das_notice_row(n, &s, DAS_TEXT_NULL, shape, err) < 0)
            return -1;
    }
    return 0;
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void put(struct das_buf *b, const char *key, struct das_text t)
{
    if (t.ptr)
        das_json_key_text(b, key, t);
}

static void write_row(const struct das_notice_row *r, struct das_buf *b)
{
    das_json_comma(b);
    das_buf_char(b, '{');
    das_json_key_int(b, "id", r->id);
    put(b, "user", r->user);
    put(b, "host", r->host);
    put(b, "db", r->db);
    put(b, "command", r->command);
    put(b, "state", r->state);
    put(b, "sql", r->sql);
    if (das_known(r->time))
        das_json_key_int(b, "time", r->time);
    put(b, "note", r->note);
    das_buf_char(b, '}');
}

void das_notice_write(const struct das_notice *n, struct das_buf *b)
{
    das_buf_char(b, '{');
    put(b, "title", n->title);
    put(b, "text", n->text);
    put(b, "instance", n->instance);
    das_json_key_text(b, "severity", das_text_of(das_severity_name(n->severity)));
    das_json_key_text(b, "event", das_text_of(das_event_name(n->event)));
    das_json_key_int(b, "at_ms", n->at_ms);
    put(b, "link", n->link);
    put(b, "dedup", n->dedup);
    put(b, "update", n->update);
    put(b, "thread", n->thread);
    if (n->field_count) {
        das_json_key(b, "fields");
        das_buf_char(b, '[');
        for (size_t i = 0; i < n->field_count; i++) {
            das_json_comma(b);
            das_buf_char(b, '{');
            put(b, "name", n->fields[i].name);
            put(b, "value", n->fields[i].value);
            das_buf_char(b, '}');
        }
        das_buf_char(b, ']');
    }
    if (n->button_count) {
        das_json_key(b, "buttons");
        das_buf_char(b, '[');
        for (size_t i = 0; i < n->button_count; i++) {
            das_json_comma(b);
            das_buf_char(b, '{');
            put(b, "label", n->buttons[i].label);
            put(b, "value", n->buttons[i].value);
            das_json_key_bool(b, "danger", n->buttons[i].danger);
            das_buf_char(b, '}');
        }
        das_buf_char(b, ']');
    }
    if (n->rows) {
        das_json_key_int(b, "session_count", n->row_total);
        das_json_key(b, "sessions");
        das_buf_char(b, '[');
        for (size_t i = 0; i < n->row_count; i++)
            write_row(&n->rows[i], b);
        das_buf_char(b, ']');
    }
    das_buf_char(b, '}');
}

/* NULL where there is none. */
static struct das_text member(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_string(v) ? das_text(json_string_value(v), json_string_length(v))
                             : DAS_TEXT_NULL;
}

static int word(const json_t *o, const char *key, int (*find_word)(const char *name))
{
    const char *name = json_string_value(json_object_get(o, key));
    int found = name ? find_word(name) : 0;

    return found < 0 ? 0 : found;
}

static int read_rows(struct das_notice *n, const json_t *list, int64_t total, struct das_err *err)
{
    size_t count = json_array_size(list);

    if (das_notice_rows(n, count, total, err) < 0)
        return -1;
    for (size_t i = 0; i < count && i < DAS_NOTICE_ROWS; i++) {
        const json_t *o = json_array_get(list, i), *time = json_object_get(o, "time");
        struct das_session s;
        das_session_unknown(&s);
        s.id = json_integer_value(json_object_get(o, "id"));
        s.user = member(o, "user");
        s.host = member(o, "host");
        s.db = member(o, "db");
        s.command = member(o, "command");
        s.state = member(o, "state");
        s.sql_info = member(o, "sql");
        s.state_duration = json_is_integer(time) ? json_integer_value(time) : DAS_UNKNOWN;
        if (das_notice_row(n, &s, member(o, "note"), false, err) < 0)
            return -1;
    }
    return 0;
}

static int read_object(struct das_notice *n, const json_t *o, struct das_err *err)
{
    const json_t *fields = json_object_get(o, "fields"), *buttons = json_object_get(o, "buttons"),
                 *rows = json_object_get(o, "sessions");
    struct das_text link = member(o, "link");

    if (das_notice_text(n, &n->title, member(o, "title"), DAS_NOTICE_TITLE, err) < 0 ||
        das_notice_text(n, &n->text, member(o, "text"), DAS_NOTICE_TEXT, err) < 0 ||
        das_notice_text(n, &n->instance, member(o, "instance"), DAS_NOTICE_KEY, err) < 0 ||
        das_notice_text(n, &n->dedup, member(o, "dedup"), DAS_NOTICE_KEY, err) < 0 ||
        das_notice_text(n, &n->update, member(o, "update"), DAS_NOTICE_KEY, err) < 0 ||
        das_notice_text(n, &n->thread, member(o, "thread"), DAS_NOTICE_KEY, err) < 0 ||
        (link.ptr && das_notice_link(n, link, err) < 0))
        return -1;
    n->severity = (enum das_severity)word(o, "severity", das_severity_find);
    n->event = (enum das_event)word(o, "event", das_event_find);
    n->at_ms = json_integer_value(json_object_get(o, "at_ms"));
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *f = json_array_get(fields, i);
        if (das_notice_field(n, member(f, "name"), member(f, "value"), err) < 0)
            return -1;
    }
    for (size_t i = 0; i < json_array_size(buttons); i++) {
        const json_t *x = json_array_get(buttons, i);
        if (das_notice_button(n, member(x, "label"), member(x, "value"),
                              json_is_true(json_object_get(x, "danger")), err) < 0)
            return -1;
    }
    if (!rows)
        return 0;
    return read_rows(n, rows, json_integer_value(json_object_get(o, "session_count")), err);
}

int das_notice_read(struct das_notice *n, struct das_text json, struct das_err *err)
{
    json_t *o = das_json_parse(json.ptr, json.len, NULL, err);
    int rc = -1;

    das_notice_init(n);
    if (!o)
        return -1;
    if (!json_is_object(o))
        das_fail(err, DAS_E_DATA, "a message that is no JSON object");
    else
        rc = read_object(n, o, err);
    json_decref(o);
    return rc;
}
