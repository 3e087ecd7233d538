/*
 * task.c - see task.h: kill tasks and their switch.
 *
 * Whoever writes closes what is due first, in the same transaction: so a task whose end has passed
 * takes nobody's place, and was ended, not stopped, whoever comes by first.
 */
#include "core/store/task.h"

#include "core/base/fault.h"
#include "core/base/json.h"
#include "core/store/store_impl.h"

/* --- records ---------------------------------------------------------------------------------- */

enum event { CREATED, STOPPED, ENDED };

static int append(struct das_store *s, const char *kind, struct das_buf *members,
                  struct das_err *err)
{
    struct das_record r = {.kind = kind, .members = das_buf_view(members)};
    int rc = das_buf_ok(members, err);

    if (rc == 0)
        rc = das_journal_append(s, &r, err);
    das_buf_clear(members);
    return rc;
}

static void put_set(struct das_buf *b, const char *key, struct das_text t)
{
    if (t.len)
        das_json_key_text(b, key, t);
}

static void put_str(struct das_buf *b, const char *key, const char *s)
{
    put_set(b, key, das_text_of(s));
}

static void put_criteria(struct das_buf *b, const struct das_task *t)
{
    put_set(b, "user", t->user);
    put_set(b, "host", t->host);
    put_set(b, "db", t->db);
    put_set(b, "command", t->command);
    put_set(b, "info", t->info);
    das_json_key_int(b, "time", t->time);
    put_str(b, "type", t->manual ? "manual" : "auto");
    if (!t->manual)
        das_json_key_int(b, "duration", t->duration);
    das_json_key_int(b, "start_ms", t->start_ms);
    if (!t->manual)
        das_json_key_int(b, "end_ms", t->end_ms);
}

static int record(struct das_store *s, const struct das_task *t, enum event event, const char *by,
                  struct das_err *err)
{
    static const char *const names[] = {"created", "stopped", "ended"};
    struct das_buf b = {0};

