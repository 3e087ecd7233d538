/*
 * history.c - see task.h: what was killed, made from the journal.
 *
 * A kill is known when its outcome is, so the outcomes are what is walked, and each names its
 * intent. What was taken over and where that stands are one transaction: nothing is taken twice,
 * and nothing is left out.
 */
#include <string.h>

#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/store/store_impl.h"
#include "core/store/task.h"

#define SLICE 10000 /* records a transaction: others want to write, too */

/* --- records ---------------------------------------------------------------------------------- */

/* 1: *out is the record of that kind, the caller's to release; 0: there is none that can be read;
 * -1. */
static int read_record(struct das_store *s, int64_t seq, const char *kind, json_t **out,
                       struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_RECORD, "i", seq);
    int rc = st ? das_step(s, st, err) : -1;
    struct das_text line;
    struct das_err bad;
    json_t *is;

    *out = NULL;
    if (rc <= 0)
        return rc;
    line = das_column(st, 0);
    *out = das_json_parse(line.ptr, line.len, NULL, &bad);
    sqlite3_reset(st);
    if (!*out)
        return bad.code == DAS_E_NOMEM ? das_fail_nomem(err) : 0;
    is = json_object_get(*out, "kind");
    if (json_is_string(is) && strcmp(json_string_value(is), kind) == 0)
        return 1;
    json_decref(*out);
    *out = NULL;
    return 0;
}

static struct das_text text_of(const json_t *record, const char *key)
{
    const json_t *v = json_object_get(record, key);

    return json_is_string(v) ? das_text(json_string_value(v), json_string_length(v))
                             : DAS_TEXT_NULL;
}

static int64_t int_of(const json_t *record, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(record, key);

    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

/* --- taking over ------------------------------------------------------------------------------ */

struct take {
    struct das_store *s;
    struct das_err *err;
    int64_t apply; /* the last one that was looked up, and what is known of it */
    int64_t task;
    const char *source;
};

static const char *source_of(const json_t *apply)
{
    struct das_text policy = text_of(apply, "policy");

    if (text_of(apply, "task").len)
        return "task";
    if (policy.len >= 6 && memcmp(policy.ptr, "serve:", 6) == 0)
        return "api";
    return json_is_true(json_object_get(apply, "by_person")) ? "person" : "policy";
}

/* Of an apply that cannot be read any more nothing is known but that there was one. */
static int look_up_apply(struct take *t, int64_t seq)
{
    json_t *apply;

    if (seq == t->apply)
        return 0;
    if (read_record(t->s, seq, "apply", &apply, t->err) < 0)
        return -1;
    t->apply = seq;
    t->source = source_of(apply);
    if (!das_parse_int(text_of(apply, "task"), &t->task) || t->task < 0)
        t->task = 0;
    json_decref(apply);
    return 0;
}

/* An order to the cloud is an intent of no apply, and no kill of a session that we saw. */
static int put_kill(struct take *t, const json_t *intent, bool unknown)
{
    struct das_text instance = text_of(intent, "instance"), info = text_of(intent, "sql_info");
    int64_t apply = int_of(intent, "apply", 0);

    if (apply <= 0 || !instance.ptr || !json_is_integer(json_object_get(intent, "id")))
        return 0;
    if (look_up_apply(t, apply) < 0)
        return -1;
    if (!info.ptr)
        info = text_of(intent, "sql_fingerprint");
    /* An escalated victim has two intents; the later one is put in the place of the first. */
    return das_do(t->s, t->err, DAS_Q_KILLED_PUT, "iitiinnnnnniisi", int_of(intent, "seq", 0),
                  apply, instance, t->task, int_of(intent, "id", 0), text_of(intent, "user"),
                  text_of(intent, "host"), text_of(intent, "db"), text_of(intent, "command"),
                  text_of(intent, "state"), info, int_of(intent, "state_duration", INT64_MIN),
                  int_of(intent, "time_ms", 0), t->source, (int64_t)unknown) < 0
               ? -1
               : 0;
}

static int take_line(struct take *t, struct das_text line)
{
    struct das_parts p;
    json_t *intent;
    int rc;

    if (!das_record_parse(line, &p) || !das_text_is(p.kind, "outcome"))
        return 0;
    if (!p.unknown && !das_text_is(p.outcome, "killed") && !das_text_is(p.outcome, "killing"))
        return 0;
    rc = read_record(t->s, p.intent, "intent", &intent, t->err);
    if (rc > 0)
        rc = put_kill(t, intent, p.unknown);
    json_decref(intent);
    return rc;
}

/* Where the history stands, and where the journal ends. */
static int stands(struct das_store *s, int64_t *at, int64_t *end, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_HISTORY_STANDS, "");
    int rc = st ? das_step(s, st, err) : -1;

    *at = *end = 0;
    if (rc <= 0)
        return rc;
    *at = sqlite3_column_int64(st, 0);
    *end = sqlite3_column_int64(st, 1);
    sqlite3_reset(st);
    return 0;
}

/* Up to record to, or less. Inside a transaction; *at: where it stands now. */
static int take_slice(struct das_store *s, int64_t to, int64_t *at, struct das_err *err)
{
    struct take t = {.s = s, .err = err};
    int64_t end, n = 0;
    sqlite3_stmt *st;
    int rc;

    if (stands(s, at, &end, err) < 0)
        return -1;
    if (*at >= to) /* somebody else was here */
        return 0;
    st = das_ask(s, err, DAS_Q_HISTORY_SLICE, "iii", *at, to, (int64_t)SLICE);
    rc = st ? 0 : -1;
    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        *at = sqlite3_column_int64(st, 0);
        n++;
        rc = take_line(&t, das_column(st, 1));
        if (rc)
            sqlite3_reset(st);
    }
    if (n < SLICE)
        *at = to;
    if (rc < 0 || das_do(s, err, DAS_Q_HISTORY_MOVE, "i", *at) < 0)
        return -1;
    DAS_FAULT("history-before-commit");
    return 0;
}

int das_history_catch_up(struct das_store *s, struct das_err *err)
{
    int64_t at, to;

    if (stands(s, &at, &to, err) < 0)
        return -1;
    while (at < to) {
        if (das_begin(s, err) < 0)
            return -1;
        if (das_end(s, take_slice(s, to, &at, err), err) < 0)
            return -1;
    }
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static struct das_text column(sqlite3_stmt *st, int i)
{
    return sqlite3_column_type(st, i) == SQLITE_NULL ? DAS_TEXT_NULL : das_column(st, i);
}

static int read_row(sqlite3_stmt *st, struct das_killed *k, struct das_err *err)
{
    struct das_text *const texts[] = {&k->user, &k->host, &k->db, &k->command, &k->state, &k->info};

    *k = (struct das_killed){
        .instance = das_column_str(st, 0),
        .task_id = sqlite3_column_int64(st, 1),
        .session_id = sqlite3_column_int64(st, 2),
        .time = sqlite3_column_int64(st, 9),
        .kill_ms = sqlite3_column_int64(st, 10),
        .source = das_column_str(st, 11),
        .unknown = sqlite3_column_int(st, 12) != 0,
    };
    for (int i = 0; i < 6; i++)
        *texts[i] = column(st, 3 + i);
    return k->instance && k->source ? 0 : das_fail_nomem(err);
}

static int each(struct das_store *s, sqlite3_stmt *st, das_killed_fn *fn, void *arg,
                struct das_err *err)
{
    int rc = st ? 0 : -1;

    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        struct das_killed k;
        rc = read_row(st, &k, err);
        if (rc == 0)
            rc = fn(arg, &k);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

int das_history_page(struct das_store *s, const char *instance, int64_t from_ms, int64_t to_ms,
                     int64_t page, int64_t size, das_killed_fn *fn, void *arg, int64_t *total,
                     struct das_err *err)
{
    int64_t skip;
    int rc;

    *total = 0;
    if (page < 1 || size < 1)
        return das_fail(err, DAS_E_USAGE, "page and size: expected numbers from 1 up");
    if (s->format < DAS_FORMAT_SERVE)
        return 0;
    if (__builtin_mul_overflow(page - 1, size, &skip))
        skip = INT64_MAX;
    if (das_begin_read(s, err) < 0)
        return -1;
    rc = das_ask_int(s, total, err, DAS_Q_KILLED_COUNT, "sii", instance, from_ms, to_ms);
    if (rc == 0 && skip < *total)
        rc = each(s,
                  das_ask(s, err, DAS_Q_KILLED_PAGE, "siiii", instance, from_ms, to_ms, size, skip),
                  fn, arg, err);
    return das_end(s, rc, err);
}