    das_buf_printf(&b, "\"task\":%lld,\"event\":\"%s\"", (long long)t->id, names[event]);
    put_str(&b, "instance", t->instance);
    if (event == CREATED)
        put_criteria(&b, t);
    put_str(&b, "by", by);
    return append(s, "task", &b, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_row(sqlite3_stmt *st, struct das_task *t, struct das_err *err)
{
    struct das_text *const texts[] = {&t->user, &t->host, &t->db, &t->command, &t->info};

    *t = (struct das_task){
        .id = sqlite3_column_int64(st, 0),
        .instance = das_column_str(st, 1),
        .time = sqlite3_column_int64(st, 7),
        .manual = sqlite3_column_int(st, 8) != 0,
        .duration = sqlite3_column_int64(st, 9),
        .start_ms = sqlite3_column_int64(st, 10),
        .end_ms = sqlite3_column_int64(st, 11),
        .running = sqlite3_column_int(st, 12) != 0,
        .by = das_column_str(st, 13),
    };
    for (int i = 0; i < 5; i++)
        *texts[i] = das_column(st, 2 + i);
    return t->instance && t->by ? 0 : das_fail_nomem(err);
}

int das_task_each(struct das_store *s, const char *instance, bool running, int64_t max,
                  das_task_fn *fn, void *arg, struct das_err *err)
{
    sqlite3_stmt *st;
    struct das_task t;
    int rc;

    if (max <= 0 || s->format < DAS_FORMAT_SERVE)
        return 0;
    if (instance)
        st =
            das_ask(s, err, running ? DAS_Q_TASKS_OF_RUNNING : DAS_Q_TASKS_OF, "is", max, instance);
    else
        st = das_ask(s, err, running ? DAS_Q_TASKS_RUNNING : DAS_Q_TASKS, "i", max);
    rc = st ? 0 : -1;
    while (rc == 0 && (rc = das_step(s, st, err)) > 0) {
        rc = read_row(st, &t, err);
        if (rc == 0)
            rc = fn(arg, &t);
        if (rc)
            sqlite3_reset(st);
    }
    return rc;
}

/* --- their ends ------------------------------------------------------------------------------- */

/* 1: one was closed; 0: none is due. */
static int close_one(struct das_store *s, int64_t now_ms, struct das_err *err)
{
    sqlite3_stmt *st = das_ask(s, err, DAS_Q_TASK_DUE, "i", now_ms);
    int rc = st ? das_step(s, st, err) : -1;
    struct das_task t;

    if (rc <= 0)
        return rc;
    rc = read_row(st, &t, err);
    if (rc == 0)
        rc = record(s, &t, ENDED, NULL, err);
    sqlite3_reset(st);
    if (rc < 0 || das_do(s, err, DAS_Q_TASK_END, "i", t.id) < 0)
        return -1;
    return 1;
}

static int64_t close_due(struct das_store *s, int64_t now_ms, struct das_err *err)
{
    int64_t n = 0;
    int rc;

    while ((rc = close_one(s, now_ms, err)) > 0)
        n++;
    return rc < 0 ? -1 : n;
}

int64_t das_task_close_due(struct das_store *s, int64_t now_ms, struct das_err *err)
{
    int64_t due, n;

    if (das_ask_int(s, &due, err, DAS_Q_TASK_DUE_ANY, "i", now_ms) < 0)
        return -1;
    if (!due)
        return 0;
    if (das_begin(s, err) < 0)
        return -1;
    n = close_due(s, now_ms, err);
    return das_end(s, n < 0 ? -1 : 0, err) < 0 ? -1 : n;
}

/* --- adding and stopping ---------------------------------------------------------------------- */

static int insert(struct das_store *s, struct das_task *t, struct das_err *err)
{
    if (das_do(s, err, DAS_Q_TASK_ADD, "sbbbbbiiiiis", t->instance, t->user, t->host, t->db,
               t->command, t->info, t->time, (int64_t)t->manual, t->duration, t->start_ms,
               t->end_ms, t->by) < 0)
        return -1;
    t->id = sqlite3_last_insert_rowid(s->db);
    return record(s, t, CREATED, t->by, err);
}

/* As das_task_add(). */
static int add(struct das_store *s, struct das_task *t, bool *off, struct das_err *err)
{
    int64_t running;
    bool on;

    if (das_task_switch_get(s, t->instance, &on, err) < 0)
        return -1;
    *off = !on;
    if (!on)
        return 0;
    if (close_due(s, t->start_ms, err) < 0 ||
        das_ask_int(s, &running, err, DAS_Q_TASK_RUNNING, "s", t->instance) < 0)
        return -1;
    if (running >= DAS_TASKS_RUNNING_MAX)
        return 0;
    return insert(s, t, err) < 0 ? -1 : 1;
}

int das_task_add(struct das_store *s, struct das_task *t, bool *off, struct das_err *err)
{
    struct das_task new = *t;
    int rc;

    *off = false;
    new.by = t->by ? t->by : "";
    new.running = true;
    if (t->manual)
        new.end_ms = 0;
    if (!t->instance || !*t->instance)
        return das_fail(err, DAS_E_USAGE, "a kill task: no instance");
    if (!t->manual && t->end_ms <= t->start_ms)
        return das_fail(err, DAS_E_USAGE, "a kill task: it ends before it begins");
    if (das_begin(s, err) < 0)
        return -1;
    rc = add(s, &new, off, err);
    if (rc > 0)
        DAS_FAULT("task-before-commit");
    if (das_end(s, rc < 0 ? -1 : 0, err) < 0)
        return -1;
    if (rc > 0)
        *t = new;
    return rc;
}

static int stop_one(struct das_store *s, const char *instance, int64_t id, int64_t now_ms,
                    const char *by, struct das_err *err)
{
    const struct das_task t = {.id = id, .instance = instance};

    if (das_do(s, err, DAS_Q_TASK_STOP, "ii", id, now_ms) < 0)
        return -1;
    return record(s, &t, STOPPED, by, err);
}

/* As das_task_stop(). */
static int stop(struct das_store *s, const char *instance, int64_t id, int64_t now_ms,
                const char *by, struct das_err *err)
{
    int64_t runs;

    if (close_due(s, now_ms, err) < 0 ||
        das_ask_int(s, &runs, err, DAS_Q_TASK_RUNS, "is", id, instance) < 0)
        return -1;
    if (!runs)
        return 0;
    return stop_one(s, instance, id, now_ms, by, err) < 0 ? -1 : 1;
}

int das_task_stop(struct das_store *s, const char *instance, int64_t id, int64_t now_ms,
                  const char *by, struct das_err *err)
{
    int rc;

    if (das_begin(s, err) < 0)
        return -1;
    rc = stop(s, instance, id, now_ms, by, err);
    return das_end(s, rc < 0 ? -1 : 0, err) < 0 ? -1 : rc;
}

/* --- the switch ------------------------------------------------------------------------------- */

int das_task_switch_get(struct das_store *s, const char *instance, bool *on, struct das_err *err)
{
    int64_t is_on = 0;
    int rc = 0;

    if (s->format >= DAS_FORMAT_SERVE)
        rc = das_ask_int(s, &is_on, err, DAS_Q_SWITCH_GET, "s", instance);
    *on = rc == 0 && is_on;
    return rc;
}

static int stop_all(struct das_store *s, const char *instance, int64_t now_ms, const char *by,
                    struct das_err *err)
{
    int64_t id;

    if (close_due(s, now_ms, err) < 0)
        return -1;
    for (;;) {
        if (das_ask_int(s, &id, err, DAS_Q_TASK_FIRST, "s", instance) < 0)
            return -1;
        if (!id)
            return 0;
        if (stop_one(s, instance, id, now_ms, by, err) < 0)
            return -1;
    }
}

static int switch_set(struct das_store *s, const char *instance, bool on, int64_t now_ms,
                      const char *by, struct das_err *err)
{
    struct das_buf b = {0};
    bool was;

    if (das_task_switch_get(s, instance, &was, err) < 0)
        return -1;
    if (on == was)
        return 0;
    if (das_do(s, err, DAS_Q_SWITCH_PUT, "si", instance, (int64_t)on) < 0 ||
        (!on && stop_all(s, instance, now_ms, by, err) < 0))
        return -1;
    das_buf_printf(&b, "\"switch\":\"%s\"", on ? "on" : "off");
    put_str(&b, "instance", instance);
    put_str(&b, "by", by);
    return append(s, "switch", &b, err);
}

int das_task_switch_set(struct das_store *s, const char *instance, bool on, int64_t now_ms,
                        const char *by, struct das_err *err)
{
    if (das_begin(s, err) < 0)
        return -1;
    return das_end(s, switch_set(s, instance, on, now_ms, by, err), err);
}
